//! The completions of bash, zsh and fish, generated from the declared arguments. Compiled only for
//! tests: the generated files are in packaging/completions, and a test below compares them.
//!
//! argh_complete does the same for any program, but knows neither file names nor the words of an
//! option, and mistakes a value that is called like a command for the command.

mod bash;
mod fish;
mod zsh;

use std::collections::BTreeSet;
use std::ffi::OsString;

use argh::{ArgsInfo, FlagInfo, FlagInfoKind, Optionality, PositionalInfo, SubCommandInfo};

use super::arguments::Arguments;
use super::command_line::{ALIASES, parse};

const PROGRAM: &str = "ace-connection-logger";
/// The name of functions in bash and fish.
const FUNCTION: &str = "_ace_connection_logger";

/// What follows an option, or is expected as a positional argument.
#[derive(Clone, PartialEq)]
enum Value {
    File,
    /// One of these.
    Words(Vec<String>),
    /// Free text that is called so.
    Text(&'static str),
}

#[derive(Clone, PartialEq)]
struct CommandOption {
    short: Option<char>,
    long: &'static str,
    help: &'static str,
    /// `None` for a switch.
    value: Option<Value>,
}

struct Command {
    /// The name, followed by its aliases.
    names: Vec<&'static str>,
    help: &'static str,
    options: Vec<CommandOption>,
    positional: Option<Positional>,
}

struct Positional {
    value: Value,
    is_repeated: bool,
}

/// The options of the program itself and of every command. argh declares only `--help`.
const EVERYWHERE: [CommandOption; 2] = [
    CommandOption {
        short: Some('h'),
        long: "--help",
        help: "print usage information",
        value: None,
    },
    CommandOption {
        short: Some('V'),
        long: "--version",
        help: "print the version",
        value: None,
    },
];

fn commands() -> Vec<Command> {
    Arguments::get_args_info()
        .commands
        .iter()
        .map(command)
        .collect()
}

/// The options that every command has.
fn common() -> Vec<CommandOption> {
    let commands = commands();
    let is_common = |option: &&CommandOption| {
        commands
            .iter()
            .all(|command| command.options.contains(option))
    };
    commands[0]
        .options
        .iter()
        .filter(is_common)
        .cloned()
        .collect()
}

fn command(info: &SubCommandInfo) -> Command {
    let name: &'static str = info.name;
    let aliases = ALIASES
        .iter()
        .filter(|(_, declared)| *declared == name)
        .map(|(alias, _)| *alias);
    let own = info
        .command
        .flags
        .iter()
        .filter(|flag| flag.long != "--help")
        .map(|flag| option(name, flag));
    let first_sentence = info.command.description.split(". ").next();
    Command {
        names: std::iter::once(name).chain(aliases).collect(),
        help: first_sentence.unwrap_or_default().trim_end_matches('.'),
        options: own.chain(EVERYWHERE).collect(),
        positional: info.command.positionals.first().map(positional),
    }
}

fn positional(info: &PositionalInfo<'static>) -> Positional {
    Positional {
        value: match info.name {
            "file" => Value::File,
            name => Value::Text(name),
        },
        is_repeated: info.optionality == Optionality::Repeating,
    }
}

fn option(command: &str, flag: &FlagInfo<'static>) -> CommandOption {
    let value = match flag.kind {
        FlagInfoKind::Switch => None,
        FlagInfoKind::Option {
            arg_name: "file" | "path",
        } => Some(Value::File),
        FlagInfoKind::Option { arg_name } => {
            Some(words_of(command, flag.long).map_or(Value::Text(arg_name), Value::Words))
        }
    };
    // The words after a colon are offered themselves.
    let before_colon = flag
        .description
        .split_once(": ")
        .map(|(before, _)| before)
        .filter(|before| !before.contains('('));
    CommandOption {
        short: flag.short,
        long: flag.long,
        help: before_colon.unwrap_or(flag.description),
        value,
    }
}

/// The words that an option allows, taken from the error message for another word.
fn words_of(command: &str, option: &str) -> Option<Vec<String>> {
    let line = [PROGRAM, command, option, "?"].map(OsString::from);
    let error = parse(line.into_iter()).err()?.to_string();
    let (_, words) = error.split_once(" is none of ")?;
    Some(words.split(", ").map(String::from).collect())
}

impl CommandOption {
    /// `-s` where it exists, and `--long`.
    fn spellings(&self) -> Vec<String> {
        self.short
            .map(|short| format!("-{short}"))
            .into_iter()
            .chain([self.long.to_string()])
            .collect()
    }
}

fn header(shell: &str) -> String {
    format!(
        "# Completions of {PROGRAM} for {shell}, generated from src/cli/arguments.rs by src/cli/completions.\n\n"
    )
}

/// In single quotes, for zsh and fish. Texts contain no backslashes, which fish would need escaped.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[test]
fn the_checked_in_completions_are_those_of_the_declared_arguments() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/completions");
    let is_to_be_written = std::env::var_os("WRITE_COMPLETIONS").is_some();
    let generated = [
        ("ace-connection-logger.bash", bash::completions()),
        ("_ace-connection-logger", zsh::completions()),
        ("ace-connection-logger.fish", fish::completions()),
    ];
    for (name, text) in generated {
        let path = folder.join(name);
        if is_to_be_written {
            std::fs::create_dir_all(&folder).expect("the folder can be made");
            std::fs::write(&path, &text).expect("the file can be written");
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == text,
            "{} differs from src/cli/arguments.rs; generate it with: WRITE_COMPLETIONS=1 cargo test --lib completions",
            path.display()
        );
    }
}

#[test]
fn an_option_that_allows_only_some_words_is_completed_by_all_of_them() {
    let words: BTreeSet<String> = commands()
        .iter()
        .flat_map(|command| {
            command
                .options
                .iter()
                .map(move |option| (command.names[0], option))
        })
        .filter_map(|(command, option)| match &option.value {
            Some(Value::Words(words)) => {
                Some(format!("{command} {} {}", option.long, words.join(" ")))
            }
            _ => None,
        })
        .collect();
    let expected = [
        "alert-test --event down up degraded incident loss database digest",
        "export --format csv jsonl openmetrics sqlite",
        "report --format text html csv json",
    ];
    assert_eq!(words, BTreeSet::from(expected.map(String::from)));
}
