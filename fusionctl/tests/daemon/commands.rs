//! Plain commands: repeats, conflicts, exit codes, lists, and JSON on each leaf of the tree.

use clap::Command;
use serde_json::Value;

use crate::mock::TOKEN;
use crate::process::Daemon;
use crate::run::{NOW_MS, environment, run, run_with};

const EVERY_ONE: &str = "showing the last 100; `fusionctl conv tail 1042` shows every one\n";

#[tokio::test]
async fn a_repeated_reply_is_sent_once_and_answers_the_same() {
    let daemon = Daemon::start().await;
    let words = ["conv", "reply", "1042", "It leaves today.", "--idempotency-key", "k1"];
    let first = run(daemon.address, &words).await;
    assert_eq!(first.exit, 0, "{first:?}");
    assert!(first.stdout.contains("seq           1\n"), "{first:?}");
    let second = run(daemon.address, &words).await;
    assert_eq!((second.exit, &second.stdout), (0, &first.stdout));
    assert_eq!(daemon.mock.rows().messages.len(), 1);

    let other =
        ["conv", "reply", "1042", "Something else", "--idempotency-key", "k1", "-o", "json"];
    let reused = run(daemon.address, &other).await;
    assert_eq!(reused.exit, 6);
    assert_eq!(reused.failure()["code"], "client_id_reused");
    assert_eq!(daemon.mock.rows().messages.len(), 1);
}

#[tokio::test]
async fn the_number_may_stand_first_and_the_text_on_stdin() {
    let daemon = Daemon::start().await;
    let words = ["conv", "1042", "reply", "-", "-o", "json"];
    let environment = environment(daemon.address, Some("t"));
    let ran = run_with(environment, &words, "two\nlines\n").await;
    assert_eq!(ran.exit, 0, "{ran:?}");
    let json = ran.json();
    assert_eq!(json["content"], "two\nlines");
    assert_eq!((&json["seq"], &json["number"]), (&1.into(), &1042.into()));
    assert_eq!(json["apiVersion"], "fusion/v1");
}

#[tokio::test]
async fn a_lost_race_names_who_and_since_when() {
    let daemon = Daemon::start().await;
    daemon.mock.rows().held = Some(("agent2".into(), NOW_MS - 120_000));
    let words = ["escalation", "assign", "1042", "--to", "agent1"];
    let lost = run(daemon.address, &words).await;
    assert_eq!(
        lost.stderr,
        "error: agent2 claimed this conversation\n\
         held:  agent2, since 2026-09-21 14:11:20 UTC (2m 00s ago)\n\
         hint:  take it with --take\n"
    );
    assert_eq!((lost.exit, lost.stdout.as_str()), (6, ""));
    let lost = run(daemon.address, &[&words[..], &["-o", "json"]].concat()).await;
    let failure = lost.failure();
    assert_eq!((lost.exit, &failure["exit"]), (6, &6.into()));
    assert_eq!(failure["code"], "already_claimed");
    assert_eq!(failure["params"]["by"], "agent2");
    assert_eq!(failure["params"]["since"], (NOW_MS - 120_000).to_string());
    assert_eq!(failure["retryable"], false);
    let taken = run(daemon.address, &[&words[..], &["--take"]].concat()).await;
    assert_eq!(taken.exit, 0, "{taken:?}");
}

#[tokio::test]
async fn escalating_twice_answers_the_same() {
    let daemon = Daemon::start().await;
    let words = ["conv", "escalate", "1042", "--reason", "refund"];
    let first = run(daemon.address, &words).await;
    let second = run(daemon.address, &words).await;
    assert_eq!((first.exit, second.exit), (0, 0));
    assert_eq!(first.stdout, second.stdout);
    assert!(first.stdout.contains("state       Waiting\n"), "{first:?}");
}

