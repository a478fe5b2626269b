//! `escalation`: the live queue of conversations that wait for a person.

use clap::{Args, Subcommand};
use fusionchat_proto::v1;

use crate::cmd::list::{PAGE_ROWS_MAX, ROWS_DEFAULT};
use crate::cmd::{Context, expect, name, object, text};
use crate::failure::Failure;
use crate::names;
use crate::output::{Cell, Column, Report, Row, Rows, Shape};
use crate::view;

const COLUMNS: &[Column] = &[
    Column::fixed("NUMBER"),
    Column::fixed("WAITING"),
    Column::fixed("PRIORITY"),
    Column::fixed("REASON"),
    Column::fixed("FOR"),
    Column::fixed("VISITOR"),
    Column::flexible("LAST LINE"),
];

/// Verbs of `escalation`.
#[derive(Debug, Subcommand)]
pub(crate) enum EscalationCommand {
    /// List who waits for a person, the longest waiting first
    #[command(after_help = "Example:\n  fusionctl escalation list -o json")]
    List {
        /// At most this many, up to 200
        #[arg(
            long,
            default_value_t = ROWS_DEFAULT,
            value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGE_ROWS_MAX))
        )]
        limit: u32,
    },
    /// Claim a waiting conversation for an agent; exits 6 if somebody has it
    #[command(after_help = "Example:\n  fusionctl escalation assign 1042 --to agent2")]
    Assign(Assign),
    /// End the waiting: the assistant has the conversation again
    #[command(after_help = "Example:\n  fusionctl escalation return 1042")]
    Return(Number),
    /// End the waiting and the conversation
    #[command(after_help = "Example:\n  fusionctl escalation resolve 1042")]
    Resolve(Number),
}

/// A conversation's number or id.
#[derive(Args, Debug)]
pub(crate) struct Number {
    /// The conversation's number or id
    #[arg(value_name = "N")]
    conversation: String,
}

/// Arguments of `escalation assign`.
#[derive(Args, Debug)]
pub(crate) struct Assign {
    /// The conversation's number or id
    #[arg(value_name = "N")]
    conversation: String,
    /// The agent's name, e-mail or id
    #[arg(long, value_name = "USER")]
    to: String,
    /// Take it from whoever has it; they are told
    #[arg(long)]
    take: bool,
}

pub(crate) async fn run(context: &Context, command: EscalationCommand) -> Result<Report, Failure> {
    match command {
        EscalationCommand::List { limit } => list(context, limit).await,
        EscalationCommand::Assign(arguments) => assign(context, arguments).await,
        EscalationCommand::Return(number) => give_back(context, number.conversation).await,
        EscalationCommand::Resolve(number) => resolve(context, number.conversation).await,
    }
}

async fn list(context: &Context, limit: u32) -> Result<Report, Failure> {
    let request = v1::ListEscalationsRequest { limit };
    let queue = context.client.call(context.client.escalations().list_escalations(request)).await?;
    let rows = queue.waiting.iter().map(row).collect();
    let notices = if queue.more {
        vec![format!("showing the {limit} longest waiting; see --limit")]
    } else {
        Vec::new()
    };
    Ok(Rows { columns: COLUMNS, rows, now_ms: Some(queue.now), more: queue.more, notices }.into())
}

fn row(waiting: &v1::WaitingConversation) -> Row {
    let escalation = waiting.escalation.as_ref();
    let cells = vec![
        escalation.map_or(Cell::Absent, |escalation| Cell::Number(escalation.number)),
        Cell::Since(waiting.waiting_since),
        Cell::text(&waiting.priority),
        text(escalation.map(|escalation| escalation.reason.as_str())),
        meant_for(waiting),
        Cell::Text(visitor(&waiting.visitor_name, &waiting.visitor_id)),
        Cell::Text(tagged(&waiting.tags, &waiting.last_line)),
    ];
    Row { json: view::waiting(waiting), shape: Shape::Cells(cells) }
}

/// Who it is offered to, else who knows it.
fn meant_for(waiting: &v1::WaitingConversation) -> Cell {
    let to = waiting.escalation.as_ref().map_or("", |it| it.to_name.as_str());
    let name = if to.is_empty() { waiting.preferred_name.as_str() } else { to };
    if name.is_empty() { Cell::Absent } else { Cell::text(name) }
}

/// A last line with its conversation's tags before it.
pub(crate) fn tagged(tags: &[String], line: &str) -> String {
    let mut text: String = tags.iter().map(|tag| format!("[{tag}] ")).collect();
    text.push_str(line);
    text
}

/// What to call a visitor: the name, else `visitor` with the tail of the id.
pub(crate) fn visitor(name: &str, id: &str) -> String {
    /// As many characters as tell visitors apart on one screen.
    const TAIL: usize = 4;
    if !name.is_empty() {
        return name.to_owned();
    }
    let skip = id.chars().count().saturating_sub(TAIL);
    let tail: String = id.chars().skip(skip).collect();
    format!("visitor {tail}").trim_end().to_owned()
}

async fn assign(context: &Context, arguments: Assign) -> Result<Report, Failure> {
    let request = v1::AssignEscalationRequest {
        client_id: context.once.client_id(),
        conversation: arguments.conversation.clone(),
        to: arguments.to.clone(),
        take: arguments.take,
    };
    let answer = context.change(context.client.escalations().assign_escalation(request)).await?;
    let Some(escalation) = answer.escalation else {
        // It did not wait: it was taken from whoever had it, which ends no escalation.
        return taken(context, arguments).await;
    };
    let fields = vec![
        ("conversation", Cell::Number(escalation.number)),
        ("assigned to", Cell::Text(arguments.to)),
        ("claimed", Cell::at(escalation.claimed_at)),
        ("reason", Cell::text(&escalation.reason)),
    ];
    Ok(object(view::escalation(&escalation), fields).into())
}

async fn give_back(context: &Context, conversation: String) -> Result<Report, Failure> {
    let request = v1::ReturnEscalationRequest { client_id: context.once.client_id(), conversation };
    let answer = context.change(context.client.escalations().return_escalation(request)).await?;
    ended(answer.escalation)
}

async fn resolve(context: &Context, conversation: String) -> Result<Report, Failure> {
    let request =
        v1::ResolveEscalationRequest { client_id: context.once.client_id(), conversation };
    let answer = context.change(context.client.escalations().resolve_escalation(request)).await?;
    ended(answer.escalation)
}

fn ended(escalation: Option<v1::Escalation>) -> Result<Report, Failure> {
    let escalation = expect(escalation, "escalation")?;
    let fields = vec![
        ("conversation", Cell::Number(escalation.number)),
        ("outcome", name(escalation.outcome.and_then(names::escalation_outcome))),
        ("ended", Cell::at(escalation.ended_at)),
        ("reason", Cell::text(&escalation.reason)),
    ];
    Ok(object(view::escalation(&escalation), fields).into())
}

async fn taken(context: &Context, arguments: Assign) -> Result<Report, Failure> {
    let request = v1::GetConversationRequest { conversation: arguments.conversation };
    let answer =
        context.client.call(context.client.conversations().get_conversation(request)).await?;
    let conversation = expect(answer.conversation, "conversation")?;
    let fields = vec![
        ("conversation", Cell::Number(conversation.number)),
        ("assigned to", Cell::Text(arguments.to)),
        ("claimed", Cell::at(conversation.assigned_at)),
    ];
    Ok(object(view::conversation(&conversation), fields).into())
}
