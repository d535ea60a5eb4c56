//! A damaged database neither stops the monitor nor goes unnoticed, and what is readable of it is
//! not lost.

use super::*;

/// How a file is damaged. The log is beside it.
type Damage = fn(&Path);

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    use std::os::unix::fs::FileExt as _;
    let file = fs::OpenOptions::new()
        .write(true)
        .open(path)
        .expect("a file");
    file.write_all_at(bytes, at).expect("written");
}

fn cut(path: &Path, len: u64) {
    let file = fs::OpenOptions::new()
        .write(true)
        .open(path)
        .expect("a file");
    file.set_len(len).expect("cut");
}

/// Garbage that is the same in every run.
fn garbage(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..len)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state.to_be_bytes()[0]
        })
        .collect()
}

const DAMAGES: [(&str, Damage); 7] = [
    ("garbage in the header", |path| {
        overwrite(path, 0, &garbage(100))
    }),
    ("a first page of zeros", |path| {
        overwrite(path, 0, &[0; 4096])
    }),
    ("only zeros", |path| {
        let len = fs::metadata(path).expect("a file").len();
        fs::write(path, vec![0; usize::try_from(len).expect("small")]).expect("written");
    }),
    ("a damaged schema", |path| {
        overwrite(path, 100, &garbage(3996))
    }),
    ("cut to two pages", |path| cut(path, 8192)),
    ("cut to some bytes", |path| cut(path, 50)),
    ("emptied", |path| cut(path, 0)),
];

/// Files whose name ends so, in any order.
fn files(folder: &TempDir, end: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(folder.path()).expect("a folder");
    files
        .map(|file| file.expect("a file").path())
        .filter(|path| path.to_string_lossy().ends_with(end))
        .collect()
}

/// A database with 1000 checks of a host, an outage that is ongoing, and a log that is not in the
/// file yet, as a killed monitor leaves it.
fn sample(folder: &TempDir) -> PathBuf {
    let (made, path) = (folder.path().join("made"), folder.path().join(FILE));
    let mut database = open(&made);
    let one = host("host 127.0.0.1", "127.0.0.1");
    let up = |i: i64| check(&one, i * 60_000, &[Some(9), None, Some(1)]);
    write(
        &mut database,
        &(0..900).map(up).collect::<Vec<_>>(),
        HOUR * 15,
    );
    database.checkpoint();
    write(
        &mut database,
        &(900..1000).map(up).collect::<Vec<_>>(),
        HOUR * 17,
    );
    for suffix in ["", "-wal"] {
        fs::copy(
            folder.path().join(format!("made{suffix}")),
            folder.path().join(format!("{FILE}{suffix}")),
        )
        .expect("copied");
    }
    drop(database);
    fs::remove_file(made).expect("it is there");
    path
}

fn bytes_of(path: &Path) -> [Vec<u8>; 2] {
    ["", "-wal"].map(|suffix| fs::read(format!("{}{suffix}", path.display())).unwrap_or_default())
}

#[test]
fn a_file_that_is_damaged_at_the_start_is_set_aside_with_its_log_and_a_new_one_begun() {
    for (what, damage) in DAMAGES {
        let folder = TempDir::new();
        configure(&folder, FILE, &["127.0.0.1"]);
        let path = sample(&folder);
        damage(&path);
        let before = bytes_of(&path);
        assert!(!before[1].is_empty(), "{what}: there is a log");
        let mut monitor = Monitor::start(&folder);
        wait_for(what, || {
            monitor.log().contains("recording to")
                && number(&path, "select count(*) from check_result") > 0
        });
        let [aside] = &files(&folder, ".damaged")[..] else {
            panic!("{what}: {}", monitor.log());
        };
        assert!(bytes_of(aside) == before, "{what}: it is as it was");
        let status = expect_success(program(folder.path(), &["status"])).stdout;
        let name = aside
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let said = status.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            said.contains("was damaged and is set aside as") && status.contains(&name),
            "{what}: {status}"
        );
        assert_eq!(monitor.stop(), Some(0), "{what}: {}", monitor.log());
        let errors = monitor.log().matches("[ERROR]").count();
        assert_eq!(errors, 1, "{what}: {}", monitor.log());
        expect_whole(&path);
        fs::remove_file(aside).expect("it is there");
        let status = expect_success(program(folder.path(), &["status"])).stdout;
        assert!(!status.contains("damaged"), "{what}: {status}");
    }
}

