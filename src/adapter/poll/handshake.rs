//! The opening handshake.

use super::WebSocket;
use super::driver::Driver;
use super::transport::Transport;
use crate::adapter::Error;
use crate::error::HandshakeError;
use crate::event::Event;
use crate::handshake::{Answer, Request, Response};

/// Handshake.
impl<T: Transport> WebSocket<T> {
    /// Completes the opening handshake of a client that was created with `client`.
    ///
    /// # Errors
    ///
    /// - [`Error::Refused`] with the server's response, if it refuses.
    /// - [`Error::Failed`] if the server breaks a rule or is too slow.
    /// - [`Error::Io`] if the stream failed.
    ///
    /// ```no_run
    /// # #[cfg(feature = "tokio")]
    /// # async fn run(stream: tokio::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
    /// use sansocket::{ClientRequest, Config, tokio::WebSocket};
    ///
    /// let request = ClientRequest::to("ws://localhost:9001/")?;
    /// // `stream` can also be a TLS stream of another library.
    /// let mut ws = WebSocket::client(stream, &request, &Config::new())?.connect().await?;
    /// ws.send("hello").await?;
    /// # Ok(())
    /// # }
    /// ```
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

    /// Answers the request that [`next_event`](Self::next_event) returned.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if there is no request to answer, and the errors of
    /// [`flush`](Self::flush).
    ///
    /// ```no_run
    /// # use sansocket::adapter::poll::{Transport, WebSocket};
    /// # async fn run(mut ws: WebSocket<impl Transport>) -> Result<(), sansocket::Error> {
    /// use sansocket::Event;
    ///
    /// if let Some(Event::Request(request)) = ws.next_event().await? {
    ///     let answer = match request.path() {
    ///         "/chat" => request.accept(),
    ///         _ => request.reject(404),
    ///     };
    ///     ws.respond(answer).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn respond(&mut self, answer: Answer) -> Result<(), Error> {
        let Driver {
            ws, write_queue, ..
        } = &mut self.driver;
        ws.respond(answer, write_queue.out())?;
        self.flush().await
    }

    /// Returns the response with which the server opened the connection. `None` for a
    /// server, before the handshake is complete, and after
    /// [`take_response`](Self::take_response).
    ///
    /// If [`next_event`](Self::next_event) or [`drive`](Self::drive) returned
    /// [`Event::Open`], the response is in that event instead.
    pub const fn response(&self) -> Option<&Response> {
        self.driver.response.as_ref()
    }

    /// Takes the [`response`](Self::response), which otherwise stays in memory for as
    /// long as the connection.
    pub const fn take_response(&mut self) -> Option<Response> {
        self.driver.response.take()
    }

    /// Does the opening handshake as a server, and returns whether it opened the
    /// connection. Takes a reference, because a future would store a moved value
    /// twice.
    pub(in crate::adapter) async fn answer_request(
        &mut self,
        answer: impl FnOnce(&Request) -> Answer,
    ) -> Result<bool, Error> {
        match self.next_event().await? {
            Some(Event::Request(request)) => self.respond(answer(&request)).await?,
            Some(Event::Rejected(rejection)) => {
                // The answer is sent before the failure is returned.
                while let Ok(Some(_)) = self.next_event().await {}
                return Err(Error::Rejected(rejection));
            }
            _ => {}
        }
        if self.driver.ws.is_open() {
            return Ok(true);
        }
        // The answer was a page or a refusal: it is sent before the end.
        while self.next_event().await?.is_some() {}
        Ok(false)
    }

    /// Sets a response that another library has read.
    #[cfg(any(feature = "h2", feature = "hyper"))]
    pub(in crate::adapter) fn with_response(mut self, response: Response) -> Self {
        self.driver.response = Some(response);
        self
    }
}

/// The error for a request that was not an upgrade.
pub(in crate::adapter) fn opened<T>(ws: Option<T>) -> Result<T, Error> {
    ws.ok_or_else(|| crate::ConnectionError::from(HandshakeError::NotAnUpgrade).into())
}
