//! The backup of a running daemon: every row as it is at one moment, as the bytes of one file. Whoever takes it says
//! how fast it goes; commits go on meanwhile.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fusionchat_backup::{Head, Writer};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::domain::actor::{Actor, Permission};
use crate::store::moment::Moment;
use crate::store::open::SCHEMA;

use super::error::{Error, Kind};
use super::{Service, require};

/// How many bytes of the file come at once, at most.
pub const PART_BYTES: usize = 64 * 1024;
/// How many parts wait to be taken; the reading waits for room.
const PARTS_WAITING_MAX: usize = 4;
/// How long it is kept for a late reader that their backup failed. After that their stream ends without a last part, by
/// which `fusionctl` knows that this is not all.
const TOLD_WITHIN: Duration = Duration::from_secs(24 * 60 * 60);

/// A piece of the file.
#[derive(Debug)]
pub struct BackupPart {
    /// The bytes.
    pub bytes: Bytes,
    /// How many rows have been read so far.
    pub rows: u64,
}

type Parts = mpsc::Sender<Result<BackupPart, Error>>;

/// Nobody takes it any more, or something went wrong.
enum Cut {
    Left,
    Stalled(Duration),
    Failed(Error),
}

impl Service {
    /// Begins a backup and returns where its parts come; it is whole if they end without an error. It has everybody's
    /// data and secrets, so only the operator may ask.
    pub async fn create_backup(
        self: &Arc<Self>,
        actor: &Actor,
    ) -> Result<mpsc::Receiver<Result<BackupPart, Error>>, Error> {
        require(actor, Permission::ManageOrganizations)?;
        let kept_bytes_max = self.settings.load().limits.backup_kept_bytes;
        let moment = self.engine.moment().await?.keeping(kept_bytes_max);
        let (parts, taken) = mpsc::channel(PARTS_WAITING_MAX);
        let service = Arc::clone(self);
        self.tasks.spawn(async move {
            let error = match service.send_backup(moment, &parts).await {
                Ok(rows) => return tracing::info!(rows, "a backup was taken"),
                Err(Cut::Left) => return tracing::warn!("a backup was given up by its reader"),
                Err(Cut::Stalled(patience)) => stalled(patience),
                Err(Cut::Failed(error)) => error,
            };
            tracing::warn!(%error, code = error.code, "a backup failed");
            // Whoever reads on, however late, hears it: without it what was taken would look like all there is. Others
            // can begin meanwhile, and who has left is not waited for.
            let _ = timeout(TOLD_WITHIN, parts.send(Err(error))).await;
        });
        Ok(taken)
    }

    async fn send_backup(&self, mut moment: Moment, parts: &Parts) -> Result<u64, Cut> {
        let mut writer = Writer::begin(&Head {
            schema: SCHEMA,
            made_at: self.now(),
            epoch: self.epoch().into_bytes(),
            engine: self.engine.stats().engine.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        });
        let patience = self.settings.load().limits.backup_patience;
        loop {
            let rows = moment.next(self.engine.as_ref()).await;
            let rows = rows.map_err(|error| Cut::Failed(error.into()))?;
            if rows.is_empty() {
                break;
            }
            for (key, value) in rows {
                writer.row(&key, &value);
            }
            let rows = writer.rows();
            send(parts, writer.take(), rows, patience).await?;
        }
        drop(moment);
        let (rest, totals) = writer.finish();
        send(parts, rest, totals.rows, patience).await?;
        Ok(totals.rows)
    }
}

async fn send(parts: &Parts, bytes: Vec<u8>, rows: u64, patience: Duration) -> Result<(), Cut> {
    let mut bytes = Bytes::from(bytes);
    while !bytes.is_empty() {
        let part = bytes.split_to(bytes.len().min(PART_BYTES));
        let sent = timeout(patience, parts.send(Ok(BackupPart { bytes: part, rows }))).await;
        sent.map_err(|_| Cut::Stalled(patience))?.map_err(|_| Cut::Left)?;
    }
    Ok(())
}

fn stalled(patience: Duration) -> Error {
    let seconds = patience.as_secs_f64();
    let message = format!("nothing of the backup was taken for {seconds} seconds, so it was ended");
    Error::new(Kind::Limited, "backup_stalled", message)
}
