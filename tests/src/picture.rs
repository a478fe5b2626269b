//! A terminal's grid as an SVG picture: every cell at its place, with its colours. The same grid is the same picture.

use std::fmt::Write as _;
use std::ops::Range;

use vt100::{Cell, Color, Screen};

/// The size of a cell and of its letters, in pixels.
const CELL_WIDTH: f32 = 8.4;
const CELL_HEIGHT: f32 = 17.0;
const FONT_SIZE: f32 = 14.0;
/// How far below the top of its cell a letter stands.
const BASELINE: f32 = 13.0;
/// The empty space around the grid.
const MARGIN: f32 = 14.0;
/// How much is left of a dim letter's colour.
const DIM: f32 = 0.6;

const BACKGROUND: Rgb = Rgb(0x14, 0x18, 0x1f);
const FOREGROUND: Rgb = Rgb(0xd9, 0xdf, 0xe7);
/// The sixteen colours programs call by name.
const NAMED: [Rgb; 16] = [
    Rgb(0x1d, 0x23, 0x2c),
    Rgb(0xef, 0x6b, 0x73),
    Rgb(0x7f, 0xd1, 0xa6),
    Rgb(0xf2, 0xc1, 0x6b),
    Rgb(0x6b, 0xb3, 0xf2),
    Rgb(0xc7, 0x8d, 0xf0),
    Rgb(0x63, 0xcf, 0xd6),
    Rgb(0xc9, 0xd1, 0xd9),
    Rgb(0x6c, 0x78, 0x86),
    Rgb(0xff, 0x8b, 0x92),
    Rgb(0x9c, 0xe8, 0xbf),
    Rgb(0xff, 0xd9, 0x8f),
    Rgb(0x92, 0xca, 0xff),
    Rgb(0xdb, 0xb2, 0xff),
    Rgb(0x8c, 0xe6, 0xec),
    Rgb(0xff, 0xff, 0xff),
];
/// The steps of the colour cube.
const CUBE: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// Red, green and blue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Rgb(u8, u8, u8);

impl Rgb {
    fn css(self) -> String {
        format!("#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

/// What cells beside each other must share to be drawn at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Look {
    ink: Rgb,
    paper: Rgb,
    bold: bool,
    dim: bool,
    underline: bool,
}

/// An empty cell.
const PLAIN: Look =
    Look { ink: FOREGROUND, paper: BACKGROUND, bold: false, dim: false, underline: false };

/// The picture of what a terminal shows, with a title for those who do not see it.
pub fn svg(screen: &Screen, title: &str) -> String {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let width = f32::from(columns).mul_add(CELL_WIDTH, 2.0 * MARGIN);
    let height = f32::from(rows).mul_add(CELL_HEIGHT, 2.0 * MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.1} {height:.1}\" \
         width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\" aria-label=\"{title}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"10\" fill=\"{}\"/>\n\
         <g font-family=\"ui-monospace,'Cascadia Mono','DejaVu Sans Mono',Menlo,Consolas,monospace\" \
         font-size=\"{FONT_SIZE}\">\n",
        BACKGROUND.css(),
        title = escape(title),
    );
    for row in 0..rows {
        let mut column = 0;
        while column < columns {
            column = run(screen, row, column, columns, &mut out);
        }
    }
    out.push_str("</g>\n</svg>\n");
    out
}

/// Draws the cells from `start` on that look alike, and returns the next column.
fn run(screen: &Screen, row: u16, start: u16, columns: u16, out: &mut String) -> u16 {
    let look_at = |column| screen.cell(row, column).map_or(PLAIN, look);
    let this = look_at(start);
    let mut end = start;
    while end < columns && look_at(end) == this {
        end += 1;
    }
    let y = f32::from(row).mul_add(CELL_HEIGHT, MARGIN);
    if this.paper != BACKGROUND {
        let (x, width) = place(start, end);
        let paper = this.paper.css();
        let _ = writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{CELL_HEIGHT:.1}\" \
             fill=\"{paper}\"/>"
        );
    }
    for words in phrases(screen, row, start..end) {
        let (x, width) = place(words.start, words.end);
        letters(x, y, width, &words.text, this, out);
    }
    end
}

