//! Holds what a daemon gives back to the ledger. It runs in a process of its own that has seen nothing of the run:
//! everything it knows stands in the ledger's file and in the daemon's answers.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::dialogue::Side;
use crate::ledger::{self, Acked, Known};
use crate::readback::{self, Conversation, Message};

/// The variable that holds the key to read with: an argument would show in the list of processes.
pub(crate) const KEY: &str = "FUSION_BENCH_KEY";
/// How many differences are told in words; the rest are counted.
const DIFFERENCES_SHOWN: usize = 20;

/// What to compare.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// The ledger of a replay
    ledger: PathBuf,
    /// Where the daemon serves REST; the key is taken from FUSION_BENCH_KEY
    #[arg(long, value_name = "URL", required_unless_present = "readback")]
    http: Option<String>,
    /// Compare with what an earlier run saved instead of asking a daemon
    #[arg(long, value_name = "FILE", conflicts_with_all = ["http", "save"])]
    readback: Option<PathBuf>,
    /// Save what the daemon gave
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Findings {
    /// Conversations read back.
    pub(crate) conversations: usize,
    /// Messages of people read back.
    pub(crate) messages: usize,
    /// System lines read back.
    pub(crate) system_lines: usize,
    /// Messages whose acknowledgement a client had.
    pub(crate) acknowledged: usize,
    /// Not acknowledged, and there.
    pub(crate) unacknowledged_present: usize,
    /// Not acknowledged, and not there.
    pub(crate) unacknowledged_absent: usize,
    /// How many differences there are.
    pub(crate) difference_count: usize,
    /// The first of them.
    pub(crate) differences: Vec<String>,
}

impl Findings {
    fn differ(&mut self, what: String) {
        self.difference_count += 1;
        if self.differences.len() < DIFFERENCES_SHOWN {
            self.differences.push(what);
        }
    }
}

/// Reads both sides and compares them.
pub(crate) async fn run(arguments: &Arguments) -> Result<Findings> {
    // Acknowledgements as they were before the daemon is asked, sends as they are after: a client that goes on
    // meanwhile makes no difference.
    let before = ledger::read(&arguments.ledger)?;
    let conversations = match (&arguments.readback, &arguments.http) {
        (Some(file), _) => readback::load(file)?,
        (None, Some(http)) => {
            let key = std::env::var(KEY).with_context(|| format!("{KEY} holds no key"))?;
            readback::fetch(http, &key).await?
        }
        (None, None) => anyhow::bail!("pass --http URL or --readback FILE"),
    };
    if let Some(file) = &arguments.save {
        readback::save(file, &conversations)?;
    }
    let known = Known { sent: ledger::read(&arguments.ledger)?.sent, acked: before.acked };
    Ok(compare(&known, &conversations))
}

/// Every acknowledged message exactly once, in order and as it was sent; every `seq` there; nothing foreign; nothing
/// unacknowledged twice.
pub(crate) fn compare(known: &Known, conversations: &[Conversation]) -> Findings {
    let mut comparison = Comparison { known, found: HashMap::new(), findings: Findings::default() };
    let mut dialogues = HashSet::new();
    for conversation in conversations {
        comparison.findings.conversations += 1;
        match comparison.check_conversation(conversation) {
            Some(dialogue) if !dialogues.insert(dialogue) => comparison.findings.differ(format!(
                "dialogue {dialogue} has a second conversation {}",
                conversation.id
            )),
            Some(_) => {}
            None => comparison.findings.differ(format!(
                "conversation {} is foreign: no line of the ledger",
                conversation.id
            )),
        }
    }
    comparison.check_acknowledged();
    comparison.findings
}

struct Comparison<'a> {
    known: &'a Known,
    /// Where each message was found first, by `clientId`.
    found: HashMap<&'a str, (&'a Conversation, &'a Message)>,
    findings: Findings,
}

impl<'a> Comparison<'a> {
    /// The dialogue it belongs to, if it holds anything the ledger knows.
    fn check_conversation(&mut self, conversation: &'a Conversation) -> Option<usize> {
        let mut dialogue = None;
        let mut order = None;
        for (message, expected) in conversation.messages.iter().zip(1..) {
            let at = format!("conversation {} seq {}", conversation.id, message.seq);
            if message.seq != expected {
                self.findings.differ(format!("{at}: seq {expected} was expected"));
            }
            if message.sender_type == "system" {
                self.findings.system_lines += 1;
                continue;
            }
            self.findings.messages += 1;
            let client_id = message.client_id.as_deref().unwrap_or_default();
            let Some(sent) = self.known.sent.get(client_id) else {
                self.findings.differ(format!("{at} is foreign: {:?}", message.content));
                continue;
            };
            if let Some((other, first)) = self.found.insert(client_id, (conversation, message)) {
                let (id, seq) = (&other.id, first.seq);
                self.findings.differ(format!("{at} is there twice, before as {id} seq {seq}"));
            }
            let sender = match sent.side {
                Side::Visitor => "user",
                Side::Agent => "agent",
            };
            if message.sender_type != sender || message.content != sent.text {
                let (by, text) = (&message.sender_type, &message.content);
                let wanted = &sent.text;
                self.findings.differ(format!("{at}: {sender} sent {wanted:?}, {by} has {text:?}"));
            }
            if order.is_some_and(|before| before >= sent.order) {
                self.findings.differ(format!("{at} is out of order: {:?}", message.content));
            }
            if dialogue.is_some_and(|before| before != sent.dialogue) {
                self.findings.differ(format!("{at} is of another dialogue, {}", sent.dialogue));
            }
            (dialogue, order) = (Some(sent.dialogue), Some(sent.order));
        }
        if (conversation.messages.len() as u64) < conversation.last_seq {
            let (id, seq) = (&conversation.id, conversation.last_seq);
            self.findings.differ(format!("conversation {id} ends before its last seq {seq}"));
        }
        dialogue
    }

