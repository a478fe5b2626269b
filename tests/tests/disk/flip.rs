//! Bytes that change on the disk. The store is refused, a read fails, or nothing that is read has changed: wrong data
//! is never given. Whoever is refused is told what to do.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use fusionchat_proto::v1::Message;
use fusionchat_tests::disk::Preload;
use fusionchat_tests::disk::chance::Chance;
use fusionchat_tests::serve::fusionchatd;
use fusionchat_tests::stage::{Stage, play_for};
use fusionchatd::store::open::{OpenOptions, open};
use fusionchatd::store::{Direction, Key, Range, StoreError, Value};

use crate::desk::{Desk, serve, staff_of};
use crate::load::until_killed;
use crate::{ENGINES, WATCHDOG};

/// Copies with a changed byte, of each engine.
const FLIPS: usize = 48;
/// Of those that are refused or fail a read, so many are given to the real daemon.
const SERVED: usize = 3;
/// Acknowledgements of the load before.
const ACKNOWLEDGED: usize = 150;
/// Rows read at a time.
const PAGE: u32 = 500;
/// What every error of a damaged store advises.
const ADVICE: &str = "restore the latest backup";

type Rows = BTreeMap<Key, Value>;

/// What came of a changed byte.
#[derive(Debug)]
enum Outcome {
    /// The store opened and everything was as it was.
    Unharmed,
    /// It did not open.
    Refused(StoreError),
    /// It opened, and a read failed.
    Unread(StoreError),
}

/// Every row, unless a read fails: a page at a time, and each by itself too.
async fn read(engine: &str, store: &Path) -> Result<Rows, Outcome> {
    let url = format!("{engine}:{}", store.display());
    let options = OpenOptions { disk_reserve_bytes: 0, ..OpenOptions::default() };
    let engine = open(&url, &options).await.map_err(Outcome::Refused)?;
    let mut rows = Rows::new();
    let mut range = Range::prefix(&[]);
    loop {
        let page = engine.scan(&range, Direction::Forward, PAGE).await.map_err(Outcome::Unread)?;
        let Some((last, _)) = page.last() else { break };
        range.start = [last.as_ref(), &[0]].concat().into();
        rows.extend(page);
    }
    let keys: Vec<Key> = rows.keys().cloned().collect();
    let values = engine.get(&keys).await.map_err(Outcome::Unread)?;
    rows = keys.into_iter().zip(values).filter_map(|(key, value)| Some((key, value?))).collect();
    // What it says of a store that is being closed is no part of this.
    let _ = engine.close().await;
    Ok(rows)
}

fn copy(from: &Path, to: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(to)?;
    let mut files = vec![];
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let target = to.join(path.file_name().context("a name")?);
        if path.is_dir() {
            files.extend(copy(&path, &target)?);
        } else {
            fs::copy(&path, &target)?;
            files.push(target);
        }
    }
    files.sort();
    Ok(files)
}

/// Changes one byte that is not zero, of any file: half of the time of the largest.
fn flip(files: &[PathBuf], chance: &mut Chance) -> Result<String> {
    let largest = files.iter().max_by_key(|file| fs::metadata(file).map_or(0, |it| it.len()));
    let any = &files[chance.below(files.len())];
    let file = if chance.happens(70) { largest.context("a file")? } else { any };
    let mut bytes = fs::read(file)?;
    let filled: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
    if filled.is_empty() {
        return Ok(format!("{} is empty", file.display()));
    }
    let at = filled[chance.below(filled.len())];
    bytes[at] ^= 1 << chance.below(8);
    fs::write(file, &bytes)?;
    Ok(format!("{} at {at} of {}", file.display(), bytes.len()))
}

#[test]
fn faults_45_46_a_changed_byte_is_never_wrong_data() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let mut desk = Desk::found(stage, &preload, engine, false).await?;
            until_killed(&mut desk, ACKNOWLEDGED).await?;
            // Opened and closed once: what a quiet daemon leaves.
            desk.start().await?;
            let messages = desk.staff().await?.all_messages(&desk.number).await?;
            desk.served.signal("-TERM").await?;
            let (status, said) = desk.served.ended().await?;
            ensure!(status.success(), "{status}: {said:?}");
            check_flips(stage, engine, &desk, &messages)
                .await
                .with_context(|| engine.to_owned())?;
        }
        Ok(())
    });
}

async fn check_flips(stage: &Stage, engine: &str, desk: &Desk, messages: &[Message]) -> Result<()> {
    let sound = desk.disk.root().join("store");
    let folder = stage.folder("flips")?;
    copy(&sound, &folder.join("sound"))?;
    let Ok(rows) = read(engine, &folder.join("sound")).await else { bail!("the sound one") };
    let mut chance = Chance::new(45);
    let (mut refused, mut unread, mut unharmed) = (0, 0, 0);
    for number in 0..FLIPS {
        let data = folder.join(number.to_string());
        let files = copy(&sound, &data.join("store"))?;
        let place = flip(&files, &mut chance)?;
        // Opening may mend a file, so the daemon gets a copy of its own.
        let served = folder.join(format!("{number} served"));
        copy(&data, &served)?;
        let outcome = match read(engine, &data.join("store")).await {
            Ok(read) if read == rows => Outcome::Unharmed,
            Ok(read) => bail!("{place}: {} rows of {}, or others", read.len(), rows.len()),
            Err(outcome) => outcome,
        };
        match &outcome {
            Outcome::Unharmed => unharmed += 1,
            Outcome::Refused(error) | Outcome::Unread(error) => {
                let text = error.to_string();
                ensure!(text.contains(ADVICE), "{place}: no advice: {error:?}");
                if refused + unread < SERVED {
                    served_flip(stage, &served, desk, messages, &outcome).await.context(place)?;
                }
                match outcome {
                    Outcome::Refused(_) => refused += 1,
                    Outcome::Unread(_) | Outcome::Unharmed => unread += 1,
                }
            }
        }
        fs::remove_dir_all(&data)?;
        fs::remove_dir_all(&served)?;
    }
    println!("{engine}: of {FLIPS} {refused} refused, {unread} not read, {unharmed} unharmed");
    ensure!(refused + unread > FLIPS / 10, "hardly a flip hit anything");
    Ok(())
}

/// The real daemon on the same bytes: it does not start and says what to do, or what it answers is right.
async fn served_flip(
    stage: &Stage,
    data: &Path,
    desk: &Desk,
    messages: &[Message],
    outcome: &Outcome,
) -> Result<()> {
    if matches!(outcome, Outcome::Refused(_)) {
        let path = data.to_string_lossy();
        let refused = fusionchatd(stage, &["serve", "--data", &path]).await?.expect(1)?;
        ensure!(refused.stderr.contains(ADVICE), "{refused:?}");
        return Ok(());
    }
    let Ok(mut served) = serve(stage, data).await else { return Ok(()) };
    if let Ok(staff) = staff_of(&served, &desk.token).await
        && let Ok(read) = staff.all_messages(&desk.number).await
    {
        ensure!(read == messages, "wrong messages are served");
    }
    served.kill9().await
}
