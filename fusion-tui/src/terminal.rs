//! The local terminal: taken over at the start, given back however the console ends (return, error,
//! panic, signal). It draws nothing itself.

use std::io::{self, Stdout, Write, stdout};

use crossterm::cursor::Show;
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange,
    KeyboardEnhancementFlags, PopKeyboardEnhancementFlags, PushKeyboardEnhancementFlags,
};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue, style};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use crate::run::Signals;

/// The terminal while the console has it; dropping it gives it back.
pub(crate) struct Taken {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Taken {
    /// Takes the terminal over. From here on a panic gives it back before it prints.
    pub(crate) fn take() -> io::Result<Self> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            before(panic);
        }));
        enable_raw_mode()?;
        // NO_COLOR is honoured by our own styles; crossterm's gate would drop bold and reverse with
        // the colours.
        style::force_color_output(true);
        execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange)?;
        // Unasked: the answer of a terminal that knows it would cost the first frame its time, and
        // the others ignore it.
        let flags = KeyboardEnhancementFlags::DISAMBIGUATE_ESCAPE_CODES;
        execute!(stdout(), PushKeyboardEnhancementFlags(flags))?;
        let terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
        Ok(Self { terminal })
    }

    /// Where the console draws.
    pub(crate) fn terminal(&mut self) -> &mut Terminal<CrosstermBackend<Stdout>> {
        &mut self.terminal
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back. Each step is tried even if one before it failed.
fn restore() {
    // A panic may have come in the middle of a frame.
    drop(execute!(stdout(), EndSynchronizedUpdate, PopKeyboardEnhancementFlags));
    drop(execute!(stdout(), DisableFocusChange, DisableBracketedPaste));
    drop(execute!(stdout(), LeaveAlternateScreen, Show));
    drop(disable_raw_mode());
}

/// What this process's own terminal is told beside its cells.
pub(crate) const SIGNALS: Signals = Signals { bell, frame_begins, frame_ends };

fn bell() {
    let mut out = stdout();
    drop(out.write_all(b"\x07").and_then(|()| out.flush()));
}

// Terminals that do not know synchronized updates ignore them; a failed write shows at the next
// draw.
fn frame_begins() {
    drop(queue!(stdout(), BeginSynchronizedUpdate));
}

fn frame_ends() {
    drop(execute!(stdout(), EndSynchronizedUpdate));
}
