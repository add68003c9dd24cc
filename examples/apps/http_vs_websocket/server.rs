//! The page, and the ways over HTTP, on one port.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use sansocket::hyper::{Upgrade, upgrade};
use sansocket::{CloseCode, Config};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::counting::{Account, Counting, Meter};
use crate::feed::{Feed, Update};
use crate::{Addresses, Error, accept_nodelay, client};

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// After this, long polling returns without an update, as proxies would end it.
const LONGEST_POLL: Duration = Duration::from_secs(25);

pub(crate) struct Server {
    addresses: Addresses,
    feed: Feed,
    /// What each way of each page cost, see [`Server::account`].
    accounts: Mutex<HashMap<String, Arc<Account>>>,
    /// Held by each WebSocket: the end waits for them.
    sockets: watch::Sender<()>,
}

pub(crate) async fn serve(listener: TcpListener, server: Arc<Server>) {
    loop {
        let (stream, meter) = (accept_nodelay(&listener).await, Meter::default());
        let stream = TokioIo::new(Counting::new(stream, meter.clone()));
        let server = server.clone();
        let service = service_fn(move |request| {
            let (server, meter) = (server.clone(), meter.clone());
            async move { Ok::<_, Infallible>(server.answer(request, &meter).await) }
        });
        tokio::spawn(async move {
            let serving = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(10))
                .serve_connection(stream, service)
                .with_upgrades();
            // A page that goes away breaks its connections.
            let _ = serving.await;
        });
    }
}

impl Server {
    pub(crate) fn new(addresses: Addresses, feed: Feed) -> Self {
        Self {
            addresses,
            feed,
            accounts: Mutex::default(),
            sockets: watch::channel(()).0,
        }
    }

    /// Returns when every WebSocket is closed.
    pub(crate) async fn sockets_closed(&self) {
        self.sockets.closed().await;
    }

    async fn answer(&self, request: Request<Incoming>, meter: &Meter) -> Response<Body> {
        let path = request.uri().path().to_owned();
        if let Some(way) = path.strip_prefix("/traffic") {
            meter.charge(&Arc::default());
            return json(traffic(&self.account(way, &request)));
        }
        let account = self.account(&path, &request);
        meter.charge(&account);
        match &*path {
            "/" => content("text/html; charset=utf-8", include_str!("page.html")),
            "/polling" => json(array(&account, &self.feed_after(&request).take())),
            "/long-polling" => {
                let mut feed = self.feed_after(&request);
                let waiting = timeout(LONGEST_POLL, feed.next()).await;
                json(array(&account, &waiting.ok().flatten().unwrap_or_default()))
            }
            "/events" => events(account, self.feed.live()),
            "/websocket" => self.websocket(request, account),
            "/tcp" => match client::measure_tcp(self.addresses).await {
                Ok(row) => json(row.to_json()),
                Err(error) => failure(StatusCode::BAD_GATEWAY, error.to_string()),
            },
            _ => failure(StatusCode::NOT_FOUND, "404 Not Found\n".into()),
        }
    }

    /// The account of a way, for the page that names itself in the query.
    fn account(&self, way: &str, request: &Request<Incoming>) -> Arc<Account> {
        let name = format!("{way}?{}", parameter(request, "run").unwrap_or_default());
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever invents names may have as many, and pages begin anew.
        if accounts.len() >= 1000 {
            accounts.clear();
        }
        accounts.entry(name).or_default().clone()
    }

    /// The feed after the update that the query names, or from the newest on.
    fn feed_after(&self, request: &Request<Incoming>) -> Feed {
        match parameter(request, "after").and_then(|number| number.parse().ok()) {
            Some(number) => self.feed.after(number),
            None => self.feed.live(),
        }
    }

    fn websocket(&self, mut request: Request<Incoming>, account: Arc<Account>) -> Response<Body> {
        let (response, upgrade) = upgrade(&mut request, &Config::new(), sansocket::Request::accept);
        if let Some(upgrade) = upgrade {
            let (alive, feed) = (self.sockets.subscribe(), self.feed.live());
            tokio::spawn(async move {
                if let Err(error) = push(upgrade, feed, &account).await {
                    eprintln!("{error}");
                }
                drop(alive);
            });
        }
        response.map(|body: Full<Bytes>| body.boxed_unsync())
    }
}

/// An update is a message.
async fn push(upgrade: Upgrade, mut feed: Feed, account: &Account) -> Result<(), Error> {
    let mut ws = upgrade.await?;
    while ws.connection().is_open() {
        tokio::select! {
            updates = feed.next() => match updates {
                Some(updates) => {
                    for update in &updates {
                        ws.feed(&update.json).await?;
                    }
                    ws.flush().await?;
                    count(account, &updates);
                }
                None => ws.close(CloseCode::GOING_AWAY, "the server stops").await?,
            },
            message = ws.next() => drop(message?),
        }
    }
    while ws.next().await?.is_some() {}
    Ok(())
}

/// An update is an event of a response that does not end.
fn events(account: Arc<Account>, feed: Feed) -> Response<Body> {
    let events = stream::unfold((account, feed), async |(account, mut feed)| {
        let updates = feed.next().await?;
        count(&account, &updates);
        let event = |update: &Update| format!("data: {}\n\n", update.json);
        let events: String = updates.iter().map(event).collect();
        let frame = Ok::<_, Infallible>(Frame::data(Bytes::from(events)));
        Some((frame, (account, feed)))
    });
    response("text/event-stream", StreamBody::new(events).boxed_unsync())
}

fn count(account: &Account, updates: &[Update]) {
    let len = updates.len() as u64;
    account.updates.fetch_add(len, Ordering::Relaxed);
}

fn array(account: &Account, updates: &[Update]) -> String {
    count(account, updates);
    let updates: Vec<_> = updates.iter().map(|update| &*update.json).collect();
    format!("[{}]", updates.join(","))
}

fn traffic(account: &Account) -> String {
    let updates = account.updates.load(Ordering::Relaxed);
    let bytes = account.bytes.load(Ordering::Relaxed);
    format!(r#"{{"bytes":{bytes},"updates":{updates}}}"#)
}

/// A parameter of the query.
fn parameter<'r>(request: &'r Request<Incoming>, name: &str) -> Option<&'r str> {
    let mut parameters = request.uri().query()?.split('&');
    parameters.find_map(|parameter| parameter.strip_prefix(name)?.strip_prefix('='))
}

fn json(text: String) -> Response<Body> {
    content("application/json", text)
}

fn content(kind: &'static str, text: impl Into<Bytes>) -> Response<Body> {
    response(kind, Full::new(text.into()).boxed_unsync())
}

fn failure(status: StatusCode, text: String) -> Response<Body> {
    let mut response = content("text/plain; charset=utf-8", text);
    *response.status_mut() = status;
    response
}

fn response(kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    let no_store = header::HeaderValue::from_static("no-store");
    fields.insert(header::CACHE_CONTROL, no_store);
    response
}
