//! The demo's shop as a visitor finds it: open, ask, read the answer and its source, ask for a person, read the
//! person's reply; and the daemon killed in between.

use anyhow::{Context, ensure};
use fusionchat_tests::browser::{Browser, Wishes, programs};
use fusionchat_tests::daemon::Daemon;
use fusionchat_tests::grpc::client_id;
use fusionchat_tests::stage::{Stage, play};

#[test]
fn a_visitor_asks_and_a_person_answers() {
    play(async |stage: &Stage| {
        let Some(programs) = programs()? else { return Ok(()) };
        let mut daemon = Daemon::demo(stage).await?;
        let agent = daemon.staff("agent1").await?;
        let mut live = agent.watch(None, "").await?;
        let browser = Browser::start(stage, &programs, Wishes::default()).await?;
        browser.client.goto(daemon.field("shop")?).await?;
        browser.open_chat().await?;
        browser.shows("The assistant answers at once").await?;

        browser.say("How long does the battery last?").await?;
        browser.shows("120 hours").await?;
        let source = browser.find(".sources a").await?;
        let link = source.attr("href").await?.context("the source is a link")?;
        ensure!(link.starts_with(&format!("{}/a/", daemon.field("http")?)), "{link}");

        browser.press("Talk to a person").await?;
        browser.shows("Waiting for a person").await?;
        let change = live.change(|change| change.kind == "Escalated").await?;
        let number = change.conversation.context("a conversation")?.number.to_string();
        agent.claim(&number, false).await?;
        agent.reply(&client_id(), &number, "A person, at your service").await?;
        browser.shows("A person, at your service").await?;
        browser.say("Thank you, person").await?;
        live.change(|it| it.message.as_ref().is_some_and(|it| it.content == "Thank you, person"))
            .await?;

        daemon.kill9().await?;
        browser.shows("Reconnecting. Your message is kept.").await?;
        browser.say("typed meanwhile").await?;
        daemon.start().await?;
        let agent = daemon.staff("agent1").await?;
        let start = change.cursor.context("a cursor")?;
        let mut live = agent.watch(Some(start), "").await?;
        live.change(|it| it.message.as_ref().is_some_and(|it| it.content == "typed meanwhile"))
            .await?;
        agent.reply(&client_id(), &number, "Back again").await?;
        let shown = browser.shows("Back again").await?;
        for text in ["Thank you, person", "typed meanwhile", "A person, at your service"] {
            ensure!(shown.matches(text).count() == 1, "{text:?} once in {shown}");
        }
        ensure!(!shown.contains("Reconnecting"), "{shown}");
        browser.end().await
    });
}
