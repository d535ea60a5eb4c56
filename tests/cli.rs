//! The commands as a person or a script uses them: what they print, where, and the exit code.

mod common;

use std::path::Path;
use std::process::Command;

use common::namespace::{SOCKET_KINDS, SocketKind, in_namespace, is_available, sysctl};
use common::{Finished, TempDir, bin, run, skip};
use serde_json::Value;

/// Runs the program in a folder.
fn program(folder: &Path, arguments: &[&str]) -> Finished {
    run(Command::new(bin())
        .args(arguments)
        .current_dir(folder)
        .env_remove("NO_COLOR"))
}

fn json(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:?}"))
}

/// Hosts that answer at once, in any network.
const LOOPBACK: &str = "monitoring: {ping_count: 3, ping_spacing_ms: 10, timeout_seconds: 1}
hosts:
- name: one
  address: 127.0.0.1
- name: six
  address: ::1
";

#[test]
fn help_goes_to_standard_output_and_names_every_command() {
    let folder = TempDir::new();
    for arguments in [&["--help"][..], &["-h"], &["help"]] {
        let finished = program(folder.path(), arguments);
        assert_eq!(
            (finished.code, finished.stderr.as_str()),
            (Some(0), ""),
            "{arguments:?}"
        );
        for command in [
            "init-config",
            "check-config",
            "monitor",
            "check",
            "status",
            "cleanup",
            "cleanup-continuous",
            "outages",
            "export",
            "import",
            "backup",
            "doctor",
        ] {
            assert!(
                finished.stdout.contains(command),
                "{command}: {}",
                finished.stdout
            );
        }
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let folder = TempDir::new();
    let expected = format!("ace-connection-logger {}\n", env!("CARGO_PKG_VERSION"));
    for arguments in [&["--version"][..], &["-V"], &["status", "--version"]] {
        assert_eq!(
            program(folder.path(), arguments).stdout,
            expected,
            "{arguments:?}"
        );
    }
}

#[test]
fn a_wrong_command_line_is_a_usage_error_on_standard_error() {
    let folder = TempDir::new();
    for (arguments, help, said) in [
        (
            &["frobnicate"][..],
            "--help",
            "there is no command frobnicate\n",
        ),
        (
            &["chek"],
            "--help",
            "there is no command chek; did you mean check?\n",
        ),
        (
            &["event"],
            "--help",
            "there is no command event; did you mean events?\n",
        ),
        (&[], "--help", "subcommands"),
        (
            &["status", "--frobnicate"],
            "status --help",
            "there is no option --frobnicate\n",
        ),
        (
            &["events", "--jsn"],
            "events --help",
            "there is no option --jsn; did you mean --json?\n",
        ),
        (
            &["status", "more"],
            "status --help",
            "one argument too many: more\n",
        ),
        (&["import"], "import --help", "file"),
        (
            &["cleanup-continuous", "--interval=never"],
            "cleanup-continuous --help",
            "--interval",
        ),
        (
            &["outages", "--days", "0"],
            "outages --help",
            "0 is not a number of days from more than 0 to 100000",
        ),
        (
            &["check", "-q", "fe80::1"],
            "check --help",
            "host \"fe80::1\" is known only on its link: write the interface too, fe80::1%eth0",
        ),
        (
            &["check", "-q", "8.8.8.8/32"],
            "check --help",
            "prefix, 8.8.8.8\n",
        ),
    ] {
        let finished = program(folder.path(), arguments);
        assert_eq!(
            (finished.code, finished.stdout.as_str()),
            (Some(2), ""),
            "{arguments:?}"
        );
        assert!(
            finished.stderr.starts_with("ace-connection-logger: "),
            "{}",
            finished.stderr
        );
        assert!(
            finished
                .stderr
                .ends_with(&format!("\nhint: ace-connection-logger {help}\n"))
                && finished.stderr.contains(said),
            "{}",
            finished.stderr
        );
    }
}

#[test]
fn an_argument_that_is_not_utf8_is_named() {
    use std::os::unix::ffi::OsStrExt;
    let finished = run(Command::new(bin()).arg(std::ffi::OsStr::from_bytes(b"st\xffatus")));
    assert_eq!(finished.code, Some(2));
    assert!(
        finished.stderr.contains(r"st\xFFatus"),
        "{}",
        finished.stderr
    );
}

#[test]
fn init_config_writes_a_file_without_problems_and_keeps_an_existing_one() {
    let folder = TempDir::new();
    assert_eq!(program(folder.path(), &["init-config"]).code, Some(0));
    let written =
        std::fs::read_to_string(folder.path().join("config.yaml")).expect("it was written");
    assert_eq!(written, include_str!("../config.yaml"));
    let checked = program(folder.path(), &["check-config"]);
    assert_eq!(
        (checked.code, checked.stdout.as_str()),
        (Some(0), "config.yaml: no problems, 3 hosts\n")
    );

    let mine = folder.write("config.yaml", "hosts: []\n");
    let refused = program(folder.path(), &["init-config"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("config.yaml: the file exists"),
        "{}",
        refused.stderr
    );
    assert_eq!(
        std::fs::read_to_string(&mine).expect("still there"),
        "hosts: []\n"
    );
    assert_eq!(
        program(folder.path(), &["init-config", "--force"]).code,
        Some(0)
    );
    assert_eq!(
        std::fs::read_to_string(&mine).expect("still there"),
        written
    );
}

#[test]
fn a_single_host_problem_day_or_check_is_written_in_the_singular() {
    let folder = TempDir::new();
    let one_host = "hosts: [{name: here, address: 127.0.0.1}]\n";
    folder.write("config.yaml", one_host);
    let output = |arguments: &[&str]| program(folder.path(), arguments).stdout;
    assert_eq!(
        output(&["check-config"]),
        "config.yaml: no problems, 1 host\n"
    );
    let doctor = output(&["doctor"]);
    assert!(
        doctor.contains("config.yaml: no problems, 1 host\n"),
        "{doctor}"
    );
    assert!(
        doctor.contains("the limit is enough for 1 host\n"),
        "{doctor}"
    );

    folder.write("config.yaml", &format!("{one_host}dashbord: {{}}\n"));
    let problem = output(&["check-config"]);
    assert!(problem.ends_with("\nconfig.yaml: 1 problem\n"), "{problem}");
    let doctor = output(&["doctor"]);
    assert!(doctor.contains("config.yaml: 1 problem\n"), "{doctor}");
    let refused = program(folder.path(), &["monitor", "--strict"]);
    assert!(
        refused
            .stderr
            .contains("config.yaml: 1 problem, and --strict allows none"),
        "{}",
        refused.stderr
    );

    folder.write(
        "config.yaml",
        "database: {path: my.db, retention_days: 1}\n",
    );
    new_database(folder.path());
    assert_eq!(output(&["cleanup"]), "0 checks older than 1 day deleted\n");
}

#[test]
fn init_config_names_the_path_that_it_cannot_write() {
    let folder = TempDir::new();
    let finished = program(folder.path(), &["init-config", "-c", "no/such/folder.yaml"]);
    assert_eq!(finished.code, Some(74));
    assert!(
        finished
            .stderr
            .contains("writing to no/such/folder.yaml: No such file"),
        "{}",
        finished.stderr
    );
}

#[test]
fn check_config_prints_every_problem_with_its_line_to_standard_output() {
    let folder = TempDir::new();
    folder.write(
        "config.yaml",
        "monitoring:\n  interval_seconds: soon\n  ping_cuont: 3\nhosts:\n  - name: x\n    address: 8.8.8\n",
    );
    let finished = program(folder.path(), &["check-config"]);
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(1), ""));
    for part in [
        "config.yaml:2: monitoring.interval_seconds: ",
        "config.yaml:3: ",
        "ping_count",
        "config.yaml:6: hosts[0].address: ",
        "\nconfig.yaml: 3 problems\n",
    ] {
        assert!(
            finished.stdout.contains(part),
            "{part} is not in {}",
            finished.stdout
        );
    }
}

