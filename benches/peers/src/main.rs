//! Measures sansocket beside other WebSocket libraries.
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml -- COMMAND [--quick]
//!
//! codec [GROUP]    receive, send, handshake, deflate, prepared: over memory
//! builds           the same, and with link-time optimization
//! lines            the same, as plain lines
//! checks           what each library rejects
//! echo [SETTING]   servers over loopback, and one load for all: alone, timer,
//!                  sleepy, loop
//! clients          connect, send and receive, with the same server
//! handshakes       servers' opening handshakes, over TCP and over TLS
//! idle             memory of idle connections
//! many             10,000 idle and slow connections
//! results          all of it, into RESULTS.md and speed.svg
//! ```

mod backend;
mod builds;
mod checks;
mod codec;
mod echo;
mod measure;
mod memory;
mod peers;
mod report;
mod traffic;

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use measure::Effort;

fn main() -> Result<(), Box<dyn Error>> {
    let (options, args): (Vec<_>, Vec<_>) = env::args().skip(1).partition(|arg| arg == "--quick");
    let is_quick = !options.is_empty();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["codec"] => print_codec(&run_codec("", is_quick)),
        ["codec", group] => print_codec(&run_codec(group, is_quick)),
        ["builds"] => print_codec(&run_builds(is_quick)?),
        ["lines"] => {
            let outcomes = run_codec("", is_quick);
            outcomes.iter().for_each(|it| print!("{}", it.lines()));
        }
        ["checks"] => println!("{}", report::checks(&run_checks())),
        ["results"] => write_results(is_quick)?,
        _ if echo::command(&args, is_quick)? => {}
        _ => return Err("no such command; see the top of src/main.rs".into()),
    }
    Ok(())
}

/// Some need a runtime for their timers.
fn in_runtime<R>(work: impl FnOnce() -> R) -> R {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let _entered = runtime.enter();
    work()
}

fn run_codec(group: &str, is_quick: bool) -> Vec<codec::Outcome> {
    let effort = if is_quick {
        Effort::QUICK
    } else {
        Effort::FULL
    };
    in_runtime(|| {
        codec::run(group, effort, |outcome| {
            let ratio = outcome.ratio().unwrap_or_default();
            eprintln!("{}, {}: {ratio:.2}", outcome.group, outcome.workload);
        })
    })
}

/// As it is built, and with link-time optimization.
fn run_builds(is_quick: bool) -> Result<Vec<codec::Outcome>, Box<dyn Error>> {
    let lines = builds::lto(is_quick)?;
    let mut outcomes = run_codec("", is_quick);
    codec::read_lines(&mut outcomes, &lines)?;
    Ok(outcomes)
}

fn run_checks() -> Vec<checks::Checks> {
    in_runtime(checks::run)
}

fn print_codec(outcomes: &[codec::Outcome]) {
    println!("{}", report::codec(outcomes, &run_checks()));
}

/// All figures, and the picture that README.md shows.
fn write_results(is_quick: bool) -> Result<(), Box<dyn Error>> {
    let codec = run_builds(is_quick)?;
    let checks = run_checks();
    let (echo, end_to_end) = echo::everything(is_quick)?;
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::write(here.join("speed.svg"), report::picture(&codec, &echo))?;
    let results = format!(
        "# Beside other libraries\n\n{}\n{}\n{}\n{end_to_end}",
        report::setting(),
        report::codec(&codec, &checks),
        report::checks(&checks)
    );
    fs::write(here.join("RESULTS.md"), results)?;
    Ok(())
}
