//! One visitor's socket, as one task: hello, replay, then whatever comes first of the visitor's
//! frames, the conversation's signals, changed rights, the next ping and the daemon's stop. A
//! visitor's frames are done one after another, each answered before the next is read: a client
//! that does not wait is slowed, not buffered.

use std::pin::{Pin, pin};
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, Sleep};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_util::sync::WaitForCancellationFuture;

use crate::domain::id::ConversationId;
use crate::domain::name;
use crate::domain::turn::awaits_assistant;
use crate::door::http::call::parse_client_id;
use crate::door::http::wire::conversation::VisitorConversation;
use crate::door::http::{Door, Peer, problem};
use crate::door::status::{self, CLOSE_RESTART, CLOSE_SESSION_ENDED};
use crate::service::error::Error;
use crate::service::status::Connected;
use crate::service::subscribe::{VisitorSignal, VisitorWatcher};
use crate::service::view::{ConversationView, MessageView};
use crate::service::visitor::Guest;

use super::frame::{self, Act, FromVisitor, ToVisitor};
use super::hello::{admit, look, resumed, say_welcome};
use super::wire::{End, POLICY, Wire, end_of_hello};

/// How many messages a client without a cursor gets.
const REPLAY_MAX: u64 = 200;
/// The least and the most a client is told to wait when the daemon stops: not all shall come back
/// at once.
const BYE_MS_MIN: u64 = 1_000;
const BYE_MS_SPREAD: u64 = 2_000;

/// No hello, a late one or a bad one.
const NO_HELLO: End = End::Close(4001, "say hello first");
/// The session has ended.
const SESSION_ENDED: End = End::Close(CLOSE_SESSION_ENDED, "session ended");
/// The daemon is stopping.
const RESTART: End = End::Close(CLOSE_RESTART, "restart");

/// Serves a socket until it ends.
pub(super) async fn run(door: Arc<Door>, peer: Peer, mut wire: Box<Wire>) {
    let _counted = door.service.count(Connected::Socket);
    // Boxed, so that a visitor who only waits does not hold the memory of hello and goodbye.
    let end = match Box::pin(Visitor::greet(&door, &peer, &mut wire)).await {
        Ok(mut visitor) => visitor.converse(&mut wire).await,
        Err(end) => end,
    };
    Box::pin(wire.close(end)).await;
    drop(peer.seat);
}

/// A visitor who has said hello.
struct Visitor {
    door: Arc<Door>,
    peer: Peer,
    guest: Guest,
    locale: Option<String>,
    watcher: VisitorWatcher,
    grants: watch::Receiver<u64>,
    /// When the next ping is due.
    ping: Pin<Box<Sleep>>,
    /// Their name as it was shown last; empty if they gave none.
    name: String,
    /// The conversation and what is known of it.
    conversation: Option<ConversationId>,
    /// The last seq sent, until the replay is done.
    seq: u64,
    staff_mark: u64,
    /// Up to where the replay goes; none once it is done.
    replay_to: Option<u64>,
    typed_at: Option<Instant>,
    /// Whether others may come to write to this socket.
    may_share: bool,
}

