//! `conv tail`: the history, what follows, and a daemon that is killed and comes back.

use fusionchat_proto::v1::SenderType;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::process::Daemon;
use crate::run::{Lines, follow, run};

/// The next entry: its seq, or its content if it is a note.
async fn entry(lines: &mut mpsc::Receiver<String>) -> String {
    let line = lines.recv().await.expect("a line");
    let json: Value = serde_json::from_str(&line).unwrap();
    match json["type"].as_str() {
        Some("message") => json["seq"].to_string(),
        Some("note") => json["content"].as_str().unwrap().to_owned(),
        _ => panic!("{line}"),
    }
}

async fn entries(lines: &mut mpsc::Receiver<String>, count: usize) -> Vec<String> {
    let mut found = Vec::new();
    for _ in 0..count {
        found.push(entry(lines).await);
    }
    found
}

#[tokio::test]
async fn without_follow_it_prints_the_history_and_ends() {
    let daemon = Daemon::start().await;
    for index in 1..=5 {
        daemon.mock.say(SenderType::User, &format!("message {index}"));
        daemon.mock.note(&format!("note {index}"));
    }
    let ran = run(daemon.address, &["conv", "tail", "1042"]).await;
    assert_eq!(ran.exit, 0, "{ran:?}");
    let order: Vec<&str> =
        ran.stdout.lines().map(|line| line.rsplit("  ").next().unwrap_or_default()).collect();
    let expected: Vec<String> =
        (1..=5).flat_map(|index| [format!("message {index}"), format!("note {index}")]).collect();
    assert_eq!(order, expected);
    assert!(ran.stdout.contains("NOTE by agent1, staff only"));
    let json = run(daemon.address, &["conv", "tail", "1042", "-o", "json"]).await.json();
    assert_eq!(json["items"].as_array().unwrap().len(), 10);
}

#[tokio::test]
async fn a_killed_daemon_makes_neither_gap_nor_repeat() {
    let mut daemon = Daemon::start().await;
    let mock = daemon.mock.clone();
    for index in 1..=3 {
        mock.say(SenderType::User, &format!("message {index}"));
    }
    mock.note("first note");
    let (stdout, mut lines) = Lines::new();
    let (stderr, mut notices) = Lines::new();
    let (interrupt, interrupted) = oneshot::channel::<()>();
    let words = ["conv", "tail", "-f", "1042", "-o", "jsonl"];
    let tail = follow(daemon.address, &words, stdout, stderr, async {
        interrupted.await.unwrap();
    });
    let script = async {
        assert_eq!(entries(&mut lines, 4).await, ["1", "2", "3", "first note"]);
        mock.say(SenderType::Agent, "live");
        mock.note("live note");
        assert_eq!(entries(&mut lines, 2).await, ["4", "live note"]);

        daemon.kill().await;
        let notice = notices.recv().await.unwrap();
        assert!(notice.starts_with("connection lost"), "{notice}");
        mock.note("note in the dark");
        for _ in 5..=9 {
            mock.say(SenderType::User, "in the dark");
        }
        daemon.serve().await;
        let seen = entries(&mut lines, 6).await;
        assert_eq!(seen, ["note in the dark", "5", "6", "7", "8", "9"]);
        let notice = notices.recv().await.unwrap();
        assert_eq!(notice, "connected again, going on after 4");

        mock.say(SenderType::Assistant, "live again");
        assert_eq!(entry(&mut lines).await, "10");
        assert!(lines.try_recv().is_err(), "nothing twice");
        interrupt.send(()).unwrap();
    };
    let (exit, ()) = tokio::join!(tail, script);
    assert_eq!(exit, 130);
}

#[tokio::test]
async fn what_does_not_exist_is_not_followed() {
    let daemon = Daemon::start().await;
    let ran = run(daemon.address, &["conv", "tail", "-f", "7", "-o", "jsonl"]).await;
    assert_eq!((ran.exit, ran.failure()["code"].as_str()), (3, Some("not_found")));
}
