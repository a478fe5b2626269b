//! The visitors of an organization, page by page, each with their latest conversation.

use crate::domain::actor::{Actor, Permission};
use crate::domain::conversation::Conversation;
use crate::domain::id::{ConversationId, UserId};
use crate::domain::user::{Role, User};
use crate::store::record::Pointer;
use crate::store::{Direction, table};

use super::conversation::page_size;
use super::error::Error;
use super::rights::Reach;
use super::rows::{PAGE_MAX, Rows};
use super::view::{self, ConversationView};
use super::{Service, require};

/// How many users one page looks at: staff and tests among them are passed over.
const LOOK_MAX: usize = 1_000;

/// A visitor.
#[derive(Debug)]
pub struct VisitorView {
    /// Their row.
    pub user: User,
    /// Their latest conversation.
    pub latest: Option<ConversationView>,
}

/// A page of visitors.
#[derive(Debug)]
pub struct VisitorPage {
    /// By id.
    pub visitors: Vec<VisitorView>,
    /// Empty on the last page.
    pub next_page_token: String,
}

impl Service {
    /// A page of visitors, in the order of their ids.
    pub async fn list_visitors(
        &self,
        actor: &Actor,
        limit: u32,
        page_token: &str,
    ) -> Result<VisitorPage, Error> {
        require(actor, Permission::ReadConversations)?;
        let rows = self.rows(actor);
        let mut range = table::users(actor.organization);
        if !page_token.is_empty() {
            let last = page_token.parse::<UserId>().map_err(|_| {
                Error::invalid("bad_page_token", "this page token is not from a list")
            })?;
            range = table::after(&range, &table::user(actor.organization, last));
        }
        let limit = page_size(limit) as usize;
        let reach = self.reach(actor).await?;
        let mut page = VisitorPage { visitors: Vec::new(), next_page_token: String::new() };
        let mut looked = 0;
        loop {
            let found = rows.list::<User>(&range, Direction::Forward, PAGE_MAX).await?;
            if found.is_empty() {
                return Ok(page);
            }
            for (key, user) in found {
                if page.visitors.len() == limit || looked == LOOK_MAX {
                    return Ok(page);
                }
                looked += 1;
                page.next_page_token = user.id.to_string();
                range = table::after(&range, &key);
                if user.role == Role::User {
                    page.visitors.extend(visitor(&rows, &reach, user).await?);
                }
            }
            // Whoever came last was the last of all, unless another page finds more.
            if rows.scan(&range, Direction::Forward, 1).await?.is_empty() {
                page.next_page_token = String::new();
                return Ok(page);
            }
        }
    }
}

/// The visitor with their latest conversation that the reader may see; none for one that a test made up.
async fn visitor(rows: &Rows<'_>, reach: &Reach, user: User) -> Result<Option<VisitorView>, Error> {
    let range = table::conversations_of(rows.organization(), user.id);
    let mut latest: Option<Conversation> = None;
    for (_, pointer) in rows.list::<Pointer>(&range, Direction::Forward, PAGE_MAX).await? {
        let found = rows.conversation(ConversationId(pointer.subject)).await?;
        let found = found.filter(|it| reach.has(it.inbox));
        latest = latest.into_iter().chain(found).max_by_key(|it| it.number);
    }
    if latest.as_ref().is_none_or(Conversation::is_test) {
        return Ok(None);
    }
    let latest = match latest {
        Some(header) => Some(view::conversation(rows, header).await?),
        None => None,
    };
    Ok(Some(VisitorView { user, latest }))
}
