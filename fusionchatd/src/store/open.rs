//! Opens a store by URL and checks that this program understands what it holds. It must not read
//! any row but the format number.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::store::memory::MemoryEngine;
use crate::store::sled::SledEngine;
use crate::store::sled::disk::{self, DiskProbe};
use crate::store::{Batch, Direction, Engine, Key, Range, StoreError};

/// The format of the data this program writes. Raised only together with a step that brings older
/// data up to it.
pub const SCHEMA: u32 = 1;

/// The row that holds the format number, four bytes big-endian.
pub const SCHEMA_KEY: [u8; 1] = [0x00];

/// Bytes of disk that stay free unless the options say otherwise: writes are refused below.
pub const DISK_RESERVE_BYTES: u64 = 256 * 1024 * 1024;

const MEMORY_URL: &str = "memory:";
const SLED_SCHEME: &str = "sled:";

/// How to open a store.
#[derive(Clone)]
pub struct OpenOptions {
    /// Bytes of disk that must stay free for writes to be taken.
    pub disk_reserve_bytes: u64,
    /// Tells the free bytes of the disk that holds a directory.
    pub disk_probe: DiskProbe,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { disk_reserve_bytes: DISK_RESERVE_BYTES, disk_probe: Arc::new(disk::free_disk_bytes) }
    }
}

impl fmt::Debug for OpenOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OpenOptions")
            .field("disk_reserve_bytes", &self.disk_reserve_bytes)
            .finish_non_exhaustive()
    }
}

/// Opens the store that `url` names, `memory:` or `sled:PATH`, creating it if it is not there.
///
/// # Errors
/// `BadUrl`; for sled `InUse`, `Unreadable` or `Corrupt`; `NewerSchema` if a newer program wrote
/// the data; any error of writing the first row of a new store.
pub async fn open(url: &str, options: &OpenOptions) -> Result<Arc<dyn Engine>, StoreError> {
    let engine = open_bare(url, options).await?;
    let place = url.split_once(':').map_or(url, |(_, path)| path);
    if let Err(error) = check_schema(engine.as_ref(), Path::new(place)).await {
        // The refusal is the news; that closing worked or not adds nothing to it.
        let _ = engine.close().await;
        return Err(error);
    }
    Ok(engine)
}

/// Opens the engine alone: no row is read or written.
pub(crate) async fn open_bare(
    url: &str,
    options: &OpenOptions,
) -> Result<Arc<dyn Engine>, StoreError> {
    if url == MEMORY_URL {
        return Ok(Arc::new(MemoryEngine::new()));
    }
    match url.strip_prefix(SLED_SCHEME).filter(|path| !path.is_empty()) {
        Some(path) => Ok(Arc::new(SledEngine::open(Path::new(path), options).await?)),
        None => Err(StoreError::BadUrl { url: url.to_owned() }),
    }
}

async fn check_schema(engine: &dyn Engine, place: &Path) -> Result<(), StoreError> {
    let key = Key::from_static(&SCHEMA_KEY);
    let rows = engine.get(std::slice::from_ref(&key)).await?;
    let Some(row) = rows.into_iter().flatten().next() else {
        return create_schema(engine, key, place).await;
    };
    let corrupt = |detail: String| StoreError::Corrupt { path: place.to_path_buf(), detail };
    let bytes = <[u8; 4]>::try_from(row.as_ref())
        .map_err(|_| corrupt(format!("the format number has {} bytes, not 4", row.len())))?;
    match u32::from_be_bytes(bytes) {
        SCHEMA => Ok(()),
        found if found > SCHEMA => Err(StoreError::NewerSchema { found, known: SCHEMA }),
        found => Err(corrupt(format!("there never was a format {found}"))),
    }
}

async fn create_schema(engine: &dyn Engine, key: Key, place: &Path) -> Result<(), StoreError> {
    if !engine.scan(&Range::prefix(&[]), Direction::Forward, 1).await?.is_empty() {
        let detail = "it holds rows but no format number".to_owned();
        return Err(StoreError::Corrupt { path: place.to_path_buf(), detail });
    }
    let row = SCHEMA.to_be_bytes().to_vec().into();
    engine
        .commit(Batch {
            expect: vec![(key.clone(), None)],
            put: vec![(key, row)],
            delete: Vec::new(),
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::{OpenOptions, SCHEMA, SCHEMA_KEY, check_schema, open};
    use crate::store::memory::MemoryEngine;
    use crate::store::{Batch, Engine, StoreError};

    #[tokio::test]
    async fn a_new_store_gets_the_format_number() {
        let engine = open("memory:", &OpenOptions::default()).await.unwrap();
        let rows = engine.get(&[SCHEMA_KEY.to_vec().into()]).await.unwrap();
        assert_eq!(rows, [Some(SCHEMA.to_be_bytes().to_vec().into())]);
    }

    #[tokio::test]
    async fn an_unknown_url_is_refused() {
        for url in ["", "sled:", "memory", "memory:x", "/var/lib/fusionchat"] {
            let refused = open(url, &OpenOptions::default()).await.err();
            assert!(matches!(refused, Some(StoreError::BadUrl { .. })), "{url}: {refused:?}");
        }
    }

    #[tokio::test]
    async fn rows_without_a_sound_format_number_are_refused() {
        let cases: [(&[u8], &[u8]); 3] =
            [(b"\x01row", b"x"), (&SCHEMA_KEY, b"1"), (&SCHEMA_KEY, &[0; 4])];
        for (key, value) in cases {
            let engine = MemoryEngine::new();
            let put = vec![(key.to_vec().into(), value.to_vec().into())];
            engine.commit(Batch { put, ..Batch::default() }).await.unwrap();
            let refused = check_schema(&engine, "place".as_ref()).await;
            let text = refused.as_ref().err().map(ToString::to_string).unwrap_or_default();
            assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
            assert!(text.contains("restore the latest backup"), "{text}");
        }
    }
}
