//! The keys: what sorts before what, and what a range holds.

use super::*;

const A: OrganizationId = OrganizationId(Uuid::from_u128(u128::MAX - 1));
const B: OrganizationId = OrganizationId(Uuid::from_u128(u128::MAX));
const ID: Uuid = Uuid::from_u128(7);

fn holds(range: &Range, key: &Key) -> bool {
    range.start <= *key && *key < range.end
}

fn check(range: &Range, inside: &[Key], outside: &[Key]) {
    for key in inside {
        assert!(holds(range, key), "{key:?} in {range:?}");
    }
    for key in outside {
        assert!(!holds(range, key), "{key:?} not in {range:?}");
    }
}

#[test]
fn a_range_ends_at_the_next_organization() {
    let (user, session) = (UserId(ID), SessionId(ID));
    let chat = ConversationId(ID);
    check(&entries_from(A, 5), &[entry(A, 5), entry(A, u64::MAX)], &[entry(A, 4), entry(B, 5)]);
    check(&inboxes(A), &[inbox(A, InboxId(ID))], &[inbox(B, InboxId(ID))]);
    check(&articles(A), &[article(A, ArticleId(ID))], &[article(B, ArticleId(ID))]);
    check(&api_keys(A), &[api_key(A, KeyId(ID))], &[api_key(B, KeyId(ID))]);
    check(
        &sessions_of(A, user),
        &[staff_session(A, user, session)],
        &[staff_session(A, UserId(Uuid::from_u128(8)), session), staff_session(B, user, session)],
    );
    check(
        &messages_from(A, chat, 2),
        &[message(A, chat, 2)],
        &[
            message(A, chat, 1),
            message(A, ConversationId(Uuid::from_u128(8)), 2),
            message(B, chat, 2),
        ],
    );
    check(&notes_from(A, chat, 2), &[note(A, chat, 2)], &[note(A, chat, 1), note(B, chat, 2)]);
    check(
        &all_by_lane(A, Lane::Waiting),
        &[by_lane(A, Lane::Waiting, 1)],
        &[by_lane(A, Lane::Resolved, 1), by_lane(B, Lane::Waiting, 1)],
    );
    check(&all_by_assignee(A, user), &[by_assignee(A, user, 1)], &[by_assignee(B, user, 1)]);
}

#[test]
fn names_are_never_taken_for_the_start_of_longer_ones() {
    check(&sign_ins("a@b"), &[sign_in("a@b", A), sign_in("a@b", B)], &[sign_in("a@bc", A)]);
    check(&staff(A), &[user_name(A, "x")], &[user_email(A, "x"), user_name(B, "x")]);
}

#[test]
fn numbers_sort_by_value() {
    let positions = [0, 1, 255, 256, u64::from(u32::MAX), u64::MAX];
    assert!(positions.map(|it| entry(A, it)).is_sorted());
    assert!(
        [0, 1, 74_999, 75_000, i64::MAX]
            .map(|it| timer(it, A, TimerKind::Assistant, ID))
            .is_sorted()
    );
}

#[test]
fn a_timer_names_whose_it_is() {
    let timer = |due, organization| timer(due, organization, TimerKind::Assistant, ID);
    let whose = Some((A, TimerKind::Assistant, ID));
    assert_eq!(timer_of(&timer(5, A)), whose);
    assert_eq!(timer_of(&timer(5, A)[..40]), None);
    assert_eq!(timer_of(&key(Table::Timer, &[&[0; 8], A.bytes(), ID.as_bytes()])), whose);
    assert_eq!(timer_of(&key(Table::Timer, &[&[0; 8], A.bytes(), &[0; 17]])), None);
    check(&timers_before(5), &[timer(4, B), timer(-1, A)], &[timer(5, A)]);
}

#[test]
fn a_page_begins_after_the_last_key() {
    let key = article(A, ArticleId(ID));
    check(&after(&articles(A), &key), &[article(A, ArticleId(Uuid::from_u128(8)))], &[key]);
}

#[test]
fn the_longest_keys_fit() {
    use crate::domain::article::PATH_BYTES_MAX;
    use crate::domain::name::EMAIL_BYTES_MAX;
    let longest = [
        article_path(A, &"x".repeat(PATH_BYTES_MAX)),
        sign_in(&"x".repeat(EMAIL_BYTES_MAX), A),
        user_name(A, &"\u{1D11E}".repeat(crate::domain::name::NAME_CHARS_MAX)),
    ];
    assert!(longest.iter().all(|key| key.len() <= crate::store::KEY_BYTES_MAX));
}
