// What every adapter does alike, over a stream in memory: waiting, blocking,
// breaking. Included once for each adapter, by every_adapter.rs, which defines
// `WebSocket` and `MAX_UNREAD`.

use std::io::ErrorKind;

use sansocket::Error;
use sansocket::frame::Opcode;
use sansocket::{ClientRequest, Agreement, CloseCode, Config, Delivery, Event, HandshakeError, Initiator, LimitError, Message, MessageRef,
    Prepared, Role, SendError, ConnectionError};

use crate::duplex::Duplex;
use crate::wire::{config, wire};


const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// A server whose handshake is over.
fn server(stream: &Duplex, config: &Config) -> WebSocket<Duplex> {
    WebSocket::upgraded(
        stream.clone(),
        Role::Server,
        Agreement::default(),
        Vec::new(),
        config,
    )
}

/// Frames of a client.
fn from_client() -> crate::wire::Wire {
    wire(Role::Client)
}

/// Calls until the stream has something for it.
fn retry<T>(mut call: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    for _ in 0..100_000 {
        match call() {
            Err(error) if error.is_would_block() => {}
            result => return result,
        }
    }
    panic!("blocked for ever");
}

// Requirement 33
#[test]
fn handshake_resumes_after_would_block_at_every_byte() {
    let (to_server, to_client) = (Duplex::default(), Duplex::default());
    for stream in [&to_server, &to_client] {
        stream.set(|ends| (ends.stutters, ends.read_len) = (true, 1));
    }
    let request = ClientRequest::to("ws://example.com/chat").unwrap();
    let mut client = WebSocket::client(to_client.clone(), &request, &config()).unwrap();
    let mut server = WebSocket::server(to_server.clone(), &config());
    let (mut is_open, mut echoed) = (false, None);
    for _ in 0..10_000 {
        to_client.set(|ends| ends.capacity = 1);
        to_server.set(|ends| ends.capacity = 1);
        match client.next_event() {
            Ok(Some(Event::Open(_))) => is_open = true,
            Ok(Some(Event::Message(message))) => echoed = Some(message.into_owned()),
            result => assert!(result.unwrap_err().is_would_block()),
        }
        to_server.add(&to_client.take_written());
        match server.next() {
            Ok(message) => assert!(server.try_send(message.unwrap()).unwrap().is_none()),
            Err(error) => assert!(error.is_would_block()),
        }
        to_client.add(&to_server.take_written());
        if is_open && echoed.is_none() && client.unsent_len() == 0 {
            is_open = false;
            assert!(client.try_send("echo").unwrap().is_none());
        }
    }
    assert_eq!(echoed, Some(Message::from("echo")));
}

// Requirement 11: of an async adapter each future is dropped after one poll.
#[test]
fn calls_given_up_at_every_byte_lose_and_double_nothing() {
    let (mut bytes, mut expected) = (from_client(), wire(Role::Server));
    for number in 0..30_u8 {
        let payload = vec![number; usize::from(number) * 7];
        let (first, second) = payload.split_at(payload.len() / 3);
        bytes = bytes
            .frame(Opcode::Binary, false, first)
            .ping(&[number])
            .frame(Opcode::Continuation, true, second);
        expected = expected.pong(&[number]).binary(&payload);
    }
    let bytes = bytes.close(1000, "").bytes();
    let expected = expected.close(1000, "").bytes();
    for delivery in [Delivery::Messages, Delivery::Fragments] {
        let stream = Duplex::of(&bytes);
        stream.set(|ends| (ends.stutters, ends.read_len, ends.write_len) = (true, 1, 1));
        let mut ws = server(&stream, &config().with_delivery(delivery));
        while let Some(message) = retry(|| ws.next()).unwrap() {
            retry(|| ws.feed(&message)).unwrap();
            retry(|| ws.flush()).unwrap();
        }
        assert!(stream.written() == expected, "{delivery:?}");
    }
}

// Requirement 9
#[test]
fn batch_leaves_in_few_writes() {
    let stream = Duplex::default();
    let mut ws = server(&stream, &config());
    for _ in 0..1000 {
        ws.feed(&[7; 20]).unwrap();
    }
    ws.flush().unwrap();
    assert!(stream.ask(|ends| ends.writes.len()) <= 2);
    assert_eq!(stream.written().len(), 1000 * 22);
}

// Requirement 9
#[test]
fn replies_to_one_read_leave_in_one_write() {
    let stream = Duplex::of(&from_client().binary(&[7; 20]).bytes().repeat(64));
    let mut ws = server(&stream, &config());
    let mut replies = 0;
    while let Ok(Some(message)) = ws.next() {
        ws.feed(message).unwrap();
        replies += 1;
    }
    assert_eq!(replies, 64);
    // Without another call: `next` has written them before it waited.
    let expected = wire(Role::Server).binary(&[7; 20]).bytes().repeat(64);
    assert_eq!(stream.ask(|ends| ends.writes.clone()), [expected]);
}

