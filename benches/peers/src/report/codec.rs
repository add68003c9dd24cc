use std::fmt::Write;

use super::{time, verdict};
use crate::codec;

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
