//! The REST interface as an OpenAPI 3.1 document, made of the table of routes and of the types they
//! read and write. Nothing of it is written by hand, so it cannot say what the door does not do.

use std::sync::LazyLock;

use axum::body::Body;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use crate::service::error::Error;

use super::call::{Call, IDEMPOTENCY_KEY_BYTES_MAX};
use super::problem::Problem;
use super::route::{ROUTES, Route};
use super::shape::{SchemaOf, Shape};

/// Where the document keeps its types.
const SCHEMAS: &str = "#/components/schemas/";

const ABOUT: &str = "Customer chat run from the terminal. Send a bearer token: that of a sign-in, \
of an API key or of a visitor's session. Times are Unix milliseconds. A refusal is \
application/problem+json with a stable `code`. A `clientId` in the body, or an `Idempotency-Key` \
header, makes a repeat of a request harmless, except where a session begins. Unknown fields are refused.";

/// The parts of paths, and what each stands for.
const PARAMETERS: [(&str, &str, &str); 7] = [
    ("/api/inboxes/", "ref", "The inbox's name or id."),
    ("/api/users/", "ref", "The user's name, e-mail address or id."),
    ("/api/conversations/", "ref", "The conversation's number or id."),
    ("/api/conversations/", "seq", "The message's number in the conversation."),
    ("/api/escalations/", "ref", "The conversation's number or id."),
    ("/api/articles/", "id", "The article's id."),
    ("/api/keys/", "id", "The key's id."),
];

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| document().to_string().into());

pub(super) const GET: Shape =
    Shape::new("This description, as OpenAPI 3.1.").gives::<Map<String, Value>>();

