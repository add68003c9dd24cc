use std::fmt::Write;

use super::verdict;
use crate::codec::size;
use crate::echo::{self, Runtime, SERVERS, Scenario};

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
pub fn ratios(outcome: &echo::Outcome) -> [f64; 3] {
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

pub fn scenario(scenario: &Scenario) -> String {
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
