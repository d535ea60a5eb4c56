//! What only the sources have: exit statuses, environment variables, HTTP paths, messages. The manual
//! has exactly these.

use std::path::Path;

use super::page::Page;
use super::{COMMAND_PAGE, COMMANDS_FILE, HTTP_FILE, assert_same, read};

/// Whether this file is compiled only for tests.
fn is_of_tests(path: &Path) -> bool {
    path.components()
        .any(|part| part.as_os_str() == "completions")
        || path
            .file_stem()
            .is_some_and(|name| name.to_string_lossy().ends_with("tests"))
}

/// All of src/ that is compiled into the program.
fn sources() -> String {
    fn collect(folder: &Path, text: &mut String) {
        for entry in std::fs::read_dir(folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
        {
            if entry.is_dir() {
                collect(&entry, text);
            } else if entry.extension().is_some_and(|extension| extension == "rs")
                && !is_of_tests(&entry)
            {
                let file = std::fs::read_to_string(&entry).expect("text");
                text.push_str(
                    file.split("#[cfg(test)]\nmod tests {")
                        .next()
                        .unwrap_or_default(),
                );
            }
        }
    }
    let mut text = String::new();
    collect(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut text,
    );
    text
}

fn numbers(text: &str) -> Vec<u32> {
    text.split(|c: char| !c.is_ascii_digit())
        .filter_map(|word| word.parse().ok())
        .collect()
}

#[test]
fn exit_statuses_in_the_manual_and_docs_are_those_of_the_program() {
    let module = read("src/cli/exit.rs");
    let code = module
        .split_once("fn exit_code(&self)")
        .and_then(|(_, rest)| rest.split_once("\n    }\n"))
        .expect("the codes")
        .0;
    // 0 and 1 are CommandStatus; errors have the others.
    let of_errors = code
        .lines()
        .filter_map(|line| line.split_once("=> "))
        .flat_map(|(_, code)| numbers(code));
    let mut program: Vec<u32> = [0, 1].into_iter().chain(of_errors).collect();
    program.sort_unstable();
    program.dedup();
    assert!(program.len() > 5, "{program:?}");
    let page = Page::read(COMMAND_PAGE);
    let on_page = page
        .part("EXIT STATUS")
        .items()
        .into_iter()
        .flat_map(|item| numbers(&item.head.join(" ")));
    assert_same(
        "exit statuses",
        ("the manual", on_page),
        ("src/cli/exit.rs", program.clone()),
    );
    let text = read(COMMANDS_FILE);
    let sentence = text
        .split_once("Exit status: ")
        .and_then(|(_, rest)| rest.split_once("\n\n"))
        .expect("a sentence")
        .0;
    assert_same(
        "exit statuses",
        (COMMANDS_FILE, numbers(sentence)),
        ("src/cli/exit.rs", program),
    );
    // No other exit status is named elsewhere in the manual.
    for line in read(COMMAND_PAGE).lines() {
        if let Some((_, rest)) = line.to_lowercase().split_once("exit status ")
            && let Some(number) = numbers(rest.split(' ').next().unwrap_or_default()).first()
        {
            assert!(numbers(code).contains(number) || *number < 2, "{line}");
        }
    }
}

#[test]
fn environment_variables_in_the_manual_are_those_in_the_sources() {
    let sources = sources();
    let is_name = |word: &&str| {
        word.len() > 1
            && word
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
            && word.starts_with(char::is_alphabetic)
    };
    // Read by the program: env::var, var_os, and the closure of systemd.rs that parses one.
    let read_by_program = ["env::var(\"", "env::var_os(\"", " number(\""]
        .into_iter()
        .flat_map(|call| {
            sources
                .split(call)
                .skip(1)
                .filter_map(|rest| rest.split('"').next())
                .collect::<Vec<_>>()
        });
    let given_to_commands = sources
        .split("\"ACE_")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(|name| format!("ACE_{name}"));
    let known: Vec<String> = read_by_program
        .filter(is_name)
        .map(String::from)
        .chain(given_to_commands)
        .collect();
    assert!(known.len() > 15, "only {known:?} were seen");
    let page = Page::read(COMMAND_PAGE);
    let on_page = page
        .part("ENVIRONMENT")
        .items()
        .into_iter()
        .flat_map(|item| item.marked("Ev"));
    assert_same("variables", ("the manual", on_page), ("src", known));
}

#[test]
fn http_paths_in_the_manual_and_docs_are_those_that_are_served() {
    let api = read("src/api/mod.rs");
    let routes = api
        .split_once("const ROUTES")
        .and_then(|(_, rest)| rest.split_once("\n];\n"))
        .expect("the routes")
        .0;
    let mut known: Vec<&str> = routes.split('"').skip(1).step_by(2).collect();
    assert!(known.len() > 15, "only {known:?} were found");
    known.push("/");
    let page = Page::read(COMMAND_PAGE);
    let on_page = page.part("THE PAGE").items().into_iter().map(|item| {
        let path = item
            .head
            .iter()
            .filter(|word| !matches!(word.as_str(), "Pa" | "Ns" | "Ar"));
        let path: String = path
            .map(|word| {
                if word == "address" {
                    "ADDRESS"
                } else {
                    word.as_str()
                }
            })
            .collect();
        path
    });
    let on_page: Vec<String> = on_page.collect();
    assert_same(
        "paths",
        ("the manual", on_page.clone()),
        ("src/api/mod.rs", known.into_iter().map(String::from)),
    );
    let (in_docs, mentioned) = (paths_in_docs(), mentioned_paths());
    assert!(mentioned.len() >= in_docs.len(), "{mentioned:?}");
    assert_same(
        "paths",
        (HTTP_FILE, in_docs),
        ("the manual", on_page.clone()),
    );
    for (file, path) in mentioned {
        assert!(on_page.contains(&path), "{file}: {path} is not served");
    }
}

/// The first column of the table in docs/http-api.md.
fn paths_in_docs() -> Vec<String> {
    read(HTTP_FILE)
        .lines()
        .filter_map(|line| line.strip_prefix("| `/"))
        .filter_map(|rest| rest.split('`').next())
        .map(|path| format!("/{path}"))
        .collect()
}

/// Paths of the API in code spans of the README and docs/, with the file.
fn mentioned_paths() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for file in super::links::documents() {
        for word in read(&file).split('`').skip(1).step_by(2) {
            if word.starts_with('/') && !word.contains([' ', '\n']) && is_of_the_api(word) {
                found.push((file.clone(), word.to_string()));
            }
        }
    }
    found
}

