//! One connection of each adapter, and the raw stream of its peer.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::TcpStream as StdStream;
use std::sync::{Arc, Mutex};
use std::thread;

use ::axum::extract::State;
use ::axum::routing::any;
use ::axum::{Extension, Router};
use ::h2::{RecvStream, SendStream};
use ::hyper::body::{Bytes, Incoming};
use ::hyper::service::service_fn;
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use sansocket::adapter::poll::{self, Transport};
use sansocket::axum::WebSocketUpgrade;
use sansocket::blocking::{self, Socket, Stream, TlsStream};
use sansocket::{
    ClientRequest, Config, ConnectionError, Error, Event, HandshakeError, Message, Outcome,
    Request, Role,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::blocking_tls::{SERVER, client_config, client_session, session};
use crate::compat::Compat;
use crate::fault_table::Fault;
use crate::wire::peer_of;

pub(super) trait RawStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> RawStream for S {}

pub(super) type Raw = Box<dyn RawStream>;

/// How a connection ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) error: Option<Error>,
    pub(super) outcome: Option<Outcome>,
}

type Ending = oneshot::Receiver<Ended>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Adapter {
    Blocking,
    BlockingHalves,
    BlockingTls,
    Tokio,
    TokioHalves,
    TokioTls,
    Futures,
    Hyper,
    Axum,
    H2,
}

impl Adapter {
    /// Whether another library reads and writes the heads.
    pub(super) fn parses_no_head(self) -> bool {
        matches!(self, Self::Hyper | Self::Axum | Self::H2)
    }

    pub(super) fn has_client(self) -> bool {
        !self.parses_no_head()
    }

    /// Whether a fault concerns it. Other libraries have rules of their own for heads.
    pub(super) fn can_notice(self, fault: &Fault) -> bool {
        use HandshakeError::*;
        if matches!(self, Self::BlockingHalves | Self::TokioHalves) {
            return fault.opens();
        }
        if !self.parses_no_head() {
            return true;
        }
        let is_ours = match fault.error {
            ConnectionError::Handshake(error) => {
                let is_of_http = matches!(
                    error,
                    MalformedHead
                        | HeadTooLong
                        | TooManyHeaders
                        | UnsupportedHttpVersion
                        | InvalidTarget
                        | Unexpected(_)
                );
                self != Self::H2 && !is_of_http
            }
            _ => true,
        };
        is_ours && fault.role == Role::Server
    }

    /// A connection, and the stream of its peer.
    pub(super) async fn start(self, role: Role, config: &Config) -> (Raw, Ending) {
        let (own, peer) = pair().await;
        let (sender, ending) = oneshot::channel();
        let config = config.clone();
        match self {
            Self::Blocking | Self::BlockingHalves => {
                let is_split = self == Self::BlockingHalves;
                thread::spawn(move || {
                    sender.send(in_thread(std_of(own).into(), role, &config, is_split))
                });
            }
            Self::BlockingTls => {
                let session: rustls::Connection = match role {
                    Role::Server => session().into(),
                    Role::Client => client_session().into(),
                };
                let stream = TlsStream::new(std_of(own), session);
                thread::spawn(move || sender.send(in_thread(stream.into(), role, &config, false)));
                return (within_tls(peer, role).await, ending);
            }
            Self::Tokio | Self::TokioHalves => {
                let ws = tokio_socket(own, role, &config);
                tokio::spawn(in_task(ws, self == Self::TokioHalves, sender));
            }
            Self::TokioTls => {
                tokio::spawn(async move {
                    let own = within_tls(own, peer_of(role)).await;
                    let ws = tokio_socket(own, role, &config);
                    in_task(ws, false, sender).await;
                });
                return (within_tls(peer, role).await, ending);
            }
            Self::Futures => {
                let ws = match role {
                    Role::Server => sansocket::futures::WebSocket::server(Compat(own), &config),
                    Role::Client => {
                        let request = request();
                        sansocket::futures::WebSocket::client(Compat(own), &request, &config)
                            .unwrap()
                    }
                };
                tokio::spawn(in_task(ws.with_timer(tokio::time::sleep), false, sender));
            }
            Self::Hyper => {
                tokio::spawn(hyper(own, config, sender));
            }
            Self::Axum => return axum(config, sender, ending).await,
            Self::H2 => return (h2(own, peer, config, sender).await, ending),
        }
        (Box::new(peer), ending)
    }
}

