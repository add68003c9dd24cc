//! Examples that run as processes of their own.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

/// A running server.
pub struct Server {
    child: Child,
    /// Open, so that it can go on printing.
    _stdout: BufReader<ChildStdout>,
    /// Where it listens.
    pub url: String,
}

impl Server {
    pub fn start(name: &str) -> Self {
        let mut child = Command::new(example(name))
            .arg("127.0.0.1:0")
            // Where one of TLS writes its certificate.
            .arg(env::temp_dir().join(format!("sansocket-{name}-{}.pem", std::process::id())))
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").expect(&line);
        let url = format!("{url}/");
        Self {
            child,
            _stdout: stdout,
            url,
        }
    }

    /// Of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// As Ctrl-C does, and waits for its end.
    #[cfg(unix)]
    pub fn interrupt(mut self) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-INT", &id]).status();
        assert!(status.unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }

    /// Of its page.
    pub fn page(&self) -> String {
        self.url.replacen("ws", "http", 1)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `cargo test` builds the examples beside the tests.
pub fn example(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let built = test.ancestors().nth(2).unwrap().join("examples").join(name);
    if !built.exists() {
        let features = [
            ("deflate", cfg!(feature = "deflate")),
            ("tokio", cfg!(feature = "tokio")),
            ("futures", cfg!(feature = "futures")),
            ("h2", cfg!(feature = "h2")),
            ("hyper", cfg!(feature = "hyper")),
        ];
        let features = features.iter().filter(|(_, is_on)| *is_on);
        let features: Vec<_> = features.map(|(name, _)| *name).collect();
        let built = Command::new(env!("CARGO"))
            .args(["build", "--example", name, "--features"])
            .arg(features.join(","))
            .status();
        assert!(built.unwrap().success());
    }
    built
}
