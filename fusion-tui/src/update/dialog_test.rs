//! Giving away, tags, priority, marks and removals by keys and by commands: what is asked, what is
//! sent, what comes back when it is refused, what can be taken back.

use crate::effect::{Call, Command, Effect, Judgement};
use crate::event::Event;
use crate::fixture::{
    assigned, at, calls, change_entry, colleagues, give_page, id, live, message, offered, press,
    refusal, toast, type_text, waiting,
};
use crate::state::dialog::{Dialog, Step};
use crate::state::row::{Conversation, Entry, Priority, Sender, Status};
use crate::state::{Overlay, State, UNDO_MS};
use crate::text::SafeText;
use crate::update::update;

fn mine() -> State {
    let tags = ["billing", "vip"].map(SafeText::line).to_vec();
    let mut state = live(vec![Conversation { tags, ..assigned(1001, "u-1", "agent1") }]);
    press(&mut state, &["2"]);
    state
}

/// The same, open, with three messages.
fn reading() -> State {
    let mut state = mine();
    press(&mut state, &["Enter"]);
    let entries = vec![
        message(1, Sender::Visitor, "How long?"),
        message(2, Sender::Assistant, "Two days."),
        message(3, Sender::Assistant, "Four days."),
        message(4, Sender::Agent, "It is three."),
    ];
    give_page(&mut state, 1001, entries);
    state
}

/// The only command among effects.
fn sent(effects: Vec<Effect>) -> Command {
    match calls(effects).as_slice() {
        [Call::Command { command, .. }] => command.clone(),
        other => panic!("{other:?}"),
    }
}

fn judged(effects: Vec<Effect>) -> (u64, Judgement) {
    match calls(effects).as_slice() {
        [Call::Judge { seq, judgement, .. }] => (*seq, judgement.clone()),
        other => panic!("{other:?}"),
    }
}

fn answer(state: &mut State, command: Command, row: Conversation) {
    let result = Ok(row);
    update(state, Event::Commanded { conversation: id(1001), command, result });
}

fn refuse(state: &mut State, command: Command) {
    let result = Err(refusal("no", &[]));
    update(state, Event::Commanded { conversation: id(1001), command, result });
}

fn dialog(state: &State) -> &Dialog {
    match &state.overlay {
        Some(Overlay::Dialog(dialog)) => dialog,
        other => panic!("{other:?}"),
    }
}

fn problem(state: &State) -> String {
    let form = match &state.overlay {
        Some(Overlay::Dialog(dialog)) => &dialog.form,
        Some(Overlay::Palette(form)) => form,
        other => panic!("{other:?}"),
    };
    form.problem.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn line(state: &mut State, line: &str) -> Vec<Effect> {
    press(state, &[":"]);
    type_text(state, line);
    press(state, &["Enter"])
}

/// Presses `t`, finds agent2 and writes a note.
fn give(state: &mut State) -> Command {
    let asked = calls(press(state, &["t"]));
    assert_eq!(asked, [Call::Colleagues]);
    update(state, Event::Colleagues(Ok(colleagues())));
    type_text(state, "AGENT2");
    press(state, &["Enter"]);
    type_text(state, "speaks Korean");
    sent(press(state, &["Enter"]))
}

#[test]
fn t_gives_to_a_colleague_with_a_note() {
    let mut state = mine();
    let command = give(&mut state);
    let (to, name) = ("u-2".to_owned(), SafeText::line("agent2"));
    assert_eq!(command, Command::Transfer { to, name, note: "speaks Korean".to_owned() });
    assert_eq!(state.overlay, None);
    let row = offered(1001, ("u-1", "agent1"), ("u-2", "agent2"));
    answer(&mut state, command, at(11, row));
    assert_eq!(toast(&state), "#1001: offered to agent2 (u takes it back)");
}

#[test]
fn colleagues_are_chosen_by_arrows_the_accepting_first_and_never_oneself() {
    let mut state = mine();
    press(&mut state, &["t", "Enter"]);
    assert_eq!(problem(&state), "They are still being read");
    update(&mut state, Event::Colleagues(Ok(colleagues())));
    let names: Vec<&str> =
        state.colleagues_matching("").iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["agent2", "Zoe", "agent3"]);
    // An answer that comes late moves nobody under the cursor.
    update(&mut state, Event::Colleagues(Ok(Vec::new())));
    press(&mut state, &["Down", "Down", "Down", "Up", "Enter"]);
    let Step::TransferNote { to } = &dialog(&state).step else { panic!("{:?}", state.overlay) };
    assert_eq!(to.name.as_str(), "Zoe");
    press(&mut state, &["Esc"]);
    assert_eq!(state.overlay, None);
    press(&mut state, &["t"]);
    update(&mut state, Event::Colleagues(Err(refusal("no", &[]))));
    assert_eq!(problem(&state), "Colleagues could not be read: refused");
}

