//! Names, origins, locales and ids from anybody: what is taken has one form and keeps its bounds.

use proptest::prelude::*;

use super::*;
use crate::domain::damage::{damaged_text, texts_of};
use crate::domain::id::{ClientId, ConversationId};

const PIECES: &[&str] = &[
    "http",
    "https",
    "://",
    ":",
    "/",
    "@",
    ".",
    "-",
    "[",
    "]",
    "::1",
    "80",
    "443",
    "a",
    "shop",
    "\u{130}",
    "ß",
    " ",
    "\n",
    "\0",
    "65536",
    "localhost",
];

/// What is taken is within its bound and is taken again as the same.
fn settles(
    read: fn(&str) -> Result<String, Rejection>,
    text: &str,
    fits: impl Fn(&str) -> bool,
) -> Result<(), TestCaseError> {
    if let Ok(once) = read(text) {
        prop_assert!(fits(&once), "{text:?} became {once:?}");
        let twice = read(&once);
        prop_assert_eq!(twice.as_deref(), Ok(once.as_str()));
    }
    Ok(())
}

fn check(text: &str) -> Result<(), TestCaseError> {
    let plain = |it: &str| !it.chars().any(char::is_control);
    settles(slug, text, |it| (1..=SLUG_CHARS_MAX).contains(&it.len()) && it == text)?;
    settles(shown, text, |it| plain(it) && (1..=NAME_CHARS_MAX).contains(&it.chars().count()))?;
    settles(email, text, |it| plain(it) && it.len() <= EMAIL_BYTES_MAX && it.contains('@'))?;
    settles(origin, text, |it| it == text && it.len() <= 270 && it.is_ascii())?;
    settles(locale, text, |it| it == text && it.len() <= 35)?;
    if let Ok(id) = text.parse::<ConversationId>() {
        prop_assert_eq!(id.to_string(), text.to_ascii_lowercase());
    }
    if let Ok(id) = text.parse::<ClientId>() {
        prop_assert_eq!(id.to_string(), text);
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_text_settles_or_is_refused(text in texts_of(PIECES)) {
        check(&text)?;
    }

    #[test]
    fn a_damaged_name_settles_or_is_refused(text in prop_oneof![
        damaged_text("https://shop.example.com:8443"),
        damaged_text("http://[2001:db8::1]"),
        damaged_text("Ada.Lovelace@example.com"),
        damaged_text("0190a0c8-5e3a-7c11-9f3e-2b1c7d4e5f60"),
        damaged_text("00112233445566778899aabbccddeeff"),
        damaged_text("acme-shop-2"),
        damaged_text("pt-BR"),
    ]) {
        check(&text)?;
    }
}
