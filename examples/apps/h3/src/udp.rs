//! Datagrams between a UDP socket and sessions.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use tokio::net::UdpSocket;

use crate::Session;

/// How many datagrams are received before answers are sent.
const BATCH: usize = 64;

/// Passes on the datagrams that are there, a batch at most.
///
/// # Errors
///
/// Those of the socket.
pub fn receive(
    udp: &UdpSocket,
    buf: &mut [u8],
    mut datagram: impl FnMut(&mut [u8], SocketAddr),
) -> io::Result<()> {
    for _ in 0..BATCH {
        match udp.try_recv_from(buf) {
            Ok((len, from)) => datagram(&mut buf[..len], from),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Sends all that the session has to send.
///
/// # Errors
///
/// Those of the socket.
pub async fn send(udp: &UdpSocket, session: &mut Session) -> io::Result<()> {
    let mut datagram = [0; 1500];
    while let Some((len, info)) = session.send(&mut datagram) {
        udp.send_to(&datagram[..len], info.to).await?;
    }
    Ok(())
}
