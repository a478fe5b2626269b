//! One visitor's socket, as one task: hello, replay, then whatever comes first of the visitor's
//! frames, the conversation's signals, changed rights, the next ping and the daemon's stop. A
//! visitor's frames are done one after another, each answered before the next is read: a client
//! that does not wait is slowed, not buffered.

use std::future::{self, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::domain::id::ConversationId;
use crate::domain::name;
use crate::door::http::wire::conversation::VisitorConversation;
use crate::door::http::{Door, Peer, problem};
use crate::door::seat::Seat;
use crate::door::status::{self, CLOSE_RESTART, CLOSE_SESSION_ENDED};
use crate::service::error::Error;
use crate::service::status::{Connected, Counted};
use crate::service::subscribe::{News, VisitorSignal, VisitorWatcher};
use crate::service::view::{ConversationView, MessageView};
use crate::service::visitor::Guest;

use super::frame::{self, FromVisitor, ToVisitor};
use super::guard::Guard;
use super::hello::{admit, look, resumed, say_welcome};
use super::outlet::Line;
use super::wire::{End, Wire, end_of_hello};

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

/// A socket and whose it is, from the upgrade to the end.
pub(super) struct Socket {
    wire: Wire,
    door: Arc<Door>,
    /// Kept as long as the socket is.
    seat: Arc<Seat>,
    _counted: Counted,
}

impl Socket {
    /// Over a connection that has been upgraded.
    pub(super) fn new(door: Arc<Door>, peer: Peer, stream: Guard<Line>) -> Self {
        let wire = Wire::new(stream, door.options.write_timeout);
        let _counted = door.service.count(Connected::Socket);
        Self { wire, door, seat: peer.seat, _counted }
    }

    /// Serves it until it ends.
    pub(super) fn run(mut self) -> impl Future<Output = ()> + Send {
        let close_timeout = self.door.options.close_timeout;
        // Not an `async fn`: that would have room for the socket twice, as its argument and as its own.
        async move {
            let mut visitor = None;
            // Boxed, so that a visitor who only waits does not hold the memory of hello and goodbye.
            let end = match Box::pin(Visitor::greet(&mut self, &mut visitor)).await {
                Ok(visitor) => visitor.converse(&mut self.wire).await,
                Err(end) => end,
            };
            // Who is told goodbye is no reader any more.
            drop(visitor);
            Box::pin(self.wire.close(end, close_timeout)).await;
        }
    }
}

/// What is to be done next, boxed so that a visitor who only waits does not hold its memory.
type Step<'a> = BoxFuture<'a, Result<(), End>>;

/// A visitor who has said hello.
pub(super) struct Visitor {
    pub(super) door: Arc<Door>,
    pub(super) seat: Arc<Seat>,
    pub(super) guest: Guest,
    pub(super) locale: Option<Box<str>>,
    watcher: VisitorWatcher,
    grants: watch::Receiver<u64>,
    /// Boxed: most visitors have no conversation.
    pub(super) talk: Option<Box<Talk>>,
    /// Whether others may come to write to this socket.
    may_share: bool,
    /// How often something was waited for: what is looked at first changes with it, so that nothing waits for ever.
    turn: u8,
}

/// What a visitor is shown of their conversation.
#[derive(Default)]
pub(super) struct Talk {
    pub(super) conversation: Option<ConversationId>,
    /// The visitor's name as it was shown last; empty if they gave none.
    pub(super) name: String,
    /// The last seq sent, until the replay is done.
    seq: u64,
    staff_mark: u64,
    /// Up to where the replay goes; none once it is done.
    replay_to: Option<u64>,
    pub(super) typed_at: Option<Instant>,
}

impl Talk {
    /// What is sent to a visitor who has `seq` already.
    fn of(view: Option<&ConversationView>, seq: u64) -> Self {
        let Some(view) = view else { return Self { replay_to: Some(0), ..Self::default() } };
        let ConversationView { header, visitor_name, .. } = view;
        let (conversation, replay_to) = (Some(header.id), Some(header.last_seq));
        let (name, staff_mark) = (visitor_name.clone(), header.staff_mark);
        Self { conversation, name, seq, staff_mark, replay_to, typed_at: None }
    }
}

impl Visitor {
    /// Hears a hello and answers it; `to` is where the visitor then is.
    async fn greet<'a>(socket: &mut Socket, to: &'a mut Option<Self>) -> Result<&'a mut Self, End> {
        let Socket { wire, door, seat, .. } = socket;
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
        Ok(to.insert(Self {
            door: Arc::clone(door),
            seat: Arc::clone(seat),
            locale: locale.and_then(|text| name::locale(&text).ok()).map(String::into_boxed_str),
            guest: welcome.guest,
            watcher,
            grants,
            talk: (conversation.is_some() || reset)
                .then(|| Box::new(Talk::of(conversation.as_ref(), seq))),
            may_share: true,
            turn: 0,
        }))
    }

    async fn converse(&mut self, wire: &mut Wire) -> End {
        // One for all that is waited for: to come and to go takes a lock that all sockets share.
        let bell = self.door.service.hub().bell(self.guest.claims.organization);
        let mut rung = pin!(bell.rung());
        // As if it had rung: what came before is looked for once.
        let (mut is_rung, mut beats) = (true, bell.beats());
        loop {
            while let Some(step) = self.due(wire) {
                if let Err(end) = step.await {
                    return end;
                }
            }
            self.turn = self.turn.wrapping_add(1);
            let (rare_first, frame_first) = (self.turn & 1 == 0, self.turn & 2 == 0);
            // What is waited for may be dropped at any time; what is done may not.
            let came = {
                let Self { door, grants, watcher, .. } = self;
                let mut told = pin!(watcher.wait());
                poll_fn(|context| {
                    let mut rare = |context: &mut Context<'_>| {
                        loop {
                            if is_rung && door.stop.is_cancelled() {
                                return Poll::Ready(Came::Stop);
                            }
                            if is_rung && !matches!(grants.has_changed(), Ok(false)) {
                                return Poll::Ready(Came::Rights);
                            }
                            if is_rung && std::mem::replace(&mut beats, bell.beats()) != beats {
                                return Poll::Ready(Came::Beat);
                            }
                            is_rung = false;
                            ready!(rung.as_mut().poll(context));
                            rung.set(bell.rung());
                            is_rung = true;
                        }
                    };
                    if rare_first && let came @ Poll::Ready(_) = rare(context) {
                        return came;
                    }
                    let is_told = told.as_mut().poll(context).is_ready();
                    if is_told && !frame_first {
                        return Poll::Ready(Came::News);
                    }
                    if let Poll::Ready(text) = wire.poll_read(context) {
                        return Poll::Ready(Came::Frame(text));
                    }
                    if is_told {
                        return Poll::Ready(Came::News);
                    }
                    if rare_first { Poll::Pending } else { rare(context) }
                })
                .await
            };
            if let Some(step) = self.answer(wire, came)
                && let Err(end) = step.await
            {
                return end;
            }
        }
    }

    /// What is to be done before anything is waited for.
    fn due<'a>(&'a mut self, wire: &'a mut Wire) -> Option<Step<'a>> {
        if self.watcher.take_owed() {
            // Before anything else is done, so that the time a slow reader has begins to run.
            return Some(wire.settle().boxed());
        }
        let replaying = self.talk.as_mut().filter(|talk| talk.replay_to.is_some());
        let is_live = replaying.is_none();
        if let Some(talk) = replaying.filter(|talk| Some(talk.seq) >= talk.replay_to) {
            talk.replay_to = None;
            let live = ToVisitor::Live { last_seq: talk.seq };
            return Some(async move { wire.send(&live).await }.boxed());
        }
        if self.may_share && is_live && self.watcher.is_crowded() {
            if let Some(outgoing) = wire.share(&self.door, &self.grants) {
                self.watcher.enter_crowd(outgoing);
            }
            // What cannot be shared never can.
            self.may_share = false;
        }
        None
    }

    /// What is to be done about what came, if anything.
    fn answer<'a>(&'a mut self, wire: &'a mut Wire, came: Came) -> Option<Step<'a>> {
        Some(match came {
            Came::Stop => {
                let spread = u64::from(self.guest.claims.session.bytes()[15]);
                async move { Err(goodbye(wire, spread).await) }.boxed()
            }
            Came::Frame(Ok(text)) => async move { self.hear(wire, &text).await }.boxed(),
            Came::Frame(Err(end)) => future::ready(Err(end)).boxed(),
            Came::News => match self.watcher.take()? {
                News::Signal(signal) => self.tell(wire, signal).boxed(),
                News::Unread(position) => self.catch_up(wire, position).boxed(),
            },
            Came::Rights => self.check_rights(wire).boxed(),
            Came::Beat if self.door.service.now() >= self.guest.claims.expires_at => {
                future::ready(Err(SESSION_ENDED)).boxed()
            }
            Came::Beat => wire.ping().boxed(),
        })
    }

    /// Reads what there is to tell.
    async fn catch_up(&mut self, wire: &mut Wire, position: u64) -> Result<(), End> {
        match self.watcher.read(position).await {
            Ok(()) => Ok(()),
            Err(error) => Err(end_with(wire, &error).await),
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
        let talk = self.talk();
        let conversation = view.message.conversation;
        if talk.conversation.is_some_and(|known| known != conversation) {
            // Another tab has begun a new one: what was to be replayed is history.
            talk.staff_mark = 0;
            talk.replay_to = talk.replay_to.map(|_| 0);
        }
        talk.conversation = Some(conversation);
        talk.seq = view.message.seq;
    }

    /// Which conversation they are shown.
    pub(super) fn conversation(&self) -> Option<ConversationId> {
        self.talk.as_ref()?.conversation
    }

    /// What they are shown of it.
    pub(super) fn talk(&mut self) -> &mut Talk {
        self.talk.get_or_insert_default()
    }

    async fn tell_status(&mut self, wire: &mut Wire, view: &ConversationView) -> Result<(), End> {
        let staffed = match self.door.service.is_staffed_for(&self.guest.actor()).await {
            Ok(staffed) => staffed,
            Err(error) => return Err(end_with(wire, &error).await),
        };
        self.talk().name.clone_from(&view.visitor_name);
        let conversation = VisitorConversation::from(view);
        wire.send(&ToVisitor::Status { conversation, staffed }).await?;
        let mark = view.header.staff_mark;
        let talk = self.talk();
        if mark > talk.staff_mark {
            talk.staff_mark = mark;
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
    Frame(Result<Utf8Bytes, End>),
    News,
    Rights,
    Beat,
}

/// Says what went wrong.
pub(super) async fn send_error(
    wire: &mut Wire,
    error: &Error,
    id: Option<&str>,
) -> Result<(), End> {
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
pub(super) async fn refuse(wire: &mut Wire, error: &Error, id: Option<&str>) -> Result<(), End> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What a visitor who only waits holds in one piece, beside the library's buffer for reading and their place in an
    /// audience. Bound by what an idle socket may cost: 1.3 times one that only echoes.
    const WAITING_BYTES_MAX: usize = 1_120;

    fn bytes_of<F: Future>(_: impl FnOnce(Socket) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_visitor_who_only_waits_holds_little() {
        let held = bytes_of(Socket::run);
        assert!(held <= WAITING_BYTES_MAX, "{held} bytes: box what is not needed while waiting");
    }
}
