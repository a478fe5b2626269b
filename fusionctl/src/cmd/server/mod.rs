//! `server`: the daemon itself.

pub(crate) mod backup;
mod progress;
mod restore;

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use fusionchat_proto::v1;
use serde_json::json;
use tokio::time::Instant;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::Environment;
use crate::cli::Global;
use crate::cmd::{Context, object};
use crate::connect::Target;
use crate::failure::{Exit, Failure};
use crate::output::{Cell, Report};
use crate::view;
use backup::BackupCommand;

/// Verbs of `server`.
#[derive(Debug, Subcommand)]
pub(crate) enum ServerCommand {
    /// Show version, state, memory, store and connections
    #[command(after_help = "Example:\n  fusionctl server status -o json")]
    Status,
    /// Show the store's engine, its size on disk and how much of that is live; for the operator
    ///
    /// Reads every row, which takes a second or two a gigabyte.
    #[command(after_help = "Example:\n  fusionctl server store -o json")]
    Store,
    /// Backups: make one while the daemon serves, look at one, make a store of one
    #[command(subcommand)]
    Backup(BackupCommand),
    /// Wait, up to --timeout, until the daemon is there; needs no credential
    ///
    /// Exits 9 if it was never reached and 8 if it was reached but not ready.
    #[command(after_help = "Example:\n  fusionctl server wait --for ready --timeout 30s")]
    Wait(Wait),
}

/// How long to wait between two looks at a daemon that is not there yet.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Arguments of `server wait`.
#[derive(Args, Debug)]
pub(crate) struct Wait {
    /// live: it answers at all; ready: it serves
    #[arg(long = "for", value_enum, value_name = "STATE", default_value = "ready")]
    state: State,
}

/// How far a daemon has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum State {
    Live,
    Ready,
}

pub(crate) async fn run(context: &Context, command: ServerCommand) -> Result<Report, Failure> {
    match command {
        ServerCommand::Status => status(context).await,
        ServerCommand::Store => store(context).await,
        ServerCommand::Backup(BackupCommand::Create(place)) => {
            backup::create(context, &place).await
        }
        // Need no credential, so they are run before there is a context.
        ServerCommand::Wait(_)
        | ServerCommand::Backup(BackupCommand::Verify(_) | BackupCommand::Restore(_)) => {
            Err(Failure::usage("usage", "this is run without a context"))
        }
    }
}

