//! Every REST route over a real socket with bodies, queries and paths made from its own schema and then bent: an
//! answer of ours each time, never 5xx, and no field that is not in the schema is taken.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use crate::domain::damage::damaged;
use crate::door::harness::{Answer, Daemon, client_id, patient};
use crate::service::limit::Limits;

use super::route::{ROUTES, Route, Verb};

const DOCUMENT: &str = include_str!("../../../../docs/openapi.json");
/// Of so many cases of a property each route gets one of each kind: all of them together are some thousands.
const CASES_PER_ROUND: u32 = 64;
/// Texts that name something, or come near it.
const TEXTS: &[&str] = &[
    "web",
    "1001",
    "admin",
    "admin@acme.example",
    "en",
    "",
    " ",
    "*",
    "conversation:read",
    "https://shop.example",
    "https://shop.example/",
    "user",
    "agent",
    "assistant",
    "high",
    "resolved",
    "0",
    "-1",
    "18446744073709551616",
    "\u{0}",
    "\u{1b}[31m",
    "\u{202e}",
    "é",
    "00112233445566778899aabbccddeeff",
    "%00",
    "../..",
    "0190a0c8-5e3a-7c11-9f3e-2b1c7d4e5f60",
];

/// Fields that only the daemon may set.
const NOT_THEIRS: [&str; 8] =
    ["tenant_id", "organizationId", "organization_id", "position", "seq", "actor", "grants", "zz"];

fn texts() -> BoxedStrategy<String> {
    prop_oneof![
        4 => select(TEXTS).prop_map(str::to_owned),
        2 => any::<String>(),
        1 => "[a-z]{1,12}",
        1 => (1..12_000_usize).prop_map(|count| "x".repeat(count)),
    ]
    .boxed()
}

fn leaves() -> BoxedStrategy<Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        Just(json!(1.5)),
        Just(json!([])),
        Just(json!({})),
        Just(json!([["x"], { "a": 1 }])),
        texts().prop_map(Value::from),
    ]
    .boxed()
}

/// Values as a schema has them.
fn of_schema(schema: &Value, schemas: &Value) -> BoxedStrategy<Value> {
    if let Some(name) = schema["$ref"].as_str().and_then(|it| it.rsplit('/').next()) {
        return of_schema(&schemas[name], schemas);
    }
    for choice in ["anyOf", "oneOf", "enum"] {
        let Some(all) = schema[choice].as_array() else { continue };
        let all = all.clone();
        if choice == "enum" {
            return select(all).boxed();
        }
        let all: Vec<_> = all.iter().map(|it| of_schema(it, schemas)).collect();
        return (0..all.len()).prop_flat_map(move |at| all[at].clone()).boxed();
    }
    if let Some(fixed) = schema.get("const") {
        return Just(fixed.clone()).boxed();
    }
    let listed = schema["type"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut kinds: Vec<_> = listed.collect();
    if kinds.is_empty() {
        kinds.push(schema["type"].as_str().unwrap_or("string"));
    }
    let all: Vec<_> = kinds.into_iter().map(|kind| of_kind(kind, schema, schemas)).collect();
    (0..all.len()).prop_flat_map(move |at| all[at].clone()).boxed()
}

fn of_kind(kind: &str, schema: &Value, schemas: &Value) -> BoxedStrategy<Value> {
    match kind {
        "object" => of_object(schema, schemas),
        "array" => vec(of_schema(&schema["items"], schemas), 0..4).prop_map(Value::from).boxed(),
        "integer" => prop_oneof![
            (0..100_000_u64).prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
        ]
        .boxed(),
        "boolean" => any::<bool>().prop_map(Value::from).boxed(),
        "null" => Just(Value::Null).boxed(),
        _ => texts().prop_map(Value::from).boxed(),
    }
}

fn of_object(schema: &Value, schemas: &Value) -> BoxedStrategy<Value> {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let fields = schema["properties"].as_object().cloned().unwrap_or_default();
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, inner)| {
            let always = required.iter().any(|it| it == name.as_str());
            let id = (0..u128::MAX).prop_map(|it| Value::from(client_id(it))).boxed();
            let value = if name == "clientId" { id } else { of_schema(inner, schemas) };
            (Just(name.clone()), any::<bool>().prop_map(move |it| it || always), value)
        })
        .collect();
    fields
        .prop_map(|fields| {
            let there = fields.into_iter().filter(|(_, there, _)| *there);
            Value::Object(there.map(|(name, _, value)| (name, value)).collect::<Map<_, _>>())
        })
        .boxed()
}

/// One value of a strategy.
fn one<S: Strategy>(runner: &mut TestRunner, strategy: S) -> S::Value {
    strategy.new_tree(runner).expect("a value").current()
}

/// A desk to send it all to.
struct Target {
    daemon: Daemon,
    document: Value,
    token: String,
    article: String,
    runner: TestRunner,
}

impl Target {
    async fn open() -> Self {
        const RATE: u32 = 1_000_000;
        let limits = Limits {
            messages_per_minute: RATE,
            message_burst: RATE,
            conversations_per_minute: RATE,
            sockets_per_address: RATE,
            command_burst: RATE,
            ..Limits::default()
        };
        let daemon = Daemon::start_with(patient(), limits).await;
        let token = daemon.key();
        let begun = json!({ "inbox": "web", "content": "I would rather speak to a human" });
        let begun = daemon.api(&token, "POST", "/api/conversations", Some(begun)).await;
        assert_eq!(begun.status, 201, "{}", begun.text());
        let article = json!({
            "sourcePath": "a.md", "title": "A", "body": "B", "locale": "en", "status": "published",
        });
        let article = daemon.api(&token, "PUT", "/api/articles", Some(article)).await;
        assert!(article.status < 300, "{}", article.text());
        let article = article.json()["id"].as_str().unwrap_or("none").to_owned();
        let document = serde_json::from_str(DOCUMENT).expect("the document");
        Self { daemon, document, token, article, runner: TestRunner::default() }
    }

