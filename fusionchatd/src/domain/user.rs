//! Staff and visitors.

use super::Time;
use super::entry::{Entry, EntryKind};
use super::hidden::Hidden;
use super::id::{OrganizationId, UserId};
use super::key::Key;
use super::session::Session;
use super::timer::{Due, TimerKind};

/// How long the one-time code of an invitation works: 24 hours.
pub const INVITE_MS: i64 = 24 * 60 * 60 * 1000;

/// What a user is to their organization. The numbers are stored: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Runs the organization's desk.
    Admin = 0,
    /// Answers visitors.
    Agent = 1,
    /// A visitor.
    User = 2,
}

/// Whether a member of staff takes conversations. Stored, by these numbers; not the same as being connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Availability {
    /// Takes new conversations.
    Accepting = 0,
    /// Works, but takes no new ones.
    Busy = 1,
    /// Not there.
    Away = 2,
}

impl Role {
    /// The role of a stored code.
    pub fn from_code(code: u32) -> Option<Self> {
        [Self::Admin, Self::Agent, Self::User].into_iter().find(|it| *it as u32 == code)
    }
}

impl Availability {
    /// The availability of a stored code.
    pub fn from_code(code: u32) -> Option<Self> {
        [Self::Accepting, Self::Busy, Self::Away].into_iter().find(|it| *it as u32 == code)
    }
}

/// A place in the journal at which everything of a kind that began before it ended: whatever began later is not
/// concerned, however fast it came and whatever the clock said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The position.
    pub position: u64,
    /// When that was.
    pub at: Time,
}

/// That a member of staff is away or disabled, and what follows for the conversations they hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absence {
    /// From when on their conversations go to others: some minutes after they went away, at once if disabled.
    pub from: Time,
    /// When the durable timer that does so is due; none once it has.
    pub due: Option<Time>,
    /// The position at which that was set.
    pub turn: u64,
}

/// A member of staff, or a visitor who has sent a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Their organization.
    pub organization: OrganizationId,
    /// The id another system knows them by.
    pub external_id: Option<String>,
    /// Unique inside the organization, stored in lower case.
    pub email: Option<String>,
    /// Shown to others; staff names are unique inside the organization.
    pub name: Option<String>,
    /// What they are.
    pub role: Role,
    /// Whether they take conversations.
    pub availability: Availability,
    /// When they were created.
    pub created_at: Time,
    /// Until when the one-time code they were given works; none once it was used.
    pub invited_until: Option<Time>,
    /// Since when they cannot do anything here; none while they can.
    pub disabled_at: Option<Time>,
    /// Set while they are away or disabled.
    pub absence: Option<Absence>,
    /// What ended all their sessions, if something did.
    pub sessions_cut: Option<Cut>,
    /// What ended all their keys, if something did.
    pub keys_cut: Option<Cut>,
}

/// What a change of a user does to how they sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// Nothing.
    Same,
    /// This argon2id hash is of their password now; a one-time code that is out ends.
    Password(Hidden<String>),
    /// A one-time code that is out ends; the password stays.
    NoCode,
    /// They have no password; this is the hash of the one code that lets them set one.
    Code(Hidden<[u8; 32]>),
}

impl User {
    /// Changes the row as `entry` says. Replaying a user's entries in order gives their stored row, but for what can
    /// be erased.
    pub fn apply(&mut self, entry: &Entry) {
        let cut = Some(Cut { position: entry.position, at: entry.time });
        let absence = |from: Time| Absence { from, due: Some(from), turn: entry.position };
        match entry.kind {
            EntryKind::UserInvited => {
                self.invited_until = Some(entry.time.saturating_add(INVITE_MS));
            }
            EntryKind::InviteAccepted => self.invited_until = None,
            EntryKind::AvailabilityChanged => {
                self.availability =
                    Availability::from_code(entry.code).unwrap_or(self.availability);
                self.absence = entry.due.map(absence);
            }
            EntryKind::UserEdited => self.role = Role::from_code(entry.code).unwrap_or(self.role),
            EntryKind::UserReset => {
                self.invited_until = Some(entry.time.saturating_add(INVITE_MS));
                self.sessions_cut = cut;
            }
            EntryKind::UserDisabled => {
                self.disabled_at = Some(entry.time);
                // The code is of no use any more, but they still have no password.
                self.invited_until = self.invited_until.map(|_| entry.time);
                self.absence = entry.due.map(absence);
                self.sessions_cut = cut;
                self.keys_cut = cut;
            }
            EntryKind::UserEnabled => {
                self.disabled_at = None;
                self.absence = entry.due.map(absence);
            }
            EntryKind::AbsenceTimed => {
                if let Some(absence) = &mut self.absence {
                    (absence.due, absence.turn) = (entry.due, entry.position);
                }
            }
            EntryKind::OrganizationCreated
            | EntryKind::UserCreated
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
            | EntryKind::Linked => {}
        }
    }

    /// The timers they wait for.
    pub fn timers(&self) -> impl Iterator<Item = (Due, u64)> {
        let absence = self.absence.and_then(|it| Some((it.due?, it.turn)));
        absence.map(|(at, turn)| (Due { kind: TimerKind::Absent, at }, turn)).into_iter()
    }

    /// Whether the conversations they hold go to others at `now`.
    pub fn is_absent(&self, now: Time) -> bool {
        self.absence.is_some_and(|it| it.from <= now)
    }

    /// Whether new conversations may come to them: what makes an inbox staffed. Whoever has not used their one-time
    /// code yet is not there.
    pub fn is_accepting(&self) -> bool {
        self.is_staff()
            && self.disabled_at.is_none()
            && self.invited_until.is_none()
            && self.availability == Availability::Accepting
    }

    /// Whether they are an admin who can sign in or has been able to: the organization needs one.
    pub fn is_acting_admin(&self) -> bool {
        self.role == Role::Admin && self.disabled_at.is_none() && self.invited_until.is_none()
    }

    /// Whether a session of theirs still counts, as far as they are concerned.
    pub fn admits_session(&self, session: &Session) -> bool {
        self.disabled_at.is_none()
            && self.sessions_cut.is_none_or(|cut| session.position > cut.position)
    }

    /// Whether a key of theirs still counts, as far as they are concerned.
    pub fn admits_key(&self, key: &Key) -> bool {
        self.disabled_at.is_none() && self.keys_cut.is_none_or(|cut| key.position > cut.position)
    }

    /// Whether a one-time code of theirs works at `now`.
    pub fn is_invited(&self, now: Time) -> bool {
        self.invited_until.is_some_and(|end| now < end)
    }

    /// Whether this is a member of staff.
    pub fn is_staff(&self) -> bool {
        match self.role {
            Role::Admin | Role::Agent => true,
            Role::User => false,
        }
    }
}
