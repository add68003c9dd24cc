//! Decimal numbers.

use core::str::{self, FromStr};

/// Parses a number that consists of digits only. `parse` alone would accept a sign,
/// which is not allowed in a length (RFC 9110 §8.6) or a port (RFC 3986 §3.2.3).
pub(super) fn parse_number<T: FromStr>(digits: &[u8]) -> Option<T> {
    let is_number = digits.iter().all(u8::is_ascii_digit);
    let digits = str::from_utf8(digits).ok().filter(|_| is_number)?;
    digits.parse().ok()
}
