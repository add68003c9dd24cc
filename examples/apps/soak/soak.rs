//! One run over one adapter: how long, how many connections, and their accounts.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use sansocket::Config;
use sansocket::deflate::Options;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::account::Books;
use crate::faults::Faults;
use crate::noise::Noise;
use crate::plan::{Plan, Side};
use crate::script::End;

/// Connections that are open all the time and send little.
pub(crate) const IDLE_CONNECTIONS: u64 = 8;

/// The path by which they are known, and how long they wait.
pub(crate) const IDLE_PATH: &str = "/idle";
pub(crate) const IDLE: Duration = Duration::from_millis(200);

/// What the README promises for an idle connection.
const MAX_IDLE_LEN: usize = 1024;

/// The system's own buffers let a thousand connections exceed what it gives to TCP:
/// it drops packets, and retransmits after minutes.
const BUFFER_LENS: [usize; 2] = [1 << 14, 1 << 16];

#[derive(Debug)]
pub(crate) struct Soak {
    pub(crate) connections: u64,
    pub(crate) books: Books,
    pub(crate) start: Instant,
    /// When no more messages and connections are begun.
    pub(crate) until: Instant,
    seed: u64,
    addr: SocketAddr,
    /// How many connections, and how many faulty transports, were made.
    opened: AtomicU64,
    transports: AtomicU64,
}

impl Soak {
    /// With the listener of its server.
    pub(crate) fn new(
        duration: Duration,
        connections: u64,
        seed: u64,
    ) -> io::Result<(Arc<Self>, TcpListener)> {
        let listener = listen()?;
        let start = Instant::now();
        let soak = Self {
            connections,
            books: Books::default(),
            start,
            until: start + duration,
            seed,
            addr: listener.local_addr()?,
            opened: AtomicU64::new(0),
            transports: AtomicU64::new(0),
        };
        Ok((Arc::new(soak), listener))
    }

    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// The client's end of a new connection.
    pub(crate) fn open(self: &Arc<Self>) -> End {
        self.open_as(|plan| plan)
    }

    /// With another plan than its own.
    pub(crate) fn open_as(self: &Arc<Self>, change: impl FnOnce(Plan) -> Plan) -> End {
        let id = self.opened.fetch_add(1, Relaxed);
        let plan = change(Plan::new(self.seed, id));
        End {
            soak: self.clone(),
            ledger: self.books.open(id, plan),
            side: Side::Client,
        }
    }

    /// The server's end of the connection with this path.
    pub(crate) fn find(self: &Arc<Self>, path: &str, faults: &Faults) -> Option<End> {
        let Some(ledger) = self.books.find(path) else {
            self.books.fault(format!("a request for {path}"));
            return None;
        };
        let end = End {
            soak: self.clone(),
            ledger,
            side: Side::Server,
        };
        faults.arm(&end);
        Some(end)
    }

    pub(crate) fn faults(&self) -> Arc<Faults> {
        Faults::new(self.seed ^ self.transports.fetch_add(1, Relaxed))
    }

    /// Deadlines are not what this is about: on a machine that does much else, any of
    /// them may come.
    pub(crate) fn config(&self) -> Config {
        let long = Duration::from_secs(300);
        Config::new()
            .with_handshake_timeout(long)
            .with_ping_interval(Duration::from_secs(5))
            .with_pong_timeout(long)
            .with_close_timeout(long)
            .with_write_timeout(long)
    }

    pub(crate) fn client_config(&self, plan: &Plan) -> Config {
        if !plan.is_compressed {
            return self.config();
        }
        let options = Options::new()
            .with_context_takeover(plan.takes_context_over)
            .with_peer_context_takeover(plan.takes_context_over);
        self.config().with_deflate(options)
    }

    /// Clients decide whether there is compression.
    pub(crate) fn server_config(&self) -> Config {
        let options = Options::new()
            .with_context_takeover(true)
            .with_peer_context_takeover(true);
        self.config().with_deflate(options)
    }

    /// A blocking stream to the server.
    pub(crate) fn dial(&self) -> io::Result<TcpStream> {
        let number = self.transports.load(Relaxed);
        let mut noise = Noise::new(self.seed ^ number);
        let socket = socket(noise.choose(&BUFFER_LENS))?;
        // Each address has its own ports, of which many wait for their next use.
        let source = Ipv4Addr::new(127, 0, 0, 1 + (number % 250) as u8);
        socket.bind(&SockAddr::from(SocketAddr::from((source, 0))))?;
        socket.connect(&self.addr.into())?;
        socket.set_tcp_nodelay(true)?;
        Ok(socket.into())
    }

    /// The memory that an idle connection holds, at first and now.
    pub(crate) fn check_idle(&self, first: usize, now: usize) {
        if now > first.max(MAX_IDLE_LEN) || first > MAX_IDLE_LEN {
            self.books
                .fault(format!("an idle connection holds {first} B, then {now} B"));
        }
    }
}

/// Buffers of a certain size, rather than what the system grows them to.
fn socket(buffer_len: usize) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_send_buffer_size(buffer_len)?;
    socket.set_recv_buffer_size(buffer_len)?;
    Ok(socket)
}

fn listen() -> io::Result<TcpListener> {
    let socket = socket(BUFFER_LENS[1])?;
    socket.bind(&SockAddr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))))?;
    socket.listen(4096)?;
    Ok(socket.into())
}
