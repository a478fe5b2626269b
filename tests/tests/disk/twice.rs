//! The power that goes again while the daemon recovers, or soon after: what the first cut left is served on a recorded
//! disk, and the power is cut at moments of that record too.

use std::fs;

use anyhow::{Context, Result};
use fusionchat_tests::disk::chance::Chance;
use fusionchat_tests::disk::names::Order;
use fusionchat_tests::disk::power::{Fate, Folder, Power};
use fusionchat_tests::disk::{Disk, Preload};
use fusionchat_tests::grpc::client_id;
use fusionchat_tests::stage::{Stage, play_for};

use crate::cut::Run;
use crate::desk::{serve_on, staff_of};
use crate::load::{Acknowledged, Ledger};
use crate::power::run;
use crate::rows;
use crate::{ENGINES, WATCHDOG};

/// First cuts, and second ones of each.
const FIRST: usize = 8;
const SECOND: usize = 6;
/// Replies that are acknowledged between the two.
const REPLIES: usize = 5;

#[test]
fn faults_40_41_42_43_a_power_cut_while_recovering_loses_nothing_either() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let run = run(stage, &preload, engine, false).await?;
            let moments = run.ledger.moments();
            let mut chance = Chance::new(40);
            let mut images = 0;
            for number in 0..FIRST {
                let fate = Fate::ALL[number % Fate::ALL.len()];
                let length = moments[chance.below(moments.len())];
                let first = format!("{engine}: cut at {length}, {fate:?}");
                images += cut_again(stage, &preload, &run, (length, fate), &mut chance)
                    .await
                    .context(first)?;
            }
            println!("{engine}: {images} images of a second cut");
        }
        Ok(())
    });
}

/// Serves what one cut left, and cuts again; how many images that gave.
async fn cut_again(
    stage: &Stage,
    preload: &Preload,
    run: &Run,
    (length, fate): (usize, Fate),
    chance: &mut Chance,
) -> Result<usize> {
    let acknowledged = run.ledger.until(length);
    let data = stage.folder("first")?.canonicalize()?.join("data");
    let mut power = Power::new(&run.record);
    power.go_on(length)?;
    power.image(fate, Order::Journal, chance, &data)?;
    let before = Folder::read(&data)?;

    let disk = Disk::new(stage, preload, &data)?;
    let mut served = serve_on(stage, &disk).await?;
    let staff = staff_of(&served, &run.token).await?;
    let ledger = Ledger::default();
    for count in 0..REPLIES {
        let content = format!("between two cuts {count}");
        let message = staff.reply(&client_id(), &run.number, &content).await?;
        let (at, id, seq) = (disk.written()?, message.id, message.seq);
        ledger.add(Acknowledged { at, id, seq, content, client_id: None });
    }
    served.kill9().await?;

    let record = disk.record()?;
    let mut power = Power::over(&record, &before)?;
    let mut moments: Vec<usize> =
        (0..SECOND).map(|_| record.events[chance.below(record.events.len())].end).collect();
    moments.sort_unstable();
    for (number, length) in moments.iter().enumerate() {
        power.go_on(*length)?;
        let image = stage.folder("second")?.join("data");
        let fate = Fate::ALL[(number + chance.below(Fate::ALL.len())) % Fate::ALL.len()];
        power.image(fate, Order::Strict, chance, &image)?;
        let mut all = acknowledged.clone();
        all.extend(ledger.until(*length));
        let seen = rows::check(run.engine, &image.join("store"), &all).await;
        seen.with_context(|| format!("again at {length}, {fate:?}"))?;
        fs::remove_dir_all(&image)?;
    }
    fs::remove_dir_all(&data)?;
    Ok(moments.len())
}
