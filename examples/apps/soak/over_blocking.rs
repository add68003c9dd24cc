//! Blocking streams, with and without TLS: two threads at each end of a connection.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use rustls::ServerConnection;
use sansocket::adapter::Connector;
use sansocket::blocking::{
    Client, Reader, Socket, Stream, TlsStream, WebSocket, Writer, connect_on,
};
use sansocket::{Error, Event};

use crate::faults::{Faults, Faulty};
use crate::polled::{Failure, Opening};
use crate::script::{Act, End, Ended, Next, fragments};
use crate::soak::{IDLE, IDLE_CONNECTIONS, IDLE_PATH, Soak};
use crate::stream::SOCKET;
use crate::tls::Identity;

pub(crate) fn run_plain(soak: &Arc<Soak>, listener: TcpListener) -> Result<(), Failure> {
    run(soak, listener, &None)
}

pub(crate) fn run_tls(soak: &Arc<Soak>, listener: TcpListener) -> Result<(), Failure> {
    run(soak, listener, &Some(Identity::new()?))
}

fn run(
    soak: &Arc<Soak>,
    listener: TcpListener,
    identity: &Option<Identity>,
) -> Result<(), Failure> {
    thread::scope(|scope| {
        let server = scope.spawn(|| listen(soak, listener, identity));
        let mut clients = Vec::new();
        for _ in 0..soak.connections {
            clients.push(scope.spawn(|| {
                while !soak.is_over() {
                    run_client(soak, identity.as_ref());
                }
            }));
        }
        for _ in 0..IDLE_CONNECTIONS {
            clients.push(scope.spawn(|| {
                if let Err(failure) = run_idle(soak, identity.as_ref()) {
                    soak.books.fault(format!("idle: {failure}"));
                }
            }));
        }
        for client in clients {
            client.join().expect("no panic");
        }
        while soak.books.open_len() > 0 {
            thread::sleep(Duration::from_millis(20));
        }
        // Wakes the server, so that it stops.
        soak.dial()?;
        server.join().expect("no panic");
        Ok(())
    })
}

fn listen(soak: &Arc<Soak>, listener: TcpListener, identity: &Option<Identity>) {
    for tcp in listener.incoming().map_while(Result::ok) {
        if soak.is_over() && soak.books.open_len() == 0 {
            return;
        }
        let (soak, identity) = (soak.clone(), identity.clone());
        thread::spawn(move || {
            if let Err(failure) = serve(&soak, tcp, identity.as_ref()) {
                soak.books.fault(format!("server: {failure}"));
            }
        });
    }
}

fn serve(soak: &Arc<Soak>, tcp: TcpStream, identity: Option<&Identity>) -> Result<(), Failure> {
    tcp.set_nodelay(true)?;
    let (faults, config) = (soak.faults(), soak.server_config());
    let stream = Faulty::new(tcp, faults.clone());
    match identity {
        None => {
            let ws = WebSocket::server(stream, &config).with_socket(SOCKET);
            accept(soak, ws, &faults)
        }
        Some(identity) => {
            let session = ServerConnection::new(identity.server.clone())?;
            let stream = Stream::from(TlsStream::over(stream, SOCKET, session));
            let ws = WebSocket::server(stream, &config).with_socket(Socket::stream());
            accept(soak, ws, &faults)
        }
    }
}

/// The opening handshake of a server, and what follows.
fn accept<S>(soak: &Arc<Soak>, mut ws: WebSocket<S>, faults: &Faults) -> Result<(), Failure>
where
    S: Read + Write + Send + Sync + 'static,
    for<'a> &'a S: Read + Write,
{
    let Some(Event::Request(request)) = ws.next_event()? else {
        return Err("no request".into());
    };
    ws.respond(request.accept())?;
    if request.path() == IDLE_PATH {
        while let Some(message) = ws.next()? {
            ws.send(message)?;
        }
    } else if let Some(end) = soak.find(request.path(), faults) {
        run_end(ws, &end);
    }
    Ok(())
}

