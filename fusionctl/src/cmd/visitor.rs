//! `visitor`: the people who write to the organization.

use clap::Subcommand;
use fusionchat_proto::v1;

use crate::cmd::Context;
use crate::cmd::conv::state;
use crate::cmd::escalation;
use crate::cmd::list::{self, Limit, Page};
use crate::failure::Failure;
use crate::output::{Cell, Column, Report, Row, Shape};
use crate::view;

const COLUMNS: &[Column] = &[
    Column::fixed("VISITOR"),
    Column::fixed("SINCE"),
    Column::fixed("LAST CONVERSATION"),
    Column::flexible("STATE"),
    Column::fixed("ID"),
];

/// Verbs of `visitor`.
#[derive(Debug, Subcommand)]
pub(crate) enum VisitorCommand {
    /// List the visitors, each with their latest conversation
    #[command(after_help = "Example:\n  fusionctl visitor list --all -o jsonl")]
    List(Limit),
}

pub(crate) async fn run(context: &Context, command: VisitorCommand) -> Result<Report, Failure> {
    let VisitorCommand::List(limit) = command;
    let client = context.client.clone();
    list::list(&limit, COLUMNS, move |limit, page_token| {
        let client = client.clone();
        let request = v1::ListVisitorsRequest { limit, page_token };
        async move {
            let answer = client.call(client.visitors().list_visitors(request)).await?;
            let rows = answer.visitors.iter().map(row).collect();
            Ok(Page { rows, next: answer.next_page_token })
        }
    })
    .await
}

fn row(visitor: &v1::Visitor) -> Row {
    let latest = visitor.conversation.as_ref();
    let cells = vec![
        Cell::Text(escalation::visitor(&visitor.name, &visitor.id)),
        Cell::At(visitor.created_at),
        latest.map_or(Cell::Absent, |it| Cell::Number(it.number)),
        latest.map_or(Cell::Absent, |it| Cell::Text(state(it))),
        Cell::text(&visitor.id),
    ];
    Row { json: view::visitor(visitor), shape: Shape::Cells(cells) }
}