fn request() -> ClientRequest {
    ClientRequest::to("ws://example.com/chat").unwrap()
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap());
    let (own, peer) = tokio::join!(listener.accept(), peer);
    (own.unwrap().0, peer.unwrap())
}

fn std_of(tcp: TcpStream) -> StdStream {
    let tcp = tcp.into_std().unwrap();
    tcp.set_nonblocking(false).unwrap();
    tcp
}

/// The stream of an endpoint whose peer has this role.
async fn within_tls(tcp: TcpStream, role_of_peer: Role) -> Raw {
    match role_of_peer {
        Role::Server => {
            let connector = TlsConnector::from(Arc::new(client_config()));
            let name = "localhost".try_into().unwrap();
            Box::new(connector.connect(name, tcp).await.unwrap())
        }
        Role::Client => {
            let acceptor = TlsAcceptor::from(SERVER.0.clone());
            Box::new(acceptor.accept(tcp).await.unwrap())
        }
    }
}

/// Receives until the end.
fn in_thread(stream: Stream, role: Role, config: &Config, is_split: bool) -> Ended {
    let ws = match role {
        Role::Server => blocking::WebSocket::server(stream, config),
        Role::Client => blocking::WebSocket::client(stream, &request(), config).unwrap(),
    };
    let mut ws = ws.with_socket(Socket::stream());
    if !is_split {
        let error = until_end(|| ws.next());
        let outcome = ws.outcome().cloned();
        return Ended { error, outcome };
    }
    if let Some(Event::Request(request)) = ws.next_event().unwrap() {
        ws.respond(request.accept()).unwrap();
    }
    let (mut reader, _writer) = ws.split();
    let error = until_end(|| reader.next());
    let outcome = reader.outcome();
    Ended { error, outcome }
}

fn until_end(mut next: impl FnMut() -> Result<Option<Message>, Error>) -> Option<Error> {
    loop {
        match next() {
            Ok(Some(_)) => {}
            Ok(None) => return None,
            Err(error) => return Some(error),
        }
    }
}

fn tokio_socket<S: RawStream>(
    stream: S,
    role: Role,
    config: &Config,
) -> sansocket::tokio::WebSocket<S> {
    match role {
        Role::Server => sansocket::tokio::WebSocket::server(stream, config),
        Role::Client => sansocket::tokio::WebSocket::client(stream, &request(), config).unwrap(),
    }
}

