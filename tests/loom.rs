//! What the halves of a split share, in every order that threads can take:
//! `RUSTFLAGS="--cfg sansocket_loom" cargo test --release --features tokio --test loom`

#![cfg(all(sansocket_loom, feature = "tokio"))]

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use loom::future::block_on;
use loom::sync::Mutex;
use loom::thread;
use sansocket::tokio::WebSocket;
use sansocket::{Agreement, Config, Entropy, Message, Role};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream with one waker for each direction.
#[derive(Clone)]
struct Stream(Arc<Mutex<Ends>>);

#[derive(Default)]
struct Ends {
    incoming: Vec<u8>,
    written: usize,
    is_writable: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut ends = self.0.lock().unwrap();
        if ends.incoming.is_empty() {
            ends.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        buf.put_slice(&ends.incoming);
        ends.incoming.clear();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut ends = self.0.lock().unwrap();
        if !ends.is_writable {
            ends.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        ends.written += bytes.len();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Without clocks, which a model does not have.
fn config() -> Config {
    Config::new()
        .with_handshake_timeout(None)
        .with_ping_interval(None)
        .with_pong_timeout(None)
        .with_close_timeout(None)
        .with_write_timeout(None)
        .with_entropy(Entropy::new(|bytes| {
            bytes.fill(7);
            Ok(())
        }))
}

// Requirements 10 and 12: the network becomes ready whenever it likes; both
// halves finish, and either of them sends the pong.
#[test]
fn both_halves_come_to_their_end() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let stream = Stream(Arc::new(Mutex::new(Ends::default())));
        let (role, agreement) = (Role::Client, Agreement::default());
        let ws = WebSocket::upgraded(stream.clone(), role, agreement, vec![], &config());
        let (mut reader, mut writer) = ws.split();
        let writing = thread::spawn(move || block_on(writer.send("out")).unwrap());
        let network = stream.clone();
        let ready = thread::spawn(move || {
            let mut ends = network.0.lock().unwrap();
            ends.incoming.extend(b"\x89\x00\x81\x02in");
            let waker = ends.reader.take();
            drop(ends);
            waker.inspect(Waker::wake_by_ref);
            let mut ends = network.0.lock().unwrap();
            ends.is_writable = true;
            let waker = ends.writer.take();
            drop(ends);
            waker.inspect(Waker::wake_by_ref);
        });
        let message = block_on(reader.next()).unwrap();
        assert_eq!(message, Some(Message::from("in")));
        writing.join().unwrap();
        ready.join().unwrap();
        assert!(stream.0.lock().unwrap().written >= 9, "the message left");
    });
}
