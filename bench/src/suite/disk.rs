//! R17: what a message of 300 bytes takes on disk after a vacuum, by its payload. It counts everything: the entry, the
//! header, the id of its command, and the organization itself.

use std::path::Path;

use anyhow::{Result, ensure};
use fusionchatd::store::open::DiskEngine;

use super::Measured;
use super::kit::library::{Library, MESSAGE_BYTES, Shape};
use super::kit::ratio::{Check, Goal, Ratio};
use crate::daemon::bytes_below;

/// What the store holds.
const SHAPE: Shape = Shape { organizations: 1, conversations: 20_000, messages: 10 };

/// How often each store is vacuumed: sled's own threads have a say in where its pages come to lie.
const VACUUMS: usize = 3;

/// Measures every engine on disk.
pub(super) async fn measure(program: &Path) -> Result<Measured> {
    let mut measured = Measured::default();
    for engine in DiskEngine::ALL {
        let library = Library::make(engine, SHAPE).await?;
        let each = |bytes: u64| bytes as f64 / SHAPE.all() as f64;
        let before = each(bytes_below(&library.store()));
        let payload = MESSAGE_BYTES as f64;
        let mut pairs = Vec::new();
        for _ in 0..VACUUMS {
            let mut vacuum = library.daemon(program)?.command()?;
            vacuum.args(["store", "vacuum", "--data"]).arg(library.data());
            ensure!(vacuum.status().await?.success(), "the vacuum of {engine} failed");
            pairs.push((each(bytes_below(&library.store())), payload));
        }
        let most = match engine {
            DiskEngine::Redb => 3.0,
            DiskEngine::Sled => 4.0,
        };
        let what = format!("bytes a message on {engine}");
        let check = Check::by_itself(&[payload]);
        measured.ratios.push(Ratio::new("R17", what, "B", Goal::AtMost(most), &pairs, &check));
        measured.notes.push(format!("R17 {engine}: {before:.0} bytes a message before the vacuum"));
    }
    Ok(measured)
}
