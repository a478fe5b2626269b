//! Sessions: who is signed in, and ending that.

use std::sync::Arc;

use crate::domain::actor::{Actor, Permission, Who};
use crate::domain::command::Command;
use crate::domain::id::{ClientId, SessionId};
use crate::domain::session::Session;
use crate::store::{Direction, table};

use super::Service;
use super::digest::Digest;
use super::error::Error;
use super::rows::PAGE_MAX;

impl Service {
    /// The actor's own sessions; with the permission, everybody's.
    pub async fn list_sessions(&self, actor: &Actor) -> Result<Vec<Session>, Error> {
        let own = actor.staff().ok_or_else(Error::forbidden)?;
        let rows = self.rows(actor);
        let range = table::sessions(actor.organization);
        let found = rows.list::<Session>(&range, Direction::Backward, PAGE_MAX).await?;
        let all = actor.may(Permission::ReadSessions);
        let sessions = found.into_iter().map(|(_, session)| session);
        Ok(sessions.filter(|it| all || it.user == own).collect())
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
        let theirs = actor.staff().is_some_and(|user| user == found.user);
        if own != Some(session) && !theirs && !actor.may(Permission::WriteSessions) {
            return Err(Error::not_found());
        }
        let digest = Digest::of("end_session").bytes(session.bytes()).finish();
        self.execute(actor, client_id, digest, Command::EndSession { session }).await?;
        self.rows(actor).session(session).await?.ok_or_else(Error::not_found)
    }
}
