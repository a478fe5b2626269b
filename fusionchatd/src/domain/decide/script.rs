//! The pen a decision writes with: numbers its entries, keeps the conversation's header up to date as it goes.

use uuid::Uuid;

use crate::domain::Time;
use crate::domain::actor::Actor;
use crate::domain::conversation::{CODE_CLARIFICATION, Conversation, Handler};
use crate::domain::entry::{ActorRef, Entry, EntryKind};
use crate::domain::escalation::{Escalation, Outcome};
use crate::domain::event::{Content, Event};
use crate::domain::facts::Moment;
use crate::domain::id::{
    ClientId, ConversationId, EscalationId, MessageId, OrganizationId, UserId,
};
use crate::domain::inbox::Silences;
use crate::domain::message::{Message, SenderType, Source, SystemLine, last_line};

use super::{Decision, Refs};

/// Collects the events of one decision.
pub(super) struct Script<'a> {
    /// The moment of the decision.
    pub(super) moment: &'a Moment,
    /// The organization it happens in.
    pub(super) organization: OrganizationId,
    by: ActorRef,
    client_id: Option<ClientId>,
    silences: Silences,
    ids_used: usize,
    events: Vec<Event>,
}

/// What a message says and who says it.
pub(super) struct Said<'a> {
    pub(super) sender_type: SenderType,
    pub(super) sender: Option<UserId>,
    pub(super) content: &'a str,
    pub(super) sources: &'a [Source],
    pub(super) clarification: bool,
}

impl<'a> Script<'a> {
    pub(super) fn new(
        moment: &'a Moment,
        actor: &Actor,
        client_id: Option<ClientId>,
        silences: Silences,
    ) -> Self {
        Self {
            moment,
            organization: actor.organization,
            by: ActorRef::from(actor),
            client_id,
            silences,
            ids_used: 0,
            events: Vec::new(),
        }
    }

    /// The next fresh id. A decision that asks for more than the moment holds is a broken invariant.
    pub(super) fn id(&mut self) -> Uuid {
        let id = self.moment.ids[self.ids_used];
        self.ids_used += 1;
        id
    }

    pub(super) fn by(&self) -> ActorRef {
        self.by
    }

    pub(super) fn client_id(&self) -> Option<ClientId> {
        self.client_id
    }

    /// An entry at the next position.
    pub(super) fn entry(&self, kind: EntryKind) -> Entry {
        Entry {
            position: self.moment.position + self.events.len() as u64,
            time: self.moment.now,
            actor: self.by,
            kind,
            conversation: None,
            subject: None,
            other: None,
            seq: None,
            number: None,
            code: 0,
            due: None,
            detail: None,
            digest: None,
        }
    }

    /// An event outside any conversation.
    pub(super) fn push(&mut self, entry: Entry, content: Content) {
        self.events.push(Event { entry, content, conversation: None, escalation: None });
    }

    /// An event in a conversation: applies the entry to the header.
    pub(super) fn push_in(
        &mut self,
        conversation: &mut Conversation,
        mut entry: Entry,
        content: Content,
        escalation: Option<Escalation>,
    ) {
        entry.conversation = Some(conversation.id);
        conversation.apply(&entry);
        if let Content::Message(message) = &content
            && matches!(message.sender_type, SenderType::User | SenderType::Agent)
        {
            conversation.last_line = last_line(&message.content);
        }
        self.events.push(Event {
            entry,
            content,
            conversation: Some(conversation.clone()),
            escalation,
        });
    }

    /// Posts a message and returns its number.
    pub(super) fn say(&mut self, conversation: &mut Conversation, said: &Said<'_>) -> u64 {
        let seq = conversation.last_seq + 1;
        let mut entry = self.entry(EntryKind::MessagePosted);
        let id = MessageId::of_message(conversation.id, seq);
        entry.subject = Some(id.0);
        entry.other = said.sender.map(|user| user.0);
        entry.seq = Some(seq);
        entry.code = said.sender_type.code();
        if said.clarification {
            entry.code |= CODE_CLARIFICATION;
        }
        entry.due = match said.sender_type {
            SenderType::User => {
                (conversation.handler == Handler::Assistant).then(|| self.answer_due())
            }
            SenderType::Agent => Some(self.agent_silence_due()),
            SenderType::Assistant => Some(self.assistant_silence_due()),
            SenderType::System => None,
        };
        let message = Message {
            id,
            conversation: conversation.id,
            seq,
            sender_type: said.sender_type,
            sender: said.sender,
            content: said.content.to_owned(),
            sources: said.sources.to_vec(),
            system: None,
            client_id: self.client_id,
            created_at: entry.time,
            position: entry.position,
            retracted: false,
            flag: None,
        };
        self.push_in(conversation, entry, Content::Message(message), None);
        seq
    }

    /// When the assistant must have answered what it is asked now.
    pub(super) fn answer_due(&self) -> Time {
        self.moment.now.saturating_add(self.moment.delays.assistant_ms)
    }

    /// When a visitor who has heard an agent has been silent for so long that they get a notice.
    pub(super) fn agent_silence_due(&self) -> Time {
        let ms = self.silences.notice_ms.unwrap_or(self.moment.delays.agent_silence_ms);
        self.moment.now.saturating_add(ms)
    }

