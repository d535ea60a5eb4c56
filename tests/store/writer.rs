//! The thread that writes: when results are on the disk, and that none is lost whatever happens to
//! the file.

use super::*;
use ace_connection_logger::pure::address::IpVersion;
use ace_connection_logger::pure::scene::Observation;
use ace_connection_logger::store::{
    Order, Record, StoreError, StoreSettings, Writer, WriterState, backup,
};
use ace_connection_logger::sys;
use std::ops::Range;

fn settings(flush: Duration) -> StoreSettings {
    let keep = DAY * 36_500;
    StoreSettings {
        flush,
        retention: keep,
        rollup_retention: keep,
        outages: Default::default(),
        alerts: Default::default(),
    }
}

pub fn start(path: &Path, flush: Duration) -> Writer {
    Writer::start(open(path), settings(flush)).unwrap_or_else(|error| panic!("{error}"))
}

pub fn now() -> i64 {
    sys::clocks().utc().0
}

pub fn deliver(writer: &Writer, results: impl IntoIterator<Item = CheckResult>) {
    let handle = writer.handle();
    for result in results {
        // A full queue is emptied as fast as the thread can; nothing is to be lost here.
        wait_for("room in the queue", || handle.record(result.clone()));
    }
}

fn count(path: &Path) -> i64 {
    number(path, "select count(*) from check_result")
}

const CHECKED_AT: &str =
    "select checked_at from check_result c join host h on h.id = c.host_id order by 1";

#[test]
fn every_ping_can_be_read_back_and_only_unusual_checks_have_notes() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open(&path);
    let one = host("one", "192.0.2.1");
    let rtts = [Some(1), None, Some(u32::MAX), Some(130), Some(2)];
    let plain = check(&one, 1000, &rtts);
    let noted = CheckResult {
        late: 1,
        duplicates: 2,
        foreign: 3,
        reason: Some("why".into()),
        ..check(&one, 2000, &[None; 100])
    };
    write(
        &mut database,
        &[plain, noted, not_measured(&one, 3000)],
        4000,
    );
    let (min, blob): (u32, Vec<u8>) = other_program(&path)
        .query_row(
            "select min_us, rtts from check_result where checked_at = 1000",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .expect("the check");
    assert_eq!(
        ace_connection_logger::pure::stats::decode_rtts(&blob, min).as_deref(),
        Some(&rtts[..])
    );
    assert_eq!(
        rows(
            &path,
            "select checked_at, sent, received, min_us, avg_us, max_us, length(rtts) from check_result"
        ),
        ["1000|5|4|1|1073741857|4294967295|10", "2000|100|0||||100"]
    );
    assert_eq!(
        rows(&path, "select * from check_note"),
        ["1|2000|1|2|3|why|"]
    );
    assert_eq!(
        rows(&path, "select * from not_measured_check"),
        ["1|3000|no route"]
    );
    assert_eq!(
        number(&path, "select count(*) from ping_results"),
        2,
        "what was not measured is no row"
    );
}

#[test]
fn a_check_in_a_millisecond_that_is_taken_gets_the_next_one() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open(&path);
    let one = host("one", "192.0.2.1");
    let noted = CheckResult {
        late: 7,
        ..check(&one, 1000, &[Some(3)])
    };
    write(
        &mut database,
        &[
            check(&one, 1000, &[Some(1)]),
            check(&one, 1001, &[Some(2)]),
            noted,
        ],
        2000,
    );
    write(
        &mut database,
        &[not_measured(&one, 1000), not_measured(&one, 1000)],
        2000,
    );
    write(
        &mut database,
        &[check(&host("two", "192.0.2.2"), 1000, &[Some(4)])],
        2000,
    );
    assert_eq!(
        rows(
            &path,
            "select host_id, checked_at, min_us from check_result"
        ),
        ["1|1000|1", "1|1001|2", "1|1002|3", "2|1000|4"]
    );
    assert_eq!(
        rows(&path, "select checked_at, late from check_note"),
        ["1002|7"]
    );
    assert_eq!(
        rows(&path, "select checked_at from not_measured_check"),
        ["1000", "1001"]
    );
    // Clocks before 1970 and after 2248 are put at the ends.
    write(
        &mut database,
        &[
            check(&one, i64::MIN, &[Some(1)]),
            check(&one, i64::MAX, &[Some(1)]),
        ],
        2000,
    );
    assert_eq!(number(&path, "select min(checked_at) from check_result"), 0);
    assert_eq!(
        number(&path, "select max(checked_at) from check_result"),
        ace_connection_logger::pure::time::LATEST_MS
    );
}

