//! An async adapter with the calls of the blocking one, on a stream that does
//! not block: each future is polled once and dropped. That nothing is lost by
//! that is what cancel safety means.
//!
//! A call may be made by one task, or by two that share the socket or have a half
//! each. Of two, one that waits is not polled again until its waker was woken:
//! a wake-up that is lost is a test that stops.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};

use sansocket::adapter::{
    Error, Parts,
    poll::{self, Transport},
};
use sansocket::{
    Agreement, Answer, ClientRequest, Config, Connection, Event, Message, MessageRef, Outcome,
    Prepared, Role, SendError,
};

use crate::duplex::Duplex;

/// A task that calls one method after the other.
struct Task {
    /// Of one among two. One that is alone is polled again and again.
    woken: Option<Arc<Woken>>,
    /// The call that is pending.
    waits_in: Option<&'static str>,
}

#[derive(Debug, Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

impl Task {
    fn new(tasks: u8) -> Self {
        Self {
            woken: (tasks != ONE_TASK).then(Arc::default),
            waits_in: None,
        }
    }

    /// Polls once, unless the same call is pending and nothing has woken it.
    fn poll<T>(
        &mut self,
        name: &'static str,
        future: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let Some(woken) = &self.woken else {
            return now(future);
        };
        if self.waits_in == Some(name) && !woken.0.swap(false, SeqCst) {
            return Err(would_block());
        }
        let result = poll_with(&Waker::from(woken.clone()), future);
        let waits = result.as_ref().is_err_and(Error::is_would_block);
        self.waits_in = waits.then_some(name);
        result
    }
}

fn would_block() -> Error {
    std::io::Error::from(std::io::ErrorKind::WouldBlock).into()
}

/// Polls once.
fn now<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    poll_with(Waker::noop(), future)
}

fn poll_with<T>(waker: &Waker, future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    #[cfg(feature = "tokio")]
    let _runtime = RUNTIME.enter();
    match pin!(future).poll(&mut Context::from_waker(waker)) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(would_block()),
    }
}

/// For its timer.
#[cfg(feature = "tokio")]
static RUNTIME: std::sync::LazyLock<::tokio::runtime::Runtime> = std::sync::LazyLock::new(|| {
    ::tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
});

/// What an adapter adds to what all async adapters share.
pub(crate) trait Start: Transport + Sized {
    fn server(stream: Duplex, config: &Config) -> poll::WebSocket<Self>;

    fn client(stream: Duplex, request: &ClientRequest, config: &Config) -> poll::WebSocket<Self>;

    fn upgraded(
        stream: Duplex,
        role: Role,
        agreement: Agreement,
        read_ahead: Vec<u8>,
        config: &Config,
    ) -> poll::WebSocket<Self>;

    fn into_stream(ws: poll::WebSocket<Self>) -> Parts<Duplex>;
}

macro_rules! start {
    ($adapter:ident) => {
        impl Start for sansocket::$adapter::Io<Duplex> {
            fn server(stream: Duplex, config: &Config) -> poll::WebSocket<Self> {
                poll::WebSocket::<Self>::server(stream, config)
            }

            fn client(
                stream: Duplex,
                request: &ClientRequest,
                config: &Config,
            ) -> poll::WebSocket<Self> {
                poll::WebSocket::<Self>::client(stream, request, config).expect("entropy")
            }

            fn upgraded(
                stream: Duplex,
                role: Role,
                agreement: Agreement,
                read_ahead: Vec<u8>,
                config: &Config,
            ) -> poll::WebSocket<Self> {
                poll::WebSocket::<Self>::upgraded(stream, role, agreement, read_ahead, config)
            }

            fn into_stream(ws: poll::WebSocket<Self>) -> Parts<Duplex> {
                ws.into_stream()
            }
        }
    };
}

#[cfg(feature = "tokio")]
start!(tokio);
#[cfg(feature = "futures")]
start!(futures);

/// One task makes all calls.
pub(crate) const ONE_TASK: u8 = 0;
/// One task receives and another one sends.
pub(crate) const TWO_TASKS: u8 = 1;
/// The same, with the halves of `split`.
pub(crate) const HALVES: u8 = 2;

/// A socket that is polled by so many tasks.
pub(crate) struct Polled<T, const TASKS: u8> {
    handle: Option<Handle<T>>,
    reader: Task,
    writer: Task,
    outcome: Option<Outcome>,
}

enum Handle<T> {
    Whole(Box<poll::WebSocket<T>>),
    Halves(poll::Reader<T>, poll::Writer<T>),
}

impl<T: Start, const TASKS: u8> Polled<T, TASKS> {
    fn new(start: impl FnOnce() -> poll::WebSocket<T>) -> Self {
        #[cfg(feature = "tokio")]
        let _runtime = RUNTIME.enter();
        Self {
            handle: Some(Handle::Whole(Box::new(start()))),
            reader: Task::new(TASKS),
            writer: Task::new(TASKS),
            outcome: None,
        }
    }

    pub(crate) fn server(stream: Duplex, config: &Config) -> Self {
        Self::new(|| T::server(stream, &waits_for_nobody(config)))
    }

    pub(crate) fn client(
        stream: Duplex,
        request: &ClientRequest,
        config: &Config,
    ) -> Result<Self, SendError> {
        Ok(Self::new(|| T::client(stream, request, config)))
    }

    pub(crate) fn upgraded(
        stream: Duplex,
        role: Role,
        agreement: Agreement,
        read_ahead: Vec<u8>,
        config: &Config,
    ) -> Self {
        let config = waits_for_nobody(config);
        Self::new(|| T::upgraded(stream, role, agreement, read_ahead, &config))
    }

