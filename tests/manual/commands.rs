//! Commands and options: --help, the manual page and docs/ list the same ones and describe them
//! alike.

use super::help::{self, Help, OptionHelp, run_program};
use super::page::{Item, Page, Part};
use super::{COMMAND_PAGE, COMMANDS_FILE, assert_same, read};

/// Options of every command. `--help` lists only itself; src/cli/command_line.rs handles the rest.
const BUILT_IN: [(char, &str); 2] = [('h', "--help"), ('V', "--version")];

/// An option as the head of an entry shows it: `Fl c , Fl Fl config Ar path`.
fn choice(item: &Item) -> OptionHelp {
    let mut found = OptionHelp {
        short: None,
        long: String::new(),
        value: None,
    };
    let mut words = item.head.iter().filter(|word| *word != ",").peekable();
    while let Some(word) = words.next() {
        match (word.as_str(), words.peek().map(|next| next.as_str())) {
            ("Fl", Some("Fl")) => {
                words.next();
                found.long = format!("--{}", words.next().expect("a name"));
            }
            ("Fl", Some(short)) => {
                found.short = short.chars().next();
                words.next();
            }
            ("Ar", Some(value)) => {
                found.value = Some(value.to_string());
                words.next();
            }
            other => panic!("unexpected {other:?} in {:?}", item.head),
        }
    }
    found
}

fn options_of(part: &Part<'_>) -> Vec<OptionHelp> {
    part.items().iter().map(choice).collect()
}

/// Without the options that `--help` lists in its own way.
fn without_built_in(choices: &[OptionHelp]) -> Vec<OptionHelp> {
    choices
        .iter()
        .filter(|choice| !BUILT_IN.iter().any(|(_, long)| choice.long == *long))
        .cloned()
        .collect()
}

fn own(command: &Help, common: &[OptionHelp]) -> Vec<OptionHelp> {
    command
        .choices
        .iter()
        .filter(|choice| !common.contains(choice))
        .cloned()
        .collect()
}

#[test]
fn the_manual_has_every_command_and_no_other() {
    let page = Page::read(COMMAND_PAGE);
    assert_same(
        "commands",
        ("COMMANDS", page.subsections("COMMANDS")),
        ("--help", help::command_names()),
    );
    let synopsis: Vec<String> = forms(&page).into_iter().map(|form| form.command).collect();
    assert_same(
        "commands",
        ("SYNOPSIS", synopsis),
        ("--help", help::command_names()),
    );
}

#[test]
fn the_manual_has_every_option_and_no_other() {
    let (page, commands) = (Page::read(COMMAND_PAGE), help::all());
    let common = help::common(&commands);
    let on_page = options_of(&page.part("COMMON OPTIONS"));
    assert_same(
        "common options",
        ("the manual", without_built_in(&on_page)),
        ("--help", without_built_in(&common)),
    );
    let mut checked = 0;
    for (short, long) in BUILT_IN {
        let is_it = |choice: &OptionHelp| choice.short == Some(short) && choice.long == long;
        assert!(
            on_page.iter().any(is_it),
            "{long} is not among the common options"
        );
        for command in &commands {
            assert_eq!(
                run_program(&[&command.name, &format!("-{short}")]),
                run_program(&[&command.name, long]),
                "{} {long}",
                command.name
            );
        }
    }
    for command in &commands {
        let on_page = options_of(&page.part(&command.name));
        let expected = own(command, &common);
        checked += expected.len();
        assert_same(&command.name, ("the manual", on_page), ("--help", expected));
    }
    assert!(checked > 25, "only {checked} options were seen");
}

/// One line of the synopsis.
struct Form {
    command: String,
    /// As spelt there, with the name of the value.
    options: Vec<(String, Option<String>)>,
    positionals: Vec<String>,
}

fn forms(page: &Page) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    for line in page.part("SYNOPSIS").0 {
        let words: Vec<&str> = line.trim_start_matches('.').split(' ').collect();
        let words = words.strip_prefix(&["Op"]).unwrap_or(&words);
        match (words, forms.last_mut()) {
            (["Cm", name], _) => {
                forms.push(Form {
                    command: name.to_string(),
                    options: Vec::new(),
                    positionals: Vec::new(),
                });
            }
            (["Fl", "Fl", long], Some(form)) => form.options.push((format!("--{long}"), None)),
            (["Fl", "Fl", long, "Ar", value], Some(form)) => form
                .options
                .push((format!("--{long}"), Some(value.to_string()))),
            (["Fl", short, "Ar", value], Some(form)) => form
                .options
                .push((format!("-{short}"), Some(value.to_string()))),
            (["Ar", rest @ ..], Some(form)) => form.positionals.push(rest.join(" ")),
            // The general line before the first command.
            (_, None) | (["Nm"], _) => {}
            other => panic!("unexpected {:?} in the synopsis", other.0),
        }
    }
    forms
}

