//! Conversations as staff and keys use them: list, read, reply, note, claim, release, escalate, resolve.

use std::sync::Arc;

use crate::domain::actor::{Actor, Permission, Who};
use crate::domain::command::{Command, StaffAct};
use crate::domain::conversation::{Conversation, Resolution, Status};
use crate::domain::id::{ClientId, ConversationId, UserId};
use crate::domain::lane::Lane;
use crate::domain::message::SenderType;
use crate::store::record::{Pointer, Record};
use crate::store::{Direction, Range, table};

use super::error::Error;
use super::execute::Answer;
use super::label::staff_digest;
use super::rows::{PAGE_MAX, Rows};
use super::view::{self, ConversationView, MessageView, NoteView};
use super::{Service, require, rights};

/// What a list of conversations is asked for.
#[derive(Clone, Debug, Default)]
pub struct ListConversations {
    /// Only these statuses; empty means all.
    pub statuses: Vec<Status>,
    /// Only those of this member of staff: a name, e-mail or id.
    pub assignee: Option<String>,
    /// Tests, which are on no other list.
    pub tests: bool,
    /// At most so many; 0 means 50, no more than [`PAGE_MAX`].
    pub limit: u32,
    /// Where the previous page ended.
    pub page_token: String,
}

/// A page of conversations.
#[derive(Debug)]
pub struct ConversationPage {
    /// Latest change of status first.
    pub conversations: Vec<ConversationView>,
    /// Empty on the last page.
    pub next_page_token: String,
    /// The journal's position when the first row was read.
    pub position: u64,
}

/// A page of a transcript.
#[derive(Debug)]
pub struct MessagePage {
    /// By seq.
    pub messages: Vec<MessageView>,
    /// Those written among the messages; empty for visitors.
    pub notes: Vec<NoteView>,
    /// Whether there are more messages.
    pub more: bool,
}

/// A message that is on disk.
#[derive(Debug)]
pub struct Posted {
    /// The message.
    pub message: MessageView,
    /// Its conversation as it is now.
    pub conversation: ConversationView,
}

/// The default page.
const PAGE_DEFAULT: u32 = 50;
/// How many pages of rows a list reads for one page of what the actor reaches; a shorter one has a token all the same.
const LIST_READS_MAX: usize = 20;

/// A page size as asked for, within bounds.
pub(super) fn page_size(asked: u32) -> u32 {
    if asked == 0 { PAGE_DEFAULT } else { asked.min(PAGE_MAX) }
}

impl Service {
    /// The conversation of a number (`1042`, `#1042`) or id that the actor may see. Absent and foreign are the same.
    pub async fn find_conversation(
        &self,
        actor: &Actor,
        text: &str,
    ) -> Result<Conversation, Error> {
        let visitor = match &actor.who {
            Who::Visitor { user, .. } => Some(*user),
            Who::Agent { .. }
            | Who::Key { .. }
            | Who::Operator { .. }
            | Who::Assistant
            | Who::System => {
                // First of all, so that a refusal says nothing about what exists.
                require(actor, Permission::ReadConversations)?;
                None
            }
        };
        let rows = self.rows(actor);
        let number = text.strip_prefix('#').unwrap_or(text).parse::<u64>().ok();
        let id = match number {
            Some(number) => {
                let key = table::conversation_number(actor.organization, number);
                rows.pointer(&key).await?.map(|it| ConversationId(it.subject))
            }
            None => text.parse::<ConversationId>().ok(),
        };
        let id = id.ok_or_else(Error::not_found)?;
        let found = rows.conversation(id).await?.ok_or_else(Error::not_found)?;
        if visitor.is_some_and(|visitor| visitor != found.visitor) {
            return Err(Error::not_found());
        }
        rights::require_reach(&rows, actor, &found).await?;
        Ok(found)
    }

    /// One conversation and the journal's position when it was read.
    pub async fn get_conversation(
        &self,
        actor: &Actor,
        text: &str,
    ) -> Result<(ConversationView, u64), Error> {
        let position = self.position(actor).await?;
        let header = self.find_conversation(actor, text).await?;
        Ok((view::conversation(&self.rows(actor), header).await?, position))
    }

