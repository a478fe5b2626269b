//! The words of the screen: states, reasons, system lines, times. Raw states and codes never reach
//! the screen; an unknown code is shown in a neutral sentence.

use std::borrow::Cow;

use crate::state::row::{Conversation, Handler, Priority, Status, SystemLine, UserId};
use crate::text::SafeText;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// What a conversation's state is called: `With assistant`, `Waiting`, the agent's name, `Done`.
pub(crate) fn state(row: &Conversation) -> &str {
    match (row.status, row.handler) {
        (Status::Escalated, _) => "Waiting",
        (Status::Resolved, _) => "Done",
        (Status::Open, Handler::Agent) if !row.assignee_name.is_empty() => {
            row.assignee_name.as_str()
        }
        (Status::Open, Handler::Agent) => "An agent",
        (Status::Open, Handler::Assistant) => "With assistant",
        (Status::Open, Handler::Nobody) => "Open",
    }
}

/// The priority, unless it is normal, and the tags: `URGENT [billing] [vip]`.
pub(crate) fn labels(row: &Conversation) -> String {
    let mut words: Vec<String> = match row.priority {
        Priority::Urgent => vec!["URGENT".to_owned()],
        Priority::High | Priority::Low => vec![row.priority.word().to_owned()],
        Priority::Normal => Vec::new(),
    };
    words.extend(row.tags.iter().map(|tag| format!("[{tag}]")));
    words.join(" ")
}

/// Who it is offered to, if it is.
pub(crate) fn offered(row: &Conversation, me: Option<&UserId>) -> Option<String> {
    let offer = row.offer.as_ref()?;
    Some(match me {
        Some(me) if *me == offer.to => "offered to you".to_owned(),
        Some(_) | None if offer.name.is_empty() => "offered to a colleague".to_owned(),
        Some(_) | None => format!("offered to {}", offer.name),
    })
}

/// The line that names a conversation: who, how urgent, with whom, since when, where.
pub(crate) fn title(row: &Conversation, me: Option<&UserId>, now: i64) -> String {
    let mut parts = vec![format!("#{} {}", row.number, row.visitor), state(row).to_owned()];
    if let Some(offered) = offered(row, me) {
        let until = row.offer.as_ref().and_then(|offer| offer.until);
        let left = until.map(|until| format!(", {} left", clock(until - now)));
        parts.push(format!("{offered}{}", left.unwrap_or_default()));
    }
    parts.push(labels(row));
    parts.push(
        row.waiting_since.map(|at| format!("waiting {}", clock(now - at))).unwrap_or_default(),
    );
    parts.push(row.inbox.to_string());
    parts.retain(|part| !part.is_empty());
    parts.join(" · ")
}

/// Why somebody waits, in a few words. A person's own words stay as they are; a code of a later
/// version loses at least its underscores.
pub(crate) fn reason(row: &Conversation) -> Cow<'_, str> {
    let known = match row.reason.as_str() {
        "visitor_wish" => "asked for a person",
        "no_answer" => "no answer found",
        "assistant_timeout" => "assistant timed out",
        "assistant_failed" => "assistant failed",
        "no_assistant" => "assistant is off",
        "not_a_member" => "agent left the inbox",
        "agent_absent" => "agent went away",
        "released" => "let go by an agent",
        "reopened" => "came back",
        "transferred" => "given by an agent",
        "staff" => "passed on by staff",
        other if other.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') => {
            return Cow::Owned(other.replace('_', " "));
        }
        other => other,
    };
    Cow::Borrowed(known)
}

/// A waiting time that ticks: `04:12`, `1h 02m`, `3d 04h`.
pub(crate) fn clock(ms: i64) -> String {
    let ms = ms.max(0);
    if ms < HOUR_MS {
        return format!("{:02}:{:02}", ms / MINUTE_MS, ms % MINUTE_MS / SECOND_MS);
    }
    if ms < DAY_MS {
        return format!("{}h {:02}m", ms / HOUR_MS, ms % HOUR_MS / MINUTE_MS);
    }
    format!("{}d {:02}h", ms / DAY_MS, ms % DAY_MS / HOUR_MS)
}

