//! One connection: receives requests and sends their responses one after the other, each within its
//! deadline. When the server stops, or needs the slot, slots.rs shuts the socket down and the read
//! or write here fails.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::assets;
use super::gzip::GzipStream;
use super::reply::NextChunk;
use super::request::{self, Refusal, RequestHead, ServedAt};
use super::response::{Content, Response};
use super::slots::{Phase, Slot};
use super::{Limits, Shared};
use crate::pure::time::Monotonic;
use crate::sys;

/// Twice what a browser's request takes.
const READ_BYTES: usize = 1024;
/// At most this many bytes are written at once. The deadline is checked after each write.
const WRITE_BYTES: usize = 32 * 1024;
/// A body up to this size is written together with its head.
const MAX_JOINED_BYTES: usize = 8 * 1024;

/// Serves one connection to its end.
pub(super) fn serve(stream: &TcpStream, slot: &Slot, shared: &Shared) {
    let mut connection = Connection {
        stream,
        slot,
        shared,
        limits: &shared.limits,
        input: Vec::new(),
    };
    match connection.serve() {
        Ok(End::Close) => {}
        Ok(End::Linger) => connection.linger(),
        // The client closed, or read too slowly.
        Err(error) => log::debug!("dashboard: a connection ended early: {error}"),
    }
}

/// How a connection ends.
enum End {
    Close,
    /// After [`Connection::linger`], so that the client can read the last response.
    Linger,
}

struct Connection<'a> {
    stream: &'a TcpStream,
    slot: &'a Slot,
    shared: &'a Shared,
    limits: &'a Limits,
    /// What has been read and not yet parsed.
    input: Vec<u8>,
}

