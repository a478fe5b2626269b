//! Everything the console knows. `update/` is the only place that changes it and `view/` only reads
//! it; no I/O, clock or randomness is in here.

pub(crate) mod answer;
pub(crate) mod client_id;
pub(crate) mod composer;
pub(crate) mod desk;
pub(crate) mod dialog;
pub(crate) mod editor;
pub(crate) mod outbox;
pub(crate) mod row;
pub(crate) mod transcript;
pub(crate) mod wake;

use std::collections::{HashMap, VecDeque};

use self::answer::Answers;
use self::client_id::ClientIds;
use self::composer::Composers;
use self::desk::Desk;
use self::dialog::{Colleague, Dialog, Form};
use self::editor::Editor;
use self::outbox::Outbox;
use self::row::{ConversationId, UserId};
use self::transcript::Transcripts;
use crate::effect::Command;
use crate::key::Key;
use crate::keymap::Keymap;
use crate::text::SafeText;

/// How long a toast stays, in milliseconds.
pub(crate) const TOAST_MS: i64 = 6_000;
/// The most toasts that wait to be seen.
const TOASTS_MAX: usize = 8;
/// How long a change can be taken back, in milliseconds.
pub(crate) const UNDO_MS: i64 = 10_000;
/// The most changes that can be taken back.
pub(crate) const UNDOS_MAX: usize = 16;
/// How long a typing signal is shown, in milliseconds.
pub(crate) const TYPING_MS: i64 = 6_000;

/// The connection to the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Connection {
    /// Not yet connected since the start.
    Connecting,
    Live,
    /// Lost, or never made; it is being tried again.
    Lost,
    /// The daemon does not want this credential: trying again would not help.
    Refused(SafeText),
}

/// Whether an agent takes conversations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Availability {
    #[default]
    Accepting,
    Busy,
    Away,
}

impl Availability {
    /// The word on the status line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Accepting => "accepting",
            Self::Busy => "busy",
            Self::Away => "away",
        }
    }

    /// The next one when the key is pressed.
    pub(crate) fn next(self) -> Self {
        match self {
            Self::Accepting => Self::Busy,
            Self::Busy => Self::Away,
            Self::Away => Self::Accepting,
        }
    }
}

/// Who sits here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Me {
    pub(crate) id: UserId,
    pub(crate) name: SafeText,
    pub(crate) organization: SafeText,
    pub(crate) availability: Availability,
}

/// Which pane has the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Focus {
    List,
    Conversation,
    Composer,
}

/// Where a transcript stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scroll {
    /// At its end, following it.
    End,
    /// The last row shown belongs to the entry at `position`, with `hidden` rows of it below the
    /// edge.
    Above { position: u64, hidden: usize },
}

/// The conversation shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) conversation: ConversationId,
    pub(crate) scroll: Scroll,
    /// The first message nobody had read when it was opened: it stands under a divider.
    pub(crate) unread_from: Option<u64>,
}

/// A short notice; `bad` ones say that something did not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Toast {
    pub(crate) text: SafeText,
    pub(crate) bad: bool,
    pub(crate) until: i64,
}

/// What lies over the screen and takes the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Overlay {
    /// The keys, filtered by what was typed, scrolled by rows.
    Help {
        search: Editor,
        scroll: usize,
    },
    /// The filter of the list being typed.
    Filter(Editor),
    /// Why a conversation is escalated, being typed.
    Reason {
        conversation: ConversationId,
        text: Editor,
    },
    Dialog(Dialog),
    /// A command line: what is typed and which command is chosen.
    Palette(Form),
    /// "Quit although something is unsent?"
    Quit,
}

/// Somebody is typing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Typist {
    pub(crate) conversation: ConversationId,
    pub(crate) user: UserId,
    pub(crate) name: SafeText,
    pub(crate) sender: row::Sender,
    pub(crate) note: bool,
    pub(crate) until: i64,
}

/// A command that the daemon has not answered yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) conversation: ConversationId,
    pub(crate) command: Command,
    /// Open the composer once it is mine.
    pub(crate) then_compose: bool,
    /// What takes it back, once it is done.
    pub(crate) undo: Option<Command>,
    /// Letting it go declines what a colleague had offered. The row may say otherwise by the time it is done.
    pub(crate) declines: bool,
}

/// How a change can be taken back, for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Undo {
    pub(crate) conversation: ConversationId,
    pub(crate) command: Command,
    pub(crate) until: i64,
}

