//! The agents: each follows its own live stream and claims, answers and resolves over gRPC, again with the same
//! `clientId` whenever the daemon went away or an acknowledgement was ignored.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use fusionchat_proto::v1;
use tokio::sync::oneshot;
use tonic::{Code, Status};
use v1::watch_response::Frame;

use crate::chance::Chance;
use crate::ledger::Acked;
use crate::staff::{Staff, passes};
use crate::visitor::IGNORED_PERCENT;
use crate::world::{PATIENCE, State, TRIES_MAX, World};

/// One agent.
pub(crate) struct Desk<'w> {
    world: &'w World,
    staff: Staff,
    /// The visitors' messages that are expected on the stream, by `clientId`.
    expected: Mutex<HashMap<String, Expected>>,
}

struct Expected {
    since: Instant,
    life: u32,
    came: oneshot::Sender<()>,
}

impl<'w> Desk<'w> {
    /// An agent by its session.
    pub(crate) fn new(world: &'w World, grpc: &str, token: &str) -> Result<Self> {
        let staff = Staff::new(grpc, Some(token))?;
        Ok(Self { world, staff, expected: Mutex::default() })
    }

    /// Says that a visitor's message is about to be sent; what is returned tells when the stream has brought it.
    pub(crate) fn expect(&self, client_id: &str, life: u32) -> oneshot::Receiver<()> {
        let (came, comes) = oneshot::channel();
        let expected = Expected { since: Instant::now(), life, came };
        let mut all = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(client_id.to_owned(), expected);
        comes
    }

    /// Follows the stream through every life of the daemon, until everything has been played. `live` hears when it
    /// is live for the first time.
    pub(crate) async fn follow(&self, live: oneshot::Sender<()>) -> Result<()> {
        let mut live = Some(live);
        let mut after: Option<v1::Cursor> = None;
        let mut over = self.world.state.subscribe();
        loop {
            if *over.borrow() == State::Over {
                return Ok(());
            }
            tokio::select! {
                ended = self.follow_once(&mut after, &mut live) => ended?,
                _ = over.wait_for(|state| *state == State::Over) => return Ok(()),
            }
            tokio::select! {
                up = self.world.breath() => drop(up?),
                _ = over.wait_for(|state| *state == State::Over) => return Ok(()),
            }
        }
    }

    async fn follow_once(
        &self,
        after: &mut Option<v1::Cursor>,
        live: &mut Option<oneshot::Sender<()>>,
    ) -> Result<()> {
        let request = v1::WatchRequest { after: after.clone(), ..Default::default() };
        let mut stream = match self.staff.watch().watch(request).await {
            Ok(stream) => stream.into_inner(),
            Err(status) => return passes(&status),
        };
        let mut prev = 0;
        loop {
            let frame = match stream.message().await {
                Ok(Some(response)) => response.frame.context("a frame that is known here")?,
                Ok(None) => return Ok(()),
                Err(status) => return passes(&status),
            };
            match frame {
                Frame::Ready(ready) => {
                    if after.is_none() {
                        *after = ready.head;
                    }
                    live.take().map(|live| live.send(()));
                }
                Frame::Change(change) => {
                    let cursor = change.cursor.context("a change has a cursor")?;
                    let last = after.as_ref().map_or(0, |it| it.position);
                    ensure!(cursor.position > last, "position {} after {last}", cursor.position);
                    ensure!(change.prev == prev, "prev is {}, not {prev}", change.prev);
                    prev = cursor.position;
                    *after = Some(cursor);
                    if let Some(message) = change.message {
                        self.arrived(&message.client_id);
                    }
                }
                Frame::Reset(_) => bail!("the daemon cannot resume {after:?}"),
                Frame::Typing(_)
                | Frame::Stream(_)
                | Frame::Committed(_)
                | Frame::Dropped(_)
                | Frame::Heartbeat(_) => {}
            }
        }
    }

    fn arrived(&self, client_id: &str) {
        let mut all = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(expected) = all.remove(client_id) else { return };
        drop(all);
        // A time over a kill would measure the kill.
        if self.world.is_life(expected.life) {
            self.world.figures.to_agent.add(expected.since.elapsed());
        }
        // Nobody waits any more after a failure.
        let _ = expected.came.send(());
    }

    /// Claims a conversation.
    pub(crate) async fn claim(&self, conversation: &str, chance: &mut Chance) -> Result<()> {
        let request = v1::ClaimConversationRequest {
            client_id: chance.client_id(),
            conversation: conversation.to_owned(),
            take: false,
        };
        self.until_done(async || {
            self.staff.conversations().claim_conversation(request.clone()).await
        })
        .await?;
        Ok(())
    }

    /// Resolves a conversation.
    pub(crate) async fn resolve(&self, conversation: &str, chance: &mut Chance) -> Result<()> {
        let request = v1::ResolveConversationRequest {
            client_id: chance.client_id(),
            conversation: conversation.to_owned(),
            resolution: v1::Resolution::Agent.into(),
        };
        self.until_done(async || {
            self.staff.conversations().resolve_conversation(request.clone()).await
        })
        .await?;
        Ok(())
    }

    /// Replies until the acknowledgement is not ignored.
    pub(crate) async fn reply(
        &self,
        conversation: &str,
        client_id: &str,
        text: &str,
        chance: &mut Chance,
    ) -> Result<u64> {
        let request = v1::PostMessageRequest {
            client_id: client_id.to_owned(),
            conversation: conversation.to_owned(),
            content: text.to_owned(),
            sender_type: v1::SenderType::Unspecified.into(),
        };
        let mut ignored: Option<Acked> = None;
        for attempt in 0..TRIES_MAX {
            let (began, life) = (Instant::now(), self.world.up().await?);
            let answer = self
                .until_done(async || self.staff.conversations().post_message(request.clone()).await)
                .await?;
            let message = answer.into_inner().message.context("a message in the answer")?;
            if attempt == 0 && self.world.is_life(life) {
                self.world.figures.agent_ack.add(began.elapsed());
            } else if attempt > 0 {
                self.world.figures.again.up();
            }
            let ack = Acked {
                client_id: client_id.to_owned(),
                conversation: message.conversation_id,
                seq: message.seq,
                id: message.id,
                ignored: chance.happens(IGNORED_PERCENT),
            };
            self.world.acked(&ack, ignored.as_ref())?;
            if !ack.ignored {
                return Ok(ack.seq);
            }
            ignored = Some(ack);
        }
        bail!("no acknowledgement of {client_id} after {TRIES_MAX} sends")
    }

    /// Calls again, with the same `clientId`, until the daemon answers.
    async fn until_done<T>(&self, call: impl AsyncFn() -> Result<T, Status>) -> Result<T> {
        for attempt in 0..TRIES_MAX {
            self.world.up().await?;
            if attempt > 0 {
                self.world.figures.again.up();
            }
            match tokio::time::timeout(PATIENCE, call()).await.context("gRPC does not answer")? {
                Ok(done) => return Ok(done),
                Err(status) => {
                    passes(&status)?;
                    if status.code() == Code::ResourceExhausted {
                        self.world.figures.refused.up();
                    }
                    self.world.breath().await?;
                }
            }
        }
        bail!("the daemon is not there after {TRIES_MAX} calls")
    }
}