impl Visitor {
    async fn greet(door: &Arc<Door>, peer: &Peer, wire: &mut Wire) -> Result<Box<Self>, End> {
        let first = tokio::select! {
            () = door.stop.cancelled() => return Err(goodbye(wire, 0).await),
            first = tokio::time::timeout(door.options.hello_timeout, wire.read()) => first,
        };
        let first = first.map_err(|_| NO_HELLO)??;
        let (inbox, origin, session, resume, locale) = match frame::read(&first) {
            Ok(FromVisitor::Hello { inbox, origin, session, resume, locale }) => {
                (inbox, origin, session, resume, locale)
            }
            Ok(_) => {
                let error = Error::invalid("hello_needed", "the first frame is not a hello");
                send_error(wire, &error, None).await?;
                return Err(NO_HELLO);
            }
            Err(refused) => {
                send_error(wire, &refused.error, refused.client_id.as_deref()).await?;
                return Err(NO_HELLO);
            }
        };
        let service = &door.service;
        let welcome = match admit(service, &inbox, &origin, session.as_deref()).await {
            Ok(welcome) => welcome,
            Err(error) => {
                send_error(wire, &error, None).await?;
                return Err(end_of_hello(&error));
            }
        };
        let grants = service.hub().grants(welcome.organization.id);
        let found = look(service, &welcome.guest, session.is_some()).await;
        let (conversation, staffed) = match found {
            Ok(found) => found,
            Err(error) => {
                send_error(wire, &error, None).await?;
                return Err(end_of_hello(&error));
            }
        };
        let last_seq = conversation.as_ref().map_or(0, |view| view.header.last_seq);
        let asked = resume.as_ref().map(|resume| resumed(service, conversation.as_ref(), resume));
        let seq = asked.flatten().unwrap_or_else(|| last_seq.saturating_sub(REPLAY_MAX));
        let watcher = service.watch_visitor(&welcome.guest.actor(), conversation.as_ref(), seq);
        let watcher = watcher.map_err(|error| end_of_hello(&error))?;
        say_welcome(wire, service, &welcome, conversation.as_ref(), staffed).await?;
        let reset = asked == Some(None);
        if reset {
            wire.send(&ToVisitor::Reset { epoch: service.epoch().to_string() }).await?;
        }
        // Boxed, so that it is moved by its address: each move of itself would be room in its task.
        Ok(Box::new(Self {
            door: Arc::clone(door),
            peer: peer.clone(),
            locale: locale.and_then(|text| name::locale(&text).ok()),
            guest: welcome.guest,
            watcher,
            grants,
            ping: Box::pin(tokio::time::sleep(door.options.ping_interval)),
            conversation: conversation.as_ref().map(|view| view.header.id),
            name: conversation.as_ref().map(|view| view.visitor_name.clone()).unwrap_or_default(),
            seq,
            staff_mark: conversation.as_ref().map_or(0, |view| view.header.staff_mark),
            replay_to: (conversation.is_some() || reset).then_some(last_seq),
            typed_at: None,
            may_share: true,
        }))
    }

    async fn converse(&mut self, wire: &mut Wire) -> End {
        let stop = self.door.stop.clone();
        // One for all steps: to come and to go takes a lock that all sockets share.
        let mut stopped = pin!(stop.cancelled());
        loop {
            if let Err(end) = self.step(wire, stopped.as_mut()).await {
                return end;
            }
        }
    }

    /// Waits for one thing and does it. What is waited for may be dropped at any time; what is done
    /// may not.
    async fn step(
        &mut self,
        wire: &mut Wire,
        stopped: Pin<&mut WaitForCancellationFuture<'_>>,
    ) -> Result<(), End> {
        if self.replay_to.is_some_and(|last| self.seq >= last) {
            self.replay_to = None;
            Box::pin(wire.send(&ToVisitor::Live { last_seq: self.seq })).await?;
        }
        if self.watcher.take_owed() {
            // Before anything else is done, so that the time a slow reader has begins to run.
            Box::pin(wire.settle()).await?;
        }
        if self.may_share && self.replay_to.is_none() && self.watcher.is_crowded() {
            if let Some(outgoing) = wire.share(&self.door, &self.grants) {
                self.watcher.enter_crowd(outgoing);
            }
            // What cannot be shared never can.
            self.may_share = false;
        }
        let came = tokio::select! {
            () = stopped => Came::Stop,
            text = wire.read() => Came::Frame(text?),
            signal = self.watcher.next() => Came::Signal(signal),
            _ = self.grants.changed() => Came::Rights,
            () = self.ping.as_mut() => Came::Tick,
        };
        match came {
            Came::Stop => {
                let spread = u64::from(self.guest.claims.session.bytes()[15]);
                Err(Box::pin(goodbye(wire, spread)).await)
            }
            // Boxed, so that an idle visitor does not hold the memory of a busy one.
            Came::Frame(text) => Box::pin(self.hear(wire, &text)).await,
            Came::Signal(Ok(signal)) => Box::pin(self.tell(wire, signal)).await,
            Came::Signal(Err(error)) => Err(Box::pin(end_with(wire, &error)).await),
            Came::Rights => Box::pin(self.check_rights(wire)).await,
            Came::Tick if self.door.service.now() >= self.guest.claims.expires_at => {
                Err(SESSION_ENDED)
            }
            Came::Tick => {
                self.ping.as_mut().reset(Instant::now() + self.door.options.ping_interval);
                Box::pin(wire.ping()).await
            }
        }
    }

