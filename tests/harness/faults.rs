//! The faults that a peer can commit: what it sends, the error that it causes, and what
//! it is told. The core and every adapter must agree with each row.

// Each test binary uses a part of it.
#![allow(dead_code)]

use sansocket::frame::{Header, MaskingKey, Opcode};
use sansocket::{
    Config, ConnectionError, HandshakeError, HeaderField, Hosts, LimitError, OriginPolicy,
    ProtocolError, Role,
};

use crate::wire::{Wire, config, peer_of, wire};

/// What `Fault::request` asks for, with the answer to its nonce.
pub(crate) const REQUEST: &str = "GET /chat HTTP/1.1\r\n\
    Host: example.com\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// What a server answers to the nonce that `config` draws.
pub(crate) const RESPONSE: &str = "HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: pT25h6EVFbWDyyinkmTBvzUVxQo=\r\n\r\n";

/// What tells the peer of its fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A close frame with this code.
    Close(u16),
    /// An HTTP response with this status.
    Status(u16),
    /// The end of the stream.
    End,
}

#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    /// The endpoint that notices it.
    pub(crate) role: Role,
    pub(crate) config: Config,
    /// The peer's part of the opening handshake.
    pub(crate) head: Vec<u8>,
    /// What the peer sends after it.
    pub(crate) bytes: Vec<u8>,
    pub(crate) error: ConnectionError,
    pub(crate) reply: Reply,
}

impl Fault {
    /// Whether the opening handshake completes.
    pub(crate) fn opens(&self) -> bool {
        !matches!(self.error, ConnectionError::Handshake(_))
    }

    /// The code in the outcome.
    pub(crate) fn outcome_code(&self) -> u16 {
        match self.reply {
            Reply::Close(code) => code,
            Reply::Status(_) | Reply::End => 1006,
        }
    }
}

/// All of them, for both roles.
pub(crate) fn faults() -> Vec<Fault> {
    let mut faults = [server_heads(), client_heads()].concat();
    for role in [Role::Client, Role::Server] {
        faults.extend(framing(role));
        faults.extend(limits(role));
        #[cfg(feature = "deflate")]
        faults.extend(compressed(role));
    }
    faults
}

/// A head with a part of it replaced.
fn with(head: &str, part: &str, replacement: &str) -> Vec<u8> {
    assert!(head.contains(part), "{part:?}");
    head.replacen(part, replacement, 1).into_bytes()
}

fn with_field(head: &str, field: &str) -> Vec<u8> {
    with(head, "\r\n\r\n", &format!("\r\n{field}\r\n\r\n"))
}

fn head_of(role: Role) -> Vec<u8> {
    match role {
        Role::Server => REQUEST.into(),
        Role::Client => RESPONSE.into(),
    }
}

