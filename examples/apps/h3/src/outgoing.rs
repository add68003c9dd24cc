//! What a stream still has to send: a head, bytes, and its end (FIN).

use std::mem;

use bytes::{Buf, Bytes};
use quiche::h3::{self, Header};

/// The connection below the streams, and the buffer that all of them read into.
pub(crate) struct Transport<'t> {
    pub(crate) quic: &'t mut quiche::Connection,
    pub(crate) http: &'t mut h3::Connection,
    pub(crate) buf: &'t mut [u8],
}

impl Transport<'_> {
    /// Ends both directions of a stream at once: `RESET_STREAM` and
    /// `STOP_SENDING`. One that is over already has none.
    pub(crate) fn reset(&mut self, id: u64, code: u64) {
        let _ = self.quic.stream_shutdown(id, quiche::Shutdown::Write, code);
        let _ = self.quic.stream_shutdown(id, quiche::Shutdown::Read, code);
    }
}

/// The outgoing direction of a stream.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) id: u64,
    /// A server's response, until the peer's window has room for it.
    head: Option<Vec<Header>>,
    unsent: Bytes,
    is_finished: bool,
}

impl Outgoing {
    pub(crate) const fn new(id: u64, head: Option<Vec<Header>>, unsent: Bytes) -> Self {
        Self {
            id,
            head,
            unsent,
            is_finished: false,
        }
    }

    /// Sends as much as flow and congestion control have room for: what `self`
    /// holds, then what is in `out`. Returns whether all of it left.
    pub(crate) fn flush(&mut self, io: &mut Transport<'_>, out: &mut Vec<u8>) -> h3::Result<bool> {
        if !self.is_finished {
            // An error if the peer no longer reads (`STOP_SENDING`).
            io.quic.stream_capacity(self.id)?;
        }
        if let Some(head) = &self.head {
            match io.http.send_response(io.quic, self.id, head, false) {
                Err(h3::Error::StreamBlocked) => return Ok(false),
                sent => sent?,
            }
            self.head = None;
        }
        loop {
            if self.unsent.is_empty() {
                self.unsent = mem::take(out).into();
            }
            if self.unsent.is_empty() {
                return Ok(true);
            }
            match io.http.send_body(io.quic, self.id, &self.unsent, false) {
                Ok(len) => self.unsent.advance(len),
                Err(h3::Error::Done) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends FIN, after everything else. Returns whether it was sent.
    pub(crate) fn finish(&mut self, io: &mut Transport<'_>) -> h3::Result<bool> {
        if self.is_finished || !self.flush(io, &mut Vec::new())? {
            return Ok(self.is_finished);
        }
        match io.http.send_body(io.quic, self.id, &[], true) {
            Ok(_) => self.is_finished = true,
            Err(h3::Error::Done) => {}
            Err(error) => return Err(error),
        }
        Ok(self.is_finished)
    }

    /// How many bytes have not left, besides those in the core's output.
    pub(crate) const fn len(&self) -> usize {
        self.unsent.len()
    }

    pub(crate) fn clear(&mut self) {
        self.unsent.clear();
    }
}
