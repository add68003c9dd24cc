use std::fmt::Write;

use super::verdict;
use crate::codec::size;
use crate::echo::clients::{Figure, Outcome, Work};
use crate::echo::handshakes::Handshakes;

/// A section with a row for each kind of work, and all figures.
pub fn clients(outcomes: &[Outcome]) -> String {
    let mut table = String::from(
        "## Clients\n\nEach client runs on one core, and the server, which is the same for all, on another.\n\n\
         | | tokio, a second | CPU µs | fastest other on tokio | a second | ratio | of CPU time | \
         `drive` | std | tungstenite | ratio |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for outcome in outcomes {
        let ours = named(outcome, "sansocket tokio").expect("ours");
        let others = || outcome.figures.iter().filter(|figure| is_rival(figure));
        let fastest = others().max_by(|a, b| a.rate.total_cmp(&b.rate));
        let (fastest, cpu) = (
            fastest.expect("others"),
            others().map(|it| it.cpu).min_by(f64::total_cmp),
        );
        let drive = named(outcome, "sansocket tokio, drive");
        let drive = drive.map_or(String::new(), |drive| format!("{:.0}", drive.rate));
        let std = ["sansocket std", "tungstenite"].map(|name| named(outcome, name).expect("std"));
        writeln!(
            table,
            "| {} | {:.0} | {:.2} | {} | {:.0} | {} | {} | {drive} | {:.0} | {:.0} | {} |",
            work(outcome.work),
            ours.rate,
            ours.cpu,
            fastest.name,
            fastest.rate,
            verdict(ours.rate / fastest.rate),
            verdict(cpu.expect("others") / ours.cpu),
            std[0].rate,
            std[1].rate,
            verdict(std[0].rate / std[1].rate),
        )
        .expect("a string");
    }
    table.push('\n');
    for outcome in outcomes {
        write!(table, "- {}:", work(outcome.work)).expect("a string");
        for Figure { name, rate, cpu } in &outcome.figures {
            write!(table, " {name} {rate:.0}/s, CPU {cpu:.2} µs;").expect("a string");
        }
        table.push('\n');
    }
    table
}

fn named<'o>(outcome: &'o Outcome, name: &str) -> Option<&'o Figure> {
    outcome.figures.iter().find(|figure| figure.name == name)
}

/// Whether it is another library on tokio.
fn is_rival(figure: &Figure) -> bool {
    !figure.name.starts_with("sansocket") && figure.name != "tungstenite"
}

pub fn work(work: Work) -> String {
    match work.len() {
        Some(len) => format!("{}, {}", work.name(), size(len)),
        None => work.name().into(),
    }
}

/// A section with a row for each server.
pub fn handshakes(handshakes: &[Handshakes]) -> String {
    let mut table = String::from(
        "## Handshakes of servers\n\nConnections are opened 64 at a time with a browser's request, \
         and closed. TLS is TLS 1.3 with a P-256 certificate, without resumption.\n\n\
         | server | over TCP, a second | CPU µs | over TLS, a second | CPU µs |\n\
         |---|---|---|---|---|\n",
    );
    for plain in handshakes.iter().filter(|it| !it.is_secure) {
        let mut secure = handshakes.iter().filter(|it| it.is_secure);
        let secure = secure.find(|it| it.name == plain.name);
        let secure = secure.map_or(" |".into(), |it| format!("{:.0} | {:.1}", it.rate, it.cpu));
        let (name, rate, cpu) = (plain.name, plain.rate, plain.cpu);
        writeln!(table, "| {name} | {rate:.0} | {cpu:.1} | {secure} |").expect("a string");
    }
    table
}
