//! Inboxes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::domain::actor::{Actor, Permission};
use crate::domain::command::Command;
use crate::domain::conversation::Conversation;
use crate::domain::embed::{self, Verdict};
use crate::domain::id::{ClientId, ConversationId, InboxId, OrganizationId, UserId};
use crate::domain::inbox::{AssistantMode, Inbox, InboxEdit, ListEdit, Silences};
use crate::domain::lane::Lane;
use crate::domain::visible::reaches;
use crate::store::record::{Pointer, Record};
use crate::store::{Direction, table};

use super::digest::Digest;
use super::error::{Error, Kind};
use super::rows::{PAGE_MAX, Rows};
use super::{Service, require};

/// How many conversations are brought into line with their inbox at once.
const SETTLED_AT_ONCE: usize = 32;

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
    /// Its members by name, e-mail or id; none means all agents.
    pub members: Vec<String>,
}

/// A change of an inbox; what is left out stays as it is.
#[derive(Clone, Debug, Default)]
pub struct EditInbox {
    /// Its new name.
    pub name: Option<String>,
    /// Whether the assistant answers first.
    pub assistant: Option<AssistantMode>,
    /// Its new language.
    pub locale: Option<String>,
    /// The origins of the pages that may embed it.
    pub origins: ListEdit<String>,
    /// Its members by name, e-mail or id; an empty list in place of the old one means all agents.
    pub members: ListEdit<String>,
    /// How long its visitors may be silent; zero means as configured.
    pub silences: Silences,
}

/// An inbox as it is shown.
#[derive(Clone, Debug)]
pub struct InboxView {
    /// The row.
    pub inbox: Inbox,
    /// Whether a member of it is accepting.
    pub staffed: bool,
    /// The names of its members, in the row's order.
    pub member_names: Vec<String>,
    /// The script tag for the pages that may embed it.
    pub snippet: String,
}

/// What a test of a page says.
#[derive(Clone, Debug)]
pub struct Tested {
    /// The inbox it was tested against.
    pub inbox: Inbox,
    /// Whether the page may embed it, and why not.
    pub verdict: Verdict,
}

/// The script tag that puts an inbox's widget on a page.
pub fn snippet(public_url: &str, inbox: InboxId) -> String {
    format!(
        "<script async fetchpriority=\"low\" src=\"{public_url}/embed.js\" \
         data-inbox=\"{inbox}\"></script>"
    )
}

impl Service {
    /// Creates an inbox.
    pub async fn create_inbox(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        new: CreateInbox,
    ) -> Result<InboxView, Error> {
        require(actor, Permission::WriteInboxes)?;
        let digest = Digest::of("create_inbox")
            .text(&new.name)
            .text(&new.origins.join(" "))
            .number(new.assistant as u64)
            .text(&new.locale)
            .text(&new.members.join("\n"))
            .finish();
        let command = Command::CreateInbox {
            name: new.name,
            origins: new.origins,
            assistant: new.assistant,
            locale: new.locale,
            members: self.staff_ids(actor, &new.members).await?,
        };
        let answer = self.execute(actor, client_id, digest, command).await?;
        self.inbox_view(actor, InboxId(answer.refs.subject.ok_or_else(Error::not_found)?)).await
    }

    /// Changes an inbox. It answers only when no conversation is left waiting for an assistant that is now off or held
    /// by an agent who is no member any more.
    pub async fn edit_inbox(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        text: &str,
        edit: EditInbox,
    ) -> Result<InboxView, Error> {
        require(actor, Permission::WriteInboxes)?;
        let id = self.find_inbox(actor, text).await?.id;
        let digest = edit_digest(id, &edit);
        let members = ListEdit {
            replace: match &edit.members.replace {
                Some(members) => Some(self.staff_ids(actor, members).await?),
                None => None,
            },
            add: self.staff_ids(actor, &edit.members.add).await?,
            remove: self.staff_ids(actor, &edit.members.remove).await?,
        };
        let edit = InboxEdit {
            name: edit.name,
            assistant: edit.assistant,
            locale: edit.locale,
            origins: edit.origins,
            members,
            silences: edit.silences,
        };
        let command = Command::EditInbox { inbox: id, edit };
        self.execute(actor, client_id, digest, command).await?;
        self.settle_all(actor.organization, vec![id]).await?;
        self.inbox_view(actor, id).await
    }

