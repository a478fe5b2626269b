//! Protocol messages as the JSON objects of `fusion/v1`: camelCase, times in Unix milliseconds, enumerations as
//! names. What is not set is left out. Nothing here prints.

use fusionchat_proto::v1;
use serde_json::{Map, Value, json};

use crate::names;

/// A JSON object under construction.
#[derive(Default)]
pub(crate) struct Json(Map<String, Value>);

impl Json {
    fn put(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// A value that may be unset.
    fn option(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.put(name, value),
            None => self,
        }
    }

    /// A text that is empty when unset.
    fn text(self, name: &str, value: &str) -> Self {
        if value.is_empty() { self } else { self.put(name, value) }
    }

    /// An object that may be unset.
    fn object<T>(
        self,
        name: &str,
        value: Option<&T>,
        view: impl Fn(&T) -> Map<String, Value>,
    ) -> Self {
        self.option(name, value.map(|value| Value::Object(view(value))))
    }
}

pub(crate) fn actor(actor: &v1::Actor) -> Map<String, Value> {
    Json::default()
        .option("kind", names::actor_kind(actor.kind))
        .text("userId", &actor.user_id)
        .text("keyId", &actor.key_id)
        .text("name", &actor.name)
        .0
}

pub(crate) fn organization(organization: &v1::Organization) -> Map<String, Value> {
    Json::default()
        .put("id", organization.id.as_str())
        .put("name", organization.name.as_str())
        .put("createdAt", organization.created_at)
        .put("updatedAt", organization.updated_at)
        .0
}

pub(crate) fn user(user: &v1::User) -> Map<String, Value> {
    Json::default()
        .put("id", user.id.as_str())
        .text("organizationId", &user.organization_id)
        .option("externalId", user.external_id.as_deref())
        .option("email", user.email.as_deref())
        .option("name", user.name.as_deref())
        .option("role", names::role(user.role))
        .option("availability", names::availability(user.availability))
        .put("createdAt", user.created_at)
        .option("invitedUntil", user.invited_until)
        .option("disabledAt", user.disabled_at)
        .0
}

pub(crate) fn inbox(inbox: &v1::Inbox) -> Map<String, Value> {
    Json::default()
        .put("id", inbox.id.as_str())
        .text("organizationId", &inbox.organization_id)
        .put("name", inbox.name.as_str())
        .put("origins", inbox.origins.clone())
        .option("assistant", names::assistant_mode(inbox.assistant))
        .text("locale", &inbox.locale)
        .put("createdAt", inbox.created_at)
        .put("staffed", inbox.staffed)
        .put("members", inbox.members.clone())
        .put("memberNames", inbox.member_names.clone())
        .text("snippet", &inbox.snippet)
        .option("abandonAfterMs", inbox.abandon_after_ms)
        .option("noticeAfterMs", inbox.notice_after_ms)
        .option("noReplyAfterMs", inbox.no_reply_after_ms)
        .0
}

pub(crate) fn key(key: &v1::Key) -> Map<String, Value> {
    Json::default()
        .put("id", key.id.as_str())
        .text("organizationId", &key.organization_id)
        .put("name", key.name.as_str())
        .put("scopes", key.scopes.clone())
        .text("ownerId", &key.owner_id)
        .put("createdAt", key.created_at)
        .option("expiresAt", key.expires_at)
        .option("revokedAt", key.revoked_at)
        .0
}

pub(crate) fn session(session: &v1::Session) -> Map<String, Value> {
    Json::default()
        .put("id", session.id.as_str())
        .text("userId", &session.user_id)
        .put("createdAt", session.created_at)
        .put("expiresAt", session.expires_at)
        .option("endedAt", session.ended_at)
        .0
}

pub(crate) fn who(who: &v1::GetSessionResponse) -> Map<String, Value> {
    Json::default()
        .put("signedIn", true)
        .text("kind", &who.kind)
        .object("user", who.user.as_ref(), user)
        .object("organization", who.organization.as_ref(), organization)
        .object("session", who.session.as_ref(), session)
        .object("key", who.key.as_ref(), key)
        .0
}

