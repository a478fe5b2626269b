//! Named actions and the keys that call them. The help screen is generated from the live keymap, so
//! a key that is not here does not exist. What an action does stands in `update/`, not here.

use crate::key::Key;

/// Everything a key can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Help,
    Back,
    Interrupt,
    NextPane,
    PreviousPane,
    TabWaiting,
    TabMine,
    TabAll,
    TabDone,
    NextUnread,
    LongestWaiting,
    Repaint,
    Availability,
    Claim,
    ClaimNext,
    Take,
    Reply,
    Note,
    Resolve,
    Reopen,
    Release,
    HandBack,
    Escalate,
    Transfer,
    Tags,
    Priority,
    Flag,
    Retract,
    Undo,
    Palette,
    Retry,
    TakeBack,
    Down,
    Up,
    HalfDown,
    HalfUp,
    First,
    Last,
    Open,
    Filter,
    Send,
    Newline,
    ToggleNote,
    Leave,
    CursorLeft,
    CursorRight,
    CursorUp,
    CursorDown,
    WordLeft,
    WordRight,
    LineStart,
    LineEnd,
    DeleteLeft,
    DeleteRight,
    DeleteWord,
    DeleteToStart,
}

/// Where a binding holds. A place is asked first, `Anywhere` after it; the composer asks only
/// itself, because there every plain key is text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    Anywhere,
    List,
    Conversation,
    Composer,
}

impl Context {
    /// The word the help shows for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Anywhere => "anywhere",
            Self::List => "list",
            Self::Conversation => "conversation",
            Self::Composer => "composer",
        }
    }
}

/// One line of the keymap: where, which keys in a row, what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binding {
    pub(crate) context: Context,
    pub(crate) keys: Vec<Key>,
    pub(crate) action: Action,
}

impl Binding {
    /// The keys as the help shows them: `g u`.
    pub(crate) fn keys_text(&self) -> String {
        let names: Vec<String> = self.keys.iter().map(ToString::to_string).collect();
        names.join(" ")
    }
}

/// What the keys pressed so far mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    Found(Action),
    /// The beginning of a longer binding.
    Prefix,
    Nothing,
}

/// The live keymap.
#[derive(Clone, Debug)]
pub(crate) struct Keymap {
    bindings: Vec<Binding>,
}

impl Default for Keymap {
    fn default() -> Self {
        let bindings = DEFAULTS.iter().filter_map(|(context, keys, action)| {
            let keys = keys.split(' ').map(Key::parse).collect::<Option<Vec<Key>>>()?;
            Some(Binding { context: *context, keys, action: *action })
        });
        Self { bindings: bindings.collect() }
    }
}

impl Keymap {
    /// Every binding, in the order of the help.
    pub(crate) fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// What `keys` mean in `context`.
    pub(crate) fn lookup(&self, context: Context, keys: &[Key]) -> Lookup {
        let own = self.lookup_only(context, keys);
        match own {
            Lookup::Nothing if context != Context::Composer => {
                self.lookup_only(Context::Anywhere, keys)
            }
            Lookup::Nothing | Lookup::Found(_) | Lookup::Prefix => own,
        }
    }

    fn lookup_only(&self, context: Context, keys: &[Key]) -> Lookup {
        let mut here = self.bindings.iter().filter(|binding| binding.context == context);
        let mut prefix = false;
        let exact = here.find(|binding| {
            prefix |= binding.keys.len() > keys.len() && binding.keys.starts_with(keys);
            binding.keys == keys
        });
        match exact {
            Some(binding) => Lookup::Found(binding.action),
            None if prefix => Lookup::Prefix,
            None => Lookup::Nothing,
        }
    }

    /// The first key bound to `action`, for the hints at the bottom of the screen.
    pub(crate) fn key_of(&self, action: Action) -> String {
        let found = self.bindings.iter().find(|binding| binding.action == action);
        found.map(Binding::keys_text).unwrap_or_default()
    }
}

