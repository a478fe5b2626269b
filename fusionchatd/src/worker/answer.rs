//! Asks a model about one question and checks what it says, sentence by sentence, before anybody sees it; what has
//! passed is shown while the rest comes. Whatever the model does, the visitor gets the checked answer, the built-in
//! one, or a person.

use std::sync::PoisonError;

use futures::StreamExt as _;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::ai::breaker::Breaker;
use crate::ai::facts::Support;
use crate::ai::model::{Model as _, ModelError, Piece, Prompt};
use crate::ai::prompt::{Material, prompt};
use crate::ai::reply::{Action, Reply};
use crate::domain::command::AssistantAct;
use crate::domain::id::{ConversationId, OrganizationId};
use crate::service::Service;
use crate::service::assistant::Question;
use crate::service::error::Error;
use crate::service::stream::AnswerStream;

use super::budget::Budgets;
use super::provider::Provider;

/// Bytes of text that count as one token where the provider does not say how many there were.
const BYTES_A_TOKEN: usize = 3;
/// The reason of a hand-over when what the model said stands in no passage and there is nothing to quote.
const UNSUPPORTED: &str = "unsupported_answer";

/// What a question is asked with.
pub(super) struct Asking<'a> {
    pub(super) service: &'a Service,
    pub(super) budgets: &'a Budgets,
    pub(super) organization: OrganizationId,
    pub(super) conversation: ConversationId,
    pub(super) provider: &'a Provider,
    pub(super) question: &'a Question,
    /// Told whenever the conversation may have moved on.
    pub(super) moved: &'a Notify,
    pub(super) stop: &'a CancellationToken,
}

/// What came of it.
pub(super) enum Outcome {
    /// Do this.
    Act(AssistantAct),
    /// The conversation has moved on.
    Cut,
    /// The daemon is stopping.
    Stopped,
}

/// What came of asking once.
enum Tried {
    Done(AssistantAct),
    /// What it said may not be sent, and why.
    Refused(&'static str),
    Failed(ModelError),
    Cut,
    Stopped,
}

/// One question on its way, counted.
#[derive(Default)]
struct Cost {
    bytes: usize,
    said: Option<u64>,
}

impl Cost {
    fn tokens(&self) -> u64 {
        self.said.unwrap_or((self.bytes / BYTES_A_TOKEN) as u64)
    }
}

impl Asking<'_> {
    /// Asks, once more if the first reply may not be sent, and falls back. What `shown` has of a reply that is not the
    /// outcome is withdrawn.
    pub(super) async fn answer(&self, shown: &mut AnswerStream<'_>) -> Result<Outcome, Error> {
        let name = self.question.organization_name.as_str();
        if !self.breaker(|it| it.admit(self.service.now())) {
            tracing::warn!(organization = name, "the model is left alone after failures");
            return Ok(Outcome::Act(self.question.fallback.clone()));
        }
        let outcome = self.answer_admitted(shown).await;
        // Whatever happened, a half-open breaker waits for nobody any more.
        self.breaker(Breaker::abandoned);
        outcome
    }

    async fn answer_admitted(&self, shown: &mut AnswerStream<'_>) -> Result<Outcome, Error> {
        let name = self.question.organization_name.as_str();
        let began = Instant::now();
        for again in [false, true] {
            let mut cost = Cost::default();
            let asked = prompt(&self.material(again));
            let most = (asked.bytes() / BYTES_A_TOKEN) as u64
                + u64::from(self.provider.settings.endpoint.max_tokens);
            let limit = self.provider.settings.daily_tokens;
            let reserved =
                self.budgets.reserve(self.service, self.organization, most, limit).await?;
            let Some(reserved) = reserved else {
                tracing::warn!(organization = name, "the model's tokens for today are used up");
                return Ok(Outcome::Act(self.question.fallback.clone()));
            };
            cost.bytes = asked.bytes();
            let tried = self.try_once(asked, began, &mut cost, shown).await;
            if !matches!(tried, Ok(Tried::Done(AssistantAct::Say { .. }))) {
                shown.withdraw();
            }
            self.budgets.settle(&reserved, cost.tokens());
            let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            let tokens = cost.tokens();
            match tried? {
                Tried::Done(act) => {
                    self.breaker(Breaker::succeeded);
                    tracing::info!(organization = name, ms, tokens, "the model answered");
                    return Ok(Outcome::Act(act));
                }
                Tried::Refused(what) => {
                    self.breaker(Breaker::succeeded);
                    tracing::warn!(
                        organization = name,
                        what,
                        ms,
                        tokens,
                        "a reply was thrown away"
                    );
                }
                Tried::Failed(error) => {
                    let opened = self.breaker(|it| it.failed(self.service.now()));
                    tracing::warn!(organization = name, %error, ms, opened, "the model failed");
                    if let ModelError::Status(401 | 403) = error {
                        self.provider.forget_key();
                    }
                    return Ok(Outcome::Act(self.question.fallback.clone()));
                }
                Tried::Cut => {
                    tracing::info!(organization = name, ms, "a running answer was cut");
                    return Ok(Outcome::Cut);
                }
                Tried::Stopped => return Ok(Outcome::Stopped),
            }
        }
        Ok(Outcome::Act(self.quote_or_hand_over()))
    }

