//! The rules of the house, as src/lib.rs states them. An invariant that nobody checks is a wish.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules by floor. A module may import from the floors below its own, and from itself.
const FLOORS: &[&[&str]] = &[
    &["pure"],
    &[
        "config", "logging", "net", "store", "systemd", "stop", "sys",
    ],
    &[
        "pinger", "witness", "alerts", "status", "export", "web", "report",
    ],
    &["api"],
    &["dashboard", "daemon", "cli"],
];
/// What neighbours on the same floor may import all the same.
const SHARED: &[&str] = &["sys", "stop", "status", "pinger", "report"];
/// Who alone may name a crate, or say a word.
const OWNERS: &[(&str, &[&str])] = &[
    ("serde_yaml", &["config"]),
    ("rusqlite", &["store"]),
    ("socket2", &["net"]),
    ("argh", &["cli"]),
    ("tiny_http", &["web"]),
    ("httparse", &["web"]),
    ("flate2", &["web"]),
    ("simplelog", &["logging"]),
    ("signal_hook", &["daemon"]),
    ("unsafe", &["sys"]),
];
/// What the pure floor may not say: sockets, clocks, files, threads.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::thread",
    "std::env",
    "std::net::Udp",
    "std::net::Tcp",
    "Instant",
    "SystemTime",
    "File::",
    "libc::",
];
/// Lines of code in a file, its tests not counted: past that it is two nouns.
const MAX_FILE: usize = 600;

struct Source {
    path: PathBuf,
    module: String,
    /// Without comments, strings' contents kept, and without its tests.
    code: String,
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    collect(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut found,
    );
    assert!(found.len() > 20, "the sources were found");
    found
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
    {
        if entry.is_dir() {
            collect(&entry, found);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let inside = entry
                .strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
                .expect("below src")
                .to_path_buf();
            let first = inside
                .components()
                .next()
                .expect("a name")
                .as_os_str()
                .to_string_lossy()
                .into_owned();
            let name = entry
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            if name.ends_with("tests") || matches!(first.as_str(), "main.rs" | "lib.rs") {
                continue;
            }
            let text = fs::read_to_string(&entry).expect("text");
            let text = text
                .split("#[cfg(test)]\nmod tests {")
                .next()
                .unwrap_or_default();
            let is_code = |line: &&str| !line.trim_start().starts_with("//");
            let code = text
                .lines()
                .filter(is_code)
                .map(|line| format!("{line}\n"))
                .collect();
            found.push(Source {
                path: inside,
                module: first.trim_end_matches(".rs").to_string(),
                code,
            });
        }
    }
}

fn floor(module: &str) -> usize {
    FLOORS
        .iter()
        .position(|floor| floor.contains(&module))
        .unwrap_or_else(|| panic!("{module} has no floor: enter it here and in src/lib.rs"))
}

fn is_word(code: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back().is_some_and(part_of_name);
        let after = code[at + word.len()..]
            .chars()
            .next()
            .is_some_and(part_of_name);
        !before && !after
    })
}

#[test]
fn imports_go_downwards_only() {
    let mut checked = 0;
    for source in sources() {
        for other in FLOORS
            .iter()
            .flat_map(|floor| floor.iter())
            .filter(|other| **other != source.module)
        {
            let names_it = source.code.contains(&format!("crate::{other}"))
                || source.code.contains(&format!("crate::{{{other}"))
                || source
                    .code
                    .lines()
                    .any(|line| line.starts_with("use crate::{") && is_word(line, other));
            if names_it {
                checked += 1;
                let is_below = floor(other) < floor(&source.module);
                let is_shared = floor(other) == floor(&source.module)
                    && (SHARED.contains(other) || floor(other) == 0 || floor(other) == 4);
                assert!(
                    is_below || is_shared,
                    "{} imports {other}",
                    source.path.display()
                );
            }
        }
    }
    assert!(checked > 30, "only {checked} imports were seen");
}

#[test]
fn every_module_has_a_floor() {
    assert!(
        sources()
            .iter()
            .all(|source| floor(&source.module) < FLOORS.len())
    );
}

