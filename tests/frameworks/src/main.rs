//! An echo within warp, salvo, poem and actix-web, each by the lines that an application
//! writes, and a client that asks all of them.
//! `cargo run --manifest-path tests/frameworks/Cargo.toml`

use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sansocket::deflate::Options;
use sansocket::hyper::{Upgrade, upgrade};
use sansocket::{Config, Request};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn config() -> Config {
    Config::new().with_deflate(Options::new())
}

fn spawn(upgrade: Option<Upgrade>) {
    if let Some(upgrade) = upgrade {
        tokio::spawn(async move { echo(upgrade.await?).await });
    }
}

async fn echo<S>(mut ws: sansocket::tokio::WebSocket<S>) -> Result<()>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    while let Some(message) = ws.next().await? {
        ws.send(message).await?;
    }
    Ok(())
}

mod in_warp {
    use http::HeaderMap;
    use hyper::upgrade::OnUpgrade;
    use warp::Filter;
    use warp::reply::Response;

    use super::*;

    pub(crate) async fn serve(listener: tokio::net::TcpListener) {
        let chat = warp::path("chat")
            .and(warp::header::headers_cloned())
            .and(warp::ext::get::<OnUpgrade>())
            .map(answer)
            .boxed();
        warp::serve(chat).incoming(listener).run().await;
    }

    fn answer(headers: HeaderMap, stream: OnUpgrade) -> Response {
        let mut request = http::Request::new(());
        *request.headers_mut() = headers;
        request.extensions_mut().insert(stream);
        let (response, upgrade) = upgrade(&mut request, &config(), Request::accept);
        spawn(upgrade);
        response.map(|body: Vec<u8>| body.into())
    }
}

mod in_salvo {
    use salvo::conn::tcp::TcpAcceptor;
    use salvo::http::ReqBody;
    use salvo::prelude::{Router, Server, handler};

    use super::*;

    pub(crate) async fn serve(listener: tokio::net::TcpListener) {
        let acceptor = TcpAcceptor::try_from(listener).expect("a listener");
        let router = Router::with_path("chat").goal(chat);
        Server::new(acceptor).serve(router).await;
    }

    #[handler]
    async fn chat(request: &mut salvo::Request, response: &mut salvo::Response) {
        let Ok(mut stripped) = request.strip_to_hyper::<ReqBody>() else {
            return;
        };
        let (made, upgrade) = upgrade(&mut stripped, &config(), Request::accept);
        spawn(upgrade);
        let (head, body) = http::Response::<Vec<u8>>::into_parts(made);
        response.status_code(head.status);
        response.set_headers(head.headers);
        if !body.is_empty() {
            response.body(body);
        }
    }
}

mod in_poem {
    use poem::listener::TcpAcceptor;
    use poem::{Response, Route, Server, handler};
    use sansocket::Role;
    use sansocket::adapter::http;
    use sansocket::tokio::WebSocket;

    use super::*;

    pub(crate) async fn serve(listener: tokio::net::TcpListener) {
        let acceptor = TcpAcceptor::from_tokio(listener).expect("a listener");
        let app = Route::new().at("/chat", chat);
        let _ = Server::new_with_acceptor(acceptor).run(app).await;
    }

    /// poem has a stream type of its own.
    #[handler]
    fn chat(request: &poem::Request) -> Response {
        let mut head = ::http::Request::new(());
        *head.headers_mut() = request.headers().clone();
        let asked = match http::request(&head, &config()) {
            Ok(asked) => asked,
            Err(rejection) => return of(http::response(&http::refusal(&rejection))),
        };
        let answer = asked.accept();
        if let (true, Ok(stream)) = (asked.is_upgrade(), request.take_upgrade()) {
            let agreement = answer.agreement().clone();
            tokio::spawn(async move {
                let (stream, rest) = (stream.await?, Vec::new());
                let ws = WebSocket::upgraded(stream, Role::Server, agreement, rest, &config());
                echo(ws).await
            });
        }
        of(http::response(&answer))
    }

    fn of(response: ::http::Response<Vec<u8>>) -> Response {
        let (head, body) = response.into_parts();
        let mut made = Response::builder().status(head.status).body(body);
        *made.headers_mut() = head.headers;
        made
    }
}

mod in_actix {
    use std::io;

