//! Organizations: the operator's use cases.

use std::fmt;
use std::sync::Arc;

use crate::domain::actor::{Actor, Permission};
use crate::domain::command::Command;
use crate::domain::hidden::Hidden;
use crate::domain::id::{ClientId, InboxId, KeyId, OPERATOR_ORGANIZATION, OrganizationId, UserId};
use crate::domain::inbox::{AssistantMode, Inbox};
use crate::domain::name;
use crate::domain::organization::Organization;
use crate::domain::user::{Role, User};
use crate::store::{Direction, table};

use super::digest::Digest;
use super::error::Error;
use super::rows::{PAGE_MAX, Rows};
use super::token;
use super::user::Invite;
use super::{Service, require};

/// What a new organization begins with.
#[derive(Clone)]
pub struct CreateOrganization {
    /// Its name, unique in the daemon.
    pub name: String,
    /// The first admin's e-mail.
    pub admin_email: String,
    /// The first admin's shown name.
    pub admin_name: String,
    /// Their password, if they shall sign in by one.
    pub admin_password: Option<String>,
    /// Whether they get a one-time code to set it themselves.
    pub invite_admin: bool,
    /// The first inbox's name.
    pub inbox_name: String,
    /// The origins of the pages that may embed it.
    pub origins: Vec<String>,
}

impl fmt::Debug for CreateOrganization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateOrganization").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A new organization.
pub struct Founded {
    /// The organization.
    pub organization: Organization,
    /// Its first admin.
    pub admin: User,
    /// Its first inbox.
    pub inbox: Inbox,
    /// The admin's key with every scope; none when the command is a repeat.
    pub admin_key: Option<String>,
    /// The admin's one-time code, if one was asked for; none when the command is a repeat.
    pub admin_invite: Option<Invite>,
}

impl fmt::Debug for Founded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Founded").field("organization", &self.organization).finish_non_exhaustive()
    }
}

impl Service {
    /// Creates an organization with its first admin, inbox and key. A repeat continues where the first try ended.
    pub async fn create_organization(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: ClientId,
        new: CreateOrganization,
    ) -> Result<Founded, Error> {
        require(actor, Permission::ManageOrganizations)?;
        check_names(&new)?;
        let digest = Digest::of("create_organization")
            .text(&new.name)
            .text(&new.admin_email)
            .text(&new.admin_name)
            .text(&new.inbox_name)
            .text(&new.origins.join(" "))
            .number(u64::from(new.invite_admin));
        // Before the first of several commits: a bad password must not leave half an organization.
        let password = self.hash_new(Some(client_id), new.admin_password.clone()).await?;
        let digest = digest.text(password.as_ref().map_or("", |it| &it.0)).finish();
        let id = OrganizationId(self.new_id());
        let command = Command::CreateOrganization { id, name: new.name.clone() };
        let answer = self.execute(actor, Some(client_id), digest, command).await?;
        let id = OrganizationId(answer.refs.subject.ok_or_else(Error::not_found)?);
        self.found(id, client_id, new, password).await
    }

