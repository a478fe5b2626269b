//! Visitors: their sessions, their messages, their wish for a person. A key with the scope may speak for them.

use std::fmt;
use std::sync::Arc;

use crate::domain::actor::{Actor, Permission, Who};
use crate::domain::command::{Command, Visitor};
use crate::domain::conversation::Conversation;
use crate::domain::embed;
use crate::domain::hidden::Hidden;
use crate::domain::id::{ClientId, ConversationId, InboxId, SessionId, UserId};
use crate::domain::inbox::{AssistantMode, Inbox};
use crate::domain::name;
use crate::domain::organization::Organization;
use crate::domain::session::{Session, VISITOR_SESSION_MS};
use crate::store::table;

use super::conversation::Posted;
use super::digest::Digest;
use super::error::{Error, Kind};
use super::execute::Answer;
use super::rows::Rows;
use super::token::{self, VisitorClaims};
use super::view::{self, ConversationView};
use super::{Service, require};

/// A visitor whose session has been checked and bound. Kept for every socket, so it says nothing twice.
#[derive(Clone, Debug)]
pub struct Guest {
    /// What the token says.
    pub claims: VisitorClaims,
}

impl Guest {
    /// Acts as this.
    pub fn actor(&self) -> Actor {
        self.claims.actor()
    }
}

/// How a visitor is welcomed.
pub struct Welcome {
    /// Who they are from now on.
    pub guest: Guest,
    /// The bearer token to keep.
    pub token: String,
    /// The inbox.
    pub inbox: Inbox,
    /// Its organization.
    pub organization: Organization,
}

impl fmt::Debug for Welcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Welcome").field("guest", &self.guest).finish_non_exhaustive()
    }
}

/// The origin a page has that the browser reports as none: a file, a sandboxed frame.
const NULL_ORIGIN: &str = "null";

/// The same for an inbox that is not there and one that is not for this page: it names no inbox.
pub(super) fn origin_not_allowed(origin: &str) -> Error {
    let checked = name::origin(origin);
    let shown = checked.as_deref().unwrap_or("this page");
    let error = Error::new(
        Kind::Forbidden,
        "origin_not_allowed",
        format!("{shown} may not embed this inbox"),
    );
    match &checked {
        Ok(origin) => error.with_hint(embed::fix("INBOX", origin)),
        Err(_) => error.with_hint("serve the page over http or https; it has no origin as it is"),
    }
}

impl Service {
    /// An inbox by its public id, with its organization.
    pub async fn public_inbox(&self, id: InboxId) -> Result<(Inbox, Organization), Error> {
        let global = Rows::new(self.engine.as_ref(), crate::domain::id::OPERATOR_ORGANIZATION);
        let pointer = global.pointer(&table::inbox_organization(id)).await?;
        let organization = pointer.ok_or_else(Error::not_found)?.organization;
        let mut rows = Rows::new(self.engine.as_ref(), organization);
        rows.load(vec![table::inbox(organization, id), table::organization(organization)]).await?;
        let inbox = rows.inbox(id).await?.ok_or_else(Error::not_found)?;
        let organization = rows.this_organization().await?.ok_or_else(Error::not_found)?;
        Ok((inbox, organization))
    }

    /// Makes or continues a visitor's session in an inbox, embedded in a page of `origin`. Stores nothing.
    pub async fn welcome(
        &self,
        inbox: InboxId,
        origin: &str,
        session: Option<&str>,
    ) -> Result<Welcome, Error> {
        let found = match self.public_inbox(inbox).await {
            Ok(found) => Some(found),
            Err(error) if error.kind == Kind::NotFound => None,
            Err(error) => return Err(error),
        };
        // An inbox that is not there and one that is not for this page get the same bytes.
        let allowed = |inbox: &Inbox| origin != NULL_ORIGIN && inbox.allows(origin);
        let Some((inbox, organization)) = found.filter(|(inbox, _)| allowed(inbox)) else {
            return Err(origin_not_allowed(origin));
        };
        let continued = match session {
            Some(token) => {
                let claims = self.visitor_claims(token).ok_or_else(Error::sign_in_needed)?;
                self.check_visitor(&claims).await?;
                if claims.inbox != inbox.id || claims.origin != origin {
                    return Err(Error::sign_in_needed());
                }
                Some((token.to_owned(), claims))
            }
            None => None,
        };
        let (token, claims) = match continued {
            Some(parts) => parts,
            None => self.new_visitor(&inbox, origin)?,
        };
        let guest = Guest { claims };
        Ok(Welcome { guest, token, inbox, organization })
    }