#[test]
fn a_missing_configuration_file_given_by_the_user_is_an_error_with_a_cure() {
    let folder = TempDir::new();
    for command in ["check-config", "status", "check", "monitor", "cleanup"] {
        let finished = program(folder.path(), &[command, "-c", "nowhere.yaml"]);
        assert_eq!(finished.code, Some(78), "{command}");
        assert!(
            finished
                .stderr
                .contains("nowhere.yaml: there is no such file"),
            "{}",
            finished.stderr
        );
        assert!(
            finished.stderr.contains("init-config -c nowhere.yaml"),
            "{}",
            finished.stderr
        );
    }
}

#[test]
fn a_configuration_that_cannot_be_read_is_an_error() {
    let folder = TempDir::new();
    std::fs::create_dir(folder.path().join("config.yaml")).expect("a new folder");
    for command in ["check-config", "status", "monitor"] {
        let finished = program(folder.path(), &[command]);
        assert_eq!(finished.code, Some(78), "{command}: {finished:?}");
        assert!(
            finished.stderr.contains("config.yaml"),
            "{}",
            finished.stderr
        );
    }
}

#[test]
fn a_dangling_link_as_configuration_is_an_error_and_not_a_reason_for_defaults() {
    let folder = TempDir::new();
    std::os::unix::fs::symlink("nowhere", folder.path().join("config.yaml")).expect("a link");
    for command in ["check-config", "status", "check"] {
        let finished = program(folder.path(), &[command]);
        assert_eq!(finished.code, Some(78), "{command}: {finished:?}");
        assert!(
            finished.stderr.contains("config.yaml"),
            "{}",
            finished.stderr
        );
    }
}

