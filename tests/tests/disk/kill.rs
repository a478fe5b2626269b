//! The kill at a named moment: before a write, after it and before the sync, after the sync and before the
//! acknowledgement can leave. Clients send again what they have no answer to, with the same client id; afterwards each
//! message is there once and in order.

use std::os::unix::process::ExitStatusExt;

use anyhow::{Context, Result, bail, ensure};
use fusionchat_tests::disk::record::Reach;
use fusionchat_tests::disk::{Fault, Operation, Preload};
use fusionchat_tests::grpc::{Staff, client_id};
use fusionchat_tests::stage::{Stage, play_for};
use fusionchat_tests::visitor::Visitor;
use tokio::sync::watch;

use crate::desk::Desk;
use crate::{ENGINES, WATCHDOG};

/// The moments, by what the contract calls them.
const MOMENTS: [(&str, Operation, Fault); 4] = [
    ("before the write", Operation::Write, Fault::KillBefore),
    ("after the write", Operation::Write, Fault::KillAfter),
    ("before the sync", Operation::Sync, Fault::KillBefore),
    ("after the sync, before the ack", Operation::Sync, Fault::KillAfter),
];
/// How many syncs a commit takes, of which the last one makes it: redb first syncs what it writes beside the old state,
/// then what makes that the new one.
fn syncs_of(engine: &str) -> u64 {
    if engine.starts_with("redb") { 2 } else { 1 }
}

/// Which write or sync of the load it falls upon, one round each.
const NTH: [u64; 3] = [1, 4, 19];
/// Who sends meanwhile.
const WRITERS: usize = 4;
const VISITORS: usize = 3;
/// How often one message is sent at most.
const SENT_MAX: usize = 40;
/// The signal of a kill.
const SIGKILL: i32 = 9;

/// Waits for the kill.
async fn killed(desk: &mut Desk) -> Result<()> {
    let (status, _) = desk.served.ended().await?;
    ensure!(status.signal() == Some(SIGKILL), "the daemon ended with {status}");
    Ok(())
}

#[test]
fn faults_37_38_39_what_a_kill_leaves_is_what_was_written() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let mut desk = Desk::found(stage, &preload, engine, false).await?;
            let mut reached = vec![];
            for (moment, operation, fault) in MOMENTS {
                let (id, text) = (client_id(), format!("said for a kill {moment}"));
                let staff = desk.staff().await?;
                let whole = (operation, fault) == (Operation::Sync, Fault::KillAfter);
                desk.disk.arm(operation, fault, if whole { syncs_of(engine) } else { 1 })?;
                let answer = staff.reply(&id, &desk.number, &text).await;
                ensure!(answer.is_err(), "{moment}: acknowledged by a killed daemon: {answer:?}");
                killed(&mut desk).await?;
                let reach = desk.disk.record()?.reach(&text);
                desk.start().await?;
                let staff = desk.staff().await?;
                let there = |messages: &[fusionchat_proto::v1::Message]| {
                    let of_text = messages.iter().filter(|message| message.content == text);
                    of_text.map(|message| message.seq).collect::<Vec<_>>()
                };
                let before = there(&staff.all_messages(&desk.number).await?);
                match reach {
                    Reach::Nowhere => ensure!(before.is_empty(), "{moment}: {before:?} of nothing"),
                    Reach::Written => ensure!(before.len() <= 1, "{moment}: {before:?}"),
                    Reach::Synced => ensure!(before.len() == 1, "{moment}: lost"),
                }
                let first = staff.reply(&id, &desk.number, &text).await?;
                let again = staff.reply(&id, &desk.number, &text).await?;
                ensure!(first.seq == again.seq && first.id == again.id, "{first:?} {again:?}");
                let after = there(&staff.all_messages(&desk.number).await?);
                ensure!(after == [first.seq], "{moment}: {after:?}, told {}", first.seq);
                ensure!(before.is_empty() || before == after, "{moment}: {before:?} {after:?}");
                stage.note(format!("{moment}: {reach:?}, then at {before:?}, then {after:?}"));
                reached.push(reach);
            }
            println!("{engine}: {reached:?}");
            ensure!(reached.contains(&Reach::Nowhere), "no kill came before the write");
            ensure!(reached.contains(&Reach::Written), "no kill came before the sync");
            ensure!(reached.contains(&Reach::Synced), "no kill came after the sync");
        }
        Ok(())
    });
}

/// Where the daemon is, and how often it has been started.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    starts: usize,
    base: String,
    grpc: String,
}

impl Place {
    fn of(desk: &Desk, starts: usize) -> Result<Self> {
        let grpc = format!("http://{}", desk.served.address("grpc")?);
        Ok(Self { starts, base: desk.base()?, grpc })
    }
}

/// The place to go to, other than one where nobody answered.
async fn place(places: &mut watch::Receiver<Place>, failed: Option<usize>) -> Result<Place> {
    let place = places.wait_for(|place| failed.is_none_or(|starts| place.starts > starts)).await?;
    Ok(place.clone())
}

