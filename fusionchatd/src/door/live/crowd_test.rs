//! Many tabs of one visitor over real sockets, where others write a message to those that only wait.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::domain::actor::Actor;
use crate::door::harness::{Client, Daemon, client_id, patient, soon};
use crate::door::http::{Door, HttpOptions};
use crate::door::patient::Patient;
use crate::door::status::CLOSE_SLOW;
use crate::door::transport::Transport;
use crate::service::conversation::Posted;
use crate::service::limit::Limits;
use crate::service::subscribe::{Outlet, Post, Written};

use super::guard::Guard;
use super::outlet::Line;
use super::wire::{End, Wire};

/// As much as a test needs.
fn ample() -> Limits {
    Limits {
        messages_per_minute: 1_000_000,
        message_burst: 1_000_000,
        hellos_per_minute: 1_000_000,
        sockets_per_address: 1_000,
        commands_per_second: 1_000_000,
        command_burst: 1_000_000,
        ..Limits::default()
    }
}

/// A visitor, the agent who talks to them, and where.
struct Talk {
    session: Value,
    epoch: Value,
    conversation: String,
    agent: Actor,
}

impl Talk {
    async fn begin(daemon: &Daemon) -> Self {
        let (mut client, welcome) = daemon.visitor(json!({})).await;
        client.message(1, "hello").await;
        let ack = client.until("ack").await;
        let conversation = ack["conversation"].as_str().expect("an id").to_owned();
        let agent = daemon.service.authenticate(&daemon.key()).await.expect("the admin");
        let claimed = daemon.service.claim(&agent, None, &conversation, None, false).await;
        claimed.expect("claimed");
        let (session, epoch) = (welcome["session"].clone(), welcome["epoch"].clone());
        Self { session, epoch, conversation, agent }
    }

    async fn post(&self, daemon: &Daemon, text: &str) -> Posted {
        let (service, text) = (&daemon.service, text.to_owned());
        let posted = service.post_message(&self.agent, None, &self.conversation, text, None);
        posted.await.expect("posted")
    }

    /// An answer; its number.
    async fn answer(&self, daemon: &Daemon, text: &str) -> u64 {
        self.post(daemon, text).await.message.message.seq
    }

    /// Tabs that have read everything; the number of the last message.
    async fn tabs(&self, daemon: &Daemon, count: usize) -> (Vec<Client>, u64) {
        let (mut tabs, mut last) = (Vec::new(), 0);
        for _ in 0..count {
            let (mut tab, _) = daemon.visitor(json!({ "session": self.session })).await;
            last = tab.until("live").await["lastSeq"].as_u64().expect("a number");
            tabs.push(tab);
        }
        (tabs, last)
    }
}

