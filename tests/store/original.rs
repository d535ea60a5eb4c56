//! Files of the Python original: converted in place, or imported.

use super::*;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS ping_results (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    host_name TEXT NOT NULL,
    host_address TEXT NOT NULL,
    timestamp TIMESTAMP NOT NULL,
    success_count INTEGER NOT NULL,
    failure_count INTEGER NOT NULL,
    success_rate REAL NOT NULL,
    min_latency REAL,
    max_latency REAL,
    avg_latency REAL,
    UNIQUE(host_address, timestamp)
);
CREATE INDEX IF NOT EXISTS idx_timestamp ON ping_results(timestamp);
CREATE INDEX IF NOT EXISTS idx_host_address ON ping_results(host_address);
CREATE INDEX IF NOT EXISTS idx_host_timestamp ON ping_results(host_address, timestamp);";

const EVENTS: &str = "CREATE TABLE IF NOT EXISTS outage_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    host_name TEXT NOT NULL,
    host_address TEXT NOT NULL,
    event_type TEXT NOT NULL,
    start_time TIMESTAMP NOT NULL,
    end_time TIMESTAMP,
    duration_seconds INTEGER,
    checks_failed INTEGER DEFAULT 0,
    checks_during_outage INTEGER DEFAULT 0,
    recovery_success_rate REAL,
    notes TEXT
);
CREATE INDEX IF NOT EXISTS idx_events_host_time ON outage_events(host_address, start_time DESC);
CREATE INDEX IF NOT EXISTS idx_events_time ON outage_events(start_time DESC);";

/// A file of version 0.2 with these statements run in it.
fn begin(path: &Path, statements: &str) {
    let connection = Connection::open(path).expect("it opens");
    connection
        .execute_batch(&format!("{TABLE}{EVENTS}begin;{statements};commit"))
        .expect("it is written");
}

/// Values of ping_results from host_name on.
fn row(values: &str) -> String {
    format!(
        "INSERT INTO ping_results (host_name, host_address, timestamp, success_count, failure_count, success_rate, \
         min_latency, max_latency, avg_latency) VALUES ({values});"
    )
}

fn event(values: &str) -> String {
    format!(
        "INSERT INTO outage_events (host_name, host_address, event_type, start_time, end_time, duration_seconds, \
         checks_failed, checks_during_outage, recovery_success_rate, notes) VALUES ({values});"
    )
}

fn many(count: i64) -> String {
    let select = "SELECT 'host ' || (i % 3), '192.0.2.' || (i % 3), strftime('%Y-%m-%d %H:%M:%f', 1700000000 + i * 20.25, 'unixepoch') || '123', \
                  5, 0, 100.0, 1.5, 3.5, 2.5";
    format!(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {count} - 1)
         INSERT INTO ping_results (host_name, host_address, timestamp, success_count, failure_count, success_rate, min_latency,
         max_latency, avg_latency) {select} FROM n"
    )
}

fn in_zone(folder: &Path, zone: &str, arguments: &[&str]) -> Finished {
    run(command(folder, arguments).env("TZ", zone))
}

const CHECKS: &str = "select host_name, host_address, timestamp, success_count, failure_count, min_latency, avg_latency, \
                      max_latency from ping_results order by timestamp, host_address";

