//! The wall at the REST door.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use fusionchat_tests::daemon::Daemon;
use fusionchat_tests::rest::{Answer, Rest};
use fusionchat_tests::stage::{Stage, play};
use fusionchatd::door::http::route::ROUTES;
use serde_json::{Value, json};

use crate::side::{Side, tenant};

/// Who calls.
#[derive(Clone, Copy, PartialEq)]
enum Caller {
    Nobody,
    Visitor,
    Key,
}

/// A route that names something: the path, and the body if it has one.
struct Case {
    route: &'static str,
    caller: Caller,
    request: fn(own: &Side, named: &Side) -> (String, Option<Value>),
}

/// A route below a conversation, with a body.
macro_rules! conversation {
    ($route:literal, $caller:ident, $field:ident, $step:literal, $body:expr) => {
        Case {
            route: $route,
            caller: Caller::$caller,
            request: |_, named| {
                (format!(concat!("/api/conversations/{}", $step), named.$field), $body)
            },
        }
    };
}

/// A route about a member of staff.
macro_rules! user {
    ($route:literal, $step:literal, $body:expr) => {
        Case {
            route: $route,
            caller: Caller::Key,
            request: |_, named| (format!(concat!("/api/users/{}", $step), named.colleague), $body),
        }
    };
}

const CASES: &[Case] = &[
    Case {
        route: "POST /api/auth/session",
        caller: Caller::Nobody,
        request: |own, named| {
            let ((email, password), organization) = (own.sign_in(), &named.organization);
            let body =
                json!({ "email": email, "password": password, "organization": organization });
            ("/api/auth/session".to_owned(), Some(body))
        },
    },
    Case {
        route: "POST /api/visitor/session",
        caller: Caller::Nobody,
        request: |own, named| {
            let body = json!({ "inbox": named.inbox, "origin": own.origin });
            ("/api/visitor/session".to_owned(), Some(body))
        },
    },
    Case {
        route: "POST /api/conversations",
        caller: Caller::Key,
        request: |_, named| {
            let body = json!({ "inbox": named.inbox, "content": "Hello" });
            ("/api/conversations".to_owned(), Some(body))
        },
    },
    Case {
        route: "GET /api/conversations",
        caller: Caller::Key,
        request: |_, named| (format!("/api/conversations?assignee={}", named.user), None),
    },
    Case {
        route: "GET /api/inboxes/{ref}",
        caller: Caller::Key,
        request: |_, named| (format!("/api/inboxes/{}", named.inbox), None),
    },
    Case {
        route: "PATCH /api/inboxes/{ref}",
        caller: Caller::Key,
        request: |_, named| {
            (format!("/api/inboxes/{}", named.inbox), Some(json!({ "locale": "en" })))
        },
    },
    Case {
        route: "GET /api/inboxes/{ref}/test",
        caller: Caller::Key,
        request: |own, named| {
            (format!("/api/inboxes/{}/test?url={}", named.inbox, own.origin), None)
        },
    },
    Case {
        route: "GET /api/articles/search",
        caller: Caller::Key,
        request: |_, named| {
            (format!("/api/articles/search?query=rope&inbox={}", named.inbox), None)
        },
    },
    Case {
        route: "GET /api/articles/{id}",
        caller: Caller::Key,
        request: |_, named| (format!("/api/articles/{}", named.article), None),
    },
    Case {
        route: "PATCH /api/articles/{id}",
        caller: Caller::Key,
        request: |_, named| {
            (format!("/api/articles/{}", named.article), Some(json!({ "locale": "en" })))
        },
    },
    Case {
        route: "DELETE /api/articles/{id}",
        caller: Caller::Key,
        request: |_, named| (format!("/api/articles/{}", named.article), None),
    },
    Case {
        route: "POST /api/keys/{id}/revoke",
        caller: Caller::Key,
        request: |_, named| (format!("/api/keys/{}/revoke", named.key), Some(json!({}))),
    },
    user!("GET /api/users/{ref}", "", None),
    user!("PATCH /api/users/{ref}", "", Some(json!({ "role": "agent" }))),
    user!("POST /api/users/{ref}/reset", "/reset", Some(json!({}))),
    user!("POST /api/users/{ref}/disable", "/disable", Some(json!({}))),
    user!("POST /api/users/{ref}/enable", "/enable", Some(json!({}))),
    conversation!("GET /api/conversations/{ref}", Visitor, visitor_conversation, "", None),
    conversation!(
        "GET /api/conversations/{ref}/messages",
        Visitor,
        visitor_conversation,
        "/messages",
        None
    ),
    conversation!(
        "POST /api/conversations/{ref}/messages",
        Visitor,
        visitor_conversation,
        "/messages",
        Some(json!({ "content": "Hello", "senderType": "user" }))
    ),
    conversation!("GET /api/conversations/{ref}", Key, conversation, "", None),
    conversation!("GET /api/conversations/{ref}/messages", Key, conversation, "/messages", None),
    conversation!(
        "POST /api/conversations/{ref}/notes",
        Key,
        conversation,
        "/notes",
        Some(json!({ "content": "noted" }))
    ),
    conversation!(
        "POST /api/conversations/{ref}/escalate",
        Key,
        conversation,
        "/escalate",
        Some(json!({ "reason": "a test" }))
    ),
    Case {
        route: "POST /api/escalations/{ref}/return",
        caller: Caller::Key,
        request: |_, named| {
            let path = format!("/api/escalations/{}/return", named.conversation);
            (path, Some(json!({})))
        },
    },
    conversation!(
        "POST /api/conversations/{ref}/escalate",
        Key,
        conversation,
        "/escalate",
        Some(json!({ "reason": "again" }))
    ),
    Case {
        route: "POST /api/escalations/{ref}/resolve",
        caller: Caller::Key,
        request: |_, named| {
            let path = format!("/api/escalations/{}/resolve", named.conversation);
            (path, Some(json!({})))
        },
    },
    conversation!(
        "POST /api/conversations/{ref}/reopen",
        Key,
        conversation,
        "/reopen",
        Some(json!({}))
    ),
    Case {
        route: "POST /api/escalations/{ref}/assign",
        caller: Caller::Key,
        request: |own, named| {
            let path = format!("/api/escalations/{}/assign", named.conversation);
            (path, Some(json!({ "to": own.user, "take": true })))
        },
    },
    conversation!(
        "POST /api/conversations/{ref}/tags",
        Key,
        conversation,
        "/tags",
        Some(json!({ "add": ["refund"] }))
    ),
    conversation!(
        "POST /api/conversations/{ref}/priority",
        Key,
        conversation,
        "/priority",
        Some(json!({ "priority": "high" }))
    ),
    Case {
        route: "POST /api/conversations/{ref}/transfer",
        caller: Caller::Key,
        request: |own, named| {
            let path = format!("/api/conversations/{}/transfer", named.conversation);
            (path, Some(json!({ "to": own.user })))
        },
    },
    conversation!(
        "POST /api/conversations/{ref}/messages/{seq}/flag",
        Key,
        conversation,
        "/messages/1/flag",
        Some(json!({ "reason": "wrong" }))
    ),
    conversation!(
        "POST /api/conversations/{ref}/messages/{seq}/retract",
        Key,
        conversation,
        "/messages/1/retract",
        Some(json!({}))
    ),
    Case {
        route: "GET /api/audit",
        caller: Caller::Key,
        request: |_, named| (format!("/api/audit?conversation={}", named.conversation), None),
    },
    conversation!(
        "POST /api/conversations/{ref}/claim",
        Key,
        conversation,
        "/claim",
        Some(json!({}))
    ),
    conversation!(
        "POST /api/conversations/{ref}/messages",
        Key,
        conversation,
        "/messages",
        Some(json!({ "content": "Here", "senderType": "agent" }))
    ),
    conversation!(
        "POST /api/conversations/{ref}/release",
        Key,
        conversation,
        "/release",
        Some(json!({}))
    ),
    conversation!(
        "POST /api/conversations/{ref}/claim",
        Key,
        conversation,
        "/claim",
        Some(json!({ "take": true }))
    ),
    conversation!(
        "POST /api/conversations/{ref}/handback",
        Key,
        conversation,
        "/handback",
        Some(json!({}))
    ),
    conversation!(
        "POST /api/conversations/{ref}/resolve",
        Key,
        conversation,
        "/resolve",
        Some(json!({}))
    ),
    conversation!(
        "POST /api/conversations/{ref}/reopen",
        Key,
        conversation,
        "/reopen",
        Some(json!({}))
    ),
];

