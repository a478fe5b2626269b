//! The live stream: newer rows win, messages come once, holes are fetched, marks are honest.

use crate::effect::{Call, Effect};
use crate::event::Event;
use crate::fixture::{
    NOW, assigned, at, calls, change_entry, change_row, give_page, id, live, me, message, note,
    passing, press, refusal, started, toast, type_text, waiting,
};
use crate::state::answer::{AnswerPart, What};
use crate::state::desk::Tab;
use crate::state::row::{Conversation, Entry, Handler, Sender, Status, UserId};
use crate::state::transcript::{ENTRIES_MAX, Page};
use crate::state::{Connection, Scroll, State, Typist};
use crate::text::SafeText;
use crate::update::update;

fn reading(entries: Vec<Entry>) -> (State, Vec<Effect>) {
    let mut state = live(vec![assigned(1001, "u-1", "agent1")]);
    press(&mut state, &["2", "Enter"]);
    let effects = give_page(&mut state, 1001, entries);
    (state, effects)
}

fn seqs(state: &State) -> Vec<u64> {
    let transcript = state.transcripts.get(&id(1001)).unwrap();
    transcript.entries().iter().filter_map(Entry::seq).collect()
}

fn marks(effects: Vec<Effect>) -> Vec<u64> {
    let calls = calls(effects).into_iter();
    calls
        .filter_map(|call| if let Call::MarkRead { seq, .. } = call { Some(seq) } else { None })
        .collect()
}

fn pages(effects: Vec<Effect>) -> Vec<Page> {
    let calls = calls(effects).into_iter();
    calls
        .filter_map(|call| if let Call::Messages { page, .. } = call { Some(page) } else { None })
        .collect()
}

#[test]
fn an_older_row_never_replaces_a_newer_one() {
    let mut state = live(vec![at(20, waiting(1001, 9))]);
    update(&mut state, change_row(at(20, assigned(1001, "u-2", "agent2"))));
    update(&mut state, change_row(at(19, assigned(1001, "u-2", "agent2"))));
    assert_eq!(state.desk.count(Tab::Waiting), 1);
    update(&mut state, change_row(at(21, assigned(1001, "u-2", "agent2"))));
    assert_eq!(state.desk.count(Tab::Waiting), 0);
}

#[test]
fn a_page_and_the_stream_meet_without_repeats() {
    let mut state = live(vec![assigned(1001, "u-1", "agent1")]);
    press(&mut state, &["2", "Enter"]);
    update(&mut state, change_entry(1001, message(3, Sender::Visitor, "three")));
    update(&mut state, change_entry(1001, note(25, "between")));
    let entries = (1..=3).map(|seq| message(seq, Sender::Visitor, "x")).collect();
    give_page(&mut state, 1001, entries);
    update(&mut state, change_entry(1001, message(3, Sender::Visitor, "three")));
    assert_eq!(seqs(&state), [1, 2, 3]);
    let transcript = state.transcripts.get(&id(1001)).unwrap();
    let positions: Vec<u64> = transcript.entries().iter().map(Entry::position).collect();
    assert_eq!(positions, [10, 20, 25, 30]);
}

#[test]
fn a_hole_is_fetched() {
    let (mut state, _) = reading(vec![message(1, Sender::Visitor, "one")]);
    let fetched =
        pages(update(&mut state, change_entry(1001, message(4, Sender::Visitor, "four"))));
    assert_eq!(fetched, [Page::After(1)]);
    let entries = (2..=4).map(|seq| message(seq, Sender::Visitor, "x")).collect();
    assert_eq!(pages(give_page(&mut state, 1001, entries)), []);
    assert_eq!(seqs(&state), [1, 2, 3, 4]);
}

