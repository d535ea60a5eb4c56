//! Keys of the configuration: the program, the manual page and config.yaml have the same ones, with
//! the same ranges, units and defaults. Those of the program are taken from its messages about wrong
//! values.

use std::collections::{BTreeMap, BTreeSet};

use ace_connection_logger::config::{Config, parse};

use super::page::{Item, Page};
use super::{CONFIG_PAGE, assert_same, read};

/// The messages about a configuration.
fn messages(text: &str) -> Vec<String> {
    parse(text.as_bytes(), "config.yaml")
        .problems
        .iter()
        .map(|problem| problem.text.clone())
        .collect()
}

/// Similar to no key, so that the message about it lists the known keys.
const UNKNOWN: &str = "zzzzzzzz";

/// The list of known keys in the message about an unknown one.
fn known(text: &str) -> Vec<String> {
    let reported = messages(text);
    let list = reported
        .iter()
        .find_map(|text| text.split_once("known here: "))
        .unwrap_or_else(|| panic!("{text}: {reported:?}"))
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
fn program_keys() -> BTreeMap<String, Vec<String>> {
    let sections = known(&format!("{UNKNOWN}: 1"));
    assert!(sections.len() > 5, "{sections:?}");
    sections
        .into_iter()
        .map(|section| (section.clone(), known(&file_with(&section, UNKNOWN, "1"))))
        .collect()
}

/// What the value of a key may be.
#[derive(Debug, PartialEq)]
enum Allowed {
    /// `a whole number, 10 to 60000`, and the unit.
    Range(String, String),
    Words(BTreeSet<String>),
}

impl Allowed {
    /// `0.1 to 86400 seconds`, or `4, 6 or any`.
    fn parse(text: &str) -> Allowed {
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

    /// Whether a comment of config.yaml states it: `Seconds from one check to the next: 0.1 to
    /// 86400.`
    fn is_stated_in(&self, comment: &str) -> bool {
        match self {
            Allowed::Range(range, unit) => {
                comment.contains(range.as_str()) && comment.to_lowercase().contains(unit.as_str())
            }
            Allowed::Words(words) => words.iter().all(|word| comment.contains(word.as_str())),
        }
    }
}

/// What the program allows for a key, and its default.
fn allowed_and_default(section: &str, key: &str) -> (Option<Allowed>, Option<String>) {
    let wrong = if (section, key) == ("alerts", "events") {
        format!("[{UNKNOWN}]")
    } else {
        "-1".to_string()
    };
    let reported = messages(&file_with(section, key, &wrong)).join(" | ");
    let allowed = reported
        .split_once("(allowed: ")
        .and_then(|(_, rest)| rest.split_once(");"))
        .map(|(allowed, _)| allowed);
    let words = reported
        .split_once(" is none of ")
        .and_then(|(_, rest)| rest.split_once(';'))
        .map(|(words, _)| words);
    let default = reported
        .split_once("; default ")
        .and_then(|(_, rest)| rest.split_once(" used"))
        .map(|(default, _)| default);
    // The allowed characters of a path are neither a range nor a list of words.
    let allowed = allowed
        .or(words)
        .filter(|allowed| !allowed.contains("letters"));
    // The default of this key depends on other keys.
    let default = default.filter(|_| key != "ping_spacing_ms");
    (allowed.map(Allowed::parse), default.map(String::from))
}

/// The `x` of `Default: x.` or `Default x.` in a text, without quotation marks.
fn stated_default(text: &str) -> Option<String> {
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
    let (page, program) = (Page::read(CONFIG_PAGE), program_keys());
    assert_same(
        "sections",
        ("the manual", page.subsections("KEYS")),
        ("the program", program.keys().cloned()),
    );
    for (section, keys) in &program {
        let on_page = entries(&page, section)
            .into_iter()
            .flat_map(|(keys, _)| keys);
        assert_same(
            section,
            ("the manual", on_page),
            ("the program", keys.clone()),
        );
    }
}

/// A key in config.yaml.
struct ExampleKey {
    section: String,
    key: String,
    value: String,
    is_commented_out: bool,
    /// The comment above the key.
    comment: String,
}

/// The keys of config.yaml, those that are commented out included.
fn example_keys(program: &BTreeMap<String, Vec<String>>) -> Vec<ExampleKey> {
    let mut found = Vec::new();
    let (mut section, mut comment) = (String::new(), String::new());
    let text = read("config.yaml");
    for line in text.lines() {
        if let Some(name) = line
            .strip_suffix(':')
            .filter(|name| !name.starts_with([' ', '#']))
        {
            (section, comment) = (name.to_string(), String::new());
            continue;
        }
        let words = line.trim_start().trim_start_matches("- ");
        let commented = words.strip_prefix("# ");
        let entry = commented.unwrap_or(words).split_once(':');
        let key = entry.filter(|(key, _)| {
            program
                .get(&section)
                .is_some_and(|keys| keys.iter().any(|known| known == key))
        });
        match (key, commented) {
            (Some((key, value)), commented) => found.push(ExampleKey {
                section: section.clone(),
                key: key.to_string(),
                value: value.trim().to_string(),
                is_commented_out: commented.is_some(),
                comment: std::mem::take(&mut comment),
            }),
            (None, Some(text)) => {
                comment.push_str(text);
                comment.push(' ');
            }
            (None, None) => {
                assert!(
                    words.is_empty() || section.is_empty() || words.starts_with('#'),
                    "config.yaml: unexpected line {line:?}"
                );
                comment.clear();
            }
        }
    }
    found
}

#[test]
fn config_yaml_has_every_key_and_no_other() {
    let program = program_keys();
    let file = example_keys(&program);
    for (section, keys) in &program {
        let in_file = file
            .iter()
            .filter(|example| example.section == *section)
            .map(|example| example.key.clone());
        assert_same(
            section,
            ("config.yaml", in_file),
            ("the program", keys.clone()),
        );
    }
    // The keys that are commented out are right too.
    let text: String = read("config.yaml")
        .lines()
        .map(|line| format!("{}\n", uncomment(line, &program)))
        .collect();
    let mut reported: Vec<String> = messages(&text);
    // Of the two ways to send, only one can be used.
    reported.retain(|text| !text.starts_with("url and command are both given"));
    assert!(reported.is_empty(), "{reported:?}");
}

/// A line of config.yaml, uncommented if it is a key.
fn uncomment(line: &str, program: &BTreeMap<String, Vec<String>>) -> String {
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
    let (page, program) = (Page::read(CONFIG_PAGE), program_keys());
    let file = example_keys(&program);
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
        // The page lists the keys that a host shares with `monitoring` in one entry.
        if keys.len() > 1 {
            assert!(
                section == "hosts" && program["monitoring"].contains(key),
                "{what} needs an entry of its own"
            );
            continue;
        }
        let description = item.text();
        let (allowed, default) = allowed_and_default(section, key);
        let on_page = description
            .split_once("Allowed: ")
            .map(|(_, rest)| Allowed::parse(rest.split(". ").next().unwrap_or_default()));
        assert_eq!(
            on_page, allowed,
            "{what}: what the page allows, and what the program does"
        );
        let example = file
            .iter()
            .find(|example| example.section == *section && example.key == *key)
            .expect("it is there");
        if let Some(allowed) = allowed {
            assert!(
                allowed.is_stated_in(&example.comment),
                "{what}: {allowed:?} is not in config.yaml: {:?}",
                example.comment
            );
            ranges += 1;
        }
        let on_page = stated_default(&description);
        // config.yaml explains these two above the list of hosts.
        if !matches!(
            (section.as_str(), key.as_str()),
            ("hosts", "name" | "address")
        ) {
            assert_eq!(
                on_page,
                stated_default(&example.comment),
                "{what}: the default on the page, and in config.yaml"
            );
            let on_page = on_page.unwrap_or_else(|| panic!("{what}: the page states no default"));
            let first = on_page.split(',').next().unwrap_or_default();
            if section != "hosts" && !example.is_commented_out {
                assert_eq!(
                    first, example.value,
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
fn examples_on_the_page_have_no_problems_and_contain_every_key() {
    let (page, program) = (Page::read(CONFIG_PAGE), program_keys());
    let displays = page.displays();
    assert!(
        displays.len() >= program.len(),
        "only {} examples were found",
        displays.len()
    );
    for display in &displays {
        let loaded = parse(display.as_bytes(), "the example");
        // A part without hosts is reported as a file without hosts, and has no other problem.
        assert_eq!(
            loaded.problems.len(),
            usize::from(!display.lines().any(|line| line == "hosts:")),
            "{display}{:?}",
            loaded.problems
        );
    }
    for (section, keys) in &program {
        let example: String = displays
            .iter()
            .filter(|display| display.starts_with(&format!("{section}:\n")))
            .map(String::as_str)
            .collect();
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

/// Files with the errors that the page describes.
const FAULTY: [&str; 3] = [
    "",
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
fn messages_about_the_file_on_the_page_are_those_of_the_program() {
    let problems = |text: &&str| parse(text.as_bytes(), "config.yaml").problems;
    let reported: Vec<String> = FAULTY
        .iter()
        .flat_map(problems)
        .map(|problem| problem.to_string())
        .collect();
    let page = Page::read(CONFIG_PAGE);
    let on_page: Vec<String> = page
        .part("DIAGNOSTICS")
        .items()
        .iter()
        .flat_map(|item| item.marked("Sy"))
        .collect();
    assert_eq!(on_page.len(), reported.len(), "{on_page:#?} {reported:#?}");
    for message in &on_page {
        let (begin, end) = message.split_once("...").unwrap_or((message, ""));
        assert!(
            reported
                .iter()
                .any(|reported| reported.starts_with(begin) && reported.ends_with(end)),
            "{message} is not reported: {reported:#?}"
        );
    }
}
