//! Writes and syncs that fail, and a disk that is nearly full. After a failed one nothing more is acknowledged and the
//! daemon ends; what was acknowledged before is there even if the power goes with it.

use anyhow::{Context, Result, ensure};
use fusionchat_tests::disk::chance::Chance;
use fusionchat_tests::disk::names::Order;
use fusionchat_tests::disk::power::{Fate, Power};
use fusionchat_tests::disk::record::Reach;
use fusionchat_tests::disk::{Disk, Fault, Operation, Preload};
use fusionchat_tests::grpc::{client_id, code_of};
use fusionchat_tests::serve::{Served, fusionchatd_with};
use fusionchat_tests::stage::{Stage, play_for};
use rustix::io::Errno;

use crate::desk::{self, Desk, staff_of};
use crate::load::{self, Ledger, reply};
use crate::rows;
use crate::{ENGINES, WATCHDOG};

/// Who writes until the daemon ends.
const WRITERS: usize = 4;
/// Replies a writer has at most.
const REPLIES_MAX: usize = 100_000;
/// Which write or sync it is: the load is on by then.
const NTH: u64 = 9;
/// Writes of `init` that fail, each in its turn.
const INIT_WRITES: [u64; 4] = [1, 3, 9, 20];

/// Writes that fail after the next one, each in its turn. sled writes what a batch makes in two pieces, by two threads.
const LATE_WRITES: [u64; 4] = [1, 2, 3, 4];

/// Messages of a store that takes some writes to be copied.
const COPIED: usize = 900;

/// Into how many parts its writes are divided: at the end of each the disk is full.
const COPY_MOMENTS: u64 = 12;

/// Writes of a vacuum or migration that fail, each in its turn.
const VACUUM_WRITES: [u64; 3] = [1, 4, 9];

/// Syncs that may come besides those that were counted.
const SYNCS_SPARE: u64 = 4;

/// How the exchange of two stores fails, and what is said of it.
const EXCHANGES: [(Errno, &str); 2] = [
    (Errno::INVAL, "its file system cannot exchange directories"),
    (Errno::IO, "Input/output error"),
];

/// How a disk takes no writes, what is told of it, and what to do about that.
const STARTS: [(Errno, &str, &str); 3] = [
    (Errno::NOSPC, "No space left on device", "make room on its disk"),
    (Errno::ROFS, "Read-only file system", "look after its disk"),
    (Errno::IO, "Input/output error", "look after its disk"),
];
/// So many writes of an opening fail, each in its turn: fewer than any engine makes.
const OPENING_WRITES: u64 = 3;

/// What fails, and what the log must tell of it.
const FAULTS: [(Operation, Fault, &str); 6] = [
    (Operation::Sync, Fault::Fails(Errno::IO.raw_os_error()), "Input/output error"),
    (Operation::Sync, Fault::KeepsFailing(Errno::IO.raw_os_error()), "Input/output error"),
    (Operation::Write, Fault::Fails(Errno::NOSPC.raw_os_error()), "No space left on device"),
    (Operation::Write, Fault::KeepsFailing(Errno::NOSPC.raw_os_error()), "No space left on device"),
    (Operation::Write, Fault::KeepsFailing(Errno::ROFS.raw_os_error()), "Read-only file system"),
    (Operation::Write, Fault::Fails(Errno::IO.raw_os_error()), "Input/output error"),
];

#[test]
fn faults_50_51_after_a_failed_write_or_sync_nothing_is_acknowledged() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let mut desk = Desk::found(stage, &preload, engine, false).await?;
            let ledger = Ledger::default();
            for (operation, fault, told) in FAULTS {
                let what = format!("{engine}: {operation:?} {fault:?}");
                fail(stage, engine, &mut desk, &ledger, (operation, fault), told)
                    .await
                    .context(what)?;
            }
        }
        Ok(())
    });
}

