//! A daemon of one organization with an inbox and an admin, and what it says of itself.

use anyhow::{Context, Result};
use fusionchat_tests::grpc::Staff;
use fusionchat_tests::serve::{Served, init};
use fusionchat_tests::stage::Stage;
use fusionchat_tests::visitor::Visitor;

/// The site of the inbox.
const ORIGIN: &str = "https://shop.example";
/// No rate is in the way of what is tested.
const RATES: &str = "[limits]\nmessages_per_minute = 1000000\nmessage_burst = 1000000\n\
    hellos_per_minute = 100000\nconversations_per_minute = 100000\n\
    sign_ins_per_five_minutes = 100000\nsockets_per_address = 10000\n";

/// The organization.
pub(crate) struct Desk {
    stage: Stage,
    /// The daemon that serves it.
    pub(crate) served: Served,
    /// The admin's session.
    pub(crate) token: String,
    inbox: String,
}

impl Desk {
    /// Makes and serves it; `limits` are lines of that section.
    pub(crate) async fn open(stage: &Stage, limits: &str) -> Result<Self> {
        Self::open_in(stage, limits, &[]).await
    }

    /// The same with these variables in the daemon's environment.
    pub(crate) async fn open_in(
        stage: &Stage,
        limits: &str,
        variables: &[(String, String)],
    ) -> Result<Self> {
        let data = stage.folder("data")?;
        let made = init(stage, &data).await?;
        let text = |name: &str| made[name].as_str().context("a text").map(str::to_owned);
        let served = Served::start_in(stage, &data, &settings(limits), variables).await?;
        let endpoint = format!("http://{}", served.address("grpc")?);
        let token =
            Staff::accept(&endpoint, &text("inviteCode")?, "a long enough password").await?;
        Ok(Self { stage: stage.clone(), served, token, inbox: text("inboxId")? })
    }

    /// Changes the limits of the running daemon, and waits until they are in force.
    pub(crate) async fn limit(&mut self, limits: &str) -> Result<()> {
        self.served.reload(&settings(limits)).await?;
        self.served.said("configuration reloaded").await?;
        Ok(())
    }

    /// The admin, over a connection of its own.
    pub(crate) async fn staff(&self) -> Result<Staff> {
        Staff::connect(&format!("http://{}", self.served.address("grpc")?), &self.token).await
    }

    /// Where visitors reach it.
    pub(crate) fn base(&self) -> Result<String> {
        Ok(format!("http://{}", self.served.address("http")?))
    }

    /// A new visitor, not yet connected.
    pub(crate) fn stranger(&self) -> Result<Visitor> {
        self.stranger_at(&self.base()?)
    }

    /// The same, who reaches the daemon at `base`.
    pub(crate) fn stranger_at(&self, base: &str) -> Result<Visitor> {
        Ok(Visitor::new(&self.stage, base, &self.inbox, ORIGIN))
    }

    /// A new visitor, connected.
    pub(crate) async fn visitor(&self) -> Result<Visitor> {
        let mut visitor = self.stranger()?;
        visitor.connect().await?;
        Ok(visitor)
    }

    /// A new visitor's conversation that the admin has; its number.
    pub(crate) async fn claimed(&self, staff: &Staff) -> Result<(Visitor, String)> {
        let mut visitor = self.visitor().await?;
        for id in [visitor.say("hello").await?, visitor.ask_for_person().await?] {
            visitor.acked(&id).await?;
        }
        let waiting = staff.queue().await?;
        let row = waiting.first().context("somebody waits")?;
        let number = row.escalation.as_ref().context("an escalation")?.number.to_string();
        staff.claim(&number, false).await?;
        Ok((visitor, number))
    }

    /// A measure the daemon publishes.
    pub(crate) async fn gauge(&self, name: &str) -> Result<u64> {
        let (_, text) = self.served.get("metrics", "/metrics").await?;
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("fusionchat_{name} ")));
        Ok(line.with_context(|| format!("no {name} in {text}"))?.parse()?)
    }

    /// Waits until a measure is `wanted`.
    pub(crate) async fn gauge_is(&self, name: &str, wanted: u64) -> Result<()> {
        while self.gauge(name).await? != wanted {}
        Ok(())
    }
}

fn settings(limits: &str) -> String {
    format!("{RATES}{limits}")
}
