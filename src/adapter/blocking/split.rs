//! Splitting a WebSocket into owned halves for two threads, and joining them.

use std::io::{Read, Write};
use std::sync::Arc;

use super::WebSocket;
use super::reader::Reader;
use super::shared::{Shared, State};
use super::writer::Writer;

impl<S> WebSocket<S>
where
    for<'a> &'a S: Read + Write,
{
    /// Splits into an owned [`Reader`] and an owned [`Writer`], for two threads.
    ///
    /// The stream must be usable by two threads at once, like `TcpStream`, `UnixStream`
    /// and [`Stream`](super::Stream). It must be blocking, and the opening handshake
    /// must be complete.
    ///
    /// No lock is held while a half waits for the stream, and automatic replies are sent
    /// by either half. With a [`Socket`](super::Socket), the halves are full duplex:
    /// the reader receives while the writer waits for the peer to read.
    ///
    /// ```no_run
    /// # fn run(
    /// #     mut ws: sansocket::blocking::WebSocket<std::net::TcpStream>,
    /// # ) -> Result<(), sansocket::Error> {
    /// let (mut reader, mut writer) = ws.split();
    /// std::thread::spawn(move || writer.send("hello"));
    /// println!("{:?}", reader.next()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn split(self) -> (Reader<S>, Writer<S>) {
        let mut state = State::new(self.ws, self.write_queue, self.auto_replies, self.writes);
        state.response = self.response;
        state.write_error = self.write_error;
        let shared = Shared::new(self.stream, state, self.socket, self.epoch);
        let shared = Arc::new(shared);
        let reader = Reader {
            shared: shared.clone(),
            read_buffer: self.read_buffer,
            reads: self.reads,
            partial: self.partial,
            last_event: self.last_event,
            is_finished: self.is_finished,
        };
        (reader, Writer { shared })
    }
}

impl<S> Reader<S> {
    /// Joins the two halves again. All other clones of the writer must have been
    /// dropped.
    ///
    /// # Errors
    ///
    /// Returns the halves if the writer has other clones or belongs to another
    /// connection.
    ///
    /// ```no_run
    /// # fn run(
    /// #     ws: sansocket::blocking::WebSocket<std::net::TcpStream>,
    /// # ) -> Result<(), sansocket::Error> {
    /// let (reader, writer) = ws.split();
    /// let mut ws = reader.reunite(writer).expect("the only writer");
    /// ws.send("in one piece again")?;
    /// # Ok(())
    /// # }
    /// ```
    #[allow(clippy::result_large_err)] // contains both halves
    pub fn reunite(self, writer: Writer<S>) -> Result<WebSocket<S>, (Self, Writer<S>)> {
        let is_same = Arc::ptr_eq(&self.shared, &writer.shared);
        if !is_same || Arc::strong_count(&self.shared) != 2 {
            return Err((self, writer));
        }
        drop(writer);
        let (socket, epoch) = (self.shared.socket, self.shared.epoch);
        let shared = match Arc::try_unwrap(self.shared) {
            Ok(shared) => shared,
            Err(shared) => {
                let writer = Writer {
                    shared: shared.clone(),
                };
                return Err((Self { shared, ..self }, writer));
            }
        };
        let (stream, state) = shared.into_parts();
        Ok(WebSocket {
            stream,
            read_buffer: self.read_buffer,
            write_queue: state.write_queue,
            auto_replies: state.auto_replies,
            max_unsent_len: state.ws.config().settings().max_unsent_len,
            ws: state.ws,
            socket,
            reads: self.reads,
            writes: state.writes,
            write_error: state.write_error,
            response: state.response,
            epoch,
            partial: self.partial,
            last_event: self.last_event,
            is_shut_down: self.is_finished,
            is_finished: self.is_finished,
        })
    }
}