/// One fault under load, from a running daemon to the next.
async fn fail(
    stage: &Stage,
    engine: &str,
    desk: &mut Desk,
    ledger: &Ledger,
    (operation, fault): (Operation, Fault),
    told: &str,
) -> Result<()> {
    let staff = desk.staff().await?;
    let fired = desk.disk.fired()?;
    desk.disk.arm(operation, fault, NTH)?;
    {
        let (desk, staff) = (&*desk, &staff);
        let writers = (0..WRITERS).map(|writer| async move {
            for count in 0..REPLIES_MAX {
                let text = format!("{fault:?} writer {writer} reply {count}");
                if reply(desk, staff, ledger, text).await.is_err() {
                    break;
                }
            }
        });
        futures::future::join_all(writers).await;
    }
    let (status, said) = desk.served.ended().await?;
    let said = said.join("\n");
    ensure!(desk.disk.fired()? > fired, "nothing failed");
    ensure!(status.code() == Some(1), "the daemon ended with {status}: {said}");
    ensure!(said.contains("nothing more was acknowledged"), "it does not say so: {said}");
    ensure!(said.contains(told), "it does not say why: {said}");
    desk.disk.disarm()?;

    // As if the power went with it: what no sync has covered is lost.
    let record = desk.disk.record()?;
    let mut power = Power::new(&record);
    power.go_on(usize::MAX)?;
    let acknowledged = ledger.until(usize::MAX);
    ensure!(!acknowledged.is_empty(), "there was no load");
    let lost = stage.folder("lost")?.join("data");
    power.image(Fate::Lost, Order::Strict, &mut Chance::new(50), &lost)?;
    rows::check(engine, &lost.join("store"), &acknowledged).await.context("power lost too")?;
    std::fs::remove_dir_all(&lost)?;

    desk.start().await.context("starting again")?;
    let staff = desk.staff().await?;
    let stored = staff.all_messages(&desk.number).await?;
    for line in &acknowledged {
        let message = stored.get(usize::try_from(line.seq)? - 1).context("a reply is lost")?;
        ensure!(message.id == line.id && message.content == line.content, "{message:?} {line:?}");
    }
    Ok(())
}

#[test]
fn fault_51_a_write_that_fails_after_the_next_one_ends_the_daemon_too() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let mut desk = Desk::found(stage, &preload, engine, false).await?;
            let mut stood_still = 0;
            for nth in LATE_WRITES {
                let what = format!("{engine}: write {nth}");
                let staff = desk.staff().await?;
                let fired = desk.disk.fired()?;
                desk.disk.arm(
                    Operation::Write,
                    Fault::FailsLate(Errno::NOSPC.raw_os_error()),
                    nth,
                )?;
                let ledger = Ledger::default();
                let mut replies = (0..REPLIES_MAX).map(|count| format!("{what}, reply {count}"));
                while reply(&desk, &staff, &ledger, replies.next().context("it took all")?)
                    .await
                    .is_ok()
                {}
                let (status, said) = desk.served.ended().await?;
                let said = said.join("\n");
                ensure!(desk.disk.fired()? > fired, "{what}: nothing failed");
                ensure!(status.code() == Some(1), "{what}: it ended with {status}: {said}");
                ensure!(said.contains("No space left on device"), "{what}: not why: {said}");
                stood_still += usize::from(said.contains("the store's writer stands still"));
                desk.disk.disarm()?;
                desk.start().await.context(what)?;
            }
            ensure!(engine != "sled" || stood_still > 0, "sled was never left asleep");
        }
        Ok(())
    });
}

