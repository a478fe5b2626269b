//! `audit`: the journal as a log of who did what.

use std::time::Duration;

use clap::{Args, Subcommand};
use fusionchat_proto::v1;

use crate::cmd::Context;
use crate::cmd::list::{self, Limit, Page};
use crate::failure::Failure;
use crate::names;
use crate::output::{Cell, Column, Report, Row, Shape};
use crate::time::parse_duration;
use crate::view;

const COLUMNS: &[Column] = &[
    Column::fixed("POSITION"),
    Column::fixed("TIME"),
    Column::fixed("ACTOR"),
    Column::fixed("KIND"),
    Column::fixed("CONVERSATION"),
    Column::flexible("DETAIL"),
];

/// Verbs of `audit`.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List what was done, the newest first
    #[command(
        after_help = "Example:\n  fusionctl audit list --actor agent2 --kind Claimed,Resolved --since 24h"
    )]
    List(List),
}

/// Arguments of `audit list`.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// Only what this user or key did: a name, e-mail or id
    #[arg(long, value_name = "USER", default_value = "", hide_default_value = true)]
    actor: String,
    /// Only these kinds, separated by commas: Claimed, KeyCreated …
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    kind: Vec<String>,
    /// Only what was done in the last, for example, 24h
    #[arg(long, value_name = "AGO", value_parser = parse_duration)]
    since: Option<Duration>,
    /// Only what was done longer ago than this
    #[arg(long, value_name = "AGO", value_parser = parse_duration)]
    until: Option<Duration>,
    /// Only what happened in this conversation: a number or id
    #[arg(long, value_name = "N", default_value = "", hide_default_value = true)]
    conversation: String,
    #[command(flatten)]
    limit: Limit,
}

pub(crate) async fn run(context: &Context, command: AuditCommand) -> Result<Report, Failure> {
    let AuditCommand::List(arguments) = command;
    let client = context.client.clone();
    let now = (context.now_ms)();
    let ago = |it: Duration| now.saturating_sub(i64::try_from(it.as_millis()).unwrap_or(i64::MAX));
    let asked = v1::ListEntriesRequest {
        actor: arguments.actor,
        kinds: arguments.kind,
        since: arguments.since.map(ago),
        until: arguments.until.map(ago),
        conversation: arguments.conversation,
        limit: 0,
        page_token: String::new(),
    };
    list::list(&arguments.limit, COLUMNS, move |limit, page_token| {
        let client = client.clone();
        let request = v1::ListEntriesRequest { limit, page_token, ..asked.clone() };
        async move {
            let answer = client.call(client.audit().list_entries(request)).await?;
            let rows = answer.entries.iter().map(row).collect();
            Ok(Page { rows, next: answer.next_page_token })
        }
    })
    .await
}

fn row(entry: &v1::Entry) -> Row {
    let mut detail = entry.other_name.clone();
    if !entry.detail.is_empty() {
        let gap = if detail.is_empty() { "" } else { " " };
        detail.push_str(gap);
        detail.push_str(&entry.detail);
    }
    let cells = vec![
        Cell::Number(entry.position),
        Cell::At(entry.time),
        entry.actor.as_ref().map_or(Cell::Absent, |it| Cell::Text(called(it))),
        Cell::text(&entry.kind),
        entry.number.map_or(Cell::Absent, Cell::Number),
        if detail.is_empty() { Cell::Absent } else { Cell::Text(detail) },
    ];
    Row { json: view::entry(entry), shape: Shape::Cells(cells) }
}

/// The name of who did it, else what they are.
fn called(actor: &v1::Actor) -> String {
    let kind = names::actor_kind(actor.kind).unwrap_or_default();
    match (actor.name.as_str(), kind.as_str()) {
        ("", kind) => kind.to_owned(),
        (name, "key") => format!("{name} (key)"),
        (name, _) => name.to_owned(),
    }
}
