//! `wscat` as scripts use it: what it prints, and its exit status.

use std::io::{BufRead, BufReader, Read, Write, copy};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use sansocket::{Config, blocking};
use serde_json::Value;

use crate::server::{Server, certificate, example};

fn wscat(args: &[&str]) -> Command {
    let mut command = Command::new(example("wscat"));
    command.args(args);
    command
}

/// What it did with these lines on standard input.
fn with_input(args: &[&str], input: &str) -> Output {
    let pipes = || Stdio::piped();
    let mut child = wscat(args)
        .stdin(pipes())
        .stdout(pipes())
        .stderr(pipes())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may have ended already.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn prints(args: &[&str], expected: &str) -> String {
    let output = wscat(args).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    stderr(&output)
}

#[track_caller]
fn fails(args: &[&str], status: i32, expected: &str) {
    let output = wscat(args).output().unwrap();
    assert_eq!(output.status.code(), Some(status), "{args:?}: {output:?}");
    assert!(stderr(&output).contains(expected), "{output:?}");
}

/// Serves one connection, and returns the URL.
fn serve(
    scheme: &str,
    run: impl FnOnce(TcpStream) -> std::io::Result<()> + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("{scheme}://{}", listener.local_addr().unwrap());
    thread::spawn(move || run(listener.accept().unwrap().0));
    url
}

#[test]
fn lines_become_messages() {
    let server = Server::start("echo_tokio");
    let output = with_input(&[&server.url], "hello\n\ngrüße\n");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello\n\ngrüße\n");
    assert_eq!(stderr(&output), "closed by this client with 1000\n");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn messages_come_from_arguments_and_files_in_order() {
    let server = Server::start("echo_tokio");
    let file = env::temp_dir().join(format!("sansocket-wscat-{}", std::process::id()));
    fs::write(&file, b"\x00a\n").unwrap();
    let binary = ["--binary", file.to_str().unwrap()];
    let args = [&["-m", "one"], &binary[..], &["-m", "two", &server.url]].concat();
    prints(&args, "one\n\\x00a\\n\ntwo\n");
    let json = r#"{"b":1,"a":[]}"#;
    prints(
        &["--json", "-m", json, "-m", "{", &server.url],
        "{\n  \"b\": 1,\n  \"a\": []\n}\n{\n",
    );
    fs::remove_file(file).unwrap();
}

#[test]
fn verbose_shows_what_was_agreed_on() {
    let server = Server::start("echo_tokio");
    let shown = prints(&["-v", "-s", "echo", "-m", "", &server.url], "\n");
    assert!(shown.contains("< Sec-WebSocket-Protocol: echo\n"));
    assert!(shown.contains("* compression: permessage-deflate"));
    assert!(shown.contains("* received 1 messages"));
    let shown = prints(&["-v", "--no-deflate", "-m", "", &server.url], "\n");
    assert!(shown.contains("* no compression\n"));
}

#[test]
fn certificates_are_checked_unless_told_otherwise() {
    for (name, version) in [("wss_server", &[][..]), ("h2_echo", &["--http2"])] {
        let server = Server::start(name);
        let (url, ca) = (
            server.url.replace("127.0.0.1", "localhost"),
            certificate(name),
        );
        let args = [version, &["-m", "hi", &url]].concat();
        prints(
            &[&args[..], &["--ca", ca.to_str().unwrap()]].concat(),
            "hi\n",
        );
        prints(&[&args[..], &["--insecure"]].concat(), "hi\n");
        fails(&args, 2, "UnknownIssuer");
    }
}

#[test]
fn proxy_leads_to_the_server() {
    let server = Server::start("echo_tokio");
    let address: SocketAddr = server.url.split('/').nth(2).unwrap().parse().unwrap();
    let proxy = serve("http", move |client| {
        let mut head = BufReader::new(client.try_clone()?);
        let mut line = String::new();
        head.read_line(&mut line)?;
        assert_eq!(line, format!("CONNECT {address} HTTP/1.1\r\n"));
        while line != "\r\n" {
            line.clear();
            head.read_line(&mut line)?;
        }
        let upstream = TcpStream::connect(address)?;
        (&client).write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        let (mut from, mut to) = (upstream.try_clone()?, client.try_clone()?);
        thread::spawn(move || copy(&mut from, &mut to));
        copy(&mut head, &mut &upstream).map(drop)
    });
    prints(&["--proxy", &proxy, "-m", "hi", &server.url], "hi\n");
}

#[test]
fn exit_status_says_what_failed() {
    let echo = Server::start("echo_tokio");
    fails(&[], 1, "no URL");
    fails(&["--nope", &echo.url], 1, "invalid option '--nope'");
    fails(&["http://localhost"], 1, "scheme");
    fails(&["--binary", "/nonexistent", &echo.url], 1, "/nonexistent");
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let unused = format!("ws://{}", unused.unwrap());
    fails(&["-m", "hi", &unused], 2, "connecting");
    fails(
        &["--proxy", &unused.replace("ws", "socks5"), &echo.url],
        2,
        "connecting",
    );
    let axum = Server::start("axum");
    fails(
        &[&format!("{}chat", axum.url)],
        3,
        "refused with HTTP status 401",
    );
    let other = serve("ws", |mut client| {
        client.write_all(b"220 smtp.example\r\n\r\n")
    });
    fails(&["-m", "hi", &other], 4, "opening handshake");
    let vanishing = serve("ws", |client| {
        drop(blocking::accept(client, &Config::new()));
        Ok(())
    });
    fails(&["-w", "9", "-m", "hi", &vanishing], 4, "");
    let closing = serve("ws", |client| {
        let mut ws = blocking::accept(client, &Config::new())?;
        ws.close(4001, "enough")?;
        while ws.next()?.is_some() {}
        Ok(())
    });
    fails(
        &["-w", "9", "-m", "hi", &closing],
        5,
        "closed by the server with 4001 \"enough\"",
    );
}

#[test]
fn ctrl_c_closes_in_order() {
    let server = Server::start("echo_tokio");
    let mut child = wscat(&[&server.url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"a\n").unwrap();
    // It is in its loop.
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut [0; 2])
        .unwrap();
    let id = child.id().to_string();
    Command::new("kill").args(["-INT", &id]).status().unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < Duration::from_secs(20), "it goes on");
        thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(stderr(&output), "closed by this client with 1000\n");
    assert_eq!(output.status.code(), Some(0));
}

fn measured(args: &[&str]) -> Value {
    let output = wscat(args).arg("--json").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn pings_are_timed() {
    let server = Server::start("echo_tokio");
    let result = measured(&["--ping", "3", "--interval", "0.01", &server.url]);
    assert_eq!(result["times_ms"].as_array().unwrap().len(), 3);
    let [min, mean, max] = ["min_ms", "mean_ms", "max_ms"].map(|key| result[key].as_f64().unwrap());
    assert!(min > 0.0 && min <= mean && mean <= max && max < 10_000.0);
}

#[test]
fn bench_counts_what_was_echoed() {
    let server = Server::start("echo_tokio");
    let load = [
        "--bench",
        "--connections",
        "3",
        "--size",
        "1000",
        "--seconds",
        "0.5",
    ];
    let args = [&load[..], &[&server.url]].concat();
    let result = measured(&args);
    let number = |key: &str| result[key].as_f64().unwrap();
    assert_eq!((number("connections"), number("size")), (3.0, 1000.0));
    assert!(number("messages") > 0.0);
    assert!(number("p50_ms") <= number("p90_ms") && number("p90_ms") <= number("p99_ms"));
    // 20 messages a second, for half a second.
    let result = measured(&[&args[..], &["--rate", "20"]].concat());
    assert_eq!(result["messages"], 10);
}
