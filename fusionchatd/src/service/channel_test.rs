//! What an audience keeps, and for whom.

use uuid::Uuid;

use crate::domain::id::{ConversationId, InboxId, OrganizationId};
use crate::service::ephemeral::{Part, Place, Streamed};

use super::*;

fn signal(turn: u64) -> Arc<Ephemeral> {
    let (conversation, inbox) = (ConversationId(Uuid::nil()), InboxId(Uuid::nil()));
    let place = Place { conversation, inbox, test: false };
    Arc::new(Ephemeral::Streamed(Streamed { place, turn, part: Part::Dropped }))
}

/// What a reader hears who has read every entry: the turns of its signals, and 0 where some were lost.
fn quiet() -> Arc<Channel> {
    Arc::new(Channel::new(Topic::Organization(OrganizationId::default())))
}

fn hear(channel: &Channel, next: &mut Next) -> Vec<u64> {
    let mut turns = Vec::new();
    loop {
        match channel.hear(Some(0), next) {
            Heard::Signal(signal) => match &*signal {
                Ephemeral::Streamed(streamed) => turns.push(streamed.turn),
                Ephemeral::Typing(_) => turns.push(u64::MAX),
            },
            Heard::Lost => turns.push(0),
            Heard::Nothing => return turns,
            Heard::News(position) => panic!("nothing was published, but {position}"),
        }
    }
}

fn kept(channel: &Channel) -> (usize, usize) {
    let signals = &channel.lock().signals;
    (signals.kept.len(), signals.kept.capacity())
}

#[test]
fn a_signal_is_kept_until_everybody_has_it() {
    let channel = quiet();
    let _ = channel.say(&signal(1));
    let (mut one, two) = (channel.join(), channel.join());
    let _ = channel.say(&signal(2));
    let mut three = channel.join();
    let _ = channel.say(&signal(3));
    assert_eq!(hear(&channel, &mut one), [2, 3], "from when it joined");
    assert_eq!(hear(&channel, &mut three), [3]);
    assert_eq!(kept(&channel).0, 2, "one reader has taken neither");
    channel.leave(&two, None);
    assert_eq!(kept(&channel), (0, 0), "nor is the room for them kept");
    let _ = channel.say(&signal(4));
    assert_eq!((hear(&channel, &mut one), hear(&channel, &mut three)), (vec![4], vec![4]));
    channel.leave(&one, None);
    channel.leave(&three, None);
    let _ = channel.say(&signal(5));
    assert_eq!(kept(&channel), (0, 0), "nobody is there");
}

#[test]
fn a_slow_reader_is_told_once_that_it_lost_some() {
    let channel = quiet();
    let (mut slow, mut quick) = (channel.join(), channel.join());
    let count = SIGNALS_MAX as u64 + 10;
    for turn in 1..=count {
        let _ = channel.say(&signal(turn));
        assert_eq!(hear(&channel, &mut quick), [turn]);
    }
    assert_eq!(kept(&channel).0, SIGNALS_MAX);
    let heard = hear(&channel, &mut slow);
    assert_eq!((heard[0], heard[1], heard.len()), (0, 11, SIGNALS_MAX + 1));
    assert_eq!(kept(&channel), (0, 0));
}

#[tokio::test]
async fn entries_come_before_the_signals_said_after_them() {
    let channel = quiet();
    let mut next = channel.join();
    assert!(matches!(channel.hear(None, &mut next), Heard::News(0)), "it has read nothing yet");
    let _ = channel.say(&signal(1));
    channel.wait(Some(0), &next).await;
    assert!(matches!(channel.hear(Some(7), &mut next), Heard::News(0)));
    assert_eq!(hear(&channel, &mut next), [1]);
    let mut waiting = Box::pin(channel.wait(Some(0), &next));
    assert!(futures::poll!(waiting.as_mut()).is_pending());
    let _ = channel.say(&signal(2));
    waiting.await;
    channel.leave(&next, None);
}

#[test]
fn an_audience_in_which_nothing_was_said_holds_little() {
    // There is one for every visitor who only looks.
    assert!(size_of::<Channel>() <= 168, "{} bytes", size_of::<Channel>());
}
