//! What each library rejects of what RFC 6455 forbids a client, found by trying.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};

use crate::memory::Memory;
use crate::peers::{BY_CALLER, PEERS, Peer};

/// Who rejects what is forbidden.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Checked {
    Library,
    /// What these benchmarks add, as every user has to.
    Caller,
    Nobody,
}

/// What is forbidden, and frames that do it: the masking keys are zero.
pub struct Rule {
    pub name: &'static str,
    /// Stands for it beside figures.
    pub letter: char,
    frames: &'static [&'static [u8]],
}

pub const RULES: [Rule; 7] = [
    Rule {
        name: "masks",
        letter: 'M',
        frames: &[b"\x82\x01x"],
    },
    Rule {
        name: "UTF-8",
        letter: 'U',
        frames: &[
            b"\x81\x81\0\0\0\0\xff",
            b"\x01\x81\0\0\0\0x\x80\x81\0\0\0\0\xff",
        ],
    },
    Rule {
        name: "minimal lengths",
        letter: 'L',
        frames: &[
            b"\x82\xfe\0\x01\0\0\0\0x",
            b"\x82\xff\0\0\0\0\0\0\0\x01\0\0\0\0x",
        ],
    },
    Rule {
        name: "reserved bits",
        letter: 'R',
        frames: &[
            b"\xc2\x81\0\0\0\0x",
            b"\xa2\x81\0\0\0\0x",
            b"\x92\x81\0\0\0\0x",
        ],
    },
    Rule {
        name: "opcodes",
        letter: 'O',
        frames: &[b"\x83\x81\0\0\0\0x", b"\x8b\x81\0\0\0\0x"],
    },
    Rule {
        name: "control frames",
        letter: 'C',
        frames: &[b"\x09\x81\0\0\0\0x", &LONG_PING],
    },
    Rule {
        name: "order of fragments",
        letter: 'F',
        frames: &[b"\x80\x81\0\0\0\0x", b"\x02\x81\0\0\0\0x\x82\x81\0\0\0\0x"],
    },
];

/// Of 126 bytes.
const LONG_PING: [u8; 134] = {
    let mut frame = [0; 134];
    (frame[0], frame[1], frame[3]) = (0x89, 0xfe, 126);
    frame
};

/// A message that nobody rejects.
const VALID: &[u8] = b"\x82\x81\0\0\0\0x";

/// Of one library: who checks each of the [`RULES`].
pub struct Checks {
    pub name: &'static str,
    pub checked: Vec<Checked>,
}

impl Checks {
    /// The letters of the rules that this one checks.
    pub fn by(&self, who: Checked) -> String {
        let rules = RULES.iter().zip(&self.checked);
        rules
            .filter_map(|(rule, &checked)| (checked == who).then_some(rule.letter))
            .collect()
    }
}

/// Tries all, and asserts that ours checks everything.
pub fn run() -> Vec<Checks> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let checks: Vec<_> = PEERS
        .iter()
        .map(|peer| Checks {
            name: peer.name,
            checked: RULES.iter().map(|rule| check(peer, rule)).collect(),
        })
        .collect();
    let deaf = PEERS.iter().find(|peer| rejects(peer, VALID).is_some());
    panic::set_hook(hook);
    assert!(deaf.is_none(), "{:?}", deaf.map(|peer| peer.name));
    for (peer, checks) in PEERS.iter().zip(&checks) {
        let by_library = checks.by(Checked::Library);
        assert!(
            !peer.is_ours || by_library.len() == RULES.len(),
            "{}",
            peer.name
        );
    }
    checks
}

fn check(peer: &Peer, rule: &Rule) -> Checked {
    let frames = rule.frames.iter();
    let checked = frames.map(|frame| rejects(peer, frame).unwrap_or(Checked::Nobody));
    checked.max().expect("a frame")
}

/// Receives the frames and a valid message behind. A fault panics, as in the
/// races; so does a connection that discards all that follows.
fn rejects(peer: &Peer, frames: &[u8]) -> Option<Checked> {
    let stream = [frames, VALID].concat();
    let receive = || {
        let memory = Memory::new(stream.clone().into(), stream.len());
        (peer.receive)(memory).receive(2)
    };
    let panicked = panic::catch_unwind(AssertUnwindSafe(receive)).err()?;
    if said(&*panicked).contains(BY_CALLER) {
        Some(Checked::Caller)
    } else {
        Some(Checked::Library)
    }
}

fn said(panicked: &(dyn Any + Send)) -> &str {
    let text = panicked.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panicked.downcast_ref::<&str>().copied());
    text.unwrap_or_default()
}
