//! A visitor's message on a bad network: kept while there is none, and once in the conversation when there is. What
//! the daemon refuses for good is shown as failed, and holds nothing up.

use anyhow::ensure;
use fusionchat_proto::v1::Change;
use fusionchat_tests::browser::{Browser, Wishes, programs};
use fusionchat_tests::grpc::client_id;
use fusionchat_tests::proxy::Weather;
use fusionchat_tests::stage::{Stage, play};
use serde_json::json;

use crate::shop::{Shop, VENDOR};

const KEPT: &str = "Reconnecting. Your message is kept.";
const TOO_LONG: &str = "The message is too long.";

/// One more character than the daemon takes.
const TOO_MANY_CHARACTERS: usize = 10_001;

/// Sends a text past the widget's own check of it, and says whether that check holds it back.
const SEND_ANYHOW: &str = "
    const [input, send] = ['textarea', '.send'].map((it) => document.querySelector(it));
    input.value = arguments[0];
    input.dispatchEvent(new Event('input'));
    const isHeldBack = send.disabled;
    send.disabled = false;
    send.click();
    return isHeldBack;
";

/// What of the visitor's own has not arrived: how it stands with it, and what is said under it.
const UNSENT: &str = "
    const rows = [...document.querySelectorAll('li.queued, li.sent, li.acked, li.failed')];
    return rows.map((it) => `${it.className}: ${it.querySelector('.receipt').innerText}`);
";

#[test]
fn offline_and_back() {
    play(async |stage: &Stage| {
        let Some(programs) = programs()? else { return Ok(()) };
        let shop = Shop::start(stage, VENDOR).await?;
        let browser = Browser::start(stage, &programs, Wishes::default()).await?;
        shop.visit(&browser).await?;
        browser.open_chat().await?;
        browser.say("I would rather speak to a human").await?;
        browser.shows("Waiting for a person").await?;
        let mut live = shop.daemon.staff("agent1").await?.watch(None, "").await?;

        shop.proxy.set(Weather::Down);
        browser.shows(KEPT).await?;
        browser.say("written on the train").await?;
        browser.say("and in the tunnel").await?;
        browser.shows("and in the tunnel").await?;
        shop.proxy.set(Weather::Fine);
        // The browser says so when the network is back; waiting for the next attempt is not needed.
        browser.run("dispatchEvent(new Event('online'))").await?;
        for text in ["written on the train", "and in the tunnel"] {
            let change = live.change(|change| change.message.is_some()).await?;
            let message = change.message.map(|it| it.content);
            ensure!(message.as_deref() == Some(text), "{message:?} instead of {text:?}");
        }
        let shown = browser.shows("and in the tunnel").await?;
        ensure!(shown.matches("written on the train").count() == 1, "{shown}");
        ensure!(shop.times("and in the tunnel").await? == 1, "once");
        browser.end().await
    });
}

#[test]
fn a_reload_while_offline_keeps_what_was_written() {
    play(async |stage: &Stage| {
        let Some(programs) = programs()? else { return Ok(()) };
        let shop = Shop::start(stage, VENDOR).await?;
        let wishes = Wishes { deny_storage_to: Some("vendor.localhost"), ..Wishes::default() };
        let browser = Browser::start(stage, &programs, wishes).await?;
        shop.visit(&browser).await?;
        browser.open_chat().await?;
        browser.say("How long does the battery last?").await?;
        browser.shows("120 hours").await?;
        shop.proxy.set(Weather::Down);
        browser.shows(KEPT).await?;
        browser.say("not sent yet").await?;
        browser.shows("not sent yet").await?;
        shop.proxy.set(Weather::Fine);
        browser.leave_chat().await?;
        shop.visit(&browser).await?;
        browser.open_chat().await?;
        let shown = browser.shows("not sent yet").await?;
        ensure!(shown.matches("not sent yet").count() == 1, "{shown}");
        browser.end().await
    });
}

