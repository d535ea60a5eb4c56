//! The files with which service managers run the program: systemd's units are verified, their
//! exposure is reckoned, and the program is started as they say; the scripts of OpenRC and OpenWrt
//! are read by their shells.

#[path = "../common/mod.rs"]
mod common;
mod confined;
mod filter;
mod scripts;
mod unit;

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use common::namespace::{SocketKind, in_namespace, ip, is_available};
use common::{TempDir, bin, http, run, skip};
use confined::{House, Service, account, program};
use rusqlite::{Connection, OpenFlags};
use unit::Unit;

const MONITOR: &str = "ace-connection-logger.service";
const DASHBOARD: &str = "ace-connection-logger-dashboard.service";
const CLEANUP: &str = "ace-connection-logger-cleanup.service";
const TIMER: &str = "ace-connection-logger-cleanup.timer";
const SERVICES: [&str; 3] = [MONITOR, DASHBOARD, CLEANUP];

fn is_here(test: &str, program: &str) -> bool {
    let is_here = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !is_here {
        skip(test, &format!("cannot run {program}"));
    }
    is_here
}

#[test]
fn systemd_finds_nothing_wrong_in_the_units() {
    let test = "systemd_finds_nothing_wrong_in_the_units";
    if !is_here(test, "systemd-analyze") {
        return;
    }
    // It wants the program to exist, and nothing is installed here. The manual pages are not here
    // either.
    let folder = TempDir::new();
    for name in SERVICES.iter().chain(&[TIMER]) {
        let text = fs::read_to_string(unit::folder().join(name)).expect("a unit");
        let program = "/usr/bin/ace-connection-logger";
        assert!(name.ends_with(".timer") || text.contains(&format!("ExecStart={program} ")));
        folder.write(name, &text.replace(program, &bin().display().to_string()));
    }
    let paths = SERVICES
        .iter()
        .chain(&[TIMER])
        .map(|name| folder.path().join(name));
    let finished = run(Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .args(paths));
    assert_eq!(
        (
            finished.code,
            finished.stdout.as_str(),
            finished.stderr.as_str()
        ),
        (Some(0), "", "")
    );
}

#[test]
fn each_unit_is_exposed_by_1_5_at_most() {
    let test = "each_unit_is_exposed_by_1_5_at_most";
    if !is_here(test, "systemd-analyze") {
        return;
    }
    for name in SERVICES {
        let mut command = Command::new("systemd-analyze");
        // The threshold is in tenths.
        command
            .args(["--no-pager", "security", "--offline=true", "--threshold=15"])
            .arg(unit::folder().join(name));
        let finished = run(&mut command);
        let figure = finished
            .stdout
            .lines()
            .find(|line| line.contains("Overall exposure level"));
        assert_eq!(
            finished.code,
            Some(0),
            "{}{}",
            finished.stdout,
            finished.stderr
        );
        println!("{}", figure.expect("a figure"));
    }
}

#[test]
fn every_directive_of_the_units_is_tried_or_it_is_said_why_not() {
    for name in SERVICES {
        let lines = account(&Unit::read(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        println!("{name}:\n  {}", lines.join("\n  "));
    }
}

/// Runs something in a network of its own, and in it a root for services, where all of that can be
/// had. Otherwise the reason is said. `net.ipv4.ping_group_range` is closed there: what may ping
/// may do so by its capability.
fn confine(test: &str, config: &str, then: impl FnOnce(&House) + Send) {
    if !is_here(test, "systemd-analyze") || !is_here(test, "cc") || !is_available(test) {
        return;
    }
    if common::sys::effective_user() != 0 || std::env::var_os(common::namespace::INSIDE).is_some() {
        return skip(test, "only root can start a program as another user");
    }
    // One after the other: a thousand threads beside them would change what the others wait for.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    in_namespace(SocketKind::Raw, |_tun| {
        match House::build(&program(), config) {
            Ok(house) => then(&house),
            Err(reason) => skip(test, &reason),
        }
    });
}

/// Checks of what answers here, of a name, and of the gateway, which is silent.
const CONFIG: &str =
    "monitoring: {interval_seconds: 0.5, ping_count: 2, ping_spacing_ms: 40, timeout_seconds: 0.1}