    /// The journal's last position.
    pub(super) async fn position(&self, actor: &Actor) -> Result<u64, Error> {
        let (_, head) = self.rows(actor).head().await?;
        Ok(head.position)
    }

    /// A page of conversations, latest change of status first.
    pub async fn list_conversations(
        &self,
        actor: &Actor,
        query: &ListConversations,
    ) -> Result<ConversationPage, Error> {
        let rows = self.rows(actor);
        if let Who::Visitor { user, inbox, .. } = &actor.who {
            let latest = rows.latest_of(*user, *inbox).await?;
            let mut conversations = Vec::new();
            if let Some(header) = latest {
                conversations.push(view::conversation(&rows, header).await?);
            }
            return Ok(ConversationPage {
                conversations,
                next_page_token: String::new(),
                position: 0,
            });
        }
        require(actor, Permission::ReadConversations)?;
        let position = self.position(actor).await?;
        let assignee = match &query.assignee {
            Some(text) => Some(self.find_staff(actor, text).await?.id),
            None => None,
        };
        let limit = page_size(query.limit) as usize;
        let reach = self.reach(actor).await?;
        let wanted = |header: &Conversation| {
            let status = query.statuses.is_empty() || query.statuses.contains(&header.status);
            // The lists of tests are everybody's.
            let theirs = assignee.is_none_or(|user| header.assignee == Some(user));
            status && theirs && reach.has(header.inbox)
        };
        let mut before = Some(page_start(&query.page_token)?);
        let mut found = Vec::new();
        for _ in 0..LIST_READS_MAX {
            let Some(start) = before.filter(|_| found.len() <= limit) else { break };
            let read = newest(&rows, query, assignee, start, limit + 1).await?;
            before = read.last().filter(|_| read.len() > limit).map(|last| last.rank);
            found.extend(read.into_iter().filter(wanted));
        }
        if found.len() > limit {
            found.truncate(limit);
            before = found.last().map(|last| last.rank);
        }
        let next_page_token = before.map_or_else(String::new, |rank| rank.to_string());
        let mut conversations = Vec::with_capacity(found.len());
        for header in found {
            conversations.push(view::conversation(&rows, header).await?);
        }
        Ok(ConversationPage { conversations, next_page_token, position })
    }

    /// A page of a transcript: after a seq, or the last messages.
    pub async fn list_messages(
        &self,
        actor: &Actor,
        text: &str,
        after_seq: u64,
        limit: u32,
        last: bool,
    ) -> Result<MessagePage, Error> {
        let header = self.find_conversation(actor, text).await?;
        let rows = self.rows(actor);
        let limit = page_size(limit);
        let mut found = if last {
            rows.last_messages(header.id, limit + 1).await?
        } else {
            rows.messages(header.id, after_seq.saturating_add(1), limit + 1).await?
        };
        let more = found.len() > limit as usize;
        if more && last {
            found.remove(0);
        }
        found.truncate(limit as usize);
        let notes = match &actor.who {
            Who::Visitor { .. } => Vec::new(),
            Who::Agent { .. }
            | Who::Key { .. }
            | Who::Operator { .. }
            | Who::Assistant
            | Who::System
                if last =>
            {
                let first = found.first().filter(|_| more);
                let from = first.map_or(0, |message| message.position);
                rows.last_notes(header.id, from, PAGE_MAX).await?
            }
            Who::Agent { .. }
            | Who::Key { .. }
            | Who::Operator { .. }
            | Who::Assistant
            | Who::System => {
                // From the message this page follows on, or notes between two pages would be on neither.
                let before = rows.message(header.id, after_seq).await?;
                let from = before.map_or(0, |message| message.position);
                let to = found.last().filter(|_| more).map_or(u64::MAX, |it| it.position);
                let mut notes = rows.notes(header.id, from, PAGE_MAX).await?;
                notes.retain(|note| note.position <= to);
                notes
            }
        };
        let mut page = MessagePage { messages: Vec::new(), notes: Vec::new(), more };
        for message in found {
            page.messages.push(view::message(&rows, None, message).await?);
        }
        for note in notes {
            page.notes.push(view::note(&rows, None, note).await?);
        }
        Ok(page)
    }