#[test]
fn invalid_text_fails_after_the_messages_before_it() {
    for kept in [false, true] {
        let bytes = from_client()
            .text("valid")
            .frame(Opcode::Text, true, b"\xff")
            .text("more")
            .bytes();
        let stream = Duplex::of(&bytes);
        let mut ws = server(&stream, &config().allow_invalid_utf8(kept));
        assert_eq!(ws.next().unwrap(), Some("valid".into()));
        if kept {
            assert_eq!(ws.next().unwrap(), Some("\u{fffd}".into()));
            assert_eq!(ws.next().unwrap(), Some("more".into()));
            continue;
        }
        stream.set(|ends| ends.ended = Some(Ok(())));
        assert!(is_protocol(retry(|| ws.next())));
        assert_eq!(ws.next().unwrap(), None);
        let close = wire(Role::Server).close(1007, "").bytes();
        assert_eq!(stream.written(), close);
    }
}

// Requirement 9
#[test]
fn header_leaves_together_with_its_payload() {
    for len in [1, 20, 4096, 16 * 1024, 1024 * 1024] {
        let stream = Duplex::default();
        let mut ws = server(&stream, &config());
        ws.send(vec![7; len]).unwrap();
        assert_eq!(stream.ask(|ends| ends.writes.len()), 1, "{len} bytes");
        let expected = wire(Role::Server).binary(&vec![7; len]).bytes();
        assert!(stream.written() == expected, "{len} bytes");
    }
}

// Requirement 7
#[test]
fn send_returns_once_the_stream_was_flushed() {
    for len in [5, 100_000] {
        let stream = Duplex::default();
        let mut ws = server(&stream, &config());
        ws.send(vec![7; len]).unwrap();
        let (written, flushed) = (stream.written().len(), stream.ask(|ends| ends.flushed_len));
        assert!(written > len && flushed == written, "{len} bytes");
    }
}

// Requirement 8
#[test]
fn unsent_bytes_are_bounded_and_the_message_comes_back() {
    let stream = Duplex::default();
    stream.set(|ends| ends.capacity = 0);
    let mut ws = server(&stream, &config().with_max_unsent_len(10_000));
    let mut taken = 0;
    let back = loop {
        match ws.try_send(vec![taken as u8; 1000]).unwrap() {
            None => taken += 1,
            Some(message) => break message,
        }
        assert!(taken < 100, "no bound");
    };
    assert!(ws.unsent_len() <= 10_000, "{} unsent", ws.unsent_len());
    assert_eq!(
        back,
        MessageRef::from(vec![taken as u8; 1000]),
        "handed back whole"
    );
    assert!(
        ws.send(&[0; 1000])
            .is_err_and(|error| error.is_would_block())
    );

    stream.set(|ends| ends.capacity = usize::MAX);
    assert!(ws.try_send(back).unwrap().is_none());
    assert_eq!(ws.unsent_len(), 0);
    let mut expected = wire(Role::Server);
    for i in 0..=taken {
        expected = expected.binary(&vec![i as u8; 1000]);
    }
    assert!(
        stream.written() == expected.bytes(),
        "each message once, in order"
    );
}

// Requirement 8
#[test]
fn single_message_above_the_bound_still_goes() {
    let stream = Duplex::default();
    stream.set(|ends| ends.capacity = 100);
    let mut ws = server(&stream, &config().with_max_unsent_len(1000));
    assert!(ws.try_send(vec![1; 50_000]).unwrap().is_none());
    assert!(ws.try_send("next").unwrap().is_some(), "at the bound");
    stream.set(|ends| ends.capacity = usize::MAX);
    ws.flush().unwrap();
    assert!(stream.written() == wire(Role::Server).binary(&vec![1; 50_000]).bytes());
}

// Of two tasks each waits for its own direction, and each makes the stream read
// and write: the one that was polled last must not be the only one that is woken.
#[test]
fn sending_and_receiving_both_go_on_when_the_stream_does() {
    for receives_last in [true, false] {
        let stream = Duplex::default();
        stream.set(|ends| ends.capacity = 0);
        let mut ws = server(&stream, &config());
        ws.feed("out").unwrap();
        let waits = |result: Result<(), Error>| assert!(result.unwrap_err().is_would_block());
        if receives_last {
            waits(ws.flush());
            waits(ws.next().map(drop));
        } else {
            waits(ws.next().map(drop));
            waits(ws.flush());
        }
        stream.set(|ends| ends.capacity = usize::MAX);
        retry(|| ws.flush()).unwrap();
        assert_eq!(stream.written(), wire(Role::Server).text("out").bytes());
        waits(ws.next().map(drop));
        stream.add(&from_client().text("in").bytes());
        assert_eq!(retry(|| ws.next()).unwrap(), Some("in".into()));
    }
}