impl Connection<'_> {
    fn serve(&mut self) -> io::Result<End> {
        self.stream.set_nodelay(true)?;
        let served_at = ServedAt {
            allowed_hosts: &self.shared.allowed_hosts,
            local_address: self.stream.local_addr().ok().map(|address| address.ip()),
            base_path: &self.shared.base_path,
        };
        // Its slot has been in Phase::Receiving since the connection was admitted.
        while let Some(head) = self.receive(&served_at)? {
            if !self.slot.enter(Phase::Handling) {
                break;
            }
            if self.respond(&head)? {
                return Ok(End::Linger);
            }
            if !self.slot.enter(Phase::Receiving(sys::monotonic())) {
                break;
            }
        }
        Ok(End::Close)
    }

    /// The next request; `None` when the client has closed or the connection was idle for too long.
    fn receive(&mut self, served_at: &ServedAt<'_>) -> io::Result<Option<RequestHead>> {
        let began = sys::monotonic();
        let idle_until = began.after(self.limits.idle_timeout);
        let head_timeout = self.limits.head_timeout;
        let mut head_until = (!self.input.is_empty()).then(|| began.after(head_timeout));
        loop {
            if let Some((len, head)) = request::parse(&self.input, served_at) {
                self.input.drain(..len);
                // An idle connection keeps no large buffer.
                self.input.shrink_to(READ_BYTES);
                return Ok(Some(head));
            }
            let space = self.limits.head_bytes.saturating_sub(self.input.len());
            if space == 0 {
                return Ok(Some(RequestHead::refused(Refusal::TooLarge)));
            }
            let now = sys::monotonic();
            let left = head_until.unwrap_or(idle_until).since(now);
            if left.is_zero() {
                return Ok(head_until.map(|_| RequestHead::refused(Refusal::TooSlow)));
            }
            match self.read(space, left) {
                Ok(0) => return Ok(None),
                Ok(_) => head_until = head_until.or_else(|| Some(now.after(head_timeout))),
                Err(error) if may_retry(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn read(&mut self, max_bytes: usize, max_wait: Duration) -> io::Result<usize> {
        let mut piece = [0; READ_BYTES];
        let piece = &mut piece[..max_bytes.min(READ_BYTES)];
        self.stream.set_read_timeout(Some(max_wait))?;
        let mut stream = self.stream;
        let len = stream.read(piece)?;
        self.input
            .extend_from_slice(piece.get(..len).unwrap_or_default());
        Ok(len)
    }

    /// `true` when the response is the last one of the connection.
    fn respond(&mut self, head: &RequestHead) -> io::Result<bool> {
        let compressor = &self.shared.compressor;
        let response = match &head.request {
            Err(refusal) => Response::refusal(refusal),
            Ok(request) => match assets::find(&request.path) {
                Some(asset) => Response::asset(asset, head, request, compressor),
                None => {
                    let reply = self.shared.handler.handle(request);
                    Response::reply(reply, head, request, compressor)
                }
            },
        };
        // HTTP/1.0 has no chunks: there the end of the connection is the end of the body.
        let is_unframed = head.is_http10 && matches!(response.content, Content::Chunks { .. });
        let is_last = head.is_last || is_unframed || self.shared.stop.is_raised();
        let bytes = response.head(sys::clocks().utc(), head.is_http10, is_last);
        let bytes = bytes.into_bytes();
        let until = sys::monotonic().after(self.limits.write_timeout);
        match response.content {
            _ if head.is_head => self.write(&bytes, until)?,
            Content::Empty => self.write(&bytes, until)?,
            Content::Embedded(body) => self.write_joined(bytes, body, until)?,
            Content::Whole(body) => self.write_joined(bytes, &body, until)?,
            Content::Chunks { next, is_gzip } => {
                self.write_chunks(bytes, next, is_gzip, !head.is_http10)?
            }
        }
        Ok(is_last)
    }

    /// Makes each chunk after the one before it has been written. Chunks are framed (RFC 9112,
    /// section 7.1) unless the end of the connection is the end of the body.
    fn write_chunks(
        &self,
        mut out: Vec<u8>,
        mut next: NextChunk,
        is_gzip: bool,
        is_framed: bool,
    ) -> io::Result<()> {
        let end = sys::monotonic().after(self.limits.chunks_timeout);
        self.slot.begin_chunked_response();
        let mut gzip = is_gzip.then(GzipStream::default);
        loop {
            if !self.slot.enter(Phase::Handling) || sys::monotonic() >= end {
                return Err(ErrorKind::TimedOut.into());
            }
            let chunk = next();
            let is_last = chunk.is_none();
            let mut body = chunk.unwrap_or_default();
            if let Some(stream) = &mut gzip {
                let mut compressed = Vec::with_capacity(body.len() / 3);
                stream.push(&self.shared.compressor, &body, &mut compressed);
                if let Some(stream) = gzip.take_if(|_| is_last) {
                    stream.finish(&mut compressed);
                }
                body = compressed;
            }
            // An empty chunk would end the body, so it is not framed.
            if is_framed && !body.is_empty() {
                out.extend_from_slice(format!("{:x}\r\n", body.len()).as_bytes());
            }
            let until = end.min(sys::monotonic().after(self.limits.write_timeout));
            let tail: &[u8] = match (is_framed, body.is_empty(), is_last) {
                (false, ..) | (true, true, false) => b"",
                (true, false, false) => b"\r\n",
                (true, false, true) => b"\r\n0\r\n\r\n",
                (true, true, true) => b"0\r\n\r\n",
            };
            self.write_joined(std::mem::take(&mut out), &body, until)?;
            out.extend_from_slice(tail);
            if is_last {
                return self.write(&out, until);
            }
        }
    }

    fn write_joined(&self, mut head: Vec<u8>, body: &[u8], until: Monotonic) -> io::Result<()> {
        if body.len() <= MAX_JOINED_BYTES {
            head.extend_from_slice(body);
            return self.write(&head, until);
        }
        self.write(&head, until)?;
        self.write(body, until)
    }

    fn write(&self, mut bytes: &[u8], until: Monotonic) -> io::Result<()> {
        let mut stream = self.stream;
        while !bytes.is_empty() {
            let now = sys::monotonic();
            let left = until.since(now);
            if left.is_zero() || !self.slot.enter(Phase::Sending(now)) {
                return Err(ErrorKind::TimedOut.into());
            }
            self.stream.set_write_timeout(Some(left))?;
            match stream.write(&bytes[..bytes.len().min(WRITE_BYTES)]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(len) => bytes = bytes.get(len..).unwrap_or_default(),
                Err(error) if may_retry(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Shuts down the sending side and reads on for a moment. Closing a socket that holds unread
    /// bytes resets the connection, and the client may see the reset before the response.
    fn linger(&mut self) {
        let began = sys::monotonic();
        let until = began.after(self.limits.linger);
        if self.stream.shutdown(Shutdown::Write).is_err()
            || !self.slot.enter(Phase::Lingering(began))
        {
            return;
        }
        loop {
            let left = until.since(sys::monotonic());
            if left.is_zero() {
                return;
            }
            self.input.clear();
            match self.read(READ_BYTES, left) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if may_retry(&error) => {}
                Err(_) => return,
            }
        }
    }
}

/// Whether the caller may try again, which it does until its deadline.
fn may_retry(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}