#[test]
fn fault_51_a_disk_that_takes_no_writes_at_the_start_is_named() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let mut desk = Desk::found(stage, &preload, engine, false).await?;
            desk.served.kill9().await?;
            let data = desk.disk.root().to_string_lossy().into_owned();
            let variables = desk.served_variables();
            for (error, told, advice) in STARTS {
                for nth in 1..=OPENING_WRITES {
                    let fails = Fault::KeepsFailing(error.raw_os_error());
                    desk.disk.arm(Operation::Write, fails, nth)?;
                    let serve = ["serve", "--data", &data];
                    let refused = fusionchatd_with(stage, &serve, &variables).await?.expect(1)?;
                    let what = format!("{engine}, write {nth}: {refused:?}");
                    ensure!(refused.stderr.contains(&data), "it names no place: {what}");
                    ensure!(refused.stderr.contains(told), "it gives no reason: {what}");
                    ensure!(refused.stderr.contains(advice), "not what to do: {what}");
                    ensure!(!refused.stderr.contains("permissions"), "another reason: {what}");
                    desk.disk.disarm()?;
                }
            }
            desk.start().await?;
        }
        Ok(())
    });
}

#[test]
fn fault_51_an_init_that_cannot_write_shows_no_secret_and_leaves_no_store() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            for nth in INIT_WRITES {
                let data = stage.folder("data")?;
                let disk = Disk::new(stage, &preload, &data)?;
                let full = Fault::KeepsFailing(Errno::NOSPC.raw_os_error());
                disk.arm(Operation::Write, full, nth)?;
                let failed = desk::try_init(stage, &disk, engine).await?;
                ensure!(disk.fired()? > 0, "write {nth} did not come");
                ensure!(failed.code == 1 && failed.stdout.is_empty(), "write {nth}: {failed:?}");
                ensure!(
                    failed.stderr.contains("No space left on device"),
                    "write {nth}: {failed:?}"
                );
                ensure!(!data.join("store").exists(), "write {nth}: there is a store");
            }
        }
        Ok(())
    });
}

#[test]
fn fault_51_an_init_whose_syncs_fail_shows_no_secret() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let disk = Disk::new(stage, &preload, &stage.folder("data")?)?;
            disk.count(Operation::Sync)?;
            desk::init(stage, &disk, engine).await?;
            let syncs = disk.counted()?;
            let (mut failures, mut named) = (0, 0);
            for nth in 1..=syncs + SYNCS_SPARE {
                let data = stage.folder("data")?;
                let disk = Disk::new(stage, &preload, &data)?;
                disk.arm(Operation::Sync, Fault::KeepsFailing(Errno::IO.raw_os_error()), nth)?;
                let failed = desk::try_init(stage, &disk, engine).await?;
                if disk.fired()? == 0 {
                    // sled syncs by a clock, too: there are sometimes fewer, sometimes more.
                    continue;
                }
                let what = format!("{engine}, sync {nth} of {syncs}: {failed:?}");
                ensure!(failed.code == 1 && failed.stdout.is_empty(), "{what}");
                ensure!(failed.stderr.contains("Input/output error"), "{what}");
                failures += 1;
                if data.join("store").exists() {
                    ensure!(failed.stderr.contains("remove it and begin again"), "{what}");
                    named += 1;
                }
            }
            ensure!(failures > 2 && named > 0, "{engine}: {failures} of {syncs}, {named}");
        }
        Ok(())
    });
}

#[test]
fn fault_49_a_vacuum_without_room_leaves_the_store_as_it_was() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let mut desk = Desk::found(stage, &preload, engine, false).await?;
            let before = desk.staff().await?.all_messages(&desk.number).await?;
            let data = desk.disk.root().to_string_lossy().into_owned();
            let other = if engine == "sled" { "redb:" } else { "sled:" };
            for verb in [&["store", "vacuum"][..], &["store", "migrate", "--to", other]] {
                for nth in VACUUM_WRITES {
                    desk.served.kill9().await?;
                    let fired = desk.disk.fired()?;
                    let full = Fault::KeepsFailing(Errno::NOSPC.raw_os_error());
                    desk.disk.arm(Operation::Write, full, nth)?;
                    let arguments = [verb, &["--data", &data]].concat();
                    let variables = desk.disk.variables();
                    let failed =
                        fusionchatd_with(stage, &arguments, &variables).await?.expect(1)?;
                    let what = format!("{engine}: {verb:?}, write {nth}: {failed:?}");
                    ensure!(desk.disk.fired()? > fired, "it did not come: {what}");
                    ensure!(failed.stderr.contains("No space left on device"), "{what}");
                    desk.disk.disarm()?;
                    desk.start().await.context(what)?;
                    let after = desk.staff().await?.all_messages(&desk.number).await?;
                    ensure!(after == before, "{engine}: {verb:?}, write {nth}: {after:?}");
                }
            }
        }
        Ok(())
    });
}