#[test]
fn status_shows_the_reason_why_a_host_was_not_measured() {
    let folder = TempDir::new();
    configure(&folder, FILE, &["192.0.2.1"]);
    let mut database = open(&folder.path().join(FILE));
    let one = host("one", "192.0.2.1");
    write(
        &mut database,
        &[check(&one, 1000, &[Some(5)]), not_measured(&one, 2000)],
        3000,
    );
    let status = json(program(folder.path(), &["status", "--json"]));
    assert_eq!(
        (&status[0]["state"], &status[0]["error"]),
        (&"not_measured".into(), &"no route".into())
    );
    assert_eq!(status[0]["timestamp"], "1970-01-01T00:00:02.000Z");
    assert!(status[0]["success_rate"].is_null());
    let text = expect_success(program(folder.path(), &["status"])).stdout;
    assert!(text.contains("not measured"), "{text}");
}

#[test]
fn results_are_committed_together_within_two_seconds_of_news_and_at_the_stop() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let writer = start(&path, Duration::from_secs(3600));
    let one = host("one", "192.0.2.1");
    let first = now();
    let began = Instant::now();
    deliver(&writer, (0..20).map(|i| check(&one, first + i, &[Some(1)])));
    let mut seen = 0;
    wait_for("a commit", || {
        seen = count(&path);
        seen > 0
    });
    assert_eq!(seen, 20, "in one commit");
    let waited = began.elapsed();
    assert!((1500..3500).contains(&waited.as_millis()), "{waited:?}");
    deliver(&writer, [check(&one, first + 30, &[None])]);
    assert_eq!(count(&path), 20, "not at once");
    assert_eq!(writer.finish(), 0);
    assert_eq!(count(&path), 21);
    assert!(
        !folder.path().join(format!("{FILE}-wal")).exists(),
        "the log is in the file"
    );
    let ledger =
        "select count(*) from monitor_run where stopped_at >= started_at and alive_at = stopped_at";
    assert_eq!(number(&path, ledger), 1);
}

#[test]
fn a_link_that_is_soon_restored_was_down_all_the_same() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let writer = start(&path, DAY);
    let handle = writer.handle();
    let hosts = ["192.0.2.1", "2001:db8::1"].map(|address| host(address, address));
    let checked = |host: &Arc<Host>, result: CheckResult| CheckResult {
        resolved: host.address.as_str().parse().ok(),
        ..result
    };
    for host in &hosts {
        let answered = check(host, now() - 60_000, &[Some(1)]);
        let blocked = CheckResult {
            local_fault: Some(LocalFault::Link),
            ..not_measured(host, now())
        };
        deliver(
            &writer,
            [answered, blocked].map(|result| checked(host, result)),
        );
    }
    let at = UtcMillis(now());
    for version in IpVersion::ALL {
        handle.observe(Observation::LinkLost { version, at });
    }
    for version in IpVersion::ALL {
        handle.observe(Observation::LinkRestored { version, at });
    }
    assert_eq!(writer.finish(), 0);
    let events = "select host_address, end_time is not null from outage_events";
    assert_eq!(rows(&path, events), ["IPv4 and IPv6|1"]);
}

#[test]
fn a_database_that_another_program_locks_for_some_seconds_loses_nothing() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let writer = start(&path, Duration::from_millis(100));
    let one = host("one", "192.0.2.1");
    let first = now();
    let other = other_program(&path);
    other.execute_batch("begin exclusive").expect("the lock");
    let began = Instant::now();
    deliver(&writer, (0..50).map(|i| check(&one, first + i, &[Some(1)])));
    // Longer than a commit waits.
    while began.elapsed() < Duration::from_millis(2500) {
        let at = first + 100 + i64::try_from(began.elapsed().as_millis()).expect("little");
        deliver(&writer, [check(&one, at, &[Some(1)])]);
        std::thread::sleep(Duration::from_millis(50));
    }
    deliver(&writer, [check(&one, first + 9999, &[Some(1)])]);
    assert_eq!(number(&path, "select count(*) from check_result"), 0);
    other
        .execute_batch("rollback")
        .expect("the lock is given back");
    assert_eq!(writer.finish(), 0);
    let kept = count(&path);
    assert!(kept > 80, "{kept}");
    assert_eq!(
        rows(&path, CHECKED_AT).last(),
        Some(&(first + 9999).to_string())
    );
}

