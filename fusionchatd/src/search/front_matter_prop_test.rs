//! Article files from anybody.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::domain::damage::{damaged, texts_of};

const PIECES: &[&str] = &[
    "---\n", "...\n", "title: ", "id: ", "locale: ", "en", "\n", "\r\n", "\"", "'", "\\", "#",
    " #", ":", "- ", "  x: 1\n", "A title", "body\n", "\u{feff}", "\0", "é",
];

fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok(file) = parse(bytes) else { return Ok(()) };
    prop_assert!(!file.title.trim().is_empty());
    prop_assert!(file.title.chars().count() <= MAX_TITLE_CHARS);
    prop_assert!(!file.title.chars().any(char::is_control));
    prop_assert!(file.id.as_ref().is_none_or(|it| it.chars().count() <= MAX_ID_CHARS));
    prop_assert!(file.locale.as_ref().is_none_or(|it| crate::domain::name::locale(it).is_ok()));
    prop_assert!(bytes.ends_with(file.body.as_bytes()), "the body is the rest of the file");
    Ok(())
}

proptest! {
    #[test]
    fn any_bytes_are_an_article_or_refused(bytes in vec(any::<u8>(), 0..400)) {
        check(&bytes)?;
    }

    #[test]
    fn any_front_matter_is_an_article_or_refused(text in texts_of(PIECES)) {
        check(format!("---\n{text}").as_bytes())?;
    }

    #[test]
    fn a_damaged_file_is_an_article_or_refused(bytes in damaged(Just(
        b"---\ntitle: \"How to \\\"return\\\" it\"\nid: 'a''b'\nlocale: pt-BR # tag\nx: 1\n---\n# Body\n".to_vec(),
    ))) {
        check(&bytes)?;
    }

    #[test]
    fn any_title_is_within_its_bounds_or_refused(title in "[\\x00-\\x7f\u{85}\u{2028}é]{0,12}", quote in "[\"']?") {
        check(format!("---\ntitle: {quote}{title}{quote}\nlocale: {title}\n---\nbody\n").as_bytes())?;
        check(format!("---\nid: x\ntitle: a{title}b\n---\n").as_bytes())?;
    }

    #[test]
    fn a_quoted_title_is_read_as_it_was_meant(title in "[ -~]{1,60}") {
        prop_assume!(!title.trim().is_empty());
        let double = title.replace('\\', "\\\\").replace('"', "\\\"");
        let single = title.replace('\'', "''");
        for quoted in [format!("\"{double}\""), format!("'{single}'")] {
            let file = parse(format!("---\ntitle: {quoted}\n---\n").as_bytes());
            prop_assert_eq!(file.map(|it| it.title), Ok(title.trim().to_owned()));
        }
    }
}