#[test]
fn the_daemon_killed_in_mid_send() {
    play(async |stage: &Stage| {
        let Some(programs) = programs()? else { return Ok(()) };
        let mut shop = Shop::start(stage, VENDOR).await?;
        let browser = Browser::start(stage, &programs, Wishes::default()).await?;
        shop.visit(&browser).await?;
        browser.open_chat().await?;
        browser.say("I would rather speak to a human").await?;
        browser.shows("Waiting for a person").await?;
        let mut live = shop.daemon.staff("agent1").await?.watch(None, "").await?;

        // The daemon has it on disk, and dies before its answer arrives.
        shop.proxy.set(Weather::Deaf);
        browser.say("is anybody there").await?;
        let said =
            |it: &Change, text: &str| it.message.as_ref().is_some_and(|it| it.content == text);
        let change = live.change(|it| said(it, "is anybody there")).await?;
        let waiting = browser.shows("is anybody there").await?;
        ensure!(waiting.contains("Sending"), "not called sent before it is: {waiting}");
        shop.daemon.kill9().await?;
        shop.proxy.set(Weather::Down);
        browser.shows(KEPT).await?;
        browser.say("still here").await?;
        shop.daemon.start().await?;
        shop.proxy.set(Weather::Fine);

        let mut live = shop.daemon.staff("agent1").await?.watch(change.cursor, "").await?;
        live.change(|it| said(it, "still here")).await?;
        let shown = browser.shows("still here").await?;
        for text in ["is anybody there", "still here"] {
            ensure!(shown.matches(text).count() == 1, "{text:?} once in {shown}");
            ensure!(shop.times(text).await? == 1, "{text:?} once in the store");
        }
        browser.end().await
    });
}

#[test]
fn a_message_refused_for_good_is_shown_as_failed_and_the_next_one_goes_through() {
    play(async |stage: &Stage| {
        let Some(programs) = programs()? else { return Ok(()) };
        let shop = Shop::start(stage, VENDOR).await?;
        let browser = Browser::start(stage, &programs, Wishes::default()).await?;
        shop.visit(&browser).await?;
        browser.open_chat().await?;
        browser.say("I would rather speak to a human").await?;
        browser.shows("Waiting for a person").await?;
        let (agent, number) = (shop.daemon.staff("agent1").await?, shop.number().await?);
        let mut live = agent.watch(None, "").await?;
        let said =
            |it: &Change, text: &str| it.message.as_ref().is_some_and(|it| it.content == text);

        // Both wait for the network, and the first one is for the daemon alone to refuse.
        shop.proxy.set(Weather::Down);
        browser.shows(KEPT).await?;
        let long = "x".repeat(TOO_MANY_CHARACTERS);
        let is_held_back = browser.run_with(SEND_ANYHOW, vec![json!(long)]).await?;
        ensure!(is_held_back == json!(true), "the widget lets it pass");
        browser.say("and the next one").await?;
        shop.proxy.set(Weather::Fine);
        browser.run("dispatchEvent(new Event('online'))").await?;
        live.change(|it| said(it, "and the next one")).await?;
        agent.claim(&number, false).await?;
        agent.reply(&client_id(), &number, "A person, at your service").await?;
        browser.shows("A person, at your service").await?;
        let failed = json!([format!("user failed: {TOO_LONG} Edit")]);
        ensure!(browser.run(UNSENT).await? == failed, "failed, and nothing waits behind it");
        ensure!(shop.times("and the next one").await? == 1, "once");
        ensure!(shop.times(&long).await? == 0, "refused");

        // It stays where it is until the visitor does something about it.
        browser.leave_chat().await?;
        shop.visit(&browser).await?;
        browser.open_chat().await?;
        browser.shows("A person, at your service").await?;
        ensure!(browser.run(UNSENT).await? == failed, "it is still failed");
        browser.press("Edit").await?;
        let input = browser.find("textarea").await?;
        ensure!(input.prop("value").await?.as_deref() == Some(&long), "its text is back");
        ensure!(browser.run(UNSENT).await? == json!([]), "it is no message any more");
        input.clear().await?;
        browser.say("in short").await?;
        live.change(|it| said(it, "in short")).await?;
        browser.end().await
    });
}
