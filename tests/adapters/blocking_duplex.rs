//! The blocking adapter over real sockets: both directions at once, deadlines
//! and their bounds, waiting for a while.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{env, thread};

use sansocket::Error;
use sansocket::blocking::{self, Socket, WebSocket};
use sansocket::{
    Agreement, Config, ConnectionError, DeadlineReason, Delivery, Fragment, Message, Role,
    SendError,
};

type Ws = WebSocket<TcpStream>;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

fn upgraded(stream: TcpStream, role: Role, config: &Config) -> Ws {
    WebSocket::upgraded(stream, role, Agreement::default(), vec![], config)
        .with_socket(Socket::tcp())
}

fn open_pair(config: &Config) -> (Ws, Ws) {
    let (client, server) = pair();
    (
        upgraded(client, Role::Client, config),
        upgraded(server, Role::Server, config),
    )
}

/// What `work` returns, unless it hangs.
#[track_caller]
fn within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, done) = mpsc::channel();
    thread::spawn(move || sender.send(work()));
    done.recv_timeout(limit).expect("it hangs")
}

/// What `work` returns, and how long it took.
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

fn timeout_of<T>(result: Result<T, Error>) -> Option<DeadlineReason> {
    match result {
        Err(Error::Failed(ConnectionError::Timeout(reason))) => Some(reason),
        _ => None,
    }
}

/// Both ends send so many messages of this length at once.
fn send_both_ways(config: &Config, ends: (TcpStream, TcpStream), len: usize, messages: usize) {
    let client = upgraded(ends.0, Role::Client, config);
    let server = upgraded(ends.1, Role::Server, config);
    within(Duration::from_secs(60), move || {
        let ends = [client, server].map(|ws| {
            let (mut reader, mut writer) = ws.split();
            let sending = thread::spawn(move || {
                let message = vec![7; len];
                for _ in 0..messages {
                    writer.send(&message).unwrap();
                }
                writer
            });
            let receiving = thread::spawn(move || {
                for _ in 0..messages {
                    assert_eq!(reader.next().unwrap().unwrap().len(), len);
                }
                reader
            });
            (sending, receiving)
        });
        // Kept until both are done.
        let _ends =
            ends.map(|(sending, receiving)| (sending.join().unwrap(), receiving.join().unwrap()));
    });
}

// Requirement 10
#[test]
fn halves_send_and_receive_at_once() {
    // `DUPLEX_MIB=1024` passes 1 GiB in each direction.
    let total = env::var("DUPLEX_MIB").map_or(16, |total| total.parse().expect("a number"));
    for (len, messages) in [(1 << 20, total), (16 << 20, 2)] {
        send_both_ways(&Config::new(), pair(), len, messages);
        // What is unsent beyond this makes a writer wait.
        send_both_ways(
            &Config::new().with_max_unsent_len(4096),
            pair(),
            len,
            messages,
        );
    }
}

// Requirement 10
#[test]
fn halves_send_and_receive_at_once_through_small_buffers() {
    for (len, messages) in [(1 << 20, 2), (16 << 10, 100)] {
        send_both_ways(&Config::new(), crate::tcp::small_pair(), len, messages);
    }
}

// Requirement 10
#[test]
fn halves_send_and_receive_one_huge_message_at_once() {
    let config = Config::new()
        .with_max_message_len(256 << 20)
        .with_max_frame_len(256 << 20);
    send_both_ways(&config, pair(), 256 << 20, 1);
}

