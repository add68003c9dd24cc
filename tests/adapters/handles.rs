//! What can be done with a whole socket and with its halves: the same, under
//! the same names.

use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::wire::{config, wire};
use sansocket::frame::Opcode;
use sansocket::tokio::WebSocket;
use sansocket::{Agreement, Config, Fragment, MessageRef, Prepared, Role};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

fn pair(len: usize, config: &Config) -> (WebSocket<DuplexStream>, DuplexStream) {
    let (ours, theirs) = duplex(len);
    let agreement = Agreement::default().with_subprotocol("chat");
    let ws = WebSocket::upgraded(ours, Role::Server, agreement, vec![], config);
    (ws, theirs)
}

/// What each of the commands writes, in this order.
fn expected() -> Vec<u8> {
    wire(Role::Server)
        .text("prepared")
        .frame(Opcode::Text, false, b"be")
        .pong(b"unasked")
        .frame(Opcode::Continuation, true, b"gun")
        .text("tried")
        .ping(b"with")
        .bytes()
}

/// Calls each command.
macro_rules! command {
    ($ws:expr) => {{
        $ws.send_prepared(&Prepared::new("prepared")).await.unwrap();
        $ws.feed_fragment(Fragment::more("be")).await.unwrap();
        $ws.pong(b"unasked").await.unwrap();
        $ws.send_fragment(Fragment::last("gun")).await.unwrap();
        assert!($ws.try_send("tried").unwrap().is_none());
        $ws.with(|ws, out| ws.ping(b"with", out)).unwrap();
        $ws.flush().await.unwrap();
    }};
}

#[tokio::test]
async fn socket_and_half_send_alike() {
    let (mut ws, mut peer) = pair(4096, &config());
    assert_eq!(ws.subprotocol(), Some("chat"));
    command!(ws);
    let mut sent = vec![0; expected().len()];
    peer.read_exact(&mut sent).await.unwrap();
    assert_eq!(sent, expected());

    let (reader, mut writer) = ws.split();
    assert_eq!(reader.subprotocol().as_deref(), Some("chat"));
    assert_eq!(writer.subprotocol().as_deref(), Some("chat"));
    command!(writer);
    peer.read_exact(&mut sent).await.unwrap();
    assert_eq!(sent, expected());
}

#[tokio::test]
async fn message_that_has_no_room_comes_back() {
    let (ws, mut peer) = pair(16, &config().with_max_unsent_len(1000));
    let (mut reader, mut writer) = ws.split();
    let reading = tokio::spawn(async move { reader.next().await });
    assert!(writer.try_send(vec![1; 2000]).unwrap().is_none());
    let back = writer.try_send(vec![2; 100]).unwrap();
    assert_eq!(back, Some(MessageRef::from(vec![2; 100])));
    // What was taken leaves by the reader alone.
    let mut sent = vec![0; 2004];
    let read = timeout(Duration::from_secs(10), peer.read_exact(&mut sent));
    read.await.expect("the reader was woken").unwrap();
    assert!(writer.try_send(back.unwrap()).unwrap().is_none());
    drop(peer);
    assert!(reading.await.unwrap().is_err());
    assert!(writer.try_send("late").is_err());
}

#[tokio::test]
async fn writer_hears_that_the_connection_is_closed() {
    let (ws, mut peer) = pair(4096, &config());
    let (mut reader, mut writer) = ws.split();
    let reading = tokio::spawn(async move { reader.next().await });
    assert!(!writer.is_closed());
    let mut waiting = tokio::spawn(async move {
        writer.closed().await;
        writer
    });
    let early = timeout(Duration::from_millis(20), &mut waiting).await;
    assert!(early.is_err(), "it is open");
    let close = wire(Role::Client).close(1000, "").bytes();
    peer.write_all(&close).await.unwrap();
    let writer = timeout(Duration::from_secs(10), waiting).await;
    let writer = writer.expect("it was woken").unwrap();
    assert!(writer.is_closed());
    assert_eq!(reading.await.unwrap().unwrap(), None);
    assert!(writer.outcome().unwrap().clean);
}

#[tokio::test]
async fn halves_of_one_connection_are_made_one_again() {
    let (ws, mut peer) = pair(4096, &config());
    let (reader, writer) = ws.split();
    let clone = writer.clone();
    let error = reader.reunite(writer).expect_err("there is a clone");
    let (stranger, _) = pair(4096, &config()).0.split();
    let error = stranger
        .reunite(error.1)
        .map(drop)
        .expect_err("strangers")
        .0;
    drop((error, clone));

    let (ws, other) = pair(4096, &config());
    let (reader, mut writer) = ws.split();
    writer.feed("fed").await.unwrap();
    let mut ws = reader.reunite(writer).expect("the halves of one");
    (peer, _) = (other, peer);
    ws.flush().await.unwrap();
    let mut sent = [0; 5];
    peer.read_exact(&mut sent).await.unwrap();
    assert_eq!(&sent, b"\x81\x03fed");
    peer.write_all(&wire(Role::Client).text("x").bytes())
        .await
        .unwrap();
    assert_eq!(ws.next().await.unwrap(), Some("x".into()));
}

#[tokio::test]
async fn finish_sees_the_closing_through() {
    let (mut ws, mut peer) = pair(4096, &config());
    let answer = wire(Role::Client).text("unread").close(1001, "").bytes();
    peer.write_all(&answer).await.unwrap();
    ws.close_and_drain(1001, "bye").await.unwrap();
    let outcome = ws.outcome().unwrap();
    assert!(outcome.clean && ws.connection().is_closed());
    ws.close_and_drain(1000, "")
        .await
        .expect("nothing is left to do");
    let mut sent = Vec::new();
    peer.read_to_end(&mut sent).await.unwrap();
    assert_eq!(sent, wire(Role::Server).close(1001, "bye").bytes());
}

#[tokio::test]
async fn stream_below_can_be_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let stream = TcpStream::connect(addr).await.unwrap();
    let (role, agreement) = (Role::Client, Agreement::default());
    let mut ws = WebSocket::upgraded(stream, role, agreement, vec![], &config());
    assert_eq!(ws.peer_addr().unwrap(), addr);
    assert_eq!(ws.get_ref().peer_addr().unwrap(), addr);
    ws.get_mut().set_nodelay(true).unwrap();
    assert!(ws.get_ref().nodelay().unwrap());
}

/// A stream that is full after ten bytes, and when it is flushed forgets who waits to
/// write, as those of async-net do.
#[derive(Default)]
struct Forgetful {
    written: usize,
    waker: Arc<Mutex<Option<Waker>>>,
}

impl AsyncRead for Forgetful {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Forgetful {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let len = bytes.len().min(10 - self.written);
        if len == 0 {
            *self.waker.lock().unwrap() = Some(cx.waker().clone());
            return Poll::Pending;
        }
        self.written += len;
        Poll::Ready(Ok(len))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        *self.waker.lock().unwrap() = None;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn sender_is_woken_by_a_stream_that_forgets_wakers_in_a_flush() {
    let stream = Forgetful::default();
    let waker = stream.waker.clone();
    let agreement = Agreement::default();
    let mut ws = WebSocket::upgraded(stream, Role::Server, agreement, vec![], &config());
    let mut sending = pin!(ws.send(&[7; 1000]));
    let polled = sending
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
    assert!(waker.lock().unwrap().is_some(), "nothing would wake it");
}
