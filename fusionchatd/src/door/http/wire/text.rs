//! Ids as the texts they are in JSON.

use std::borrow::Cow;
use std::fmt::Display;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use crate::domain::id::{
    ArticleId, ClientId, ConversationId, EscalationId, InboxId, KeyId, MessageId, OrganizationId,
    UserId,
};

/// What is a text to the outside.
pub(crate) trait Spelled: Display {
    /// How the text looks.
    fn schema() -> Schema;
}

macro_rules! uuid {
    ($($id:ty),+ $(,)?) => {
        $(impl Spelled for $id {
            fn schema() -> Schema {
                json_schema!({ "type": "string", "format": "uuid" })
            }
        })+
    };
}

uuid!(ArticleId, ConversationId, EscalationId, InboxId, KeyId, MessageId, OrganizationId, UserId,);

impl Spelled for ClientId {
    fn schema() -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9a-f]{32}$" })
    }
}

/// An id, written as its text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<T>(pub(crate) T);

impl<T: Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<T: Spelled> JsonSchema for Text<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        std::any::type_name::<Self>().into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        T::schema()
    }
}

/// Several ids, each written as its text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Texts<'a, T>(pub(crate) &'a [T]);

impl<T: Display> Serialize for Texts<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(ToString::to_string))
    }
}

impl<T: Spelled> JsonSchema for Texts<'_, T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        std::any::type_name::<Self>().into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": T::schema() })
    }
}
