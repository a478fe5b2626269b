//! Passwords: argon2id m=19,456 KiB t=2 p=1 (OWASP ASVS 5.0, 11.4.2), two at a time, the rest in a bounded queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use super::error::Error;
use super::token::random_bytes;

const MEMORY_KIB: u32 = 19_456;
const ROUNDS: u32 = 2;
const LANES: u32 = 1;
/// How many hashes are computed at once: 19 MiB each.
pub const AT_ONCE: usize = 2;
/// How many may wait.
pub const WAITING_MAX: usize = 32;
/// The shortest password, in characters.
pub const PASSWORD_CHARS_MIN: usize = 12;
/// The longest, in bytes.
pub const PASSWORD_BYTES_MAX: usize = 256;

/// Hashes and checks passwords.
#[derive(Debug)]
pub struct Passwords {
    slots: Arc<Semaphore>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Whoever was let in, those whose hash is being computed too.
    waiting: AtomicUsize,
    computing: AtomicUsize,
    computing_max: AtomicUsize,
    computed: AtomicU64,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { slots: Arc::new(Semaphore::new(AT_ONCE)), counts: Arc::default() }
    }
}

/// Counts a waiter for as long as it lives.
struct Waiter(Arc<Counts>);

impl Drop for Waiter {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts a hash for as long as it is being computed.
struct Computing(Waiter);

impl Computing {
    fn begin(waiter: Waiter) -> Self {
        let counts = &waiter.0;
        counts.computed.fetch_add(1, Ordering::Relaxed);
        let computing = counts.computing.fetch_add(1, Ordering::Relaxed) + 1;
        counts.computing_max.fetch_max(computing, Ordering::Relaxed);
        Self(waiter)
    }
}

impl Drop for Computing {
    fn drop(&mut self) {
        self.0.0.computing.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Passwords {
    /// A new password's hash, in PHC string format.
    pub async fn hash(&self, password: String) -> Result<String, Error> {
        self.hash_with(password, random_bytes::<16>()?).await
    }

    /// The same with a salt that the caller vouches for: nobody can guess it, and it is used for one password.
    pub async fn hash_with(&self, password: String, salt: [u8; 16]) -> Result<String, Error> {
        let long_enough = password.chars().count() >= PASSWORD_CHARS_MIN;
        if !long_enough || password.len() > PASSWORD_BYTES_MAX {
            return Err(Error::invalid(
                "bad_password",
                "a password has at least 12 characters and at most 256 bytes",
            ));
        }
        let hash = self.compute(password, salt.to_vec()).await?;
        Ok(format!(
            "$argon2id$v=19$m={MEMORY_KIB},t={ROUNDS},p={LANES}${}${}",
            STANDARD_NO_PAD.encode(salt),
            STANDARD_NO_PAD.encode(hash)
        ))
    }

    /// Whether the password is the one behind the hash. Without a hash the same work is done, for the same time.
    pub async fn verify(&self, password: String, phc: Option<&str>) -> Result<bool, Error> {
        let parts = phc.and_then(|phc| {
            let (rest, hash) = phc.rsplit_once('$')?;
            let (_, salt) = rest.rsplit_once('$')?;
            Some((STANDARD_NO_PAD.decode(salt).ok()?, STANDARD_NO_PAD.decode(hash).ok()?))
        });
        let (salt, expected) = parts.unwrap_or_else(|| (vec![0; 16], Vec::new()));
        let password = if password.len() > PASSWORD_BYTES_MAX { String::new() } else { password };
        let hash = self.compute(password, salt).await?;
        Ok(bool::from(hash.as_slice().ct_eq(expected.as_slice())))
    }

    /// How many hashes were computed.
    pub fn computed(&self) -> u64 {
        self.counts.computed.load(Ordering::Relaxed)
    }

    /// The most hashes that were ever computed at once.
    pub fn at_once_max(&self) -> usize {
        self.counts.computing_max.load(Ordering::Relaxed)
    }

    async fn compute(&self, password: String, salt: Vec<u8>) -> Result<[u8; 32], Error> {
        let waiter = Waiter(Arc::clone(&self.counts));
        if self.counts.waiting.fetch_add(1, Ordering::Relaxed) >= AT_ONCE + WAITING_MAX {
            return Err(Error::limited("overloaded", "too many sign-ins are waiting", 1_000));
        }
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(Error::internal)?;
        let computing = Computing::begin(waiter);
        let hash = tokio::task::spawn_blocking(move || {
            // It is computed to its end, whether or not somebody still waits for it. The slot is free last.
            let _slot = slot;
            let _computing = computing;
            let params = Params::new(MEMORY_KIB, ROUNDS, LANES, Some(32))?;
            let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            let mut out = [0; 32];
            argon.hash_password_into(password.as_bytes(), &salt, &mut out)?;
            Ok::<_, argon2::Error>(out)
        });
        let hash = hash.await.map_err(Error::internal)?;
        hash.map_err(|error| Error::internal(anyhow::anyhow!("argon2: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_password_verifies_against_its_own_hash_only() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse battery".to_owned()).await.expect("hash");
        let verify = |text: &str| passwords.verify(text.to_owned(), Some(&hash));
        assert!(verify("correct horse battery").await.expect("verify"));
        assert!(!verify("correct horse batterz").await.expect("verify"));
        assert!(!passwords.verify(String::new(), None).await.expect("verify"));
    }

    #[tokio::test]
    async fn a_hash_that_nobody_waits_for_any_more_keeps_its_slot() {
        let passwords = Passwords::default();
        let verify = || passwords.verify("correct horse battery".to_owned(), None);
        for _ in 0..5 {
            let _ = verify().now_or_never();
        }
        assert!(!verify().await.expect("verify"));
        let at_once = passwords.at_once_max();
        assert!((1..=AT_ONCE).contains(&at_once), "{at_once} at once");
    }

    #[tokio::test]
    async fn a_short_password_is_refused() {
        let refused = Passwords::default().hash("short".to_owned()).await;
        assert_eq!(refused.err().map(|it| it.code), Some("bad_password"));
    }
}
