//! A TLS stream that two threads can use at once: the rustls session is in a mutex,
//! which is never held while a thread waits for the socket.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;
use std::vec::Vec;

use super::connect::within;
use super::{Duplex, Socket};

/// A TLS stream, of a client or a server. `&TlsStream` implements `Read` and `Write` too,
/// so that one thread can receive while another one sends.
///
/// A server:
///
/// ```no_run
/// # use std::net::TcpStream;
/// use std::{sync::Arc, time::Duration};
/// use sansocket::blocking::{Socket, Stream, TlsStream, WebSocket};
/// use sansocket::Config;
///
/// # fn serve(tcp: TcpStream, tls: Arc<rustls::ServerConfig>) -> Result<(), Box<dyn std::error::Error>> {
/// let tls = TlsStream::new(tcp, rustls::ServerConnection::new(tls)?);
/// tls.complete_handshake(Some(Duration::from_secs(10)))?;
/// let mut ws = WebSocket::server(Stream::from(tls), &Config::new()).with_socket(Socket::stream());
/// while let Some(message) = ws.next()? {
///     ws.send(message)?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TlsStream<S = TcpStream> {
    stream: S,
    socket: Option<Socket<S>>,
    session: Mutex<rustls::Connection>,
    received: Mutex<Received>,
    /// Unsent records.
    sending: Mutex<Sending>,
    sending_len: AtomicUsize,
}

/// Bytes of records that the session has not accepted yet.
#[derive(Debug, Default)]
struct Received {
    buf: Vec<u8>,
    start: usize,
    end: usize,
}

#[derive(Debug, Default)]
struct Sending {
    records: Vec<u8>,
    start: usize,
}

/// How many bytes are read at once: more, up to the maximum, after a read that has filled
/// the buffer.
const MIN_READ_LEN: usize = 4 * 1024;
const MAX_READ_LEN: usize = 64 * 1024;

/// How many bytes are encrypted at once.
const WRITE_LEN: usize = 64 * 1024;

impl Received {
    /// Reads once, when all records were taken.
    fn fill(&mut self, stream: &impl Duplex) -> io::Result<()> {
        let was_filled = self.end > 0 && self.end == self.buf.len();
        let len = if was_filled { self.end * 2 } else { 0 };
        let len = len.clamp(MIN_READ_LEN, MAX_READ_LEN).max(self.buf.len());
        self.buf.resize(len, 0);
        (self.start, self.end) = (0, 0);
        let read = Duplex::read(stream, &mut self.buf);
        if read.is_err() && self.buf.len() > MIN_READ_LEN {
            // Nothing arrives for the moment.
            self.buf = Vec::new();
        }
        self.end = read?;
        Ok(())
    }
}

impl TlsStream {
    /// Creates a TLS stream over TCP, with a new rustls session. The first read or write
    /// does the TLS handshake.
    pub fn new(tcp: TcpStream, session: impl Into<rustls::Connection>) -> Self {
        Self::over(tcp, Socket::tcp(), session)
    }

    /// Returns the TCP stream.
    pub const fn tcp(&self) -> &TcpStream {
        self.get_ref()
    }
}

impl<S> TlsStream<S> {
    /// Creates a TLS stream over any stream, like [`new`](TlsStream::new). Without a
    /// [`Socket`], no deadlines are enforced.
    pub fn over(
        stream: S,
        socket: impl Into<Option<Socket<S>>>,
        session: impl Into<rustls::Connection>,
    ) -> Self {
        Self {
            stream,
            socket: socket.into(),
            session: Mutex::new(session.into()),
            received: Mutex::default(),
            sending: Mutex::default(),
            sending_len: AtomicUsize::new(0),
        }
    }

    /// Returns the inner stream.
    pub const fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Returns the inner stream, to change its options.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    pub(super) const fn socket(&self) -> Option<&Socket<S>> {
        self.socket.as_ref()
    }

    /// Calls `ask` with the rustls session: for the negotiated ALPN protocol, or the
    /// certificates of the peer.
    ///
    /// ```no_run
    /// # fn user(tls: &sansocket::blocking::TlsStream) -> bool {
    /// // A server that requires client certificates.
    /// let has_certificate = tls.with_session(|session| session.peer_certificates().is_some());
    /// # has_certificate }
    /// ```
    pub fn with_session<R>(&self, ask: impl FnOnce(&rustls::Connection) -> R) -> R {
        ask(&lock(&self.session))
    }

    /// How many bytes of records are unsent.
    pub(super) fn sending_len(&self) -> usize {
        self.sending_len.load(Ordering::Relaxed)
    }