/// The whole state.
#[derive(Debug)]
pub(crate) struct State {
    /// Unix milliseconds by our clock.
    pub(crate) now: i64,
    /// The daemon's clock minus ours, in milliseconds.
    pub(crate) skew_ms: i64,
    /// Local time minus UTC, in milliseconds.
    pub(crate) zone_ms: i64,
    /// Columns and rows of the screen.
    pub(crate) size: (u16, u16),
    /// True while the terminal has the focus (and until it says otherwise).
    pub(crate) focused: bool,
    /// False under NO_COLOR.
    pub(crate) colour: bool,
    pub(crate) keymap: Keymap,
    /// The beginning of a chord.
    pub(crate) chord: Vec<Key>,
    pub(crate) connection: Connection,
    pub(crate) me: Option<Me>,
    pub(crate) desk: Desk,
    /// Counts the lists asked for; answers to an older one are dropped.
    pub(crate) generation: u64,
    /// True once the list of this generation is complete.
    pub(crate) listed: bool,
    /// When to read rows or messages again after a failure.
    pub(crate) read_retry_at: Option<i64>,
    pub(crate) focus: Focus,
    pub(crate) open: Option<Open>,
    pub(crate) transcripts: Transcripts,
    pub(crate) composers: Composers,
    pub(crate) outbox: Outbox,
    pub(crate) typing: Vec<Typist>,
    pub(crate) answers: Answers,
    /// When our own typing was last told.
    pub(crate) typing_told_at: i64,
    /// The marks told to the daemon.
    pub(crate) marks_told: HashMap<ConversationId, u64>,
    pub(crate) pending: Vec<Pending>,
    pub(crate) undos: VecDeque<Undo>,
    /// Who conversations can be given to; nothing while they are being read.
    pub(crate) colleagues: Option<Vec<Colleague>>,
    pub(crate) toasts: VecDeque<Toast>,
    pub(crate) overlay: Option<Overlay>,
    pub(crate) client_ids: ClientIds,
    /// When the bell last rang.
    pub(crate) rang_at: i64,
}

/// What the state depends on from outside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    pub(crate) now: i64,
    pub(crate) zone_ms: i64,
    pub(crate) colour: bool,
    /// Random: the prefix of this run's client ids.
    pub(crate) client_id_prefix: u64,
}

impl State {
    /// A console that has just been started.
    pub(crate) fn new(start: Start) -> Self {
        Self {
            now: start.now,
            skew_ms: 0,
            zone_ms: start.zone_ms,
            size: (80, 24),
            focused: true,
            colour: start.colour,
            keymap: Keymap::default(),
            chord: Vec::new(),
            connection: Connection::Connecting,
            me: None,
            desk: Desk::default(),
            generation: 0,
            listed: false,
            read_retry_at: None,
            focus: Focus::List,
            open: None,
            transcripts: Transcripts::default(),
            composers: Composers::default(),
            outbox: Outbox::default(),
            typing: Vec::new(),
            answers: Answers::default(),
            typing_told_at: 0,
            marks_told: HashMap::new(),
            pending: Vec::new(),
            undos: VecDeque::new(),
            colleagues: None,
            toasts: VecDeque::new(),
            overlay: None,
            client_ids: ClientIds::new(start.client_id_prefix),
            rang_at: 0,
        }
    }

    /// The daemon's clock, as far as we know it.
    pub(crate) fn daemon_now(&self) -> i64 {
        self.now + self.skew_ms
    }

    /// True while commands can be sent.
    pub(crate) fn is_live(&self) -> bool {
        self.connection == Connection::Live
    }

    /// The conversation that keys act on: the one shown if its pane has the focus, else the row
    /// under the cursor.
    pub(crate) fn target(&self) -> Option<ConversationId> {
        match (self.focus, &self.open) {
            (Focus::Conversation | Focus::Composer, Some(open)) => Some(open.conversation.clone()),
            (Focus::List, _) | (Focus::Conversation | Focus::Composer, None) => {
                self.desk.selected().cloned()
            }
        }
    }

    /// Says something for a few seconds; the latest is shown first.
    pub(crate) fn toast(&mut self, text: &str) {
        self.push_toast(text, false);
    }

    /// The same about something that did not happen.
    pub(crate) fn toast_bad(&mut self, text: &str) {
        self.push_toast(text, true);
    }

    fn push_toast(&mut self, text: &str, bad: bool) {
        let text = SafeText::line(text);
        self.toasts.push_back(Toast { text, bad, until: self.now + TOAST_MS });
        if self.toasts.len() > TOASTS_MAX {
            self.toasts.pop_front();
        }
    }
}
