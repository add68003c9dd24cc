//! `Content-Length` (RFC 9110 §8.6), over all fields of that name.

use super::number::parse_number;

/// The length that a head declares for its body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ContentLength {
    /// There is no such field.
    #[default]
    Absent,
    /// All fields declare this many bytes.
    Bytes(u64),
    /// A value is not a number, or two values differ.
    Invalid,
}

impl ContentLength {
    /// Adds the value of a field.
    ///
    /// RFC 9110 §8.6: equal values, in one field or several, may be taken for
    /// one. RFC 9112 §6.3: anything else is an unrecoverable error, because two
    /// recipients could disagree on where the body ends.
    pub(super) fn with(self, value: &[u8]) -> Self {
        let mut items = value.split(|byte| *byte == b',');
        items.try_fold(self, Self::and).unwrap_or(Self::Invalid)
    }

    fn and(self, item: &[u8]) -> Option<Self> {
        let len = Self::Bytes(parse_number(item.trim_ascii())?);
        (self == Self::Absent || self == len).then_some(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_equal_numbers() {
        let table: [(&[&str], ContentLength); 13] = [
            (&[], ContentLength::Absent),
            (&["0"], ContentLength::Bytes(0)),
            (&["3", "3"], ContentLength::Bytes(3)),
            (&["3, 3"], ContentLength::Bytes(3)),
            (&["3 ,\t3", "3"], ContentLength::Bytes(3)),
            (&["3", "4"], ContentLength::Invalid),
            (&["3, 4"], ContentLength::Invalid),
            (&["3", "x", "3"], ContentLength::Invalid),
            (&[""], ContentLength::Invalid),
            (&["3,"], ContentLength::Invalid),
            (&["+1"], ContentLength::Invalid),
            (&["-1"], ContentLength::Invalid),
            (&["99999999999999999999"], ContentLength::Invalid),
        ];
        for (values, expected) in table {
            let len = values.iter().fold(ContentLength::Absent, |len, value| {
                len.with(value.as_bytes())
            });
            assert_eq!(len, expected, "{values:?}");
        }
    }
}
