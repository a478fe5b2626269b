//! An answer in the making: told to whom it may be told, in order and with an end, and never as if it were news when
//! the conversation has moved on.

use std::pin::pin;

use futures::{FutureExt as _, poll};
use tokio::task::unconstrained;
use uuid::Uuid;

use crate::domain::actor::{Actor, Grants, Who};
use crate::domain::command::AssistantAct;
use crate::domain::id::{ConversationId, KeyId};
use crate::domain::inbox::{AssistantMode, ListEdit};
use crate::domain::message::MESSAGE_CHARS_MAX;
use crate::domain::user::Role;

use super::ephemeral::{Ephemeral, Part};
use super::inbox::EditInbox;
use super::rig::{Rig, code, found, fresh};
use super::stream::AnswerStream;
use super::subscribe::{Signal, Subscribed, VisitorSignal, VisitorWatcher, Watcher};
use super::view::MessageView;
use super::visitor::Guest;

fn of(signal: &Ephemeral) -> String {
    let Ephemeral::Streamed(streamed) = signal else { return "typing".to_owned() };
    match &streamed.part {
        Part::Text { n, text } => format!("{n} {text}"),
        Part::Committed { seq } => format!("committed {seq}"),
        Part::Dropped => "dropped".to_owned(),
    }
}

fn line(view: &MessageView) -> String {
    let code = view.message.system.as_ref().map(|it| it.code.clone());
    format!("#{} {}", view.message.seq, code.unwrap_or_else(|| view.message.content.clone()))
}

/// Everything a visitor's reader has to say now.
fn visitor_hears(watcher: &mut VisitorWatcher) -> Vec<String> {
    let mut heard = Vec::new();
    while let Some(signal) = unconstrained(watcher.next()).now_or_never() {
        match signal.expect("a signal") {
            VisitorSignal::Message(post) => heard.push(line(&post.view)),
            VisitorSignal::Messages(views) => heard.extend(views.iter().map(line)),
            VisitorSignal::Status(_) | VisitorSignal::Owed => {}
            VisitorSignal::Ephemeral(signal) => heard.push(of(&signal)),
        }
    }
    heard
}

/// Everything a staff reader has to say now.
fn staff_hears(watcher: &mut Watcher) -> Vec<String> {
    let mut heard = Vec::new();
    while let Some(signal) = unconstrained(watcher.next()).now_or_never() {
        match signal.expect("a signal") {
            Signal::Change(change) => heard.extend(change.message.as_ref().map(line)),
            Signal::Ephemeral(signal) => heard.push(of(&signal)),
        }
    }
    heard
}

/// A visitor who asked, and whoever might hear the answer.
struct Asked {
    rig: Rig,
    guest: Guest,
    id: ConversationId,
}

impl Asked {
    async fn new() -> Self {
        let rig = Rig::new().await;
        let guest = rig.guest().await;
        let (id, _) = rig.say(&guest, "how?").await;
        Self { rig, guest, id }
    }

    async fn answer(&self) -> AnswerStream<'_> {
        let turn = self.rig.header(self.id).await.turn;
        let actor = Actor::assistant(self.rig.desk.organization);
        self.rig.service.answer_stream(&actor, self.id, turn).expect("the assistant's")
    }

    async fn commit(&self, content: &str) -> u64 {
        let (organization, turn) =
            (self.rig.desk.organization, self.rig.header(self.id).await.turn);
        let content = content.to_owned();
        let act = AssistantAct::Say { content, sources: Vec::new(), clarification: false };
        let position = self.rig.header(self.id).await.position;
        let service = &self.rig.service;
        let said = service.assistant_act(organization, self.id, position, turn, act).await;
        said.expect("said").expect("a number")
    }

    async fn visitor(&self, guest: &Guest) -> VisitorWatcher {
        let shown = self.rig.service.current_conversation(&guest.actor()).await.expect("read");
        let seq = shown.as_ref().map_or(0, |it| it.header.last_seq);
        self.rig.service.watch_visitor(&guest.actor(), shown.as_ref(), seq).expect("watching")
    }

    async fn staff(&self, actor: &Actor, only: Option<&str>) -> Watcher {
        match self.rig.service.watch(actor, only, None).await.expect("watching") {
            Subscribed::Live(watcher) => *watcher,
            Subscribed::Reset(_) => panic!("no reset"),
        }
    }
}

#[tokio::test]
async fn an_answer_is_told_in_parts_and_becomes_one_message() {
    let asked = Asked::new().await;
    let mut visitor = asked.visitor(&asked.guest).await;
    let mut staff = asked.staff(&asked.rig.desk.a, None).await;
    let mut answer = asked.answer().await;
    answer.say("Like").await.expect("told");
    assert_eq!(visitor_hears(&mut visitor), ["0 Like"], "at once");
    answer.say("").await.expect("nothing to tell");
    answer.say(" this.").await.expect("told");
    let seq = asked.commit("Like this.").await;
    answer.committed(seq);
    answer.say("Too late.").await.expect("not told");
    drop(answer);
    assert_eq!(visitor_hears(&mut visitor), ["#2 Like this.", "committed 2"], "the message first");
    let heard = staff_hears(&mut staff);
    assert_eq!(heard, ["#2 Like this."], "whoever was away for all of it has the message alone");
}

