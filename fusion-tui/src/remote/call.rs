//! One call each: from an effect to the daemon and back as an event. No call is repeated here; what
//! may be tried again is decided in `update`, under the same client id.

use std::time::Duration;

use fusionchat_proto::v1;
use tokio::sync::mpsc;
use tonic::{Response, Status};

use super::client::Client;
use super::convert;
use crate::effect::{Call, Command, Judgement};
use crate::event::{Event, Posted, Problem};
use crate::state::Availability;
use crate::state::outbox::Kind;
use crate::state::row::{Conversation, ConversationId, Entry};
use crate::state::transcript::{Page, PageRows};
use crate::text::SafeText;

/// How long any one call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Messages of one page.
const PAGE: u32 = 100;

/// Makes the call and reports what came of it, if anybody wants to know.
pub(super) async fn run(client: Client, call: Call, events: mpsc::Sender<Event>) {
    let event = match call {
        Call::List { generation, mine } => {
            let result = super::list::run(&client, generation, mine.as_ref(), &events).await;
            Some(Event::Listed { generation, result })
        }
        Call::Messages { conversation, page } => {
            let result = messages(&client, &conversation, page).await;
            Some(Event::Messages { conversation, page, result })
        }
        Call::Command { conversation, command, client_id } => {
            let result = run_command(&client, &conversation, &command, client_id).await;
            Some(Event::Commanded { conversation, command, result })
        }
        Call::Send { conversation, kind, content, client_id } => {
            let result = send(&client, &conversation, kind, content, client_id.clone()).await;
            Some(Event::Sent { client_id, result })
        }
        Call::Colleagues => {
            let answer = within(client.users().list_users(v1::ListUsersRequest {})).await;
            Some(Event::Colleagues(answer.map(convert::colleagues)))
        }
        Call::Judge { conversation, seq, judgement, client_id } => {
            let result = judge(&client, &conversation, seq, &judgement, client_id).await;
            Some(Event::Judged { conversation, seq, judgement, result })
        }
        Call::MarkRead { conversation, seq } => {
            let conversation = conversation.0.to_string();
            let request = v1::MarkReadRequest { conversation, seq };
            // A lost mark is repaired by the next one.
            drop(within(client.conversations().mark_read(request)).await);
            None
        }
        Call::Typing { conversation, note } => {
            let conversation_id = conversation.0.to_string();
            let request = v1::SetTypingRequest { conversation: conversation_id, note };
            drop(within(client.conversations().set_typing(request)).await);
            None
        }
        Call::Availability { availability, client_id } => {
            Some(Event::AvailabilitySet(set_availability(&client, availability, client_id).await))
        }
    };
    if let Some(event) = event {
        // Without a receiver the console has ended.
        drop(events.send(event).await);
    }
}

/// What a call that could not even be queued comes to.
pub(crate) fn refuse(call: Call) -> Option<Event> {
    let problem = Problem {
        message: SafeText::line("too many calls wait for the daemon"),
        transient: true,
        ..Problem::default()
    };
    match call {
        Call::List { generation, .. } => Some(Event::Listed { generation, result: Err(problem) }),
        Call::Messages { conversation, page } => {
            Some(Event::Messages { conversation, page, result: Err(problem) })
        }
        Call::Command { conversation, command, .. } => {
            Some(Event::Commanded { conversation, command, result: Err(problem) })
        }
        Call::Colleagues => Some(Event::Colleagues(Err(problem))),
        Call::Judge { conversation, seq, judgement, .. } => {
            Some(Event::Judged { conversation, seq, judgement, result: Err(problem) })
        }
        Call::Send { client_id, .. } => Some(Event::Sent { client_id, result: Err(problem) }),
        Call::Availability { .. } => Some(Event::AvailabilitySet(Err(problem))),
        Call::MarkRead { .. } | Call::Typing { .. } => None,
    }
}

/// Awaits a call for at most [`CALL_TIMEOUT`].
pub(super) async fn within<T>(
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Problem> {
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(convert::problem(&status)),
        Err(_) => Err(Problem {
            message: SafeText::line("no answer in time"),
            transient: true,
            ..Problem::default()
        }),
    }
}

/// A page of messages; of very long ones as many as fit into one answer.
async fn messages(client: &Client, id: &ConversationId, page: Page) -> Result<PageRows, Problem> {
    let mut limit = PAGE;
    loop {
        let request = page_request(id, page, limit);
        match within(client.conversations().list_messages(request)).await {
            Err(problem) if problem.code == convert::OUT_OF_RANGE && limit > 1 => limit /= 2,
            answer => return answer.map(convert::page),
        }
    }
}

fn page_request(id: &ConversationId, page: Page, limit: u32) -> v1::ListMessagesRequest {
    let conversation = id.0.to_string();
    match page {
        Page::Last => v1::ListMessagesRequest { conversation, after_seq: 0, limit, last: true },
        // One message of the window comes again, so that the notes before it come too.
        Page::Before(seq) => {
            let after_seq = seq.saturating_sub(u64::from(limit) + 1);
            let limit = u32::try_from(seq - after_seq).unwrap_or(limit);
            v1::ListMessagesRequest { conversation, after_seq, limit, last: false }
        }
        Page::After(after_seq) => {
            v1::ListMessagesRequest { conversation, after_seq, limit, last: false }
        }
    }
}

