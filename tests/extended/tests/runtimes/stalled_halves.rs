//! Two halves whose peer has stopped reading: both end at a deadline, in whichever order
//! the deadlines come, and the stream ends with them.

use std::collections::HashSet;
use std::time::Duration;

use sansocket::{Config, ConnectionError, DeadlineReason, Error, SendError};

mod polled;
#[cfg(feature = "rustls")]
mod threads;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const PING_INTERVAL: Duration = ms(20);

/// After this, a ping has left. It could not leave behind the message that stalls.
const PING_HAS_LEFT: Duration = ms(60);

const MESSAGE_LEN: usize = 60_000;

/// The timeouts for writes, pongs, silence and closing.
type Order = [Option<Duration>; 4];

/// Every order of the four deadlines, with and without the last one.
fn orders() -> Vec<Order> {
    const STEPS: [Duration; 4] = [ms(100), ms(260), ms(420), ms(580)];
    let mut orders = Vec::new();
    for write in 0..4 {
        for pong in (0..4).filter(|pong| *pong != write) {
            for idle in (0..4).filter(|idle| ![write, pong].contains(idle)) {
                let order = [write, pong, idle, 6 - write - pong - idle];
                orders.push(order.map(|step| Some(STEPS[step])));
                orders.push(order.map(|step| (step < 3).then_some(STEPS[step])));
            }
        }
    }
    // Without a write deadline or a close deadline, nothing would end a write of a
    // connection that has ended.
    orders.retain(|[write, .., close]| write.is_some() || close.is_some());
    orders
}

fn config([write, pong, idle, close]: Order) -> Config {
    Config::new()
        .with_ping_interval(PING_INTERVAL)
        .with_write_timeout(write)
        .with_pong_timeout(pong)
        .with_idle_timeout(idle)
        .with_close_timeout(close)
}

/// How the sending half is used.
#[derive(Clone, Copy, Debug)]
enum Sending {
    /// It waits for the peer.
    Waits,
    /// It does not wait, and the receiving half writes the rest.
    Tries,
    /// It waits, and a clone closes the connection meanwhile.
    Closes,
    /// It waits where the connection is read, so that nothing is read meanwhile, and a
    /// clone closes the connection.
    Echoes,
}

const SENDINGS: [Sending; 4] = [
    Sending::Waits,
    Sending::Tries,
    Sending::Closes,
    Sending::Echoes,
];

/// How both halves ended, and the cause in the outcome.
#[derive(Debug)]
struct Ends {
    read: Result<(), Error>,
    written: Result<(), Error>,
    cause: Option<ConnectionError>,
}

impl Ends {
    /// The deadline that ended the connection, after checking that both halves returned
    /// what follows from it.
    fn deadline(&self, what: &str) -> DeadlineReason {
        let Some(ConnectionError::Timeout(reason)) = self.cause else {
            panic!("{what}: {self:?}")
        };
        // A sender that waited may report what became of its own message.
        let is_explained = match &self.written {
            Err(Error::Failed(ConnectionError::Timeout(written))) => {
                [reason, DeadlineReason::WriteStall].contains(written)
            }
            Err(Error::Send(SendError::Closed) | Error::Io(_)) => true,
            _ => false,
        };
        assert!(is_explained, "{what}: {self:?}");
        let read = match &self.read {
            Err(Error::Failed(error)) => Some(*error),
            _ => None,
        };
        assert_eq!(read, self.cause, "{what}");
        reason
    }
}

/// Each deadline ended some connection.
fn assert_all_came(reasons: &HashSet<DeadlineReason>, sending: Sending) {
    use DeadlineReason::{Idle, Pong, WriteStall};
    let expected: &[_] = match sending {
        Sending::Waits | Sending::Tries | Sending::Closes => &[Idle, Pong, WriteStall],
        Sending::Echoes => &[WriteStall],
    };
    for reason in expected {
        assert!(reasons.contains(reason), "{sending:?}: {reasons:?}");
    }
}
