//! WebSocket URIs (§3).

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::net::Ipv6Addr;

use super::number::parse_number;

/// A `ws://` or `wss://` URI (§3).
///
/// ```
/// use sansocket::Uri;
///
/// let uri = Uri::parse("ws://[::1]:9001/chat?room=1")?;
/// assert_eq!((uri.host(), uri.port()), ("::1", 9001));
/// assert_eq!(uri.authority(), "[::1]:9001");
/// assert_eq!(uri.resource_name(), "/chat?room=1");
/// # Ok::<(), sansocket::UriError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Uri {
    is_secure: bool,
    host: String,
    port: u16,
    authority: String,
    resource_name: String,
}

/// Error returned by [`Uri::parse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// The scheme is neither `ws` nor `wss` (§3).
    #[error("scheme is neither ws nor wss (RFC 6455 section 3)")]
    UnknownScheme,
    /// A character that must be percent-encoded (RFC 3986 §2): a space, a
    /// control character, one of ``"<>\^`{|}``, or one that is not ASCII.
    #[error("contains a character that must be percent-encoded (RFC 3986 section 2)")]
    InvalidCharacter,
    /// A `%` without two hexadecimal digits after it (RFC 3986 §2.1).
    #[error("invalid percent-encoding (RFC 3986 section 2.1)")]
    InvalidEscape,
    /// More than 65,534 bytes, the limit of HTTP libraries.
    #[error("longer than 65534 bytes")]
    TooLong,
    /// A user name or password, which the scheme does not allow (§3).
    #[error("user information is not allowed (RFC 6455 section 3)")]
    UserInformation,
    /// The host is empty, contains a percent-encoded character, or has brackets
    /// without an IPv6 address (RFC 3986 §3.2.2).
    #[error("invalid host (RFC 3986 section 3.2.2)")]
    InvalidHost,
    /// The port is not a number from 1 to 65535 (RFC 3986 §3.2.3).
    #[error("invalid port (RFC 3986 section 3.2.3)")]
    InvalidPort,
    /// A fragment identifier: `#` must be written `%23` (§3).
    #[error("fragment identifiers are not allowed (RFC 6455 section 3)")]
    Fragment,
}

impl Uri {
    /// Parses a URI.
    ///
    /// Square brackets are allowed in path and query: RFC 3986 requires that they be
    /// percent-encoded, but browsers send them unencoded.
    ///
    /// # Errors
    ///
    /// [`UriError`], if this is not a `ws://` or `wss://` URI.
    ///
    /// ```
    /// use sansocket::{Uri, UriError};
    ///
    /// assert_eq!(Uri::parse("wss://example.com")?.port(), 443);
    /// assert_eq!(Uri::parse("ws://example.com/#top"), Err(UriError::Fragment));
    /// assert_eq!(Uri::parse("ws://user@example.com/"), Err(UriError::UserInformation));
    /// # Ok::<(), UriError>(())
    /// ```
    pub fn parse(uri: &str) -> Result<Self, UriError> {
        if uri.contains('#') {
            return Err(UriError::Fragment);
        }
        check_characters(uri)?;
        let (scheme, rest) = uri.split_once("://").ok_or(UriError::UnknownScheme)?;
        let is_secure = match scheme {
            _ if scheme.eq_ignore_ascii_case("ws") => false,
            _ if scheme.eq_ignore_ascii_case("wss") => true,
            _ => return Err(UriError::UnknownScheme),
        };
        let path_at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, resource) = rest.split_at(path_at);
        if authority.contains('@') {
            return Err(UriError::UserInformation);
        }
        let (host, port) = split_port(authority)?;
        let default = if is_secure { 443 } else { 80 };
        let port = parse_port(port)?.unwrap_or(default);
        Ok(Self::new(is_secure, host, port, default, resource))
    }

    fn new(is_secure: bool, host: &str, port: u16, default: u16, resource: &str) -> Self {
        // RFC 9110 §4.2.3: the default port may be omitted, and many servers
        // compare `Host` with their name only.
        let authority = if port == default {
            host.into()
        } else {
            format!("{host}:{port}")
        };
        let slash = if resource.starts_with('/') { "" } else { "/" };
        Self {
            is_secure,
            host: without_brackets(host).into(),
            port,
            authority,
            resource_name: format!("{slash}{resource}"),
        }
    }

    /// Returns `true` for `wss`: the connection uses TLS.
    pub const fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Returns the host. An IPv6 address has no brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port, which defaults to 80 for `ws` and 443 for `wss`.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Returns host and port in the form of the field `Host`: the default port is
    /// omitted.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Returns the path and query (§3).
    pub fn resource_name(&self) -> &str {
        &self.resource_name
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.authority, self.resource_name)
    }
}