database: {path: connection_logs.db, flush_seconds: 0.2}
hosts:
- {name: here, address: 127.0.0.1}
- {name: here by IPv6, address: '::1'}
- {name: here by name, address: here.example}
- {name: the gateway, address: gateway}
";

const PAGE: &str = "127.0.0.1:8501";

fn ask(path: &str) -> http::Answer {
    let address: SocketAddr = PAGE.parse().expect("an address");
    let answer = http::get(address, path, "");
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer
}

/// One text of the database; none where there is no such row, or no database yet.
fn text(house: &House, sql: &str) -> Option<String> {
    let database =
        Connection::open_with_flags(house.database(), OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    database.query_row(sql, [], |row| row.get(0)).ok()
}

/// What the kernel says of a process that its unit confines.
fn assert_is_confined(service: &Service, house: &House, capabilities: &str) {
    let user = house.uid();
    for name in ["Uid", "Gid"] {
        assert_eq!(service.status(name), format!("{user} {user} {user} {user}"));
    }
    assert_eq!(service.status("Groups"), "");
    for name in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(service.status(name), capabilities, "{name}");
    }
    assert_eq!(service.status("NoNewPrivs"), "1");
    assert_eq!(service.status("Seccomp"), "2", "a filter");
    let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", service.pid())).expect("it runs");
    let writable: Vec<&str> = mounts
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .filter(|columns| !columns[5].split(',').any(|option| option == "ro"))
        .map(|columns| columns[4])
        .collect();
    let is_known = |path: &&str| {
        [
            "/var/lib/ace-connection-logger",
            "/tmp",
            "/var/tmp",
            "/proc",
        ]
        .contains(path)
    };
    let is_device = |path: &&str| path.starts_with("/dev/");
    let others: Vec<_> = writable
        .iter()
        .filter(|path| !is_known(path) && !is_device(path))
        .collect();
    assert_eq!(others, [&""; 0], "{mounts}");
    assert!(
        writable.contains(&"/var/lib/ace-connection-logger"),
        "{mounts}"
    );
}

const NET_RAW: &str = "0000000000002000";
const NONE: &str = "0000000000000000";

