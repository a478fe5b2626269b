//! What the clients know: a line before each send, a line for each acknowledgement. A file, so that another process
//! can hold the daemon to it.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::dialogue::Side;

/// A line of the ledger.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Line {
    /// This is about to be sent; written before it is, and once, however often it is sent.
    Send(Sent),
    /// The daemon said that it is on disk.
    Ack(Acked),
}

/// What is about to be sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sent {
    /// Which dialogue it belongs to.
    pub(crate) dialogue: usize,
    /// Who says it.
    pub(crate) side: Side,
    /// Its place in the dialogue.
    pub(crate) order: usize,
    /// The sender's own id of it.
    pub(crate) client_id: String,
    /// The words.
    pub(crate) text: String,
}

/// What the daemon acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Acked {
    /// Whose acknowledgement it is.
    pub(crate) client_id: String,
    /// The conversation's id.
    pub(crate) conversation: String,
    /// The place in it.
    pub(crate) seq: u64,
    /// The message's id.
    pub(crate) id: String,
    /// The client acted as if it had not come, and sent again. The daemon is held to it all the same.
    pub(crate) ignored: bool,
}

/// A ledger that is being written.
#[derive(Debug)]
pub(crate) struct Ledger(Mutex<File>);

impl Ledger {
    /// A new file.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file = File::create_new(path).with_context(|| format!("making {}", path.display()))?;
        Ok(Self(Mutex::new(file)))
    }

    /// Writes a line; the system has it when this returns.
    pub(crate) fn write(&self, line: &Line) -> Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&text).context("writing the ledger")
    }
}

/// A ledger that was read.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Everything that was or may have been sent, by `clientId`.
    pub(crate) sent: HashMap<String, Sent>,
    /// Every acknowledgement, in order of arrival.
    pub(crate) acked: Vec<Acked>,
}

/// Reads a ledger. The last line may be half written: its send has not begun.
pub(crate) fn read(path: &Path) -> Result<Known> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    let mut known = Known::default();
    for (index, line) in whole.lines().enumerate() {
        let line = serde_json::from_str(line)
            .with_context(|| format!("{} line {}", path.display(), index + 1))?;
        match line {
            Line::Send(sent) => {
                known.sent.insert(sent.client_id.clone(), sent);
            }
            Line::Ack(acked) => known.acked.push(acked),
        }
    }
    Ok(known)
}
