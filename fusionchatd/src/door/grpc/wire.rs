//! Rows as messages of the protocol, and the protocol's numbers as values. Nothing is looked up
//! here: names come with the views.

use fusionchat_proto::v1;

use crate::domain::article::{Article, ArticleStatus};
use crate::domain::conversation::{Handler, Resolution, Status};
use crate::domain::entry::{ActorKind, ActorRef};
use crate::domain::escalation::Outcome;
use crate::domain::id::ClientId;
use crate::domain::inbox::AssistantMode;
use crate::domain::key::Key;
use crate::domain::message::{SenderType, Source, SystemLine};
use crate::domain::organization::Organization;
use crate::domain::priority::Priority;
use crate::domain::session::Session;
use crate::domain::user::{Availability, Role, User};
use crate::search::index::Hit;
use crate::service::ephemeral::Typing;
use crate::service::error::Error;
use crate::service::status::{ServerStatus, Whole};
use crate::service::subscribe::Cursor;
use crate::service::view::{ConversationView, EscalationView, MessageView, NoteView};

use super::problem::invalid;

/// The client id that every command which changes something carries.
pub(super) fn client_id(text: &str) -> Result<ClientId, Error> {
    text.parse().map_err(|_| {
        let what = if text.is_empty() { "the client_id is missing" } else { "bad client_id" };
        invalid(what, "send 128 random bits as 32 lower-case hex digits; keep them for a retry")
    })
}

