//! Whole screens as snapshots, at the sizes people have, with a frozen clock; and screens nobody
//! has, which must not panic. The text is checked by eye when a snapshot changes.

use insta::assert_snapshot;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

use super::view;
use crate::event::Event;
use crate::fixture::{
    NOW, assigned, colleagues, draft, give_page, id, live, message, note, offered, press, refusal,
    sends, sourced, started, system, type_text, waiting,
};
use crate::state::answer::{AnswerPart, What};
use crate::state::row::{Conversation, Handler, Priority, Sender, Status, UserId};
use crate::state::{State, Typist};
use crate::text::SafeText;
use crate::update::update;

fn draw(state: &mut State, columns: u16, rows: u16) -> Buffer {
    update(state, Event::Resize(columns, rows));
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| view(state, frame)).unwrap();
    terminal.backend().buffer().clone()
}

/// The cells as text; a reversed cell's row is marked, because there the style carries the meaning.
fn text(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut reversed = false;
        let mut x = 0;
        while x < buffer.area.width {
            let cell = &buffer[(x, y)];
            line.push_str(cell.symbol());
            reversed |= cell.modifier.contains(Modifier::REVERSED);
            let cells = unicode_width::UnicodeWidthStr::width(cell.symbol()).max(1);
            x += u16::try_from(cells).unwrap();
        }
        let mark = if reversed { "  <reversed>" } else { "" };
        out.push_str(&format!("|{line}|{mark}\n"));
    }
    out
}

fn screen(state: &mut State, columns: u16, rows: u16) -> String {
    text(&draw(state, columns, rows))
}

fn board() -> State {
    let with_assistant = Conversation {
        handler: Handler::Assistant,
        assignee: None,
        last_sender: Sender::Assistant,
        last_line: SafeText::line("I found order 5512, is it that one?"),
        unread: 0,
        ..assigned(1005, "", "")
    };
    let done = Conversation { status: Status::Resolved, waiting_since: None, ..waiting(1004, 5) };
    let korean = Conversation {
        visitor: SafeText::line("김민준"),
        last_line: SafeText::line("결제가 두 번 됐어요 (charged twice)"),
        reason: SafeText::line("no_answer"),
        ..waiting(1002, 160)
    };
    let mine = Conversation {
        visitor: SafeText::line("Jo Park"),
        staff_mark: 6,
        last_seq: 7,
        ..assigned(1001, "u-1", "agent1")
    };
    live(vec![
        waiting(1003, 4_000),
        korean,
        waiting(1006, 31),
        mine,
        with_assistant,
        done,
        assigned(1007, "u-2", "agent2"),
    ])
}

/// #1001 open, with every kind of entry.
fn conversation() -> State {
    let mut state = board();
    press(&mut state, &["2", "Enter"]);
    let answer = message(2, Sender::Assistant, "I found order 5512, is it that one?");
    let entries = vec![
        message(
            1,
            Sender::Visitor,
            "I was charged twice for the same order. I need this back \
                                     today, because the rent is due and the bank does not wait.",
        ),
        sourced(answer, "Refunds and holds"),
        message(3, Sender::Visitor, "yes!! two charges\nagent please"),
        system(4, "escalated", &[("staffed", "true")]),
        system(5, "claimed", &[("name", "agent1")]),
        note(55, "PSP shows one capture, one auth."),
        message(
            6,
            Sender::Agent,
            "Hi Jo, one of the two is only a hold; it drops off by Thursday.",
        ),
        message(7, Sender::Visitor, "고마워요 👍"),
    ];
    give_page(&mut state, 1001, entries);
    let visitor = Typist {
        conversation: id(1001),
        user: UserId::from("v-1"),
        name: SafeText::default(),
        sender: Sender::Visitor,
        note: false,
        until: 0,
    };
    update(&mut state, Event::Typing(visitor));
    state
}

