//! The `fusion-tui` program: reads the command line and hands over to the library.

use std::io::{IsTerminal, stdin, stdout};

use anyhow::bail;
use clap::Parser;
use fusion_tui::cli::Args;

#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let config = Args::parse().config(&|name| std::env::var(name).ok())?;
    if !stdin().is_terminal() || !stdout().is_terminal() {
        bail!("fusion-tui needs a terminal; fusionctl is for scripts");
    }
    fusion_tui::run_in_terminal(config).await?;
    Ok(())
}