/// Routes that name nothing of anybody: what they answer must hold nothing of another organization.
const NAMES_NOTHING: [&str; 14] = [
    "GET /api/articles",
    "GET /api/auth/session",
    "GET /api/escalations",
    "GET /api/inboxes",
    "GET /api/keys",
    "GET /api/openapi.json",
    "GET /api/server",
    "GET /api/users",
    "POST /api/auth/accept",
    "POST /api/users/invite",
    "POST /api/inboxes",
    "POST /api/keys",
    "GET /api/visitors",
    "PUT /api/articles",
];

/// Refused with an own id too, for another reason: to oneself, and of a visitor's message.
const REFUSED: [&str; 3] = [
    "POST /api/conversations/{ref}/transfer",
    "POST /api/conversations/{ref}/messages/{seq}/flag",
    "POST /api/conversations/{ref}/messages/{seq}/retract",
];

/// Names the caller alone.
const NAMES_THE_CALLER: [&str; 2] = ["DELETE /api/auth/session", "PUT /api/users/me/availability"];

async fn call(rest: &Rest, route: &str, path: &str, body: Option<&Value>) -> Result<Answer> {
    let method = route.split(' ').next().unwrap_or("GET");
    let body = body.map(Value::to_string);
    rest.send(method, path, body.as_deref(), &[]).await
}

