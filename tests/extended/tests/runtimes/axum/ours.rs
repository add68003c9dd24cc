//! The programs with the import changed.

use sansocket::axum as ws;

// That is the point.
#[allow(clippy::duplicate_mod)]
#[path = "programs.rs"]
mod programs;
