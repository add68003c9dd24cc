use std::fmt::Write;

use crate::checks::{Checked, Checks, RULES};

/// A row for each library, a column for each rule.
pub fn checks(checks: &[Checks]) -> String {
    let mut table = String::from("| rejected by |");
    for rule in &RULES {
        write!(table, " {}: {} |", rule.letter, rule.name).expect("a string");
    }
    table += "\n|---|";
    table += &"---|".repeat(RULES.len());
    for Checks { name, checked } in checks {
        write!(table, "\n| {name} |").expect("a string");
        for checked in checked {
            let who = match checked {
                Checked::Library => "library",
                Checked::Caller => "caller",
                Checked::Nobody => "**nobody**",
            };
            write!(table, " {who} |").expect("a string");
        }
    }
    table + "\n"
}
