//! The configurations that packages install: config.yaml with a few lines of their own, made by
//! packaging/lib/config_profile.py.

mod common;

use std::path::Path;
use std::process::{Command, Output};

use common::TempDir;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn run(script: &Path, argument: &str) -> Output {
    Command::new(script)
        .arg(argument)
        .output()
        .expect("packaging/lib/config_profile.py runs: it asks for python3")
}

fn profile(name: &str) -> String {
    let output = run(&root().join("packaging/lib/config_profile.py"), name);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The lines of a profile that config.yaml does not have, and those of config.yaml that the profile
/// does not have; comments are left out.
fn differences(name: &str) -> (Vec<String>, Vec<String>) {
    let own = std::fs::read_to_string(root().join("config.yaml")).expect("config.yaml");
    let made = profile(name);
    let without = |text: &str, other: &str| -> Vec<String> {
        let others: Vec<&str> = other.lines().collect();
        text.lines()
            .filter(|line| !others.contains(line) && !line.trim_start().starts_with('#'))
            .map(|line| line.trim_start().to_string())
            .collect()
    };
    // Nothing that config.yaml explains is lost either.
    for line in own
        .lines()
        .filter(|line| line.trim_start().starts_with('#'))
    {
        assert!(made.contains(line), "{name} is without: {line}");
    }
    (without(&made, &own), without(&own, &made))
}

#[test]
fn a_profile_is_config_yaml_with_only_these_lines_of_its_own() {
    let path = "path: connection_logs.db";
    let host = "host: localhost";
    let of = |lines: &[&str]| {
        lines
            .iter()
            .map(|line| (*line).to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        differences("system"),
        (
            of(&["path: /var/lib/ace-connection-logger/connection_logs.db"]),
            of(&[path])
        )
    );
    assert_eq!(
        differences("flash"),
        (
            of(&[
                "path: /srv/ace-connection-logger/connection_logs.db",
                "retention_days: 7",
                "flush_seconds: 300"
            ]),
            of(&[path, "retention_days: 90", "flush_seconds: 60"])
        )
    );
    assert_eq!(
        differences("container"),
        (
            of(&["path: /data/connection_logs.db", "host: 0.0.0.0"]),
            of(&[path, host])
        )
    );
}

#[test]
fn the_program_finds_no_problem_in_any_profile() {
    let folder = TempDir::new();
    for name in ["system", "flash", "container"] {
        let path = folder.write(name, &profile(name));
        let output = Command::new(common::bin())
            .args(["check-config", "--strict", "-c"])
            .arg(path)
            .output()
            .expect("it runs");
        assert!(output.status.success(), "{name}: {output:?}");
    }
}

#[test]
fn a_line_of_config_yaml_that_has_changed_is_said_and_not_passed_over() {
    let folder = TempDir::new();
    let own = std::fs::read_to_string(root().join("config.yaml")).expect("config.yaml");
    for (is_line, becomes) in [
        ("  flush_seconds: 60\n", "  flush_seconds: 61\n"),
        ("logging:\n", "  flush_seconds: 60\nlogging:\n"),
    ] {
        assert!(own.contains(is_line));
        folder.write("config.yaml", &own.replace(is_line, becomes));
        std::fs::create_dir_all(folder.path().join("packaging/lib")).expect("a folder");
        let script = folder.path().join("packaging/lib/config_profile.py");
        std::fs::copy(root().join("packaging/lib/config_profile.py"), &script).expect("a copy");
        let output = run(&script, "flash");
        assert!(!output.status.success(), "{becomes}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("flush_seconds: 60"), "{said}");
        assert!(
            run(&script, "system").status.success(),
            "which has nothing to say about that line"
        );
    }
}

#[test]
fn a_profile_that_does_not_exist_is_refused_with_those_that_do() {
    let output = run(&root().join("packaging/lib/config_profile.py"), "router");
    assert!(!output.status.success());
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "usage: packaging/lib/config_profile.py system|flash|container\n"
    );
}
