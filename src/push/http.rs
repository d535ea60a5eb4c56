//! Sends one request to a server by HTTP/1.1 and reads the reply. The server may hang, send
//! anything, or close at any time: the whole exchange ends by its deadline or when the stop flag is
//! raised, and little of a reply is kept. Redirects are not followed. Cargo.toml says, at httparse,
//! why it is not a client from elsewhere.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use crate::config::PushUrl;
use crate::net::{Machine, Target, ThisMachine, connect};
use crate::pure::phrase::is_unprintable;
use crate::pure::time::Monotonic;
use crate::stop::Stop;
use crate::sys;

pub struct Request<'a> {
    pub url: &'a PushUrl,
    /// Names and values, besides those that every request has.
    pub headers: &'a [(&'static str, String)],
    pub body: &'a [u8],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    /// The words after the status, such as `Bad Request`.
    pub reason: String,
    /// How long the server asks to be left alone.
    pub retry_after: Option<Duration>,
    /// The beginning of the body, on one line.
    pub words: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpError {
    Stopped,
    /// Why there is no reply.
    Failed(String),
}

/// How long a read or write waits before the stop flag is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// A head or a part of a body that is longer is not read.
const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;
const MAX_BODY_BYTES: usize = 2048;
const MAX_WORDS: usize = 300;
const MAX_REASON: usize = 60;

/// When an exchange ends at the latest.
struct Limits<'a> {
    until: Monotonic,
    stop: &'a Stop,
}

/// Sends a POST request and returns the reply of the server.
pub fn post(request: &Request<'_>, timeout: Duration, stop: &Stop) -> Result<Reply, HttpError> {
    let until = sys::monotonic().after(timeout);
    let limits = Limits { until, stop };
    let failed = |operation: &str, error: io::Error| match error.kind() {
        ErrorKind::Interrupted if stop.is_raised() => HttpError::Stopped,
        ErrorKind::TimedOut => {
            HttpError::Failed(format!("{operation}: no answer within {timeout:?}"))
        }
        _ => HttpError::Failed(format!("{operation}: {error}")),
    };
    let mut stream = open(request.url, &limits).map_err(|error| failed("connecting", error))?;
    // It may reply, and close, before it has read everything: then the reply says why.
    let sent = write_all(&mut stream, head_of(request).as_bytes(), &limits)
        .and_then(|()| write_all(&mut stream, request.body, &limits));
    match (read_reply(&mut stream, &limits), sent) {
        (Ok(reply), _) => Ok(reply),
        (Err(_), Err(error)) => Err(failed("sending", error)),
        (Err(error), Ok(())) => Err(failed("waiting for the reply", error)),
    }
}

fn open(url: &PushUrl, limits: &Limits<'_>) -> io::Result<TcpStream> {
    let mut failure = None;
    for target in look_up(url.host.as_str(), limits)? {
        match connect(&target, url.port, limits.until, limits.stop) {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
            // The first address is the one that the system prefers.
            Err(error) => failure = failure.or(Some(named(error, &target))),
        }
    }
    Err(failure.unwrap_or_else(|| ErrorKind::AddrNotAvailable.into()))
}

/// The addresses of a host. The system's resolver may take a minute, in a thread of its own.
fn look_up(host: &str, limits: &Limits<'_>) -> io::Result<Vec<Target>> {
    let answers = ThisMachine.look_up(host)?;
    loop {
        match ThisMachine.answer(&answers, limits.next_wait()?) {
            Ok(found) => return Ok(found?.into_iter().map(Target::from).collect()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(io::Error::other("the lookup ended without a result"));
            }
        }
    }
}

/// Which address it was, unless the time is over.
fn named(error: io::Error, target: &Target) -> io::Error {
    match error.kind() {
        ErrorKind::TimedOut => error,
        kind => io::Error::new(kind, format!("{}: {error}", target.ip)),
    }
}

fn head_of(request: &Request<'_>) -> String {
    let url = request.url;
    let mut head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {}/{}\r\nConnection: close\r\nContent-Length: {}\r\n",
        url.target,
        url.authority(),
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_VERSION"),
        request.body.len()
    );
    for (name, value) in request.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head + "\r\n"
}

