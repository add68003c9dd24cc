//! The well-behaved client, which measures how soon its messages come back while
//! others attack.

use std::convert::Infallible;
use std::error::Error;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sansocket::adapter::poll::{self, Reader, Transport, Writer};
use sansocket::{CloseCode, Config, Initiator, Outcome};
use tokio::runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{sleep_until, timeout};

use crate::target::{Target, WebSocket};

/// The time between two messages.
const PERIOD: Duration = Duration::from_millis(10);
/// How long an echo may take before it counts as lost.
const MAX_WAIT: Duration = Duration::from_secs(15);
/// The last message.
const END: &str = "end";

/// A client in a thread of its own.
pub(crate) struct Client {
    thread: JoinHandle<Report>,
    is_stopping: Arc<AtomicBool>,
}

/// What the client noticed.
pub(crate) struct Report {
    /// How long each echo took, in rising order.
    times: Vec<Duration>,
    /// How the connection ended.
    end: Result<Option<Outcome>, String>,
}

impl Client {
    /// Returns once the connection is open.
    pub(crate) fn start(target: Target) -> Result<Self, Box<dyn Error>> {
        let is_stopping = Arc::new(AtomicBool::new(false));
        let (opened, opening) = mpsc::channel();
        let stop = is_stopping.clone();
        let thread = thread::spawn(move || run(&target, &stop, &opened));
        opening.recv()??;
        Ok(Self {
            thread,
            is_stopping,
        })
    }

    /// Waits for the last echo, and closes.
    pub(crate) fn stop(self) -> Report {
        self.is_stopping.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .unwrap_or_else(|_| Report::failed("the client panicked"))
    }
}

impl Report {
    fn failed(reason: impl Into<String>) -> Self {
        Self {
            times: Vec::new(),
            end: Err(reason.into()),
        }
    }

    /// The time that this percentage of all echoes did not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> Option<Duration> {
        let rank = (self.times.len() * percent).div_ceil(100);
        self.times.get(rank.checked_sub(1)?).copied()
    }

    /// What was wrong: each message must have come back.
    pub(crate) fn fault(&self) -> Option<String> {
        self.fault_unless(|outcome| {
            outcome.code == CloseCode::NORMAL && outcome.initiator == Initiator::Local
        })
    }

    /// What was wrong, if the server stopped: the rest must be as it is when each
    /// connection is closed in order.
    pub(crate) fn fault_of_stop(&self) -> Option<String> {
        self.fault_unless(|outcome| {
            outcome.code == CloseCode::GOING_AWAY && outcome.initiator == Initiator::Peer
        })
    }

    fn fault_unless(&self, is_expected: impl Fn(&Outcome) -> bool) -> Option<String> {
        match &self.end {
            Ok(Some(outcome)) if outcome.clean && is_expected(outcome) => None,
            Ok(Some(outcome)) => Some(format!("client: closed with {}", outcome.code)),
            Ok(None) => Some("client: not closed".into()),
            Err(reason) => Some(format!("client: {reason}")),
        }
    }
}

fn run(
    target: &Target,
    is_stopping: &AtomicBool,
    opened: &mpsc::Sender<Result<(), sansocket::Error>>,
) -> Report {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return Report::failed(error.to_string()),
    };
    runtime.block_on(async {
        let ws = match open(target).await {
            Ok(ws) => ws,
            Err(error) => {
                let report = Report::failed(error.to_string());
                let _ = opened.send(Err(error));
                return report;
            }
        };
        let _ = opened.send(Ok(()));
        match ws {
            WebSocket::Http1(ws) => exchange(*ws, is_stopping).await,
            WebSocket::Http2(ws) => exchange(*ws, is_stopping).await,
        }
    })
}

async fn open(target: &Target) -> Result<WebSocket, sansocket::Error> {
    let config = Config::new().with_close_timeout(MAX_WAIT);
    target.websocket(target.tcp().await?, &config).await
}

/// Sends and receives at the same time until the last message is back.
async fn exchange<T: Transport>(ws: poll::WebSocket<T>, is_stopping: &AtomicBool) -> Report {
    let (mut reader, mut writer) = ws.split();
    let (sending, mut sent) = unbounded_channel();
    let mut times = Vec::new();
    let end = tokio::select! {
        end = receive(&mut reader, &mut sent, &mut times) => end,
        never = send(&mut writer, &sending, is_stopping) => match never {},
    };
    times.sort();
    let end = match end {
        Ok(()) => close(&mut reader, &mut writer).await,
        Err(reason) => Err(reason),
    };
    Report { times, end }
}

/// Sends a message in each period, with the time at which it was sent.
async fn send<T: Transport>(
    writer: &mut Writer<T>,
    sent: &UnboundedSender<(String, Instant)>,
    is_stopping: &AtomicBool,
) -> Infallible {
    let start = tokio::time::Instant::now();
    for number in 0_u32.. {
        sleep_until(start + number * PERIOD).await;
        let is_last = is_stopping.load(Ordering::Relaxed);
        let text = if is_last { END.into() } else { text(number) };
        let _ = sent.send((text.clone(), Instant::now()));
        // Why it failed is what the reader returns.
        if writer.send(&text).await.is_err() || is_last {
            break;
        }
    }
    pending().await
}

/// 64 bytes, or sometimes 4 KiB, that differ from those of every other message.
fn text(number: u32) -> String {
    if number % 16 == 15 {
        format!("{number:04096}")
    } else {
        format!("{number:064}")
    }
}

/// Receives until the last echo, or until the server closes.
async fn receive<T: Transport>(
    reader: &mut Reader<T>,
    sent: &mut UnboundedReceiver<(String, Instant)>,
    times: &mut Vec<Duration>,
) -> Result<(), String> {
    while let Some((text, at)) = sent.recv().await {
        let echo = timeout(MAX_WAIT, reader.next()).await;
        let echo = echo.map_err(|_| format!("no echo within {MAX_WAIT:?}"))?;
        let Some(echo) = echo.map_err(|error| error.to_string())? else {
            return Ok(());
        };
        times.push(at.elapsed());
        if echo.as_text() != Some(&*text) {
            return Err(format!("a wrong echo of message {}", times.len()));
        }
        if text == END {
            return Ok(());
        }
    }
    Ok(())
}

async fn close<T: Transport>(
    reader: &mut Reader<T>,
    writer: &mut Writer<T>,
) -> Result<Option<Outcome>, String> {
    // Fails if the server closed before.
    let _ = writer.close(CloseCode::NORMAL, "").await;
    match reader.next().await {
        Ok(None) => Ok(reader.outcome()),
        Ok(Some(message)) => Err(format!("{} bytes that nobody sent", message.len())),
        Err(error) => Err(error.to_string()),
    }
}
