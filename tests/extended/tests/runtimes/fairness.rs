//! A peer that always has more to say does not keep the other tasks of its thread
//! waiting. Counted in polls, not in time.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::compat::Compat;
use crate::wire::wire;
use sansocket::adapter::poll::{Transport, WebSocket};
use sansocket::deflate::{Compress, Options, Parameters};
use sansocket::frame::Opcode;
use sansocket::{
    Agreement, Config, Connection, Error, Event, Input, Message, Role, futures, tokio as adapter,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A peer whose bytes are there at once, and who takes everything.
struct Flood {
    bytes: Vec<u8>,
    at: usize,
}

impl AsyncRead for Flood {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let rest = &self.bytes[self.at..];
        let len = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..len]);
        self.at += len;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Flood {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// How the application receives.
#[derive(Clone, Copy, Debug)]
enum Receiving {
    Next,
    Halves,
    Drive,
}

const RECEIVING: [Receiving; 3] = [Receiving::Next, Receiving::Halves, Receiving::Drive];

/// What a peer sends, and how many frames that is, or as much work as how many: 1 KiB that
/// is copied, or 128 bytes that are inflated.
fn floods() -> [(&'static str, Vec<u8>, usize); 5] {
    let client = || wire(Role::Client);
    let empty = client().frame(Opcode::Continuation, false, b"").bytes();
    let split = client()
        .frame(Opcode::Binary, false, b"be")
        .raw(&empty.repeat(20_000))
        .frame(Opcode::Continuation, true, b"gun")
        .bytes();
    let short = client().binary(b"of sixteen bytes").bytes();
    let large = client().binary(&vec![7; 1 << 20]).bytes();
    let ping = client().ping(b"?").bytes();
    [
        ("empty fragments", split.repeat(3), 60_000),
        ("short messages", short.repeat(20_000), 20_000),
        ("large messages", large.repeat(8), 8 * 1024),
        ("pings", ping.repeat(20_000), 20_000),
        ("bombs", bomb(4 << 20).repeat(4), 4 * (4 << 20) / 128),
    ]
}

/// A compressed message that inflates to this many bytes.
fn bomb(len: usize) -> Vec<u8> {
    let mut client = Connection::upgraded(Role::Client, agreement(), &config());
    let mut out = Vec::new();
    client
        .send_with(vec![0; len], Compress::Always, &mut out)
        .unwrap();
    out
}

fn agreement() -> Agreement {
    // The same bytes again are the same message again.
    let parameters = Parameters::new().with_client_no_context_takeover();
    Agreement::default().with_deflate(parameters)
}

fn config() -> Config {
    let no_rate = u32::MAX;
    Config::new()
        .with_max_control_frames(no_rate)
        .with_deflate(Options::new())
}

/// The messages, as the core returns them.
fn expected(bytes: &[u8]) -> Vec<Message> {
    let mut ws = Connection::upgraded(Role::Server, agreement(), &config());
    let (mut bytes, mut out, mut messages) = (bytes.to_vec(), Vec::new(), Vec::new());
    let mut input = Input::new(&mut bytes);
    while let Some(event) = ws.receive(&mut input, &mut out) {
        if let Event::Message(message) = event {
            messages.push(message.into_owned());
        }
    }
    messages
}

async fn receive<T: Transport>(mut ws: WebSocket<T>, how: Receiving) -> Vec<Message> {
    let mut messages = Vec::new();
    match how {
        Receiving::Next => {
            while let Ok(Some(message)) = ws.next().await {
                messages.push(message);
            }
        }
        Receiving::Halves => {
            let (mut reader, _writer) = ws.split();
            while let Ok(Some(message)) = reader.next().await {
                messages.push(message);
            }
        }
        Receiving::Drive => {
            let mut handle = |event: Event<'_>| {
                match event {
                    Event::Message(message) => messages.push(message.into_owned()),
                    Event::Yield => panic!("the driver keeps it for itself"),
                    _ => {}
                }
                Ok(())
            };
            while let Ok(true) = ws.drive(|_, event, _| handle(event)).await {}
        }
    }
    messages
}

fn over_tokio(bytes: &[u8]) -> adapter::WebSocket<Flood> {
    let (stream, at) = (bytes.to_vec(), 0);
    let stream = Flood { bytes: stream, at };
    adapter::WebSocket::upgraded(stream, Role::Server, agreement(), vec![], &config())
}

fn over_futures(bytes: &[u8]) -> futures::WebSocket<Compat<Flood>> {
    let (stream, at) = (bytes.to_vec(), 0);
    let stream = Compat(Flood { bytes: stream, at });
    futures::WebSocket::upgraded(stream, Role::Server, agreement(), vec![], &config())
}

/// Another task of the thread, which is always ready. Counts its turns in `turns`.
async fn other_task(turns: Rc<Cell<usize>>) {
    poll_fn(|cx| -> Poll<()> {
        turns.set(turns.get() + 1);
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The other task has a turn after each 256 frames, and not much more often.
fn assert_fair(name: &str, how: Receiving, work: usize, turns: usize) {
    let is_fair = turns >= work / 300 && turns <= 4 * work / 256 + 64;
    assert!(is_fair, "{name}, {how:?}: {turns} turns");
}

#[test]
fn flood_leaves_turns_to_other_tasks_on_tokio() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    for (name, bytes, work) in floods() {
        for how in RECEIVING {
            let turns = Rc::new(Cell::new(0));
            let local = tokio::task::LocalSet::new();
            local.spawn_local(other_task(turns.clone()));
            let messages = local.block_on(&runtime, async {
                let receiving = receive(over_tokio(&bytes), how);
                tokio::task::spawn_local(receiving).await.unwrap()
            });
            assert!(messages == expected(&bytes), "{name}, {how:?}");
            assert_fair(name, how, work, turns.get());
        }
    }
}

// smol's tasks have no budget that the runtime enforces.
#[test]
fn flood_leaves_turns_to_other_tasks_on_smol() {
    for (name, bytes, work) in floods() {
        for how in RECEIVING {
            let turns = Rc::new(Cell::new(0));
            let executor = smol::LocalExecutor::new();
            executor.spawn(other_task(turns.clone())).detach();
            let receiving = executor.spawn(receive(over_futures(&bytes), how));
            let messages = smol::block_on(executor.run(receiving));
            assert!(messages == expected(&bytes), "{name}, {how:?}");
            assert_fair(name, how, work, turns.get());
        }
    }
}

/// Polls once, outside of any runtime.
fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

// The future can be dropped in the middle of a read.
#[test]
fn nothing_is_lost_if_a_future_is_dropped_between_turns() {
    for (name, bytes, _) in floods() {
        let (mut ws, mut messages, mut most) = (over_futures(&bytes), Vec::new(), 0);
        loop {
            let before = ws.connection().counters().received.frames;
            match poll_once(ws.next()) {
                Poll::Ready(Ok(Some(message))) => messages.push(message),
                Poll::Ready(Err(Error::Failed(_))) => break,
                Poll::Ready(ended) => panic!("{name}: {ended:?}"),
                Poll::Pending => {}
            }
            most = most.max(ws.connection().counters().received.frames - before);
        }
        assert!(messages == expected(&bytes), "{name}");
        assert!(most < 512, "{name}: {most} frames in one poll");
    }
}
