//! The halves of the async adapters, in two tasks.

use std::collections::HashSet;
use std::time::Duration;

use sansocket::adapter::poll::{Reader, Transport, WebSocket, Writer};
use sansocket::{Agreement, Config, Error, Role};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{Ends, MESSAGE_LEN, PING_HAS_LEFT, SENDINGS, Sending, assert_all_came, config, ms};
use super::{Order, orders};
use crate::compat::Compat;
use crate::wire::{ROLES, peer_of, wire};

async fn send_until_error<T: Transport>(mut writer: Writer<T>) -> Result<(), Error> {
    sleep(PING_HAS_LEFT).await;
    loop {
        writer.send(vec![7; MESSAGE_LEN]).await?;
    }
}

async fn try_until_error<T: Transport>(mut writer: Writer<T>) -> Result<(), Error> {
    sleep(PING_HAS_LEFT).await;
    while writer.try_send(vec![7; MESSAGE_LEN])?.is_none() {}
    while writer.outcome().is_none() {
        sleep(ms(10)).await;
    }
    writer.try_send("late").map(drop)
}

async fn read_until_error<T: Transport>(reader: &mut Reader<T>) -> Result<(), Error> {
    while reader.next().await?.is_some() {}
    Ok(())
}

async fn echo<T: Transport>(reader: &mut Reader<T>, writer: &mut Writer<T>) -> Result<(), Error> {
    while let Some(message) = reader.next().await? {
        writer.send(message).await?;
    }
    Ok(())
}

/// Uses the halves until both have ended.
async fn use_halves<T: Transport>(ws: WebSocket<T>, sending: Sending) -> Ends {
    let (mut reader, mut writer) = ws.split();
    let mut third = writer.clone();
    let closing = async {
        if let Sending::Closes | Sending::Echoes = sending {
            sleep(PING_HAS_LEFT * 4).await;
            while third.unsent_len() == 0 && third.outcome().is_none() {
                sleep(ms(10)).await;
            }
            let _ = third.close(1001, "").await;
        }
    };
    let halves = async {
        match sending {
            Sending::Echoes => {
                let written = echo(&mut reader, &mut writer).await;
                (read_until_error(&mut reader).await, written)
            }
            Sending::Tries => {
                tokio::join!(read_until_error(&mut reader), try_until_error(writer))
            }
            _ => tokio::join!(read_until_error(&mut reader), send_until_error(writer)),
        }
    };
    let ((read, written), ()) = tokio::join!(halves, closing);
    let cause = reader.outcome().and_then(|outcome| outcome.cause);
    Ends {
        read,
        written,
        cause,
    }
}

/// What the peer does, which reads nothing.
async fn stall(peer: &mut DuplexStream, role: Role, sending: Sending) {
    if let Sending::Echoes = sending {
        let message = wire(peer_of(role)).binary(&[7; MESSAGE_LEN]).bytes();
        while peer.write_all(&message).await.is_ok() {}
    }
}

type Open<T> = fn(DuplexStream, Role, &Config) -> WebSocket<T>;

/// All at once, as each takes its time.
async fn run_all<T: Transport + Send + 'static>(open: Open<T>, role: Role, sending: Sending) {
    let mut running = JoinSet::<(Order, Option<Ends>)>::new();
    for order in orders() {
        let (own, mut peer) = duplex(1000);
        let ws = open(own, role, &config(order));
        running.spawn(async move {
            let both =
                async { tokio::join!(use_halves(ws, sending), stall(&mut peer, role, sending)) };
            let ended = timeout(Duration::from_secs(15), both).await;
            assert!(peer.write_all(b"x").await.is_err(), "the stream stays open");
            (order, ended.ok().map(|(ends, ())| ends))
        });
    }
    let mut reasons = HashSet::new();
    for (order, ends) in running.join_all().await {
        let what = format!("{role:?}, {sending:?}, {order:?}");
        let ends = ends.unwrap_or_else(|| panic!("{what}: hangs"));
        reasons.insert(ends.deadline(&what));
    }
    assert_all_came(&reasons, sending);
}

async fn run_each<T: Transport + Send + 'static>(open: Open<T>) {
    for role in ROLES {
        for sending in SENDINGS {
            run_all(open, role, sending).await;
        }
    }
}

// Requirement 15
#[tokio::test(start_paused = true)]
async fn tokio_halves_end_in_every_order_of_deadlines() {
    run_each(|stream, role, config| {
        WebSocket::<sansocket::tokio::Io<_>>::upgraded(
            stream,
            role,
            Agreement::default(),
            vec![],
            config,
        )
    })
    .await;
}

// Requirement 15
#[tokio::test]
async fn futures_halves_end_in_every_order_of_deadlines() {
    run_each(|stream, role, config| {
        let agreement = Agreement::default();
        let stream = Compat(stream);
        WebSocket::<sansocket::futures::Io<_>>::upgraded(stream, role, agreement, vec![], config)
            .with_timer(sleep)
    })
    .await;
}
