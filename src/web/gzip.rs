//! Compresses response bodies with one compressor for the whole server, and decompresses the page's
//! files for clients that do not accept gzip. Formats: RFC 1951 (deflate), RFC 1952 (gzip).

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::thread;

use crc::{CRC_32_ISO_HDLC, Crc, Digest};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

/// Measured with 53 kB of a chart's JSON: level 1 makes 15.0 kB in 0.5 ms, level 4 makes 13.1 kB in
/// 0.8 ms, level 6 makes 12.8 kB in 2.5 ms.
const LEVEL: u32 = 4;

/// At most this many bytes are compressed under one lock, so that a long response does not delay a short one.
/// It is twice deflate's window, so cutting a body into pieces costs little.
pub(super) const PIECE_BYTES: usize = 64 * 1024;

/// Without time and name, system unknown: RFC 1952, section 2.3.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// An empty last block: RFC 1951, section 3.2.3, the final bit and the fixed code's end of block.
const LAST_BLOCK: [u8; 2] = [3, 0];

/// A shorter body fits in one packet uncompressed.
const MIN_BYTES: usize = 600;

/// The maximum size of an uncompressed block: RFC 1951, section 3.2.4.
const MAX_STORED_BYTES: usize = 0xffff;

/// `Compress::new` moves 300 kB through the stack.
const NEW_STACK_BYTES: usize = 1024 * 1024;

/// One compressor (300 kB) and one decompressor (43 kB), which connections use in turn. The
/// compressor exists only while there are connections.
#[derive(Debug)]
pub(super) struct Compressor {
    deflate: Mutex<Option<Compress>>,
    inflate: Mutex<Decompress>,
    new_deflate: fn() -> Option<Compress>,
}

impl Compressor {
    pub(super) fn new() -> Compressor {
        Compressor {
            deflate: Mutex::new(None),
            inflate: Mutex::new(Decompress::new(false)),
            new_deflate,
        }
    }

    #[cfg(test)]
    pub(super) fn without() -> Compressor {
        Compressor {
            new_deflate: || None,
            ..Compressor::new()
        }
    }

    pub(super) fn release_idle(&self) {
        *self.deflate.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Appends the bytes as complete deflate blocks that do not refer to earlier bytes, so that
    /// several responses can be compressed in turn. Without a compressor the blocks are stored
    /// uncompressed.
    fn compress(&self, bytes: &[u8], out: &mut Vec<u8>) {
        for piece in bytes.chunks(PIECE_BYTES) {
            let mut held = self.deflate.lock().unwrap_or_else(PoisonError::into_inner);
            if held.is_none() {
                *held = (self.new_deflate)();
            }
            let Some(deflate) = held.as_mut() else {
                piece
                    .chunks(MAX_STORED_BYTES)
                    .for_each(|stored| store(stored, out));
                continue;
            };
            // Otherwise the output would depend on what was compressed before.
            deflate.reset();
            let mut rest = piece;
            loop {
                // Includes space for the flush, without which another call would be needed.
                out.reserve(rest.len() / 4 + 64);
                let before = deflate.total_in();
                // Fails only over a preset dictionary, and there is none.
                if deflate
                    .compress_vec(rest, out, FlushCompress::Full)
                    .is_err()
                {
                    return;
                }
                let taken = usize::try_from(deflate.total_in() - before).unwrap_or(usize::MAX);
                rest = rest.get(taken..).unwrap_or_default();
                // Unused capacity means that all output was written.
                if rest.is_empty() && out.len() < out.capacity() {
                    break;
                }
            }
        }
    }

    /// `None` when compression would save less than a tenth.
    pub(super) fn compress_body(&self, body: &[u8]) -> Option<Vec<u8>> {
        if body.len() < MIN_BYTES {
            return None;
        }
        let mut out = Vec::with_capacity(body.len() / 3);
        let mut stream = GzipStream::default();
        stream.push(self, body, &mut out);
        stream.finish(&mut out);
        (out.len() < body.len() / 10 * 9).then_some(out)
    }

    /// The content of the blocks that [`Compressor::compress`] made of one piece.
    pub(super) fn decompress_piece(&self, blocks: &[u8]) -> Vec<u8> {
        self.inflate(blocks, PIECE_BYTES, FlushDecompress::Sync)
    }

    /// The content of a gzip file that build.rs made. Its header is as long as [`HEADER`].
    pub(super) fn decompress(&self, file: &[u8]) -> Vec<u8> {
        // The last four bytes are the length of the content: RFC 1952, section 2.3.1.
        let len = file.last_chunk().map_or(0, |len| u32::from_le_bytes(*len));
        let deflated = file.get(HEADER.len()..).unwrap_or_default();
        let len = usize::try_from(len).unwrap_or_default();
        self.inflate(deflated, len, FlushDecompress::Finish)
    }

    /// `len`: at most so long is the content.
    fn inflate(&self, deflated: &[u8], len: usize, flush: FlushDecompress) -> Vec<u8> {
        let mut out = Vec::with_capacity(len);
        let mut inflate = self.inflate.lock().unwrap_or_else(PoisonError::into_inner);
        inflate.reset(false);
        inflate
            .decompress_vec(deflated, &mut out, flush)
            .expect("made by this program or by build.rs");
        out
    }
}

/// Runs in a new thread, since the stack of a connection's thread is too small. `None` when no
/// thread can be started.
fn new_deflate() -> Option<Compress> {
    let new = || Compress::new(Compression::new(LEVEL), false);
    thread::Builder::new()
        .stack_size(NEW_STACK_BYTES)
        .spawn(new)
        .ok()?
        .join()
        .ok()
}

/// Appends an uncompressed block that is not the last one.
fn store(bytes: &[u8], out: &mut Vec<u8>) {
    let len = u16::try_from(bytes.len())
        .expect("chunks of that length")
        .to_le_bytes();
    out.extend_from_slice(&[0, len[0], len[1], !len[0], !len[1]]);
    out.extend_from_slice(bytes);
}

/// The checksum of a gzip file (RFC 1952, section 8).
static CHECKSUM: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// A gzip file that is made chunk by chunk.
pub(super) struct GzipStream {
    checksum: Digest<'static, u32>,
    length: u64,
    is_begun: bool,
}

impl Default for GzipStream {
    fn default() -> GzipStream {
        GzipStream {
            checksum: CHECKSUM.digest(),
            length: 0,
            is_begun: false,
        }
    }
}

impl fmt::Debug for GzipStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.length)
    }
}

