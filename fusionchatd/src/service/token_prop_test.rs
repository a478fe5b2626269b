//! Texts of secrets from anybody: none but ours is taken.

use proptest::prelude::*;

use super::*;
use crate::domain::damage::{damaged, texts_of};

const PIECES: &[&str] =
    &[KEY_PREFIX, VISITOR_PREFIX, SESSION_PREFIX, "_", ".", "0", "AAAA", "00000000", "é", "=", "-"];

fn claims() -> impl Strategy<Value = VisitorClaims> {
    (any::<[u128; 4]>(), any::<[i64; 2]>(), "[ -~]{0,100}").prop_map(|(ids, times, origin)| {
        let [organization, inbox, user, session] = ids.map(Uuid::from_u128);
        VisitorClaims {
            organization: OrganizationId(organization),
            inbox: InboxId(inbox),
            user: UserId(user),
            session: SessionId(session),
            created_at: times[0],
            expires_at: times[1],
            origin,
        }
    })
}

proptest! {
    #[test]
    fn a_visitor_token_says_what_was_signed_under_its_secret_alone(
        claims in claims(), secret in any::<[u8; 32]>(), other in any::<[u8; 32]>(),
    ) {
        let token = sign_visitor(&claims, &secret).expect("signed");
        prop_assert_eq!(verify_visitor(&token, &secret), Some(claims));
        prop_assert_eq!(verify_visitor(&token, &other), None);
    }

    #[test]
    fn a_damaged_visitor_token_is_none(
        (token, bytes) in claims().prop_flat_map(|claims| {
            let token = sign_visitor(&claims, &[7; 32]).expect("signed");
            (Just(token.clone()), damaged(Just(token.into_bytes())))
        }),
    ) {
        let text = String::from_utf8_lossy(&bytes);
        prop_assert_eq!(verify_visitor(&text, &[7; 32]).is_some(), text == token);
    }

    #[test]
    fn a_damaged_key_names_no_id(
        (text, bytes) in any::<u128>().prop_flat_map(|id| {
            let text = new_key(KeyId(Uuid::from_u128(id))).expect("random bytes");
            (Just(text.clone()), damaged(Just(text.into_bytes())))
        }),
    ) {
        let damaged = String::from_utf8_lossy(&bytes);
        // The check digits tell most damage, not all of it: what they let through is looked up and not found.
        if damaged == text {
            prop_assert!(key_id(&damaged).is_some());
        } else if damaged.len() == text.len() {
            prop_assert!(key_id(&damaged).is_none_or(|id| Some(id) != key_id(&text))
                || damaged.eq_ignore_ascii_case(&text), "{damaged}");
        }
    }

    #[test]
    fn any_text_is_no_secret_of_ours(text in texts_of(PIECES)) {
        prop_assert_eq!(verify_visitor(&text, &[7; 32]), None);
        if let Some((body, _)) = text.rsplit_once('_') {
            let checked = format!("{body}_{:08x}", crc32fast::hash(body.as_bytes()));
            if let Some(id) = key_id(&checked) {
                let simple = id.0.simple().to_string();
                prop_assert!(checked.to_ascii_lowercase().contains(&simple), "{checked}");
            }
        }
        let _ = key_id(&text);
    }
}