// A peer that sends a ping and then a large message before it reads anything,
// while the buffers of the system are full.
#[test]
fn pong_does_not_keep_a_reader_from_reading() {
    const LEN: usize = 16 << 20;
    let (client, mut peer) = pair();
    let (mut reader, mut writer) = upgraded(client, Role::Client, &Config::new()).split();
    let mut expected = 0;
    while writer.try_send(vec![1; 1000]).unwrap().is_none() {
        expected += 1008;
    }
    let sending = thread::spawn(move || {
        let mut frames = b"\x89\x01p\x82\x7f".to_vec();
        frames.extend((LEN as u64).to_be_bytes());
        frames.resize(frames.len() + LEN, 0);
        peer.write_all(&frames).unwrap();
        // The messages and the pong.
        let mut buf = vec![0; expected + 7];
        peer.read_exact(&mut buf).unwrap();
        peer.write_all(b"\x81\x01a").unwrap();
        peer
    });
    within(Duration::from_secs(10), move || {
        assert_eq!(reader.next().unwrap().unwrap().len(), LEN);
        assert_eq!(reader.next().unwrap(), Some("a".into()));
    });
    sending.join().unwrap();
}

// Here the unsent bytes are the application's alone.
#[test]
fn fed_bytes_do_not_keep_a_reader_from_reading() {
    const LEN: usize = 8 << 20;
    let (client, mut peer) = pair();
    let (mut reader, mut writer) = upgraded(client, Role::Client, &Config::new()).split();
    writer.feed(vec![1; LEN]).unwrap();
    let sending = thread::spawn(move || {
        let mut frames = b"\x82\x7f".to_vec();
        frames.extend((LEN as u64).to_be_bytes());
        frames.resize(frames.len() + LEN, 0);
        peer.write_all(&frames).unwrap();
        let mut buf = vec![0; LEN + 14];
        peer.read_exact(&mut buf).unwrap();
        peer.write_all(b"\x81\x01a").unwrap();
        peer
    });
    within(Duration::from_secs(10), move || {
        assert_eq!(reader.next().unwrap().unwrap().len(), LEN);
        assert_eq!(reader.next().unwrap(), Some("a".into()));
    });
    sending.join().unwrap();
}

// Requirement 13
#[test]
fn flood_of_pings_is_not_read_further_than_its_answers_leave() {
    let (client, mut peer) = pair();
    let config = Config::new()
        .with_write_timeout(ms(300))
        .with_close_timeout(ms(100))
        .with_max_control_frames(u32::MAX);
    let (mut reader, writer) = upgraded(client, Role::Client, &config).split();
    let flooding = thread::spawn(move || {
        let pings = [&b"\x89\x7d"[..], &[0; 125]].concat().repeat(1000);
        let mut sent = 0;
        while peer.write_all(&pings).is_ok() {
            sent += pings.len();
        }
        sent
    });
    let (result, max_unsent) = within(Duration::from_secs(20), move || {
        let mut max = 0;
        loop {
            match reader.next_event() {
                Ok(Some(_)) => max = max.max(writer.unsent_len()),
                ended => return (timeout_of(ended), max),
            }
        }
    });
    assert_eq!(result, Some(DeadlineReason::WriteStall));
    assert!(max_unsent < 1 << 20, "{max_unsent} unsent");
    flooding.join().unwrap();
}

// Requirement 15: once, not twice.
#[test]
fn write_deadline_is_kept_by_every_way_to_send() {
    // Half of it is more than a busy machine loses.
    const TIMEOUT: Duration = ms(2000);
    let config = Config::new().with_write_timeout(TIMEOUT);
    for role in [Role::Server, Role::Client] {
        let (stream, _peer) = pair();
        let mut ws = upgraded(stream, role, &config);
        let (result, took) = timed(|| ws.send(vec![0; 32 << 20]));
        assert_eq!(timeout_of(result), Some(DeadlineReason::WriteStall));
        assert!(took < TIMEOUT * 7 / 4, "{role:?}: {took:?}");

        let (stream, _peer) = pair();
        let (_reader, mut writer) = upgraded(stream, role, &config).split();
        let (result, took) = timed(|| writer.send(vec![0; 32 << 20]));
        assert_eq!(timeout_of(result), Some(DeadlineReason::WriteStall));
        assert!(took < TIMEOUT * 7 / 4, "{role:?}, split: {took:?}");
    }
}

