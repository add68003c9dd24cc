//! Which pages may open a connection (§10.2).

use alloc::boxed::Box;

use super::authority::Authority;

/// Which web pages a server accepts connections from, by the request's `Origin`.
///
/// Browsers send a visitor's cookies with the requests of any page, so a server that
/// trusts cookies must check the origin of the page. Non-browser clients send no
/// `Origin`, and every policy accepts them.
///
/// ```
/// use sansocket::{Config, OriginPolicy};
///
/// let policy = OriginPolicy::list(["https://example.com", "http://localhost:3000"])?;
/// let config = Config::new().with_origin(policy);
/// # let _ = config;
/// # Ok::<(), sansocket::InvalidOrigin>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OriginPolicy {
    /// Accepts pages from the host and port that the request is addressed to. The
    /// scheme is not compared, because a server behind a proxy that terminates TLS
    /// does not know its own scheme.
    ///
    /// This does not prevent DNS rebinding: the name `evil.example` can resolve to
    /// the address of your server (127.0.0.1, or one in your network) while a page
    /// of that site is open. The page then sends `Origin: http://evil.example` and
    /// `Host: evil.example`, which match. Cookies do not leak that way, but a
    /// server that trusts everyone who can reach it, like many servers on
    /// localhost, must also check the host: see
    /// [`Config::with_hosts`](crate::Config::with_hosts).
    #[default]
    SameOrigin,
    /// Accepts pages of these origins. Created with [`list`](Self::list).
    List(OriginList),
    /// Accepts pages from anywhere.
    Any,
}

/// The origins of [`OriginPolicy::list`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OriginList(Box<[Box<str>]>);

/// Error returned by [`OriginPolicy::list`]: an entry that is not an origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an origin (scheme://host, with an optional port, or null): {0:?}")]
pub struct InvalidOrigin(Box<str>);

impl OriginPolicy {
    /// Creates a policy that accepts only pages of these origins, each in the form
    /// that browsers send: `https://example.com`, `https://example.com:8443`, or
    /// `null` for pages without an origin. Case does not matter, and there are no
    /// wildcards.
    ///
    /// # Errors
    ///
    /// [`InvalidOrigin`] with the first entry that is not an origin and so would
    /// never match. A common mistake is a path or a trailing slash.
    ///
    /// ```
    /// use sansocket::OriginPolicy;
    ///
    /// assert!(OriginPolicy::list(["https://example.com", "http://localhost:3000"]).is_ok());
    /// let error = OriginPolicy::list(["https://example.com/"]).unwrap_err();
    /// assert!(error.to_string().ends_with("\"https://example.com/\""));
    /// ```
    pub fn list(origins: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, InvalidOrigin> {
        let origins = origins.into_iter().map(|origin| check(origin.as_ref()));
        let origins = origins.collect::<Result<_, _>>()?;
        Ok(Self::List(OriginList(origins)))
    }

    pub(super) fn allows(&self, origin: Option<&[u8]>, host: &[u8]) -> bool {
        let Some(origin) = origin else { return true };
        match self {
            Self::Any => true,
            Self::SameOrigin => {
                Origin::parse(origin).is_some_and(|origin| origin.has_authority(host))
            }
            Self::List(OriginList(allowed)) => allowed
                .iter()
                .any(|allowed| is_same(allowed.as_bytes(), origin)),
        }
    }
}

/// RFC 6454 §6.2: the form that browsers send.
fn check(origin: &str) -> Result<Box<str>, InvalidOrigin> {
    let is_origin = match Origin::parse(origin.as_bytes()) {
        Some(Origin { scheme, authority }) => {
            let is_scheme = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
            let starts_well = scheme.first().is_some_and(u8::is_ascii_alphabetic);
            let is_authority = Authority::is_valid(authority) && !authority.contains(&b'*');
            starts_well
                && scheme.iter().all(is_scheme)
                && is_authority
                && !authority.ends_with(b":")
        }
        None => origin == "null",
    };
    if is_origin {
        Ok(origin.into())
    } else {
        Err(InvalidOrigin(origin.into()))
    }
}

/// RFC 6454 §4 and §6.2: scheme, host and port; the default port of the scheme may
/// be omitted.
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

    fn has_authority(&self, host: &[u8]) -> bool {
        // Nearly always, nothing but the scheme was added.
        if self.authority == host {
            return true;
        }
        let port = self.default_port();
        let [authority, host] = [self.authority, host].map(|authority| without(port, authority));
        authority.eq_ignore_ascii_case(host)
    }

    /// The default port of the scheme, as a suffix.
    fn default_port(&self) -> Option<&'static [u8]> {
        let is = |scheme: &[u8]| self.scheme.eq_ignore_ascii_case(scheme);
        match () {
            () if is(b"https") || is(b"wss") => Some(b":443"),
            () if is(b"http") || is(b"ws") => Some(b":80"),
            () => None,
        }
    }
}

/// The authority without this port.
fn without<'a>(port: Option<&[u8]>, authority: &'a [u8]) -> &'a [u8] {
    let Some(port) = port else { return authority };
    let authority = authority.strip_suffix(port).unwrap_or(authority);
    // RFC 3986 §3.2.3: the port may be empty.
    authority.strip_suffix(b":").unwrap_or(authority)
}

fn is_same(allowed: &[u8], origin: &[u8]) -> bool {
    match (Origin::parse(allowed), Origin::parse(origin)) {
        (Some(allowed), Some(origin)) => {
            allowed.scheme.eq_ignore_ascii_case(origin.scheme)
                && allowed.has_authority(origin.authority)
        }
        // `null`, for a page without an origin, is compared literally.
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
            ("http://example.com", "example.com:", true),
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
        let policy = OriginPolicy::list(list).unwrap();
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
        let empty = OriginPolicy::list([""; 0]).unwrap();
        assert!(!empty.allows(Some(b"null"), b"x"));
    }

    #[test]
    fn entries_of_a_list_are_origins() {
        for entry in [
            "https://h",
            "http://[::1]:9001",
            "chrome-extension://abc",
            "null",
        ] {
            assert!(OriginPolicy::list([entry]).is_ok(), "{entry}");
        }
        let bad = [
            "",
            "h",
            "h:80",
            "https://h/",
            "https://h/a",
            "https://",
            "https://h:",
            "https://h:x",
            "https://user@h",
            "https://*.h",
            "://h",
            "1://h",
            "NULL",
            "*",
            "https://h ",
        ];
        for entry in bad {
            let error = Err(InvalidOrigin(entry.into()));
            assert_eq!(OriginPolicy::list(["https://h", entry]), error);
        }
    }

    #[test]
    fn clients_without_origin_pass_every_policy() {
        for policy in [
            OriginPolicy::Any,
            OriginPolicy::SameOrigin,
            OriginPolicy::list([""; 0]).unwrap(),
        ] {
            assert!(policy.allows(None, b"example.com"));
        }
    }
}
