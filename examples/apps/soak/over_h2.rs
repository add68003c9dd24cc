//! HTTP/2: several WebSockets share a connection, and its faults.

use std::net;
use std::sync::Arc;

use futures_util::future::join_all;
use sansocket::Request;
use sansocket::h2::{self, MAX_WINDOW, WebSocket};

use crate::faults::Faults;
use crate::over_tokio::{RUNTIME, Stream, run as run_on_tokio, stream};
use crate::polled::{Failure, Opening, idle, run as run_end, run_tasks, serve};
use crate::script::End;
use crate::soak::{IDLE_PATH, Soak};

/// How many share a connection.
const GROUP: usize = 3;

pub(crate) fn run(soak: &Arc<Soak>, listener: net::TcpListener) -> Result<(), Failure> {
    let work = |soak: Arc<Soak>| async move {
        while !soak.is_over() {
            run_group(&soak).await;
        }
    };
    let count = soak.connections.div_ceil(GROUP as u64);
    let clients = run_tasks(soak, RUNTIME, count, work, run_idle);
    run_on_tokio(soak, listener, serve_connection, clients)
}

async fn serve_connection(soak: Arc<Soak>, stream: Stream) -> Result<(), Failure> {
    let faults = stream.faults.clone();
    let mut connection = ::h2::server::Builder::new()
        .enable_connect_protocol()
        .initial_connection_window_size(MAX_WINDOW)
        .handshake(stream)
        .await?;
    // An error is one that was planned, or the client reports it.
    while let Some(Ok((request, respond))) = connection.accept().await {
        let path = request.uri().path().to_owned();
        let ws = h2::accept(request, respond, &soak.server_config(), Request::accept)?;
        let Some(ws) = ws else { continue };
        let (soak, faults) = (soak.clone(), faults.clone());
        tokio::spawn(async move { serve(ws, (soak, &path), &faults, RUNTIME).await });
    }
    Ok(())
}

/// Opens a connection with several WebSockets, and runs them.
async fn run_group(soak: &Arc<Soak>) {
    let mut ends = vec![soak.open()];
    let first = ends[0].ledger.plan;
    ends.extend((1..GROUP).map(|_| soak.open_as(|plan| plan.beside(&first))));
    let faults = soak.faults();
    match open(soak, &faults, ends.iter().map(End::opening)).await {
        Ok(sockets) => {
            for end in &ends {
                faults.arm(end);
                end.ledger.open();
            }
            let pairs = sockets.into_iter().zip(ends);
            join_all(pairs.map(|(ws, end)| run_end(ws, end, RUNTIME))).await;
        }
        Err(failure) => {
            for end in ends {
                soak.books.strike(&end.ledger, &failure);
            }
        }
    }
}

async fn open(
    soak: &Soak,
    faults: &Arc<Faults>,
    openings: impl Iterator<Item = Opening>,
) -> Result<Vec<WebSocket>, Failure> {
    let stream = stream(soak.dial()?, faults.clone())?;
    let (client, connection) = h2::handshake(stream, &soak.config()).await?;
    tokio::spawn(connection);
    let mut sockets = Vec::new();
    for opening in openings {
        let request = opening.request("ws")?;
        sockets.push(h2::connect(&client, &request, &opening.config).await?);
    }
    Ok(sockets)
}

async fn run_idle(soak: Arc<Soak>) -> Result<(), Failure> {
    let (config, path) = (soak.config(), IDLE_PATH.into());
    let openings = [Opening { config, path }].into_iter();
    for ws in open(&soak, &soak.faults(), openings).await? {
        idle(ws, &soak, RUNTIME).await?;
    }
    Ok(())
}
