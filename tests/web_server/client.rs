//! A client that sends exactly the given bytes, a test handler, and a server with this handler, in
//! this process or in a child process whose memory can be measured.

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ace_connection_logger::config::DashboardConfig;
use ace_connection_logger::web::{
    Body, Chunks, Handler, Limits, Reply, Request, WebServer, Weight,
};

/// Size of a chunk of a long response.
pub const CHUNK_BYTES: usize = 16 * 1024;
/// Far longer than anything here takes, so that a test that hangs fails.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// Echoes queries, and sends long responses whose chunks it counts.
#[derive(Default)]
pub struct TestHandler {
    made: Arc<AtomicUsize>,
}

/// A chunk of a long response: digits that do not compress to nothing.
pub fn chunk(number: usize) -> Vec<u8> {
    let mut text = String::with_capacity(CHUNK_BYTES + 16);
    let mut state = number as u64;
    while text.len() < CHUNK_BYTES {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        text += &format!("{},", state >> 40);
    }
    text.truncate(CHUNK_BYTES);
    text.into_bytes()
}

/// Not compressible, and longer than what the system keeps for a client that reads nothing.
pub const LARGE_BYTES: usize = 6 * 1024 * 1024;

impl Handler for TestHandler {
    fn weight(&self, request: &Request) -> Option<Weight> {
        match request.path.as_str() {
            "/heavy" => Some(Weight::Heavy),
            "/large" => Some(Weight::Light),
            _ => None,
        }
    }

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
            "/heavy" => {
                let before = self.made.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(100));
                let after = self.made.load(Ordering::SeqCst);
                whole("text/plain", None, format!("{}", after - before))
            }
            "/large" => whole(
                "image/png",
                None,
                "0123456789abcdef".repeat(LARGE_BYTES / 16),
            ),
            "/question" => {
                self.made.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_secs(4));
                whole("text/plain", None, "42".into())
            }
            "/chunks" | "/endless" => {
                let made = Arc::clone(&self.made);
                let last = if request.path == "/chunks" {
                    20
                } else {
                    usize::MAX
                };
                let mut next = 0;
                let maker = move || {
                    next += 1;
                    made.fetch_add(1, Ordering::Relaxed);
                    // One chunk is empty, which must not look like the end.
                    (next <= last).then(|| if next == 3 { Vec::new() } else { chunk(next) })
                };
                let chunks = Chunks {
                    next: Box::new(maker),
                    held_bytes: 2 * CHUNK_BYTES,
                };
                Reply::ok("text/csv", Body::Chunks(chunks))
            }
            path => Reply::error(404, format!("{path}: not found")),
        }
    }
}

/// Listens on 127.0.0.1 at any free port.
pub fn config() -> DashboardConfig {
    DashboardConfig {
        port: 0,
        host: "127.0.0.1".into(),
        base_path: String::new(),
        allowed_hosts: vec![],
    }
}

/// A server in this process.
pub struct Server {
    pub web: WebServer,
    pub address: SocketAddr,
    made: Arc<AtomicUsize>,
}

impl Server {
    pub fn start(config: &DashboardConfig, limits: Limits) -> Server {
        let handler = TestHandler::default();
        let made = Arc::clone(&handler.made);
        let web = WebServer::start_with(config, Arc::new(handler), limits).expect("a port is free");
        let address = web.addresses()[0];
        Server { web, address, made }
    }

    pub fn with_default_limits() -> Server {
        Server::start(&config(), Limits::DEFAULT)
    }

    /// Number of chunks of long responses that were made, and of slow responses that were begun.
    pub fn chunks_made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }

    pub fn client(&self) -> Client {
        Client::connect(self.address)
    }
}

/// A server in its own process.
pub struct ChildServer {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pub address: SocketAddr,
}

/// The environment variable with which [`CHILD_TEST`] runs as the child.
pub const CHILD_VARIABLE: &str = "WEB_SERVER_TEST_CHILD";
const CHILD_TEST: &str = "the_server_of_the_other_tests";

