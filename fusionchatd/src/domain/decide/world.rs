//! A small world to decide in: one inbox, one visitor, three members of staff, a clock and the rows. It keeps what
//! the service would keep, and reads steps such as `A claims`, so that tests are tables of sentences.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::domain::Time;
use crate::domain::actor::{Actor, Grants, Who};
use crate::domain::command::{AssistantAct, Command, StaffAct, Visitor};
use crate::domain::conversation::{Conversation, FIRST_NUMBER, Handler, Resolution, Side, Status};
use crate::domain::entry::{Entry, EntryKind};
use crate::domain::escalation::Escalation;
use crate::domain::event::{Content, Event};
use crate::domain::facts::{Facts, IDS_PER_COMMAND, Moment};
use crate::domain::hidden::Hidden;
use crate::domain::id::{ConversationId, EscalationId, InboxId, OrganizationId, SessionId, UserId};
use crate::domain::inbox::{AssistantMode, Inbox, Silences};
use crate::domain::message::{Message, SenderType};
use crate::domain::priority::Priority;
use crate::domain::rejection::Rejection;
use crate::domain::timer::{Delays, Timer, TimerKind};
use crate::domain::user::{Availability, Role, User};

use super::{Decision, decide};

pub(super) const ORGANIZATION: OrganizationId = OrganizationId(Uuid::from_u128(0x100));
pub(super) const INBOX: InboxId = InboxId(Uuid::from_u128(0x101));
pub(super) const VISITOR: UserId = UserId(Uuid::from_u128(0x102));
pub(super) const START: Time = 1_790_000_000_000;
pub(super) const TIMEOUT_MS: Time = 75_000;
const DAY_MS: Time = 24 * 60 * 60 * 1000;

/// The member of staff of a letter; `M` is the admin.
pub(super) fn staff(name: &str) -> UserId {
    UserId(Uuid::from_u128(u128::from(name.as_bytes()[0])))
}

fn letter(user: UserId) -> char {
    u8::try_from(user.0.as_u128()).map_or('?', char::from)
}

pub(super) struct World {
    pub(super) now: Time,
    pub(super) assistant: AssistantMode,
    pub(super) members: Vec<UserId>,
    pub(super) silences: Silences,
    pub(super) headers: BTreeMap<ConversationId, Conversation>,
    pub(super) latest: Option<ConversationId>,
    pub(super) escalations: BTreeMap<EscalationId, Escalation>,
    pub(super) entries: Vec<Entry>,
    pub(super) messages: Vec<Message>,
    /// Whether what the visitor starts is a test.
    pub(super) test: bool,
    users: Vec<User>,
    next_number: u64,
    ids: u128,
}

impl World {
    pub(super) fn new() -> Self {
        let user = |name: &str, role| User {
            id: staff(name),
            organization: ORGANIZATION,
            external_id: None,
            email: Some(format!("{name}@example.com")),
            name: Some(name.to_owned()),
            role,
            availability: Availability::Accepting,
            created_at: START,
            invited_until: None,
            disabled_at: None,
            absence: None,
            sessions_cut: None,
            keys_cut: None,
        };
        Self {
            now: START,
            assistant: AssistantMode::On,
            members: Vec::new(),
            silences: Silences::default(),
            headers: BTreeMap::new(),
            latest: None,
            escalations: BTreeMap::new(),
            entries: Vec::new(),
            messages: Vec::new(),
            test: false,
            users: vec![user("A", Role::Agent), user("B", Role::Agent), user("M", Role::Admin)],
            next_number: FIRST_NUMBER,
            ids: 1 << 64,
        }
    }

    /// A world in which these steps, apart from each other by semicolons, have been taken.
    pub(super) fn after(steps: &str) -> Self {
        let mut world = Self::new();
        for step in steps.split(';').map(str::trim).filter(|step| !step.is_empty()) {
            let taken = world.step(step);
            assert!(taken.is_ok(), "{step}: {taken:?}");
        }
        world
    }

