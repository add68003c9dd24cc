//! The idioms of programs written for tokio-tungstenite, with the names that
//! the migration table gives: each must compile as it would there, and work.
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt, TryStreamExt, future, stream};
use sansocket::adapter::Connector;
use sansocket::tokio::{self as ws, Error, WebSocket};
use sansocket::{Close, CloseCode, Config, Event, Message, MessageRef, Request};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A client and a server over TCP.
async fn over_tcp() -> (ws::Client, WebSocket<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("ws://{}", listener.local_addr().unwrap());
    let accepting = async {
        let (stream, _) = listener.accept().await.unwrap();
        ws::accept(stream, &Config::new()).await.unwrap()
    };
    let config = Config::new();
    let (client, server) = tokio::join!(ws::connect(&*uri, &config), accepting);
    (client.unwrap(), server)
}

/// Echoes until the client closes.
fn spawn_echo(server: WebSocket<TcpStream>) -> tokio::task::JoinHandle<Result<(), Error>> {
    tokio::spawn(async move {
        let (reader, writer) = server.split();
        reader.forward(writer).await
    })
}

// The echo server of every introduction.
#[tokio::test]
async fn filtered_messages_are_forwarded_in_a_spawned_task() {
    let (mut client, server) = over_tcp().await;
    let echo = tokio::spawn(async move {
        let (write, read) = StreamExt::split(server);
        read.try_filter(|message| future::ready(message.as_text().is_some()))
            .forward(write)
            .await
    });
    client.send(b"left out").await.unwrap();
    client.send("echoed").await.unwrap();
    assert_eq!(client.next().await.unwrap(), Some("echoed".into()));
    client.close_and_drain(1000, "").await.unwrap();
    echo.await.unwrap().unwrap();
}

#[tokio::test]
async fn halves_of_the_crate_are_forwarded() {
    let (mut client, server) = over_tcp().await;
    let echo = spawn_echo(server);
    for text in ["a", "b", "c"] {
        client.send(text).await.unwrap();
        assert_eq!(client.next().await.unwrap(), Some(text.into()));
    }
    client.close_and_drain(1000, "").await.unwrap();
    echo.await.unwrap().unwrap();
}

// The client of tokio-tungstenite's users: stdin to the socket, the socket to
// stdout, whichever ends first.
#[tokio::test]
async fn channel_is_forwarded_beside_for_each() {
    let (client, server) = over_tcp().await;
    let echo = spawn_echo(server);
    let (lines, received) = mpsc::unbounded_channel();
    let (write, read) = StreamExt::split(client);
    for line in ["first", "second"] {
        lines.send(Message::from(line)).unwrap();
    }
    let received = stream::unfold(received, |mut received| async {
        let message = received.recv().await?;
        Some((Ok(message), received))
    });
    let to_socket = received.forward(write);
    let mut seen = Vec::new();
    let from_socket = read.try_for_each(|message| {
        seen.push(message);
        future::ready(if seen.len() < 2 {
            Ok(())
        } else {
            Err(std::io::Error::other("enough").into())
        })
    });
    match future::select(Box::pin(to_socket), from_socket).await {
        future::Either::Left(_) => panic!("the channel is open"),
        future::Either::Right((enough, _)) => assert!(matches!(enough, Err(Error::Io(_)))),
    }
    assert_eq!(seen, ["first", "second"].map(Message::from));
    // Both halves are gone: the server sees an end without a close frame.
    assert!(echo.await.unwrap().is_err());
}

#[tokio::test]
async fn many_are_sent_at_once() {
    let (mut client, server) = over_tcp().await;
    let echo = spawn_echo(server);
    let texts: Vec<Message> = (0..100).map(|n| n.to_string().into()).collect();
    let mut sending = stream::iter(texts.clone()).map(Ok);
    SinkExt::send_all(&mut client, &mut sending).await.unwrap();
    let echoed: Vec<Message> = (&mut client).take(100).try_collect().await.unwrap();
    assert_eq!(echoed, texts);
    SinkExt::close(&mut client).await.unwrap();
    assert_eq!(client.next().await.unwrap(), None);
    echo.await.unwrap().unwrap();
}

// A session: what the peer sends, what the application sends, and a heartbeat.
#[tokio::test]
async fn select_serves_three_sources() {
    let (mut client, mut server) = over_tcp().await;
    let (outgoing, mut to_send) = mpsc::channel::<Message>(4);
    let session = tokio::spawn(async move {
        let mut heartbeat = tokio::time::interval(Duration::from_millis(5));
        let mut received = Vec::new();
        loop {
            tokio::select! {
                message = server.next() => match message? {
                    Some(message) => received.push(message),
                    None => return Ok::<_, Error>(received),
                },
                Some(message) = to_send.recv() => server.send(message).await?,
                _ = heartbeat.tick() => server.ping(b"beat").await?,
            }
        }
    });
    let mut pings = 0;
    outgoing.send("from the channel".into()).await.unwrap();
    client.send("from the client").await.unwrap();
    let mut message = None;
    while message.is_none() || pings < 3 {
        match client.next_event().await.unwrap().unwrap() {
            Event::Message(received) => message = Some(received.into_owned()),
            Event::Ping(payload) => {
                assert_eq!(&*payload, b"beat");
                pings += 1;
            }
            event => panic!("{event:?}"),
        }
    }
    assert_eq!(message, Some("from the channel".into()));
    client.close_and_drain(1000, "").await.unwrap();
    let received = session.await.unwrap().unwrap();
    assert_eq!(received, [Message::from("from the client")]);
}

