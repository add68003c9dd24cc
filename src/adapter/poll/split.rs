//! Two owned halves for two tasks.
//!
//! They share the driver behind a mutex that is held for one poll, never while
//! a task waits. A transport wakes one task for each direction, and either half
//! may read (what is owed must be read for) and write (automatic replies): so
//! it is given a waker that wakes both, and no wake-up can be lost.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
#[cfg(not(sansocket_loom))]
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::vec;
use std::vec::Vec;

use futures_core::Stream;
use futures_sink::Sink;
#[cfg(sansocket_loom)]
use loom::sync::{Mutex, MutexGuard};

use super::driver::Driver;
use super::transport::Transport;
use crate::adapter::Error;
use crate::close::{CloseCode, Outcome};
#[cfg(feature = "deflate")]
use crate::deflate::Compress;
use crate::event::Event;
use crate::message::{Message, Prepared};

/// The receiving half of a [`WebSocket`](super::WebSocket), for one task.
#[derive(Debug)]
pub struct Reader<T> {
    shared: Arc<Shared<T>>,
}

/// The sending half of a [`WebSocket`](super::WebSocket), for another task.
/// Clones send on the same connection, each message in one piece. Dropping
/// them closes nothing.
#[derive(Debug)]
pub struct Writer<T> {
    shared: Arc<Shared<T>>,
    place: usize,
}

#[derive(Debug)]
struct Shared<T> {
    driver: Mutex<Driver<T>>,
    tasks: Arc<Tasks>,
    /// Wakes all tasks.
    waker: Waker,
}

/// The tasks that wait, the reader's first. `None` is a task that does not.
#[derive(Debug)]
struct Tasks(Mutex<Vec<Place>>);

/// One half's.
#[derive(Debug, Default)]
struct Place {
    is_taken: bool,
    waker: Option<Waker>,
}

const READER: usize = 0;

pub(super) fn split<T: Transport>(driver: Driver<T>) -> (Reader<T>, Writer<T>) {
    let tasks = Arc::new(Tasks(Mutex::new(vec![Place {
        is_taken: true,
        waker: None,
    }])));
    let place = tasks.enter();
    let shared = Arc::new(Shared {
        driver: Mutex::new(driver),
        waker: tasks.clone().into(),
        tasks,
    });
    let reader = Reader {
        shared: shared.clone(),
    };
    (reader, Writer { shared, place })
}

// One task waits with each half: hence `&mut self`.
#[allow(clippy::needless_pass_by_ref_mut)]
impl<T: Transport> Reader<T> {
    /// As [`WebSocket::next`](super::WebSocket::next).
    ///
    /// # Errors
    ///
    /// As `WebSocket::next`.
    pub async fn next(&mut self) -> Result<Option<Message<'static>>, Error> {
        poll_fn(|cx| self.poll(cx, Driver::poll_message)).await
    }

    /// As [`WebSocket::next_event`](super::WebSocket::next_event).
    ///
    /// # Errors
    ///
    /// As `WebSocket::next_event`.
    pub async fn next_event(&mut self) -> Result<Option<Event<'static>>, Error> {
        poll_fn(|cx| self.poll(cx, Driver::poll_event)).await
    }

    /// How the connection ended, once that is certain.
    pub fn outcome(&self) -> Option<Outcome> {
        self.shared.lock().ws.outcome().cloned()
    }

    fn poll<R>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Driver<T>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        let (polled, is_over) = self.shared.poll(READER, cx, |driver, cx| {
            let polled = poll(driver, cx);
            (polled, driver.ws.is_closed())
        });
        if is_over {
            // Who waits to send waits in vain.
            self.shared.tasks.wake_others(READER);
        }
        polled
    }
}

