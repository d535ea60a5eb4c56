//! Files that are not what they should be: refused with the reason, or worked with, and never a
//! crash.

use super::*;
use std::fmt::Write as _;

/// The commands that open the database succeed, or report that they cannot, with the exit code for
/// a file error.
fn expect_no_crash(folder: &Path, what: &str) {
    for arguments in [
        &["status"][..],
        &["status", "--json"],
        &["cleanup"],
        &["check", "--json"],
        &["backup", "copy"],
    ] {
        let finished = program(folder, arguments);
        assert!(
            matches!(finished.code, Some(0 | 74)),
            "{arguments:?} on {what}: {:?}\n{}",
            finished.code,
            finished.stderr
        );
        if finished.code == Some(74) {
            assert!(finished.stderr.contains(FILE), "{}", finished.stderr);
        }
        drop(fs::remove_file(folder.join("copy")));
    }
}

/// A database with some records, and a configuration beside it.
fn configured_sample() -> (TempDir, PathBuf) {
    let folder = TempDir::new();
    configure(&folder, FILE, &["127.0.0.1"]);
    let path = folder.path().join(FILE);
    sample(&path);
    (folder, path)
}

/// The monitor starts and keeps running, or reports that it cannot.
fn expect_monitor_survives(folder: &TempDir, what: &str) {
    let mut monitor = Monitor::start(folder);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(status) = monitor.child.try_wait().expect("it is our child") {
            assert_eq!(
                status.code(),
                Some(74),
                "monitor on {what}:\n{}",
                monitor.log()
            );
            return;
        }
        if monitor.log().contains("recording to") {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "monitor on {what}:\n{}",
            monitor.log()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    // Time for the first commit or its failure.
    std::thread::sleep(Duration::from_millis(400));
    assert!(
        monitor.child.try_wait().expect("it is our child").is_none(),
        "monitor on {what}:\n{}",
        monitor.log()
    );
    let code = monitor.stop();
    assert!(
        matches!(code, Some(0 | 74)),
        "monitor on {what}: {code:?}\n{}",
        monitor.log()
    );
}

fn sample(path: &Path) {
    let mut database = open(path);
    let (one, two) = (host("one", "127.0.0.1"), host("two", "127.0.0.2"));
    let noted = |i: i64| CheckResult {
        reason: Some("r".repeat(50)),
        ..check(&two, i * 60_000, &[None; 5])
    };
    let mut checks: Vec<_> = (0..400)
        .map(|i| check(&one, i * 60_000, &[Some(9), None, Some(1)]))
        .collect();
    checks.extend((0..400).map(noted));
    checks.extend((0..50).map(|i| not_measured(&one, i * 60_000)));
    write(&mut database, &checks, HOUR * 100);
    let event = "insert into outage_events(host_name, host_address, event_type, start_time) values('one', '127.0.0.1', 'outage', '2024-01-01')";
    other_program(path).execute(event, []).expect("an event");
}

#[test]
fn files_of_other_programs_are_rejected_with_the_reason_and_unchanged() {
    let folder = TempDir::new();
    configure(&folder, FILE, &["127.0.0.1"]);
    let path = folder.path().join(FILE);
    let foreign = |sql: &str| {
        drop(fs::remove_file(&path));
        let connection = Connection::open(&path).expect("it opens");
        connection.execute_batch(sql).expect("it is written");
        drop(connection);
        fs::read(&path).expect("a file")
    };
    let files = [
        (
            b"this is a text, and a long one: ".repeat(200),
            "not a database",
        ),
        (
            foreign("create table films(title); insert into films values('Metropolis')"),
            "another program's",
        ),
        (
            foreign("create table ping_results(id, name)"),
            "another program's",
        ),
        (
            foreign("pragma application_id = 7; create table t(x)"),
            "another program's",
        ),
        (
            foreign("pragma application_id = 7; pragma user_version = 3"),
            "another program's",
        ),
        (
            foreign(
                "pragma application_id = 1094929511; pragma user_version = 99; create table t(x)",
            ),
            "version 99",
        ),
    ];
    for (content, message) in files {
        fs::write(&path, &content).expect("it is written");
        for arguments in [
            &["status"][..],
            &["cleanup"],
            &["check"],
            &["monitor", "--no-dashboard"],
        ] {
            let refused = program(folder.path(), arguments);
            assert_eq!(refused.code, Some(74), "{arguments:?}: {}", refused.stderr);
            assert!(
                refused.stderr.contains(message) && refused.stderr.contains("hint: "),
                "{arguments:?}: {}",
                refused.stderr
            );
            assert!(
                fs::read(&path).expect("a file") == content,
                "{arguments:?} on {message} changed the file"
            );
        }
        assert_eq!(
            fs::read_dir(folder.path()).expect("a folder").count(),
            2,
            "no other file is left in its folder"
        );
    }
}

#[test]
fn errors_name_paths_that_cannot_be_opened_with_a_remedy() {
    let folder = TempDir::new();
    fs::create_dir(folder.path().join("folder")).expect("a folder");
    configure(&folder, "missing/log.db", &["127.0.0.1"]);
    let missing = program(folder.path(), &["check"]);
    assert_eq!(missing.code, Some(74), "{}", missing.stderr);
    assert!(
        missing.stderr.contains("missing/log.db") && missing.stderr.contains("mkdir -p missing"),
        "{}",
        missing.stderr
    );
    configure(&folder, "folder", &["127.0.0.1"]);
    for arguments in [["status"], ["check"], ["cleanup"]] {
        let refused = program(folder.path(), &arguments);
        assert_eq!(refused.code, Some(74), "{}", refused.stderr);
        assert!(refused.stderr.contains("folder"), "{}", refused.stderr);
    }
}

#[test]
fn a_read_only_file_is_reported_and_unchanged() {
    let test = "hostile::a_read_only_file_is_reported_and_unchanged";
    with_small_disk(test, 1024, |folder, small| {
        configure(folder, "small/log.db", &["127.0.0.1"]);
        // Not written by this process: while another test starts a program, that has this one's
        // open files for a moment, and a file system with a file open for writing is busy.
        sample(&folder.path().join("sample.db"));
        let copied = run(Command::new("cp")
            .arg(folder.path().join("sample.db"))
            .arg(small.join("log.db")));
        assert_eq!(copied.code, Some(0), "{}", copied.stderr);
        let remounted = run(Command::new("mount").args(["-o", "remount,ro"]).arg(small));
        assert_eq!(remounted.code, Some(0), "{}", remounted.stderr);
        for arguments in [["check"], ["cleanup"]] {
            let refused = program(folder.path(), &arguments);
            assert_eq!(refused.code, Some(74), "{}", refused.stderr);
            assert!(
                refused.stderr.contains("small/log.db") && refused.stderr.contains("hint: "),
                "{}",
                refused.stderr
            );
        }
        let status = program(folder.path(), &["status"]);
        assert!(
            matches!(status.code, Some(0 | 74)),
            "{:?} {}",
            status.code,
            status.stderr
        );
    });
}

#[test]
fn a_path_that_looks_like_a_uri_or_memory_is_a_file_name() {
    let names = [
        "with space",
        "quo'te\"s",
        "ques?tion=1",
        "per%20cent",
        "ha#sh",
        "ünï-шß",
        "file:log.db?mode=memory",
        ":memory:",
    ];
    for name in names {
        let folder = TempDir::new();
        configure(&folder, name, &["127.0.0.1"]);
        expect_success(program(folder.path(), &["check"]));
        expect_success(program(folder.path(), &["check"]));
        assert_eq!(
            number(
                &folder.path().join(name).canonicalize().expect(name),
                "select count(*) from check_result"
            ),
            2,
            "{name}"
        );
        let status = json(program(folder.path(), &["status", "--json"]));
        assert_eq!(status[0]["state"], "up", "{name}");
        expect_success(program(folder.path(), &["backup", "copy of it"]));
    }
}

#[test]
fn a_symbolic_link_opens_its_target() {
    let folder = TempDir::new();
    configure(&folder, "link", &["127.0.0.1"]);
    fs::create_dir(folder.path().join("real")).expect("a folder");
    std::os::unix::fs::symlink("real/log.db", folder.path().join("link")).expect("a link");
    expect_success(program(folder.path(), &["check"]));
    assert_eq!(
        number(
            &folder.path().join("real/log.db"),
            "select count(*) from check_result"
        ),
        1
    );
    assert_eq!(
        json(program(folder.path(), &["status", "--json"]))[0]["state"],
        "up"
    );
    assert!(folder.path().join("link").is_symlink());
}

#[test]
fn opening_waits_for_a_reader_that_blocks_the_write_ahead_log() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    sample(&path);
    let other = other_program(&path);
    // As in a copy, and in a file that was just created or converted.
    other
        .execute_batch("pragma journal_mode = delete; begin; select count(*) from host")
        .expect("a lock");
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| drop(open(&path)));
        std::thread::sleep(Duration::from_millis(700));
        assert!(!opening.is_finished(), "it cannot have been opened yet");
        other
            .execute_batch("commit")
            .expect("the lock is given back");
        opening.join().expect("it opens");
    });
    assert_eq!(rows(&path, "pragma journal_mode"), ["wal"]);
}

