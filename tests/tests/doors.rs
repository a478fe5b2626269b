//! One script, three doors: what a visitor and an agent do leaves the same journal, whichever door they use.

use anyhow::{Context, Result, ensure};
use fusionchat_proto::v1;
use fusionchat_tests::daemon::Daemon;
use fusionchat_tests::grpc::{Staff, client_id};
use fusionchat_tests::rest::Rest;
use fusionchat_tests::stage::{Stage, play};
use fusionchat_tests::visitor::Visitor;
use serde_json::{Value, json};

const ORIGIN: &str = "https://shop.example";

/// A fresh organization with an inbox without an assistant, and an agent's way in.
struct Tenant {
    admin: Staff,
    admin_key: String,
    inbox: String,
}

async fn tenant(daemon: &Daemon, name: &str) -> Result<Tenant> {
    let request = v1::CreateOrganizationRequest {
        client_id: client_id(),
        name: name.to_owned(),
        admin_email: format!("admin@{name}.example"),
        admin_password: String::new(),
        inbox_name: "web".to_owned(),
        origins: vec![ORIGIN.to_owned()],
    };
    let operator = daemon.staff("operator").await?;
    let made = operator.organizations().create_organization(request).await?.into_inner();
    let admin = daemon.staff_with(&made.admin_key).await?;
    // People only: an assistant's answer comes when it comes, and would make the journals differ.
    let request = v1::CreateInboxRequest {
        client_id: client_id(),
        name: "people".to_owned(),
        origins: vec![ORIGIN.to_owned()],
        assistant: v1::AssistantMode::Off.into(),
        locale: "en".to_owned(),
    };
    let inbox = admin.inboxes().create_inbox(request).await?.into_inner().inbox;
    Ok(Tenant { admin, admin_key: made.admin_key, inbox: inbox.context("an inbox")?.id })
}

/// What an entry of the journal says to everybody, without ids and times.
fn entry(change: &v1::Change) -> String {
    let actor = change.actor.as_ref().map_or(v1::actor::Kind::Unspecified, v1::Actor::kind);
    let actor = match actor {
        // gRPC has no visitors: a key stands in for one, and the entry says so.
        v1::actor::Kind::Key | v1::actor::Kind::Visitor => "outside",
        v1::actor::Kind::Agent => "agent",
        v1::actor::Kind::Assistant => "assistant",
        v1::actor::Kind::Operator => "operator",
        v1::actor::Kind::System => "system",
        v1::actor::Kind::Unspecified => "nobody",
    };
    let seq = change.message.as_ref().map_or(0, |message| message.seq);
    let status = change.conversation.as_ref().map_or("-", |it| it.status().as_str_name());
    let position = change.cursor.as_ref().map_or(0, |cursor| cursor.position);
    format!("{position} {} by {actor}, seq {seq}, {status}, prev {}", change.kind, change.prev)
}

/// The whole journal of a tenant up to the entry that resolved its conversation.
async fn journal(tenant: &Tenant) -> Result<Vec<String>> {
    let head = tenant.admin.watch(None, "").await?.head;
    let start = v1::Cursor { position: 0, ..head.clone() };
    let mut watch = tenant.admin.watch(Some(start), "").await?;
    let mut entries = vec![];
    let mut position = 0;
    while position < head.position {
        let change = watch.change(|_| true).await?;
        position = change.cursor.as_ref().context("a cursor")?.position;
        entries.push(entry(&change));
    }
    Ok(entries)
}

const SAYS: [&str; 2] = ["My rope is too short", "Twelve metres, I need twenty"];

