//! Request bodies that must keep coming: the library waits for them for ever, and a client that sends one byte now and
//! then would hold its call, its connection and what it has sent so far.

use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::Request;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::time::Instant;
use tonic::Status;
use tonic::body::Body;

use crate::door::bytes_within;
use crate::service::error::Error;

/// What keeps its request open as long as it likes: the client asks by it when it wants to.
const REFLECTION: &str = "/grpc.reflection.";

/// The same request; reading its body fails once it comes more slowly than the doors allow.
pub(super) fn paced(request: Request<Body>, patience: Duration) -> Request<Body> {
    if request.uri().path().starts_with(REFLECTION) {
        return request;
    }
    request.map(|body| {
        let pace = Pace { body, patience, due: Instant::now() + patience, came: 0 };
        Body::new(StreamBody::new(stream::unfold(Some(pace), async |pace| pace?.next().await)))
    })
}

struct Pace {
    body: Body,
    patience: Duration,
    /// By when enough must have come, and what has.
    due: Instant,
    came: usize,
}

impl Pace {
    async fn next(mut self) -> Option<(Result<Frame<Bytes>, Status>, Option<Self>)> {
        loop {
            match tokio::time::timeout_at(self.due, self.body.frame()).await {
                Ok(None) => return None,
                Ok(Some(Ok(frame))) => {
                    self.came += frame.data_ref().map_or(0, Bytes::len);
                    return Some((Ok(frame), Some(self)));
                }
                Ok(Some(Err(status))) => return Some((Err(status), None)),
                Err(_) if self.came >= bytes_within(self.patience) => {
                    self.came = 0;
                    self.due = Instant::now() + self.patience;
                }
                Err(_) => {
                    let error = Error::invalid("too_slow", "the request came too slowly");
                    return Some((Err(error.into()), None));
                }
            }
        }
    }
}
