use std::hint::black_box;

use bytes::Bytes;
use futures_util::io::BufWriter;
use sansocket::Role;
use soketto::connection::{Builder, Receiver, Sender};
use soketto::handshake::{Server, server::Response};
use soketto::{Data, Mode};

use super::{Class, MAX_LEN, Peer, Receive, Send, check_text, sink};
use crate::memory::{Memory, run};

/// Its permessage-deflate can only be agreed on by its own handshake.
pub const PEER: Peer = Peer {
    name: "soketto",
    class: Class::Lending,
    is_ours: false,
    receive: |memory| {
        let (sender, receiver) = open(memory, Mode::Server);
        Box::new(Incoming {
            receiver,
            _sender: sender,
            message: Vec::new(),
        })
    },
    send: Some(|role| match role {
        Role::Server => Box::new(open(sink(), Mode::Server).0),
        Role::Client => Box::new(open(sink(), Mode::Client).0),
    }),
    handshake: Some(handshake),
    deflate: None,
};

/// Its documentation asks for a buffer of this kind.
type Io = BufWriter<Memory>;

fn open(memory: Memory, mode: Mode) -> (Sender<Io>, Receiver<Io>) {
    let mut builder = Builder::new(BufWriter::new(memory), mode);
    builder.set_max_message_size(MAX_LEN);
    builder.set_max_frame_size(MAX_LEN);
    builder.finish()
}

fn handshake(memory: Memory) {
    run(async {
        let mut server = Server::new(BufWriter::new(memory));
        let key = server.receive_request().await.expect("a request").key();
        let accept = Response::Accept {
            key,
            protocol: None,
        };
        server.send_response(&accept).await.expect("an answer");
    });
}

struct Incoming {
    receiver: Receiver<Io>,
    _sender: Sender<Io>,
    message: Vec<u8>,
}

impl Receive for Incoming {
    fn receive(&mut self, messages: usize) -> usize {
        run(async {
            let mut bytes = 0;
            for _ in 0..messages {
                self.message.clear();
                let data = self.receiver.receive_data(&mut self.message).await;
                // Text is the caller's to check.
                if let Data::Text(_) = data.expect("no error") {
                    check_text(&self.message);
                }
                bytes += black_box(&self.message[..]).len();
            }
            bytes
        })
    }
}

impl Send for Sender<Io> {
    fn send(&mut self, payload: &Bytes, is_text: bool, messages: usize) {
        let text = is_text.then(|| std::str::from_utf8(payload).expect("text"));
        run(async {
            for _ in 0..messages {
                let sent = match text {
                    Some(text) => self.send_text(text).await,
                    None => self.send_binary(payload).await,
                };
                sent.expect("it is open");
            }
            self.flush().await.expect("it is open");
        });
    }
}
