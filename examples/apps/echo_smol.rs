//! The echo server on smol, by way of futures-io:
//! `cargo run --release -p sansocket-apps --bin echo_smol [ADDR]`, then
//! open <http://127.0.0.1:9003>. Ctrl-C closes every connection with 1001.

use std::env;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use sansocket::{CloseCode, Config, futures::WebSocket};
use smol::channel::{Receiver, bounded};
use smol::net::{TcpListener, TcpStream};
use smol::{Executor, Timer};

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/pause.rs"]
mod pause;

/// How long connections may take to close when the server stops.
const GRACE: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn Error>> {
    let executor = Arc::new(Executor::new());
    smol::block_on(executor.run(serve(executor.clone())))
}

async fn serve(executor: Arc<Executor<'static>>) -> Result<(), Box<dyn Error>> {
    let addr = env::args().nth(1);
    let listener = TcpListener::bind(addr.as_deref().unwrap_or("127.0.0.1:9003")).await?;
    let addr = listener.local_addr()?;
    println!("listening on ws://{addr}\nopen http://{addr}/");

    // Closed when it is time to stop; each connection holds one of `alive`.
    let (stop, stopping) = bounded::<()>(1);
    let (alive, ended) = bounded::<()>(1);
    ctrlc::set_handler(move || {
        stop.close();
    })?;
    let config = common::config();
    while let Either::Left((stream, _)) =
        select(Box::pin(accept(&listener)), Box::pin(stopping.recv())).await
    {
        let (config, stopping, alive) = (config.clone(), stopping.clone(), alive.clone());
        let connection = async move {
            if let Err(error) = echo(stream, &config, stopping).await {
                eprintln!("{error}");
            }
            drop(alive);
        };
        executor.spawn(connection).detach();
    }
    drop(alive);
    let _ = select(Box::pin(ended.recv()), Box::pin(sleep(GRACE))).await;
    println!("stopped");
    Ok(())
}

/// Returns the next connection.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => sleep(pause::after(&error)).await,
        }
    }
}

/// Serves one connection, from the first byte to the last.
async fn echo(
    stream: TcpStream,
    config: &Config,
    stopping: Receiver<()>,
) -> Result<(), sansocket::futures::Error> {
    stream.set_nodelay(true)?;
    let ws = WebSocket::server(stream, config).with_timer(sleep);
    // A handshake is not waited for when the server stops.
    let accept = Box::pin(ws.accept_with(common::answer));
    let Either::Left((accepted, _)) = select(accept, Box::pin(stopping.recv())).await else {
        return Ok(());
    };
    let Some(mut ws) = accepted? else {
        return Ok(());
    };
    loop {
        let (next, stop) = (Box::pin(ws.next()), Box::pin(stopping.recv()));
        let message = match select(next, stop).await {
            Either::Left((message, _)) => message?,
            Either::Right(_) => break,
        };
        match message {
            Some(message) => ws.feed(message).await?,
            None => return Ok(()),
        }
    }
    ws.close(CloseCode::GOING_AWAY, "the server stops").await?;
    while ws.next().await?.is_some() {}
    Ok(())
}

async fn sleep(duration: Duration) {
    Timer::after(duration).await;
}
