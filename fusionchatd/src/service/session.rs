//! Sessions: who is signed in, and ending that.

use std::sync::Arc;

use crate::domain::actor::{Actor, Permission, Who};
use crate::domain::command::Command;
use crate::domain::id::{ClientId, SessionId};
use crate::domain::session::Session;
use crate::store::record::Pointer;
use crate::store::{Direction, table};

use super::Service;
use super::digest::Digest;
use super::error::Error;
use super::rows::{PAGE_MAX, Rows};

/// How many sessions are looked at for a list of the newest.
const SESSIONS_READ_MAX: usize = 2_000;

impl Service {
    /// The actor's own sessions; with the permission, all staff's. Newest first, a page of them.
    pub async fn list_sessions(&self, actor: &Actor) -> Result<Vec<Session>, Error> {
        let mut range = match &actor.who {
            _ if actor.may(Permission::ReadSessions) => table::staff_sessions(actor.organization),
            Who::Agent { user, .. } => table::sessions_of(actor.organization, *user),
            Who::Key { .. }
            | Who::Visitor { .. }
            | Who::Operator { .. }
            | Who::Assistant
            | Who::System => return Err(Error::forbidden()),
        };
        let rows = self.rows(actor);
        let mut sessions = Vec::new();
        while sessions.len() < SESSIONS_READ_MAX {
            let page = rows.list::<Pointer>(&range, Direction::Backward, PAGE_MAX).await?;
            let Some((last, _)) = page.last() else { break };
            range.end = last.clone();
            for (_, pointer) in page {
                if let Some(session) = rows.session(pointer.session()).await? {
                    sessions.push(with_end(&rows, session).await?);
                }
            }
        }
        sessions.sort_by_key(|it| std::cmp::Reverse((it.created_at, it.id)));
        sessions.truncate(PAGE_MAX as usize);
        Ok(sessions)
    }

    /// Ends a session, or with no id the actor's own; its open streams and sockets end within a second.
    pub async fn end_session(
        self: &Arc<Self>,
        actor: &Actor,
        client_id: Option<ClientId>,
        text: &str,
    ) -> Result<Session, Error> {
        let own = match &actor.who {
            Who::Agent { session, .. } | Who::Visitor { session, .. } => Some(*session),
            Who::Key { .. } | Who::Operator { .. } | Who::Assistant | Who::System => None,
        };
        let session = match text {
            "" => own.ok_or_else(|| {
                Error::invalid("no_session", "a key has no session; name the session to end")
            })?,
            text => text.parse::<SessionId>().map_err(|_| Error::not_found())?,
        };
        let rows = self.rows(actor);
        let found = rows.session(session).await?.ok_or_else(Error::not_found)?;
        // A key may end its owner's sessions only if its scopes say so.
        let theirs = matches!(&actor.who, Who::Agent { user, .. } if *user == found.user);
        if own != Some(session) && !theirs && !actor.may(Permission::WriteSessions) {
            return Err(Error::not_found());
        }
        let digest = Digest::of("end_session").bytes(session.bytes()).finish();
        self.execute(actor, client_id, digest, Command::EndSession { session }).await?;
        self.rows(actor).session(session).await?.ok_or_else(Error::not_found)
    }
}

/// A session with its end, also where all of its user's ended together.
async fn with_end(rows: &Rows<'_>, session: Session) -> Result<Session, Error> {
    let cut = rows.user(session.user).await?.and_then(|it| it.sessions_cut);
    let cut = cut.filter(|cut| session.position <= cut.position).map(|cut| cut.at);
    Ok(Session { ended_at: session.ended_at.or(cut), ..session })
}
