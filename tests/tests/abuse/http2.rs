//! Floods of HTTP/2 frames against the gRPC door, whose client never gets to say who it is. The HTTP door speaks
//! HTTP/1.1 only. After each flood somebody else is served.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fusionchat_tests::http2::{
    ENHANCE_YOUR_CALM, End, Http2, REFUSED_STREAM, call, flag, frame, kind, literal,
};
use fusionchat_tests::stage::{Stage, play};

use crate::desk::Desk;

/// A call that reads its body before it looks at who calls.
const CALL: &str = "/fusionchat.v1.SessionService/CreateSession";
/// So many streams a connection may have.
const STREAMS_MAX: u32 = 128;
/// More than any client needs.
const MANY: u32 = 10_000;
/// What a flood may add to the daemon's memory, in bytes.
const GROWTH_MAX: u64 = 32 * 1024 * 1024;
/// A client that does not answer is given up soon.
const SHORT: &str = "patience_ms = 200\nping_ms = 100\n";

/// The number of the nth stream.
fn stream(number: u32) -> u32 {
    number * 2 + 1
}

/// A call of this stream that goes on.
fn open(stream: u32) -> Vec<u8> {
    frame(kind::HEADERS, flag::END_HEADERS, stream, &call(CALL))
}

/// A connection to the gRPC door of a daemon with these limits.
async fn hostile(stage: &Stage, limits: &str) -> Result<(Desk, Http2)> {
    let desk = Desk::open(stage, limits).await?;
    let http2 = Http2::connect(desk.served.address("grpc")?).await?;
    ensure!(http2.streams_max == STREAMS_MAX, "{} streams", http2.streams_max);
    Ok((desk, http2))
}

/// Whether it ended because too much was asked, for this reason.
fn is_calmed(end: &End, why: &str) -> bool {
    matches!(end, End::GoAway { code: ENHANCE_YOUR_CALM, debug } if debug == why)
}

/// Whether the daemon serves others.
async fn lives(desk: &Desk) -> Result<()> {
    desk.staff().await?.queue().await?;
    Ok(())
}

#[test]
fn fault_23_empty_data_without_end_is_sent_away() {
    play(async |stage: &Stage| {
        let (desk, mut http2) = hostile(stage, "").await?;
        http2.send(&open(1)).await?;
        let (end, sent) = http2.flood(MANY, |_| frame(kind::DATA, 0, 1, &[])).await?;
        ensure!(is_calmed(&end, "too_many_data_frames"), "{end:?} after {sent}");
        lives(&desk).await
    });
}

