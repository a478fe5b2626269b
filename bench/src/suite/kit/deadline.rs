//! How long the suite waits: whatever it waits for has one deadline from the first moment to the last, so that what is
//! lost fails the run instead of holding it up.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result};

/// How long anything may take that must come.
pub(in crate::suite) const PATIENCE: Duration = Duration::from_secs(120);

/// Waits for all of it at most [`PATIENCE`]: what comes meanwhile and is something else, a ping or a heartbeat, gives
/// it no more time.
pub(in crate::suite) async fn within<T>(
    what: &str,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let done = tokio::time::timeout(PATIENCE, work).await;
    done.with_context(|| format!("{what}: it has not come after {PATIENCE:?}"))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_never_comes_fails_though_something_else_does() {
        let other_things = async {
            let mut heartbeats = tokio::time::interval(PATIENCE / 24);
            loop {
                heartbeats.tick().await;
            }
        };
        let error = within("a message", other_things).await.map(|(): ()| ()).unwrap_err();
        assert!(error.to_string().contains("a message: it has not come"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_in_time_is_handed_on() {
        let late = async {
            tokio::time::sleep(PATIENCE / 2).await;
            Ok(7)
        };
        assert_eq!(within("a number", late).await.unwrap(), 7);
        let failed = async { anyhow::bail!("refused") };
        let error = within("a number", failed).await.map(|(): ()| ()).unwrap_err();
        assert_eq!(error.to_string(), "refused");
    }
}
