//! Peers that make a server hold much memory at once, beside one that goes on: within
//! HTTP libraries, and over sockets.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use sansocket::adapter::poll;
use sansocket::{ClientRequest, Config, Error, Fragment, Request};
use tokio::io::duplex;
use tokio::net::TcpListener;

use crate::axum::server::{connect, serve, soon, to};
use crate::compat::Compat;

const MAX: usize = 4 * 1024 * 1024;
const GREEDY: usize = 12;

fn limited() -> Config {
    compressing().with_max_total_memory(MAX)
}

/// Frames of 1 MiB are then 1 KiB long.
fn compressing() -> Config {
    let config = Config::new();
    #[cfg(feature = "deflate")]
    let config = config.with_deflate(sansocket::deflate::Options::new().with_max_ratio(None));
    config
}

fn chat() -> ClientRequest {
    ClientRequest::to("ws://example.com/chat").unwrap()
}

/// Greedy peers begin messages that never end. They fail with 1013, while another peer
/// gets its echoes, and nothing counts when they are gone.
async fn survives<T: poll::Transport>(
    config: &Config,
    mut connect: impl AsyncFnMut() -> poll::WebSocket<T>,
) {
    let mut honest = connect().await;
    let mut greedy = Vec::new();
    for _ in 0..GREEDY {
        greedy.push(connect().await);
    }
    let (payload, mut most) = (vec![0; 512 * 1024], 0);
    for _ in 0..10 {
        for ws in &mut greedy {
            // It fails once the server has closed the connection.
            let _ = soon(ws.send_fragment(Fragment::more(&*payload))).await;
        }
        honest.send("hello").await.unwrap();
        let echo = soon(honest.next()).await.unwrap();
        assert_eq!(echo, Some("hello".into()));
        most = most.max(config.total_memory());
    }
    assert!((MAX / 4..=MAX).contains(&most), "{most}");
    let mut failed = 0;
    for ws in &mut greedy {
        let _ = soon(ws.close(1000, "")).await;
        while let Ok(Some(_)) = soon(ws.next()).await {}
        let outcome = ws.outcome().unwrap();
        failed += usize::from(outcome.code == 1013.into());
    }
    assert!(failed >= GREEDY / 2, "{failed}");
    drop(greedy);
    while config.total_memory() > 0 {
        honest.send("hello").await.unwrap();
        assert!(soon(honest.next()).await.unwrap().is_some());
    }
}

async fn echo<T: poll::Transport>(mut ws: poll::WebSocket<T>) -> Result<(), Error> {
    while let Some(message) = ws.next().await? {
        ws.send(message).await?;
    }
    Ok(())
}

/// A listener, and connections of our client to it.
async fn listen() -> (TcpListener, impl AsyncFnMut() -> sansocket::tokio::Client) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let connect = async move || {
        let config = compressing();
        let connecting = sansocket::tokio::connect(to(addr, "/"), &config);
        soon(connecting).await.unwrap()
    };
    (listener, connect)
}

#[tokio::test]
async fn blocking_server_survives() {
    let config = limited();
    let (listener, connect) = listen().await;
    let (listener, shared) = (listener.into_std().unwrap(), config.clone());
    listener.set_nonblocking(false).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let config = shared.clone();
            std::thread::spawn(move || {
                let mut ws = sansocket::blocking::accept(stream?, &config)?;
                while let Some(message) = ws.next()? {
                    ws.send(message)?;
                }
                Ok::<(), Error>(())
            });
        }
    });
    survives(&config, connect).await;
}

#[tokio::test]
async fn tokio_server_survives() {
    let config = limited();
    let (listener, connect) = listen().await;
    let shared = config.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let config = shared.clone();
            tokio::spawn(
                async move { echo(sansocket::tokio::accept(stream, &config).await?).await },
            );
        }
    });
    survives(&config, connect).await;
}

#[tokio::test]
async fn futures_server_survives() {
    let config = limited();
    let (listener, connect) = listen().await;
    let shared = config.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let ws = sansocket::futures::WebSocket::server(Compat(stream), &shared);
            tokio::spawn(async move { echo(ws.accept().await?).await });
        }
    });
    survives(&config, connect).await;
}

#[tokio::test]
async fn hyper_server_survives() {
    let config = limited();
    let (listener, connect) = listen().await;
    let shared = config.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let config = shared.clone();
            let service = hyper::service::service_fn(
                move |mut request: hyper::Request<hyper::body::Incoming>| {
                    let (on_upgrade, config) = (sansocket::hyper::on_upgrade, config.clone());
                    let response = on_upgrade(&mut request, &config, Request::accept, echo);
                    async move { Ok::<hyper::Response<Full<Bytes>>, Infallible>(response) }
                },
            );
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            tokio::spawn(connection);
        }
    });
    survives(&config, connect).await;
}

#[tokio::test]
async fn h2_server_survives() {
    let config = limited();
    let (ours, theirs) = duplex(64 * 1024);
    let shared = config.clone();
    tokio::spawn(async move {
        let mut builder = ::h2::server::Builder::new();
        builder.enable_connect_protocol();
        builder.initial_connection_window_size(sansocket::h2::MAX_WINDOW);
        let mut connection = builder.handshake::<_, Bytes>(ours).await.unwrap();
        while let Some(Ok((request, respond))) = connection.accept().await {
            let ws = sansocket::h2::accept(request, respond, &shared, Request::accept);
            tokio::spawn(echo(ws.unwrap().unwrap()));
        }
    });
    let client = sansocket::h2::handshake(theirs, &compressing()).await;
    let (client, connection) = client.unwrap();
    tokio::spawn(connection);
    let connect = async || {
        let (request, config) = (chat(), compressing());
        let connecting = sansocket::h2::connect(&client, &request, &config);
        soon(connecting).await.unwrap()
    };
    survives(&config, connect).await;
}

#[tokio::test]
async fn axum_server_survives() {
    async fn handle(ws: sansocket::axum::WebSocketUpgrade) -> axum::response::Response {
        ws.on_upgrade(async |mut socket| {
            while let Some(Ok(message)) = socket.recv().await {
                if socket.send(message).await.is_err() {
                    return;
                }
            }
        })
    }
    let config = limited();
    let route = axum::routing::any(handle).layer(axum::Extension(config.clone()));
    let addr = serve(axum::Router::new().route("/", route)).await;
    survives(&config, async || connect(to(addr, "/")).await.unwrap()).await;
}
