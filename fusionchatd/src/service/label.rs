//! What staff put on conversations and messages: tags, a priority, a mark for review, the word that a message is
//! taken back; and whom they give a conversation to.

use std::sync::Arc;

use crate::domain::actor::Actor;
use crate::domain::command::StaffAct;
use crate::domain::id::{ClientId, ConversationId};
use crate::domain::priority::Priority;

use super::Service;
use super::conversation::Posted;
use super::digest::Digest;
use super::error::Error;
use super::view::ConversationView;

impl Service {
    /// Gives a conversation to a colleague, who is offered it before everybody else.
    pub async fn transfer(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        text: &str,
        to: &str,
        note: Option<String>,
    ) -> Result<ConversationView, Error> {
        let header = self.find_conversation(actor, text).await?;
        let to = self.find_staff(actor, to).await?.id;
        self.staff_act(actor, client_id, header.id, StaffAct::Transfer { to, note }).await?;
        self.shown(actor, header.id).await
    }

    /// Adds and removes tags.
    pub async fn tag(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        text: &str,
        add: Vec<String>,
        remove: Vec<String>,
    ) -> Result<ConversationView, Error> {
        self.act_on(actor, client_id, text, StaffAct::Tag { add, remove }).await
    }

    /// Sets the priority.
    pub async fn prioritize(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        text: &str,
        priority: Priority,
    ) -> Result<ConversationView, Error> {
        self.act_on(actor, client_id, text, StaffAct::Prioritize { priority }).await
    }

    /// Marks an answer of the assistant's for review.
    pub async fn flag_message(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        text: &str,
        seq: u64,
        reason: String,
    ) -> Result<Posted, Error> {
        let header = self.find_conversation(actor, text).await?;
        let act = StaffAct::Flag { seq, reason };
        let answer = self.staff_act(actor, client_id, header.id, act).await?;
        self.posted(actor, &answer).await
    }

    /// Takes a message back.
    pub async fn retract_message(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        text: &str,
        seq: u64,
    ) -> Result<Posted, Error> {
        let header = self.find_conversation(actor, text).await?;
        let act = StaffAct::Retract { seq };
        let answer = self.staff_act(actor, client_id, header.id, act).await?;
        self.posted(actor, &answer).await
    }
}

/// What makes two acts the same command.
pub(super) fn staff_digest(conversation: ConversationId, act: &StaffAct) -> [u8; 32] {
    let of = |name: &str| Digest::of(name).bytes(conversation.bytes());
    match act {
        StaffAct::Reply { content } => of("reply").text(content),
        StaffAct::Note { content } => of("note").text(content),
        StaffAct::Claim { to, take } => of("claim").bytes(to.bytes()).number(u64::from(*take)),
        StaffAct::Release => of("release"),
        StaffAct::HandBack => of("hand_back"),
        StaffAct::Escalate { reason } => of("escalate").text(reason),
        StaffAct::Resolve { resolution } => of("resolve").number(*resolution as u64),
        StaffAct::Reopen => of("reopen"),
        StaffAct::Transfer { to, note } => {
            of("transfer").bytes(to.bytes()).text(note.as_deref().unwrap_or_default())
        }
        StaffAct::Return => of("return"),
        StaffAct::ResolveWaiting => of("resolve_waiting"),
        StaffAct::Tag { add, remove } => of("tag").text(&add.join(",")).text(&remove.join(",")),
        StaffAct::Prioritize { priority } => of("prioritize").number(*priority as u64),
        StaffAct::Flag { seq, reason } => of("flag").number(*seq).text(reason),
        StaffAct::Retract { seq } => of("retract").number(*seq),
    }
    .finish()
}
