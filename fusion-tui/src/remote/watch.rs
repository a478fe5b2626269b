//! The live stream: opened, followed from the cursor, opened again after every loss. It forwards
//! what it gets in order and never drops a change; a full queue to the console holds the stream
//! back instead.

use std::time::Duration;

use fusionchat_proto::v1;
use fusionchat_proto::v1::watch_response::Frame;
use tokio::sync::mpsc;
use tonic::Code;

use super::backoff::Backoff;
use super::client::Client;
use super::convert;
use crate::event::Event;
use crate::text::SafeText;

/// A stream that says nothing for this long is dead: the daemon speaks every 5 seconds.
const SILENCE_MAX: Duration = Duration::from_secs(12);
/// How long opening the stream may take.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the stream stands.
#[derive(Debug, Default)]
struct Place {
    cursor: Option<v1::Cursor>,
    /// True if the console knows everything up to the cursor, so that the next stream continues the
    /// last.
    continues: bool,
}

/// Why a stream ended.
#[derive(Debug)]
enum End {
    Lost,
    Reset,
    Refused(SafeText),
    /// Nobody listens any more.
    Gone,
}

impl From<mpsc::error::SendError<Event>> for End {
    fn from(_: mpsc::error::SendError<Event>) -> Self {
        Self::Gone
    }
}

impl From<tonic::Status> for End {
    fn from(status: tonic::Status) -> Self {
        if matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied) {
            return Self::Refused(SafeText::line(&convert::problem(&status).text()));
        }
        Self::Lost
    }
}

/// Follows the organization until the console ends or the credential is refused.
pub(super) async fn follow(client: Client, events: mpsc::Sender<Event>) {
    let mut place = Place::default();
    let mut backoff = Backoff::default();
    loop {
        let Err(end) = follow_once(&client, &events, &mut place, &mut backoff).await;
        let told = match end {
            End::Gone => return,
            End::Refused(reason) => {
                drop(events.send(Event::Refused(reason)).await);
                return;
            }
            End::Lost => events.send(Event::Lost).await,
            End::Reset => events.send(Event::Reset).await,
        };
        if told.is_err() {
            return;
        }
        // Without randomness the waits are merely not spread.
        let random = getrandom::u64().unwrap_or(0);
        tokio::time::sleep(backoff.wait(random)).await;
    }
}

async fn follow_once(
    client: &Client,
    events: &mpsc::Sender<Event>,
    place: &mut Place,
    backoff: &mut Backoff,
) -> Result<std::convert::Infallible, End> {
    if !place.continues {
        sign_in(client, events).await?;
    }
    let request = v1::WatchRequest { after: place.cursor.clone(), conversation: String::new() };
    let mut calls = client.watch();
    let opened = tokio::time::timeout(OPEN_TIMEOUT, calls.watch(request)).await;
    let mut stream = opened.map_err(|_| End::Lost)??.into_inner();
    let mut before = None;
    loop {
        let answer = tokio::time::timeout(SILENCE_MAX, stream.message()).await;
        let answer = answer.map_err(|_| End::Lost)??.ok_or(End::Lost)?;
        match convert::frame(answer) {
            Some(Frame::Ready(ready)) => {
                backoff.reset();
                let resumed = place.continues;
                if place.cursor.is_none() {
                    place.cursor = ready.head;
                }
                place.continues = true;
                events.send(Event::Connected { resumed }).await?;
            }
            Some(Frame::Change(change)) => take_change(change, &mut before, place, events).await?,
            Some(Frame::Typing(signal)) => {
                if let Some(typist) = convert::typing(signal) {
                    events.send(Event::Typing(typist)).await?;
                }
            }
            Some(Frame::Reset(reset)) => {
                *place = Place { cursor: reset.head, continues: false };
                return Err(End::Reset);
            }
            Some(Frame::Heartbeat(beat)) => events.send(Event::DaemonClock(beat.now)).await?,
            Some(Frame::Stream(part)) => {
                events.send(Event::Answer(convert::answer_text(&part))).await?;
            }
            // The answer's message came before this.
            Some(Frame::Committed(v1::Committed { conversation_id, turn, .. }))
            | Some(Frame::Dropped(v1::Dropped { conversation_id, turn })) => {
                events.send(Event::Answer(convert::answer_end(&conversation_id, turn))).await?;
            }
            // A frame of a later version.
            None => {}
        }
    }
}

async fn sign_in(client: &Client, events: &mpsc::Sender<Event>) -> Result<(), End> {
    let mut calls = client.sessions();
    let asked = calls.get_session(v1::GetSessionRequest {});
    let answer = tokio::time::timeout(OPEN_TIMEOUT, asked).await.map_err(|_| End::Lost)??;
    let answer = answer.into_inner();
    let Some(user) = answer.user else {
        let reason = SafeText::line("this credential is not an agent's");
        return Err(End::Refused(reason));
    };
    events.send(Event::SignedIn(convert::me(user, answer.organization))).await?;
    Ok(())
}

/// Forwards a change, unless the stream skipped one: then the stream is opened again from the last
/// one known.
async fn take_change(
    change: v1::Change,
    before: &mut Option<u64>,
    place: &mut Place,
    events: &mpsc::Sender<Event>,
) -> Result<(), End> {
    let Some(cursor) = change.cursor.clone() else { return Ok(()) };
    if before.is_some_and(|before| before != change.prev) {
        return Err(End::Lost);
    }
    *before = Some(cursor.position);
    events.send(Event::Change(Box::new(convert::change(change)))).await?;
    place.cursor = Some(cursor);
    Ok(())
}
