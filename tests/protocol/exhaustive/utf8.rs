//! Text (RFC 6455 §8.1) against `str::from_utf8`: what is not UTF-8 is refused,
//! by the first byte after which no text could become valid.

use core::str;

use super::{config, failure};
use crate::drive::{Transcript, feed, open};
use crate::wire::{peer_of, wire};
use sansocket::frame::Opcode;
use sansocket::{Config, Delivery, Event, ProtocolError, Role};

/// One byte of each class that the table of well-formed sequences distinguishes
/// (Unicode §3.9, table 3-7).
const CLASSES: [u8; 13] = [
    b'a', // complete
    0x85, // continuation, not after E0, F0
    0x95, // continuation, not after E0, F4
    0xA5, // continuation, not after ED, F4
    0xC1, // overlong
    0xD0, // of 2
    0xE0, // of 3, then A0 to BF
    0xE5, // of 3
    0xED, // of 3, then 80 to 9F
    0xF0, // of 4, then 90 to BF
    0xF2, // of 4
    0xF4, // of 4, then 80 to 8F
    0xF5, // never used
];

/// Both ways to deliver text, of a frame that is masked and of one that is not.
fn endpoints() -> [(Role, Delivery, Config); 2] {
    let endpoint = |role, delivery| (role, delivery, config().with_delivery(delivery));
    [
        endpoint(Role::Server, Delivery::Messages),
        endpoint(Role::Client, Delivery::Fragments),
    ]
}

/// Asserts that each piece of this text, as it arrives, has the effect that the
/// standard library's verdict on all bytes so far calls for.
fn assert_text(endpoint: &(Role, Delivery, Config), bytes: &[u8], cuts: &[usize]) {
    let (role, delivery, config) = endpoint;
    let frame = wire(peer_of(*role))
        .frame(Opcode::Text, true, bytes)
        .bytes();
    let header_len = frame.len() - bytes.len();
    let (mut ws, mut received, mut from) = (open(*role, config), String::new(), 0);
    for cut in cuts.iter().copied().chain([bytes.len()]) {
        let mut transcript = feed(&mut ws, [&frame[from..header_len + cut]]);
        from = header_len + cut;
        transcript
            .events
            .retain(|event| !take_text(event, &mut received));

        let (is_last, verdict) = (cut == bytes.len(), str::from_utf8(&bytes[..cut]));
        let fails = verdict.is_err_and(|error| is_last || error.error_len().is_some());
        let expected = if fails {
            failure(*role, ProtocolError::InvalidUtf8)
        } else {
            Transcript::default()
        };
        let place = || format!("{role:?} {delivery:?} {bytes:02x?} {cuts:?} {cut}");
        assert_eq!(transcript, expected, "{}", place());

        let valid_len = match delivery {
            Delivery::Messages if !is_last || fails => 0,
            _ => verdict.map_or_else(|error| error.valid_up_to(), str::len),
        };
        assert_eq!(received.as_bytes(), &bytes[..valid_len], "{}", place());
        if fails {
            return;
        }
    }
}

/// Adds the text in this event, if it has any.
fn take_text(event: &Event<'_>, text: &mut String) -> bool {
    let payload = match event {
        Event::Message(message) => message,
        Event::Fragment(fragment) => &fragment.payload,
        _ => return false,
    };
    text.push_str(payload.as_text().expect("text"));
    true
}

#[test]
fn endpoint_judges_every_text_of_two_bytes() {
    for endpoint in endpoints() {
        for [first, second] in (0..=u16::MAX).map(u16::to_be_bytes) {
            assert_text(&endpoint, &[first, second], &[1]);
            // The frame goes on: a fault must be found before its end.
            assert_text(&endpoint, &[first, second, b'a'], &[1, 2]);
        }
    }
}

/// Every third byte after two that begin a character. After two others, it begins
/// a character itself, or is never read.
#[test]
fn endpoint_judges_every_character_of_three_bytes() {
    let [endpoint, _] = endpoints();
    let is_incomplete =
        |bytes: &[u8]| str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none());
    for [first, second] in (0..=u16::MAX).map(u16::to_be_bytes) {
        if is_incomplete(&[first]) && is_incomplete(&[first, second]) {
            for third in 0..=u8::MAX {
                assert_text(&endpoint, &[first, second, third, b'a'], &[2, 3]);
            }
        }
    }
}

#[test]
fn endpoint_judges_text_of_four_bytes_by_class() {
    for endpoint in endpoints() {
        for number in 0..CLASSES.len().pow(4) {
            let digit = |index| number / CLASSES.len().pow(index) % CLASSES.len();
            let bytes = [0, 1, 2, 3].map(|index| CLASSES[digit(index)]);
            let cuts: [&[usize]; 5] = [&[], &[1], &[2], &[3], &[1, 2, 3]];
            for cuts in cuts {
                assert_text(&endpoint, &bytes, cuts);
            }
        }
    }
}
