//! Servers: from a stream to an open WebSocket.

use ::tokio::io::{AsyncRead, AsyncWrite};
use ::tokio::net::TcpStream;

use super::WebSocket;
use crate::adapter::Error;
use crate::adapter::poll::opened;
use crate::config::Config;
use crate::handshake::{Answer, Request};

/// Accepts a WebSocket on a TCP stream: does the opening handshake as a server, and
/// accepts every upgrade that [`Config`] allows. Sets `TCP_NODELAY`.
///
/// To check the path or cookies, select a subprotocol or serve a page, see
/// [`accept_with`].
///
/// # Errors
///
/// - [`Error::Rejected`] if the request breaks a rule. It was answered.
/// - [`Error::Failed`] if the request is plain HTTP, which was answered with 426, or
///   if the client is too slow.
/// - [`Error::Io`] if the stream failed.
///
/// ```no_run
/// # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
/// use sansocket::{Config, tokio::accept};
///
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:9001").await?;
/// let (stream, _) = listener.accept().await?;
/// let mut ws = accept(stream, &Config::new()).await?;
/// ws.send("welcome").await?;
/// # Ok(())
/// # }
/// ```
pub async fn accept(stream: TcpStream, config: &Config) -> Result<WebSocket<TcpStream>, Error> {
    opened(accept_with(stream, config, Request::accept).await?)
}

/// Accepts a WebSocket on a TCP stream, like [`accept`], with the answer that `answer`
/// returns: to check the path or cookies, select a subprotocol, add headers, refuse, or
/// serve a page on the same port. Returns `None` if the answer does not open a
/// WebSocket.
///
/// # Errors
///
/// - [`Error::Rejected`] if the request breaks a rule. It was answered without calling
///   `answer`.
/// - [`Error::Failed`] if the client is too slow, or the stream ended early.
/// - [`Error::Io`] if the stream failed.
///
/// ```no_run
/// # async fn serve(stream: tokio::net::TcpStream) -> Result<(), sansocket::Error> {
/// use sansocket::{Answer, Config, tokio};
///
/// let ws = tokio::accept_with(stream, &Config::new(), |request| match request.path() {
///     "/chat" => request.accept(),
///     "/" => Answer::new(200).with_body("hello"),
///     _ => request.reject(404),
/// })
/// .await?;
/// # Ok(())
/// # }
/// ```
pub async fn accept_with(
    stream: TcpStream,
    config: &Config,
    answer: impl FnOnce(&Request) -> Answer,
) -> Result<Option<WebSocket<TcpStream>>, Error> {
    stream.set_nodelay(true)?;
    accept_on(stream, config, answer).await
}

/// Accepts a WebSocket on any stream, like [`accept_with`]: a TLS stream, a Unix socket,
/// or a pipe in memory.
///
/// # Errors
///
/// As [`accept_with`].
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use sansocket::{Config, Request, adapter::Connector, tokio};
///
/// // A client and a server in memory.
/// let (near, far) = ::tokio::io::duplex(4096);
/// let (config, connector) = (Config::new(), Connector::new(&Config::new()));
/// let (client, server) = ::tokio::join!(
///     tokio::connect_on(near, "ws://localhost/", &connector),
///     tokio::accept_on(far, &config, Request::accept),
/// );
/// let (mut client, mut server) = (client?, server?.expect("an upgrade"));
/// client.send("hello").await?;
/// assert_eq!(server.next().await?, Some("hello".into()));
/// # Ok::<(), sansocket::Error>(())
/// # }).unwrap();
/// ```
pub async fn accept_on<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    config: &Config,
    answer: impl FnOnce(&Request) -> Answer,
) -> Result<Option<WebSocket<S>>, Error> {
    let mut ws = WebSocket::server(stream, config);
    Ok(ws.answer_request(answer).await?.then_some(ws))
}
