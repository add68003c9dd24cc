//! The opening handshake, and the server's response to it.

use super::WebSocket;
use super::driver::Driver;
use super::transport::Transport;
use crate::adapter::Error;
use crate::error::HandshakeError;
use crate::event::Event;
use crate::handshake::{Answer, Request, Response};

/// Handshake.
impl<T: Transport> WebSocket<T> {
    /// Does the opening handshake as a client, on a stream that leads to the
    /// server: the one of `client`.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] with the response of a server that refuses,
    /// [`Error::Failed`] if it breaks a rule, [`Error::Io`] if the stream
    /// broke.
    pub async fn connect(mut self) -> Result<Self, Error> {
        match self.next_event().await? {
            Some(Event::Refused(response)) => Err(Error::Refused(response)),
            Some(Event::Open(response)) => {
                self.driver.response = Some(response);
                Ok(self)
            }
            Some(_) => Ok(self),
            None => Err(crate::ConnectionError::UnexpectedEof.into()),
        }
    }

    /// Answers the request that [`next_event`](Self::next_event) brought.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if there was none, and those of [`flush`](Self::flush).
    pub async fn respond(&mut self, answer: Answer) -> Result<(), Error> {
        let Driver {
            ws, write_queue, ..
        } = &mut self.driver;
        ws.respond(answer, write_queue.out())?;
        self.flush().await
    }

    /// The response with which the server opened the connection, with its
    /// header fields. `None` for a server, before the handshake is over, and
    /// after [`take_response`](Self::take_response).
    ///
    /// If [`next_event`](Self::next_event) or [`drive`](Self::drive) returned
    /// [`Event::Open`], the response is in that event instead.
    pub const fn response(&self) -> Option<&Response> {
        self.driver.response.as_ref()
    }

    /// Takes the [`response`](Self::response). A client keeps it on the heap
    /// until then.
    pub const fn take_response(&mut self) -> Option<Response> {
        self.driver.response.take()
    }

    /// Does the opening handshake as a server, and returns whether it opened the
    /// connection. By reference, as a future holds what is moved into it twice.
    pub(in crate::adapter) async fn answer_request(
        &mut self,
        answer: impl FnOnce(&Request) -> Answer,
    ) -> Result<bool, Error> {
        match self.next_event().await? {
            Some(Event::Request(request)) => self.respond(answer(&request)).await?,
            Some(Event::Rejected(rejection)) => {
                // The answer is on its way until the failure comes.
                while let Ok(Some(_)) = self.next_event().await {}
                return Err(Error::Rejected(rejection));
            }
            _ => {}
        }
        if self.driver.ws.is_open() {
            return Ok(true);
        }
        // The answer was a page or a refusal: it leaves before the end.
        while self.next_event().await?.is_some() {}
        Ok(false)
    }

    /// A response that somebody else read.
    #[cfg(any(feature = "h2", feature = "hyper"))]
    pub(in crate::adapter) fn with_response(mut self, response: Response) -> Self {
        self.driver.response = Some(response);
        self
    }
}

/// A request that asked for no WebSocket was refused.
pub(in crate::adapter) fn opened<T>(ws: Option<T>) -> Result<T, Error> {
    ws.ok_or_else(|| crate::ConnectionError::from(HandshakeError::NotAnUpgrade).into())
}
