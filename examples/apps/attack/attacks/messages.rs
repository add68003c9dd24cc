//! Messages that never end, or that grow.

use std::io;
use std::time::Duration;

use sansocket::Error;
use sansocket::frame::Opcode;

use crate::frames::{MAX_MESSAGE_LEN, bomb, frame, header};
use crate::peer::{Link, Peer, Sender};

/// Fragments of one message: nearly as many as a server accepts.
const FRAGMENTS: usize = 131_000;
/// Fragments in one write.
const BATCH: usize = 10_000;

/// A message that would take two days.
pub(super) async fn trickle_body(peer: &Peer) -> Result<(), Error> {
    let Link {
        mut reader,
        mut writer,
    } = peer.frames().await?;
    let trickling = async {
        let header = header(Opcode::Binary, true, MAX_MESSAGE_LEN);
        writer.send(&header).await?;
        writer.send_every(Duration::from_millis(10), b"a").await
    };
    Ok(reader.discard_during(trickling).await?)
}

/// Half of the peers send empty fragments, and half never end the message.
pub(super) async fn send_fragments(peer: &Peer) -> Result<(), Error> {
    let Link {
        mut reader,
        mut writer,
    } = peer.frames().await?;
    let (payload, ends): (&[u8], _) = match peer.number % 4 {
        0 => (b"", true),
        1 => (b"a", true),
        2 => (b"", false),
        _ => (b"a", false),
    };
    let sending = async {
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        seconds.tick().await;
        send_first_fragment(&mut writer).await?;
        loop {
            send_continuations(&mut writer, payload).await?;
            seconds.tick().await;
            if ends {
                writer.send(&frame(Opcode::Continuation, true, b"")).await?;
                send_first_fragment(&mut writer).await?;
            }
        }
    };
    Ok(reader.discard_during(sending).await?)
}

async fn send_first_fragment(writer: &mut Sender) -> io::Result<()> {
    writer.send(&frame(Opcode::Binary, false, b"")).await
}

async fn send_continuations(writer: &mut Sender, payload: &[u8]) -> io::Result<()> {
    let fragment = frame(Opcode::Continuation, false, payload);
    let batch = fragment.repeat(BATCH);
    for _ in 0..FRAGMENTS / BATCH {
        writer.send(&batch).await?;
    }
    let rest = FRAGMENTS % BATCH * fragment.len();
    writer.send(&batch[..rest]).await
}

/// All peers at the same time.
pub(super) async fn send_bombs(peer: &Peer) -> Result<(), Error> {
    let Link {
        mut reader,
        mut writer,
    } = peer.compressed_frames().await?;
    let sending = writer.send_every(Duration::from_secs(1), bomb());
    Ok(reader.discard_during(sending).await?)
}
