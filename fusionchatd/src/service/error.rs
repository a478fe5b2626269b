//! The one error every door translates: what may be said in public, and apart from it what only the log may know.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

use crate::domain::rejection::Rejection;
use crate::search::SearchError;
use crate::store::StoreError;
use crate::store::record::RecordError;

/// What kind of failure it is. Each kind has one HTTP status, one gRPC code and one WebSocket close code, in the
/// doors' status table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request is malformed.
    Invalid,
    /// Nobody is signed in, or no longer.
    Unauthenticated,
    /// Signed in, but not allowed.
    Forbidden,
    /// Not there, or somebody else's.
    NotFound,
    /// The rows are in a state that does not allow it.
    Conflict,
    /// The request is larger than any can be.
    TooLarge,
    /// Too many requests.
    Limited,
    /// Not now.
    Unavailable,
    /// Our fault.
    Internal,
}

/// A failed use case: no larger than an address, since every result of the service has room for one.
#[derive(Debug)]
pub struct Error(Box<Details>);

/// What there is to say of a failed use case.
#[derive(Debug)]
pub struct Details {
    /// What kind of failure.
    pub kind: Kind,
    /// Stable, lower case with underscores.
    pub code: &'static str,
    /// For a person; holds nothing secret.
    pub message: String,
    /// What to do about it; empty if nothing.
    pub hint: String,
    /// Facts of this case by name.
    pub params: BTreeMap<&'static str, String>,
    /// When trying again makes sense, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// The cause, for the log only.
    cause: Option<anyhow::Error>,
}

impl Error {
    /// An error without hint, parameters or cause.
    pub fn new(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Details {
            kind,
            code,
            message: message.into(),
            hint: String::new(),
            params: BTreeMap::new(),
            retry_after_ms: None,
            cause: None,
        }))
    }

    /// A malformed request.
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, code, message)
    }

    /// Not there, or somebody else's: always the same bytes.
    pub fn not_found() -> Self {
        Self::from(Rejection::NotFound)
    }

    /// The actor lacks the right.
    pub fn forbidden() -> Self {
        Self::from(Rejection::Forbidden)
    }

    /// No credential, or one that no longer works.
    pub fn sign_in_needed() -> Self {
        Self::new(Kind::Unauthenticated, "sign_in_needed", "sign in first")
            .with_hint("send a session token or an API key as Authorization: Bearer …")
    }

    /// Too many; try again after `retry_after_ms`.
    pub fn limited(code: &'static str, message: &str, retry_after_ms: u64) -> Self {
        let mut error = Self::new(Kind::Limited, code, message);
        error.retry_after_ms = Some(retry_after_ms);
        error
    }

    /// Not now; try again.
    pub fn unavailable(code: &'static str, message: &str) -> Self {
        let mut error = Self::new(Kind::Unavailable, code, message);
        error.retry_after_ms = Some(RETRY_AFTER_MS);
        error
    }

    /// Our fault; the cause goes to the log.
    pub fn internal(cause: impl Into<anyhow::Error>) -> Self {
        let mut error = Self::new(Kind::Internal, "internal", "something went wrong in the daemon");
        error.cause = Some(cause.into());
        error
    }

    /// Adds what to do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn with_param(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.params.insert(name, value.into());
        self
    }

    /// What there is to say of it, to be taken apart by a door.
    pub fn into_details(self) -> Details {
        *self.0
    }

    /// The cause, for the log only.
    pub fn cause(&self) -> Option<&anyhow::Error> {
        self.cause.as_ref()
    }
}

