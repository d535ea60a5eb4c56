//! A response ready to be sent: its head as bytes, and its content, compressed where the client
//! accepts that. connection.rs writes both.

use std::fmt::Write;

use tiny_http::{Header, StatusCode};

use super::assets::Asset;
use super::gzip::Compressor;
use super::reply::{Body, NextChunk, Reply};
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
    Chunks {
        next: NextChunk,
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
        let (content, is_gzip) = match reply.body {
            Body::Whole(bytes) => match if may_compress {
                compressor.compress_body(&bytes)
            } else {
                None
            } {
                Some(compressed) => (Content::Whole(compressed), true),
                None => (Content::Whole(bytes), false),
            },
            Body::Chunks(next) => {
                let is_gzip = may_compress;
                (Content::Chunks { next, is_gzip }, is_gzip)
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
            Refusal::Redirect(_) => (308, "the path of the page ends in a slash"),
            Refusal::Host(host) => return Response::unknown_host(host),
        };
        let reply = Reply::error(status, detail);
        let content = match reply.body {
            Body::Whole(bytes) => Content::Whole(bytes),
            Body::Chunks(_) => Content::Empty,
        };
        let mut response = Response::new(status, reply.content_type, PAGE_POLICY, content);
        response.add("Cache-Control", "no-store");
        match refusal {
            Refusal::Method => response.add("Allow", "GET, HEAD"),
            Refusal::Busy => response.add("Retry-After", "2"),
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
