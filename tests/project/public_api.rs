//! What users of the core see: its errors, and no types of other crates.

use std::collections::BTreeSet;

use crate::layering::{DEPENDENCIES, Source, core_sources};

/// Other crates whose types are part of the core's API.
const PUBLIC_CRATES: [&str; 2] = ["bytes", "bytestring"];

// Requirement 34: a new version of a dependency breaks no user of the core.
#[test]
fn core_has_no_foreign_types_in_public_signatures() {
    let mut checked = 0;
    for source in core_sources() {
        let foreign = foreign_names(&source);
        for signature in public_signatures(&source) {
            checked += 1;
            let words = signature.split(|c: char| !c.is_alphanumeric() && c != '_');
            let named: Vec<_> = words.filter(|word| foreign.contains(*word)).collect();
            assert!(named.is_empty(), "{}: {signature}", source.path.display());
        }
    }
    assert!(checked > 200, "{checked}");
}

/// The other crates, and what this file imports from them.
fn foreign_names(source: &Source) -> BTreeSet<String> {
    let crates = DEPENDENCIES.map(|name| name.replace('-', "_"));
    let mut names: BTreeSet<String> = crates.into();
    names.retain(|name| !PUBLIC_CRATES.contains(&&**name));
    let code: Vec<&str> = source.code().map(|(_, line)| line).collect();
    for import in code.join(" ").split("use ").skip(1) {
        let import = import.split(';').next().unwrap_or_default();
        if let Some((first, rest)) = import.split_once("::")
            && names.contains(first)
        {
            let words = rest.split(|c: char| !c.is_alphanumeric() && c != '_');
            names.extend(words.map(str::to_owned));
        }
    }
    names.remove("");
    names
}

/// From `pub` or `impl` to the body.
fn public_signatures(source: &Source) -> Vec<String> {
    let mut signatures: Vec<String> = Vec::new();
    let mut is_open = false;
    for (_, line) in source.code() {
        let line = line.trim();
        if !is_open
            && ["pub fn", "pub const fn", "pub type", "impl From"]
                .iter()
                .any(|start| line.starts_with(start))
        {
            signatures.push(String::new());
            is_open = true;
        }
        if is_open && let Some(signature) = signatures.last_mut() {
            signature.push_str(line);
            is_open = !line.contains(['{', ';']);
        }
    }
    signatures
}

/// Errors of the adapters, which need `std`.
#[cfg(feature = "std")]
mod errors {
    use sansocket::{
        ConnectionError, DeadlineReason, Error, HandshakeError, LimitError, SendError,
    };

    /// What an application does about an error.
    #[derive(Debug, PartialEq)]
    enum Cause {
        Misuse,
        Peer,
        Limit,
        Deadline,
        Transport,
    }

    /// The five causes can be told apart by matching alone.
    fn cause(error: &Error) -> Cause {
        match error {
            Error::Send(_) | Error::Request(_) => Cause::Misuse,
            Error::Failed(ConnectionError::Limit(_)) => Cause::Limit,
            Error::Failed(ConnectionError::Timeout(_)) => Cause::Deadline,
            Error::Failed(ConnectionError::UnexpectedEof)
            | Error::Io(_)
            | Error::Connect { .. } => Cause::Transport,
            _ => Cause::Peer,
        }
    }

    // Requirement 34: errors are small, and their causes can be matched.
    #[test]
    fn errors_are_small_and_tell_causes_apart() {
        assert!(size_of::<ConnectionError>() <= 32);
        assert!(size_of::<SendError>() <= 32);
        assert!(size_of::<Error>() <= 32);
        let eof = std::io::ErrorKind::BrokenPipe.into();
        for (error, expected) in [
            (SendError::NotOpen.into(), Cause::Misuse),
            (
                Error::Failed(HandshakeError::TooManyHeaders.into()),
                Cause::Peer,
            ),
            (
                Error::Failed(LimitError::MessageTooLong.into()),
                Cause::Limit,
            ),
            (
                Error::Failed(ConnectionError::Timeout(DeadlineReason::Pong)),
                Cause::Deadline,
            ),
            (
                Error::Failed(ConnectionError::UnexpectedEof),
                Cause::Transport,
            ),
            (Error::Io(eof), Cause::Transport),
        ] {
            assert_eq!(cause(&error), expected, "{error:?}");
        }
    }
}
