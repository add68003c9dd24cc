//! The architecture as src/lib.rs draws it under "The code", and the size of
//! its parts: read off the sources that git tracks, so that a file which a
//! contributor left there fails no test.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The modules from the leaves up, as src/lib.rs draws them.
const ROWS: [&[&str]; 5] = [
    &["error", "deadline", "entropy", "input"],
    &["frame", "budget"],
    &["handshake", "message", "deflate", "close", "timer"],
    &["connection", "event", "config", "upgrade"],
    &["adapter", "testing"],
];

/// The row whose modules make up one whole and may use one another.
const COMPOSITION: usize = 3;
const ADAPTERS: usize = 4;

/// The handshake negotiates what `deflate` names, and an error names the deadline
/// that passed.
const SIDEWAYS: [(&str, &str); 2] = [("handshake", "deflate"), ("error", "deadline")];

/// The modules of the adapters from the leaves up: a runtime uses what dials, and
/// never the other way around.
const ADAPTER_ROWS: [&[&str]; 6] = [
    &["auto_replies", "http", "parts", "read_buffer"],
    &["connect"],
    &["blocking", "poll"],
    &["futures", "tokio"],
    &["h2", "hyper"],
    &["axum"],
];

/// What connections share needs a lock.
const LOCKING: [&str; 2] = ["deflate/pool.rs", "message/prepared.rs"];

/// What the library needs of others.
pub(crate) const DEPENDENCIES: [&str; 24] = [
    "axum-core",
    "base64",
    "bytes",
    "bytestring",
    "chacha20",
    "futures-core",
    "futures-io",
    "futures-sink",
    "getrandom",
    "h2",
    "http",
    "httparse",
    "hyper",
    "hyper-util",
    "multiversion",
    "rustls",
    "rustls-platform-verifier",
    "sha1",
    "simdutf8",
    "thiserror",
    "tokio",
    "tracing",
    "webpki-roots",
    "zlib-rs",
];

const TOP_LEVEL: [&str; 12] = [
    ".ci",
    ".github",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "benches",
    "examples",
    "fuzz",
    "src",
    "tests",
];

const MAX_FILE_LINES: usize = 450;
const MAX_FUNCTION_LINES: usize = 60;

/// A file under src/, without its tests.
pub(crate) struct Source {
    /// Relative to src/.
    pub(crate) path: PathBuf,
    text: String,
}

impl Source {
    /// The module right under the root that the file is part of.
    fn module(&self) -> &str {
        let first = self.path.iter().next().expect("a path");
        let name = first.to_str().expect("UTF-8");
        name.trim_end_matches(".rs")
    }

    fn row(&self) -> usize {
        row(self.module()).unwrap_or_else(|| panic!("{} has no row", self.path.display()))
    }

    /// Numbered lines without comments.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        lines.filter_map(|(index, line)| {
            let line = line.split("//").next().unwrap_or_default();
            (!line.trim().is_empty()).then_some((index + 1, line))
        })
    }

    /// The depth of this file's module below the root module.
    fn depth(&self) -> usize {
        let parts = self.path.iter().count();
        if self.path.ends_with("mod.rs") {
            parts - 1
        } else {
            parts
        }
    }
}

fn row(module: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&module))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The paths that git tracks in this folder, relative to it. `None` in a copy
/// without git.
fn tracked(folder: &Path) -> Option<Vec<PathBuf>> {
    if !root().join(".git").exists() {
        return None;
    }
    let mut git = Command::new("git");
    // The files of a container may be another user's.
    git.args(["-c", "safe.directory=*", "ls-files", "-z"]);
    let output = git.current_dir(folder).output().ok()?;
    assert!(output.status.success(), "{output:?}");
    let list = String::from_utf8(output.stdout).expect("UTF-8");
    let paths = list.split_terminator('\0').map(PathBuf::from);
    Some(paths.filter(|path| folder.join(path).exists()).collect())
}

/// The paths of all files in this folder, relative to it.
fn all_files(folder: &Path) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![folder.to_path_buf()], Vec::new());
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(inner).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path.strip_prefix(folder).expect("inside").into());
            }
        }
    }
    files
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut paths = tracked(&src).unwrap_or_else(|| all_files(&src));
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let sources: Vec<Source> = paths.into_iter().map(|path| source(&src, path)).collect();
    assert!(sources.len() > 20, "found the sources");
    sources
}

