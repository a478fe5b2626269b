//! The palette: a line in which commands are found by name and run with what follows them.

use super::{Asked, asked, label, moved, transfer};
use crate::effect::{Command, Effect};
use crate::key::{Code, Key};
use crate::palette::{Meaning, matching, split};
use crate::state::dialog::Form;
use crate::state::{Overlay, State};
use crate::text::SafeText;
use crate::update::overlay::{REASON_CHARS_MAX, edit_line};
use crate::update::{action, command};

/// The longest command line, in characters.
pub(in crate::update) const LINE_CHARS_MAX: usize = 1_200;

/// `:`.
pub(in crate::update) fn open(state: &mut State) {
    state.overlay = Some(Overlay::Palette(Form::default()));
}

/// A key for the palette.
pub(in crate::update) fn press(state: &mut State, key: Key, mut form: Form, out: &mut Vec<Effect>) {
    form.problem = None;
    match asked(key) {
        Asked::Cancel => return,
        Asked::Enter => return enter(state, form, out),
        Asked::Move(by) => {
            form.index = moved(form.index, by, matching(form.text.text()).len());
        }
        Asked::Edit if key.code == Code::Tab => complete(&mut form),
        Asked::Edit => {
            edit_line(&mut form.text, key, LINE_CHARS_MAX);
            form.index = 0;
        }
    }
    state.overlay = Some(Overlay::Palette(form));
}

/// Tab: the command under the cursor takes the place of what was typed of it.
fn complete(form: &mut Form) {
    let line = form.text.text().to_owned();
    if let Some(named) = matching(&line).get(form.index) {
        let (_, rest) = split(&line);
        *form = Form::with_text(&format!("{} {rest}", named.name));
    }
}

fn enter(state: &mut State, form: Form, out: &mut Vec<Effect>) {
    let line = form.text.text().to_owned();
    let (word, rest) = split(&line);
    let ran = match matching(&line).get(form.index) {
        // Enter alone must not claim what happens to be under the cursor.
        Some(_) if word.is_empty() && form.index == 0 => {
            Err("Type a command, or choose one with the arrows".to_owned())
        }
        Some(named) => run(state, named.meaning, rest, out),
        None => Err(format!("No command is called {word}: Ctrl-u shows them all")),
    };
    if let Err(problem) = ran {
        state.overlay = Some(Overlay::Palette(form.with_problem(&problem)));
    }
}

fn run(
    state: &mut State,
    meaning: Meaning,
    rest: &str,
    out: &mut Vec<Effect>,
) -> Result<(), String> {
    match meaning {
        Meaning::Act(_) if !rest.is_empty() => {
            return Err("It takes nothing more: remove what follows the command".to_owned());
        }
        Meaning::Act(known) => action::run(state, known, out),
        Meaning::Transfer => transfer::typed(state, rest, out)?,
        Meaning::Tag => label::typed_tags(state, rest, true, out)?,
        Meaning::Untag => label::typed_tags(state, rest, false, out)?,
        Meaning::Priority => label::typed_priority(state, rest, out)?,
        Meaning::Escalate if rest.is_empty() => command::ask_reason(state),
        Meaning::Escalate => {
            let chars = rest.chars().count();
            if chars > REASON_CHARS_MAX {
                return Err(format!("{chars} characters: a reason has at most {REASON_CHARS_MAX}"));
            }
            let reason = SafeText::line(rest);
            command::simple(state, &Command::Escalate { reason }, out);
        }
    }
    Ok(())
}
