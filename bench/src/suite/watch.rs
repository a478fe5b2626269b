//! R10: how fast an agent's stream brings what is in the journal, by a bare gRPC stream of the very same messages.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use fusionchat_proto::v1;
use futures::stream::{StreamExt, TryStreamExt};
use prost::Message as _;
use v1::watch_response::Frame;

use super::Measured;
use super::kit::deadline::within;
use super::kit::desk::{Desk, Tab};
use super::kit::plain::streamed;
use super::kit::ratio::{Goal, Ratio, beside_plain_loop};
use super::kit::reference::Running;
use crate::staff::Staff;

/// How many visitors write, and how much each.
const VISITORS: usize = 100;
const MESSAGES_EACH: usize = 100;
/// The reference took 0.92 times as long as its plain loop on a quiet machine, 1.43 on a busy one; half as fast it took
/// 3.3.
const PLAIN_TIMES_MAX: f64 = 1.6;

/// Measures it.
pub(super) async fn measure(program: &Path, rounds: u16) -> Result<Measured> {
    let mut desk = Desk::open(program).await?;
    let agent = desk.agent()?;
    let start = head(&agent).await?;
    fill(&mut desk).await?;
    let count = VISITORS * MESSAGES_EACH;
    let (_, frames) = read(&agent, Some(start.clone()), count).await?;
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("frames");
    let bytes: Vec<u8> =
        frames.iter().flat_map(v1::WatchResponse::encode_length_delimited_to_vec).collect();
    std::fs::write(&file, bytes)?;
    let bare = Running::start(&["stream", &file.display().to_string()]).await?;
    let plain = Running::start_plain(&["stream", &file.display().to_string()]).await?;
    let reference = Staff::new(&bare.address, None)?;
    let mut pairs = Vec::new();
    for _ in 0..rounds {
        let (ours, _) = read(&agent, Some(start.clone()), count).await?;
        let (theirs, same) = read(&reference, None, count).await?;
        ensure!(same.len() == frames.len(), "the reference streams something else");
        pairs.push((ours, theirs));
    }
    let check = beside_plain_loop(PLAIN_TIMES_MAX, async || {
        Ok((read(&reference, None, count).await?.0, read_plainly(&plain, &frames)?))
    });
    let check = check.await?;
    plain.close().await?;
    bare.close().await?;
    desk.close().await?;
    let what = format!("watch stream, {count} messages");
    let ratio = Ratio::new("R10", what, "/s", Goal::AtLeast(0.8), &pairs, &check);
    Ok(Measured { ratios: vec![ratio], ..Measured::default() })
}

async fn head(agent: &Staff) -> Result<v1::Cursor> {
    let mut stream = agent.watch().watch(v1::WatchRequest::default()).await?.into_inner();
    within("the head of the stream", async {
        loop {
            let response = stream.message().await?.context("the stream begins")?;
            if let Some(Frame::Ready(ready)) = response.frame {
                return ready.head.context("a head");
            }
        }
    })
    .await
}

async fn fill(desk: &mut Desk) -> Result<()> {
    let ids: Vec<Vec<String>> = (0..VISITORS)
        .map(|_| (0..MESSAGES_EACH).map(|_| desk.chance.client_id()).collect())
        .collect();
    let (http, inbox) = (desk.daemon.http(), desk.ground.inbox.clone());
    let talks = ids.iter().map(|ids| {
        let (http, inbox) = (&http, &inbox);
        async move {
            let mut tab = Tab::open(http, inbox, None).await?;
            for id in ids {
                tab.say(id, &format!("{id:<300}")).await?;
            }
            anyhow::Ok(())
        }
    });
    futures::stream::iter(talks).buffer_unordered(VISITORS).try_collect().await
}

/// Reads until so many messages have come; messages a second, and all frames.
async fn read(
    staff: &Staff,
    after: Option<v1::Cursor>,
    messages: usize,
) -> Result<(f64, Vec<v1::WatchResponse>)> {
    let request = v1::WatchRequest { after, ..Default::default() };
    let began = Instant::now();
    let frames = within("the stream", async {
        let mut stream = staff.watch().watch(request).await?.into_inner();
        let (mut frames, mut seen) = (Vec::new(), 0);
        while seen < messages {
            let response = stream.message().await?.context("the stream goes on")?;
            if let Some(Frame::Change(change)) = &response.frame {
                seen += usize::from(change.message.is_some());
            }
            frames.push(response);
        }
        Ok(frames)
    });
    let frames = frames.await?;
    Ok((messages as f64 / began.elapsed().as_secs_f64(), frames))
}

/// The same bytes from the plain server, decoded; messages a second.
fn read_plainly(plain: &Running, expected: &[v1::WatchResponse]) -> Result<f64> {
    let began = Instant::now();
    let bytes = streamed(&plain.address)?;
    let mut rest = bytes.as_slice();
    let mut frames = Vec::new();
    while !rest.is_empty() {
        frames.push(v1::WatchResponse::decode_length_delimited(&mut rest)?);
    }
    let took = began.elapsed();
    ensure!(frames.len() == expected.len(), "the plain stream is of something else");
    let messages = VISITORS * MESSAGES_EACH;
    Ok(messages as f64 / took.as_secs_f64())
}
