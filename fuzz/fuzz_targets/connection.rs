//! A connection of either role, with any limits: any cut of any bytes gives the
//! same events and output, and holds no more memory than is documented.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket_fuzz::{Cuts, Setup, Transcript, feed};

fuzz_target!(|data: (Setup, Cuts, &[u8])| {
    let (setup, cuts, bytes) = data;
    let bytes = setup.stream(bytes);
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
});
