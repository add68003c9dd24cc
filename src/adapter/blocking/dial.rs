//! TCP connections to a host of several addresses (RFC 8305).

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;
use std::vec::Vec;

use crate::adapter::connector::{NEXT_ADDRESS_AFTER, interleaved};
use crate::adapter::{ConnectStep, Error};

/// Connects to the first address that answers: the next one is tried once the
/// one before has failed, or has not answered for 250 ms.
pub(super) fn dial(
    (host, port): (&str, u16),
    timeout: Option<Duration>,
) -> Result<TcpStream, Error> {
    let resolved = (host, port).to_socket_addrs();
    let addresses = resolved.map_err(|error| ConnectStep::Resolve.failed(error))?;
    let stream = race(interleaved(addresses), timeout)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn race(addresses: Vec<SocketAddr>, timeout: Option<Duration>) -> Result<TcpStream, Error> {
    let mut error = ConnectStep::Resolve.failed(io::ErrorKind::NotFound.into());
    if let [address] = *addresses {
        return connect(address, timeout).map_err(|error| ConnectStep::Tcp.failed(error));
    }
    let (sender, answers) = mpsc::channel();
    let mut waiting = addresses.into_iter();
    let mut attempts = 0_u32;
    loop {
        if let Some(address) = waiting.next() {
            match spawn(address, timeout, sender.clone()) {
                Ok(()) => attempts += 1,
                Err(failed) => error = ConnectStep::Tcp.failed(failed),
            }
        }
        let is_last = waiting.len() == 0;
        if attempts == 0 && is_last {
            return Err(error);
        }
        let answer = if is_last {
            answers.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            answers.recv_timeout(NEXT_ADDRESS_AFTER)
        };
        match answer {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(failed)) => {
                attempts -= 1;
                error = ConnectStep::Tcp.failed(failed);
            }
            Err(_) => {}
        }
    }
}

/// Connects in a thread. A connection that comes too late is dropped.
fn spawn(
    address: SocketAddr,
    timeout: Option<Duration>,
    sender: Sender<io::Result<TcpStream>>,
) -> io::Result<()> {
    let attempt = move || {
        let _ = sender.send(connect(address, timeout));
    };
    thread::Builder::new().spawn(attempt).map(drop)
}

fn connect(address: SocketAddr, timeout: Option<Duration>) -> io::Result<TcpStream> {
    match timeout {
        Some(timeout) => TcpStream::connect_timeout(&address, timeout),
        None => TcpStream::connect(address),
    }
}
