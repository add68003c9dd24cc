//! Two ends joined in memory.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use quiche::ConnectionId;
use sansocket::{Answer, Config, Event, Message, Outcome, Request};
use sansocket_h3::{Application, Error, Session, Socket};

pub(crate) const CLIENT: &str = "127.0.0.1:1001";
pub(crate) const SERVER: &str = "127.0.0.1:1002";

pub(crate) fn addr(addr: &str) -> SocketAddr {
    addr.parse().unwrap()
}

/// A file that no other test uses.
pub(crate) fn file(name: &str) -> PathBuf {
    let (process, thread) = (std::process::id(), std::thread::current().id());
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{process}-{thread:?}-{name}"))
}

/// Both ends of a connection that has yet to be established.
pub(crate) fn quic() -> (quiche::Connection, quiche::Connection) {
    let cert = file("cert.pem");
    let mut server = sansocket_h3::server(&cert).unwrap();
    let mut client = sansocket_h3::client(&cert).unwrap();
    let (here, there) = (addr(CLIENT), addr(SERVER));
    let id = ConnectionId::from_ref(b"client's id");
    let client = quiche::connect(Some("localhost"), &id, here, there, &mut client).unwrap();
    let id = ConnectionId::from_ref(b"server's id");
    let server = quiche::accept(&id, None, there, here, &mut server).unwrap();
    (client, server)
}

/// One end of a link.
pub(crate) trait End {
    /// Does all that can be done without the other end.
    fn step(&mut self);
    /// The test has used it.
    fn touch(&mut self) {}
    fn send(&mut self, datagram: &mut [u8]) -> Option<usize>;
    fn receive(&mut self, datagram: &mut [u8]);
}

/// Passes datagrams on until this is so, which must be soon.
#[track_caller]
pub(crate) fn until<A: End, B: End>(
    a: &mut A,
    b: &mut B,
    mut is_so: impl FnMut(&mut A, &mut B) -> bool,
) {
    let start = Instant::now();
    a.touch();
    b.touch();
    loop {
        a.step();
        b.step();
        if is_so(a, b) {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "too late");
        if !(pass(a, b) | pass(b, a)) {
            sleep(Duration::from_millis(1));
        }
    }
}

fn pass(from: &mut impl End, to: &mut impl End) -> bool {
    let (mut datagram, mut any) = ([0; 1500], false);
    while let Some(len) = from.send(&mut datagram) {
        to.receive(&mut datagram[..len]);
        any = true;
    }
    any
}

/// A session with an application that writes down what happens.
pub(crate) struct Node {
    pub(crate) session: Session,
    pub(crate) app: Recorder,
    peer: SocketAddr,
    local: SocketAddr,
    buf: Vec<u8>,
    /// Whether it must be driven, besides when its timeout has passed.
    is_due: bool,
    /// Bytes of all datagrams.
    pub(crate) received_len: usize,
}

#[derive(Default)]
pub(crate) struct Recorder {
    /// Sent on every socket that opens.
    pub(crate) greetings: Vec<Message>,
    pub(crate) echoes: bool,
    /// Closes every socket after this many messages.
    pub(crate) closes_after: Option<usize>,
    pub(crate) refuses_with: Option<u16>,
    pub(crate) opened: usize,
    pub(crate) messages: Vec<(u64, Message)>,
    pub(crate) ended: Vec<Result<Outcome, Error>>,
}

impl Application for Recorder {
    fn answer(&mut self, request: &Request) -> Answer {
        self.refuses_with
            .map_or_else(|| request.accept(), Answer::new)
    }

    fn opened(&mut self, socket: &mut Socket) {
        self.opened += 1;
        for greeting in &self.greetings {
            socket.send(greeting).unwrap();
        }
    }

    fn received(&mut self, socket: &mut Socket, event: Event<'_>) {
        let Event::Message(message) = event else {
            return;
        };
        if self.echoes {
            let _ = socket.send(message.clone());
        }
        self.messages.push((socket.id(), message.into_owned()));
        let of_socket = self.messages.iter().filter(|(id, _)| *id == socket.id());
        if self.closes_after == Some(of_socket.count()) {
            socket.close(1000, "").unwrap();
        }
    }

    fn ended(&mut self, result: Result<&Outcome, Error>) {
        self.ended.push(result.cloned());
    }
}

impl Node {
    pub(crate) fn client(quic: quiche::Connection, config: &Config) -> Self {
        Self::new(quic, config, CLIENT, SERVER)
    }

    pub(crate) fn server(quic: quiche::Connection, config: &Config) -> Self {
        Self::new(quic, config, SERVER, CLIENT)
    }

    fn new(quic: quiche::Connection, config: &Config, local: &str, peer: &str) -> Self {
        Self {
            session: Session::new(quic, config),
            app: Recorder::default(),
            peer: addr(peer),
            local: addr(local),
            buf: vec![0; 16 * 1024],
            is_due: true,
            received_len: 0,
        }
    }

    /// How all WebSockets ended, with the code.
    pub(crate) fn codes(&self) -> Vec<u16> {
        let code = |end: &Result<Outcome, Error>| u16::from(end.as_ref().unwrap().code);
        self.app.ended.iter().map(code).collect()
    }
}

impl End for Node {
    /// No more often than a program would, which sleeps in between.
    fn step(&mut self) {
        if self.is_due || self.session.timeout() == Some(Duration::ZERO) {
            self.is_due = false;
            self.session.drive(&mut self.buf, &mut self.app);
        }
    }

    fn touch(&mut self) {
        self.is_due = true;
    }

    fn send(&mut self, datagram: &mut [u8]) -> Option<usize> {
        self.session.send(datagram).map(|(len, _)| len)
    }

    fn receive(&mut self, datagram: &mut [u8]) {
        self.is_due = true;
        self.received_len += datagram.len();
        self.session.receive(datagram, self.peer, self.local);
    }
}

/// An end that is not there.
pub(crate) struct Nobody;

impl End for Nobody {
    fn step(&mut self) {}

    fn send(&mut self, _: &mut [u8]) -> Option<usize> {
        None
    }

    fn receive(&mut self, _: &mut [u8]) {}
}