#[test]
fn damage_in_a_running_monitor_loses_nothing_that_comes_after_it() {
    // A schema that SQLite has in its memory is not read again, only at the next start.
    let noticed = DAMAGES
        .iter()
        .filter(|(what, _)| *what != "a damaged schema");
    for (what, damage) in noticed {
        let folder = TempDir::new();
        configure(&folder, FILE, &["127.0.0.1"]);
        let path = sample(&folder);
        let mut monitor = Monitor::start(&folder);
        wait_for(what, || {
            number(&path, "select count(*) from check_result") > 1005
        });
        damage(&path);
        wait_for(what, || files(&folder, ".damaged").len() == 1);
        wait_for(what, || count(&path) > 0);
        assert_eq!(monitor.stop(), Some(0), "{what}: {}", monitor.log());
        let log = monitor.log();
        assert_eq!(log.matches("was damaged (").count(), 1, "{what}: {log}");
        expect_whole(&path);
    }
}

#[test]
fn a_damaged_file_is_told_by_one_notice() {
    let folder = TempDir::new();
    let told = folder.path().join("told");
    let program = format!(
        "#!/bin/sh\necho \"$ACE_KIND $ACE_TEXT\" >>{}\n",
        told.display()
    );
    let program = folder.write_program("tell", &program);
    configure(&folder, FILE, &["127.0.0.1"]);
    let config = folder.path().join("config.yaml");
    let configured = fs::read_to_string(&config).expect("it is there");
    fs::write(
        &config,
        format!("{configured}alerts: {{command: [{}]}}\n", program.display()),
    )
    .expect("written");
    let path = sample(&folder);
    overwrite(&path, 0, &garbage(4096));
    let mut monitor = Monitor::start(&folder);
    let read = || fs::read_to_string(&told).unwrap_or_default();
    wait_for("a notice", || !read().is_empty());
    wait_for("more checks", || count(&path) > 20);
    assert_eq!(monitor.stop(), Some(0), "{}", monitor.log());
    let [notice] = &read().lines().map(str::to_string).collect::<Vec<_>>()[..] else {
        panic!("{}", read());
    };
    assert!(
        notice.starts_with("database connection_logs.db was damaged (")
            && notice.contains("doctor --salvage connection_logs.db."),
        "{notice}"
    );
}

/// How many checks there are; none where the file cannot be read.
fn count(path: &Path) -> i64 {
    // Between two files there may be none.
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .and_then(|file| rows_of(&file, "select count(*) from check_result"))
        .ok()
        .and_then(|rows| rows.first()?.parse().ok())
        .unwrap_or(0)
}

#[test]
fn what_waited_is_written_and_an_outage_goes_on_in_the_new_file() {
    const OPEN: &str = "select host_address, start_time from outage_events where end_time is null";
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let writer = writer::start(&path, Duration::from_millis(100));
    let (one, first) = (host("one", "192.0.2.1"), writer::now());
    let silent = |i: i64| check(&one, first + i, &[None]);
    writer::deliver(&writer, (0..50).map(silent));
    wait_for("the first checks", || count(&path) == 50);
    let before = rows(&path, OPEN);
    assert_eq!(before.len(), 1);
    let root = "select rootpage from sqlite_schema where name = 'check_result'";
    let root = u64::try_from(number(&path, root)).expect("a page");
    // What is in the log is in the file afterwards, and the log is empty.
    rows(&path, "pragma wal_checkpoint(truncate)");
    overwrite(&path, (root - 1) * 4096, &garbage(4096));
    writer::deliver(&writer, (50..80).map(silent));
    wait_for("a new file", || files(&folder, ".damaged").len() == 1);
    wait_for("the checks that waited", || count(&path) == 30);
    assert_eq!(rows(&path, OPEN), before);
    let up = check(&one, first + 90, &[Some(1), Some(1)]);
    writer::deliver(&writer, [up]);
    assert_eq!(writer.finish(), 0);
    assert_eq!(rows(&path, OPEN), [""; 0], "it ends there");
    expect_whole(&path);
}

