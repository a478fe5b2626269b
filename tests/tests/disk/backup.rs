//! Backups of the real daemon: made under load and restored on the other engine, with what was acknowledged before they
//! began; and what is no backup, or has no room, refused with its own exit code while the old data stays as it was.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context, Result, ensure};
use fusionchat_proto::v1::watch_response::Frame;
use fusionchat_tests::disk::{Disk, Fault, Operation, Preload};
use fusionchat_tests::grpc::client_id;
use fusionchat_tests::program::Ctl;
use fusionchat_tests::serve::fusionchatd;
use fusionchat_tests::stage::{Stage, play_for};
use rustix::io::Errno;
use serde_json::Value;

use crate::desk::{Desk, serve, staff_of};
use crate::load::{Ledger, reply};
use crate::rows;
use crate::{ENGINES, WATCHDOG};

/// Who writes meanwhile.
const WRITERS: usize = 6;
/// What is acknowledged before a backup begins, and what is besides it while it is made.
const BEFORE: usize = 120;
const MEANWHILE: usize = 60;
/// A conversation's longest texts, so that the backup takes its time and values are split.
const LONG: usize = 9_000;
/// So many of them, in four bytes a character, are more than waits on the way to somebody who takes no more.
const LONGEST: usize = 90;
/// The change of its file during which the daemon is killed: the first one empties it.
const TAKEN: u64 = 3;

/// The other engine.
pub(crate) fn other(engine: &str) -> &'static str {
    if engine == "sled" { "redb" } else { "sled" }
}

/// The text of a path.
pub(crate) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[test]
fn a_backup_under_load_is_restored_on_the_other_engine() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let mut desk = Desk::found(stage, &preload, engine, false).await?;
            check(stage, &mut desk, engine).await.with_context(|| engine.to_owned())?;
        }
        Ok(())
    });
}

/// What a client knew of the store before it was restored.
struct Known {
    file: PathBuf,
    /// What was acknowledged before the backup began.
    ledger: Ledger,
    length: u64,
}

async fn check(stage: &Stage, desk: &mut Desk, engine: &str) -> Result<()> {
    let mut visitor = desk.visitor().await?;
    let id = visitor.say("said before the backup").await?;
    visitor.acked(&id).await?;
    let head = desk.staff().await?.watch(None, "").await?.head;
    let known = under_load(stage, desk).await?;
    desk.served.kill9().await?;

    let ctl = Ctl::with(stage, &stage.folder("home")?, &[]);
    let file = text(&known.file);
    let verified = ctl.run(&["server", "backup", "verify", &file, "-o", "json"]).await?;
    let verified = verified.expect(0)?.json()?;
    ensure!(verified["madeOf"] == engine, "{verified}");
    let data = stage.folder("restored")?;
    let url = format!("{}:", other(engine));
    let restore = ["server", "backup", "restore", &file, "--data", &text(&data), "--store", &url];
    let restored = ctl.run(&[&restore[..], &["-o", "json"]].concat()).await?.expect(0)?.json()?;
    let numbers = ["rows", "journals", "entries", "conversations"].map(|name| &restored[name]);
    ensure!(restored["rows"] == verified["rows"] && restored["faults"] == 0, "{restored}");
    ensure!(restored["oldEpoch"] == verified["epoch"], "{restored} {verified}");
    ensure!(restored["epoch"] != verified["epoch"], "{restored}");
    println!("{engine} -> {url} {numbers:?}, {} bytes", verified["fileBytes"]);

    // A store that was restored is one like any other.
    let checked = fusionchatd(stage, &["store", "check", "--data", &text(&data)]).await?;
    checked.expect(0)?;
    let acknowledged = known.ledger.until(usize::try_from(known.length)?);
    ensure!(acknowledged.len() >= BEFORE, "{} acknowledged", acknowledged.len());
    let store = data.join("store");
    rows::check(other(engine), &store, &acknowledged).await.context("restored")?;

    let served = serve(stage, &data).await?;
    let staff = staff_of(&served, &desk.token).await?;
    let mut stream = staff.watch_from(head.clone()).await?;
    let first = stream.frame().await?;
    ensure!(matches!(first, Frame::Reset(_)), "the old cursor {head:?} got {first:?}");
    visitor.moved_to(&format!("http://{}", served.address("http")?));
    visitor.connect().await?;
    ensure!(visitor.resets == 1, "the visitor's old cursor got {} resets", visitor.resets);
    ensure!(visitor.messages[0]["content"] == "said before the backup", "{:?}", visitor.messages);
    let id = visitor.say("said after it").await?;
    visitor.acked(&id).await?;
    // What was acknowledged before is what a repeat of it finds.
    let replies = acknowledged.iter().filter_map(|it| Some((it, it.client_id.as_ref()?)));
    for (line, client_id) in replies.take(3) {
        let again = staff.reply(client_id, &desk.number, &line.content).await?;
        ensure!(again.seq == line.seq && again.id == line.id, "{line:?} again is {again:?}");
    }
    Ok(())
}

