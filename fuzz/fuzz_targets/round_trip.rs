//! What one role sends, in any frames and pieces, the other receives.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use sansocket::{Event, Fragment, Role};
use sansocket_fuzz::{Cuts, config, feed, open, peer_of};

#[derive(Arbitrary, Debug)]
enum Sent {
    Text(String),
    Binary(Vec<u8>),
    /// A binary message of fragments, with a ping after each.
    Fragments(Vec<Vec<u8>>),
    Ping([u8; 3]),
    Pong([u8; 3]),
}

fuzz_target!(|data: (bool, u8, Cuts, Vec<Sent>)| {
    let (from_client, max_sent_frame_len, cuts, sent) = data;
    let role = if from_client {
        Role::Client
    } else {
        Role::Server
    };
    let config = config().with_max_sent_frame_len(max_sent_frame_len.into());
    let (mut ws, mut wire, mut expected) = (open(role, &config), Vec::new(), Vec::new());
    for sent in sent {
        let event = match sent {
            Sent::Text(text) => Event::Message(text.into()),
            Sent::Binary(bytes) => Event::Message(bytes.into()),
            Sent::Ping(payload) => Event::Ping(payload.to_vec().into()),
            Sent::Pong(payload) => Event::Pong(payload.to_vec().into()),
            Sent::Fragments(pieces) => {
                for piece in &pieces {
                    ws.send_fragment(Fragment::more(piece), &mut wire)
                        .expect("open");
                    ws.ping(b"between", &mut wire).expect("open");
                    expected.push(Event::Ping(b"between".into()));
                }
                ws.send_fragment(Fragment::last(b""), &mut wire)
                    .expect("open");
                expected.push(Event::Message(pieces.concat().into()));
                continue;
            }
        };
        match &event {
            Event::Message(message) => ws.send(message, &mut wire),
            Event::Ping(payload) => ws.ping(payload, &mut wire),
            Event::Pong(payload) => ws.pong(payload, &mut wire),
            _ => unreachable!(),
        }
        .expect("open");
        expected.push(event);
    }
    let received = feed(&mut open(peer_of(role), &config), cuts.split(&wire));
    assert_eq!(received.events, expected);
});
