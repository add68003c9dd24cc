//! The server that is attacked, and the ways to connect to it.

use std::error::Error;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use sansocket::adapter::Connector;
use sansocket::{ClientRequest, Config, deflate, h2, tokio as ws};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

/// A stream of bytes to the server: TCP, TLS, or a stream of HTTP/2.
pub(crate) type Raw = Box<dyn Duplex>;

pub(crate) trait Duplex: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Duplex for S {}

/// Where the server listens: an address of this machine, which is checked here, so
/// that nothing else can be attacked.
#[derive(Clone)]
pub(crate) struct Target {
    addr: SocketAddr,
    url: String,
    is_http2: bool,
    tls: Option<Arc<ClientConfig>>,
}

impl Target {
    /// Refuses an address that is not a loopback address. The certificate of a server
    /// with TLS is in the file.
    pub(crate) fn new(
        url: &str,
        certificate: &Path,
        is_http2: bool,
    ) -> Result<Self, Box<dyn Error>> {
        let request = ClientRequest::to(url)?;
        let uri = request.uri();
        let tls = url.starts_with("wss:").then(|| trust(certificate));
        Ok(Self {
            addr: loopback((uri.host(), uri.port()))?,
            url: url.into(),
            is_http2,
            tls: tls.transpose()?,
        })
    }

    pub(crate) const fn is_http2(&self) -> bool {
        self.is_http2
    }

    /// A TCP connection.
    pub(crate) async fn tcp(&self) -> io::Result<TcpStream> {
        self.tcp_from(self.socket()?).await
    }

    /// A TCP connection that ends with a reset when it is dropped.
    pub(crate) async fn tcp_with_reset(&self) -> io::Result<TcpStream> {
        let stream = self.tcp().await?;
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
        Ok(stream)
    }

    /// A TCP connection that accepts few bytes while nobody reads.
    pub(crate) async fn tcp_with_small_buffer(&self) -> io::Result<TcpStream> {
        let socket = self.socket()?;
        socket.set_recv_buffer_size(4096)?;
        self.tcp_from(socket).await
    }

    /// A stream over which HTTP begins, within TLS if the server has it.
    pub(crate) async fn http(&self) -> io::Result<Raw> {
        let tcp = self.tcp().await?;
        let Some(tls) = &self.tls else {
            return Ok(Box::new(tcp));
        };
        let mut tls = ClientConfig::clone(tls);
        let protocol: &[u8] = if self.is_http2 { b"h2" } else { b"http/1.1" };
        tls.alpn_protocols = vec![protocol.into()];
        let name = ServerName::from(self.addr.ip());
        let stream = TlsConnector::from(Arc::new(tls)).connect(name, tcp);
        Ok(Box::new(stream.await?))
    }

    /// A stream after the opening handshake, over which frames go.
    pub(crate) async fn frames(&self, tcp: TcpStream) -> Result<Raw, sansocket::Error> {
        let (stream, _) = self.open(tcp, &Config::new()).await?;
        Ok(stream)
    }

    /// The same, with compression.
    ///
    /// Fails with `Unsupported` if the server does not agree to it.
    pub(crate) async fn compressed_frames(&self) -> Result<Raw, sansocket::Error> {
        let config = Config::new().with_deflate(deflate::Options::new());
        match self.open(self.tcp().await?, &config).await? {
            (stream, true) => Ok(stream),
            (_, false) => Err(io::Error::from(io::ErrorKind::Unsupported).into()),
        }
    }

    /// The stream, and whether its messages may be compressed.
    async fn open(&self, tcp: TcpStream, config: &Config) -> Result<(Raw, bool), sansocket::Error> {
        Ok(match self.websocket(tcp, config).await? {
            WebSocket::Http1(ws) => {
                let is_compressed = ws.connection().deflate().is_some();
                (Box::new(ws.into_stream().stream), is_compressed)
            }
            WebSocket::Http2(ws) => {
                let is_compressed = ws.connection().deflate().is_some();
                (Box::new(ws.into_stream().stream), is_compressed)
            }
        })
    }

    /// The library's own client.
    pub(crate) async fn websocket(
        &self,
        tcp: TcpStream,
        config: &Config,
    ) -> Result<WebSocket, sansocket::Error> {
        let mut connector = Connector::new(config);
        if let Some(tls) = &self.tls {
            connector = connector.with_tls(tls.clone());
        }
        if !self.is_http2 {
            let ws = ws::connect_on(tcp, &*self.url, &connector).await?;
            return Ok(WebSocket::Http1(Box::new(ws)));
        }
        let (ws, connection) = h2::connect_on(tcp, &*self.url, &connector).await?;
        // Its end is an error of the WebSocket, too.
        tokio::spawn(connection);
        Ok(WebSocket::Http2(Box::new(ws)))
    }

    fn socket(&self) -> io::Result<TcpSocket> {
        match self.addr {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }
    }

    async fn tcp_from(&self, socket: TcpSocket) -> io::Result<TcpStream> {
        let stream = socket.connect(self.addr).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// A client's socket, by either version of HTTP.
pub(crate) enum WebSocket {
    Http1(Box<ws::Client>),
    Http2(Box<h2::WebSocket>),
}

fn loopback(host: impl ToSocketAddrs) -> Result<SocketAddr, Box<dyn Error>> {
    let addresses: Vec<_> = host.to_socket_addrs()?.collect();
    if let Some(other) = addresses.iter().find(|addr| !addr.ip().is_loopback()) {
        return Err(format!("{other} is refused: it is not a loopback address").into());
    }
    Ok(*addresses.first().ok_or("no address")?)
}

fn trust(certificate: &Path) -> Result<Arc<ClientConfig>, Box<dyn Error>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?;
    let tls = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(tls))
}
