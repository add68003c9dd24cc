//! The blocking adapter within TLS, as a client and as a server: both
//! directions at once, deadlines, and an orderly end.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivateKeyDer;
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConfig, ServerConnection,
    StreamOwned,
};
use sansocket::adapter::{ConnectStep, Connector, Error, Tls};
use sansocket::blocking::{self, Client, Duplex, Socket, Stream, TlsStream, WebSocket};
use sansocket::{Agreement, Config, ConnectionError, DeadlineReason, Role};

/// A server for `localhost`, and who trusts it.
pub(crate) static SERVER: LazyLock<(Arc<ServerConfig>, RootCertStore, Tls)> = LazyLock::new(|| {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let tls = Tls::roots(roots.clone()).unwrap();
    (Arc::new(config), roots, tls)
});

pub(crate) fn client_config() -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(SERVER.1.clone())
        .with_no_client_auth()
}

pub(crate) fn session() -> ServerConnection {
    ServerConnection::new(SERVER.0.clone()).unwrap()
}

pub(crate) fn client_session() -> ClientConnection {
    let name = "localhost".try_into().unwrap();
    ClientConnection::new(Arc::new(client_config()), name).unwrap()
}

/// Serves one connection.
fn serve<T: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (String, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("wss://localhost:{}", listener.local_addr().unwrap().port());
    let thread = thread::spawn(move || serve(listener.accept().unwrap().0));
    (url, thread)
}

/// A server whose TLS stream can be split.
fn accept(tcp: TcpStream, config: &Config) -> WebSocket<Stream> {
    let stream = Stream::from(TlsStream::new(tcp, session()));
    let mut ws = WebSocket::server(stream, config).with_socket(Socket::stream());
    let Ok(Some(sansocket::Event::Request(request))) = ws.next_event() else {
        panic!("no request")
    };
    ws.respond(request.accept()).unwrap();
    ws
}

fn connect(url: &str, config: &Config) -> Client {
    let connector = Connector::new(config).with_tls(SERVER.2.clone());
    blocking::connect_with(url, &connector).unwrap()
}

#[track_caller]
fn within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, done) = mpsc::channel();
    thread::spawn(move || sender.send(work()));
    done.recv_timeout(limit).expect("it hangs")
}

fn timeout_of<T>(result: Result<T, Error>) -> Option<DeadlineReason> {
    match result {
        Err(Error::Failed(ConnectionError::Timeout(reason))) => Some(reason),
        _ => None,
    }
}

// Requirement 10
#[test]
fn halves_in_tls_send_and_receive_at_once() {
    const LEN: usize = 4 << 20;
    let exchange = |ws: WebSocket<Stream>| {
        let (mut reader, mut writer) = ws.split();
        let sending = thread::spawn(move || {
            writer.send(vec![7; LEN]).unwrap();
            writer
        });
        assert_eq!(reader.next().unwrap().unwrap().len(), LEN);
        let mut writer = sending.join().unwrap();
        writer.close(1000, "").unwrap();
        assert_eq!(reader.next().unwrap(), None);
        assert!(reader.outcome().unwrap().clean);
    };
    within(Duration::from_secs(60), move || {
        let (url, server) = serve(move |tcp| exchange(accept(tcp, &Config::new())));
        exchange(connect(&url, &Config::new()));
        server.join().unwrap();
    });
}

// Requirement 15
#[test]
fn write_deadline_is_kept_behind_tls() {
    // Half of it is more than a busy machine loses.
    const TIMEOUT: Duration = Duration::from_secs(2);
    for is_split in [false, true] {
        let (url, server) = serve(|tcp| accept(tcp, &Config::new()));
        let mut ws = connect(&url, &Config::new().with_write_timeout(TIMEOUT));
        let silent = server.join().unwrap();
        let mut last = Instant::now();
        // Small ones, so that the end comes at any place of the buffers.
        let mut send: Box<dyn FnMut() -> Result<(), Error>> = if is_split {
            let (_reader, mut writer) = ws.split();
            Box::new(move || writer.send(vec![7; 60_000]))
        } else {
            Box::new(move || ws.send(vec![7; 60_000]))
        };
        let error = loop {
            match send() {
                Ok(()) => last = Instant::now(),
                Err(error) => break error,
            }
        };
        assert!(!error.is_would_block(), "the socket blocks");
        assert_eq!(
            timeout_of(Err::<(), _>(error)),
            Some(DeadlineReason::WriteStall)
        );
        assert!(last.elapsed() < TIMEOUT * 7 / 4, "{:?}", last.elapsed());
        drop(silent);
    }
}

