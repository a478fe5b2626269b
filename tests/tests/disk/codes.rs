//! The exit codes of a backup or a restore that cannot go on though no disk fails: what a newer daemon made, what
//! somebody else is at work on, and a reader that is too slow for what changes meanwhile.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use fusionchat_backup::{Head, Reader, Writer};
use fusionchat_proto::v1;
use fusionchat_tests::disk::{Disk, Fault, Operation, Preload};
use fusionchat_tests::grpc::client_id;
use fusionchat_tests::stage::{Stage, play_for};
use fusionchatd::store::open::SCHEMA;

use crate::backup::{refused, text};
use crate::desk::Desk;
use crate::{ENGINES, WATCHDOG};

/// The longest texts, so many that they are more than a page of rows and what is on the way to one who takes no more.
const LONG: usize = 9_000;
const REPLIES: usize = 300;
/// So many articles of this size, whose rows stand after those of messages, are more than is kept for a reader.
const BODY_BYTES: usize = 256 * 1024;
const ARTICLES: usize = 8;
const KEPT_SMALL: &str = "backup_kept_mib = 1\n";
/// Soon over, and never.
const IMPATIENT: &str = "backup_patience_ms = 50\n";
const PATIENT: &str = "backup_patience_ms = 600000\n";
/// How many send at once.
const AT_ONCE: usize = 8;
/// The write to its file at which a reader stands still: the first one empties it.
const TAKEN: u64 = 2;

/// The same rows, as a daemon of another version with this format of rows would have them in its backup.
fn of_format(file: &Path, schema: u32, version: &str) -> Result<Vec<u8>> {
    let bytes = fs::read(file)?;
    let mut reader = Reader::begin(bytes.as_slice())?;
    let head = Head { schema, version: version.to_owned(), ..reader.head().clone() };
    let mut writer = Writer::begin(&head);
    while let Some(rows) = reader.next_rows()? {
        rows.iter().for_each(|(key, value)| writer.row(key, value));
    }
    let begun = writer.take();
    Ok([begun, writer.finish().0].concat())
}

#[test]
fn a_backup_with_rows_of_a_newer_format_is_whole_and_not_restored() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        let desk = Desk::found(stage, &preload, "redb", false).await?;
        let (ctl, folder) = (desk.ctl()?, stage.folder("backups")?);
        let (made, file) = (folder.join("made"), folder.join("desk.backup"));
        ctl.run(&["server", "backup", "create", &text(&made)]).await?.expect(0)?;
        let data = stage.folder("data")?;
        let restore = ["server", "backup", "restore", &text(&file), "--data", &text(&data)];
        fs::write(&file, of_format(&made, SCHEMA + 41, "9.8.7")?)?;
        ctl.run(&["server", "backup", "verify", &text(&file)]).await?.expect(0)?;
        let error = refused(&ctl, &restore, 7).await?;
        ensure!(error["code"] == "newer_rows", "{error}");
        let message = error["message"].as_str().unwrap_or_default();
        for named in [text(&file), "9.8.7".to_owned(), (SCHEMA + 41).to_string()] {
            ensure!(message.contains(&named), "it does not name {named}: {error}");
        }
        ensure!(fs::read_dir(&data)?.next().is_none(), "something is left");
        // It is the number that it is refused for.
        fs::write(&file, of_format(&made, SCHEMA, "9.8.7")?)?;
        ctl.run(&restore).await?.expect(0)?;
        Ok(())
    });
}

#[test]
fn a_second_backup_to_a_file_and_a_second_restore_into_a_directory_are_refused() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        let desk = Desk::found(stage, &preload, "redb", false).await?;
        let folder = stage.folder("backups")?.canonicalize()?;
        let file = text(&folder.join("desk.backup"));
        let data = stage.folder("data")?.canonicalize()?;
        let create = ["server", "backup", "create", &file];
        let restore = ["server", "backup", "restore", &file, "--data", &text(&data)];
        for (words, place) in [(&create[..], &folder), (&restore[..], &data)] {
            let disk = Disk::new(stage, &preload, place)?;
            disk.arm(Operation::Write, Fault::Waits, 1)?;
            let (held, ctl) = (desk.ctl_on(&disk)?, desk.ctl()?);
            let second = async {
                standing(&disk).await?;
                let error = refused(&ctl, words, 6).await?;
                ensure!(error["code"] == "in_use", "{error}");
                let message = error["message"].as_str().unwrap_or_default();
                ensure!(message.contains(&text(place)), "it does not name the place: {error}");
                disk.disarm()
            };
            let (first, ()) = tokio::try_join!(held.run(words), second)?;
            first.expect(0).with_context(|| format!("{words:?}"))?;
        }
        Ok(())
    });
}

