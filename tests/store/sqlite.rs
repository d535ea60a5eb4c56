//! SQLite is compiled without features that this program does not use: .cargo/config.toml. The
//! features in use must be there, and the others must be absent, or the binary is larger than the
//! README states.

use super::*;

/// An error as SQLite words it.
fn refusal(connection: &Connection, sql: &str) -> String {
    match rows_of(connection, sql) {
        Ok(rows) => panic!("{sql}: it worked: {rows:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_required_features_of_sqlite_are_compiled_in() {
    let folder = TempDir::new();
    let path = folder.path().join("words.db");
    let connection = Connection::open(&path).expect("a new file");
    let other = folder.path().join("other.db");
    let other = other.to_str().expect("UTF-8");
    // In this order: each builds on those before it. Where nothing is expected, it must only work.
    let used: &[(&str, &[&str])] = &[
        // How a file is set up.
        ("pragma auto_vacuum = incremental", &[]),
        ("pragma journal_mode = wal", &["wal"]),
        ("pragma synchronous = normal", &[]),
        ("pragma cache_size = -512", &[]),
        ("pragma journal_size_limit = 1000000", &["1000000"]),
        ("pragma trusted_schema = false", &[]),
        ("pragma application_id = 1094929511", &[]),
        ("pragma user_version = 2", &[]),
        ("pragma application_id", &["1094929511"]),
        ("pragma user_version", &["2"]),
        ("pragma auto_vacuum", &["2"]),
        // What the schema is made of.
        ("create table host(id integer primary key autoincrement, address text not null unique, name text default 'none')", &[]),
        ("create table result(host_id integer, at integer, us integer, rtts blob, primary key(host_id, at)) without rowid", &[]),
        ("create index open_result on result(at desc) where us is null", &[]),
        ("alter table result add column planned integer not null default 0", &[]),
        (
            "create view told as select host_id << 43 | at as id, address, us / 1000.0 as ms from result join host on host.id = host_id",
            &[],
        ),
        (
            "create trigger told_insert instead of insert on told begin
            select raise(abort, 'no address') where coalesce(trim(new.address), '') = '';
            insert into host(address) select new.address where not exists (select 1 from host where address = new.address);
            insert into result(host_id, at, us) select min(id), 7, cast(round(new.ms * 1000) as integer) from host;
          end",
            &[],
        ),
        ("create trigger host_gone after delete on host begin delete from result where host_id = old.id; end", &[]),
        // Transactions and rows.
        ("begin immediate", &[]),
        ("insert into told(address, ms) values('a', 1.5)", &[]),
        ("savepoint inner_part", &[]),
        ("insert into result(host_id, at) values(1, 8)", &[]),
        ("rollback to inner_part", &[]),
        ("commit", &[]),
        ("insert into result(host_id, at, us) values(1, 7, 3) on conflict(host_id, at) do update set us = us + excluded.us", &[]),
        ("insert or ignore into result(host_id, at) values(1, 7)", &[]),
        ("insert into host(address) values('b') returning id", &["2"]),
        ("select id & 8796093022207, address, ms from told", &["7|a|1.503"]),
        ("delete from host where address = 'b' collate nocase", &[]),
        // Queries.
        (
            "with one(n) as (select 1 union all select 2) select sum(n), total(n), group_concat(n), count(distinct n) from one",
            &["3|3.0|1,2|2"],
        ),
        (
            "select iif(1 between 0 and 2, 'in', 'out'), coalesce(null, nullif(1, 1), 3), typeof(x'00'), length('ab'), abs(-1)",
            &["in|3|blob|2|1"],
        ),
        (
            "select 'abc' like 'A%', 'abc' glob 'a*', instr('abc', 'c'), substr('abc', 2, 1), replace('abc', 'b', ''), trim(' a ')",
            &["1|1|3|b|ac|a"],
        ),
        (
            "select host.address, r.at from host left join (select host_id, max(at) as at from result group by host_id having count(*) > 0) r on r.host_id = host.id order by 1 desc limit 1 offset 0",
            &["a|7"],
        ),
        // Times.
        ("select strftime('%Y-%m-%d %H:%M:%f', 1704067200007 / 1000.0, 'unixepoch')", &["2024-01-01 00:00:00.007"]),
        ("select cast(round((julianday('2024-01-01 00:00:00.007') - 2440587.5) * 86400000) as integer)", &["1704067200007"]),
        ("select datetime('2024-01-01', '-1 hour') < datetime('now'), unixepoch('2024-01-01')", &["1|1704067200"]),
        // Files.
        ("delete from result", &[]),
        ("pragma incremental_vacuum(10)", &[]),
        ("pragma wal_checkpoint(truncate)", &["0|0|0"]),
        ("vacuum", &[]),
    ];
    for (sql, expected) in used {
        let answer = rows_of(&connection, sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        if !expected.is_empty() {
            assert_eq!(answer, *expected, "{sql}");
        }
    }
    connection
        .execute("vacuum into ?1", [other])
        .expect("a copy");
    connection
        .execute("attach ?1 as copy", [other])
        .expect("two files at once");
    assert_eq!(
        rows_of(&connection, "select address from copy.host").expect("rows"),
        ["a"]
    );
    connection
        .execute("detach copy", [])
        .expect("one file again");
}

/// What an insert, a replacement and a deletion through the view leave, made by one program and
/// read by another.
const CHANGES: [&str; 4] = [
    "insert into ping_results(host_name, host_address, timestamp, success_count, failure_count, success_rate, min_latency, \
     max_latency, avg_latency) values('one', '192.0.2.1', '2024-01-01 00:00:01.5', 5, 0, 100.0, 1.25, 3, 2.0625), \
     ('two', '192.0.2.2', '2024-01-01 00:00:02', 0, 5, 0.0, null, null, null)",
    "insert or replace into ping_results(host_name, host_address, timestamp, success_count, failure_count, success_rate, \
     min_latency, max_latency, avg_latency) values('first', '192.0.2.1', '2024-01-01 00:00:01.5', 4, 1, 80.0, 1, 2, 1.5)",
    "insert into ping_results(host_name, host_address, timestamp, success_count, failure_count, success_rate) \
     values('two', '192.0.2.2', '2024-02-29 23:59:59.999', 1, 0, 100.0)",
    "delete from ping_results where host_address = '192.0.2.2' and timestamp < '2024-02-01'",
];

#[test]
fn the_view_and_its_triggers_work_alike_in_the_shell_and_in_this_program() {
    let test = "sqlite::the_view_and_its_triggers_work_alike_in_the_shell_and_in_this_program";
    if !has_shell(test) {
        return;
    }
    let folder = TempDir::new();
    let [ours, theirs] = ["ours.db", "theirs.db"].map(|name| folder.path().join(name));
    drop((open(&ours), open(&theirs)));
    let connection = other_program(&ours);
    for change in CHANGES {
        connection
            .execute(change, [])
            .unwrap_or_else(|error| panic!("{change}: {error}"));
    }
    sql(&theirs, &CHANGES);
    // Each is read by both.
    for query in [
        "select * from ping_results order by timestamp",
        "select id, address, name from host order by id",
        "select * from stale_rollup order by host_id, hour",
    ] {
        let told = sql(&ours, &[query]);
        assert!(told.lines().count() > 1, "{query}: {told}");
        assert_eq!(sql(&theirs, &[query]), told, "{query}");
        assert_eq!(
            rows(&theirs, query),
            told.lines().collect::<Vec<_>>(),
            "{query}"
        );
    }
    let wrong = "insert into ping_results(host_name, host_address, timestamp) values('x', '192.0.2.3', 'yesterday')";
    let refused = connection.execute(wrong, []).expect_err("it is no time");
    assert!(
        refused.to_string().contains("timestamp must be text"),
        "{refused}"
    );
}

#[test]
fn unused_features_of_sqlite_are_not_compiled_in() {
    let connection = Connection::open_in_memory().expect("a database");
    for (sql, expected) in [
        (
            "create virtual table t using fts3(a)",
            "no such module: fts3",
        ),
        (
            "create virtual table t using fts5(a)",
            "no such module: fts5",
        ),
        (
            "create virtual table t using rtree(a, b, c)",
            "no such module: rtree",
        ),
        ("select * from dbstat", "no such table: dbstat"),
        ("select json('{}')", "no such function: json"),
        ("select soundex('a')", "no such function: soundex"),
        (
            "select load_extension('a')",
            "no such function: load_extension",
        ),
        (
            "select sqlite_compileoption_used('a')",
            "no such function: sqlite_compileoption_used",
        ),
        // Text in double quotes: SQLITE_DQS.
        ("select \"text\"", "no such column: \"text\""),
    ] {
        let refused = refusal(&connection, sql);
        assert!(refused.contains(expected), "{sql}: {refused}");
    }
    // A pragma that is not known answers nothing.
    assert_eq!(
        rows_of(&connection, "pragma compile_options").expect("a pragma"),
        [""; 0]
    );
    // A limit that is 0 cannot be raised.
    assert_eq!(
        rows_of(&connection, "pragma mmap_size = 1000000").expect("a pragma"),
        ["0"],
        "SQLITE_MAX_MMAP_SIZE"
    );
    assert_eq!(
        rows_of(&connection, "pragma threads = 4").expect("a pragma"),
        ["0"],
        "SQLITE_MAX_WORKER_THREADS"
    );
    let local = "select datetime('2024-07-01', 'localtime') is null";
    assert_eq!(
        rows_of(&connection, local).expect("a row"),
        ["1"],
        "SQLITE_OMIT_LOCALTIME"
    );
}
