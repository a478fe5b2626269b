//! The frames of the visitor's WebSocket as docs/protocol.md has them: one JSON object a text
//! frame, its name in the field `type`.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::domain::entry::ActorKind;
use crate::domain::id::ConversationId;
use crate::door::http::json;
use crate::door::http::wire::Audience;
use crate::door::http::wire::conversation::VisitorConversation;
use crate::door::http::wire::message::MessageJson;
use crate::service::Service;
use crate::service::ephemeral::{Ephemeral, Part, Streamed};
use crate::service::error::Error;
use crate::service::subscribe::Post;
use crate::service::view::MessageView;

/// What a visitor's client sends.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[serde(deny_unknown_fields)]
pub(super) enum FromVisitor {
    /// The first frame, exactly once.
    Hello {
        inbox: String,
        origin: String,
        #[serde(default)]
        session: Option<String>,
        /// Any value: one that is no cursor of this daemon is answered with a reset.
        #[serde(default)]
        resume: Option<Value>,
        #[serde(default)]
        locale: Option<String>,
    },
    /// Something to say.
    Message { client_id: String, content: String },
    /// "Talk to a person".
    Person { client_id: String },
    /// The visitor ends the conversation.
    End { client_id: String },
    /// "This helped": the conversation is done.
    Confirm { client_id: String },
    /// The visitor is typing.
    Typing {},
    /// The visitor has seen everything up to a seq.
    Read { seq: u64 },
    /// Is anybody there?
    Ping {},
}

/// What a visitor asks for without words.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// A person.
    Person,
    /// The end.
    End,
    /// The end, because it helped.
    Confirm,
}

/// A frame that was not understood.
#[derive(Debug)]
pub(super) struct Refused {
    /// Why.
    pub(super) error: Box<Error>,
    /// What it says it was about.
    pub(super) client_id: Option<String>,
}

/// Reads a frame.
pub(super) fn read(text: &str) -> Result<FromVisitor, Refused> {
    let bytes = text.as_bytes();
    let outline =
        json::outline(bytes).map_err(|error| Refused { error: error.into(), client_id: None })?;
    json::read(bytes).map_err(|error| Refused { error: error.into(), client_id: outline.client_id })
}

/// Where a client wants to go on: conversation, epoch and the last seq it has. None if the value
/// says no such thing.
pub(super) fn cursor(resume: &Value) -> Option<(ConversationId, Uuid, u64)> {
    let conversation = resume.get("conversation")?.as_str()?.parse().ok()?;
    let epoch = Uuid::try_parse(resume.get("epoch")?.as_str()?).ok()?;
    Some((conversation, epoch, resume.get("seq")?.as_u64()?))
}

/// What the daemon sends.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(super) enum ToVisitor<'a> {
    /// The answer to a good hello.
    Welcome {
        session: &'a str,
        expires_at: i64,
        epoch: String,
        organization: &'a str,
        inbox: InboxFrame<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        conversation: Option<VisitorConversation<'a>>,
    },
    /// A message or system line.
    Message(MessageJson<'a>),
    /// Everything up to here has been replayed.
    Live { last_seq: u64 },
    /// It is on disk.
    Ack {
        client_id: String,
        conversation: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    /// Something was refused.
    Error {
        code: &'a str,
        message: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        hint: &'a str,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        params: &'a BTreeMap<&'static str, String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    /// Somebody is typing.
    Typing {
        by: &'static str,
        #[serde(skip_serializing_if = "str::is_empty")]
        name: &'a str,
    },
    /// More of the assistant's answer in the making.
    Stream { conversation: String, turn: u64, n: u64, text: &'a str },
    /// That answer is the message with this number.
    Committed { conversation: String, turn: u64, seq: u64 },
    /// That answer will not come.
    Dropped { conversation: String, turn: u64 },
    /// Staff have seen everything up to a seq.
    Read { seq: u64 },
    /// The conversation's header has changed.
    Status { conversation: VisitorConversation<'a>, staffed: bool },
    /// Forget what is shown: a replay follows.
    Reset { epoch: String },
    /// The answer to a ping.
    Pong {},
    /// The daemon is stopping and comes back.
    Bye { retry_after_ms: u64 },
}

impl<'a> ToVisitor<'a> {
    /// The frame of a signal; none of what is not for a visitor's eyes.
    pub(super) fn of(signal: &'a Ephemeral) -> Option<Self> {
        match signal {
            Ephemeral::Typing(typing) => match typing.actor.kind {
                ActorKind::Agent | ActorKind::Key => {
                    Some(Self::Typing { by: "agent", name: &typing.name })
                }
                ActorKind::Assistant => Some(Self::Typing { by: "assistant", name: "" }),
                ActorKind::Visitor | ActorKind::Operator | ActorKind::System => None,
            },
            Ephemeral::Streamed(Streamed { place, turn, part }) => {
                let (conversation, turn) = (place.conversation.to_string(), *turn);
                Some(match part {
                    Part::Text { n, text } => Self::Stream { conversation, turn, n: *n, text },
                    Part::Committed { seq } => Self::Committed { conversation, turn, seq: *seq },
                    Part::Dropped => Self::Dropped { conversation, turn },
                })
            }
        }
    }
}

/// The frame of a message for a visitor.
pub(super) fn message<'a>(view: &'a MessageView, public_url: &str) -> ToVisitor<'a> {
    ToVisitor::Message(MessageJson::new(view, public_url, Audience::Visitor))
}

/// A message as it is written to all of a visitor's tabs, as a whole WebSocket frame; whoever comes first makes it.
/// Empty if it cannot be written down.
pub(super) fn made<'a>(post: &'a Post, service: &Service) -> &'a Bytes {
    post.frame.get_or_init(|| {
        let settings = service.settings();
        whole(&message(&post.view, &settings.public_url))
    })
}