/// A text that may be left out.
pub(super) fn given(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// A number of an enumeration that this version does not know, or that may not be left out.
fn unknown(field: &str, number: i32) -> Error {
    invalid(
        format!("{field} {number} has no meaning here"),
        "send one of the values of this version of the protocol",
    )
}

/// The status of a filter.
pub(super) fn status_of(number: i32) -> Result<Status, Error> {
    match v1::Status::try_from(number) {
        Ok(v1::Status::Open) => Ok(Status::Open),
        Ok(v1::Status::Resolved) => Ok(Status::Resolved),
        Ok(v1::Status::Escalated) => Ok(Status::Escalated),
        Ok(v1::Status::Unspecified) | Err(_) => Err(unknown("status", number)),
    }
}

/// The resolution asked for; an agent's if none is.
pub(super) fn resolution_of(number: i32) -> Result<Resolution, Error> {
    match v1::Resolution::try_from(number) {
        Ok(v1::Resolution::Confirmed) => Ok(Resolution::Confirmed),
        Ok(v1::Resolution::Unspecified | v1::Resolution::Agent) => Ok(Resolution::Agent),
        Ok(v1::Resolution::Duplicate) => Ok(Resolution::Duplicate),
        Ok(v1::Resolution::Spam) => Ok(Resolution::Spam),
        Ok(v1::Resolution::Visitor) => Ok(Resolution::Visitor),
        Ok(v1::Resolution::Abandoned) => Ok(Resolution::Abandoned),
        Ok(v1::Resolution::NoReply) => Ok(Resolution::NoReply),
        Err(_) => Err(unknown("resolution", number)),
    }
}

/// The sender type a message claims, if it claims one.
pub(super) fn sender_type_of(number: i32) -> Result<Option<SenderType>, Error> {
    match v1::SenderType::try_from(number) {
        Ok(v1::SenderType::Unspecified) => Ok(None),
        Ok(v1::SenderType::User) => Ok(Some(SenderType::User)),
        Ok(v1::SenderType::Agent) => Ok(Some(SenderType::Agent)),
        Ok(v1::SenderType::Assistant) => Ok(Some(SenderType::Assistant)),
        Ok(v1::SenderType::System) => Ok(Some(SenderType::System)),
        Err(_) => Err(unknown("sender_type", number)),
    }
}

/// A new user's role; whether it may be that one is not for a door to say.
pub(super) fn role_of(number: i32) -> Result<Role, Error> {
    match v1::Role::try_from(number) {
        Ok(v1::Role::Admin) => Ok(Role::Admin),
        Ok(v1::Role::Agent) => Ok(Role::Agent),
        Ok(v1::Role::User | v1::Role::Unspecified) | Err(_) => Err(unknown("role", number)),
    }
}

/// The availability to set.
pub(super) fn availability_of(number: i32) -> Result<Availability, Error> {
    match v1::Availability::try_from(number) {
        Ok(v1::Availability::Accepting) => Ok(Availability::Accepting),
        Ok(v1::Availability::Busy) => Ok(Availability::Busy),
        Ok(v1::Availability::Away) => Ok(Availability::Away),
        Ok(v1::Availability::Unspecified) | Err(_) => Err(unknown("availability", number)),
    }
}

/// A new inbox's assistant mode; on if nothing is said.
pub(super) fn assistant_mode_of(number: i32) -> Result<AssistantMode, Error> {
    match v1::AssistantMode::try_from(number) {
        Ok(v1::AssistantMode::Unspecified | v1::AssistantMode::On) => Ok(AssistantMode::On),
        Ok(v1::AssistantMode::Off) => Ok(AssistantMode::Off),
        Ok(v1::AssistantMode::DraftOnly) => Ok(AssistantMode::DraftOnly),
        Err(_) => Err(unknown("assistant", number)),
    }
}

/// An article's status, if it is said.
pub(super) fn article_status_of(number: i32) -> Result<Option<ArticleStatus>, Error> {
    match v1::ArticleStatus::try_from(number) {
        Ok(v1::ArticleStatus::Unspecified) => Ok(None),
        Ok(v1::ArticleStatus::Draft) => Ok(Some(ArticleStatus::Draft)),
        Ok(v1::ArticleStatus::Published) => Ok(Some(ArticleStatus::Published)),
        Err(_) => Err(unknown("status", number)),
    }
}

fn status(status: Status) -> v1::Status {
    match status {
        Status::Open => v1::Status::Open,
        Status::Resolved => v1::Status::Resolved,
        Status::Escalated => v1::Status::Escalated,
    }
}

fn handler(handler: Handler) -> v1::Handler {
    match handler {
        Handler::Assistant => v1::Handler::Assistant,
        Handler::Agent => v1::Handler::Agent,
        Handler::None => v1::Handler::None,
    }
}

fn resolution(resolution: Resolution) -> v1::Resolution {
    match resolution {
        Resolution::Confirmed => v1::Resolution::Confirmed,
        Resolution::Agent => v1::Resolution::Agent,
        Resolution::Duplicate => v1::Resolution::Duplicate,
        Resolution::Spam => v1::Resolution::Spam,
        Resolution::Visitor => v1::Resolution::Visitor,
        Resolution::Abandoned => v1::Resolution::Abandoned,
        Resolution::NoReply => v1::Resolution::NoReply,
    }
}

/// The priority to set.
pub(super) fn priority_of(number: i32) -> Result<Priority, Error> {
    match v1::Priority::try_from(number) {
        Ok(v1::Priority::Normal) => Ok(Priority::Normal),
        Ok(v1::Priority::Low) => Ok(Priority::Low),
        Ok(v1::Priority::High) => Ok(Priority::High),
        Ok(v1::Priority::Urgent) => Ok(Priority::Urgent),
        Ok(v1::Priority::Unspecified) | Err(_) => Err(unknown("priority", number)),
    }
}

fn priority(priority: Priority) -> v1::Priority {
    match priority {
        Priority::Normal => v1::Priority::Normal,
        Priority::Low => v1::Priority::Low,
        Priority::High => v1::Priority::High,
        Priority::Urgent => v1::Priority::Urgent,
    }
}

pub(super) fn sender_type(sender_type: SenderType) -> v1::SenderType {
    match sender_type {
        SenderType::User => v1::SenderType::User,
        SenderType::Agent => v1::SenderType::Agent,
        SenderType::Assistant => v1::SenderType::Assistant,
        SenderType::System => v1::SenderType::System,
    }
}

fn outcome(outcome: Outcome) -> v1::EscalationOutcome {
    match outcome {
        Outcome::Claimed => v1::EscalationOutcome::Claimed,
        Outcome::Returned => v1::EscalationOutcome::Returned,
        Outcome::Resolved => v1::EscalationOutcome::Resolved,
        Outcome::Abandoned => v1::EscalationOutcome::Abandoned,
    }
}

pub(super) fn actor_kind(kind: ActorKind) -> v1::actor::Kind {
    match kind {
        ActorKind::Visitor => v1::actor::Kind::Visitor,
        ActorKind::Agent => v1::actor::Kind::Agent,
        ActorKind::Assistant => v1::actor::Kind::Assistant,
        ActorKind::Key => v1::actor::Kind::Key,
        ActorKind::Operator => v1::actor::Kind::Operator,
        ActorKind::System => v1::actor::Kind::System,
    }
}

pub(super) fn actor(actor: &ActorRef, name: &str) -> v1::Actor {
    v1::Actor {
        kind: actor_kind(actor.kind).into(),
        user_id: actor.user.map(|it| it.to_string()).unwrap_or_default(),
        key_id: actor.key.map(|it| it.to_string()).unwrap_or_default(),
        name: name.to_owned(),
    }
}

pub(super) fn cursor(cursor: Cursor) -> v1::Cursor {
    v1::Cursor { epoch: cursor.epoch.to_string(), position: cursor.position }
}

pub(super) fn conversation(view: &ConversationView) -> v1::Conversation {
    let header = &view.header;
    v1::Conversation {
        id: header.id.to_string(),
        number: header.number,
        organization_id: header.organization.to_string(),
        inbox_id: header.inbox.to_string(),
        inbox_name: view.inbox_name.clone(),
        status: status(header.status).into(),
        handler: handler(header.handler).into(),
        participants: header.participants.iter().map(ToString::to_string).collect(),
        visitor_id: header.visitor.to_string(),
        visitor_name: view.visitor_name.clone(),
        assignee: header.assignee.map(|it| it.to_string()),
        assignee_name: view.assignee_name.clone(),
        assigned_at: header.assigned_at,
        turn: header.turn,
        waiting_since: header.waiting_since,
        resolution: header.resolution.map(|it| resolution(it).into()),
        locale: header.locale.clone(),
        last_seq: header.last_seq,
        last_line: header.last_line.clone(),
        last_sender: sender_type(header.line_sender).into(),
        visitor_mark: header.visitor_mark,
        staff_mark: header.staff_mark,
        created_at: header.created_at,
        updated_at: header.updated_at,
        position: header.position,
        escalation: view.escalation.as_ref().map(escalation),
        unread: header.unread,
        priority: priority(header.priority).into(),
        tags: header.tags.clone(),
        preferred: header.last_agent.map(|it| it.to_string()),
        preferred_name: view.preferred_name.clone(),
        offered_until: header.offer.map(|it| it.due),
        previous: view.previous,
        test_until: header.expires_at,
    }
}

/// A row of the live queue; none for a conversation that does not wait.
pub(super) fn waiting(view: &ConversationView) -> Option<v1::WaitingConversation> {
    Some(v1::WaitingConversation {
        escalation: Some(escalation(view.escalation.as_ref()?)),
        waiting_since: view.header.waiting_since.unwrap_or(view.header.updated_at),
        visitor_name: view.visitor_name.clone(),
        visitor_id: view.header.visitor.to_string(),
        inbox_name: view.inbox_name.clone(),
        last_line: view.header.last_line.clone(),
        priority: view.header.priority.name().to_owned(),
        tags: view.header.tags.clone(),
        preferred_name: view.preferred_name.clone(),
        offered_until: view.header.offer.map(|it| it.due),
    })
}

pub(super) fn escalation(view: &EscalationView) -> v1::Escalation {
    let row = &view.escalation;
    v1::Escalation {
        id: row.id.to_string(),
        conversation_id: row.conversation.to_string(),
        number: view.number,
        reason: row.reason.clone(),
        by: Some(actor(&row.by, &view.by_name)),
        to: row.to.map(|it| it.to_string()),
        created_at: row.created_at,
        claimed_by: row.claimed_by.map(|it| it.to_string()),
        claimed_at: row.claimed_at,
        ended_at: row.ended_at,
        outcome: row.outcome.map(|it| outcome(it).into()),
        to_name: view.to_name.clone(),
    }
}

/// A message; `public_url` is where visitors reach the articles it names.
pub(super) fn message(view: &MessageView, public_url: &str) -> v1::Message {
    let row = &view.message;
    v1::Message {
        id: row.id.to_string(),
        conversation_id: row.conversation.to_string(),
        seq: row.seq,
        sender_type: sender_type(row.sender_type).into(),
        sender_id: row.sender.map(|it| it.to_string()).unwrap_or_default(),
        sender_name: view.sender_name.clone(),
        content: row.content.clone(),
        sources: sources(&row.sources, public_url).collect(),
        system: row.system.as_ref().map(system_line),
        created_at: row.created_at,
        position: row.position,
        client_id: row.client_id.map(|it| it.to_string()).unwrap_or_default(),
        retracted: row.retracted,
        flag: row.flag.clone().unwrap_or_default(),
    }
}

pub(super) fn system_line(line: &SystemLine) -> v1::SystemLine {
    v1::SystemLine { code: line.code.clone(), params: line.params.iter().cloned().collect() }
}

pub(super) fn sources(rows: &[Source], public_url: &str) -> impl Iterator<Item = v1::Source> {
    rows.iter().map(move |source| v1::Source {
        article_id: source.article.to_string(),
        title: source.title.clone(),
        url: format!("{public_url}/a/{}", source.article),
        locale: source.locale.clone().unwrap_or_default(),
    })
}

pub(super) fn note(view: &NoteView, public_url: &str) -> v1::Note {
    let row = &view.note;
    v1::Note {
        id: row.id.to_string(),
        conversation_id: row.conversation.to_string(),
        author_id: row.author.map(|it| it.to_string()).unwrap_or_default(),
        author_name: view.author_name.clone(),
        content: row.content.clone(),
        created_at: row.created_at,
        position: row.position,
        client_id: row.client_id.map(|it| it.to_string()).unwrap_or_default(),
        sender_type: sender_type(view.sender_type()).into(),
        sources: sources(&row.sources, public_url).collect(),
    }
}

pub(super) fn typing(typing: &Typing) -> v1::Typing {
    v1::Typing {
        conversation_id: typing.place.conversation.to_string(),
        actor: Some(actor(&typing.actor, &typing.name)),
        note: typing.note,
    }
}

pub(super) fn user(user: &User) -> v1::User {
    let role = match user.role {
        Role::Admin => v1::Role::Admin,
        Role::Agent => v1::Role::Agent,
        Role::User => v1::Role::User,
    };
    let availability = match user.availability {
        Availability::Accepting => v1::Availability::Accepting,
        Availability::Busy => v1::Availability::Busy,
        Availability::Away => v1::Availability::Away,
    };
    v1::User {
        id: user.id.to_string(),
        organization_id: user.organization.to_string(),
        external_id: user.external_id.clone(),
        email: user.email.clone(),
        name: user.name.clone(),
        role: role.into(),
        availability: availability.into(),
        created_at: user.created_at,
        invited_until: user.invited_until,
        disabled_at: user.disabled_at,
    }
}

pub(super) fn organization(organization: &Organization) -> v1::Organization {
    v1::Organization {
        id: organization.id.to_string(),
        name: organization.name.clone(),
        created_at: organization.created_at,
        updated_at: organization.updated_at,
    }
}

pub(super) fn key(key: &Key) -> v1::Key {
    v1::Key {
        id: key.id.to_string(),
        organization_id: key.organization.to_string(),
        name: key.name.clone(),
        scopes: key.scopes.clone(),
        owner_id: key.owner.map(|it| it.to_string()).unwrap_or_default(),
        created_at: key.created_at,
        expires_at: key.expires_at,
        revoked_at: key.revoked_at,
    }
}

pub(super) fn session(session: &Session) -> v1::Session {
    v1::Session {
        id: session.id.to_string(),
        user_id: session.user.to_string(),
        created_at: session.created_at,
        expires_at: session.expires_at,
        ended_at: session.ended_at,
    }
}

/// An article with its body; lists clear the body.
pub(super) fn article(article: Article) -> v1::Article {
    let status = match article.status {
        ArticleStatus::Draft => v1::ArticleStatus::Draft,
        ArticleStatus::Published => v1::ArticleStatus::Published,
    };
    v1::Article {
        id: article.id.to_string(),
        organization_id: article.organization.to_string(),
        inboxes: article.inboxes.iter().map(ToString::to_string).collect(),
        status: status.into(),
        locale: article.locale,
        title: article.title,
        body: article.body,
        source_path: article.source_path,
        updated_at: article.updated_at,
    }
}

pub(super) fn passage(hit: Hit) -> v1::Passage {
    v1::Passage {
        article_id: hit.article.to_string(),
        title: hit.title,
        heading: hit.heading,
        text: hit.text,
        score: hit.score,
        locale: hit.language,
    }
}

pub(super) fn server_status(status: ServerStatus) -> v1::GetServerStatusResponse {
    let whole = |figure: fn(Whole) -> u32| status.whole.map_or(0, figure);
    v1::GetServerStatusResponse {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        state: status.state.to_owned(),
        started_at: status.started_at,
        now: status.now,
        engine: status.engine.to_owned(),
        schema: status.schema,
        epoch: status.epoch,
        store_bytes: status.whole.map_or(0, |it| it.store_bytes),
        resident_bytes: status.whole.map_or(0, |it| it.resident_bytes),
        pid: status.pid,
        organizations: whole(|it| it.organizations),
        sockets: whole(|it| it.sockets),
        streams: whole(|it| it.streams),
        waiting: status.waiting,
        http_url: status.http_url,
        http_tls: status.http_tls,
        grpc_tls: status.grpc_tls,
    }
}