#[test]
fn older_pages_come_on_scrolling_up_and_memory_is_bounded() {
    let page =
        |from: u64, to: u64| (from..=to).map(|seq| message(seq, Sender::Visitor, "x")).collect();
    let (mut state, _) = reading(page(901, 1_000));
    let mut first = 901;
    while first > 401 {
        let fetched = pages(press(&mut state, &["g", "g"]));
        assert_eq!(fetched, [Page::Before(first)]);
        give_page(&mut state, 1001, page(first - 100, first));
        first -= 100;
        let seqs = seqs(&state);
        assert_eq!(seqs.first(), Some(&first));
        assert!(seqs.len() <= ENTRIES_MAX);
    }
    assert!(!state.transcripts.get(&id(1001)).unwrap().holds_end());
    // What arrives meanwhile is not shown out of place; the end is fetched on the way back.
    update(&mut state, change_entry(1001, message(1_001, Sender::Visitor, "new")));
    assert_eq!(seqs(&state).last(), Some(&900));
    assert_eq!(pages(press(&mut state, &["G"])), [Page::Last]);
    give_page(&mut state, 1001, page(902, 1_001));
    assert_eq!(seqs(&state).last(), Some(&1_001));
}

#[test]
fn what_is_read_does_not_move() {
    let entries = (1..=60).map(|seq| message(seq, Sender::Visitor, "x")).collect();
    let (mut state, _) = reading(entries);
    press(&mut state, &["k", "k", "k"]);
    let scroll = state.open.as_ref().unwrap().scroll;
    assert_eq!(scroll, Scroll::Above { position: 570, hidden: 0 });
    update(&mut state, change_entry(1001, message(61, Sender::Visitor, "new")));
    assert_eq!(state.open.as_ref().unwrap().scroll, scroll);
    press(&mut state, &["j", "j", "j", "j"]);
    assert_eq!(state.open.as_ref().unwrap().scroll, Scroll::End);
    press(&mut state, &["g", "g"]);
    let Scroll::Above { position, hidden } = state.open.as_ref().unwrap().scroll else { panic!() };
    // The window stays full at the start: 24 rows less header, footer and title.
    assert_eq!((position, hidden), (210, 0));
}

#[test]
fn marks_are_told_only_when_the_end_was_seen() {
    let (mut state, effects) = reading(vec![message(1, Sender::Visitor, "one")]);
    assert_eq!(marks(effects), [1]);
    assert_eq!(state.desk.get(&id(1001)).unwrap().unread, 0);
    update(&mut state, Event::Focus(false));
    let unseen = update(&mut state, change_entry(1001, message(2, Sender::Visitor, "two")));
    assert!(marks(unseen).is_empty());
    assert_eq!(marks(update(&mut state, Event::Focus(true))), [2]);
    press(&mut state, &["?"]);
    let covered = update(&mut state, change_entry(1001, message(3, Sender::Visitor, "three")));
    assert!(marks(covered).is_empty());
    assert_eq!(marks(press(&mut state, &["Esc"])), [3]);
    update(&mut state, Event::Lost);
    let offline = update(&mut state, change_entry(1001, message(4, Sender::Visitor, "four")));
    assert!(marks(offline).is_empty());
    assert_eq!(marks(update(&mut state, Event::Connected { resumed: true })), [4]);
    update(&mut state, Event::Resize(60, 16));
    press(&mut state, &["Tab"]);
    let hidden = update(&mut state, change_entry(1001, message(5, Sender::Visitor, "five")));
    assert!(marks(hidden).is_empty(), "on a narrow screen the list covers the conversation");
}

#[test]
fn looking_at_a_colleagues_conversation_marks_nothing() {
    let mut state = live(vec![assigned(1001, "u-2", "agent2")]);
    press(&mut state, &["3", "Enter"]);
    assert!(marks(give_page(&mut state, 1001, vec![message(1, Sender::Visitor, "x")])).is_empty());
}

