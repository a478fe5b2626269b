//! Making and changing inboxes.

use crate::domain::command::Command;
use crate::domain::entry::EntryKind;
use crate::domain::event::Content;
use crate::domain::facts::Facts;
use crate::domain::id::{InboxId, UserId};
use crate::domain::inbox::{Inbox, InboxEdit, MEMBERS_MAX, Silences};
use crate::domain::name;
use crate::domain::rejection::Rejection;

use super::Refs;
use super::desk::put;
use super::script::Script;

/// Decides what makes or changes an inbox.
pub(super) fn decide(
    script: &mut Script<'_>,
    facts: &Facts,
    command: &Command,
) -> Result<Refs, Rejection> {
    if let Command::CreateInbox { name, origins, assistant, locale, members } = command {
        let id = script.id();
        let inbox = Inbox {
            id: InboxId(id),
            organization: script.organization,
            name: name::slug(name)?,
            origins: checked_origins(origins)?,
            assistant: *assistant,
            locale: name::locale(locale)?,
            created_at: script.moment.now,
            members: checked_members(members.clone())?,
            silences: Silences::default(),
        };
        let entry = script.entry(EntryKind::InboxCreated);
        return Ok(put(script, entry, id, Content::Inbox(inbox)));
    }
    let (Command::EditInbox { edit, .. }, Some(before)) = (command, &facts.inbox) else {
        return Err(Rejection::NotFound);
    };
    let after = edited(before, edit)?;
    let changed = changes(before, &after);
    if !changed.is_empty() {
        let mut entry = script.entry(EntryKind::InboxEdited);
        entry.code = after.assistant as u32;
        entry.detail = Some(changed.join(","));
        put(script, entry, after.id.0, Content::Inbox(after.clone()));
    }
    Ok(Refs { subject: Some(after.id.0), ..Refs::default() })
}

fn edited(before: &Inbox, edit: &InboxEdit) -> Result<Inbox, Rejection> {
    let mut after = before.clone();
    if let Some(name) = &edit.name {
        after.name = name::slug(name)?;
    }
    if let Some(assistant) = edit.assistant {
        after.assistant = assistant;
    }
    if let Some(locale) = &edit.locale {
        after.locale = name::locale(locale)?;
    }
    let origins = edit.origins.apply(&before.origins).map_err(|_| Rejection::Invalid {
        code: "unknown_origin",
        detail: "an origin to remove is not one of the inbox's".to_owned(),
    })?;
    after.origins = checked_origins(&origins)?;
    let members = edit.members.apply(&before.members).map_err(|_| Rejection::Invalid {
        code: "unknown_member",
        detail: "a member to remove is not one of the inbox's".to_owned(),
    })?;
    // An empty list means all agents: nobody may be let in by taking somebody away.
    if members.is_empty() && !edit.members.remove.is_empty() {
        return Err(Rejection::Invalid {
            code: "last_member",
            detail: "an inbox without members is open to all agents; name who stays, or open it"
                .to_owned(),
        });
    }
    after.members = checked_members(members)?;
    after.silences = before.silences.edited(edit.silences);
    if !after.silences.are_possible() {
        return Err(Rejection::Invalid {
            code: "bad_silence",
            detail: "a silence lasts from one second to 365 days; zero means as configured"
                .to_owned(),
        });
    }
    Ok(after)
}

/// What is different, by the names of the fields.
fn changes(before: &Inbox, after: &Inbox) -> Vec<&'static str> {
    let fields = [
        ("name", before.name != after.name),
        ("origins", before.origins != after.origins),
        ("assistant", before.assistant != after.assistant),
        ("locale", before.locale != after.locale),
        ("members", before.members != after.members),
        ("silences", before.silences != after.silences),
    ];
    fields.into_iter().filter_map(|(name, changed)| changed.then_some(name)).collect()
}

fn checked_origins(origins: &[String]) -> Result<Vec<String>, Rejection> {
    if origins.len() > name::ORIGINS_MAX {
        return Err(Rejection::Invalid {
            code: "too_many_origins",
            detail: "an inbox has at most 64 origins".to_owned(),
        });
    }
    origins.iter().map(|it| name::origin(it)).collect()
}

fn checked_members(members: Vec<UserId>) -> Result<Vec<UserId>, Rejection> {
    if members.len() > MEMBERS_MAX {
        return Err(Rejection::Invalid {
            code: "too_many_members",
            detail: "an inbox names at most 256 members".to_owned(),
        });
    }
    Ok(members)
}
