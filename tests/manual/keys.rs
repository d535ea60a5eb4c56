//! Keys of the configuration: the program, the manual page and config.yaml have the same ones, with
//! the same ranges, units and defaults. What the program knows is heard from its own messages about
//! wrong values.

use std::collections::{BTreeMap, BTreeSet};

use ace_connection_logger::config::{Config, parse};

use super::page::{Item, Page};
use super::{OF_THE_FILE, assert_same, read};

/// The messages about a configuration.
fn messages(text: &str) -> Vec<String> {
    parse(text.as_bytes(), "config.yaml")
        .problems
        .iter()
        .map(|problem| problem.text.clone())
        .collect()
}

/// A key that nobody could have meant.
const STRANGE: &str = "zzzzzzzz";

/// The list in the message about a strange key.
fn known(text: &str) -> Vec<String> {
    let said = messages(text);
    let list = said
        .iter()
        .find_map(|text| text.split_once("known here: "))
        .unwrap_or_else(|| panic!("{text}: {said:?}"))
        .1;
    list.split(';')
        .next()
        .unwrap_or_default()
        .split(", ")
        .map(String::from)
        .collect()
}

/// A file in which one key has a value; every host needs an address.
fn file_with(section: &str, key: &str, value: &str) -> String {
    match section {
        "hosts" if key == "address" => format!("hosts: [{{{key}: {value}}}]"),
        "hosts" => format!("hosts: [{{address: a.example, {key}: {value}}}]"),
        _ => format!("{section}: {{{key}: {value}}}"),
    }
}

/// The keys of the program by section.
fn of_the_program() -> BTreeMap<String, Vec<String>> {
    let sections = known(&format!("{STRANGE}: 1"));
    assert!(sections.len() > 5, "{sections:?}");
    sections
        .into_iter()
        .map(|section| (section.clone(), known(&file_with(&section, STRANGE, "1"))))
        .collect()
}

/// What a key may be.
#[derive(Debug, PartialEq)]
enum Allowed {
    /// `a whole number, 10 to 60000`, and of what.
    Range(String, String),
    Words(BTreeSet<String>),
}

impl Allowed {
    /// `0.1 to 86400 seconds`, or `4, 6 or any`.
    fn of(text: &str) -> Allowed {
        if !text.contains(" to ") {
            return Allowed::Words(
                text.replace(" or ", ", ")
                    .split(", ")
                    .map(String::from)
                    .collect(),
            );
        }
        match text.rsplit_once(' ') {
            Some((range, unit)) if !unit.starts_with(|c: char| c.is_ascii_digit()) => {
                Allowed::Range(range.into(), unit.into())
            }
            _ => Allowed::Range(text.into(), String::new()),
        }
    }

    /// Whether a comment of config.yaml says it: `Seconds from one check to the next: 0.1 to
    /// 86400.`
    fn is_said_in(&self, about: &str) -> bool {
        match self {
            Allowed::Range(range, unit) => {
                about.contains(range.as_str()) && about.to_lowercase().contains(unit.as_str())
            }
            Allowed::Words(words) => words.iter().all(|word| about.contains(word.as_str())),
        }
    }
}

/// What the program says that a key may be, and what it uses otherwise.
fn allowed_and_default(section: &str, key: &str) -> (Option<Allowed>, Option<String>) {
    let wrong = if (section, key) == ("alerts", "events") {
        format!("[{STRANGE}]")
    } else {
        "-1".to_string()
    };
    let said = messages(&file_with(section, key, &wrong)).join(" | ");
    let allowed = said
        .split_once("(allowed: ")
        .and_then(|(_, rest)| rest.split_once(");"))
        .map(|(allowed, _)| allowed);
    let words = said
        .split_once(" is none of ")
        .and_then(|(_, rest)| rest.split_once(';'))
        .map(|(words, _)| words);
    let default = said
        .split_once("; default ")
        .and_then(|(_, rest)| rest.split_once(" used"))
        .map(|(default, _)| default);
    // What is neither a range nor a list of words is said in words of each one's own.
    let allowed = allowed
        .or(words)
        .filter(|allowed| !allowed.contains("letters"));
    // This one depends on other keys.
    let default = default.filter(|_| key != "ping_spacing_ms");
    (allowed.map(Allowed::of), default.map(String::from))
}

