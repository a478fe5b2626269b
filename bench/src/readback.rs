//! Everything an organization holds, read back over REST as an integrator would.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// How many conversations are read at a time.
const PARALLEL: usize = 8;
/// The largest page.
const PAGE: usize = 200;
/// The most pages of conversations, and of one conversation's messages.
const PAGES_MAX: usize = 1_000;

/// A conversation with all of its messages.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Conversation {
    /// Its id.
    pub(crate) id: String,
    /// The number of its last message, as its header says.
    pub(crate) last_seq: u64,
    /// The messages, as they came.
    #[serde(default)]
    pub(crate) messages: Vec<Message>,
}

/// A message or system line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    /// Its place.
    pub(crate) seq: u64,
    /// Its id.
    pub(crate) id: String,
    /// `user`, `agent`, `assistant` or `system`.
    pub(crate) sender_type: String,
    /// The words.
    pub(crate) content: String,
    /// The sender's own id of it.
    #[serde(default)]
    pub(crate) client_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConversationPage {
    conversations: Vec<Conversation>,
    #[serde(default)]
    next_page_token: String,
}

#[derive(Deserialize)]
struct MessagePage {
    messages: Vec<Message>,
    more: bool,
}

struct Rest<'a> {
    base: &'a str,
    key: &'a str,
    http: reqwest::Client,
}

impl Rest<'_> {
    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let url = format!("{}{path}", self.base.trim_end_matches('/'));
        let answer = self.http.get(&url).bearer_auth(self.key).send().await?;
        let status = answer.status();
        let body = answer.text().await?;
        ensure!(status.is_success(), "GET {path}: {status} {body}");
        serde_json::from_str(&body).with_context(|| format!("GET {path}: {body}"))
    }

    async fn messages(&self, conversation: &str) -> Result<Vec<Message>> {
        let mut messages: Vec<Message> = Vec::new();
        for _ in 0..PAGES_MAX {
            let after = messages.last().map_or(0, |message| message.seq);
            let path = format!("/api/conversations/{conversation}/messages");
            let page: MessagePage =
                self.get(&format!("{path}?afterSeq={after}&limit={PAGE}")).await?;
            messages.extend(page.messages);
            if !page.more {
                return Ok(messages);
            }
        }
        anyhow::bail!("conversation {conversation} has no end after {PAGES_MAX} pages")
    }
}

/// A client that trusts nobody: the daemon is on this machine and speaks in clear.
fn client() -> Result<reqwest::Client> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Ok(reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build()?)
}

/// Asks the daemon for everything.
pub(crate) async fn fetch(base: &str, key: &str) -> Result<Vec<Conversation>> {
    let rest = Rest { base, key, http: client()? };
    let mut headers: Vec<Conversation> = Vec::new();
    let mut token = String::new();
    for page in 0.. {
        ensure!(page < PAGES_MAX, "the list of conversations has no end");
        let path = format!("/api/conversations?limit={PAGE}&pageToken={token}");
        let page: ConversationPage = rest.get(&path).await?;
        headers.extend(page.conversations);
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    let whole = headers.into_iter().map(async |header| {
        let messages = rest.messages(&header.id).await?;
        anyhow::Ok(Conversation { messages, ..header })
    });
    futures::stream::iter(whole).buffer_unordered(PARALLEL).try_collect().await
}

/// Keeps it in a file, a conversation a line.
pub(crate) fn save(file: &Path, conversations: &[Conversation]) -> Result<()> {
    let mut text = Vec::new();
    for conversation in conversations {
        serde_json::to_writer(&mut text, conversation)?;
        text.push(b'\n');
    }
    let mut file =
        std::fs::File::create(file).with_context(|| format!("writing {}", file.display()))?;
    Ok(file.write_all(&text)?)
}

/// Reads such a file.
pub(crate) fn load(file: &Path) -> Result<Vec<Conversation>> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}