/// Sends replies one after another until it is told to stop, each until it is acknowledged.
async fn write_on(
    writer: usize,
    token: &str,
    number: &str,
    mut places: watch::Receiver<Place>,
    stop: &watch::Receiver<bool>,
) -> Result<Vec<(u64, String)>> {
    let mut acknowledged = vec![];
    let mut failed = None;
    while !*stop.borrow() {
        let (id, text) = (client_id(), format!("writer {writer} reply {}", acknowledged.len()));
        let mut sent = 0;
        let message = loop {
            sent += 1;
            ensure!(sent <= SENT_MAX, "{text} was never acknowledged");
            let at = place(&mut places, failed).await?;
            let answer = async {
                let staff = Staff::connect(&at.grpc, token).await?;
                anyhow::Ok(staff.reply(&id, number, &text).await?)
            };
            match answer.await {
                Ok(message) => break message,
                Err(_) => failed = Some(at.starts),
            }
        };
        acknowledged.push((message.seq, text));
    }
    Ok(acknowledged)
}

/// Says one thing after another until told to stop, as the widget does; what was said.
async fn talk_on(
    name: usize,
    mut visitor: Visitor,
    mut places: watch::Receiver<Place>,
    stop: &watch::Receiver<bool>,
) -> Result<(Visitor, Vec<String>)> {
    let mut said = vec![];
    let mut failed = None;
    while !*stop.borrow() {
        let text = format!("visitor {name} line {}", said.len());
        let id = visitor.say(&text).await?;
        let mut sent = 0;
        while let Err(error) = visitor.acked(&id).await {
            sent += 1;
            ensure!(sent <= SENT_MAX, "{text} was never acknowledged: {error:#}");
            if visitor.is_connected() {
                return Err(error);
            }
            let at = place(&mut places, failed).await?;
            visitor.moved_to(&at.base);
            failed = visitor.connect().await.err().map(|_| at.starts);
        }
        said.push(text);
    }
    Ok((visitor, said))
}

#[test]
fn faults_37_38_39_clients_that_send_again_find_each_message_once() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let mut desk = Desk::found(stage, &preload, engine, false).await?;
            check_clients(stage, &mut desk).await.with_context(|| engine.to_owned())?;
        }
        Ok(())
    });
}

async fn check_clients(stage: &Stage, desk: &mut Desk) -> Result<()> {
    let mut visitors = vec![];
    for _ in 0..VISITORS {
        visitors.push(desk.visitor().await?);
    }
    let (token, number) = (desk.token.clone(), desk.number.clone());
    let before = desk.staff().await?.all_messages(&number).await?.len() as u64;
    let (tell, places) = watch::channel(Place::of(desk, 0)?);
    let (end, stop) = watch::channel(false);
    let writers = (0..WRITERS).map(|it| write_on(it, &token, &number, places.clone(), &stop));
    let writers = futures::future::try_join_all(writers);
    let talks = visitors.into_iter().enumerate();
    let talks = talks.map(|(name, visitor)| talk_on(name, visitor, places.clone(), &stop));
    let talks = futures::future::try_join_all(talks);
    let killer = async {
        let mut starts = 0;
        for nth in NTH {
            for (moment, operation, fault) in MOMENTS {
                desk.disk.arm(operation, fault, nth)?;
                killed(desk).await.with_context(|| format!("{nth} {moment}"))?;
                desk.start().await?;
                starts += 1;
                tell.send(Place::of(desk, starts)?)?;
            }
        }
        end.send(true)?;
        anyhow::Ok(starts)
    };
    let (written, talked, kills) = tokio::try_join!(writers, talks, killer)?;

    let staff = desk.staff().await?;
    let stored = staff.all_messages(&number).await?;
    let mut expected: Vec<(u64, String)> = written.iter().flatten().cloned().collect();
    let count = expected.len();
    expected.sort_unstable();
    let replies = stored.iter().filter(|message| message.seq > before);
    let replies: Vec<_> = replies.map(|it| (it.seq, it.content.clone())).collect();
    ensure!(replies == expected, "stored {replies:?}, acknowledged {expected:?}");
    for replies in &written {
        ensure!(replies.is_sorted_by_key(|(seq, _)| *seq), "out of order: {replies:?}");
    }
    let mut lines = 0;
    for (mut visitor, said) in talked {
        let conversation = visitor.conversation.clone().context("a conversation")?;
        let stored = staff.all_messages(&conversation).await?;
        let own = |sender: i32| sender == i32::from(fusionchat_proto::v1::SenderType::User);
        let theirs = stored.iter().filter(|message| own(message.sender_type));
        let theirs: Vec<&String> = theirs.map(|message| &message.content).collect();
        ensure!(theirs == said.iter().collect::<Vec<_>>(), "said {said:?}, stored {theirs:?}");
        let last = stored.len() as u64;
        if visitor.last_seq() < last {
            visitor.message(last - 1, "the last message", |_| true).await?;
        }
        let shown = visitor.messages.iter().map(|message| message["id"].as_str());
        ensure!(
            shown.eq(stored.iter().map(|message| Some(message.id.as_str()))),
            "shown otherwise"
        );
        lines += said.len();
    }
    stage.note(format!("{kills} kills, {count} replies, {lines} lines"));
    println!("{kills} kills, {count} replies and {lines} lines of visitors, each once");
    if count < kills || lines < kills {
        bail!("there was hardly a load: {count} replies and {lines} lines in {kills} kills");
    }
    Ok(())
}
