use std::fmt::Write;

use super::{time, verdict};
use crate::checks::{Checked, Checks};
use crate::codec::{Lead, Outcome};
use crate::measure::Figure;
use crate::peers::Class;

/// The adapters, the cores and all together; then every figure.
pub fn codec(outcomes: &[Outcome], checks: &[Checks]) -> String {
    let classes = [
        ("Adapters that return owned messages", Class::Owning),
        ("Adapters that lend messages", Class::Lending),
        ("Cores without I/O, which lend", Class::Core),
    ];
    let mut text = String::from(HEAD);
    for (title, class) in classes {
        let table = class_table(outcomes, class, checks);
        write!(text, "## {title}\n\n{table}\n").expect("a string");
    }
    let (all, figures) = (all(outcomes, checks), figures(outcomes));
    write!(
        text,
        "## Ours of any kind beside the fastest of all\n\n{all}\n## All figures\n\n{figures}"
    )
    .expect("a string");
    text
}

const HEAD: &str = "\
CPU time of the thread for a message: the median of interleaved rounds, ± half of what lies between
the quartiles. A ratio says how many times as fast as the fastest other library ours is, in the
default release build and with `lto = \"fat\", codegen-units = 1`. In parentheses: the letters of what
nobody checks and of what the caller has to check, and whether each message is a write of its own,
which is a system call over a socket and nothing here. The bar is for the lower of the ratios.

";

/// A row for each workload in which ours and others of this class compete.
fn class_table(outcomes: &[Outcome], class: Class, checks: &[Checks]) -> String {
    let mut table = String::from(
        "| | | ours | allocations | fastest other | | ratio | with LTO | bar |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for outcome in outcomes {
        let leads = outcome.leads(Some(class));
        let [lead, ..] = &leads[..] else { continue };
        let ns = outcome.bars.ns.filter(|_| class == Class::Owning);
        let bar = ns.map_or(String::new(), |bar| {
            let slowest = leads.iter().map(|lead| lead.ours.ns).fold(0.0, f64::max);
            mark(&time(bar), slowest > bar)
        });
        writeln!(
            table,
            "| {} | {} | {} | {:.2} | {} | {} | {} | {bar} |",
            outcome.group,
            outcome.workload,
            spread(lead.ours),
            lead.ours.allocations,
            named(outcome, lead, checks),
            spread(lead.other),
            ratios(&leads),
        )
        .expect("a string");
    }
    table
}

/// A row for each workload: our fastest, the fastest of the others, the limit.
fn all(outcomes: &[Outcome], checks: &[Checks]) -> String {
    let mut table = String::from(
        "| | | ours | GB/s | limit | fastest other | | ratio | with LTO | bar |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for outcome in outcomes {
        let leads = outcome.leads(None);
        let [lead, ..] = &leads[..] else { continue };
        let limit = outcome.limit().map_or(String::new(), |it| time(it.ns));
        let bar = outcome.bars.ratio.map_or(String::new(), |bar| {
            mark(&format!("{bar:.1}"), outcome.is_under_bar())
        });
        writeln!(
            table,
            "| {} | {} | {} | {:.2} | {limit} | {} | {} | {} | {bar} |",
            outcome.group,
            outcome.workload,
            time(lead.ours.ns),
            outcome.len as f64 / lead.ours.ns,
            named(outcome, lead, checks),
            time(lead.other.ns),
            ratios(&leads),
        )
        .expect("a string");
    }
    table
}

/// Two columns: of this build, and of that with link-time optimization.
fn ratios(leads: &[Lead<'_>]) -> String {
    let ratio = |index| {
        leads
            .get(index)
            .map_or("-".into(), |it: &Lead| verdict(it.ratio()))
    };
    let other = match leads {
        [one, two] if one.other.name != two.other.name => format!(" ({})", two.other.name),
        _ => String::new(),
    };
    format!("{} | {}{other}", ratio(0), ratio(1))
}

/// Bold where it is missed.
fn mark(bar: &str, is_missed: bool) -> String {
    if is_missed {
        format!("**{bar} missed**")
    } else {
        bar.into()
    }
}

/// The fastest other, with what it leaves out.
fn named(outcome: &Outcome, lead: &Lead<'_>, checks: &[Checks]) -> String {
    let mut notes = Vec::new();
    let does_receive = matches!(outcome.group, "receive" | "deflate");
    let checks = checks.iter().find(|it| it.name == lead.other.name);
    if let Some(checks) = checks.filter(|_| does_receive) {
        for (who, what) in [(Checked::Nobody, "no"), (Checked::Caller, "caller")] {
            let letters = checks.by(who);
            if !letters.is_empty() {
                notes.push(format!("{what} {letters}"));
            }
        }
    }
    if lead.other.writes >= 1.0 && lead.ours.writes < 1.0 {
        notes.push("a write each".into());
    }
    if notes.is_empty() {
        return lead.other.name.clone();
    }
    format!("{} ({})", lead.other.name, notes.join("; "))
}

fn spread(figure: &Figure) -> String {
    format!("{} ± {:.0} %", time(figure.ns), figure.spread * 50.0)
}

/// All contestants of all workloads: time, with link-time optimization too, and
/// allocations.
fn figures(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for outcome in outcomes {
        write!(text, "- {}, {}:", outcome.group, outcome.workload).expect("a string");
        for figure in &outcome.figures {
            let mut lto = outcome.lto.iter().flatten();
            let lto = lto.find(|other| other.name == figure.name);
            let lto = lto.map_or(String::new(), |lto| format!(", LTO {}", spread(lto)));
            let (name, ns, count) = (&figure.name, spread(figure), figure.allocations);
            write!(text, " {name} {ns}{lto} ({count:.2});").expect("a string");
        }
        text.push('\n');
    }
    text
}