/// Two hosts, a check a minute each for 100 hours, with the sums of all hours; in one file, without
/// a log. Returns the number of checks.
fn sums_and_checks(path: &Path) -> usize {
    checks_with_sums_before(path, 200)
}

/// The same with the sums of the hours before this one.
fn checks_with_sums_before(path: &Path, hour: i64) -> usize {
    let mut database = open(path);
    let hosts = [host("one", "192.0.2.1"), host("two", "192.0.2.2")];
    let minutes = 100 * 60;
    let checks: Vec<_> = (0..minutes)
        .flat_map(|minute| {
            hosts
                .iter()
                .map(move |host| check(host, minute * 60_000, &[Some(9), None, Some(1)]))
        })
        .collect();
    write(&mut database, &checks, HOUR * hour);
    database.checkpoint();
    checks.len()
}

/// Pages of the table of checks, by what another SQLite finds in them.
fn leaves_of_checks(path: &Path) -> Vec<u64> {
    leaves(path, 8)
}

/// The leaves without a row id whose first row has so many columns.
fn leaves(path: &Path, columns: u8) -> Vec<u64> {
    let bytes = fs::read(path).expect("a file");
    let is_leaf = |page: &&[u8]| {
        let cell = usize::from(page[8]) << 8 | usize::from(page[9]);
        page[0] == 10 && page.get(cell + 1) == Some(&(columns + 1))
    };
    (0..)
        .zip(bytes.chunks(4096))
        .filter(|(_, page)| is_leaf(page))
        .map(|(number, _)| number)
        .collect()
}

/// How a page, by its place in the file, is damaged.
type DamagePage = fn(&Path, u64);

const PAGE_DAMAGES: [(&str, DamagePage); 4] = [
    ("garbage", |path, page| {
        overwrite(path, page * 4096, &garbage(4096))
    }),
    ("zeros", |path, page| {
        overwrite(path, page * 4096, &[0; 4096])
    }),
    // SQLite does not notice these.
    ("no cells", |path, page| {
        overwrite(path, page * 4096 + 3, &[0, 0])
    }),
    ("another page", |path, page| {
        let bytes = fs::read(path).expect("a file");
        let next = usize::try_from((page + 1) * 4096).expect("small");
        let next = bytes[next..next + 4096].to_vec();
        overwrite(path, page * 4096, &next);
    }),
];

#[test]
fn an_export_that_comes_out_short_says_so_and_fails_and_has_the_rest() {
    let folder = TempDir::new();
    configure(&folder, FILE, &["192.0.2.1"]);
    let path = folder.path().join(FILE);
    let made = folder.path().join("made");
    let total = sums_and_checks(&made);
    let leaves = leaves_of_checks(&made);
    assert!(leaves.len() > 50, "{leaves:?}");
    for (what, damage) in PAGE_DAMAGES {
        for (page, format) in leaves
            .iter()
            .step_by(leaves.len() / 3)
            .zip(["csv", "jsonl", "csv"])
        {
            fs::copy(&made, &path).expect("copied");
            damage(&path, *page);
            {
                let export = program(folder.path(), &["export", "--format", format]);
                let rows = export.stdout.lines().count() - usize::from(format == "csv");
                assert_eq!(
                    export.code,
                    Some(74),
                    "{what} in {page}: {rows} of {total}\n{}",
                    export.stderr
                );
                assert!(
                    export.stderr.contains("cannot be read")
                        && export.stderr.contains("doctor --salvage"),
                    "{what} in {page}: {}",
                    export.stderr
                );
                // Some 170 rows lie on a page. Rows of another page may lead astray: those are left to
                // the salvage.
                assert!(
                    rows >= total - 400 || what == "another page",
                    "{what} in {page}: {rows} of {total}\n{}",
                    export.stderr
                );
            }
        }
    }
    fs::copy(&made, &path).expect("copied");
    let export = expect_success(program(folder.path(), &["export"]));
    assert_eq!(export.stdout.lines().count(), total + 1);
}

