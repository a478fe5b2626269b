//! A real Chromium over WebDriver: its pages, tabs, console and network as a visitor's browser has them. Waiting
//! means being told by the page's changes, not by a clock.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use fantoccini::elements::Element;
use fantoccini::wd::Capabilities;
use fantoccini::{Client, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::stage::Stage;

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

/// What Chromium says of every sandboxed frame that may use its own origin. It is true of frames of the page's own
/// origin only.
const SANDBOX_REMARK: &str = "for its sandbox attribute can escape its sandboxing.";

/// How long a script may take, in milliseconds; the watchdog comes first.
const SCRIPT_MS: u32 = 50_000;

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

/// The two programs a browser test needs.
#[derive(Clone, Debug)]
pub struct Programs {
    driver: PathBuf,
    chromium: PathBuf,
}

/// What a browser is like.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes {
    /// Other sites than the page's get no cookies, and storage only of this page's.
    pub block_third_party: bool,
    /// A site that gets no storage at all: every use of it throws, as the strictest browsers have it for others.
    pub deny_storage_to: Option<&'static str>,
    /// How many pixels of the screen make one of the page, for pictures; 0 means one.
    pub scale: u8,
}

/// A driver and its browser, which end with it.
pub struct Browser {
    _driver: Child,
    driver_url: String,
    stage: Stage,
    /// The session itself.
    pub client: Client,
}

/// The programs, or none if this machine does not have them.
///
/// # Errors
/// If they are not there and `FUSION_REQUIRE=all` says that they must be.
pub fn programs() -> Result<Option<Programs>> {
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
    Ok(found.map(|(driver, chromium)| Programs { driver, chromium }))
}

impl Browser {
    /// Starts a browser with a profile of its own.
    pub async fn start(stage: &Stage, programs: &Programs, wishes: Wishes) -> Result<Self> {
        let profile = stage.folder("chromium")?;
        let mut child = Command::new(&programs.driver)
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
        let mut flags: Vec<String> = FLAGS.map(str::to_owned).into();
        flags.push(format!("--user-data-dir={}", profile.display()));
        if wishes.scale > 1 {
            flags.push(format!("--force-device-scale-factor={}", wishes.scale));
        }
        let block = wishes.block_third_party;
        let mut denied = serde_json::Map::new();
        if let Some(site) = wishes.deny_storage_to {
            denied.insert(format!("[*.]{site},*"), json!({ "setting": 2 }));
        }
        let preferences = json!({ "profile": {
            "block_third_party_cookies": block,
            "cookie_controls_mode": u8::from(block),
            "content_settings": { "exceptions": { "cookies": denied } },
        } });
        let mut capabilities = Capabilities::new();
        let options = json!({ "args": flags, "binary": programs.chromium, "prefs": preferences });
        capabilities.insert("goog:chromeOptions".to_owned(), options);
        capabilities.insert("goog:loggingPrefs".to_owned(), json!({ "browser": "ALL" }));
        capabilities.insert("timeouts".to_owned(), json!({ "script": SCRIPT_MS }));
        let driver_url = format!("http://127.0.0.1:{port}");
        let connector = HttpConnector::new();
        let client =
            Client::with_capabilities_and_connector(&driver_url, &capabilities, connector).await?;
        Ok(Self { _driver: child, driver_url, stage: stage.clone(), client })
    }

    /// Waits until the current document shows `words`, and returns all it shows.
    pub async fn shows(&self, words: &str) -> Result<String> {
        let shown = self.client.execute_async(SHOWS, vec![json!(words)]).await;
        let text = match shown {
            Ok(Value::String(text)) => text,
            other => {
                let now = self.client.execute("return document.body.innerText", vec![]).await;
                bail!("the page never shows {words:?}: {other:?}; it shows {now:?}");
            }
        };
        self.stage.note(format!("the page shows {words:?}"));
        Ok(text)
    }

    /// The one element of the current document.
    pub async fn find(&self, css: &str) -> Result<Element> {
        self.client.find(Locator::Css(css)).await.with_context(|| format!("finding {css}"))
    }

    /// Runs a script in the current document.
    pub async fn run(&self, script: &str) -> Result<Value> {
        self.run_with(script, vec![]).await
    }

    /// Runs a script with arguments in the current document.
    pub async fn run_with(&self, script: &str, arguments: Vec<Value>) -> Result<Value> {
        let value = self.client.execute(script, arguments).await?;
        self.stage.note(format!("a script of the page gave {value}"));
        Ok(value)
    }

    /// Runs a script that calls its last argument when it is done.
    pub async fn wait(&self, script: &str, arguments: Vec<Value>) -> Result<Value> {
        let value = self.client.execute_async(script, arguments).await?;
        self.stage.note(format!("a script of the page gave {value} at last"));
        Ok(value)
    }

    /// Opens the chat and steps into its frame.
    pub async fn open_chat(&self) -> Result<()> {
        let chat = self.client.wait().for_element(Locator::Css("fusion-chat")).await?;
        let root = chat.shadow_root().await?;
        root.find(Locator::Css("button[part=launcher]")).await?.click().await?;
        self.enter_chat().await
    }

    /// Steps from the page into the frame of the open chat.
    pub async fn enter_chat(&self) -> Result<()> {
        let chat = self.find("fusion-chat").await?;
        let root = chat.shadow_root().await?;
        let frame = root.find(Locator::Css("iframe")).await?;
        frame.enter_frame().await?;
        self.client.wait().for_element(Locator::Css("textarea")).await?;
        Ok(())
    }

    /// Steps back to the page.
    pub async fn leave_chat(&self) -> Result<()> {
        self.client.enter_parent_frame().await?;
        Ok(())
    }

    /// Writes and sends a message.
    pub async fn say(&self, text: &str) -> Result<()> {
        self.find("textarea").await?.send_keys(&format!("{text}\u{e007}")).await?;
        Ok(())
    }

    /// Presses the button with this text.
    pub async fn press(&self, text: &str) -> Result<()> {
        let xpath = format!("//button[text()='{text}']");
        self.client.find(Locator::XPath(&xpath)).await?.click().await?;
        Ok(())
    }

    /// What the consoles of the page and its frames hold since the last call, one line an entry.
    pub async fn console(&self) -> Result<Vec<String>> {
        let entries = self.command("se/log", &json!({ "type": "browser" })).await?;
        let entries = entries.as_array().context("a list of entries")?;
        let line = |entry: &Value| entry["message"].as_str().unwrap_or_default().to_owned();
        let mut lines: Vec<String> = entries.iter().map(line).collect();
        lines.retain(|line| !line.ends_with(SANDBOX_REMARK));
        self.stage.note(format!("console: {lines:#?}"));
        Ok(lines)
    }

    /// A command of Chromium's own protocol, for the page.
    pub async fn devtools(&self, command: &str, params: &Value) -> Result<Value> {
        self.command("goog/cdp/execute", &json!({ "cmd": command, "params": params })).await
    }

    /// A command of the driver that the WebDriver client does not know.
    async fn command(&self, path: &str, body: &Value) -> Result<Value> {
        let session = self.client.session_id().await?.context("a session")?;
        let url = format!("{}/session/{session}/{path}", self.driver_url);
        let answer = crate::rest::client().post(url).body(body.to_string()).send().await?;
        let text = answer.text().await?;
        let answer: Value = serde_json::from_str(&text)?;
        ensure!(answer["value"]["error"].is_null(), "{path}: {text}");
        Ok(answer["value"].clone())
    }

    /// Ends the browser.
    pub async fn end(self) -> Result<()> {
        self.client.close().await?;
        Ok(())
    }
}
