//! Servers that accept a WebSocket and wait until the client disconnects, over TCP and
//! over TLS.

use std::io;
use std::net::TcpListener;
use std::sync::{Arc, LazyLock};

use bytes::BytesMut;
use futures_util::StreamExt;
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use sansocket::Config;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::compat::TokioAsyncReadCompatExt;

use super::runtime::{serve, shaken};

/// The transport of a WebSocket.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for S {}

/// Its certificate is made for the first client.
static ACCEPTOR: LazyLock<TlsAcceptor> = LazyLock::new(|| {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
    let made = made.expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![made.cert.der().clone()], key);
    TlsAcceptor::from(Arc::new(config.expect("a key that fits")))
});

async fn tls(stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    ACCEPTOR.accept(stream).await
}

/// Defines both servers of each library from its function over a stream.
macro_rules! servers {
    ($($name:ident)*) => {
        /// Over TCP.
        pub mod plain {
            use super::*;
            $(pub fn $name(listener: TcpListener) -> io::Result<()> {
                serve(listener, |stream| super::$name(stream))
            })*
        }

        /// Over TLS.
        pub mod secure {
            use super::*;
            $(pub fn $name(listener: TcpListener) -> io::Result<()> {
                serve(listener, |stream| async { super::$name(tls(stream).await?).await })
            })*
        }
    };
}

servers! { raw ours tungstenite tokio_websockets fastwebsockets sockudo soketto yawc ratchet }

async fn raw(stream: impl Stream) -> io::Result<()> {
    let mut stream = shaken(stream).await?;
    stream.read(&mut [0; 16]).await.map(drop)
}

async fn ours(stream: impl Stream) -> io::Result<()> {
    let config = Config::new();
    let ws = sansocket::tokio::accept_on(stream, &config, sansocket::Request::accept).await;
    if let Some(mut ws) = ws.map_err(io::Error::other)? {
        ws.next().await.map_err(io::Error::other)?;
    }
    Ok(())
}

async fn tungstenite(stream: impl Stream) -> io::Result<()> {
    let ws = tokio_tungstenite::accept_async(stream).await;
    ws.map_err(io::Error::other)?.next().await;
    Ok(())
}

async fn tokio_websockets(stream: impl Stream) -> io::Result<()> {
    let accepted = tokio_websockets::ServerBuilder::new().accept(stream).await;
    accepted.map_err(io::Error::other)?.1.next().await;
    Ok(())
}

async fn sockudo(mut stream: impl Stream) -> io::Result<()> {
    use sockudo_ws::{Config, handshake, stream::WebSocketStream};
    let shaken = handshake::server_handshake(&mut stream).await;
    shaken.map_err(io::Error::other)?;
    StreamExt::next(&mut WebSocketStream::server(stream, Config::default())).await;
    Ok(())
}

async fn soketto(stream: impl Stream) -> io::Result<()> {
    use soketto::handshake::{Server, server::Response};
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
    let (_sender, mut receiver) = server.into_builder().finish();
    let received = receiver.receive_data(&mut Vec::new()).await;
    received.map(drop).map_err(io::Error::other)
}

/// On hyper, as documented.
async fn fastwebsockets(stream: impl Stream) -> io::Result<()> {
    let upgrade = async |mut request: Request<Incoming>| {
        let (response, upgraded) = fastwebsockets::upgrade::upgrade(&mut request)?;
        tokio::spawn(async move { upgraded.await?.read_frame().await.map(drop) });
        Ok::<Response<Empty<Bytes>>, fastwebsockets::WebSocketError>(response)
    };
    let server = http1::Builder::new();
    let served = server.serve_connection(TokioIo::new(stream), service_fn(upgrade));
    served.with_upgrades().await.map_err(io::Error::other)
}

/// On hyper, as documented.
async fn yawc(stream: impl Stream) -> io::Result<()> {
    let upgrade = async |mut request: Request<Incoming>| {
        let (response, upgraded) = yawc::WebSocket::upgrade(&mut request)?;
        tokio::spawn(async move { upgraded.await?.next_frame().await.map(drop) });
        Ok::<_, yawc::WebSocketError>(response)
    };
    let server = http1::Builder::new();
    let served = server.serve_connection(TokioIo::new(stream), service_fn(upgrade));
    served.with_upgrades().await.map_err(io::Error::other)
}

async fn ratchet(stream: impl Stream) -> io::Result<()> {
    let upgrader = ratchet_rs::accept(stream, ratchet_rs::WebSocketConfig::default()).await;
    let upgraded = upgrader.map_err(io::Error::other)?.upgrade().await;
    let mut ws = upgraded.map_err(io::Error::other)?.websocket;
    let read = ws.read(&mut BytesMut::new()).await;
    read.map(drop).map_err(io::Error::other)
}
