//! WebSockets in servers and clients of hyper 1, and in frameworks that are based on
//! it: warp, salvo, poem. For axum, see `sansocket::axum`; for actix-web, see
//! [`crate::upgrade`].
//!
//! A server passes each request to [`upgrade`]. Where the request comes from depends on
//! the framework:
//!
//! | framework | request |
//! |---|---|
//! | hyper | the request of the service |
//! | salvo | `request.strip_to_hyper()` |
//! | warp | built from `headers_cloned()` and `ext::get::<OnUpgrade>()` |
//! | poem | has a stream type of its own: use [`http`] and [`WebSocket::upgraded`](tokio::WebSocket::upgraded) |
//!
//! The code for the last three is in `tests/frameworks`.
//!
//! [`on_upgrade`] answers a request and runs a handler on its WebSocket;
//! [`upgrade`] leaves the task to the caller.
//!
//! A client that uses hyper's connections opens a WebSocket with [`connect`]. For
//! proxies, TLS and redirects, see [`tokio::connect_with`], or `h2::connect_with` for
//! HTTP/2.
//!
//! A server:
//!
//! ```no_run
//! # #[cfg(sansocket_docs)] // http_body_util is there
//! # mod example {
//! use std::convert::Infallible;
//!
//! use http_body_util::Full;
//! use hyper::body::{Bytes, Incoming};
//! use sansocket::{Config, Request, hyper as ws};
//!
//! /// A service for `hyper::service::service_fn`.
//! async fn serve(
//!     mut request: http::Request<Incoming>,
//! ) -> Result<http::Response<Full<Bytes>>, Infallible> {
//!     Ok(ws::on_upgrade(&mut request, &Config::new(), Request::accept, echo))
//! }
//!
//! async fn echo(mut ws: ws::WebSocket) -> Result<(), ws::Error> {
//!     while let Some(message) = ws.next().await? {
//!         ws.feed(message).await?;
//!     }
//!     Ok(())
//! }
//! # }
//! ```

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec::Vec;

use ::http::Version;
use ::hyper::body::Body;
use ::hyper::ext::Protocol;
use ::hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;

pub use super::Error;
use super::{http, poll, tokio};
use crate::config::Config;
use crate::frame::Role;
use crate::handshake::{Agreement, Answer, Rejection, Request};
use crate::upgrade::Offer;

/// A WebSocket over an upgraded connection of hyper.
///
/// ```no_run
/// # async fn run(upgrade: sansocket::hyper::Upgrade) -> Result<(), sansocket::Error> {
/// // As with tokio: receive and send, or split it for two tasks.
/// let mut ws = upgrade.await?;
/// while let Some(message) = ws.next().await? {
///     ws.feed(message).await?;
/// }
/// # Ok(())
/// # }
/// ```
///
/// It has the methods of [`tokio::WebSocket`], where they are listed.
pub type WebSocket = poll::WebSocket<tokio::Io<TokioIo<Upgraded>>>;

/// The receiving half of a [`WebSocket`], for one task. It has the methods of
/// [`tokio::Reader`], where they are listed.
pub type Reader = tokio::Reader<TokioIo<Upgraded>>;

/// The sending half of a [`WebSocket`], for another task. It has the methods of
/// [`tokio::Writer`], where they are listed.
pub type Writer = tokio::Writer<TokioIo<Upgraded>>;

/// Answers a request with the answer that `answer` returns. Returns the response for
/// hyper and, if it opens a WebSocket, a future of the [`WebSocket`].
///
/// The future completes when hyper has sent the response, so it must be awaited in
/// another task. If the client sent bytes after its request, they are not lost.
///
/// The request can be an HTTP/1.1 upgrade, an extended CONNECT of HTTP/2 (RFC 8441), or
/// plain HTTP, for which [`is_upgrade`](Request::is_upgrade) is `false`. A request that
/// breaks a rule is refused without calling `answer`: the body of the response explains
/// why, and its extensions contain the [`Rejection`], for logs.
///
/// For HTTP/2, the server must enable extended CONNECTs with `enable_connect_protocol`.
///
/// ```
/// use sansocket::{Config, hyper::upgrade};
///
/// let mut request = ::http::Request::get("/chat").header("host", "example.com").body(())?;
/// let (response, upgrade) = upgrade::<_, Vec<u8>>(&mut request, &Config::new(), |request| {
///     match (request.is_upgrade(), request.path()) {
///         (true, "/chat") => request.accept(),
///         (false, "/chat") => request.reject(426),
///         _ => request.reject(404),
///     }
/// });
/// assert_eq!(response.status(), 426);
/// assert!(upgrade.is_none());
/// # Ok::<(), ::http::Error>(())
/// ```
pub fn upgrade<B, R: From<Vec<u8>>>(
    request: &mut ::http::Request<B>,
    config: &Config,
    answer: impl FnOnce(&Request) -> Answer,
) -> (::http::Response<R>, Option<Upgrade>) {
    let received = received(request, config);
    let answer = match &received {
        Ok(received) => answer(received),
        Err(rejection) => http::refusal(rejection),
    };
    let upgrade = answer
        .is_upgrade()
        .then(|| Upgrade::server(::hyper::upgrade::on(&mut *request), &answer, config));
    let mut response = response(request.version(), &answer);
    if let Err(rejection) = received {
        response.extensions_mut().insert(rejection);
    }
    (response, upgrade)
}

