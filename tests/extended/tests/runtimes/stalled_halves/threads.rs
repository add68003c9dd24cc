//! The blocking halves, in two threads, over TCP and within TLS.

use std::collections::HashSet;
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use sansocket::blocking::{Reader, Socket, Stream, TlsStream, WebSocket, Writer};
use sansocket::{Agreement, Config, Error, Role};

use super::{Ends, MESSAGE_LEN, PING_HAS_LEFT, SENDINGS, Sending, assert_all_came, config, ms};
use super::{Order, orders};
use crate::blocking_tls::{client_session, session};
use crate::wire::{ROLES, peer_of, wire};

fn send_until_error(writer: &mut Writer<Stream>) -> Result<(), Error> {
    thread::sleep(PING_HAS_LEFT);
    loop {
        writer.send(vec![7; MESSAGE_LEN])?;
    }
}

fn try_until_error(writer: &mut Writer<Stream>) -> Result<(), Error> {
    thread::sleep(PING_HAS_LEFT);
    while writer.try_send(vec![7; MESSAGE_LEN])?.is_none() {}
    while writer.outcome().is_none() {
        thread::sleep(ms(10));
    }
    writer.try_send("late").map(drop)
}

fn read_until_error(reader: &mut Reader<Stream>) -> Result<(), Error> {
    while reader.next()?.is_some() {}
    Ok(())
}

fn echo(reader: &mut Reader<Stream>, writer: &mut Writer<Stream>) -> Result<(), Error> {
    while let Some(message) = reader.next()? {
        writer.send(message)?;
    }
    Ok(())
}

/// Uses the halves until both have ended.
fn use_halves(ws: WebSocket<Stream>, sending: Sending) -> Ends {
    let (mut reader, mut writer) = ws.split();
    let mut third = writer.clone();
    let closing = thread::spawn(move || {
        if let Sending::Closes | Sending::Echoes = sending {
            thread::sleep(PING_HAS_LEFT * 4);
            while third.unsent_len() == 0 && third.outcome().is_none() {
                thread::sleep(ms(10));
            }
            let _ = third.close(1001, "");
        }
    });
    let (read, written) = if let Sending::Echoes = sending {
        let written = echo(&mut reader, &mut writer);
        (read_until_error(&mut reader), written)
    } else {
        let writing = thread::spawn(move || match sending {
            Sending::Tries => try_until_error(&mut writer),
            _ => send_until_error(&mut writer),
        });
        let read = read_until_error(&mut reader);
        (read, writing.join().unwrap())
    };
    closing.join().unwrap();
    let cause = reader.outcome().and_then(|outcome| outcome.cause);
    Ends {
        read,
        written,
        cause,
    }
}

/// A connection, and the stream of its peer.
fn open(role: Role, is_tls: bool, config: &Config) -> (WebSocket<Stream>, Stream) {
    let (own, peer) = crate::tcp::small_pair();
    let (own, peer) = if is_tls {
        let peer = TlsStream::new(peer, client_session());
        let shaking = thread::spawn(move || peer.complete_handshake(None).map(|()| peer).unwrap());
        let own = TlsStream::new(own, session());
        own.complete_handshake(None).unwrap();
        (own.into(), shaking.join().unwrap().into())
    } else {
        (own.into(), peer.into())
    };
    let (agreement, socket) = (Agreement::default(), Socket::stream());
    let ws = WebSocket::upgraded(own, role, agreement, vec![], config).with_socket(socket);
    (ws, peer)
}

/// What the peer does, which reads nothing.
fn stall(peer: &mut Stream, role: Role, sending: Sending) {
    if let Sending::Echoes = sending {
        let message = wire(peer_of(role)).binary(&[7; MESSAGE_LEN]).bytes();
        while peer.write_all(&message).is_ok() {}
    }
}

/// Whether a stream that is written to reports that the other end has dropped it.
fn is_reset(mut peer: &TcpStream) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(15) {
        if peer.write_all(b"x").is_err() {
            return true;
        }
        thread::sleep(ms(10));
    }
    let _ = peer.shutdown(Shutdown::Both);
    false
}

/// All at once, as each takes its time.
fn run_all(role: Role, is_tls: bool, sending: Sending) {
    let (sender, done) = mpsc::channel::<(Order, Option<Ends>, bool)>();
    let orders = orders();
    for order in orders.iter().copied() {
        let sender = sender.clone();
        let (ws, mut peer) = open(role, is_tls, &config(order));
        thread::spawn(move || {
            let (ended, ends) = mpsc::channel();
            thread::spawn(move || drop(ended.send(use_halves(ws, sending))));
            stall(&mut peer, role, sending);
            let ends = ends.recv_timeout(Duration::from_secs(15)).ok();
            let _ = sender.send((order, ends, is_reset(peer.tcp())));
        });
    }
    drop(sender);
    let mut reasons = HashSet::new();
    for (order, ends, is_reset) in done {
        let what = format!("{role:?}, TLS {is_tls}, {sending:?}, {order:?}");
        let ends = ends.unwrap_or_else(|| panic!("{what}: hangs"));
        assert!(is_reset, "{what}: the socket stays open");
        reasons.insert(ends.deadline(&what));
    }
    assert_all_came(&reasons, sending);
}

// Requirement 15
#[test]
fn blocking_halves_end_in_every_order_of_deadlines() {
    for (role, sending) in ROLES
        .into_iter()
        .flat_map(|role| SENDINGS.map(|s| (role, s)))
    {
        run_all(role, false, sending);
    }
}

// Requirement 15
#[test]
fn blocking_halves_within_tls_end_in_every_order_of_deadlines() {
    for sending in SENDINGS {
        run_all(Role::Server, true, sending);
    }
}
