//! What the assistant may do, as an actor like any other: think about a turn and say or hand over. The thinking
//! itself is `ai`'s; the worker decides when.

use std::sync::Arc;

use crate::ai;
use crate::domain::actor::Actor;
use crate::domain::command::{AssistantAct, Command};
use crate::domain::conversation::{Conversation, Handler};
use crate::domain::id::{
    ArticleId, ClientId, ConversationId, OPERATOR_ORGANIZATION, OrganizationId,
};
use crate::domain::inbox::{AssistantMode, Inbox};
use crate::domain::message::{SenderType, Source};
use crate::domain::organization::Organization;
use crate::domain::turn::{awaits_assistant, is_asked, wants_draft};
use crate::search::Hit;
use crate::search::language::primary;
use crate::store::record::{Number, Record};
use crate::store::{Batch, table};

use super::Service;
use super::digest::Digest;
use super::error::Error;
use super::execute::sender;
use super::rows::Rows;

/// How much of a conversation the assistant looks back at, in messages.
const LOOK_BACK_MAX: u32 = 20;
/// How many passages it reads.
const PASSAGES: usize = 5;

/// The reason of a hand-over where the assistant has been switched off.
const SWITCHED_OFF: &str = "no_assistant";

/// The name of its cursor.
pub const WORKER: &str = "assistant";

/// What the assistant made of a turn.
#[derive(Clone, Debug, PartialEq)]
pub enum Thought {
    /// The conversation has moved on, or is not the assistant's.
    Nothing,
    /// Do this in this turn.
    Act(u64, AssistantAct),
    /// A model may be asked; without one the fallback is what to do.
    Ask(Box<Question>),
}

/// What is done with an answer that is a draft: its words are left for staff, anything else is for them to decide.
pub fn drafted(act: AssistantAct) -> Option<AssistantAct> {
    match act {
        AssistantAct::Say { content, sources, clarification: _ } => {
            Some(AssistantAct::Draft { content, sources })
        }
        AssistantAct::Draft { .. } => Some(act),
        AssistantAct::HandOver { .. } => None,
    }
}

/// What a model may be asked, with everything it may know: of this organization, inbox and conversation only.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The turn the answer is for.
    pub turn: u64,
    /// The organization's name.
    pub organization_name: String,
    /// The visitor's message.
    pub question: String,
    /// What the visitor wrote before, oldest first.
    pub earlier: Vec<String>,
    /// What the assistant answered before, oldest first.
    pub answers: Vec<String>,
    /// The conversation's language tag.
    pub locale: String,
    /// The passages found, best first; never empty.
    pub hits: Vec<Hit>,
    /// Whether it may ask back once more.
    pub may_clarify: bool,
    /// What the built-in assistant would do.
    pub fallback: AssistantAct,
    /// Whether the answer is for staff to use, and not sent.
    pub draft: bool,
}

impl Question {
    /// The texts of the passages with these numbers, from 1.
    pub fn passages(&self, numbers: &[usize]) -> impl Iterator<Item = &str> {
        let cited = numbers.iter().filter_map(|it| self.hits.get(it.checked_sub(1)?));
        let found: Vec<&Hit> = cited.collect();
        found.into_iter().flat_map(|it| [it.title.as_str(), &it.heading, &it.text])
    }

    /// The articles of those passages, each once.
    pub fn sources(&self, numbers: Vec<usize>) -> Vec<Source> {
        let mut sources: Vec<Source> = Vec::new();
        for hit in numbers.into_iter().filter_map(|it| self.hits.get(it.checked_sub(1)?)) {
            let article = ArticleId(hit.article);
            if !sources.iter().any(|it| it.article == article) {
                let foreign = primary(&hit.language) != primary(&self.locale);
                let locale = foreign.then(|| hit.language.clone());
                sources.push(Source { article, title: hit.title.clone(), locale });
            }
        }
        sources
    }
}

/// Names a step of the worker, so that it is done once.
fn step(digest: &[u8; 32]) -> ClientId {
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    ClientId(id)
}

/// A draft leaves the turn as it is, so it is the turn's step and not an entry's: several messages of one turn would
/// each bring one.
fn draft_step(conversation: ConversationId, turn: u64) -> ClientId {
    step(&Digest::of("draft").number(turn).bytes(conversation.bytes()).finish())
}

