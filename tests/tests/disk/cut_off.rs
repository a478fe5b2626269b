//! The power cut while a command makes a store or a backup anew, and right after it has said that it is done. There is
//! the old one, the new one, or none where there was none: never a part of one.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use fusionchat_tests::disk::chance::Chance;
use fusionchat_tests::disk::power::{Fate, Folder, Power};
use fusionchat_tests::disk::record::{Record, What};
use fusionchat_tests::disk::{Disk, Preload};
use fusionchat_tests::grpc::client_id;
use fusionchat_tests::serve::fusionchatd;
use fusionchat_tests::stage::{Stage, play_for};

use crate::desk::Desk;
use crate::points::{Rows, asked, ended, read, run};
use crate::power::ORDERS;
use crate::{ENGINES, WATCHDOG};

/// Moments at which the power is cut: of a restore, and of a vacuum or a backup.
const CUTS_OF_RESTORE: usize = 48;
const CUTS: usize = 24;
/// How much before the exchange of two stores, and after it, is looked at more closely.
const BEFORE: usize = 6;
const AFTER: usize = 18;
/// What tells the old store from the new: a file in it that no engine knows.
const MARK: &str = "is.the.old";
/// Messages of a length that gives a backup several parts.
const MESSAGES: usize = 8;
const LONG: usize = 10_000;

/// Moments spread over a record, the last one its end.
pub(crate) fn spread(record: &Record, count: usize) -> Vec<usize> {
    let events = &record.events;
    (1..=count).map(|cut| events[(cut * events.len() / count).max(1) - 1].end).collect()
}

/// Cuts the power at these moments, in order, and then after everything. `look` gets each image, and whether all
/// was done.
pub(crate) async fn cut(
    stage: &Stage,
    mut power: Power<'_>,
    moments: &[usize],
    mut look: impl AsyncFnMut(&Path, bool) -> Result<()>,
) -> Result<()> {
    let (images, mut chance) = (stage.folder("images")?, Chance::new(40));
    let ends = moments.iter().map(|moment| (*moment, false));
    let ends = ends.chain([(usize::MAX, true); Fate::ALL.len()]);
    for (number, (length, done)) in ends.enumerate() {
        let turn = number / Fate::ALL.len();
        let (fate, order) = (Fate::ALL[number % Fate::ALL.len()], ORDERS[(number + turn) % 2]);
        let image = images.join(number.to_string());
        power.go_on(length)?;
        power.image(fate, order, &mut chance, &image)?;
        let looked = look(&image, done).await;
        looked.with_context(|| format!("image {number}, cut at {length}, {fate:?}, {order:?}"))?;
        fs::remove_dir_all(&image)?;
    }
    Ok(())
}

/// The text of a path.
pub(crate) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[test]
fn faults_40_41_42_43_a_power_cut_while_restoring_leaves_no_store_or_a_whole_one() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        let desk = Desk::found(stage, &preload, "sled", false).await?;
        let file = desk.backup().await?;
        for engine in ENGINES {
            let data = stage.folder("restored")?.canonicalize()?;
            let disk = Disk::new(stage, &preload, &data)?;
            let (place, url) = (text(&data), format!("{engine}:"));
            let arguments = ["store", "restore", &file, "--data", &place, "--store", &url];
            run(stage, &disk, &arguments).await?.expect(0)?;
            let expected = read(&data.join("store")).await?;
            let record = disk.record()?;
            let moments = spread(&record, CUTS_OF_RESTORE);
            let mut whole = 0;
            let look = async |image: &Path, done: bool| {
                let store = image.join("store");
                if store.exists() {
                    ensure!(read(&store).await? == expected, "other rows");
                    whole += usize::from(!done);
                    return Ok(());
                }
                ensure!(!done, "there is no store");
                Ok(())
            };
            let looked = cut(stage, Power::new(&record), &moments, look).await;
            looked.with_context(|| engine.to_owned())?;
            println!("{engine}: {whole} of {CUTS_OF_RESTORE} images had a store");
            ensure!(whole > 0 && whole < CUTS_OF_RESTORE, "{engine}: never on both sides");
        }
        Ok(())
    });
}

