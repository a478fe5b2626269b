//! The rules: a command and the facts of the moment become events, or one rejection. Pure.
//!
//! `visitor`, `staff`, `transfer`, `assistant` and `life` hold the state table of a conversation, `label` what staff
//! put on it, `user` is the staff themselves, `desk` everything else.

mod article;
mod assistant;
#[cfg(test)]
mod decide_test;
mod desk;
mod inbox;
#[cfg(test)]
mod inbox_test;
mod label;
mod life;
#[cfg(test)]
mod replay_test;
mod script;
mod staff;
#[cfg(test)]
mod state_test;
mod transfer;
mod user;
#[cfg(test)]
mod user_test;
mod visitor;
#[cfg(test)]
mod world;

use uuid::Uuid;

use super::actor::Actor;
use super::command::Command;
use super::conversation::Conversation;
use super::entry::{Entry, EntryKind};
use super::event::Event;
use super::facts::{Facts, Moment};
use super::id::ClientId;
use super::message::SenderType;
use super::rejection::Rejection;
use super::timer::TimerKind;
use super::user::User;

use script::Script;

/// What a command did, by id, so that a repeat can be answered from the rows as they are then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refs {
    /// The conversation.
    pub conversation: Option<Uuid>,
    /// The number of the message it posted.
    pub seq: Option<u64>,
    /// The position of the note it added.
    pub position: Option<u64>,
    /// The other row it made or changed: organization, user, inbox, key, session, article, escalation.
    pub subject: Option<Uuid>,
    /// Whether the article was created (1), changed (2) or left as it was (3).
    pub outcome: u32,
}

impl Refs {
    /// What a command did that left this entry, if the entry says all of it: a message or a note.
    pub fn of(entry: &Entry) -> Option<Self> {
        let refs = Self { conversation: Some(entry.conversation?.0), ..Self::default() };
        let posted = entry.kind == EntryKind::MessagePosted;
        let noted = entry.kind == EntryKind::NoteAdded;
        let refs = Self { seq: entry.seq, position: noted.then_some(entry.position), ..refs };
        (posted || noted).then_some(refs)
    }
}

/// What happens, and what to answer.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// In order; empty when the command asks for what already is.
    pub events: Vec<Event>,
    /// What to answer.
    pub refs: Refs,
}

/// Whether a conversation must go to others once the user is absent: the visitor waits, or the user cannot act.
pub fn waits_for(conversation: &Conversation, user: &User) -> bool {
    let waits = conversation.last_sender == SenderType::User || user.disabled_at.is_some();
    conversation.assignee == Some(user.id) && waits
}

/// Decides one command. The caller has checked the actor's permission and matched its organization.
pub fn decide(
    moment: &Moment,
    actor: &Actor,
    facts: &Facts,
    client_id: Option<ClientId>,
    command: &Command,
) -> Result<Decision, Rejection> {
    let silences = facts.inbox.as_ref().map(|it| it.silences).unwrap_or_default();
    let script = Script::new(moment, actor, client_id, silences);
    match command {
        Command::CreateOrganization { .. }
        | Command::CreateInbox { .. }
        | Command::EditInbox { .. }
        | Command::CreateKey { .. }
        | Command::RevokeKey { .. }
        | Command::StartSession { .. }
        | Command::EndSession { .. }
        | Command::PutArticle { .. }
        | Command::EditArticle { .. }
        | Command::DeleteArticle { .. } => desk::decide(script, facts, command),
        Command::CreateUser { .. }
        | Command::InviteUser { .. }
        | Command::AcceptInvite { .. }
        | Command::EditUser { .. }
        | Command::ResetUser { .. }
        | Command::DisableUser { .. }
        | Command::SetAvailability { .. } => user::decide(script, facts, command),
        Command::VisitorMessage { visitor, conversation, content } => {
            visitor::message(script, facts, visitor, *conversation, content)
        }
        Command::VisitorWish { visitor, conversation } => {
            visitor::wish(script, facts, visitor, *conversation)
        }
        Command::VisitorEnd { visitor, conversation, confirmed } => {
            visitor::end(script, facts, visitor, *conversation, *confirmed)
        }
        Command::Staff { agent, admin, act, conversation: _ } => {
            staff::act(script, facts, *agent, *admin, act)
        }
        Command::Assistant { turn, act, conversation: _ } => {
            assistant::act(script, facts, *turn, act)
        }
        Command::Timer(timer) => match timer.kind {
            TimerKind::Absent => user::absence_over(script, facts, timer.turn),
            TimerKind::Assistant => assistant::timeout(script, facts, timer.turn),
            TimerKind::Silence => life::silence(script, facts, timer.turn),
            TimerKind::Offer => transfer::expire(script, facts),
            TimerKind::TestExpiry => life::expire(script, facts),
        },
        Command::Settle { conversation: _ } => staff::settle(script, facts),
        Command::LeaveAbsent { conversation: _ } => staff::leave_absent(script, facts),
        Command::Mark { side, seq, conversation: _ } => staff::mark(script, facts, *side, *seq),
    }
}
