//! The command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt};
use sansocket::{ClientRequest, Message};

use crate::failure::Failure;

pub(crate) const USAGE: &str = include_str!("usage.txt");

/// What the command line asks for.
pub(crate) struct Args {
    pub(crate) request: ClientRequest,
    pub(crate) redirects: u32,
    pub(crate) timeout: Duration,
    pub(crate) deflate: bool,
    pub(crate) http2: bool,
    pub(crate) proxy: Option<String>,
    pub(crate) proxy_user: Option<String>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) insecure: bool,
    /// Instead of standard input.
    pub(crate) messages: Vec<Message>,
    pub(crate) wait: Duration,
    pub(crate) json: bool,
    pub(crate) verbose: bool,
    pub(crate) mode: Mode,
    pub(crate) interval: Duration,
    pub(crate) load: Load,
}

#[derive(Clone, Copy)]
pub(crate) enum Mode {
    Talk,
    Ping(u32),
    Bench,
}

/// How `--bench` loads the server.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    pub(crate) size: usize,
    pub(crate) duration: Duration,
    /// Messages a second over all connections.
    pub(crate) rate: Option<f64>,
}

/// Options that need the URL, which may come after them.
#[derive(Default)]
struct Head {
    url: Option<String>,
    headers: Vec<(String, String)>,
    subprotocols: Vec<String>,
    origin: Option<String>,
}

impl Args {
    /// `None`: help was asked for.
    pub(crate) fn parse(mut parser: Parser) -> Result<Option<Self>, Failure> {
        let mut head = Head::default();
        let mut args = Self::default_to(ClientRequest::to("ws://localhost/")?);
        while let Some(arg) = parser.next()? {
            match arg {
                Arg::Short('h') | Arg::Long("help") => return Ok(None),
                Arg::Value(url) if head.url.is_none() => head.url = Some(url.string()?),
                Arg::Short('H') | Arg::Long("header") => head.headers.push(header(&mut parser)?),
                Arg::Short('s') | Arg::Long("subprotocol") => {
                    head.subprotocols.push(parser.value()?.string()?);
                }
                Arg::Short('o') | Arg::Long("origin") => {
                    head.origin = Some(parser.value()?.string()?);
                }
                Arg::Short('k') => args.insecure = true,
                Arg::Short('m') => args.message(&mut parser)?,
                Arg::Short('w') => args.wait = seconds(&mut parser)?,
                Arg::Short('v') => args.verbose = true,
                Arg::Long(name) => {
                    let name = name.to_owned();
                    args.option(&name, &mut parser)?;
                }
                other => return Err(other.unexpected().into()),
            }
        }
        args.request = head.request()?;
        Ok(Some(args))
    }

    fn default_to(request: ClientRequest) -> Self {
        Self {
            request,
            redirects: 0,
            timeout: Duration::from_secs(10),
            deflate: true,
            http2: false,
            proxy: None,
            proxy_user: None,
            ca: None,
            insecure: false,
            messages: Vec::new(),
            wait: Duration::ZERO,
            json: false,
            verbose: false,
            mode: Mode::Talk,
            interval: Duration::from_secs(1),
            load: Load {
                connections: 10,
                size: 100,
                duration: Duration::from_secs(5),
                rate: None,
            },
        }
    }

    fn option(&mut self, name: &str, parser: &mut Parser) -> Result<(), Failure> {
        match name {
            "redirects" => self.redirects = number(parser)?,
            "timeout" => self.timeout = seconds(parser)?,
            "no-deflate" => self.deflate = false,
            "http2" => self.http2 = true,
            "proxy" => self.proxy = Some(parser.value()?.string()?),
            "proxy-user" => self.proxy_user = Some(parser.value()?.string()?),
            "ca" => self.ca = Some(parser.value()?.into()),
            "insecure" => self.insecure = true,
            "message" => self.message(parser)?,
            "text" => {
                let path: PathBuf = parser.value()?.into();
                let text = String::from_utf8(read(&path)?);
                let text = text.map_err(|_| format!("{}: not UTF-8", path.display()))?;
                self.messages.push(text.into());
            }
            "binary" => self
                .messages
                .push(read(Path::new(&parser.value()?))?.into()),
            "wait" => self.wait = seconds(parser)?,
            "json" => self.json = true,
            "verbose" => self.verbose = true,
            "ping" => self.mode = Mode::Ping(number(parser)?),
            "interval" => self.interval = seconds(parser)?,
            "bench" => self.mode = Mode::Bench,
            "connections" => self.load.connections = number::<usize>(parser)?.max(1),
            "size" => self.load.size = number(parser)?,
            "seconds" => self.load.duration = seconds(parser)?,
            "rate" => self.load.rate = Some(positive(parser)?),
            _ => return Err(Arg::Long(name).unexpected().into()),
        }
        Ok(())
    }

    fn message(&mut self, parser: &mut Parser) -> Result<(), Failure> {
        self.messages.push(parser.value()?.string()?.into());
        Ok(())
    }
}

impl Head {
    fn request(self) -> Result<ClientRequest, Failure> {
        let url = self.url.ok_or("no URL: see wscat --help")?;
        let mut request = ClientRequest::to(&url)?;
        for (name, value) in self.headers {
            request = request.with_header(&name, value)?;
        }
        for name in self.subprotocols {
            request = request.with_subprotocol(&name)?;
        }
        match self.origin {
            Some(origin) => Ok(request.with_origin(&origin)?),
            None => Ok(request),
        }
    }
}

fn header(parser: &mut Parser) -> Result<(String, String), Failure> {
    let field = parser.value()?.string()?;
    let (name, value) = field
        .split_once(':')
        .ok_or_else(|| format!("{field:?} is not 'NAME: VALUE'"))?;
    Ok((name.into(), value.trim().into()))
}

fn number<N>(parser: &mut Parser) -> Result<N, Failure>
where
    N: FromStr<Err: Into<Box<dyn std::error::Error + Send + Sync + 'static>>>,
{
    Ok(parser.value()?.parse()?)
}

fn positive(parser: &mut Parser) -> Result<f64, Failure> {
    let number: f64 = number(parser)?;
    if number.is_normal() && number > 0.0 {
        Ok(number)
    } else {
        Err(format!("{number} is not a positive number").into())
    }
}

fn seconds(parser: &mut Parser) -> Result<Duration, Failure> {
    let seconds = number(parser)?;
    Duration::try_from_secs_f64(seconds).map_err(|error| format!("{seconds}: {error}").into())
}

/// A file that is named by an argument.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()).into())
}
