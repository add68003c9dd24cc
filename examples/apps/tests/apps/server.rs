//! Examples that run as processes of their own.

use std::env;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A running server.
pub(crate) struct Server {
    child: Child,
    /// Open, so that it can go on printing.
    stdout: Option<BufReader<ChildStdout>>,
    /// Where it listens.
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start(name: &str) -> Self {
        Self::start_with(name, &[])
    }

    /// With more arguments.
    pub(crate) fn start_with(name: &str, args: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", name, args)
    }

    /// On this address.
    pub(crate) fn start_at(addr: &str, name: &str, args: &[&str]) -> Self {
        let mut command = Command::new(example(name));
        Self::spawn(command.arg(addr).args(args).arg(certificate(name)))
    }

    /// With so many descriptors, and what it reports in a file.
    pub(crate) fn start_limited(name: &str, descriptors: usize, log: &Path) -> Self {
        let mut command = Command::new("sh");
        command
            .args(["-c", r#"ulimit -n "$1"; exec "$0" 127.0.0.1:0"#])
            .arg(example(name))
            .arg(descriptors.to_string())
            .stderr(File::create(log).expect("a file"));
        Self::spawn(&mut command)
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").expect(&line);
        let url = format!("{url}/");
        Self {
            child,
            stdout: Some(stdout),
            url,
        }
    }

    /// Of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it prints, after its first line.
    pub(crate) fn take_stdout(&mut self) -> BufReader<ChildStdout> {
        self.stdout.take().expect("taken once")
    }

    /// As Ctrl-C does, and waits for its end.
    pub(crate) fn interrupt(mut self) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-INT", &id]).status();
        assert!(status.unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }

    /// Of its page.
    pub(crate) fn page(&self) -> String {
        self.url.replacen("ws", "http", 1)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where a server of TLS, of this name, writes its certificate.
pub(crate) fn certificate(name: &str) -> PathBuf {
    env::temp_dir().join(format!("sansocket-{name}-{}.pem", std::process::id()))
}

/// `cargo test --workspace` builds the examples beside the tests; what is not
/// there is built.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let folder = test.ancestors().nth(2).unwrap();
    let apps = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_app = apps.join(format!("{name}.rs")).exists() || apps.join(name).exists();
    let (built, args) = if is_app {
        (folder.join(name), &["sansocket-apps", "--bin"][..])
    } else {
        let built = folder.join("examples").join(name);
        (built, &["sansocket", "--all-features", "--example"][..])
    };
    if !built.exists() {
        let status = Command::new(env!("CARGO"))
            .args(["build", "-p"])
            .args(args)
            .arg(name)
            .status();
        assert!(status.unwrap().success());
    }
    built
}