fn server_heads() -> Vec<Fault> {
    use HandshakeError::*;
    let request = |part, replacement| with(REQUEST, part, replacement);
    let field = |field| with_field(REQUEST, field);
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let version = "Sec-WebSocket-Version: 13\r\n";
    let plain = || config();
    let origin = || plain().with_origin(OriginPolicy::SameOrigin);
    let hosts = || plain().with_hosts(Hosts::list(["example.org"]).unwrap());
    let rows = vec![
        (
            "bare CR in the head",
            plain(),
            request("/chat ", "/ch\rat "),
            MalformedHead,
            400,
        ),
        (
            "long head",
            plain().with_max_head_len(150),
            field("A: b"),
            HeadTooLong,
            431,
        ),
        (
            "many fields",
            plain().with_max_headers(6),
            field("A: b"),
            TooManyHeaders,
            431,
        ),
        (
            "HTTP/2.0",
            plain(),
            request("HTTP/1.1", "HTTP/2.0"),
            UnsupportedHttpVersion,
            505,
        ),
        (
            "POST",
            plain(),
            request("GET", "POST"),
            MethodNotAllowed,
            405,
        ),
        (
            "fragment",
            plain(),
            request("/chat", "/a#b"),
            InvalidTarget,
            400,
        ),
        (
            "no Upgrade",
            plain(),
            request("Upgrade: websocket\r\n", ""),
            Refused(426),
            426,
        ),
        (
            "version 12",
            plain(),
            request("n: 13", "n: 12"),
            UnsupportedVersion,
            426,
        ),
        (
            "other origin",
            origin(),
            field("Origin: http://evil.example"),
            OriginNotAllowed,
            403,
        ),
        ("other host", hosts(), REQUEST.into(), HostNotAllowed, 421),
        (
            "no Host",
            plain(),
            request("Host: example.com\r\n", ""),
            Missing(HeaderField::Host),
            400,
        ),
        (
            "Host of a path",
            plain(),
            request("example.com", "a/b"),
            Invalid(HeaderField::Host),
            400,
        ),
        (
            "no key",
            plain(),
            request(key, ""),
            Missing(HeaderField::Key),
            400,
        ),
        (
            "two keys",
            plain(),
            field(key.trim_end()),
            Duplicate(HeaderField::Key),
            400,
        ),
        (
            "short key",
            plain(),
            request("jZQ==", "jZQ"),
            Invalid(HeaderField::Key),
            400,
        ),
        (
            "no version",
            plain(),
            request(version, ""),
            Missing(HeaderField::Version),
            400,
        ),
        (
            "no Connection",
            plain(),
            request("Connection: Upgrade\r\n", ""),
            Missing(HeaderField::Connection),
            400,
        ),
        (
            "subprotocol with a space",
            plain(),
            field("Sec-WebSocket-Protocol: a b"),
            Invalid(HeaderField::Subprotocol),
            400,
        ),
        (
            "extension with a space",
            plain(),
            field("Sec-WebSocket-Extensions: x y"),
            Invalid(HeaderField::Extensions),
            400,
        ),
        (
            "two origins",
            plain(),
            field("Origin: http://a\r\nOrigin: http://b"),
            Duplicate(HeaderField::Origin),
            400,
        ),
        (
            "upgrade with a body",
            plain(),
            field("Content-Length: 5"),
            Unexpected(HeaderField::ContentLength),
            400,
        ),
        (
            "upgrade with chunks",
            plain(),
            field("Transfer-Encoding: chunked"),
            Unexpected(HeaderField::TransferEncoding),
            400,
        ),
    ];
    rows.into_iter()
        .map(|(name, config, head, error, status)| Fault {
            name,
            role: Role::Server,
            config,
            head,
            bytes: Vec::new(),
            error: error.into(),
            reply: Reply::Status(status),
        })
        .collect()
}

fn client_heads() -> Vec<Fault> {
    use HandshakeError::*;
    let response = |part, replacement| with(RESPONSE, part, replacement);
    let field = |field| with_field(RESPONSE, field);
    let accept = "Sec-WebSocket-Accept: pT25h6EVFbWDyyinkmTBvzUVxQo=\r\n";
    let rows = vec![
        ("no status", response("101 ", "x "), MalformedHead),
        (
            "HTTP/2.0",
            response("HTTP/1.1", "HTTP/2.0"),
            UnsupportedHttpVersion,
        ),
        (
            "404",
            b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n".into(),
            Refused(404),
        ),
        (
            "no Upgrade",
            response("Upgrade: websocket\r\n", ""),
            Missing(HeaderField::Upgrade),
        ),
        (
            "other Upgrade",
            response(": websocket", ": h2c"),
            Invalid(HeaderField::Upgrade),
        ),
        (
            "no Connection",
            response("Connection: Upgrade\r\n", ""),
            Missing(HeaderField::Connection),
        ),
        (
            "no Accept",
            response(accept, ""),
            Missing(HeaderField::Accept),
        ),
        (
            "two Accepts",
            field(accept.trim_end()),
            Duplicate(HeaderField::Accept),
        ),
        (
            "other Accept",
            response("pT25", "pT26"),
            Invalid(HeaderField::Accept),
        ),
        (
            "subprotocol",
            field("Sec-WebSocket-Protocol: x"),
            SubprotocolNotOffered,
        ),
        (
            "extension",
            field("Sec-WebSocket-Extensions: x"),
            ExtensionNotOffered,
        ),
    ];
    rows.into_iter()
        .map(|(name, head, error)| Fault {
            name,
            role: Role::Client,
            config: config(),
            head,
            bytes: Vec::new(),
            error: error.into(),
            reply: Reply::End,
        })
        .collect()
}

