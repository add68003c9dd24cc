//! The backend of permessage-deflate used bare: what an echo cannot beat.

use std::hint::black_box;

use sansocket::Input;
use sansocket::frame::{Decoder, Part};
use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush, Method, Strategy};

use crate::traffic::LEVEL;

/// Inflates the payload of each frame, and compresses what comes out.
pub fn echo(stream: &[u8], len: usize, takeover: bool) -> Box<dyn FnMut(usize)> {
    let payloads = payloads(stream);
    let mut inflate = Inflate::new(false, 15);
    let mut deflate = Deflate::new_with_config(DeflateConfig {
        level: LEVEL.into(),
        method: Method::Deflated,
        window_bits: -15,
        mem_level: 8,
        strategy: Strategy::Default,
    });
    let (mut inflated, mut compressed) = (vec![0; len + 64], vec![0; 2 * len + 64]);
    let mut next = 0;
    Box::new(move |messages| {
        for _ in 0..messages {
            let payload = black_box(&payloads[next % payloads.len()]);
            next += 1;
            let flush = InflateFlush::SyncFlush;
            inflate
                .decompress(payload, &mut inflated, flush)
                .expect("a stream");
            let text = black_box(&inflated[..len]);
            deflate
                .compress(text, &mut compressed, DeflateFlush::SyncFlush)
                .expect("room");
            black_box(&compressed);
            if !takeover {
                inflate.reset(false);
                deflate.reset();
            }
        }
    })
}

/// Unmasked, with the four bytes that permessage-deflate leaves out (RFC 7692
/// §7.2.1).
fn payloads(stream: &[u8]) -> Vec<Vec<u8>> {
    let (mut bytes, mut decoder) = (stream.to_vec(), Decoder::new());
    let (mut input, mut key) = (Input::new(&mut bytes), None);
    let mut payloads = Vec::new();
    while let Ok(Some(part)) = decoder.decode(&mut input) {
        match part {
            Part::Header(header) => key = header.masking_key,
            Part::Payload(payload) => {
                key.expect("a client's frame").apply(payload);
                payloads.push([&*payload, b"\x00\x00\xff\xff"].concat());
            }
        }
    }
    payloads
}
