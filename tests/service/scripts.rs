//! The scripts of OpenRC and OpenWrt, run with stubs of the functions and programs that their service
//! managers provide. The stubs print their arguments.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::common::{Finished, TempDir, bin, run, skip};

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("packaging")
        .join(name)
}

const OPENRC: &str = "openrc/ace-connection-logger";
const OPENRC_SETTINGS: &str = "openrc/ace-connection-logger.confd";
const OPENWRT: &str = "openwrt/ace-connection-logger.init";
const CAPABILITIES: &str = "openwrt/ace-connection-logger.capabilities.json";

#[test]
fn the_scripts_have_no_bashisms() {
    let test = "the_scripts_have_no_bashisms";
    for name in [OPENRC, OPENRC_SETTINGS, OPENWRT] {
        let finished = run(Command::new("sh").arg("-n").arg(script(name)));
        assert_eq!(
            (finished.code, finished.stderr.as_str()),
            (Some(0), ""),
            "{name}"
        );
    }
    let is_installed = Command::new("shellcheck")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !is_installed {
        return skip(test, "cannot run shellcheck");
    }
    for (name, shell) in [(OPENRC, "sh"), (OPENRC_SETTINGS, "sh"), (OPENWRT, "dash")] {
        let finished = run(Command::new("shellcheck")
            .args(["-s", shell])
            .arg(script(name)));
        assert_eq!(
            (finished.code, finished.stdout.as_str()),
            (Some(0), ""),
            "{name}"
        );
    }
}

#[test]
fn openwrts_capability_sets_all_contain_exactly_cap_net_raw() {
    let text = fs::read_to_string(script(CAPABILITIES)).expect("it is there");
    let sets: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&text).expect("it is JSON");
    // The keys that procd's ujail reads.
    for name in [
        "bounding",
        "effective",
        "inheritable",
        "permitted",
        "ambient",
    ] {
        assert_eq!(sets[name], serde_json::json!(["CAP_NET_RAW"]), "{name}");
    }
    assert_eq!(sets.len(), 5);
}

/// Runs a shell that executes `stubs`, sources a script, and executes `then`. Programs in `folder`
/// take precedence over the system's.
fn call(folder: &TempDir, name: &str, stubs: &str, then: &str) -> Finished {
    let text = format!("{stubs}\n. '{}'\n{then}\n", script(name).display());
    let path = folder.write("call.sh", &text);
    let path_variable = format!("{}:/usr/bin:/bin:/usr/sbin:/sbin", folder.path().display());
    run(Command::new("sh")
        .arg(path)
        .current_dir(folder.path())
        .env("PATH", path_variable)
        .env("RC_SVCNAME", "ace-connection-logger"))
}

fn add_program(folder: &TempDir, name: &str, text: &str) {
    folder.write_program(name, &format!("#!/bin/sh\n{text}\n"));
}

/// Stubs of procd's functions.
const PROCD: &str = r#"
record() { for word in "$@"; do printf '[%s] ' "$word"; done; echo; }
for name in open_instance close_instance set_param add_jail add_config_trigger add_restart_mount_trigger; do
    eval "procd_$name() { record $name \"\$@\"; }"
done
config_load() { :; }
config_get() { eval "$1=\${GIVEN_$3:-\$4}"; }
logger() { record logger "$@"; }
chown() { record chown "$@"; }
start() { start_service; }
"#;

/// Assigns paths in the test's folder to the script's variables.
fn assign_paths(folder: &TempDir) -> String {
    let path = folder.path().display();
    format!(
        "PROGRAM='{}' CAPABILITIES='{path}/capabilities.json' PASSWD='{path}/passwd' UJAIL='{path}/ujail' PING_GROUP_RANGE='{path}/groups' TIME_ZONE='{path}/zone'
        GIVEN_config='{path}/config.yaml' GIVEN_folder='{path}/data'",
        bin().display()
    )
}

