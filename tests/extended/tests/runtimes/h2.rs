//! Over streams of HTTP/2 (RFC 8441): flow control, ends and resets, and what
//! becomes of requests that are none.

use std::io::{self, ErrorKind};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Reason, RecvStream, SendStream};
use http::{Method, Request as Head, Response, Uri};
use sansocket::h2::{Error, MAX_WINDOW, WebSocket, accept, connect, handshake};
use sansocket::{
    Answer, ClientRequest, Config, ConnectionError, DeadlineReason, Event, HandshakeError, Message,
    Request,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{advance, timeout};

const SECOND: Duration = Duration::from_secs(1);

fn config() -> Config {
    let config = Config::new();
    #[cfg(feature = "deflate")]
    let config = config.with_deflate(sansocket::deflate::Options::new());
    config
}

fn answer(request: &Request) -> Answer {
    match (request.is_upgrade(), request.target()) {
        (true, "/chat") => request.accept(),
        (true, _) => request.reject(404),
        (false, _) => Answer::new(200).with_body("a page"),
    }
}

/// What a server does with a WebSocket.
#[derive(Clone, Copy)]
enum Serve {
    Echo,
    Drop,
    Flood,
}

/// Serves one connection with windows of this many bytes.
fn serve(how: Serve, window: u32) -> DuplexStream {
    let (ours, theirs) = duplex(64 * 1024);
    tokio::spawn(async move {
        let mut builder = h2::server::Builder::new();
        builder.enable_connect_protocol();
        builder.initial_connection_window_size(MAX_WINDOW);
        builder.initial_window_size(window);
        let mut connection = builder.handshake::<_, Bytes>(ours).await.unwrap();
        while let Some(Ok((request, respond))) = connection.accept().await {
            if let Ok(Some(ws)) = accept(request, respond, &config(), answer) {
                tokio::spawn(served(ws, how));
            }
        }
    });
    theirs
}

async fn served(mut ws: WebSocket, how: Serve) -> Result<(), Error> {
    match how {
        Serve::Echo => {
            while let Some(message) = ws.next().await? {
                ws.send(message).await?;
            }
        }
        Serve::Drop => drop(ws.next().await?),
        Serve::Flood => {
            // Pongs are read meanwhile.
            let (mut reader, mut writer) = ws.split();
            tokio::spawn(async move { while let Ok(Some(_)) = reader.next().await {} });
            loop {
                writer.send(vec![0; 100_000]).await?;
            }
        }
    }
    Ok(())
}

/// Our client on a connection that a task drives.
async fn client(stream: DuplexStream) -> SendRequest<Bytes> {
    let (client, connection) = handshake(stream, &config()).await.unwrap();
    tokio::spawn(connection);
    client
}

fn chat() -> ClientRequest {
    ClientRequest::to("wss://example.com/chat").unwrap()
}

/// A client of the test's own, for what ours would not do.
async fn raw(client: &SendRequest<Bytes>) -> (SendStream<Bytes>, RecvStream) {
    let mut client = client.clone().ready().await.unwrap();
    let (response, send) = client.send_request(connect_head("13"), false).unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    (send, response.into_body())
}

fn connect_head(version: &str) -> Head<()> {
    let mut head = Head::new(());
    *head.method_mut() = Method::CONNECT;
    *head.uri_mut() = Uri::from_static("https://example.com/chat");
    let fields = head.headers_mut();
    fields.insert("sec-websocket-version", version.parse().unwrap());
    let protocol = h2::ext::Protocol::from_static("websocket");
    head.extensions_mut().insert(protocol);
    head
}

/// What `h2` says of the stream.
fn reason(error: &io::Error) -> Option<Reason> {
    error.get_ref()?.downcast_ref::<h2::Error>()?.reason()
}

// Requirement 36: many sockets, in windows far smaller than what they carry.
#[tokio::test]
async fn messages_pass_through_any_window() {
    for window in [1, 100, 65_535, 1 << 20] {
        let client = client(serve(Serve::Echo, window)).await;
        let len = if window == 1 { 2_000 } else { 200_000 };
        let mut tasks = Vec::new();
        for number in 0..10_u8 {
            let client = client.clone();
            tasks.push(tokio::spawn(async move {
                let ws = connect(&client, &chat(), &config()).await.unwrap();
                let (mut reader, mut writer) = ws.split();
                let sent: Vec<u8> = (0..len)
                    .map(|n: u32| (n.wrapping_mul(n) >> 7) as u8 ^ number)
                    .collect();
                let payload = sent.clone();
                let sending = tokio::spawn(async move {
                    writer.send(payload).await.unwrap();
                    writer.close(1000, "").await.unwrap();
                });
                let echoed = reader.next().await.unwrap();
                assert!(echoed == Some(Message::from(sent)), "{number}");
                assert_eq!(reader.next().await.unwrap(), None);
                assert!(reader.outcome().unwrap().clean);
                sending.await.unwrap();
            }));
        }
        for task in tasks {
            timeout(60 * SECOND, task).await.expect("no stall").unwrap();
        }
    }
}

// A stream that is not read stalls its own sender and no other.
#[tokio::test(start_paused = true)]
async fn stalled_stream_meets_its_deadline_alone() {
    let client = client(serve(Serve::Flood, 65_535)).await;
    let mut ours = connect(&client, &chat(), &config()).await.unwrap();
    let (_send, mut unread) = raw(&client).await;
    let mut received = 0;
    for _ in 0..20 {
        received += ours.next().await.unwrap().unwrap().len();
    }
    assert_eq!(received, 2_000_000);
    // Who goes on reading is not given up meanwhile.
    for _ in 0..24 {
        advance(5 * SECOND).await;
        received = ours.next().await.unwrap().unwrap().len();
        assert_eq!(received, 100_000);
    }
    // A window's worth, and then the end of a stream that was given up.
    let mut len = 0;
    while let Some(Ok(data)) = unread.data().await {
        len += data.len();
    }
    assert!(len <= 65_535, "{len}");
    assert!(ours.next().await.unwrap().is_some());
}

#[tokio::test]
async fn reset_is_an_error_behind_what_came_before() {
    let (ours, theirs) = duplex(64 * 1024);
    let serving = tokio::spawn(async move {
        let mut builder = h2::server::Builder::new();
        builder.enable_connect_protocol();
        let mut connection = builder.handshake::<_, Bytes>(ours).await.unwrap();
        let (request, respond) = connection.accept().await.unwrap().unwrap();
        let mut ws = accept(request, respond, &config(), answer)
            .unwrap()
            .unwrap();
        tokio::spawn(async move { connection.accept().await.is_none() });
        let message = ws.next().await.unwrap();
        (message, ws.next().await.unwrap_err())
    });
    let (mut send, _receive) = raw(&client(theirs).await).await;
    send.send_data(Bytes::from_static(b"\x82\x80\0\0\0\0"), false)
        .unwrap();
    // h2 discards data that precedes a reset.
    tokio::time::sleep(Duration::from_millis(50)).await;
    send.send_reset(Reason::INTERNAL_ERROR);
    let (message, error) = serving.await.unwrap();
    assert_eq!(message, Some(Message::from(&b""[..])));
    let Error::Io(error) = error else {
        panic!("{error}")
    };
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(reason(&error), Some(Reason::INTERNAL_ERROR));
}

// RFC 8441 §5: as a TCP connection that is reset.
#[tokio::test]
async fn socket_that_is_dropped_cancels_its_stream() {
    let client = client(serve(Serve::Drop, 65_535)).await;
    let mut ws = connect(&client, &chat(), &config()).await.unwrap();
    ws.send("go").await.unwrap();
    let Error::Io(error) = ws.next().await.unwrap_err() else {
        panic!("a reset")
    };
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(reason(&error), Some(Reason::CANCEL));
    // The connection goes on.
    connect(&client, &chat(), &config()).await.unwrap();
}

#[tokio::test]
async fn broken_frame_ends_the_stream_behind_its_close_frame() {
    let (mut send, mut receive) = raw(&client(serve(Serve::Echo, 65_535)).await).await;
    // Not masked.
    send.send_data(Bytes::from_static(b"\x82\x01x"), false)
        .unwrap();
    let mut received = Vec::new();
    while let Some(data) = receive.data().await {
        received.extend_from_slice(&data.unwrap());
    }
    assert_eq!(received[0], 0x88);
    assert_eq!(received[2..4], 1002_u16.to_be_bytes());
}

#[tokio::test]
async fn connection_that_breaks_is_an_error() {
    let (client_end, mut far) = duplex(64 * 1024);
    let mut near = serve(Serve::Echo, 65_535);
    let relay =
        tokio::spawn(async move { tokio::io::copy_bidirectional(&mut far, &mut near).await });
    let client = client(client_end).await;
    let mut ws = connect(&client, &chat(), &config()).await.unwrap();
    relay.abort();
    let error = ws.next().await.unwrap_err();
    let cut = matches!(error, Error::Failed(ConnectionError::UnexpectedEof));
    assert!(cut, "as over TCP: {error:?}");
    assert!(!ws.outcome().unwrap().clean);
}

#[tokio::test]
async fn events_are_those_of_any_other_stream() {
    let client = client(serve(Serve::Echo, 65_535)).await;
    let mut ws = connect(&client, &chat(), &config()).await.unwrap();
    ws.ping(b"p").await.unwrap();
    assert!(matches!(
        ws.next_event().await.unwrap(),
        Some(Event::Pong(_))
    ));
}

#[tokio::test]
async fn client_keeps_the_response() {
    let (ours, theirs) = duplex(64 * 1024);
    tokio::spawn(async move {
        let mut builder = h2::server::Builder::new();
        builder.enable_connect_protocol();
        let mut connection = builder.handshake::<_, Bytes>(ours).await.unwrap();
        let (request, respond) = connection.accept().await.unwrap().unwrap();
        let accepted = accept(request, respond, &config(), |request| {
            assert_eq!(request.subprotocols().next(), Some("echo"));
            let answer = request.accept().with_subprotocol("echo").unwrap();
            answer.with_header("x-node", "seven").unwrap()
        });
        let ws = accepted.unwrap().unwrap();
        assert!(ws.response().is_none(), "a server received none");
        assert!(connection.accept().await.is_none());
    });
    let client = client(theirs).await;
    let request = chat().with_subprotocol("echo").unwrap();
    let mut ws = connect(&client, &request, &config()).await.unwrap();
    let response = ws.take_response().expect("a response");
    assert_eq!(response.status(), 200);
    assert_eq!(response.header("x-node"), Some("seven"));
    assert_eq!(response.subprotocol(), Some("echo"));
    assert!(ws.response().is_none());
}

#[tokio::test]
async fn client_is_told_that_it_was_refused() {
    let client = client(serve(Serve::Echo, 65_535)).await;
    let elsewhere = ClientRequest::to("wss://example.com/other").unwrap();
    let error = connect(&client, &elsewhere, &config()).await.unwrap_err();
    let Error::Refused(refusal) = error else {
        panic!("{error:?}")
    };
    assert_eq!(refusal.status(), 404);
    assert_eq!(refusal.body(), b"404 Not Found\n");
    assert!(refusal.header("content-type").is_some() && !refusal.is_truncated());

    let short = config().with_max_body_len(3);
    let error = connect(&client, &elsewhere, &short).await.unwrap_err();
    let Error::Refused(refusal) = error else {
        panic!("{error:?}")
    };
    assert_eq!(
        (refusal.body(), refusal.is_truncated()),
        (&b"404"[..], true)
    );
}

// A stream that a client drops is reset, with what was not sent: so it waits for the
// server to end its direction, at most until the close deadline.
#[tokio::test(start_paused = true)]
async fn client_waits_for_the_end_of_its_stream() {
    for ends in [true, false] {
        let (ours, theirs) = duplex(64 * 1024);
        tokio::spawn(answer_closes(ours, ends));
        let client = client(theirs).await;
        let mut ws = connect(&client, &chat(), &config()).await.unwrap();
        let start = tokio::time::Instant::now();
        ws.close(1000, "").await.unwrap();
        assert_eq!(ws.next().await.unwrap(), None);
        assert!(ws.outcome().unwrap().clean);
        let waited = start.elapsed() >= Duration::from_secs(5);
        assert_eq!(waited, !ends, "{:?}", start.elapsed());
    }
}

/// A server that sends its close frame before the client's comes, and may end its stream.
async fn answer_closes(transport: DuplexStream, ends: bool) {
    let mut builder = h2::server::Builder::new();
    builder.enable_connect_protocol();
    let mut connection = builder.handshake::<_, Bytes>(transport).await.unwrap();
    let mut kept = Vec::new();
    while let Some(stream) = connection.accept().await {
        let (_, mut respond) = stream.unwrap();
        let mut send = respond.send_response(Response::new(()), false).unwrap();
        let close = Bytes::from_static(b"\x88\x02\x03\xe8");
        send.send_data(close, ends).unwrap();
        kept.push(send);
    }
}

#[tokio::test(start_paused = true)]
async fn silent_server_of_http_2_is_given_up() {
    let (_silent, theirs) = duplex(64 * 1024);
    let error = handshake(theirs, &config()).await.map(drop).unwrap_err();
    let expected = ConnectionError::Timeout(DeadlineReason::Handshake);
    assert!(matches!(error, Error::Failed(error) if error == expected));
}

#[tokio::test(start_paused = true)]
async fn silent_server_is_given_up() {
    let (ours, theirs) = duplex(64 * 1024);
    tokio::spawn(async move {
        let mut builder = h2::server::Builder::new();
        builder.enable_connect_protocol();
        let mut connection = builder.handshake::<_, Bytes>(ours).await.unwrap();
        let mut kept = Vec::new();
        while let Some(stream) = connection.accept().await {
            kept.push(stream);
        }
    });
    let client = client(theirs).await;
    let error = connect(&client, &chat(), &config()).await.unwrap_err();
    let expected = ConnectionError::Timeout(DeadlineReason::Handshake);
    assert!(matches!(error, Error::Failed(error) if error == expected));
}

#[tokio::test]
async fn server_that_allows_no_extended_connect_is_not_asked() {
    let (ours, theirs) = duplex(64 * 1024);
    tokio::spawn(async move {
        let mut connection = h2::server::handshake(ours).await.unwrap();
        assert!(connection.accept().await.is_none(), "nothing is asked");
    });
    let client = client(theirs).await;
    let error = connect(&client, &chat(), &config()).await.unwrap_err();
    assert!(matches!(error, Error::Io(error) if error.kind() == ErrorKind::Unsupported));
}

#[tokio::test]
async fn requests_that_are_none_are_answered() {
    let client = client(serve(Serve::Echo, 65_535)).await;
    let get = |uri| Head::get(uri).body(()).unwrap();
    let mut udp = connect_head("13");
    let other = h2::ext::Protocol::from_static("connect-udp");
    udp.extensions_mut().insert(other);
    let mut plain = Head::new(());
    *plain.method_mut() = Method::CONNECT;
    *plain.uri_mut() = Uri::from_static("example.com:443");
    let mut foreign = connect_head("13");
    let evil = "https://evil.example".parse().unwrap();
    foreign.headers_mut().insert("origin", evil);
    let rows = [
        (get("https://example.com/"), 200, "a page"),
        (
            Head::head("https://example.com/").body(()).unwrap(),
            200,
            "",
        ),
        (connect_head("8"), 426, ""),
        (udp, HandshakeError::NotAnUpgrade.status(), ""),
        (plain, 400, ""),
        (foreign, 403, ""),
    ];
    for (head, status, body) in rows {
        let told = format!("{head:?}");
        let is_head = head.method() == Method::HEAD;
        let mut client = client.clone().ready().await.unwrap();
        let (response, _) = client.send_request(head, true).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.status(), status, "{told}");
        let mut received = Vec::new();
        let mut stream = response.into_body();
        while let Some(data) = stream.data().await {
            received.extend_from_slice(&data.unwrap());
        }
        assert!(received.starts_with(body.as_bytes()), "{told}");
        assert_eq!(received.is_empty(), is_head, "{told}");
    }
}