#[test]
fn fault_49_a_copy_that_fails_says_what_a_commit_says_and_is_removed() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let mut desk = Desk::found(stage, &preload, engine, false).await?;
            let ledger = load::until_killed(&mut desk, COPIED).await?;
            desk.disk.count(Operation::Write)?;
            desk.vacuum().await?.expect(0)?;
            let writes = desk.disk.counted()?;
            let mut told = Vec::new();
            for moment in 1..COPY_MOMENTS {
                let (nth, fired) = (writes * moment / COPY_MOMENTS, desk.disk.fired()?);
                let full = Fault::KeepsFailing(Errno::NOSPC.raw_os_error());
                desk.disk.arm(Operation::Write, full, nth.max(1))?;
                let failed = desk.vacuum().await?;
                desk.disk.disarm()?;
                if desk.disk.fired()? == fired {
                    // sled writes by a clock, too: it may have come to its end before.
                    continue;
                }
                let what = format!("{engine}, write {nth} of {writes}: {failed:?}");
                ensure!(failed.code == 1, "{what}");
                ensure!(failed.stderr.contains("No space left on device"), "{what}");
                ensure!(!failed.stderr.contains("damaged"), "{what}");
                ensure!(!desk.disk.root().join("store.unfinished").exists(), "{what}");
                if failed.stderr.contains("the store failed while writing") {
                    told.push(moment);
                }
            }
            println!("{engine}: {writes} writes, said so at {told:?} of {COPY_MOMENTS}");
            let mut middle = COPY_MOMENTS / 4..COPY_MOMENTS * 3 / 4;
            ensure!(middle.all(|moment| told.contains(&moment)), "{engine}: {told:?}");
            let store = desk.disk.root().join("store");
            rows::check(engine, &store, &ledger.until(usize::MAX)).await?;
        }
        Ok(())
    });
}

#[test]
fn faults_48_51_a_vacuum_whose_syncs_fail_leaves_a_whole_store() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let mut desk = Desk::found(stage, &preload, engine, false).await?;
            let before = desk.staff().await?.all_messages(&desk.number).await?;
            desk.served.kill9().await?;
            desk.disk.count(Operation::Sync)?;
            desk.vacuum().await?.expect(0)?;
            let syncs = desk.disk.counted()?;
            let (mut failures, mut unconfirmed) = (0, 0);
            for nth in 1..=syncs + SYNCS_SPARE {
                let fired = desk.disk.fired()?;
                let broken = Fault::KeepsFailing(Errno::IO.raw_os_error());
                desk.disk.arm(Operation::Sync, broken, nth)?;
                let failed = desk.vacuum().await?;
                desk.disk.disarm()?;
                if desk.disk.fired()? == fired {
                    // sled syncs by a clock, too: there are sometimes fewer, sometimes more.
                    continue;
                }
                let what = format!("{engine}, sync {nth} of {syncs}: {failed:?}");
                ensure!(failed.code == 1, "{what}");
                ensure!(failed.stderr.contains("Input/output error"), "{what}");
                failures += 1;
                unconfirmed += usize::from(failed.stderr.contains("the disk did not confirm it"));
                desk.start().await.context(what.clone())?;
                let after = desk.staff().await?.all_messages(&desk.number).await?;
                ensure!(after == before, "{what}: {after:?}");
                desk.served.kill9().await?;
            }
            println!("{engine}: {failures} of {syncs} syncs failed, {unconfirmed} in place");
            ensure!(failures > 2 && unconfirmed > 0, "{engine}: {failures}, {unconfirmed}");

            desk.disk.say_free(Some(1024 * 1024))?;
            let full = desk.vacuum().await?.expect(1)?;
            ensure!(full.stderr.contains("must stay free"), "{full:?}");
            ensure!(!desk.disk.root().join("store.unfinished").exists(), "{full:?}");
            desk.disk.say_free(None)?;
            desk.start().await?;
            let after = desk.staff().await?.all_messages(&desk.number).await?;
            ensure!(after == before, "{engine}: {after:?}");
        }
        Ok(())
    });
}

