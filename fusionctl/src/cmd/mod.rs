//! The commands: one file per noun, each turning its verbs into calls and one [`Report`]. Nothing here prints.

pub(crate) mod article;
pub(crate) mod audit;
pub(crate) mod auth;
pub(crate) mod context;
pub(crate) mod conv;
pub(crate) mod escalation;
pub(crate) mod inbox;
pub(crate) mod key;
pub(crate) mod list;
pub(crate) mod message;
pub(crate) mod server;
pub(crate) mod session;
pub(crate) mod tenant;
pub(crate) mod test;
pub(crate) mod user;
pub(crate) mod visitor;

use std::future::Future;

use sha2::{Digest, Sha256};
use tonic::{Response, Status};

use crate::cli::Noun;
use crate::connect::Client;
use crate::failure::Failure;
use crate::input::Stdin;
use crate::output::{Cell, Object, Report};
use crate::{Ask, Environment};
use fusionchat_client::resolve::Resolved;

/// The bytes of a `clientId`: 128 bits.
const CLIENT_ID_BYTES: usize = 16;

/// What every command works with.
pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) environment: Environment,
    /// Which way was taken to the daemon; none to a demo.
    pub(crate) resolved: Option<Resolved>,
    /// Asks the person, if there is one.
    pub(crate) ask: Option<Ask>,
    pub(crate) once: Once,
    pub(crate) stdin: Stdin,
    /// True if a progress bar may be drawn on stderr.
    pub(crate) progress: bool,
    /// Unix milliseconds.
    pub(crate) now_ms: fn() -> i64,
}

impl Context {
    /// One call that changes something. When it is unknown whether it was done, the hint says how to repeat it
    /// without doing it twice.
    pub(crate) async fn change<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Failure> {
        self.client.call(call).await.map_err(|failure| {
            if !failure.retryable || self.once.given || failure.retry_after_ms.is_some() {
                return failure;
            }
            let hint = format!(
                "it may have been done; repeat it with --idempotency-key {} to do it once",
                self.once.key
            );
            failure.with_hint(hint)
        })
    }
}

/// The key that makes repeats of one command harmless.
pub(crate) struct Once {
    key: String,
    given: bool,
}

impl Once {
    /// The key as given, or one made of random bytes.
    pub(crate) fn new(given: Option<String>, random: [u8; 16]) -> Self {
        match given {
            Some(key) => Self { key, given: true },
            None => Self { key: hex(&random), given: false },
        }
    }

    /// The `clientId` of the command's one change.
    pub(crate) fn client_id(&self) -> String {
        client_id(&[self.key.as_bytes()])
    }

    /// The `clientId` of one of several changes, told apart by what they are about.
    pub(crate) fn client_id_of(&self, parts: &[&[u8]]) -> String {
        let mut all = vec![self.key.as_bytes()];
        all.extend_from_slice(parts);
        client_id(&all)
    }
}

/// The first 128 bits of SHA-256: of the one part as it is, of several with their lengths.
fn client_id(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        if parts.len() > 1 {
            hash.update((part.len() as u64).to_be_bytes());
        }
        hash.update(part);
    }
    hex(&hash.finalize()[..CLIENT_ID_BYTES])
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Runs the command.
pub(crate) async fn run(context: Context, noun: Noun) -> Result<Report, Failure> {
    match noun {
        Noun::Auth(command) => auth::run(&context, command).await,
        // Needs no daemon, so it is run before there is a connection.
        Noun::Context(_) => Err(Failure::usage("usage", "this is run without a daemon")),
        Noun::Server(command) => server::run(&context, command).await,
        Noun::Tenant(command) => tenant::run(&context, command).await,
        Noun::User(command) => user::run(&context, command).await,
        Noun::Key(command) => key::run(&context, command).await,
        Noun::Session(command) => session::run(&context, command).await,
        Noun::Inbox(command) => inbox::run(&context, command).await,
        Noun::Conv(command) => conv::run(&context, command).await,
        Noun::Escalation(command) => escalation::run(&context, command).await,
        Noun::Message(command) => message::run(&context, command).await,
        Noun::Visitor(command) => visitor::run(&context, command).await,
        Noun::Article(command) => article::run(&context, command).await,
        Noun::Test(arguments) => test::run(&context, arguments).await,
        Noun::Audit(command) => audit::run(&context, command).await,
    }
}

/// What the protocol promises to be there.
pub(crate) fn expect<T>(part: Option<T>, what: &str) -> Result<T, Failure> {
    part.ok_or_else(|| Failure::incomplete_answer(what))
}

/// A thing without sections or notices.
pub(crate) fn object(
    json: serde_json::Map<String, serde_json::Value>,
    fields: Vec<(&'static str, Cell)>,
) -> Object {
    Object { json, fields, ..Object::default() }
}

/// An optional text as a cell.
pub(crate) fn text(value: Option<&str>) -> Cell {
    value.map_or(Cell::Absent, Cell::text)
}

/// An enumeration's name as a cell.
pub(crate) fn name(value: Option<String>) -> Cell {
    value.map_or(Cell::Absent, Cell::Text)
}

#[cfg(test)]
mod tests {
    use super::Once;

    #[test]
    fn the_same_key_is_the_same_client_id() {
        let once = |key: &str| Once::new(Some(key.to_owned()), [0; 16]);
        // SHA-256 of "order-5512", its first half.
        let id = once("order-5512").client_id();
        assert_eq!(id.len(), 32);
        assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase()));
        assert_eq!(id, once("order-5512").client_id());
        assert_ne!(id, once("order-5513").client_id());
        assert_eq!(once("").client_id(), "e3b0c44298fc1c149afbf4c8996fb924");
    }

    #[test]
    fn parts_do_not_run_together() {
        let once = Once::new(None, [7; 16]);
        assert_ne!(once.client_id_of(&[b"ab", b"c"]), once.client_id_of(&[b"a", b"bc"]));
        assert_ne!(once.client_id(), Once::new(None, [8; 16]).client_id());
        assert_eq!(Once::new(None, [7; 16]).client_id(), once.client_id());
    }
}