// What is encrypted at once takes longer than the write timeout to leave.
#[test]
fn slow_drain_behind_tls_is_no_stall() {
    const LEN: usize = 200_000;
    let (client, server) = crate::tcp::small_pair();
    let server = thread::spawn(move || {
        let stream = StreamOwned::new(session(), Slow(server));
        let (role, agreement) = (Role::Server, Agreement::default());
        let mut ws = WebSocket::upgraded(stream, role, agreement, vec![], &Config::new());
        ws.next().unwrap().unwrap().len()
    });
    let stream = TlsStream::new(client, client_session());
    stream.complete_handshake(None).unwrap();
    let config = Config::new().with_write_timeout(Duration::from_millis(200));
    let (role, agreement) = (Role::Client, Agreement::default());
    let mut ws = WebSocket::upgraded(stream.into(), role, agreement, vec![], &config)
        .with_socket(Socket::stream());
    ws.send(vec![7; LEN]).unwrap();
    assert_eq!(server.join().unwrap(), LEN);
}

// Requirement 15: the step ends at its deadline, and the stream is as it was.
#[test]
fn handshake_that_times_out_gives_the_stream_its_timeouts_back() {
    const OWN: Option<Duration> = Some(Duration::from_secs(77));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    tcp.set_read_timeout(OWN).unwrap();
    tcp.set_write_timeout(OWN).unwrap();
    let stream = TlsStream::new(tcp, session());
    let error = stream
        .complete_handshake(Some(Duration::from_millis(100)))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(stream.tcp().read_timeout().unwrap(), OWN);
    assert_eq!(stream.tcp().write_timeout().unwrap(), OWN);
}

/// Each read is interrupted once by a signal.
struct Interrupted(TcpStream, AtomicBool);

impl Duplex for Interrupted {
    fn read(&self, buf: &mut [u8]) -> std::io::Result<usize> {
        if self.1.fetch_xor(true, Ordering::Relaxed) {
            return Err(ErrorKind::Interrupted.into());
        }
        Duplex::read(&self.0, buf)
    }

    fn write(&self, bytes: &[u8]) -> std::io::Result<usize> {
        Duplex::write(&self.0, bytes)
    }

    fn flush(&self) -> std::io::Result<()> {
        Duplex::flush(&self.0)
    }
}

#[test]
fn signal_does_not_end_the_handshake() {
    let (url, server) = serve(|tcp| drop(accept(tcp, &Config::new())));
    let addr = url.replace("wss://localhost", "127.0.0.1");
    let tcp = Interrupted(TcpStream::connect(addr).unwrap(), AtomicBool::new(true));
    let connector = Connector::new(&Config::new()).with_tls(SERVER.2.clone());
    blocking::connect_on(tcp, None, "wss://localhost/", &connector).unwrap();
    server.join().unwrap();
}

/// Reads a little at a time.
struct Slow(TcpStream);

impl Read for Slow {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        thread::sleep(Duration::from_millis(20));
        let len = buf.len().min(4096);
        self.0.read(&mut buf[..len])
    }
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