#[test]
fn a_stop_waits_for_another_program_that_holds_the_database() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let writer = start(&path, Duration::from_secs(3600));
    let (one, first) = (host("one", "192.0.2.1"), now());
    let other = other_program(&path);
    other.execute_batch("begin immediate").expect("the lock");
    deliver(
        &writer,
        (0..104).map(|i| check(&one, first + i, &[Some(1)])),
    );
    std::thread::scope(|scope| {
        let stopping = scope.spawn(|| writer.finish());
        std::thread::sleep(Duration::from_secs(3));
        assert!(!stopping.is_finished(), "it waits");
        other.execute_batch("rollback").expect("it is given back");
        let released = Instant::now();
        assert_eq!(stopping.join().expect("no panic"), 0);
        assert!(released.elapsed() < Duration::from_secs(2));
    });
    assert_eq!(count(&path), 104);
    assert_eq!(
        number(
            &path,
            "select count(*) from monitor_run where stopped_at is not null"
        ),
        1
    );
}

#[test]
fn a_second_signal_ends_a_stop_that_waits_for_another_program() {
    let folder = TempDir::new();
    configure(&folder, FILE, &["127.0.0.1"]);
    let path = folder.path().join(FILE);
    let mut monitor = Monitor::start(&folder);
    wait_for("a result", || {
        path.exists() && rows_of(&other_program(&path), CHECKED_AT).is_ok_and(|r| r.len() > 1)
    });
    let other = other_program(&path);
    other.execute_batch("begin immediate").expect("the lock");
    wait_for("a failed commit", || {
        monitor.log().contains("kept in memory")
    });
    let began = Instant::now();
    monitor.signal();
    wait_for("the wait", || monitor.log().contains("waiting up to"));
    assert_eq!(monitor.stop(), Some(74), "{}", monitor.log());
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(
        monitor
            .log()
            .contains("could not be written and had to be discarded"),
        "{}",
        monitor.log()
    );
}

#[test]
fn the_outage_of_a_host_that_is_removed_while_nothing_can_be_written_is_ended_later() {
    const EVENTS: &str = "select host_name, end_time is not null, removed from outage_events";
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let settings = settings(Duration::from_secs(3600));
    let mut writer = WriterState::begin(open(&path), settings).expect("a new database");
    let (one, two) = (host("one", "192.0.2.1"), host("two", "192.0.2.2"));
    let first = now();
    for host in [&one, &two] {
        let record = Record::Check(check(host, first, &[None]));
        writer.follow(Order::Record(record, sys::clocks()));
    }
    let other = other_program(&path);
    other.execute_batch("begin immediate").expect("the lock");
    writer.follow(Order::Hosts(Vec::new()));
    // The second is checked again before that could be written.
    writer.follow(Order::Hosts(vec![Arc::clone(&two)]));
    other
        .execute_batch("rollback")
        .expect("the lock is given back");
    assert_eq!(writer.close(sys::monotonic()), 0);
    assert_eq!(rows(&path, EVENTS), ["one|1|1", "two|0|0"]);
}

#[test]
fn the_outage_of_a_host_that_is_removed_while_no_monitor_runs_is_ended_at_the_next_start() {
    const EVENTS: &str = "select host_name, (julianday(end_time) - julianday(start_time)) * 86400 > 0.9, removed from outage_events";
    const OTHER: &str = "insert into monitor_run(started_at, alive_at, version) values(?1, ?1, '')";
    for is_another_running in [false, true] {
        let folder = TempDir::new();
        let path = folder.path().join(FILE);
        let (one, two) = (host("one", "192.0.2.1"), host("two", "192.0.2.2"));
        let first = now() - 2000;
        let both = ["one||0", "two||0"];
        let left = ["one|1|1", "two||0"];
        for (hosts, expected) in [
            (vec![&one, &two], both),
            (vec![&two], if is_another_running { both } else { left }),
        ] {
            let settings = settings(Duration::from_secs(3600));
            let mut writer = WriterState::begin(open(&path), settings).expect("the database");
            writer.follow(Order::Hosts(hosts.iter().copied().cloned().collect()));
            for (host, number) in hosts.iter().flat_map(|host| [(host, 0), (host, 1)]) {
                let at = first + number * 1000 + i64::from(hosts.len() == 1);
                let record = Record::Check(check(host, at, &[None]));
                writer.follow(Order::Record(record, sys::clocks()));
            }
            assert_eq!(writer.close(sys::monotonic()), 0);
            assert_eq!(rows(&path, EVENTS), expected);
            if is_another_running {
                let other = other_program(&path).execute(OTHER, [now()]);
                other.expect("a run that goes on");
            }
        }
    }
}

