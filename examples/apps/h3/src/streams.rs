//! The streams of a connection: requests and their answers, and the WebSockets
//! that they open.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use quiche::Shutdown;
use quiche::h3::{self, Event, Header, WireErrorCode};
use sansocket::upgrade::Offer;
use sansocket::{Agreement, ClientRequest, Config, Connection, Role};

use crate::outgoing::{Outgoing, Transport};
use crate::{Application, Error, Socket, head};

pub(crate) struct Streams {
    config: Config,
    pub(crate) opening_timeout: Duration,
    /// A client's requests that wait for the server's settings or for a stream,
    /// and their deadlines.
    wanted: VecDeque<(ClientRequest, Duration)>,
    /// A client's requests that wait for the response.
    opening: HashMap<u64, (Offer, Duration)>,
    pub(crate) sockets: HashMap<u64, Socket>,
    /// A server's responses that open no WebSocket.
    refusals: HashMap<u64, Outgoing>,
    /// The stream after the last one that was served.
    pub(crate) next_id: u64,
    pub(crate) is_stopping: bool,
    deadline: Option<Duration>,
}

impl Streams {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            config: config.clone(),
            opening_timeout: Duration::from_secs(10),
            wanted: VecDeque::new(),
            opening: HashMap::new(),
            sockets: HashMap::new(),
            refusals: HashMap::new(),
            next_id: 0,
            is_stopping: false,
            deadline: None,
        }
    }

    pub(crate) fn connect(&mut self, request: ClientRequest, now: Duration) {
        self.wanted.push_back((request, now + self.opening_timeout));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.wanted.is_empty()
            && self.opening.is_empty()
            && self.sockets.is_empty()
            && self.refusals.is_empty()
    }

    /// Writes and reads on every stream until each waits for the peer. A peer
    /// has at most 128 of them, so that none is looked up.
    pub(crate) fn drive(
        &mut self,
        now: Duration,
        io: &mut Transport<'_>,
        app: &mut impl Application,
    ) {
        // What waited for room goes on.
        self.each(io, app, Socket::drive);
        // A fault of HTTP/3 has closed the connection.
        while let Ok((id, event)) = io.http.poll(io.quic) {
            self.handle(id, event, io, app);
        }
        self.ask(io, app);
        self.tick(now, io, app);
        self.refusals
            .retain(|_, refusal| matches!(refusal.finish(io), Ok(false)));
    }

    /// Does this with every socket. One that breaks is over.
    fn each<A: Application>(
        &mut self,
        io: &mut Transport<'_>,
        app: &mut A,
        mut step: impl FnMut(&mut Socket, &mut Transport<'_>, &mut A) -> Result<(), Error>,
    ) {
        let mut broken = Vec::new();
        for socket in self.sockets.values_mut() {
            if let Err(error) = step(socket, io, app) {
                broken.push((socket.id(), error));
            }
        }
        for (id, error) in broken {
            self.fail(id, error, io, app);
        }
    }

    fn handle(
        &mut self,
        id: u64,
        event: Event,
        io: &mut Transport<'_>,
        app: &mut impl Application,
    ) {
        match (event, self.sockets.get_mut(&id)) {
            (Event::Headers { list, .. }, None) if io.quic.is_server() => {
                self.serve(id, &list, io, app);
            }
            (Event::Headers { list, .. }, None) => self.open(id, &list, io, app),
            (Event::Data, Some(socket)) => {
                socket.readable();
                if let Err(error) = socket.drive(io, app) {
                    self.fail(id, error, io, app);
                }
            }
            (Event::Finished, Some(socket)) => socket.end(app),
            (Event::Finished, None) if self.opening.contains_key(&id) => {
                self.fail(id, h3::Error::RequestIncomplete.into(), io, app);
            }
            (Event::Reset(code), _) => self.fail(id, Error::Reset(code), io, app),
            (Event::GoAway, _) => self.refuse_wanted(|| Error::GoingAway, app),
            // Trailers and priorities mean nothing to a WebSocket.
            _ => {}
        }
    }
}

impl Streams {
    fn start(
        &mut self,
        role: Role,
        agreement: Agreement,
        stream: Outgoing,
        app: &mut impl Application,
    ) {
        let ws = Connection::upgraded(role, agreement, &self.config);
        let mut socket = Socket::new(ws, stream);
        app.opened(&mut socket);
        self.sockets.insert(socket.id(), socket);
    }
}

/// The ends.
impl Streams {
    /// A stream broke: it is reset (RFC 9220 §3).
    fn fail(&mut self, id: u64, error: Error, io: &mut Transport<'_>, app: &mut impl Application) {
        io.reset(id, error.code());
        self.refusals.remove(&id);
        if let Some(socket) = self.sockets.remove(&id) {
            app.ended(socket.outcome().ok_or(error));
        } else if self.opening.remove(&id).is_some() {
            app.ended(Err(error));
        }
    }

