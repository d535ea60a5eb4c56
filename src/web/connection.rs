//! One connection: receives requests and sends their responses one after the other, each within its
//! deadline. When the server stops, or needs the slot, slots.rs shuts the socket down and the read
//! or write here fails.

use std::borrow::Cow;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use super::assets;
use super::gzip::GzipStream;
use super::reply::Chunks;
use super::request::{self, Refusal, RequestHead, ServedAt};
use super::response::{Content, Response};
use super::slots::{Phase, Slot};
use super::turns::{Turn, Weight};
use super::{Limits, STACK_BYTES, Shared};
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
        let (response, turn) = match self.make(head) {
            Ok(made) => made,
            Err(refusal) => (Response::refusal(&refusal), None),
        };
        let is_limited = turn.is_some();
        // HTTP/1.0 has no chunks: there the end of the connection is the end of the body.
        let is_unframed = head.is_http10 && matches!(response.content, Content::Chunks { .. });
        let is_last = head.is_last || is_unframed || self.shared.stop.is_raised();
        let bytes = response.head(sys::clocks().utc(), head.is_http10, is_last);
        let bytes = bytes.into_bytes();
        let until = sys::monotonic().after(self.limits.write_timeout);
        let content = if head.is_head {
            Content::Empty
        } else {
            response.content
        };
        match content {
            Content::Whole(body) if body.len() > MAX_JOINED_BYTES => {
                let parts = [Cow::from(&bytes), Cow::from(&body)];
                self.write_held(parts.into_iter(), body.len(), turn, until)?;
            }
            Content::Packed(packed) => {
                let pieces = packed.pieces(&self.shared.compressor).map(Cow::from);
                let parts = std::iter::once(Cow::from(&bytes)).chain(pieces);
                self.write_held(parts, packed.held_bytes(), turn, until)?;
            }
            Content::Chunks { chunks, is_gzip } => {
                self.hold(chunks.held_bytes, turn)?;
                let weight = is_limited.then_some(Weight::Light);
                self.write_chunks(bytes, chunks, weight, is_gzip, !head.is_http10)?;
            }
            Content::Whole(body) => {
                drop(turn);
                self.write_joined(bytes, &body, until)?;
            }
            Content::Embedded(body) => self.write_joined(bytes, body, until)?,
            Content::Empty => {
                drop(turn);
                self.write(&bytes, until)?;
            }
        }
        Ok(is_last)
    }

    /// The response, and the turn in which it was made: it ends when the response takes no memory
    /// any more that is not counted.
    fn make(&self, head: &RequestHead) -> Result<(Response, Option<Turn>), Refusal> {
        let request = head.request.as_ref().map_err(Refusal::clone)?;
        let (handler, compressor) = (&self.shared.handler, &self.shared.compressor);
        if let Some(asset) = assets::find(&request.path) {
            return Ok((Response::asset(asset, head, request, compressor), None));
        }
        let turn = self.shared.take_turn(handler.weight(request))?;
        if turn.is_some() && self.is_reset() {
            return Err(Refusal::NoTurn);
        }
        let make = || Response::reply(handler.handle(request), head, request, compressor);
        let response = run(turn.as_ref(), make).map_err(|_| Refusal::Busy)?;
        Ok((response, turn))
    }

    /// Whether the client has gone while its request waited, and would not get the response.
    fn is_reset(&self) -> bool {
        let is_nonblocking = self.stream.set_nonblocking(true);
        let peeked = is_nonblocking.and_then(|()| self.stream.peek(&mut [0]));
        let is_blocking = self.stream.set_nonblocking(false);
        is_blocking.is_err() || peeked.is_err_and(|error| !may_retry(&error))
    }

    /// Has the bytes counted that the response keeps until it is sent, and ends its turn.
    fn hold(&self, bytes: usize, turn: Option<Turn>) -> io::Result<()> {
        let is_held = self.slot.hold(bytes);
        drop(turn);
        if is_held {
            Ok(())
        } else {
            Err(ErrorKind::TimedOut.into())
        }
    }

    /// Sends as much as the system takes at once; where something is left, the response is held.
    fn write_held<'p>(
        &self,
        mut parts: impl Iterator<Item = Cow<'p, [u8]>>,
        held_bytes: usize,
        turn: Option<Turn>,
        until: Monotonic,
    ) -> io::Result<()> {
        self.stream.set_nonblocking(true)?;
        let mut left = None;
        for part in parts.by_ref() {
            let sent = self.write_now(&part)?;
            if sent < part.len() {
                left = Some((part, sent));
                break;
            }
        }
        self.stream.set_nonblocking(false)?;
        let Some((part, sent)) = left else {
            return Ok(());
        };
        self.hold(held_bytes, turn)?;
        self.write(part.get(sent..).unwrap_or_default(), until)?;
        drop(part);
        for part in parts {
            self.write(&part, until)?;
        }
        self.slot.release();
        Ok(())
    }

    /// How many bytes were sent without waiting.
    fn write_now(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut stream = self.stream;
        let mut sent = 0;
        while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
            match stream.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(len) => sent += len,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if may_retry(&error) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }

    /// Makes each chunk after the one before it has been written. Chunks are framed (RFC 9112,
    /// section 7.1) unless the end of the connection is the end of the body. `weight` is that of a
    /// chunk.
    fn write_chunks(
        &self,
        mut out: Vec<u8>,
        mut chunks: Chunks,
        weight: Option<Weight>,
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
            let turn = self.shared.take_turn(weight);
            let turn = turn.map_err(|_| io::Error::from(ErrorKind::TimedOut))?;
            let chunk = run(turn.as_ref(), &mut chunks.next)?;
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
            drop(turn);
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
                self.write(&out, until)?;
                self.slot.release();
                return Ok(());
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

/// Runs what a response is made by, within a turn in a thread of its own. A thread keeps the pages of
/// its stack and a cache of the C library's allocator until it ends: so they grow in the few threads
/// that make responses at the same time, and not in that of every connection. Without a turn there may
/// be as many as there are connections.
fn run<T: Send>(turn: Option<&Turn>, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    if turn.is_none() {
        return Ok(work());
    }
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("web-work".into())
            .stack_size(STACK_BYTES);
        let joined = thread.spawn_scoped(scope, work)?.join();
        Ok(joined.unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// Whether the caller may try again, which it does until its deadline.
fn may_retry(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}
