//! Frames as bytes, such as only an attacker sends them.

use std::sync::OnceLock;

use sansocket::frame::{Header, MaskingKey, Opcode};
use sansocket::{Agreement, Config, Connection, Entropy, Role, deflate};

/// What the servers accept at most, in bytes.
pub(crate) const MAX_MESSAGE_LEN: usize = 16 << 20;

/// The header of a client's frame. A masking key of zero leaves the payload as it is.
pub(crate) fn header(opcode: Opcode, fin: bool, payload_len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let header = Header {
        fin,
        masking_key: Some(MaskingKey::from([0; 4])),
        ..Header::new(opcode, payload_len as u64)
    };
    header.write(&mut bytes);
    bytes
}

/// A client's frame.
pub(crate) fn frame(opcode: Opcode, fin: bool, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(opcode, fin, payload.len());
    bytes.extend_from_slice(payload);
    bytes
}

/// A message of about 16 KiB that inflates to 16 MiB of zeros.
pub(crate) fn bomb() -> &'static [u8] {
    static BOMB: OnceLock<Vec<u8>> = OnceLock::new();
    BOMB.get_or_init(|| {
        let config = Config::new()
            .with_deflate(deflate::Options::new().with_level(9))
            .with_entropy(Entropy::new(|key| {
                key.fill(0);
                Ok(())
            }));
        let agreement = Agreement::default().with_deflate(deflate::Parameters::new());
        let mut ws = Connection::upgraded(Role::Client, agreement, &config);
        let mut bytes = Vec::new();
        // Nothing else was sent, and there is a masking key.
        let _ = ws.send(&vec![0; MAX_MESSAGE_LEN][..], &mut bytes);
        bytes
    })
}
