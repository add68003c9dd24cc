//! What the project promises of itself, read off its files: the architecture, the
//! public API, a test for each requirement, and a test for each rule of the RFC.

mod dependencies;
mod layering;
mod public_api;
mod requirements;
mod rfc6455;
