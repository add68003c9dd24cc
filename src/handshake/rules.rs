//! The rules for header fields, which work on pairs of name and value: from an
//! HTTP/1.1 head, or from another library's map.

use super::authority::Authority;
use super::content_length::ContentLength;
#[cfg(feature = "deflate")]
use super::extensions;
use super::request_line::{HttpVersion, RequestLine};
use super::{Agreement, Settings, key, lists};
use crate::error::{HandshakeError, HeaderField};

/// The fields that the handshake uses, found in one pass.
#[derive(Debug)]
pub(super) struct KnownFields<'h> {
    first: [Option<&'h [u8]>; COUNT],
    /// A bit for each field that is repeated.
    repeated: u16,
    content_length: ContentLength,
    /// `Upgrade` lists `websocket`.
    upgrades_to_websocket: bool,
    /// `Connection` lists `upgrade`.
    connection_upgrades: bool,
    /// Whether the lists are well-formed.
    subprotocols: Result<(), HandshakeError>,
    extensions: Result<(), HandshakeError>,
}

const COUNT: usize = HeaderField::TransferEncoding as usize + 1;

impl HeaderField {
    /// The field with this name. Its length and its first letter leave one candidate
    /// at most: nearly all received fields are others.
    #[inline]
    pub(super) fn from_name(name: &str) -> Option<Self> {
        let first = name.as_bytes().first()? | 0x20;
        match (name.len(), first) {
            (4, b'h') => Self::Host.if_named(name, "Host"),
            (6, b'o') => Self::Origin.if_named(name, "Origin"),
            (7, b'u') => Self::Upgrade.if_named(name, "Upgrade"),
            (10, b'c') => Self::Connection.if_named(name, "Connection"),
            (14, b'c') => Self::ContentLength.if_named(name, "Content-Length"),
            (17, b's') => Self::Key.if_named(name, "Sec-WebSocket-Key"),
            (17, b't') => Self::TransferEncoding.if_named(name, "Transfer-Encoding"),
            (20, b's') => Self::Accept.if_named(name, "Sec-WebSocket-Accept"),
            (21, b's') => Self::Version.if_named(name, "Sec-WebSocket-Version"),
            (22, b's') => Self::Subprotocol.if_named(name, "Sec-WebSocket-Protocol"),
            (24, b's') => Self::Extensions.if_named(name, "Sec-WebSocket-Extensions"),
            _ => None,
        }
    }

    #[inline]
    fn if_named(self, name: &str, known: &str) -> Option<Self> {
        // Most are in this case, and so are compared in whole words.
        (name == known || name.eq_ignore_ascii_case(known)).then_some(self)
    }
}

impl Default for KnownFields<'_> {
    fn default() -> Self {
        Self {
            first: [None; COUNT],
            repeated: 0,
            content_length: ContentLength::Absent,
            upgrades_to_websocket: false,
            connection_upgrades: false,
            subprotocols: Ok(()),
            extensions: Ok(()),
        }
    }
}

impl<'h> KnownFields<'h> {
    /// Finds the known fields among those of a head.
    pub(super) fn of(pairs: impl Iterator<Item = (&'h str, &'h [u8])>) -> Self {
        let mut fields = Self::default();
        pairs.for_each(|(name, value)| fields.visit(name, value));
        fields
    }

    /// Adds a field, if it is a known one.
    #[inline]
    pub(super) fn visit(&mut self, name: &str, value: &'h [u8]) {
        if let Some(field) = HeaderField::from_name(name) {
            self.add(field, value);
        }
    }

