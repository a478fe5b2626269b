//! `server backup create|verify`: the file as the daemon streams it, written so that under its name there is a whole
//! backup or nothing; and the look at such a file, which needs no daemon.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io::{self, BufReader, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use fusionchat_backup::{Fault, Head, Reader, Totals};
use fusionchat_proto::v1;
use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;
use rustix::process::geteuid;
use serde_json::{Map, Value, json};

use crate::cmd::server::progress::Bar;
use crate::cmd::server::{bytes, restore};
use crate::cmd::{Context, hex, object};
use crate::failure::{Exit, Failure};
use crate::output::{Cell, Report};

/// How much of a file is read at once.
const READ_BYTES: usize = 1024 * 1024;
/// A backup holds everything: for its owner alone.
const FILE_MODE: u32 = 0o600;
/// How often the unfinished file is opened, should others end theirs at the same moments.
const OPENS_MAX: u32 = 8;

/// Verbs of `server backup`.
#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Write everything the daemon holds at this moment into one file, while it serves; for the operator
    ///
    /// The file is new and for you alone (mode 0600). It has messages, password hashes and the daemon's secret: keep it
    /// as private as the data directory, and encrypt it before it leaves the machine.
    #[command(after_help = "Example:\n  fusionctl server backup create desk.backup")]
    Create(Place),
    /// Read a backup and say whether every byte is as it was written; needs no daemon
    #[command(after_help = "Example:\n  fusionctl server backup verify desk.backup -o json")]
    Verify(Place),
    /// Make the store of an empty data directory out of a backup, on this machine, by its fusionchatd
    ///
    /// Read back and held against its journals before it is put in place. Whoever was connected begins again by a
    /// reset.
    #[command(
        after_help = "Example:\n  fusionctl server backup restore desk.backup --data /var/lib/fusionchat --store redb:"
    )]
    Restore(restore::Restore),
}