    /// Brings the open conversations of inboxes into line with who may see them, in a task of its own: whoever asked
    /// may go away, the conversations stay.
    pub(super) async fn settle_all(
        self: &Arc<Self>,
        organization: OrganizationId,
        inboxes: Vec<InboxId>,
    ) -> Result<(), Error> {
        let service = Arc::clone(self);
        let settling = async move {
            let rows = Rows::new(service.engine.as_ref(), organization);
            let mut found = BTreeMap::new();
            for id in inboxes {
                found.insert(id, rows.inbox(id).await?.ok_or_else(Error::not_found)?);
            }
            service.settle(organization, &found).await
        };
        self.tasks.spawn(settling).await.map_err(Error::internal)?
    }

    /// Follows edits of inboxes and staff once more, whatever came of it when they were made: afterwards no
    /// conversation waits for an assistant that is off, or is held by an agent who may not see it.
    pub async fn settle_edited(
        self: &Arc<Self>,
        organization: OrganizationId,
    ) -> Result<(), Error> {
        let all = Rows::new(self.engine.as_ref(), organization).inboxes().await?;
        let narrow = |it: &Inbox| it.assistant != AssistantMode::On || !it.members.is_empty();
        let found = all.into_iter().filter(narrow).map(|it| (it.id, it)).collect();
        self.settle(organization, &found).await
    }

    /// An inbox that was just made or changed.
    async fn inbox_view(&self, actor: &Actor, id: InboxId) -> Result<InboxView, Error> {
        let inbox = self.rows(actor).inbox(id).await?.ok_or_else(Error::not_found)?;
        self.show_inbox(inbox).await
    }

    /// An inbox with the names of its members.
    pub async fn show_inbox(&self, inbox: Inbox) -> Result<InboxView, Error> {
        let rows = Rows::new(self.engine.as_ref(), inbox.organization);
        let accepting = rows.accepting().await?;
        self.show_inbox_among(&rows, &accepting, inbox).await
    }

    async fn show_inbox_among(
        &self,
        rows: &Rows<'_>,
        accepting: &BTreeSet<UserId>,
        inbox: Inbox,
    ) -> Result<InboxView, Error> {
        let mut member_names = Vec::with_capacity(inbox.members.len());
        for member in &inbox.members {
            member_names.push(rows.user_label(Some(*member)).await?);
        }
        Ok(InboxView {
            staffed: inbox.is_staffed(accepting),
            member_names,
            snippet: snippet(&self.settings().public_url, inbox.id),
            inbox,
        })
    }

    async fn staff_ids(&self, actor: &Actor, texts: &[String]) -> Result<Vec<UserId>, Error> {
        let mut ids = Vec::with_capacity(texts.len());
        for text in texts {
            ids.push(self.find_staff(actor, text).await?.id);
        }
        Ok(ids)
    }

    /// Brings every open conversation of these inboxes that needs it into line with its inbox.
    async fn settle(
        self: &Arc<Self>,
        organization: OrganizationId,
        inboxes: &BTreeMap<InboxId, Inbox>,
    ) -> Result<(), Error> {
        if inboxes.is_empty() {
            return Ok(());
        }
        let rows = Rows::new(self.engine.as_ref(), organization);
        let mut lanes = [Lane::TestOpen].into_iter();
        let mut range = table::all_by_lane(organization, Lane::Open);
        loop {
            let page = rows.scan(&range, Direction::Forward, PAGE_MAX).await?;
            let Some((last, _)) = page.last() else {
                let Some(lane) = lanes.next() else { return Ok(()) };
                range = table::all_by_lane(organization, lane);
                continue;
            };
            range = table::after(&range, last);
            let mut unsettled = Vec::new();
            for (key, value) in page {
                let found = ConversationId(Pointer::decode(&key, &value)?.subject);
                let header = rows.conversation(found).await?;
                let found = header.filter(|it| {
                    inboxes.get(&it.inbox).is_some_and(|inbox| is_unsettled(it, inbox))
                });
                unsettled.extend(found.map(|it| it.id));
            }
            stream::iter(unsettled)
                .map(|conversation| self.settle_one(organization, conversation))
                .buffer_unordered(SETTLED_AT_ONCE)
                .try_collect::<()>()
                .await?;
        }
    }

