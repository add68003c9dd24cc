//! Drivers for this library and for those that it is compared with: each reads
//! the same pieces of the same stream, after the handshake.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_util::{Sink, Stream};
use sansocket::{ConnectionError, Input, Role};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tungstenite::error::ProtocolError as TungsteniteProtocolError;

use crate::model::{Reading, Seen, Verdict, verdict};

/// The limit on messages and frames that all of them get.
pub const MAX_LEN: usize = 100_000;

/// What is read, and how.
#[derive(Clone, Copy, Debug)]
pub struct Case<'c> {
    pub role: Role,
    /// Whether the endpoint has sent a close frame before it reads.
    pub is_closing: bool,
    pub pieces: &'c [&'c [u8]],
}

/// What an endpoint made of a stream, and what it wrote.
#[derive(Debug)]
pub struct Transcript {
    pub reading: Reading,
    pub out: Vec<u8>,
    /// The error, for this library.
    pub error: Option<ConnectionError>,
}

/// This library.
pub fn sansocket(case: Case<'_>) -> Transcript {
    let config = crate::config()
        .with_max_message_len(MAX_LEN)
        .with_max_frame_len(MAX_LEN)
        .with_max_fragments(u32::MAX);
    let mut ws = crate::open(case.role, &config);
    let mut out = Vec::new();
    if case.is_closing {
        ws.close(1000, "", &mut out).expect("open");
    }
    let mut seen = Vec::new();
    for piece in case.pieces.iter().chain([&&[][..]]) {
        let mut piece = piece.to_vec();
        let mut input = Input::new(&mut piece);
        while let Some(event) = ws.receive(&mut input, &mut out) {
            seen.extend(Seen::of(&event));
        }
    }
    let error = ws.outcome().expect("the stream has ended").cause;
    Transcript {
        reading: Reading {
            seen,
            verdict: error.map_or(Verdict::Closed, verdict),
        },
        out,
        error,
    }
}

/// tungstenite. It writes no close frame for a fault, so that the code is that of
/// the kind of its error (§7.4.1).
pub fn tungstenite(case: Case<'_>) -> Transcript {
    use tungstenite::protocol::{Role as Side, WebSocketConfig};
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_LEN))
        .max_frame_size(Some(MAX_LEN))
        .read_buffer_size(64)
        .write_buffer_size(0);
    let side = match case.role {
        Role::Client => Side::Client,
        Role::Server => Side::Server,
    };
    let wire = Wire::new(case.pieces);
    let mut ws = tungstenite::WebSocket::from_raw_socket(wire, side, Some(config));
    if case.is_closing {
        ws.close(None).expect("open");
    }
    let mut seen = Vec::new();
    let verdict = loop {
        match ws.read() {
            Ok(message) => seen.extend(seen_by_tungstenite(message)),
            Err(error) => break verdict_of_tungstenite(&error),
        }
        if let Some(Seen::Close(..)) = seen.last() {
            break Verdict::Closed;
        }
    };
    let _ = ws.flush();
    Transcript {
        reading: Reading { seen, verdict },
        out: ws.into_inner().written,
        error: None,
    }
}

fn seen_by_tungstenite(message: tungstenite::Message) -> Option<Seen> {
    use tungstenite::Message;
    Some(match message {
        Message::Text(text) => Seen::Text(text.as_bytes().into()),
        Message::Binary(bytes) => Seen::Binary(bytes.into()),
        Message::Ping(bytes) => Seen::Ping(bytes.into()),
        Message::Pong(bytes) => Seen::Pong(bytes.into()),
        Message::Close(Some(close)) => Seen::Close(close.code.into(), close.reason.as_str().into()),
        Message::Close(None) => Seen::Close(1005, String::new()),
        Message::Frame(_) => return None,
    })
}

