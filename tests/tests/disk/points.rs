//! The kill at every point of what makes a store or a backup anew: before each write, sync and change of a name below
//! the folder, and after the last. There is the old one or the new one, never neither, and the next run goes through.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use fusionchat_tests::disk::{Disk, Fault, Operation, Preload};
use fusionchat_tests::grpc::client_id;
use fusionchat_tests::program::{Ctl, Output};
use fusionchat_tests::serve::fusionchatd_with;
use fusionchat_tests::stage::{Stage, play_for};
use fusionchatd::store::check::check;
use fusionchatd::store::open::{OpenOptions, open, url_of};
use fusionchatd::store::walk::Walk;
use fusionchatd::store::{Key, Range, Value, table};

use crate::backup::other;
use crate::desk::{Desk, serve, staff_of};
use crate::{ENGINES, WATCHDOG};

/// At how many points of one command it is killed, spread over all there are and the last one among them;
/// `FUSION_KILL_POINTS` says another number, `all` for each.
const POINTS: u64 = 24;
/// Right after the last change of a name, which gives the store its own. sled writes by a clock, so the last of all
/// operations may have come before it in one run and not in the next.
const NAMED: u64 = u64::MAX;
/// How often a run may be over before its point came.
const MISSED_MAX: u64 = 3;
/// After every so many of them the real daemon serves what is left to a client that sends again.
const SERVED_EVERY: u64 = 8;
/// How often a backup is asked for while the daemon has not seen the last asker go.
const ASKED_MAX: u32 = 50;

pub(crate) type Rows = BTreeMap<Key, Value>;

/// The points of a command with so many operations, as how many it lives through.
pub(crate) fn points(operations: u64, usually: u64) -> Result<Vec<u64>> {
    let asked = match std::env::var("FUSION_KILL_POINTS") {
        Ok(all) if all == "all" => operations,
        Ok(number) => number.parse()?,
        Err(_) => usually,
    };
    let count = asked.clamp(1, operations);
    Ok((0..count).map(|point| operations - point * operations / count).rev().collect())
}

/// Every row of a store but the daemon's own, after its journals were held against it.
pub(crate) async fn read(store: &Path) -> Result<Rows> {
    let options = OpenOptions { disk_reserve_bytes: 0, ..OpenOptions::default() };
    let engine = open(&url_of(None, store)?, &options).await?;
    let found = check(engine.as_ref(), |_| ()).await?;
    ensure!(found.faults == 0, "{found:?}");
    let (mut rows, mut walk) = (Rows::new(), Walk::new(engine.as_ref(), Range::prefix(b"")));
    loop {
        let page = walk.next().await?;
        if page.is_empty() {
            break;
        }
        rows.extend(page);
    }
    engine.close().await?;
    rows.remove(&table::daemon()).context("a store has the daemon's row")?;
    Ok(rows)
}

/// A copy of a data directory: files, and folders of files.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir(&to)?;
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// Runs the daemon's program on a disk to its end.
pub(crate) async fn run(stage: &Stage, disk: &Disk, arguments: &[&str]) -> Result<Output> {
    fusionchatd_with(stage, arguments, &disk.variables()).await
}

/// Serves what is left: it answers a repeat with the first message, and takes more.
async fn answers_a_repeat(stage: &Stage, desk: &Desk, data: &Path, sent: &Sent) -> Result<()> {
    let mut served = serve(stage, data).await?;
    let staff = staff_of(&served, &desk.token).await?;
    let again = staff.reply(&sent.client_id, &desk.number, &sent.text).await?;
    ensure!((&again.id, again.seq) == (&sent.id, sent.seq), "{again:?}");
    let more = staff.reply(&client_id(), &desk.number, "more").await?;
    ensure!(more.seq == sent.seq + 1, "{more:?}");
    served.kill9().await
}

/// A message that was acknowledged.
pub(crate) struct Sent {
    client_id: String,
    text: String,
    id: String,
    seq: u64,
}

/// A desk of this engine that has ended, and the last thing it acknowledged.
pub(crate) async fn ended(stage: &Stage, preload: &Preload, engine: &str) -> Result<(Desk, Sent)> {
    let mut desk = Desk::found(stage, preload, engine, false).await?;
    let (client_id, text) = (client_id(), "the last one before".to_owned());
    let message = desk.staff().await?.reply(&client_id, &desk.number, &text).await?;
    desk.served.kill9().await?;
    let sent = Sent { client_id, text, id: message.id, seq: message.seq };
    Ok((desk, sent))
}

