//! An organization that sends far more than its quota.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use fusionchat_proto::v1;
use fusionchat_tests::grpc::{Staff, client_id, code_of};
use fusionchat_tests::rest::Rest;
use fusionchat_tests::stage::{Stage, play};
use futures::StreamExt;
use futures::future::try_join_all;
use serde_json::{Value, json};
use tonic::Code;

use crate::desk::{House, Tenant};

/// What each share may send at once, and in a second.
const BURST: usize = 10;
const SECOND: usize = 2;
/// The flood: a hundred times that, by so many connections at a time.
const FLOOD: usize = 100 * BURST;
const AT_ONCE: usize = 32;
/// What the other organization and the staff send meanwhile.
const CALM: usize = BURST / 2;

/// What became of a flood.
#[derive(Default)]
struct Became {
    /// What was acknowledged: its text.
    taken: Vec<String>,
    /// What was refused: the body that was sent.
    refused: Vec<Value>,
}

/// Sends one message after the other into a conversation, as a visitor's by a key.
async fn flood(rest: &Rest, number: &str) -> Result<Became> {
    let path = format!("/api/conversations/{number}/messages");
    let sent = futures::stream::iter(0..FLOOD).map(async |count| {
        let body = json!({
            "clientId": client_id(), "content": format!("flood {count}"), "senderType": "user",
        });
        let answer = rest.post(&path, &body).await?;
        Ok::<_, anyhow::Error>((answer, body))
    });
    let mut sent = sent.buffer_unordered(AT_ONCE);
    let mut became = Became::default();
    while let Some(one) = sent.next().await {
        let (answer, body) = one?;
        if answer.status == 201 {
            became.taken.push(body["content"].as_str().context("a text")?.to_owned());
            continue;
        }
        let said: Value = serde_json::from_str(&answer.body)?;
        ensure!(answer.problem(429)? == "over_quota", "{said}");
        ensure!(said["retryAfterMs"].as_u64().is_some_and(|ms| ms > 0), "{said}");
        became.refused.push(body);
    }
    Ok(became)
}

/// What the admin of an organization sends in their own session, and hears acknowledged.
async fn replies(staff: &Staff, number: &str) -> Result<()> {
    for count in 0..CALM {
        staff.reply(&client_id(), number, &format!("reply {count}")).await?;
    }
    Ok(())
}

/// A visitor's messages, each acknowledged before the next.
async fn visit(tenant: &Tenant) -> Result<()> {
    let mut visitor = tenant.visitor().await?;
    for count in 0..CALM {
        let id = visitor.say(&format!("question {count}")).await?;
        visitor.acked(&id).await?;
    }
    Ok(())
}

/// A conversation a key began for a visitor, held by the organization's admin; its number.
async fn held(house: &House, tenant: &Tenant) -> Result<(String, Staff)> {
    let request = v1::StartConversationRequest {
        client_id: client_id(),
        inbox: tenant.inbox.clone(),
        content: "I would rather speak to a human".to_owned(),
        test: false,
    };
    let key = house.staff(&tenant.key).await?;
    let begun = key.conversations().start_conversation(request).await?.into_inner();
    let number = begun.conversation.context("a conversation")?.number.to_string();
    let staff = house.staff(&tenant.session).await?;
    staff.claim(&number, true).await?;
    Ok((number, staff))
}

