//! Every value where the space is small, against models written from the RFCs
//! and from the standard library.

mod close_codes;
mod first_bytes;
mod utf8;
#[cfg(feature = "deflate")]
mod window_bits;

use crate::drive::Transcript;
use crate::wire::{KEY, wire};
use sansocket::{Config, ConnectionError, Entropy, Event, LimitError, ProtocolError, Role};

/// The defaults, with the masking key of `wire`, so that what is sent can be
/// compared with a `wire`.
fn config() -> Config {
    Config::new().with_entropy(Entropy::new(|bytes| {
        let key = KEY.iter().cycle();
        bytes
            .iter_mut()
            .zip(key)
            .for_each(|(byte, key)| *byte = *key);
        Ok(())
    }))
}

/// The connection fails, and a close frame tells the peer why.
fn failure(role: Role, error: impl Into<ConnectionError>) -> Transcript {
    let error = error.into();
    // RFC 6455 §7.4.1.
    let code = match error {
        ConnectionError::Protocol(ProtocolError::InvalidUtf8) => 1007,
        ConnectionError::Limit(LimitError::MessageTooLong) => 1009,
        _ => 1002,
    };
    Transcript {
        events: vec![Event::Failed(error)],
        out: wire(role).close(code, "").bytes(),
    }
}
