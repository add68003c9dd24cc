//! Echo servers on tokio with one thread. Libraries with streams and sinks use
//! `forward`, which writes when there is nothing more to read; the others do what
//! their examples do.

use std::io;
use std::net;
use std::sync::LazyLock;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::{StreamExt, TryStreamExt};
use sansocket::tokio::WebSocket;
use sansocket::{Agreement, Config, Event, Role};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::compat::TokioAsyncReadCompatExt;

use super::load::ACCEPTED;
use super::server;
use crate::traffic;

pub fn serve<F>(listener: net::TcpListener, echo: fn(TcpStream) -> F) -> io::Result<()>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        if server::has_timer() {
            tokio::spawn(tick());
        }
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(echo(stream));
        }
    })
}

/// An unrelated timer, as most programs have. A runtime without any timer never reads
/// the clock.
async fn tick() {
    let mut interval = tokio::time::interval(Duration::from_millis(100));
    loop {
        interval.tick().await;
    }
}

/// A handshake for libraries that have none over a plain stream.
pub async fn shaken<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> io::Result<S> {
    let (mut head, mut buf) = (Vec::new(), [0; 512]);
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buf).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            len => head.extend_from_slice(&buf[..len]),
        }
    }
    stream.write_all(ACCEPTED).await?;
    Ok(stream)
}

pub fn raw(listener: net::TcpListener) -> io::Result<()> {
    serve(listener, |mut stream| async move {
        let mut buf = vec![0; 64 * 1024];
        loop {
            match stream.read(&mut buf).await? {
                0 => return Ok(()),
                len => stream.write_all(&buf[..len]).await?,
            }
        }
    })
}

pub fn ours(listener: net::TcpListener) -> io::Result<()> {
    serve(listener, |stream| async move {
        let ws = sansocket::tokio::accept(stream, &Config::new()).await;
        echo(&mut ws.map_err(io::Error::other)?).await
    })
}

/// Without deadlines, as the other libraries.
pub fn untimed() -> Config {
    Config::new()
        .with_handshake_timeout(None)
        .with_ping_interval(None)
        .with_idle_timeout(None)
}

pub fn ours_deflate(listener: net::TcpListener) -> io::Result<()> {
    static AGREED: LazyLock<(Agreement, Config)> = LazyLock::new(|| traffic::deflate(false));
    serve(listener, |stream| async move {
        let (agreement, config) = &*AGREED;
        let (stream, agreement) = (shaken(stream).await?, agreement.clone());
        let (role, rest) = (Role::Server, Vec::new());
        echo(&mut WebSocket::upgraded(
            stream, role, agreement, rest, config,
        ))
        .await
    })
}

async fn echo(ws: &mut WebSocket<TcpStream>) -> io::Result<()> {
    loop {
        let driven = ws.drive(|ws, event, out| match event {
            Event::Message(message) => ws.send(message, out),
            _ => Ok(()),
        });
        if !driven.await.map_err(io::Error::other)? {
            return Ok(());
        }
    }
}

pub fn tungstenite(listener: net::TcpListener) -> io::Result<()> {
    serve(listener, |stream| async move {
        let ws = tokio_tungstenite::accept_async(stream).await;
        let (sink, stream) = ws.map_err(io::Error::other)?.split();
        stream.forward(sink).await.map_err(io::Error::other)
    })
}

pub fn fastwebsockets(listener: net::TcpListener) -> io::Result<()> {
    use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket};
    serve(listener, |stream| async move {
        let ws = WebSocket::after_handshake(shaken(stream).await?, Role::Server);
        let mut ws = FragmentCollector::new(ws);
        loop {
            let frame = ws.read_frame().await.map_err(io::Error::other)?;
            match frame.opcode {
                OpCode::Close => return Ok(()),
                OpCode::Text | OpCode::Binary => {
                    ws.write_frame(frame).await.map_err(io::Error::other)?;
                }
                _ => {}
            }
        }
    })
}

pub fn tokio_websockets(listener: net::TcpListener) -> io::Result<()> {
    serve(listener, |stream| async move {
        let accepted = tokio_websockets::ServerBuilder::new().accept(stream).await;
        let (_, ws) = accepted.map_err(io::Error::other)?;
        let (sink, stream) = ws.split();
        stream.forward(sink).await.map_err(io::Error::other)
    })
}

pub fn sockudo(listener: net::TcpListener) -> io::Result<()> {
    use sockudo_ws::{Config, handshake, stream::WebSocketStream};
    serve(listener, |mut stream| async move {
        let shaken = handshake::server_handshake(&mut stream).await;
        shaken.map_err(io::Error::other)?;
        let ws = WebSocketStream::server(stream, Config::default());
        let (sink, stream) = StreamExt::split(ws);
        StreamExt::forward(stream, sink)
            .await
            .map_err(io::Error::other)
    })
}

pub fn sockudo_deflate(listener: net::TcpListener) -> io::Result<()> {
    use sockudo_ws::{Config, deflate::DeflateConfig, stream::CompressedWebSocketStream};
    serve(listener, |stream| async move {
        let deflate = DeflateConfig {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            compression_level: traffic::LEVEL.into(),
            ..DeflateConfig::default()
        };
        let (stream, config) = (shaken(stream).await?, Config::default());
        let ws = CompressedWebSocketStream::server(stream, config, deflate);
        let (sink, stream) = StreamExt::split(ws);
        StreamExt::forward(stream, sink)
            .await
            .map_err(io::Error::other)
    })
}

