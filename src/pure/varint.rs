//! Variable-length numbers (LEB128): the stored form of round-trip times, histograms and packed
//! roll-ups.

/// Appends a number: seven bits per byte, least significant first, the top bit set on all but the
/// last.
pub fn write(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let bits = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            return out.push(bits);
        }
        out.push(bits | 0x80);
    }
}

/// Reads a number from the front of the bytes and removes it. `None` when it is truncated or
/// exceeds 64 bits.
// Inlined although the program is compiled for size: a chart of a year reads hundreds of thousands
// of these.
#[inline(always)]
pub fn read(bytes: &mut &[u8]) -> Option<u64> {
    // Most numbers fit one byte.
    if let Some((first, rest)) = bytes.split_first()
        && first & 0x80 == 0
    {
        *bytes = rest;
        return Some(u64::from(*first));
    }
    read_long(bytes)
}

fn read_long(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(first & 0x7f);
        if shift == 63 && bits > 1 {
            return None;
        }
        value |= bits << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_read_as_it_was_written() {
        for value in [
            0,
            1,
            127,
            128,
            16_383,
            16_384,
            u64::from(u32::MAX),
            u64::MAX - 1,
            u64::MAX,
        ] {
            let mut bytes = Vec::new();
            write(&mut bytes, value);
            assert_eq!(read(&mut &bytes[..]), Some(value));
        }
        assert_eq!(read(&mut &[0xff; 10][..]), None, "more than 64 bits");
        // The tenth byte has room for one bit.
        for (last, value) in [(0, Some(0)), (1, Some(1 << 63)), (2, None)] {
            let mut bytes = [0x80; 10];
            bytes[9] = last;
            assert_eq!(read(&mut &bytes[..]), value, "{last}");
        }
    }
}
