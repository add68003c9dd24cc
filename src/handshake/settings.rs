//! The settings of opening handshakes, and their limits.

use super::hosts::Hosts;
use super::origin::OriginPolicy;
#[cfg(feature = "deflate")]
use crate::deflate;
use crate::error::HandshakeError;

/// The settings of opening handshakes, for both roles.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    /// The pages that a server accepts.
    pub(crate) origin: OriginPolicy,
    /// The hosts that a server answers for; `None` allows all.
    pub(crate) hosts: Option<Hosts>,
    /// The options of permessage-deflate, if it is enabled.
    #[cfg(feature = "deflate")]
    pub(crate) deflate: Option<deflate::Options>,
}

impl Settings {
    pub(super) fn check_host(&self, host: &[u8]) -> Result<(), HandshakeError> {
        match &self.hosts {
            Some(hosts) if !hosts.allows(host) => Err(HandshakeError::HostNotAllowed),
            _ => Ok(()),
        }
    }
}

/// How much of a head, and of a refusal's body, is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of a head.
    pub(crate) max_head_len: usize,
    /// Fields in a head.
    pub(crate) max_headers: usize,
    /// Bytes of a refusal's body.
    pub(crate) max_body_len: usize,
}
