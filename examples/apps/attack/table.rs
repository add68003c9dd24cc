//! The table, as Markdown.

use std::thread;
use std::time::Duration;

use crate::args::Args;
use crate::attacks::ATTACKS;
use crate::server::EXAMPLES;
use crate::trial::Trial;

/// What the figures were measured with, and the head of the table.
pub(crate) fn print_head(args: &Args) {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let build = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    println!(
        "{} attacking peers, {:?} each, {build} build, {processors} processors, {} {}.\n",
        args.peers,
        args.duration,
        std::env::consts::OS,
        std::env::consts::ARCH,
    );
    println!(
        "| server | attack | connections | sent | p50 | p99 | before | peak | after | verdict |"
    );
    println!("|---|---|--:|--:|--:|--:|--:|--:|--:|---|");
}

pub(crate) fn print_row(server: &str, attack: &str, trial: &Trial) {
    let Trial {
        report,
        tally,
        memory,
        faults,
    } = trial;
    let verdict = if faults.is_empty() {
        "ok".into()
    } else {
        faults.join("; ")
    };
    println!(
        "| `{server}` | `{attack}` | {} | {} | {} | {} | {} | {} | {} | {verdict} |",
        tally.connections(),
        mebibytes(Some(tally.sent_len() / 1024)),
        milliseconds(report.percentile(50)),
        milliseconds(report.percentile(99)),
        mebibytes(memory.before),
        mebibytes(memory.peak),
        mebibytes(memory.after),
    );
}

/// Which servers and attacks there are.
pub(crate) fn print_lists() {
    println!("| server | shows |\n|---|---|");
    for example in EXAMPLES {
        println!("| `{}` | {} |", example.name, example.shows);
    }
    println!("\n| attack | a peer | bounded by |\n|---|---|---|");
    for attack in ATTACKS {
        println!(
            "| `{}` | {} | {} |",
            attack.name, attack.does, attack.bounded_by
        );
    }
}

fn milliseconds(time: Option<Duration>) -> String {
    shown(time, |time| {
        format!("{:.1} ms", time.as_secs_f64() * 1000.0)
    })
}

fn mebibytes(kib: Option<u64>) -> String {
    shown(kib, |kib| format!("{:.1} MiB", kib as f64 / 1024.0))
}

fn shown<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "-".into(), show)
}
