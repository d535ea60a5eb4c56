//! The files for service managers. systemd-analyze verifies the units and rates their exposure, and
//! the program is started with their restrictions; the scripts of OpenRC and OpenWrt are run.

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
use confined::{Service, ServiceRoot, describe_directives, program};
use rusqlite::{Connection, OpenFlags};
use unit::Unit;

const MONITOR: &str = "ace-connection-logger.service";
const DASHBOARD: &str = "ace-connection-logger-dashboard.service";
const CLEANUP: &str = "ace-connection-logger-cleanup.service";
const TIMER: &str = "ace-connection-logger-cleanup.timer";
const SERVICES: [&str; 3] = [MONITOR, DASHBOARD, CLEANUP];

fn is_installed(test: &str, program: &str) -> bool {
    let is_installed = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !is_installed {
        skip(test, &format!("cannot run {program}"));
    }
    is_installed
}

#[test]
fn systemd_finds_nothing_wrong_in_the_units() {
    let test = "systemd_finds_nothing_wrong_in_the_units";
    if !is_installed(test, "systemd-analyze") {
        return;
    }
    // It requires the program to exist. The manual pages are not installed.
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
fn the_exposure_level_of_each_unit_is_at_most_1_8() {
    let test = "the_exposure_level_of_each_unit_is_at_most_1_8";
    if !is_installed(test, "systemd-analyze") {
        return;
    }
    for name in SERVICES {
        let mut command = Command::new("systemd-analyze");
        // The threshold is ten times the level. Reading whether the clock is synchronised costs the
        // monitor 0.3.
        command
            .args(["--no-pager", "security", "--offline=true", "--threshold=18"])
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
fn every_directive_of_the_units_is_applied_or_listed_with_a_reason() {
    for name in SERVICES {
        let lines = describe_directives(&Unit::read(name))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        println!("{name}:\n  {}", lines.join("\n  "));
    }
}

/// Runs `then` with a root for services, in a network namespace in which
/// `net.ipv4.ping_group_range` is empty, so that only CAP_NET_RAW allows to ping. Skips the test if
/// the machine cannot provide that.
fn with_service_root(test: &str, config: &str, then: impl FnOnce(&ServiceRoot) + Send) {
    if !is_installed(test, "systemd-analyze") || !is_installed(test, "cc") || !is_available(test) {
        return;
    }
    if common::sys::effective_user() != 0 || std::env::var_os(common::namespace::INSIDE).is_some() {
        return skip(test, "only root can start a program as another user");
    }
    // One test at a time: the one with a thousand threads would delay the others.
    static SERIAL: Mutex<()> = Mutex::new(());
    let _serial = SERIAL.lock().unwrap_or_else(PoisonError::into_inner);
    in_namespace(SocketKind::Raw, |_tun| {
        match ServiceRoot::create(&program(), config) {
            Ok(root) => then(&root),
            Err(reason) => skip(test, &reason),
        }
    });
}

/// Hosts that answer, one of them by name, and a gateway that does not.
const CONFIG: &str =
    "monitoring: {interval_seconds: 0.5, ping_count: 2, ping_spacing_ms: 40, timeout_seconds: 0.1}
database: {path: connection_logs.db, flush_seconds: 0.2}
hosts:
- {name: here, address: 127.0.0.1}
- {name: here by IPv6, address: '::1'}
- {name: here by name, address: here.localhost}
- {name: the gateway, address: gateway}
";

const PAGE_ADDRESS: &str = "127.0.0.1:8501";

fn get(path: &str) -> http::Answer {
    let address: SocketAddr = PAGE_ADDRESS.parse().expect("an address");
    let answer = http::get(address, path, "");
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer
}

/// One text from the database; `None` without such a row or without a database.
fn query(root: &ServiceRoot, sql: &str) -> Option<String> {
    let database =
        Connection::open_with_flags(root.database(), OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    database.query_row(sql, [], |row| row.get(0)).ok()
}

/// Checks in /proc that the process has the restrictions of its unit.
fn assert_is_confined(service: &Service, root: &ServiceRoot, capabilities: &str) {
    let user = root.uid();
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

/// The program of alerts.command: writes the alert, its privileges and what it can access into the
/// state folder.
const ALERT_SCRIPT: &str = "#!/bin/sh
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
    echo complete
} >\"alert-$ACE_KIND\"
";

#[test]
fn the_monitor_works_with_the_restrictions_of_its_unit() {
    let test = "the_monitor_works_with_the_restrictions_of_its_unit";
    let config = format!("{CONFIG}alerts: {{command: [/usr/local/bin/alert]}}\n");
    with_service_root(test, &config, |root| {
        ip("route add default via 10.9.0.2").expect("the network is ours");
        root.add_names("127.0.0.1 here.localhost\n");
        root.add_program("alert", ALERT_SCRIPT);
        let unit = Unit::read(MONITOR);
        let mut monitor = root.start(&unit, "ExecStart", None);
        assert_eq!(
            monitor.next_message(),
            "READY=1\nSTATUS=monitoring 4 hosts",
            "{}",
            monitor.log()
        );
        assert_eq!(
            (monitor.next_message(), monitor.next_message()),
            ("WATCHDOG=1".into(), "WATCHDOG=1".into())
        );
        assert_is_confined(&monitor, root, NET_RAW);

        // It pings with its only capability, resolves a name, and finds the gateway in /proc/self.
        for host in ["127.0.0.1", "::1", "here.localhost"] {
            monitor.wait_for("a check with replies", || {
                let sql = format!("select 'yes' from ping_results where host_address = '{host}' and success_rate = 100 limit 1");
                query(root, &sql).is_some()
            });
        }
        // It has never answered a ping, so that its silence proves nothing.
        monitor.wait_for("the gateway's outage and its cause", || {
            let sql = "select cause from outage_events where host_address = 'gateway'";
            query(root, sql).as_deref() == Some("unknown")
        });

        // The page needs the database and the time zone.
        for path in [
            "/",
            "/health",
            "/api/status",
            "/api/report",
            "/metrics",
            "/api/series?host_address=127.0.0.1",
        ] {
            get(path);
        }
        let status = get("/api/status").body;
        assert!(status.contains("here by name"), "{status}");

        // A program that it runs has its restrictions, and no CAP_NET_RAW.
        let alert = root.state().join("alert-down");
        monitor.wait_for("an alert", || {
            fs::read_to_string(&alert).is_ok_and(|text| text.ends_with("complete\n"))
        });
        let alert = fs::read_to_string(&alert).expect("it is there");
        let user = root.uid();
        let (json, found) = alert.split_once("Uid:").expect("two parts");
        assert!(json.contains("\"the gateway\""), "{alert}");
        let found: Vec<String> = format!("Uid:{found}")
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
        assert_eq!(found[..expected.len()], expected, "{alert}");
        let rest: Vec<&str> = found[expected.len()..].iter().map(String::as_str).collect();
        assert!(rest[0].starts_with("processes "), "{alert}");
        let unreadable = [
            "cannot read /home",
            "cannot read /root",
            "cannot read /proc/sys",
        ];
        assert_eq!(
            rest[1..],
            [&unreadable[..], &["can write /tmp", "complete"]].concat(),
            "{alert}"
        );

        // A changed configuration, reloaded with the unit's ExecReload=.
        root.configure(&format!(
            "{CONFIG}- {{name: another, address: 127.0.0.2}}\n"
        ));
        let mut reload = root.start(&unit, "ExecReload", Some(monitor.pid()));
        assert_eq!(reload.wait(), "exit status: 0", "{}", reload.log());
        let reloading = monitor.next_state_change();
        assert!(
            reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="),
            "{reloading}"
        );
        assert_eq!(
            monitor.next_state_change(),
            "READY=1\nSTATUS=monitoring 5 hosts",
            "{}",
            monitor.log()
        );
        monitor.wait_for("the new host", || {
            query(
                root,
                "select 'yes' from ping_results where host_address = '127.0.0.2'",
            )
            .is_some()
        });

        assert_eq!(monitor.stop(), "exit status: 0", "{}", monitor.log());
        assert_eq!(monitor.next_state_change(), "STOPPING=1");
        let log = monitor.log();
        assert!(!log.contains("[ERROR]"), "{log}");
        assert_database_is_private(root);
    });
}

/// Only the service's user can write the database, and only its group can read it.
fn assert_database_is_private(root: &ServiceRoot) {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(root.database()).expect("there is a database");
    assert_eq!(
        (metadata.uid(), metadata.gid(), metadata.mode() & 0o777),
        (root.uid(), root.uid(), 0o640)
    );
}

#[test]
fn the_dashboard_works_with_the_restrictions_of_its_unit_with_and_without_a_monitor() {
    let test = "the_dashboard_works_with_the_restrictions_of_its_unit_with_and_without_a_monitor";
    with_service_root(test, CONFIG, |root| {
        let (unit, page) = (Unit::read(MONITOR), Unit::read(DASHBOARD));
        // The drop-in that the dashboard's unit recommends.
        let start = unit
            .value("ExecStart")
            .replace("--strict", "--strict --no-dashboard");
        let mut monitor = root.start(&unit.with("ExecStart", &start), "ExecStart", None);
        assert!(
            monitor.next_message().starts_with("READY=1"),
            "{}",
            monitor.log()
        );
        monitor.wait_for("a check", || {
            query(root, "select 'yes' from check_result limit 1").is_some()
        });
        let mut dashboard = root.start(&page, "ExecStart", None);
        dashboard.wait_for("the page", || {
            std::net::TcpStream::connect(PAGE_ADDRESS).is_ok()
        });
        assert_is_confined(&dashboard, root, NONE);
        for path in [
            "/",
            "/health",
            "/api/report",
            "/metrics",
            "/api/series?host_address=127.0.0.1",
        ] {
            get(path);
        }
        let status = get("/api/ping-results/latest").body;
        assert!(status.contains("127.0.0.1"), "{status}");
        // A dashboard writes to the database that the page is open, for the monitor.
        dashboard.wait_for("the page is recorded as open", || {
            query(
                root,
                "select cast(looked_at as text) from watcher where looked_at > 0",
            )
            .is_some()
        });
        assert_eq!(monitor.stop(), "exit status: 0", "{}", monitor.log());
        get("/api/status");
        assert_eq!(dashboard.stop(), "exit status: 0", "{}", dashboard.log());

        // The last writer removes the index of SQLite's write-ahead log; a reader has to create it.
        let mut cleanup = root.start(&Unit::read(CLEANUP), "ExecStart", None);
        assert_eq!(cleanup.wait(), "exit status: 0", "{}", cleanup.log());
        assert!(!root.state().join("connection_logs.db-shm").exists());
        let mut dashboard = root.start(&page, "ExecStart", None);
        dashboard.wait_for("the page", || {
            std::net::TcpStream::connect(PAGE_ADDRESS).is_ok()
        });
        get("/api/status");
        assert_eq!(dashboard.stop(), "exit status: 0", "{}", dashboard.log());
        assert_database_is_private(root);
    });
}

#[test]
fn the_dashboard_exits_with_0_where_the_monitor_serves_the_page() {
    let test = "the_dashboard_exits_with_0_where_the_monitor_serves_the_page";
    with_service_root(test, CONFIG, |root| {
        let monitor = root.start(&Unit::read(MONITOR), "ExecStart", None);
        assert!(
            monitor.next_message().starts_with("READY=1"),
            "{}",
            monitor.log()
        );
        let mut dashboard = root.start(&Unit::read(DASHBOARD), "ExecStart", None);
        assert_eq!(dashboard.wait(), "exit status: 0", "{}", dashboard.log());
        assert!(
            dashboard.log().contains("this database is served already"),
            "{}",
            dashboard.log()
        );
    });
}

#[test]
fn a_clean_up_works_with_the_restrictions_of_its_unit_and_without_a_database() {
    let test = "a_clean_up_works_with_the_restrictions_of_its_unit_and_without_a_database";
    with_service_root(test, CONFIG, |root| {
        let unit = Unit::read(CLEANUP);
        let mut cleanup = root.start(&unit, "ExecStart", None);
        assert_eq!(cleanup.wait(), "exit status: 0", "{}", cleanup.log());
        assert!(
            cleanup
                .log()
                .contains("0 checks older than 90 days deleted"),
            "{}",
            cleanup.log()
        );

        let mut monitor = root.start(&Unit::read(MONITOR), "ExecStart", None);
        assert!(
            monitor.next_message().starts_with("READY=1"),
            "{}",
            monitor.log()
        );
        monitor.wait_for("a check", || {
            query(root, "select 'yes' from check_result limit 1").is_some()
        });
        const OLD: &str =
            "insert into ping_results(host_name, host_address, timestamp, success_count, failure_count, success_rate)
            values('here', '127.0.0.1', datetime('now', '-100 days'), 0, 5, 0)";
        let database = Connection::open(root.database()).expect("it is there");
        database
            .busy_timeout(std::time::Duration::from_secs(5))
            .expect("a time-out");
        database.execute_batch(OLD).expect("the view accepts rows");
        drop(database);
        let mut cleanup = root.start(&unit, "ExecStart", None);
        assert_eq!(cleanup.wait(), "exit status: 0", "{}", cleanup.log());
        // Either the monitor or the clean-up has deleted it.
        let old = "select 'yes' from ping_results where timestamp < datetime('now', '-90 days')";
        assert_eq!(query(root, old), None, "{}", cleanup.log());
        assert_eq!(monitor.stop(), "exit status: 0", "{}", monitor.log());
    });
}

#[test]
fn a_thousand_hosts_by_name_fit_into_the_limits_of_the_unit() {
    let test = "a_thousand_hosts_by_name_fit_into_the_limits_of_the_unit";
    const HOSTS: usize = 1000;
    let address = |index: usize| format!("127.1.{}.{}", index / 250, index % 250 + 1);
    let names: String = (0..HOSTS)
        .map(|index| format!("{} h{index}.localhost\n", address(index)))
        .collect();
    let hosts: String = (0..HOSTS)
        .map(|index| format!("- {{address: h{index}.localhost}}\n"))
        .collect();
    let config = format!(
        "monitoring: {{interval_seconds: 5, ping_count: 1}}\ndatabase: {{path: connection_logs.db, flush_seconds: 1}}\nhosts:\n{hosts}"
    );
    with_service_root(test, &config, |root| {
        root.add_names(&names);
        let unit = Unit::read(MONITOR);
        let mut monitor = root.start(&unit, "ExecStart", None);
        assert_eq!(
            monitor.next_message(),
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
            query(root, answered) == Some(HOSTS.to_string())
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

        // With lower limits it reports which one is too low and does not start.
        let mut monitor = root.start(&unit.clone().with("LimitNOFILE", "2000"), "ExecStart", None);
        assert_eq!(monitor.wait(), "exit status: 78", "{}", monitor.log());
        assert!(monitor.log().contains("LimitNOFILE="), "{}", monitor.log());
        let mut monitor = root.start(&unit.with("TasksMax", "500"), "ExecStart", None);
        assert_eq!(monitor.wait(), "exit status: 78", "{}", monitor.log());
        assert!(monitor.log().contains("TasksMax="), "{}", monitor.log());
    });
}

#[test]
fn errors_that_a_restart_cannot_change_exit_with_a_status_that_prevents_it() {
    let test = "errors_that_a_restart_cannot_change_exit_with_a_status_that_prevents_it";
    with_service_root(test, CONFIG, |root| {
        let unit = Unit::read(MONITOR);
        let prevented = unit.words("RestartPreventExitStatus");
        let assert_exits_with = |service: &mut Service, status: &str| {
            assert_eq!(
                service.wait(),
                format!("exit status: {status}"),
                "{}",
                service.log()
            );
            assert!(prevented.contains(&status), "{status}");
        };
        // Without its capability it cannot ping, which also shows that this test restricts it.
        assert_exits_with(
            &mut root.start(
                &unit.clone().with("AmbientCapabilities", ""),
                "ExecStart",
                None,
            ),
            "77",
        );
        let listener = std::net::TcpListener::bind(PAGE_ADDRESS).expect("the port is free");
        assert_exits_with(&mut root.start(&unit, "ExecStart", None), "69");
        drop(listener);
        root.configure("monitoring: {interval_seconds: never}\n");
        assert_exits_with(&mut root.start(&unit, "ExecStart", None), "78");
        let start = unit.value("ExecStart").replace("--strict", "--strictly");
        assert_exits_with(
            &mut root.start(&unit.clone().with("ExecStart", &start), "ExecStart", None),
            "2",
        );
    });
}
