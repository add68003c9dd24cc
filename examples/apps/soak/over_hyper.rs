//! hyper, on both sides.

use std::convert::Infallible;
use std::net;
use std::sync::Arc;

use http_body_util::{Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::handshake;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use sansocket::Request;
use sansocket::adapter::http::offer;
use sansocket::hyper::{WebSocket, connect, on_upgrade};
use sansocket::tokio::Io;

use crate::faults::Faults;
use crate::over_tokio::{RUNTIME, Stream, run as run_on_tokio, stream};
use crate::polled::{Connect, Failure, Opening, run_clients, serve};
use crate::soak::Soak;

pub(crate) fn run(soak: &Arc<Soak>, listener: net::TcpListener) -> Result<(), Failure> {
    let clients = run_clients(soak, RUNTIME, OverHyper);
    run_on_tokio(soak, listener, serve_connection, clients)
}

async fn serve_connection(soak: Arc<Soak>, stream: Stream) -> Result<(), Failure> {
    let faults = stream.faults.clone();
    let service = service_fn(|request| {
        let response = answer(soak.clone(), faults.clone(), request);
        async { Ok::<_, Infallible>(response) }
    });
    http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await?;
    Ok(())
}

fn answer(
    soak: Arc<Soak>,
    faults: Arc<Faults>,
    mut request: hyper::Request<Incoming>,
) -> hyper::Response<Full<Bytes>> {
    let (config, path) = (soak.server_config(), request.uri().path().to_owned());
    let handler = async move |ws| serve(ws, (soak, &path), &faults, RUNTIME).await;
    on_upgrade(&mut request, &config, Request::accept, handler)
}

#[derive(Clone)]
struct OverHyper;

impl Connect for OverHyper {
    type Transport = Io<TokioIo<hyper::upgrade::Upgraded>>;

    async fn connect(
        &self,
        tcp: net::TcpStream,
        faults: &Arc<Faults>,
        opening: Opening,
    ) -> Result<WebSocket, Failure> {
        let stream = stream(tcp, faults.clone())?;
        let (request, offer) = offer(&opening.request("ws")?, &opening.config)?;
        let (mut send, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection.with_upgrades());
        let response = send.send_request(request.map(|()| Empty::<Bytes>::new()));
        Ok(connect(response.await?, &offer, &opening.config).await?)
    }
}
