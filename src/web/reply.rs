//! What a handler returns: status, content type and body, and values for further headers.

use std::fmt;
use std::io::Write;

/// A long body.
pub struct Chunks {
    /// Makes the parts, one per call; `None` after the last.
    pub next: Box<dyn FnMut() -> Option<Vec<u8>> + Send>,
    /// What it keeps between two calls, with a chunk, in bytes.
    pub held_bytes: usize,
}

/// Writes a body, or returns the reply that takes the place of its own.
pub type WriteBody = Box<dyn FnOnce(&mut dyn Write) -> Result<(), Reply> + Send>;

pub enum Body {
    Whole(Vec<u8>),
    /// Made in one go, but compressed as it is made. Not called where the client has this version.
    Written(WriteBody),
    /// Each chunk is made when the one before it has been sent, so that none waits in memory.
    Chunks(Chunks),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Body::Whole(bytes) => write!(f, "{} bytes", bytes.len()),
            Body::Written(_) => write!(f, "written"),
            Body::Chunks(_) => write!(f, "chunks"),
        }
    }
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// With its charset.
    pub content_type: &'static str,
    /// Changes with the content. A client that sends it back in If-None-Match gets 304 instead of
    /// the body.
    pub etag: Option<String>,
    /// `None` is the policy of the dashboard's page.
    pub content_security_policy: Option<String>,
    pub body: Body,
}

impl Reply {
    pub fn ok(content_type: &'static str, body: Body) -> Reply {
        Reply {
            status: 200,
            content_type,
            etag: None,
            content_security_policy: None,
            body,
        }
    }

    /// `{"detail": …}`, the form of every error.
    pub fn error(status: u16, detail: impl fmt::Display) -> Reply {
        let body = serde_json::json!({ "detail": detail.to_string() }).to_string();
        Reply {
            status,
            ..Reply::ok("application/json", Body::Whole(body.into_bytes()))
        }
    }
}
