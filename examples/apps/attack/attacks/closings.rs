//! Connections that do not end, or that end abruptly.

use std::future::pending;
use std::io;
use std::time::Duration;

use sansocket::Error;
use sansocket::frame::Opcode;

use super::{floods, handshakes};
use crate::frames::{frame, header};
use crate::peer::{Link, Peer};

/// Resets after the TCP handshake, in the opening handshake, after it, or within a
/// message. The pause before the next connection makes it ten a second.
pub(super) async fn reset(peer: &Peer) -> Result<(), Error> {
    let tcp = peer.target.tcp_with_reset().await?;
    match peer.number % 4 {
        0 => drop(peer.link(Box::new(tcp))),
        1 => {
            let Link { mut writer, .. } = peer.link(Box::new(tcp));
            writer.send(b"GET / HTTP/1.1\r\nHost").await?;
        }
        2 => drop(peer.frames_on(tcp).await?),
        _ => {
            let Link { mut writer, .. } = peer.frames_on(tcp).await?;
            writer.send(&header(Opcode::Text, true, 1 << 20)).await?;
            writer.send(&[b'a'; 1000]).await?;
        }
    }
    Ok(())
}

/// Sends a close frame, or a frame that no server accepts, and then goes on forever,
/// with a flood or in silence.
pub(super) async fn never_close(peer: &Peer) -> Result<(), Error> {
    let Link {
        reader: _reader,
        mut writer,
    } = peer.frames().await?;
    let last = match peer.number % 2 {
        0 => frame(Opcode::Close, true, &1000_u16.to_be_bytes()),
        // §5.1: a client masks its frames.
        _ => b"\x81\x00".to_vec(),
    };
    writer.send(&last).await?;
    if peer.number % 4 < 2 {
        let flood = frame(Opcode::Binary, true, &[0; 16 * 1024]);
        writer.send_every(Duration::from_millis(10), &flood).await?;
    }
    pending().await
}

/// What a server may have to end when it stops.
pub(super) async fn load(peer: &Peer) -> Result<(), Error> {
    match peer.number % 5 {
        0 => handshakes::be_silent(peer).await,
        1 => handshakes::send_half(peer).await,
        2 => Ok(echo(peer.frames().await?).await?),
        3 => floods::never_read(peer).await,
        _ => reset(peer).await,
    }
}

async fn echo(link: Link) -> io::Result<()> {
    let Link {
        mut reader,
        mut writer,
    } = link;
    let message = frame(Opcode::Text, true, &[b'a'; 64]);
    let sending = writer.send_every(Duration::from_millis(10), &message);
    reader.discard_during(sending).await
}
