//! A client and a server of ours, over a link that moves any piece at any time:
//! once the schedule is over, everything that was sent arrives, in order, and
//! both close orderly.
#![no_main]

use std::collections::VecDeque;
use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use sansocket::{
    ClientRequest, Config, Connection, Event, Fragment, Initiator, Input, IoState, Message,
    Prepared,
};
use sansocket_fuzz::{Compression, config, with_deflate};

/// What happens next, and at which end.
enum Step {
    /// A text, or a prepared message, of words: the same over and over, so that
    /// what is compressed refers to messages before it.
    Text(u8),
    Prepared(u8),
    Binary(usize),
    /// The next fragment of a binary message.
    Fragment(u8),
    LastFragment(u8),
    Ping(u8),
    /// So many of the bytes that this end has sent leave its queue.
    Write(usize),
    /// So many of the bytes on their way to this end arrive.
    Read(usize),
    Pass(u8),
    Close(u8),
    Release,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Client,
    Server,
}

impl Step {
    /// A step takes two bytes of the fuzzer's, for mutations to be small.
    fn parse([kind, number]: [u8; 2]) -> (End, Self) {
        let end = if kind & 0x80 == 0 {
            End::Client
        } else {
            End::Server
        };
        // A few bytes, more than there are, or something in between.
        let len = match usize::from(number) {
            len @ 0..128 => len,
            255 => usize::MAX,
            number => (number - 127) * 64,
        };
        let step = match kind % 16 {
            0 | 1 => Self::Text(number),
            2 => Self::Prepared(number),
            3 => Self::Binary(usize::from(number) * 256),
            4 | 5 => Self::Fragment(number),
            6 => Self::LastFragment(number),
            7 => Self::Ping(number),
            8..=10 => Self::Write(len),
            11..=12 => Self::Read(len),
            13 => Self::Pass(number),
            14 => Self::Close(number),
            _ => Self::Release,
        };
        (end, step)
    }
}

/// How both ends are set up.
#[derive(Arbitrary, Debug)]
struct Setup {
    client: Compression,
    /// Compression is agreed on unless this is `None`.
    server: Option<Compression>,
    max_sent_frame_len: u8,
    answers_late: bool,
    /// Whether the opening handshake is a part of the schedule.
    is_handshake_scheduled: bool,
}

/// A connection, its queue, and the bytes that are on their way to it.
struct Peer {
    ws: Connection,
    out: Vec<u8>,
    arriving: VecDeque<u8>,
    /// A message that is begun by fragments.
    partial: Option<Vec<u8>>,
    /// What its application has sent, and received.
    sent: Vec<Message>,
    received: Vec<Message>,
    /// Pings that its application has sent, and that it has received.
    pings: (usize, usize),
}

struct Pair {
    client: Peer,
    server: Peer,
    now: Duration,
}

impl Peer {
    fn new(ws: Connection, out: Vec<u8>) -> Self {
        Self {
            ws,
            out,
            arriving: VecDeque::new(),
            partial: None,
            sent: Vec::new(),
            received: Vec::new(),
            pings: (0, 0),
        }
    }

    fn send(&mut self, message: Message) {
        let can_send = self.ws.is_open() && self.partial.is_none();
        let result = self.ws.send(&message, &mut self.out);
        assert_eq!(result.is_ok(), can_send, "{result:?}");
        if can_send {
            self.sent.push(message);
        }
    }

    fn send_fragment(&mut self, len: u8, fin: bool) {
        let piece = vec![len; len.into()];
        let fragment = if fin {
            Fragment::last(&piece)
        } else {
            Fragment::more(&piece)
        };
        let result = self.ws.send_fragment(fragment, &mut self.out);
        assert_eq!(result.is_ok(), self.ws.is_open(), "{result:?}");
        if result.is_err() {
            return;
        }
        self.partial.get_or_insert_default().extend(piece);
        if fin {
            self.sent.extend(self.partial.take().map(Message::from));
        }
    }

    fn send_prepared(&mut self, text: &str) {
        let can_send = self.ws.is_open() && self.partial.is_none();
        let result = self.ws.send_prepared(&Prepared::new(text), &mut self.out);
        assert_eq!(result.is_ok(), can_send, "{result:?}");
        self.sent.extend(result.ok().map(|()| text.into()));
    }

    fn ping(&mut self, len: u8) {
        let payload = vec![1; (len % 126).into()];
        let result = self.ws.ping(&payload, &mut self.out);
        self.pings.0 += usize::from(result.is_ok());
    }

    fn close(&mut self, code: u16) {
        let _ = self.ws.close(code, "why", &mut self.out);
    }

    /// Takes so many of the bytes that have arrived.
    fn read(&mut self, len: usize) {
        let len = len.min(self.arriving.len());
        if len == 0 {
            return;
        }
        let mut bytes: Vec<u8> = self.arriving.drain(..len).collect();
        self.receive(&mut bytes);
    }

    fn receive(&mut self, bytes: &mut [u8]) {
        let mut input = Input::new(bytes);
        while let Some(event) = self.ws.receive(&mut input, &mut self.out) {
            match event {
                Event::Request(request) => {
                    self.ws
                        .respond(request.accept(), &mut self.out)
                        .expect("a request");
                }
                Event::Message(message) => self.received.push(message.into_owned()),
                Event::Ping(_) => self.pings.1 += 1,
                Event::Failed(error) => panic!("{error}"),
                _ => {}
            }
        }
        assert!(input.remaining().is_empty());
    }

    fn tick(&mut self, now: Duration) {
        let deadline = self
            .ws
            .handle_timeout(now, IoState::reading(), &mut self.out);
        assert!(deadline.is_none_or(|deadline| deadline.at > now));
    }
}

