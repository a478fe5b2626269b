//! Rows with the names a reader needs, resolved once for every door: a conversation with its inbox's name, a
//! message with its sender's. Names are looked up when they are shown and never stand in the journal.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::domain::conversation::Conversation;
use crate::domain::entry::{ActorKind, ActorRef, Entry, EntryKind};
use crate::domain::escalation::Escalation;
use crate::domain::event::{Content, Event};
use crate::domain::id::{ConversationId, EscalationId, OrganizationId, UserId};
use crate::domain::message::{Message, Note, SenderType};
use crate::domain::user::User;
use crate::store::{Key, table};

use super::error::Error;
use super::rows::Rows;

/// How many views of conversations a reader far behind keeps, but for those of its last page.
const MET_MAX: usize = 256;

/// Room beside rows for the bytes that a door sends of them, so that they need not be made for each reader. The service
/// neither makes nor reads them. One door alone fills the room, and what it puts there must not depend on who reads.
///
/// Nothing is kept before the second time: most of what there is room for is sent to one reader, once.
#[derive(Debug, Default)]
pub struct Written {
    /// Whether they were made before.
    made: AtomicBool,
    kept: OnceLock<Box<[u8]>>,
}

impl Written {
    /// Appends the bytes that are kept, or else those that `make` appends.
    pub fn append(&self, to: &mut Vec<u8>, make: impl FnOnce(&mut Vec<u8>)) {
        if let Some(kept) = self.kept.get() {
            to.extend_from_slice(kept);
            return;
        }
        let begin = to.len();
        make(to);
        if self.made.swap(true, Ordering::Relaxed) {
            // Whoever comes first keeps them: others have made the same.
            self.kept.get_or_init(|| Box::from(&to[begin..]));
        }
    }

    /// The bytes that are kept.
    pub fn kept(&self) -> Option<&[u8]> {
        self.kept.get().map(AsRef::as_ref)
    }
}

