//! The `export` command, with a database of known content: what it writes, and that other programs
//! read it back unchanged.

mod common;

use ace_connection_logger::pure::address::IpVersion;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use ace_connection_logger::pure::model::{CheckResult, Host, Outcome};
use ace_connection_logger::pure::time::UtcMillis;
use ace_connection_logger::store::{Database, RunState};
use common::{Finished, TempDir, bin, run, skip};
use rusqlite::Connection;
use serde_json::Value;

const FILE: &str = "connection_logs.db";

fn host(name: &str, address: &str, family: Option<IpVersion>) -> Arc<Host> {
    Arc::new(Host {
        name: name.into(),
        address: address.into(),
        family,
        source: None,
    })
}

/// A check with these round-trip times in microseconds; 0 is a lost ping.
fn check(host: &Arc<Host>, at: i64, rtts: &[u32]) -> CheckResult {
    let outcome = |rtt: &u32| {
        if *rtt > 0 {
            Outcome::Reply { rtt_us: *rtt }
        } else {
            Outcome::TimedOut
        }
    };
    CheckResult {
        pings: rtts.iter().map(outcome).collect(),
        ..CheckResult::begin(Arc::clone(host), UtcMillis(at))
    }
}

/// A folder with an empty database.
fn fresh() -> (TempDir, Database) {
    let folder = TempDir::new();
    folder.write(
        "config.yaml",
        "hosts: [{name: configured, address: 192.0.2.99}]\n",
    );
    let database = Database::open(&folder.path().join(FILE), &mut |_, _| ())
        .expect("a new database")
        .database;
    (folder, database)
}

/// A folder with a database of these checks.
fn folder_with(checks: &[CheckResult]) -> TempDir {
    let (folder, mut database) = fresh();
    let now = checks
        .iter()
        .map(|check| check.checked_at)
        .max()
        .expect("a check");
    database
        .write(checks, UtcMillis(now.0 + 1000), RunState::Running)
        .expect("it is written");
    folder
}

fn program_in(folder: &Path, zone: &str, arguments: &[&str]) -> Finished {
    run(Command::new(bin())
        .args(arguments)
        .current_dir(folder)
        .env("TZ", zone))
}

fn program(folder: &Path, arguments: &[&str]) -> Finished {
    program_in(folder, "UTC", arguments)
}

/// The output of a command that must succeed.
fn output(folder: &Path, arguments: &[&str]) -> String {
    let finished = program(folder, arguments);
    assert_eq!(
        (finished.code, finished.stderr.as_str()),
        (Some(0), ""),
        "{arguments:?}"
    );
    finished.stdout
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files_in(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned()
    };
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(name)
        .collect();
    names.retain(|name| !name.starts_with(FILE) && name != "config.yaml");
    names.sort();
    names
}

/// The rows of a query, their columns joined as the shell does.
fn rows(path: &Path, sql: &str) -> Vec<String> {
    let connection = Connection::open(path).expect("it opens");
    let mut statement = connection
        .prepare(sql)
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    let columns = statement.column_count();
    let text = |row: &rusqlite::Row<'_>| {
        let cells: Vec<String> = (0..columns)
            .map(|index| match row.get_ref(index).expect("a column") {
                rusqlite::types::ValueRef::Null => String::new(),
                rusqlite::types::ValueRef::Integer(value) => value.to_string(),
                rusqlite::types::ValueRef::Real(value) => format!("{value:?}"),
                rusqlite::types::ValueRef::Text(value) => {
                    String::from_utf8_lossy(value).into_owned()
                }
                rusqlite::types::ValueRef::Blob(value) => format!("{value:02x?}"),
            })
            .collect();
        Ok(cells.join("|"))
    };
    statement
        .query_map([], text)
        .expect("a query")
        .map(|row| row.expect("a row"))
        .collect()
}

/// 2025-11-02 12:34:56.007 UTC.
const AT: i64 = 1_762_086_896_007;

/// Three checks of two hosts that use every column.
fn three() -> TempDir {
    let (one, two) = (
        host("one \"1\", etc", "192.0.2.1", None),
        host("zwölf", "2001:db8::c", Some(IpVersion::V6)),
    );
    folder_with(&[
        check(&two, AT + 1, &[12_345]),
        check(&one, AT, &[250, 0, 500]),
        CheckResult {
            late: 1,
            duplicates: 2,
            foreign: 3,
            reason: Some("no route from 192.0.2.254".into()),
            ..check(&one, AT + 60_000, &[0, 0])
        },
        CheckResult::not_measured(
            two,
            UtcMillis(AT + 70_000),
            ace_connection_logger::pure::model::LocalFault::Other,
            "asleep".into(),
        ),
    ])
}