/// The longest header of a frame that a server sends, in bytes.
const HEADER_BYTES_MAX: usize = 10;

/// A text frame as a server sends it: whole and unmasked (RFC 6455, section 5.2). Empty if it cannot be written down.
pub(super) fn whole(frame: &ToVisitor<'_>) -> Bytes {
    let mut bytes = vec![0; HEADER_BYTES_MAX];
    if serde_json::to_writer(&mut bytes, frame).is_err() {
        return Bytes::new();
    }
    let begin = put_header(&mut bytes);
    Bytes::from(bytes).slice(begin..)
}

/// Writes the header right before the text that stands behind the room for the longest; where it begins.
fn put_header(bytes: &mut [u8]) -> usize {
    let length = bytes.len() - HEADER_BYTES_MAX;
    let mut header = [0; HEADER_BYTES_MAX];
    header[0] = 0x81;
    let taken = match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ ..126), _) => {
            header[1] = short;
            2
        }
        (_, Ok(middle)) => {
            header[1] = 126;
            header[2..4].copy_from_slice(&middle.to_be_bytes());
            4
        }
        (_, Err(_)) => {
            header[1] = 127;
            header[2..].copy_from_slice(&(length as u64).to_be_bytes());
            HEADER_BYTES_MAX
        }
    };
    let begin = HEADER_BYTES_MAX - taken;
    bytes[begin..HEADER_BYTES_MAX].copy_from_slice(&header[..taken]);
    begin
}

/// The inbox in a welcome.
#[derive(Debug, Serialize)]
pub(super) struct InboxFrame<'a> {
    pub(super) id: String,
    pub(super) name: &'a str,
    pub(super) locale: &'a str,
    pub(super) assistant: &'static str,
    pub(super) staffed: bool,
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::protocol::frame::Frame;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

    use super::*;

    #[test]
    fn a_frame_has_its_own_fields_and_no_other() {
        assert!(matches!(read(r#"{"type":"ping"}"#), Ok(FromVisitor::Ping {})));
        assert!(matches!(read(r#"{"seq":3,"type":"read"}"#), Ok(FromVisitor::Read { seq: 3 })));
        for (text, code) in [
            (r#"{"type":"ping","role":"admin"}"#, "unknown_field"),
            (r#"{"type":"message","clientId":"a","content":"b","seq":9}"#, "unknown_field"),
            (r#"{"type":"message","content":"b"}"#, "missing_field"),
            (r#"{"type":"nothing"}"#, "invalid_argument"),
            (r#"{"content":"b"}"#, "missing_field"),
            (r#"{"type":"ping","type":"ping"}"#, "duplicate_key"),
            (r#"["ping"]"#, "invalid_json"),
        ] {
            assert_eq!(read(text).err().map(|it| it.error.code), Some(code), "{text}");
        }
        let refused = read(r#"{"type":"message","clientId":"a","seq":9}"#).expect_err("refused");
        assert_eq!(refused.client_id.as_deref(), Some("a"));
    }

    #[test]
    fn a_whole_frame_is_what_the_library_writes() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
            let text = "x".repeat(length);
            let theirs = Frame::message(text.clone(), OpCode::Data(Data::Text), true);
            let mut bytes = Vec::new();
            theirs.format(&mut bytes).expect("a frame");
            let mut ours = vec![0; HEADER_BYTES_MAX];
            ours.extend_from_slice(text.as_bytes());
            let begin = put_header(&mut ours);
            assert_eq!(ours[begin..], bytes, "{length}");
        }
        assert_eq!(whole(&ToVisitor::Pong {}), b"\x81\x0f{\"type\":\"pong\"}".as_slice());
    }

    #[test]
    fn fault_35_what_is_no_cursor_is_none() {
        let good = serde_json::json!({
            "conversation": "0190a0c8-5e3a-7c11-9f3e-2b1c7d4e5f60",
            "epoch": "0190a0c8-5e3a-7c11-9f3e-2b1c7d4e5f61",
            "seq": 3,
        });
        assert!(cursor(&good).is_some());
        for (name, value) in
            [("seq", "-1"), ("seq", "\"3\""), ("epoch", "7"), ("conversation", "null")]
        {
            let mut bad = good.clone();
            bad[name] = serde_json::from_str(value).expect("json");
            assert!(cursor(&bad).is_none(), "{name} {value}");
        }
        assert!(cursor(&serde_json::json!("garbage")).is_none());
    }
}

#[cfg(test)]
#[path = "frame_prop_test.rs"]
mod prop;
