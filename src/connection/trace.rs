//! Events of the `tracing` crate, with the feature of that name: for what
//! happens once in the life of a connection.
//!
//! Nothing is emitted for a message or a frame, and nothing contains header
//! values, queries or payloads, which may be secret. All events have the level
//! debug, because a peer can cause any number of them.

use super::Connection;
use crate::close::Outcome;
#[cfg(feature = "tracing")]
use crate::error::{ConnectionError, HandshakeError};
#[cfg(feature = "tracing")]
use crate::frame::Role;

#[cfg(feature = "tracing")]
const TARGET: &str = "sansocket";

#[cfg(feature = "tracing")]
impl Connection {
    /// Keeps the subject of the handshake until it is complete: the path as a
    /// server, the host as a client.
    pub(super) fn trace_subject<'s>(&mut self, subject: impl FnOnce() -> &'s str) {
        if tracing::enabled!(target: TARGET, tracing::Level::DEBUG) {
            self.rare().subject = Some(subject().into());
        }
    }

    pub(super) fn trace_open(&mut self) {
        #[cfg(feature = "deflate")]
        let compression = self.deflate().is_some();
        #[cfg(not(feature = "deflate"))]
        let compression = false;
        let subject = self.rare.as_mut().and_then(|rare| rare.subject.take());
        let (path, host) = self.path_or_host(subject.as_deref());
        tracing::debug!(
            target: TARGET,
            role = self.role_name(),
            path,
            host,
            subprotocol = self.subprotocol(),
            compression,
            "handshake completed"
        );
    }

    pub(super) fn trace_end(&mut self, outcome: &Outcome) {
        let role = self.role_name();
        let (code, initiator) = (u16::from(outcome.code), outcome.initiator);
        match outcome.cause {
            None => tracing::debug!(
                target: TARGET,
                role,
                code,
                // With Debug, the peer's text cannot forge a line of the log.
                reason = ?outcome.reason,
                ?initiator,
                "connection closed"
            ),
            Some(ConnectionError::Handshake(error)) => self.trace_refusal(error),
            Some(error) => tracing::debug!(
                target: TARGET,
                role,
                code,
                ?initiator,
                %error,
                "connection failed"
            ),
        }
    }

    fn trace_refusal(&mut self, error: HandshakeError) {
        let subject = self.rare.as_mut().and_then(|rare| rare.subject.take());
        let (path, host) = self.path_or_host(subject.as_deref());
        let status = match error {
            // A plain HTTP request that was answered with a page.
            HandshakeError::Refused(status @ ..400) if self.role == Role::Server => {
                tracing::debug!(target: TARGET, path, status, "plain request answered");
                return;
            }
            HandshakeError::Refused(status) => Some(status),
            _ if self.role == Role::Server => Some(error.status()),
            _ => None,
        };
        tracing::debug!(
            target: TARGET,
            role = self.role_name(),
            path,
            host,
            status,
            %error,
            "handshake refused"
        );
    }

    const fn role_name(&self) -> &'static str {
        match self.role {
            Role::Client => "client",
            Role::Server => "server",
        }
    }

    const fn path_or_host<'s>(
        &self,
        subject: Option<&'s str>,
    ) -> (Option<&'s str>, Option<&'s str>) {
        match self.role {
            Role::Client => (None, subject),
            Role::Server => (subject, None),
        }
    }
}

#[cfg(not(feature = "tracing"))]
#[allow(clippy::needless_pass_by_ref_mut, clippy::unused_self)]
impl Connection {
    pub(super) fn trace_subject<'s>(&mut self, _subject: impl FnOnce() -> &'s str) {}

    pub(super) const fn trace_open(&mut self) {}

    pub(super) const fn trace_end(&mut self, _outcome: &Outcome) {}
}
