//! Text with shared bytes.

use core::fmt;
use core::ops::Deref;
use core::str::Utf8Error;
use std::string::String;
use std::vec::Vec;

use bytes::Bytes;
use bytestring::ByteString;

/// UTF-8 text whose clones share the bytes.
///
/// ```
/// use sansocket::axum::Utf8Bytes;
///
/// let text = Utf8Bytes::from_static("hello");
/// assert_eq!(text, "hello");
/// assert!(text.starts_with("he"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Utf8Bytes(ByteString);

impl Utf8Bytes {
    /// Creates text without an allocation.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        Self(ByteString::from_static(text))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Utf8Bytes {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Utf8Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

/// Compares with everything that a `&str` can be compared with.
impl<T> PartialEq<T> for Utf8Bytes
where
    for<'t> &'t str: PartialEq<T>,
{
    fn eq(&self, other: &T) -> bool {
        self.as_str() == *other
    }
}

impl From<&str> for Utf8Bytes {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<&String> for Utf8Bytes {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<String> for Utf8Bytes {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<ByteString> for Utf8Bytes {
    fn from(text: ByteString) -> Self {
        Self(text)
    }
}

impl From<Utf8Bytes> for ByteString {
    fn from(text: Utf8Bytes) -> Self {
        text.0
    }
}

impl From<Utf8Bytes> for Bytes {
    fn from(text: Utf8Bytes) -> Self {
        text.0.into_bytes()
    }
}

impl TryFrom<Bytes> for Utf8Bytes {
    type Error = Utf8Error;

    fn try_from(bytes: Bytes) -> Result<Self, Utf8Error> {
        ByteString::try_from(bytes).map(Self)
    }
}

impl TryFrom<Vec<u8>> for Utf8Bytes {
    type Error = Utf8Error;

    fn try_from(bytes: Vec<u8>) -> Result<Self, Utf8Error> {
        Bytes::from(bytes).try_into()
    }
}
