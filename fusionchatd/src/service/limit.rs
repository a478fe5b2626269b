//! Rates, by the generic cell rate algorithm. Doors ask before they act; nothing here is a rule of the domain.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use uuid::Uuid;

use crate::domain::actor::{Actor, Who};
use crate::domain::id::OrganizationId;
use crate::store::moment::KEPT_BYTES_MAX;

use super::error::Error;

/// The most keys a limiter remembers; past it, those whose rate has recovered are forgotten, and while all of them
/// are busy nobody new is let in.
const KEYS_MAX: usize = 100_000;
/// How often keys are looked through for those that can be forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// How many e-mails' worth of sign-in attempts one address has.
const EMAILS_PER_ADDRESS: u32 = 6;

/// The rates of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Messages of one visitor in a minute.
    pub messages_per_minute: u32,
    /// Messages of one visitor at once.
    pub message_burst: u32,
    /// Hellos of one visitor session in a minute.
    pub hellos_per_minute: u32,
    /// New conversations from one address in a minute.
    pub conversations_per_minute: u32,
    /// Sign-in attempts by one address and e-mail in five minutes.
    pub sign_ins_per_five_minutes: u32,
    /// Open sockets of one address.
    pub sockets_per_address: u32,
    /// What the process may use of the memory; none means what its control group says.
    pub memory_bytes: Option<u64>,
    /// What may be kept in memory for a backup while it is read.
    pub backup_kept_bytes: usize,
    /// How long a part of a backup may wait to be taken. Meanwhile no other backup can begin.
    pub backup_patience: Duration,
    /// Commands of each [`Share`] of one organization in a second.
    pub commands_per_second: u32,
    /// Commands of each [`Share`] of one organization at once.
    pub command_burst: u32,
}

/// Whose commands count together against an organization's quota. Each has the whole of it, so that none of them can
/// use up another's: a flood of visitors, or a script that runs away, keeps no agent from answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Share {
    /// All visitors.
    Visitors,
    /// All API keys.
    Keys,
    /// All signed-in staff.
    Staff,
}

impl Share {
    /// Of an actor. The daemon's own have none: what they do follows from what others were let do, and must happen.
    pub fn of(actor: &Actor) -> Option<Self> {
        match actor.who {
            Who::Visitor { .. } => Some(Self::Visitors),
            Who::Key { .. } => Some(Self::Keys),
            Who::Agent { .. } => Some(Self::Staff),
            Who::Assistant | Who::Operator { .. } | Who::System => None,
        }
    }

    /// Its name in the metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Visitors => "visitors",
            Self::Keys => "keys",
            Self::Staff => "staff",
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            messages_per_minute: 20,
            message_burst: 10,
            hellos_per_minute: 5,
            conversations_per_minute: 30,
            sign_ins_per_five_minutes: 5,
            sockets_per_address: 100,
            memory_bytes: None,
            backup_kept_bytes: KEPT_BYTES_MAX,
            backup_patience: Duration::from_secs(60),
            // Why these: docs/configuration.md.
            commands_per_second: 200,
            command_burst: 400,
        }
    }
}

/// A rate for each key, and when keys were last forgotten.
struct Keyed<K: Clone + Eq + Hash> {
    rates: RateLimiter<K, DashMapStateStore<K>, DefaultClock>,
    swept: Mutex<Option<Instant>>,
}

impl<K: Clone + Eq + Hash> std::fmt::Debug for Keyed<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyed").field("keys", &self.rates.len()).finish()
    }
}

/// The address a limit counts by: an IPv6 client's whole /64. As bytes, since a number would stand at a multiple of 16
/// in whatever holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address([u8; 16]);

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        let number = match address.to_canonical() {
            IpAddr::V4(address) => u128::from(address.to_bits()),
            IpAddr::V6(address) => address.to_bits() & !u128::from(u64::MAX) | 1 << 32,
        };
        Self(number.to_be_bytes())
    }
}