fn check_characters(uri: &str) -> Result<(), UriError> {
    let is_allowed = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
    if !uri.bytes().all(is_allowed) {
        return Err(UriError::InvalidCharacter);
    }
    let is_escape = |rest: &str| matches!(rest.as_bytes(), [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
    if !uri.split('%').skip(1).all(is_escape) {
        return Err(UriError::InvalidEscape);
    }
    if uri.len() > MAX_LEN {
        return Err(UriError::TooLong);
    }
    Ok(())
}

/// The longest URI that the `http` crate accepts.
const MAX_LEN: usize = 65_534;

/// Removes the brackets around an IPv6 address.
fn without_brackets(host: &str) -> &str {
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    inner.unwrap_or(host)
}

/// The host, with the brackets of an IPv6 address, and the port after it.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), UriError> {
    if authority.starts_with('[') {
        let end = authority.find(']').ok_or(UriError::InvalidHost)?;
        let (host, port) = authority.split_at(end + 1);
        let address = without_brackets(host).parse::<Ipv6Addr>();
        return match (address, port.strip_prefix(':'), port.is_empty()) {
            (Ok(_), port, true) | (Ok(_), port @ Some(_), _) => Ok((host, port)),
            _ => Err(UriError::InvalidHost),
        };
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte);
    if host.is_empty() || !host.bytes().all(is_host) {
        return Err(UriError::InvalidHost);
    }
    Ok((host, port))
}

/// RFC 3986 §3.2.3: the port may be empty.
fn parse_port(port: Option<&str>) -> Result<Option<u16>, UriError> {
    match port {
        None | Some("") => Ok(None),
        Some(port) => match parse_number(port.as_bytes()) {
            None | Some(0) => Err(UriError::InvalidPort),
            port => Ok(port),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris() {
        let table = [
            (
                "ws://example.com",
                Ok(("example.com", 80, "example.com", "/")),
            ),
            (
                "WSS://Example.com",
                Ok(("Example.com", 443, "Example.com", "/")),
            ),
            ("ws://h:80/a", Ok(("h", 80, "h", "/a"))),
            ("wss://h:443/a?b=c", Ok(("h", 443, "h", "/a?b=c"))),
            ("ws://h:443", Ok(("h", 443, "h:443", "/"))),
            ("ws://h?q", Ok(("h", 80, "h", "/?q"))),
            ("ws://h:", Ok(("h", 80, "h", "/"))),
            ("ws://[::1]", Ok(("::1", 80, "[::1]", "/"))),
            (
                "ws://[2001:db8::1]:9001/x",
                Ok(("2001:db8::1", 9001, "[2001:db8::1]:9001", "/x")),
            ),
            ("ws://h/a:b@c", Ok(("h", 80, "h", "/a:b@c"))),
            ("http://h", Err(UriError::UnknownScheme)),
            ("h:80", Err(UriError::UnknownScheme)),
            ("", Err(UriError::UnknownScheme)),
            ("ws://", Err(UriError::InvalidHost)),
            ("ws:///path", Err(UriError::InvalidHost)),
            ("ws://:80", Err(UriError::InvalidHost)),
            ("ws://[::1", Err(UriError::InvalidHost)),
            ("ws://[::1]9", Err(UriError::InvalidHost)),
            ("ws://[h]", Err(UriError::InvalidHost)),
            ("ws://[[::1]", Err(UriError::InvalidHost)),
            ("ws://h]", Err(UriError::InvalidHost)),
            ("ws://::1", Err(UriError::InvalidHost)),
            ("ws://h:0", Err(UriError::InvalidPort)),
            ("ws://h:65536", Err(UriError::InvalidPort)),
            ("ws://h:+1", Err(UriError::InvalidPort)),
            ("ws://h:9001:2", Err(UriError::InvalidPort)),
            ("ws://user@h", Err(UriError::UserInformation)),
            ("ws://user:password@h", Err(UriError::UserInformation)),
            ("ws://h/a#b", Err(UriError::Fragment)),
            ("ws://h/a b", Err(UriError::InvalidCharacter)),
            ("ws://h/\r\nX: y", Err(UriError::InvalidCharacter)),
            ("ws://b\u{fc}cher.de", Err(UriError::InvalidCharacter)),
            ("ws://h<1>/", Err(UriError::InvalidCharacter)),
            ("ws://h/a%2Fb?%7e", Ok(("h", 80, "h", "/a%2Fb?%7e"))),
            ("ws://h/a[0]?b[1]", Ok(("h", 80, "h", "/a[0]?b[1]"))),
            ("ws://h/%zz", Err(UriError::InvalidEscape)),
            ("ws://h/%4", Err(UriError::InvalidEscape)),
            ("ws://h/?%", Err(UriError::InvalidEscape)),
            ("ws://h%/", Err(UriError::InvalidEscape)),
            ("ws://h%41/", Err(UriError::InvalidHost)),
        ];
        for (text, expected) in table {
            let uri = Uri::parse(text);
            let parts = uri
                .as_ref()
                .map(|uri| (uri.host(), uri.port(), uri.authority(), uri.resource_name()));
            assert_eq!(parts, expected.as_ref().map(|parts| *parts), "{text}");
        }
    }

    #[test]
    fn characters_outside_rfc_3986_are_refused() {
        for place in ["ws://h/a?b", "ws://ha/b?c", "ws://h/ab?c"] {
            let (before, after) = place.split_once('a').expect("a place");
            let refused = ('!'..='~').filter(|c| {
                let uri = Uri::parse(&format!("{before}{c}{after}"));
                uri == Err(UriError::InvalidCharacter)
            });
            assert_eq!(refused.collect::<String>(), "\"<>\\^`{|}", "{place}");
        }
        let long = |len: usize| Uri::parse(&format!("ws://h/{}", "a".repeat(len - 7)));
        assert!(long(65_534).is_ok());
        assert_eq!(long(65_535), Err(UriError::TooLong));
    }

    #[test]
    fn uri_is_shown_as_it_was() {
        for text in ["ws://h/", "wss://h:9001/a?b", "ws://[::1]:9001/"] {
            assert_eq!(
                Uri::parse(text).map(|uri| format!("{uri}")),
                Ok(text.into())
            );
        }
    }
}
