//! Long bodies are kept compressed from when they are made until they are sent, a piece at a time, also
//! for a client that does not accept gzip: thousands of hosts have megabytes of JSON, a tenth of that
//! compressed.

use std::io::{self, Write};

use super::gzip::{Compressor, GzipStream, PIECE_BYTES};

/// A body that is made piece by piece.
pub(super) struct Packer<'a> {
    compressor: &'a Compressor,
    /// Of the current piece.
    plain: Vec<u8>,
    stream: GzipStream,
    packed: Packed,
}

/// A gzip file of pieces that can be decompressed one by one.
#[derive(Default)]
pub(super) struct Packed {
    file: Vec<u8>,
    /// Where each piece ends in the file.
    ends: Vec<usize>,
    /// Of the content, in bytes.
    len: usize,
}

/// A body that has been made.
pub(super) enum Made {
    /// Of one piece.
    Short(Vec<u8>),
    Long(Packed),
}

impl<'a> Packer<'a> {
    pub(super) fn new(compressor: &'a Compressor) -> Packer<'a> {
        Packer {
            compressor,
            plain: Vec::new(),
            stream: GzipStream::default(),
            packed: Packed::default(),
        }
    }

    fn pack(&mut self, piece: &[u8]) {
        self.stream
            .push(self.compressor, piece, &mut self.packed.file);
        self.packed.ends.push(self.packed.file.len());
        self.packed.len += piece.len();
    }

    pub(super) fn finish(mut self) -> Made {
        if self.packed.ends.is_empty() {
            return Made::Short(self.plain);
        }
        if !self.plain.is_empty() {
            let last = std::mem::take(&mut self.plain);
            self.pack(&last);
        }
        self.stream.finish(&mut self.packed.file);
        self.packed.file.shrink_to_fit();
        Made::Long(self.packed)
    }
}

impl Write for Packer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A body of exactly one piece is short.
        if self.plain.len() == PIECE_BYTES && !bytes.is_empty() {
            let mut piece = std::mem::take(&mut self.plain);
            self.pack(&piece);
            piece.clear();
            self.plain = piece;
        }
        let space = PIECE_BYTES - self.plain.len();
        let now = bytes.get(..space).unwrap_or(bytes);
        self.plain.extend_from_slice(now);
        Ok(now.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Packed {
    /// The length of the content.
    pub(super) fn content_len(&self) -> usize {
        self.len
    }

    /// What it takes in memory while it is sent to a client that does not accept gzip.
    pub(super) fn held_bytes(&self) -> usize {
        self.file.len() + PIECE_BYTES
    }

    pub(super) fn into_gzip(self) -> Vec<u8> {
        self.file
    }

    /// The content, decompressed piece by piece.
    pub(super) fn pieces<'p>(
        &'p self,
        compressor: &'p Compressor,
    ) -> impl Iterator<Item = Vec<u8>> + 'p {
        let begins = std::iter::once(GzipStream::HEADER_BYTES).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, end)| {
            let piece = self.file.get(begin..*end).unwrap_or_default();
            compressor.decompress_piece(piece)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(compressor: &Compressor, parts: &[&[u8]]) -> Made {
        let mut packer = Packer::new(compressor);
        for part in parts {
            packer.write_all(part).expect("it fits");
        }
        packer.finish()
    }

    fn noise(len: u32) -> Vec<u8> {
        (0..len)
            .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0])
            .collect()
    }

    #[test]
    fn a_long_body_is_the_same_as_a_gzip_file_and_piece_by_piece() {
        let noise = noise(3 * 65_536);
        let text = b"the same again ".repeat(20_000);
        for without in [false, true] {
            let compressor = if without {
                Compressor::without()
            } else {
                Compressor::new()
            };
            for parts in [
                &[&noise[..], &text[..]][..],
                &[&text[..1], &text[..65_536], &noise[..2]],
                &[&noise[..65_536], &noise[..65_536]],
                &[&text[..65_537]],
            ] {
                let whole = parts.concat();
                let Made::Long(packed) = made(&compressor, parts) else {
                    panic!("{} bytes are long", whole.len());
                };
                assert_eq!(packed.content_len(), whole.len());
                let pieces: Vec<Vec<u8>> = packed.pieces(&compressor).collect();
                assert!(pieces.iter().all(|piece| piece.len() <= PIECE_BYTES));
                assert!(pieces.concat() == whole, "{} bytes", whole.len());
                assert!(compressor.decompress(&packed.into_gzip()) == whole);
            }
        }
    }

    #[test]
    fn a_body_of_one_piece_stays_as_it_is() {
        let noise = noise(65_536);
        for len in [0, 1, 65_536] {
            let Made::Short(body) = made(
                &Compressor::new(),
                &[&noise[..len / 2], &noise[len / 2..len]],
            ) else {
                panic!("{len} bytes are short");
            };
            assert!(body == noise[..len]);
        }
    }
}