#[test]
fn a_file_of_either_version_is_converted_once_in_order_with_a_copy() {
    for has_events in [false, true] {
        let folder = TempDir::new();
        configure(&folder, FILE, &["192.0.2.1"]);
        let path = folder.path().join(FILE);
        let rows_of_it = [
            row("'old', '192.0.2.1', '2025-07-01 12:00:00.123456', 5, 0, 100.0, 9.5, 11.5, 10.25"),
            row("'old', '192.0.2.1', '2025-07-01 12:01:00', 3, 2, 60.0, 30.1, 10.2, 20.3"),
            row("'old', '192.0.2.1', '2025-07-01 12:02:00', 0, 5, 0.0, NULL, NULL, NULL"),
            row("'new', '192.0.2.1', '2025-12-01 12:02:00', 5, 0, 100.0, NULL, NULL, NULL"),
            row("'gone', 'gone.example', '2025-12-01 12:02:01.5', 1, 0, 100.0, 0.5, 0.5, 0.5"),
        ]
        .concat();
        let connection = Connection::open(&path).expect("it opens");
        connection
            .execute_batch(&format!("{TABLE}{rows_of_it}"))
            .expect("it is written");
        if has_events {
            let notes = "'Outage detected at 2025-07-01 12:02:00'";
            let open = event(&format!(
                "'new', '192.0.2.1', 'outage_start', '2025-12-01 12:02:00', NULL, NULL, 7, 7, NULL, {notes}"
            ));
            let ended = event(&format!(
                "'old', '192.0.2.1', 'outage_end', '2025-07-01 12:02:00.5', '2025-07-01 12:03:30', 89, 2, 2, 60.0, {notes}"
            ));
            connection
                .execute_batch(&format!("{EVENTS}{open}{ended}"))
                .expect("it is written");
        }
        drop(connection);
        let dump = rows(&path, "select * from ping_results");
        let converted = expect_success(in_zone(
            folder.path(),
            "Europe/Berlin",
            &["status", "--json"],
        ));
        assert!(
            converted.stderr.contains("5 checks and"),
            "{}",
            converted.stderr
        );
        assert_eq!(
            rows(&path, CHECKS),
            [
                "new|192.0.2.1|2025-07-01 10:00:00.123|5|0|9.5|10.25|11.5",
                "new|192.0.2.1|2025-07-01 10:01:00.000|3|2|10.2|20.3|30.1",
                "new|192.0.2.1|2025-07-01 10:02:00.000|0|5|||",
                "new|192.0.2.1|2025-12-01 11:02:00.000|5|0|||",
                "gone|gone.example|2025-12-01 11:02:01.500|1|0|0.5|0.5|0.5",
            ]
        );
        let events = "select event_type, start_time, end_time, duration_seconds, checks_failed, recovery_success_rate from outage_events order by 2";
        let expected: &[&str] = match has_events {
            true => &[
                "outage|2025-07-01 10:02:00.500|2025-07-01 10:03:30.000|89|2|60.0",
                "outage|2025-12-01 11:02:00.000|||7|",
            ],
            false => &[],
        };
        assert_eq!(rows(&path, events), expected);
        let status: serde_json::Value = serde_json::from_str(&converted.stdout).expect("JSON");
        assert_eq!(status[0]["outage"].is_object(), has_events);
        assert_eq!(
            number(
                &path,
                "select count(*) from sqlite_schema where name like '%original%' or name like 'idx_%'"
            ),
            0
        );
        assert_eq!(number(&path, "pragma auto_vacuum"), 2);
        let copy = folder.path().join(format!("{FILE}.original"));
        assert_eq!(rows(&copy, "select * from ping_results"), dump);
        let indexes = if has_events { 5 } else { 3 };
        assert_eq!(
            number(
                &copy,
                "select count(*) from sqlite_schema where name like 'idx_%'"
            ),
            indexes
        );
        // Once.
        let again = expect_success(in_zone(folder.path(), "Europe/Berlin", &["status"]));
        assert!(!again.stderr.contains("taken over"), "{}", again.stderr);
        assert!(!folder.path().join(format!("{FILE}.original-2")).exists());
        expect_whole(&path);
    }
}

#[test]
fn the_hours_that_autumn_repeats_and_spring_skips_are_converted_in_every_zone() {
    // Local times in the order of writing, and what they are in UTC.
    let zones: [(&str, &str, &[&str], &[&str]); 4] = [
        (
            "Europe/Berlin",
            "2025-10-26",
            &[
                "01:50", "02:10", "02:30", "02:50", "02:10", "02:30", "02:50", "03:10",
            ],
            &[
                "23:50", "00:10", "00:30", "00:50", "01:10", "01:30", "01:50", "02:10",
            ],
        ),
        (
            "Australia/Lord_Howe",
            "2025-04-06",
            &[
                "01:20", "01:30", "01:40", "01:50", "01:30", "01:40", "01:50", "02:00",
            ],
            &[
                "14:20", "14:30", "14:40", "14:50", "15:00", "15:10", "15:20", "15:30",
            ],
        ),
        (
            "America/New_York",
            "2025-11-02",
            &[
                "00:50", "01:10", "01:30", "01:50", "01:10", "01:30", "01:50", "02:10",
            ],
            &[
                "04:50", "05:10", "05:30", "05:50", "06:10", "06:30", "06:50", "07:10",
            ],
        ),
        (
            "Europe/Berlin",
            "2025-03-30",
            &["01:50", "03:10"],
            &["00:50", "01:10"],
        ),
    ];
    for (zone, day, local, utc) in zones {
        let folder = TempDir::new();
        configure(&folder, FILE, &["192.0.2.1"]);
        let path = folder.path().join(FILE);
        // The second pass cannot have the very same text: the original keeps one row a host and
        // time.
        let statements: String = local
            .iter()
            .enumerate()
            .map(|(index, clock)| {
                row(&format!(
                    "'a', '192.0.2.1', '{day} {clock}:00.{index}00000', 1, 0, 100.0, 1, 1, 1"
                ))
            })
            .collect();
        begin(&path, &statements);
        expect_success(in_zone(folder.path(), zone, &["status"]));
        assert_eq!(
            rows(
                &path,
                "select substr(timestamp, 12, 5) from ping_results order by substr(timestamp, 21)"
            ),
            utc,
            "{zone}"
        );
    }
}