fn source(src: &Path, path: PathBuf) -> Source {
    let mut text = fs::read_to_string(src.join(&path)).expect("UTF-8");
    let end = text.find("\n#[cfg(test)]\nmod ").unwrap_or(text.len());
    text.truncate(end);
    Source { path, text }
}

/// What needs no operating system.
pub(crate) fn core_sources() -> impl Iterator<Item = Source> {
    modules().filter(|source| source.row() < ADAPTERS)
}

/// All but the root, which only declares and re-exports, and pages of prose.
fn modules() -> impl Iterator<Item = Source> {
    sources().into_iter().filter(|source| {
        let is = |file| source.path == Path::new(file);
        !is("lib.rs") && !is("changelog.rs") && !source.path.starts_with("guide")
    })
}

/// The names after each `crate::` in a line.
fn used(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        &rest[..end.unwrap_or(rest.len())]
    })
}

#[test]
fn modules_use_only_what_stands_below_them() {
    for source in modules() {
        let (own, own_row) = (source.module(), source.row());
        for (number, line) in source.code() {
            for name in used(line) {
                let place = format!("src/{}:{number}: {name}", source.path.display());
                // An adapter is a client of the public interface.
                if own_row == ADAPTERS && name.starts_with(char::is_uppercase) {
                    continue;
                }
                let used_row = row(name).unwrap_or_else(|| panic!("{place}: not a module"));
                let is_composition = used_row == COMPOSITION && own_row == COMPOSITION;
                assert!(
                    used_row < own_row
                        || name == own
                        || is_composition
                        || SIDEWAYS.contains(&(own, name)),
                    "{place} does not stand below {own}"
                );
            }
        }
    }
}

#[test]
fn modules_do_not_reach_around_the_rows_by_super() {
    for source in modules().filter(|source| source.row() != ADAPTERS) {
        let through_root = "super::".repeat(source.depth());
        for (number, line) in source.code() {
            assert!(
                !line.contains(&through_root),
                "src/{}:{number}: {line}",
                source.path.display()
            );
        }
    }
}

/// The names that a file imports from `crate::adapter`.
fn imported_adapters(source: &Source) -> Vec<String> {
    let code: Vec<&str> = source.code().map(|(_, line)| line).collect();
    let code = code.join(" ");
    let to_adapter = "super::".repeat(source.depth() - 1);
    let mut names = Vec::new();
    for import in code.split("use ").skip(1) {
        let import = import.split(';').next().unwrap_or_default();
        let prefixes = ["crate::adapter::", &to_adapter];
        let Some(rest) = prefixes
            .iter()
            .find_map(|prefix| import.strip_prefix(prefix))
        else {
            continue;
        };
        let is_list = rest.starts_with('{');
        let items = rest.trim_matches(['{', '}']).split(',');
        let items = items.take(if is_list { usize::MAX } else { 1 });
        names.extend(items.filter_map(|item| Some(item.trim().split("::").next()?.to_owned())));
    }
    names
}

#[test]
fn adapters_use_only_what_stands_below_them() {
    let row = |name: &str| ADAPTER_ROWS.iter().position(|row| row.contains(&name));
    let mut imports = 0;
    for source in modules().filter(|source| source.module() == "adapter") {
        let place = source.path.display();
        let own = source.path.iter().nth(1).and_then(|name| name.to_str());
        let own = own.unwrap_or_default().trim_end_matches(".rs");
        if own == "mod" {
            continue;
        }
        let own_row = row(own).unwrap_or_else(|| panic!("{place} has no row"));
        for name in imported_adapters(&source) {
            let Some(used_row) = row(&name) else { continue };
            assert!(used_row < own_row || name == own, "src/{place}: {name}");
            imports += 1;
        }
    }
    assert!(imports > 20, "found the imports");
}

