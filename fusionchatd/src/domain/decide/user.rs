//! Staff: who there is, how they get in, and whether they take conversations.

use crate::domain::command::Command;
use crate::domain::entry::EntryKind;
use crate::domain::event::Content;
use crate::domain::facts::Facts;
use crate::domain::id::UserId;
use crate::domain::name;
use crate::domain::rejection::Rejection;
use crate::domain::user::{Availability, Credential, INVITE_MS, Role, User};

use super::desk::put;
use super::script::Script;
use super::{Decision, Refs};

/// Decides a command about staff.
pub(super) fn decide(
    mut script: Script<'_>,
    facts: &Facts,
    command: &Command,
) -> Result<Decision, Rejection> {
    if let Some(what) = facts.taken {
        return Err(Rejection::Taken { what });
    }
    let refs = match command {
        Command::CreateUser { email, name, role, password } => {
            let credential = password.clone().map_or(Credential::Same, Credential::Password);
            let user = new_user(&mut script, email, name, *role)?;
            created(&mut script, user, credential)
        }
        Command::InviteUser { email, name, role, code } => {
            let user = new_user(&mut script, email, name, *role)?;
            let refs = created(&mut script, user.clone(), Credential::Same);
            invite(&mut script, user, Credential::Code(*code));
            refs
        }
        Command::AcceptInvite { .. } => accept(&mut script, facts, command)?,
        Command::SetAvailability { user, availability } => {
            set_availability(&mut script, facts, *user, *availability)?
        }
        Command::CreateOrganization { .. }
        | Command::CreateInbox { .. }
        | Command::EditInbox { .. }
        | Command::Settle { .. }
        | Command::CreateKey { .. }
        | Command::RevokeKey { .. }
        | Command::StartSession { .. }
        | Command::EndSession { .. }
        | Command::PutArticle { .. }
        | Command::EditArticle { .. }
        | Command::DeleteArticle { .. }
        | Command::VisitorMessage { .. }
        | Command::VisitorWish { .. }
        | Command::VisitorEnd { .. }
        | Command::Staff { .. }
        | Command::Assistant { .. }
        | Command::Timer { .. }
        | Command::Mark { .. } => return Err(Rejection::NotFound),
    };
    Ok(script.finish(refs))
}

fn new_user(
    script: &mut Script<'_>,
    email: &str,
    name: &str,
    role: Role,
) -> Result<User, Rejection> {
    if role == Role::User {
        return Err(Rejection::Invalid {
            code: "bad_role",
            detail: "staff are admins or agents".to_owned(),
        });
    }
    Ok(User {
        id: UserId(script.id()),
        organization: script.organization,
        external_id: None,
        email: Some(name::email(email)?),
        name: Some(name::shown(name)?),
        role,
        availability: Availability::Accepting,
        created_at: script.moment.now,
        invited_until: None,
    })
}

fn created(script: &mut Script<'_>, user: User, credential: Credential) -> Refs {
    let entry = script.entry(EntryKind::UserCreated);
    let id = user.id.0;
    put(script, entry, id, Content::User(user, credential))
}

/// Gives a member of staff a one-time code.
fn invite(script: &mut Script<'_>, mut user: User, code: Credential) {
    let entry = script.entry(EntryKind::UserInvited);
    user.invited_until = Some(entry.time.saturating_add(INVITE_MS));
    let id = user.id.0;
    put(script, entry, id, Content::User(user, code));
}

fn accept(script: &mut Script<'_>, facts: &Facts, command: &Command) -> Result<Refs, Rejection> {
    let Command::AcceptInvite { user, code, password, session, token } = command else {
        return Err(Rejection::NotFound);
    };
    let found = facts.user.as_ref().filter(|it| it.is_staff()).ok_or(Rejection::BadInvite)?;
    if facts.code != Some(*code) || !found.is_invited(script.moment.now) {
        return Err(Rejection::BadInvite);
    }
    let accepted = User { invited_until: None, ..found.clone() };
    let entry = script.entry(EntryKind::InviteAccepted);
    put(script, entry, user.0, Content::User(accepted, Credential::Password(password.clone())));
    let entry = script.entry(EntryKind::SessionStarted);
    Ok(put(script, entry, session.id.0, Content::Session(session.clone(), *token)))
}

fn set_availability(
    script: &mut Script<'_>,
    facts: &Facts,
    user: UserId,
    availability: Availability,
) -> Result<Refs, Rejection> {
    let found = facts.user.as_ref().filter(|it| it.is_staff()).ok_or(Rejection::NotFound)?;
    if found.availability != availability {
        let mut entry = script.entry(EntryKind::AvailabilityChanged);
        entry.code = availability as u32;
        let changed = User { availability, ..found.clone() };
        put(script, entry, user.0, Content::User(changed, Credential::Same));
    }
    Ok(Refs { subject: Some(user.0), ..Refs::default() })
}
