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

/// At least 12 characters; not worth guessing.
const PASSWORD: &str = "correct horse battery";

/// A fresh organization with an inbox without an assistant; its admin answers as an agent does.
struct Tenant {
    /// Acts for visitors, where a door has none.
    key: Staff,
    agent: Staff,
    agent_token: String,
    inbox: String,
}

async fn tenant(daemon: &Daemon, name: &str) -> Result<Tenant> {
    let email = format!("admin@{name}.example");
    let request = v1::CreateOrganizationRequest {
        client_id: client_id(),
        name: name.to_owned(),
        admin_email: email.clone(),
        admin_password: PASSWORD.to_owned(),
        inbox_name: "web".to_owned(),
        origins: vec![ORIGIN.to_owned()],
        invite_admin: false,
    };
    let operator = daemon.staff("operator").await?;
    let made = operator.organizations().create_organization(request).await?.into_inner();
    let key = daemon.staff_with(&made.admin_key).await?;
    // People only: an assistant's answer comes when it comes, and would make the journals differ.
    let request = v1::CreateInboxRequest {
        client_id: client_id(),
        name: "people".to_owned(),
        origins: vec![ORIGIN.to_owned()],
        assistant: v1::AssistantMode::Off.into(),
        locale: "en".to_owned(),
        members: vec![],
    };
    let inbox = key.inboxes().create_inbox(request).await?.into_inner().inbox;
    let body = json!({ "email": email, "password": PASSWORD });
    let session = daemon.rest_with(None)?.post("/api/auth/session", &body).await?.expect(201)?;
    let agent_token = session["token"].as_str().context("a token")?.to_owned();
    let agent = daemon.staff_with(&agent_token).await?;
    Ok(Tenant { key, agent, agent_token, inbox: inbox.context("an inbox")?.id })
}

/// What an entry says to everybody, without ids, times and places.
fn entry(change: &v1::Change) -> String {
    let actor = match change.actor.as_ref().map_or(v1::actor::Kind::Unspecified, v1::Actor::kind) {
        // gRPC has no visitors: a key stands in for one, and the entry says so.
        v1::actor::Kind::Key | v1::actor::Kind::Visitor => "a visitor",
        v1::actor::Kind::Agent => "an agent",
        v1::actor::Kind::Assistant => "the assistant",
        v1::actor::Kind::Operator => "the operator",
        v1::actor::Kind::System => "the system",
        v1::actor::Kind::Unspecified => "nobody",
    };
    let seq = change.message.as_ref().map_or(0, |message| message.seq);
    format!("{} by {actor}, seq {seq}, reason {:?}", change.kind, change.reason)
}

/// A tenant's journal from the conversation's beginning on; the whole of it must be gapless.
async fn journal(tenant: &Tenant) -> Result<Vec<String>> {
    let head = tenant.agent.watch(None, "").await?.head;
    let start = v1::Cursor { position: 0, ..head.clone() };
    let mut watch = tenant.agent.watch(Some(start), "").await?;
    let mut entries = vec![];
    for position in 1..=head.position {
        let change = watch.change(|_| true).await?;
        let cursor = change.cursor.as_ref().context("a cursor")?;
        ensure!(cursor.position == position && change.prev == position - 1, "{change:?}");
        if change.kind == "ConversationStarted" || !entries.is_empty() {
            entries.push(entry(&change));
        }
    }
    Ok(entries)
}

const SAYS: [&str; 2] = ["My rope is too short", "Twelve metres, I need twenty"];

async fn by_grpc(tenant: &Tenant) -> Result<()> {
    let (visitor, agent) = (&tenant.key, &tenant.agent);
    let request = v1::StartConversationRequest {
        client_id: client_id(),
        inbox: tenant.inbox.clone(),
        content: SAYS[0].to_owned(),
        test: false,
    };
    let begun = visitor.conversations().start_conversation(request).await?.into_inner();
    let id = begun.conversation.context("a conversation")?.id;
    agent.claim(&id, false).await?;
    let request = v1::PostMessageRequest {
        client_id: client_id(),
        conversation: id.clone(),
        content: SAYS[1].to_owned(),
        sender_type: v1::SenderType::User.into(),
    };
    visitor.conversations().post_message(request).await?;
    agent.add_note(&id, "a long rope").await?;
    agent.reply(&client_id(), &id, "Twenty it is").await?;
    agent.resolve(&id).await?;
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
    let agent = open.with(&tenant.agent_token);
    let body = json!({ "clientId": client_id(), "inbox": tenant.inbox, "content": SAYS[0] });
    let begun = visitor.post("/api/conversations", &body).await?.expect(201)?;
    let id = begun["conversation"]["id"].as_str().context("an id")?;
    agent_by_rest(&agent, id, "claim", json!({})).await?;
    let body = json!({ "content": SAYS[1], "senderType": "user" });
    visitor.post(&format!("/api/conversations/{id}/messages"), &body).await?.expect(201)?;
    finish(&agent, id).await
}

async fn by_websocket(daemon: &Daemon, stage: &Stage, tenant: &Tenant) -> Result<()> {
    let agent = daemon.rest_with(Some(&tenant.agent_token))?;
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
        let kinds: Vec<&str> = expected.iter().filter_map(|it| it.split(' ').next()).collect();
        let story = [
            "ConversationStarted",
            "MessagePosted",
            "Escalated",
            "Claimed",
            "MessagePosted",
            "NoteAdded",
            "MessagePosted",
            "Resolved",
        ];
        ensure!(kinds == story, "{expected:#?}");
        for (name, tenant) in [("REST", &rest), ("WebSocket", &socket)] {
            let journal = journal(tenant).await?;
            ensure!(journal == expected, "{name} {journal:#?}\ngRPC {expected:#?}");
        }
        Ok(())
    });
}
