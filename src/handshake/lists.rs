//! Lists of offers: subprotocols (§4.1, §11.3.4) and extensions (§9.1).
//!
//! Each list is parsed in one pass, and names from the peer are never used as
//! keys.

use super::byte_set::ByteSet;

/// Whether this is a list of tokens, as `Sec-WebSocket-Protocol` must be.
pub(super) fn is_token_list(list: &[u8]) -> bool {
    items(list).all(is_token)
}

/// The names in a list of tokens.
pub(super) fn tokens(list: &[u8]) -> impl Iterator<Item = &str> {
    items(list).filter_map(|item| core::str::from_utf8(item).ok())
}

/// The items of a comma-separated list, without the space around them.
///
/// RFC 9110 §5.6.1.2: "A recipient MUST parse and ignore a reasonable number of
/// empty list elements". All are ignored: each costs one byte of the head.
fn items(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|item| !item.is_empty())
}

/// Whether a comma-separated list has no items.
pub(super) fn is_empty_list(list: &[u8]) -> bool {
    items(list).next().is_none()
}

/// RFC 9110 §5.6.2.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| is_token_byte(*byte))
}

/// Whether this is a list of extensions.
pub(super) fn is_extension_list(list: &[u8]) -> bool {
    // Most clients offer one extension without parameters.
    is_token(list) || extensions(list).all(|item| item.is_ok())
}

/// The items of a list of extensions:
///
/// ```text
/// extension-list = #( token *( ";" token [ "=" ( token | quoted-string ) ] ) )
/// ```
pub(super) fn extensions(list: &[u8]) -> Items<'_> {
    Items {
        rest: list.trim_ascii(),
        next: Next::Extension,
    }
}

/// An extension, or a parameter of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item<'h> {
    Extension(&'h [u8]),
    Parameter(&'h [u8], Option<Value<'h>>),
}

/// The value of a parameter, with the backslashes of a quoted string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value<'h>(&'h [u8]);

/// A list that does not follow its grammar.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// What is left of a list of extensions. The last item is an error if the list
/// is malformed.
#[derive(Debug)]
pub(super) struct Items<'h> {
    rest: &'h [u8],
    next: Next,
}

/// What comes next in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Extension,
    Parameter,
    Nothing,
}

impl<'h> Value<'h> {
    /// The bytes without the backslashes.
    #[cfg(feature = "deflate")]
    pub(super) fn bytes(self) -> impl Iterator<Item = u8> {
        // RFC 9110 §5.6.4: a backslash is followed by a literal byte.
        self.0.iter().copied().filter(|byte| *byte != b'\\')
    }
}

impl<'h> Iterator for Items<'h> {
    type Item = Result<Item<'h>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = match self.next {
            Next::Extension => {
                // RFC 9110 §5.6.1.2: empty list elements are ignored.
                while self.punctuation(b',') {}
                if self.rest.is_empty() {
                    return None;
                }
                self.token().map(Item::Extension)
            }
            Next::Parameter => self.parameter(),
            Next::Nothing => return None,
        };
        self.next = if item.is_none() {
            Next::Nothing
        } else if self.punctuation(b';') {
            Next::Parameter
        } else if self.punctuation(b',') {
            Next::Extension
        } else {
            Next::Nothing
        };
        let is_fine = self.next != Next::Nothing || self.rest.is_empty();
        Some(item.filter(|_| is_fine).ok_or(Malformed))
    }
}

impl<'h> Items<'h> {
    fn parameter(&mut self) -> Option<Item<'h>> {
        let name = self.token()?;
        let value = if self.punctuation(b'=') {
            Some(self.value()?)
        } else {
            None
        };
        Some(Item::Parameter(name, value))
    }

    /// Takes a token and the whitespace after it.
    fn token(&mut self) -> Option<&'h [u8]> {
        let bytes = self.rest.iter();
        let len = bytes.take_while(|byte| is_token_byte(**byte)).count();
        let token = self.take(len);
        (!token.is_empty()).then_some(token)
    }

    /// Takes this byte and the whitespace after it, if it is the next one.
    fn punctuation(&mut self, byte: u8) -> bool {
        let found = self.rest.first() == Some(&byte);
        self.take(usize::from(found));
        found
    }

    /// Takes a token or a quoted string.
    ///
    /// RFC 6455 §9.1: "the value after quoted-string unescaping MUST conform
    /// to the 'token' ABNF".
    fn value(&mut self) -> Option<Value<'h>> {
        let Some(quoted) = self.rest.strip_prefix(b"\"") else {
            return self.token().map(Value);
        };
        let mut bytes = quoted.iter();
        loop {
            let rest = bytes.as_slice();
            match bytes.next()? {
                b'"' => {
                    let len = quoted.len() - rest.len();
                    self.rest = bytes.as_slice().trim_ascii_start();
                    return (len > 0).then(|| Value(quoted.get(..len).unwrap_or_default()));
                }
                b'\\' if bytes.next().is_some_and(|byte| is_token_byte(*byte)) => {}
                byte if is_token_byte(*byte) => {}
                _ => return None,
            }
        }
    }

    /// Takes this many bytes and the whitespace after them.
    fn take(&mut self, len: usize) -> &'h [u8] {
        let (taken, rest) = self.rest.split_at_checked(len).unwrap_or_default();
        self.rest = rest.trim_ascii_start();
        taken
    }
}

fn is_token_byte(byte: u8) -> bool {
    static TOKEN: ByteSet = ByteSet::alphanumeric_and(b"!#$%&'*+-.^_`|~");
    TOKEN.contains(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extension_lists() {
        let good = [
            "permessage-deflate",
            "a, b;c, d;e=f;g=\"h\"",
            " a ; b = c ,\td ",
            "a;b=\"\\c\"",
            ",a,, b;c ,",
            "",
            ",",
            " , ",
            "permessage-deflate; client_max_window_bits; server_max_window_bits=10",
        ];
        let bad = [
            ",;a",
            "a;,b",
            "a b",
            "a;",
            "a;=b",
            "a;b=",
            "a;b=\"",
            "a;b=\"c",
            "a;b=\"\"",
            "a;b=\"c d\"",
            "a;b=\"c\"d",
            "a/b",
            "a;b=c=d",
            "a;b=\"\\",
            "a;b=\"\\\"\"",
            "a;;b",
        ];
        for list in good {
            assert!(is_extension_list(list.as_bytes()), "{list}");
        }
        for list in bad {
            assert!(!is_extension_list(list.as_bytes()), "{list}");
        }
    }

    #[test]
    fn token_lists() {
        for list in [
            "chat",
            "chat, echo",
            "a,b",
            " a\t, b ",
            "",
            ",",
            "a,,b",
            "a,",
        ] {
            assert!(is_token_list(list.as_bytes()), "{list}");
        }
        for list in ["a b", "a,b c", "caf\u{e9}", "a\"b\""] {
            assert!(!is_token_list(list.as_bytes()), "{list}");
        }
        assert!(tokens(b",chat ,, echo,").eq(["chat", "echo"]));
        assert!(is_empty_list(b" ,\t,") && !is_empty_list(b",a"));
    }
}
