//! Tags and priority. Only the difference to what was shown is sent, so that a colleague's change
//! meanwhile is kept.

use super::{keep, send};
use crate::effect::{Command, Effect};
use crate::state::State;
use crate::state::dialog::{Dialog, Form, Step};
use crate::state::row::{ConversationId, Priority};
use crate::update::command;

/// The most tags of a conversation, as the daemon takes them.
const TAGS_MAX: usize = 10;
/// The longest tag, in characters, as the daemon takes it.
const TAG_CHARS_MAX: usize = 32;

/// The tags of a conversation as they are here.
pub(super) fn tags_of(state: &State, id: &ConversationId) -> Vec<String> {
    let row = state.desk.get(id);
    row.map(|row| row.tags.iter().map(ToString::to_string).collect()).unwrap_or_default()
}

/// `l`: the tags as a line of words to edit.
pub(super) fn open_tags(state: &mut State) {
    let Some(row) = command::target(state) else { return };
    let before = tags_of(state, &row.id);
    let mut text = before.join(" ");
    if !text.is_empty() {
        text.push(' ');
    }
    state.ask(row.id, Step::Tags { before }, Form::with_text(&text));
}

/// Enter behind the tags.
pub(super) fn set_tags(
    state: &mut State,
    dialog: Dialog,
    before: &[String],
    out: &mut Vec<Effect>,
) {
    let id = dialog.conversation.clone();
    let set = words(dialog.form.text.text()).and_then(|wanted| {
        let add = wanted.iter().filter(|tag| !before.contains(tag)).cloned().collect();
        let remove = before.iter().filter(|tag| !wanted.contains(tag)).cloned().collect();
        change(state, &id, add, remove, out)
    });
    if let Err(problem) = set {
        keep(state, dialog, &problem);
    }
}

/// The words of a line as tags.
fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words: Vec<String> = Vec::new();
    let typed = line.split(|c: char| c.is_whitespace() || c == ',').filter(|it| !it.is_empty());
    for word in typed.map(str::to_lowercase) {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
        if word.chars().count() > TAG_CHARS_MAX || !word.chars().all(fits) {
            return Err(format!(
                "{word}: a tag is a word of at most {TAG_CHARS_MAX} of a-z, 0-9, - and _"
            ));
        }
        if !words.contains(&word) {
            words.push(word);
        }
    }
    Ok(words)
}

fn change(
    state: &mut State,
    id: &ConversationId,
    mut add: Vec<String>,
    mut remove: Vec<String>,
    out: &mut Vec<Effect>,
) -> Result<(), String> {
    let now = tags_of(state, id);
    add.retain(|tag| !now.contains(tag));
    remove.retain(|tag| now.contains(tag));
    if now.len() + add.len() > TAGS_MAX + remove.len() {
        return Err(format!("A conversation has at most {TAGS_MAX} tags: take some away"));
    }
    if add.is_empty() && remove.is_empty() {
        state.toast("The tags stay as they are");
        return Ok(());
    }
    let undo = Command::Tag { add: remove.clone(), remove: add.clone() };
    Ok(send(state, id, Command::Tag { add, remove }, Some(undo), out)?)
}

/// `:tag WORDS` and `:untag WORDS`; `:tag` alone edits them all.
pub(super) fn typed_tags(
    state: &mut State,
    rest: &str,
    adds: bool,
    out: &mut Vec<Effect>,
) -> Result<(), String> {
    let words = words(rest)?;
    if words.is_empty() {
        open_tags(state);
        return Ok(());
    }
    let Some(row) = command::target(state) else { return Ok(()) };
    let (add, remove) = if adds { (words, Vec::new()) } else { (Vec::new(), words) };
    change(state, &row.id, add, remove, out)
}

/// `p`: the four, with the present one under the cursor.
pub(super) fn open_priority(state: &mut State) {
    let Some(row) = command::target(state) else { return };
    let index = Priority::ALL.iter().position(|it| *it == row.priority).unwrap_or(0);
    state.ask(row.id, Step::Priority, Form { index, ..Form::default() });
}

/// Enter, or the letter of one.
pub(super) fn set_priority(state: &mut State, dialog: Dialog, out: &mut Vec<Effect>) {
    let Some(wanted) = Priority::ALL.get(dialog.form.index) else { return };
    if let Err(problem) = prioritize(state, &dialog.conversation, *wanted, out) {
        keep(state, dialog, &problem);
    }
}

fn prioritize(
    state: &mut State,
    id: &ConversationId,
    wanted: Priority,
    out: &mut Vec<Effect>,
) -> Result<(), String> {
    let now = state.desk.get(id).map_or(Priority::Normal, |row| row.priority);
    if now == wanted {
        state.toast(&format!("The priority is {} already", wanted.word()));
        return Ok(());
    }
    Ok(send(state, id, Command::Prioritize(wanted), Some(Command::Prioritize(now)), out)?)
}

/// `:priority WORD`; without a word it asks.
pub(super) fn typed_priority(
    state: &mut State,
    rest: &str,
    out: &mut Vec<Effect>,
) -> Result<(), String> {
    if rest.is_empty() {
        open_priority(state);
        return Ok(());
    }
    let wanted = Priority::ALL.into_iter().find(|it| it.word() == rest.to_lowercase());
    let wanted = wanted.ok_or_else(|| format!("{rest}: urgent, high, normal or low"))?;
    let Some(row) = command::target(state) else { return Ok(()) };
    prioritize(state, &row.id, wanted, out)
}
