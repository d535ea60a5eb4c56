//! The configurations that packages install: config.yaml with some lines replaced by
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
        .expect("packaging/lib/config_profile.py runs, which needs python3")
}

fn profile(name: &str) -> String {
    let output = run(&root().join("packaging/lib/config_profile.py"), name);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The lines that only the profile has, and the lines that only config.yaml has, without comments.
fn differences(name: &str) -> (Vec<String>, Vec<String>) {
    let original = std::fs::read_to_string(root().join("config.yaml")).expect("config.yaml");
    let made = profile(name);
    let without = |text: &str, other: &str| -> Vec<String> {
        let others: Vec<&str> = other.lines().collect();
        text.lines()
            .filter(|line| !others.contains(line) && !line.trim_start().starts_with('#'))
            .map(|line| line.trim_start().to_string())
            .collect()
    };
    // The profile has every comment of config.yaml.
    for line in original
        .lines()
        .filter(|line| line.trim_start().starts_with('#'))
    {
        assert!(made.contains(line), "{name} lacks: {line}");
    }
    (without(&made, &original), without(&original, &made))
}

#[test]
fn a_profile_differs_from_config_yaml_only_in_these_lines() {
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
fn a_profile_fails_where_config_yaml_lacks_a_line_that_it_replaces() {
    let folder = TempDir::new();
    let read = |path| std::fs::read_to_string(root().join(path)).expect("a file of the project");
    let original = read("config.yaml");
    let text = read("packaging/lib/config_profile.py");
    for (line, replacement) in [
        ("  flush_seconds: 60\n", "  flush_seconds: 61\n"),
        ("logging:\n", "  flush_seconds: 60\nlogging:\n"),
    ] {
        assert!(original.contains(line));
        folder.write("config.yaml", &original.replace(line, replacement));
        std::fs::create_dir_all(folder.path().join("packaging/lib")).expect("a folder");
        let script = folder.write_program("packaging/lib/config_profile.py", &text);
        let output = run(&script, "flash");
        assert!(!output.status.success(), "{replacement}");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.contains("flush_seconds: 60"), "{stderr}");
        assert!(
            run(&script, "system").status.success(),
            "this profile does not replace that line"
        );
    }
}

#[test]
fn an_unknown_profile_is_refused_with_a_list_of_the_known_ones() {
    let output = run(&root().join("packaging/lib/config_profile.py"), "router");
    assert!(!output.status.success());
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "usage: packaging/lib/config_profile.py system|flash|container\n"
    );
}