#[test]
fn csv_has_every_column_of_every_check_oldest_first() {
    let folder = three();
    let expected = "\
host_name,host_address,timestamp,success_count,failure_count,success_rate,min_latency,max_latency,avg_latency,state,rtts_us,late,duplicates,foreign,reason
\"one \"\"1\"\", etc\",192.0.2.1,2025-11-02 12:34:56.007,2,1,66.66666666666667,0.25,0.5,0.375,poor,\"[250,null,500]\",0,0,0,
zwölf,2001:db8::c,2025-11-02 12:34:56.008,1,0,100,12.345,12.345,12.345,up,[12345],0,0,0,
\"one \"\"1\"\", etc\",192.0.2.1,2025-11-02 12:35:56.007,0,2,0,,,,down,\"[null,null]\",1,2,3,no route from 192.0.2.254
";
    assert_eq!(output(folder.path(), &["export"]), expected);
    assert_eq!(
        output(folder.path(), &["export", "--format=csv", "-o-"]),
        expected
    );
    // A file is replaced, also through a symbolic link to it.
    let file = folder.write("a.csv", "old");
    std::os::unix::fs::symlink("a.csv", folder.path().join("link.csv")).expect("a link");
    assert_eq!(
        output(folder.path(), &["export", "-olink.csv"]),
        "link.csv: 3 checks written\n"
    );
    assert_eq!(read(&file), expected);
    assert_eq!(files_in(folder.path()), ["a.csv", "link.csv"]);
    assert!(folder.path().join("link.csv").is_symlink());
}

#[test]
fn jsonl_has_one_object_per_check_with_the_same_columns() {
    let folder = three();
    let text = output(folder.path(), &["export", "--format", "jsonl"]);
    let expected = r#"{"host_name":"one \"1\", etc","host_address":"192.0.2.1","timestamp":"2025-11-02T12:34:56.007Z","success_count":2,"failure_count":1,"success_rate":66.66666666666667,"min_latency":0.25,"max_latency":0.5,"avg_latency":0.375,"state":"poor","rtts_us":[250,null,500],"late":0,"duplicates":0,"foreign":0,"reason":null}"#;
    assert_eq!(text.lines().next(), Some(expected));
    let last: Value = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
    assert_eq!(text.lines().count(), 3);
    assert_eq!(last["reason"], "no route from 192.0.2.254");
    assert_eq!(
        (&last["late"], &last["duplicates"], &last["foreign"]),
        (&1.into(), &2.into(), &3.into())
    );
    assert_eq!(
        (&last["avg_latency"], &last["rtts_us"]),
        (&Value::Null, &serde_json::json!([null, null]))
    );
}

