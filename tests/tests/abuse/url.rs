//! Secrets where they do not belong: in a URL, which others write into logs.

use anyhow::ensure;
use fusionchat_tests::stage::{Stage, play};

use crate::desk::Desk;

/// What must stand in no line.
const SECRET: &str = "n0b0dy5-bu51n355";
/// Nothing is left out of the daemon's own log, and of the libraries' what somebody who looks for a fault asks for.
const FILTER: &str = "debug,fusionchatd=trace";

#[test]
fn fault_97_a_token_in_a_url_stands_in_no_line_of_the_log() {
    play(async |stage: &Stage| {
        let filter = [("FUSION_LOG_FILTER".to_owned(), FILTER.to_owned())];
        let mut desk = Desk::open_in(stage, "", &filter).await?;
        for (path, parameter) in [
            ("/api/server", "token="),
            ("/api/server", "x=fus_live_"),
            ("/ws", "access_token="),
            ("/nothing", "api_key="),
        ] {
            let (status, text) =
                desk.served.get("http", &format!("{path}?{parameter}{SECRET}")).await?;
            ensure!(status == 400, "{path} {parameter}: {status} {text}");
            ensure!(!text.contains(SECRET), "it is said again: {text}");
        }
        desk.served.signal("-TERM").await?;
        let (status, said) = desk.served.ended().await?;
        ensure!(status.success(), "it ended with {status}");
        ensure!(!said.is_empty(), "it said nothing at all");
        let line = said.iter().find(|line| line.contains(SECRET));
        ensure!(line.is_none(), "it is logged: {line:?}");
        Ok(())
    });
}
