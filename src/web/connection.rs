//! One connection from its first byte to its last: deadlines, one request after the other, one
//! answer at a time. What ends it from outside (the stop, a new connection that needs the place)
//! shuts the socket down under it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::assets;
use super::gate::Gate;
use super::gzip;
use super::reply::NextChunk;
use super::request::{self, Head, Refusal};
use super::response::{Content, Response};
use super::slots::{Phase, Slot};
use super::{Limits, Site};
use crate::pure::time::Monotonic;
use crate::sys;

/// So much is read at a time; a browser's request is half of it.
const READ_BYTES: usize = 1024;
/// So much is handed to the kernel at a time: after each piece the time is looked at.
const WRITE_BYTES: usize = 32 * 1024;
/// A shorter body goes out in one piece with its head.
const JOINED_BYTES: usize = 8 * 1024;

/// Serves one connection to its end.
pub(super) fn serve(stream: &TcpStream, slot: &Slot, site: &Site) {
    let mut connection = Connection {
        stream,
        slot,
        site,
        limits: &site.limits,
        input: Vec::new(),
    };
    match connection.serve() {
        Ok(Ending::Gone) => {}
        Ok(Ending::Answered) => connection.linger(),
        // Whoever hangs up, or reads too slowly, knows it.
        Err(error) => log::debug!("dashboard: a connection ended early: {error}"),
    }
}

enum Ending {
    /// Nobody waits for anything any more.
    Gone,
    /// The last answer is on its way.
    Answered,
}

struct Connection<'a> {
    stream: &'a TcpStream,
    slot: &'a Slot,
    site: &'a Site,
    limits: &'a Limits,
    /// What has come and is not yet understood.
    input: Vec<u8>,
}

