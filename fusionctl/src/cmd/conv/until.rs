//! Waiting for something to be true of a conversation: its rows are read, and read again whenever the live stream
//! says that they changed. A lost connection or a restarted daemon makes it wait longer and miss nothing.

use fusionchat_proto::v1;

use crate::cmd::conv::live::{Live, News};
use crate::cmd::conv::read;
use crate::cmd::expect;
use crate::cmd::list::PAGE_ROWS_MAX;
use crate::connect::{Backoff, Client};
use crate::failure::{Exit, Failure};

/// A conversation as it is now.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) conversation: v1::Conversation,
    /// The messages after the number that was asked for, at most a page.
    pub(crate) messages: Vec<v1::Message>,
}

/// Reads the conversation, and its messages after `after_seq`.
pub(crate) async fn see(
    client: &Client,
    conversation: &str,
    after_seq: u64,
) -> Result<Seen, Failure> {
    let request = v1::GetConversationRequest { conversation: conversation.to_owned() };
    let answer = client.call(client.conversations().get_conversation(request)).await?;
    let request = v1::ListMessagesRequest {
        conversation: conversation.to_owned(),
        after_seq,
        limit: PAGE_ROWS_MAX,
        last: false,
    };
    let messages = read::page(client, request).await?.messages;
    Ok(Seen { conversation: expect(answer.conversation, "conversation")?, messages })
}

/// Waits across lost connections until `look` makes something of the conversation; the caller sets the limit.
/// `conversation` is its id.
pub(crate) async fn until<T>(
    client: &Client,
    conversation: &str,
    after_seq: u64,
    mut look: impl FnMut(&Seen) -> Option<T>,
) -> Result<T, Failure> {
    let mut backoff = Backoff::new();
    loop {
        let failure = match attempt(client, conversation, after_seq, &mut look).await {
            Ok(found) => return Ok(found),
            Err(failure) if failure.retryable => failure,
            Err(failure) => return Err(failure),
        };
        tokio::time::sleep(backoff.next(failure.retry_after_ms)).await;
    }
}

/// Watches first and reads the rows then, so that nothing can fall between.
async fn attempt<T>(
    client: &Client,
    conversation: &str,
    after_seq: u64,
    look: &mut impl FnMut(&Seen) -> Option<T>,
) -> Result<T, Failure> {
    let mut live = Live::open(client, conversation).await?;
    loop {
        if let Some(found) = look(&see(client, conversation, after_seq).await?) {
            return Ok(found);
        }
        loop {
            match live.next().await? {
                News::Change(change) if matters(&change, conversation) => break,
                News::Change(_) => {}
                News::Reset | News::Ended => {
                    let text = "the daemon ended the stream";
                    return Err(Failure::new(Exit::Unreachable, "stream_ended", text));
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
