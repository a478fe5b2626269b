//! `conv`: conversations. This page holds the verbs and the plain changes; reading stands in `read`, following
//! in `tail` over `live`, starting in `start`, waiting in
//! `wait` over `until`, the words of a transcript in `speech`.

mod act;
mod live;
mod read;
pub(crate) mod speech;
mod start;
mod tail;
pub(crate) mod until;
mod wait;

use clap::{Args, Subcommand};
use fusionchat_proto::v1;
use serde_json::json;

use crate::cmd::escalation::visitor;
use crate::cmd::list::Limit;
use crate::cmd::{Context, expect, name, object, text};
use crate::failure::Failure;
use crate::names::{self, ResolutionChoice, StatusChoice};
use crate::output::{Cell, Object, Report};
use crate::view;

/// Verbs of `conv`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConvCommand {
    /// List conversations, the latest to stand as they do first
    #[command(after_help = "Example:\n  fusionctl conv list --status open,escalated --limit 20")]
    List(List),
    /// Show a conversation with its messages and notes
    #[command(after_help = "Example:\n  fusionctl conv get 1042")]
    Get(Number),
    /// Start a conversation as a visitor; with --wait, show the first answer
    #[command(
        after_help = "Example:\n  fusionctl conv start --inbox web --wait \"How long is delivery?\""
    )]
    Start(Start),
    /// Put a conversation into the live queue; doing it again is harmless
    #[command(after_help = "Example:\n  fusionctl conv escalate 1042 --reason \"refund over 500\"")]
    Escalate(Escalate),
    /// Take a waiting conversation; exits 6 if somebody was faster
    #[command(after_help = "Example:\n  fusionctl conv claim 1042")]
    Claim(Claim),
    /// Put your conversation back into the live queue
    #[command(after_help = "Example:\n  fusionctl conv release 1042")]
    Release(Number),
    /// Hand your conversation back to the assistant
    #[command(after_help = "Example:\n  fusionctl conv handback 1042")]
    Handback(Number),
    /// Reopen a resolved conversation
    #[command(after_help = "Example:\n  fusionctl conv reopen 1042")]
    Reopen(Number),
    /// Mark a conversation as done
    #[command(after_help = "Example:\n  fusionctl conv resolve 1042 --as spam")]
    Resolve(Resolve),
    /// Add a note; staff only
    #[command(after_help = "Example:\n  fusionctl conv note 1042 \"called the warehouse\"")]
    Note(Words),
    /// Reply to the visitor; shows the message's number once it is on disk
    #[command(after_help = "Example:\n  fusionctl conv reply 1042 \"It leaves today.\"")]
    Reply(Words),
    /// Give your conversation to a colleague: offered to them for a while, then to everybody
    #[command(
        after_help = "Example:\n  fusionctl conv transfer 1042 --to agent2 --note \"knows the case\""
    )]
    Transfer(act::Transfer),
    /// Add tags, or remove some
    #[command(after_help = "Example:\n  fusionctl conv tag 1042 refund vip --remove new")]
    Tag(act::Tag),
    /// Say how urgent it is: the queue is ordered by it first
    #[command(after_help = "Example:\n  fusionctl conv priority 1042 urgent")]
    Priority(act::Prioritize),
    /// Show the messages and notes, and with -f the coming ones, across restarts of the daemon
    #[command(after_help = "Example:\n  fusionctl conv tail -f 1042 -o jsonl")]
    Tail(Tail),
    /// Wait, up to --timeout, until all of it is true; exits 8 if it never is
    #[command(
        after_help = "Example:\n  fusionctl conv wait 1042 --for status=escalated --timeout 5s"
    )]
    Wait(wait::Wait),
}

/// A conversation's number or id.
#[derive(Args, Debug)]
pub(crate) struct Number {
    /// The conversation's number or id
    #[arg(value_name = "N")]
    conversation: String,
}

/// Arguments of `conv list`.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// Only these states, separated by commas
    #[arg(long, value_enum, value_delimiter = ',')]
    status: Vec<StatusChoice>,
    /// Only those assigned to this user
    #[arg(long, value_name = "USER")]
    assignee: Option<String>,
    /// Test conversations, which are on no other list
    #[arg(long = "test")]
    tests: bool,
    #[command(flatten)]
    limit: Limit,
}

/// Arguments of `conv start`.
#[derive(Args, Debug)]
pub(crate) struct Start {
    /// The inbox's name or id; not needed where the tenant has only one
    #[arg(long, default_value = "", hide_default_value = true)]
    inbox: String,
    /// A test: in no queue, list or figure, and deleted after a day
    #[arg(long)]
    test: bool,
    /// Wait, up to --timeout, for the first answer or the escalation
    #[arg(long)]
    wait: bool,
    /// The visitor's first message; - reads stdin
    text: String,
}