#[test]
fn without_writes_memory_is_bounded_and_the_newest_results_are_kept() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let settings = settings(Duration::from_secs(3600));
    let mut writer = WriterState::begin(open(&path), settings).expect("a new database");
    let one = host("one", "192.0.2.1");
    let other = other_program(&path);
    other.execute_batch("begin immediate").expect("the lock");
    let first = now();
    let receive = |writer: &mut WriterState, numbers: Range<i64>| {
        for number in numbers {
            let record = Record::Check(check(&one, first + number, &[Some(1)]));
            writer.follow(Order::Record(record, sys::clocks()));
        }
        writer.write_due();
    };
    // More at the first failure than the bound allows, and more after it.
    receive(&mut writer, 0..21_000);
    receive(&mut writer, 21_000..26_000);
    other
        .execute_batch("rollback")
        .expect("the lock is given back");
    assert_eq!(writer.close(sys::monotonic()), 0);
    let kept = count(&path);
    assert!((20_000..=21_000).contains(&kept), "{kept}");
    assert_eq!(
        number(&path, "select max(checked_at) from check_result"),
        first + 25_999
    );
    assert_eq!(
        number(&path, "select min(checked_at) from check_result"),
        first + 26_000 - kept
    );
}

#[test]
fn on_a_full_disk_results_stay_in_memory_with_one_log_line_and_none_is_lost() {
    let test = "writer::on_a_full_disk_results_stay_in_memory_with_one_log_line_and_none_is_lost";
    with_small_disk(test, 1024, |folder, small| {
        configure(folder, "small/log.db", &["127.0.0.1"]);
        let path = small.join("log.db");
        let mut monitor = Monitor::start(folder);
        wait_for("a result", || {
            path.exists() && rows_of(&other_program(&path), CHECKED_AT).is_ok_and(|r| r.len() > 1)
        });
        fill_disk(&small.join("ballast"));
        wait_for("the full disk", || monitor.log().contains("kept in memory"));
        // What was committed until then is read, and more is measured meanwhile.
        let on_disk = number(&path, "select count(*) from check_result");
        std::thread::sleep(Duration::from_millis(500));
        fs::remove_file(small.join("ballast")).expect("the ballast");
        wait_for("room", || monitor.log().contains("writing again"));
        assert_eq!(monitor.stop(), Some(0), "{}", monitor.log());
        assert_eq!(
            monitor.log().matches("kept in memory").count(),
            1,
            "{}",
            monitor.log()
        );
        let times: Vec<i64> = rows(&path, CHECKED_AT)
            .iter()
            .map(|at| at.parse().expect("a number"))
            .collect();
        assert!(
            times.len() > usize::try_from(on_disk).expect("few") + 50,
            "{} after {on_disk}",
            times.len()
        );
        // Every tenth of a second there is one; a busy machine may skip some, the disk was full for
        // ten seconds.
        let widest = times.windows(2).map(|pair| pair[1] - pair[0]).max();
        assert!(widest < Some(2000), "{widest:?}\n{}", monitor.log());
        expect_whole(&path);
    });
}

