//! What the echo servers share: their settings, and their answer to a request.

use sansocket::{Answer, Config, OriginPolicy, Request, RequestError};

const PAGE: &str = include_str!("echo.html");

/// An echo keeps no secret, so pages from anywhere may ask for it, and it may
/// compress what they send: any 16 MiB, be they as regular as they like.
pub(crate) fn config() -> Config {
    let config = Config::new()
        .with_origin(OriginPolicy::Any)
        .with_max_message_len(16 * 1024 * 1024);
    #[cfg(feature = "deflate")]
    let config = config.with_deflate(sansocket::deflate::Options::new().with_max_ratio(None));
    config
}

/// One port serves both: the page on a plain GET or HEAD, the echo on an upgrade.
pub(crate) fn answer(request: &Request) -> Answer {
    let answer = match (request.is_upgrade(), request.method(), request.path()) {
        (true, ..) => accept(request),
        (false, "GET" | "HEAD", "/") => page(),
        _ => Ok(request.reject(404)),
    };
    answer.unwrap_or_else(|_| request.reject(500))
}

/// Chooses the subprotocol `echo` if it is offered.
fn accept(request: &Request) -> Result<Answer, RequestError> {
    match request.subprotocols().find(|name| *name == "echo") {
        Some(name) => request.accept().with_subprotocol(name),
        None => Ok(request.accept()),
    }
}

fn page() -> Result<Answer, RequestError> {
    Ok(Answer::new(200)
        .with_header("Content-Type", "text/html; charset=utf-8")?
        .with_body(PAGE))
}
