//! A client that knows nothing but the document: it makes a request from an operation's id, and
//! holds request and answer to the schemas.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use fusionchat_tests::daemon::Daemon;
use fusionchat_tests::rest::Rest;
use serde_json::{Map, Value, json};

/// The methods an operation may have.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// One operation of the document.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) open: bool,
    whole: Value,
    schemas: Value,
}

impl Operation {
    /// The names of the fields its body may have, if it reads one.
    pub(crate) fn body_fields(&self) -> Option<BTreeSet<String>> {
        let schema = self.body()?;
        let name = schema["$ref"].as_str()?.rsplit('/').next()?;
        Some(self.schemas[name]["properties"].as_object()?.keys().cloned().collect())
    }

    /// Its path, naming nothing that exists.
    pub(crate) fn path_of_nothing(&self) -> String {
        let part =
            |part: &str| if part.starts_with('{') { "1".to_owned() } else { part.to_owned() };
        self.path.split('/').map(part).collect::<Vec<_>>().join("/")
    }

    fn body(&self) -> Option<&Value> {
        let content = self.whole.get("requestBody")?;
        content.pointer("/content/application~1json/schema")
    }

    fn parameters(&self, place: &str) -> impl Iterator<Item = &Value> {
        let all = self.whole["parameters"].as_array().into_iter().flatten();
        all.filter(move |it| it["in"] == place)
    }
}

/// The document, and what of it was called.
pub(crate) struct Api {
    rest: Rest,
    operations: BTreeMap<String, Operation>,
    components: Value,
    called: BTreeSet<String>,
}

/// What a call sends beside its credential.
#[derive(Default)]
pub(crate) struct Request<'a> {
    pub(crate) path: &'a [&'a str],
    pub(crate) query: &'a [(&'a str, &'a str)],
    pub(crate) body: Option<Value>,
}

impl Api {
    /// The document as the daemon serves it to anybody.
    pub(crate) async fn fetch(daemon: &Daemon) -> Result<Self> {
        let rest = daemon.rest_with(None)?;
        let document = rest.get("/api/openapi.json").await?.expect(200)?;
        ensure!(document["openapi"] == "3.1.0", "another format: {}", document["openapi"]);
        let mut components = document["components"].clone();
        close(&mut components);
        let schemas = document["components"]["schemas"].clone();
        let mut operations = BTreeMap::new();
        for (path, item) in document["paths"].as_object().context("paths")? {
            for (method, whole) in item.as_object().context("a path's operations")? {
                ensure!(METHODS.contains(&method.as_str()), "{path}: {method} is no method");
                let id = whole["operationId"].as_str().context("an operation's id")?.to_owned();
                let open = whole["security"].as_array().is_some_and(Vec::is_empty);
                let method = method.to_ascii_uppercase();
                let (path, whole, schemas) = (path.clone(), whole.clone(), schemas.clone());
                let operation = Operation { id: id.clone(), method, path, open, whole, schemas };
                ensure!(operations.insert(id, operation).is_none(), "an id stands twice");
            }
        }
        Ok(Self { rest, operations, components, called: BTreeSet::new() })
    }

    /// All operations.
    pub(crate) fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.operations.values()
    }

    /// The ids of the operations that were not called yet.
    pub(crate) fn not_called(&self) -> Vec<&str> {
        self.operations.keys().map(String::as_str).filter(|it| !self.called.contains(*it)).collect()
    }

    /// Calls an operation that must succeed, with a credential if it needs one.
    pub(crate) async fn call(
        &mut self,
        id: &str,
        token: &str,
        request: Request<'_>,
    ) -> Result<Value> {
        let operation = self.operations.get(id).with_context(|| format!("{id} is not listed"))?;
        let path = path_of(operation, request.path, request.query)?;
        match (operation.body(), &request.body) {
            (Some(schema), Some(body)) => {
                self.hold(schema, body).with_context(|| format!("the request of {id}"))?;
            }
            (None, Some(_)) => bail!("{id} reads no body"),
            (_, None) => {
                let required = operation.whole.pointer("/requestBody/required");
                ensure!(required != Some(&json!(true)), "{id} needs a body");
            }
        }
        let rest = if operation.open { self.rest.clone() } else { self.rest.with(token) };
        let body = request.body.map(|it| it.to_string());
        let answer = rest.send(&operation.method, &path, body.as_deref(), &[]).await?;
        let status = answer.status;
        let value = answer.expect(status)?;
        self.check(id, status, &value)?;
        self.called.insert(id.to_owned());
        Ok(value)
    }

    /// Holds an answer to what the document says of a success.
    pub(crate) fn check(&self, id: &str, status: u16, value: &Value) -> Result<()> {
        let operation = self.operations.get(id).with_context(|| format!("{id} is not listed"))?;
        let listed = operation.whole["responses"].get(status.to_string());
        let listed = listed.with_context(|| format!("{id} answered {status}: {value}"))?;
        match listed.pointer("/content/application~1json/schema") {
            Some(schema) => self.hold(schema, value).with_context(|| format!("the answer of {id}")),
            None => {
                ensure!(value.is_null(), "{id} should answer nothing: {value}");
                Ok(())
            }
        }
    }

    fn hold(&self, schema: &Value, value: &Value) -> Result<()> {
        let mut whole = schema.clone();
        close(&mut whole);
        whole["components"] = self.components.clone();
        let validator = jsonschema::validator_for(&whole)?;
        let flaws: Vec<String> = validator
            .iter_errors(value)
            .map(|flaw| format!("{} at {}", flaw, flaw.instance_path()))
            .collect();
        ensure!(flaws.is_empty(), "{flaws:?} in {value}");
        Ok(())
    }
}

/// The path with its parts filled in and its query; all required, and none that is not listed.
fn path_of(operation: &Operation, parts: &[&str], query: &[(&str, &str)]) -> Result<String> {
    let id = &operation.id;
    let mut parts_left = parts.iter();
    let mut path = String::new();
    for part in operation.path.split('/').skip(1) {
        let filled = if part.starts_with('{') {
            parts_left.next().with_context(|| format!("{id}: too few parts"))?
        } else {
            part
        };
        path.push('/');
        path.push_str(filled);
    }
    ensure!(parts_left.next().is_none(), "{id}: too many parts");
    ensure!(operation.parameters("path").count() == parts.len(), "{id}: a part is not listed");
    for parameter in operation.parameters("query").filter(|it| it["required"] == true) {
        let given = query.iter().any(|(name, _)| parameter["name"] == *name);
        ensure!(given, "{id} needs {}", parameter["name"]);
    }
    for (name, _) in query {
        let listed = operation.parameters("query").any(|it| it["name"] == *name);
        ensure!(listed, "{id} does not list the parameter {name}");
    }
    let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Ok(if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) })
}

/// Makes every object that lists its fields one that has no other: what the daemon answers may grow
/// later, but today it must be what is written.
fn close(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Object(fields) => {
            fields.values_mut().for_each(close);
            if is_closed_by(fields) {
                fields.insert("additionalProperties".to_owned(), json!(false));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_closed_by(fields: &Map<String, Value>) -> bool {
    fields.get("properties").is_some_and(Value::is_object)
        && fields.get("type").is_some_and(|it| it == "object")
        && !fields.contains_key("additionalProperties")
}