#[test]
fn fault_82_a_flood_is_refused_and_costs_nobody_else_a_command() {
    play(async |stage: &Stage| {
        let settings = format!(
            "[limits]\ncommands_per_second = {SECOND}\ncommand_burst = {BURST}\n\
             message_burst = 100\nconversations_per_minute = 100\n"
        );
        let house = House::open(stage, &settings).await?;
        let (loud, calm) = (house.found("loud").await?, house.found("calm").await?);
        let (number, staff) = held(&house, &loud).await?;
        let (others, their_staff) = held(&house, &calm).await?;

        let began = Instant::now();
        let rest = loud.open().with(&loud.key);
        let (became, ..) = tokio::try_join!(
            flood(&rest, &number),
            replies(&staff, &number),
            visit(&loud),
            replies(&their_staff, &others),
            visit(&calm),
        )?;
        let seconds = usize::try_from(began.elapsed().as_secs() + 1)?;
        ensure!(became.taken.len() >= BURST / 2, "only {} taken", became.taken.len());
        ensure!(
            became.taken.len() <= BURST + SECOND * seconds,
            "{} taken in {seconds} s",
            became.taken.len()
        );
        ensure!(became.refused.len() == FLOOD - became.taken.len());
        let counted = house.counted("fusionchat_over_quota_total{share=\"keys\"}").await?;
        ensure!(counted == became.refused.len(), "{counted} counted");
        for share in ["visitors", "staff"] {
            let name = format!("fusionchat_over_quota_total{{share=\"{share}\"}}");
            ensure!(house.counted(&name).await? == 0, "{share} had to wait");
        }

        // What was refused left no trace, and goes through once it is sent again as it was told.
        let mut kept: Vec<String> = contents(&staff, &number).await?;
        let mut taken = became.taken;
        kept.sort();
        taken.sort();
        ensure!(kept == taken, "{kept:?} and {taken:?}");
        let again = became.refused.first().context("something was refused")?;
        resend(&rest, &number, again).await
    });
}

/// The texts of the flood that are there.
async fn contents(staff: &Staff, number: &str) -> Result<Vec<String>> {
    let all = staff.all_messages(number).await?.into_iter().map(|it| it.content);
    Ok(all.filter(|it| it.starts_with("flood ")).collect())
}

/// Sends a refused message until it is taken, waiting as it is told.
async fn resend(rest: &Rest, number: &str, body: &Value) -> Result<()> {
    let path = format!("/api/conversations/{number}/messages");
    for _ in 0..10 {
        let answer = rest.post(&path, body).await?;
        if answer.status == 201 {
            return Ok(());
        }
        let wait = answer.expect(429)?["retryAfterMs"].as_u64().context("a wait")?;
        tokio::time::timeout(Duration::from_millis(wait), std::future::pending::<()>()).await.ok();
    }
    anyhow::bail!("refused ten times")
}

#[test]
fn fault_82_over_grpc_and_the_websocket_it_is_the_same_refusal() {
    play(async |stage: &Stage| {
        let settings = "[limits]\ncommands_per_second = 1\ncommand_burst = 4\n";
        let house = House::open(stage, settings).await?;
        let loud = house.found("loud").await?;
        let (number, staff) = held(&house, &loud).await?;
        let sent = (0..20).map(async |count| {
            Ok::<_, anyhow::Error>(staff.reply(&client_id(), &number, &format!("{count}")).await)
        });
        let sent = try_join_all(sent).await?;
        let refused: Vec<_> = sent.iter().filter_map(|it| it.as_ref().err()).collect();
        ensure!(refused.len() >= 10, "{} refused", refused.len());
        for status in refused {
            ensure!(status.code() == Code::ResourceExhausted, "{status:?}");
            ensure!(code_of(status) == "over_quota", "{status:?}");
        }

        // Visitors count together: more of them help nobody.
        let mut visitors = try_join_all((0..10).map(|_| loud.visitor())).await?;
        for visitor in &mut visitors {
            visitor.say("hello").await?;
        }
        let mut limited = 0;
        for visitor in &mut visitors {
            let frame = visitor
                .until("an answer", |it| it["type"] == "ack" || it["type"] == "error")
                .await?;
            if frame["type"] == "error" {
                ensure!(frame["code"] == "over_quota", "{frame}");
                ensure!(frame["retryAfterMs"].as_u64().is_some_and(|ms| ms > 0), "{frame}");
                limited += 1;
            }
        }
        ensure!(limited > 0, "nobody was refused");
        Ok(())
    });
}
