//! WebSockets within axum: an extractor, state, a page, subprotocols, an origin
//! check, tokens, and an end that closes every socket with 1001 and waits.
//! `cargo run --release -p sansocket-apps --bin axum [ADDR]`, then open
//! <http://127.0.0.1:9007>; `/chat?token=secret` is for those with the token.

use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRef, FromRequest, Request, State};
use axum::http::StatusCode;
use axum::response::{Html, Response};
use axum::routing::any;
use axum::{Router, serve};
use sansocket::hyper::Upgrade;
use sansocket::{CloseCode, Config, OriginPolicy, Prepared};
use tokio::net::TcpListener;
use tokio::signal::ctrl_c;
use tokio::sync::{broadcast, watch};

const TOKEN: &str = "secret";

/// An upgrade that was accepted, and the response to return. The extractor is
/// these lines; the rest of the file uses it.
struct WebSocket(Response, Option<Upgrade>);

impl<S> FromRequest<S> for WebSocket
where
    Config: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Infallible;

    async fn from_request(mut request: Request, state: &S) -> Result<Self, Infallible> {
        let config = Config::from_ref(state);
        let (response, upgrade) = sansocket::hyper::upgrade(&mut request, &config, answer);
        Ok(Self(response, upgrade))
    }
}

/// What all connections share.
#[derive(Clone)]
struct App {
    config: Config,
    room: broadcast::Sender<Arc<Prepared>>,
    stopping: watch::Receiver<bool>,
    /// Held by each connection: the end waits for them.
    alive: watch::Sender<()>,
}

impl FromRef<App> for Config {
    fn from_ref(app: &App) -> Self {
        app.config.clone()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let addr = env::args().nth(1);
    let listener = TcpListener::bind(addr.as_deref().unwrap_or("127.0.0.1:9007")).await?;
    println!("listening on ws://{}", listener.local_addr()?);

    let (stop, stopping) = watch::channel(false);
    // Pages of the same site, and clients that are none.
    let config = Config::new().with_origin(OriginPolicy::SameOrigin);
    #[cfg(feature = "deflate")]
    let config = config.with_deflate(sansocket::deflate::Options::new().with_max_ratio(None));
    let app = App {
        config,
        room: broadcast::channel(64).0,
        stopping,
        alive: watch::channel(()).0,
    };
    let alive = app.alive.clone();
    let router = Router::new()
        .route("/", any(index))
        .route("/chat", any(chat))
        .with_state(app);
    serve(listener, router)
        .with_graceful_shutdown(async move {
            let _ = ctrl_c().await;
            let _ = stop.send(true);
        })
        .await?;
    alive.closed().await;
    println!("stopped");
    Ok(())
}

/// The page on a plain GET, the echo on an upgrade.
async fn index(State(app): State<App>, request: Request) -> Response {
    if !request.headers().contains_key("upgrade") {
        return Response::new(Body::from(Html(include_str!("../common/echo.html")).0));
    }
    let Ok(WebSocket(response, upgrade)) = WebSocket::from_request(request, &app).await;
    if let Some(upgrade) = upgrade {
        tokio::spawn(told(echo(app, upgrade)));
    }
    response
}

/// What one says, all hear.
async fn chat(State(app): State<App>, request: Request) -> Response {
    if !is_allowed(&request) {
        let mut response = Response::new(Body::from("a token is needed\n"));
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        return response;
    }
    let Ok(WebSocket(response, upgrade)) = WebSocket::from_request(request, &app).await;
    if let Some(upgrade) = upgrade {
        tokio::spawn(told(member(app, upgrade)));
    }
    response
}

/// The token stands in a header, in a cookie, in the query, or, as a page can
/// set no header, among the subprotocols that it offers.
fn is_allowed(request: &Request) -> bool {
    let field = |name| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let bearer = field("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let cookies = field("cookie").unwrap_or_default().split("; ");
    let mut cookie = cookies.filter_map(|cookie| cookie.strip_prefix("token="));
    let queries = request.uri().query().unwrap_or_default().split('&');
    let mut query = queries.filter_map(|query| query.strip_prefix("token="));
    let subprotocols = field("sec-websocket-protocol").unwrap_or_default();
    let mut subprotocol = subprotocols
        .split(',')
        .filter_map(|name| name.trim().strip_prefix("token."));
    let told = [bearer, cookie.next(), query.next(), subprotocol.next()];
    told.contains(&Some(TOKEN))
}

/// Chooses the subprotocol of the route if it is offered.
fn answer(request: &sansocket::Request) -> sansocket::Answer {
    let is_chat = request.path() == "/chat";
    let known = if is_chat { "chat" } else { "echo" };
    let answer = match request.subprotocols().find(|name| *name == known) {
        Some(name) => request.accept().with_subprotocol(name),
        None => Ok(request.accept()),
    };
    answer.unwrap_or_else(|_| request.reject(500))
}

async fn told(connection: impl Future<Output = Result<(), sansocket::hyper::Error>>) {
    if let Err(error) = connection.await {
        eprintln!("{error}");
    }
}

async fn echo(mut app: App, upgrade: Upgrade) -> Result<(), sansocket::hyper::Error> {
    let _alive = app.alive.subscribe();
    let mut ws = upgrade.await?;
    loop {
        tokio::select! {
            message = ws.next() => match message? {
                Some(message) if ws.connection().is_open() => ws.send(message).await?,
                // What comes after our close frame is not answered.
                Some(_) => {}
                None => return Ok(()),
            },
            Ok(()) = app.stopping.changed() => {
                ws.close(CloseCode::GOING_AWAY, "the server stops").await?;
            }
        }
    }
}

async fn member(mut app: App, upgrade: Upgrade) -> Result<(), sansocket::hyper::Error> {
    let _alive = app.alive.subscribe();
    let mut ws = upgrade.await?;
    let mut said = app.room.subscribe();
    loop {
        tokio::select! {
            message = ws.next() => match message? {
                Some(message) => drop(app.room.send(Arc::new(Prepared::new(message)))),
                None => return Ok(()),
            },
            message = said.recv() => {
                if let Ok(message) = message && ws.connection().is_open() {
                    ws.feed_prepared(&message).await?;
                    ws.flush().await?;
                }
            }
            Ok(()) = app.stopping.changed() => {
                ws.close(CloseCode::GOING_AWAY, "the server stops").await?;
            }
        }
    }
}