// Requirement 13
#[test]
fn pong_leaves_when_the_application_only_reads() {
    let stream = Duplex::of(&from_client().ping(b"one").bytes());
    stream.set(|ends| ends.capacity = 0);
    let mut ws = server(&stream, &config());
    assert!(matches!(ws.next_event(), Ok(Some(Event::Ping(payload))) if *payload == *b"one"));
    assert!(ws.next().unwrap_err().is_would_block());
    assert!(stream.written().is_empty());
    stream.set(|ends| ends.capacity = usize::MAX);
    assert!(
        ws.next().unwrap_err().is_would_block(),
        "nothing to read, but the pong left"
    );
    assert_eq!(stream.written(), wire(Role::Server).pong(b"one").bytes());
}

// Requirement 13
#[test]
fn ping_flood_of_a_peer_that_does_not_read_is_bounded() {
    let flood = from_client().ping(&[7; 125]).bytes().repeat(10_000);
    let stream = Duplex::of(&flood);
    stream.set(|ends| ends.capacity = 0);
    let mut ws = server(&stream, &config());
    for _ in 0..20_000 {
        let _ = ws.next_event();
    }
    assert!(ws.unsent_len() <= MAX_UNREAD, "{} unsent", ws.unsent_len());
    assert!(stream.ask(|ends| ends.incoming.len()) >= flood.len() - MAX_UNREAD);
}

#[test]
fn fragments_are_joined_by_next() {
    let bytes = from_client()
        .frame(Opcode::Text, false, b"gr\xc3")
        .frame(Opcode::Continuation, true, b"\xbc\xc3\x9fe")
        .frame(Opcode::Binary, false, b"1")
        .ping(b"")
        .frame(Opcode::Continuation, true, b"2")
        .bytes();
    let stream = Duplex::of(&bytes);
    stream.set(|ends| ends.read_len = 1);
    let mut ws = server(&stream, &config().with_delivery(Delivery::Fragments));
    assert_eq!(retry(|| ws.next()).unwrap(), Some("grüße".into()));
    assert_eq!(retry(|| ws.next()).unwrap(), Some(b"12".into()));
}

#[test]
fn driven_echo_copies_nothing_and_ends() {
    let bytes = from_client()
        .text("a")
        .binary(b"b")
        .close(1000, "done")
        .bytes();
    let stream = Duplex::of(&bytes);
    let mut ws = server(&stream, &config());
    let mut messages = 0;
    while ws
        .drive(|ws, event, out| match event {
            Event::Message(message) => {
                messages += 1;
                ws.send(message, out)
            }
            _ => Ok(()),
        })
        .unwrap()
    {}
    assert_eq!(messages, 2);
    let expected = wire(Role::Server)
        .text("a")
        .binary(b"b")
        .close(1000, "")
        .bytes();
    assert_eq!(stream.written(), expected);
}

#[test]
fn frames_glued_to_the_head_are_driven_before_the_next_read() {
    let mut bytes = REQUEST.to_vec();
    bytes.extend(from_client().text("glued").bytes());
    let stream = Duplex::of(&bytes);
    let mut ws = WebSocket::server(stream.clone(), &config());
    let Ok(Some(Event::Request(request))) = ws.next_event() else {
        panic!("no request")
    };
    assert!(
        matches!(ws.next_event(), Err(Error::Send(SendError::NotOpen))),
        "it waits"
    );
    ws.respond(request.accept()).unwrap();
    let mut seen = Vec::new();
    ws.drive(|_, event, _| {
        seen.push(event.into_owned());
        Ok(())
    })
    .unwrap();
    assert_eq!(seen, [Event::Message("glued".into())]);
}

// Requirements 20 and 29
#[test]
fn plain_request_hands_back_the_stream_and_its_bytes() {
    let stream = Duplex::of(b"POST /form HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\na=42");
    let mut ws = WebSocket::server(stream.clone(), &config());
    let Ok(Some(Event::Request(request))) = ws.next_event() else {
        panic!("no request")
    };
    assert_eq!(
        (request.is_upgrade(), request.method(), request.target()),
        (false, "POST", "/form")
    );
    let parts = ws.into_stream();
    assert_eq!(parts.read_ahead, b"a=42");
    assert_eq!(parts.unsent, b"");
}

#[test]
fn unsent_bytes_are_handed_over_with_the_stream() {
    let expected = wire(Role::Server)
        .text("first")
        .binary(&[7; 100_000])
        .text("last")
        .bytes();
    for capacity in [0, 1, 10, 50_000, expected.len() - 1, expected.len()] {
        let stream = Duplex::default();
        stream.set(|ends| ends.capacity = capacity);
        let mut ws = server(&stream, &config().with_max_unsent_len(1 << 20));
        ws.feed("first").unwrap();
        ws.feed_prepared(&Prepared::new(vec![7; 100_000])).unwrap();
        ws.feed("last").unwrap();
        assert_eq!(ws.flush().is_ok(), capacity == expected.len());
        let parts = ws.into_stream();
        assert_eq!(stream.written().len(), capacity);
        assert!([stream.written(), parts.unsent].concat() == expected);
    }
}

