//! The facts of a command: the rows its decision may look at, read through the layer.

use std::collections::BTreeSet;

use crate::domain::command::{Command, StaffAct, Visitor};
use crate::domain::conversation::{Handler, Side};
use crate::domain::decide::waits_for;
use crate::domain::facts::Facts;
use crate::domain::hidden::Hidden;
use crate::domain::id::{ArticleId, ConversationId, InboxId, UserId};
use crate::domain::message::SenderType;
use crate::domain::timer::{Timer, TimerKind};
use crate::domain::user::{Role, User};
use crate::store::record::Pointer;
use crate::store::{Direction, Key, table};

use super::error::Error;
use super::rows::{PAGE_MAX, Rows};
use super::timer::{ABSENT_PAGE, ABSENT_PAGES_MAX};
use super::view;

/// Reads what `command` needs. `accepting` are the staff who take conversations, known to the caller.
pub(super) async fn gather(
    rows: &Rows<'_>,
    command: &Command,
    accepting: &BTreeSet<UserId>,
) -> Result<Facts, Error> {
    let organization = rows.organization();
    let mut facts = Facts::default();
    match command {
        Command::CreateOrganization { name, .. } => {
            facts.taken = taken(rows, &table::organization_name(name), "name").await?;
        }
        Command::CreateUser { email, name, .. } | Command::InviteUser { email, name, .. } => {
            let by_name = taken(rows, &table::user_name(organization, name), "name").await?;
            let by_email = taken(rows, &table::user_email(organization, email), "email").await?;
            facts.taken = by_name.or(by_email);
        }
        Command::CreateInbox { name, .. } => {
            facts.taken = taken(rows, &table::inbox_name(organization, name), "name").await?;
        }
        Command::AcceptInvite { user, .. } => gather_invited(rows, *user, &mut facts).await?,
        Command::EditInbox { inbox, edit } => {
            gather_inbox(rows, *inbox, edit.name.as_deref(), &mut facts).await?;
        }
        Command::EditUser { user, name, .. } => {
            gather_staff(rows, *user, name.as_deref(), &mut facts).await?;
        }
        Command::DisableUser { user, .. } | Command::ResetUser { user, .. } => {
            gather_staff(rows, *user, None, &mut facts).await?;
        }
        Command::LeaveAbsent { conversation } => {
            gather_conversation(rows, *conversation, &mut facts).await?;
            facts.assignee = assignee(rows, &facts).await?;
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
        Command::DeleteArticle { article } | Command::EditArticle { article, .. } => {
            facts.article = rows.article(*article).await?;
        }
        Command::VisitorMessage { visitor, .. }
        | Command::VisitorWish { visitor, .. }
        | Command::VisitorEnd { visitor, .. } => gather_visitor(rows, visitor, &mut facts).await?,
        Command::Staff { agent, conversation, act, .. } => {
            gather_conversation(rows, *conversation, &mut facts).await?;
            gather_act(rows, *agent, *conversation, act, &mut facts).await?;
        }
        Command::Assistant { conversation, .. } | Command::Settle { conversation } => {
            gather_conversation(rows, *conversation, &mut facts).await?;
        }
        Command::Timer(timer) => gather_timer(rows, *timer, &mut facts).await?,
        Command::Mark { conversation, side, seq } => {
            gather_conversation(rows, *conversation, &mut facts).await?;
            if *side == Side::Staff {
                facts.unread_after = unread_after(rows, *conversation, *seq).await?;
            }
        }
    }
    if matches!(command, Command::Settle { .. } | Command::VisitorMessage { .. }) {
        facts.held_outside = held_outside(rows, &facts).await?;
    }
    facts.staffed = facts.inbox.as_ref().is_some_and(|inbox| inbox.is_staffed(accepting));
    Ok(facts)
}

/// Reads ahead what the messages of a group need, and the rows of `done`, in three calls: a call to the store costs
/// more than a row. The rest, and what cannot be read, is read by the command that needs it. A busy lane keeps these
/// rows from one group to the next: so they are of the organization, and nobody but its lane may write them.
/// (Escalations that `erase` deletes later cannot be reached any more by then.)
pub(super) async fn load_ahead<'a>(
    rows: &mut Rows<'_>,
    done: Vec<Key>,
    commands: impl Iterator<Item = &'a Command> + Clone,
) -> Result<(), Error> {
    let organization = rows.organization();
    let visitors = commands.clone().filter_map(|command| {
        let Command::VisitorMessage { visitor, .. } = command else { return None };
        Some(visitor)
    });
    let latest = |it: &Visitor| table::visitor_conversation(organization, it.user, it.inbox);
    let mut keys = done;
    for visitor in visitors.clone() {
        keys.push(table::inbox(organization, visitor.inbox));
        keys.push(table::user(organization, visitor.user));
        keys.push(latest(visitor));
        let session = visitor.session.as_ref().map(|(session, _)| session.id);
        keys.extend(session.map(|id| table::session(organization, id)));
    }
    rows.load(keys).await?;
    let of_staff = commands.filter_map(|command| {
        let Command::Staff { conversation, .. } = command else { return None };
        Some(*conversation)
    });
    let mut conversations: BTreeSet<ConversationId> = of_staff.collect();
    for visitor in visitors {
        let pointer = rows.pointer(&latest(visitor)).await?;
        conversations.extend(pointer.map(|it| ConversationId(it.subject)));
    }
    let keys = conversations.iter().map(|id| table::conversation(organization, *id)).collect();
    rows.load(keys).await?;
    let mut around = Vec::new();
    for id in conversations {
        if let Some(header) = rows.conversation(id).await? {
            around.extend(view::keys_around(organization, &header));
        }
    }
    rows.load(around).await
}

