//! What a replay tells: a table for a person, one JSON object for a program.

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::daemon::{Daemon, LIMITS, Limits};
use crate::figures::{Figures, Spread};
use crate::replay::Play;
use crate::setup::AGENTS;
use crate::verify::Findings;

/// One kill of the daemon.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Kill {
    /// Messages whose acknowledgement a client had accepted.
    pub(crate) acknowledged: u64,
    /// From its start to its first answer.
    #[serde(rename = "recoveryMs", serialize_with = "milliseconds")]
    pub(crate) recovery: Duration,
    /// How long nobody could speak to it, verification included. Not part of the time of the run.
    #[serde(rename = "heldMs", serialize_with = "milliseconds")]
    pub(crate) held: Duration,
    /// What was there before any client had come back.
    pub(crate) findings: Findings,
}

/// An import of articles.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Imported {
    /// How many.
    pub(crate) articles: usize,
    /// How long it took.
    #[serde(rename = "ms", serialize_with = "milliseconds")]
    pub(crate) took: Duration,
}

fn milliseconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// Everything a replay tells.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    seed: u64,
    dialogues: usize,
    empty_turns_left_out: usize,
    parallel: usize,
    agents: usize,
    messages: u64,
    #[serde(rename = "ms", serialize_with = "milliseconds")]
    took: Duration,
    messages_per_second: f64,
    ack: Spread,
    agent_ack: Spread,
    visitor_to_agent: Spread,
    acks_ignored: u64,
    sent_again: u64,
    refused: u64,
    sockets: u64,
    sockets_cut: u64,
    repeats_dropped: u64,
    kills: Vec<Kill>,
    #[serde(rename = "daemonCpuMs", serialize_with = "milliseconds")]
    daemon_cpu: Duration,
    peak_rss_bytes: u64,
    disk_bytes: u64,
    limits: Limits,
    #[serde(skip_serializing_if = "Option::is_none")]
    imported: Option<Imported>,
    findings: Findings,
}

impl Report {
    /// What the clients saw.
    pub(crate) fn new(
        play: &Play,
        figures: &Figures,
        took: Duration,
        kills: Vec<Kill>,
        findings: Findings,
    ) -> Self {
        let messages = *figures.progress.borrow();
        Self {
            seed: play.seed,
            dialogues: play.script.dialogues.len(),
            empty_turns_left_out: play.script.empty,
            parallel: play.parallel,
            agents: AGENTS,
            messages,
            took,
            messages_per_second: (messages as f64 / took.as_secs_f64()).round(),
            ack: figures.ack.spread(),
            agent_ack: figures.agent_ack.spread(),
            visitor_to_agent: figures.to_agent.spread(),
            acks_ignored: figures.ignored.get(),
            sent_again: figures.again.get(),
            refused: figures.refused.get(),
            sockets: figures.sockets.get(),
            sockets_cut: figures.cut.get(),
            repeats_dropped: figures.repeats.get(),
            kills,
            daemon_cpu: Duration::ZERO,
            peak_rss_bytes: 0,
            disk_bytes: 0,
            limits: LIMITS,
            imported: None,
            findings,
        }
    }

    /// With the import.
    pub(crate) fn with_imported(self, imported: Option<Imported>) -> Self {
        Self { imported, ..self }
    }

    /// With what the daemon took.
    pub(crate) fn with_daemon(self, daemon: &Daemon, bytes_before: u64) -> Self {
        Self {
            daemon_cpu: daemon.cpu(),
            peak_rss_bytes: daemon.peak_rss(),
            disk_bytes: daemon.bytes_on_disk().saturating_sub(bytes_before),
            ..self
        }
    }

    /// Everything that was found to differ, after any kill and at the end.
    pub(crate) fn differences(&self) -> usize {
        let after_kills = self.kills.iter().map(|kill| kill.findings.difference_count);
        after_kills.sum::<usize>() + self.findings.difference_count
    }

    /// How often the daemon was killed.
    pub(crate) fn kills(&self) -> usize {
        self.kills.len()
    }

    /// For a person.
    pub(crate) fn table(&self) -> String {
        let mut rows = vec![
            ("seed", self.seed.to_string()),
            ("played", self.played()),
            ("left out", format!("{} turns without a word", self.empty_turns_left_out)),
            ("time", format!("{:.1} s without the kills", self.took.as_secs_f64())),
            ("messages/s", format!("{:.0}", self.messages_per_second)),
            ("visitor's ack", spread(&self.ack)),
            ("agent's ack", spread(&self.agent_ack)),
            ("visitor to agent", spread(&self.visitor_to_agent)),
            ("acks ignored", self.acks_ignored.to_string()),
            ("sent again", self.sent_again.to_string()),
            ("refused for now", self.refused.to_string()),
            ("sockets", format!("{} opened, {} cut", self.sockets, self.sockets_cut)),
            ("repeats dropped", self.repeats_dropped.to_string()),
            ("kill -9", self.kills.len().to_string()),
        ];
        rows.extend(self.kills.iter().map(|kill| ("", kill_row(kill))));
        rows.push(("daemon's CPU", self.cpu()));
        rows.push(("peak memory", format!("{:.1} MiB resident", mebibytes(self.peak_rss_bytes))));
        let each = self.disk_bytes / self.messages.max(1);
        let disk = mebibytes(self.disk_bytes);
        rows.push(("disk", format!("{disk:.1} MiB more, {each} bytes a message")));
        if let Some(it) = self.imported {
            let seconds = it.took.as_secs_f64();
            rows.push(("imported", format!("{} articles in {seconds:.1} s", it.articles)));
        }
        rows.push(("limits", LIMITS.section().unwrap_or_default().replace('\n', "\n    ")));
        rows.push(("read back", read_back(&self.findings)));
        rows.push(("differences", self.differences().to_string()));
        let mut text = String::new();
        for (name, value) in rows {
            let value = value.replace('\n', &format!("\n{:18}", ""));
            let _ = writeln!(text, "{name:17} {value}");
        }
        let kills = self.kills.iter().map(|kill| &kill.findings);
        for difference in kills.chain([&self.findings]).flat_map(|it| &it.differences) {
            let _ = writeln!(text, "! {difference}");
        }
        text
    }

    fn cpu(&self) -> String {
        let seconds = self.daemon_cpu.as_secs_f64();
        let each = seconds * 1e6 / self.messages.max(1) as f64;
        format!("{seconds:.1} s with its starts and reading back, {each:.0} us a message")
    }

    fn played(&self) -> String {
        let (count, parallel, agents) = (self.dialogues, self.parallel, self.agents);
        let messages = self.messages;
        format!("{count} dialogues, {parallel} at a time, {agents} agents, {messages} messages")
    }
}

fn kill_row(kill: &Kill) -> String {
    let found = &kill.findings;
    format!(
        "at {} messages: answered again after {} ms; of {} not acknowledged {} there, {} not",
        kill.acknowledged,
        kill.recovery.as_millis(),
        found.unacknowledged_present + found.unacknowledged_absent,
        found.unacknowledged_present,
        found.unacknowledged_absent
    )
}

fn read_back(found: &Findings) -> String {
    format!(
        "{} conversations, {} messages ({} acknowledged), {} system lines",
        found.conversations, found.messages, found.acknowledged, found.system_lines
    )
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn spread(it: &Spread) -> String {
    let [p50, p99, max] = [it.p50_us, it.p99_us, it.max_us].map(|us| us as f64 / 1_000.0);
    format!("p50 {p50:.1} ms, p99 {p99:.1} ms, max {max:.1} ms (of {})", it.count)
}
