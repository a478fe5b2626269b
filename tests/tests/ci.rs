//! The demo as a pipeline starts it: free ports, nothing in it, and one file that says when and how.

use std::fs;
use std::io::{ErrorKind, PipeReader, PipeWriter, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use fusionchat_tests::daemon::Daemon;
use fusionchat_tests::disk::{Disk, Fault, Operation, Preload};
use fusionchat_tests::program::{self, Ctl, Output};
use fusionchat_tests::stage::{Stage, play};
use serde_json::Value;
use tokio::process::Child;

#[test]
fn a_demo_for_ci_is_empty_private_and_out_of_the_way() {
    play(async |stage: &Stage| {
        let mut daemon = Daemon::ci(stage).await?;
        let pointer = daemon.runtime().join("fusionchat").join("demo");
        ensure!(!pointer.exists(), "`--demo` of other terminals is left alone");
        let path = daemon.ready_file();
        let mode = fs::metadata(&path)?.permissions().mode();
        ensure!(mode & 0o777 == 0o600, "{mode:o}");
        let ready: Value = serde_json::from_slice(&fs::read(&path)?)?;
        ensure!(ready["pid"] == daemon.pid()? && ready["inboxId"].is_string(), "{ready}");
        for known in [4880, 4881, 4882] {
            for door in ["grpc", "http", "shop"] {
                let url = ready[door].as_str().context("an address")?;
                ensure!(!url.contains(&format!(":{known}")), "{url}");
            }
        }
        let admin = daemon.staff("admin").await?;
        ensure!(admin.queue().await?.is_empty(), "nobody waits");
        ensure!(admin.conversation("1001").await.is_err(), "nobody has written");

        // The file of a demo that runs is nobody else's; that of one that was killed is replaced.
        let ready_file = path.to_string_lossy().into_owned();
        let second = refused(&daemon, &ready_file).await?;
        ensure!(second.contains(&daemon.pid()?.to_string()), "{second}");
        let before = daemon.field("grpc")?.to_owned();
        daemon.restart().await?;
        ensure!(daemon.field("grpc")? == before, "the doors are where they were");
        let again: Value = serde_json::from_slice(&fs::read(&path)?)?;
        ensure!(again["pid"] == daemon.pid()? && again["pid"] != ready["pid"], "{again}");

        daemon.sigterm().await?;
        let status = daemon.ended().await?;
        ensure!(status.success(), "{status}");
        ensure!(!path.exists(), "the file goes with the demo");
        fs::write(&path, "a shopping list")?;
        let foreign = refused(&daemon, &ready_file).await?;
        ensure!(foreign.contains("no file of a demo"), "{foreign}");
        ensure!(fs::read_to_string(&path)? == "a shopping list", "it is left alone");
        Ok(())
    });
}

/// Fills a pipe, however much it holds: whoever writes to it next waits.
fn fill(mut pipe: &PipeWriter) -> Result<()> {
    rustix::io::ioctl_fionbio(pipe, true)?;
    // The last bytes one by one: a pipe may have room for less than a large piece.
    for piece in [&[b' '; 1024][..], b" "] {
        loop {
            match pipe.write(piece) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(rustix::io::ioctl_fionbio(pipe, false)?)
}

/// Starts the demo again with these variables, its words going to `stdout`.
fn again(daemon: &Daemon, stdout: Stdio, variables: &[(String, String)]) -> Result<Child> {
    Ok(program::command("fusionchatd", daemon.runtime())?
        .args(["demo", "--ci", "--data"])
        .arg(daemon.data())
        .arg("--ready-file")
        .arg(daemon.ready_file())
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(stdout)
        .spawn()?)
}

/// Tells it to stop.
async fn terminate(child: &Child) -> Result<()> {
    let pid = child.id().context("it runs")?.to_string();
    let kill = tokio::process::Command::new("kill").args(["-TERM", &pid]).status().await?;
    ensure!(kill.success(), "{kill}");
    Ok(())
}

/// A demo that is ready but for saying so: its output is a pipe that takes nothing. With what reads from it.
async fn unheard(daemon: &mut Daemon) -> Result<(Child, PipeReader)> {
    daemon.kill9().await?;
    let (reader, writer) = std::io::pipe()?;
    fill(&writer)?;
    let child = again(daemon, writer.into(), &[])?;
    // The file of the one that was killed goes first.
    daemon.ci_ctl().run(&["server", "wait", "--timeout", "30s"]).await?.expect(0)?;
    let pid = child.id().context("it runs")?;
    let is_its_own = |bytes: Vec<u8>| {
        serde_json::from_slice::<Value>(&bytes).is_ok_and(|ready| ready["pid"] == pid)
    };
    while !fs::read(daemon.ready_file()).is_ok_and(is_its_own) {
        tokio::task::yield_now().await;
    }
    Ok((child, reader))
}

#[test]
fn a_demo_that_is_stopped_before_it_has_said_that_it_is_ready_ends_well() {
    play(async |stage: &Stage| {
        let mut daemon = Daemon::ci(stage).await?;
        let (mut child, mut reader) = unheard(&mut daemon).await?;
        terminate(&child).await?;
        let said = tokio::task::spawn_blocking(move || {
            let mut said = String::new();
            reader.read_to_string(&mut said).map(|_| said)
        });
        let said = said.await??;
        ensure!(said.contains("ready in") && said.contains("stays in"), "{}", said.trim());
        let status = child.wait().await?;
        ensure!(status.success(), "{status}");
        ensure!(!daemon.ready_file().exists(), "the file goes with the demo");
        Ok(())
    });
}

#[test]
fn a_demo_whose_words_nobody_takes_is_stopped_all_the_same() {
    play(async |stage: &Stage| {
        let mut daemon = Daemon::ci(stage).await?;
        let (mut child, reader) = unheard(&mut daemon).await?;
        terminate(&child).await?;
        let status = child.wait().await?;
        ensure!(status.success(), "{status}");
        ensure!(!daemon.ready_file().exists(), "the file goes with the demo");
        // Nobody reads to here.
        drop(reader);
        Ok(())
    });
}

/// Begins the demo again, and stops it where its disk makes it wait.
async fn stopped_before_ready(daemon: &Daemon, disk: &Disk) -> Result<()> {
    let child = again(daemon, Stdio::piped(), &disk.variables())?;
    while disk.fired()? == 0 {
        tokio::task::yield_now().await;
    }
    terminate(&child).await?;
    let ended = child.wait_with_output().await?;
    ensure!(ended.status.success(), "{ended:?}");
    let said = String::from_utf8(ended.stdout)?;
    ensure!(said.contains("was ready") && !said.contains("ready in"), "{said}");
    Ok(())
}

#[test]
fn a_demo_that_is_stopped_while_it_looks_who_has_its_port_ends_well() {
    play(async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        let mut daemon = Daemon::ci(stage).await?;
        let address = daemon.field("http")?.trim_start_matches("http://").to_owned();
        daemon.kill9().await?;
        let disk = Disk::new(stage, &preload, &daemon.data().join("store"))?;
        disk.arm(Operation::Write, Fault::Waits, 1)?;
        // It opens the store to see whether another demo has it.
        let taken = TcpListener::bind(&address)?;
        stopped_before_ready(&daemon, &disk).await?;
        drop(taken);
        daemon.start().await
    });
}

#[test]
fn a_demo_that_is_stopped_while_it_opens_its_store_ends_well() {
    play(async |stage: &Stage| {
        let Some(preload) = Preload::compile(stage)? else { return Ok(()) };
        let mut daemon = Daemon::ci(stage).await?;
        daemon.kill9().await?;
        let disk = Disk::new(stage, &preload, &daemon.data().join("store"))?;
        disk.arm(Operation::Write, Fault::Waits, 1)?;
        stopped_before_ready(&daemon, &disk).await?;
        ensure!(!daemon.ready_file().exists(), "it was never ready");
        daemon.start().await
    });
}

#[test]
fn a_demo_that_cannot_leave_its_pointer_leaves_no_ready_file() {
    play(async |stage: &Stage| {
        let folder = stage.folder("demo")?;
        let (ready_file, runtime) = (folder.join("r.json"), folder.join("runtime"));
        fs::write(&runtime, "a file where a directory should be")?;
        let demo = async |runtime: &Path| -> Result<_> {
            let mut command = program::command("fusionchatd", &folder)?;
            command.args(["demo", "--free-ports", "--data"]).arg(folder.join("data"));
            command.arg("--ready-file").arg(&ready_file).env("FUSION_RUNTIME_DIR", runtime);
            Ok(command.stdin(Stdio::null()).output().await?)
        };
        for _ in ["a new one", "the same again: its store was closed in order"] {
            let failed = demo(&runtime).await?;
            let said = String::from_utf8_lossy(&failed.stderr).into_owned();
            ensure!(failed.status.code() == Some(1), "{failed:?}");
            ensure!(said.contains("cannot make ") && said.contains("runtime"), "{said}");
            ensure!(!ready_file.exists(), "it says that a demo is ready");
        }
        let log = fs::read_to_string(folder.join("data/log"))?;
        ensure!(!log.contains("WARN"), "{log}");
        Ok(())
    });
}

/// What a demo says that may not write its ready file.
async fn refused(daemon: &Daemon, ready_file: &str) -> Result<String> {
    let output = program::command("fusionchatd", daemon.runtime())?
        .args(["demo", "--ci", "--ready-file", ready_file])
        .stdin(Stdio::null())
        .output()
        .await?;
    ensure!(output.status.code() == Some(1), "{output:?}");
    Ok(String::from_utf8(output.stderr)?)
}

/// The conversation tests that the documentation shows.
fn examples() -> String {
    format!("{}/../docs/conversations", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_documented_conversations_hold_against_the_demo() {
    play(async |stage: &Stage| {
        let daemon = Daemon::ci(stage).await?;
        let ctl = daemon.ci_ctl();
        let folder = stage.folder("junit")?;
        let junit = folder.join("out.xml").to_string_lossy().into_owned();
        let words = ["test", &examples(), "--junit", &junit, "--parallel", "8", "-o", "json"];
        let run = ctl.run(&words).await?.expect(0)?.json()?;
        ensure!(run["held"] == 2 && run["failed"] == 0 && run["broken"] == 0, "{run}");
        let xml = fs::read_to_string(&junit)?;
        ensure!(xml.contains("tests=\"2\" failures=\"0\" errors=\"0\""), "{xml}");
        Ok(())
    });
}

/// A test with one turn that expects `expect`.
fn one_turn(expect: &str) -> String {
    format!(
        "apiVersion: fusion/v1\nkind: ConversationTest\nmetadata: {{ name: one <turn> }}\n\
         spec:\n  turns:\n    - visitor: How long does the battery last?\n      expect: {expect}\n"
    )
}

/// Runs the one test of a new folder.
async fn one_test(stage: &Stage, ctl: &Ctl, expect: &str, more: &[&str]) -> Result<Output> {
    let folder = stage.folder("conversations")?;
    fs::write(folder.join("one.yaml"), one_turn(expect))?;
    let path = folder.to_string_lossy().into_owned();
    ctl.run(&[&["test", &path][..], more].concat()).await
}

#[test]
fn a_conversation_that_goes_wrong_is_told_in_full() {
    play(async |stage: &Stage| {
        let daemon = Daemon::ci(stage).await?;
        let ctl = daemon.ci_ctl();
        let folder = stage.folder("junit")?;
        let junit = folder.join("out.xml").to_string_lossy().into_owned();
        let wrong = "{ contains: [a thousand years], within: 2s }";
        let failed = one_test(stage, &ctl, wrong, &["--junit", &junit]).await?.expect(1)?;
        for part in ["turn 1", "a thousand years", "120 hours", "visitor: How long", "one.yaml:7"] {
            ensure!(failed.stdout.contains(part), "{part} in {failed:?}");
        }
        let xml = fs::read_to_string(&junit)?;
        ensure!(xml.contains("<failure") && xml.contains("one &lt;turn&gt;"), "{xml}");
        let failed = one_test(stage, &ctl, wrong, &["-o", "json"]).await?.expect(1)?;
        ensure!(failed.json()?["tests"][0]["transcript"][1]["senderType"] == "assistant");
        ensure!(failed.error()?["code"] == "expectation_failed", "{failed:?}");
        let spoke = "{ silence: { from: assistant, within: 20s } }";
        one_test(stage, &ctl, spoke, &[]).await?.expect(1)?;

        let slow = "{ silence: { from: agent, within: 20s } }";
        one_test(stage, &ctl, slow, &["--timeout", "500ms"]).await?.expect(8)?;
        let good = "{ from: assistant }";
        let endpoint = daemon.field("grpc")?;
        let with = |token: &str| {
            let variables = [("FUSION_ENDPOINT", endpoint), ("FUSION_TOKEN", token)];
            Ctl::with(stage, daemon.runtime(), &variables)
        };
        one_test(stage, &with("fus_live_wrong"), good, &[]).await?.expect(4)?;
        let create =
            ["key", "create", "--name", "ci", "--scope", "conversation:read", "-o", "json"];
        let key = ctl.run(&create).await?.expect(0)?.json()?;
        let secret = key["secret"].as_str().context("the secret, once")?;
        one_test(stage, &with(secret), good, &[]).await?.expect(5)?;
        let gone = [("FUSION_ENDPOINT", "http://127.0.0.1:1"), ("FUSION_TOKEN", "x")];
        let gone = Ctl::with(stage, daemon.runtime(), &gone);
        one_test(stage, &gone, good, &[]).await?.expect(9)?;
        let bad = one_test(stage, &gone, "{ form: assistant }", &[]).await?.expect(2)?;
        ensure!(bad.stderr.contains("one.yaml:7: "), "no daemon is needed for that: {bad:?}");
        Ok(())
    });
}

#[test]
fn a_pipeline_waits_for_the_daemon_and_for_conversations() {
    play(async |stage: &Stage| {
        let home = stage.folder("home")?;
        let nothing = [("FUSION_ENDPOINT", "http://127.0.0.1:1")];
        let nobody = Ctl::with(stage, &home, &nothing);
        nobody.run(&["server", "wait", "--timeout", "300ms"]).await?.expect(9)?;
        // A door that accepts and says nothing is no daemon that answers, yet somebody is there.
        let mute = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = format!("http://{}", mute.local_addr()?);
        let mute_ctl = Ctl::with(stage, &home, &[("FUSION_ENDPOINT", &address)]);
        let mute_wait = mute_ctl.run(&["server", "wait", "--timeout", "500ms"]).await?;
        ensure!(mute_wait.code == 9 || mute_wait.code == 8, "{mute_wait:?}");

        let mut daemon = Daemon::ci(stage).await?;
        let ctl = daemon.ci_ctl();
        let live = ctl.run(&["server", "wait", "--for", "live", "-o", "json"]).await?.expect(0)?;
        ensure!(live.json()?["state"] == "ready", "{live:?}");
        daemon.kill9().await?;
        fs::remove_file(daemon.ready_file())?;
        let wait = ["server", "wait", "--for", "ready", "--timeout", "30s", "-o", "json"];
        let (waited, started) = futures::join!(ctl.run(&wait), daemon.start());
        started?;
        let waited = waited?.expect(0)?.json()?;
        ensure!(waited["endpoint"] == daemon.field("grpc")?, "{waited}");

        let begun = ctl.run(&["conv", "start", "--inbox", "web", "hello", "-o", "json"]).await?;
        let number = begun.expect(0)?.json()?["number"].to_string();
        let wait_for = async |what: &str, timeout: &str| {
            let words =
                ["conv", "wait", &number, "--for", what, "--timeout", timeout, "-o", "json"];
            ctl.run(&words).await
        };
        let answered = wait_for("message-from=assistant", "10s").await?.expect(0)?.json()?;
        ensure!(answered["message"]["senderType"] == "assistant", "{answered}");
        let late = wait_for("status=escalated", "300ms").await?.expect(8)?;
        ensure!(late.json()?["met"] == false && late.error()?["params"]["number"] == number);
        let escalate = ["conv", "escalate", &number, "--reason", "test"];
        let (waited, escalated) =
            futures::join!(wait_for("status=escalated,handler=none", "10s"), ctl.run(&escalate));
        escalated?.expect(0)?;
        ensure!(waited?.expect(0)?.json()?["met"] == true);
        // The daemon is killed and comes back in the middle of a wait.
        let (waited, back) = futures::join!(wait_for("handler=agent", "30s"), async {
            let status = ["server", "status", "-o", "json"];
            let (grpc, token) = (daemon.field("grpc")?, daemon.credential("operator")?);
            let as_operator = [("FUSION_ENDPOINT", grpc), ("FUSION_TOKEN", token)];
            let operator = Ctl::with(stage, &home, &as_operator);
            while operator.run(&status).await?.expect(0)?.json()?["streams"] == 0 {}
            daemon.kill9().await?;
            daemon.start().await?;
            daemon.staff("agent1").await?.claim(&number, false).await?;
            anyhow::Ok(())
        });
        back?;
        waited?.expect(0)?;
        ctl.run(&["conv", "wait", "999999", "--for", "status=open"]).await?.expect(3)?;
        Ok(())
    });
}

#[test]
fn a_sign_in_is_kept_for_its_context_and_ends() {
    play(async |stage: &Stage| {
        let daemon = Daemon::ci(stage).await?;
        let home = stage.folder("home")?;
        let ctl = Ctl::with(stage, &home, &[]);
        let endpoint = daemon.field("grpc")?;
        let create = ["context", "create", "desk", "--endpoint", endpoint];
        ctl.run(&create).await?.expect(0)?;
        let out = ctl.run(&["auth", "status", "-o", "json"]).await?.expect(4)?;
        ensure!(out.error()?["code"] == "sign_in_needed", "{out:?}");

        let password = "correct horse battery";
        let new = ["user", "create", "ana@demo.example", "--name", "Ana", "--role", "agent"];
        let new = [&new[..], &["--password-file", "-"]].concat();
        let made = daemon.ci_ctl().run_with(&new, password).await?;
        ensure!(made.code == 0, "{made:?}");
        let login = ["auth", "login", "--email", "ana@demo.example", "--password-stdin"];
        let no_keyring = ctl.run_with(&login, password).await?;
        ensure!(no_keyring.code == 2 || no_keyring.code == 0, "{no_keyring:?}");
        let login = [&login[..], &["--store", "file", "-o", "json"]].concat();
        let wrong = ctl.run_with(&login, "wrong horse battery").await?.expect(4)?;
        ensure!(wrong.stdout.is_empty(), "{wrong:?}");
        let signed = ctl.run_with(&login, password).await?.expect(0)?;
        ensure!(signed.json()?["context"] == "desk", "{signed:?}");
        let config = fs::read_to_string(home.join("fusionchat/config.toml"))?;
        ensure!(config.contains("ana@demo.example") && !config.contains(password), "{config}");
        let file = home.join("fusionchat/credentials.toml");
        let mode = fs::metadata(&file)?.permissions().mode();
        ensure!(mode & 0o777 == 0o600, "{mode:o}");

        let who = ctl.run(&["auth", "status", "-o", "json"]).await?.expect(0)?.json()?;
        ensure!(who["user"]["email"] == "ana@demo.example", "{who}");
        let shown = ctl.run(&["context", "show", "--origin", "-o", "json"]).await?.expect(0)?;
        ensure!(shown.json()?["endpoint"]["origin"] == "context desk", "{shown:?}");
        // Another daemon does not get this one's credential, and nobody's goes out in clear.
        let other = ["auth", "status", "--endpoint", "http://127.0.0.1:1"];
        ctl.run(&other).await?.expect(4)?;
        let clear = Ctl::with(stage, &home, &[("FUSION_TOKEN", "x")]);
        let clear = clear.run(&["auth", "status", "--endpoint", "http://192.0.2.1:4882"]).await?;
        ensure!(clear.expect(2)?.stderr.contains("clear text"));
        let clear = ["auth", "login", "--endpoint", "http://192.0.2.1:4882", "--email", "a@b.c"];
        let clear = [&clear[..], &["--password-stdin", "--store", "file"]].concat();
        ensure!(ctl.run_with(&clear, password).await?.expect(2)?.stderr.contains("clear text"));

        let credential = fs::read_to_string(&file)?;
        ctl.run(&["auth", "logout"]).await?.expect(0)?;
        ensure!(fs::read_to_string(&file)? != credential, "the credential is forgotten");
        ctl.run(&["auth", "status"]).await?.expect(4)?;
        Ok(())
    });
}
