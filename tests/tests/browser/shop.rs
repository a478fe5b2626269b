//! Somebody's shop on hosts of its own, with the daemon's chat in it, the network between them, and one inbox of the
//! demo that allows it.

use anyhow::{Context, Result};
use fusionchat_proto::v1;
use fusionchat_tests::browser::Browser;
use fusionchat_tests::daemon::Daemon;
use fusionchat_tests::grpc::client_id;
use fusionchat_tests::proxy::Proxy;
use fusionchat_tests::site::{Page, Site};
use fusionchat_tests::stage::Stage;
use serde_json::Value;

/// The shop's host.
pub(super) const SHOP: &str = "shop.localhost";
/// A chat of another site than the shop's.
pub(super) const VENDOR: &str = "chat.vendor.localhost";
/// A chat of the shop's own site.
pub(super) const OWN: &str = "chat.shop.localhost";

/// What the page and its frame may keep, as one object: `null` where the browser forbids the storage.
pub(super) const STORED: &str = "
    const done = arguments[0];
    const count = (name) => { try { return window[name].length } catch { return null } };
    const databases = indexedDB.databases().then((all) => all.length, () => null);
    databases.then((indexed) => done({
        local: count('localStorage'), session: count('sessionStorage'), indexed,
        cookies: document.cookie.length,
    }));
";

/// The shop, the daemon and what is between them.
pub(super) struct Shop {
    pub(super) daemon: Daemon,
    pub(super) proxy: Proxy,
    pub(super) site: Site,
    /// The inbox's id.
    pub(super) inbox: String,
    /// The origin the chat is loaded from.
    pub(super) chat: String,
}

impl Shop {
    /// The shop at [`SHOP`] with the chat at `chat`, one of the hosts above.
    pub(super) async fn start(stage: &Stage, chat: &str) -> Result<Self> {
        Self::around(stage, Daemon::demo(stage).await?, chat).await
    }

    /// The same with a daemon that runs already.
    pub(super) async fn around(stage: &Stage, daemon: Daemon, chat: &str) -> Result<Self> {
        let site = Site::start().await?;
        let inbox = new_inbox(&daemon, &site.origin(SHOP)).await?;
        let address = daemon.field("http")?.trim_start_matches("http://");
        let proxy = Proxy::start(stage, address).await?;
        let chat = format!("http://{chat}:{}", proxy.port());
        let shop = Self { daemon, proxy, site, inbox, chat };
        shop.site.add(Page { path: "/".to_owned(), html: shop.html(""), ..Page::default() });
        Ok(shop)
    }

    /// A page with the chat's script tag and whatever else.
    pub(super) fn html(&self, more: &str) -> String {
        format!(
            "<!doctype html><html lang=\"en\"><title>Shop</title><h1>Lanterns</h1>{more}\
             <script async src=\"{}/embed.js\" data-inbox=\"{}\"></script></html>",
            self.chat, self.inbox
        )
    }

    /// The URL of the shop's page.
    pub(super) fn url(&self) -> String {
        format!("{}/", self.site.origin(SHOP))
    }

    /// Ends on the shop's page, with the launcher there.
    pub(super) async fn visit(&self, browser: &Browser) -> Result<()> {
        browser.client.goto(&self.url()).await?;
        browser.client.wait().for_element(fantoccini::Locator::Css("fusion-chat")).await?;
        Ok(())
    }

    /// The conversations of this inbox.
    pub(super) async fn conversations(&self) -> Result<Vec<v1::Conversation>> {
        let staff = self.daemon.staff("admin").await?;
        let request = v1::ListConversationsRequest { limit: 200, ..Default::default() };
        let answer = staff.conversations().list_conversations(request).await?.into_inner();
        let ours = |it: &v1::Conversation| it.inbox_id == self.inbox;
        Ok(answer.conversations.into_iter().filter(ours).collect())
    }

    /// The number of the one conversation of this inbox.
    pub(super) async fn number(&self) -> Result<String> {
        let conversations = self.conversations().await?;
        anyhow::ensure!(conversations.len() == 1, "one conversation: {conversations:#?}");
        Ok(conversations[0].number.to_string())
    }

    /// How often the one conversation holds `text`.
    pub(super) async fn times(&self, text: &str) -> Result<usize> {
        let number = self.number().await?;
        let (messages, _) = self.daemon.staff("admin").await?.messages(&number).await?;
        Ok(messages.iter().filter(|message| message.content == text).count())
    }
}

/// An inbox of the demo for pages of `origin`, answered by the assistant.
async fn new_inbox(daemon: &Daemon, origin: &str) -> Result<String> {
    let request = v1::CreateInboxRequest {
        client_id: client_id(),
        name: "shop".to_owned(),
        members: vec![],
        origins: vec![origin.to_owned()],
        assistant: v1::AssistantMode::On.into(),
        locale: "en".to_owned(),
    };
    let admin = daemon.staff("admin").await?;
    let inbox = admin.inboxes().create_inbox(request).await?.into_inner().inbox;
    Ok(inbox.context("an inbox")?.id)
}

/// What the current document has stored.
pub(super) async fn stored(browser: &Browser) -> Result<Value> {
    browser.wait(STORED, vec![]).await
}
