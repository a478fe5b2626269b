//! Organizations, inboxes, keys, sessions and articles.

use crate::domain::command::Command;
use crate::domain::entry::EntryKind;
use crate::domain::event::Content;
use crate::domain::facts::Facts;
use crate::domain::hidden::Hidden;
use crate::domain::id::KeyId;
use crate::domain::key::{Key, SCOPES_MAX};
use crate::domain::name;
use crate::domain::organization::Organization;
use crate::domain::rejection::Rejection;
use crate::domain::session::Session;

use super::script::Script;
use super::{Decision, Refs, article, inbox};

/// Decides a command outside conversations.
pub(super) fn decide(
    mut script: Script<'_>,
    facts: &Facts,
    command: &Command,
) -> Result<Decision, Rejection> {
    if let Some(what) = facts.taken {
        return Err(Rejection::Taken { what });
    }
    let refs = match command {
        Command::CreateOrganization { id, name } => {
            let now = script.moment.now;
            let name = name::slug(name)?;
            let organization = Organization { id: *id, name, created_at: now, updated_at: now };
            let entry = script.entry(EntryKind::OrganizationCreated);
            put(&mut script, entry, id.0, Content::Organization(organization))
        }
        Command::CreateInbox { .. } | Command::EditInbox { .. } => {
            inbox::decide(&mut script, facts, command)?
        }
        Command::CreateKey { .. } => create_key(&mut script, command)?,
        Command::RevokeKey { key } => revoke_key(&mut script, facts, *key)?,
        Command::StartSession { session, token } => start_session(&mut script, session, *token),
        Command::EndSession { session } => {
            let found = facts.session.as_ref().ok_or(Rejection::NotFound)?;
            if found.ended_at.is_none() {
                let entry = script.entry(EntryKind::SessionEnded);
                put(&mut script, entry, session.0, Content::SessionEnded(*session));
            }
            Refs { subject: Some(session.0), ..Refs::default() }
        }
        Command::PutArticle { .. } | Command::EditArticle { .. } => {
            article::decide(&mut script, facts, command)?
        }
        Command::DeleteArticle { article } => {
            facts.article.as_ref().ok_or(Rejection::NotFound)?;
            let entry = script.entry(EntryKind::ArticleDeleted);
            put(&mut script, entry, article.0, Content::ArticleDeleted(*article))
        }
        Command::CreateUser { .. }
        | Command::InviteUser { .. }
        | Command::AcceptInvite { .. }
        | Command::EditUser { .. }
        | Command::ResetUser { .. }
        | Command::DisableUser { .. }
        | Command::LeaveAbsent { .. }
        | Command::SetAvailability { .. }
        | Command::VisitorMessage { .. }
        | Command::VisitorWish { .. }
        | Command::VisitorEnd { .. }
        | Command::Staff { .. }
        | Command::Settle { .. }
        | Command::Assistant { .. }
        | Command::Timer(_)
        | Command::Mark { .. } => return Err(Rejection::NotFound),
    };
    Ok(script.finish(refs))
}

pub(super) fn put(
    script: &mut Script<'_>,
    mut entry: crate::domain::entry::Entry,
    subject: uuid::Uuid,
    content: Content,
) -> Refs {
    entry.subject = Some(subject);
    script.push(entry, content);
    Refs { subject: Some(subject), ..Refs::default() }
}

/// Starts a session of a member of staff.
pub(super) fn start_session(
    script: &mut Script<'_>,
    session: &Session,
    token: Hidden<[u8; 32]>,
) -> Refs {
    let entry = script.entry(EntryKind::SessionStarted);
    let session = Session { position: entry.position, ..session.clone() };
    put(script, entry, session.id.0, Content::Session(session, token))
}

fn create_key(script: &mut Script<'_>, command: &Command) -> Result<Refs, Rejection> {
    let Command::CreateKey { id, name, scopes, owner, expires_at, parent, secret } = command else {
        return Err(Rejection::NotFound);
    };
    let known = |scope: &String| {
        scope == "*" || crate::domain::actor::Permission::ALL.iter().any(|it| it.scope() == scope)
    };
    if scopes.is_empty() || scopes.len() > SCOPES_MAX || !scopes.iter().all(known) {
        return Err(Rejection::Invalid {
            code: "bad_scope",
            detail: "a key has 1 to 32 scopes, `*` or names such as conversation:read".to_owned(),
        });
    }
    let entry = script.entry(EntryKind::KeyCreated);
    let key = Key {
        id: *id,
        organization: script.organization,
        name: name::shown(name)?,
        scopes: scopes.clone(),
        owner: *owner,
        created_at: script.moment.now,
        expires_at: *expires_at,
        revoked_at: None,
        position: entry.position,
        parent: *parent,
    };
    Ok(put(script, entry, id.0, Content::Key(key, *secret)))
}

fn revoke_key(script: &mut Script<'_>, facts: &Facts, key: KeyId) -> Result<Refs, Rejection> {
    let found = facts.key.as_ref().ok_or(Rejection::NotFound)?;
    if found.revoked_at.is_none() {
        let entry = script.entry(EntryKind::KeyRevoked);
        put(script, entry, key.0, Content::KeyRevoked(key));
    }
    Ok(Refs { subject: Some(key.0), ..Refs::default() })
}
