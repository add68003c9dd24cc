//! Stays connected: after each end it waits, longer each time and never as long
//! as others do, and tries again.
//! `cargo run --features tokio --example reconnect [URL]`

use std::env;
use std::time::{Duration, Instant};

use sansocket::{Config, tokio::Error, tokio::connect};
use tokio::time::sleep;

const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(30);
/// A connection that lasted this long was a good one.
const GOOD: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let url = env::args().nth(1);
    let url = url.as_deref().unwrap_or("ws://127.0.0.1:9002");
    let mut wait = SHORTEST;
    loop {
        let start = Instant::now();
        match listen(url).await {
            Ok(()) => eprintln!("closed"),
            // What will not be otherwise tomorrow.
            Err(error @ (Error::Request(_) | Error::Redirect(_))) => return Err(error),
            Err(error) => eprintln!("{error}"),
        }
        if start.elapsed() > GOOD {
            wait = SHORTEST;
        }
        let pause = wait.mul_f64(jitter()?);
        eprintln!("again in {pause:.1?}");
        sleep(pause).await;
        wait = (wait * 2).min(LONGEST);
    }
}

/// Receives until the connection ends.
async fn listen(url: &str) -> Result<(), Error> {
    let mut ws = connect(url, &Config::new()).await?;
    eprintln!("connected to {url}");
    ws.send("hello").await?;
    while let Some(message) = ws.next().await? {
        println!("{}", String::from_utf8_lossy(message.as_bytes()));
    }
    Ok(())
}

/// From a half to one: a thousand clients of a server that restarted do not
/// come back at one moment.
fn jitter() -> Result<f64, Error> {
    let random = getrandom::u32().map_err(std::io::Error::other)?;
    Ok(0.5 + f64::from(random) / f64::from(u32::MAX) / 2.0)
}
