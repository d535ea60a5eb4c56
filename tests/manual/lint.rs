//! mandoc(1) and man(1) accept the manual pages without a warning.

use std::path::Path;
use std::process::Command;

use super::common::{run, skip};
use super::{COMMAND_PAGE, CONFIG_PAGE};

fn has(program: &str, test: &str) -> bool {
    let is_here = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    });
    if !is_here {
        skip(test, &format!("{program} is not here"));
    }
    is_here
}

#[test]
fn mandoc_reports_nothing_about_the_manual_pages() {
    if !has("mandoc", "mandoc_reports_nothing_about_the_manual_pages") {
        return;
    }
    for page in [COMMAND_PAGE, CONFIG_PAGE] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
        let finished = run(Command::new("mandoc")
            .args(["-T", "lint", "-W", "all"])
            .arg(path));
        // Which other pages exist and are indexed depends on this machine.
        let is_about_others = |line: &&str| {
            line.contains("referenced manual not found") || line.contains("outdated mandoc.db")
        };
        let said = format!("{}{}", finished.stdout, finished.stderr);
        let said: Vec<&str> = said.lines().filter(|line| !is_about_others(line)).collect();
        assert!(said.is_empty(), "{page}: {said:#?}");
    }
}

#[test]
fn man_shows_the_pages_without_a_warning_and_within_80_columns() {
    if !has(
        "man",
        "man_shows_the_pages_without_a_warning_and_within_80_columns",
    ) {
        return;
    }
    for page in [COMMAND_PAGE, CONFIG_PAGE] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
        let mut man = Command::new("man");
        man.args(["--warnings", "-l"])
            .arg(path)
            .env("MANWIDTH", "80")
            .env("LC_ALL", "C.UTF-8")
            .env_remove("MANROFFOPT");
        let finished = run(&mut man);
        assert_eq!(
            (finished.code, finished.stderr.as_str()),
            (Some(0), ""),
            "{page}"
        );
        assert!(
            finished.stdout.lines().count() > 100,
            "{page}: {}",
            finished.stdout
        );
        for line in finished.stdout.lines() {
            assert!(line.chars().count() <= 80, "{page}: {line}");
        }
    }
}
