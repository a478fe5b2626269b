//! `init`: the first boot. Makes a store with one organization and shows what is needed to go on, once.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use serde::Serialize;

use crate::app::{App, system_time};
use crate::config::Config;
use crate::domain::id::ClientId;
use crate::domain::name;
use crate::service::inbox;
use crate::service::organization::CreateOrganization;
use crate::service::token;
use crate::store::disk::files;
use crate::store::open::DiskEngine;

/// Where the store is made; it gets its name once everything is in it.
const HALF_MADE: &str = "init.unfinished";
/// The store's name.
pub(crate) const STORE: &str = "store";

/// What is made.
pub(crate) struct InitOptions {
    /// The data directory.
    pub(crate) data: PathBuf,
    /// The store's engine.
    pub(crate) store: DiskEngine,
    /// The organization's name.
    pub(crate) tenant: String,
    /// Its admin's e-mail.
    pub(crate) admin: String,
    /// The origins of the pages that may embed the widget.
    pub(crate) origins: Vec<String>,
    /// The inbox's name.
    pub(crate) inbox: String,
    /// Where visitors will reach the daemon.
    pub(crate) public_url: String,
    /// Whether the answer is one JSON object.
    pub(crate) json: bool,
}

/// What is shown, once.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    data: String,
    tenant: String,
    tenant_id: String,
    inbox: String,
    inbox_id: String,
    admin: String,
    invite_code: String,
    invite_expires_at: i64,
    operator_key: String,
    script_tag: String,
}

/// Makes a data directory, or leaves nothing that looks like one. Where the disk does not confirm the last step, it
/// says that what is there must be removed.
pub(crate) async fn run(options: InitOptions) -> anyhow::Result<()> {
    let directory = empty_directory(&options.data)?;
    let unfinished = directory.join(HALF_MADE);
    let made = match make(&unfinished, &directory, &options).await {
        Ok(made) => made,
        Err(error) => {
            // Nobody knows its secrets: what is there is of no use.
            let removed = std::fs::remove_dir_all(&unfinished);
            if let Err(reason) = removed {
                tracing::debug!(%reason, "nothing to remove");
            }
            return Err(error);
        }
    };
    std::fs::rename(&unfinished, directory.join(STORE))
        .with_context(|| format!("cannot finish {}", directory.display()))?;
    std::fs::File::open(&directory).and_then(|handle| handle.sync_all()).with_context(|| {
        let place = directory.display();
        format!("the disk did not confirm {place}; remove it and begin again: its secrets were not shown")
    })?;
    let text = if options.json { json(&made)? } else { page(&made) };
    std::io::stdout().lock().write_all(text.as_bytes()).with_context(|| {
        format!("the secrets could not be shown; remove {} and begin again", directory.display())
    })
}

async fn make(unfinished: &Path, directory: &Path, options: &InitOptions) -> anyhow::Result<Made> {
    let config = Config { public_url: options.public_url.clone(), ..Config::default() };
    let url = options.store.url(unfinished);
    let app = App::open(&url, config.settings(), Arc::new(system_time)).await?;
    let result = found(&app, directory, options).await;
    let result = app.standing().and(result);
    let closed = app.close(config.grace).await;
    // Secrets of a store that may not be whole are of no use.
    result.and_then(|made| closed.map(|()| made))
}

async fn found(app: &App, directory: &Path, options: &InitOptions) -> anyhow::Result<Made> {
    let new = CreateOrganization {
        name: options.tenant.clone(),
        admin_email: options.admin.clone(),
        admin_name: name::of_email(&options.admin),
        admin_password: None,
        invite_admin: true,
        inbox_name: options.inbox.clone(),
        origins: options.origins.clone(),
    };
    let service = &app.service;
    let operator_key = service.create_operator_key().await?;
    let operator = service.authenticate(&operator_key).await?;
    let client_id = ClientId(*service.new_id().as_bytes());
    let founded = service.create_organization(&operator, client_id, new).await?;
    let invite = founded.admin_invite.context("a new admin has no invitation")?;
    // The admin signs in by the invitation; a key that nobody was shown is of no use.
    if let Some(key) = founded.admin_key {
        let admin = service.authenticate(&key).await?;
        let id = token::key_id(&key).context("a new key has no id")?;
        service.revoke_key(&admin, None, &id.to_string()).await?;
    }
    let script_tag = inbox::snippet(&options.public_url, founded.inbox.id);
    Ok(Made {
        data: directory.display().to_string(),
        tenant: founded.organization.name,
        tenant_id: founded.organization.id.to_string(),
        inbox: founded.inbox.name,
        inbox_id: founded.inbox.id.to_string(),
        admin: founded.admin.email.unwrap_or_default(),
        invite_code: invite.code,
        invite_expires_at: invite.expires_at,
        operator_key,
        script_tag,
    })
}

/// The directory, made if it is not there; refused if anything is in it.
fn empty_directory(path: &Path) -> anyhow::Result<PathBuf> {
    files::create(path).with_context(|| format!("cannot make {}", path.display()))?;
    let cannot_read = || format!("cannot read {}", path.display());
    let mut entries = std::fs::read_dir(path).with_context(cannot_read)?;
    if path.join(HALF_MADE).exists() {
        anyhow::bail!(
            "an init was interrupted in {}; remove what is in it and begin again",
            path.display()
        );
    }
    anyhow::ensure!(
        entries.next().is_none(),
        "{} is not empty; init begins with an empty directory",
        path.display()
    );
    path.canonicalize().with_context(cannot_read)
}

fn json(made: &Made) -> anyhow::Result<String> {
    Ok(serde_json::to_string(made)? + "\n")
}

/// What a person needs next. The secrets stand in it once and nowhere else.
fn page(made: &Made) -> String {
    let Made { data, tenant, inbox, admin, invite_code, operator_key, script_tag, .. } = made;
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "\
{data} holds the tenant {tenant} with the inbox {inbox}.
The two secrets below are shown once; keep them now.

Invitation of {admin}, for 24 hours:
  {invite_code}
Operator key (creates tenants; reads no conversation):
  {operator_key}

1. Start the daemon:
  fusionchatd serve --data {data}
2. Set the admin's password with the invitation:
  fusionctl auth accept CODE
3. Put this line into the pages of your site, before </body>:
  {script_tag}
"
    );
    text
}
