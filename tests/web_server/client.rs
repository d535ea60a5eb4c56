//! The other end of the wire: a client that says exactly what it is told to, an `Answer` of the
//! tests' own, and a server with it, in this process or in a child whose memory can be looked at.

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ace_connection_logger::config::DashboardConfig;
use ace_connection_logger::web::{Body, Handler, Limits, Reply, Request, WebServer};

/// A page of a long answer.
pub const PAGE_BYTES: usize = 16 * 1024;
/// Far more than anything here takes, so that what hangs fails.
const LONGEST: Duration = Duration::from_secs(10);

/// Answers with what it was asked, and with long answers whose pages it counts.
#[derive(Default)]
pub struct Echo {
    made: Arc<AtomicUsize>,
}

/// What a page of a long answer holds: digits that do not compress to nothing.
pub fn page(number: usize) -> Vec<u8> {
    let mut text = String::with_capacity(PAGE_BYTES + 16);
    let mut state = number as u64;
    while text.len() < PAGE_BYTES {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        text += &format!("{},", state >> 40);
    }
    text.truncate(PAGE_BYTES);
    text.into_bytes()
}

impl Handler for Echo {
    fn handle(&self, request: &Request) -> Reply {
        let whole = |content_type, etag: Option<&str>, text: String| Reply {
            etag: etag.map(String::from),
            ..Reply::ok(content_type, Body::Whole(text.into_bytes()))
        };
        match request.path.as_str() {
            "/api/echo" => whole("application/json", None, format!("{:?}", request.query)),
            "/api/tagged" => whole("application/json", Some("v1"), "[1]".into()),
            "/api/long" => whole("application/json", Some("v2"), "0123456789".repeat(500)),
            "/picture" => whole("image/png", None, "0123456789".repeat(500)),
            "/injected" => whole("text/plain", Some("a\r\nEvil: yes"), "x".into()),
            "/slow" => {
                self.made.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(400));
                whole("text/plain", None, "at last".into())
            }
            "/pages" | "/endless" => {
                let made = Arc::clone(&self.made);
                let last = if request.path == "/pages" {
                    20
                } else {
                    usize::MAX
                };
                let mut next = 0;
                let maker = move || {
                    next += 1;
                    made.fetch_add(1, Ordering::Relaxed);
                    // One page is empty, which must not look like the end.
                    (next <= last).then(|| if next == 3 { Vec::new() } else { page(next) })
                };
                Reply::ok("text/csv", Body::Chunks(Box::new(maker)))
            }
            path => Reply::error(404, format!("{path}: not found")),
        }
    }
}

/// 127.0.0.1 and any port.
pub fn config() -> DashboardConfig {
    DashboardConfig {
        port: 0,
        host: "127.0.0.1".into(),
        base_path: String::new(),
        allowed_hosts: vec![],
    }
}

/// A server of this process.
pub struct Server {
    pub web: WebServer,
    pub address: SocketAddr,
    made: Arc<AtomicUsize>,
}

impl Server {
    pub fn start(config: &DashboardConfig, limits: Limits) -> Server {
        let echo = Echo::default();
        let made = Arc::clone(&echo.made);
        let web = WebServer::start_with(config, Arc::new(echo), limits).expect("a port is free");
        let address = web.addresses()[0];
        Server { web, address, made }
    }

    pub fn usual() -> Server {
        Server::start(&config(), Limits::DEFAULT)
    }

    /// How many pages of long answers were made, or slow answers begun.
    pub fn pages_made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }

    pub fn client(&self) -> Client {
        Client::connect(self.address)
    }
}

/// A server in a process of its own.
pub struct ChildServer {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pub address: SocketAddr,
}

/// The test that is the child when this is in its environment.
pub const CHILD_VARIABLE: &str = "WEB_SERVER_TEST_CHILD";
const CHILD_TEST: &str = "the_server_of_the_other_tests";

impl ChildServer {
    /// Starts it with at most so many open files.
    pub fn start(files: u32) -> ChildServer {
        let script = format!("ulimit -n {files} && exec \"$0\" \"$@\"");
        let mut child = Command::new("sh")
            .args(["-c", &script])
            .arg(std::env::current_exe().expect("this program"))
            .args(["--exact", CHILD_TEST, "--nocapture", "--test-threads=1"])
            .env(CHILD_VARIABLE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let address = lines
            .find_map(|line| {
                line.expect("text")
                    .split_once("listening at ")
                    .and_then(|(_, address)| address.trim().parse().ok())
            })
            .expect("the child says where it listens");
        ChildServer {
            child,
            lines,
            address,
        }
    }

    /// What the child does: serves until its standard input ends. A line there makes it use up all
    /// its descriptors, the next one give them back.
    pub fn serve() {
        // As in the program itself, where a panic ends everything.
        std::panic::set_hook(Box::new(|info| {
            eprintln!("{info}");
            std::process::abort();
        }));
        let server = Server::usual();
        println!("listening at {}", server.address);
        let mut hoard = Vec::new();
        for line in std::io::stdin().lines() {
            line.expect("text");
            if hoard.is_empty() {
                hoard.extend(std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()));
            } else {
                hoard.clear();
            }
            println!("done");
        }
        std::process::exit(0);
    }

    /// Makes it use up all its descriptors, or give them back.
    pub fn turn_descriptors(&mut self) {
        self.child
            .stdin
            .as_mut()
            .expect("a pipe")
            .write_all(b"turn\n")
            .expect("it reads");
        assert!(self.lines.any(|line| line.expect("text").ends_with("done")));
    }

