//! A client's request that somebody else sends, and the rules for its answer.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::fields::Fields;
use super::key::{self, Accept};
use super::{Agreement, Headers, Request, Settings};
use crate::error::HandshakeError;

/// What a client asked for of somebody else's HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Of an upgrade.
    accept: Option<Accept>,
    offered: Vec<Box<str>>,
    fields: Headers,
}

impl Asked {
    /// By an upgrade with this nonce, or by an extended CONNECT.
    pub(crate) fn new(request: &Request, nonce: Option<[u8; 16]>, settings: &Settings) -> Self {
        let key = key::key(nonce.unwrap_or_default());
        let mut fields = request.fields(&key, settings);
        if nonce.is_none() {
            // RFC 8441 §5: what HTTP/2 says otherwise, or not at all.
            const LEFT_OUT: [&str; 4] = ["host", "upgrade", "connection", "sec-websocket-key"];
            fields.retain(|name| !LEFT_OUT.iter().any(|out| name.eq_ignore_ascii_case(out)));
        }
        Self {
            accept: nonce.map(|_| key::accept(&key)),
            offered: request.subprotocols().map(Into::into).collect(),
            fields,
        }
    }

    pub(crate) const fn fields(&self) -> &Headers {
        &self.fields
    }

    /// What the answer settles, if it opens the connection.
    pub(crate) fn check<'f>(
        &self,
        status: u16,
        pairs: impl Iterator<Item = (&'f str, &'f [u8])>,
        settings: &Settings,
    ) -> Result<Agreement, HandshakeError> {
        let fields = Fields::of(pairs);
        match (&self.accept, status) {
            (Some(accept), 101) => fields.check_response(accept, &self.offered, settings),
            // RFC 8441 §5: a response of 2xx opens the tunnel.
            (None, 200..=299) => fields.check_answers(&self.offered, settings),
            _ => Err(HandshakeError::Refused(status)),
        }
    }
}
