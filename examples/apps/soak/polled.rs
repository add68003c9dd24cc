//! One end of a connection over the adapters for async runtimes.

use std::net::TcpStream;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, Either, select};
use sansocket::adapter::poll::{Reader, Transport, WebSocket, Writer};
use sansocket::{ClientRequest, Config, Connection, Error, Event, Message};
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};

use crate::account::Confirmed;
use crate::faults::Faults;
use crate::script::{Act, End, Ended, Next, fragments};
use crate::soak::{IDLE, IDLE_CONNECTIONS, IDLE_PATH, Soak};

/// An async runtime.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runtime {
    pub(crate) spawn: fn(BoxFuture<'static, ()>),
    pub(crate) sleep: fn(Duration) -> BoxFuture<'static, ()>,
}

/// A half that sends.
pub(crate) trait Outgoing: Send + 'static {
    /// Does one step, other than a pause.
    fn act(&mut self, act: Act) -> impl Future<Output = Result<(), Error>> + Send;
}

/// A half that receives.
pub(crate) trait Incoming: Send + 'static {
    fn next(&mut self) -> impl Future<Output = Result<Option<Message>, Error>> + Send;

    /// Completes the closing handshake, after the last message.
    fn finish(&mut self) -> impl Future<Output = Result<(), Error>> + Send;

    fn confirmed(&self) -> Confirmed;
}

impl<T: Transport + Send + 'static> Outgoing for Writer<T> {
    async fn act(&mut self, act: Act) -> Result<(), Error> {
        match act {
            Act::Send(message) => self.send(message).await,
            Act::Split(message, len) => {
                for fragment in fragments(&message, len) {
                    self.send_fragment(fragment).await?;
                }
                Ok(())
            }
            Act::Ping(payload) => self.ping(&payload).await,
            Act::Pause(_) => Ok(()),
            Act::Close => self.close(1000, "done").await,
        }
    }
}

impl<T: Transport + Send + 'static> Incoming for Reader<T> {
    async fn next(&mut self) -> Result<Option<Message>, Error> {
        Self::next(self).await
    }

    async fn finish(&mut self) -> Result<(), Error> {
        while self.next_event().await?.is_some() {}
        Ok(())
    }

    fn confirmed(&self) -> Confirmed {
        self.outcome().as_ref().into()
    }
}

/// A client of an adapter.
pub(crate) trait Connect: Clone + Send + Sync + 'static {
    type Transport: Transport + Send + 'static;

    fn connect(
        &self,
        stream: TcpStream,
        faults: &Arc<Faults>,
        request: Opening,
    ) -> impl Future<Output = Result<WebSocket<Self::Transport>, Failure>> + Send;
}

/// What a client asks for.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) config: Config,
    pub(crate) path: String,
}

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Opening {
    pub(crate) fn request(&self, scheme: &str) -> Result<ClientRequest, Failure> {
        Ok(ClientRequest::to(&format!(
            "{scheme}://localhost{}",
            self.path
        ))?)
    }
}

/// Opens connections, so many at a time, until it is time to stop.
pub(crate) async fn run_clients(soak: &Arc<Soak>, runtime: Runtime, connect: impl Connect) {
    let work = |soak: Arc<Soak>| {
        let connect = connect.clone();
        async move {
            while !soak.is_over() {
                run_client(&soak, runtime, &connect).await;
            }
        }
    };
    let idle = |soak: Arc<Soak>| {
        let connect = connect.clone();
        async move { run_idle(&soak, runtime, &connect).await }
    };
    run_tasks(soak, runtime, soak.connections, work, idle).await;
}

/// Runs so many tasks that open connections, and those of the idle connections, until
/// all connections are over.
pub(crate) async fn run_tasks<W, I>(
    soak: &Arc<Soak>,
    runtime: Runtime,
    count: u64,
    work: impl Fn(Arc<Soak>) -> W,
    idle: impl Fn(Arc<Soak>) -> I,
) where
    W: Future<Output = ()> + Send + 'static,
    I: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let mut tasks: Vec<BoxFuture<'static, ()>> = Vec::new();
    for _ in 0..count {
        tasks.push(Box::pin(work(soak.clone())));
    }
    for _ in 0..IDLE_CONNECTIONS {
        let (soak, idle) = (soak.clone(), idle(soak.clone()));
        tasks.push(Box::pin(async move {
            if let Err(failure) = idle.await {
                soak.books.fault(format!("idle: {failure}"));
            }
        }));
    }
    // Ends when the last clone of the sender is dropped.
    let (alive, mut ended) = mpsc::channel::<()>(1);
    for task in tasks {
        let alive = alive.clone();
        (runtime.spawn)(Box::pin(async move {
            task.await;
            drop(alive);
        }));
    }
    drop(alive);
    ended.recv().await;
    while soak.books.open_len() > 0 {
        (runtime.sleep)(Duration::from_millis(20)).await;
    }
}

