//! `conv tail`: the history of a conversation and, with `-f`, what follows. Messages are placed by their gapless
//! `seq`, notes by `position`, so a lost connection or a restarted daemon makes neither a gap nor a repeat.

use std::collections::VecDeque;

use fusionchat_proto::v1;
use futures::{StreamExt, stream};

use crate::cmd::Context;
use crate::cmd::conv::live::{Live, News};
use crate::cmd::conv::{Tail, read, speech};
use crate::cmd::list::PAGE_ROWS_MAX;
use crate::connect::{Backoff, Client};
use crate::failure::Failure;
use crate::output::{Item, Stream};

/// The whole stream of `conv tail`.
pub(crate) fn tail(context: &Context, arguments: Tail) -> Stream {
    let reader = Reader {
        client: context.client.clone(),
        conversation: arguments.conversation,
        follow: arguments.follow,
        place: Place::default(),
        ready: VecDeque::new(),
        phase: Phase::Opening,
        backoff: Backoff::new(),
        lost: Lost::Never,
    };
    let items = stream::unfold(reader, |mut reader| async move {
        reader.next().await.map(|item| (item, reader))
    });
    Stream { columns: &[], endless: arguments.follow, items: items.boxed() }
}

/// How far the conversation has been shown.
#[derive(Debug, Default)]
struct Place {
    /// The last message shown.
    seq: u64,
    /// The position of the last note shown.
    note_position: u64,
    /// The last message of the page read last; the next page starts there, so that notes between pages show.
    page_seq: u64,
}

/// What a message is to the place.
#[derive(Debug, Eq, PartialEq)]
enum Fit {
    Next,
    Shown,
    /// Something before it has not been shown.
    Ahead,
}

impl Place {
    /// Where the next page starts: one before, because the notes after that message are wanted.
    fn after_seq(&self) -> u64 {
        self.page_seq.saturating_sub(1)
    }

    fn fit(&self, seq: u64) -> Fit {
        match seq.checked_sub(self.seq) {
            Some(1) => Fit::Next,
            None | Some(0) => Fit::Shown,
            Some(_) => Fit::Ahead,
        }
    }

    /// The rows of a page that have not been shown, which then count as shown.
    fn take(&mut self, page: &v1::ListMessagesResponse) -> Vec<Item> {
        let messages: Vec<_> =
            page.messages.iter().filter(|message| message.seq > self.seq).collect();
        let notes: Vec<_> =
            page.notes.iter().filter(|note| note.position > self.note_position).collect();
        for message in &messages {
            self.seq = self.seq.max(message.seq);
        }
        for note in &notes {
            self.note_position = self.note_position.max(note.position);
        }
        speech::merged(messages, notes).into_iter().map(Item::Row).collect()
    }
}

#[derive(Debug, Eq, PartialEq)]
enum Lost {
    /// The conversation has not been seen yet: a failure is final.
    Never,
    /// Connected.
    No,
    /// Connection lost, and said so.
    Yes,
}

enum Phase {
    Opening,
    /// Reading pages until there are no more; the stream, if any, gathers what comes meanwhile.
    Paging(Option<Live>),
    Following(Live),
    Ended,
}

struct Reader {
    client: Client,
    conversation: String,
    follow: bool,
    place: Place,
    /// Read, but not yet handed out.
    ready: VecDeque<Item>,
    phase: Phase,
    backoff: Backoff,
    lost: Lost,
}