#[test]
fn an_outage_over_the_repeated_hour_does_not_end_before_it_began() {
    let folder = TempDir::new();
    configure(&folder, FILE, &["192.0.2.1"]);
    let path = folder.path().join(FILE);
    begin(
        &path,
        &event(
            "'a', '192.0.2.1', 'outage_end', '2025-10-26 02:50:00', '2025-10-26 02:40:00', -600, 3, 3, 100.0, 'x'",
        ),
    );
    expect_success(in_zone(folder.path(), "Europe/Berlin", &["status"]));
    assert_eq!(
        rows(
            &path,
            "select start_time, end_time, duration_seconds from outage_events"
        ),
        ["2025-10-26 00:50:00.000|2025-10-26 01:40:00.000|3000"]
    );
}

#[test]
fn unreadable_rows_are_counted_and_reported_and_the_others_are_imported() {
    let folder = TempDir::new();
    configure(&folder, FILE, &["192.0.2.1"]);
    let path = folder.path().join(FILE);
    let statements = [
        row("'a', '192.0.2.1', 'not a time', 5, 0, 100.0, 1, 1, 1"),
        row("'a', '192.0.2.1', '2025-01-01 00:00:00', 5, 0, 100.0, 1, 1, 1"),
        row("'a', '192.0.2.1', 1735689600, 5, 0, 100.0, 1, 1, 1"),
        row("'a', '192.0.2.1', x'00', 5, 0, 100.0, 1, 1, 1"),
        row("'a', '192.0.2.1', '2025-01-01 00:01:00', 'x', 0, 100.0, 1, 1, 1"),
        row("'a', '192.0.2.1', '2025-01-01 00:02:00', -1, 0, 100.0, 1, 1, 1"),
        row(
            "'a', '192.0.2.1', '2025-01-01 00:03:00', 9223372036854775807, 9223372036854775807, 100.0, 1, 1, 1",
        ),
        row("'a', '', '2025-01-01 00:04:00', 1, 0, 100.0, 1, 1, 1"),
        row("'a', '192.0.2.1', '2025-01-01 00:05:00', 1, 0, 100.0, 'x', -1, 1e300"),
        row("cast(x'ff' as text), '192.0.2.1', '2025-01-01 00:06:00', 1, 0, 100.0, 1, 1, 1"),
        row("'a', '192.0.2.1', '1890-01-01 00:07:00', 1, 0, 100.0, 1, 1, 1"),
        row("'a', '192.0.2.1', '2025-01-01T00:08:00+01:00', 1, 0, 100.0, 1, 1, 1"),
        event("'a', '192.0.2.1', 'outage_end', 'soon', '2025-01-01 00:00:00', 1, 1, 1, 0, 'x'"),
        event("'a', '192.0.2.1', 'outage_end', '2025-01-01 00:00:00', 'later', 1, 1, 1, 0, 'x'"),
        event(
            "'a', '192.0.2.1', 'outage_end', '2025-01-01 00:00:01', '2025-01-01 00:00:02', 'x', 'x', x'', 'x', x'ff'",
        ),
    ];
    begin(&path, &statements.concat());
    let converted = expect_success(in_zone(folder.path(), "UTC", &["status"]));
    assert!(
        converted
            .stderr
            .contains("4 checks and 1 outage event taken over, 10 rows could not be read"),
        "{}",
        converted.stderr
    );
    assert!(
        converted
            .stderr
            .contains("check id 1, timestamp \"not a time\""),
        "{}",
        converted.stderr
    );
    assert_eq!(
        rows(
            &path,
            "select substr(timestamp, 1, 19), min_latency from ping_results order by 1"
        ),
        [
            "2024-12-31 23:08:00|1.0",
            "2025-01-01 00:00:00|1.0",
            "2025-01-01 00:05:00|",
            "2025-01-01 00:06:00|1.0",
        ]
    );
}

