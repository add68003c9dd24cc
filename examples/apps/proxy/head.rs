//! Heads of HTTP requests and responses, as bytes.

use std::io;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// The longest head that is forwarded, in bytes.
const MAX_HEAD_LEN: usize = 64 * 1024;

/// A head, with the empty line at its end.
#[derive(Debug)]
pub(crate) struct Head(Vec<u8>);

/// Reads a head and nothing after it.
pub(crate) async fn read_head(stream: &mut TcpStream) -> io::Result<Head> {
    let (mut head, mut buf) = (Vec::new(), [0; 4096]);
    while head.len() < MAX_HEAD_LEN {
        // What is peeked at stays in the socket: frames may follow the head.
        let peeked = stream.peek(&mut buf).await?;
        if peeked == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (had, searched) = (head.len(), head.len().saturating_sub(3));
        head.extend_from_slice(&buf[..peeked]);
        let end = head[searched..]
            .windows(4)
            .position(|bytes| bytes == b"\r\n\r\n");
        if let Some(end) = end {
            head.truncate(searched + end + 4);
        }
        stream.read_exact(&mut buf[..head.len() - had]).await?;
        if end.is_some() {
            return Ok(Head(head));
        }
    }
    let error = "the head is too long";
    Err(io::Error::new(io::ErrorKind::InvalidData, error))
}

impl Head {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The first line, and the fields of WebSocket handshakes: others may be
    /// secrets.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        let text = String::from_utf8_lossy(&self.0).into_owned();
        let is_shown = |line: &str| {
            let line = line.to_ascii_lowercase();
            line.starts_with("sec-websocket-") || line.starts_with("origin:")
        };
        let lines: Vec<_> = text
            .lines()
            .enumerate()
            .filter(|(number, line)| *number == 0 || is_shown(line))
            .map(|(_, line)| line.escape_debug().to_string())
            .collect();
        lines.into_iter()
    }

    /// Whether a request asks for another protocol.
    pub(crate) fn is_upgrade(&self) -> bool {
        let head = self.0.to_ascii_lowercase();
        head.windows(10).any(|bytes| bytes == b"\r\nupgrade:")
    }

    /// The status of a response.
    pub(crate) fn status(&self) -> Option<u16> {
        let line = self.0.split(|byte| *byte == b'\r').next()?;
        let status = std::str::from_utf8(line).ok()?.split(' ').nth(1)?;
        status.parse().ok()
    }

    /// Whether another response follows.
    pub(crate) fn is_interim(&self) -> bool {
        matches!(self.status(), Some(100..=199))
    }
}