/// Receives until the end.
async fn in_task<T: Transport>(
    mut ws: poll::WebSocket<T>,
    is_split: bool,
    sender: oneshot::Sender<Ended>,
) {
    let error = loop {
        match ws.next_event().await {
            Ok(Some(Event::Request(request))) => {
                ws.respond(request.accept()).await.unwrap();
                if is_split {
                    return halves_in_task(ws, sender).await;
                }
            }
            Ok(Some(Event::Open(_))) if is_split => return halves_in_task(ws, sender).await,
            Ok(Some(Event::Refused(response))) => break Some(Error::Refused(response)),
            Ok(Some(_)) => {}
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    let outcome = ws.outcome().cloned();
    let _ = sender.send(Ended { error, outcome });
}

async fn halves_in_task<T: Transport>(ws: poll::WebSocket<T>, sender: oneshot::Sender<Ended>) {
    let (mut reader, _writer) = ws.split();
    let error = loop {
        match reader.next().await {
            Ok(Some(_)) => {}
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    let outcome = reader.outcome();
    let _ = sender.send(Ended { error, outcome });
}

async fn hyper(stream: TcpStream, config: Config, sender: oneshot::Sender<Ended>) {
    let sender = Mutex::new(Some(sender));
    let service = service_fn(|mut request: ::hyper::Request<Incoming>| {
        let sender = sender.lock().unwrap().take().expect("one request");
        let response = sansocket::hyper::on_upgrade(&mut request, &config, Request::accept, {
            move |ws| in_task(ws, false, sender)
        });
        async { Ok::<::hyper::Response<Full<Bytes>>, Infallible>(response) }
    });
    let server = ::hyper::server::conn::http1::Builder::new();
    let connection = server.serve_connection(TokioIo::new(stream), service);
    let _ = connection.with_upgrades().await;
}

type Endings = Arc<Mutex<Option<oneshot::Sender<Ended>>>>;

async fn axum(config: Config, sender: oneshot::Sender<Ended>, ending: Ending) -> (Raw, Ending) {
    let handler = |State(sender): State<Endings>, upgrade: WebSocketUpgrade| async move {
        let sender = sender.lock().unwrap().take().expect("one request");
        upgrade.on_upgrade(async move |mut ws| {
            while let Some(received) = ws.recv().await {
                if let Err(error) = received {
                    let error = error.into_inner().downcast::<Error>().unwrap();
                    let error = Some(*error);
                    let _ = sender.send(Ended {
                        error,
                        outcome: None,
                    });
                    return;
                }
            }
        })
    };
    let app = Router::new()
        .route("/chat", any(handler))
        .layer(Extension(config))
        .with_state(Arc::new(Mutex::new(Some(sender))));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move { ::axum::serve(listener, app).await });
    (Box::new(TcpStream::connect(addr).await.unwrap()), ending)
}

/// A stream that was opened by an extended CONNECT.
async fn h2(
    own: TcpStream,
    peer: TcpStream,
    config: Config,
    sender: oneshot::Sender<Ended>,
) -> Raw {
    tokio::spawn(async move {
        let mut builder = ::h2::server::Builder::new();
        let mut connection = builder
            .enable_connect_protocol()
            .handshake::<_, Bytes>(own)
            .await
            .unwrap();
        let mut sender = Some(sender);
        while let Some(Ok((request, respond))) = connection.accept().await {
            let ws = sansocket::h2::accept(request, respond, &config, Request::accept);
            let ws = ws.unwrap().expect("an upgrade");
            tokio::spawn(in_task(ws, false, sender.take().expect("one stream")));
        }
    });
    let (client, connection) = ::h2::client::handshake(peer).await.unwrap();
    tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    let request = ::http::Request::builder()
        .method("CONNECT")
        .uri("https://example.com/chat")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-extensions", "permessage-deflate")
        .extension(::h2::ext::Protocol::from_static("websocket"));
    // The server's settings come first.
    while !client.is_extended_connect_protocol_enabled() {
        tokio::task::yield_now().await;
    }
    let (response, send) = client
        .send_request(request.body(()).unwrap(), false)
        .unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    pump(client, send, response.into_body())
}

/// The bytes of a stream of HTTP/2, whose connection ends with `client`.
fn pump(
    client: ::h2::client::SendRequest<Bytes>,
    mut send: SendStream<Bytes>,
    mut receive: RecvStream,
) -> Raw {
    let (raw, inner) = duplex(64 * 1024);
    let (mut read, mut write) = split(inner);
    tokio::spawn(async move {
        while let Some(Ok(chunk)) = receive.data().await {
            let _ = receive.flow_control().release_capacity(chunk.len());
            if write.write_all(&chunk).await.is_err() {
                break;
            }
        }
        let _ = write.shutdown().await;
    });
    tokio::spawn(async move {
        let _client = client;
        let mut buf = vec![0; 16 * 1024];
        while let Ok(len @ 1..) = read.read(&mut buf).await {
            let mut rest = Bytes::copy_from_slice(&buf[..len]);
            while !rest.is_empty() {
                send.reserve_capacity(rest.len());
                let Some(Ok(len)) = poll_fn(|cx| send.poll_capacity(cx)).await else {
                    return;
                };
                let _ = send.send_data(rest.split_to(len.min(rest.len())), false);
            }
        }
        let _ = send.send_data(Bytes::new(), true);
        // The other direction is still open.
        poll_fn(|cx| send.poll_reset(cx)).await.ok();
    });
    Box::new(raw)
}
