//! What an idle connection of the async adapters holds, by a counting
//! allocator.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use crate::allocator::measure;
use sansocket::tokio::WebSocket;
use sansocket::{Agreement, Config, Role};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Brings some bytes and then nothing, and swallows all.
struct Quiet(&'static [u8]);

impl AsyncRead for Quiet {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.0.is_empty() {
            return Poll::Pending;
        }
        buf.put_slice(self.0);
        self.0 = b"";
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Quiet {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn poll_once<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// `hello`, masked.
const HELLO: &[u8] = b"\x81\x85\x00\x00\x00\x00hello";

#[test]
fn idle_connection_holds_little() {
    const CONNECTIONS: isize = 100;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let _guard = runtime.enter();
    let config = Config::new();
    let open = || {
        let (role, agreement) = (Role::Server, Agreement::default());
        let mut ws = WebSocket::upgraded(Quiet(HELLO), role, agreement, vec![], &config);
        // It has echoed, and waits.
        let Poll::Ready(Ok(Some(message))) = poll_once(ws.next()) else {
            panic!("no message")
        };
        assert!(poll_once(ws.send(message)).is_ready());
        assert!(poll_once(ws.next()).is_pending());
        ws
    };
    // The thread's own buffers.
    let first = open();
    let (connections, used) = measure(|| (0..CONNECTIONS).map(|_| open()).collect::<Vec<_>>());
    let each = used.held / CONNECTIONS;
    println!(
        "{each} bytes, of which {} in the socket itself",
        size_of_val(&first)
    );
    assert!(each <= 640, "{each}");
    assert!(connections.iter().all(|ws| ws.memory_usage() < 512));
}

// Requirement 22: read buffers belong to the thread, and the rest is what was received.
#[test]
fn connection_holds_what_was_received() {
    const CONNECTIONS: isize = 100;
    static PARTIAL: [u8; 14 + 1024] = {
        let mut bytes = [7; 14 + 1024];
        bytes.split_at_mut(14).0.copy_from_slice(HEADER);
        bytes
    };
    const HEADER: &[u8; 14] = b"\x82\xff\0\0\0\0\0\x40\0\0\0\0\0\0";
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let _guard = runtime.enter();
    let open = |bytes| {
        let (role, agreement) = (Role::Server, Agreement::default());
        let mut ws = WebSocket::upgraded(Quiet(bytes), role, agreement, vec![], &Config::new());
        assert!(poll_once(ws.next()).is_pending());
        ws
    };
    // The thread's own buffers.
    let _first = [open(b""), open(HEADER)];
    for (name, bytes, max) in [
        ("idle", &b""[..], 640),
        ("half a header", &HEADER[..7], 640),
        ("the header of a large message", HEADER, 640),
        ("1 KiB of a large message", &PARTIAL, 640 + 2 * 1024),
    ] {
        let (connections, used) = measure(|| {
            let connections = (0..CONNECTIONS).map(|_| open(bytes));
            connections.collect::<Vec<_>>()
        });
        let each = used.held / CONNECTIONS;
        println!("{name}: {each} bytes");
        assert!(
            each <= max + size_of_val(&connections[0]) as isize,
            "{name}: {each}"
        );
    }
}

// Buffers are released before the application continues: while it works, and after a
// large message was sent.
#[test]
fn working_application_holds_no_buffers() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let _guard = runtime.enter();
    for role in [Role::Server, Role::Client] {
        let hello = if role == Role::Server {
            HELLO
        } else {
            b"\x81\x05hello"
        };
        let open = || {
            let agreement = Agreement::default();
            WebSocket::upgraded(Quiet(hello), role, agreement, vec![], &Config::new())
        };
        let mut ws = open();
        assert!(poll_once(ws.next()).is_ready());
        assert!(ws.memory_usage() < 512, "received: {}", ws.memory_usage());
        let mut ws = open();
        assert!(poll_once(ws.drive(|_, _, _| Ok(()))).is_ready());
        assert!(ws.memory_usage() < 512, "driven: {}", ws.memory_usage());
        assert!(poll_once(ws.send(&[7; 1 << 20])).is_ready());
        assert!(ws.memory_usage() < 512, "sent: {}", ws.memory_usage());
    }
}

#[test]
fn sending_and_waiting_take_no_memory() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let _guard = runtime.enter();
    let (role, agreement) = (Role::Server, Agreement::default());
    let mut ws = WebSocket::upgraded(Quiet(b""), role, agreement, vec![], &Config::new());
    let mut send = || {
        assert!(poll_once(ws.feed("hello")).is_ready());
        assert!(poll_once(ws.next()).is_pending());
    };
    for _ in 0..10 {
        send();
    }
    let ((), used) = measure(|| (0..1000).for_each(|_| send()));
    assert_eq!(used.calls, 0, "buffers come from the thread's pool");
}

// 64 KiB are masked at a time, into the buffer of the thread, up to 1 MiB in one poll.
#[test]
fn large_message_of_a_client_is_not_copied_whole() {
    const MIB: usize = 1024 * 1024;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let _runtime = runtime.as_ref().unwrap().enter();
    let (config, none) = (Config::new(), Agreement::default());
    let mut ws = WebSocket::upgraded(Quiet(b""), Role::Client, none, Vec::new(), &config);
    let message = vec![7; MIB];
    let (sent, used) = measure(|| poll_once(ws.send(&message[..])));
    assert!(matches!(sent, Poll::Ready(Ok(()))));
    assert_eq!(ws.connection().counters().sent.messages, 1);
    assert!(used.peak < 200 * 1024, "{} bytes", used.peak);
}
