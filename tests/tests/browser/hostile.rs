//! What others write or send stays inert: markup in every text a visitor sees, a foreign frame that speaks to the
//! page, and a page that may not have the chat.

use anyhow::{Context, Result, ensure};
use fantoccini::Locator;
use fusionchat_proto::v1;
use fusionchat_tests::browser::{Browser, Wishes, programs};
use fusionchat_tests::daemon::Daemon;
use fusionchat_tests::grpc::{Staff, client_id};
use fusionchat_tests::site::Page;
use fusionchat_tests::stage::{Stage, play};
use serde_json::{Value, json};

use crate::shop::{SHOP, Shop, VENDOR};

/// At least 12 characters; not worth guessing.
const PASSWORD: &str = "correct horse battery";

/// Texts that run where a page takes text for markup.
const CORPUS: [&str; 16] = [
    "<script>window.ran=1</script>",
    "<img src=x onerror=window.ran=1>",
    "<svg/onload=window.ran=1>",
    "\"><svg><animate onbegin=window.ran=1 attributeName=x>",
    "'-window.ran-'</title><body onload=window.ran=1>",
    "<iframe srcdoc=\"<script>parent.ran=1</script>\"></iframe>",
    "<math><mtext><table><mglyph><style><img src=x onerror=window.ran=1>",
    "<details open ontoggle=window.ran=1>",
    "<form><button formaction=javascript:window.ran=1>x",
    "</textarea></script><script>window.ran=1</script>",
    "[x](javascript:window.ran=1)",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](https://a.example\"onmouseover=window.ran=1)",
    "![x](https://evil.example/pixel.png)",
    "<https://evil.example/?<script>window.ran=1</script>>",
    "{{constructor.constructor('window.ran=1')()}}",
];

/// What has become live markup in the current document, anywhere below `arguments[0]`.
const LIVE: &str = "
    const found = [];
    const known = new Set(arguments[1]);
    for (const element of document.querySelectorAll(arguments[0])) {
        if (!known.has(element.localName)) found.push(element.outerHTML);
        for (const { name, value } of element.attributes)
            if (name.startsWith('on') || /^\\s*(javascript|data|vbscript):/i.test(value))
                found.push(`${name}=${value}`);
    }
    if (window.ran) found.push('it ran');
    return found;
";

/// The elements that the chat makes of messages and sources.
const CHAT_ELEMENTS: [&str; 22] = [
    "li",
    "ol",
    "ul",
    "p",
    "div",
    "span",
    "bdi",
    "time",
    "a",
    "b",
    "strong",
    "i",
    "em",
    "code",
    "pre",
    "br",
    "h2",
    "h3",
    "h4",
    "blockquote",
    "small",
    "cite",
];
/// The elements that a help page makes of an article.
const PAGE_ELEMENTS: [&str; 22] = [
    "article",
    "h1",
    "h2",
    "h3",
    "h4",
    "p",
    "ul",
    "ol",
    "li",
    "a",
    "em",
    "strong",
    "code",
    "pre",
    "blockquote",
    "br",
    "hr",
    "table",
    "thead",
    "tbody",
    "tr",
    "td",
];

/// Nothing of the page or frame is alive that should be text.
async fn is_inert(browser: &Browser, below: &str, known: &[&str]) -> Result<()> {
    let live = browser.run_with(LIVE, vec![json!(format!("{below} *")), json!(known)]).await?;
    ensure!(live == json!([]), "alive: {live:#}");
    Ok(())
}

/// An agent whose name is a text of the corpus.
async fn hostile_agent(daemon: &Daemon, name: &str) -> Result<Staff> {
    let request = v1::CreateUserRequest {
        client_id: client_id(),
        email: "mallory@example.com".to_owned(),
        name: name.to_owned(),
        role: v1::Role::Agent.into(),
        password: PASSWORD.to_owned(),
    };
    daemon.staff("admin").await?.users().create_user(request).await?;
    let body = json!({ "email": "mallory@example.com", "password": PASSWORD });
    let session = daemon.rest_with(None)?.post("/api/auth/session", &body).await?.expect(201)?;
    daemon.staff_with(session["token"].as_str().context("a token")?).await
}

