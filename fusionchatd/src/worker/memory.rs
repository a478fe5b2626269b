//! Looks how much memory is left, once a second, as the store does with the disk. What that means the service says.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::service::Service;

/// How often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Runs until `stop`.
pub async fn run(service: Arc<Service>, stop: CancellationToken) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = looks.tick() => service.look_at_memory(),
        }
    }
}
