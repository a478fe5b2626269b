//! Clocks that are wrong: an hour ahead and behind, stopped, and jumping as after a pause of the machine. The clock of
//! the day drives timers and judges credentials; it decides no order, no number and no owner.

use anyhow::{Context, Result, ensure};
use fusionchat_proto::v1;
use fusionchat_tests::clock::Clock;
use fusionchat_tests::grpc::{Staff, client_id};
use fusionchat_tests::stage::{Stage, play};
use fusionchat_tests::visitor::Visitor;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::desk::Desk;

const HOUR: i64 = 60 * 60;
/// How long a visitor may be silent in these tests.
const SILENCE: &str = "[timers]\nassistant_silence_ms = 600000\n";

/// Nobody is given up while a test runs, but by a clock that jumps.
const PATIENT: &str = "patience_ms = 600000\n";

/// A visitor and the agent who has them each say something; nothing is out of order.
async fn talk(visitor: &mut Visitor, staff: &Staff, number: &str, what: &str) -> Result<()> {
    let before = staff.all_messages(number).await?.len() as u64;
    let id = visitor.say(what).await?;
    let said = visitor.acked(&id).await?["seq"].as_u64().context("a seq")?;
    let reply = staff.reply(&client_id(), number, what).await?;
    ensure!((said, reply.seq) == (before + 1, before + 2), "{what}: {said} {reply:?}");
    visitor.message(said, what, |it| it["senderType"] == "agent").await?;
    let messages = staff.all_messages(number).await?;
    let seqs: Vec<u64> = messages.iter().map(|it| it.seq).collect();
    ensure!(seqs == (1..=reply.seq).collect::<Vec<_>>(), "{what}: {seqs:?}");
    ensure!(messages.is_sorted_by_key(|it| it.created_at), "{what}: time went back {messages:?}");
    let now = staff.conversation(number).await?;
    ensure!(now.assignee.is_some(), "{what}: nobody has it any more: {now:?}");
    Ok(())
}

/// The statuses of a system line in what a visitor was shown.
fn ends(visitor: &Visitor) -> usize {
    visitor.messages.iter().filter(|it| it["system"]["code"] == "resolved").count()
}

#[test]
fn fault_55_an_hour_ahead_or_behind_changes_no_order_and_no_owner() {
    play(async |stage: &Stage| {
        let Some(clock) = Clock::compile(stage)? else { return Ok(()) };
        let desk = Desk::open_in(stage, SILENCE, &clock.variables()).await?;
        let staff = desk.staff().await?;
        let (mut visitor, number) = desk.claimed(&staff).await?;
        let mut watch = staff.watch(None, "").await?;
        let half_hour = v1::CreateKeyRequest {
            client_id: client_id(),
            name: "short".to_owned(),
            scopes: vec!["*".to_owned()],
            ttl_ms: Some(HOUR * 1_000 / 2),
        };
        let key = staff.keys().create_key(half_hour).await?.into_inner().secret;
        let endpoint = format!("http://{}", desk.served.address("grpc")?);
        let with_key = Staff::connect(&endpoint, &key).await?;
        with_key.queue().await?;
        for (seconds, what) in [(0, "now"), (HOUR, "ahead"), (-HOUR, "behind"), (HOUR, "again")] {
            clock.set_day(seconds)?;
            talk(&mut visitor, &staff, &number, what).await?;
            // The live stream checks itself that it skips nothing.
            watch.change(|it| it.message.as_ref().is_some_and(|it| it.content == what)).await?;
            // A reader who comes back finds its place.
            visitor.disconnect();
            visitor.connect().await?;
            ensure!(visitor.repeats == 0, "{what}: {} came twice", visitor.repeats);
            // The session lives longer than the error; the key does not, and lives again with the right time.
            let is_live = with_key.queue().await.is_ok();
            ensure!(is_live == (seconds <= 0), "{what}: the key is live: {is_live}");
            // A session that begins now is good, whatever the time.
            desk.visitor().await?;
        }
        clock.set_day(0)?;
        with_key.queue().await.context("the key with the right time")?;
        Ok(())
    });
}

/// A visitor whom the assistant has answered.
async fn answered(desk: &Desk) -> Result<Visitor> {
    let mut visitor = desk.visitor().await?;
    let id = visitor.say("hello").await?;
    visitor.acked(&id).await?;
    visitor.message(0, "an answer", |it| it["senderType"] == "assistant").await?;
    Ok(visitor)
}

#[test]
fn fault_56_a_clock_that_stops_or_repeats_itself_fires_nothing_twice() {
    play(async |stage: &Stage| {
        let Some(clock) = Clock::compile(stage)? else { return Ok(()) };
        let desk = Desk::open_in(stage, SILENCE, &clock.variables()).await?;
        let staff = desk.staff().await?;
        clock.stop(true)?;
        let (mut visitor, number) = desk.claimed(&staff).await?;
        for _ in 0..5 {
            talk(&mut visitor, &staff, &number, "in no time").await?;
        }
        let mut silent = answered(&desk).await?;
        clock.stop(false)?;
        // Twenty minutes at once, a second back as on a leap second, ten minutes back, and on again: the silence is
        // over once. Whatever somebody else says makes the daemon look at its timers.
        for (round, seconds) in [20 * 60, 20 * 60 - 1, 10 * 60, 21 * 60].into_iter().enumerate() {
            clock.set_day(seconds)?;
            answered(&desk).await?;
            if round == 0 {
                silent.status("resolved").await?;
            }
            talk(&mut visitor, &staff, &number, "meanwhile").await?;
        }
        silent.disconnect();
        silent.connect().await?;
        ensure!(ends(&silent) == 1, "{:?}", silent.transcript());
        ensure!(ends(&visitor) == 0, "{:?}", visitor.transcript());
        Ok(())
    });
}

#[test]
fn fault_57_a_machine_that_was_paused_looks_again_before_it_acts() {
    play(async |stage: &Stage| {
        let Some(clock) = Clock::compile(stage)? else { return Ok(()) };
        let desk = Desk::open_in(stage, &format!("{PATIENT}{SILENCE}"), &clock.variables()).await?;
        let staff = desk.staff().await?;
        // Its turn of the assistant is over: what was to follow from it must not happen any more.
        let (mut visitor, number) = desk.claimed(&staff).await?;
        let mut silent = answered(&desk).await?;
        let mut idle = TcpStream::connect(desk.served.address("http")?).await?;
        // Both clocks have gone on when it wakes.
        clock.jump(u32::try_from(HOUR)?)?;
        clock.set_day(HOUR)?;
        talk(&mut visitor, &staff, &number, "after the pause").await?;
        answered(&desk).await?;
        silent.status("resolved").await?;
        let now = staff.conversation(&number).await?;
        ensure!(now.status() == v1::Status::Open, "{now:?}");
        // And another one: nothing is done again.
        clock.jump(u32::try_from(2 * HOUR)?)?;
        clock.set_day(2 * HOUR)?;
        talk(&mut visitor, &staff, &number, "after the next").await?;
        // It takes the hours for passed: whom it waited for is given up.
        ensure!(
            idle.read(&mut [0; 1]).await.unwrap_or(0) == 0,
            "an idle client was told something"
        );
        answered(&desk).await?;
        silent.disconnect();
        silent.connect().await?;
        ensure!(ends(&silent) == 1, "{:?}", silent.transcript());
        ensure!(ends(&visitor) == 0, "{:?}", visitor.transcript());
        Ok(())
    });
}