#[test]
fn every_route_is_in_a_table() {
    let routes: BTreeSet<String> =
        ROUTES.iter().map(|route| format!("{} {}", route.verb.name(), route.path)).collect();
    let tables = CASES.iter().map(|case| case.route).chain(NAMES_NOTHING).chain(NAMES_THE_CALLER);
    let known: BTreeSet<String> = tables.map(str::to_owned).collect();
    assert_eq!(routes, known);
}

#[test]
fn fault_85_foreign_and_absent_are_the_same_bytes_by_rest() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let own = tenant(&daemon, "own").await?;
        let other = tenant(&daemon, "other").await?;
        let absent = Side::absent(&own.side);
        let open = daemon.rest_with(None)?;
        for Case { route, caller, request } in CASES {
            let rest = match caller {
                Caller::Nobody => open.clone(),
                Caller::Visitor => open.with(&own.side.visitor),
                Caller::Key => open.with(&own.key_secret),
            };
            let (path, body) = request(&own.side, &other.side);
            let foreign = call(&rest, route, &path, body.as_ref()).await?;
            let (path, body) = request(&own.side, &absent);
            let nobody = call(&rest, route, &path, body.as_ref()).await?;
            ensure!(foreign == nobody, "{route}: {foreign:?} and {nobody:?}");
            let is_filter = matches!(*route, "GET /api/conversations" | "GET /api/audit");
            ensure!(foreign.status >= 400 || is_filter, "{route}: a foreign id was taken");
            let (path, body) = request(&own.side, &own.side);
            let ours = call(&rest, route, &path, body.as_ref()).await?;
            let known = REFUSED.contains(route) && ours.status != 404;
            ensure!(ours.status < 300 || known, "{route}: an own id is refused: {ours:?}");
        }
        Ok(())
    });
}

#[test]
fn fault_87_lists_by_rest_hold_nothing_of_another_organization() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let own = tenant(&daemon, "own").await?;
        let other = tenant(&daemon, "other").await?;
        let rest = daemon.rest_with(Some(&own.key_secret))?;
        for route in NAMES_NOTHING {
            let path = route.split(' ').next_back().unwrap_or_default();
            let body = route.starts_with('P').then(|| json!({}));
            let answer = call(&rest, route, path, body.as_ref()).await?;
            for id in other.side.ids() {
                ensure!(!answer.body.contains(id), "{route} tells {id}: {answer:?}");
            }
        }
        Ok(())
    });
}
