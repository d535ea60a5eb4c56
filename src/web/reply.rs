//! What is answered, and its head as bytes: status, headers, compression. tiny_http's `Response`
//! writes the heads; bodies are written by connection.rs under its deadlines, without being copied
//! and without ever being gathered.

use std::fmt;
use std::io;

use tiny_http::{HTTPVersion, Header, StatusCode};

use super::assets::Asset;
use super::gzip::Compressor;
use super::request::{Head, Refusal, Request};

/// Makes the pages of a long answer, one a call, none of them kept; `None` behind the last.
pub type PageMaker = Box<dyn FnMut() -> Option<Vec<u8>> + Send>;

/// The content of an answer.
pub enum Body {
    /// All of it.
    Whole(Vec<u8>),
    /// One page after the other, each asked for when the one before it has left.
    Pages(PageMaker),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Body::Whole(bytes) => write!(f, "{} bytes", bytes.len()),
            Body::Pages(_) => write!(f, "pages"),
        }
    }
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// 200, 404 and so on. With 304 the body stays behind.
    pub status: u16,
    /// With its charset.
    pub content_type: &'static str,
    /// Changes with the content; with quotes or without. Who has this version already gets 304
    /// instead.
    pub etag: Option<String>,
    /// The content.
    pub body: Body,
}

impl Reply {
    /// `{"detail": …}`, as every error is said.
    pub fn error(status: u16, detail: impl fmt::Display) -> Reply {
        let body = serde_json::json!({ "detail": detail.to_string() }).to_string();
        Reply {
            status,
            content_type: "application/json",
            etag: None,
            body: Body::Whole(body.into_bytes()),
        }
    }
}

/// Nothing is loaded from elsewhere, nothing inline runs, nobody frames the page. The pictures are
/// charts that the page draws and offers for download.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; \
                                       form-action 'none'; frame-ancestors 'none'";

const ON_EVERY_ANSWER: [(&str, &str); 6] = [
    ("Server", "ace-connection-logger"),
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
];

/// What follows a head.
pub(super) enum Content {
    /// Nothing, and no word of a length either: 304.
    Nothing,
    Embedded(&'static [u8]),
    Made(Vec<u8>),
    Pages {
        maker: PageMaker,
        is_gzip: bool,
    },
}

/// An answer in its last form: all but how the connection goes on.
pub(super) struct Response {
    status: u16,
    headers: Vec<(&'static str, String)>,
    pub(super) content: Content,
}

impl Response {
    /// A file of the page.
    pub(super) fn asset(
        asset: &'static Asset,
        head: &Head,
        request: &Request,
        press: &Compressor,
    ) -> Response {
        let mut answered = Response::of(200, asset.content_type);
        answered.tag(asset.etag(), head.accepts_gzip);
        answered.content = if head.accepts_gzip {
            Content::Embedded(asset.packed)
        } else {
            Content::Made(press.unpack(asset.packed))
        };
        answered.encode(head.accepts_gzip);
        answered.unless_known(asset.etag(), request)
    }

    /// What somebody else's `Answer` said.
    pub(super) fn reply(
        reply: Reply,
        head: &Head,
        request: &Request,
        press: &Compressor,
    ) -> Response {
        let mut answered = Response::of(reply.status, reply.content_type);
        if reply.content_type.starts_with("text/html") {
            answered
                .headers
                .retain(|(name, _)| *name != "Content-Security-Policy");
            answered
                .headers
                .push(("Content-Security-Policy", report_policy()));
        }
        let is_open = head.accepts_gzip && is_text(reply.content_type);
        answered.content = match reply.body {
            Body::Whole(bytes) => match if is_open { press.whole(&bytes) } else { None } {
                Some(packed) => {
                    answered.encode(true);
                    Content::Made(packed)
                }
                None => Content::Made(bytes),
            },
            Body::Pages(maker) => {
                answered.encode(is_open);
                Content::Pages {
                    maker,
                    is_gzip: is_open,
                }
            }
        };
        if reply.status == 304 {
            answered.content = Content::Nothing;
        }
        // What cannot stand in a header is left out, rather than let it end the header.
        let etag = reply
            .etag
            .filter(|etag| etag.bytes().all(|byte| byte.is_ascii_graphic()));
        let is_gzip = answered
            .headers
            .iter()
            .any(|(name, _)| *name == "Content-Encoding");
        match etag {
            Some(etag) => {
                answered.tag(&etag, is_gzip);
                if reply.status == 200 {
                    answered.unless_known(&etag, request)
                } else {
                    answered
                }
            }
            None => {
                answered.headers.push(("Cache-Control", "no-store".into()));
                answered
            }
        }
    }