#[test]
fn processes_that_create_a_file_at_the_same_time_all_open_it() {
    for _ in 0..10 {
        let folder = TempDir::new();
        let path = folder.path().join(FILE);
        let start = std::sync::Barrier::new(6);
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    start.wait();
                    let mut database = open(&path);
                    write(
                        &mut database,
                        &[check(&host("one", "127.0.0.1"), 1000, &[Some(1)])],
                        2000,
                    );
                });
            }
        });
        assert_eq!(number(&path, "select count(*) from check_result"), 6);
    }
}

#[test]
fn a_truncated_file_causes_no_crash() {
    let folder = TempDir::new();
    configure(&folder, FILE, &["127.0.0.1"]);
    let path = folder.path().join(FILE);
    sample(&path);
    let whole = fs::read(&path).expect("a file");
    for length in [
        1,
        15,
        16,
        99,
        100,
        512,
        4096,
        5000,
        8192,
        3 * 4096,
        whole.len() / 2,
        whole.len() - 4096,
        whole.len() - 1,
    ] {
        fs::write(&path, &whole[..length]).expect("it is written");
        expect_no_crash(folder.path(), &format!("the first {length} bytes"));
    }
}

#[test]
fn a_file_with_random_bytes_changed_causes_no_crash() {
    let folder = TempDir::new();
    configure(&folder, FILE, &["127.0.0.1"]);
    let path = folder.path().join(FILE);
    sample(&path);
    let whole = fs::read(&path).expect("a file");
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % u64::try_from(below).expect("small")).expect("small")
    };
    for round in 0..40 {
        let mut bytes = whole.clone();
        for _ in 0..[1, 10, 200, 3000][round % 4] {
            let at = next(bytes.len());
            // The first page contains the schema, where a change has the greatest effect.
            let at = if next(4) == 0 { 100 + next(3900) } else { at };
            bytes[at] = u8::try_from(next(256)).expect("a byte");
        }
        fs::write(&path, &bytes).expect("it is written");
        expect_no_crash(folder.path(), &format!("round {round}"));
        for suffix in ["-wal", "-shm", "-journal"] {
            drop(fs::remove_file(
                folder.path().join(format!("{FILE}{suffix}")),
            ));
        }
    }
}

