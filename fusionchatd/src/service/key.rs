//! API keys.

use std::sync::Arc;

use crate::domain::Time;
use crate::domain::actor::{Actor, Grants, Permission, Who};
use crate::domain::command::Command;
use crate::domain::hidden::Hidden;
use crate::domain::id::{ClientId, KeyId};
use crate::domain::key::{KEY_CHAIN_MAX, Key};
use crate::store::{Direction, table};

use super::digest::Digest;
use super::error::Error;
use super::rows::{PAGE_MAX, Rows};
use super::token;
use super::{Service, missing_scope, require};

/// The most keys of one organization that are listed.
const KEYS_MAX: usize = 10_000;

/// A new key.
#[derive(Clone, Debug)]
pub struct CreateKey {
    /// What its owner calls it.
    pub name: String,
    /// `*` or names of permissions.
    pub scopes: Vec<String>,
    /// How long it works, in milliseconds; none means until it is revoked.
    pub ttl_ms: Option<i64>,
}

impl Service {
    /// Creates a key of the actor's. The secret is returned once: a repeat gets none.
    pub async fn create_key(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        new: CreateKey,
    ) -> Result<(Key, Option<String>), Error> {
        require(actor, Permission::WriteKeys)?;
        let owner = actor.staff().ok_or_else(Error::forbidden)?;
        if new.ttl_ms.is_some_and(|ttl| ttl <= 0) {
            return Err(Error::invalid("bad_ttl", "a key lives for more than 0 ms"));
        }
        self.check_scopes(actor, &new.scopes)?;
        let digest = Digest::of("create_key")
            .text(&new.name)
            .text(&new.scopes.join(" "))
            .number(new.ttl_ms.unwrap_or(0).unsigned_abs())
            .finish();
        let wished = new.ttl_ms.map(|ttl| self.now().saturating_add(ttl));
        let expires_at = match self.end_of(actor).await? {
            Some(end) => Some(wished.map_or(end, |wished| wished.min(end))),
            None => wished,
        };
        let parent = match &actor.who {
            Who::Key { key, .. } => Some(*key),
            Who::Agent { .. }
            | Who::Visitor { .. }
            | Who::Operator { .. }
            | Who::Assistant
            | Who::System => None,
        };
        if let Some(parent) = parent {
            self.check_chain(actor, parent).await?;
        }
        let id = KeyId(self.new_id());
        let secret = token::new_key(id)?;
        let command = Command::CreateKey {
            id,
            name: new.name,
            scopes: new.scopes,
            owner: Some(owner),
            expires_at,
            parent,
            secret: Hidden(token::hash(&secret)),
        };
        let answer = self.execute(actor, client_id, digest, command).await?;
        let key = self.key_of(actor, answer.refs.subject).await?;
        if answer.repeated {
            return Ok((key, None));
        }
        // Its owner may have been disabled meanwhile: then nobody gets to know it.
        self.authenticate(&secret).await?;
        Ok((key, Some(secret)))
    }

    /// Refuses a key at the end of a long chain of keys.
    async fn check_chain(&self, actor: &Actor, parent: KeyId) -> Result<(), Error> {
        let rows = self.rows(actor);
        let mut above = Some(parent);
        for _ in 1..KEY_CHAIN_MAX {
            let Some(id) = above else { return Ok(()) };
            above = rows.api_key(id).await?.and_then(|key| key.parent);
        }
        if above.is_none() {
            return Ok(());
        }
        let text = format!("a key is made with a key at most {} times in a row", KEY_CHAIN_MAX - 1);
        Err(Error::invalid("too_many_parents", text).with_hint("make it as a signed-in user"))
    }

    /// When the key an actor holds expires, if it holds one that does: no key it makes may outlive it.
    async fn end_of(&self, actor: &Actor) -> Result<Option<Time>, Error> {
        let Who::Key { key, .. } = &actor.who else { return Ok(None) };
        let held = self.rows(actor).api_key(*key).await?;
        Ok(held.and_then(|held| held.expires_at))
    }

    /// A key never gives away more than its maker has.
    fn check_scopes(&self, actor: &Actor, scopes: &[String]) -> Result<(), Error> {
        match &actor.grants {
            Grants::Scopes { scopes: own, .. } if !own.iter().any(|it| it == "*") => {
                match scopes.iter().find(|scope| !own.contains(scope)) {
                    None => Ok(()),
                    Some(missing) => Err(missing_scope(missing)),
                }
            }
            Grants::Scopes { .. }
            | Grants::Role(_)
            | Grants::Visitor
            | Grants::Operator
            | Grants::Internal => Ok(()),
        }
    }

    /// All keys of the organization, without secrets.
    pub async fn list_keys(&self, actor: &Actor) -> Result<Vec<Key>, Error> {
        require(actor, Permission::ReadKeys)?;
        let rows = self.rows(actor);
        let mut range = table::api_keys(actor.organization);
        let mut keys = Vec::new();
        while keys.len() < KEYS_MAX {
            let page = rows.list::<Key>(&range, Direction::Forward, PAGE_MAX).await?;
            let Some((last, _)) = page.last() else { break };
            range = table::after(&range, last);
            for (_, key) in page {
                let revoked_at = ended_at(&rows, &key).await?;
                keys.push(Key { revoked_at, ..key });
            }
        }
        Ok(keys)
    }

    /// Revokes a key and with it the keys that were made with it; their open streams end within a second.
    pub async fn revoke_key(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        text: &str,
    ) -> Result<Key, Error> {
        require(actor, Permission::WriteKeys)?;
        let key = text.parse::<KeyId>().map_err(|_| Error::not_found())?;
        let digest = Digest::of("revoke_key").bytes(key.bytes()).finish();
        let answer = self.execute(actor, client_id, digest, Command::RevokeKey { key }).await?;
        self.key_of(actor, answer.refs.subject).await
    }

    async fn key_of(&self, actor: &Actor, subject: Option<uuid::Uuid>) -> Result<Key, Error> {
        let id = KeyId(subject.ok_or_else(Error::not_found)?);
        self.rows(actor).api_key(id).await?.ok_or_else(Error::not_found)
    }
}

/// When a key was ended before it expires: by itself, with the key it was made with, or with all of its owner's.
pub(super) async fn ended_at(rows: &Rows<'_>, key: &Key) -> Result<Option<Time>, Error> {
    if let (None, Some(owner)) = (key.revoked_at, key.owner) {
        let user = rows.user(owner).await?;
        let cut = user.and_then(|it| it.keys_cut).filter(|cut| key.position <= cut.position);
        if let Some(cut) = cut {
            return Ok(Some(cut.at));
        }
    }
    let (mut ended, mut above) = (key.revoked_at, key.parent);
    for _ in 0..KEY_CHAIN_MAX {
        let (None, Some(id)) = (ended, above) else { break };
        let Some(parent) = rows.api_key(id).await? else { break };
        (ended, above) = (parent.revoked_at, parent.parent);
    }
    Ok(ended)
}