    /// Why a request gets nothing else.
    pub(super) fn refusal(refusal: &Refusal) -> Response {
        let (status, detail) = match refusal {
            Refusal::Malformed(detail) => (400, (*detail).to_string()),
            Refusal::Version => (505, "only HTTP/1.0 and HTTP/1.1 are spoken here".into()),
            Refusal::TooLarge => (431, "the head of the request is too long".into()),
            Refusal::TooSlow => (408, "the request did not come to its end in time".into()),
            Refusal::Method => (405, "only GET and HEAD are answered".into()),
            Refusal::Body => (413, "a request with a body is not taken".into()),
            Refusal::Moved(_) => (308, "the page is one slash further".into()),
            Refusal::Host(host) => {
                let text = format!(
                    "This is ace-connection-logger, and it does not go by the name \"{}\".\n\
                     If that name is meant to lead here, add it to dashboard.allowed_hosts in the configuration.\n",
                    host.escape_default()
                );
                let mut answered = Response::of(403, "text/plain; charset=utf-8");
                answered.content = Content::Made(text.into_bytes());
                answered.headers.push(("Cache-Control", "no-store".into()));
                return answered;
            }
        };
        let mut answered = Response::of(status, "application/json");
        if let Body::Whole(bytes) = Reply::error(status, detail).body {
            answered.content = Content::Made(bytes);
        }
        answered.headers.push(("Cache-Control", "no-store".into()));
        match refusal {
            Refusal::Method => answered.headers.push(("Allow", "GET, HEAD".into())),
            Refusal::Moved(target) => answered.headers.push(("Location", target.clone())),
            _ => {}
        }
        answered
    }

    fn of(status: u16, content_type: &str) -> Response {
        let mut headers: Vec<(&'static str, String)> = ON_EVERY_ANSWER
            .iter()
            .map(|(name, value)| (*name, (*value).to_string()))
            .collect();
        headers.push(("Content-Type", content_type.to_string()));
        if is_text(content_type) {
            headers.push(("Vary", "Accept-Encoding".into()));
        }
        Response {
            status,
            headers,
            content: Content::Nothing,
        }
    }

    fn encode(&mut self, is_gzip: bool) {
        if is_gzip {
            self.headers.push(("Content-Encoding", "gzip".into()));
        }
    }

    /// A compressed body is another one, byte by byte: its tag is a weak one, RFC 9110, section
    /// 8.8.1.
    fn tag(&mut self, etag: &str, is_gzip: bool) {
        let bare = etag
            .trim_start_matches("W/")
            .trim_matches('"')
            .replace('"', "");
        let weak = if is_gzip || etag.starts_with("W/") {
            "W/"
        } else {
            ""
        };
        self.headers.push(("ETag", format!("{weak}\"{bare}\"")));
        self.headers.push(("Cache-Control", "no-cache".into()));
    }

    fn unless_known(mut self, etag: &str, request: &Request) -> Response {
        if request.knows(etag) {
            self.status = 304;
            self.content = Content::Nothing;
            self.headers
                .retain(|(name, _)| !matches!(*name, "Content-Type" | "Content-Encoding"));
        }
        self
    }

    /// The head as bytes, up to and with its empty line.
    pub(super) fn head(&self, head: &Head, is_last: bool) -> io::Result<Vec<u8>> {
        let headers = self
            .headers
            .iter()
            .filter_map(|(name, value)| Header::from_bytes(*name, value.as_bytes()).ok())
            .collect();
        let is_chunked = matches!(self.content, Content::Pages { .. }) && !head.is_old;
        let length = match &self.content {
            Content::Embedded(bytes) => Some(bytes.len()),
            Content::Made(bytes) => Some(bytes.len()),
            Content::Pages { .. } if is_chunked => None,
            // Never None for HTTP/1.0: raw_print would gather the whole body first.
            Content::Pages { .. } | Content::Nothing => Some(0),
        };
        let mut out = Vec::with_capacity(1024);
        // Our own version whatever theirs is: RFC 9110, section 6.2. With it a body of unknown
        // length becomes chunked.
        tiny_http::Response::new(StatusCode(self.status), headers, io::empty(), length, None)
            .with_chunked_threshold(usize::MAX)
            .raw_print(&mut out, HTTPVersion(1, 1), &[], true, None)?;
        // It writes the length last, and never a Connection header of ours.
        let is_lengthless =
            matches!(self.content, Content::Nothing | Content::Pages { .. }) && !is_chunked;
        let end: &[u8] = if is_lengthless {
            b"Content-Length: 0\r\n\r\n"
        } else {
            b"\r\n"
        };
        out.truncate(out.strip_suffix(end).map_or(out.len(), <[u8]>::len));
        let connection: &[u8] = if is_last {
            b"Connection: close\r\n\r\n"
        } else {
            b"Connection: keep-alive\r\n\r\n"
        };
        out.extend_from_slice(connection);
        Ok(out)
    }
}

/// What is made here as HTML is a report, which has its one style in it, so that it can be kept as
/// a file. That style is allowed by its hash, and nothing else: no script, no file.
fn report_policy() -> String {
    let style = crate::report::STYLE_HASH;
    format!(
        "default-src 'none'; style-src '{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

/// Whether compression is worth a try.
fn is_text(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.starts_with("text/")
        || kind.starts_with("application/json")
        || matches!(kind, "application/openmetrics-text" | "image/svg+xml")
}