    /// The visitor's latest conversation.
    pub(super) fn current(&self) -> &Conversation {
        &self.headers[&self.latest.expect("a conversation has been started")]
    }

    /// Where the latest conversation stands, in words.
    pub(super) fn state(&self) -> String {
        let header = self.current();
        let mut state = match (header.status, header.handler) {
            (Status::Open, Handler::Assistant) => "assistant".to_owned(),
            (Status::Open, Handler::Agent) => {
                header.assignee.map_or_else(|| "?".to_owned(), |user| letter(user).to_string())
            }
            (Status::Escalated, Handler::None) => "escalated".to_owned(),
            (Status::Resolved, Handler::None) => "resolved".to_owned(),
            (status, handler) => format!("{status:?} {handler:?}"),
        };
        if header.waiting_since.is_some() && header.status != Status::Escalated {
            state.push_str(" owes");
        }
        state
    }

    /// The reason of the live escalation, and whom it is meant for.
    pub(super) fn reason(&self) -> String {
        let live = self.current().escalation.and_then(|id| self.escalations.get(&id));
        let Some(live) = live else { return String::new() };
        let to = live.to.map_or_else(String::new, |user| format!(" for {}", letter(user)));
        format!("{}{to}", live.reason)
    }

    /// Takes a step: who does what, or what happens to the world.
    pub(super) fn step(&mut self, step: &str) -> Result<Decision, Rejection> {
        let (who, what) = step.split_once(' ').expect("who does what");
        match (who, what) {
            ("assistant", "off") => self.assistant = AssistantMode::Off,
            ("assistant", "only drafts") => self.assistant = AssistantMode::DraftOnly,
            ("it", "is a test") => self.test = true,
            ("assistant", "on") => self.assistant = AssistantMode::On,
            ("members", names) => self.members = names.split(' ').map(staff).collect(),
            ("silences", ms) => {
                let mut ms = ms.split(' ').map(|it| it.parse().ok());
                let mut next = || ms.next().flatten();
                self.silences =
                    Silences { abandon_ms: next(), notice_ms: next(), no_reply_ms: next() };
            }
            ("wait", ms) => self.now += ms.parse::<Time>().expect("milliseconds"),
            ("absence", who) => return self.absence(staff(who)),
            (days, "days") => self.now += DAY_MS * days.parse::<Time>().expect("days"),
            _ => {
                let (actor, command) = self.command(who, what);
                return self.run(&actor, &command);
            }
        }
        Ok(Decision::default())
    }

    fn command(&self, who: &str, what: &str) -> (Actor, Command) {
        let visitor =
            Visitor { user: VISITOR, inbox: INBOX, locale: None, session: None, test: self.test };
        let conversation = None;
        match (who, what) {
            ("visitor", "says") => {
                let content = "where is my parcel?".to_owned();
                (as_visitor(), Command::VisitorMessage { visitor, conversation, content })
            }
            ("visitor", "wishes") => (as_visitor(), Command::VisitorWish { visitor, conversation }),
            ("visitor", "ends" | "confirms") => {
                let confirmed = what == "confirms";
                (as_visitor(), Command::VisitorEnd { visitor, conversation, confirmed })
            }
            ("assistant", what) => {
                let conversation = self.current().id;
                let say = |clarification| AssistantAct::Say {
                    content: "on its way".to_owned(),
                    sources: Vec::new(),
                    clarification,
                };
                let act = match what {
                    "answers" => say(false),
                    "clarifies" => say(true),
                    "drafts" => AssistantAct::Draft {
                        content: "on its way".to_owned(),
                        sources: Vec::new(),
                    },
                    _ => AssistantAct::HandOver { reason: "no_answer" },
                };
                let turn = self.current().turn;
                (Actor::assistant(ORGANIZATION), Command::Assistant { conversation, turn, act })
            }
            ("inbox", "settles") => {
                let conversation = self.current().id;
                (Actor::system(ORGANIZATION), Command::Settle { conversation })
            }
            ("timer" | "silence" | "offer" | "day", _) => {
                let kind = match who {
                    "silence" => TimerKind::Silence,
                    "offer" => TimerKind::Offer,
                    "day" => TimerKind::TestExpiry,
                    _ => TimerKind::Assistant,
                };
                let turn = self.current().turn;
                let timer = Timer { kind, subject: self.current().id.0, turn };
                (Actor::system(ORGANIZATION), Command::Timer(timer))
            }
            (who, "sees") => {
                let (conversation, seq) = (self.current().id, self.current().last_seq);
                let side = if who == "visitor" { Side::Visitor } else { Side::Staff };
                (as_visitor(), Command::Mark { conversation, side, seq })
            }
            (who, what) => {
                let command = desk_command(who, what);
                (as_staff(who), command.unwrap_or_else(|| self.staff_command(who, what)))
            }
        }
    }

