//! An organization on a recorded disk: made by `init`, served, with one conversation that its admin answers.

use std::path::Path;

use anyhow::{Context, Result};
use fusionchat_tests::disk::{Disk, Preload};
use fusionchat_tests::grpc::Staff;
use fusionchat_tests::program::{Ctl, Output};
use fusionchat_tests::serve::{Served, fusionchatd_with, init_with};
use fusionchat_tests::stage::Stage;
use fusionchat_tests::visitor::Visitor;
use serde_json::Value;

/// The site of the inbox.
const ORIGIN: &str = "https://shop.example";
/// No rate may slow the load, and what waits is nobody's business here.
const SETTINGS: &str = "[limits]\nmessages_per_minute = 100000\nmessage_burst = 10000\n\
    command_burst = 100000\nhellos_per_minute = 10000\nconversations_per_minute = 10000\n";

/// The organization.
pub(crate) struct Desk {
    stage: Stage,
    /// What its disk does.
    pub(crate) disk: Disk,
    /// The daemon that serves it.
    pub(crate) served: Served,
    /// The operator's key.
    pub(crate) operator: String,
    /// The admin's session.
    pub(crate) token: String,
    inbox: String,
    /// The conversation the admin has.
    pub(crate) number: String,
}

impl Desk {
    /// Makes it, from an empty folder on. Everything the daemon does to its data is in the record.
    pub(crate) async fn found(
        stage: &Stage,
        preload: &Preload,
        engine: &str,
        data_syncs_lie: bool,
    ) -> Result<Self> {
        let data = stage.folder("data")?.canonicalize()?;
        let mut disk = Disk::new(stage, preload, &data)?;
        disk.data_syncs_lie = data_syncs_lie;
        let made = init(stage, &disk, engine).await?;
        let text = |name: &str| made[name].as_str().context("a text").map(str::to_owned);
        let (inbox, operator) = (text("inboxId")?, text("operatorKey")?);
        let served = serve_on(stage, &disk).await?;
        let endpoint = format!("http://{}", served.address("grpc")?);
        let token =
            Staff::accept(&endpoint, &text("inviteCode")?, "a long enough password").await?;
        let (stage, number) = (stage.clone(), String::new());
        let mut desk = Self { stage, disk, served, operator, token, inbox, number };
        desk.number = desk.claimed().await?;
        Ok(desk)
    }

    /// A visitor's new conversation, claimed by the admin; its number.
    async fn claimed(&self) -> Result<String> {
        let mut visitor = self.visitor().await?;
        let id = visitor.say("hello").await?;
        visitor.acked(&id).await?;
        let id = visitor.ask_for_person().await?;
        visitor.acked(&id).await?;
        let staff = self.staff().await?;
        let waiting = staff.queue().await?;
        let row = waiting.first().context("somebody waits")?;
        let number = row.escalation.as_ref().context("an escalation")?.number.to_string();
        staff.claim(&number, false).await?;
        Ok(number)
    }

    /// The admin, over gRPC.
    pub(crate) async fn staff(&self) -> Result<Staff> {
        staff_of(&self.served, &self.token).await
    }

    /// `fusionctl` as the operator.
    pub(crate) fn ctl(&self) -> Result<Ctl> {
        self.ctl_with(&[])
    }

    /// The same with its files on this disk.
    pub(crate) fn ctl_on(&self, disk: &Disk) -> Result<Ctl> {
        self.ctl_with(&disk.variables())
    }

    fn ctl_with(&self, more: &[(String, String)]) -> Result<Ctl> {
        let endpoint = format!("http://{}", self.served.address("grpc")?);
        let mut variables =
            vec![("FUSION_ENDPOINT", endpoint.as_str()), ("FUSION_TOKEN", &self.operator)];
        variables.extend(more.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        Ok(Ctl::with(&self.stage, &self.stage.folder("home")?, &variables))
    }

    /// Makes a backup of it, in a folder of its own; where that is.
    pub(crate) async fn backup(&self) -> Result<String> {
        let file = self.stage.folder("backups")?.join("desk.backup").to_string_lossy().into_owned();
        self.ctl()?.run(&["server", "backup", "create", &file]).await?.expect(0)?;
        Ok(file)
    }

    /// Where visitors reach it.
    pub(crate) fn base(&self) -> Result<String> {
        Ok(format!("http://{}", self.served.address("http")?))
    }

    /// A new visitor, connected.
    pub(crate) async fn visitor(&self) -> Result<Visitor> {
        let mut visitor = Visitor::new(&self.stage, &self.base()?, &self.inbox, ORIGIN);
        visitor.connect().await?;
        Ok(visitor)
    }

    /// Starts the daemon again on the same disk, after it has ended.
    pub(crate) async fn start(&mut self) -> Result<()> {
        self.served = serve_on(&self.stage, &self.disk).await?;
        Ok(())
    }

    /// Ends the daemon and starts it again, on the same disk, with more limits.
    pub(crate) async fn start_in(&mut self, limits: &str) -> Result<()> {
        self.served.kill9().await?;
        let (settings, variables) = (format!("{SETTINGS}{limits}"), self.disk.variables());
        self.served =
            Served::start_in(&self.stage, self.disk.root(), &settings, &variables).await?;
        Ok(())
    }

    /// Gives the running daemon other limits.
    pub(crate) async fn reload(&mut self, limits: &str) -> Result<()> {
        self.served.reload(&format!("{SETTINGS}{limits}")).await?;
        self.served.said("configuration reloaded").await.map(drop)
    }

    /// Vacuums its store, on the same disk, while no daemon runs on it.
    pub(crate) async fn vacuum(&self) -> Result<Output> {
        let data = self.disk.root().to_string_lossy();
        let arguments = ["store", "vacuum", "--data", &data];
        fusionchatd_with(&self.stage, &arguments, &self.disk.variables()).await
    }

    /// What a daemon on this disk has in its environment: the disk, and ports of its own.
    pub(crate) fn served_variables(&self) -> Vec<(String, String)> {
        let any = "127.0.0.1:0".to_owned();
        let ports = ["FUSION_HTTP_LISTEN", "FUSION_GRPC_LISTEN"];
        let ports = ports.map(|name| (name.to_owned(), any.clone()));
        self.disk.variables().into_iter().chain(ports).collect()
    }
}

/// Serves a data directory on a sound disk.
pub(crate) async fn serve(stage: &Stage, data: &Path) -> Result<Served> {
    Served::start(stage, data, SETTINGS).await
}

/// Serves a data directory on a recorded disk.
pub(crate) async fn serve_on(stage: &Stage, disk: &Disk) -> Result<Served> {
    Served::start_in(stage, disk.root(), SETTINGS, &disk.variables()).await
}

/// The holder of a session, over gRPC.
pub(crate) async fn staff_of(served: &Served, token: &str) -> Result<Staff> {
    Staff::connect(&format!("http://{}", served.address("grpc")?), token).await
}

/// Makes a data directory of this engine on a disk; what `init` shows.
pub(crate) async fn init(stage: &Stage, disk: &Disk, engine: &str) -> Result<Value> {
    try_init(stage, disk, engine).await?.expect(0)?.json()
}

/// The same, if it can be made.
pub(crate) async fn try_init(stage: &Stage, disk: &Disk, engine: &str) -> Result<Output> {
    let url = format!("{engine}:");
    let store = ["--store", &url];
    // What it makes without being asked.
    let more = if engine == "sled" { &[][..] } else { &store[..] };
    init_with(stage, disk.root(), more, &disk.variables()).await
}
