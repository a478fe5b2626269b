//! An answer in the making on the widget's socket: its frames, who gets them, and a reader that does not read.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::domain::actor::Actor;
use crate::domain::command::AssistantAct;
use crate::domain::id::ConversationId;
use crate::domain::message::MESSAGE_CHARS_MAX;
use crate::door::harness::{Client, Daemon, client_id, patient};
use crate::door::http::HttpOptions;
use crate::service::limit::Limits;
use crate::service::stream::AnswerStream;

/// The turn of a conversation's first message.
const TURN: u64 = 1;

impl Daemon {
    /// The assistant's answer to a conversation's first message.
    fn answer(&self, conversation: ConversationId) -> AnswerStream<'_> {
        let actor = Actor::assistant(self.founded.organization.id);
        self.service.answer_stream(&actor, conversation, TURN).expect("the assistant's")
    }

    async fn commit(&self, conversation: ConversationId, content: &str) -> u64 {
        let organization = self.founded.organization.id;
        let content = content.to_owned();
        let act = AssistantAct::Say { content, sources: Vec::new(), clarification: false };
        let said = self.service.assistant_act(organization, conversation, 1, TURN, act).await;
        said.expect("said").expect("a number")
    }
}

/// A visitor who has asked, and their conversation.
async fn asked(daemon: &Daemon) -> (Client, ConversationId, Value) {
    let (mut client, welcome) = daemon.visitor(json!({})).await;
    client.message(1, "how?").await;
    let ack = client.until("ack").await;
    client.until("status").await;
    let id = ack["conversation"].as_str().and_then(|it| it.parse().ok()).expect("an id");
    (client, id, welcome)
}

#[tokio::test]
async fn an_answer_comes_in_parts_and_then_as_a_message() {
    let daemon = Daemon::start().await;
    let (mut client, id, welcome) = asked(&daemon).await;
    let (mut stranger, _, _) = asked(&daemon).await;
    let mut answer = daemon.answer(id);
    let hostile = "<img src=x onerror=alert(1)> **Yes**";
    for text in [hostile, " It is."] {
        answer.say(text).await.expect("told");
    }
    let conversation = id.to_string();
    let part = |n: u64, text: &str| json!({ "type": "stream", "conversation": conversation, "turn": TURN, "n": n, "text": text });
    assert_eq!(client.next().await, part(0, hostile), "as it is: the widget makes no markup of it");
    assert_eq!(client.next().await, part(1, " It is."));
    let (mut late, _) = daemon.visitor(json!({ "session": welcome["session"] })).await;
    late.until("live").await;
    answer.say(" So.").await.expect("told");
    assert_eq!(client.next().await, part(2, " So."));
    let seq = daemon.commit(id, "Yes It is. So.").await;
    answer.committed(seq);
    assert_eq!(client.next().await["seq"], seq, "the message comes before the end of its making");
    assert_eq!(
        client.until("committed").await,
        json!({ "type": "committed", "conversation": conversation, "turn": TURN, "seq": seq })
    );
    assert_eq!(late.next().await["seq"], seq, "who joined late gets the message alone");
    for client in [&mut late, &mut stranger] {
        client.say(json!({ "type": "ping" })).await;
        assert_eq!(client.next().await, json!({ "type": "pong" }));
    }
    drop(answer);
    daemon.end().await;
}

#[tokio::test]
async fn a_takeover_drops_what_was_told() {
    let daemon = Daemon::start().await;
    let (mut client, id, _) = asked(&daemon).await;
    let mut answer = daemon.answer(id);
    answer.say("It").await.expect("told");
    assert_eq!(client.next().await["text"], "It");
    client.say(json!({ "type": "person", "clientId": client_id(2) })).await;
    client.until("ack").await;
    let refused = answer.say(" is.").await.expect_err("the turn has passed");
    assert_eq!(refused.code, "stale_turn");
    let dropped = client.until("dropped").await;
    assert_eq!(dropped, json!({ "type": "dropped", "conversation": id.to_string(), "turn": TURN }));
    drop(answer);
    daemon.end().await;
}

#[tokio::test]
async fn a_reader_that_does_not_read_loses_parts_and_no_more() {
    let timeout = Duration::from_millis(50);
    let options = HttpOptions { write_timeout: timeout, ..patient() };
    let daemon = Daemon::start_with(options, Limits::default()).await;
    let (mut client, id, _) = asked(&daemon).await;
    let long = "\u{1d11e}".repeat(MESSAGE_CHARS_MAX);
    let began = Instant::now();
    let mut told = 0;
    // More than the system keeps for a reader, and for longer than a frame that must arrive may wait.
    while told < 600 || began.elapsed() < timeout * 10 {
        daemon.answer(id).say(&long).await.expect("told");
        told += 1;
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
    }
    // The beginning of one more finds no room; what goes on from it would have.
    let mut answer = daemon.answer(id);
    answer.say("It").await.expect("told");
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
    let (mut parts, mut short) = (0, Vec::new());
    for more in [" is", " so."] {
        client.say(json!({ "type": "ping" })).await;
        loop {
            let frame = client.next().await;
            match frame["type"].as_str() {
                Some("stream") if frame["text"] == long => parts += 1,
                Some("stream") => short.push(frame["n"].clone()),
                Some("pong") => break,
                _ => {}
            }
        }
        answer.say(more).await.expect("told");
    }
    assert!(parts >= 60 && parts < told, "{parts} of {told} parts came");
    assert!(short.is_empty(), "parts {short:?} came without what is before them");
    drop(answer);
    daemon.end().await;
}