    /// The socket, whole.
    fn whole(&mut self) -> &mut poll::WebSocket<T> {
        let whole = match self.handle.take().unwrap() {
            Handle::Whole(ws) => ws,
            Handle::Halves(reader, writer) => Box::new(reader.reunite(writer).expect("a pair")),
        };
        self.handle = Some(Handle::Whole(whole));
        match &mut self.handle {
            Some(Handle::Whole(ws)) => ws,
            _ => unreachable!(),
        }
    }

    /// The handle as the tasks share it.
    fn shared(&mut self) -> (&mut Handle<T>, &mut Task, &mut Task) {
        let shared = match self.handle.take().unwrap() {
            Handle::Whole(ws) if TASKS == HALVES && ws.connection().is_open() => {
                let (reader, writer) = ws.split();
                Handle::Halves(reader, writer)
            }
            handle => handle,
        };
        let handle = self.handle.insert(shared);
        (handle, &mut self.reader, &mut self.writer)
    }

    fn keep_outcome(&mut self) {
        self.outcome = match self.handle.as_ref().unwrap() {
            Handle::Whole(ws) => ws.outcome().cloned(),
            Handle::Halves(reader, _) => reader.outcome(),
        };
    }

    pub(crate) fn next(&mut self) -> Result<Option<Message>, Error> {
        let result = match self.shared() {
            (Handle::Whole(ws), task, _) => task.poll("next", ws.next()),
            (Handle::Halves(reader, _), task, _) => task.poll("next", reader.next()),
        };
        self.keep_outcome();
        result
    }

    pub(crate) fn next_event(&mut self) -> Result<Option<Event<'static>>, Error> {
        let result = match self.shared() {
            (Handle::Whole(ws), task, _) => task.poll("next_event", ws.next_event()),
            (Handle::Halves(reader, _), task, _) => task.poll("next_event", reader.next_event()),
        };
        self.keep_outcome();
        result
    }

    pub(crate) fn drive(
        &mut self,
        handle: impl FnMut(&mut Connection, Event<'_>, &mut Vec<u8>) -> Result<(), SendError>,
    ) -> Result<bool, Error> {
        now(self.whole().drive(handle))
    }

    /// As the blocking adapter, on a stream that does not block: what was taken
    /// is sent.
    pub(crate) fn send<'m>(&mut self, message: impl Into<MessageRef<'m>>) -> Result<(), Error> {
        self.feed(message)?;
        match self.flush() {
            Err(error) if error.is_would_block() => Ok(()),
            flushed => flushed,
        }
    }

    #[cfg(feature = "deflate")]
    pub(crate) fn send_with<'m>(
        &mut self,
        message: impl Into<MessageRef<'m>>,
        choice: sansocket::deflate::Compress,
    ) -> Result<(), Error> {
        match self.shared() {
            (Handle::Whole(ws), _, task) => task.poll("send_with", ws.send_with(message, choice)),
            (Handle::Halves(_, writer), _, task) => {
                task.poll("send_with", writer.send_with(message, choice))
            }
        }
    }

    pub(crate) fn try_send<'m>(
        &mut self,
        message: impl Into<MessageRef<'m>>,
    ) -> Result<Option<MessageRef<'m>>, Error> {
        let message = message.into();
        match self.send(message.clone()) {
            Ok(()) => Ok(None),
            Err(error) if error.is_would_block() => Ok(Some(message)),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn feed<'m>(&mut self, message: impl Into<MessageRef<'m>>) -> Result<(), Error> {
        match self.shared() {
            (Handle::Whole(ws), _, task) => task.poll("feed", ws.feed(message)),
            (Handle::Halves(_, writer), _, task) => task.poll("feed", writer.feed(message)),
        }
    }

    pub(crate) fn feed_prepared(&mut self, prepared: &Prepared) -> Result<(), Error> {
        match self.shared() {
            (Handle::Whole(ws), _, task) => task.poll("prepared", ws.feed_prepared(prepared)),
            (Handle::Halves(_, writer), _, task) => {
                task.poll("prepared", writer.feed_prepared(prepared))
            }
        }
    }

    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        match self.shared() {
            (Handle::Whole(ws), _, task) => task.poll("flush", ws.flush()),
            (Handle::Halves(_, writer), _, task) => task.poll("flush", writer.flush()),
        }
    }

    pub(crate) fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        match self.shared() {
            (Handle::Whole(ws), _, task) => task.poll("ping", ws.ping(payload)),
            (Handle::Halves(_, writer), _, task) => task.poll("ping", writer.ping(payload)),
        }
    }

    pub(crate) fn close(&mut self, code: u16, reason: &str) -> Result<(), Error> {
        match self.shared() {
            (Handle::Whole(ws), _, task) => task.poll("close", ws.close(code, reason)),
            (Handle::Halves(_, writer), _, task) => task.poll("close", writer.close(code, reason)),
        }
    }

    pub(crate) fn respond(&mut self, answer: Answer) -> Result<(), Error> {
        now(self.whole().respond(answer))
    }

    pub(crate) fn unsent_len(&self) -> usize {
        match self.handle.as_ref().unwrap() {
            Handle::Whole(ws) => ws.unsent_len(),
            Handle::Halves(_, writer) => writer.unsent_len(),
        }
    }

    pub(crate) fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    pub(crate) fn into_stream(mut self) -> Parts<Duplex> {
        self.whole();
        match self.handle {
            Some(Handle::Whole(ws)) => T::into_stream(*ws),
            _ => unreachable!(),
        }
    }
}

/// As a blocking stream without timeouts.
fn waits_for_nobody(config: &Config) -> Config {
    config.clone().with_close_timeout(None)
}
