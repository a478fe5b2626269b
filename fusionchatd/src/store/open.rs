//! Opens a store by URL, checks that this program understands what it holds, and has older rows brought up. It must not
//! read any row but those that say their format.

use std::path::Path;
use std::sync::Arc;
use std::{fmt, io};

use tokio::task::spawn_blocking;

use crate::store::disk::files;
use crate::store::disk::lock::DirectoryLock;
use crate::store::disk::space::{self, DiskProbe};
use crate::store::memory::MemoryEngine;
use crate::store::migrate::{self, PROGRESS_KEY};
use crate::store::record::{Migration, Record as _};
use crate::store::redb::RedbEngine;
use crate::store::sled::SledEngine;
use crate::store::{Batch, Direction, Engine, Key, Range, StoreError, Value};

/// The format of the data this program writes. Raised only together with a step that brings older
/// data up to it.
pub const SCHEMA: u32 = 2;

/// The row that holds the format number, four bytes big-endian.
pub const SCHEMA_KEY: [u8; 1] = [0x00];

/// Bytes of disk that stay free unless the options say otherwise: writes are refused below.
pub const DISK_RESERVE_BYTES: u64 = 256 * 1024 * 1024;

const MEMORY_URL: &str = "memory:";

/// An engine that keeps its rows on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskEngine {
    /// The default.
    Sled,
    /// The other one.
    Redb,
}

impl DiskEngine {
    /// All of them, the default first.
    pub const ALL: [Self; 2] = [Self::Sled, Self::Redb];

    /// Its name, which is also its scheme.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sled => "sled",
            Self::Redb => "redb",
        }
    }

    /// The engine of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|engine| engine.name() == name)
    }

    /// The engine of a setting: its scheme alone, such as `redb:`, since the data directory says where.
    ///
    /// # Errors
    /// `BadUrl`.
    pub fn of_setting(url: &str) -> Result<Self, StoreError> {
        let engine = url.strip_suffix(':').and_then(Self::named);
        engine.ok_or_else(|| StoreError::BadUrl { url: url.to_owned() })
    }

    /// The URL of a store of this engine in `directory`.
    #[must_use]
    pub fn url(self, directory: &Path) -> String {
        format!("{}:{}", self.name(), directory.display())
    }
}

impl fmt::Display for DiskEngine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The engine whose data is in a directory.
///
/// # Errors
/// `Corrupt` if there is none, as where a disk is not mounted, or two; `Unreadable` if that cannot be told.
pub fn data_of(directory: &Path) -> Result<DiskEngine, StoreError> {
    let none = || StoreError::Corrupt {
        path: directory.to_path_buf(),
        detail: "it holds no engine's data; is its disk mounted?".to_owned(),
    };
    files::engine_of(directory)?.ok_or_else(none)
}

/// The URL of the store in `directory`, where there must be one: of the engine asked for, else of the one whose data is
/// there.
///
/// # Errors
/// Those of [`data_of`].
pub fn url_of(asked: Option<DiskEngine>, directory: &Path) -> Result<String, StoreError> {
    let found = data_of(directory)?;
    Ok(asked.unwrap_or(found).url(directory))
}

/// How to open a store.
#[derive(Clone)]
pub struct OpenOptions {
    /// Bytes of disk that must stay free for writes to be taken.
    pub disk_reserve_bytes: u64,
    /// Tells the free bytes of the disk that holds a directory.
    pub disk_probe: DiskProbe,
    /// Whether redb reads and checks every page at once, which is slow. sled checks each page it reads anyway.
    pub verify: bool,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            disk_reserve_bytes: DISK_RESERVE_BYTES,
            disk_probe: Arc::new(space::free_disk_bytes),
            verify: false,
        }
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

/// Which format the rows of a store have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// There are none.
    New,
    /// This program's.
    Own,
    /// An older one, this.
    Older(u32),
    /// A migration has brought some of them up, and ended before the others; what was written since is this program's.
    Midway(Migration),
}

