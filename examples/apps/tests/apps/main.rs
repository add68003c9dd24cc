//! Tests that run the example programs, as processes of their own.

#![cfg(unix)]

mod attack;
mod axum;
mod chat;
mod collab;
#[cfg(target_os = "linux")]
mod descriptors;
mod game;
mod http_vs_websocket;
mod interop;
#[cfg(target_os = "linux")]
mod leaks;
mod peers;
mod proxy;
mod server;
#[cfg(target_os = "linux")]
mod soak;
mod socketio;
mod stops;
mod ticker;
mod wscat;
