//! The heads of real clients, proxies and servers in `tests/heads`, which says
//! where each is from: all are accepted, however they are cut.

use std::fs;
use std::path::{Path, PathBuf};

use crate::drive::every_cut;
use sansocket::{ClientRequest, Config, Connection, Entropy, Event, OriginPolicy};

/// A file of `tests/heads`, and its row in the index.
struct Head {
    name: String,
    /// The columns of the row after the name.
    columns: Vec<String>,
    text: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/heads")
}

/// The heads of a section of the index.
fn heads(section: &str) -> Vec<Head> {
    let index = fs::read_to_string(folder().join("README.md")).expect("the index");
    let start = index.find(&format!("## {section}\n")).expect("the section");
    let section_text = index[start..].split("\n## ").next().expect("a part");
    let rows = section_text.lines().filter(|line| line.starts_with("| `"));
    let heads: Vec<_> = rows.map(|row| head(&section.to_lowercase(), row)).collect();
    assert!(heads.len() > 20, "found the heads");
    heads
}

fn head(folder_name: &str, row: &str) -> Head {
    let mut columns = row
        .split('|')
        .skip(1)
        .map(|column| column.trim().to_owned());
    let name = columns.next().expect("a name").replace('`', "");
    let path = folder().join(folder_name).join(format!("{name}.http"));
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(text.ends_with("\n\n") && !text.contains('\r'), "{name}");
    Head {
        name,
        columns: columns.collect(),
        text,
    }
}

impl Head {
    fn bytes(&self) -> Vec<u8> {
        self.text.replace('\n', "\r\n").into_bytes()
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.text.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Whether a page of the host sent it, or no page.
    fn is_same_origin(&self) -> bool {
        let host = self.field("Host").unwrap_or_default();
        let origin = self.field("Origin");
        origin.is_none_or(|origin| origin == format!("http://{host}"))
    }
}

/// Fails with all rows that failed, not with the first.
fn assert_none(failures: &[String]) {
    assert!(
        failures.is_empty(),
        "{} heads failed:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn index_names_every_file() {
    for section in ["Requests", "Responses"] {
        let names: Vec<_> = heads(section).into_iter().map(|head| head.name).collect();
        for entry in fs::read_dir(folder().join(section.to_lowercase())).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().and_then(|name| name.to_str());
            let name = name.expect("UTF-8").to_owned();
            assert!(names.contains(&name), "{name} is not in the index");
        }
    }
}

#[test]
fn server_accepts_real_requests() {
    let mut failures = Vec::new();
    for head in heads("Requests") {
        let is_upgrade = match head.columns[0].as_str() {
            "upgrade" => true,
            "plain" => false,
            kind => panic!("{}: {kind}", head.name),
        };
        let config = if head.is_same_origin() {
            crate::wire::config()
        } else {
            crate::wire::config().with_origin(OriginPolicy::Any)
        };
        let transcript = every_cut(|| Connection::server(&config), &head.bytes());
        match transcript.events.as_slice() {
            [Event::Request(request)] if request.is_upgrade() == is_upgrade => {}
            events => failures.push(format!("{}: {events:?}", head.name)),
        }
    }
    assert_none(&failures);
}

/// A configuration that draws the nonce of RFC 6455 §1.3, and offers what the
/// servers were offered.
fn config() -> Config {
    let config = Config::new().with_entropy(Entropy::new(|bytes| {
        bytes.copy_from_slice(&b"the sample nonce"[..bytes.len()]);
        Ok(())
    }));
    #[cfg(feature = "deflate")]
    let config =
        config.with_deflate(sansocket::deflate::Options::new().with_peer_context_takeover(true));
    config
}

fn client() -> Connection {
    let request = ClientRequest::to("ws://example.com/chat").expect("a URI");
    let request = request.with_subprotocol("chat").expect("a token");
    let request = request.with_subprotocol("dumb-increment-protocol");
    let request = request.expect("a token");
    Connection::client(&request, &config(), &mut Vec::new()).expect("entropy")
}

#[test]
fn client_accepts_real_responses() {
    let mut failures = Vec::new();
    for mut head in heads("Responses") {
        if cfg!(not(feature = "deflate")) {
            // A server selects no extension that was not offered.
            let lines = head.text.split_inclusive('\n');
            let others = lines.filter(|line| !line.to_lowercase().contains("-extensions:"));
            head.text = others.collect();
        }
        let transcript = every_cut(client, &head.bytes());
        match transcript.events.as_slice() {
            [Event::Open(_)] => {}
            events => failures.push(format!("{}: {events:?}", head.name)),
        }
    }
    assert_none(&failures);
}
