//! The clients under test. All set `TCP_NODELAY`.

use std::io::{self, Error};
use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::Empty;
use hyper::Request;
use hyper::header::{CONNECTION, HOST, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sansocket::{Config, Event, blocking};
use tokio::net::TcpStream;
use tokio_tungstenite::MaybeTlsStream;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

use super::clients::Client;

fn uri(addr: SocketAddr, path: &str) -> String {
    format!("ws://{addr}{path}")
}

async fn dial(addr: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

pub struct Ours(sansocket::tokio::Client);

impl Client for Ours {
    const FEEDS: bool = true;

    async fn connect(addr: SocketAddr, path: &str) -> io::Result<Self> {
        let ws = sansocket::tokio::connect(&*uri(addr, path), &Config::new()).await;
        ws.map(Self).map_err(Error::other)
    }

    async fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        self.0.send(payload).await.map_err(Error::other)
    }

    async fn feed(&mut self, payload: &[u8]) -> io::Result<()> {
        self.0.feed(payload).await.map_err(Error::other)
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.0.flush().await.map_err(Error::other)
    }

    async fn receive(&mut self) -> io::Result<u64> {
        self.0.next().await.map(|_| 1).map_err(Error::other)
    }
}

/// Borrows messages from the read buffer.
pub struct OursDrive(Ours);

impl Client for OursDrive {
    async fn connect(addr: SocketAddr, path: &str) -> io::Result<Self> {
        Ours::connect(addr, path).await.map(Self)
    }

    async fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        self.0.send(payload).await
    }

    async fn receive(&mut self) -> io::Result<u64> {
        let mut count = 0;
        let driven = self.0.0.drive(|_, event, _| {
            count += u64::from(matches!(event, Event::Message(_)));
            Ok(())
        });
        driven.await.map_err(Error::other)?;
        Ok(count)
    }
}

pub struct OursBlocking(blocking::Client);

impl Client for OursBlocking {
    const FEEDS: bool = true;

    async fn connect(addr: SocketAddr, path: &str) -> io::Result<Self> {
        let ws = blocking::connect(&*uri(addr, path), &Config::new());
        ws.map(Self).map_err(Error::other)
    }

    async fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        self.0.send(payload).map_err(Error::other)
    }

    async fn feed(&mut self, payload: &[u8]) -> io::Result<()> {
        self.0.feed(payload).map_err(Error::other)
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(Error::other)
    }

    async fn receive(&mut self) -> io::Result<u64> {
        self.0.next().map(|_| 1).map_err(Error::other)
    }
}

/// Defines a client that is a stream and a sink of messages.
macro_rules! sink {
    ($name:ident, $ws:ty, $message:expr) => {
        pub struct $name($ws);

        impl Client for $name {
            const FEEDS: bool = true;

            async fn connect(addr: SocketAddr, path: &str) -> io::Result<Self> {
                Self::open(addr, path).await
            }

            async fn send(&mut self, payload: &[u8]) -> io::Result<()> {
                let sent = SinkExt::send(&mut self.0, $message(Bytes::copy_from_slice(payload)));
                sent.await.map_err(Error::other)
            }

            async fn feed(&mut self, payload: &[u8]) -> io::Result<()> {
                let fed = SinkExt::feed(&mut self.0, $message(Bytes::copy_from_slice(payload)));
                fed.await.map_err(Error::other)
            }

            async fn flush(&mut self) -> io::Result<()> {
                SinkExt::flush(&mut self.0).await.map_err(Error::other)
            }

            async fn receive(&mut self) -> io::Result<u64> {
                let message = StreamExt::next(&mut self.0).await;
                message
                    .map(|_| 1)
                    .ok_or(io::ErrorKind::UnexpectedEof.into())
            }
        }
    };
}

sink!(
    TokioTungstenite,
    tokio_tungstenite::WebSocketStream<MaybeTlsStream<TcpStream>>,
    tungstenite::Message::Binary
);

impl TokioTungstenite {
    async fn open(addr: SocketAddr, path: &str) -> io::Result<Self> {
        let uri = uri(addr, path);
        let ws = tokio_tungstenite::connect_async_with_config(uri, None, true).await;
        ws.map(|(ws, _)| Self(ws)).map_err(Error::other)
    }
}

sink!(
    TokioWebsockets,
    tokio_websockets::WebSocketStream<TcpStream>,
    tokio_websockets::Message::binary
);

impl TokioWebsockets {
    async fn open(addr: SocketAddr, path: &str) -> io::Result<Self> {
        let builder = tokio_websockets::ClientBuilder::new().uri(&uri(addr, path));
        let builder = builder.map_err(Error::other)?;
        let ws = builder.connect_on(dial(addr).await?).await;
        ws.map(|(ws, _)| Self(ws)).map_err(Error::other)
    }
}