#[test]
fn a_refused_transfer_comes_back_with_its_note_and_the_reason() {
    let mut state = mine();
    let command = give(&mut state);
    refuse(&mut state, command.clone());
    assert_eq!(problem(&state), "refused");
    assert_eq!(dialog(&state).form.text.text(), "speaks Korean");
    assert_eq!(sent(press(&mut state, &["Enter"])), command);
    // Not into a text that is being written.
    press(&mut state, &["r"]);
    refuse(&mut state, command);
    assert_eq!(state.overlay, None);
    assert_eq!(toast(&state), "#1001 unchanged: refused");
}

#[test]
fn only_what_an_agent_has_can_be_given() {
    let done = Conversation { status: Status::Resolved, ..waiting(1002, 5) };
    let mut state = live(vec![waiting(1001, 5), done]);
    assert_eq!(press(&mut state, &["t"]), []);
    assert_eq!(toast(&state), "It is nobody's: c claims it first");
    assert_eq!(press(&mut state, &["4", "t"]), []);
    assert_eq!(toast(&state), "It is done: O reopens it");
}

#[test]
fn u_takes_a_transfer_back_while_nobody_has_claimed_it() {
    let mut state = mine();
    let command = give(&mut state);
    assert_eq!(press(&mut state, &["u"]), [], "nothing is done yet");
    let row = offered(1001, ("u-1", "agent1"), ("u-2", "agent2"));
    answer(&mut state, command.clone(), at(11, row.clone()));
    assert_eq!(sent(press(&mut state, &["u"])), Command::Claim { take: false });
    answer(&mut state, Command::Claim { take: false }, at(12, assigned(1001, "u-1", "agent1")));
    assert_eq!(press(&mut state, &["u"]), []);
    assert!(toast(&state).starts_with("Nothing to take back"), "{}", toast(&state));

    let mut state = mine();
    let command = give(&mut state);
    answer(&mut state, command, at(11, row));
    update(&mut state, crate::fixture::change_row(at(12, assigned(1001, "u-2", "agent2"))));
    assert_eq!(press(&mut state, &["u"]), []);
    assert_eq!(toast(&state), "#1001 is claimed already: T takes it from them");
}

#[test]
fn a_change_can_be_taken_back_for_ten_seconds() {
    for (later, back) in [(UNDO_MS - 1, true), (UNDO_MS, false)] {
        let mut state = mine();
        let command = sent(press(&mut state, &["p", "u"]));
        assert_eq!(command, Command::Prioritize(Priority::Urgent));
        let row = Conversation { priority: Priority::Urgent, ..assigned(1001, "u-1", "agent1") };
        answer(&mut state, command, at(11, row));
        assert_eq!(toast(&state), "#1001: priority urgent (u takes it back)");
        let now = state.now + later;
        update(&mut state, Event::Tick(now));
        let effects = press(&mut state, &["u"]);
        if back {
            assert_eq!(sent(effects), Command::Prioritize(Priority::Normal));
        } else {
            assert_eq!(effects, []);
        }
    }
}

