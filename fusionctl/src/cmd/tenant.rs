//! `tenant`: organizations, as the command line calls them. For the operator only.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use fusionchat_proto::v1;
use serde_json::json;

use crate::cmd::key::Secret;
use crate::cmd::{Context, expect, object, text};
use crate::failure::Failure;
use crate::output::{Cell, Column, Report, Row, Rows, Shape};
use crate::view;

const COLUMNS: &[Column] =
    &[Column::flexible("NAME"), Column::fixed("ID"), Column::fixed("CREATED")];

/// Verbs of `tenant`.
#[derive(Debug, Subcommand)]
pub(crate) enum TenantCommand {
    /// Create an organization with its admin, the admin's key and a first inbox
    #[command(after_help = "Example:\n  fusionctl tenant create acme --admin ops@acme.example \
                            --origin https://acme.example --to-file acme.key")]
    Create(Create),
    /// List the organizations of this daemon
    #[command(after_help = "Example:\n  fusionctl tenant list -o json")]
    List,
}

/// Arguments of `tenant create`.
#[derive(Args, Debug)]
pub(crate) struct Create {
    /// Lower-case letters, digits and hyphens, unique in this daemon
    name: String,
    /// The e-mail of its first admin
    #[arg(long, value_name = "EMAIL")]
    admin: String,
    /// The admin's password, in a file or (-) on stdin
    #[arg(long, value_name = "FILE", conflicts_with = "invite")]
    password_file: Option<PathBuf>,
    /// Make a one-time code with which the admin sets a password; it is shown once and works for 24 hours
    #[arg(long)]
    invite: bool,
    /// The name of its first inbox
    #[arg(long, value_name = "NAME", default_value = "web")]
    inbox: String,
    /// A page that may embed the widget, as an exact origin; may be repeated
    #[arg(long, value_name = "URL")]
    origin: Vec<String>,
    /// Write the admin's key to this new file (mode 0600) instead of stdout
    #[arg(long, value_name = "FILE")]
    to_file: Option<PathBuf>,
}

pub(crate) async fn run(context: &Context, command: TenantCommand) -> Result<Report, Failure> {
    match command {
        TenantCommand::Create(arguments) => create(context, arguments).await,
        TenantCommand::List => list(context).await,
    }
}

async fn create(context: &Context, arguments: Create) -> Result<Report, Failure> {
    let secret = Secret::prepare(arguments.to_file.as_deref())?;
    let admin_password = match &arguments.password_file {
        Some(path) => context.stdin.password(path).await?,
        None => String::new(),
    };
    let request = v1::CreateOrganizationRequest {
        client_id: context.once.client_id(),
        name: arguments.name,
        admin_email: arguments.admin,
        admin_password,
        inbox_name: arguments.inbox,
        origins: arguments.origin,
        invite_admin: arguments.invite,
    };
    let answer =
        context.change(context.client.organizations().create_organization(request)).await?;
    let organization = expect(answer.organization, "organization")?;
    let admin = answer.admin.as_ref();
    let inbox = answer.inbox.as_ref();
    let mut json = view::organization(&organization);
    if let Some(admin) = admin {
        json.insert("admin".into(), json!(view::user(admin)));
    }
    if let Some(inbox) = inbox {
        json.insert("inbox".into(), json!(view::inbox(inbox)));
    }
    let mut fields = vec![
        ("tenant", Cell::text(&organization.name)),
        ("id", Cell::text(&organization.id)),
        ("admin", text(admin.and_then(|admin| admin.email.as_deref()))),
        ("inbox", text(inbox.map(|inbox| inbox.name.as_str()))),
        ("inbox id", text(inbox.map(|inbox| inbox.id.as_str()))),
    ];
    if !answer.admin_invite.is_empty() {
        json.insert("adminInvite".into(), json!(answer.admin_invite));
        fields.push(("admin invite", Cell::text(&answer.admin_invite)));
    }
    secret.report(&answer.admin_key, "adminKey", "admin key", object(json, fields))
}

async fn list(context: &Context) -> Result<Report, Failure> {
    let request = v1::ListOrganizationsRequest {};
    let answer =
        context.client.call(context.client.organizations().list_organizations(request)).await?;
    let rows = answer.organizations.iter().map(|tenant| Row {
        json: view::organization(tenant),
        shape: Shape::Cells(vec![
            Cell::text(&tenant.name),
            Cell::text(&tenant.id),
            Cell::At(tenant.created_at),
        ]),
    });
    Ok(Rows { columns: COLUMNS, rows: rows.collect(), ..Rows::default() }.into())
}
