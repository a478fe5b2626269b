//! The clock on the wall: the only place that asks what time it is, and how far local time is from
//! UTC.

use std::process::Command;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Unix milliseconds that never step back: the wall clock at the start, and what has passed since.
/// The daemon's clock corrects it while the console runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started_at: i64,
    started: Instant,
}

impl Clock {
    /// A clock set by the wall clock.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one look at the wall clock; inside, time is an argument"
    )]
    pub(crate) fn start() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let started_at = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        Self { started_at, started: Instant::now() }
    }

    /// Unix milliseconds now.
    pub(crate) fn now(&self) -> i64 {
        let passed = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.started_at.saturating_add(passed)
    }
}

/// Local time minus UTC in milliseconds, as the system's own `date` says; 0 if it does not.
pub(crate) fn zone_ms() -> i64 {
    let answer = Command::new("date").arg("+%z").output().ok();
    let text = answer.and_then(|answer| String::from_utf8(answer.stdout).ok());
    text.and_then(|text| parse_zone(text.trim())).unwrap_or(0)
}

/// `+0530` in milliseconds.
fn parse_zone(text: &str) -> Option<i64> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = digits.split_at_checked(2)?;
    let minutes = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?;
    Some(sign * minutes * 60_000)
}

#[cfg(test)]
mod tests {
    use super::parse_zone;

    #[test]
    fn offsets_are_read() {
        assert_eq!(parse_zone("+0000"), Some(0));
        assert_eq!(parse_zone("+0530"), Some(19_800_000));
        assert_eq!(parse_zone("-0300"), Some(-10_800_000));
        assert_eq!(parse_zone("UTC"), None);
        assert_eq!(parse_zone(""), None);
    }
}