/// The files beside this one that it imports from.
fn imported_siblings(source: &Source, siblings: &[PathBuf]) -> Vec<PathBuf> {
    let code: Vec<&str> = source.code().map(|(_, line)| line).collect();
    let code = code.join(" ");
    let imports = code.split("use super::").skip(1);
    let names: Vec<&str> = imports
        .filter_map(|rest| rest.split(';').next())
        .flat_map(|import| import.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .collect();
    let is_imported = |file: &&PathBuf| {
        let name = file.file_stem().and_then(|name| name.to_str());
        name.is_some_and(|name| names.contains(&name)) && **file != source.path
    };
    siblings.iter().filter(is_imported).cloned().collect()
}

#[test]
fn files_of_a_folder_do_not_import_one_another_in_a_circle() {
    let mut imports: HashMap<PathBuf, Vec<PathBuf>> = HashMap::new();
    let sources: Vec<Source> = modules().collect();
    let paths: Vec<PathBuf> = sources.iter().map(|source| source.path.clone()).collect();
    for source in sources
        .iter()
        .filter(|source| !source.path.ends_with("mod.rs"))
    {
        let beside = |path: &&PathBuf| path.parent() == source.path.parent();
        let siblings: Vec<PathBuf> = paths.iter().filter(beside).cloned().collect();
        imports.insert(source.path.clone(), imported_siblings(source, &siblings));
    }
    // Takes away what imports nothing that is left. A circle stays.
    while let Some(leaf) = imports
        .iter()
        .find(|(_, used)| !used.iter().any(|file| imports.contains_key(file)))
        .map(|(path, _)| path.clone())
    {
        imports.remove(&leaf);
    }
    assert!(imports.is_empty(), "{imports:#?}");
}

#[test]
fn core_has_no_socket_clock_or_thread() {
    const OUTSIDE: [&str; 6] = [
        "std::",
        "Instant",
        "SystemTime",
        "thread",
        "async ",
        ".await",
    ];
    for source in sources() {
        if source.module() == "adapter" {
            continue;
        }
        for (number, line) in source.code() {
            // The lints that keep it so.
            if line.contains("clippy::") {
                continue;
            }
            let locks = LOCKING.iter().any(|file| source.path == Path::new(file));
            if locks && line.contains("std::sync::") {
                continue;
            }
            for word in OUTSIDE {
                let place = source.path.display();
                assert!(!line.contains(word), "src/{place}:{number}: {word}");
            }
        }
    }
}

#[test]
fn root_declares_every_row_of_its_diagram() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).expect("src/lib.rs");
    for (row, modules) in ROWS.iter().enumerate() {
        let drawn = lib
            .lines()
            .find(|line| line.starts_with(&format!("//!  {row}  ")))
            .unwrap_or_else(|| panic!("row {row} is not drawn"));
        for module in *modules {
            assert!(
                drawn.contains(module),
                "row {row} is drawn without {module}"
            );
            let declaration = format!("mod {module};");
            assert!(lib.contains(&declaration), "{declaration}");
        }
    }
}

#[test]
fn crate_depends_on_what_its_design_names() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let section = manifest
        .lines()
        .skip_while(|line| *line != "[dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['));
    let mut names: Vec<&str> = section
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| Some(line.split_once('=')?.0.trim()))
        .collect();
    names.sort_unstable();
    assert_eq!(names, DEPENDENCIES);
}

#[test]
fn repository_has_nothing_else_at_its_top() {
    let Some(paths) = tracked(root()) else {
        println!("skipped: not a git repository");
        return;
    };
    let first = |path: &PathBuf| path.iter().next()?.to_str().map(str::to_owned);
    let names: BTreeSet<String> = paths.iter().filter_map(first).collect();
    assert!(names.iter().eq(TOP_LEVEL), "{names:?}");
}

#[test]
fn files_are_short() {
    for source in sources() {
        let lines = source.text.lines().count();
        let place = source.path.display();
        assert!(lines <= MAX_FILE_LINES, "src/{place}: {lines} lines");
    }
}

/// Whether a function begins in this line, as rustfmt writes it.
fn begins_function(line: &str) -> bool {
    let before = line.split("fn ").next().unwrap_or_default();
    let words = ["pub", "pub(crate)", "pub(super)", "const", "async"];
    line.contains("fn ") && before.split_whitespace().all(|word| words.contains(&word))
}

#[test]
fn functions_are_short() {
    let mut functions = 0;
    for source in sources() {
        let lines: Vec<&str> = source.text.lines().collect();
        for (start, line) in lines.iter().enumerate() {
            if !begins_function(line) || line.ends_with(['}', ';']) {
                continue;
            }
            let indent = &line[..line.len() - line.trim_start().len()];
            let end = lines[start..]
                .iter()
                .position(|line| {
                    // Of a trait's method there is only the declaration.
                    let is_declared =
                        line.starts_with(&format!("{indent})")) && line.ends_with(';');
                    is_declared || *line == format!("{indent}}}")
                })
                .expect("rustfmt closes a function where it began");
            let place = source.path.display();
            assert!(
                end < MAX_FUNCTION_LINES,
                "src/{place}:{}: {} lines",
                start + 1,
                end + 1
            );
            functions += 1;
        }
    }
    assert!(functions > 100, "found the functions");
}
