//! `server_max_window_bits` and `client_max_window_bits` (RFC 7692 §7.1.2), in
//! offers and in responses.

use crate::deflate_negotiation::{INVALID, answer, check, full, lenient};
use crate::wire::config;
use sansocket::Config;

const MAX: u8 = 15;

/// How a parameter stands in an offer or a response.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Parameter {
    Absent,
    WithoutValue,
    /// `8`
    Plain(u8),
    /// `"8"`
    Quoted(u8),
    /// `08`
    ZeroPadded(u8),
    /// `"08"`
    QuotedZeroPadded(u8),
    /// `8`, and `8` once more.
    Repeated(u8),
}

use Parameter::*;

impl Parameter {
    fn all() -> impl Iterator<Item = Self> {
        let spellings = [Plain, Quoted, ZeroPadded, QuotedZeroPadded, Repeated];
        let valued = spellings.into_iter().flat_map(|spell| (0..=20).map(spell));
        [Absent, WithoutValue].into_iter().chain(valued)
    }

    fn write(self, name: &str) -> String {
        match self {
            Absent => String::new(),
            WithoutValue => format!("; {name}"),
            Plain(bits) => format!("; {name}={bits}"),
            Quoted(bits) => format!("; {name}=\"{bits}\""),
            ZeroPadded(bits) => format!("; {name}=0{bits}"),
            QuotedZeroPadded(bits) => format!("; {name}=\"0{bits}\""),
            Repeated(bits) => format!("; {name}={bits}; {name}={bits}"),
        }
    }

    /// The value, if it is valid: §7.1.2.1: "a decimal integer value without leading
    /// zeroes between 8 to 15, inclusive"; §5.1: "equivalent" if quoted.
    fn bits(self) -> Option<u8> {
        match self {
            Plain(bits) | Quoted(bits) => Some(bits).filter(|bits| (8..=15).contains(bits)),
            _ => None,
        }
    }
}

/// An offer or a response with both parameters.
#[derive(Clone, Copy, Debug)]
struct Element {
    server: Parameter,
    client: Parameter,
}

impl Element {
    fn all() -> impl Iterator<Item = Self> {
        let with = |server| Parameter::all().map(move |client| Self { server, client });
        Parameter::all().flat_map(with)
    }

    /// Those that are spelled plainly and valid in an offer.
    fn valid_offers() -> impl Iterator<Item = Self> {
        let is_plain = |parameter| matches!(parameter, Absent | WithoutValue | Plain(_));
        Self::all().filter(move |element| {
            element.is_valid_offer() && is_plain(element.server) && is_plain(element.client)
        })
    }

    fn write(self) -> String {
        let server = self.server.write("server_max_window_bits");
        let client = self.client.write("client_max_window_bits");
        full(&["@", &server, &client].concat())
    }

    /// The client's needs no value (§7.1.2.2), the server's does (§7.1.2.1).
    fn is_valid_offer(self) -> bool {
        let server = self.server == Absent || self.server.bits().is_some();
        let client = matches!(self.client, Absent | WithoutValue) || self.client.bits().is_some();
        server && client
    }

    /// What a server with windows of at most these bits answers, or `None` if it
    /// declines.
    fn answer(self, own: u8, peer: u8) -> Option<String> {
        if !self.is_valid_offer() {
            return None;
        }
        // §7.1.2.1: accepted with "the same or smaller value"; may be sent unasked.
        let server = match self.server.bits() {
            Some(offered) => Plain(offered.min(own)),
            None if own < MAX => Plain(own),
            None => Absent,
        };
        // §7.1.2.2: only if the offer has it, and needless for the full window.
        let client = match self.client.bits().unwrap_or(MAX).min(peer) {
            bits if self.client != Absent && bits < MAX => Plain(bits),
            _ => Absent,
        };
        Some(Self { server, client }.write())
    }

    /// What a client with windows of at most these bits accepts, or `None` if it
    /// fails.
    fn accepted(self, own: u8, peer: u8) -> Option<String> {
        // §7.1.2.1: a demand is met with "the same or smaller value"; the server
        // may limit its window without one.
        let server = match self.server {
            Absent => peer == MAX,
            _ => self.server.bits().is_some_and(|bits| bits <= peer),
        };
        // §7.1.2.2: the value is the offered one or smaller, and must be there.
        let client = match self.client {
            Absent => true,
            _ => self.client.bits().is_some_and(|bits| bits <= own),
        };
        let plain = |parameter: Parameter| parameter.bits().map_or(Absent, Plain);
        let parameters = Self {
            server: plain(self.server),
            client: plain(self.client),
        };
        (server && client).then(|| parameters.write())
    }
}

/// Windows of at most these bits, and no offer without them.
fn with_windows(own: u8, peer: u8) -> Config {
    let options = lenient().with_fallback(false);
    config().with_deflate(options.with_window_bits(own).with_peer_window_bits(peer))
}

/// All limits of one's own window and of the peer's.
fn limits() -> impl Iterator<Item = (u8, u8)> {
    (8..=MAX).flat_map(|own| (8..=MAX).map(move |peer| (own, peer)))
}

// Requirement 6: every spelling of a window in an offer.
#[test]
fn server_accepts_or_declines_every_spelling() {
    let config = with_windows(MAX, MAX);
    for offer in Element::all() {
        let expected = Ok(offer.answer(MAX, MAX));
        assert_eq!(answer(&[&offer.write()], &config), expected, "{offer:?}");
    }
}

#[test]
fn server_answers_every_offer_within_every_limit() {
    for (own, peer) in limits() {
        let config = with_windows(own, peer);
        for offer in Element::valid_offers() {
            let answer = answer(&[&offer.write()], &config);
            assert_eq!(
                answer,
                Ok(offer.answer(own, peer)),
                "{offer:?} {own} {peer}"
            );
        }
    }
}

// Requirement 6: every spelling of a window in a response.
#[test]
fn client_accepts_or_fails_every_spelling() {
    let config = with_windows(MAX, MAX);
    for response in Element::all() {
        let expected = response.accepted(MAX, MAX).map(Some).ok_or(INVALID);
        assert_eq!(
            check(&[&response.write()], &config),
            expected,
            "{response:?}"
        );
    }
}

#[test]
fn client_accepts_or_fails_every_response_within_every_limit() {
    for (own, peer) in limits() {
        let config = with_windows(own, peer);
        for response in Element::valid_offers() {
            let expected = response.accepted(own, peer).map(Some).ok_or(INVALID);
            let checked = check(&[&response.write()], &config);
            assert_eq!(checked, expected, "{response:?} {own} {peer}");
        }
    }
}
