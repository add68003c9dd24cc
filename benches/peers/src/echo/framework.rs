//! Within axum, on one thread: the echo of its documentation, with its own
//! WebSockets and with ours.

use std::io;
use std::net;

use axum::routing::any;
use axum::{Router, serve::ListenerExt};
use tokio::net::TcpListener;

fn serve(listener: net::TcpListener, app: Router) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        axum::serve(listener, app).await
    })
}

/// The same lines for both.
macro_rules! echo {
    ($name:ident, $($ws:tt)+) => {
        pub fn $name(listener: net::TcpListener) -> io::Result<()> {
            use $($ws)+::{WebSocket, WebSocketUpgrade};

            async fn echo(mut socket: WebSocket) {
                while let Some(Ok(message)) = socket.recv().await {
                    if socket.send(message).await.is_err() {
                        return;
                    }
                }
            }

            let handler = async |ws: WebSocketUpgrade| ws.on_upgrade(echo);
            serve(listener, Router::new().route("/", any(handler)))
        }
    };
}

echo!(axum, ::axum::extract::ws);
echo!(ours, sansocket::axum);
