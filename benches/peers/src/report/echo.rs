use std::fmt::Write;

use super::verdict;
use crate::codec::size;
use crate::echo::{Figure, Outcome, Runtime, Scenario, Setting};

const OURS: &str = "sansocket tokio";
const DRIVE: &str = "sansocket tokio, drive";
const UNTIMED: &str = "sansocket tokio, no deadlines";

/// The other libraries on tokio.
fn rivals(outcome: &Outcome) -> impl Iterator<Item = &Figure> {
    let is_rival = |figure: &&Figure| {
        let is_other = !figure.name.starts_with("sansocket") && !figure.name.starts_with("raw");
        is_other && figure.runtime == Runtime::Tokio
    };
    outcome.figures.iter().filter(is_rival)
}

fn fastest(outcome: &Outcome) -> &Figure {
    let fastest = rivals(outcome).max_by(|a, b| a.rate.total_cmp(&b.rate));
    fastest.expect("others")
}

fn named<'o>(outcome: &'o Outcome, name: &str) -> &'o Figure {
    let mut figures = outcome.figures.iter();
    figures
        .find(|figure| figure.name == name)
        .expect("a server")
}

/// Messages a second relative to the fastest other library: with default deadlines, and
/// without deadlines, which the others do not have.
pub fn ratios(outcome: &Outcome) -> [f64; 2] {
    let rival = fastest(outcome).rate;
    [OURS, UNTIMED].map(|name| named(outcome, name).rate / rival)
}

/// The same for CPU time, relative to the library that needs least.
fn cpu_ratios(outcome: &Outcome) -> [f64; 2] {
    let rival = rivals(outcome)
        .map(|figure| figure.cpu)
        .min_by(f64::total_cmp);
    [OURS, UNTIMED].map(|name| rival.expect("others") / named(outcome, name).cpu)
}

/// The ratio to reach. If there are two, the second is without deadlines.
fn bar(outcome: &Outcome) -> &'static str {
    const MIB: usize = 1024 * 1024;
    match (outcome.setting, outcome.scenario.len) {
        (Setting::Loop, _) => "3.0",
        (_, MIB..) => "1.0",
        _ if outcome.scenario.is_ping_pong() => "0.98, 1.0",
        _ => "1.0",
    }
}

/// A section for each setting, with a row for each scenario. On tokio.
pub fn echo(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for setting in Setting::ALL {
        let rows: Vec<_> = outcomes.iter().filter(|it| it.setting == setting).collect();
        if rows.is_empty() {
            continue;
        }
        writeln!(text, "## {}\n", heading(setting)).expect("a string");
        text += &match setting {
            Setting::Loop => loops(&rows, outcomes),
            _ => table(&rows),
        };
        text.push('\n');
    }
    text
}

fn heading(setting: Setting) -> &'static str {
    match setting {
        Setting::Alone => {
            "Echo\n\nEach server runs on one core, and the load on another. A SCHED_IDLE thread spins \
             on each, so that no core goes idle: waking a virtual CPU takes longer than an echo. \
             Each library in its best documented use."
        }
        Setting::Timer => {
            "Echo, with an unrelated timer in the runtime\n\n\
             Another task ticks every 100 ms. Most programs have a timer."
        }
        Setting::Sleepy => {
            "Echo on cores that go idle\n\n\
             Without the spinning threads, each message wakes a core."
        }
        Setting::Loop => {
            "The obvious loop\n\n\
             `while let Some(message) = ws.next().await { ws.send(message).await }`; sansocket's \
             documentation replies with `feed`, which the next call of `next` writes. Beside it, \
             the best use of each as in the first table."
        }
    }
}

fn table(rows: &[&Outcome]) -> String {
    let mut table = String::from(
        "| connections x message | messages/s | spread | p50 | p99 | CPU µs | fastest other | \
         messages/s | ratio | without deadlines | of CPU time | without deadlines | \
         of a raw echo | bar |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for outcome in rows {
        let (ours, rival) = (named(outcome, OURS), fastest(outcome));
        let [ratio, untimed] = ratios(outcome).map(verdict);
        let [cpu, untimed_cpu] = cpu_ratios(outcome).map(verdict);
        let of_raw = ours.rate / named(outcome, "raw tokio").rate;
        writeln!(
            table,
            "| {} | {:.0} | {:.0} % | {:.0} µs | {:.0} µs | {:.2} | {} | {:.0} | {ratio} | \
             {untimed} | {cpu} | {untimed_cpu} | {of_raw:.2} | {} |",
            scenario(&outcome.scenario),
            ours.rate,
            ours.spread * 100.0,
            ours.p50,
            ours.p99,
            ours.cpu,
            rival.name,
            rival.rate,
            bar(outcome),
        )
        .expect("a string");
    }
    table
}

fn loops(rows: &[&Outcome], all: &[Outcome]) -> String {
    let mut table = String::from(
        "| connections x message | messages/s | CPU µs | fastest other | messages/s | ratio | \
         with `send` | bar | `drive` | fastest best use | messages/s | ratio |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for outcome in rows {
        let (ours, rival) = (named(outcome, OURS), fastest(outcome));
        let send = named(outcome, "sansocket tokio, send").rate;
        let is_same =
            |it: &&Outcome| it.setting == Setting::Alone && it.scenario == outcome.scenario;
        let best = all.iter().find(is_same).map_or(String::new(), |best| {
            let (ours, rival) = (named(best, DRIVE).rate, fastest(best));
            let ratio = verdict(ours / rival.rate);
            format!("{ours:.0} | {} | {:.0} | {ratio}", rival.name, rival.rate)
        });
        writeln!(
            table,
            "| {} | {:.0} | {:.2} | {} | {:.0} | {} | {} | {} | {best} |",
            scenario(&outcome.scenario),
            ours.rate,
            ours.cpu,
            rival.name,
            rival.rate,
            verdict(ours.rate / rival.rate),
            verdict(send / rival.rate),
            bar(outcome),
        )
        .expect("a string");
    }
    table
}

/// All servers in all scenarios.
pub fn servers(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for outcome in outcomes {
        let (setting, scenario) = (outcome.setting.name(), scenario(&outcome.scenario));
        write!(text, "- {setting}, {scenario}:").expect("a string");
        for figure in &outcome.figures {
            let (name, rate, spread) = (figure.name, figure.rate, figure.spread * 100.0);
            let (p50, p99, cpu) = (figure.p50, figure.p99, figure.cpu);
            write!(
                text,
                " {name} {rate:.0}/s ({spread:.0} %), {p50:.0}/{p99:.0} µs, CPU {cpu:.2} µs;"
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