#[test]
fn an_export_says_which_part_of_the_checks_cannot_be_read_and_no_more() {
    let folder = TempDir::new();
    configure(&folder, FILE, &["192.0.2.1"]);
    let path = folder.path().join(FILE);
    let made = folder.path().join("made");
    let total = sums_and_checks(&made);
    // Of two times ten hours.
    const NOTES: &str =
        "insert into check_note(host_id, checked_at, late, duplicates, foreigners, reason)
        select host_id, checked_at, 1, 0, 0, 'a reason' from check_result where checked_at / 36000000 in (1, 6)";
    Connection::open(&made)
        .and_then(|made| made.execute_batch(NOTES))
        .expect("plain SQL");
    let root = |table: &str| {
        let root = format!("select rootpage - 1 from sqlite_schema where name = '{table}'");
        u64::try_from(number(&made, &root)).expect("a page")
    };
    open(&made).checkpoint();
    let leaf_of_notes = leaves(&made, 7)[3];
    let sums =
        "the sums that tell whether checks of one are missing cannot be read, and in 1 other";
    let notes = "reasons and wrong replies of checks of one from 1970-01-01T1";
    for (what, page, said, noted) in [
        ("the sums", root("rollup"), sums, 2400),
        ("the time of the clean-up", root("pruning"), sums, 2400),
        ("the hours without sums", root("stale_rollup"), sums, 2400),
        ("notes", leaf_of_notes, notes, 1400),
    ] {
        fs::copy(&made, &path).expect("copied");
        overwrite(&path, page * 4096, &garbage(4096));
        let export = program(folder.path(), &["export", "--format", "jsonl"]);
        let error = &export.stderr;
        let rows = export.stdout.lines().count();
        assert_eq!((export.code, rows), (Some(74), total), "{what}: {error}");
        let with_reason = export.stdout.matches("a reason").count();
        assert!(
            (noted..=2400).contains(&with_reason),
            "{what}: {with_reason} have their reason"
        );
        assert!(
            error.contains(&format!(" is damaged: {said}")),
            "{what}: {error}"
        );
    }
}

/// The rows of all tables that cannot be made from others.
fn everything(path: &Path) -> Vec<String> {
    [
        "check_result",
        "not_measured_check",
        "check_note",
        "host",
        "rollup",
        "outage_events",
        "level_changes",
        "monitor_run",
    ]
    .iter()
    .flat_map(|table| rows(path, &format!("select * from {table} order by 1, 2")))
    .collect()
}

fn salvage(folder: &TempDir, file: &Path) -> (Finished, PathBuf) {
    let to = folder.path().join("salvaged");
    drop(fs::remove_file(&to));
    let name = |path: &Path| path.to_string_lossy().into_owned();
    let arguments = [
        "doctor",
        "--json",
        "--salvage",
        &name(file),
        "-o",
        &name(&to),
    ];
    (program(folder.path(), &arguments), to)
}