sink!(
    Sockudo,
    sockudo_ws::stream::WebSocketStream<TcpStream>,
    sockudo_ws::Message::Binary
);

impl Sockudo {
    async fn open(addr: SocketAddr, path: &str) -> io::Result<Self> {
        use sockudo_ws::{Config, client::WebSocketClient};
        let client = WebSocketClient::new(Config::default());
        let stream = dial(addr).await?;
        let ws = client
            .connect_raw(stream, &addr.to_string(), path, None)
            .await;
        ws.map(|(ws, _)| Self(ws)).map_err(Error::other)
    }
}

sink!(Yawc, yawc::WebSocket<TcpStream>, yawc::Frame::binary);

impl Yawc {
    async fn open(addr: SocketAddr, path: &str) -> io::Result<Self> {
        let uri = uri(addr, path).parse().map_err(Error::other)?;
        let (stream, options) = (dial(addr).await?, yawc::Options::default());
        let ws = yawc::WebSocket::handshake(uri, stream, options).await;
        ws.map(Self).map_err(Error::other)
    }
}

pub struct Tungstenite(
    tungstenite::WebSocket<tungstenite::stream::MaybeTlsStream<std::net::TcpStream>>,
);

impl Client for Tungstenite {
    const FEEDS: bool = true;

    async fn connect(addr: SocketAddr, path: &str) -> io::Result<Self> {
        let ws = tungstenite::connect(uri(addr, path));
        ws.map(|(ws, _)| Self(ws)).map_err(Error::other)
    }

    async fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        let message = tungstenite::Message::binary(Bytes::copy_from_slice(payload));
        self.0.send(message).map_err(Error::other)
    }

    async fn feed(&mut self, payload: &[u8]) -> io::Result<()> {
        let message = tungstenite::Message::binary(Bytes::copy_from_slice(payload));
        self.0.write(message).map_err(Error::other)
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(Error::other)
    }

    async fn receive(&mut self) -> io::Result<u64> {
        self.0.read().map(|_| 1).map_err(Error::other)
    }
}

/// On hyper, as documented.
pub struct Fastwebsockets(fastwebsockets::FragmentCollector<TokioIo<Upgraded>>);

impl Client for Fastwebsockets {
    async fn connect(addr: SocketAddr, path: &str) -> io::Result<Self> {
        let request = Request::get(path)
            .header(HOST, addr.to_string())
            .header(UPGRADE, "websocket")
            .header(CONNECTION, "upgrade")
            .header(
                "Sec-WebSocket-Key",
                fastwebsockets::handshake::generate_key(),
            )
            .header("Sec-WebSocket-Version", "13")
            .body(Empty::<Bytes>::new());
        let (request, stream) = (request.map_err(Error::other)?, dial(addr).await?);
        let executor = TokioExecutor::new();
        let ws = fastwebsockets::handshake::client(&executor, request, stream).await;
        let (ws, _) = ws.map_err(Error::other)?;
        Ok(Self(fastwebsockets::FragmentCollector::new(ws)))
    }

    async fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        let frame = fastwebsockets::Frame::binary(payload.into());
        self.0.write_frame(frame).await.map_err(Error::other)
    }

    async fn receive(&mut self) -> io::Result<u64> {
        self.0.read_frame().await.map(|_| 1).map_err(Error::other)
    }
}

pub struct Soketto {
    sender: soketto::Sender<Compat<TcpStream>>,
    receiver: soketto::Receiver<Compat<TcpStream>>,
    message: Vec<u8>,
}

impl Client for Soketto {
    const FEEDS: bool = true;

    async fn connect(addr: SocketAddr, path: &str) -> io::Result<Self> {
        let (stream, host) = (dial(addr).await?.compat(), addr.to_string());
        let mut client = soketto::handshake::Client::new(stream, &host, path);
        client.handshake().await.map_err(Error::other)?;
        let (sender, receiver) = client.into_builder().finish();
        Ok(Self {
            sender,
            receiver,
            message: Vec::new(),
        })
    }

    async fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        self.feed(payload).await?;
        Client::flush(self).await
    }

    async fn feed(&mut self, payload: &[u8]) -> io::Result<()> {
        self.sender.send_binary(payload).await.map_err(Error::other)
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.sender.flush().await.map_err(Error::other)
    }

    async fn receive(&mut self) -> io::Result<u64> {
        self.message.clear();
        let received = self.receiver.receive_data(&mut self.message).await;
        received.map(|_| 1).map_err(Error::other)
    }
}