#[test]
fn latencies_out_of_order_are_imported_in_order_and_none_without_a_reply() {
    let folder = TempDir::new();
    configure(&folder, FILE, &["192.0.2.1"]);
    let path = folder.path().join(FILE);
    let rows_of_it = [
        row("'one', '192.0.2.1', '2025-07-01 12:00:00', 5, 0, 100.0, 9.5, 1.5, NULL"),
        row("'one', '192.0.2.1', '2025-07-01 12:01:00', 5, 0, 100.0, NULL, 1.5, 9.5"),
        row("'one', '192.0.2.1', '2025-07-01 12:02:00', 0, 5, 0.0, 9.5, 1.5, 5.5"),
    ];
    begin(&path, &rows_of_it.concat());
    expect_success(in_zone(folder.path(), "UTC", &["status"]));
    assert_eq!(
        rows(&path, CHECKS),
        [
            "one|192.0.2.1|2025-07-01 12:00:00.000|5|0|1.5||9.5",
            "one|192.0.2.1|2025-07-01 12:01:00.000|5|0||1.5|9.5",
            "one|192.0.2.1|2025-07-01 12:02:00.000|0|5|||",
        ]
    );
}

#[test]
fn a_hundred_thousand_rows_are_converted_within_seconds() {
    let folder = TempDir::new();
    configure(&folder, FILE, &["192.0.2.1"]);
    let path = folder.path().join(FILE);
    begin(&path, &many(100_000));
    let converted = expect_success(program(folder.path(), &["status"]));
    assert!(
        converted.took < Duration::from_secs(15),
        "{:?}",
        converted.took
    );
    assert_eq!(number(&path, "select count(*) from ping_results"), 100_000);
    assert_eq!(
        number(
            &folder.path().join(format!("{FILE}.original")),
            "select count(*) from ping_results"
        ),
        100_000
    );
    let (new, old) = (
        fs::metadata(&path),
        fs::metadata(folder.path().join(format!("{FILE}.original"))),
    );
    assert!(new.expect("a file").len() * 2 < old.expect("a file").len());
}

#[test]
fn opening_waits_for_an_original_that_locks_the_file_and_reports_a_long_lock() {
    let folder = TempDir::new();
    configure(&folder, FILE, &["192.0.2.1"]);
    let path = folder.path().join(FILE);
    begin(&path, &many(100));
    let original = other_program(&path);
    original.execute_batch("begin exclusive").expect("the lock");
    let busy = program(folder.path(), &["status"]);
    assert_eq!(busy.code, Some(74), "{}", busy.stderr);
    assert!(
        busy.stderr.contains("locked") && busy.stderr.contains("hint: another program holds"),
        "{}",
        busy.stderr
    );
    std::thread::scope(|scope| {
        let taking_over = scope.spawn(|| program(folder.path(), &["status"]));
        std::thread::sleep(Duration::from_millis(1000));
        original
            .execute_batch("rollback")
            .expect("the lock is given back");
        expect_success(taking_over.join().expect("it ends"));
    });
    assert_eq!(number(&path, "select count(*) from ping_results"), 100);
}

#[test]
fn an_original_that_writes_during_the_conversion_loses_no_row() {
    let folder = TempDir::new();
    configure(&folder, FILE, &["192.0.2.1"]);
    let path = folder.path().join(FILE);
    begin(&path, &many(3000));
    std::thread::scope(|scope| {
        let taking_over = scope.spawn(|| program(folder.path(), &["status"]));
        let original = other_program(&path);
        original.busy_timeout(Duration::ZERO).expect("a setting");
        let mut written = 3000;
        while !taking_over.is_finished() {
            let is_ours = rows_of(&original, "select 1 from sqlite_schema where type = 'view'")
                .is_ok_and(|rows| !rows.is_empty());
            if is_ours {
                break;
            }
            let at = UtcMillis(i64::from(written) * 1000).sql_text();
            let insert = row(&format!("'w', 'w', '{at}', 1, 0, 100.0, 1, 1, 1"));
            let began = Instant::now();
            written += i32::from(original.execute_batch(&insert).is_ok());
            // It holds the file half of the time: more would be a program that blocks all others.
            std::thread::sleep(began.elapsed());
        }
        expect_success(taking_over.join().expect("it ends"));
        assert!(written > 3000, "it wrote");
        let copy = folder.path().join(format!("{FILE}.original"));
        for file in [&path, &copy] {
            // A last row may have gone through the view, once the file was ours.
            let kept = number(file, "select count(*) from ping_results");
            assert!(
                kept == i64::from(written) || (file == &copy && kept == i64::from(written) - 1),
                "{kept} of {written}"
            );
        }
        assert!(!folder.path().join(format!("{FILE}.original-2")).exists());
    });
}

