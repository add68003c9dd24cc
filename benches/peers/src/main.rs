//! Measures sansocket beside other WebSocket libraries.
//! `cargo run --release --manifest-path benches/peers/Cargo.toml -- codec`

mod backend;
mod codec;
mod echo;
mod measure;
mod memory;
mod peers;
mod traffic;

use measure::Effort;
use std::time::Duration;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args[0].as_str() {
        "serve" => echo::serve(&args[1]).unwrap(),
        "echo" => {
            echo::run(3, Duration::from_millis(100), |s| args.get(1).is_none_or(|o| o == &format!("{}x{}x{}", s.connections, s.len, s.window)), |outcome| {
                print!(
                    "{:4} x {:7} x {:2}:",
                    outcome.scenario.connections, outcome.scenario.len, outcome.scenario.window
                );
                for f in &outcome.figures {
                    print!(
                        " {} {:.0}k {:.0}us {:.0}us {:.2};",
                        f.name,
                        f.rate / 1e3,
                        f.p50,
                        f.p99,
                        f.cpu
                    );
                }
                println!();
            })
            .unwrap();
        }
        "idle" => {
            for idle in echo::idle(1000).unwrap() {
                println!(
                    "{:26} heap {:8.0} resident {:8.0} {:?}",
                    idle.name, idle.heap, idle.resident, idle.opened
                );
            }
        }
        _ => codec(&args),
    }
}

fn codec(args: &[String]) {
    // Some need one for their timers.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let _entered = runtime.enter();
    let effort = if args.iter().any(|arg| arg == "--quick") {
        Effort::QUICK
    } else {
        Effort::FULL
    };
    let only = args
        .get(1)
        .map_or("", |only| only.trim_start_matches("--quick"));
    codec::run(only, effort, |outcome| {
        print!(
            "{:9} {:36} ours {:9.1} ns ",
            outcome.group, outcome.workload, outcome.ours.ns
        );
        if let Some(limit) = outcome.limit {
            print!("limit {:8.1} ", limit.ns);
        }
        if let Some(ratio) = outcome.ratio() {
            print!("ratio {:5.2} bar {:?} ", ratio, outcome.bar.unwrap_or(0.0));
        }
        print!("alloc {:.2} |", outcome.ours.allocations);
        for figure in &outcome.others {
            print!(
                " {} {:.1}({:.1})",
                figure.name, figure.ns, figure.allocations
            );
        }
        println!();
    });
}