#[test]
fn prepared_message_is_fed_to_many() {
    let prepared = Prepared::new("news");
    let streams = [Duplex::default(), Duplex::default()];
    for stream in &streams {
        let mut ws = server(stream, &config());
        ws.feed_prepared(&prepared).unwrap();
        ws.flush().unwrap();
        assert_eq!(stream.written(), wire(Role::Server).text("news").bytes());
    }
}

/// How a connection ends, and what is reported.
struct Ending {
    name: &'static str,
    bytes: Vec<u8>,
    ended: Option<Result<(), ErrorKind>>,
    close_first: bool,
    told: fn(Result<Option<Message>, Error>) -> bool,
    clean: bool,
    code: CloseCode,
    initiator: Initiator,
}

fn is_end(result: Result<Option<Message>, Error>) -> bool {
    matches!(result, Ok(None))
}

fn is_protocol(result: Result<Option<Message>, Error>) -> bool {
    matches!(result, Err(Error::Failed(ConnectionError::Protocol(_))))
}

fn is_eof(result: Result<Option<Message>, Error>) -> bool {
    matches!(result, Err(Error::Failed(ConnectionError::UnexpectedEof)))
}

fn is_reset(result: Result<Option<Message>, Error>) -> bool {
    matches!(result, Err(Error::Io(error)) if error.kind() == ErrorKind::ConnectionReset)
}

fn endings() -> Vec<Ending> {
    use Initiator::{Local, Peer};
    let row = |name, bytes: Vec<u8>, told, clean, code, initiator| Ending {
        name,
        bytes,
        ended: None,
        close_first: false,
        told,
        clean,
        code,
        initiator,
    };
    let abnormal = CloseCode::ABNORMAL;
    let fault = CloseCode::PROTOCOL_ERROR;
    let reset = Some(Err(ErrorKind::ConnectionReset));
    let end = Some(Ok(()));
    let wire = from_client;
    vec![
        row(
            "peer closes",
            wire().close(1001, "").bytes(),
            is_end,
            true,
            1001.into(),
            Peer,
        ),
        row(
            "peer closes with nothing",
            wire().frame(Opcode::Close, true, b"").bytes(),
            is_end,
            true,
            CloseCode::NO_STATUS,
            Peer,
        ),
        row(
            "peer closes with a code of its own",
            wire().close(4999, "r").bytes(),
            is_end,
            true,
            4999.into(),
            Peer,
        ),
        Ending {
            close_first: true,
            ..row(
                "own close is answered",
                wire().close(1000, "").bytes(),
                is_end,
                true,
                1000.into(),
                Local,
            )
        },
        Ending {
            close_first: true,
            ..row(
                "close frames cross",
                wire().close(3000, "").bytes(),
                is_end,
                true,
                3000.into(),
                Local,
            )
        },
        Ending {
            ended: end,
            ..row("stream ends", vec![], is_eof, false, abnormal, Peer)
        },
        Ending {
            ended: end,
            ..row(
                "stream ends in a header",
                wire().raw(b"\x82").bytes(),
                is_eof,
                false,
                abnormal,
                Peer,
            )
        },
        Ending {
            ended: end,
            ..row(
                "stream ends in a payload",
                wire().raw(b"\x82\x85\0\0\0\0a").bytes(),
                is_eof,
                false,
                abnormal,
                Peer,
            )
        },
        Ending {
            ended: end,
            ..row(
                "stream ends in a message",
                wire().frame(Opcode::Text, false, b"a").bytes(),
                is_eof,
                false,
                abnormal,
                Peer,
            )
        },
        Ending {
            ended: end,
            close_first: true,
            ..row(
                "stream ends behind own close",
                vec![],
                is_eof,
                false,
                1000.into(),
                Local,
            )
        },
        Ending {
            ended: reset,
            ..row("stream breaks", vec![], is_reset, false, abnormal, Peer)
        },
        Ending {
            ended: reset,
            close_first: true,
            ..row(
                "stream breaks behind own close",
                vec![],
                is_reset,
                false,
                1000.into(),
                Local,
            )
        },
        row(
            "unmasked frame",
            wire().raw(b"\x81\x01a").bytes(),
            is_protocol,
            false,
            fault,
            Local,
        ),
        row(
            "reserved opcode",
            wire().raw(b"\x83\x80\0\0\0\0").bytes(),
            is_protocol,
            false,
            fault,
            Local,
        ),
        row(
            "reserved bit",
            wire().raw(b"\xc1\x80\0\0\0\0").bytes(),
            is_protocol,
            false,
            fault,
            Local,
        ),
        row(
            "continuation of nothing",
            wire().frame(Opcode::Continuation, true, b"").bytes(),
            is_protocol,
            false,
            fault,
            Local,
        ),
        row(
            "interleaved message",
            wire().frame(Opcode::Text, false, b"").text("").bytes(),
            is_protocol,
            false,
            fault,
            Local,
        ),
        row(
            "fragmented ping",
            wire().frame(Opcode::Ping, false, b"").bytes(),
            is_protocol,
            false,
            fault,
            Local,
        ),
        row(
            "long ping",
            wire().raw(b"\x89\xfe\x00\x7e\0\0\0\0").bytes(),
            is_protocol,
            false,
            fault,
            Local,
        ),
        row(
            "long length",
            wire().raw(b"\x82\xfe\x00\x7d\0\0\0\0").bytes(),
            is_protocol,
            false,
            fault,
            Local,
        ),
        row(
            "length of 64 bits",
            wire().raw(b"\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0").bytes(),
            is_protocol,
            false,
            fault,
            Local,
        ),
        row(
            "close of one byte",
            wire().frame(Opcode::Close, true, b"a").bytes(),
            is_protocol,
            false,
            fault,
            Local,
        ),
        row(
            "close with 1005",
            wire().close(1005, "").bytes(),
            is_protocol,
            false,
            fault,
            Local,
        ),
        row(
            "bad text",
            wire().frame(Opcode::Text, true, b"\xff").bytes(),
            is_protocol,
            false,
            CloseCode::INVALID_PAYLOAD,
            Local,
        ),
        row(
            "bad reason",
            wire().raw(b"\x88\x83\0\0\0\0\x03\xe8\xff").bytes(),
            is_protocol,
            false,
            CloseCode::INVALID_PAYLOAD,
            Local,
        ),
        row(
            "long message",
            wire().raw(b"\x82\xff\0\0\0\0\x7f\0\0\0\0\0\0\0").bytes(),
            |result| {
                matches!(
                    result,
                    Err(Error::Failed(ConnectionError::Limit(LimitError::MessageTooLong)))
                )
            },
            false,
            CloseCode::MESSAGE_TOO_BIG,
            Local,
        ),
    ]
}

