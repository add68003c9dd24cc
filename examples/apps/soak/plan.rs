//! What happens on one connection, and which errors that explains.

use std::io::ErrorKind;

use sansocket::{ConnectionError, Error, SendError};

use crate::noise::Noise;

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

impl Side {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// This end closes after its last message, and the other one answers.
    CloseBy(Side),
    /// Each end closes after its last message, if it is not closed by then.
    CloseBoth,
    /// Each end closes its own direction after its last message; the other
    /// direction goes on.
    CloseHalves,
    /// This end drops the connection after so many received messages; the other one
    /// closes after its last.
    Leave(Side, u64),
    /// The transport of this end fails after so many bytes; the other end closes after
    /// its last message.
    Fail(Side, Fault, u64),
}

/// How a transport fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection is reset: RST.
    Reset,
    /// The write direction is shut down: FIN, in the middle of a frame.
    EndOfWrites,
    /// All reads fail.
    Reads(ErrorKind),
    /// All writes fail.
    Writes(ErrorKind),
}

/// How one end behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) messages: u64,
    /// How long it waits after each received message, in milliseconds.
    pub(crate) read_pause: u64,
    /// The longest read and write, in bytes.
    pub(crate) max_piece: usize,
}

/// What happens on one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) ending: Ending,
    pub(crate) client: Manner,
    pub(crate) server: Manner,
    pub(crate) is_compressed: bool,
    pub(crate) takes_context_over: bool,
}

impl Plan {
    pub(crate) fn new(seed: u64, connection: u64) -> Self {
        let mut noise = Noise::new(seed.wrapping_shl(32) ^ connection);
        let (client, server) = (Manner::new(&mut noise), Manner::new(&mut noise));
        Self {
            ending: Ending::new(&mut noise),
            client,
            server,
            is_compressed: noise.one_in(2),
            takes_context_over: noise.one_in(2),
        }
    }

    /// As a stream of an HTTP/2 connection, whose transport fails as that of the
    /// first stream does.
    pub(crate) fn beside(mut self, first: &Self) -> Self {
        self.ending = match (first.ending, self.ending) {
            (fault @ Ending::Fail(..), _) => fault,
            (_, Ending::Fail(..)) => Ending::CloseBoth,
            (_, own) => own,
        };
        self
    }

    pub(crate) const fn manner(&self, side: Side) -> &Manner {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    /// Whether this end closes after its last message. One that leaves or fails does
    /// not, so that its close frame is an answer, which confirms what was sent to it.
    pub(crate) fn closes(&self, side: Side) -> bool {
        match self.ending {
            Ending::CloseBy(by) => by == side,
            Ending::CloseBoth | Ending::CloseHalves => true,
            Ending::Leave(by, _) | Ending::Fail(by, ..) => by != side,
        }
    }

    /// How the transport of this end fails, and after how many bytes.
    pub(crate) fn fault(&self, side: Side) -> Option<(Fault, u64)> {
        match self.ending {
            Ending::Fail(by, fault, after) if by == side => Some((fault, after)),
            _ => None,
        }
    }

    /// Whether both ends complete the closing handshake.
    pub(crate) const fn is_orderly(&self) -> bool {
        !matches!(self.ending, Ending::Leave(..) | Ending::Fail(..))
    }

    /// Whether this end may see this error.
    pub(crate) fn expects(&self, side: Side, error: &Error) -> bool {
        let may_be_closed = match self.ending {
            Ending::CloseHalves => false,
            Ending::CloseBy(by) => by != side,
            _ => true,
        };
        match self.ending {
            _ if matches!(error, Error::Send(SendError::Closed)) => may_be_closed,
            Ending::Leave(by, _) => by != side && is_loss(error),
            Ending::Fail(by, fault, _) => {
                is_loss(error) || is_cut(error) || by == side && fault.is(error)
            }
            _ => false,
        }
    }
}

const ANY: usize = usize::MAX;
const MAX_PIECES: [usize; 8] = [1024, 4096, 16 * 1024, 16 * 1024, ANY, ANY, ANY, ANY];

impl Manner {
    fn new(noise: &mut Noise) -> Self {
        Self {
            messages: noise.magnitude(256) - 1,
            read_pause: noise.choose(&[0, 0, 0, 0, 0, 0, 1, 10]),
            max_piece: noise.choose(&MAX_PIECES),
        }
    }
}

impl Ending {
    fn new(noise: &mut Noise) -> Self {
        let by = noise.choose(&[Side::Client, Side::Server]);
        match noise.below(16) {
            0..6 => Self::CloseBy(by),
            6..8 => Self::CloseBoth,
            8..10 => Self::CloseHalves,
            10..12 => Self::Leave(by, noise.below(20)),
            _ => Self::Fail(by, Fault::new(noise), noise.magnitude(1 << 20)),
        }
    }
}

impl Fault {
    fn new(noise: &mut Noise) -> Self {
        let kinds = [
            ErrorKind::ConnectionReset,
            ErrorKind::HostUnreachable,
            ErrorKind::Other,
        ];
        match noise.below(4) {
            0 => Self::Reset,
            1 => Self::EndOfWrites,
            2 => Self::Reads(noise.choose(&kinds)),
            _ => Self::Writes(noise.choose(&kinds)),
        }
    }

    /// Whether this end sees it as this error.
    fn is(self, error: &Error) -> bool {
        let (Error::Io(error), Self::Reads(kind) | Self::Writes(kind)) = (error, self) else {
            return false;
        };
        error.kind() == kind
    }
}

/// Whether h2 has found the end of the stream within one of its frames.
fn is_cut(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.kind() == ErrorKind::Other)
}

/// Whether the other end, or the way there, was lost.
fn is_loss(error: &Error) -> bool {
    match error {
        Error::Failed(ConnectionError::UnexpectedEof) => true,
        Error::Io(error) => matches!(
            error.kind(),
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe
        ),
        _ => false,
    }
}