    /// Checks a request by RFC 6455 §4.2.1 and returns the key of an upgrade, or
    /// `None` for a plain HTTP request, which only has to be well-formed.
    pub(super) fn check_request(
        &self,
        line: &RequestLine<'h>,
        settings: &Settings,
    ) -> Result<Option<&'h [u8]>, HandshakeError> {
        let host = self.check_host(line, settings)?;
        // RFC 9110 §7.8: "A server MUST ignore an Upgrade header field that is
        // received in an HTTP/1.0 request". RFC 9113 §8.6: HTTP/2 has none.
        if !self.upgrades_to_websocket || line.version != HttpVersion::Http11 {
            line.check_target(false)?;
            return self.check_length().map(|_| None);
        }
        if line.method != "GET" {
            return Err(HandshakeError::MethodNotAllowed);
        }
        line.check_target(true)?;
        self.check_connection()?;
        let key = self.required(HeaderField::Key)?;
        if !key::is_key(key) {
            return Err(HandshakeError::Invalid(HeaderField::Key));
        }
        self.check_offers(host, settings)?;
        Ok(Some(key))
    }

    /// Checks an extended CONNECT by RFC 8441 §5, except for its pseudo-header
    /// fields other than `:authority`.
    #[cfg(feature = "std")]
    pub(super) fn check_connect(
        &self,
        line: &RequestLine<'h>,
        settings: &Settings,
    ) -> Result<(), HandshakeError> {
        let host = line.authority.map(str::as_bytes).unwrap_or_default();
        if !Authority::is_valid(host) {
            return Err(HandshakeError::Invalid(HeaderField::Host));
        }
        line.check_target(true)?;
        settings.check_host(host)?;
        self.check_offers(host, settings)
    }

    /// The host that a request is addressed to.
    ///
    /// RFC 9112 §3.2.2: the authority of a target in absolute-form replaces
    /// `Host`. RFC 9113 §8.3.1: so does `:authority`.
    pub(super) fn host(&self, line: &RequestLine<'h>) -> Option<&'h [u8]> {
        let authority = line.authority.map(str::as_bytes);
        authority.or_else(|| self.first(HeaderField::Host))
    }

    fn check_host(
        &self,
        line: &RequestLine<'h>,
        settings: &Settings,
    ) -> Result<&'h [u8], HandshakeError> {
        let field = self.single(HeaderField::Host)?;
        if field.is_some_and(|host| !Authority::is_valid(host)) {
            return Err(HandshakeError::Invalid(HeaderField::Host));
        }
        let host = line.check_authority()?.or(field);
        // RFC 9112 §3.2: HTTP/1.1 requires the field, whatever the target is.
        let is_missing = match line.version {
            HttpVersion::Http10 => false,
            HttpVersion::Http11 => field.is_none(),
            #[cfg(feature = "std")]
            HttpVersion::Http2 => host.is_none(),
        };
        if is_missing {
            return Err(HandshakeError::Missing(HeaderField::Host));
        }
        host.map_or(Ok(()), |host| settings.check_host(host))?;
        Ok(host.unwrap_or_default())
    }

    /// Checks the rules that all requests for a WebSocket have in common.
    fn check_offers(&self, host: &[u8], settings: &Settings) -> Result<(), HandshakeError> {
        if self.required(HeaderField::Version)? != b"13" {
            return Err(HandshakeError::UnsupportedVersion);
        }
        self.check_bodiless()?;
        self.subprotocols?;
        self.extensions?;
        let origin = self.single(HeaderField::Origin)?;
        if !settings.origin.allows(origin, host) {
            return Err(HandshakeError::OriginNotAllowed);
        }
        Ok(())
    }

    /// Checks a response with status 101 by RFC 6455 §4.1.
    ///
    /// RFC 9112 §6.3: it ends at the empty line, whatever `Content-Length` and
    /// `Transfer-Encoding` say.
    pub(super) fn check_response(
        &self,
        accept: &[u8],
        offered: &str,
        settings: &Settings,
    ) -> Result<Agreement, HandshakeError> {
        let upgrade = self.required(HeaderField::Upgrade)?;
        if !upgrade.eq_ignore_ascii_case(b"websocket") {
            return Err(HandshakeError::Invalid(HeaderField::Upgrade));
        }
        self.check_connection()?;
        if self.required(HeaderField::Accept)? != accept {
            return Err(HandshakeError::Invalid(HeaderField::Accept));
        }
        self.check_answers(offered, settings)
    }

    /// Checks the rules that all responses that open a WebSocket have in common
    /// (RFC 8441 §5). `offered` is the list of subprotocols.
    pub(super) fn check_answers(
        &self,
        offered: &str,
        settings: &Settings,
    ) -> Result<Agreement, HandshakeError> {
        let mut agreement = self.check_extensions(settings)?;
        if let Some(chosen) = self.single(HeaderField::Subprotocol)? {
            let mut offered = lists::tokens(offered.as_bytes());
            let chosen = offered.find(|name| name.as_bytes() == chosen);
            let chosen = chosen.ok_or(HandshakeError::SubprotocolNotOffered)?;
            agreement = agreement.with_subprotocol(chosen);
        }
        Ok(agreement)
    }

    /// RFC 6455 §4.1: an extension in a response must be one that was offered.
    #[cfg_attr(not(feature = "deflate"), allow(unused_variables))]
    fn check_extensions(&self, settings: &Settings) -> Result<Agreement, HandshakeError> {
        let list = self.single(HeaderField::Extensions)?.unwrap_or_default();
        if lists::is_empty_list(list) {
            return Ok(Agreement::default());
        }
        #[cfg(feature = "deflate")]
        if let Some(options) = &settings.deflate {
            self.extensions?;
            let deflate = extensions::check(list, options)?;
            return Ok(Agreement::default().with_deflate_answer(deflate));
        }
        Err(HandshakeError::ExtensionNotOffered)
    }

    /// The value of a field that must not be repeated.
    pub(super) fn single(&self, field: HeaderField) -> Result<Option<&'h [u8]>, HandshakeError> {
        if self.repeated & 1 << field as u16 != 0 {
            return Err(HandshakeError::Duplicate(field));
        }
        Ok(self.first(field))
    }

    /// The first value of a field.
    pub(super) fn first(&self, field: HeaderField) -> Option<&'h [u8]> {
        self.first.get(field as usize).copied().flatten()
    }

    fn required(&self, field: HeaderField) -> Result<&'h [u8], HandshakeError> {
        self.single(field)?.ok_or(HandshakeError::Missing(field))
    }

    fn add(&mut self, field: HeaderField, value: &'h [u8]) {
        match self.first.get_mut(field as usize) {
            Some(first @ None) => *first = Some(value),
            _ => self.repeated |= 1 << field as u16,
        }
        match field {
            HeaderField::Upgrade => {
                self.upgrades_to_websocket |= lists_token(value, "websocket");
            }
            HeaderField::Connection => self.connection_upgrades |= lists_token(value, "Upgrade"),
            HeaderField::ContentLength => self.content_length = self.content_length.with(value),
            HeaderField::Subprotocol if !lists::is_token_list(value) => {
                self.subprotocols = Err(HandshakeError::Invalid(field));
            }
            HeaderField::Extensions if !lists::is_extension_list(value) => {
                self.extensions = Err(HandshakeError::Invalid(field));
            }
            _ => {}
        }
    }

    fn check_connection(&self) -> Result<(), HandshakeError> {
        match (
            self.first(HeaderField::Connection),
            self.connection_upgrades,
        ) {
            (_, true) => Ok(()),
            (None, false) => Err(HandshakeError::Missing(HeaderField::Connection)),
            (Some(_), false) => Err(HandshakeError::Invalid(HeaderField::Connection)),
        }
    }

    /// The length of the body that the head declares.
    pub(super) const fn content_length(&self) -> ContentLength {
        self.content_length
    }

    fn check_length(&self) -> Result<ContentLength, HandshakeError> {
        match self.content_length {
            ContentLength::Invalid => Err(HandshakeError::Invalid(HeaderField::ContentLength)),
            len => Ok(len),
        }
    }

    /// A body before the frames would allow request smuggling.
    fn check_bodiless(&self) -> Result<(), HandshakeError> {
        if self.first(HeaderField::TransferEncoding).is_some() {
            return Err(HandshakeError::Unexpected(HeaderField::TransferEncoding));
        }
        match self.check_length()? {
            ContentLength::Absent | ContentLength::Bytes(0) => Ok(()),
            _ => Err(HandshakeError::Unexpected(HeaderField::ContentLength)),
        }
    }
}

/// Whether a comma-separated list contains the token, in any case
/// (RFC 9110 §5.6.1).
pub(super) fn lists_token(list: &[u8], token: &str) -> bool {
    let token = token.as_bytes();
    // Backwards: browsers send `keep-alive, Upgrade`.
    let mut items = list.rsplit(|byte| *byte == b',');
    list == token || items.any(|item| item.trim_ascii().eq_ignore_ascii_case(token))
}
