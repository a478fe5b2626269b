//! The assistant's answer while it is made: told sentence by sentence, and ended by the message it became or by
//! nothing. It is a signal, so the message alone counts: whoever misses a part waits for that.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::actor::{Actor, Who};
use crate::domain::conversation::Conversation;
use crate::domain::id::{ConversationId, UserId};
use crate::domain::message::MESSAGE_CHARS_MAX;
use crate::domain::rejection::Rejection;
use crate::domain::turn::awaits_assistant;

use super::Service;
use super::ephemeral::{Ephemeral, Part, Place, Streamed};
use super::error::Error;
use super::hub::Topic;

/// How many answers a reader follows at once; of the rest it hears when they are messages. More than the assistant
/// makes at once for one organization.
const FOLLOWED_MAX: usize = 64;

/// One turn's answer in the making. It counts its parts, bounds them, and never goes without an end: whoever lets go
/// of it before it was committed drops what was told.
#[derive(Debug)]
pub struct AnswerStream<'a> {
    service: &'a Service,
    actor: Actor,
    conversation: ConversationId,
    turn: u64,
    /// Who has been told a part of it.
    audience: Option<(Place, UserId)>,
    parts: u64,
    chars: usize,
    over: bool,
}

impl Service {
    /// The assistant's answer to this turn. Nothing is told before the first text.
    pub fn answer_stream(
        &self,
        actor: &Actor,
        conversation: ConversationId,
        turn: u64,
    ) -> Result<AnswerStream<'_>, Error> {
        let Who::Assistant = &actor.who else { return Err(Error::forbidden()) };
        Ok(AnswerStream {
            service: self,
            actor: actor.clone(),
            conversation,
            turn,
            audience: None,
            parts: 0,
            chars: 0,
            over: false,
        })
    }
}

impl AnswerStream<'_> {
    /// Tells more of the answer, which must have been checked. A turn that has passed is refused as `stale_turn`; what
    /// comes after the end is not told.
    pub async fn say(&mut self, text: &str) -> Result<(), Error> {
        if self.over || text.is_empty() {
            return Ok(());
        }
        let Self { service, conversation, turn, .. } = *self;
        let answering = service.answering(self.actor.organization, conversation).await;
        let header = match answering {
            Ok(Some(header)) if header.turn == turn => header,
            Ok(found) => {
                self.withdraw();
                let now = found.map_or(0, |it| it.turn);
                return Err(Rejection::StaleTurn { now, then: turn }.into());
            }
            Err(error) => {
                self.withdraw();
                return Err(error);
            }
        };
        self.chars += text.chars().count();
        if self.chars > MESSAGE_CHARS_MAX {
            // No message may hold this.
            self.withdraw();
            return Ok(());
        }
        self.audience = Some((Place::of(&header), header.visitor));
        let n = self.parts;
        self.parts += 1;
        self.tell(Part::Text { n, text: text.to_owned() });
        Ok(())
    }

    /// It is on disk as the message with this number.
    pub fn committed(&mut self, seq: u64) {
        self.end(Part::Committed { seq });
    }

    /// What was told of it will not come. Nothing more of this turn is told then; if nothing was, another try may be.
    pub fn withdraw(&mut self) {
        self.end(Part::Dropped);
    }

    fn end(&mut self, part: Part) {
        if self.audience.is_some() && !self.over {
            self.over = true;
            self.tell(part);
        }
    }

    fn tell(&self, part: Part) {
        let Some((place, visitor)) = self.audience else { return };
        let organization = self.actor.organization;
        let signal = Arc::new(Ephemeral::Streamed(Streamed { place, turn: self.turn, part }));
        self.service.hub.signal(Topic::Organization(organization), &signal);
        self.service.hub.signal(Topic::Visitor(organization, visitor), &signal);
    }
}

impl Drop for AnswerStream<'_> {
    fn drop(&mut self) {
        self.withdraw();
    }
}

/// The answers in the making that a reader hears, each from its first part on and without a gap. Whoever joins later
/// hears nothing of them.
#[derive(Debug, Default)]
pub(super) struct Following {
    answers: BTreeMap<ConversationId, Answer>,
}

#[derive(Debug)]
struct Answer {
    place: Place,
    turn: u64,
    next: u64,
    /// The conversation has moved on, or a part was missed: only the end is heard.
    over: bool,
}

impl Following {
    /// Whether the reader shall hear a part. That the first one is of the present turn is for the caller to know.
    pub(super) fn takes(&mut self, streamed: &Streamed) -> bool {
        let Streamed { place, turn, part } = streamed;
        let known = self.answers.get_mut(&place.conversation).filter(|it| it.turn == *turn);
        match (part, known) {
            (Part::Text { n: 0, .. }, None) => {
                let room = self.answers.len() < FOLLOWED_MAX
                    || self.answers.contains_key(&place.conversation);
                if room {
                    let answer = Answer { place: *place, turn: *turn, next: 1, over: false };
                    self.answers.insert(place.conversation, answer);
                }
                room
            }
            (Part::Text { n, .. }, Some(answer)) => {
                answer.over |= answer.next != *n;
                answer.next += 1;
                !answer.over
            }
            (Part::Text { .. } | Part::Committed { .. } | Part::Dropped, None) => false,
            (Part::Committed { .. } | Part::Dropped, Some(_)) => {
                self.answers.remove(&place.conversation);
                true
            }
        }
    }

    /// The reader has learnt how a conversation stands.
    pub(super) fn saw(&mut self, header: &Conversation) {
        if let Some(answer) = self.answers.get_mut(&header.id) {
            answer.over |= answer.turn != header.turn || !awaits_assistant(header);
        }
    }

    /// A part did not get through to the reader after all.
    pub(super) fn shed(&mut self, streamed: &Streamed) {
        let Part::Text { n, .. } = streamed.part else { return };
        if n == 0 {
            self.answers.remove(&streamed.place.conversation);
        } else if let Some(answer) = self.answers.get_mut(&streamed.place.conversation) {
            answer.over = true;
        }
    }

    /// Signals were missed, perhaps ends: everything that is followed is dropped.
    pub(super) fn lost(&mut self) -> impl Iterator<Item = Arc<Ephemeral>> + use<> {
        std::mem::take(&mut self.answers).into_values().map(|Answer { place, turn, .. }| {
            Arc::new(Ephemeral::Streamed(Streamed { place, turn, part: Part::Dropped }))
        })
    }
}
