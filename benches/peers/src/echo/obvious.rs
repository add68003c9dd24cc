//! The obvious loop on tokio: receive a message, send it back, as the documentation of
//! each library does. Libraries without a `Stream` of messages have it in `runtime`.

use std::io;
use std::net::TcpListener;

use futures_util::{SinkExt, StreamExt};
use sansocket::Config;
use sansocket::tokio::WebSocket;
use tokio::net::TcpStream;

use super::runtime::{serve, shaken, untimed, yawc_server};

pub fn ours(listener: TcpListener) -> io::Result<()> {
    serve(listener, |stream| async move {
        let ws = sansocket::tokio::accept(stream, &Config::new()).await;
        echo(ws.map_err(io::Error::other)?).await
    })
}

pub fn ours_untimed(listener: TcpListener) -> io::Result<()> {
    serve(listener, |stream| async move {
        let ws = sansocket::tokio::accept(stream, &untimed()).await;
        echo(ws.map_err(io::Error::other)?).await
    })
}

/// The replies leave together, with the next call of `next`.
async fn echo(mut ws: WebSocket<TcpStream>) -> io::Result<()> {
    while let Some(message) = ws.next().await.map_err(io::Error::other)? {
        ws.feed(message).await.map_err(io::Error::other)?;
    }
    Ok(())
}

/// Each reply leaves at once, as those of the other libraries.
pub fn ours_send(listener: TcpListener) -> io::Result<()> {
    serve(listener, |stream| async move {
        let ws = sansocket::tokio::accept(stream, &Config::new()).await;
        let mut ws = ws.map_err(io::Error::other)?;
        while let Some(message) = ws.next().await.map_err(io::Error::other)? {
            ws.send(message).await.map_err(io::Error::other)?;
        }
        Ok(())
    })
}

pub fn tungstenite(listener: TcpListener) -> io::Result<()> {
    serve(listener, |stream| async move {
        let ws = tokio_tungstenite::accept_async(stream).await;
        let mut ws = ws.map_err(io::Error::other)?;
        while let Some(message) = ws.next().await {
            let message = message.map_err(io::Error::other)?;
            ws.send(message).await.map_err(io::Error::other)?;
        }
        Ok(())
    })
}

pub fn tokio_websockets(listener: TcpListener) -> io::Result<()> {
    serve(listener, |stream| async move {
        let accepted = tokio_websockets::ServerBuilder::new().accept(stream).await;
        let (_, mut ws) = accepted.map_err(io::Error::other)?;
        while let Some(message) = ws.next().await {
            let message = message.map_err(io::Error::other)?;
            ws.send(message).await.map_err(io::Error::other)?;
        }
        Ok(())
    })
}

pub fn sockudo(listener: TcpListener) -> io::Result<()> {
    use sockudo_ws::{Config, handshake, stream::WebSocketStream};
    serve(listener, |mut stream| async move {
        let shaken = handshake::server_handshake(&mut stream).await;
        shaken.map_err(io::Error::other)?;
        let mut ws = WebSocketStream::server(stream, Config::default());
        while let Some(message) = StreamExt::next(&mut ws).await {
            let message = message.map_err(io::Error::other)?;
            let sent = SinkExt::send(&mut ws, message).await;
            sent.map_err(io::Error::other)?;
        }
        Ok(())
    })
}

pub fn yawc(listener: TcpListener) -> io::Result<()> {
    serve(listener, |stream| async move {
        let mut ws = yawc_server(shaken(stream).await?)?;
        while let Some(frame) = ws.next().await {
            if !frame.opcode().is_control() {
                ws.send(frame).await.map_err(io::Error::other)?;
            }
        }
        Ok(())
    })
}