#[test]
fn a_file_that_is_deleted_while_open_is_created_again() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    // With and without its log and index.
    for with_log in [false, true] {
        let writer = start(&path, Duration::from_millis(100));
        let first = now();
        deliver(&writer, [check(&one, first, &[Some(1)])]);
        wait_for("the first result", || count(&path) == 1);
        fs::remove_file(&path).expect("it is there");
        if with_log {
            for suffix in ["-wal", "-shm"] {
                fs::remove_file(folder.path().join(format!("{FILE}{suffix}")))
                    .expect("it is there");
            }
        }
        for i in 1..=3 {
            deliver(&writer, [check(&one, first + i, &[Some(1)])]);
            wait_for("a result in the new file", || {
                path.exists()
                    && rows_of(&other_program(&path), CHECKED_AT)
                        .is_ok_and(|rows| rows.contains(&(first + i).to_string()))
            });
        }
        assert_eq!(writer.finish(), 0);
        assert_eq!(
            rows(&path, CHECKED_AT),
            [1, 2, 3].map(|i| (first + i).to_string())
        );
        assert_eq!(
            number(
                &path,
                "select count(*) from monitor_run where stopped_at is not null"
            ),
            1
        );
        expect_whole(&path);
        fs::remove_file(&path).expect("it is there");
    }
}

#[test]
fn a_file_that_is_replaced_while_open_gets_the_results_but_not_the_old_log() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let other_path = folder.path().join("other.db");
    let (one, two) = (host("one", "192.0.2.1"), host("two", "192.0.2.2"));
    let mut replacement = open(&other_path);
    let many: Vec<_> = (0..2000)
        .map(|i| check(&two, i * 1000, &[Some(9), None]))
        .collect();
    write(&mut replacement, &many, 2_000_000);
    replacement.checkpoint();
    drop(replacement);
    let writer = start(&path, Duration::from_millis(100));
    let first = now();
    deliver(
        &writer,
        (0..1000).map(|i| check(&one, first + i, &[Some(1)])),
    );
    wait_for("the first results", || count(&path) == 1000);
    fs::rename(&other_path, &path).expect("it is replaced");
    deliver(&writer, [check(&one, first + 5000, &[Some(1)])]);
    // The file is not read before the writer has noticed: a program that opens it next to the old
    // log damages it.
    assert_eq!(writer.finish(), 0);
    expect_whole(&path);
    assert_eq!(
        rows(
            &path,
            "select address, count(*) from check_result c join host h on h.id = host_id group by 1"
        ),
        ["192.0.2.1|1", "192.0.2.2|2000"]
    );
}

/// The files that were set aside, in any order.
fn set_aside(folder: &TempDir) -> Vec<PathBuf> {
    let files = fs::read_dir(folder.path()).expect("a folder");
    let is_one = |path: &PathBuf| {
        path.extension()
            .is_some_and(|end| end == "overwritten" || end == "damaged")
    };
    files
        .map(|file| file.expect("a file").path())
        .filter(is_one)
        .collect()
}

#[test]
fn a_file_that_is_written_over_is_set_aside_and_a_new_one_begun() {
    type Overwrite = fn(&Path, &Path);
    // With the end of the name of its log: SQLite applies `-wal`, which belongs to a damaged file.
    let cases: [(&str, &str, Overwrite); 4] = [
        ("emptied", ".damaged-wal", |path, _| {
            drop(fs::File::create(path).expect("it is there"))
        }),
        ("a backup", ".overwritten.wal", |path, backup| {
            fs::copy(backup, path).expect("copied");
        }),
        ("cut short", ".damaged-wal", |path, _| {
            let file = fs::OpenOptions::new()
                .write(true)
                .open(path)
                .expect("it is there");
            file.set_len(8192).expect("cut");
        }),
        ("another text", ".overwritten.wal", |path, _| {
            fs::write(path, "mine").expect("written")
        }),
    ];
    for (what, log_end, overwrite) in cases {
        for is_stopped_at_once in [false, true] {
            let folder = TempDir::new();
            let (path, copy) = (folder.path().join(FILE), folder.path().join("copy"));
            let one = host("one", "192.0.2.1");
            let first = now();
            let writer = start(&path, Duration::from_millis(100));
            deliver(
                &writer,
                (0..1000).map(|i| check(&one, first + i, &[Some(1)])),
            );
            wait_for("the first results", || count(&path) == 1000);
            backup(&path, &copy).expect("a copy");
            overwrite(&path, &copy);
            let overwritten = fs::read(&path).expect("it is there");
            if !is_stopped_at_once {
                deliver(&writer, [check(&one, first + 5000, &[Some(1)])]);
                wait_for("the new file", || !set_aside(&folder).is_empty());
            }
            deliver(&writer, [check(&one, first + 6000, &[Some(1)])]);
            assert_eq!(writer.finish(), 0, "{what}");
            expect_whole(&path);
            assert_eq!(
                count(&path),
                if is_stopped_at_once { 1 } else { 2 },
                "{what}"
            );
            let aside = set_aside(&folder);
            assert_eq!(aside.len(), 1, "{what}: {aside:?}");
            assert_eq!(
                fs::read(&aside[0]).expect("it is there"),
                overwritten,
                "{what}: nothing was written into it"
            );
            let log = aside[0].with_extension(&log_end[1..]);
            assert!(log.metadata().is_ok_and(|log| log.len() > 0), "{what}");
        }
    }
}

