//! The scripts of OpenRC and OpenWrt, read by the shells that run them. What their service managers
//! provide is played by functions and programs that write down what they are called with.

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
fn the_scripts_are_what_a_plain_shell_understands() {
    let test = "the_scripts_are_what_a_plain_shell_understands";
    for name in [OPENRC, OPENRC_SETTINGS, OPENWRT] {
        let finished = run(Command::new("sh").arg("-n").arg(script(name)));
        assert_eq!(
            (finished.code, finished.stderr.as_str()),
            (Some(0), ""),
            "{name}"
        );
    }
    let is_here = Command::new("shellcheck")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !is_here {
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
fn openwrt_s_capabilities_are_the_one_in_every_set() {
    let text = fs::read_to_string(script(CAPABILITIES)).expect("it is there");
    let sets: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&text).expect("it is JSON");
    // The names that procd's ujail reads.
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

/// Sources a script with stand-ins before it and calls what is asked for. Words in capitals in the
/// script are set anew between the two, as `settings` says.
fn call(folder: &TempDir, name: &str, stand_ins: &str, then: &str) -> Finished {
    let text = format!("{stand_ins}\n. '{}'\n{then}\n", script(name).display());
    let path = folder.write("call.sh", &text);
    let programs = format!("{}:/usr/bin:/bin:/usr/sbin:/sbin", folder.path().display());
    run(Command::new("sh")
        .arg(path)
        .current_dir(folder.path())
        .env("PATH", programs)
        .env("RC_SVCNAME", "ace-connection-logger"))
}

fn add_program(folder: &TempDir, name: &str, text: &str) {
    let path = folder.write(name, &format!("#!/bin/sh\n{text}\n"));
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
}

/// procd's words, each written down with its arguments.
const PROCD: &str = r#"
tell() { for word in "$@"; do printf '[%s] ' "$word"; done; echo; }
for name in open_instance close_instance set_param add_jail add_config_trigger add_restart_mount_trigger; do
    eval "procd_$name() { tell $name \"\$@\"; }"
done
config_load() { :; }
config_get() { eval "$1=\${GIVEN_$3:-\$4}"; }
logger() { tell logger "$@"; }
chown() { tell chown "$@"; }
start() { start_service; }
"#;

/// The places of the script inside the test's folder.
fn places(folder: &TempDir) -> String {
    let path = folder.path().display();
    format!(
        "PROGRAM='{}' CAPABILITIES='{path}/capabilities.json' PASSWD='{path}/passwd' UJAIL='{path}/ujail' PING_GROUPS='{path}/groups' ZONE='{path}/zone'
        GIVEN_config='{path}/config.yaml' GIVEN_folder='{path}/data'",
        bin().display()
    )
}

#[test]
fn openwrt_starts_the_monitor_by_the_best_way_to_ping_that_it_has() {
    let folder = TempDir::new();
    folder.write("config.yaml", "hosts: [{address: 127.0.0.1}]\n");
    folder.write("passwd", "root:x:0:0::/root:/bin/ash\n");
    folder.write("groups", "1\t0\n");
    let start = |folder: &TempDir| {
        let finished = call(
            folder,
            OPENWRT,
            PROCD,
            &format!("{}\nstart_service", places(folder)),
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
    assert!(!start(&folder).contains("[env]"), "no zone is known");
    folder.write("zone", "CET-1CEST,M3.5.0,M10.5.0/3\n");
    let assert_told = |told: &str, rest: &[&str]| {
        let told: Vec<&str> = told.lines().map(str::trim_end).collect();
        let expected: Vec<&str> = common
            .iter()
            .map(String::as_str)
            .chain(rest.iter().copied())
            .collect();
        assert_eq!(told, expected);
    };
    let root = "[logger] [-t] [ace-connection-logger] [-p] [daemon.notice] [runs as root: install procd-ujail, or open \
        net.ipv4.ping_group_range, for a user of its own]";

    let as_root = [root, "[close_instance]"];
    assert_told(&start(&folder), &as_root);
    let mode = fs::metadata(folder.path().join("data"))
        .expect("it has made the folder")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o750);

    folder.write(
        "passwd",
        "root:x:0:0::/root:/bin/ash\nace-connection-logger:x:450:450::/var:/bin/false\n",
    );
    assert_told(&start(&folder), &as_root);

    let given = |name: &str| {
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
        let data = given("data");
        let as_user = [&[data.as_str(), &config][..], &user, &["[close_instance]"]].concat();
        assert_told(&start(&folder), if is_in { &as_user } else { &as_root });
    }

    add_program(&folder, "ujail", "");
    assert_told(&start(&folder), &as_root);
    folder.write("capabilities.json", "{}");
    folder.write("data/connection_logs.db", "");
    folder.write("data/connection_logs.db-wal", "");
    folder.write("data/somebody_elses", "");
    let jail = [
        "[add_jail] [ace-connection-logger]".to_string(),
        format!("[set_param] [capabilities] [{path}/capabilities.json]"),
        "[close_instance]".into(),
    ];
    let files = [
        given("data"),
        given("data/connection_logs.db"),
        given("data/connection_logs.db-wal"),
        config.clone(),
    ];
    let rest: Vec<&str> = files
        .iter()
        .map(String::as_str)
        .chain(user)
        .chain(jail.iter().map(String::as_str))
        .collect();
    assert_told(&start(&folder), &rest);
}

#[test]
fn openwrt_reloads_only_what_is_right_and_restarts_where_settings_or_mounts_change() {
    let folder = TempDir::new();
    folder.write("passwd", "");
    folder.write("config.yaml", "hosts: 5\n");
    let reload = |folder: &TempDir| {
        call(
            folder,
            OPENWRT,
            PROCD,
            &format!("{}\nreload_service", places(folder)),
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
        "procd would end what runs: {}",
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
        &format!("{}\nservice_triggers", places(&folder)),
    );
    let told: Vec<&str> = finished.stdout.lines().map(str::trim_end).collect();
    let mount = format!(
        "[add_restart_mount_trigger] [{}/data]",
        folder.path().display()
    );
    let config = "[add_config_trigger] [config.change] [ace-connection-logger] [/etc/init.d/ace-connection-logger] [restart]";
    assert_eq!(told, [config, mount.as_str()]);
    // Where procd does not know the one nothing is amiss.
    let unset = "unset -f procd_add_restart_mount_trigger";
    let finished = call(
        &folder,
        OPENWRT,
        &format!("{PROCD}\n{unset}"),
        &format!("{}\nservice_triggers", places(&folder)),
    );
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    assert_eq!(finished.stdout.trim_end(), config);
}

/// OpenRC's words.
const RC: &str = r#"
tell() { for word in "$@"; do printf '[%s] ' "$word"; done; echo; }
for name in checkpath eerror ebegin eend; do eval "$name() { tell $name \"\$@\"; }"; done
"#;

#[test]
fn openrc_gives_the_right_to_ping_where_it_can() {
    let folder = TempDir::new();
    let config = folder
        .write("config.yaml", "hosts: [{address: 127.0.0.1}]\n")
        .display()
        .to_string();
    let show = "echo \"capabilities=${capabilities-none} arguments=${supervise_daemon_args-none}\"";
    let start = |folder: &TempDir, stand_in: &str| {
        add_program(folder, "supervise-daemon", stand_in);
        let setting = format!("{RC}\nconfig='{config}'");
        let then = format!(
            "command='{}'\nstart_pre || exit 1\n{show}\necho \"$command_args\"",
            bin().display()
        );
        let finished = call(folder, OPENRC, &setting, &then);
        assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
        finished.stdout
    };
    let all = start(&folder, "exit 0");
    let told: Vec<&str> = all.lines().map(str::trim_end).collect();
    let expected = [
        "[checkpath] [--directory] [--owner] [ace-connection-logger:ace-connection-logger] [--mode] [0750] [/var/lib/ace-connection-logger]",
        "[checkpath] [--file] [--owner] [ace-connection-logger:ace-connection-logger] [--mode] [0640] [/var/log/ace-connection-logger.log]",
        "capabilities=^cap_net_raw arguments= --no-new-privs",
        &format!("monitor --strict -c {config}"),
    ];
    assert_eq!(told, expected);
    // A build without capabilities, as Debian's is, must not be given the option at all: it would
    // not start.
    let without = "case $* in *--capabilities*) exit 1 ;; esac";
    assert!(start(&folder, without).contains("capabilities=none arguments=none\n"));
    let older = "case $* in *--no-new-privs*) exit 1 ;; esac";
    assert!(start(&folder, older).contains("capabilities=^cap_net_raw arguments=none\n"));
    let asked =
        "test \"$1\" = ace-connection-logger || exit 1\ncase $* in *--help) exit 0 ;; esac\nexit 1";
    assert!(start(&folder, asked).contains("capabilities=^cap_net_raw"));
}

#[test]
fn openrc_neither_starts_nor_reloads_with_a_broken_configuration() {
    let folder = TempDir::new();
    let config = folder
        .write("config.yaml", "hosts: 5\n")
        .display()
        .to_string();
    add_program(&folder, "supervise-daemon", "echo \"supervise-daemon $*\"");
    let call = |what: &str| {
        let setting = format!("{RC}\nconfig='{config}'");
        call(
            &folder,
            OPENRC,
            &setting,
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
