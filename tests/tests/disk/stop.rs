//! A disk that fails, or stands still, while the daemon stops: it must not end as if all was on disk. And a daemon that
//! is told to stop before its store is open, as are the commands that make a store while none runs.

use std::fs;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use fusionchat_proto::v1::Message;
use fusionchat_tests::disk::{Disk, Fault, Operation, Preload};
use fusionchat_tests::grpc::client_id;
use fusionchat_tests::program::{self, Output};
use fusionchat_tests::serve::Served;
use fusionchat_tests::stage::{Stage, play_for};
use fusionchatd::store::open::url_of;
use rustix::io::Errno;
use tokio::task::JoinSet;
use tonic::Status;

use crate::backup::{other, text};
use crate::desk::Desk;
use crate::points::{copy, ended, read, run};
use crate::{ENGINES, WATCHDOG};

/// Who waits for an answer when the daemon is told to stop.
const WRITERS: usize = 4;
/// So many writes are looked at of those that opening a store takes: fewer than any engine makes.
const OPENING_WRITES: u64 = 3;
/// No more than this for the doors, nor for the store.
const SHORT_GRACE: &str = "[stop]\ngrace_ms = 300\n";

/// What became of the last replies.
type Replies = JoinSet<Result<Message, Status>>;

/// Tells the daemon to stop once a write of its stands still, and returns when it is about to.
async fn stop_in_a_write(desk: &mut Desk) -> Result<Replies> {
    let (staff, number) = (desk.staff().await?, desk.number.clone());
    let fired = desk.disk.fired()?;
    desk.disk.arm(Operation::Write, Fault::Waits, 1)?;
    let mut writers = Replies::new();
    for writer in 0..WRITERS {
        let (staff, number) = (staff.clone(), number.clone());
        writers.spawn(async move {
            staff.reply(&client_id(), &number, &format!("the last of {writer}")).await
        });
    }
    while desk.disk.fired()? == fired {
        tokio::task::yield_now().await;
    }
    desk.served.signal("-TERM").await?;
    desk.served.said("stopping").await?;
    Ok(writers)
}

#[test]
fn fault_51_a_store_that_fails_while_the_daemon_stops_is_no_good_end() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let mut desk = Desk::found(stage, &preload, engine, false).await?;
            let before = desk.staff().await?.all_messages(&desk.number).await?;
            let replies = stop_in_a_write(&mut desk).await?;
            // The write is let go, and what it wrote cannot be synced.
            let fails = Fault::KeepsFailing(Errno::IO.raw_os_error());
            desk.disk.arm(Operation::Sync, fails, 1)?;
            let (status, said) = desk.served.ended().await?;
            let said = said.join("\n");
            ensure!(status.code() == Some(1), "{engine}: it ended with {status}: {said}");
            ensure!(said.contains("nothing more was acknowledged"), "{engine}: {said}");
            ensure!(said.contains("Input/output error"), "{engine}: not why: {said}");
            desk.disk.disarm()?;
            let taken = taken(replies).await;
            ensure!(taken.is_empty(), "{engine}: acknowledged: {taken:?}");
            starts_with(&mut desk, &before).await.with_context(|| engine.to_owned())?;
        }
        Ok(())
    });
}

#[test]
fn fault_51_a_store_that_is_not_closed_in_time_is_no_good_end() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let mut desk = Desk::found(stage, &preload, engine, false).await?;
            let before = desk.staff().await?.all_messages(&desk.number).await?;
            desk.served.kill9().await?;
            let (root, variables) = (desk.disk.root(), desk.disk.variables());
            desk.served = Served::start_in(stage, root, SHORT_GRACE, &variables).await?;
            let replies = stop_in_a_write(&mut desk).await?;
            desk.served.said("closing the store overran the grace time").await?;
            desk.disk.disarm()?;
            let (status, said) = desk.served.ended().await?;
            let said = said.join("\n");
            ensure!(status.code() == Some(1), "{engine}: it ended with {status}: {said}");
            ensure!(said.contains("took longer to close"), "{engine}: not why: {said}");
            let acknowledged = [before, taken(replies).await].concat();
            starts_with(&mut desk, &acknowledged).await.with_context(|| engine.to_owned())?;
        }
        Ok(())
    });
}

#[test]
fn a_stop_while_the_store_is_being_opened_ends_well_at_once() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let mut desk = Desk::found(stage, &preload, engine, false).await?;
            let before = desk.staff().await?.all_messages(&desk.number).await?;
            desk.served.kill9().await?;
            // The first write is the lock's; the later ones are the engine's.
            for nth in 1..=OPENING_WRITES {
                let fired = desk.disk.fired()?;
                desk.disk.arm(Operation::Write, Fault::Waits, nth)?;
                let (root, variables) = (desk.disk.root(), desk.disk.variables());
                let mut served = Served::spawn_in(stage, root, "", &variables)?;
                while desk.disk.fired()? == fired {
                    tokio::task::yield_now().await;
                }
                served.signal("-TERM").await?;
                let (status, said) = served.ended().await?;
                desk.disk.disarm()?;
                let said = said.join("\n");
                ensure!(status.success(), "{engine}: write {nth}: {status}: {said}");
                ensure!(said.contains("before the store was open"), "{engine}: {nth}: {said}");
            }
            starts_with(&mut desk, &before).await.with_context(|| engine.to_owned())?;
        }
        Ok(())
    });
}

