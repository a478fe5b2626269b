//! Frames from a visitor: any bytes, any tree, any damage to a good one.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::damage::damaged;
use crate::service::error::Kind;

/// A frame as it is written; the other way round there is nothing to read it back with.
fn written(frame: &FromVisitor) -> Value {
    match frame {
        FromVisitor::Hello { inbox, origin, session, resume, locale } => json!({
            "type": "hello", "inbox": inbox, "origin": origin, "session": session,
            "resume": resume, "locale": locale,
        }),
        FromVisitor::Message { client_id, content } => {
            json!({ "type": "message", "clientId": client_id, "content": content })
        }
        FromVisitor::Person { client_id } => json!({ "type": "person", "clientId": client_id }),
        FromVisitor::End { client_id } => json!({ "type": "end", "clientId": client_id }),
        FromVisitor::Confirm { client_id } => json!({ "type": "confirm", "clientId": client_id }),
        FromVisitor::Typing {} => json!({ "type": "typing" }),
        FromVisitor::Read { seq } => json!({ "type": "read", "seq": seq }),
        FromVisitor::Ping {} => json!({ "type": "ping" }),
    }
}

fn frames() -> impl Strategy<Value = FromVisitor> {
    let resume = option::of(cursors());
    let words = (any::<String>(), any::<String>());
    let maybe = (option::of(any::<String>()), option::of("[a-zA-Z-]{0,8}"));
    prop_oneof![
        (words, maybe, resume).prop_map(|((inbox, origin), (session, locale), resume)| {
            FromVisitor::Hello { inbox, origin, session, resume, locale }
        }),
        (any::<String>(), any::<String>())
            .prop_map(|(client_id, content)| FromVisitor::Message { client_id, content }),
        "[0-9a-f]{32}".prop_map(|client_id| FromVisitor::Person { client_id }),
        "[0-9a-f]{32}".prop_map(|client_id| FromVisitor::End { client_id }),
        "[0-9a-f]{32}".prop_map(|client_id| FromVisitor::Confirm { client_id }),
        Just(()).prop_map(|()| FromVisitor::Typing {}),
        any::<u64>().prop_map(|seq| FromVisitor::Read { seq }),
        Just(()).prop_map(|()| FromVisitor::Ping {}),
    ]
}

fn cursors() -> impl Strategy<Value = Value> {
    (any::<[u128; 2]>(), any::<u64>()).prop_map(|(ids, seq)| {
        let [conversation, epoch] = ids.map(|it| Uuid::from_u128(it).to_string());
        json!({ "conversation": conversation, "epoch": epoch, "seq": seq })
    })
}

fn check(text: &str) -> Result<(), TestCaseError> {
    match read(text) {
        Ok(frame) => {
            let again = read(&written(&frame).to_string()).map(|it| format!("{it:?}"));
            prop_assert_eq!(again.ok(), Some(format!("{frame:?}")));
        }
        Err(refused) => prop_assert_eq!(refused.error.kind, Kind::Invalid),
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_text_is_a_frame_or_refused(text in any::<String>()) {
        check(&text)?;
    }

    #[test]
    fn a_frame_is_read_as_it_was_written(frame in frames()) {
        let text = written(&frame).to_string();
        prop_assert_eq!(read(&text).map(|it| format!("{it:?}")).ok(), Some(format!("{frame:?}")));
    }

    #[test]
    fn a_damaged_frame_is_read_as_it_stands_or_refused(
        bytes in damaged(frames().prop_map(|it| written(&it).to_string().into_bytes())),
    ) {
        check(&String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn a_damaged_cursor_is_one_or_none(
        bytes in damaged(cursors().prop_map(|it| it.to_string().into_bytes())),
    ) {
        if let Ok(value) = serde_json::from_slice::<Value>(&bytes)
            && let Some((conversation, epoch, seq)) = cursor(&value)
        {
            let again = json!({ "conversation": conversation.to_string(), "epoch": epoch, "seq": seq });
            prop_assert_eq!(cursor(&again), Some((conversation, epoch, seq)));
            let said = value["epoch"].as_str().and_then(|it| Uuid::try_parse(it).ok());
            prop_assert_eq!((said, value["seq"].as_u64()), (Some(epoch), Some(seq)));
        }
    }

    #[test]
    fn a_cursor_is_what_it_says(value in cursors()) {
        let (conversation, epoch, seq) = cursor(&value).expect("a cursor");
        let said = [conversation.to_string(), epoch.to_string(), seq.to_string()];
        let fields = ["conversation", "epoch", "seq"].map(|it| value[it].to_string());
        prop_assert_eq!(fields.map(|it| it.trim_matches('"').to_owned()), said);
    }

    #[test]
    fn any_fragment_of_lists_is_refused(items in vec(any::<i64>(), 0..5)) {
        prop_assert!(read(&json!(items).to_string()).is_err());
    }
}
