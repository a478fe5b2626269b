//! Staff: who there is, how they get in, and whether they take conversations.

use crate::domain::Time;
use crate::domain::command::Command;
use crate::domain::entry::{Entry, EntryKind};
use crate::domain::event::Content;
use crate::domain::facts::Facts;
use crate::domain::id::UserId;
use crate::domain::name;
use crate::domain::rejection::Rejection;
use crate::domain::user::{Absence, Availability, Credential, Role, User};

use super::desk::{put, start_session};
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
            let entry = script.entry(EntryKind::UserInvited);
            change(&mut script, entry, user, Credential::Code(*code));
            refs
        }
        Command::AcceptInvite { .. } => accept(&mut script, facts, command)?,
        Command::EditUser { name, role, .. } => edit(&mut script, facts, name.as_deref(), *role)?,
        Command::ResetUser { code, .. } => {
            let found = staff(facts)?;
            if found.disabled_at.is_some() {
                return Err(Rejection::UserDisabled);
            }
            // Until the code is used nobody could sign in, and none may ever be made again.
            if found.is_acting_admin() && !facts.other_admin {
                return Err(Rejection::LastAdmin);
            }
            let entry = script.entry(EntryKind::UserReset);
            change(&mut script, entry, found.clone(), Credential::Code(*code))
        }
        Command::DisableUser { disabled: true, .. } => disable(&mut script, facts)?,
        Command::DisableUser { disabled: false, .. } => enable(&mut script, facts)?,
        Command::SetAvailability { user: _, availability } => {
            set_availability(&mut script, facts, *availability)?
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
        | Command::LeaveAbsent { .. }
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
    check_role(role)?;
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
        disabled_at: None,
        absence: None,
        sessions_cut: None,
        keys_cut: None,
    })
}

fn check_role(role: Role) -> Result<(), Rejection> {
    match role {
        Role::Admin | Role::Agent => Ok(()),
        Role::User => Err(Rejection::Invalid {
            code: "bad_role",
            detail: "staff are admins or agents".to_owned(),
        }),
    }
}

fn created(script: &mut Script<'_>, user: User, credential: Credential) -> Refs {
    let entry = script.entry(EntryKind::UserCreated);
    let id = user.id.0;
    put(script, entry, id, Content::User(user, credential))
}

/// A change of somebody's row by an entry about them.
fn change(script: &mut Script<'_>, entry: Entry, mut user: User, credential: Credential) -> Refs {
    user.apply(&entry);
    let id = user.id.0;
    put(script, entry, id, Content::User(user, credential))
}

/// The member of staff a command is about.
fn staff(facts: &Facts) -> Result<&User, Rejection> {
    facts.user.as_ref().filter(|it| it.is_staff()).ok_or(Rejection::NotFound)
}

/// The answer to a command that asks for what already is.
fn unchanged(user: &User) -> Refs {
    Refs { subject: Some(user.id.0), ..Refs::default() }
}

fn accept(script: &mut Script<'_>, facts: &Facts, command: &Command) -> Result<Refs, Rejection> {
    let Command::AcceptInvite { user: _, code, password, session, token } = command else {
        return Err(Rejection::NotFound);
    };
    let found = staff(facts).map_err(|_| Rejection::BadInvite)?;
    if facts.code != Some(*code) || !found.is_invited(script.moment.now) {
        return Err(Rejection::BadInvite);
    }
    let entry = script.entry(EntryKind::InviteAccepted);
    change(script, entry, found.clone(), Credential::Password(password.clone()));
    Ok(start_session(script, session, *token))
}

fn edit(
    script: &mut Script<'_>,
    facts: &Facts,
    name: Option<&str>,
    role: Option<Role>,
) -> Result<Refs, Rejection> {
    let found = staff(facts)?;
    let name = name.map(name::shown).transpose()?.or_else(|| found.name.clone());
    let role = role.unwrap_or(found.role);
    check_role(role)?;
    if (&name, role) == (&found.name, found.role) {
        return Ok(unchanged(found));
    }
    let leaves = found.role == Role::Admin && found.disabled_at.is_none();
    if role != Role::Admin && leaves && !facts.other_admin {
        return Err(Rejection::LastAdmin);
    }
    let mut entry = script.entry(EntryKind::UserEdited);
    entry.code = role as u32;
    Ok(change(script, entry, User { name, ..found.clone() }, Credential::Same))
}

/// Whoever held a conversation of theirs is not there any more, from now on.
fn disable(script: &mut Script<'_>, facts: &Facts) -> Result<Refs, Rejection> {
    let found = staff(facts)?;
    if found.disabled_at.is_some() {
        return Ok(unchanged(found));
    }
    if found.role == Role::Admin && !facts.other_admin {
        return Err(Rejection::LastAdmin);
    }
    let mut entry = script.entry(EntryKind::UserDisabled);
    entry.due = Some(entry.time);
    Ok(change(script, entry, found.clone(), Credential::NoCode))
}

fn enable(script: &mut Script<'_>, facts: &Facts) -> Result<Refs, Rejection> {
    let found = staff(facts)?;
    if found.disabled_at.is_none() {
        return Ok(unchanged(found));
    }
    let mut entry = script.entry(EntryKind::UserEnabled);
    entry.due = (found.availability == Availability::Away).then(|| absence_due(script));
    Ok(change(script, entry, found.clone(), Credential::Same))
}

fn set_availability(
    script: &mut Script<'_>,
    facts: &Facts,
    availability: Availability,
) -> Result<Refs, Rejection> {
    let found = staff(facts)?;
    if found.disabled_at.is_some() {
        return Err(Rejection::UserDisabled);
    }
    if found.availability == availability {
        return Ok(unchanged(found));
    }
    let mut entry = script.entry(EntryKind::AvailabilityChanged);
    entry.code = availability as u32;
    entry.due = (availability == Availability::Away).then(|| absence_due(script));
    Ok(change(script, entry, found.clone(), Credential::Same))
}

/// When the conversations of somebody who goes away now go to others.
fn absence_due(script: &Script<'_>) -> Time {
    script.moment.now.saturating_add(script.moment.delays.absence_ms)
}

/// Every conversation of somebody absent has been looked at: their timer has done its work, unless one came to them
/// meanwhile.
pub(super) fn absence_over(
    mut script: Script<'_>,
    facts: &Facts,
    turn: u64,
) -> Result<Decision, Rejection> {
    let found = staff(facts)?;
    let now = script.moment.now;
    let fired = |it: &Absence| it.turn == turn && it.due.is_some_and(|due| due <= now);
    let refs = if found.absence.as_ref().is_some_and(fired) && !facts.keeps_waiting {
        let entry = script.entry(EntryKind::AbsenceTimed);
        change(&mut script, entry, found.clone(), Credential::Same)
    } else {
        unchanged(found)
    };
    Ok(script.finish(refs))
}

/// Somebody absent got a conversation after their timer had done its work: it is set again.
pub(super) fn watch_absent(script: &mut Script<'_>, holder: Option<&User>) {
    let Some(user) = holder.filter(|it| it.absence.is_some_and(|it| it.due.is_none())) else {
        return;
    };
    let mut entry = script.entry(EntryKind::AbsenceTimed);
    entry.due = Some(absence_due(script));
    change(script, entry, user.clone(), Credential::Same);
}
