//! Server processes, and their memory and CPU time.

use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::cores;
use super::server::{Extra, Server};
use crate::measure;

/// The usage of this process, in words: heap bytes, resident bytes, CPU microseconds.
pub fn usage() -> String {
    format!("{} {} {}", measure::held(), resident(), cpu())
}

/// Resident bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = status
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0) * 4096
}

/// CPU microseconds of all threads.
pub fn cpu() -> u64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the call writes it, and zeroes are a valid value.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let micros = |time: libc::timeval| time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64;
    micros(usage.ru_utime) + micros(usage.ru_stime)
}

/// Raises the limit of open files to the hard limit, and returns it.
pub fn raise_files() -> io::Result<usize> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls get a valid `rlimit`.
    let is_raised = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 && {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit) == 0
        }
    };
    match is_raised {
        true => Ok(usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX)),
        false => Err(io::Error::last_os_error()),
    }
}

/// The usage of a server process.
pub struct Usage {
    pub held: isize,
    pub resident: usize,
    pub cpu: u64,
}

/// A running server.
pub struct Process {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    pub addr: SocketAddr,
}

impl Process {
    pub fn start(server: &Server, extra: Extra) -> io::Result<Self> {
        let core = cores::measured().to_string();
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", server.list(), server.name, &core, extra.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let addr = line.trim().parse().map_err(io::Error::other)?;
        Ok(Self {
            child,
            stdin,
            stdout,
            addr,
        })
    }

    pub fn usage(&mut self) -> io::Result<Usage> {
        self.stdin.write_all(b"\n")?;
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        let mut words = line.split_whitespace();
        let mut next = || words.next().unwrap_or_default();
        Ok(Usage {
            held: next().parse().map_err(io::Error::other)?,
            resident: next().parse().map_err(io::Error::other)?,
            cpu: next().parse().map_err(io::Error::other)?,
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
