//! How a connection starts: with a handshake, or after one.

use alloc::vec::Vec;

use super::counters::FrameCounts;
use super::lifecycle::{Lifecycle, Stage};
use super::{Connection, Frame};
use crate::config::Config;
use crate::entropy::MaskingKeys;
use crate::error::SendError;
use crate::frame::{Decoder, Opcode, Role};
use crate::handshake::{Agreement, ClientRequest, RequestReader, ResponseReader};
use crate::message::Receiver;

impl Connection {
    /// Creates a server connection, which waits for a request.
    ///
    /// ```
    /// use sansocket::{Config, Connection, Event, Input};
    ///
    /// let (mut ws, mut out) = (Connection::server(&Config::new()), Vec::new());
    /// let mut bytes = *b"GET /chat HTTP/1.1\r\nHost: example.com\r\n\
    ///     Upgrade: websocket\r\nConnection: Upgrade\r\n\
    ///     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    /// let event = ws.receive(&mut Input::new(&mut bytes), &mut out);
    /// if let Some(Event::Request(request)) = event {
    ///     ws.respond(request.accept(), &mut out)?;
    /// }
    /// assert!(ws.is_open());
    /// assert!(out.starts_with(b"HTTP/1.1 101 "));
    /// # Ok::<(), sansocket::SendError>(())
    /// ```
    pub fn server(config: &Config) -> Self {
        let lifecycle = Lifecycle::at(Stage::Request(RequestReader::default()));
        Self::new(Role::Server, lifecycle, config)
    }

    /// Creates a client connection and appends its request to `out`. The
    /// connection is open once `receive` has returned
    /// [`Event::Open`](crate::Event::Open).
    ///
    /// # Errors
    ///
    /// [`SendError::NoEntropy`] if no random nonce is available (§4.1).
    ///
    /// ```
    /// use sansocket::{ClientRequest, Config, Connection};
    ///
    /// # if !cfg!(feature = "std") { return Ok(()); }
    /// let mut out = Vec::new();
    /// let request = ClientRequest::to("ws://example.com/chat")?.with_subprotocol("echo")?;
    /// let ws = Connection::client(&request, &Config::new(), &mut out)?;
    /// assert!(out.starts_with(b"GET /chat HTTP/1.1\r\nHost: example.com\r\n"));
    /// assert!(!ws.is_open());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn client(
        request: &ClientRequest,
        config: &Config,
        out: &mut Vec<u8>,
    ) -> Result<Self, SendError> {
        let mut nonce = [0; 16];
        config
            .settings()
            .entropy
            .fill(&mut nonce)
            .map_err(|_| SendError::NoEntropy)?;
        let before = out.len();
        let expected = request.write(nonce, &config.settings().handshake, out);
        let reader = ResponseReader::new(expected);
        let mut ws = Self::new(Role::Client, Lifecycle::at(Stage::Response(reader)), config);
        ws.count_sent(before, out);
        ws.trace_subject(|| request.uri().host());
        Ok(ws)
    }

    /// Creates a connection whose opening handshake was done by another library,
    /// with the result of that handshake. If bytes after the head were read
    /// already, they are the first input.
    ///
    /// The module [`upgrade`](crate::upgrade) has the handshake for such
    /// libraries.
    ///
    /// ```
    /// use sansocket::{Agreement, Config, Connection, Event, Input, Role};
    ///
    /// let agreement = Agreement::default().with_subprotocol("chat");
    /// let mut ws = Connection::upgraded(Role::Client, agreement, &Config::new());
    /// assert!(ws.is_open());
    ///
    /// let (mut read_ahead, mut out) = (*b"\x81\x02hi", Vec::new());
    /// let event = ws.receive(&mut Input::new(&mut read_ahead), &mut out);
    /// assert_eq!(event, Some(Event::Message("hi".into())));
    /// ```
    pub fn upgraded(role: Role, agreement: Agreement, config: &Config) -> Self {
        let mut ws = Self::new(role, Lifecycle::OPEN, config);
        ws.open(agreement);
        ws
    }

    /// The opening handshake is over.
    pub(super) fn open(&mut self, agreement: Agreement) {
        self.lifecycle = Lifecycle::OPEN;
        self.agreement = agreement.into_box();
        #[cfg(feature = "deflate")]
        self.start_codec();
        self.borrows = self.can_borrow();
        self.trace_open();
    }

    fn new(role: Role, lifecycle: Lifecycle, config: &Config) -> Self {
        Self {
            config: config.clone(),
            lifecycle,
            agreement: None,
            #[cfg(feature = "deflate")]
            codec: None,
            timer: None,
            keys: MaskingKeys::default(),
            decoder: Decoder::new(),
            frame: Frame {
                opcode: Opcode::Continuation,
                fin: true,
                mask: None,
            },
            receiver: Receiver::default(),
            received: FrameCounts::default(),
            sent: FrameCounts::default(),
            sending: None,
            rare: None,
            role,
            borrows: false,
        }
    }
}