fn is_of_the_api(path: &str) -> bool {
    path.starts_with("/api/") || matches!(path, "/" | "/health" | "/metrics")
}

/// Messages of SQLite.
const OF_SQLITE: &[&str] = &["database disk image is malformed", "file is not a database"];

/// The sources with texts of several lines joined and quotes not escaped, as messages are printed.
fn sources_as_printed() -> String {
    sources()
        .replace("\\\"", "\"")
        .split("\\\n")
        .map(|line| line.trim_start())
        .collect()
}

/// Asserts that each constant piece of the messages is in the sources, and returns how many there
/// are.
fn assert_are_in_sources(messages: &[String]) -> usize {
    let sources = sources_as_printed();
    let mut checked = 0;
    for message in messages {
        for piece in pieces(message)
            .iter()
            .filter(|piece| !OF_SQLITE.contains(&piece.as_str()))
        {
            assert!(
                sources.contains(piece.as_str()),
                "{piece:?} of {message:?} is not in the sources"
            );
            checked += 1;
        }
    }
    checked
}

#[test]
fn messages_in_the_manual_are_those_of_the_program() {
    let page = Page::read(COMMAND_PAGE);
    let part = page.part("DIAGNOSTICS");
    let messages: Vec<String> = part
        .items()
        .iter()
        .flat_map(|item| item.marked("Sy"))
        .collect();
    let checked = assert_are_in_sources(&messages);
    assert!(checked > 40, "only {checked} pieces were seen");
}

#[test]
fn messages_in_the_symptoms_of_the_readme_are_those_of_the_program() {
    let readme = read("README.md");
    let table = readme
        .split_once("| symptom | reason and cure |\n| --- | --- |\n")
        .expect("a table of symptoms")
        .1;
    // The first column; a message is in italics.
    let messages: Vec<String> = table
        .lines()
        .take_while(|line| line.starts_with('|'))
        .filter_map(|row| row.split('|').nth(1))
        .flat_map(|cell| cell.split('*').skip(1).step_by(2))
        .map(String::from)
        .collect();
    let checked = assert_are_in_sources(&messages);
    assert!(checked > 5, "only {checked} pieces were seen");
}

/// The constant pieces of a message, in which dots replace the variable ones.
fn pieces(message: &str) -> Vec<String> {
    let piece = |piece: &str| piece.trim_matches([' ', ':', ';', ',']).to_string();
    message
        .split("...")
        .map(piece)
        .filter(|piece| piece.len() > 2)
        .collect()
}
