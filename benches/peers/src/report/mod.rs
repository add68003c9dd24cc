//! What was measured, as Markdown and as a picture.

mod checks;
mod clients;
mod codec;
mod echo;
mod memory;
mod picture;

pub use checks::checks;
pub use clients::{clients, handshakes, work};
pub use codec::codec;
pub use echo::{echo, scenario, servers};
pub use memory::{idle, many};
pub use picture::picture;

/// The machine, and the versions of all.
pub fn setting() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown", |model| {
        model.trim_start_matches([' ', '\t', ':'])
    });
    let is_core = |line: &&str| line.starts_with("processor");
    let cores = cpus.lines().filter(is_core).count();
    let rustc = std::process::Command::new("rustc").arg("-V").output();
    let rustc = rustc.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let rustc = rustc.unwrap_or_default();
    let versions: Vec<String> = PACKAGES.iter().map(|name| version(name)).collect();
    format!(
        "{model}, {cores} cores, shared with others; {}, default target CPU.\n{}.\n",
        rustc.split(" (").next().unwrap_or_default(),
        versions.join(", ")
    )
}

const PACKAGES: [&str; 13] = [
    "sansocket",
    "tungstenite",
    "tokio-tungstenite",
    "fastwebsockets",
    "tokio-websockets",
    "sockudo-ws",
    "yawc",
    "soketto",
    "web-socket",
    "nago-wss",
    "ratchet_rs",
    "websocket-sans-io",
    "wtx",
];

fn version(name: &str) -> String {
    let lock = include_str!("../../Cargo.lock");
    let package = format!("name = \"{name}\"\nversion = \"");
    let found = lock
        .split_once(&package)
        .and_then(|(_, rest)| rest.split_once('"'));
    format!("{name} {}", found.map_or("?", |(version, _)| version))
}

/// Bold where we are not first.
fn verdict(ratio: f64) -> String {
    if ratio < 0.995 {
        format!("**{ratio:.2}**")
    } else {
        format!("{ratio:.2}")
    }
}

fn time(ns: f64) -> String {
    match ns {
        ns if ns < 100.0 => format!("{ns:.1} ns"),
        ns if ns < 10_000.0 => format!("{ns:.0} ns"),
        ns if ns < 1e6 => format!("{:.1} µs", ns / 1e3),
        ns => format!("{:.2} ms", ns / 1e6),
    }
}