    use actix_web::http::StatusCode;
    use actix_web::{App, HttpRequest, HttpResponse, HttpResponseBuilder, HttpServer, web};
    use futures_util::TryStreamExt;
    use sansocket::adapter::http::refusal;
    use sansocket::tokio::WebSocket;
    use sansocket::{Answer, Role, upgrade};
    use tokio_util::io::{ReaderStream, StreamReader};

    use super::*;

    pub(crate) async fn serve(listener: tokio::net::TcpListener) {
        let listener = listener.into_std().expect("a listener");
        let app = || App::new().route("/chat", web::get().to(chat));
        let server = HttpServer::new(app).workers(1).disable_signals();
        let _ = server.listen(listener).expect("a server").run().await;
    }

    /// actix-web provides no stream: received bytes are the body of the request, and
    /// sent bytes that of the response.
    async fn chat(request: HttpRequest, payload: web::Payload) -> HttpResponse {
        let fields = request.headers().iter();
        let fields = fields.map(|(name, value)| (name.as_str(), value.as_bytes()));
        let target = request.uri().path_and_query();
        let target = target.map_or("/", |target| target.as_str());
        let asked = upgrade::request(request.method().as_str(), target, fields, &config());
        let answer = asked.map_or_else(|rejection| refusal(&rejection), |asked| asked.accept());
        let mut made = of(&answer);
        if !answer.is_upgrade() {
            return made.body(answer.content().to_vec());
        }
        // The response ends when the WebSocket closes or drops the pipe. actix-web then
        // discards what the peer still sends, and closes the connection after
        // `HttpServer::client_disconnect_timeout`, one second by default.
        let (body, pipe) = tokio::io::duplex(64 * 1024);
        let payload = StreamReader::new(payload.map_err(io::Error::other));
        let (stream, rest) = (tokio::io::join(payload, pipe), Vec::new());
        let agreement = answer.agreement().clone();
        let ws = WebSocket::upgraded(stream, Role::Server, agreement, rest, &config());
        actix_web::rt::spawn(echo(ws));
        made.upgrade("websocket").streaming(ReaderStream::new(body))
    }

    fn of(answer: &Answer) -> HttpResponseBuilder {
        let status = StatusCode::from_u16(answer.status()).unwrap_or_default();
        let mut made = HttpResponse::build(status);
        for field in answer.fields().iter() {
            made.append_header(field);
        }
        made
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let listen = async || tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listen().await?;
    let warp = listener.local_addr()?;
    tokio::spawn(in_warp::serve(listener));
    let listener = listen().await?;
    let salvo = listener.local_addr()?;
    tokio::spawn(in_salvo::serve(listener));
    let listener = listen().await?;
    let poem = listener.local_addr()?;
    tokio::spawn(in_poem::serve(listener));
    let listener = listen().await?;
    let actix = listener.local_addr()?;
    tokio::spawn(in_actix::serve(listener));
    let addrs = [
        ("warp", warp),
        ("salvo", salvo),
        ("poem", poem),
        ("actix-web", actix),
    ];
    for (name, addr) in addrs {
        ask(addr)
            .await
            .map_err(|error| format!("{name}: {error}"))?;
        println!("{name}: echoes, compressed, and closes in order");
    }
    Ok(())
}

async fn ask(addr: SocketAddr) -> Result<()> {
    let url = format!("ws://{addr}/chat");
    let mut ws = sansocket::tokio::connect(&*url, &config()).await?;
    if ws.connection().deflate().is_none() {
        return Err("no compression was agreed on".into());
    }
    for len in [0, 1, 125, 70_000, 1_000_000] {
        let text = "a".repeat(len);
        ws.send(&text).await?;
        if ws.next().await? != Some((&text).into()) {
            return Err("another echo".into());
        }
    }
    ws.close(1000, "").await?;
    let closing = Instant::now();
    while ws.next().await?.is_some() {}
    // RFC 6455 §7.1.1: the server closes the connection first. Otherwise, the client
    // waits for 5 s, the default of `Config::with_close_timeout`.
    if closing.elapsed() > Duration::from_secs(4) {
        return Err("not closed by the server".into());
    }
    if !ws.outcome().is_some_and(|outcome| outcome.clean) {
        return Err("not closed in order".into());
    }
    // A request that is none.
    let plain = sansocket::tokio::connect(format!("ws://{addr}/other").as_str(), &config()).await;
    match plain {
        Err(sansocket::tokio::Error::Refused(response)) if response.status() == 404 => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}
