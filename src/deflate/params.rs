//! The four parameters (RFC 7692 §7.1) in offers and responses.
//!
//! | parameter | in an offer | in a response |
//! |---|---|---|
//! | `server_no_context_takeover` | a requirement | the server complies |
//! | `client_no_context_takeover` | a hint | a requirement |
//! | `server_max_window_bits` = 8..15 | a requirement | the server complies |
//! | `client_max_window_bits` [= 8..15] | a hint; permits the response to have it | a requirement, if permitted |

use core::{fmt, mem};

use super::Options;
use crate::frame::Role;

/// The name of the extension (RFC 7692 §7).
pub(crate) const NAME: &str = "permessage-deflate";

/// The window that is used if none is negotiated: 32 KiB.
const MAX_WINDOW_BITS: u8 = 15;

/// The negotiated parameters of permessage-deflate: those of the response (RFC 7692
/// §7.1).
///
/// [`Connection`](crate::Connection) negotiates them automatically. If another library
/// did the handshake, pass them to
/// [`Agreement::with_deflate`](crate::Agreement::with_deflate).
///
/// ```
/// use sansocket::deflate::Parameters;
///
/// let parameters = Parameters::new().with_server_no_context_takeover().with_client_max_window_bits(10);
/// assert_eq!(
///     parameters.to_string(),
///     "permessage-deflate; server_no_context_takeover; client_max_window_bits=10",
/// );
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Parameters {
    pub(super) server_no_context_takeover: bool,
    pub(super) client_no_context_takeover: bool,
    pub(super) server_max_window_bits: Option<u8>,
    pub(super) client_max_window_bits: Option<u8>,
}

impl Parameters {
    /// The default parameters: both endpoints use context takeover and windows of 15
    /// bits.
    pub fn new() -> Self {
        Self::default()
    }

    /// The server does not use context takeover: it starts each message with an empty
    /// window (RFC 7692 §7.1.1.1).
    #[must_use]
    pub const fn with_server_no_context_takeover(mut self) -> Self {
        self.server_no_context_takeover = true;
        self
    }

    /// The client does not use context takeover: it starts each message with an empty
    /// window (RFC 7692 §7.1.1.2).
    #[must_use]
    pub const fn with_client_no_context_takeover(mut self) -> Self {
        self.client_no_context_takeover = true;
        self
    }

    /// Sets the maximum window of the server, as a power of 2: 8 to 15 (RFC 7692
    /// §7.1.2.1). Values outside the range are clamped.
    #[must_use]
    pub fn with_server_max_window_bits(mut self, bits: u8) -> Self {
        self.server_max_window_bits = Some(window_bits(bits));
        self
    }

    /// Sets the maximum window of the client, as a power of 2: 8 to 15 (RFC 7692
    /// §7.1.2.2). Values outside the range are clamped.
    #[must_use]
    pub fn with_client_max_window_bits(mut self, bits: u8) -> Self {
        self.client_max_window_bits = Some(window_bits(bits));
        self
    }

    /// Returns `true` if this endpoint uses context takeover: it keeps its window from
    /// one message to the next (RFC 7692 §7.1.1).
    ///
    /// ```
    /// use sansocket::{Role, deflate::Parameters};
    ///
    /// let parameters = Parameters::new().with_server_no_context_takeover().with_client_max_window_bits(10);
    /// assert!(!parameters.context_takeover(Role::Server));
    /// assert!(parameters.context_takeover(Role::Client));
    /// assert_eq!(parameters.max_window_bits(Role::Server), 15);
    /// assert_eq!(parameters.max_window_bits(Role::Client), 10);
    /// ```
    pub const fn context_takeover(&self, of: Role) -> bool {
        match of {
            Role::Server => !self.server_no_context_takeover,
            Role::Client => !self.client_no_context_takeover,
        }
    }

    /// Returns the maximum window of this endpoint, as a power of 2: 8 to 15 (RFC 7692
    /// §7.1.2).
    pub fn max_window_bits(&self, of: Role) -> u8 {
        let bits = match of {
            Role::Server => self.server_max_window_bits,
            Role::Client => self.client_max_window_bits,
        };
        bits.unwrap_or(MAX_WINDOW_BITS)
    }

    /// The answer of a server with these options to an offer.
    pub(crate) fn answer(offer: &Element, options: &Options) -> Self {
        let smaller = |offered: u8, own: u8| Some(offered.min(own)).filter(|bits| *bits < 15);
        Self {
            // RFC 7692 §7.1.1.1: accepted "by including" it.
            server_no_context_takeover: offer.server_no_context_takeover || !options.takeover,
            client_no_context_takeover: offer.client_no_context_takeover || !options.peer_takeover,
            // §7.1.2.1: accepted "by including" one "with the same or smaller
            // value"; may be included without an offer.
            server_max_window_bits: match offer.server_max_window_bits {
                Some(bits) => Some(bits.min(options.window_bits)),
                None => smaller(MAX_WINDOW_BITS, options.window_bits),
            },
            // §7.1.2.2: may be included only with an offer.
            client_max_window_bits: offer.client_max_window_bits.and_then(|bits| {
                smaller(bits.unwrap_or(MAX_WINDOW_BITS), options.peer_window_bits)
            }),
        }
    }

