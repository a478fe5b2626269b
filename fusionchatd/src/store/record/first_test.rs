//! Version 1 of the rows that have a second one: its golden bytes.

use crate::domain::conversation::Conversation;
use crate::store::table::Table;

use super::first::first_version;
use super::golden_chat_test::{
    conversation, conversation_key, conversation_of_today, message_key, messages, note_key, notes,
};
use super::golden_test::{entry, entry_key, reads, refs, user_key, users};
use super::{Did, Done, Record};

#[test]
fn golden_bytes_of_the_first_journal() {
    reads(
        &entry_key(),
        &entry(),
        "020108ac0210041a2608041210010101010101010101010101010101011a10020202020202020202\
         0202020202020220172a100303030303030303030303030303030332100404040404040404040404\
         04040404043a1005050505050505050505050505050505400648075008580962037768796a200a0a\
         0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a",
    );
    reads(
        b"",
        &Done::new([9; 32], Did::These(refs())),
        "03010a20090909090909090909090909090909090909090909090909090909090909090912100101\
         0101010101010101010101010101180220032a10040404040404040404040404040404043001",
    );
}

#[test]
fn golden_bytes_of_the_first_users() {
    let [user, invited, later] = users();
    let first = "11010a10020202020202020202020202020202021210010101010101010101010101010101011a01\
                 7822036140622a01413001380240";
    reads(&user_key(), &user, &format!("{first}05"));
    reads(&user_key(), &invited, &format!("{first}054806"));
    let more = "05500 75a0608081009180a6204080b100c6a04080d100e";
    reads(&user_key(), &later, &format!("{first}{more}"));
}

#[test]
fn golden_bytes_of_the_first_conversations() {
    let first = "20010a100101010101010101010101010101010110e9071a10020202020202020202020202020202\
        022210030303030303030303030303030303032a1004040404040404040404040404040404300338\
        0342100505050505050505050505050505050548065210070707070707070707070707070707075a\
        10040404040404040404040404040404045a10050505050505050505050505050505056008680970\
        0a780580010b8801019001019a0102656ea0010ca8010db2010568656c6c6fb80102c0010ec8010f\
        d00110d80111e2011012121212121212121212121212121212e80113f00114f80115800216880217\
        900202";
    let later = "9a021018181818181818181818181818181818a20210191919191919191919191919191919\
        19a8021ab0021bb80201c202101c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1cca0206726566756e64d002\
        03d8021d";
    let key = conversation_key();
    reads(&key, &conversation(), first);
    reads(&key, &conversation_of_today(), &format!("{first}{later}"));
    let noted = Conversation { test_notes: 5, ..conversation_of_today() };
    reads(&key, &noted, &format!("{first}{later}e00205"));
}

#[test]
fn golden_bytes_of_the_first_notes() {
    let [note, draft] = notes();
    reads(
        &note_key(),
        &note,
        "22010a10010101010101010101010101010101011210020202020202020202020202020202021a10\
         030303030303030303030303030303032204707373742a1004040404040404040404040404040404\
         30053806",
    );
    reads(
        &note_key(),
        &draft,
        "22010a10010101010101010101010101010101011210020202020202020202020202020202022204\
         707373742a100404040404040404040404040404040430053806\
         42150a1005050505050505050505050505050505120154",
    );
}

#[test]
fn golden_bytes_of_the_first_messages() {
    let [message, flagged, blank] = messages();
    reads(
        &message_key(),
        &message,
        "21010a10010101010101010101010101010101011210020202020202020202020202020202021803\
         20032a1004040404040404040404040404040404320268693a150a10050505050505050505050505\
         050505051201544207636c61696d65644a090a047573657212017852100606060606060606060606\
         060606060658076008",
    );
    reads(
        &message_key(),
        &flagged,
        "21010a10010101010101010101010101010101011210020202020202020202020202020202021803\
         20032a1004040404040404040404040404040404320268693a150a10050505050505050505050505\
         050505051201544207636c61696d65644a090a047573657212017852100606060606060606060606\
         060606060658076008720577726f6e67",
    );
    reads(
        &message_key(),
        &blank,
        "21010a10010101010101010101010101010101011210020202020202020202020202020202021803\
         20032a10040404040404040404040404040404044207636c61696d65644a090a0475736572120178\
         521006060606060606060606060606060606580760086801",
    );
}

/// What [`first_version`] makes of a row reads as that row did.
#[test]
fn the_first_version_of_a_row_is_the_same_row() {
    fn check<R: Record + PartialEq + std::fmt::Debug>(key: &[u8], row: &R) {
        let first = first_version(key, &row.encode()).unwrap();
        assert_eq!(first[1], 1);
        assert_eq!(R::decode(key, &first).as_ref(), Ok(row));
    }
    check(&entry_key(), &entry());
    users().iter().for_each(|user| check(&user_key(), user));
    check(&conversation_key(), &conversation_of_today());
    messages().iter().for_each(|message| check(&message_key(), message));
    notes().iter().for_each(|note| check(&note_key(), note));
    let key = [Table::Done as u8];
    check(&key, &Done::new([9; 32], Did::These(refs())));
}
