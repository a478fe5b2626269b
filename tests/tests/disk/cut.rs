//! Cuts the power at moments of a record and looks at what is left each time.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, ensure};
use fusionchat_tests::disk::chance::Chance;
use fusionchat_tests::disk::names::Order;
use fusionchat_tests::disk::power::{Fate, Power};
use fusionchat_tests::disk::record::{Record, What};
use fusionchat_tests::stage::Stage;
use futures::{TryStreamExt, stream};

use crate::desk::{serve, staff_of};
use crate::load::{Acknowledged, Ledger};
use crate::rows;

/// Images looked at at the same time.
const AT_ONCE: usize = 2;
/// Every so many images one is served by the real daemon, and another is opened again.
const SERVED_EVERY: usize = 11;
/// Else all that are served would have the same few fates.
const _: () = assert!(common_divisor(SERVED_EVERY, Fate::ALL.len()) == 1);
/// How large sled's segments are here; redb has nothing that begins at each of these.
const SEGMENT_BYTES: usize = 2 * 1024 * 1024;
/// How many things that happen next are looked at.
const EVENTS_NEAR: usize = 4;
/// Acknowledged replies sent again to a served image.
const AGAIN: usize = 5;

const fn common_divisor(one: usize, other: usize) -> usize {
    if other == 0 { one } else { common_divisor(other, one % other) }
}

/// A run under load: what the disk did and what was said to be safe.
pub(crate) struct Run {
    pub(crate) engine: &'static str,
    pub(crate) record: Record,
    pub(crate) ledger: Ledger,
    /// The session and the conversation of the admin, known from this length of the record on.
    pub(crate) token: String,
    pub(crate) number: String,
    pub(crate) founded: u64,
}

/// One image.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    /// Its number: with the seed it makes the same image of the same record again.
    pub(crate) number: usize,
    /// How long the record was when the power was cut.
    pub(crate) length: usize,
    pub(crate) fate: Fate,
    pub(crate) order: Order,
    path: PathBuf,
}

/// What was found: images, and what was wrong with some of them.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) images: usize,
    pub(crate) acknowledged: usize,
    pub(crate) bad: Vec<String>,
}

/// The moments of so many images, in order: a third of them right after an acknowledgement, a third where sled begins
/// to write over a segment, if it does.
fn moments(run: &Run, count: usize, chance: &mut Chance) -> Vec<usize> {
    let acknowledged = run.ledger.moments();
    let written_over = written_over(&run.record);
    let mut moments: Vec<usize> = (0..count)
        .map(|image| {
            let any = run.record.events[chance.below(run.record.events.len())].end;
            let moments = match image % 3 {
                0 => &acknowledged,
                1 => &written_over,
                _ => return any,
            };
            moments.get(chance.below(moments.len())).copied().unwrap_or(any)
        })
        .collect();
    moments.sort_unstable();
    moments
}

/// The moments in which a segment of sled's has just been begun again, and the next few: what it held before must be on
/// disk elsewhere by then.
fn written_over(record: &Record) -> Vec<usize> {
    let (mut begun, mut moments, mut near) = (HashSet::new(), Vec::new(), 0);
    for event in &record.events {
        if let What::Write { inode, offset, .. } = event.what
            && offset > 0
            && offset.is_multiple_of(SEGMENT_BYTES)
            && !begun.insert((inode, offset))
        {
            near = EVENTS_NEAR;
        }
        if near > 0 {
            near -= 1;
            moments.push(event.end);
        }
    }
    moments
}

/// Cuts the power so many times and looks at each image, which is gone before the next.
pub(crate) async fn cut(stage: &Stage, run: &Run, count: usize, seed: u64) -> Result<Found> {
    let mut chance = Chance::new(seed);
    let moments = moments(run, count, &mut chance);
    let folder = stage.folder("images")?;
    let mut power = Power::new(&run.record);
    let acknowledged = AtomicUsize::new(0);
    // Which fate comes first is left to chance too: moments are in order.
    let turn = chance.below(Fate::ALL.len());
    let images = moments.into_iter().enumerate().map(|(number, length)| {
        let fate = Fate::ALL[(number * 5 + turn) % Fate::ALL.len()];
        let order = if chance.happens(50) { Order::Strict } else { Order::Journal };
        let image = Image { number, length, fate, order, path: folder.join(number.to_string()) };
        power.go_on(length)?;
        let mut chance = Chance::new(seed ^ ((number as u64 + 1) << 32));
        power.image(fate, order, &mut chance, &image.path)?;
        anyhow::Ok(image)
    });
    let total = &acknowledged;
    let bad = stream::iter(images)
        .map_ok(|image| async move {
            let outcome = look(stage, run, &image).await;
            fs::remove_dir_all(&image.path)?;
            let Image { number, length, fate, order, .. } = image;
            let seen = match outcome {
                Ok(seen) => seen,
                Err(error) => {
                    let text = format!(
                        "image {number} of seed {seed}, cut at {length}, {fate:?}, {order:?}"
                    );
                    return Ok(Some(format!("{text}: {error:#}")));
                }
            };
            total.fetch_add(seen, Ordering::SeqCst);
            Ok(None)
        })
        .try_buffer_unordered(AT_ONCE)
        .try_filter_map(async |bad: Option<String>| anyhow::Ok(bad))
        .try_collect()
        .await?;
    Ok(Found { images: count, acknowledged: acknowledged.into_inner(), bad })
}

/// Looks at one image; how many acknowledgements it kept.
async fn look(stage: &Stage, run: &Run, image: &Image) -> Result<usize> {
    let acknowledged = run.ledger.until(image.length);
    let store = image.path.join("store");
    if (image.length as u64) < run.founded && !store.exists() {
        return Ok(0);
    }
    if image.number % SERVED_EVERY == SERVED_EVERY / 2 && image.length as u64 >= run.founded {
        check_served(stage, run, &image.path, &acknowledged).await.context("served")?;
    }
    let seen = rows::check(run.engine, &store, &acknowledged).await?;
    if image.number.is_multiple_of(SERVED_EVERY) {
        rows::check(run.engine, &store, &acknowledged).await.context("opened again")?;
    }
    Ok(seen)
}

/// The real daemon on an image: it has what it acknowledged, repeats it for a retry, and takes more.
async fn check_served(
    stage: &Stage,
    run: &Run,
    data: &Path,
    acknowledged: &[Acknowledged],
) -> Result<()> {
    let mut served = serve(stage, data).await?;
    let staff = staff_of(&served, &run.token).await?;
    let stored = staff.all_messages(&run.number).await?;
    let replies: Vec<&Acknowledged> =
        acknowledged.iter().filter(|line| line.client_id.is_some()).collect();
    for line in &replies {
        let message = stored.get(usize::try_from(line.seq)? - 1).context("a reply is lost")?;
        ensure!(message.id == line.id && message.content == line.content, "{message:?}");
    }
    for line in replies.iter().rev().take(AGAIN) {
        let id = line.client_id.as_deref().unwrap_or_default();
        let again = staff.reply(id, &run.number, &line.content).await?;
        ensure!(again.id == line.id && again.seq == line.seq, "{line:?} again is {again:?}");
    }
    let after = staff.all_messages(&run.number).await?;
    ensure!(after.len() == stored.len(), "a retry made a new message");
    let id = fusionchat_tests::grpc::client_id();
    let more = staff.reply(&id, &run.number, "after the power came back").await?;
    ensure!(more.seq == stored.len() as u64 + 1, "{more:?}");
    served.kill9().await
}
