//! A block device that remembers every write and every flush, in order, and can be set back: a
//! FUSE file system that holds one file, which `mount -o loop` takes for a disk. The loop device
//! turns a flush of its file system, and a write that must be durable, into fsync(2) of that file.
//!
//! The protocol is that of `linux/fuse.h`, version 7.31, as far as one file needs it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::common::run;

/// What reached the disk.
#[derive(Clone, Debug)]
pub enum Request {
    Write {
        offset: usize,
        bytes: Vec<u8>,
    },
    /// All writes before it are on the disk.
    Flush,
}

#[derive(Default)]
struct Content {
    bytes: Vec<u8>,
    log: Vec<Request>,
    /// What each write since [`Disk::settle`] replaced.
    replaced: Vec<(usize, Vec<u8>)>,
    /// How many times the file is open.
    opened: usize,
}

impl Content {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let place = &mut self.bytes[offset..offset + bytes.len()];
        self.replaced.push((offset, place.to_vec()));
        place.copy_from_slice(bytes);
    }
}

#[derive(Default)]
struct Shared {
    content: Mutex<Content>,
    closed: Condvar,
}

impl Shared {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Must be made in a mount namespace of its own: [`crate::common::mounts`].
pub struct Disk {
    shared: Arc<Shared>,
    file: PathBuf,
    server: Option<JoinHandle<()>>,
}

impl Disk {
    /// Mounts a disk with this content at `file`, which is created.
    pub fn new(file: &Path, bytes: Vec<u8>) -> io::Result<Disk> {
        File::create(file)?;
        let device = File::options().read(true).write(true).open("/dev/fuse")?;
        let mut mount = Command::new("mount");
        // mount(8) opens nothing itself: descriptor 0 is the device. A root that is a file.
        mount
            .args(["-i", "-t", "fuse", "-o"])
            .arg("fd=0,rootmode=100600,user_id=0,group_id=0")
            .arg("crash-disk")
            .arg(file)
            .stdin(Stdio::from(device.try_clone()?));
        let mounted = mount.output()?;
        if !mounted.status.success() {
            let text = String::from_utf8_lossy(&mounted.stderr).into_owned();
            return Err(io::Error::other(text));
        }
        let shared = Arc::new(Shared::default());
        shared.content().bytes = bytes;
        let served = Arc::clone(&shared);
        let server = thread::Builder::new()
            .name("disk".into())
            .spawn(move || serve(device, &served))?;
        Ok(Disk {
            shared,
            file: file.to_path_buf(),
            server: Some(server),
        })
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    /// How many requests have arrived since [`Disk::take_log`].
    pub fn position(&self) -> usize {
        self.shared.content().log.len()
    }

    pub fn take_log(&self) -> Vec<Request> {
        std::mem::take(&mut self.shared.content().log)
    }

    pub fn write(&self, offset: usize, bytes: &[u8]) {
        self.shared.content().write(offset, bytes);
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.shared.content().bytes.clone()
    }

    /// [`Disk::set_back`] comes back to what is on the disk now.
    pub fn settle(&self) {
        self.closed().replaced.clear();
    }

    /// The content when the loop device has closed the file.
    fn closed(&self) -> MutexGuard<'_, Content> {
        let mut content = self.shared.content();
        while content.opened > 0 {
            content = (self.shared.closed)
                .wait(content)
                .unwrap_or_else(PoisonError::into_inner);
        }
        content
    }