/// Makes a backup while writers write, and ends both.
async fn under_load(stage: &Stage, desk: &Desk) -> Result<Known> {
    let (ledger, count, stop) = (Ledger::default(), AtomicUsize::new(0), AtomicBool::new(false));
    let staff = desk.staff().await?;
    let file = stage.folder("backups")?.join("desk.backup");
    let (ctl, path) = (desk.ctl()?, text(&file));
    let length = {
        let (ledger, count, stop, staff) = (&ledger, &count, &stop, &staff);
        let writers = (0..WRITERS).map(|writer| async move {
            for number in 0.. {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let long = if number % 4 == 3 { LONG } else { 100 };
                let text = format!("{writer} {number} {}", "é".repeat(long));
                reply(desk, staff, ledger, text).await?;
                count.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
            }
            anyhow::Ok(())
        });
        let backup = async {
            reached(count, BEFORE).await;
            let length = desk.disk.written()?;
            let began = count.load(Ordering::SeqCst);
            let made = ctl.run(&["server", "backup", "create", &path, "-o", "json"]).await?;
            let meanwhile = count.load(Ordering::SeqCst) - began;
            println!("{meanwhile} acknowledged while the backup was made: {}", made.stdout.trim());
            let made = made.expect(0)?.json()?;
            ensure!(made["file"] == path, "{made}");
            ensure!(meanwhile > 0, "nothing was acknowledged while the backup was made");
            reached(count, began + MEANWHILE).await;
            stop.store(true, Ordering::SeqCst);
            anyhow::Ok(length)
        };
        let writers = futures::future::try_join_all(writers);
        tokio::try_join!(writers, backup)?.1
    };
    ensure!(names(&file)? == ["desk.backup"], "{:?}", names(&file)?);
    Ok(Known { file, ledger, length })
}

async fn reached(count: &AtomicUsize, goal: usize) {
    while count.load(Ordering::SeqCst) < goal {
        tokio::task::yield_now().await;
    }
}