impl Action {
    /// What the help says it does.
    pub(crate) fn help(self) -> &'static str {
        match self {
            Self::Help => "show or search the keys",
            Self::Back => "go back; quit from the list",
            Self::Interrupt => "quit, from the list only",
            Self::NextPane => "next pane, or next tab",
            Self::PreviousPane => "previous pane, or previous tab",
            Self::TabWaiting => "show the live queue",
            Self::TabMine => "show my conversations",
            Self::TabAll => "show all open conversations",
            Self::TabDone => "show what is done",
            Self::NextUnread => "open my next unread conversation",
            Self::LongestWaiting => "go to the longest waiting",
            Self::Repaint => "repaint the screen",
            Self::Availability => "change my availability",
            Self::Claim => "claim",
            Self::ClaimNext => "claim the longest waiting",
            Self::Take => "take over from a colleague or the assistant",
            Self::Reply => "reply to the visitor (claims first)",
            Self::Note => "write a note for staff only",
            Self::Resolve => "resolve: mark as done",
            Self::Reopen => "reopen what is done",
            Self::Release => "let go: back to the queue",
            Self::HandBack => "hand back to the assistant",
            Self::Escalate => "escalate to the queue",
            Self::Transfer => "give to a colleague",
            Self::Tags => "edit the tags",
            Self::Priority => "set the priority",
            Self::Flag => "flag an answer of the assistant for review",
            Self::Retract => "remove a message (asks first)",
            Self::Undo => "take the last change back (10 seconds)",
            Self::Palette => "run a command by its name",
            Self::Retry => "send a failed message again",
            Self::TakeBack => "take a failed message back to edit it",
            Self::Down => "down",
            Self::Up => "up",
            Self::HalfDown => "half a page down",
            Self::HalfUp => "half a page up",
            Self::First => "first row, or oldest message",
            Self::Last => "last row, or newest message",
            Self::Open => "open the conversation",
            Self::Filter => "filter the list",
            Self::Send => "send",
            Self::Newline => "new line",
            Self::ToggleNote => "switch between reply and note",
            Self::Leave => "leave, keep the draft",
            Self::CursorLeft => "cursor left",
            Self::CursorRight => "cursor right",
            Self::CursorUp => "cursor up",
            Self::CursorDown => "cursor down",
            Self::WordLeft => "word left",
            Self::WordRight => "word right",
            Self::LineStart => "start of the line",
            Self::LineEnd => "end of the line",
            Self::DeleteLeft => "delete to the left",
            Self::DeleteRight => "delete to the right",
            Self::DeleteWord => "delete the word to the left",
            Self::DeleteToStart => "delete to the start of the line",
        }
    }
}