/// Opens the store that `url` names, `memory:`, `sled:PATH` or `redb:PATH`, creating it if it is not there. Rows of an
/// older format are brought to this program's, but for those a full disk has no room for, which are left as they are.
///
/// # Errors
/// `BadUrl`; on disk `InUse`, `OtherEngine`, `Unreadable` or `Corrupt`; `NewerSchema` if a newer program wrote
/// the data; `Unmigrated` if older rows cannot be written anew, `Unbegun` if a full disk takes not even the first word
/// of it; any error of writing the first row of a new store.
pub async fn open(url: &str, options: &OpenOptions) -> Result<Arc<dyn Engine>, StoreError> {
    let (engine, format) = open_to_look(url, options).await?;
    if let Err(error) = bring_up(engine.as_ref(), format).await {
        // The refusal is the news; that closing worked or not adds nothing to it.
        let _ = engine.close().await;
        return Err(error);
    }
    Ok(engine)
}

/// Opens a store as [`open`] does, but leaves its rows as they are.
///
/// # Errors
/// Those of [`open`], but for those of writing.
pub async fn open_to_look(
    url: &str,
    options: &OpenOptions,
) -> Result<(Arc<dyn Engine>, Format), StoreError> {
    let engine = open_bare(url, options).await?;
    let place = url.split_once(':').map_or(url, |(_, path)| path);
    match format_of(engine.as_ref(), Path::new(place)).await {
        Ok(format) => Ok((engine, format)),
        Err(error) => {
            // The refusal is the news here too.
            let _ = engine.close().await;
            Err(error)
        }
    }
}

/// Opens the engine alone: no row is read or written.
///
/// # Errors
/// Those of [`open`], but for those of rows.
pub(crate) async fn open_bare(
    url: &str,
    options: &OpenOptions,
) -> Result<Arc<dyn Engine>, StoreError> {
    if url == MEMORY_URL {
        return Ok(Arc::new(MemoryEngine::new()));
    }
    let bad = || StoreError::BadUrl { url: url.to_owned() };
    let (scheme, path) = url.split_once(':').ok_or_else(bad)?;
    let engine = DiskEngine::named(scheme).filter(|_| !path.is_empty()).ok_or_else(bad)?;
    let directory = Path::new(path);
    let lock = claim(directory).await?;
    open_locked(engine, directory, lock, options).await
}

/// Takes the lock of a directory on a thread that may wait for the disk: whoever opens a store may have to hear a stop
/// meanwhile.
async fn claim(directory: &Path) -> Result<Arc<DirectoryLock>, StoreError> {
    let place = directory.to_path_buf();
    let claim = spawn_blocking(move || files::claim(&place)).await;
    claim.unwrap_or_else(|panic| Err(files::unreadable(directory, io::Error::other(panic))))
}

/// Opens an engine in a directory whose lock is held.
pub(super) async fn open_locked(
    asked: DiskEngine,
    directory: &Path,
    lock: Arc<DirectoryLock>,
    options: &OpenOptions,
) -> Result<Arc<dyn Engine>, StoreError> {
    if let Some(found) = files::engine_of(directory)?.filter(|found| *found != asked) {
        return Err(StoreError::OtherEngine { path: directory.to_path_buf(), found, asked });
    }
    Ok(match asked {
        DiskEngine::Sled => Arc::new(SledEngine::open_locked(directory, lock, options).await?),
        DiskEngine::Redb => Arc::new(RedbEngine::open_locked(directory, lock, options).await?),
    })
}

/// Which format the rows have; refuses one that this program does not know.
pub(super) async fn format_of(engine: &dyn Engine, place: &Path) -> Result<Format, StoreError> {
    let corrupt = |detail: String| StoreError::Corrupt { path: place.to_path_buf(), detail };
    let keys = [Key::from_static(&SCHEMA_KEY), Key::from_static(&PROGRESS_KEY)];
    let mut rows = engine.get(&keys).await?.into_iter();
    let (number, progress) = (rows.next().flatten(), rows.next().flatten());
    let Some(number) = number else {
        let any = engine.scan(&Range::prefix(&[]), Direction::Forward, 1).await?;
        let none = any.is_empty().then_some(Format::New);
        return none.ok_or_else(|| corrupt("it holds rows but no format number".to_owned()));
    };
    let bytes = <[u8; 4]>::try_from(number.as_ref())
        .map_err(|_| corrupt(format!("the format number has {} bytes, not 4", number.len())))?;
    match (u32::from_be_bytes(bytes), progress) {
        (0, _) => Err(corrupt("there never was a format 0".to_owned())),
        (SCHEMA, None) => Ok(Format::Own),
        (SCHEMA, Some(progress)) => Migration::decode(&PROGRESS_KEY, &progress)
            .map(Format::Midway)
            .map_err(|fault| corrupt(fault.to_string())),
        (found, _) if found > SCHEMA => Err(StoreError::NewerSchema { found, known: SCHEMA }),
        (found, _) => Ok(Format::Older(found)),
    }
}