/// Counts what was asked for.
#[derive(Debug)]
pub struct Limiter {
    messages: Keyed<Uuid>,
    hellos: Keyed<Uuid>,
    conversations: Keyed<Address>,
    sign_ins: Keyed<(Address, [u8; 32])>,
    sign_in_addresses: Keyed<Address>,
    quotas: Keyed<(OrganizationId, Share)>,
}

fn per(count: u32, burst: u32, span: Duration) -> Quota {
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    let each = span / count.max(1);
    Quota::with_period(each).unwrap_or_else(|| Quota::per_second(burst)).allow_burst(burst)
}

impl<K: Clone + Eq + Hash> Keyed<K> {
    fn new(quota: Quota) -> Self {
        Self { rates: RateLimiter::dashmap(quota), swept: Mutex::new(None) }
    }

    fn check(&self, key: &K) -> Result<(), Error> {
        if self.rates.len() >= KEYS_MAX && !self.make_room() {
            return Err(Error::limited("overloaded", "too many clients at once", 1_000));
        }
        self.rates.check_key(key).map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            Error::limited("rate_limited", "too many requests; try again later", wait.max(1))
        })
    }

    /// Forgets keys whose rate has recovered. Going through all of them is dear: a flood must not make it happen
    /// more than once a second.
    fn make_room(&self) -> bool {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if swept.is_none_or(|at| at.elapsed() >= SWEEP_EVERY) {
            self.rates.retain_recent();
            *swept = Some(Instant::now());
        }
        self.rates.len() < KEYS_MAX
    }
}

impl Limiter {
    /// A limiter with these rates.
    pub fn new(limits: &Limits) -> Self {
        let minute = Duration::from_secs(60);
        let messages = per(limits.messages_per_minute, limits.message_burst, minute);
        let hellos = per(limits.hellos_per_minute, limits.hellos_per_minute, minute);
        let started = limits.conversations_per_minute;
        let sign_ins = limits.sign_ins_per_five_minutes;
        let commands =
            per(limits.commands_per_second, limits.command_burst, Duration::from_secs(1));
        Self {
            messages: Keyed::new(messages),
            hellos: Keyed::new(hellos),
            conversations: Keyed::new(per(started, started, minute)),
            sign_ins: Keyed::new(per(sign_ins, sign_ins, minute * 5)),
            sign_in_addresses: {
                let all = sign_ins.saturating_mul(EMAILS_PER_ADDRESS);
                Keyed::new(per(all, all, minute * 5))
            },
            quotas: Keyed::new(commands),
        }
    }

    /// A message of a visitor.
    pub fn message(&self, visitor: Uuid) -> Result<(), Error> {
        self.messages.check(&visitor)
    }

    /// A hello of a visitor session.
    pub fn hello(&self, session: Uuid) -> Result<(), Error> {
        self.hellos.check(&session)
    }

    /// A command of a share of an organization.
    pub fn command(&self, organization: OrganizationId, share: Share) -> Result<(), Error> {
        self.quotas.check(&(organization, share)).map_err(|mut error| {
            if error.code == "rate_limited" {
                error.code = "over_quota";
                let share = share.name();
                error.message =
                    format!("this organization's {share} send too much; try again later");
            }
            error
        })
    }

    /// A new conversation from an address.
    pub fn conversation(&self, address: Address) -> Result<(), Error> {
        self.conversations.check(&address)
    }

    /// A one-time code tried from an address: it has as many tries as for signing in.
    pub fn accept(&self, address: Address) -> Result<(), Error> {
        self.sign_in_addresses.check(&address)
    }

