//! The bytes of every version of every record ever released. They stay readable for ever: never change a literal, add
//! one for a new version.

use std::fmt::Write as _;

use uuid::Uuid;

use crate::domain::article::{Article, ArticleStatus};
use crate::domain::conversation::{Conversation, Handler, Offer, Resolution, Status};
use crate::domain::decide::Refs;
use crate::domain::entry::{ActorKind, ActorRef, Entry, EntryKind};
use crate::domain::escalation::{Escalation, Outcome};
use crate::domain::id::{
    ArticleId, ClientId, ConversationId, EscalationId, InboxId, KeyId, MessageId, OrganizationId,
    SessionId, UserId,
};
use crate::domain::inbox::{AssistantMode, Inbox, Silences};
use crate::domain::key::Key;
use crate::domain::message::{Message, Note, SenderType, Source, SystemLine};
use crate::domain::organization::Organization;
use crate::domain::priority::Priority;
use crate::domain::session::Session;
use crate::domain::user::{Absence, Availability, Cut, Role, User};

use super::{Daemon, Done, Head, Number, PasswordHash, Pointer, Record};

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

fn id(n: u8) -> Uuid {
    Uuid::from_bytes([n; 16])
}

/// A record as released: these bytes stay readable for ever.
fn golden<R: Record + PartialEq>(record: &R, bytes: &str) {
    let bytes = bytes.replace(char::is_whitespace, "");
    assert_eq!(hex(&record.encode()), bytes, "kind {}", R::KIND);
    let read = R::decode(&unhex(&bytes));
    assert!(read.is_ok_and(|it| it == *record), "kind {} reads its own bytes", R::KIND);
}

fn actor() -> ActorRef {
    ActorRef { kind: ActorKind::Key, user: Some(UserId(id(1))), key: Some(KeyId(id(2))) }
}

#[test]
fn golden_bytes_of_the_journal() {
    golden(&Head { position: 1, floor: 2, time: 3, next_number: 1001 }, "010108011002180320e907");
    let entry = Entry {
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
        digest: Some([10; 32]),
    };
    golden(
        &entry,
        "020108ac0210041a2608041210010101010101010101010101010101011a10020202020202020202\
         0202020202020220172a100303030303030303030303030303030332100404040404040404040404\
         04040404043a1005050505050505050505050505050505400648075008580962037768796a200a0a\
         0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a",
    );
    let refs = Refs {
        conversation: Some(id(1)),
        seq: Some(2),
        position: Some(3),
        subject: Some(id(4)),
        outcome: 1,
    };
    golden(
        &Done { digest: [9; 32], refs },
        "03010a20090909090909090909090909090909090909090909090909090909090909090912100101\
         0101010101010101010101010101180220032a10040404040404040404040404040404043001",
    );
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
}

