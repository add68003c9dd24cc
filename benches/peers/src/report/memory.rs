use std::fmt::Write;

use crate::echo::idle::Idle;
use crate::echo::many::Many;

/// Memory of an idle connection, including its task or thread.
pub fn idle(idle: &[Idle]) -> String {
    let mut table =
        String::from("## 1,000 idle connections\n\n| server | heap | resident |\n|---|---|---|\n");
    for server in idle {
        let (name, heap, resident) = (server.name, server.heap, server.resident);
        writeln!(table, "| {name} | {heap:.0} B | {resident:.0} B |").expect("a string");
    }
    table
}

/// Memory and CPU time of each server.
pub fn many(many: Option<&[Many]>) -> String {
    let mut table = String::from(
        "## 10,000 connections\n\nIdle connections, each after one message of 1 KiB, and slow connections, \
         each sending one byte of a message every second. Resident bytes of a connection, and CPU \
         time of the server for all of them.\n\n\
         | server | idle | CPU a second | slow | CPU a second |\n|---|---|---|---|---|\n",
    );
    let Some(many) = many else {
        return String::from("10,000 connections: skipped, the limit of open files is too low.\n");
    };
    for server in many {
        let Many {
            name,
            idle,
            slow,
            idle_cpu,
            slow_cpu,
        } = server;
        writeln!(
            table,
            "| {name} | {idle:.0} B | {idle_cpu:.1} ms | {slow:.0} B | {slow_cpu:.1} ms |"
        )
        .expect("a string");
    }
    table
}