// Requirement 15: the writer's deadline is kept after the reader's.
#[test]
fn blocked_writer_ends_after_the_pong_deadline_has_passed() {
    let (stream, _peer) = pair();
    let config = Config::new()
        .with_ping_interval(ms(50))
        .with_pong_timeout(ms(100))
        .with_write_timeout(ms(600))
        .with_close_timeout(ms(100));
    let (mut reader, mut writer) = upgraded(stream, Role::Client, &config).split();
    let reading = thread::spawn(move || (timeout_of(reader.next()), reader));
    // The ping leaves before the large message.
    thread::sleep(ms(70));
    let writing = thread::spawn(move || writer.send(vec![0; 32 << 20]));
    let (read, written) = within(Duration::from_secs(5), move || {
        (reading.join().unwrap(), writing.join().unwrap())
    });
    assert!(read.0.is_some());
    assert!(written.is_err());
}

#[test]
fn blocked_writer_ends_with_the_reader_without_a_write_deadline() {
    let (stream, mut peer) = pair();
    let config = Config::new()
        .with_ping_interval(ms(50))
        .with_pong_timeout(ms(100))
        .with_write_timeout(None)
        .with_close_timeout(ms(200));
    let (mut reader, mut writer) = upgraded(stream, Role::Client, &config).split();
    let reading = thread::spawn(move || (timeout_of(reader.next()), reader));
    // The ping was sent before the message, or its deadline would not run.
    peer.read_exact(&mut [0; 2]).unwrap();
    let writing = thread::spawn(move || writer.send(vec![0; 32 << 20]));
    let (read, written) = within(Duration::from_secs(5), move || {
        (reading.join().unwrap(), writing.join().unwrap())
    });
    assert_eq!(read.0, Some(DeadlineReason::Pong));
    assert!(written.is_err());
}

// Requirement 15
#[test]
fn close_deadline_is_kept_without_keepalive() {
    let (stream, _peer) = pair();
    let config = Config::new()
        .with_ping_interval(None)
        .with_close_timeout(ms(300));
    let (mut reader, mut writer) = upgraded(stream, Role::Client, &config).split();
    let reading = thread::spawn(move || timed(|| timeout_of(reader.next())));
    thread::sleep(ms(100));
    writer.close(1000, "").unwrap();
    let (ended, took) = within(Duration::from_secs(5), move || reading.join().unwrap());
    assert_eq!(ended, Some(DeadlineReason::Close));
    assert!(took < ms(1200), "{took:?}");
}

// Requirement 15: no failure waits for the close deadline too.
#[test]
fn failed_handshake_ends_at_once() {
    let config = Config::new()
        .with_handshake_timeout(ms(400))
        .with_close_timeout(Duration::from_secs(20));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let (result, took) = timed(|| blocking::connect(&url, &config));
    assert_eq!(timeout_of(result), Some(DeadlineReason::Handshake));
    assert!(took < ms(1500), "silent server: {took:?}");

    let (_silent, _) = listener.accept().unwrap();
    let refusing = thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let _ = stream.read(&mut [0; 4096]);
        let answer = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno";
        stream.write_all(answer).unwrap();
        stream
    });
    let (result, took) = timed(|| blocking::connect(&url, &config));
    assert!(matches!(&result, Err(Error::Refused(response)) if response.status() == 401));
    assert!(took < ms(1500), "401, kept open: {took:?}");
    drop(refusing.join().unwrap());

    let (silent, server) = pair();
    let (result, took) = timed(|| blocking::accept(server, &config));
    assert_eq!(timeout_of(result), Some(DeadlineReason::Handshake));
    assert!(took < ms(1500), "silent client: {took:?}");
    drop(silent);
}