/// The same, with one message failed, one under way, and a text being written.
fn writing() -> State {
    let mut state = conversation();
    press(&mut state, &["r"]);
    type_text(&mut state, "It is done.");
    let first = sends(press(&mut state, &["Enter"]));
    let client_id = first[0].1.clone();
    update(&mut state, Event::Sent { client_id, result: Err(refusal("not_assignee", &[])) });
    type_text(&mut state, "Anything else?");
    press(&mut state, &["Enter"]);
    type_text(&mut state, "I have");
    state.toasts.clear();
    state
}

#[test]
fn queue_at_every_size() {
    for (columns, rows) in [(60, 16), (80, 24), (120, 40), (200, 60)] {
        assert_snapshot!(format!("queue_{columns}x{rows}"), screen(&mut board(), columns, rows));
    }
}

#[test]
fn an_answer_in_the_making_stands_below_the_transcript() {
    let handler = Handler::Assistant;
    let mut state = live(vec![Conversation { handler, assignee: None, ..assigned(1001, "", "") }]);
    press(&mut state, &["3", "Enter"]);
    give_page(&mut state, 1001, vec![message(1, Sender::Visitor, "How do I return an item?")]);
    let text =
        "You have 30 days to send it back, from the day on which it came. Print the label first.";
    let what = What::Text { n: 0, text: SafeText::block(text) };
    let (conversation, turn) = (id(1001), 1);
    update(&mut state, Event::Answer(AnswerPart { conversation, turn, what }));
    assert_snapshot!("answer_80x24", screen(&mut state, 80, 24));
}

#[test]
fn conversation_at_every_size() {
    for (columns, rows) in [(60, 16), (80, 24), (120, 40), (200, 60)] {
        let name = format!("conversation_{columns}x{rows}");
        assert_snapshot!(name, screen(&mut conversation(), columns, rows));
    }
}

#[test]
fn labels_and_offers_are_shown_in_lists_title_and_panel() {
    let tags = ["billing", "vip"].map(SafeText::line).to_vec();
    let urgent = Conversation { priority: Priority::Urgent, tags, ..waiting(1008, 12) };
    let high = Conversation { priority: Priority::High, ..waiting(1009, 7) };
    let given = offered(1010, ("u-1", "agent1"), ("u-2", "agent2"));
    let mine = offered(1011, ("u-2", "agent2"), ("u-1", "agent1"));
    let back = Conversation {
        preferred: SafeText::line("agent2"),
        reason: SafeText::line("reopened"),
        ..waiting(1012, 3)
    };
    let mut state = live(vec![urgent, high, given, mine, back]);
    assert_snapshot!("labels_120x12", screen(&mut state, 120, 12));
    state.desk.select(&id(1008));
    press(&mut state, &["Enter"]);
    assert_snapshot!("labels_open_80x12", screen(&mut state, 80, 12));
    press(&mut state, &["q"]);
    state.desk.select(&id(1010));
    press(&mut state, &["Enter"]);
    assert_snapshot!("labels_open_200x24", screen(&mut state, 200, 24));
}

/// #1001 open, and each dialog over it.
fn asking(keys: &[&str]) -> State {
    let mut state = conversation();
    press(&mut state, keys);
    update(&mut state, Event::Colleagues(Ok(colleagues())));
    state
}