pub(crate) fn store(store: &v1::GetServerStoreResponse) -> Map<String, Value> {
    Json::default()
        .text("engine", &store.engine)
        .put("schema", store.schema)
        .put("diskBytes", store.disk_bytes)
        .put("liveBytes", store.live_bytes)
        .put("rows", store.rows)
        .put("diskFull", store.disk_full)
        .0
}

/// Whether the daemon tells what all organizations together come to: the operator alone is told.
pub(crate) fn is_operators(server: &v1::GetServerStatusResponse) -> bool {
    server.resident_bytes > 0 || server.organizations > 0
}

pub(crate) fn server(server: &v1::GetServerStatusResponse) -> Map<String, Value> {
    let shown = Json::default()
        .put("version", server.version.as_str())
        .put("state", server.state.as_str())
        .put("startedAt", server.started_at)
        .put("now", server.now)
        .text("engine", &server.engine)
        .put("schema", server.schema)
        .text("epoch", &server.epoch)
        .put("pid", server.pid)
        .put("waiting", server.waiting)
        .text("httpUrl", &server.http_url)
        .put("httpTls", server.http_tls)
        .put("grpcTls", server.grpc_tls);
    if !is_operators(server) {
        return shown.0;
    }
    shown
        .put("storeBytes", server.store_bytes)
        .put("residentBytes", server.resident_bytes)
        .put("organizations", server.organizations)
        .put("sockets", server.sockets)
        .put("streams", server.streams)
        .0
}

pub(crate) fn escalation(escalation: &v1::Escalation) -> Map<String, Value> {
    Json::default()
        .put("id", escalation.id.as_str())
        .put("conversationId", escalation.conversation_id.as_str())
        .put("number", escalation.number)
        .text("reason", &escalation.reason)
        .object("by", escalation.by.as_ref(), actor)
        .option("to", escalation.to.as_deref())
        .text("toName", &escalation.to_name)
        .put("createdAt", escalation.created_at)
        .option("claimedBy", escalation.claimed_by.as_deref())
        .option("claimedAt", escalation.claimed_at)
        .option("endedAt", escalation.ended_at)
        .option("outcome", escalation.outcome.and_then(names::escalation_outcome))
        .0
}

pub(crate) fn waiting(row: &v1::WaitingConversation) -> Map<String, Value> {
    let mut json = row.escalation.as_ref().map(escalation).unwrap_or_default();
    let rest = Json::default()
        .put("waitingSince", row.waiting_since)
        .text("visitorId", &row.visitor_id)
        .text("visitorName", &row.visitor_name)
        .text("inboxName", &row.inbox_name)
        .text("lastLine", &row.last_line)
        .text("priority", &row.priority)
        .put("tags", row.tags.clone())
        .text("preferredName", &row.preferred_name)
        .option("offeredUntil", row.offered_until);
    json.extend(rest.0);
    json
}

pub(crate) fn conversation(conversation: &v1::Conversation) -> Map<String, Value> {
    Json::default()
        .put("id", conversation.id.as_str())
        .put("number", conversation.number)
        .text("organizationId", &conversation.organization_id)
        .text("inboxId", &conversation.inbox_id)
        .text("inboxName", &conversation.inbox_name)
        .option("status", names::status(conversation.status))
        .option("handler", names::handler(conversation.handler))
        .put("participants", conversation.participants.clone())
        .text("visitorId", &conversation.visitor_id)
        .text("visitorName", &conversation.visitor_name)
        .option("assignee", conversation.assignee.as_deref())
        .text("assigneeName", &conversation.assignee_name)
        .option("assignedAt", conversation.assigned_at)
        .put("turn", conversation.turn)
        .option("waitingSince", conversation.waiting_since)
        .option("resolution", conversation.resolution.and_then(names::resolution))
        .text("locale", &conversation.locale)
        .put("lastSeq", conversation.last_seq)
        .text("lastLine", &conversation.last_line)
        .option("lastSender", names::sender_type(conversation.last_sender))
        .put("visitorMark", conversation.visitor_mark)
        .put("staffMark", conversation.staff_mark)
        .put("createdAt", conversation.created_at)
        .put("updatedAt", conversation.updated_at)
        .put("position", conversation.position)
        .object("escalation", conversation.escalation.as_ref(), escalation)
        .put("unread", conversation.unread)
        .option("priority", names::priority(conversation.priority))
        .put("tags", conversation.tags.clone())
        .option("preferred", conversation.preferred.as_deref())
        .text("preferredName", &conversation.preferred_name)
        .option("offeredUntil", conversation.offered_until)
        .option("previous", conversation.previous)
        .option("testUntil", conversation.test_until)
        .0
}

