//! The program itself: signals, pipes and its environment.
#![cfg(unix)]

use std::process::Stdio;
use std::time::Duration;

use fusionchat_proto::v1::SenderType;
use rustix::io::ioctl_fionread;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::mock::TOKEN;
use crate::process::Daemon;

fn program(daemon: &Daemon, words: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_fusionctl"))
        .args(words)
        .env_clear()
        .env("FUSION_ENDPOINT", format!("http://{}", daemon.address))
        .env("FUSION_TOKEN", TOKEN)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

fn lines(child: &mut Child) -> Lines<BufReader<ChildStdout>> {
    BufReader::new(child.stdout.take().unwrap()).lines()
}

async fn stderr(child: &mut Child) -> String {
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn signals_end_with_130_and_143() {
    let daemon = Daemon::start().await;
    daemon.mock.say(SenderType::User, "hello");
    for (signal, code, told) in
        [(Signal::INT, 130, "error: interrupted\n"), (Signal::TERM, 143, "error: terminated\n")]
    {
        let mut child = program(&daemon, &["conv", "tail", "-f", "1042"]);
        let mut lines = lines(&mut child);
        assert!(lines.next_line().await.unwrap().unwrap().ends_with("hello"));
        let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        assert_eq!(child.wait().await.unwrap().code(), Some(code), "{signal:?}");
        assert_eq!(stderr(&mut child).await, told);
    }
}

#[tokio::test]
async fn a_signal_ends_who_writes_to_a_pipe_that_nobody_reads() {
    let daemon = Daemon::start().await;
    for _ in 0..50 {
        daemon.mock.say(SenderType::User, &"x".repeat(4_000));
    }
    let mut child = program(&daemon, &["conv", "tail", "-f", "1042"]);
    let stdout = child.stdout.take().unwrap();
    // The pipe takes no more than 64 KiB, less than there is to write.
    let waiting = async {
        while ioctl_fionread(&stdout).unwrap() < 60_000 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("written");
    let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(60), child.wait()).await;
    assert_eq!(ended.expect("it ends").unwrap().code(), Some(143));
}

#[tokio::test]
async fn a_closed_pipe_ends_quietly() {
    let daemon = Daemon::start().await;
    daemon.mock.say(SenderType::User, "hello");
    let mut child = program(&daemon, &["conv", "tail", "-f", "1042", "-o", "jsonl"]);
    let mut lines = lines(&mut child);
    assert!(lines.next_line().await.unwrap().is_some());
    drop(lines);
    daemon.mock.say(SenderType::User, "nobody reads this");
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    assert_eq!(stderr(&mut child).await, "");
}

#[tokio::test]
async fn the_environment_is_the_only_place_for_a_token() {
    let daemon = Daemon::start().await;
    let mut child = program(&daemon, &["auth", "status", "-o", "json"]);
    let mut lines = lines(&mut child);
    let mut text = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        text.push_str(&line);
    }
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    assert!(text.contains("\"signedIn\": true") && !text.contains(TOKEN), "{text}");
}
