//! Files that the README, CONTRIBUTING.md, CHANGELOG.md and docs/ name: each exists.

use std::path::{Path, PathBuf};

use super::read;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The documents for users and contributors, as paths from the root.
pub fn documents() -> Vec<String> {
    let docs = std::fs::read_dir(root().join("docs")).expect("docs/");
    let mut found: Vec<String> = docs
        .map(|entry| {
            let name = entry.expect("an entry").file_name();
            format!("docs/{}", name.to_string_lossy())
        })
        .chain(["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(String::from))
        .collect();
    found.sort();
    found
}

/// Targets of `[text](target)`; the web is not asked.
fn links(text: &str) -> Vec<&str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|target| !target.contains("://"))
        .collect()
}

/// The anchor that a renderer gives a heading: lower case, hyphens for spaces, no punctuation.
fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

fn has_heading(file: &Path, fragment: &str) -> bool {
    let text = std::fs::read_to_string(file).expect("text");
    text.lines()
        .filter(|line| line.starts_with('#'))
        .any(|line| anchor(line.trim_start_matches('#').trim()) == fragment)
}

/// Folders of the repository whose files a code span can name.
const FOLDERS: &[&str] = &[
    "src/",
    "static/",
    "tests/",
    "benches/",
    "packaging/",
    "docs/",
    "man/",
];

/// Paths of this repository in code spans, such as `src/web` or `static/js/{pages,charts}`. Spans
/// with a wildcard or an ellipsis are patterns; a code block has no spans.
fn named_files(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with("    ")) {
        for span in line.split('`').skip(1).step_by(2) {
            let span = span.split([' ', ':']).next().unwrap_or_default();
            if FOLDERS.iter().any(|folder| span.starts_with(folder))
                && !span.contains(['*', '…', '<'])
            {
                found.extend(alternatives(span));
            }
        }
    }
    found
}

/// `a/{b,c}` as `a/b` and `a/c`.
fn alternatives(path: &str) -> Vec<String> {
    match path.split_once('{').zip(path.split_once('}')) {
        Some(((before, _), (to_brace, behind))) => to_brace[before.len() + 1..]
            .split(',')
            .map(|word| format!("{before}{word}{behind}"))
            .collect(),
        None => vec![path.to_string()],
    }
}

#[test]
fn every_link_of_the_documents_leads_to_a_file_and_a_heading() {
    let mut checked = 0;
    for document in documents() {
        let text = read(&document);
        let folder = root()
            .join(&document)
            .parent()
            .expect("a folder")
            .to_owned();
        for link in links(&text) {
            let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target: PathBuf = match path {
                "" => root().join(&document),
                path => folder.join(path),
            };
            assert!(target.exists(), "{document}: {link} does not exist");
            assert!(
                fragment.is_empty() || has_heading(&target, fragment),
                "{document}: {link} has no such heading"
            );
            checked += 1;
        }
    }
    assert!(checked > 50, "only {checked} links were seen");
}

#[test]
fn every_file_that_the_documents_name_exists() {
    let mut checked = 0;
    for document in documents() {
        for path in named_files(&read(&document)) {
            assert!(
                root().join(&path).exists(),
                "{document}: {path} does not exist"
            );
            checked += 1;
        }
    }
    assert!(checked > 25, "only {checked} names were seen");
}