    /// What the sweep does when the timer of somebody absent is due: their conversations, then the timer itself.
    fn absence(&mut self, user: UserId) -> Result<Decision, Rejection> {
        let due = self.user(user).timers().find(|(due, _)| due.at <= self.now);
        let Some((_, turn)) = due else { return Ok(Decision::default()) };
        let held: Vec<_> = self.headers.values().filter(|it| it.assignee == Some(user)).collect();
        let actor = Actor::system(ORGANIZATION);
        for conversation in held.into_iter().map(|it| it.id).collect::<Vec<_>>() {
            self.run(&actor, &Command::LeaveAbsent { conversation })?;
        }
        let timer = Timer { kind: TimerKind::Absent, subject: user.0, turn };
        self.run(&actor, &Command::Timer(timer))
    }

    pub(super) fn user(&self, id: UserId) -> &User {
        self.users.iter().find(|it| it.id == id).expect("somebody")
    }

    pub(super) fn staff(&self) -> impl Iterator<Item = &User> {
        self.users.iter().filter(|it| it.is_staff())
    }

    fn staff_command(&self, who: &str, what: &str) -> Command {
        let content = "hello".to_owned();
        let act = match what {
            "replies" => StaffAct::Reply { content },
            "notes" => StaffAct::Note { content },
            "claims" => StaffAct::Claim { to: staff(who), take: false },
            "takes" => StaffAct::Claim { to: staff(who), take: true },
            "releases" => StaffAct::Release,
            "hands back" => StaffAct::HandBack,
            "escalates" => StaffAct::Escalate { reason: "broken".to_owned() },
            "resolves" => StaffAct::Resolve { resolution: Resolution::Agent },
            "resolves as visitor" => StaffAct::Resolve { resolution: Resolution::Visitor },
            "reopens" => StaffAct::Reopen,
            "returns" => StaffAct::Return,
            "ends the wait" => StaffAct::ResolveWaiting,
            "flags" => StaffAct::Flag { seq: self.named(), reason: "wrong".to_owned() },
            "retracts" => StaffAct::Retract { seq: self.named() },
            what => self.staff_command_of(what),
        };
        let conversation = self.current().id;
        Command::Staff { agent: staff(who), admin: who == "M", conversation, act }
    }

    /// An act that says upon what.
    fn staff_command_of(&self, what: &str) -> StaffAct {
        let (verb, object) = what.rsplit_once(' ').expect("an act upon something");
        match verb {
            "gives to" => StaffAct::Claim { to: staff(object), take: true },
            "transfers to" => StaffAct::Transfer { to: staff(object), note: None },
            "notes and transfers to" => {
                StaffAct::Transfer { to: staff(object), note: Some("a regular".to_owned()) }
            }
            "tags" => StaffAct::Tag { add: vec![object.to_owned()], remove: Vec::new() },
            "untags" => StaffAct::Tag { add: Vec::new(), remove: vec![object.to_owned()] },
            "makes it" => {
                let priority = Priority::ALL.into_iter().find(|it| it.name() == object);
                StaffAct::Prioritize { priority: priority.expect("a priority") }
            }
            verb => panic!("no such act: {verb}"),
        }
    }

