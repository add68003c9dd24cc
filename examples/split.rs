//! Two halves in two tasks: lines from standard input go out while messages
//! come in.
//! `cargo run --features tokio --example split [URL]`

use std::env;

use sansocket::{CloseCode, Config, tokio::Error, tokio::connect};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let url = env::args().nth(1);
    let url = url.as_deref().unwrap_or("ws://127.0.0.1:9002");
    let (mut reader, mut writer) = connect(url, &Config::new()).await?.split();

    let receiving = tokio::spawn(async move {
        while let Some(message) = reader.next().await? {
            println!("{}", String::from_utf8_lossy(message.as_bytes()));
        }
        Ok::<_, Error>(reader.outcome())
    });
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        writer.send(line).await?;
    }
    writer.close(CloseCode::NORMAL, "").await?;
    if let Some(outcome) = receiving.await.expect("no panic")? {
        eprintln!("closed with {}", outcome.code);
    }
    Ok(())
}
