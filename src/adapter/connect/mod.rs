//! How connections are made, for all adapters: through which proxy, with which
//! TLS, following how many redirects.

#[cfg(feature = "tokio")]
pub(super) mod race;
#[cfg(feature = "rustls")]
mod tls;
mod tunnel;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::string::String;
use std::time::Duration;
use std::vec::Vec;

use super::{ConnectStep, Error};
use crate::config::Config;
use crate::handshake::proxy::basic;
use crate::handshake::{ClientRequest, RedirectError, RequestError, Uri, UriError};
#[cfg(feature = "rustls")]
pub use tls::Tls;
pub(super) use tunnel::ProxyTunnel;

/// How to connect to servers: through an HTTP or SOCKS proxy, with which TLS,
/// following how many redirects.
///
/// ```
/// use sansocket::{Config, adapter::Connector};
///
/// let connector = Connector::new(&Config::new())
///     .with_proxy("http://proxy.example.com:3128")?
///     .with_proxy_credentials("user", "secret")
///     .with_max_redirects(5);
/// # let _ = connector;
/// # Ok::<(), sansocket::RequestError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Connector {
    config: Config,
    proxy: Option<Proxy>,
    credentials: Option<Credentials>,
    max_redirects: u32,
    #[cfg(feature = "rustls")]
    tls: Option<Tls>,
}

/// The protocols of RFC 9112 and RFC 9113, as ALPN names them (RFC 9113 §3.1).
#[cfg(any(feature = "futures", feature = "rustls", feature = "tokio"))]
pub(super) const HTTP_1_1: &[u8] = b"http/1.1";
#[cfg(feature = "h2")]
pub(super) const HTTP_2: &[u8] = b"h2";

/// Which proxy, and how it is spoken to.
#[derive(Clone, Debug)]
struct Proxy {
    kind: ProxyKind,
    uri: Uri,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ProxyKind {
    Http,
    Socks,
}

/// A user name and a password.
#[derive(Clone)]
struct Credentials {
    user: String,
    password: String,
}

impl Connector {
    /// Directly, with the platform's roots for `wss`, following no redirect.
    pub fn new(config: &Config) -> Self {
        Self {
            config: config.clone(),
            proxy: None,
            credentials: None,
            max_redirects: 0,
            #[cfg(feature = "rustls")]
            tls: None,
        }
    }

    /// Through a proxy, by the scheme of its URI:
    ///
    /// - `http://host:port`, with CONNECT (RFC 9110 §9.3.6). The port defaults
    ///   to 80.
    /// - `socks5://host:port`, or `socks5h`, which is the same here (RFC 1928):
    ///   the proxy resolves the name of the server. The port defaults to 1080.
    ///
    /// # Errors
    ///
    /// [`RequestError::Uri`] if this is no such URI of a host.
    pub fn with_proxy(mut self, uri: &str) -> Result<Self, RequestError> {
        self.proxy = Some(Proxy::parse(uri)?);
        Ok(self)
    }

    /// The credentials that are sent to the proxy: to an HTTP proxy at once
    /// (Basic, RFC 7617), to a SOCKS proxy if it asks for them (RFC 1929), as
    /// plain text in both cases.
    #[must_use]
    pub fn with_proxy_credentials(mut self, user: &str, password: &str) -> Self {
        self.credentials = Some(Credentials {
            user: user.into(),
            password: password.into(),
        });
        self
    }

    /// Follows up to this many redirects, never from `wss` to `ws`; one more is
    /// [`Error::TooManyRedirects`]. Defaults to 0: a redirect is
    /// [`Error::Refused`], whose response [`ClientRequest::redirected`]
    /// understands.
    #[must_use]
    pub const fn with_max_redirects(mut self, redirects: u32) -> Self {
        self.max_redirects = redirects;
        self
    }

    /// Whom to trust. Default [`Tls::platform`].
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn with_tls(mut self, tls: impl Into<Tls>) -> Self {
        self.tls = Some(tls.into());
        self
    }