#[test]
fn without_connection_nothing_is_sent_and_nothing_typed_is_lost() {
    let mut state = mine();
    press(&mut state, &["l"]);
    type_text(&mut state, "late");
    update(&mut state, Event::Lost);
    assert_eq!(press(&mut state, &["Enter"]), []);
    assert_eq!(problem(&state), "Not connected: nothing was changed");
    assert_eq!(dialog(&state).form.text.text(), "billing vip late");
    update(&mut state, Event::Connected { resumed: true });
    let add = vec!["late".to_owned()];
    assert_eq!(sent(press(&mut state, &["Enter"])), Command::Tag { add, remove: Vec::new() });
    // One change at a time.
    press(&mut state, &["p", "Up", "Up", "Enter"]);
    assert_eq!(problem(&state), "Its last change is still under way: try again");
}

#[test]
fn tags_are_edited_as_words_and_only_the_difference_is_sent() {
    let mut state = mine();
    press(&mut state, &["l", "Ctrl-u"]);
    type_text(&mut state, "VIP, login vip");
    // A colleague tags it meanwhile: that stays.
    let tags = ["billing", "urgent", "vip"].map(SafeText::line).to_vec();
    let row = Conversation { tags, ..assigned(1001, "u-1", "agent1") };
    update(&mut state, crate::fixture::change_row(at(11, row)));
    let command = sent(press(&mut state, &["Enter"]));
    let (add, remove) = (vec!["login".to_owned()], vec!["billing".to_owned()]);
    assert_eq!(command, Command::Tag { add: add.clone(), remove: remove.clone() });
    let tags = ["login", "urgent", "vip"].map(SafeText::line).to_vec();
    answer(&mut state, command, at(12, Conversation { tags, ..assigned(1001, "u-1", "agent1") }));
    assert_eq!(toast(&state), "#1001: tags login urgent vip (u takes it back)");
    assert_eq!(sent(press(&mut state, &["u"])), Command::Tag { add: remove, remove: add });
}

#[test]
fn bad_tags_are_named_and_stay() {
    let mut state = mine();
    press(&mut state, &["l"]);
    type_text(&mut state, "refund!");
    assert_eq!(press(&mut state, &["Enter"]), []);
    assert!(problem(&state).starts_with("refund!: a tag is a word"), "{}", problem(&state));
    press(&mut state, &["Backspace", "x"]);
    assert_eq!(problem(&state), "", "the next key takes the problem away");
    press(&mut state, &["Ctrl-u"]);
    type_text(&mut state, "a b c d e f g h i j k");
    assert_eq!(press(&mut state, &["Enter"]), []);
    assert!(problem(&state).contains("at most 10 tags"), "{}", problem(&state));
    let mut state = mine();
    assert_eq!(press(&mut state, &["l", "Enter"]), []);
    assert_eq!(toast(&state), "The tags stay as they are");
}

#[test]
fn an_answer_is_flagged_with_a_reason() {
    let mut state = reading();
    press(&mut state, &["F", "Down", "Enter", "Enter"]);
    assert!(problem(&state).starts_with("Say why"), "{}", problem(&state));
    type_text(&mut state, "four, not two");
    let reason = "four, not two".to_owned();
    let (seq, judgement) = judged(press(&mut state, &["Enter"]));
    assert_eq!((seq, &judgement), (2, &Judgement::Flag { reason: reason.clone() }));
    let Entry::Message(known) = message(2, Sender::Assistant, "Two days.") else { panic!() };
    let flag = SafeText::line(&reason);
    let result = Ok(Entry::Message(crate::state::row::Message { flag: flag.clone(), ..known }));
    let conversation = id(1001);
    update(&mut state, Event::Judged { conversation, seq, judgement, result });
    assert_eq!(toast(&state), "#1001: answer flagged for review");
    assert_eq!(state.message(&id(1001), 2).unwrap().flag, flag);
    // The mark can be written anew.
    press(&mut state, &["F", "Down", "Enter"]);
    assert_eq!(dialog(&state).form.text.text(), reason);
}

