//! The rules of the source tree, as src/lib.rs states them: a rule that nothing checks is soon
//! broken.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "house/imports.rs"]
mod imports;

use imports::{Imports, circles};

/// The modules that alone may name a crate or use a keyword.
const OWNERS: &[(&str, &[&str])] = &[
    ("serde_yaml", &["config"]),
    ("rusqlite", &["store"]),
    ("socket2", &["net"]),
    ("argh", &["cli"]),
    ("tiny_http", &["web"]),
    ("httparse", &["web", "push"]),
    ("snap", &["push"]),
    ("crc", &["web"]),
    ("flate2", &["web"]),
    ("simplelog", &["logging"]),
    ("signal_hook", &["daemon"]),
    ("unsafe", &["sys"]),
];
/// Names of sockets, clocks, files and threads.
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
/// Lines of code in a file without its tests: a longer file does more than one thing.
const MAX_LINES: usize = 450;

/// A file of src/.
struct Source {
    /// Below src/.
    path: PathBuf,
    /// The top-level module it belongs to.
    module: String,
    /// Without comments and tests.
    code: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A file's text without the tests at its end.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default()
}

/// A file's code; empty for a file of tests.
fn code(path: &Path) -> String {
    if path
        .file_stem()
        .is_some_and(|name| name.to_string_lossy().ends_with("tests"))
    {
        return String::new();
    }
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    let lines = read(path);
    let lines = without_tests(&lines).lines().filter(is_code);
    lines.map(|line| format!("{line}\n")).collect()
}

