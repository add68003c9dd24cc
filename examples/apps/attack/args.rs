//! The command line.

use std::error::Error;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt};

use crate::attacks::{ATTACKS, Attack};
use crate::server::{EXAMPLES, Example};

/// The most peers at a time.
const MAX_PEERS: usize = 1000;
/// The longest attack.
const MAX_DURATION: Duration = Duration::from_secs(3600);

/// What the command line asks for.
pub(crate) enum Command {
    Help,
    List,
    Attack(Args),
}

pub(crate) struct Args {
    pub(crate) examples: Vec<&'static Example>,
    pub(crate) attacks: Vec<&'static Attack>,
    pub(crate) peers: usize,
    pub(crate) duration: Duration,
    /// Attacked instead of the examples.
    pub(crate) url: Option<String>,
    pub(crate) pid: Option<u32>,
    /// The certificate of that server.
    pub(crate) ca: PathBuf,
    pub(crate) bounds: Bounds,
    pub(crate) build: bool,
}

/// What is judged.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// How much more memory may be resident after an attack, in KiB.
    pub(crate) max_kept_kib: u64,
    pub(crate) max_p99: Option<Duration>,
}

impl Command {
    pub(crate) fn parse(mut parser: Parser) -> Result<Self, Box<dyn Error>> {
        let mut args = Args::default();
        while let Some(arg) = parser.next()? {
            match arg {
                Arg::Short('h') | Arg::Long("help") => return Ok(Self::Help),
                Arg::Long("list") => return Ok(Self::List),
                Arg::Long(name) => {
                    let name = name.to_owned();
                    args.option(&name, &mut parser)?;
                }
                other => return Err(other.unexpected().into()),
            }
        }
        args.complete();
        Ok(Self::Attack(args))
    }
}

impl Args {
    fn option(&mut self, name: &str, parser: &mut Parser) -> Result<(), Box<dyn Error>> {
        match name {
            "server" => self.examples.push(named(EXAMPLES, parser, |it| it.name)?),
            "attack" => self.attacks.push(named(ATTACKS, parser, |it| it.name)?),
            "peers" => self.peers = at_most(MAX_PEERS, value(parser)?)?,
            "seconds" => {
                let seconds = Duration::try_from_secs_f64(value(parser)?)?;
                self.duration = at_most(MAX_DURATION, seconds)?;
            }
            "url" => self.url = Some(value(parser)?),
            "ca" => self.ca = parser.value()?.into(),
            "pid" => self.pid = Some(value(parser)?),
            "max-kept" => self.bounds.max_kept_kib = 1024 * u64::from(value::<u32>(parser)?),
            "max-p99" => {
                let text = parser.value()?.string()?;
                let milliseconds: f64 = text.strip_suffix("ms").unwrap_or(&text).parse()?;
                let max = Duration::try_from_secs_f64(milliseconds / 1000.0)?;
                self.bounds.max_p99 = Some(max);
            }
            "no-build" => self.build = false,
            _ => return Err(Arg::Long(name).unexpected().into()),
        }
        Ok(())
    }

    /// What is not chosen is everything. Some attacks need a server that was started
    /// for them.
    fn complete(&mut self) {
        if self.examples.is_empty() {
            self.examples.extend(EXAMPLES);
        }
        if self.attacks.is_empty() {
            self.attacks.extend(ATTACKS);
        }
        if self.url.is_some() {
            self.attacks.retain(|attack| !attack.owns_server());
        }
    }
}

impl Default for Args {
    fn default() -> Self {
        Self {
            examples: Vec::new(),
            attacks: Vec::new(),
            peers: 50,
            duration: Duration::from_secs(3),
            url: None,
            pid: None,
            ca: PathBuf::new(),
            bounds: Bounds {
                max_kept_kib: 32 * 1024,
                max_p99: None,
            },
            build: true,
        }
    }
}

fn named<T>(
    all: &'static [T],
    parser: &mut Parser,
    name: fn(&T) -> &'static str,
) -> Result<&'static T, Box<dyn Error>> {
    let wanted = parser.value()?.string()?;
    let found = all.iter().find(|item| name(item) == wanted);
    found.ok_or_else(|| format!("{wanted:?} is not known: see --list").into())
}

fn value<T>(parser: &mut Parser) -> Result<T, lexopt::Error>
where
    T: FromStr<Err: Into<Box<dyn Error + Send + Sync + 'static>>>,
{
    parser.value()?.parse()
}

fn at_most<T: PartialOrd + std::fmt::Debug>(max: T, value: T) -> Result<T, String> {
    if value > max {
        return Err(format!("{value:?} is more than {max:?}"));
    }
    Ok(value)
}