    /// The message that an act upon a message is about: the last by the assistant or an agent, else the first.
    fn named(&self) -> u64 {
        let of = |it: &&Message| {
            it.conversation == self.current().id
                && matches!(it.sender_type, SenderType::Assistant | SenderType::Agent)
        };
        self.messages.iter().rev().find(of).map_or(1, |it| it.seq)
    }

    /// Decides a command over the rows and keeps what happens.
    pub(super) fn run(&mut self, actor: &Actor, command: &Command) -> Result<Decision, Rejection> {
        self.ids += IDS_PER_COMMAND as u128;
        let base = self.ids;
        let moment = Moment {
            now: self.now,
            position: self.entries.len() as u64 + 1,
            next_number: self.next_number,
            ids: std::array::from_fn(|at| Uuid::from_u128(base + at as u128)),
            delays: Delays { assistant_ms: TIMEOUT_MS, ..Delays::default() },
        };
        let decision = decide(&moment, actor, &self.facts(command), None, command)?;
        for event in &decision.events {
            self.keep(event);
        }
        Ok(decision)
    }

    fn facts(&self, command: &Command) -> Facts {
        let named = if let Command::Staff { conversation, .. }
        | Command::Assistant { conversation, .. }
        | Command::Settle { conversation }
        | Command::LeaveAbsent { conversation }
        | Command::Mark { conversation, .. } = command
        {
            Some(*conversation)
        } else if let Command::Timer(timer) = command {
            Some(ConversationId(timer.subject))
        } else {
            self.latest
        };
        let conversation = named.and_then(|id| self.headers.get(&id)).cloned();
        let user = whom(command);
        let mut message = None;
        if let Command::Staff {
            act: StaffAct::Flag { seq, .. } | StaffAct::Retract { seq },
            conversation,
            ..
        } = command
        {
            let it = |it: &&Message| it.conversation == *conversation && it.seq == *seq;
            message = self.messages.iter().find(it).cloned();
        }
        let mut unread_after = None;
        if let Command::Mark { seq, conversation, .. } = command {
            let after = |it: &&Message| {
                it.conversation == *conversation
                    && it.seq > *seq
                    && it.sender_type == SenderType::User
            };
            unread_after = Some(self.messages.iter().filter(after).count() as u64);
        }
        let live = conversation.as_ref().and_then(|it| it.escalation);
        let holder = conversation.as_ref().and_then(|it| it.assignee);
        Facts {
            assignee: holder.map(|id| self.user(id).clone()),
            other_admin: self.staff().any(|it| it.id != user && it.is_acting_admin()),
            escalation: live.and_then(|id| self.escalations.get(&id)).cloned(),
            conversation,
            latest: self.latest.and_then(|id| self.headers.get(&id)).cloned(),
            unread_after,
            message,
            inbox: Some(Inbox {
                id: INBOX,
                organization: ORGANIZATION,
                name: "web".to_owned(),
                origins: Vec::new(),
                assistant: self.assistant,
                locale: "en".to_owned(),
                created_at: START,
                members: self.members.clone(),
                silences: self.silences,
            }),
            held_outside: self.is_held_outside(),
            staffed: true,
            user: self.users.iter().find(|it| it.id == user).cloned(),
            ..Facts::default()
        }
    }

    fn is_held_outside(&self) -> bool {
        let assignee = self.latest.and_then(|id| self.headers[&id].assignee);
        let outside = |user| user != staff("M") && !self.members.contains(&user);
        !self.members.is_empty() && assignee.is_some_and(outside)
    }

