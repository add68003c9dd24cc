//! Frames written by hand, and the configuration that makes an endpoint write
//! the same bytes in each run.

// The fuzz targets export these.
#![allow(unreachable_pub)]

use sansocket::frame::{Decoder, Header, MaskingKey, Opcode, Part};
use sansocket::{Config, Entropy, Input, Role};

pub const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The nonce and all masking keys that `config` draws.
pub const FIXED: u8 = 0x2a;

/// The defaults, with fixed randomness: transcripts are the same in each run.
pub fn config() -> Config {
    Config::new().with_entropy(Entropy::new(|bytes| {
        bytes.fill(FIXED);
        Ok(())
    }))
}

/// Frames as they stand on the wire, from a peer of the given role: a
/// client's are masked.
#[derive(Clone, Debug)]
pub struct Wire {
    from: Role,
    bytes: Vec<u8>,
}

/// Frames from a peer of this role.
pub fn wire(from: Role) -> Wire {
    Wire {
        from,
        bytes: Vec::new(),
    }
}

impl Wire {
    pub fn text(self, text: &str) -> Self {
        self.frame(Opcode::Text, true, text.as_bytes())
    }

    pub fn binary(self, bytes: &[u8]) -> Self {
        self.frame(Opcode::Binary, true, bytes)
    }

    pub fn ping(self, payload: &[u8]) -> Self {
        self.frame(Opcode::Ping, true, payload)
    }

    pub fn pong(self, payload: &[u8]) -> Self {
        self.frame(Opcode::Pong, true, payload)
    }

    pub fn close(self, code: u16, reason: &str) -> Self {
        let payload = [&code.to_be_bytes(), reason.as_bytes()].concat();
        self.frame(Opcode::Close, true, &payload)
    }

    /// Any frame, of whatever bytes.
    pub fn frame(self, opcode: Opcode, fin: bool, payload: &[u8]) -> Self {
        let header = Header {
            fin,
            ..Header::new(opcode, payload.len() as u64)
        };
        self.with_header(header, payload)
    }

    /// A frame with this header, masked if the peer is a client.
    pub fn with_header(mut self, mut header: Header, payload: &[u8]) -> Self {
        let key = MaskingKey::from(KEY);
        header.masking_key = (self.from == Role::Client).then_some(key);
        header.write(&mut self.bytes);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(payload);
        if self.from == Role::Client {
            key.apply(&mut self.bytes[start..]);
        }
        self
    }

    /// Bytes that may be no frame at all.
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    pub fn bytes(self) -> Vec<u8> {
        self.bytes
    }
}

pub const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// The other role.
pub fn peer_of(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

/// The frames in these bytes, unmasked.
pub fn frames(bytes: &[u8]) -> Vec<(Header, Vec<u8>)> {
    let mut bytes = bytes.to_vec();
    let mut input = Input::new(&mut bytes);
    let mut decoder = Decoder::new();
    let mut frames: Vec<(Header, Vec<u8>)> = Vec::new();
    while let Some(part) = decoder.decode(&mut input).expect("well-formed frames") {
        match part {
            Part::Header(header) => frames.push((header, Vec::new())),
            Part::Payload(bytes) => {
                let (header, payload) = frames.last_mut().unwrap();
                header.masking_key.inspect(|key| key.apply(bytes));
                payload.extend_from_slice(bytes);
            }
        }
    }
    assert!(decoder.is_between_frames(), "exactly header and payload");
    frames
}