    /// Does what a frame of the visitor asks for.
    async fn hear(&mut self, wire: &mut Wire, text: &str) -> Result<(), End> {
        let frame = match frame::read(text) {
            Ok(frame) => frame,
            Err(refused) => {
                wire.count_signal()?;
                return send_error(wire, &refused.error, refused.client_id.as_deref()).await;
            }
        };
        match frame {
            FromVisitor::Message { client_id, content } => {
                self.message(wire, &client_id, content).await
            }
            FromVisitor::Person { client_id } => self.act(wire, &client_id, Act::Person).await,
            FromVisitor::End { client_id } => self.act(wire, &client_id, Act::End).await,
            FromVisitor::Confirm { client_id } => self.act(wire, &client_id, Act::Confirm).await,
            FromVisitor::Typing {} => {
                wire.count_signal()?;
                self.typing();
                Ok(())
            }
            FromVisitor::Read { seq } => {
                wire.count_signal()?;
                self.read(wire, seq).await
            }
            FromVisitor::Ping {} => {
                wire.count_signal()?;
                wire.send(&ToVisitor::Pong {}).await
            }
            FromVisitor::Hello { .. } => {
                let error = Error::invalid("hello_twice", "hello has been said");
                send_error(wire, &error, None).await?;
                Err(POLICY)
            }
        }
    }

    async fn message(&mut self, wire: &mut Wire, id: &str, content: String) -> Result<(), End> {
        let service = &self.door.service;
        let posted = async {
            let client_id = parse_client_id(id)?;
            if self.conversation.is_none() {
                service.limiter().conversation(self.peer.address)?;
            }
            service.guest_message(&self.guest, client_id, content, self.locale.clone()).await
        };
        let posted = match posted.await {
            Ok(posted) => posted,
            Err(error) => {
                wire.count_signal()?;
                return refuse(wire, &error, Some(id)).await;
            }
        };
        let message = &posted.message.message;
        wire.send(&ToVisitor::Ack {
            client_id: id.to_owned(),
            conversation: message.conversation.to_string(),
            seq: Some(message.seq),
            id: Some(message.id.to_string()),
        })
        .await?;
        self.conversation = Some(message.conversation);
        if awaits_assistant(&posted.conversation.header) {
            wire.send(&ToVisitor::Typing { by: "assistant", name: "" }).await?;
        }
        Ok(())
    }

    async fn act(&mut self, wire: &mut Wire, id: &str, act: Act) -> Result<(), End> {
        wire.count_signal()?;
        let service = &self.door.service;
        let actor = &self.guest.actor();
        let done = async {
            let client_id = Some(parse_client_id(id)?);
            // A new visitor costs nothing; what one asks for who has said nothing yet counts for the address.
            if self.conversation.is_none() {
                service.limiter().conversation(self.peer.address)?;
            }
            match act {
                Act::Person => service.wish_for_person(actor, client_id, None).await,
                Act::End => service.end_by_visitor(actor, client_id, None, false).await,
                Act::Confirm => service.end_by_visitor(actor, client_id, None, true).await,
            }
        };
        match done.await {
            Ok(answer) => {
                let conversation =
                    answer.refs.conversation.map(ConversationId).or(self.conversation);
                wire.send(&ToVisitor::Ack {
                    client_id: id.to_owned(),
                    conversation: conversation.map(|it| it.to_string()).unwrap_or_default(),
                    seq: answer.refs.seq,
                    id: None,
                })
                .await
            }
            Err(error) => refuse(wire, &error, Some(id)).await,
        }
    }

    fn typing(&mut self) {
        let Some(conversation) = self.conversation else { return };
        let least = self.door.options.typing_interval;
        if self.typed_at.is_some_and(|at| at.elapsed() < least) {
            return;
        }
        self.typed_at = Some(Instant::now());
        self.door.service.type_as_guest(&self.guest, conversation, &self.name);
    }

    async fn read(&mut self, wire: &mut Wire, seq: u64) -> Result<(), End> {
        let Some(conversation) = self.conversation else { return Ok(()) };
        let text = conversation.to_string();
        match self.door.service.mark_read(&self.guest.actor(), &text, seq).await {
            Ok(()) => Ok(()),
            Err(error) => refuse(wire, &error, None).await,
        }
    }

