//! The programs with axum's own extractor.

use axum::extract::ws;

#[path = "programs.rs"]
mod programs;
