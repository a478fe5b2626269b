//! What everybody who plays shares: where the daemon is, whether it is up, the ledger, the figures.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::sync::watch;

use crate::figures::Figures;
use crate::ledger::{Acked, Ledger, Line, Sent};

/// How long anything may take that must come: an answer, a message on a stream, a daemon that is up again.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// How often one thing is tried.
pub(crate) const TRIES_MAX: u32 = 200;
/// How long somebody waits who found the daemon away before anybody said so.
const BREATH: Duration = Duration::from_millis(10);

/// What the daemon is known to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It runs, in its so-manieth life.
    Up(u32),
    /// It was killed, and nobody speaks to it until it has been looked at.
    Down,
    /// Everything has been played.
    Over,
}

/// Everything shared.
pub(crate) struct World {
    /// Where REST and WebSocket are.
    pub(crate) http: String,
    /// The inbox's id.
    pub(crate) inbox: String,
    /// The ledger.
    pub(crate) ledger: Ledger,
    /// The figures.
    pub(crate) figures: Figures,
    /// What the daemon does.
    pub(crate) state: watch::Sender<State>,
}

impl World {
    /// Waits until the daemon is up and says in which life.
    pub(crate) async fn up(&self) -> Result<u32> {
        let mut state = self.state.subscribe();
        let waiting = state.wait_for(|state| *state != State::Down);
        let state = tokio::time::timeout(PATIENCE, waiting).await.context("it stays down")??;
        match *state {
            State::Up(life) => Ok(life),
            State::Down | State::Over => bail!("it is over"),
        }
    }

    /// Waits a moment after a failure: until the daemon is known to be up again, if it was killed.
    pub(crate) async fn breath(&self) -> Result<u32> {
        tokio::time::sleep(BREATH).await;
        self.up().await
    }

    /// Whether the daemon is still in this life.
    pub(crate) fn is_life(&self, life: u32) -> bool {
        *self.state.borrow() == State::Up(life)
    }

    /// Writes down what is about to be sent.
    pub(crate) fn will_send(&self, sent: Sent) -> Result<()> {
        self.ledger.write(&Line::Send(sent))
    }

    /// Writes down an acknowledgement. `before` is the one that was ignored, which this one must repeat.
    pub(crate) fn acked(&self, ack: &Acked, before: Option<&Acked>) -> Result<()> {
        self.ledger.write(&Line::Ack(ack.clone()))?;
        if let Some(before) = before {
            let same = before.seq == ack.seq
                && before.id == ack.id
                && before.conversation == ack.conversation;
            ensure!(same, "a repeat was answered otherwise: {before:?}, then {ack:?}");
        }
        if ack.ignored {
            self.figures.ignored.up();
        } else {
            self.figures.progress.send_modify(|count| *count += 1);
        }
        Ok(())
    }
}
