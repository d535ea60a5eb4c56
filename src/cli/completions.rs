//! The completions of bash, zsh and fish, made from the definitions of the arguments. Only tests
//! have this module: what is made lies in packaging/completions, and the test below holds it equal.
//! argh_complete, which does the same for any program, knows neither file names nor the words of an
//! option, and takes a value that is called like a command for one.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Write;

use argh::{ArgsInfo, FlagInfo, FlagInfoKind, Optionality, PositionalInfo, SubCommandInfo};

use super::arguments::{Arguments, SECOND_NAMES, parse};

const PROGRAM: &str = "ace-connection-logger";
/// The name of functions in bash and fish.
const FUNCTION: &str = "_ace_connection_logger";

/// What stands behind an option or for a positional argument.
#[derive(Clone, PartialEq)]
enum Value {
    /// A file.
    File,
    /// One of these.
    Words(Vec<String>),
    /// Whatever is called so.
    Other(&'static str),
}

#[derive(Clone, PartialEq)]
struct Choice {
    short: Option<char>,
    long: &'static str,
    about: &'static str,
    /// `None` for a switch.
    value: Option<Value>,
}

struct Command {
    /// The name, and second ones behind it.
    names: Vec<&'static str>,
    about: &'static str,
    choices: Vec<Choice>,
    /// What goes without an option, and whether it may be several.
    positional: Option<(Value, bool)>,
}

/// What may be asked of the program itself and of every command, though argh has defined only one
/// word of it.
const EVERYWHERE: [Choice; 2] = [
    Choice {
        short: Some('h'),
        long: "--help",
        about: "display usage information",
        value: None,
    },
    Choice {
        short: Some('V'),
        long: "--version",
        about: "print the version",
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

/// What every command has.
fn common() -> Vec<Choice> {
    let commands = commands();
    let is_common = |choice: &&Choice| {
        commands
            .iter()
            .all(|command| command.choices.contains(choice))
    };
    commands[0]
        .choices
        .iter()
        .filter(is_common)
        .cloned()
        .collect()
}

fn command(info: &SubCommandInfo) -> Command {
    let name: &'static str = info.name;
    let second = SECOND_NAMES
        .iter()
        .filter(|(_, first)| *first == name)
        .map(|(second, _)| *second);
    let own = info
        .command
        .flags
        .iter()
        .filter(|flag| flag.long != "--help")
        .map(|flag| choice(name, flag));
    let positional =
        info.command
            .positionals
            .first()
            .map(|positional: &PositionalInfo<'static>| {
                let value = if positional.name == "file" {
                    Value::File
                } else {
                    Value::Other(positional.name)
                };
                (value, positional.optionality == Optionality::Repeating)
            });
    let about = info
        .command
        .description
        .split(". ")
        .next()
        .unwrap_or_default()
        .trim_end_matches('.');
    Command {
        names: std::iter::once(name).chain(second).collect(),
        about,
        choices: own.chain(EVERYWHERE).collect(),
        positional,
    }
}

fn choice(command: &str, flag: &FlagInfo<'static>) -> Choice {
    let value = match flag.kind {
        FlagInfoKind::Switch => None,
        FlagInfoKind::Option {
            arg_name: "file" | "path",
        } => Some(Value::File),
        FlagInfoKind::Option { arg_name } => {
            Some(words_of(command, flag.long).map_or(Value::Other(arg_name), Value::Words))
        }
    };
    // What it is in short; the values that follow a colon are offered themselves.
    let about = flag
        .description
        .split_once(": ")
        .map(|(about, _)| about)
        .filter(|about| !about.contains('('));
    Choice {
        short: flag.short,
        long: flag.long,
        about: about.unwrap_or(flag.description),
        value,
    }
}

/// The words that an option takes, as its own refusal of another names them.
fn words_of(command: &str, option: &str) -> Option<Vec<String>> {
    let line = [PROGRAM, command, option, "?"].map(OsString::from);
    let refusal = parse(line.into_iter()).err()?.to_string();
    let (_, words) = refusal.split_once(" is none of ")?;
    Some(words.split(", ").map(String::from).collect())
}

impl Choice {
    /// As they are typed.
    fn spelt(&self) -> Vec<String> {
        self.short
            .map(|short| format!("-{short}"))
            .into_iter()
            .chain([self.long.to_string()])
            .collect()
    }
}

fn spelt(choices: &[Choice]) -> String {
    choices
        .iter()
        .flat_map(Choice::spelt)
        .collect::<Vec<_>>()
        .join(" ")
}

fn head(shell: &str) -> String {
    format!(
        "# Completions of {PROGRAM} for {shell}, made from src/cli/arguments.rs by src/cli/completions.rs.\n\n"
    )
}

// -- bash
// -----------------------------------------------------------------------------------------------------------

/// Files are left to readline itself, which knows more of them than a list of names: hence `-o
/// default`, and the word that takes it back for everything else. bash 3.2, which macOS has, does
/// not know that word and offers files too often.
fn bash() -> String {
    let (commands, common) = (commands(), common());
    let names: Vec<&str> = commands
        .iter()
        .flat_map(|command| command.names.iter().copied())
        .collect();
    let mut text = head("bash");
    let _ = write!(
        text,
        r#"{FUNCTION}() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} command= ended= words= word
    local common='{}'
    # bash takes --option=value for three words.
    if [[ $current == = ]]; then
        current=
    elif [[ $before == = ]]; then
        before=${{COMP_WORDS[COMP_CWORD - 2]}}
    fi
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD - 1}}"; do
        if [[ $word == -- ]]; then
            ended=yes before=
        elif [[ -z $command && $word != -* ]]; then
            command=$word
        fi
    done
    COMPREPLY=()
    # Where this returns, files are offered.
    case $command:$before in
        :*) words='{} {}' ;;
"#,
        spelt(&common),
        names.join(" "),
        spelt(&EVERYWHERE)
    );
    for choice in common.iter().filter(|choice| choice.value.is_some()) {
        let _ = writeln!(text, "        {}", bash_value(&["*"], choice));
    }
    for command in &commands {
        let own: Vec<Choice> = command
            .choices
            .iter()
            .filter(|choice| !common.contains(choice))
            .cloned()
            .collect();
        for choice in own.iter().filter(|choice| choice.value.is_some()) {
            let _ = writeln!(text, "        {}", bash_value(&command.names, choice));
        }
        let words = format!("{} $common", spelt(&own)).trim_start().to_string();
        let any = patterns(&command.names, &["*".to_string()]);
        let _ = match &command.positional {
            Some((Value::File, _)) => writeln!(
                text,
                "        {any})\n            if [[ $ended || $current != -* ]]; then return; fi\n            words=\"{words}\"\n            ;;"
            ),
            _ => writeln!(text, "        {any}) words=\"{words}\" ;;"),
        };
    }
    let _ = write!(
        text,
        r#"    esac
    compopt +o default 2>/dev/null
    if [[ -z $ended ]]; then
        COMPREPLY=($(compgen -W "$words" -- "$current"))
    fi
}}