    /// The path of a route, naming what there is.
    fn path(&self, route: &Route) -> String {
        let named = |part: &str| match (part, route.path.split('/').nth(2)) {
            ("{seq}", _) => "1".to_owned(),
            ("{id}", Some("articles")) => self.article.clone(),
            ("{ref}", Some("inboxes")) => "web".to_owned(),
            ("{ref}", Some("users")) => "admin".to_owned(),
            ("{ref}", _) => "1001".to_owned(),
            ("{id}", _) => "0190a0c8-5e3a-7c11-9f3e-2b1c7d4e5f60".to_owned(),
            (part, _) => part.to_owned(),
        };
        route.path.split('/').map(named).collect::<Vec<_>>().join("/")
    }

    fn operation(&self, route: &Route) -> &Value {
        &self.document["paths"][route.path][route.verb.name().to_lowercase()]
    }

    /// Bodies of a route, as its schema has them.
    fn bodies(&self, route: &Route) -> Option<BoxedStrategy<Value>> {
        let schema = &self.operation(route)["requestBody"]["content"]["application/json"]["schema"];
        schema.is_object().then(|| of_schema(schema, &self.document["components"]["schemas"]))
    }

    async fn send(&self, route: &Route, path: &str, body: Option<&[u8]>) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("authorization", bearer.as_str())];
        let answer = self.daemon.send(route.verb.name(), path, &headers, body).await;
        let shown = String::from_utf8_lossy(body.unwrap_or_default());
        let told = format!("{} {path} {shown} -> {} {}", route.name, answer.status, answer.text());
        let good = (200..300).contains(&answer.status) || (400..500).contains(&answer.status);
        assert!(good, "{told}");
        if answer.status >= 400 {
            assert!(answer.json()["code"].as_str().is_some_and(|it| !it.is_empty()), "{told}");
        }
        answer
    }
}

/// A text as a part of a URL.
fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).take(300).collect()
}

fn rounds() -> u32 {
    ProptestConfig::default().cases.div_ceil(CASES_PER_ROUND)
}

#[tokio::test]
async fn any_body_of_any_route_gets_an_answer_of_ours() {
    let mut target = Target::open().await;
    let mut taken = std::collections::BTreeSet::new();
    for _ in 0..rounds() {
        for route in ROUTES {
            let Some(bodies) = target.bodies(route) else { continue };
            let path = target.path(route);
            let good = one(&mut target.runner, bodies);
            let text = good.to_string();
            if target.send(route, &path, Some(text.as_bytes())).await.status < 300 {
                taken.insert(route.name);
            }
            let bent = one(&mut target.runner, damaged(Just(text.into_bytes())));
            target.send(route, &path, Some(&bent)).await;
            let mut other = good.clone();
            let names: Vec<String> =
                good.as_object().into_iter().flatten().map(|it| it.0.clone()).collect();
            if !names.is_empty() {
                let name = one(&mut target.runner, select(names));
                other[name] = one(&mut target.runner, leaves());
                target.send(route, &path, Some(other.to_string().as_bytes())).await;
            }
        }
    }
    assert!(taken.len() >= 5, "bodies made from the schemas are never taken: {taken:?}");
    target.daemon.end().await;
}

#[tokio::test]
async fn fault_86_no_route_takes_a_field_that_is_not_in_its_schema() {
    let mut target = Target::open().await;
    for route in ROUTES {
        if target.bodies(route).is_none() {
            continue;
        }
        for name in NOT_THEIRS {
            let schema = &target.operation(route)["requestBody"]["content"]["application/json"];
            let named = schema["schema"]["$ref"].as_str().and_then(|it| it.rsplit('/').next());
            let schemas = &target.document["components"]["schemas"];
            if schemas[named.unwrap_or("")]["properties"].get(name).is_some() {
                continue;
            }
            // Nothing else: what a body lacks is told after what it has too much.
            let body = json!({ name: one(&mut target.runner, texts()) }).to_string();
            let answer = target.send(route, &target.path(route), Some(body.as_bytes())).await;
            let told = format!("{} {body}: {}", route.name, answer.text());
            assert_eq!(answer.code(), (400, "unknown_field".to_owned()), "{told}");
        }
    }
    target.daemon.end().await;
}

#[tokio::test]
async fn any_query_and_path_of_any_route_gets_an_answer_of_ours() {
    let mut target = Target::open().await;
    for _ in 0..rounds() {
        for route in ROUTES.iter().filter(|it| it.verb == Verb::Get) {
            let parameters = target.operation(route)["parameters"].as_array().cloned();
            // One at a time: the first that is wrong would hide the others.
            for parameter in parameters.unwrap_or_default().iter().filter(|it| it["in"] == "query")
            {
                let name = parameter["name"].as_str().unwrap_or("x");
                let value = escaped(&one(&mut target.runner, texts()));
                let path = format!("{}?{name}={value}", target.path(route));
                target.send(route, &path, None).await;
            }
        }
        for route in ROUTES.iter().filter(|it| it.path.contains('{')) {
            let parts: Vec<String> = route
                .path
                .split('/')
                .map(|part| {
                    let text = one(&mut target.runner, texts());
                    if part.starts_with('{') { escaped(&text) } else { part.to_owned() }
                })
                .collect();
            let body = route.verb.has_body().then_some(b"{}".as_slice());
            target.send(route, &parts.join("/"), body).await;
        }
    }
    target.daemon.end().await;
}
