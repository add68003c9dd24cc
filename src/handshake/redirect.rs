//! Where a redirect leads (RFC 9110 §15.4), which a client may follow
//! (RFC 6455 §4.1).

use alloc::format;
use alloc::string::{String, ToString};

use super::{Request, RequestError, Response, Uri};

/// Error returned by [`Request::redirected`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectError {
    /// The status is none that redirects, or there is no `Location`.
    #[error("not a redirect")]
    NotARedirect,
    /// `Location` names nothing that a WebSocket can be opened to.
    #[error("location: {0}")]
    InvalidLocation(RequestError),
    /// From `wss` to `ws`: who reads the traffic could send us there.
    #[error("redirect from wss to ws")]
    Downgrade,
}

/// Fields with secrets, which are for the host that they were meant for.
const SECRET: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

impl Request {
    /// The request that this response asks for in the place of this one: to
    /// its `Location`, with the same fields; those with credentials only if
    /// host, port and scheme stay the same.
    ///
    /// `http` and `https` are taken for `ws` and `wss`.
    ///
    /// # Errors
    ///
    /// See [`RedirectError`].
    ///
    /// ```
    /// use sansocket::{RedirectError, Request, Response};
    ///
    /// let request = Request::to("wss://example.com/chat")?;
    /// let moved = Response::new(307).header("Location", "/v2/chat")?;
    /// let next = request.redirected(&moved)?;
    /// assert_eq!(next.uri().expect("made here").to_string(), "wss://example.com/v2/chat");
    /// let moved = Response::new(307).header("Location", "ws://example.com/")?;
    /// assert_eq!(request.redirected(&moved), Err(RedirectError::Downgrade));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn redirected(&self, response: &Response) -> Result<Self, RedirectError> {
        let location = response.headers().get("location");
        let (301 | 302 | 303 | 307 | 308, Some(location)) = (response.status(), location) else {
            return Err(RedirectError::NotARedirect);
        };
        let base = self.uri().ok_or(RedirectError::NotARedirect)?;
        let location = String::from_utf8_lossy(location);
        let mut next =
            Self::to(&resolve(base, &location)).map_err(RedirectError::InvalidLocation)?;
        let is_same = next.uri().is_some_and(|uri| same_server(uri, base));
        if base.is_secure() && !next.uri().is_some_and(Uri::is_secure) {
            return Err(RedirectError::Downgrade);
        }
        for (name, value) in self.headers().iter() {
            let is_secret = SECRET
                .iter()
                .any(|secret| name.eq_ignore_ascii_case(secret));
            if is_same || !is_secret {
                next.push_header(name, value);
            }
        }
        Ok(next)
    }
}

fn same_server(a: &Uri, b: &Uri) -> bool {
    (a.is_secure(), a.host(), a.port()) == (b.is_secure(), b.host(), b.port())
}

/// RFC 3986 §5.2, without the removal of dot segments, which servers do.
fn resolve(base: &Uri, location: &str) -> String {
    // RFC 6455 §3: no fragments.
    let location = location.split('#').next().unwrap_or_default();
    let scheme = if base.is_secure() { "wss" } else { "ws" };
    let server = || format!("{scheme}://{}", base.authority());
    let path = base.resource_name().split('?').next().unwrap_or_default();
    match location.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => format!("ws://{rest}"),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => format!("wss://{rest}"),
        Some((scheme, _)) if !scheme.contains(['/', '?']) => location.to_string(),
        _ if location.starts_with("//") => format!("{scheme}:{location}"),
        _ if location.starts_with('/') => format!("{}{location}", server()),
        _ if location.starts_with('?') => format!("{}{path}{location}", server()),
        _ if location.is_empty() => format!("{}{}", server(), base.resource_name()),
        _ => {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{}{folder}/{location}", server())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_resolved() {
        let base = Uri::parse("ws://h:81/a/b?q").unwrap();
        for (location, expected) in [
            ("ws://other/x", "ws://other/x"),
            ("http://other/x#part", "ws://other/x"),
            ("HTTPS://other/", "wss://other/"),
            ("//other/x", "ws://other/x"),
            ("/x?y=http://z", "ws://h:81/x?y=http://z"),
            ("c", "ws://h:81/a/c"),
            ("?r", "ws://h:81/a/b?r"),
            ("", "ws://h:81/a/b?q"),
            ("ftp://other/", "ftp://other/"),
        ] {
            assert_eq!(resolve(&base, location), expected, "{location}");
        }
    }
}