#[test]
fn golden_bytes_of_the_desk() {
    let (organization, created_at) = (OrganizationId(id(1)), 5);
    let name = "acme".to_owned();
    golden(
        &Organization { id: organization, name, created_at, updated_at: 6 },
        "10010a1001010101010101010101010101010101120461636d6518052006",
    );
    let user = User {
        id: UserId(id(2)),
        organization,
        external_id: Some("x".to_owned()),
        email: Some("a@b".to_owned()),
        name: Some("A".to_owned()),
        role: Role::Agent,
        availability: Availability::Away,
        created_at,
        invited_until: None,
        disabled_at: None,
        absence: None,
        sessions_cut: None,
        keys_cut: None,
    };
    golden(
        &user,
        "11010a10020202020202020202020202020202021210010101010101010101010101010101011a01\
         7822036140622a0141300138024005",
    );
    golden(
        &User { invited_until: Some(6), ..user.clone() },
        "11010a10020202020202020202020202020202021210010101010101010101010101010101011a01\
         7822036140622a01413001380240054806",
    );
    let absence = Some(Absence { from: 8, due: Some(9), turn: 10 });
    let sessions_cut = Some(Cut { position: 11, at: 12 });
    let keys_cut = Some(Cut { position: 13, at: 14 });
    golden(
        &User { disabled_at: Some(7), absence, sessions_cut, keys_cut, ..user },
        "11010a10020202020202020202020202020202021210010101010101010101010101010101011a01\
         7822036140622a014130013802400550075a060808100918\
         0a6204080b100c6a04080d100e",
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
    let key = Key {
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
        &Key { position: 8, parent: Some(KeyId(id(9))), ..key },
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

pub(super) fn conversation() -> Conversation {
    Conversation {
        id: ConversationId(id(1)),
        number: 1001,
        organization: OrganizationId(id(2)),
        inbox: InboxId(id(3)),
        visitor: UserId(id(4)),
        status: Status::Escalated,
        handler: Handler::None,
        assignee: Some(UserId(id(5))),
        assigned_at: Some(6),
        last_agent: Some(UserId(id(7))),
        participants: vec![UserId(id(4)), UserId(id(5))],
        turn: 8,
        waiting_since: Some(9),
        waiting_position: Some(10),
        resolution: Some(Resolution::Visitor),
        resolved_at: Some(11),
        resolved_with: Some(Handler::Assistant),
        reopened_to_assistant: 1,
        locale: "en".to_owned(),
        last_seq: 12,
        last_visitor_seq: 13,
        last_line: "hello".to_owned(),
        line_sender: SenderType::Agent,
        last_sender: SenderType::Agent,
        visitor_mark: 14,
        staff_mark: 15,
        unread: 16,
        clarifications: 17,
        escalation: Some(EscalationId(id(18))),
        assistant_due: Some(19),
        created_at: 20,
        updated_at: 21,
        position: 22,
        rank: 23,
        offer: None,
        silence_due: None,
        silence_noticed: false,
        previous: None,
        tags: Vec::new(),
        priority: Priority::Normal,
        expires_at: None,
        test_notes: 0,
    }
}

const TODAY: &str = "20010a100101010101010101010101010101010110e9071a10020202020202020202020202020202\
    022210030303030303030303030303030303032a1004040404040404040404040404040404300338\
    0342100505050505050505050505050505050548065210070707070707070707070707070707075a\
    10040404040404040404040404040404045a10050505050505050505050505050505056008680970\
    0a780580010b8801019001019a0102656ea0010ca8010db2010568656c6c6fb80102c0010ec8010f\
    d00110d80111e2011012121212121212121212121212121212e80113f00114f80115800216880217\
    9002029a021018181818181818181818181818181818a20210191919191919191919191919191919\
    19a8021ab0021bb80201c202101c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1cca0206726566756e64d002\
    03d8021d";

/// The same with everything that came later.
pub(super) fn conversation_of_today() -> Conversation {
    Conversation {
        offer: Some(Offer { to: UserId(id(24)), from: Some(UserId(id(25))), due: 26 }),
        silence_due: Some(27),
        silence_noticed: true,
        previous: Some(ConversationId(id(28))),
        tags: vec!["refund".to_owned()],
        priority: Priority::Urgent,
        expires_at: Some(29),
        ..conversation()
    }
}

#[test]
fn golden_bytes_of_a_test_with_notes() {
    let noted = Conversation { test_notes: 5, ..conversation_of_today() };
    golden(&noted, &format!("{TODAY}e00205"));
}

#[test]
fn golden_bytes_of_notes() {
    let note = Note {
        id: MessageId(id(1)),
        conversation: ConversationId(id(2)),
        author: Some(UserId(id(3))),
        content: "psst".to_owned(),
        sources: Vec::new(),
        client_id: Some(ClientId([4; 16])),
        created_at: 5,
        position: 6,
    };
    golden(
        &note,
        "22010a10010101010101010101010101010101011210020202020202020202020202020202021a10\
         030303030303030303030303030303032204707373742a1004040404040404040404040404040404\
         30053806",
    );
    let sources = vec![Source { article: ArticleId(id(5)), title: "T".to_owned(), locale: None }];
    golden(
        &Note { author: None, sources, ..note },
        "22010a10010101010101010101010101010101011210020202020202020202020202020202022204\
         707373742a100404040404040404040404040404040430053806\
         42150a1005050505050505050505050505050505120154",
    );
}

#[test]
fn golden_bytes_of_conversations() {
    golden(
        &conversation(),
        "20010a100101010101010101010101010101010110e9071a10020202020202020202020202020202\
         022210030303030303030303030303030303032a1004040404040404040404040404040404300338\
         0342100505050505050505050505050505050548065210070707070707070707070707070707075a\
         10040404040404040404040404040404045a10050505050505050505050505050505056008680970\
         0a780580010b8801019001019a0102656ea0010ca8010db2010568656c6c6fb80102c0010ec8010f\
         d00110d80111e2011012121212121212121212121212121212e80113f00114f80115800216880217\
         900202",
    );
    golden(&conversation_of_today(), TODAY);
    let message = Message {
        id: MessageId(id(1)),
        conversation: ConversationId(id(2)),
        seq: 3,
        sender_type: SenderType::Assistant,
        sender: Some(UserId(id(4))),
        content: "hi".to_owned(),
        sources: vec![Source { article: ArticleId(id(5)), title: "T".to_owned(), locale: None }],
        system: Some(SystemLine {
            code: "claimed".to_owned(),
            params: vec![("user".to_owned(), "x".to_owned())],
        }),
        client_id: Some(ClientId([6; 16])),
        created_at: 7,
        position: 8,
        retracted: false,
        flag: None,
    };
    golden(
        &message,
        "21010a10010101010101010101010101010101011210020202020202020202020202020202021803\
         20032a1004040404040404040404040404040404320268693a150a10050505050505050505050505\
         050505051201544207636c61696d65644a090a047573657212017852100606060606060606060606\
         060606060658076008",
    );
    golden(
        &Message { flag: Some("wrong".to_owned()), ..message.clone() },
        "21010a10010101010101010101010101010101011210020202020202020202020202020202021803\
         20032a1004040404040404040404040404040404320268693a150a10050505050505050505050505\
         050505051201544207636c61696d65644a090a047573657212017852100606060606060606060606\
         060606060658076008720577726f6e67",
    );
    let blank = Message { content: String::new(), sources: Vec::new(), retracted: true, ..message };
    golden(
        &blank,
        "21010a10010101010101010101010101010101011210020202020202020202020202020202021803\
         20032a10040404040404040404040404040404044207636c61696d65644a090a0475736572120178\
         521006060606060606060606060606060606580760086801",
    );
    let escalation = Escalation {
        id: EscalationId(id(1)),
        conversation: ConversationId(id(2)),
        reason: "no_answer".to_owned(),
        by: actor(),
        to: Some(UserId(id(3))),
        created_at: 4,
        claimed_by: Some(UserId(id(5))),
        claimed_at: Some(6),
        ended_at: Some(7),
        outcome: Some(Outcome::Claimed),
    };
    golden(
        &escalation,
        "23010a10010101010101010101010101010101011210020202020202020202020202020202021a09\
         6e6f5f616e73776572222608041210010101010101010101010101010101011a1002020202020202\
         0202020202020202022a100303030303030303030303030303030330043a10050505050505050505\
         05050505050505400648075000",
    );
}