#[test]
fn next_unread_opens_mine_by_waiting_time() {
    let mut one = assigned(1001, "u-1", "agent1");
    let mut two = assigned(1002, "u-1", "agent1");
    one.waiting_since = Some(NOW - 1_000);
    two.waiting_since = Some(NOW - 5_000);
    let mut state = live(vec![one, two, waiting(1003, 90)]);
    assert_eq!(state.desk.unread_mine(), 2);
    press(&mut state, &["g", "u"]);
    assert_eq!(state.open.as_ref().map(|open| open.conversation.clone()), Some(id(1002)));
    give_page(&mut state, 1002, vec![message(3, Sender::Visitor, "x")]);
    press(&mut state, &["g", "u"]);
    assert_eq!(state.open.as_ref().map(|open| open.conversation.clone()), Some(id(1001)));
    give_page(&mut state, 1001, vec![message(3, Sender::Visitor, "x")]);
    press(&mut state, &["g", "u"]);
    assert_eq!(toast(&state), "Nothing unread in yours");
}

#[test]
fn a_reset_reads_everything_again_and_forgets_what_is_gone() {
    let (mut state, _) = reading(vec![message(1, Sender::Visitor, "one")]);
    let before = state.generation;
    update(&mut state, Event::Reset);
    let effects = update(&mut state, Event::Connected { resumed: false });
    assert_eq!(pages(effects.clone()), [Page::Last]);
    assert!(calls(effects).iter().any(|call| matches!(call, Call::List { .. })));
    let stale = Event::Rows { generation: before, rows: vec![waiting(1009, 3)] };
    update(&mut state, stale);
    // A restored store may be at a lower position: its rows still win.
    let generation = state.generation;
    let rows = vec![at(5, assigned(1002, "u-1", "agent1"))];
    update(&mut state, Event::Rows { generation, rows });
    update(&mut state, Event::Listed { generation, result: Ok(()) });
    assert!(state.desk.get(&id(1001)).is_none());
    assert!(state.desk.get(&id(1002)).is_some());
    assert!(state.desk.get(&id(1009)).is_none());
}

#[test]
fn a_failed_list_is_read_again() {
    let mut state = started();
    update(&mut state, Event::SignedIn(me()));
    update(&mut state, Event::Connected { resumed: false });
    let generation = state.generation;
    update(&mut state, Event::Listed { generation, result: Err(passing()) });
    assert_eq!(crate::state::wake::next(&state), Some(NOW + 2_000));
    let again = calls(update(&mut state, Event::Tick(NOW + 2_000)));
    assert!(matches!(again.as_slice(), [Call::List { .. }]), "{again:?}");
    assert_eq!(crate::state::wake::next(&state), None);
}

#[test]
fn typing_is_shown_until_it_ends() {
    let (mut state, _) = reading(vec![message(1, Sender::Visitor, "one")]);
    let typist = |user: &str, sender: Sender| Typist {
        conversation: id(1001),
        user: UserId::from(user),
        name: SafeText::line(user),
        sender,
        note: false,
        until: 0,
    };
    update(&mut state, Event::Typing(typist("u-1", Sender::Agent)));
    assert_eq!(state.typing.len(), 0, "our own");
    update(&mut state, Event::Typing(typist("v-1", Sender::Visitor)));
    update(&mut state, Event::Typing(typist("v-1", Sender::Visitor)));
    update(&mut state, Event::Typing(typist("u-2", Sender::Agent)));
    assert_eq!(state.typing.len(), 2);
    update(&mut state, change_entry(1001, message(2, Sender::Visitor, "two")));
    assert_eq!(state.typing.len(), 1);
    update(&mut state, Event::Tick(NOW + 6_000));
    assert_eq!(state.typing.len(), 0);
}

fn part(number: u64, turn: u64, n: u64, text: &str) -> Event {
    let what = What::Text { n, text: SafeText::block(text) };
    Event::Answer(AnswerPart { conversation: id(number), turn, what })
}

fn end(number: u64, turn: u64) -> Event {
    Event::Answer(AnswerPart { conversation: id(number), turn, what: What::End })
}

