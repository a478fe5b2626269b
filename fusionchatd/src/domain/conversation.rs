//! A conversation's header and how each entry of the journal changes it.

use super::Time;
use super::entry::{ActorKind, Entry, EntryKind};
use super::id::{ConversationId, EscalationId, InboxId, OrganizationId, UserId};
use super::message::SenderType;
use super::priority::Priority;
use super::timer::{Due, TimerKind};

/// How long after it was resolved a visitor's message reopens a conversation: 7 days.
pub const REOPEN_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// The first number of an organization's conversations.
pub const FIRST_NUMBER: u64 = 1001;

/// Where a conversation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Being handled, by the assistant or the assignee.
    Open = 1,
    /// Done.
    Resolved = 2,
    /// Waiting for a person: in the live queue.
    Escalated = 3,
}

/// Who answers the visitor next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Handler {
    /// The assistant.
    Assistant = 1,
    /// The assignee.
    Agent = 2,
    /// Nobody, for now.
    None = 3,
}

/// How a conversation was resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resolution {
    /// The visitor said it was.
    Confirmed = 1,
    /// An agent said so.
    Agent = 2,
    /// It goes on elsewhere.
    Duplicate = 3,
    /// It was none.
    Spam = 4,
    /// The visitor ended it.
    Visitor = 5,
    /// The visitor said nothing more to the assistant.
    Abandoned = 6,
    /// The visitor said nothing more to the agent, in spite of a notice.
    NoReply = 7,
}

/// A transfer that its addressee has not answered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The agent it is offered to.
    pub to: UserId,
    /// The agent who gave it, and is told if it is declined.
    pub from: Option<UserId>,
    /// When it becomes everybody's.
    pub due: Time,
}

/// The side a mark belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// What the visitor has read.
    Visitor = 1,
    /// What staff have read.
    Staff = 2,
}

/// A conversation without its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// Gapless per organization, from [`FIRST_NUMBER`].
    pub number: u64,
    /// Its organization.
    pub organization: OrganizationId,
    /// Its inbox.
    pub inbox: InboxId,
    /// Its visitor.
    pub visitor: UserId,
    /// Where it stands.
    pub status: Status,
    /// Who answers next.
    pub handler: Handler,
    /// The agent it is assigned to.
    pub assignee: Option<UserId>,
    /// Since when.
    pub assigned_at: Option<Time>,
    /// The last agent it was assigned to.
    pub last_agent: Option<UserId>,
    /// The visitor and every person who has publicly replied.
    pub participants: Vec<UserId>,
    /// Raised by every change of handler and every visitor message.
    pub turn: u64,
    /// The oldest visitor message no person has answered since a person was needed.
    pub waiting_since: Option<Time>,
    /// The journal position when the waiting began: it orders the queue, never the clock.
    pub waiting_position: Option<u64>,
    /// How it was resolved, if it is.
    pub resolution: Option<Resolution>,
    /// When it was resolved.
    pub resolved_at: Option<Time>,
    /// Who had resolved it: the handler of that moment, or an agent where staff stepped in.
    pub resolved_with: Option<Handler>,
    /// How often a visitor's message has reopened it to the assistant.
    pub reopened_to_assistant: u32,
    /// The visitor's language.
    pub locale: String,
    /// The number of its last visible entry.
    pub last_seq: u64,
    /// The number of the visitor's last message.
    pub last_visitor_seq: u64,
    /// The start of the last message by a person: what a list shows.
    pub last_line: String,
    /// Who sent that.
    pub line_sender: SenderType,
    /// Who sent the last message.
    pub last_sender: SenderType,
    /// What the visitor has read.
    pub visitor_mark: u64,
    /// What staff have read.
    pub staff_mark: u64,
    /// Visitor messages after the staff mark.
    pub unread: u64,
    /// Questions the assistant has asked back without an answer since.
    pub clarifications: u32,
    /// The live escalation.
    pub escalation: Option<EscalationId>,
    /// When the assistant must have answered.
    pub assistant_due: Option<Time>,
    /// When it started.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
    /// The journal position that last changed it.
    pub position: u64,
    /// Its place in the list of its status: the waiting position, or the position at which the status began.
    pub rank: u64,
    /// To whom it was transferred, while they may claim it before others.
    pub offer: Option<Offer>,
    /// When the visitor's silence has lasted too long.
    pub silence_due: Option<Time>,
    /// Whether the visitor has been told of that.
    pub silence_noticed: bool,
    /// The earlier conversation that it continues.
    pub previous: Option<ConversationId>,
    /// What staff call it by: lower-case words.
    pub tags: Vec<String>,
    /// How urgent it is.
    pub priority: Priority,
    /// For a test, when it is deleted; it is in no queue, list or figure.
    pub expires_at: Option<Time>,
    /// How many notes a test has; those of others are not counted.
    pub test_notes: u64,
}

/// The code of a start that makes a test.
pub const CODE_TEST: u32 = 1;
/// The part of a message's [`Entry::code`] that is its sender type.
const CODE_SENDER_MASK: u32 = 0xff;
/// The codes of an assistant's message, in [`Entry::code`] above the sender type's.
pub const CODE_CLARIFICATION: u32 = 0x100;

