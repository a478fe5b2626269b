//! The journal read as an audit log: who did what, when, to which row. Names are looked up when they are shown.

use crate::domain::Time;
use crate::domain::actor::{Actor, Permission};
use crate::domain::entry::{Entry, EntryKind};
use crate::domain::id::{ConversationId, KeyId, UserId};
use crate::store::{Direction, table};

use super::conversation::page_size;
use super::error::Error;
use super::rows::{PAGE_MAX, Rows};
use super::view;
use super::{Service, require};

/// How many entries one page looks at; a page that finds little ends early, and the next one goes on.
pub const LOOK_MAX: u32 = 5_000;

/// What is asked of the log.
#[derive(Clone, Debug, Default)]
pub struct ListEntries {
    /// Only what this member of staff, visitor or key did: a name, e-mail or id.
    pub actor: Option<String>,
    /// Only these kinds; empty means all.
    pub kinds: Vec<EntryKind>,
    /// Not earlier than this.
    pub since: Option<Time>,
    /// Not later than this.
    pub until: Option<Time>,
    /// Only what happened in this conversation: a number or id.
    pub conversation: Option<String>,
    /// At most so many; 0 means 50.
    pub limit: u32,
    /// Where the previous page ended.
    pub page_token: String,
}

/// The kinds of these names.
pub fn kinds_of(names: &[String]) -> Result<Vec<EntryKind>, Error> {
    let kind = |name: &String| {
        let found = EntryKind::ALL.into_iter().find(|it| it.name() == name);
        found.ok_or_else(|| {
            let names = EntryKind::ALL.map(EntryKind::name).join(", ");
            Error::invalid("bad_kind", "there is no such kind of entry")
                .with_hint(format!("the kinds are {names}"))
        })
    };
    names.iter().map(kind).collect()
}

/// One entry with its names.
#[derive(Clone, Debug)]
pub struct EntryView {
    /// The entry.
    pub entry: Entry,
    /// Who did it; empty if they have no name.
    pub actor_name: String,
    /// The number of its conversation, while that exists.
    pub number: Option<u64>,
    /// The name of the user it is about or names; empty if it names none.
    pub other_name: String,
}

/// A page of the log.
#[derive(Debug)]
pub struct EntryPage {
    /// Newest first.
    pub entries: Vec<EntryView>,
    /// Empty on the last page.
    pub next_page_token: String,
}

/// What an entry must be to be listed.
struct Wanted<'q> {
    actor: Option<uuid::Uuid>,
    conversation: Option<ConversationId>,
    query: &'q ListEntries,
}

impl Service {
    /// A page of the audit log, newest first.
    pub async fn list_entries(
        &self,
        actor: &Actor,
        query: &ListEntries,
    ) -> Result<EntryPage, Error> {
        require(actor, Permission::ReadAudit)?;
        let rows = self.rows(actor);
        let wanted = self.wanted(actor, query).await?;
        let mut next = match query.page_token.as_str() {
            "" => last_until(&rows, query.until).await?,
            text => text.parse::<u64>().map_err(|_| {
                Error::invalid("bad_page_token", "this page token is not from a list")
            })?,
        };
        let limit = page_size(query.limit) as usize;
        let mut page = EntryPage { entries: Vec::new(), next_page_token: String::new() };
        let mut looked = 0;
        while next > 0 && page.entries.len() < limit && looked < LOOK_MAX {
            let range = crate::store::Range {
                start: table::entry(rows.organization(), 1),
                end: table::entry(rows.organization(), next.saturating_add(1)),
            };
            let found = rows.list::<Entry>(&range, Direction::Backward, PAGE_MAX).await?;
            if found.is_empty() {
                next = 0;
            }
            for (_, entry) in found {
                if page.entries.len() == limit {
                    break;
                }
                (next, looked) = (entry.position - 1, looked + 1);
                if query.since.is_some_and(|since| entry.time < since) {
                    next = 0;
                    break;
                }
                if wanted.is(&entry) {
                    page.entries.push(named(&rows, entry).await?);
                }
            }
        }
        if next > 0 {
            page.next_page_token = next.to_string();
        }
        Ok(page)
    }

    async fn wanted<'q>(&self, actor: &Actor, query: &'q ListEntries) -> Result<Wanted<'q>, Error> {
        let by = match query.actor.as_deref() {
            None => None,
            Some(text) => Some(match text.parse::<UserId>() {
                Ok(id) => id.0,
                Err(_) => self.find_staff(actor, text).await?.id.0,
            }),
        };
        let conversation = match query.conversation.as_deref() {
            None => None,
            // A conversation that is gone still has its entries.
            Some(text) => Some(match text.parse::<ConversationId>() {
                Ok(id) => id,
                Err(_) => self.find_conversation(actor, text).await?.id,
            }),
        };
        Ok(Wanted { actor: by, conversation, query })
    }
}

impl Wanted<'_> {
    fn is(&self, entry: &Entry) -> bool {
        let by = |id| entry.actor.user == Some(UserId(id)) || entry.actor.key == Some(KeyId(id));
        self.actor.is_none_or(by)
            && self.conversation.is_none_or(|id| entry.conversation == Some(id))
            && (self.query.kinds.is_empty() || self.query.kinds.contains(&entry.kind))
            && self.query.until.is_none_or(|until| entry.time <= until)
    }
}

/// The position of the last entry not later than `until`: times never decrease in a journal.
async fn last_until(rows: &Rows<'_>, until: Option<Time>) -> Result<u64, Error> {
    let (_, head) = rows.head().await?;
    let Some(until) = until else { return Ok(head.position) };
    let (mut before, mut after) = (0, head.position + 1);
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        let found = rows.entries(middle, 1).await?;
        match found.first() {
            Some(entry) if entry.time <= until => before = middle,
            Some(_) | None => after = middle,
        }
    }
    Ok(before)
}

async fn named(rows: &Rows<'_>, entry: Entry) -> Result<EntryView, Error> {
    let number = match entry.conversation {
        Some(id) => rows.conversation(id).await?.map(|it| it.number),
        None => None,
    };
    let about_user = matches!(
        entry.kind,
        EntryKind::UserCreated
            | EntryKind::AvailabilityChanged
            | EntryKind::UserInvited
            | EntryKind::InviteAccepted
            | EntryKind::UserEdited
            | EntryKind::UserReset
            | EntryKind::UserDisabled
            | EntryKind::UserEnabled
            | EntryKind::AbsenceTimed
    );
    let other = if about_user { entry.subject } else { entry.other };
    Ok(EntryView {
        actor_name: view::actor_name(rows, None, &entry.actor).await?,
        number: number.or(entry.number.filter(|_| entry.kind == EntryKind::ConversationStarted)),
        other_name: rows.user_label(other.map(UserId)).await?,
        entry,
    })
}
