//! The main job, end to end: a visitor asks on a website, the assistant answers, a person takes over, nothing is
//! lost when the daemon is killed. Every part is real; the doors are used as their users use them.

use anyhow::{Context, Result, ensure};
use fusionchat_proto::{problem, v1};
use fusionchat_tests::daemon::Daemon;
use fusionchat_tests::grpc::{client_id, code_of};
use fusionchat_tests::stage::{Stage, play};
use fusionchat_tests::visitor::Visitor;
use serde_json::{Value, json};

const QUESTION: &str = "How long does the battery last?";

fn by(sender: &str) -> impl Fn(&Value) -> bool {
    move |frame| frame["senderType"] == sender
}

fn system(code: &str) -> impl Fn(&Value) -> bool {
    move |frame| frame["system"]["code"] == code
}

/// A visitor who has asked for a person, with the number staff know the conversation by.
async fn waiting_visitor(daemon: &Daemon) -> Result<(Visitor, String)> {
    let mut visitor = daemon.visitor().await?;
    let id = visitor.say("My lantern arrived broken, please help").await?;
    visitor.acked(&id).await?;
    let id = visitor.ask_for_person().await?;
    visitor.acked(&id).await?;
    visitor.status("escalated").await?;
    let conversation = visitor.conversation.clone().context("it has begun")?;
    let number = daemon.staff("agent1").await?.conversation(&conversation).await?.number;
    Ok((visitor, number.to_string()))
}

#[test]
fn the_assistant_answers_with_its_source() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let mut visitor = daemon.visitor().await?;
        let id = visitor.say(QUESTION).await?;
        let ack = visitor.acked(&id).await?;
        ensure!(ack["seq"] == 1, "the first message is number 1: {ack}");
        let answer = visitor.message(1, "an answer", by("assistant")).await?;
        let source = &answer["sources"][0];
        let title = source["title"].as_str().context("the answer names its source")?;
        let url = source["url"].as_str().context("the source has an address")?;
        let path = url.strip_prefix(daemon.field("http")?).unwrap_or(url);
        let page = daemon.rest_with(None)?.get(path).await?;
        ensure!(
            page.status == 200 && page.body.contains(title),
            "the source can be read: {page:?}"
        );
        ensure!(visitor.status["handler"] != "agent", "no person took part: {}", visitor.status);
        Ok(())
    });
}

#[test]
fn a_greeting_is_greeted_and_not_handed_over() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let mut visitor = daemon.visitor().await?;
        visitor.say("hi").await?;
        let greeting = visitor.message(1, "a greeting", by("assistant")).await?;
        ensure!(greeting["content"].as_str().is_some_and(|text| !text.is_empty()), "{greeting}");
        let conversation = visitor.conversation.clone().context("it has begun")?;
        let conversation = daemon.staff("agent1").await?.conversation(&conversation).await?;
        ensure!(conversation.status() == v1::Status::Open, "{conversation:?}");
        ensure!(conversation.handler() == v1::Handler::Assistant, "{conversation:?}");
        ensure!(conversation.escalation.is_none(), "{conversation:?}");
        Ok(())
    });
}

#[test]
fn a_person_takes_over_and_both_sides_follow_live() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let agent1 = daemon.staff("agent1").await?;
        let agent2 = daemon.staff("agent2").await?;
        let mut live = agent2.watch(None, "").await?;

        let (mut visitor, number) = waiting_visitor(&daemon).await?;
        let line = visitor.message(1, "what happens", system("escalated")).await?;
        ensure!(line["system"]["params"]["staffed"].is_string(), "it says whether: {line}");
        let row = live.change(|change| change.kind.contains("Escalated")).await?;
        ensure!(row.conversation.is_some_and(|it| it.number.to_string() == number), "the queue");
        let waiting = agent1.queue().await?;
        let last = waiting.last().context("somebody waits")?;
        let escalation = last.escalation.as_ref().context("a row has an escalation")?;
        ensure!(escalation.number.to_string() == number, "who came last waits last: {waiting:?}");

        let claimed = agent1.claim(&number, false).await?;
        ensure!(claimed.assignee_name == "agent1", "{claimed:?}");
        let refused = agent2.claim(&number, false).await.err().context("one wins")?;
        ensure!(code_of(&refused) == "already_claimed", "{refused:?}");
        let facts = problem(&refused).context("a problem")?.params;
        ensure!(facts.get("by").is_some_and(|by| by == "agent1"), "{facts:?}");
        ensure!(facts.contains_key("since"), "{facts:?}");
        let line = visitor.message(1, "who joined", system("claimed")).await?;
        ensure!(line["system"]["params"]["name"] == "agent1", "{line}");

        visitor.send(&json!({ "type": "typing" })).await?;
        let typing = live.typing().await?;
        ensure!(Some(&typing.conversation_id) == visitor.conversation.as_ref(), "{typing:?}");
        let request = v1::SetTypingRequest { conversation: number.clone(), note: false };
        agent1.conversations().set_typing(request).await?;
        visitor
            .until("typing", |frame| frame["type"] == "typing" && frame["by"] == "agent")
            .await?;

        agent1.add_note(&number, "a hint for colleagues").await?;
        let reply = agent1.reply(&client_id(), &number, "Hello, I am here").await?;
        let shown = visitor.message(1, "the reply", by("agent")).await?;
        ensure!(shown["id"] == reply.id && shown["senderName"] == "agent1", "{shown}");
        let (messages, notes) = agent2.messages(&number).await?;
        ensure!(messages.len() == visitor.messages.len(), "the same for both: {messages:?}");
        ensure!(notes.iter().any(|note| note.content == "a hint for colleagues"), "{notes:?}");
        let all = visitor.transcript().join("\n");
        ensure!(!all.contains("a hint"), "a note reached the visitor: {all}");

        agent1.resolve(&number).await?;
        visitor.message(1, "the end", system("resolved")).await?;
        visitor.status("resolved").await?;
        Ok(())
    });
}

