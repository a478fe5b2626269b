//! The golden bytes of conversations and what is said in them: see `golden_test`.

use crate::domain::conversation::{Conversation, Handler, Offer, Resolution, Status};
use crate::domain::escalation::{Escalation, Outcome};
use crate::domain::id::{
    ArticleId, ClientId, ConversationId, EscalationId, InboxId, MessageId, OrganizationId, UserId,
};
use crate::domain::message::{Message, Note, SenderType, Source, SystemLine};
use crate::domain::priority::Priority;
use crate::store::{Key, table};

use super::golden_test::{actor, golden, golden_under, id};

pub(super) fn message_key() -> Key {
    table::message(OrganizationId(id(9)), ConversationId(id(2)), 3)
}

pub(super) fn note_key() -> Key {
    table::note(OrganizationId(id(9)), ConversationId(id(2)), 6)
}

pub(super) fn conversation_key() -> Key {
    table::conversation(OrganizationId(id(2)), ConversationId(id(1)))
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
fn golden_bytes_of_conversations() {
    let key = conversation_key();
    golden_under(
        &key,
        &conversation(),
        "200210e9072210030303030303030303030303030303032a10040404040404040404040404040404\
         04300338034210050505050505050505050505050505054806521007070707070707070707070707\
         0707075a10040404040404040404040404040404045a100505050505050505050505050505050560\
         086809700a780580010b8801019001019a0102656ea0010ca8010db2010568656c6c6fb80102c001\
         0ec8010fd00110d80111e2011012121212121212121212121212121212e80113f00114f801158002\
         16880217900202",
    );
    golden_under(
        &key,
        &conversation_of_today(),
        "200210e9072210030303030303030303030303030303032a10040404040404040404040404040404\
         04300338034210050505050505050505050505050505054806521007070707070707070707070707\
         0707075a10040404040404040404040404040404045a100505050505050505050505050505050560\
         086809700a780580010b8801019001019a0102656ea0010ca8010db2010568656c6c6fb80102c001\
         0ec8010fd00110d80111e2011012121212121212121212121212121212e80113f00114f801158002\
         168802179002029a021018181818181818181818181818181818a202101919191919191919191919\
         1919191919a8021ab0021bb80201c202101c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1cca020672656675\
         6e64d00203d8021d",
    );
    let noted = Conversation { test_notes: 5, ..conversation_of_today() };
    golden_under(
        &key,
        &noted,
        "200210e9072210030303030303030303030303030303032a10040404040404040404040404040404\
         04300338034210050505050505050505050505050505054806521007070707070707070707070707\
         0707075a10040404040404040404040404040404045a100505050505050505050505050505050560\
         086809700a780580010b8801019001019a0102656ea0010ca8010db2010568656c6c6fb80102c001\
         0ec8010fd00110d80111e2011012121212121212121212121212121212e80113f00114f801158002\
         168802179002029a021018181818181818181818181818181818a202101919191919191919191919\
         1919191919a8021ab0021bb80201c202101c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1cca020672656675\
         6e64d00203d8021de00205",
    );
}

/// A note of an agent, and a draft.
pub(super) fn notes() -> [Note; 2] {
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
    let sources = vec![Source { article: ArticleId(id(5)), title: "T".to_owned(), locale: None }];
    [note.clone(), Note { author: None, sources, ..note }]
}

#[test]
fn golden_bytes_of_notes() {
    let [note, draft] = notes();
    golden_under(
        &note_key(),
        &note,
        "22020a10010101010101010101010101010101011a10030303030303030303030303030303032204\
         707373742a10040404040404040404040404040404043005",
    );
    golden_under(
        &note_key(),
        &draft,
        "22020a10010101010101010101010101010101012204707373742a10040404040404040404040404\
         04040404300542150a1005050505050505050505050505050505120154",
    );
    let own = MessageId::of_note(note.conversation, note.position);
    golden_under(
        &note_key(),
        &Note { id: own, ..note },
        "22021a10030303030303030303030303030303032204707373742a10040404040404040404040404\
         040404043005",
    );
}

/// A message with everything, one that is flagged, and one that was taken back.
pub(super) fn messages() -> [Message; 3] {
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
    let flagged = Message { flag: Some("wrong".to_owned()), ..message.clone() };
    let (content, sources) = (String::new(), Vec::new());
    let blank = Message { content, sources, retracted: true, ..message.clone() };
    [message, flagged, blank]
}

#[test]
fn golden_bytes_of_messages() {
    let [message, flagged, blank] = messages();
    golden_under(
        &message_key(),
        &message,
        "21020a100101010101010101010101010101010120032a1004040404040404040404040404040404\
         320268693a150a10050505050505050505050505050505051201544207636c61696d65644a090a04\
         7573657212017852100606060606060606060606060606060658076008",
    );
    golden_under(
        &message_key(),
        &flagged,
        "21020a100101010101010101010101010101010120032a1004040404040404040404040404040404\
         320268693a150a10050505050505050505050505050505051201544207636c61696d65644a090a04\
         7573657212017852100606060606060606060606060606060658076008720577726f6e67",
    );
    golden_under(
        &message_key(),
        &blank,
        "21020a100101010101010101010101010101010120032a1004040404040404040404040404040404\
         4207636c61696d65644a090a04757365721201785210060606060606060606060606060606065807\
         60086801",
    );
    let own = MessageId::of_message(message.conversation, message.seq);
    golden_under(
        &message_key(),
        &Message { id: own, ..message },
        "210220032a1004040404040404040404040404040404320268693a150a1005050505050505050505\
         0505050505051201544207636c61696d65644a090a04757365721201785210060606060606060606\
         0606060606060658076008",
    );
}

#[test]
fn golden_bytes_of_escalations() {
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