/// Gives a new store its format number, and older rows this program's format.
pub(super) async fn bring_up(engine: &dyn Engine, format: Format) -> Result<(), StoreError> {
    match format {
        Format::New => {
            let (key, number) = (Key::from_static(&SCHEMA_KEY), SCHEMA.to_be_bytes());
            let put = vec![(key.clone(), Value::copy_from_slice(&number))];
            engine.commit(Batch { expect: vec![(key, None)], put, delete: Vec::new() }).await
        }
        Format::Own => Ok(()),
        Format::Older(found) => {
            let progress = migrate::begin(engine, found).await?;
            migrate::go_on(engine, progress).await
        }
        Format::Midway(progress) => migrate::go_on(engine, progress).await,
    }
}

#[cfg(test)]
mod tests {
    use super::{DiskEngine, OpenOptions, SCHEMA, SCHEMA_KEY, format_of, open, url_of};
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
        for url in ["", "sled:", "redb:", "memory", "memory:x", "rocks:x", "/var/lib/fusionchat"] {
            let refused = open(url, &OpenOptions::default()).await.err();
            assert!(matches!(refused, Some(StoreError::BadUrl { .. })), "{url}: {refused:?}");
        }
    }

    #[tokio::test]
    async fn a_directory_remembers_its_engine() {
        for (mine, other) in [("sled", "redb"), ("redb", "sled")] {
            let directory = tempfile::tempdir().unwrap();
            let url = |scheme: &str| format!("{scheme}:{}", directory.path().display());
            let options = OpenOptions { disk_reserve_bytes: 0, ..OpenOptions::default() };
            open(&url(mine), &options).await.unwrap().close().await.unwrap();
            let names = || std::fs::read_dir(directory.path()).unwrap().count();
            let before = names();
            let refused = open(&url(other), &options).await.err().unwrap();
            assert!(matches!(refused, StoreError::OtherEngine { .. }), "{refused:?}");
            let text = refused.to_string();
            assert!(text.contains(mine) && text.contains(other), "{text}");
            assert_eq!(names(), before, "nothing was made beside it");
            assert_eq!(url_of(None, directory.path()).unwrap(), url(mine));
            let asked = DiskEngine::named(other);
            assert_eq!(url_of(asked, directory.path()).unwrap(), url(other), "as asked");
            open(&url(mine), &options).await.unwrap().close().await.unwrap();
        }
    }

    #[test]
    fn where_no_engine_has_data_there_is_no_store_to_open() {
        let directory = tempfile::tempdir().unwrap();
        for asked in [None, Some(DiskEngine::Sled), Some(DiskEngine::Redb)] {
            let refused = url_of(asked, directory.path()).unwrap_err();
            assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused:?}");
            assert!(refused.to_string().contains("mounted"), "{refused}");
        }
    }

    #[tokio::test]
    async fn data_that_cannot_be_looked_at_is_never_made_anew() {
        let options = OpenOptions { disk_reserve_bytes: 0, ..OpenOptions::default() };
        for name in ["conf", "rows.redb"] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path();
            // A link in a circle: something is there, and nobody can say what.
            std::os::unix::fs::symlink(path.join(name), path.join(name)).unwrap();
            for engine in [DiskEngine::Sled, DiskEngine::Redb] {
                let refused = open(&engine.url(path), &options).await.err();
                assert!(refused.is_some(), "{name} {engine}");
                let link = std::fs::symlink_metadata(path.join(name)).unwrap();
                assert!(link.is_symlink(), "{name} {engine}: left as it is");
            }
            assert!(url_of(None, path).is_ok(), "{name}: it is somebody's");
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
            let refused = format_of(&engine, "place".as_ref()).await;
            let text = refused.as_ref().err().map(ToString::to_string).unwrap_or_default();
            assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
            assert!(text.contains("restore the latest backup"), "{text}");
        }
    }
}
