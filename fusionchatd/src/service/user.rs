//! Staff.

use std::fmt;
use std::sync::Arc;

use crate::domain::actor::{Actor, Permission};
use crate::domain::command::Command;
use crate::domain::hidden::Hidden;
use crate::domain::id::{ClientId, UserId};
use crate::domain::name;
use crate::domain::user::{Availability, Role, User};
use crate::store::table;

use super::digest::Digest;
use super::error::Error;
use super::{Service, require};

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

impl Service {
    /// Creates a member of staff.
    pub async fn create_user(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        new: CreateUser,
    ) -> Result<User, Error> {
        require(actor, Permission::WriteUsers)?;
        let email = name::email(&new.email)?;
        let digest =
            Digest::of("create_user").text(&email).text(&new.name).number(new.role as u64).finish();
        let password = match new.password {
            Some(password) => Some(Hidden(self.passwords.hash(password).await?)),
            None => None,
        };
        let name = name::shown(&new.name)?;
        let command = Command::CreateUser { email, name, role: new.role, password };
        let answer = self.execute(actor, client_id, digest, command).await?;
        self.user_of(actor, answer.refs.subject).await
    }

    /// All staff, by name.
    pub async fn list_users(&self, actor: &Actor) -> Result<Vec<User>, Error> {
        require(actor, Permission::ReadUsers)?;
        self.rows(actor).staff().await
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