impl Pair {
    fn new(setup: &Setup) -> Self {
        let config = |compression| with_deflate(endless(setup.max_sent_frame_len), compression);
        let (request, mut out) = (ClientRequest::to("ws://h/").expect("a URI"), Vec::new());
        let client = Connection::client(&request, &config(Some(setup.client)), &mut out);
        let mut client = Peer::new(client.expect("entropy"), out);
        let mut server = Peer::new(Connection::server(&config(setup.server)), Vec::new());
        client.ws.auto_close(!setup.answers_late);
        server.ws.auto_close(!setup.answers_late);
        Self {
            client,
            server,
            now: Duration::ZERO,
        }
    }

    /// An end, and the other one.
    fn ends(&mut self, end: End) -> (&mut Peer, &mut Peer) {
        match end {
            End::Client => (&mut self.client, &mut self.server),
            End::Server => (&mut self.server, &mut self.client),
        }
    }

    fn step(&mut self, end: End, step: Step) {
        let peer = self.ends(end).0;
        match step {
            Step::Text(number) => peer.send(words(number).into()),
            Step::Prepared(number) => peer.send_prepared(&words(number)),
            Step::Binary(len) => peer.send(vec![7; len].into()),
            Step::Fragment(len) => peer.send_fragment(len, false),
            Step::LastFragment(len) => peer.send_fragment(len, true),
            Step::Ping(len) => peer.ping(len),
            Step::Write(len) => self.write(end, len),
            Step::Read(len) => peer.read(len),
            Step::Pass(ticks) => self.now += Duration::from_millis(4) * ticks.into(),
            Step::Close(number) => peer.close(1000 + u16::from(number) * 16),
            Step::Release => peer.ws.release(),
        }
        self.tick();
    }

    fn write(&mut self, from: End, len: usize) {
        let (peer, other) = self.ends(from);
        let len = len.min(peer.out.len());
        other.arriving.extend(peer.out.drain(..len));
    }

    fn tick(&mut self) {
        self.client.tick(self.now);
        self.server.tick(self.now);
    }

    /// Moves bytes until there are none.
    fn pump(&mut self) {
        let mut turns = 0;
        while self.has_bytes() {
            for end in [End::Client, End::Server] {
                self.write(end, usize::MAX);
                self.ends(end).1.read(usize::MAX);
            }
            self.tick();
            turns += 1;
            assert!(
                turns < 100,
                "no end: {:?} {:?}",
                self.client.ws,
                self.server.ws
            );
        }
    }

    fn has_bytes(&self) -> bool {
        let has_bytes = |peer: &Peer| !peer.out.is_empty() || !peer.arriving.is_empty();
        has_bytes(&self.client) || has_bytes(&self.server)
    }

    /// Finishes what was begun, and closes what nobody has closed.
    fn finish(&mut self) {
        self.pump();
        for end in [End::Client, End::Server] {
            let peer = self.ends(end).0;
            if peer.partial.is_some() && peer.ws.is_open() {
                peer.send_fragment(1, true);
            }
        }
        self.pump();
        self.client.close(1000);
        self.pump();
        self.server.close(1000);
        self.pump();
        // A server ends the stream once it is closed (§7.1.1).
        assert!(self.server.ws.is_closed(), "{:?}", self.server.ws);
        self.client.receive(&mut []);
        self.server.receive(&mut []);
        assert!(self.client.ws.is_closed(), "{:?}", self.client.ws);
    }

    fn check(&self) {
        assert_eq!(self.client.received, self.server.sent);
        assert_eq!(self.server.received, self.client.sent);
        // And those of the keepalive.
        assert!(self.client.pings.1 >= self.server.pings.0);
        assert!(self.server.pings.1 >= self.client.pings.0);
        let (client, server) = (self.client.ws.outcome(), self.server.ws.outcome());
        let (client, server) = client.zip(server).expect("both have ended");
        assert!(client.clean && server.clean, "{client:?} {server:?}");
        assert!(client.cause.is_none() && server.cause.is_none());
        // One of them began, unless both did.
        let began = [client.initiator, server.initiator]
            .into_iter()
            .filter(|initiator| *initiator == Initiator::Local)
            .count();
        assert!(began >= 1, "{client:?} {server:?}");
    }
}

fn words(number: u8) -> String {
    const WORDS: [&str; 8] = [
        "{\"name\": ",
        "\"websocket\"",
        ", \"message\": ",
        "null",
        "}",
        "0123456789abcdef",
        "the quick brown fox",
        " ",
    ];
    let word = |index: u8| WORDS[usize::from(number.wrapping_mul(index + 5) >> 2) % 8];
    (0..number % 32).map(word).collect()
}

/// Limits and deadlines that no schedule reaches, and a keepalive that many do.
fn endless(max_sent_frame_len: u8) -> Config {
    config()
        .with_max_sent_frame_len(max_sent_frame_len.into())
        .with_max_fragments(u32::MAX)
        .with_max_control_frames(u32::MAX)
        .with_handshake_timeout(None)
        .with_pong_timeout(None)
        .with_close_timeout(None)
        .with_write_timeout(None)
        .with_ping_interval(Duration::from_millis(100))
}

fuzz_target!(|data: (Setup, &[u8])| {
    let (setup, steps) = data;
    let mut pair = Pair::new(&setup);
    if !setup.is_handshake_scheduled {
        pair.pump();
    }
    for step in steps.as_chunks().0 {
        let (end, step) = Step::parse(*step);
        pair.step(end, step);
    }
    pair.finish();
    pair.check();
});
