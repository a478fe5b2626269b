//! A whole shift of an agent at the console, by keys only: several conversations at once, terminals of every size,
//! and a console that is killed in the middle of a sentence.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fusionchat_proto::v1;
use fusionchat_tests::daemon::Daemon;
use fusionchat_tests::stage::{Stage, play};
use fusionchat_tests::terminal::Terminal;
use fusionchat_tests::visitor::Visitor;

/// How often a file that nobody announces is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

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

fn on_cursor(screen: &str, number: &str) -> bool {
    screen.lines().any(|line| line.trim_start().starts_with('>') && line.contains(number))
}

/// Takes the newest of the queue, which is `number`, from the list.
async fn claim_newest(console: &mut Terminal, number: &str, mine: usize) -> Result<()> {
    console.keys("1")?;
    console.shows(number).await?;
    console.keys("G")?;
    console.until("the cursor on it", |screen| on_cursor(screen, number)).await?;
    act(console, "c", &format!("Mine {mine}")).await?;
    console.shows("agent1 joined").await?;
    Ok(())
}

/// Presses a key that acts on a row: once more if the row had slid under the cursor just before, as the console asks.
async fn act(console: &mut Terminal, key: &str, wanted: &str) -> Result<()> {
    const MOVED: &str = "The list moved: press again";
    console.keys(key)?;
    let seen = console.until(wanted, |it| it.contains(wanted) || it.contains(MOVED)).await?;
    if !seen.contains(wanted) {
        console.keys(key)?;
        console.shows(wanted).await?;
    }
    Ok(())
}

/// Leaves the open conversation. A terminal cannot tell Escape and a key from Alt and that key: the next key waits.
async fn leave(console: &mut Terminal) -> Result<()> {
    console.keys("\x1b")?;
    console.hides("│").await?;
    Ok(())
}

/// Opens one of the agent's own conversations: its list filtered by the number.
async fn open_mine(console: &mut Terminal, number: &str) -> Result<()> {
    console.keys("2/")?;
    console.keys(number.trim_start_matches('#'))?;
    console.keys("\r")?;
    console.until("the cursor on it", |screen| on_cursor(screen, number)).await?;
    console.keys("\r")?;
    console.shows("agent1 joined").await?;
    Ok(())
}

/// Says something in the open conversation and leaves the composer.
async fn write(console: &mut Terminal, key: &str, title: &str, text: &str) -> Result<()> {
    console.keys(key)?;
    console.shows(title).await?;
    console.keys(text)?;
    console.shows(text).await?;
    console.keys("\r")?;
    console.keys("\x1b")?;
    console.hides(title).await?;
    Ok(())
}

const REPLY: &str = "Reply to the visitor";
const NOTE: &str = "NOTE for staff only";

#[test]
fn two_visitors_are_claimed_answered_noted_and_resolved_by_keys() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let mut console = daemon.console("agent1")?;
        console.shows("Waiting 3").await?;
        console.shows("live").await?;
        let (mut first, first_number) = waiting_visitor(&daemon, "My lens is cracked").await?;
        claim_newest(&mut console, &first_number, 1).await?;
        write(&mut console, "r", REPLY, "A new lens is on its way").await?;
        let (mut second, second_number) = waiting_visitor(&daemon, "Do you ship to Oslo?").await?;
        leave(&mut console).await?;
        claim_newest(&mut console, &second_number, 2).await?;
        write(&mut console, "r", REPLY, "Yes in four days").await?;
        write(&mut console, "n", NOTE, "asked twice before").await?;
        for (visitor, reply) in
            [(&mut first, "A new lens is on its way"), (&mut second, "Yes in four days")]
        {
            let message = visitor.message(1, "a reply", |it| it["senderType"] == "agent").await?;
            ensure!(message["content"] == reply, "{message}");
        }

        // The first one answers meanwhile: one key leads there.
        let id = first.say("How long will it take?").await?;
        first.acked(&id).await?;
        console.shows("(1 new)").await?;
        console.keys("gu")?;
        console.shows("How long will it take?").await?;
        write(&mut console, "r", REPLY, "Two days").await?;
        first.message(3, "the answer", |it| it["content"] == "Two days").await?;
        console.keys("R")?;
        first.status("resolved").await?;
        console.shows("Mine 1").await?;

        leave(&mut console).await?;
        open_mine(&mut console, &second_number).await?;
        console.keys("R")?;
        second.status("resolved").await?;
        console.hides("Mine 1").await?;
        check_resolved(&daemon, &[&first_number, &second_number]).await?;
        for visitor in [&first, &second] {
            let shown = visitor.transcript().join("\n");
            ensure!(!shown.contains("asked twice"), "a note reached the visitor: {shown}");
        }
        Ok(())
    });
}