    fn check_acknowledged(&mut self) {
        let mut acknowledged: HashMap<&str, &Acked> = HashMap::new();
        for ack in &self.known.acked {
            let key = |it: &Acked| (it.conversation.clone(), it.seq, it.id.clone());
            match acknowledged.insert(&ack.client_id, ack) {
                Some(before) if key(before) != key(ack) => {
                    let (before, after) = (key(before), key(ack));
                    self.findings.differ(format!("acknowledged as {before:?}, then as {after:?}"));
                }
                Some(_) => continue,
                None => {}
            }
            let Some(sent) = self.known.sent.get(&ack.client_id) else {
                self.findings
                    .differ(format!("acknowledged, but no line says it was sent: {ack:?}"));
                continue;
            };
            let at = format!("dialogue {} line {}", sent.dialogue, sent.order);
            match self.found.get(ack.client_id.as_str()) {
                None => self.findings.differ(format!("{at} was acknowledged and is lost: {ack:?}")),
                Some((conversation, message)) => {
                    let found = (conversation.id.clone(), message.seq, message.id.clone());
                    if found != key(ack) {
                        self.findings.differ(format!("{at} is at {found:?}, not as in {ack:?}"));
                    }
                }
            }
        }
        self.findings.acknowledged = acknowledged.len();
        let open = self.known.sent.keys().filter(|id| !acknowledged.contains_key(id.as_str()));
        let (present, absent): (Vec<_>, Vec<_>) =
            open.partition(|id| self.found.contains_key(id.as_str()));
        self.findings.unacknowledged_present = present.len();
        self.findings.unacknowledged_absent = absent.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Sent;

    type Change = fn(&mut Known, &mut Vec<Conversation>);

    /// Two lines of one dialogue, acknowledged, and as they should be read back.
    fn whole() -> (Known, Vec<Conversation>) {
        let mut known = Known::default();
        let mut messages = Vec::new();
        for (order, side) in [Side::Visitor, Side::Agent].into_iter().enumerate() {
            let (client_id, text) = (format!("c{order}"), format!("text {order}"));
            let (seq, id) = (order as u64 + 1, format!("m{order}"));
            let conversation = "conv".to_owned();
            let sent = Sent { dialogue: 3, side, order, client_id: client_id.clone(), text };
            messages.push(Message {
                seq,
                id: id.clone(),
                sender_type: if side == Side::Visitor { "user" } else { "agent" }.to_owned(),
                content: sent.text.clone(),
                client_id: Some(client_id.clone()),
            });
            known.acked.push(Acked {
                client_id: client_id.clone(),
                conversation,
                seq,
                id,
                ignored: false,
            });
            known.sent.insert(client_id, sent);
        }
        (known, vec![Conversation { id: "conv".to_owned(), last_seq: 2, messages }])
    }

    fn differences(change: impl FnOnce(&mut Known, &mut Vec<Conversation>)) -> usize {
        let (mut known, mut conversations) = whole();
        change(&mut known, &mut conversations);
        compare(&known, &conversations).difference_count
    }

    #[test]
    fn what_was_sent_is_what_is_there() {
        assert_eq!(differences(|_, _| ()), 0);
    }

    #[test]
    fn fault_37_and_38_the_unacknowledged_may_be_there_or_not_but_not_twice() {
        let unacknowledged = |known: &mut Known| known.acked.truncate(1);
        assert_eq!(differences(|known, _| unacknowledged(known)), 0);
        let absent = differences(|known, there| {
            unacknowledged(known);
            there[0].messages.truncate(1);
            there[0].last_seq = 1;
        });
        assert_eq!(absent, 0);
        let twice = differences(|known, there| {
            unacknowledged(known);
            let again = Message { seq: 3, id: "m9".to_owned(), ..there[0].messages[1].clone() };
            there[0].messages.push(again);
        });
        assert!(twice > 0);
    }

    #[test]
    fn every_difference_is_found() {
        let changes: [(&str, Change); 11] = [
            ("lost message", |_, there| there[0].messages.truncate(1)),
            ("lost first", |_, there| drop(there[0].messages.remove(0))),
            ("lost conversation", |_, there| there.clear()),
            ("foreign message", |known, _| {
                known.acked.truncate(1);
                known.sent.remove("c1");
            }),
            ("ledger line gone", |known, _| drop(known.sent.remove("c1"))),
            ("foreign conversation", |_, there| {
                there.push(Conversation { id: "x".to_owned(), last_seq: 0, messages: vec![] });
            }),
            ("swapped", |_, there| {
                let messages = &mut there[0].messages;
                messages.swap(0, 1);
                (messages[0].seq, messages[1].seq) = (1, 2);
            }),
            ("other words", |_, there| there[0].messages[0].content.push('!')),
            ("other sender", |_, there| {
                "assistant".clone_into(&mut there[0].messages[1].sender_type);
            }),
            ("other number", |known, _| known.acked[0].seq = 7),
            ("two answers", |known, _| {
                let other = Acked { id: "m7".to_owned(), ..known.acked[0].clone() };
                known.acked.push(other);
            }),
        ];
        for (name, change) in changes {
            assert!(differences(change) > 0, "{name}");
        }
    }
}