#[tokio::test]
async fn exit_codes_are_the_documented_ones() {
    let mut daemon = Daemon::start().await;
    let address = daemon.address;
    assert_eq!(run(address, &["auth", "status"]).await.exit, 0);
    for (token, code) in [(Some("another"), "session_ended"), (None, "sign_in_needed")] {
        let out = run_with(environment(address, token), &["auth", "status", "-o", "json"], "");
        let out = out.await;
        assert_eq!((out.exit, &out.failure()["code"]), (4, &code.into()), "{out:?}");
    }
    for (words, exit) in [
        (&["conv", "get", "7"][..], 3),
        (&["session", "end"], 5),
        (&["server", "status"], 1),
        (&["conv", "get"], 2),
        (&["conv", "tail", "-f", "1042", "-o", "json"], 2),
        (&["conv", "reply", "1042"], 2),
        (&["--endpoint", "http://192.0.2.1:1", "conv", "list"], 2),
        (&["user", "create", "a@b", "--name", "a", "--role", "agent", "--password-file", "/-"], 2),
        (&["--help"], 0),
        (&["conv", "reply", "--help"], 0),
        (&["--version"], 0),
    ] {
        let ran = run(address, words).await;
        assert_eq!(ran.exit, exit, "{words:?}: {ran:?}");
    }
    daemon.kill().await;
    let gone = run(address, &["auth", "status", "-o", "json"]).await;
    assert_eq!((gone.exit, &gone.failure()["retryable"]), (9, &true.into()));
}

#[tokio::test]
async fn the_demo_is_found_and_nothing_else_is_used() {
    let daemon = Daemon::start().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("demo.json");
    let demo = serde_json::json!({
        "apiVersion": "fusion/v1",
        "grpc": format!("http://{}", daemon.address),
        "credentials": { "admin": "not this one", "agent1": TOKEN },
    });
    std::fs::write(&file, demo.to_string()).unwrap();
    std::fs::create_dir(dir.path().join("fusionchat")).unwrap();
    std::fs::write(dir.path().join("fusionchat/demo"), file.to_str().unwrap()).unwrap();
    let mut own = environment("127.0.0.1:1".parse().unwrap(), Some("mine"));
    let runtime = |path: &std::path::Path| path.to_string_lossy().into_owned();
    own.variables.insert("FUSION_RUNTIME_DIR".to_owned(), runtime(dir.path()));
    for words in [
        &["--demo", "agent1", "auth", "status"][..],
        &["auth", "status", "--demo", "agent1"][..],
        &["--demo=agent1", "auth", "status"][..],
    ] {
        let ran = run_with(own.clone(), words, "").await;
        assert_eq!(ran.exit, 0, "{words:?}: {ran:?}");
    }
    let admin = run_with(own.clone(), &["--demo", "auth", "status"], "").await;
    assert_eq!(admin.exit, 4, "the admin's credential was sent: {admin:?}");
    own.variables.insert("FUSION_RUNTIME_DIR".to_owned(), "/nonexistent".to_owned());
    assert_eq!(run_with(own, &["--demo", "escalation", "list"], "").await.exit, 9);
}

#[tokio::test]
async fn an_interrupt_is_130() {
    let daemon = Daemon::start().await;
    let words = ["conv", "tail", "-f", "1042"];
    let (stdout, _lines) = crate::run::Lines::new();
    let (stderr, mut errors) = crate::run::Lines::new();
    let exit = crate::run::follow(daemon.address, &words, stdout, stderr, async {}).await;
    assert_eq!(exit, 130);
    assert_eq!(errors.recv().await.as_deref(), Some("error: interrupted"));
}

#[tokio::test]
async fn the_queue_is_shown_harmless() {
    let daemon = Daemon::start().await;
    let ran = run(daemon.address, &["escalations"]).await;
    assert_eq!(
        ran.stdout,
        "NUMBER  WAITING  PRIORITY  REASON        FOR  VISITOR  LAST LINE\n\
         1042    4m 12s   -         visitor_wish  -    Jo       I was charged twice\n"
    );
    let json = run(daemon.address, &["escalation", "list", "-o", "json"]).await.json();
    assert_eq!(json["items"][0]["number"], 1042);
    assert_eq!(json["items"][0]["waitingSince"], 1_789_999_748_000_i64);
    assert_eq!(json["items"][0]["visitorName"], "Jo\u{1b}[31m");
}

