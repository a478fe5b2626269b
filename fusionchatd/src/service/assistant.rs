//! What the assistant may do, as an actor like any other: think about a turn and say or hand over. The thinking
//! itself is `ai`'s; the worker decides when.

use std::sync::Arc;

use crate::ai;
use crate::domain::actor::Actor;
use crate::domain::command::{AssistantAct, Command};
use crate::domain::conversation::{Conversation, Handler, Status};
use crate::domain::id::{ArticleId, ClientId, ConversationId, OrganizationId};
use crate::domain::message::{SenderType, Source};
use crate::store::record::{Number, Record};
use crate::store::{Batch, table};

use super::Service;
use super::digest::Digest;
use super::error::Error;
use super::rows::Rows;

/// How much of a conversation the assistant looks back at, in messages.
const LOOK_BACK_MAX: u32 = 20;
/// How many passages it reads.
const PASSAGES: usize = 5;

/// The name of its cursor.
pub const WORKER: &str = "assistant";

/// What the assistant made of a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thought {
    /// The conversation has moved on, or is not the assistant's.
    Nothing,
    /// Do this in this turn.
    Act(u64, AssistantAct),
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
        let waits = header.handler == Handler::Assistant
            && header.status == Status::Open
            && header.last_sender == SenderType::User;
        if !waits {
            return Ok(Thought::Nothing);
        }
        let recent = rows.last_messages(conversation, LOOK_BACK_MAX).await?;
        let of = |sender: SenderType| {
            let from = recent.iter().filter(move |it| it.sender_type == sender && !it.retracted);
            from.map(|it| it.content.clone()).collect::<Vec<_>>()
        };
        let mut visitor_texts = of(SenderType::User);
        let Some(question) = visitor_texts.pop() else { return Ok(Thought::Nothing) };
        let answers = of(SenderType::Assistant);
        let act =
            self.act_on_question(&actor, &header, &question, &visitor_texts, &answers).await?;
        Ok(Thought::Act(header.turn, act))
    }

    async fn act_on_question(
        self: &Arc<Self>,
        actor: &Actor,
        header: &Conversation,
        question: &str,
        earlier: &[String],
        answers: &[String],
    ) -> Result<AssistantAct, Error> {
        let popular = self.popular(actor).await?;
        let earlier_texts: Vec<&str> = earlier.iter().map(String::as_str).collect();
        let answer_texts: Vec<&str> = answers.iter().map(String::as_str).collect();
        let turn = ai::Turn {
            question,
            earlier: &earlier_texts,
            answers: &answer_texts,
            clarifications: header.clarifications,
            locale: &header.locale,
            person_wish: false,
            popular: &popular,
        };
        let decision = match ai::decide_early(&turn) {
            Some(decision) => decision,
            None => {
                let inbox = Some(header.inbox);
                let locale = Some(header.locale.as_str());
                let mut hits = self.hits(actor, question, earlier, inbox, locale, PASSAGES).await?;
                if hits.is_empty() {
                    // Nothing in the visitor's language: the other articles are better than none.
                    hits = self.hits(actor, question, earlier, inbox, None, PASSAGES).await?;
                }
                ai::decide(&turn, &hits)
            }
        };
        Ok(act_of(decision))
    }

    /// Does what was thought. A stale turn is rejected; the same step twice does it once.
    pub async fn assistant_act(
        self: &Arc<Self>,
        organization: OrganizationId,
        conversation: ConversationId,
        position: u64,
        turn: u64,
        act: AssistantAct,
    ) -> Result<(), Error> {
        let actor = Actor::assistant(organization);
        // Thinking again about the same entry may come to something else: it is the same step all the same.
        let digest = Digest::of("assistant").bytes(conversation.bytes()).finish();
        let step = Digest::of(WORKER).number(position).bytes(conversation.bytes()).finish();
        let mut client_id = [0; 16];
        client_id.copy_from_slice(&step[..16]);
        let command = Command::Assistant { conversation, turn, act };
        self.execute(&actor, Some(ClientId(client_id)), digest, command).await.map(|_| ())
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
            .map(|it| Source { article: ArticleId(it.article), title: it.title })
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
