//! TCP through a WebSocket. `tunnel serve ADDR TARGET` accepts WebSockets and
//! connects each to TARGET, `tunnel listen ADDR URL` accepts TCP and connects
//! each to URL: bytes pass both ways, as binary messages.
//! `cargo run --features tokio --example tunnel serve 127.0.0.1:9005 127.0.0.1:22`

use std::env;
use std::error::Error;

use sansocket::Config;
use sansocket::tokio::connect;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

#[path = "common/accept.rs"]
mod accept;

const USAGE: &str = "usage: tunnel serve ADDR TARGET | tunnel listen ADDR URL";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [mode, addr, target] = &args[..] else {
        return Err(USAGE.into());
    };
    let serves = match &**mode {
        "serve" => true,
        "listen" => false,
        _ => return Err(USAGE.into()),
    };
    let listener = TcpListener::bind(addr).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = accept::next(&listener).await;
        let target = target.clone();
        tokio::spawn(async move {
            let passed = if serves {
                out_of(stream, &target).await
            } else {
                into(stream, &target).await
            };
            match passed {
                Ok((up, down)) => println!("{up} bytes there, {down} back"),
                Err(error) => eprintln!("{error}"),
            }
        });
    }
}

type Passed = Result<(u64, u64), Box<dyn Error + Send + Sync>>;

async fn out_of(stream: TcpStream, target: &str) -> Passed {
    let mut tunnel = sansocket::tokio::accept(stream, &Config::new())
        .await?
        .into_tunnel();
    let mut target = TcpStream::connect(target).await?;
    Ok(copy_bidirectional(&mut tunnel, &mut target).await?)
}

async fn into(mut stream: TcpStream, url: &str) -> Passed {
    let mut tunnel = connect(url, &Config::new()).await?.into_tunnel();
    Ok(copy_bidirectional(&mut stream, &mut tunnel).await?)
}
