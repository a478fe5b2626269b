//! The demo as a pipeline starts it: free ports, nothing in it, and one file that says when and how.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use fusionchat_tests::daemon::Daemon;
use fusionchat_tests::program;
use fusionchat_tests::stage::{Stage, play};
use serde_json::Value;

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
        daemon.ended().await?;
        ensure!(!path.exists(), "the file goes with the demo");
        fs::write(&path, "a shopping list")?;
        let foreign = refused(&daemon, &ready_file).await?;
        ensure!(foreign.contains("no file of a demo"), "{foreign}");
        ensure!(fs::read_to_string(&path)? == "a shopping list", "it is left alone");
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
