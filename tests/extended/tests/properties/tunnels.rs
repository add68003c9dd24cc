//! Two tunnels over a stream that is cut anywhere, with writes, pauses and
//! shutdowns in any order: all bytes arrive, both directions end, and nothing
//! waits for a deadline.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::wire::config;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sansocket::tokio::{Tunnel, WebSocket};
use sansocket::{Agreement, Role};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, copy_bidirectional,
    duplex, split,
};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

/// Passes a few bytes at a time, and sometimes none at once.
struct Cut {
    stream: DuplexStream,
    lens: Vec<usize>,
    reads: usize,
    writes: usize,
}

/// How much passes in this turn.
fn next_len(lens: &[usize], turn: &mut usize, cx: &Context<'_>) -> Poll<usize> {
    *turn += 1;
    match lens[*turn % lens.len()] {
        0 => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        len => Poll::Ready(len),
    }
}

impl AsyncRead for Cut {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let len = ready!(next_len(&this.lens, &mut this.reads, cx)).min(buf.remaining());
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(len));
        ready!(Pin::new(&mut this.stream).poll_read(cx, &mut part))?;
        let len = part.filled().len();
        buf.advance(len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Cut {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let len = ready!(next_len(&this.lens, &mut this.writes, cx)).min(bytes.len());
        Pin::new(&mut this.stream).poll_write(cx, &bytes[..len])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// What an end does before it shuts its direction down.
#[derive(Clone, Debug)]
enum Act {
    Write(usize),
    Flush,
    /// Waits for so many milliseconds.
    Sleep(u64),
    /// Waits for the end of the other direction.
    AwaitEnd,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => (0..6000_usize).prop_map(Act::Write),
        2 => Just(Act::Flush),
        2 => (0..30_000_u64).prop_map(Act::Sleep),
    ]
}

/// The acts of both ends, of which at most one awaits the other's end.
fn acts() -> impl Strategy<Value = [Vec<Act>; 2]> {
    let acts = || vec(act(), 0..8);
    let awaits = proptest::option::of((0..2_usize, any::<prop::sample::Index>()));
    ([acts(), acts()], awaits).prop_map(|(mut acts, awaits)| {
        if let Some((end, place)) = awaits {
            let place = place.index(acts[end].len() + 1);
            acts[end].insert(place, Act::AwaitEnd);
        }
        acts
    })
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n % 251) as u8).collect()
}

fn sent_len(acts: &[Act]) -> usize {
    let lens = acts.iter().map(|act| match act {
        Act::Write(len) => *len,
        _ => 0,
    });
    lens.sum()
}

async fn write(
    mut writer: impl AsyncWrite + Unpin,
    acts: Vec<Act>,
    ended: oneshot::Receiver<()>,
) -> impl AsyncWrite {
    let bytes = pattern(sent_len(&acts));
    let (mut rest, mut ended) = (&*bytes, Some(ended));
    for act in acts {
        match act {
            Act::Write(len) => {
                let (piece, behind) = rest.split_at(len);
                writer.write_all(piece).await.unwrap();
                rest = behind;
            }
            Act::Flush => writer.flush().await.unwrap(),
            Act::Sleep(millis) => sleep(Duration::from_millis(millis)).await,
            Act::AwaitEnd => {
                writer.flush().await.unwrap();
                ended.take().unwrap().await.unwrap();
            }
        }
    }
    writer.shutdown().await.unwrap();
    writer
}

/// Acts and reads to the end.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    acts: Vec<Act>,
) -> Vec<u8> {
    let (mut reader, writer) = split(stream);
    let (has_ended, ended) = oneshot::channel();
    let writing = tokio::spawn(async move { drop(write(writer, acts, ended).await) });
    let mut received = Vec::new();
    reader.read_to_end(&mut received).await.unwrap();
    let _ = has_ended.send(());
    writing.await.unwrap();
    received
}

/// The same through a relay, which polls both directions in one task.
async fn converse_behind_relay(mut tunnel: Tunnel<Cut>, acts: Vec<Act>) -> Vec<u8> {
    let (mut near, far) = duplex(1000);
    let relay = tokio::spawn(async move { copy_bidirectional(&mut tunnel, &mut near).await });
    let received = converse(far, acts).await;
    relay.await.unwrap().unwrap();
    received
}

async fn run(acts: [Vec<Act>; 2], relays: [bool; 2], cuts: [Vec<usize>; 2], capacity: usize) {
    // A wait that only a deadline ends would show in the clock.
    let config = config()
        .with_close_timeout(Duration::from_secs(36_000))
        .with_ping_interval(Duration::from_secs(7));
    let start = Instant::now();
    let (near, far) = duplex(capacity);
    let mut ends = Vec::new();
    let roles = [Role::Client, Role::Server];
    for (index, (stream, role)) in [near, far].into_iter().zip(roles).enumerate() {
        let stream = Cut {
            stream,
            lens: cuts[index].clone(),
            reads: 0,
            writes: 0,
        };
        let agreement = Agreement::default();
        let ws = WebSocket::upgraded(stream, role, agreement, vec![], &config);
        let (tunnel, acts) = (ws.into_tunnel(), acts[index].clone());
        ends.push(if relays[index] {
            tokio::spawn(converse_behind_relay(tunnel, acts))
        } else {
            tokio::spawn(converse(tunnel, acts))
        });
    }
    for (end, peer) in ends.into_iter().zip([1, 0]) {
        assert!(end.await.unwrap() == pattern(sent_len(&acts[peer])));
    }
    assert!(start.elapsed() < Duration::from_secs(3600), "waited");
}

/// How many bytes pass at a time; eventually more than none.
fn cuts() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![1 => Just(0), 4 => 1..3000_usize], 1..8).prop_map(|mut lens| {
        lens.push(100);
        lens
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 500,
        rng_seed: RngSeed::Fixed(6455),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn tunnels_lose_nothing_in_any_order(
        acts in acts(),
        relays in any::<[bool; 2]>(),
        cuts in [cuts(), cuts()],
        capacity in prop_oneof![1..200_usize, 1000..10_000_usize],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(run(acts, relays, cuts, capacity));
    }
}
