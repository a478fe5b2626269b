//! A store of format 1 under today's daemon: killed or without power in the middle of bringing its rows up, and on a
//! disk that fills or fails there. Every message that was acknowledged under format 1 is there at each moment, and the
//! next start goes on.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use fusionchat_tests::disk::power::{Folder, Power};
use fusionchat_tests::disk::{Disk, Fault, Operation, Preload};
use fusionchat_tests::grpc::{client_id, code_of};
use fusionchat_tests::program::Ctl;
use fusionchat_tests::serve::{Served, fusionchatd, fusionchatd_with};
use fusionchat_tests::stage::{Stage, play_for};
use fusionchatd::store::Batch;
use fusionchatd::store::check::check;
use fusionchatd::store::migrate::PROGRESS_KEY;
use fusionchatd::store::open::{DiskEngine, Format, OpenOptions, open, open_to_look};
use fusionchatd::store::walk::Walk;
use fusionchatd::store::{Engine, Range};
use rustix::io::Errno;

use crate::cut_off::{cut, spread, text};
use crate::desk::{Desk, serve, serve_on, staff_of};
use crate::first::{Rows, both_formats};
use crate::load::{Acknowledged, Ledger, until_killed};
use crate::points::{copy, points};
use crate::{ENGINES, WATCHDOG, rows};

/// Messages of the store: some batches of rows.
const ACKNOWLEDGED: usize = 500;
/// Rows written at a time where the store is made.
const ROWS: usize = 500;
/// At how many points a start is killed.
const KILLS: u64 = 16;
/// At how many points a start is held and told to stop.
const STOPS: u64 = 8;
/// Every so many of them the real daemon serves what is left, and ends the migration.
const SERVED_EVERY: usize = 4;
/// Moments at which the power is cut.
const CUTS: usize = 20;
/// What the log says where there is no room for the rest.
const NO_ROOM: &str = "the disk is too full to bring more rows to this program's format";

/// A data directory of format 1.
struct Older {
    engine: DiskEngine,
    data: PathBuf,
    /// Its rows, and what they are to be.
    first: Rows,
    today: Rows,
    ledger: Ledger,
    desk: Desk,
}

fn options() -> OpenOptions {
    OpenOptions { disk_reserve_bytes: 0, ..OpenOptions::default() }
}

async fn all(engine: &dyn Engine) -> Result<Rows> {
    let (mut rows, mut walk) = (Rows::new(), Walk::new(engine, Range::prefix(b"")));
    loop {
        let page = walk.next().await?;
        if page.is_empty() {
            return Ok(rows);
        }
        rows.extend(page);
    }
}

/// Puts a desk under load, kills it, and makes a store of the same engine with the same rows as format 1 had them.
async fn older(stage: &Stage, preload: &Preload, engine: &str) -> Result<Older> {
    let mut desk = Desk::found(stage, preload, engine, false).await?;
    let ledger = until_killed(&mut desk, ACKNOWLEDGED).await?;
    let engine = DiskEngine::named(engine).context("an engine")?;
    let url = engine.url(&desk.disk.root().join("store"));
    let store = open(&url, &options()).await?;
    let (first, today) = both_formats(&all(store.as_ref()).await?);
    store.close().await?;
    let data = stage.folder("older")?.canonicalize()?;
    let (store, format) = open_to_look(&engine.url(&data.join("store")), &options()).await?;
    ensure!(format == Format::New, "{format:?}");
    let put: Vec<_> = first.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    for some in put.chunks(ROWS) {
        store.commit(Batch { put: some.to_vec(), ..Batch::default() }).await?;
    }
    store.close().await?;
    Ok(Older { engine, data, first, today, ledger, desk })
}

impl Older {
    /// What was acknowledged.
    fn acknowledged(&self) -> Vec<Acknowledged> {
        self.ledger.until(usize::MAX)
    }

    /// A copy of it, on a disk of its own.
    fn copied(&self, stage: &Stage, preload: &Preload) -> Result<(PathBuf, Disk)> {
        let data = stage.folder("copy")?.canonicalize()?;
        copy(&self.data, &data)?;
        let disk = Disk::new(stage, preload, &data)?;
        Ok((data, disk))
    }

