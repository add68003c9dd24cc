//! Before the opening handshake is complete.

use std::future::pending;
use std::time::Duration;

use sansocket::Error;

use crate::peer::{Link, Peer};

/// What a server is started with that is to run out of descriptors.
pub(super) const DESCRIPTORS: usize = 64;

/// The beginning of a request, and of HTTP/2 (RFC 9113 §3.4).
const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Endless: ";
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Half of the peers do not even begin.
pub(super) async fn be_silent(peer: &Peer) -> Result<(), Error> {
    let Link { mut reader, .. } = match peer.number % 2 {
        0 => peer.connect().await?,
        _ => peer.frames().await?,
    };
    Ok(reader.discard().await?)
}

/// The name or the value of a field never ends.
pub(super) async fn trickle_head(peer: &Peer) -> Result<(), Error> {
    let Link {
        mut reader,
        mut writer,
    } = peer.http().await?;
    let head = if peer.target.is_http2() {
        PREFACE
    } else {
        HEAD
    };
    let trickling = async {
        for byte in head.chunks(1) {
            writer.send(byte).await?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        writer.send_every(Duration::from_millis(100), b"a").await
    };
    Ok(reader.discard_during(trickling).await?)
}

/// The half of a request, after which nothing comes.
pub(super) async fn send_half(peer: &Peer) -> Result<(), Error> {
    let Link {
        mut reader,
        mut writer,
    } = peer.http().await?;
    writer.send(&HEAD[..20]).await?;
    Ok(reader.discard().await?)
}

/// All peers together hold twice as many connections as the server can have.
pub(super) async fn hold_descriptors(peer: &Peer) -> Result<(), Error> {
    let mut links = Vec::new();
    for _ in 0..(2 * DESCRIPTORS).div_ceil(peer.count) {
        links.push(peer.connect().await?);
    }
    pending::<()>().await;
    drop(links);
    Ok(())
}