/// What a trait object of a server's own may look like.
type Incoming = Pin<Box<dyn Stream<Item = Result<Message, Error>> + Send>>;
type Outgoing = Pin<Box<dyn Sink<Message, Error = Error> + Send>>;

/// A stream of any kind.
trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Io for S {}

async fn serve_any<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    stream: S,
) -> Result<(Incoming, Outgoing), Error> {
    let ws = ws::accept_on(stream, &Config::new(), Request::accept).await?;
    let (reader, writer) = ws.expect("an upgrade").split();
    Ok((Box::pin(reader), Box::pin(writer)))
}

#[tokio::test]
async fn streams_and_halves_may_be_boxed() {
    let (near, far): (DuplexStream, DuplexStream) = tokio::io::duplex(4096);
    let far: Box<dyn Io> = Box::new(far);
    let near: Box<dyn Io> = Box::new(near);
    let server = tokio::spawn(async move {
        let (mut incoming, mut outgoing) = serve_any(far).await?;
        while let Some(message) = incoming.next().await {
            outgoing.send(message?).await?;
        }
        Ok::<_, Error>(())
    });
    let connector = Connector::new(&Config::new());
    let connecting = ws::connect_on(near, "ws://localhost/", &connector);
    let mut client = connecting.await.unwrap();
    client.send("boxed").await.unwrap();
    assert_eq!(client.next().await.unwrap(), Some("boxed".into()));
    client.close_and_drain(1000, "").await.unwrap();
    server.await.unwrap().unwrap();
}

// A room: every member has a channel, and one payload is shared by all.
#[tokio::test]
async fn one_message_is_fanned_out_through_channels() {
    let mut members = Vec::new();
    let mut clients = Vec::new();
    for _ in 0..3 {
        let (client, server) = over_tcp().await;
        let (member, mut messages) = mpsc::unbounded_channel::<Message>();
        let (mut writer, _reader) = StreamExt::split(server);
        tokio::spawn(async move {
            while let Some(message) = messages.recv().await {
                writer.send(message).await?;
            }
            writer.close().await
        });
        members.push(member);
        clients.push((client, _reader));
    }
    let news = Message::Binary(Bytes::from(vec![7; 100_000]));
    for member in &members {
        member.send(news.clone()).unwrap();
    }
    for (client, _reader) in &mut clients {
        assert_eq!(client.next().await.unwrap(), Some(news.clone()));
    }
}

// `?` in a function whose error is boxed, or the crate's own.
#[tokio::test]
async fn errors_convert_with_the_question_mark() {
    async fn run() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let (mut client, mut server) = over_tcp().await;
        client.close(CloseCode::GOING_AWAY, "bye").await?;
        match server.next_event().await? {
            Some(Event::Close(Close { code, reason, .. })) => {
                assert_eq!((code, &*reason), (CloseCode::GOING_AWAY, "bye"));
            }
            event => panic!("{event:?}"),
        }
        assert_eq!(server.next().await?, None);
        Ok(())
    }
    run().await.unwrap();
}

// A large payload is handed to the transport as it is.
#[tokio::test]
async fn large_owned_message_is_shared_until_it_has_left() {
    const LEN: usize = 1 << 20;
    let (mut client, mut server) = over_tcp().await;
    let bytes = Bytes::from(vec![1; LEN]);
    let message = Message::from(bytes.clone());
    // More than the buffers of the socket take.
    let limit = 64;
    let mut fed = 0;
    while fed < limit && server.unsent_len() == 0 {
        server.feed(&message).await.unwrap();
        fed += 1;
        let _ = future::poll_immediate(server.flush()).await;
    }
    assert!(fed < limit, "the peer does not read");
    assert!(server.memory_usage() < LEN / 2, "{}", server.memory_usage());
    let reading = tokio::spawn(async move {
        for _ in 0..fed {
            let received = client.next().await.unwrap().unwrap();
            assert_eq!(received.len(), LEN);
        }
    });
    server.flush().await.unwrap();
    drop(message);
    assert!(bytes.is_unique());
    reading.await.unwrap();
}

#[test]
fn messages_convert_from_what_applications_have() {
    let text = String::from("text");
    for message in [
        Message::from("text"),
        Message::from(&text),
        Message::from(text.clone()),
        Message::from(std::borrow::Cow::Borrowed("text")),
        Message::Text("text".into()),
        MessageRef::from(&text).into_owned(),
        MessageRef::from(text.clone()).into(),
        MessageRef::from(&Message::from("text")).into_owned(),
    ] {
        assert_eq!(message, Message::Text("text".into()));
        assert_eq!(MessageRef::from(&message), MessageRef::from("text"));
        assert_ne!(MessageRef::from(&message), MessageRef::from(b"text"));
        assert_eq!(message.to_string(), "text");
        assert_eq!(message.as_text(), Some("text"));
        assert_eq!((message.len(), message.is_empty()), (4, false));
        assert_eq!(message.into_bytes(), "text");
    }
    let bytes = vec![1, 2, 3];
    for message in [
        Message::from(&bytes),
        Message::from(&bytes[..]),
        Message::from(&[1, 2, 3]),
        Message::from(&Bytes::from(bytes.clone())),
        Message::from(Bytes::from(bytes.clone())),
        Message::from(bytes.clone()),
        MessageRef::from(&Bytes::from(bytes.clone())).into_owned(),
    ] {
        assert_eq!(message, Message::Binary(bytes.clone().into()));
        assert_eq!(message.to_string(), "3 bytes");
        assert_eq!(message.as_text(), None);
    }
}