    /// A line of /proc/PID/status in kB: VmRSS what it has now, VmHWM the most it ever had.
    pub fn memory_kb(&self, name: &str) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status
            .lines()
            .find(|line| line.starts_with(name))
            .expect("the line");
        line.split_whitespace()
            .nth(1)
            .and_then(|number| number.parse().ok())
            .expect("a number")
    }

    pub fn threads(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/task", self.child.id()))
            .expect("it runs")
            .count()
    }

    /// Processor time so far, in hundredths of a second.
    pub fn cpu_ticks(&self) -> u64 {
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it runs");
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .expect("a name")
            .split_whitespace()
            .collect();
        fields[11].parse::<u64>().expect("utime") + fields[12].parse::<u64>().expect("stime")
    }

    pub fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// Asks for something small in the way a browser would, and fails when that takes a second.
    pub fn answers_as_ever(&self) {
        let began = Instant::now();
        let answer = self.client().get("/api/tagged");
        assert_eq!((answer.status, answer.text().as_str()), (200, "[1]"));
        assert!(
            began.elapsed() < Duration::from_secs(1),
            "{:?}",
            began.elapsed()
        );
    }
}

impl Drop for ChildServer {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let status = self.child.wait().expect("it ends");
        if !std::thread::panicking() {
            assert!(status.success(), "the server broke down: {status}");
        }
    }
}

/// An answer as it came over the wire, chunks joined.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answered {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self
            .headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} is there twice");
        value
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("text")
    }

    /// The body with its compression taken off.
    pub fn unpacked(&self) -> Vec<u8> {
        assert_eq!(self.header("Content-Encoding"), Some("gzip"));
        let mut out = Vec::new();
        flate2::read::GzDecoder::new(self.body.as_slice())
            .read_to_end(&mut out)
            .expect("a gzip file");
        out
    }
}

/// One connection.
pub struct Client {
    pub stream: TcpStream,
    read: BufReader<TcpStream>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect_timeout(&address, LONGEST).expect("a connection");
        stream.set_read_timeout(Some(LONGEST)).expect("a timeout");
        stream.set_write_timeout(Some(LONGEST)).expect("a timeout");
        let read = BufReader::new(stream.try_clone().expect("a descriptor"));
        Client { stream, read }
    }

    /// Sends bytes, and lets a server that has hung up be.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        drop(self.stream.write_all(bytes.as_ref()));
    }

    /// Sends a request with these further lines, each with its end.
    pub fn ask(&mut self, method: &str, target: &str, lines: &str) {
        self.send(format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n"
        ));
    }

    pub fn get(&mut self, target: &str) -> Answered {
        self.get_with(target, "")
    }

    pub fn get_with(&mut self, target: &str, lines: &str) -> Answered {
        self.ask("GET", target, lines);
        self.read()
    }

    pub fn head_with(&mut self, target: &str, lines: &str) -> Answered {
        self.ask("HEAD", target, lines);
        self.read_head()
    }

    /// Sends something and reads the answer to it.
    pub fn exchange(&mut self, bytes: impl AsRef<[u8]>) -> Answered {
        self.send(bytes);
        self.read()
    }

    pub fn read(&mut self) -> Answered {
        let mut answered = self.read_head();
        if answered.status == 304 {
            return answered;
        }
        if answered.header("Transfer-Encoding") == Some("chunked") {
            assert_eq!(answered.header("Content-Length"), None);
            loop {
                let mut line = String::new();
                self.read.read_line(&mut line).expect("a length");
                let len = usize::from_str_radix(line.trim(), 16)
                    .unwrap_or_else(|_| panic!("{line:?} is no length"));
                let mut chunk = vec![0; len + 2];
                self.read.read_exact(&mut chunk).expect("a chunk");
                assert_eq!(&chunk[len..], b"\r\n");
                answered.body.extend_from_slice(&chunk[..len]);
                if len == 0 {
                    return answered;
                }
            }
        }
        match answered
            .header("Content-Length")
            .map(|len| len.parse().expect("a number"))
        {
            Some(len) => {
                answered.body = vec![0; len];
                self.read.read_exact(&mut answered.body).expect("the body");
            }
            None => drop(self.read.read_to_end(&mut answered.body).expect("the body")),
        }
        answered
    }

    pub fn read_head(&mut self) -> Answered {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            assert_ne!(
                self.read.read_line(&mut line).expect("a line"),
                0,
                "hung up after {lines:?}"
            );
            match line.strip_suffix("\r\n").expect("an end") {
                "" => break,
                line => lines.push(line.to_string()),
            }
        }
        let status = lines[0]
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3))
            .expect("a status line");
        let split = |line: &String| {
            line.split_once(": ")
                .map(|(name, value)| (name.into(), value.into()))
                .expect("a header")
        };
        Answered {
            status: status.parse().expect("a number"),
            headers: lines[1..].iter().map(split).collect(),
            body: vec![],
        }
    }

    /// Whether an answer, or the end, has begun to come.
    pub fn has_something_to_read(&mut self) -> bool {
        self.stream.set_nonblocking(true).expect("an option");
        let found = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).expect("an option");
        found.is_ok()
    }

    /// Whether the server has closed this connection in order: by an end, not by a reset.
    pub fn ends(&mut self) -> bool {
        matches!(self.read.read(&mut [0]), Ok(0))
    }

    /// Whether the server has closed this connection, or does within `longest`.
    pub fn is_closed_within(&mut self, longest: Duration) -> bool {
        self.stream
            .set_read_timeout(Some(longest))
            .expect("a timeout");
        let until = Instant::now() + longest;
        let mut bytes = [0; 4096];
        while Instant::now() < until {
            match self.read.read(&mut bytes) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
            }
        }
        false
    }
}
