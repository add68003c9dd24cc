//! WebSockets in servers and clients of hyper 1, and in whatever is built on it:
//! axum, warp, salvo, poem.
//!
//! | framework | how the request comes |
//! |---|---|
//! | axum | as it is: `axum::extract::Request` (example `axum`) |
//! | salvo | `request.strip_to_hyper()` |
//! | warp | made of `headers_cloned()` and `ext::get::<OnUpgrade>()` |
//! | poem | hands out a stream of its own: [`http`] and [`WebSocket::upgraded`](tokio::WebSocket::upgraded) |
//!
//! The lines for the last three stand in `tests/frameworks`.
//!
//! Knows how hyper hands a stream over, by HTTP/1.1 and by HTTP/2; the rules
//! stand in the core, and what is done with the stream in [`tokio`].
//!
//! ```no_run
//! use http_body_util::Full;
//! use hyper::body::{Bytes, Incoming};
//! use sansocket::{Config, Request, hyper as ws};
//!
//! async fn serve(
//!     mut request: http::Request<Incoming>,
//!     config: Config,
//! ) -> Result<http::Response<Full<Bytes>>, std::convert::Infallible> {
//!     let (response, upgrade) = ws::upgrade(&mut request, &config, Request::accept);
//!     if let Some(upgrade) = upgrade {
//!         tokio::spawn(async move {
//!             let mut ws = upgrade.await?;
//!             while let Some(message) = ws.next().await? {
//!                 ws.send(message).await?;
//!             }
//!             Ok::<(), ws::Error>(())
//!         });
//!     }
//!     Ok(response)
//! }
//! ```

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec::Vec;

use ::hyper::ext::Protocol;
use ::hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;

pub use super::Error;
use super::{http, tokio};
use crate::config::Config;
use crate::frame::Role;
use crate::handshake::{Agreement, Request, Response};
use crate::upgrade::Offer;

/// A WebSocket over a stream that hyper handed over.
pub type WebSocket = tokio::WebSocket<TokioIo<Upgraded>>;

/// Answers a request: an upgrade of HTTP/1.1, or an extended CONNECT of HTTP/2
/// (RFC 8441), as `answer` says. Tells the response to return, and, if it opens
/// a WebSocket, the future of it.
///
/// A request that breaks a rule is refused, one that asks for no WebSocket
/// reaches `answer`, with [`is_upgrade`](Request::is_upgrade) false. The future
/// is ready when hyper has sent the response, so await it elsewhere: in a task
/// of its own. Bytes that came behind the head are kept.
///
/// For HTTP/2 the server must allow it: `enable_connect_protocol`.
pub fn upgrade<B, R: From<Vec<u8>>>(
    request: &mut ::http::Request<B>,
    config: &Config,
    answer: impl FnOnce(&Request) -> Response,
) -> (::http::Response<R>, Option<Upgrade>) {
    let protocol = request.extensions().get::<Protocol>().cloned();
    let asked = match &protocol {
        Some(protocol) => http::extended_connect(request, protocol.as_str(), config),
        None => http::request(request, config),
    };
    let asked = match asked {
        Ok(asked) => asked,
        Err(error) => return (http::refusal(error), None),
    };
    let response = answer(&asked);
    let opens = match protocol {
        Some(_) => response.status() == 200,
        None => response.status() == 101,
    };
    let upgrade = (asked.is_upgrade() && opens).then(|| Upgrade {
        stream: ::hyper::upgrade::on(request),
        role: Role::Server,
        agreement: response.agreement().clone(),
        config: config.clone(),
    });
    (http::response(&response), upgrade)
}

/// The WebSocket that a response of hyper's client opens.
///
/// The request was made by [`http::offer`], and the
/// connection that sent it is driven `with_upgrades`.
///
/// # Errors
///
/// [`Error::Failed`] if the response opens none, or breaks a rule.
pub async fn connect<B>(
    response: ::http::Response<B>,
    offer: &Offer,
    config: &Config,
) -> Result<WebSocket, Error> {
    let agreement = http::check(offer, &response).map_err(crate::Error::from)?;
    let upgrade = Upgrade {
        stream: ::hyper::upgrade::on(response),
        role: Role::Client,
        agreement,
        config: config.clone(),
    };
    upgrade.await
}

/// A WebSocket that will be there once hyper has handed over its stream.
pub struct Upgrade {
    stream: OnUpgrade,
    role: Role,
    agreement: Agreement,
    config: Config,
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