/// The default keymap. Ctrl-a b s q z and Alt-hjkl are left to multiplexers; nothing destructive is
/// on a control key.
const DEFAULTS: &[(Context, &str, Action)] = &[
    (Context::List, "c", Action::Claim),
    (Context::Anywhere, "C", Action::ClaimNext),
    (Context::List, "Enter", Action::Open),
    (Context::Anywhere, "r", Action::Reply),
    (Context::Anywhere, "i", Action::Reply),
    (Context::Anywhere, "n", Action::Note),
    (Context::Conversation, "c", Action::Claim),
    (Context::Anywhere, "R", Action::Resolve),
    (Context::Anywhere, "L", Action::Release),
    (Context::Anywhere, "b", Action::HandBack),
    (Context::Anywhere, "e", Action::Escalate),
    (Context::Anywhere, "t", Action::Transfer),
    (Context::Anywhere, "l", Action::Tags),
    (Context::Anywhere, "p", Action::Priority),
    (Context::Conversation, "F", Action::Flag),
    (Context::Conversation, "D", Action::Retract),
    (Context::Anywhere, "u", Action::Undo),
    (Context::Anywhere, ":", Action::Palette),
    (Context::Anywhere, "Ctrl-k", Action::Palette),
    (Context::Anywhere, "T", Action::Take),
    (Context::Anywhere, "O", Action::Reopen),
    (Context::Conversation, "Enter", Action::Retry),
    (Context::Conversation, "x", Action::TakeBack),
    (Context::Anywhere, "g u", Action::NextUnread),
    (Context::Anywhere, "g w", Action::LongestWaiting),
    (Context::Anywhere, "j", Action::Down),
    (Context::Anywhere, "k", Action::Up),
    (Context::Anywhere, "Down", Action::Down),
    (Context::Anywhere, "Up", Action::Up),
    (Context::Anywhere, "g g", Action::First),
    (Context::Anywhere, "G", Action::Last),
    (Context::Anywhere, "Home", Action::First),
    (Context::Anywhere, "End", Action::Last),
    (Context::Anywhere, "Ctrl-d", Action::HalfDown),
    (Context::Anywhere, "Ctrl-u", Action::HalfUp),
    (Context::Anywhere, "PageDown", Action::HalfDown),
    (Context::Anywhere, "PageUp", Action::HalfUp),
    (Context::Anywhere, "/", Action::Filter),
    (Context::Anywhere, "1", Action::TabWaiting),
    (Context::Anywhere, "2", Action::TabMine),
    (Context::Anywhere, "3", Action::TabAll),
    (Context::Anywhere, "4", Action::TabDone),
    (Context::Anywhere, "Tab", Action::NextPane),
    (Context::Anywhere, "Shift-Tab", Action::PreviousPane),
    (Context::Anywhere, "a", Action::Availability),
    (Context::Anywhere, "q", Action::Back),
    (Context::Anywhere, "Esc", Action::Back),
    (Context::Anywhere, "Ctrl-c", Action::Interrupt),
    (Context::Anywhere, "Ctrl-l", Action::Repaint),
    (Context::Anywhere, "?", Action::Help),
    (Context::Composer, "Enter", Action::Send),
    (Context::Composer, "Alt-Enter", Action::Newline),
    (Context::Composer, "Shift-Enter", Action::Newline),
    (Context::Composer, "Ctrl-j", Action::Newline),
    (Context::Composer, "Ctrl-t", Action::ToggleNote),
    (Context::Composer, "Esc", Action::Leave),
    (Context::Composer, "Ctrl-c", Action::Leave),
    (Context::Composer, "Left", Action::CursorLeft),
    (Context::Composer, "Right", Action::CursorRight),
    (Context::Composer, "Up", Action::CursorUp),
    (Context::Composer, "Down", Action::CursorDown),
    (Context::Composer, "Ctrl-Left", Action::WordLeft),
    (Context::Composer, "Ctrl-Right", Action::WordRight),
    (Context::Composer, "Home", Action::LineStart),
    (Context::Composer, "End", Action::LineEnd),
    (Context::Composer, "Ctrl-e", Action::LineEnd),
    (Context::Composer, "Backspace", Action::DeleteLeft),
    (Context::Composer, "Delete", Action::DeleteRight),
    (Context::Composer, "Ctrl-w", Action::DeleteWord),
    (Context::Composer, "Ctrl-u", Action::DeleteToStart),
    (Context::Composer, "PageUp", Action::HalfUp),
    (Context::Composer, "PageDown", Action::HalfDown),
    (Context::Composer, "Tab", Action::NextPane),
    (Context::Composer, "Shift-Tab", Action::PreviousPane),
    (Context::Composer, "Ctrl-l", Action::Repaint),
];

#[cfg(test)]
mod tests {
    use super::{Action, Context, DEFAULTS, Keymap, Lookup};
    use crate::key::Key;

    fn check(context: Context, keys: &str, expected: Lookup) {
        let keys: Vec<Key> = keys.split(' ').filter_map(Key::parse).collect();
        assert_eq!(Keymap::default().lookup(context, &keys), expected, "{keys:?}");
    }

    #[test]
    fn every_default_parses_and_none_conflicts() {
        let keymap = Keymap::default();
        assert_eq!(keymap.bindings().len(), DEFAULTS.len());
        for (index, one) in keymap.bindings().iter().enumerate() {
            for other in keymap.bindings().iter().skip(index + 1) {
                let clash = one.keys.starts_with(&other.keys) || other.keys.starts_with(&one.keys);
                assert!(!(clash && one.context == other.context), "{one:?} and {other:?}");
            }
        }
    }

    #[test]
    fn keys_reserved_for_multiplexers_are_free() {
        let reserved = ["Ctrl-a", "Ctrl-b", "Ctrl-s", "Ctrl-q", "Ctrl-z", "Alt-h", "Alt-j"];
        for binding in Keymap::default().bindings() {
            assert!(!reserved.contains(&binding.keys_text().as_str()), "{binding:?}");
        }
    }

    #[test]
    fn places_are_asked_before_anywhere() {
        check(Context::List, "Enter", Lookup::Found(Action::Open));
        check(Context::Conversation, "Enter", Lookup::Found(Action::Retry));
        check(Context::List, "g", Lookup::Prefix);
        check(Context::List, "g u", Lookup::Found(Action::NextUnread));
        check(Context::List, "g z", Lookup::Nothing);
        check(Context::Composer, "g", Lookup::Nothing);
        check(Context::Composer, "Ctrl-t", Lookup::Found(Action::ToggleNote));
    }
}