#[test]
fn a_whole_file_and_its_log_are_salvaged_completely_and_are_not_changed() {
    let folder = TempDir::new();
    let path = sample(&folder);
    let one = host("one", "192.0.2.9");
    let mut database = open(&path);
    let noted = CheckResult {
        late: 7,
        reason: Some("because ".repeat(400)),
        ..check(&one, 5000, &[None, Some(70_000)])
    };
    write(
        &mut database,
        &[noted, not_measured(&one, 90_000)],
        HOUR * 18,
    );
    write(&mut database, &[check(&one, 150_000, &[None])], HOUR * 18);
    let changes = "insert into level_changes values(2, 'latency', 5000, 12000, 31000, 80), (2, 'loss', 5000, 0, 20000, 99)";
    other_program(&path)
        .execute(changes, [])
        .expect("changes of level");
    // As a kill leaves it.
    let copy = folder.path().join("copy");
    for suffix in ["", "-wal"] {
        let name = |path: &Path| format!("{}{suffix}", path.display());
        fs::copy(name(&path), name(&copy)).expect("copied");
    }
    let expected = everything(&path);
    drop(database);
    let before = bytes_of(&copy);
    assert!(!before[1].is_empty(), "there is a log");
    let (finished, to) = salvage(&folder, &copy);
    assert_eq!(everything(&to), expected);
    assert!(bytes_of(&copy) == before && !folder.path().join("copy-shm").exists());
    let found = json(finished);
    assert_eq!(found["tables"]["check_result"], 1002, "{found}");
    expect_whole(&to);
    let again = program(
        folder.path(),
        &["doctor", "--salvage", "copy", "-o", "salvaged"],
    );
    assert_eq!(again.code, Some(1), "it exists: {}", again.stderr);
}

/// The checks of `made` that are not in `salvaged`: host and time, and whether its hour has sums.
fn missing(made: &Path, salvaged: &Path) -> Vec<(i64, i64, bool)> {
    let file = other_program(made);
    file.execute("attach ?1 as salvaged", [salvaged.to_string_lossy()])
        .expect("attached");
    let sql = "select c.host_id, c.checked_at, exists(select 1 from salvaged.rollup r
                      where r.host_id = c.host_id and r.hour = c.checked_at / 3600000)
                 from main.check_result c left join salvaged.check_result s
                   on s.host_id = c.host_id and s.checked_at = c.checked_at
                where s.host_id is null";
    let mut statement = file.prepare(sql).expect("a query");
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .expect("rows");
    rows.map(|row| row.expect("a row")).collect()
}

/// Checks that a salvage tells every check that it lost: by its number where the hour has sums, else
/// by its time. Returns how many it lost, and how many of them by time.
fn expect_all_told(what: &str, made: &Path, folder: &TempDir, damaged: &Path) -> (usize, usize) {
    let (finished, to) = salvage(folder, damaged);
    let found: serde_json::Value = serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{what}: {error}: {}", finished.stderr));
    let lost = missing(made, &to);
    let hosts = found["hosts"].as_array().expect("hosts");
    let counted: u64 = hosts
        .iter()
        .map(|host| host["lost"].as_u64().expect("a number"))
        .sum();
    let (with_sums, without): (Vec<_>, Vec<_>) = lost.iter().partition(|(.., has_sums)| *has_sums);
    assert_eq!(with_sums.len() as u64, counted, "{what}: {found}");
    for (host, at, _) in &without {
        let host = &hosts[usize::try_from(host - 1).expect("an index")];
        let time = UtcMillis(*at).rfc3339();
        let spans = host["uncounted_in"].as_array().expect("spans");
        let is_told = spans.iter().any(|span| {
            let text = |key: &str| span[key].as_str().expect("a time").to_string();
            text("start") <= time && time < text("end")
        });
        assert!(is_told, "{what}: {time} is not told: {found}");
    }
    if !lost.is_empty() {
        assert_eq!(finished.code, Some(1), "{what}");
    }
    expect_whole(&to);
    (lost.len(), without.len())
}

