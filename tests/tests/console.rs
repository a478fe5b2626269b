//! The agent's console as an agent uses it: the real program in a terminal, against a real daemon.

use anyhow::{Context, Result, ensure};
use fusionchat_tests::daemon::Daemon;
use fusionchat_tests::stage::{Stage, play};
use fusionchat_tests::visitor::Visitor;
use serde_json::json;

const BANNER: &str = "Reconnecting. Your message is kept.";

/// A visitor who waits, and the conversation's number as the console shows it.
async fn waiting_visitor(daemon: &Daemon, says: &str) -> Result<(Visitor, String)> {
    let mut visitor = daemon.visitor().await?;
    let id = visitor.say(says).await?;
    visitor.acked(&id).await?;
    visitor.ask_for_person().await?;
    visitor.status("escalated").await?;
    let conversation = visitor.conversation.clone().context("it has begun")?;
    let number = daemon.staff("agent1").await?.conversation(&conversation).await?.number;
    Ok((visitor, format!("#{number}")))
}

#[test]
fn an_agent_claims_replies_notes_and_resolves() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let mut console = daemon.console("agent1")?;
        console.shows("Waiting 3").await?;
        console.shows("live").await?;
        let (mut visitor, number) = waiting_visitor(&daemon, "The strap is torn").await?;
        console.shows("Waiting 4").await?;
        console.shows(&number).await?;

        console.keys("?")?;
        console.shows("claim the longest waiting").await?;
        console.keys("\x1b")?;
        console.hides("claim the longest waiting").await?;

        // The newest waits at the end of the queue.
        console.keys("G")?;
        console.until("the cursor on it", |screen| on_cursor(screen, &number)).await?;
        console.keys("c")?;
        // Until the claim is answered the list moves, and a key might mean another row.
        console.shows("b hand back").await?;
        console.shows("Mine 1").await?;
        visitor
            .message(1, "who joined", |frame| frame["system"]["params"]["name"] == "agent1")
            .await?;
        console.keys("r")?;
        console.shows("Reply to the visitor").await?;
        console.keys("A new strap is on its way\r")?;
        let reply = visitor.message(1, "the reply", |it| it["senderType"] == "agent").await?;
        ensure!(reply["content"] == "A new strap is on its way", "{reply}");
        console.shows("sent").await?;

        visitor.send(&json!({ "type": "typing" })).await?;
        console.shows("typing").await?;
        let id = visitor.say("Thank you!").await?;
        visitor.acked(&id).await?;
        console.shows("Thank you!").await?;

        console.keys("\x1b")?;
        console.hides("Reply to the visitor").await?;
        console.keys("n")?;
        console.shows("staff only").await?;
        console.keys("seen before\r")?;
        console.shows("seen before").await?;
        console.keys("\x1b")?;
        console.shows("b hand back").await?;
        console.keys("R")?;
        visitor.status("resolved").await?;
        let shown = visitor.transcript().join("\n");
        ensure!(!shown.contains("seen before"), "a note reached the visitor: {shown}");
        Ok(())
    });
}

fn on_cursor(screen: &str, number: &str) -> bool {
    screen.lines().any(|line| line.trim_start().starts_with('>') && line.contains(number))
}

#[test]
fn the_second_agent_learns_who_was_faster() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let (_visitor, number) = waiting_visitor(&daemon, "Which one is faster?").await?;
        let mut console = daemon.console("agent2")?;
        console.shows(&number).await?;
        console.keys("G")?;
        console.until("the cursor on it", |screen| on_cursor(screen, &number)).await?;
        console.keys("\r")?;
        console.shows("Which one is faster?").await?;
        daemon.staff("agent1").await?.claim(number.trim_start_matches('#'), false).await?;
        console.shows("agent1 joined").await?;
        console.keys("c")?;
        console.until("who has it", |screen| screen.contains("agent1")).await?;
        Ok(())
    });
}

#[test]
fn kill_9_shows_the_banner_and_the_reply_arrives_after_it() {
    play(async |stage: &Stage| {
        let mut daemon = Daemon::demo(stage).await?;
        let (mut visitor, number) = waiting_visitor(&daemon, "Does it float?").await?;
        let mut console = daemon.console("agent1")?;
        console.shows(&number).await?;
        console.keys("G")?;
        console.until("the cursor on it", |screen| on_cursor(screen, &number)).await?;
        console.keys("c")?;
        visitor.message(1, "a person", |it| it["system"]["code"] == "claimed").await?;
        console.shows("b hand back").await?;
        console.keys("r")?;
        console.shows("Reply to the visitor").await?;
        console.keys("It floats")?;
        console.shows("It floats").await?;

        daemon.kill9().await?;
        visitor.disconnect();
        console.shows(BANNER).await?;
        console.keys(" well\r")?;
        console.shows("It floats well").await?;

        daemon.start().await?;
        visitor.connect().await?;
        let reply = visitor.message(1, "the reply", |it| it["senderType"] == "agent").await?;
        ensure!(reply["content"] == "It floats well", "{reply}");
        console.hides(BANNER).await?;
        let (messages, _) =
            daemon.staff("agent1").await?.messages(number.trim_start_matches('#')).await?;
        let count = messages.iter().filter(|it| it.content == "It floats well").count();
        ensure!(count == 1, "the reply is there {count} times");
        Ok(())
    });
}

#[test]
fn the_terminal_is_restored_on_quit() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let mut console = daemon.console("agent1")?;
        console.shows("Waiting 3").await?;
        ensure!(!console.is_restored(), "the console has a screen of its own");
        console.keys("q")?;
        let code = console.ended().await?;
        ensure!(code == 0, "quitting exits with {code}");
        ensure!(console.is_restored(), "something is left switched on");
        Ok(())
    });
}

#[test]
fn fault_109_hostile_text_is_inert_in_the_console() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let mut console = daemon.console("agent1")?;
        console.shows("Waiting 3").await?;
        // What a terminal would obey is refused at the door; the rest must not move the screen.
        let says = "bidi \u{202e}gnp.exe\u{202c} marks e\u{301}\u{301}\u{301}\u{301} end";
        let (_visitor, number) = waiting_visitor(&daemon, says).await?;
        console.shows(&number).await?;
        console.keys("G\r")?;
        let screen = console.shows("bidi").await?;
        ensure!(!screen.contains('\u{202e}'), "an override reached the terminal: {screen}");
        console.keys("q")?;
        console.shows("Waiting 4").await?;
        Ok(())
    });
}
