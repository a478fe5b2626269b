//! Inboxes.

use std::sync::Arc;

use crate::domain::actor::{Actor, Permission, Who};
use crate::domain::command::Command;
use crate::domain::id::{ClientId, InboxId};
use crate::domain::inbox::{AssistantMode, Inbox};
use crate::store::{Direction, table};

use super::digest::Digest;
use super::error::Error;
use super::rows::PAGE_MAX;
use super::{Service, require};

/// A new inbox.
#[derive(Clone, Debug)]
pub struct CreateInbox {
    /// Its name, unique in the organization.
    pub name: String,
    /// The origins of the pages that may embed it.
    pub origins: Vec<String>,
    /// Whether the assistant answers first.
    pub assistant: AssistantMode,
    /// Its language.
    pub locale: String,
}

impl Service {
    /// Creates an inbox.
    pub async fn create_inbox(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        new: CreateInbox,
    ) -> Result<Inbox, Error> {
        require(actor, Permission::WriteInboxes)?;
        let digest = Digest::of("create_inbox")
            .text(&new.name)
            .text(&new.origins.join(" "))
            .number(new.assistant as u64)
            .text(&new.locale)
            .finish();
        let command = Command::CreateInbox {
            name: new.name,
            origins: new.origins,
            assistant: new.assistant,
            locale: new.locale,
        };
        let answer = self.execute(actor, client_id, digest, command).await?;
        let id = InboxId(answer.refs.subject.ok_or_else(Error::not_found)?);
        self.rows(actor).inbox(id).await?.ok_or_else(Error::not_found)
    }

    /// An inbox by name or id.
    pub async fn get_inbox(&self, actor: &Actor, text: &str) -> Result<Inbox, Error> {
        require(actor, Permission::ReadInboxes)?;
        self.find_inbox(actor, text).await
    }

    /// All inboxes.
    pub async fn list_inboxes(&self, actor: &Actor) -> Result<Vec<Inbox>, Error> {
        require(actor, Permission::ReadInboxes)?;
        let rows = self.rows(actor);
        let range = table::inboxes(actor.organization);
        let found = rows.list::<Inbox>(&range, Direction::Forward, PAGE_MAX).await?;
        Ok(found.into_iter().map(|(_, inbox)| inbox).collect())
    }

    /// As [`Self::find_inbox`]; without a name, the organization's only inbox.
    pub(super) async fn find_inbox_or_only(
        &self,
        actor: &Actor,
        text: &str,
    ) -> Result<Inbox, Error> {
        if !text.is_empty() {
            return self.find_inbox(actor, text).await;
        }
        let rows = self.rows(actor);
        let range = table::inboxes(actor.organization);
        let mut found = rows.list::<Inbox>(&range, Direction::Forward, 2).await?;
        match (found.pop(), found.pop()) {
            (Some((_, only)), None) => Ok(only),
            (Some(_), Some(_)) | (None, _) => Err(Error::invalid(
                "inbox_needed",
                "this organization has not exactly one inbox; name the one you mean",
            )),
        }
    }

    /// An inbox by name or id that the actor may use; a visitor only their own.
    pub(super) async fn find_inbox(&self, actor: &Actor, text: &str) -> Result<Inbox, Error> {
        let rows = self.rows(actor);
        let id = match text.parse::<InboxId>() {
            Ok(id) => Some(id),
            Err(_) => {
                let key = table::inbox_name(actor.organization, text);
                rows.pointer(&key).await?.map(|it| InboxId(it.subject))
            }
        };
        let id = id.ok_or_else(Error::not_found)?;
        let found = rows.inbox(id).await?.ok_or_else(Error::not_found)?;
        match &actor.who {
            Who::Visitor { inbox, .. } if *inbox != found.id => Err(Error::not_found()),
            Who::Visitor { .. }
            | Who::Agent { .. }
            | Who::Key { .. }
            | Who::Operator { .. }
            | Who::Assistant
            | Who::System => Ok(found),
        }
    }
}