impl Service {
    /// Thinks about a conversation that may be waiting for the assistant.
    pub async fn think(
        self: &Arc<Self>,
        organization: OrganizationId,
        conversation: ConversationId,
    ) -> Result<Thought, Error> {
        let actor = Actor::assistant(organization);
        let rows = self.rows(&actor);
        let Some(header) = rows.conversation(conversation).await? else {
            return Ok(Thought::Nothing);
        };
        let found = rows.inbox(header.inbox).await?;
        let mode = found.as_ref().map_or(AssistantMode::Off, |it| it.assistant);
        if !is_asked(&header, mode) {
            return Ok(Thought::Nothing);
        }
        let drafts = mode == AssistantMode::DraftOnly && header.handler != Handler::Assistant;
        let step = draft_step(conversation, header.turn);
        let drafted = table::done(organization, sender(&actor), step);
        if drafts && rows.value(&drafted).await?.is_some() {
            // Every message of the turn and every restart comes here again: the model is asked once.
            return Ok(Thought::Nothing);
        }
        let Some(inbox) = found.filter(|it| it.assistant == AssistantMode::On || drafts) else {
            // It was switched off while it had this conversation.
            let act = AssistantAct::HandOver { reason: SWITCHED_OFF };
            return Ok(Thought::Act(header.turn, act));
        };
        let recent = rows.last_messages(conversation, LOOK_BACK_MAX).await?;
        let of = |sender: SenderType| {
            let from = recent.iter().filter(move |it| it.sender_type == sender && !it.retracted);
            from.map(|it| it.content.clone()).collect::<Vec<_>>()
        };
        let mut visitor_texts = of(SenderType::User);
        let Some(question) = visitor_texts.pop() else { return Ok(Thought::Nothing) };
        let answers = of(SenderType::Assistant);
        self.think_about(&actor, &header, &inbox, question, visitor_texts, answers).await
    }

    /// The organization's row.
    async fn organization_named(
        &self,
        organization: OrganizationId,
    ) -> Result<Option<Organization>, Error> {
        let rows = Rows::new(self.engine.as_ref(), OPERATOR_ORGANIZATION);
        rows.row(&table::organization(organization)).await
    }

    /// Whether the assistant still may answer in this turn.
    pub async fn still_answers(
        &self,
        organization: OrganizationId,
        conversation: ConversationId,
        turn: u64,
    ) -> Result<bool, Error> {
        let rows = Rows::new(self.engine.as_ref(), organization);
        let Some(header) = rows.conversation(conversation).await? else { return Ok(false) };
        let inbox = rows.inbox(header.inbox).await?;
        let mode = inbox.map_or(AssistantMode::Off, |it| it.assistant);
        let speaks = mode == AssistantMode::On && is_asked(&header, mode);
        let drafts = mode == AssistantMode::DraftOnly && wants_draft(&header);
        Ok(header.turn == turn && (speaks || drafts))
    }

    /// The conversation, if the assistant may answer its visitor now.
    pub(super) async fn answering(
        &self,
        organization: OrganizationId,
        conversation: ConversationId,
    ) -> Result<Option<Conversation>, Error> {
        let rows = Rows::new(self.engine.as_ref(), organization);
        let found = rows.conversation(conversation).await?;
        let Some(header) = found.filter(awaits_assistant) else { return Ok(None) };
        let inbox = rows.inbox(header.inbox).await?;
        Ok(inbox.is_some_and(|it| it.assistant == AssistantMode::On).then_some(header))
    }

    async fn think_about(
        self: &Arc<Self>,
        actor: &Actor,
        header: &Conversation,
        inbox: &Inbox,
        question: String,
        earlier: Vec<String>,
        answers: Vec<String>,
    ) -> Result<Thought, Error> {
        let locale = header.locale.as_str();
        let popular = self.popular(actor, inbox, locale).await?;
        let earlier_texts: Vec<&str> = earlier.iter().map(String::as_str).collect();
        let answer_texts: Vec<&str> = answers.iter().map(String::as_str).collect();
        let turn = ai::Turn {
            question: &question,
            earlier: &earlier_texts,
            answers: &answer_texts,
            clarifications: header.clarifications,
            locale: &header.locale,
            person_wish: false,
            popular: &popular,
        };
        let draft = header.handler != Handler::Assistant;
        if let Some(decision) = ai::decide_early(&turn) {
            // A greeting, a wish or a word on what it is: nothing to draft.
            let act = Thought::Act(header.turn, act_of(decision));
            return Ok(if draft { Thought::Nothing } else { act });
        }
        let hits = self.passages(actor, &question, &earlier, inbox, locale, PASSAGES).await?;
        let mut fallback = act_of(ai::decide(&turn, &hits));
        if let AssistantAct::Say { sources, .. } = &mut fallback {
            self.label(actor, locale, sources).await?;
        }
        if hits.is_empty() {
            let act = Thought::Act(header.turn, fallback);
            return Ok(if draft { Thought::Nothing } else { act });
        }
        let organization = self.organization_named(actor.organization).await?;
        Ok(Thought::Ask(Box::new(Question {
            turn: header.turn,
            organization_name: organization.map(|it| it.name).unwrap_or_default(),
            locale: header.locale.clone(),
            may_clarify: header.clarifications < ai::turn::MAX_CLARIFICATIONS,
            question,
            earlier,
            answers,
            hits,
            fallback,
            draft,
        })))
    }