/// Reads messages up to the one numbered `last`, each once and in order from `first`; how many other frames came.
async fn hear(tab: &mut Client, first: u64, last: u64) -> usize {
    let (mut seq, mut others) = (first, 0);
    while seq <= last {
        let frame = tab.next().await;
        if frame["type"] == "message" {
            assert_eq!(frame["seq"], seq, "{frame:.200}");
            seq += 1;
        } else {
            assert_ne!(frame["type"], "error", "{frame}");
            others += 1;
        }
    }
    others
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn two_hundred_tabs_hear_everything_once_while_some_of_them_speak() {
    const SPEAKERS: u64 = 20;
    const EACH: u64 = 5;
    const ANSWERS: u64 = 40;
    let daemon = Daemon::start_with(patient(), ample()).await;
    let talk = Talk::begin(&daemon).await;
    let (tabs, before) = talk.tabs(&daemon, 200).await;
    let last = before + ANSWERS + SPEAKERS * EACH;
    let mut tasks = JoinSet::new();
    for (number, mut tab) in (0..).zip(tabs) {
        tasks.spawn(async move {
            if number < SPEAKERS {
                for part in 0..EACH {
                    tab.say(json!({ "type": "typing" })).await;
                    tab.say(json!({ "type": "ping" })).await;
                    tab.push(Message::Ping(vec![1].into())).await;
                    tab.message((1_000 + number * EACH + part).into(), "from a tab").await;
                }
            }
            let others = hear(&mut tab, before + 1, last).await;
            tab.say(json!({ "type": "ping" })).await;
            tab.until("pong").await;
            (number < SPEAKERS, others)
        });
    }
    for number in 0..ANSWERS {
        if number % 8 == 0 {
            let typing = daemon.service.set_typing(&talk.agent, &talk.conversation, false);
            typing.await.expect("typing");
        }
        talk.answer(&daemon, &format!("answer {number}")).await;
    }
    while let Some(done) = soon(tasks.join_next()).await {
        let (spoke, others) = done.expect("no tab fails");
        // An answer to each ping and each message stands among the others.
        assert!(!spoke || others >= usize::try_from(EACH).expect("small"), "{others}");
    }
    daemon.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_tab_that_joins_or_resumes_meanwhile_misses_nothing() {
    const ANSWERS: u64 = 150;
    let daemon = Daemon::start_with(patient(), ample()).await;
    let talk = Talk::begin(&daemon).await;
    let (tabs, before) = talk.tabs(&daemon, 30).await;
    let last = before + ANSWERS;
    let mut tasks = JoinSet::new();
    for mut tab in tabs {
        tasks.spawn(async move { hear(&mut tab, before + 1, last).await });
    }
    let (answered, joins) = futures::join!(
        async {
            let mut seq = 0;
            for number in 0..ANSWERS {
                seq = talk.answer(&daemon, &format!("answer {number}")).await;
            }
            seq
        },
        async {
            let mut tabs = Vec::new();
            for number in 0..40 {
                let from = before.saturating_sub(number % 3);
                let resume = json!({
                    "conversation": talk.conversation, "epoch": talk.epoch, "seq": from,
                });
                let extra = json!({ "session": talk.session, "resume": resume });
                tabs.push((daemon.visitor(extra).await.0, from + 1));
            }
            tabs
        }
    );
    assert_eq!(answered, last);
    for (mut tab, first) in joins {
        tasks.spawn(async move { hear(&mut tab, first, last).await });
    }
    while let Some(done) = soon(tasks.join_next()).await {
        done.expect("no tab fails");
    }
    daemon.end().await;
}

/// Long enough that a few fill what the system keeps for a socket.
fn long(number: u64) -> String {
    format!("{number} {}", "\u{1f600}".repeat(9_900))
}

/// How many of them.
const LONG: u64 = 150;

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_tab_that_reads_late_gets_everything_and_holds_up_nobody() {
    let options = HttpOptions { write_timeout: Duration::from_secs(60), ..patient() };
    let daemon = Daemon::start_with(options, ample()).await;
    let talk = Talk::begin(&daemon).await;
    let (mut tabs, before) = talk.tabs(&daemon, 8).await;
    let mut late = tabs.pop().expect("a tab");
    let small = SockRef::from(late.socket.get_ref()).set_recv_buffer_size(16 * 1024);
    small.expect("a small buffer");
    for number in 1..=LONG {
        talk.answer(&daemon, &long(number)).await;
        for tab in &mut tabs {
            hear(tab, before + number, before + number).await;
        }
    }
    hear(&mut late, before + 1, before + LONG).await;
    late.say(json!({ "type": "ping" })).await;
    late.until("pong").await;
    talk.answer(&daemon, "short").await;
    hear(&mut late, before + LONG + 1, before + LONG + 1).await;
    daemon.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn fault_28_a_tab_of_many_that_does_not_read_is_closed() {
    let options = HttpOptions { write_timeout: Duration::from_millis(200), ..patient() };
    let daemon = Daemon::start_with(options, ample()).await;
    let talk = Talk::begin(&daemon).await;
    let (mut tabs, before) = talk.tabs(&daemon, 8).await;
    let mut late = tabs.pop().expect("a tab");
    let mut number = 0;
    while daemon.sockets().await == 8 {
        number += 1;
        assert!(number < 2_000, "the slow reader is still there");
        talk.answer(&daemon, &long(number)).await;
        for tab in &mut tabs {
            hear(tab, before + number, before + number).await;
        }
    }
    // What it did get is whole and in order.
    let mut seq = before;
    while let Some(Ok(message)) = soon(late.socket.next()).await {
        let Message::Text(text) = message else { continue };
        let frame: Value = serde_json::from_str(&text).expect("a frame of JSON");
        if frame["type"] == "message" {
            seq += 1;
            assert_eq!(frame["seq"], seq);
        }
    }
    assert!(seq < before + number);
    daemon.end().await;
}

/// The types of what a tab hears until its socket is closed, and with which code; its messages are in order.
async fn to_the_end(mut tab: Client, before: u64) -> (Option<String>, u16) {
    let (mut seq, mut last) = (before, None);
    loop {
        match soon(tab.socket.next()).await {
            Some(Ok(Message::Text(text))) => {
                let frame: Value = serde_json::from_str(&text).expect("a frame of JSON");
                if frame["type"] == "message" {
                    seq += 1;
                    assert_eq!(frame["seq"], seq);
                }
                last = frame["type"].as_str().map(str::to_owned);
            }
            Some(Ok(Message::Close(Some(frame)))) => return (last, frame.code.into()),
            Some(Ok(_)) => {}
            other => panic!("no close frame: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_stop_or_an_ended_session_ends_every_tab_while_it_is_written_to() {
    for (ends, told, code) in [("stop", "bye", 1012), ("session", "error", 4002)] {
        let daemon = Daemon::start_with(patient(), ample()).await;
        let talk = Talk::begin(&daemon).await;
        let (tabs, before) = talk.tabs(&daemon, 100).await;
        let mut tasks = JoinSet::new();
        for tab in tabs {
            tasks.spawn(to_the_end(tab, before));
        }
        for number in 0..20 {
            talk.answer(&daemon, &format!("answer {number}")).await;
        }
        let end = async {
            if ends == "stop" {
                daemon.stop.cancel();
            } else {
                let token = talk.session.as_str().expect("a session");
                daemon.api(token, "DELETE", "/api/auth/session", None).await;
            }
        };
        let meanwhile = async {
            for number in 0..20 {
                talk.answer(&daemon, &format!("later answer {number}")).await;
            }
        };
        futures::join!(end, meanwhile);
        while let Some(done) = soon(tasks.join_next()).await {
            let (last, closed) = done.expect("no tab fails");
            assert_eq!((last.as_deref(), closed), (Some(told), code), "nothing follows it");
        }
        daemon.end().await;
    }
}

#[tokio::test]
async fn nothing_is_written_after_the_answer_to_a_close_frame() {
    let daemon = Daemon::start_with(patient(), ample()).await;
    let talk = Talk::begin(&daemon).await;
    let (mut tabs, before) = talk.tabs(&daemon, 8).await;
    let mut leaving = tabs.pop().expect("a tab");
    talk.answer(&daemon, "one").await;
    leaving.push(Message::Close(None)).await;
    talk.answer(&daemon, "two").await;
    let mut closed = false;
    while let Some(Ok(message)) = soon(leaving.socket.next()).await {
        assert!(!closed, "{message:?}");
        closed = matches!(message, Message::Close(_));
    }
    assert!(closed);
    // The others have said nothing and go on.
    for (number, tab) in (0..).zip(&mut tabs) {
        hear(tab, before + 1, before + 2).await;
        tab.message(100 + number, "still here").await;
        assert_eq!(tab.until("ack").await["clientId"], client_id(100 + number));
        let _ = tab.socket.flush().await;
    }
    daemon.end().await;
}

/// Both ends of a connection, ours as a socket has it.
async fn connection() -> (Line, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at = listener.local_addr().expect("its address");
    let (theirs, ours) = futures::join!(TcpStream::connect(at), listener.accept());
    let ours = Patient::new(ours.expect("accepted").0, Duration::from_secs(60));
    (Line::new(Transport::Plain(ours)), theirs.expect("connected"))
}

/// The door of a daemon, with options of its own.
fn door_of(daemon: &Daemon) -> Arc<Door> {
    let (service, tasks) = (Arc::clone(&daemon.service), daemon.tasks.clone());
    Arc::new(Door { service, options: patient(), stop: daemon.stop.clone(), tasks })
}

/// Writes `bytes` as the socket's task does, while the other end reads as many as have been written in all.
async fn task_writes(
    line: &mut Line,
    theirs: &mut TcpStream,
    read: &mut Vec<u8>,
    bytes: &[u8],
    all: usize,
) {
    let reading = async {
        let mut more = vec![0; all - read.len()];
        theirs.read_exact(&mut more).await.expect("read");
        more
    };
    let (written, more) = soon(async { futures::join!(line.write_all(bytes), reading) }).await;
    written.expect("written");
    read.extend(more);
}

/// Reads what there is, until there is room again to write.
async fn make_room(theirs: &mut TcpStream, read: &mut Vec<u8>) {
    let mut some = vec![0; 64 * 1024];
    for _ in 0..2_000 {
        if let Ok(taken) = theirs.try_read(&mut some) {
            read.extend(&some[..taken]);
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_others_write_and_what_the_task_writes_never_mix() {
    let daemon = Daemon::start_with(patient(), ample()).await;
    let talk = Talk::begin(&daemon).await;
    let door = door_of(&daemon);
    let said = talk.post(&daemon, &long(1)).await.message;
    let post = Post { view: said, frame: OnceLock::new() };
    let (mut line, mut theirs) = connection().await;
    let (mut expected, mut read) = (Vec::<u8>::new(), Vec::new());
    let (turn, mut grants) = watch::channel(0);
    let outgoing = line.share(&door, &grants).expect("a connection as it is");
    assert!(line.share(&door, &grants).is_none(), "once");
    // Others write until a frame does not fit.
    let mut parts = 0;
    while parts == 0 {
        let outcome = outgoing.write(&post);
        parts += usize::from(outcome == Written::Part);
        if outcome == Written::Nothing {
            // It was full to the byte.
            let all = expected.len();
            task_writes(&mut line, &mut theirs, &mut read, b"", all).await;
        } else {
            expected.extend(post.frame.get().expect("made"));
        }
    }
    make_room(&mut theirs, &mut read).await;
    assert_eq!(outgoing.write(&post), Written::Nothing, "a rest comes first");
    expected.extend(b"the task's");
    let all = expected.len();
    task_writes(&mut line, &mut theirs, &mut read, b"the task's", all).await;
    assert_eq!(outgoing.write(&post), Written::Whole);
    expected.extend(post.frame.get().expect("made"));
    // The task writes until its own does not fit.
    let own = vec![b'o'; 64 * 1024 * 1024];
    let taken = poll_fn(|context| Pin::new(&mut line).poll_write(context, &own)).await;
    let taken = taken.expect("written");
    assert!(taken < own.len());
    make_room(&mut theirs, &mut read).await;
    assert_eq!(outgoing.write(&post), Written::Nothing, "the task has begun a frame");
    expected.extend(&own);
    let all = expected.len();
    task_writes(&mut line, &mut theirs, &mut read, &own[taken..], all).await;
    assert_eq!(outgoing.write(&post), Written::Whole);
    expected.extend(post.frame.get().expect("made"));
    turn.send_replace(1);
    assert_eq!(outgoing.write(&post), Written::Nothing, "it may not be told any more");
    line.allow(&grants);
    assert_eq!(outgoing.write(&post), Written::Nothing, "they have turned since that was known");
    grants.borrow_and_update();
    line.allow(&grants);
    assert_eq!(outgoing.write(&post), Written::Whole);
    expected.extend(post.frame.get().expect("made"));
    line.close();
    assert_eq!(outgoing.write(&post), Written::Nothing, "nothing follows a close frame");
    expected.extend(b"closed");
    let all = expected.len();
    task_writes(&mut line, &mut theirs, &mut read, b"closed", all).await;
    assert!(read == expected, "every byte in its place");
    daemon.end().await;
}

#[tokio::test]
async fn who_takes_nothing_of_what_others_have_begun_is_given_up() {
    let daemon = Daemon::start_with(patient(), ample()).await;
    let talk = Talk::begin(&daemon).await;
    let said = talk.post(&daemon, &long(1)).await.message;
    let post = Post { view: said, frame: OnceLock::new() };
    let (line, theirs) = connection().await;
    let mut wire = Wire::new(Guard::new(line, Bytes::new()), Duration::from_millis(100));
    let (_turn, grants) = watch::channel(0);
    let outgoing = wire.share(&door_of(&daemon), &grants).expect("a connection as it is");
    let mut outcome = Written::Whole;
    while outcome == Written::Whole {
        outcome = outgoing.write(&post);
    }
    assert_eq!(outcome, Written::Part);
    let ended = soon(wire.settle()).await;
    assert!(matches!(ended, Err(End::Close(CLOSE_SLOW, _))), "{ended:?}");
    drop(theirs);
    daemon.end().await;
}

#[tokio::test]
async fn a_tab_that_is_told_goodbye_is_no_reader_any_more() {
    let options = HttpOptions { close_timeout: Duration::from_secs(3_600), ..patient() };
    let daemon = Daemon::start_with(options, ample()).await;
    let (mut client, _) = daemon.visitor(json!({})).await;
    let audiences = || daemon.service.hub().channel_count();
    assert_eq!(audiences(), 1);
    // Hello is said twice, which ends the socket; its close frame is not answered.
    client.hello(&daemon.inbox(), json!({})).await;
    soon(async {
        while audiences() != 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(daemon.sockets().await, 1, "goodbye is not over");
    drop(client);
    daemon.end().await;
}
