//! TCP connections to a host of several addresses (RFC 8305).

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::string::String;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;
use std::vec::{self, Vec};

use crate::adapter::connect::{ATTEMPT_DELAY, interleave_families};
use crate::adapter::{ConnectStep, Error};

/// Connects to the first address that answers. The next one is tried when the one before
/// has failed, or has not answered for 250 ms.
pub(super) fn dial(
    (host, port): (&str, u16),
    timeout: Option<Duration>,
) -> Result<TcpStream, Error> {
    let resolved = resolve(host, port, timeout);
    let addresses = resolved.map_err(|error| ConnectStep::Resolve.failed(error))?;
    let stream = race(interleave_families(addresses), timeout)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The system's resolver has no timeout, so a thread waits for it.
fn resolve(
    host: &str,
    port: u16,
    timeout: Option<Duration>,
) -> io::Result<vec::IntoIter<SocketAddr>> {
    let is_address = host.parse::<IpAddr>().is_ok();
    let Some(timeout) = timeout.filter(|_| !is_address) else {
        return (host, port).to_socket_addrs();
    };
    let (sender, addresses) = mpsc::channel();
    let host = String::from(host);
    let resolving = move || {
        let _ = sender.send((&*host, port).to_socket_addrs());
    };
    thread::Builder::new().spawn(resolving)?;
    let resolved = addresses.recv_timeout(timeout);
    resolved.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn race(addresses: Vec<SocketAddr>, timeout: Option<Duration>) -> Result<TcpStream, Error> {
    let mut error = ConnectStep::Resolve.failed(io::ErrorKind::NotFound.into());
    if let [address] = *addresses {
        return connect(address, timeout).map_err(|error| ConnectStep::Tcp.failed(error));
    }
    let (sender, results) = mpsc::channel();
    let mut untried = addresses.into_iter();
    let mut pending = 0_u32;
    loop {
        if let Some(address) = untried.next() {
            match spawn(address, timeout, sender.clone()) {
                Ok(()) => pending += 1,
                Err(failed) => error = ConnectStep::Tcp.failed(failed),
            }
        }
        let is_last = untried.len() == 0;
        if pending == 0 && is_last {
            return Err(error);
        }
        let result = if is_last {
            results.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            results.recv_timeout(ATTEMPT_DELAY)
        };
        match result {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(failed)) => {
                pending -= 1;
                error = ConnectStep::Tcp.failed(failed);
            }
            Err(_) => {}
        }
    }
}

/// Connects in a thread. A connection that is established too late is dropped.
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Instant;
    use std::vec;

    use super::*;
    use crate::adapter::connect::tests::{black_hole, unused};

    #[test]
    fn address_that_does_not_answer_costs_a_quarter_of_a_second() {
        let (silent, _full) = black_hole();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap();
        let timeout = Some(Duration::from_secs(3));
        for (addresses, delay) in [
            (vec![open], 0),
            (vec![unused(), open], 0),
            (vec![open, silent], 0),
            (vec![silent, open], 250),
            (vec![silent, unused(), open], 250),
            (vec![silent, silent, open], 500),
        ] {
            let start = Instant::now();
            let stream = race(addresses.clone(), timeout).unwrap();
            let took = start.elapsed();
            assert_eq!(stream.peer_addr().unwrap(), open);
            let delay = Duration::from_millis(delay);
            assert!(
                took >= delay && took < delay + Duration::from_millis(240),
                "{addresses:?}: {took:?}"
            );
        }
    }

    #[test]
    fn error_is_that_of_the_last_attempt() {
        let (silent, _full) = black_hole();
        let timeout = Some(Duration::from_millis(400));
        for (addresses, expected) in [
            (vec![unused(), unused()], io::ErrorKind::ConnectionRefused),
            (vec![silent, unused()], io::ErrorKind::TimedOut),
        ] {
            let Err(Error::Connect { step, error }) = race(addresses, timeout) else {
                panic!("connected")
            };
            assert_eq!((step, error.kind()), (ConnectStep::Tcp, expected));
        }
        let none = race(vec![], timeout);
        assert!(matches!(
            none,
            Err(Error::Connect {
                step: ConnectStep::Resolve,
                ..
            })
        ));
    }
}
