//! The wall at the WebSocket: the hello is the one frame that names anything.

use anyhow::{Result, ensure};
use fusionchat_tests::daemon::Daemon;
use fusionchat_tests::source;
use fusionchat_tests::stage::{Stage, play};
use fusionchat_tests::visitor::{Received, open_socket, receive};
use futures::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::side::{Side, tenant};

/// Frames that carry ids, all of them tested below.
const NAMES: [&str; 1] = ["Hello"];
/// Frames that speak of the socket's own visitor only; a `clientId` is the sender's own word.
const NAMES_NOTHING: [&str; 7] = ["Message", "Person", "End", "Confirm", "Typing", "Read", "Ping"];

#[test]
fn every_frame_is_in_a_table() {
    let frames = source::variants("fusionchatd/src/door/live/frame.rs", "FromVisitor");
    let known: Vec<String> = NAMES.into_iter().chain(NAMES_NOTHING).map(str::to_owned).collect();
    assert_eq!(frames, known);
}

/// What a hello is answered with, up to `live`, to the end of the socket, or to the welcome of somebody new. What
/// is new each time is taken out.
async fn answer(daemon: &Daemon, stage: &Stage, hello: &Value) -> Result<Vec<Value>> {
    let mut socket = open_socket(daemon.field("http")?).await?;
    socket.send(Message::text(hello.to_string())).await?;
    let mut frames = vec![];
    loop {
        let mut frame = match receive(&mut socket).await? {
            Received::Closed(code) => {
                frames.push(json!({ "closed": code }));
                break;
            }
            Received::Frame(frame) => frame,
        };
        stage.note(format!("< {frame}"));
        let is_new = frame["type"] == "welcome" && frame["conversation"].is_null();
        let is_end = is_new || frame["type"] == "live";
        for field in ["session", "expiresAt"] {
            if let Some(object) = frame.as_object_mut() {
                object.remove(field);
            }
        }
        frames.push(frame);
        if is_end {
            break;
        }
    }
    Ok(frames)
}

fn hello(own: &Side) -> Value {
    json!({ "type": "hello", "inbox": own.inbox, "origin": own.origin })
}

#[test]
fn fault_85_foreign_and_absent_are_the_same_bytes_by_websocket() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let own = tenant(&daemon, "own").await?.side;
        let other = tenant(&daemon, "other").await?.side;
        let absent = Side::absent(&own);

        let by_inbox = |named: &Side| {
            let mut frame = hello(&own);
            frame["inbox"] = json!(named.inbox);
            frame
        };
        let foreign = answer(&daemon, stage, &by_inbox(&other)).await?;
        let nobody = answer(&daemon, stage, &by_inbox(&absent)).await?;
        ensure!(foreign == nobody, "by inbox: {foreign:?} and {nobody:?}");
        ensure!(foreign.last() == Some(&json!({ "closed": 4003 })), "{foreign:?}");
        let ours = answer(&daemon, stage, &by_inbox(&own)).await?;
        ensure!(ours[0]["type"] == "welcome", "{ours:?}");

        // Another organization's visitor is nobody here, and so is a token nobody made.
        let by_session = |token: &str| {
            let mut frame = hello(&own);
            frame["session"] = json!(token);
            frame
        };
        let foreign = answer(&daemon, stage, &by_session(&other.visitor)).await?;
        let nobody = answer(&daemon, stage, &by_session("fus_vis_nobody")).await?;
        ensure!(foreign == nobody, "by session: {foreign:?} and {nobody:?}");
        let ours = answer(&daemon, stage, &by_session(&own.visitor)).await?;
        ensure!(ours[0]["conversation"]["id"] == own.visitor_conversation.as_str(), "{ours:?}");
        let epoch = ours[0]["epoch"].clone();

        let by_resume = |named: &Side| {
            let mut frame = by_session(&own.visitor);
            let conversation = &named.visitor_conversation;
            frame["resume"] = json!({ "conversation": conversation, "epoch": epoch, "seq": 1 });
            frame
        };
        let foreign = answer(&daemon, stage, &by_resume(&other)).await?;
        let nobody = answer(&daemon, stage, &by_resume(&absent)).await?;
        ensure!(foreign == nobody, "by resume: {foreign:?} and {nobody:?}");
        ensure!(foreign.iter().any(|frame| frame["type"] == "reset"), "{foreign:?}");
        let ours = answer(&daemon, stage, &by_resume(&own)).await?;
        ensure!(!ours.iter().any(|frame| frame["type"] == "reset"), "{ours:?}");
        Ok(())
    });
}
