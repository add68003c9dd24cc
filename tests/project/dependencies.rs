//! The guide on dependencies names each one that `Cargo.toml` has, with the
//! features that enable it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The features that enable a crate; none if every build has it.
type Features = BTreeSet<String>;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The lines `name = value` of a section.
fn section<'a>(manifest: &'a str, heading: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    manifest
        .lines()
        .skip_while(move |line| *line != heading)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" = "))
}

fn declared(manifest: &str) -> BTreeMap<String, Features> {
    let enabling = |dependency: &str| {
        let entry = format!("\"dep:{dependency}\"");
        section(manifest, "[features]")
            .filter(|(_, enabled)| enabled.contains(&entry))
            .map(|(feature, _)| feature.to_owned())
            .collect()
    };
    section(manifest, "[dependencies]")
        .map(|(name, _)| (name.to_owned(), enabling(name)))
        .collect()
}

/// The words in back quotes.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

fn described(guide: &str) -> BTreeMap<String, Features> {
    let table = guide
        .lines()
        .skip_while(|line| !line.starts_with("| crate | feature |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        assert!(
            cells.len() == 5 && cells.iter().all(|cell| !cell.is_empty()),
            "{line}"
        );
        let name = quoted(cells[0]).next().expect("a crate").to_owned();
        (name, quoted(cells[1]).map(str::to_owned).collect())
    };
    table.map(row).collect()
}

#[test]
fn every_dependency_is_explained_with_its_features() {
    let (manifest, guide) = (read("Cargo.toml"), read("src/guide/dependencies.md"));
    assert_eq!(described(&guide), declared(&manifest));
}

/// The table of `unsafe` code has each of them once.
#[test]
fn every_dependency_has_a_word_on_unsafe_code() {
    let (manifest, guide) = (read("Cargo.toml"), read("src/guide/dependencies.md"));
    let rows = guide
        .lines()
        .skip_while(|line| !line.starts_with("| crates | `unsafe` |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let mut named: Vec<&str> = rows
        .flat_map(|line| quoted(line.split('|').nth(1).unwrap_or_default()))
        .collect();
    named.sort_unstable();
    let declared = declared(&manifest);
    assert!(declared.keys().eq(named.iter()), "{named:?}");
}
