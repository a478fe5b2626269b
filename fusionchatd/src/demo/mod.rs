//! The demo: the whole product in one process on loopback, with a shop page, a help centre and a few conversations.
//! Everything in it is real: the same store, assistant and doors as `serve`.

mod banner;
mod files;
mod help;
mod ready;
mod seed;
mod shop;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::{App, Listeners, StopSignals, bind_near, system_time};
use crate::config::{Config, Doors};
use crate::service::Service;
use crate::store::open::{DiskEngine, OpenOptions, open, url_of};

use files::DemoFile;
use ready::ReadyFile;
use seed::{Seeded, Traffic};

/// The ports that are tried first.
const HTTP_PORT: u16 = 4880;
const SHOP_PORT: u16 = 4881;
const GRPC_PORT: u16 = 4882;

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct DemoOptions {
    /// An existing directory to go on with, or one to make; none means a new one.
    pub data: Option<PathBuf>,
    /// The store's engine; none means that of the directory, and sled for a new one.
    pub store: Option<DiskEngine>,
    /// For a pipeline: free ports, no conversations, no pointer for `--demo`, one line instead of a page.
    pub ci: bool,
    /// Any ports that are free, instead of the known ones.
    pub free_ports: bool,
    /// Where the addresses and credentials are written once the demo is ready.
    pub ready_file: Option<PathBuf>,
}

impl DemoOptions {
    /// The port to ask for: 0 is any that is free.
    fn wished(&self, port: u16) -> u16 {
        if self.ci || self.free_ports { 0 } else { port }
    }
}

/// Runs the demo until Ctrl-C. `started` is when the process started.
pub async fn run(options: DemoOptions, started: Instant) -> anyhow::Result<()> {
    let mut signals = StopSignals::hear()?;
    // Heard from here on: before, a SIGHUP ends the process.
    let hangup = signal(SignalKind::hangup()).context("SIGHUP cannot be heard")?;
    let ready_file = options.ready_file.as_deref().map(ReadyFile::claim).transpose()?;
    let directory = directory(options.data.clone())?;
    let before = DemoFile::read(&directory)?;
    let half_made = before.is_none() && directory.join("store").exists();
    anyhow::ensure!(
        !half_made,
        "{} has a store that no demo has made ready: one was ended before, or it is no demo's; remove it or choose \
         another directory",
        directory.display()
    );
    let store = directory.join("store");
    let url = match &before {
        Some(_) => url_of(options.store, &store)?,
        None => options.store.unwrap_or(DiskEngine::Sled).url(&store),
    };
    let traffic = if options.ci { Traffic::None } else { Traffic::Seeded };
    let place = directory.display();
    let beginning = begin(options, directory.clone(), url, before, traffic);
    let Some(begun) = signals.unless_heard(beginning).await? else {
        banner::last_word(format!("Stopped before the demo in {place} was ready\n")).await;
        return Ok(());
    };
    let Begun { app, seeded, grace, listeners, shop, file } = begun;
    app.start(listeners, &signals);
    let page = shop::page(&file.http, &file.inbox_id);
    app.spawn(shop::serve(shop, page, app.stop.clone()));
    let announced = Announced {
        service: Arc::clone(&app.service),
        directory: directory.clone(),
        file: file.clone(),
        ready_file: ready_file.clone(),
        seeded,
        traffic,
        started,
    };
    let result = match signals.unless_heard(announced.say()).await {
        Ok(Some(())) => app.run_until(signals, hung_up(hangup), grace).await,
        Ok(None) => app.drain(grace).await,
        Err(error) => give_up(app, grace, error).await,
    };
    if let Some(ready_file) = ready_file {
        ready_file.remove(&file);
    }
    banner::last_word(format!("The demo's data stays in {place}\n")).await;
    result
}

/// A demo that is about to open its doors.
struct Begun {
    app: App,
    seeded: Seeded,
    grace: Duration,
    listeners: Listeners,
    /// Of the shop's page.
    shop: TcpListener,
    file: DemoFile,
}