#[test]
fn fault_40_a_vacuum_or_migration_killed_at_any_point_leaves_the_old_store_or_the_new() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let (desk, sent) = ended(stage, &preload, engine).await?;
            let expected = read(&desk.disk.root().join("store")).await?;
            let url = format!("{}:", other(engine));
            for more in [&["vacuum"][..], &["migrate", "--to", &url]] {
                let what = format!("{engine} {}", more.join(" "));
                let generations = renew(stage, &preload, &desk, &sent, more, &expected).await;
                let [old, new] = generations.with_context(|| what.clone())?;
                println!("{what}: {old} times the old store, {new} times the new");
                ensure!(old > 0 && new > 0, "{what}: it was never killed on both sides");
            }
        }
        Ok(())
    });
}

/// Kills a vacuum or migration at its points; how often the old store was there afterwards, and how often the new.
async fn renew(
    stage: &Stage,
    preload: &Preload,
    desk: &Desk,
    sent: &Sent,
    more: &[&str],
    expected: &Rows,
) -> Result<[u64; 2]> {
    let (mut operations, mut generations) = (0, [0; 2]);
    let mut lives = vec![0];
    let (mut turn, mut missed) = (0, 0);
    while let Some(survived) = lives.pop() {
        let data = stage.folder("copy")?.canonicalize()?;
        copy(desk.disk.root(), &data)?;
        let old = inode(&data.join("store"))?;
        let disk = Disk::new(stage, preload, &data)?;
        let place = data.to_string_lossy().into_owned();
        let arguments = [&["store"][..], more, &["--data", &place]].concat();
        if operations == 0 {
            // Once without a kill, to count.
            run(stage, &disk, &arguments).await?.expect(0)?;
            operations = disk.seen()?;
            lives = points(operations, POINTS)?;
            println!("{} operations, killed at {} of them", operations, lives.len());
            continue;
        }
        kill_at(&disk, survived, operations)?;
        let ended = run(stage, &disk, &arguments).await?;
        missed += u64::from(!was_killed(&disk, &ended)?);
        let store = data.join("store");
        let is_new = inode(&store)? != old;
        generations[usize::from(is_new)] += 1;
        let rows = read(&store).await.with_context(|| format!("killed at {survived}"))?;
        ensure!(rows == *expected, "killed at {survived}: other rows");
        disk.disarm()?;
        turn += 1;
        if turn % SERVED_EVERY == 0 {
            answers_a_repeat(stage, desk, &data, sent).await?;
            run(stage, &disk, &arguments).await?.expect(0)?;
        } else {
            run(stage, &disk, &arguments).await?.expect(0)?;
            ensure!(read(&store).await? == *expected, "killed at {survived}: the next run");
        }
        let left =
            fs::read_dir(&data)?.map(|it| Ok(it?.file_name())).collect::<Result<Vec<_>>>()?;
        ensure!(left == ["store"], "killed at {survived}: {left:?} is left");
        fs::remove_dir_all(&data)?;
    }
    ensure!(missed <= MISSED_MAX, "{missed} times it was not killed");
    Ok(generations)
}

/// The process lives through so many operations; at the last of all it is killed after it, too.
fn kill_at(disk: &Disk, survived: u64, operations: u64) -> Result<()> {
    if survived == operations {
        return disk.arm(Operation::Any, Fault::KillAfter, operations);
    }
    disk.arm(Operation::Any, Fault::KillBefore, survived)
}

/// Whether it was killed. sled writes and syncs by a clock, too, so a run may have come to its good end before.
fn was_killed(disk: &Disk, ended: &Output) -> Result<bool> {
    let killed = disk.fired()? > 0;
    ensure!(killed == (ended.code == -1), "{ended:?}");
    ensure!(killed || ended.code == 0, "{ended:?}");
    Ok(killed)
}

fn inode(path: &Path) -> Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(fs::metadata(path).with_context(|| path.display().to_string())?.ino())
}

#[test]
fn fault_40_a_restore_killed_at_any_point_leaves_no_store_or_a_whole_one() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        let mut desk = Desk::found(stage, &preload, "sled", false).await?;
        let (client_id, text) = (client_id(), "the last one before".to_owned());
        let message = desk.staff().await?.reply(&client_id, &desk.number, &text).await?;
        let sent = Sent { client_id, text, id: message.id, seq: message.seq };
        let file = desk.backup().await?;
        desk.served.kill9().await?;
        let expected = read(&desk.disk.root().join("store")).await?;
        for engine in ENGINES {
            let [none, whole] =
                restore(stage, &preload, &desk, &sent, (engine, &file), &expected).await?;
            println!("{engine}: {none} times no store, {whole} times a whole one");
            ensure!(none > 0 && whole > 0, "{engine}: it was never killed on both sides");
        }
        Ok(())
    });
}

