//! Opening handshakes of servers.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned,
};

use super::load::shaken;
use super::process::Process;
use super::server::{Extra, HANDSHAKE, Server, TLS};
use super::spinner::Spinners;
use super::{Effort, cores};
use crate::measure::median;

/// The medians of one server.
pub struct Handshakes {
    pub name: &'static str,
    pub is_secure: bool,
    /// Handshakes a second.
    pub rate: f64,
    /// CPU microseconds of the server for each, including accept and close.
    pub cpu: f64,
}

/// Connections opened at a time.
const WAVE: usize = 64;

/// The request of a browser.
const REQUEST: &[u8] = b"GET /?room=12 HTTP/1.1\r\nHost: chat.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: */*\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
    Sec-WebSocket-Version: 13\r\nOrigin: http://chat.example.com\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nConnection: keep-alive, Upgrade\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\nSec-Fetch-Dest: empty\r\n\
    Sec-Fetch-Mode: websocket\r\nSec-Fetch-Site: same-origin\r\nPragma: no-cache\r\n\
    Cache-Control: no-cache\r\nUpgrade: websocket\r\n\r\n";

/// One server, and its rate and CPU microseconds in each round.
struct Lane {
    server: &'static Server,
    wave: Wave,
    process: Process,
    rates: Vec<f64>,
    cpu: Vec<f64>,
}

/// Opens [`WAVE`] connections and closes them.
type Wave = fn(SocketAddr, &Arc<ClientConfig>) -> io::Result<()>;

/// Runs all servers, first over TCP, then over TLS.
pub fn run(effort: Effort) -> io::Result<Vec<Handshakes>> {
    cores::pin_load();
    let config = Arc::new(client_config());
    let mut handshakes = race(HANDSHAKE, plain, &config, effort)?;
    handshakes.extend(race(TLS, secure, &config, effort)?);
    Ok(handshakes)
}

fn race(
    servers: &'static [Server],
    wave: Wave,
    config: &Arc<ClientConfig>,
    effort: Effort,
) -> io::Result<Vec<Handshakes>> {
    let start = |server| Lane::start(server, wave, config);
    let mut lanes = servers.iter().map(start).collect::<io::Result<Vec<_>>>()?;
    let _spinners = Spinners::start();
    for round in 0..effort.rounds {
        let first = round % lanes.len();
        lanes.rotate_left(first);
        for lane in &mut lanes {
            lane.turn(config, effort)?;
        }
        lanes.rotate_right(first);
    }
    Ok(lanes.iter_mut().map(Lane::handshakes).collect())
}

impl Lane {
    /// Starts the server. Its first connections are not measured.
    fn start(server: &'static Server, wave: Wave, config: &Arc<ClientConfig>) -> io::Result<Self> {
        let process = Process::start(server, Extra::Nothing)?;
        wave(process.addr, config)?;
        Ok(Self {
            server,
            wave,
            process,
            rates: Vec::new(),
            cpu: Vec::new(),
        })
    }

    fn turn(&mut self, config: &Arc<ClientConfig>, effort: Effort) -> io::Result<()> {
        let before = self.process.usage()?.cpu;
        let (started, mut count) = (Instant::now(), 0);
        while started.elapsed() < effort.turn * 2 {
            (self.wave)(self.process.addr, config)?;
            count += WAVE;
        }
        let count = count as f64;
        self.rates.push(count / started.elapsed().as_secs_f64());
        let cpu = self.process.usage()?.cpu - before;
        self.cpu.push(cpu as f64 / count);
        Ok(())
    }

    fn handshakes(&mut self) -> Handshakes {
        Handshakes {
            name: self.server.name,
            is_secure: self.server.list() == "tls",
            rate: median(&mut self.rates),
            cpu: median(&mut self.cpu),
        }
    }
}

fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(addr)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn plain(addr: SocketAddr, _: &Arc<ClientConfig>) -> io::Result<()> {
    let open = |_| {
        let mut stream = connect(addr)?;
        stream.write_all(REQUEST)?;
        Ok(stream)
    };
    let mut streams = (0..WAVE).map(open).collect::<io::Result<Vec<_>>>()?;
    streams.iter_mut().try_for_each(shaken)
}

fn secure(addr: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<()> {
    let open = |_| {
        let mut stream = connect(addr)?;
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let session = ClientConnection::new(Arc::clone(config), name);
        let mut session = session.map_err(io::Error::other)?;
        session.write_tls(&mut stream)?;
        Ok(StreamOwned::new(session, stream))
    };
    let mut streams = (0..WAVE).map(open).collect::<io::Result<Vec<_>>>()?;
    streams
        .iter_mut()
        .try_for_each(|stream| stream.write_all(REQUEST))?;
    streams.iter_mut().try_for_each(shaken)
}

/// Without resumption, and without verifying the certificate, so that the load is light.
fn client_config() -> ClientConfig {
    let config = ClientConfig::builder().dangerous();
    let mut config = config
        .with_custom_certificate_verifier(Arc::new(Trusting(ring::default_provider())))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config
}

#[derive(Debug)]
struct Trusting(CryptoProvider);

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