/// All files below a folder, without the output of builds.
fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if matches!(name.as_str(), "target" | ".git" | "node_modules") {
            continue;
        }
        if path.is_dir() {
            files_below(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut files = Vec::new();
    files_below(&src, &mut files);
    let source = |file: PathBuf| {
        let path = file.strip_prefix(&src).expect("below src").to_path_buf();
        let first = path
            .components()
            .next()
            .expect("a name")
            .as_os_str()
            .to_string_lossy();
        let module = first.trim_end_matches(".rs").to_string();
        let is_entry = matches!(module.as_str(), "lib" | "main");
        let code = code(&file);
        (path.extension().is_some_and(|extension| extension == "rs")
            && !is_entry
            && !code.is_empty())
        .then_some(Source { path, module, code })
    };
    let found: Vec<Source> = files.into_iter().filter_map(source).collect();
    assert!(found.len() > 100, "only {} sources were found", found.len());
    found
}

/// The layers in the table of src/lib.rs, the lowest first: the modules of each.
fn layers() -> Vec<BTreeSet<String>> {
    let architecture = read(&root().join("src/lib.rs"));
    let table = architecture.split_once("//! | layer | modules | rule |\n");
    let rows = table.expect("the table of layers").1.lines().skip(1);
    let modules = |row: &str| {
        let cell = row.split('|').nth(2)?;
        let names = cell.split("[`").skip(1);
        Some(
            names
                .filter_map(|rest| Some(rest.split_once("`]")?.0.to_owned()))
                .collect(),
        )
    };
    let layers: Vec<BTreeSet<String>> = rows
        .take_while(|line| line.starts_with("//! |"))
        .filter_map(modules)
        .collect();
    assert!(layers.len() > 5, "only {layers:?} were found");
    layers
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
fn a_module_imports_only_modules_of_lower_layers() {
    let layers = layers();
    let layer = |module: &str| {
        layers
            .iter()
            .position(|modules| modules.contains(module))
            .unwrap_or_else(|| panic!("{module} is in no layer of src/lib.rs"))
    };
    let edges = Imports::read(&root().join("src"), code).between_modules();
    assert!(edges.len() > 60, "only {} imports were seen", edges.len());
    for (from, to) in &edges {
        assert!(layer(to) < layer(from), "{from} imports {to}");
    }
}

#[test]
fn every_module_is_in_exactly_one_layer() {
    let found: BTreeSet<String> = sources().into_iter().map(|source| source.module).collect();
    let mut listed: Vec<String> = layers().into_iter().flatten().collect();
    listed.sort();
    assert_eq!(listed, found.into_iter().collect::<Vec<_>>());
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let imports = Imports::read(&root().join("src"), code);
    let edges: Vec<(&Path, &Path)> = imports.between_files().collect();
    assert!(edges.len() > 300, "only {} imports were seen", edges.len());
    assert_eq!(circles(&edges), Vec::<Vec<&Path>>::new());
}

#[test]
fn reading_and_writing_the_store_do_not_import_each_other() {
    let imports = Imports::read(&root().join("src"), code);
    let (read, write) = (Path::new("store/read"), Path::new("store/write"));
    let from_both: Vec<(&Path, &Path)> = imports
        .between_files()
        .filter(|(from, _)| from.starts_with(read) || from.starts_with(write))
        .collect();
    assert!(
        from_both.len() > 50,
        "only {} imports were seen",
        from_both.len()
    );
    for (from, to) in from_both {
        let other = if from.starts_with(read) { write } else { read };
        assert!(
            !to.starts_with(other),
            "{} imports {}",
            from.display(),
            to.display()
        );
    }
}

#[test]
fn each_crate_has_one_owner() {
    for (word, owners) in OWNERS {
        let users: Vec<Source> = sources()
            .into_iter()
            .filter(|source| is_word(&source.code, word))
            .collect();
        assert!(!users.is_empty(), "{word} is used nowhere");
        for user in users {
            let is_owner = owners.contains(&user.module.as_str());
            assert!(is_owner, "{} contains {word}", user.path.display());
        }
    }
}

#[test]
fn only_sys_depends_on_the_operating_system() {
    let (system, others): (Vec<Source>, Vec<Source>) = sources()
        .into_iter()
        .partition(|source| source.module == "sys");
    for word in ["target_os", "os::linux", "os::macos", "os::freebsd"] {
        let is_used = system.iter().any(|source| source.code.contains(word));
        assert!(word != "target_os" || is_used, "{word} is used nowhere");
        for source in &others {
            assert!(
                !source.code.contains(word),
                "{} contains {word}",
                source.path.display()
            );
        }
    }
}

#[test]
fn the_pure_core_uses_no_socket_clock_file_or_thread() {
    for source in sources().iter().filter(|source| source.module == "pure") {
        for word in IMPURE {
            assert!(
                !source.code.contains(word),
                "{} contains {word}",
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
    "AtomicUsize",
];

#[test]
fn shared_mutable_state_is_only_where_the_architecture_says() {
    let architecture = read(&root().join("src/lib.rs"));
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
    let has_state = |source: &Source| SHARED_STATE.iter().any(|word| is_word(&source.code, word));
    let found: BTreeSet<String> = sources()
        .into_iter()
        .filter(has_state)
        .map(|source| source.module)
        .collect();
    assert_eq!(found, named);
}

#[test]
fn nothing_uses_an_atomic_of_64_bits_which_mips_does_not_have() {
    for source in sources() {
        for word in ["AtomicU64", "AtomicI64"] {
            let path = source.path.display();
            assert!(!is_word(&source.code, word), "{path} contains {word}");
        }
    }
}

#[test]
fn no_file_has_more_than_450_lines_of_code() {
    for source in sources() {
        let lines = source
            .code
            .lines()
            .filter(|line| !line.trim().is_empty())
            .count();
        assert!(
            lines <= MAX_LINES,
            "{} has {lines} lines of code",
            source.path.display()
        );
    }
}

#[test]
fn every_file_begins_with_a_comment_about_its_purpose() {
    for source in sources() {
        let text = read(&root().join("src").join(&source.path));
        assert!(text.starts_with("//! "), "{}", source.path.display());
    }
}

/// The comments of a file, by how its language marks them.
fn comments(path: &Path, text: &str) -> Vec<String> {
    let extension = path
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let marks: &[&str] = match extension.as_str() {
        "rs" | "js" | "mjs" | "ts" => &["//", "/*", "*"],
        "css" => &["/*", "*"],
        "toml" | "yaml" | "" => &["#"],
        _ => &[],
    };
    text.lines()
        .map(str::trim_start)
        .filter(|line| marks.iter().any(|mark| line.starts_with(mark)))
        .map(String::from)
        .collect()
}

#[test]
fn files_that_comments_name_exist() {
    let mut files = Vec::new();
    files_below(root(), &mut files);
    let below = |file: &PathBuf| file.strip_prefix(root()).expect("below").to_path_buf();
    let known: Vec<PathBuf> = files.iter().map(below).collect();
    let is_name = |word: &&str| {
        let extension = word
            .rsplit_once('.')
            .map(|(stem, extension)| (!stem.is_empty(), extension));
        matches!(
            extension,
            Some((true, "rs" | "js" | "mjs" | "css" | "html"))
        )
    };
    let mut checked = 0;
    let mut missing = Vec::new();
    for file in &files {
        let Ok(text) = fs::read_to_string(file) else {
            continue;
        };
        for comment in comments(file, &text) {
            let words = comment
                .split(|c: char| !c.is_alphanumeric() && !matches!(c, '.' | '/' | '_' | '-'));
            for name in words.map(|word| word.trim_end_matches('.')).filter(is_name) {
                checked += 1;
                let name = name.trim_start_matches("../").trim_start_matches("./");
                let is_address = name
                    .split_once('/')
                    .is_some_and(|(first, _)| first.contains('.'));
                let is_there = |path: &PathBuf| is_address || path.ends_with(name);
                if !known.iter().any(is_there) {
                    missing.push(format!("{}: {comment}", file.display()));
                }
            }
        }
    }
    assert!(checked > 40, "only {checked} names of files were seen");
    assert!(missing.is_empty(), "no such file:\n{}", missing.join("\n"));
}

#[test]
fn the_tests_that_the_threat_model_names_exist() {
    let mut files = Vec::new();
    for folder in ["src", "tests", "fuzz/targets"] {
        files_below(&root().join(folder), &mut files);
    }
    let mut claims = BTreeSet::new();
    for path in &files {
        match path.extension().and_then(|extension| extension.to_str()) {
            // Each is a test of its name.
            Some("scenario") => claims.extend(
                path.file_stem()
                    .map(|name| name.to_string_lossy().to_string()),
            ),
            Some("rs") => {
                let text = read(path);
                let tests = text.split("#[test]").skip(1);
                claims.extend(tests.filter_map(|test| {
                    let (_, rest) = test.split_once("fn ")?;
                    rest.split_once('(').map(|(name, _)| name.to_string())
                }));
            }
            _ => {}
        }
    }
    let text = read(&root().join("docs/threats.md"));
    let named: Vec<&str> = text
        .split('`')
        .filter_map(|code| code.split_once("::").map(|(_, name)| name))
        .filter(|name| name.matches('_').count() > 2)
        .collect();
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        assert!(
            claims.contains(name),
            "docs/threats.md: there is no test {name}"
        );
    }
}

#[test]
fn every_dependency_has_its_reason_on_the_line_above() {
    let manifest = read(&root().join("Cargo.toml"));
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