impl Connection<'_> {
    fn serve(&mut self) -> io::Result<Ending> {
        self.stream.set_nodelay(true)?;
        let local = self.stream.local_addr().ok().map(|address| address.ip());
        let gate = Gate {
            names: &self.site.names,
            local,
        };
        // It has been waiting since it was admitted, however late this thread was started.
        while let Some(head) = self.next_head(&gate)? {
            if !self.slot.enter(Phase::Working) {
                break;
            }
            if self.answer(&head)? {
                return Ok(Ending::Answered);
            }
            if !self.slot.enter(Phase::Waiting(sys::monotonic())) {
                break;
            }
        }
        Ok(Ending::Gone)
    }

    /// The next request; `None` when there is none, because it was hung up or nothing came for too
    /// long.
    fn next_head(&mut self, gate: &Gate<'_>) -> io::Result<Option<Head>> {
        let began = sys::monotonic();
        let idle_until = began.after(self.limits.idle);
        let mut head_until = (!self.input.is_empty()).then(|| began.after(self.limits.head));
        loop {
            if let Some((len, head)) = request::read(&self.input, gate) {
                self.input.drain(..len);
                // An idle connection shall be small.
                self.input.shrink_to(READ_BYTES);
                return Ok(Some(head));
            }
            let room = self.limits.head_bytes.saturating_sub(self.input.len());
            if room == 0 {
                return Ok(Some(Head::refused(Refusal::TooLarge)));
            }
            let now = sys::monotonic();
            let left = head_until.unwrap_or(idle_until).since(now);
            if left.is_zero() {
                return Ok(head_until.map(|_| Head::refused(Refusal::TooSlow)));
            }
            match self.read(room, left) {
                Ok(0) => return Ok(None),
                Ok(_) => head_until = head_until.or_else(|| Some(now.after(self.limits.head))),
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn read(&mut self, room: usize, longest: Duration) -> io::Result<usize> {
        let mut piece = [0; READ_BYTES];
        let piece = &mut piece[..room.min(READ_BYTES)];
        self.stream.set_read_timeout(Some(longest))?;
        let mut stream = self.stream;
        let len = stream.read(piece)?;
        self.input
            .extend_from_slice(piece.get(..len).unwrap_or_default());
        Ok(len)
    }

    /// Answers; `true` when the connection ends with it.
    fn answer(&mut self, head: &Head) -> io::Result<bool> {
        let press = &self.site.press;
        let answered = match &head.question {
            Err(refusal) => Response::refusal(refusal),
            Ok(request) => match assets::find(&request.path) {
                Some(asset) => Response::asset(asset, head, request, press),
                None => Response::reply(self.site.answer.answer(request), head, request, press),
            },
        };
        // Without chunks only the end of the connection can say that the body is whole.
        let is_endless = head.is_old && matches!(answered.content, Content::Chunks { .. });
        let is_last = head.is_last || is_endless || self.site.stop.is_raised();
        let out = answered.head(sys::clocks().utc(), head.is_old, is_last);
        let out = out.into_bytes();
        let until = sys::monotonic().after(self.limits.answer);
        match answered.content {
            _ if head.is_head => self.write(&out, until)?,
            Content::Empty => self.write(&out, until)?,
            Content::Embedded(bytes) => self.write_both(out, bytes, until)?,
            Content::Whole(bytes) => self.write_both(out, &bytes, until)?,
            Content::Chunks { next, is_gzip } => {
                self.write_pages(out, next, is_gzip, !head.is_old)?
            }
        }
        Ok(is_last)
    }

    /// Writes pages as they are made, the next one when the one before it has left: chunked (RFC
    /// 9112, section 7.1), or bare when the end of the connection is the end of the body.
    fn write_pages(
        &self,
        mut out: Vec<u8>,
        mut next: NextChunk,
        is_gzip: bool,
        is_chunked: bool,
    ) -> io::Result<()> {
        let end = sys::monotonic().after(self.limits.pages);
        self.slot.begin_pages();
        let mut gzip = is_gzip.then(gzip::Stream::default);
        loop {
            if !self.slot.enter(Phase::Working) || sys::monotonic() >= end {
                return Err(ErrorKind::TimedOut.into());
            }
            let page = next();
            let is_last = page.is_none();
            let mut body = page.unwrap_or_default();
            if let Some(stream) = &mut gzip {
                let mut packed = Vec::with_capacity(body.len() / 3);
                stream.page(&self.site.press, &body, &mut packed);
                if let Some(stream) = gzip.take_if(|_| is_last) {
                    stream.finish(&mut packed);
                }
                body = packed;
            }
            // An empty chunk would end the body.
            if is_chunked && !body.is_empty() {
                out.extend_from_slice(format!("{:x}\r\n", body.len()).as_bytes());
            }
            let until = end.min(sys::monotonic().after(self.limits.answer));
            let tail: &[u8] = match (is_chunked, body.is_empty(), is_last) {
                (false, ..) | (true, true, false) => b"",
                (true, false, false) => b"\r\n",
                (true, false, true) => b"\r\n0\r\n\r\n",
                (true, true, true) => b"0\r\n\r\n",
            };
            self.write_both(std::mem::take(&mut out), &body, until)?;
            out.extend_from_slice(tail);
            if is_last {
                return self.write(&out, until);
            }
        }
    }

    fn write_both(&self, mut head: Vec<u8>, body: &[u8], until: Monotonic) -> io::Result<()> {
        if body.len() <= JOINED_BYTES {
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
            if left.is_zero() || !self.slot.enter(Phase::Writing(now)) {
                return Err(ErrorKind::TimedOut.into());
            }
            self.stream.set_write_timeout(Some(left))?;
            match stream.write(&bytes[..bytes.len().min(WRITE_BYTES)]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(len) => bytes = bytes.get(len..).unwrap_or_default(),
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Says that nothing more comes and reads on for a moment. A socket that is closed with
    /// something unread in it resets the connection, and the reset overtakes the answer.
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
                Err(error) if is_passing(&error) => {}
                Err(_) => return,
            }
        }
    }
}

/// Whether the deadline decides, which is looked at next.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}