    fn is_handshaking(&self) -> bool {
        lock(&self.session).is_handshaking()
    }
}

impl<S: Duplex> TlsStream<S> {
    /// Completes the TLS handshake within this time.
    ///
    /// # Errors
    ///
    /// `TimedOut`, `InvalidData` if the peer breaks a rule or its certificate is not
    /// trusted, and the errors of the stream.
    pub fn complete_handshake(&self, timeout: Option<Duration>) -> io::Result<()> {
        within(&self.stream, self.socket, timeout, |timed| {
            let mut received = lock(&self.received);
            while self.is_handshaking() {
                timed.call(|| self.send_some(&mut lock(&self.sending)))?;
                if self.is_handshaking() && timed.call(|| self.receive(&mut received))? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            timed.call(|| self.send_some(&mut lock(&self.sending)))
        })
    }

    /// Sends `close_notify` and ends the outgoing direction.
    pub(super) fn shutdown_write(&self) -> io::Result<()> {
        // A thread that is in the middle of writing has records that would
        // have to leave before.
        if let Some(mut sending) = try_lock(&self.sending) {
            lock(&self.session).send_close_notify();
            // A peer that does not read will not miss it.
            let _ = self.send(&mut sending);
        }
        match self.socket {
            Some(socket) => (socket.shutdown_write)(&self.stream),
            None => Ok(()),
        }
    }

    /// Hands records to the session, after a read if there are none. Returns
    /// how many bytes it took; none are the end.
    fn receive(&self, received: &mut Received) -> io::Result<usize> {
        if received.start >= received.end {
            received.fill(&self.stream)?;
        }
        let mut rest = received
            .buf
            .get(received.start..received.end)
            .unwrap_or_default();
        let mut session = lock(&self.session);
        let len = session.read_tls(&mut rest)?;
        received.start += len;
        let processed = session.process_new_packets();
        drop(session);
        if let Err(error) = processed {
            // An alert for the peer, if it still listens.
            if let Some(mut sending) = try_lock(&self.sending) {
                let _ = self.send(&mut sending);
            }
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(len)
    }

    /// Sends all records that are ready.
    fn send(&self, sending: &mut Sending) -> io::Result<()> {
        loop {
            match self.send_some(sending) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                sent => return sent,
            }
        }
    }

    /// The same, interrupted when only a part has left: the time of the call
    /// may be over.
    fn send_some(&self, sending: &mut Sending) -> io::Result<()> {
        loop {
            if let Some(rest @ [_, ..]) = sending.records.get(sending.start..) {
                let len = Duplex::write(&self.stream, rest)?;
                if len == 0 {
                    return Err(io::ErrorKind::WriteZero.into());
                }
                sending.start += len;
                self.sending_len.fetch_sub(len, Ordering::Relaxed);
                if len < rest.len() {
                    return Err(io::ErrorKind::Interrupted.into());
                }
            }
            sending.records.clear();
            sending.start = 0;
            let mut session = lock(&self.session);
            if !session.wants_write() {
                return Ok(());
            }
            while session.wants_write() {
                session.write_tls(&mut sending.records)?;
            }
            let len = sending.records.len();
            self.sending_len.store(len, Ordering::Relaxed);
        }
    }
}

impl<S: Duplex> Read for &TlsStream<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut received = lock(&self.received);
        loop {
            match lock(&self.session).reader().read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
            // Once the handshake is over, reading never waits for writing: an
            // answer to a new key leaves with the next write.
            let was_handshaking = self.is_handshaking();
            if was_handshaking {
                self.send(&mut lock(&self.sending))?;
            }
            self.receive(&mut received)?;
            if was_handshaking && !self.is_handshaking() {
                self.send(&mut lock(&self.sending))?;
            }
        }
    }
}

impl<S: Duplex> Write for &TlsStream<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        while self.is_handshaking() {
            self.send(&mut lock(&self.sending))?;
            if self.is_handshaking() && self.receive(&mut lock(&self.received))? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let mut sending = lock(&self.sending);
        self.send_some(&mut sending)?;
        let bytes = bytes.get(..WRITE_LEN).unwrap_or(bytes);
        let len = lock(&self.session).writer().write(bytes)?;
        match self.send_some(&mut sending) {
            // What waits leaves with the next write or flush.
            Err(error) if is_not_ready(&error) => Ok(len),
            sent => sent.map(|()| len),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send_some(&mut lock(&self.sending))
    }
}

impl<S: Duplex> Read for TlsStream<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }
}

impl<S: Duplex> Write for TlsStream<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self).flush()
    }
}

fn is_not_ready(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
