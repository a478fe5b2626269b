//! The live stream of one conversation, as `conv tail -f` and `conv start --wait` need it: opened, read with a
//! limit on silence. It keeps no place and does not reconnect; its readers do.

use std::time::Duration;

use fusionchat_proto::v1;
use tonic::Streaming;
use v1::watch_response::Frame;

use crate::connect::Client;
use crate::failure::{Exit, Failure};

/// The daemon sends a heartbeat after 5 s of silence; three missed ones are a dead connection.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// An open stream.
pub(crate) struct Live(Streaming<v1::WatchResponse>);

/// What a stream says about its conversation.
pub(crate) enum News {
    Change(Box<v1::Change>),
    /// The journal is another one than before; the rows must be read again.
    Reset,
    /// The stream has ended without an error.
    Ended,
}

impl Live {
    /// Opens the stream. When this returns, everything after is on it, so rows read later miss nothing.
    pub(crate) async fn open(client: &Client, conversation: &str) -> Result<Self, Failure> {
        let request = v1::WatchRequest { after: None, conversation: conversation.to_owned() };
        let mut stream = client.call(client.watch().watch(request)).await?;
        let first = tokio::time::timeout(client.timeout(), stream.message())
            .await
            .map_err(|_| Failure::timed_out("the live stream did not start"))?;
        match first.map_err(|status| Failure::from_status(&status))? {
            Some(v1::WatchResponse { frame: Some(Frame::Ready(_)) }) => Ok(Self(stream)),
            Some(_) | None => Err(Failure::new(
                Exit::Unreachable,
                "stream_ended",
                "the live stream ended before it began",
            )),
        }
    }

    /// The next change; signals and heartbeats only show that the connection lives.
    pub(crate) async fn next(&mut self) -> Result<News, Failure> {
        loop {
            let message =
                tokio::time::timeout(SILENCE_MAX, self.0.message()).await.map_err(|_| {
                    Failure::new(Exit::Unreachable, "silent", "the daemon has fallen silent")
                })?;
            let Some(response) = message.map_err(|status| Failure::from_status(&status))? else {
                return Ok(News::Ended);
            };
            match response.frame {
                Some(Frame::Change(change)) => return Ok(News::Change(Box::new(change))),
                Some(Frame::Reset(_)) => return Ok(News::Reset),
                Some(
                    Frame::Ready(_)
                    | Frame::Typing(_)
                    | Frame::Stream(_)
                    | Frame::Committed(_)
                    | Frame::Dropped(_)
                    | Frame::Heartbeat(_),
                )
                | None => {}
            }
        }
    }
}
