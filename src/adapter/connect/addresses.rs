//! The addresses of a host, in the order of RFC 8305.

use std::net::SocketAddr;
use std::time::Duration;
use std::vec::Vec;

/// How long to wait for an address before the next one is tried too (RFC 8305 §5).
pub(in crate::adapter) const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// The addresses with alternating families, starting with the family of the first one
/// (RFC 8305 §4).
pub(in crate::adapter) fn interleave_families(
    addresses: impl Iterator<Item = SocketAddr>,
) -> Vec<SocketAddr> {
    let addresses: Vec<_> = addresses.collect();
    let is_ipv6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == is_ipv6);
    let mut second = second.into_iter();
    let mut interleaved = Vec::new();
    for address in first {
        interleaved.push(address);
        interleaved.extend(second.next());
    }
    interleaved.extend(second);
    interleaved
}

#[cfg(test)]
pub(in crate::adapter) mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};
    use std::vec;

    use super::*;

    /// An address at which nobody answers, for as long as the rest is kept: a
    /// listener with a full backlog.
    pub(in crate::adapter) fn black_hole() -> (SocketAddr, (std::net::TcpListener, Vec<TcpStream>))
    {
        let runtime = ::tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap();
        let _context = runtime.enter();
        let socket = ::tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let listener = socket.listen(1).unwrap().into_std().unwrap();
        let address = listener.local_addr().unwrap();
        let wait = Duration::from_millis(100);
        let connect = || TcpStream::connect_timeout(&address, wait).ok();
        let waiting = std::iter::from_fn(connect).collect();
        (address, (listener, waiting))
    }

    /// An address at which nobody listens.
    pub(in crate::adapter) fn unused() -> SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    }

    #[test]
    fn families_are_tried_in_turn() {
        let v4 = |host| SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 80));
        let v6 = |host| SocketAddr::from((Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, host), 80));
        for (resolved, expected) in [
            (vec![], vec![]),
            (vec![v4(1), v4(2)], vec![v4(1), v4(2)]),
            (
                vec![v6(1), v6(2), v6(3), v4(1)],
                vec![v6(1), v4(1), v6(2), v6(3)],
            ),
            (
                vec![v4(1), v6(1), v6(2), v6(3)],
                vec![v4(1), v6(1), v6(2), v6(3)],
            ),
        ] {
            assert_eq!(interleave_families(resolved.into_iter()), expected);
        }
    }
}
