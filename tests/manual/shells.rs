//! The completions, run by bash, zsh and fish: each offers exactly what the program accepts. src/cli/completions compares the files with the declared arguments.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::assert_same;
use super::common::{TempDir, run, skip};
use super::help::{self, Help};

const PROGRAM: &str = "ace-connection-logger";
/// Stands for file names among the offered words.
const FILES: &str = "(files)";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/completions")
}

/// A shell with completion. The cursor is at the end of the line.
trait Shell {
    const NAME: &'static str;
    fn command(line: &str) -> Command;
    /// Brings the shell's output to the common form.
    fn tidy(offered: Vec<String>) -> Vec<String> {
        offered
    }
}

struct Bash;
impl Shell for Bash {
    const NAME: &'static str = "bash";

    /// Without a terminal: calls the function with the words as bash splits them. Readline completes
    /// file names unless the function calls `compopt`.
    fn command(line: &str) -> Command {
        const SCRIPT: &str = r#"source "$1"
shift
offered='(files)'
compopt() { offered=; }
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_ace_connection_logger
printf '%s\n' $offered "${COMPREPLY[@]}""#;
        let mut words: Vec<String> = Vec::new();
        for word in line.split(' ') {
            match word.split_once('=') {
                Some((option, value)) => {
                    words.extend([option.to_string(), "=".into(), value.to_string()])
                }
                None => words.push(word.to_string()),
            }
        }
        let mut bash = Command::new("bash");
        bash.args(["--norc", "--noprofile", "-c", SCRIPT, "bash"])
            .arg(folder().join("ace-connection-logger.bash"))
            .args(words);
        bash
    }
}

struct Fish;
impl Shell for Fish {
    const NAME: &'static str = "fish";

    fn command(line: &str) -> Command {
        let file = folder().join("ace-connection-logger.fish");
        let mut fish = Command::new("fish");
        fish.args(["--no-config", "-c"])
            .arg(format!("source {}; complete -C '{line}'", file.display()));
        fish
    }

    fn tidy(offered: Vec<String>) -> Vec<String> {
        // A word, a tab and a description; after `--option=` the whole word.
        let word = |line: String| line.split('\t').next().unwrap_or_default().to_string();
        let value = |word: String| {
            word.split_once('=')
                .map_or(word.clone(), |(_, value)| value.to_string())
        };
        offered.into_iter().map(word).map(value).collect()
    }
}

struct Zsh;
impl Shell for Zsh {
    const NAME: &'static str = "zsh";