    pub(super) const fn config(&self) -> &Config {
        &self.config
    }

    /// The first host to connect to, on the way to this URI.
    pub(super) fn first_hop<'u>(&'u self, uri: &'u Uri) -> (&'u str, u16) {
        let hop = self.proxy.as_ref().map_or(uri, |proxy| &proxy.uri);
        (hop.host(), hop.port())
    }

    /// A tunnel to this URI, if there is a proxy.
    pub(super) fn tunnel(&self, uri: &Uri) -> Result<Option<ProxyTunnel>, Error> {
        let Some(proxy) = &self.proxy else {
            return Ok(None);
        };
        let credentials = self.credentials.as_ref();
        let credentials = credentials.map(|found| (&*found.user, &*found.password));
        if proxy.kind == ProxyKind::Socks {
            return ProxyTunnel::socks(uri, credentials).map(Some);
        }
        let authorization = credentials.map(|(user, password)| basic(user, password));
        let tunnel = ProxyTunnel::http(uri, authorization.as_deref(), &self.config);
        Ok(Some(tunnel))
    }
}

impl Proxy {
    fn parse(uri: &str) -> Result<Self, RequestError> {
        let (scheme, rest) = uri.split_once("://").ok_or(UriError::UnknownScheme)?;
        let kind = match &*scheme.to_ascii_lowercase() {
            "http" => ProxyKind::Http,
            "socks5" | "socks5h" => ProxyKind::Socks,
            _ => return Err(UriError::UnknownScheme.into()),
        };
        let (authority, path) = rest.split_once(['/', '?']).unwrap_or((rest, ""));
        // An IPv6 address in brackets has colons too.
        let after_address = authority.rsplit(']').next().unwrap_or_default();
        let port = match (kind, after_address.split_once(':')) {
            (ProxyKind::Socks, None) => ":1080",
            // RFC 3986 §3.2.3: the port may be empty.
            (ProxyKind::Socks, Some((_, ""))) => "1080",
            _ => "",
        };
        let uri = Uri::parse(&std::format!("ws://{authority}{port}/{path}"))?;
        Ok(Self { kind, uri })
    }
}

/// Without the password: connectors are logged.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl ConnectStep {
    pub(super) const fn failed(self, error: io::Error) -> Error {
        Error::Connect { step: self, error }
    }
}

/// A request, and how often it may be redirected.
#[derive(Debug)]
pub(super) struct Redirects {
    pub(super) request: ClientRequest,
    max: u32,
    left: u32,
}

impl Redirects {
    pub(super) fn new(
        request: impl TryInto<ClientRequest, Error: Into<RequestError>>,
        connector: &Connector,
    ) -> Result<Self, Error> {
        let request = sendable(request)?;
        let max = connector.max_redirects;
        Ok(Self {
            request,
            max,
            left: max,
        })
    }

    /// What becomes of an attempt; `None`: try again with the request that the
    /// server asked for.
    pub(super) fn follow<W>(&mut self, result: Result<W, Error>) -> Option<Result<W, Error>> {
        let response = match result {
            Err(Error::Refused(response)) if self.max > 0 => response,
            result => return Some(result),
        };
        match self.request.redirected(&response) {
            Ok(_) if self.left == 0 => Some(Err(Error::TooManyRedirects(response))),
            Ok(next) => {
                self.left -= 1;
                match supported(next) {
                    Ok(next) => self.request = next,
                    Err(error) => return Some(Err(error)),
                }
                None
            }
            Err(RedirectError::NotARedirect) => Some(Err(Error::Refused(response))),
            Err(error) => Some(Err(error.into())),
        }
    }
}

/// A request that can be sent: known before anything is dialled.
pub(super) fn sendable(
    request: impl TryInto<ClientRequest, Error: Into<RequestError>>,
) -> Result<ClientRequest, Error> {
    supported(request.try_into().map_err(Into::into)?)
}

fn supported(request: ClientRequest) -> Result<ClientRequest, Error> {
    #[cfg(not(feature = "rustls"))]
    if request.uri().is_secure() {
        return Err(no_tls());
    }
    Ok(request)
}

