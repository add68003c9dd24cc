//! Routers that are served, and clients for them.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sansocket::adapter::http;
use sansocket::{ClientRequest, Config, Error, tokio::Client};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Serves it until the runtime of the test ends.
pub(crate) async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    addr
}

pub(crate) fn to(addr: SocketAddr, path: &str) -> ClientRequest {
    ClientRequest::to(&format!("ws://{addr}{path}")).unwrap()
}

pub(crate) async fn open(addr: SocketAddr, path: &str) -> Client {
    connect(to(addr, path)).await.unwrap()
}

pub(crate) async fn connect(request: ClientRequest) -> Result<Client, Error> {
    soon(sansocket::tokio::connect(request, &config())).await
}

fn config() -> Config {
    let config = Config::new();
    #[cfg(feature = "deflate")]
    let config = config.with_deflate(sansocket::deflate::Options::new());
    config
}

/// By an extended CONNECT, with the status of the response.
pub(crate) async fn connect_http2(
    addr: SocketAddr,
    request: &ClientRequest,
) -> Result<sansocket::hyper::WebSocket, Error> {
    let io = TokioIo::new(TcpStream::connect(addr).await.unwrap());
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io);
    let (mut sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    let config = config();
    let (mut request, offer) = http::offer_extended_connect(request, &config);
    let protocol = Protocol::from_static("websocket");
    request.extensions_mut().insert(protocol);
    // The server's settings come first.
    sender.ready().await.unwrap();
    let request = request.map(|()| Empty::<Bytes>::new());
    let response = sender.send_request(request).await.unwrap();
    soon(sansocket::hyper::connect(response, &offer, &config)).await
}

/// What must not take long.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(20), future)
        .await
        .expect("it comes")
}