// Requirement 17
#[test]
fn client_sends_its_close_frame_before_it_tells_a_failure() {
    let stream = Duplex::of(b"\x83\x00");
    let agreement = Agreement::default();
    let mut ws = WebSocket::upgraded(stream.clone(), Role::Client, agreement, vec![], &config());
    assert!(is_protocol(ws.next()));
    let sent = crate::wire::frames(&stream.take_written());
    assert_eq!(sent[0].0.opcode, Opcode::Close);
    assert_eq!(sent[0].1, 1002_u16.to_be_bytes());
    assert_eq!(ws.next().unwrap(), None);
}

#[test]
fn client_takes_a_reset_behind_both_close_frames_for_the_end() {
    let stream = Duplex::of(&wire(Role::Server).close(1000, "").bytes());
    stream.set(|ends| ends.ended = Some(Err(ErrorKind::ConnectionReset)));
    let mut ws = WebSocket::upgraded(
        stream.clone(),
        Role::Client,
        Agreement::default(),
        Vec::new(),
        &config(),
    );
    assert_eq!(ws.next().unwrap(), None);
    assert!(ws.outcome().unwrap().clean);
    assert_eq!(ws.next().unwrap(), None);
}

// Requirements 14 and 17
#[test]
fn connection_ends_once_and_for_ever() {
    for ending in endings() {
        let name = ending.name;
        let bytes = [from_client().text("before").bytes(), ending.bytes].concat();
        let stream = Duplex::of(&bytes);
        stream.set(|ends| ends.ended = ending.ended);
        let mut ws = server(&stream, &config());
        if ending.close_first {
            ws.close(1000, "").unwrap();
        }
        assert_eq!(
            ws.next().unwrap(),
            Some("before".into()),
            "{name}: what came before"
        );
        assert!((ending.told)(ws.next()), "{name}");

        let outcome = ws.outcome().expect(name).clone();
        assert_eq!(outcome.clean, ending.clean, "{name}");
        assert_eq!(
            (outcome.code, outcome.initiator),
            (ending.code, ending.initiator),
            "{name}"
        );
        let sent_code = match outcome.cause {
            Some(ConnectionError::UnexpectedEof) => None,
            _ if ending.close_first => None,
            _ if outcome.code == CloseCode::NO_STATUS => Some(vec![0x88, 0]),
            _ => Some([&[0x88, 2][..], &u16::from(outcome.code).to_be_bytes()].concat()),
        };
        if let Some(frame) = sent_code {
            assert_eq!(stream.written(), frame, "{name}: the close frame has left");
        }

        let calls = stream.ask(|ends| (ends.reads, ends.writes.len()));
        for _ in 0..1000 {
            assert!(matches!(ws.next(), Ok(None)), "{name}: ended for ever");
            assert!(
                matches!(ws.send("x"), Err(Error::Send(SendError::Closed))),
                "{name}"
            );
        }
        assert_eq!(
            stream.ask(|ends| (ends.reads, ends.writes.len())),
            calls,
            "{name}: no more I/O"
        );
        assert_eq!(ws.outcome(), Some(&outcome), "{name}: the outcome stands");
    }
}