/// A length of time in a sentence: `120 ms`, `2 s`, `4 min`, `3 h`.
pub(crate) fn span(ms: i64) -> String {
    let ms = ms.max(0);
    if ms < SECOND_MS {
        format!("{ms} ms")
    } else if ms < MINUTE_MS {
        format!("{} s", ms / SECOND_MS)
    } else if ms < HOUR_MS {
        format!("{} min", ms / MINUTE_MS)
    } else {
        format!("{} h", ms / HOUR_MS)
    }
}

/// The hour and minute of a moment in local time: `14:02`.
fn hour(at: i64, zone_ms: i64) -> String {
    let local = (at + zone_ms).rem_euclid(DAY_MS);
    format!("{:02}:{:02}", local / HOUR_MS, local % HOUR_MS / MINUTE_MS)
}

/// When something happened, in five columns: the hour today, else month and day.
pub(crate) fn stamp(at: i64, now: i64, zone_ms: i64) -> String {
    let day = |moment: i64| (moment + zone_ms).div_euclid(DAY_MS);
    if day(at) == day(now) {
        return hour(at, zone_ms);
    }
    date(day(at)).split_off("2026-".len())
}

/// A day as `2026-09-21` (civil calendar, from the days since 1970).
fn date(day: i64) -> String {
    // Howard Hinnant's days-to-civil: eras of 400 years that begin in March.
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day_of_month:02}")
}

/// A system line in words.
pub(crate) fn system(line: &SystemLine) -> String {
    let param = |name: &str| line.params.get(name).map(SafeText::as_str).filter(|v| !v.is_empty());
    let name = param("name").unwrap_or("an agent");
    match line.code.as_str() {
        "escalated" if param("staffed") == Some("false") => {
            "waiting for a person; nobody is there now".to_owned()
        }
        "escalated" => "waiting for a person".to_owned(),
        "claimed" => format!("{name} joined"),
        "released" => "back in the queue".to_owned(),
        "transferred" => "given to another agent".to_owned(),
        "silence_notice" => "the visitor was asked whether they are still there".to_owned(),
        "retracted" => format!("message {} was removed", param("seq").unwrap_or("?")),
        "handed_back" => "handed back to the assistant".to_owned(),
        "resolved" => match param("by") {
            Some("assistant") => "done, closed by the assistant".to_owned(),
            Some("visitor") => "done, ended by the visitor".to_owned(),
            Some("silence") => "done, the visitor said nothing more".to_owned(),
            Some(_) | None => "done, closed by an agent".to_owned(),
        },
        "reopened" => "opened again".to_owned(),
        _ => "something changed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{clock, date, hour, span, stamp, system};
    use crate::state::row::SystemLine;
    use crate::text::SafeText;

    #[test]
    fn times_read_well() {
        assert_eq!(clock(252_000), "04:12");
        assert_eq!(clock(3_720_000), "1h 02m");
        assert_eq!(clock(-5), "00:00");
        assert_eq!(span(120), "120 ms");
        assert_eq!(span(2_100), "2 s");
        assert_eq!(hour(0, 7_200_000), "02:00");
        assert_eq!(hour(-1, 0), "23:59");
        assert_eq!(stamp(0, 3_600_000, 0), "00:00");
        assert_eq!(stamp(0, 90_000_000, 0), "01-01");
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(19_782), "2024-02-29");
        assert_eq!(date(-1), "1969-12-31");
    }

    #[test]
    fn system_lines_are_words() {
        let check = |code: &str, params: &[(&str, &str)], text: &str| {
            let params = params.iter().map(|(k, v)| ((*k).to_owned(), SafeText::line(v))).collect();
            assert_eq!(system(&SystemLine { code: SafeText::line(code), params }), text);
        };
        check("claimed", &[("name", "agent1")], "agent1 joined");
        check("claimed", &[], "an agent joined");
        check("escalated", &[("staffed", "false")], "waiting for a person; nobody is there now");
        check("resolved", &[("by", "visitor")], "done, ended by the visitor");
        check("of_a_later_version", &[], "something changed");
    }
}
