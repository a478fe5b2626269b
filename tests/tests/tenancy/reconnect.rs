//! Everybody comes back at once.

use anyhow::{Context, ensure};
use fusionchat_tests::grpc::client_id;
use fusionchat_tests::stage::{Stage, play};
use futures::future::try_join_all;
use serde_json::json;

use crate::desk::House;

/// How many visitors. 18,000 of them are measured by the bench.
const VISITORS: usize = 300;

#[test]
fn fault_84_hundreds_who_reconnect_at_once_all_go_on_where_they_were() {
    play(async |stage: &Stage| {
        let settings = "[limits]\nsockets_per_address = 1000\nconversations_per_minute = 10000\n\
                        command_burst = 10000\n";
        let house = House::open(stage, settings).await?;
        let north = house.found("north").await?;
        let mut visitors = try_join_all((0..VISITORS).map(|_| north.visitor())).await?;
        try_join_all(visitors.iter_mut().enumerate().map(async |(number, visitor)| {
            let id = visitor.say(&format!("I am number {number}")).await?;
            let ack = visitor.acked(&id).await?;
            visitor.conversation = ack["conversation"].as_str().map(str::to_owned);
            visitor.disconnect();
            Ok::<_, anyhow::Error>(())
        }))
        .await?;

        // What comes while they are away is what each has to find.
        let rest = north.open().with(&north.key);
        for (number, visitor) in visitors.iter().enumerate() {
            let conversation = visitor.conversation.as_deref().context("a conversation")?;
            let path = format!("/api/conversations/{conversation}/messages");
            let body = json!({
                "clientId": client_id(), "content": format!("while {number} was away"),
                "senderType": "user",
            });
            rest.post(&path, &body).await?.expect(201)?;
        }

        let back = try_join_all(visitors.iter_mut().enumerate().map(async |(number, visitor)| {
            visitor.connect().await?;
            let said = format!("while {number} was away");
            visitor.message(0, "what was missed", |it| it["content"] == said.as_str()).await?;
            let id = visitor.say("and on").await?;
            visitor.acked(&id).await?;
            visitor.message(0, "one's own", |it| it["content"] == "and on").await?;
            Ok::<_, anyhow::Error>(own_lines(&visitor.transcript(), number))
        }))
        .await?;
        ensure!(back.iter().all(|it| *it), "{} saw it all", back.iter().filter(|it| **it).count());
        Ok(())
    });
}

/// Whether the visitor's own lines are there once, in order, and nobody else's.
fn own_lines(transcript: &[String], number: usize) -> bool {
    let own: Vec<&str> = transcript.iter().filter_map(|it| it.strip_prefix("user: ")).collect();
    let expected = [format!("I am number {number}"), format!("while {number} was away")];
    own.len() == 3 && own[..2] == expected && own[2] == "and on"
}
