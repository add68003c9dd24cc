//! The example servers as child processes, and what they cost.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use crate::attacks::Attack;
use crate::target::Target;

/// How long a server may take to stop: the handshake's and the closing deadline of
/// the library, 10 s and 5 s.
const MAX_STOP: Duration = Duration::from_secs(15);

/// An example that echoes.
pub(crate) struct Example {
    pub(crate) name: &'static str,
    pub(crate) shows: &'static str,
    /// Whether an interrupt makes it close every connection with 1001. Otherwise, the
    /// interrupt ends the process.
    pub(crate) is_graceful: bool,
    is_app: bool,
    is_http2: bool,
    can_deflate: bool,
}

impl Example {
    const fn new(name: &'static str, shows: &'static str) -> Self {
        Self {
            name,
            shows,
            is_graceful: false,
            is_app: false,
            is_http2: false,
            can_deflate: true,
        }
    }

    const fn graceful(mut self) -> Self {
        self.is_graceful = true;
        self
    }

    const fn app(mut self) -> Self {
        self.is_app = true;
        self
    }

    const fn http2(mut self) -> Self {
        self.is_http2 = true;
        self
    }

    const fn without_deflate(mut self) -> Self {
        self.can_deflate = false;
        self
    }

    pub(crate) fn suits(&self, attack: &Attack) -> bool {
        let can_limit = cfg!(unix) || attack.descriptors().is_none();
        can_limit && (self.can_deflate || !attack.needs_deflate())
    }

    fn path(&self) -> io::Result<PathBuf> {
        let this = env::current_exe()?;
        let folder = if self.is_app { "" } else { "examples" };
        let file = format!("{}{}", self.name, env::consts::EXE_SUFFIX);
        Ok(this.with_file_name(folder).join(file))
    }
}

pub(crate) const EXAMPLES: &[Example] = &[
    Example::new("echo_server", "blocking, a thread for each connection").graceful(),
    Example::new(
        "sans_io_server",
        "the core over std::net, without deadlines",
    )
    .without_deflate(),
    Example::new("mio_echo", "the core in a readiness loop of one thread").without_deflate(),
    Example::new("io_uring", "the core over completions, one thread").app(),
    Example::new("echo_tokio", "tokio").graceful(),
    Example::new("echo_smol", "smol, one thread")
        .graceful()
        .app(),
    Example::new("hyper", "hyper").app(),
    Example::new("axum", "axum").graceful().app(),
    Example::new("wss_server", "tokio, with TLS").app(),
    Example::new("h2_echo", "HTTP/2, with TLS").app().http2(),
];

/// Builds these servers, with the profile of this program.
pub(crate) fn build(examples: &[&Example]) -> Result<(), Box<dyn Error>> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args(["build", "-p", "sansocket", "-p", "sansocket-apps"]);
    command.arg("--all-features");
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    for example in examples {
        let kind = if example.is_app { "--bin" } else { "--example" };
        command.args([kind, example.name]);
    }
    if command.status()?.success() {
        Ok(())
    } else {
        Err("a server cannot be built".into())
    }
}

/// A running server.
pub(crate) enum Server {
    Started(Started),
    /// The process of a server that somebody else started.
    Foreign(Option<u32>),
}

pub(crate) struct Started {
    child: Child,
    /// Open, so that it can go on printing.
    stdout: BufReader<ChildStdout>,
    log: PathBuf,
}

impl Server {
    /// Starts it on a free port, with at most so many descriptors.
    pub(crate) fn start(
        example: &Example,
        descriptors: Option<usize>,
    ) -> Result<(Self, Target), Box<dyn Error>> {
        let file = |end| env::temp_dir().join(format!("sansocket-attack-{}.{end}", process::id()));
        let (log, certificate) = (file("log"), file("pem"));
        let mut child = command(&example.path()?, descriptors)
            .arg("127.0.0.1:0")
            .arg(&certificate)
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .spawn()
            .map_err(|error| format!("{}: {error}", example.name))?;
        let stdout = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut started = Started { child, stdout, log };
        let url = started.url()?;
        let target = Target::new(&url, &certificate, example.is_http2)?;
        // Only servers with TLS write one.
        let _ = fs::remove_file(certificate);
        Ok((Self::Started(started), target))
    }