impl Reader {
    async fn next(&mut self) -> Option<Result<Item, Failure>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(Ok(item));
            }
            let phase = std::mem::replace(&mut self.phase, Phase::Ended);
            let step = match phase {
                Phase::Opening => self.open().await,
                Phase::Paging(live) => self.page(live).await,
                Phase::Following(live) => self.follow(live).await,
                Phase::Ended => return None,
            };
            match step {
                Ok(phase) => self.phase = phase,
                Err(failure) if self.lost == Lost::Never || !failure.retryable => {
                    return Some(Err(failure));
                }
                Err(failure) => self.reconnect(&failure).await,
            }
        }
    }

    async fn open(&mut self) -> Result<Phase, Failure> {
        self.place.page_seq = self.place.seq;
        if !self.follow {
            return Ok(Phase::Paging(None));
        }
        let live = Live::open(&self.client, &self.conversation).await?;
        if self.lost == Lost::Yes {
            let seq = self.place.seq;
            self.ready.push_back(Item::Notice(format!("connected again, going on after {seq}")));
        }
        Ok(Phase::Paging(Some(live)))
    }

    async fn page(&mut self, live: Option<Live>) -> Result<Phase, Failure> {
        let before = self.place.page_seq;
        let request = v1::ListMessagesRequest {
            conversation: self.conversation.clone(),
            after_seq: self.place.after_seq(),
            limit: PAGE_ROWS_MAX,
            last: false,
        };
        let page = read::page(&self.client, request).await?;
        self.ready.extend(self.place.take(&page));
        let last = page.messages.last().map_or(before, |message| message.seq);
        // A page that brought nothing new is left behind without overlap, so that reading always ends.
        self.place.page_seq = if last > before { last } else { before.saturating_add(1) };
        self.lost = Lost::No;
        self.backoff = Backoff::new();
        Ok(match live {
            live if page.more && !page.messages.is_empty() => Phase::Paging(live),
            Some(live) => Phase::Following(live),
            None => Phase::Ended,
        })
    }

    async fn follow(&mut self, mut live: Live) -> Result<Phase, Failure> {
        let change = match live.next().await? {
            News::Change(change) => change,
            News::Reset => {
                let text = "the daemon's history was replaced; reading it again";
                self.ready.push_back(Item::Notice(text.to_owned()));
                return Ok(Phase::Opening);
            }
            News::Ended => {
                return Err(Failure::new(
                    crate::failure::Exit::Unreachable,
                    "stream_ended",
                    "the daemon ended the stream",
                ));
            }
        };
        if let Some(note) = &change.note
            && note.position > self.place.note_position
        {
            self.place.note_position = note.position;
            self.ready.push_back(Item::Row(speech::of_note(note)));
        }
        let Some(message) = &change.message else { return Ok(Phase::Following(live)) };
        match self.place.fit(message.seq) {
            Fit::Shown => Ok(Phase::Following(live)),
            Fit::Next => {
                self.place.seq = message.seq;
                self.ready.push_back(Item::Row(speech::of_message(message)));
                Ok(Phase::Following(live))
            }
            Fit::Ahead => {
                self.place.page_seq = self.place.seq;
                Ok(Phase::Paging(Some(live)))
            }
        }
    }

    /// Says once that the connection is lost, waits, and starts over from the place.
    async fn reconnect(&mut self, failure: &Failure) {
        if self.lost == Lost::No {
            let text = format!("connection lost ({}); trying again", failure.message);
            self.ready.push_back(Item::Notice(text));
            self.lost = Lost::Yes;
        }
        self.phase = Phase::Opening;
        tokio::time::sleep(self.backoff.next(failure.retry_after_ms)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::{Fit, Place, v1};

    fn page(seqs: &[u64], notes: &[u64]) -> v1::ListMessagesResponse {
        let message = |seq: u64| v1::Message { seq, position: seq * 10, ..Default::default() };
        let note = |position: u64| v1::Note { position, ..Default::default() };
        v1::ListMessagesResponse {
            messages: seqs.iter().copied().map(message).collect(),
            notes: notes.iter().copied().map(note).collect(),
            more: false,
        }
    }

    #[test]
    fn overlapping_pages_show_everything_once() {
        let mut place = Place::default();
        assert_eq!(place.take(&page(&[1, 2], &[15])).len(), 3);
        assert_eq!(place.take(&page(&[2, 3], &[15, 25])).len(), 2);
        assert_eq!(place.take(&page(&[3], &[25])).len(), 0);
        assert_eq!((place.seq, place.note_position), (3, 25));
    }

    #[test]
    fn a_message_fits_or_not() {
        let place = Place { seq: 4, ..Place::default() };
        for (seq, fit) in [(3, Fit::Shown), (4, Fit::Shown), (5, Fit::Next), (7, Fit::Ahead)] {
            assert_eq!(place.fit(seq), fit);
        }
    }
}
