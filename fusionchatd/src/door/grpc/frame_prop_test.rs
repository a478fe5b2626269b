//! Frames that we write ourselves: byte for byte what the library makes of the same message, whoever else is sent it,
//! and what is shared is not made again.

use std::sync::Arc;

use fusionchat_proto::v1;
use fusionchat_proto::v1::watch_response::Frame;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use prost::Message as _;
use uuid::Uuid;

use crate::domain::conversation::{Conversation, Handler, Offer, Resolution, Status};
use crate::domain::entry::{ActorKind, ActorRef, Entry, EntryKind};
use crate::domain::escalation::{Escalation, Outcome};
use crate::domain::id::{
    ArticleId, ClientId, ConversationId, EscalationId, InboxId, KeyId, MessageId, OrganizationId,
    UserId,
};
use crate::domain::message::{Message, Note, SenderType, Source, SystemLine};
use crate::domain::priority::Priority;
use crate::domain::user::{Availability, Role, User};
use crate::service::subscribe::Cursor;
use crate::service::view::{
    Change, ConversationView, EscalationView, MessageView, NoteView, Written,
};

use super::{frame, wire};

/// The frame as the messages of the protocol, for the library to encode.
fn model(change: &Change, at: Cursor, prev: u64, public_url: &str) -> v1::WatchResponse {
    let entry = &change.entry;
    let reason =
        if entry.kind == EntryKind::ConversationStarted { None } else { entry.detail.clone() };
    let change = v1::Change {
        cursor: Some(wire::cursor(at)),
        prev,
        time: entry.time,
        actor: Some(wire::actor(&entry.actor, &change.actor_name)),
        kind: entry.kind.name().to_owned(),
        reason: reason.unwrap_or_default(),
        conversation: change.conversation.as_deref().map(wire::conversation),
        message: change.message.as_ref().map(|it| wire::message(it, public_url)),
        note: change.note.as_deref().map(|it| wire::note(it, public_url)),
        escalation: change.escalation.as_deref().map(wire::escalation),
        user: change.user.as_deref().map(wire::user),
    };
    v1::WatchResponse { frame: Some(Frame::Change(change)) }
}

/// Where a frame is written: its place, the one before it, and the address of the articles.
#[derive(Clone, Debug)]
struct Place {
    at: Cursor,
    prev: u64,
    public_url: String,
}

fn written(change: &Change, place: &Place) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::write(&mut bytes, change, place.at, place.prev, &place.public_url);
    bytes
}

/// Writes it and holds it to the model, in bytes and as it is read.
fn check(change: &Change, place: &Place) -> Result<(), TestCaseError> {
    let model = model(change, place.at, place.prev, &place.public_url);
    let bytes = written(change, place);
    prop_assert_eq!(&v1::WatchResponse::decode(bytes.as_slice()).expect("a frame"), &model);
    let line = change.message.as_ref().and_then(|it| it.message.system.as_ref());
    // The library writes several parameters in any order.
    if line.is_none_or(|it| it.params.len() < 2) {
        prop_assert_eq!(bytes, model.encode_to_vec());
    }
    Ok(())
}

/// Whether an address is in it, which may be set anew.
fn names_articles(change: &Change) -> bool {
    change.message.as_ref().is_some_and(|it| !it.message.sources.is_empty())
        || change.note.as_ref().is_some_and(|it| !it.note.sources.is_empty())
}

/// Where what is kept stands.
fn kept_at(written: &Written) -> Option<*const u8> {
    written.kept().map(<[u8]>::as_ptr)
}

fn id() -> BoxedStrategy<Uuid> {
    prop_oneof![1 => Just(Uuid::nil()), 9 => any::<u128>().prop_map(Uuid::from_u128)].boxed()
}

fn text() -> BoxedStrategy<String> {
    prop_oneof![
        Just(String::new()),
        "\\PC{1,12}",
        (1..9_000_usize).prop_map(|length| "é".repeat(length)),
        (90..150_usize).prop_map(|length| "x".repeat(length)),
    ]
    .boxed()
}

