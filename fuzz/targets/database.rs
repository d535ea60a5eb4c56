//! A whole database in which cells and pages are changed: every reader answers, the writer writes,
//! or either says why not.

use std::fs;

use rusqlite::Connection;
use rusqlite::types::Value;

use super::Bytes;
use super::readers::{read_everything, write_everything};
use super::sample::{self, Folder};

/// Texts that mean something somewhere.
const TEXTS: [&str; 12] = [
    "",
    "x",
    "ä",
    "2024-01-01 00:00:00",
    "2026-02-30 25:61:61",
    "9999-12-31 23:59:59.999",
    "outage",
    "link_down",
    "clock",
    "[{\"at\":1,\"hops\":[null,7]}]",
    "{\"gateway\":\"answers\",\"on_path_answering\":-1}",
    "[[[[[[[[[[[[[[[[",
];

/// The names of the sample's tables, and of their columns.
pub fn columns(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    const COLUMNS: &str = "select t.name, c.name from sqlite_schema t, pragma_table_info(t.name) c
        where t.type = 'table' and t.name not like 'sqlite%' order by t.name, c.cid";
    let mut statement = connection.prepare(COLUMNS)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

fn value(bytes: &mut Bytes<'_>) -> Value {
    let kind = bytes.byte();
    let now = sample::now().0;
    match kind % 8 {
        0 => Value::Null,
        1 => Value::Integer(bytes.number()),
        2 => Value::Real(f64::from_bits(bytes.number().cast_unsigned())),
        3 => Value::Text(TEXTS[usize::from(bytes.byte()) % TEXTS.len()].into()),
        4 => {
            let len = usize::from(bytes.byte());
            Value::Text(String::from_utf8_lossy(bytes.take(len)).into_owned())
        }
        5 => {
            let len = usize::from(bytes.byte());
            Value::Blob(bytes.take(len).to_vec())
        }
        // Near a limit, and near the present.
        6 => {
            let limit = 1_i64.rotate_left(u32::from(bytes.byte()));
            Value::Integer(limit.wrapping_sub(i64::from(kind >> 7)))
        }
        _ => Value::Integer(now.wrapping_add(bytes.number() >> (bytes.byte() % 64))),
    }
}

pub fn run(data: &[u8]) {
    let folder = Folder::new();
    let path = folder.file("sample.db");
    let mut bytes = Bytes(data);
    let (mode, changes) = (bytes.byte(), bytes.byte() % 8 + 1);
    let mut file = sample::bytes().to_vec();
    if mode & 1 == 0 {
        for _ in 0..changes {
            let at = usize::try_from(u32::from_le_bytes(bytes.array())).unwrap_or(0) % file.len();
            // The first page is the schema's beginning: without it there is no database.
            let at = if mode & 2 == 0 { at.max(512) } else { at };
            let end = (at + usize::from(bytes.byte() % 8) + 1).min(file.len());
            file[at..end].fill_with(|| bytes.byte());
        }
        fs::write(&path, &file).expect("it is written");
    } else {
        fs::write(&path, &file).expect("it is written");
        let connection = Connection::open(&path).expect("it opens");
        let columns = columns(&connection).expect("the sample is whole");
        for _ in 0..changes {
            let (table, column) = &columns[usize::from(bytes.byte()) % columns.len()];
            let value = value(&mut bytes);
            let (row, modulus) = (bytes.byte(), bytes.byte() % 8 + 1);
            // What is declared forbids some values, in the plain shell too.
            let _ = connection.execute(
                &format!(
                    "with numbered as (select {column} as cell, row_number() over () as number from {table})
                     update or ignore {table} set {column} = ?1
                      where {column} in (select cell from numbered where number % ?2 = ?3)"
                ),
                rusqlite::params![value, modulus, row % modulus],
            );
        }
    }
    read_everything(&path, &folder);
    write_everything(&path, &folder);
}
