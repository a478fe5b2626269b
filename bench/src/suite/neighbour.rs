//! R16: how long an organization's visitors wait for their acknowledgements while another one on the same daemon is
//! flooded, by how long they wait while nobody else writes. The daemon has the limits it has when nobody sets any.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use fusionchat_proto::v1;
use futures::stream::{FuturesUnordered, StreamExt};
use tonic::Code;

use super::kit::desk::Tab;
use super::kit::library::{Library, Shape, Shop, text};
use super::kit::pace::Pace;
use super::kit::ratio::{Goal, Ratio, by_itself};
use super::latency::Crowd;
use super::{Measured, Told};
use crate::chance::Chance;
use crate::figures::Times;
use crate::staff::Staff;

/// What the store holds: the victim and the loud one.
pub(super) const SHAPE: Shape = Shape { organizations: 2, conversations: 240, messages: 1 };
/// How long each half of a round is.
const HALF_MS: u64 = 6_000;
/// How far apart the victim's messages are: below the rate of each of its visitors.
const EVERY: Duration = Duration::from_millis(50);
/// How many messages of the flood come for each of the victim's.
const FLOOD: u32 = 100;
/// The most of the flood under way; past it what is due is not sent.
const UNDER_WAY_MAX: usize = 2_000;
/// How many of the victim's visitors come from one address.
const VISITORS_AN_ADDRESS: usize = 20;

/// What became of the flood.
#[derive(Default)]
struct Flooded {
    taken: u64,
    refused: u64,
    unsent: u64,
}

/// Measures it.
pub(super) async fn measure(program: &Path, library: &Library, rounds: u16) -> Result<Measured> {
    let [victim, loud] = library.shops.as_slice() else { bail!("there are two organizations") };
    let mut daemon = library.usual_daemon(program)?;
    let admin = library.admin(&daemon)?;
    daemon.start(&admin).await?;
    let mut chance = Chance::new(16, 0);
    let mut crowd = gather(&daemon.http(), victim).await?;
    let flooder = admin.with_token(&loud.key)?;
    let all = [Times::default(), Times::default()];
    let (mut pairs, mut flooded) = (Vec::new(), Flooded::default());
    for _ in 0..rounds {
        let quiet = speak(&mut crowd, &mut chance, &all[1]).await?;
        let mut others = Chance::new(chance.next(), 0);
        let flood = flood(&flooder, loud, &mut others, &mut flooded);
        let (flooded, ()) =
            futures::future::try_join(speak(&mut crowd, &mut chance, &all[0]), flood).await?;
        pairs.push((flooded, quiet));
    }
    let unused = Times::default();
    let check = by_itself(async || speak(&mut crowd, &mut chance, &unused).await).await?;
    daemon.stop().await?;
    let what = format!("victim's ack p99, flood of {FLOOD}");
    let Flooded { taken, refused, unsent } = flooded;
    let note = format!(
        "R16 the flood: {} messages a second offered; {taken} taken, {refused} refused, {unsent} \
         not sent since {UNDER_WAY_MAX} were under way",
        1_000 * u128::from(FLOOD) / EVERY.as_millis()
    );
    Ok(Measured {
        ratios: vec![Ratio::new("R16", what, "us", Goal::AtMost(4.0), &pairs, &check)],
        told: vec![
            Told::new("R16 victim's ack, flooded", &all[0]),
            Told::new("R16 victim's ack, quiet", &all[1]),
        ],
        notes: vec![note],
    })
}

/// The victim's visitors, from many addresses: one address may not have many sockets.
async fn gather(http: &str, victim: &Shop) -> Result<Crowd> {
    let mut tabs = Vec::new();
    for (number, (_, session)) in victim.conversations.iter().enumerate() {
        let last = u8::try_from(1 + number / VISITORS_AN_ADDRESS)?;
        let from = Ipv4Addr::new(127, 0, 1, last);
        tabs.push(Tab::open_from(from, http, &victim.inbox, Some(session)).await?);
    }
    Ok(Crowd(tabs))
}

/// The victim's visitors write for a while; the ninety-ninth of a hundred, in microseconds.
async fn speak(crowd: &mut Crowd, chance: &mut Chance, all: &Times) -> Result<f64> {
    let (times, due) = (Times::default(), RefCell::new(HashMap::new()));
    let count = usize::try_from(u128::from(HALF_MS) / EVERY.as_millis())?;
    crowd.speak(chance, Pace::start(EVERY, count), &due, [&times, all]).await?;
    Ok(times.at(0.99) as f64)
}

/// The flood for as long: a key of the loud organization writes for its visitors, whose own rates do not bind it.
async fn flood(
    flooder: &Staff,
    loud: &Shop,
    chance: &mut Chance,
    flooded: &mut Flooded,
) -> Result<()> {
    let count = usize::try_from(u128::from(HALF_MS) / EVERY.as_millis())? * FLOOD as usize;
    let mut pace = Pace::start(EVERY / FLOOD, count);
    let mut under_way = FuturesUnordered::new();
    let mut conversations = loud.conversations.iter().cycle();
    let mut over = false;
    while !over || !under_way.is_empty() {
        tokio::select! {
            due = pace.next(), if !over => match due {
                None => over = true,
                Some(_) if under_way.len() >= UNDER_WAY_MAX => flooded.unsent += 1,
                Some(_) => {
                    let (conversation, _) = conversations.next().context("a conversation")?;
                    let request = v1::PostMessageRequest {
                        client_id: chance.client_id(),
                        conversation: conversation.clone(),
                        content: text(0),
                        sender_type: v1::SenderType::User.into(),
                    };
                    let mut client = flooder.conversations();
                    under_way.push(async move { client.post_message(request).await });
                }
            },
            Some(posted) = under_way.next() => match posted {
                Ok(_) => flooded.taken += 1,
                Err(status) if status.code() == Code::ResourceExhausted => flooded.refused += 1,
                Err(status) => return Err(status).context("a message of the flood"),
            },
        }
    }
    Ok(())
}
