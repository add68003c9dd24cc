//! How clients reach a server, for all adapters: the addresses of the host, the
//! proxy, TLS, and redirects. The adapters move the bytes.

mod addresses;
mod connector;
mod http_proxy;
mod proxy_tunnel;
#[cfg(feature = "tokio")]
pub(super) mod race;
mod redirects;
mod socks;
#[cfg(any(feature = "futures", feature = "tokio"))]
mod timeout;
#[cfg(feature = "rustls")]
mod tls;

use std::io;

use super::{ConnectStep, Error};
#[cfg(test)]
pub(super) use addresses::tests;
pub(super) use addresses::{ATTEMPT_DELAY, interleave_families};
pub use connector::Connector;
pub(super) use proxy_tunnel::ProxyTunnel;
pub(super) use redirects::{Redirects, checked_request};
pub use socks::SocksError;
#[cfg(any(feature = "futures", feature = "tokio"))]
pub(super) use timeout::with_timeout;
#[cfg(feature = "rustls")]
pub use tls::Tls;

/// The protocols of RFC 9112 and RFC 9113, as ALPN names them (RFC 9113 §3.1).
#[cfg(any(feature = "futures", feature = "rustls", feature = "tokio"))]
pub(super) const HTTP_1_1: &[u8] = b"http/1.1";
#[cfg(feature = "h2")]
pub(super) const HTTP_2: &[u8] = b"h2";

impl ConnectStep {
    pub(super) const fn failed(self, error: io::Error) -> Error {
        Error::Connect { step: self, error }
    }
}

/// The error for `wss` without the feature `rustls`.
#[cfg(not(feature = "rustls"))]
pub(super) fn tls_unavailable() -> Error {
    let error = io::Error::new(io::ErrorKind::Unsupported, "built without rustls");
    ConnectStep::Tls.failed(error)
}
