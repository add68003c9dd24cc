//! The peers that attack: tasks in one thread, so that they take no more than one
//! processor from the server.

use std::error::Error;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf, copy, sink, split};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::sleep;

use crate::attacks::Kind;
use crate::target::{Raw, Target};

/// How long a peer waits before it connects again.
const PAUSE: Duration = Duration::from_millis(100);

/// What all peers did together.
#[derive(Default)]
pub(crate) struct Tally {
    connections: AtomicU64,
    sent_len: AtomicU64,
}

impl Tally {
    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// In bytes, without those of handshakes, TLS and HTTP/2.
    pub(crate) fn sent_len(&self) -> u64 {
        self.sent_len.load(Ordering::Relaxed)
    }
}

/// Peers that attack until they are stopped.
pub(crate) struct Peers {
    thread: JoinHandle<io::Result<()>>,
    stop: oneshot::Sender<()>,
    tally: Arc<Tally>,
}

impl Peers {
    pub(crate) fn start(kind: Kind, target: Target, count: usize) -> Self {
        let (stop, stopped) = oneshot::channel();
        let tally = Arc::new(Tally::default());
        let counting = tally.clone();
        let thread = thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let attacking = attack(kind, &target, count, &counting, stopped);
            runtime.block_on(LocalSet::new().run_until(attacking));
            Ok(())
        });
        Self {
            thread,
            stop,
            tally,
        }
    }

    /// Drops all connections.
    pub(crate) fn stop(self) -> Result<Arc<Tally>, Box<dyn Error>> {
        let _ = self.stop.send(());
        self.thread.join().map_err(|_| "an attack panicked")??;
        Ok(self.tally)
    }
}

async fn attack(
    kind: Kind,
    target: &Target,
    count: usize,
    tally: &Arc<Tally>,
    stopped: oneshot::Receiver<()>,
) {
    let target = Rc::new(target.clone());
    let mut peers = JoinSet::new();
    for number in 0..count {
        let (target, tally) = (target.clone(), tally.clone());
        peers.spawn_local(repeat(
            kind,
            Peer {
                number,
                count,
                target,
                tally,
            },
        ));
    }
    let _ = stopped.await;
}

async fn repeat(kind: Kind, peer: Peer) {
    loop {
        // That a server defends itself is no error.
        let _ = kind.attempt(&peer).await;
        sleep(PAUSE).await;
    }
}

/// One of the peers.
pub(crate) struct Peer {
    /// From 0: an attack with variants chooses one of them by it.
    pub(crate) number: usize,
    /// How many there are.
    pub(crate) count: usize,
    pub(crate) target: Rc<Target>,
    tally: Arc<Tally>,
}

impl Peer {
    /// A connection on which nothing was sent.
    pub(crate) async fn connect(&self) -> io::Result<Link> {
        Ok(self.link(Box::new(self.target.tcp().await?)))
    }

    /// A connection over which HTTP begins.
    pub(crate) async fn http(&self) -> io::Result<Link> {
        Ok(self.link(self.target.http().await?))
    }

    /// A connection after the opening handshake.
    pub(crate) async fn frames(&self) -> Result<Link, sansocket::Error> {
        self.frames_on(self.target.tcp().await?).await
    }

    pub(crate) async fn frames_on(&self, tcp: TcpStream) -> Result<Link, sansocket::Error> {
        Ok(self.link(self.target.frames(tcp).await?))
    }

    pub(crate) async fn compressed_frames(&self) -> Result<Link, sansocket::Error> {
        Ok(self.link(self.target.compressed_frames().await?))
    }

    pub(crate) fn link(&self, stream: Raw) -> Link {
        self.tally.connections.fetch_add(1, Ordering::Relaxed);
        let (reader, writer) = split(stream);
        let tally = self.tally.clone();
        Link {
            reader: Receiver(reader),
            writer: Sender { writer, tally },
        }
    }
}

/// A connection of a peer.
pub(crate) struct Link {
    pub(crate) reader: Receiver,
    pub(crate) writer: Sender,
}

pub(crate) struct Receiver(ReadHalf<Raw>);

impl Receiver {
    /// Discards what the server sends, until the sending ends or the connection.
    pub(crate) async fn discard_during(
        &mut self,
        sending: impl Future<Output = io::Result<()>>,
    ) -> io::Result<()> {
        tokio::select! {
            sent = sending => sent,
            end = self.discard() => end,
        }
    }

    /// Discards what the server sends, until the connection ends.
    pub(crate) async fn discard(&mut self) -> io::Result<()> {
        copy(&mut self.0, &mut sink()).await.map(drop)
    }
}

pub(crate) struct Sender {
    writer: WriteHalf<Raw>,
    tally: Arc<Tally>,
}

impl Sender {
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.write_all(bytes).await?;
        self.writer.flush().await?;
        let len = bytes.len() as u64;
        self.tally.sent_len.fetch_add(len, Ordering::Relaxed);
        Ok(())
    }

    /// Sends the same again in each period.
    pub(crate) async fn send_every(&mut self, period: Duration, bytes: &[u8]) -> io::Result<()> {
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.send(bytes).await?;
        }
    }
}