    fn breaker<T>(&self, act: impl FnOnce(&mut Breaker) -> T) -> T {
        act(&mut self.provider.breaker.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn material(&self, again: bool) -> Material<'_> {
        let Question { question, earlier, answers, locale, hits, .. } = self.question;
        let policy = &self.provider.settings.policy;
        Material { policy, question, earlier, answers, locale, hits, again }
    }

    /// The built-in quote, if there is one.
    fn quote_or_hand_over(&self) -> AssistantAct {
        match &self.question.fallback {
            AssistantAct::Say { clarification: false, .. } => self.question.fallback.clone(),
            AssistantAct::Say { .. } => AssistantAct::HandOver { reason: UNSUPPORTED },
            AssistantAct::HandOver { reason } => AssistantAct::HandOver { reason },
            AssistantAct::Draft { .. } => AssistantAct::HandOver { reason: UNSUPPORTED },
        }
    }

    async fn try_once(
        &self,
        asked: Prompt,
        began: Instant,
        cost: &mut Cost,
        shown: &mut AnswerStream<'_>,
    ) -> Result<Tried, Error> {
        let model = match self.provider.model().await {
            Ok(model) => model,
            Err(error) => return Ok(Tried::Failed(error)),
        };
        // Both tries together keep within the limit.
        let until = began + self.provider.settings.endpoint.patience.total;
        let mut pieces = model.ask(asked);
        let mut draft = Draft::new(self.question);
        loop {
            let piece = tokio::select! {
                piece = pieces.next() => piece,
                () = self.moved.notified() => {
                    if self.is_stale().await? {
                        return Ok(Tried::Cut);
                    }
                    continue;
                }
                () = self.stop.cancelled() => return Ok(Tried::Stopped),
                () = tokio::time::sleep_until(until) => {
                    return Ok(Tried::Failed(ModelError::Total));
                }
            };
            let taken = match piece {
                Some(Ok(Piece::Text(text))) => {
                    cost.bytes += text.len();
                    draft.push(&text)
                }
                Some(Ok(Piece::Usage(tokens))) => {
                    cost.said = Some(tokens);
                    continue;
                }
                Some(Err(error)) => return Ok(Tried::Failed(error)),
                None => return Ok(draft.finish().map_or_else(Tried::Refused, Tried::Done)),
            };
            match taken {
                Ok(None) => {}
                Ok(Some(act)) => return Ok(Tried::Done(act)),
                Err(what) => return Ok(Tried::Refused(what)),
            }
            if self.question.draft {
                // Staff get it whole, as a note; the visitor never.
                continue;
            }
            match shown.say(draft.news()).await {
                Ok(()) => {}
                Err(error) if error.code == "stale_turn" => return Ok(Tried::Cut),
                Err(error) => return Err(error),
            }
        }
    }

    async fn is_stale(&self) -> Result<bool, Error> {
        let Self { service, organization, conversation, question, .. } = self;
        Ok(!service.still_answers(*organization, *conversation, question.turn).await?)
    }
}

/// An answer in the making: only checked sentences are in it.
struct Draft<'a> {
    question: &'a Question,
    reply: Reply,
    support: Option<Support>,
    content: String,
    /// How much of it was taken as news, in bytes.
    known: usize,
}

impl<'a> Draft<'a> {
    fn new(question: &'a Question) -> Self {
        let (reply, content) = (Reply::default(), String::new());
        Self { question, reply, support: None, content, known: 0 }
    }

    /// What has been added to the answer since the last call.
    fn news(&mut self) -> &str {
        let from = std::mem::replace(&mut self.known, self.content.len());
        &self.content[from..]
    }

    /// Takes more of the reply. An act if the first line asks for one that needs no words.
    fn push(&mut self, text: &str) -> Result<Option<AssistantAct>, &'static str> {
        let grown = self.reply.push(text).map_err(|_| "form")?;
        self.take(&grown.sentences)
    }

    /// The stream has ended: what is to be done.
    fn finish(mut self) -> Result<AssistantAct, &'static str> {
        let grown = self.reply.finish().map_err(|_| "form")?;
        if let Some(act) = self.take(&grown.sentences)? {
            return Ok(act);
        }
        let content = self.content.trim().to_owned();
        if content.is_empty() {
            return Err("nothing");
        }
        let clarification = matches!(self.reply.action(), Some(Action::Clarify));
        let sources = if clarification { Vec::new() } else { self.question.sources(self.cited()) };
        Ok(AssistantAct::Say { content, sources, clarification })
    }

    fn cited(&self) -> Vec<usize> {
        match self.reply.action() {
            Some(Action::Answer(citations)) => {
                let known = 1..=self.question.hits.len();
                citations.iter().copied().filter(|it| known.contains(it)).collect()
            }
            Some(Action::Clarify) => (1..=self.question.hits.len()).collect(),
            Some(Action::HandOff(_)) | None => Vec::new(),
        }
    }

    fn take(&mut self, sentences: &[String]) -> Result<Option<AssistantAct>, &'static str> {
        match self.reply.action() {
            None => return Ok(None),
            Some(Action::HandOff(reason)) => return Ok(Some(AssistantAct::HandOver { reason })),
            Some(Action::Clarify) if !self.question.may_clarify => {
                return Ok(Some(AssistantAct::HandOver { reason: crate::ai::turn::NO_ANSWER }));
            }
            Some(Action::Clarify | Action::Answer(_)) => {}
        }
        if self.support.is_none() {
            let cited = self.cited();
            if cited.is_empty() {
                return Err("citation");
            }
            self.support = Some(Support::of(self.question.passages(&cited)));
        }
        for sentence in sentences {
            let sentence = without_marks(sentence);
            let missing = self.support.as_ref().and_then(|it| it.missing(&sentence));
            if let Some(missing) = missing {
                return Err(missing);
            }
            let begins = self.content.is_empty();
            self.content.push_str(if begins { sentence.trim_start() } else { &sentence });
        }
        Ok(None)
    }
}

