//! Who may take a backup, what is in it, and what becomes of one that nobody takes.

use fusionchat_backup::Reader;
use tokio::sync::mpsc;

use crate::store::walk::Amount;
use crate::store::{Batch, Engine as _, Key, Value};

use super::backup::{BackupPart, PART_BYTES};
use super::error::Error;
use super::rig::{Rig, code, operator};

/// How many rows of a quarter of a megabyte the store has besides: far more than waits to be taken.
const LARGE_ROWS: u8 = 12;

async fn large(rig: &Rig) {
    let row =
        |number| (Key::copy_from_slice(&[0xEE, number]), Value::from(vec![number; 256 * 1024]));
    let put = (0..LARGE_ROWS).map(row).collect();
    rig.gate.engine.commit(Batch { put, ..Batch::default() }).await.expect("written");
}

/// Everything that comes, or the error it ends with.
async fn taken(mut parts: mpsc::Receiver<Result<BackupPart, Error>>) -> Result<Vec<u8>, Error> {
    let mut file = Vec::new();
    while let Some(part) = parts.recv().await {
        let part = part?;
        assert!(part.bytes.len() <= PART_BYTES);
        file.extend_from_slice(&part.bytes);
    }
    Ok(file)
}

#[tokio::test]
async fn only_the_operator_takes_a_backup_and_one_at_a_time() {
    let rig = Rig::new().await;
    large(&rig).await;
    for actor in [&rig.desk.admin, &rig.desk.a] {
        assert_eq!(code(&rig.service.create_backup(actor).await), "forbidden");
    }
    let held = Amount::of(rig.gate.as_ref()).await.expect("read");
    let parts = rig.service.create_backup(&operator()).await.expect("begun");
    assert_eq!(code(&rig.service.create_backup(&operator()).await), "backup_under_way");
    // What comes after it began is not in it.
    let guest = rig.guest().await;
    rig.say(&guest, "while it is taken").await;
    let file = taken(parts).await.expect("whole");
    let mut reader = Reader::begin(file.as_slice()).expect("a backup");
    assert_eq!(reader.head().epoch, rig.service.epoch().into_bytes());
    while reader.next_rows().expect("sound").is_some() {}
    let totals = reader.totals().expect("at its end");
    assert_eq!((totals.rows, totals.bytes), (held.rows, held.bytes));
    let next = taken(rig.service.create_backup(&operator()).await.expect("the next")).await;
    assert!(next.expect("whole").len() > file.len(), "the message is in the next one");
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_nobody_takes_ends_and_one_that_is_let_go_makes_room() {
    let rig = Rig::new().await;
    large(&rig).await;
    let parts = rig.service.create_backup(&operator()).await.expect("begun");
    // The clock of the test jumps to whatever waits next: the part nobody takes.
    tokio::time::sleep(std::time::Duration::from_secs(61)).await;
    let next = rig.service.create_backup(&operator()).await.expect("there is room again");
    assert!(!taken(next).await.expect("whole").is_empty());
    // However late its reader goes on, it hears that this is not all.
    tokio::time::sleep(std::time::Duration::from_secs(3_600)).await;
    assert_eq!(code(&taken(parts).await), "backup_stalled");
    let parts = rig.service.create_backup(&operator()).await.expect("there is room again");
    drop(parts);
    rig.service.tasks.close();
    rig.service.tasks.wait().await;
    let parts = rig.service.create_backup(&operator()).await.expect("there is room again");
    taken(parts).await.expect("whole");
}