    /// Looks at a store without changing it: its format, after each row was found to be what it was or what it is to
    /// be, as its mark says, and everything to hold.
    async fn looked(&self, data: &Path) -> Result<Format> {
        let (store, format) = open_to_look(&self.url(data), &options()).await?;
        let rows = all(store.as_ref()).await?;
        let found = check(store.as_ref(), |_| ()).await?;
        store.close().await?;
        ensure!(found.faults == 0, "{found:?}");
        for (key, value) in rows.iter().filter(|(key, _)| key[0] != 0) {
            let is_new = match &format {
                Format::Older(1) => false,
                Format::Midway(mark) => *key < mark.next,
                Format::Own => true,
                Format::New | Format::Older(_) => bail!("it is {format:?}"),
            };
            let expected = if is_new { &self.today } else { &self.first };
            ensure!(expected.get(key) == Some(value), "{format:?}: the row {key:02x?}");
        }
        let more = usize::from(rows.contains_key(PROGRESS_KEY.as_slice()));
        ensure!(rows.len() == self.first.len() + more, "{format:?}: {} rows", rows.len());
        Ok(format)
    }

    /// The real daemon brings it up and serves it: what was acknowledged is there and repeated, and it takes more.
    async fn serves(&self, stage: &Stage, data: &Path) -> Result<()> {
        let mut served = serve(stage, data).await?;
        self.answers(&served).await?;
        served.kill9().await?;
        let checked = fusionchatd(stage, &["store", "check", "--data", &text(data)]).await?;
        let checked = checked.expect(0)?;
        ensure!(!checked.stdout.contains("rows of format 1"), "{}", checked.stdout);
        rows::check(self.engine.name(), &data.join("store"), &self.acknowledged()).await?;
        Ok(())
    }

    /// A daemon has every message and repeats the last of them.
    async fn answers(&self, served: &Served) -> Result<()> {
        let (acknowledged, number) = (self.acknowledged(), &self.desk.number);
        let staff = staff_of(served, &self.desk.token).await?;
        let stored = staff.all_messages(number).await?;
        let mut replies = acknowledged.iter().filter(|line| line.client_id.is_some());
        for line in replies.clone() {
            let message = stored.get(usize::try_from(line.seq)? - 1).context("a reply is lost")?;
            ensure!(message.id == line.id && message.content == line.content, "{message:?}");
        }
        let last = replies.next_back().context("a reply")?;
        let id = last.client_id.as_deref().unwrap_or_default();
        let again = staff.reply(id, number, &last.content).await?;
        ensure!((&again.id, again.seq) == (&last.id, last.seq), "{last:?} again is {again:?}");
        Ok(())
    }

    /// A backup of a daemon, restored; where.
    async fn backed_up(&self, stage: &Stage, served: &Served) -> Result<PathBuf> {
        let file = text(&stage.folder("backups")?.join("half.backup"));
        let endpoint = format!("http://{}", served.address("grpc")?);
        let operator = [("FUSION_ENDPOINT", &*endpoint), ("FUSION_TOKEN", &*self.desk.operator)];
        let ctl = Ctl::with(stage, &stage.folder("home")?, &operator);
        ctl.run(&["server", "backup", "create", &file]).await?.expect(0)?;
        let data = stage.folder("restored")?;
        let restore = ["server", "backup", "restore", &file, "--data", &text(&data)];
        ctl.run(&restore).await?.expect(0)?;
        Ok(data)
    }

    /// Its store in a data directory.
    fn url(&self, data: &Path) -> String {
        self.engine.url(&data.join("store"))
    }

    /// A daemon takes a message, however far the rows are.
    async fn takes(&self, served: &Served, content: &str) -> Result<()> {
        let staff = staff_of(served, &self.desk.token).await?;
        let before = staff.all_messages(&self.desk.number).await?.len() as u64;
        let message = staff.reply(&client_id(), &self.desk.number, content).await?;
        ensure!(message.seq == before + 1, "{message:?}");
        Ok(())
    }
}

/// How far the stores were that were looked at.
#[derive(Debug, Default)]
struct Seen {
    older: usize,
    midway: usize,
    own: usize,
}

