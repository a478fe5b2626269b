//! Any URL is answered with a verdict of a bounded size, and an allowed one is an origin that is allowed.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::domain::damage::{damaged_text, texts_of};
use crate::domain::id::{InboxId, OrganizationId};
use crate::domain::inbox::{AssistantMode, Silences};

const PIECES: &[&str] = &[
    "http",
    "HTTPS",
    "://",
    ":",
    "/",
    "@",
    "#",
    "?",
    "\\",
    "www.",
    "shop.example",
    "[::1]",
    "8080",
    "null",
    "data:",
    "localhost",
    " ",
    "é",
    "user:pass@",
    "\0",
];
/// What a URL without end is made of.
const UNITS: &[&str] = &["a", "a.", "é", "\u{1D11E}", "9"];
/// A verdict quotes the origin a few times, and says some words.
const VERDICT_BYTES_MAX: usize = 8 * URL_BYTES_MAX + 2_000;

fn inbox() -> Inbox {
    Inbox {
        id: InboxId::default(),
        organization: OrganizationId::default(),
        name: "web".to_owned(),
        origins: vec!["https://shop.example".to_owned(), "http://localhost:8080".to_owned()],
        assistant: AssistantMode::On,
        locale: "en".to_owned(),
        created_at: 0,
        members: Vec::new(),
        silences: Silences::default(),
    }
}

fn check(url: &str) -> Result<(), TestCaseError> {
    let verdict = test(&inbox(), url, "https://chat.example");
    let said = [&verdict.origin, &verdict.nearest, &verdict.message, &verdict.fix];
    let bytes: usize = said.iter().map(|it| it.len()).sum();
    prop_assert!(bytes <= VERDICT_BYTES_MAX, "{bytes}");
    if verdict.refusal.is_none() {
        prop_assert!(inbox().origins.contains(&verdict.origin), "{verdict:?}");
        prop_assert!(url.to_ascii_lowercase().contains("://"), "{url}");
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_text_gets_a_verdict(text in texts_of(PIECES)) {
        check(&text)?;
    }

    #[test]
    fn a_damaged_url_gets_a_verdict(text in damaged_text("https://shop.example:443/page?x=1#y")) {
        check(&text)?;
    }

    #[test]
    fn a_url_without_end_is_read_to_its_bound(
        pad in "x{0,4}", names in (select(UNITS), 0..2 * URL_BYTES_MAX), host in (select(UNITS), 0..20_000_usize),
    ) {
        let [names, host] = [names, host].map(|(unit, count)| unit.repeat(count));
        check(&format!("https://{pad}{names}@{host}"))?;
        check(&format!("https://{host}/{names}"))?;
    }
}
