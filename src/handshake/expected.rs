//! What a client expects of the response to its request (§4.1).

use alloc::boxed::Box;

use super::key::Accept;
use super::rules::KnownFields;
use super::{Agreement, Headers, Settings};
use crate::error::HandshakeError;

/// What the response to a request must match.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    /// The answer to the key of an upgrade; `None` for an extended CONNECT.
    accept: Option<Accept>,
    /// The subprotocols that were offered, as one list.
    subprotocols: Box<str>,
}

impl Expected {
    pub(super) fn new(accept: Option<Accept>, subprotocols: &str) -> Self {
        let subprotocols = subprotocols.into();
        Self {
            accept,
            subprotocols,
        }
    }

    /// The agreement, if the response opens the connection.
    pub(super) fn check_headers(
        &self,
        status: u16,
        headers: &Headers,
        settings: &Settings,
    ) -> Result<Agreement, HandshakeError> {
        self.check(status, headers.iter(), settings)
    }

    /// As `check_headers`, for fields that another library read.
    pub(crate) fn check<'f>(
        &self,
        status: u16,
        pairs: impl Iterator<Item = (&'f str, &'f [u8])>,
        settings: &Settings,
    ) -> Result<Agreement, HandshakeError> {
        let fields = KnownFields::of(pairs);
        match (&self.accept, status) {
            (Some(accept), 101) => fields.check_response(accept, &self.subprotocols, settings),
            // RFC 8441 §5: a response of 2xx opens the tunnel.
            #[cfg(feature = "std")]
            (None, 200..=299) => fields
                .check_answers(&self.subprotocols, settings)
                .map(Agreement::multiplexed),
            _ => Err(HandshakeError::Refused(status)),
        }
    }

    /// Heap bytes held.
    pub(super) const fn memory_usage(&self) -> usize {
        self.subprotocols.len()
    }
}
