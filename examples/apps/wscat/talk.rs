//! Messages in both directions.

use std::io::{self, IsTerminal, Write};
use std::thread;

use sansocket::adapter::poll::{Reader, Transport, WebSocket, Writer};
use sansocket::{Error, Event, Message, SendError};
use tokio::signal::ctrl_c;
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::args::Args;
use crate::ended;
use crate::failure::Failure;
use crate::json::indented;

/// What is to be sent, until there is no more.
type Source = mpsc::Receiver<io::Result<Message>>;

pub(crate) async fn run<T: Transport>(ws: WebSocket<T>, mut args: Args) -> Result<(), Failure> {
    let source = source(std::mem::take(&mut args.messages));
    let (mut reader, mut writer) = ws.split();
    // Both at once: a peer that sends before it reads is read meanwhile.
    let (received, sent) = tokio::join!(
        receive(&mut reader, &args),
        send(&mut writer, source, &args)
    );
    if args.verbose {
        let counters = writer.with(|ws, _| ws.counters());
        for (did, traffic) in [("received", counters.received), ("sent", counters.sent)] {
            eprintln!(
                "* {did} {} messages, {} bytes",
                traffic.messages, traffic.bytes
            );
        }
    }
    let outcome = reader.outcome();
    received.and(sent)?;
    ended(outcome)
}

/// The messages of the command line, else the lines of standard input.
fn source(messages: Vec<Message>) -> Source {
    let (sender, receiver) = mpsc::channel(messages.len().max(16));
    if messages.is_empty() {
        if io::stdin().is_terminal() {
            eprintln!("connected: each line is a message, Ctrl-D closes");
        }
        // Of its own, and never joined: nothing interrupts a read of a terminal.
        thread::spawn(move || {
            for line in io::stdin().lines() {
                if sender.blocking_send(line.map(Message::from)).is_err() {
                    return;
                }
            }
        });
    } else {
        for message in messages {
            // There is room for all of them.
            let _ = sender.try_send(Ok(message));
        }
    }
    receiver
}

/// Sends until there is no more, Ctrl-C is pressed or the connection ends, and
/// closes it.
async fn send<T: Transport>(
    writer: &mut Writer<T>,
    source: Source,
    args: &Args,
) -> Result<(), Failure> {
    let mut closed = writer.clone();
    let sent = tokio::select! {
        sent = send_all(writer, source, args) => sent,
        () = closed.closed() => Ok(()),
        _ = ctrl_c() => Ok(()),
    };
    match writer.close(1000, "").await {
        Ok(()) | Err(Error::Send(SendError::Closed)) => sent,
        Err(error) => sent.and(Err(Failure::Connection(error))),
    }
}

async fn send_all<T: Transport>(
    writer: &mut Writer<T>,
    mut source: Source,
    args: &Args,
) -> Result<(), Failure> {
    while let Some(message) = source.recv().await {
        match writer.send(message?).await {
            Ok(()) => {}
            // The reader knows why.
            Err(Error::Send(SendError::Closed)) => return Ok(()),
            Err(error) => return Err(Failure::Connection(error)),
        }
    }
    sleep(args.wait).await;
    Ok(())
}

async fn receive<T: Transport>(reader: &mut Reader<T>, args: &Args) -> Result<(), Failure> {
    let is_terminal = io::stdout().is_terminal();
    while let Some(event) = reader.next_event().await.map_err(Failure::Connection)? {
        match event {
            Event::Message(message) => print(&message.into_owned(), args.json, is_terminal)?,
            Event::Ping(payload) if args.verbose => eprintln!("* ping {}", payload.escape_ascii()),
            Event::Pong(payload) if args.verbose => eprintln!("* pong {}", payload.escape_ascii()),
            _ => {}
        }
    }
    Ok(())
}

/// One message on a line of its own, marked where it could be taken for what was
/// typed.
fn print(message: &Message, json: bool, is_terminal: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if is_terminal {
        out.write_all(b"< ")?;
    }
    match message {
        Message::Text(text) => match indented(text).filter(|_| json) {
            Some(indented) => writeln!(out, "{indented}"),
            None => writeln!(out, "{text}"),
        },
        Message::Binary(bytes) => writeln!(out, "{}", bytes.escape_ascii()),
    }
}
