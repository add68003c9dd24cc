//! Host and port, as `Host`, `:authority` and origins contain them
//! (RFC 3986 §3.2).

use super::byte_set::ByteSet;
use super::number::parse_number;

/// A host and its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Authority<'a> {
    /// An IPv6 address keeps its brackets.
    pub(super) host: &'a [u8],
    /// `None` if the port is missing or empty (RFC 3986 §3.2.3).
    pub(super) port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Parses a host and an optional port, without user information.
    pub(super) fn parse(authority: &'a [u8]) -> Option<Self> {
        let is_bracketed = authority.first() == Some(&b'[');
        let end = if is_bracketed {
            let address = authority
                .iter()
                .skip(1)
                .take_while(|byte| is_address(**byte));
            address.count() + 2
        } else {
            authority.iter().take_while(|byte| is_name(**byte)).count()
        };
        let (host, port) = authority.split_at_checked(end)?;
        let port = match port {
            [] | [b':'] => None,
            [b':', digits @ ..] => Some(parse_number(digits)?),
            _ => return None,
        };
        let is_host = match host {
            [b'[', address @ .., end] => *end == b']' && !address.is_empty(),
            name => !name.is_empty(),
        };
        is_host.then_some(Self { host, port })
    }

    /// Whether these bytes are a host with an optional port.
    pub(super) fn is_valid(authority: &[u8]) -> bool {
        Authority::parse(authority).is_some()
    }
}

/// The characters of `reg-name` in RFC 3986 §3.2.2, which includes IPv4 addresses.
fn is_name(byte: u8) -> bool {
    static NAME: ByteSet = ByteSet::alphanumeric_and(b"-._~%!$&'()*+,;=");
    NAME.contains(byte)
}

/// RFC 3986 §3.2.2: the characters allowed in brackets.
fn is_address(byte: u8) -> bool {
    byte == b':' || is_name(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities() {
        type Expected<'e> = Option<(&'e str, Option<u16>)>;
        let table: [(&str, Expected<'_>); 19] = [
            ("example.com", Some(("example.com", None))),
            ("example.com:80", Some(("example.com", Some(80)))),
            ("example.com:", Some(("example.com", None))),
            ("h:0", Some(("h", Some(0)))),
            ("h:65535", Some(("h", Some(65535)))),
            ("[::1]", Some(("[::1]", None))),
            ("[::1]:9001", Some(("[::1]", Some(9001)))),
            ("under_score", Some(("under_score", None))),
            ("", None),
            (":80", None),
            ("h:65536", None),
            ("h:http", None),
            ("h:+1", None),
            ("h:1:2", None),
            ("::1", None),
            ("[::1]9", None),
            ("[]", None),
            ("user@h", None),
            ("a/b", None),
        ];
        for (text, expected) in table {
            let parsed = Authority::parse(text.as_bytes());
            let expected = expected.map(|(host, port)| Authority {
                host: host.as_bytes(),
                port,
            });
            assert_eq!(parsed, expected, "{text}");
        }
    }
}
