//! A stream in memory whose every read and write can be made to block, break
//! or come in pieces, and that counts them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::rc::Rc;

/// One end of the stream, as an adapter holds it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Duplex(Rc<RefCell<Ends>>);

/// The other end, as a test sees it.
#[derive(Debug)]
pub(crate) struct Ends {
    /// What is there to be read.
    pub(crate) incoming: VecDeque<u8>,
    /// Nothing follows: the end of the stream, or this error.
    pub(crate) ended: Option<Result<(), ErrorKind>>,
    /// At most so many bytes a read.
    pub(crate) read_len: usize,
    /// At most so many bytes a write.
    pub(crate) write_len: usize,
    /// What was written, in its writes.
    pub(crate) writes: Vec<Vec<u8>>,
    /// How much of it was flushed.
    pub(crate) flushed_len: usize,
    /// So many bytes can be written until it blocks.
    pub(crate) capacity: usize,
    /// Writing fails with this.
    pub(crate) write_error: Option<ErrorKind>,
    /// Every other read blocks, and every other write.
    pub(crate) stutters: bool,
    pub(crate) reads: usize,
    read_blocked: bool,
    write_blocked: bool,
    /// As any transport, it remembers one task for each direction.
    #[cfg(any(feature = "tokio", feature = "futures"))]
    wakers: [Option<std::task::Waker>; 2],
}

impl Default for Ends {
    fn default() -> Self {
        Self {
            incoming: VecDeque::new(),
            ended: None,
            read_len: usize::MAX,
            write_len: usize::MAX,
            writes: Vec::new(),
            flushed_len: 0,
            capacity: usize::MAX,
            write_error: None,
            stutters: false,
            reads: 0,
            read_blocked: false,
            write_blocked: false,
            #[cfg(any(feature = "tokio", feature = "futures"))]
            wakers: [None, None],
        }
    }
}

impl Duplex {
    /// With these bytes to be read.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let duplex = Self::default();
        duplex.add(bytes);
        duplex
    }

    /// Adds bytes to be read.
    pub(crate) fn add(&self, bytes: &[u8]) {
        self.set(|ends| ends.incoming.extend(bytes));
    }

    /// Changes something about the stream.
    pub(crate) fn set(&self, change: impl FnOnce(&mut Ends)) -> &Self {
        change(&mut self.0.borrow_mut());
        #[cfg(any(feature = "tokio", feature = "futures"))]
        self.wake();
        self
    }

    /// All that was written.
    pub(crate) fn written(&self) -> Vec<u8> {
        self.0.borrow().writes.concat()
    }

    /// What was written, and takes it away.
    pub(crate) fn take_written(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.borrow_mut().writes).concat()
    }

    /// Asks something about the stream.
    pub(crate) fn ask<T>(&self, question: impl FnOnce(&Ends) -> T) -> T {
        question(&self.0.borrow())
    }
}

/// Blocks if it did not the last time.
fn stutter(stutters: bool, blocked: &mut bool) -> io::Result<()> {
    *blocked = stutters && !*blocked;
    if *blocked {
        Err(ErrorKind::WouldBlock.into())
    } else {
        Ok(())
    }
}

impl Read for Duplex {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let ends = &mut *self.0.borrow_mut();
        ends.reads += 1;
        stutter(ends.stutters, &mut ends.read_blocked)?;
        if ends.incoming.is_empty() {
            return match ends.ended {
                None => Err(ErrorKind::WouldBlock.into()),
                Some(Ok(())) => Ok(0),
                Some(Err(kind)) => Err(kind.into()),
            };
        }
        let len = buf.len().min(ends.read_len);
        ends.incoming.read(&mut buf[..len])
    }
}

impl Write for Duplex {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let ends = &mut *self.0.borrow_mut();
        if let Some(kind) = ends.write_error {
            return Err(kind.into());
        }
        stutter(ends.stutters, &mut ends.write_blocked)?;
        if ends.capacity == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let mut bytes: Vec<u8> = slices
            .iter()
            .flat_map(|slice| slice.iter().copied())
            .collect();
        bytes.truncate(ends.capacity.min(ends.write_len));
        ends.capacity -= bytes.len();
        let len = bytes.len();
        ends.writes.push(bytes);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut ends = self.0.borrow_mut();
        ends.flushed_len = ends.writes.iter().map(Vec::len).sum();
        Ok(())
    }
}

/// The same as an async stream: what would block is pending.
#[cfg(any(feature = "tokio", feature = "futures"))]
mod polled {
    use std::io::{self, ErrorKind};
    use std::task::{Context, Poll};

    use super::Duplex;

    #[derive(Clone, Copy)]
    pub(super) enum Direction {
        Read,
        Write,
    }

    impl Duplex {
        /// Polls one direction.
        pub(super) fn poll<T>(
            &mut self,
            direction: Direction,
            cx: &Context<'_>,
            call: impl FnOnce(&mut Self) -> io::Result<T>,
        ) -> Poll<io::Result<T>> {
            match call(self) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
            let mut ends = self.0.borrow_mut();
            ends.wakers[direction as usize] = Some(cx.waker().clone());
            let is_ready_next_time = match direction {
                Direction::Read => ends.read_blocked && !ends.incoming.is_empty(),
                Direction::Write => ends.write_blocked && ends.capacity > 0,
            };
            drop(ends);
            if is_ready_next_time {
                self.wake();
            }
            Poll::Pending
        }

        /// Wakes who waits.
        pub(super) fn wake(&self) {
            let wakers = std::mem::take(&mut self.0.borrow_mut().wakers);
            for waker in wakers.into_iter().flatten() {
                waker.wake();
            }
        }
    }
}

#[cfg(feature = "tokio")]
mod tokio_io {
    use std::io::{self, IoSlice, Read, Write};
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::Duplex;
    use super::polled::Direction::{Read as Reading, Write as Writing};

    impl AsyncRead for Duplex {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let read = self.poll(Reading, cx, |this| this.read(buf.initialize_unfilled()));
            read.map_ok(|len| buf.advance(len))
        }
    }

    impl AsyncWrite for Duplex {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.poll(Writing, cx, |this| this.write(bytes))
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            self.poll(Writing, cx, |this| this.write_vectored(slices))
        }

        fn is_write_vectored(&self) -> bool {
            true
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.poll(Writing, cx, Write::flush)
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }
}

#[cfg(feature = "futures")]
mod futures {
    use std::io::{self, Read, Write};
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use futures_io::{AsyncRead, AsyncWrite};

    use super::Duplex;
    use super::polled::Direction::{Read as Reading, Write as Writing};

    impl AsyncRead for Duplex {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            self.poll(Reading, cx, |this| this.read(buf))
        }
    }

    impl AsyncWrite for Duplex {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.poll(Writing, cx, |this| this.write(bytes))
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.poll(Writing, cx, Write::flush)
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }
}