#[test]
fn the_self_check_converts_nothing() {
    let folder = TempDir::new();
    configure(&folder, FILE, &["192.0.2.1"]);
    let path = folder.path().join(FILE);
    begin(&path, &many(30));
    let before = fs::read(&path).expect("a file");
    let output = program(folder.path(), &["doctor"]);
    assert!(
        output
            .stdout
            .contains("connection_logs.db is of an older version"),
        "{}",
        output.stdout
    );
    assert!(
        fs::read(&path).expect("a file") == before,
        "the file is as it was"
    );
    let files = fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(files, 2, "the configuration and the database");
}

#[test]
fn a_killed_conversion_leaves_the_original_file_or_the_converted_one() {
    let rows_in_it = 4000;
    let folder = TempDir::new();
    configure(&folder, FILE, &["192.0.2.1"]);
    let path = folder.path().join(FILE);
    begin(&path, &many(rows_in_it));
    let pristine = fs::read(&path).expect("a file");
    let clear = || {
        for entry in fs::read_dir(folder.path()).expect("a folder") {
            let entry = entry.expect("an entry").path();
            if entry.file_name().is_some_and(|name| name != "config.yaml") {
                fs::remove_file(entry).expect("it is there");
            }
        }
    };
    clear();
    fs::write(&path, &pristine).expect("it is written");
    let whole = expect_success(program(folder.path(), &["status"])).took;
    let (mut killed, mut originals, mut ours) = (0, 0, 0);
    for step in 0..25 {
        clear();
        fs::write(&path, &pristine).expect("it is written");
        let mut child = command(folder.path(), &["status"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        std::thread::sleep(whole * step / 24);
        drop(child.kill());
        killed += i32::from(child.wait().expect("our child").code().is_none());
        // A reader may come first, who must not see half of it.
        if step % 2 == 0 {
            let is_table = number(
                &path,
                "select count(*) from sqlite_schema where type = 'table' and name = 'ping_results'",
            );
            let is_view = number(
                &path,
                "select count(*) from sqlite_schema where type = 'view' and name = 'ping_results'",
            );
            assert_eq!(is_table + is_view, 1);
            assert_eq!(
                number(&path, "select count(*) from ping_results"),
                rows_in_it
            );
            (originals, ours) = (originals + is_table, ours + is_view);
        }
        expect_success(program(folder.path(), &["status"]));
        assert_eq!(
            number(&path, "select count(*) from ping_results"),
            rows_in_it
        );
        assert_eq!(number(&path, "pragma application_id"), 0x4143_4c67);
        // What remained undone after the commit, who next writes does.
        drop(open(&path));
        assert_eq!(number(&path, "pragma auto_vacuum"), 2);
        let names = fs::read_dir(folder.path())
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name());
        let copies: Vec<_> = names
            .filter(|name| name.to_string_lossy().contains(".original"))
            .collect();
        assert_eq!(copies, [format!("{FILE}.original").as_str()]);
        assert_eq!(
            number(
                &folder.path().join(&copies[0]),
                "select count(*) from ping_results"
            ),
            rows_in_it
        );
        expect_whole(&path);
    }
    assert!(
        killed > 5,
        "only {killed} were killed; {originals} originals, {ours} ours"
    );
}

#[test]
fn an_import_adds_what_is_new_and_a_second_import_changes_nothing() {
    let folder = TempDir::new();
    configure(&folder, FILE, &["192.0.2.0"]);
    let path = folder.path().join(FILE);
    let first = "2025-07-01 12:00:00.000";
    let mut database = open(&path);
    write(
        &mut database,
        &[check(
            &host("ours", "192.0.2.0"),
            1_751_364_000_000,
            &[Some(1)],
        )],
        1_751_364_000_000,
    );
    drop(database);
    assert_eq!(
        rows(&path, "select timestamp from ping_results"),
        ["2025-07-01 10:00:00.000"]
    );
    let from = folder.path().join("theirs 'x'?.db");
    let theirs = [
        row(&format!(
            "'theirs', '192.0.2.0', '{first}', 5, 0, 100.0, 9, 9, 9"
        )),
        row(&format!(
            "'theirs', '192.0.2.0', '{first}5', 4, 1, 80.0, 9, 9, 9"
        )),
        event(
            "'theirs', '192.0.2.0', 'outage_start', '2025-07-01 12:00:00', NULL, NULL, 1, 1, NULL, 'x'",
        ),
        many(500),
    ];
    begin(&from, &theirs.concat());
    let before = fs::read(&from).expect("a file");
    let name = from.to_string_lossy().into_owned();
    let import =
        || expect_success(in_zone(folder.path(), "Europe/Berlin", &["import", &name])).stdout;
    let output = import();
    assert!(
        output.contains("502 checks and 1 outage event taken over"),
        "{output}"
    );
    let content = || {
        [CHECKS, "select * from outage_events", "select * from host"].map(|sql| rows(&path, sql))
    };
    let once = content();
    assert_eq!(
        rows(
            &path,
            "select checked_at - 1751364000000, sent, received from check_result where host_id = 1 and checked_at >= 1751364000000 order by 1"
        ),
        ["0|1|1", "1|5|5", "2|5|4"]
    );
    let output = import();
    assert!(
        output.contains("0 checks and 0 outage events taken over, 502 known already"),
        "{output}"
    );
    assert_eq!(content(), once);
    assert_eq!(
        fs::read(&from).expect("a file"),
        before,
        "the file is only read"
    );
    // The original went on: its outage ended.
    let end = "update outage_events set end_time = '2025-07-01 12:05:00', duration_seconds = 300, recovery_success_rate = 100.0";
    Connection::open(&from)
        .expect("it opens")
        .execute(end, [])
        .expect("it is written");
    import();
    assert_eq!(
        rows(
            &path,
            "select end_time, duration_seconds, recovery_success_rate from outage_events"
        ),
        ["2025-07-01 10:05:00.000|300|100.0"]
    );
}

#[test]
fn an_import_names_its_zone_and_is_recognised_in_another_one() {
    let folder = TempDir::new();
    configure(&folder, FILE, &["192.0.2.0"]);
    let (path, from) = (folder.path().join(FILE), folder.path().join("theirs.db"));
    begin(&from, &many(500));
    let import = |zone| in_zone(folder.path(), zone, &["import", "theirs.db"]);
    let output = expect_success(import("Europe/Berlin")).stdout;
    assert!(
        output.contains("; times read in the zone Europe/Berlin, from 2023-11-14 22:13:20 to 2023-11-15 01:01:44"),
        "{output}"
    );
    // It has grown since.
    let grow = "insert into ping_results select id + 500, host_name, host_address, datetime(timestamp, '+1 day'), 5, 0, 100.0, 1, 1, 1
                  from ping_results where id <= 50";
    Connection::open(&from)
        .expect("it opens")
        .execute(grow, [])
        .expect("it is written");
    for zone in ["UTC", "America/New_York", "Asia/Kathmandu"] {
        let refused = import(zone);
        assert_eq!(refused.code, Some(1), "{}", refused.stderr);
        assert!(
            refused.stderr.contains("its rows are recorded already")
                && refused.stderr.contains("TZ="),
            "{}",
            refused.stderr
        );
    }
    assert_eq!(number(&path, "select count(*) from check_result"), 500);
    let output = expect_success(import("Europe/Berlin")).stdout;
    assert!(
        output.contains("50 checks and 0 outage events taken over, 500 known already"),
        "{output}"
    );
}

#[test]
fn an_import_of_rows_of_the_future_is_refused_with_a_cure() {
    let folder = TempDir::new();
    configure(&folder, FILE, &["192.0.2.0"]);
    let (path, from) = (folder.path().join(FILE), folder.path().join("theirs.db"));
    let now = row("'a', '192.0.2.1', strftime('%Y-%m-%d %H:%M:%f', 'now'), 1, 0, 100.0, 1, 1, 1");
    begin(&from, &format!("{};{now}", many(50)));
    let refused = in_zone(folder.path(), "America/New_York", &["import", "theirs.db"]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    for part in [
        "in the future",
        "America/New_York",
        "TZ=Europe/Berlin ace-connection-logger import theirs.db",
    ] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    assert_eq!(number(&path, "select count(*) from check_result"), 0);
    expect_success(in_zone(folder.path(), "UTC", &["import", "theirs.db"]));
}

#[test]
fn an_unknown_time_zone_is_reported_by_doctor_and_at_the_start() {
    let folder = TempDir::new();
    configure(&folder, FILE, &["192.0.2.0"]);
    drop(open(&folder.path().join(FILE)));
    let report = |zone| in_zone(folder.path(), zone, &["report"]);
    let doctor = |zone| in_zone(folder.path(), zone, &["doctor"]).stdout;
    assert!(!report("Europe/Berlin").stderr.contains("time zone"));
    assert!(doctor("Europe/Berlin").contains("Europe/Berlin, now UTC+0"));
    for text in [report("Nonsense/Zone").stderr, doctor("Nonsense/Zone")] {
        assert!(
            text.contains("TZ=Nonsense/Zone: this machine does not know that time zone")
                && text.contains("tzdata"),
            "{text}"
        );
    }
}

#[test]
fn importing_the_database_file_itself_converts_it() {
    let folder = TempDir::new();
    configure(&folder, FILE, &["192.0.2.0"]);
    let path = folder.path().join(FILE);
    begin(&path, &many(50));
    let output = expect_success(program(folder.path(), &["import", FILE])).stdout;
    assert!(
        output.contains("50 checks and 0 outage events taken over; the file as it was is kept as"),
        "{output}"
    );
    assert_eq!(number(&path, "select count(*) from ping_results"), 50);
}

#[test]
fn a_file_that_cannot_be_imported_is_reported_and_creates_no_database() {
    let folder = TempDir::new();
    configure(&folder, FILE, &["192.0.2.0"]);
    folder.write("text", &"no database ".repeat(100));
    folder.write("empty", "");
    fs::create_dir(folder.path().join("folder")).expect("a folder");
    drop(open(&folder.path().join("ours")));
    other_program(&folder.path().join("ours"))
        .execute_batch("pragma user_version = 2")
        .expect("it is written");
    let films = Connection::open(folder.path().join("films")).expect("it opens");
    films
        .execute_batch("create table films(title)")
        .expect("it is written");
    for (name, reason) in [
        ("text", "not a database"),
        ("empty", "it is empty"),
        ("missing", "No such file"),
        ("folder", ""),
        ("ours", "of an older version of this program"),
        ("films", "no table ping_results"),
    ] {
        let refused = program(folder.path(), &["import", name]);
        assert_eq!(refused.code, Some(74), "{name}: {}", refused.stderr);
        assert!(
            refused.stderr.contains(name) && refused.stderr.contains(reason),
            "{}",
            refused.stderr
        );
        assert!(!folder.path().join(FILE).exists(), "{name}");
    }
}

/// A file whose writer was killed in the middle of a transaction: half of it is in the file, the
/// way back in the journal.
fn with_hot_journal(path: &Path) {
    begin(path, &many(2000));
    let writer = Connection::open(path).expect("it opens");
    writer
        .execute_batch("pragma cache_size = 5; begin; update ping_results set success_count = 77")
        .expect("it is spilt");
    let journal = path.with_file_name(format!(
        "{}-journal",
        path.file_name().expect("a name").to_string_lossy()
    ));
    let (half, way_back) = (
        fs::read(path).expect("a file"),
        fs::read(&journal).expect("a journal"),
    );
    drop(writer);
    fs::write(path, half).expect("it is written");
    fs::write(journal, way_back).expect("it is written");
}

#[test]
fn an_unfinished_transaction_of_a_killed_original_is_rolled_back_first() {
    for arguments in [&["status"][..], &["import", "theirs"], &["cleanup"]] {
        let folder = TempDir::new();
        configure(&folder, FILE, &["192.0.2.0"]);
        let from = if arguments[0] == "import" {
            "theirs"
        } else {
            FILE
        };
        with_hot_journal(&folder.path().join(from));
        expect_success(program(folder.path(), arguments));
        let path = folder.path().join(FILE);
        assert_eq!(
            number(
                &path,
                "select count(*) from ping_results where success_count = 77"
            ),
            0,
            "{arguments:?}"
        );
        if arguments[0] != "cleanup" {
            assert_eq!(
                number(&path, "select count(*) from ping_results"),
                2000,
                "{arguments:?}"
            );
        }
        expect_whole(&path);
    }
}

#[test]
fn an_export_and_its_import_bring_back_what_the_original_has_no_columns_for() {
    let folder = TempDir::new();
    configure(&folder, "one.db", &["192.0.2.1"]);
    let (one, two) = (folder.path().join("one.db"), folder.path().join("two.db"));
    drop(open(&one));
    let sql = "
        insert into host(id, address, family, source, name) values
            (3, '192.0.2.1', 0, '', 'plain'), (5, 'twin.test', 4, '', 'four'), (7, 'twin.test', 6, '', 'six'),
            (9, '192.0.2.1', 0, 'wg0', 'by tunnel');
        insert into check_result(host_id, checked_at, sent, received, min_us, avg_us, max_us) values
            (3, 1700000000000, 5, 5, 1, 2, 3), (5, 1700000000000, 5, 4, 1, 2, 3), (7, 1700000000000, 5, 0, null, null, null),
            (9, 1700000000007, 4, 4, 1, 2, 3);
        insert into check_note(host_id, checked_at, late, duplicates, foreigners, reason) values(5, 1700000000000, 1, 2, 3, 'a reason');
        insert into not_measured_check values(7, 1700000060000, 'no route');
        insert into host_interval(host_id, since, interval_ms) values(3, 1700000000000, 20000), (9, 1700000000000, 60000);
        insert into outage_events(host_name, host_address, event_type, start_time, end_time, duration_seconds, checks_failed,
            checks_during_outage, recovery_success_rate, notes, host_id, earliest_start, packets_sent, packets_lost, cause, facts,
            path, planned) values
            ('six', 'twin.test', 'outage', '2023-11-14 22:13:20.000', '2023-11-14 22:14:20.000', 60, 1, 2, 80.0, 'a note', 7,
             '2023-11-14 22:12:20.000', 10, 10, 'provider', '{}', '{}', 1),
            ('name', 'twin.test', 'dns', '2023-11-14 22:13:30.000', '2023-11-14 22:14:20.000', 50, 0, 0, null, null, 5,
             null, null, null, 'dns', null, null, 0),
            ('link', 'IPv4', 'link_down', '2023-11-14 22:13:40.000', null, null, 0, 0, null, 'no carrier', null,
             null, null, null, 'link', null, null, 0);
        insert into monitor_run(started_at, alive_at, stopped_at, version) values
            (1699999990000, 1700000010000, null, '0.1.0'), (1700000020000, 1700000070000, 1700000070000, '0.1.0');
        insert into interruption(started_at, ended_at, kind) values(1700000030000, 1700000040000, 'asleep');
        insert into clock_step(at, step_ms, moved) values(1700000050000, 7000, 2);
        insert into level_changes values(7, 'latency', 1700000000000, 12000, 31000, 80), (9, 'loss', 1700000000007, 0, 20000, 99);";
    Connection::open(&one)
        .and_then(|database| database.execute_batch(sql))
        .expect("plain SQL");
    let zone =
        |zone: &str, arguments: &[&str]| expect_success(in_zone(folder.path(), zone, arguments));
    zone(
        "Europe/Berlin",
        &["export", "--format", "sqlite", "-o", "out.db"],
    );
    configure(&folder, "two.db", &["192.0.2.1"]);
    let content = |path: &Path| {
        let of_host = "h.address || h.family || coalesce(h.source, '')";
        [
            "select address, family, coalesce(source, ''), name from host order by 1, 2, 3".to_string(),
            format!("select {of_host}, checked_at, sent, received, min_us from check_result c join host h on h.id = host_id order by 1"),
            format!("select {of_host}, checked_at, late, duplicates, foreigners, reason from check_note join host h on h.id = host_id"),
            format!("select {of_host}, checked_at, reason from not_measured_check join host h on h.id = host_id"),
            format!("select {of_host}, since, interval_ms from host_interval join host h on h.id = host_id order by 1"),
            format!("select {of_host}, e.host_name, host_address, event_type, start_time, end_time, duration_seconds, checks_failed,
                checks_during_outage, recovery_success_rate, notes, earliest_start, packets_sent, packets_lost, cause, facts, path,
                planned from outage_events e left join host h on h.id = host_id order by start_time"),
            "select started_at, alive_at, stopped_at, version from monitor_run order by id".to_string(),
            "select started_at, ended_at, kind from interruption".to_string(),
            "select at, step_ms, moved from clock_step".to_string(),
            format!("select {of_host}, kind, at, before, after, sureness from level_changes join host h on h.id = host_id order by 1"),
        ]
        .map(|sql| rows(path, &sql))
    };
    let exported = content(&one);
    let said = |times| {
        [
            "4 checks and 3 outage events taken over",
            "0 checks and 0 outage events taken over, 4 known",
        ][times]
    };
    for times in 0..2 {
        let output = zone("Europe/Berlin", &["import", "out.db"]).stdout;
        assert!(output.contains(said(times)), "{output}");
        assert_eq!(content(&two), exported);
    }
    // Its times are known in every zone.
    configure(&folder, "three.db", &["192.0.2.1"]);
    let output = zone("America/New_York", &["import", "out.db"]).stdout;
    assert!(output.contains(said(0)), "{output}");
    assert_eq!(content(&folder.path().join("three.db")), exported);
    // The exported file itself as the database.
    configure(&folder, "out.db", &["192.0.2.1"]);
    let status = in_zone(folder.path(), "Asia/Tokyo", &["outages", "--json"]);
    assert_eq!(status.code, Some(0), "{status:?}");
    assert_eq!(content(&folder.path().join("out.db")), exported);
}