    /// What is resident now, in KiB. Only Linux tells it.
    pub(crate) fn resident_kib(&self) -> Option<u64> {
        self.status("VmRSS:")
    }

    /// The most that was resident, in KiB.
    pub(crate) fn peak_kib(&self) -> Option<u64> {
        self.status("VmHWM:")
    }

    /// A field of proc_pid_status(5).
    fn status(&self, field: &str) -> Option<u64> {
        let pid = match self {
            Self::Started(server) => server.child.id(),
            Self::Foreign(pid) => (*pid)?,
        };
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let value = status.lines().find_map(|line| line.strip_prefix(field))?;
        value.split_whitespace().next()?.parse().ok()
    }

    /// Interrupts it as Ctrl-C does, and returns what was wrong with its end. One that
    /// somebody else started goes on.
    pub(crate) fn stop(&mut self, is_graceful: bool) -> Vec<String> {
        match self {
            Self::Started(server) => server.stop(is_graceful),
            Self::Foreign(_) => Vec::new(),
        }
    }
}

impl Started {
    /// Where it listens, from its first line.
    fn url(&mut self) -> Result<String, Box<dyn Error>> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        let url = line.trim().strip_prefix("listening on ");
        Ok(format!("{}/", url.ok_or("the server does not start")?))
    }

    fn stop(&mut self, is_graceful: bool) -> Vec<String> {
        let mut faults = self.panics();
        match self.child.try_wait() {
            Ok(None) => faults.extend(self.interrupt(is_graceful)),
            Ok(Some(status)) => faults.push(format!("the server ended with {status}")),
            Err(error) => faults.push(error.to_string()),
        }
        faults
    }

    fn panics(&self) -> Vec<String> {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let panics = log.lines().filter(|line| line.contains(" panicked at "));
        panics.map(str::to_owned).take(1).collect()
    }

    fn interrupt(&mut self, is_graceful: bool) -> Option<String> {
        if let Err(error) = interrupt(&self.child) {
            return Some(format!("no interrupt: {error}"));
        }
        let start = Instant::now();
        while start.elapsed() < MAX_STOP {
            match self.child.try_wait() {
                Ok(None) => thread::sleep(Duration::from_millis(20)),
                Ok(Some(status)) if is_orderly(status, is_graceful) => return None,
                Ok(Some(status)) => return Some(format!("stopped with {status}")),
                Err(error) => return Some(error.to_string()),
            }
        }
        Some(format!("not stopped within {MAX_STOP:?}"))
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.log);
    }
}

fn command(path: &Path, descriptors: Option<usize>) -> Command {
    let Some(descriptors) = descriptors else {
        return Command::new(path);
    };
    let mut shell = Command::new("sh");
    shell
        .args(["-c", r#"ulimit -n "$1"; shift; exec "$0" "$@""#])
        .arg(path)
        .arg(descriptors.to_string());
    shell
}

fn interrupt(child: &Child) -> io::Result<()> {
    let id = child.id().to_string();
    let mut command = if cfg!(unix) {
        Command::new("kill")
    } else {
        Command::new("taskkill")
    };
    let signal: &[_] = if cfg!(unix) {
        &["-INT"]
    } else {
        &["/F", "/PID"]
    };
    let status = command
        .args(signal)
        .arg(id)
        .stdout(Stdio::null())
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(status.to_string()))
    }
}

/// Whether a server ended as it should after an interrupt.
#[cfg(unix)]
fn is_orderly(status: ExitStatus, is_graceful: bool) -> bool {
    use std::os::unix::process::ExitStatusExt;

    const SIGINT: i32 = 2;
    status.success() || !is_graceful && status.signal() == Some(SIGINT)
}

#[cfg(not(unix))]
fn is_orderly(_: ExitStatus, _: bool) -> bool {
    true
}
