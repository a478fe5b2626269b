//! `message`: what was said, one message at a time.

use clap::{Args, Subcommand};
use fusionchat_proto::v1;

use crate::cmd::{Context, expect, object};
use crate::failure::Failure;
use crate::output::{Cell, Report};
use crate::view;

/// Verbs of `message`.
#[derive(Debug, Subcommand)]
pub(crate) enum MessageCommand {
    /// Mark an answer of the assistant's as wrong, for review; staff only
    #[command(after_help = "Example:\n  fusionctl message flag 1042 7 --reason \"old price\"")]
    Flag(Flag),
    /// Take back what the assistant, or you, said; the visitor sees that it was removed
    #[command(after_help = "Example:\n  fusionctl message retract 1042 7")]
    Retract(Which),
}

/// Which message.
#[derive(Args, Debug)]
pub(crate) struct Which {
    /// The conversation's number or id
    #[arg(value_name = "N")]
    conversation: String,
    /// The message's number in the conversation
    seq: u64,
}

/// Arguments of `message flag`.
#[derive(Args, Debug)]
pub(crate) struct Flag {
    #[command(flatten)]
    which: Which,
    /// Why, for staff only: at most 200 characters
    #[arg(long)]
    reason: String,
}

pub(crate) async fn run(context: &Context, command: MessageCommand) -> Result<Report, Failure> {
    let client_id = context.once.client_id();
    let mut conversations = context.client.conversations();
    let message = match command {
        MessageCommand::Flag(Flag { which, reason }) => {
            let Which { conversation, seq } = which;
            let request = v1::FlagMessageRequest { client_id, conversation, seq, reason };
            context.change(conversations.flag_message(request)).await?.message
        }
        MessageCommand::Retract(Which { conversation, seq }) => {
            let request = v1::RetractMessageRequest { client_id, conversation, seq };
            context.change(conversations.retract_message(request)).await?.message
        }
    };
    let message = expect(message, "message")?;
    let mut fields = vec![("seq", Cell::Number(message.seq)), ("message", Cell::text(&message.id))];
    if message.retracted {
        fields.push(("removed", Cell::Text("yes".to_owned())));
    }
    if !message.flag.is_empty() {
        fields.push(("flag", Cell::text(&message.flag)));
    }
    Ok(object(view::message(&message), fields).into())
}
