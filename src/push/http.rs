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
use crate::pure::time::{Monotonic, UtcMillis};
use crate::stop::Stop;
use crate::sys;

pub struct Request<'a> {
    pub url: &'a PushUrl,
    /// Names and values, besides those that every request has.
    pub headers: &'a [(&'static str, String)],
    pub body: &'a [u8],
    /// What no text of the reply may repeat.
    pub secrets: &'a [&'a str],
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    /// The words after the status, such as `Bad Request`.
    pub reason: String,
    /// How long the server asks to be left alone.
    pub retry_after: Option<Duration>,
    /// Whether the body is a page for a browser.
    pub is_page: bool,
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
/// The end of a body in chunks.
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

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
    match (read_reply(&mut stream, request.secrets, &limits), sent) {
        (Ok(reply), Ok(())) => Ok(reply),
        // That it accepts what it did not read is no acknowledgement.
        (Ok(reply), Err(_)) if !reply.is_success() => Ok(reply),
        (_, Err(error)) => Err(failed("sending", error)),
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

impl Reply {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

fn read_reply(stream: &mut TcpStream, secrets: &[&str], limits: &Limits<'_>) -> io::Result<Reply> {
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
    if !reply.is_success() {
        let end = len.saturating_add(body_len.unwrap_or(MAX_BODY_BYTES).min(MAX_BODY_BYTES));
        let is_complete = |received: &[u8]| {
            received.len() >= end || (is_chunked && received.ends_with(LAST_CHUNK))
        };
        // What there is of it will do.
        while !is_complete(&received) && read_more(stream, &mut received, limits).unwrap_or(false) {
        }
        let body = received
            .get(len..end.min(received.len()))
            .unwrap_or_default();
        reply.words = words_of(body, is_chunked, secrets);
    }
    reply.reason = without(&reply.reason, secrets);
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
        retry_after: value("retry-after").and_then(|text| retry_after(text, sys::clocks().utc())),
        is_page: value("content-type")
            .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html")),
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

/// The header Retry-After has seconds or a date: RFC 9110, section 10.2.3.
fn retry_after(text: &str, now: UtcMillis) -> Option<Duration> {
    let seconds = text.parse().ok().map(Duration::from_secs);
    let until_date = || {
        let wait_ms = UtcMillis::from_http_date(text)?.0.saturating_sub(now.0);
        Some(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0)))
    };
    seconds.or_else(until_date)
}

/// The beginning of a body; of one in chunks, the first without its length.
fn words_of(body: &[u8], is_chunked: bool, secrets: &[&str]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = match text.split_once("\r\n") {
        Some((_, rest)) if is_chunked => rest.split("\r\n").next().unwrap_or_default(),
        _ => &text,
    };
    one_line(&without(text.trim(), secrets), MAX_WORDS)
}

/// The text with three stars for each secret: an engine may repeat in a message what it was sent.
fn without(text: &str, secrets: &[&str]) -> String {
    let hide = |text: String, secret: &&str| text.replace(secret, "***");
    secrets.iter().fold(text.to_owned(), hide)
}

fn one_line(text: &str, max_characters: usize) -> String {
    let shown = |c| if is_unprintable(c) { ' ' } else { c };
    text.chars().take(max_characters).map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::address::HostAddress;

    #[test]
    fn a_request_that_could_not_be_sent_to_its_end_is_not_acknowledged() {
        for (status, expected) in [(204, None), (413, Some(413))] {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
            let port = listener.local_addr().expect("it is bound").port();
            let server = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().expect("a connection");
                stream.read_exact(&mut [0; 16]).expect("a request");
                let reply = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n");
                stream.write_all(reply.as_bytes()).expect("a reader");
            });
            let url = PushUrl {
                host: HostAddress::from("127.0.0.1"),
                port,
                target: "/".into(),
            };
            // More than the kernel's buffers take.
            let body = vec![b'x'; 64 * 1024 * 1024];
            let request = Request {
                url: &url,
                headers: &[],
                body: &body,
                secrets: &[],
            };
            let stop = Stop::new().expect("a pipe");
            let answer = post(&request, Duration::from_secs(30), &stop);
            server.join().expect("it ends");
            let found = answer.as_ref().ok().map(|reply| reply.status);
            assert_eq!(found, expected, "{answer:?}");
        }
    }

    #[test]
    fn the_time_to_wait_is_given_in_seconds_or_as_a_date() {
        let now = UtcMillis(784_111_777_250);
        for (text, expected) in [
            ("30", Some(30_000)),
            ("0", Some(0)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(9_750)),
            ("Sun, 06 Nov 1994 08:49:07 GMT", Some(0)),
            ("1.5", None),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            let expected = expected.map(Duration::from_millis);
            assert_eq!(retry_after(text, now), expected, "{text}");
        }
    }

    #[test]
    fn what_is_secret_is_not_in_the_words_of_a_reply() {
        let body = "the token s3cret of /write?db=a&p=s3cret is unknown, s3cre";
        let secrets = ["db=a&p=s3cret", "s3cret"];
        assert_eq!(
            words_of(body.as_bytes(), false, &secrets),
            "the token *** of /write?*** is unknown, s3cre"
        );
        // Also where the kept beginning would end in it.
        let long = format!("{}s3cret", "x".repeat(MAX_WORDS - 3));
        assert!(words_of(long.as_bytes(), false, &secrets).ends_with("x***"));
    }
}
