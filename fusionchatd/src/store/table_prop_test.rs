//! Every table's keys: told apart, within their organization's range, sorted by their numbers, and read back.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// The key of every table whose rows belong to an organization.
fn of_organization(org: OrganizationId, id: Uuid, other: Uuid, number: u64) -> Vec<Key> {
    let (user, conversation) = (UserId(id), ConversationId(id));
    vec![
        head(org),
        entry(org, number),
        organization(org),
        super::user(org, user),
        user_name(org, &id.to_string()),
        user_email(org, &id.to_string()),
        password(org, user),
        user_invite(org, user),
        inbox(org, InboxId(id)),
        inbox_name(org, &id.to_string()),
        api_key(org, KeyId(id)),
        session(org, SessionId(id)),
        staff_session(org, user, SessionId(other)),
        super::conversation(org, conversation),
        conversation_number(org, number),
        message(org, conversation, number),
        note(org, conversation, number),
        by_lane(org, Lane::Waiting, number),
        by_assignee(org, user, number),
        escalation(org, EscalationId(id)),
        conversation_escalation(org, conversation, EscalationId(other)),
        visitor_conversation(org, user, InboxId(other)),
        done(org, id, ClientId(*other.as_bytes())),
        article(org, ArticleId(id)),
        article_path(org, &id.to_string()),
        worker_cursor(org, &id.to_string()),
        model_tokens(org, 20_000),
    ]
}

fn ids() -> impl Strategy<Value = Uuid> {
    // Neighbours and the ends, where a carry or a short range would show.
    prop_oneof![
        any::<u128>(),
        (0..3_u128),
        (0..3_u128).prop_map(|it| u128::MAX - it),
        Just(0x00ff_ffff_u128),
    ]
    .prop_map(Uuid::from_u128)
}

proptest! {
    #[test]
    fn a_key_lies_in_its_own_organization_alone(
        (a, b) in (ids(), ids()), id in ids(), other in ids(), number in any::<u64>(),
    ) {
        prop_assume!(a != b);
        let (a, b) = (OrganizationId(a), OrganizationId(b));
        let keys = of_organization(a, id, other, number);
        for key in &keys {
            let table = Table::of(key).expect("a table");
            let (own, foreign) = (all_of(table, a), all_of(table, b));
            prop_assert!(own.start <= *key && *key < own.end, "{table:?}");
            prop_assert!(!(foreign.start <= *key && *key < foreign.end), "{table:?}");
            let whole = all(table);
            prop_assert!(whole.start <= *key && *key < whole.end, "{table:?}");
            prop_assert!(key.len() <= crate::store::KEY_BYTES_MAX);
        }
        let theirs = of_organization(b, id, other, number);
        let mut all: Vec<_> = keys.iter().chain(&theirs).collect();
        let count = all.len();
        all.sort();
        all.dedup();
        prop_assert_eq!(all.len(), count, "two rows under one key");
    }

    #[test]
    fn keys_sort_as_their_numbers_do(
        org in ids(), id in ids(), numbers in any::<[u64; 2]>(), dues in any::<[u32; 2]>(),
    ) {
        let (org, conversation) = (OrganizationId(org), ConversationId(id));
        let [x, y] = numbers;
        let order = x.cmp(&y);
        prop_assert_eq!(entry(org, x).cmp(&entry(org, y)), order);
        prop_assert_eq!(message(org, conversation, x).cmp(&message(org, conversation, y)), order);
        prop_assert_eq!(note(org, conversation, x).cmp(&note(org, conversation, y)), order);
        prop_assert_eq!(conversation_number(org, x).cmp(&conversation_number(org, y)), order);
        prop_assert_eq!(
            by_lane(org, Lane::Waiting, x).cmp(&by_lane(org, Lane::Waiting, y)), order
        );
        prop_assert_eq!(by_assignee(org, UserId(id), x).cmp(&by_assignee(org, UserId(id), y)), order);
        let timer = |due: u32| timer(i64::from(due), org, TimerKind::Assistant, id);
        prop_assert_eq!(timer(dues[0]).cmp(&timer(dues[1])), dues[0].cmp(&dues[1]));
        let held = entries_from(org, x);
        prop_assert_eq!(held.start <= entry(org, y) && entry(org, y) < held.end, y >= x);
    }

    #[test]
    fn a_timer_is_read_back(due in 0..i64::MAX, org in ids(), id in ids(), code in any::<u8>()) {
        let org = OrganizationId(org);
        if let Some(kind) = TimerKind::from_code(code) {
            let key = timer(due, org, kind, id);
            prop_assert_eq!(timer_of(&key), Some((org, kind, id)));
            let before = timers_before(due);
            prop_assert!(key >= before.end);
            prop_assert!(key < timers_before(due.saturating_add(1)).end || due == i64::MAX - 1);
        }
    }

    #[test]
    fn any_bytes_are_a_key_or_none(
        bytes in prop_oneof![vec(any::<u8>(), 0..70), vec(0..4_u8, 40..44)],
    ) {
        if let Some(table) = Table::of(&bytes) {
            prop_assert_eq!(bytes.first().copied(), Some(table as u8));
        }
        if let Some((org, kind, subject)) = timer_of(&bytes) {
            prop_assert_eq!(&bytes[9..25], org.bytes());
            prop_assert!(bytes.ends_with(subject.as_bytes()));
            prop_assert!(bytes.len() == 41 || bytes[25] == kind as u8);
        }
        let range = all(Table::Entry);
        let next = after(&range, &Bytes::copy_from_slice(&bytes)).start;
        prop_assert!(next.as_ref() > bytes.as_slice());
    }
}