/// What lies beside a file, itself included.
fn names(file: &Path) -> Result<Vec<String>> {
    let folder = file.parent().context("a file lies in a folder")?;
    let names = fs::read_dir(folder)?.map(|it| Ok(text(Path::new(&it?.file_name()))));
    let mut names = names.collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// The error and its exit code.
pub(crate) async fn refused(ctl: &Ctl, arguments: &[&str], code: i32) -> Result<Value> {
    ctl.run(&[arguments, &["-o", "json"]].concat()).await?.expect(code)?.error()
}

#[test]
fn what_is_no_whole_backup_is_refused_by_name() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        let desk = Desk::found(stage, &preload, "redb", false).await?;
        let (ctl, folder) = (desk.ctl()?, stage.folder("backups")?);
        let whole = folder.join("whole");
        ctl.run(&["server", "backup", "create", &text(&whole)]).await?.expect(0)?;
        let bytes = fs::read(&whole)?;
        let cut = bytes[..bytes.len() / 2].to_vec();
        let mut altered = bytes.clone();
        altered[bytes.len() / 2] ^= 0x40;
        let mut newer = bytes.clone();
        newer[11] += 1;
        let longer = [bytes.as_slice(), b"x"].concat();
        let data = stage.folder("data")?;
        for (name, bytes, code, exit) in [
            ("cut", cut, "truncated", 7),
            ("altered", altered, "damaged", 7),
            ("newer", newer, "newer_format", 7),
            ("longer", longer, "damaged", 7),
            ("other", b"PK\x03\x04 something else".to_vec(), "not_a_backup", 7),
            ("empty", Vec::new(), "not_a_backup", 7),
        ] {
            let path = folder.join(name);
            fs::write(&path, bytes)?;
            let restore = ["server", "backup", "restore", &text(&path), "--data", &text(&data)];
            let verify = ["server", "backup", "verify", &text(&path)];
            for arguments in [&verify[..], &restore[..]] {
                let error = refused(&ctl, arguments, exit).await?;
                ensure!(error["code"] == code, "{name}: {error}");
                let message = error["message"].as_str().unwrap_or_default();
                ensure!(message.contains(&text(&path)), "it does not name the file: {error}");
            }
            ensure!(fs::read_dir(&data)?.next().is_none(), "{name} has left something");
        }
        let missing = ["server", "backup", "verify", &text(&folder.join("missing"))];
        ensure!(refused(&ctl, &missing, 3).await?["code"] == "no_such_file");
        let whole = text(&whole);
        let there = ["server", "backup", "create", &whole];
        ensure!(refused(&ctl, &there, 6).await?["code"] == "already_exists");
        // Who has another name for the unfinished file could read what is written to it.
        let (strange, linked) = (folder.join("strange"), folder.join("strange.unfinished"));
        fs::write(&strange, "somebody's")?;
        fs::hard_link(&strange, &linked)?;
        let into = ["server", "backup", "create", &text(&folder.join("strange"))];
        ensure!(refused(&ctl, &into, 6).await?["code"] == "already_exists");
        fs::rename(&strange, folder.join("kept"))?;
        ensure!(refused(&ctl, &into, 6).await?["code"] == "not_yours");
        ensure!(fs::read(&linked)? == b"somebody's" && !strange.exists(), "it was touched");
        let used = text(desk.disk.root());
        let running = ["server", "backup", "restore", &whole, "--data", &used];
        ensure!(refused(&ctl, &running, 6).await?["code"] == "not_empty");
        let rocks = ["server", "backup", "restore", &whole, "--data", &text(&data)];
        let rocks = [&rocks[..], &["--store", "rocks:"]].concat();
        refused(&ctl, &rocks, 2).await?;
        let token = desk.token.clone();
        let endpoint = format!("http://{}", desk.served.address("grpc")?);
        let variables = [("FUSION_ENDPOINT", endpoint.as_str()), ("FUSION_TOKEN", &token)];
        let admin = Ctl::with(stage, &stage.folder("home")?, &variables);
        let create = ["server", "backup", "create", &text(&folder.join("admin"))];
        refused(&admin, &create, 5).await?;
        ensure!(!folder.join("admin").exists() && !folder.join("admin.unfinished").exists());
        // The daemon whose directory was asked for goes on.
        desk.staff().await?.reply("0123456789abcdef0123456789abcdef", &desk.number, "on").await?;
        Ok(())
    });
}

