//! The list of attacks, each with what it does and what bounds it.

mod closings;
mod floods;
mod handshakes;
mod messages;

use sansocket::Error;

use crate::peer::Peer;

pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) does: &'static str,
    pub(crate) bounded_by: &'static str,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Silence,
    SlowHeads,
    SlowBodies,
    Pings,
    NoReading,
    Fragments,
    Bombs,
    Resets,
    Closes,
    Descriptors,
    Stop,
}

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        name: "silence",
        does: "sends nothing, before or after the opening handshake",
        bounded_by: "`handshake_timeout`; `ping_interval` and `pong_timeout`",
        kind: Kind::Silence,
    },
    Attack {
        name: "slow-heads",
        does: "sends a request that never ends, one byte every 100 ms",
        bounded_by: "`handshake_timeout`, `max_head_len`",
        kind: Kind::SlowHeads,
    },
    Attack {
        name: "slow-bodies",
        does: "declares a message of 16 MiB and sends one byte of it every 10 ms",
        bounded_by: "nothing is allocated for a declared length",
        kind: Kind::SlowBodies,
    },
    Attack {
        name: "pings",
        does: "sends 900 pings a second and reads the pongs or not, or sends 2000 at once",
        bounded_by: "`max_control_frames`; `max_unsent_len` and `write_timeout`, if it does not read",
        kind: Kind::Pings,
    },
    Attack {
        name: "no-reading",
        does: "sends messages of 64 KiB and never reads an echo",
        bounded_by: "`max_unsent_len`, `write_timeout`",
        kind: Kind::NoReading,
    },
    Attack {
        name: "fragments",
        does: "sends 131,000 empty or one-byte fragments a second, as one message or without end",
        bounded_by: "`max_fragments`",
        kind: Kind::Fragments,
    },
    Attack {
        name: "bombs",
        does: "sends 16 KiB that inflate to 16 MiB, every second",
        bounded_by: "`max_message_len`, `max_total_memory`; `max_ratio`, which the examples disable",
        kind: Kind::Bombs,
    },
    Attack {
        name: "resets",
        does: "connects and resets, ten times a second, at four points of a connection",
        bounded_by: "a connection that ended holds nothing",
        kind: Kind::Resets,
    },
    Attack {
        name: "closes",
        does: "sends a close frame or breaks a rule, and then floods or is silent",
        bounded_by: "`close_timeout`",
        kind: Kind::Closes,
    },
    Attack {
        name: "descriptors",
        does: "helps to open twice as many connections as the server may have descriptors",
        bounded_by: "the server, which pauses before it accepts again",
        kind: Kind::Descriptors,
    },
    Attack {
        name: "stop",
        does: "is silent, in the middle of a request, busy, not reading or resetting while the server stops",
        bounded_by: "`handshake_timeout`, `close_timeout`, and the server's own limit",
        kind: Kind::Stop,
    },
];

impl Attack {
    /// The limit that the server is started with.
    pub(crate) fn descriptors(&self) -> Option<usize> {
        (self.kind == Kind::Descriptors).then_some(handshakes::DESCRIPTORS)
    }

    /// Whether the server stops during the attack.
    pub(crate) fn stops_server(&self) -> bool {
        self.kind == Kind::Stop
    }

    /// Whether it needs a server that was started for it.
    pub(crate) fn owns_server(&self) -> bool {
        matches!(self.kind, Kind::Descriptors | Kind::Stop)
    }

    /// Whether it needs a server that compresses.
    pub(crate) fn needs_deflate(&self) -> bool {
        self.kind == Kind::Bombs
    }
}

impl Kind {
    /// One attempt, until the server ends it.
    pub(crate) async fn attempt(self, peer: &Peer) -> Result<(), Error> {
        match self {
            Self::Silence => handshakes::be_silent(peer).await,
            Self::SlowHeads => handshakes::trickle_head(peer).await,
            Self::Descriptors => handshakes::hold_descriptors(peer).await,
            Self::SlowBodies => messages::trickle_body(peer).await,
            Self::Fragments => messages::send_fragments(peer).await,
            Self::Bombs => messages::send_bombs(peer).await,
            Self::Pings => floods::ping(peer).await,
            Self::NoReading => floods::never_read(peer).await,
            Self::Resets => closings::reset(peer).await,
            Self::Closes => closings::never_close(peer).await,
            Self::Stop => closings::load(peer).await,
        }
    }
}