#[test]
fn problems_are_logged_and_with_strict_they_are_fatal() {
    let folder = TempDir::new();
    folder.write("config.yaml", "monitoring: {ping_count: many}\n");
    let tolerated = program(folder.path(), &["status"]);
    assert_eq!(tolerated.code, Some(1), "nothing is recorded");
    assert!(
        tolerated
            .stderr
            .contains("[WARN] config.yaml:1: monitoring.ping_count: "),
        "{}",
        tolerated.stderr
    );
    let strict = program(folder.path(), &["status", "--strict"]);
    assert_eq!((strict.code, strict.stdout.as_str()), (Some(78), ""));
    assert!(
        strict.stderr.contains("check-config -c config.yaml"),
        "{}",
        strict.stderr
    );
}

#[test]
fn without_a_file_the_defaults_are_used_and_one_line_says_so() {
    let folder = TempDir::new();
    let finished = program(folder.path(), &["status"]);
    assert_eq!(finished.code, Some(1));
    assert_eq!(finished.stderr.lines().count(), 3, "{}", finished.stderr);
    assert!(
        finished.stderr.contains("built-in defaults"),
        "{}",
        finished.stderr
    );
    assert!(
        finished.stderr.contains(
            "nothing recorded yet in connection_logs.db\nhint: start recording with: ace-connection-logger monitor"
        ),
        "{}",
        finished.stderr
    );
    assert!(
        !folder.path().join("connection_logs.db").exists(),
        "a question makes no database"
    );
    let quiet = program(folder.path(), &["status", "-q"]);
    assert_eq!(quiet.stderr.lines().count(), 2, "{}", quiet.stderr);
}

#[test]
fn check_prints_an_aligned_line_for_each_host_and_records_the_results() {
    let test = "check_prints_an_aligned_line_for_each_host_and_records_the_results";
    if !is_available(test) {
        return;
    }
    for kind in SOCKET_KINDS {
        let folder = TempDir::new();
        folder.write("config.yaml", LOOPBACK);
        in_namespace(kind, |_tun| {
            let finished = program(folder.path(), &["check"]);
            assert_eq!(
                (finished.code, finished.stderr.as_str()),
                (Some(0), ""),
                "{finished:?}"
            );
            let lines: Vec<&str> = finished.stdout.lines().collect();
            assert_eq!(lines.len(), 3, "{}", finished.stdout);
            assert!(
                lines[0].starts_with("STATE  HOST  ADDRESS    REPLIES  LATENCY"),
                "{}",
                lines[0]
            );
            assert!(
                lines[1].starts_with("up     one   127.0.0.1  3/3      0."),
                "{}",
                lines[1]
            );
            assert!(
                lines[2].starts_with("up     six   ::1        3/3      0."),
                "{}",
                lines[2]
            );
            assert!(
                !finished.stdout.contains('\x1b'),
                "no colour but on a terminal"
            );
        });
        let status = json(&program(folder.path(), &["status", "--json"]));
        for (index, name) in ["one", "six"].iter().enumerate() {
            let host = &status[index];
            assert_eq!(
                (&host["host_name"], &host["state"], &host["stale"]),
                (&Value::from(*name), &"up".into(), &false.into())
            );
            assert_eq!(
                (
                    &host["success_rate"],
                    &host["success_count"],
                    &host["failure_count"]
                ),
                (&100.0.into(), &3.into(), &0.into())
            );
            assert_eq!(host["outage"], Value::Null);
            assert!(
                host["age_seconds"]
                    .as_f64()
                    .is_some_and(|age| (0.0..30.0).contains(&age)),
                "{host}"
            );
            assert!(
                host["avg_latency"]
                    .as_f64()
                    .is_some_and(|ms| ms > 0.0 && ms < 100.0),
                "{host}"
            );
            assert!(
                host["timestamp"]
                    .as_str()
                    .is_some_and(|at| at.len() == 24 && at.ends_with('Z')),
                "{host}"
            );
        }
    }
}

