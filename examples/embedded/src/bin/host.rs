//! The device's server on this machine, over tokio's sockets:
//! `cargo run --release --bin host --features host [ADDR]`

use std::env;
use std::io;
use std::time::{Duration, Instant};

use embedded_io_adapters::tokio_1::FromTokio;
use sansocket_embedded::{Clock, config, serve};
use tokio::net::TcpListener;

#[path = "../../../common/accept.rs"]
mod accept;

struct Monotonic(Instant);

impl Clock for Monotonic {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let addr = env::args().nth(1);
    let listener = TcpListener::bind(addr.as_deref().unwrap_or("127.0.0.1:9001")).await?;
    println!("listening on ws://{}", listener.local_addr()?);
    let config = config();
    loop {
        let (socket, _) = accept::next(&listener).await;
        let config = config.clone();
        tokio::spawn(async move {
            let clock = Monotonic(Instant::now());
            if let Err(error) = serve(&mut FromTokio::new(socket), &config, &clock).await {
                eprintln!("{error:?}");
            }
        });
    }
}
