//! The extractor.

use core::fmt;
use core::mem;
use std::borrow::Cow;
use std::vec::Vec;

use ::http::request::Parts;
use ::http::{HeaderValue, Version};
use ::hyper::upgrade::OnUpgrade;
use axum_core::Error;
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::Response;

use super::rejection::{ConnectionNotUpgradable, WebSocketUpgradeRejection};
use super::socket::WebSocket;
use super::sockets::Sockets;
use crate::adapter::hyper;
use crate::config::Config;
use crate::error::HandshakeError;
use crate::handshake::{Answer, Rejection, Request};
use crate::message::Delivery;

/// Extractor for a WebSocket request: an HTTP/1.1 upgrade, or an extended CONNECT of HTTP/2
/// (RFC 8441).
///
/// Route it with `axum::routing::any`, because these two have different methods. The
/// request is checked with the [`Config`] that is an `axum::Extension` of the route, or with
/// the default one. `Option<WebSocketUpgrade>` is `None` for a plain HTTP request, to serve
/// a page at the same path:
///
/// ```
/// use axum_core::response::{IntoResponse, Response};
/// use sansocket::axum::{WebSocket, WebSocketUpgrade};
///
/// async fn handler(ws: Option<WebSocketUpgrade>) -> Response {
///     match ws {
///         Some(ws) => ws.max_message_size(64 * 1024).on_upgrade(serve),
///         None => "a page".into_response(),
///     }
/// }
///
/// async fn serve(mut socket: WebSocket) {
///     while let Some(Ok(message)) = socket.recv().await {
///         println!("{message:?}");
///     }
/// }
/// ```
///
/// See the [module](super) for more examples.
#[must_use = "`on_upgrade` returns the response"]
pub struct WebSocketUpgrade<F = DefaultOnFailedUpgrade> {
    accepted: Accepted,
    on_failed_upgrade: F,
}

/// A request that follows the rules.
struct Accepted {
    request: Request,
    version: Version,
    requested: Vec<HeaderValue>,
    selected: Option<HeaderValue>,
    stream: OnUpgrade,
    config: Config,
    sockets: Option<Sockets>,
}

/// Limits and options of [`Config`] for this connection, with axum's names.
impl<F> WebSocketUpgrade<F> {
    /// Does nothing: the connections of a thread share a read buffer, and an idle
    /// connection has none.
    pub fn read_buffer_size(self, _bytes: usize) -> Self {
        self
    }

    /// Does nothing: queued messages are sent by a flush, or when
    /// [`max_write_buffer_size`](Self::max_write_buffer_size) is reached.
    pub fn write_buffer_size(self, _bytes: usize) -> Self {
        self
    }

    /// Sets [`Config::with_max_unsent_len`], which defaults to 64 KiB. Senders wait when it
    /// is reached.
    pub fn max_write_buffer_size(self, bytes: usize) -> Self {
        self.with(|config| config.with_max_unsent_len(bytes))
    }

    /// Sets [`Config::with_max_message_len`], which defaults to 16 MiB.
    pub fn max_message_size(self, bytes: usize) -> Self {
        self.with(|config| config.with_max_message_len(bytes))
    }

    /// Sets [`Config::with_max_frame_len`], which defaults to the limit for messages.
    pub fn max_frame_size(self, bytes: usize) -> Self {
        self.with(|config| config.with_max_frame_len(bytes))
    }

    /// Sets [`Config::allow_unmasked`], which defaults to `false`.
    pub fn accept_unmasked_frames(self, accept: bool) -> Self {
        self.with(|config| config.allow_unmasked(accept))
    }

    fn with(mut self, change: impl FnOnce(Config) -> Config) -> Self {
        self.accepted.config = change(self.accepted.config);
        self
    }
}

/// Subprotocols.
impl<F> WebSocketUpgrade<F> {
    /// Selects the first of these subprotocols that the client offers.
    ///
    /// ```
    /// # use sansocket::axum::WebSocketUpgrade;
    /// # use axum_core::response::Response;
    /// async fn handler(ws: WebSocketUpgrade) -> Response {
    ///     ws.protocols(["chat.v2", "chat.v1"])
    ///         .on_upgrade(async |socket| println!("{:?}", socket.protocol()))
    /// }
    /// ```
    pub fn protocols<I>(mut self, protocols: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Cow<'static, str>>,
    {
        let requested = &self.accepted.requested;
        self.accepted.selected = protocols.into_iter().map(Into::into).find_map(|known| {
            let mut requested = requested.iter();
            requested.find(|name| *name == &*known).cloned()
        });
        self
    }

    /// Returns the subprotocols that the client offers, in its order of preference.
    pub fn requested_protocols(&self) -> impl Iterator<Item = &HeaderValue> {
        self.accepted.requested.iter()
    }

    /// Selects this subprotocol, or none if the client does not offer it, because the
    /// client would then have to fail the connection (§4.1).
    pub fn set_selected_protocol(&mut self, protocol: HeaderValue) {
        let is_requested = self.accepted.requested.contains(&protocol);
        self.accepted.selected = is_requested.then_some(protocol);
    }

    /// Returns the selected subprotocol, if any.
    pub const fn selected_protocol(&self) -> Option<&HeaderValue> {
        self.accepted.selected.as_ref()
    }
}

/// Opening.
impl<F> WebSocketUpgrade<F> {
    /// Sets a callback for when the connection ends before the upgrade is complete. By
    /// default this is ignored.
    ///
    /// ```
    /// # use sansocket::axum::WebSocketUpgrade;
    /// # use axum_core::response::Response;
    /// async fn handler(ws: WebSocketUpgrade) -> Response {
    ///     ws.on_failed_upgrade(|error| eprintln!("upgrade failed: {error}"))
    ///         .on_upgrade(async |mut socket| while let Some(Ok(_)) = socket.recv().await {})
    /// }
    /// ```
    pub fn on_failed_upgrade<C: OnFailedUpgrade>(self, callback: C) -> WebSocketUpgrade<C> {
        WebSocketUpgrade {
            accepted: self.accepted,
            on_failed_upgrade: callback,
        }
    }

