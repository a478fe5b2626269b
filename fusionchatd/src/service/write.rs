//! What an event writes: the journal entry and every row and index beside it, all in the same batch.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::domain::article::Article;
use crate::domain::conversation::Conversation;
use crate::domain::entry::EntryKind;
use crate::domain::event::{Content, Event};
use crate::domain::id::{InboxId, OrganizationId, SessionId, UserId};
use crate::domain::inbox::Inbox;
use crate::domain::key::Key;
use crate::domain::lane::Lane;
use crate::domain::message::Message;
use crate::domain::organization::Organization;
use crate::domain::session::Session;
use crate::domain::timer::{Due, TimerKind};
use crate::domain::user::{Credential, User};
use crate::store::record::{Number, PasswordHash, Pointer};
use crate::store::table;

use super::erase::erase_some;
use super::error::Error;
use super::rows::Rows;

/// The timers of a subject, each with the turn it was set in.
type Timers = BTreeMap<Due, u64>;

/// Writes one event into the layer.
pub(super) async fn write(rows: &mut Rows<'_>, event: &Event) -> Result<(), Error> {
    let organization = rows.organization();
    rows.put(table::entry(organization, event.entry.position), &event.entry);
    if let Some(escalation) = &event.escalation {
        rows.put(table::escalation(organization, escalation.id), escalation);
        if escalation.ended_at.is_none() {
            let (of, id) = (escalation.conversation, escalation.id);
            let key = table::conversation_escalation(organization, of, id);
            rows.put(key, &pointer(organization, id.0));
        }
    }
    if let Some(conversation) = &event.conversation {
        write_header(rows, event, conversation).await?;
    }
    match &event.content {
        Content::None => {}
        Content::Message(message) | Content::Flagged(message) => put_message(rows, message),
        Content::Retracted { line, message } => {
            put_message(rows, message);
            put_message(rows, line);
        }
        Content::Deleted(header) => erase(rows, header).await?,
        Content::Note(note) => {
            rows.put(table::note(organization, note.conversation, note.position), note);
        }
        Content::Organization(new) => write_organization(rows, new).await?,
        Content::User(user, credential) => {
            write_user(rows, user).await?;
            write_credential(rows, user.id, credential).await?;
        }
        Content::Inbox(inbox) => write_inbox(rows, inbox).await?,
        Content::Key(key, secret) => write_key(rows, key, secret.0).await?,
        Content::KeyRevoked(id) => {
            if let Some(mut row) = rows.api_key(*id).await? {
                row.revoked_at = Some(event.entry.time);
                rows.put(table::api_key(organization, *id), &row);
            }
        }
        Content::Session(session, token) => write_session(rows, session, &token.0).await?,
        Content::SessionEnded(id) => end_session(rows, *id, event.entry.time).await?,
        Content::Article(article) => write_article(rows, article).await?,
        Content::ArticleDeleted(id) => {
            if let Some(path) = rows.article(*id).await?.and_then(|row| row.source_path) {
                rows.delete(table::article_path(organization, &path));
            }
            let global = table::article_organization(*id);
            rows.expect_unchanged(&global).await?;
            rows.delete(global);
            rows.delete(table::article(organization, *id));
        }
    }
    Ok(())
}

fn put_message(rows: &mut Rows<'_>, message: &Message) {
    let organization = rows.organization();
    rows.put(table::message(organization, message.conversation, message.seq), message);
}

async fn write_organization(rows: &mut Rows<'_>, new: &Organization) -> Result<(), Error> {
    let name = table::organization_name(&new.name);
    rows.expect_unchanged(&name).await?;
    rows.put(name, &pointer(new.id, new.id.0));
    rows.put(table::organization(new.id), new);
    Ok(())
}

async fn write_article(rows: &mut Rows<'_>, article: &Article) -> Result<(), Error> {
    let organization = rows.organization();
    let row = pointer(organization, article.id.0);
    if let Some(path) = &article.source_path {
        rows.put(table::article_path(organization, path), &row);
    }
    let global = table::article_organization(article.id);
    rows.expect_unchanged(&global).await?;
    rows.put(global, &row);
    rows.put(table::article(organization, article.id), article);
    Ok(())
}

