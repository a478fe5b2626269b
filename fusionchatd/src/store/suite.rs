//! Where the tests of all engines get their engines from. [`every_engine`] is the one list: an engine joins the
//! conformance suite, the model test and the kill test by one line there. No test may know which engine it runs on.

use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use crate::store::memory::MemoryEngine;
use crate::store::open::{OpenOptions, open_bare};
use crate::store::{Engine, Key, Range, Reads, StoreError, Value};

/// Calls a macro with the name of each engine that keeps its rows on disk.
macro_rules! disk_engines {
    ($make:ident) => {
        $make!(sled);
        $make!(redb);
    };
}

/// Calls a macro with the name of each engine there is.
macro_rules! every_engine {
    ($make:ident) => {
        $make!(memory);
        $crate::store::suite::disk_engines!($make);
    };
}

pub(crate) use {disk_engines, every_engine};

/// Where an engine's rows outlive it.
pub(crate) enum Ground {
    /// In the engine that was opened last.
    Memory(Mutex<Arc<MemoryEngine>>),
    /// In a directory, under the engine's scheme.
    Disk(&'static str, TempDir),
}

impl Ground {
    /// A place without rows for the engine of this name.
    pub(crate) fn new(engine: &'static str) -> Self {
        match engine {
            "memory" => Self::Memory(Mutex::new(Arc::new(MemoryEngine::new()))),
            scheme => Self::Disk(scheme, tempfile::tempdir().unwrap()),
        }
    }

    /// The engine over what is there. One that was open before is closed first, or its process is gone.
    pub(crate) async fn open(&self) -> Arc<dyn Engine> {
        match self {
            Self::Memory(last) => {
                let mut last = last.lock().unwrap();
                *last = Arc::new(last.restarted());
                Arc::clone(&*last) as Arc<dyn Engine>
            }
            Self::Disk(..) => open_url(&self.url()).await.unwrap(),
        }
    }

    /// The URL of a place on disk.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Memory(_) => "memory:".to_owned(),
            Self::Disk(scheme, directory) => {
                format!("{scheme}:{}", directory.path().join("data").display())
            }
        }
    }
}

/// Opens an engine without the format row, with no reserve of disk.
pub(crate) async fn open_url(url: &str) -> Result<Arc<dyn Engine>, StoreError> {
    let options = OpenOptions { disk_reserve_bytes: 0, ..OpenOptions::default() };
    open_bare(url, &options).await
}

/// Values and rows as a snapshot shows them where they lie.
pub(super) fn shown(
    reads: &dyn Reads,
    keys: &[Key],
    range: &Range,
    limit: u32,
) -> (Vec<Option<Value>>, Vec<(Key, Value)>) {
    let snapshot = reads.at_once().expect("a snapshot");
    let value = |key| {
        let mut value = None;
        snapshot.see(key, &mut |bytes| value = Some(Value::copy_from_slice(bytes))).unwrap();
        value
    };
    let mut rows = Vec::new();
    let mut see = |key: &[u8], value: &[u8]| {
        rows.push((Key::copy_from_slice(key), Value::copy_from_slice(value)));
    };
    snapshot.see_range(range, limit, &mut see).unwrap();
    (keys.iter().map(value).collect(), rows)
}
