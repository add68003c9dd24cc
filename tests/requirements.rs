//! The requirements that users asked for and this crate promises: each has a
//! test that names it, in a comment `// Requirement N` above it.

use std::fs;
use std::path::Path;

/// What the core and its adapters deliver.
const DELIVERED: [u32; 37] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
    27, 28, 29, 30, 31, 32, 33, 35, 36, 38, 39,
];

#[test]
fn every_requirement_is_named_by_a_test() {
    let named = named_requirements();
    let missing: Vec<_> = DELIVERED
        .iter()
        .filter(|number| !named.contains(number))
        .collect();
    assert!(
        missing.is_empty(),
        "no test names the requirements {missing:?}"
    );
}

/// The numbers in comments that stand directly above a test.
fn named_requirements() -> Vec<u32> {
    let folders = [
        "tests",
        "tests/common",
        "tests/extended/tests",
        "examples/apps/tests",
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut named = Vec::new();
    for entry in folders
        .iter()
        .flat_map(|folder| fs::read_dir(root.join(folder)).unwrap())
    {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            named.extend(numbers_above_tests(&fs::read_to_string(path).unwrap()));
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