    /// Says of each source in another language than the visitor's which one that is.
    async fn label(
        &self,
        actor: &Actor,
        locale: &str,
        sources: &mut [Source],
    ) -> Result<(), Error> {
        for source in sources {
            let article = self.rows(actor).article(source.article).await?;
            source.locale = article.map(|it| it.locale).filter(|it| primary(it) != primary(locale));
        }
        Ok(())
    }

    /// Does what was thought and returns the number of what was said. A stale turn is rejected; the same step twice
    /// does it once.
    pub async fn assistant_act(
        self: &Arc<Self>,
        organization: OrganizationId,
        conversation: ConversationId,
        position: u64,
        turn: u64,
        act: AssistantAct,
    ) -> Result<Option<u64>, Error> {
        let actor = Actor::assistant(organization);
        // Thinking again about the same entry may come to something else: it is the same step all the same.
        let digest = Digest::of("assistant").bytes(conversation.bytes()).finish();
        let step = match &act {
            AssistantAct::Draft { .. } => draft_step(conversation, turn),
            AssistantAct::Say { .. } | AssistantAct::HandOver { .. } => {
                step(&Digest::of(WORKER).number(position).bytes(conversation.bytes()).finish())
            }
        };
        let command = Command::Assistant { conversation, turn, act };
        let answer = self.execute(&actor, Some(step), digest, command).await?;
        Ok(answer.refs.seq)
    }

    /// How far a worker has read an organization's journal.
    pub async fn worker_cursor(
        &self,
        organization: OrganizationId,
        worker: &str,
    ) -> Result<u64, Error> {
        let rows = Rows::new(self.engine.as_ref(), organization);
        let found = rows.row::<Number>(&table::worker_cursor(organization, worker)).await?;
        Ok(found.map_or(0, |it| it.0))
    }

    /// Notes how far a worker has read. Outside the journal, or it would wake the worker itself.
    pub async fn save_worker_cursor(
        &self,
        organization: OrganizationId,
        worker: &str,
        position: u64,
    ) -> Result<(), Error> {
        let key = table::worker_cursor(organization, worker);
        let batch = Batch { put: vec![(key, Number(position).encode())], ..Batch::default() };
        Ok(self.engine.commit(batch).await?)
    }

    /// How many tokens an organization's model has used on a day, counted in days since 1970.
    pub async fn model_tokens(&self, organization: OrganizationId, day: i64) -> Result<u64, Error> {
        let rows = Rows::new(self.engine.as_ref(), organization);
        let found = rows.row::<Number>(&table::model_tokens(organization, day)).await?;
        Ok(found.map_or(0, |it| it.0))
    }

    /// Notes how many. The day before needs no row any more.
    pub async fn save_model_tokens(
        &self,
        organization: OrganizationId,
        day: i64,
        tokens: u64,
    ) -> Result<(), Error> {
        let key = table::model_tokens(organization, day);
        let put = vec![(key, Number(tokens).encode())];
        let delete = vec![table::model_tokens(organization, day - 1)];
        Ok(self.engine.commit(Batch { put, delete, ..Batch::default() }).await?)
    }

    /// Entries of an organization's journal after a position, for workers.
    pub async fn entries_after(
        &self,
        organization: OrganizationId,
        position: u64,
        limit: u32,
    ) -> Result<Vec<crate::domain::entry::Entry>, Error> {
        Rows::new(self.engine.as_ref(), organization).entries(position + 1, limit).await
    }
}

fn act_of(decision: ai::Decision) -> AssistantAct {
    let say = |content: String, sources: Vec<ai::Source>, clarification: bool| AssistantAct::Say {
        content,
        sources: sources
            .into_iter()
            .map(|it| Source { article: ArticleId(it.article), title: it.title, locale: None })
            .collect(),
        clarification,
    };
    match decision {
        ai::Decision::Greet { text, suggestions } => say(text, suggestions, false),
        ai::Decision::Answer { text, sources, offer_person: _ } => say(text, sources, false),
        ai::Decision::Clarify { text, titles } => say(text, titles, true),
        ai::Decision::HandOver { reason } => AssistantAct::HandOver { reason },
        ai::Decision::Identify { text } => say(text, Vec::new(), false),
    }
}