fn write_all(stream: &mut TcpStream, mut bytes: &[u8], limits: &Limits<'_>) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.set_write_timeout(Some(limits.next_wait()?))?;
        match stream.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(len) => bytes = bytes.get(len..).unwrap_or_default(),
            Err(error) if is_retried(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Limits<'_> {
    /// How long the next read or write may wait. An error when the time is over.
    fn next_wait(&self) -> io::Result<Duration> {
        if self.stop.is_raised() {
            return Err(ErrorKind::Interrupted.into());
        }
        let left = self.until.since(sys::monotonic());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        Ok(left.min(POLL_INTERVAL))
    }
}

fn is_retried(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

/// Adds what the server sends next; `false` at the end.
fn read_more(stream: &mut TcpStream, to: &mut Vec<u8>, limits: &Limits<'_>) -> io::Result<bool> {
    let mut piece = [0; 1024];
    loop {
        stream.set_read_timeout(Some(limits.next_wait()?))?;
        match stream.read(&mut piece) {
            Ok(0) => return Ok(false),
            Ok(len) => {
                to.extend_from_slice(piece.get(..len).unwrap_or_default());
                return Ok(true);
            }
            Err(error) if is_retried(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

fn read_reply(stream: &mut TcpStream, limits: &Limits<'_>) -> io::Result<Reply> {
    let mut received = Vec::new();
    let (len, head) = loop {
        match parse_head(&received)? {
            // One that only says that another will follow.
            Some((len, head)) if head.reply.status < 200 => {
                received.drain(..len.min(received.len()));
                continue;
            }
            Some(found) => break found,
            None if received.len() >= MAX_HEAD_BYTES => {
                return Err(garbage("its head is too long"));
            }
            None => {}
        }
        if !read_more(stream, &mut received, limits)? {
            return Err(garbage(
                "the connection was closed before the reply was complete",
            ));
        }
    };
    let Head {
        mut reply,
        body_len,
        is_chunked,
    } = head;
    if !(200..300).contains(&reply.status) {
        let end = len.saturating_add(body_len.unwrap_or(MAX_BODY_BYTES).min(MAX_BODY_BYTES));
        // What there is of it will do.
        while received.len() < end && read_more(stream, &mut received, limits).unwrap_or(false) {}
        let body = received
            .get(len..end.min(received.len()))
            .unwrap_or_default();
        reply.words = words_of(body, is_chunked);
    }
    Ok(reply)
}

fn garbage(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

struct Head {
    reply: Reply,
    /// The length of the body where it is given.
    body_len: Option<usize>,
    is_chunked: bool,
}

/// A complete head and its length; `None` where more must be read.
fn parse_head(received: &[u8]) -> io::Result<Option<(usize, Head)>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response
        .parse(received)
        .map_err(|error| garbage(&format!("what came is no HTTP reply: {error}")))?;
    let httparse::Status::Complete(len) = parsed else {
        return Ok(None);
    };
    let value = |name: &str| {
        let mut named = response.headers.iter();
        let header = named.find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(header.value).ok().map(str::trim)
    };
    let reply = Reply {
        status: response.code.unwrap_or(0),
        reason: one_line(response.reason.unwrap_or_default(), MAX_REASON),
        retry_after: value("retry-after")
            .and_then(|seconds| seconds.parse().ok())
            .map(Duration::from_secs),
        words: String::new(),
    };
    let head = Head {
        reply,
        body_len: value("content-length").and_then(|len| len.parse().ok()),
        is_chunked: value("transfer-encoding")
            .is_some_and(|coding| coding.to_ascii_lowercase().contains("chunked")),
    };
    Ok(Some((len, head)))
}

/// The beginning of a body; of one in chunks, the first without its length.
fn words_of(body: &[u8], is_chunked: bool) -> String {
    let text = String::from_utf8_lossy(body);
    let text = match text.split_once("\r\n") {
        Some((_, rest)) if is_chunked => rest.split("\r\n").next().unwrap_or_default(),
        _ => &text,
    };
    one_line(text.trim(), MAX_WORDS)
}

pub fn one_line(text: &str, max_characters: usize) -> String {
    let shown = |c| if is_unprintable(c) { ' ' } else { c };
    text.chars().take(max_characters).map(shown).collect()
}
