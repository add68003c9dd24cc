//! An end that is `quiche` alone, for what a session never does.

use std::net::SocketAddr;

use quiche::RecvInfo;
use quiche::h3::{self, Event, Header, NameValue};

use crate::link::{CLIENT, End, SERVER, addr};

pub(crate) struct Raw {
    pub(crate) quic: quiche::Connection,
    pub(crate) http: Option<h3::Connection>,
    pub(crate) events: Vec<(u64, Event)>,
}

impl Raw {
    pub(crate) const fn new(quic: quiche::Connection) -> Self {
        Self {
            quic,
            http: None,
            events: Vec::new(),
        }
    }

    /// Sends a request, with these pseudo-header fields besides `:authority`.
    pub(crate) fn request(&mut self, pseudo: &[(&str, &str)]) -> u64 {
        let mut head = vec![Header::new(b":authority", b"localhost")];
        head.extend(pseudo.iter().map(|(name, value)| field(name, value)));
        head.push(field("sec-websocket-version", "13"));
        let http = self.http.as_mut().unwrap();
        http.send_request(&mut self.quic, &head, false).unwrap()
    }

    pub(crate) fn extended_connect(&mut self) -> u64 {
        let (protocol, path) = ((":protocol", "websocket"), (":path", "/"));
        self.request(&[(":method", "CONNECT"), protocol, (":scheme", "https"), path])
    }

    /// Sends what there is room for, and returns how much that was.
    pub(crate) fn send_body(&mut self, id: u64, data: &[u8], fin: bool) -> usize {
        let http = self.http.as_mut().unwrap();
        http.send_body(&mut self.quic, id, data, fin).unwrap_or(0)
    }

    /// Reads all that is there.
    pub(crate) fn body(&mut self, id: u64) -> Vec<u8> {
        let (mut body, mut buf) = (Vec::new(), [0; 4096]);
        let http = self.http.as_mut().unwrap();
        while let Ok(len) = http.recv_body(&mut self.quic, id, &mut buf) {
            body.extend_from_slice(&buf[..len]);
        }
        body
    }

    /// The status of the response.
    pub(crate) fn status(&self, id: u64) -> Option<String> {
        self.events.iter().find_map(|(of, event)| match event {
            Event::Headers { list, .. } if *of == id => {
                let status = list.iter().find(|field| field.name() == b":status")?;
                Some(String::from_utf8_lossy(status.value()).into())
            }
            _ => None,
        })
    }

    pub(crate) fn has(&self, id: u64, event: &Event) -> bool {
        self.events
            .iter()
            .any(|(of, had)| (*of, had) == (id, event))
    }

    fn addrs(&self) -> (SocketAddr, SocketAddr) {
        let (client, server) = (addr(CLIENT), addr(SERVER));
        if self.quic.is_server() {
            (client, server)
        } else {
            (server, client)
        }
    }
}

fn field(name: &str, value: &str) -> Header {
    Header::new(name.as_bytes(), value.as_bytes())
}

impl End for Raw {
    /// Bodies are not read.
    fn step(&mut self) {
        self.quic.on_timeout();
        if self.http.is_none() && self.quic.is_established() {
            let config = h3::Config::new().unwrap();
            self.http = h3::Connection::with_transport(&mut self.quic, &config).ok();
        }
        if let Some(http) = &mut self.http {
            while let Ok(event) = http.poll(&mut self.quic) {
                self.events.push(event);
            }
        }
    }

    fn send(&mut self, datagram: &mut [u8]) -> Option<usize> {
        self.quic.send(datagram).ok().map(|(len, _)| len)
    }

    fn receive(&mut self, datagram: &mut [u8]) {
        let (from, to) = self.addrs();
        let _ = self.quic.recv(datagram, RecvInfo { from, to });
    }
}