    /// Keeps the deadlines, and drops the sockets that are over.
    fn tick(&mut self, now: Duration, io: &mut Transport<'_>, app: &mut impl Application) {
        let mut next = None;
        self.each(io, app, |socket, io, app| {
            next = next.into_iter().chain(socket.tick(now, io, app)?).min();
            Ok(())
        });
        self.deadline = next;
        for (_, socket) in self.sockets.extract_if(|_, socket| socket.is_over()) {
            app.ended(socket.outcome().ok_or(Error::Timeout));
        }
        let is_late =
            |(id, (_, deadline)): (&u64, &(Offer, Duration))| (now >= *deadline).then_some(*id);
        let late: Vec<_> = self.opening.iter().filter_map(is_late).collect();
        for id in late {
            self.fail(id, Error::Timeout, io, app);
        }
    }

    /// Gives up on requests that are late, and returns the next deadline. Also
    /// before there is a connection.
    pub(crate) fn next_deadline(
        &mut self,
        now: Duration,
        app: &mut impl Application,
    ) -> Option<Duration> {
        while self
            .wanted
            .front()
            .is_some_and(|(_, deadline)| now >= *deadline)
        {
            self.wanted.pop_front();
            app.ended(Err(Error::Timeout));
        }
        let wanted = self.wanted.front().map(|(_, deadline)| *deadline);
        let opening = self.opening.values().map(|(_, deadline)| *deadline).min();
        [self.deadline, wanted, opening].into_iter().flatten().min()
    }

    /// The connection is over, and with it all streams, as over TCP.
    pub(crate) fn abandon(&mut self, error: impl Fn() -> Error, app: &mut impl Application) {
        self.refuse_wanted(&error, app);
        for _ in self.opening.drain() {
            app.ended(Err(error()));
        }
        for (_, mut socket) in self.sockets.drain() {
            socket.end(app);
            app.ended(socket.outcome().ok_or_else(&error));
        }
        self.refusals.clear();
        self.deadline = None;
    }

    fn refuse_wanted(&mut self, error: impl Fn() -> Error, app: &mut impl Application) {
        for _ in self.wanted.drain(..) {
            app.ended(Err(error()));
        }
    }
}

/// A server.
impl Streams {
    fn serve(
        &mut self,
        id: u64,
        list: &[Header],
        io: &mut Transport<'_>,
        app: &mut impl Application,
    ) {
        if self.is_stopping {
            return io.reset(id, WireErrorCode::RequestRejected as u64);
        }
        self.next_id = self.next_id.max(id + 4);
        let answer = match head::request(list, &self.config) {
            Some(Ok(request)) => app.answer(&request),
            Some(Err(refusal)) => refusal,
            // RFC 9114 §4.1.2: "a stream error of type H3_MESSAGE_ERROR".
            None => return io.reset(id, WireErrorCode::MessageError as u64),
        };
        let response = Some(head::response(&answer));
        if answer.is_upgrade() {
            let stream = Outgoing::new(id, response, Bytes::new());
            self.start(Role::Server, answer.agreement().clone(), stream, app);
        } else {
            // RFC 9114 §4.1: the rest of the request is not needed.
            let code = WireErrorCode::NoError as u64;
            let _ = io.quic.stream_shutdown(id, Shutdown::Read, code);
            let body = Bytes::copy_from_slice(answer.content());
            self.refusals.insert(id, Outgoing::new(id, response, body));
        }
    }
}

/// A client.
impl Streams {
    /// Sends the requests that wait, as far as the server allows.
    fn ask(&mut self, io: &mut Transport<'_>, app: &mut impl Application) {
        if self.wanted.is_empty() || io.http.peer_settings_raw().is_none() {
            return;
        }
        if !io.http.extended_connect_enabled_by_peer() {
            return self.refuse_wanted(|| Error::NoExtendedConnect, app);
        }
        while let Some((request, deadline)) = self.wanted.front() {
            let offer = Offer::extended_connect(request, &self.config);
            let head = head::extended_connect(request, &offer);
            use quiche::Error::StreamLimit;
            match io.http.send_request(io.quic, &head, false) {
                Ok(id) => drop(self.opening.insert(id, (offer, *deadline))),
                // Once the server has closed another stream, or reads again.
                Err(h3::Error::StreamBlocked | h3::Error::TransportError(StreamLimit)) => return,
                // The server has sent GOAWAY.
                Err(h3::Error::FrameUnexpected) => app.ended(Err(Error::GoingAway)),
                Err(error) => app.ended(Err(error.into())),
            }
            self.wanted.pop_front();
        }
    }

    fn open(
        &mut self,
        id: u64,
        list: &[Header],
        io: &mut Transport<'_>,
        app: &mut impl Application,
    ) {
        let Some((offer, _)) = self.opening.get(&id) else {
            return;
        };
        match head::agreement(list, offer) {
            Ok(None) => {}
            Ok(Some(agreement)) => {
                self.opening.remove(&id);
                let stream = Outgoing::new(id, None, Bytes::new());
                self.start(Role::Client, agreement, stream, app);
            }
            Err(error) => self.fail(id, error, io, app),
        }
    }
}
