//! The command line as an administrator scripts it: the real program against a real daemon, its output and its
//! exit codes.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use fusionchat_tests::daemon::Daemon;
use fusionchat_tests::stage::{Stage, play};
use serde_json::Value;

/// The words a demo prints for its reader to try.
const BANNER_START: [&str; 4] = ["conv", "start", "--wait", "Is it waterproof?"];

/// The items of a list in JSON.
fn items(list: &Value) -> Result<&Vec<Value>> {
    list["items"].as_array().with_context(|| format!("a list has items: {list}"))
}

#[test]
fn who_and_where() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let ctl = daemon.ctl();
        let who = ctl.run(&["auth", "status", "-o", "json"]).await?.expect(0)?.json()?;
        ensure!(who["signedIn"] == true && who["kind"] == "key", "{who}");
        ensure!(who["organization"]["name"] == "demo", "{who}");
        let who = ctl.user("agent1").run(&["auth", "status", "-o", "json"]).await?.json()?;
        ensure!(who["user"]["name"] == "agent1" && who["kind"] == "session", "{who}");
        let server = ctl.run(&["server", "status", "-o", "json"]).await?.expect(0)?.json()?;
        ensure!(server["state"] == "ready" && server["waiting"] == 3, "{server}");
        ensure!(server["pid"] == daemon.pid()?, "{server}");
        let size = ["server", "store", "-o", "json"];
        let store = ctl.user("operator").run(&size).await?.expect(0)?.json()?;
        ensure!(store["engine"] == "sled" && store["diskFull"] == false, "{store}");
        let number = |field: &str| store[field].as_u64().unwrap_or(0);
        ensure!(number("liveBytes") > 30 * number("rows") && number("rows") > 100, "{store}");
        ensure!(number("diskBytes") > number("liveBytes"), "{store}");
        ctl.run(&size).await?.expect(5)?;
        for format in ["table", "json", "jsonl"] {
            for command in [["server", "status"], ["inbox", "list"], ["escalation", "list"]] {
                let output = ctl.run(&[&command[..], &["-o", format]].concat()).await?.expect(0)?;
                ensure!(!output.stdout.is_empty(), "{command:?} -o {format} says nothing");
            }
        }
        let inboxes = ctl.run(&["inbox", "list", "-o", "json"]).await?.expect(0)?.json()?;
        ensure!(items(&inboxes)?[0]["name"] == "web", "{inboxes}");
        let usage = ctl.run(&["conv", "dance"]).await?;
        ensure!(usage.code == 2, "{usage:?}");
        Ok(())
    });
}

#[test]
fn the_queue_and_a_transcript() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let ctl = daemon.ctl();
        let queue = ctl.run(&["escalation", "list", "-o", "json"]).await?.expect(0)?.json()?;
        let rows = items(&queue)?;
        ensure!(rows.len() == 3, "{queue}");
        let since: Vec<i64> = rows.iter().filter_map(|row| row["waitingSince"].as_i64()).collect();
        ensure!(since.is_sorted() && since.len() == 3, "the oldest first: {since:?}");
        for field in ["number", "reason", "visitorId", "lastLine"] {
            ensure!(rows.iter().all(|row| !row[field].is_null()), "{field} in {queue}");
        }
        let table = ctl.run(&["escalation", "list"]).await?.expect(0)?.stdout;
        for heading in ["NUMBER", "WAITING", "REASON", "VISITOR", "LAST LINE"] {
            ensure!(table.contains(heading), "{heading} in\n{table}");
        }
        let transcript = ctl.run(&["conv", "get", "1004"]).await?.expect(0)?.stdout;
        for part in ["Tracking says delivered", "I am sorry", "Third parcel", "staff only"] {
            ensure!(transcript.contains(part), "{part} in\n{transcript}");
        }
        let missing = ctl.run(&["conv", "get", "9999", "-o", "json"]).await?.expect(3)?;
        let error = missing.error()?;
        ensure!(error["code"] == "not_found" && error["exit"] == 3, "{error}");
        ensure!(missing.stdout.is_empty(), "{missing:?}");
        Ok(())
    });
}

