//! From a bearer token to an [`Actor`], and from an e-mail and password to a session.

use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq;

use crate::domain::actor::{Actor, Grants, Who};
use crate::domain::command::Command;
use crate::domain::hidden::Hidden;
use crate::domain::id::{OPERATOR_ORGANIZATION, OrganizationId, SessionId, UserId};
use crate::domain::key::Key;
use crate::domain::name;
use crate::domain::organization::Organization;
use crate::domain::rejection::Rejection;
use crate::domain::session::{STAFF_SESSION_MS, Session};
use crate::domain::user::{Role, User};
use crate::store::record::{PasswordHash, Pointer};
use crate::store::{Direction, table};

use super::Service;
use super::digest::Digest;
use super::error::{Error, Kind};
use super::limit::Address;
use super::rows::Rows;
use super::token::{self, KEY_PREFIX, SESSION_PREFIX, VISITOR_PREFIX, VisitorClaims};
use super::visitor::origin_not_allowed;

/// In how many organizations one e-mail address may be tried at a sign-in.
const SIGN_INS_MAX: u32 = 4;

/// A sign-in that worked.
pub struct SignedIn {
    /// The token, shown once.
    pub token: String,
    /// The session.
    pub session: Session,
    /// Who signed in.
    pub user: User,
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedIn").field("session", &self.session.id).finish_non_exhaustive()
    }
}

/// Who the caller is.
#[derive(Debug)]
pub struct Identity {
    /// `session`, `key`, `operator` or `visitor`.
    pub kind: &'static str,
    /// The user, or the key's owner.
    pub user: Option<User>,
    /// Their organization; none for the operator.
    pub organization: Option<Organization>,
    /// The session.
    pub session: Option<Session>,
    /// The key.
    pub key: Option<Key>,
}

impl Service {
    /// Who holds this bearer token, checked against the rows as they are now.
    pub async fn authenticate(&self, token: &str) -> Result<Actor, Error> {
        if token.starts_with(KEY_PREFIX) {
            self.authenticate_key(token).await
        } else if token.starts_with(SESSION_PREFIX) {
            self.authenticate_session(token).await
        } else if token.starts_with(VISITOR_PREFIX) {
            self.authenticate_visitor(token).await
        } else {
            Err(Error::sign_in_needed())
        }
    }

    async fn authenticate_key(&self, token: &str) -> Result<Actor, Error> {
        let id = token::key_id(token).ok_or_else(Error::sign_in_needed)?;
        let global = Rows::new(self.engine.as_ref(), OPERATOR_ORGANIZATION);
        let pointer = global.pointer(&table::api_key_secret(id)).await?;
        let Some(Pointer { organization, secret: Some(secret), .. }) = pointer else {
            return Err(Error::sign_in_needed());
        };
        if !bool::from(secret.ct_eq(&token::hash(token))) {
            return Err(Error::sign_in_needed());
        }
        let rows = Rows::new(self.engine.as_ref(), organization);
        let key = rows.api_key(id).await?.filter(|key| key.is_live(self.now()));
        let key = key.ok_or_else(ended)?;
        if super::key::ended_at(&rows, &key).await?.is_some() {
            return Err(ended());
        }
        let Some(owner) = key.owner else {
            return Ok(Actor {
                organization,
                who: Who::Operator { key: id },
                grants: Grants::Operator,
            });
        };
        let user = rows.user(owner).await?.filter(|it| it.admits_key(&key)).ok_or_else(ended)?;
        Ok(Actor {
            organization,
            who: Who::Key { key: id, owner },
            grants: Grants::Scopes { role: user.role, scopes: key.scopes },
        })
    }

    async fn authenticate_session(&self, token: &str) -> Result<Actor, Error> {
        let global = Rows::new(self.engine.as_ref(), OPERATOR_ORGANIZATION);
        let pointer = global.pointer(&table::session_token(&token::hash(token))).await?;
        let pointer = pointer.ok_or_else(Error::sign_in_needed)?;
        let rows = Rows::new(self.engine.as_ref(), pointer.organization);
        let session = rows.session(pointer.session()).await?;
        let staff = |it: &Session| it.inbox.is_none() && it.is_live(self.now());
        let session = session.filter(staff).ok_or_else(ended)?;
        let user = rows.user(session.user).await?;
        let user = user.filter(|it| it.admits_session(&session)).ok_or_else(ended)?;
        Ok(Actor {
            organization: pointer.organization,
            who: Who::Agent { user: user.id, session: session.id },
            grants: Grants::Role(user.role),
        })
    }

