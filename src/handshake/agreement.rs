//! What both ends agreed on in an opening handshake.

use alloc::boxed::Box;
use alloc::string::String;

#[cfg(feature = "deflate")]
use crate::deflate;

/// What an opening handshake agreed on: subprotocol and extensions.
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
    /// Whether the connection is one stream of many, in HTTP/2 or HTTP/3.
    is_multiplexed: bool,
}

impl Agreement {
    /// With a subprotocol.
    #[must_use]
    pub fn with_subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocol = Some(name.into().into());
        self
    }

    /// The subprotocol (§1.9), if one was agreed on.
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// With permessage-deflate (RFC 7692), with the parameters of the response
    /// that opened the connection. How to compress is up to
    /// [`Config::with_deflate`](crate::Config::with_deflate).
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

    /// The parameters of permessage-deflate, if it was agreed on.
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

    /// Boxed, if there is anything in it.
    pub(crate) fn into_box(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }

    /// Heap bytes held.
    pub(crate) fn memory_usage(&self) -> usize {
        self.subprotocol.as_ref().map_or(0, |name| name.len())
    }
}
