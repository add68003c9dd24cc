//! A handler replies to messages with any mixture of `send` and `feed`, and waits
//! elsewhere in between: for a database, a lock or another socket. Whatever it waits
//! for, nothing that it has sent is left behind.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::wire::{config, wire};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sansocket::tokio::WebSocket;
use sansocket::{Agreement, Error, Role};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream whose reads and writes the test sees.
#[derive(Clone, Default)]
struct Stream(Rc<Ends>);

#[derive(Default)]
struct Ends {
    incoming: RefCell<VecDeque<u8>>,
    written: RefCell<Vec<u8>>,
    writes: Cell<usize>,
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut incoming = self.0.incoming.borrow_mut();
        if incoming.is_empty() {
            return Poll::Pending;
        }
        let len = buf.remaining().min(incoming.len());
        incoming
            .drain(..len)
            .for_each(|byte| buf.put_slice(&[byte]));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.writes.set(self.0.writes.get() + 1);
        self.0.written.borrow_mut().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What a handler does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Send,
    Feed,
    Flush,
    WaitElsewhere,
}

/// How far the handler is.
#[derive(Default)]
struct Progress {
    /// Replies that were passed to the socket.
    queued: Cell<usize>,
    /// How many of them must have left wherever the handler waits.
    promised: Cell<usize>,
    waits_elsewhere: Cell<bool>,
}

/// The frame of one reply.
const REPLY_LEN: usize = 2 + 5;

async fn wait_elsewhere(progress: &Progress) {
    progress.waits_elsewhere.set(true);
    let mut is_over = false;
    poll_fn(|_| {
        if std::mem::replace(&mut is_over, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    progress.waits_elsewhere.set(false);
}

async fn handle(
    mut ws: WebSocket<Stream>,
    steps: &[Vec<Step>],
    progress: &Progress,
) -> Result<(), Error> {
    let mut steps = steps.iter();
    while let Some(message) = ws.next().await? {
        for step in steps.next().expect("as many as messages") {
            match step {
                Step::Send => {
                    ws.send(&message).await?;
                    progress.queued.set(progress.queued.get() + 1);
                    progress.promised.set(progress.queued.get());
                }
                Step::Feed => {
                    ws.feed(&message).await?;
                    progress.queued.set(progress.queued.get() + 1);
                }
                Step::Flush => {
                    ws.flush().await?;
                    progress.promised.set(progress.queued.get());
                }
                Step::WaitElsewhere => wait_elsewhere(progress).await,
            }
        }
    }
    Ok(())
}

/// Runs the handler over bytes that arrive in these pieces. Returns the number of
/// writes.
fn run(steps: &[Vec<Step>], lens: &[usize]) -> usize {
    let bytes = wire(Role::Client).text("reply").bytes().repeat(steps.len());
    let mut bytes = VecDeque::from(bytes);
    let (stream, progress) = (Stream::default(), Progress::default());
    let agreement = Agreement::default();
    let config = config().with_ping_interval(None);
    let ws = WebSocket::upgraded(stream.clone(), Role::Server, agreement, vec![], &config);
    let mut handler = pin!(handle(ws, steps, &progress));
    let mut lens = lens.iter().cycle();
    loop {
        let polled = handler
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending(), "{polled:?}");
        let left = stream.0.written.borrow().len() / REPLY_LEN;
        let queued = progress.queued.get();
        if progress.waits_elsewhere.get() {
            assert!(left >= progress.promised.get(), "{left} of {queued} left");
        } else if stream.0.incoming.borrow().is_empty() {
            // It waits for a message.
            assert_eq!(left, queued);
            let len = bytes.len().min(*lens.next().expect("endless"));
            if len == 0 {
                return stream.0.writes.get();
            }
            stream.0.incoming.borrow_mut().extend(bytes.drain(..len));
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let step = prop_oneof![
        Just(Step::Send),
        Just(Step::Feed),
        Just(Step::Feed),
        Just(Step::Flush),
        Just(Step::WaitElsewhere),
    ];
    vec(vec(step, 0..6), 1..100)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000,
        rng_seed: RngSeed::Fixed(6455),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn nothing_sent_is_left_behind(steps in steps(), lens in vec(1..500_usize, 1..10)) {
        run(&steps, &lens);
    }

    #[test]
    fn fed_replies_leave_once_for_each_read(count in 1..400_usize, lens in vec(1..2000_usize, 1..10)) {
        let len = count * (2 + 4 + 5);
        let average = lens.iter().sum::<usize>() as f64 / lens.len() as f64;
        // A turn ends after 256 messages, with a write.
        let reads = len as f64 / average + lens.len() as f64 + count as f64 / 200.0;
        let writes = run(&vec![vec![Step::Feed]; count], &lens);
        prop_assert!(writes as f64 <= reads.ceil(), "{writes} writes, {reads} reads");
    }
}
