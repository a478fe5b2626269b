//! `conv start --wait`: the answer, the escalation, or neither in time.

use std::future::pending;

use fusionchat_proto::v1::SenderType;
use serde_json::Value;

use crate::process::Daemon;
use crate::run::{Lines, follow, run};

/// Resolves once somebody watches the conversation.
async fn watched(daemon: &Daemon) {
    while daemon.mock.watchers() == 0 {
        tokio::task::yield_now().await;
    }
}

const WORDS: [&str; 8] =
    ["conv", "start", "--inbox", "web", "--wait", "How long is delivery?", "-o", "jsonl"];

async fn waited(daemon: &Daemon, then: impl FnOnce(&Daemon)) -> (u8, Value) {
    let (stdout, mut lines) = Lines::new();
    let (stderr, _errors) = Lines::new();
    let started = follow(daemon.address, &WORDS, stdout, stderr, pending());
    let script = async {
        watched(daemon).await;
        then(daemon);
        lines.recv().await.unwrap()
    };
    let (exit, line) = tokio::join!(started, script);
    (exit, serde_json::from_str(&line).unwrap())
}

#[tokio::test]
async fn the_first_answer_is_shown() {
    let daemon = Daemon::start().await;
    let (exit, json) = waited(&daemon, |daemon| {
        daemon.mock.say(SenderType::System, "");
        daemon.mock.say(SenderType::Assistant, "Two days.");
    })
    .await;
    assert_eq!(exit, 0);
    assert_eq!((json["outcome"].as_str(), json["number"].as_u64()), (Some("answered"), Some(1042)));
    assert_eq!(json["answer"]["content"], "Two days.");
    assert_eq!(json["message"]["content"], "How long is delivery?");
}

#[tokio::test]
async fn an_escalation_ends_the_wait() {
    let daemon = Daemon::start().await;
    let (exit, json) = waited(&daemon, |daemon| daemon.mock.escalate()).await;
    assert_eq!((exit, json["outcome"].as_str()), (0, Some("escalated")));
    assert_eq!(json["status"], "escalated");
}

#[tokio::test]
async fn no_answer_in_time_is_8_and_still_names_the_conversation() {
    let daemon = Daemon::start().await;
    let ran = run(daemon.address, &[&WORDS[..], &["--timeout", "300ms"]].concat()).await;
    assert_eq!(ran.exit, 8, "{ran:?}");
    assert_eq!((&ran.json()["outcome"], &ran.json()["number"]), (&"none".into(), &1042.into()));
    assert_eq!(ran.failure()["params"]["number"], "1042");
    let plain = run(daemon.address, &["conv", "start", "--inbox", "web", "hello"]).await;
    assert_eq!(plain.exit, 0, "without --wait nothing is waited for");
}
