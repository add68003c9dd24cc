//! A faulty stream for each kind of adapter.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use sansocket::blocking::{Duplex, Socket};
use smol::io as futures_io;
use tokio::io as tokio_io;

use crate::faults::{Direction, Faulty, Step};

/// The functions of a faulty stream for deadlines.
pub(crate) const SOCKET: Socket<Faulty<TcpStream>> = Socket {
    read_timeout: |stream| stream.stream.read_timeout(),
    write_timeout: |stream| stream.stream.write_timeout(),
    set_read_timeout: |stream, timeout| stream.stream.set_read_timeout(timeout),
    set_write_timeout: |stream, timeout| stream.stream.set_write_timeout(timeout),
    shutdown_write: |stream| stream.stream.shutdown(Shutdown::Write),
    buffered_len: |_| 0,
};

/// As much of it as one call moves.
fn cut(bytes: &[u8], max: usize) -> &[u8] {
    &bytes[..max.min(bytes.len())]
}

fn first<'b>(slices: &'b [IoSlice<'_>]) -> &'b [u8] {
    let first = slices.iter().find(|slice| !slice.is_empty());
    first.map_or(&[], |slice| slice)
}

impl Faulty<TcpStream> {
    fn call(
        &self,
        direction: Direction,
        call: impl FnOnce(&mut &TcpStream, usize) -> io::Result<usize>,
    ) -> io::Result<usize> {
        match self.step(direction) {
            Step::Move(max) => self.moved(call(&mut &self.stream, max)),
            Step::Retry => Err(io::ErrorKind::Interrupted.into()),
            Step::Fail(kind) => Err(kind.into()),
        }
    }
}

impl Duplex for Faulty<TcpStream> {
    fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.call(Direction::Read, |stream, max| {
            let len = max.min(buf.len());
            stream.read(&mut buf[..len])
        })
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.call(Direction::Write, |stream, max| {
            stream.write(cut(bytes, max))
        })
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.call(Direction::Write, |stream, max| match max {
            usize::MAX => stream.write_vectored(slices),
            _ => stream.write(cut(first(slices), max)),
        })
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Implements `Read` and `Write` by those of `Duplex`.
macro_rules! read_and_write {
    ($stream:ty) => {
        impl Read for $stream {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                Duplex::read(&*self as &Faulty<TcpStream>, buf)
            }
        }

        impl Write for $stream {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                Duplex::write(&*self as &Faulty<TcpStream>, bytes)
            }

            fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
                Duplex::write_vectored(&*self as &Faulty<TcpStream>, slices)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
    };
}

read_and_write!(Faulty<TcpStream>);
read_and_write!(&Faulty<TcpStream>);

impl<S: AsFd + Unpin> Faulty<S> {
    /// Calls the stream, or reports that it is not ready, as if others had its turn.
    fn poll_call(
        &mut self,
        cx: &mut Context<'_>,
        direction: Direction,
        call: impl FnOnce(Pin<&mut S>, &mut Context<'_>, usize) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match self.step(direction) {
            Step::Move(max) => {
                let called = ready!(call(Pin::new(&mut self.stream), cx, max));
                Poll::Ready(self.moved(called))
            }
            Step::Retry => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Step::Fail(kind) => Poll::Ready(Err(kind.into())),
        }
    }
}

impl<S: tokio_io::AsyncRead + AsFd + Unpin> tokio_io::AsyncRead for Faulty<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut tokio_io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = self.poll_call(cx, Direction::Read, |stream, cx, max| {
            let len = max.min(buf.remaining());
            let mut piece = tokio_io::ReadBuf::new(buf.initialize_unfilled_to(len));
            ready!(stream.poll_read(cx, &mut piece))?;
            let len = piece.filled().len();
            buf.advance(len);
            Poll::Ready(Ok(len))
        });
        read.map_ok(drop)
    }
}

impl<S: tokio_io::AsyncWrite + AsFd + Unpin> tokio_io::AsyncWrite for Faulty<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_call(cx, Direction::Write, |stream, cx, max| {
            stream.poll_write(cx, cut(bytes, max))
        })
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_call(cx, Direction::Write, |stream, cx, max| match max {
            usize::MAX => stream.poll_write_vectored(cx, slices),
            _ => stream.poll_write(cx, cut(first(slices), max)),
        })
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: futures_io::AsyncRead + AsFd + Unpin> futures_io::AsyncRead for Faulty<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_call(cx, Direction::Read, |stream, cx, max| {
            let len = max.min(buf.len());
            stream.poll_read(cx, &mut buf[..len])
        })
    }
}

impl<S: futures_io::AsyncWrite + AsFd + Unpin> futures_io::AsyncWrite for Faulty<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_call(cx, Direction::Write, |stream, cx, max| {
            stream.poll_write(cx, cut(bytes, max))
        })
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