impl Conversation {
    /// The header a [`EntryKind::ConversationStarted`] entry makes; none for any other entry.
    pub fn started(organization: OrganizationId, entry: &Entry) -> Option<Self> {
        if entry.kind != EntryKind::ConversationStarted {
            return None;
        }
        let visitor = UserId(entry.other?);
        Some(Self {
            id: entry.conversation?,
            number: entry.number?,
            organization,
            inbox: InboxId(entry.subject?),
            visitor,
            status: Status::Open,
            handler: Handler::Assistant,
            assignee: None,
            assigned_at: None,
            last_agent: None,
            participants: vec![visitor],
            turn: 0,
            waiting_since: None,
            waiting_position: None,
            resolution: None,
            resolved_at: None,
            resolved_with: None,
            reopened_to_assistant: 0,
            locale: entry.detail.clone().unwrap_or_default(),
            last_seq: 0,
            last_visitor_seq: 0,
            last_line: String::new(),
            line_sender: SenderType::User,
            last_sender: SenderType::User,
            visitor_mark: 0,
            staff_mark: 0,
            unread: 0,
            clarifications: 0,
            escalation: None,
            assistant_due: None,
            created_at: entry.time,
            updated_at: entry.time,
            position: entry.position,
            rank: entry.position,
            offer: None,
            silence_due: None,
            silence_noticed: false,
            previous: None,
            tags: Vec::new(),
            priority: Priority::Normal,
            expires_at: entry.due.filter(|_| entry.code == CODE_TEST),
            test_notes: 0,
        })
    }

    /// Whether it is a test.
    pub fn is_test(&self) -> bool {
        self.expires_at.is_some()
    }

    /// Changes the header as `entry` says. Replaying a conversation's entries in order gives its stored header,
    /// but for the erasable `last_line`.
    pub fn apply(&mut self, entry: &Entry) {
        match entry.kind {
            EntryKind::MessagePosted => self.apply_message(entry),
            EntryKind::Escalated | EntryKind::Released => self.apply_waiting(entry),
            EntryKind::Transferred => {
                let (to, from) = (entry.other.map(UserId), self.assignee);
                self.apply_waiting(entry);
                self.offer = to.zip(entry.due).map(|(to, due)| Offer { to, from, due });
            }
            EntryKind::OfferEnded => self.offer = None,
            EntryKind::TagsChanged => self.tags = tags_of(entry),
            EntryKind::PriorityChanged => {
                self.priority = Priority::from_code(entry.code).unwrap_or(self.priority);
            }
            EntryKind::SilenceNoticed => {
                self.silence_noticed = true;
                self.silence_due = entry.due;
            }
            EntryKind::Linked => self.previous = entry.subject.map(ConversationId),
            EntryKind::Claimed => self.apply_claimed(entry),
            EntryKind::HandedBack => self.apply_to_assistant(entry),
            EntryKind::Resolved => self.apply_resolved(entry),
            EntryKind::Reopened => self.apply_reopened(entry),
            EntryKind::MarkMoved => self.apply_mark(entry),
            EntryKind::NoteAdded => self.test_notes += u64::from(self.is_test()),
            EntryKind::MessageFlagged
            | EntryKind::MessageRetracted
            | EntryKind::ConversationDeleted
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
            | EntryKind::AbsenceTimed => {}
        }
        if entry.kind != EntryKind::MarkMoved {
            self.last_seq = entry.seq.unwrap_or(self.last_seq);
        }
        self.updated_at = entry.time;
        self.position = entry.position;
    }

    /// The timers it waits for.
    pub fn timers(&self) -> impl Iterator<Item = Due> {
        let due = |kind, at: Option<Time>| at.map(|at| Due { kind, at });
        [
            due(TimerKind::Assistant, self.assistant_due),
            due(TimerKind::Silence, self.silence_due),
            due(TimerKind::Offer, self.offer.map(|it| it.due)),
            due(TimerKind::TestExpiry, self.expires_at),
        ]
        .into_iter()
        .flatten()
    }

    fn apply_message(&mut self, entry: &Entry) {
        let Some(sender) = SenderType::from_code(entry.code & CODE_SENDER_MASK) else { return };
        match sender {
            SenderType::User => {
                self.turn += 1;
                self.last_visitor_seq = entry.seq.unwrap_or(self.last_seq);
                self.unread += 1;
                self.hear(None);
                self.assistant_due = entry.due;
                if self.handler == Handler::Agent {
                    self.wait_since(entry);
                }
            }
            SenderType::Agent => {
                self.waiting_since = None;
                self.waiting_position = None;
                self.assistant_due = None;
                self.hear(entry.due);
                if let Some(agent) = entry.other.map(UserId)
                    && !self.participants.contains(&agent)
                {
                    self.participants.push(agent);
                }
            }
            SenderType::Assistant => {
                self.assistant_due = None;
                self.hear(entry.due);
                let clarifies = entry.code & CODE_CLARIFICATION != 0;
                self.clarifications = if clarifies { self.clarifications + 1 } else { 0 };
            }
            SenderType::System => {}
        }
        self.last_sender = sender;
        if matches!(sender, SenderType::User | SenderType::Agent) {
            self.line_sender = sender;
        }
    }

