//! What a visitor says: their frames, each done and answered before the next is read.

use tokio::time::Instant;

use crate::domain::id::ConversationId;
use crate::domain::turn::awaits_assistant;
use crate::door::http::call::parse_client_id;
use crate::service::error::Error;

use super::frame::{self, Act, FromVisitor, ToVisitor};
use super::socket::{Visitor, refuse, send_error};
use super::wire::{End, POLICY, Wire};

impl Visitor {
    /// Does what a frame of the visitor asks for.
    pub(super) async fn hear(&mut self, wire: &mut Wire, text: &str) -> Result<(), End> {
        let frame = match frame::read(text) {
            Ok(frame) => frame,
            Err(refused) => {
                wire.count_signal()?;
                return send_error(wire, &refused.error, refused.client_id.as_deref()).await;
            }
        };
        match frame {
            FromVisitor::Message { client_id, content } => {
                self.message(wire, &client_id, content).await
            }
            FromVisitor::Person { client_id } => self.act(wire, &client_id, Act::Person).await,
            FromVisitor::End { client_id } => self.act(wire, &client_id, Act::End).await,
            FromVisitor::Confirm { client_id } => self.act(wire, &client_id, Act::Confirm).await,
            FromVisitor::Typing {} => {
                wire.count_signal()?;
                self.typing();
                Ok(())
            }
            FromVisitor::Read { seq } => {
                wire.count_signal()?;
                self.read(wire, seq).await
            }
            FromVisitor::Ping {} => {
                wire.count_signal()?;
                wire.send(&ToVisitor::Pong {}).await
            }
            FromVisitor::Hello { .. } => {
                let error = Error::invalid("hello_twice", "hello has been said");
                send_error(wire, &error, None).await?;
                Err(POLICY)
            }
        }
    }

    async fn message(&mut self, wire: &mut Wire, id: &str, content: String) -> Result<(), End> {
        let service = &self.door.service;
        let posted = async {
            let client_id = parse_client_id(id)?;
            if self.conversation().is_none() {
                service.limiter().conversation(self.seat.address())?;
            }
            service
                .guest_message(
                    &self.guest,
                    client_id,
                    content,
                    self.locale.clone().map(String::from),
                )
                .await
        };
        let posted = match posted.await {
            Ok(posted) => posted,
            Err(error) => {
                wire.count_signal()?;
                return refuse(wire, &error, Some(id)).await;
            }
        };
        let message = &posted.message.message;
        wire.send(&ToVisitor::Ack {
            client_id: id.to_owned(),
            conversation: message.conversation.to_string(),
            seq: Some(message.seq),
            id: Some(message.id.to_string()),
        })
        .await?;
        self.talk().conversation = Some(message.conversation);
        if awaits_assistant(&posted.conversation.header) {
            wire.send(&ToVisitor::Typing { by: "assistant", name: "" }).await?;
        }
        Ok(())
    }

    async fn act(&mut self, wire: &mut Wire, id: &str, act: Act) -> Result<(), End> {
        wire.count_signal()?;
        let service = &self.door.service;
        let actor = &self.guest.actor();
        let done = async {
            let client_id = Some(parse_client_id(id)?);
            // A new visitor costs nothing; what one asks for who has said nothing yet counts for the address.
            if self.conversation().is_none() {
                service.limiter().conversation(self.seat.address())?;
            }
            match act {
                Act::Person => service.wish_for_person(actor, client_id, None).await,
                Act::End => service.end_by_visitor(actor, client_id, None, false).await,
                Act::Confirm => service.end_by_visitor(actor, client_id, None, true).await,
            }
        };
        match done.await {
            Ok(answer) => {
                let conversation =
                    answer.refs.conversation.map(ConversationId).or_else(|| self.conversation());
                wire.send(&ToVisitor::Ack {
                    client_id: id.to_owned(),
                    conversation: conversation.map(|it| it.to_string()).unwrap_or_default(),
                    seq: answer.refs.seq,
                    id: None,
                })
                .await
            }
            Err(error) => refuse(wire, &error, Some(id)).await,
        }
    }

    fn typing(&mut self) {
        let Some(talk) = &mut self.talk else { return };
        let Some(conversation) = talk.conversation else { return };
        let least = self.door.options.typing_interval;
        if talk.typed_at.is_some_and(|at| at.elapsed() < least) {
            return;
        }
        talk.typed_at = Some(Instant::now());
        self.door.service.type_as_guest(&self.guest, conversation, &talk.name);
    }

    async fn read(&mut self, wire: &mut Wire, seq: u64) -> Result<(), End> {
        let Some(conversation) = self.conversation() else { return Ok(()) };
        let text = conversation.to_string();
        match self.door.service.mark_read(&self.guest.actor(), &text, seq).await {
            Ok(()) => Ok(()),
            Err(error) => refuse(wire, &error, None).await,
        }
    }
}
