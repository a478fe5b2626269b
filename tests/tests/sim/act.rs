//! What the people of the simulation ask of the service, and what they are told.

use std::sync::Arc;

use uuid::Uuid;

use fusionchatd::ai::{Decision, Turn, decide_early};
use fusionchatd::domain::actor::{Actor, Who as Kind};
use fusionchatd::domain::conversation::Resolution;
use fusionchatd::domain::id::{ClientId, ConversationId, InboxId, MessageId, UserId};
use fusionchatd::domain::inbox::AssistantMode;
use fusionchatd::domain::priority::Priority;
use fusionchatd::domain::user::Availability;
use fusionchatd::service::Service;
use fusionchatd::service::conversation::Posted;
use fusionchatd::service::error::Error;
use fusionchatd::service::inbox::EditInbox;
use fusionchatd::service::visitor::Guest;

/// What visitors say to the assistant. Each gets another answer, and none needs a search: that takes a thread.
pub(crate) const SAID: [&str; 4] = ["hello", "are you a bot?", "thanks", "talk to a human"];
/// Stands in every note, and in nothing a visitor may see.
pub(crate) const NOTE: &str = "between us";

/// What the assistant answers to a visitor's words; none if it asks for a person.
pub(crate) fn answer_to(question: &str) -> Option<String> {
    let turn = Turn { question, locale: "en", ..Turn::default() };
    match decide_early(&turn)? {
        Decision::Greet { text, .. } | Decision::Identify { text } => Some(text),
        Decision::HandOver { .. } | Decision::Answer { .. } | Decision::Clarify { .. } => None,
    }
}

/// One thing to ask for.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// A visitor's message.
    Say(String),
    Wish,
    End(bool),
    Reply(ConversationId, String),
    Note(ConversationId, String),
    Claim {
        conversation: ConversationId,
        take: bool,
    },
    Release(ConversationId),
    HandBack(ConversationId),
    Escalate(ConversationId),
    Resolve(ConversationId),
    Reopen(ConversationId),
    Transfer {
        conversation: ConversationId,
        to: UserId,
        note: Option<String>,
    },
    Tag(ConversationId, &'static str),
    Prioritize(ConversationId, Priority),
    Retract(ConversationId, u64),
    Flag(ConversationId, u64),
    /// Both sides'.
    Read(ConversationId, u64),
    Availability(Availability),
    Disable(UserId, bool),
    Assistant(InboxId, AssistantMode),
    /// A key starts a test.
    Test(InboxId, String),
}

impl Act {
    /// The conversation it names.
    pub(crate) fn conversation(&self) -> Option<ConversationId> {
        match self {
            Self::Reply(of, _)
            | Self::Note(of, _)
            | Self::Claim { conversation: of, .. }
            | Self::Release(of)
            | Self::HandBack(of)
            | Self::Escalate(of)
            | Self::Resolve(of)
            | Self::Reopen(of)
            | Self::Transfer { conversation: of, .. }
            | Self::Tag(of, _)
            | Self::Prioritize(of, _)
            | Self::Retract(of, _)
            | Self::Flag(of, _)
            | Self::Read(of, _) => Some(*of),
            Self::Say(_)
            | Self::Wish
            | Self::End(_)
            | Self::Availability(_)
            | Self::Disable(..)
            | Self::Assistant(..)
            | Self::Test(..) => None,
        }
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) enum Who {
    Visitor(Box<Guest>),
    Staff(Actor),
}

impl Who {
    pub(crate) fn actor(&self) -> Actor {
        match self {
            Self::Visitor(guest) => guest.actor(),
            Self::Staff(actor) => actor.clone(),
        }
    }
}

impl Who {
    /// Whose client ids these are.
    pub(crate) fn sender(&self) -> Uuid {
        match self.actor().who {
            Kind::Agent { user, .. } | Kind::Visitor { user, .. } => user.0,
            Kind::Key { key, .. } | Kind::Operator { key } => key.0,
            Kind::Assistant | Kind::System => Uuid::nil(),
        }
    }
}

/// A message that was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acked {
    pub(crate) conversation: ConversationId,
    pub(crate) seq: u64,
    pub(crate) id: MessageId,
    pub(crate) content: String,
    pub(crate) retracted: bool,
}

