//! The manual pages, --help, config.yaml, the README, docs/ and the completions agree with the
//! program. Each is read as its reader reads it: --help from the program, keys and ranges from its
//! own messages, the manual pages as mdoc, the completions by the shells themselves.

#[path = "../common/mod.rs"]
mod common;

mod commands;
mod help;
mod keys;
mod links;
mod lint;
mod page;
mod shells;
mod sources;

use std::path::PathBuf;

/// The text of a file of this repository.
fn read(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The manual page of the commands.
const COMMAND_PAGE: &str = "man/ace-connection-logger.8";
/// The manual page of the configuration.
const CONFIG_PAGE: &str = "man/ace-connection-logger.yaml.5";

/// The file with the table of commands and the exit statuses.
const COMMANDS_FILE: &str = "docs/commands.md";
/// The file with the table of HTTP paths.
const HTTP_FILE: &str = "docs/http-api.md";

/// Asserts that two sets are equal, and names what only one of them has.
fn assert_same<T: Ord + Clone + std::fmt::Debug>(
    what: &str,
    (left_name, left): (&str, impl IntoIterator<Item = T>),
    (right_name, right): (&str, impl IntoIterator<Item = T>),
) {
    use std::collections::BTreeSet;
    let (left, right): (BTreeSet<T>, BTreeSet<T>) =
        (left.into_iter().collect(), right.into_iter().collect());
    let only_left: Vec<&T> = left.difference(&right).collect();
    let only_right: Vec<&T> = right.difference(&left).collect();
    assert!(
        only_left.is_empty(),
        "{what}: only in {left_name}: {only_left:?}"
    );
    assert!(
        only_right.is_empty(),
        "{what}: only in {right_name}: {only_right:?}"
    );
}