fn number() -> BoxedStrategy<u64> {
    prop_oneof![Just(0), 0..300_u64, any::<u64>()].boxed()
}

fn time() -> BoxedStrategy<i64> {
    prop_oneof![Just(0), -5..5_i64, any::<i64>()].boxed()
}

fn sender_type() -> BoxedStrategy<SenderType> {
    select(vec![SenderType::User, SenderType::Agent, SenderType::Assistant, SenderType::System])
        .boxed()
}

fn actor() -> BoxedStrategy<ActorRef> {
    let kinds = vec![
        ActorKind::Visitor,
        ActorKind::Agent,
        ActorKind::Assistant,
        ActorKind::Key,
        ActorKind::Operator,
        ActorKind::System,
    ];
    (select(kinds), option::of(id()), option::of(id()))
        .prop_map(|(kind, user, key)| ActorRef {
            kind,
            user: user.map(UserId),
            key: key.map(KeyId),
        })
        .boxed()
}

fn entry() -> BoxedStrategy<Entry> {
    let rest = (time(), option::of(text()), number());
    (select(EntryKind::ALL.to_vec()), actor(), rest)
        .prop_map(|(kind, actor, rest)| {
            let (time, detail, position) = rest;
            Entry {
                position,
                time,
                actor,
                kind,
                conversation: None,
                subject: None,
                other: None,
                seq: None,
                number: None,
                code: 0,
                due: None,
                detail,
                digest: None,
            }
        })
        .boxed()
}

fn sources() -> BoxedStrategy<Vec<Source>> {
    let source = (id(), text(), option::of(text()));
    let source = source.prop_map(|(article, title, locale)| Source {
        article: ArticleId(article),
        title,
        locale,
    });
    vec(source, 0..3).boxed()
}

fn line() -> BoxedStrategy<SystemLine> {
    let params = vec((text(), text()), 0..4);
    (text(), params).prop_map(|(code, params)| SystemLine { code, params }).boxed()
}

fn message() -> BoxedStrategy<MessageView> {
    let ids = (id(), id(), option::of(id()), option::of(any::<[u8; 16]>()));
    let texts = (text(), text(), option::of(text()));
    let numbers = (number(), time(), number(), any::<bool>());
    let parts = (sender_type(), sources(), option::of(line()));
    (ids, texts, numbers, parts)
        .prop_map(|(ids, texts, numbers, parts)| MessageView {
            message: Message {
                id: MessageId(ids.0),
                conversation: ConversationId(ids.1),
                seq: numbers.0,
                sender_type: parts.0,
                sender: ids.2.map(UserId),
                content: texts.0,
                sources: parts.1,
                system: parts.2,
                client_id: ids.3.map(ClientId),
                created_at: numbers.1,
                position: numbers.2,
                retracted: numbers.3,
                flag: texts.2,
            },
            sender_name: texts.1,
        })
        .boxed()
}

fn note() -> BoxedStrategy<NoteView> {
    let ids = (id(), id(), option::of(id()), option::of(any::<[u8; 16]>()));
    (ids, text(), text(), sources(), time(), number())
        .prop_map(|(ids, content, author_name, sources, created_at, position)| NoteView {
            note: Note {
                id: MessageId(ids.0),
                conversation: ConversationId(ids.1),
                author: ids.2.map(UserId),
                content,
                sources,
                client_id: ids.3.map(ClientId),
                created_at,
                position,
            },
            author_name,
        })
        .boxed()
}

