//! The options of connecting: a proxy, TLS, redirects.

use std::fmt;
use std::string::String;

use super::http_proxy::basic;
use super::proxy_tunnel::ProxyTunnel;
#[cfg(feature = "rustls")]
use super::tls::Tls;
use crate::adapter::Error;
use crate::config::Config;
use crate::handshake::{RequestError, Uri, UriError};

/// The options of a client's connections: an HTTP or SOCKS proxy, TLS, and how many
/// redirects to follow.
///
/// Passed to the `connect_with` and `connect_on` functions of the adapters. Cheap to
/// clone, and can be used for any number of connections.
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
    pub(super) max_redirects: u32,
    #[cfg(feature = "rustls")]
    pub(super) tls: Option<Tls>,
}

/// The proxy, and its protocol.
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
    /// Creates a connector with this configuration for its WebSockets. By default it
    /// connects directly, trusts the roots of the platform for `wss`, and does not follow
    /// redirects.
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

    /// Connects through a proxy. The scheme of its URI is one of:
    ///
    /// - `http://host:port`, with CONNECT (RFC 9110 §9.3.6). The port defaults to 80.
    /// - `socks5://host:port` or `socks5h://host:port`, which mean the same here (RFC
    ///   1928): the proxy resolves the name of the server. The port defaults to 1080.
    ///
    /// Environment variables such as `HTTPS_PROXY` are not read.
    ///
    /// # Errors
    ///
    /// [`RequestError::Uri`] if the URI is invalid or has another scheme.
    ///
    /// ```
    /// use sansocket::{Config, adapter::Connector};
    ///
    /// let connector = Connector::new(&Config::new());
    /// assert!(connector.clone().with_proxy("socks5://127.0.0.1").is_ok());
    /// assert!(connector.with_proxy("ftp://127.0.0.1").is_err());
    /// ```
    pub fn with_proxy(mut self, uri: &str) -> Result<Self, RequestError> {
        self.proxy = Some(Proxy::parse(uri)?);
        Ok(self)
    }

    /// Sets the user name and password for the proxy. They are sent to an HTTP proxy
    /// with the request (Basic, RFC 7617), and to a SOCKS proxy if it asks for them (RFC
    /// 1929), in both cases unencrypted.
    #[must_use]
    pub fn with_proxy_credentials(mut self, user: &str, password: &str) -> Self {
        self.credentials = Some(Credentials {
            user: user.into(),
            password: password.into(),
        });
        self
    }

    /// Sets how many redirects are followed. One more fails with
    /// [`Error::TooManyRedirects`]. Defaults to 0, where a redirect fails with
    /// [`Error::Refused`].
    ///
    /// A redirect from `wss` to `ws` is never followed, and another server does not
    /// receive headers that may contain secrets: see
    /// [`ClientRequest::redirected`](crate::ClientRequest::redirected).
    #[must_use]
    pub const fn with_max_redirects(mut self, redirects: u32) -> Self {
        self.max_redirects = redirects;
        self
    }

    /// Sets the TLS options for `wss`. Defaults to [`Tls::platform`].
    ///
    /// ```
    /// use sansocket::{Config, adapter::{Connector, Tls}};
    ///
    /// // Trusts only the certificates in a file, and not those of the platform.
    /// let mut roots = rustls::RootCertStore::empty();
    /// # let certificates: Vec<rustls::pki_types::CertificateDer> = Vec::new();
    /// roots.add_parsable_certificates(certificates);
    /// let connector = Connector::new(&Config::new()).with_tls(Tls::roots(roots)?);
    /// # let _ = connector;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn with_tls(mut self, tls: impl Into<Tls>) -> Self {
        self.tls = Some(tls.into());
        self
    }

    pub(in crate::adapter) const fn config(&self) -> &Config {
        &self.config
    }

    /// The first host to connect to, on the way to this URI.
    pub(in crate::adapter) fn first_hop<'u>(&'u self, uri: &'u Uri) -> (&'u str, u16) {
        let hop = self.proxy.as_ref().map_or(uri, |proxy| &proxy.uri);
        (hop.host(), hop.port())
    }

    /// A tunnel to this URI, if there is a proxy.
    pub(in crate::adapter) fn tunnel(&self, uri: &Uri) -> Result<Option<ProxyTunnel>, Error> {
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

/// Omits the password, because connectors can be logged.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