/// What somebody was told: done, with the message if it made one.
pub(crate) type Told = Result<Option<Acked>, Error>;

fn acked(posted: &Posted) -> Option<Acked> {
    let message = &posted.message.message;
    Some(Acked {
        conversation: message.conversation,
        seq: message.seq,
        id: message.id,
        content: message.content.clone(),
        retracted: message.retracted,
    })
}

/// Asks.
pub(crate) async fn ask(service: Arc<Service>, who: Who, id: ClientId, act: Act) -> Told {
    let actor = who.actor();
    match (&who, act) {
        (Who::Visitor(guest), Act::Say(text)) => {
            let posted = service.guest_message(guest, id, text, None).await?;
            Ok(acked(&posted))
        }
        (_, Act::Wish) => {
            service.wish_for_person(&actor, Some(id), None).await?;
            Ok(None)
        }
        (_, Act::End(confirmed)) => {
            service.end_by_visitor(&actor, Some(id), None, confirmed).await?;
            Ok(None)
        }
        (Who::Staff(_), Act::Say(text) | Act::Reply(_, text)) if text.is_empty() => Ok(None),
        (_, act) => ask_staff(service, &actor, id, act).await,
    }
}

async fn ask_staff(service: Arc<Service>, actor: &Actor, id: ClientId, act: Act) -> Told {
    let some = Some(id);
    match act {
        Act::Reply(of, text) => {
            let posted = service.post_message(actor, some, &of.to_string(), text, None).await?;
            return Ok(acked(&posted));
        }
        Act::Test(inbox, text) => {
            let inbox = inbox.to_string();
            let posted = service.start_conversation(actor, "", some, &inbox, text, true).await?;
            return Ok(acked(&posted));
        }
        Act::Note(of, text) => {
            service.add_note(actor, some, &of.to_string(), text).await?;
        }
        Act::Claim { conversation: of, take } => {
            service.claim(actor, some, &of.to_string(), None, take).await?;
        }
        Act::Release(of) => {
            service.release(actor, some, &of.to_string()).await?;
        }
        Act::HandBack(of) => {
            service.hand_back(actor, some, &of.to_string()).await?;
        }
        Act::Escalate(of) => {
            service.escalate(actor, some, &of.to_string(), "help".to_owned()).await?;
        }
        Act::Resolve(of) => {
            service.resolve(actor, some, &of.to_string(), Resolution::Agent).await?;
        }
        Act::Reopen(of) => {
            service.reopen(actor, some, &of.to_string()).await?;
        }
        Act::Transfer { conversation: of, to, note } => {
            service.transfer(actor, some, &of.to_string(), &to.to_string(), note).await?;
        }
        Act::Tag(of, tag) => {
            service.tag(actor, some, &of.to_string(), vec![tag.to_owned()], Vec::new()).await?;
        }
        Act::Prioritize(of, priority) => {
            service.prioritize(actor, some, &of.to_string(), priority).await?;
        }
        Act::Retract(of, seq) => {
            service.retract_message(actor, some, &of.to_string(), seq).await?;
        }
        Act::Flag(of, seq) => {
            let reason = "odd".to_owned();
            service.flag_message(actor, some, &of.to_string(), seq, reason).await?;
        }
        Act::Read(of, seq) => service.mark_read(actor, &of.to_string(), seq).await?,
        Act::Availability(availability) => {
            service.set_availability(actor, some, availability).await?;
        }
        Act::Disable(user, disabled) => {
            service.disable_user(actor, some, &user.to_string(), disabled).await?;
        }
        Act::Assistant(inbox, mode) => {
            let edit = EditInbox { assistant: Some(mode), ..EditInbox::default() };
            service.edit_inbox(actor, some, &inbox.to_string(), edit).await?;
        }
        Act::Say(_) | Act::Wish | Act::End(_) => {}
    }
    Ok(None)
}