    fn replace(&mut self, message: &Message) {
        let same = |it: &&mut Message| it.id == message.id;
        *self.messages.iter_mut().find(same).expect("a message") = message.clone();
    }

    fn keep(&mut self, event: &Event) {
        self.entries.push(event.entry.clone());
        if event.entry.kind == EntryKind::ConversationStarted {
            self.next_number += 1;
            self.latest = event.entry.conversation;
        }
        if let Some(header) = &event.conversation {
            self.headers.insert(header.id, header.clone());
        }
        if let Some(escalation) = &event.escalation {
            self.escalations.insert(escalation.id, escalation.clone());
        }
        match &event.content {
            Content::Message(message) => self.messages.push(message.clone()),
            Content::Flagged(message) => self.replace(message),
            Content::Retracted { line, message } => {
                self.replace(message);
                self.messages.push((**line).clone());
            }
            Content::Deleted(header) => {
                self.headers.remove(&header.id);
                self.messages.retain(|it| it.conversation != header.id);
                self.escalations.retain(|_, it| it.conversation != header.id);
                self.latest = None;
            }
            Content::None
            | Content::Note(_)
            | Content::Organization(_)
            | Content::User(..)
            | Content::Inbox(_)
            | Content::Key(..)
            | Content::KeyRevoked(_)
            | Content::Session(..)
            | Content::SessionEnded(_)
            | Content::Article(_)
            | Content::ArticleDeleted(_) => {}
        }
        if let Content::User(user, _) = &event.content {
            self.users.retain(|it| it.id != user.id);
            self.users.push(user.clone());
        }
    }
}

/// Whom a command names.
fn whom(command: &Command) -> UserId {
    if let Command::Staff {
        act: StaffAct::Claim { to: user, .. } | StaffAct::Transfer { to: user, .. },
        ..
    }
    | Command::Staff { act: StaffAct::Reopen | StaffAct::Reply { .. }, agent: user, .. }
    | Command::SetAvailability { user, .. }
    | Command::EditUser { user, .. }
    | Command::ResetUser { user, .. }
    | Command::DisableUser { user, .. } = command
    {
        *user
    } else if let Command::Timer(Timer { kind: TimerKind::Absent, subject, .. }) = command {
        UserId(*subject)
    } else {
        VISITOR
    }
}

/// What staff do apart from any conversation.
fn desk_command(who: &str, what: &str) -> Option<Command> {
    let set = |availability| Command::SetAvailability { user: staff(who), availability };
    let edit = |whom, role| Command::EditUser { user: staff(whom), name: None, role: Some(role) };
    let switch = |whom, disabled| Command::DisableUser { user: staff(whom), disabled };
    Some(match what.rsplit_once(' ') {
        Some(("goes", "away")) => set(Availability::Away),
        Some(("is", "busy")) => set(Availability::Busy),
        Some(("comes", "back")) => set(Availability::Accepting),
        Some(("promotes", whom)) => edit(whom, Role::Admin),
        Some(("demotes", whom)) => edit(whom, Role::Agent),
        Some(("resets", whom)) => Command::ResetUser { user: staff(whom), code: Hidden([7; 32]) },
        Some(("disables", whom)) => switch(whom, true),
        Some(("enables", whom)) => switch(whom, false),
        Some(_) | None => return None,
    })
}

pub(super) fn as_visitor() -> Actor {
    let session = SessionId(Uuid::from_u128(0x103));
    let who = Who::Visitor { user: VISITOR, session, inbox: INBOX };
    Actor { organization: ORGANIZATION, who, grants: Grants::Visitor }
}

pub(super) fn as_staff(name: &str) -> Actor {
    let role = if name == "M" { Role::Admin } else { Role::Agent };
    let who = Who::Agent { user: staff(name), session: SessionId(Uuid::from_u128(0x104)) };
    Actor { organization: ORGANIZATION, who, grants: Grants::Role(role) }
}
