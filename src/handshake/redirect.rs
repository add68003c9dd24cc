//! Redirects (RFC 9110 §15.4), which a client may follow (RFC 6455 §4.1).

use alloc::format;
use alloc::string::{String, ToString};

use super::{ClientRequest, RequestError, Response, Uri};

/// Error returned by [`ClientRequest::redirected`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectError {
    /// The status is not a redirect, or there is no `Location`.
    #[error("not a redirect")]
    NotARedirect,
    /// `Location` is not a URI that a WebSocket can be opened to.
    #[error("invalid Location: {0}")]
    InvalidLocation(RequestError),
    /// The redirect leads from `wss` to `ws`: everyone on the path could read the
    /// traffic.
    #[error("redirect from wss to ws")]
    Downgrade,
}

impl ClientRequest {
    /// Creates the request to follow a redirect: it goes to the `Location` of the
    /// response, with the same fields if scheme, host and port are the same.
    ///
    /// Any other server receives only the fields that
    /// [`with_redirected_header`](Self::with_redirected_header) names. All others,
    /// including `Authorization`, `Cookie`, subprotocols and the origin, can
    /// contain secrets and are removed.
    ///
    /// `http` and `https` in `Location` are treated as `ws` and `wss`. The adapters
    /// follow redirects with `adapter::Connector::with_max_redirects`.
    ///
    /// # Errors
    ///
    /// See [`RedirectError`].
    ///
    /// ```
    /// use sansocket::{ClientRequest, Config, Connection, Event, Input};
    ///
    /// # if !cfg!(feature = "std") { return Ok(()); }
    /// let request = ClientRequest::to("wss://example.com/chat")?
    ///     .with_header("Authorization", "Bearer secret")?
    ///     .with_header("X-Trace", "42")?
    ///     .with_redirected_header("X-Trace");
    /// let mut out = Vec::new();
    /// let mut ws = Connection::client(&request, &Config::new(), &mut out)?;
    /// let mut bytes = *b"HTTP/1.1 307 Temporary Redirect\r\n\
    ///     Location: wss://other.example/chat\r\nContent-Length: 0\r\n\r\n";
    /// let event = ws.receive(&mut Input::new(&mut bytes), &mut out);
    /// let Some(Event::Refused(response)) = event else { panic!("{event:?}") };
    ///
    /// let next = request.redirected(&response)?;
    /// assert_eq!(next.uri().to_string(), "wss://other.example/chat");
    /// assert_eq!(next.headers().get_str("X-Trace"), Some("42"));
    /// assert_eq!(next.headers().get_str("Authorization"), None);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn redirected(&self, response: &Response) -> Result<Self, RedirectError> {
        let location = response.headers().get("location");
        let (301 | 302 | 303 | 307 | 308, Some(location)) = (response.status(), location) else {
            return Err(RedirectError::NotARedirect);
        };
        let location = resolve(self.uri(), &String::from_utf8_lossy(location));
        let uri =
            Uri::parse(&location).map_err(|error| RedirectError::InvalidLocation(error.into()))?;
        if self.uri().is_secure() && !uri.is_secure() {
            return Err(RedirectError::Downgrade);
        }
        let is_same = same_server(&uri, self.uri());
        Ok(self.with_uri(uri, is_same))
    }
}

fn same_server(a: &Uri, b: &Uri) -> bool {
    (a.is_secure(), a.port()) == (b.is_secure(), b.port())
        && a.host().eq_ignore_ascii_case(b.host())
}

/// RFC 3986 §5.2, without the removal of dot segments, which servers perform.
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
