//! R15: a page of messages and a page of the queue, with many messages by with few, and with many organizations by with
//! one, on redb. An open loop: what is asked is drawn from all there is.
//! The files are in the system's memory, beyond what the engine keeps: the store is measured, not the disk under it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use fusionchat_proto::v1;
use futures::stream::{FuturesUnordered, StreamExt};

use super::kit::library::Library;
use super::kit::pace::Pace;
use super::kit::process::warm;
use super::kit::ratio::{Goal, Ratio, by_itself};
use super::{Measured, Told};
use crate::chance::Chance;
use crate::daemon::Daemon;
use crate::figures::Times;
use crate::staff::Staff;

/// How many pages of each kind a round reads, and how far apart they are.
const PAGES: usize = 800;
const EVERY: Duration = Duration::from_micros(2_500);
/// How many rows a page has.
const ROWS: u32 = 50;

/// What is read.
#[derive(Clone, Copy)]
enum Page {
    Messages,
    Queue,
}

impl Page {
    const ALL: [Self; 2] = [Self::Messages, Self::Queue];

    fn name(self) -> &'static str {
        match self {
            Self::Messages => "page of messages",
            Self::Queue => "page of the queue",
        }
    }
}

/// A daemon on a library, with a line of each organization.
struct Side<'a> {
    daemon: Daemon,
    library: &'a Library,
    lines: Vec<Staff>,
    chance: Chance,
}

/// Measures many by few; `what` says of what.
pub(super) async fn measure(
    program: &Path,
    (many, few): (&Library, &Library),
    what: &str,
    rounds: u16,
) -> Result<Measured> {
    let mut many = Side::open(program, many).await?;
    let mut few = Side::open(program, few).await?;
    let mut measured = Measured::default();
    for page in Page::ALL {
        let all = [Times::default(), Times::default()];
        let mut pairs = Vec::new();
        for _ in 0..rounds {
            let ours = many.read(page, &all[0]).await?;
            pairs.push((ours, few.read(page, &all[1]).await?));
        }
        let check = by_itself(async || few.read(page, &Times::default()).await).await?;
        let name = page.name();
        let title = format!("{name} p99, {what}");
        measured.ratios.push(Ratio::new("R15", title, "us", Goal::AtMost(1.5), &pairs, &check));
        measured.told.push(Told::new(&format!("R15 {name}, {what}"), &all[0]));
        measured.told.push(Told::new(&format!("R15 {name}, few"), &all[1]));
    }
    many.daemon.stop().await?;
    few.daemon.stop().await?;
    Ok(measured)
}

impl<'a> Side<'a> {
    async fn open(program: &Path, library: &'a Library) -> Result<Self> {
        warm(&library.store())?;
        let mut daemon = library.daemon(program)?;
        let admin = library.admin(&daemon)?;
        daemon.start(&admin).await?;
        let lines = library.shops.iter().map(|shop| admin.with_token(&shop.key));
        let lines = lines.collect::<Result<Vec<_>>>()?;
        Ok(Self { daemon, library, lines, chance: Chance::new(15, 0) })
    }

    /// The ninety-ninth of a hundred of a round, in microseconds.
    async fn read(&mut self, page: Page, all: &Times) -> Result<f64> {
        let times = Times::default();
        let mut pace = Pace::start(EVERY, PAGES);
        let mut under_way = FuturesUnordered::new();
        let mut over = false;
        while !over || !under_way.is_empty() {
            tokio::select! {
                due = pace.next(), if !over => match due {
                    Some(at) => under_way.push(self.one(page, at)?),
                    None => over = true,
                },
                Some(took) = under_way.next() => {
                    let took = took?;
                    times.add(took);
                    all.add(took);
                }
            }
        }
        Ok(times.at(0.99) as f64)
    }

    /// Asks for one page.
    fn one(
        &mut self,
        page: Page,
        at: Instant,
    ) -> Result<impl Future<Output = Result<Duration>> + use<>> {
        let mut draw = |end: usize| usize::try_from(self.chance.below(end as u64));
        let number = draw(self.lines.len())?;
        let shop = self.library.shops.get(number).context("an organization")?;
        let (conversation, _) =
            shop.conversations.get(draw(shop.conversations.len())?).context("a conversation")?;
        let line = self.lines.get(number).context("a line")?.clone();
        let conversation = conversation.clone();
        Ok(async move {
            match page {
                Page::Messages => {
                    let request = v1::ListMessagesRequest {
                        conversation,
                        limit: ROWS,
                        last: true,
                        ..Default::default()
                    };
                    line.conversations().list_messages(request).await.map(|_| ())?;
                }
                Page::Queue => {
                    let request = v1::ListEscalationsRequest { limit: ROWS };
                    line.escalations().list_escalations(request).await.map(|_| ())?;
                }
            }
            Ok(at.elapsed())
        })
    }
}
