//! What the assistant only drafts: a note for whoever answers, each message once, and nothing for the visitor.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::conversation::Status;
use crate::domain::entry::EntryKind;
use crate::domain::id::ConversationId;
use crate::domain::inbox::AssistantMode;
use crate::domain::message::{Note, SenderType};
use crate::worker;

use super::article::PutArticle;
use super::assistant::{Thought, WORKER};
use super::inbox::EditInbox;
use super::rig::{Rig, fresh};

/// After this long a test hangs.
const WATCHDOG: Duration = Duration::from_secs(60);
const QUESTION: &str = "How long is the rope?";
const LENGTH: &str = "The rope is twelve metres long.";

/// A rig whose inbox only drafts, with one article.
async fn drafting() -> Rig {
    let rig = Rig::new().await;
    let rope = PutArticle {
        source_path: "rope.md".to_owned(),
        title: "Rope".to_owned(),
        body: format!(
            "## Length\n{LENGTH}\n\n## Weight\nThe rope has a weight of two kilograms.\n"
        ),
        locale: None,
        status: None,
        inboxes: None,
    };
    rig.service.put_article(&rig.desk.admin, None, rope).await.expect("put");
    let edit = EditInbox { assistant: Some(AssistantMode::DraftOnly), ..EditInbox::default() };
    rig.service.edit_inbox(&rig.desk.admin, None, "web", edit).await.expect("edited");
    rig
}

/// Lets the assistant work through all there is; what it has left.
async fn work(rig: &Rig, id: ConversationId) -> Vec<Note> {
    let stop = CancellationToken::new();
    let worker = worker::assistant::run(Arc::clone(&rig.service), Arc::default(), stop.clone());
    let seen = async {
        let organization = rig.desk.organization;
        loop {
            let head = rig.journal().await.len() as u64;
            if rig.service.worker_cursor(organization, WORKER).await.expect("read") >= head {
                break stop.cancel();
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
    };
    tokio::time::pause();
    let both = async { tokio::join!(worker, seen) };
    tokio::time::timeout(WATCHDOG * 1_000, both).await.expect("the journal is worked through");
    tokio::time::resume();
    rig.rows().notes(id, 0, 100).await.expect("read")
}

#[tokio::test]
async fn each_message_that_waits_for_a_person_gets_one_draft() {
    let rig = drafting().await;
    let guest = rig.guest().await;
    let (id, _) = rig.say(&guest, QUESTION).await;
    assert_eq!(rig.header(id).await.status, Status::Escalated);
    let notes = work(&rig, id).await;
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert_eq!((notes[0].author, notes[0].content.as_str()), (None, LENGTH));
    assert_eq!(notes[0].sources.len(), 1);
    // A restart reads on, and a second worker's step would be the same step.
    let rig = rig.restarted().await;
    assert_eq!(work(&rig, id).await.len(), 1);
    let number = rig.header(id).await.number.to_string();
    rig.service.claim(&rig.desk.a, None, &number, None, false).await.expect("claimed");
    rig.say(&guest, "What is the weight of the rope?").await;
    assert_eq!(work(&rig, id).await.len(), 2, "whoever has it gets drafts too");
    let said = rig.service.post_message(&rig.desk.a, None, &number, "Twelve.".into(), None).await;
    said.expect("said");
    assert_eq!(work(&rig, id).await.len(), 2, "nothing is asked");
    let entries = rig.journal().await;
    let told = entries.iter().filter(|it| it.kind == EntryKind::MessagePosted);
    assert!(told.clone().all(|it| it.code & 0xff != SenderType::Assistant.code()));
    assert_eq!(told.count(), 3);
}

#[tokio::test]
async fn messages_that_come_before_it_has_thought_get_one_draft_together() {
    let rig = drafting().await;
    let guest = rig.guest().await;
    let (id, _) = rig.say(&guest, QUESTION).await;
    rig.say(&guest, "What is the weight of the rope?").await;
    let notes = work(&rig, id).await;
    assert_eq!(notes.len(), 1, "{notes:?}");
}

#[tokio::test]
async fn a_visitor_learns_nothing_of_a_draft() {
    let rig = drafting().await;
    let guest = rig.guest().await;
    let (id, _) = rig.say(&guest, QUESTION).await;
    assert_eq!(work(&rig, id).await.len(), 1);
    let text = id.to_string();
    let page = rig.service.list_messages(&guest.actor(), &text, 0, 50, false).await.expect("read");
    assert!(page.notes.is_empty());
    assert!(page.messages.iter().all(|it| it.message.content != LENGTH));
    let seqs = page.messages.iter().map(|it| it.message.seq);
    assert!(seqs.eq(1..=rig.header(id).await.last_seq), "no number is missing");
    let page = rig.service.list_messages(&rig.desk.a, &text, 0, 50, false).await.expect("read");
    assert_eq!(page.notes.len(), 1);
    assert_eq!(page.notes[0].sender_type(), SenderType::Assistant);
}

#[tokio::test]
async fn what_needs_no_answer_gets_no_draft() {
    let rig = drafting().await;
    for text in ["hello", "are you a bot?", "talk to a human", "Who painted the ceiling of it?"] {
        let guest = rig.guest().await;
        let (id, _) = rig.say(&guest, text).await;
        let notes = work(&rig, id).await;
        assert_eq!(notes.len(), 0, "{text}: {notes:?}");
        assert_eq!(rig.header(id).await.status, Status::Escalated);
    }
}

#[tokio::test]
async fn an_assistant_that_only_drafts_hands_over_what_it_still_has() {
    let rig = drafting().await;
    let set = async |mode| {
        let edit = EditInbox { assistant: Some(mode), ..EditInbox::default() };
        rig.service.edit_inbox(&rig.desk.admin, Some(fresh()), "web", edit).await.expect("edited");
    };
    set(AssistantMode::On).await;
    let guest = rig.guest().await;
    let (id, _) = rig.say(&guest, QUESTION).await;
    let thought = rig.service.think(rig.desk.organization, id).await.expect("thought");
    assert!(matches!(thought, Thought::Ask(question) if !question.draft));
    set(AssistantMode::DraftOnly).await;
    assert_eq!(rig.header(id).await.status, Status::Escalated);
    assert_eq!(work(&rig, id).await.len(), 1);
}