#[tokio::test]
async fn lists_page_and_say_when_they_are_cut() {
    let daemon = Daemon::start().await;
    let cut = run(daemon.address, &["conv", "list"]).await;
    assert_eq!((cut.exit, cut.stdout.lines().count()), (0, 51));
    assert_eq!(cut.stderr, "showing the first 50; --all shows every one\n");
    let more = run(daemon.address, &["conv", "list", "--limit", "70", "-o", "json", "-q"]).await;
    assert_eq!((more.json()["items"].as_array().unwrap().len(), more.stderr.as_str()), (70, ""));
    assert_eq!(more.json()["more"], true);
    let lines = run(daemon.address, &["convs", "--all", "-o", "jsonl"]).await;
    assert_eq!(lines.stdout.lines().count(), 120);
    let array = run(daemon.address, &["convs", "--all", "-o", "json"]).await;
    assert_eq!(array.json()["items"].as_array().unwrap().len(), 120, "one array");
}

#[tokio::test]
async fn very_long_messages_are_shown_as_far_as_they_fit() {
    let daemon = Daemon::start().await;
    for _ in 0..150 {
        daemon.mock.say(fusionchat_proto::v1::SenderType::User, &"x".repeat(40_000));
    }
    let ran = run(daemon.address, &["conv", "get", "1042", "-o", "json"]).await;
    assert_eq!((ran.exit, ran.stderr.as_str()), (0, EVERY_ONE));
    let messages = ran.json()["messages"].as_array().unwrap().len();
    assert_eq!(messages, 100);
    assert_eq!(ran.json()["moreMessages"], true);
}

#[tokio::test]
async fn a_secret_is_shown_once() {
    let daemon = Daemon::start().await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ci.key");
    let file = path.to_str().unwrap();
    let words = ["key", "create", "--scope", "a,b", "--ttl", "90d", "--to-file", file, "--name"];
    let ran = run(daemon.address, &[&words[..], &["ci", "-o", "json"]].concat()).await;
    assert_eq!((ran.exit, &ran.json()["secretFile"]), (0, &file.into()), "{ran:?}");
    assert!(!ran.stdout.contains("fus_live") && !ran.stderr.contains("fus_live"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "fus_live_1_secret_2\n");
    let there = run(daemon.address, &[&words[..], &["ci"]].concat()).await;
    assert_eq!(there.exit, 2, "an existing file is left alone");

    let other = dir.path().join("again.key");
    let words = ["key", "create", "--scope", "a", "--name", "again", "--to-file"];
    let words = [&words[..], &[other.to_str().unwrap(), "-o", "json"]].concat();
    let again = run(daemon.address, &words).await;
    assert_eq!((again.exit, &again.failure()["code"]), (6, &"secret_already_shown".into()));
    assert!(!other.exists());
    let shown = run(daemon.address, &["key", "create", "--name", "x", "--scope", "a"]).await;
    assert!(shown.stdout.contains("fus_live_1_secret_2"), "{shown:?}");
}

fn examples(command: &Command, found: &mut Vec<String>) {
    for below in command.get_subcommands() {
        if let Some(help) = below.get_after_help() {
            found.extend(help.to_string().lines().nth(1).map(|line| line.trim().to_owned()));
        }
        examples(below, found);
    }
}

#[tokio::test]
async fn every_example_answers_in_json() {
    let daemon = Daemon::start().await;
    daemon.mock.say(fusionchat_proto::v1::SenderType::User, "Where is it?");
    let mut lines = Vec::new();
    examples(&fusionctl::command(), &mut lines);
    assert!(lines.len() > 30, "the tree was walked");
    for line in lines.iter().filter(|line| !line.contains("tail -f")) {
        let mut words: Vec<&str> = Vec::new();
        for (index, part) in line.trim_start_matches("fusionctl ").split('"').enumerate() {
            if index % 2 == 1 {
                words.push(part);
            } else {
                words.extend(part.split_whitespace());
            }
        }
        words.retain(|word| !word.ends_with(".key") && *word != "--to-file" && *word != "--wait");
        if !words.contains(&"-o") {
            words.extend(["-o", "json"]);
        }
        let ran = run(daemon.address, &words).await;
        match ran.exit {
            0 => {
                for line in ran.stdout.lines().filter(|_| words.contains(&"jsonl")) {
                    assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
                }
                if words.contains(&"json") {
                    assert_eq!(ran.json()["apiVersion"], "fusion/v1", "{words:?}");
                }
            }
            exit => {
                assert_eq!(ran.failure()["exit"], exit, "{words:?}");
                assert_eq!(ran.stdout, "", "{words:?}");
            }
        }
    }
}
