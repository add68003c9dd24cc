//! The soak test in short: every adapter, a few connections, two seconds each.

use std::process::Command;

use crate::server::example;

#[test]
fn accounts_of_every_adapter_balance() {
    let output = Command::new(example("soak"))
        .args(["--seconds", "2", "--connections", "20"])
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let failures = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}\n{failures}");
    assert_eq!(printed.matches("| balanced |").count(), 8, "{printed}");
}
