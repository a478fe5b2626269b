//! The memory runs out: what nobody misses is left out first, then nobody new is let in; whoever is there is served.

use anyhow::{Result, ensure};
use fusionchat_proto::v1::watch_response::Frame;
use fusionchat_tests::grpc::client_id;
use fusionchat_tests::stage::{Stage, play};
use fusionchat_tests::visitor::Visitor;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::desk::Desk;

const MIB: u64 = 1024 * 1024;

/// A limit of which the daemon uses about `percent` now. What it uses may move a little; the bounds lie apart.
async fn limit(desk: &Desk, percent: u64) -> Result<String> {
    let used = desk.gauge("resident_bytes").await?;
    Ok(format!("memory_mib = {}\n", (used * 100 / percent / MIB).max(16)))
}

/// Says something that must be acknowledged.
async fn say(visitor: &mut Visitor) -> Result<()> {
    let id = visitor.say("is anybody there").await?;
    visitor.acked(&id).await?;
    Ok(())
}

#[test]
fn fault_53_near_the_end_of_memory_typing_and_then_new_connections_are_left_out() {
    play(async |stage: &Stage| {
        let mut desk = Desk::open(stage, "").await?;
        let staff = desk.staff().await?;
        // Each types once: signals of one visitor are two seconds apart.
        let (mut first, number) = desk.claimed(&staff).await?;
        let (mut second, mut third) = (desk.visitor().await?, desk.visitor().await?);
        say(&mut second).await?;
        say(&mut third).await?;
        let mut watch = staff.watch(None, "").await?;
        let typing = json!({ "type": "typing" });
        first.send(&typing).await?;
        watch.typing().await?;

        let nearly = limit(&desk, 86).await?;
        desk.limit(&nearly).await?;
        desk.served.said_like("memory is scarce").await?;
        ensure!(desk.served.get("http", "/readyz").await?.0 == 200, "it still takes work");
        second.send(&typing).await?;
        say(&mut second).await?;

        let full = limit(&desk, 99).await?;
        desk.limit(&full).await?;
        desk.served.said_like("memory is nearly gone").await?;
        for door in ["http", "grpc"] {
            let mut stranger = TcpStream::connect(desk.served.address(door)?).await?;
            let mut answer = vec![];
            // Reset or closed: both are an end.
            let _ = stranger.read_to_end(&mut answer).await;
            let answer = String::from_utf8_lossy(&answer).into_owned();
            let is_told = door == "grpc" || answer.starts_with("HTTP/1.1 503 ");
            ensure!(answer.is_empty() || is_told, "{door}: {answer}");
        }
        let (status, why) = desk.served.get("metrics", "/readyz").await?;
        ensure!(status == 503 && why == "memory_low\n", "{status} {why}");
        // Whoever is there is served.
        say(&mut first).await?;
        staff.reply(&client_id(), &number, "yes").await?;

        desk.limit("").await?;
        desk.served.said("there is memory again").await?;
        desk.visitor().await?;
        let text = "there is room again";
        staff.reply(&client_id(), &number, text).await?;
        loop {
            match watch.frame().await? {
                Frame::Change(it) if it.message.as_ref().is_some_and(|it| it.content == text) => {
                    break;
                }
                Frame::Typing(typing) => anyhow::bail!("it was shown: {typing:?}"),
                Frame::Change(_)
                | Frame::Ready(_)
                | Frame::Reset(_)
                | Frame::Heartbeat(_)
                | Frame::Stream(_)
                | Frame::Committed(_)
                | Frame::Dropped(_) => {}
            }
        }
        third.send(&typing).await?;
        watch.typing().await?;
        Ok(())
    });
}
