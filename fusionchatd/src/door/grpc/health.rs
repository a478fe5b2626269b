//! The probe: serving until the daemon begins to stop, for every service alike.

use fusionchat_proto::v1;
use futures::stream::{self, BoxStream, StreamExt};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

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

/// Answers from the daemon's stop signal itself, so that it can neither lag behind nor forget.
#[derive(Debug)]
pub(super) struct Probe {
    stop: CancellationToken,
}

impl Probe {
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self { stop }
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
        Ok(Response::new(answer(&self.stop)))
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        known(&request)?;
        let now = answer(&self.stop);
        if self.stop.is_cancelled() {
            return Ok(Response::new(stream::iter([Ok(now)]).boxed()));
        }
        let stop = self.stop.clone();
        // Ends after the last change there can be, so that a probe does not hold up the stop.
        let stopped = stream::once(async move {
            stop.cancelled().await;
            Ok(answer(&stop))
        });
        Ok(Response::new(stream::iter([Ok(now)]).chain(stopped).boxed()))
    }
}

fn known(request: &Request<HealthCheckRequest>) -> Result<(), Status> {
    if NAMES.contains(&request.get_ref().service.as_str()) {
        Ok(())
    } else {
        Err(Status::not_found("there is no service of this name"))
    }
}

fn answer(stop: &CancellationToken) -> HealthCheckResponse {
    let status =
        if stop.is_cancelled() { ServingStatus::NotServing } else { ServingStatus::Serving };
    HealthCheckResponse { status: status.into() }
}
