//! Counts the fragments of a message as its bytes come in: the WebSocket library bounds a message's
//! size, not how many pieces it comes in. It changes no byte.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::Bytes;

/// The most fragments of one message.
pub(super) const FRAGMENTS_MAX: u8 = 32;
/// The longest frame header: two bytes, eight of length, four of mask.
const HEADER_BYTES_MAX: usize = 14;

/// A stream of WebSocket frames, watched.
#[derive(Debug)]
pub(super) struct Guard<S> {
    stream: S,
    /// What came with the request for the upgrade and is yet to be read. Boxed: mostly nothing does.
    early: Option<Box<Bytes>>,
    frames: Frames,
}

/// The kind of error a message of too many fragments is.
pub(super) const TOO_MANY_FRAGMENTS: io::ErrorKind = io::ErrorKind::InvalidData;

/// Follows the frames by their headers.
#[derive(Debug, Default)]
struct Frames {
    header: [u8; HEADER_BYTES_MAX],
    read: u8,
    fragments: u8,
    payload_left: u64,
}

impl Frames {
    /// Whether the message under way still has few enough fragments after these bytes.
    fn accept(&mut self, mut bytes: &[u8]) -> bool {
        while let Some((first, rest)) = bytes.split_first() {
            if self.payload_left > 0 {
                let step =
                    usize::try_from(self.payload_left).unwrap_or(usize::MAX).min(bytes.len());
                self.payload_left -= step as u64;
                bytes = &bytes[step..];
                continue;
            }
            self.header[usize::from(self.read)] = *first;
            self.read += 1;
            bytes = rest;
            if self.read >= 2 && self.read == self.header_bytes() {
                self.payload_left = self.payload_bytes();
                self.read = 0;
                self.count();
            }
            if self.fragments > FRAGMENTS_MAX {
                return false;
            }
        }
        true
    }

    fn header_bytes(&self) -> u8 {
        let length = match self.header[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if self.header[1] & 0x80 == 0 { 0 } else { 4 };
        2 + length + mask
    }

    fn payload_bytes(&self) -> u64 {
        let bytes = match self.header[1] & 0x7f {
            126 => &self.header[2..4],
            127 => &self.header[2..10],
            short => return u64::from(short),
        };
        bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }

    fn count(&mut self) {
        let is_final = self.header[0] & 0x80 != 0;
        match self.header[0] & 0x0f {
            0 => self.fragments = self.fragments.saturating_add(1),
            1 | 2 => self.fragments = 1,
            // Control frames may stand between the fragments of a message.
            _ => return,
        }
        if is_final {
            self.fragments = 0;
        }
    }
}

impl<S> Guard<S> {
    /// Watches a stream whose first bytes have been read already.
    pub(super) fn new(stream: S, early: Bytes) -> Self {
        let early = (!early.is_empty()).then(|| Box::new(early));
        Self { stream, early, frames: Frames::default() }
    }

    /// The stream itself.
    pub(super) fn stream(&mut self) -> &mut S {
        &mut self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = match &mut this.early {
            None => Pin::new(&mut this.stream).poll_read(context, buffer),
            Some(early) => {
                let some = early.split_to(early.len().min(buffer.remaining()));
                buffer.put_slice(&some);
                if early.is_empty() {
                    this.early = None;
                }
                Poll::Ready(Ok(()))
            }
        };
        match read {
            Poll::Ready(Ok(())) if this.frames.accept(&buffer.filled()[before..]) => {
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Ok(())) => {
                // A read that fails has read nothing.
                buffer.set_filled(before);
                Poll::Ready(Err(TOO_MANY_FRAGMENTS.into()))
            }
            other @ (Poll::Ready(Err(_)) | Poll::Pending) => other,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A masked frame with a payload of zeroes.
    fn frame(first: u8, payload: usize) -> Vec<u8> {
        let mut bytes = vec![first];
        match u16::try_from(payload) {
            Ok(short @ 0..126) => bytes.push(0x80 | u8::try_from(short).expect("short")),
            Ok(middle) => {
                bytes.push(0x80 | 126);
                bytes.extend(middle.to_be_bytes());
            }
            Err(_) => {
                bytes.push(0x80 | 127);
                bytes.extend((payload as u64).to_be_bytes());
            }
        }
        bytes.extend([0; 4]);
        bytes.extend(vec![0; payload]);
        bytes
    }

    fn accepts(frames: &[Vec<u8>], step: usize) -> bool {
        let mut state = Frames::default();
        frames.concat().chunks(step).all(|bytes| state.accept(bytes))
    }

    #[test]
    fn fault_11_a_message_has_at_most_32_fragments() {
        let message = |fragments: usize| {
            let mut frames = vec![frame(0x01, 1)];
            frames.extend(vec![frame(0x00, 1); fragments - 2]);
            frames.push(frame(0x80, 1));
            frames
        };
        for step in [1, 3, 4096] {
            assert!(accepts(&message(32), step));
            assert!(accepts(&[message(32), message(32)].concat(), step), "each counts anew");
            assert!(!accepts(&message(34), step));
        }
    }

    #[test]
    fn whole_messages_and_control_frames_do_not_count() {
        for payload in [0, 1, 125, 126, 65_535, 65_536] {
            let frames: Vec<_> = (0..100).map(|_| frame(0x81, payload)).collect();
            assert!(accepts(&frames, 1000), "{payload}");
        }
        let mut frames = vec![frame(0x01, 1)];
        frames.extend(vec![frame(0x89, 5); 100]);
        frames.push(frame(0x80, 1));
        assert!(accepts(&frames, 7));
    }

    #[tokio::test]
    async fn what_came_early_is_read_first_and_counts() {
        let pieces = [frame(0x01, 1), frame(0x00, 1)].concat();
        let (ours, mut theirs) = tokio::io::duplex(64);
        theirs.write_all(b"later").await.expect("room");
        let mut guard = Guard::new(ours, Bytes::from(pieces.clone()));
        let mut read = vec![0; pieces.len() + 5];
        guard.read_exact(&mut read).await.expect("all");
        assert_eq!(read, [pieces, b"later".to_vec()].concat());
        let many = vec![frame(0x00, 1); usize::from(FRAGMENTS_MAX) + 1].concat();
        let mut guard = Guard::new(theirs, Bytes::from(many));
        let error = guard.read_to_end(&mut read).await.expect_err("too many");
        assert_eq!(error.kind(), TOO_MANY_FRAGMENTS);
    }
}
