//! The facts of a command: the rows its decision may look at, read through the layer.

use crate::domain::command::{Command, StaffAct, Visitor};
use crate::domain::facts::Facts;
use crate::domain::id::{ArticleId, ConversationId};
use crate::store::table;

use super::error::Error;
use super::rows::Rows;

/// Reads what `command` needs. `staffed` is the organization's, known to the caller.
pub(super) async fn gather(
    rows: &Rows<'_>,
    command: &Command,
    staffed: bool,
) -> Result<Facts, Error> {
    let organization = rows.organization();
    let mut facts = Facts { staffed, ..Facts::default() };
    match command {
        Command::CreateOrganization { name, .. } => {
            facts.taken = taken(rows, &table::organization_name(name), "name").await?;
        }
        Command::CreateUser { email, name, .. } => {
            let by_name = taken(rows, &table::user_name(organization, name), "name").await?;
            let by_email = taken(rows, &table::user_email(organization, email), "email").await?;
            facts.taken = by_name.or(by_email);
        }
        Command::CreateInbox { name, .. } => {
            facts.taken = taken(rows, &table::inbox_name(organization, name), "name").await?;
        }
        Command::SetAvailability { user, .. } => facts.user = rows.user(*user).await?,
        Command::CreateKey { .. } | Command::StartSession { .. } => {}
        Command::RevokeKey { key } => facts.key = rows.api_key(*key).await?,
        Command::EndSession { session } => facts.session = rows.session(*session).await?,
        Command::PutArticle { source_path, .. } => {
            let key = table::article_path(organization, source_path);
            if let Some(pointer) = rows.pointer(&key).await? {
                facts.article = rows.article(ArticleId(pointer.subject)).await?;
            }
        }
        Command::DeleteArticle { article } => facts.article = rows.article(*article).await?,
        Command::VisitorMessage { visitor, .. }
        | Command::VisitorWish { visitor, .. }
        | Command::VisitorEnd { visitor, .. } => gather_visitor(rows, visitor, &mut facts).await?,
        Command::Staff { conversation, act, .. } => {
            gather_conversation(rows, *conversation, &mut facts).await?;
            if let StaffAct::Claim { to, .. } = act {
                facts.user = rows.user(*to).await?;
            }
        }
        Command::Assistant { conversation, .. }
        | Command::Timer { conversation, .. }
        | Command::Mark { conversation, .. } => {
            gather_conversation(rows, *conversation, &mut facts).await?;
        }
    }
    Ok(facts)
}

async fn taken(
    rows: &Rows<'_>,
    key: &crate::store::Key,
    what: &'static str,
) -> Result<Option<&'static str>, Error> {
    Ok(rows.value(key).await?.map(|_| what))
}

async fn gather_visitor(
    rows: &Rows<'_>,
    visitor: &Visitor,
    facts: &mut Facts,
) -> Result<(), Error> {
    facts.inbox = rows.inbox(visitor.inbox).await?;
    facts.user = rows.user(visitor.user).await?;
    if let Some((session, _)) = &visitor.session {
        facts.session = rows.session(session.id).await?;
    }
    facts.conversation = rows.latest_of(visitor.user, visitor.inbox).await?;
    if let Some(escalation) = facts.conversation.as_ref().and_then(|it| it.escalation) {
        facts.escalation = rows.escalation(escalation).await?;
    }
    Ok(())
}

async fn gather_conversation(
    rows: &Rows<'_>,
    conversation: ConversationId,
    facts: &mut Facts,
) -> Result<(), Error> {
    facts.conversation = rows.conversation(conversation).await?;
    let Some(header) = &facts.conversation else { return Ok(()) };
    facts.inbox = rows.inbox(header.inbox).await?;
    if let Some(escalation) = header.escalation {
        facts.escalation = rows.escalation(escalation).await?;
    }
    Ok(())
}