#[test]
fn the_synopsis_has_every_option_and_argument_of_every_command() {
    let (page, commands) = (Page::read(COMMAND_PAGE), help::all());
    let common = help::common(&commands);
    for command in &commands {
        let mine: Vec<Form> = forms(&page)
            .into_iter()
            .filter(|form| form.command == command.name)
            .collect();
        let spelt = |choice: &OptionHelp| {
            choice
                .short
                .map_or(choice.long.clone(), |short| format!("-{short}"))
        };
        let expected: Vec<_> = own(command, &common)
            .iter()
            .map(|choice| (spelt(choice), choice.value.clone()))
            .collect();
        let found: Vec<_> = mine.iter().flat_map(|form| form.options.clone()).collect();
        assert_same(&command.name, ("the synopsis", found), ("--help", expected));
        let found: Vec<String> = mine
            .iter()
            .flat_map(|form| form.positionals.clone())
            .collect();
        assert_eq!(found, command.positionals, "arguments of {}", command.name);
    }
}

/// The words that the manual marks as values of an option, and its description.
fn description_of(page: &Page, command: &str, long: &str) -> (Vec<String>, String) {
    let part = page.part(command);
    let items = part.items();
    let item = items
        .iter()
        .find(|item| choice(item).long == long)
        .unwrap_or_else(|| panic!("{command} {long}"));
    (Part(&item.body).marked("Cm"), item.text())
}

#[test]
fn defaults_in_the_manual_are_those_in_the_help() {
    let (page, commands) = (Page::read(COMMAND_PAGE), help::all());
    let common = help::common(&commands);
    let mut checked = 0;
    for command in &commands {
        for (long, about) in &command.about {
            let named = about
                .split_once("(default: ")
                .and_then(|(_, rest)| rest.split_once(')'))
                .map(|(default, _)| default);
            let marked = about
                .split_once(" (default")
                .map(|(before, _)| before.rsplit(' ').next().unwrap_or_default());
            let Some(default) = named.or(marked) else {
                continue;
            };
            let is_common = common.iter().any(|choice| choice.long == *long);
            let (_, said) = description_of(
                &page,
                if is_common {
                    "COMMON OPTIONS"
                } else {
                    &command.name
                },
                long,
            );
            assert!(
                said.contains(&format!("The default is {default}.")),
                "{} {long}: {default:?} is not in {said:?}",
                command.name
            );
            checked += 1;
        }
    }
    assert!(checked > 20, "only {checked} defaults were seen");
}

#[test]
fn words_and_ranges_in_the_manual_are_those_in_error_messages() {
    let (page, commands) = (Page::read(COMMAND_PAGE), help::all());
    let common = help::common(&commands);
    let (mut words_checked, mut ranges_checked) = (0, 0);
    for command in &commands {
        for choice in own(command, &common)
            .iter()
            .filter(|choice| choice.value.is_some())
        {
            let (_, _, refusal) =
                run_program(&[&command.name, &format!("{}=-1", choice.long), "--json=no"]);
            let refusal = refusal.lines().next().unwrap_or_default();
            let (marked, said) = description_of(&page, &command.name, &choice.long);
            if let Some((_, words)) = refusal.split_once(" is none of ") {
                let what = format!("{} {}", command.name, choice.long);
                assert_same(
                    &what,
                    ("the manual", marked),
                    ("the refusal", words.split(", ").map(String::from)),
                );
                words_checked += 1;
            }
            let range = refusal
                .split_once(" between ")
                .or_else(|| refusal.split_once(" from "));
            let Some(range) = range
                .map(|(_, range)| range.replace(" and ", " to "))
                .filter(|range| range.contains(" to "))
            else {
                continue;
            };
            let (least, most) = range.split_once(" to ").expect("it has one");
            let most = most.split(' ').next().unwrap_or_default();
            // The range of the port is stated only for `monitor`.
            let said = if said.contains("as for monitor") {
                description_of(&page, "monitor", &choice.long).1
            } else {
                said
            };
            let is_said = said.contains(&format!("{least} to {most}"))
                || said.contains(&format!("more than {least}, up to {most}"));
            assert!(
                is_said,
                "{} {}: {range:?} is not in {said:?}",
                command.name, choice.long
            );
            ranges_checked += 1;
        }
    }
    assert!(
        words_checked == 3 && ranges_checked >= 5,
        "{words_checked} lists of words, {ranges_checked} ranges were seen"
    );
}

#[test]
fn docs_list_every_command_and_no_other() {
    let text = read(COMMANDS_FILE);
    let table = text
        .split_once("| command | what it does |\n| --- | --- |\n")
        .expect("a table of commands")
        .1;
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let names: Vec<&str> = rows
        .filter_map(|row| row.split('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .filter_map(|words| words.split(' ').next())
        .collect();
    // The help of an alias is that of its command.
    let first_names = names.iter().map(|name| {
        let (code, usage, _) = run_program(&[name, "--help"]);
        assert_eq!(code, Some(0), "{name} is no command");
        usage.split(' ').nth(2).unwrap_or_default().to_string()
    });
    assert_same(
        "commands",
        (COMMANDS_FILE, first_names),
        ("--help", help::command_names()),
    );
    let page = read(COMMAND_PAGE);
    for name in names {
        assert!(
            page.contains(&format!(".Cm {name}\n")),
            "{name} is not on the page"
        );
    }
}