/// Looks until the daemon is in the state, or the time is over.
pub(crate) async fn wait(
    global: &Global,
    environment: &Environment,
    arguments: &Wait,
) -> Result<Report, Failure> {
    let began = Instant::now();
    let mut last = Failure::new(Exit::Unreachable, "unreachable", "no daemon was reached");
    let looking = async {
        loop {
            match look(global, environment).await {
                Ok((endpoint, state)) if state == State::Ready || state == arguments.state => {
                    return Ok((endpoint, state));
                }
                Ok(_) => last = Failure::timed_out("the daemon answers, but was not ready"),
                Err(failure) if failure.retryable => {
                    // Once reached, a connection that breaks does not make it never reached.
                    if last.exit == Exit::Unreachable {
                        last = failure;
                    }
                }
                Err(failure) => return Err(failure),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    match tokio::time::timeout(global.timeout, looking).await {
        Ok(found) => {
            let (endpoint, state) = found?;
            let state = if state == State::Ready { "ready" } else { "live" };
            let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            let json = [
                ("endpoint".to_owned(), json!(endpoint)),
                ("state".to_owned(), json!(state)),
                ("tookMs".to_owned(), json!(took)),
            ];
            let fields = vec![
                ("endpoint", Cell::Text(endpoint)),
                ("state", Cell::Text(state.to_owned())),
                ("took", Cell::Text(format!("{took} ms"))),
            ];
            Ok(object(json.into_iter().collect(), fields).into())
        }
        Err(_) => Err(last),
    }
}

/// Where the daemon is and how far it has come.
async fn look(global: &Global, environment: &Environment) -> Result<(String, State), Failure> {
    let target = Target::place(global, environment)?;
    let channel = target.anonymous(global.timeout).await?;
    let answer = HealthClient::new(channel).check(HealthCheckRequest::default()).await;
    let answer = answer.map_err(|status| Failure::from_status(&status))?.into_inner();
    let serving = ServingStatus::try_from(answer.status) == Ok(ServingStatus::Serving);
    Ok((target.address().to_owned(), if serving { State::Ready } else { State::Live }))
}

async fn status(context: &Context) -> Result<Report, Failure> {
    let request = v1::GetServerStatusRequest {};
    let server = context.client.call(context.client.server().get_server_status(request)).await?;
    let mut fields = vec![
        ("version", Cell::text(&server.version)),
        ("state", Cell::text(&server.state)),
        ("started", Cell::At(server.started_at)),
        ("up for", Cell::Text(span(server.now - server.started_at))),
        ("pid", Cell::Number(server.pid.into())),
        ("store", Cell::Text(format!("{}, schema {}", server.engine, server.schema))),
        ("waiting", Cell::Number(server.waiting.into())),
        ("http", Cell::text(&server.http_url)),
        ("tls", Cell::text(tls(server.http_tls, server.grpc_tls))),
    ];
    if view::is_operators(&server) {
        fields.extend([
            ("on disk", Cell::Text(bytes(server.store_bytes))),
            ("memory", Cell::Text(bytes(server.resident_bytes))),
            ("tenants", Cell::Number(server.organizations.into())),
            ("sockets", Cell::Number(server.sockets.into())),
            ("streams", Cell::Number(server.streams.into())),
        ]);
    }
    Ok(object(view::server(&server), fields).into())
}

async fn store(context: &Context) -> Result<Report, Failure> {
    let request = v1::GetServerStoreRequest {};
    let store = context.client.call(context.client.server().get_server_store(request)).await?;
    let writes = if store.disk_full { "refused, the disk is nearly full" } else { "taken" };
    let fields = vec![
        ("engine", Cell::text(&store.engine)),
        ("schema", Cell::Number(store.schema.into())),
        ("on disk", Cell::Text(bytes(store.disk_bytes))),
        ("live", Cell::Text(bytes(store.live_bytes))),
        ("rows", Cell::Number(store.rows)),
        ("writes", Cell::text(writes)),
    ];
    Ok(object(view::store(&store), fields).into())
}

fn tls(http: bool, grpc: bool) -> &'static str {
    match (http, grpc) {
        (true, true) => "both doors",
        (true, false) => "HTTP door",
        (false, true) => "gRPC door",
        (false, false) => "none",
    }
}

/// A time as people read it: `3 d 4 h`, `4 h 5 min`, `5 min 6 s`.
fn span(ms: i64) -> String {
    let seconds = ms.max(0) / 1_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes} min {} s", seconds % 60),
        (0, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// A size as people read it: `412 B`, `3.4 MB`.
fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let mut tenths = count.saturating_mul(10);
    let mut unit = None;
    for name in UNITS {
        if tenths < 10_000 {
            break;
        }
        tenths /= 1_000;
        unit = Some(name);
    }
    unit.map_or_else(
        || format!("{count} B"),
        |unit| format!("{}.{} {unit}", tenths / 10, tenths % 10),
    )
}

#[cfg(test)]
mod tests {
    use super::{bytes, span};

    #[test]
    fn times_are_short() {
        for (ms, text) in [
            (-5, "0 min 0 s"),
            (306_000, "5 min 6 s"),
            (14_700_000, "4 h 5 min"),
            (273_600_000, "3 d 4 h"),
        ] {
            assert_eq!(span(ms), text);
        }
    }

    #[test]
    fn sizes_are_short() {
        for (count, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (3_456_789, "3.4 MB"),
            (u64::MAX, "1844674.4 TB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }
}