#[test]
fn an_answer_grows_until_it_ends() {
    let with_assistant =
        Conversation { status: Status::Open, handler: Handler::Assistant, ..waiting(1001, 1) };
    let claimed = change_row(at(99, assigned(1001, "u-2", "agent2")));
    let endings = [
        end(1001, 1),
        change_entry(1001, message(2, Sender::Assistant, "Yes. No.")),
        change_entry(1001, message(2, Sender::Visitor, "and?")),
        claimed,
        Event::Lost,
        Event::Refused(SafeText::line("no")),
    ];
    for ending in endings {
        let mut state = live(vec![with_assistant.clone()]);
        let shown = |state: &State| state.answers.of(&id(1001)).map(|it| it.text.to_string());
        update(&mut state, part(1001, 1, 1, "No."));
        assert_eq!(shown(&state), None, "not from the middle");
        update(&mut state, part(1001, 1, 0, "Yes."));
        update(&mut state, part(1001, 1, 1, " \u{1b}[31mNo."));
        assert_eq!(shown(&state).as_deref(), Some("Yes. No."), "a terminal obeys nothing of it");
        update(&mut state, part(1001, 1, 3, " Gap."));
        update(&mut state, part(1001, 0, 2, " Old."));
        update(&mut state, end(1001, 0));
        update(&mut state, end(1002, 1));
        assert_eq!(shown(&state).as_deref(), Some("Yes. No."));
        let name = format!("{ending:?}");
        update(&mut state, ending);
        assert_eq!(shown(&state), None, "{name}");
    }
}

#[test]
fn no_more_answers_are_remembered_than_are_made_at_once() {
    let mut state = live(vec![]);
    for number in 0..200 {
        update(&mut state, part(number, 1, 0, "Yes."));
    }
    let kept = (0..200).filter(|it| state.answers.of(&id(*it)).is_some()).count();
    assert_eq!(kept, 64);
}

#[test]
fn the_bell_rings_for_what_is_not_seen() {
    let mut state = live(vec![assigned(1001, "u-1", "agent1")]);
    let escalated = |position| change_row(at(position, waiting(1002 + position, 1)));
    assert!(!update(&mut state, escalated(1)).contains(&Effect::Bell));
    update(&mut state, Event::Focus(false));
    assert!(update(&mut state, escalated(2)).contains(&Effect::Bell));
    assert!(!update(&mut state, escalated(3)).contains(&Effect::Bell));
    update(&mut state, Event::Tick(NOW + 20_000));
    assert!(update(&mut state, escalated(4)).contains(&Effect::Bell));
}

#[test]
fn a_refused_credential_stops_and_says_so() {
    let mut state = live(vec![]);
    update(&mut state, Event::Refused(SafeText::line("the session has ended")));
    update(&mut state, Event::Lost);
    assert!(matches!(state.connection, Connection::Refused(_)));
}

#[test]
fn the_filter_and_the_help_take_text() {
    let mut state = live(vec![waiting(1001, 9), waiting(1002, 5)]);
    press(&mut state, &["/"]);
    type_text(&mut state, "#1002");
    assert_eq!(state.desk.order(), [id(1002)]);
    press(&mut state, &["Enter", "Esc"]);
    assert_eq!(state.desk.order().len(), 2);
    press(&mut state, &["/", "z", "Esc", "?", "c", "l"]);
    assert!(state.overlay.is_some());
    press(&mut state, &["Esc"]);
    assert_eq!(state.overlay, None);
    press(&mut state, &["g", "x"]);
    assert!(state.chord.is_empty());
}

#[test]
fn an_answer_out_of_time_changes_nothing() {
    let (mut state, _) = reading(vec![message(1, Sender::Visitor, "one")]);
    let result = Err(refusal("not_found", &[]));
    update(&mut state, Event::Messages { conversation: id(1001), page: Page::Last, result });
    assert_eq!(toast(&state), "");
}
