//! `conv start`: a visitor's first message and, with `--wait`, the first answer to it or the escalation.

use fusionchat_proto::v1;
use serde_json::json;
use tokio::time::Instant;

use crate::cmd::conv::live::{Live, News};
use crate::cmd::conv::{Start, header, read, speech};
use crate::cmd::list::PAGE_ROWS_MAX;
use crate::cmd::{Context, expect};
use crate::connect::Backoff;
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
    };
    // A wait beyond what a clock can count is a wait without a limit worth naming.
    let deadline = Instant::now().checked_add(context.client.timeout());
    let answer = context.change(context.client.conversations().start_conversation(request)).await?;
    let conversation = expect(answer.conversation, "conversation")?;
    let message = expect(answer.message, "message")?;
    if !arguments.wait {
        return Ok(report(&conversation, &message).into());
    }
    let waiting = wait(context, &conversation.id, message.seq);
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

/// Waits across lost connections; the caller sets the limit.
async fn wait(context: &Context, conversation: &str, after_seq: u64) -> Result<Outcome, Failure> {
    let mut backoff = Backoff::new();
    loop {
        let failure = match attempt(context, conversation, after_seq).await {
            Ok(outcome) => return Ok(outcome),
            Err(failure) if failure.retryable => failure,
            Err(failure) => return Err(failure),
        };
        tokio::time::sleep(backoff.next(failure.retry_after_ms)).await;
    }
}

/// Watches first and reads the rows then, so that nothing can fall between.
async fn attempt(
    context: &Context,
    conversation: &str,
    after_seq: u64,
) -> Result<Outcome, Failure> {
    let mut live = Live::open(&context.client, conversation).await?;
    loop {
        if let Some(outcome) = look(context, conversation, after_seq).await? {
            return Ok(outcome);
        }
        loop {
            match live.next().await? {
                News::Change(change) if matters(&change, conversation) => break,
                News::Change(_) => {}
                News::Reset | News::Ended => {
                    return Err(Failure::new(
                        crate::failure::Exit::Unreachable,
                        "stream_ended",
                        "the daemon ended the stream",
                    ));
                }
            }
        }
    }
}

fn matters(change: &v1::Change, conversation: &str) -> bool {
    let message = change.message.as_ref().map(|message| message.conversation_id.as_str());
    let row = change.conversation.as_ref().map(|row| row.id.as_str());
    message == Some(conversation) || row == Some(conversation)
}

/// The first answer after the visitor's message, else the escalation, if either is there by now.
async fn look(
    context: &Context,
    conversation: &str,
    after_seq: u64,
) -> Result<Option<Outcome>, Failure> {
    let client = &context.client;
    let request = v1::GetConversationRequest { conversation: conversation.to_owned() };
    let row = client.call(client.conversations().get_conversation(request)).await?;
    let request = v1::ListMessagesRequest {
        conversation: conversation.to_owned(),
        after_seq,
        limit: PAGE_ROWS_MAX,
        last: false,
    };
    let page = read::page(client, request).await?;
    let answer = page.messages.into_iter().find(|message| {
        matches!(
            v1::SenderType::try_from(message.sender_type),
            Ok(v1::SenderType::Assistant | v1::SenderType::Agent)
        )
    });
    if let Some(answer) = answer {
        return Ok(Some(Outcome::Answered(Box::new(answer))));
    }
    let escalated = row
        .conversation
        .is_some_and(|row| v1::Status::try_from(row.status) == Ok(v1::Status::Escalated));
    Ok(escalated.then_some(Outcome::Escalated))
}