#[test]
fn faults_40_41_42_43_a_power_cut_during_a_vacuum_leaves_the_old_store_or_the_new() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let (desk, _) = ended(stage, &preload, engine).await?;
            let data = desk.disk.root();
            let expected = read(&data.join("store")).await?;
            fs::write(data.join("store").join(MARK), "")?;
            let before = Folder::read(data)?;
            let disk = Disk::new(stage, &preload, data)?;
            run(stage, &disk, &["store", "vacuum", "--data", &text(data)]).await?.expect(0)?;
            let [old, new] = vacuumed(stage, &disk.record()?, &before, &expected)
                .await
                .with_context(|| engine.to_owned())?;
            println!("{engine}: {old} times the old store, {new} times the new");
            ensure!(old > 0 && new > 0, "{engine}: never on both sides");
        }
        Ok(())
    });
}

/// Cuts the power during a vacuum and after it; how often the old store was there, and how often the new.
async fn vacuumed(
    stage: &Stage,
    record: &Record,
    before: &Folder,
    expected: &Rows,
) -> Result<[usize; 2]> {
    let exchange = |what: &What| matches!(what, What::Exchange { .. });
    let at = record.events.iter().position(|event| exchange(&event.what));
    let at = at.context("two stores change places")?;
    let near = record.events.iter().take(at + AFTER).skip(at.saturating_sub(BEFORE));
    let near: Vec<usize> = near.map(|event| event.end).collect();
    let mut moments = spread(record, CUTS / 2);
    moments.extend((0..CUTS / 2).map(|cut| near[cut * near.len() / (CUTS / 2)]));
    moments.sort_unstable();
    let mut generations = [0; 2];
    let look = async |image: &Path, done: bool| {
        let store = image.join("store");
        let is_new = !store.join(MARK).exists();
        ensure!(is_new || !done, "it was said to be done, and is not");
        generations[usize::from(is_new)] += 1;
        ensure!(read(&store).await? == *expected, "other rows, is new: {is_new}");
        fusionchatd(stage, &["store", "vacuum", "--data", &text(image)]).await?.expect(0)?;
        ensure!(read(&store).await? == *expected, "other rows after the next vacuum");
        let left = fs::read_dir(image)?.map(|it| Ok(it?.file_name()));
        let left = left.collect::<Result<Vec<_>>>()?;
        ensure!(left == ["store"], "{left:?} is left");
        Ok(())
    };
    cut(stage, Power::over(record, before)?, &moments, look).await?;
    Ok(generations)
}

#[test]
fn faults_40_41_42_43_a_power_cut_during_a_backup_leaves_no_file_or_a_whole_one() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let desk = Desk::found(stage, &preload, engine, false).await?;
            let staff = desk.staff().await?;
            for number in 0..MESSAGES {
                let content = format!("{number} {}", "\u{1f642}".repeat(LONG - 10));
                staff.reply(&client_id(), &desk.number, &content).await?;
            }
            let folder = stage.folder("backups")?.canonicalize()?;
            let disk = Disk::new(stage, &preload, &folder)?;
            let ctl = desk.ctl()?;
            asked(&desk.ctl_on(&disk)?, &text(&folder.join("desk.backup"))).await?.expect(0)?;
            let record = disk.record()?;
            let moments = spread(&record, CUTS);
            let mut whole = 0;
            let look = async |image: &Path, done: bool| {
                let place = image.join("desk.backup");
                let path = text(&place);
                if place.exists() {
                    whole += usize::from(!done);
                } else {
                    ensure!(!done, "it was said to be done, and is not there");
                    asked(&ctl, &path).await?.expect(0)?;
                    let left = fs::read_dir(image)?.count();
                    ensure!(left == 1, "{left} files after the next run");
                }
                ctl.run(&["server", "backup", "verify", &path]).await?.expect(0)?;
                Ok(())
            };
            let looked = cut(stage, Power::new(&record), &moments, look).await;
            looked.with_context(|| engine.to_owned())?;
            println!("{engine}: {whole} of {CUTS} images had a backup");
            ensure!(whole > 0 && whole < CUTS, "{engine}: never on both sides");
        }
        Ok(())
    });
}
