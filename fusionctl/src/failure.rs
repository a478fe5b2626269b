//! What went wrong, and the one table that turns it into an exit code. Nothing here prints.

use std::collections::BTreeMap;

use fusionchat_client::ClientError;
use fusionchat_client::demo::DemoError;
use fusionchat_proto::v1;
use serde_json::{Map, Value, json};
use tonic::{Code, Status};

/// The code of an answer that is larger than one message may be.
pub(crate) const OUT_OF_RANGE: &str = "out_of_range";

/// The exit codes of `fusionctl`. Each has one meaning, for every command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// Done. An empty list is done, too.
    Ok = 0,
    /// Failed for a reason that no other code names.
    Failed = 1,
    /// The command line makes no sense, or something it names cannot be used.
    Usage = 2,
    /// There is no such thing, or it is not yours to see.
    NotFound = 3,
    /// Nobody is signed in, or the session or key has ended.
    SignInNeeded = 4,
    /// Signed in, but not allowed.
    Forbidden = 5,
    /// Somebody else was faster, or the state does not allow it.
    Conflict = 6,
    /// The daemon did not accept the input.
    Rejected = 7,
    /// No answer in time, or what `--wait` waits for did not come.
    TimedOut = 8,
    /// The daemon cannot be reached, or is stopping.
    Unreachable = 9,
    /// Some of several things failed; stdout says which.
    Partial = 11,
    /// SIGINT, as of Ctrl-C.
    Interrupted = 130,
    /// SIGTERM.
    Terminated = 143,
}

/// Why a command did not do what it was asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Failure {
    /// How the process ends.
    pub(crate) exit: Exit,
    /// Stable and lower case: the daemon's code, or one of ours.
    pub(crate) code: String,
    /// One sentence a person can read; if there is more of its kind, a line each after it.
    pub(crate) message: String,
    /// What to do about it, if there is something.
    pub(crate) hint: Option<String>,
    /// Facts by name, such as `by` and `since` of a lost claim.
    pub(crate) params: BTreeMap<String, String>,
    /// True if the same command may work later.
    pub(crate) retryable: bool,
    /// How long the daemon asks to wait, in milliseconds.
    pub(crate) retry_after_ms: Option<u64>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, code: &str, message: impl Into<String>) -> Self {
        Self {
            exit,
            code: code.to_owned(),
            message: message.into(),
            hint: None,
            params: BTreeMap::new(),
            retryable: matches!(exit, Exit::TimedOut | Exit::Unreachable),
            retry_after_ms: None,
        }
    }

    /// A command line that cannot be carried out.
    pub(crate) fn usage(code: &str, message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, code, message)
    }

    /// An answer that lacks what the protocol promises.
    pub(crate) fn incomplete_answer(what: &str) -> Self {
        Self::new(Exit::Failed, "incomplete_answer", format!("the daemon's answer has no {what}"))
            .with_hint("is the daemon of the same version? see `fusionctl server status`")
    }

    /// The answer did not come within `--timeout`.
    pub(crate) fn timed_out(what: &str) -> Self {
        Self::new(Exit::TimedOut, "timed_out", format!("{what} within the time limit"))
            .with_hint("allow more with --timeout 2m")
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn with_param(mut self, name: &str, value: impl Into<String>) -> Self {
        self.params.insert(name.to_owned(), value.into());
        self
    }

    /// The failure a gRPC status stands for; a [`v1::Problem`] in its details wins over its text.
    pub(crate) fn from_status(status: &Status) -> Self {
        let exit = exit_of(status.code(), is_transport(status));
        let mut failure = match fusionchat_proto::problem(status) {
            Some(problem) => Self::from_problem(exit, problem),
            None if status.code() == Code::OutOfRange => {
                Self::new(exit, OUT_OF_RANGE, text_of(status, exit))
            }
            None => Self::new(exit, code_of(exit), text_of(status, exit)),
        };
        if status.code() == Code::ResourceExhausted {
            failure.retryable = true;
        }
        if failure.hint.is_none() {
            failure.hint = hint_of(exit).map(str::to_owned);
        }
        failure
    }

    fn from_problem(exit: Exit, problem: v1::Problem) -> Self {
        let mut failure = Self::new(exit, &problem.code, problem.message);
        failure.hint = (!problem.hint.is_empty()).then_some(problem.hint);
        failure.params = problem.params.into_iter().collect();
        failure.retry_after_ms = problem.retry_after_ms;
        failure.retryable |= problem.retry_after_ms.is_some();
        failure
    }

    /// The one object that `-o json` writes to stderr.
    pub(crate) fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("apiVersion".into(), json!(crate::output::API_VERSION));
        object.insert("code".into(), json!(self.code));
        object.insert("exit".into(), json!(self.exit as u8));
        object.insert("message".into(), json!(self.message));
        object.insert("retryable".into(), json!(self.retryable));
        if let Some(hint) = &self.hint {
            object.insert("hint".into(), json!(hint));
        }
        if !self.params.is_empty() {
            object.insert("params".into(), json!(self.params));
        }
        if let Some(retry_after_ms) = self.retry_after_ms {
            object.insert("retryAfterMs".into(), json!(retry_after_ms));
        }
        Value::Object(object)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let code = match &error {
            ClientError::Address(_) => "bad_endpoint",
            ClientError::ClearText(_) => "clear_text",
            ClientError::Certificate(..) => "bad_certificate",
            ClientError::File(..) => "unreadable",
            ClientError::Config(..) | ClientError::Value(_) => "bad_context",
            ClientError::Exposed(_) => "exposed_credentials",
            ClientError::NoContext(_) => "no_context",
            ClientError::Keyring(_) => "no_keyring",
            ClientError::Command(_) => "credential_command",
        };
        Self::usage(code, error.to_string())
    }
}

