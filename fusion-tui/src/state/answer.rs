//! Answers of the assistant while they are made: shown below the transcript, no entries of it. A message takes an
//! answer's place; whatever else ends it takes it away.

use super::row::ConversationId;
use crate::text::SafeText;

/// The most answers remembered: more than an organization's assistant makes at once.
const ANSWERS_MAX: usize = 64;

/// What the daemon told of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AnswerPart {
    pub(crate) conversation: ConversationId,
    pub(crate) turn: u64,
    pub(crate) what: What,
}

/// What of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// More text, counted from 0.
    Text { n: u64, text: SafeText },
    /// There will be no more of it.
    End,
}

/// An answer as far as it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    conversation: ConversationId,
    turn: u64,
    parts: u64,
    pub(crate) text: SafeText,
    /// When it began, by our clock.
    pub(crate) since: i64,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answers(Vec<Answer>);

impl Answers {
    /// The answer in the making of a conversation.
    pub(crate) fn of(&self, id: &ConversationId) -> Option<&Answer> {
        self.0.iter().find(|answer| answer.conversation == *id)
    }

    /// Takes a part: from the first one on and without a gap, or not at all.
    pub(crate) fn take(&mut self, part: AnswerPart, now: i64) {
        let AnswerPart { conversation, turn, what } = part;
        match what {
            What::Text { n: 0, text } => {
                self.end(&conversation);
                if self.0.len() < ANSWERS_MAX {
                    self.0.push(Answer { conversation, turn, parts: 1, text, since: now });
                }
            }
            What::Text { n, text } => {
                let is_it = |it: &&mut Answer| {
                    it.conversation == conversation && it.turn == turn && it.parts == n
                };
                if let Some(answer) = self.0.iter_mut().find(is_it) {
                    answer.parts += 1;
                    answer.text = SafeText::block(&format!("{}{text}", answer.text));
                }
            }
            What::End => self.0.retain(|it| it.conversation != conversation || it.turn != turn),
        }
    }

    /// The conversation has moved on.
    pub(crate) fn end(&mut self, id: &ConversationId) {
        self.0.retain(|answer| answer.conversation != *id);
    }

    /// Forgets all of them.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
