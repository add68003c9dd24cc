//! Following redirects.

use super::Connector;
#[cfg(not(feature = "rustls"))]
use super::tls_unavailable;
use crate::adapter::Error;
use crate::handshake::{ClientRequest, RedirectError, RequestError};

/// A request, and how often it may still be redirected.
#[derive(Debug)]
pub(in crate::adapter) struct Redirects {
    pub(in crate::adapter) request: ClientRequest,
    max: u32,
    left: u32,
}

impl Redirects {
    pub(in crate::adapter) fn new(
        request: impl TryInto<ClientRequest, Error: Into<RequestError>>,
        connector: &Connector,
    ) -> Result<Self, Error> {
        let request = checked_request(request)?;
        let max = connector.max_redirects;
        Ok(Self {
            request,
            max,
            left: max,
        })
    }

    /// The result of an attempt, or `None` to try again with the redirected request.
    pub(in crate::adapter) fn follow<W>(
        &mut self,
        result: Result<W, Error>,
    ) -> Option<Result<W, Error>> {
        let response = match result {
            Err(Error::Refused(response)) if self.max > 0 => response,
            result => return Some(result),
        };
        match self.request.redirected(&response) {
            Ok(_) if self.left == 0 => Some(Err(Error::TooManyRedirects(response))),
            Ok(next) => {
                self.left -= 1;
                match check_scheme(next) {
                    Ok(next) => self.request = next,
                    Err(error) => return Some(Err(error)),
                }
                None
            }
            Err(RedirectError::NotARedirect) => Some(Err(Error::Refused(response))),
            Err(error) => Some(Err(error.into())),
        }
    }
}

/// Checks that a request can be sent, before anything is connected.
pub(in crate::adapter) fn checked_request(
    request: impl TryInto<ClientRequest, Error: Into<RequestError>>,
) -> Result<ClientRequest, Error> {
    check_scheme(request.try_into().map_err(Into::into)?)
}

fn check_scheme(request: ClientRequest) -> Result<ClientRequest, Error> {
    #[cfg(not(feature = "rustls"))]
    if request.uri().is_secure() {
        return Err(tls_unavailable());
    }
    Ok(request)
}