    async fn settle_one(
        self: &Arc<Self>,
        organization: OrganizationId,
        conversation: ConversationId,
    ) -> Result<(), Error> {
        let system = Actor::system(organization);
        let digest = Digest::of("settle").bytes(conversation.bytes()).finish();
        let command = Command::Settle { conversation };
        match self.execute(&system, None, digest, command).await {
            Err(error) if error.kind != Kind::NotFound => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Whether a page may embed an inbox; without a name, the organization's only one.
    pub async fn test_page(&self, actor: &Actor, inbox: &str, url: &str) -> Result<Tested, Error> {
        require(actor, Permission::ReadInboxes)?;
        let inbox = self.find_inbox_or_only(actor, inbox).await?;
        let verdict = embed::test(&inbox, url, &self.settings().public_url);
        Ok(Tested { inbox, verdict })
    }

    /// An inbox by name or id.
    pub async fn get_inbox(&self, actor: &Actor, text: &str) -> Result<InboxView, Error> {
        require(actor, Permission::ReadInboxes)?;
        self.show_inbox(self.find_inbox(actor, text).await?).await
    }

    /// All inboxes the actor reaches.
    pub async fn list_inboxes(&self, actor: &Actor) -> Result<Vec<InboxView>, Error> {
        require(actor, Permission::ReadInboxes)?;
        let rows = self.rows(actor);
        let accepting = rows.accepting().await?;
        let mut shown = Vec::new();
        for inbox in rows.inboxes().await?.into_iter().filter(|inbox| reaches(actor, inbox)) {
            shown.push(self.show_inbox_among(&rows, &accepting, inbox).await?);
        }
        Ok(shown)
    }

    /// As [`Self::find_inbox`]; without a name, the only inbox the actor reaches.
    pub(super) async fn find_inbox_or_only(
        &self,
        actor: &Actor,
        text: &str,
    ) -> Result<Inbox, Error> {
        if !text.is_empty() {
            return self.find_inbox(actor, text).await;
        }
        let all = self.rows(actor).inboxes().await?;
        let mut found = all.into_iter().filter(|inbox| reaches(actor, inbox));
        match (found.next(), found.next()) {
            (Some(only), None) => Ok(only),
            (Some(_), Some(_)) | (None, _) => Err(Error::invalid(
                "inbox_needed",
                "this organization has not exactly one inbox; name the one you mean",
            )),
        }
    }

    /// An inbox by name or id that the actor reaches.
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
        let found = rows.inbox(id).await?;
        found.filter(|inbox| reaches(actor, inbox)).ok_or_else(Error::not_found)
    }
}

/// Whether a conversation may not stay as it is. The domain decides again, over the rows of that moment.
fn is_unsettled(header: &Conversation, inbox: &Inbox) -> bool {
    let unanswered = header.assistant_due.is_some() && inbox.assistant != AssistantMode::On;
    let held_outside = header.assignee.is_some_and(|user| !inbox.has_member(user));
    unanswered || held_outside
}

fn edit_digest(inbox: InboxId, edit: &EditInbox) -> [u8; 32] {
    let text = |it: &Option<String>| it.clone().map_or_else(String::new, |it| format!("={it}"));
    let list = |it: &ListEdit<String>| {
        let replace =
            it.replace.as_ref().map_or_else(String::new, |it| format!("={}", it.join("\n")));
        [replace, it.add.join("\n"), it.remove.join("\n")]
    };
    let mut digest = Digest::of("edit_inbox")
        .bytes(inbox.bytes())
        .text(&text(&edit.name))
        .number(edit.assistant.map_or(0, |it| it as u64 + 1))
        .text(&text(&edit.locale));
    for part in list(&edit.origins).iter().chain(&list(&edit.members)) {
        digest = digest.text(part);
    }
    let Silences { abandon_ms, notice_ms, no_reply_ms } = edit.silences;
    // Edits that say nothing of silences keep the digest they have had.
    if edit.silences != Silences::default() {
        for ms in [abandon_ms, notice_ms, no_reply_ms] {
            digest = digest.text(&ms.map_or_else(String::new, |it| it.to_string()));
        }
    }
    digest.finish()
}
