//! tokio, with and without TLS.

use std::net;
use std::sync::Arc;

use sansocket::adapter::Connector;
use sansocket::adapter::poll::WebSocket;
use sansocket::tokio::{self as ws, Io, accept_on, connect_on};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::faults::{Faults, Faulty};
use crate::polled::{Connect, Failure, Opening, Runtime, run_clients, serve};
use crate::soak::Soak;
use crate::tls::Identity;

pub(crate) const RUNTIME: Runtime = Runtime {
    spawn: |future| drop(tokio::spawn(future)),
    sleep: |duration| Box::pin(tokio::time::sleep(duration)),
};

pub(crate) type Stream = Faulty<TcpStream>;

/// A stream of tokio's runtime.
pub(crate) fn stream(stream: net::TcpStream, faults: Arc<Faults>) -> Result<Stream, Failure> {
    stream.set_nonblocking(true)?;
    Ok(Faulty::new(TcpStream::from_std(stream)?, faults))
}

/// Runs `clients` beside a server that passes each connection to `serve`.
pub(crate) fn run<F>(
    soak: &Arc<Soak>,
    listener: net::TcpListener,
    serve: impl Fn(Arc<Soak>, Stream) -> F + Send + Sync + 'static,
    clients: impl Future<Output = ()>,
) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        tokio::spawn(listen(soak.clone(), listener, serve));
        clients.await;
        Ok(())
    })
}

async fn listen<F>(
    soak: Arc<Soak>,
    listener: TcpListener,
    serve: impl Fn(Arc<Soak>, Stream) -> F + Send + 'static,
) where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let serving = serve(soak.clone(), Faulty::new(stream, soak.faults()));
        let soak = soak.clone();
        tokio::spawn(async move {
            if let Err(failure) = serving.await {
                soak.books.fault(format!("server: {failure}"));
            }
        });
    }
}

/// The opening handshake of a server, and what follows.
async fn accept<S>(soak: Arc<Soak>, stream: S, faults: &Faults) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (config, mut path) = (soak.server_config(), String::new());
    let ws = accept_on(stream, &config, |request| {
        path = request.path().to_owned();
        request.accept()
    });
    if let Some(ws) = ws.await? {
        serve(ws, (soak, &path), faults, RUNTIME).await;
    }
    Ok(())
}

pub(crate) fn run_plain(soak: &Arc<Soak>, listener: net::TcpListener) -> Result<(), Failure> {
    let serve = async |soak, stream: Stream| {
        let faults = stream.faults.clone();
        accept(soak, stream, &faults).await
    };
    run(soak, listener, serve, run_clients(soak, RUNTIME, Plain))
}

pub(crate) fn run_tls(soak: &Arc<Soak>, listener: net::TcpListener) -> Result<(), Failure> {
    let identity = Identity::new()?;
    let acceptor = TlsAcceptor::from(identity.server.clone());
    let serve = move |soak, stream: Stream| {
        let (acceptor, faults) = (acceptor.clone(), stream.faults.clone());
        async move {
            let stream = acceptor.accept(stream).await?;
            accept(soak, stream, &faults).await
        }
    };
    let clients = run_clients(soak, RUNTIME, OverTls(identity));
    run(soak, listener, serve, clients)
}

/// A client without TLS.
#[derive(Clone)]
pub(crate) struct Plain;

impl Connect for Plain {
    type Transport = Io<Stream>;

    async fn connect(
        &self,
        tcp: net::TcpStream,
        faults: &Arc<Faults>,
        opening: Opening,
    ) -> Result<WebSocket<Self::Transport>, Failure> {
        let stream = stream(tcp, faults.clone())?;
        let request = opening.request("ws")?;
        let ws = ws::WebSocket::client(stream, &request, &opening.config)?;
        Ok(ws.connect().await?)
    }
}

#[derive(Clone)]
struct OverTls(Identity);

impl Connect for OverTls {
    type Transport = ws::Stream<Stream>;

    async fn connect(
        &self,
        tcp: net::TcpStream,
        faults: &Arc<Faults>,
        opening: Opening,
    ) -> Result<WebSocket<Self::Transport>, Failure> {
        let stream = stream(tcp, faults.clone())?;
        let connector = Connector::new(&opening.config).with_tls(self.0.client.clone());
        Ok(connect_on(stream, opening.request("wss")?, &connector).await?)
    }
}
