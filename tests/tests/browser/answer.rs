//! A model's answer while it comes, as the visitor sees it: one bubble that grows, is no message yet and is said by no
//! screen reader, and then is the message; or goes away when a person takes over.

use anyhow::{Context, Result, ensure};
use fusionchat_tests::browser::{Browser, Wishes, programs};
use fusionchat_tests::daemon::Daemon;
use fusionchat_tests::model::{Line, ScriptedModel, good};
use fusionchat_tests::stage::{Stage, play};
use serde_json::json;

use crate::shop::{Shop, VENDOR};

/// A question that the demo's articles answer.
const QUESTION: &str = "How do I return an item?";
/// What the model says first, with what a page must not take for markup.
const FIRST: &str =
    "You have 30 days. <img src=x onerror=alert(document.domain)> **Print** the label.";

/// Counts the assistant's bubbles after every change of the page.
const COUNT: &str = "
    window.counts = [];
    const count = () => counts.push(document.querySelectorAll('li.assistant').length);
    new MutationObserver(count).observe(document.querySelector('ol'), { childList: true });
";
/// The assistant's bubbles now, what a screen reader was told, and what came of the hostile text.
const LOOK: &str = "
    const rows = [...document.querySelectorAll('li.assistant')];
    return {
        counts: window.counts,
        bubbles: rows.map((row) => row.querySelector('.bubble > p').innerText),
        busy: rows.map((row) => row.getAttribute('aria-busy') === 'true'),
        comes: rows.map((row) => getComputedStyle(row).animationName),
        sources: document.querySelectorAll('.sources a').length,
        told: document.querySelector('[aria-live]').textContent,
        images: document.images.length,
    };
";

/// Waits for an answer in the making.
const BUSY: &str = "
    const [done] = arguments;
    const look = () => document.querySelector('[aria-busy]') && (watcher.disconnect(), done(true));
    const watcher = new MutationObserver(look);
    watcher.observe(document, { subtree: true, childList: true });
    look();
";

/// A daemon whose assistant asks the model.
async fn asking(stage: &Stage, model: &ScriptedModel) -> Result<Daemon> {
    let mut daemon = Daemon::ci(stage).await?;
    let lines = format!(
        "[[assistant.provider]]\norganization = {:?}\nbase_url = {:?}\nmodel = \"scripted\"\n\
         first_token_ms = 50000\nsilence_ms = 50000\n",
        daemon.field("organization")?,
        model.url(),
    );
    daemon.serve(&lines).await?;
    Ok(daemon)
}

#[test]
fn an_answer_grows_in_one_bubble_and_becomes_the_message() {
    play(async |stage| {
        let Some(programs) = programs()? else { return Ok(()) };
        let model = ScriptedModel::start().await?;
        let shop = Shop::around(stage, asking(stage, &model).await?, VENDOR).await?;
        let begun = format!("ANSWER [1, 2, 3, 4, 5]\n{FIRST} It");
        model.script([Line::Held(begun.clone(), good(" is easy.")), Line::HangAfter(begun)]);
        let browser = Browser::start(stage, &programs, Wishes::default()).await?;
        shop.visit(&browser).await?;
        browser.open_chat().await?;
        browser.run(COUNT).await?;
        browser.say(QUESTION).await?;
        browser.shows("You have 30 days.").await?;
        let words = FIRST.replace("**", "");
        let seen = browser.run(LOOK).await?;
        ensure!(seen["bubbles"] == json!([words]), "{seen}");
        ensure!(seen["busy"] == json!([true]) && seen["told"] == "", "{seen}");
        ensure!(seen["images"] == 0 && seen["sources"] == 0, "text stays text: {seen}");
        let admin = shop.daemon.staff("admin").await?;
        let number = shop.number().await?;
        ensure!(admin.messages(&number).await?.0.len() == 1, "only the question is a message");

        model.release().await?;
        browser.shows("It is easy.").await?;
        let seen = browser.run(LOOK).await?;
        let whole = format!("{words} It is easy.");
        ensure!(seen["bubbles"] == json!([whole]), "one bubble: {seen}");
        ensure!(seen["busy"] == json!([false]), "{seen}");
        ensure!(seen["comes"] == json!(["none"]), "it comes in once: {seen}");
        let told = seen["told"].as_str().context("words")?;
        ensure!(told.contains(&whole), "told when it is whole: {told}");
        ensure!(seen["images"] == 0 && seen["sources"].as_u64() > Some(0), "{seen}");
        let counts = seen["counts"].as_array().context("counts")?;
        let once = counts.iter().skip_while(|it| **it == 0).all(|it| *it == 1);
        ensure!(once, "there was never none or a second one: {counts:?}");
        ensure!(admin.messages(&number).await?.0.len() == 2, "one message is the answer");

        // A person takes over while the next answer comes: what was shown goes away.
        browser.say("And how do refunds of returns work?").await?;
        browser.wait(BUSY, vec![]).await?;
        let agent = shop.daemon.staff("agent1").await?;
        agent.claim(&number, true).await?;
        browser.shows("is here for you").await?;
        let seen = browser.run(LOOK).await?;
        ensure!(seen["bubbles"] == json!([whole]), "{seen}");
        browser.end().await
    });
}