#[test]
fn checkpoints_and_vacuums_of_other_programs_are_not_taken_for_writing_over() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    let first = now();
    let writer = start(&path, Duration::from_millis(20));
    let changes = [
        "pragma wal_checkpoint(truncate)",
        "vacuum",
        "delete from ping_results where id % 3 = 0; pragma incremental_vacuum",
    ];
    for (round, sql) in (0..18).zip(changes.iter().cycle()) {
        deliver(
            &writer,
            (0..100).map(|i| check(&one, first + round * 100 + i, &[Some(1)])),
        );
        let other = Connection::open(&path).expect("a database");
        other.busy_timeout(Duration::from_secs(5)).expect("set");
        other.execute_batch(sql).expect("plain SQL");
    }
    assert_eq!(writer.finish(), 0);
    expect_whole(&path);
    assert_eq!(set_aside(&folder), [] as [PathBuf; 0]);
}

#[test]
fn a_folder_that_disappears_and_returns_loses_nothing() {
    let folder = TempDir::new();
    let (place, away) = (folder.path().join("place"), folder.path().join("away"));
    fs::create_dir(&place).expect("a folder");
    let path = place.join(FILE);
    let writer = start(&path, Duration::from_millis(100));
    let one = host("one", "192.0.2.1");
    let first = now();
    deliver(&writer, [check(&one, first, &[Some(1)])]);
    wait_for("the first result", || count(&path) == 1);
    fs::rename(&place, &away).expect("it is moved");
    deliver(&writer, [check(&one, first + 1, &[Some(1)])]);
    // Long enough for a commit to fail.
    std::thread::sleep(Duration::from_millis(2500));
    fs::rename(&away, &place).expect("it is moved back");
    assert_eq!(writer.finish(), 0);
    assert_eq!(count(&path), 2);
    expect_whole(&path);
}

#[test]
fn a_killed_monitor_leaves_an_intact_file_with_every_committed_row() {
    let folder = TempDir::new();
    configure(&folder, FILE, &["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
    let path = folder.path().join(FILE);
    let mut seen = 0;
    for _ in 0..3 {
        let mut monitor = Monitor::start(&folder);
        wait_for("results", || {
            path.exists()
                && rows_of(&other_program(&path), CHECKED_AT).is_ok_and(|r| r.len() > seen + 15)
        });
        seen = rows(&path, CHECKED_AT).len();
        monitor.kill();
        expect_whole(&path);
        assert!(rows(&path, CHECKED_AT).len() >= seen);
        assert_eq!(
            number(
                &path,
                "select count(*) from monitor_run where stopped_at is not null"
            ),
            0
        );
    }
}

#[test]
fn two_writers_on_one_file_lose_and_duplicate_nothing() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let writers = [
        start(&path, Duration::from_millis(100)),
        start(&path, Duration::from_millis(100)),
    ];
    let (both, first) = (host("both", "192.0.2.1"), now());
    let own = [host("one", "192.0.2.2"), host("two", "192.0.2.3")];
    for i in 0..300 {
        for (writer, own) in writers.iter().zip(&own) {
            deliver(
                writer,
                [
                    check(&both, first + 10 * i, &[Some(1)]),
                    check(own, first + 10 * i, &[Some(1)]),
                ],
            );
        }
        if i % 100 == 0 {
            let before = count(&path);
            wait_for("a commit", || count(&path) > before);
        }
    }
    for writer in writers {
        assert_eq!(writer.finish(), 0);
    }
    let counts = "select address, count(*), count(distinct checked_at) from check_result c join host h on h.id = host_id group by 1";
    assert_eq!(
        rows(&path, counts),
        [
            "192.0.2.1|600|600",
            "192.0.2.2|300|300",
            "192.0.2.3|300|300"
        ]
    );
    assert_eq!(
        number(
            &path,
            "select count(*) from monitor_run where stopped_at is not null"
        ),
        2
    );
    expect_whole(&path);
}

#[test]
fn a_checkpoint_that_a_reader_holds_up_is_not_taken_for_writing_over() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    let first = now();
    let writer = start(&path, Duration::from_millis(5));
    let read = |connection: &Connection| -> i64 {
        let count = connection.query_row("select count(*) from check_result", [], |row| row.get(0));
        count.expect("the results")
    };
    let mut is_short = false;
    let mut sent: i64 = 0;
    let mut reader: Option<Connection> = None;
    for _ in 0..60 {
        let more = (0..7).map(|i| check(&one, first + sent + i, &[Some(1)]));
        deliver(&writer, more);
        sent += 7;
        let other = Connection::open(&path).expect("a database");
        wait_for("these results", || read(&other) == sent);
        // Pages that were written after the reader began stay in the log, and the file's header,
        // which was written before, counts them.
        other
            .query_row("pragma wal_checkpoint(passive)", [], |_| Ok(()))
            .expect("a checkpoint");
        let header = fs::read(&path).expect("the file");
        let pages = u32::from_be_bytes(header[28..32].try_into().expect("four bytes"));
        is_short |= u32::try_from(header.len() / 4096).expect("few pages") < pages;
        drop(reader.take());
        other.execute_batch("begin").expect("a transaction");
        assert_eq!(read(&other), sent);
        reader = Some(other);
    }
    drop(reader);
    assert_eq!(writer.finish(), 0);
    expect_whole(&path);
    assert_eq!(set_aside(&folder), [] as [PathBuf; 0]);
    assert!(
        is_short,
        "no checkpoint left the file shorter than its header says"
    );
}