async fn forward_yawc(ws: yawc::WebSocket<TcpStream>) -> io::Result<()> {
    let (sink, stream) = ws.split();
    let stream = stream.map(Ok::<_, yawc::WebSocketError>);
    stream
        .try_filter(|frame| std::future::ready(!frame.opcode().is_control()))
        .forward(sink)
        .await
        .map_err(io::Error::other)
}

pub fn yawc_server(stream: TcpStream) -> io::Result<yawc::WebSocket<TcpStream>> {
    let options = yawc::Options::default().with_limits(64 * 1024 * 1024, 128 * 1024 * 1024);
    let ws = yawc::WebSocket::from_stream(stream, yawc::Role::Server, options);
    ws.map_err(io::Error::other)
}

pub fn yawc(listener: net::TcpListener) -> io::Result<()> {
    serve(listener, |stream| async move {
        forward_yawc(yawc_server(shaken(stream).await?)?).await
    })
}

pub fn yawc_deflate(listener: net::TcpListener) -> io::Result<()> {
    use yawc::{CompressionLevel, Options, Role, WebSocket};
    const AGREED: &str =
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    serve(listener, |stream| async move {
        let options = Options::default()
            .with_compression_level(CompressionLevel::new(traffic::LEVEL.into()))
            .server_no_context_takeover()
            .client_no_context_takeover();
        let (stream, agreed) = (shaken(stream).await?, Some(AGREED));
        let ws = WebSocket::from_stream_with_extensions(stream, Role::Server, agreed, options);
        forward_yawc(ws.map_err(io::Error::other)?).await
    })
}

pub fn soketto(listener: net::TcpListener) -> io::Result<()> {
    use soketto::handshake::{Server, server::Response};
    serve(listener, |stream| async move {
        let stream = futures_util::io::BufWriter::new(stream.compat());
        let mut server = Server::new(stream);
        let request = server.receive_request().await.map_err(io::Error::other)?;
        let key = request.key();
        let accept = Response::Accept {
            key,
            protocol: None,
        };
        let sent = server.send_response(&accept).await;
        sent.map_err(io::Error::other)?;
        let (mut sender, mut receiver) = server.into_builder().finish();
        let mut message = Vec::new();
        loop {
            message.clear();
            let received = receiver.receive_data(&mut message).await;
            received.map_err(io::Error::other)?;
            let sent = sender.send_binary(&message).await;
            sent.map_err(io::Error::other)?;
            sender.flush().await.map_err(io::Error::other)?;
        }
    })
}

pub fn web_socket(listener: net::TcpListener) -> io::Result<()> {
    use web_socket::{Event, WebSocket};
    serve(listener, |stream| async move {
        let stream = tokio::io::BufReader::with_capacity(64 * 1024, shaken(stream).await?);
        let mut ws = WebSocket::server(stream);
        loop {
            match ws.recv().await? {
                Event::Data { data, .. } => WebSocket::send(&mut ws, &*data).await?,
                Event::Close { .. } | Event::Error(_) => return Ok(()),
                _ => {}
            }
        }
    })
}

const MAX_LEN: usize = 64 * 1024 * 1024;

pub fn ratchet(listener: net::TcpListener) -> io::Result<()> {
    use ratchet_rs::{Message, PayloadType, WebSocketConfig};
    serve(listener, |stream| async move {
        let config = WebSocketConfig {
            max_message_size: MAX_LEN,
        };
        let upgrader = ratchet_rs::accept(stream, config).await;
        let upgraded = upgrader.map_err(io::Error::other)?.upgrade().await;
        let mut ws = upgraded.map_err(io::Error::other)?.websocket;
        let mut message = BytesMut::new();
        loop {
            let kind = match ws.read(&mut message).await.map_err(io::Error::other)? {
                Message::Text => PayloadType::Text,
                Message::Binary => PayloadType::Binary,
                Message::Ping(_) | Message::Pong(_) => continue,
                Message::Close(_) => return Ok(()),
            };
            let sent = ws.write(&message, kind).await;
            sent.map_err(io::Error::other)?;
            message.clear();
        }
    })
}

pub fn wtx(listener: net::TcpListener) -> io::Result<()> {
    use wtx::collection::Vector;
    use wtx::web_socket::{OpCode, WebSocketAcceptor, WebSocketPayloadOrigin};
    serve(listener, |stream| async move {
        let accepted = WebSocketAcceptor::default().accept(stream).await;
        let mut ws = accepted.map_err(io::Error::other)?;
        ws.set_max_payload_len(MAX_LEN);
        let mut joined = Vector::new();
        loop {
            joined.clear();
            let (mut common, mut reader, mut writer) = ws.split_mut();
            let origin = WebSocketPayloadOrigin::Adaptive;
            let frame = reader.read_frame(&mut joined, &mut common, origin).await;
            let mut frame = frame.map_err(io::Error::other)?;
            match frame.op_code() {
                OpCode::Close => return Ok(()),
                OpCode::Text | OpCode::Binary => {
                    let sent = writer.write_frame(&mut common, &mut frame).await;
                    sent.map_err(io::Error::other)?;
                }
                _ => {}
            }
        }
    })
}
