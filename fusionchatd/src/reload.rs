//! Changing a running daemon: SIGHUP reads the configuration again, and the files of the certificates are looked at
//! from time to time. What cannot be used leaves everything as it was.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::config::{Config, Doors, Fixed, Mistakes, environment};
use crate::door::tls::Tls;
use crate::log::Filter;
use crate::service::Service;
use crate::store::open::DiskEngine;
use crate::worker::provider::Providers;

/// What a reload changes.
pub(crate) struct Reload {
    /// The configuration file, if there is one.
    pub(crate) path: Option<PathBuf>,
    /// The data directory of the command line, which wins over the file's.
    pub(crate) data: Option<PathBuf>,
    /// The engine of the command line, which wins likewise.
    pub(crate) store: Option<DiskEngine>,
    /// What the daemon was started with and only a restart changes.
    pub(crate) fixed: Fixed,
    /// How often the certificates are looked at.
    pub(crate) tls_look: Duration,
    /// TLS of the doors.
    pub(crate) doors: Doors,
    /// The use cases.
    pub(crate) service: Arc<Service>,
    /// The models of the organizations.
    pub(crate) providers: Arc<Providers>,
    /// The log's filter.
    pub(crate) filter: Filter,
}

impl Reload {
    /// Serves SIGHUP and looks at the certificates until `stop`.
    pub(crate) async fn run(self, mut hangup: Signal, stop: CancellationToken) {
        let mut look = tokio::time::interval(self.tls_look);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = hangup.recv() => self.reload(),
                _ = look.tick() => self.look(),
            }
            self.count_failures();
        }
    }

    /// Reads everything again and takes it, or says what is wrong and changes nothing.
    fn reload(&self) {
        match Config::load(self.path.as_deref(), environment()) {
            Ok((mut config, doors)) => {
                if let Some(data) = &self.data {
                    config.data.clone_from(data);
                }
                config.store = self.store.or(config.store);
                self.take(&config, &doors);
            }
            Err(Mistakes(mistakes)) => {
                let file = self.path.as_ref().map(|it| it.display().to_string());
                for mistake in &mistakes {
                    tracing::error!(file, reason = %mistake, "configuration not reloaded");
                }
                if mistakes.iter().any(|it| it.starts_with("tls: ")) {
                    self.each(Tls::count_failure);
                }
            }
        }
    }

    fn take(&self, config: &Config, doors: &Doors) {
        for (name, old, new) in self.fixed.differing(&config.fixed()) {
            tracing::warn!(setting = name, old, new, "needs a restart; the old one stays");
        }
        for (ours, theirs) in [(&self.doors.http, &doors.http), (&self.doors.grpc, &doors.grpc)] {
            if let (Some(ours), Some(theirs)) = (ours, theirs) {
                ours.adopt(theirs);
            }
        }
        self.service.reconfigure(config.settings());
        self.providers.set(config.providers.clone());
        if let Err(error) = self.filter.reload(EnvFilter::new(&config.log_filter)) {
            tracing::warn!(%error, "the log's filter could not be changed");
        }
        tracing::info!("configuration reloaded");
    }

    /// Lets the metrics know.
    fn count_failures(&self) {
        let tls = self.doors.http.iter().chain(&self.doors.grpc);
        let failures = tls.map(|it| it.counts().1).sum();
        self.service.connections().say_tls_failures(failures);
    }

    fn look(&self) {
        self.each(|tls| match tls.look() {
            Ok(true) => tracing::info!(door = tls.name(), "certificate renewed"),
            Ok(false) => {}
            Err(error) => {
                tracing::error!(door = tls.name(), reason = %error, "certificate not renewed");
            }
        });
    }

    fn each(&self, act: impl Fn(&Tls)) {
        self.doors.http.iter().chain(&self.doors.grpc).for_each(|tls| act(tls));
    }
}
