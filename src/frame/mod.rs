//! Frames (§5): the layer for relays, gateways and test tools.
//!
//! A [`Decoder`] splits a byte stream into headers and payloads, which can be written
//! again byte for byte: reserved bits, masks and fragment boundaries are kept. This layer
//! has no messages, replies or limits: for those, see
//! [`Connection`](crate::Connection).
//!
//! ```text
//!   0                   1                   2                   3
//!   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//!  +-+-+-+-+-------+-+-------------+-------------------------------+
//!  |F|R|R|R| opcode|M| payload len | 126: 16 bits of length        |
//!  |I|S|S|S|  (4)  |A|     (7)     | 127: 64 bits of length        |
//!  |N|V|V|V|       |S|             |   (in network byte order)     |
//!  | |1|2|3|       |K|             |                               |
//!  +-+-+-+-+-------+-+-------------+-------------------------------+
//!  | masking key, 32 bits, if MASK is set                          |
//!  +---------------------------------------------------------------+
//!  | payload, masked with the key if MASK is set                   |
//!  +---------------------------------------------------------------+
//! ```
//!
//! A relay that passes on what it reads:
//!
//! ```
//! use sansocket::Input;
//! use sansocket::frame::{Decoder, Part};
//!
//! let mut wire = *b"\x01\x03Hel\x80\x02lo";
//! let expected = wire;
//! let mut input = Input::new(&mut wire);
//! let mut decoder = Decoder::new();
//! let mut out = Vec::new();
//! while let Some(part) = decoder.decode(&mut input)? {
//!     match part {
//!         Part::Header(header) => header.write(&mut out),
//!         Part::Payload(bytes) => out.extend_from_slice(bytes),
//!     }
//! }
//! assert_eq!(out, expected);
//! # Ok::<(), sansocket::ProtocolError>(())
//! ```

mod complete;
mod decoder;
pub(crate) mod encoder;
mod header;
mod mask;
mod rules;

pub(crate) use complete::CompleteFrame;
pub use decoder::{Decoder, Part};
pub use header::{Header, Opcode};
pub use mask::{Mask, MaskingKey};
pub(crate) use rules::{ControlRate, Rules};

/// The role of an endpoint: a client masks its frames, a server does not (§5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum Role {
    /// The endpoint that sent the request.
    Client,
    /// The endpoint that answered it.
    Server,
}