/// A copy may be changed: what is sent of it is made anew.
impl Clone for Written {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// A conversation and the names in it.
#[derive(Clone, Debug)]
pub struct ConversationView {
    /// The header.
    pub header: Conversation,
    /// The inbox's name.
    pub inbox_name: String,
    /// The visitor's name; empty if they gave none.
    pub visitor_name: String,
    /// The assignee's name; empty if there is none.
    pub assignee_name: String,
    /// The name of the last agent it was assigned to; empty if there was none.
    pub preferred_name: String,
    /// The number of the earlier conversation it continues.
    pub previous: Option<u64>,
    /// The live escalation.
    pub escalation: Option<EscalationView>,
    /// For the door that staff watch through: what it sends of this.
    pub watch_bytes: Written,
}

impl ConversationView {
    /// The name of a user whom the conversation names.
    fn name_of(&self, user: UserId) -> Option<&str> {
        let header = &self.header;
        let named = [
            (Some(header.visitor), &self.visitor_name),
            (header.assignee, &self.assignee_name),
            (header.last_agent, &self.preferred_name),
        ];
        named.into_iter().find_map(|(id, name)| (id == Some(user)).then_some(name.as_str()))
    }
}

/// An escalation and who asked for it.
#[derive(Clone, Debug)]
pub struct EscalationView {
    /// The row.
    pub escalation: Escalation,
    /// The conversation's number.
    pub number: u64,
    /// The name of who asked.
    pub by_name: String,
    /// The name of the agent it is meant for; empty if for everybody.
    pub to_name: String,
}

/// A message and its sender's name; a system line's parameters name users instead of their ids.
#[derive(Clone, Debug)]
pub struct MessageView {
    /// The row.
    pub message: Message,
    /// The sender's name; empty for the assistant and system lines.
    pub sender_name: String,
}

/// A note and its author's name.
#[derive(Clone, Debug)]
pub struct NoteView {
    /// The row.
    pub note: Note,
    /// Who wrote it; empty for the assistant.
    pub author_name: String,
}

impl NoteView {
    /// Whether a person wrote it or the assistant.
    pub fn sender_type(&self) -> SenderType {
        if self.note.author.is_some() { SenderType::Agent } else { SenderType::Assistant }
    }
}

/// One entry of the journal with the rows it changed. Those that few changes have are boxed: a page of changes is moved
/// about as it is made.
#[derive(Clone, Debug)]
pub struct Change {
    /// The entry.
    pub entry: Entry,
    /// The name of who did it.
    pub actor_name: String,
    /// The conversation it happened in.
    pub conversation: Option<Arc<ConversationView>>,
    /// The message or system line it brought.
    pub message: Option<MessageView>,
    /// The note it brought.
    pub note: Option<Box<NoteView>>,
    /// The escalation it began.
    pub escalation: Option<Box<EscalationView>>,
    /// The user it changed.
    pub user: Option<Box<User>>,
    /// For the door that staff watch through: what it sends of all this.
    pub watch_bytes: Written,
}

impl Change {
    /// Without the rows it brought.
    fn bare(entry: Entry, conversation: Option<Arc<ConversationView>>) -> Self {
        Self {
            entry,
            actor_name: String::new(),
            conversation,
            message: None,
            note: None,
            escalation: None,
            user: None,
            watch_bytes: Written::default(),
        }
    }
}

/// The names of a conversation.
pub(super) async fn conversation(
    rows: &Rows<'_>,
    header: Conversation,
) -> Result<ConversationView, Error> {
    let inbox = rows.inbox(header.inbox).await?;
    let live = match header.escalation {
        Some(id) => rows.escalation(id).await?,
        None => None,
    };
    let escalation = match live {
        Some(live) => Some(escalation(rows, None, live, header.number).await?),
        None => None,
    };
    let previous = match header.previous {
        Some(id) => rows.conversation(id).await?.map(|it| it.number),
        None => None,
    };
    Ok(ConversationView {
        preferred_name: rows.user_label(header.last_agent).await?,
        previous,
        inbox_name: inbox.map(|it| it.name).unwrap_or_default(),
        visitor_name: rows.user_label(Some(header.visitor)).await?,
        assignee_name: rows.user_label(header.assignee).await?,
        escalation,
        watch_bytes: Written::default(),
        header,
    })
}

/// The name of who asked for a person.
pub(super) async fn escalation(
    rows: &Rows<'_>,
    within: Option<&ConversationView>,
    escalation: Escalation,
    number: u64,
) -> Result<EscalationView, Error> {
    let by_name = actor_name(rows, within, &escalation.by).await?;
    let to_name = label(rows, within, escalation.to).await?;
    Ok(EscalationView { escalation, number, by_name, to_name })
}

/// The name of a user, whom the conversation may name already.
async fn label(
    rows: &Rows<'_>,
    within: Option<&ConversationView>,
    user: Option<UserId>,
) -> Result<String, Error> {
    match user.and_then(|user| within?.name_of(user)) {
        Some(name) => Ok(name.to_owned()),
        None => rows.user_label(user).await,
    }
}

/// The names of a message; `within` is its conversation, if that is at hand.
pub(super) async fn message(
    rows: &Rows<'_>,
    within: Option<&ConversationView>,
    message: Message,
) -> Result<MessageView, Error> {
    let mut view = MessageView { message, sender_name: String::new() };
    name_message(rows, within, &mut view).await?;
    Ok(view)
}

async fn name_message(
    rows: &Rows<'_>,
    within: Option<&ConversationView>,
    view: &mut MessageView,
) -> Result<(), Error> {
    view.sender_name = label(rows, within, view.message.sender).await?;
    if let Some(line) = &mut view.message.system {
        for (name, value) in &mut line.params {
            if name == "user" {
                let user = value.parse::<UserId>().ok();
                "name".clone_into(name);
                *value = label(rows, within, user).await?;
            }
        }
    }
    Ok(())
}

/// The name of a note's author.
pub(super) async fn note(
    rows: &Rows<'_>,
    within: Option<&ConversationView>,
    note: Note,
) -> Result<NoteView, Error> {
    let author_name = label(rows, within, note.author).await?;
    Ok(NoteView { note, author_name })
}

/// The name of an actor.
pub(super) async fn actor_name(
    rows: &Rows<'_>,
    within: Option<&ConversationView>,
    actor: &ActorRef,
) -> Result<String, Error> {
    match actor.kind {
        ActorKind::Visitor | ActorKind::Agent | ActorKind::Key => {
            label(rows, within, actor.user).await
        }
        ActorKind::Assistant | ActorKind::Operator | ActorKind::System => Ok(String::new()),
    }
}

/// The change an event is, from the layer it was just written to.
pub(super) async fn of_event(rows: &Rows<'_>, event: &Event) -> Result<Arc<Change>, Error> {
    let (message_row, note_row) = match &event.content {
        Content::Message(message) => (Some(message.clone()), None),
        Content::Note(note) => (None, Some(note.clone())),
        Content::Flagged(message) => (Some(message.clone()), None),
        Content::Retracted { line, .. } => (Some((**line).clone()), None),
        Content::None
        | Content::Deleted(_)
        | Content::Organization(_)
        | Content::User(..)
        | Content::Inbox(_)
        | Content::Key(..)
        | Content::KeyRevoked(_)
        | Content::Session(..)
        | Content::SessionEnded(_)
        | Content::Article(_)
        | Content::ArticleDeleted(_) => (None, None),
    };
    let conversation = match &event.conversation {
        Some(header) => Some(Arc::new(conversation(rows, header.clone()).await?)),
        None => None,
    };
    let mut change = Change::bare(event.entry.clone(), conversation);
    let escalation = event.escalation.clone().filter(|_| begins_escalation(event.entry.kind));
    fill(rows, &mut change, message_row, note_row, escalation).await?;
    Ok(Arc::new(change))
}

/// The views that a reader far behind has met on earlier pages: it meets most of them again on the next.
#[derive(Debug, Default)]
pub(super) struct Met(HashMap<ConversationId, Arc<ConversationView>>);

impl Met {
    /// The view of a conversation for an entry at `position` in it: the one that was met, unless the entry may have
    /// changed it since, or else one of the rows as they are. `None` if it is gone.
    async fn view(
        &mut self,
        rows: &Rows<'_>,
        id: ConversationId,
        position: u64,
    ) -> Result<Option<Arc<ConversationView>>, Error> {
        if let Some(view) = self.0.get(&id).filter(|it| position <= it.header.position) {
            return Ok(Some(Arc::clone(view)));
        }
        self.0.remove(&id);
        let Some(header) = rows.conversation(id).await? else { return Ok(None) };
        let view = Arc::new(conversation(rows, header).await?);
        self.0.insert(id, Arc::clone(&view));
        Ok(Some(view))
    }