#[test]
fn check_as_json_has_the_fields_of_the_contract_in_order() {
    let test = "check_as_json_has_the_fields_of_the_contract_in_order";
    if !is_available(test) {
        return;
    }
    let folder = TempDir::new();
    folder.write("config.yaml", LOOPBACK);
    in_namespace(SocketKind::Datagram, |_tun| {
        let finished = program(folder.path(), &["check", "--json", "--no-store", "one"]);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        let order: Vec<usize> = [
            "host_name",
            "host_address",
            "resolved_address",
            "timestamp",
            "state",
            "sent",
            "received",
            "late",
            "duplicates",
            "foreign",
            "success_rate",
            "min_us",
            "avg_us",
            "max_us",
            "mdev_us",
            "rtts_us",
            "error",
        ]
        .iter()
        .map(|field| {
            finished
                .stdout
                .find(&format!("\"{field}\":"))
                .unwrap_or_else(|| panic!("{field}: {}", finished.stdout))
        })
        .collect();
        assert!(order.is_sorted());
        let hosts = json(&finished);
        assert_eq!(hosts.as_array().map(Vec::len), Some(1));
        let rtts: Vec<u64> = hosts[0]["rtts_us"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(Value::as_u64)
            .collect();
        assert_eq!(rtts.len(), 3);
        assert_eq!(hosts[0]["min_us"].as_u64(), rtts.iter().min().copied());
        assert_eq!(hosts[0]["max_us"].as_u64(), rtts.iter().max().copied());
        assert!(
            !folder.path().join("connection_logs.db").exists(),
            "--no-store"
        );
    });
}

#[test]
fn check_accepts_names_and_addresses_and_lists_the_hosts_for_an_unknown_name() {
    let test = "check_accepts_names_and_addresses_and_lists_the_hosts_for_an_unknown_name";
    if !is_available(test) {
        return;
    }
    let folder = TempDir::new();
    folder.write("config.yaml", LOOPBACK);
    in_namespace(SocketKind::Raw, |_tun| {
        let hosts = json(&program(
            folder.path(),
            &["check", "--json", "--no-store", "six", "127.0.0.1", "one"],
        ));
        let names: Vec<_> = hosts
            .as_array()
            .expect("a list")
            .iter()
            .map(|host| host["host_name"].clone())
            .collect();
        assert_eq!(names, ["six", "one"]);
        let unlisted = program(folder.path(), &["check", "--json", "127.0.0.9"]);
        assert_eq!(
            (unlisted.code, json(&unlisted)[0]["sent"].as_u64()),
            (Some(0), Some(3))
        );
        assert!(
            unlisted.stderr.contains("not recorded"),
            "{}",
            unlisted.stderr
        );
        assert!(!folder.path().join("connection_logs.db").exists());
        let unknown = program(folder.path(), &["check", "seven"]);
        assert_eq!(unknown.code, Some(2));
        assert!(
            unknown
                .stderr
                .contains("host \"seven\" is not in the configuration, which has: one, six"),
            "{}",
            unknown.stderr
        );
    });
}

#[test]
fn a_host_that_cannot_be_measured_is_shown_with_the_reason_and_not_as_loss() {
    let test = "a_host_that_cannot_be_measured_is_shown_with_the_reason_and_not_as_loss";
    if !is_available(test) {
        return;
    }
    let folder = TempDir::new();
    folder.write("config.yaml", "hosts: [{name: far, address: 192.0.2.1}]\n");
    in_namespace(SocketKind::Datagram, |_tun| {
        let finished = program(folder.path(), &["check"]);
        assert_eq!(finished.code, Some(1));
        // In the words of the C library.
        let reason = std::io::Error::from_raw_os_error(libc::ENETUNREACH);
        let line = format!(
            "not measured  far   192.0.2.1  -        -  cannot send to 192.0.2.1: {reason}"
        );
        assert!(finished.stdout.contains(&line), "{}", finished.stdout);
    });
    let status = program(folder.path(), &["status"]);
    assert!(
        status
            .stdout
            .contains("not measured  far   192.0.2.1  -        -        "),
        "{}",
        status.stdout
    );
    let host = &json(&program(folder.path(), &["status", "--json"]))[0];
    assert_eq!(
        (
            &host["state"],
            &host["success_rate"],
            &host["failure_count"]
        ),
        (&"not_measured".into(), &Value::Null, &Value::Null)
    );
}

#[test]
fn without_permission_check_and_monitor_exit_77_with_the_cures_and_record_nothing() {
    let test = "without_permission_check_and_monitor_exit_77_with_the_cures_and_record_nothing";
    if !is_available(test) {
        return;
    }
    let has_setpriv = Command::new("setpriv")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success());
    if !has_setpriv {
        return skip(test, "cannot run setpriv");
    }
    let folder = TempDir::new();
    folder.write("config.yaml", LOOPBACK);
    in_namespace(SocketKind::Raw, |_tun| {
        for arguments in [
            &["check"][..],
            &["check", "--json"],
            &["monitor", "--no-dashboard"],
        ] {
            let mut command = Command::new("setpriv");
            command
                .args([
                    "--bounding-set=-net_raw",
                    "--inh-caps=-net_raw",
                    "--no-new-privs",
                ])
                .arg(bin())
                .args(arguments);
            let finished = run(command.current_dir(folder.path()));
            assert_eq!(
                (finished.code, finished.stdout.as_str()),
                (Some(77), ""),
                "{arguments:?}: {finished:?}"
            );
            for cure in [
                "sysctl -w net.ipv4.ping_group_range=",
                "setcap cap_net_raw+ep /",
                "AmbientCapabilities=CAP_NET_RAW",
            ] {
                assert!(
                    finished.stderr.contains(cure),
                    "{cure} is not in {}",
                    finished.stderr
                );
            }
            assert!(!folder.path().join("connection_logs.db").exists());
        }
        let mut doctor = Command::new("setpriv");
        doctor
            .args([
                "--bounding-set=-net_raw",
                "--inh-caps=-net_raw",
                "--no-new-privs",
            ])
            .arg(bin())
            .arg("doctor");
        let finished = run(doctor.current_dir(folder.path()));
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert!(
            finished.stdout.contains("FAILED  ICMP over IPv4"),
            "{}",
            finished.stdout
        );
        assert!(
            finished
                .stdout
                .contains("cure: for every program of every user:  sysctl -w"),
            "{}",
            finished.stdout
        );
    });
}