    /// A sign-in attempt: by the address alone, so that changing the e-mail does not help, and by both.
    pub fn sign_in(&self, address: Address, email: &str) -> Result<(), Error> {
        self.sign_in_addresses.check(&address)?;
        self.sign_ins.check(&(address, super::token::hash(email)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{InboxId, KeyId, SessionId, UserId};

    #[test]
    fn a_visitor_over_the_rate_is_told_when_to_come_back() {
        let limiter = Limiter::new(&Limits { message_burst: 2, ..Limits::default() });
        let visitor = Uuid::from_u128(1);
        assert!(limiter.message(visitor).is_ok());
        assert!(limiter.message(visitor).is_ok());
        let refused = limiter.message(visitor).err();
        assert_eq!(refused.as_ref().map(|it| it.code), Some("rate_limited"));
        assert!(refused.and_then(|it| it.retry_after_ms).is_some_and(|ms| ms > 0));
        assert!(limiter.message(Uuid::from_u128(2)).is_ok(), "another visitor is not concerned");
    }

    #[test]
    fn a_flood_of_clients_takes_no_more_room() {
        let limiter = Limiter::new(&Limits::default());
        let flood = |from: u128, count: usize| {
            (from..).take(count).filter(|n| limiter.hello(Uuid::from_u128(*n)).is_ok()).count()
        };
        assert_eq!(flood(0, KEYS_MAX), KEYS_MAX);
        assert_eq!(flood(1 << 64, 100), 0, "all of the others are busy");
        assert_eq!(limiter.hellos.rates.len(), KEYS_MAX);
    }

    #[test]
    fn changing_the_email_does_not_help_an_address() {
        let limiter = Limiter::new(&Limits { sign_ins_per_five_minutes: 1, ..Limits::default() });
        let address = |text: &str| Address::from(text.parse::<IpAddr>().expect("address"));
        let tried = |number: u32| limiter.sign_in(address("10.0.0.1"), &format!("{number}@a.b"));
        assert!((0..EMAILS_PER_ADDRESS).all(|number| tried(number).is_ok()));
        assert!(tried(EMAILS_PER_ADDRESS).is_err());
        assert!(limiter.sign_in(address("10.0.0.2"), "0@a.b").is_ok());
    }

    #[test]
    fn the_shares_of_an_organization_and_other_organizations_have_their_own_quota() {
        let limiter = Limiter::new(&Limits { command_burst: 3, ..Limits::default() });
        let organization = |number| OrganizationId(Uuid::from_u128(number));
        for share in [Share::Visitors, Share::Keys, Share::Staff] {
            let let_in = || limiter.command(organization(1), share);
            assert!((0..3).all(|_| let_in().is_ok()), "{share:?}");
            let refused = let_in().expect_err("more than the burst");
            assert_eq!(refused.code, "over_quota");
            assert!(refused.retry_after_ms.is_some_and(|ms| ms > 0));
            assert!(limiter.command(organization(2), share).is_ok(), "another organization");
        }
    }

    #[test]
    fn what_the_daemon_does_itself_has_no_quota() {
        let actor = |who| Actor {
            organization: OrganizationId::default(),
            who,
            grants: crate::domain::actor::Grants::Internal,
        };
        let (user, session) = (UserId::default(), SessionId::default());
        let shares = [
            (Who::Visitor { user, session, inbox: InboxId::default() }, Some(Share::Visitors)),
            (Who::Key { key: KeyId::default(), owner: user }, Some(Share::Keys)),
            (Who::Agent { user, session }, Some(Share::Staff)),
            (Who::Assistant, None),
            (Who::System, None),
            (Who::Operator { key: KeyId::default() }, None),
        ];
        for (who, share) in shares {
            assert_eq!(Share::of(&actor(who.clone())), share, "{who:?}");
        }
    }

    #[test]
    fn an_ipv6_client_counts_as_its_network() {
        let address = |text: &str| Address::from(text.parse::<IpAddr>().expect("address"));
        assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:1"));
        assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
        assert_eq!(address("::ffff:10.0.0.1"), address("10.0.0.1"));
        assert_ne!(address("10.0.0.1"), address("10.0.0.2"));
    }
}
