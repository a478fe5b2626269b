//! The bytes of every record in its newest version. Once released they stay readable for ever: never change a literal,
//! add one for a new version, and keep the old one in a file such as `first_test`.

use bytes::Bytes;
use std::fmt::Write as _;

use uuid::Uuid;

use crate::domain::article::{Article, ArticleStatus};
use crate::domain::decide::Refs;
use crate::domain::entry::{ActorKind, ActorRef, Entry, EntryKind};
use crate::domain::id::{
    ArticleId, ConversationId, InboxId, KeyId, MessageId, OrganizationId, SessionId, UserId,
};
use crate::domain::inbox::{AssistantMode, Inbox, Silences};
use crate::domain::key::Key as ApiKey;
use crate::domain::organization::Organization;
use crate::domain::session::Session;
use crate::domain::user::{Absence, Availability, Cut, Role, User};
use crate::store::{Key, table};

use super::{Daemon, Did, Done, Head, Migration, Number, PasswordHash, Pointer, Record};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all");
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(digit).collect()
}

pub(super) fn id(n: u8) -> Uuid {
    Uuid::from_bytes([n; 16])
}

/// A record as released: these bytes stay readable for ever.
pub(super) fn golden<R: Record + PartialEq>(record: &R, bytes: &str) {
    golden_under(b"", record, bytes);
}

/// The same of a record whose key says a part of it.
pub(super) fn golden_under<R: Record + PartialEq>(key: &[u8], record: &R, bytes: &str) {
    let bytes = bytes.replace(char::is_whitespace, "");
    assert_eq!(hex(&record.encode()), bytes, "kind {}", R::KIND);
    reads(key, record, &bytes);
}

/// Bytes of any version.
pub(super) fn reads<R: Record + PartialEq>(key: &[u8], record: &R, bytes: &str) {
    let bytes = Bytes::from(unhex(&bytes.replace(char::is_whitespace, "")));
    let read = R::decode(key, &bytes);
    assert!(read.is_ok_and(|it| it == *record), "kind {} version {}", R::KIND, bytes[1]);
}

pub(super) fn actor() -> ActorRef {
    ActorRef { kind: ActorKind::Key, user: Some(UserId(id(1))), key: Some(KeyId(id(2))) }
}

pub(super) fn entry_key() -> Key {
    table::entry(OrganizationId(id(9)), 300)
}

pub(super) fn user_key() -> Key {
    table::user(OrganizationId(id(1)), UserId(id(2)))
}

pub(super) fn entry() -> Entry {
    Entry {
        position: 300,
        time: 4,
        actor: actor(),
        kind: EntryKind::Escalated,
        conversation: Some(ConversationId(id(3))),
        subject: Some(id(4)),
        other: Some(id(5)),
        seq: Some(6),
        number: Some(7),
        code: 8,
        due: Some(9),
        detail: Some("why".to_owned()),
        digest: Some([10; 16]),
    }
}

pub(super) fn refs() -> Refs {
    Refs {
        conversation: Some(id(1)),
        seq: Some(2),
        position: Some(3),
        subject: Some(id(4)),
        outcome: 1,
    }
}

#[test]
fn golden_bytes_of_the_journal() {
    golden(&Head { position: 1, floor: 2, time: 3, next_number: 1001 }, "010108011002180320e907");
    golden_under(
        &entry_key(),
        &entry(),
        "020210041a2608041210010101010101010101010101010101011a10020202020202020202020202\
         0202020220172a100303030303030303030303030303030332100404040404040404040404040404\
         04043a1005050505050505050505050505050505400648075008580962037768796a100a0a0a0a0a\
         0a0a0a0a0a0a0a0a0a0a0a",
    );
    let own = MessageId::of_message(ConversationId(id(3)), 6);
    golden_under(
        &entry_key(),
        &Entry { subject: Some(own.0), other: Some(id(1)), ..entry() },
        "020210041a2608041210010101010101010101010101010101011a10020202020202020202020202\
         0202020220172a1003030303030303030303030303030303400648075008580962037768796a100a\
         0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a7003",
    );
    golden(
        &Done::new([9; 32], Did::These(refs())),
        "03020a080909090909090909121001010101010101010101010101010101180220032a1004040404\
         0404040404040404040404043001",
    );
    golden(&Done::new([9; 32], Did::Entry(300)), "03020a08090909090909090938ac02");
    golden(
        &Daemon { epoch: id(1), secret: [2; 32] },
        "04010a10010101010101010101010101010101011220020202020202020202020202020202020202\
         0202020202020202020202020202",
    );
    let organization = OrganizationId(id(1));
    golden(
        &Pointer { organization, subject: id(2), secret: Some([3; 32]) },
        "05010a10010101010101010101010101010101011210020202020202020202020202020202021a20\
         0303030303030303030303030303030303030303030303030303030303030303",
    );
    golden(&Number(75), "0601084b");
    golden(&PasswordHash("$argon2id$".to_owned()), "07010a0a246172676f6e32696424");
    golden(&Migration { from: 1, next: Key::from_static(b"\x02next") }, "080108011205026e657874");
}

