//! A response ready to be sent: its head as bytes, and its content, compressed where the client
//! accepts that. connection.rs writes both.

use std::fmt::Write;
use std::io::Write as _;

use tiny_http::{Header, StatusCode};

use super::assets::Asset;
use super::gzip::{Compressor, PIECE_BYTES};
use super::packed::{Made, Packed, Packer};
use super::reply::{Body, Chunks, Reply};
use super::request::{Refusal, Request, RequestHead};
use crate::pure::time::UtcMillis;

/// Nothing is loaded from another server, nothing inline runs, no site shows the page in a frame.
/// Images may be data: and blob: because the page offers its charts for download.
const PAGE_POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; \
                           form-action 'none'; frame-ancestors 'none'";

/// Of scripts and style sheets, which are no documents: nothing is loaded or framed where someone
/// opens one by itself. Shorter, since the first load has almost thirty.
const PART_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

pub(super) enum Content {
    /// No body and no Content-Length: 304.
    Empty,
    Embedded(&'static [u8]),
    Whole(Vec<u8>),
    /// For a client that does not accept gzip.
    Packed(Packed),
    Chunks {
        chunks: Chunks,
        is_gzip: bool,
    },
}

pub(super) struct Response {
    status: StatusCode,
    headers: Vec<Header>,
    pub(super) content: Content,
}

impl Response {
    fn new(status: u16, content_type: &str, policy: &str, content: Content) -> Response {
        let mut response = Response {
            status: StatusCode(status),
            headers: Vec::with_capacity(12),
            content,
        };
        for (name, value) in [
            ("Server", "ace-connection-logger"),
            ("Content-Security-Policy", policy),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Frame-Options", "DENY"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Content-Type", content_type),
        ] {
            response.add(name, value);
        }
        if is_text(content_type) {
            response.add("Vary", "Accept-Encoding");
        }
        response
    }

    /// A file of the page.
    pub(super) fn asset(
        asset: &'static Asset,
        head: &RequestHead,
        request: &Request,
        compressor: &Compressor,
    ) -> Response {
        let content = if head.accepts_gzip {
            Content::Embedded(asset.packed)
        } else {
            Content::Whole(compressor.decompress(asset.packed))
        };
        let is_part = ["text/javascript", "text/css"]
            .iter()
            .any(|kind| asset.content_type.starts_with(kind));
        let policy = if is_part { PART_POLICY } else { PAGE_POLICY };
        let mut response = Response::new(200, asset.content_type, policy, content);
        response.add_etag(asset.etag(), head.accepts_gzip);
        if head.accepts_gzip {
            response.add("Content-Encoding", "gzip");
        }
        response.unless_known(asset.etag(), request)
    }

    /// What a handler returned.
    pub(super) fn reply(
        reply: Reply,
        head: &RequestHead,
        request: &Request,
        compressor: &Compressor,
    ) -> Response {
        let may_compress = head.accepts_gzip && is_text(reply.content_type);
        let is_known = reply.status == 200
            && (reply.etag.as_deref()).is_some_and(|etag| request.has_version(etag));
        let (content, is_gzip) = match reply.body {
            Body::Whole(bytes) => packed(bytes, reply.content_type, may_compress, compressor),
            Body::Written(_) if is_known => (Content::Empty, may_compress),
            Body::Written(write) => {
                let mut packer = Packer::new(compressor);
                match write(&mut packer) {
                    Ok(()) => content_of(packer, may_compress, compressor),
                    Err(reply) => return Response::reply(reply, head, request, compressor),
                }
            }
            Body::Chunks(chunks) => {
                let is_gzip = may_compress;
                (Content::Chunks { chunks, is_gzip }, is_gzip)
            }
        };
        let policy = reply.content_security_policy.as_deref();
        let policy = policy.unwrap_or(PAGE_POLICY);
        let mut response = Response::new(reply.status, reply.content_type, policy, content);
        if is_gzip {
            response.add("Content-Encoding", "gzip");
        }
        match reply.etag.filter(|etag| is_header_value(etag)) {
            Some(etag) => {
                response.add_etag(&etag, is_gzip);
                if reply.status == 200 {
                    response = response.unless_known(&etag, request);
                }
            }
            None => response.add("Cache-Control", "no-store"),
        }
        response
    }

    pub(super) fn refusal(refusal: &Refusal) -> Response {
        let (status, detail) = match refusal {
            Refusal::Malformed(detail) => (400, *detail),
            Refusal::Version => (505, "only HTTP/1.0 and HTTP/1.1 are supported"),
            Refusal::TooLarge => (431, "the head of the request is too long"),
            Refusal::TooSlow => (408, "the head of the request did not arrive in time"),
            Refusal::Method => (405, "only GET and HEAD are allowed"),
            Refusal::Body => (413, "a request must not have a body"),
            Refusal::Busy => (503, "too many connections; try again in a moment"),
            Refusal::NoTurn => (503, "too many requests at once; try again in a moment"),
            Refusal::Redirect(_) => (308, "the path of the page ends in a slash"),
            Refusal::Host(host) => return Response::unknown_host(host),
        };
        let reply = Reply::error(status, detail);
        let content = match reply.body {
            Body::Whole(bytes) => Content::Whole(bytes),
            Body::Written(_) | Body::Chunks(_) => Content::Empty,
        };
        let mut response = Response::new(status, reply.content_type, PAGE_POLICY, content);
        response.add("Cache-Control", "no-store");
        match refusal {
            Refusal::Method => response.add("Allow", "GET, HEAD"),
            Refusal::Busy | Refusal::NoTurn => response.add("Retry-After", "2"),
            Refusal::Redirect(target) => response.add("Location", target),
            _ => {}
        }
        response
    }

