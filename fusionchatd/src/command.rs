//! The command line of the daemon.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::{App, Listeners, system_time};
use crate::config::{Config, Doors, Mistakes};
use crate::demo::{self, DemoOptions};
use crate::log;
use crate::reload::Reload;

/// The exit code of a bad configuration (`EX_USAGE` of sysexits.h).
const EXIT_CONFIG: u8 = 64;

/// Customer chat in one process: store, assistant and doors.
#[derive(Parser, Debug)]
#[command(name = "fusionchatd", version, about)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Try everything on this machine: a shop, its help centre and a few conversations
    ///
    /// Example: fusionchatd demo
    Demo {
        /// Go on with a directory an earlier demo left, or use this empty one
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// For a pipeline: free ports, no conversations, and `--demo` of other terminals left alone
        #[arg(long)]
        ci: bool,
        /// Take any free ports instead of 4880, 4881 and 4882
        #[arg(long)]
        free_ports: bool,
        /// Write addresses and credentials here (mode 0600) once everything is ready
        #[arg(long, value_name = "FILE")]
        ready_file: Option<PathBuf>,
    },
    /// Serve a data directory
    ///
    /// Example: fusionchatd serve --config /etc/fusionchat/fusionchatd.toml
    Serve {
        /// The configuration file (TOML); see deploy/fusionchatd.toml
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// The data directory, instead of the configured one
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
    },
}

/// Runs the daemon and returns its exit code. `started` is when the process started.
pub fn main(started: Instant) -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = runtime.context("the runtime cannot start").and_then(|runtime| {
        let result = runtime.block_on(run(arguments.action, started));
        // Blocking work that overran the grace time must not keep the process.
        runtime.shutdown_background();
        result
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fusionchatd: {error:#}");
            if error.is::<Mistakes>() { ExitCode::from(EXIT_CONFIG) } else { ExitCode::FAILURE }
        }
    }
}

async fn run(action: Action, started: Instant) -> anyhow::Result<()> {
    match action {
        Action::Demo { data, ci, free_ports, ready_file } => {
            demo::run(DemoOptions { data, ci, free_ports, ready_file }, started).await
        }
        Action::Serve { config, data } => serve(config, data).await,
    }
}

async fn serve(file: Option<PathBuf>, data: Option<PathBuf>) -> anyhow::Result<()> {
    let (mut config, tls) = Config::load(file.as_deref(), std::env::vars())?;
    if let Some(data) = data {
        config.data = data;
    }
    let filter = log::to_standard_error(&config)?;
    // Heard from here on: before, a SIGHUP ends the process.
    let hangup = signal(SignalKind::hangup()).context("SIGHUP cannot be heard")?;
    let store = config.data.join("store");
    anyhow::ensure!(store.is_dir(), "{} holds no store of fusionchatd", config.data.display());
    let http = TcpListener::bind(config.http_listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.http_listen))?;
    let grpc = TcpListener::bind(config.grpc_listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.grpc_listen))?;
    let url = format!("sled:{}", store.display());
    let app = App::open(&url, config.settings(), Arc::new(system_time)).await?;
    let doors = Doors { http: tls.http.clone(), grpc: tls.grpc.clone() };
    tracing::info!(
        http = %config.http_listen, grpc = %config.grpc_listen,
        http_tls = tls.http.is_some(), grpc_tls = tls.grpc.is_some(),
        "ready"
    );
    app.start(Listeners { http, grpc, tls: doors });
    let grace = config.grace;
    let service = Arc::clone(&app.service);
    let reload = Reload { path: file, config, doors: tls, service, filter };
    app.spawn(reload.run(hangup, app.stop.clone()));
    app.run(grace).await
}
