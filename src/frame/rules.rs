//! The rules for received frames that depend on the connection: reserved bits (§5.2),
//! the mask (§5.1), and the number of control frames in one second.

use super::{Header, Role};
use crate::error::{LimitError, ProtocolError};

/// The rules for the frames that one endpoint receives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) role: Role,
    /// Whether frames may be masked or unmasked whatever the role.
    pub(crate) allow_unmasked: bool,
    /// Whether permessage-deflate was negotiated.
    pub(crate) allow_compressed: bool,
}

impl Rules {
    #[inline]
    pub(crate) fn check(self, header: &Header) -> Result<(), ProtocolError> {
        self.check_reserved_bits(header)?;
        self.check_mask(header)
    }

    /// RFC 6455 §5.2: reserved bits "MUST be 0 unless an extension is
    /// negotiated that defines meanings for non-zero values".
    ///
    /// RFC 7692 §6: the first frame of a compressed message has RSV1 set, and
    /// no other frame has.
    #[inline]
    fn check_reserved_bits(self, header: &Header) -> Result<(), ProtocolError> {
        let allow_rsv1 = self.allow_compressed && header.opcode.begins_message();
        if (header.rsv1 && !allow_rsv1) || header.rsv2 || header.rsv3 {
            return Err(ProtocolError::ReservedBits);
        }
        Ok(())
    }

    /// RFC 6455 §5.1: "a client MUST mask all frames", "A server MUST NOT mask
    /// any frames", and an endpoint that receives the opposite closes the
    /// connection.
    #[inline]
    const fn check_mask(self, header: &Header) -> Result<(), ProtocolError> {
        match (self.role, header.masking_key) {
            _ if self.allow_unmasked => Ok(()),
            (Role::Server, None) => Err(ProtocolError::MissingMask),
            (Role::Client, Some(_)) => Err(ProtocolError::UnexpectedMask),
            _ => Ok(()),
        }
    }
}

/// Counts the control frames received in the current second.
#[derive(Debug, Default)]
pub(crate) struct ControlRate {
    frames: u32,
}

impl ControlRate {
    /// A second begins.
    pub(crate) const fn reset(&mut self) {
        self.frames = 0;
    }

    #[inline]
    /// Counts a frame; `seconds` is the time in which the counted frames were sent.
    pub(crate) const fn count(&mut self, limit: u32, seconds: u32) -> Result<(), LimitError> {
        self.frames = self.frames.saturating_add(1);
        if self.frames > limit.saturating_mul(seconds) {
            return Err(LimitError::TooManyControlFrames);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{MaskingKey, Opcode};

    fn header(opcode: Opcode, role: Role) -> Header {
        Header {
            masking_key: (role == Role::Server).then(|| MaskingKey::from([1; 4])),
            ..Header::new(opcode, 0)
        }
    }

    #[test]
    fn reserved_bits_need_an_extension() {
        use Opcode::*;
        for role in [Role::Client, Role::Server] {
            for opcode in [Continuation, Text, Binary, Close, Ping, Pong] {
                for allow_compressed in [false, true] {
                    let rules = Rules {
                        role,
                        allow_unmasked: false,
                        allow_compressed,
                    };
                    let plain = header(opcode, role);
                    assert_eq!(rules.check(&plain), Ok(()));
                    let rsv1 = Header {
                        rsv1: true,
                        ..plain
                    };
                    let allowed = allow_compressed && matches!(opcode, Text | Binary);
                    assert_eq!(rules.check(&rsv1).is_ok(), allowed, "{opcode:?}");
                    let rsv2 = Header {
                        rsv2: true,
                        ..plain
                    };
                    assert_eq!(rules.check(&rsv2), Err(ProtocolError::ReservedBits));
                    let rsv3 = Header {
                        rsv3: true,
                        ..plain
                    };
                    assert_eq!(rules.check(&rsv3), Err(ProtocolError::ReservedBits));
                }
            }
        }
    }

    #[test]
    fn mask_follows_the_role() {
        for role in [Role::Client, Role::Server] {
            let (right, wrong, fault) = match role {
                Role::Server => (Role::Server, Role::Client, ProtocolError::MissingMask),
                Role::Client => (Role::Client, Role::Server, ProtocolError::UnexpectedMask),
            };
            for allow_unmasked in [false, true] {
                let rules = Rules {
                    role,
                    allow_unmasked,
                    allow_compressed: false,
                };
                assert_eq!(rules.check(&header(Opcode::Text, right)), Ok(()));
                let expected = if allow_unmasked { Ok(()) } else { Err(fault) };
                assert_eq!(rules.check(&header(Opcode::Text, wrong)), expected);
            }
        }
    }

    #[test]
    fn control_frames_are_counted_by_the_second() {
        let mut rate = ControlRate::default();
        for _ in 0..3 {
            assert_eq!(rate.count(2, 1), Ok(()));
            assert_eq!(rate.count(2, 1), Ok(()));
            assert_eq!(rate.count(2, 1), Err(LimitError::TooManyControlFrames));
            rate.reset();
        }
        assert!((0..40).all(|_| rate.count(2, 20).is_ok()));
        assert_eq!(rate.count(2, 20), Err(LimitError::TooManyControlFrames));
    }
}