fn pointer(organization: OrganizationId, subject: Uuid) -> Pointer {
    Pointer { organization, subject, secret: None }
}

/// The header, and the indexes and timer that follow from it.
async fn write_header(rows: &mut Rows<'_>, event: &Event, now: &Conversation) -> Result<(), Error> {
    let organization = rows.organization();
    let before = rows.conversation(now.id).await?;
    if event.entry.kind == EntryKind::ConversationStarted {
        let row = pointer(organization, now.id.0);
        rows.put(table::conversation_number(organization, now.number), &row);
        rows.put(table::visitor_conversation(organization, now.visitor, now.inbox), &row);
    }
    let place = |it: &Conversation| (Lane::of(it), it.rank);
    if before.as_ref().map(place) != Some(place(now)) {
        if let Some(before) = &before {
            rows.delete(table::by_lane(organization, Lane::of(before), before.rank));
        }
        let key = table::by_lane(organization, Lane::of(now), now.rank);
        rows.put(key, &pointer(organization, now.id.0));
    }
    // A test is on nobody's list.
    let held =
        |it: &Conversation| it.assignee.filter(|_| !it.is_test()).map(|user| (user, it.rank));
    let was = before.as_ref().and_then(held);
    if was != held(now) {
        if let Some((user, rank)) = was {
            rows.delete(table::by_assignee(organization, user, rank));
        }
        if let Some((user, rank)) = held(now) {
            let key = table::by_assignee(organization, user, rank);
            rows.put(key, &pointer(organization, now.id.0));
        }
    }
    let were = before.as_ref().map(timers).unwrap_or_default();
    write_timers(rows, now.id.0, &were, &timers(now));
    rows.put(table::conversation(organization, now.id), now);
    Ok(())
}

fn timers(header: &Conversation) -> Timers {
    header.timers().map(|due| (due, header.turn)).collect()
}

/// Removes a test conversation: the indexes that name it, its timers, the visitor it was made for, and its rows as far
/// as they fit. While any is left its last timer stands.
async fn erase(rows: &mut Rows<'_>, header: &Conversation) -> Result<(), Error> {
    let (organization, id) = (rows.organization(), header.id);
    let whole = erase_some(rows, id).await?;
    let latest = table::visitor_conversation(organization, header.visitor, header.inbox);
    if rows.pointer(&latest).await?.is_some_and(|it| it.subject == id.0) {
        rows.delete(latest);
        rows.delete(table::user(organization, header.visitor));
    }
    let mut timers = timers(header);
    timers.retain(|due, _| whole || due.kind != TimerKind::TestExpiry);
    write_timers(rows, id.0, &timers, &Timers::new());
    rows.delete(table::by_lane(organization, Lane::of(header), header.rank));
    rows.delete(table::conversation_number(organization, header.number));
    rows.delete(table::conversation(organization, id));
    Ok(())
}

/// Sets and takes away the timers of one subject: those it had, and those it has now, each with its turn.
fn write_timers(rows: &mut Rows<'_>, subject: Uuid, were: &Timers, are: &Timers) {
    let organization = rows.organization();
    for (due, _) in were.iter().filter(|(due, _)| !are.contains_key(due)) {
        rows.delete(table::timer(due.at, organization, due.kind, subject));
    }
    for (due, turn) in are.iter().filter(|(due, turn)| were.get(due) != Some(turn)) {
        rows.put(table::timer(due.at, organization, due.kind, subject), &Number(*turn));
    }
}