/// Waits until whoever uses this disk stands still.
async fn standing(disk: &Disk) -> Result<()> {
    while disk.fired()? == 0 {
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Does so many things, several at a time.
async fn each(count: usize, act: impl AsyncFn(usize) -> Result<()>) -> Result<()> {
    let act = &act;
    let lanes = (0..AT_ONCE).map(|lane| async move {
        for number in (lane..count).step_by(AT_ONCE) {
            act(number).await?;
        }
        anyhow::Ok(())
    });
    futures::future::try_join_all(lanes).await.map(drop)
}

/// Fills the store with long messages, and articles after them.
async fn fill(desk: &Desk) -> Result<()> {
    let (staff, content) = (desk.staff().await?, "\u{1f642}".repeat(LONG));
    each(REPLIES, async |_| {
        staff.reply(&client_id(), &desk.number, &content).await?;
        Ok(())
    })
    .await?;
    each(ARTICLES, async |number| {
        let (client_id, body) = (client_id(), "é".repeat(BODY_BYTES / 2));
        let (source_path, title) = (path(number), "long".to_owned());
        let article =
            v1::PutArticleRequest { client_id, source_path, title, body, ..Default::default() };
        staff.articles().put_article(article).await?;
        Ok(())
    })
    .await
}

fn path(number: usize) -> String {
    format!("article/{number}.md")
}

#[test]
fn a_backup_whose_reader_is_too_slow_ends_with_1_and_says_why() {
    play_for(WATCHDOG, async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        for engine in ENGINES {
            let mut desk = Desk::found(stage, &preload, engine, false).await?;
            desk.start_in(KEPT_SMALL).await?;
            fill(&desk).await?;
            let overruns = async |desk: &mut Desk, other: &[&str]| {
                let error = refused(&desk.ctl()?, other, 6).await?;
                ensure!(error["code"] == "backup_under_way", "{error}");
                let staff = desk.staff().await?;
                each(ARTICLES, async |number| {
                    let (client_id, article_id) = (client_id(), path(number));
                    let request = v1::DeleteArticleRequest { client_id, article_id };
                    staff.articles().delete_article(request).await?;
                    Ok(())
                })
                .await
            };
            slow(stage, &preload, &mut desk, "backup_overrun", overruns).await?;
            desk.start_in(IMPATIENT).await?;
            let stalls = async |desk: &mut Desk, other: &[&str]| {
                desk.served.said("a backup failed").await?;
                desk.reload(PATIENT).await?;
                // Another one goes through meanwhile, and the late reader is told all the same.
                desk.ctl()?.run(other).await?.expect(0)?;
                Ok(fs::remove_file(other.last().context("a file")?)?)
            };
            slow(stage, &preload, &mut desk, "backup_stalled", stalls).await?;
        }
        Ok(())
    });
}

/// A backup whose reader stands still while something is done ends with this code, and leaves no file.
async fn slow(
    stage: &Stage,
    preload: &Preload,
    desk: &mut Desk,
    code: &str,
    meanwhile: impl AsyncFnOnce(&mut Desk, &[&str]) -> Result<()>,
) -> Result<()> {
    let folder = stage.folder("backups")?.canonicalize()?;
    let disk = Disk::new(stage, preload, &folder)?;
    disk.arm(Operation::Write, Fault::Waits, TAKEN)?;
    let [first, other] = ["first", "other"].map(|name| text(&folder.join(name)));
    let [first, other] = [&first, &other].map(|path| ["server", "backup", "create", path]);
    let held = desk.ctl_on(&disk)?;
    let hold = async {
        standing(&disk).await?;
        meanwhile(desk, &other).await?;
        disk.disarm()
    };
    let (error, ()) = tokio::try_join!(refused(&held, &first, 1), hold)?;
    ensure!(error["code"] == code, "{error}");
    ensure!(error["retryable"] == true, "{error}");
    ensure!(fs::read_dir(&folder)?.next().is_none(), "{code}: something is left");
    Ok(())
}