#[test]
fn each_crate_has_one_owner() {
    for (word, owners) in OWNERS {
        let users: Vec<Source> = sources()
            .into_iter()
            .filter(|source| is_word(&source.code, word))
            .collect();
        assert!(!users.is_empty(), "nobody uses {word}");
        for user in users {
            assert!(
                owners.contains(&user.module.as_str()),
                "{} says {word}",
                user.path.display()
            );
        }
    }
}

#[test]
fn only_sys_knows_which_system_it_is_on() {
    let (asking, others): (Vec<Source>, Vec<Source>) = sources()
        .into_iter()
        .partition(|source| source.module == "sys");
    for word in ["target_os", "os::linux", "os::macos", "os::freebsd"] {
        assert!(
            word != "target_os" || asking.iter().any(|source| source.code.contains(word)),
            "nobody says {word}"
        );
        for source in &others {
            assert!(
                !source.code.contains(word),
                "{} says {word}",
                source.path.display()
            );
        }
    }
}

#[test]
fn the_pure_floor_touches_no_socket_clock_file_or_thread() {
    for source in sources().iter().filter(|source| floor(&source.module) == 0) {
        for word in IMPURE {
            assert!(
                !source.code.contains(word),
                "{} says {word}",
                source.path.display()
            );
        }
    }
}

/// Types that make it possible to change what several threads see.
const SHARED_STATE: &[&str] = &[
    "Mutex",
    "RwLock",
    "OnceLock",
    "LazyLock",
    "AtomicBool",
    "AtomicU8",
    "AtomicU32",
    "AtomicU64",
    "AtomicUsize",
];

#[test]
fn shared_mutable_state_is_only_where_the_architecture_says() {
    let architecture =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).expect("text");
    let (_, paragraph) = architecture
        .split_once("//! Shared mutable state is in ")
        .expect("a paragraph about it");
    let paragraph = paragraph.split("\n//!\n").next().unwrap_or_default();
    let named: BTreeSet<String> = paragraph
        .split("[`")
        .skip(1)
        .filter_map(|rest| rest.split_once("`]"))
        .map(|(module, _)| module.to_string())
        .collect();
    let found: BTreeSet<String> = sources()
        .into_iter()
        .filter(|source| SHARED_STATE.iter().any(|word| is_word(&source.code, word)))
        .map(|source| source.module)
        .collect();
    assert_eq!(found, named);
}

#[test]
fn no_file_is_two_nouns() {
    for source in sources() {
        let lines = source
            .code
            .lines()
            .filter(|line| !line.trim().is_empty())
            .count();
        assert!(
            lines <= MAX_FILE,
            "{} has {lines} lines of code",
            source.path.display()
        );
    }
}

#[test]
fn every_file_says_what_it_owns() {
    for source in sources() {
        let text = fs::read_to_string(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("src")
                .join(&source.path),
        )
        .expect("text");
        assert!(text.starts_with("//! "), "{}", source.path.display());
    }
}

#[test]
fn every_dependency_has_its_reason_on_the_line_above() {
    let manifest =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).expect("text");
    let lines: Vec<&str> = manifest.lines().collect();
    let mut is_inside = false;
    let mut checked = 0;
    for (index, line) in lines.iter().enumerate() {
        if line.starts_with('[') {
            is_inside = line.contains("dependencies");
        } else if is_inside && line.contains('=') && !line.starts_with('#') {
            checked += 1;
            assert!(lines[index - 1].starts_with("# "), "{line}");
        }
    }
    assert!(checked >= 10, "only {checked} dependencies were seen");
}

#[test]
fn the_page_is_at_most_120_columns_wide() {
    fn check(folder: &Path) -> usize {
        let mut checked = 0;
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                checked += check(&path);
            } else if path
                .extension()
                .is_some_and(|end| end == "js" || end == "css")
            {
                checked += 1;
                for (index, line) in fs::read_to_string(&path).expect("text").lines().enumerate() {
                    let place = format!("{}:{}", path.display(), index + 1);
                    assert!(line.chars().count() <= 120, "{place} is longer: {line}");
                }
            }
        }
        checked
    }
    let checked = check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("static"));
    assert!(checked > 30, "only {checked} files were seen");
}