#[tokio::test]
async fn a_stale_turn_is_refused_and_what_was_told_is_dropped() {
    let asked = Asked::new().await;
    let Asked { rig, guest, id } = &asked;
    let text = id.to_string();
    let off = EditInbox { assistant: Some(AssistantMode::Off), ..EditInbox::default() };
    for what in ["message", "takeover", "wish", "off"] {
        let mut visitor = asked.visitor(guest).await;
        let mut staff = asked.staff(&rig.desk.b, None).await;
        let mut answer = asked.answer().await;
        answer.say("It").await.expect("told");
        assert_eq!(
            (visitor_hears(&mut visitor), staff_hears(&mut staff)),
            (vec!["0 It".to_owned()], vec!["0 It".to_owned()])
        );
        let service = &rig.service;
        let moved = match what {
            "message" => {
                rig.say(guest, "and?").await;
                Ok(())
            }
            "takeover" => service.claim(&rig.desk.a, None, &text, None, true).await.map(|_| ()),
            "wish" => service.wish_for_person(&guest.actor(), None, None).await.map(|_| ()),
            _ => {
                let off = off.clone();
                service.edit_inbox(&rig.desk.admin, None, "web", off).await.map(|_| ())
            }
        };
        assert_eq!(code(&moved), "ok", "{what}");
        assert_eq!(code(&answer.say(" is.").await), "stale_turn", "{what}");
        assert_eq!(code(&answer.say(" so.").await), "ok", "{what}: over, and nothing is told");
        drop(answer);
        for heard in [visitor_hears(&mut visitor), staff_hears(&mut staff)] {
            assert_eq!(heard.last().map(String::as_str), Some("dropped"), "{what}: {heard:?}");
            let told = heard.iter().filter(|it| !it.starts_with('#')).count();
            assert_eq!(told, 1, "{what}: {heard:?}");
        }
        if what == "takeover" {
            rig.service.hand_back(&rig.desk.a, None, &text).await.expect("handed back");
        }
        if what == "wish" {
            rig.service.claim(&rig.desk.a, None, &text, None, false).await.expect("claimed");
            rig.service.hand_back(&rig.desk.a, None, &text).await.expect("handed back");
        }
    }
}

#[tokio::test]
async fn a_part_that_comes_after_the_news_is_not_shown() {
    let asked = Asked::new().await;
    let mut visitor = asked.visitor(&asked.guest).await;
    let mut staff = asked.staff(&asked.rig.desk.a, None).await;
    let mut answer = asked.answer().await;
    // Told in time, but read only when a person has taken over: the hub's two ways are not one.
    answer.say("It").await.expect("told");
    answer.say(" is.").await.expect("told");
    let text = asked.id.to_string();
    let service = &asked.rig.service;
    service.claim(&asked.rig.desk.b, None, &text, None, true).await.expect("claimed");
    drop(answer);
    assert_eq!(visitor_hears(&mut visitor), ["#2 claimed"]);
    assert_eq!(staff_hears(&mut staff), ["#2 claimed"]);
}

#[tokio::test]
async fn the_journal_comes_first_to_whoever_waits() {
    let asked = Asked::new().await;
    let mut visitor = asked.visitor(&asked.guest).await;
    let mut staff = asked.staff(&asked.rig.desk.a, None).await;
    // Often enough that chance does not hide it.
    for seq in 2..20 {
        {
            let mut for_visitor = pin!(unconstrained(visitor.next()));
            let mut for_staff = pin!(unconstrained(staff.next()));
            assert!(poll!(&mut for_visitor).is_pending() && poll!(&mut for_staff).is_pending());
            asked.rig.say(&asked.guest, "and?").await;
            asked.answer().await.say("It").await.expect("told");
            let signal = for_visitor.await.expect("a signal");
            assert!(matches!(signal, VisitorSignal::Message(_)), "{seq}: {signal:?}");
            let signal = for_staff.await.expect("a signal");
            assert!(matches!(signal, Signal::Change(_)), "{seq}: {signal:?}");
        }
        let heard = visitor_hears(&mut visitor);
        assert_eq!(heard, ["0 It", "dropped"], "{seq}");
        let heard = staff_hears(&mut staff);
        assert_eq!(heard, ["0 It", "dropped"], "{seq}");
    }
}

