//! Opening a tunnel through an HTTP or SOCKS proxy.

use std::io;
use std::vec::Vec;

use super::http_proxy::{TunnelReader, write_connect};
use super::socks::{Socks, SocksFault};
use crate::adapter::{ConnectStep, Error};
use crate::config::Config;
use crate::handshake::Uri;
use crate::input::Input;

/// A tunnel that is being opened.
#[derive(Debug)]
pub(in crate::adapter) struct ProxyTunnel {
    /// The bytes to send before more is read.
    out: Vec<u8>,
    protocol: Protocol,
}

#[derive(Debug)]
enum Protocol {
    Http(TunnelReader, Config),
    Socks(Socks),
}

impl ProxyTunnel {
    /// With CONNECT (RFC 9110 §9.3.6).
    pub(super) fn http(uri: &Uri, authorization: Option<&str>, config: &Config) -> Self {
        let mut out = Vec::new();
        write_connect(uri, authorization, &mut out);
        let protocol = Protocol::Http(TunnelReader::default(), config.clone());
        Self { out, protocol }
    }

    /// With SOCKS (RFC 1928).
    pub(super) fn socks(uri: &Uri, credentials: Option<(&str, &str)>) -> Result<Self, Error> {
        let mut out = Vec::new();
        let socks = Socks::start(uri, credentials, &mut out).map_err(|_| {
            let error = "name, user or password of 0 or more than 255 bytes";
            ConnectStep::Proxy.failed(io::Error::new(io::ErrorKind::InvalidInput, error))
        })?;
        let protocol = Protocol::Socks(socks);
        Ok(Self { out, protocol })
    }

    /// The bytes to send before more is read.
    pub(in crate::adapter) fn unsent(&self) -> &[u8] {
        &self.out
    }

    /// Removes the bytes that were sent; `len` is the result of a write.
    pub(in crate::adapter) fn sent(&mut self, len: usize) -> io::Result<()> {
        self.out.drain(..len.min(self.out.len()));
        match len {
            0 => Err(io::ErrorKind::WriteZero.into()),
            _ => Ok(()),
        }
    }

    /// Takes received bytes; none are the end of the stream. Returns whether the tunnel
    /// is open.
    pub(in crate::adapter) fn receive(&mut self, bytes: &mut [u8]) -> Result<bool, Error> {
        let failed = |kind: io::ErrorKind| ConnectStep::Proxy.failed(kind.into());
        if bytes.is_empty() {
            return Err(failed(io::ErrorKind::UnexpectedEof));
        }
        match &mut self.protocol {
            Protocol::Http(reader, config) => receive_head(reader, config, bytes),
            Protocol::Socks(socks) => {
                let received = socks.receive(bytes, &mut self.out);
                received.map_err(|fault| match fault {
                    SocksFault::Refused(error) => Error::SocksRefused(error),
                    SocksFault::Malformed => failed(io::ErrorKind::InvalidData),
                })
            }
        }
    }
}

fn receive_head(
    reader: &mut TunnelReader,
    config: &Config,
    bytes: &mut [u8],
) -> Result<bool, Error> {
    let malformed = || ConnectStep::Proxy.failed(io::ErrorKind::InvalidData.into());
    let mut input = Input::new(bytes);
    let limits = &config.settings().handshake.limits;
    let read = reader.read(&mut input, limits);
    let Some(response) = read.map_err(|_| malformed())? else {
        return Ok(false);
    };
    match response.status() {
        // No server speaks before its client does.
        200..=299 if input.remaining().is_empty() => Ok(true),
        200..=299 => Err(malformed()),
        _ => Err(Error::ProxyRefused(response)),
    }
}
