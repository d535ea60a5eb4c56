//! Reading from a socket on Linux: several messages with one recvmmsg(2), each with its kernel
//! timestamps and, from the error queue, its error and offender.

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::c_int;

use super::{SO_TIMESTAMPING_NEW, SO_TIMESTAMPING_OLD};
use crate::sys::{ExtendedError, Message, Queue, check, clock_reading_ns};

#[cfg(any(test, fuzzing))]
#[path = "linux_fuzzing.rs"]
mod fuzzing;

/// Buffer size for control messages: an extended error with its offender (16 + 28 bytes) and three
/// timestamps (48 bytes), each with a header and padding, and some spare bytes.
const CONTROL_LEN: usize = 160;

/// A control buffer, aligned for its headers.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_LEN]);

/// A receive buffer for several messages, so that one system call, recvmmsg(2), empties a socket.
pub struct Batch {
    frame_len: usize,
    frames: Vec<u8>,
    controls: Vec<Control>,
    sources: Vec<libc::sockaddr_in6>,
    parts: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

/// Messages per system call: enough for the timestamps of a check with the default of five pings.
const BATCH_LEN: usize = 8;

/// Full batches that a drain reads before its caller may check the time: more than any socket
/// buffer holds, so that only an endless flood is cut off.
const DRAIN_ROUNDS: usize = 1000;

impl Batch {
    /// A buffer for messages of up to `frame_len` bytes.
    pub fn new(frame_len: usize) -> Batch {
        // SAFETY: all of these are plain C structures for which zeroes are valid.
        let (source, header) = unsafe { (mem::zeroed(), mem::zeroed()) };
        Batch {
            frame_len,
            frames: vec![0; frame_len * BATCH_LEN],
            controls: vec![Control([0; CONTROL_LEN]); BATCH_LEN],
            sources: vec![source; BATCH_LEN],
            parts: vec![
                libc::iovec {
                    iov_base: std::ptr::null_mut(),
                    iov_len: 0
                };
                BATCH_LEN
            ],
            headers: vec![header; BATCH_LEN],
        }
    }

    /// Reads all queued messages, or the error queue, without waiting, and passes each to `take`. A
    /// pending error of the socket is returned and thereby cleared.
    pub fn drain(
        &mut self,
        socket: BorrowedFd<'_>,
        queue: Queue,
        mut take: impl FnMut(Message<'_>),
    ) -> io::Result<()> {
        for _ in 0..DRAIN_ROUNDS {
            let count = match self.receive(socket, queue) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            for index in 0..count {
                take(self.message(index));
            }
            if count < BATCH_LEN {
                return Ok(());
            }
        }
        Ok(())
    }

    fn receive(&mut self, socket: BorrowedFd<'_>, queue: Queue) -> io::Result<usize> {
        for index in 0..BATCH_LEN {
            self.parts[index] = libc::iovec {
                iov_base: (&raw mut self.frames[index * self.frame_len]).cast(),
                iov_len: self.frame_len,
            };
            let header = &mut self.headers[index].msg_hdr;
            header.msg_name = (&raw mut self.sources[index]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            header.msg_iov = &raw mut self.parts[index];
            header.msg_iovlen = 1;
            header.msg_control = (&raw mut self.controls[index]).cast();
            header.msg_controllen = CONTROL_LEN as _;
        }
        let flags = match queue {
            Queue::Messages => libc::MSG_DONTWAIT,
            Queue::Errors => libc::MSG_DONTWAIT | libc::MSG_ERRQUEUE,
        };
        // SAFETY: every header points to a frame, a control buffer and an address of its own inside
        // the vectors, with their right lengths; the vectors are not touched until the call
        // returns.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                BATCH_LEN as u32,
                flags as _,
                std::ptr::null_mut(),
            )
        };
        check(count).map(|count| count.unsigned_abs() as usize)
    }

    fn message(&self, index: usize) -> Message<'_> {
        let header = &self.headers[index];
        let len = (header.msg_len as usize).min(self.frame_len);
        let bytes = &self.frames[index * self.frame_len..][..len];
        let is_cut = header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
        let source = if header.msg_hdr.msg_namelen == 0 {
            None
        } else {
            ip_of(&self.sources[index])
        };
        let mut message = Message {
            bytes,
            is_cut,
            source,
            timestamp_ns: None,
            error: None,
        };
        self.read_controls(index, &mut message);
        message
    }