impl ChildServer {
    /// Starts it with a limit of open files.
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
            .expect("the child prints its address");
        ChildServer {
            child,
            lines,
            address,
        }
    }

    /// Runs in the child: serves until its standard input ends. At one line there it uses up all
    /// descriptors, at the next one it closes them again.
    pub fn serve() {
        // As in the program itself, where a panic ends the process.
        ace_connection_logger::sys::share_memory();
        std::panic::set_hook(Box::new(|info| {
            eprintln!("{info}");
            std::process::abort();
        }));
        let server = Server::with_default_limits();
        println!("listening at {}", server.address);
        let mut held = Vec::new();
        for line in std::io::stdin().lines() {
            line.expect("text");
            if held.is_empty() {
                held.extend(std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()));
            } else {
                held.clear();
            }
            println!("done");
        }
        std::process::exit(0);
    }

    /// Makes it use up all descriptors, or close them again.
    pub fn toggle_descriptors(&mut self) {
        self.child
            .stdin
            .as_mut()
            .expect("a pipe")
            .write_all(b"toggle\n")
            .expect("it reads");
        assert!(self.lines.any(|line| line.expect("text").ends_with("done")));
    }

    /// A line of /proc/PID/status in kB: `VmRSS` the memory in use, `VmHWM` its maximum so far.
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

    /// Processor time so far, in clock ticks of 10 ms.
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

    /// Sends a small request as a browser would, and fails when the response takes a second.
    pub fn assert_responsive(&self) {
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
            assert!(status.success(), "the server crashed: {status}");
        }
    }
}

/// A response as received, with its chunks joined.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self
            .headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "there are two headers {name}");
        value
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("text")
    }

    /// The decompressed body.
    pub fn decompressed(&self) -> Vec<u8> {
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
        let stream = TcpStream::connect_timeout(&address, MAX_WAIT).expect("a connection");
        stream.set_read_timeout(Some(MAX_WAIT)).expect("a timeout");
        stream.set_write_timeout(Some(MAX_WAIT)).expect("a timeout");
        let read = BufReader::new(stream.try_clone().expect("a descriptor"));
        Client { stream, read }
    }

    /// Sends bytes. It is no error that the server has closed the connection.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        drop(self.stream.write_all(bytes.as_ref()));
    }

    /// Sends a request with further header lines, each with its line end.
    pub fn send_request(&mut self, method: &str, target: &str, lines: &str) {
        self.send(format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n"
        ));
    }

    pub fn get(&mut self, target: &str) -> Response {
        self.get_with(target, "")
    }

    pub fn get_with(&mut self, target: &str, lines: &str) -> Response {
        self.send_request("GET", target, lines);
        self.read()
    }

    pub fn head_with(&mut self, target: &str, lines: &str) -> Response {
        self.send_request("HEAD", target, lines);
        self.read_head()
    }

    /// Sends bytes and reads the response.
    pub fn exchange(&mut self, bytes: impl AsRef<[u8]>) -> Response {
        self.send(bytes);
        self.read()
    }

    pub fn read(&mut self) -> Response {
        let mut response = self.read_head();
        if response.status == 304 {
            return response;
        }
        if response.header("Transfer-Encoding") == Some("chunked") {
            assert_eq!(response.header("Content-Length"), None);
            loop {
                let mut line = String::new();
                self.read.read_line(&mut line).expect("a length");
                let len = usize::from_str_radix(line.trim(), 16)
                    .unwrap_or_else(|_| panic!("{line:?} is not a length"));
                let mut chunk = vec![0; len + 2];
                self.read.read_exact(&mut chunk).expect("a chunk");
                assert_eq!(&chunk[len..], b"\r\n");
                response.body.extend_from_slice(&chunk[..len]);
                if len == 0 {
                    return response;
                }
            }
        }
        match response
            .header("Content-Length")
            .map(|len| len.parse().expect("a number"))
        {
            Some(len) => {
                response.body = vec![0; len];
                self.read.read_exact(&mut response.body).expect("the body");
            }
            None => drop(self.read.read_to_end(&mut response.body).expect("the body")),
        }
        response
    }

    pub fn read_head(&mut self) -> Response {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            assert_ne!(
                self.read.read_line(&mut line).expect("a line"),
                0,
                "closed after {lines:?}"
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
        Response {
            status: status.parse().expect("a number"),
            headers: lines[1..].iter().map(split).collect(),
            body: vec![],
        }
    }

    /// Whether a response or the end of the connection has arrived.
    pub fn is_readable(&mut self) -> bool {
        self.stream.set_nonblocking(true).expect("an option");
        let found = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).expect("an option");
        found.is_ok()
    }

    /// Whether the server has closed this connection without a reset.
    pub fn ends_without_reset(&mut self) -> bool {
        matches!(self.read.read(&mut [0]), Ok(0))
    }

    /// Whether the server closes this connection within `max_wait`, or has closed it already.
    pub fn is_closed_within(&mut self, max_wait: Duration) -> bool {
        self.stream
            .set_read_timeout(Some(max_wait))
            .expect("a timeout");
        let until = Instant::now() + max_wait;
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
