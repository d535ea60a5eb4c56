//! Compression of what is sent: one compressor for the whole server, a piece at a time; and back,
//! for clients who don't take it. The format: RFC 1951 (deflate), RFC 1952 (gzip).

use std::sync::{Mutex, PoisonError};
use std::thread;

use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress};

/// Of 53 kB of a chart's JSON level 4 makes 13.1 kB in 0.8 ms, level 6 makes 12.8 kB in 2.5 ms,
/// level 1 makes 15.0 kB in 0.5 ms.
const LEVEL: u32 = 4;

/// So much is compressed at a time, so that a long answer does not keep a short one waiting. Also a
/// window's length: what is cut off by a border of pieces costs little.
const PIECE_BYTES: usize = 64 * 1024;

/// No time, no name, unknown system: RFC 1952, section 2.3.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// An empty last block: RFC 1951, section 3.2.3, the final bit and the fixed code's end of block.
const LAST_BLOCK: [u8; 2] = [3, 0];

/// Shorter bodies fit one packet in any case.
const MIN_BYTES: usize = 600;

/// A stored block holds at most so much, and begins with five bytes: RFC 1951, section 3.2.4.
const STORED_BYTES: usize = 0xffff;

/// Making a compressor moves its 300 kB through the stack.
const MAKER_STACK_BYTES: usize = 1024 * 1024;

/// The compressor and its opposite. They hold 300 kB and 43 kB, so that there is one of each and
/// connections take turns; the compressor is there only while somebody is.
#[derive(Debug)]
pub(super) struct Compressor {
    compress: Mutex<Option<Compress>>,
    decompress: Mutex<Decompress>,
    make: fn() -> Option<Compress>,
}

impl Compressor {
    pub(super) fn new() -> Compressor {
        Compressor {
            compress: Mutex::new(None),
            decompress: Mutex::new(Decompress::new(false)),
            make: make_compressor,
        }
    }

    /// Lets go of the compressor.
    pub(super) fn rest(&self) {
        *self.compress.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Appends the bytes as whole deflate blocks that refer to nothing before them; so pieces of
    /// several answers may go through it in any order. Where no compressor can be had, as they are.
    fn squeeze(&self, bytes: &[u8], out: &mut Vec<u8>) {
        for piece in bytes.chunks(PIECE_BYTES) {
            let mut held = self.compress.lock().unwrap_or_else(PoisonError::into_inner);
            if held.is_none() {
                *held = (self.make)();
            }
            let Some(compress) = held.as_mut() else {
                piece
                    .chunks(STORED_BYTES)
                    .for_each(|stored| store(stored, out));
                continue;
            };
            // Or what comes out would depend on what was compressed before.
            compress.reset();
            let mut rest = piece;
            loop {
                // Room for the flush too: without any the call would come back to be called again.
                out.reserve(rest.len() / 4 + 64);
                let before = compress.total_in();
                // It fails only over a preset dictionary, of which there is none.
                if compress
                    .compress_vec(rest, out, FlushCompress::Full)
                    .is_err()
                {
                    return;
                }
                let taken = usize::try_from(compress.total_in() - before).unwrap_or(usize::MAX);
                rest = rest.get(taken..).unwrap_or_default();
                // Left room says that nothing more was to be written.
                if rest.is_empty() && out.len() < out.capacity() {
                    break;
                }
            }
        }
    }

    /// The whole body compressed; `None` when that does not pay.
    pub(super) fn whole(&self, body: &[u8]) -> Option<Vec<u8>> {
        if body.len() < MIN_BYTES {
            return None;
        }
        let mut out = Vec::with_capacity(body.len() / 3);
        let mut stream = Stream::default();
        stream.page(self, body, &mut out);
        stream.finish(&mut out);
        (out.len() < body.len() / 10 * 9).then_some(out)
    }

    /// What is in a gzip file of our own, whose head is as long as [`HEAD`]: build.rs writes such
    /// files too.
    pub(super) fn unpack(&self, file: &[u8]) -> Vec<u8> {
        // The last four bytes are the length of what is in it: RFC 1952, section 2.3.1.
        let len = file.last_chunk().map_or(0, |len| u32::from_le_bytes(*len));
        let mut out = Vec::with_capacity(usize::try_from(len).unwrap_or_default());
        let packed = file.get(HEAD.len()..).unwrap_or_default();
        let mut decompress = self
            .decompress
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        decompress.reset(false);
        decompress
            .decompress_vec(packed, &mut out, FlushDecompress::Finish)
            .expect("it is a file of our own");
        out
    }
}

/// A thread of its own makes it, since a connection's stack is too small. `None` when the system
/// has none left.
fn make_compressor() -> Option<Compress> {
    let make = || Compress::new(Compression::new(LEVEL), false);
    thread::Builder::new()
        .stack_size(MAKER_STACK_BYTES)
        .spawn(make)
        .ok()?
        .join()
        .ok()
}

/// Appends a block that is not compressed and not the last.
fn store(bytes: &[u8], out: &mut Vec<u8>) {
    let len = u16::try_from(bytes.len())
        .expect("chunks of that length")
        .to_le_bytes();
    out.extend_from_slice(&[0, len[0], len[1], !len[0], !len[1]]);
    out.extend_from_slice(bytes);
}

/// A gzip file in the making, page by page.
#[derive(Debug, Default)]
pub(super) struct Stream {
    crc: Crc,
    is_begun: bool,
}

impl Stream {
    /// Appends what a page becomes.
    pub(super) fn page(&mut self, press: &Compressor, page: &[u8], out: &mut Vec<u8>) {
        self.begin(out);
        self.crc.update(page);
        press.squeeze(page, out);
    }