async fn by_grpc(tenant: &Tenant) -> Result<()> {
    let staff = &tenant.admin;
    let request = v1::StartConversationRequest {
        client_id: client_id(),
        inbox: tenant.inbox.clone(),
        content: SAYS[0].to_owned(),
    };
    let begun = staff.conversations().start_conversation(request).await?.into_inner();
    let id = begun.conversation.context("a conversation")?.id;
    staff.claim(&id, false).await?;
    let request = v1::PostMessageRequest {
        client_id: client_id(),
        conversation: id.clone(),
        content: SAYS[1].to_owned(),
        sender_type: v1::SenderType::User.into(),
    };
    staff.conversations().post_message(request).await?;
    staff.add_note(&id, "a long rope").await?;
    staff.reply(&client_id(), &id, "Twenty it is").await?;
    staff.resolve(&id).await?;
    Ok(())
}

/// The agent's half by REST, for the two doors visitors have.
async fn agent_by_rest(agent: &Rest, id: &str, step: &str, body: Value) -> Result<Value> {
    let answer = agent.post(&format!("/api/conversations/{id}/{step}"), &body).await?;
    let status = answer.status;
    answer.expect(if matches!(step, "messages" | "notes") { 201 } else { status.min(200) })
}

async fn by_rest(daemon: &Daemon, tenant: &Tenant) -> Result<()> {
    let open = daemon.rest_with(None)?;
    let body = json!({ "inbox": tenant.inbox, "origin": ORIGIN });
    let session = open.post("/api/visitor/session", &body).await?.expect(201)?;
    let visitor = open.with(session["token"].as_str().context("a token")?);
    let agent = open.with(&tenant.admin_key);
    let body = json!({ "clientId": client_id(), "inbox": tenant.inbox, "content": SAYS[0] });
    let begun = visitor.post("/api/conversations", &body).await?.expect(201)?;
    let id = begun["conversation"]["id"].as_str().context("an id")?;
    agent_by_rest(&agent, id, "claim", json!({})).await?;
    let body = json!({ "content": SAYS[1], "senderType": "user" });
    visitor.post(&format!("/api/conversations/{id}/messages"), &body).await?.expect(201)?;
    finish(&agent, id).await
}

async fn by_websocket(daemon: &Daemon, stage: &Stage, tenant: &Tenant) -> Result<()> {
    let agent = daemon.rest_with(Some(&tenant.admin_key))?;
    let mut visitor = Visitor::new(stage, daemon.field("http")?, &tenant.inbox, ORIGIN);
    visitor.connect().await?;
    let first = visitor.say(SAYS[0]).await?;
    visitor.acked(&first).await?;
    let id = visitor.conversation.clone().context("it has begun")?;
    agent_by_rest(&agent, &id, "claim", json!({})).await?;
    let second = visitor.say(SAYS[1]).await?;
    visitor.acked(&second).await?;
    finish(&agent, &id).await?;
    visitor.status("resolved").await
}

async fn finish(agent: &Rest, id: &str) -> Result<()> {
    agent_by_rest(agent, id, "notes", json!({ "content": "a long rope" })).await?;
    agent_by_rest(agent, id, "messages", json!({ "content": "Twenty it is" })).await?;
    agent_by_rest(agent, id, "resolve", json!({})).await?;
    Ok(())
}

#[test]
fn three_doors_leave_one_journal() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let grpc = tenant(&daemon, "by-grpc").await?;
        by_grpc(&grpc).await?;
        let rest = tenant(&daemon, "by-rest").await?;
        by_rest(&daemon, &rest).await?;
        let socket = tenant(&daemon, "by-socket").await?;
        by_websocket(&daemon, stage, &socket).await?;

        let expected = journal(&grpc).await?;
        ensure!(expected.len() >= 8, "the whole story is there: {expected:#?}");
        let last = expected.last().context("an entry")?;
        ensure!(last.contains("STATUS_RESOLVED"), "{expected:#?}");
        for (name, tenant) in [("REST", &rest), ("WebSocket", &socket)] {
            let journal = journal(tenant).await?;
            ensure!(journal == expected, "{name} {journal:#?}\ngRPC {expected:#?}");
        }
        Ok(())
    });
}