impl Seen {
    fn add(&mut self, format: &Format) {
        match format {
            Format::Older(_) => self.older += 1,
            Format::Midway(_) => self.midway += 1,
            Format::New | Format::Own => self.own += 1,
        }
    }
}

/// How many such operations a start takes, until the daemon is ready.
async fn count(
    stage: &Stage,
    older: &Older,
    preload: &Preload,
    operation: Operation,
) -> Result<u64> {
    let (data, disk) = older.copied(stage, preload)?;
    disk.count(operation)?;
    let mut served = serve_on(stage, &disk).await?;
    let counted = disk.counted()?;
    served.kill9().await?;
    fs::remove_dir_all(&data)?;
    Ok(counted)
}

#[test]
fn fault_60_a_daemon_killed_while_it_brings_rows_up_goes_on_where_it_was() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let older = older(stage, &preload, engine).await?;
            let operations = count(stage, &older, &preload, Operation::Any).await?;
            let mut seen = Seen::default();
            for (turn, survived) in points(operations, KILLS)?.into_iter().enumerate() {
                let (data, disk) = older.copied(stage, &preload)?;
                disk.arm(Operation::Any, Fault::KillBefore, survived)?;
                // What comes at the end of a start may come after it said that it is ready.
                if let Ok(mut served) = serve_on(stage, &disk).await {
                    served.kill9().await?;
                }
                disk.disarm()?;
                let told = || format!("{engine}: killed at {survived} of {operations}");
                let format = older.looked(&data).await.with_context(told)?;
                seen.add(&format);
                if turn % SERVED_EVERY == 0 {
                    older.serves(stage, &data).await.with_context(told)?;
                } else {
                    open(&older.url(&data), &options()).await?.close().await?;
                    let format = older.looked(&data).await.with_context(told)?;
                    ensure!(format == Format::Own, "{}: {format:?}", told());
                }
                fs::remove_dir_all(&data)?;
            }
            println!("{engine}: {operations} operations, {seen:?}");
            ensure!(seen.older > 0 && seen.midway > 2, "{engine}: it was hardly in it: {seen:?}");
        }
        Ok(())
    });
}

#[test]
fn fault_60_a_stop_while_rows_are_brought_up_ends_well_and_the_next_start_goes_on() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let older = older(stage, &preload, engine).await?;
            let operations = count(stage, &older, &preload, Operation::Any).await?;
            let mut seen = Seen::default();
            // But for the last ones: the daemon may be ready by then.
            for nth in points(operations, STOPS)?.into_iter().rev().skip(2) {
                let (data, disk) = older.copied(stage, &preload)?;
                disk.arm(Operation::Any, Fault::Waits, nth)?;
                let mut served = Served::spawn_in(stage, &data, "", &disk.variables())?;
                while disk.fired()? == 0 {
                    tokio::task::yield_now().await;
                }
                served.signal("-TERM").await?;
                let (status, said) = served.ended().await?;
                let told = || format!("{engine}: stopped at {nth} of {operations}");
                ensure!(status.success(), "{}: {status}: {said:?}", told());
                seen.add(&older.looked(&data).await.with_context(told)?);
                older.serves(stage, &data).await.with_context(told)?;
                fs::remove_dir_all(&data)?;
            }
            println!("{engine}: {operations} operations, {seen:?}");
            ensure!(seen.midway > 0, "{engine}: it was hardly in it: {seen:?}");
        }
        Ok(())
    });
}

#[test]
fn fault_60_a_power_cut_while_rows_are_brought_up_loses_nothing() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let older = older(stage, &preload, engine).await?;
            let (data, disk) = older.copied(stage, &preload)?;
            let before = Folder::read(&data)?;
            serve_on(stage, &disk).await?.kill9().await?;
            let record = disk.record()?;
            let (mut seen, mut turn) = (Seen::default(), 0);
            let look = async |image: &Path, done: bool| {
                let format = older.looked(image).await?;
                ensure!(!done || format == Format::Own, "it was served, and is {format:?}");
                seen.add(&format);
                turn += 1;
                if turn % SERVED_EVERY == 0 {
                    return older.serves(stage, image).await;
                }
                let store = image.join("store");
                rows::check(engine, &store, &older.acknowledged()).await?;
                Ok(())
            };
            let (power, moments) = (Power::over(&record, &before)?, spread(&record, CUTS));
            let looked = cut(stage, power, &moments, look);
            looked.await.with_context(|| engine.to_owned())?;
            println!("{engine}: {seen:?}");
            ensure!(seen.midway > CUTS / 4, "{engine}: it was hardly in it: {seen:?}");
        }
        Ok(())
    });
}

