//! What one says, all hear: each message is framed once, and shared by
//! reference. A member who does not read misses messages and is cut off by the
//! write deadline, without a delay for others.
//! `cargo run --release --features tokio --example broadcast [ADDR]`

use std::env;
use std::sync::Arc;
use std::time::Duration;

use sansocket::{Config, Prepared, tokio::Error};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

#[path = "common/accept.rs"]
mod accept;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let addr = env::args().nth(1);
    let listener = TcpListener::bind(addr.as_deref().unwrap_or("127.0.0.1:9004")).await?;
    println!("listening on ws://{}", listener.local_addr()?);

    let config = Config::new().with_write_timeout(Duration::from_secs(10));
    let (room, _) = broadcast::channel(64);
    loop {
        let (stream, _) = accept::next(&listener).await;
        let (config, room) = (config.clone(), room.clone());
        tokio::spawn(async move {
            if let Err(error) = member(stream, &config, &room).await {
                eprintln!("{error}");
            }
        });
    }
}

type Room = broadcast::Sender<Arc<Prepared>>;

async fn member(stream: TcpStream, config: &Config, room: &Room) -> Result<(), Error> {
    let mut said = room.subscribe();
    let (mut reader, mut writer) = sansocket::tokio::accept(stream, config).await?.split();

    let listening = async {
        loop {
            match said.recv().await {
                Ok(message) => {
                    writer.feed_prepared(&message).await?;
                    writer.flush().await?;
                }
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    writer.send(format!("(missed {missed})")).await?;
                }
                Err(broadcast::error::RecvError::Closed) => return Ok::<_, Error>(()),
            }
        }
    };
    let speaking = async {
        while let Some(message) = reader.next().await? {
            // Nobody else may be there.
            let _ = room.send(Arc::new(Prepared::new(message)));
        }
        Ok(())
    };
    // Whichever ends ends both, and the socket with them.
    tokio::select! {
        ended = listening => ended,
        ended = speaking => ended,
    }
}
