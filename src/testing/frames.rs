//! Frames by hand: what a peer writes, whether a connection would or not.

use alloc::vec::Vec;

use crate::error::ProtocolError;
use crate::frame::{Decoder, Header, MaskingKey, Opcode, Part, Role};
use crate::input::Input;

/// The bytes that a peer of one role sends: frames in order, valid or not.
///
/// A client's frames are masked, with the same key in each run. The bytes also serve
/// tests of an adapter: write them to the other end of a stream in memory.
///
/// ```
/// use sansocket::Role;
/// use sansocket::frame::Opcode;
/// use sansocket::testing::Frames;
///
/// let frames = Frames::new(Role::Server)
///     .text("hello")
///     .frame(Opcode::Ping, false, b"a ping must not be fragmented")
///     .raw(b"no frame at all");
/// assert!(frames.as_bytes().starts_with(b"\x81\x05hello\x09\x1d"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frames {
    role: Role,
    bytes: Vec<u8>,
}

/// The example of RFC 6455 §5.7.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

impl Frames {
    /// Returns an empty sequence of frames from a peer with this role.
    pub const fn new(role: Role) -> Self {
        let bytes = Vec::new();
        Self { role, bytes }
    }

    /// Appends a text message.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.frame(Opcode::Text, true, text.as_bytes())
    }

    /// Appends a binary message.
    #[must_use]
    pub fn binary(self, bytes: &[u8]) -> Self {
        self.frame(Opcode::Binary, true, bytes)
    }

    /// Appends a ping.
    #[must_use]
    pub fn ping(self, payload: &[u8]) -> Self {
        self.frame(Opcode::Ping, true, payload)
    }

    /// Appends a pong.
    #[must_use]
    pub fn pong(self, payload: &[u8]) -> Self {
        self.frame(Opcode::Pong, true, payload)
    }

    /// Appends a close frame, with any code and a reason of any length.
    #[must_use]
    pub fn close(self, code: u16, reason: &str) -> Self {
        let payload = [&code.to_be_bytes(), reason.as_bytes()].concat();
        self.frame(Opcode::Close, true, &payload)
    }

    /// Appends a frame of any kind.
    #[must_use]
    pub fn frame(self, opcode: Opcode, fin: bool, payload: &[u8]) -> Self {
        let header = Header::new(opcode, payload.len() as u64);
        self.frame_with(Header { fin, ..header }, payload)
    }

    /// Appends a frame with this header, which may declare another length than that of
    /// `payload`. The masking key is set if the peer is a client.
    #[must_use]
    pub fn frame_with(mut self, mut header: Header, payload: &[u8]) -> Self {
        let is_client = self.role == Role::Client;
        header.masking_key = is_client.then_some(MaskingKey::from(KEY));
        header.write(&mut self.bytes);
        let mut payload = payload.to_vec();
        header.masking_key.inspect(|key| key.apply(&mut payload));
        self.raw(&payload)
    }

    /// Appends bytes that need not be a frame.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Converts into the bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// A frame that was received, unmasked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// The header.
    pub header: Header,
    /// The payload, which is incomplete if the bytes ended within it.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Splits bytes into frames, for example those that a test received at the other
    /// end of a stream.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] if a header is invalid.
    ///
    /// ```
    /// use sansocket::Role;
    /// use sansocket::testing::{Frame, Frames};
    ///
    /// let bytes = Frames::new(Role::Client).text("one").text("two").into_bytes();
    /// let frames = Frame::split(bytes)?;
    /// assert_eq!(frames[1].payload, b"two");
    /// # Ok::<(), sansocket::ProtocolError>(())
    /// ```
    pub fn split(mut bytes: Vec<u8>) -> Result<Vec<Self>, ProtocolError> {
        let (mut input, mut decoder) = (Input::new(&mut bytes), Decoder::new());
        let mut frames: Vec<Self> = Vec::new();
        while let Some(part) = decoder.decode(&mut input)? {
            match part {
                Part::Header(header) => frames.push(Self {
                    header,
                    payload: Vec::new(),
                }),
                Part::Payload(piece) => {
                    if let Some(frame) = frames.last_mut() {
                        frame.payload.extend_from_slice(piece);
                    }
                }
            }
        }
        for frame in &mut frames {
            let key = frame.header.masking_key;
            key.inspect(|key| key.apply(&mut frame.payload));
        }
        Ok(frames)
    }
}
