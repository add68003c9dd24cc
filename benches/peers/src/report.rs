//! What was measured, as Markdown and as a picture.

use std::fmt::Write;

use crate::codec::{self, size};
use crate::echo::{self, Runtime, SERVERS, Scenario};

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

const PACKAGES: [&str; 9] = [
    "sansocket",
    "tungstenite",
    "tokio-tungstenite",
    "fastwebsockets",
    "tokio-websockets",
    "sockudo-ws",
    "yawc",
    "soketto",
    "web-socket",
];

fn version(name: &str) -> String {
    let lock = include_str!("../Cargo.lock");
    let package = format!("name = \"{name}\"\nversion = \"");
    let found = lock
        .split_once(&package)
        .and_then(|(_, rest)| rest.split_once('"'));
    format!("{name} {}", found.map_or("?", |(version, _)| version))
}

/// A row for each workload: ours, the fastest of the others, the limit.
pub fn codec<'o>(outcomes: impl IntoIterator<Item = &'o codec::Outcome>) -> String {
    let mut table = String::from(
        "| | | ours | GB/s | allocations | limit | fastest other | | ratio | bar |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for outcome in outcomes {
        let limit = outcome.limit.map_or(String::new(), |limit| time(limit.ns));
        let (name, ns) = outcome
            .fastest()
            .map_or((String::new(), String::new()), |it| {
                (it.name.into(), time(it.ns))
            });
        let bar = outcome.bar.map_or(String::new(), |bar| format!("{bar:.1}"));
        writeln!(
            table,
            "| {} | {} | {} | {:.2} | {:.2} | {limit} | {name} | {ns} | {} | {bar} |",
            outcome.group,
            outcome.workload,
            time(outcome.ours.ns),
            outcome.len as f64 / outcome.ours.ns,
            outcome.ours.allocations,
            outcome.ratio().map_or(String::new(), verdict),
        )
        .expect("a string");
    }
    table
}

/// All contestants of all workloads: time and allocations.
pub fn contestants(outcomes: &[codec::Outcome]) -> String {
    let mut text = String::new();
    for outcome in outcomes {
        write!(text, "- {}, {}:", outcome.group, outcome.workload).expect("a string");
        for figure in std::iter::once(&outcome.ours).chain(&outcome.others) {
            let (ns, count) = (time(figure.ns), figure.allocations);
            write!(text, " {} {ns} ({count:.2});", figure.name).expect("a string");
        }
        text.push('\n');
    }
    text
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

/// What the fastest library on tokio beside ours does.
fn rival(outcome: &echo::Outcome) -> &echo::Figure {
    let others = outcome.figures.iter().filter(|figure| {
        let server = SERVERS.iter().find(|server| server.name == figure.name);
        let is_other = server.is_some_and(|server| !server.is_ours && !server.is_raw());
        is_other && figure.runtime == Runtime::Tokio
    });
    others
        .max_by(|a, b| a.rate.total_cmp(&b.rate))
        .expect("others")
}

fn named<'o>(outcome: &'o echo::Outcome, name: &str) -> &'o echo::Figure {
    let mut figures = outcome.figures.iter();
    figures
        .find(|figure| figure.name == name)
        .expect("a server")
}

/// How many times as fast as the fastest other: as it is, and without the
/// deadlines that the others do not have; and as an echo of raw bytes.
fn ratios(outcome: &echo::Outcome) -> [f64; 3] {
    let rate = |name| named(outcome, name).rate;
    let (ours, untimed) = (
        rate("sansocket tokio"),
        rate("sansocket tokio, no deadlines"),
    );
    let rival = rival(outcome).rate;
    [ours / rival, untimed / rival, ours / rate("raw tokio")]
}

/// A row for each scenario, on tokio.
pub fn echo(outcomes: &[echo::Outcome]) -> String {
    let mut table = String::from(
        "| connections x message | ours, messages/s | p50 | p99 | CPU s per million | \
         fastest other | messages/s | ratio | without deadlines | of a raw echo |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for outcome in outcomes {
        let (ours, rival) = (named(outcome, "sansocket tokio"), rival(outcome));
        let [ratio, untimed, of_raw] = ratios(outcome);
        writeln!(
            table,
            "| {} | {:.0} | {:.0} µs | {:.0} µs | {:.2} | {} | {:.0} | {} | {} | {of_raw:.2} |",
            scenario(&outcome.scenario),
            ours.rate,
            ours.p50,
            ours.p99,
            ours.cpu,
            rival.name,
            rival.rate,
            verdict(ratio),
            verdict(untimed),
        )
        .expect("a string");
    }
    table
}