/// The program of alerts.command: it leaves in the service's folder what it was told, who it is,
/// and what it can write.
const TELL: &str = "#!/bin/sh
cd /var/lib/ace-connection-logger || exit 1
{
    cat
    grep -E '^(Uid|Groups|CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status
    ls /proc | grep -c '^[0-9]' | sed 's/^/processes /'
    for folder in / /usr /etc /home /root /run /dev /sys /proc/sys /var/lib; do
        ( : >\"$folder/probe\" ) 2>/dev/null && echo \"can write $folder\"
        ls \"$folder\" >/dev/null 2>&1 || echo \"cannot read $folder\"
    done
    ( : >/tmp/probe ) && echo \"can write /tmp\"
    echo told
} >\"told-$ACE_KIND\"
";

#[test]
fn the_monitor_does_all_its_work_as_its_unit_confines_it() {
    let test = "the_monitor_does_all_its_work_as_its_unit_confines_it";
    let config = format!("{CONFIG}alerts: {{command: [/usr/local/bin/tell]}}\n");
    confine(test, &config, |house| {
        ip("route add default via 10.9.0.2").expect("the network is ours");
        house.add_names("127.0.0.1 here.example\n");
        house.add_program("tell", TELL);
        let unit = Unit::read(MONITOR);
        let mut monitor = house.start(&unit, "ExecStart", None);
        assert_eq!(
            monitor.hear(),
            "READY=1\nSTATUS=monitoring 4 hosts",
            "{}",
            monitor.log()
        );
        assert_eq!(
            (monitor.hear(), monitor.hear()),
            ("WATCHDOG=1".into(), "WATCHDOG=1".into())
        );
        assert_is_confined(&monitor, house, NET_RAW);

        // It pings by the one right that it has, looks a name up, and finds the gateway in its own
        // /proc.
        for host in ["127.0.0.1", "::1", "here.example"] {
            monitor.wait_for("a check that is answered", || {
                let sql = format!("select 'yes' from ping_results where host_address = '{host}' and success_rate = 100 limit 1");
                text(house, &sql).is_some()
            });
        }
        monitor.wait_for("the gateway's outage and its cause", || {
            let sql = "select cause from outage_events where host_address = 'gateway'";
            text(house, sql).as_deref() == Some("gateway")
        });

        // The page, from the files of the program, the database and the clock's zone.
        for path in [
            "/",
            "/health",
            "/api/status",
            "/api/report",
            "/metrics",
            "/api/series?host_address=127.0.0.1",
        ] {
            ask(path);
        }
        let status = ask("/api/status").body;
        assert!(status.contains("here by name"), "{status}");

        // A program that it runs: it has what the monitor has, less the right to ping.
        let told = house.state().join("told-down");
        monitor.wait_for("a notice", || {
            fs::read_to_string(&told).is_ok_and(|text| text.ends_with("told\n"))
        });
        let told = fs::read_to_string(&told).expect("it is there");
        let user = house.uid();
        let (json, seen) = told.split_once("Uid:").expect("two parts");
        assert!(json.contains("\"the gateway\""), "{told}");
        let seen: Vec<String> = format!("Uid:{seen}")
            .lines()
            .map(|line| line.replace('\t', " "))
            .collect();
        let expected = [
            format!("Uid: {user} {user} {user} {user}"),
            "Groups:  ".into(),
            format!("CapInh: {NET_RAW}"),
            format!("CapPrm: {NONE}"),
            format!("CapEff: {NONE}"),
            format!("CapBnd: {NET_RAW}"),
            format!("CapAmb: {NONE}"),
            "NoNewPrivs: 1".into(),
            "Seccomp: 2".into(),
        ];
        assert_eq!(seen[..expected.len()], expected, "{told}");
        let rest: Vec<&str> = seen[expected.len()..].iter().map(String::as_str).collect();
        assert!(rest[0].starts_with("processes "), "{told}");
        let unreadable = [
            "cannot read /home",
            "cannot read /root",
            "cannot read /proc/sys",
        ];
        assert_eq!(
            rest[1..],
            [&unreadable[..], &["can write /tmp", "told"]].concat(),
            "{told}"
        );

        // A changed configuration, by the unit's own command.
        house.configure(&format!(
            "{CONFIG}- {{name: another, address: 127.0.0.2}}\n"
        ));
        let mut reload = house.start(&unit, "ExecReload", Some(monitor.pid()));
        assert_eq!(reload.end(), "exit status: 0", "{}", reload.log());
        let reloading = monitor.hear_news();
        assert!(
            reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="),
            "{reloading}"
        );
        assert_eq!(
            monitor.hear_news(),
            "READY=1\nSTATUS=monitoring 5 hosts",
            "{}",
            monitor.log()
        );
        monitor.wait_for("the new host", || {
            text(
                house,
                "select 'yes' from ping_results where host_address = '127.0.0.2'",
            )
            .is_some()
        });

        assert_eq!(monitor.stop(), "exit status: 0", "{}", monitor.log());
        assert_eq!(monitor.hear_news(), "STOPPING=1");
        let log = monitor.log();
        assert!(!log.contains("[ERROR]"), "{log}");
        assert_belongs_to_the_group(house);
    });
}

/// The database is for the service's user to write, for the group to read, and for nobody else.
fn assert_belongs_to_the_group(house: &House) {
    use std::os::unix::fs::MetadataExt;
    let about = fs::metadata(house.database()).expect("there is a database");
    assert_eq!(
        (about.uid(), about.gid(), about.mode() & 0o777),
        (house.uid(), house.uid(), 0o640)
    );
}

#[test]
fn the_page_alone_works_as_its_unit_confines_it_beside_a_monitor_and_without_one() {
    let test = "the_page_alone_works_as_its_unit_confines_it_beside_a_monitor_and_without_one";
    confine(test, CONFIG, |house| {
        let (unit, page) = (Unit::read(MONITOR), Unit::read(DASHBOARD));
        // As the comment in the page's unit says.
        let start = unit
            .value("ExecStart")
            .replace("--strict", "--strict --no-dashboard");
        let mut monitor = house.start(&unit.with("ExecStart", &start), "ExecStart", None);
        assert!(monitor.hear().starts_with("READY=1"), "{}", monitor.log());
        monitor.wait_for("a check", || {
            text(house, "select 'yes' from check_result limit 1").is_some()
        });
        let mut dashboard = house.start(&page, "ExecStart", None);
        dashboard.wait_for("the page", || std::net::TcpStream::connect(PAGE).is_ok());
        assert_is_confined(&dashboard, house, NONE);
        for path in [
            "/",
            "/health",
            "/api/report",
            "/metrics",
            "/api/series?host_address=127.0.0.1",
        ] {
            ask(path);
        }
        let status = ask("/api/ping-results/latest").body;
        assert!(status.contains("127.0.0.1"), "{status}");
        // The monitor hears of it by the database, which whoever shows the page must be able to
        // write.
        dashboard.wait_for("word that somebody watches", || {
            text(
                house,
                "select cast(looked_at as text) from watcher where looked_at > 0",
            )
            .is_some()
        });
        assert_eq!(monitor.stop(), "exit status: 0", "{}", monitor.log());
        ask("/api/status");
        assert_eq!(dashboard.stop(), "exit status: 0", "{}", dashboard.log());

        // The index of SQLite's log goes with the last who writes: who only reads must make it
        // anew.
        let mut cleanup = house.start(&Unit::read(CLEANUP), "ExecStart", None);
        assert_eq!(cleanup.end(), "exit status: 0", "{}", cleanup.log());
        assert!(!house.state().join("connection_logs.db-shm").exists());
        let mut dashboard = house.start(&page, "ExecStart", None);
        dashboard.wait_for("the page", || std::net::TcpStream::connect(PAGE).is_ok());
        ask("/api/status");
        assert_eq!(dashboard.stop(), "exit status: 0", "{}", dashboard.log());
        assert_belongs_to_the_group(house);
    });
}

#[test]
fn the_page_alone_ends_well_where_the_monitor_serves_it() {
    let test = "the_page_alone_ends_well_where_the_monitor_serves_it";
    confine(test, CONFIG, |house| {
        let monitor = house.start(&Unit::read(MONITOR), "ExecStart", None);
        assert!(monitor.hear().starts_with("READY=1"), "{}", monitor.log());
        let mut dashboard = house.start(&Unit::read(DASHBOARD), "ExecStart", None);
        assert_eq!(dashboard.end(), "exit status: 0", "{}", dashboard.log());
        assert!(
            dashboard.log().contains("this database is served already"),
            "{}",
            dashboard.log()
        );
    });
}

#[test]
fn a_clean_up_works_as_its_unit_confines_it_beside_a_monitor_and_before_there_is_a_database() {
    let test =
        "a_clean_up_works_as_its_unit_confines_it_beside_a_monitor_and_before_there_is_a_database";
    confine(test, CONFIG, |house| {
        let unit = Unit::read(CLEANUP);
        let mut cleanup = house.start(&unit, "ExecStart", None);
        assert_eq!(cleanup.end(), "exit status: 0", "{}", cleanup.log());
        assert!(
            cleanup
                .log()
                .contains("0 checks older than 90 days deleted"),
            "{}",
            cleanup.log()
        );

        let mut monitor = house.start(&Unit::read(MONITOR), "ExecStart", None);
        assert!(monitor.hear().starts_with("READY=1"), "{}", monitor.log());
        monitor.wait_for("a check", || {
            text(house, "select 'yes' from check_result limit 1").is_some()
        });
        const OLD: &str =
            "insert into ping_results(host_name, host_address, timestamp, success_count, failure_count, success_rate)
            values('here', '127.0.0.1', datetime('now', '-100 days'), 0, 5, 0)";
        let database = Connection::open(house.database()).expect("it is there");
        database
            .busy_timeout(std::time::Duration::from_secs(5))
            .expect("a time-out");
        database.execute_batch(OLD).expect("the view takes rows");
        drop(database);
        let mut cleanup = house.start(&unit, "ExecStart", None);
        assert_eq!(cleanup.end(), "exit status: 0", "{}", cleanup.log());
        // The monitor does so itself, whoever comes first; between the two there is nothing left.
        let old = "select 'yes' from ping_results where timestamp < datetime('now', '-90 days')";
        assert_eq!(text(house, old), None, "{}", cleanup.log());
        assert_eq!(monitor.stop(), "exit status: 0", "{}", monitor.log());
    });
}

#[test]
fn a_thousand_hosts_by_name_fit_the_limits_of_the_unit() {
    let test = "a_thousand_hosts_by_name_fit_the_limits_of_the_unit";
    const HOSTS: usize = 1000;
    let address = |index: usize| format!("127.1.{}.{}", index / 250, index % 250 + 1);
    let names: String = (0..HOSTS)
        .map(|index| format!("{} h{index}.example\n", address(index)))
        .collect();
    let hosts: String = (0..HOSTS)
        .map(|index| format!("- {{address: h{index}.example}}\n"))
        .collect();
    let config = format!(
        "monitoring: {{interval_seconds: 5, ping_count: 1}}\ndatabase: {{path: connection_logs.db, flush_seconds: 1}}\nhosts:\n{hosts}"
    );
    confine(test, &config, |house| {
        house.add_names(&names);
        let unit = Unit::read(MONITOR);
        let mut monitor = house.start(&unit, "ExecStart", None);
        assert_eq!(
            monitor.hear(),
            format!("READY=1\nSTATUS=monitoring {HOSTS} hosts"),
            "{}",
            monitor.log()
        );
        let pid = monitor.pid();
        let (mut tasks, mut files) = (0, 0);
        let count = |folder: &str| {
            fs::read_dir(format!("/proc/{pid}/{folder}")).map_or(0, Iterator::count) as u64
        };
        monitor.wait_for("a check of each", || {
            tasks = tasks.max(count("task"));
            files = files.max(count("fd"));
            let answered =
                "select cast(count(distinct host_id) as text) from check_result where received > 0";
            text(house, answered) == Some(HOSTS.to_string())
        });
        println!(
            "{HOSTS} hosts: {tasks} tasks, {files} files, {}",
            monitor.status("VmRSS")
        );
        assert!(
            (HOSTS as u64..unit.number("TasksMax")).contains(&tasks),
            "{tasks}"
        );
        assert!(
            (HOSTS as u64..unit.number("LimitNOFILE")).contains(&files),
            "{files}"
        );
        assert_eq!(monitor.stop(), "exit status: 0", "{}", monitor.log());

        // What is asked for beforehand is what is needed: with less it says so and does not begin.
        let mut monitor = house.start(&unit.clone().with("LimitNOFILE", "2000"), "ExecStart", None);
        assert_eq!(monitor.end(), "exit status: 78", "{}", monitor.log());
        assert!(monitor.log().contains("LimitNOFILE="), "{}", monitor.log());
        let mut monitor = house.start(&unit.with("TasksMax", "500"), "ExecStart", None);
        assert_eq!(monitor.end(), "exit status: 78", "{}", monitor.log());
        assert!(monitor.log().contains("TasksMax="), "{}", monitor.log());
    });
}

#[test]
fn what_no_restart_can_change_ends_with_a_status_that_prevents_it() {
    let test = "what_no_restart_can_change_ends_with_a_status_that_prevents_it";
    confine(test, CONFIG, |house| {
        let unit = Unit::read(MONITOR);
        let prevented = unit.words("RestartPreventExitStatus");
        let ends_with = |service: &mut Service, status: &str| {
            assert_eq!(
                service.end(),
                format!("exit status: {status}"),
                "{}",
                service.log()
            );
            assert!(prevented.contains(&status), "{status}");
        };
        // Without its capability there is no way to ping: the restrictions of this test are real.
        ends_with(
            &mut house.start(
                &unit.clone().with("AmbientCapabilities", ""),
                "ExecStart",
                None,
            ),
            "77",
        );
        let taken = std::net::TcpListener::bind(PAGE).expect("nobody has it");
        ends_with(&mut house.start(&unit, "ExecStart", None), "69");
        drop(taken);
        house.configure("monitoring: {interval_seconds: never}\n");
        ends_with(&mut house.start(&unit, "ExecStart", None), "78");
        let start = unit.value("ExecStart").replace("--strict", "--strictly");
        ends_with(
            &mut house.start(&unit.clone().with("ExecStart", &start), "ExecStart", None),
            "2",
        );
    });
}
