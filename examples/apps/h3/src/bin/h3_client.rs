//! Opens ten WebSockets over one connection of HTTP/3, all at once; each says
//! its number and prints what comes back.
//! `cargo run --release --manifest-path examples/apps/h3/Cargo.toml --bin h3_client [URL] [CERT]`,
//! with `h3_echo` beside it.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::exit;
use std::time::Duration;
use std::{env, io};

use boring::rand::rand_bytes;
use quiche::ConnectionId;
use sansocket::{ClientRequest, Config, Event, Outcome, SendError};
use sansocket_h3::{Application, Session, Socket};
use tokio::net::UdpSocket;
use tokio::{net, time};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let url = args.next().unwrap_or_else(|| "wss://localhost:9445".into());
    let made = env::temp_dir().join("sansocket-cert.pem");
    let cert = args.next().map_or(made, PathBuf::from);
    let request = ClientRequest::to(&url)?;

    let (udp, mut session) = dial(&request, sansocket_h3::client(&cert)?).await?;
    for _ in 0..10 {
        session.connect(request.clone());
    }
    let mut greeter = Greeter {
        opened: 0,
        left: 10,
        failed: None,
    };
    run(&udp, &mut session, &mut greeter).await?;
    if let Some(error) = greeter.failed {
        eprintln!("{error}");
        exit(1);
    }
    Ok(())
}

/// What the program does with its WebSockets.
struct Greeter {
    opened: u32,
    left: u32,
    failed: Option<Box<dyn Error>>,
}

impl Greeter {
    fn check(&mut self, sent: Result<(), SendError>) {
        self.failed = sent.err().map(Into::into).or(self.failed.take());
    }
}

impl Application for Greeter {
    fn opened(&mut self, socket: &mut Socket) {
        let greeting = format!("I am number {}", self.opened);
        self.opened += 1;
        self.check(socket.send(&greeting));
    }

    fn received(&mut self, socket: &mut Socket, event: Event<'_>) {
        if let Event::Message(message) = event {
            println!("{:?}", message.as_text());
            self.check(socket.close(1000, ""));
        }
    }

    fn ended(&mut self, result: Result<&Outcome, sansocket_h3::Error>) {
        self.left -= 1;
        match result {
            Ok(outcome) if outcome.clean => {}
            Ok(outcome) => self.failed = Some(format!("{outcome:?}").into()),
            Err(error) => self.failed = Some(error.into()),
        }
    }
}

/// Begins a connection of QUIC.
async fn dial(
    request: &ClientRequest,
    mut quic: quiche::Config,
) -> Result<(UdpSocket, Session), Box<dyn Error>> {
    let uri = request.uri();
    let addrs = net::lookup_host((uri.host(), uri.port())).await?;
    // No answer is no refusal, so it takes the family that servers have.
    let peer = addrs.max_by_key(SocketAddr::is_ipv4).ok_or("no address")?;
    let any = if peer.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    };
    let udp = UdpSocket::bind(any).await?;
    let mut id = [0; 16];
    rand_bytes(&mut id)?;
    let (id, local) = (ConnectionId::from_ref(&id), udp.local_addr()?);
    let quic = quiche::connect(Some(uri.host()), &id, local, peer, &mut quic)?;
    Ok((udp, Session::new(quic, &Config::new())))
}

/// Until the connection is over, which is shut down once the last WebSocket is.
async fn run(udp: &UdpSocket, session: &mut Session, greeter: &mut Greeter) -> io::Result<()> {
    let (local, mut buf) = (udp.local_addr()?, vec![0; 64 * 1024]);
    loop {
        session.drive(&mut buf, greeter);
        if greeter.left == 0 {
            session.shut_down();
            session.drive(&mut buf, greeter);
        }
        sansocket_h3::send(udp, session).await?;
        if session.is_closed() {
            return Ok(());
        }
        tokio::select! {
            ready = udp.readable() => {
                ready?;
                sansocket_h3::receive(udp, &mut buf, |datagram, from| {
                    session.receive(datagram, from, local);
                })?;
            }
            () = time::sleep(session.timeout().unwrap_or(Duration::MAX)) => {}
        }
    }
}