/// Arguments of `conv escalate`.
#[derive(Args, Debug)]
pub(crate) struct Escalate {
    /// The conversation's number or id
    #[arg(value_name = "N")]
    conversation: String,
    /// Why, for staff only: at most 200 characters
    #[arg(long)]
    reason: String,
}

/// Arguments of `conv claim`.
#[derive(Args, Debug)]
pub(crate) struct Claim {
    /// The conversation's number or id
    #[arg(value_name = "N")]
    conversation: String,
    /// Take it from whoever has it; they are told
    #[arg(long)]
    take: bool,
}

/// Arguments of `conv resolve`.
#[derive(Args, Debug)]
pub(crate) struct Resolve {
    /// The conversation's number or id
    #[arg(value_name = "N")]
    conversation: String,
    /// How it ended
    #[arg(long = "as", value_enum, value_name = "HOW", default_value = "agent")]
    resolution: ResolutionChoice,
}

/// Arguments of `conv reply` and `conv note`.
#[derive(Args, Debug)]
pub(crate) struct Words {
    /// The conversation's number or id
    #[arg(value_name = "N")]
    conversation: String,
    /// What to write; - reads stdin
    text: String,
}

/// Arguments of `conv tail`.
#[derive(Args, Debug)]
pub(crate) struct Tail {
    /// Keep following until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// The conversation's number or id
    #[arg(value_name = "N")]
    conversation: String,
}

pub(crate) async fn run(context: &Context, command: ConvCommand) -> Result<Report, Failure> {
    match command {
        ConvCommand::List(arguments) => read::list(context, arguments).await,
        ConvCommand::Get(number) => read::get(context, number.conversation).await,
        ConvCommand::Start(arguments) => start::start(context, arguments).await,
        ConvCommand::Escalate(arguments) => escalate(context, arguments).await,
        ConvCommand::Claim(arguments) => claim(context, arguments).await,
        ConvCommand::Release(number) => release(context, number.conversation).await,
        ConvCommand::Handback(number) => hand_back(context, number.conversation).await,
        ConvCommand::Reopen(number) => reopen(context, number.conversation).await,
        ConvCommand::Resolve(arguments) => resolve(context, arguments).await,
        ConvCommand::Note(words) => note(context, words).await,
        ConvCommand::Reply(words) => reply(context, words).await,
        ConvCommand::Transfer(arguments) => act::transfer(context, arguments).await,
        ConvCommand::Tag(arguments) => act::tag(context, arguments).await,
        ConvCommand::Priority(arguments) => act::prioritize(context, arguments).await,
        ConvCommand::Tail(arguments) => Ok(tail::tail(context, arguments).into()),
        ConvCommand::Wait(arguments) => wait::wait(context, arguments).await,
    }
}

async fn escalate(context: &Context, arguments: Escalate) -> Result<Report, Failure> {
    let request = v1::EscalateConversationRequest {
        client_id: context.once.client_id(),
        conversation: arguments.conversation,
        reason: arguments.reason,
    };
    let answer =
        context.change(context.client.conversations().escalate_conversation(request)).await?;
    changed(answer.conversation)
}

async fn claim(context: &Context, arguments: Claim) -> Result<Report, Failure> {
    let request = v1::ClaimConversationRequest {
        client_id: context.once.client_id(),
        conversation: arguments.conversation,
        take: arguments.take,
    };
    let answer = context.change(context.client.conversations().claim_conversation(request)).await?;
    changed(answer.conversation)
}

async fn release(context: &Context, conversation: String) -> Result<Report, Failure> {
    let request =
        v1::ReleaseConversationRequest { client_id: context.once.client_id(), conversation };
    let answer =
        context.change(context.client.conversations().release_conversation(request)).await?;
    changed(answer.conversation)
}

async fn hand_back(context: &Context, conversation: String) -> Result<Report, Failure> {
    let request =
        v1::HandBackConversationRequest { client_id: context.once.client_id(), conversation };
    let answer =
        context.change(context.client.conversations().hand_back_conversation(request)).await?;
    changed(answer.conversation)
}

async fn reopen(context: &Context, conversation: String) -> Result<Report, Failure> {
    let request =
        v1::ReopenConversationRequest { client_id: context.once.client_id(), conversation };
    let answer =
        context.change(context.client.conversations().reopen_conversation(request)).await?;
    changed(answer.conversation)
}

async fn resolve(context: &Context, arguments: Resolve) -> Result<Report, Failure> {
    let request = v1::ResolveConversationRequest {
        client_id: context.once.client_id(),
        conversation: arguments.conversation,
        resolution: arguments.resolution.wire(),
    };
    let answer =
        context.change(context.client.conversations().resolve_conversation(request)).await?;
    changed(answer.conversation)
}

