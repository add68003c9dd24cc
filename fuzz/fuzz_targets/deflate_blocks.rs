//! Compressed messages of blocks of every type, whole and broken: their content
//! is what they were written from, and what another inflater finds in them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket::deflate::{Options, Parameters};
use sansocket::{ConnectionError, Event, ProtocolError, Role};
use sansocket_fuzz::blocks::{Compressed, Inflater};
use sansocket_fuzz::{Cuts, compressed, config, feed, open_with};

fuzz_target!(|data: (bool, Cuts, Cuts, Vec<Compressed<'_>>)| {
    let (takeover, frames, cuts, messages) = data;
    let options = Options::new().with_max_ratio(None);
    let mut parameters = Parameters::new();
    if !takeover {
        parameters = parameters.with_client_no_context_takeover();
    }
    let (mut wire, mut expected) = (Vec::new(), Vec::new());
    let (mut window, mut inflater) = (Vec::new(), Inflater::default());
    for message in messages {
        if !takeover {
            (window, inflater) = (Vec::new(), Inflater::default());
        }
        let (payload, content) = message.payload(&mut window);
        let inflated = inflater.inflate(&payload);
        if content.is_some() {
            assert_eq!(inflated, content, "{}", payload.escape_ascii());
        }
        wire.extend(compressed(Role::Client, false, &pieces(&frames, &payload)));
        let Some(inflated) = inflated else {
            let error = ProtocolError::InvalidDeflate;
            expected.push(Event::Failed(ConnectionError::Protocol(error)));
            break;
        };
        expected.push(Event::Message(inflated.into()));
        if content.is_none() {
            break;
        }
    }
    let config = config().with_deflate(options);
    let mut ws = open_with(Role::Server, parameters, &config);
    let received = feed(&mut ws, cuts.split(&wire));
    assert_eq!(received.events, expected, "{}", wire.escape_ascii());
});

/// At least one frame.
fn pieces<'p>(cuts: &Cuts, payload: &'p [u8]) -> Vec<&'p [u8]> {
    let pieces = cuts.split(payload);
    if pieces.is_empty() {
        return vec![b""];
    }
    pieces
}
