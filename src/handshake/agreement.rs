//! The result of an opening handshake.

use alloc::boxed::Box;
use alloc::string::String;

#[cfg(feature = "deflate")]
use crate::deflate;

/// The result of an opening handshake: the negotiated subprotocol and extensions.
///
/// Needed only if another library does the handshake, to create the connection
/// with [`Connection::upgraded`](crate::Connection::upgraded).
///
/// ```
/// use sansocket::Agreement;
///
/// let agreement = Agreement::default().with_subprotocol("chat");
/// assert_eq!(agreement.subprotocol(), Some("chat"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    subprotocol: Option<Box<str>>,
    #[cfg(feature = "deflate")]
    deflate: Option<deflate::Parameters>,
    /// Whether the connection is a stream of HTTP/2 or HTTP/3.
    is_multiplexed: bool,
}

impl Agreement {
    /// Sets the subprotocol.
    #[must_use]
    pub fn with_subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocol = Some(name.into().into());
        self
    }

    /// Returns the negotiated subprotocol (§1.9), if any.
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// Sets the parameters of permessage-deflate (RFC 7692), as in the response
    /// that opened the connection. How this endpoint compresses is set by
    /// [`Config::with_deflate`](crate::Config::with_deflate).
    ///
    /// ```
    /// use sansocket::{Agreement, Config, Connection, Role, deflate::Parameters};
    ///
    /// let parameters = Parameters::new().with_server_no_context_takeover();
    /// let agreement = Agreement::default().with_deflate(parameters);
    /// let ws = Connection::upgraded(Role::Server, agreement, &Config::new());
    /// assert_eq!(ws.deflate(), Some(parameters));
    /// ```
    #[cfg(feature = "deflate")]
    #[must_use]
    pub const fn with_deflate(mut self, parameters: deflate::Parameters) -> Self {
        self.deflate = Some(parameters);
        self
    }

    #[cfg(feature = "deflate")]
    pub(super) const fn with_deflate_answer(mut self, answer: Option<deflate::Parameters>) -> Self {
        self.deflate = answer;
        self
    }

    /// Returns the parameters of permessage-deflate, if it was negotiated.
    #[cfg(feature = "deflate")]
    pub const fn deflate(&self) -> Option<deflate::Parameters> {
        self.deflate
    }

    /// For a stream that was opened by an extended CONNECT.
    #[cfg(feature = "std")]
    pub(super) const fn multiplexed(mut self) -> Self {
        self.is_multiplexed = true;
        self
    }

    pub(crate) const fn is_multiplexed(&self) -> bool {
        self.is_multiplexed
    }

    /// Boxes the agreement, unless it is empty.
    pub(crate) fn into_box(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }

    /// Heap bytes held.
    pub(crate) fn memory_usage(&self) -> usize {
        self.subprotocol.as_ref().map_or(0, |name| name.len())
    }
}
