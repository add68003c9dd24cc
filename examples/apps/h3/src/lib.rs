//! WebSockets over HTTP/3 (RFC 9220): `sansocket`, which has no I/O, joined to
//! `quiche`, which has none either.
//!
//! ```text
//!   Application   what a program does with its sockets
//!   Session       one connection of QUIC: datagrams, deadlines, an orderly end
//!   Streams       requests, answers, GOAWAY
//!   Socket        one WebSocket on one stream: a core, flow control, FIN and resets
//!   Outgoing      what a stream still has to send
//! ```
//!
//! A [`Session`] takes datagrams and returns datagrams; [`h3_echo`] and
//! [`h3_client`] are the loops around it.
//!
//! | RFC 9220 §3, RFC 8441 §5 | here |
//! |---|---|
//! | `SETTINGS_ENABLE_CONNECT_PROTOCOL` | a server sends it, a client waits for it: [`Error::NoExtendedConnect`] |
//! | an orderly close of TCP is the FIN of the stream | sent once the core is closed; received, it is the end of the stream to the core |
//! | a reset of TCP is `H3_REQUEST_CANCELLED` | sent when a core is dropped before it is closed; [`Error::Reset`] |
//!
//! [`h3_echo`]: https://github.com/sansocket/sansocket/blob/main/examples/apps/h3/src/bin/h3_echo.rs
//! [`h3_client`]: https://github.com/sansocket/sansocket/blob/main/examples/apps/h3/src/bin/h3_client.rs

mod error;
mod head;
mod outgoing;
mod session;
mod settings;
mod socket;
mod streams;
mod udp;

pub use error::Error;
pub use session::{Application, Session};
pub use settings::{STREAM_WINDOW, client, server};
pub use socket::Socket;
pub use udp::{receive, send};
