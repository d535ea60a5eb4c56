//! The one system call that the standard library does not offer.
#![expect(unsafe_code, reason = "this file is where the system call is made")]

use std::time::Duration;

/// User and system time of every child that has been waited for: getrusage(2).
pub fn children_cpu() -> Duration {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `usage` is valid for the call to write to, and zeroes are a valid value should it
    // fail.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr());
        usage.assume_init()
    };
    let of = |time: libc::timeval| {
        Duration::from_micros(time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64)
    };
    of(usage.ru_utime) + of(usage.ru_stime)
}