impl From<DemoError> for Failure {
    fn from(error: DemoError) -> Self {
        let code = match &error {
            DemoError::Absent(..) => {
                return Self::new(Exit::Unreachable, "no_demo", error.to_string());
            }
            DemoError::Unreadable(..) => "demo_unreadable",
            DemoError::Version(_) => "demo_version",
            DemoError::Foreign(_) => "demo_foreign",
            DemoError::User { .. } => "demo_user",
        };
        Self::usage(code, error.to_string())
    }
}

/// The table: every gRPC code has one exit code.
fn exit_of(code: Code, transport: bool) -> Exit {
    match code {
        Code::Ok => Exit::Ok,
        Code::InvalidArgument | Code::OutOfRange => Exit::Rejected,
        Code::Unauthenticated => Exit::SignInNeeded,
        Code::PermissionDenied => Exit::Forbidden,
        Code::NotFound => Exit::NotFound,
        Code::Aborted | Code::AlreadyExists | Code::FailedPrecondition => Exit::Conflict,
        Code::DeadlineExceeded => Exit::TimedOut,
        Code::Unavailable => Exit::Unreachable,
        Code::Unknown | Code::Cancelled | Code::Internal if transport => Exit::Unreachable,
        Code::Unknown
        | Code::Cancelled
        | Code::Internal
        | Code::ResourceExhausted
        | Code::Unimplemented
        | Code::DataLoss => Exit::Failed,
    }
}

/// A status that this side made up because the connection broke, rather than one the daemon sent.
fn is_transport(status: &Status) -> bool {
    std::error::Error::source(status).is_some()
}

fn code_of(exit: Exit) -> &'static str {
    match exit {
        Exit::Ok => "ok",
        Exit::Failed => "failed",
        Exit::Usage => "usage",
        Exit::NotFound => "not_found",
        Exit::SignInNeeded => "sign_in_needed",
        Exit::Forbidden => "forbidden",
        Exit::Conflict => "conflict",
        Exit::Rejected => "invalid_argument",
        Exit::TimedOut => "timed_out",
        Exit::Unreachable => "unreachable",
        Exit::Partial => "partial",
        Exit::Interrupted => "interrupted",
        Exit::Terminated => "terminated",
    }
}

fn text_of(status: &Status, exit: Exit) -> String {
    if exit == Exit::Unreachable && is_transport(status) {
        return "the connection to the daemon was lost".to_owned();
    }
    if status.message().is_empty() {
        return format!("the daemon answered {}", status.code().description());
    }
    status.message().to_owned()
}

fn hint_of(exit: Exit) -> Option<&'static str> {
    match exit {
        Exit::SignInNeeded => Some("run `fusionctl auth login`, or put a key into FUSION_TOKEN"),
        Exit::Unreachable => Some("is fusionchatd running there? see --endpoint"),
        Exit::Ok
        | Exit::Failed
        | Exit::Usage
        | Exit::NotFound
        | Exit::Forbidden
        | Exit::Conflict
        | Exit::Rejected
        | Exit::TimedOut
        | Exit::Partial
        | Exit::Interrupted
        | Exit::Terminated => None,
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::{Code, Exit, Failure, Status, v1};

    #[test]
    fn every_grpc_code_has_its_exit_code() {
        let table = [
            (Code::InvalidArgument, 7),
            (Code::Unauthenticated, 4),
            (Code::PermissionDenied, 5),
            (Code::NotFound, 3),
            (Code::Aborted, 6),
            (Code::AlreadyExists, 6),
            (Code::FailedPrecondition, 6),
            (Code::ResourceExhausted, 1),
            (Code::Unavailable, 9),
            (Code::DeadlineExceeded, 8),
            (Code::Internal, 1),
            (Code::Unimplemented, 1),
        ];
        for (code, exit) in table {
            let failure = Failure::from_status(&Status::new(code, "text"));
            assert_eq!(failure.exit as u8, exit, "{code:?}");
        }
        for (exit, number) in [
            (Exit::Ok, 0),
            (Exit::Usage, 2),
            (Exit::Partial, 11),
            (Exit::Interrupted, 130),
            (Exit::Terminated, 143),
        ] {
            assert_eq!(exit as u8, number);
        }
    }

    #[test]
    fn a_problem_wins_over_the_status_text() {
        let problem = v1::Problem {
            code: "already_claimed".into(),
            message: "agent2 claimed this conversation".into(),
            hint: "take it with --take".into(),
            params: [("by".to_owned(), "agent2".to_owned())].into(),
            retry_after_ms: None,
        };
        let details = problem.encode_to_vec().into();
        let failure = Failure::from_status(&Status::with_details(Code::Aborted, "x", details));
        assert_eq!(failure.exit, Exit::Conflict);
        assert_eq!(failure.code, "already_claimed");
        assert_eq!(failure.hint.as_deref(), Some("take it with --take"));
        let json = failure.to_json();
        assert_eq!(json["params"]["by"], "agent2");
        assert_eq!(json["exit"], 6);
        assert_eq!(json["retryable"], false);
    }

    #[test]
    fn overload_can_be_retried() {
        let failure = Failure::from_status(&Status::resource_exhausted("slow down"));
        assert!(failure.retryable);
        assert!(Failure::from_status(&Status::unavailable("draining")).retryable);
        assert!(!Failure::from_status(&Status::not_found("no")).retryable);
    }
}
