//! What is left when an edit was committed and nobody lived to follow it: the worker does, whenever it comes to it.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::command::Command;
use crate::domain::conversation::{Conversation, Handler, Status};
use crate::domain::id::{ConversationId, UserId};
use crate::domain::inbox::{AssistantMode, InboxEdit, ListEdit};
use crate::domain::user::Role;
use crate::worker;

use super::assistant::WORKER;
use super::inbox::{CreateInbox, EditInbox};
use super::rig::{Rig, SHOP, fresh};

/// After this long a test hangs.
const WATCHDOG: Duration = Duration::from_secs(60);

/// A command as the service executes it, and not one step further.
async fn commit_alone(rig: &Rig, command: Command) {
    let done = rig.service.execute(&rig.desk.admin, Some(fresh()), [0; 32], command).await;
    done.expect("committed");
}

fn edited(rig: &Rig, edit: InboxEdit) -> Command {
    Command::EditInbox { inbox: rig.desk.inbox.id, edit }
}

fn only(user: UserId) -> InboxEdit {
    let members = ListEdit { replace: Some(vec![user]), ..ListEdit::default() };
    InboxEdit { members, ..InboxEdit::default() }
}

/// Runs the worker until a conversation waits for a person and everything is followed, then stops it.
async fn work(rig: &Rig, id: ConversationId) -> Conversation {
    let stop = CancellationToken::new();
    let worker = worker::assistant::run(Arc::clone(&rig.service), Arc::default(), stop.clone());
    let seen = async {
        let header = loop {
            let header = rig.header(id).await;
            if header.status == Status::Escalated {
                break header;
            }
            tokio::task::yield_now().await;
        };
        stop.cancel();
        header
    };
    let work = async { tokio::join!(worker, seen).1 };
    tokio::time::timeout(WATCHDOG, work).await.expect("nobody followed the edit")
}

async fn held_by_a(rig: &Rig) -> ConversationId {
    let guest = rig.guest().await;
    let (id, _) = rig.say(&guest, "hello").await;
    let number = rig.header(id).await.number.to_string();
    let reply = "hello".to_owned();
    rig.service.post_message(&rig.desk.a, None, &number, reply, None).await.expect("said");
    id
}

#[tokio::test]
async fn a_crash_after_an_edit_leaves_nobody_with_who_may_not_see_them() {
    let rig = Rig::new().await;
    let id = held_by_a(&rig).await;
    commit_alone(&rig, edited(&rig, only(rig.desk.b.staff().expect("staff")))).await;
    let rig = rig.restarted().await;
    assert_eq!(rig.header(id).await.handler, Handler::Agent, "nobody has followed the edit yet");
    let after = work(&rig, id).await;
    assert_eq!(after.assignee, None);
    let reason = rig.rows().escalation(after.escalation.expect("one")).await.expect("read");
    assert_eq!(reason.map(|it| it.reason).as_deref(), Some("not_a_member"));
}

#[tokio::test]
async fn a_worker_that_runs_follows_an_edit_that_nobody_else_does() {
    let rig = Rig::new().await;
    let id = held_by_a(&rig).await;
    let b = rig.desk.b.staff().expect("staff");
    // The edit comes while the worker is at work: it has read everything before.
    let stop = CancellationToken::new();
    let worker = worker::assistant::run(Arc::clone(&rig.service), Arc::default(), stop.clone());
    let edit = async {
        let head = rig.journal().await.len() as u64;
        while rig.service.worker_cursor(rig.desk.organization, WORKER).await.expect("read") < head {
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        commit_alone(&rig, edited(&rig, only(b))).await;
        while rig.header(id).await.status != Status::Escalated {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    tokio::time::pause();
    let both = async { tokio::join!(worker, edit) };
    tokio::time::timeout(WATCHDOG * 1_000, both).await.expect("nobody followed the edit");
}

#[tokio::test]
async fn a_crash_after_a_demotion_leaves_nobody_with_who_may_not_see_them() {
    let rig = Rig::new().await;
    let b = rig.desk.b.staff().expect("staff");
    let closed = CreateInbox {
        name: "closed".to_owned(),
        origins: vec![SHOP.to_owned()],
        assistant: AssistantMode::On,
        locale: "en".to_owned(),
        members: vec!["A".to_owned()],
    };
    let closed = rig.service.create_inbox(&rig.desk.admin, None, closed).await.expect("created");
    let promoted = Command::EditUser { user: b, name: None, role: Some(Role::Admin) };
    commit_alone(&rig, promoted).await;
    let guest = rig.service.welcome(closed.inbox.id, SHOP, None).await.expect("welcome").guest;
    let (id, _) = rig.say(&guest, "hello").await;
    let number = rig.header(id).await.number.to_string();
    rig.service.escalate(&rig.desk.admin, None, &number, String::new()).await.expect("escalated");
    let given = rig.service.claim(&rig.desk.admin, None, &number, Some("B"), false).await;
    given.expect("given to an admin");
    commit_alone(&rig, Command::EditUser { user: b, name: None, role: Some(Role::Agent) }).await;
    let rig = rig.restarted().await;
    let after = work(&rig, id).await;
    assert_eq!(after.assignee, None);
}

#[tokio::test]
async fn an_edit_that_narrows_nothing_moves_nothing() {
    let rig = Rig::new().await;
    let id = held_by_a(&rig).await;
    let locale = EditInbox { locale: Some("de".to_owned()), ..EditInbox::default() };
    rig.service.edit_inbox(&rig.desk.admin, None, "web", locale).await.expect("edited");
    let before = rig.journal().await.len();
    rig.service.settle_edited(rig.desk.organization).await.expect("settled");
    assert_eq!(rig.journal().await.len(), before);
    assert_eq!(rig.header(id).await.handler, Handler::Agent);
}