fn verdict_of_tungstenite(error: &tungstenite::Error) -> Verdict {
    use tungstenite::Error;
    match error {
        Error::Protocol(TungsteniteProtocolError::ResetWithoutClosingHandshake) => Verdict::Eof,
        Error::Protocol(_) => Verdict::Failed(1002),
        Error::Utf8(_) => Verdict::Failed(1007),
        Error::Capacity(_) => Verdict::Failed(1009),
        error => panic!("{error:?}"),
    }
}

/// tokio-websockets.
pub fn tokio_websockets(case: Case<'_>) -> Transcript {
    use tokio_websockets::{ClientBuilder, Limits, ServerBuilder};
    let (wire, limits) = (
        Wire::new(case.pieces),
        Limits::default().max_payload_len(Some(MAX_LEN)),
    );
    let mut ws = match case.role {
        Role::Client => ClientBuilder::new().limits(limits).take_over(wire),
        Role::Server => ServerBuilder::new().limits(limits).serve(wire),
    };
    let mut context = Context::from_waker(Waker::noop());
    if case.is_closing {
        let close = tokio_websockets::Message::close(None, "");
        Pin::new(&mut ws).start_send(close).expect("open");
    }
    let mut seen = Vec::new();
    let verdict = loop {
        match Pin::new(&mut ws).poll_next(&mut context) {
            Poll::Ready(Some(Ok(message))) => seen.push(seen_by_tokio_websockets(message)),
            Poll::Ready(Some(Err(error))) => break verdict_of_tokio_websockets(&error),
            Poll::Ready(None) => break Verdict::Eof,
            Poll::Pending => panic!("the wire is never pending"),
        }
        if let Some(Seen::Close(..)) = seen.last() {
            break Verdict::Closed;
        }
    };
    let _ = Pin::new(&mut ws).poll_flush(&mut context);
    Transcript {
        reading: Reading { seen, verdict },
        out: ws.into_inner().written,
        error: None,
    }
}

fn seen_by_tokio_websockets(message: tokio_websockets::Message) -> Seen {
    // Not `as_text`, which is unsound after the difference "empty last fragment".
    let payload = message.as_payload().to_vec();
    if message.is_text() {
        Seen::Text(payload)
    } else if message.is_binary() {
        Seen::Binary(payload)
    } else if message.is_ping() {
        Seen::Ping(payload)
    } else if message.is_pong() {
        Seen::Pong(payload)
    } else {
        let (code, reason) = message.as_close().expect("the only other kind");
        match payload.is_empty() {
            true => Seen::Close(1005, String::new()),
            false => Seen::Close(code.into(), reason.into()),
        }
    }
}

fn verdict_of_tokio_websockets(error: &tokio_websockets::Error) -> Verdict {
    use tokio_websockets::Error;
    use tokio_websockets::proto::ProtocolError::InvalidUtf8;
    match error {
        Error::Protocol(InvalidUtf8) => Verdict::Failed(1007),
        Error::Protocol(_) => Verdict::Failed(1002),
        Error::PayloadTooLong { .. } => Verdict::Failed(1009),
        // Bytes of a frame were left at the end of the stream.
        Error::Io(_) => Verdict::Eof,
        error => panic!("{error:?}"),
    }
}

/// A transport in memory: reads the pieces, then the end of the stream, and keeps
/// what is written.
#[derive(Debug)]
pub struct Wire {
    pieces: VecDeque<Vec<u8>>,
    pub written: Vec<u8>,
}

impl Wire {
    pub fn new(pieces: &[&[u8]]) -> Self {
        Self {
            pieces: pieces.iter().map(|piece| piece.to_vec()).collect(),
            written: Vec::new(),
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(piece) = self.pieces.front_mut() else {
            return Ok(0);
        };
        let len = piece.len().min(buf.len());
        buf[..len].copy_from_slice(&piece[..len]);
        piece.drain(..len);
        if piece.is_empty() {
            self.pieces.pop_front();
        }
        Ok(len)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let len = self.get_mut().read(buf.initialize_unfilled())?;
        buf.advance(len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.get_mut().write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