#[test]
fn values_of_the_wrong_type_cause_no_crash() {
    let max = i64::MAX;
    let min = i64::MIN;
    let bad_blob = "x'ffffffffffffffffffff'";
    let statements = [
        format!("update check_result set sent = {max}, received = {max}"),
        format!("update check_result set sent = {max}, received = {min}, min_us = {max}, avg_us = {min}, max_us = -1"),
        "update check_result set sent = 'many', received = x'00', min_us = 'a', avg_us = 1.5, max_us = 'c', rtts = 'text'".into(),
        format!("update check_result set rtts = {bad_blob}, min_us = 4294967295"),
        "update check_result set rtts = zeroblob(300000)".into(),
        format!("insert into check_result values(1, {max}, 1, 1, 1, 1, 1, null)"),
        format!(
            "insert into check_result values(1, {min}, 1, 1, 1, 1, 1, null); delete from check_result where checked_at >= 0"
        ),
        "insert into check_result values(1, 'soon', 1, 1, 1, 1, 1, null)".into(),
        "insert into check_result values(1, 1e300, 1, 1, 1, 1, 1, null)".into(),
        format!(
            "insert into not_measured_check values(1, {min}, x'ff'); insert into not_measured_check values(2, {max}, 'x')"
        ),
        "update host set name = cast(x'ff00fe' as text), address = cast(x'c0' as text) where id = 1".into(),
        "update host set name = x'ff00fe' where id = 1".into(),
        "update host set family = 'six'".into(),
        format!("update monitor_run set alive_at = {min}; insert into monitor_run(started_at, alive_at, stopped_at, version) values(1, {min}, null, 'x')"),
        format!("insert into monitor_run(started_at, alive_at, stopped_at, version) values({max}, {max}, null, 'x')"),
        "insert into monitor_run(started_at, alive_at, stopped_at, version) values('x', 'x', null, 'x')".into(),
        format!("insert into stale_rollup values({max}, {max}); insert into stale_rollup values({min}, {min})"),
        "insert into stale_rollup values('x', 1.5); insert into stale_rollup values(x'', 'x')".into(),
        format!(
            "insert into rollup select 77, {min}, {max}, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, {bad_blob}, {max}, {min}"
        ),
        format!("update pruning set pruned_before = {max}; insert into stale_rollup select host_id, hour from rollup"),
        format!(
            "insert into rollup_day values(1, {max}, x'ff', x'ff', x'ff'), (1, {min}, x'', x'', x''), (1, 20000, 1, 2, 3)"
        ),
        format!("insert into stale_rollup_day values({min}, {min}), ({max}, {max}), (1, 'x'), ('x', 2.5)"),
        "delete from pruning; insert into pruning values('x'); insert into pruning values(null)".into(),
        format!("update outage_events set start_time = 'ä', end_time = null, duration_seconds = {max}"),
        "update outage_events set start_time = cast(x'ff' as text), host_name = x'ff', notes = x'ff', checks_failed = 'x'".into(),
    ];
    for statement in statements {
        let folder = TempDir::new();
        configure(&folder, FILE, &["127.0.0.1"]);
        let path = folder.path().join(FILE);
        sample(&path);
        // Some values break what is declared: not here.
        let other = other_program(&path);
        if let Err(error) = other.execute_batch(&format!(
            "pragma ignore_check_constraints = on; {statement}"
        )) {
            assert!(
                error.to_string().contains("NOT NULL"),
                "{statement}: {error}"
            );
        }
        drop(other);
        expect_no_crash(folder.path(), &statement);
        expect_monitor_survives(&folder, &statement);
    }
}