#[test]
fn messages_are_received_from_a_peer_that_reads_no_more() {
    let stream = Duplex::of(&from_client().ping(b"").text("last words").bytes());
    stream.set(|ends| (ends.write_error, ends.ended) = (Some(ErrorKind::BrokenPipe), Some(Ok(()))));
    let mut ws = server(&stream, &config());
    assert!(matches!(ws.next_event(), Ok(Some(Event::Ping(_)))));
    assert_eq!(retry(|| ws.next()).unwrap(), Some("last words".into()));
    assert!(is_eof(ws.next()));
}

// Whoever has fed messages hears that they are lost, although it received since.
#[test]
fn fed_message_that_never_leaves_is_an_error_of_the_flush() {
    let stream = Duplex::of(&from_client().text("last words").bytes());
    stream.set(|ends| ends.write_error = Some(ErrorKind::BrokenPipe));
    let mut ws = server(&stream, &config());
    ws.feed("lost").unwrap();
    assert_eq!(retry(|| ws.next()).unwrap(), Some("last words".into()));
    for _ in 0..2 {
        let flushed = ws.flush();
        assert!(matches!(flushed, Err(Error::Io(_))), "{flushed:?}");
    }
}

// The peer would take what follows for the rest of a frame that was cut off. A loop of
// `next` and `feed` never flushes: it hears of the error from `feed`.
#[test]
fn nothing_follows_a_frame_that_was_cut_off() {
    let stream = Duplex::of(&from_client().text("first").bytes());
    stream.set(|ends| ends.capacity = 3);
    let mut ws = server(&stream, &config());
    assert_eq!(retry(|| ws.next()).unwrap(), Some("first".into()));
    ws.feed("cut off").unwrap();
    assert!(ws.next().unwrap_err().is_would_block());
    stream.set(|ends| ends.write_error = Some(ErrorKind::TimedOut));
    stream.add(&from_client().text("second").bytes());
    assert_eq!(retry(|| ws.next()).unwrap(), Some("second".into()));

    stream.set(|ends| (ends.write_error, ends.capacity) = (None, usize::MAX));
    stream.add(&from_client().ping(b"").text("third").bytes());
    assert_eq!(retry(|| ws.next()).unwrap(), Some("third".into()));
    for len in [1, 20_000, 200_000] {
        let fed = ws.feed(vec![7; len]);
        assert!(matches!(fed, Err(Error::Io(_))), "{len}: {fed:?}");
    }
    assert!(ws.next().unwrap_err().is_would_block());
    assert_eq!(stream.written().len(), 3);
}

#[test]
fn server_reports_what_it_rejected_before_it_fails() {
    let bytes = String::from_utf8(REQUEST.to_vec()).unwrap();
    let bytes = bytes.replace("Version: 13", "Version: 8");
    let unsupported = HandshakeError::UnsupportedVersion;
    let is_failure = |result| {
        let error = ConnectionError::from(unsupported);
        matches!(result, Err(Error::Failed(failed)) if failed == error)
    };

    let stream = Duplex::of(bytes.as_bytes());
    let mut ws = WebSocket::server(stream.clone(), &config());
    let event = retry(|| ws.next_event());
    let Ok(Some(Event::Rejected(rejection))) = event else {
        panic!("{event:?}")
    };
    assert_eq!(rejection.error(), unsupported);
    assert_eq!(rejection.method(), Some("GET"));
    assert!(is_failure(retry(|| ws.next_event()).map(drop)));
    assert!(stream.written().starts_with(b"HTTP/1.1 426 "));

    // `next` skips it.
    let stream = Duplex::of(bytes.as_bytes());
    let mut ws = WebSocket::server(stream.clone(), &config());
    assert!(is_failure(retry(|| ws.next()).map(drop)));
    assert!(stream.written().starts_with(b"HTTP/1.1 426 "));
    assert!(is_end(ws.next()));
}

#[test]
fn client_is_told_why_it_was_refused() {
    let refusal = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 6\r\n\r\nwho?\r\n";
    let stream = Duplex::of(refusal);
    let request = ClientRequest::to("ws://example.com/").unwrap();
    let mut ws = WebSocket::client(stream, &request, &config()).unwrap();
    let Err(Error::Refused(response)) = ws.next() else {
        panic!("not refused")
    };
    assert_eq!(
        (response.status(), response.body()),
        (401, &b"who?\r\n"[..])
    );
    assert_eq!(
        response.headers().get("www-authenticate"),
        Some(&b"Basic"[..])
    );
    let refused = HandshakeError::Refused(401).into();
    assert!(matches!(ws.next(), Err(Error::Failed(error)) if error == refused));
    assert!(is_end(ws.next()));
}

