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