#[test]
fn one_cell_of_a_wrong_type_stops_neither_the_start_nor_the_writes_nor_a_command() {
    let statements = [
        "update monitor_run set started_at = 1.5",
        "insert into monitor_run(started_at, alive_at, version) values('x', x'00', 'x')",
        "update host set name = x'ff', family = 'six' where address = '127.0.0.2'",
        "update host set name = x'ff', up_rate = 'all' where address = '127.0.0.1'",
        "update check_result set checked_at = checked_at + 0.5 where checked_at = 60000",
        "update check_result set min_us = 9000, avg_us = 5, max_us = 1, sent = 'many'",
        "insert into not_measured_check values(1, 'soon', x'ff')",
        "insert or replace into stale_rollup values('x', 1.5), (x'', 0), (1, -5)",
        "insert or replace into stale_rollup_day values('x', 1.5), (x'', 0), (1, -5)",
        "update host_interval set interval_ms = 'x', by_hand = x'01'",
        "insert into clock_step(at, step_ms, moved, run_id) values('x', 1.5, x'', 'y')",
        "insert into interruption(started_at, ended_at, kind) values(1.5, 'x', x'00')",
        "insert into unsent(host_id, started_at, ended_at, reason) values(1.5, 0.5, 9e300, x'00')",
        "insert into level_changes values(1, x'ff', 'x', 9e300, x'00', -1), (1, 'loss', 9e300, -1, 'x', 1.5)",
        "insert into doubt values(1, 0.5, 'x', -9e300, x'')",
        "insert into notice(made_at, kind, facts, tries) values('x', x'00', x'00', 1.5)",
        "update outage_events set start_time = '2024-02-30 25:61:00', host_id = 1, checks_failed = -5",
        "update pruning set pruned_before = 'x'",
        "update watcher set looked_at = x'00'",
        "update rollup set sent = 'x', none = 1.5, min_us = 9, max_us = 1, histogram = 7",
    ];
    for statement in statements {
        let (folder, path) = configured_sample();
        let other = other_program(&path);
        other
            .execute_batch(statement)
            .unwrap_or_else(|error| panic!("{statement}: {error}"));
        drop(other);
        let before = number(&path, "select count(*) from check_result");
        let mut monitor = Monitor::start(&folder);
        wait_for(statement, || {
            number(&path, "select count(*) from check_result") > before + 3
        });
        assert_eq!(monitor.stop(), Some(0), "{statement}:\n{}", monitor.log());
        let log = monitor.log();
        assert!(!log.contains("[ERROR]"), "{statement}:\n{log}");
        for arguments in [
            &["status"][..],
            &["outages", "--limit", "0"],
            &["report", "--days", "3650"],
            &["export"],
            &["cleanup"],
            &["check", "127.0.0.1"],
        ] {
            let finished = program(folder.path(), arguments);
            let why = format!("{arguments:?}, {statement}: {}", finished.stderr);
            assert_eq!(finished.code, Some(0), "{why}");
        }
    }
}

