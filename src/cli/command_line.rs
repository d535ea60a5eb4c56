//! Parses the command line. argh does most of the work; this file adds `--option=value`, `-oVALUE`,
//! `-vq`, and `-h`, `-V` and `--version` at every place.

use std::ffi::OsString;

use argh::{FromArgs, SubCommands};

use super::arguments::{Arguments, Command, DECLARED, Declared};
use super::exit::CliError;
use crate::pure::spelling::nearest_word;

#[derive(Debug)]
pub enum Parsed {
    /// Help or the version, to be printed.
    Text(String),
    Command(Command),
}

/// Other names of commands, which argh does not support, and the names that are declared.
pub const ALIASES: &[(&str, &str)] = &[("events", "outages")];
/// Short switches that work with every command and are declared nowhere.
const EVERYWHERE: &[char] = &['h', 'V'];

fn is_declared(argument: &str, is_wanted: impl Fn(&Declared) -> bool) -> bool {
    let mut declared = DECLARED.iter().copied().flatten();
    declared.any(|declared| declared.is_spelt(argument) && is_wanted(declared))
}

fn takes_value(argument: &str) -> bool {
    is_declared(argument, Declared::takes_value)
}

fn is_short_switch(letter: char) -> bool {
    EVERYWHERE.contains(&letter)
        || is_declared(&format!("-{letter}"), |declared| !declared.takes_value())
}

/// Parses the arguments, of which the first is the program's own name.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Parsed, CliError> {
    let mut words = Vec::new();
    for word in arguments.skip(1) {
        let word = word
            .into_string()
            .map_err(|word| CliError::Usage(format!("argument {word:?}: it is not UTF-8")))?;
        words.push(word);
    }
    let mut words = normalise(words);
    if let Some(first) = words.first_mut()
        && let Some((_, name)) = ALIASES.iter().find(|(alias, _)| alias == first)
    {
        *first = (*name).into();
    }
    let options: Vec<&str> = options_of(&words).collect();
    if options.contains(&"--version") || options.contains(&"-V") {
        return Ok(Parsed::Text(format!(
            "ace-connection-logger {}\n",
            env!("CARGO_PKG_VERSION")
        )));
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match Arguments::from_args(&["ace-connection-logger"], &words) {
        Ok(arguments) => Ok(Parsed::Command(arguments.command)),
        Err(exit) if exit.status.is_ok() => {
            Ok(Parsed::Text(format!("{}\n", exit.output.trim_end())))
        }
        Err(exit) => {
            let text = exit.output.trim_end();
            let unknown = text.strip_prefix("Unrecognized argument: ");
            Err(CliError::Usage(unknown.map_or(text.into(), |unknown| {
                describe_unknown(unknown, words.first().copied())
            })))
        }
    }
}

fn commands() -> impl Iterator<Item = &'static str> {
    Command::COMMANDS.iter().map(|command| command.name)
}

/// The message for an argument that is not known. `first` is the command, if it is one.
fn describe_unknown(unknown: &str, first: Option<&str>) -> String {
    let index = commands().position(|command| Some(command) == first);
    let (what, meant) = match index {
        None => {
            let aliases = ALIASES.iter().map(|(alias, _)| *alias);
            let meant = nearest_word(unknown, commands().chain(aliases)).map(String::from);
            ("there is no command", meant)
        }
        Some(index) if unknown.starts_with('-') => {
            let options: Vec<String> = DECLARED[index].iter().filter_map(Declared::long).collect();
            let meant = nearest_word(unknown, options.iter().map(String::as_str));
            ("there is no option", meant.map(String::from))
        }
        Some(_) => ("one argument too many:", None),
    };
    match meant {
        Some(meant) => format!("{what} {unknown}; did you mean {meant}?"),
        None => format!("{what} {unknown}"),
    }
}

/// The command that prints the help for these arguments, of which the first is the program's name.
pub fn help_command(arguments: &[OsString]) -> String {
    let words = arguments.iter().skip(1).filter_map(|word| word.to_str());
    let known = |word: &str| ALIASES.iter().any(|(alias, _)| *alias == word);
    match words
        .clone()
        .next()
        .filter(|word| known(word) || commands().any(|name| name == *word))
    {
        Some(command) => format!("ace-connection-logger {command} --help"),
        None => "ace-connection-logger --help".into(),
    }
}

/// The words before `--` without the values of options.
fn options_of(words: &[String]) -> impl Iterator<Item = &str> {
    let mut is_value = false;
    words
        .iter()
        .map(String::as_str)
        .take_while(|word| *word != "--")
        .filter(move |word| {
            let was_value = is_value;
            is_value = !was_value && takes_value(word);
            !was_value
        })
}

