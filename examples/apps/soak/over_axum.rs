//! axum's server, with the client of tokio.

use std::net;
use std::sync::Arc;

use axum::extract::Extension;
use axum::http::Uri;
use axum::response::Response;
use axum::routing::any;
use axum::{Router, body};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use sansocket::Error;
use sansocket::axum::{Message, WebSocket, WebSocketUpgrade};
use sansocket::hyper::Writer;

use crate::account::Confirmed;
use crate::faults::Faults;
use crate::over_tokio::{Plain, RUNTIME, Stream, run as run_on_tokio};
use crate::polled::{Failure, Incoming, Outgoing, run_clients, run_halves};
use crate::script::{Act, End};
use crate::soak::{IDLE_PATH, Soak};

pub(crate) fn run(soak: &Arc<Soak>, listener: net::TcpListener) -> Result<(), Failure> {
    let router = Router::new()
        .route("/{connection}", any(answer))
        .layer(Extension(soak.server_config()))
        .layer(Extension(soak.clone()));
    let serve = move |_, stream| serve_connection(router.clone(), stream);
    let clients = run_clients(soak, RUNTIME, Plain);
    run_on_tokio(soak, listener, serve, clients)
}

/// What `axum::serve` does, with the faults of the stream in each request.
async fn serve_connection(router: Router, stream: Stream) -> Result<(), Failure> {
    let faults = stream.faults.clone();
    let service = TowerToHyperService::new(router);
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(body::Body::new);
        request.extensions_mut().insert(faults.clone());
        service.call(request)
    });
    http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await?;
    Ok(())
}

async fn answer(
    ws: WebSocketUpgrade,
    uri: Uri,
    Extension(soak): Extension<Arc<Soak>>,
    Extension(faults): Extension<Arc<Faults>>,
) -> Response {
    ws.on_upgrade(async move |socket| {
        if uri.path() == IDLE_PATH {
            echo(socket, &soak).await;
        } else if let Some(end) = soak.find(uri.path(), &faults) {
            serve(socket, end).await;
        }
    })
}

async fn echo(mut socket: WebSocket, soak: &Soak) {
    while let Some(received) = socket.recv().await {
        let result = match received {
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => socket.send(message).await,
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            soak.books.fault(format!("idle server: {error}"));
        }
    }
}

/// Half of the connections by axum's own API, which closes both directions at once.
async fn serve(socket: WebSocket, end: End) {
    if !end.closes_halves() && end.ledger.id.is_multiple_of(2) {
        let (sink, stream) = socket.split();
        let confirmed = Confirmed::Nothing;
        return run_halves(Received { stream, confirmed }, sink, end, RUNTIME).await;
    }
    let (reader, mut writer) = socket.into_split();
    if end.closes_halves() {
        Writer::with(&mut writer, |connection, _| connection.auto_close(false));
    }
    run_halves(reader, writer, end, RUNTIME).await;
}

struct Received {
    stream: SplitStream<WebSocket>,
    confirmed: Confirmed,
}

impl Incoming for Received {
    async fn next(&mut self) -> Result<Option<sansocket::Message>, Error> {
        loop {
            match self.stream.next().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(inner(error)),
                Some(Ok(Message::Close(_))) => self.confirmed = Confirmed::Received,
                Some(Ok(message)) => {
                    if let Ok(message) = message.try_into() {
                        return Ok(Some(message));
                    }
                }
            }
        }
    }

    async fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn confirmed(&self) -> Confirmed {
        self.confirmed
    }
}

impl Outgoing for SplitSink<WebSocket, Message> {
    async fn act(&mut self, act: Act) -> Result<(), Error> {
        let message = match act {
            Act::Send(message) | Act::Split(message, _) => message.into(),
            Act::Ping(payload) => Message::Ping(payload.into()),
            Act::Pause(_) => return Ok(()),
            Act::Close => Message::Close(None),
        };
        self.send(message).await.map_err(inner)
    }
}

fn inner(error: axum::Error) -> Error {
    match error.into_inner().downcast() {
        Ok(error) => *error,
        Err(other) => Error::Io(std::io::Error::other(other)),
    }
}