async fn run_client(soak: &Arc<Soak>, runtime: Runtime, connect: &impl Connect) {
    let end = soak.open();
    let opened = async {
        let opening = end.opening();
        let faults = soak.faults();
        let ws = connect.connect(soak.dial()?, &faults, opening).await?;
        faults.arm(&end);
        end.ledger.open();
        Ok::<_, Failure>(ws)
    };
    match opened.await {
        Ok(ws) => run(ws, end, runtime).await,
        Err(failure) => soak.books.strike(&end.ledger, &failure),
    }
}

async fn run_idle(
    soak: &Arc<Soak>,
    runtime: Runtime,
    connect: &impl Connect,
) -> Result<(), Failure> {
    let (config, path) = (soak.config(), IDLE_PATH.into());
    let opening = Opening { config, path };
    let faults = soak.faults();
    let ws = connect.connect(soak.dial()?, &faults, opening).await?;
    Ok(idle(ws, soak, runtime).await?)
}

/// Serves a connection for which the client has asked for this path.
pub(crate) async fn serve<T>(
    ws: WebSocket<T>,
    (soak, path): (Arc<Soak>, &str),
    faults: &Faults,
    runtime: Runtime,
) where
    T: Transport + Send + 'static,
{
    if path == IDLE_PATH {
        if let Err(error) = echo(ws).await {
            soak.books.fault(format!("idle server: {error}"));
        }
    } else if let Some(end) = soak.find(path, faults) {
        run(ws, end, runtime).await;
    }
}

/// Runs one end of a connection, from the opening handshake to the end.
pub(crate) async fn run<T>(mut ws: WebSocket<T>, end: End, runtime: Runtime)
where
    T: Transport + Send + 'static,
{
    if end.closes_halves() {
        ws.with(|connection, _| connection.auto_close(false));
    }
    let (reader, writer) = ws.split();
    run_halves(reader, writer, end, runtime).await;
}

/// Runs one end, each direction in a task of its own.
pub(crate) async fn run_halves(
    mut reader: impl Incoming,
    mut writer: impl Outgoing,
    end: End,
    runtime: Runtime,
) {
    // Dropped when the receiver leaves.
    let (stay, leaving) = oneshot::channel();
    let (done, sent) = oneshot::channel();
    let sender = end.clone();
    (runtime.spawn)(Box::pin(async move {
        let _ = done.send(send(&mut writer, &sender, runtime, leaving).await.err());
    }));
    let ended = receive(&mut reader, &end, runtime).await;
    drop((reader, stay));
    end.close(sent.await.ok().flatten(), ended);
}

async fn send(
    writer: &mut impl Outgoing,
    end: &End,
    runtime: Runtime,
    mut leaving: oneshot::Receiver<()>,
) -> Result<(), Error> {
    for act in end.script() {
        if leaving.try_recv() == Err(TryRecvError::Closed) {
            break;
        }
        if let Act::Pause(duration) = act {
            (runtime.sleep)(duration).await;
            continue;
        }
        let is_message = matches!(act, Act::Send(_) | Act::Split(..));
        let result = writer.act(act).await;
        if is_message {
            end.sent(&result);
        }
        result?;
    }
    Ok(())
}

async fn receive(reader: &mut impl Incoming, end: &End, runtime: Runtime) -> Ended {
    let error = loop {
        let message = match reader.next().await {
            Ok(Some(message)) => message,
            Ok(None) => break reader.finish().await.err(),
            Err(error) => break Some(error),
        };
        match end.received(&message) {
            Next::Receive => {}
            Next::Pause(duration) => (runtime.sleep)(duration).await,
            Next::Leave => return Ended::default(),
        }
    };
    let confirmed = reader.confirmed();
    Ended { error, confirmed }
}

/// A connection that is idle but for a message now and then: its memory must stay as
/// it was after the first one.
pub(crate) async fn idle<T>(
    mut ws: WebSocket<T>,
    soak: &Soak,
    runtime: Runtime,
) -> Result<(), Error>
where
    T: Transport + Send + 'static,
{
    let mut first = None;
    while !soak.is_over() {
        ws.send("are you there?").await?;
        ws.next().await?;
        // Nothing is unread while it waits for more.
        if let Either::Left((next, _)) = select(pin!(ws.next()), (runtime.sleep)(IDLE)).await {
            next?;
        }
        let usage = ws.memory_usage();
        soak.check_idle(*first.get_or_insert(usage), usage);
    }
    ws.close_and_drain(1000, "").await
}

/// The other end of it.
async fn echo<T>(mut ws: WebSocket<T>) -> Result<(), Error>
where
    T: Transport + Send + 'static,
{
    let answer = |ws: &mut Connection, event: Event<'_>, out: &mut Vec<u8>| match event {
        Event::Message(message) => ws.send(message, out),
        _ => Ok(()),
    };
    while ws.drive(answer).await? {}
    Ok(())
}
