//! What the kernel passes beside a message: timestamps, and errors with the address of their
//! sender.

use super::Bytes;
use crate::sys::fuzzing::read_controls;

pub fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let frame_len = usize::from(bytes.byte());
    let frame = bytes.take(frame_len);
    let source = bytes.array::<28>();
    let mut controls = Vec::new();
    while !bytes.is_empty() {
        let kind = bytes.byte();
        let len = usize::from(bytes.byte());
        controls.push((kind, bytes.take(len)));
    }
    let read = read_controls(frame, &source, &controls);
    assert!(read <= frame.len());
}
