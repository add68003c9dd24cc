//! What the halves of a split WebSocket share: the driver, in a mutex that is held
//! for one poll, never while a task waits.

use std::string::String;
use std::sync::PoisonError;
#[cfg(not(sansocket_loom))]
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

#[cfg(sansocket_loom)]
use loom::sync::{Mutex, MutexGuard};

use super::driver::Driver;
use super::transport::Transport;
use super::wakers::Registration;

#[derive(Debug)]
pub(super) struct Shared<T> {
    pub(super) driver: Mutex<Driver<T>>,
    /// Wakes all tasks.
    pub(super) waker: Waker,
}

impl<T> Shared<T> {
    /// A panic in the stream does not leave the state machine inconsistent.
    pub(super) fn lock(&self) -> MutexGuard<'_, Driver<T>> {
        self.driver.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[allow(clippy::needless_pass_by_ref_mut)]
impl<T: Transport> Shared<T> {
    pub(super) fn subprotocol(&self) -> Option<String> {
        self.lock().ws.subprotocol().map(String::from)
    }

    /// Polls one half. All other tasks that wait are woken when the connection closes
    /// or ends.
    pub(super) fn poll<R>(
        &self,
        registration: &Registration,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Driver<T>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        registration.register(cx.waker());
        let mut driver = self.lock();
        let progress = driver.progress();
        let polled = poll(&mut driver, &mut Context::from_waker(&self.waker));
        let has_changed = driver.progress() != progress;
        drop(driver);
        if polled.is_ready() {
            registration.unregister();
        }
        if has_changed {
            registration.wake_others();
        }
        polled
    }
}
