//! An assistant that only drafts: the visitor waits for a person, who finds what it would have said, in the console's
//! stream, by `fusionctl` and by REST; the visitor never does. With a model behind it and without.

use anyhow::{Context as _, Result, ensure};
use fusionchat_proto::v1;
use fusionchat_tests::daemon::Daemon;
use fusionchat_tests::grpc::client_id;
use fusionchat_tests::model::{Line, ScriptedModel};
use fusionchat_tests::stage::{Stage, play};
use fusionchat_tests::visitor::Visitor;

/// A question that the demo's articles answer, and what the built-in answer says.
const QUESTION: &str = "How do I return an item?";
const QUOTE: &str = "within 30 days";

/// Makes the demo's inbox draft only.
async fn draft_only(daemon: &Daemon) -> Result<()> {
    let request = v1::EditInboxRequest {
        client_id: client_id(),
        inbox: daemon.field("inbox")?.to_owned(),
        assistant: v1::AssistantMode::DraftOnly.into(),
        ..v1::EditInboxRequest::default()
    };
    let edited = daemon.staff("admin").await?.inboxes().edit_inbox(request).await?.into_inner();
    let shown = edited.inbox.context("the inbox")?;
    ensure!(shown.assistant() == v1::AssistantMode::DraftOnly, "{shown:?}");
    Ok(())
}

/// Ends the demo's own conversations: for those who wait in them the assistant would draft too.
async fn end_all(daemon: &Daemon) -> Result<()> {
    let listed = daemon.ctl().run(&["conv", "list", "-o", "json"]).await?.expect(0)?.json()?;
    for item in listed["items"].as_array().context("a list")? {
        let number = item["number"].to_string();
        daemon.ctl().run(&["conv", "resolve", &number]).await?.expect(0)?;
    }
    Ok(())
}

/// Asks; the draft as the stream of an agent brings it, and the visitor afterwards.
async fn drafted(daemon: &Daemon, question: &str) -> Result<(v1::Note, Visitor)> {
    let mut stream = daemon.staff("agent1").await?.watch(None, "").await?;
    let mut visitor = daemon.visitor().await?;
    let id = visitor.say(question).await?;
    visitor.acked(&id).await?;
    visitor.status("escalated").await?;
    let own = visitor.conversation.clone().context("a conversation")?;
    let drafts = |note: &v1::Note| note.conversation_id == own;
    let change = stream.change(|it| it.note.as_ref().is_some_and(drafts)).await?;
    let note = change.note.context("a note")?;
    ensure!(note.sender_type() == v1::SenderType::Assistant, "{note:?}");
    ensure!(note.author_id.is_empty() && !note.sources.is_empty(), "{note:?}");
    // Whatever came to the visitor before this, nothing of it was the draft.
    let answer = daemon.staff("agent1").await?;
    answer.claim(&note.conversation_id, false).await?;
    answer.reply(&client_id(), &note.conversation_id, "A person answers.").await?;
    visitor.message(0, "the reply", |it| it["content"] == "A person answers.").await?;
    let spoke = visitor.messages.iter().any(|it| it["senderType"] == "assistant");
    ensure!(!spoke, "{:?}", visitor.transcript());
    ensure!(!visitor.transcript().concat().contains(&note.content), "{note:?}");
    Ok((note, visitor))
}

#[test]
fn the_built_in_answer_waits_for_an_agent_as_a_draft() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        draft_only(&daemon).await?;
        let (note, visitor) = drafted(&daemon, QUESTION).await?;
        ensure!(note.content.contains(QUOTE), "{note:?}");
        let shown = daemon.ctl().run(&["conv", "get", &note.conversation_id]).await?.expect(0)?;
        ensure!(shown.stdout.contains("assistant (draft)"), "{shown:?}");
        ensure!(shown.stdout.contains(QUOTE), "{shown:?}");
        let inbox = daemon.ctl().run(&["inbox", "get", "web"]).await?.expect(0)?.stdout;
        ensure!(inbox.contains("draftOnly"), "{inbox:?}");
        let back = ["inbox", "edit", "web", "--assistant", "draftOnly", "-o", "json"];
        let back = daemon.ctl().run(&back).await?.expect(0)?.json()?;
        ensure!(back["assistant"] == "draftOnly", "{back}");
        let path = format!("/api/conversations/{}/messages", note.conversation_id);
        let staff = daemon.rest("agent1")?.get(&path).await?.expect(200)?;
        ensure!(staff["notes"][0]["senderType"] == "assistant", "{staff}");
        ensure!(staff["notes"][0].get("authorId").is_none(), "{staff}");
        drop(visitor);
        Ok(())
    });
}

#[test]
fn a_models_answer_waits_for_an_agent_as_a_draft() {
    play(async |stage: &Stage| {
        let model = ScriptedModel::start().await?;
        let mut daemon = Daemon::demo(stage).await?;
        let lines = format!(
            "[[assistant.provider]]\norganization = {:?}\nbase_url = {:?}\nmodel = \"scripted\"\n",
            daemon.field("organization")?,
            model.url(),
        );
        end_all(&daemon).await?;
        daemon.serve(&lines).await?;
        draft_only(&daemon).await?;
        let answer = "ANSWER [1, 2, 3, 4, 5]\nYou have 30 days [1]. Print the label first.";
        model.script([Line::Say(answer.to_owned())]);
        let (note, _) = drafted(&daemon, QUESTION).await?;
        ensure!(note.content == "You have 30 days. Print the label first.", "{note:?}");
        // A fact that no passage holds stands in no draft either: the quote takes its place.
        let lie = "ANSWER [1]\nYou have 95 days.";
        model.script([Line::Say(lie.to_owned()), Line::Say(lie.to_owned())]);
        let (note, _) = drafted(&daemon, QUESTION).await?;
        ensure!(note.content.contains(QUOTE), "{note:?}");
        Ok(())
    });
}