fn escalation() -> BoxedStrategy<EscalationView> {
    let ids = (id(), id(), option::of(id()), option::of(id()));
    let times = (time(), option::of(time()), option::of(time()));
    let outcomes = vec![Outcome::Claimed, Outcome::Returned, Outcome::Resolved, Outcome::Abandoned];
    let outcome = option::of(select(outcomes));
    (ids, actor(), times, outcome, number(), (text(), text(), text()))
        .prop_map(|(ids, by, times, outcome, number, texts)| EscalationView {
            escalation: Escalation {
                id: EscalationId(ids.0),
                conversation: ConversationId(ids.1),
                reason: texts.0,
                by,
                to: ids.2.map(UserId),
                created_at: times.0,
                claimed_by: ids.3.map(UserId),
                claimed_at: times.1,
                ended_at: times.2,
                outcome,
            },
            number,
            by_name: texts.1,
            to_name: texts.2,
        })
        .boxed()
}

fn user() -> BoxedStrategy<User> {
    let role = select(vec![Role::Admin, Role::Agent, Role::User]);
    let all = vec![Availability::Accepting, Availability::Busy, Availability::Away];
    let texts = (option::of(text()), option::of(text()), option::of(text()));
    let times = (time(), option::of(time()), option::of(time()));
    (id(), id(), texts, role, select(all), times)
        .prop_map(|(id, organization, texts, role, availability, times)| User {
            id: UserId(id),
            organization: OrganizationId(organization),
            external_id: texts.0,
            email: texts.1,
            name: texts.2,
            role,
            availability,
            created_at: times.0,
            invited_until: times.1,
            disabled_at: times.2,
            absence: None,
            sessions_cut: None,
            keys_cut: None,
        })
        .boxed()
}

prop_compose! {
    fn header()(
        ids in [id(), id(), id(), id()],
        people in [option::of(id()), option::of(id())],
        times in [option::of(time()), option::of(time()), option::of(time())],
        at in [time(), time()],
        numbers in [number(), number(), number(), number(), number(), number(), number()],
        participants in vec(id(), 0..3),
        texts in [text(), text()],
        tags in vec(text(), 0..3),
        status in select(vec![Status::Open, Status::Resolved, Status::Escalated]),
        handler in select(vec![Handler::Assistant, Handler::Agent, Handler::None]),
        resolution in option::of(select(vec![Resolution::Agent, Resolution::NoReply])),
        (line_sender, priority) in (sender_type(), select(vec![Priority::Normal, Priority::Urgent])),
    ) -> Conversation {
        let ([id, organization, inbox, visitor], [assignee, last_agent]) = (ids, people);
        let ([assigned_at, waiting_since, expires_at], [locale, last_line]) = (times, texts);
        let [number, turn, last_seq, visitor_mark, staff_mark, position, unread] = numbers;
        Conversation {
            id: ConversationId(id),
            number,
            organization: OrganizationId(organization),
            inbox: InboxId(inbox),
            visitor: UserId(visitor),
            status,
            handler,
            assignee: assignee.map(UserId),
            assigned_at,
            last_agent: last_agent.map(UserId),
            participants: participants.into_iter().map(UserId).collect(),
            turn,
            waiting_since,
            waiting_position: None,
            resolution,
            resolved_at: None,
            resolved_with: None,
            reopened_to_assistant: 0,
            locale,
            last_seq,
            last_visitor_seq: 0,
            last_line,
            line_sender,
            last_sender: line_sender,
            visitor_mark,
            staff_mark,
            unread,
            clarifications: 0,
            escalation: None,
            assistant_due: None,
            created_at: at[0],
            updated_at: at[1],
            position,
            rank: 0,
            offer: waiting_since.map(|due| Offer { to: UserId(visitor), from: None, due }),
            silence_due: None,
            silence_noticed: false,
            previous: None,
            tags,
            priority,
            expires_at,
            test_notes: 0,
        }
    }
}

fn conversation() -> BoxedStrategy<ConversationView> {
    let names = [text(), text(), text(), text()];
    (header(), names, option::of(number()), option::of(escalation()))
        .prop_map(|(header, names, previous, escalation)| {
            let [inbox_name, visitor_name, assignee_name, preferred_name] = names;
            ConversationView {
                header,
                inbox_name,
                visitor_name,
                assignee_name,
                preferred_name,
                previous,
                escalation,
                watch_bytes: Written::default(),
            }
        })
        .boxed()
}

