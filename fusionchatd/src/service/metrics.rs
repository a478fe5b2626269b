//! What the daemon counts. Labels are taken from closed sets: no organization, visitor or address is one.

use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::limit::Share;

/// One label and its value.
type Label<V> = [(&'static str, V); 1];
/// A family of counters by one label.
type Counters<V> = Family<Label<V>, Counter>;

/// The counters and histograms of one daemon.
#[derive(Debug)]
pub struct Metrics {
    commands: Counters<&'static str>,
    entries: Counters<&'static str>,
    commit_seconds: Histogram,
    group_commands: Histogram,
    http: Counters<u16>,
    grpc: Counters<u16>,
    assistant: Counters<&'static str>,
    over_quota: Counters<&'static str>,
}

/// A value that is read when the metrics are.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub help: &'static str,
    /// The value.
    pub value: i64,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            commands: Family::default(),
            entries: Family::default(),
            // From 0.1 ms to 3 s, and from 1 to 64.
            commit_seconds: Histogram::new(exponential_buckets(0.000_1, 2.0, 16)),
            group_commands: Histogram::new(exponential_buckets(1.0, 2.0, 7)),
            http: Family::default(),
            grpc: Family::default(),
            assistant: Family::default(),
            over_quota: Family::default(),
        }
    }
}

impl Metrics {
    /// A command was answered: `done`, `repeated`, `rejected` or `failed`.
    pub(super) fn command(&self, outcome: &'static str) {
        self.commands.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// A command was refused because its organization's quota was used up.
    pub(super) fn over_quota(&self, share: Share) {
        self.over_quota.get_or_create(&[("share", share.name())]).inc();
    }

    /// An entry was committed.
    pub(super) fn entry(&self, kind: &'static str) {
        self.entries.get_or_create(&[("kind", kind)]).inc();
    }

    /// A group was committed.
    pub(super) fn group(&self, commands: usize, took: Duration) {
        self.group_commands.observe(u32::try_from(commands).map_or(f64::MAX, f64::from));
        self.commit_seconds.observe(took.as_secs_f64());
    }

    /// A request was answered over HTTP.
    pub fn http(&self, status: u16) {
        self.http.get_or_create(&[("status", status)]).inc();
    }

    /// A call was answered over gRPC; streams count once they begin.
    pub fn grpc(&self, code: u16) {
        self.grpc.get_or_create(&[("code", code)]).inc();
    }

    /// A thought of the assistant ended: `done`, `stale` or `failed`.
    pub fn assistant(&self, outcome: &'static str) {
        self.assistant.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// Everything in the text format of Prometheus, with what was read just now.
    pub fn text(&self, readings: &[Reading]) -> String {
        let mut all = Registry::with_prefix("fusionchat");
        all.register("commands", "Commands by outcome", self.commands.clone());
        all.register("entries", "Journal entries by kind", self.entries.clone());
        let commits = self.commit_seconds.clone();
        all.register("commit_seconds", "How long a commit takes, with its sync", commits);
        let groups = self.group_commands.clone();
        all.register("group_commands", "Commands in one commit", groups);
        all.register("http_responses", "HTTP answers by status", self.http.clone());
        all.register("grpc_responses", "gRPC answers by code", self.grpc.clone());
        let thoughts = self.assistant.clone();
        all.register("assistant_thoughts", "Thoughts of the assistant by outcome", thoughts);
        let refused = self.over_quota.clone();
        all.register("over_quota", "Commands refused over an organization's quota", refused);
        for reading in readings {
            let gauge: Gauge = Gauge::default();
            gauge.set(reading.value);
            all.register(reading.name, reading.help, gauge);
        }
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &all);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let metrics = Metrics::default();
        metrics.command("done");
        metrics.group(2, Duration::from_millis(3));
        metrics.http(200);
        metrics.grpc(7);
        metrics.entry("MessagePosted");
        metrics.assistant("done");
        metrics.over_quota(Share::Keys);
        let sockets = Reading { name: "sockets", help: "Open WebSockets", value: 5 };
        let text = metrics.text(&[sockets]);
        for line in [
            "fusionchat_commands_total{outcome=\"done\"} 1",
            "fusionchat_entries_total{kind=\"MessagePosted\"} 1",
            "fusionchat_group_commands_count 1",
            "fusionchat_commit_seconds_bucket{le=\"+Inf\"} 1",
            "fusionchat_http_responses_total{status=\"200\"} 1",
            "fusionchat_grpc_responses_total{code=\"7\"} 1",
            "fusionchat_assistant_thoughts_total{outcome=\"done\"} 1",
            "fusionchat_over_quota_total{share=\"keys\"} 1",
            "fusionchat_sockets 5",
            "# EOF",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
        }
    }
}