    /// For the person who typed this name into a browser.
    fn unknown_host(host: &str) -> Response {
        let text = format!(
            "This is ace-connection-logger. It does not answer to the host name \"{}\".\n\
             If this name is meant to lead here, add it to dashboard.allowed_hosts in the configuration.\n",
            host.escape_default()
        );
        let content = Content::Whole(text.into_bytes());
        let mut response = Response::new(403, "text/plain; charset=utf-8", PAGE_POLICY, content);
        response.add("Cache-Control", "no-store");
        response
    }

    /// Leaves out a value that would break the head.
    fn add(&mut self, name: &str, value: &str) {
        if is_header_value(value) {
            self.headers.extend(Header::from_bytes(name, value));
        }
    }

    /// A compressed body differs byte by byte from the plain one with the same content, so its tag
    /// is weak: RFC 9110, section 8.8.1.
    fn add_etag(&mut self, etag: &str, is_gzip: bool) {
        let is_weak = is_gzip || etag.starts_with("W/");
        let bare = etag.trim_start_matches("W/").replace('"', "");
        let prefix = if is_weak { "W/" } else { "" };
        self.add("ETag", &format!("{prefix}\"{bare}\""));
        self.add("Cache-Control", "no-cache");
    }

    fn unless_known(mut self, etag: &str, request: &Request) -> Response {
        if request.has_version(etag) {
            self.status = StatusCode(304);
            self.content = Content::Empty;
            self.headers.retain(|header| {
                !header.field.equiv("Content-Type") && !header.field.equiv("Content-Encoding")
            });
        }
        self
    }

    /// The head, with the empty line that ends it. It says HTTP/1.1 whatever the client speaks: RFC
    /// 9110, section 6.2. A client of HTTP/1.0 reads chunks that are not framed to the end of the
    /// connection.
    pub(super) fn head(&self, now: UtcMillis, is_http10: bool, is_last: bool) -> String {
        let StatusCode(status) = self.status;
        let reason = self.status.default_reason_phrase();
        let date = now.http_date();
        let mut head = String::with_capacity(1024);
        let _ = write!(head, "HTTP/1.1 {status} {reason}\r\nDate: {date}\r\n");
        for header in &self.headers {
            let _ = write!(head, "{header}\r\n");
        }
        let length = match &self.content {
            Content::Embedded(bytes) => Some(bytes.len()),
            Content::Whole(bytes) => Some(bytes.len()),
            Content::Packed(packed) => Some(packed.content_len()),
            Content::Chunks { .. } | Content::Empty => None,
        };
        if let Some(length) = length {
            let _ = write!(head, "Content-Length: {length}\r\n");
        } else if matches!(self.content, Content::Chunks { .. }) && !is_http10 {
            head += "Transfer-Encoding: chunked\r\n";
        }
        let connection = if is_last { "close" } else { "keep-alive" };
        let _ = write!(head, "Connection: {connection}\r\n\r\n");
        head
    }
}

/// The content of a body, and whether it is a gzip file.
fn packed(
    body: Vec<u8>,
    content_type: &str,
    may_compress: bool,
    compressor: &Compressor,
) -> (Content, bool) {
    let mut packer = Packer::new(compressor);
    if !is_text(content_type) || body.len() <= PIECE_BYTES || packer.write_all(&body).is_err() {
        return short(body, may_compress, compressor);
    }
    drop(body);
    content_of(packer, may_compress, compressor)
}

fn content_of(packer: Packer<'_>, may_compress: bool, compressor: &Compressor) -> (Content, bool) {
    match packer.finish() {
        Made::Short(body) => short(body, may_compress, compressor),
        Made::Long(packed) if may_compress => (Content::Whole(packed.into_gzip()), true),
        Made::Long(packed) => (Content::Packed(packed), false),
    }
}

fn short(body: Vec<u8>, may_compress: bool, compressor: &Compressor) -> (Content, bool) {
    let compressed = may_compress
        .then(|| compressor.compress_body(&body))
        .flatten();
    match compressed {
        Some(compressed) => (Content::Whole(compressed), true),
        None => (Content::Whole(body), false),
    }
}

fn is_header_value(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

/// Whether the content is worth compressing.
fn is_text(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.starts_with("text/")
        || kind.starts_with("application/json")
        || matches!(kind, "application/openmetrics-text" | "image/svg+xml")
}
