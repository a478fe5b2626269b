//! What an expectation makes of a conversation: it holds, or what was expected and what there is instead. Pure.

use fusionchat_proto::v1;

use crate::cmd::conv::until::Seen;
use crate::cmd::test::file::Expect;
use crate::names;

/// An expectation that did not hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Miss {
    pub(super) expected: String,
    pub(super) got: String,
}

/// Nothing, if everything but silence holds; else the first part that does not.
pub(super) fn miss(expect: &Expect, seen: &Seen) -> Option<Miss> {
    message(expect, seen).or_else(|| state(expect, seen))
}

fn message(expect: &Expect, seen: &Seen) -> Option<Miss> {
    if !expect.wants_message() {
        return None;
    }
    let candidates: Vec<&v1::Message> =
        seen.messages.iter().filter(|it| speaks(expect, it)).collect();
    if candidates.iter().any(|it| fits(expect, it)) {
        return None;
    }
    let mut expected = format!("a message from {}", sender(expect.from));
    if !expect.contains.is_empty() {
        expected.push_str(&format!(" with {}", quoted(&expect.contains)));
    }
    if !expect.cites.is_empty() {
        expected.push_str(&format!(" citing {}", quoted(&expect.cites)));
    }
    let got = match candidates.last() {
        None => "none".to_owned(),
        Some(last) => {
            let titles: Vec<String> = last.sources.iter().map(|it| it.title.clone()).collect();
            let citing = if titles.is_empty() { "nothing".to_owned() } else { quoted(&titles) };
            format!("{:?} citing {citing}", last.content)
        }
    };
    Some(Miss { expected, got })
}

/// True if the message is by whom one is expected from: without a name, anybody who answers.
fn speaks(expect: &Expect, message: &v1::Message) -> bool {
    match expect.from {
        Some(from) => message.sender_type == from,
        None => {
            let answers = [v1::SenderType::Assistant as i32, v1::SenderType::Agent as i32];
            answers.contains(&message.sender_type)
        }
    }
}

fn fits(expect: &Expect, message: &v1::Message) -> bool {
    let content = one_line(&message.content);
    expect.contains.iter().all(|text| content.contains(&one_line(text)))
        && expect.cites.iter().all(|text| {
            message.sources.iter().any(|it| it.title == *text || it.article_id == *text)
        })
}

/// White space is layout, not content.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn state(expect: &Expect, seen: &Seen) -> Option<Miss> {
    let row = &seen.conversation;
    let reason = row.escalation.as_ref().map(|it| it.reason.clone());
    let name = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
    let checks = [
        ("status", expect.status.and_then(names::status), names::status(row.status)),
        ("handler", expect.handler.and_then(names::handler), names::handler(row.handler)),
        ("reason", expect.reason.clone(), reason),
    ];
    for (what, expected, got) in checks {
        if expected.is_some() && expected != got {
            let (expected, got) = (name(expected), name(got));
            return Some(Miss {
                expected: format!("{what} {expected}"),
                got: format!("{what} {got}"),
            });
        }
    }
    None
}

/// A sender's name.
pub(super) fn sender(value: Option<i32>) -> String {
    value.and_then(names::sender_type).unwrap_or_else(|| "anybody who answers".to_owned())
}

fn quoted(texts: &[String]) -> String {
    texts.iter().map(|text| format!("{text:?}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::{Miss, Seen, miss, v1};
    use crate::cmd::test::file;

    fn check(expect: &str, wanted: Option<&str>) {
        let text = format!(
            "apiVersion: fusion/v1\nkind: ConversationTest\nmetadata: {{ name: x }}\n\
             spec: {{ turns: [ {{ visitor: hi, expect: {expect} }} ] }}"
        );
        let test = file::parse("t.yaml", text.as_bytes()).unwrap();
        let source = v1::Source { title: "Battery life".into(), ..v1::Source::default() };
        let message = v1::Message {
            sender_type: v1::SenderType::Assistant as i32,
            content: "Up to\n120 hours.".into(),
            sources: vec![source],
            ..v1::Message::default()
        };
        let conversation = v1::Conversation {
            status: v1::Status::Escalated as i32,
            handler: v1::Handler::None as i32,
            escalation: Some(v1::Escalation { reason: "no_answer".into(), ..Default::default() }),
            ..v1::Conversation::default()
        };
        let seen = Seen { conversation, messages: vec![message] };
        let found = miss(&test.turns[0].expect, &seen);
        let text = found.map(|Miss { expected, got }| format!("{expected} / {got}"));
        assert_eq!(text.as_deref(), wanted, "{expect}");
    }

    #[test]
    fn a_miss_says_what_was_expected_and_what_came() {
        check("{ from: assistant, contains: [to 120 hours], cites: [Battery life] }", None);
        check("{ contains: [Up to] }", None);
        check("{ status: escalated, handler: none, reason: no_answer }", None);
        check("{ from: agent }", Some("a message from agent / none"));
        check(
            "{ contains: [a year] }",
            Some(
                "a message from anybody who answers with \"a year\" / \
                 \"Up to\\n120 hours.\" citing \"Battery life\"",
            ),
        );
        check("{ status: open }", Some("status open / status escalated"));
        check("{ reason: visitor_wish }", Some("reason visitor_wish / reason no_answer"));
    }
}
