//! What a replay begins with: an organization of its own, an inbox without assistant and a few agents, made through
//! the API. The first operator key of a store is the demo's; its own organization is not looked at.

use std::process::Stdio;

use anyhow::{Context, Result, bail};
use fusionchat_proto::v1;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::chance::Chance;
use crate::daemon::{Daemon, terminate};
use crate::staff::Staff;

/// How many agents share the work.
pub(crate) const AGENTS: usize = 4;
/// The page that embeds the inbox's widget.
pub(crate) const ORIGIN: &str = "https://shop.example";
/// What a demo says when it is ready.
const READY: &str = "ready in";

/// What was made.
pub(crate) struct Ground {
    /// The organization's admin key.
    pub(crate) admin: String,
    /// The inbox's id.
    pub(crate) inbox: String,
    /// A session of each agent.
    pub(crate) agents: Vec<String>,
}

/// Makes the store and everything in it.
pub(crate) async fn lay(daemon: &Daemon, chance: &mut Chance) -> Result<Ground> {
    let mut command = daemon.command()?;
    let mut child = command
        .args(["demo", "--ci", "--data"])
        .arg(daemon.data())
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = child.stdout.take().context("stdout is piped")?;
    let mut lines = BufReader::new(stdout).lines();
    loop {
        match lines.next_line().await? {
            Some(line) if line.contains(READY) => break,
            Some(_) => {}
            None => bail!("fusionchatd demo ended with {}", child.wait().await?),
        }
    }
    let file = std::fs::read_to_string(daemon.data().join("demo.json"))?;
    let file: serde_json::Value = serde_json::from_str(&file)?;
    let grpc = file["grpc"].as_str().context("demo.json names the gRPC door")?;
    let operator = file["credentials"]["operator"].as_str().context("demo.json has a key")?;
    let ground = found(grpc, operator, chance).await?;
    terminate(&child)?;
    while lines.next_line().await?.is_some() {}
    child.wait().await?;
    Ok(ground)
}

async fn found(grpc: &str, operator: &str, chance: &mut Chance) -> Result<Ground> {
    let request = v1::CreateOrganizationRequest {
        client_id: chance.client_id(),
        name: "replay".to_owned(),
        admin_email: "admin@replay.example".to_owned(),
        inbox_name: "spare".to_owned(),
        origins: vec![ORIGIN.to_owned()],
        ..Default::default()
    };
    let operator = Staff::new(grpc, Some(operator))?;
    let founded = operator.organizations().create_organization(request).await?.into_inner();
    let admin = Staff::new(grpc, Some(&founded.admin_key))?;
    let request = v1::CreateInboxRequest {
        client_id: chance.client_id(),
        name: "desk".to_owned(),
        origins: vec![ORIGIN.to_owned()],
        assistant: v1::AssistantMode::Off.into(),
        locale: "en".to_owned(),
        members: vec![],
    };
    let inbox = admin.inboxes().create_inbox(request).await?.into_inner().inbox;
    let mut agents = Vec::new();
    for number in 1..=AGENTS {
        agents.push(hire(grpc, &admin, number, chance).await?);
    }
    Ok(Ground { admin: founded.admin_key, inbox: inbox.context("an inbox")?.id, agents })
}

/// Makes an agent who accepts conversations, and signs in.
async fn hire(grpc: &str, admin: &Staff, number: usize, chance: &mut Chance) -> Result<String> {
    let (email, password) = (format!("agent{number}@replay.example"), chance.client_id());
    let request = v1::CreateUserRequest {
        client_id: chance.client_id(),
        email: email.clone(),
        name: format!("agent{number}"),
        role: v1::Role::Agent.into(),
        password: password.clone(),
    };
    admin.users().create_user(request).await?;
    let organization = "replay".to_owned();
    let request = v1::CreateSessionRequest { email, password, organization };
    let anybody = Staff::new(grpc, None)?;
    let session = anybody.sessions().create_session(request).await?.into_inner();
    let request = v1::SetAvailabilityRequest {
        client_id: chance.client_id(),
        availability: v1::Availability::Accepting.into(),
    };
    Staff::new(grpc, Some(&session.token))?.users().set_availability(request).await?;
    Ok(session.token)
}
