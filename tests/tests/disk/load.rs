//! A load on a desk, and the ledger of what it was told is safe: every acknowledgement with how long the disk's record
//! was when it had come.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use fusionchat_proto::v1;
use fusionchat_tests::grpc::{Staff, client_id};

use crate::desk::Desk;

/// Who writes at the same time, so that groups of several commands are committed.
const WRITERS: usize = 8;
/// Visitors who write meanwhile, each in a conversation of their own.
const VISITORS: usize = 3;
/// Every so many replies of a writer one is as long as a message may be: its row is split.
const LONG_EVERY: usize = 40;
/// The longest message: 10,000 characters of four bytes.
const LONG_CHARACTERS: usize = 10_000;

/// A message that was acknowledged, or seen by somebody else.
#[derive(Clone, Debug)]
pub(crate) struct Acknowledged {
    /// How long the record was then.
    pub(crate) at: u64,
    /// The message's id.
    pub(crate) id: String,
    pub(crate) seq: u64,
    pub(crate) content: String,
    /// The sender's own id of it, if it is a reply of the admin's.
    pub(crate) client_id: Option<String>,
}

/// Everything that was acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    lines: Mutex<Vec<Acknowledged>>,
}

impl Ledger {
    pub(crate) fn add(&self, line: Acknowledged) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    /// What was acknowledged before the record was longer than this.
    pub(crate) fn until(&self, length: usize) -> Vec<Acknowledged> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().filter(|line| line.at <= length as u64).cloned().collect()
    }

    /// How long the record was at each acknowledgement.
    pub(crate) fn moments(&self) -> Vec<usize> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().filter_map(|line| usize::try_from(line.at).ok()).collect()
    }
}

/// A text of many lengths that names itself.
fn text(writer: usize, count: usize) -> String {
    if count % LONG_EVERY == LONG_EVERY - 1 {
        let mut text = format!("long {writer} {count} ");
        let left = LONG_CHARACTERS - text.chars().count();
        text.extend(std::iter::repeat_n('🛳', left));
        return text;
    }
    format!("writer {writer} reply {count} {}", "lorem ipsum ".repeat((writer + count) % 60))
}

/// Puts a desk under load until so many messages are acknowledged, and kills it in the middle of that.
pub(crate) async fn until_killed(desk: &mut Desk, acknowledged: usize) -> Result<Ledger> {
    let ledger = Ledger::default();
    let count = AtomicUsize::new(0);
    {
        let staff = desk.staff().await?;
        let mut visitors = Vec::new();
        for _ in 0..VISITORS {
            visitors.push(desk.visitor().await?);
        }
        let enough = || count.load(Ordering::SeqCst) >= acknowledged;
        let (desk, ledger, count) = (&*desk, &ledger, &count);
        let writers = (0..WRITERS).map(|writer| {
            let staff = staff.clone();
            async move {
                for number in 0.. {
                    if enough() {
                        break;
                    }
                    reply(desk, &staff, ledger, text(writer, number)).await?;
                    count.fetch_add(1, Ordering::SeqCst);
                }
                anyhow::Ok(())
            }
        });
        let talks = visitors.iter_mut().enumerate().map(|(visitor, talk)| async move {
            for number in 0.. {
                if enough() {
                    break;
                }
                let content = text(100 + visitor, number % (LONG_EVERY - 1));
                let id = talk.say(&content).await?;
                let ack = talk.acked(&id).await?;
                let at = desk.disk.written()?;
                ledger.add(Acknowledged {
                    at,
                    id: ack["id"].as_str().context("an ack names its message")?.to_owned(),

                    seq: ack["seq"].as_u64().context("an ack has a seq")?,
                    content,
                    client_id: None,
                });
                count.fetch_add(1, Ordering::SeqCst);
            }
            anyhow::Ok(())
        });
        let writers = futures::future::try_join_all(writers);
        let talks = futures::future::try_join_all(talks);
        tokio::select! {
            written = async { tokio::try_join!(writers, talks) } => { written?; }
            read = read_along(desk, &staff, ledger) => read?,
        }
    }
    desk.served.kill9().await?;
    Ok(ledger)
}

/// A reply of the admin's, acknowledged.
pub(crate) async fn reply(
    desk: &Desk,
    staff: &Staff,
    ledger: &Ledger,
    content: String,
) -> Result<()> {
    let client_id = client_id();
    let message = staff.reply(&client_id, &desk.number, &content).await?;
    let at = desk.disk.written()?;
    let (id, seq) = (message.id, message.seq);
    ledger.add(Acknowledged { at, id, seq, content, client_id: Some(client_id) });
    Ok(())
}

/// Another reader, for ever: what it was shown is as safe as what was acknowledged.
async fn read_along(desk: &Desk, staff: &Staff, ledger: &Ledger) -> Result<()> {
    let mut live = staff.watch(None, "").await?;
    loop {
        let change = live.change(|change| change.message.is_some()).await?;
        let at = desk.disk.written()?;
        let v1::Message { id, seq, content, .. } = change.message.context("a message")?;
        ledger.add(Acknowledged { at, id, seq, content, client_id: None });
    }
}