/// The subject of a timer.
async fn gather_timer(rows: &Rows<'_>, timer: Timer, facts: &mut Facts) -> Result<(), Error> {
    match timer.kind {
        TimerKind::Absent => {
            facts.user = rows.user(UserId(timer.subject)).await?;
            if let Some(user) = &facts.user {
                facts.keeps_waiting = keeps_waiting(rows, user).await?;
            }
        }
        TimerKind::Assistant | TimerKind::Silence | TimerKind::Offer | TimerKind::TestExpiry => {
            gather_conversation(rows, ConversationId(timer.subject), facts).await?;
        }
    }
    Ok(())
}

/// Whether a user holds a conversation that must not wait for them once they are absent. Reads all they hold: the
/// timer that asks has just let go of the others.
async fn keeps_waiting(rows: &Rows<'_>, user: &User) -> Result<bool, Error> {
    let mut range = table::all_by_assignee(rows.organization(), user.id);
    for _ in 0..ABSENT_PAGES_MAX {
        let page = rows.list::<Pointer>(&range, Direction::Forward, ABSENT_PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(false) };
        range = table::after(&range, last);
        for (_, held) in page {
            let header = rows.conversation(ConversationId(held.subject)).await?;
            if header.is_some_and(|it| waits_for(&it, user)) {
                return Ok(true);
            }
        }
    }
    Err(Error::unavailable("unavailable", "somebody absent holds too many conversations"))
}

/// An inbox, and whether another one has the name it shall get.
async fn gather_inbox(
    rows: &Rows<'_>,
    inbox: InboxId,
    name: Option<&str>,
    facts: &mut Facts,
) -> Result<(), Error> {
    facts.inbox = rows.inbox(inbox).await?;
    let other = |name: &&str| facts.inbox.as_ref().is_some_and(|it| it.name != *name);
    if let Some(name) = name.filter(other) {
        facts.taken = taken(rows, &table::inbox_name(rows.organization(), name), "name").await?;
    }
    Ok(())
}

