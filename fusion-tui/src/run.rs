//! The loop: input, events and the clock go into `update`, its effects go out, and the screen is
//! drawn. Input is drawn at once, the stream at most every 33 ms, and nothing is drawn while
//! nothing happens. Generic over the backend and the source of input, so that a test or another
//! terminal can stand in.

use std::task::Poll;
use std::time::Duration;

use futures::{Stream, StreamExt};
use ratatui::Terminal;
use ratatui::backend::Backend;
use ratatui::layout::Rect;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::effect::{Call, Effect};
use crate::event::Event;
use crate::input::Input;
use crate::remote::call::refuse;
use crate::state::{State, wake};
use crate::update::update;
use crate::view::view;

/// How often the stream alone may redraw the screen.
const FRAME: Duration = Duration::from_millis(33);
/// How many inputs or events are taken before the screen is drawn.
const BATCH_MAX: usize = 256;

/// The ways out of and into the loop.
pub(crate) struct Wires {
    pub(crate) calls: mpsc::Sender<Call>,
    pub(crate) drafts: mpsc::Sender<Effect>,
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) clock: Clock,
    pub(crate) signals: Signals,
    /// Ends the loop from outside.
    pub(crate) stop: CancellationToken,
}

/// What the terminal is told beside its cells. A terminal that is not this process's own gets
/// nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signals {
    pub(crate) bell: fn(),
    /// Before and after a frame, so that a terminal that can shows it whole.
    pub(crate) frame_begins: fn(),
    pub(crate) frame_ends: fn(),
}

impl Signals {
    /// Nothing is told.
    pub(crate) const SILENT: Self = Self { bell: || (), frame_begins: || (), frame_ends: || () };
}

/// What one round waited for.
enum Woken {
    Input(Input),
    Event(Box<Event>),
    Due,
    /// The input ended, or we were told to stop.
    Ended,
}