complete -o default -F {FUNCTION} {PROGRAM}
"#
    );
    text
}

/// What is offered behind an option.
fn bash_value(names: &[&str], choice: &Choice) -> String {
    let patterns = patterns(names, &choice.spelt());
    match &choice.value {
        Some(Value::File) => format!("{patterns}) return ;;"),
        Some(Value::Words(words)) => format!("{patterns}) words='{}' ;;", words.join(" ")),
        Some(Value::Other(_)) | None => format!("{patterns}) ;;"),
    }
}

/// A command, a colon and the word before, each with each.
fn patterns(names: &[&str], words: &[String]) -> String {
    let all = names
        .iter()
        .flat_map(|name| words.iter().map(move |word| format!("{name}:{word}")));
    all.collect::<Vec<_>>().join(" | ")
}

// -- zsh
// ------------------------------------------------------------------------------------------------------------

fn zsh() -> String {
    let (commands, common) = (commands(), common());
    let indented = |choices: &[Choice], indent: &str| -> String {
        choices
            .iter()
            .map(|choice| format!("{indent}{}\n", zsh_option(choice)))
            .collect()
    };
    let names: String = commands
        .iter()
        .flat_map(|command| {
            command
                .names
                .iter()
                .map(|name| quoted(&format!("{name}:{}", command.about)))
        })
        .map(|name| format!("                {name}\n"))
        .collect();
    let mut text = format!(
        r#"#compdef {PROGRAM}
{}_{PROGRAM}() {{
    local curcontext=$curcontext context state state_descr line
    local -A opt_args
    local -a commands everywhere common
    everywhere=(
{}    )
    common=(
{}    )
    _arguments -C -S $everywhere '1: :->command' '*:: :->arguments' && return
    case $state in
        command)
            commands=(
{names}            )
            _describe -t commands command commands
            ;;
        arguments)
            case $words[1] in
"#,
        head("zsh"),
        indented(&EVERYWHERE, "        "),
        indented(&common, "        "),
    );
    for command in &commands {
        let mut specs: Vec<String> = command
            .choices
            .iter()
            .filter(|choice| !common.contains(choice))
            .map(zsh_option)
            .collect();
        if let Some((value, may_be_several)) = &command.positional {
            let which = if *may_be_several { "*" } else { "1" };
            specs.push(quoted(&format!("{which}{}", zsh_value(value))));
        }
        let specs: String = specs
            .iter()
            .map(|spec| format!(" \\\n                        {spec}"))
            .collect();
        let _ = writeln!(
            text,
            "                {})\n                    _arguments -s -S $common{specs}\n                    ;;",
            command.names.join(" | ")
        );
    }
    let _ = write!(
        text,
        "            esac\n            ;;\n    esac\n}}\n\n_{PROGRAM} \"$@\"\n"
    );
    text
}