fn source(source: &v1::Source) -> Value {
    json!({ "articleId": source.article_id, "title": source.title, "url": source.url })
}

pub(crate) fn message(message: &v1::Message) -> Map<String, Value> {
    let sources = (!message.sources.is_empty())
        .then(|| message.sources.iter().map(source).collect::<Vec<_>>());
    let system = message.system.as_ref().map(|system| {
        let params: std::collections::BTreeMap<_, _> = system.params.iter().collect();
        json!({ "code": system.code, "params": params })
    });
    Json::default()
        .put("type", "message")
        .put("id", message.id.as_str())
        .put("conversationId", message.conversation_id.as_str())
        .put("seq", message.seq)
        .option("senderType", names::sender_type(message.sender_type))
        .text("senderId", &message.sender_id)
        .text("senderName", &message.sender_name)
        .put("content", message.content.as_str())
        .option("sources", sources)
        .option("system", system)
        .put("createdAt", message.created_at)
        .put("position", message.position)
        .text("clientId", &message.client_id)
        .option("retracted", message.retracted.then_some(true))
        .text("flag", &message.flag)
        .0
}

pub(crate) fn note(note: &v1::Note) -> Map<String, Value> {
    let sources =
        (!note.sources.is_empty()).then(|| note.sources.iter().map(source).collect::<Vec<_>>());
    Json::default()
        .put("type", "note")
        .put("id", note.id.as_str())
        .put("conversationId", note.conversation_id.as_str())
        .option("senderType", names::sender_type(note.sender_type))
        .text("authorId", &note.author_id)
        .text("authorName", &note.author_name)
        .put("content", note.content.as_str())
        .option("sources", sources)
        .put("createdAt", note.created_at)
        .put("position", note.position)
        .text("clientId", &note.client_id)
        .0
}

pub(crate) fn visitor(visitor: &v1::Visitor) -> Map<String, Value> {
    Json::default()
        .put("id", visitor.id.as_str())
        .text("name", &visitor.name)
        .put("createdAt", visitor.created_at)
        .object("conversation", visitor.conversation.as_ref(), conversation)
        .0
}

pub(crate) fn entry(entry: &v1::Entry) -> Map<String, Value> {
    Json::default()
        .put("position", entry.position)
        .put("time", entry.time)
        .object("actor", entry.actor.as_ref(), actor)
        .put("kind", entry.kind.as_str())
        .text("conversationId", &entry.conversation_id)
        .option("number", entry.number)
        .text("subjectId", &entry.subject_id)
        .text("otherId", &entry.other_id)
        .text("otherName", &entry.other_name)
        .option("seq", entry.seq)
        .text("detail", &entry.detail)
        .0
}

pub(crate) fn article(article: &v1::Article) -> Map<String, Value> {
    Json::default()
        .put("id", article.id.as_str())
        .text("organizationId", &article.organization_id)
        .put("inboxes", article.inboxes.clone())
        .option("status", names::article_status(article.status))
        .text("locale", &article.locale)
        .put("title", article.title.as_str())
        .text("body", &article.body)
        .option("sourcePath", article.source_path.as_deref())
        .put("updatedAt", article.updated_at)
        .0
}

pub(crate) fn passage(passage: &v1::Passage) -> Map<String, Value> {
    Json::default()
        .put("articleId", passage.article_id.as_str())
        .put("title", passage.title.as_str())
        .text("heading", &passage.heading)
        .put("text", passage.text.as_str())
        .put("score", (f64::from(passage.score) * 10_000.0).round() / 10_000.0)
        .0
}