/// `Default: x.` or `Default x.` in a text, up to the end of the sentence, without marks of
/// quotation.
fn default_in(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("Default")?;
    let rest = rest.trim_start_matches(':').trim_start();
    let end = rest.find(". ").unwrap_or(rest.len());
    Some(rest[..end].trim_end_matches('.').replace('`', ""))
}

/// The entries of a section of the page, by their keys.
fn entries(page: &Page, section: &str) -> Vec<(Vec<String>, Item)> {
    page.part(section)
        .items()
        .into_iter()
        .map(|item| (item.marked("Ic"), item))
        .collect()
}

#[test]
fn the_page_has_every_key_and_no_other() {
    let (page, program) = (Page::read(OF_THE_FILE), of_the_program());
    assert_same(
        "sections",
        ("the page", page.subsections("KEYS")),
        ("the program", program.keys().cloned()),
    );
    for (section, keys) in &program {
        let on_page = entries(&page, section)
            .into_iter()
            .flat_map(|(keys, _)| keys);
        assert_same(
            section,
            ("the page", on_page),
            ("the program", keys.clone()),
        );
    }
}

/// A key in config.yaml: with the value behind it, and the text above it.
struct Explained {
    section: String,
    key: String,
    value: String,
    is_commented_out: bool,
    about: String,
}

/// The keys of config.yaml, those that are commented out included.
fn of_the_file(program: &BTreeMap<String, Vec<String>>) -> Vec<Explained> {
    let mut found = Vec::new();
    let (mut section, mut about) = (String::new(), String::new());
    let text = read("config.yaml");
    for line in text.lines() {
        if let Some(name) = line
            .strip_suffix(':')
            .filter(|name| !name.starts_with([' ', '#']))
        {
            (section, about) = (name.to_string(), String::new());
            continue;
        }
        let words = line.trim_start().trim_start_matches("- ");
        let comment = words.strip_prefix("# ");
        let entry = comment.unwrap_or(words).split_once(':');
        let key = entry.filter(|(key, _)| {
            program
                .get(&section)
                .is_some_and(|keys| keys.iter().any(|known| known == key))
        });
        match (key, comment) {
            (Some((key, value)), comment) => found.push(Explained {
                section: section.clone(),
                key: key.to_string(),
                value: value.trim().to_string(),
                is_commented_out: comment.is_some(),
                about: std::mem::take(&mut about),
            }),
            (None, Some(comment)) => {
                about.push_str(comment);
                about.push(' ');
            }
            (None, None) => {
                assert!(
                    words.is_empty() || section.is_empty() || words.starts_with('#'),
                    "config.yaml: what is {line:?}?"
                );
                about.clear();
            }
        }
    }
    found
}

#[test]
fn config_yaml_has_every_key_and_no_other() {
    let program = of_the_program();
    let file = of_the_file(&program);
    for (section, keys) in &program {
        let in_file = file
            .iter()
            .filter(|explained| explained.section == *section)
            .map(|explained| explained.key.clone());
        assert_same(
            section,
            ("config.yaml", in_file),
            ("the program", keys.clone()),
        );
    }
    // With the examples that are commented out in force there is nothing to say either.
    let text: String = read("config.yaml")
        .lines()
        .map(|line| format!("{}\n", in_force(line, &program)))
        .collect();
    let said: Vec<String> = messages(&text);
    assert!(said.is_empty(), "{said:?}");
}

/// A line of config.yaml with its key in force.
fn in_force(line: &str, program: &BTreeMap<String, Vec<String>>) -> String {
    let Some((indent, rest)) = line
        .split_once("# ")
        .filter(|(indent, _)| !indent.is_empty() && indent.trim().is_empty())
    else {
        return line.to_string();
    };
    let is_key = rest
        .split_once(": ")
        .is_some_and(|(key, _)| program.values().flatten().any(|known| known == key));
    if is_key {
        format!("{indent}{rest}")
    } else {
        line.to_string()
    }
}

