//! `server`: the daemon itself.

use clap::Subcommand;
use fusionchat_proto::v1;

use crate::cmd::{Context, object};
use crate::failure::Failure;
use crate::output::{Cell, Report};
use crate::view;

/// Verbs of `server`.
#[derive(Debug, Subcommand)]
pub(crate) enum ServerCommand {
    /// Show version, state, memory, store and connections
    #[command(after_help = "Example:\n  fusionctl server status -o json")]
    Status,
}

pub(crate) async fn run(context: &Context, command: ServerCommand) -> Result<Report, Failure> {
    match command {
        ServerCommand::Status => status(context).await,
    }
}

async fn status(context: &Context) -> Result<Report, Failure> {
    let request = v1::GetServerStatusRequest {};
    let server = context.client.call(context.client.server().get_server_status(request)).await?;
    let fields = vec![
        ("version", Cell::text(&server.version)),
        ("state", Cell::text(&server.state)),
        ("started", Cell::At(server.started_at)),
        ("pid", Cell::Number(server.pid.into())),
        ("store", Cell::Text(format!("{}, schema {}", server.engine, server.schema))),
        ("on disk", Cell::Text(bytes(server.store_bytes))),
        ("memory", Cell::Text(bytes(server.resident_bytes))),
        ("tenants", Cell::Number(server.organizations.into())),
        ("sockets", Cell::Number(server.sockets.into())),
        ("streams", Cell::Number(server.streams.into())),
        ("waiting", Cell::Number(server.waiting.into())),
        ("http", Cell::text(&server.http_url)),
    ];
    Ok(object(view::server(&server), fields).into())
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
    use super::bytes;

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
