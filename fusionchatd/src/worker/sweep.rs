//! Fires durable timers when they are due. It keeps nothing: what is due stands in rows, and a restart goes on.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::service::Service;
use crate::service::timer::TIMERS_AT_ONCE;

/// The longest it sleeps, so that a clock that was set is noticed.
const SLEEP_MAX: Duration = Duration::from_secs(60);
/// How long it waits after a failure.
const FAILURE_PAUSE: Duration = Duration::from_secs(1);

/// Runs until `stop`.
pub async fn run(service: Arc<Service>, stop: CancellationToken) {
    loop {
        let pause = match service.fire_timers().await {
            Ok((fired, _)) if fired >= TIMERS_AT_ONCE as usize => Duration::ZERO,
            Ok((_, next)) => until(next, service.now()),
            Err(error) => {
                tracing::warn!(code = error.code, "timers could not be fired");
                FAILURE_PAUSE
            }
        };
        tokio::select! {
            // In a fixed order, so that the same events make the same run.
            biased;
            () = stop.cancelled() => return,
            () = service.timer_set() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

fn until(next: Option<i64>, now: i64) -> Duration {
    let Some(next) = next else { return SLEEP_MAX };
    let wait = u64::try_from(next.saturating_sub(now)).unwrap_or(0);
    Duration::from_millis(wait).min(SLEEP_MAX)
}
