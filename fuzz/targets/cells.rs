//! Each column of each table with each kind of value that plain SQL or a damaged page can leave in
//! it: every reader answers, and a monitor starts and writes. `EVERY_VALUE=1 cargo test --lib
//! fuzzing::cells` takes half an hour for each value by itself, in all rows and in one; without it
//! the values are spread over the rows.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use super::database::columns;
use super::readers::{Failures, read_everything, write_everything};
use super::sample::{self, Folder};

/// As SQL; {now} is the present in milliseconds.
const VALUES: [&str; 44] = [
    "null",
    "'x'",
    "x'ff00fe'",
    "1.5",
    "-9223372036854775808",
    "9223372036854775807",
    "-1",
    "0",
    "{now} + 1000000000",
    "9e300",
    "8796093022208",
    "''",
    "x''",
    "zeroblob(5000)",
    "-0.5",
    "-9e300",
    "{now} - 0.5",
    "-9223372036854775807",
    "9223372036854775806",
    "1",
    "2",
    "256",
    "1000000",
    "1000001",
    "2147483648",
    "4294967295",
    "4294967296",
    "8796093022207",
    "281474976710656",
    "281474976710657",
    "4611686018427387904",
    "{now}",
    "{now} - 1000000000",
    "'2024-01-01'",
    "'2024-02-30 25:61:00'",
    "'9999-12-31 23:59:59'",
    "'-4713-01-01 00:00:00'",
    "'ä'",
    "'{}'",
    "'null'",
    "'[{\"at\":5,\"hops\":[1]}]'",
    "'{\"gateway\":1,\"on_path_answering\":[]}'",
    "replace(hex(zeroblob(1500)), '0', '[')",
    "replace(hex(zeroblob(1500)), '0', 'ß')",
];

/// Which rows of a table get which value.
#[derive(Clone, Copy, Debug)]
enum Spread {
    /// Row after row the next one, from this on.
    From(usize),
    InAllRows(usize),
    InOneRow(usize),
}

/// Databases for each column of a table with few rows.
const SPREADS: usize = 2;

struct Case {
    table: String,
    column: String,
    spread: Spread,
}

fn cases() -> Vec<Case> {
    let is_long = std::env::var_os("EVERY_VALUE").is_some();
    let folder = Folder::new();
    let path = folder.file("sample.db");
    fs::write(&path, &*sample::bytes()).expect("it is written");
    let connection = Connection::open(&path).expect("it opens");
    let columns = columns(&connection).expect("the sample is whole");
    let mut cases = Vec::new();
    for (index, (table, column)) in columns.into_iter().enumerate() {
        let count = format!("select count(*) from {table}");
        let rows: usize = connection
            .query_row(&count, [], |row| row.get::<_, u32>(0))
            .map(|rows| rows as usize)
            .expect("a number");
        assert!(rows > 0, "the sample has no row in {table}");
        let spreads: Vec<Spread> = if is_long {
            let values = 0..VALUES.len();
            let all = values.clone().map(Spread::InAllRows);
            all.chain(values.map(Spread::InOneRow)).collect()
        } else if rows >= VALUES.len() {
            vec![Spread::From(0)]
        } else {
            // The columns begin at different values, so that all values meet some column.
            let at = |spread| Spread::From((index * 7 + spread * rows) % VALUES.len());
            (0..SPREADS).map(at).collect()
        };
        cases.extend(spreads.into_iter().map(|spread| Case {
            table: table.clone(),
            column: column.clone(),
            spread,
        }));
    }
    cases
}

/// Writes the values as damage could: a cell that must not be null may be.
fn change(path: &Path, case: &Case) {
    let Case {
        table,
        column,
        spread,
    } = case;
    let connection = Connection::open(path).expect("it opens");
    let values: Vec<(usize, &str)> = match *spread {
        Spread::From(first) => {
            let all = VALUES.iter().cycle().skip(first);
            (0..VALUES.len()).zip(all.copied()).collect()
        }
        Spread::InAllRows(value) | Spread::InOneRow(value) => vec![(0, VALUES[value])],
    };
    let modulus = match spread {
        Spread::InAllRows(_) => 1,
        Spread::InOneRow(_) => 1_000_000,
        Spread::From(_) => VALUES.len(),
    };
    if values.iter().any(|(_, value)| *value == "null") {
        let loose = "pragma writable_schema = on;
            update sqlite_schema set sql = replace(sql, ' not null', '') where type = 'table';
            pragma writable_schema = reset";
        connection.execute_batch(loose).expect("it is changed");
    }
    let key = "select coalesce((select group_concat(name) from pragma_table_info(?1) where pk > 0), 'rowid')";
    let key: String = connection
        .query_row(key, [table], |row| row.get(0))
        .expect("a key");
    let number = format!(
        "create temp table numbered as
         select {key}, row_number() over (order by {key}) - 1 as number from {table}"
    );
    connection
        .execute_batch(&number)
        .expect("they are numbered");
    for (rest, value) in values {
        let value = value.replace("{now}", &sample::now().0.to_string());
        let update = format!(
            "update or ignore {table} set {column} = {value} where ({key}) in
                 (select {key} from temp.numbered where number % {modulus} = {rest})"
        );
        if let Err(error) = connection.execute_batch(&update) {
            // A key that is the number of its row.
            assert!(
                error.to_string().contains("datatype mismatch"),
                "{update}: {error}"
            );
        }
    }
}

fn run(folder: &Folder, case: &Case) -> Failures {
    folder.clear();
    let path = folder.file("sample.db");
    fs::write(&path, &*sample::bytes()).expect("it is written");
    change(&path, case);
    let mut failures = read_everything(&path, folder);
    failures.extend(write_everything(&path, folder));
    // It says so of its own export too.
    failures.retain(|failure| {
        !(failure.starts_with("import: ") && failure.contains(" in the future "))
    });
    failures
}

#[test]
fn no_value_in_any_cell_stops_a_reader_the_start_or_the_writes() {
    let cases = cases();
    assert!(cases.len() > 200, "only {} cases", cases.len());
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        let folder = Folder::new();
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let failures = catch_unwind(AssertUnwindSafe(|| run(&folder, case)))
                .unwrap_or_else(|_| vec!["it panicked, as said above".into()]);
            let Case {
                table,
                column,
                spread,
            } = case;
            let failures = failures
                .iter()
                .map(|failure| format!("{table}.{column}, {spread:?}: {failure}"));
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            found.extend(failures);
        }
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(
        found.is_empty(),
        "{} failures:\n{}",
        found.len(),
        found.join("\n")
    );
}
