//! Styles. Colour only repeats what a word, a mark or a modifier already says, so that nothing is
//! lost under NO_COLOR, on a terminal without colours, or to an eye that does not tell them apart.

use ratatui::style::{Color, Modifier, Style};

/// The styles of one console.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Theme {
    colour: bool,
}

impl Theme {
    /// With or without colours.
    pub(crate) fn new(colour: bool) -> Self {
        Self { colour }
    }

    fn with(self, style: Style, colour: Color) -> Style {
        if self.colour { style.fg(colour) } else { style }
    }

    pub(crate) fn plain(self) -> Style {
        Style::new()
    }

    pub(crate) fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(crate) fn bold(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The row under the cursor; fainter while another pane has the keys.
    pub(crate) fn selected(self, active: bool) -> Style {
        if active {
            Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD)
        } else {
            Style::new().add_modifier(Modifier::REVERSED | Modifier::DIM)
        }
    }

    /// Somebody waits.
    pub(crate) fn waiting(self) -> Style {
        self.with(self.bold(), Color::Yellow)
    }

    /// For staff only.
    pub(crate) fn note(self) -> Style {
        self.with(self.bold(), Color::Magenta)
    }

    /// Something did not happen.
    pub(crate) fn bad(self) -> Style {
        self.with(self.bold(), Color::Red)
    }

    pub(crate) fn good(self) -> Style {
        self.with(self.plain(), Color::Green)
    }

    pub(crate) fn visitor(self) -> Style {
        self.with(self.bold(), Color::Cyan)
    }

    pub(crate) fn agent(self) -> Style {
        self.with(self.bold(), Color::Green)
    }

    pub(crate) fn assistant(self) -> Style {
        self.with(self.plain(), Color::Blue)
    }

    /// A tab or pane that has the keys.
    pub(crate) fn active(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED)
    }
}
