//! `conv start`: a visitor's first message and, with `--wait`, the first answer to it or the escalation.

use fusionchat_proto::v1;
use serde_json::json;
use tokio::time::Instant;

use crate::cmd::conv::until::{Seen, until};
use crate::cmd::conv::{Start, header, speech};
use crate::cmd::{Context, expect};
use crate::failure::Failure;
use crate::output::{Cell, Object, Output, Report, Section};
use crate::view;

/// What `--wait` waits for.
enum Outcome {
    Answered(Box<v1::Message>),
    Escalated,
}

pub(crate) async fn start(context: &Context, arguments: Start) -> Result<Report, Failure> {
    let request = v1::StartConversationRequest {
        client_id: context.once.client_id(),
        inbox: arguments.inbox,
        content: context.stdin.text(&arguments.text).await?,
        test: arguments.test,
    };
    // A wait beyond what a clock can count is a wait without a limit worth naming.
    let deadline = Instant::now().checked_add(context.client.timeout());
    let answer = context.change(context.client.conversations().start_conversation(request)).await?;
    let conversation = expect(answer.conversation, "conversation")?;
    let message = expect(answer.message, "message")?;
    if !arguments.wait {
        return Ok(report(&conversation, &message).into());
    }
    let waiting = until(&context.client, &conversation.id, message.seq, look);
    let outcome = match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline, waiting).await,
        None => Ok(waiting.await),
    };
    let (outcome, failure) = match outcome {
        Ok(Ok(outcome)) => (Some(outcome), None),
        Ok(Err(failure)) => (None, Some(failure)),
        Err(_) => (None, Some(Failure::timed_out("no answer and no escalation came"))),
    };
    // The rows as they are now, not as they were before the answer.
    let request = v1::GetConversationRequest { conversation: conversation.id.clone() };
    let conversation = match outcome {
        Some(_) => {
            let mut conversations = context.client.conversations();
            let answer = context.client.call(conversations.get_conversation(request)).await?;
            expect(answer.conversation, "conversation")?
        }
        None => conversation,
    };
    let mut object = report(&conversation, &message);
    match outcome {
        Some(Outcome::Answered(answer)) => answered(&mut object, &answer),
        Some(Outcome::Escalated) => say(&mut object, "escalated"),
        None => say(&mut object, "none"),
    }
    let failure =
        failure.map(|failure| failure.with_param("number", conversation.number.to_string()));
    Ok(Report { output: Output::Object(object), failure })
}

fn report(conversation: &v1::Conversation, message: &v1::Message) -> Object {
    let mut object = header(conversation);
    object.json.insert("message".into(), json!(view::message(message)));
    object
}

fn say(object: &mut Object, outcome: &str) {
    object.json.insert("outcome".into(), json!(outcome));
    object.fields.push(("outcome", Cell::Text(outcome.to_owned())));
}

fn answered(object: &mut Object, answer: &v1::Message) {
    say(object, "answered");
    object.json.insert("answer".into(), json!(view::message(answer)));
    let mut text = answer.content.clone();
    for source in &answer.sources {
        text.push_str(&format!("\nsource: {}", speech::source(source)));
    }
    object.sections.push(Section::Text(text));
}

/// The first answer after the visitor's message, else the escalation, if either is there by now.
fn look(seen: &Seen) -> Option<Outcome> {
    let answer = seen.messages.iter().find(|message| {
        matches!(
            v1::SenderType::try_from(message.sender_type),
            Ok(v1::SenderType::Assistant | v1::SenderType::Agent)
        )
    });
    if let Some(answer) = answer {
        return Some(Outcome::Answered(Box::new(answer.clone())));
    }
    let escalated = v1::Status::try_from(seen.conversation.status) == Ok(v1::Status::Escalated);
    escalated.then_some(Outcome::Escalated)
}
