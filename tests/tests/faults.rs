//! Faults of the whole process: killed, stopped under load, started twice, started on the wrong data or with a
//! wrong configuration. What was acknowledged is there afterwards, and what is refused is refused in clear text.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use fusionchat_tests::daemon::Daemon;
use fusionchat_tests::grpc::{Staff, client_id};
use fusionchat_tests::program::{self, Output};
use fusionchat_tests::stage::{Stage, play};
use fusionchat_tests::visitor::Received;
use fusionchatd::store::open::{DiskEngine, OpenOptions, SCHEMA, SCHEMA_KEY};
use fusionchatd::store::redb::RedbEngine;
use fusionchatd::store::sled::SledEngine;
use fusionchatd::store::{Batch, Direction, Engine, Key, Range, Value};

/// How long stopping may take, and what a loaded machine may add to it.
const STOP_MAX: Duration = Duration::from_secs(5 + 5);

/// A conversation of the demo that waits, claimed by `staff`.
async fn claimed(staff: &Staff) -> Result<String> {
    let waiting = staff.queue().await?;
    let row = waiting.first().context("somebody waits")?;
    let number = row.escalation.as_ref().context("an escalation")?.number.to_string();
    staff.claim(&number, false).await?;
    Ok(number)
}

/// Runs the daemon's program to its end.
async fn daemon(runtime: &Path, arguments: &[&str]) -> Result<Output> {
    let mut command = program::command("fusionchatd", runtime)?;
    let output = command.args(arguments).stdin(Stdio::null()).output().await?;
    Ok(Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

#[test]
fn fault_39_a_retry_after_kill_9_is_the_same_message() {
    play(async |stage: &Stage| {
        let mut daemon = Daemon::demo(stage).await?;
        let staff = daemon.staff("agent1").await?;
        let number = claimed(&staff).await?;
        let mut acked = vec![];
        for round in 0..3 {
            let staff = daemon.staff("agent1").await?;
            let (id, text) = (client_id(), format!("reply {round}"));
            // Killed somewhere between the request and its answer: nobody knows where.
            let first = {
                let send = staff.reply(&id, &number, &text);
                let (first, killed) = futures::join!(send, daemon.kill9());
                killed?;
                first.ok()
            };
            daemon.start().await?;
            let staff = daemon.staff("agent1").await?;
            let again = staff.reply(&id, &number, &text).await?;
            if let Some(first) = first {
                ensure!(first.id == again.id && first.seq == again.seq, "{first:?} {again:?}");
            }
            acked.push((again.seq, text));
        }
        let (messages, _) = daemon.staff("agent1").await?.messages(&number).await?;
        for (seq, text) in acked {
            let found: Vec<u64> =
                messages.iter().filter(|it| it.content == text).map(|it| it.seq).collect();
            ensure!(found == [seq], "{text} is at {found:?}, acknowledged at {seq}");
        }
        Ok(())
    });
}

#[test]
fn fault_58_a_second_daemon_is_refused_and_names_the_first() {
    play(async |stage: &Stage| {
        let first = Daemon::demo(stage).await?;
        let runtime = stage.folder("other-runtime")?;
        let data = first.data().to_string_lossy().into_owned();
        let second = daemon(&runtime, &["demo", "--free-ports", "--data", &data]).await?;
        let second = second.expect(1)?;
        let pid = first.pid()?.to_string();
        ensure!(second.stderr.contains(&pid), "it names {pid}: {second:?}");
        let status = first.ctl().run(&["server", "status", "-o", "json"]).await?.expect(0)?;
        ensure!(status.json()?["pid"] == first.pid()?, "the first one goes on: {status:?}");
        Ok(())
    });
}

#[test]
fn fault_59_newer_data_is_refused_and_left_alone() {
    play(async |stage: &Stage| {
        let mut first = Daemon::demo(stage).await?;
        first.sigterm().await?;
        first.ended().await?;
        let store = first.data().join("store");
        let data = first.data().to_string_lossy().into_owned();
        let with_data = async |words: &[&str]| {
            daemon(first.runtime(), &[words, &["--data", &data]].concat()).await
        };
        for engine in [DiskEngine::Sled, DiskEngine::Redb] {
            if engine == DiskEngine::Redb {
                with_data(&["store", "migrate", "--to", "redb:"]).await?.expect(0)?;
            }
            set_format(engine, &store, SCHEMA + 41).await?;
            let before = rows_of(engine, &store).await?;
            let asked: [&[&str]; 3] =
                [&["demo", "--free-ports"], &["store", "check"], &["store", "vacuum"]];
            for words in asked {
                let refused = with_data(words).await?.expect(1)?;
                let (found, known) = ((SCHEMA + 41).to_string(), SCHEMA.to_string());
                let names_both = refused.stderr.contains(&found) && refused.stderr.contains(&known);
                ensure!(names_both, "{words:?}: {refused:?}");
            }
            ensure!(rows_of(engine, &store).await? == before, "{engine}: a row was changed");
            set_format(engine, &store, SCHEMA).await?;
        }
        Ok(())
    });
}

/// The engine over a store, whatever format its rows have.
async fn bare(engine: DiskEngine, store: &Path) -> Result<Arc<dyn Engine>> {
    let options = OpenOptions::default();
    Ok(match engine {
        DiskEngine::Sled => Arc::new(SledEngine::open(store, &options).await?),
        DiskEngine::Redb => Arc::new(RedbEngine::open(store, &options).await?),
    })
}

async fn set_format(engine: DiskEngine, store: &Path, number: u32) -> Result<()> {
    let engine = bare(engine, store).await?;
    let put = vec![(Key::from_static(&SCHEMA_KEY), number.to_be_bytes().to_vec().into())];
    engine.commit(Batch { put, ..Batch::default() }).await?;
    Ok(engine.close().await?)
}

async fn rows_of(engine: DiskEngine, store: &Path) -> Result<Vec<(Key, Value)>> {
    let engine = bare(engine, store).await?;
    let rows = engine.scan(&Range::prefix(b""), Direction::Forward, u32::MAX).await?;
    engine.close().await?;
    ensure!(!rows.is_empty(), "a store with rows");
    Ok(rows)
}

#[test]
fn a_store_whose_disk_is_not_there_is_no_new_one() {
    play(async |stage: &Stage| {
        let data = stage.folder("unmounted")?.join("data");
        let runtime = stage.folder("runtime-of-unmounted")?;
        let place = data.to_string_lossy().into_owned();
        let made = ["init", "--tenant", "acme", "--admin", "ana@acme.example", "--data", &place];
        daemon(&runtime, &made).await?.expect(0)?;
        let (store, away) = (data.join("store"), data.join("away"));
        fs::rename(&store, &away)?;
        fs::create_dir(&store)?;
        for engine in ["sled:", "redb:"] {
            let serve = ["serve", "--data", &place, "--store", engine];
            for words in [&serve[..3], &serve] {
                let refused = daemon(&runtime, words).await?.expect(1)?;
                ensure!(refused.stderr.contains("mounted"), "{words:?}: {refused:?}");
            }
        }
        ensure!(fs::read_dir(&store)?.count() == 0, "nothing was made there");
        fs::remove_dir(&store)?;
        fs::rename(&away, &store)?;
        daemon(&runtime, &["store", "check", "--data", &place]).await?.expect(0)?;
        Ok(())
    });
}

#[test]
fn a_directory_remembers_its_engine_and_a_url_names_one() {
    play(async |stage: &Stage| {
        let data = stage.folder("redb")?.join("data").to_string_lossy().into_owned();
        let runtime = stage.folder("runtime-of-redb")?;
        let made = ["--data", &data, "--tenant", "acme", "--admin", "ana@acme.example"];
        let init = |store: &'static str| [&["init", "--store", store][..], &made].concat();
        let refused = daemon(&runtime, &init("rocks:")).await?.expect(64)?;
        ensure!(
            refused.stderr.contains("rocks:") && refused.stderr.contains("redb:"),
            "{refused:?}"
        );
        daemon(&runtime, &init("redb:")).await?.expect(0)?;
        ensure!(Path::new(&data).join("store/rows.redb").is_file(), "it is redb's");

        let other = ["serve", "--data", &data, "--store", "sled:"];
        let refused = daemon(&runtime, &other).await?.expect(64)?;
        let names_both = refused.stderr.contains("engine redb") && refused.stderr.contains("sled");
        ensure!(names_both, "{refused:?}");
        let refused = daemon(&runtime, &["serve", "--data", &data, "--store", "redb"]).await?;
        ensure!(refused.code == 64, "a scheme has a colon: {refused:?}");
        let left = fs::read_dir(Path::new(&data).join("store"))?.count();
        ensure!(left == 2, "the lock and the rows, and nothing beside them: {left}");
        Ok(())
    });
}

#[test]
fn a_store_is_checked_vacuumed_and_migrated_and_serves_again() {
    play(async |stage: &Stage| {
        let mut first = Daemon::demo(stage).await?;
        let number = claimed(&first.staff("agent1").await?).await?;
        first.staff("agent1").await?.reply(&client_id(), &number, "kept").await?;
        let data = first.data().to_string_lossy().into_owned();
        let runtime = stage.folder("maintenance")?;
        let store = async |verb: &[&str]| {
            daemon(&runtime, &[&["store"], verb, &["--data", &data]].concat()).await
        };
        let refused = store(&["vacuum"]).await?.expect(1)?;
        ensure!(refused.stderr.contains(&format!("process {}", first.pid()?)), "{refused:?}");
        first.sigterm().await?;
        first.ended().await?;

        let sound = store(&["check"]).await?.expect(0)?;
        ensure!(sound.stdout.contains("sled") && sound.stdout.contains("holds"), "{sound:?}");
        store(&["migrate", "--to", "rocks:"]).await?.expect(64)?;
        let moved = store(&["migrate", "--to", "redb:"]).await?.expect(0)?;
        ensure!(moved.stdout.contains("sled -> redb") && moved.stderr.is_empty(), "{moved:?}");
        store(&["vacuum"]).await?.expect(0)?;
        let sound = store(&["check"]).await?.expect(0)?;
        ensure!(sound.stdout.contains("redb") && sound.stdout.contains("holds"), "{sound:?}");

        first.start().await?;
        let (messages, _) = first.staff("agent1").await?.messages(&number).await?;
        ensure!(messages.iter().any(|it| it.content == "kept"), "{messages:?}");
        Ok(())
    });
}

#[test]
fn fault_62_sigterm_under_load_drains_and_loses_nothing() {
    play(async |stage: &Stage| {
        let mut daemon = Daemon::demo(stage).await?;
        let staff = daemon.staff("agent1").await?;
        let number = claimed(&staff).await?;
        let mut visitor = daemon.visitor().await?;
        let id = visitor.say("hi").await?;
        visitor.acked(&id).await?;

        // Four writers as fast as answers come, until the daemon takes no more.
        let writers = (0..4).map(|writer| {
            let (staff, number) = (staff.clone(), number.clone());
            async move {
                let mut acked = vec![];
                for count in 0..100_000 {
                    let text = format!("writer {writer} reply {count}");
                    match staff.reply(&client_id(), &number, &text).await {
                        Ok(message) => acked.push((message.seq, text)),
                        Err(_) => break,
                    }
                }
                acked
            }
        });
        let load = futures::future::join_all(writers);
        let stop = async {
            // The load is on once the first of it is seen by somebody else.
            let mut live = daemon.staff("agent2").await?.watch(None, &number).await?;
            live.change(|change| change.message.is_some()).await?;
            daemon.sigterm().await?;
            let began = Instant::now();
            let mut bye = None;
            loop {
                match visitor.next().await? {
                    Received::Frame(frame) if frame["type"] == "bye" => bye = Some(frame),
                    Received::Frame(_) => {}
                    Received::Closed(code) => {
                        ensure!(code == 1012, "closed with {code}");
                        break;
                    }
                }
            }
            let bye = bye.context("a bye before the end")?;
            ensure!(bye["retryAfterMs"].is_u64(), "{bye}");
            Ok(began)
        };
        let (acked, began) = futures::join!(load, stop);
        let began = began?;
        let status = daemon.ended().await?;
        ensure!(status.success(), "it ended with {status}");
        ensure!(began.elapsed() < STOP_MAX, "stopping took {:?}", began.elapsed());

        daemon.start().await?;
        let staff = daemon.staff("agent1").await?;
        let stored = staff.all_messages(&number).await?;
        let acked: Vec<(u64, String)> = acked.into_iter().flatten().collect();
        ensure!(!acked.is_empty(), "there was load");
        for (seq, text) in &acked {
            let index = usize::try_from(*seq)? - 1;
            let message = stored.get(index).with_context(|| format!("{seq} is lost"))?;
            ensure!(message.content == *text, "{seq} was {text:?} and is {message:?}");
        }
        stage.note(format!("{} acknowledged, {} stored", acked.len(), stored.len()));
        Ok(())
    });
}

#[test]
fn all_mistakes_of_a_configuration_are_told_at_once() {
    play(async |stage: &Stage| {
        let folder = stage.folder("config")?;
        let file = folder.join("bad.toml");
        fs::write(&file, "colour = 1\n[http]\nlisten = \"nowhere\"\n[log]\nformat = \"loud\"\n")?;
        let path = file.to_string_lossy().into_owned();
        let refused = daemon(&folder, &["serve", "--config", &path]).await?.expect(64)?;
        for mistake in ["colour", "http.listen", "log.format"] {
            ensure!(refused.stderr.contains(mistake), "{mistake} in {refused:?}");
        }
        Ok(())
    });
}

#[test]
fn a_directory_that_is_something_else_is_left_alone() {
    play(async |stage: &Stage| {
        let folder = stage.folder("photos")?;
        fs::write(folder.join("cat.jpg"), b"meow")?;
        let path = folder.to_string_lossy().into_owned();
        let refused = daemon(&folder, &["demo", "--free-ports", "--data", &path]).await?;
        ensure!(refused.code == 1 && refused.stderr.contains("something else"), "{refused:?}");
        let left: Vec<_> = fs::read_dir(&folder)?.flatten().map(|it| it.file_name()).collect();
        ensure!(left == ["cat.jpg"], "{left:?}");
        Ok(())
    });
}
