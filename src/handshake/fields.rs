//! The rules on header fields, over pairs of name and value: whatever brought
//! them, an HTTP/1.1 head or another library's map.

use alloc::boxed::Box;

#[cfg(feature = "deflate")]
use super::extensions;
use super::key;
use super::negotiate;
use super::origin::OriginPolicy;
use super::{Agreement, Limits, Settings};
use crate::error::{HandshakeError, HeaderField};

/// The fields that the handshake speaks of, found in one pass.
#[derive(Debug)]
pub(super) struct Fields<'h> {
    first: [Option<&'h [u8]>; COUNT],
    /// A bit for each field that occurs again.
    repeated: u16,
    /// `Upgrade` lists `websocket`.
    upgrades_to_websocket: bool,
    /// `Connection` lists `upgrade`.
    connection_upgrades: bool,
    /// What the lists offer, or that they are malformed.
    subprotocols: Result<(), HandshakeError>,
    extensions: Result<(), HandshakeError>,
}

const COUNT: usize = HeaderField::TransferEncoding as usize + 1;

impl HeaderField {
    /// The field of this name. Names are looked at by length first, as nearly
    /// all that come are others.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        let candidates: &[(&str, Self)] = match name.len() {
            4 => &[("Host", Self::Host)],
            6 => &[("Origin", Self::Origin)],
            7 => &[("Upgrade", Self::Upgrade)],
            10 => &[("Connection", Self::Connection)],
            14 => &[("Content-Length", Self::ContentLength)],
            17 => &[
                ("Sec-WebSocket-Key", Self::Key),
                ("Transfer-Encoding", Self::TransferEncoding),
            ],
            20 => &[("Sec-WebSocket-Accept", Self::Accept)],
            21 => &[("Sec-WebSocket-Version", Self::Version)],
            22 => &[("Sec-WebSocket-Protocol", Self::Subprotocol)],
            24 => &[("Sec-WebSocket-Extensions", Self::Extensions)],
            _ => return None,
        };
        // Most are spelled like this, and so are compared in whole words.
        let found = candidates
            .iter()
            .find(|(known, _)| name == *known || name.eq_ignore_ascii_case(known));
        found.map(|(_, field)| *field)
    }
}

impl<'h> Fields<'h> {
    /// Sorts out the fields of a head.
    pub(super) fn of(pairs: impl Iterator<Item = (&'h str, &'h [u8])>) -> Self {
        let mut fields = Self {
            first: [None; COUNT],
            repeated: 0,
            upgrades_to_websocket: false,
            connection_upgrades: false,
            subprotocols: Ok(()),
            extensions: Ok(()),
        };
        for (name, value) in pairs {
            if let Some(field) = HeaderField::from_name(name) {
                fields.add(field, value);
            }
        }
        fields
    }

