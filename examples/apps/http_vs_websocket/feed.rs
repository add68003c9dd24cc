//! The updates that every way of transport carries.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::interval;

/// Between two updates.
pub(crate) const TICK: Duration = Duration::from_millis(20);

/// How many updates are kept for those who ask later: 10 seconds.
const KEPT: usize = 500;

#[derive(Clone)]
pub(crate) struct Update {
    pub(crate) number: u64,
    pub(crate) json: String,
}

/// The time of day, which a page on the same machine knows too.
pub(crate) fn now() -> Duration {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default()
}

/// The position of a reader in the feed.
#[derive(Clone)]
pub(crate) struct Feed {
    recent: watch::Receiver<VecDeque<Update>>,
    /// The number of the last update that was taken.
    after: u64,
}

/// Starts the feed. It ends when the task is aborted.
pub(crate) fn start() -> (Feed, tokio::task::JoinHandle<()>) {
    let (sender, recent) = watch::channel(VecDeque::new());
    let publishing = tokio::spawn(async move {
        let mut ticks = interval(TICK);
        for number in 1.. {
            ticks.tick().await;
            let update = Update::new(number);
            sender.send_modify(|recent| {
                recent.push_back(update);
                recent.drain(..recent.len().saturating_sub(KEPT));
            });
        }
    });
    (Feed { recent, after: 0 }, publishing)
}

impl Update {
    fn new(number: u64) -> Self {
        let (at, price) = (now().as_micros(), 100 + number % 50);
        let json = format!(r#"{{"number":{number},"at":{at},"price":{price}}}"#);
        Self { number, json }
    }
}

impl Feed {
    /// A reader of what comes after this update.
    pub(crate) fn after(&self, number: u64) -> Self {
        let recent = self.recent.clone();
        Self {
            recent,
            after: number,
        }
    }

    /// A reader of the newest update and what comes after it.
    pub(crate) fn live(&self) -> Self {
        let newest = self.recent.borrow().back().map_or(0, |last| last.number);
        self.after(newest.saturating_sub(1))
    }

    /// Takes the updates that are there.
    pub(crate) fn take(&mut self) -> Vec<Update> {
        let recent = self.recent.borrow();
        let new = recent.iter().filter(|update| update.number > self.after);
        let new: Vec<_> = new.cloned().collect();
        self.after = new.last().map_or(self.after, |last| last.number);
        new
    }

    /// Takes the updates that are there, and waits if there are none. `None` at
    /// the end of the feed. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<Vec<Update>> {
        let after = self.after;
        let is_newer = |update: &Update| update.number > after;
        let is_new = |recent: &VecDeque<Update>| recent.back().is_some_and(is_newer);
        self.recent.wait_for(is_new).await.ok()?;
        Some(self.take())
    }
}
