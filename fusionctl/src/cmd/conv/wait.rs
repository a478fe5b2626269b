//! `conv wait`: until a conversation is in a state, told by the live stream.

use clap::Args;
use fusionchat_proto::v1;
use serde_json::json;

use crate::cmd::conv::until::{Seen, until};
use crate::cmd::conv::{header, state};
use crate::cmd::{Context, expect};
use crate::failure::Failure;
use crate::names;
use crate::output::{Output, Report};
use crate::view;

/// Arguments of `conv wait`.
#[derive(Args, Debug)]
pub(crate) struct Wait {
    /// The conversation's number or id
    #[arg(value_name = "N")]
    conversation: String,
    /// status=open|escalated|resolved, handler=assistant|agent|none, message-from=agent|assistant|user|system
    #[arg(
        long = "for",
        value_name = "WHAT",
        required = true,
        value_delimiter = ',',
        value_parser = Condition::parse
    )]
    conditions: Vec<Condition>,
    /// For message-from: only messages after this one
    #[arg(long, value_name = "SEQ", default_value_t = 0, hide_default_value = true)]
    after: u64,
}

/// One thing that can be true of a conversation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Condition {
    Status(i32),
    Handler(i32),
    MessageFrom(i32),
}

impl Condition {
    fn parse(text: &str) -> Result<Self, String> {
        let (what, value) = text.split_once('=').ok_or("write status=escalated")?;
        let of = |name: fn(i32) -> Option<String>| {
            names::value(name, value).ok_or_else(|| format!("there is no {what} `{value}`"))
        };
        match what {
            "status" => of(names::status).map(Self::Status),
            "handler" => of(names::handler).map(Self::Handler),
            "message-from" => of(names::sender_type).map(Self::MessageFrom),
            _ => Err(format!("`{what}` is none of status, handler and message-from")),
        }
    }

    fn holds(self, seen: &Seen) -> bool {
        match self {
            Self::Status(status) => seen.conversation.status == status,
            Self::Handler(handler) => seen.conversation.handler == handler,
            Self::MessageFrom(sender) => seen.messages.iter().any(|it| it.sender_type == sender),
        }
    }

    /// The message that makes it true, if one does.
    fn message(self, seen: &Seen) -> Option<v1::Message> {
        match self {
            Self::Status(_) | Self::Handler(_) => None,
            Self::MessageFrom(sender) => {
                seen.messages.iter().find(|it| it.sender_type == sender).cloned()
            }
        }
    }
}

pub(crate) async fn wait(context: &Context, arguments: Wait) -> Result<Report, Failure> {
    let client = &context.client;
    let request = v1::GetConversationRequest { conversation: arguments.conversation };
    let answer = client.call(client.conversations().get_conversation(request)).await?;
    let mut last = expect(answer.conversation, "conversation")?;
    let id = last.id.clone();
    let conditions = arguments.conditions;
    let look = |seen: &Seen| {
        last = seen.conversation.clone();
        let held = conditions.iter().all(|condition| condition.holds(seen));
        held.then(|| conditions.iter().find_map(|condition| condition.message(seen)))
    };
    let waiting = until(client, &id, arguments.after, look);
    let outcome = tokio::time::timeout(client.timeout(), waiting).await;
    let (message, failure) = match outcome {
        Ok(Ok(message)) => (message, None),
        Ok(Err(failure)) => (None, Some(failure)),
        Err(_) => {
            let text = format!("it is `{}`, and not what was waited for,", state(&last));
            (None, Some(Failure::timed_out(&text)))
        }
    };
    let mut object = header(&last);
    object.json.insert("met".into(), json!(failure.is_none()));
    if let Some(message) = message {
        object.json.insert("message".into(), json!(view::message(&message)));
    }
    let failure = failure.map(|failure| failure.with_param("number", last.number.to_string()));
    Ok(Report { output: Output::Object(object), failure })
}

#[cfg(test)]
mod tests {
    use super::{Condition, v1};

    #[test]
    fn conditions_are_read_by_the_protocol_s_names() {
        let check = |text: &str, wanted| assert_eq!(Condition::parse(text).ok(), wanted, "{text}");
        check("status=escalated", Some(Condition::Status(v1::Status::Escalated as i32)));
        check("handler=agent", Some(Condition::Handler(v1::Handler::Agent as i32)));
        let agent = v1::SenderType::Agent as i32;
        check("message-from=agent", Some(Condition::MessageFrom(agent)));
        for bad in ["", "status", "status=", "status=unspecified", "status=Open", "colour=red"] {
            check(bad, None);
        }
    }
}
