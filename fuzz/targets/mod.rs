//! What is fuzzed: each target is a function that must not panic, whatever bytes it gets. cargo-fuzz
//! runs them for hours (fuzz/run), `cargo test` replays the corpora and changes their files at
//! random for some seconds. They are compiled into the library for both, since what they call is not
//! open to other crates.

mod blobs;
mod configuration;
mod database;
mod http;
mod import;
mod messages;
mod notices;
mod packets;
mod readers;
mod routes;
mod sample;

#[cfg(test)]
mod cells;
#[cfg(test)]
mod replay;

/// Gets the bytes that a fuzzer makes.
type Target = fn(&[u8]);

/// Each with its name, which is also that of its corpus and of its file in fuzz/fuzz_targets.
pub const TARGETS: [(&str, Target); 9] = [
    ("packets", packets::run),
    ("messages", messages::run),
    ("routes", routes::run),
    ("configuration", configuration::run),
    ("http", http::run),
    ("blobs", blobs::run),
    ("database", database::run),
    ("import", import::run),
    ("notices", notices::run),
];

/// Runs the target with a name.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|(own, _)| *own == name);
    let (_, run) = target.expect("the names are those of the table");
    run(data);
}

/// Takes numbers off the front of a target's bytes; zeros after their end.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    fn array<const LEN: usize>(&mut self) -> [u8; LEN] {
        std::array::from_fn(|_| self.byte())
    }

    fn number(&mut self) -> i64 {
        i64::from_le_bytes(self.array())
    }

    /// Up to `len` bytes.
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