#[allow(clippy::needless_pass_by_ref_mut)]
impl<T: Transport> Writer<T> {
    /// Sends a message: returns when the stream was flushed, as
    /// [`WebSocket::send`](super::WebSocket::send).
    ///
    /// # Errors
    ///
    /// As `WebSocket::send`.
    pub async fn send<'m>(&mut self, message: impl Into<Message<'m>>) -> Result<(), Error> {
        self.feed(message).await?;
        self.flush().await
    }

    /// As [`send`](Self::send), with a say in whether the message is
    /// compressed.
    ///
    /// # Errors
    ///
    /// As `send`.
    #[cfg(feature = "deflate")]
    pub async fn send_with<'m>(
        &mut self,
        message: impl Into<Message<'m>>,
        choice: Compress,
    ) -> Result<(), Error> {
        let message = message.into();
        self.when_room(message.len(), |driver| {
            let Driver { ws, outgoing, .. } = driver;
            Ok(ws.send_with(&message, choice, outgoing.out())?)
        })
        .await?;
        self.flush().await
    }

    /// Queues a message, as [`WebSocket::feed`](super::WebSocket::feed).
    ///
    /// # Errors
    ///
    /// As `WebSocket::feed`.
    pub async fn feed<'m>(&mut self, message: impl Into<Message<'m>>) -> Result<(), Error> {
        let mut message = Some(message.into());
        poll_fn(|cx| {
            let shared = &self.shared;
            shared.poll(self.place, cx, |driver, cx| {
                driver.poll_take(cx, &mut message)
            })
        })
        .await
    }

    /// Queues a prepared message, as
    /// [`WebSocket::feed_prepared`](super::WebSocket::feed_prepared).
    ///
    /// # Errors
    ///
    /// As `WebSocket::feed_prepared`.
    pub async fn feed_prepared(&mut self, prepared: &Prepared) -> Result<(), Error> {
        let len = prepared.payload().len();
        self.when_room(len, |driver| driver.take_prepared(prepared))
            .await
    }

    /// Writes all unsent bytes and flushes the stream. Cancel safe.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::flush`](super::WebSocket::flush).
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.shared.poll(self.place, cx, Driver::poll_flush)).await
    }

    /// Sends a ping with at most 125 bytes.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::ping`](super::WebSocket::ping).
    pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.when_room(0, |driver| {
            let Driver { ws, outgoing, .. } = driver;
            Ok(ws.ping(payload, outgoing.out())?)
        })
        .await?;
        self.flush().await
    }

    /// Begins the closing handshake, which the [`Reader`] sees through.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::close`](super::WebSocket::close).
    pub async fn close(&mut self, code: impl Into<CloseCode>, reason: &str) -> Result<(), Error> {
        self.begin_close(code.into(), reason)?;
        self.flush().await
    }

    /// How many bytes wait to leave.
    pub fn unsent(&self) -> usize {
        self.shared.lock().outgoing.len()
    }

    fn begin_close(&self, code: CloseCode, reason: &str) -> Result<(), Error> {
        let mut driver = self.shared.lock();
        let Driver { ws, outgoing, .. } = &mut *driver;
        ws.close(code, reason, outgoing.out())?;
        drop(driver);
        // The reader has a new deadline to keep.
        self.shared.tasks.wake_others(self.place);
        Ok(())
    }

    /// Waits for room, and uses it before anybody else can.
    async fn when_room(
        &self,
        len: usize,
        mut take: impl FnMut(&mut Driver<T>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        poll_fn(|cx| {
            self.shared.poll(self.place, cx, |driver, cx| {
                let room = driver.poll_room(cx, len);
                room.map(|room| room.and_then(|()| take(driver)))
            })
        })
        .await
    }
}

impl<T> Clone for Writer<T> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            place: self.shared.tasks.enter(),
        }
    }
}

impl<T> Drop for Writer<T> {
    fn drop(&mut self) {
        self.shared.tasks.leave(self.place);
    }
}

impl<T> Drop for Reader<T> {
    fn drop(&mut self) {
        self.shared.tasks.leave(READER);
    }
}

#[allow(clippy::needless_pass_by_ref_mut)]
impl<T> Shared<T> {
    /// One poll, of which either direction's progress wakes this task too.
    fn poll<R>(
        &self,
        place: usize,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Driver<T>, &mut Context<'_>) -> R,
    ) -> R {
        // First: what comes to pass while this polls must not be missed.
        self.tasks.wait(place, cx.waker());
        poll(&mut self.lock(), &mut Context::from_waker(&self.waker))
    }

    /// A panic within the stream leaves the state machine as it was.
    fn lock(&self) -> MutexGuard<'_, Driver<T>> {
        self.driver.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tasks {
    fn enter(&self) -> usize {
        let mut places = self.lock();
        let free = places.iter().position(|place| !place.is_taken);
        let index = free.unwrap_or(places.len());
        if free.is_none() {
            places.push(Place::default());
        }
        if let Some(place) = places.get_mut(index) {
            place.is_taken = true;
        }
        index
    }

    fn leave(&self, index: usize) {
        if let Some(place) = self.lock().get_mut(index) {
            *place = Place::default();
        }
    }

    fn wait(&self, index: usize, waker: &Waker) {
        if let Some(place) = self.lock().get_mut(index) {
            match &mut place.waker {
                Some(known) => known.clone_from(waker),
                none => *none = Some(waker.clone()),
            }
        }
    }

    fn wake_others(&self, own: usize) {
        let mut index = 0;
        // Not under the lock: a task may be polled right here.
        while let Some(waker) = self.take(index, own) {
            waker.inspect(Waker::wake_by_ref);
            index += 1;
        }
    }

    /// `None` behind the last place.
    #[allow(clippy::option_option)]
    fn take(&self, index: usize, own: usize) -> Option<Option<Waker>> {
        let mut places = self.lock();
        let place = places.get_mut(index)?;
        Some(place.waker.take_if(|_| index != own))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Place>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Tasks {
    fn wake(self: Arc<Self>) {
        self.wake_others(usize::MAX);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_others(usize::MAX);
    }
}

impl<T: Transport> Stream for Reader<T> {
    type Item = Result<Message<'static>, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(cx, Driver::poll_message).map(Result::transpose)
    }
}

impl<'m, T: Transport> Sink<Message<'m>> for Writer<T> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let shared = &self.shared;
        shared.poll(self.place, cx, |driver, cx| driver.poll_room(cx, 1))
    }

    fn start_send(self: Pin<&mut Self>, message: Message<'m>) -> Result<(), Error> {
        self.shared.lock().take(None, message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared.poll(self.place, cx, Driver::poll_flush)
    }

    /// Sends a close frame with 1000; the [`Reader`] sees the closing through.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.begin_close(CloseCode::NORMAL, "")?;
        self.shared.poll(self.place, cx, Driver::poll_flush)
    }
}