    /// Completes only on a terminal, so a pseudo-terminal is used. compadd receives the offered words.
    fn command(line: &str) -> Command {
        const SCRIPT: &str = r#"zmodload zsh/zpty
offered=$PWD/.offered
zpty child zsh -f -i
zpty -w child "PROMPT= ; stty -echo ; fpath=(${(q)1} \$fpath) ; autoload -Uz compinit ; compinit -D -u"
zpty -w child "compadd() {
    local -a matching
    [[ \" \${(j: :)@[1,(i)(-|--)]} \" == *\ -[OAD]\ * ]] || builtin compadd -A matching \"\$@\"
    [[ -n \$matching ]] && print -rl -- \$matching >>${(q)offered}
    builtin compadd \"\$@\"
}
over() { exit }
comppostfuncs=(over)
bindkey '^I' complete-word
print re'ady'"
zpty -r child line '*ready*'
zpty -n -w child "$2"$'\t'
while zpty -r child line; do :; done
[[ ! -f $offered ]] || cat $offered"#;
        let mut zsh = Command::new("zsh");
        zsh.args(["-f", "-c", SCRIPT, "zsh"])
            .arg(folder())
            .arg(line)
            .env("TERM", "dumb");
        zsh
    }
}

/// The words that a shell offers after a line, in a folder with one file.
fn offered<S: Shell>(line: &str) -> Vec<String> {
    let folder = TempDir::new();
    folder.write("only-file.db", "");
    let mut command = S::command(line);
    // An empty home, so that no settings of the user are loaded.
    let finished = run(command
        .current_dir(folder.path())
        .env("HOME", folder.path())
        .env_remove("ZDOTDIR"));
    assert_eq!(finished.stderr, "", "{} {line:?}", S::NAME);
    let lines = finished
        .stdout
        .lines()
        .filter(|line| !line.is_empty())
        .map(String::from)
        .collect();
    S::tidy(lines)
        .into_iter()
        .map(|word| {
            if word == "only-file.db" {
                FILES.into()
            } else {
                word
            }
        })
        .collect()
}

fn is_here<S: Shell>(test: &str) -> bool {
    let is_here = Command::new(S::NAME)
        .args(["-c", "exit 0"])
        .status()
        .is_ok_and(|status| status.success());
    if !is_here {
        skip(test, &format!("{} is not here", S::NAME));
    }
    is_here
}

fn options(command: &Help) -> Vec<String> {
    let spelt = command.choices.iter().flat_map(|choice| {
        choice
            .short
            .map(|short| format!("-{short}"))
            .into_iter()
            .chain([choice.long.clone()])
            .collect::<Vec<_>>()
    });
    // `--help` lists neither -h nor the version.
    spelt
        .chain(["-h", "-V", "--version"].map(String::from))
        .collect()
}

fn completes_all<S: Shell>(test: &str) {
    if !is_here::<S>(test) {
        return;
    }
    let commands = help::all();
    let names: Vec<String> = commands
        .iter()
        .map(|command| command.name.clone())
        .chain(["events".into()])
        .collect();
    let words: Vec<String> = offered::<S>(&format!("{PROGRAM} "))
        .into_iter()
        .filter(|word| !word.starts_with('-'))
        .collect();
    assert_same("commands", (S::NAME, words), ("--help", names));
    for command in &commands {
        let words = offered::<S>(&format!("{PROGRAM} {} -", command.name));
        assert_same(
            &command.name,
            (S::NAME, words),
            ("--help", options(command)),
        );
    }
    let outages = commands
        .iter()
        .find(|command| command.name == "outages")
        .expect("it is there");
    // A value that equals the name of a command is no command.
    for line in ["events", "outages --host report", "outages -c check -v"] {
        let words = offered::<S>(&format!("{PROGRAM} {line} --"));
        let given = |option: &String| {
            line.split(' ')
                .any(|word| word == option || word == "-v" && option == "--verbose")
        };
        let is_once = |option: &String| {
            option.starts_with("--")
                && !given(option)
                && !(line.contains("-c") && option == "--config")
        };
        let words: Vec<String> = words.into_iter().filter(is_once).collect();
        assert_same(
            line,
            (S::NAME, words),
            ("--help", options(outages).into_iter().filter(is_once)),
        );
    }
}

/// Lines, and the words that are offered after them.
const VALUES: &[(&str, &[&str])] = &[
    ("mon", &["monitor"]),
    (
        "export --format ",
        &["csv", "jsonl", "openmetrics", "sqlite"],
    ),
    (
        "export --format=",
        &["csv", "jsonl", "openmetrics", "sqlite"],
    ),
    ("export --format=js", &["jsonl"]),
    ("report --format ", &["text", "html", "csv", "json"]),
    (
        "alert-test --event=",
        &[
            "down", "up", "degraded", "incident", "loss", "database", "digest",
        ],
    ),
    ("monitor -c ", &[FILES]),
    ("monitor --config ", &[FILES]),
    ("monitor --config=", &[FILES]),
    ("report -o ", &[FILES]),
    ("import ", &[FILES]),
    ("backup ", &[FILES]),
    ("cleanup-continuous --interval ", &[]),
    ("report --month ", &[]),
    ("outages --host ", &[]),
    ("check -- -", &[]),
];

fn completes_values<S: Shell>(test: &str) {
    if !is_here::<S>(test) {
        return;
    }
    for (line, expected) in VALUES {
        let mut words = offered::<S>(&format!("{PROGRAM} {line}"));
        let mut expected: Vec<String> = expected.iter().map(|word| word.to_string()).collect();
        words.sort();
        expected.sort();
        assert_eq!(words, expected, "{} {line:?}", S::NAME);
    }
}

#[test]
fn bash_completes_every_command_and_option() {
    completes_all::<Bash>("bash_completes_every_command_and_option");
}

#[test]
fn bash_completes_words_and_files() {
    completes_values::<Bash>("bash_completes_words_and_files");
}

#[test]
fn fish_completes_every_command_and_option() {
    completes_all::<Fish>("fish_completes_every_command_and_option");
}

#[test]
fn fish_completes_words_and_files() {
    completes_values::<Fish>("fish_completes_words_and_files");
}

#[test]
fn zsh_completes_every_command_and_option() {
    completes_all::<Zsh>("zsh_completes_every_command_and_option");
}

#[test]
fn zsh_completes_words_and_files() {
    completes_values::<Zsh>("zsh_completes_words_and_files");
}