/// Users as they were stored at first, with an invitation, and with all that came later.
pub(super) fn users() -> [User; 3] {
    let user = User {
        id: UserId(id(2)),
        organization: OrganizationId(id(1)),
        external_id: Some("x".to_owned()),
        email: Some("a@b".to_owned()),
        name: Some("A".to_owned()),
        role: Role::Agent,
        availability: Availability::Away,
        created_at: 5,
        invited_until: None,
        disabled_at: None,
        absence: None,
        sessions_cut: None,
        keys_cut: None,
    };
    let invited = User { invited_until: Some(6), ..user.clone() };
    let absence = Some(Absence { from: 8, due: Some(9), turn: 10 });
    let sessions_cut = Some(Cut { position: 11, at: 12 });
    let keys_cut = Some(Cut { position: 13, at: 14 });
    let later = User { disabled_at: Some(7), absence, sessions_cut, keys_cut, ..user.clone() };
    [user, invited, later]
}

#[test]
fn golden_bytes_of_the_desk() {
    let (organization, created_at) = (OrganizationId(id(1)), 5);
    let name = "acme".to_owned();
    golden(
        &Organization { id: organization, name, created_at, updated_at: 6 },
        "10010a1001010101010101010101010101010101120461636d6518052006",
    );
    let [user, invited, later] = users();
    golden_under(&user_key(), &user, "11021a017822036140622a0141300138024005");
    golden_under(&user_key(), &invited, "11021a017822036140622a01413001380240054806");
    golden_under(
        &user_key(),
        &later,
        "11021a017822036140622a014130013802400550075a0608081009180a6204080b100c6a04080d10\
         0e",
    );
}

#[test]
fn golden_bytes_of_inboxes() {
    let (organization, created_at) = (OrganizationId(id(1)), 5);
    let inbox = Inbox {
        id: InboxId(id(3)),
        organization,
        name: "web".to_owned(),
        origins: vec!["https://a".to_owned()],
        assistant: AssistantMode::Off,
        locale: "en".to_owned(),
        created_at,
        members: Vec::new(),
        silences: Silences::default(),
    };
    golden(
        &inbox,
        "12010a10030303030303030303030303030303031210010101010101010101010101010101011a03\
         776562220968747470733a2f2f6128013202656e3805",
    );
    golden(
        &Inbox { members: vec![UserId(id(2))], ..inbox.clone() },
        "12010a10030303030303030303030303030303031210010101010101010101010101010101011a03\
         776562220968747470733a2f2f6128013202656e3805421002020202020202020202020202020202",
    );
    golden(
        &Inbox { assistant: AssistantMode::DraftOnly, ..inbox.clone() },
        "12010a10030303030303030303030303030303031210010101010101010101010101010101011a03\
         776562220968747470733a2f2f6128023202656e3805",
    );
    let silences =
        Silences { abandon_ms: Some(1_000), notice_ms: Some(2_000), no_reply_ms: Some(3_000) };
    golden(
        &Inbox { silences, ..inbox },
        "12010a10030303030303030303030303030303031210010101010101010101010101010101011a03\
         776562220968747470733a2f2f6128013202656e380548e80750d00f58b817",
    );
}

#[test]
fn golden_bytes_of_credentials_and_articles() {
    let (organization, created_at) = (OrganizationId(id(1)), 5);
    let key = ApiKey {
        id: KeyId(id(4)),
        organization,
        name: "ci".to_owned(),
        scopes: vec!["*".to_owned()],
        owner: Some(UserId(id(2))),
        created_at,
        expires_at: Some(6),
        revoked_at: Some(7),
        position: 0,
        parent: None,
    };
    golden(
        &key,
        "13010a10040404040404040404040404040404041210010101010101010101010101010101011a02\
         636922012a2a1002020202020202020202020202020202300538064007",
    );
    golden(
        &ApiKey { position: 8, parent: Some(KeyId(id(9))), ..key },
        "13010a10040404040404040404040404040404041210010101010101010101010101010101011a02\
         636922012a2a1002020202020202020202020202020202300538064007480852100909090909090909\
         0909090909090909",
    );
    let session = Session {
        id: SessionId(id(5)),
        user: UserId(id(2)),
        inbox: Some(InboxId(id(3))),
        origin: Some("https://a".to_owned()),
        created_at,
        expires_at: 6,
        ended_at: Some(7),
        position: 0,
    };
    golden(
        &session,
        "14010a10050505050505050505050505050505051210020202020202020202020202020202021a10\
         03030303030303030303030303030303220968747470733a2f2f61280530063807",
    );
    golden(
        &Session { position: 8, ..session },
        "14010a10050505050505050505050505050505051210020202020202020202020202020202021a10\
         03030303030303030303030303030303220968747470733a2f2f612805300638074008",
    );
    let article = Article {
        id: ArticleId(id(6)),
        organization,
        inboxes: vec![InboxId(id(3))],
        status: ArticleStatus::Published,
        locale: "en".to_owned(),
        title: "T".to_owned(),
        body: "B".to_owned(),
        source_path: Some("a.md".to_owned()),
        updated_at: 8,
    };
    golden(
        &article,
        "15010a10060606060606060606060606060606061210010101010101010101010101010101011a10\
         0303030303030303030303030303030320012a02656e3201543a01424204612e6d644808",
    );
}