#[test]
fn openwrt_starts_the_monitor_with_the_best_available_ping_method() {
    let folder = TempDir::new();
    folder.write("config.yaml", "hosts: [{address: 127.0.0.1}]\n");
    folder.write("passwd", "root:x:0:0::/root:/bin/ash\n");
    folder.write("groups", "1\t0\n");
    let start = |folder: &TempDir| {
        let finished = call(
            folder,
            OPENWRT,
            PROCD,
            &format!("{}\nstart_service", assign_paths(folder)),
        );
        assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
        finished.stdout
    };
    let path = folder.path().display().to_string();
    let program = bin().display().to_string();
    let common = [
        "[open_instance]".to_string(),
        format!("[set_param] [command] [{program}] [monitor] [--strict] [-c] [{path}/config.yaml]"),
        "[set_param] [respawn] [3600] [10] [5]".into(),
        format!("[set_param] [file] [{path}/config.yaml]"),
        "[set_param] [reload_signal] [HUP]".into(),
        "[set_param] [stdout] [1]".into(),
        "[set_param] [stderr] [1]".into(),
        "[set_param] [env] [TZ=CET-1CEST,M3.5.0,M10.5.0/3]".into(),
        "[set_param] [term_timeout] [30]".into(),
    ];
    assert!(!start(&folder).contains("[env]"), "no time zone is known");
    folder.write("zone", "CET-1CEST,M3.5.0,M10.5.0/3\n");
    let assert_calls = |calls: &str, rest: &[&str]| {
        let calls: Vec<&str> = calls.lines().map(str::trim_end).collect();
        let expected: Vec<&str> = common
            .iter()
            .map(String::as_str)
            .chain(rest.iter().copied())
            .collect();
        assert_eq!(calls, expected);
    };
    let root = "[logger] [-t] [ace-connection-logger] [-p] [daemon.notice] [runs as root: to run as its own user \
        install procd-ujail or open net.ipv4.ping_group_range]";

    let as_root = [root, "[close_instance]"];
    assert_calls(&start(&folder), &as_root);
    let mode = fs::metadata(folder.path().join("data"))
        .expect("the script creates it")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o750);

    folder.write(
        "passwd",
        "root:x:0:0::/root:/bin/ash\nace-connection-logger:x:450:450::/var:/bin/false\n",
    );
    assert_calls(&start(&folder), &as_root);

    let owned = |name: &str| {
        format!("[chown] [ace-connection-logger:ace-connection-logger] [{path}/{name}]")
    };
    let config = format!("[chown] [root:ace-connection-logger] [{path}/config.yaml]");
    let user = [
        "[set_param] [user] [ace-connection-logger]",
        "[set_param] [group] [ace-connection-logger]",
        "[set_param] [no_new_privs] [1]",
    ];
    for (range, is_in) in [
        ("0\t2147483647\n", true),
        ("450\t450\n", true),
        ("451\t460\n", false),
        ("100\t449\n", false),
    ] {
        folder.write("groups", range);
        let data = owned("data");
        let as_user = [&[data.as_str(), &config][..], &user, &["[close_instance]"]].concat();
        assert_calls(&start(&folder), if is_in { &as_user } else { &as_root });
    }

    add_program(&folder, "ujail", "");
    assert_calls(&start(&folder), &as_root);
    folder.write("capabilities.json", "{}");
    folder.write("data/connection_logs.db", "");
    folder.write("data/connection_logs.db-wal", "");
    folder.write("data/other_file", "");
    let jail = [
        "[add_jail] [ace-connection-logger]".to_string(),
        format!("[set_param] [capabilities] [{path}/capabilities.json]"),
        "[close_instance]".into(),
    ];
    let files = [
        owned("data"),
        owned("data/connection_logs.db"),
        owned("data/connection_logs.db-wal"),
        config.clone(),
    ];
    let rest: Vec<&str> = files
        .iter()
        .map(String::as_str)
        .chain(user)
        .chain(jail.iter().map(String::as_str))
        .collect();
    assert_calls(&start(&folder), &rest);
}

#[test]
fn openwrt_reloads_only_a_valid_file_and_restarts_for_new_settings_and_mounts() {
    let folder = TempDir::new();
    folder.write("passwd", "");
    folder.write("config.yaml", "hosts: 5\n");
    let reload = |folder: &TempDir| {
        call(
            folder,
            OPENWRT,
            PROCD,
            &format!("{}\nreload_service", assign_paths(folder)),
        )
    };
    let finished = reload(&folder);
    assert_eq!(finished.code, Some(1));
    assert!(
        finished.stdout.contains("the running configuration stays"),
        "{}",
        finished.stdout
    );
    assert!(
        !finished.stdout.contains("open_instance"),
        "procd would stop the running monitor: {}",
        finished.stdout
    );
    folder.write("config.yaml", "hosts: [{address: 127.0.0.1}]\n");
    let finished = reload(&folder);
    assert_eq!(finished.code, Some(0));
    assert!(
        finished.stdout.contains("[open_instance]"),
        "{}",
        finished.stdout
    );

    let finished = call(
        &folder,
        OPENWRT,
        PROCD,
        &format!("{}\nservice_triggers", assign_paths(&folder)),
    );
    let calls: Vec<&str> = finished.stdout.lines().map(str::trim_end).collect();
    let mount = format!(
        "[add_restart_mount_trigger] [{}/data]",
        folder.path().display()
    );
    let config = "[add_config_trigger] [config.change] [ace-connection-logger] [/etc/init.d/ace-connection-logger] [restart]";
    assert_eq!(calls, [config, mount.as_str()]);
    // Older versions of procd do not have the function.
    let unset = "unset -f procd_add_restart_mount_trigger";
    let finished = call(
        &folder,
        OPENWRT,
        &format!("{PROCD}\n{unset}"),
        &format!("{}\nservice_triggers", assign_paths(&folder)),
    );
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    assert_eq!(finished.stdout.trim_end(), config);
}

