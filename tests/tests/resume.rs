//! Cursors: whoever comes back gets exactly what came after, or is told to begin anew.

use anyhow::{Context, Result, ensure};
use fusionchat_proto::v1;
use fusionchat_tests::daemon::Daemon;
use fusionchat_tests::grpc::{Staff, client_id};
use fusionchat_tests::stage::{Stage, play};
use fusionchat_tests::visitor::{Received, open_socket, receive};
use futures::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

/// Everything after `hello` until `live`, from a socket that says exactly this.
async fn replay(daemon: &Daemon, hello: &Value) -> Result<Vec<Value>> {
    let mut socket = open_socket(daemon.field("http")?).await?;
    socket.send(Message::text(hello.to_string())).await?;
    let mut frames = vec![];
    loop {
        match receive(&mut socket).await? {
            Received::Frame(frame) if frame["type"] == "live" => return Ok(frames),
            Received::Frame(frame) => frames.push(frame),
            Received::Closed(code) => anyhow::bail!("closed with {code} after {frames:?}"),
        }
    }
}

fn seqs(frames: &[Value]) -> Vec<u64> {
    frames.iter().filter(|it| it["type"] == "message").filter_map(|it| it["seq"].as_u64()).collect()
}

#[test]
fn a_visitor_resumes_exactly() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let mut visitor = daemon.visitor().await?;
        for text in ["one", "two", "three", "four"] {
            let id = visitor.say(text).await?;
            visitor.acked(&id).await?;
        }
        let total = {
            let id = visitor.conversation.clone().context("it has begun")?;
            daemon.staff("agent1").await?.conversation(&id).await?.last_seq
        };
        let mut hello = visitor.hello();
        for after in 0..total {
            hello["resume"]["seq"] = json!(after);
            let frames = replay(&daemon, &hello).await?;
            let now: Vec<u64> = seqs(&frames);
            let first = now.first().copied();
            ensure!(first == Some(after + 1), "after {after} came {now:?}");
            ensure!(now.windows(2).all(|pair| pair[1] == pair[0] + 1), "{now:?}");
            if after == 2 {
                // Five hellos a minute are allowed to one session.
                break;
            }
        }
        Ok(())
    });
}

#[test]
fn fault_34_resume_beyond_the_tail_is_reset() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let mut visitor = daemon.visitor().await?;
        let id = visitor.say("hi").await?;
        visitor.acked(&id).await?;
        let mut hello = visitor.hello();
        hello["resume"]["seq"] = json!(1_000_000);
        let frames = replay(&daemon, &hello).await?;
        ensure!(frames.iter().any(|it| it["type"] == "reset"), "{frames:?}");
        ensure!(seqs(&frames).first() == Some(&1), "a replay from the start: {frames:?}");

        let staff = daemon.staff("agent1").await?;
        let head = staff.watch(None, "").await?.head;
        let beyond = v1::Cursor { position: head.position + 1_000, ..head.clone() };
        ensure!(first_is_reset(&staff, beyond).await?, "beyond the journal");
        let other = v1::Cursor { epoch: "another".to_owned(), ..head };
        ensure!(first_is_reset(&staff, other).await?, "another epoch");
        Ok(())
    });
}

async fn first_is_reset(staff: &Staff, after: v1::Cursor) -> Result<bool> {
    let request = v1::WatchRequest { after: Some(after), conversation: String::new() };
    let mut client = v1::watch_service_client::WatchServiceClient::new(staff.line());
    let mut stream = client.watch(request).await?.into_inner();
    let frame = stream.message().await?.context("a frame")?.frame;
    Ok(matches!(frame, Some(v1::watch_response::Frame::Reset(_))))
}

#[test]
fn fault_35_a_resume_of_nonsense_tells_nothing() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let mut visitor = daemon.visitor().await?;
        let id = visitor.say("hi").await?;
        visitor.acked(&id).await?;
        let mut hello = visitor.hello();
        let good = hello["resume"].take();
        for (field, nonsense) in [
            ("epoch", json!("not an epoch")),
            ("seq", json!(-1)),
            ("conversation", json!("00000000-0000-7000-8000-000000000000")),
        ] {
            hello["resume"] = good.clone();
            hello["resume"][field] = nonsense;
            let frames = replay(&daemon, &hello).await?;
            ensure!(frames.iter().any(|it| it["type"] == "reset"), "{hello}: {frames:?}");
        }
        Ok(())
    });
}

#[test]
fn a_watch_resumes_exactly_over_kill_9() {
    play(async |stage: &Stage| {
        let mut daemon = Daemon::demo(stage).await?;
        let staff = daemon.staff("agent1").await?;
        let start = staff.watch(None, "").await?.head;
        let mut visitor = daemon.visitor().await?;
        let id = visitor.say("before").await?;
        visitor.acked(&id).await?;
        daemon.restart().await?;
        visitor.connect().await?;
        let id = visitor.say("after").await?;
        visitor.acked(&id).await?;

        let staff = daemon.staff("agent1").await?;
        let mut watch = staff.watch(Some(start.clone()), "").await?;
        let mut last = start.position;
        let mut said = vec![];
        while said.len() < 2 {
            let change = watch.change(|_| true).await?;
            let position = change.cursor.context("a change has a cursor")?.position;
            ensure!(position > last, "{position} came after {last}");
            last = position;
            if let Some(message) = change.message
                && message.sender_type() == v1::SenderType::User
            {
                said.push(message.content);
            }
        }
        ensure!(said == ["before", "after"], "{said:?}");
        Ok(())
    });
}

#[test]
fn fault_32_and_33_a_repeated_client_id_is_one_message_or_a_conflict() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let mut tab = daemon.visitor().await?;
        let first = tab.say("hello there").await?;
        let ack = tab.acked(&first).await?;
        // The same tab again, and the same id with other words.
        let same = json!({ "type": "message", "clientId": first, "content": "hello there" });
        tab.send(&same).await?;
        let again = tab.until("the ack again", |it| it["clientId"] == first && it["type"] == "ack");
        let again = again.await?;
        ensure!(again["seq"] == ack["seq"] && again["id"] == ack["id"], "{ack} {again}");
        let other = json!({ "type": "message", "clientId": first, "content": "other words" });
        tab.send(&other).await?;
        let refused = tab.until("a conflict", |it| it["type"] == "error").await?;
        ensure!(refused["code"] == "client_id_reused", "{refused}");
        ensure!(refused["clientId"] == first, "{refused}");
        Ok(())
    });
}

#[test]
fn fault_31_five_sends_of_one_reply_are_one_message() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let staff = daemon.staff("agent1").await?;
        let waiting = staff.queue().await?;
        let number = waiting[0].escalation.as_ref().context("an escalation")?.number.to_string();
        staff.claim(&number, false).await?;
        let id = client_id();
        let sends = (0..5).map(|_| staff.reply(&id, &number, "once"));
        let answers = futures::future::try_join_all(sends).await?;
        ensure!(answers.iter().all(|it| it.seq == answers[0].seq && it.id == answers[0].id));
        let (messages, _) = staff.messages(&number).await?;
        let count = messages.iter().filter(|it| it.content == "once").count();
        ensure!(count == 1, "it is there {count} times");
        Ok(())
    });
}
