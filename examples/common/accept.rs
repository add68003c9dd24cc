//! What the servers on tokio share: a loop that outlives errors of `accept`.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

#[path = "pause.rs"]
mod pause;

/// Returns the next connection.
///
/// Cancel safe: it can be one of the branches of `tokio::select!`.
pub(crate) async fn next(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => sleep(pause::after(&error)).await,
        }
    }
}
