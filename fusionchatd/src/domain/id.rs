//! One newtype for each kind of id, so that two kinds can never be mixed up. Nothing relies on the order of ids.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// A text that is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id: expected a UUID such as 0190a0c8-5e3a-7c11-9f3e-2b1c7d4e5f60")]
pub struct NotAnId;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The sixteen bytes, as they stand in keys.
            pub fn bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                if text.len() != 36 {
                    return Err(NotAnId);
                }
                Uuid::try_parse(text).map(Self).map_err(|_| NotAnId)
            }
        }
    };
}

id!(
    /// An organization. The nil id is reserved for the daemon's own journal: the operator's.
    OrganizationId
);
id!(
    /// A member of staff or a visitor.
    UserId
);
id!(
    /// An inbox: one widget of an organization.
    InboxId
);
id!(
    /// A conversation.
    ConversationId
);
id!(
    /// A message or a note.
    MessageId
);

/// What sets the id of a note apart from that of a message; above any number, below what says which kind of UUID it is.
const NOTE: u64 = 1 << 61;

/// Ids that follow from what is known of a message or note, so that no row need keep them. Those of format 1 are of
/// their own.
impl MessageId {
    /// Of the message or system line with this number. It tells a visitor nothing that they do not see.
    pub fn of_message(conversation: ConversationId, seq: u64) -> Self {
        Self(Uuid::from_u128(conversation.0.as_u128() ^ u128::from(seq)))
    }

    /// Of the note that the entry at `position` left.
    pub fn of_note(conversation: ConversationId, position: u64) -> Self {
        Self(Uuid::from_u128(conversation.0.as_u128() ^ u128::from(NOTE | position)))
    }
}

id!(
    /// An escalation.
    EscalationId
);
id!(
    /// An article.
    ArticleId
);
id!(
    /// An API key, without its secret.
    KeyId
);
id!(
    /// A sign-in, or a visitor's session.
    SessionId
);

/// The reserved organization of the operator, whose journal holds organizations and the daemon's own keys.
pub const OPERATOR_ORGANIZATION: OrganizationId = OrganizationId(Uuid::nil());

/// Made by the sender, 128 bits: makes a retry harmless. Unique per sender.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientId(pub [u8; 16]);

/// A text that is no client id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a clientId: expected 32 lower-case hex digits")]
pub struct NotAClientId;

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).simple().fmt(f)
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ClientId {
    type Err = NotAClientId;

    fn from_str(text: &str) -> Result<Self, NotAClientId> {
        if text.len() != 32 || text.bytes().any(|b| !matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(NotAClientId);
        }
        u128::from_str_radix(text, 16).map(|n| Self(n.to_be_bytes())).map_err(|_| NotAClientId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_what_they_write_and_nothing_else() {
        let id = ConversationId(Uuid::from_u128(7));
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in
            ["", "7", "00000000000000000000000000000007", "{00000000-0000-0000-0000-000000000007}"]
        {
            assert_eq!(text.parse::<ConversationId>(), Err(NotAnId), "{text:?}");
        }
    }

    #[test]
    fn client_ids_have_one_spelling() {
        let text = "00112233445566778899aabbccddeeff";
        assert_eq!(text.parse::<ClientId>().map(|id| id.to_string()), Ok(text.to_owned()));
        for text in
            ["", "0011", "00112233445566778899AABBCCDDEEFF", "+0112233445566778899aabbccddeeff"]
        {
            assert_eq!(text.parse::<ClientId>(), Err(NotAClientId), "{text:?}");
        }
    }
}
