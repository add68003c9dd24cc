//! A transport without a system: it reads the same bytes over and over, in
//! pieces. Reads and writes copy, as those of a socket do.

use std::io::{self, IoSlice, Read, Write};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::BufMut;
use futures_util::io as futures;
use tokio::io::ReadBuf;

use crate::measure::count_write;

/// The read side holds one stream of bytes, without an end; the write side is a
/// buffer that begins anew when it is full.
#[derive(Clone)]
pub struct Memory {
    bytes: Arc<[u8]>,
    at: usize,
    piece: usize,
    written: Vec<u8>,
}

/// As that of a socket.
const WRITE_LEN: usize = 256 * 1024;

impl Memory {
    pub fn new(bytes: Arc<[u8]>, piece: usize) -> Self {
        Self {
            bytes,
            at: 0,
            piece,
            written: Vec::new(),
        }
    }

    /// The longest read.
    pub fn piece(&self) -> usize {
        self.piece
    }

    pub fn read_some(&mut self, buf: &mut [u8]) -> usize {
        let next = self.next(buf.len());
        buf[..next.len()].copy_from_slice(next);
        next.len()
    }

    /// Reads into memory that need not be initialized.
    pub fn read_into(&mut self, buf: &mut dyn BufMut) -> usize {
        let next = self.next(buf.remaining_mut());
        buf.put_slice(next);
        next.len()
    }

    /// What is read next.
    fn next(&mut self, room: usize) -> &[u8] {
        let start = self.at;
        let len = (self.bytes.len() - start).min(self.piece).min(room);
        self.at = (start + len) % self.bytes.len().max(1);
        &self.bytes[start..start + len]
    }

    pub fn write_some(&mut self, bytes: &[u8]) -> usize {
        count_write();
        self.append(bytes)
    }

    fn append(&mut self, bytes: &[u8]) -> usize {
        let len = bytes.len().min(WRITE_LEN);
        if self.written.len() + len > WRITE_LEN {
            self.written.clear();
        }
        self.written.extend_from_slice(&bytes[..len]);
        len
    }

    pub fn write_whole(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = &bytes[self.write_some(bytes)..];
        }
    }

    /// A header and what follows it, in one write.
    pub fn write_pair(&mut self, header: &[u8], payload: &[u8]) {
        self.append(header);
        self.write_whole(payload);
    }

    fn write_slices(&mut self, slices: &[IoSlice<'_>]) -> usize {
        count_write();
        let mut written = 0;
        for slice in slices {
            let len = self.append(slice);
            written += len;
            if len < slice.len() {
                break;
            }
        }
        written
    }
}

impl Read for Memory {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.read_some(buf))
    }
}

impl Write for Memory {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(self.write_some(buf))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(self.write_slices(slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl tokio::io::AsyncRead for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let next = self.next(buf.remaining());
        buf.put_slice(next);
        Poll::Ready(Ok(()))
    }
}

impl tokio::io::AsyncWrite for Memory {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.write_some(buf)))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.write_slices(slices)))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl futures::AsyncRead for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.read_some(buf)))
    }
}

impl futures::AsyncWrite for Memory {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.write_some(buf)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Runs what does not wait, as nothing over memory does; but some yield now and
/// then.
pub fn run<R>(work: impl Future<Output = R>) -> R {
    let mut work = pin!(work);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..100_000 {
        if let Poll::Ready(result) = work.as_mut().poll(&mut cx) {
            return result;
        }
    }
    panic!("it waits for ever");
}
