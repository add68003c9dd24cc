//! A relay that shows what passes: the handshake and each frame, in both directions.
//! Bytes are forwarded as they are, so that masks, fragments, compression and even
//! broken frames reach the other side untouched. Each direction holds one buffer:
//! who reads slowly slows down who sends, and each side ends by itself.
//! `cargo run --release -p sansocket-apps --bin proxy 127.0.0.1:9000 ws://127.0.0.1:9001`

#[path = "../../common/accept.rs"]
mod accept;
mod head;
mod trace;

use std::env;
use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sansocket::Uri;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::ctrl_c;
use tokio::time::timeout;

use head::{Head, read_head};
use trace::Trace;

const USAGE: &str = "usage: proxy LISTEN_ADDR ws://UPSTREAM_HOST[:PORT]";
/// What one direction holds, in bytes.
const BUFFER_LEN: usize = 16 * 1024;
/// How long a head may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let (Some(addr), Some(upstream)) = (args.next(), args.next()) else {
        return Err(USAGE.into());
    };
    let upstream = Uri::parse(&upstream)?;
    if upstream.is_secure() {
        return Err("the upstream must be ws://: this relay does no TLS".into());
    }
    let listener = TcpListener::bind(addr).await?;
    println!("listening on ws://{}", listener.local_addr()?);
    println!("open http://{}/", listener.local_addr()?);

    let upstream = Arc::new(upstream);
    let mut number = 0;
    // Made once: an interrupt between two of them would be lost.
    let mut interrupt = pin!(ctrl_c());
    loop {
        let (client, peer) = tokio::select! {
            accepted = accept::next(&listener) => accepted,
            _ = &mut interrupt => return Ok(()),
        };
        number += 1;
        let (upstream, log) = (upstream.clone(), Log::new(number));
        log.show('*', format_args!("from {peer}"));
        tokio::spawn(async move {
            match relay(client, &upstream, log).await {
                Ok(()) => log.show('*', "end"),
                Err(error) => log.show('*', error),
            }
        });
    }
}

/// Forwards one connection from its first byte to its last.
async fn relay(mut client: TcpStream, upstream: &Uri, log: Log) -> io::Result<()> {
    let mut server = TcpStream::connect((upstream.host(), upstream.port())).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let request = forward_head(&mut client, &mut server, log, '>').await?;
    let mut opens = false;
    // Before the response there may be others: RFC 9110 §15.2.
    while request.is_upgrade() {
        let response = forward_head(&mut server, &mut client, log, '<').await?;
        opens = response.status() == Some(101);
        if opens || !response.is_interim() {
            break;
        }
    }
    if !opens {
        // Plain HTTP, or a refusal with its body.
        return tokio::io::copy_bidirectional(&mut client, &mut server)
            .await
            .map(drop);
    }
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    // An error ends both directions.
    tokio::try_join!(
        forward_frames(&mut from_client, &mut to_server, log, '>'),
        forward_frames(&mut from_server, &mut to_client, log, '<'),
    )?;
    Ok(())
}

/// Forwards the head of a request or response.
async fn forward_head(
    from: &mut TcpStream,
    to: &mut TcpStream,
    log: Log,
    direction: char,
) -> io::Result<Head> {
    let head = timeout(HEAD_TIMEOUT, read_head(from)).await??;
    for line in head.lines() {
        log.show(direction, line);
    }
    to.write_all(head.bytes()).await?;
    Ok(head)
}

/// Forwards one direction until it ends, and closes the other side.
async fn forward_frames(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    log: Log,
    direction: char,
) -> io::Result<()> {
    let (mut buf, mut trace) = (vec![0; BUFFER_LEN], Trace::default());
    loop {
        let len = from.read(&mut buf).await?;
        if len == 0 {
            let within = if trace.is_within_frame() {
                " within a frame"
            } else {
                ""
            };
            log.show(direction, format_args!("end of stream{within}"));
            return to.shutdown().await;
        }
        let bytes = &mut buf[..len];
        for line in trace.lines(bytes) {
            log.show(direction, line);
        }
        // The decoder lends payloads out of these bytes and changes none.
        to.write_all(bytes).await?;
    }
}

/// Shows lines with the connection's number and the time since its start.
#[derive(Clone, Copy)]
struct Log {
    number: u64,
    start: Instant,
}

impl Log {
    fn new(number: u64) -> Self {
        Self {
            number,
            start: Instant::now(),
        }
    }

    fn show(self, direction: char, line: impl fmt::Display) {
        let time = self.start.elapsed().as_secs_f64();
        // The relay goes on if nobody reads its output.
        let _ = writeln!(
            io::stdout(),
            "#{} {time:8.3} s {direction} {line}",
            self.number
        );
    }
}