/// The document, for anybody.
pub(super) async fn get(_: Call) -> Result<Response<Body>, Error> {
    let mut response = Response::new(Body::from(DOCUMENT.clone()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// The whole document.
pub fn document() -> Value {
    let mut types = Types::new();
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.verb.name().to_ascii_lowercase()] = operation(route, &mut types);
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Fusionchat",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "paths": paths,
        "components": {
            "schemas": types.schemas(),
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
        "security": [{ "token": [] }],
    });
    leave_out_nulls(&mut document);
    document
}

/// What may be absent is never sent as null, and need not be: its schema says only what it is.
fn leave_out_nulls(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(leave_out_nulls),
        Value::Object(fields) => {
            let required = fields.get("required").and_then(Value::as_array).cloned();
            let is_required =
                |name: &str| required.iter().flatten().any(|it| it.as_str() == Some(name));
            if let Some(Value::Object(properties)) = fields.get_mut("properties") {
                let optional = properties.iter_mut().filter(|(name, _)| !is_required(name));
                optional.for_each(|(_, schema)| not_null(schema));
            }
            if fields.get("in").is_some_and(|it| it == "query")
                && let Some(schema) = fields.get_mut("schema")
            {
                not_null(schema);
            }
            fields.values_mut().for_each(leave_out_nulls);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Takes null away from a schema that allows it beside something else.
fn not_null(schema: &mut Value) {
    let Value::Object(fields) = schema else { return };
    if fields.get("default") == Some(&Value::Null) {
        fields.remove("default");
    }
    if let Some(Value::Array(types)) = fields.get_mut("type") {
        types.retain(|it| it != "null");
        if let [one] = types.as_mut_slice() {
            let one = one.take();
            fields.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(choices)) = fields.get_mut("anyOf") {
        choices.retain(|it| it["type"] != "null");
        if let [Value::Object(one)] = choices.as_mut_slice() {
            let one = std::mem::take(one);
            fields.remove("anyOf");
            fields.extend(one);
        }
    }
}

/// The two ways a type is written down: as it is read, and as it is answered.
struct Types {
    read: SchemaGenerator,
    written: SchemaGenerator,
}

impl Types {
    fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|it| {
                it.definitions_path = SCHEMAS.trim_start_matches('#').to_owned().into();
                it.meta_schema = None;
            })
        };
        Self {
            read: settings().for_deserialize().into_generator(),
            written: settings().for_serialize().into_generator(),
        }
    }

    /// Whether a type that is read has a field that must be there.
    fn requires(&self, schema: &Value) -> bool {
        let name = schema["$ref"].as_str().and_then(|it| it.strip_prefix(SCHEMAS));
        let whole = name.and_then(|it| self.read.definitions().get(it)).unwrap_or(schema);
        whole["required"].as_array().is_some_and(|it| !it.is_empty())
    }

    fn schemas(&mut self) -> Map<String, Value> {
        let mut all = self.read.take_definitions(true);
        all.extend(self.written.take_definitions(true));
        all
    }
}

fn operation(route: &Route, types: &mut Types) -> Value {
    let shape = &route.shape;
    let noun = route.path.split('/').nth(2).unwrap_or_default();
    let refused = types.written.subschema_for::<Problem<'static>>();
    let mut operation = json!({
        "operationId": route.name,
        "tags": [noun.trim_end_matches(".json")],
        "summary": shape.summary,
        "parameters": parameters(route, types),
        "responses": {
            shape.status.to_string(): success(shape.answer, types),
            "default": {
                "description": "Refused.",
                "content": { "application/problem+json": { "schema": refused } },
            },
        },
    });
    if let Some(body) = shape.body {
        let schema = body(&mut types.read).to_value();
        let required = types.requires(&schema);
        operation["requestBody"] = json!({ "required": required, "content": { "application/json": { "schema": schema } } });
    }
    if route.open {
        operation["security"] = json!([]);
    }
    operation
}

fn success(answer: Option<SchemaOf>, types: &mut Types) -> Value {
    match answer {
        Some(schema) => json!({
            "description": "Done.",
            "content": { "application/json": { "schema": schema(&mut types.written) } },
        }),
        None => json!({ "description": "Done; there is no body." }),
    }
}

/// The parameters of the path, of the query and of the headers.
fn parameters(route: &Route, types: &mut Types) -> Vec<Value> {
    let names = route.path.split('/').filter_map(|it| it.strip_prefix('{')?.strip_suffix('}'));
    let mut all: Vec<Value> = names.map(|name| in_path(route.path, name)).collect();
    if let Some(query) = route.shape.query {
        all.extend(in_query(&query(&mut types.read).to_value()));
    }
    // The open ones that change something begin a session: each of those is another one.
    if route.changes() && !route.open {
        all.push(json!({
            "name": "Idempotency-Key",
            "in": "header",
            "description": "Makes a repeat harmless; stands in for `clientId`.",
            "schema": { "type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_BYTES_MAX },
        }));
    }
    all
}

fn in_path(path: &str, name: &str) -> Value {
    let known = PARAMETERS.iter().find(|(start, it, _)| path.starts_with(start) && *it == name);
    json!({
        "name": name,
        "in": "path",
        "required": true,
        "description": known.map(|(_, _, text)| text),
        "schema": { "type": "string" },
    })
}

/// The fields of a query's type, one parameter each.
fn in_query(schema: &Value) -> Vec<Value> {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let fields = schema["properties"].as_object().cloned().unwrap_or_default();
    let parameter = |(name, mut field): (String, Value)| {
        let text = field.as_object_mut().and_then(|it| it.remove("description"));
        json!({
            "required": required.iter().any(|it| it == name.as_str()),
            "name": name,
            "in": "query",
            "description": text,
            "schema": field,
        })
    };
    fields.into_iter().map(parameter).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// The document as committed; `FUSION_RENEW=1` writes it anew.
    #[test]
    fn the_committed_document_is_the_served_one() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
        let fresh = document();
        if std::env::var_os("FUSION_RENEW").is_some() {
            let text = serde_json::to_string_pretty(&fresh).expect("written");
            std::fs::write(&path, text + "\n").expect("docs/openapi.json");
        }
        let committed = std::fs::read(&path).expect("docs/openapi.json");
        let committed: Value = serde_json::from_slice(&committed).expect("JSON");
        let told =
            "docs/openapi.json is old: FUSION_RENEW=1 cargo test -p fusionchatd --lib openapi";
        assert!(committed == fresh, "{told}");
    }

    /// A type that is read in one way and written in another would need two names.
    #[test]
    fn no_name_stands_for_two_types() {
        let mut types = Types::new();
        for route in ROUTES {
            operation(route, &mut types);
        }
        let written = types.written.take_definitions(true);
        for (name, schema) in types.read.take_definitions(true) {
            let other = written.get(&name);
            assert!(other.is_none_or(|other| *other == schema), "{name} is two types");
            assert!(!name.ends_with(|it: char| it.is_ascii_digit()), "{name}: give it a name");
        }
        for name in written.keys() {
            assert!(!name.ends_with(|it: char| it.is_ascii_digit()), "{name}: give it a name");
        }
    }

    #[test]
    fn everything_is_described_and_every_reference_leads_somewhere() {
        let document = document();
        let mut stack = vec![&document];
        while let Some(value) = stack.pop() {
            match value {
                Value::Array(items) => stack.extend(items),
                Value::Object(fields) => {
                    if let Some(target) = fields.get("$ref").and_then(Value::as_str) {
                        let pointer = target.strip_prefix('#').expect("inside");
                        assert!(document.pointer(pointer).is_some(), "{target} leads nowhere");
                    }
                    if let Some(Value::Object(properties)) = fields.get("properties") {
                        for (name, field) in properties {
                            assert!(field["description"].is_string(), "{name} is not described");
                        }
                    }
                    if fields.contains_key("in") {
                        assert!(fields["description"].is_string(), "{}", fields["name"]);
                    }
                    stack.extend(fields.values());
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
    }
}