/// The file a verb is about.
#[derive(Args, Debug)]
pub(crate) struct Place {
    /// The backup
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// The verbs that need no daemon.
pub(crate) async fn offline(command: &BackupCommand, progress: bool) -> Result<Report, Failure> {
    match command {
        // Run with a context.
        BackupCommand::Create(_) => Err(Failure::usage("usage", "this needs a daemon")),
        BackupCommand::Verify(place) => verify(&place.file, progress).await,
        BackupCommand::Restore(arguments) => restore::run(arguments, progress).await,
    }
}

async fn verify(path: &Path, progress: bool) -> Result<Report, Failure> {
    let file = File::open(path).map_err(|error| refused(path, &Fault::Unreadable(error)))?;
    let bar = Bar::new(progress, file.metadata().map_or(0, |file| file.len()));
    let read = read_through(file, bar).await.map_err(|fault| refused(path, &fault))?;
    Ok(object(view(path, &read), fields(path, &read)).into())
}

/// What a whole file says.
struct Whole {
    head: Head,
    totals: Totals,
    file_bytes: u64,
}

/// Reads a file to its end, away from the thread that a signal has to stop.
async fn read_through(file: File, bar: Bar) -> Result<Whole, Fault> {
    let read = tokio::task::spawn_blocking(move || read_all(file, &bar)).await;
    read.unwrap_or_else(|panic| Err(Fault::Unreadable(io::Error::other(panic))))
}

fn read_all(file: File, bar: &Bar) -> Result<Whole, Fault> {
    let mut reader = Reader::begin(BufReader::with_capacity(READ_BYTES, file))?;
    while reader.next_rows()?.is_some() {
        bar.at("checked", reader.rows(), reader.at());
    }
    // It has come to its end, so it has them.
    let totals = reader.totals().ok_or(Fault::Truncated { at: reader.at() })?;
    Ok(Whole { head: reader.head().clone(), totals, file_bytes: reader.at() })
}

/// Why a file is no whole backup, in the words and the exit code of a command.
fn refused(path: &Path, fault: &Fault) -> Failure {
    let exit = exit_of(fault.code());
    Failure::new(exit, fault.code(), format!("{}: {fault}", path.display()))
}

/// The exit code of a refusal by its code: of a file's here, and of a restore's.
pub(crate) fn exit_of(code: &str) -> Exit {
    match code {
        "no_such_file" => Exit::NotFound,
        "not_a_backup" | "newer_format" | "newer_rows" | "truncated" | "damaged" => Exit::Rejected,
        "not_empty" | "in_use" | "already_exists" => Exit::Conflict,
        "unknown_engine" => Exit::Usage,
        _ => Exit::Failed,
    }
}

pub(crate) async fn create(context: &Context, place: &Place) -> Result<Report, Failure> {
    let path = &place.file;
    if path.symlink_metadata().is_ok() {
        return Err(exists(path));
    }
    let mut half = Unfinished::open(path)?;
    let bar = Bar::new(context.progress, 0);
    let client = &context.client;
    let request = v1::CreateBackupRequest {};
    let mut parts = client.call(client.server().create_backup(request)).await?;
    let mut taken = 0;
    loop {
        let next = tokio::time::timeout(client.timeout(), parts.message()).await;
        let next = next.map_err(|_| Failure::timed_out("nothing more of the backup came"))?;
        let Some(part) = next.map_err(|status| Failure::from_status(&status))? else { break };
        half.file.write_all(&part.bytes).map_err(|error| half.unwritable(&error))?;
        taken += part.bytes.len() as u64;
        bar.at("taken", part.rows, taken);
    }
    half.file.sync_all().map_err(|error| half.unwritable(&error))?;
    // Read back from the disk's side: what is given the name is what was sent.
    let bar = Bar::new(context.progress, taken);
    half.file.seek(SeekFrom::Start(0)).map_err(|error| half.unwritable(&error))?;
    let again = half.file.try_clone().map_err(|error| half.unwritable(&error))?;
    let read = read_through(again, bar).await.map_err(|fault| refused(&half.path, &fault))?;
    half.finish(path)?;
    Ok(object(view(path, &read), fields(path, &read)).into())
}

/// The file while it is being written, beside its place. It goes with whoever gives up.
struct Unfinished {
    file: File,
    path: PathBuf,
    done: bool,
}

impl Unfinished {
    /// Opens it for this process alone. One that a killed process has left is taken over.
    fn open(place: &Path) -> Result<Self, Failure> {
        let mut name = place.as_os_str().to_owned();
        name.push(OsString::from(".unfinished"));
        let path = PathBuf::from(name);
        let cannot = |error: &io::Error| cannot_write(&path, error);
        for _ in 0..OPENS_MAX {
            let mut options = File::options();
            options.read(true).write(true).create(true).truncate(false).mode(FILE_MODE);
            // A link in its place leads somewhere else.
            options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
            let file = options.open(&path).map_err(|error| cannot(&error))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let text = format!("another backup is being written to {}", place.display());
                    return Err(Failure::new(Exit::Conflict, "in_use", text));
                }
                Err(TryLockError::Error(error)) => return Err(cannot(&error)),
            }
            // Between the opening and the lock, whoever held it may have finished and given it its name.
            let mine = file.metadata().map_err(|error| cannot(&error))?;
            let still = path.symlink_metadata();
            if still.is_ok_and(|it| (it.dev(), it.ino()) == (mine.dev(), mine.ino())) {
                // Whoever else owns it, or has another name for it, could read what is written to it.
                if !mine.is_file() || mine.nlink() != 1 || mine.uid() != geteuid().as_raw() {
                    return Err(strange(&path));
                }
                // From here on it goes with whoever fails.
                let half = Self { file, path, done: false };
                let mode = PermissionsExt::from_mode(FILE_MODE);
                let emptied = half.file.set_len(0).and_then(|()| half.file.set_permissions(mode));
                emptied.map_err(|error| half.unwritable(&error))?;
                return Ok(half);
            }
        }
        let text = format!("others keep writing {}", path.display());
        Err(Failure::new(Exit::Conflict, "in_use", text))
    }

    /// Gives the whole file its name, unless something has that by now.
    fn finish(mut self, place: &Path) -> Result<(), Failure> {
        match renameat_with(CWD, &self.path, CWD, place, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Err(exists(place)),
            // A file system that cannot promise it.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                if place.symlink_metadata().is_ok() {
                    return Err(exists(place));
                }
                std::fs::rename(&self.path, place).map_err(|error| self.unwritable(&error))?;
            }
            Err(error) => return Err(self.unwritable(&error.into())),
        }
        self.done = true;
        let folder = place.parent().filter(|it| !it.as_os_str().is_empty());
        let synced = File::open(folder.unwrap_or(Path::new("."))).and_then(|it| it.sync_all());
        synced.map_err(|error| unconfirmed(place, &error))
    }

    fn unwritable(&self, error: &io::Error) -> Failure {
        cannot_write(&self.path, error)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.done {
            // What cannot be removed is taken over by the next.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn exists(place: &Path) -> Failure {
    let text = format!("{} is there already; a backup replaces nothing", place.display());
    Failure::new(Exit::Conflict, "already_exists", text)
}

fn strange(path: &Path) -> Failure {
    let text = format!("{} is there and not a file of yours alone", path.display());
    Failure::new(Exit::Conflict, "not_yours", text)
        .with_hint("write the backup into a directory that only you may write to")
}

fn unconfirmed(place: &Path, error: &io::Error) -> Failure {
    let text = format!(
        "{} is whole, but the disk did not confirm its name: {error}; a power cut may undo it",
        place.display()
    );
    Failure::new(Exit::Failed, "unconfirmed", text)
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let code = if full { "disk_full" } else { "unwritable" };
    Failure::new(Exit::Failed, code, format!("cannot write {}: {error}", path.display()))
}

fn view(path: &Path, whole: &Whole) -> Map<String, Value> {
    let Whole { head, totals, file_bytes } = whole;
    let json = json!({
        "file": path.display().to_string(),
        "fileBytes": file_bytes,
        "rows": totals.rows,
        "liveBytes": totals.bytes,
        "madeAt": head.made_at,
        "madeBy": head.version,
        "madeOf": head.engine,
        "schema": head.schema,
        "epoch": epoch(head),
        "sha256": hex(&totals.digest),
    });
    match json {
        Value::Object(object) => object,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}

fn fields(path: &Path, whole: &Whole) -> Vec<(&'static str, Cell)> {
    let Whole { head, totals, file_bytes } = whole;
    vec![
        ("file", Cell::Text(path.display().to_string())),
        ("size", Cell::Text(bytes(*file_bytes))),
        ("rows", Cell::Number(totals.rows)),
        ("made", Cell::At(head.made_at)),
        ("by", Cell::Text(format!("fusionchatd {}", head.version))),
        ("store", Cell::Text(format!("{}, schema {}", head.engine, head.schema))),
        ("epoch", Cell::Text(epoch(head))),
        ("sha256", Cell::Text(hex(&totals.digest))),
    ]
}

/// As the daemon writes it.
fn epoch(head: &Head) -> String {
    let text = hex(&head.epoch);
    let cut = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    [cut(0, 8), cut(8, 12), cut(12, 16), cut(16, 20), cut(20, 32)].join("-")
}