#[test]
fn only_the_requested_hosts_and_times_are_exported() {
    let folder = three();
    let names = |arguments: &[&str]| {
        let all = [&["export", "--format=jsonl"], arguments].concat();
        let text = output(folder.path(), &all);
        let name = |line: &str| {
            serde_json::from_str::<Value>(line).expect("JSON")["host_name"].to_string()
        };
        text.lines()
            .map(|line| name(line).chars().skip(1).take(3).collect::<String>())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(names(&[]), "one zwö one");
    for named in ["2001:DB8::C", "ZWÖLF"] {
        assert_eq!(names(&["--host", named]), "zwö", "{named}");
    }
    assert_eq!(
        names(&["--host", "configured"]),
        "",
        "nothing is recorded of it yet"
    );
    // `--from` is inclusive, `--to` is not.
    assert_eq!(
        names(&[
            "--from",
            "2025-11-02T12:34:56.008Z",
            "--to=2025-11-02T12:35:56.007Z"
        ]),
        "zwö"
    );
    assert_eq!(
        names(&["--from", "2025-11-02 12:35", "--to", "2025-11-03"]),
        "one"
    );
    assert_eq!(
        names(&["--from", "1762086956", "--to", "2025-11-02T14:35:57+02:00"]),
        "one"
    );
    let local = program_in(
        folder.path(),
        "Europe/Berlin",
        &["export", "--format=jsonl", "--from", "2025-11-02 13:35"],
    );
    assert_eq!(local.stdout.lines().count(), 1, "{local:?}");
    for (arguments, what) in [
        (
            &["--host", "nobody"][..],
            "--host \"nobody\": no such host is recorded, but: one \"1\", etc, zwölf",
        ),
        (
            &["--from", "2025-11-03", "--to", "2025-11-02"],
            "--to must be later than --from",
        ),
        (&["--from", "yesterday"], "\"yesterday\" is not a time"),
        (
            &["--format", "xml"],
            "\"xml\" is none of csv, jsonl, openmetrics, sqlite",
        ),
        (
            &["--format", "sqlite"],
            "a database needs a file, name it with -o FILE",
        ),
    ] {
        let refused = program(folder.path(), &[&["export"], arguments].concat());
        assert_eq!(
            (refused.code, refused.stdout.as_str()),
            (Some(2), ""),
            "{arguments:?}"
        );
        assert!(refused.stderr.contains(what), "{}", refused.stderr);
    }
}

#[test]
fn without_a_database_the_export_fails_and_creates_none() {
    let folder = TempDir::new();
    for arguments in [
        &["export", "-o", "a.csv"][..],
        &["export", "--format=sqlite", "-o", "a.db"],
    ] {
        let refused = program(folder.path(), arguments);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(
            refused
                .stderr
                .contains("nothing recorded yet in connection_logs.db\nhint: start recording"),
            "{refused:?}"
        );
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("a folder").count(),
        0
    );
}

#[test]
fn a_failed_export_is_reported_and_leaves_no_partial_file() {
    let folder = three();
    for target in ["/dev/full", "no/such/folder.csv", "."] {
        let failed = program(folder.path(), &["export", "-o", target]);
        assert_eq!(failed.code, Some(74), "{failed:?}");
        assert!(
            failed.stderr.contains(&format!("writing to {target}: ")),
            "{}",
            failed.stderr
        );
    }
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("a device");
    let ended = Command::new(bin())
        .arg("export")
        .current_dir(folder.path())
        .stdout(full)
        .stderr(Stdio::null())
        .status();
    assert_eq!(ended.expect("it runs").code(), Some(74));
    // A database that is corrupt in the middle.
    let database = Connection::open(folder.path().join(FILE)).expect("it opens");
    database
        .execute_batch("drop table check_note")
        .expect("it is there");
    let kept = folder.write("kept.csv", "kept");
    for arguments in [
        &["export", "-o", "kept.csv"][..],
        &["export", "--format", "sqlite", "-o", "new.db"],
    ] {
        let failed = program(folder.path(), arguments);
        assert_eq!(failed.code, Some(74), "{failed:?}");
        assert!(failed.stderr.contains("check_note"), "{}", failed.stderr);
    }
    assert_eq!(read(&kept), "kept");
    assert_eq!(files_in(folder.path()), ["kept.csv"]);
}

#[test]
fn what_a_killed_export_left_is_removed_by_the_next_and_that_of_a_running_one_stays() {
    let folder = three();
    for name in [
        ".kept.csv.1.part",
        ".kept.csv.22.part",
        ".kept.csv.x.part",
        ".other.csv.1.part",
    ] {
        folder.write(name, "unfinished");
    }
    // As the process that writes it does.
    let running = std::fs::File::open(folder.path().join(".kept.csv.22.part")).expect("a file");
    running.lock().expect("a lock");
    let exported = program(folder.path(), &["export", "-o", "kept.csv"]);
    assert_eq!(exported.code, Some(0), "{exported:?}");
    let left = [
        ".kept.csv.22.part",
        ".kept.csv.x.part",
        ".other.csv.1.part",
        "kept.csv",
    ];
    assert_eq!(files_in(folder.path()), left);
}

/// Many checks of three hosts with varied figures, the same in every run.
fn many() -> TempDir {
    let hosts = [
        host("one, \"the\" first", "192.0.2.1", None),
        host("zwei\nlines", "2001:db8::2", None),
        host("3", "three.example", None),
    ];
    let mut state = 1u64;
    let mut random = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut checks = Vec::new();
    for tick in 0..1500 {
        for host in &hosts {
            let count = random(7) + 1;
            let rtts: Vec<u32> = (0..count)
                .map(|_| {
                    if random(5) == 0 {
                        0
                    } else {
                        u32::try_from(1 + random(10u64.pow(1 + tick % 7))).expect("small")
                    }
                })
                .collect();
            let spread = i64::try_from(random(3)).expect("small");
            checks.push(check(host, AT + i64::from(tick) * 60_000 + spread, &rtts));
        }
    }
    folder_with(&checks)
}

/// The first columns of every record of a CSV text, unchanged.
fn columns(csv: &str, count: usize) -> Vec<String> {
    let mut records = Vec::new();
    let (mut is_quoted, mut commas, mut record) = (false, 0, String::new());
    for letter in csv.chars() {
        is_quoted ^= letter == '"';
        commas += usize::from(letter == ',' && !is_quoted);
        if letter == '\n' && !is_quoted {
            records.push(std::mem::take(&mut record));
            commas = 0;
        } else if commas < count {
            record.push(letter);
        }
    }
    records
}

#[test]
fn csv_reads_back_byte_for_byte() {
    const NAME: &str = "csv_reads_back_byte_for_byte";
    if Command::new("sqlite3")
        .arg("-version")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        return skip(NAME, "there is no sqlite3");
    }
    let (folder, (fresh, _)) = (many(), fresh());
    output(folder.path(), &["export", "-o", "a.csv"]);
    let first = read(&folder.path().join("a.csv"));
    assert_eq!(columns(&first, 15).len(), 4501);
    let names = "host_name, host_address, timestamp, success_count, failure_count, success_rate, min_latency, max_latency, avg_latency";
    let import = format!(".import {} t", folder.path().join("a.csv").display());
    let copy = format!("insert into ping_results({names}) select {names} from t; drop table t;");
    let shell = run(Command::new("sqlite3")
        .arg("-bail")
        .arg(fresh.path().join(FILE))
        .args([".mode csv", &import, &copy]));
    assert_eq!((shell.code, shell.stderr.as_str()), (Some(0), ""));
    let second = output(fresh.path(), &["export"]);
    assert!(
        columns(&first, 9) == columns(&second, 9),
        "the bytes differ"
    );
    assert!(
        rows(&folder.path().join(FILE), CHECKS) == rows(&fresh.path().join(FILE), CHECKS),
        "the values differ"
    );
}