#[test]
fn fault_51_two_stores_that_cannot_change_places_leave_the_old_one_alone() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let mut desk = Desk::found(stage, &preload, engine, false).await?;
            let before = desk.staff().await?.all_messages(&desk.number).await?;
            desk.served.kill9().await?;
            for (error, told) in EXCHANGES {
                let fired = desk.disk.fired()?;
                desk.disk.arm(Operation::Exchange, Fault::Fails(error.raw_os_error()), 1)?;
                let failed = desk.vacuum().await?.expect(1)?;
                let what = format!("{engine}: {error:?}: {failed:?}");
                ensure!(desk.disk.fired()? > fired, "it did not come: {what}");
                ensure!(failed.stderr.contains(told), "not why: {what}");
                ensure!(!desk.disk.root().join("store.unfinished").exists(), "left: {what}");
            }
            desk.start().await?;
            let after = desk.staff().await?.all_messages(&desk.number).await?;
            ensure!(after == before, "{engine}: {after:?}");
        }
        Ok(())
    });
}

#[test]
fn fault_48_below_the_reserve_writes_are_refused_and_resume_by_themselves() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let mut desk = Desk::found(stage, &preload, engine, false).await?;
            let staff = desk.staff().await?;
            let before = staff.all_messages(&desk.number).await?;
            let mut visitor = desk.visitor().await?;

            desk.disk.say_free(Some(1024 * 1024))?;
            let (id, text) = (client_id(), "said on a full disk");
            let refused = staff.reply(&id, &desk.number, text).await;
            let refused = refused.err().context("taken on a full disk")?;
            ensure!(code_of(&refused) == "disk_full", "{refused:?}");
            desk.served.said("free disk below the reserve: no writes").await?;
            let line = visitor.say("hello?").await?;
            let error = visitor.until("an error", |frame| frame["type"] == "error").await?;
            ensure!(error["code"] == "disk_full", "{error}");
            ensure!(error["retryAfterMs"].is_u64() && visitor.outbox.len() == 1, "{error}");
            ensure!(ready(&desk.served).await? == 503, "a full daemon says it is ready");
            let during = staff.all_messages(&desk.number).await?;
            ensure!(during == before, "reads go on");
            ensure!(desk.disk.record()?.reach(text) == Reach::Nowhere, "it was written");

            desk.disk.say_free(None)?;
            desk.served.said("free disk above the reserve again: writes resume").await?;
            ensure!(ready(&desk.served).await? == 200, "it does not say it is ready again");
            let message = staff.reply(&id, &desk.number, text).await?;
            ensure!(message.seq == before.len() as u64 + 1, "{message:?}");
            visitor.disconnect();
            visitor.connect().await?;
            visitor.acked(&line).await?;
            ensure!(desk.disk.record()?.reach(text) == Reach::Synced, "it was not written");
            let staff = staff_of(&desk.served, &desk.token).await?;
            ensure!(staff.all_messages(&desk.number).await?.len() == before.len() + 1, "once");
        }
        Ok(())
    });
}

async fn ready(served: &Served) -> Result<u16> {
    Ok(served.get("http", "/readyz").await?.0)
}
