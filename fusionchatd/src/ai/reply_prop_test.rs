//! A model's reply: the same in any pieces, bounded, and without what shows nothing.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::domain::damage::texts_of;

const PIECES: &[&str] = &[
    "ANSWER",
    "CLARIFY",
    "HANDOFF",
    "[1, 2]",
    " ",
    "\n",
    "\n\n",
    ". ",
    "?",
    "e.g. ",
    "It takes 5 days",
    "```",
    "**",
    "{\"action\":\"answer\",",
    "\"text\":\"",
    "\\n",
    "\\u0041",
    "\"}",
    "\u{1b}[31m",
    "\u{202e}",
    "action: ",
    "needs_person",
    "é",
    "99999999999999999999",
];

/// What a reply says, fed in pieces of these lengths.
fn fed(text: &str, steps: &[usize]) -> Result<(Option<Action>, String), Malformed> {
    let mut reply = Reply::default();
    let mut said = String::new();
    let chars: Vec<char> = text.chars().collect();
    let mut rest = chars.as_slice();
    for step in steps.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, later) = rest.split_at((*step).clamp(1, rest.len()));
        said.push_str(&reply.push(&piece.iter().collect::<String>())?.sentences.concat());
        rest = later;
    }
    said.push_str(&reply.finish()?.sentences.concat());
    Ok((reply.action.clone(), said))
}

proptest! {
    #[test]
    fn a_reply_says_the_same_in_any_pieces(
        text in texts_of(PIECES), starts in any::<bool>(), steps in vec(1..40_usize, 1..6),
    ) {
        let text = if starts { format!("ANSWER [1]\n{text}") } else { text };
        prop_assume!(text.len() < 1_000);
        prop_assert_eq!(fed(&text, &steps), fed(&text, &[text.len().max(1)]));
    }

    #[test]
    fn any_reply_is_bounded_and_shows_all_it_holds(text in texts_of(PIECES), times in 1..200_usize) {
        let text = format!("ANSWER [1]\n{}", text.repeat(times));
        if let Ok((action, said)) = fed(&text, &[17]) {
            prop_assert!(action.is_some());
            prop_assert!(said.chars().count() <= ANSWER_CHARS_MAX, "{}", said.chars().count());
            prop_assert!(!said.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')));
            prop_assert!(!said.chars().any(is_invisible));
        }
    }

    #[test]
    fn white_space_without_end_takes_no_room(space in "[ \n\t\u{a0}]{1,400}", times in 1..40_usize) {
        let mut reply = Reply::default();
        for _ in 0..times {
            prop_assert!(reply.push(&space).is_ok_and(|it| it.sentences.is_empty()));
            prop_assert!(reply.rest.len() <= space.len());
        }
        prop_assert_eq!(reply.finish(), Err(Malformed));
    }
}