    fn new_visitor(&self, inbox: &Inbox, origin: &str) -> Result<(String, VisitorClaims), Error> {
        let now = self.now();
        let claims = VisitorClaims {
            organization: inbox.organization,
            inbox: inbox.id,
            user: UserId(self.new_id()),
            session: SessionId(self.new_id()),
            created_at: now,
            expires_at: now + VISITOR_SESSION_MS,
            origin: origin.to_owned(),
        };
        let token = token::sign_visitor(&claims, &self.daemon.secret)?;
        Ok((token, claims))
    }

    /// What the visitor's latest conversation of the inbox is now.
    pub async fn current_conversation(
        &self,
        actor: &Actor,
    ) -> Result<Option<ConversationView>, Error> {
        let Who::Visitor { user, inbox, .. } = &actor.who else { return Err(Error::forbidden()) };
        let mut rows = self.rows(actor);
        let Some(header) = rows.latest_of(*user, *inbox).await? else { return Ok(None) };
        rows.load(view::keys_around(actor.organization, &header)).await?;
        Ok(Some(view::conversation(&rows, header).await?))
    }

    /// A guest's message: starts, continues or reopens their conversation.
    pub async fn guest_message(
        self: &Arc<Self>,
        guest: &Guest,
        client_id: ClientId,
        content: String,
        locale: Option<String>,
    ) -> Result<Posted, Error> {
        self.limits.load().message(guest.claims.user.0)?;
        let digest = message_digest(guest.claims.inbox, &content);
        let actor = guest.actor();
        let mut visitor = visitor_of(&actor)?;
        visitor.locale = locale;
        // A token says what its claims say and nothing else, so the hash it is stored by need not be kept.
        let token = token::sign_visitor(&guest.claims, &self.daemon.secret)?;
        visitor.session = Some((stored(&guest.claims), Hidden(token::hash(&token))));
        let command = Command::VisitorMessage { visitor, conversation: None, content };
        let answer = self.execute(&actor, Some(client_id), digest, command).await?;
        self.posted(&actor, &answer).await
    }

    /// A visitor's message by REST, in the conversation they named.
    pub(super) async fn post_as_visitor(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        conversation: ConversationId,
        content: String,
    ) -> Result<Posted, Error> {
        let visitor = visitor_of(actor)?;
        self.limits.load().message(visitor.user.0)?;
        let digest = message_digest(visitor.inbox, &content);
        let command =
            Command::VisitorMessage { visitor, conversation: Some(conversation), content };
        let answer = self.execute(actor, client_id, digest, command).await?;
        self.posted(actor, &answer).await
    }

    /// A key speaks for the visitor of a conversation; the entry records the key.
    pub(super) async fn post_for_visitor(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        header: &Conversation,
        content: String,
    ) -> Result<Posted, Error> {
        let visitor = Visitor {
            user: header.visitor,
            inbox: header.inbox,
            locale: None,
            session: None,
            test: false,
        };
        let digest = Digest::of("message_for").bytes(header.id.bytes()).text(&content).finish();
        let command = Command::VisitorMessage { visitor, conversation: Some(header.id), content };
        let answer = self.execute(actor, client_id, digest, command).await?;
        self.posted(actor, &answer).await
    }

