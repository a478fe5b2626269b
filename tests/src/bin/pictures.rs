//! Makes the pictures of the README from the real programs: the widget in Chromium on the demo's shop, and the console
//! in a terminal. Run it from the repository's root after `cargo build --workspace`:
//!
//! ```text
//! cargo run -p fusionchat-tests --bin pictures
//! ```

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use fusionchat_tests::browser::{Browser, Wishes, programs};
use fusionchat_tests::daemon::Daemon;
use fusionchat_tests::grpc::{Staff, client_id};
use fusionchat_tests::stage::{Stage, play};

/// Where the pictures go.
const FOLDER: &str = "docs/pictures";
/// The largest picture, in bytes.
const BYTES_MAX: usize = 200 * 1024;

const QUESTION: &str = "How long does the battery last?";
const ANSWER: &str =
    "Hello! Cold nights cost about a third of that. Shall I add a spare battery to your order?";
const THANKS: &str = "Yes please, one spare battery.";

/// Resolves once nothing moves any more.
const STILL: &str = "
    const done = arguments[0];
    const moving = document.getAnimations().filter((it) => it.effect.getTiming().iterations < 9);
    Promise.allSettled(moving.map((it) => it.finished)).then(() => done(true));
";

fn main() {
    play(async |stage: &Stage| {
        ensure!(Path::new(FOLDER).is_dir(), "run this from the repository's root");
        let programs = programs()?.context("needs: chromium and chromedriver")?;
        let daemon = Daemon::demo(stage).await?;
        let agent = daemon.staff("agent1").await?;
        let browser = Browser::start(stage, &programs, Wishes::default()).await?;
        browser.client.set_window_size(1200, 1000).await?;
        browser.client.goto(daemon.field("shop")?).await?;
        browser.open_chat().await?;
        browser.say(QUESTION).await?;
        browser.shows("120 hours").await?;
        browser.press("Talk to a person").await?;
        browser.shows("Waiting for a person").await?;
        console(&daemon, &agent, &browser).await?;
        browser.run("document.querySelector('.log').scrollTop = 0").await?;
        browser.wait(STILL, vec![]).await?;
        browser.leave_chat().await?;
        keep("widget.png", &browser.client.screenshot().await?)?;
        browser.end().await
    });
}

/// The agent's half, by keys; its picture is taken once the visitor has answered.
async fn console(daemon: &Daemon, agent: &Staff, browser: &Browser) -> Result<()> {
    let mut console = daemon.console("agent1")?;
    console.shows("live").await?;
    console.shows("Waiting 4").await?;
    let queue = agent.queue().await?;
    let newest = queue.iter().filter_map(|row| row.escalation.as_ref()).map(|it| it.number).max();
    let number = format!("#{}", newest.context("somebody waits")?);
    console.keys("G")?;
    let on_cursor = |screen: &str| {
        screen.lines().any(|line| line.trim_start().starts_with('>') && line.contains(&number))
    };
    console.until("the cursor on it", on_cursor).await?;
    console.keys("c")?;
    console.shows("b hand back").await?;
    browser.shows("is here for you").await?;
    agent.reply(&client_id(), number.trim_start_matches('#'), ANSWER).await?;
    browser.shows("Cold nights").await?;
    browser.say(THANKS).await?;
    console.shows(THANKS).await?;
    console.keys("r")?;
    console.shows("Reply to the visitor").await?;
    console.keys("Done, it ships with the lantern.")?;
    console.shows("it ships with").await?;
    let picture =
        console.picture("fusion-tui: the queue, a conversation and a reply being written");
    keep("console.svg", picture.as_bytes())
}

fn keep(name: &str, bytes: &[u8]) -> Result<()> {
    ensure!(bytes.len() <= BYTES_MAX, "{name} has {} bytes", bytes.len());
    let path = Path::new(FOLDER).join(name);
    fs::write(&path, bytes)?;
    println!("{} {} bytes", path.display(), bytes.len());
    Ok(())
}