#[test]
fn a_removal_is_asked_first_and_enter_is_no() {
    let mut state = reading();
    for keys in [["D", "Enter", "Enter"], ["D", "Enter", "Esc"], ["D", "Enter", "n"]] {
        assert_eq!(press(&mut state, &keys), []);
        assert_eq!(state.overlay, None);
    }
    assert_eq!(press(&mut state, &["D", "Down"]), []);
    // What arrives meanwhile does not move the one under the cursor.
    update(&mut state, change_entry(1001, message(5, Sender::Assistant, "Anything else?")));
    let (seq, judgement) = judged(press(&mut state, &["Enter", "x", "y"]));
    assert_eq!((seq, &judgement), (3, &Judgement::Retract));
    let result = Err(refusal("no", &[]));
    update(&mut state, Event::Judged { conversation: id(1001), seq, judgement, result });
    assert_eq!(toast(&state), "#1001 unchanged: refused");
}

#[test]
fn only_the_assistants_answers_are_flagged_and_nobody_elses_words_removed() {
    let mut state = reading();
    press(&mut state, &["F"]);
    assert!(matches!(&dialog(&state).step, Step::Message { seqs, .. } if *seqs == [3, 2]));
    press(&mut state, &["Esc", "D"]);
    assert!(matches!(&dialog(&state).step, Step::Message { seqs, .. } if *seqs == [4, 3, 2]));
    let mut state = mine();
    assert_eq!(line(&mut state, "flag"), []);
    assert_eq!(toast(&state), "Its messages are not read yet: Enter opens it");
}

#[test]
fn commands_by_name_do_what_the_keys_do() {
    let mut state = mine();
    let command = sent(line(&mut state, "transfer agent2 speaks  Korean"));
    let (to, name) = ("agent2".to_owned(), SafeText::line("agent2"));
    assert_eq!(command, Command::Transfer { to, name, note: "speaks  Korean".to_owned() });
    refuse(&mut state, command);
    press(&mut state, &["Esc"]);
    let add = vec!["login".to_owned()];
    let tag = Command::Tag { add, remove: Vec::new() };
    assert_eq!(sent(line(&mut state, "tag login vip")), tag);
    refuse(&mut state, tag);
    press(&mut state, &["Esc"]);
    let untag = Command::Tag { add: Vec::new(), remove: vec!["vip".to_owned()] };
    assert_eq!(sent(line(&mut state, "untag vip")), untag);
    refuse(&mut state, untag);
    press(&mut state, &["Esc"]);
    assert_eq!(sent(line(&mut state, "pri low")), Command::Prioritize(Priority::Low));
    refuse(&mut state, Command::Prioritize(Priority::Low));
    let reason = SafeText::line("too hard");
    assert_eq!(sent(line(&mut state, "escalate too hard")), Command::Escalate { reason });
}

#[test]
fn the_palette_says_what_it_does_not_know_and_completes() {
    let mut state = mine();
    assert_eq!(line(&mut state, ""), []);
    assert!(problem(&state).starts_with("Type a command"), "{}", problem(&state));
    press(&mut state, &["Esc"]);
    line(&mut state, "xyz");
    assert!(problem(&state).starts_with("No command is called xyz"), "{}", problem(&state));
    press(&mut state, &["Ctrl-u"]);
    type_text(&mut state, "priority soon");
    press(&mut state, &["Enter"]);
    assert_eq!(problem(&state), "soon: urgent, high, normal or low");
    press(&mut state, &["Esc"]);
    line(&mut state, "resolve now");
    assert!(problem(&state).starts_with("It takes nothing more"), "{}", problem(&state));
    press(&mut state, &["Esc", "Ctrl-k"]);
    type_text(&mut state, "tra");
    press(&mut state, &["Tab"]);
    let Some(Overlay::Palette(form)) = &state.overlay else { panic!("{:?}", state.overlay) };
    assert_eq!(form.text.text(), "transfer ");
    assert_eq!(calls(press(&mut state, &["Enter"])), [Call::Colleagues]);
    press(&mut state, &["Esc", ":"]);
    update(&mut state, Event::Paste("resolve\ntransfer agent2".to_owned()));
    assert_eq!(sent(press(&mut state, &["Enter"])), Command::Resolve);
}
