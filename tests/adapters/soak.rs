//! Many connections at once over real sockets, each full duplex: clients that
//! send and receive all the time, that read slowly, that go away in the middle or
//! close in the middle, over streams that are cut anywhere. Every message is
//! accounted for.
//!
//! Bounded by default. `SOAK_SECONDS=600 SOAK_CONNECTIONS=1000` runs for ten
//! minutes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use std::{env, io};

use sansocket::tokio::{Error, Reader, WebSocket, Writer, accept};
use sansocket::{ClientRequest, Config, Event, Message};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

/// How long the closing handshake may take.
const MAX_CLOSING: Duration = Duration::from_secs(300);

/// What happened on all connections together.
#[derive(Debug, Default)]
struct Account {
    connections: AtomicU64,
    aborted: AtomicU64,
    sent: AtomicU64,
    echoed: AtomicU64,
    /// Sent on connections that were aborted, and so perhaps not echoed.
    lost: AtomicU64,
    /// How often the server saw each error.
    errors: Mutex<BTreeMap<String, u64>>,
}

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Steady,
    SlowReader,
    /// Drops the socket after so many echoes.
    Abort(u64),
    /// Closes after so many echoes, while it still sends.
    Close(u64),
}

/// A generator of its own for each connection: a run can be repeated.
struct Noise(u64);

impl Noise {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    fn manner(&mut self) -> Manner {
        match self.next(8) {
            0..=4 => Manner::Steady,
            5 => Manner::SlowReader,
            6 => Manner::Abort(self.next(20)),
            _ => Manner::Close(self.next(20)),
        }
    }

    /// Mostly short, some longer than any buffer on the way.
    fn len(&mut self) -> usize {
        let below = [100, 1000, 10_000, 300_000][self.next(4) as usize];
        8 + self.next(below) as usize
    }
}

fn setting(name: &str, default: u64) -> u64 {
    let value = env::var(name).ok().and_then(|value| value.parse().ok());
    value.unwrap_or(default)
}

/// A socket whose reads and writes are cut at random.
struct Cut {
    stream: TcpStream,
    noise: Noise,
    /// The longest piece.
    max_len: u64,
}

impl Cut {
    fn len(&mut self) -> usize {
        1 + self.noise.next(self.max_len) as usize
    }
}

impl AsyncRead for Cut {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let len = self.len().min(buf.remaining());
        let mut piece = ReadBuf::new(buf.initialize_unfilled_to(len));
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut piece))?;
        let len = piece.filled().len();
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
        let len = self.len().min(bytes.len());
        Pin::new(&mut self.stream).poll_write(cx, &bytes[..len])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A socket with buffers of this many bytes. With those that the system chooses
/// a thousand connections exceed what it gives to TCP: it drops packets, and
/// retransmits after minutes.
fn socket(buffer_len: u32) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_send_buffer_size(buffer_len).unwrap();
    socket.set_recv_buffer_size(buffer_len).unwrap();
    socket
}

/// Half of the sockets have smaller buffers, and half are cut into small pieces.
async fn dial(addr: SocketAddr, noise: &mut Noise) -> Cut {
    let socket = socket([1 << 14, 1 << 16][noise.next(2) as usize]);
    Cut {
        stream: socket.connect(addr).await.unwrap(),
        max_len: [1 << 10, 1 << 20][noise.next(2) as usize],
        noise: Noise(noise.next(u64::MAX) | 1),
    }
}

async fn serve(stream: TcpStream, config: &Config, drives: bool) -> Result<(), Error> {
    let mut ws = accept(stream, config).await?;
    if drives {
        return drive(ws).await;
    }
    while let Some(message) = ws.next().await? {
        ws.send(message).await?;
    }
    Ok(())
}

async fn drive(mut ws: WebSocket<TcpStream>) -> Result<(), Error> {
    while ws
        .drive(|ws, event, out| match event {
            Event::Message(message) => ws.send(message, out),
            _ => Ok(()),
        })
        .await?
    {}
    Ok(())
}

fn payload(number: u64, len: usize) -> Vec<u8> {
    let mut payload = vec![number as u8; len];
    payload[..8].copy_from_slice(&number.to_be_bytes());
    payload
}

fn is_payload(message: &Message, number: u64) -> bool {
    let bytes = message.as_bytes();
    bytes.starts_with(&number.to_be_bytes()) && bytes[8..].iter().all(|byte| *byte == number as u8)
}

type Halves = (Reader<Cut>, Writer<Cut>);

