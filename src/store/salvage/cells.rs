//! The rows in a page of a b-tree: sqlite.org/fileformat2.html, sections 1.6 and 2.1.

use rusqlite::types::Value;

use super::pages::{Pages, number};

const TABLE_LEAF: u8 = 13;
const TABLE_INTERIOR: u8 = 5;
const INDEX_LEAF: u8 = 10;
const INDEX_INTERIOR: u8 = 2;

/// A row is not longer than the longest blob or text that this program writes.
const MAX_ROW_BYTES: usize = 4 << 20;

#[derive(Debug, PartialEq)]
pub struct Row {
    /// `None` in tables without.
    pub id: Option<i64>,
    pub values: Vec<Value>,
}

/// The rows of a page, and how many of its cells cannot be read; `None` if the page is not one of a
/// b-tree.
pub fn rows(pages: &Pages, page: u32, bytes: &[u8]) -> Option<(Vec<Row>, usize)> {
    let start = if page == 1 { 100 } else { 0 };
    let kind = *bytes.get(start)?;
    let head = match kind {
        TABLE_LEAF | INDEX_LEAF => 8,
        TABLE_INTERIOR | INDEX_INTERIOR => 12,
        _ => return None,
    };
    let cells = usize::from(short(bytes, start + 3)?);
    let first = start + head;
    let content = match short(bytes, start + 5)? {
        0 => 65_536,
        content => usize::from(content),
    };
    let pointers_end = first + 2 * cells;
    if pointers_end > content || content > pages.usable {
        return None;
    }
    if kind == TABLE_INTERIOR {
        return Some((Vec::new(), 0));
    }
    let (mut found, mut unreadable) = (Vec::new(), 0);
    for index in 0..cells {
        let at = usize::from(short(bytes, first + 2 * index)?);
        let row = (at >= content)
            .then(|| row(pages, kind, bytes, at))
            .flatten();
        match row {
            Some(row) => found.push(row),
            None => unreadable += 1,
        }
    }
    Some((found, unreadable))
}

/// The pages below an interior page of an index, in their order; none below others. The rows of the
/// page lie between them.
pub fn children(bytes: &[u8]) -> Vec<u32> {
    let cells = short(bytes, 3).filter(|_| bytes.first() == Some(&INDEX_INTERIOR));
    let Some(cells) = cells.map(usize::from) else {
        return Vec::new();
    };
    (0..cells)
        .filter_map(|index| short(bytes, 12 + 2 * index))
        .map(|at| number(bytes, at.into()))
        .chain([number(bytes, 8)])
        .collect()
}

fn row(pages: &Pages, kind: u8, bytes: &[u8], mut at: usize) -> Option<Row> {
    if kind == INDEX_INTERIOR {
        at += 4;
    }
    let bytes = bytes.get(..pages.usable)?;
    let len = usize::try_from(varint(bytes, &mut at)?).ok()?;
    let id = if kind == TABLE_LEAF {
        Some(varint(bytes, &mut at)?)
    } else {
        None
    };
    let payload = payload(pages, kind, bytes, at, len)?;
    record(&payload).map(|values| Row { id, values })
}

/// A long row continues on overflow pages.
fn payload(pages: &Pages, kind: u8, bytes: &[u8], at: usize, len: usize) -> Option<Vec<u8>> {
    let usable = pages.usable;
    let max_local = if kind == TABLE_LEAF {
        usable - 35
    } else {
        (usable - 12) * 64 / 255 - 23
    };
    if len <= max_local {
        return bytes.get(at..at + len).map(<[u8]>::to_vec);
    }
    if len > MAX_ROW_BYTES {
        return None;
    }
    let min_local = (usable - 12) * 32 / 255 - 23;
    let even = min_local + (len - min_local) % (usable - 4);
    let local = if even <= max_local { even } else { min_local };
    let mut whole = bytes.get(at..at + local)?.to_vec();
    let mut next = number(bytes.get(..at + local + 4)?, at + local);
    while whole.len() < len {
        if next == 0 || next > pages.count {
            return None;
        }
        let page = pages.read(next)?;
        let part = (len - whole.len()).min(usable - 4);
        whole.extend_from_slice(page.get(4..4 + part)?);
        next = number(&page, 0);
    }
    Some(whole)
}

/// `None` unless its parts have exactly the length of the whole.
fn record(bytes: &[u8]) -> Option<Vec<Value>> {
    let mut head = 0;
    let head_len = usize::try_from(varint(bytes, &mut head)?).ok()?;
    let mut body = head_len;
    let mut values = Vec::new();
    while head < head_len {
        let serial = u64::try_from(varint(bytes, &mut head)?).ok()?;
        values.push(value(bytes, &mut body, serial)?);
    }
    (head == head_len && body == bytes.len()).then_some(values)
}

fn value(bytes: &[u8], at: &mut usize, serial: u64) -> Option<Value> {
    let len = match serial {
        0 | 8 | 9 => 0,
        1..=4 => serial,
        5 => 6,
        6 | 7 => 8,
        12.. => (serial - 12) / 2,
        _ => return None,
    };
    let end = at.checked_add(usize::try_from(len).ok()?)?;
    let content = bytes.get(*at..end)?;
    *at = end;
    Some(match serial {
        0 => Value::Null,
        8 | 9 => Value::Integer(i64::from(serial == 9)),
        7 => Value::Real(f64::from_be_bytes(content.try_into().ok()?)),
        1..=6 => {
            let negative = content.first().is_some_and(|byte| *byte >= 0x80);
            let sign = if negative { -1 } else { 0 };
            let join = |number: i64, byte: &u8| number << 8 | i64::from(*byte);
            Value::Integer(content.iter().fold(sign, join))
        }
        _ if serial.is_multiple_of(2) => Value::Blob(content.to_vec()),
        _ => Value::Text(String::from_utf8_lossy(content).into_owned()),
    })
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?;
    Some(u16::from_be_bytes([bytes[0], bytes[1]]))
}

/// A number of one to nine bytes, of which the ninth has eight bits and the others seven.
fn varint(bytes: &[u8], at: &mut usize) -> Option<i64> {
    let mut number = 0_u64;
    for index in 0..9 {
        let byte = *bytes.get(*at)?;
        *at += 1;
        if index == 8 {
            return Some((number << 8 | u64::from(byte)).cast_signed());
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if byte < 0x80 {
            break;
        }
    }
    Some(number.cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_sqlite_writes_them_or_not_at_all() {
        // null, -1, 258, 1, "ab", a blob of one byte, 0.5.
        let bytes = [
            8, 0, 1, 2, 9, 17, 14, 7, 0xff, 1, 2, b'a', b'b', 9, 0x3f, 0xe0, 0, 0, 0, 0, 0, 0,
        ];
        let expected = vec![
            Value::Null,
            Value::Integer(-1),
            Value::Integer(258),
            Value::Integer(1),
            Value::Text("ab".into()),
            Value::Blob(vec![9]),
            Value::Real(0.5),
        ];
        assert_eq!(record(&bytes), Some(expected));
        assert_eq!(record(&bytes[..bytes.len() - 1]), None, "cut");
        for at in 0..8 {
            let mut wrong = bytes;
            wrong[at] = 127;
            assert_eq!(record(&wrong), None, "byte {at}");
        }
        let mut at = 0;
        assert_eq!(varint(&[0xff; 9], &mut at), Some(-1));
        assert_eq!((varint(&[0x81, 0], &mut 0), at), (Some(128), 9));
    }
}
