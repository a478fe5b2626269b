//! A daemon with small limits and two organizations.

use anyhow::{Context, Result};
use fusionchat_proto::v1;
use fusionchat_tests::grpc::{Staff, client_id};
use fusionchat_tests::rest::Rest;
use fusionchat_tests::serve::{Served, init};
use fusionchat_tests::stage::Stage;
use fusionchat_tests::visitor::Visitor;
use serde_json::json;

/// Of every organization's admin.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A daemon and the operator's way in.
pub(crate) struct House {
    stage: Stage,
    pub(crate) served: Served,
    operator: Staff,
}

/// An organization on it.
pub(crate) struct Tenant {
    stage: Stage,
    base: String,
    name: String,
    pub(crate) inbox: String,
    /// Its admin's key.
    pub(crate) key: String,
    /// The session of its admin.
    pub(crate) session: String,
}

impl House {
    /// A daemon with these settings.
    pub(crate) async fn open(stage: &Stage, settings: &str) -> Result<Self> {
        let data = stage.folder("data")?;
        let made = init(stage, &data).await?;
        let served = Served::start(stage, &data, settings).await?;
        let key = made["operatorKey"].as_str().context("the operator's key")?;
        let operator = Staff::connect(&endpoint(&served)?, key).await?;
        Ok(Self { stage: stage.clone(), served, operator })
    }

    /// A new organization.
    pub(crate) async fn found(&self, name: &str) -> Result<Tenant> {
        let request = v1::CreateOrganizationRequest {
            client_id: client_id(),
            name: name.to_owned(),
            admin_email: email(name),
            admin_password: PASSWORD.to_owned(),
            inbox_name: "web".to_owned(),
            origins: vec![origin(name)],
            invite_admin: false,
        };
        let made = self.operator.organizations().create_organization(request).await?.into_inner();
        let base = format!("http://{}", self.served.address("http")?);
        let body = json!({ "email": email(name), "password": PASSWORD, "organization": name });
        let open = Rest::at(&self.stage, &base);
        let signed_in = open.post("/api/auth/session", &body).await?.expect(201)?;
        Ok(Tenant {
            stage: self.stage.clone(),
            base,
            name: name.to_owned(),
            inbox: made.inbox.context("an inbox")?.id,
            key: made.admin_key,
            session: signed_in["token"].as_str().context("a token")?.to_owned(),
        })
    }

    /// The holder of a credential, over gRPC.
    pub(crate) async fn staff(&self, token: &str) -> Result<Staff> {
        Staff::connect(&endpoint(&self.served)?, token).await
    }

    /// What a counter of the metrics is at; nothing if it never counted.
    pub(crate) async fn counted(&self, counter: &str) -> Result<usize> {
        let (_, text) = self.served.get("metrics", "/metrics").await?;
        let line = text.lines().find_map(|line| line.strip_prefix(counter)?.strip_prefix(' '));
        Ok(line.map_or(Ok(0), str::parse)?)
    }
}

impl Tenant {
    /// REST without a credential.
    pub(crate) fn open(&self) -> Rest {
        Rest::at(&self.stage, &self.base)
    }

    /// A new visitor, connected.
    pub(crate) async fn visitor(&self) -> Result<Visitor> {
        let mut visitor = Visitor::new(&self.stage, &self.base, &self.inbox, &origin(&self.name));
        visitor.connect().await?;
        Ok(visitor)
    }

    /// The e-mail of its admin.
    pub(crate) fn email(&self) -> String {
        email(&self.name)
    }
}

fn endpoint(served: &Served) -> Result<String> {
    Ok(format!("http://{}", served.address("grpc")?))
}

fn email(organization: &str) -> String {
    format!("admin@{organization}.example")
}

fn origin(organization: &str) -> String {
    format!("https://{organization}.example")
}
