//! Which pages may open a connection (§10.2).

use alloc::string::String;
use alloc::vec::Vec;

/// Which values of `Origin` a server accepts.
///
/// A browser sends a visitor's cookies along with the requests of any page, so
/// a server that trusts cookies must look at the page's origin. Clients that
/// are no browsers send no `Origin`, and every policy lets them pass.
///
/// ```
/// use sansocket::{Config, OriginPolicy};
///
/// let policy = OriginPolicy::List(vec!["https://example.com".into()]);
/// let config = Config::new().origin(policy);
/// # let _ = config;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum OriginPolicy {
    /// Pages from the host and port that the request is addressed to.
    #[default]
    SameOrigin,
    /// Pages of these origins, such as `https://example.com:8443`.
    List(Vec<String>),
    /// Pages from anywhere.
    Any,
}

impl OriginPolicy {
    pub(super) fn allows(&self, origin: Option<&[u8]>, host: &[u8]) -> bool {
        let Some(origin) = origin else { return true };
        match self {
            Self::Any => true,
            // The scheme is not compared: behind a proxy that ends TLS, the
            // server cannot tell its own.
            Self::SameOrigin => Origin::parse(origin).is_some_and(|origin| origin.is_at(host)),
            Self::List(allowed) => allowed
                .iter()
                .any(|allowed| is_same(allowed.as_bytes(), origin)),
        }
    }
}

/// RFC 6454 §4 and §6.2: scheme, host and port; the port may be left out where
/// it is the scheme's own.
struct Origin<'h> {
    scheme: &'h [u8],
    authority: &'h [u8],
}

impl<'h> Origin<'h> {
    fn parse(origin: &'h [u8]) -> Option<Self> {
        let colon = origin.iter().position(|byte| *byte == b':')?;
        let (scheme, rest) = origin.split_at_checked(colon)?;
        Some(Self {
            scheme,
            authority: rest.strip_prefix(b"://")?,
        })
    }

    fn is_at(&self, host: &[u8]) -> bool {
        self.without_port(self.authority)
            .eq_ignore_ascii_case(self.without_port(host))
    }

    /// Leaves out the scheme's own port.
    fn without_port<'a>(&self, authority: &'a [u8]) -> &'a [u8] {
        let is = |scheme: &[u8]| self.scheme.eq_ignore_ascii_case(scheme);
        let port: &[u8] = match () {
            () if is(b"http") || is(b"ws") => b":80",
            () if is(b"https") || is(b"wss") => b":443",
            () => return authority,
        };
        authority.strip_suffix(port).unwrap_or(authority)
    }
}

fn is_same(allowed: &[u8], origin: &[u8]) -> bool {
    match (Origin::parse(allowed), Origin::parse(origin)) {
        (Some(allowed), Some(origin)) => {
            allowed.scheme.eq_ignore_ascii_case(origin.scheme) && allowed.is_at(origin.authority)
        }
        // `null`, of a page without an origin, is only what it says.
        _ => allowed == origin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_origin() {
        let table = [
            ("http://example.com", "example.com", true),
            ("http://EXAMPLE.com", "example.COM", true),
            ("http://example.com", "example.com:80", true),
            ("http://example.com:80", "example.com", true),
            ("https://example.com", "example.com", true),
            ("https://example.com:443", "example.com", true),
            ("https://example.com", "example.com:443", true),
            ("http://127.0.0.1:9001", "127.0.0.1:9001", true),
            ("http://[::1]:9001", "[::1]:9001", true),
            ("http://example.com", "example.com:8080", false),
            ("http://example.com:8080", "example.com", false),
            ("https://example.com", "example.com:80", false),
            ("http://example.com:443", "example.com", false),
            ("http://evil.com", "example.com", false),
            ("http://example.com.evil.com", "example.com", false),
            ("http://evilexample.com", "example.com", false),
            ("null", "example.com", false),
            ("null", "null", false),
            ("example.com", "example.com", false),
            ("", "example.com", false),
        ];
        for (origin, host, expected) in table {
            let allows = OriginPolicy::SameOrigin.allows(Some(origin.as_bytes()), host.as_bytes());
            assert_eq!(allows, expected, "{origin} at {host}");
        }
    }

    #[test]
    fn list_of_origins() {
        let list = ["https://example.com", "http://localhost:3000", "null"];
        let policy = OriginPolicy::List(list.map(Into::into).to_vec());
        let table = [
            ("https://example.com", true),
            ("HTTPS://Example.Com:443", true),
            ("http://example.com", false),
            ("https://example.com:8443", false),
            ("http://localhost:3000", true),
            ("http://localhost", false),
            ("null", true),
            ("https://example.com/", false),
        ];
        for (origin, expected) in table {
            assert_eq!(
                policy.allows(Some(origin.as_bytes()), b"x"),
                expected,
                "{origin}"
            );
        }
        assert!(!OriginPolicy::List(Vec::new()).allows(Some(b"null"), b"x"));
    }

    #[test]
    fn clients_without_origin_pass_every_policy() {
        for policy in [
            OriginPolicy::Any,
            OriginPolicy::SameOrigin,
            OriginPolicy::List(Vec::new()),
        ] {
            assert!(policy.allows(None, b"example.com"));
        }
    }
}