#[test]
fn read_timeout_of_the_caller_is_respected_and_restored() {
    const OWN: Duration = ms(100);
    let config = Config::new().with_ping_interval(Duration::from_secs(8));
    for set_before in [true, false] {
        let (stream, mut peer) = pair();
        if set_before {
            stream.set_read_timeout(Some(OWN)).unwrap();
        }
        let mut ws = upgraded(stream, Role::Client, &config);
        peer.write_all(b"\x81\x01a").unwrap();
        assert_eq!(ws.next().unwrap(), Some("a".into()));
        ws.get_ref().set_read_timeout(Some(OWN)).unwrap();
        for _ in 0..3 {
            let (result, took) = timed(|| ws.next());
            assert!(result.is_err_and(|error| error.is_would_block()));
            assert!(took > OWN / 2 && took < OWN * 10, "{took:?}");
        }
        peer.write_all(b"\x81\x01b").unwrap();
        assert_eq!(ws.next().unwrap(), Some("b".into()));
        let stream = ws.into_stream().stream;
        assert_eq!(stream.read_timeout().unwrap(), Some(OWN));
    }
    let (stream, _peer) = pair();
    let mut ws = upgraded(stream, Role::Client, &config.with_ping_interval(OWN));
    assert!(
        ws.next_timeout(OWN)
            .is_err_and(|error| error.is_would_block())
    );
    let stream = ws.into_stream().stream;
    assert_eq!(stream.read_timeout().unwrap(), None);
    assert_eq!(stream.write_timeout().unwrap(), None);
}

#[test]
fn next_timeout_loses_nothing() {
    let (ws, mut peer) = pair();
    let mut ws = upgraded(ws, Role::Client, &Config::new());
    let nothing =
        |result: Result<Option<Message>, Error>| result.is_err_and(|error| error.is_would_block());
    let (result, took) = timed(|| ws.next_timeout(ms(100)));
    assert!(
        nothing(result) && took >= ms(90) && took < ms(1000),
        "{took:?}"
    );
    for byte in b"\x82\x03a" {
        peer.write_all(&[*byte]).unwrap();
        assert!(nothing(ws.next_timeout(ms(10))));
    }
    assert!(nothing(ws.next_timeout(Duration::ZERO)));
    peer.write_all(b"bc").unwrap();
    let message = ws.next_timeout(Duration::MAX).unwrap();
    assert_eq!(message, Some(b"abc".into()));

    let (mut reader, _writer) = ws.split();
    peer.write_all(b"\x82\x03").unwrap();
    let (result, took) = timed(|| reader.next_timeout(ms(100)));
    assert!(
        nothing(result) && took >= ms(90) && took < ms(1000),
        "{took:?}"
    );
    peer.write_all(b"def").unwrap();
    assert_eq!(reader.next_timeout(ms(5000)).unwrap(), Some(b"def".into()));
    // A peer that sends one byte after the other does not prolong it.
    let trickling = thread::spawn(move || {
        peer.write_all(b"\x82\x7e\xff\xff").unwrap();
        while peer.write_all(b"x").is_ok() {
            thread::sleep(ms(5));
        }
    });
    let (result, took) = timed(|| reader.next_timeout(ms(100)));
    assert!(nothing(result) && took < ms(1000), "{took:?}");
    drop((reader, _writer));
    trickling.join().unwrap();
}

#[test]
fn longest_durations_are_never() {
    let config = Config::new()
        .with_handshake_timeout(Duration::MAX)
        .with_ping_interval(Duration::MAX)
        .with_pong_timeout(Duration::MAX)
        .with_idle_timeout(Duration::MAX)
        .with_write_timeout(Duration::MAX)
        .with_close_timeout(Duration::MAX);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let echo = config.clone();
    let server = thread::spawn(move || {
        let ws = blocking::accept(listener.accept().unwrap().0, &echo).unwrap();
        let (mut reader, mut writer) = ws.split();
        while let Some(message) = reader.next().unwrap() {
            writer.send(message).unwrap();
        }
    });
    let mut ws = blocking::connect(&url, &config).unwrap();
    ws.send("a").unwrap();
    assert_eq!(ws.next_timeout(Duration::MAX).unwrap(), Some("a".into()));
    ws.close_and_drain(1000, "").unwrap();
    server.join().unwrap();
}

