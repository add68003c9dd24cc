//! Every fault in tests/harness/faults.rs, noticed by every adapter: the error that the
//! application gets, the outcome, and what the peer is told. And a peer that goes on
//! sending after its fault.

use std::time::Duration;

use sansocket::frame::Opcode;
use sansocket::{ConnectionError, Error, HandshakeError, ProtocolError, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::fault_table::{Fault, REQUEST, RESPONSE, Reply, faults};
use crate::wire::{config, frames, peer_of, wire};
use adapters::{Adapter, Ended, Raw};

mod adapters;

/// What must not take long.
async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    let limit = Duration::from_secs(30);
    timeout(limit, future)
        .await
        .unwrap_or_else(|_| panic!("{what}: hangs"))
}

/// Reads up to the empty line after a head.
async fn read_head(raw: &mut Raw) -> Vec<u8> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match raw.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    head
}

/// Exchanges the heads as the peer of this endpoint.
async fn shake_hands(raw: &mut Raw, adapter: Adapter, role: Role, head: &[u8]) -> Vec<u8> {
    if adapter == Adapter::H2 {
        return Vec::new();
    }
    match role {
        Role::Server => {
            raw.write_all(head).await.unwrap();
            read_head(raw).await
        }
        Role::Client => {
            let request = read_head(raw).await;
            raw.write_all(head).await.unwrap();
            request
        }
    }
}

/// What the peer is told.
async fn reply(raw: &mut Raw, fault: &Fault, head: &[u8]) -> Reply {
    if let (Role::Server, false) = (fault.role, fault.opens()) {
        let status = head.get(9..12).expect("a response");
        return Reply::Status(str::from_utf8(status).unwrap().parse().unwrap());
    }
    // A server keeps the other direction open until it has sent everything.
    let _ = raw.shutdown().await;
    let mut rest = Vec::new();
    let _ = raw.read_to_end(&mut rest).await;
    match frames(&rest).pop() {
        Some((header, payload)) if header.opcode == Opcode::Close => {
            Reply::Close(u16::from_be_bytes([payload[0], payload[1]]))
        }
        _ => Reply::End,
    }
}

fn assert_ended(what: &str, fault: &Fault, ended: &Ended) {
    let is_told = match &ended.error {
        Some(Error::Failed(error)) => *error == fault.error,
        // The response of a server, or a page instead of the WebSocket.
        Some(Error::Refused(_)) | None => {
            matches!(
                fault.error,
                ConnectionError::Handshake(HandshakeError::Refused(_))
            )
        }
        Some(_) => false,
    };
    assert!(is_told, "{what}: {ended:?}");
    // An axum socket has no outcome.
    if let Some(outcome) = &ended.outcome {
        assert_eq!(outcome.cause, Some(fault.error), "{what}");
        assert_eq!(u16::from(outcome.code), fault.outcome_code(), "{what}");
        assert!(!outcome.clean, "{what}");
    }
}

async fn commit(adapter: Adapter, fault: &Fault) {
    let what = format!("{adapter:?}, {:?}, {}", fault.role, fault.name);
    // The end of the stream ends the wait for the peer, not the deadline.
    let config = fault
        .config
        .clone()
        .with_close_timeout(Duration::from_secs(300));
    let (mut raw, ended) = adapter.start(fault.role, &config).await;
    let shaking = shake_hands(&mut raw, adapter, fault.role, &fault.head);
    let head = soon(&what, shaking).await;
    raw.write_all(&fault.bytes).await.unwrap();
    let replied = soon(&what, reply(&mut raw, fault, &head)).await;
    assert_eq!(replied, fault.reply, "{what}");
    drop(raw);
    // Otherwise the handler is not called.
    if fault.opens() || !adapter.parses_no_head() {
        let ended = soon(&what, ended).await.unwrap();
        assert_ended(&what, fault, &ended);
    }
}

async fn commit_all(adapter: Adapter) {
    for fault in faults().iter().filter(|fault| adapter.can_notice(fault)) {
        commit(adapter, fault).await;
    }
}

/// How much a peer can send after its fault, while it reads nothing.
async fn flood(adapter: Adapter, role: Role) {
    /// What is discarded, and what the buffers of the system take.
    const MAX_LEN: usize = 32 << 20;
    let what = format!("{adapter:?}, {role:?}");
    let config = config().with_close_timeout(Duration::from_secs(300));
    let (mut raw, ended) = adapter.start(role, &config).await;
    let head = if role == Role::Server {
        REQUEST
    } else {
        RESPONSE
    };
    shake_hands(&mut raw, adapter, role, head.as_bytes()).await;
    raw.write_all(&wire(peer_of(role)).raw(b"\x83\x00").bytes())
        .await
        .unwrap();
    let sending = async {
        let mut len = 0;
        while raw.write_all(&[7; 65_536]).await.is_ok() && raw.flush().await.is_ok() {
            len += 65_536;
            assert!(len < MAX_LEN, "{what}: goes on");
        }
    };
    soon(&what, sending).await;
    let ended = soon(&what, ended).await.unwrap();
    let expected = ConnectionError::Protocol(ProtocolError::ReservedOpcode);
    assert!(
        matches!(&ended.error, Some(Error::Failed(error)) if *error == expected),
        "{what}: {ended:?}"
    );
}

async fn flood_all(adapter: Adapter) {
    flood(adapter, Role::Server).await;
    if adapter.has_client() {
        flood(adapter, Role::Client).await;
    }
}

macro_rules! adapters {
    ($($name:ident: $adapter:ident;)*) => {
        /// Requirement 24
        mod faults_are_reported_to_both_ends {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::commit_all(super::Adapter::$adapter).await;
            })*
        }

        /// Requirement 22
        mod peer_that_goes_on_is_cut_off {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::flood_all(super::Adapter::$adapter).await;
            })*
        }
    };
}

adapters! {
    blocking: Blocking;
    blocking_halves: BlockingHalves;
    blocking_tls: BlockingTls;
    tokio: Tokio;
    tokio_halves: TokioHalves;
    tokio_tls: TokioTls;
    futures: Futures;
    hyper: Hyper;
    axum: Axum;
    h2: H2;
}