    async fn authenticate_visitor(&self, token: &str) -> Result<Actor, Error> {
        let claims = token::verify_visitor(token, &self.daemon.secret);
        let claims = claims.ok_or_else(Error::sign_in_needed)?;
        self.check_visitor(&claims).await?;
        Ok(claims.actor())
    }

    /// Whether a visitor's session, whose token was checked once, still holds in its page.
    pub async fn check_visitor(&self, claims: &VisitorClaims) -> Result<(), Error> {
        let organization = claims.organization;
        let mut rows = Rows::new(self.engine.as_ref(), organization);
        let session = table::session(organization, claims.session);
        rows.load(vec![session, table::inbox(organization, claims.inbox)]).await?;
        let stored = rows.session(claims.session).await?;
        let live = match stored {
            Some(session) => session.is_live(self.now()),
            None => self.now() < claims.expires_at,
        };
        if !live {
            return Err(ended());
        }
        // The session is bound to its page: once that may not embed the inbox any more, it is of no use.
        let inbox = rows.inbox(claims.inbox).await?;
        if !inbox.is_some_and(|inbox| inbox.allows(&claims.origin)) {
            return Err(origin_not_allowed(&claims.origin));
        }
        Ok(())
    }

    /// What a visitor token says, for the doors that bind a socket to it.
    pub fn visitor_claims(&self, token: &str) -> Option<token::VisitorClaims> {
        token::verify_visitor(token, &self.daemon.secret)
    }

    /// Signs a member of staff in. A wrong e-mail, password or organization gets one and the same answer.
    pub async fn sign_in(
        self: &Arc<Self>,
        address: Address,
        email: &str,
        password: String,
        organization: Option<&str>,
    ) -> Result<SignedIn, Error> {
        let email = name::email(email).map_err(|_| wrong_credentials())?;
        self.limits.load().sign_in(address, &email)?;
        let mut verified = Vec::new();
        let candidates = self.sign_in_candidates(&email, organization).await?;
        if candidates.is_empty() {
            self.passwords.verify(password, None).await?;
            return Err(wrong_credentials());
        }
        for (place, user, enabled, hash) in candidates {
            // Whoever is disabled is told no sooner than whoever mistyped.
            let phc = hash.as_ref().map(|it| it.0.as_str());
            if self.passwords.verify(password.clone(), phc).await? && enabled {
                verified.push((place, user, hash));
            }
        }
        let [(place, user, hash)] = verified.as_slice() else { return Err(wrong_credentials()) };
        let signed_in = self.start_session(*place, *user).await?;
        // A reset or a disabling may have come between the check and the session. What they cut must not go on by
        // it: its token has not left yet.
        let rows = Rows::new(self.engine.as_ref(), *place);
        let now = rows.row::<PasswordHash>(&table::password(*place, *user)).await?;
        if signed_in.user.disabled_at.is_some() || now != *hash {
            return Err(wrong_credentials());
        }
        Ok(signed_in)
    }

    /// Uses a one-time code: sets the password and signs in. A wrong, used or expired code gets one and the same
    /// answer.
    pub async fn accept_invite(
        self: &Arc<Self>,
        address: Address,
        code: &str,
        password: String,
    ) -> Result<SignedIn, Error> {
        self.limits.load().accept(address)?;
        let hash = token::hash(code);
        let global = Rows::new(self.engine.as_ref(), OPERATOR_ORGANIZATION);
        // Before the dear hash of the password: who has no code does not get that.
        let invite = global.pointer(&table::invite(&hash)).await?.ok_or(Rejection::BadInvite)?;
        let (organization, user) = (invite.organization, UserId(invite.subject));
        let rows = Rows::new(self.engine.as_ref(), organization);
        let invited = rows.user(user).await?.ok_or(Rejection::BadInvite)?;
        if !invited.is_invited(self.now()) {
            return Err(Rejection::BadInvite.into());
        }
        let password = Hidden(self.passwords.hash(password).await?);
        let (session, token) = self.new_session(user)?;
        let command = Command::AcceptInvite {
            user,
            code: Hidden(hash),
            password,
            session: session.clone(),
            token: Hidden(token::hash(&token)),
        };
        let actor = holder(organization, &session);
        self.execute(&actor, None, Digest::of("accept_invite").finish(), command).await?;
        self.signed_in(organization, session, token).await
    }