#[test]
fn mistakes_of_the_caller_write_nothing() {
    let stream = Duplex::default();
    let mut ws = server(&stream, &config());
    assert!(matches!(
        ws.close(1006, ""),
        Err(Error::Send(SendError::InvalidCloseCode))
    ));
    assert!(matches!(
        ws.ping(&[0; 126]),
        Err(Error::Send(SendError::ControlFrameTooLong))
    ));
    assert!(stream.written().is_empty());
    assert!(ws.ping(b"").is_ok(), "it is open");
}

/// Adapters have ways of their own for large messages: none goes around what
/// was agreed on.
#[cfg(feature = "deflate")]
#[test]
fn messages_of_any_length_are_compressed() {
    use sansocket::deflate::{Compress, Parameters};
    let agreement = Agreement::default().with_deflate(Parameters::new());
    for len in [1000, 100_000] {
        let (text, stream) = ("a".repeat(len), Duplex::default());
        let (role, config) = (Role::Server, config());
        let mut ws = WebSocket::upgraded(stream.clone(), role, agreement.clone(), vec![], &config);
        ws.send(&text).unwrap();
        assert_eq!(stream.take_written()[0], 0xc1);
        ws.send_with(&text, Compress::Never).unwrap();
        assert_eq!(stream.take_written()[0], 0x81);
    }
}

/// The beginning of a message that never ends, in frames of this many bytes: plain, and
/// compressed to a thousandth.
fn endless(len: usize) -> Vec<Vec<Vec<u8>>> {
    let plain = |opcode| from_client().frame(opcode, false, &vec![0; len]).bytes();
    let mut plain = vec![plain(Opcode::Continuation); 24];
    plain[0] = from_client().frame(Opcode::Binary, false, &[]).bytes();
    vec![
        plain,
        #[cfg(feature = "deflate")]
        {
            use sansocket::deflate::{Compress, Parameters};
            let agreement = Agreement::default().with_deflate(Parameters::new());
            let mut peer = sansocket::Connection::upgraded(Role::Client, agreement, &config());
            let mut frame = |_| {
                let (mut out, payload) = (Vec::new(), vec![0; len]);
                let fragment = sansocket::Fragment::more(&*payload);
                peer.send_fragment_with(fragment, Compress::Always, &mut out).unwrap();
                assert!(out.len() < len / 100);
                out
            };
            (0..24).map(&mut frame).collect()
        },
    ]
}

// Requirement 22: many peers that begin long messages at once, and one that goes on.
#[test]
fn greedy_peers_fail_and_others_go_on() {
    const MAX: usize = 1024 * 1024;
    for (frames, delivery) in endless(64 * 1024)
        .into_iter()
        .flat_map(|frames| [(frames.clone(), Delivery::Messages), (frames, Delivery::Fragments)])
    {
        let config = config().with_max_total_memory(MAX).with_delivery(delivery);
        let agreement = Agreement::default();
        #[cfg(feature = "deflate")]
        let agreement = agreement.with_deflate(sansocket::deflate::Parameters::new());
        let open = |_| {
            let (stream, role) = (Duplex::default(), Role::Server);
            let ws = WebSocket::upgraded(stream.clone(), role, agreement.clone(), vec![], &config);
            (stream, ws)
        };
        let (stream, mut honest) = open(0);
        let mut greedy: Vec<_> = (0..8).map(open).collect();
        let (mut failed, mut most) = (0, 0);
        for frame in frames {
            for (stream, ws) in &mut greedy {
                stream.add(&frame);
                for _ in 0..4 {
                    match ws.next() {
                        Err(Error::Failed(error)) => {
                            assert_eq!(error, LimitError::TooMuchMemory.into());
                            failed += 1;
                            let sent = crate::wire::frames(&stream.take_written());
                            assert_eq!(sent.last().unwrap().1, 1013_u16.to_be_bytes());
                        }
                        Err(error) => assert!(error.is_would_block(), "{error}"),
                        Ok(message) => assert_eq!(message, None),
                    }
                }
                most = most.max(config.total_memory());
            }
            stream.add(&from_client().text("hello").bytes());
            assert_eq!(retry(|| honest.next()).unwrap(), Some("hello".into()));
            honest.send("hello").unwrap();
        }
        assert_eq!(failed, 8, "{delivery:?}");
        assert!((MAX / 2..=MAX).contains(&most), "{most}");
        assert_eq!(config.total_memory(), 0);
    }
}

