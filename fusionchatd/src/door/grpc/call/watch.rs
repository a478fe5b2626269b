//! The live stream. It needs no task and no queue of its own: the connection asks for the next
//! frame when it has room for one, and only then is the journal read on.

use std::sync::Arc;

use fusionchat_proto::v1;
use fusionchat_proto::v1::watch_response::Frame;
use futures::stream::{self, StreamExt};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::domain::actor::Permission;
use crate::door::grpc::stream::{Outgoing, Outgoings};
use crate::door::grpc::{Door, Timing, auth, draining, wire};
use crate::service::Service;
use crate::service::ephemeral::{Ephemeral, Part, Streamed};
use crate::service::error::Error;
use crate::service::status::{Connected, Counted};
use crate::service::subscribe::{Cursor, Signal, Subscribed, Watcher};

impl Door {
    /// What happens from a place in the journal on, as long as the caller may see it.
    pub(in crate::door::grpc) async fn watch(
        &self,
        request: Request<v1::WatchRequest>,
    ) -> Result<Response<Outgoings>, Status> {
        let token = auth::bearer(request.metadata())?.to_owned();
        let (actor, body) = self.open(request).await?;
        let mut grants = self.service.hub().grants(actor.organization);
        // A token that ended after it was checked and before this line is seen before the first
        // change.
        grants.mark_changed();
        let after = body.after.map(|it| resumed(&it));
        let watcher = match self.service.watch(&actor, Some(&body.conversation), after).await? {
            Subscribed::Live(watcher) => watcher,
            Subscribed::Reset(head) => {
                let reset = Frame::Reset(v1::Reset { head: Some(wire::cursor(head)) });
                return Ok(Response::new(stream::iter([Ok(other(reset))]).boxed()));
            }
        };
        let ready = Frame::Ready(v1::Ready { head: Some(wire::cursor(watcher.cursor())) });
        let now = Instant::now();
        // Boxed, so that a frame moves its address.
        let live = Box::new(Live {
            service: Arc::clone(&self.service),
            stop: self.stop.clone(),
            timing: self.timing,
            token,
            grants,
            watcher,
            prev: 0,
            heartbeat_at: now + self.timing.heartbeat,
            check_at: now + self.timing.heartbeat,
            over: false,
            _counted: self.service.count(Connected::Stream),
        });
        let frames = stream::unfold(Some(live), async |live| {
            let mut live = live.filter(|live| !live.over)?;
            match live.next().await {
                Ok(next) => Some((Ok(next), Some(live))),
                Err(error) => Some((Err(Status::from(error)), None)),
            }
        });
        Ok(Response::new(stream::iter([Ok(other(ready))]).chain(frames).boxed()))
    }
}

/// A frame that is no change.
fn other(frame: Frame) -> Outgoing {
    Outgoing::Other(Box::new(v1::WatchResponse { frame: Some(frame) }))
}

/// The frame of what is never stored.
fn ephemeral(signal: &Ephemeral) -> Frame {
    match signal {
        Ephemeral::Typing(typing) => Frame::Typing(wire::typing(typing)),
        Ephemeral::Streamed(Streamed { place, turn, part }) => {
            let (conversation_id, turn) = (place.conversation.to_string(), *turn);
            match part {
                Part::Text { n, text } => {
                    let (n, text) = (*n, text.clone());
                    Frame::Stream(v1::Stream { conversation_id, turn, n, text })
                }
                Part::Committed { seq } => {
                    Frame::Committed(v1::Committed { conversation_id, turn, seq: *seq })
                }
                Part::Dropped => Frame::Dropped(v1::Dropped { conversation_id, turn }),
            }
        }
    }
}

/// The place a client names. An epoch that is none is one that has passed: it is answered by a
/// reset.
fn resumed(cursor: &v1::Cursor) -> Cursor {
    let epoch = Uuid::try_parse(&cursor.epoch).unwrap_or(Uuid::nil());
    Cursor { epoch, position: cursor.position }
}

/// A stream after its first frame.
struct Live {
    service: Arc<Service>,
    stop: CancellationToken,
    timing: Timing,
    token: String,
    grants: watch::Receiver<u64>,
    watcher: Box<Watcher>,
    /// The position of the change sent last.
    prev: u64,
    heartbeat_at: Instant,
    check_at: Instant,
    /// A reset was the last frame.
    over: bool,
    _counted: Counted,
}

impl Live {
    async fn next(&mut self) -> Result<Outgoing, Error> {
        let now = Instant::now();
        if let Some(signal) = self.at_hand(now) {
            self.heartbeat_at = now + self.timing.heartbeat;
            return Ok(self.show(signal, true));
        }
        let next = self.wait().await?;
        self.heartbeat_at = Instant::now() + self.timing.heartbeat;
        Ok(next)
    }

    async fn wait(&mut self) -> Result<Outgoing, Error> {
        loop {
            // In this order: whoever lost their rights hears nothing more, however much there is to
            // hear.
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(draining()),
                turned = self.grants.changed() => {
                    turned.map_err(|_| draining())?;
                    if let Some(reset) = self.check().await? { return Ok(reset); }
                }
                () = tokio::time::sleep_until(self.check_at) => {
                    if let Some(reset) = self.check().await? { return Ok(reset); }
                }
                () = tokio::time::sleep_until(self.heartbeat_at) => {
                    return Ok(other(Frame::Heartbeat(v1::Heartbeat { now: self.service.now() })));
                }
                signal = self.watcher.next() => return Ok(self.show(signal?, false)),
            }
        }
    }

    /// What was read before, if nothing else is due: a reader far behind need not set two timers for every frame.
    fn at_hand(&mut self, now: Instant) -> Option<Signal> {
        let due = self.stop.is_cancelled()
            || self.grants.has_changed().unwrap_or(true)
            || self.check_at <= now;
        if due { None } else { self.watcher.at_hand() }
    }

    fn show(&mut self, signal: Signal, at_hand: bool) -> Outgoing {
        match signal {
            Signal::Change(change) => {
                let at = self.watcher.cursor();
                let prev = std::mem::replace(&mut self.prev, at.position);
                Outgoing::Change { change, at, prev, at_hand }
            }
            Signal::Ephemeral(signal) => other(ephemeral(&signal)),
        }
    }

    /// Whether the token still opens this stream. Whoever reaches other inboxes than before has to read again.
    async fn check(&mut self) -> Result<Option<Outgoing>, Error> {
        self.check_at = Instant::now() + self.timing.heartbeat;
        let actor = auth::staff(&self.service, &self.token).await?;
        if !actor.may(Permission::ReadConversations) {
            return Err(Error::forbidden());
        }
        if self.watcher.renew(actor).await? {
            return Ok(None);
        }
        self.over = true;
        let head = Some(wire::cursor(self.watcher.cursor()));
        Ok(Some(other(Frame::Reset(v1::Reset { head }))))
    }
}