#[test]
fn doctor_passes_a_working_machine_and_names_what_fails() {
    let test = "doctor_passes_a_working_machine_and_names_what_fails";
    if !is_available(test) {
        return;
    }
    let folder = TempDir::new();
    folder.write("config.yaml", LOOPBACK);
    in_namespace(SocketKind::Datagram, |_tun| {
        let well = program(folder.path(), &["doctor"]);
        assert_eq!(well.code, Some(0), "{}", well.stdout);
        for line in [
            "ok      configuration",
            "ok      ICMP over IPv4   datagram socket: yes; raw socket: yes; 127.0.0.1 answers in ",
            "ok      ICMP over IPv6   datagram socket: yes",
            "ok      database",
        ] {
            assert!(
                well.stdout.contains(line),
                "{line} is not in {}",
                well.stdout
            );
        }
        sysctl("ipv4/icmp_echo_ignore_all", "1").expect("the namespace is ours");
        folder.write("config.yaml", &format!("{LOOPBACK}- {{name: gw, address: gateway}}\n- {{name: n, address: nobody.invalid}}\ndatabase: {{path: no/such/folder.db}}\n"));
        let ill = program(folder.path(), &["doctor", "--json"]);
        assert_eq!(ill.code, Some(1));
        let findings = json(&ill);
        let failed: Vec<&str> = findings
            .as_array()
            .expect("a list")
            .iter()
            .filter(|finding| finding["status"] == "failed")
            .map(|finding| {
                assert!(
                    finding["cure"]
                        .as_str()
                        .is_some_and(|cure| !cure.is_empty()),
                    "{finding}"
                );
                finding["what"].as_str().expect("a text")
            })
            .collect();
        assert_eq!(
            failed,
            ["ICMP over IPv4", "resolver", "default gateway", "database"],
            "{}",
            ill.stdout
        );
    });
}

#[test]
fn doctor_reports_a_taken_port_and_a_low_limit_of_open_files() {
    let test = "doctor_reports_a_taken_port_and_a_low_limit_of_open_files";
    if !is_available(test) {
        return;
    }
    let folder = TempDir::new();
    let hosts: String = (0..200)
        .map(|n| format!("- {{name: h{n}, address: 127.0.1.{n}}}\n"))
        .collect();
    folder.write(
        "config.yaml",
        &format!("dashboard: {{host: 127.0.0.1}}\nhosts:\n{hosts}"),
    );
    in_namespace(SocketKind::Datagram, |_tun| {
        let _taken =
            std::net::TcpListener::bind("127.0.0.1:8501").expect("the network namespace is new");
        let script = "ulimit -n 100 && exec \"$0\" \"$@\"";
        let finished = run(Command::new("sh")
            .args(["-c", script])
            .arg(bin())
            .arg("doctor")
            .current_dir(folder.path()));
        assert_eq!(finished.code, Some(1), "{}", finished.stdout);
        assert!(
            finished
                .stdout
                .contains("note    dashboard port   127.0.0.1:8501 is taken"),
            "{}",
            finished.stdout
        );
        assert!(
            finished.stdout.contains(
                "FAILED  open files       hosts: checking 200 hosts takes 568 open files, the limit is 100"
            ),
            "{}",
            finished.stdout
        );
        for (command, needed) in [("check", 264), ("monitor", 568)] {
            let finished = run(Command::new("sh")
                .args(["-c", script])
                .arg(bin())
                .arg(command)
                .current_dir(folder.path()));
            assert_eq!(finished.code, Some(78), "{finished:?}");
            let hint = format!("hint: raise the hard limit: LimitNOFILE={needed} ");
            assert!(finished.stderr.contains(&hint), "{}", finished.stderr);
            assert!(
                !folder.path().join("connection_logs.db").exists(),
                "{command} has begun nothing"
            );
        }
    });
}

