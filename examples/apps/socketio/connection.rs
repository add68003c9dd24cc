//! One connection: Engine.IO's handshake and heartbeat, and the namespaces that the
//! client is in.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring::default_provider;
use sansocket::tokio::WebSocket;
use sansocket::{CloseCode, Error, Message};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until};

use crate::app;
use crate::hub::{Hub, MAX_QUEUED, MemberId, Queue};
use crate::packet::{Decoder, Frame, Kind, Packet, PacketError};
use crate::{MAX_MESSAGE_LEN, Server};

/// How long a client may take to answer a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) struct Connection<'s> {
    server: &'s Server,
    ws: WebSocket<TcpStream>,
    queue: Queue,
    decoder: Decoder,
    /// By namespace.
    members: HashMap<String, MemberId>,
    is_pinged: bool,
    next_ping: Instant,
}

impl Connection<'_> {
    /// Serves a client until the connection ends; its sessions wait for it then.
    pub(crate) async fn serve(server: &Server, ws: WebSocket<TcpStream>) -> Result<(), Error> {
        let (packets, queued) = mpsc::channel(MAX_QUEUED);
        let end = Arc::new(Notify::new());
        let mut this = Connection {
            server,
            ws,
            queue: Queue { packets, end },
            decoder: Decoder::default(),
            members: HashMap::new(),
            is_pinged: false,
            next_ping: Instant::now() + server.ping_interval,
        };
        let result = this.run(queued).await;
        for member in this.members.into_values() {
            server.hub.suspend(member);
        }
        result
    }

    async fn run(&mut self, mut queued: mpsc::Receiver<crate::hub::Shared>) -> Result<(), Error> {
        let (end, mut stopping) = (self.queue.end.clone(), self.server.stopping.clone());
        self.open().await?;
        loop {
            tokio::select! {
                message = self.ws.next() => match message? {
                    Some(message) if self.ws.connection().is_open() => self.receive(message).await?,
                    Some(_) => {}
                    None => return Ok(()),
                },
                Some(packet) = queued.recv() => {
                    for message in &*packet {
                        self.ws.feed_prepared(message).await?;
                    }
                    self.ws.flush().await?;
                }
                () = sleep_until(self.next_ping) => self.ping().await?,
                () = end.notified() => self.close(CloseCode::TRY_AGAIN_LATER, "too slow").await?,
                Ok(()) = stopping.changed() => {
                    self.close(CloseCode::GOING_AWAY, "the server stops").await?;
                }
            }
        }
    }

    async fn open(&mut self) -> Result<(), Error> {
        let handshake = json!({
            "sid": random_id()?,
            "upgrades": [],
            "pingInterval": self.server.ping_interval.as_millis() as u64,
            "pingTimeout": PING_TIMEOUT.as_millis() as u64,
            "maxPayload": MAX_MESSAGE_LEN,
        });
        self.ws.send(format!("0{handshake}")).await
    }

    /// The time of the next ping, or of the answer to the last.
    async fn ping(&mut self) -> Result<(), Error> {
        let is_idle = self.members.is_empty();
        if self.is_pinged || is_idle || !self.ws.connection().is_open() {
            return self
                .close(CloseCode::POLICY_VIOLATION, "ping timeout")
                .await;
        }
        self.is_pinged = true;
        self.next_ping = Instant::now() + PING_TIMEOUT;
        self.ws.send("2").await
    }

    async fn receive(&mut self, message: Message) -> Result<(), Error> {
        let packet = match &message {
            Message::Binary(bytes) => self.decoder.binary(bytes.clone()),
            Message::Text(text) => match Frame::parse(text) {
                Ok(Frame::Message(packet)) => self.decoder.text(packet),
                Ok(Frame::Close) => return self.close(CloseCode::NORMAL, "").await,
                Ok(Frame::Ping) => return self.ws.send("3").await,
                Ok(Frame::Pong) => {
                    self.is_pinged = false;
                    self.next_ping = Instant::now() + self.server.ping_interval;
                    return Ok(());
                }
                Ok(Frame::Ignored) => Ok(None),
                Err(error) => Err(error),
            },
        };
        match packet {
            Ok(Some(packet)) => self.handle(packet).await,
            Ok(None) => Ok(()),
            Err(error) => self.refuse(error).await,
        }
    }

    async fn handle(&mut self, packet: Packet) -> Result<(), Error> {
        let hub: &Hub = &self.server.hub;
        let member = self.members.get(&packet.namespace).copied();
        match (packet.kind, member) {
            (Kind::Connect, None) => self.connect(&packet).await,
            (Kind::Disconnect, Some(member)) => {
                self.members.remove(&packet.namespace);
                hub.leave_all(member);
                Ok(())
            }
            (Kind::Event, Some(member)) => {
                let ack = app::handle(hub, member, packet);
                match ack {
                    Some(ack) => self.send(&ack).await,
                    None => Ok(()),
                }
            }
            // This server asks for none.
            (Kind::Ack, Some(_)) => Ok(()),
            _ => {
                self.close(CloseCode::POLICY_VIOLATION, "forced close")
                    .await
            }
        }
    }

    async fn connect(&mut self, request: &Packet) -> Result<(), Error> {
        if let Some(reason) = app::refusal(request) {
            let reason = json!({ "message": reason });
            let refusal = Packet::new(Kind::ConnectError, &request.namespace, reason);
            return self.send(&refusal).await;
        }
        let ids = [random_id()?, random_id()?];
        let member = self.server.hub.connect(request, self.queue.clone(), ids);
        self.members.insert(request.namespace.clone(), member);
        Ok(())
    }

    async fn send(&mut self, packet: &Packet) -> Result<(), Error> {
        for message in packet.encode() {
            self.ws.feed(message).await?;
        }
        self.ws.flush().await
    }

    async fn refuse(&mut self, error: PacketError) -> Result<(), Error> {
        let reason = format!("parse error: {error:?}");
        self.close(CloseCode::INVALID_PAYLOAD, &reason).await
    }

    /// Starts to close; the loop completes it.
    async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        // No further pings.
        self.next_ping = Instant::now() + Duration::from_secs(3600);
        self.ws.close(code, reason).await
    }
}

/// 128 bits that nobody can guess.
fn random_id() -> io::Result<String> {
    let mut bytes = [0; 16];
    let random = default_provider().secure_random;
    random
        .fill(&mut bytes)
        .map_err(|_| io::Error::other("no randomness"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
