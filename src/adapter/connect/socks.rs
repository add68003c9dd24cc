//! A tunnel through a SOCKS proxy (RFC 1928), with a user name and password if
//! there are any (RFC 1929). The proxy resolves the name of the server.
//!
//! ```text
//!  client                          proxy
//!    │ version, methods              │ none, or user name and password
//!    ├──────────────────────────────►│
//!    │◄──────────────────────────────┤ Method: one of them
//!    │ user name, password           │
//!    ├──────────────────────────────►│ if it chose that
//!    │◄──────────────────────────────┤ Status
//!    │ CONNECT, address, port        │
//!    ├──────────────────────────────►│
//!    │◄──────────────────────────────┤ Reply: then the tunnel is open
//! ```

use std::net::{Ipv4Addr, Ipv6Addr};
use std::vec::Vec;

use crate::handshake::Uri;

/// Why a SOCKS proxy refused a tunnel (RFC 1928 §3 and §6, RFC 1929 §2).
///
/// ```
/// use sansocket::{Error, adapter::SocksError};
///
/// fn is_wrong_password(error: &Error) -> bool {
///     use SocksError::{AuthenticationFailed, NoAcceptableMethod};
///     matches!(error, Error::SocksRefused(AuthenticationFailed | NoAcceptableMethod))
/// }
/// assert!(is_wrong_password(&Error::SocksRefused(SocksError::AuthenticationFailed)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SocksError {
    /// The proxy requires another authentication method: a user name and password that
    /// were not set, or a method that is not supported.
    #[error("no acceptable authentication method (RFC 1928 section 3)")]
    NoAcceptableMethod,
    /// The user name or the password is wrong.
    #[error("authentication failed (RFC 1929 section 2)")]
    AuthenticationFailed,
    /// Reply 1.
    #[error("general failure (RFC 1928 section 6)")]
    GeneralFailure,
    /// Reply 2: the rules of the proxy forbid it.
    #[error("connection not allowed (RFC 1928 section 6)")]
    NotAllowed,
    /// Reply 3.
    #[error("network unreachable (RFC 1928 section 6)")]
    NetworkUnreachable,
    /// Reply 4, which is also sent for a name that the proxy cannot resolve.
    #[error("host unreachable (RFC 1928 section 6)")]
    HostUnreachable,
    /// Reply 5: the server refused the connection.
    #[error("connection refused (RFC 1928 section 6)")]
    ConnectionRefused,
    /// Reply 6.
    #[error("TTL expired (RFC 1928 section 6)")]
    TtlExpired,
    /// Reply 7.
    #[error("command not supported (RFC 1928 section 6)")]
    CommandNotSupported,
    /// Reply 8: the proxy does not support host names, or IPv6.
    #[error("address type not supported (RFC 1928 section 6)")]
    AddressTypeNotSupported,
    /// Any other reply.
    #[error("reply {0} (RFC 1928 section 6)")]
    Other(u8),
}

/// A fault in the bytes that a proxy sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SocksFault {
    /// The proxy refused.
    Refused(SocksError),
    /// They break a rule, or were sent too early.
    Malformed,
}

/// The request cannot be expressed: a name, user or password of more than 255
/// bytes, or an empty user or password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unrepresentable;

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const NO_ACCEPTABLE_METHOD: u8 = 0xff;

/// The version of the authentication (RFC 1929 §2).
const AUTHENTICATION_VERSION: u8 = 1;

const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// The handshake with a proxy.
#[derive(Debug)]
pub(super) struct Socks {
    stage: Stage,
    /// The message with user name and password, if there are any.
    login: Option<Vec<u8>>,
    /// The message that asks for the tunnel.
    request: Vec<u8>,
    /// An incomplete message of the proxy.
    received: Vec<u8>,
}

/// Which message of the proxy is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Method,
    Status,
    Reply,
}

impl Socks {
    /// Starts opening a tunnel to the server of the URI: appends the first message.
    pub(super) fn start(
        uri: &Uri,
        credentials: Option<(&str, &str)>,
        out: &mut Vec<u8>,
    ) -> Result<Self, Unrepresentable> {
        let login = credentials.map(login).transpose()?;
        // RFC 1928 §3: the methods from which the proxy selects one.
        match login {
            None => out.extend([VERSION, 1, NO_AUTHENTICATION]),
            Some(_) => out.extend([VERSION, 2, NO_AUTHENTICATION, USER_AND_PASSWORD]),
        }
        Ok(Self {
            stage: Stage::Method,
            login,
            request: request(uri)?,
            received: Vec::new(),
        })
    }

