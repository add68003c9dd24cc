//! The 65,536 status codes of close frames (RFC 6455 §7.4), received and sent.

use super::{config, failure};
use crate::drive::{Transcript, feed, open};
use crate::wire::{ROLES, peer_of, wire};
use sansocket::frame::Opcode;
use sansocket::{Close, Event, ProtocolError, SendError};

/// Whether a close frame may have this code.
fn is_allowed(code: u16) -> bool {
    match code {
        // §7.4.2: "Status codes in the range 0-999 are not used."
        0..=999 => false,
        // §7.4.1: defined, but for 1004, which is reserved, and 1005 and 1006,
        // which "MUST NOT be set".
        1000..=1003 => true,
        1004..=1006 => false,
        1007..=1011 => true,
        // §11.7: registered since.
        1012..=1014 => true,
        // §7.4.1: 1015 "MUST NOT be set"; §7.4.2: the rest is reserved.
        1015..=2999 => false,
        // §7.4.2: for frameworks and applications.
        3000..=4999 => true,
        // §7.4.2 defines no other range.
        5000..=u16::MAX => false,
    }
}

#[test]
fn endpoint_echoes_or_fails_every_code() {
    let config = config();
    for role in ROLES {
        for code in 0..=u16::MAX {
            for reason in ["", "bye"] {
                let close = Close {
                    code: code.into(),
                    reason: reason.into(),
                };
                let expected = if is_allowed(code) {
                    Transcript {
                        events: vec![Event::Close(close)],
                        out: wire(role).close(code, "").bytes(),
                    }
                } else {
                    failure(role, ProtocolError::InvalidCloseCode)
                };
                let bytes = wire(peer_of(role)).close(code, reason).bytes();
                let transcript = feed(&mut open(role, &config), [&*bytes]);
                assert_eq!(transcript, expected, "{role:?} {code} {reason:?}");
            }
        }
    }
}

#[test]
fn endpoint_sends_or_refuses_every_code() {
    let config = config();
    for role in ROLES {
        for code in 0..=u16::MAX {
            for reason in ["", "bye"] {
                let (mut ws, mut out) = (open(role, &config), Vec::new());
                let result = ws.close(code, reason, &mut out);
                // 1005 stands for a frame without a code, which has no reason.
                let (expected, frame) = match (code, reason) {
                    (1005, "") => (Ok(()), wire(role).frame(Opcode::Close, true, b"")),
                    _ if is_allowed(code) => (Ok(()), wire(role).close(code, reason)),
                    _ => (Err(SendError::InvalidCloseCode), wire(role)),
                };
                assert_eq!(result, expected, "{role:?} {code} {reason:?}");
                assert_eq!(out, frame.bytes(), "{role:?} {code} {reason:?}");
                assert_eq!(ws.is_open(), expected.is_err(), "{role:?} {code}");
            }
        }
    }
}
