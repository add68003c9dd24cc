//! Which hosts a server answers for.

use alloc::boxed::Box;

use super::authority::Authority;

/// The hosts that a server answers for, compared with the `Host` of each request.
/// Set with [`Config::with_hosts`](crate::Config::with_hosts).
///
/// This prevents DNS rebinding, by which a malicious page reaches a server under a
/// host name of its own: see
/// [`OriginPolicy::SameOrigin`](crate::OriginPolicy::SameOrigin).
///
/// ```
/// use sansocket::{Config, Hosts};
///
/// let hosts = Hosts::list(["chat.example.com", "localhost:8080", "[::1]:8080"])?;
/// let config = Config::new().with_hosts(hosts);
/// # let _ = config;
/// # Ok::<(), sansocket::InvalidHost>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hosts(Box<[Host]>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Host {
    name: Box<[u8]>,
    port: Option<u16>,
}

/// Error returned by [`Hosts::list`]: an entry that is not a host with an
/// optional port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a host with an optional port: {0:?}")]
pub struct InvalidHost(Box<str>);

impl Hosts {
    /// Creates a list of hosts, each with or without a port. An entry without a
    /// port allows every port. Case does not matter, and there are no wildcards.
    ///
    /// # Errors
    ///
    /// [`InvalidHost`] with the first entry that is not a host.
    ///
    /// ```
    /// # #[cfg(feature = "std")] {
    /// use sansocket::{Config, Hosts, Rejection, Request, upgrade};
    ///
    /// let config = Config::new().with_hosts(Hosts::list(["chat.example.com", "localhost:8080"])?);
    /// let to = |host: &str| -> Result<Request, Rejection> {
    ///     upgrade::request("GET", "/", [("host", host.as_bytes())], &config)
    /// };
    /// assert!(to("Chat.Example.COM:8443").is_ok());
    /// assert!(to("localhost:8080").is_ok());
    /// assert_eq!(to("localhost:9999").unwrap_err().status(), 421);
    /// assert!(Hosts::list(["https://chat.example.com/"]).is_err());
    /// # }
    /// # Ok::<(), sansocket::InvalidHost>(())
    /// ```
    pub fn list(hosts: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, InvalidHost> {
        let hosts = hosts.into_iter().map(|host| Host::parse(host.as_ref()));
        hosts.collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn allows(&self, host: &[u8]) -> bool {
        let host = Authority::parse(host);
        host.is_some_and(|host| self.0.iter().any(|allowed| allowed.matches(host)))
    }
}

impl Host {
    fn parse(host: &str) -> Result<Self, InvalidHost> {
        let parsed = Authority::parse(host.as_bytes()).filter(|_| !host.contains('*'));
        let parsed = parsed.ok_or_else(|| InvalidHost(host.into()))?;
        Ok(Self {
            name: parsed.host.into(),
            port: parsed.port,
        })
    }

    fn matches(&self, host: Authority<'_>) -> bool {
        let is_port = match (self.port, host.port) {
            (None, _) => true,
            // Clients omit the default port of the scheme, which is not known
            // here if a proxy terminates TLS.
            (Some(port), None) => matches!(port, 80 | 443),
            (port, named) => port == named,
        };
        is_port && self.name.eq_ignore_ascii_case(host.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_matched_without_case() {
        let hosts = ["chat.example.com", "localhost:8080", "h:443", "[::1]"];
        let hosts = Hosts::list(hosts).unwrap();
        let table = [
            ("chat.example.com", true),
            ("CHAT.example.COM", true),
            ("chat.example.com:8443", true),
            ("chat.example.com:", true),
            ("example.com", false),
            ("chat.example.com.evil.example", false),
            ("localhost:8080", true),
            ("LocalHost:8080", true),
            ("localhost", false),
            ("localhost:8081", false),
            ("h", true),
            ("h:443", true),
            ("h:80", false),
            ("[::1]:9001", true),
            ("[::2]", false),
            ("", false),
        ];
        for (host, expected) in table {
            assert_eq!(hosts.allows(host.as_bytes()), expected, "{host}");
        }
        assert!(!Hosts::list([""; 0]).unwrap().allows(b"h"), "none at all");
    }

    #[test]
    fn entries_are_hosts() {
        for entry in [
            "",
            "http://h",
            "h/",
            "*.example.com",
            "h:x",
            "user@h",
            "h:1:2",
        ] {
            assert_eq!(Hosts::list(["h", entry]), Err(InvalidHost(entry.into())));
        }
    }
}
