//! What one role sends compressed, with any parameters and options, the other
//! receives.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use sansocket::deflate::Compress;
use sansocket::{Event, Fragment, Message, Prepared, Role};
use sansocket_fuzz::{Compression, Cuts, config, feed, open_with, peer_of};

#[derive(Arbitrary, Debug)]
enum Sent {
    Text(String, u8),
    /// Over and over.
    Binary(Vec<u8>, u8, u8),
    Fragments(Vec<Vec<u8>>, u8),
    Prepared(Vec<u8>),
    Release,
}

fn choice(number: u8) -> Compress {
    [Compress::Auto, Compress::Always, Compress::Never][usize::from(number % 3)]
}

fuzz_target!(
    |data: (bool, u8, Compression, Compression, Cuts, Vec<Sent>)| {
        let (from_client, max_sent_frame_len, ours, theirs, cuts, sent) = data;
        let role = if from_client {
            Role::Client
        } else {
            Role::Server
        };
        let config = config()
            .with_max_fragments(u32::MAX)
            .with_max_sent_frame_len(max_sent_frame_len.into());
        let parameters = ours.parameters();
        let mut ws = open_with(
            role,
            parameters,
            &config.clone().with_deflate(ours.options()),
        );
        let (mut wire, mut expected) = (Vec::new(), Vec::new());
        for sent in sent {
            let (message, number) = match sent {
                Sent::Release => {
                    ws.release();
                    continue;
                }
                Sent::Prepared(payload) => {
                    let prepared = Prepared::new(&payload);
                    ws.send_prepared(&prepared, &mut wire).expect("open");
                    expected.push(Event::Message(payload.into()));
                    continue;
                }
                Sent::Fragments(pieces, number) => {
                    for piece in &pieces {
                        let fragment = Fragment::more(piece);
                        ws.send_fragment_with(fragment, choice(number), &mut wire)
                            .expect("open");
                    }
                    ws.send_fragment(Fragment::last(b""), &mut wire)
                        .expect("open");
                    expected.push(Event::Message(pieces.concat().into()));
                    continue;
                }
                Sent::Text(text, number) => (Message::from(text), number),
                Sent::Binary(bytes, times, number) => (bytes.repeat(times.into()).into(), number),
            };
            ws.send_with(&message, choice(number), &mut wire)
                .expect("open");
            expected.push(Event::Message(message.into()));
        }
        let config = config.with_deflate(theirs.options().with_max_ratio(None));
        let mut peer = open_with(peer_of(role), parameters, &config);
        assert_eq!(feed(&mut peer, cuts.split(&wire)).events, expected);
    }
);
