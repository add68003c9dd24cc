//! One stream of updates by polling, long polling, server-sent events, WebSocket
//! and a raw TCP socket: what each costs in bytes, requests and time.
//! `cargo run --release -p sansocket-apps --bin http_vs_websocket [ADDR]`, then
//! open <http://127.0.0.1:9001>; with `--headless` it prints a table and ends.
//! Ctrl-C closes every WebSocket with 1001.

use std::env;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::ctrl_c;

#[path = "../../common/accept.rs"]
mod accept;
mod client;
mod counting;
mod feed;
mod run;
mod server;

use feed::Feed;
use server::Server;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Where the ways are to be had: TCP has a port of its own.
#[derive(Clone, Copy)]
struct Addresses {
    http: SocketAddr,
    tcp: SocketAddr,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (flags, addr): (Vec<_>, Vec<_>) = env::args()
        .skip(1)
        .partition(|argument| argument.starts_with("--"));
    let addr = addr.first().map_or("127.0.0.1:9001", String::as_str);
    let listener = TcpListener::bind(addr).await?;
    let tcp = TcpListener::bind("127.0.0.1:0").await?;
    let addresses = Addresses {
        http: listener.local_addr()?,
        tcp: tcp.local_addr()?,
    };
    let http = addresses.http;
    println!("listening on ws://{http}\nopen http://{http}/");

    let (feed, publishing) = feed::start();
    let server = Arc::new(Server::new(addresses, feed.clone()));
    tokio::spawn(serve_tcp(tcp, feed));
    let serving = server::serve(listener, server.clone());
    if flags.contains(&"--headless".to_owned()) {
        tokio::spawn(serving);
        print!("{}", run::table(&client::measure(addresses).await?));
        return Ok(());
    }
    tokio::select! {
        () = serving => {}
        _ = ctrl_c() => {}
    }
    // At its end every WebSocket is closed.
    publishing.abort();
    server.sockets_closed().await;
    println!("stopped");
    Ok(())
}

/// Returns the next connection, on which updates leave at once.
async fn accept_nodelay(listener: &TcpListener) -> TcpStream {
    loop {
        let (stream, _) = accept::next(listener).await;
        if stream.set_nodelay(true).is_ok() {
            return stream;
        }
    }
}

/// An update is a line.
async fn serve_tcp(listener: TcpListener, feed: Feed) {
    loop {
        let (mut stream, mut feed) = (accept_nodelay(&listener).await, feed.live());
        tokio::spawn(async move {
            while let Some(updates) = feed.next().await {
                let lines: String = updates.iter().map(|it| it.json.clone() + "\n").collect();
                stream.write_all(lines.as_bytes()).await?;
            }
            Ok::<_, std::io::Error>(())
        });
    }
}
