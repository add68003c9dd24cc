//! The commands of the end-to-end suite.

use std::io;
use std::time::Duration;

use super::clients::{self, Outcome as Clients};
use super::handshakes::{self, Handshakes};
use super::many::{self, Many};
use super::{Effort, Outcome, Setting, idle, server};
use crate::report;

/// Connections of the `idle` command.
const CONNECTIONS: usize = 1000;

/// Runs a command. Returns `false` if this suite has no such command.
pub fn run(args: &[&str], is_quick: bool) -> io::Result<bool> {
    let effort = effort(is_quick);
    match *args {
        // Child processes.
        ["serve", list, name, core, extra] => server::serve(list, name, core, extra)?,
        ["client", name, work, addr, millis, core] => {
            clients::run_one(name, work, addr, millis, core)?;
        }
        ["echo"] => println!("{}", report_echo(&run_echo(&Setting::ALL, effort)?)),
        ["echo", name] => {
            let setting = Setting::ALL.into_iter().find(|it| it.name() == name);
            let Some(setting) = setting else {
                return Ok(false);
            };
            println!("{}", report_echo(&run_echo(&[setting], effort)?));
        }
        ["clients"] => println!("{}", report::clients(&run_clients(effort)?)),
        ["handshakes"] => println!("{}", report::handshakes(&run_handshakes(effort)?)),
        ["idle"] => println!("{}", report::idle(&idle::run(CONNECTIONS)?)),
        ["many"] => println!("{}", report::many(run_many(effort)?.as_deref())),
        _ => return Ok(false),
    }
    Ok(true)
}

/// Runs everything. Returns the echo figures, for the picture, and the report.
pub fn everything(is_quick: bool) -> io::Result<(Vec<Outcome>, String)> {
    let effort = effort(is_quick);
    let echo = run_echo(&Setting::ALL, effort)?;
    let sections = [
        report_echo(&echo),
        report::clients(&run_clients(effort)?),
        report::handshakes(&run_handshakes(effort)?),
        report::idle(&idle::run(CONNECTIONS)?),
        report::many(run_many(effort)?.as_deref()),
    ];
    Ok((echo, sections.join("\n")))
}

fn effort(is_quick: bool) -> Effort {
    if is_quick {
        Effort::QUICK
    } else {
        Effort::FULL
    }
}

fn run_echo(settings: &[Setting], effort: Effort) -> io::Result<Vec<Outcome>> {
    super::run(settings, effort, |outcome| {
        let (setting, scenario) = (outcome.setting.name(), &outcome.scenario);
        eprintln!("echo, {setting}, {}", report::scenario(scenario));
    })
}

fn report_echo(outcomes: &[Outcome]) -> String {
    format!("{}{}", report::echo(outcomes), report::servers(outcomes))
}

fn run_clients(effort: Effort) -> io::Result<Vec<Clients>> {
    clients::run(effort, |outcome| {
        eprintln!("clients, {}", report::work(outcome.work));
    })
}

fn run_handshakes(effort: Effort) -> io::Result<Vec<Handshakes>> {
    eprintln!("handshakes");
    handshakes::run(effort)
}

fn run_many(effort: Effort) -> io::Result<Option<Vec<Many>>> {
    let (connections, period) = match effort.is_quick {
        true => (1000, Duration::from_millis(200)),
        false => (10_000, Duration::from_secs(1)),
    };
    many::run(connections, period, |many| eprintln!("many, {}", many.name))
}