#[test]
fn a_closed_standard_output_ends_a_command_silently() {
    let folder = TempDir::new();
    let finished = run(Command::new("sh")
        .args(["-c", "\"$0\" --help | true; \"$0\" init-config | true"])
        .arg(bin())
        .current_dir(folder.path()));
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
}

#[test]
fn control_characters_in_a_name_do_not_reach_the_terminal() {
    let test = "control_characters_in_a_name_do_not_reach_the_terminal";
    if !is_available(test) {
        return;
    }
    let folder = TempDir::new();
    folder.write(
        "config.yaml",
        "monitoring: {ping_count: 1}\nhosts: [{name: \"a\\e[2Jb\", address: 127.0.0.1}]\n",
    );
    in_namespace(SocketKind::Datagram, |_tun| {
        for command in ["check", "status"] {
            let finished = program(folder.path(), &[command]);
            assert!(
                !finished.stdout.contains('\x1b') && !finished.stderr.contains('\x1b'),
                "{finished:?}"
            );
        }
    });
}

/// Creates the empty database `my.db`.
fn new_database(folder: &Path) {
    let path = folder.join("my.db");
    ace_connection_logger::store::Database::open(&path, &mut |_, _| ()).expect("a new database");
}

#[test]
fn cleanup_prints_how_many_checks_it_deleted() {
    let folder = TempDir::new();
    folder.write(
        "config.yaml",
        "database: {path: my.db, retention_days: 1.5}\n",
    );
    let missing = program(folder.path(), &["cleanup", "--json"]);
    assert_eq!(missing.code, Some(0), "nothing had to be deleted");
    assert_eq!(json(&missing)["deleted_checks"], 0);
    new_database(folder.path());
    let nothing = program(folder.path(), &["cleanup"]);
    assert_eq!(
        (nothing.code, nothing.stdout.as_str()),
        (Some(0), "0 checks older than 1.5 days deleted\n")
    );
    let as_json = program(folder.path(), &["cleanup", "--json"]);
    assert_eq!(json(&as_json)["deleted_checks"], 0);
}

#[test]
fn cleanup_continuous_cleans_at_once_and_ends_on_sigterm() {
    let folder = TempDir::new();
    folder.write("config.yaml", "database: {path: my.db}\n");
    new_database(folder.path());
    let script = "\"$0\" cleanup-continuous -i24 & pid=$!; while ! grep -q deleted out; do sleep 0.02; done; kill $pid; wait $pid";
    std::fs::write(folder.path().join("out"), "").expect("a new file");
    let finished = run(Command::new("sh")
        .args(["-c", &format!("({script}) >out")])
        .arg(bin())
        .current_dir(folder.path()));
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(
        std::fs::read_to_string(folder.path().join("out")).expect("written"),
        "0 checks older than 90 days deleted\n"
    );
}

#[test]
fn import_names_the_file_that_is_wrong() {
    let folder = TempDir::new();
    let text = folder.write(
        "text",
        "this is no database, only some text that is long enough to be one",
    );
    let import = program(folder.path(), &["import", "missing.db"]);
    assert_eq!(import.code, Some(74));
    assert!(
        import.stderr.contains("import missing.db: No such file"),
        "{}",
        import.stderr
    );
    let import = program(folder.path(), &["import", text.to_str().expect("plain")]);
    assert_eq!(import.code, Some(74));
    assert!(
        import.stderr.contains(
            "text: it is not a database\nhint: name the database that the original wrote"
        ),
        "{}",
        import.stderr
    );
    assert!(
        !folder.path().join("connection_logs.db").exists(),
        "a wrong file creates no database"
    );
    let ours = folder.path().join("connection_logs.db");
    ace_connection_logger::store::Database::open(&ours, &mut |_, _| ()).expect("a new database");
    for (file, wrong) in [
        (".", "import .: is a directory"),
        ("/dev/null", "import /dev/null: it is empty"),
        (
            "connection_logs.db",
            "it is the database that it would be imported into\nhint: name another file",
        ),
    ] {
        let import = program(folder.path(), &["import", file]);
        assert_eq!(import.code, Some(74));
        assert!(import.stderr.contains(wrong), "{}", import.stderr);
    }
}