/// Words with at most one space between them: viewers of SVG make one of several.
struct Phrase {
    text: String,
    start: u16,
    end: u16,
}

fn phrases(screen: &Screen, row: u16, columns: Range<u16>) -> Vec<Phrase> {
    let mut phrases: Vec<Phrase> = vec![];
    for column in columns {
        let Some(cell) = screen.cell(row, column) else { continue };
        let end = column + if cell.is_wide() { 2 } else { 1 };
        if cell.is_wide_continuation() || cell.contents().trim().is_empty() {
            continue;
        }
        match phrases.last_mut().filter(|last| column - last.end <= 1) {
            Some(last) => {
                last.text.push_str(if column > last.end { " " } else { "" });
                last.text.push_str(cell.contents());
                last.end = end;
            }
            None => phrases.push(Phrase { text: cell.contents().to_owned(), start: column, end }),
        }
    }
    phrases
}

/// Where cells begin on the picture, and how wide they are.
fn place(start: u16, end: u16) -> (f32, f32) {
    (f32::from(start).mul_add(CELL_WIDTH, MARGIN), f32::from(end - start) * CELL_WIDTH)
}

/// Writes a run of letters, stretched to its cells whatever font there is.
fn letters(x: f32, y: f32, width: f32, text: &str, look: Look, out: &mut String) {
    let mut style = format!("fill=\"{}\"", look.ink.css());
    if look.bold {
        style.push_str(" font-weight=\"bold\"");
    }
    if look.dim {
        let _ = write!(style, " opacity=\"{DIM}\"");
    }
    if look.underline {
        style.push_str(" text-decoration=\"underline\"");
    }
    let _ = writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{width:.1}\" \
         lengthAdjust=\"spacingAndGlyphs\" {style}>{}</text>",
        y + BASELINE,
        escape(text)
    );
}

fn look(cell: &Cell) -> Look {
    let mut ink = colour(cell.fgcolor(), FOREGROUND);
    let mut paper = colour(cell.bgcolor(), BACKGROUND);
    if cell.inverse() {
        std::mem::swap(&mut ink, &mut paper);
    }
    Look { ink, paper, bold: cell.bold(), dim: cell.dim(), underline: cell.underline() }
}

fn colour(colour: Color, default: Rgb) -> Rgb {
    match colour {
        Color::Default => default,
        Color::Rgb(red, green, blue) => Rgb(red, green, blue),
        Color::Idx(index @ 0..16) => NAMED[usize::from(index)],
        Color::Idx(index @ 16..232) => {
            let cube = |step: u8| CUBE[usize::from((index - 16) / step % 6)];
            Rgb(cube(36), cube(6), cube(1))
        }
        Color::Idx(index) => {
            let grey = 8 + (index - 232) * 10;
            Rgb(grey, grey, grey)
        }
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_is_drawn_cell_by_cell_and_the_same_each_time() {
        let draw = || {
            let two = std::num::NonZeroU16::new(2).expect("not zero");
            let twenty = std::num::NonZeroU16::new(20).expect("not zero");
            let mut parser = vt100::Parser::new(two, twenty, 0);
            parser.process(b"\x1b[1;31mred\x1b[0m <b>&\r\n\x1b[7mback\x1b[0m");
            svg(parser.screen(), "a \"title\"")
        };
        let picture = draw();
        assert_eq!(picture, draw());
        assert!(picture.contains("font-weight=\"bold\">red</text>"), "{picture}");
        assert!(picture.contains("&lt;b>&amp;"), "{picture}");
        assert!(picture.contains("aria-label=\"a &quot;title&quot;\""), "{picture}");
        assert!(picture.contains(&format!("fill=\"{}\"/>", FOREGROUND.css())), "{picture}");
    }
}