    /// Appends the end.
    pub(super) fn finish(mut self, out: &mut Vec<u8>) {
        self.begin(out);
        out.extend_from_slice(&LAST_BLOCK);
        out.extend_from_slice(&self.crc.sum().to_le_bytes());
        out.extend_from_slice(&self.crc.amount().to_le_bytes());
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !self.is_begun {
            out.extend_from_slice(&HEAD);
            self.is_begun = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    /// By another reader than the one in the program.
    fn unpacked(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        flate2::read::GzDecoder::new(bytes)
            .read_to_end(&mut out)
            .expect("a gzip file");
        out
    }

    #[test]
    fn pages_of_two_answers_in_turn_come_out_as_they_went_in() {
        let press = Compressor::new();
        let noise: Vec<u8> = (0..200_000u32)
            .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0])
            .collect();
        let text = "the same again ".repeat(20_000).into_bytes();
        let (mut a, mut b) = (
            (Stream::default(), Vec::new()),
            (Stream::default(), Vec::new()),
        );
        for at in [0, 1, 2] {
            a.0.page(&press, &noise[at * 60_000..][..60_000], &mut a.1);
            b.0.page(&press, &text[at * 100_000..][..100_000], &mut b.1);
            a.0.page(&press, b"", &mut a.1);
        }
        a.0.finish(&mut a.1);
        b.0.finish(&mut b.1);
        assert_eq!(unpacked(&a.1), noise[..180_000]);
        assert_eq!(unpacked(&b.1), text[..300_000]);
        for _ in 0..2 {
            assert_eq!(press.unpack(&b.1), text[..300_000]);
        }
        assert!(b.1.len() < 10_000, "{}", b.1.len());
    }

    #[test]
    fn the_same_body_has_the_same_bytes_whatever_came_before() {
        let press = Compressor::new();
        let body = |seed: u32| {
            (0..9000u32)
                .map(|n| ((n * (seed + 3)) % 97 + n / 50 % 30).to_be_bytes()[3])
                .collect::<Vec<u8>>()
        };
        let first = press.whole(&body(0)).expect("it pays");
        for seed in 1..100 {
            press.whole(&body(seed)[..usize::try_from(seed).expect("small") * 80]);
            assert_eq!(press.whole(&body(0)).expect("it pays"), first, "{seed}");
        }
    }

    #[test]
    fn without_a_compressor_pages_are_whole_all_the_same() {
        let press = Compressor {
            make: || None,
            ..Compressor::new()
        };
        let text = "the same again ".repeat(20_000).into_bytes();
        let (mut stream, mut out) = (Stream::default(), Vec::new());
        for page in [&text[..], b"", b"end"] {
            stream.page(&press, page, &mut out);
        }
        stream.finish(&mut out);
        assert_eq!(unpacked(&out), [&text[..], b"end"].concat());
        assert!(press.whole(&text).is_none());
    }

    #[test]
    fn what_does_not_pay_is_not_compressed() {
        let press = Compressor::new();
        assert!(press.whole(&[b'a'; 599]).is_none());
        assert!(press.whole(&[b'a'; 600]).is_some_and(|out| out.len() < 60));
        let mut state = 1u64;
        let mut random = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state.to_be_bytes()[0]
        };
        assert!(
            press
                .whole(&(0..5000).map(|_| random()).collect::<Vec<u8>>())
                .is_none()
        );
        let mut nothing = Vec::new();
        Stream::default().finish(&mut nothing);
        assert_eq!(unpacked(&nothing), b"");
    }
}
