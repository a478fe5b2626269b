//! The clock on the wall: the only place that asks what time it is, and how far local time is from UTC.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// Unix milliseconds now.
#[expect(
    clippy::disallowed_methods,
    reason = "the one clock of the console; inside, time is an argument"
)]
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
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
