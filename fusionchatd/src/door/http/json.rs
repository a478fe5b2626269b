//! Reads JSON from outside, for REST bodies and WebSocket frames alike: bounded in depth and
//! fields, with no key twice, no unknown field and no number that two readers could understand
//! differently. An error never repeats what was sent.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;

use axum::extract::Query;
use http::Uri;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::service::error::Error;

/// How deep objects and arrays may be nested.
pub(crate) const DEPTH_MAX: usize = 32;
/// How many fields one object may have.
pub(crate) const FIELDS_MAX: usize = 64;

/// What stands at the top of an object, known even if the rest of it is refused.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    /// The text of its field `clientId`.
    pub(crate) client_id: Option<String>,
}

/// Reads a value of a type that refuses unknown fields.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    outline(bytes)?;
    serde_json::from_slice(bytes).map_err(|error| misfit(&error))
}

/// Checks everything that does not depend on the type, and says what stands at the top.
pub(crate) fn outline(bytes: &[u8]) -> Result<Outline, Error> {
    if std::str::from_utf8(bytes).is_err() {
        return Err(Error::invalid("invalid_json", "the JSON is not UTF-8"));
    }
    let flaw = Cell::new(None);
    let client_id = Cell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let walk = Walk { depth: 0, flaw: &flaw, client_id: &client_id, is_client_id: false };
    let walked = walk.deserialize(&mut reader).and_then(|()| reader.end());
    match walked {
        // A list could fill a type's fields by their order, which nobody means.
        Ok(()) if !bytes.trim_ascii_start().starts_with(b"{") => {
            Err(Error::invalid("invalid_json", "the JSON is not an object"))
        }
        Ok(()) => Ok(Outline { client_id: client_id.take() }),
        Err(error) => Err(match flaw.get() {
            Some(flaw) => flaw.error(),
            None if error.to_string().starts_with("number out of range") => Flaw::BadNumber.error(),
            None => malformed(&error),
        }),
    }
}

/// Reads the query of a URL. An empty value is a value; a parameter that stands there twice is
/// refused.
pub(crate) fn read_query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Error> {
    let read = Query::<T>::try_from_uri(uri);
    read.map(|Query(value)| value).map_err(|rejection| {
        let text = rejection.body_text();
        if text.contains("unknown field") {
            Error::invalid("unknown_field", "a parameter of the query is not known here")
        } else if text.contains("duplicate field") {
            Flaw::DuplicateKey.error()
        } else {
            Error::invalid("invalid_argument", "a parameter of the query has a wrong value")
        }
    })
}

/// Why a text is refused whatever it shall become.
#[derive(Clone, Copy)]
enum Flaw {
    TooDeep,
    DuplicateKey,
    TooManyFields,
    BadNumber,
}

impl Flaw {
    fn error(self) -> Error {
        match self {
            Self::TooDeep => {
                Error::invalid("too_deep", format!("the JSON is nested deeper than {DEPTH_MAX}"))
            }
            Self::DuplicateKey => Error::invalid("duplicate_key", "a key stands there twice"),
            Self::TooManyFields => {
                Error::invalid("invalid_json", format!("an object has over {FIELDS_MAX} fields"))
            }
            Self::BadNumber => {
                Error::invalid("bad_number", "a number is not a whole number of at most 64 bits")
            }
        }
    }
}

/// The text is no JSON: says where, not what.
fn malformed(error: &serde_json::Error) -> Error {
    let (line, column) = (error.line(), error.column());
    Error::invalid("invalid_json", format!("the JSON is malformed at line {line} column {column}"))
}

/// The JSON does not fit the type. What the reader says before `expected` may repeat what was sent;
/// what it says after the last one is ours.
fn misfit(error: &impl fmt::Display) -> Error {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    let expected = text.rsplit_once("expected ").map_or("something else", |(_, tail)| tail);
    if text.starts_with("unknown field") {
        let detail = "a field is not known here";
        return Error::invalid("unknown_field", detail).with_hint(format!("expected {expected}"));
    }
    if let Some(name) = text.strip_prefix("missing field ") {
        return Error::invalid("missing_field", format!("the field {name} is missing"));
    }
    Error::invalid("invalid_argument", format!("a field has a wrong value: expected {expected}"))
}

/// Walks over a value and keeps nothing of it.
struct Walk<'w> {
    depth: usize,
    flaw: &'w Cell<Option<Flaw>>,
    client_id: &'w Cell<Option<String>>,
    is_client_id: bool,
}