fn change() -> BoxedStrategy<Change> {
    let rows = (option::of(message()), option::of(note()), option::of(escalation()));
    let conversation = option::of(conversation().prop_map(Arc::new));
    (entry(), text(), conversation, rows, option::of(user()))
        .prop_map(|(entry, actor_name, conversation, rows, user)| Change {
            entry,
            actor_name,
            conversation,
            message: rows.0,
            note: rows.1.map(Box::new),
            escalation: rows.2.map(Box::new),
            user: user.map(Box::new),
            watch_bytes: Written::default(),
        })
        .boxed()
}

fn place() -> BoxedStrategy<Place> {
    (id(), number(), number(), "[a-z]{0,9}")
        .prop_map(|(epoch, position, prev, public_url)| Place {
            at: Cursor { epoch, position },
            prev,
            public_url,
        })
        .boxed()
}

/// Stands where bytes are kept, to be seen in what is sent.
fn mark(written: &Written) {
    for _ in 0..2 {
        written.append(&mut Vec::new(), |bytes| bytes.extend_from_slice(b"mark"));
    }
}

fn has_mark(bytes: &[u8]) -> bool {
    bytes.windows(4).any(|it| it == b"mark")
}

proptest! {
    #[test]
    fn what_is_kept_is_what_is_sent_but_for_articles(
        change in change(), view in conversation(), place in place(),
    ) {
        let view = Arc::new(view);
        mark(&view.watch_bytes);
        let change = Change { conversation: Some(Arc::clone(&view)), ..change };
        prop_assert!(has_mark(&written(&change, &place)), "of a conversation");
        let change = Change { conversation: None, ..change };
        mark(&change.watch_bytes);
        prop_assert_eq!(has_mark(&written(&change, &place)), !names_articles(&change));
    }

    #[test]
    fn a_frame_is_what_the_library_makes_of_it(change in change(), place in place()) {
        check(&change, &place)?;
        prop_assert!(change.watch_bytes.kept().is_none(), "nobody else was told of it");
    }

    #[test]
    fn a_change_that_many_are_told_of_is_the_same_to_each_but_for_its_place(
        change in change(), one in place(), other in place(),
    ) {
        let mut kept = Vec::new();
        for place in [&one, &other, &one, &other] {
            check(&change, place)?;
            kept.push(kept_at(&change.watch_bytes));
        }
        prop_assert_eq!(kept[0], None);
        prop_assert_eq!(kept[1].is_none(), names_articles(&change));
        prop_assert_eq!([kept[1], kept[1]], [kept[2], kept[3]]);
        if let Some(kept) = change.watch_bytes.kept() {
            prop_assert!(written(&change, &one).ends_with(kept));
        }
        if let Some(view) = &change.conversation {
            prop_assert!(view.watch_bytes.kept().is_none(), "it is kept with the change");
        }
    }

    #[test]
    fn changes_of_one_conversation_share_it_and_nothing_else(
        changes in vec(change(), 2..4), view in conversation(), place in place(),
        name in text(),
    ) {
        let view = Arc::new(view);
        let mut kept = Vec::new();
        for mut change in changes.clone() {
            change.conversation = Some(Arc::clone(&view));
            check(&change, &place)?;
            kept.push(kept_at(&view.watch_bytes));
        }
        prop_assert!(kept[0].is_none() && kept[1].is_some());
        prop_assert!(kept[1..].iter().all(|it| *it == kept[1]));
        let renamed = Arc::new(ConversationView { visitor_name: name, ..(*view).clone() });
        for mut change in changes {
            change.conversation = Some(Arc::clone(&renamed));
            check(&change, &place)?;
        }
    }
}
