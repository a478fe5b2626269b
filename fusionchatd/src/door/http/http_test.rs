//! The HTTP door, driven by raw bytes over a real port.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::domain::article::ArticleStatus;
use crate::door::harness::{Answer, Daemon, SHOP, client_id, found, patient, soon};
use crate::service::article::PutArticle;
use crate::service::limit::Limits;

use super::HttpOptions;
use super::route::{ROUTES, Verb};

fn problem(answer: &Answer, status: u16, code: &str) -> Value {
    assert_eq!(answer.code(), (status, code.to_owned()), "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/problem+json");
    answer.json()
}

/// A conversation started by the admin's key; its id.
async fn start(daemon: &Daemon) -> String {
    let body = json!({ "inbox": "web", "content": "hello" });
    let answer = daemon.api(&daemon.key(), "POST", "/api/conversations", Some(body)).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["conversation"]["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_conversation_goes_from_its_start_to_its_end() {
    let daemon = Daemon::start().await;
    let key = daemon.key();
    let id = start(&daemon).await;
    let post = async |name: &str, body: Value| {
        let path = format!("/api/conversations/%231001/{name}");
        daemon.api(&key, "POST", &path, Some(body)).await
    };
    assert_eq!(post("escalate", json!({ "reason": "vip" })).await.json()["status"], "escalated");
    let queue = daemon.api(&key, "GET", "/api/escalations?limit=10", None).await.json();
    assert_eq!(queue["waiting"][0]["escalation"]["reason"], "vip");
    assert_eq!(
        (&queue["waiting"][0]["lastLine"], &queue["more"]),
        (&json!("hello"), &json!(false))
    );
    let claimed = post("claim", json!({})).await.json();
    assert_eq!((&claimed["handler"], &claimed["assigneeName"]), (&json!("agent"), &json!("Ada")));
    let reply = post("messages", json!({ "content": "hi", "senderType": "agent" })).await;
    assert_eq!((reply.status, &reply.json()["senderType"]), (201, &json!("agent")));
    let note = post("notes", json!({ "content": "between us" })).await;
    assert_eq!((note.status, &note.json()["authorName"]), (201, &json!("Ada")));
    assert_eq!(post("release", json!({})).await.json()["status"], "escalated");
    assert_eq!(post("handback", json!({})).await.json()["handler"], "assistant");
    let resolved = post("resolve", json!({ "resolution": "spam" })).await.json();
    assert_eq!(
        (&resolved["status"], &resolved["resolution"]),
        (&json!("resolved"), &json!("spam"))
    );
    assert_eq!(post("reopen", json!({})).await.status, 200);
    let path = format!("/api/conversations/{id}/messages?afterSeq=1&limit=2");
    let page = daemon.api(&key, "GET", &path, None).await.json();
    let seqs: Vec<_> = page["messages"].as_array().expect("a list").iter().collect();
    assert_eq!((seqs.len(), &seqs[0]["seq"], &page["more"]), (2, &json!(2), &json!(true)));
    let listed = daemon.api(&key, "GET", "/api/conversations?status=escalated,open", None).await;
    assert_eq!(listed.json()["conversations"][0]["id"], json!(id));
    assert!(listed.json()["cursor"]["position"].as_u64().is_some_and(|it| it > 0));
    let one = daemon.api(&key, "GET", "/api/conversations/1001", None).await.json();
    assert_eq!((&one["number"], &one["inboxName"]), (&json!(1001), &json!("web")));
    daemon.end().await;
}

#[tokio::test]
async fn notes_and_positions_are_invisible_to_visitors() {
    let daemon = Daemon::start().await;
    let body = json!({ "inbox": daemon.inbox(), "origin": SHOP });
    let body = body.to_string();
    let session = daemon.send("POST", "/api/visitor/session", &[], Some(body.as_bytes())).await;
    assert_eq!(session.status, 201);
    let token = session.json()["token"].as_str().expect("a token").to_owned();
    assert!(session.json()["expiresAt"].is_i64());
    let body = json!({ "inbox": "web", "content": "hello" });
    let started = daemon.api(&token, "POST", "/api/conversations", Some(body)).await;
    let conversation = started.json()["conversation"].clone();
    let fields: BTreeSet<_> =
        conversation.as_object().expect("an object").keys().cloned().collect();
    let shown = ["handler", "id", "lastSeq", "staffMark", "status", "visitorMark"];
    assert_eq!(fields, shown.map(String::from).into());
    let path = format!("/api/conversations/{}", conversation["id"].as_str().expect("an id"));
    let key = daemon.key();
    let note = Some(json!({ "content": "a secret" }));
    let noted = daemon.api(&key, "POST", &format!("{path}/notes"), note).await;
    assert_eq!(noted.status, 201);
    let page = daemon.api(&token, "GET", &format!("{path}/messages"), None).await;
    assert_eq!((page.status, page.json().get("notes")), (200, None));
    assert!(
        !page.text().contains("secret") && !page.text().contains("position"),
        "{}",
        page.text()
    );
    let staff = daemon.api(&key, "GET", &format!("{path}/messages"), None).await.json();
    assert_eq!(staff["notes"][0]["content"], "a secret");
    let own = daemon.api(&token, "GET", "/api/conversations", None).await.json();
    assert_eq!((own["conversations"].as_array().map(Vec::len), own.get("cursor")), (Some(1), None));
    for (method, path) in
        [("GET", "/api/users"), ("GET", "/api/escalations"), ("GET", "/api/server")]
    {
        problem(&daemon.api(&token, method, path, None).await, 403, "forbidden");
    }
    let note = Some(json!({ "content": "mine" }));
    let refused = daemon.api(&token, "POST", &format!("{path}/notes"), note).await;
    problem(&refused, 403, "forbidden");
    daemon.end().await;
}

#[tokio::test]
async fn fault_31_and_33_a_repeated_request_gets_the_same_answer() {
    let daemon = Daemon::start().await;
    let key = daemon.key();
    start(&daemon).await;
    let bearer = format!("Bearer {key}");
    let post = async |header: &str, body: Value| {
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", header)];
        let body = body.to_string();
        let path = "/api/conversations/1001/messages";
        daemon.send("POST", path, &headers, Some(body.as_bytes())).await
    };
    let say = |content: &str| json!({ "content": content, "senderType": "user" });
    let first = post("order 7", say("one")).await;
    assert_eq!(first.status, 201, "{}", first.text());
    assert_eq!(post("order 7", say("one")).await.bytes, first.bytes);
    problem(&post("order 7", say("two")).await, 409, "client_id_reused");
    let hex = client_id(9);
    let by_header = post(&hex, say("three")).await.json();
    assert_eq!(by_header["clientId"], json!(hex));
    let body = json!({ "content": "three", "senderType": "user", "clientId": hex });
    let by_body = post("another", body).await.json();
    assert_eq!(by_body["seq"], by_header["seq"], "the body's id wins");
    let bad = json!({ "content": "three", "clientId": "FF" });
    problem(&post("another", bad).await, 400, "invalid_argument");
    daemon.end().await;
}

#[tokio::test]
async fn foreign_and_absent_ids_get_the_same_bytes() {
    let daemon = Daemon::start().await;
    let id = start(&daemon).await;
    let other = found(&daemon.service, "other", SHOP).await;
    let key = other.admin_key.expect("a key");
    let absent = daemon.service.new_id().to_string();
    for route in ROUTES.iter().filter(|it| it.path.contains('{')) {
        let query = if route.name == "TestInbox" { "?url=https%3A%2F%2Fa.example" } else { "" };
        let at = |id: &str| {
            let path = route.path.replace("{ref}", id).replace("{id}", id).replace("{seq}", "1");
            path + query
        };
        let body = || {
            route.verb.has_body().then(|| match route.name {
                "PostMessage" | "AddNote" => json!({ "content": "x" }),
                "TransferConversation" | "AssignEscalation" => json!({ "to": "nobody" }),
                "SetPriority" => json!({ "priority": "high" }),
                "FlagMessage" => json!({ "reason": "x" }),
                _ => json!({}),
            })
        };
        let method = route.verb.name();
        let foreign = daemon.api(&key, method, &at(&id), body()).await;
        problem(&foreign, 404, "not_found");
        for id in [absent.as_str(), "1001", "%231001", "nonsense"] {
            let answer = daemon.api(&key, method, &at(id), body()).await;
            assert_eq!(answer.bytes, foreign.bytes, "{} {id}", route.name);
        }
    }
    daemon.end().await;
}

#[tokio::test]
async fn every_route_but_the_open_ones_needs_a_credential() {
    let daemon = Daemon::start().await;
    for route in ROUTES {
        let body = route.verb.has_body().then_some(b"{\"x\":1}".as_slice());
        let path = route.path.replace(['{', '}'], "");
        let answer = daemon.send(route.verb.name(), &path, &[], body).await;
        if route.open && body.is_none() {
            assert_eq!((answer.status, route.name), (200, "GetOpenApi"));
        } else if route.open {
            problem(&answer, 400, "unknown_field");
        } else {
            problem(&answer, 401, "sign_in_needed");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
    }
    assert_eq!(ROUTES.iter().filter(|it| it.open).count(), 4);
    let names: BTreeSet<_> = ROUTES.iter().map(|it| it.name).collect();
    assert_eq!(names.len(), ROUTES.len(), "a name is unique");
    daemon.end().await;
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let daemon = Daemon::start().await;
    problem(&daemon.send("GET", "/nothing", &[], None).await, 404, "not_found");
    let wrong = daemon.send("PATCH", "/api/server", &[], None).await;
    problem(&wrong, 405, "method_not_allowed");
    assert!(wrong.header("allow").contains("GET"), "{:?}", wrong.headers);
    assert_eq!(Verb::Delete.name(), "DELETE");
    let upgrade = daemon.send("GET", "/ws", &[("origin", "https://chat.example")], None).await;
    problem(&upgrade, 400, "upgrade_needed");
    daemon.end().await;
}

#[tokio::test]
async fn fault_97_a_token_in_a_url_is_refused() {
    let daemon = Daemon::start().await;
    for query in ["token=x", "a=1&access_token=x", "Api_Key=x", "q=fus_live_abc", "x=fus_vis_a.b"] {
        let answer = daemon.send("GET", &format!("/api/server?{query}"), &[], None).await;
        let problem = problem(&answer, 400, "token_in_url");
        assert!(problem["hint"].as_str().is_some_and(|it| it.contains("Authorization")));
    }
    daemon.end().await;
}

#[tokio::test]
async fn fault_17_18_19_86_a_body_is_read_strictly() {
    let daemon = Daemon::start().await;
    let key = daemon.key();
    start(&daemon).await;
    let bearer = format!("Bearer {key}");
    let post = async |body: &[u8], kind: &str| {
        let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
        daemon.send("POST", "/api/conversations/1001/messages", &headers, Some(body)).await
    };
    let deep = format!("{{\"content\":{}", "[".repeat(100_000));
    for (body, code) in [
        (deep.as_bytes(), "too_deep"),
        (b"{\"content\":\"a\",\"content\":\"b\"}", "duplicate_key"),
        (b"{\"content\":\"a\",\"tenant_id\":\"b\"}", "unknown_field"),
        (b"{\"content\":\"a\",\"role\":\"admin\"}", "unknown_field"),
        (b"{\"content\":\"a\",\"seq\":1}", "unknown_field"),
        (b"{\"content\":1e400}", "bad_number"),
        (b"{\"content\":\"\\ud800\"}", "invalid_json"),
        (b"{\"content\":", "invalid_json"),
        (b"{\"content\":\"\"}", "empty_message"),
        (b"{\"content\":\"a\\u0000\"}", "control_character"),
        (b"{\"content\":\"a\",\"senderType\":\"boss\"}", "invalid_argument"),
    ] {
        problem(&post(body, "application/json; charset=utf-8").await, 400, code);
    }
    problem(&post(b"{\"content\":\"a\"}", "text/plain").await, 400, "not_json");
    let large = vec![b' '; 1024 * 1024 + 1];
    problem(&post(&large, "application/json").await, 413, "body_too_large");
    let mismatch = post(b"{\"content\":\"a\",\"senderType\":\"system\"}", "application/json").await;
    problem(&mismatch, 403, "sender_type_mismatch");
    daemon.end().await;
}

#[tokio::test]
async fn fault_06_large_or_many_headers_are_431() {
    let daemon = Daemon::start().await;
    let long = "x".repeat(17 * 1024);
    let many: String = (0..101).map(|n| format!("x-{n}: 1\r\n")).collect();
    for headers in [format!("x-long: {long}\r\n"), many] {
        let head = format!("GET /embed.js HTTP/1.1\r\nhost: a\r\n{headers}\r\n");
        let answer = String::from_utf8_lossy(&daemon.raw(head.as_bytes()).await).into_owned();
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer:.60}");
    }
    daemon.end().await;
}

#[tokio::test]
async fn fault_01_and_03_a_silent_connection_is_closed() {
    let options = HttpOptions { header_timeout: Duration::from_millis(20), ..patient() };
    let daemon = Daemon::start_with(options, Limits::default()).await;
    assert!(daemon.raw(b"").await.is_empty());
    daemon.raw(b"GET /embed.js HTTP/1.1\r\nhost: a\r\nx-slow: ").await;
    // Idle after an answer counts as silence too.
    let idle = daemon.raw(b"GET /nothing HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(idle.starts_with(b"HTTP/1.1 404 "));
    daemon.end().await;
}

#[tokio::test]
async fn fault_02_a_body_that_does_not_come_is_given_up() {
    let options = HttpOptions { body_timeout: Duration::from_millis(20), ..patient() };
    let daemon = Daemon::start_with(options, Limits::default()).await;
    let head = "POST /api/auth/session HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\
                connection: close\r\n\r\n{";
    let answer = String::from_utf8_lossy(&daemon.raw(head.as_bytes()).await).into_owned();
    assert!(answer.contains("\"code\":\"too_slow\""), "{answer}");
    daemon.end().await;
}

#[tokio::test]
async fn fault_03_an_address_has_so_many_http_connections() {
    let limits = Limits { sockets_per_address: 2, ..Limits::default() };
    let daemon = Daemon::start_with(patient(), limits).await;
    let (first, _) = daemon.visitor(json!({})).await;
    let (_second, _) = daemon.visitor(json!({})).await;
    let mut third = TcpStream::connect(daemon.at).await.expect("connected");
    let mut answer = Vec::new();
    // The rest of the refusal may be lost with the connection.
    let _ = soon(third.read_to_end(&mut answer)).await;
    assert!(answer.starts_with(b"HTTP/1.1 429 "), "{}", String::from_utf8_lossy(&answer));
    drop(first);
    soon(async {
        loop {
            let answer =
                daemon.raw(b"GET /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
            if answer.starts_with(b"HTTP/1.1 404 ") {
                break;
            }
        }
    })
    .await;
    daemon.end().await;
}

#[tokio::test]
async fn an_invitation_by_rest() {
    let daemon = Daemon::start().await;
    let body = json!({ "email": "ana@acme.example", "role": "agent", "clientId": "ab".repeat(16) });
    let key = daemon.key();
    let invite = || daemon.api(&key, "POST", "/api/users/invite", Some(body.clone()));
    let invited = invite().await;
    assert_eq!((invited.status, &invited.json()["user"]["name"]), (201, &json!("ana")));
    assert!(invited.json()["expiresAt"].is_i64());
    let code = invited.json()["code"].as_str().expect("a code").to_owned();
    let again = invite().await;
    assert_eq!((again.status, again.json().get("code")), (201, None), "it is shown once");
    let accept = async |code: &str| {
        let body = json!({ "code": code, "password": "correct horse battery" });
        daemon.send("POST", "/api/auth/accept", &[], Some(body.to_string().as_bytes())).await
    };
    let accepted = accept(&code).await;
    assert_eq!((accepted.status, &accepted.json()["user"]["role"]), (201, &json!("agent")));
    let token = accepted.json()["token"].as_str().expect("a token").to_owned();
    assert_eq!(daemon.api(&token, "GET", "/api/auth/session", None).await.status, 200);
    let used = problem(&accept(&code).await, 401, "bad_invite");
    assert_eq!(used, problem(&accept("fus_inv_x").await, 401, "bad_invite"));
    let role = json!({ "email": "bo@acme.example", "role": "user" });
    let refused = daemon.api(&key, "POST", "/api/users/invite", Some(role)).await;
    problem(&refused, 400, "invalid_argument");
    daemon.end().await;
}

#[tokio::test]
async fn signing_in_and_out_by_password() {
    let daemon = Daemon::start().await;
    let admin = daemon.service.authenticate(&daemon.key()).await.expect("the admin");
    let new = crate::service::user::CreateUser {
        email: "bo@acme.example".to_owned(),
        name: "Bo".to_owned(),
        role: crate::domain::user::Role::Agent,
        password: Some("correct horse battery".to_owned()),
    };
    daemon.service.create_user(&admin, None, new).await.expect("a user");
    let sign_in = async |password: &str| {
        let body =
            json!({ "email": "bo@acme.example", "password": password, "organization": "acme" });
        daemon.send("POST", "/api/auth/session", &[], Some(body.to_string().as_bytes())).await
    };
    let wrong = sign_in("wrong").await;
    problem(&wrong, 401, "wrong_credentials");
    let signed_in = sign_in("correct horse battery").await;
    assert_eq!((signed_in.status, &signed_in.json()["user"]["name"]), (201, &json!("Bo")));
    let token = signed_in.json()["token"].as_str().expect("a token").to_owned();
    let who = daemon.api(&token, "GET", "/api/auth/session", None).await.json();
    assert_eq!((&who["kind"], &who["organization"]["name"]), (&json!("session"), &json!("acme")));
    assert!(who["expiresAt"].is_i64());
    let users = daemon.api(&token, "GET", "/api/users", None).await.json();
    assert_eq!(users["users"].as_array().map(Vec::len), Some(2));
    assert_eq!(daemon.api(&token, "DELETE", "/api/auth/session", None).await.status, 204);
    let ended = daemon.api(&token, "GET", "/api/auth/session", None).await;
    problem(&ended, 401, "session_ended");
    for _ in 0..3 {
        sign_in("wrong").await;
    }
    let limited = sign_in("correct horse battery").await;
    let told = problem(&limited, 429, "rate_limited");
    let wait = told["retryAfterMs"].as_u64().expect("a wait");
    assert_eq!(limited.header("retry-after"), wait.div_ceil(1000).to_string());
    daemon.end().await;
}

#[tokio::test]
async fn articles_are_put_found_read_and_deleted() {
    let daemon = Daemon::start().await;
    let key = daemon.key();
    let article = json!({
        "sourcePath": "returns.md",
        "title": "Returns <b>",
        "body": "You can return any item within 30 days of delivery. <script>x</script>",
    });
    let put = daemon.api(&key, "PUT", "/api/articles", Some(article.clone())).await;
    assert_eq!((put.status, &put.json()["outcome"]), (200, &json!("created")), "{}", put.text());
    let again = daemon.api(&key, "PUT", "/api/articles", Some(article)).await.json();
    assert_eq!(again["outcome"], "unchanged");
    let id = again["article"]["id"].as_str().expect("an id").to_owned();
    let listed = daemon.api(&key, "GET", "/api/articles?limit=1", None).await.json();
    assert_eq!(listed["articles"][0].get("body"), None, "left out of lists");
    let path = "/api/articles/search?query=return%20an%20item&limit=3";
    let found = daemon.api(&key, "GET", path, None).await.json();
    assert_eq!(found["passages"][0]["articleId"], json!(id));
    assert!(found["decision"].is_string());
    let page = daemon.send("GET", &format!("/a/{id}"), &[], None).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(
        page.header("content-security-policy")
            .starts_with("default-src 'none'; style-src 'sha256-")
    );
    assert!(page.text().contains("<h1>Returns &lt;b&gt;</h1>"), "{}", page.text());
    assert!(page.text().contains("within 30 days") && !page.text().contains("<script"));
    let one = format!("/api/articles/{id}");
    assert_eq!(daemon.api(&key, "GET", &one, None).await.json()["sourcePath"], "returns.md");
    assert_eq!(daemon.api(&key, "DELETE", &one, None).await.status, 204);
    assert_eq!(daemon.send("GET", &format!("/a/{id}"), &[], None).await.status, 404);
    let admin = daemon.service.authenticate(&key).await.expect("the admin");
    let draft = PutArticle {
        source_path: "draft.md".to_owned(),
        title: "Draft".to_owned(),
        body: "Not yet.".to_owned(),
        locale: Some("en".to_owned()),
        status: Some(ArticleStatus::Draft),
        inboxes: None,
    };
    let (draft, _) = daemon.service.put_article(&admin, None, draft).await.expect("a draft");
    assert_eq!(daemon.send("GET", &format!("/a/{}", draft.id), &[], None).await.status, 404);
    daemon.end().await;
}

#[tokio::test]
async fn the_loader_is_cached_and_compressed() {
    let daemon = Daemon::start().await;
    let plain = daemon.send("GET", "/embed.js", &[], None).await;
    assert_eq!((plain.status, plain.header("access-control-allow-origin")), (200, "*"));
    assert_eq!(plain.header("cross-origin-resource-policy"), "cross-origin");
    assert_eq!(plain.header("cache-control"), "public, max-age=300, stale-while-revalidate=86400");
    assert_eq!(plain.header("x-content-type-options"), "nosniff");
    assert_eq!(plain.bytes, fusionchat_widget::EMBED.bytes);
    let tag = plain.header("etag").to_owned();
    let known = daemon.send("GET", "/embed.js", &[("if-none-match", &tag)], None).await;
    assert_eq!((known.status, known.bytes.len()), (304, 0));
    let small = daemon.send("GET", "/embed.js", &[("accept-encoding", "gzip, br")], None).await;
    assert_eq!(small.header("content-encoding"), "gzip");
    assert_eq!(small.bytes, fusionchat_widget::EMBED.gzip);
    assert_ne!(small.header("etag"), tag);
    let head = daemon.send("HEAD", "/embed.js", &[], None).await;
    assert_eq!((head.status, head.bytes.len()), (200, 0));
    daemon.end().await;
}

#[tokio::test]
async fn the_frame_names_who_may_embed_it() {
    let daemon = Daemon::start().await;
    let frame = daemon.send("GET", &format!("/w/{}", daemon.inbox()), &[], None).await;
    assert_eq!((frame.status, frame.header("cache-control")), (200, "no-store"));
    let policy = frame.header("content-security-policy");
    assert!(policy.contains(&format!("frame-ancestors {SHOP};")), "{policy}");
    assert!(policy.contains(&format!("connect-src 'self' wss://{};", daemon.at)), "{policy}");
    assert!(policy.contains("require-trusted-types-for 'script'"), "{policy}");
    for (name, value) in [
        ("referrer-policy", "strict-origin"),
        ("cross-origin-embedder-policy", "require-corp"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("permissions-policy", "geolocation=(), camera=(self), microphone=(self)"),
        ("x-content-type-options", "nosniff"),
        ("content-type", "text/html; charset=utf-8"),
        ("x-frame-options", ""),
    ] {
        assert_eq!(frame.header(name), value, "{name}");
    }
    let html = frame.text();
    let script = html.split("src=\"").nth(1).and_then(|it| it.split('"').next()).expect("a script");
    let asset = daemon.send("GET", script, &[], None).await;
    assert_eq!((asset.status, asset.header("x-content-type-options")), (200, "nosniff"));
    assert_eq!(asset.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(asset.header("content-type"), fusionchat_widget::APP.content_type);
    for path in [format!("/w/{}", daemon.service.new_id()), "/w/web".to_owned()] {
        let missing = daemon.send("GET", &path, &[], None).await;
        assert_eq!(missing.status, 404, "{path}");
        assert!(missing.header("content-security-policy").contains("frame-ancestors 'none'"));
    }
    assert_eq!(daemon.send("GET", "/w/assets/app.js", &[], None).await.status, 404);
    daemon.end().await;
}

#[tokio::test]
async fn inboxes_and_the_server_tell_staff_what_they_are() {
    let daemon = Daemon::start().await;
    let key = daemon.key();
    let inboxes = daemon.api(&key, "GET", "/api/inboxes", None).await.json();
    assert_eq!(inboxes["inboxes"][0]["origins"], json!([SHOP]));
    assert_eq!(inboxes["inboxes"][0]["assistant"], "on");
    let status = daemon.api(&key, "GET", "/api/server", None).await.json();
    assert_eq!((&status["state"], &status["engine"]), (&json!("ready"), &json!("memory")));
    daemon.end().await;
}