type Opened = Client<Faulty<TcpStream>>;

fn connect(
    soak: &Soak,
    faults: &Arc<Faults>,
    identity: Option<&Identity>,
    opening: &Opening,
) -> Result<Opened, Failure> {
    let stream = Faulty::new(soak.dial()?, faults.clone());
    let connector = Connector::new(&opening.config);
    let (scheme, connector) = match identity {
        None => ("ws", connector),
        Some(identity) => ("wss", connector.with_tls(identity.client.clone())),
    };
    let request = opening.request(scheme)?;
    Ok(connect_on(stream, SOCKET, request, &connector)?)
}

fn run_client(soak: &Arc<Soak>, identity: Option<&Identity>) {
    let (end, faults) = (soak.open(), soak.faults());
    match connect(soak, &faults, identity, &end.opening()) {
        Ok(ws) => {
            faults.arm(&end);
            end.ledger.open();
            run_end(ws, &end);
        }
        Err(failure) => soak.books.strike(&end.ledger, &failure),
    }
}

fn run_idle(soak: &Arc<Soak>, identity: Option<&Identity>) -> Result<(), Failure> {
    let (config, path) = (soak.config(), IDLE_PATH.into());
    let opening = Opening { config, path };
    let mut ws = connect(soak, &soak.faults(), identity, &opening)?;
    let mut first = None;
    while !soak.is_over() {
        ws.send("are you there?")?;
        ws.next()?;
        thread::sleep(IDLE);
        let usage = ws.connection().memory_usage();
        soak.check_idle(*first.get_or_insert(usage), usage);
    }
    Ok(ws.close_and_drain(1000, "")?)
}

/// Runs one end of a connection, each direction in a thread of its own.
fn run_end<S>(mut ws: WebSocket<S>, end: &End)
where
    S: Read + Write + Send + Sync,
    for<'a> &'a S: Read + Write,
{
    if end.closes_halves() {
        ws.with(|connection, _| connection.auto_close(false));
    }
    let (reader, mut writer) = ws.split();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let sending = scope.spawn(|| send(&mut writer, end, &is_over).err());
        let ended = receive(reader, end);
        is_over.store(true, Relaxed);
        end.close(sending.join().expect("no panic"), ended);
    });
}

fn send<S>(writer: &mut Writer<S>, end: &End, is_over: &AtomicBool) -> Result<(), Error>
where
    for<'a> &'a S: Read + Write,
{
    for act in end.script() {
        if is_over.load(Relaxed) {
            break;
        }
        match act {
            Act::Send(message) => {
                let sent = writer.send(message);
                end.sent(&sent);
                sent?;
            }
            Act::Split(message, len) => {
                let mut fragments = fragments(&message, len).into_iter();
                let sent = fragments.try_for_each(|fragment| writer.send_fragment(fragment));
                end.sent(&sent);
                sent?;
            }
            Act::Ping(payload) => writer.ping(&payload)?,
            Act::Pause(duration) => thread::sleep(duration),
            Act::Close => writer.close(1000, "done")?,
        }
    }
    Ok(())
}

fn receive<S>(mut reader: Reader<S>, end: &End) -> Ended
where
    for<'a> &'a S: Read + Write,
{
    let error = loop {
        let message = match reader.next() {
            Ok(Some(message)) => message,
            Ok(None) => break finish(&mut reader).err(),
            Err(error) => break Some(error),
        };
        match end.received(&message) {
            Next::Receive => {}
            Next::Pause(duration) => thread::sleep(duration),
            Next::Leave => return Ended::default(),
        }
    };
    let confirmed = reader.outcome().as_ref().into();
    Ended { error, confirmed }
}

/// Completes the closing handshake.
fn finish<S>(reader: &mut Reader<S>) -> Result<(), Error>
where
    for<'a> &'a S: Read + Write,
{
    while reader.next_event()?.is_some() {}
    Ok(())
}
