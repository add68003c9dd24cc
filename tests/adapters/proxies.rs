//! Behind nginx and HAProxy, with the configurations of examples/proxies: large
//! messages, pings, and connections that are idle for longer than the proxy
//! would wait. A proxy that is not installed is skipped, and the test says so,
//! unless REQUIRE_INTEROP=1.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use sansocket::{Config, Event, Message, blocking};

/// A proxy between two ports.
struct Proxy {
    child: Child,
    folder: PathBuf,
    addr: SocketAddr,
}

impl Proxy {
    /// `None` if it is not installed.
    fn start(name: &str, config: &str, upstream: SocketAddr) -> Option<Self> {
        let is_there = Command::new(name)
            .arg("-v")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok();
        if !is_there {
            assert!(
                env::var("REQUIRE_INTEROP").is_err(),
                "{name} is not installed"
            );
            println!("skipped: {name} is not installed");
            return None;
        }
        let addr = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("examples/proxies")
            .join(config);
        let text = fs::read_to_string(source).unwrap();
        let settings = [
            ("127.0.0.1:9080", addr.to_string()),
            ("127.0.0.1:9002", upstream.to_string()),
            ("75s", "2s".to_owned()),
            // So that nothing outlives the test.
            ("daemon off;", "daemon off; master_process off;".to_owned()),
        ];
        let text = settings.iter().fold(text, |text, (from, to)| {
            let is_there = text.contains(from) || config == "haproxy.cfg";
            assert!(is_there, "{config} has {from}");
            text.replace(from, to)
        });
        let folder = env::temp_dir().join(format!("sansocket-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(config), text).unwrap();
        let mut command = Command::new(name);
        match name {
            "nginx" => command
                .arg("-p")
                .arg(&folder)
                .arg("-c")
                .arg(folder.join(config)),
            _ => command.arg("-f").arg(folder.join(config)),
        };
        let child = command.spawn().unwrap();
        let proxy = Self {
            child,
            folder,
            addr,
        };
        let start = Instant::now();
        while TcpStream::connect(addr).is_err() {
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "{name} does not listen"
            );
            thread::sleep(Duration::from_millis(20));
        }
        Some(proxy)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Echoes on as many connections as come.
fn serve(config: &Config) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let config = config.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let config = config.clone();
            thread::spawn(move || {
                let mut ws = blocking::accept(stream.unwrap(), &config)?;
                while let Some(message) = ws.next()? {
                    ws.send(message)?;
                }
                Ok::<_, sansocket::Error>(())
            });
        }
    });
    addr
}

fn pass(name: &str, config: &str) {
    let settings = Config::new().with_ping_interval(Duration::from_millis(700));
    let Some(proxy) = Proxy::start(name, config, serve(&settings)) else {
        return;
    };
    let url = format!("ws://{}/", proxy.addr);
    let mut ws = blocking::connect(url, &settings).unwrap();
    for len in [0, 1, 125, 70_000, 8 << 20] {
        let payload: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
        ws.send(&payload).unwrap();
        assert!(
            ws.next().unwrap() == Some(Message::from(&payload)),
            "{len} bytes"
        );
    }
    ws.ping(b"through").unwrap();
    let pong = ws.next_event().unwrap();
    assert_eq!(pong, Some(Event::Pong(b"through".into())));

    // Twice as long as the proxy waits: the keepalive passes through.
    let start = Instant::now();
    let mut pings = 0;
    while start.elapsed() < Duration::from_secs(4) {
        match ws.next_event().unwrap() {
            Some(Event::Ping(_) | Event::Pong(_)) => pings += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(pings > 2, "{pings}");
    ws.send("still there").unwrap();
    assert_eq!(ws.next().unwrap(), Some("still there".into()));
    ws.close(4000, "done").unwrap();
    assert_eq!(ws.next().unwrap(), None);
    let outcome = ws.outcome().unwrap();
    assert!(outcome.clean && outcome.code == 4000.into());
}

#[test]
fn nginx_passes_everything() {
    pass("nginx", "nginx.conf");
}

#[test]
fn haproxy_passes_everything() {
    pass("haproxy", "haproxy.cfg");
}