    /// It is the visitor's turn until `due`, or not theirs.
    fn hear(&mut self, due: Option<Time>) {
        self.silence_due = due;
        self.silence_noticed = false;
    }

    /// A person owes an answer from now on, if none has been owed already.
    fn wait_since(&mut self, entry: &Entry) {
        if self.waiting_since.is_none() {
            self.waiting_since = Some(entry.time);
            self.waiting_position = Some(entry.position);
        }
    }

    fn apply_waiting(&mut self, entry: &Entry) {
        self.status = Status::Escalated;
        self.handler = Handler::None;
        self.assignee = None;
        self.assigned_at = None;
        self.turn += 1;
        self.assistant_due = None;
        self.hear(None);
        self.offer = None;
        self.wait_since(entry);
        self.rank = self.waiting_position.unwrap_or(entry.position);
        self.escalation = entry.subject.map(EscalationId);
    }

    fn apply_claimed(&mut self, entry: &Entry) {
        self.status = Status::Open;
        self.handler = Handler::Agent;
        self.assignee = entry.other.map(UserId);
        self.last_agent = self.assignee;
        self.assigned_at = Some(entry.time);
        self.turn += 1;
        self.assistant_due = None;
        self.clarifications = 0;
        self.escalation = None;
        self.offer = None;
        self.hear(entry.due);
        self.rank = entry.position;
        // Whoever takes over from the assistant before it has answered owes that answer.
        if self.last_sender == SenderType::User {
            self.wait_since(entry);
        }
    }

    fn apply_to_assistant(&mut self, entry: &Entry) {
        self.status = Status::Open;
        self.handler = Handler::Assistant;
        self.assignee = None;
        self.assigned_at = None;
        self.waiting_since = None;
        self.waiting_position = None;
        self.escalation = None;
        self.clarifications = 0;
        self.turn += 1;
        self.offer = None;
        // The visitor's message is last, and the assistant owes the answer; or it is the visitor's turn.
        let asked = self.last_sender == SenderType::User;
        self.assistant_due = entry.due.filter(|_| asked);
        self.hear(entry.due.filter(|_| !asked));
        self.rank = entry.position;
    }

    fn apply_resolved(&mut self, entry: &Entry) {
        self.resolved_with = Some(match entry.actor.kind {
            ActorKind::Agent | ActorKind::Key => Handler::Agent,
            ActorKind::Visitor | ActorKind::Assistant | ActorKind::Operator | ActorKind::System => {
                self.handler
            }
        });
        self.status = Status::Resolved;
        self.handler = Handler::None;
        self.assignee = None;
        self.assigned_at = None;
        self.waiting_since = None;
        self.waiting_position = None;
        self.escalation = None;
        self.assistant_due = None;
        self.offer = None;
        self.hear(None);
        self.resolution = Resolution::from_code(entry.code);
        self.resolved_at = Some(entry.time);
        self.turn += 1;
        self.rank = entry.position;
    }

    fn apply_reopened(&mut self, entry: &Entry) {
        self.resolution = None;
        self.resolved_at = None;
        self.resolved_with = None;
        match Handler::from_code(entry.code) {
            Some(Handler::Agent) => self.apply_claimed(entry),
            Some(Handler::Assistant) => {
                self.apply_to_assistant(entry);
                self.reopened_to_assistant += 1;
            }
            Some(Handler::None) | None => self.apply_waiting(entry),
        }
    }

    fn apply_mark(&mut self, entry: &Entry) {
        let mark = entry.seq.unwrap_or(0);
        if entry.code == Side::Visitor as u32 {
            self.visitor_mark = self.visitor_mark.max(mark);
        } else {
            self.staff_mark = self.staff_mark.max(mark);
            self.unread = entry.number.unwrap_or(self.unread);
        }
    }
}

impl Handler {
    /// The handler of a stored code.
    pub fn from_code(code: u32) -> Option<Self> {
        [Self::Assistant, Self::Agent, Self::None].into_iter().find(|it| *it as u32 == code)
    }
}

impl Status {
    /// The status of a stored code.
    pub fn from_code(code: u32) -> Option<Self> {
        [Self::Open, Self::Resolved, Self::Escalated].into_iter().find(|it| *it as u32 == code)
    }
}

impl Resolution {
    /// The resolution of a stored code.
    pub fn from_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|it| *it as u32 == code)
    }

    /// Every resolution.
    pub const ALL: [Self; 7] = [
        Self::Confirmed,
        Self::Agent,
        Self::Duplicate,
        Self::Spam,
        Self::Visitor,
        Self::Abandoned,
        Self::NoReply,
    ];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Agent => "agent",
            Self::Duplicate => "duplicate",
            Self::Spam => "spam",
            Self::Visitor => "visitor",
            Self::Abandoned => "abandoned",
            Self::NoReply => "no_reply",
        }
    }
}

fn tags_of(entry: &Entry) -> Vec<String> {
    let tags = entry.detail.as_deref().unwrap_or_default().split(',');
    tags.filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}
