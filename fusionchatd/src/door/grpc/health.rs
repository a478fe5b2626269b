//! The probe: serving while the daemon takes new work, for every service alike.

use std::sync::Arc;
use std::time::Duration;

use fusionchat_proto::v1;
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::service::Service;

/// How often it looks for one who watches whether the daemon takes new work.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many may watch at a time: nobody is asked who they are here.
pub(in crate::door) const WATCHERS_MAX: usize = 64;

/// The services that can be asked about; the empty name is the whole daemon.
pub(super) const NAMES: [&str; 13] = [
    "",
    v1::article_service_server::SERVICE_NAME,
    v1::audit_service_server::SERVICE_NAME,
    v1::conversation_service_server::SERVICE_NAME,
    v1::escalation_service_server::SERVICE_NAME,
    v1::inbox_service_server::SERVICE_NAME,
    v1::key_service_server::SERVICE_NAME,
    v1::organization_service_server::SERVICE_NAME,
    v1::server_service_server::SERVICE_NAME,
    v1::session_service_server::SERVICE_NAME,
    v1::user_service_server::SERVICE_NAME,
    v1::visitor_service_server::SERVICE_NAME,
    v1::watch_service_server::SERVICE_NAME,
];

/// Answers from the daemon's state itself, so that it can neither lag behind nor forget.
#[derive(Clone, Debug)]
pub(in crate::door) struct Probe {
    service: Arc<Service>,
    stop: CancellationToken,
    watchers: Arc<Semaphore>,
}

impl Probe {
    pub(in crate::door) fn new(service: Arc<Service>, stop: CancellationToken) -> Self {
        Self { service, stop, watchers: Arc::new(Semaphore::new(WATCHERS_MAX)) }
    }

    fn status(&self) -> ServingStatus {
        if self.stop.is_cancelled() || self.service.unready().is_some() {
            ServingStatus::NotServing
        } else {
            ServingStatus::Serving
        }
    }

    /// The status once it is another one than was told last; none after the last there can be, so that a watcher
    /// does not hold up the stop.
    async fn change(self, told: Option<ServingStatus>) -> Option<(ServingStatus, Self)> {
        loop {
            let now = self.status();
            if told != Some(now) {
                return Some((now, self));
            }
            if self.stop.is_cancelled() {
                return None;
            }
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }
}

#[tonic::async_trait]
impl Health for Probe {
    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        known(&request)?;
        Ok(Response::new(answer(self.status())))
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        known(&request)?;
        let Ok(place) = Arc::clone(&self.watchers).try_acquire_owned() else {
            return Err(Status::resource_exhausted("too many watch the health; ask with Check"));
        };
        let changes = stream::unfold((self.clone(), None, place), async |(probe, told, place)| {
            let (now, probe) = probe.change(told).await?;
            Some((Ok(answer(now)), (probe, Some(now), place)))
        });
        Ok(Response::new(changes.boxed()))
    }
}

fn known(request: &Request<HealthCheckRequest>) -> Result<(), Status> {
    if NAMES.contains(&request.get_ref().service.as_str()) {
        Ok(())
    } else {
        Err(Status::not_found("there is no service of this name"))
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}
