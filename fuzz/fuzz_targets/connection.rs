//! A connection of either role, with any limits: any cut of any bytes gives the
//! same events and output, which are those of the model, and holds no more memory
//! than is documented.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket_fuzz::model::{self, Seen};
use sansocket_fuzz::parser::Output;
use sansocket_fuzz::stream::Stream;
use sansocket_fuzz::{Cuts, Setup, Transcript, feed, peer_of};

fuzz_target!(|data: (Setup, Cuts, Stream<'_>, &[u8])| {
    let (setup, cuts, frames, bytes) = data;
    let mut bytes = setup.stream(bytes);
    bytes.extend(frames.bytes(peer_of(setup.role())));
    let whole = feed(&mut setup.start(), [&*bytes, &[]]).joined();

    let (mut ws, mut pieces, mut received) = (setup.start(), Transcript::default(), 0);
    for piece in cuts.split(&bytes).into_iter().chain([&[][..]]) {
        let Transcript { events, out } = feed(&mut ws, [piece]);
        pieces.events.extend(events);
        pieces.out.extend(out);
        received += piece.len();
        assert!(ws.memory_usage() <= setup.max_memory_usage(received));
    }
    assert_eq!(pieces.joined(), whole);
    assert!(ws.is_closed() && ws.outcome().is_some());
    if setup.is_open {
        Output::new(setup.role(), false).push(&whole.out);
        check(&setup, &bytes, &whole);
    }
});

/// Compares with the model.
fn check(setup: &Setup, bytes: &[u8], whole: &Transcript) {
    let Some(rules) = setup.rules() else { return };
    let seen: Vec<_> = whole.events.iter().filter_map(Seen::of).collect();
    let expected = model::read(bytes, rules);
    if !setup.in_fragments {
        assert_eq!(seen, expected.seen);
    }
    if let Some(error) = whole.error() {
        assert_eq!(model::verdict(error), expected.verdict);
    }
}