/// Stubs of OpenRC's functions.
const RC: &str = r#"
record() { for word in "$@"; do printf '[%s] ' "$word"; done; echo; }
for name in checkpath eerror ebegin eend; do eval "$name() { record $name \"\$@\"; }"; done
"#;

#[test]
fn openrc_grants_cap_net_raw_where_supervise_daemon_supports_it() {
    let folder = TempDir::new();
    let config = folder
        .write("config.yaml", "hosts: [{address: 127.0.0.1}]\n")
        .display()
        .to_string();
    let show = "echo \"capabilities=${capabilities-none} arguments=${supervise_daemon_args-none}\"";
    let start = |folder: &TempDir, supervise_daemon: &str| {
        add_program(folder, "supervise-daemon", supervise_daemon);
        let stubs = format!("{RC}\nconfig='{config}'");
        let then = format!(
            "command='{}'\nstart_pre || exit 1\n{show}\necho \"$command_args\"",
            bin().display()
        );
        let finished = call(folder, OPENRC, &stubs, &then);
        assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
        finished.stdout
    };
    let all = start(&folder, "exit 0");
    let lines: Vec<&str> = all.lines().map(str::trim_end).collect();
    let expected = [
        "[checkpath] [--directory] [--owner] [ace-connection-logger:ace-connection-logger] [--mode] [0750] [/var/lib/ace-connection-logger]",
        "[checkpath] [--file] [--owner] [ace-connection-logger:ace-connection-logger] [--mode] [0640] [/var/log/ace-connection-logger.log]",
        "capabilities=^cap_net_raw arguments= --no-new-privs",
        &format!("monitor --strict -c {config}"),
    ];
    assert_eq!(lines, expected);
    // A build without support for capabilities, such as Debian's, fails with the option.
    let without = "case $* in *--capabilities*) exit 1 ;; esac";
    assert!(start(&folder, without).contains("capabilities=none arguments=none\n"));
    let older = "case $* in *--no-new-privs*) exit 1 ;; esac";
    assert!(start(&folder, older).contains("capabilities=^cap_net_raw arguments=none\n"));
    let help_only =
        "test \"$1\" = ace-connection-logger || exit 1\ncase $* in *--help) exit 0 ;; esac\nexit 1";
    assert!(start(&folder, help_only).contains("capabilities=^cap_net_raw"));
}

#[test]
fn openrc_neither_starts_nor_reloads_with_an_invalid_configuration() {
    let folder = TempDir::new();
    let config = folder
        .write("config.yaml", "hosts: 5\n")
        .display()
        .to_string();
    add_program(&folder, "supervise-daemon", "echo \"supervise-daemon $*\"");
    let call = |what: &str| {
        let stubs = format!("{RC}\nconfig='{config}'");
        call(
            &folder,
            OPENRC,
            &stubs,
            &format!("command='{}'\n{what}", bin().display()),
        )
    };
    for what in ["start_pre", "reload"] {
        let finished = call(what);
        assert_eq!(finished.code, Some(1), "{what}");
        assert!(
            finished.stdout.starts_with("[eerror] "),
            "{}",
            finished.stdout
        );
        assert!(
            finished
                .stdout
                .contains("config.yaml:1: hosts: 5 where a list of hosts belongs"),
            "{}",
            finished.stdout
        );
        assert!(
            !finished.stdout.contains("checkpath") && !finished.stdout.contains("--signal"),
            "{}",
            finished.stdout
        );
    }
    folder.write("config.yaml", "hosts: [{address: 127.0.0.1}]\n");
    let finished = call("reload");
    assert!(
        finished.stdout.contains("supervise-daemon ace-connection-logger --signal HUP --pidfile /run/ace-connection-logger.pid"),
        "{}",
        finished.stdout
    );
}