async fn check_resolved(daemon: &Daemon, numbers: &[&str]) -> Result<()> {
    let staff = daemon.staff("agent1").await?;
    for number in numbers {
        let conversation = staff.conversation(number.trim_start_matches('#')).await?;
        ensure!(conversation.status() == v1::Status::Resolved, "{conversation:?}");
        ensure!(conversation.resolution() == v1::Resolution::Agent, "{conversation:?}");
    }
    Ok(())
}

#[test]
fn a_terminal_of_any_size_loses_no_word() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let (mut visitor, number) = waiting_visitor(&daemon, "Is it waterproof?").await?;
        let mut console = daemon.console("agent1")?;
        claim_newest(&mut console, &number, 1).await?;
        console.keys("r")?;
        console.shows(REPLY).await?;
        console.keys("Rain is")?;
        console.shows("Rain is").await?;
        for (columns, rows) in [(1, 1), (200, 60), (3, 2), (20, 5), (1, 40), (300, 1), (60, 16)] {
            console.resize(columns, rows)?;
            console.keys(".")?;
        }
        console.resize(1, 1)?;
        console.keys(" fine")?;
        console.resize(100, 30)?;
        console.shows("Rain is....... fine").await?;
        console.shows(REPLY).await?;
        console.keys("\r")?;
        let reply = visitor.message(1, "the reply", |it| it["senderType"] == "agent").await?;
        ensure!(reply["content"] == "Rain is....... fine", "{reply}");
        Ok(())
    });
}

/// Waits until a file below `folder` holds `text`. Nothing tells when a draft has reached the disk.
async fn on_disk(folder: &Path, text: &str) -> Result<()> {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    while !holds(folder, text) {
        looks.tick().await;
    }
    Ok(())
}

fn holds(folder: &Path, text: &str) -> bool {
    std::fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        let path = entry.path();
        let here = || std::fs::read_to_string(&path).is_ok_and(|it| it.contains(text));
        if path.is_dir() { holds(&path, text) } else { here() }
    })
}

#[test]
fn kill_9_of_the_console_keeps_the_draft() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let (mut visitor, number) = waiting_visitor(&daemon, "Can I swap the battery?").await?;
        let mut console = daemon.console("agent1")?;
        claim_newest(&mut console, &number, 1).await?;
        console.keys("r")?;
        console.shows(REPLY).await?;
        console.keys("Yes with a coin")?;
        console.shows("Yes with a coin").await?;
        on_disk(&daemon.runtime().join("fusionchat/drafts"), "Yes with a coin").await?;
        console.kill9().await?;

        let mut console = daemon.console("agent1")?;
        console.shows("Mine 1").await?;
        console.keys("2")?;
        console.until("the cursor on it", |screen| on_cursor(screen, &number)).await?;
        console.keys("\r")?;
        console.shows("Draft of a reply").await?;
        console.shows("Yes with a coin").await?;
        console.keys("r")?;
        console.shows(REPLY).await?;
        console.keys(" or a key\r")?;
        let reply = visitor.message(1, "the reply", |it| it["senderType"] == "agent").await?;
        ensure!(reply["content"] == "Yes with a coin or a key", "{reply}");
        let (messages, _) =
            daemon.staff("agent1").await?.messages(number.trim_start_matches('#')).await?;
        let count = messages.iter().filter(|it| it.content.starts_with("Yes with")).count();
        ensure!(count == 1, "the reply is there {count} times");
        Ok(())
    });
}

/// Gives the open conversation away by keys: `t`, the name, Enter, the note, Enter.
async fn give(console: &mut Terminal, to: &str, note: &str) -> Result<()> {
    console.keys("t")?;
    console.shows("give it to").await?;
    console.keys(to)?;
    console.until("the colleague", |screen| screen.contains(&format!("> {to}"))).await?;
    console.keys("\r")?;
    console.shows(&format!("give it to {to}")).await?;
    console.keys(note)?;
    console.shows(note).await?;
    console.keys("\r")?;
    console.shows(&format!("offered to {to} (u takes it back)")).await?;
    Ok(())
}

