//! Any bytes, any tree and any damage to a good body: read as it stands, or refused with an error of ours.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::domain::damage::{damaged, texts_of};
use crate::service::error::Kind;

/// Stands in a body and may stand in no error.
const MARK: &str = "Zq7hunter2";

/// What JSON is made of, and what comes near it.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"content\"",
    "\"seq\":",
    "\"a\"",
    "1",
    "-0",
    "1e9",
    "1.",
    "null",
    "true",
    "\\u0",
    "\"\\ud800\"",
    " ",
    "\n",
    "\u{feff}",
    "/*",
    "'",
    "NaN",
];

#[derive(Clone, Debug, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    content: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(default)]
    tags: Vec<String>,
}

fn bodies() -> impl Strategy<Value = Body> {
    let client_id = option::of("[0-9a-f]{32}");
    let fields = (any::<String>(), client_id, any::<Option<u64>>(), vec(any::<String>(), 0..3));
    fields.prop_map(|(content, client_id, seq, tags)| Body {
        content: format!("{content}{MARK}"),
        client_id,
        seq,
        tags,
    })
}

fn trees() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 120, 70, |inner| {
        prop_oneof![
            3 => vec(inner.clone(), 0..6).prop_map(Value::from),
            3 => btree_map("[a-z]{0,3}", inner, 0..6).prop_map(object),
            1 => (1..FIELDS_MAX + 20).prop_map(|count| object((0..count).map(|n| (n.to_string(), Value::Null)))),
        ]
    })
}

fn object(fields: impl IntoIterator<Item = (String, Value)>) -> Value {
    Value::Object(fields.into_iter().collect())
}

/// What the reader should find wrong, by looking at the tree instead of the text.
fn is_fine(tree: &Value, depth: usize) -> bool {
    match tree {
        Value::Number(number) => !number.is_f64(),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Array(items) => depth < DEPTH_MAX && items.iter().all(|it| is_fine(it, depth + 1)),
        Value::Object(fields) => {
            depth < DEPTH_MAX
                && fields.len() <= FIELDS_MAX
                && fields.values().all(|it| is_fine(it, depth + 1))
        }
    }
}

fn is_ours(error: &Error) -> bool {
    let codes = [
        "invalid_json",
        "too_deep",
        "duplicate_key",
        "unknown_field",
        "missing_field",
        "bad_number",
        "invalid_argument",
    ];
    let text = format!("{} {} {:?}", error.message, error.hint, error.params);
    error.kind == Kind::Invalid && codes.contains(&error.code) && !text.contains(MARK)
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(
        bytes in prop_oneof![vec(any::<u8>(), 0..300), texts_of(PIECES).prop_map(String::into_bytes)],
    ) {
        if let Err(error) = read::<Body>(&bytes) {
            prop_assert!(is_ours(&error), "{error:?}");
        }
    }

    #[test]
    fn a_tree_is_refused_for_what_is_wrong_with_it_and_for_nothing_else(tree in trees()) {
        let text = tree.to_string();
        let fine = tree.is_object() && is_fine(&tree, 0);
        let read = outline(text.as_bytes());
        prop_assert_eq!(read.is_ok(), fine, "{} {:?}", text, read.err().map(|it| it.code));
    }

    #[test]
    fn no_nesting_goes_deeper_than_the_bound(
        shape in vec(any::<bool>(), 1..200), closed in any::<bool>(),
    ) {
        let mut text = String::from("{\"a\":");
        text.extend(shape.iter().map(|list| if *list { "[" } else { "{\"a\":" }));
        if closed {
            text.push('1');
            text.extend(shape.iter().rev().map(|list| if *list { ']' } else { '}' }));
            text.push('}');
        }
        let depth = shape.len() + 1;
        let code = outline(text.as_bytes()).err().map(|it| it.code);
        let expected = match (depth > DEPTH_MAX, closed) {
            (true, _) => Some("too_deep"),
            (false, true) => None,
            (false, false) => Some("invalid_json"),
        };
        prop_assert_eq!(code, expected);
    }

    #[test]
    fn a_damaged_body_is_read_as_it_stands_or_refused(
        bytes in damaged(bodies().prop_map(|it| serde_json::to_vec(&it).expect("JSON"))),
    ) {
        match read::<Body>(&bytes) {
            Ok(body) => {
                let again = serde_json::to_vec(&body).expect("JSON");
                prop_assert_eq!(read::<Body>(&again).ok(), Some(body.clone()));
                // Another reader of the same bytes understands the same.
                let plain: Value = serde_json::from_slice(&bytes).expect("JSON");
                prop_assert_eq!(plain["content"].as_str(), Some(body.content.as_str()));
                prop_assert_eq!(plain["seq"].as_u64(), body.seq);
            }
            Err(error) => prop_assert!(is_ours(&error), "{error:?}"),
        }
    }

    #[test]
    fn a_field_of_ours_is_never_taken(body in bodies(), name in "[a-zA-Z_]{1,12}", tree in trees()) {
        let mut value = serde_json::to_value(&body).expect("JSON");
        prop_assume!(value.get(&name).is_none() && !["clientId", "seq"].contains(&name.as_str()));
        let tree = if is_fine(&tree, 1) { tree } else { Value::Null };
        value[name.as_str()] = tree;
        let code = read::<Body>(value.to_string().as_bytes()).err().map(|it| it.code);
        prop_assert_eq!(code, Some("unknown_field"));
    }

    #[test]
    fn any_query_is_read_or_refused(query in texts_of(&["limit", "=", "&", "7", "-", "%20", "%zz", "+", "x"])) {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Page {
            #[serde(default)]
            #[expect(dead_code, reason = "only that it is read counts")]
            limit: Option<u32>,
        }
        if let Ok(uri) = format!("/api/x?{query}").parse::<Uri>()
            && let Err(error) = read_query::<Page>(&uri)
        {
            prop_assert!(is_ours(&error), "{error:?}");
        }
    }
}
