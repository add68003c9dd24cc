//! A client of each way, which measures it.

use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use sansocket::adapter::Connector;
use sansocket::{ClientRequest, Config, tokio::connect_on};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::feed::TICK;
use crate::run::{Row, Run};
use crate::{Addresses, Error};

/// What a browser sends with a request of a page, besides its cookies.
const BROWSER: &[(&str, &str)] = &[
    ("Connection", "keep-alive"),
    ("sec-ch-ua-platform", "\"Linux\""),
    (
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    ),
    (
        "sec-ch-ua",
        "\"Chromium\";v=\"140\", \"Not=A?Brand\";v=\"24\", \"Google Chrome\";v=\"140\"",
    ),
    ("sec-ch-ua-mobile", "?0"),
    ("Accept", "*/*"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Sec-Fetch-Mode", "cors"),
    ("Sec-Fetch-Dest", "empty"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Accept-Language", "en-GB,en;q=0.9"),
];

/// Measures all ways at the same time.
pub(crate) async fn measure(addresses: Addresses) -> Result<Vec<Row>, Error> {
    let (polling, long_polling, events, websocket, tcp) = tokio::try_join!(
        measure_polling(addresses),
        measure_long_polling(addresses),
        measure_events(addresses),
        measure_websocket(addresses),
        measure_tcp(addresses),
    )?;
    Ok(vec![polling, long_polling, events, websocket, tcp])
}

/// Asks again some time after each answer: about as often as there are updates.
async fn measure_polling(addresses: Addresses) -> Result<Row, Error> {
    let mut run = Run::new("polling");
    let mut http = Http::connect(addresses, &run).await?;
    let mut updates = http.get_all(&mut run, "/polling").await?;
    while run.take(updates.iter().map(|update| &**update)) {
        sleep(TICK).await;
        let path = http.path_after("/polling");
        updates = http.get_all(&mut run, &path).await?;
    }
    Ok(run.finish())
}

/// Asks again as soon as there is an answer, which the server delays until there
/// is an update.
async fn measure_long_polling(addresses: Addresses) -> Result<Row, Error> {
    let mut run = Run::new("long polling");
    let mut http = Http::connect(addresses, &run).await?;
    let mut updates = http.get_all(&mut run, "/long-polling").await?;
    while run.take(updates.iter().map(|update| &**update)) {
        let path = http.path_after("/long-polling");
        updates = http.get_all(&mut run, &path).await?;
    }
    Ok(run.finish())
}

async fn measure_events(addresses: Addresses) -> Result<Row, Error> {
    let mut run = Run::new("server-sent events");
    let mut http = Http::connect(addresses, &run).await?;
    let mut body = http.get(&mut run, "/events").await?;
    let mut received = String::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        received.push_str(std::str::from_utf8(&data)?);
        let end = received.rfind("\n\n").map_or(0, |at| at + 2);
        let events = received.get(..end).unwrap_or_default().split("\n\n");
        if !run.take(events.filter_map(|event| event.strip_prefix("data: "))) {
            break;
        }
        received.drain(..end);
    }
    Ok(run.finish())
}

async fn measure_websocket(addresses: Addresses) -> Result<Row, Error> {
    let mut run = Run::new("WebSocket");
    let stream = connect(addresses.http).await?;
    let mut request = ClientRequest::to(&format!("ws://{}/websocket", addresses.http))?;
    // The handshake has a `Connection` of its own.
    for (name, value) in BROWSER.iter().skip(1) {
        request = request.with_header(name, value)?;
    }
    let connector = Connector::new(&Config::new());
    run.count_request();
    let mut ws = connect_on(run.counting(stream), request, &connector).await?;
    while let Some(message) = ws.next().await? {
        if !run.take(message.as_text().into_iter()) {
            break;
        }
    }
    let row = run.finish();
    ws.close(1000, "measured").await?;
    Ok(row)
}

pub(crate) async fn measure_tcp(addresses: Addresses) -> Result<Row, Error> {
    let mut run = Run::new("TCP");
    let stream = connect(addresses.tcp).await?;
    let mut lines = BufReader::new(run.counting(stream)).lines();
    while let Some(line) = lines.next_line().await? {
        if !run.take([&*line].into_iter()) {
            break;
        }
    }
    Ok(run.finish())
}

async fn connect(addr: std::net::SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A connection that is kept alive.
struct Http {
    sender: SendRequest<Empty<Bytes>>,
    host: String,
    /// The number of the last update that was received.
    after: Option<String>,
}

impl Http {
    async fn connect(addresses: Addresses, run: &Run) -> Result<Self, Error> {
        let stream = run.counting(connect(addresses.http).await?);
        let (sender, connection) = http1::Builder::new()
            .title_case_headers(true)
            .handshake(TokioIo::new(stream))
            .await?;
        tokio::spawn(connection);
        Ok(Self {
            sender,
            host: addresses.http.to_string(),
            after: None,
        })
    }

    async fn get(&mut self, run: &mut Run, path: &str) -> Result<Incoming, Error> {
        let mut request = Request::get(path).header("Host", &self.host);
        for (name, value) in BROWSER {
            request = request.header(*name, *value);
        }
        request = request.header("Referer", format!("http://{}/", self.host));
        run.count_request();
        self.sender.ready().await?;
        let response = self
            .sender
            .send_request(request.body(Empty::new())?)
            .await?;
        Ok(response.into_body())
    }

    /// The updates of an answer that ends.
    async fn get_all(&mut self, run: &mut Run, path: &str) -> Result<Vec<String>, Error> {
        let body = self.get(run, path).await?.collect().await?.to_bytes();
        let array = std::str::from_utf8(&body)?.trim_matches(['[', ']']);
        let updates = array
            .split_inclusive('}')
            .map(|it| it.trim_start_matches(','));
        let updates: Vec<_> = updates.map(str::to_owned).collect();
        let number = updates.last().and_then(|last| {
            let number = last.strip_prefix(r#"{"number":"#)?.split(',').next();
            number.map(str::to_owned)
        });
        self.after = number.or_else(|| self.after.take());
        Ok(updates)
    }

    fn path_after(&self, path: &str) -> String {
        match &self.after {
            Some(number) => format!("{path}?after={number}"),
            None => path.to_owned(),
        }
    }
}