/// All servers in all scenarios.
pub fn servers(outcomes: &[echo::Outcome]) -> String {
    let mut text = String::new();
    for outcome in outcomes {
        write!(text, "- {}:", scenario(&outcome.scenario)).expect("a string");
        for figure in &outcome.figures {
            let (name, rate, cpu) = (figure.name, figure.rate, figure.cpu);
            let (p50, p99) = (figure.p50, figure.p99);
            write!(
                text,
                " {name} {rate:.0}/s, {p50:.0}/{p99:.0} µs, {cpu:.2} s;"
            )
            .expect("a string");
        }
        text.push('\n');
    }
    text
}

fn scenario(scenario: &Scenario) -> String {
    let len = size(scenario.len);
    match scenario.window {
        1 => format!("{} x {len}", scenario.connections),
        window => format!("{} x {len}, {window} in flight", scenario.connections),
    }
}

/// What an idle connection costs, its task or thread included.
pub fn idle(idle: &[echo::Idle]) -> String {
    let mut table =
        String::from("| server | heap | resident | connections/s |\n|---|---|---|---|\n");
    for server in idle {
        let opened = server
            .opened
            .map_or(String::new(), |rate| format!("{rate:.0}"));
        let (name, heap, resident) = (server.name, server.heap, server.resident);
        writeln!(
            table,
            "| {name} | {heap:.0} B | {resident:.0} B | {opened} |"
        )
        .expect("a string");
    }
    table
}

/// What the picture shows: a selection of each kind, those included where we are
/// slower.
const PICTURED: [&str; 10] = [
    "receive binary, 16 B",
    "receive binary, 1 KiB",
    "receive binary, 1 MiB",
    "receive mixed text, 1 KiB",
    "send server, binary, 1 KiB",
    "send client, binary, 1 KiB",
    "handshake browser's head",
    "deflate echo, JSON, 1 KiB, no takeover",
    "echo 64 x 1 KiB",
    "echo 64 x 1 KiB, 64 in flight",
];

/// A bar for each ratio: how many times as fast as the fastest other.
pub fn picture(codec: &[codec::Outcome], echo: &[echo::Outcome]) -> String {
    const ROW: usize = 28;
    const LEFT: usize = 300;
    const UNIT: f64 = 60.0;
    let codec = codec.iter().filter_map(|outcome| {
        let label = format!("{} {}", outcome.group, outcome.workload);
        Some((label, outcome.ratio()?))
    });
    let echo = echo.iter().map(|outcome| {
        (
            format!("echo {}", scenario(&outcome.scenario)),
            ratios(outcome)[0],
        )
    });
    let mut bars: Vec<(String, f64)> = codec.chain(echo).collect();
    bars.retain(|(label, _)| PICTURED.contains(&&**label));
    let (width, height) = (LEFT + 620, (bars.len() + 3) * ROW);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"8\" y=\"22\" font-size=\"16\">Speed relative to the fastest other Rust \
         WebSocket library (longer is faster)</text>\n"
    );
    for (index, (label, ratio)) in bars.iter().enumerate() {
        let y = (index + 2) * ROW;
        let length = (ratio * UNIT).min(560.0);
        let colour = if *ratio < 0.995 { "#e8a33d" } else { "#2f6fb2" };
        writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{label}</text>\
             <rect x=\"{LEFT}\" y=\"{y}\" width=\"{length:.1}\" height=\"{}\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{}\">{ratio:.2}</text>",
            LEFT - 6,
            y + 16,
            ROW - 6,
            LEFT as f64 + length + 4.0,
            y + 16,
        )
        .expect("a string");
    }
    let one = LEFT as f64 + UNIT;
    writeln!(
        svg,
        "<line x1=\"{one}\" x2=\"{one}\" y1=\"{}\" y2=\"{height}\" stroke=\"black\" \
         stroke-dasharray=\"3 3\"/>\n</svg>",
        2 * ROW
    )
    .expect("a string");
    svg
}