/// How long an address may take until the next one is tried too (RFC 8305 §5).
pub(super) const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// The addresses with both families in turn, beginning with the family of the
/// first (RFC 8305 §4).
pub(super) fn interleaved(addresses: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let addresses: Vec<_> = addresses.collect();
    let is_ipv6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == is_ipv6);
    let mut second = second.into_iter();
    let mut interleaved = Vec::new();
    for address in first {
        interleaved.push(address);
        interleaved.extend(second.next());
    }
    interleaved.extend(second);
    interleaved
}

/// The answer to `wss` without the feature `rustls`.
#[cfg(not(feature = "rustls"))]
pub(super) fn no_tls() -> Error {
    let error = io::Error::new(io::ErrorKind::Unsupported, "built without rustls");
    ConnectStep::Tls.failed(error)
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};
    use std::vec;

    use super::*;

    /// An address at which nobody answers, for as long as the rest is kept: a
    /// listener with a full backlog.
    pub(in crate::adapter) fn black_hole() -> (SocketAddr, (std::net::TcpListener, Vec<TcpStream>))
    {
        let runtime = ::tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap();
        let _context = runtime.enter();
        let socket = ::tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let listener = socket.listen(1).unwrap().into_std().unwrap();
        let address = listener.local_addr().unwrap();
        let wait = Duration::from_millis(100);
        let connect = || TcpStream::connect_timeout(&address, wait).ok();
        let waiting = std::iter::from_fn(connect).collect();
        (address, (listener, waiting))
    }

    /// An address at which nobody listens.
    pub(in crate::adapter) fn unused() -> SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    }

    #[test]
    fn proxies_have_their_own_ports() {
        let uri = Uri::parse("ws://server.example/").unwrap();
        for (proxy, expected) in [
            ("http://p", Some(("p", 80))),
            ("http://p:3128/", Some(("p", 3128))),
            ("HTTP://p", Some(("p", 80))),
            ("socks5://p", Some(("p", 1080))),
            ("socks5h://p/", Some(("p", 1080))),
            ("SOCKS5://p:9050", Some(("p", 9050))),
            ("socks5://p:80", Some(("p", 80))),
            ("socks5://p:", Some(("p", 1080))),
            ("socks5://p?x", Some(("p", 1080))),
            ("http://p:", Some(("p", 80))),
            ("socks5://p::", None),
            ("socks5://[::1]", Some(("::1", 1080))),
            ("socks5://[::1]:9050", Some(("::1", 9050))),
            ("socks5://", None),
            ("socks5://p:x", None),
            ("socks5://user@p", None),
            ("socks4://p", None),
            ("https://p", None),
            ("p:1080", None),
        ] {
            let connector = Connector::new(&Config::new()).with_proxy(proxy);
            let hop = connector
                .as_ref()
                .map(|connector| connector.first_hop(&uri));
            assert_eq!(hop.ok(), expected, "{proxy}");
        }
    }

    #[test]
    fn password_is_not_shown() {
        let connector = Connector::new(&Config::new()).with_proxy_credentials("user", "secret");
        let shown = std::format!("{connector:?}");
        assert!(
            shown.contains("user") && !shown.contains("secret"),
            "{shown}"
        );
    }

    #[test]
    fn families_are_tried_in_turn() {
        let v4 = |host| SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 80));
        let v6 = |host| SocketAddr::from((Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, host), 80));
        for (resolved, expected) in [
            (vec![], vec![]),
            (vec![v4(1), v4(2)], vec![v4(1), v4(2)]),
            (
                vec![v6(1), v6(2), v6(3), v4(1)],
                vec![v6(1), v4(1), v6(2), v6(3)],
            ),
            (
                vec![v4(1), v6(1), v6(2), v6(3)],
                vec![v4(1), v6(1), v6(2), v6(3)],
            ),
        ] {
            assert_eq!(interleaved(resolved.into_iter()), expected);
        }
    }
}