/// Splits `--option=value`, `-oVALUE` and `-vq` into words and replaces `-h` by `--help`. What
/// follows `--`, and the values of options, stay unchanged.
fn normalise(words: Vec<String>) -> Vec<String> {
    let mut normal = Vec::with_capacity(words.len());
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if word == "--" {
            normal.push(word);
            normal.extend(words.by_ref());
        } else if takes_value(&word) {
            normal.push(word);
            normal.extend(words.next());
        } else if let Some((option, value)) = word
            .split_once('=')
            .filter(|(option, _)| option.starts_with("--"))
        {
            normal.extend([option.to_string(), value.to_string()]);
        } else if word == "-h" {
            normal.push("--help".into());
        } else if word.starts_with('-') && !word.starts_with("--") && word.len() > 2 {
            normal.extend(split_short(&word));
        } else {
            normal.push(word);
        }
    }
    normal
}

fn split_short(word: &str) -> Vec<String> {
    let letters = &word[1..];
    let value_at = letters
        .char_indices()
        .find(|(_, letter)| takes_value(&format!("-{letter}")));
    let (switches, option) = match value_at {
        Some((at, letter)) => (
            &letters[..at],
            Some((letter, &letters[at + letter.len_utf8()..])),
        ),
        None => (letters, None),
    };
    if !switches.chars().all(is_short_switch) {
        return vec![word.to_string()];
    }
    let mut split: Vec<String> = switches
        .chars()
        .map(|letter| {
            if letter == 'h' {
                "--help".into()
            } else {
                format!("-{letter}")
            }
        })
        .collect();
    if let Some((letter, value)) = option {
        split.push(format!("-{letter}"));
        split.extend(
            (!value.is_empty()).then(|| value.strip_prefix('=').unwrap_or(value).to_string()),
        );
    }
    split
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        normalise(line.split(' ').map(String::from).collect())
    }

    #[test]
    fn an_option_and_its_value_may_be_one_word() {
        assert_eq!(
            words("check --config=a.yaml x"),
            ["check", "--config", "a.yaml", "x"]
        );
        assert_eq!(words("check -ca.yaml"), ["check", "-c", "a.yaml"]);
        assert_eq!(words("check -c=a.yaml"), ["check", "-c", "a.yaml"]);
        assert_eq!(
            words("check -vqca.yaml"),
            ["check", "-v", "-q", "-c", "a.yaml"]
        );
        assert_eq!(words("check --config=a=b"), ["check", "--config", "a=b"]);
        assert_eq!(
            words("check -vc a.yaml -h"),
            ["check", "-v", "-c", "a.yaml", "--help"]
        );
    }

    #[test]
    fn values_and_what_follows_two_dashes_stay_unchanged() {
        assert_eq!(words("check -c --version"), ["check", "-c", "--version"]);
        assert_eq!(words("check --config -vq"), ["check", "--config", "-vq"]);
        assert_eq!(words("check -- -h --a=b"), ["check", "--", "-h", "--a=b"]);
        assert_eq!(words("check -xyz"), ["check", "-xyz"]);
    }

    fn parse_line(line: &str) -> Result<Parsed, CliError> {
        parse(
            std::iter::once("program")
                .chain(line.split(' '))
                .map(OsString::from),
        )
    }

    #[test]
    fn help_and_version_work_everywhere_and_are_not_errors() {
        for line in ["--version", "-V", "status --version", "check -V"] {
            let Ok(Parsed::Text(text)) = parse_line(line) else {
                panic!("{line}")
            };
            assert_eq!(
                text,
                format!("ace-connection-logger {}\n", env!("CARGO_PKG_VERSION"))
            );
        }
        for line in ["--help", "-h", "help", "status -h", "check --help"] {
            assert!(
                matches!(parse_line(line), Ok(Parsed::Text(text)) if text.contains("Usage: ace-connection-logger")),
                "{line}"
            );
        }
    }

    #[test]
    fn an_unknown_command_option_or_value_is_a_usage_error() {
        for line in [
            "frobnicate",
            "status --nope",
            "cleanup-continuous --interval=0",
            "cleanup-continuous -i x",
            "import",
            "status extra",
            "dashboard --port=0",
            "report --days 0",
            "report --month 2026-13",
            "report --from yesterday",
            "report --format pdf",
            "monitor --port 65536",
            "alert-test --event=sideways",
        ] {
            assert!(
                matches!(parse_line(line), Err(CliError::Usage(_))),
                "{line}"
            );
        }
    }

    #[test]
    fn every_option_that_takes_a_value_is_recognised_as_one() {
        // argh's help shows them as `--option <value>`.
        for command in [
            "init-config",
            "check-config",
            "monitor",
            "dashboard",
            "check",
            "status",
            "cleanup",
            "cleanup-continuous",
            "outages",
            "export",
            "import",
            "backup",
            "report",
            "doctor",
            "alert-test",
        ] {
            let Ok(Parsed::Text(help)) = parse_line(&format!("{command} --help")) else {
                panic!("{command}")
            };
            let usage = help.split("\n\n").next().expect("a usage line");
            for part in usage.split('[').skip(1).filter(|part| {
                part.starts_with('-') && !part.starts_with("--]") && part.contains('<')
            }) {
                let option = part.split(' ').next().expect("an option");
                assert!(takes_value(option), "{command} {option}");
            }
        }
    }
}