#[test]
fn a_backup_does_not_overwrite() {
    let folder = TempDir::new();
    folder.write("copy.db", "mine");
    rusqlite::Connection::open(folder.path().join("connection_logs.db"))
        .and_then(|db| db.execute_batch("create table t(x)"))
        .expect("a database");
    let again = program(folder.path(), &["backup", "copy.db"]);
    assert_eq!(again.code, Some(1));
    assert!(
        again.stderr.contains("copy.db exists already"),
        "{}",
        again.stderr
    );
    assert_eq!(
        std::fs::read_to_string(folder.path().join("copy.db")).expect("still there"),
        "mine"
    );
}

#[test]
fn the_table_of_status_fits_into_80_columns_and_its_remarks_are_on_their_own_lines() {
    let folder = TempDir::new();
    let address = "2001:db8:1234:5678:9abc:def0:1234:5678";
    folder.write(
        "config.yaml",
        &format!(
            "hosts: [{{name: The provider's first router behind the cellar, address: '{address}'}}, \
             {{name: b, address: b.lan}}, {{name: c, address: 192.0.2.3}}]\n"
        ),
    );
    let path = folder.path().join("connection_logs.db");
    ace_connection_logger::store::Database::open(&path, &mut |_, _| ()).expect("a new database");
    let database = rusqlite::Connection::open(&path).expect("the same");
    let table = |sql: &str| {
        database.execute_batch(sql).expect("plain SQL");
        program(folder.path(), &["status"]).stdout
    };
    let short = table(
        "insert into ping_results(host_name, host_address, timestamp, success_count, failure_count,
             min_latency, avg_latency, max_latency)
         values('b', 'b.lan', datetime('now', '-90000 seconds'), 4, 1, 101.5, 222, 350);
         update host set resolved_address = '2001:db8::1';",
    );
    assert!(
        short.contains("b.lan              4/5      222 ms   1 d 1 h ago\n  pinged at 2001:db8::1\n  STALE: is the monitor running?\n"),
        "{short}"
    );
    assert!(
        short.contains(
            "The pro...cellar  2001:db...34:5678  -        -        never\n  nothing recorded yet\n"
        ),
        "{short}"
    );
    assert!(short.lines().all(|line| line.len() <= 80), "{short}");
    folder.write("config.yaml", "hosts: [{name: b, address: b.lan}]\n");
    let wide = table("");
    assert!(
        wide.contains("b     b.lan (2001:db8::1)  4/5      222 ms (102 to 350)  1 d 1 h ago"),
        "{wide}"
    );
}

#[test]
fn a_result_is_stale_after_three_intervals_unless_the_monitor_may_hold_newer_ones() {
    let folder = TempDir::new();
    folder.write(
        "config.yaml",
        "monitoring: {interval_seconds: 10}\ndatabase: {flush_seconds: 300}\nhosts: [{name: a, address: 192.0.2.1}]\n",
    );
    // The program creates the file; the test writes the rows.
    let path = folder.path().join("connection_logs.db");
    ace_connection_logger::store::Database::open(&path, &mut |_, _| ()).expect("a new database");
    let database = rusqlite::Connection::open(&path).expect("the same");
    let is_stale = |sql: &str| {
        database.execute_batch(sql).expect("plain SQL");
        let finished = program(folder.path(), &["status", "--json"]);
        let status = json(&finished);
        let text = program(folder.path(), &["status"]).stdout;
        assert_eq!(
            text.contains("STALE: is the monitor running?"),
            status[0]["stale"] == true,
            "{text}"
        );
        let is_stale = status[0]["stale"].as_bool().expect("true or false");
        assert_eq!(
            program(folder.path(), &["status", "--fresh"]).code,
            Some(i32::from(is_stale)),
            "--fresh agrees"
        );
        is_stale
    };
    assert_eq!(
        program(folder.path(), &["status", "--fresh"]).code,
        Some(1),
        "nothing is recorded yet"
    );
    let check = |age: u32| {
        format!(
            "delete from ping_results; insert into ping_results(host_name, host_address, timestamp, success_count, failure_count)
             values('a', '192.0.2.1', strftime('%Y-%m-%d %H:%M:%f', 'now', '-{age} seconds'), 5, 0);"
        )
    };
    assert!(!is_stale(&check(25)));
    let other =
        "insert into ping_results(host_name, host_address, timestamp, success_count, failure_count)
         values('gone', '192.0.2.2', '2026-01-01 00:00:00.000', 5, 0);";
    assert!(
        !is_stale(other),
        "a host that is no longer configured does not count"
    );
    assert!(is_stale(&check(35)));
    let run = "insert into monitor_run(started_at, alive_at, stopped_at, version)
               select 0, 1000 * (strftime('%s', 'now') - 200), null, ''";
    assert!(
        !is_stale(run),
        "35 s old, and the monitor writes every 300 s"
    );
    assert!(is_stale(&check(335)));
    assert!(
        is_stale(&format!(
            "{} update monitor_run set stopped_at = alive_at",
            check(35)
        )),
        "it was stopped"
    );
    assert!(
        is_stale("update monitor_run set stopped_at = null, alive_at = alive_at - 500000"),
        "it was killed"
    );
}

