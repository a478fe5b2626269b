//! `inbox`: the widgets of the organization.

use clap::{Args, Subcommand};
use fusionchat_proto::v1;

use crate::cmd::{Context, expect, name, object};
use crate::failure::Failure;
use crate::names::{self, AssistantChoice};
use crate::output::{Cell, Column, Object, Report, Row, Rows, Shape};
use crate::view;

const COLUMNS: &[Column] = &[
    Column::fixed("NAME"),
    Column::fixed("ASSISTANT"),
    Column::fixed("STAFFED"),
    Column::fixed("LOCALE"),
    Column::flexible("ORIGINS"),
    Column::fixed("ID"),
];

/// Verbs of `inbox`.
#[derive(Debug, Subcommand)]
pub(crate) enum InboxCommand {
    /// List the inboxes
    #[command(after_help = "Example:\n  fusionctl inbox list -o json")]
    List,
    /// Show one inbox
    #[command(after_help = "Example:\n  fusionctl inbox get web")]
    Get {
        /// Its name or id
        inbox: String,
    },
    /// Create an inbox
    #[command(after_help = "Example:\n  fusionctl inbox create shop --origin https://shop.example")]
    Create(Create),
}

/// Arguments of `inbox create`.
#[derive(Args, Debug)]
pub(crate) struct Create {
    /// Lower-case letters, digits and hyphens, unique in the organization
    name: String,
    /// A page that may embed the widget, as an exact origin; may be repeated
    #[arg(long, value_name = "URL")]
    origin: Vec<String>,
    /// Whether the assistant answers first
    #[arg(long, value_enum, default_value = "on")]
    assistant: AssistantChoice,
    /// The language of the widget, as BCP 47
    #[arg(long, default_value = "en")]
    locale: String,
}

pub(crate) async fn run(context: &Context, command: InboxCommand) -> Result<Report, Failure> {
    match command {
        InboxCommand::List => list(context).await,
        InboxCommand::Get { inbox } => get(context, inbox).await,
        InboxCommand::Create(arguments) => create(context, arguments).await,
    }
}

async fn list(context: &Context) -> Result<Report, Failure> {
    let request = v1::ListInboxesRequest {};
    let answer = context.client.call(context.client.inboxes().list_inboxes(request)).await?;
    let rows = answer.inboxes.iter().map(|inbox| Row {
        json: view::inbox(inbox),
        shape: Shape::Cells(vec![
            Cell::text(&inbox.name),
            name(names::assistant_mode(inbox.assistant)),
            yes_no(inbox.staffed),
            Cell::text(&inbox.locale),
            Cell::Text(inbox.origins.join(" ")),
            Cell::text(&inbox.id),
        ]),
    });
    Ok(Rows { columns: COLUMNS, rows: rows.collect(), ..Rows::default() }.into())
}

async fn get(context: &Context, inbox: String) -> Result<Report, Failure> {
    let request = v1::GetInboxRequest { inbox };
    let answer = context.client.call(context.client.inboxes().get_inbox(request)).await?;
    Ok(one(&expect(answer.inbox, "inbox")?).into())
}

async fn create(context: &Context, arguments: Create) -> Result<Report, Failure> {
    let request = v1::CreateInboxRequest {
        client_id: context.once.client_id(),
        name: arguments.name,
        origins: arguments.origin,
        assistant: arguments.assistant.wire(),
        locale: arguments.locale,
    };
    let answer = context.change(context.client.inboxes().create_inbox(request)).await?;
    Ok(one(&expect(answer.inbox, "inbox")?).into())
}

fn one(inbox: &v1::Inbox) -> Object {
    let fields = vec![
        ("name", Cell::text(&inbox.name)),
        ("id", Cell::text(&inbox.id)),
        ("assistant", name(names::assistant_mode(inbox.assistant))),
        ("staffed", yes_no(inbox.staffed)),
        ("locale", Cell::text(&inbox.locale)),
        ("origins", Cell::text(&inbox.origins.join(" "))),
        ("created", Cell::At(inbox.created_at)),
    ];
    object(view::inbox(inbox), fields)
}

fn yes_no(value: bool) -> Cell {
    Cell::Text(if value { "yes" } else { "no" }.to_owned())
}