/// Sends while it receives. Returns how many messages were sent and echoed.
async fn exchange(
    (mut reader, mut writer): Halves,
    (manner, mut noise): (Manner, Noise),
    until: Instant,
) -> (u64, u64) {
    let closer = writer.clone();
    let sending = async move {
        let mut sent = 0;
        while Instant::now() < until && writer.send(payload(sent, noise.len())).await.is_ok() {
            sent += 1;
        }
        let _ = writer.close(1000, "").await;
        sent
    };
    let receiving = async move {
        let mut echoed = 0;
        loop {
            let message = match reader.next().await {
                Ok(Some(message)) => message,
                Ok(None) => break,
                Err(error) => panic!("{manner:?} after {echoed} echoes: {error}"),
            };
            assert!(is_payload(&message, echoed), "message {echoed} is another");
            echoed += 1;
            match manner {
                Manner::SlowReader => sleep(Duration::from_millis(5)).await,
                Manner::Abort(after) if echoed > after => break,
                // In another task: it waits until the unsent bytes are written, and
                // for that this task must receive.
                Manner::Close(after) if echoed == after + 1 => {
                    let mut closer = closer.clone();
                    tokio::spawn(async move { closer.close(1000, "").await.is_ok() });
                }
                _ => {}
            }
        }
        echoed
    };
    let receiving = tokio::spawn(receiving);
    let sending = tokio::spawn(sending);
    let echoed = receiving.await.unwrap();
    if let Manner::Abort(_) = manner {
        sending.abort();
    }
    // What an aborted task had sent nobody knows.
    (sending.await.unwrap_or(echoed), echoed)
}

async fn client(addr: SocketAddr, mut noise: Noise, until: Instant, account: &Account) {
    // On a busy machine, the server can take minutes to send everything to all clients
    // that are closing.
    let config = Config::new().with_close_timeout(MAX_CLOSING);
    let request = ClientRequest::to("ws://localhost/").unwrap();
    while Instant::now() < until {
        let stream = dial(addr, &mut noise).await;
        let ws = WebSocket::client(stream, &request, &config).unwrap();
        let ws = ws.connect().await.unwrap();
        let manner = noise.manner();
        let span = Duration::from_millis(200 + noise.next(3000));
        let own = Noise(noise.next(u64::MAX) | 1);
        let end = until.min(Instant::now() + span);
        let exchanged = timeout(2 * MAX_CLOSING, exchange(ws.split(), (manner, own), end));
        let (sent, echoed) = exchanged
            .await
            .unwrap_or_else(|_| panic!("{manner:?} hangs"));
        account.connections.fetch_add(1, Relaxed);
        account.sent.fetch_add(sent, Relaxed);
        account.echoed.fetch_add(echoed, Relaxed);
        account.lost.fetch_add(sent - echoed, Relaxed);
        if let Manner::Abort(_) = manner {
            account.aborted.fetch_add(1, Relaxed);
        }
        if let Manner::Steady | Manner::SlowReader = manner {
            assert_eq!(sent, echoed, "{manner:?}: each message comes back");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_is_accounted_for() {
    let (seconds, connections) = (setting("SOAK_SECONDS", 5), setting("SOAK_CONNECTIONS", 50));
    let listener = socket(1 << 16);
    listener.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = listener.listen(1024).unwrap();
    let addr = listener.local_addr().unwrap();
    let account = Arc::<Account>::default();
    let served = account.clone();
    tokio::spawn(async move {
        let config = Config::new();
        for number in 0_u64.. {
            let (stream, _) = listener.accept().await.unwrap();
            let (config, account) = (config.clone(), served.clone());
            tokio::spawn(async move {
                if let Err(error) = serve(stream, &config, number % 2 == 0).await {
                    let mut errors = account.errors.lock().unwrap();
                    *errors.entry(error.to_string()).or_default() += 1;
                }
            });
        }
    });
    let until = Instant::now() + Duration::from_secs(seconds);
    let clients: Vec<_> = (1..=connections)
        .map(|number| {
            let account = account.clone();
            let noise = Noise(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            tokio::spawn(async move { client(addr, noise, until, &account).await })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    println!("{account:?}");
    let [sent, echoed, lost] = [&account.sent, &account.echoed, &account.lost];
    assert_eq!(
        sent.load(Relaxed),
        echoed.load(Relaxed) + lost.load(Relaxed)
    );
    assert!(account.connections.load(Relaxed) >= connections);
    // Only clients that abort are errors of the server.
    let errors: u64 = account.errors.lock().unwrap().values().sum();
    assert!(errors <= account.aborted.load(Relaxed));
}