    fn read_controls(&self, index: usize, message: &mut Message<'_>) {
        let header = &raw const self.headers[index].msg_hdr;
        // SAFETY: the kernel filled in `header`, and its control pointer is to our live buffer.
        // CMSG_FIRSTHDR and CMSG_NXTHDR stay within msg_controllen; lengths are checked before
        // anything is read.
        unsafe {
            let mut control = libc::CMSG_FIRSTHDR(header);
            while !control.is_null() {
                let data = libc::CMSG_DATA(control);
                let len = ((*control).cmsg_len as usize).saturating_sub(libc::CMSG_LEN(0) as usize);
                match ((*control).cmsg_level, (*control).cmsg_type) {
                    (libc::SOL_SOCKET, SO_TIMESTAMPING_NEW) if len >= size_of::<[i64; 2]>() => {
                        let stamp = data.cast::<[i64; 2]>().read_unaligned();
                        message.timestamp_ns = stamp_ns(stamp);
                    }
                    (libc::SOL_SOCKET, SO_TIMESTAMPING_OLD)
                        if len >= size_of::<[libc::c_long; 2]>() =>
                    {
                        let stamp = data.cast::<[libc::c_long; 2]>().read_unaligned();
                        message.timestamp_ns = stamp_ns(stamp.map(i64::from));
                    }
                    (libc::IPPROTO_IP, libc::IP_RECVERR)
                    | (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) => {
                        message.error = extended_error(std::slice::from_raw_parts(data, len));
                    }
                    _ => {}
                }
                control = libc::CMSG_NXTHDR(header, control);
            }
        }
    }
}

/// A timestamp in seconds and nanoseconds; `None` where the kernel has none.
fn stamp_ns([seconds, nanoseconds]: [i64; 2]) -> Option<i64> {
    Some(clock_reading_ns(seconds, nanoseconds)).filter(|ns| *ns != 0)
}

/// Reads `struct sock_extended_err` and the address that follows it. The offsets are those of
/// linux/errqueue.h.
fn extended_error(bytes: &[u8]) -> Option<ExtendedError> {
    let (fixed, offender) = bytes.split_at_checked(16)?;
    let data = u32::from_ne_bytes(fixed[12..16].try_into().ok()?);
    Some(ExtendedError {
        origin: fixed[4],
        kind: fixed[5],
        code: fixed[6],
        data,
        offender: ip_in(offender),
    })
}

/// The IP address in a structure that fits either version.
fn ip_of(address: &libc::sockaddr_in6) -> Option<IpAddr> {
    // SAFETY: any initialised structure may be read as bytes; the address was zeroed when it was
    // created.
    ip_in(unsafe {
        std::slice::from_raw_parts(
            (&raw const *address).cast(),
            size_of::<libc::sockaddr_in6>(),
        )
    })
}

/// The IP address in the bytes of a sockaddr_in or sockaddr_in6.
fn ip_in(bytes: &[u8]) -> Option<IpAddr> {
    let family = bytes
        .get(..2)
        .map(|b| c_int::from(u16::from_ne_bytes([b[0], b[1]])))?;
    match family {
        libc::AF_INET => bytes
            .get(4..8)
            .and_then(|b| <[u8; 4]>::try_from(b).ok())
            .map(|b| Ipv4Addr::from(b).into()),
        libc::AF_INET6 => bytes
            .get(8..24)
            .and_then(|b| <[u8; 16]>::try_from(b).ok())
            .map(|b| Ipv6Addr::from(b).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_after_2038_is_read_where_the_kernel_has_room_for_it() {
        let (seconds, nanoseconds) = (7_258_118_400_i64, 7);
        let long = [seconds, nanoseconds].map(i64::to_ne_bytes).concat();
        let short = [2_147_483_647, nanoseconds as libc::c_long].map(libc::c_long::to_ne_bytes);
        let stamp = |kind, data: &[u8]| {
            Batch::received(&[], &[0; 28], &[(kind, data)], |message| {
                message.timestamp_ns
            })
        };
        let (new, old) = (0, 4);
        assert_eq!(stamp(new, &long), Some(7_258_118_400_000_000_007));
        assert_eq!(stamp(new, &long[..15]), None);
        assert_eq!(stamp(old, &short.concat()), Some(2_147_483_647_000_000_007));
        assert_eq!(stamp(new, &[0; 16]), None, "none was made");
    }

    #[test]
    fn an_extended_error_of_any_length_is_read_or_refused() {
        let mut bytes = vec![0u8; 44];
        (bytes[4], bytes[5], bytes[6]) = (2, 3, 1);
        bytes[12..16].copy_from_slice(&7u32.to_ne_bytes());
        bytes[16..18].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
        bytes[20..24].copy_from_slice(&[10, 0, 0, 1]);
        let error = extended_error(&bytes).expect("whole");
        assert_eq!(
            (error.origin, error.kind, error.code, error.data),
            (2, 3, 1, 7)
        );
        assert_eq!(error.offender, Some(IpAddr::from([10, 0, 0, 1])));
        assert!(extended_error(&bytes[..15]).is_none());
        assert!(
            extended_error(&bytes[..17])
                .expect("no offender")
                .offender
                .is_none()
        );
    }
}
