//! Every record reads what it writes and refuses anything else with an error that says what it is.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Strategy, any, proptest};
use proptest::sample::select;
use uuid::Uuid;

use crate::domain::article::Article;
use crate::domain::conversation::{Conversation, Handler, Resolution, Status};
use crate::domain::decide::Refs;
use crate::domain::entry::{ActorKind, ActorRef, Entry, EntryKind};
use crate::domain::escalation::Escalation;
use crate::domain::id::{
    ArticleId, ClientId, ConversationId, KeyId, MessageId, OrganizationId, UserId,
};
use crate::domain::inbox::Inbox;
use crate::domain::key::Key;
use crate::domain::message::{Message, Note, SenderType, Source, SystemLine};
use crate::domain::organization::Organization;
use crate::domain::session::Session;
use crate::domain::user::User;
use crate::store::table;

use super::golden_chat_test::{conversation, conversation_key, conversation_of_today};
use super::{
    Daemon, Did, Done, Head, Migration, Number, PasswordHash, Pointer, Record, RecordError,
};

#[test]
fn what_is_no_row_of_the_kind_is_refused() {
    let good = Number(75).encode();
    let check = |bytes: &[u8], expected: &str| {
        let refused =
            Number::decode(b"", &Bytes::copy_from_slice(bytes)).err().map(|it| it.to_string());
        assert_eq!(refused.as_deref(), Some(expected), "{bytes:?}");
    };
    check(&[], "row of kind 6 is damaged: too short; restore it from a backup");
    check(&good[..1], "row of kind 6 is damaged: too short; restore it from a backup");
    check(&[6, 0], "row of kind 6 is damaged: there is no version 0; restore it from a backup");
    check(&[7, 1], "expected a row of kind 6, found 7");
    check(&[0, 1], "expected a row of kind 6, found 0");
    check(&[6, 2, 8], "row of kind 6 has version 2; this daemon knows up to 1");
    for rest in [&[0x08][..], &[0x08, 0xff], &[0x0a, 0x05, 0x01], &[0x07], &[0xff; 12]] {
        let bytes = Bytes::from([&good[..2], rest].concat());
        let refused = Number::decode(b"", &bytes);
        assert!(matches!(refused, Err(RecordError::Damaged { kind: 6, .. })), "{bytes:?}");
    }
}

/// A row whose field no enumeration or id of this version can be is damage, not a default.
#[test]
fn values_out_of_range_are_damage() {
    let damaged = |record: Vec<u8>| {
        let refused = Conversation::decode(&conversation_key(), &record);
        assert!(matches!(refused, Err(RecordError::Damaged { kind: 32, .. })), "{refused:?}");
    };
    let bytes = conversation().encode().to_vec();
    damaged(vec![32, 1]);
    damaged(vec![32, 2]);
    // Later fields of the same number win: status 4, handler 9, last sender 0, an id of one byte.
    for tail in [&[0x30, 4][..], &[0x38, 9], &[0xb8, 0x01, 0], &[0x22, 1, 1]] {
        damaged([&bytes, tail].concat());
    }
}

#[test]
fn kinds_are_told_apart() {
    let mut kinds = [
        Head::KIND,
        Entry::KIND,
        Done::KIND,
        Daemon::KIND,
        Pointer::KIND,
        Number::KIND,
        PasswordHash::KIND,
        Migration::KIND,
        Organization::KIND,
        User::KIND,
        Inbox::KIND,
        Key::KIND,
        Session::KIND,
        Article::KIND,
        Conversation::KIND,
        Message::KIND,
        Note::KIND,
        Escalation::KIND,
    ];
    kinds.sort_unstable();
    assert!(kinds.windows(2).all(|pair| pair[0] < pair[1]));
}

fn uuids() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn actors() -> impl Strategy<Value = ActorRef> {
    let kinds = select(vec![
        ActorKind::Visitor,
        ActorKind::Agent,
        ActorKind::Assistant,
        ActorKind::Key,
        ActorKind::Operator,
        ActorKind::System,
    ]);
    (kinds, option::of(uuids()), option::of(uuids())).prop_map(|(kind, user, key)| ActorRef {
        kind,
        user: user.map(UserId),
        key: key.map(KeyId),
    })
}

fn entries() -> impl Strategy<Value = Entry> {
    let ids = (option::of(uuids()), option::of(uuids()), option::of(uuids()));
    let numbers = (any::<u64>(), any::<i64>(), option::of(any::<u64>()), option::of(any::<u64>()));
    let rest = (
        any::<u32>(),
        option::of(any::<i64>()),
        option::of(any::<String>()),
        option::of(any::<[u8; 16]>()),
    );
    let kinds = select(EntryKind::ALL.to_vec());
    (kinds, actors(), ids, numbers, rest).prop_map(|(kind, actor, ids, numbers, rest)| Entry {
        position: numbers.0,
        time: numbers.1,
        actor,
        kind,
        conversation: ids.0.map(ConversationId),
        subject: ids.1,
        other: ids.2,
        seq: numbers.2,
        number: numbers.3,
        code: rest.0,
        due: rest.1,
        detail: rest.2,
        digest: rest.3,
    })
}

