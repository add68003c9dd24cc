//! Receiving payload in the memory of its message, without a read buffer.

use bytes::BufMut;

use super::Connection;

/// For fewer bytes, a read buffer is faster.
const MIN_LEN: usize = 16 * 1024;

impl Connection {
    /// Lends memory of the incomplete message to `read`, which appends the next bytes
    /// of the stream. Returns the result of `read`, or `None` if there is no such
    /// memory. Then pass the next bytes to [`receive`](Self::receive).
    ///
    /// This saves a copy of large messages and is optional. There is memory while a
    /// binary frame arrives that is not compressed and of which more than 16 KiB are
    /// missing, if `receive` has reserved room for 32 KiB of it or for all of it. `read`
    /// may append at most `max_len` bytes, and never the last byte of the frame: so the
    /// message is always returned by `receive`, which must have consumed all input
    /// before this call. The memory is never empty, so a read of 0 bytes into it is the
    /// end of the stream, as always.
    ///
    /// ```
    /// use std::io::{self, Read};
    ///
    /// use sansocket::{Connection, Event, Input};
    ///
    /// /// Reads once.
    /// fn read(socket: &mut impl Read, ws: &mut Connection, buf: &mut [u8], out: &mut Vec<u8>) -> io::Result<()> {
    ///     let read = ws.receive_into_message(64 * 1024, |memory| -> io::Result<usize> {
    ///         let len = memory.remaining_mut().min(buf.len());
    ///         let len = socket.read(&mut buf[..len])?;
    ///         // Copied only here: `try_read_buf` of tokio's sockets reads into `memory`.
    ///         memory.put_slice(&buf[..len]);
    ///         Ok(len)
    ///     });
    ///     let len = match read {
    ///         Some(Ok(1..)) => return Ok(()),
    ///         Some(read) => read?,
    ///         None => socket.read(buf)?,
    ///     };
    ///     let mut input = Input::new(&mut buf[..len]);
    ///     while let Some(event) = ws.receive(&mut input, out) {
    ///         if let Event::Message(message) = event {
    ///             println!("{} bytes", message.len());
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// # use sansocket::{Agreement, Config, Role, frame::{Header, Opcode}};
    /// # let mut wire = Vec::new();
    /// # Header::new(Opcode::Binary, 100_000).write(&mut wire);
    /// # wire.resize(wire.len() + 100_000, 7);
    /// # let (mut socket, mut buf, mut out) = (&wire[..], vec![0; 30_000], Vec::new());
    /// # let mut ws = Connection::upgraded(Role::Client, Agreement::default(), &Config::new());
    /// # while !socket.is_empty() { read(&mut socket, &mut ws, &mut buf, &mut out).unwrap(); }
    /// # assert_eq!(ws.counters().received.messages, 1);
    /// ```
    pub fn receive_into_message<R>(
        &mut self,
        max_len: usize,
        read: impl FnOnce(&mut dyn BufMut) -> R,
    ) -> Option<R> {
        // The last byte is left for `receive`, which then returns the message.
        let rest_len = self.bulk_len().saturating_sub(1);
        // A read into no memory would look like the end of the stream, and `receive` fails
        // the connection if others have grown too much.
        if rest_len < MIN_LEN || max_len == 0 || self.check_memory().is_err() {
            return None;
        }
        let message = self.receiver.with_room(rest_len)?;
        let start = message.len();
        // Not up to the capacity, from where asking for a chunk would make it grow.
        let free_len = message.capacity() - start - 1;
        let room_len = free_len.min(rest_len).min(max_len);
        let result = read(&mut BufMut::limit(&mut *message, room_len));
        let added = message.get_mut(start..).unwrap_or_default();
        if let Some(mask) = &mut self.frame.mask {
            mask.apply(added);
        }
        let added_len = added.len();
        self.decoder.skip_payload(added_len);
        self.received.bytes += added_len as u64;
        Some(result)
    }

    /// How many of the next bytes are payload that `receive` consumes at once: the rest
    /// of a frame that is not compressed, or none.
    pub(crate) fn bulk_len(&self) -> usize {
        #[cfg(feature = "deflate")]
        if self.receiver.is_compressed() {
            return 0;
        }
        if !self.lifecycle.receives_frames() {
            return 0;
        }
        usize::try_from(self.decoder.remaining_payload_len()).unwrap_or(usize::MAX)
    }
}