#[test]
fn on_a_terminal_check_shows_replies_as_they_arrive_and_colours_the_states() {
    let test = "on_a_terminal_check_shows_replies_as_they_arrive_and_colours_the_states";
    if !is_available(test) {
        return;
    }
    let folder = TempDir::new();
    folder.write("config.yaml", LOOPBACK);
    // script(1) runs a command on a new terminal.
    let on_terminal = |no_color: &str| {
        let line = format!(
            "stty rows 20 cols 90; NO_COLOR={no_color} {} check --no-store",
            bin().display()
        );
        run(Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .current_dir(folder.path()))
    };
    if !Command::new("script")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
    {
        return skip(test, "cannot run script");
    }
    in_namespace(SocketKind::Datagram, |_tun| {
        let shown = on_terminal("");
        assert_eq!(shown.code, Some(0), "{shown:?}");
        let frames: Vec<&str> = shown.stdout.split("\x1b[2A\x1b[J").collect();
        assert_eq!(
            frames.len(),
            8,
            "a frame at first, one a reply, and the result: {:?}",
            shown.stdout
        );
        assert!(
            frames[0].contains("one ...") && frames[0].contains("six ..."),
            "{frames:?}"
        );
        assert_eq!(frames[6].matches(" ms").count(), 6, "{frames:?}");
        assert!(
            frames[7].contains("\x1b[32mup     \x1b[0mone"),
            "{frames:?}"
        );
        let plain = on_terminal("1");
        assert!(
            plain.stdout.contains("up     one") && !plain.stdout.contains("\x1b[32m"),
            "{plain:?}"
        );
    });
}

#[test]
fn a_result_that_a_wrong_clock_dated_ahead_is_not_the_newest_one() {
    let folder = TempDir::new();
    folder.write(
        "config.yaml",
        "hosts: [{name: a, address: 192.0.2.1}, {name: b, address: 192.0.2.2}]\n",
    );
    let path = folder.path().join("connection_logs.db");
    ace_connection_logger::store::Database::open(&path, &mut |_, _| ()).expect("a new database");
    let database = rusqlite::Connection::open(&path).expect("the same");
    database
        .execute_batch(
            "insert into ping_results(host_name, host_address, timestamp, success_count, failure_count)
             values('a', '192.0.2.1', '2100-01-01 00:00:00', 5, 0), ('b', '192.0.2.2', '2100-01-01 00:00:00', 5, 0),
                   ('a', '192.0.2.1', datetime('now', '-5 seconds'), 0, 5)",
        )
        .expect("plain SQL");
    let status = json(&program(folder.path(), &["status", "--json"]));
    assert_eq!(
        (&status[0]["state"], &status[0]["stale"]),
        (&"down".into(), &false.into()),
        "{status}"
    );
    assert_eq!(
        (&status[1]["stale"], &status[1]["age_seconds"]),
        (&true.into(), &Value::Null),
        "{status}"
    );
    database
        .execute_batch("insert into not_measured_check select id, 1000 * (strftime('%s', 'now') - 1), 'no route' from host")
        .expect("plain SQL");
    let status = json(&program(folder.path(), &["status", "--json"]));
    assert_eq!(
        (&status[0]["state"], &status[1]["state"]),
        (&"not_measured".into(), &"not_measured".into()),
        "{status}"
    );
}

#[test]
fn a_check_is_recorded_even_if_standard_output_is_closed() {
    let test = "a_check_is_recorded_even_if_standard_output_is_closed";
    if !is_available(test) {
        return;
    }
    in_namespace(SocketKind::Datagram, |_tun| {
        let folder = TempDir::new();
        folder.write("config.yaml", LOOPBACK);
        let into = |target: &str| {
            run(Command::new("sh")
                .args(["-c", &format!("\"$0\" check {target}")])
                .arg(bin())
                .current_dir(folder.path()));
            json(&program(folder.path(), &["status", "--json"]))[0]["timestamp"].clone()
        };
        let piped = into("| true");
        assert!(piped.is_string(), "{piped}");
        let full = into("> /dev/full");
        assert_ne!(piped, full);
    });
}
