//! The requirements that this crate promises, and a check that each has a test
//! that names it.

use std::fs;
use std::path::Path;

/// What users of WebSocket libraries asked for, and this crate delivers. A test
/// names the requirements that it shows in a comment: `// Requirement 9`.
const REQUIREMENTS: [(u32, &str); 40] = [
    (1, "permessage-deflate with all parameters, in both roles"),
    (
        2,
        "compression on a connection whose handshake another server did",
    ),
    (3, "streams with context takeover never corrupt"),
    (
        4,
        "limits on inflated size and on ratio, exact and during inflation",
    ),
    (
        5,
        "compression can be tuned per connection and per message, and its memory released",
    ),
    (
        6,
        "offers and answers of extensions are parsed as the RFC says, and never fail a server",
    ),
    (7, "send returns once the transport was flushed"),
    (
        8,
        "unsent bytes are bounded, and a message that has no room comes back",
    ),
    (
        9,
        "a batch leaves in few writes, a header together with its payload",
    ),
    (
        10,
        "owned halves for two threads or tasks, full duplex, with automatic replies",
    ),
    (11, "every async method is cancel safe"),
    (12, "no wake-up is lost between two tasks"),
    (
        13,
        "pings are answered, also while the application only reads",
    ),
    (14, "one outcome of each connection, then its end for ever"),
    (15, "deadlines for handshake, closing and stalled writes"),
    (
        16,
        "keepalive, for which any received byte is a sign of life",
    ),
    (
        17,
        "the right close code leaves before the end of the stream",
    ),
    (
        18,
        "a failed client handshake returns status, headers and body",
    ),
    (
        19,
        "headers, cookies and subprotocols are added to a complete request",
    ),
    (20, "bytes after the HTTP head are never lost"),
    (
        21,
        "heads are parsed in linear time, with limits, from any pieces",
    ),
    (
        22,
        "limits on fragments, control frames and held memory; none is reserved from a header",
    ),
    (
        23,
        "an idle connection holds less than 1 KiB and no buffers",
    ),
    (24, "a kept message pins no larger buffer"),
    (
        25,
        "messages can be received in pieces, validated and limited",
    ),
    (
        26,
        "messages of unknown length can be sent, with control frames between the pieces",
    ),
    (
        27,
        "a prepared message is framed once, and compressed once for each setting",
    ),
    (
        28,
        "a slow receiver can be seen and ended, and harms nobody else",
    ),
    (
        29,
        "a server answers bad requests, and hands on plain HTTP with its bytes",
    ),
    (
        30,
        "names are compared without case, lists by token; nothing unoffered is accepted",
    ),
    (31, "no allocation in the steady state"),
    (
        32,
        "the caller owns input, output and clock, and each deadline has a reason",
    ),
    (
        33,
        "the handshake can be resumed at any byte, with any kind of I/O",
    ),
    (
        34,
        "errors are small and matchable; the core's API names no foreign types",
    ),
    (35, "a raw frame layer for relays, and opt-in leniency"),
    (
        36,
        "handshakes of HTTP/2 and HTTP/3 without an HTTP library",
    ),
    (
        37,
        "the core needs no std, and its randomness is given: the same bytes in each run",
    ),
    (
        38,
        "connecting with the caller's own TLS, IPv6, no delay, and redirects",
    ),
    (
        39,
        "types that can be named and stored, and a stream of bytes",
    ),
    (
        40,
        "a test kit, examples that are run, and a check of origins",
    ),
];

#[test]
fn every_requirement_is_named_by_a_test() {
    let named = named_requirements();
    let missing: Vec<_> = REQUIREMENTS
        .iter()
        .filter(|(number, _)| !named.contains(number))
        .collect();
    assert!(missing.is_empty(), "no test names {missing:#?}");
}

/// The numbers in comments that stand directly above a test.
fn named_requirements() -> Vec<u32> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = ["tests", "examples/apps/tests"]
        .map(|path| root.join(path))
        .to_vec();
    let mut named = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                named.extend(numbers_above_tests(&fs::read_to_string(path).unwrap()));
            }
        }
    }
    named
}

fn numbers_above_tests(source: &str) -> Vec<u32> {
    let (mut found, mut pending) = (Vec::new(), Vec::new());
    for line in source.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("// Requirement") {
            pending.extend(
                comment
                    .split(|c: char| !c.is_ascii_digit())
                    .filter_map(|n| n.parse::<u32>().ok()),
            );
        } else if line == "#[test]" || line.starts_with("#[tokio::test") {
            found.append(&mut pending);
        } else if !line.starts_with("//") && !line.starts_with("#[") {
            pending.clear();
        }
    }
    found
}