#[test]
fn fault_24_a_rapid_reset_is_sent_away() {
    play(async |stage: &Stage| {
        let (desk, mut http2) = hostile(stage, "").await?;
        // Many in each write, so that they lie there before any is taken up.
        let batch = |number: u32| {
            let each = |at: u32| {
                let stream = stream(number * 100 + at);
                [open(stream), frame(kind::RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
            };
            (0..100).flat_map(each).collect()
        };
        let (end, sent) = http2.flood(MANY / 100, batch).await?;
        ensure!(is_calmed(&end, "too_many_resets"), "{end:?} after {sent} hundreds");
        lives(&desk).await
    });
}

#[test]
fn fault_24_made_you_reset_is_sent_away() {
    play(async |stage: &Stage| {
        let (desk, mut http2) = hostile(stage, "").await?;
        // More room than a stream can have is a mistake: the daemon has to reset it.
        let room = 0x7fff_ffff_u32.to_be_bytes();
        let mistake = |number: u32| {
            let stream = stream(number);
            [open(stream), frame(kind::WINDOW_UPDATE, 0, stream, &room)].concat()
        };
        let (end, sent) = http2.flood(MANY, mistake).await?;
        ensure!(is_calmed(&end, "too_many_internal_resets"), "{end:?} after {sent}");
        lives(&desk).await
    });
}

#[test]
fn fault_25_a_head_without_end_is_sent_away() {
    play(async |stage: &Stage| {
        let (desk, mut http2) = hostile(stage, "").await?;
        http2.send(&frame(kind::HEADERS, 0, 1, &call(CALL))).await?;
        let more = literal("x-more", "and more");
        let (end, sent) = http2.flood(MANY, |_| frame(kind::CONTINUATION, 0, 1, &more)).await?;
        ensure!(is_calmed(&end, "too_many_continuations"), "{end:?} after {sent}");
        // The same in large pieces.
        let before = desk.gauge("resident_bytes").await?;
        let mut http2 = Http2::connect(desk.served.address("grpc")?).await?;
        http2.send(&frame(kind::HEADERS, 0, 1, &call(CALL))).await?;
        let more = literal("x-more", &"x".repeat(15_000));
        let (end, sent) = http2.flood(MANY, |_| frame(kind::CONTINUATION, 0, 1, &more)).await?;
        ensure!(matches!(end, End::GoAway { code, .. } if code != 0), "{end:?} after {sent}");
        let grown = desk.gauge("resident_bytes").await?.saturating_sub(before);
        ensure!(grown < GROWTH_MAX, "memory has grown by {grown}");
        lives(&desk).await
    });
}

#[test]
fn fault_06_fault_25_a_large_head_is_refused_and_the_connection_goes_on() {
    play(async |stage: &Stage| {
        let (_desk, mut http2) = hostile(stage, "").await?;
        let large = [call(CALL), literal("x-large", &"x".repeat(14_000))].concat();
        let more = literal("x-more", &"x".repeat(4_000));
        let head = [
            frame(kind::HEADERS, flag::END_STREAM, 1, &large),
            frame(kind::CONTINUATION, flag::END_HEADERS, 1, &more),
        ];
        http2.send(&head.concat()).await?;
        let answer = http2.of_stream(1).await?;
        // Its first byte would be 0x88, status 200, had the call been served.
        let is_refused = answer.kind == kind::RST_STREAM || answer.payload.first() != Some(&0x88);
        ensure!(is_refused, "{answer:?}");
        http2
            .send(&frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 3, &call(CALL)))
            .await?;
        let answer = http2.of_stream(3).await?;
        ensure!(answer.payload.first() == Some(&0x88), "{answer:?}");
        Ok(())
    });
}

#[test]
fn fault_26_ten_thousand_streams_are_128() {
    play(async |stage: &Stage| {
        let (desk, mut http2) = hostile(stage, "").await?;
        let some: Vec<u8> = (0..STREAMS_MAX + 100).flat_map(|it| open(stream(it))).collect();
        http2.send(&some).await?;
        for over in STREAMS_MAX..STREAMS_MAX + 100 {
            let answer = http2.of_stream(stream(over)).await?;
            let is_refused = answer.kind == kind::RST_STREAM && answer.code() == REFUSED_STREAM;
            ensure!(is_refused, "{over}: {answer:?}");
        }
        let first = STREAMS_MAX + 100;
        let (end, sent) = http2.flood(MANY, |number| open(stream(first + number))).await?;
        ensure!(is_calmed(&end, "too_many_internal_resets"), "{end:?} after {sent}");
        lives(&desk).await
    });
}

#[test]
fn fault_22_who_only_pings_and_never_reads_is_given_up() {
    play(async |stage: &Stage| {
        // With rare pings and with frequent ones: the goodbye to who answers none is not read either.
        for waits in ["patience_ms = 200\n", SHORT] {
            let desk = Desk::open(stage, waits).await?;
            let before = desk.gauge("resident_bytes").await?;
            // Each is answered, until the answers are in the way.
            let flood = [frame(kind::PING, 0, 0, &[7; 8]), frame(kind::SETTINGS, 0, 0, &[])];
            for each in flood {
                let mut http2 = Http2::connect(desk.served.address("grpc")?).await?;
                let batch = each.repeat(1_000);
                let sent = http2.pour(u32::MAX, |_| batch.clone()).await;
                stage.note(format!("given up after {sent} thousand"));
            }
            let after = desk.gauge("resident_bytes").await?;
            ensure!(after < before + GROWTH_MAX, "memory went from {before} to {after}");
            lives(&desk).await?;
        }
        Ok(())
    });
}

#[test]
fn fault_01_a_head_that_does_not_come_is_given_up() {
    play(async |stage: &Stage| {
        let (desk, mut http2) = hostile(stage, SHORT).await?;
        http2.send(&frame(kind::HEADERS, 0, 1, &call(CALL))).await?;
        // Nothing else may be said before the head has ended, not even the answer to a ping.
        http2.ended().await?;
        lives(&desk).await
    });
}

#[test]
fn fault_02_a_call_whose_body_does_not_come_is_given_up_alone() {
    play(async |stage: &Stage| {
        // Pings are rare here: it is not the connection that is given up.
        let (_desk, mut http2) = hostile(stage, "patience_ms = 200\n").await?;
        http2.send(&[open(1), frame(kind::DATA, 0, 1, &[0])].concat()).await?;
        let answer = http2.of_stream(1).await?;
        let is_over = answer.kind == kind::HEADERS && answer.flags & flag::END_STREAM != 0;
        ensure!(is_over, "{answer:?}");
        let text = String::from_utf8_lossy(&answer.payload).into_owned();
        stage.note(format!("the answer: {text:?}"));
        http2
            .send(&frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 3, &call(CALL)))
            .await?;
        http2.of_stream(3).await?;
        Ok(())
    });
}

/// The body of each call, and how much of it is sent before the next one has its turn.
const BODY_BYTES: usize = 40_000;
const TURN_BYTES: usize = 16_000;
/// The room a connection has before the daemon gives it more.
const ROOM_BYTES: usize = 65_535;
/// Longer than a test may take: whoever has to wait for it is noticed.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn fault_26_as_many_calls_as_there_may_be_are_answered_with_their_bodies_in_turns() {
    play(async |stage: &Stage| {
        let limits = format!("patience_ms = {}\n", PATIENCE.as_millis());
        let (_desk, mut http2) = hostile(stage, &limits).await?;
        // One whole message of nothing that it may hold.
        let mut body = vec![0xff; BODY_BYTES];
        body[0] = 0;
        body[1..5].copy_from_slice(&u32::try_from(BODY_BYTES - 5)?.to_be_bytes());
        let mut turns = VecDeque::new();
        for number in 0..STREAMS_MAX {
            http2.send(&open(stream(number))).await?;
            turns.push_back((stream(number), 0));
        }
        let (mut room, mut answered) = (ROOM_BYTES, 0);
        while answered < STREAMS_MAX {
            while let Some((stream, from)) = turns.pop_front() {
                let to = (from + TURN_BYTES).min(BODY_BYTES);
                if room < to - from {
                    turns.push_front((stream, from));
                    break;
                }
                room -= to - from;
                let last = if to == BODY_BYTES { flag::END_STREAM } else { 0 };
                http2.send(&frame(kind::DATA, last, stream, &body[from..to])).await?;
                if to < BODY_BYTES {
                    turns.push_back((stream, to));
                }
            }
            let next = http2.next().await?.context("it closed")?;
            if next.kind == kind::WINDOW_UPDATE && next.stream == 0 {
                room += usize::try_from(next.code())?;
            }
            answered += u32::from(next.kind == kind::HEADERS);
        }
        ensure!(turns.is_empty(), "{} were answered before they were sent", turns.len());
        Ok(())
    });
}