impl Walk<'_> {
    fn refuse<E: serde::de::Error>(&self, flaw: Flaw) -> E {
        self.flaw.set(Some(flaw));
        E::custom("refused")
    }

    fn inner<E: serde::de::Error>(&self) -> Result<Self, E> {
        if self.depth >= DEPTH_MAX {
            return Err(self.refuse(Flaw::TooDeep));
        }
        Ok(Self { depth: self.depth + 1, is_client_id: false, ..*self })
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        Err(self.refuse(Flaw::BadNumber))
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        if self.is_client_id {
            self.client_id.set(Some(text.to_owned()));
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self.inner::<A::Error>()?)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let mut seen = BTreeSet::new();
        let mut inner = self.inner::<A::Error>()?;
        while let Some(name) = fields.next_key::<String>()? {
            inner.is_client_id = self.depth == 0 && name == "clientId";
            if !seen.insert(name) {
                return Err(self.refuse(Flaw::DuplicateKey));
            }
            if seen.len() > FIELDS_MAX {
                return Err(self.refuse(Flaw::TooManyFields));
            }
            fields.next_value_seed(Walk { ..inner })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Body {
        content: String,
        #[serde(default)]
        client_id: Option<String>,
        #[serde(default)]
        seq: Option<u64>,
    }

    fn code(text: &[u8]) -> &'static str {
        match read::<Body>(text) {
            Ok(_) => "fine",
            Err(error) => error.code,
        }
    }

    #[test]
    fn a_good_body_is_read() {
        let body = read::<Body>(br#"{"content":"hello","clientId":null,"seq":7}"#).expect("read");
        assert_eq!((body.content.as_str(), body.client_id, body.seq), ("hello", None, Some(7)));
    }

    #[test]
    fn fault_14_lone_surrogates_and_overlong_forms_are_typed_errors() {
        assert_eq!(code(br#"{"content":"\ud800"}"#), "invalid_json");
        assert_eq!(code(br#"{"content":"\udc00x"}"#), "invalid_json");
        assert_eq!(code(b"{\"content\":\"\xc0\xaf\"}"), "invalid_json");
        assert_eq!(code(b"{\"content\":\"\xed\xa0\x80\"}"), "invalid_json");
    }

    #[test]
    fn fault_17_json_depth() {
        for opening in ["[", "{\"a\":"] {
            assert_eq!(code(opening.repeat(100_000).as_bytes()), "too_deep");
        }
        let nested =
            |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        assert!(outline(nested(DEPTH_MAX).as_bytes()).is_ok());
        assert!(outline(nested(DEPTH_MAX + 1).as_bytes()).is_err());
    }

    #[test]
    fn fault_18_duplicate_keys() {
        assert_eq!(code(br#"{"content":"a","content":"b"}"#), "duplicate_key");
        assert_eq!(code(br#"{"content":"a","cont\u0065nt":"b"}"#), "duplicate_key");
        let query = |text: &str| read_query::<Body>(&text.parse().expect("uri"));
        assert_eq!(query("/?content=a&seq=3").expect("read").seq, Some(3));
        for (text, code) in [
            ("/?content=a&content=b", "duplicate_key"),
            ("/?content=a&role=b", "unknown_field"),
            ("/?content=a&seq=many", "invalid_argument"),
        ] {
            assert_eq!(query(text).err().map(|it| it.code), Some(code), "{text}");
        }
    }

    #[test]
    fn fault_19_numbers_out_of_range() {
        for number in ["1e400", "-0", "1180591620717411303424", "1.5"] {
            let text = format!(r#"{{"content":"a","seq":{number}}}"#);
            assert_eq!(code(text.as_bytes()), "bad_number", "{number}");
        }
        assert_eq!(code(br#"{"content":"a","seq":-1}"#), "invalid_argument");
    }

    #[test]
    fn fault_86_fields_of_ours_are_not_theirs() {
        for name in ["tenant_id", "role", "position"] {
            let text = format!(r#"{{"content":"a","{name}":"x"}}"#);
            let error = read::<Body>(text.as_bytes()).expect_err("refused");
            assert_eq!(error.code, "unknown_field");
            assert!(error.hint.contains("`content`"), "{}", error.hint);
            assert!(!error.hint.contains(name) && !error.message.contains(name));
        }
    }

    #[test]
    fn an_error_says_where_and_never_what() {
        let secret = br#"{"content": {"s3cret": 1}}"#;
        let error = read::<Body>(secret).expect_err("refused");
        assert_eq!(error.code, "invalid_argument");
        assert!(!error.message.contains("s3cret"), "{}", error.message);
        let error = read::<Body>(b"{\"content\": s3cret}").expect_err("refused");
        assert_eq!(error.message, "the JSON is malformed at line 1 column 13");
        assert_eq!(code(b""), "invalid_json");
        assert_eq!(code(b"[\"hello\"]"), "invalid_json");
        assert_eq!(code(b"{\"content\":\"a\"} x"), "invalid_json");
        assert_eq!(code(b"{}"), "missing_field");
    }

    #[test]
    fn the_client_id_is_known_even_if_the_rest_is_refused() {
        let outline = outline(br#"{"clientId":"00ff","role":{"clientId":"11"}}"#).expect("walked");
        assert_eq!(outline.client_id.as_deref(), Some("00ff"));
    }
}

#[cfg(test)]
#[path = "json_prop_test.rs"]
mod prop;