// What was inflated is delivered before more is read.
#[cfg(feature = "deflate")]
#[test]
fn drive_goes_on_with_inflated_pieces_after_an_error() {
    use sansocket::deflate::{Compress, Parameters};
    const LEN: usize = 200 * 1024;
    let agreement = Agreement::default().with_deflate(Parameters::new());
    let mut peer = sansocket::Connection::upgraded(Role::Client, agreement.clone(), &config());
    let (mut bytes, message) = (Vec::new(), sansocket::MessageRef::from(&[0; LEN]));
    peer.send_with(message, Compress::Always, &mut bytes).unwrap();
    let (stream, role) = (Duplex::of(&bytes), Role::Server);
    let config = config().with_delivery(Delivery::Fragments);
    let mut ws = WebSocket::upgraded(stream, role, agreement, vec![], &config);
    let mut len = 0;
    while len < LEN {
        let driven = retry(|| {
            ws.drive(|_, event, _| {
                if let Event::Fragment(fragment) = event {
                    len += fragment.payload.len();
                }
                Err(SendError::ControlFrameTooLong)
            })
        });
        match driven {
            Err(Error::Send(_)) => {}
            other => panic!("{other:?} after {len} bytes"),
        }
    }
}

// Requirement 22: the pieces of a message that will not be complete.
#[test]
fn pieces_are_dropped_at_the_end() {
    for ending in [from_client().close(1000, "").bytes(), vec![]] {
        let piece = from_client().frame(Opcode::Binary, false, &[7; 300 * 1024]);
        let stream = Duplex::of(&piece.raw(&ending).bytes());
        stream.set(|ends| ends.ended = Some(Ok(())));
        let config = config().with_delivery(Delivery::Fragments);
        let mut ws = server(&stream, &config);
        let last = retry(|| ws.next());
        assert!(!matches!(last, Ok(Some(_))), "{last:?}");
        assert_eq!(config.total_memory(), 0);
        drop(ws);
    }
}

// Pieces that fit into the buffer are no reason to keep it.
#[test]
fn pieces_are_too_large_once_others_have_grown() {
    let config = config().with_delivery(Delivery::Fragments);
    let small = config.clone().with_max_total_memory(1024 * 1024);
    let open = |len: usize, config| {
        let stream = Duplex::of(&from_client().frame(Opcode::Binary, false, &vec![7; len]).bytes());
        let mut ws = server(&stream, config);
        while stream.ask(|ends| !ends.incoming.is_empty()) {
            assert!(ws.next().unwrap_err().is_would_block());
        }
        (stream, ws)
    };
    let (stream, mut first) = open(200 * 1024, &small);
    let second = open(1200 * 1024, &config);
    stream.add(&from_client().frame(Opcode::Continuation, false, b"more").bytes());
    let found = retry(|| first.next());
    assert!(matches!(found, Err(Error::Failed(error)) if error == LimitError::TooMuchMemory.into()));
    drop(second);
}

// A frame that fits into the buffer is no reason to keep it.
#[test]
fn frame_is_too_large_once_others_have_grown() {
    let config = config();
    let small = config.clone().with_max_total_memory(1024 * 1024);
    let open = |len: usize, all: usize, config| {
        let mut bytes = from_client().binary(&vec![7; all]).bytes();
        bytes.truncate(len);
        let stream = Duplex::of(&bytes);
        let mut ws = server(&stream, config);
        while stream.ask(|ends| !ends.incoming.is_empty()) {
            assert!(ws.next().unwrap_err().is_would_block());
        }
        (stream, ws)
    };
    let (stream, mut first) = open(200 * 1024, 400 * 1024, &small);
    let second = open(1200 * 1024, 2000 * 1024, &config);
    stream.add(&[7; 1024]);
    let found = retry(|| first.next());
    assert!(matches!(found, Err(Error::Failed(error)) if error == LimitError::TooMuchMemory.into()));
    drop(second);
}

// Some streams fail, or wait, when they are read after their end.
#[test]
fn driven_stream_is_not_read_after_its_end() {
    for kib in 0..80 {
        let bytes = from_client().frame(Opcode::Binary, false, &vec![7; kib * 4096]).bytes();
        let stream = Duplex::of(&bytes);
        stream.set(|ends| ends.ended = Some(Ok(())));
        let mut ws = server(&stream, &config());
        let mut emptied_after = None;
        let failure = retry(|| {
            while ws.drive(|_, _, _| Ok(()))? {
                let (is_empty, reads) = stream.ask(|ends| (ends.incoming.is_empty(), ends.reads));
                if is_empty {
                    emptied_after.get_or_insert(reads);
                }
            }
            Ok(())
        });
        assert!(matches!(failure, Err(Error::Failed(ConnectionError::UnexpectedEof))));
        let reads = stream.ask(|ends| ends.reads);
        assert_eq!(reads - emptied_after.unwrap(), 1, "{kib}");
    }
}
