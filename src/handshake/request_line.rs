//! The request line (RFC 9112 §3): method, target and version.

use alloc::borrow::Cow;
use alloc::format;

use super::authority::Authority;
use crate::error::HandshakeError;

/// The HTTP version of a request, as far as the rules differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HttpVersion {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
    /// HTTP/2 and HTTP/3.
    #[cfg(feature = "std")]
    Http2,
}

/// A request line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestLine<'h> {
    pub(super) version: HttpVersion,
    pub(super) method: &'h str,
    /// The authority of a target in absolute-form, or `:authority`.
    pub(super) authority: Option<&'h str>,
    /// The part after the authority, or the whole target.
    resource: &'h str,
}

impl<'h> RequestLine<'h> {
    /// Splits a target in absolute-form (RFC 9112 §3.2.2); any other target is kept
    /// unchanged.
    pub(crate) fn new(version: HttpVersion, method: &'h str, target: &'h str) -> Self {
        let (authority, resource) = match split_absolute(target) {
            Some((authority, resource)) => (Some(authority), resource),
            None => (None, target),
        };
        Self {
            version,
            method,
            authority,
            resource,
        }
    }

    /// Sets the authority: from `:authority` of HTTP/2, or from a URI that another
    /// library split.
    #[cfg(feature = "std")]
    pub(crate) fn with_authority(self, authority: Option<&'h str>) -> Self {
        let authority = authority.or(self.authority);
        Self { authority, ..self }
    }

    /// The target without scheme and authority.
    pub(super) fn target(&self) -> Cow<'h, str> {
        // RFC 9110 §4.2.3: an empty path means `/`.
        if self.has_empty_path() {
            return format!("/{}", self.resource).into();
        }
        Cow::Borrowed(self.resource)
    }

    fn has_empty_path(&self) -> bool {
        self.authority.is_some() && (self.resource.is_empty() || self.resource.starts_with('?'))
    }

    /// Checks the target by RFC 9112 §3.2. The target of an upgrade must also name
    /// a resource (RFC 6455 §4.2.1).
    pub(super) fn check_target(&self, is_upgrade: bool) -> Result<(), HandshakeError> {
        // RFC 3986 §3.5: a fragment is never sent.
        let is_resource = self.resource.starts_with('/') || self.has_empty_path();
        let is_other = !is_upgrade && (self.resource == "*" || self.method == "CONNECT");
        if (is_resource || is_other) && !self.resource.bytes().any(|byte| byte == b'#') {
            Ok(())
        } else {
            Err(HandshakeError::InvalidTarget)
        }
    }

    /// The authority of the target, if it has one.
    ///
    /// RFC 9110 §4.2.4: user information is refused, because it is used to disguise
    /// the host.
    pub(super) fn check_authority(&self) -> Result<Option<&'h [u8]>, HandshakeError> {
        match self.authority.map(str::as_bytes) {
            Some(authority) if !Authority::is_valid(authority) => {
                Err(HandshakeError::InvalidTarget)
            }
            authority => Ok(authority),
        }
    }
}

/// The authority of a target in absolute-form, and the part after it.
fn split_absolute(target: &str) -> Option<(&str, &str)> {
    if target.starts_with('/') {
        return None;
    }
    let (scheme, rest) = target.split_once("://")?;
    let schemes = ["http", "https", "ws", "wss"];
    if !schemes
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
    {
        return None;
    }
    Some(rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len())))
}

/// Whether the first line of a head has exactly three words, of which the last
/// is a version of HTTP (RFC 9112 §2.3).
pub(super) fn ends_in_http_version(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let version = words.nth(2).filter(|_| words.next().is_none());
    matches!(
        version,
        Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor])
            if major.is_ascii_digit() && minor.is_ascii_digit()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line<'h>(method: &'h str, target: &'h str) -> RequestLine<'h> {
        RequestLine::new(HttpVersion::Http11, method, target)
    }

    #[test]
    fn targets_in_absolute_form_are_split() {
        let table = [
            ("/a?b", None, "/a?b"),
            ("/http://h/", None, "/http://h/"),
            ("http://h", Some("h"), "/"),
            ("http://h?q", Some("h"), "/?q"),
            ("HTTPS://h:81/a?b", Some("h:81"), "/a?b"),
            ("ws://h/x", Some("h"), "/x"),
            ("WsS://h/x", Some("h"), "/x"),
            ("ftp://h/x", None, "ftp://h/x"),
            ("*", None, "*"),
            ("h:443", None, "h:443"),
        ];
        for (target, authority, expected) in table {
            let line = line("GET", target);
            assert_eq!(line.authority, authority, "{target}");
            assert_eq!(line.target(), expected, "{target}");
        }
    }

    #[test]
    fn targets_are_checked() {
        // Whether it is valid in an upgrade, and in a plain request.
        let table = [
            ("GET", "/", true, true),
            ("GET", "http://h", true, true),
            ("OPTIONS", "*", false, true),
            ("CONNECT", "h:443", false, true),
            ("GET", "h:443", false, false),
            ("GET", "chat", false, false),
            ("GET", "?q", false, false),
            ("GET", "ftp://h/", false, false),
            ("GET", "/a#b", false, false),
            ("GET", "http://h#b", false, false),
            ("GET", "", false, false),
        ];
        for (method, target, of_upgrade, of_plain) in table {
            let line = line(method, target);
            assert_eq!(line.check_target(true).is_ok(), of_upgrade, "{target}");
            assert_eq!(line.check_target(false).is_ok(), of_plain, "{target}");
        }
    }

    #[test]
    fn authorities_have_no_user_information() {
        for (target, is_fine) in [
            ("http://h/", true),
            ("http://h:1/", true),
            ("http://user@h/", false),
            ("http://user:secret@h/", false),
            ("http:///", false),
            ("http://h:x/", false),
        ] {
            let checked = line("GET", target).check_authority();
            assert_eq!(checked.is_ok(), is_fine, "{target}");
        }
    }

    #[test]
    fn versions_are_the_third_word() {
        for (head, expected) in [
            ("GET / HTTP/2.0\r\n", true),
            ("GET / HTTP/1.9\r\n", true),
            ("GET /a b HTTP/1.1\r\n", false),
            ("GET / HTTP/2\r\n", false),
            ("GET / http/1.1\r\n", false),
            ("GET / HTTP/1.10\r\n", false),
            ("GET /\r\n", false),
            ("", false),
        ] {
            assert_eq!(ends_in_http_version(head.as_bytes()), expected, "{head}");
        }
    }
}