#[test]
fn fragments_survive_split_and_reunite() {
    let config = Config::new().with_delivery(Delivery::Fragments);
    let (stream, mut peer) = pair();
    let mut ws = upgraded(stream, Role::Client, &config);
    peer.write_all(b"\x01\x01a").unwrap();
    assert!(
        ws.next_timeout(ms(50))
            .is_err_and(|error| error.is_would_block())
    );
    let (mut reader, writer) = ws.split();
    peer.write_all(b"\x00\x01b").unwrap();
    assert!(
        reader
            .next_timeout(ms(50))
            .is_err_and(|error| error.is_would_block())
    );
    let clone = writer.clone();
    let (reader, writer) = reader.reunite(writer).expect_err("there is a clone");
    drop(clone);
    let mut ws = reader.reunite(writer).unwrap();
    peer.write_all(b"\x80\x01c").unwrap();
    assert_eq!(ws.next().unwrap(), Some("abc".into()));
}

#[test]
fn halves_of_different_connections_are_not_reunited() {
    let (one, other) = open_pair(&Config::new());
    let (reader, _writer) = one.split();
    let (_reader, writer) = other.split();
    assert!(reader.reunite(writer).is_err());
}

#[test]
fn every_way_to_send_arrives() {
    let (client, mut server) = open_pair(&Config::new());
    let prepared = sansocket::Prepared::new("prepared");
    let (mut reader, mut writer) = client.split();
    assert!(writer.try_send("tried").unwrap().is_none());
    writer.send_prepared(&prepared).unwrap();
    writer.feed_fragment(Fragment::more("frag")).unwrap();
    writer.send_fragment(Fragment::last("ments")).unwrap();
    writer.pong(b"unasked").unwrap();
    writer.with(|ws, out| ws.send("with", out)).unwrap();
    writer.flush().unwrap();
    for expected in ["tried", "prepared", "fragments", "with"] {
        assert_eq!(server.next().unwrap(), Some(expected.into()));
        assert!(server.try_send("tried").unwrap().is_none());
    }
    server.send_prepared(&prepared).unwrap();
    server.feed_fragment(Fragment::more("frag")).unwrap();
    server.send_fragment(Fragment::last("ments")).unwrap();
    server.pong(b"unasked").unwrap();
    server.with(|ws, out| ws.send("with", out)).unwrap();
    let closing = thread::spawn(move || server.close_and_drain(1000, ""));
    let tried = ["tried"; 4].into_iter();
    for expected in tried.chain(["prepared", "fragments", "with"]) {
        assert_eq!(reader.next().unwrap(), Some(expected.into()));
    }
    assert!(!writer.is_closed());
    assert_eq!(reader.next().unwrap(), None);
    assert!(writer.is_closed() && writer.outcome().unwrap().clean);
    assert!(matches!(
        writer.send("late"),
        Err(Error::Send(SendError::Closed))
    ));
    drop((reader, writer));
    closing.join().unwrap().unwrap();
}

// A message comes back once the bound is reached, and nothing waits.
#[test]
fn try_send_of_a_half_does_not_wait() {
    let (stream, _peer) = pair();
    let (_reader, mut writer) = upgraded(stream, Role::Client, &Config::new()).split();
    let back = within(Duration::from_secs(10), move || {
        for number in 0_u32.. {
            let message = vec![number as u8; 100_000];
            if let Some(back) = writer.try_send(message).unwrap() {
                return (back.len(), writer);
            }
        }
        unreachable!("no bound")
    });
    assert_eq!(back.0, 100_000);
}