async fn send(
    client: &Client,
    id: &ConversationId,
    kind: Kind,
    content: String,
    client_id: String,
) -> Result<Posted, Problem> {
    let conversation = id.0.to_string();
    let posted = match kind {
        Kind::Reply => {
            let sender_type = v1::SenderType::Unspecified.into();
            let request = v1::PostMessageRequest { client_id, conversation, content, sender_type };
            convert::posted_message(within(client.conversations().post_message(request)).await?)
        }
        Kind::Note => {
            let request = v1::AddNoteRequest { client_id, conversation, content };
            convert::posted_note(within(client.conversations().add_note(request)).await?)
        }
    };
    posted.ok_or_else(convert::incomplete)
}

async fn run_command(
    client: &Client,
    id: &ConversationId,
    command: &Command,
    client_id: String,
) -> Result<Conversation, Problem> {
    let conversation = id.0.to_string();
    let mut calls = client.conversations();
    let row = match command {
        Command::Claim { take } => {
            let request = v1::ClaimConversationRequest { client_id, conversation, take: *take };
            within(calls.claim_conversation(request)).await?.conversation
        }
        Command::Release => {
            let request = v1::ReleaseConversationRequest { client_id, conversation };
            within(calls.release_conversation(request)).await?.conversation
        }
        Command::HandBack => {
            let request = v1::HandBackConversationRequest { client_id, conversation };
            within(calls.hand_back_conversation(request)).await?.conversation
        }
        Command::Escalate { reason } => {
            let reason = reason.to_string();
            let request = v1::EscalateConversationRequest { client_id, conversation, reason };
            within(calls.escalate_conversation(request)).await?.conversation
        }
        Command::Resolve => {
            let resolution = v1::Resolution::Unspecified.into();
            let request = v1::ResolveConversationRequest { client_id, conversation, resolution };
            within(calls.resolve_conversation(request)).await?.conversation
        }
        Command::Reopen => {
            let request = v1::ReopenConversationRequest { client_id, conversation };
            within(calls.reopen_conversation(request)).await?.conversation
        }
        Command::Transfer { to, name: _, note } => {
            let (to, note) = (to.clone(), note.clone());
            let request = v1::TransferConversationRequest { client_id, conversation, to, note };
            within(calls.transfer_conversation(request)).await?.conversation
        }
        Command::Tag { add, remove } => {
            let (add, remove) = (add.clone(), remove.clone());
            let request = v1::TagConversationRequest { client_id, conversation, add, remove };
            within(calls.tag_conversation(request)).await?.conversation
        }
        Command::Prioritize(priority) => {
            let priority = convert::wire_priority(*priority).into();
            let request = v1::SetPriorityRequest { client_id, conversation, priority };
            within(calls.set_priority(request)).await?.conversation
        }
    };
    row.map(convert::conversation).ok_or_else(convert::incomplete)
}

async fn judge(
    client: &Client,
    id: &ConversationId,
    seq: u64,
    judgement: &Judgement,
    client_id: String,
) -> Result<Entry, Problem> {
    let conversation = id.0.to_string();
    let mut calls = client.conversations();
    let message = match judgement {
        Judgement::Flag { reason } => {
            let reason = reason.clone();
            let request = v1::FlagMessageRequest { client_id, conversation, seq, reason };
            within(calls.flag_message(request)).await?.message
        }
        Judgement::Retract => {
            let request = v1::RetractMessageRequest { client_id, conversation, seq };
            within(calls.retract_message(request)).await?.message
        }
    };
    message.map(convert::message_entry).ok_or_else(convert::incomplete)
}

async fn set_availability(
    client: &Client,
    wanted: Availability,
    client_id: String,
) -> Result<Availability, Problem> {
    let availability = convert::wire_availability(wanted).into();
    let request = v1::SetAvailabilityRequest { client_id, availability };
    let answer = within(client.users().set_availability(request)).await?;
    let user = answer.user.ok_or_else(convert::incomplete)?;
    Ok(convert::availability(user.availability()))
}

#[cfg(test)]
mod tests {
    use super::page_request;
    use crate::state::row::ConversationId;
    use crate::state::transcript::Page;

    #[test]
    fn an_older_page_ends_at_the_window() {
        let check = |seq: u64, limit: u32, after: u64, asked: u32| {
            let request = page_request(&ConversationId::from("c"), Page::Before(seq), limit);
            assert_eq!((request.after_seq, request.limit), (after, asked));
            assert_eq!(request.after_seq + u64::from(request.limit), seq);
        };
        check(901, 100, 800, 101);
        check(901, 1, 899, 2);
        check(40, 100, 0, 40);
        check(2, 100, 0, 2);
    }
}
