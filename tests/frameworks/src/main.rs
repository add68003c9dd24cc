//! An echo within warp, salvo and poem, each by the lines that an application
//! writes, and a client that asks all of them.
//! `cargo run --manifest-path tests/frameworks/Cargo.toml`

use std::error::Error;
use std::net::SocketAddr;

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
    for (name, addr) in [("warp", warp), ("salvo", salvo), ("poem", poem)] {
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
    while ws.next().await?.is_some() {}
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