#[test]
fn a_conversation_from_start_to_reply() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let ctl = daemon.ctl();
        let question = "How long does the battery last?";
        let start = ["conv", "start", "--inbox", "web", "--wait", question, "-o", "json"];
        let begun = ctl.run(&start).await?.expect(0)?.json()?;
        ensure!(begun["outcome"] == "answered", "{begun}");
        ensure!(begun["answer"]["sources"][0]["url"].is_string(), "{begun}");
        let number = begun["number"].to_string();

        let escalate = ["conv", "escalate", &number, "--reason", "refund over 500", "-o", "json"];
        let first = ctl.run(&escalate).await?.expect(0)?.json()?;
        let again = ctl.run(&escalate).await?.expect(0)?.json()?;
        ensure!(first["status"] == "escalated" && first == again, "{first} {again}");

        let assign = ["escalation", "assign", &number, "--to"];
        ctl.run(&[&assign[..], &["agent2"]].concat()).await?.expect(0)?;
        let lost = ctl.run(&[&assign[..], &["agent1"]].concat()).await?.expect(6)?;
        ensure!(lost.stderr.contains("agent2"), "it names who has it: {lost:?}");
        let lost = ctl.run(&[&assign[..], &["agent1", "-o", "json"]].concat()).await?.expect(6)?;
        let error = lost.error()?;
        ensure!(error["params"]["by"] == "agent2", "{error}");
        ensure!(error["params"]["since"].is_string(), "{error}");
        ctl.run(&[&assign[..], &["agent1", "--take"]].concat()).await?.expect(0)?;

        let agent = ctl.user("agent1");
        let reply = ["conv", "reply", &number, "-", "-o", "json", "--idempotency-key", "night-1"];
        let first = agent.run_with(&reply, "On it\n").await?.expect(0)?.json()?;
        let again = agent.run_with(&reply, "On it\n").await?.expect(0)?.json()?;
        ensure!(first["seq"].is_u64() && first["seq"] == again["seq"], "{first} {again}");
        ensure!(first["content"] == "On it", "{first}");
        let other = agent.run_with(&reply, "Something else\n").await?.expect(6)?;
        ensure!(other.error()?["code"] == "client_id_reused", "{other:?}");
        let empty = agent.run_with(&["conv", "reply", &number, "-"], "").await?;
        ensure!(empty.code == 7 || empty.code == 2, "an empty reply: {empty:?}");
        let stranger = ctl.user("agent2").run(&["conv", "reply", &number, "mine?"]).await?;
        ensure!(stranger.expect(6)?.stderr.contains("agent1"), "it names who has it");
        Ok(())
    });
}

#[test]
fn the_banner_s_commands_work_as_printed() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let ctl = daemon.ctl();
        ctl.run(&["escalation", "list"]).await?.expect(0)?;
        let begun = ctl.run(&BANNER_START).await?.expect(0)?;
        ensure!(begun.stdout.contains("source:"), "{begun:?}");
        Ok(())
    });
}

#[test]
fn a_tail_survives_kill_9_without_gap_or_repeat() {
    play(async |stage: &Stage| {
        let mut daemon = Daemon::demo(stage).await?;
        let ctl = daemon.ctl();
        let agent = ctl.user("agent2");
        let mut tail = ctl.follow(&["conv", "tail", "-f", "1004", "-o", "jsonl"])?;
        let before = agent.run(&["conv", "reply", "1004", "before", "-o", "json"]).await?;
        let before = before.expect(0)?.json()?["seq"].as_u64().context("a seq")?;
        let mut seqs = vec![];
        read_until(&mut tail, before, &mut seqs).await?;
        for round in 0..2 {
            daemon.kill9().await?;
            daemon.start().await?;
            let text = format!("after {round}");
            let after = agent.run(&["conv", "reply", "1004", &text, "-o", "json"]).await?;
            let after = after.expect(0)?.json()?["seq"].as_u64().context("a seq")?;
            read_until(&mut tail, after, &mut seqs).await?;
        }
        let gapless: Vec<u64> = (1..=seqs.len() as u64).collect();
        ensure!(seqs == gapless, "{seqs:?}");
        Ok(())
    });
}

/// Reads messages until one has the number `seq`.
async fn read_until(
    tail: &mut fusionchat_tests::program::Follow,
    seq: u64,
    seqs: &mut Vec<u64>,
) -> Result<()> {
    while seqs.last() != Some(&seq) {
        let row = tail.json().await?;
        if row["type"] == "message" {
            seqs.push(row["seq"].as_u64().context("a message has a seq")?);
        }
    }
    Ok(())
}

#[test]
fn articles_are_imported_again_and_searched() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let ctl = daemon.ctl();
        let folder = stage.folder("articles")?;
        write(
            &folder,
            "one.md",
            "---\ntitle: Rope length\n---\n\nThe rope is twelve metres long.\n",
        )?;
        write(
            &folder,
            "two.md",
            "---\ntitle: Rope colours\n---\n\nThe rope comes in crimson and teal.\n",
        )?;
        let path = folder.to_string_lossy().into_owned();
        let import = ["article", "import", &path, "-o", "json"];
        let first = ctl.run(&import).await?.expect(0)?.json()?;
        ensure!(first["created"] == 2 && first["refused"] == 0, "{first}");
        let again = ctl.run(&import).await?.expect(0)?.json()?;
        ensure!(again["unchanged"] == 2 && again["created"] == 0, "{again}");

        fs::write(folder.join("broken.md"), b"---\ntitle: \xff\xfe\n---\n")?;
        write(&folder, "open.md", "---\ntitle: never closed\n")?;
        let partial = ctl.run(&import).await?.expect(11)?;
        let report = partial.json()?;
        ensure!(report["refused"] == 2 && report["unchanged"] == 2, "{report}");
        ensure!(partial.error()?["exit"] == 11, "{partial:?}");
        let table = ctl.run(&["article", "import", &path]).await?.expect(11)?;
        for name in ["broken.md", "open.md"] {
            ensure!(table.stdout.contains(name), "{name} is named: {table:?}");
        }

        let search = ["article", "search", "how many metres of rope", "-o", "json"];
        let found = ctl.run(&search).await?.expect(0)?.json()?;
        ensure!(found["passages"][0]["title"] == "Rope length", "{found}");
        ensure!(found["passages"][0]["score"].is_f64(), "{found}");
        ensure!(found["decision"] == "answer", "what the assistant would do: {found}");
        let battery = ctl.run(&["article", "search", "battery"]).await?.expect(0)?.stdout;
        ensure!(battery.contains("the assistant would"), "{battery}");
        Ok(())
    });
}

