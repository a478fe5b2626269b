//! Raw bytes on the widget's WebSocket.

use anyhow::{Result, ensure};
use fusionchat_proto::v1::ListConversationsRequest;
use fusionchat_tests::grpc::client_id;
use fusionchat_tests::stage::{Stage, play};
use fusionchat_tests::visitor::{Received, open_socket, receive};
use futures::SinkExt;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::MaybeTlsStream;
use tokio_tungstenite::tungstenite::Message;

use crate::desk::Desk;

/// How many of them come at once.
const SOCKETS: usize = 50;
/// What all of them together may add to the daemon's memory: 64 KiB each and something for the sockets.
const GROWTH_MAX: u64 = 16 * 1024 * 1024;

/// Two bytes that no UTF-8 has.
const NO_UTF8: &[u8] = &[0xc0, 0xaf];

/// A frame of so few bytes, under a mask of zeroes.
fn masked(first: u8, payload: &[u8]) -> Result<Vec<u8>> {
    ensure!(payload.len() < 126, "{} bytes need a longer head", payload.len());
    let length = 0x80 | u8::try_from(payload.len())?;
    Ok([&[first, length, 0, 0, 0, 0], payload].concat())
}

#[test]
fn fault_07_a_frame_that_claims_to_be_endless_takes_no_memory() {
    play(async |stage: &Stage| {
        let desk = Desk::open(stage, "").await?;
        let before = desk.gauge("resident_bytes").await?;
        let text = |length: u64| [&[0x81, 0xff][..], &length.to_be_bytes(), &[0; 4]].concat();
        for length in [1 << 63, (1 << 63) - 1, 1 << 40, 64 * 1024 + 1] {
            let mut sockets = vec![];
            for _ in 0..SOCKETS {
                let mut socket = open_socket(&desk.base()?).await?;
                let MaybeTlsStream::Plain(stream) = socket.get_mut() else {
                    anyhow::bail!("loopback is not encrypted")
                };
                stream.write_all(&text(length)).await?;
                sockets.push(socket);
            }
            for socket in &mut sockets {
                let end = receive(socket).await?;
                // The protocol knows no length of 64 bits.
                let expected = if length == 1 << 63 { [1002, 1009] } else { [1009, 1009] };
                let is_so = matches!(end, Received::Closed(code) if expected.contains(&code));
                ensure!(is_so, "{length}: {end:?}");
            }
            let grown = desk.gauge("resident_bytes").await?.saturating_sub(before);
            ensure!(grown < GROWTH_MAX, "{length}: memory has grown by {grown}");
        }
        Ok(())
    });
}

#[test]
fn fault_08_09_11_12_13_broken_frames_close_the_socket() {
    play(async |stage: &Stage| {
        let desk = Desk::open(stage, "").await?;
        let fragments = [masked(0x01, b"a")?, masked(0x00, b"a")?.repeat(10_000)].concat();
        let mut long_ping = vec![0x89, 0x80 | 126, 0, 126, 0, 0, 0, 0];
        long_ping.extend([0; 126]);
        for (what, bytes, code) in [
            ("8: not masked", vec![0x81, 0x02, b'{', b'}'], 1002),
            ("9: a reserved bit", masked(0xc1, b"{}")?, 1002),
            ("9: an unknown opcode", masked(0x83, b"{}")?, 1002),
            ("11: ten thousand fragments", fragments, 1008),
            ("12: a ping of 126 bytes", long_ping, 1002),
            ("12: a ping in parts", masked(0x09, b"")?, 1002),
            ("13: no UTF-8", masked(0x81, NO_UTF8)?, 1007),
        ] {
            let mut socket = open_socket(&desk.base()?).await?;
            let MaybeTlsStream::Plain(stream) = socket.get_mut() else {
                anyhow::bail!("loopback is not encrypted")
            };
            // It may have had enough before the last byte.
            let _ = stream.write_all(&bytes).await;
            let end = receive(&mut socket).await?;
            ensure!(matches!(end, Received::Closed(it) if it == code), "{what}: {end:?}");
        }
        Ok(())
    });
}

#[test]
fn fault_13_a_message_that_is_no_utf8_closes_the_socket_and_stores_nothing() {
    play(async |stage: &Stage| {
        let desk = Desk::open(stage, "").await?;
        let message = |text: &[u8]| {
            let id = client_id();
            let frame = format!("{{\"type\":\"message\",\"clientId\":\"{id}\",\"content\":\"");
            [frame.as_bytes(), text, b"\"}"].concat()
        };
        // Whoever has said hello could begin a conversation with it: with good text they do.
        for (text, conversations) in [(NO_UTF8, 0), (b"hello", 1)] {
            let mut socket = open_socket(&desk.base()?).await?;
            let hello = desk.stranger()?.hello().to_string();
            socket.send(Message::text(hello)).await?;
            let welcome = receive(&mut socket).await?;
            let met = matches!(&welcome, Received::Frame(it) if it["type"] == "welcome");
            ensure!(met, "{welcome:?}");
            let MaybeTlsStream::Plain(stream) = socket.get_mut() else {
                anyhow::bail!("loopback is not encrypted")
            };
            stream.write_all(&masked(0x81, &message(text))?).await?;
            loop {
                match receive(&mut socket).await? {
                    Received::Closed(code) if conversations == 0 => {
                        ensure!(code == 1007, "closed with {code}");
                        break;
                    }
                    Received::Frame(frame) if frame["type"] == "ack" && conversations > 0 => break,
                    Received::Frame(frame) if frame["type"] != "ack" => {}
                    other @ (Received::Frame(_) | Received::Closed(_)) => {
                        anyhow::bail!("{other:?}")
                    }
                }
            }
            let all = ListConversationsRequest::default();
            let listed = desk.staff().await?.conversations().list_conversations(all).await?;
            let stored = listed.into_inner().conversations;
            ensure!(stored.len() == conversations, "stored: {stored:?}");
        }
        Ok(())
    });
}