    /// Tells the visitor what has happened.
    async fn tell(&mut self, wire: &mut Wire, signal: VisitorSignal) -> Result<(), End> {
        if !matches!(self.grants.has_changed(), Ok(false)) {
            // Both came at once.
            self.check_rights(wire).await?;
        }
        match signal {
            VisitorSignal::Message(post) => {
                self.meet(&post.view);
                wire.send_made(frame::made(&post, &self.door.service)).await
            }
            VisitorSignal::Messages(views) => {
                let settings = self.door.service.settings();
                for view in &views {
                    self.meet(view);
                    wire.send(&frame::message(view, &settings.public_url)).await?;
                }
                Ok(())
            }
            VisitorSignal::Owed => wire.settle().await,
            VisitorSignal::Status(view) => self.tell_status(wire, &view).await,
            VisitorSignal::Ephemeral(signal) => {
                let Some(frame) = ToVisitor::of(&signal) else { return Ok(()) };
                if !wire.offer(&frame).await? {
                    self.watcher.shed(&signal);
                }
                Ok(())
            }
        }
    }

    /// Takes note of a message that is shown.
    fn meet(&mut self, view: &MessageView) {
        let conversation = view.message.conversation;
        if self.conversation.is_some_and(|known| known != conversation) {
            // Another tab has begun a new one: what was to be replayed is history.
            self.staff_mark = 0;
            self.replay_to = self.replay_to.map(|_| 0);
        }
        self.conversation = Some(conversation);
        self.seq = view.message.seq;
    }

    async fn tell_status(&mut self, wire: &mut Wire, view: &ConversationView) -> Result<(), End> {
        let staffed = match self.door.service.is_staffed_for(&self.guest.actor()).await {
            Ok(staffed) => staffed,
            Err(error) => return Err(end_with(wire, &error).await),
        };
        self.name.clone_from(&view.visitor_name);
        let conversation = VisitorConversation::from(view);
        wire.send(&ToVisitor::Status { conversation, staffed }).await?;
        let mark = view.header.staff_mark;
        if mark > self.staff_mark {
            self.staff_mark = mark;
            wire.send(&ToVisitor::Read { seq: mark }).await?;
        }
        Ok(())
    }

    /// Somebody's rights have changed: perhaps this visitor's.
    async fn check_rights(&mut self, wire: &mut Wire) -> Result<(), End> {
        self.grants.borrow_and_update();
        match self.door.service.check_visitor(&self.guest.claims).await {
            Ok(()) => {
                wire.allow(&self.grants);
                Ok(())
            }
            Err(error) => {
                send_error(wire, &error, None).await?;
                Err(end_of_hello(&error))
            }
        }
    }
}

/// What a step waited for.
enum Came {
    Stop,
    Frame(Utf8Bytes),
    Signal(Result<VisitorSignal, Error>),
    Rights,
    Tick,
}

async fn send_error(wire: &mut Wire, error: &Error, id: Option<&str>) -> Result<(), End> {
    problem::log_cause(error);
    wire.send(&ToVisitor::Error {
        code: error.code,
        message: &error.message,
        hint: &error.hint,
        params: &error.params,
        client_id: id,
        retry_after_ms: error.retry_after_ms,
    })
    .await
}

/// Answers what the visitor asked for in vain. Some kinds of failure end the socket.
async fn refuse(wire: &mut Wire, error: &Error, id: Option<&str>) -> Result<(), End> {
    send_error(wire, error, id).await?;
    match status::of(error.kind).close {
        Some(code) => Err(End::Close(code, error.code)),
        None => Ok(()),
    }
}

/// Ends the socket because of a failure nobody asked for.
async fn end_with(wire: &mut Wire, error: &Error) -> End {
    match refuse(wire, error, None).await {
        Ok(()) => End::Close(1011, error.code),
        Err(end) => end,
    }
}

/// Says that the daemon comes back; `spread` out of 256 sets when this client does.
async fn goodbye(wire: &mut Wire, spread: u64) -> End {
    let retry_after_ms = BYE_MS_MIN + spread * BYE_MS_SPREAD / 256;
    match wire.send(&ToVisitor::Bye { retry_after_ms }).await {
        Ok(()) => RESTART,
        Err(end) => end,
    }
}