/// A fault after the handshake. The peer sends something more, which is not read.
fn open(
    name: &'static str,
    role: Role,
    config: Config,
    wire: Wire,
    error: impl Into<ConnectionError>,
    code: u16,
) -> Fault {
    Fault {
        name,
        role,
        config,
        head: head_of(role),
        bytes: wire.raw(b"\x81\x80 and more").bytes(),
        error: error.into(),
        reply: Reply::Close(code),
    }
}

fn framing(role: Role) -> Vec<Fault> {
    use Opcode::{Binary, Close, Continuation, Ping, Text};
    use ProtocolError::*;
    let peer = || wire(peer_of(role)).text("before");
    let mask_bit = if role == Role::Server { 0x80 } else { 0 };
    let raw = |bytes: [u8; 2]| peer().raw(&[bytes[0], bytes[1] | mask_bit]);
    let reserved = Header {
        rsv2: true,
        ..Header::new(Binary, 0)
    };
    let (other_mask, mask_error) = match role {
        Role::Server => (None, MissingMask),
        Role::Client => (Some(MaskingKey::from([1; 4])), UnexpectedMask),
    };
    let mut wrongly_masked = Vec::new();
    let header = Header {
        masking_key: other_mask,
        ..Header::new(Binary, 0)
    };
    header.write(&mut wrongly_masked);
    let rows = vec![
        (
            "reserved bit",
            peer().with_header(reserved, b""),
            ReservedBits,
            1002,
        ),
        ("reserved opcode", raw([0x83, 0]), ReservedOpcode, 1002),
        (
            "wrong masking",
            peer().raw(&wrongly_masked),
            mask_error,
            1002,
        ),
        (
            "length of 3 bytes",
            raw([0x82, 126]).raw(&[0, 125]).raw(&[0; 4]),
            NonMinimalLength,
            1002,
        ),
        (
            "length of 2^63",
            raw([0x82, 127])
                .raw(&[0x80, 0, 0, 0, 0, 0, 0, 0])
                .raw(&[0; 4]),
            LengthOverflow,
            1002,
        ),
        (
            "stray continuation",
            peer().frame(Continuation, true, b""),
            UnexpectedContinuation,
            1002,
        ),
        (
            "message in a message",
            peer().frame(Text, false, b"").frame(Text, true, b""),
            ExpectedContinuation,
            1002,
        ),
        (
            "long ping",
            peer().frame(Ping, true, &[0; 126]),
            ControlFrameTooLong,
            1002,
        ),
        (
            "fragmented ping",
            peer().frame(Ping, false, b""),
            FragmentedControlFrame,
            1002,
        ),
        (
            "close frame of a byte",
            peer().frame(Close, true, b"x"),
            TruncatedCloseCode,
            1002,
        ),
        (
            "close code 1005",
            peer().close(1005, ""),
            InvalidCloseCode,
            1002,
        ),
        (
            "text of 0xff",
            peer().frame(Text, true, b"\xff"),
            InvalidUtf8,
            1007,
        ),
        (
            "reason of 0xff",
            peer().frame(Close, true, b"\x03\xe8\xff"),
            InvalidUtf8,
            1007,
        ),
    ];
    let mut faults: Vec<_> = rows
        .into_iter()
        .map(|(name, wire, error, code)| open(name, role, config(), wire, error, code))
        .collect();
    let cut_off = peer().raw(&[0x82]).bytes();
    let mut eof = open(
        "end of the stream",
        role,
        config(),
        peer(),
        ConnectionError::UnexpectedEof,
        0,
    );
    (eof.bytes, eof.reply) = (cut_off, Reply::End);
    faults.push(eof);
    faults
}