#[test]
fn of_a_damaged_file_only_what_lay_there_is_not_salvaged_and_it_is_said() {
    let folder = TempDir::new();
    let made = folder.path().join("made");
    // The newest hours have no sums yet.
    let total = checks_with_sums_before(&made, 90);
    let path = folder.path().join("damaged");
    let pages = fs::metadata(&made).expect("a file").len() / 4096;
    let (mut worst, mut worst_without_sums) = (0, 0);
    for page in (0..pages).step_by(3) {
        fs::copy(&made, &path).expect("copied");
        overwrite(&path, page * 4096, &garbage(4096));
        let what = format!("page {page}");
        let (lost, without_sums) = expect_all_told(&what, &made, &folder, &path);
        worst = worst.max(lost);
        worst_without_sums = worst_without_sums.max(without_sums);
    }
    assert!((1..=200).contains(&worst), "{worst} of {total}");
    assert!(worst_without_sums > 100, "{worst_without_sums}");
}

#[test]
fn a_salvage_tells_the_time_of_lost_checks_that_no_sums_count_however_the_page_is_damaged() {
    let folder = TempDir::new();
    let (made, path) = (folder.path().join("made"), folder.path().join("damaged"));
    checks_with_sums_before(&made, 0);
    let leaves = leaves_of_checks(&made);
    for (what, damage) in PAGE_DAMAGES {
        for page in [leaves[leaves.len() / 2], leaves[leaves.len() - 2]] {
            fs::copy(&made, &path).expect("copied");
            damage(&path, page);
            let what = format!("{what} in {page}");
            let (lost, without_sums) = expect_all_told(&what, &made, &folder, &path);
            assert!((100..400).contains(&lost), "{what}: {lost}");
            assert_eq!(lost, without_sums, "{what}");
        }
    }
    // The file ends before its newest pages.
    fs::copy(&made, &path).expect("copied");
    let pages = fs::metadata(&made).expect("a file").len() / 4096;
    cut(&path, pages / 2 * 4096);
    let (lost, without_sums) = expect_all_told("cut", &made, &folder, &path);
    assert!(lost > 1000 && lost == without_sums, "{lost}");
    let arguments = ["doctor", "--salvage", "damaged", "-o", "again"];
    let text = program(folder.path(), &arguments).stdout;
    let is_told = |host: &str| {
        let beginning = format!("{host}: checks may be missing that no hourly sums count: ");
        text.lines().any(|line| line.starts_with(&beginning))
    };
    assert!(is_told("one") && is_told("two"), "{text}");
}

#[test]
fn without_header_schema_or_end_the_rest_is_salvaged() {
    for (what, damage) in DAMAGES {
        let folder = TempDir::new();
        let path = sample(&folder);
        damage(&path);
        let before = bytes_of(&path);
        let (finished, to) = salvage(&folder, &path);
        assert!(
            matches!(finished.code, Some(0 | 1)),
            "{what}: {}",
            finished.stderr
        );
        expect_whole(&to);
        assert!(bytes_of(&path) == before, "{what}: it is not changed");
        let checks = number(&to, "select count(*) from check_result");
        // The log has the newest pages, and where the file has only two or none, no others.
        let least = if what.contains("cut") || what.contains("emptied") || what.contains("only") {
            100
        } else {
            1000
        };
        assert!(checks >= least, "{what}: {checks}");
        let status = expect_success(program(folder.path(), &["doctor", "--help"]));
        assert!(status.stdout.contains("--salvage"));
    }
}

