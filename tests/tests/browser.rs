//! The shop and the chat in a real Chromium, as a visitor sees them: open, ask, read the answer and its source, ask
//! for a person, read the person's reply; and the daemon killed in between.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use fantoccini::elements::Element;
use fantoccini::wd::Capabilities;
use fantoccini::{Client, Locator};
use fusionchat_tests::daemon::Daemon;
use fusionchat_tests::grpc::client_id;
use fusionchat_tests::stage::{Stage, play};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// No sandbox, because tests also run as root in containers; nothing that would look for a network.
const FLAGS: [&str; 11] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--window-size=1200,900",
];

/// Resolves once the page's text has the words; told by the page's changes, not by a clock.
const SHOWS: &str = "
    const [words, done] = arguments;
    const text = () => document.body.innerText.replace(/\\s+/g, ' ');
    const look = () => text().includes(words) && (watcher.disconnect(), done(text()));
    const watcher = new MutationObserver(look);
    const every = { subtree: true, childList: true, characterData: true, attributes: true };
    watcher.observe(document, every);
    look();
";

/// A driver and its browser, which end with it.
struct Browser {
    _driver: Child,
    client: Client,
}

/// The programs, or none if this machine does not have them.
fn programs() -> Result<Option<[PathBuf; 2]>> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let find = |name: &str| {
        std::env::split_paths(&path).map(|folder| folder.join(name)).find(|it| it.is_file())
    };
    let found = find("chromedriver").zip(find("chromium").or_else(|| find("google-chrome")));
    if found.is_none() {
        ensure!(
            std::env::var("FUSION_REQUIRE").as_deref() != Ok("all"),
            "needs: chromium and chromedriver"
        );
        println!("needs: chromium");
    }
    Ok(found.map(|(driver, chromium)| [driver, chromium]))
}

impl Browser {
    async fn start(stage: &Stage, [driver, chromium]: [PathBuf; 2]) -> Result<Self> {
        let profile = stage.folder("chromium")?;
        let mut child = Command::new(driver)
            .arg("--port=0")
            .env("HOME", &profile)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("a pipe")?).lines();
        let port = loop {
            let line = lines.next_line().await?.context("chromedriver says its port")?;
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        let flags: Vec<String> = FLAGS
            .iter()
            .map(|flag| (*flag).to_owned())
            .chain([format!("--user-data-dir={}", profile.display())])
            .collect();
        let mut wishes = Capabilities::new();
        let options = json!({ "args": flags, "binary": chromium });
        wishes.insert("goog:chromeOptions".to_owned(), options);
        wishes.insert("timeouts".to_owned(), json!({ "script": 50_000 }));
        let address = format!("http://127.0.0.1:{port}");
        let connector = HttpConnector::new();
        let client = Client::with_capabilities_and_connector(&address, &wishes, connector).await?;
        Ok(Self { _driver: child, client })
    }

    /// Waits until the current document shows `words`, and returns all it shows.
    async fn shows(&self, stage: &Stage, words: &str) -> Result<String> {
        let shown = self.client.execute_async(SHOWS, vec![json!(words)]).await;
        let text = match shown {
            Ok(Value::String(text)) => text,
            other => {
                let now = self.client.execute("return document.body.innerText", vec![]).await;
                bail!("the page never shows {words:?}: {other:?}; it shows {now:?}");
            }
        };
        stage.note(format!("the page shows {words:?}"));
        Ok(text)
    }

    async fn find(&self, css: &str) -> Result<Element> {
        self.client.find(Locator::Css(css)).await.with_context(|| format!("finding {css}"))
    }

    /// Opens the chat and steps into its frame.
    async fn open_chat(&self) -> Result<()> {
        let chat = self.client.wait().for_element(Locator::Css("fusion-chat")).await?;
        let root = chat.shadow_root().await?;
        root.find(Locator::Css("button[part=launcher]")).await?.click().await?;
        let frame = root.find(Locator::Css("iframe")).await?;
        frame.enter_frame().await?;
        self.client.wait().for_element(Locator::Css("textarea")).await?;
        Ok(())
    }

    /// Writes and sends a message.
    async fn say(&self, text: &str) -> Result<()> {
        self.find("textarea").await?.send_keys(&format!("{text}\u{e007}")).await?;
        Ok(())
    }

    async fn end(self) -> Result<()> {
        self.client.close().await?;
        Ok(())
    }
}

#[test]
fn a_visitor_asks_and_a_person_answers() {
    play(async |stage: &Stage| {
        let Some(programs) = programs()? else { return Ok(()) };
        let mut daemon = Daemon::demo(stage).await?;
        let agent = daemon.staff("agent1").await?;
        let mut live = agent.watch(None, "").await?;
        let browser = Browser::start(stage, programs).await?;
        browser.client.goto(daemon.field("shop")?).await?;
        browser.open_chat().await?;
        browser.shows(stage, "The assistant answers at once").await?;

        browser.say("How long does the battery last?").await?;
        browser.shows(stage, "120 hours").await?;
        let source = browser.find(".sources a").await?;
        let link = source.attr("href").await?.context("the source is a link")?;
        ensure!(link.starts_with(&format!("{}/a/", daemon.field("http")?)), "{link}");

        let person = Locator::XPath("//button[text()='Talk to a person']");
        browser.client.find(person).await?.click().await?;
        browser.shows(stage, "Waiting for a person").await?;
        let change = live.change(|change| change.kind == "Escalated").await?;
        let number = change.conversation.context("a conversation")?.number.to_string();
        agent.claim(&number, false).await?;
        agent.reply(&client_id(), &number, "A person, at your service").await?;
        browser.shows(stage, "A person, at your service").await?;
        browser.say("Thank you, person").await?;
        live.change(|it| it.message.as_ref().is_some_and(|it| it.content == "Thank you, person"))
            .await?;

        daemon.kill9().await?;
        browser.shows(stage, "Reconnecting. Your message is kept.").await?;
        browser.say("typed meanwhile").await?;
        daemon.start().await?;
        let agent = daemon.staff("agent1").await?;
        let start = change.cursor.context("a cursor")?;
        let mut live = agent.watch(Some(start), "").await?;
        live.change(|it| it.message.as_ref().is_some_and(|it| it.content == "typed meanwhile"))
            .await?;
        agent.reply(&client_id(), &number, "Back again").await?;
        let shown = browser.shows(stage, "Back again").await?;
        for text in ["Thank you, person", "typed meanwhile", "A person, at your service"] {
            ensure!(shown.matches(text).count() == 1, "{text:?} once in {shown}");
        }
        ensure!(!shown.contains("Reconnecting"), "{shown}");
        browser.end().await
    });
}
