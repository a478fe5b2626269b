//! Staff.

use std::fmt;
use std::sync::Arc;

use crate::domain::Time;
use crate::domain::actor::{Actor, Grants, Permission};
use crate::domain::command::Command;
use crate::domain::hidden::Hidden;
use crate::domain::id::{ClientId, UserId};
use crate::domain::name;
use crate::domain::user::{Availability, Role, User};
use crate::store::table;

use super::digest::Digest;
use super::error::Error;
use super::token;
use super::{Service, missing_scope, require};

/// A new member of staff.
#[derive(Clone)]
pub struct CreateUser {
    /// Unique inside the organization.
    pub email: String,
    /// Shown to others, unique inside the organization.
    pub name: String,
    /// Admin or agent.
    pub role: Role,
    /// Their password, if they shall sign in by one.
    pub password: Option<String>,
}

impl fmt::Debug for CreateUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("CreateUser");
        shown.field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

/// A new member of staff who sets their own password.
#[derive(Clone, Debug)]
pub struct InviteUser {
    /// Unique inside the organization.
    pub email: String,
    /// Shown to others, unique inside the organization; without it, the part of the address before the `@`.
    pub name: Option<String>,
    /// Admin or agent.
    pub role: Role,
}

/// What changes of a member of staff.
#[derive(Clone, Debug, Default)]
pub struct EditUser {
    /// Their name from now on.
    pub name: Option<String>,
    /// Their role from now on.
    pub role: Option<Role>,
}

/// A one-time code, shown once.
#[derive(Clone, PartialEq, Eq)]
pub struct Invite {
    /// The code.
    pub code: String,
    /// When it stops working.
    pub expires_at: Time,
}

impl fmt::Debug for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invite").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

impl Service {
    /// Invites a member of staff: the one-time code lets them set their password. It is returned once: a repeat
    /// gets none.
    pub async fn invite_user(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        new: InviteUser,
    ) -> Result<(User, Option<Invite>), Error> {
        require(actor, Permission::WriteUsers)?;
        require_whole(actor, new.role == Role::Admin)?;
        let email = name::email(&new.email)?;
        let name = match &new.name {
            Some(name) => name::shown(name)?,
            None => name::shown(&name::of_email(&email))?,
        };
        let role = new.role;
        let digest =
            Digest::of("invite_user").text(&email).text(&name).number(role as u64).finish();
        let code = token::new_invite()?;
        let hash = Hidden(token::hash(&code));
        let command = Command::InviteUser { email, name, role, code: hash };
        let answer = self.execute(actor, client_id, digest, command).await?;
        let user = self.user_of(actor, answer.refs.subject).await?;
        let shown = user.invited_until.filter(|_| !answer.repeated);
        Ok((user, shown.map(|expires_at| Invite { code, expires_at })))
    }

    /// Creates a member of staff.
    pub async fn create_user(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        new: CreateUser,
    ) -> Result<User, Error> {
        require(actor, Permission::WriteUsers)?;
        require_whole(actor, new.role == Role::Admin)?;
        let email = name::email(&new.email)?;
        let digest = Digest::of("create_user").text(&email).text(&new.name).number(new.role as u64);
        let password = self.hash_new(client_id, new.password).await?;
        let digest = digest.text(password.as_ref().map_or("", |it| &it.0)).finish();
        let name = name::shown(&new.name)?;
        let command = Command::CreateUser { email, name, role: new.role, password };
        let answer = self.execute(actor, client_id, digest, command).await?;
        self.user_of(actor, answer.refs.subject).await
    }

    /// The hash of a password that is set with a command. A repeat of the command comes to the same hash, and so to
    /// the same digest, only with the same password; and telling two passwords apart by it costs an argon2.
    pub(super) async fn hash_new(
        &self,
        client_id: Option<ClientId>,
        password: Option<String>,
    ) -> Result<Option<Hidden<String>>, Error> {
        let Some(password) = password else { return Ok(None) };
        let hash = match client_id {
            Some(client_id) => {
                let salt = self.keyed("salt", &client_id.0)?;
                let mut half = [0; 16];
                half.copy_from_slice(&salt[..16]);
                self.passwords.hash_with(password, half).await?
            }
            None => self.passwords.hash(password).await?,
        };
        Ok(Some(Hidden(hash)))
    }

    /// All staff, by name.
    pub async fn list_users(&self, actor: &Actor) -> Result<Vec<User>, Error> {
        require(actor, Permission::ReadUsers)?;
        self.rows(actor).staff().await
    }

    /// A member of staff by name, e-mail or id.
    pub async fn get_user(&self, actor: &Actor, text: &str) -> Result<User, Error> {
        require(actor, Permission::ReadUsers)?;
        self.find_staff(actor, text).await
    }

