//! The texts of secrets: API keys, session tokens and visitor sessions. Only their hashes are stored.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::Time;
use crate::domain::actor::{Actor, Grants, Who};
use crate::domain::id::{InboxId, KeyId, OrganizationId, SessionId, UserId};

use super::error::Error;

/// What every API key begins with, so that leak scanners know one.
pub const KEY_PREFIX: &str = "fus_live_";
/// What every staff session token begins with.
pub const SESSION_PREFIX: &str = "fus_sess_";
/// What every visitor session token begins with.
pub const VISITOR_PREFIX: &str = "fus_vis_";
/// What every one-time code of an invitation begins with.
pub const INVITE_PREFIX: &str = "fus_inv_";
/// Base62 digits of a key's secret: 43 carry 256 bits.
const SECRET_DIGITS: usize = 43;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// The longest origin in a visitor token, in bytes.
const ORIGIN_BYTES_MAX: usize = 300;

/// Random bytes from the operating system.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Error::internal(anyhow::anyhow!("{error}")))?;
    Ok(bytes)
}

/// The hash a secret is stored by. Secrets hold 256 random bits, so no slow hash is needed.
pub fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// A new API key: `fus_live_<id>_<secret>_<crc32>`.
pub fn new_key(id: KeyId) -> Result<String, Error> {
    let mut secret = String::with_capacity(SECRET_DIGITS);
    while secret.len() < SECRET_DIGITS {
        // 248 is the largest multiple of 62 in a byte: what is over it would favour some digits.
        let bytes = random_bytes::<64>()?;
        let digits = bytes.iter().filter(|byte| **byte < 248);
        let room = SECRET_DIGITS - secret.len();
        secret.extend(digits.take(room).map(|byte| char::from(BASE62[usize::from(*byte % 62)])));
    }
    let body = format!("{KEY_PREFIX}{}_{secret}", id.0.simple());
    let check = crc32fast::hash(body.as_bytes());
    Ok(format!("{body}_{check:08x}"))
}

/// The id in an API key's text; none if it is no key or has a typing error.
pub fn key_id(text: &str) -> Option<KeyId> {
    let (body, check) = text.rsplit_once('_')?;
    if check.len() != 8 || u32::from_str_radix(check, 16).ok()? != crc32fast::hash(body.as_bytes())
    {
        return None;
    }
    let (id, _secret) = body.strip_prefix(KEY_PREFIX)?.split_once('_')?;
    if id.len() != 32 {
        return None;
    }
    Uuid::try_parse(id).ok().map(KeyId)
}

/// A new staff session token.
pub fn new_session() -> Result<String, Error> {
    Ok(format!("{SESSION_PREFIX}{}", URL_SAFE_NO_PAD.encode(random_bytes::<32>()?)))
}

/// A new one-time code.
pub fn new_invite() -> Result<String, Error> {
    Ok(format!("{INVITE_PREFIX}{}", URL_SAFE_NO_PAD.encode(random_bytes::<32>()?)))
}

/// What a visitor session token says. Nothing of it is stored before the first message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisitorClaims {
    /// The organization of the inbox.
    pub organization: OrganizationId,
    /// The inbox.
    pub inbox: InboxId,
    /// The user the visitor is or becomes.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
    /// When it was made.
    pub created_at: Time,
    /// When it ends.
    pub expires_at: Time,
    /// The origin of the page it is bound to.
    pub origin: String,
}

impl VisitorClaims {
    /// Who acts by them, once their session has been checked.
    pub(super) fn actor(&self) -> Actor {
        let Self { organization, inbox, user, session, .. } = *self;
        let who = Who::Visitor { user, session, inbox };
        Actor { organization, who, grants: Grants::Visitor }
    }
}

/// Signs a visitor session with the daemon's secret (HMAC-SHA256).
pub fn sign_visitor(claims: &VisitorClaims, secret: &[u8; 32]) -> Result<String, Error> {
    let mut bytes = Vec::with_capacity(80 + claims.origin.len());
    for id in [claims.organization.0, claims.inbox.0, claims.user.0, claims.session.0] {
        bytes.extend_from_slice(id.as_bytes());
    }
    bytes.extend_from_slice(&claims.created_at.to_be_bytes());
    bytes.extend_from_slice(&claims.expires_at.to_be_bytes());
    bytes.extend_from_slice(claims.origin.as_bytes());
    let tag = mac(secret, &bytes)?.finalize().into_bytes();
    let body = URL_SAFE_NO_PAD.encode(&bytes);
    Ok(format!("{VISITOR_PREFIX}{body}.{}", URL_SAFE_NO_PAD.encode(tag)))
}

/// What a visitor session token says, if the daemon signed it.
pub fn verify_visitor(token: &str, secret: &[u8; 32]) -> Option<VisitorClaims> {
    let (body, tag) = token.strip_prefix(VISITOR_PREFIX)?.split_once('.')?;
    if body.len() > 2 * (80 + ORIGIN_BYTES_MAX) {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(body).ok()?;
    let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
    mac(secret, &bytes).ok()?.verify_slice(&tag).ok()?;
    let id = |at: usize| Uuid::from_slice(bytes.get(at..at + 16)?).ok();
    let time = |at: usize| Some(Time::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    Some(VisitorClaims {
        organization: OrganizationId(id(0)?),
        inbox: InboxId(id(16)?),
        user: UserId(id(32)?),
        session: SessionId(id(48)?),
        created_at: time(64)?,
        expires_at: time(72)?,
        origin: String::from_utf8(bytes.get(80..)?.to_vec()).ok()?,
    })
}

fn mac(secret: &[u8; 32], bytes: &[u8]) -> Result<Hmac<Sha256>, Error> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(Error::internal)?;
    mac.update(b"visitor\0");
    mac.update(bytes);
    Ok(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_id_and_a_typing_error_does_not() {
        let id = KeyId(Uuid::from_u128(0x1234));
        let text = new_key(id).expect("random bytes");
        assert_eq!(key_id(&text), Some(id));
        for at in [10, 45, text.len() - 1] {
            let mut wrong = text.clone().into_bytes();
            wrong[at] = if wrong[at] == b'0' { b'1' } else { b'0' };
            let wrong = String::from_utf8(wrong).expect("ascii");
            assert_eq!(key_id(&wrong), None, "{at}");
        }
        for text in ["", "fus_live_", "fus_live___", "x_y_00000000"] {
            assert_eq!(key_id(text), None);
        }
    }

    #[test]
    fn a_visitor_token_holds_only_under_its_secret() {
        let claims = VisitorClaims {
            organization: OrganizationId(Uuid::from_u128(1)),
            inbox: InboxId(Uuid::from_u128(2)),
            user: UserId(Uuid::from_u128(3)),
            session: SessionId(Uuid::from_u128(4)),
            created_at: 5,
            expires_at: 6,
            origin: "https://shop.example.com".to_owned(),
        };
        let token = sign_visitor(&claims, &[7; 32]).expect("signed");
        assert_eq!(verify_visitor(&token, &[7; 32]), Some(claims));
        assert_eq!(verify_visitor(&token, &[8; 32]), None);
        let mut wrong = token.into_bytes();
        wrong[20] ^= 1;
        assert_eq!(verify_visitor(&String::from_utf8_lossy(&wrong), &[7; 32]), None);
    }
}

#[cfg(test)]
#[path = "token_prop_test.rs"]
mod prop;