#[test]
fn jsonl_reads_back_byte_for_byte() {
    let (folder, (fresh, _)) = (many(), fresh());
    let first = output(folder.path(), &["export", "--format=jsonl"]);
    let names = [
        "host_name",
        "host_address",
        "timestamp",
        "success_count",
        "failure_count",
        "success_rate",
        "min_latency",
        "max_latency",
        "avg_latency",
    ];
    let insert = format!(
        "insert into ping_results({}) values(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        names.join(", ")
    );
    let mut database = Connection::open(fresh.path().join(FILE)).expect("it opens");
    let transaction = database.transaction().expect("it begins");
    for line in first.lines() {
        let row: Value = serde_json::from_str(line).expect("JSON");
        let values = names.map(|name| match &row[name] {
            Value::String(text) => rusqlite::types::Value::Text(text.clone()),
            number => number
                .as_f64()
                .map_or(rusqlite::types::Value::Null, rusqlite::types::Value::Real),
        });
        transaction
            .execute(&insert, rusqlite::params_from_iter(values))
            .expect("a row");
    }
    transaction.commit().expect("it ends");
    let second = output(fresh.path(), &["export", "--format=jsonl"]);
    let shared = |text: &str| {
        text.lines()
            .map(|line| {
                line.split(",\"state\"")
                    .next()
                    .unwrap_or_default()
                    .to_string()
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(first.lines().count(), 4500);
    assert!(shared(&first) == shared(&second), "the bytes differ");
    assert!(
        rows(&folder.path().join(FILE), CHECKS) == rows(&fresh.path().join(FILE), CHECKS),
        "the values differ"
    );
}

#[test]
fn rows_are_in_chronological_order_across_all_pages() {
    let folder = many();
    let text = output(folder.path(), &["export", "--format=jsonl"]);
    let times: Vec<&str> = text
        .split("\"timestamp\":\"")
        .skip(1)
        .map(|rest| &rest[..24])
        .collect();
    assert_eq!(times.len(), 4500);
    assert!(times.is_sorted());
}

#[test]
fn promtool_accepts_the_openmetrics() {
    const NAME: &str = "promtool_accepts_the_openmetrics";
    // Two checks in one millisecond of an address that is measured over both versions of IP.
    let (v4, v6) = (
        host("both\\\n\"quoted\"", "both.example", Some(IpVersion::V4)),
        host("both\\\n\"quoted\"", "both.example", Some(IpVersion::V6)),
    );
    let one = host("one", "192.0.2.1", None);
    let folder = folder_with(&[
        check(&v4, AT, &[250, 0, 500]),
        check(&v6, AT, &[1]),
        check(&v6, AT + 1, &[2]),
        check(&one, AT + 60_000, &[0, 0]),
        check(&one, AT + 120_000, &[1_500_000]),
    ]);
    let text = output(folder.path(), &["export", "--format=openmetrics"]);
    let [four, six] = ["4", "6"].map(|family| {
        format!(r#"{{host="both\\\n\"quoted\"",address="both.example",family="{family}""#)
    });
    let one = r#"{host="one",address="192.0.2.1",family="any""#;
    let expected = [
        (
            "check_success_ratio",
            "gauge",
            "ratio",
            "FOUR} 0.6666666666666667 AT7\nSIX} 1 AT7\nSIX} 1 AT8\nONE} 0 AT60\nONE} 1 AT120\n",
        ),
        (
            "check_rtt_min_seconds",
            "gauge",
            "seconds",
            "FOUR} 0.00025 AT7\nSIX} 0.000001 AT7\nSIX} 0.000002 AT8\nONE} 1.5 AT120\n",
        ),
        (
            "check_rtt_avg_seconds",
            "gauge",
            "seconds",
            "FOUR} 0.000375 AT7\nSIX} 0.000001 AT7\nSIX} 0.000002 AT8\nONE} 1.5 AT120\n",
        ),
        (
            "check_rtt_max_seconds",
            "gauge",
            "seconds",
            "FOUR} 0.0005 AT7\nSIX} 0.000001 AT7\nSIX} 0.000002 AT8\nONE} 1.5 AT120\n",
        ),
        (
            "check_sent_pings",
            "gauge",
            "pings",
            "FOUR} 3 AT7\nSIX} 1 AT7\nSIX} 1 AT8\nONE} 2 AT60\nONE} 1 AT120\n",
        ),
        (
            "check_received_pings",
            "gauge",
            "pings",
            "FOUR} 2 AT7\nSIX} 1 AT7\nSIX} 1 AT8\nONE} 0 AT60\nONE} 1 AT120\n",
        ),
        (
            "host_up",
            "gauge",
            "",
            "FOUR} 1 AT7\nSIX} 1 AT7\nSIX} 1 AT8\nONE} 0 AT60\nONE} 1 AT120\n",
        ),
        (
            "pings_sent",
            "counter",
            "",
            "FOUR} 3 AT7\nSIX} 1 AT7\nSIX} 2 AT8\nONE} 2 AT60\nONE} 3 AT120\n",
        ),
        (
            "pings_lost",
            "counter",
            "",
            "FOUR} 1 AT7\nSIX} 0 AT7\nSIX} 0 AT8\nONE} 2 AT60\nONE} 2 AT120\n",
        ),
    ];
    let mut rest = text.as_str();
    for (name, kind, unit, samples) in &expected {
        let name = format!("ace_{name}");
        let unit = match *unit {
            "" => String::new(),
            unit => format!("# UNIT {name} {unit}\n"),
        };
        let head = format!("# TYPE {name} {kind}\n{unit}# HELP {name} ");
        rest = rest
            .strip_prefix(&head)
            .unwrap_or_else(|| panic!("{head}: {rest}"));
        let name = if *kind == "counter" {
            name + "_total"
        } else {
            name
        };
        let samples = samples
            .replace("FOUR", &format!("{name}{four}"))
            .replace("SIX", &format!("{name}{six}"))
            .replace("ONE", &format!("{name}{one}"))
            .replace("AT7", "1762086896.007")
            .replace("AT8", "1762086896.008")
            .replace("AT60", "1762086956.007")
            .replace("AT120", "1762087016.007");
        rest = rest
            .split_once('\n')
            .expect("a help")
            .1
            .strip_prefix(&samples)
            .unwrap_or_else(|| panic!("{samples}: {rest}"));
    }
    for line in [
        format!("ace_checks_total{four},state=\"poor\"}} 1 1762086896.007\n"),
        format!("ace_checks_total{one},state=\"down\"}} 1 1762087016.007\n"),
        format!("ace_checks_total{one},state=\"up\"}} 1 1762087016.007\n"),
        format!("ace_ping_rtt_seconds_bucket{four},le=\"0.0005\"}} 2 1762086896.007\n"),
        format!("ace_ping_rtt_seconds_bucket{one},le=\"1.0\"}} 0 1762087016.007\n"),
        format!("ace_ping_rtt_seconds_bucket{one},le=\"2.0\"}} 1 1762087016.007\n"),
        format!("ace_ping_rtt_seconds_sum{four}}} 0.00075 1762086896.007\n"),
        format!("ace_ping_rtt_seconds_count{six}}} 2 1762086896.008\n"),
    ] {
        assert!(rest.contains(&line), "{line}: {rest}");
    }
    assert!(rest.ends_with("\n# EOF\n"));

    if Command::new("promtool")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_err()
    {
        return skip(NAME, "there is no promtool");
    }
    output(
        folder.path(),
        &["export", "--format=openmetrics", "-o", "a.om"],
    );
    let made = run(Command::new("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics", "a.om", "data"])
        .current_dir(folder.path()));
    assert_eq!(made.code, Some(0), "{made:?}");
    // `promtool tsdb dump` requires the folder of the write-ahead log.
    std::fs::create_dir(folder.path().join("data/wal")).expect("a folder");
    let dump = run(Command::new("promtool")
        .args(["tsdb", "dump", "data"])
        .current_dir(folder.path()));
    assert_eq!(
        (dump.code, dump.stdout.lines().count()),
        // One check without a reply has three samples less.
        (Some(0), 5 * 29 - 3),
        "{dump:?}"
    );
    assert!(
        dump.stdout.contains("0.000375 1762086896007\n")
            || dump.stdout.contains("0.000375 1.762086896007e+12"),
        "{}",
        dump.stdout
    );
}

#[test]
fn exported_series_have_the_labels_of_a_scrape_and_go_on_from_what_was_counted_before() {
    let one = host("one", "192.0.2.1", None);
    let folder = folder_with(&[
        check(&one, AT, &[250, 0, 500]),
        check(&one, AT + 60_000, &[1]),
        check(&one, AT + 120_000, &[2]),
    ]);
    let path = folder.path().join("connection_logs.db");
    let mut database = Database::open(&path, &mut |_, _| ())
        .expect("it opens")
        .database;
    database
        .begin_run(UtcMillis(AT + 180_000), true)
        .expect("a run");
    drop(database);
    // The first check is deleted, and the last came after the counts were stored.
    let sql = format!(
        "delete from check_result where checked_at = {AT};
        insert into check_result(host_id, checked_at, sent, received, min_us, avg_us, max_us, rtts)
        values(1, {AT} + 180000, 2, 0, null, null, null, x'0000')"
    );
    Connection::open(&path)
        .and_then(|file| file.execute_batch(&sql))
        .expect("SQL");
    let sent = |arguments: &[&str]| -> Vec<String> {
        let all = [&["export", "--format", "openmetrics"], arguments].concat();
        let text = output(folder.path(), &all);
        let lines = text
            .lines()
            .filter_map(|line| line.strip_prefix("ace_pings_sent_total"));
        lines.map(String::from).collect()
    };
    let labels = r#"{job="ace",instance="a \"b\"",host="one",address="192.0.2.1",family="any"}"#;
    let named = sent(&["--job", "ace", "--instance", "a \"b\""]);
    let at = [1_762_086_956.007, 1_762_087_016.007, 1_762_087_076.007];
    let line = |labels: &str, sent: u32, at: f64| format!("{labels} {sent} {at:.3}");
    let expected = [
        line(labels, 4, at[0]),
        line(labels, 5, at[1]),
        line(labels, 7, at[2]),
    ];
    assert_eq!(named, expected);
    let labels = r#"{host="one",address="192.0.2.1",family="any"}"#;
    let to = (AT + 120_001) / 1000 + 1;
    let from = (AT + 60_000) / 1000 + 1;
    assert_eq!(
        sent(&["--from", &from.to_string(), "--to", &to.to_string()]),
        [line(labels, 5, at[1])]
    );
    assert_eq!(sent(&["--from", &to.to_string()]), [line(labels, 7, at[2])]);
    let refused = run(Command::new(bin())
        .args(["export", "--job", "ace"])
        .current_dir(folder.path()));
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("--job"), "{refused:?}");
}

const CHECKS: &str = "select h.name, h.address, checked_at, sent, received, min_us, avg_us, max_us
    from check_result c join host h on h.id = c.host_id order by checked_at, h.address";
const EVENTS: &str = "select host_name, host_address, event_type, start_time, end_time, duration_seconds, checks_failed,
    checks_during_outage, recovery_success_rate, notes from outage_events order by start_time";

/// 26 October 2025, 00:00 UTC. In Berlin it is two o'clock for the first time that night, and an
/// hour later for the second time.
const TWO: i64 = 1_761_436_800_000;
const MINUTE: i64 = 60_000;

fn autumn() -> TempDir {
    let (one, two) = (
        host("one", "192.0.2.1", None),
        host("two", "192.0.2.2", None),
    );
    folder_with(&[
        check(&one, TWO - 90 * MINUTE, &[250, 251, 0]),
        check(&one, TWO + 20 * MINUTE, &[1, 2, 3]),
        check(&one, TWO + 40 * MINUTE + 123, &[0]),
        check(&two, TWO + 75 * MINUTE, &[4_000_000]),
        // 02:20 again, to the millisecond: the local time of a check of the first pass.
        check(&one, TWO + 80 * MINUTE, &[7]),
        check(&two, TWO + 90 * MINUTE, &[0]),
        check(&one, TWO + 100 * MINUTE + 123, &[9]),
        check(&two, TWO + 200 * MINUTE, &[0]),
    ])
}

/// Exports as the original's database and imports that into a new one. Returns the folders of both.
fn round_trip(folder: &TempDir, zone: &str, options: &[&str]) -> (TempDir, TempDir) {
    let (exported, fresh) = (TempDir::new(), TempDir::new());
    let file = exported.path().join("original.db");
    let file_text = file.to_string_lossy().into_owned();
    let done = program_in(
        folder.path(),
        zone,
        &[&["export", "--format", "sqlite", "-o", &file_text], options].concat(),
    );
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "{done:?}");
    let imported = program_in(fresh.path(), zone, &["import", &file_text]);
    assert_eq!(imported.code, Some(0), "{imported:?}");
    (exported, fresh)
}

#[test]
fn an_export_in_the_originals_schema_survives_the_hour_that_autumn_repeats() {
    let folder = autumn();
    let path = folder.path().join(FILE);
    for zone in [
        "Europe/Berlin",
        "UTC",
        "America/New_York",
        "Australia/Lord_Howe",
    ] {
        let (exported, fresh) = round_trip(&folder, zone, &[]);
        let back = fresh.path().join(FILE);
        assert_eq!(rows(&path, CHECKS), rows(&back, CHECKS), "{zone}");
        assert_eq!(rows(&path, EVENTS), rows(&back, EVENTS), "{zone}");
        assert_eq!(rows(&back, "select count(*) from outage_events"), ["2"]);
        assert_eq!(files_in(exported.path()), ["original.db"]);
        // A second import finds nothing new.
        let file = exported.path().join("original.db");
        let again = program_in(folder.path(), zone, &["import", &file.to_string_lossy()]);
        assert!(
            again
                .stdout
                .contains(": 0 checks and 0 outage events taken over, 8 known already"),
            "{again:?}"
        );
    }
    // An export that begins in the second pass has no row of the first pass to distinguish it by.
    let (_exported, fresh) = round_trip(
        &folder,
        "Europe/Berlin",
        &["--from", "2025-10-26T01:10:00Z"],
    );
    let second: Vec<String> = rows(&path, CHECKS).into_iter().skip(3).collect();
    assert_eq!(rows(&fresh.path().join(FILE), CHECKS), second);
    let (_exported, fresh) = round_trip(&folder, "Europe/Berlin", &["--host", "TWO"]);
    assert_eq!(
        rows(
            &fresh.path().join(FILE),
            "select distinct host_address from outage_events"
        ),
        ["192.0.2.2"]
    );
}

#[test]
fn the_file_has_the_originals_tables_indexes_and_texts() {
    let folder = autumn();
    let (exported, _fresh) = round_trip(&folder, "Europe/Berlin", &[]);
    let file = exported.path().join("original.db");
    assert_eq!(
        rows(
            &file,
            "select type, name, tbl_name from sqlite_schema where name not like 'sqlite_%' and name not like 'ace_%' order by 1 desc, 2"
        ),
        [
            "table|outage_events|outage_events",
            "table|ping_results|ping_results",
            "index|idx_events_host_time|outage_events",
            "index|idx_events_time|outage_events",
            "index|idx_host_address|ping_results",
            "index|idx_host_timestamp|ping_results",
            "index|idx_timestamp|ping_results",
        ]
    );
    assert_eq!(
        rows(
            &file,
            "select name, type, \"notnull\", dflt_value, pk from pragma_table_info('ping_results')"
        ),
        [
            "id|INTEGER|0||1",
            "host_name|TEXT|1||0",
            "host_address|TEXT|1||0",
            "timestamp|TIMESTAMP|1||0",
            "success_count|INTEGER|1||0",
            "failure_count|INTEGER|1||0",
            "success_rate|REAL|1||0",
            "min_latency|REAL|0||0",
            "max_latency|REAL|0||0",
            "avg_latency|REAL|0||0",
        ]
    );
    assert_eq!(
        rows(
            &file,
            "select name from pragma_index_info('sqlite_autoindex_ping_results_1')"
        ),
        ["host_address", "timestamp"]
    );
    assert_eq!(
        rows(&file, "select * from ping_results order by id"),
        [
            "1|one|192.0.2.1|2025-10-26 00:30:00|2|1|66.66666666666667|0.25|0.251|0.251",
            "2|one|192.0.2.1|2025-10-26 02:20:00|3|0|100.0|0.001|0.003|0.002",
            "3|one|192.0.2.1|2025-10-26 02:40:00.123000|0|1|0.0|||",
            "4|two|192.0.2.2|2025-10-26 02:15:00.000001|1|0|100.0|4000.0|4000.0|4000.0",
            "5|one|192.0.2.1|2025-10-26 02:20:00.000001|1|0|100.0|0.007|0.007|0.007",
            "6|two|192.0.2.2|2025-10-26 02:30:00.000001|0|1|0.0|||",
            "7|one|192.0.2.1|2025-10-26 02:40:00.123001|1|0|100.0|0.009|0.009|0.009",
            "8|two|192.0.2.2|2025-10-26 04:20:00|0|1|0.0|||",
        ]
    );
    assert_eq!(
        rows(
            &file,
            "select seq from sqlite_sequence where name = 'ping_results'"
        ),
        ["8"]
    );
    assert_eq!(
        rows(
            &file,
            "select id, host_name, event_type, start_time, end_time, duration_seconds, checks_failed from outage_events"
        ),
        [
            "1|one|outage_end|2025-10-26 02:40:00.123000|2025-10-26 02:20:00.000001|2400|1",
            "2|two|outage_start|2025-10-26 02:30:00.000001|||2",
        ]
    );
}

#[test]
fn checks_of_the_same_millisecond_each_have_a_row_in_the_originals_file() {
    let (v4, v6) = (
        host("both", "both.example", Some(IpVersion::V4)),
        host("both", "both.example", Some(IpVersion::V6)),
    );
    let folder = folder_with(&[
        check(&v4, TWO, &[1]),
        check(&v6, TWO, &[2]),
        check(&v6, TWO + 1, &[3]),
    ]);
    let (exported, fresh) = round_trip(&folder, "Europe/Berlin", &[]);
    let texts = rows(
        &exported.path().join("original.db"),
        "select substr(timestamp, 12), avg_latency from ping_results",
    );
    assert_eq!(
        texts,
        [
            "02:00:00|0.001",
            "02:00:00.000002|0.002",
            "02:00:00.001000|0.003"
        ]
    );
    assert_eq!(
        rows(
            &fresh.path().join(FILE),
            "select count(*) from check_result"
        ),
        ["3"]
    );
}

#[test]
fn an_existing_file_is_not_overwritten_by_a_database() {
    let folder = three();
    let mine = folder.write("mine.db", "mine");
    std::os::unix::fs::symlink("nowhere", folder.path().join("link.db")).expect("a link");
    for name in ["mine.db", "link.db"] {
        let refused = program(folder.path(), &["export", "--format=sqlite", "-o", name]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(
            refused
                .stderr
                .contains(&format!("{name} exists already\nhint: ")),
            "{}",
            refused.stderr
        );
    }
    assert_eq!(read(&mine), "mine");
    assert_eq!(files_in(folder.path()), ["link.db", "mine.db"]);
}

#[test]
fn an_exported_database_that_is_configured_is_migrated_with_every_value() {
    let folder = autumn();
    let (exported, _fresh) = round_trip(&folder, "Europe/Berlin", &[]);
    std::fs::rename(
        exported.path().join("original.db"),
        exported.path().join(FILE),
    )
    .expect("a name");
    let migrated = program_in(exported.path(), "Europe/Berlin", &["status"]);
    assert_eq!(migrated.code, Some(0), "{migrated:?}");
    assert_eq!(
        rows(&exported.path().join(FILE), CHECKS),
        rows(&folder.path().join(FILE), CHECKS)
    );
}

#[test]
fn the_export_ends_silently_when_its_reader_closes_the_pipe() {
    let folder = many();
    let line = format!("{} export | head -n 1", bin().display());
    let finished = run(Command::new("bash")
        .args(["-o", "pipefail", "-c", &line])
        .current_dir(folder.path()));
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    assert!(
        finished.stdout.starts_with("host_name,"),
        "{}",
        finished.stdout
    );
}