async fn write_user(rows: &mut Rows<'_>, user: &User) -> Result<(), Error> {
    let organization = rows.organization();
    if user.is_staff() {
        let before = rows.user(user.id).await?;
        if let Some(name) = before.as_ref().and_then(|it| it.name.as_ref()) {
            rows.delete(table::user_name(organization, name));
        }
        let were = before.as_ref().map(|it| it.timers().collect()).unwrap_or_default();
        write_timers(rows, user.id.0, &were, &user.timers().collect());
        let row = pointer(organization, user.id.0);
        if let Some(name) = &user.name {
            rows.put(table::user_name(organization, name), &row);
        }
        if let Some(email) = &user.email {
            rows.put(table::user_email(organization, email), &row);
            let global = table::sign_in(email, organization);
            rows.expect_unchanged(&global).await?;
            rows.put(global, &row);
        }
    }
    rows.put(table::user(organization, user.id), user);
    Ok(())
}

/// A user's password and one-time code. There is at most one code, and none beside a password that it led to.
async fn write_credential(
    rows: &mut Rows<'_>,
    user: UserId,
    credential: &Credential,
) -> Result<(), Error> {
    let organization = rows.organization();
    let password = table::password(organization, user);
    match credential {
        Credential::Same => {}
        Credential::NoCode => forget_code(rows, user).await?,
        Credential::Password(hash) => {
            forget_code(rows, user).await?;
            rows.put(password, &PasswordHash(hash.0.clone()));
        }
        Credential::Code(code) => {
            forget_code(rows, user).await?;
            rows.delete(password);
            let global = table::invite(&code.0);
            rows.expect_unchanged(&global).await?;
            rows.put(global, &pointer(organization, user.0));
            let row = Pointer { organization, subject: user.0, secret: Some(code.0) };
            rows.put(table::user_invite(organization, user), &row);
        }
    }
    Ok(())
}

async fn forget_code(rows: &mut Rows<'_>, user: UserId) -> Result<(), Error> {
    let key = table::user_invite(rows.organization(), user);
    if let Some(Pointer { secret: Some(code), .. }) = rows.pointer(&key).await? {
        let global = table::invite(&code);
        rows.expect_unchanged(&global).await?;
        rows.delete(global);
        rows.delete(key);
    }
    Ok(())
}

async fn write_inbox(rows: &mut Rows<'_>, inbox: &Inbox) -> Result<(), Error> {
    let organization = rows.organization();
    let row = pointer(organization, inbox.id.0);
    let global = table::inbox_organization(inbox.id);
    rows.expect_unchanged(&global).await?;
    rows.put(global, &row);
    if let Some(before) = rows.inbox(inbox.id).await?
        && before.name != inbox.name
    {
        rows.delete(table::inbox_name(organization, &before.name));
    }
    rows.put(table::inbox_name(organization, &inbox.name), &row);
    rows.put(table::inbox(organization, inbox.id), inbox);
    Ok(())
}

async fn write_key(rows: &mut Rows<'_>, key: &Key, secret: [u8; 32]) -> Result<(), Error> {
    let organization = rows.organization();
    let global = table::api_key_secret(key.id);
    rows.expect_unchanged(&global).await?;
    rows.put(global, &Pointer { organization, subject: key.id.0, secret: Some(secret) });
    rows.put(table::api_key(organization, key.id), key);
    Ok(())
}

async fn write_session(
    rows: &mut Rows<'_>,
    session: &Session,
    token: &[u8; 32],
) -> Result<(), Error> {
    let organization = rows.organization();
    let global = table::session_token(token);
    rows.expect_unchanged(&global).await?;
    let row = pointer(organization, session.id.0);
    rows.put(global, &row);
    if session.inbox.is_none() {
        rows.put(table::staff_session(organization, session.user, session.id), &row);
    }
    rows.put(table::session(organization, session.id), session);
    Ok(())
}

async fn end_session(rows: &mut Rows<'_>, id: SessionId, now: i64) -> Result<(), Error> {
    let organization = rows.organization();
    if let Some(mut row) = rows.session(id).await? {
        row.ended_at = Some(now);
        rows.put(table::session(organization, id), &row);
    }
    Ok(())
}

/// The visitor whose topic hears of an event.
pub(super) fn audience(event: &Event) -> Option<(UserId, InboxId)> {
    event.conversation.as_ref().map(|it| (it.visitor, it.inbox))
}