    /// Starts a conversation: a visitor's own with their token, or a new visitor's by a key, which may be a test.
    pub async fn start_conversation(
        self: &Arc<Self>,
        actor: &Actor,
        token: &str,
        client_id: Option<ClientId>,
        inbox: &str,
        content: String,
        test: bool,
    ) -> Result<Posted, Error> {
        let visitor = match &actor.who {
            Who::Visitor { .. } => {
                let claims = self.visitor_claims(token).ok_or_else(Error::sign_in_needed)?;
                let mut visitor = visitor_of(actor)?;
                if self.find_inbox(actor, inbox).await?.id != visitor.inbox {
                    return Err(Error::not_found());
                }
                self.limits.load().message(visitor.user.0)?;
                visitor.session = Some((stored(&claims), Hidden(token::hash(token))));
                visitor
            }
            Who::Agent { .. } | Who::Key { .. } => {
                require(actor, Permission::PostAsVisitor)?;
                let inbox = self.find_inbox_or_only(actor, inbox).await?.id;
                // The new visitor follows from the client id, so that a repeat names the same one.
                let user = client_id.map_or_else(|| self.new_id(), |id| derived(actor, id));
                Visitor { user: UserId(user), inbox, locale: None, session: None, test }
            }
            Who::Operator { .. } | Who::Assistant | Who::System => return Err(Error::forbidden()),
        };
        let digest = if test {
            Digest::of("test_message").bytes(visitor.inbox.bytes()).text(&content).finish()
        } else {
            message_digest(visitor.inbox, &content)
        };
        let command = Command::VisitorMessage { visitor, conversation: None, content };
        let answer = self.execute(actor, client_id, digest, command).await?;
        self.posted(actor, &answer).await
    }

    /// "Talk to a person".
    pub async fn wish_for_person(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        conversation: Option<ConversationId>,
    ) -> Result<Answer, Error> {
        let visitor = visitor_of(actor)?;
        // Counted like a message: else one visitor, asking without end, would use up what all of them may send.
        self.limits.load().message(visitor.user.0)?;
        let digest = Digest::of("wish").bytes(visitor.inbox.bytes()).finish();
        let command = Command::VisitorWish { visitor, conversation };
        self.execute(actor, client_id, digest, command).await
    }

    /// The visitor ends their conversation; `confirmed` if they say that it helped.
    pub async fn end_by_visitor(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        conversation: Option<ConversationId>,
        confirmed: bool,
    ) -> Result<Answer, Error> {
        let visitor = visitor_of(actor)?;
        self.limits.load().message(visitor.user.0)?;
        let name = if confirmed { "confirm" } else { "end" };
        let digest = Digest::of(name).bytes(visitor.inbox.bytes()).finish();
        let command = Command::VisitorEnd { visitor, conversation, confirmed };
        self.execute(actor, client_id, digest, command).await
    }

    /// Whether a member of the visitor's inbox is accepting.
    pub async fn is_staffed_for(&self, actor: &Actor) -> Result<bool, Error> {
        let inbox = self.rows(actor).inbox(visitor_of(actor)?.inbox).await?;
        self.is_staffed(&inbox.ok_or_else(Error::not_found)?).await
    }
}

/// What a visitor is told of the assistant: of drafts for staff, nothing.
pub fn assistant_word(mode: AssistantMode) -> &'static str {
    match mode {
        AssistantMode::On => "on",
        AssistantMode::Off | AssistantMode::DraftOnly => "off",
    }
}

fn visitor_of(actor: &Actor) -> Result<Visitor, Error> {
    match &actor.who {
        Who::Visitor { user, inbox, .. } => {
            Ok(Visitor { user: *user, inbox: *inbox, locale: None, session: None, test: false })
        }
        Who::Agent { .. }
        | Who::Key { .. }
        | Who::Operator { .. }
        | Who::Assistant
        | Who::System => Err(Error::forbidden()),
    }
}

/// The session row the first message creates.
fn stored(claims: &VisitorClaims) -> Session {
    Session {
        id: claims.session,
        user: claims.user,
        inbox: Some(claims.inbox),
        origin: Some(claims.origin.clone()),
        created_at: claims.created_at,
        expires_at: claims.expires_at,
        ended_at: None,
        position: 0,
    }
}

fn message_digest(inbox: InboxId, content: &str) -> [u8; 32] {
    Digest::of("visitor_message").bytes(inbox.bytes()).text(content).finish()
}

/// An id that follows from a sender and its client id.
fn derived(actor: &Actor, client_id: ClientId) -> uuid::Uuid {
    let key = match &actor.who {
        Who::Key { key, .. } | Who::Operator { key } => key.0,
        Who::Agent { user, .. } | Who::Visitor { user, .. } => user.0,
        Who::Assistant | Who::System => uuid::Uuid::nil(),
    };
    let digest = Digest::of("visitor").bytes(key.as_bytes()).bytes(&client_id.0).finish();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