impl Deref for Error {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl DerefMut for Error {
    fn deref_mut(&mut self) -> &mut Details {
        &mut self.0
    }
}

/// When to try again what was not possible for a moment.
pub const RETRY_AFTER_MS: u64 = 1_000;

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

fn kind_of(rejection: &Rejection) -> Kind {
    match rejection {
        Rejection::Invalid { .. }
        | Rejection::EmptyMessage
        | Rejection::MessageTooLong { .. }
        | Rejection::ControlCharacter { .. }
        | Rejection::MessageFirst => Kind::Invalid,
        Rejection::BadInvite => Kind::Unauthenticated,
        Rejection::SenderTypeMismatch | Rejection::Forbidden | Rejection::NotYours => {
            Kind::Forbidden
        }
        Rejection::NotFound => Kind::NotFound,
        Rejection::AlreadyClaimed { .. }
        | Rejection::NotAssignee { .. }
        | Rejection::ClaimFirst
        | Rejection::NotMember
        | Rejection::Offered { .. }
        | Rejection::NotEscalated
        | Rejection::NotTheAssistants
        | Rejection::TestFull
        | Rejection::LastAdmin
        | Rejection::UserDisabled
        | Rejection::Resolved
        | Rejection::NotAssigned
        | Rejection::NotResolved
        | Rejection::AssistantOff
        | Rejection::NewerConversation { .. }
        | Rejection::StaleTurn { .. }
        | Rejection::ClientIdReused { .. }
        | Rejection::Taken { .. } => Kind::Conflict,
    }
}

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        let kind = kind_of(&rejection);
        let mut error =
            Self::new(kind, rejection.code(), rejection.to_string()).with_hint(rejection.hint());
        match rejection {
            Rejection::AlreadyClaimed { by, since } | Rejection::NotAssignee { by, since } => {
                error.params.insert("byId", by.to_string());
                error.params.insert("since", since.to_string());
            }
            Rejection::Offered { to, until } => {
                error.params.insert("byId", to.to_string());
                error.params.insert("until", until.to_string());
            }
            Rejection::ClientIdReused { original } => {
                error.params.insert("original", original);
            }
            Rejection::NewerConversation { number } => {
                error.params.insert("number", number.to_string());
            }
            Rejection::StaleTurn { now, then } => {
                error.params.insert("turn", now.to_string());
                error.params.insert("got", then.to_string());
            }
            Rejection::Invalid { .. }
            | Rejection::EmptyMessage
            | Rejection::MessageTooLong { .. }
            | Rejection::ControlCharacter { .. }
            | Rejection::SenderTypeMismatch
            | Rejection::Forbidden
            | Rejection::NotFound
            | Rejection::ClaimFirst
            | Rejection::NotMember
            | Rejection::NotEscalated
            | Rejection::NotTheAssistants
            | Rejection::NotYours
            | Rejection::TestFull
            | Rejection::Resolved
            | Rejection::NotAssigned
            | Rejection::NotResolved
            | Rejection::MessageFirst
            | Rejection::AssistantOff
            | Rejection::BadInvite
            | Rejection::LastAdmin
            | Rejection::UserDisabled
            | Rejection::Taken { .. } => {}
        }
        error
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::DiskFull { .. } => {
                Self::unavailable("disk_full", "the daemon's disk is full; nothing was written")
            }
            StoreError::Conflict => {
                Self::unavailable("unavailable", "the rows kept changing; nothing was written")
            }
            StoreError::MomentTaken => {
                Self::new(Kind::Conflict, "backup_under_way", error.to_string())
            }
            StoreError::MomentOverrun { .. } => {
                Self::new(Kind::Limited, "backup_overrun", error.to_string())
            }
            StoreError::Closed => Self::unavailable("draining", "the daemon is stopping"),
            StoreError::Failed { .. } => {
                let mut public = Self::unavailable("unavailable", "the daemon's store has failed");
                public.cause = Some(error.into());
                public
            }
            StoreError::ValueTooLarge { .. }
            | StoreError::KeyTooLarge { .. }
            | StoreError::KeyReserved
            | StoreError::BatchTooLarge { .. }
            | StoreError::InUse { .. }
            | StoreError::Unreadable { .. }
            | StoreError::Unconfirmed { .. }
            | StoreError::NewerSchema { .. }
            | StoreError::Unbegun { .. }
            | StoreError::Unmigrated { .. }
            | StoreError::Corrupt { .. }
            | StoreError::OtherEngine { .. }
            | StoreError::BadUrl { .. } => Self::internal(error),
        }
    }
}

impl From<RecordError> for Error {
    fn from(error: RecordError) -> Self {
        Self::internal(error)
    }
}

impl From<SearchError> for Error {
    fn from(error: SearchError) -> Self {
        Self::internal(error)
    }
}
