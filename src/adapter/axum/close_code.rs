//! Status codes of the closing handshake (§7.4.1 and the IANA registry).

/// The purpose of the connection is fulfilled.
pub const NORMAL: u16 = 1000;
/// The server is shutting down, or the user left the page.
pub const AWAY: u16 = 1001;
/// A rule of the protocol was broken.
pub const PROTOCOL: u16 = 1002;
/// A kind of data was received that cannot be accepted.
pub const UNSUPPORTED: u16 = 1003;
/// The close frame has no code. Never on the wire: closing with this code and no
/// reason sends an empty close frame.
pub const STATUS: u16 = 1005;
/// There was no close frame. Never sent.
pub const ABNORMAL: u16 = 1006;
/// The data does not match its type, such as text that is not UTF-8.
pub const INVALID: u16 = 1007;
/// A policy was violated, and no other code fits.
pub const POLICY: u16 = 1008;
/// A message is too big.
pub const SIZE: u16 = 1009;
/// The server did not negotiate an extension that the client needs.
pub const EXTENSION: u16 = 1010;
/// An unexpected condition prevents the server from continuing.
pub const ERROR: u16 = 1011;
/// The service is restarting.
pub const RESTART: u16 = 1012;
/// Try again later.
pub const AGAIN: u16 = 1013;
