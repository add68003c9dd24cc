//! Why the program ends with another status than 0.

use std::fmt;
use std::io;
use std::time::Duration;

use sansocket::{Error, Outcome, RequestError};

/// A failure, each with its exit status: see `usage.txt`.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The arguments, or a file that they name.
    Usage(String),
    /// Standard input or output.
    Local(io::Error),
    /// Before the connection was open.
    Connect(Error),
    /// While it was open.
    Connection(Error),
    /// The server is silent.
    NoAnswer(Duration),
    /// Closed in order, with a code that reports a problem.
    Closed(Outcome),
}

impl Failure {
    pub(crate) const fn status(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Local(_) | Self::Connect(Error::Request(_)) => 1,
            Self::Connect(Error::Refused(_) | Error::Redirect(_) | Error::TooManyRedirects(_)) => 3,
            Self::Connect(Error::Failed(_)) | Self::Connection(_) | Self::NoAnswer(_) => 4,
            Self::Connect(_) => 2,
            Self::Closed(_) => 5,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) => f.write_str(text),
            Self::Local(error) => error.fmt(f),
            Self::Connect(error @ (Error::Refused(response) | Error::ProxyRefused(response))) => {
                let body = String::from_utf8_lossy(response.body());
                write!(f, "{error}\n{}", body.trim_end())
            }
            Self::Connect(error) | Self::Connection(error) => error.fmt(f),
            Self::NoAnswer(limit) => write!(f, "no answer within {limit:?}"),
            Self::Closed(outcome) => write!(f, "the server reports {}", outcome.code),
        }
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::Usage(text)
    }
}

impl From<&str> for Failure {
    fn from(text: &str) -> Self {
        Self::Usage(text.into())
    }
}

impl From<lexopt::Error> for Failure {
    fn from(error: lexopt::Error) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Local(error)
    }
}
