//! What one end does: the messages that it sends, and the account of those that it
//! receives.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use sansocket::{Error, Fragment, Message, SendError};

use crate::account::{Confirmed, Ledger, Report};
use crate::noise::Noise;
use crate::payload::Name;
use crate::plan::{Ending, Side};
use crate::polled::Opening;
use crate::soak::Soak;

/// One end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) soak: Arc<Soak>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) side: Side,
}

/// One step of the sender.
pub(crate) enum Act {
    Send(Message),
    /// Sends it in fragments.
    Split(Message, usize),
    Ping(Vec<u8>),
    Pause(Duration),
    Close,
}

/// The steps of the sender.
pub(crate) struct Script {
    end: End,
    noise: Noise,
    /// How many messages were made.
    made: u64,
    is_closed: bool,
}

/// What the receiver does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Receive,
    /// Receives after this long.
    Pause(Duration),
    /// Drops the connection.
    Leave,
}

impl End {
    pub(crate) fn script(&self) -> Script {
        Script {
            noise: Noise::new(self.ledger.id * 2 + self.side as u64),
            end: self.clone(),
            made: 0,
            is_closed: false,
        }
    }

    /// What the client of this connection asks for.
    pub(crate) fn opening(&self) -> Opening {
        Opening {
            config: self.soak.client_config(&self.ledger.plan),
            path: format!("/{}", self.ledger.id),
        }
    }

    /// Whether each direction is closed by itself.
    pub(crate) fn closes_halves(&self) -> bool {
        self.ledger.plan.ending == Ending::CloseHalves
    }

    /// Enters a received message.
    pub(crate) fn received(&self, message: &Message) -> Next {
        let page = self.ledger.page(self.side);
        let number = page.received.fetch_add(1, Relaxed);
        let name = Name {
            connection: self.ledger.id,
            sender: self.side.other(),
            number,
        };
        if let Err(mismatch) = name.check(message) {
            self.soak
                .books
                .fault(format!("{mismatch}: {:?}", self.ledger));
        }
        self.ledger.touch();
        self.soak.books.received(message.len());
        let read_pause = self.ledger.plan.manner(self.side).read_pause;
        match self.ledger.plan.ending {
            Ending::Leave(by, after) if by == self.side && number >= after => Next::Leave,
            _ if read_pause > 0 => Next::Pause(Duration::from_millis(read_pause)),
            _ => Next::Receive,
        }
    }

    /// Enters whether a message was sent.
    pub(crate) fn sent(&self, result: &Result<(), Error>) {
        let page = self.ledger.page(self.side);
        match result {
            Ok(()) => page.sent.fetch_add(1, Relaxed),
            Err(Error::Send(SendError::Closed)) => 0,
            Err(_) => page.doubtful.fetch_add(1, Relaxed),
        };
        self.ledger.touch();
    }

    /// This end is over.
    pub(crate) fn close(&self, sending: Option<Error>, receiving: Ended) {
        let errors = sending.into_iter().chain(receiving.error).collect();
        let confirmed = receiving.confirmed;
        let report = Report { errors, confirmed };
        self.soak.books.close(&self.ledger, self.side, report);
    }
}

/// How receiving has ended.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    pub(crate) error: Option<Error>,
    pub(crate) confirmed: Confirmed,
}

impl Iterator for Script {
    type Item = Act;

    fn next(&mut self) -> Option<Act> {
        let plan = &self.end.ledger.plan;
        let is_over = self.end.soak.is_over();
        if self.made >= plan.manner(self.end.side).messages || is_over {
            // An end that waits for the other one closes when it is time to stop.
            let closes = plan.closes(self.end.side);
            return (!std::mem::replace(&mut self.is_closed, true) && closes).then_some(Act::Close);
        }
        Some(match self.noise.below(16) {
            0 => Act::Ping(vec![7; self.noise.below(126) as usize]),
            1 => Act::Pause(Duration::from_millis(self.noise.magnitude(64))),
            kind => self.message(kind < 5),
        })
    }
}

impl Script {
    fn message(&mut self, is_split: bool) -> Act {
        let name = Name {
            connection: self.end.ledger.id,
            sender: self.end.side,
            number: self.made,
        };
        self.made += 1;
        match (name.message(), is_split) {
            (message, false) => Act::Send(message),
            (message, true) => {
                let len = message.len() as u64 + 2;
                Act::Split(message, 1 + self.noise.below(len) as usize)
            }
        }
    }
}

/// The message in fragments of this length. Text is ASCII.
pub(crate) fn fragments(message: &Message, len: usize) -> Vec<Fragment<'_>> {
    let mut fragments = Vec::new();
    let mut rest = message.as_bytes();
    loop {
        let (piece, next) = rest.split_at(len.min(rest.len()));
        rest = next;
        let payload = match message {
            Message::Text(_) => std::str::from_utf8(piece).expect("ASCII").into(),
            Message::Binary(_) => piece.into(),
        };
        let fin = rest.is_empty();
        fragments.push(Fragment { payload, fin });
        if fin {
            return fragments;
        }
    }
}