#[test]
fn dialogs_and_palette() {
    let check = |name: &str, state: &mut State, columns: u16, rows: u16| {
        assert_snapshot!(format!("{name}_{columns}x{rows}"), screen(state, columns, rows));
    };
    check("dialog_colleague", &mut asking(&["t"]), 80, 24);
    let mut state = asking(&["t"]);
    press(&mut state, &["Enter"]);
    type_text(&mut state, "speaks Korean");
    let command = crate::effect::Command::Transfer {
        to: "u-2".to_owned(),
        name: SafeText::line("agent2"),
        note: "speaks Korean".to_owned(),
    };
    press(&mut state, &["Enter"]);
    let result = Err(refusal("not_a_member", &[]));
    update(&mut state, Event::Commanded { conversation: id(1001), command, result });
    check("dialog_refused", &mut state, 60, 16);
    check("dialog_tags", &mut asking(&["l", "v", "i", "p"]), 60, 16);
    check("dialog_priority", &mut asking(&["p"]), 60, 16);
    check("dialog_flag", &mut asking(&["F", "Enter", "o", "l", "d"]), 60, 16);
    check("dialog_retract", &mut asking(&["D", "Enter"]), 80, 24);
    check("palette", &mut asking(&[":"]), 80, 24);
    check("palette", &mut asking(&[":", "t", "r"]), 60, 16);
    // Without its border a sheet still shows what is typed and where.
    let tiny = screen(&mut asking(&[":", "t", "r"]), 20, 4);
    assert!(tiny.contains(": tr"), "{tiny}");
}

#[test]
fn composer_and_outbox() {
    for (columns, rows) in [(60, 16), (120, 40)] {
        let name = format!("composer_{columns}x{rows}");
        assert_snapshot!(name, screen(&mut writing(), columns, rows));
    }
    let mut note = conversation();
    press(&mut note, &["n"]);
    type_text(&mut note, "Careful: second contact this week.");
    assert_snapshot!("note_80x24", screen(&mut note, 80, 24));
}

#[test]
fn help_is_the_live_keymap_and_searchable() {
    let mut state = board();
    press(&mut state, &["?"]);
    assert_snapshot!("help_80x24", screen(&mut state, 80, 24));
    type_text(&mut state, "claim");
    assert_snapshot!("help_search_60x16", screen(&mut state, 60, 16));
}

#[test]
fn a_lost_connection_says_so_and_keeps_the_composer() {
    let mut state = writing();
    update(&mut state, Event::Lost);
    type_text(&mut state, " sent it");
    let shown = screen(&mut state, 80, 24);
    assert!(shown.contains("Reconnecting. Your message is kept."), "{shown}");
    assert!(shown.contains("I have sent it"), "{shown}");
    assert_snapshot!("lost_80x24", shown);
    for (columns, rows) in [(60, 16), (36, 6), (40, 5)] {
        let shown = screen(&mut state, columns, rows);
        assert!(shown.contains("I have sent it"), "{columns}x{rows}\n{shown}");
        assert!(shown.contains("Reconnecting"), "{columns}x{rows}\n{shown}");
    }
    update(&mut state, Event::Connected { resumed: true });
    assert!(!screen(&mut state, 80, 24).contains("Reconnecting"));
}

#[test]
fn no_colour_still_shows_the_selection() {
    let mut state = board();
    state.colour = false;
    press(&mut state, &["j"]);
    let buffer = draw(&mut state, 80, 24);
    let shown = text(&buffer);
    let selected: Vec<&str> = shown.lines().filter(|line| line.starts_with("|>")).collect();
    assert_eq!(selected.len(), 1);
    assert!(selected[0].ends_with("<reversed>"), "{shown}");
    assert_snapshot!("no_colour_80x24", shown);
    let mut open = writing();
    open.colour = false;
    for buffer in [buffer, draw(&mut open, 200, 60)] {
        let colourless =
            |cell: &ratatui::buffer::Cell| cell.fg == Color::Reset && cell.bg == Color::Reset;
        assert!(buffer.content.iter().all(colourless));
    }
}

#[test]
fn prompts_and_first_moments() {
    let mut state = started();
    assert_snapshot!("starting_60x16", screen(&mut state, 60, 16));
    let mut state = board();
    press(&mut state, &["/"]);
    type_text(&mut state, "결제");
    assert_snapshot!("filter_60x16", screen(&mut state, 60, 16));
    let mut state = board();
    press(&mut state, &["c"]);
    let since = (NOW - 2_000).to_string();
    let params = [("by", "agent2"), ("since", since.as_str())];
    let command = crate::effect::Command::Claim { take: false };
    let result = Err(refusal("already_claimed", &params));
    update(&mut state, Event::Commanded { conversation: id(1003), command, result });
    assert_snapshot!("lost_race_80x24", screen(&mut state, 80, 24));
}

