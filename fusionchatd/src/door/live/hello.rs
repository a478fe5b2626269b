//! What a hello needs: who may come in, what they find, and where they go on.

use std::sync::Arc;

use crate::domain::id::InboxId;
use crate::door::http::wire::conversation::VisitorConversation;
use crate::service::Service;
use crate::service::error::Error;
use crate::service::view::ConversationView;
use crate::service::visitor::{Guest, Welcome, assistant_word};

use super::frame::{self, InboxFrame, ToVisitor};
use super::wire::{End, Wire};

/// Lets a visitor in.
pub(super) async fn admit(
    service: &Arc<Service>,
    inbox: &str,
    origin: &str,
    session: Option<&str>,
) -> Result<Welcome, Error> {
    let inbox = inbox.parse::<InboxId>().map_err(|_| Error::not_found())?;
    let welcome = service.welcome(inbox, origin, session).await?;
    // A session made this moment has said no hello before; counting it would only fill the map.
    if session.is_some() {
        service.limiter().hello(welcome.guest.claims.session.0)?;
    }
    Ok(welcome)
}

/// Reads what the welcome says. A session that was continued is checked once more, now that its end
/// would wake us.
pub(super) async fn look(
    service: &Arc<Service>,
    guest: &Guest,
    continued: bool,
) -> Result<(Option<ConversationView>, bool), Error> {
    if continued {
        service.check_visitor(&guest.claims).await?;
    }
    let conversation = service.current_conversation(&guest.actor()).await?;
    Ok((conversation, service.is_staffed_for(&guest.actor()).await?))
}

/// Where a client goes on, if its cursor is one of this conversation.
pub(super) fn resumed(
    service: &Service,
    conversation: Option<&ConversationView>,
    resume: &serde_json::Value,
) -> Option<u64> {
    let header = &conversation?.header;
    let (conversation, epoch, seq) = frame::cursor(resume)?;
    let known = conversation == header.id && epoch == service.epoch() && seq <= header.last_seq;
    known.then_some(seq)
}

pub(super) async fn say_welcome(
    wire: &mut Wire,
    service: &Service,
    welcome: &Welcome,
    conversation: Option<&ConversationView>,
    staffed: bool,
) -> Result<(), End> {
    let inbox = InboxFrame {
        id: welcome.inbox.id.to_string(),
        name: &welcome.inbox.name,
        locale: &welcome.inbox.locale,
        assistant: assistant_word(welcome.inbox.assistant),
        staffed,
    };
    wire.send(&ToVisitor::Welcome {
        session: &welcome.token,
        expires_at: welcome.guest.claims.expires_at,
        epoch: service.epoch().to_string(),
        organization: &welcome.organization.name,
        inbox,
        conversation: conversation.map(VisitorConversation::from),
    })
    .await
}