    /// Forgets what changes have made stale. Any outside of conversations counts as one that changed a name.
    pub(super) fn forget(&mut self, changes: &[Arc<Change>]) {
        for change in changes {
            match change.entry.conversation {
                Some(id) => drop(self.0.remove(&id)),
                None => self.0.clear(),
            }
        }
    }
}

/// The changes that entries of the journal were, with their rows as they are now or were when their conversation was
/// met. Reads row by row: for a snapshot, of which a row costs no more alone.
pub(super) async fn of_entries(
    rows: &Rows<'_>,
    entries: Vec<Entry>,
    met: &mut Met,
) -> Result<Vec<Arc<Change>>, Error> {
    if met.0.len() > MET_MAX {
        met.0.clear();
    }
    let mut changes = Vec::with_capacity(entries.len());
    for entry in entries {
        let view = match entry.conversation {
            Some(id) => met.view(rows, id, entry.position).await?,
            None => None,
        };
        changes.push(of_entry(rows, entry, view).await?);
    }
    Ok(changes)
}

/// The rows that a header names.
pub(super) fn keys_around(organization: OrganizationId, header: &Conversation) -> Vec<Key> {
    let people = [Some(header.visitor), header.assignee, header.last_agent].into_iter().flatten();
    let mut keys: Vec<Key> = people.map(|user| table::user(organization, user)).collect();
    keys.push(table::inbox(organization, header.inbox));
    keys.extend(header.escalation.map(|id| table::escalation(organization, id)));
    keys.extend(header.previous.map(|id| table::conversation(organization, id)));
    keys
}

/// The change an entry of the journal was, in the conversation as it is now.
async fn of_entry(
    rows: &Rows<'_>,
    entry: Entry,
    conversation: Option<Arc<ConversationView>>,
) -> Result<Arc<Change>, Error> {
    let mut change = Change::bare(entry, conversation);
    let Entry { kind, seq, number, subject, .. } = change.entry;
    let (mut message, mut note, mut escalation) = (None, None, None);
    if let Some(id) = change.entry.conversation {
        if kind == EntryKind::NoteAdded {
            note = rows.note(id, change.entry.position).await?;
        } else if let (EntryKind::MessageFlagged, Some(seq)) = (kind, number) {
            message = rows.message(id, seq).await?;
        } else if let (Some(seq), true) = (seq, kind != EntryKind::MarkMoved) {
            message = rows.message(id, seq).await?;
        }
        if let (true, Some(subject)) = (begins_escalation(kind), subject) {
            escalation = rows.escalation(EscalationId(subject)).await?;
        }
    }
    fill(rows, &mut change, message, note, escalation).await?;
    Ok(Arc::new(change))
}

/// Whether an entry of this kind may begin an escalation. The one it ends is not shown again: a live reader and
/// one that reads on from the journal are told the same.
fn begins_escalation(kind: EntryKind) -> bool {
    matches!(
        kind,
        EntryKind::Escalated | EntryKind::Released | EntryKind::Reopened | EntryKind::Transferred
    )
}

/// Names the rows that a change brought, and adds them to it.
async fn fill(
    rows: &Rows<'_>,
    change: &mut Change,
    message: Option<Message>,
    note_row: Option<Note>,
    escalation_row: Option<Escalation>,
) -> Result<(), Error> {
    let within = change.conversation.as_deref();
    change.actor_name = actor_name(rows, within, &change.entry.actor).await?;
    if let Some(message) = message {
        let view = change.message.insert(MessageView { message, sender_name: String::new() });
        name_message(rows, within, view).await?;
    }
    if let Some(row) = note_row {
        change.note = Some(Box::new(note(rows, within, row).await?));
    }
    if let Some(row) = escalation_row {
        let number = within.map_or(0, |it| it.header.number);
        change.escalation = Some(Box::new(escalation(rows, within, row, number).await?));
    }
    change.user = match user_changed(&change.entry) {
        Some(id) => rows.user(id).await?.map(Box::new),
        None => None,
    };
    Ok(())
}

/// The user that an entry changed.
fn user_changed(entry: &Entry) -> Option<UserId> {
    match entry.kind {
        EntryKind::UserCreated
        | EntryKind::AvailabilityChanged
        | EntryKind::UserInvited
        | EntryKind::InviteAccepted
        | EntryKind::UserEdited
        | EntryKind::UserReset
        | EntryKind::UserDisabled
        | EntryKind::UserEnabled
        | EntryKind::AbsenceTimed => entry.subject.map(UserId),
        EntryKind::OrganizationCreated
        | EntryKind::InboxCreated
        | EntryKind::InboxEdited
        | EntryKind::KeyCreated
        | EntryKind::KeyRevoked
        | EntryKind::SessionStarted
        | EntryKind::SessionEnded
        | EntryKind::ArticlePut
        | EntryKind::ArticleDeleted
        | EntryKind::ConversationStarted
        | EntryKind::MessagePosted
        | EntryKind::NoteAdded
        | EntryKind::Escalated
        | EntryKind::Claimed
        | EntryKind::Released
        | EntryKind::HandedBack
        | EntryKind::Resolved
        | EntryKind::Reopened
        | EntryKind::MarkMoved
        | EntryKind::Transferred
        | EntryKind::OfferEnded
        | EntryKind::TagsChanged
        | EntryKind::PriorityChanged
        | EntryKind::SilenceNoticed
        | EntryKind::MessageFlagged
        | EntryKind::MessageRetracted
        | EntryKind::ConversationDeleted
        | EntryKind::Linked => None,
    }
}
