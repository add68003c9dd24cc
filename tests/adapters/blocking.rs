//! What is the blocking adapter's alone; what all adapters do is in
//! `every_adapter`.

use std::time::Duration;

use crate::duplex::Duplex;
use crate::wire::{config, wire};
use sansocket::blocking::{Socket, WebSocket};
use sansocket::{Agreement, Error, Role};

/// A clock, and no timeouts: the stream does not block.
const UNTIMED: Socket<Duplex> = Socket {
    read_timeout: |_| Ok(None),
    write_timeout: |_| Ok(None),
    set_read_timeout: |_, _| Ok(()),
    set_write_timeout: |_, _| Ok(()),
    shutdown_write: |_| Ok(()),
    buffered_len: |_| 0,
};

#[test]
fn keepalive_ping_does_not_come_between_a_header_and_its_payload() {
    for capacity in [1, 5, 1000, usize::MAX] {
        let stream = Duplex::default();
        // A ping is due at once.
        let config = config().with_ping_interval(Duration::ZERO);
        let (role, agreement) = (Role::Server, Agreement::default());
        let mut ws = WebSocket::upgraded(stream.clone(), role, agreement, vec![], &config)
            .with_socket(UNTIMED);
        assert!(ws.next().is_err_and(|error| error.is_would_block()));
        stream.set(|ends| ends.capacity = capacity);
        assert!(ws.try_send(vec![7; 100_000]).unwrap().is_none());
        stream.set(|ends| ends.capacity = usize::MAX);
        ws.flush().unwrap();
        let ping = wire(Role::Server).ping(&[0, 0, 0, 1]).bytes();
        let message = wire(Role::Server).binary(&vec![7; 100_000]).bytes();
        assert!(
            stream.written() == [ping, message].concat(),
            "{capacity} bytes at first"
        );
    }
}

#[test]
fn fed_message_is_lost_by_a_stall_that_a_receive_found() {
    let stream = Duplex::default();
    stream.set(|ends| ends.capacity = 0);
    let config = config().with_write_timeout(Duration::from_millis(50));
    let (role, agreement) = (Role::Server, Agreement::default());
    let mut ws = WebSocket::upgraded(stream, role, agreement, vec![], &config).with_socket(UNTIMED);
    ws.feed("lost").unwrap();
    while ws.next().is_err_and(|error| error.is_would_block()) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(matches!(ws.flush(), Err(Error::Failed(_))));
}

// Requirement 10: or two ends that both send would wait for each other.
#[test]
fn unsent_bytes_of_a_stream_that_does_not_block_do_not_keep_it_from_reading() {
    let stream = Duplex::of(&wire(Role::Client).text("a").bytes());
    stream.set(|ends| ends.capacity = 100);
    let (role, agreement) = (Role::Server, Agreement::default());
    let mut ws = WebSocket::upgraded(stream.clone(), role, agreement, vec![], &config());
    assert!(ws.try_send(vec![7; 1_000_000]).unwrap().is_none());
    assert!(ws.unsent_len() > 0);
    assert_eq!(ws.next().unwrap(), Some("a".into()));
    stream.set(|ends| ends.capacity = usize::MAX);
    ws.flush().unwrap();
    let message = wire(Role::Server).binary(&vec![7; 1_000_000]).bytes();
    assert!(stream.written() == message);
}