#[tokio::test]
async fn server_is_told_what_it_rejected() {
    let (ours, theirs) = duplex(64 * 1024);
    let serving = tokio::spawn(async move {
        let mut builder = h2::server::Builder::new();
        builder.enable_connect_protocol();
        let mut connection = builder.handshake::<_, Bytes>(ours).await.unwrap();
        let (request, respond) = connection.accept().await.unwrap().unwrap();
        let accepted = accept(request, respond, &config(), answer);
        tokio::spawn(async move { connection.accept().await.is_none() });
        accepted
    });
    let client = client(theirs).await;
    let mut client = client.ready().await.unwrap();
    let (response, _) = client.send_request(connect_head("8"), true).unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.status(), 426);
    assert_eq!(response.headers()["sec-websocket-version"], "13");
    let Err(Error::Rejected(rejection)) = serving.await.unwrap() else {
        panic!("not rejected")
    };
    assert_eq!(rejection.error(), HandshakeError::UnsupportedVersion);
    assert_eq!(rejection.target(), Some("/chat"));
}

/// A frame of HTTP/2 (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

// RFC 9113 §8.1.1: malformed requests are stream errors. What `h2` lets pass
// the rules of the handshake refuse.
#[tokio::test]
async fn pseudo_headers_that_are_missing_or_doubled_are_refused() {
    const RESET: u8 = 3;
    const HEADERS: u8 = 1;
    let whole = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":authority", "example.com"),
        (":path", "/chat"),
        ("sec-websocket-version", "13"),
    ];
    let mut rows = vec![("whole", whole.to_vec(), HEADERS)];
    for (index, &field) in whole.iter().enumerate().take(5) {
        let mut missing = whole.to_vec();
        missing.remove(index);
        // Without `:protocol` it is a CONNECT with too much.
        let kind = if index == 3 { HEADERS } else { RESET };
        rows.push(("missing", missing, kind));
        let mut doubled = whole.to_vec();
        doubled.insert(index, field);
        rows.push(("doubled", doubled, RESET));
    }
    for (what, fields, expected) in rows {
        let mut block = Vec::new();
        for (name, value) in &fields {
            // RFC 7541 §6.2.2: literal, new name, not indexed.
            block.extend([0, name.len() as u8]);
            block.extend(name.as_bytes());
            block.push(value.len() as u8);
            block.extend(value.as_bytes());
        }
        let mut stream = serve(Serve::Echo, 65_535);
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend(frame(4, 0, 0, &[]));
        bytes.extend(frame(HEADERS, 4, 1, &block));
        stream.write_all(&bytes).await.unwrap();
        let (kind, payload) = loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.unwrap();
            let len = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; len as usize];
            stream.read_exact(&mut payload).await.unwrap();
            if head[8] == 1 {
                break (head[3], payload);
            }
        };
        assert_eq!(kind, expected, "{what}: {fields:?}");
        match kind {
            RESET => assert_eq!(payload, 1_u32.to_be_bytes(), "PROTOCOL_ERROR"),
            // RFC 7541 Appendix A: the status by its index.
            _ if what == "whole" => assert_eq!(payload[0], 0x88, "200"),
            _ => assert_eq!(payload[0], 0x8c, "400"),
        }
    }
}
