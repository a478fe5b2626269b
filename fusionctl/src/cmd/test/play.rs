//! Plays one test: each turn is said, then what is expected of it is waited for on the live stream.

use std::time::Duration;

use fusionchat_proto::v1;
use tokio::time::Instant;

use crate::cmd::conv::until::{Seen, see, until};
use crate::cmd::test::file::{Expect, Speaker, Test, Turn};
use crate::cmd::test::judge::{self, Miss};
use crate::cmd::{Context, expect};
use crate::failure::{Exit, Failure};

/// The most messages a transcript shows: a page.
const AFTER_ALL: u64 = 0;

/// How a test ended.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) file: String,
    pub(super) name: String,
    pub(super) took: Duration,
    /// The conversation's number, once it was started.
    pub(super) number: Option<u64>,
    pub(super) outcome: Outcome,
}

/// The ends of a test.
#[derive(Debug)]
pub(super) enum Outcome {
    Held,
    /// An expectation did not hold.
    Missed(Box<Missed>),
    /// It could not be played.
    Broken(Box<Broken>),
}

/// The expectation that did not hold, and everything that was said.
#[derive(Debug)]
pub(super) struct Missed {
    pub(super) turn: usize,
    pub(super) line: u64,
    pub(super) said: String,
    pub(super) miss: Miss,
    pub(super) transcript: Vec<v1::Message>,
}

/// Where and why playing ended.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) turn: usize,
    pub(super) line: u64,
    pub(super) failure: Failure,
}

/// A test under way.
struct Player<'a> {
    context: &'a Context,
    test: &'a Test,
    /// The turn that is played, from 1, and its line.
    turn: usize,
    line: u64,
    conversation: Option<v1::Conversation>,
}

/// Plays a test within the time limit of one.
pub(super) async fn play(context: &Context, test: &Test) -> Played {
    let began = Instant::now();
    let mut player = Player { context, test, turn: 0, line: 1, conversation: None };
    let limit = context.client.timeout();
    let ended = tokio::time::timeout(limit, player.play()).await;
    let ended = ended.unwrap_or_else(|_| Err(Failure::timed_out("the test did not end")));
    let outcome = match ended {
        Ok(outcome) => outcome,
        Err(failure) => {
            let (turn, line) = (player.turn, player.line);
            Outcome::Broken(Box::new(Broken { turn, line, failure }))
        }
    };
    Played {
        file: test.file.clone(),
        name: test.name.clone(),
        took: began.elapsed(),
        number: player.conversation.map(|it| it.number),
        outcome,
    }
}

