//! Signals that are never stored: who is typing, and what the assistant is about to say. Each names the place it
//! belongs to, and with it its audience; the actor comes from the credential, never from the payload. Under pressure
//! they are shed first, and nobody is closed for them.

use std::sync::Arc;

use crate::domain::actor::{Actor, Permission};
use crate::domain::conversation::Conversation;
use crate::domain::entry::ActorRef;
use crate::domain::id::{ConversationId, InboxId, OrganizationId, UserId};

use super::error::Error;
use super::hub::Topic;
use super::memory::Room;
use super::visitor::Guest;
use super::{Service, require};

/// Where a signal belongs: whoever may not see this conversation hears nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The conversation.
    pub conversation: ConversationId,
    /// Its inbox.
    pub inbox: InboxId,
    /// Whether it is a test, which only those hear of who ask for it by its number.
    pub test: bool,
}

impl Place {
    /// The place of a conversation.
    pub(super) fn of(header: &Conversation) -> Self {
        Self { conversation: header.id, inbox: header.inbox, test: header.is_test() }
    }
}

/// A signal. Hub only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ephemeral {
    /// Somebody is typing.
    Typing(Typing),
    /// The assistant's answer in the making, or its end.
    Streamed(Streamed),
}

impl Ephemeral {
    /// Where it belongs.
    pub fn place(&self) -> Place {
        match self {
            Self::Typing(typing) => typing.place,
            Self::Streamed(streamed) => streamed.place,
        }
    }
}

/// Somebody is typing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typing {
    /// Where.
    pub place: Place,
    /// Who.
    pub actor: ActorRef,
    /// Their name.
    pub name: String,
    /// A note in the making: staff only.
    pub note: bool,
}

/// A part of an answer in the making.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streamed {
    /// Where.
    pub place: Place,
    /// The turn it answers.
    pub turn: u64,
    /// What of it.
    pub part: Part,
}

/// What is told of an answer in the making.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// More of it: checked sentences, counted from 0 in each turn.
    Text {
        /// The count.
        n: u64,
        /// The sentences, with the white space before them.
        text: String,
    },
    /// It is on disk as the message with this number.
    Committed {
        /// The number.
        seq: u64,
    },
    /// It will not come: forget what was shown.
    Dropped,
}

impl Service {
    /// Shows that a member of staff, or a key for them, is typing.
    pub async fn set_typing(&self, actor: &Actor, text: &str, note: bool) -> Result<(), Error> {
        require(actor, Permission::WriteConversations)?;
        let header = self.find_conversation(actor, text).await?;
        let name = self.rows(actor).user_label(actor.staff()).await?;
        let typing = Typing { place: Place::of(&header), actor: actor.into(), name, note };
        let public = !note && header.assignee == actor.staff();
        self.signal_typing(actor.organization, typing, public.then_some(header.visitor));
        Ok(())
    }

    /// Shows that a guest is typing in their conversation, of which the caller has read that it is theirs: nothing is
    /// read for so small a thing. `name` is theirs as it was shown last. Their own tabs show nothing of it.
    pub fn type_as_guest(&self, guest: &Guest, conversation: ConversationId, name: &str) {
        let claims = &guest.claims;
        // Only keys begin tests.
        let place = Place { conversation, inbox: claims.inbox, test: false };
        let actor = (&guest.actor()).into();
        let typing = Typing { place, actor, name: name.to_owned(), note: false };
        self.signal_typing(claims.organization, typing, None);
    }

    fn signal_typing(&self, organization: OrganizationId, typing: Typing, to: Option<UserId>) {
        if self.memory().room() != Room::Ample {
            return;
        }
        let signal = Arc::new(Ephemeral::Typing(typing));
        self.hub.signal(Topic::Organization(organization), &signal);
        if let Some(visitor) = to {
            self.hub.signal(Topic::Visitor(organization, visitor), &signal);
        }
    }
}
