//! Sending messages that were framed in advance.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use bytes::Bytes;

use super::Connection;
use crate::error::SendError;
use crate::frame::Role;
use crate::message::{Framed, Prepared};

impl Connection {
    /// Sends a message that was framed in advance, for many connections. A server
    /// copies the finished frame; a client masks it.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// ```
    /// use sansocket::{Agreement, Config, Connection, Prepared, Role};
    ///
    /// let config = Config::new();
    /// let news = Prepared::new("to all");
    /// for _ in 0..3 {
    ///     let mut ws = Connection::upgraded(Role::Server, Agreement::default(), &config);
    ///     let mut out = Vec::new();
    ///     ws.send_prepared(&news, &mut out)?;
    ///     assert_eq!(out, b"\x81\x06to all");
    /// }
    /// # Ok::<(), sansocket::SendError>(())
    /// ```
    pub fn send_prepared(
        &mut self,
        prepared: &Prepared,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        self.check_between_messages()?;
        let Framed {
            start,
            payload,
            frame,
        } = &*self.prepared_frame(prepared);
        match self.role {
            Role::Server => {
                out.extend_from_slice(frame);
                self.count_frame(frame.len());
            }
            Role::Client => self.write_frames(*start, payload, out)?,
        }
        Ok(())
    }

    /// Returns the frame of a prepared message, which the caller writes after the
    /// contents of `out`. All server connections share the memory of the frame,
    /// so that nothing is copied.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// ```
    /// use sansocket::{Agreement, Config, Connection, Prepared, Role};
    ///
    /// let config = Config::new();
    /// let news = Prepared::new("to all");
    /// let mut ws = Connection::upgraded(Role::Server, Agreement::default(), &config);
    /// let mut other = Connection::upgraded(Role::Server, Agreement::default(), &config);
    /// let (frame, same) = (ws.share_prepared(&news)?, other.share_prepared(&news)?);
    /// assert_eq!(frame, b"\x81\x06to all"[..]);
    /// assert_eq!(frame.as_ptr(), same.as_ptr());
    /// # Ok::<(), sansocket::SendError>(())
    /// ```
    pub fn share_prepared(&mut self, prepared: &Prepared) -> Result<Bytes, SendError> {
        self.check_between_messages()?;
        let form = self.prepared_frame(prepared);
        if self.role == Role::Server {
            self.count_frame(form.frame.len());
            return Ok(form.frame.clone());
        }
        let mut frame = Vec::new();
        self.write_frames(form.start, &form.payload, &mut frame)?;
        Ok(frame.into())
    }

    /// The form of a prepared message that this connection sends.
    #[cfg_attr(not(feature = "deflate"), allow(clippy::needless_pass_by_ref_mut))]
    fn prepared_frame<'p>(&mut self, prepared: &'p Prepared) -> Cow<'p, Framed> {
        #[cfg(feature = "deflate")]
        if let Some(compressed) = self.compressed_form(prepared) {
            return Cow::Owned(compressed);
        }
        Cow::Borrowed(prepared.plain())
    }
}