fn limits(role: Role) -> Vec<Fault> {
    use LimitError::*;
    use Opcode::{Binary, Continuation};
    let peer = || wire(peer_of(role)).text("before");
    let fragments = peer()
        .frame(Binary, false, b"")
        .frame(Continuation, false, b"");
    // Enough for all the seconds that a busy machine takes.
    let pings = peer().raw(&peer().ping(b"").bytes().repeat(100));
    vec![
        open(
            "long message",
            role,
            config().with_max_message_len(9),
            peer().binary(&[0; 10]),
            MessageTooLong,
            1009,
        ),
        open(
            "long frame",
            role,
            config().with_max_frame_len(9),
            peer().binary(&[0; 10]),
            FrameTooLong,
            1009,
        ),
        open(
            "three fragments",
            role,
            config().with_max_fragments(2),
            fragments.frame(Continuation, false, b""),
            TooManyFragments,
            1008,
        ),
        open(
            "message beyond all memory",
            role,
            config().with_max_total_memory(0),
            peer().frame(Binary, false, &[0; 70 * 1024]),
            TooMuchMemory,
            1013,
        ),
        open(
            "many pings",
            role,
            config().with_max_control_frames(2),
            pings,
            TooManyControlFrames,
            1008,
        ),
    ]
}

#[cfg(feature = "deflate")]
fn compressed(role: Role) -> Vec<Fault> {
    let header = |len: usize| Header {
        rsv1: true,
        ..Header::new(Opcode::Binary, len as u64)
    };
    let message = |payload: &[u8]| {
        let peer = wire(peer_of(role)).text("before");
        peer.with_header(header(payload.len()), payload)
    };
    // Each zero byte stands for 1032 bytes.
    let mut bomb = b"\xec\xc1\x31\x01\x00\x00\x00\xc2\xa0\xf5\x4f\x6d\x08\x5f\xa0".to_vec();
    bomb.resize(8000, 0);
    let config = || {
        let config = config().with_deflate(sansocket::deflate::Options::new());
        config.with_max_message_len(64 << 20)
    };
    let mut faults = vec![
        open(
            "block of no type",
            role,
            config(),
            message(b"\x06"),
            ProtocolError::InvalidDeflate,
            1007,
        ),
        open(
            "bomb",
            role,
            config(),
            message(&bomb),
            LimitError::RatioTooHigh,
            1009,
        ),
    ];
    for fault in &mut faults {
        if role == Role::Client {
            fault.head = with_field(RESPONSE, "Sec-WebSocket-Extensions: permessage-deflate");
        }
    }
    faults
}

/// Fails if an error that a peer can cause has no row.
pub(crate) fn assert_complete(faults: &[Fault]) {
    let caused: Vec<_> = faults
        .iter()
        .map(|fault| format!("{:?}", fault.error))
        .collect();
    let errors = include_str!("../../src/error.rs");
    for name in ["HandshakeError", "ProtocolError", "LimitError"] {
        for variant in variants(errors, name) {
            // The first takes megabytes, see tests/protocol/half_close.rs. A plain
            // request is the application's to answer; `upgrade::request` refuses it.
            let is_elsewhere = ["DataAfterClose", "NotAnUpgrade"].contains(&variant);
            let is_off = ["InvalidDeflate", "RatioTooHigh"].contains(&variant);
            if is_elsewhere || is_off && !cfg!(feature = "deflate") {
                continue;
            }
            let is_caused = caused.iter().any(|error| {
                let words = error.split(['(', ')']);
                words.into_iter().any(|word| word == variant)
            });
            assert!(is_caused, "no fault causes {name}::{variant}");
        }
    }
}

/// The names of an enum's variants.
fn variants<'s>(source: &'s str, name: &str) -> Vec<&'s str> {
    let (_, rest) = source
        .split_once(&format!("pub enum {name} {{"))
        .expect("the enum");
    let (body, _) = rest.split_once("\n}").expect("its end");
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    let names = lines.filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()));
    names
        .filter_map(|line| line.split([',', '(']).next())
        .collect()
}