    /// Posts a message as who the credential says: an agent's reply, or a visitor's message.
    pub async fn post_message(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        text: &str,
        content: String,
        sender_type: Option<SenderType>,
    ) -> Result<Posted, Error> {
        let header = self.find_conversation(actor, text).await?;
        match (&actor.who, sender_type) {
            (Who::Visitor { .. }, None | Some(SenderType::User)) => {
                self.post_as_visitor(actor, client_id, header.id, content).await
            }
            (Who::Key { .. }, Some(SenderType::User)) => {
                require(actor, Permission::PostAsVisitor)?;
                self.post_for_visitor(actor, client_id, &header, content).await
            }
            (Who::Agent { .. } | Who::Key { .. }, None | Some(SenderType::Agent)) => {
                let act = StaffAct::Reply { content };
                let answer = self.staff_act(actor, client_id, header.id, act).await?;
                self.posted(actor, &answer).await
            }
            _ => Err(crate::domain::rejection::Rejection::SenderTypeMismatch.into()),
        }
    }

    /// The message and conversation a command made: as it was committed, or of a repeat as the rows are now.
    pub(super) async fn posted(&self, actor: &Actor, answer: &Answer) -> Result<Posted, Error> {
        let refs = &answer.refs;
        let id = ConversationId(refs.conversation.ok_or_else(Error::not_found)?);
        let seq = refs.seq.ok_or_else(Error::not_found)?;
        let mut messages = answer.changes.iter().filter_map(|change| change.message.as_ref());
        let message = messages.find(|it| it.message.conversation == id && it.message.seq == seq);
        let conversation = answer.changes.last().and_then(|change| change.conversation.as_ref());
        if let (Some(message), Some(conversation)) = (message, conversation) {
            let (message, conversation) = (message.clone(), ConversationView::clone(conversation));
            return Ok(Posted { message, conversation });
        }
        let rows = self.rows(actor);
        let message = rows.message(id, seq).await?.ok_or_else(Error::not_found)?;
        let header = rows.conversation(id).await?.ok_or_else(Error::not_found)?;
        Ok(Posted {
            message: view::message(&rows, None, message).await?,
            conversation: view::conversation(&rows, header).await?,
        })
    }

    /// Leaves a note that only staff see.
    pub async fn add_note(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        text: &str,
        content: String,
    ) -> Result<(NoteView, ConversationView), Error> {
        let header = self.find_conversation(actor, text).await?;
        let answer =
            self.staff_act(actor, client_id, header.id, StaffAct::Note { content }).await?;
        let rows = self.rows(actor);
        let position = answer.refs.position.ok_or_else(Error::not_found)?;
        let note = rows.note(header.id, position).await?.ok_or_else(Error::not_found)?;
        Ok((view::note(&rows, None, note).await?, self.shown(actor, header.id).await?))
    }

    /// Takes a conversation for the actor, or gives it to another member of staff.
    pub async fn claim(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        text: &str,
        to: Option<&str>,
        take: bool,
    ) -> Result<ConversationView, Error> {
        let header = self.find_conversation(actor, text).await?;
        let own = actor.staff().ok_or_else(Error::forbidden)?;
        let to = match to {
            Some(text) => self.find_staff(actor, text).await?.id,
            None => own,
        };
        self.staff_act(actor, client_id, header.id, StaffAct::Claim { to, take }).await?;
        self.shown(actor, header.id).await
    }

    /// Lets go; it waits again.
    pub async fn release(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        text: &str,
    ) -> Result<ConversationView, Error> {
        self.act_on(actor, client_id, text, StaffAct::Release).await
    }

    /// Gives a conversation to the assistant.
    pub async fn hand_back(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        text: &str,
    ) -> Result<ConversationView, Error> {
        self.act_on(actor, client_id, text, StaffAct::HandBack).await
    }

