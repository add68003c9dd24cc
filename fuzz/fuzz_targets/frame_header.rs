//! A header that is parsed is written with the same bytes, and not before its last.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket::frame::Header;

fuzz_target!(|bytes: &[u8]| {
    let Ok(Some((header, len))) = Header::parse(bytes) else {
        return;
    };
    let mut out = Vec::new();
    header.write(&mut out);
    assert_eq!(out, bytes[..len]);
    for shorter in 0..len {
        assert_eq!(Header::parse(&bytes[..shorter]), Ok(None));
    }
});
