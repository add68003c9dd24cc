//! Lists of offers: subprotocols (§4.1, §11.3.4) and extensions (§9.1).
//!
//! Each list is walked once; names from the peer are data, never keys.

/// Whether this is a list of at least one token, as
/// `Sec-WebSocket-Protocol` must be.
pub(super) fn is_token_list(list: &[u8]) -> bool {
    list.split(|byte| *byte == b',')
        .all(|item| is_token(item.trim_ascii()))
}

/// The names in a list of tokens.
pub(super) fn tokens(list: &[u8]) -> impl Iterator<Item = &str> {
    list.split(|byte| *byte == b',')
        .filter_map(|item| core::str::from_utf8(item.trim_ascii()).ok())
}

/// RFC 9110 §5.6.2.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| is_token_byte(*byte))
}

/// Whether this is a list of extensions with their parameters:
///
/// ```text
/// extension-list = 1#( token *( ";" token [ "=" ( token | quoted-string ) ] ) )
/// ```
pub(super) fn is_extension_list(list: &[u8]) -> bool {
    let mut scanner = Scanner(list.trim_ascii());
    loop {
        if !scanner.token() {
            return false;
        }
        while scanner.punctuation(b';') {
            if !scanner.token() || scanner.punctuation(b'=') && !scanner.value() {
                return false;
            }
        }
        if !scanner.punctuation(b',') {
            return scanner.0.is_empty();
        }
    }
}

/// What is left of a list.
struct Scanner<'h>(&'h [u8]);

impl Scanner<'_> {
    /// Skips a token and the space behind it.
    fn token(&mut self) -> bool {
        let len = self
            .0
            .iter()
            .take_while(|byte| is_token_byte(**byte))
            .count();
        self.skip(len);
        len > 0
    }

    /// Skips this byte and the space behind it, if it stands here.
    fn punctuation(&mut self, byte: u8) -> bool {
        let found = self.0.first() == Some(&byte);
        self.skip(usize::from(found));
        found
    }

    /// Skips a token or a quoted string.
    ///
    /// RFC 6455 §9.1: "the value after quoted-string unescaping MUST conform
    /// to the 'token' ABNF".
    fn value(&mut self) -> bool {
        let Some(quoted) = self.0.strip_prefix(b"\"") else {
            return self.token();
        };
        let mut bytes = quoted.iter();
        let mut is_empty = true;
        loop {
            match (bytes.next(), is_empty) {
                (Some(b'"'), is_empty) => {
                    self.0 = bytes.as_slice().trim_ascii_start();
                    return !is_empty;
                }
                (Some(b'\\'), _) if bytes.next().is_some_and(|byte| is_token_byte(*byte)) => {}
                (Some(byte), _) if is_token_byte(*byte) => {}
                _ => return false,
            }
            is_empty = false;
        }
    }

    fn skip(&mut self, len: usize) {
        self.0 = self.0.get(len..).unwrap_or_default().trim_ascii_start();
    }
}

const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
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
            "permessage-deflate; client_max_window_bits; server_max_window_bits=10",
        ];
        let bad = [
            "",
            ",",
            "a,",
            ",a",
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
        for list in ["chat", "chat, echo", "a,b", " a\t, b "] {
            assert!(is_token_list(list.as_bytes()), "{list}");
        }
        for list in ["", "a,,b", "a b", "a,", "caf\u{e9}", "a\"b\""] {
            assert!(!is_token_list(list.as_bytes()), "{list}");
        }
        assert!(tokens(b"chat ,echo").eq(["chat", "echo"]));
    }
}