async fn note(context: &Context, words: Words) -> Result<Report, Failure> {
    let request = v1::AddNoteRequest {
        client_id: context.once.client_id(),
        conversation: words.conversation,
        content: context.stdin.text(&words.text).await?,
    };
    let answer = context.change(context.client.conversations().add_note(request)).await?;
    let note = expect(answer.note, "note")?;
    let number = answer.conversation.map(|conversation| conversation.number);
    let mut json = view::note(&note);
    json.insert("number".into(), json!(number));
    let fields = vec![
        ("conversation", number.map_or(Cell::Absent, Cell::Number)),
        ("note", Cell::text(&note.id)),
        ("seen by", Cell::Text("staff only".into())),
    ];
    Ok(object(json, fields).into())
}

async fn reply(context: &Context, words: Words) -> Result<Report, Failure> {
    let request = v1::PostMessageRequest {
        client_id: context.once.client_id(),
        conversation: words.conversation,
        content: context.stdin.text(&words.text).await?,
        sender_type: v1::SenderType::Unspecified as i32,
    };
    let answer = context.change(context.client.conversations().post_message(request)).await?;
    let message = expect(answer.message, "message")?;
    let number = answer.conversation.map(|conversation| conversation.number);
    let mut json = view::message(&message);
    json.insert("number".into(), json!(number));
    let fields = vec![
        ("conversation", number.map_or(Cell::Absent, Cell::Number)),
        ("seq", Cell::Number(message.seq)),
        ("message", Cell::text(&message.id)),
    ];
    Ok(object(json, fields).into())
}

fn changed(conversation: Option<v1::Conversation>) -> Result<Report, Failure> {
    Ok(header(&expect(conversation, "conversation")?).into())
}

/// A conversation without its messages.
fn header(conversation: &v1::Conversation) -> Object {
    let escalation = conversation.escalation.as_ref();
    let fields = vec![
        ("number", Cell::Number(conversation.number)),
        ("state", Cell::Text(state(conversation))),
        ("visitor", Cell::Text(visitor(&conversation.visitor_name, &conversation.visitor_id))),
        ("inbox", Cell::text(&conversation.inbox_name)),
        ("handled by", handled_by(conversation)),
        ("reason", text(escalation.map(|escalation| escalation.reason.as_str()))),
        ("offered to", text(escalation.map(|it| it.to_name.as_str()).filter(|it| !it.is_empty()))),
        ("priority", name(names::priority(conversation.priority))),
        ("tags", text(Some(conversation.tags.join(" ").as_str()).filter(|it| !it.is_empty()))),
        ("previous", conversation.previous.map_or(Cell::Absent, Cell::Number)),
        ("test until", Cell::at(conversation.test_until)),
        ("waiting", conversation.waiting_since.map_or(Cell::Absent, Cell::Since)),
        ("resolution", name(conversation.resolution.and_then(names::resolution))),
        ("messages", Cell::Number(conversation.last_seq)),
        ("unread", Cell::Number(conversation.unread)),
        ("created", Cell::At(conversation.created_at)),
        ("updated", Cell::At(conversation.updated_at)),
        ("id", Cell::text(&conversation.id)),
    ];
    object(view::conversation(conversation), fields)
}

/// The state in the words people use: never the raw one.
pub(crate) fn state(conversation: &v1::Conversation) -> String {
    match v1::Status::try_from(conversation.status) {
        Ok(v1::Status::Escalated) => "Waiting".to_owned(),
        Ok(v1::Status::Resolved) => "Done".to_owned(),
        Ok(v1::Status::Open) => match v1::Handler::try_from(conversation.handler) {
            Ok(v1::Handler::Agent) if !conversation.assignee_name.is_empty() => {
                format!("With {}", conversation.assignee_name)
            }
            Ok(v1::Handler::Agent) => "With an agent".to_owned(),
            Ok(v1::Handler::Assistant) => "With assistant".to_owned(),
            Ok(v1::Handler::None | v1::Handler::Unspecified) | Err(_) => "Open".to_owned(),
        },
        Ok(v1::Status::Unspecified) | Err(_) => "unknown".to_owned(),
    }
}

fn handled_by(conversation: &v1::Conversation) -> Cell {
    match v1::Handler::try_from(conversation.handler) {
        Ok(v1::Handler::Assistant) => Cell::Text("assistant".to_owned()),
        Ok(v1::Handler::Agent) => Cell::text(&conversation.assignee_name),
        Ok(v1::Handler::None | v1::Handler::Unspecified) | Err(_) => Cell::Absent,
    }
}