#[test]
fn screens_never_print_raw_states() {
    let mut state = board();
    for tab in ["1", "2", "3", "4"] {
        press(&mut state, &[tab]);
        let shown = screen(&mut state, 200, 60).to_lowercase();
        for raw in ["escalated", "resolved", "visitor_wish", "no_answer"] {
            assert!(!shown.contains(raw), "{raw} in\n{shown}");
        }
    }
}

#[test]
fn fault_109_resize_to_1x1() {
    let states: [fn() -> State; 11] = [
        started,
        board,
        conversation,
        || asking(&["t"]),
        || asking(&["t", "n"]),
        || asking(&["l"]),
        || asking(&["p"]),
        || asking(&["F", "Enter"]),
        || asking(&[":"]),
        writing,
        || {
            let mut state = writing();
            press(&mut state, &["Esc", "?"]);
            state
        },
    ];
    for make in states {
        let mut state = make();
        for (columns, rows) in sizes() {
            draw(&mut state, columns, rows);
            press(&mut state, &["k", "j", "g", "g", "G", "PageUp", "Left", "x"]);
            draw(&mut state, columns, rows);
        }
        update(&mut state, Event::Lost);
        for (columns, rows) in sizes() {
            draw(&mut state, columns, rows);
        }
    }
}

fn sizes() -> Vec<(u16, u16)> {
    let mut sizes: Vec<(u16, u16)> =
        (1..=12).flat_map(|columns| (1..=9).map(move |rows| (columns, rows))).collect();
    sizes.extend([(1, 200), (500, 1), (79, 2), (80, 3), (139, 4), (140, 5), (300, 7), (1, 1)]);
    sizes
}

#[test]
fn fault_109_hostile_text_draws_no_control() {
    let hostile = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{202e}evil\u{1b}]52;c;eA==\u{1b}\\ \
                   \u{7f}e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}";
    let row = Conversation {
        visitor: SafeText::line(hostile),
        last_line: SafeText::line(hostile),
        reason: SafeText::line(hostile),
        ..waiting(1001, 5)
    };
    let mut state = live(vec![row]);
    press(&mut state, &["Enter"]);
    let entries = vec![message(1, Sender::Visitor, hostile), note(15, hostile)];
    give_page(&mut state, 1001, entries);
    press(&mut state, &["n"]);
    update(&mut state, Event::Paste(hostile.to_owned()));
    state.toast_bad(hostile);
    for (columns, rows) in [(60, 16), (200, 60)] {
        let buffer = draw(&mut state, columns, rows);
        for cell in &buffer.content {
            let harmless = |c: char| !c.is_control() && !('\u{202a}'..='\u{202e}').contains(&c);
            assert!(cell.symbol().chars().all(harmless), "{:?}", cell.symbol());
            assert!(cell.symbol().chars().count() <= 12, "{:?}", cell.symbol());
        }
    }
}

#[test]
fn a_draft_of_the_assistants_is_shown_as_one() {
    let mut state = live(vec![waiting(1001, 1)]);
    press(&mut state, &["Enter"]);
    let entries = vec![
        message(1, Sender::Visitor, "How long is the rope?"),
        draft(15, "It is twelve metres long.", "Rope length"),
    ];
    give_page(&mut state, 1001, entries);
    let shown = screen(&mut state, 80, 24);
    for text in ["DRAFT assistant (staff only)", "It is twelve metres long.", "from: Rope length"] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
}

#[test]
fn a_frame_costs_what_is_visible() {
    let rows = (1001..3001).map(|number| waiting(number, i64::try_from(number).unwrap())).collect();
    let mut state = live(rows);
    press(&mut state, &["G"]);
    let shown = screen(&mut state, 80, 24);
    assert!(shown.contains("#1001"), "{shown}");
    assert!(!shown.contains("#1040"), "{shown}");
}
