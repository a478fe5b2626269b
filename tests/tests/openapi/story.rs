//! Every operation once, in an order in which each can succeed.

use anyhow::{Context, Result, ensure};
use fusionchat_proto::v1;
use fusionchat_tests::daemon::Daemon;
use fusionchat_tests::grpc::client_id;
use serde_json::{Value, json};

use super::api::{Api, Request};

const PASSWORD: &str = "correct horse battery";
const ADMIN: &str = "admin@own.example";
const AGENT: &str = "ada@own.example";
const ORIGIN: &str = "https://own.example";

/// The ways in.
struct Tokens {
    operator: String,
    key: String,
    admin: String,
    agent: String,
    visitor: String,
}

fn text(value: &Value, pointer: &str) -> Result<String> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    Ok(found.with_context(|| format!("no text at {pointer}: {value}"))?.to_owned())
}

fn of<'a>(path: &'a [&'a str]) -> Request<'a> {
    Request { path, ..Request::default() }
}

fn with<'a>(path: &'a [&'a str], body: Value) -> Request<'a> {
    Request { path, body: Some(body), ..Request::default() }
}

/// Plays it.
pub(crate) async fn tell(daemon: &Daemon, api: &mut Api) -> Result<()> {
    let mut tokens = organization(daemon).await?;
    api.call("GetOpenApi", "", Request::default()).await?;
    api.call("GetServerStatus", &tokens.operator, Request::default()).await?;
    sign_in(api, &mut tokens).await?;
    let inbox = inboxes(api, &mut tokens).await?;
    let article = articles(api, &tokens, &inbox).await?;
    staff(api, &mut tokens).await?;
    keys(api, &tokens).await?;
    let conversation = visitor(daemon, api, &tokens, &inbox).await?;
    marks(api, &tokens, &conversation).await?;
    queue(api, &tokens, &conversation).await?;
    desk(api, &tokens, &conversation).await?;
    api.call("ListVisitors", &tokens.key, Request::default()).await?;
    let query =
        [("kind", "MessagePosted"), ("limit", "5"), ("conversation", conversation.as_str())];
    api.call("ListEntries", &tokens.key, Request { query: &query, ..Request::default() }).await?;
    api.call("DeleteArticle", &tokens.key, of(&[&article])).await?;
    api.call("EndSession", &tokens.admin, Request::default()).await?;
    Ok(())
}

async fn organization(daemon: &Daemon) -> Result<Tokens> {
    let request = v1::CreateOrganizationRequest {
        client_id: client_id(),
        name: "own".to_owned(),
        admin_email: ADMIN.to_owned(),
        admin_password: PASSWORD.to_owned(),
        inbox_name: "web".to_owned(),
        origins: vec![ORIGIN.to_owned()],
        invite_admin: false,
    };
    let operator = daemon.staff("operator").await?;
    let made = operator.organizations().create_organization(request).await?.into_inner();
    Ok(Tokens {
        operator: daemon.credential("operator")?.to_owned(),
        key: made.admin_key,
        admin: String::new(),
        agent: String::new(),
        visitor: String::new(),
    })
}

async fn sign_in(api: &mut Api, tokens: &mut Tokens) -> Result<()> {
    let body = json!({ "email": ADMIN, "password": PASSWORD, "organization": "own" });
    let session = api.call("CreateSession", "", with(&[], body)).await?;
    tokens.admin = text(&session, "/token")?;
    for token in [&tokens.admin, &tokens.key, &tokens.operator] {
        api.call("GetSession", token, Request::default()).await?;
    }
    Ok(())
}

async fn inboxes(api: &mut Api, tokens: &mut Tokens) -> Result<String> {
    let body = json!({ "clientId": client_id(), "name": "shop", "origins": [ORIGIN] });
    let inbox = api.call("CreateInbox", &tokens.key, with(&[], body)).await?;
    let id = text(&inbox, "/id")?;
    api.call("ListInboxes", &tokens.key, Request::default()).await?;
    api.call("GetInbox", &tokens.key, of(&["shop"])).await?;
    let body = json!({
        "locale": "en", "addOrigins": ["https://www.own.example"],
        "abandonAfterMs": 60_000, "noticeAfterMs": 1_000, "noReplyAfterMs": 2_000,
    });
    let edited = api.call("EditInbox", &tokens.key, with(&[&id], body)).await?;
    ensure!(edited["abandonAfterMs"] == 60_000, "{edited}");
    for page in [ORIGIN, "https://other.example"] {
        let query = [("url", page)];
        let request = Request { path: &[&id], query: &query, body: None };
        api.call("TestInbox", &tokens.key, request).await?;
    }
    let body = json!({ "inbox": id, "origin": ORIGIN });
    let session = api.call("CreateVisitorSession", "", with(&[], body)).await?;
    tokens.visitor = text(&session, "/token")?;
    Ok(id)
}

async fn articles(api: &mut Api, tokens: &Tokens, inbox: &str) -> Result<String> {
    let rope = "The climbing rope is twelve metres long and holds two people.";
    let body = json!({
        "sourcePath": "rope.md", "title": "How long is the climbing rope?", "body": rope,
        "locale": "en", "status": "published", "inboxes": [inbox],
    });
    let put = api.call("PutArticle", &tokens.key, with(&[], body)).await?;
    let id = text(&put, "/article/id")?;
    api.call("ListArticles", &tokens.key, Request::default()).await?;
    let query = [("query", "climbing%20rope"), ("inbox", inbox), ("limit", "3")];
    api.call("SearchArticles", &tokens.key, Request { query: &query, ..of(&[]) }).await?;
    api.call("GetArticle", &tokens.key, of(&[&id])).await?;
    api.call("EditArticle", &tokens.key, with(&[&id], json!({ "inboxes": [] }))).await?;
    Ok(id)
}

async fn staff(api: &mut Api, tokens: &mut Tokens) -> Result<()> {
    let body = json!({ "email": AGENT, "name": "Ada", "role": "agent" });
    let invited = api.call("InviteUser", &tokens.key, with(&[], body)).await?;
    let body = json!({ "code": text(&invited, "/code")?, "password": PASSWORD });
    let session = api.call("AcceptInvite", "", with(&[], body)).await?;
    tokens.agent = text(&session, "/token")?;
    api.call("ListUsers", &tokens.key, Request::default()).await?;
    api.call("GetUser", &tokens.key, of(&[AGENT])).await?;
    api.call("EditUser", &tokens.key, with(&[AGENT], json!({ "name": "Ada L." }))).await?;
    for token in [&tokens.agent, &tokens.admin] {
        let body = json!({ "availability": "accepting" });
        api.call("SetAvailability", token, with(&[], body)).await?;
    }
    let body = json!({ "email": "bo@own.example", "role": "agent" });
    let other = api.call("InviteUser", &tokens.key, with(&[], body)).await?;
    let id = text(&other, "/user/id")?;
    api.call("ResetUser", &tokens.key, with(&[&id], json!({}))).await?;
    api.call("DisableUser", &tokens.key, with(&[&id], json!({}))).await?;
    api.call("EnableUser", &tokens.key, with(&[&id], json!({}))).await?;
    Ok(())
}

async fn keys(api: &mut Api, tokens: &Tokens) -> Result<()> {
    let body = json!({
        "clientId": client_id(), "name": "spare", "scopes": ["conversation:read"], "ttlMs": 60_000,
    });
    let key = api.call("CreateKey", &tokens.admin, with(&[], body.clone())).await?;
    let secret = text(&key, "/secret")?;
    let again = api.call("CreateKey", &tokens.admin, with(&[], body)).await?;
    anyhow::ensure!(again.get("secret").is_none(), "a secret was shown twice: {again}");
    let listed = api.call("ListKeys", &tokens.admin, Request::default()).await?;
    anyhow::ensure!(!listed.to_string().contains(&secret), "a list tells a secret");
    api.call("GetSession", &secret, Request::default()).await?;
    let id = text(&key, "/key/id")?;
    let revoked = api.call("RevokeKey", &tokens.admin, with(&[&id], json!({}))).await?;
    anyhow::ensure!(revoked["revokedAt"].is_i64(), "not revoked: {revoked}");
    Ok(())
}

/// A visitor asks and is answered from the article.
async fn visitor(daemon: &Daemon, api: &mut Api, tokens: &Tokens, inbox: &str) -> Result<String> {
    let body = json!({ "inbox": inbox, "content": "How long is the climbing rope?" });
    let begun = api.call("StartConversation", &tokens.visitor, with(&[], body)).await?;
    let id = text(&begun, "/conversation/id")?;
    let staff = daemon.staff_with(&tokens.key).await?;
    let mut watch = staff.watch(None, &id).await?;
    let (messages, _) = staff.messages(&id).await?;
    let assistant = i32::from(v1::SenderType::Assistant);
    if !messages.iter().any(|it| it.sender_type == assistant) {
        let answered = |change: &v1::Change| {
            change.message.as_ref().is_some_and(|it| it.sender_type == assistant)
        };
        watch.change(answered).await?;
    }
    for token in [&tokens.visitor, &tokens.key] {
        api.call("GetConversation", token, of(&[&id])).await?;
        api.call("ListMessages", token, Request { query: &[("limit", "10")], ..of(&[&id]) })
            .await?;
        api.call("ListConversations", token, Request::default()).await?;
    }
    let body = json!({ "content": "Thank you, and the short one?", "senderType": "user" });
    api.call("PostMessage", &tokens.visitor, with(&[&id], body)).await?;
    Ok(id)
}

/// Marks on the conversation and on the assistant's answer, which is its second message.
async fn marks(api: &mut Api, tokens: &Tokens, id: &str) -> Result<()> {
    let agent = &tokens.agent;
    api.call("AddNote", agent, with(&[id], json!({ "content": "Asks of ropes." }))).await?;
    api.call("TagConversation", agent, with(&[id], json!({ "add": ["rope"] }))).await?;
    api.call("SetPriority", agent, with(&[id], json!({ "priority": "high" }))).await?;
    api.call("FlagMessage", agent, with(&[id, "2"], json!({ "reason": "too short" }))).await?;
    api.call("ListMessages", agent, of(&[id])).await?;
    api.call("RetractMessage", agent, with(&[id, "2"], json!({}))).await?;
    api.call("ListMessages", &tokens.visitor, of(&[id])).await?;
    Ok(())
}

async fn queue(api: &mut Api, tokens: &Tokens, id: &str) -> Result<()> {
    let key = &tokens.key;
    let reason = || json!({ "reason": "a person is asked for" });
    api.call("EscalateConversation", key, with(&[id], reason())).await?;
    api.call("ListEscalations", key, Request { query: &[("limit", "5")], ..of(&[]) }).await?;
    api.call("ReturnEscalation", &tokens.agent, with(&[id], json!({}))).await?;
    api.call("EscalateConversation", key, with(&[id], reason())).await?;
    api.call("AssignEscalation", key, with(&[id], json!({ "to": AGENT }))).await?;
    Ok(())
}

async fn desk(api: &mut Api, tokens: &Tokens, id: &str) -> Result<()> {
    let (admin, agent) = (&tokens.admin, &tokens.agent);
    api.call("ClaimConversation", agent, with(&[id], json!({ "take": true }))).await?;
    let body = json!({ "to": ADMIN, "note": "Yours, I think." });
    api.call("TransferConversation", agent, with(&[id], body)).await?;
    api.call("ListEscalations", admin, Request::default()).await?;
    api.call("ClaimConversation", admin, with(&[id], json!({}))).await?;
    let body = json!({ "content": "It is nine metres long.", "senderType": "agent" });
    api.call("PostMessage", admin, with(&[id], body)).await?;
    api.call("GetConversation", &tokens.visitor, of(&[id])).await?;
    api.call("ReleaseConversation", admin, with(&[id], json!({}))).await?;
    api.call("ClaimConversation", admin, with(&[id], json!({}))).await?;
    api.call("HandBackConversation", admin, with(&[id], json!({}))).await?;
    api.call("ResolveConversation", admin, with(&[id], json!({ "resolution": "agent" }))).await?;
    api.call("ReopenConversation", admin, with(&[id], json!({}))).await?;
    let body = json!({ "reason": "once more" });
    api.call("EscalateConversation", admin, with(&[id], body)).await?;
    api.call("ResolveEscalation", admin, with(&[id], json!({}))).await?;
    api.call("GetConversation", admin, of(&[id])).await?;
    Ok(())
}
