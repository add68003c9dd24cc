//! Two halves in two tasks: no wake-up is lost, whoever polls first.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::wire::{config, frames, wire};
use futures_util::{SinkExt, StreamExt};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sansocket::tokio::WebSocket;
use sansocket::{Agreement, CloseCode, Config, Error, Event, Message, Role};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, duplex};
use tokio::time::timeout;

/// A stream that remembers one waker for each direction, as a socket does, and
/// becomes ready only by the test.
#[derive(Clone, Default)]
struct Stream(Arc<Mutex<Ends>>);

#[derive(Default)]
struct Ends {
    incoming: Vec<u8>,
    written: Vec<u8>,
    capacity: usize,
    read_error: Option<io::ErrorKind>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Stream {
    /// So many more bytes can be read.
    fn bring(&self, bytes: &[u8]) {
        let mut ends = self.0.lock().unwrap();
        ends.incoming.extend_from_slice(bytes);
        let waker = ends.reader.take();
        drop(ends);
        waker.inspect(Waker::wake_by_ref);
    }

    /// Reading fails.
    fn fail(&self, error: io::ErrorKind) {
        self.0.lock().unwrap().read_error = Some(error);
        self.bring(&[]);
    }

    /// So many more can be written.
    fn allow(&self, len: usize) {
        let mut ends = self.0.lock().unwrap();
        ends.capacity += len;
        let waker = ends.writer.take();
        drop(ends);
        waker.inspect(Waker::wake_by_ref);
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut ends = self.0.lock().unwrap();
        if let Some(error) = ends.read_error {
            return Poll::Ready(Err(error.into()));
        }
        if ends.incoming.is_empty() {
            ends.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let len = ends.incoming.len().min(buf.remaining());
        buf.put_slice(&ends.incoming[..len]);
        ends.incoming.drain(..len);
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
        let len = ends.capacity.min(bytes.len());
        if len == 0 {
            ends.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        ends.capacity -= len;
        ends.written.extend_from_slice(&bytes[..len]);
        Poll::Ready(Ok(len))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A task that is polled only when it was woken.
struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    woken: Arc<Flag>,
    is_done: bool,
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Task {
    fn new(future: impl Future<Output = ()> + 'static) -> Self {
        Self {
            future: Box::pin(future),
            woken: Arc::new(Flag(AtomicBool::new(true))),
            is_done: false,
        }
    }

    /// Polls if it was woken. Tells whether it was.
    fn run(&mut self) -> bool {
        if self.is_done || !self.woken.0.swap(false, Ordering::SeqCst) {
            return false;
        }
        let waker = Waker::from(self.woken.clone());
        let polled = self.future.as_mut().poll(&mut Context::from_waker(&waker));
        self.is_done = polled.is_ready();
        true
    }
}

fn open(stream: Stream, config: &Config) -> WebSocket<Stream> {
    WebSocket::upgraded(stream, Role::Server, Agreement::default(), vec![], config)
}

const MESSAGES: u8 = 6;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        rng_seed: RngSeed::Fixed(12),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    // Requirement 12: one waker for each direction, any order of polls and of
    // progress. Whoever is not woken is not polled: a lost wake-up shows.
    #[test]
    fn halves_lose_no_wake_up(steps in proptest::collection::vec((0..5_u8, 1..40_usize), 0..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _guard = runtime.enter();
        let stream = Stream::default();
        let config = config().with_max_unsent_len(20);
        let (mut reader, mut writer) = open(stream.clone(), &config).split();
        let mut other = writer.clone();
        let received = Arc::new(Mutex::new(Vec::new()));
        let told = received.clone();
        let mut tasks = [
            Task::new(async move {
                while let Some(message) = reader.next().await.unwrap() {
                    told.lock().unwrap().push(message);
                }
            }),
            Task::new(async move {
                for number in 0..MESSAGES {
                    writer.send(&[number; 15]).await.unwrap();
                }
            }),
            Task::new(async move {
                for number in 0..MESSAGES {
                    other.feed(&[100 + number; 9]).await.unwrap();
                }
                other.flush().await.unwrap();
            }),
        ];

        let mut incoming = wire(Role::Client);
        for number in 0..MESSAGES {
            incoming = incoming.ping(&[number]).binary(&[number; 30]);
        }
        let mut incoming: &[u8] = &incoming.bytes();
        for (step, len) in steps {
            match step {
                0 | 1 => {
                    let (bytes, rest) = incoming.split_at(len.min(incoming.len()));
                    stream.bring(bytes);
                    incoming = rest;
                }
                2 => stream.allow(len),
                task => {
                    tasks[usize::from(task - 3)].run();
                }
            }
        }
        stream.bring(incoming);
        stream.allow(usize::MAX / 2);
        while tasks.iter_mut().any(Task::run) {}
        prop_assert!(tasks[1].is_done && tasks[2].is_done, "a writer was not woken");
        let expected: Vec<Message> = (0..MESSAGES).map(|n| vec![n; 30].into()).collect();
        prop_assert_eq!(&*received.lock().unwrap(), &expected, "the reader was not woken");

        let close = wire(Role::Client).close(1000, "").bytes();
        stream.bring(&close);
        while tasks.iter_mut().any(Task::run) {}
        prop_assert!(tasks[0].is_done);
        let written = stream.0.lock().unwrap().written.clone();
        let frames = frames(&written);
        let sent = |first: u8| -> Vec<u8> {
            let data = frames.iter().filter(|(header, _)| !header.opcode.is_control());
            data.map(|(_, payload)| payload[0]).filter(|n| (n / 100) == first).collect()
        };
        prop_assert_eq!(sent(0), (0..MESSAGES).collect::<Vec<_>>());
        prop_assert_eq!(sent(1), (100..100 + MESSAGES).collect::<Vec<_>>());
        let pongs = frames.iter().filter(|(header, _)| header.opcode == sansocket::frame::Opcode::Pong);
        prop_assert_eq!(pongs.count(), usize::from(MESSAGES));
    }

    // The same of a socket that is not split, in two tasks that take turns.
    #[test]
    fn two_tasks_of_one_socket_lose_no_wake_up(
        steps in proptest::collection::vec((0..5_u8, 1..40_usize), 0..120)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _guard = runtime.enter();
        let stream = Stream::default();
        let ws = open(stream.clone(), &config().with_max_unsent_len(20));
        let (mut sink, mut receiver) = StreamExt::split(ws);
        let received = Arc::new(Mutex::new(0));
        let told = received.clone();
        let mut tasks = [
            Task::new(async move {
                while let Some(message) = receiver.next().await {
                    assert_eq!(message.unwrap().len(), 30);
                    *told.lock().unwrap() += 1;
                }
            }),
            Task::new(async move {
                for number in 0..MESSAGES {
                    sink.send(vec![number; 15].into()).await.unwrap();
                }
            }),
        ];
        let mut incoming = wire(Role::Client);
        for number in 0..MESSAGES {
            incoming = incoming.ping(&[number]).binary(&[number; 30]);
        }
        let mut incoming: &[u8] = &incoming.bytes();
        for (step, len) in steps {
            match step {
                0 => {
                    let (bytes, rest) = incoming.split_at(len.min(incoming.len()));
                    stream.bring(bytes);
                    incoming = rest;
                }
                1 | 2 => stream.allow(len),
                task => {
                    tasks[usize::from(task - 3)].run();
                }
            }
        }
        stream.bring(incoming);
        stream.allow(usize::MAX / 2);
        while tasks.iter_mut().any(Task::run) {}
        prop_assert!(tasks[1].is_done, "the writer was not woken");
        prop_assert_eq!(*received.lock().unwrap(), usize::from(MESSAGES), "the reader was not woken");
        stream.bring(&wire(Role::Client).close(1000, "").bytes());
        while tasks.iter_mut().any(Task::run) {}
        prop_assert!(tasks[0].is_done);
    }
}

/// Counts how often a future is polled.
struct Counted<F>(Pin<Box<F>>, Arc<AtomicUsize>);

impl<F: Future> Future for Counted<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.as_mut().poll(cx)
    }
}

/// A stream that always takes some, and of which nothing is ever read.
struct Eager;

impl AsyncRead for Eager {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Eager {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len().min(64 * 1024)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

// The other half and other tasks have their turn in between: after 2 MiB, of which half is
// masked and written directly, and then after each 1 MiB.
#[tokio::test]
async fn large_message_leaves_in_several_polls() {
    let (role, agreement) = (Role::Client, Agreement::default());
    let ws = WebSocket::upgraded(Eager, role, agreement, vec![], &config());
    let (_reader, mut writer) = ws.split();
    let polls = Arc::new(AtomicUsize::new(0));
    let sending = Box::pin(async move { writer.send(vec![7; 9 << 20]).await });
    Counted(sending, polls.clone()).await.unwrap();
    assert!(polls.load(Ordering::Relaxed) >= 8);
}

// A half that does not wait is not woken.
#[tokio::test(start_paused = true)]
async fn writer_is_woken_by_its_own_messages_alone() {
    let (ws, mut peer) = pair(4096, &config());
    let (mut reader, mut writer) = ws.split();
    let (passing, mut passed) = tokio::sync::mpsc::channel::<Message>(1);
    let polls = Arc::new(AtomicUsize::new(0));
    let writing = async move {
        while let Some(message) = passed.recv().await {
            // It waits for room in the stream once.
            writer.send(vec![0; 5000]).await.unwrap();
            writer.send(message).await.unwrap();
        }
    };
    tokio::spawn(Counted(Box::pin(writing), polls.clone()));
    let (hello, mut buf) = (wire(Role::Client).text("hello").bytes(), [0; 5011]);
    let reading = async move {
        for round in 0..200 {
            let message = reader.next().await.unwrap().unwrap();
            // Every other message is none of the writer's business.
            if round % 2 == 0 {
                passing.send(message).await.unwrap();
            }
        }
    };
    let peering = async {
        for _ in 0..100 {
            peer.write_all(&hello).await.unwrap();
            peer.read_exact(&mut buf).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
            peer.write_all(&hello).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::join!(reading, peering);
    let polls = polls.load(Ordering::Relaxed);
    assert!(polls <= 2 * 100 + 2, "{polls}");
}

// A close frame that the other task sent has a deadline that this one keeps.
#[tokio::test(start_paused = true)]
async fn close_deadline_is_kept_by_another_task_of_one_socket() {
    let (ws, _peer) = pair(4096, &config());
    let (mut sink, mut receiver) = StreamExt::split(ws);
    let reading = tokio::spawn(async move { receiver.next().await });
    tokio::task::yield_now().await;
    sink.close().await.unwrap();
    let ended = timeout(Duration::from_secs(6), reading).await;
    assert!(ended.expect("at the deadline").unwrap().unwrap().is_err());
}

// A ping whose future is dropped and made anew queues one frame.
#[tokio::test(start_paused = true)]
async fn pings_given_up_do_not_pile_up() {
    let (mut ws, _peer) = pair(16, &config());
    for _ in 0..100 {
        let _ = timeout(Duration::from_millis(1), ws.ping(&[7; 125])).await;
    }
    assert!(ws.unsent_len() <= 127, "{} unsent", ws.unsent_len());
    let (_reader, mut writer) = ws.split();
    for _ in 0..100 {
        let _ = timeout(Duration::from_millis(1), writer.ping(&[7; 125])).await;
    }
    assert!(writer.unsent_len() <= 127, "{} unsent", writer.unsent_len());
}

fn pair(
    len: usize,
    config: &Config,
) -> (WebSocket<tokio::io::DuplexStream>, tokio::io::DuplexStream) {
    let (ours, theirs) = duplex(len);
    let ws = WebSocket::upgraded(ours, Role::Server, Agreement::default(), vec![], config);
    (ws, theirs)
}

// Requirement 10: the reader has nothing to read, the writer sends a lot.
#[tokio::test]
async fn writer_sends_a_gibibyte_while_the_reader_is_idle() {
    const LEN: usize = 1 << 20;
    let (ws, mut peer) = pair(256 * 1024, &config());
    let (mut reader, mut writer) = ws.split();
    let reading = tokio::spawn(async move { reader.next().await });
    let counting = tokio::spawn(async move {
        let (mut buf, mut len) = (vec![0; 256 * 1024], 0);
        while len < 1024 * (LEN + 10) {
            len += peer.read(&mut buf).await.unwrap();
        }
        (peer, len)
    });
    let payload = vec![7; LEN];
    for _ in 0..1024 {
        writer.send(&payload).await.unwrap();
    }
    let (mut peer, len) = counting.await.unwrap();
    assert_eq!(len, 1024 * (LEN + 10));
    peer.write_all(&wire(Role::Client).text("at last").bytes())
        .await
        .unwrap();
    assert_eq!(reading.await.unwrap().unwrap(), Some("at last".into()));
}

// Requirement 10: automatic replies leave while nobody sends.
#[tokio::test]
async fn ping_is_answered_by_the_reader_alone() {
    let (ws, mut peer) = pair(4096, &config());
    let (mut reader, writer) = ws.split();
    let reading = tokio::spawn(async move { reader.next_event().await });
    peer.write_all(&wire(Role::Client).ping(b"you").bytes())
        .await
        .unwrap();
    assert_eq!(
        reading.await.unwrap().unwrap(),
        Some(Event::Ping(b"you".into()))
    );
    drop(writer);
}

// Requirement 10: the writer starts the closing handshake, the reader completes it.
#[tokio::test]
async fn close_by_the_writer_ends_the_reader() {
    let (ws, mut peer) = pair(4096, &config());
    let (mut reader, mut writer) = ws.split();
    let reading = tokio::spawn(async move { (reader.next().await, reader.outcome()) });
    writer.close(4000, "enough").await.unwrap();
    let mut frame = [0; 10];
    peer.read_exact(&mut frame).await.unwrap();
    assert_eq!(frame, *b"\x88\x08\x0f\xa0enough");
    peer.write_all(&wire(Role::Client).close(4000, "").bytes())
        .await
        .unwrap();
    let (next, outcome) = reading.await.unwrap();
    assert_eq!(next.unwrap(), None);
    assert!(outcome.unwrap().clean);
    assert!(writer.send("late").await.is_err());
}

// Requirement 15: a deadline that began in the other half.
#[tokio::test(start_paused = true)]
async fn close_deadline_is_kept_by_a_reader_that_waits() {
    let (ws, _peer) = pair(4096, &config());
    let (mut reader, mut writer) = ws.split();
    let reading = tokio::spawn(async move { reader.next().await });
    tokio::task::yield_now().await;
    writer.close(CloseCode::NORMAL, "").await.unwrap();
    let ended = timeout(Duration::from_secs(6), reading).await;
    assert!(ended.expect("at the deadline").unwrap().is_err());
}

// Requirement 28: who waits for room hears that the connection is over.
#[tokio::test(start_paused = true)]
async fn writer_at_the_bound_is_told_of_the_end() {
    let (ws, _peer) = pair(64, &config().with_max_unsent_len(100));
    let (mut reader, mut writer) = ws.split();
    let reading = tokio::spawn(async move { reader.next().await });
    let sent = timeout(Duration::from_secs(60), async {
        loop {
            if let Err(error) = writer.send(&[7; 90]).await {
                return error;
            }
        }
    });
    sent.await.expect("the write deadline");
    assert!(reading.await.unwrap().is_err());
}

// A message that never leaves is not reported as sent, whichever half finds out.
#[tokio::test(start_paused = true)]
async fn writer_is_told_of_a_stall_that_the_reader_found() {
    let (ws, _peer) = pair(64, &config());
    let (mut reader, mut writer) = ws.split();
    let reading = tokio::spawn(async move { reader.next().await });
    let writing = tokio::spawn(async move { writer.send(&[7; 5000]).await });
    let sent = timeout(Duration::from_secs(60), writing).await;
    let error = sent.expect("the write deadline").unwrap().unwrap_err();
    assert!(matches!(error, Error::Failed(_)), "{error}");
    assert!(reading.await.unwrap().is_err());
}

// The same where reading is what fails.
#[tokio::test]
async fn writer_is_told_of_an_error_that_the_reader_found() {
    let stream = Stream::default();
    let (mut reader, mut writer) = open(stream.clone(), &config()).split();
    let reading = tokio::spawn(async move { reader.next().await });
    let writing = tokio::spawn(async move { writer.send(&[7; 5000]).await });
    tokio::task::yield_now().await;
    stream.fail(io::ErrorKind::ConnectionReset);
    let sent = timeout(Duration::from_secs(20), writing).await;
    let error = sent.expect("the connection is over").unwrap().unwrap_err();
    assert!(matches!(error, Error::Io(_)), "{error}");
    assert!(reading.await.unwrap().is_err());
}
