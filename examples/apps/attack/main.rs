//! Attacks the example servers in all the ways that servers on the internet are
//! attacked, and prints how soon a well-behaved client is answered meanwhile, how much
//! memory the server uses, and whether it recovers. Only loopback addresses can be
//! attacked. `cargo run --release -p sansocket-apps --bin attack`, and `--help` for
//! the rest.

mod args;
mod attacks;
mod client;
mod frames;
mod peer;
mod server;
mod table;
mod target;
mod trial;

use std::error::Error;
use std::process::ExitCode;

use lexopt::Parser;

use args::{Args, Command};
use server::Server;
use target::Target;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("attack: {error}");
            ExitCode::from(2)
        }
    }
}

/// Returns whether every verdict is `ok`.
fn run() -> Result<bool, Box<dyn Error>> {
    match Command::parse(Parser::from_env())? {
        Command::Help => print!("{}", include_str!("usage.txt")),
        Command::List => table::print_lists(),
        Command::Attack(args) => return attack_all(&args),
    }
    Ok(true)
}

fn attack_all(args: &Args) -> Result<bool, Box<dyn Error>> {
    if let Some(url) = &args.url {
        return attack_url(url, args);
    }
    if args.build {
        server::build(&args.examples)?;
    }
    table::print_head(args);
    let mut is_ok = true;
    for example in &args.examples {
        for attack in args.attacks.iter().filter(|attack| example.suits(attack)) {
            eprintln!("{}: {}", example.name, attack.name);
            let trial = trial::run(example, attack, args)
                .map_err(|error| format!("{}: {error}", example.name))?;
            table::print_row(example.name, attack.name, &trial);
            is_ok &= trial.faults.is_empty();
        }
    }
    Ok(is_ok)
}

/// Attacks a server that somebody else started.
fn attack_url(url: &str, args: &Args) -> Result<bool, Box<dyn Error>> {
    let target = Target::new(url, &args.ca, false)?;
    table::print_head(args);
    let mut is_ok = true;
    for attack in &args.attacks {
        let server = Server::Foreign(args.pid);
        let trial = trial::run_against(server, target.clone(), false, attack, args)?;
        table::print_row(url, attack.name, &trial);
        is_ok &= trial.faults.is_empty();
    }
    Ok(is_ok)
}