async fn restore(
    stage: &Stage,
    preload: &Preload,
    desk: &Desk,
    sent: &Sent,
    (engine, file): (&str, &str),
    expected: &Rows,
) -> Result<[u64; 2]> {
    let url = format!("{engine}:");
    let (mut operations, mut names, mut outcomes, mut lives) = (0, 0, [0; 2], vec![0]);
    let (mut turn, mut missed) = (0, 0);
    while let Some(survived) = lives.pop() {
        let data = stage.folder("restored")?.canonicalize()?;
        let disk = Disk::new(stage, preload, &data)?;
        let place = data.to_string_lossy().into_owned();
        let arguments = ["store", "restore", file, "--data", &place, "--store", &url];
        if operations == 0 {
            disk.count(Operation::Name)?;
            run(stage, &disk, &arguments).await?.expect(0)?;
            (operations, names) = (disk.seen()?, disk.counted()?);
            lives = points(operations, POINTS)?;
            lives.push(NAMED);
            println!("{} operations, killed at {} of them", operations, lives.len());
            continue;
        }
        match survived {
            NAMED => disk.arm(Operation::Name, Fault::KillAfter, names)?,
            _ => kill_at(&disk, survived, operations)?,
        }
        let ended = run(stage, &disk, &arguments).await?;
        missed += u64::from(!was_killed(&disk, &ended)?);
        disk.disarm()?;
        let store = data.join("store");
        let is_whole = store.exists();
        outcomes[usize::from(is_whole)] += 1;
        // A whole one is somebody's data by now.
        run(stage, &disk, &arguments).await?.expect(i32::from(is_whole))?;
        ensure!(read(&store).await? == *expected, "killed at {survived}: other rows");
        turn += 1;
        if turn % SERVED_EVERY == 0 {
            answers_a_repeat(stage, desk, &data, sent).await?;
        }
        fs::remove_dir_all(&data)?;
    }
    ensure!(missed <= MISSED_MAX, "{missed} times it was not killed");
    Ok(outcomes)
}

#[test]
fn fault_40_a_backup_killed_at_any_point_leaves_no_file_or_a_whole_one() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let desk = Desk::found(stage, &preload, engine, false).await?;
            let folder = stage.folder("backups")?.canonicalize()?;
            let place = folder.join("desk.backup");
            let path = place.to_string_lossy().into_owned();
            let (mut operations, mut outcomes, mut lives) = (0, [0; 2], vec![0]);
            while let Some(survived) = lives.pop() {
                let disk = Disk::new(stage, &preload, &folder)?;
                let ctl = desk.ctl_on(&disk)?;
                if operations == 0 {
                    asked(&ctl, &path).await?.expect(0)?;
                    operations = disk.seen()?;
                    lives = points(operations, POINTS)?;
                    fs::remove_file(&place)?;
                    continue;
                }
                kill_at(&disk, survived, operations)?;
                let ended = asked(&ctl, &path).await?;
                ensure!(was_killed(&disk, &ended)?, "it was not killed at {survived}");
                disk.disarm()?;
                let is_whole = place.exists();
                outcomes[usize::from(is_whole)] += 1;
                if !is_whole {
                    asked(&ctl, &path).await?.expect(0)?;
                }
                ctl.run(&["server", "backup", "verify", &path]).await?.expect(0)?;
                fs::remove_file(&place)?;
                ensure!(fs::read_dir(&folder)?.next().is_none(), "killed at {survived}: leftovers");
            }
            let [none, whole] = outcomes;
            println!(
                "{engine}: {operations} operations, {none} times no file, {whole} times a whole one"
            );
            ensure!(none > 0 && whole > 0, "{engine}: it was never killed on both sides");
            desk.staff().await?.reply(&client_id(), &desk.number, "it went on").await?;
        }
        Ok(())
    });
}

/// A backup, asked for until the daemon knows that the last asker has gone.
pub(crate) async fn asked(ctl: &Ctl, path: &str) -> Result<Output> {
    for _ in 0..ASKED_MAX {
        let made = ctl.run(&["server", "backup", "create", path, "-o", "json"]).await?;
        if !made.stderr.contains("backup_under_way") {
            return Ok(made);
        }
    }
    bail!("the daemon still makes the backup of somebody who was killed")
}
