//! More than a server wants to answer.

use std::time::Duration;

use sansocket::Error;
use sansocket::frame::Opcode;

use crate::frames::frame;
use crate::peer::{Link, Peer};

/// The longest payload of a control frame.
const PING: &[u8] = &[b'a'; 125];

/// A third of the peers exceeds what a server accepts in a second; a third does not
/// read the pongs.
pub(super) async fn ping(peer: &Peer) -> Result<(), Error> {
    let Link {
        mut reader,
        mut writer,
    } = peer.frames().await?;
    let is_over = peer.number % 3 == 2;
    let pings = frame(Opcode::Ping, true, PING).repeat(if is_over { 2000 } else { 9 });
    let period = Duration::from_millis(10);
    match peer.number % 3 {
        0 => {
            let pinging = writer.send_every(period, &pings);
            reader.discard_during(pinging).await?;
        }
        1 => writer.send_every(period, &pings).await?,
        _ => {
            writer.send(&pings).await?;
            reader.discard().await?;
        }
    }
    Ok(())
}

/// Sends until nothing is accepted any more.
pub(super) async fn never_read(peer: &Peer) -> Result<(), Error> {
    let tcp = peer.target.tcp_with_small_buffer().await?;
    let Link {
        reader: _reader,
        mut writer,
    } = peer.frames_on(tcp).await?;
    let message = frame(Opcode::Binary, true, &[0; 64 * 1024]);
    loop {
        writer.send(&message).await?;
    }
}
