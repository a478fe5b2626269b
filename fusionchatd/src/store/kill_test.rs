//! A writing process is killed again and again: what it acknowledged is there, and no batch is
//! there in part. A kill loses nothing the system holds, so this is no proof against power cuts.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::store::conformance::{key, value};
use crate::store::suite::{Ground, disk_engines, open_url};
use crate::store::{Batch, Direction, Key, Range, StoreError, Value};

/// The URL of the child's store; without it, its test does nothing.
const PLACE: &str = "FUSIONCHAT_KILL_TEST_PLACE";

const WRITERS: u32 = 6;
const ROUNDS: usize = 4;

/// What the child may write before it ends by itself, should nobody kill it.
const COMMITS_MAX: u32 = 20_000;

fn head_key(writer: u32) -> Key {
    key(format!("head {writer}"))
}

fn row(writer: u32, number: u32) -> (Key, Value) {
    let bytes = if number.is_multiple_of(10) { 20_000 } else { 300 };
    (key(format!("row {writer} {number:08}")), value(bytes, number as usize))
}

fn number_of(head: Option<&Value>) -> u32 {
    head.map_or(0, |head| u32::from_be_bytes(<[u8; 4]>::try_from(head.as_ref()).unwrap()))
}

/// The child: every writer adds rows behind its head and says so on the standard output.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_child() {
    let Some(place) = std::env::var(PLACE).ok() else {
        return;
    };
    let engine = open_url(&place).await.unwrap();
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let engine = Arc::clone(&engine);
        writers.spawn(async move {
            for _ in 0..COMMITS_MAX / WRITERS {
                let head = engine.get(&[head_key(writer)]).await.unwrap().remove(0);
                let number = number_of(head.as_ref()) + 1;
                let batch = Batch {
                    expect: vec![(head_key(writer), head)],
                    put: vec![(head_key(writer), key(number.to_be_bytes())), row(writer, number)],
                    delete: Vec::new(),
                };
                engine.commit(batch).await.unwrap();
                writeln!(std::io::stdout(), "\nack {writer} {number}").unwrap();
            }
        });
    }
    while writers.join_next().await.is_some() {}
}

fn start_child(place: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::kill_test::killed_child", "--nocapture"])
        .env(PLACE, place)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

async fn check(place: &str, acknowledged: &BTreeMap<u32, u32>) {
    let engine = open_url(place).await.unwrap();
    for writer in 0..WRITERS {
        let head = engine.get(&[head_key(writer)]).await.unwrap().remove(0);
        let head = number_of(head.as_ref());
        let acknowledged = acknowledged.get(&writer).copied().unwrap_or(0);
        assert!(head >= acknowledged, "writer {writer}: {acknowledged} acknowledged, {head} there");
        let prefix = Range::prefix(format!("row {writer} ").as_bytes());
        let rows = engine.scan(&prefix, Direction::Forward, u32::MAX).await.unwrap();
        assert!(rows.into_iter().eq((1..=head).map(|number| row(writer, number))));
    }
    engine.close().await.unwrap();
}

async fn what_was_acknowledged_survives_a_kill(ground: &Ground) {
    let place = ground.url();
    let mut acknowledged = BTreeMap::new();
    for round in 1..=ROUNDS {
        let mut child = start_child(&place);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acks = 0;
        while acks < round * 60 {
            let line = lines.next().expect("the child ended early").unwrap();
            acks += usize::from(note(&line, &mut acknowledged));
        }
        let refused = open_url(&place).await.err();
        let held =
            matches!(refused, Some(StoreError::InUse { pid: Some(pid), .. }) if pid == child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(held, "a second process is refused by pid: {refused:?}");
        // What it said between the last line read and its end counts as well.
        for line in lines {
            note(&line.unwrap(), &mut acknowledged);
        }
        check(&place, &acknowledged).await;
    }
}

macro_rules! survives {
    ($engine:ident) => {
        mod $engine {
            #[tokio::test]
            async fn fault_39_what_was_acknowledged_survives_a_kill() {
                let ground = super::Ground::new(stringify!($engine));
                super::what_was_acknowledged_survives_a_kill(&ground).await;
            }
        }
    };
}

disk_engines!(survives);

/// Notes a whole line of the child, if it is an acknowledgement.
fn note(line: &str, acknowledged: &mut BTreeMap<u32, u32>) -> bool {
    let mut words = line.split(' ');
    let (Some("ack"), Some(writer), Some(number)) = (words.next(), words.next(), words.next())
    else {
        return false;
    };
    acknowledged.insert(writer.parse().unwrap(), number.parse().unwrap());
    true
}
