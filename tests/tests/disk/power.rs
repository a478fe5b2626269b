//! The power cut. A desk is put under load on a recorded disk; what the disk may hold after a cut at many moments of
//! the record is made again and looked at.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fusionchat_tests::disk::chance::Chance;
use fusionchat_tests::disk::names::Order;
use fusionchat_tests::disk::power::{Fate, Power};
use fusionchat_tests::disk::{Disk, Preload};
use fusionchat_tests::program::Ctl;
use fusionchat_tests::serve::init_with;
use fusionchat_tests::stage::{Stage, play_for};

use crate::cut::{Run, cut};
use crate::desk::{self, Desk};
use crate::load::until_killed;
use crate::rows::{self, LOST};
use crate::{ENGINES, WATCHDOG};

/// Images of each engine, and how many are made of one run under load.
const IMAGES: usize = 60;
const IMAGES_A_RUN: usize = 250;
/// Says how many images instead: the long form.
const IMAGES_VARIABLE: &str = "FUSION_POWER_IMAGES";
/// Says where chance begins; a failure names it.
const SEED_VARIABLE: &str = "FUSION_POWER_SEED";
/// Acknowledgements of one run.
const ACKNOWLEDGED: usize = 400;
/// Says how many instead: with some thousands sled writes over segments that it has used before.
const ACKNOWLEDGED_VARIABLE: &str = "FUSION_POWER_ACKNOWLEDGED";
/// An image takes far less than this; a machine under other load, not.
const WATCHDOG_AN_IMAGE: Duration = Duration::from_secs(3);
/// Images of the negative control, and of a first start.
const CONTROL_IMAGES: usize = 12;
const FIRST_IMAGES: usize = 24;
/// How many things `init` does at its end that are looked at more closely.
const LAST: usize = 8;

pub(crate) const ORDERS: [Order; 2] = [Order::Journal, Order::Strict];

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn count(variable: &str, otherwise: usize) -> usize {
    number(variable).and_then(|it| it.try_into().ok()).unwrap_or(otherwise)
}

/// A desk under load until it is killed.
pub(crate) async fn run(
    stage: &Stage,
    preload: &Preload,
    engine: &'static str,
    data_syncs_lie: bool,
) -> Result<Run> {
    let mut desk = Desk::found(stage, preload, engine, data_syncs_lie).await?;
    let founded = desk.disk.written()?;
    let acknowledged = count(ACKNOWLEDGED_VARIABLE, ACKNOWLEDGED);
    let ledger = until_killed(&mut desk, acknowledged).await?;
    let record = desk.disk.record()?;
    check_record(stage, &desk.disk)?;
    fs::remove_dir_all(desk.disk.root())?;
    let (token, number) = (desk.token.clone(), desk.number.clone());
    Ok(Run { engine, record, ledger, token, number, founded })
}

/// The record is the whole truth: made again from it alone, the folder is what the kill left.
fn check_record(stage: &Stage, disk: &Disk) -> Result<()> {
    let record = disk.record()?;
    let mut power = Power::new(&record);
    power.go_on(usize::MAX)?;
    let again = stage.folder("again")?.join("data");
    power.image(Fate::Kept, Order::Journal, &mut Chance::new(0), &again)?;
    let (left, made) = (files(disk.root())?, files(&again)?);
    let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    ensure!(names(&left) == names(&made), "{:?} and {:?}", names(&left), names(&made));
    for (path, content) in &left {
        ensure!(made.get(path) == Some(content), "the record does not give {}", path.display());
    }
    fs::remove_dir_all(&again)?;
    Ok(())
}

/// Every file below a folder, with its content.
fn files(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.strip_prefix(folder)?.to_path_buf(), fs::read(&path)?);
            }
        }
    }
    Ok(files)
}

#[test]
fn faults_41_42_43_a_power_cut_loses_nothing_that_was_acknowledged() {
    let images = count(IMAGES_VARIABLE, IMAGES);
    let seed = number(SEED_VARIABLE).unwrap_or(1);
    let watchdog = WATCHDOG_AN_IMAGE * u32::try_from(images * ENGINES.len()).unwrap_or(u32::MAX);
    play_for(watchdog, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let (mut made, mut acknowledged, mut bad) = (0, 0, vec![]);
            while made < images {
                let run = run(stage, &preload, engine, false).await?;
                let count = (images - made).min(IMAGES_A_RUN);
                let found = cut(stage, &run, count, seed + made as u64).await?;
                made += found.images;
                acknowledged += found.acknowledged;
                bad.extend(found.bad);
            }
            println!("{engine}: {made} images, {acknowledged} acknowledgements looked for");
            ensure!(bad.is_empty(), "{engine}: {} of {made} bad:\n{}", bad.len(), bad.join("\n"));
            ensure!(acknowledged > made * 50, "hardly anything was acknowledged: {acknowledged}");
        }
        Ok(())
    });
}