#[test]
fn a_scrub_finds_damage_in_short_steps_and_says_it_until_it_is_gone() {
    use ace_connection_logger::store::Scrub;
    let folder = TempDir::new();
    configure(&folder, FILE, &["192.0.2.1"]);
    let path = folder.path().join(FILE);
    let made = folder.path().join("made");
    sums_and_checks(&made);
    let leaves = leaves_of_checks(&made);
    let middle = leaves[leaves.len() / 2];
    let scrub = |database: &mut Database| {
        let mut scrub = Scrub::default();
        let mut steps = 0;
        while !database.scrub(&mut scrub).expect("it goes on") {
            steps += 1;
            assert!(steps < 10_000, "{scrub:?}");
        }
        database
            .record_scrub(&scrub, UtcMillis(HOUR))
            .expect("written")
    };
    assert_eq!(scrub(&mut open(&made)), None, "it is whole");
    for (what, at, bytes) in [("garbage", 0, garbage(4096)), ("no cells", 3, vec![0, 0])] {
        fs::copy(&made, &path).expect("copied");
        overwrite(&path, middle * 4096 + at, &bytes);
        let mut database = open(&path);
        let found = scrub(&mut database).unwrap_or_else(|| panic!("{what} is not found"));
        assert!(
            found.contains("is damaged") && found.contains("doctor --salvage"),
            "{what}: {found}"
        );
        assert_eq!(scrub(&mut database), None, "{what}: it is said once");
        let status = program(folder.path(), &["status"]).stdout;
        assert!(status.contains("is damaged: "), "{what}: {status}");
        let doctor = program(folder.path(), &["doctor"]);
        assert_eq!(doctor.code, Some(1));
        assert!(
            doctor.stdout.contains("is damaged"),
            "{what}: {}",
            doctor.stdout
        );
        overwrite(
            &path,
            middle * 4096,
            &fs::read(&made).expect("a file")[usize::try_from(middle * 4096).expect("small")..]
                [..4096],
        );
        // Another connection does not have the page in its memory.
        drop(database);
        assert_eq!(scrub(&mut open(&path)), None, "{what}: whole again");
        let status = program(folder.path(), &["status"]).stdout;
        assert!(!status.contains("damaged"), "{what}: {status}");
    }
}

#[test]
fn salvaged_years_and_what_was_recorded_since_come_into_one_file() {
    let folder = TempDir::new();
    configure(&folder, FILE, &["192.0.2.1"]);
    let (made, path) = (folder.path().join("made"), folder.path().join(FILE));
    let total = i64::try_from(sums_and_checks(&made)).expect("small");
    let outage =
        "insert into outage_events(host_name, host_address, event_type, start_time, host_id)
                  values('two', '192.0.2.2', 'outage', '1970-01-03 00:00:00.000', 2)";
    other_program(&made).execute(outage, []).expect("written");
    let (finished, _) = salvage(&folder, &made);
    expect_success(finished);
    // The new file has its hosts in another order, and one of their names is new.
    let mut database = open(&path);
    let (two, three) = (host("zwei", "192.0.2.2"), host("three", "192.0.2.3"));
    let since =
        |i: i64| [&three, &two].map(|host| check(host, 100 * HOUR + i * 60_000, &[Some(1)]));
    write(
        &mut database,
        &(-2..500).flat_map(since).collect::<Vec<_>>(),
        HOUR * 200,
    );
    drop(database);
    let import = || expect_success(program(folder.path(), &["import", "salvaged"])).stdout;
    let said = import();
    // Two checks of the new file are of the same minutes as two of the old.
    assert!(said.contains("11998 checks and 1 outage event"), "{said}");
    assert_eq!(count(&path), total - 2 + 1004);
    let names = "select name, address, (select count(*) from check_result where host_id = id) from host order by 2";
    assert_eq!(
        rows(&path, names),
        [
            "one|192.0.2.1|6000",
            "zwei|192.0.2.2|6500",
            "three|192.0.2.3|502"
        ]
    );
    let ended = "select end_time, removed, notes from outage_events";
    assert_eq!(
        rows(&path, ended),
        [
            "1970-01-05 03:59:00.000|1|the database was damaged during the outage: its end is unknown"
        ]
    );
    assert!(import().contains("0 checks and 0 outage events"));
    let mut database = open(&path);
    write(&mut database, &[], HOUR * 200);
    drop(database);
    let wrong = "select count(*) from rollup r where full + none + to_20 + to_40 + to_60 + to_80 + to_95 + to_100 <>
        (select count(*) from check_result c where c.host_id = r.host_id and c.checked_at / 3600000 = r.hour)";
    assert_eq!(number(&path, wrong), 0, "the sums are right");
    expect_whole(&path);
}