/// Takes the ports, opens the store, and makes what the demo begins with or finds it there.
async fn begin(
    options: DemoOptions,
    directory: PathBuf,
    url: String,
    before: Option<DemoFile>,
    traffic: Traffic,
) -> anyhow::Result<Begun> {
    let bind = async |had: fn(&DemoFile) -> &str, known: u16| match &before {
        None => bind_near(local(options.wished(known))).await,
        Some(file) => {
            let port = files::port(had(file)).unwrap_or(options.wished(known));
            bind_again(local(port), &url).await
        }
    };
    let http = bind(|file| &file.http, HTTP_PORT).await?;
    let shop = bind(|file| &file.shop, SHOP_PORT).await?;
    let grpc = bind(|file| &file.grpc, GRPC_PORT).await?;
    crate::log::to_file(&directory.join("log"))?;

    let http_url = format!("http://{}", http.local_addr()?);
    let shop_origin = format!("http://localhost:{}", shop.local_addr()?.port());
    let grpc_url = format!("http://{}", grpc.local_addr()?);
    let config = Config { public_url: http_url.clone(), ..Config::default() };
    let (app, seeded) = open_seeded(&url, &config, before, &shop_origin, traffic).await?;
    let file = DemoFile {
        api_version: files::API_VERSION.to_owned(),
        grpc: grpc_url,
        http: http_url,
        shop: format!("{shop_origin}/"),
        pid: std::process::id(),
        organization: seed::ORGANIZATION.to_owned(),
        inbox: seed::INBOX.to_owned(),
        inbox_id: seeded.inbox.to_string(),
        credentials: seeded.credentials.clone(),
    };
    let (tls, waits, grace) = (Doors::default(), config.waits, config.grace);
    let listeners = Listeners { http, grpc, metrics: None, tls, waits };
    Ok(Begun { app, seeded, grace, listeners, shop, file })
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Opens the store and makes what the demo begins with, or finds it there.
async fn open_seeded(
    url: &str,
    config: &Config,
    before: Option<DemoFile>,
    shop_origin: &str,
    traffic: Traffic,
) -> anyhow::Result<(App, Seeded)> {
    // The demo's conversations are made in the past: until they are, the clock is behind.
    let behind = Arc::new(AtomicI64::new(0));
    let clock = {
        let behind = Arc::clone(&behind);
        Arc::new(move || system_time() - behind.load(Ordering::Relaxed))
    };
    let app = App::open(url, config.settings(), clock).await?;
    let seeded = match &before {
        Some(file) => seed::go_on(&app.service, file).await,
        None => seed::fresh(&app.service, shop_origin, &behind, traffic).await,
    };
    match seeded {
        Ok(seeded) => Ok((app, seeded)),
        Err(error) => give_up(app, config.grace, error).await,
    }
}

/// Ends in order what cannot go on.
async fn give_up<T>(app: App, grace: Duration, error: anyhow::Error) -> anyhow::Result<T> {
    if let Err(unclosed) = app.close(grace).await {
        tracing::warn!("{unclosed:#}");
    }
    Err(error)
}

/// A demo has nothing to read again: SIGHUP changes nothing, and it says so. Ends if the terminal it says that on has
/// gone, as it does when a window is closed.
async fn hung_up(mut hangup: Signal) {
    while hangup.recv().await.is_some() {
        tracing::info!("SIGHUP changes nothing: a demo has no configuration file");
        let text = "SIGHUP changes nothing: a demo has no configuration file to read again.\n";
        if !banner::say(text.to_owned()).await {
            return;
        }
    }
    std::future::pending::<()>().await;
}

/// Where it says that it is there, and what.
struct Announced {
    service: Arc<Service>,
    directory: PathBuf,
    file: DemoFile,
    ready_file: Option<ReadyFile>,
    seeded: Seeded,
    traffic: Traffic,
    started: Instant,
}

impl Announced {
    /// Writes the files, the one that says it is ready as the last, and prints what there is to try.
    async fn say(self) -> anyhow::Result<()> {
        let Self { service, directory, file, ready_file, seeded, traffic, started } = &self;
        file.write(directory)?;
        let ready = || ready_file.as_ref().map_or(Ok(()), |it| it.write(file));
        let text = match traffic {
            Traffic::None => {
                ready()?;
                banner::line(file, started.elapsed())
            }
            Traffic::Seeded => {
                file.point(directory)?;
                let queue = service.list_escalations(&seeded.admin, 0).await?;
                let articles = service.list_articles(&seeded.admin, 200, "").await?.0.len();
                ready()?;
                let banner = banner::Banner {
                    directory,
                    file,
                    ready: started.elapsed(),
                    waiting: &queue.0,
                    now: service.now(),
                    articles,
                };
                banner.page()
            }
        };
        banner::say(text).await;
        Ok(())
    }
}

/// The port an earlier run had: the inbox's origins and its clients know it. Where it is taken, a demo still running
/// on the same store is the likelier reason, and says so.
async fn bind_again(address: SocketAddr, store: &str) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(error) => {
            open(store, &OpenOptions::default()).await?.close().await?;
            Err(error).with_context(|| format!("this demo's port {} is in use", address.port()))
        }
    }
}

/// The directory to use: made if it is not there, refused if it holds something else.
fn directory(wished: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let directory = match wished {
        Some(path) => path,
        None => files::new_directory()?,
    };
    files::private_directory(&directory)?;
    refuse_foreign(&directory)?;
    Ok(directory.canonicalize()?)
}

fn refuse_foreign(directory: &Path) -> anyhow::Result<()> {
    let empty = std::fs::read_dir(directory)?.next().is_none();
    let ours = directory.join(files::FILE).exists() || directory.join("store").exists();
    if empty || ours {
        return Ok(());
    }
    anyhow::bail!("{} holds something else; choose an empty directory", directory.display())
}