#[test]
fn a_disk_that_lies_about_data_syncs_is_noticed() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let run = run(stage, &preload, engine, true).await?;
            let found = cut(stage, &run, CONTROL_IMAGES, 1).await?;
            println!("{engine}: {} of {} images bad", found.bad.len(), found.images);
            // The fate that loses nothing is among them; and what is torn late may have all that was told early.
            ensure!(found.bad.len() * 2 > found.images, "noticed only {:?}", found.bad);
            // Names and what was there at the start are safe all the same: the store opens, and an acknowledgement
            // is what is missing.
            let lost = found.bad.iter().filter(|bad| bad.contains(LOST)).count();
            ensure!(lost > 0, "no acknowledgement is missed in any: {:?}", found.bad);
        }
        Ok(())
    });
}

#[test]
fn fault_44_a_power_cut_after_init_leaves_the_directory_that_it_made() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        let root = stage.folder("root")?.canonicalize()?;
        let disk = Disk::new(stage, &preload, &root)?;
        init_with(stage, &root.join("new/data"), &[], &disk.variables()).await?.expect(0)?;
        let record = disk.record()?;
        let mut power = Power::new(&record);
        power.go_on(usize::MAX)?;
        let images = stage.folder("images")?;
        let mut chance = Chance::new(44);
        for (number, fate) in Fate::ALL.into_iter().enumerate() {
            for order in ORDERS {
                let image = images.join(format!("{number} {order:?}"));
                power.image(fate, order, &mut chance, &image)?;
                ensure!(image.join("new/data/store").exists(), "{fate:?}, {order:?}");
            }
        }
        Ok(())
    });
}

#[test]
fn fault_44_a_power_cut_right_after_the_first_start_leaves_a_store_that_opens() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let data = stage.folder("data")?;
            let disk = Disk::new(stage, &preload, &data)?;
            let made = desk::init(stage, &disk, engine).await?;
            let key = made["operatorKey"].as_str().context("a key")?;
            let record = disk.record()?;
            let mut power = Power::new(&record);
            let images = stage.folder("images")?;
            let mut chance = Chance::new(44);
            // While it is being made it has no name yet; it opens all the same, with what it has.
            let mut moments: Vec<usize> = (0..FIRST_IMAGES)
                .map(|image| {
                    let all = record.events.len();
                    // Half of them where it gets its name, which is among the last things.
                    let from = if image.is_multiple_of(2) { 0 } else { all.saturating_sub(LAST) };
                    record.events[from + chance.below(all - from)].end
                })
                .collect();
            moments.sort_unstable();
            let (mut whole, mut opened) = (0, 0);
            for (number, length) in moments.into_iter().enumerate() {
                power.go_on(length)?;
                let image = images.join(number.to_string());
                let fate = Fate::ALL[number % Fate::ALL.len()];
                power.image(fate, ORDERS[number / 2 % 2], &mut chance, &image)?;
                let named = image.join("store").exists();
                whole += usize::from(named);
                let store = image.join(if named { "store" } else { "init.unfinished" });
                if store.exists() {
                    let seen = rows::check(engine, &store, &[]).await;
                    seen.with_context(|| format!("{} cut at {length}", store.display()))?;
                    opened += 1;
                }
                fs::remove_dir_all(&image)?;
            }
            // From the moment init has said its secrets, on.
            power.go_on(usize::MAX)?;
            for (number, fate) in Fate::ALL.into_iter().enumerate() {
                for order in ORDERS {
                    let image = images.join(format!("told {number} {order:?}"));
                    power.image(fate, order, &mut chance, &image)?;
                    let mut served = desk::serve(stage, &image).await.context("after init")?;
                    // What was shown opens what is there.
                    let endpoint = format!("http://{}", served.address("grpc")?);
                    let variables = [("FUSION_ENDPOINT", endpoint.as_str()), ("FUSION_TOKEN", key)];
                    let ctl = Ctl::with(stage, &stage.folder("home")?, &variables);
                    let tenants = ctl.run(&["tenant", "list", "-o", "json"]).await?;
                    let what = format!("{fate:?}, {order:?}");
                    let tenants = tenants.expect(0).context(what.clone())?.json()?;
                    ensure!(tenants.to_string().contains("acme"), "{what}: {tenants}");
                    served.kill9().await?;
                    fs::remove_dir_all(&image)?;
                }
            }
            println!(
                "{engine}: {opened} of {FIRST_IMAGES} first images opened, {whole} with a name"
            );
            ensure!(opened * 2 > FIRST_IMAGES && whole > 0, "hardly an image had a store");
        }
        Ok(())
    });
}