/// What an act of staff needs beside the conversation.
async fn gather_act(
    rows: &Rows<'_>,
    agent: UserId,
    conversation: ConversationId,
    act: &StaffAct,
    facts: &mut Facts,
) -> Result<(), Error> {
    match act {
        StaffAct::Claim { to, .. } | StaffAct::Transfer { to, .. } => {
            facts.user = rows.user(*to).await?;
        }
        StaffAct::Flag { seq, .. } | StaffAct::Retract { seq } => {
            facts.message = rows.message(conversation, *seq).await?;
        }
        StaffAct::Reopen => {
            facts.user = rows.user(agent).await?;
            if let Some(header) = &facts.conversation {
                facts.latest = rows.latest_of(header.visitor, header.inbox).await?;
            }
        }
        // Who answers in the assistant's place gets the conversation.
        StaffAct::Reply { .. } => {
            if facts.conversation.as_ref().is_some_and(|it| it.handler == Handler::Assistant) {
                facts.user = rows.user(agent).await?;
            }
        }
        StaffAct::Note { .. }
        | StaffAct::Release
        | StaffAct::HandBack
        | StaffAct::Escalate { .. }
        | StaffAct::Return
        | StaffAct::ResolveWaiting
        | StaffAct::Tag { .. }
        | StaffAct::Prioritize { .. }
        | StaffAct::Resolve { .. } => {}
    }
    Ok(())
}

/// Whether a conversation is held by somebody who may no longer see its inbox. Reads only where the inbox names its
/// members and the assignee is none of them: that may be an admin.
async fn held_outside(rows: &Rows<'_>, facts: &Facts) -> Result<bool, Error> {
    let assignee = facts.conversation.as_ref().and_then(|it| it.assignee);
    let (Some(inbox), Some(assignee)) = (&facts.inbox, assignee) else { return Ok(false) };
    if inbox.has_member(assignee) {
        return Ok(false);
    }
    let user = rows.user(assignee).await?;
    Ok(user.is_none_or(|user| user.role != Role::Admin))
}

/// How many visitor messages come after `seq`; none if they are more than a page.
async fn unread_after(
    rows: &Rows<'_>,
    conversation: ConversationId,
    seq: u64,
) -> Result<Option<u64>, Error> {
    let after = rows.messages(conversation, seq.saturating_add(1), PAGE_MAX).await?;
    if after.len() >= PAGE_MAX as usize {
        return Ok(None);
    }
    let unread = after.iter().filter(|it| it.sender_type == SenderType::User).count();
    Ok(Some(unread as u64))
}

/// A member of staff and their one-time code.
async fn gather_invited(rows: &Rows<'_>, user: UserId, facts: &mut Facts) -> Result<(), Error> {
    facts.user = rows.user(user).await?;
    let code = rows.pointer(&table::user_invite(rows.organization(), user)).await?;
    facts.code = code.and_then(|it| it.secret).map(Hidden);
    Ok(())
}

/// A member of staff, whether another admin than they can act, and whether somebody else has their new name.
async fn gather_staff(
    rows: &Rows<'_>,
    user: UserId,
    name: Option<&str>,
    facts: &mut Facts,
) -> Result<(), Error> {
    facts.user = rows.user(user).await?;
    if let Some(name) = name {
        let key = table::user_name(rows.organization(), name.trim());
        let other = rows.pointer(&key).await?.is_some_and(|it| it.subject != user.0);
        facts.taken = other.then_some("name");
    }
    let staff = rows.staff().await?;
    facts.other_admin = staff.iter().any(|it| it.id != user && it.is_acting_admin());
    Ok(())
}

/// Who holds the conversation.
async fn assignee(rows: &Rows<'_>, facts: &Facts) -> Result<Option<User>, Error> {
    match facts.conversation.as_ref().and_then(|it| it.assignee) {
        Some(assignee) => rows.user(assignee).await,
        None => Ok(None),
    }
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
    facts.assignee = assignee(rows, facts).await?;
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
