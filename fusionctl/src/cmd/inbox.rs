//! `inbox`: the widgets of the organization.

use clap::{Args, Subcommand};
use fusionchat_proto::v1;

use serde_json::{Value, json};

use crate::cmd::{Context, expect, name, object, text};
use crate::failure::{Exit, Failure};
use crate::names::{self, AssistantChoice};
use crate::output::{Cell, Column, Object, Output, Report, Row, Rows, Section, Shape};
use crate::{time, view};

const COLUMNS: &[Column] = &[
    Column::fixed("NAME"),
    Column::fixed("ASSISTANT"),
    Column::fixed("STAFFED"),
    Column::fixed("LOCALE"),
    Column::flexible("MEMBERS"),
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
    /// Change an inbox; what is not named stays as it is
    #[command(
        after_help = "Example:\n  fusionctl inbox edit web --add-origin https://www.shop.example --abandon-after 1h"
    )]
    Edit(Edit),
    /// Print the script tag that puts the widget on a page
    #[command(after_help = "Example:\n  fusionctl inbox snippet web")]
    Snippet {
        /// Its name or id
        inbox: String,
    },
    /// Say whether a page may show the widget, and if not, why and what to do. Exits 1 if it may not
    #[command(after_help = "Example:\n  fusionctl inbox test https://shop.example/contact")]
    Test {
        /// The page's address
        url: String,
        /// The inbox's name or id; may be left out if there is only one
        #[arg(long, value_name = "NAME")]
        inbox: Option<String>,
    },
}

/// Arguments of `inbox create`.
#[derive(Args, Debug)]
pub(crate) struct Create {
    /// Lower-case letters, digits and hyphens, unique in the organization
    name: String,
    /// A page that may embed the widget, as an exact origin; may be repeated
    #[arg(long, value_name = "URL")]
    origin: Vec<String>,
    /// Whether the assistant answers first, or only drafts for staff
    #[arg(long, value_enum, default_value = "on")]
    assistant: AssistantChoice,
    /// The language of the widget, as BCP 47
    #[arg(long, default_value = "en")]
    locale: String,
    /// An agent who answers it, by name, e-mail or id; may be repeated. Without it, all agents do
    #[arg(long, value_name = "USER")]
    member: Vec<String>,
}

/// Arguments of `inbox edit`.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true).args([
    "name", "assistant", "locale", "origin", "add_origin", "remove_origin", "member",
    "add_member", "remove_member", "all_agents", "abandon_after", "notice_after", "no_reply_after",
]))]
pub(crate) struct Edit {
    /// Its name or id
    inbox: String,
    /// A new name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Whether the assistant answers first; off cuts what it is saying, draftOnly leaves staff a note instead
    #[arg(long, value_enum)]
    assistant: Option<AssistantChoice>,
    /// The language of the widget, as BCP 47; articles in it are the fallback of others
    #[arg(long)]
    locale: Option<String>,
    /// The pages that may embed the widget, in place of those so far; may be repeated
    #[arg(long, value_name = "URL")]
    origin: Vec<String>,
    /// A further page that may embed it
    #[arg(long, value_name = "URL")]
    add_origin: Vec<String>,
    /// A page that may embed it no longer
    #[arg(long, value_name = "URL")]
    remove_origin: Vec<String>,
    /// The agents who answer it, in place of those so far; may be repeated
    #[arg(long, value_name = "USER")]
    member: Vec<String>,
    /// A further agent
    #[arg(long, value_name = "USER")]
    add_member: Vec<String>,
    /// An agent who sees it no longer
    #[arg(long, value_name = "USER")]
    remove_member: Vec<String>,
    /// All agents answer it
    #[arg(long, conflicts_with_all = ["member", "add_member", "remove_member"])]
    all_agents: bool,
    /// How long a visitor may be silent after the assistant's word, from 1s to 365d, before the conversation is
    /// abandoned; `default` is what the daemon is configured to. It holds for silences that begin from now on
    #[arg(long, value_name = "DURATION", value_parser = silence)]
    abandon_after: Option<i64>,
    /// How long after an agent's word, before the visitor gets a notice
    #[arg(long, value_name = "DURATION", value_parser = silence)]
    notice_after: Option<i64>,
    /// How long after that notice, before the conversation ends without a reply
    #[arg(long, value_name = "DURATION", value_parser = silence)]
    no_reply_after: Option<i64>,
}

/// A silence in milliseconds; zero for the daemon's default.
fn silence(text: &str) -> Result<i64, String> {
    if text == "default" {
        return Ok(0);
    }
    let duration = time::parse_duration(text)?;
    i64::try_from(duration.as_millis()).map_err(|_| format!("`{text}` is too long"))
}

