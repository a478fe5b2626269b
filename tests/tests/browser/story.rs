//! The main story on a third party's page: with third-party storage blocked, and with the chat on a sub-domain of
//! the shop. Before the visitor wants to chat, the daemon is asked for one file and the browser keeps nothing.

use anyhow::{Context, Result, ensure};
use fusionchat_tests::browser::{Browser, Wishes, programs};
use fusionchat_tests::grpc::client_id;
use fusionchat_tests::stage::{Stage, play};
use serde_json::{Value, json};

use crate::shop::{OWN, Shop, VENDOR, stored};

/// Nothing anywhere.
fn nothing() -> Value {
    json!({ "local": 0, "session": 0, "indexed": 0, "cookies": 0 })
}

/// The story with the chat at `host`, in a browser like that, where the frame finds that storage.
async fn story(stage: &Stage, host: &str, wishes: Wishes, frame_storage: &Value) -> Result<()> {
    let Some(programs) = programs()? else { return Ok(()) };
    let shop = Shop::start(stage, host).await?;
    let browser = Browser::start(stage, &programs, wishes).await?;
    shop.visit(&browser).await?;
    // The page is quiet once the browser has had time for idle work.
    browser.wait("requestIdleCallback(() => arguments[0](true))", vec![]).await?;
    ensure!(stored(&browser).await? == nothing(), "the page stores before anybody chats");
    ensure!(shop.proxy.requests() == ["GET /embed.js"], "{:?}", shop.proxy.requests());

    browser.open_chat().await?;
    browser.shows("The assistant answers at once").await?;
    let frame = stored(&browser).await?;
    ensure!(frame == *frame_storage, "the frame's storage is {frame}");
    let opened = shop.proxy.requests();
    ensure!(opened.len() <= 5, "html, script, style and socket: {opened:?}");
    ensure!(shop.conversations().await?.is_empty(), "to open is not to write");

    browser.say("How many hours does the battery last?").await?;
    browser.shows("120 hours").await?;
    let link = browser.find(".sources a").await?.attr("href").await?.context("a link")?;
    ensure!(link.contains("/a/"), "{link}");
    let agent = shop.daemon.staff("agent1").await?;
    browser.press("Talk to a person").await?;
    browser.shows("Waiting for a person").await?;
    let number = shop.number().await?;
    agent.claim(&number, false).await?;
    agent.reply(&client_id(), &number, "A person, at your service").await?;
    browser.shows("A person, at your service").await?;

    // The next page of the shop goes on where this one was, though the frame may keep nothing itself.
    browser.leave_chat().await?;
    shop.visit(&browser).await?;
    browser.open_chat().await?;
    let shown = browser.shows("A person, at your service").await?;
    ensure!(shown.matches("How many hours does the battery last?").count() == 1, "{shown}");
    browser.say("Thank you, person").await?;
    browser.shows("Thank you, person").await?;
    agent.reply(&client_id(), &number, "You are welcome").await?;
    browser.shows("You are welcome").await?;
    ensure!(shop.times("Thank you, person").await? == 1, "once");
    ensure!(stored(&browser).await? == *frame_storage, "the frame keeps nothing");
    browser.leave_chat().await?;
    let page = stored(&browser).await?;
    ensure!(page["local"] == 1 && page["cookies"] == 0, "the page keeps the session: {page}");
    browser.end().await
}

/// Whether the current document can keep a cookie.
const KEEPS_COOKIES: &str = "
    document.cookie = 'probe=1; SameSite=None; Secure';
    const kept = document.cookie.includes('probe');
    document.cookie = 'probe=; Max-Age=0; SameSite=None; Secure';
    return kept;
";

#[test]
fn with_third_party_cookies_blocked() {
    let wishes = Wishes { block_third_party: true, ..Wishes::default() };
    play(async |stage: &Stage| {
        story(stage, VENDOR, wishes, &nothing()).await?;
        let Some(programs) = programs()? else { return Ok(()) };
        let shop = Shop::start(stage, VENDOR).await?;
        let browser = Browser::start(stage, &programs, wishes).await?;
        shop.visit(&browser).await?;
        ensure!(browser.run(KEEPS_COOKIES).await? == true, "the page has cookies");
        browser.open_chat().await?;
        ensure!(browser.run(KEEPS_COOKIES).await? == false, "a frame of another site has none");
        browser.end().await
    });
}

#[test]
fn with_third_party_storage_denied() {
    let wishes = Wishes {
        block_third_party: true,
        deny_storage_to: Some("vendor.localhost"),
        ..Wishes::default()
    };
    let denied = json!({ "local": null, "session": null, "indexed": null, "cookies": 0 });
    play(async |stage: &Stage| story(stage, VENDOR, wishes, &denied).await);
}

#[test]
fn on_a_sub_domain_of_the_shop() {
    let wishes = Wishes { block_third_party: true, ..Wishes::default() };
    play(async |stage: &Stage| story(stage, OWN, wishes, &nothing()).await);
}
