//! A text that many users edit at once, and that converges to the same text for all.
//!
//! The conflict rule (a replicated growable array): every character has an id and was
//! typed after another one. Of those typed after the same one, the greatest id comes
//! first. Ids are Lamport times: greater than every id that their author had seen, and
//! distinguished by the author. A deleted character is kept as a tombstone, because others
//! may have typed after it meanwhile. So the order of edits does not matter, and nothing
//! that was typed is lost.

use serde::{Deserialize, Serialize};

/// How many characters are kept, deleted ones included.
const MAX_LEN: usize = 20_000;

/// A time, and the number of the author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Id(pub(crate) u64, pub(crate) u32);

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Char {
    id: Id,
    ch: char,
    deleted: bool,
}

/// Characters typed in a row: the first has this id, the next the next time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Insert {
    after: Option<Id>,
    pub(crate) id: Id,
    text: String,
}

#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Text {
    chars: Vec<Char>,
}

impl Text {
    /// Returns whether the edit keeps the rules, and makes it if so.
    pub(crate) fn insert(&mut self, insert: &Insert) -> bool {
        let Insert { after, id, text } = insert;
        let start = match after {
            None => 0,
            Some(after) => match self.position(*after) {
                Some(at) if after < id => at + 1,
                _ => return false,
            },
        };
        let chars: Vec<_> = (id.0..).zip(text.chars()).collect();
        let ids = *id..Id(id.0.saturating_add(chars.len() as u64), id.1);
        let is_known = |char: &Char| char.id.1 == id.1 && ids.contains(&char.id);
        let len = self.chars.len() + chars.len();
        if len > MAX_LEN || id.0 > 1 << 50 || self.chars.iter().any(is_known) {
            return false;
        }
        let behind = self.chars.iter().skip(start);
        let at = start + behind.take_while(|char| char.id > *id).count();
        let chars = chars.into_iter().map(|(time, ch)| Char {
            id: Id(time, id.1),
            ch,
            deleted: false,
        });
        self.chars.splice(at..at, chars);
        true
    }

    pub(crate) fn delete(&mut self, ids: &[Id]) {
        for char in &mut self.chars {
            char.deleted |= ids.contains(&char.id);
        }
    }

    /// Forgets the deleted characters: for when nobody can refer to them.
    pub(crate) fn compact(&mut self) {
        self.chars.retain(|char| !char.deleted);
    }

    fn position(&self, id: Id) -> Option<usize> {
        self.chars.iter().position(|char| char.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(after: Option<Id>, id: Id, text: &str) -> Insert {
        let text = text.to_owned();
        Insert { after, id, text }
    }

    fn text(inserts: &[&Insert]) -> String {
        let mut text = Text::default();
        for one in inserts {
            assert!(text.insert(one), "{one:?}");
        }
        text.chars.iter().map(|char| char.ch).collect()
    }

    #[test]
    fn order_of_edits_does_not_matter() {
        let first = insert(None, Id(1, 1), "ab");
        // Three that know of the first alone, two of them at the same place.
        let ada = insert(Some(Id(1, 1)), Id(3, 1), "-x");
        let bob = insert(Some(Id(1, 1)), Id(3, 2), "+y");
        let eve = insert(None, Id(3, 3), "<");
        for [p, q, r] in [
            [&ada, &bob, &eve],
            [&bob, &ada, &eve],
            [&eve, &bob, &ada],
            [&ada, &eve, &bob],
        ] {
            assert_eq!(text(&[&first, p, q, r]), "<a+y-xb");
        }
    }

    #[test]
    fn edits_that_break_the_rules_are_refused() {
        let mut text = Text::default();
        assert!(text.insert(&insert(None, Id(5, 1), "abc")));
        for refused in [
            insert(Some(Id(9, 9)), Id(10, 2), "behind nothing"),
            insert(Some(Id(7, 1)), Id(6, 2), "older than what it is behind"),
            insert(None, Id(7, 1), "an id again"),
            insert(None, Id(3, 1), "into known ids"),
            insert(None, Id(20, 2), &"x".repeat(MAX_LEN)),
        ] {
            assert!(!text.insert(&refused), "{refused:?}");
        }
    }
}
