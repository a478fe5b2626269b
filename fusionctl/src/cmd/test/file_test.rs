//! What a test's file may say, and what its mistakes are called.

use proptest::prelude::*;

use super::{Speaker, Test, parse};

const GOOD: &str = "\
apiVersion: fusion/v1
kind: ConversationTest
metadata: { name: battery life }
spec:
  inbox: web
  turns:
    - visitor: How long does the battery last?
      expect:
        from: assistant
        within: 5s
        contains: [120 hours]
        cites: [Battery life]
    - agent: Hello
      expect: { handler: agent, silence: { from: assistant, within: 300ms } }
";

fn mistakes(text: &str) -> Vec<String> {
    parse("t.yaml", text.as_bytes()).expect_err("mistakes")
}

#[test]
fn a_good_file_is_read() {
    let test: Test = parse("t.yaml", GOOD.as_bytes()).unwrap();
    assert_eq!((test.name.as_str(), test.inbox.as_str()), ("battery life", "web"));
    let turn = &test.turns[0];
    assert_eq!((turn.speaker, turn.line), (Speaker::Visitor, 7));
    assert_eq!((turn.expect.within.as_secs(), turn.expect.contains.len()), (5, 1));
    assert_eq!(test.turns[1].expect.silence.unwrap().within.as_millis(), 300);
}

#[test]
fn every_mistake_names_its_line() {
    let text = GOOD
        .replace("fusion/v1", "fusion/v9")
        .replace("from: assistant\n", "from: nobody\n")
        .replace("within: 5s", "within: soon")
        .replace("- agent: Hello", "- agent: ' '");
    let starts: Vec<String> =
        mistakes(&text).iter().filter_map(|it| it.split(": ").next().map(str::to_owned)).collect();
    assert_eq!(starts, ["t.yaml:1", "t.yaml:9", "t.yaml:10", "t.yaml:13"]);
}

#[test]
fn what_cannot_be_typed_is_refused_with_its_line() {
    let unknown = mistakes(&GOOD.replace("cites:", "sites:"));
    assert!(unknown[0].starts_with("t.yaml:12: ") && unknown[0].contains("sites"), "{unknown:?}");
    let twice = mistakes(&GOOD.replace("  inbox: web", "  inbox: web\n  inbox: other"));
    assert!(twice[0].starts_with("t.yaml:6: "), "{twice:?}");
    for (bad, line) in [
        ("a: [", 1),
        ("\t- x", 1),
        ("apiVersion: fusion/v1\nkind: {", 2),
        ("- just\n- a list", 1),
        ("", 1),
    ] {
        let found = mistakes(bad);
        assert!(found[0].starts_with("t.yaml:"), "{bad:?} at {line}: {found:?}");
    }
    let utf8 = parse("t.yaml", b"a: b\nc: \xff").expect_err("bytes");
    assert_eq!(utf8, ["t.yaml:2: is not UTF-8 text"]);
}

#[test]
fn what_grows_is_refused() {
    let bomb = "a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: [*b, *b, *b]\n";
    assert_eq!(mistakes(bomb).len(), 1);
    let deep = format!("spec: {}{}", "[".repeat(5_000), "]".repeat(5_000));
    assert_eq!(mistakes(&deep).len(), 1);
    let wide = format!("spec: [{}]", "x,".repeat(60_000));
    assert_eq!(mistakes(&wide).len(), 1);
}

#[test]
fn a_test_that_proves_nothing_is_a_mistake() {
    let nothing =
        GOOD.replace("{ handler: agent, silence: { from: assistant, within: 300ms } }", "{}");
    assert!(mistakes(&nothing)[0].contains("expects nothing"));
    let agent_first = GOOD.replace("- visitor: How", "- agent: How");
    assert!(mistakes(&agent_first)[0].contains("first turn"));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse("t.yaml", &bytes);
    }

    #[test]
    fn no_text_like_yaml_makes_it_panic(text in "[-a-z:&*!|>{}\\[\\],#'\" \n\t?%@0-9]{0,300}") {
        let _ = parse("t.yaml", text.as_bytes());
    }

    #[test]
    fn no_changed_byte_makes_it_panic(at in 0..GOOD.len(), byte in any::<u8>()) {
        let mut bytes = GOOD.as_bytes().to_vec();
        bytes[at] = byte;
        let _ = parse("t.yaml", &bytes);
    }
}