/// When a monitor that could not open its database at the start does so.
#[derive(PartialEq)]
enum Opened {
    WhileRunning,
    AtTheStop,
}

/// A monitor that cannot open its database at the start, until `cure` is applied.
fn expect_late_opening(
    folder: &TempDir,
    path: &Path,
    reason: &str,
    opened: &Opened,
    cure: impl FnOnce(),
) {
    let started = now();
    let mut monitor = Monitor::start(folder);
    wait_for("the failure", || monitor.log().contains("kept in memory"));
    std::thread::sleep(Duration::from_secs(1));
    cure();
    let cured = now();
    if *opened == Opened::WhileRunning {
        wait_for("the file", || monitor.log().contains("writing again"));
    }
    assert_eq!(monitor.stop(), Some(0), "{}", monitor.log());
    let log = monitor.log();
    assert!(log.contains(reason), "{log}");
    assert_eq!(log.matches("[ERROR]").count(), 1, "{log}");
    let times: Vec<i64> = rows(path, CHECKED_AT)
        .iter()
        .map(|at| at.parse().expect("a number"))
        .collect();
    assert!(times[0] < cured - 500, "measured meanwhile:\n{log}");
    let widest = times.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert!(widest < Some(2000), "{widest:?}\n{log}");
    let begun = number(path, "select max(started_at) from monitor_run");
    assert!((started..=times[0]).contains(&begun), "{begun}: {times:?}");
    let ended = "select count(*) from monitor_run where stopped_at is not null";
    assert_eq!(number(path, ended), 1);
    expect_whole(path);
}

#[test]
fn a_database_locked_at_the_start_gets_all_results_later() {
    let folder = TempDir::new();
    configure(&folder, FILE, &["127.0.0.1"]);
    let path = folder.path().join(FILE);
    drop(open(&path));
    let other = other_program(&path);
    other
        .execute_batch("pragma locking_mode = exclusive; begin exclusive")
        .expect("the lock");
    expect_late_opening(
        &folder,
        &path,
        "database is locked",
        &Opened::WhileRunning,
        move || drop(other),
    );
}

#[test]
fn a_disk_full_at_the_start_gets_all_results_later() {
    let test = "writer::a_disk_full_at_the_start_gets_all_results_later";
    with_small_disk(test, 1024, |folder, small| {
        configure(folder, "small/log.db", &["127.0.0.1"]);
        fill_disk(&small.join("ballast"));
        expect_late_opening(
            folder,
            &small.join("log.db"),
            "full",
            &Opened::AtTheStop,
            || {
                fs::remove_file(small.join("ballast")).expect("the ballast");
            },
        );
    });
}

