//! The commands of the palette, by name: what a key does, and what needs words. What a command does
//! stands in `update/`, not here.

use crate::keymap::Action;

/// What a command means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The same as a key.
    Act(Action),
    Transfer,
    Tag,
    Untag,
    Priority,
    Escalate,
}

/// One command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named {
    pub(crate) name: &'static str,
    /// What may follow it.
    pub(crate) takes: &'static str,
    pub(crate) meaning: Meaning,
}

impl Named {
    /// What it does, in a few words.
    pub(crate) fn help(&self) -> &'static str {
        match self.meaning {
            Meaning::Act(action) => action.help(),
            Meaning::Transfer => Action::Transfer.help(),
            Meaning::Tag => "add tags; without any: edit them",
            Meaning::Untag => "remove tags",
            Meaning::Priority => Action::Priority.help(),
            Meaning::Escalate => Action::Escalate.help(),
        }
    }
}

const fn named(name: &'static str, takes: &'static str, meaning: Meaning) -> Named {
    Named { name, takes, meaning }
}

const fn key(name: &'static str, action: Action) -> Named {
    named(name, "", Meaning::Act(action))
}

/// Every command, in the order they are shown.
pub(crate) const COMMANDS: &[Named] = &[
    key("claim", Action::Claim),
    key("next", Action::ClaimNext),
    key("reply", Action::Reply),
    key("note", Action::Note),
    named("transfer", "[WHO [NOTE]]", Meaning::Transfer),
    named("tag", "[TAG ...]", Meaning::Tag),
    named("untag", "TAG ...", Meaning::Untag),
    named("priority", "[urgent|high|normal|low]", Meaning::Priority),
    key("flag", Action::Flag),
    key("retract", Action::Retract),
    named("escalate", "[REASON]", Meaning::Escalate),
    key("release", Action::Release),
    key("handback", Action::HandBack),
    key("resolve", Action::Resolve),
    key("reopen", Action::Reopen),
    key("take", Action::Take),
    key("undo", Action::Undo),
    key("waiting", Action::TabWaiting),
    key("mine", Action::TabMine),
    key("all", Action::TabAll),
    key("done", Action::TabDone),
    key("unread", Action::NextUnread),
    key("filter", Action::Filter),
    key("availability", Action::Availability),
    key("help", Action::Help),
    key("quit", Action::Interrupt),
];

/// The commands that the first word of `typed` may mean: the one so called, else those that begin
/// so, else those that have it in their name or help.
pub(crate) fn matching(typed: &str) -> Vec<&'static Named> {
    let (word, _) = split(typed);
    let word = word.to_lowercase();
    let all = || COMMANDS.iter();
    let tries: [fn(&Named, &str) -> bool; 3] = [
        |named, word| named.name == word,
        |named, word| named.name.starts_with(word),
        |named, word| named.name.contains(word) || named.help().contains(word),
    ];
    for fits in tries {
        let found: Vec<&Named> = all().filter(|named| fits(named, &word)).collect();
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

/// The first word of a line, and what follows it.
pub(crate) fn split(line: &str) -> (&str, &str) {
    let line = line.trim();
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    (word, rest.trim())
}

#[cfg(test)]
mod tests {
    use super::{COMMANDS, matching, split};

    #[test]
    fn commands_are_found_by_name_beginning_and_help() {
        let names = |typed: &str| matching(typed).iter().map(|it| it.name).collect::<Vec<_>>();
        assert_eq!(names("").len(), COMMANDS.len());
        assert_eq!(names("tag vip"), ["tag"]);
        assert_eq!(names("re"), ["reply", "retract", "release", "resolve", "reopen"]);
        assert_eq!(names("TRAN"), ["transfer"]);
        assert_eq!(names("colleague"), ["transfer", "take"]);
        assert!(names("xyz").is_empty());
        assert_eq!(split("  transfer agent2  please look "), ("transfer", "agent2  please look"));
    }

    #[test]
    fn no_name_is_there_twice() {
        for (index, one) in COMMANDS.iter().enumerate() {
            assert!(COMMANDS.iter().skip(index + 1).all(|other| other.name != one.name), "{one:?}");
        }
    }
}