    async fn found(
        self: &Arc<Self>,
        id: OrganizationId,
        client_id: ClientId,
        new: CreateOrganization,
        password: Option<Hidden<String>>,
    ) -> Result<Founded, Error> {
        let system = Actor::system(id);
        let step = |name: &str| Digest::of(name).bytes(&client_id.0).finish();
        let make = async |name: &str, command: Command| {
            let client_id = step_id(step(name));
            self.execute(&system, Some(client_id), step(name), command).await
        };
        let (email, name, role) = (name::email(&new.admin_email)?, new.admin_name, Role::Admin);
        let code = new.invite_admin.then(token::new_invite).transpose()?;
        let user = match &code {
            Some(code) => {
                Command::InviteUser { email, name, role, code: Hidden(token::hash(code)) }
            }
            None => Command::CreateUser { email, name, role, password },
        };
        let made = make("admin", user).await?;
        let code = code.filter(|_| !made.repeated);
        let admin = UserId(made.refs.subject.ok_or_else(Error::not_found)?);
        let inbox = Command::CreateInbox {
            name: new.inbox_name,
            origins: new.origins,
            assistant: AssistantMode::On,
            locale: "en".to_owned(),
            members: Vec::new(),
        };
        let inbox = InboxId(make("inbox", inbox).await?.refs.subject.ok_or_else(Error::not_found)?);
        let key_id = KeyId(self.new_id());
        let secret = token::new_key(key_id)?;
        let key = Command::CreateKey {
            id: key_id,
            name: "first key".to_owned(),
            scopes: vec!["*".to_owned()],
            owner: Some(admin),
            expires_at: None,
            parent: None,
            secret: Hidden(token::hash(&secret)),
        };
        let repeated = make("key", key).await?.repeated;
        let rows = Rows::new(self.engine.as_ref(), id);
        let admin = rows.user(admin).await?.ok_or_else(Error::not_found)?;
        let invited = code.zip(admin.invited_until);
        Ok(Founded {
            organization: rows.this_organization().await?.ok_or_else(Error::not_found)?,
            admin_invite: invited.map(|(code, expires_at)| Invite { code, expires_at }),
            admin,
            inbox: rows.inbox(inbox).await?.ok_or_else(Error::not_found)?,
            admin_key: (!repeated).then_some(secret),
        })
    }

    /// All organizations, for the operator.
    pub async fn list_organizations(&self, actor: &Actor) -> Result<Vec<Organization>, Error> {
        require(actor, Permission::ManageOrganizations)?;
        self.organizations().await
    }

    /// The registry of organizations, for workers.
    pub async fn organizations(&self) -> Result<Vec<Organization>, Error> {
        let rows = Rows::new(self.engine.as_ref(), OPERATOR_ORGANIZATION);
        let mut range = table::organizations();
        let mut all = Vec::new();
        loop {
            let page = rows.list::<Organization>(&range, Direction::Forward, PAGE_MAX).await?;
            let Some((last, _)) = page.last() else { return Ok(all) };
            range = table::after(&range, last);
            all.extend(page.into_iter().map(|(_, organization)| organization));
        }
    }

    /// The organization of a name or id, if there is one.
    pub(super) async fn find_organization(
        &self,
        text: &str,
    ) -> Result<Option<OrganizationId>, Error> {
        let rows = Rows::new(self.engine.as_ref(), OPERATOR_ORGANIZATION);
        if let Ok(id) = text.parse::<OrganizationId>() {
            return Ok(Some(id));
        }
        let Ok(name) = name::slug(text) else { return Ok(None) };
        let pointer = rows.pointer(&table::organization_name(&name)).await?;
        Ok(pointer.map(|it| OrganizationId(it.subject)))
    }

    /// The first operator key of a store, at its first start. The secret is shown once.
    pub async fn create_operator_key(self: &Arc<Self>) -> Result<String, Error> {
        let id = KeyId(self.new_id());
        let secret = token::new_key(id)?;
        let command = Command::CreateKey {
            id,
            name: "operator".to_owned(),
            scopes: vec!["*".to_owned()],
            owner: None,
            expires_at: None,
            parent: None,
            secret: Hidden(token::hash(&secret)),
        };
        let system = Actor::system(OPERATOR_ORGANIZATION);
        self.execute(&system, None, Digest::of("operator_key").finish(), command).await?;
        Ok(secret)
    }
}

/// Refuses bad names before the first of several commits.
fn check_names(new: &CreateOrganization) -> Result<(), Error> {
    if new.invite_admin && new.admin_password.is_some() {
        let text = "an admin gets a password or an invitation, not both";
        return Err(Error::invalid("bad_admin", text));
    }
    name::slug(&new.name)?;
    name::slug(&new.inbox_name)?;
    name::email(&new.admin_email)?;
    name::shown(&new.admin_name)?;
    if new.origins.len() > name::ORIGINS_MAX {
        return Err(Error::invalid("too_many_origins", "an inbox has at most 64 origins"));
    }
    for origin in &new.origins {
        name::origin(origin)?;
    }
    Ok(())
}

/// The client id of one step of a command that takes several commits.
fn step_id(digest: [u8; 32]) -> ClientId {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    ClientId(bytes)
}
