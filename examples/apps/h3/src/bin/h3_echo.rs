//! The echo server by HTTP/3 (RFC 9220): many WebSockets share one connection of
//! QUIC. The certificate is made at start and written to CERT. Ctrl-C closes
//! every WebSocket with 1001.
//! `cargo run --release --manifest-path examples/apps/h3/Cargo.toml --bin h3_echo [ADDR] [CERT]`,
//! with `h3_client` beside it.

use std::collections::HashMap;
use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;
use std::{env, io};

use quiche::{ConnectionId, Header, Type};
use sansocket::{Answer, Config, Event, Outcome, Request};
use sansocket_h3::{Application, Session, Socket};
use tokio::net::UdpSocket;
use tokio::{signal, time};

#[path = "../../../../common/mod.rs"]
mod common;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let addr = args.next().unwrap_or_else(|| "127.0.0.1:9445".into());
    let made = env::temp_dir().join("sansocket-cert.pem");
    let cert = args.next().map_or(made, PathBuf::from);
    let mut server = Server::bind(&addr, sansocket_h3::server(&cert)?).await?;
    println!("listening on wss://{}", server.local);
    server.run().await?;
    println!("stopped");
    Ok(())
}

/// What the program does with its WebSockets.
struct Echo;

impl Application for Echo {
    fn answer(&mut self, request: &Request) -> Answer {
        common::answer(request)
    }

    fn received(&mut self, socket: &mut Socket, event: Event<'_>) {
        if let Event::Message(message) = event {
            // An error if it is closing: then nobody waits for the echo.
            let _ = socket.send(message);
        }
    }

    fn ended(&mut self, result: Result<&Outcome, sansocket_h3::Error>) {
        if let Err(error) = result {
            eprintln!("{error}");
        }
    }
}

/// One UDP socket with all connections of QUIC.
struct Server {
    udp: UdpSocket,
    local: SocketAddr,
    quic: quiche::Config,
    config: Config,
    sessions: HashMap<ConnectionId<'static>, Session>,
    seed: RandomState,
    is_stopping: bool,
    buf: Vec<u8>,
}

impl Server {
    async fn bind(addr: &str, quic: quiche::Config) -> io::Result<Self> {
        let udp = UdpSocket::bind(addr).await?;
        Ok(Self {
            local: udp.local_addr()?,
            udp,
            quic,
            config: common::config(),
            sessions: HashMap::new(),
            seed: RandomState::new(),
            is_stopping: false,
            buf: vec![0; 64 * 1024],
        })
    }

    /// Until Ctrl-C, and then until the last connection is over.
    async fn run(&mut self) -> io::Result<()> {
        // Made once: an interrupt between two of them would be lost.
        let mut interrupt = pin!(signal::ctrl_c());
        while !self.is_stopping || !self.sessions.is_empty() {
            let timeouts = self.sessions.values().filter_map(Session::timeout);
            let timeout = timeouts.min().unwrap_or(Duration::MAX);
            tokio::select! {
                ready = self.udp.readable() => { ready?; self.receive()?; }
                () = time::sleep(timeout) => {}
                stop = &mut interrupt, if !self.is_stopping => { stop?; self.stop(); }
            }
            for session in self.sessions.values_mut() {
                session.drive(&mut self.buf, &mut Echo);
                sansocket_h3::send(&self.udp, session).await?;
            }
            self.sessions.retain(|_, session| !session.is_closed());
        }
        Ok(())
    }

    fn stop(&mut self) {
        self.is_stopping = true;
        self.sessions.values_mut().for_each(Session::shut_down);
    }

    fn receive(&mut self) -> io::Result<()> {
        let (sessions, seed, local) = (&mut self.sessions, &self.seed, self.local);
        let accepts = !self.is_stopping;
        sansocket_h3::receive(&self.udp, &mut self.buf, |datagram, from| {
            let Ok(header) = Header::from_slice(datagram, size_of::<u64>()) else {
                return;
            };
            // A client's first datagrams have an id of its own choice.
            let known = sessions.contains_key(&header.dcid);
            let id = if known {
                header.dcid
            } else {
                id_for(&header.dcid, seed)
            };
            if accepts && header.ty == Type::Initial && !sessions.contains_key(&id) {
                // A server on the internet first validates the address with a
                // Retry packet (RFC 9000 §8.1.2), and limits connections.
                if let Ok(quic) = quiche::accept(&id, None, local, from, &mut self.quic) {
                    sessions.insert(id.clone(), Session::new(quic, &self.config));
                }
            }
            if let Some(session) = sessions.get_mut(&id) {
                session.receive(datagram, from, local);
            }
        })
    }
}

/// The id that this server gives a connection, which nobody else can foresee.
fn id_for(id: &ConnectionId<'_>, seed: &RandomState) -> ConnectionId<'static> {
    ConnectionId::from_vec(seed.hash_one(id.as_ref()).to_be_bytes().into())
}