impl GzipStream {
    pub(super) const HEADER_BYTES: usize = HEADER.len();

    /// Appends the compressed chunk to `out`.
    pub(super) fn push(&mut self, compressor: &Compressor, chunk: &[u8], out: &mut Vec<u8>) {
        self.begin(out);
        self.checksum.update(chunk);
        self.length = self.length.wrapping_add(chunk.len() as u64);
        compressor.compress(chunk, out);
    }

    pub(super) fn finish(mut self, out: &mut Vec<u8>) {
        self.begin(out);
        out.extend_from_slice(&LAST_BLOCK);
        out.extend_from_slice(&self.checksum.finalize().to_le_bytes());
        // Modulo 2^32.
        out.extend_from_slice(&self.length.to_le_bytes()[..4]);
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !self.is_begun {
            out.extend_from_slice(&HEADER);
            self.is_begun = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    /// With flate2's own reader, which the program does not use.
    fn decompressed(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        flate2::read::GzDecoder::new(bytes)
            .read_to_end(&mut out)
            .expect("a gzip file");
        out
    }

    #[test]
    fn chunks_of_two_responses_in_turn_decompress_to_what_they_were() {
        let compressor = Compressor::new();
        let noise: Vec<u8> = (0..200_000u32)
            .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0])
            .collect();
        let text = "the same again ".repeat(20_000).into_bytes();
        let (mut a, mut b) = (
            (GzipStream::default(), Vec::new()),
            (GzipStream::default(), Vec::new()),
        );
        for at in [0, 1, 2] {
            a.0.push(&compressor, &noise[at * 60_000..][..60_000], &mut a.1);
            b.0.push(&compressor, &text[at * 100_000..][..100_000], &mut b.1);
            a.0.push(&compressor, b"", &mut a.1);
        }
        a.0.finish(&mut a.1);
        b.0.finish(&mut b.1);
        assert_eq!(decompressed(&a.1), noise[..180_000]);
        assert_eq!(decompressed(&b.1), text[..300_000]);
        for _ in 0..2 {
            assert_eq!(compressor.decompress(&b.1), text[..300_000]);
        }
        assert!(b.1.len() < 10_000, "{}", b.1.len());
    }

    #[test]
    fn the_same_body_compresses_to_the_same_bytes_whatever_came_before() {
        let compressor = Compressor::new();
        let body = |seed: u32| {
            (0..9000u32)
                .map(|n| ((n * (seed + 3)) % 97 + n / 50 % 30).to_be_bytes()[3])
                .collect::<Vec<u8>>()
        };
        let first = compressor.compress_body(&body(0)).expect("it shrinks");
        for seed in 1..100 {
            compressor.compress_body(&body(seed)[..usize::try_from(seed).expect("small") * 80]);
            assert_eq!(
                compressor.compress_body(&body(0)).expect("it shrinks"),
                first,
                "{seed}"
            );
        }
    }

    #[test]
    fn without_a_compressor_chunks_are_stored_uncompressed() {
        let compressor = Compressor::without();
        let text = "the same again ".repeat(20_000).into_bytes();
        let (mut stream, mut out) = (GzipStream::default(), Vec::new());
        for page in [&text[..], b"", b"end"] {
            stream.push(&compressor, page, &mut out);
        }
        stream.finish(&mut out);
        assert_eq!(decompressed(&out), [&text[..], b"end"].concat());
        assert!(compressor.compress_body(&text).is_none());
    }

    #[test]
    fn a_body_that_compression_does_not_shrink_is_not_compressed() {
        let compressor = Compressor::new();
        assert!(compressor.compress_body(&[b'a'; 599]).is_none());
        assert!(
            compressor
                .compress_body(&[b'a'; 600])
                .is_some_and(|out| out.len() < 60)
        );
        let mut state = 1u64;
        let mut random = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state.to_be_bytes()[0]
        };
        assert!(
            compressor
                .compress_body(&(0..5000).map(|_| random()).collect::<Vec<u8>>())
                .is_none()
        );
        let mut nothing = Vec::new();
        GzipStream::default().finish(&mut nothing);
        assert_eq!(decompressed(&nothing), b"");
    }
}
