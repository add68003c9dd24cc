//! The programs `h3_echo` and `h3_client`, against each other and aioquic.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::link::file;
use crate::peers::aioquic;

struct Program {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Program {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The port of a server, which is the first that it says.
    fn port(&mut self) -> String {
        let line = self.line();
        assert!(line.starts_with("listening on wss://"), "{line}");
        line.rsplit(':').next().unwrap().to_owned()
    }

    /// As Ctrl-C does, and waits for the end.
    #[cfg(unix)]
    fn interrupt(self) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &id])
                .status()
                .unwrap()
                .success()
        );
        self.succeeds();
    }

    #[track_caller]
    fn succeeds(mut self) {
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut self.stdout, &mut rest).unwrap();
        assert!(self.child.wait().unwrap().success(), "{rest}");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn h3_echo(cert: &Path) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_h3_echo"));
    Program::start(command.arg("127.0.0.1:0").arg(cert))
}

/// Runs the client to its end, and returns what it said.
fn h3_client(port: &str, cert: &Path) -> (bool, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_h3_client"));
    let output = command
        .arg(format!("wss://localhost:{port}"))
        .arg(cert)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.success(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[track_caller]
fn assert_greeted((is_success, out, err): (bool, String, String)) {
    assert!(is_success, "{out}{err}");
    let mut lines: Vec<_> = out.lines().collect();
    lines.sort_unstable();
    let expected: Vec<_> = (0..10)
        .map(|n| format!("Some(\"I am number {n}\")"))
        .collect();
    assert_eq!(lines, expected);
}

#[cfg(unix)]
#[test]
fn h3_client_is_served_by_h3_echo() {
    let cert = file("cert.pem");
    let mut server = h3_echo(&cert);
    let port = server.port();
    assert_greeted(h3_client(&port, &cert));
    server.interrupt();
}

#[test]
fn certificate_of_another_is_not_trusted() {
    let (cert, other) = (file("cert.pem"), file("other.pem"));
    let (mut server, mut another) = (h3_echo(&cert), h3_echo(&other));
    another.port();
    let (is_success, _, err) = h3_client(&server.port(), &other);
    assert!(
        !is_success && err.contains("the connection is over: TLS alert 48"),
        "{err}"
    );
}

#[cfg(unix)]
#[test]
fn aioquic_client_is_served() {
    let Some(mut client) = aioquic("client.py") else {
        return;
    };
    let cert = file("cert.pem");
    let mut server = h3_echo(&cert);
    let mut client = Program::start(client.arg(server.port()).arg(&cert));
    // It is through, but for the end of the server.
    assert_eq!(client.line(), "waiting for 1001");
    server.interrupt();
    client.succeeds();
}

#[test]
fn aioquic_serves_h3_client() {
    let Some(mut server) = aioquic("server.py") else {
        return;
    };
    let (cert, key) = (file("cert.pem"), file("key.pem"));
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(&cert, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut server = Program::start(server.arg(&cert).arg(key));
    assert_greeted(h3_client(&server.port(), &cert));
}