    /// Takes received bytes, in pieces of any length, and appends what to send next.
    /// Returns whether the tunnel is open.
    pub(super) fn receive(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<bool, SocksFault> {
        for (index, byte) in bytes.iter().enumerate() {
            self.received.push(*byte);
            if !self.is_complete()? {
                continue;
            }
            self.received.clear();
            // Either the proxy answers before it was asked, or bytes follow its last
            // reply, and no server sends before its client does.
            if index + 1 < bytes.len() {
                return Err(SocksFault::Malformed);
            }
            return Ok(self.advance(out));
        }
        Ok(false)
    }

    /// After an expected message: sends the next one, unless the tunnel is open.
    fn advance(&mut self, out: &mut Vec<u8>) -> bool {
        let next = match (self.stage, &self.login) {
            (Stage::Method, Some(login)) => {
                out.extend_from_slice(login);
                Stage::Status
            }
            (Stage::Method | Stage::Status, _) => {
                out.extend_from_slice(&self.request);
                Stage::Reply
            }
            (Stage::Reply, _) => return true,
        };
        self.stage = next;
        false
    }

    /// Whether the proxy's message is complete.
    fn is_complete(&mut self) -> Result<bool, SocksFault> {
        match self.stage {
            Stage::Method => self.is_method(),
            Stage::Status => self.is_status(),
            Stage::Reply => self.is_reply(),
        }
    }

    fn is_method(&mut self) -> Result<bool, SocksFault> {
        match *self.received {
            [VERSION] => Ok(false),
            [VERSION, NO_AUTHENTICATION] => {
                self.login = None;
                Ok(true)
            }
            [VERSION, USER_AND_PASSWORD] if self.login.is_some() => Ok(true),
            [VERSION, NO_ACCEPTABLE_METHOD] => {
                Err(SocksFault::Refused(SocksError::NoAcceptableMethod))
            }
            _ => Err(SocksFault::Malformed),
        }
    }

    /// RFC 1929 §2. Some proxies send the version of SOCKS in the first byte, which is
    /// ignored: only the second byte matters.
    fn is_status(&self) -> Result<bool, SocksFault> {
        match *self.received {
            [_] => Ok(false),
            [_, 0] => Ok(true),
            _ => Err(SocksFault::Refused(SocksError::AuthenticationFailed)),
        }
    }

    /// RFC 1928 §6: version, reply, a reserved byte, and the address that the
    /// proxy connected from.
    fn is_reply(&self) -> Result<bool, SocksFault> {
        const HEAD_LEN: usize = 4;
        const PORT_LEN: usize = 2;
        let address_len = match *self.received {
            [VERSION] | [VERSION, 0] | [VERSION, 0, _] => return Ok(false),
            // After a refusal, the proxy sends an address too or closes.
            [VERSION, reply @ 1..=u8::MAX, ..] => return Err(SocksFault::Refused(refusal(reply))),
            [VERSION, 0, _, IPV4, ..] => 4,
            [VERSION, 0, _, IPV6, ..] => 16,
            [VERSION, 0, _, NAME] => return Ok(false),
            [VERSION, 0, _, NAME, len, ..] => 1 + usize::from(len),
            _ => return Err(SocksFault::Malformed),
        };
        Ok(self.received.len() == HEAD_LEN + address_len + PORT_LEN)
    }
}

/// User name and password (RFC 1929 §2).
fn login((user, password): (&str, &str)) -> Result<Vec<u8>, Unrepresentable> {
    let mut login = Vec::from([AUTHENTICATION_VERSION]);
    for text in [user, password] {
        if text.is_empty() {
            return Err(Unrepresentable);
        }
        push_text(text, &mut login)?;
    }
    Ok(login)
}

/// The request for a tunnel (RFC 1928 §4 and §5).
fn request(uri: &Uri) -> Result<Vec<u8>, Unrepresentable> {
    let mut request = Vec::from([VERSION, CONNECT, 0]);
    if let Ok(address) = uri.host().parse::<Ipv4Addr>() {
        request.push(IPV4);
        request.extend(address.octets());
    } else if let Ok(address) = uri.host().parse::<Ipv6Addr>() {
        request.push(IPV6);
        request.extend(address.octets());
    } else {
        request.push(NAME);
        push_text(uri.host(), &mut request)?;
    }
    request.extend(uri.port().to_be_bytes());
    Ok(request)
}

/// Appends a text after its length.
fn push_text(text: &str, out: &mut Vec<u8>) -> Result<(), Unrepresentable> {
    out.push(u8::try_from(text.len()).map_err(|_| Unrepresentable)?);
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

const fn refusal(reply: u8) -> SocksError {
    match reply {
        1 => SocksError::GeneralFailure,
        2 => SocksError::NotAllowed,
        3 => SocksError::NetworkUnreachable,
        4 => SocksError::HostUnreachable,
        5 => SocksError::ConnectionRefused,
        6 => SocksError::TtlExpired,
        7 => SocksError::CommandNotSupported,
        8 => SocksError::AddressTypeNotSupported,
        other => SocksError::Other(other),
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;

    /// Plays a proxy with these messages; returns what the client sends before
    /// each of them and after the last, and whether the tunnel is open.
    fn play(
        url: &str,
        credentials: Option<(&str, &str)>,
        messages: &[&[u8]],
        piece_len: usize,
    ) -> (Vec<Vec<u8>>, Result<bool, SocksFault>) {
        let uri = Uri::parse(url).unwrap();
        let mut out = Vec::new();
        let mut socks = Socks::start(&uri, credentials, &mut out).unwrap();
        let mut sent = vec![core::mem::take(&mut out)];
        let mut result = Ok(false);
        for message in messages {
            for piece in message.chunks(piece_len) {
                result = socks.receive(piece, &mut out);
                if result != Ok(false) {
                    return (sent, result);
                }
            }
            sent.push(core::mem::take(&mut out));
        }
        (sent, result)
    }

    // RFC 1928 §4: names are left to the proxy, addresses are not names.
    #[test]
    fn request_has_the_address_of_the_server() {
        let rows: [(&str, &[u8]); 4] = [
            ("ws://h.example/", b"\x05\x01\0\x03\x09h.example\0\x50"),
            ("wss://192.0.2.1/", b"\x05\x01\0\x01\xc0\0\x02\x01\x01\xbb"),
            (
                "ws://[2001:db8::1]:9001/",
                b"\x05\x01\0\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x23\x29",
            ),
            ("ws://1.2.3/", b"\x05\x01\0\x03\x051.2.3\0\x50"),
        ];
        for (url, expected) in rows {
            let (sent, result) = play(url, None, &[b"\x05\0"], 9);
            assert_eq!(sent, [&b"\x05\x01\0"[..], expected], "{url}");
            assert_eq!(result, Ok(false));
        }
    }

    // RFC 1929 §2, and a proxy that does not ask for it.
    #[test]
    fn password_is_sent_when_it_is_asked_for() {
        let credentials = Some(("user", "secret"));
        let reply: &[u8] = b"\x05\0\0\x01\x7f\0\0\x01\0\x50";
        for piece_len in [1, 2, 100] {
            let messages: [&[u8]; 3] = [b"\x05\x02", b"\x01\0", reply];
            let (sent, result) = play("ws://h/", credentials, &messages, piece_len);
            assert_eq!(result, Ok(true));
            assert_eq!(sent[0], b"\x05\x02\0\x02");
            assert_eq!(sent[1], b"\x01\x04user\x06secret");
            assert_eq!(sent[2], b"\x05\x01\0\x03\x01h\0\x50");

            let messages: [&[u8]; 2] = [b"\x05\0", reply];
            let (sent, result) = play("ws://h/", credentials, &messages, piece_len);
            assert_eq!(result, Ok(true));
            assert_eq!(sent[1], b"\x05\x01\0\x03\x01h\0\x50");
        }
    }

    #[test]
    fn any_bound_address_is_skipped() {
        let mut long = b"\x05\0\0\x03\xff".to_vec();
        long.extend([b'x'; 257]);
        let replies: [&[u8]; 5] = [
            b"\x05\0\0\x01\0\0\0\0\0\0",
            b"\x05\0\x07\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x12\x34",
            b"\x05\0\0\x03\x01h\x12\x34",
            b"\x05\0\0\x03\0\x12\x34",
            &long,
        ];
        for reply in replies {
            for piece_len in [1, 3, 1000] {
                let (_, result) = play("ws://h/", None, &[b"\x05\0", reply], piece_len);
                assert_eq!(result, Ok(true), "{reply:?}");
                let cut = &reply[..reply.len() - 1];
                let (_, result) = play("ws://h/", None, &[b"\x05\0", cut], piece_len);
                assert_eq!(result, Ok(false), "{reply:?} has an end");
                let more = [reply, b"x"].concat();
                let (_, result) = play("ws://h/", None, &[b"\x05\0", &more], 1000);
                assert_eq!(result, Err(SocksFault::Malformed), "nobody may speak yet");
            }
        }
    }

    #[test]
    fn lengths_have_their_bounds() {
        let start = |host_len, user: &str, password: &str| {
            let uri = Uri::parse(&std::format!("ws://{}/", "h".repeat(host_len))).unwrap();
            Socks::start(&uri, Some((user, password)), &mut Vec::new()).map(drop)
        };
        let (long, longer) = ("x".repeat(255), "x".repeat(256));
        assert_eq!(start(255, &long, &long), Ok(()));
        assert_eq!(start(256, "u", "p"), Err(Unrepresentable));
        assert_eq!(start(1, &longer, "p"), Err(Unrepresentable));
        assert_eq!(start(1, "u", &longer), Err(Unrepresentable));
        assert_eq!(start(1, "", "p"), Err(Unrepresentable));
        assert_eq!(start(1, "u", ""), Err(Unrepresentable));
    }
}