/// Answers a request like [`upgrade`], and spawns a task that runs `handler` on the
/// WebSocket. Returns the response for hyper.
///
/// The result of `handler` is discarded. It is not called if the connection ends before
/// hyper has sent the response.
///
/// # Panics
///
/// If called outside of a tokio runtime.
///
/// ```no_run
/// use sansocket::{Config, Request, hyper as ws};
///
/// async fn serve<B>(mut request: http::Request<B>) -> http::Response<Vec<u8>> {
///     ws::on_upgrade(&mut request, &Config::new(), Request::accept, echo)
/// }
///
/// async fn echo(mut ws: ws::WebSocket) -> Result<(), ws::Error> {
///     while let Some(message) = ws.next().await? {
///         ws.feed(message).await?;
///     }
///     Ok(())
/// }
/// ```
pub fn on_upgrade<B, R, F>(
    request: &mut ::http::Request<B>,
    config: &Config,
    answer: impl FnOnce(&Request) -> Answer,
    handler: impl FnOnce(WebSocket) -> F + Send + 'static,
) -> ::http::Response<R>
where
    R: From<Vec<u8>>,
    F: Future + Send + 'static,
{
    let (response, upgrade) = upgrade(request, config, answer);
    if let Some(upgrade) = upgrade {
        ::tokio::spawn(async move {
            if let Ok(ws) = upgrade.await {
                handler(ws).await;
            }
        });
    }
    response
}

/// The request by the rules: an extended CONNECT if hyper found `:protocol`.
pub(super) fn received<B>(
    request: &::http::Request<B>,
    config: &Config,
) -> Result<Request, Rejection> {
    match request.extensions().get::<Protocol>() {
        Some(protocol) => http::extended_connect(request, protocol.as_str(), config),
        None => http::request(request, config),
    }
}

/// The answer to a request of this version.
pub(super) fn response<R: From<Vec<u8>>>(version: Version, answer: &Answer) -> ::http::Response<R> {
    if version < Version::HTTP_2 {
        http::response(answer)
    } else {
        http::multiplexed_response(answer)
    }
}

/// Opens a WebSocket on the connection of a response that hyper's client received.
///
/// The request must come from [`http::offer`], and the connection that sent it must be
/// driven `with_upgrades`.
///
/// # Errors
///
/// - [`Error::Refused`] if the response does not open a WebSocket. It contains the
///   header fields and the body, of at most [`max_body_len`](Config::with_max_body_len)
///   bytes and as far as it arrives within
///   [`handshake_timeout`](Config::with_handshake_timeout).
/// - [`Error::Failed`] if the response breaks a rule.
///
/// ```no_run
/// # use hyper::body::{Body, Bytes};
/// # async fn run<B: Body<Data = Bytes> + Unpin>(
/// #     send: impl AsyncFnOnce(http::Request<()>) -> http::Response<B>,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// use sansocket::{ClientRequest, Config, adapter, hyper::connect};
///
/// let (config, request) = (Config::new(), ClientRequest::to("ws://example.com/")?);
/// let (request, offer) = adapter::http::offer(&request, &config)?;
/// let response = send(request).await; // on a connection of hyper's client
/// let mut ws = connect(response, &offer, &config).await?;
/// ws.send("hello").await?;
/// # Ok(())
/// # }
/// ```
pub async fn connect<B>(
    response: ::http::Response<B>,
    offer: &Offer,
    config: &Config,
) -> Result<WebSocket, Error>
where
    B: Body<Data: AsRef<[u8]>> + Unpin,
{
    let agreement = match http::check(offer, &response) {
        Ok(agreement) => agreement,
        Err(error) => {
            let (head, body) = response.into_parts();
            let body = read_body(body, config).await;
            return Err(http::refused(error, &head, body));
        }
    };
    let response_head = http::opening_response(&response, &agreement);
    let upgrade = Upgrade {
        stream: ::hyper::upgrade::on(response),
        role: Role::Client,
        agreement,
        config: config.clone(),
    };
    Ok(upgrade.await?.with_response(response_head))
}

/// The body of a refusal, and whether it is truncated: longer than the limit,
/// interrupted, or late.
async fn read_body<B: Body<Data: AsRef<[u8]>> + Unpin>(
    mut body: B,
    config: &Config,
) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let reading = async {
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            let Ok(frame) = frame else { return false };
            let data = frame.data_ref().map(AsRef::as_ref).unwrap_or_default();
            if !http::append_body(data, config, &mut bytes) {
                return false;
            }
        }
        true
    };
    let is_whole = match config.settings().timeouts.handshake.duration() {
        Some(timeout) => ::tokio::time::timeout(timeout, reading).await,
        None => Ok(reading.await),
    };
    (bytes, !is_whole.unwrap_or(false))
}

/// A future of a [`WebSocket`], which completes when hyper has sent the response.
/// Returned by [`upgrade`].
pub struct Upgrade {
    stream: OnUpgrade,
    role: Role,
    agreement: Agreement,
    config: Config,
}

impl Upgrade {
    /// Of a server, by the answer that opens it.
    pub(super) fn server(stream: OnUpgrade, answer: &Answer, config: &Config) -> Self {
        Self {
            stream,
            role: Role::Server,
            agreement: answer.agreement().clone(),
            config: config.clone(),
        }
    }
}

impl Future for Upgrade {
    type Output = Result<WebSocket, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let stream = ready!(Pin::new(&mut self.stream).poll(cx)).map_err(io::Error::other)?;
        let agreement = core::mem::take(&mut self.agreement);
        let stream = TokioIo::new(stream);
        let ws = WebSocket::upgraded(stream, self.role, agreement, Vec::new(), &self.config);
        Poll::Ready(Ok(ws))
    }
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrade")
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}
