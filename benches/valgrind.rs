//! Instructions of a run of this program, counted by valgrind: the same on a busy
//! machine.

use std::env;
use std::process::{Command, ExitCode};

/// Whether valgrind is installed. If not, the program ends with this status: it was
/// skipped, or has failed if REQUIRE_VALGRIND is set.
pub(crate) fn find() -> Result<(), ExitCode> {
    if Command::new("valgrind").arg("--version").output().is_ok() {
        return Ok(());
    }
    println!("skipped: valgrind is not installed");
    Err(u8::from(env::var("REQUIRE_VALGRIND").is_ok()).into())
}

/// The instructions of this program when it is called with a name and a number.
pub(crate) fn count(name: &str, number: usize) -> u64 {
    let output = Command::new("valgrind")
        .args([
            "--tool=cachegrind",
            "--cache-sim=no",
            "--cachegrind-out-file=/dev/null",
        ])
        .arg(env::current_exe().expect("a program"))
        .args([name, &number.to_string()])
        .output()
        .expect("valgrind");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let refs = told.lines().find_map(|line| line.split_once("I   refs:"));
    let refs = refs.map(|(_, count)| count.trim().replace(',', ""));
    refs.and_then(|count| count.parse().ok()).expect("a count")
}
