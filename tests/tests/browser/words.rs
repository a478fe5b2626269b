//! Words that are taken back, words that end a conversation, and words that would break the page's layout.

use anyhow::{Context, Result, ensure};
use fusionchat_proto::v1;
use fusionchat_tests::browser::{Browser, Wishes, programs};
use fusionchat_tests::grpc::{Staff, client_id};
use fusionchat_tests::stage::{Stage, play};
use serde_json::{Value, json};

use crate::shop::{Shop, VENDOR};

/// Each bubble's edges and those of the log it lies in, how wide the log's content is, and what is seen in the middle
/// of each bubble that is in sight.
const LAYOUT: &str = "
    const log = document.querySelector('.log'), box = log.getBoundingClientRect();
    const flaws = [];
    if (log.scrollWidth > log.clientWidth) flaws.push('the log scrolls sideways');
    let end = -Infinity;
    for (const bubble of document.querySelectorAll('.bubble')) {
        const it = bubble.getBoundingClientRect(), text = bubble.textContent.slice(0, 12);
        if (it.left < box.left || it.right > box.right) flaws.push(`${text} leaves the log`);
        if (it.top < end) flaws.push(`${text} covers the one before`);
        if (getComputedStyle(bubble).overflowY !== 'clip') flaws.push(`${text} is painted outside`);
        end = it.bottom;
        const [x, y] = [(it.left + it.right) / 2, (it.top + it.bottom) / 2];
        const seen = document.elementFromPoint(x, y);
        if (y > box.top && y < box.bottom && !bubble.contains(seen)) flaws.push(`${text} is covered`);
    }
    return flaws;
";

async fn chat(stage: &Stage) -> Result<Option<(Shop, Browser)>> {
    let Some(programs) = programs()? else { return Ok(None) };
    let shop = Shop::start(stage, VENDOR).await?;
    let browser = Browser::start(stage, &programs, Wishes::default()).await?;
    shop.visit(&browser).await?;
    browser.open_chat().await?;
    Ok(Some((shop, browser)))
}

#[test]
fn this_helped_ends_the_conversation() {
    play(async |stage: &Stage| {
        let Some((shop, browser)) = chat(stage).await? else { return Ok(()) };
        browser.say("How long does the battery last?").await?;
        browser.shows("120 hours").await?;
        browser.press("This helped").await?;
        browser.shows("You ended the conversation. Write again whenever you like.").await?;
        let conversations = shop.conversations().await?;
        ensure!(conversations.len() == 1, "{conversations:?}");
        let it = &conversations[0];
        let resolved = it.status() == v1::Status::Resolved;
        ensure!(resolved && it.resolution() == v1::Resolution::Confirmed, "{it:?}");
        // The next word is no dead end.
        browser.say("How long does the battery last in the cold?").await?;
        browser.shows("How long does the battery last in the cold?").await?;
        browser.end().await
    });
}

#[test]
fn a_message_that_is_taken_back_is_gone_from_the_page() {
    play(async |stage: &Stage| {
        let Some((shop, browser)) = chat(stage).await? else { return Ok(()) };
        browser.say("How long does the battery last?").await?;
        browser.shows("120 hours").await?;
        let number = shop.number().await?;
        let agent = shop.daemon.staff("agent1").await?;
        let (messages, _) = agent.messages(&number).await?;
        let answer = messages.iter().find(|it| it.content.contains("120 hours"));
        let seq = answer.context("the assistant's answer")?.seq;
        let request =
            v1::RetractMessageRequest { client_id: client_id(), conversation: number.clone(), seq };
        agent.conversations().retract_message(request).await?;
        let shown = browser.shows("This message was removed.").await?;
        ensure!(!shown.contains("120 hours"), "still to be read: {shown}");
        // Nor does it come back.
        browser.leave_chat().await?;
        shop.visit(&browser).await?;
        browser.open_chat().await?;
        let shown = browser.shows("This message was removed.").await?;
        ensure!(!shown.contains("120 hours"), "it came back: {shown}");
        browser.end().await
    });
}

/// The agent says this, then something short that tells when all of it is shown.
async fn say(agent: &Staff, browser: &Browser, number: &str, texts: &[&str]) -> Result<()> {
    for text in texts {
        agent.reply(&client_id(), number, text).await?;
    }
    let mark = format!("and then {}", texts.concat().chars().count());
    agent.reply(&client_id(), number, &mark).await?;
    browser.shows(&mark).await?;
    let flaws: Value = browser.run(LAYOUT).await?;
    ensure!(flaws == json!([]), "{flaws}");
    Ok(())
}

#[test]
fn fault_16_marks_and_overrides_stay_in_their_bubble() {
    play(async |stage: &Stage| {
        let Some((shop, browser)) = chat(stage).await? else { return Ok(()) };
        browser.say("I would rather speak to a human").await?;
        browser.shows("Waiting for a person").await?;
        let number = shop.number().await?;
        let agent = shop.daemon.staff("agent1").await?;
        agent.claim(&number, false).await?;
        let marks = format!("Z{}", ["\u{301}", "\u{489}", "\u{32d}"].concat().repeat(3_000));
        say(&agent, &browser, &number, &["plain words", &marks]).await?;
        for text in [
            "\u{202e}".repeat(5_000) + "gnp.exe",
            "\u{2067}\u{2068}\u{202b}".repeat(2_000) + "left open",
            "W".repeat(5_000),
            "\u{fdfd}".repeat(500),
        ] {
            say(&agent, &browser, &number, &[&text]).await?;
        }
        let shown = browser.shows("and then 6009").await?;
        ensure!(shown.contains("and then 5007"), "a line is turned round by another: {shown}");
        browser.end().await
    });
}