pub(crate) async fn run(context: &Context, command: InboxCommand) -> Result<Report, Failure> {
    match command {
        InboxCommand::List => list(context).await,
        InboxCommand::Get { inbox } => get(context, inbox).await,
        InboxCommand::Create(arguments) => create(context, arguments).await,
        InboxCommand::Edit(arguments) => edit(context, arguments).await,
        InboxCommand::Snippet { inbox } => snippet(context, inbox).await,
        InboxCommand::Test { url, inbox } => test(context, url, inbox).await,
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
            members(inbox),
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
        members: arguments.member,
    };
    let answer = context.change(context.client.inboxes().create_inbox(request)).await?;
    Ok(one(&expect(answer.inbox, "inbox")?).into())
}

async fn edit(context: &Context, arguments: Edit) -> Result<Report, Failure> {
    let list = |values: Vec<String>| (!values.is_empty()).then_some(v1::Texts { values });
    let members = match list(arguments.member) {
        None if arguments.all_agents => Some(v1::Texts::default()),
        members => members,
    };
    let request = v1::EditInboxRequest {
        client_id: context.once.client_id(),
        inbox: arguments.inbox,
        name: arguments.name,
        assistant: arguments.assistant.map_or(0, AssistantChoice::wire),
        locale: arguments.locale,
        origins: list(arguments.origin),
        add_origins: arguments.add_origin,
        remove_origins: arguments.remove_origin,
        members,
        add_members: arguments.add_member,
        remove_members: arguments.remove_member,
        abandon_after_ms: arguments.abandon_after,
        notice_after_ms: arguments.notice_after,
        no_reply_after_ms: arguments.no_reply_after,
    };
    let answer = context.change(context.client.inboxes().edit_inbox(request)).await?;
    Ok(one(&expect(answer.inbox, "inbox")?).into())
}

async fn snippet(context: &Context, inbox: String) -> Result<Report, Failure> {
    let request = v1::GetInboxRequest { inbox };
    let answer = context.client.call(context.client.inboxes().get_inbox(request)).await?;
    let inbox = expect(answer.inbox, "inbox")?;
    let json = [
        ("inboxId".to_owned(), json!(inbox.id)),
        ("inboxName".to_owned(), json!(inbox.name)),
        ("snippet".to_owned(), json!(inbox.snippet)),
    ];
    let mut object = object(json.into_iter().collect(), Vec::new());
    object.sections.push(Section::Text(inbox.snippet));
    Ok(object.into())
}

async fn test(context: &Context, url: String, inbox: Option<String>) -> Result<Report, Failure> {
    let request = v1::TestInboxRequest { inbox: inbox.unwrap_or_default(), url };
    let found = context.client.call(context.client.inboxes().test_inbox(request)).await?;
    let given = |value: &str| if value.is_empty() { Value::Null } else { json!(value) };
    let json = [
        ("inboxId".to_owned(), json!(found.inbox_id)),
        ("inboxName".to_owned(), json!(found.inbox_name)),
        ("allowed".to_owned(), json!(found.allowed)),
        ("code".to_owned(), given(&found.code)),
        ("message".to_owned(), json!(found.message)),
        ("origin".to_owned(), given(&found.origin)),
        ("nearest".to_owned(), given(&found.nearest)),
        ("fix".to_owned(), given(&found.fix)),
    ];
    let json = json.into_iter().filter(|(_, value)| !value.is_null()).collect();
    let fields = vec![
        ("inbox", Cell::text(&found.inbox_name)),
        ("origin", text(Some(&found.origin).filter(|it| !it.is_empty()).map(String::as_str))),
        ("allowed", yes_no(found.allowed)),
    ];
    let failure = (!found.allowed).then(|| {
        let failure = Failure::new(Exit::Failed, &found.code, found.message.clone());
        if found.fix.is_empty() { failure } else { failure.with_hint(found.fix.clone()) }
    });
    Ok(Report { output: Output::Object(object(json, fields)), failure })
}

fn members(inbox: &v1::Inbox) -> Cell {
    Cell::Text(if inbox.members.is_empty() {
        "all agents".to_owned()
    } else {
        inbox.member_names.join(", ")
    })
}

fn one(inbox: &v1::Inbox) -> Object {
    let fields = vec![
        ("name", Cell::text(&inbox.name)),
        ("id", Cell::text(&inbox.id)),
        ("assistant", name(names::assistant_mode(inbox.assistant))),
        ("staffed", yes_no(inbox.staffed)),
        ("locale", Cell::text(&inbox.locale)),
        ("members", members(inbox)),
        ("origins", Cell::text(&inbox.origins.join(" "))),
        ("abandon after", lasts(inbox.abandon_after_ms)),
        ("notice after", lasts(inbox.notice_after_ms)),
        ("no reply after", lasts(inbox.no_reply_after_ms)),
        ("created", Cell::At(inbox.created_at)),
    ];
    object(view::inbox(inbox), fields)
}

/// A silence as it is set.
fn lasts(ms: Option<i64>) -> Cell {
    Cell::Text(ms.map_or_else(|| "default".to_owned(), time::exact))
}

fn yes_no(value: bool) -> Cell {
    Cell::Text(if value { "yes" } else { "no" }.to_owned())
}
