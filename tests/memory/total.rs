//! What the budget of all connections counts is what they hold.

use crate::allocator::measure;
use crate::drive::{feed, open};
use crate::wire::{ROLES, config, peer_of, wire};
use sansocket::Connection;
use sansocket::frame::{Header, Opcode};

const KIB: usize = 1024;

/// What does not count of each message.
const ALLOWANCE: usize = 64 * KIB;

#[test]
fn count_is_what_connections_hold_above_their_allowance() {
    const LENGTHS: [usize; 8] = [0, 1, 30_000, 33_000, 100_000, 1_000_000, 2_000_000, 65_536];
    for role in ROLES {
        for kind in [Opcode::Text, Opcode::Binary] {
            let config = config();
            let header = wire(peer_of(role)).with_header(Header::new(kind, 16 << 20), b"");
            let header = header.bytes();
            let masked = wire(peer_of(role)).binary(&[b'a'; 4096]).bytes();
            let payload = &masked[masked.len() - 4096..];
            let begin = |len: usize| {
                let mut ws = open(role, &config);
                feed(&mut ws, [&*header]);
                (0..len / 4096).for_each(|_| drop(feed(&mut ws, [payload])));
                feed(&mut ws, [&payload[..len % 4096]]);
                ws
            };
            let (connections, used) = measure(|| LENGTHS.map(|len| Box::new(begin(len))));
            let boxes = LENGTHS.len() * size_of::<Connection>();
            let held = used.held as usize - boxes;
            let each = connections.each_ref().map(|ws| ws.memory_usage());
            assert_eq!(held, each.iter().sum::<usize>());
            // A connection holds less than 1 KiB besides its message.
            let counted = config.total_memory();
            let above = |extra: usize| -> usize {
                let above = each.map(|len| len.saturating_sub(ALLOWANCE + extra));
                above.iter().sum()
            };
            assert!(counted <= above(0), "{counted} {each:?}");
            assert!(counted >= above(KIB), "{counted} {each:?}");
            drop(connections);
            assert_eq!(config.total_memory(), 0);
        }
    }
}

// The message belongs to the application, and still counts.
#[test]
fn count_is_what_large_messages_hold() {
    for kind in [Opcode::Text, Opcode::Binary] {
        let config = config();
        let mut bytes = wire(sansocket::Role::Server);
        bytes = bytes.frame(kind, true, &[b'a'; 3_000_000]);
        let bytes = bytes.bytes();
        let mut ws = open(sansocket::Role::Client, &config);
        let (message, used) = measure(|| {
            let fed = feed(&mut ws, bytes.chunks(4096));
            fed.messages().remove(0)
        });
        let held = used.held as usize;
        let counted = config.total_memory() + ALLOWANCE;
        assert!((held - KIB..=held).contains(&counted), "{counted} {held}");
        let ((), used) = measure(|| drop(message));
        assert_eq!(used.held + held as isize, 0);
        assert_eq!(config.total_memory(), 0);
    }
}