/// One argument of `_arguments`.
fn zsh_option(choice: &Choice) -> String {
    let about = choice.about.replace('[', "\\[").replace(']', "\\]");
    let value = choice.value.as_ref().map(zsh_value).unwrap_or_default();
    let (with_short, with_long) = if choice.value.is_some() {
        ("+", "=")
    } else {
        ("", "")
    };
    match choice.short {
        Some(short) => {
            let excluded = if EVERYWHERE.contains(choice) {
                "- *".to_string()
            } else {
                choice.spelt().join(" ")
            };
            let spelt = format!("{{-{short}{with_short},{}{with_long}}}", choice.long);
            format!(
                "'({excluded})'{spelt}{}",
                quoted(&format!("[{about}]{value}"))
            )
        }
        None => quoted(&format!("{}{with_long}[{about}]{value}", choice.long)),
    }
}

fn zsh_value(value: &Value) -> String {
    match value {
        Value::File => ":file:_files".into(),
        Value::Words(words) => format!(":word:({})", words.join(" ")),
        Value::Other(name) => format!(":{name}: "),
    }
}

// -- fish
// -----------------------------------------------------------------------------------------------------------

fn fish() -> String {
    let (commands, common) = (commands(), common());
    let mut text = head("fish");
    let _ = write!(
        text,
        r#"function _{FUNCTION}_command -d 'The command of the line, where it has one yet'
    for word in (commandline -opc)[2..]
        if not string match -q -- '-*' $word
            echo $word
            return
        end
    end
    return 1
end

function _{FUNCTION}_is -d 'Whether the command of the line is one of these'
    contains -- (_{FUNCTION}_command) $argv
end

complete -c {PROGRAM} -f
"#
    );
    for command in &commands {
        for name in &command.names {
            let about = quoted(command.about);
            let _ = writeln!(
                text,
                "complete -c {PROGRAM} -n 'not _{FUNCTION}_command' -a {name} -d {about}"
            );
        }
    }
    for choice in &common {
        let condition = if EVERYWHERE.contains(choice) {
            String::new()
        } else {
            format!(" -n _{FUNCTION}_command")
        };
        let _ = writeln!(
            text,
            "complete -c {PROGRAM}{condition}{}",
            fish_option(choice)
        );
    }
    // What several commands have alike is said once.
    let mut said = common;
    for choice in commands.iter().flat_map(|command| &command.choices) {
        if said.contains(choice) {
            continue;
        }
        said.push(choice.clone());
        let having = commands
            .iter()
            .filter(|command| command.choices.contains(choice));
        let names: Vec<&str> = having
            .flat_map(|command| command.names.iter().copied())
            .collect();
        let condition = format!("_{FUNCTION}_is {}", names.join(" "));
        let _ = writeln!(
            text,
            "complete -c {PROGRAM} -n '{condition}'{}",
            fish_option(choice)
        );
    }
    for command in commands
        .iter()
        .filter(|command| matches!(command.positional, Some((Value::File, _))))
    {
        let _ = writeln!(
            text,
            "complete -c {PROGRAM} -n '_{FUNCTION}_is {}' -F",
            command.names.join(" ")
        );
    }
    text
}

fn fish_option(choice: &Choice) -> String {
    let short = choice
        .short
        .map(|short| format!(" -s {short}"))
        .unwrap_or_default();
    let value = match &choice.value {
        None => String::new(),
        Some(Value::File) => " -r -F".into(),
        Some(Value::Words(words)) => format!(" -x -a '{}'", words.join(" ")),
        Some(Value::Other(_)) => " -x".into(),
    };
    format!(
        "{short} -l {}{value} -d {}",
        choice.long.trim_start_matches("--"),
        quoted(choice.about)
    )
}

/// In single quotes, for zsh and fish alike: neither needs more for a text without backslashes at
/// its end.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

// -- tests
// ----------------------------------------------------------------------------------------------------------

#[test]
fn the_completions_that_are_checked_in_are_those_of_the_arguments() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/completions");
    let is_to_be_written = std::env::var_os("WRITE_COMPLETIONS").is_some();
    let made = [
        ("ace-connection-logger.bash", bash()),
        ("_ace-connection-logger", zsh()),
        ("ace-connection-logger.fish", fish()),
    ];
    for (name, text) in made {
        let path = folder.join(name);
        if is_to_be_written {
            std::fs::create_dir_all(&folder).expect("the folder can be made");
            std::fs::write(&path, &text).expect("the file can be written");
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == text,
            "{} is not what src/cli/arguments.rs says; it is written anew by: WRITE_COMPLETIONS=1 cargo test --lib completions",
            path.display()
        );
    }
}

#[test]
fn an_option_of_few_words_is_completed_by_all_of_them() {
    let words: BTreeSet<String> = commands()
        .iter()
        .flat_map(|command| {
            command
                .choices
                .iter()
                .map(move |choice| (command.names[0], choice))
        })
        .filter_map(|(command, choice)| match &choice.value {
            Some(Value::Words(words)) => {
                Some(format!("{command} {} {}", choice.long, words.join(" ")))
            }
            _ => None,
        })
        .collect();
    let expected = [
        "alert-test --event down up degraded incident",
        "export --format csv jsonl openmetrics sqlite",
        "report --format text html csv json",
    ];
    assert_eq!(words, BTreeSet::from(expected.map(String::from)));
}
