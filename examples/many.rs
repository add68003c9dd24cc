//! Starts `echo_tokio`, opens many connections to it at once, has each echo a
//! message, and prints what the server's memory grew by.
//! `cargo build --release --features tokio --example echo_tokio && ulimit -n 65536 &&
//! cargo run --release --features tokio --example many [COUNT]`

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use sansocket::{Config, tokio::connect};
use tokio::task::JoinSet;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let count: usize = env::args().nth(1).map_or(Ok(10_000), |arg| arg.parse())?;
    let (mut server, url) = start()?;
    let before = resident_bytes(&server);

    let start = Instant::now();
    let result = echo_all(count, &url).await;
    if let Ok(open) = &result {
        println!(
            "{} connections, each echoed, in {:.1?}",
            open.len(),
            start.elapsed()
        );
        // What was in use for a moment comes back.
        tokio::time::sleep(Duration::from_secs(1)).await;
        match (before, resident_bytes(&server)) {
            (Some(before), Some(after)) => {
                let each = after.saturating_sub(before) / count;
                println!("{each} resident bytes for each");
            }
            _ => println!("skipped: resident memory is told by Linux only"),
        }
    }
    server.kill()?;
    result.map(drop)
}

/// The server, and where it listens.
fn start() -> Result<(Child, String), Box<dyn Error>> {
    let path = env::current_exe()?.with_file_name("echo_tokio");
    let mut server = Command::new(path)
        .arg("127.0.0.1:0")
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    let stdout = server.stdout.take().ok_or("no output")?;
    BufReader::new(stdout).read_line(&mut line)?;
    let url = line.trim().rsplit(' ').next().unwrap_or_default().into();
    Ok((server, url))
}

/// Connections that stay open, each of which has echoed.
async fn echo_all(
    count: usize,
    url: &str,
) -> Result<Vec<sansocket::tokio::Client>, Box<dyn Error>> {
    let config = Config::new().with_handshake_timeout(Duration::from_secs(60));
    let (mut opening, mut open) = (JoinSet::new(), Vec::new());
    for number in 0..count {
        let (url, config) = (url.to_owned(), config.clone());
        opening.spawn(async move {
            let mut ws = connect(url, &config).await?;
            let text = format!("message of {number}");
            ws.send(&text).await?;
            let answer = ws.next().await?;
            assert_eq!(
                answer.as_ref().and_then(|answer| answer.as_text()),
                Some(&*text)
            );
            Ok::<_, sansocket::tokio::Error>(ws)
        });
        // No more at a time than the listener's queue holds.
        if opening.len() >= 512
            && let Some(ws) = opening.join_next().await
        {
            open.push(ws??);
        }
    }
    while let Some(ws) = opening.join_next().await {
        open.push(ws??);
    }
    Ok(open)
}

fn resident_bytes(process: &Child) -> Option<usize> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: usize = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}
