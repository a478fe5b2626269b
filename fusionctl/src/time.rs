//! Durations as people type them, ages as people read them, instants in UTC. It never reads a clock.

use std::time::Duration;

/// The longest duration a flag accepts: ten years.
const DURATION_MS_MAX: u64 = 3_650 * DAY_MS;
const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// Reads `500ms`, `30s`, `1h30m`, `90d`: numbers with a unit each, the sum above zero.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("`{text}` is no duration: write 500ms, 30s, 5m, 2h or 90d");
    let mut rest = text;
    let mut total_ms: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let number: u64 = rest[..digits].parse().map_err(|_| bad())?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit_ms = match &rest[..letters] {
            "ms" => 1,
            "s" => SECOND_MS,
            "m" => MINUTE_MS,
            "h" => HOUR_MS,
            "d" => DAY_MS,
            _ => return Err(bad()),
        };
        rest = &rest[letters..];
        total_ms = number
            .checked_mul(unit_ms)
            .and_then(|part_ms| total_ms.checked_add(part_ms))
            .ok_or_else(bad)?;
    }
    match total_ms {
        0 => Err(bad()),
        DURATION_MS_MAX.. => Err(format!("`{text}` is too long: at most 3650d")),
        1..DURATION_MS_MAX => Ok(Duration::from_millis(total_ms)),
    }
}

/// A duration as [`parse_duration`] reads it: `30m`, `1h30m`, `1d`.
pub(crate) fn exact(ms: i64) -> String {
    let mut rest = u64::try_from(ms).unwrap_or(0);
    let units = [(DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "m"), (SECOND_MS, "s"), (1, "ms")];
    let mut text = String::new();
    for (unit_ms, unit) in units {
        if rest >= unit_ms {
            text.push_str(&format!("{}{unit}", rest / unit_ms));
            rest %= unit_ms;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// How long something has lasted, in its two largest units: `12s`, `4m 12s`, `3h 05m`, `2d 4h`.
pub(crate) fn lasting(since_ms: i64, now_ms: i64) -> String {
    let elapsed_ms = u64::try_from(now_ms.saturating_sub(since_ms)).unwrap_or(0);
    let (days, hours) = (elapsed_ms / DAY_MS, elapsed_ms % DAY_MS / HOUR_MS);
    let (minutes, seconds) = (elapsed_ms % HOUR_MS / MINUTE_MS, elapsed_ms % MINUTE_MS / SECOND_MS);
    if days > 0 {
        format!("{days}d {hours}h")
    } else if hours > 0 {
        format!("{hours}h {minutes:02}m")
    } else if minutes > 0 {
        format!("{minutes}m {seconds:02}s")
    } else {
        format!("{seconds}s")
    }
}

/// An instant relative to now: `4m 12s ago`, `in 89d 23h`.
pub(crate) fn relative(at_ms: i64, now_ms: i64) -> String {
    if at_ms > now_ms {
        format!("in {}", lasting(now_ms, at_ms))
    } else {
        format!("{} ago", lasting(at_ms, now_ms))
    }
}

/// An instant as `2026-11-23 14:50:43 UTC`.
pub(crate) fn utc(at_ms: i64) -> String {
    let seconds = at_ms.div_euclid(1_000);
    let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(day);
    let (hour, minute, second) = (second / 3_600, second % 3_600 / 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// An instant of the last day as `14:50:43`, an older one as `2026-11-22 09:01`; both in UTC.
pub(crate) fn stamp(at_ms: i64, now_ms: i64) -> String {
    let full = utc(at_ms);
    let recent = now_ms.abs_diff(at_ms) < DAY_MS;
    let (date, clock) = full.split_once(' ').unwrap_or((&full, ""));
    let clock = clock.trim_end_matches(" UTC");
    if recent { clock.to_owned() } else { format!("{date} {}", clock.get(..5).unwrap_or(clock)) }
}

/// The Gregorian date of a day counted from 1970-01-01 (Hinnant's `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::{DURATION_MS_MAX, exact, lasting, parse_duration, relative, stamp, utc};

    #[test]
    fn durations_are_read() {
        for (text, ms) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("90d", 7_776_000_000),
        ] {
            assert_eq!(parse_duration(text).unwrap().as_millis(), ms, "{text}");
            assert_eq!(exact(i64::try_from(ms).unwrap()), text);
        }
    }

    #[test]
    fn other_durations_are_refused() {
        for text in [
            "",
            "0s",
            "30",
            "s",
            "-3s",
            "1.5h",
            "3 s",
            "3S",
            "3650d",
            "99999999999999999999s",
            "٣s",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ages_are_short() {
        for (elapsed_ms, text) in [
            (0, "0s"),
            (59_999, "59s"),
            (252_000, "4m 12s"),
            (11_100_000, "3h 05m"),
            (187_200_000, "2d 4h"),
            (-5, "0s"),
        ] {
            assert_eq!(lasting(1_000_000, 1_000_000 + elapsed_ms), text);
        }
        assert_eq!(relative(1_000, 6_000), "5s ago");
        assert_eq!(relative(6_000, 1_000), "in 5s");
    }

    #[test]
    fn instants_are_utc() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(1_709_164_799_999), "2024-02-28 23:59:59 UTC");
        assert_eq!(utc(1_709_164_800_000), "2024-02-29 00:00:00 UTC");
        assert_eq!(utc(1_790_000_000_000), "2026-09-21 14:13:20 UTC");
        assert_eq!(utc(-1), "1969-12-31 23:59:59 UTC");
        assert_eq!(stamp(1_790_000_000_000, 1_790_000_100_000), "14:13:20");
        assert_eq!(stamp(1_790_000_000_000, 1_791_000_000_000), "2026-09-21 14:13");
    }

    /// Numbers with units, large ones among them, and what is like them.
    fn durations() -> impl Strategy<Value = String> {
        let number = prop_oneof![any::<u64>(), u64::MAX - 9..=u64::MAX, 0..100_u64];
        let unit = prop_oneof![4 => select(&["ms", "s", "m", "h", "d"][..]), 1 => Just("x")];
        let part = (number, unit).prop_map(|(number, unit)| format!("{number}{unit}"));
        prop_oneof![3 => vec(part, 0..4).prop_map(|parts| parts.concat()), 1 => ".{0,20}"]
    }

    proptest! {
        #[test]
        fn what_is_read_is_above_zero_and_bounded(text in durations()) {
            if let Ok(duration) = parse_duration(&text) {
                let ms = duration.as_millis();
                prop_assert!((1..u128::from(DURATION_MS_MAX)).contains(&ms), "{text}: {ms}");
            }
        }

        #[test]
        fn what_is_written_is_read_back(ms in 1..DURATION_MS_MAX) {
            let text = exact(i64::try_from(ms).unwrap());
            let read = parse_duration(&text).map(|it| it.as_millis());
            prop_assert_eq!(read, Ok(u128::from(ms)), "{}", text);
        }

        /// A daemon may say any instant.
        #[test]
        fn any_instant_has_a_text(at_ms in any::<i64>(), now_ms in any::<i64>()) {
            let stamped = stamp(at_ms, now_ms);
            let texts = [exact(at_ms), lasting(at_ms, now_ms), relative(at_ms, now_ms), stamped];
            prop_assert!(texts.iter().all(|it| !it.is_empty()), "{texts:?}");
            let now = format!(" {} UTC", stamp(at_ms, at_ms));
            prop_assert!(utc(at_ms).ends_with(&now), "{now}");
        }
    }
}