/// A published article with every text of the corpus, found by its one rare word.
async fn hostile_article(daemon: &Daemon) -> Result<()> {
    let request = v1::PutArticleRequest {
        client_id: client_id(),
        source_path: "hostile.md".to_owned(),
        title: format!("Gyroscope {}", CORPUS[1]),
        body: format!(
            "The gyroscope spins for 77 hours {} on one charge.\n\n{}\n",
            CORPUS[2],
            CORPUS.join("\n\n")
        ),
        locale: "en".to_owned(),
        status: v1::ArticleStatus::Published.into(),
        inboxes: None,
    };
    daemon.staff("admin").await?.articles().put_article(request).await?;
    Ok(())
}

#[test]
fn fault_101_markup_in_every_text_is_inert() {
    play(async |stage: &Stage| {
        let Some(programs) = programs()? else { return Ok(()) };
        let shop = Shop::start(stage, VENDOR).await?;
        hostile_article(&shop.daemon).await?;
        let agent = hostile_agent(&shop.daemon, "<img src=x onerror=window.ran=1>").await?;
        let browser = Browser::start(stage, &programs, Wishes::default()).await?;
        shop.visit(&browser).await?;
        browser.open_chat().await?;

        // The assistant's answer and its source's title.
        browser.say("How long does the gyroscope spin?").await?;
        browser.shows("77 hours").await?;
        let title = Locator::XPath("//*[@class='sources']//a[contains(., '<img src=x')]");
        let source = browser.client.find(title).await.context("the title is text")?;
        let article = source.attr("href").await?.context("a link")?;
        is_inert(&browser, ".log", &CHAT_ELEMENTS).await?;

        browser.press("Talk to a person").await?;
        browser.shows("Waiting for a person").await?;
        let number = shop.number().await?;
        agent.claim(&number, false).await?;
        browser.shows("<img src=x onerror=window.ran=1> is here").await?;
        // Every text as a visitor's, an agent's, and a note that the visitor never gets.
        for (count, text) in CORPUS.iter().enumerate() {
            agent.reply(&client_id(), &number, &format!("reply {count} {text}")).await?;
            agent.add_note(&number, &format!("note {count} {text}")).await?;
        }
        browser.say(&CORPUS.join(" ")).await?;
        let count = CORPUS.len() - 1;
        browser.shows(&format!("reply {count}")).await?;
        let shown = browser.shows("{{constructor.constructor('window.ran=1')()}}").await?;
        ensure!(!shown.contains("note 0"), "a note reached the visitor");
        ensure!(shown.contains("<svg/onload=window.ran=1>"), "text is shown as it is");
        is_inert(&browser, ".log", &CHAT_ELEMENTS).await?;

        // The same after a reload, from the store.
        browser.leave_chat().await?;
        shop.visit(&browser).await?;
        browser.open_chat().await?;
        browser.shows(&format!("reply {count}")).await?;
        is_inert(&browser, ".log", &CHAT_ELEMENTS).await?;
        browser.leave_chat().await?;
        ensure!(browser.run("return window.ran ?? 0").await? == 0, "it ran on the page");
        let console = browser.console().await?;
        ensure!(console.is_empty(), "nothing was even tried: {console:#?}");

        browser.client.goto(&article).await?;
        browser.shows("Gyroscope <img").await?;
        is_inert(&browser, "main", &PAGE_ELEMENTS).await?;
        browser.end().await
    });
}