/// The replies that were acknowledged.
async fn taken(replies: Replies) -> Vec<Message> {
    replies.join_all().await.into_iter().flatten().collect()
}

/// The next daemon has what was acknowledged.
async fn starts_with(desk: &mut Desk, acknowledged: &[Message]) -> Result<()> {
    desk.start().await?;
    let after = desk.staff().await?.all_messages(&desk.number).await?;
    ensure!(acknowledged.iter().all(|it| after.contains(it)), "{after:?}");
    Ok(())
}

/// Where a command stands still when it is told to stop, and by which signal; the exit code that stands for that.
const HELD: [(Operation, u64, &str, i32); 4] = [
    (Operation::Write, 1, "-TERM", 143),
    (Operation::Write, 5, "-INT", 130),
    (Operation::Sync, 2, "-INT", 130),
    (Operation::Name, 2, "-TERM", 143),
];

/// Runs a command until something of it stands still, and tells it to stop; how it ended.
async fn stopped(
    stage: &Stage,
    disk: &Disk,
    arguments: &[&str],
    (operation, nth, signal, code): (Operation, u64, &str, i32),
) -> Result<Output> {
    disk.arm(operation, Fault::Waits, nth)?;
    let runtime = stage.folder("runtime")?;
    let mut command = program::command("fusionchatd", &runtime)?;
    command.args(arguments).envs(disk.variables()).stdin(Stdio::null());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    while disk.fired()? == 0 {
        tokio::task::yield_now().await;
    }
    let pid = child.id().context("it runs")?.to_string();
    let kill = tokio::process::Command::new("kill").args([signal, &pid]).status().await?;
    ensure!(kill.success(), "{kill}");
    let output = child.wait_with_output().await?;
    disk.disarm()?;
    let output = Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    let output = output.expect(code).with_context(|| format!("{operation:?} {nth}"))?;
    ensure!(output.stdout.is_empty(), "it says that it was done: {output:?}");
    Ok(output)
}

#[test]
fn a_vacuum_or_migration_that_is_told_to_stop_leaves_the_old_store_and_says_so() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        let exchange = (Operation::Exchange, 1, "-TERM", 143);
        for engine in ENGINES {
            let (desk, _) = ended(stage, &preload, engine).await?;
            let expected = read(&desk.disk.root().join("store")).await?;
            let url = format!("{}:", other(engine));
            for words in [&["vacuum"][..], &["migrate", "--to", &url]] {
                for held in HELD.into_iter().chain([exchange]) {
                    let data = stage.folder("copy")?.canonicalize()?;
                    copy(desk.disk.root(), &data)?;
                    let disk = Disk::new(stage, &preload, &data)?;
                    let place = text(&data);
                    let arguments = [&["store"][..], words, &["--data", &place]].concat();
                    let said = stopped(stage, &disk, &arguments, held).await?.stderr;
                    let what = format!("{engine} {words:?} {held:?}: {said}");
                    let store = data.join("store");
                    ensure!(said.starts_with("fusionchatd: interrupted: "), "{what}");
                    ensure!(said.contains(&format!("{} is whole", text(&store))), "{what}");
                    ensure!(
                        url_of(None, &store)? == format!("{engine}:{}", text(&store)),
                        "{what}"
                    );
                    ensure!(read(&store).await? == expected, "{what}: other rows");
                    run(stage, &disk, &arguments).await?.expect(0).context(what.clone())?;
                    ensure!(read(&store).await? == expected, "{what}: the next run");
                    ensure!(fs::read_dir(&data)?.count() == 1, "{what}: something is left");
                }
            }
        }
        Ok(())
    });
}

#[test]
fn a_restore_or_an_init_that_is_told_to_stop_leaves_no_store_and_says_so() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        let desk = Desk::found(stage, &preload, "sled", false).await?;
        let file = desk.backup().await?;
        for engine in ENGINES {
            let url = format!("{engine}:");
            for held in HELD {
                let data = stage.folder("restored")?.canonicalize()?;
                let disk = Disk::new(stage, &preload, &data)?;
                let place = text(&data);
                let restore = ["store", "restore", &file, "--data", &place, "--store", &url];
                let said = stopped(stage, &disk, &restore, held).await?.stderr;
                let what = format!("{engine} {held:?}: {said}");
                ensure!(said.contains("interrupted: there is no "), "{what}");
                ensure!(!data.join("store").exists(), "{what}");
                run(stage, &disk, &restore).await?.expect(0).context(what)?;
                let data = stage.folder("new")?.canonicalize()?;
                let disk = Disk::new(stage, &preload, &data)?;
                let place = text(&data);
                let init = ["init", "--data", &place, "--tenant", "acme"];
                let init = [&init[..], &["--admin", "ana@acme.example", "--store", &url]].concat();
                let said = stopped(stage, &disk, &init, held).await?.stderr;
                ensure!(said.contains(&format!("remove what is in {place}")), "{said}");
                ensure!(!data.join("store").exists(), "{engine} {held:?}: {said}");
            }
        }
        Ok(())
    });
}