    /// Gives a member of staff another name or role.
    pub async fn edit_user(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        text: &str,
        edit: EditUser,
    ) -> Result<User, Error> {
        require(actor, Permission::WriteUsers)?;
        let found = self.find_staff(actor, text).await?;
        let EditUser { name, role } = edit;
        require_whole(actor, found.role == Role::Admin || role == Some(Role::Admin))?;
        let user = found.id;
        let digest = Digest::of("edit_user")
            .bytes(user.bytes())
            .text(name.as_deref().unwrap_or_default())
            .number(role.map_or(u64::MAX, |it| it as u64))
            .finish();
        let name = name.as_deref().map(name::shown).transpose()?;
        let command = Command::EditUser { user, name, role };
        let answer = self.execute(actor, client_id, digest, command).await?;
        if role == Some(Role::Agent) {
            // An admin sees every inbox, an agent perhaps not: what they hold out of their sight goes to others.
            let inboxes = self.rows(actor).inboxes().await?;
            let closed = inboxes.into_iter().filter(|it| !it.members.is_empty()).map(|it| it.id);
            self.settle_all(actor.organization, closed.collect()).await?;
        }
        self.user_of(actor, answer.refs.subject).await
    }

    /// Gives a member of staff a new one-time code, shown once; their password and sessions end. Their keys do not:
    /// those are revoked one by one, or all of them by disabling the user.
    pub async fn reset_user(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        text: &str,
    ) -> Result<(User, Option<Invite>), Error> {
        require(actor, Permission::WriteUsers)?;
        let found = self.find_staff(actor, text).await?;
        require_whole(actor, found.role == Role::Admin)?;
        let user = found.id;
        let digest = Digest::of("reset_user").bytes(user.bytes()).finish();
        let code = token::new_invite()?;
        let command = Command::ResetUser { user, code: Hidden(token::hash(&code)) };
        let answer = self.execute(actor, client_id, digest, command).await?;
        let user = self.user_of(actor, answer.refs.subject).await?;
        let shown = user.invited_until.filter(|_| !answer.repeated);
        Ok((user, shown.map(|expires_at| Invite { code, expires_at })))
    }

    /// Lets a member of staff do nothing here any more, or lets them in again. Disabling ends their sessions and keys
    /// for good, and their open streams within a second; the conversations they hold wait in the queue again.
    pub async fn disable_user(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        text: &str,
        disabled: bool,
    ) -> Result<User, Error> {
        require(actor, Permission::WriteUsers)?;
        let found = self.find_staff(actor, text).await?;
        require_whole(actor, found.role == Role::Admin)?;
        let user = found.id;
        let digest =
            Digest::of("disable_user").bytes(user.bytes()).number(u64::from(disabled)).finish();
        let command = Command::DisableUser { user, disabled };
        let answer = self.execute(actor, client_id, digest, command).await?;
        self.user_of(actor, answer.refs.subject).await
    }

    /// Changes the actor's own availability.
    pub async fn set_availability(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        availability: Availability,
    ) -> Result<User, Error> {
        require(actor, Permission::WriteConversations)?;
        let user = actor.staff().ok_or_else(Error::forbidden)?;
        let digest = Digest::of("set_availability").number(availability as u64).finish();
        let command = Command::SetAvailability { user, availability };
        let answer = self.execute(actor, client_id, digest, command).await?;
        self.user_of(actor, answer.refs.subject).await
    }

    async fn user_of(&self, actor: &Actor, subject: Option<uuid::Uuid>) -> Result<User, Error> {
        let id = UserId(subject.ok_or_else(Error::not_found)?);
        self.rows(actor).user(id).await?.ok_or_else(Error::not_found)
    }

    /// A member of staff by name, e-mail or id.
    pub(super) async fn find_staff(&self, actor: &Actor, text: &str) -> Result<User, Error> {
        let rows = self.rows(actor);
        let found = if let Ok(id) = text.parse::<UserId>() {
            rows.user(id).await?
        } else {
            let by_name = rows.pointer(&table::user_name(actor.organization, text)).await?;
            let pointer = match by_name {
                Some(pointer) => Some(pointer),
                None => {
                    let email = text.to_lowercase();
                    rows.pointer(&table::user_email(actor.organization, &email)).await?
                }
            };
            match pointer {
                Some(pointer) => rows.user(UserId(pointer.subject)).await?,
                None => None,
            }
        };
        found.filter(User::is_staff).ok_or_else(Error::not_found)
    }
}

/// Refuses a key that has not every scope whatever makes or changes an admin: it would get what it was not given.
fn require_whole(actor: &Actor, touches_admin: bool) -> Result<(), Error> {
    let whole = match &actor.grants {
        Grants::Scopes { scopes, .. } => scopes.iter().any(|it| it == "*"),
        Grants::Role(_) | Grants::Visitor | Grants::Operator | Grants::Internal => true,
    };
    if whole || !touches_admin { Ok(()) } else { Err(missing_scope("*")) }
}