#[test]
fn a_disk_that_is_read_only_at_the_start_gets_all_results_later() {
    let test = "writer::a_disk_that_is_read_only_at_the_start_gets_all_results_later";
    with_small_disk(test, 1024, |folder, small| {
        configure(folder, "small/log.db", &["127.0.0.1"]);
        let remount = |how: &str| {
            let done = run(Command::new("mount")
                .args(["-o", &format!("remount,{how}")])
                .arg(small));
            assert_eq!(done.code, Some(0), "{}", done.stderr);
        };
        remount("ro");
        let mut monitor = Monitor::start(folder);
        wait_for("the failure", || monitor.log().contains("kept in memory"));
        std::thread::sleep(Duration::from_secs(1));
        let began = Instant::now();
        assert_eq!(monitor.stop(), Some(74), "{}", monitor.log());
        assert!(began.elapsed() < Duration::from_secs(2));
        assert!(
            monitor.log().contains("results could not be written"),
            "{}",
            monitor.log()
        );
        fs::remove_file(&monitor.log).expect("the log");
        expect_late_opening(
            folder,
            &small.join("log.db"),
            "Read-only file system",
            &Opened::AtTheStop,
            || remount("rw"),
        );
    });
}

#[test]
fn a_limit_of_the_files_size_is_a_full_disk() {
    let folder = TempDir::new();
    configure(&folder, FILE, &["127.0.0.1"]);
    let path = folder.path().join(FILE);
    let mut limited = Command::new("prlimit");
    limited.arg("--fsize=300000:").arg(bin());
    let mut monitor = Monitor::start_by(&folder, limited);
    wait_for("the limit", || monitor.log().contains("kept in memory"));
    assert!(
        monitor.log().contains("largest size that is allowed"),
        "{}",
        monitor.log()
    );
    std::thread::sleep(Duration::from_millis(500));
    let raised = run(Command::new("prlimit")
        .args(["--fsize=unlimited:", "--pid"])
        .arg(monitor.child.id().to_string()));
    assert_eq!(raised.code, Some(0), "{}", raised.stderr);
    assert_eq!(monitor.stop(), Some(0), "{}", monitor.log());
    let times: Vec<i64> = rows(&path, CHECKED_AT)
        .iter()
        .map(|at| at.parse().expect("a number"))
        .collect();
    let widest = times.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert!(widest < Some(2000), "{widest:?}\n{}", monitor.log());
    expect_whole(&path);
}

#[test]
fn a_database_that_cannot_be_created_for_want_of_its_folder_ends_the_monitor() {
    let folder = TempDir::new();
    configure(&folder, "missing/log.db", &["127.0.0.1"]);
    let finished = program(folder.path(), &["monitor", "--no-dashboard"]);
    assert_eq!(finished.code, Some(74), "{}", finished.stderr);
    assert!(finished.stderr.contains("mkdir -p"), "{}", finished.stderr);
}

#[test]
fn outages_of_a_run_that_began_without_its_file_have_their_times() {
    let folder = TempDir::new();
    let place = folder.path().join("place");
    let path = place.join(FILE);
    let why = StoreError::File {
        operation: "opening",
        path: path.clone(),
        cause: std::io::ErrorKind::ReadOnlyFilesystem.into(),
    };
    let database = Database::unopened(&path, why).expect("memory");
    let writer = Writer::start(database, settings(Duration::ZERO)).expect("it starts");
    assert!(writer.handle().failure().is_some());
    let (one, first) = (host("one", "192.0.2.1"), now());
    let rtts = |i| [(!(5..15).contains(&i)).then_some(1)];
    deliver(
        &writer,
        (0..20).map(|i| check(&one, first + i * 1000, &rtts(i))),
    );
    fs::create_dir(&place).expect("a folder");
    wait_for("the file", || writer.handle().failure().is_none());
    assert_eq!(writer.finish(), 0);
    assert_eq!(count(&path), 20);
    let outage = "select start_time, end_time from outage_events";
    let time = |i: i64| UtcMillis(first + i * 1000).sql_text();
    assert_eq!(rows(&path, outage), [format!("{}|{}", time(5), time(15))]);
    let begun = number(&path, "select started_at from monitor_run");
    assert!(begun <= first, "{begun} {first}");
}