fn messages() -> impl Strategy<Value = Message> {
    let senders = select(vec![
        SenderType::User,
        SenderType::Agent,
        SenderType::Assistant,
        SenderType::System,
    ]);
    let params = vec((any::<String>(), any::<String>()), 0..3);
    let system = option::of((any::<String>(), params));
    let sources = vec((uuids(), any::<String>()), 0..3);
    let numbers = (any::<u64>(), any::<i64>(), any::<u64>());
    let ids = (uuids(), uuids(), option::of(uuids()), option::of(any::<[u8; 16]>()));
    (ids, numbers, senders, any::<String>(), sources, system).prop_map(
        |(ids, numbers, sender_type, content, sources, system)| Message {
            id: MessageId(ids.0),
            conversation: ConversationId(ids.1),
            seq: numbers.0,
            sender_type,
            sender: ids.2.map(UserId),
            content,
            sources: sources
                .into_iter()
                .map(|(article, title)| Source {
                    article: ArticleId(article),
                    locale: (title.len() % 2 == 1).then(|| "de".to_owned()),
                    title,
                })
                .collect(),
            system: system.map(|(code, params)| SystemLine { code, params }),
            client_id: ids.3.map(ClientId),
            created_at: numbers.1,
            position: numbers.2,
            retracted: numbers.0 % 2 == 0,
            flag: (numbers.0 % 3 == 0).then(|| "wrong".to_owned()),
        },
    )
}

fn conversations() -> impl Strategy<Value = Conversation> {
    let statuses = select(vec![Status::Open, Status::Resolved, Status::Escalated]);
    let handlers = select(vec![Handler::Assistant, Handler::Agent, Handler::None]);
    let numbers = any::<[u64; 8]>();
    let people = (vec(uuids(), 0..4), option::of(uuids()), option::of(uuids()));
    let times = any::<[Option<i64>; 4]>();
    (statuses, handlers, numbers, people, times, any::<String>()).prop_map(
        |(status, handler, numbers, people, times, text)| Conversation {
            number: numbers[0],
            status,
            handler,
            assignee: people.1.map(UserId),
            assigned_at: times[0],
            last_agent: people.2.map(UserId),
            participants: people.0.into_iter().map(UserId).collect(),
            turn: numbers[1],
            waiting_since: times[1],
            waiting_position: times[1].map(i64::unsigned_abs),
            resolution: times[2].map(|_| Resolution::Spam),
            resolved_at: times[2],
            resolved_with: times[2].map(|_| handler),
            last_seq: numbers[2],
            last_visitor_seq: numbers[3],
            last_line: text.clone(),
            locale: text,
            visitor_mark: numbers[4],
            staff_mark: numbers[5],
            assistant_due: times[3],
            position: numbers[6],
            rank: numbers[7],
            silence_due: times[1],
            expires_at: times[2],
            test_notes: numbers[6],
            ..conversation_of_today()
        },
    )
}

fn round_trip<R: Record + PartialEq + std::fmt::Debug>(key: &[u8], record: &R) {
    assert_eq!(R::decode(key, &record.encode()).as_ref(), Ok(record));
}

proptest! {
    #[test]
    fn entries_read_what_they_write(entry in entries()) {
        let key = table::entry(OrganizationId::default(), entry.position);
        round_trip(&key, &entry);
    }

    #[test]
    fn messages_read_what_they_write(message in messages()) {
        let of = OrganizationId::default();
        round_trip(&table::message(of, message.conversation, message.seq), &message);
    }

    #[test]
    fn conversations_read_what_they_write(conversation in conversations()) {
        let key = table::conversation(conversation.organization, conversation.id);
        round_trip(&key, &conversation);
    }

    #[test]
    fn small_records_read_what_they_write(
        numbers in any::<[u64; 3]>(), time in any::<i64>(), ids in any::<[u128; 2]>(),
        hash in any::<[u8; 32]>(), secret in any::<Option<[u8; 32]>>(), text in any::<String>(),
    ) {
        let [position, floor, next_number] = numbers;
        let ids = ids.map(Uuid::from_u128);
        round_trip(b"", &Head { position, floor, time, next_number });
        round_trip(b"", &Number(position));
        let next = ids[0].as_bytes().to_vec().into();
        round_trip(b"", &Migration { from: 3, next });
        let refs = Refs {
            conversation: Some(ids[0]),
            seq: secret.map(|_| floor),
            position: None,
            subject: Some(ids[1]),
            outcome: 3,
        };
        round_trip(b"", &Done::new(hash, Did::These(refs)));
        round_trip(b"", &Done::new(hash, Did::Entry(position)));
        let pointer = Pointer { organization: OrganizationId(ids[0]), subject: ids[1], secret };
        assert!(Pointer::decode(b"", &pointer.encode()).is_ok_and(|it| it == pointer));
        let phc = PasswordHash(text);
        assert!(PasswordHash::decode(b"", &phc.encode()).is_ok_and(|it| it == phc));
    }

    #[test]
    fn any_bytes_are_a_row_or_an_error(bytes in vec(any::<u8>(), 0..200)) {
        // Neither may panic, and a row that is read writes itself again.
        let _ = Number::decode(b"", &bytes);
        let key = [7; 41];
        let of = |kind: u8| Bytes::from([&[kind, 1], bytes.as_slice()].concat());
        let _ = Entry::decode(&key, &of(Entry::KIND));
        let _ = Message::decode(&key, &of(Message::KIND));
        let _ = Conversation::decode(&key, &of(Conversation::KIND));
    }

    #[test]
    fn a_cut_row_is_refused_or_says_less(cut in 2..400_usize) {
        let bytes = conversation().encode();
        let cut = cut.min(bytes.len() - 1);
        let read = Conversation::decode(&conversation_key(), &bytes.slice(..cut));
        assert!(read.is_err() || read.is_ok_and(|it| it != conversation()));
    }
}