    /// RFC 6455 §4.2.1: what a server demands of a request. Tells the key of an
    /// upgrade; what asks for none is plain HTTP and only well-formed.
    pub(super) fn check_request(
        &self,
        method: &str,
        target: &str,
        policy: &OriginPolicy,
    ) -> Result<Option<&'h [u8]>, HandshakeError> {
        let host = self.required(HeaderField::Host)?;
        if host.is_empty() || !host.iter().all(|byte| is_host_byte(*byte)) {
            return Err(HandshakeError::Invalid(HeaderField::Host));
        }
        if !self.upgrades_to_websocket {
            return Ok(None);
        }
        if method != "GET" {
            return Err(HandshakeError::MethodNotAllowed);
        }
        if !target.starts_with('/') {
            return Err(HandshakeError::InvalidTarget);
        }
        self.check_connection()?;
        let key = self.required(HeaderField::Key)?;
        if !key::is_key(key) {
            return Err(HandshakeError::Invalid(HeaderField::Key));
        }
        self.check_offers(host, policy)?;
        Ok(Some(key))
    }

    /// RFC 8441 §5: what a server demands of an extended CONNECT, whose
    /// pseudo-header fields are checked already.
    #[cfg(feature = "std")]
    pub(super) fn check_connect(
        &self,
        authority: &[u8],
        policy: &OriginPolicy,
    ) -> Result<(), HandshakeError> {
        if authority.is_empty() || !authority.iter().all(|byte| is_host_byte(*byte)) {
            return Err(HandshakeError::Invalid(HeaderField::Host));
        }
        self.check_offers(authority, policy)
    }

    /// What any way to open a WebSocket has in common.
    fn check_offers(&self, host: &[u8], policy: &OriginPolicy) -> Result<(), HandshakeError> {
        if self.required(HeaderField::Version)? != b"13" {
            return Err(HandshakeError::UnsupportedVersion);
        }
        self.check_bodiless()?;
        self.subprotocols?;
        self.extensions?;
        if !policy.allows(self.single(HeaderField::Origin)?, host) {
            return Err(HandshakeError::OriginNotAllowed);
        }
        Ok(())
    }

    /// RFC 6455 §4.1: what a client demands of a response whose status is 101.
    pub(super) fn check_response(
        &self,
        accept: &[u8],
        offered: &[Box<str>],
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
        self.check_bodiless()?;
        self.check_answers(offered, settings)
    }

    /// What any way to open a WebSocket has in common (RFC 8441 §5).
    pub(super) fn check_answers(
        &self,
        offered: &[Box<str>],
        settings: &Settings,
    ) -> Result<Agreement, HandshakeError> {
        let mut agreement = self.check_extensions(settings)?;
        if let Some(chosen) = self.single(HeaderField::Subprotocol)? {
            let mut offered = offered.iter();
            agreement.subprotocol = offered.find(|name| name.as_bytes() == chosen).cloned();
            if agreement.subprotocol.is_none() {
                return Err(HandshakeError::SubprotocolNotOffered);
            }
        }
        Ok(agreement)
    }

    /// RFC 6455 §4.1: an extension in a response must be one that was offered.
    #[cfg_attr(not(feature = "deflate"), allow(unused_variables))]
    fn check_extensions(&self, settings: &Settings) -> Result<Agreement, HandshakeError> {
        let Some(list) = self.single(HeaderField::Extensions)? else {
            return Ok(Agreement::default());
        };
        #[cfg(feature = "deflate")]
        if let Some(options) = &settings.deflate {
            self.extensions?;
            let deflate = extensions::check(list, options)?;
            return Ok(Agreement {
                deflate,
                ..Agreement::default()
            });
        }
        Err(HandshakeError::ExtensionNotOffered)
    }

    /// The value of a field that may stand once.
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
            HeaderField::Connection => self.connection_upgrades |= lists_token(value, "upgrade"),
            HeaderField::Subprotocol if !negotiate::is_token_list(value) => {
                self.subprotocols = Err(HandshakeError::Invalid(field));
            }
            HeaderField::Extensions if !negotiate::is_extension_list(value) => {
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

    /// A body where frames are to follow is how requests are smuggled.
    fn check_bodiless(&self) -> Result<(), HandshakeError> {
        let body = [HeaderField::ContentLength, HeaderField::TransferEncoding];
        match body.into_iter().find(|field| self.first(*field).is_some()) {
            Some(field) => Err(HandshakeError::Unexpected(field)),
            None => Ok(()),
        }
    }
}

/// Whether a comma-separated list has the token, whatever its case
/// (RFC 9110 §5.6.1).
pub(super) fn lists_token(list: &[u8], token: &str) -> bool {
    list.split(|byte| *byte == b',')
        .any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// RFC 3986 §3.2: what a host with a port is made of.
fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(&byte)
}

/// A limit on the number of fields that httparse is given room for.
pub(super) const fn room_for_headers(limits: &Limits, room: usize) -> usize {
    if limits.max_headers < room {
        limits.max_headers
    } else {
        room
    }
}
