//! A row of whatever kind its table holds. Here alone tables and kinds are matched.

use crate::domain::article::Article;
use crate::domain::conversation::Conversation;
use crate::domain::entry::Entry;
use crate::domain::escalation::Escalation;
use crate::domain::inbox::Inbox;
use crate::domain::key::Key as ApiKey;
use crate::domain::message::{Message, Note};
use crate::domain::organization::Organization;
use crate::domain::session::Session;
use crate::domain::user::User;
use crate::store::Value;
use crate::store::table::Table;

use super::{Daemon, Done, Head, Number, PasswordHash, Pointer, Record, RecordError};

/// Reads a row. What is given is the newest version of its bytes, if they are of an older one.
///
/// # Errors
/// If it is no row of the kind that the table holds.
pub fn renew(table: Table, key: &[u8], value: &Value) -> Result<Option<Value>, RecordError> {
    let renew = match table {
        Table::Head => renew_as::<Head>,
        Table::Entry => renew_as::<Entry>,
        Table::Organization => renew_as::<Organization>,
        Table::User => renew_as::<User>,
        Table::Password => renew_as::<PasswordHash>,
        Table::Inbox => renew_as::<Inbox>,
        Table::ApiKey => renew_as::<ApiKey>,
        Table::Session => renew_as::<Session>,
        Table::Conversation => renew_as::<Conversation>,
        Table::Message => renew_as::<Message>,
        Table::Note => renew_as::<Note>,
        Table::Escalation => renew_as::<Escalation>,
        Table::Done => renew_as::<Done>,
        Table::Article => renew_as::<Article>,
        Table::Daemon => renew_as::<Daemon>,
        Table::Timer | Table::WorkerCursor | Table::ModelTokens => renew_as::<Number>,
        Table::OrganizationName
        | Table::UserName
        | Table::SignIn
        | Table::InboxName
        | Table::InboxOrganization
        | Table::ApiKeySecret
        | Table::SessionToken
        | Table::ConversationNumber
        | Table::ConversationStatus
        | Table::ConversationAssignee
        | Table::VisitorConversation
        | Table::ArticlePath
        | Table::StaffSession
        | Table::ArticleOrganization
        | Table::Invite
        | Table::UserInvite
        | Table::ConversationEscalation => renew_as::<Pointer>,
    };
    renew(key, value)
}

fn renew_as<R: Record>(key: &[u8], value: &Value) -> Result<Option<Value>, RecordError> {
    let row = R::decode(key, value)?;
    let is_older = value.get(1).is_some_and(|version| *version < R::VERSION);
    Ok(is_older.then(|| row.encode()))
}