#[test]
fn a_chat_is_given_to_a_colleague_refused_and_labelled_by_keys() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let (_visitor, number) = waiting_visitor(&daemon, "Do you speak Norwegian?").await?;
        let mut console = daemon.console("agent1")?;
        let mut colleague = daemon.console("agent2")?;
        colleague.shows("Waiting 4").await?;
        claim_newest(&mut console, &number, 1).await?;

        // Given, and taken back at once.
        give(&mut console, "agent2", "my Norwegian is poor").await?;
        console.keys("u")?;
        console.shows("yours").await?;
        // Given again: the colleague is told, declines, and the giver learns who did.
        give(&mut console, "agent2", "mine really is").await?;
        colleague.shows(&format!("agent1 gives you {number}: c claims, L declines")).await?;
        colleague.keys("1/")?;
        colleague.keys(number.trim_start_matches('#'))?;
        colleague.keys("\r")?;
        colleague.until("the cursor on it", |screen| on_cursor(screen, &number)).await?;
        colleague.shows("offered to you").await?;
        act(&mut colleague, "L", "declined, it waits for everybody").await?;
        console.shows(&format!("agent2 declined {number}: it waits for everybody")).await?;
        console.shows("mine really is").await?;

        label(&mut console).await?;
        colleague.shows("URGENT [norwegian]").await?;
        let staff = daemon.staff("agent1").await?;
        let row = staff.conversation(number.trim_start_matches('#')).await?;
        ensure!(row.priority() == v1::Priority::Urgent, "{row:?}");
        ensure!(row.tags == ["norwegian"], "{row:?}");
        ensure!(row.offered_until.is_none() && row.assignee.is_none(), "{row:?}");
        Ok(())
    });
}

/// The priority by its key and its letter, the tags by a command and by their key.
async fn label(console: &mut Terminal) -> Result<()> {
    console.keys("p")?;
    console.shows("u h n l, sets it").await?;
    console.keys("u")?;
    console.shows("priority urgent").await?;
    console.keys(":")?;
    console.shows("Enter runs").await?;
    console.keys("tag norwegian Spam!\r")?;
    console.shows("spam!: a tag is a word").await?;
    console.keys("\x7f\r")?;
    console.shows("tags norwegian spam").await?;
    console.keys("l")?;
    console.shows("Enter sets them").await?;
    // Ctrl-w takes the last word away, and the space behind it.
    console.keys("\x17\r")?;
    console.shows("tags norwegian (u takes it back)").await?;
    Ok(())
}

#[test]
fn an_answer_is_flagged_and_a_message_removed_by_keys() {
    play(async |stage: &Stage| {
        let daemon = Daemon::demo(stage).await?;
        let mut visitor = daemon.visitor().await?;
        visitor.say("How long does the battery last?").await?;
        visitor.message(1, "an answer", |it| it["senderType"] == "assistant").await?;
        visitor.ask_for_person().await?;
        visitor.status("escalated").await?;
        let conversation = visitor.conversation.clone().context("it has begun")?;
        let staff = daemon.staff("agent1").await?;
        let number = format!("#{}", staff.conversation(&conversation).await?.number);
        let mut console = daemon.console("agent1")?;
        claim_newest(&mut console, &number, 1).await?;
        console.keys("F")?;
        console.shows("which answer to flag for review").await?;
        console.keys("\r")?;
        console.shows("flag an answer for review").await?;
        console.keys("out of date\r")?;
        console.shows("answer flagged for review").await?;
        console.shows("flagged: out of date").await?;

        write(&mut console, "r", REPLY, "The secret is 42").await?;
        visitor.message(1, "the reply", |it| it["content"] == "The secret is 42").await?;
        console.keys("D")?;
        console.shows("which message to remove").await?;
        console.keys("\r")?;
        console.shows("remove this message?").await?;
        // Enter is for no.
        console.keys("\r")?;
        console.hides("remove this message?").await?;
        console.shows("The secret is 42").await?;
        console.keys("D\r")?;
        console.shows("remove this message?").await?;
        console.keys("y")?;
        console.shows("message removed, for the visitor too").await?;
        console.shows("was removed").await?;
        console.hides("The secret is 42").await?;
        let (messages, _) = staff.messages(number.trim_start_matches('#')).await?;
        let flagged = messages.iter().filter(|it| it.flag == "out of date").count();
        let removed = messages.iter().filter(|it| it.retracted).count();
        ensure!((flagged, removed) == (1, 1), "{messages:?}");
        Ok(())
    });
}