    /// Asks for a person: the visitor's own wish, or staff's. Asking again answers the same.
    pub async fn escalate(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        text: &str,
        reason: String,
    ) -> Result<ConversationView, Error> {
        if let Who::Visitor { .. } = &actor.who {
            let header = self.find_conversation(actor, text).await?;
            self.wish_for_person(actor, client_id, Some(header.id)).await?;
            return self.shown(actor, header.id).await;
        }
        self.act_on(actor, client_id, text, StaffAct::Escalate { reason }).await
    }

    /// Says it is done: staff's word, or the visitor's own.
    pub async fn resolve(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        text: &str,
        resolution: Resolution,
    ) -> Result<ConversationView, Error> {
        if let Who::Visitor { .. } = &actor.who {
            let header = self.find_conversation(actor, text).await?;
            let confirmed = resolution == Resolution::Confirmed;
            self.end_by_visitor(actor, client_id, Some(header.id), confirmed).await?;
            return self.shown(actor, header.id).await;
        }
        self.act_on(actor, client_id, text, StaffAct::Resolve { resolution }).await
    }

    /// Goes on with a resolved conversation.
    pub async fn reopen(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        text: &str,
    ) -> Result<ConversationView, Error> {
        self.act_on(actor, client_id, text, StaffAct::Reopen).await
    }

    pub(super) async fn act_on(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        text: &str,
        act: StaffAct,
    ) -> Result<ConversationView, Error> {
        let header = self.find_conversation(actor, text).await?;
        self.staff_act(actor, client_id, header.id, act).await?;
        self.shown(actor, header.id).await
    }

    /// A conversation as it is now.
    pub(super) async fn shown(
        &self,
        actor: &Actor,
        id: ConversationId,
    ) -> Result<ConversationView, Error> {
        let rows = self.rows(actor);
        let header = rows.conversation(id).await?.ok_or_else(Error::not_found)?;
        view::conversation(&rows, header).await
    }

    pub(super) async fn staff_act(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        conversation: ConversationId,
        act: StaffAct,
    ) -> Result<super::execute::Answer, Error> {
        require(actor, Permission::WriteConversations)?;
        let agent = actor.staff().ok_or_else(Error::forbidden)?;
        let digest = staff_digest(conversation, &act);
        let admin = actor.is_admin();
        let command = Command::Staff { agent, admin, conversation, act };
        self.execute(actor, client_id, digest, command).await
    }
}

/// Where a page begins.
fn page_start(token: &str) -> Result<u64, Error> {
    match token {
        "" => Ok(u64::MAX),
        text => text
            .parse()
            .map_err(|_| Error::invalid("bad_page_token", "this page token is not from a list")),
    }
}

/// Headers before a rank, newest first, from the lists of the statuses asked for.
async fn newest(
    rows: &Rows<'_>,
    query: &ListConversations,
    assignee: Option<UserId>,
    before: u64,
    limit: usize,
) -> Result<Vec<Conversation>, Error> {
    let organization = rows.organization();
    let all = [Status::Open, Status::Resolved, Status::Escalated];
    let statuses = if query.statuses.is_empty() { &all[..] } else { &query.statuses };
    let lanes = statuses.iter().flat_map(|it| Lane::of_status(*it, query.tests));
    let ranges: Vec<Range> = match assignee {
        Some(user) if !query.tests => vec![Range {
            start: table::by_assignee(organization, user, 0),
            end: table::by_assignee(organization, user, before),
        }],
        Some(_) | None => lanes
            .map(|lane| Range {
                start: table::by_lane(organization, *lane, 0),
                end: table::by_lane(organization, *lane, before),
            })
            .collect(),
    };
    let mut headers = Vec::new();
    for range in &ranges {
        let count = u32::try_from(limit).unwrap_or(PAGE_MAX);
        for (key, value) in rows.scan(range, Direction::Backward, count).await? {
            let id = ConversationId(Pointer::decode(&key, &value)?.subject);
            headers.extend(rows.conversation(id).await?);
        }
    }
    headers.sort_by_key(|header| std::cmp::Reverse(header.rank));
    headers.truncate(limit);
    Ok(headers)
}