/// Runs until the agent quits, the input ends or `stop` is cancelled. Unsaved drafts are handed
/// over first.
pub(crate) async fn run<B, S>(
    terminal: &mut Terminal<B>,
    mut input: S,
    mut state: State,
    mut wires: Wires,
) -> Result<(), B::Error>
where
    B: Backend,
    S: Stream<Item = Input> + Unpin,
{
    let size = terminal.size()?;
    let mut going = Going::On;
    take(&mut state, &wires, &mut going, Event::Resize(size.width, size.height));
    // What a killed program left on the screen would show through the cells that are blank.
    wipe(terminal)?;
    going = Going::On;
    draw(terminal, &state, wires.signals)?;
    let mut drawn_at = Instant::now();
    let mut behind = false;
    while going != Going::Quit {
        let frame_due = behind.then(|| drawn_at + FRAME);
        let woken = wait(&mut input, &mut wires, &state, frame_due).await;
        let now = Event::Tick(wires.clock.now());
        take(&mut state, &wires, &mut going, now);
        let at_once = match woken {
            Woken::Input(first) => {
                take_inputs(&mut state, &mut input, &wires, &mut going, first).await;
                true
            }
            Woken::Event(first) => {
                take_events(&mut state, &mut wires, &mut going, *first);
                false
            }
            Woken::Due => true,
            Woken::Ended => break,
        };
        behind = true;
        if going == Going::Repaint {
            wipe(terminal)?;
            going = Going::On;
        }
        if going != Going::Quit && (at_once || drawn_at.elapsed() >= FRAME) {
            draw(terminal, &state, wires.signals)?;
            drawn_at = Instant::now();
            behind = false;
        }
    }
    hand_over_drafts(&mut state, &wires).await;
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Going {
    On,
    Repaint,
    Quit,
}

/// Clears the screen, so that the next frame draws every cell. `Terminal::clear` would ask the
/// terminal where its cursor is and wait for the answer, which the input stream would take away.
fn wipe<B: Backend>(terminal: &mut Terminal<B>) -> Result<(), B::Error> {
    let size = terminal.size()?;
    terminal.resize(Rect::new(0, 0, size.width, size.height))
}

fn draw<B: Backend>(
    terminal: &mut Terminal<B>,
    state: &State,
    signals: Signals,
) -> Result<(), B::Error> {
    (signals.frame_begins)();
    let drawn = terminal.draw(|frame| view(state, frame)).map(|_| ());
    (signals.frame_ends)();
    drawn
}

async fn wait<S: Stream<Item = Input> + Unpin>(
    input: &mut S,
    wires: &mut Wires,
    state: &State,
    frame_due: Option<Instant>,
) -> Woken {
    let wake_in = wake::next(state).map(|at| at.saturating_sub(wires.clock.now()).max(1));
    let wake_at = wake_in
        .and_then(|ms| u64::try_from(ms).ok())
        .map(|ms| Instant::now() + Duration::from_millis(ms));
    let due = match (wake_at, frame_due) {
        (Some(wake), Some(frame)) => Some(wake.min(frame)),
        (wake, frame) => wake.or(frame),
    };
    let due_or_never = async {
        match due {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = wires.stop.cancelled() => Woken::Ended,
        next = input.next() => next.map_or(Woken::Ended, Woken::Input),
        next = wires.events.recv() => match next {
            Some(event) => Woken::Event(Box::new(event)),
            None => Woken::Ended,
        },
        () = due_or_never => Woken::Due,
    }
}

/// The next input if there is one already. It is polled with this task's own waker: the terminal's
/// stream keeps the first waker it gets until that has fired, and would wake nobody after a poll
/// with another.
async fn ready<S: Stream<Item = Input> + Unpin>(input: &mut S) -> Option<Input> {
    std::future::poll_fn(|context| match input.poll_next_unpin(context) {
        Poll::Ready(next) => Poll::Ready(next),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Takes an input and whatever more is ready, so that a burst of keys costs one frame.
async fn take_inputs<S: Stream<Item = Input> + Unpin>(
    state: &mut State,
    input: &mut S,
    wires: &Wires,
    going: &mut Going,
    first: Input,
) {
    take(state, wires, going, event(first));
    for _ in 0..BATCH_MAX {
        if *going != Going::On {
            return;
        }
        match ready(input).await {
            Some(next) => take(state, wires, going, event(next)),
            None => return,
        }
    }
}

fn take_events(state: &mut State, wires: &mut Wires, going: &mut Going, first: Event) {
    take(state, wires, going, first);
    for _ in 0..BATCH_MAX {
        match wires.events.try_recv() {
            Ok(next) => take(state, wires, going, next),
            Err(_) => return,
        }
    }
}

fn event(input: Input) -> Event {
    match input {
        Input::Key(key) => Event::Key(key),
        Input::Paste(text) => Event::Paste(text),
        Input::Focus(focused) => Event::Focus(focused),
        Input::Resize { columns, rows } => Event::Resize(columns, rows),
    }
}

/// Updates the state and sends the effects where they are carried out.
fn take(state: &mut State, wires: &Wires, going: &mut Going, event: Event) {
    let mut effects = update(state, event);
    let mut refused = Vec::new();
    for effect in effects.drain(..) {
        match effect {
            Effect::Call(call) => {
                if let Err(error) = wires.calls.try_send(call) {
                    refused.extend(refuse(error.into_inner()));
                }
            }
            Effect::LoadDrafts(_) | Effect::SaveDraft(..) | Effect::RemoveDraft(..) => {
                // A full queue means a stuck disk: the text is still in the state, and saved with
                // the next change.
                if wires.drafts.try_send(effect.clone()).is_err()
                    && let Effect::SaveDraft(_, draft) = effect
                {
                    state.composers.touch(&draft.conversation.as_str().into());
                }
            }
            Effect::Bell => (wires.signals.bell)(),
            Effect::Repaint => *going = Going::Repaint,
            Effect::Quit => *going = Going::Quit,
        }
    }
    for event in refused {
        // One level deep: what a refusal asks for is asked again by the next event.
        drop(update(state, event));
    }
}

/// Saves what is unsaved before the end.
async fn hand_over_drafts(state: &mut State, wires: &Wires) {
    let now = wires.clock.now() + crate::state::composer::SAVE_EVERY_MS;
    for effect in update(state, Event::Tick(now)) {
        if matches!(effect, Effect::SaveDraft(..) | Effect::RemoveDraft(..)) {
            // The keeper runs until we let go of the sender, so that this cannot wait for ever.
            drop(wires.drafts.send(effect).await);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::StreamExt;
    use futures::future::join;

    use super::ready;
    use crate::fixture::Keyboard;
    use crate::input::Input;
    use crate::key::{Code, Key};

    #[tokio::test(start_paused = true)]
    async fn a_key_wakes_the_console_after_a_look_for_more() {
        let keyboard = Keyboard::default();
        let mut input = keyboard.clone();
        let key = Key::plain(Code::Char('x'));
        let reading = async {
            assert_eq!(ready(&mut input).await, None);
            input.next().await
        };
        let pressing = async {
            tokio::task::yield_now().await;
            keyboard.press(key);
        };
        let both = join(reading, pressing);
        let begun = tokio::time::Instant::now();
        let (read, ()) = tokio::time::timeout(Duration::from_secs(1), both).await.unwrap();
        assert_eq!(read, Some(Input::Key(key)));
        assert_eq!(begun.elapsed(), Duration::ZERO, "woken by the key, not by the time limit");
    }
}