    /// Returns the response that opens the WebSocket, and spawns a task that runs `callback`
    /// on it. The handler must return this response.
    ///
    /// If [`Sockets::close`] was called, the response is a refusal with status 503.
    ///
    /// # Panics
    ///
    /// If called outside of a tokio runtime.
    #[must_use = "the response must be returned"]
    pub fn on_upgrade<C, Fut>(self, callback: C) -> Response
    where
        C: FnOnce(WebSocket) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
        F: OnFailedUpgrade,
    {
        let Self {
            accepted,
            on_failed_upgrade,
        } = self;
        let place = accepted.sockets.as_ref().map(Sockets::enter);
        let answer = match place {
            Some(None) => accepted.request.reject(503),
            _ => accepted.answer(),
        };
        let response = hyper::response(accepted.version, &answer);
        if answer.is_upgrade() {
            let upgrade = hyper::Upgrade::server(accepted.stream, &answer, &accepted.config);
            ::tokio::spawn(async move {
                match upgrade.await {
                    Ok(ws) => {
                        callback(WebSocket::new(ws, accepted.selected, place.flatten())).await;
                    }
                    Err(error) => on_failed_upgrade.call(Error::new(error)),
                }
            });
        }
        response
    }
}

impl Accepted {
    fn received(parts: &mut Parts) -> Result<Self, WebSocketUpgradeRejection> {
        let version = parts.version;
        let config = parts.extensions.get().cloned().unwrap_or_default();
        let request = check(parts, &config).map_err(|rejection| {
            WebSocketUpgradeRejection::new(rejection, version >= Version::HTTP_2)
        })?;
        let not_upgradable =
            || WebSocketUpgradeRejection::ConnectionNotUpgradable(ConnectionNotUpgradable);
        let stream = parts.extensions.remove::<OnUpgrade>();
        Ok(Self {
            version,
            requested: request
                .subprotocols()
                .filter_map(|name| name.parse().ok())
                .collect(),
            selected: None,
            stream: stream.ok_or_else(not_upgradable)?,
            // axum's API has complete messages only.
            config: config.with_delivery(Delivery::Messages),
            sockets: parts.extensions.get().cloned(),
            request,
        })
    }

    fn answer(&self) -> Answer {
        let selected = self.selected.as_ref().and_then(|name| name.to_str().ok());
        let answer = self.request.accept();
        match selected {
            // It is one that the request offers.
            Some(name) => answer.clone().with_subprotocol(name).unwrap_or(answer),
            None => answer,
        }
    }
}

/// Checks the request, which is put together for that. Plain HTTP is an error.
fn check(parts: &mut Parts, config: &Config) -> Result<Request, Rejection> {
    let (empty, ()) = ::http::Request::new(()).into_parts();
    let request = ::http::Request::from_parts(mem::replace(parts, empty), ());
    let received = hyper::received(&request, config);
    (*parts, ()) = request.into_parts();
    match received? {
        request if request.is_upgrade() => Ok(request),
        plain => Err(Rejection::new(Some(plain), HandshakeError::NotAnUpgrade)),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for WebSocketUpgrade {
    type Rejection = WebSocketUpgradeRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self {
            accepted: Accepted::received(parts)?,
            on_failed_upgrade: DefaultOnFailedUpgrade,
        })
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for WebSocketUpgrade {
    type Rejection = WebSocketUpgradeRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Option<Self>, Self::Rejection> {
        match <Self as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(upgrade) => Ok(Some(upgrade)),
            Err(rejection) if rejection.error() == Some(HandshakeError::NotAnUpgrade) => Ok(None),
            Err(rejection) => Err(rejection),
        }
    }
}

impl<F> fmt::Debug for WebSocketUpgrade<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketUpgrade")
            .field("request", &self.accepted.request)
            .field("selected_protocol", &self.accepted.selected)
            .finish_non_exhaustive()
    }
}

/// The callback of [`WebSocketUpgrade::on_failed_upgrade`].
pub trait OnFailedUpgrade: Send + 'static {
    /// Called with the error of the HTTP connection.
    fn call(self, error: Error);
}

impl<C: FnOnce(Error) + Send + 'static> OnFailedUpgrade for C {
    fn call(self, error: Error) {
        self(error);
    }
}

/// Ignores the error.
#[derive(Debug)]
#[non_exhaustive]
pub struct DefaultOnFailedUpgrade;

impl OnFailedUpgrade for DefaultOnFailedUpgrade {
    fn call(self, _: Error) {}
}
