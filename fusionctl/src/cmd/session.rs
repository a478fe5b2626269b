//! `session`: sign-ins of staff.

use clap::Subcommand;
use fusionchat_proto::v1;

use crate::cmd::{Context, expect, object};
use crate::failure::Failure;
use crate::output::{Cell, Column, Report, Row, Rows, Shape};
use crate::view;

const COLUMNS: &[Column] = &[
    Column::fixed("ID"),
    Column::fixed("USER ID"),
    Column::fixed("CREATED"),
    Column::fixed("EXPIRES"),
    Column::fixed("ENDED"),
];

/// Verbs of `session`.
#[derive(Debug, Subcommand)]
pub(crate) enum SessionCommand {
    /// List your sessions; an admin sees everybody's
    #[command(after_help = "Example:\n  fusionctl session list -o json")]
    List,
    /// End a session, or the one you use; what it has open ends within a second
    #[command(
        after_help = "Example:\n  fusionctl session end 019b2f6e-8c1f-7e21-9a3c-0242ac120002"
    )]
    End {
        /// The session's id; without it, your own
        id: Option<String>,
    },
}

pub(crate) async fn run(context: &Context, command: SessionCommand) -> Result<Report, Failure> {
    match command {
        SessionCommand::List => list(context).await,
        SessionCommand::End { id } => end(context, id).await,
    }
}

async fn list(context: &Context) -> Result<Report, Failure> {
    let request = v1::ListSessionsRequest {};
    let answer = context.client.call(context.client.sessions().list_sessions(request)).await?;
    let rows = answer.sessions.iter().map(|session| Row {
        json: view::session(session),
        shape: Shape::Cells(vec![
            Cell::text(&session.id),
            Cell::text(&session.user_id),
            Cell::At(session.created_at),
            Cell::At(session.expires_at),
            Cell::at(session.ended_at),
        ]),
    });
    Ok(Rows { columns: COLUMNS, rows: rows.collect(), ..Rows::default() }.into())
}

async fn end(context: &Context, id: Option<String>) -> Result<Report, Failure> {
    let request = v1::EndSessionRequest {
        client_id: context.once.client_id(),
        session_id: id.unwrap_or_default(),
    };
    let answer = context.change(context.client.sessions().end_session(request)).await?;
    let session = expect(answer.session, "session")?;
    let fields = vec![
        ("session", Cell::text(&session.id)),
        ("user id", Cell::text(&session.user_id)),
        ("ended", Cell::at(session.ended_at)),
    ];
    Ok(object(view::session(&session), fields).into())
}
