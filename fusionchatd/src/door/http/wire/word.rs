//! The words of enumerations in JSON, read and written alike: lower camel case. What each means
//! stands with the domain's variant.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain;

/// An enumeration of the domain as words, with the way there and back.
macro_rules! word {
    (
        $(#[$doc:meta])* $word:ident $name:literal $domain:path {
            $($(#[$serde:meta])? $variant:ident),+ $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase")]
        #[schemars(rename = $name)]
        pub(crate) enum $word {
            $($(#[$serde])? $variant),+
        }

        impl From<$domain> for $word {
            fn from(value: $domain) -> Self {
                match value {
                    $(<$domain>::$variant => Self::$variant),+
                }
            }
        }

        impl From<$word> for $domain {
            fn from(word: $word) -> Self {
                match word {
                    $($word::$variant => Self::$variant),+
                }
            }
        }
    };
}

word!(
    /// Where a conversation stands.
    StatusWord "Status" domain::conversation::Status {
        Open,
        Resolved,
        Escalated,
    }
);
word!(
    /// Who answers the visitor next.
    HandlerWord "Handler" domain::conversation::Handler {
        Assistant,
        Agent,
        None,
    }
);
word!(
    /// How a conversation was resolved.
    ResolutionWord "Resolution" domain::conversation::Resolution {
        Confirmed,
        Agent,
        Duplicate,
        Spam,
        Visitor,
        Abandoned,
        #[serde(rename = "no_reply")]
        NoReply,
    }
);
word!(
    /// What a conversation is to the queue's order.
    PriorityWord "Priority" domain::priority::Priority {
        Urgent,
        High,
        Normal,
        Low,
    }
);
word!(
    /// Who wrote a message.
    SenderWord "SenderType" domain::message::SenderType {
        User,
        Agent,
        Assistant,
        System,
    }
);
word!(
    /// What kind of actor did something.
    ActorWord "ActorKind" domain::entry::ActorKind {
        Visitor,
        Agent,
        Assistant,
        Key,
        Operator,
        System,
    }
);
word!(
    /// How a stay in the queue ended.
    OutcomeWord "Outcome" domain::escalation::Outcome {
        Claimed,
        Returned,
        Resolved,
        Abandoned,
    }
);
word!(
    /// What a user is to their organization.
    RoleWord "Role" domain::user::Role {
        Admin,
        Agent,
        User,
    }
);
word!(
    /// Whether a member of staff takes conversations.
    AvailabilityWord "Availability" domain::user::Availability {
        Accepting,
        Busy,
        Away,
    }
);
word!(
    /// Whether an article answers visitors.
    ArticleStatusWord "ArticleStatus" domain::article::ArticleStatus {
        Draft,
        Published,
    }
);
word!(
    /// Whether the assistant answers in an inbox.
    AssistantWord "AssistantMode" domain::inbox::AssistantMode {
        On,
        Off,
        DraftOnly,
    }
);

/// The roles of staff: what an invitation or an edit may give.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "StaffRole")]
pub(crate) enum StaffRoleWord {
    Admin,
    Agent,
}

impl From<StaffRoleWord> for domain::user::Role {
    fn from(word: StaffRoleWord) -> Self {
        match word {
            StaffRoleWord::Admin => Self::Admin,
            StaffRoleWord::Agent => Self::Agent,
        }
    }
}

/// What an end of a conversation may be called by those who end it.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "GivenResolution")]
pub(crate) enum GivenResolutionWord {
    Confirmed,
    Agent,
    Duplicate,
    Spam,
    Visitor,
}

impl From<GivenResolutionWord> for domain::conversation::Resolution {
    fn from(word: GivenResolutionWord) -> Self {
        match word {
            GivenResolutionWord::Confirmed => Self::Confirmed,
            GivenResolutionWord::Agent => Self::Agent,
            GivenResolutionWord::Duplicate => Self::Duplicate,
            GivenResolutionWord::Spam => Self::Spam,
            GivenResolutionWord::Visitor => Self::Visitor,
        }
    }
}