/// A sentence without citation marks such as `[1]` or `[2, 3]`: the sources stand beside the message.
fn without_marks(sentence: &str) -> String {
    let mut kept = String::with_capacity(sentence.len());
    let mut rest = sentence;
    while let Some(at) = rest.find('[') {
        let (before, from) = rest.split_at(at);
        let mark = from.find(']').map(|end| &from[1..end]);
        let numbers = |it: &&str| {
            !it.is_empty() && it.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | ' '))
        };
        match mark.filter(numbers) {
            Some(mark) => {
                kept.push_str(before.trim_end_matches(' '));
                rest = &from[mark.len() + 2..];
            }
            None => {
                kept.push_str(&rest[..=at]);
                rest = &rest[at + 1..];
            }
        }
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use crate::domain::command::AssistantAct;
    use crate::search::Hit;
    use crate::service::assistant::Question;

    use super::{Draft, without_marks};

    fn question() -> Question {
        let hit = Hit {
            article: Uuid::from_u128(1),
            language: "en".to_owned(),
            title: "Returns".to_owned(),
            heading: String::new(),
            text: "You have 30 days. Print the label.".to_owned(),
            score: 1.0,
            coverage: 1.0,
        };
        Question {
            turn: 1,
            organization_name: "acme".to_owned(),
            question: "How long?".to_owned(),
            earlier: Vec::new(),
            answers: Vec::new(),
            locale: "en".to_owned(),
            hits: vec![hit],
            may_clarify: true,
            draft: false,
            fallback: AssistantAct::HandOver { reason: "no_answer" },
        }
    }

    /// What is shown of a reply that comes in pieces of `step` characters, and what becomes of it.
    fn shown(reply: &str, step: usize) -> (String, Result<String, &'static str>) {
        let question = question();
        let mut draft = Draft::new(&question);
        let mut shown = String::new();
        let chars: Vec<char> = reply.chars().collect();
        for piece in chars.chunks(step) {
            match draft.push(&piece.iter().collect::<String>()) {
                Ok(None) => shown.push_str(draft.news()),
                Ok(Some(act)) => return (shown, Ok(format!("{act:?}"))),
                Err(what) => return (shown, Err(what)),
            }
        }
        let said = draft.finish().map(|act| match act {
            AssistantAct::Say { content, .. } | AssistantAct::Draft { content, .. } => content,
            AssistantAct::HandOver { reason } => reason.to_owned(),
        });
        (shown, said)
    }

    #[test]
    fn only_what_has_passed_is_shown_and_it_begins_what_is_said() {
        for step in [1, 3, 7, 1_000] {
            let (begun, said) =
                shown("ANSWER [1]\n[1] You have 30 days [1].\n\nPrint it. So.", step);
            let said = said.expect("it may be said");
            assert_eq!(said, "You have 30 days.\n\nPrint it. So.");
            assert_eq!(begun, "You have 30 days.\n\nPrint it.", "all but the last, which is said");
            assert!(said.starts_with(&begun));
            for lie in ["It costs 77 €.", "See https://evil.example/pay.", "Take FREEMONEY."] {
                let reply = format!("ANSWER [1]\nYou have 30 days. {lie} Or so. And so on.");
                let (begun, said) = shown(&reply, step);
                assert!(said.is_err(), "{lie}: {said:?}");
                assert!("You have 30 days.".starts_with(&begun), "{step}: {begun}");
            }
            let (begun, _) = shown("HANDOFF needs_person\nYou have 30 days. Print it. So.", step);
            assert_eq!(begun, "", "the words of a hand-over are nobody's");
            let (begun, said) = shown("ANSWER [9]\nYou have 30 days. Print it. So.", step);
            assert_eq!((begun.as_str(), said), ("", Err("citation")));
        }
    }

    #[test]
    fn citation_marks_are_left_out() {
        assert_eq!(without_marks(" It does [1]. See [2, 3][x]."), " It does. See[x].");
    }
}
