//! The protocol's enumerations as the lower-case names that JSON, tables and flags use. An unset one has none.

use clap::ValueEnum;
use fusionchat_proto::v1;

/// The name of a protocol value: `STATUS_OPEN` of `STATUS_` is `open`, `KIND_POST_BOX` of `KIND_` is `postBox`.
fn lower(constant: &str, prefix: &str) -> Option<String> {
    let bare = constant.strip_prefix(prefix)?;
    if bare == "UNSPECIFIED" {
        return None;
    }
    let mut name = String::with_capacity(bare.len());
    let mut raise = false;
    for c in bare.chars() {
        if c == '_' {
            raise = true;
        } else if raise {
            name.push(c);
            raise = false;
        } else {
            name.push(c.to_ascii_lowercase());
        }
    }
    Some(name)
}

/// No enumeration of the protocol has more values.
const VALUES_MAX: i32 = 64;

/// The raw value that `name` calls `text`.
pub(crate) fn value(name: fn(i32) -> Option<String>, text: &str) -> Option<i32> {
    (1..VALUES_MAX).find(|value| name(*value).as_deref() == Some(text))
}

macro_rules! names {
    ($($function:ident $type:path, $prefix:literal;)*) => {$(
        /// The name of a raw protocol value; none if it is unset or of a newer daemon.
        pub(crate) fn $function(value: i32) -> Option<String> {
            <$type>::try_from(value).ok().and_then(|known| lower(known.as_str_name(), $prefix))
        }
    )*};
}

names! {
    status v1::Status, "STATUS_";
    handler v1::Handler, "HANDLER_";
    resolution v1::Resolution, "RESOLUTION_";
    sender_type v1::SenderType, "SENDER_TYPE_";
    escalation_outcome v1::EscalationOutcome, "ESCALATION_OUTCOME_";
    role v1::Role, "ROLE_";
    availability v1::Availability, "AVAILABILITY_";
    assistant_mode v1::AssistantMode, "ASSISTANT_MODE_";
    article_status v1::ArticleStatus, "ARTICLE_STATUS_";
    put_outcome v1::put_article_response::Outcome, "OUTCOME_";
    actor_kind v1::actor::Kind, "KIND_";
    priority v1::Priority, "PRIORITY_";
}

macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident => $type:path { $($(#[$value:meta])? $variant:ident),* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
        pub(crate) enum $name {
            $(#[allow(missing_docs, reason = "named as in the protocol")] $(#[$value])? $variant),*
        }

        impl $name {
            /// The protocol's value.
            pub(crate) fn wire(self) -> i32 {
                match self { $(Self::$variant => <$type>::$variant as i32),* }
            }
        }
    )*};
}

choices! {
    /// `--status` of `conv list`.
    StatusChoice => v1::Status { Open, Escalated, Resolved }
    /// `--as` of `conv resolve`.
    ResolutionChoice => v1::Resolution { Agent, Duplicate, Spam, Confirmed }
    /// What `conv priority` sets.
    PriorityChoice => v1::Priority { Urgent, High, Normal, Low }
    /// `--role` of `user invite` and `user create`.
    RoleChoice => v1::Role { Agent, Admin }
    /// What `user availability` sets.
    AvailabilityChoice => v1::Availability { Accepting, Busy, Away }
    /// `--assistant` of `inbox create`.
    AssistantChoice => v1::AssistantMode {
        On, Off, #[value(name = "draftOnly", alias = "draft-only")] DraftOnly
    }
}

#[cfg(test)]
mod tests {
    use super::{lower, put_outcome, sender_type, status, v1};

    #[test]
    fn names_are_lower_case() {
        assert_eq!(status(v1::Status::Escalated as i32).as_deref(), Some("escalated"));
        assert_eq!(sender_type(v1::SenderType::User as i32).as_deref(), Some("user"));
        assert_eq!(put_outcome(2).as_deref(), Some("changed"));
        assert_eq!(lower("KIND_POST_BOX", "KIND_").as_deref(), Some("postBox"));
        assert_eq!(status(0), None);
        assert_eq!(status(99), None);
    }
}
