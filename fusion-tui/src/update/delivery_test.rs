//! A property: whatever the connection does, every message is accepted exactly once and in order,
//! or is shown as failed. The daemon is a model that repeats itself for a known client id, as the
//! real one does.

use proptest::prelude::{Just, ProptestConfig, Strategy, prop_oneof, proptest};

use crate::effect::Effect;
use crate::event::{Event, Posted};
use crate::fixture::{
    NOW, assigned, at, give_page, id, live, message, passing, press, refusal, sends, type_text,
    with_client_id,
};
use crate::state::State;
use crate::state::outbox::Progress;
use crate::state::row::Sender;
use crate::update::update;

#[derive(Clone, Copy, Debug)]
enum Step {
    Write,
    Lose,
    Connect,
    /// Enter on an empty composer.
    Retry,
    Answer(Answer),
    Wait(i64),
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Arrives,
    /// The message was accepted, the answer never came.
    IsLost,
    NeverAsked,
    Refused,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Write),
        1 => Just(Step::Lose),
        2 => Just(Step::Connect),
        1 => Just(Step::Retry),
        3 => Just(Step::Answer(Answer::Arrives)),
        2 => Just(Step::Answer(Answer::IsLost)),
        2 => Just(Step::Answer(Answer::NeverAsked)),
        1 => Just(Step::Answer(Answer::Refused)),
        1 => (0i64..40_000).prop_map(Step::Wait),
    ]
}

/// The console and the model of the daemon.
struct World {
    state: State,
    now: i64,
    written: u32,
    asked: Vec<(String, String)>,
    /// What the daemon accepted, by client id, in order.
    accepted: Vec<(String, String)>,
    refused: u32,
}

impl World {
    fn new() -> Self {
        let mut state = live(vec![assigned(1001, "u-1", "agent1")]);
        press(&mut state, &["2", "Enter"]);
        give_page(&mut state, 1001, vec![message(1, Sender::Visitor, "hello")]);
        press(&mut state, &["r"]);
        let (written, refused) = (0, 0);
        Self { state, now: NOW, written, asked: Vec::new(), accepted: Vec::new(), refused }
    }

    fn run(&mut self, step: Step) {
        let effects = match step {
            Step::Write => {
                self.written += 1;
                let text = format!("{:04}", self.written);
                type_text(&mut self.state, &text);
                press(&mut self.state, &["Enter"])
            }
            Step::Lose => update(&mut self.state, Event::Lost),
            Step::Connect => update(&mut self.state, Event::Connected { resumed: true }),
            Step::Retry => press(&mut self.state, &["Enter"]),
            Step::Wait(ms) => {
                self.now += ms;
                update(&mut self.state, Event::Tick(self.now))
            }
            Step::Answer(answer) if !self.asked.is_empty() => self.answer(answer),
            Step::Answer(_) => return,
        };
        self.asked.extend(sends(effects));
        assert!(self.asked.len() <= 1, "one at a time: {:?}", self.asked);
    }

    fn answer(&mut self, answer: Answer) -> Vec<Effect> {
        let (content, client_id) = self.asked.remove(0);
        let known = self.accepted.iter().position(|(accepted, _)| *accepted == client_id);
        let result = match (answer, known) {
            (Answer::NeverAsked, _) => Err(passing()),
            (Answer::Refused, None) => {
                self.refused += 1;
                Err(refusal("not_assignee", &[]))
            }
            (Answer::Arrives | Answer::IsLost | Answer::Refused, _) => {
                let place = known.unwrap_or(self.accepted.len());
                if known.is_none() {
                    self.accepted.push((client_id.clone(), content.clone()));
                }
                let seq = place as u64 + 2;
                let entry = with_client_id(message(seq, Sender::Agent, &content), &client_id);
                let conversation = at(seq * 10, assigned(1001, "u-1", "agent1"));
                match answer {
                    Answer::IsLost => Err(passing()),
                    Answer::Arrives | Answer::NeverAsked | Answer::Refused => {
                        Ok(Posted { entry, conversation })
                    }
                }
            }
        };
        update(&mut self.state, Event::Sent { client_id, result })
    }

    /// The network is good again, and stays so.
    fn settle(&mut self) {
        self.run(Step::Connect);
        for _ in 0..=self.written {
            self.run(Step::Answer(Answer::Arrives));
            self.run(Step::Wait(30_000));
        }
    }

    fn check(&self) {
        let contents: Vec<&str> = self.accepted.iter().map(|(_, text)| text.as_str()).collect();
        let failed: Vec<&str> = self
            .state
            .outbox
            .of(&id(1001))
            .map(|item| {
                assert!(matches!(item.progress, Progress::Failed(_)), "{item:?}");
                item.content.as_str()
            })
            .collect();
        let mut all: Vec<&str> = contents.iter().chain(&failed).copied().collect();
        all.sort_unstable();
        let written: Vec<String> = (1..=self.written).map(|n| format!("{n:04}")).collect();
        assert_eq!(all, written, "each once: accepted {contents:?}, failed {failed:?}");
        if self.refused == 0 {
            assert!(contents.is_sorted(), "{contents:?}");
        }
        let transcript = self.state.transcripts.get(&id(1001)).unwrap();
        assert_eq!(transcript.entries().len(), contents.len() + 1, "each shown once");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn every_message_arrives_once_and_in_order(steps in proptest::collection::vec(step(), 0..60)) {
        let mut world = World::new();
        for step in steps {
            world.run(step);
        }
        world.settle();
        world.check();
    }
}
