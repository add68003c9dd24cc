//! Any compressed payload, in any pieces and with any limits: cuts do not
//! matter, and what is held is bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket::{Delivery, Event, Role};
use sansocket_fuzz::{Compression, Cuts, Transcript, compressed, config, feed, open_with};

fuzz_target!(|data: (Compression, Cuts, Cuts, bool, bool, u16, &[u8])| {
    let (compression, frames, cuts, is_text, in_fragments, max_len, payload) = data;
    let max_len = usize::from(max_len) << 4;
    let config = config()
        .with_max_message_len(max_len)
        .with_deflate(compression.options())
        .with_delivery(if in_fragments {
            Delivery::Fragments
        } else {
            Delivery::Messages
        });
    // Twice: the second may refer to the first.
    let mut bytes = compressed(Role::Client, is_text, &frames.split(payload));
    bytes.extend(bytes.clone());
    let start = || open_with(Role::Server, compression.parameters(), &config);
    let whole = feed(&mut start(), [&*bytes, &[]]).joined();

    let (mut ws, mut pieces) = (start(), Transcript::default());
    for piece in cuts.split(&bytes).into_iter().chain([&[][..]]) {
        let Transcript { events, out } = feed(&mut ws, [piece]);
        for event in &events {
            if let Event::Message(message) = event {
                assert!(message.len() <= max_len);
            }
        }
        pieces.events.extend(events);
        pieces.out.extend(out);
        assert!(ws.memory_usage() <= 72 * 1024 + 2 * max_len);
    }
    assert_eq!(pieces.joined(), whole);
});