    /// When one who gets that notice now has been silent for too long.
    pub(super) fn no_reply_due(&self) -> Time {
        let ms = self.silences.no_reply_ms.unwrap_or(self.moment.delays.agent_silence_ms);
        self.moment.now.saturating_add(ms)
    }

    /// When a visitor who has heard the assistant has been silent for too long.
    pub(super) fn assistant_silence_due(&self) -> Time {
        let ms = self.silences.abandon_ms.unwrap_or(self.moment.delays.assistant_silence_ms);
        self.moment.now.saturating_add(ms)
    }

    /// The system line of an entry, which the visitor sees under the entry's number.
    pub(super) fn line(
        &self,
        conversation: ConversationId,
        entry: &Entry,
        params: &[(&str, String)],
    ) -> Option<Message> {
        let code = match entry.kind {
            EntryKind::Escalated => "escalated",
            EntryKind::Claimed => "claimed",
            EntryKind::Released => "released",
            EntryKind::HandedBack => "handed_back",
            EntryKind::Resolved => "resolved",
            EntryKind::Reopened => "reopened",
            EntryKind::Transferred => "transferred",
            EntryKind::SilenceNoticed => "silence_notice",
            EntryKind::MessageRetracted => "retracted",
            EntryKind::MessagePosted
            | EntryKind::OfferEnded
            | EntryKind::TagsChanged
            | EntryKind::PriorityChanged
            | EntryKind::MessageFlagged
            | EntryKind::ConversationDeleted
            | EntryKind::Linked
            | EntryKind::NoteAdded
            | EntryKind::MarkMoved
            | EntryKind::ConversationStarted
            | EntryKind::OrganizationCreated
            | EntryKind::UserCreated
            | EntryKind::AvailabilityChanged
            | EntryKind::InboxCreated
            | EntryKind::InboxEdited
            | EntryKind::KeyCreated
            | EntryKind::KeyRevoked
            | EntryKind::SessionStarted
            | EntryKind::SessionEnded
            | EntryKind::ArticlePut
            | EntryKind::ArticleDeleted
            | EntryKind::UserInvited
            | EntryKind::InviteAccepted
            | EntryKind::UserEdited
            | EntryKind::UserReset
            | EntryKind::UserDisabled
            | EntryKind::UserEnabled
            | EntryKind::AbsenceTimed => return None,
        };
        let seq = entry.seq.unwrap_or(0);
        Some(Message {
            id: MessageId::of_message(conversation, seq),
            conversation,
            seq,
            sender_type: SenderType::System,
            sender: None,
            content: String::new(),
            sources: Vec::new(),
            system: Some(SystemLine {
                code: code.to_owned(),
                params: params.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect(),
            }),
            client_id: None,
            created_at: entry.time,
            position: entry.position,
            retracted: false,
            flag: None,
        })
    }

    /// A visible event with a system line.
    pub(super) fn tell(
        &mut self,
        conversation: &mut Conversation,
        mut entry: Entry,
        params: &[(&str, String)],
        escalation: Option<Escalation>,
    ) {
        entry.seq = Some(conversation.last_seq + 1);
        let line = self.line(conversation.id, &entry, params);
        let content = line.map_or(Content::None, Content::Message);
        self.push_in(conversation, entry, content, escalation);
    }

    /// Puts the conversation into the live queue. `kind` is `Escalated`, `Released`, `Reopened` or `Transferred`.
    pub(super) fn escalate(
        &mut self,
        conversation: &mut Conversation,
        kind: EntryKind,
        reason: &str,
        to: Option<UserId>,
        staffed: bool,
    ) {
        let id = self.id();
        let mut entry = self.entry(kind);
        if kind == EntryKind::Transferred {
            entry.due = Some(self.moment.now.saturating_add(self.moment.delays.offer_ms));
        }
        entry.subject = Some(id);
        entry.other = to.map(|user| user.0);
        entry.detail = Some(reason.to_owned());
        entry.code = Handler::None as u32;
        let escalation = Escalation {
            id: EscalationId(id),
            conversation: conversation.id,
            reason: reason.to_owned(),
            by: self.by(),
            to,
            created_at: entry.time,
            claimed_by: None,
            claimed_at: None,
            ended_at: None,
            outcome: None,
        };
        let params = [("staffed", staffed.to_string())];
        self.tell(conversation, entry, &params, Some(escalation));
    }

    /// The live escalation, ended now.
    pub(super) fn ended(
        &self,
        escalation: Option<&Escalation>,
        outcome: Outcome,
        claimed_by: Option<UserId>,
    ) -> Option<Escalation> {
        let mut escalation = escalation?.clone();
        escalation.ended_at = Some(self.moment.now);
        escalation.outcome = Some(outcome);
        escalation.claimed_by = claimed_by;
        escalation.claimed_at = claimed_by.map(|_| self.moment.now);
        Some(escalation)
    }

    /// The decision: all events, and what to answer.
    pub(super) fn finish(self, refs: Refs) -> Decision {
        Decision { events: self.events, refs }
    }
}

/// The answer that names a conversation.
pub(super) fn about(conversation: &Conversation) -> Refs {
    Refs { conversation: Some(conversation.id.0), ..Refs::default() }
}
