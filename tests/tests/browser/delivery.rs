//! A visitor's message on a bad network: kept while there is none, and once in the conversation when there is.

use anyhow::ensure;
use fusionchat_proto::v1::Change;
use fusionchat_tests::browser::{Browser, Wishes, programs};
use fusionchat_tests::proxy::Weather;
use fusionchat_tests::stage::{Stage, play};

use crate::shop::{Shop, VENDOR};

const KEPT: &str = "Reconnecting. Your message is kept.";

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
