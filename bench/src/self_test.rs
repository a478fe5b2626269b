//! The bench tries itself: it plays a few dialogues, and then lies to the verification in every way that would matter.
//! Whoever believes a lie once is not believed again.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::ledger::{self, Line};
use crate::readback::{self, Conversation};
use crate::replay::Play;

/// A lie about what is in the store.
type Lie = (&'static str, fn(&mut Vec<Conversation>) -> Option<()>);

const LIES: [Lie; 6] = [
    ("a message is missing", |all| {
        drop(longest(all)?.messages.pop()?);
        Some(())
    }),
    ("a message is missing and the numbers are closed up", |all| {
        let messages = &mut longest(all)?.messages;
        let at = messages.iter().position(|it| it.sender_type == "agent")?;
        messages.remove(at);
        messages.iter_mut().zip(1..).for_each(|(message, seq)| message.seq = seq);
        Some(())
    }),
    ("two messages are swapped", |all| {
        let messages = &mut longest(all)?.messages;
        let visitors = |at: &usize| messages[*at].sender_type == "user";
        let mut places = (0..messages.len()).filter(visitors);
        let (first, second) = places.next().zip(places.next())?;
        messages.swap(first, second);
        messages.iter_mut().zip(1..).for_each(|(message, seq)| message.seq = seq);
        Some(())
    }),
    ("a message is there twice", |all| {
        let messages = &mut longest(all)?.messages;
        let mut again = messages.iter().find(|it| it.sender_type == "user")?.clone();
        again.seq = messages.len() as u64 + 1;
        messages.push(again);
        Some(())
    }),
    ("a message has other words", |all| {
        let messages = &mut longest(all)?.messages;
        messages.iter_mut().find(|it| it.sender_type == "agent")?.content.push('.');
        Some(())
    }),
    ("a conversation is missing", |all| {
        drop(all.pop()?);
        Some(())
    }),
];

fn longest(all: &mut [Conversation]) -> Option<&mut Conversation> {
    all.iter_mut().max_by_key(|conversation| conversation.messages.len())
}

/// Tells the verification the truth and every lie. Returns what it saw through.
pub(crate) async fn lie(play: &Play) -> Result<Vec<&'static str>> {
    let (ledger, truth) = (play.ledger(), play.readback());
    let code = verdict(&ledger, &truth).await?;
    ensure!(code == 0, "the verification does not believe the truth: exit {code}");
    let mut seen = Vec::new();

    let name = "a line of the ledger is missing";
    let shorter = without_a_line(&ledger)?;
    expect_refusal(name, &shorter, &truth).await?;
    seen.push(name);

    for (name, lie) in LIES {
        let mut conversations = readback::load(&truth)?;
        lie(&mut conversations).with_context(|| format!("nothing to lie about: {name}"))?;
        let file = play.directory.join("lie.jsonl");
        readback::save(&file, &conversations)?;
        expect_refusal(name, &ledger, &file).await?;
        seen.push(name);
    }
    Ok(seen)
}

async fn expect_refusal(name: &str, ledger: &Path, readback: &Path) -> Result<()> {
    let code = verdict(ledger, readback).await?;
    ensure!(code == 1, "the verification ended with {code}, but {name}");
    Ok(())
}

/// How another process judges.
async fn verdict(ledger: &Path, readback: &Path) -> Result<i32> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("verify").arg(ledger).arg("--readback").arg(readback);
    let output = command.kill_on_drop(true).output().await?;
    output.status.code().context("the verification was ended by a signal")
}

/// The ledger as if one send, and its acknowledgement, had never been written.
fn without_a_line(ledger: &Path) -> Result<PathBuf> {
    let victim = ledger::read(ledger)?.acked.pop().context("nothing was acknowledged")?;
    let text = std::fs::read_to_string(ledger)?;
    let mut left = String::new();
    for line in text.lines() {
        let of = match serde_json::from_str(line)? {
            Line::Send(sent) => sent.client_id,
            Line::Ack(acked) => acked.client_id,
        };
        if of != victim.client_id {
            left.push_str(line);
            left.push('\n');
        }
    }
    let file = ledger.with_extension("shorter");
    std::fs::write(&file, left)?;
    Ok(file)
}