    /// The parameters of a response, if it matches this offer.
    pub(crate) fn accepted(response: &Element, offer: &Element) -> Option<Self> {
        let keeps_window = match (
            offer.server_max_window_bits,
            response.server_max_window_bits,
        ) {
            (Some(offered), Some(bits)) => bits <= offered,
            (Some(_), None) => false,
            (None, _) => true,
        };
        let demands_window = match (
            offer.client_max_window_bits,
            response.client_max_window_bits,
        ) {
            (_, None) => true,
            (Some(offered), Some(Some(bits))) => bits <= offered.unwrap_or(MAX_WINDOW_BITS),
            _ => false,
        };
        let keeps_takeover =
            response.server_no_context_takeover || !offer.server_no_context_takeover;
        (keeps_window && demands_window && keeps_takeover).then_some(Self {
            server_no_context_takeover: response.server_no_context_takeover,
            client_no_context_takeover: response.client_no_context_takeover,
            server_max_window_bits: response.server_max_window_bits,
            client_max_window_bits: response.client_max_window_bits.flatten(),
        })
    }
}

impl fmt::Display for Parameters {
    /// The form in the `Sec-WebSocket-Extensions` of a response.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Element::from(*self).fmt(f)
    }
}

/// One element of `Sec-WebSocket-Extensions` for this extension: an offer or
/// a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    client_max_window_bits: Option<Option<u8>>,
}

impl Element {
    /// The first offer of a client with these options.
    pub(crate) fn offer(options: &Options) -> Self {
        let smaller = |bits| Some(bits).filter(|bits| *bits < MAX_WINDOW_BITS);
        Self {
            server_no_context_takeover: !options.peer_takeover,
            client_no_context_takeover: !options.takeover,
            server_max_window_bits: smaller(options.peer_window_bits),
            client_max_window_bits: Some(smaller(options.window_bits)),
        }
    }

    /// The same offer without requirements, for servers that cannot meet them.
    pub(crate) fn without_demands(self) -> Self {
        Self {
            server_no_context_takeover: false,
            server_max_window_bits: None,
            ..self
        }
    }

    /// Adds a parameter, and the bytes of its value, if it has one.
    ///
    /// Returns `None` if the parameter is unknown or repeated, or its value is missing,
    /// invalid or not allowed (RFC 7692 §7.1).
    pub(crate) fn with(
        mut self,
        name: &[u8],
        value: Option<impl Iterator<Item = u8>>,
    ) -> Option<Self> {
        let has_value = value.is_some();
        let bits = value.and_then(parse_window_bits);
        let is_new = match (name, has_value, bits) {
            (b"server_no_context_takeover", false, _) => {
                !mem::replace(&mut self.server_no_context_takeover, true)
            }
            (b"client_no_context_takeover", false, _) => {
                !mem::replace(&mut self.client_no_context_takeover, true)
            }
            (b"server_max_window_bits", true, Some(bits)) => {
                self.server_max_window_bits.replace(bits).is_none()
            }
            (b"client_max_window_bits", ..) if has_value == bits.is_some() => {
                self.client_max_window_bits.replace(bits).is_none()
            }
            _ => false,
        };
        is_new.then_some(self)
    }
}

impl From<Parameters> for Element {
    fn from(parameters: Parameters) -> Self {
        Self {
            server_no_context_takeover: parameters.server_no_context_takeover,
            client_no_context_takeover: parameters.client_no_context_takeover,
            server_max_window_bits: parameters.server_max_window_bits,
            client_max_window_bits: parameters.client_max_window_bits.map(Some),
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)?;
        if self.server_no_context_takeover {
            f.write_str("; server_no_context_takeover")?;
        }
        if self.client_no_context_takeover {
            f.write_str("; client_no_context_takeover")?;
        }
        if let Some(bits) = self.server_max_window_bits {
            write!(f, "; server_max_window_bits={bits}")?;
        }
        match self.client_max_window_bits {
            Some(Some(bits)) => write!(f, "; client_max_window_bits={bits}"),
            Some(None) => f.write_str("; client_max_window_bits"),
            None => Ok(()),
        }
    }
}

/// RFC 7692 §7.1.2.1: "a decimal integer value without leading zeroes between
/// 8 to 15, inclusive".
fn parse_window_bits(mut digits: impl Iterator<Item = u8>) -> Option<u8> {
    match (digits.next()?, digits.next(), digits.next()) {
        (digit @ b'8'..=b'9', None, _) => Some(digit - b'0'),
        (b'1', Some(digit @ b'0'..=b'5'), None) => Some(10 + digit - b'0'),
        _ => None,
    }
}

/// Clamps to the valid range.
pub(super) fn window_bits(bits: u8) -> u8 {
    bits.clamp(8, MAX_WINDOW_BITS)
}