#[test]
fn faults_48_50_51_a_disk_that_fails_a_backup_or_a_restore_leaves_nothing_half() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        let desk = Desk::found(stage, &preload, "sled", false).await?;
        let folder = stage.folder("backups")?.canonicalize()?;
        let whole = text(&stage.folder("whole")?.join("whole"));
        desk.ctl()?.run(&["server", "backup", "create", &whole]).await?.expect(0)?;
        let (full, broken) = (Errno::NOSPC.raw_os_error(), Errno::IO.raw_os_error());
        let faults = [
            (Operation::Write, Fault::KeepsFailing(full), "No space left on device"),
            (Operation::Write, Fault::Fails(broken), "Input/output error"),
            // sled's own thread syncs, too, and says nothing of an error: a kernel tells it to each handle of the file.
            (Operation::Sync, Fault::KeepsFailing(broken), "Input/output error"),
        ];
        let path = folder.join("desk.backup");
        for (operation, fault, told) in faults {
            let disk = Disk::new(stage, &preload, &folder)?;
            disk.arm(operation, fault, 1)?;
            let create = ["server", "backup", "create", &text(&path)];
            let error = refused(&desk.ctl_on(&disk)?, &create, 1).await?;
            ensure!(disk.fired()? > 0, "nothing failed");
            ensure!(error["message"].as_str().is_some_and(|it| it.contains(told)), "{error}");
            ensure!(fs::read_dir(&folder)?.next().is_none(), "{:?}", names(&path)?);
        }
        for engine in ENGINES {
            for (operation, fault, told) in faults {
                for nth in [1, 2, 5] {
                    let data = stage.folder("new")?.canonicalize()?;
                    let disk = Disk::new(stage, &preload, &data)?;
                    disk.arm(operation, fault, nth)?;
                    let url = format!("{engine}:");
                    let to = ["--data", &text(&data), "--store", &url];
                    let restore = [&["server", "backup", "restore", &whole][..], &to].concat();
                    let what = format!("{engine} {operation:?} {fault:?} {nth}");
                    let error = refused(&desk.ctl_on(&disk)?, &restore, 1).await;
                    let error = error.with_context(|| what.clone())?;
                    ensure!(disk.fired()? > 0, "{what}: nothing failed");
                    let message = error["message"].as_str().unwrap_or_default();
                    ensure!(message.contains(told), "{what}: {error}");
                    ensure!(!message.contains("permissions"), "{what}: {error}");
                    // The first write is a file's of ours, the later ones are an engine's.
                    let full = nth == 1 && told.starts_with("No space");
                    ensure!(!full || error["code"] == "disk_full", "{what}: {error}");
                    ensure!(!data.join("store").exists(), "{what}: there is a store");
                    disk.disarm()?;
                    let again = [&restore[..], &["-o", "json"]].concat();
                    desk.ctl()?.run(&again).await?.expect(0).context(what)?;
                }
            }
            let data = stage.folder("new")?.canonicalize()?;
            let disk = Disk::new(stage, &preload, &data)?;
            disk.say_free(Some(100 * 1024 * 1024))?;
            let restore = ["server", "backup", "restore", &whole, "--data", &text(&data)];
            let error = refused(&desk.ctl_on(&disk)?, &restore, 1).await?;
            ensure!(error["code"] == "disk_full", "{error}");
            ensure!(fs::read_dir(&data)?.next().is_none(), "{engine}: something is left");
        }
        Ok(())
    });
}

#[test]
fn fault_40_a_backup_whose_daemon_is_killed_leaves_no_file_and_goes_through_later() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let mut desk = Desk::found(stage, &preload, engine, false).await?;
            let staff = desk.staff().await?;
            let content = "\u{1f642}".repeat(LONG);
            for _ in 0..LONGEST {
                staff.reply(&client_id(), &desk.number, &content).await?;
            }
            let folder = stage.folder("backups")?.canonicalize()?;
            let path = text(&folder.join("desk.backup"));
            let disk = Disk::new(stage, &preload, &folder)?;
            disk.arm(Operation::Write, Fault::Waits, TAKEN)?;
            let create = ["server", "backup", "create", &path];
            let ctl = desk.ctl_on(&disk)?;
            let kill = async {
                while disk.fired()? == 0 {
                    tokio::task::yield_now().await;
                }
                desk.served.kill9().await?;
                disk.disarm()
            };
            let (error, ()) = tokio::try_join!(refused(&ctl, &create, 9), kill)?;
            println!("{engine}: {error}");
            ensure!(error["code"] == "unreachable" && error["retryable"] == true, "{error}");
            ensure!(fs::read_dir(&folder)?.next().is_none(), "{:?}", names(Path::new(&path))?);

            desk.start().await?;
            let ctl = desk.ctl()?;
            ctl.run(&create).await?.expect(0)?;
            ctl.run(&["server", "backup", "verify", &path]).await?.expect(0)?;
            ensure!(names(Path::new(&path))? == ["desk.backup"], "something is left");
        }
        Ok(())
    });
}
