//! smol, by way of futures-io.

use std::net;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use sansocket::adapter::poll::WebSocket;
use sansocket::futures::{self as ws, Io};
use smol::channel::bounded;
use smol::net::TcpStream;
use smol::{Async, Executor, Timer};

use crate::faults::{Faults, Faulty};
use crate::polled::{Connect, Failure, Opening, Runtime, run_clients, serve};
use crate::soak::Soak;

static EXECUTOR: Executor<'static> = Executor::new();

const RUNTIME: Runtime = Runtime {
    spawn: |future| EXECUTOR.spawn(future).detach(),
    sleep: |duration| Box::pin(sleep(duration)),
};

async fn sleep(duration: Duration) {
    Timer::after(duration).await;
}

pub(crate) fn run(soak: &Arc<Soak>, listener: net::TcpListener) -> Result<(), Failure> {
    let listener = Async::new(listener)?;
    let (stop, stopping) = bounded::<()>(1);
    let second = thread::spawn(move || smol::block_on(EXECUTOR.run(stopping.recv())));
    smol::block_on(EXECUTOR.run(async {
        let server = EXECUTOR.spawn(listen(soak.clone(), listener));
        run_clients(soak, RUNTIME, OverSmol).await;
        server.cancel().await;
    }));
    stop.close();
    let _ = second.join().expect("no panic");
    Ok(())
}

async fn listen(soak: Arc<Soak>, listener: Async<net::TcpListener>) {
    while let Ok((stream, _)) = listener.accept().await {
        let soak = soak.clone();
        let serving = async move {
            if let Err(failure) = accept(soak.clone(), stream.into()).await {
                soak.books.fault(format!("server: {failure}"));
            }
        };
        EXECUTOR.spawn(serving).detach();
    }
}

async fn accept(soak: Arc<Soak>, stream: TcpStream) -> Result<(), Failure> {
    stream.set_nodelay(true)?;
    let faults = soak.faults();
    let stream = Faulty::new(stream, faults.clone());
    let ws = ws::WebSocket::server(stream, &soak.server_config()).with_timer(sleep);
    let mut path = String::new();
    let ws = ws.accept_with(|request| {
        path = request.path().to_owned();
        request.accept()
    });
    if let Some(ws) = ws.await? {
        serve(ws, (soak, &path), &faults, RUNTIME).await;
    }
    Ok(())
}

#[derive(Clone)]
struct OverSmol;

impl Connect for OverSmol {
    type Transport = Io<Faulty<TcpStream>>;

    async fn connect(
        &self,
        tcp: net::TcpStream,
        faults: &Arc<Faults>,
        opening: Opening,
    ) -> Result<WebSocket<Self::Transport>, Failure> {
        let stream = Faulty::new(TcpStream::from(Async::new(tcp)?), faults.clone());
        let request = opening.request("ws")?;
        let ws = ws::WebSocket::client(stream, &request, &opening.config)?.with_timer(sleep);
        Ok(ws.connect().await?)
    }
}