#[test]
fn rest_tells_the_same_story() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let agent = daemon.rest("agent1")?;
        let open = daemon.rest_with(None)?;
        let origin = daemon.shop_origin()?;
        let inbox = daemon.inbox_id(daemon.field("inbox")?).await?;
        let body = json!({ "inbox": inbox, "origin": origin });
        let session = open.post("/api/visitor/session", &body).await?.expect(201)?;
        let visitor = open.with(session["token"].as_str().context("a token")?);
        let body = json!({ "clientId": client_id(), "inbox": inbox, "content": QUESTION });
        let begun = visitor.post("/api/conversations", &body).await?.expect(201)?;
        let id = begun["conversation"]["id"].as_str().context("an id")?;
        ensure!(begun["message"]["seq"] == 1, "{begun}");
        ensure!(begun["conversation"]["number"].is_null(), "a visitor sees no traffic: {begun}");

        let body = json!({ "reason": "wants a person" });
        let path = format!("/api/conversations/{id}");
        agent.post(&format!("{path}/escalate"), &body).await?.expect(200)?;
        let queue = agent.get("/api/escalations").await?.expect(200)?;
        ensure!(queue["waiting"].as_array().is_some_and(|rows| rows.len() == 4), "{queue}");
        agent.post(&format!("{path}/claim"), &json!({})).await?.expect(200)?;
        let late = daemon.rest("agent2")?.post(&format!("{path}/claim"), &json!({})).await?;
        ensure!(late.problem(409)? == "already_claimed", "one wins");

        let reply_id = client_id();
        let body = json!({ "clientId": reply_id, "content": "Here I am", "senderType": "agent" });
        let reply = agent.post(&format!("{path}/messages"), &body).await?.expect(201)?;
        let again = agent.post(&format!("{path}/messages"), &body).await?.expect(201)?;
        ensure!(reply["seq"] == again["seq"] && reply["id"] == again["id"], "{reply} {again}");
        let body =
            json!({ "clientId": reply_id, "content": "Somebody else", "senderType": "agent" });
        let other = agent.post(&format!("{path}/messages"), &body).await?;
        ensure!(other.problem(409)? == "client_id_reused", "another body");
        let body = json!({ "clientId": client_id(), "content": "No", "senderType": "user" });
        let forged = agent.post(&format!("{path}/messages"), &body).await?;
        ensure!(forged.problem(403)? == "sender_type_mismatch", "who one is stands in the token");

        let body = json!({ "content": "for colleagues" });
        agent.post(&format!("{path}/notes"), &body).await?.expect(201)?;
        let read = visitor.get(&format!("/api/conversations/{id}/messages")).await?;
        ensure!(!read.body.contains("for colleagues"), "a note reached the visitor: {read:?}");
        agent.post(&format!("{path}/resolve"), &json!({})).await?.expect(200)?;
        Ok(())
    });
}

#[test]
fn kill_9_in_mid_conversation_loses_and_doubles_nothing() {
    play(async |stage: &Stage| {
        let mut daemon = Daemon::demo(stage).await?;
        let (mut visitor, number) = waiting_visitor(&daemon).await?;
        let agent = daemon.staff("agent1").await?;
        agent.claim(&number, false).await?;
        let reply_id = client_id();
        let reply = agent.reply(&reply_id, &number, "I see it").await?;
        visitor.message(1, "the reply", by("agent")).await?;
        let mut said = vec![];
        for text in ["It is the red one", "and it smells"] {
            let id = visitor.say(text).await?;
            visitor.acked(&id).await?;
            said.push(text);
        }
        // One more is under way, acknowledged or not, when the daemon dies.
        visitor.say("and it hums").await?;
        daemon.kill9().await?;
        visitor.disconnect();
        visitor.say("are you still there?").await?;
        said.extend(["and it hums", "are you still there?"]);

        daemon.start().await?;
        visitor.connect().await?;
        while let Some(id) = visitor.outbox.front().map(|item| item["clientId"].clone()) {
            visitor.acked(id.as_str().context("an id")?).await?;
        }
        while visitor.messages.iter().filter(|it| it["senderType"] == "user").count() < 5 {
            visitor.until("all of the visitor's own", |frame| frame["type"] == "message").await?;
        }

        let agent = daemon.staff("agent1").await?;
        let again = agent.reply(&reply_id, &number, "I see it").await?;
        ensure!(again.seq == reply.seq && again.id == reply.id, "{reply:?} {again:?}");
        let after = agent.reply(&client_id(), &number, "Back again").await?;
        visitor.message(after.seq - 1, "the next reply", by("agent")).await?;
        let (messages, _) = agent.messages(&number).await?;
        let stored: Vec<&str> = messages
            .iter()
            .filter(|message| message.sender_type() == v1::SenderType::User)
            .map(|message| message.content.as_str())
            .skip(1)
            .collect();
        ensure!(stored == said, "stored {stored:?}, said {said:?}");
        let seqs: Vec<u64> = messages.iter().map(|message| message.seq).collect();
        let gapless: Vec<u64> = (1..=seqs.len() as u64).collect();
        ensure!(seqs == gapless, "{seqs:?}");
        ensure!(visitor.last_seq() == after.seq, "the visitor has them all");
        Ok(())
    });
}
