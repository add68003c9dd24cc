//! The adapters on other runtimes, in TLS, through proxies, and within HTTP
//! libraries.

#[cfg(all(feature = "tokio", feature = "futures", feature = "rustls"))]
mod clients;
#[cfg(all(feature = "tokio", feature = "futures"))]
#[path = "../../../harness/compat.rs"]
mod compat;
#[cfg(all(
    feature = "axum",
    feature = "futures",
    feature = "h2",
    feature = "rustls"
))]
#[path = "../../../harness/faults.rs"]
mod fault_table;
#[cfg(feature = "rustls")]
#[path = "../../../harness/tcp.rs"]
mod tcp;
#[cfg(feature = "tokio")]
#[expect(dead_code)]
#[path = "../../../harness/wire.rs"]
mod wire;

#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "rustls")]
mod blocking_tls;
#[cfg(all(feature = "axum", feature = "futures", feature = "h2"))]
mod bombs;
#[cfg(all(feature = "tokio", feature = "futures"))]
mod client_response;
#[cfg(all(feature = "tokio", feature = "futures", feature = "rustls"))]
mod connect;
#[cfg(all(unix, feature = "tokio", feature = "futures", feature = "rustls"))]
mod connect_on;
#[cfg(all(feature = "deflate", feature = "tokio", feature = "futures"))]
mod fairness;
#[cfg(all(
    feature = "axum",
    feature = "futures",
    feature = "h2",
    feature = "rustls"
))]
mod faults;
#[cfg(all(feature = "tokio", feature = "futures"))]
mod full_duplex;
#[cfg(feature = "h2")]
mod h2;
#[cfg(all(unix, feature = "h2", feature = "futures", feature = "rustls"))]
mod h2_client;
#[cfg(feature = "hyper")]
mod hyper;
#[cfg(feature = "tokio")]
mod idioms;
#[cfg(all(feature = "tokio", feature = "futures"))]
mod rejections;
#[cfg(all(unix, feature = "tokio", feature = "futures", feature = "rustls"))]
mod socks;
#[cfg(feature = "tokio")]
mod split;
#[cfg(all(feature = "tokio", feature = "futures"))]
mod stalled_halves;
#[cfg(all(feature = "tokio", feature = "futures", feature = "rustls"))]
mod tls;
#[cfg(feature = "tokio")]
mod tokio;
