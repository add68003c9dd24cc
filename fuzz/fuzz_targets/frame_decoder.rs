//! A relay writes what it reads, whatever the cuts, up to the same error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket::frame::{Decoder, Part};
use sansocket::{Input, ProtocolError};
use sansocket_fuzz::Cuts;

fn relay(pieces: Vec<&[u8]>, out: &mut Vec<u8>) -> Result<(), ProtocolError> {
    let mut decoder = Decoder::new();
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut input = Input::new(&mut piece);
        while let Some(part) = decoder.decode(&mut input)? {
            match part {
                Part::Header(header) => header.write(out),
                Part::Payload(payload) => out.extend_from_slice(payload),
            }
        }
        assert!(input.remaining().is_empty());
    }
    Ok(())
}

fuzz_target!(|data: (Cuts, &[u8])| {
    let (cuts, bytes) = data;
    let (mut whole, mut pieces) = (Vec::new(), Vec::new());
    let result = relay(vec![bytes], &mut whole);
    assert_eq!(result, relay(cuts.split(bytes), &mut pieces));
    assert_eq!(whole, pieces);
    assert!(bytes.starts_with(&whole));
    // All but a header that is not complete, or that is wrong.
    assert!(result.is_err() || bytes.len() - whole.len() < 14);
});
