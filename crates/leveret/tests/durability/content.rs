//! Bodies that say which message they are, and that nobody could have made up.

use crate::oracle::MessageId;

/// One message in this many has a body that the store keeps in a file of its own.
const HUGE_EVERY: u32 = 700;
const HUGE_BYTES: usize = 1_200_000;
/// One in this many takes several frames.
const LARGE_EVERY: u32 = 64;
const LARGE_BYTES: usize = 70_000;
const SMALL_BYTES: usize = 2_000;
const ID_BYTES: usize = 8;

/// The body of a message: its id, and bytes that follow from it.
pub fn body(id: MessageId) -> Vec<u8> {
    let (publisher, number) = id;
    let mut state = (u64::from(publisher) << 32 | u64::from(number)) ^ 0x9e37_79b9_7f4a_7c15;
    let bytes = match number {
        number if number % HUGE_EVERY == HUGE_EVERY - 1 => HUGE_BYTES,
        number if number % LARGE_EVERY == LARGE_EVERY - 1 => LARGE_BYTES,
        _ => ID_BYTES + next(&mut state) as usize % SMALL_BYTES,
    };
    let mut body = [publisher.to_be_bytes(), number.to_be_bytes()].concat();
    while body.len() < bytes {
        body.extend(next(&mut state).to_le_bytes());
    }
    body.truncate(bytes);
    body
}

/// Which message this is; panics when a byte of it is not as it was published.
#[track_caller]
pub fn id_of(found: &[u8]) -> MessageId {
    let id = found.first_chunk::<ID_BYTES>().map(|bytes| {
        let id = u64::from_be_bytes(*bytes);
        ((id >> 32) as u32, id as u32)
    });
    let Some(id) = id else { panic!("a body of {} bytes, which nobody published", found.len()) };
    assert!(found == body(id), "the body of {id:?} is damaged: {} bytes", found.len());
    id
}

fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn bodies_say_which_message_they_are() {
    for id in [(1, 0), (7, 12), (7, LARGE_EVERY - 1), (u32::MAX, HUGE_EVERY - 1)] {
        assert_eq!(id_of(&body(id)), id);
    }
}

#[test]
#[should_panic(expected = "damaged")]
fn a_changed_byte_is_noticed() {
    let mut body = body((1, LARGE_EVERY - 1));
    body[69_999] ^= 1;
    id_of(&body);
}
