//! One line typed at a question, read key by key: so Ctrl-C is heard at once, and whoever asks can put the terminal
//! right before it ends. Nothing here touches the terminal's settings.

use std::io::{BufRead, Error, ErrorKind, Read as _, Write};

/// The longest line that is read, in bytes; more is not taken.
const LINE_BYTES_MAX: usize = 1024;

/// Ctrl-C, Ctrl-D, backspace as two kinds of terminals send it, and Ctrl-U.
const INTERRUPT: u8 = 0x03;
const END: u8 = 0x04;
const ERASE: [u8; 2] = [0x7f, 0x08];
const KILL: u8 = 0x15;

/// Reads up to Enter. What is typed is shown only if it may be.
///
/// # Errors
/// `Interrupted` at Ctrl-C, `UnexpectedEof` at Ctrl-D or where the keys end, `InvalidData` for what is no text.
pub fn read_line(
    keys: &mut impl BufRead,
    screen: &mut impl Write,
    shown: bool,
) -> std::io::Result<String> {
    let mut line = Vec::new();
    for key in keys.by_ref().bytes() {
        match key? {
            b'\r' | b'\n' => {
                let text = String::from_utf8(line);
                return text.map_err(|_| Error::new(ErrorKind::InvalidData, "it is not text"));
            }
            INTERRUPT => return Err(ErrorKind::Interrupted.into()),
            END if line.is_empty() => return Err(ErrorKind::UnexpectedEof.into()),
            key if ERASE.contains(&key) => erase(&mut line, screen, shown)?,
            KILL => {
                while !line.is_empty() {
                    erase(&mut line, screen, shown)?;
                }
            }
            key if key.is_ascii_control() || line.len() == LINE_BYTES_MAX => {}
            key => {
                line.push(key);
                if shown {
                    screen.write_all(&[key])?;
                    screen.flush()?;
                }
            }
        }
    }
    Err(ErrorKind::UnexpectedEof.into())
}

/// Takes the last character away: its first byte and those that go on with it.
fn erase(line: &mut Vec<u8>, screen: &mut impl Write, shown: bool) -> std::io::Result<()> {
    let Some(at) = line.iter().rposition(|byte| byte & 0xc0 != 0x80) else { return Ok(()) };
    line.truncate(at);
    if shown {
        screen.write_all(b"\x08 \x08")?;
        screen.flush()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &str, shown: bool) -> (Result<String, ErrorKind>, String) {
        let mut screen = Vec::new();
        let line = read_line(&mut keys.as_bytes(), &mut screen, shown);
        (line.map_err(|error| error.kind()), String::from_utf8_lossy(&screen).into_owned())
    }

    #[test]
    fn a_line_is_read_and_shown_only_if_it_may_be() {
        assert_eq!(typed("ana@b\r", true), (Ok("ana@b".to_owned()), "ana@b".to_owned()));
        assert_eq!(typed("s3cret\n", false), (Ok("s3cret".to_owned()), String::new()));
        assert_eq!(typed("pä\x7f\x7fö\n", false).0, Ok("ö".to_owned()));
        assert_eq!(typed("wrong\x15right\n", false).0, Ok("right".to_owned()));
        assert_eq!(typed("\x1b[Ax\n", false).0, Ok("[Ax".to_owned()));
    }

    #[test]
    fn interrupts_and_ends_are_told_apart() {
        assert_eq!(typed("s3cr\x03et\n", false).0, Err(ErrorKind::Interrupted));
        assert_eq!(typed("\x04", false).0, Err(ErrorKind::UnexpectedEof));
        assert_eq!(typed("s3cr", false).0, Err(ErrorKind::UnexpectedEof));
        let long = "x".repeat(LINE_BYTES_MAX + 1) + "\n";
        assert_eq!(typed(&long, false).0.map(|it| it.len()), Ok(LINE_BYTES_MAX));
    }
}