#[tokio::test]
async fn nobody_else_hears_an_answer() {
    let asked = Asked::new().await;
    let Asked { rig, .. } = &asked;
    let other = rig.guest().await;
    rig.say(&other, "me too").await;
    let globex = found(&rig.service, "globex").await;
    let members = ListEdit { replace: Some(vec!["A".to_owned()]), ..ListEdit::default() };
    let inbox = rig.desk.inbox.id.to_string();
    let edit = EditInbox { members, ..EditInbox::default() };
    rig.service.edit_inbox(&rig.desk.admin, None, &inbox, edit).await.expect("edited");
    let mut strangers = [asked.visitor(&other).await];
    let number = rig.header(asked.id).await.number.to_string();
    let elsewhere = (rig.header(asked.id).await.number + 1).to_string();
    let mut staff = [
        asked.staff(&globex.admin, None).await,
        asked.staff(&rig.desk.b, None).await,
        asked.staff(&rig.desk.a, Some(&elsewhere)).await,
    ];
    let mut member = asked.staff(&rig.desk.a, Some(&number)).await;
    let mut answer = asked.answer().await;
    answer.say("It").await.expect("told");
    drop(answer);
    for watcher in &mut strangers {
        assert_eq!(visitor_hears(watcher), [""; 0]);
    }
    for watcher in &mut staff {
        assert_eq!(staff_hears(watcher), [""; 0]);
    }
    assert_eq!(staff_hears(&mut member), ["0 It", "dropped"]);
    let key = rig.service.answer_stream(&rig.desk.admin, asked.id, 1);
    assert_eq!(code(&key), "forbidden", "only the assistant speaks like this");
}

#[tokio::test]
async fn of_a_test_hears_who_asks_for_it() {
    let rig = Rig::new().await;
    let inbox = rig.desk.inbox.id.to_string();
    let how = "how?".to_owned();
    let grants = Grants::Scopes { role: Role::Admin, scopes: vec!["*".to_owned()] };
    let owner = rig.desk.admin.staff().expect("staff");
    let who = Who::Key { key: KeyId(Uuid::from_u128(7)), owner };
    let key = Actor { organization: rig.desk.organization, who, grants };
    let service = &rig.service;
    let started = service.start_conversation(&key, "", Some(fresh()), &inbox, how, true).await;
    let started = started.expect("started");
    let id = started.conversation.header.id;
    let asked = Asked { guest: rig.guest().await, rig, id };
    let number = asked.rig.header(id).await.number.to_string();
    let mut all = asked.staff(&asked.rig.desk.admin, None).await;
    let mut one = asked.staff(&asked.rig.desk.admin, Some(&number)).await;
    asked.answer().await.say("It").await.expect("told");
    asked.rig.service.set_typing(&asked.rig.desk.admin, &number, true).await.expect("typing");
    assert_eq!(staff_hears(&mut all), [""; 0]);
    assert_eq!(staff_hears(&mut one), ["0 It", "dropped", "typing"]);
}

#[tokio::test]
async fn who_joins_late_or_misses_a_part_waits_for_the_message() {
    let asked = Asked::new().await;
    let mut answer = asked.answer().await;
    let mut slow = asked.visitor(&asked.guest).await;
    let mut staff = asked.staff(&asked.rig.desk.a, None).await;
    answer.say("It").await.expect("told");
    let mut late = asked.visitor(&asked.guest).await;
    assert_eq!(visitor_hears(&mut slow), ["0 It"]);
    assert_eq!(staff_hears(&mut staff), ["0 It"]);
    // More than a reader may leave unread: what it was told of is taken back, and the rest is not for it.
    for _ in 0..70 {
        answer.say(" is").await.expect("told");
    }
    assert_eq!(visitor_hears(&mut slow), ["dropped"]);
    assert_eq!(staff_hears(&mut staff), ["dropped"]);
    let seq = asked.commit("It is.").await;
    answer.committed(seq);
    for watcher in [&mut slow, &mut late] {
        assert_eq!(visitor_hears(watcher), ["#2 It is."]);
    }
    assert_eq!(staff_hears(&mut staff), ["#2 It is."]);
}

#[tokio::test]
async fn a_part_that_was_shed_ends_the_parts() {
    let asked = Asked::new().await;
    let mut visitor = asked.visitor(&asked.guest).await;
    let mut answer = asked.answer().await;
    for text in ["It", " is", " so."] {
        answer.say(text).await.expect("told");
    }
    let mut next = async || match visitor.next().await.expect("a signal") {
        VisitorSignal::Ephemeral(signal) => signal,
        other @ (VisitorSignal::Message(_)
        | VisitorSignal::Messages(_)
        | VisitorSignal::Status(_)
        | VisitorSignal::Owed) => panic!("{other:?}"),
    };
    let first = next().await;
    let second = next().await;
    assert_eq!((of(&first), of(&second)), ("0 It".to_owned(), "1  is".to_owned()));
    visitor.shed(&second);
    drop(answer);
    assert_eq!(visitor_hears(&mut visitor), ["dropped"], "no part after the gap");
}

#[tokio::test]
async fn an_answer_no_message_could_hold_is_dropped() {
    let asked = Asked::new().await;
    let mut visitor = asked.visitor(&asked.guest).await;
    let mut answer = asked.answer().await;
    answer.say(&"a".repeat(MESSAGE_CHARS_MAX)).await.expect("told");
    answer.say("b").await.expect("not told");
    assert_eq!(visitor_hears(&mut visitor).last().map(String::as_str), Some("dropped"));
}