    async fn sign_in_candidates(
        &self,
        email: &str,
        organization: Option<&str>,
    ) -> Result<Vec<(OrganizationId, UserId, bool, Option<PasswordHash>)>, Error> {
        let global = Rows::new(self.engine.as_ref(), OPERATOR_ORGANIZATION);
        let mut found = Vec::new();
        if let Some(text) = organization {
            if let Some(named) = self.find_organization(text).await? {
                found.extend(global.pointer(&table::sign_in(email, named)).await?);
            }
        } else {
            let range = table::sign_ins(email);
            let rows = global.list::<Pointer>(&range, Direction::Forward, SIGN_INS_MAX).await?;
            found.extend(rows.into_iter().map(|(_, pointer)| pointer));
        }
        let mut candidates = Vec::new();
        for pointer in found {
            let user = UserId(pointer.subject);
            let rows = Rows::new(self.engine.as_ref(), pointer.organization);
            let hash = rows.row(&table::password(pointer.organization, user)).await?;
            let enabled = rows.user(user).await?.is_some_and(|it| it.disabled_at.is_none());
            candidates.push((pointer.organization, user, enabled, hash));
        }
        Ok(candidates)
    }

    /// Starts a session for a member of staff without a password: for the daemon itself alone.
    pub async fn start_session_of(
        self: &Arc<Self>,
        actor: &Actor,
        user: UserId,
    ) -> Result<SignedIn, Error> {
        if actor.who != Who::System {
            return Err(Error::forbidden());
        }
        self.start_session(actor.organization, user).await
    }

    /// Starts a session for a member of staff whose credential has been checked.
    async fn start_session(
        self: &Arc<Self>,
        organization: OrganizationId,
        user: UserId,
    ) -> Result<SignedIn, Error> {
        let (session, token) = self.new_session(user)?;
        let command =
            Command::StartSession { session: session.clone(), token: Hidden(token::hash(&token)) };
        let actor = holder(organization, &session);
        self.execute(&actor, None, Digest::of("start_session").finish(), command).await?;
        self.signed_in(organization, session, token).await
    }

    /// A session of a member of staff that begins now, and its token.
    fn new_session(&self, user: UserId) -> Result<(Session, String), Error> {
        let now = self.now();
        let session = Session {
            id: SessionId(self.new_id()),
            user,
            inbox: None,
            origin: None,
            created_at: now,
            expires_at: now + STAFF_SESSION_MS,
            ended_at: None,
            position: 0,
        };
        Ok((session, token::new_session()?))
    }

    async fn signed_in(
        &self,
        organization: OrganizationId,
        session: Session,
        token: String,
    ) -> Result<SignedIn, Error> {
        let rows = Rows::new(self.engine.as_ref(), organization);
        let user = rows.user(session.user).await?.ok_or_else(Error::not_found)?;
        Ok(SignedIn { token, session, user })
    }

    /// Who the actor is, with rows.
    pub async fn identity(&self, actor: &Actor) -> Result<Identity, Error> {
        let rows = self.rows(actor);
        let (kind, user, session, key) = match &actor.who {
            Who::Agent { user, session } => ("session", Some(*user), Some(*session), None),
            Who::Key { key, owner } => ("key", Some(*owner), None, Some(*key)),
            Who::Operator { key } => ("operator", None, None, Some(*key)),
            Who::Visitor { user, session, .. } => ("visitor", Some(*user), Some(*session), None),
            Who::Assistant | Who::System => return Err(Error::forbidden()),
        };
        Ok(Identity {
            kind,
            user: match user {
                Some(id) => rows.user(id).await?,
                None => None,
            },
            organization: rows.this_organization().await?,
            session: match session {
                Some(id) => rows.session(id).await?,
                None => None,
            },
            key: match key {
                Some(id) => rows.api_key(id).await?,
                None => None,
            },
        })
    }
}

/// Who starts a session, before they have it.
fn holder(organization: OrganizationId, session: &Session) -> Actor {
    Actor {
        organization,
        who: Who::Agent { user: session.user, session: session.id },
        grants: Grants::Role(Role::Agent),
    }
}

fn ended() -> Error {
    Error::new(Kind::Unauthenticated, "session_ended", "this session or key has ended")
        .with_hint("sign in again, or use another key")
}

fn wrong_credentials() -> Error {
    Error::new(
        Kind::Unauthenticated,
        "wrong_credentials",
        "e-mail, password or organization is wrong",
    )
}