/// A frame of another site that tries everything a frame can send.
const FOREIGN: &str = "<!doctype html><script>
    const got = [];
    onmessage = ({ data, ports }) => got.push([data, ports.length]);
    const kinds = ['hello', 'port', 'start', 'ready', 'close', 'keep', 'refused', 'session'];
    const speak = () => {
        for (const kind of kinds) {
            for (const message of [{ fusionchat: kind }, { type: kind, text: 'x' }, kind]) {
                parent.postMessage(message, '*', [new MessageChannel().port2]);
            }
        }
        parent.postMessage({ heard: got }, '*');
    };
    speak();
    addEventListener('message', speak);
</script>";

/// Tells the page's foreign frame to speak again, and resolves to what it has got of others.
const PROVOKE: &str = "
    const done = arguments[0];
    addEventListener('message', ({ data }) => data.heard && done(data.heard), { once: false });
    document.querySelector('#foreign').contentWindow.postMessage('again', '*');
";

#[test]
fn fault_102_a_foreign_frame_is_not_heard() {
    play(async |stage: &Stage| {
        let Some(programs) = programs()? else { return Ok(()) };
        let shop = Shop::start(stage, VENDOR).await?;
        let html = FOREIGN.to_owned();
        shop.site.add(Page { path: "/foreign".to_owned(), html, ..Page::default() });
        let foreign = shop.site.origin("evil.localhost");
        let html = shop.html(&format!("<iframe id=foreign src=\"{foreign}/foreign\"></iframe>"));
        shop.site.add(Page { path: "/both".to_owned(), html, ..Page::default() });
        let browser = Browser::start(stage, &programs, Wishes::default()).await?;
        browser.client.goto(&format!("{}/both", shop.site.origin(SHOP))).await?;
        let only_ours = json!([["again", 0]]);
        let heard = browser.wait(PROVOKE, vec![]).await?;
        ensure!(heard == only_ours, "nobody answers it before the chat is open: {heard}");
        browser.open_chat().await?;
        browser.shows("The assistant answers at once").await?;
        browser.leave_chat().await?;
        let heard = browser.wait(PROVOKE, vec![]).await?;
        ensure!(heard == json!([["again", 0], ["again", 0]]), "no port for it: {heard}");
        let state = browser.run("return fusionchat.state()").await?;
        ensure!(state == json!({ "ready": true, "open": true, "unread": 0 }), "{state}");

        // The frame hears its page alone, and that once.
        browser.enter_chat().await?;
        let forged = "
            const { port1, port2 } = new MessageChannel();
            postMessage({ fusionchat: 'port' }, '*', [port2]);
            port1.postMessage({ type: 'hidden' });
            port1.postMessage({ type: 'start', open: true, locale: 'de', outbox: '[]' });
            setTimeout(() => arguments[0](document.documentElement.lang));
        ";
        ensure!(browser.wait(forged, vec![]).await? == "en", "the page's start counts");
        browser.say("How long does the battery last?").await?;
        browser.shows("120 hours").await?;
        browser.end().await
    });
}

#[test]
fn a_page_that_may_not_have_the_chat_is_told_the_command() {
    play(async |stage: &Stage| {
        let Some(programs) = programs()? else { return Ok(()) };
        let shop = Shop::start(stage, VENDOR).await?;
        let browser = Browser::start(stage, &programs, Wishes::default()).await?;
        let origin = shop.site.origin("other.localhost");
        browser.client.goto(&format!("{origin}/")).await?;
        let error = browser
            .wait(
                "const done = arguments[0]; fusionchat.on('error', done); fusionchat.open()",
                vec![],
            )
            .await?;
        let command = format!("fusionctl inbox edit {} --add-origin {origin}", shop.inbox);
        let said = |value: &Value| value.as_str().is_some_and(|it| it.contains(&command));
        ensure!(said(&error["message"]), "{error}");
        ensure!(error["code"] == "frame_unreachable", "{error}");
        let console = browser.console().await?;
        ensure!(console.iter().any(|line| line.contains(&command)), "{console:#?}");
        ensure!(shop.conversations().await?.is_empty(), "nothing came of it");
        browser.end().await
    });
}
