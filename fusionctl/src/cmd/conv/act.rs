//! `conv transfer`, `conv tag` and `conv priority`.

use clap::Args;
use fusionchat_proto::v1;

use crate::cmd::Context;
use crate::cmd::conv::changed;
use crate::failure::Failure;
use crate::names::PriorityChoice;
use crate::output::Report;

/// Arguments of `conv transfer`.
#[derive(Args, Debug)]
pub(crate) struct Transfer {
    /// The conversation's number or id
    #[arg(value_name = "N")]
    conversation: String,
    /// The agent's name, e-mail or id
    #[arg(long, value_name = "USER")]
    to: String,
    /// What they should know; staff only; - reads stdin
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    note: String,
}

/// Arguments of `conv tag`.
#[derive(Args, Debug)]
pub(crate) struct Tag {
    /// The conversation's number or id
    #[arg(value_name = "N")]
    conversation: String,
    /// The tags it gets: words of a-z, 0-9, - and _
    tags: Vec<String>,
    /// Tags it loses, separated by commas
    #[arg(long, value_name = "TAGS", value_delimiter = ',')]
    remove: Vec<String>,
}

/// Arguments of `conv priority`.
#[derive(Args, Debug)]
pub(crate) struct Prioritize {
    /// The conversation's number or id
    #[arg(value_name = "N")]
    conversation: String,
    /// How urgent it is
    #[arg(value_enum)]
    priority: PriorityChoice,
}

pub(super) async fn transfer(context: &Context, arguments: Transfer) -> Result<Report, Failure> {
    let request = v1::TransferConversationRequest {
        client_id: context.once.client_id(),
        conversation: arguments.conversation,
        to: arguments.to,
        note: context.stdin.text(&arguments.note).await?,
    };
    let mut conversations = context.client.conversations();
    let answer = context.change(conversations.transfer_conversation(request)).await?;
    changed(answer.conversation)
}

pub(super) async fn tag(context: &Context, arguments: Tag) -> Result<Report, Failure> {
    if arguments.tags.is_empty() && arguments.remove.is_empty() {
        return Err(Failure::usage("usage", "no tag was given")
            .with_hint("name tags to add, or --remove those it should lose"));
    }
    let request = v1::TagConversationRequest {
        client_id: context.once.client_id(),
        conversation: arguments.conversation,
        add: arguments.tags,
        remove: arguments.remove,
    };
    let answer = context.change(context.client.conversations().tag_conversation(request)).await?;
    changed(answer.conversation)
}

pub(super) async fn prioritize(
    context: &Context,
    arguments: Prioritize,
) -> Result<Report, Failure> {
    let request = v1::SetPriorityRequest {
        client_id: context.once.client_id(),
        conversation: arguments.conversation,
        priority: arguments.priority.wire(),
    };
    let answer = context.change(context.client.conversations().set_priority(request)).await?;
    changed(answer.conversation)
}