#[test]
fn fault_48_a_disk_that_fills_while_rows_are_brought_up_is_served_half_way() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let older = older(stage, &preload, engine).await?;
            fills(stage, &preload, &older).await.with_context(|| engine.to_owned())?;
        }
        Ok(())
    });
}

async fn fills(stage: &Stage, preload: &Preload, older: &Older) -> Result<()> {
    let (data, disk) = older.copied(stage, preload)?;
    let place = text(&data);
    let serve_to_its_end = async |disk: &Disk| {
        let any = "127.0.0.1:0".to_owned();
        let ports =
            ["FUSION_HTTP_LISTEN", "FUSION_GRPC_LISTEN"].map(|it| (it.to_owned(), any.clone()));
        let variables: Vec<_> = disk.variables().into_iter().chain(ports).collect();
        fusionchatd_with(stage, &["serve", "--data", &place], &variables).await
    };
    // Nothing has begun: the older daemon can go on.
    disk.say_free(Some(1024 * 1024))?;
    let refused = serve_to_its_end(&disk).await?.expect(1)?;
    let why = ["has format 1", "no room to bring it to 2", "nothing was changed", "make room"];
    ensure!(why.iter().all(|it| refused.stderr.contains(it)), "{refused:?}");
    ensure!(older.looked(&data).await? == Format::Older(1), "it has begun");
    disk.say_free(None)?;

    // A write that fails in the middle ends it.
    let late = count(stage, older, preload, Operation::Write).await? * 3 / 4;
    disk.arm(Operation::Write, Fault::KeepsFailing(Errno::NOSPC.raw_os_error()), late)?;
    let failed = serve_to_its_end(&disk).await?.expect(1)?;
    ensure!(disk.fired()? > 0, "nothing failed");
    let why = ["from format 1 to 2", "failed while writing", "No space left on device"];
    ensure!(why.iter().all(|it| failed.stderr.contains(it)), "{failed:?}");
    disk.disarm()?;
    let Format::Midway(mark) = older.looked(&data).await? else { bail!("it is not half way") };

    // Below the reserve it is served as it is.
    disk.say_free(Some(1024 * 1024))?;
    let mut served = serve_on(stage, &disk).await?;
    let warned = served
        .early
        .iter()
        .find(|line| line["fields"]["message"].as_str().is_some_and(|it| it.starts_with(NO_ROOM)));
    let warned = warned.context("it does not say so")?;
    ensure!(warned["level"] == "WARN" && warned["fields"]["from"] == 1, "{warned}");
    let staff = staff_of(&served, &older.desk.token).await?;
    let (number, id) = (&older.desk.number, client_id());
    let refused = staff.reply(&id, number, "on a full disk").await;
    let refused = refused.err().context("taken on a full disk")?;
    ensure!(code_of(&refused) == "disk_full", "{refused:?}");
    older.answers(&served).await?;

    // There is room again: it takes more, half way, and gives a backup.
    disk.say_free(None)?;
    served.said("free disk above the reserve again: writes resume").await?;
    older.takes(&served, "said half way").await?;
    let restored = older.backed_up(stage, &served).await?;
    served.kill9().await?;
    let (store, format) = open_to_look(&older.url(&data), &options()).await?;
    store.close().await?;
    ensure!(format == Format::Midway(mark), "{format:?}");
    let checked = fusionchatd(stage, &["store", "check", "--data", &place]).await?.expect(0)?;
    ensure!(checked.stdout.contains("rows of format 1"), "{}", checked.stdout);
    for data in [data, restored] {
        older.serves(stage, &data).await?;
        let served = serve(stage, &data).await?;
        let stored = staff_of(&served, &older.desk.token).await?.all_messages(number).await?;
        let half_way = stored.iter().filter(|message| message.content == "said half way").count();
        ensure!(half_way == 1, "{half_way} times in {}", data.display());
    }
    Ok(())
}
