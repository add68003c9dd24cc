//! JSON, indented.

use serde_json::Value;

/// The text with each value on a line of its own, if it is JSON. Numbers, strings
/// and the order of keys stay as they are, whatever a parser would make of them.
pub(crate) fn indented(text: &str) -> Option<String> {
    serde_json::from_str::<Value>(text).ok()?;
    let mut indented = Indented::default();
    let (mut in_string, mut escaped) = (false, false);
    for c in text.chars() {
        if in_string {
            indented.out.push(c);
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else {
            in_string = c == '"';
            indented.token(c);
        }
    }
    Some(indented.out)
}

#[derive(Default)]
struct Indented {
    out: String,
    depth: usize,
    /// After `{` or `[`: it may be empty.
    has_opened: bool,
}

impl Indented {
    fn token(&mut self, c: char) {
        match c {
            ' ' | '\t' | '\r' | '\n' => return,
            '}' | ']' => {
                self.depth -= 1;
                if !self.has_opened {
                    self.break_line();
                }
            }
            _ if self.has_opened => self.break_line(),
            _ => {}
        }
        self.out.push(c);
        self.has_opened = matches!(c, '{' | '[');
        match c {
            '{' | '[' => self.depth += 1,
            ',' => self.break_line(),
            ':' => self.out.push(' '),
            _ => {}
        }
    }

    fn break_line(&mut self) {
        self.out.push('\n');
        self.out.push_str(&"  ".repeat(self.depth));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_indented_and_left_as_they_are() {
        let rows = [
            ("[]", "[]"),
            (" { } ", "{}"),
            ("[[],{}]", "[\n  [],\n  {}\n]"),
            (
                r#"{"b":12345678901234567890123,"a":[1.0, 1e2]}"#,
                "{\n  \"b\": 12345678901234567890123,\n  \"a\": [\n    1.0,\n    1e2\n  ]\n}",
            ),
            (r#"["a,\"{b\\",1]"#, "[\n  \"a,\\\"{b\\\\\",\n  1\n]"),
            ("\"a: b\"", "\"a: b\""),
        ];
        for (text, expected) in rows {
            assert_eq!(indented(text).as_deref(), Some(expected));
        }
        assert_eq!(indented("{"), None);
        assert_eq!(indented("hello"), None);
    }
}