impl Player<'_> {
    async fn play(&mut self) -> Result<Outcome, Failure> {
        for turn in &self.test.turns {
            self.turn += 1;
            self.line = turn.line;
            let seq = self.say(turn).await?;
            let said = Instant::now();
            if let Some(miss) = self.wait(&turn.expect, seq, said).await? {
                let missed = Missed {
                    turn: self.turn,
                    line: turn.expect.line,
                    said: turn.text.clone(),
                    miss,
                    transcript: self.see(AFTER_ALL).await?.messages,
                };
                return Ok(Outcome::Missed(Box::new(missed)));
            }
        }
        Ok(Outcome::Held)
    }

    fn id(&self) -> String {
        self.conversation.as_ref().map(|it| it.id.clone()).unwrap_or_default()
    }

    /// A `clientId` for one step of this turn, so that a repeat is harmless.
    fn client_id(&self, step: &str) -> String {
        let turn = self.turn.to_be_bytes();
        self.context.once.client_id_of(&[self.test.file.as_bytes(), &turn, step.as_bytes()])
    }

    /// Says the turn's text and returns its number.
    async fn say(&mut self, turn: &Turn) -> Result<u64, Failure> {
        let message = match (turn.speaker, &self.conversation) {
            (Speaker::Visitor, None) => self.start(turn).await?,
            (Speaker::Visitor, Some(_)) => self.post(turn, v1::SenderType::User).await?,
            (Speaker::Agent, _) => {
                self.claim().await?;
                self.post(turn, v1::SenderType::Agent).await?
            }
        };
        Ok(expect(message, "message")?.seq)
    }

    async fn start(&mut self, turn: &Turn) -> Result<Option<v1::Message>, Failure> {
        let request = v1::StartConversationRequest {
            client_id: self.client_id("start"),
            inbox: self.test.inbox.clone(),
            content: turn.text.clone(),
            test: true,
        };
        let context = self.context;
        let mut conversations = context.client.conversations();
        let answer = context.change(conversations.start_conversation(request)).await?;
        self.conversation = answer.conversation;
        Ok(answer.message)
    }

    async fn post(
        &self,
        turn: &Turn,
        sender_type: v1::SenderType,
    ) -> Result<Option<v1::Message>, Failure> {
        let request = v1::PostMessageRequest {
            client_id: self.client_id("post"),
            conversation: self.id(),
            content: turn.text.clone(),
            sender_type: sender_type as i32,
        };
        let context = self.context;
        let mut conversations = context.client.conversations();
        Ok(context.change(conversations.post_message(request)).await?.message)
    }

    /// Whoever answers takes the conversation first, if it waits.
    async fn claim(&self) -> Result<(), Failure> {
        let status = self.see(u64::MAX).await?.conversation.status;
        if v1::Status::try_from(status) != Ok(v1::Status::Escalated) {
            return Ok(());
        }
        let request = v1::ClaimConversationRequest {
            client_id: self.client_id("claim"),
            conversation: self.id(),
            take: false,
        };
        let context = self.context;
        context.change(context.client.conversations().claim_conversation(request)).await?;
        Ok(())
    }

    async fn see(&self, after_seq: u64) -> Result<Seen, Failure> {
        see(&self.context.client, &self.id(), after_seq).await
    }

    /// Waits for what is expected after message `seq`; what is missing when the time is over is a miss.
    async fn wait(
        &self,
        expect: &Expect,
        seq: u64,
        said: Instant,
    ) -> Result<Option<Miss>, Failure> {
        let client = &self.context.client;
        let id = self.id();
        let holds =
            until(client, &id, seq, |seen| judge::miss(expect, seen).is_none().then_some(()));
        match tokio::time::timeout(expect.within, holds).await {
            Ok(held) => held?,
            Err(_) => {
                // Whatever came in the last moment counts.
                let missed = judge::miss(expect, &self.see(seq).await?);
                if let Some(mut miss) = missed {
                    miss.expected.push_str(&format!(" within {:?}", expect.within));
                    return Ok(Some(miss));
                }
            }
        }
        let Some(silence) = expect.silence else { return Ok(None) };
        let spoken =
            |seen: &Seen| seen.messages.iter().find(|it| it.sender_type == silence.from).cloned();
        let left = (said + silence.within).saturating_duration_since(Instant::now());
        let broken = match tokio::time::timeout(left, until(client, &id, seq, spoken)).await {
            Ok(message) => Some(message?),
            Err(_) => spoken(&self.see(seq).await?),
        };
        Ok(broken.map(|message| Miss {
            expected: format!(
                "nothing from {} for {:?}",
                judge::sender(Some(silence.from)),
                silence.within
            ),
            got: format!("{:?}", message.content),
        }))
    }
}

impl Outcome {
    /// How the whole run ends because of this.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Held => Exit::Ok,
            Self::Missed(_) => Exit::Failed,
            Self::Broken(broken) => match broken.failure.exit {
                exit @ (Exit::SignInNeeded
                | Exit::Forbidden
                | Exit::TimedOut
                | Exit::Unreachable) => exit,
                Exit::Ok
                | Exit::Failed
                | Exit::Usage
                | Exit::NotFound
                | Exit::Conflict
                | Exit::Rejected
                | Exit::Partial
                | Exit::Interrupted
                | Exit::Terminated => Exit::Failed,
            },
        }
    }
}