#[test]
fn close_notify_is_sent_by_client_and_server() {
    for is_split in [false, true] {
        let (url, server) = serve(|tcp| {
            let mut ws = WebSocket::server(StreamOwned::new(session(), tcp), &Config::new());
            while let Ok(Some(_)) = ws.next() {}
            let mut stream = ws.into_stream().stream;
            stream.conn.send_close_notify();
            let _ = stream.flush();
            let _ = stream.sock.shutdown(std::net::Shutdown::Write);
            stream.read(&mut [0; 100]).map_err(|error| error.kind())
        });
        let mut ws = connect(&url, &Config::new());
        ws.close(1000, "").unwrap();
        if is_split {
            let (mut reader, _writer) = ws.split();
            assert_eq!(reader.next().unwrap(), None);
        } else {
            assert_eq!(ws.next().unwrap(), None);
        }
        assert_eq!(server.join().unwrap(), Ok(0), "the end, not an error");
    }
    let (url, server) = serve(|tcp| {
        let mut ws = accept(tcp, &Config::new());
        ws.close_and_drain(1000, "").unwrap();
    });
    let mut ws = connect(&url, &Config::new());
    assert_eq!(ws.next().unwrap(), None);
    let mut stream = ws.into_stream().stream;
    assert_eq!(
        stream.read(&mut [0; 100]).map_err(|error| error.kind()),
        Ok(0)
    );
    server.join().unwrap();
}

// Over TCP it is the same.
#[test]
fn peer_that_dies_is_the_end_of_the_stream() {
    let (url, server) = serve(|tcp| {
        let ws = accept(tcp, &Config::new());
        ws.stream()
            .tcp()
            .shutdown(std::net::Shutdown::Both)
            .unwrap();
    });
    let mut ws = connect(&url, &Config::new());
    let ended = ws.next();
    assert!(
        matches!(ended, Err(Error::Failed(ConnectionError::UnexpectedEof))),
        "{ended:?}"
    );
    server.join().unwrap();
}

#[test]
fn received_messages_are_delivered_after_a_write_failed() {
    let (url, server) = serve(|tcp| {
        let mut ws = accept(tcp, &Config::new());
        for message in ["one", "two", "three"] {
            ws.send(message).unwrap();
        }
        ws
    });
    let mut ws = connect(&url, &Config::new());
    let peer = server.join().unwrap();
    // Nothing can be written any more.
    ws.stream()
        .tcp()
        .shutdown(std::net::Shutdown::Write)
        .unwrap();
    assert!(matches!(ws.send("x"), Err(Error::Io(error)) if error.kind() == ErrorKind::BrokenPipe));
    for message in ["one", "two", "three"] {
        assert_eq!(ws.next().unwrap(), Some(message.into()));
    }
    drop(peer);
}

#[test]
fn alpn_is_http_1_1_and_sessions_resume() {
    let kinds = [HandshakeKind::Full, HandshakeKind::Resumed].map(|expected| {
        let (url, server) = serve(|tcp| {
            let mut ws = accept(tcp, &Config::new());
            ws.close_and_drain(1000, "").unwrap();
        });
        let mut ws = connect(&url, &Config::new());
        let tls = ws.stream().tls().expect("TLS");
        let (alpn, kind) = tls.with_session(|session| {
            (
                session.alpn_protocol().map(Vec::from),
                session.handshake_kind(),
            )
        });
        assert_eq!(alpn.as_deref(), Some(&b"http/1.1"[..]));
        while ws.next().unwrap().is_some() {}
        server.join().unwrap();
        (kind, Some(expected))
    });
    // Other tests connect too: the first may be resumed already.
    assert_eq!(kinds[1].0, kinds[1].1);
}

#[test]
fn connect_knows_tls_by_itself() {
    let (url, server) = serve(|tcp| {
        let mut tls = StreamOwned::new(session(), tcp);
        let _ = tls.read(&mut [0; 100]);
    });
    // The platform does not trust this server.
    let Err(Error::Connect { step, error }) = blocking::connect(&url, &Config::new()) else {
        panic!("connected")
    };
    assert_eq!(step, ConnectStep::Tls);
    assert_ne!(error.kind(), ErrorKind::Unsupported);
    server.join().unwrap();
}

#[test]
fn roots_of_the_platform_are_loaded_once() {
    if Tls::platform().is_err() {
        println!("skipped: no roots on this machine");
        return;
    }
    let start = Instant::now();
    for _ in 0..1000 {
        Tls::platform().unwrap();
    }
    assert!(start.elapsed() < Duration::from_secs(1));
}
