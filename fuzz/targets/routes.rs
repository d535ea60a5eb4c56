//! Messages about routes and links: those of Linux, and those of macOS and FreeBSD.

use super::Bytes;
use crate::sys::fuzzing::{read_link_messages, read_route_answer, read_routing_table};

pub fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let kind = bytes.byte();
    let to = bytes.array::<16>();
    let rest = bytes.0;
    match kind % 3 {
        0 => read_route_answer(rest),
        1 => read_link_messages(rest),
        _ => read_routing_table(rest, to, kind & 4 != 0),
    }
}
