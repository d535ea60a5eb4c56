//! Parses the output of `--help`.

use std::process::Command;

use super::common::{bin, run};

/// One option as `--help` shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OptionHelp {
    pub short: Option<char>,
    pub long: String,
    /// The name of its value; `None` for a switch.
    pub value: Option<String>,
}

/// The help of one command.
pub struct Help {
    pub name: String,
    pub choices: Vec<OptionHelp>,
    /// The description of each option, by its long name.
    pub about: Vec<(String, String)>,
    /// Names of the positional arguments, with ` ...` if there can be several.
    pub positionals: Vec<String>,
}

/// Runs the program: exit code, standard output and standard error.
pub fn run_program(arguments: &[&str]) -> (Option<i32>, String, String) {
    let finished = run(Command::new(bin()).args(arguments));
    (finished.code, finished.stdout, finished.stderr)
}

/// The names of the commands.
pub fn command_names() -> Vec<String> {
    let (_, help, _) = run_program(&["--help"]);
    let list = help
        .split_once("Commands:\n")
        .expect("a list of commands")
        .1;
    let is_name = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    list.lines()
        .filter(is_name)
        .filter_map(|line| line.split_whitespace().next())
        .map(String::from)
        .collect()
}

/// The help of every command.
pub fn all() -> Vec<Help> {
    let commands: Vec<Help> = command_names().iter().map(|name| of(name)).collect();
    assert!(
        commands.len() > 10,
        "only {} commands were found",
        commands.len()
    );
    commands
}

fn of(name: &str) -> Help {
    let (code, help, _) = run_program(&[name, "--help"]);
    assert_eq!(code, Some(0), "{name} --help");
    let (usage, _) = help.split_once("\n\n").expect("usage, and what follows");
    let list = help.split_once("Options:\n").expect("a list of options").1;
    let mut about: Vec<(String, String)> = Vec::new();
    let mut choices = Vec::new();
    for line in list.lines() {
        let spelt = line
            .strip_prefix("  ")
            .filter(|line| !line.starts_with(' '));
        if let Some(spelt) = spelt {
            // Two spaces separate an option from its description.
            let (spelt, what) = spelt.split_once("  ").unwrap_or((spelt, ""));
            let names: Vec<&str> = spelt.split(", ").collect();
            let long = *names
                .iter()
                .find(|name| name.starts_with("--"))
                .unwrap_or_else(|| panic!("{name}: {line}"));
            let short = names
                .iter()
                .find(|name| !name.starts_with("--") && name.starts_with('-'))
                .map(|name| &name[1..]);
            about.push((long.to_string(), what.trim().to_string()));
            choices.push(OptionHelp {
                short: short.and_then(|short| short.chars().next()),
                long: long.to_string(),
                value: None,
            });
        } else if let Some((_, what)) = about.last_mut() {
            what.push(' ');
            what.push_str(line.trim());
        }
    }
    for choice in &mut choices {
        // The usage line has the short name if there is one.
        let spelt = choice
            .short
            .map_or(choice.long.clone(), |short| format!("-{short}"));
        choice.value = usage
            .split_once(&format!("[{spelt} <"))
            .and_then(|(_, rest)| Some(rest.split_once('>')?.0.to_string()));
    }
    let is_positional =
        |part: &&str| (part.starts_with('<') || part.starts_with("[<")) && !part.starts_with("[-");
    let words: Vec<&str> = usage.split(' ').collect();
    let positionals = words
        .windows(2)
        // What follows an option is its value.
        .filter(|pair| !pair[0].trim_start_matches('[').starts_with('-') || pair[0] == "[--]")
        .map(|pair| pair[1])
        .filter(is_positional)
        .map(|part| {
            part.trim_matches(['[', ']', '<', '>'])
                .replace("...", " ...")
        })
        .collect();
    Help {
        name: name.to_string(),
        choices,
        about,
        positionals,
    }
}

/// The options of every command that has all of them.
pub fn common(commands: &[Help]) -> Vec<OptionHelp> {
    let has = |choice: &&OptionHelp| {
        commands
            .iter()
            .all(|command| command.choices.contains(choice))
    };
    commands[0].choices.iter().filter(has).cloned().collect()
}