#[test]
fn ranges_units_and_defaults_are_the_same_everywhere() {
    let (page, program) = (Page::read(OF_THE_FILE), of_the_program());
    let file = of_the_file(&program);
    let (mut ranges, mut defaults) = (0, 0);
    for (section, key) in program
        .iter()
        .flat_map(|(section, keys)| keys.iter().map(move |key| (section, key)))
    {
        let what = format!("{section}.{key}");
        let entries = entries(&page, section);
        let (keys, item) = entries
            .iter()
            .find(|(keys, _)| keys.contains(key))
            .expect("the page has it");
        // A host's own values of what is for all stand under one head.
        if keys.len() > 1 {
            assert!(
                section == "hosts" && program["monitoring"].contains(key),
                "{what} needs an entry of its own"
            );
            continue;
        }
        let said = item.text();
        let (allowed, default) = allowed_and_default(section, key);
        let on_page = said
            .split_once("Allowed: ")
            .map(|(_, rest)| Allowed::of(rest.split(". ").next().unwrap_or_default()));
        assert_eq!(
            on_page, allowed,
            "{what}: what the page allows, and what the program does"
        );
        let explained = file
            .iter()
            .find(|explained| explained.section == *section && explained.key == *key)
            .expect("it is there");
        if let Some(allowed) = allowed {
            assert!(
                allowed.is_said_in(&explained.about),
                "{what}: {allowed:?} is not in config.yaml: {:?}",
                explained.about
            );
            ranges += 1;
        }
        let on_page = default_in(&said);
        // What the names of hosts are stands above the list of them.
        if !matches!(
            (section.as_str(), key.as_str()),
            ("hosts", "name" | "address")
        ) {
            assert_eq!(
                on_page,
                default_in(&explained.about),
                "{what}: the default on the page, and in config.yaml"
            );
            let on_page = on_page.unwrap_or_else(|| panic!("{what}: the page says no default"));
            let first = on_page.split(',').next().unwrap_or_default();
            if section != "hosts" && !explained.is_commented_out {
                assert_eq!(
                    first, explained.value,
                    "{what}: the default on the page, and the value in config.yaml"
                );
            }
            if let Some(default) = default {
                assert_eq!(
                    first, default,
                    "{what}: the default on the page, and what the program uses"
                );
            }
            defaults += 1;
        }
    }
    assert!(
        ranges >= 24 && defaults >= 30,
        "{ranges} ranges and {defaults} defaults were seen"
    );
}

#[test]
fn every_example_on_the_page_is_right_and_every_key_is_in_one() {
    let (page, program) = (Page::read(OF_THE_FILE), of_the_program());
    let displays = page.displays();
    assert!(
        displays.len() >= program.len(),
        "only {} examples were found",
        displays.len()
    );
    for display in &displays {
        let loaded = parse(display.as_bytes(), "the example");
        assert!(loaded.problems.is_empty(), "{display}{:?}", loaded.problems);
    }
    for (section, keys) in &program {
        let example = displays
            .iter()
            .find(|display| display.starts_with(&format!("{section}:\n")))
            .expect("each has one");
        for key in keys {
            assert!(
                example.contains(&format!(" {key}: ")),
                "{section}.{key} is in no example"
            );
        }
    }
    assert_eq!(
        parse(read("config.yaml").as_bytes(), "config.yaml").config,
        Config::default()
    );
}

/// Files with the faults of which the page speaks.
const FAULTY: [&str; 2] = [
    "monitoring:
  interval_seconds: 60
  ping_cuont: 3

hosts:
  - name: My router
    address: gateway
  - name: Provider
    address: 203.0.113.1
  # A name server.
  - name: Beyond
    address: 8.8.8
",
    "monitoring:
  interval_seconds: 60

hosts:
  - name: My router
\taddress: gateway
",
];

#[test]
fn messages_on_the_page_are_those_about_files_with_these_faults() {
    let problems = |text: &&str| parse(text.as_bytes(), "config.yaml").problems;
    let said: Vec<String> = FAULTY
        .iter()
        .flat_map(problems)
        .map(|problem| problem.to_string())
        .collect();
    let page = Page::read(OF_THE_FILE);
    let on_page: Vec<String> = page
        .part("DIAGNOSTICS")
        .items()
        .iter()
        .flat_map(|item| item.marked("Sy"))
        .collect();
    assert_eq!(on_page.len(), said.len(), "{on_page:#?} {said:#?}");
    for message in &on_page {
        let (begin, end) = message.split_once("...").unwrap_or((message, ""));
        assert!(
            said.iter()
                .any(|said| said.starts_with(begin) && said.ends_with(end)),
            "{message} is not said: {said:#?}"
        );
    }
}