fn write(folder: &Path, name: &str, text: &str) -> Result<()> {
    fs::write(folder.join(name), text).with_context(|| format!("writing {name}"))
}

#[test]
fn tenants_keys_and_walls() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let ctl = daemon.ctl();
        let create = ["tenant", "create", "acme", "--admin", "ops@acme.example", "-o", "json"];
        let acme = ctl.run(&create).await?.expect(0)?.json()?;
        let secret = acme["adminKey"].as_str().context("the admin's key, once")?;
        ensure!(secret.starts_with("fus_live_"), "a key is known by its form");
        let twice = ctl.run(&create).await?;
        ensure!(twice.code == 6 || twice.code == 7, "the name is taken: {twice:?}");
        let refused = ctl.user("agent1").run(&["tenant", "list", "-o", "json"]).await?.expect(5)?;
        ensure!(refused.error()?["code"] == "forbidden", "{refused:?}");

        let create =
            ["key", "create", "--name", "ci", "--scope", "conversation:read", "-o", "json"];
        let key = ctl.run(&create).await?.expect(0)?.json()?;
        ensure!(key.to_string().contains("fus_live_"), "the secret, once: {key}");
        let keys = ctl.run(&["key", "list", "-o", "json"]).await?.expect(0)?;
        ensure!(keys.stdout.contains("\"ci\"") && !keys.stdout.contains("fus_live_"), "{keys:?}");

        let acme = daemon.staff_with(secret).await?;
        let theirs = acme.queue().await?;
        ensure!(theirs.is_empty(), "the demo's queue is not theirs: {theirs:?}");
        let foreign = acme.conversation("1004").await;
        ensure!(foreign.is_err(), "their first number is 1001, and there is none yet");
        Ok(())
    });
}

#[test]
fn an_inbox_says_how_long_its_visitors_may_be_silent() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let ctl = daemon.ctl();
        let edit = async |flags: &[&str]| {
            ctl.run(&[&["inbox", "edit", "web", "-o", "json"], flags].concat()).await
        };
        let after = edit(&["--abandon-after", "1h30m", "--notice-after", "2d"]).await?.expect(0)?;
        let after = after.json()?;
        ensure!(after["abandonAfterMs"] == 5_400_000, "{after}");
        ensure!(after["noticeAfterMs"] == 172_800_000, "{after}");
        ensure!(after.get("noReplyAfterMs").is_none(), "{after}");
        let shown = ctl.run(&["inbox", "get", "web"]).await?.expect(0)?.stdout;
        ensure!(shown.contains("1h30m") && shown.contains("2d"), "{shown:?}");
        let after = edit(&["--notice-after", "default"]).await?.expect(0)?.json()?;
        ensure!(after["abandonAfterMs"] == 5_400_000, "{after}");
        ensure!(after.get("noticeAfterMs").is_none(), "{after}");
        let refused = edit(&["--no-reply-after", "10ms"]).await?.expect(7)?;
        ensure!(refused.error()?["code"] == "bad_silence", "{refused:?}");
        edit(&["--no-reply-after", "soon"]).await?.expect(2)?;
        Ok(())
    });
}

#[test]
fn a_demo_says_that_a_hangup_changes_nothing() {
    play(async |stage: &Stage| {
        let mut daemon = Daemon::demo(stage).await?;
        for _ in 0..2 {
            let said = daemon.hangup().await?;
            ensure!(said.contains("no configuration file"), "{said}");
        }
        daemon.ctl().run(&["server", "status"]).await?.expect(0)?;
        Ok(())
    });
}

#[test]
fn who_is_signed_in_is_told_what_a_visitors_words_take() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let start = ["conv", "start", "--inbox", "web", "hello", "-o", "json"];
        let refused = daemon.ctl().user("agent1").run(&start).await?.expect(5)?;
        let error = refused.error()?;
        ensure!(error["code"] == "forbidden", "{error}");
        let text = error.to_string();
        ensure!(text.contains("key with the scope conversation:post_as_visitor"), "{text}");
        ensure!(text.contains("fusionctl key create --name ci --scope"), "{text}");
        Ok(())
    });
}

#[test]
fn a_daemon_that_is_gone_is_exit_9() {
    play(async |stage: &Stage| {
        let mut daemon = Daemon::demo(stage).await?;
        let ctl = daemon.ctl();
        daemon.kill9().await?;
        let gone = ctl.run(&["server", "status", "-o", "json"]).await?.expect(9)?;
        ensure!(gone.error()?["retryable"] == true, "{gone:?}");
        Ok(())
    });
}
