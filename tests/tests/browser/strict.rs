//! The strictest policy a page can have: two directives let the chat in, and nothing it does is reported.

use anyhow::{Result, ensure};
use fusionchat_tests::browser::{Browser, Wishes, programs};
use fusionchat_tests::site::Page;
use fusionchat_tests::stage::{Stage, play};

use crate::shop::{SHOP, Shop, VENDOR};

/// The violations of the current document so far. It breaks the policy itself at last: once that one is reported, all
/// earlier ones have been, and the report shows that they would be.
const VIOLATIONS: &str = "
    const done = arguments[0];
    const all = [];
    const observer = new ReportingObserver((reports) => {
        for (const { body } of reports)
            all.push(`${body.effectiveDirective} ${body.blockedURL} ${body.sourceFile}`);
        const others = all.filter((one) => !one.includes('sentinel.invalid'));
        if (others.length < all.length) done(others);
    }, { types: ['csp-violation'], buffered: true });
    observer.observe();
    new Image().src = 'https://sentinel.invalid/a.png';
";

async fn violations(browser: &Browser) -> Result<Vec<String>> {
    let found = browser.wait(VIOLATIONS, vec![]).await?;
    Ok(serde_json::from_value(found)?)
}

#[test]
fn a_page_with_the_strictest_policy_reports_nothing() {
    play(async |stage: &Stage| {
        let Some(programs) = programs()? else { return Ok(()) };
        let mut shop = Shop::start(stage, VENDOR).await?;
        let policy = format!(
            "default-src 'none'; style-src 'none'; require-trusted-types-for 'script'; \
             trusted-types 'none'; script-src {chat}; frame-src {chat}; report-uri /reports",
            chat = shop.chat
        );
        let path = "/strict".to_owned();
        shop.site.add(Page { path, html: shop.html(""), policy });
        let browser = Browser::start(stage, &programs, Wishes::default()).await?;
        browser.client.goto(&format!("{}/strict", shop.site.origin(SHOP))).await?;
        browser.open_chat().await?;
        browser.shows("The assistant answers at once").await?;
        browser.say("How long does the battery last?").await?;
        browser.shows("120 hours").await?;
        browser.press("Talk to a person").await?;
        browser.shows("Waiting for a person").await?;
        // On a phone the chat covers the page and follows its viewport.
        browser.client.set_window_size(420, 800).await?;
        browser.find("header button.icon").await?.click().await?;
        browser.leave_chat().await?;
        ensure!(shop.site.posts().is_empty(), "{:?}", shop.site.posts());
        let console = browser.console().await?;
        ensure!(console.is_empty(), "{console:#?}");
        let page = violations(&browser).await?;
        ensure!(page.is_empty(), "on the page: {page:#?}");
        // The policy does report what breaks it.
        shop.site.posted().await?;
        browser.enter_chat().await?;
        let frame = violations(&browser).await?;
        ensure!(frame.is_empty(), "in the frame: {frame:#?}");
        browser.end().await
    });
}