#[test]
fn a_manipulated_schema_causes_no_crash_and_no_endless_loop() {
    let mut missing = String::new();
    for table in [
        "stale_rollup",
        "rollup_day",
        "stale_rollup_day",
        "pruning",
        "monitor_run",
    ] {
        write!(missing, "drop table {table};").expect("a string");
    }
    let schemas = [
        missing.as_str(),
        "drop view ping_results; create table ping_results(x)",
        "drop table check_result; create view check_result as select 1 as host_id, 'x' as checked_at, 1 as sent, 1 as received, \
         1 as min_us, 1 as avg_us, 1 as max_us, null as rtts",
        "create trigger t before insert on check_result begin select raise(ignore); end",
        "create trigger t before insert on check_result begin select raise(fail, 'no'); end",
        "create trigger t after insert on check_result begin delete from host; end",
        "create trigger t after delete on stale_rollup begin insert into stale_rollup values(old.host_id, old.hour); end",
        "create trigger t before update on monitor_run begin select raise(rollback, 'no'); end",
        "alter table host drop column name",
        "pragma user_version = 0",
        "pragma user_version = -7",
    ];
    for schema in schemas {
        let (folder, path) = configured_sample();
        let other = other_program(&path);
        if let Err(error) = other.execute_batch(schema) {
            assert!(schema.starts_with("alter"), "{schema}: {error}");
        }
        drop(other);
        if schema.contains("insert into stale_rollup") {
            // It can never be done with roll-ups; what it does is bounded each time.
            expect_success(program(folder.path(), &["status"]));
        } else {
            expect_no_crash(folder.path(), schema);
        }
        expect_monitor_survives(&folder, schema);
    }
}
