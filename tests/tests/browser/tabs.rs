//! Two tabs of one visitor: one conversation, both live.

use anyhow::{Context, ensure};
use fusionchat_tests::browser::{Browser, Wishes, programs};
use fusionchat_tests::grpc::client_id;
use fusionchat_tests::stage::{Stage, play};

use crate::shop::{Shop, VENDOR};

#[test]
fn two_tabs_are_one_conversation_and_both_live() {
    play(async |stage: &Stage| {
        let Some(programs) = programs()? else { return Ok(()) };
        let shop = Shop::start(stage, VENDOR).await?;
        let wishes = Wishes { block_third_party: true, ..Wishes::default() };
        let browser = Browser::start(stage, &programs, wishes).await?;
        let first = browser.client.window().await?;
        shop.visit(&browser).await?;
        browser.open_chat().await?;
        browser.shows("The assistant answers at once").await?;
        // Both are open before anything is said.
        let second = browser.client.new_window(true).await?.handle;
        browser.client.switch_to_window(second.clone()).await?;
        shop.visit(&browser).await?;
        browser.open_chat().await?;
        browser.shows("The assistant answers at once").await?;

        browser.client.switch_to_window(first.clone()).await?;
        browser.enter_chat().await?;
        browser.say("How many hours does the battery last?").await?;
        browser.shows("120 hours").await?;
        browser.client.switch_to_window(second.clone()).await?;
        browser.enter_chat().await?;
        browser.shows("120 hours").await?;
        browser.say("And in the cold?").await?;
        browser.press("Talk to a person").await?;
        browser.shows("Waiting for a person").await?;
        let number = shop.number().await?;
        let agent = shop.daemon.staff("agent1").await?;
        agent.claim(&number, false).await?;
        agent.reply(&client_id(), &number, "In the cold, half of it").await?;
        browser.shows("In the cold, half of it").await?;
        browser.client.switch_to_window(first).await?;
        browser.enter_chat().await?;
        let shown = browser.shows("In the cold, half of it").await?;
        for text in ["How many hours does the battery last?", "And in the cold?"] {
            ensure!(shown.matches(text).count() == 1, "{text:?} once in {shown}");
            ensure!(shop.times(text).await? == 1, "{text:?} once in the store");
        }
        let open = shop.conversations().await?.pop().context("one")?;
        ensure!(open.number.to_string() == number, "{open:?}");
        browser.end().await
    });
}