    /// Undoes all writes since [`Disk::settle`].
    pub fn set_back(&self) {
        let mut content = self.closed();
        content.log.clear();
        while let Some((offset, bytes)) = content.replaced.pop() {
            content.bytes[offset..offset + bytes.len()].copy_from_slice(&bytes);
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = run(Command::new("umount").arg(&self.file));
        // Without an unmount the server would wait for the next request for ever.
        if unmounted.code == Some(0)
            && let Some(server) = self.server.take()
        {
            drop(server.join());
        }
    }
}

/// Numbers of requests in `linux/fuse.h`.
mod opcode {
    pub const FORGET: u32 = 2;
    pub const GETATTR: u32 = 3;
    pub const SETATTR: u32 = 4;
    pub const OPEN: u32 = 14;
    pub const READ: u32 = 15;
    pub const WRITE: u32 = 16;
    pub const RELEASE: u32 = 18;
    pub const FSYNC: u32 = 20;
    pub const FLUSH: u32 = 25;
    pub const INIT: u32 = 26;
    pub const INTERRUPT: u32 = 36;
    pub const DESTROY: u32 = 38;
    pub const BATCH_FORGET: u32 = 42;
}

/// The longest write that one request carries.
const MAX_WRITE: u32 = 1 << 20;
const HEADER: usize = 40;

fn u32_at(request: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(request[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(request: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(request[at..at + 8].try_into().expect("eight bytes"))
}

/// Answers the kernel until the file system is unmounted.
fn serve(mut device: File, shared: &Shared) {
    let mut buffer = vec![0; MAX_WRITE as usize + 4096];
    loop {
        let request = match device.read(&mut buffer) {
            Ok(length) => &buffer[..length],
            // ENODEV: unmounted. An interrupted request disappears with ENOENT.
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => return,
            Err(_) => continue,
        };
        let Some((error, body)) = answer(request, shared) else {
            continue;
        };
        let length = u32::try_from(16 + body.len()).expect("a short answer");
        let mut reply = Vec::with_capacity(16 + body.len());
        reply.extend(length.to_ne_bytes());
        reply.extend((-error).to_ne_bytes());
        reply.extend(u64_at(request, 8).to_ne_bytes());
        reply.extend(body);
        // It fails for a request that was interrupted.
        drop(device.write_all(&reply));
    }
}

/// The error number and the body of an answer; `None` where none is expected.
fn answer(request: &[u8], shared: &Shared) -> Option<(i32, Vec<u8>)> {
    let mut content = shared.content();
    let parameters = &request[HEADER..];
    Some(match u32_at(request, 4) {
        opcode::FORGET | opcode::BATCH_FORGET | opcode::INTERRUPT => return None,
        opcode::INIT => (0, init(parameters)),
        opcode::GETATTR | opcode::SETATTR => (0, attributes(content.bytes.len())),
        opcode::OPEN => {
            content.opened += 1;
            // FOPEN_DIRECT_IO: nothing waits in the page cache of this file.
            (0, [0u64.to_ne_bytes(), 1u64.to_ne_bytes()].concat())
        }
        opcode::READ => {
            let offset = usize::try_from(u64_at(parameters, 8)).expect("an offset");
            let end = (offset + u32_at(parameters, 16) as usize).min(content.bytes.len());
            let bytes = content.bytes.get(offset..end).unwrap_or_default();
            (0, bytes.to_vec())
        }
        opcode::WRITE => {
            let offset = usize::try_from(u64_at(parameters, 8)).expect("an offset");
            let size = u32_at(parameters, 16);
            let bytes = &parameters[40..40 + size as usize];
            content.write(offset, bytes);
            let bytes = bytes.to_vec();
            content.log.push(Request::Write { offset, bytes });
            (0, u64::from(size).to_le_bytes().to_vec())
        }
        opcode::FSYNC => {
            content.log.push(Request::Flush);
            (0, Vec::new())
        }
        opcode::RELEASE => {
            content.opened -= 1;
            shared.closed.notify_all();
            (0, Vec::new())
        }
        opcode::FLUSH | opcode::DESTROY => (0, Vec::new()),
        _ => (libc::ENOSYS, Vec::new()),
    })
}

/// fuse_init_out: nothing but long writes.
fn init(parameters: &[u8]) -> Vec<u8> {
    const BIG_WRITES: u32 = 1 << 5;
    const MAX_PAGES: u32 = 1 << 22;
    let read_ahead = u32_at(parameters, 8);
    let mut out = Vec::new();
    for number in [7, 31, read_ahead, BIG_WRITES | MAX_PAGES] {
        out.extend(u32::to_ne_bytes(number));
    }
    // Requests in the background, and when they are too many.
    out.extend([64u16, 48].map(u16::to_ne_bytes).concat());
    // A granularity of times of a nanosecond.
    out.extend([MAX_WRITE, 1].map(u32::to_ne_bytes).concat());
    out.extend(256u16.to_ne_bytes());
    out.resize(64, 0);
    out
}

/// fuse_attr_out of the one file.
fn attributes(length: usize) -> Vec<u8> {
    let mut out = Vec::new();
    // Valid for no time, then inode, size, blocks.
    let size = length as u64;
    for number in [0, 0, 1, size, size / 512, 0, 0, 0] {
        out.extend(u64::to_ne_bytes(number));
    }
    // Nanoseconds of three times, mode, links, user, group, device, block size, flags.
    for number in [0, 0, 0, 0o100_600, 1, 0, 0, 0, 4096, 0] {
        out.extend(u32::to_ne_bytes(number));
    }
    out
}
