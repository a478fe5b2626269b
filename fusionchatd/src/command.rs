//! The command line of the daemon.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::{App, Interrupted, Listeners, StopSignals, system_time};
use crate::config::{Config, Doors, Mistakes, environment};
use crate::demo::{self, DemoOptions};
use crate::domain::name;
use crate::init::{self, InitOptions, STORE};
use crate::log;
use crate::maintain::{self, StoreAction};
use crate::reload::Reload;
use crate::store::StoreError;
use crate::store::open::{DiskEngine, url_of};

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
        /// The store's engine, sled: or redb:; without it the directory's own, and sled: for a new one
        #[arg(long, value_name = "URL")]
        store: Option<String>,
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
    /// Make a data directory: store, organization, inbox, one operator key and one invitation
    ///
    /// Example: fusionchatd init --data /var/lib/fusionchat --tenant acme --admin ana@acme.example
    /// --origin https://shop.example
    Init {
        /// The directory; it is made, or must be empty
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// The store's engine: sled: or redb:
        #[arg(long, value_name = "URL", default_value = "sled:")]
        store: String,
        /// The organization's name: lower-case letters, digits and hyphens
        #[arg(long, value_name = "NAME", value_parser = slug)]
        tenant: String,
        /// The e-mail of its first admin, who gets a one-time code
        #[arg(long, value_name = "EMAIL", value_parser = email)]
        admin: String,
        /// A site that may embed the widget, as often as there are sites
        #[arg(long, value_name = "URL", value_parser = origin)]
        origin: Vec<String>,
        /// The inbox's name
        #[arg(long, value_name = "NAME", default_value = "web", value_parser = slug)]
        inbox: String,
        /// Where visitors will reach the daemon, as http.public_url
        #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4880", value_parser = origin)]
        public_url: String,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
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
        /// The engine its store must be of, sled: or redb:, instead of the configured one
        #[arg(long, value_name = "URL")]
        store: Option<String>,
    },
    /// Look after the store of a data directory while no daemon runs on it
    #[command(subcommand)]
    Store(StoreAction),
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
            // Where nobody can be told, the exit code still says it.
            let _ = writeln!(std::io::stderr().lock(), "fusionchatd: {error:#}");
            exit_of(&error)
        }
    }
}

fn exit_of(error: &anyhow::Error) -> ExitCode {
    match error.downcast_ref::<Interrupted>() {
        Some(interrupted) => ExitCode::from(interrupted.exit()),
        None if is_mistake(error) => ExitCode::from(EXIT_CONFIG),
        None => ExitCode::FAILURE,
    }
}

/// Whether somebody must change the configuration before it can go better.
fn is_mistake(error: &anyhow::Error) -> bool {
    let store = error.downcast_ref::<StoreError>();
    let store = store.is_some_and(|error| {
        matches!(error, StoreError::BadUrl { .. } | StoreError::OtherEngine { .. })
    });
    store || error.is::<Mistakes>()
}

async fn run(action: Action, started: Instant) -> anyhow::Result<()> {
    match action {
        Action::Demo { data, store, ci, free_ports, ready_file } => {
            let store = engine(store.as_deref())?;
            demo::run(DemoOptions { data, store, ci, free_ports, ready_file }, started).await
        }
        Action::Init { data, store, tenant, admin, origin, inbox, public_url, json } => {
            let (origins, store) = (origin, DiskEngine::of_setting(&store)?);
            let options =
                InitOptions { data, store, tenant, admin, origins, inbox, public_url, json };
            let place = options.data.display();
            let stands =
                format!("unless its secrets were shown, remove what is in {place} and begin again");
            StopSignals::hear()?.or_interrupted(stands, init::run(options)).await
        }
        Action::Serve { config, data, store } => serve(config, data, store.as_deref()).await,
        Action::Store(action) => maintain::run(action).await,
    }
}

/// The engine that a flag asks for.
fn engine(store: Option<&str>) -> Result<Option<DiskEngine>, StoreError> {
    store.map(DiskEngine::of_setting).transpose()
}

async fn serve(
    file: Option<PathBuf>,
    data: Option<PathBuf>,
    store: Option<&str>,
) -> anyhow::Result<()> {
    let mut signals = StopSignals::hear()?;
    let (mut config, tls) = Config::load(file.as_deref(), environment())?;
    let asked = engine(store)?;
    config.store = asked.or(config.store);
    if let Some(data) = &data {
        config.data.clone_from(data);
    }
    let filter = log::to_standard_error(&config)?;
    // Heard from here on: before, a SIGHUP ends the process.
    let hangup = signal(SignalKind::hangup()).context("SIGHUP cannot be heard")?;
    let store = config.data.join(STORE);
    anyhow::ensure!(
        store.is_dir(),
        "{} holds no store of fusionchatd; `fusionchatd init` makes one",
        config.data.display()
    );
    let url = url_of(config.store, &store)?;
    let http = listen(config.http_listen).await?;
    let grpc = listen(config.grpc_listen).await?;
    let metrics = match config.metrics_listen {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let settings = config.settings();
    let opening = async move { App::open(&url, settings, Arc::new(system_time)).await };
    let Some(app) = signals.unless_heard(opening).await? else {
        tracing::info!("stopped before the store was open");
        return Ok(());
    };
    let doors = Doors { http: tls.http.clone(), grpc: tls.grpc.clone() };
    let at = (http.local_addr()?, grpc.local_addr()?);
    let metrics_at = metrics.as_ref().map(TcpListener::local_addr).transpose()?;
    app.providers.set(config.providers.clone());
    app.start(Listeners { http, grpc, metrics, tls: doors, waits: config.waits }, &signals);
    tracing::info!(
        http = %at.0, grpc = %at.1, metrics = metrics_at.map(tracing::field::display),
        http_tls = tls.http.is_some(), grpc_tls = tls.grpc.is_some(),
        "ready"
    );
    let grace = config.grace;
    let (service, providers) = (Arc::clone(&app.service), Arc::clone(&app.providers));
    let (fixed, tls_look) = (config.fixed(), config.tls_look);
    let reload = Reload {
        path: file,
        data,
        store: asked,
        fixed,
        tls_look,
        doors: tls,
        service,
        providers,
        filter,
    };
    app.spawn(reload.run(hangup, app.stop.clone()));
    app.run(signals, grace).await
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

fn slug(text: &str) -> Result<String, String> {
    name::slug(text).map_err(|error| error.to_string())
}

fn email(text: &str) -> Result<String, String> {
    name::email(text).map_err(|error| error.to_string())
}

fn origin(text: &str) -> Result<String, String> {
    name::origin(text).map_err(|error| error.to_string())
}
