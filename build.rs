//! Runs before the program is compiled. Packs the files of the page (static/) and writes the table of
//! them that src/web/assets.rs includes, fills in which modules index.html preloads, and tells the
//! linker what to leave out.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

const CONTENT_TYPES: &[(&str, &str)] = &[
    ("css", "text/css; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("svg", "image/svg+xml"),
];

/// The modules that index.html loads by a script element.
const SCRIPTS: [&str; 4] = ["first", "theme", "early", "main"];
/// The page that opens without a fragment in the URL. Main imports it dynamically, as every page.
const FIRST_PAGE: &str = "pages/overview";
/// The place in index.html for the preload links of the first page.
const PRELOAD_MARK: &str = "<!-- modulepreload -->";
/// The place in index.html where early.js finds the modules of the other pages.
const MODULES_MARK: &str = "data-modules";

/// Drops the tables for unwinding stacks: a tenth of the binary. A panic aborts, so nothing unwinds,
/// and without debug information a backtrace would list unknown places anyway. The compiler cannot
/// do it: the standard library comes with its tables, and tests and build scripts need theirs. GNU
/// ld and lld read this (GNU ld's manual, "Other Linker Script Commands", INSERT); mold does not.
const WITHOUT_UNWIND_TABLES: &str = "\
SECTIONS { /DISCARD/ : { *(.eh_frame) *(.gcc_except_table .gcc_except_table.*) } }
INSERT AFTER .text;
";

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=static");
    let out = PathBuf::from(variable("OUT_DIR"));
    embed_page(&out)?;
    // A build with debug information wants backtraces. Only glibc's start files have been tried
    // without tables.
    if variable("DEBUG") == "false" && variable("CARGO_CFG_TARGET_OS") == "linux" {
        let script = out.join("without-unwind-tables.ld");
        fs::write(&script, WITHOUT_UNWIND_TABLES)?;
        println!("cargo:rustc-link-arg-bins=-T{}", script.display());
        // Drops the index of these tables too.
        println!("cargo:rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
    }
    Ok(())
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}

/// Ends the build with a message that cargo shows as an error.
fn fail(message: &str) -> ! {
    println!("cargo::error={message}");
    std::process::exit(1);
}

/// Writes every file of static/ into the output folder, as it is served and as a gzip file, and
/// next to them `assets.rs`, which src/web/assets.rs includes: the table of the files.
fn embed_page(out: &Path) -> io::Result<()> {
    let mut files = Vec::new();
    list_files(Path::new("static"), &mut files)?;
    files.sort();
    let mut table = format!("static TABLE: [Asset; {}] = [\n", files.len());
    for file in &files {
        let content_type = content_type(file);
        let content = fs::read(file)?;
        let content = match file.rsplit('.').next() {
            Some("html") => fill_in_modules(&String::from_utf8_lossy(&content)).into_bytes(),
            Some("js") => without_comments(file, &String::from_utf8_lossy(&content)).into_bytes(),
            Some("css") => without_css_comments(&String::from_utf8_lossy(&content)).into_bytes(),
            _ => content,
        };
        let target = out.join(file);
        fs::create_dir_all(target.parent().expect("a folder"))?;
        fs::write(&target, &content)?;
        fs::write(out.join(format!("{file}.gz")), pack(&content)?)?;
        let path = file.trim_start_matches("static");
        writeln!(
            table,
            "    asset({path:?}, {content_type:?}, include_bytes!(\"{file}.gz\")),"
        )
        .expect("writing to a String cannot fail");
    }
    table.push_str("];\n");
    fs::write(out.join("assets.rs"), table)
}

/// Paths with `/`, from this package's folder.
fn list_files(folder: &Path, found: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            list_files(&entry.path(), found)?;
        } else {
            found.push(entry.path().to_string_lossy().replace('\\', "/"));
        }
    }
    Ok(())
}

fn content_type(file: &str) -> &'static str {
    let extension = file.rsplit('.').next().unwrap_or_default();
    CONTENT_TYPES
        .iter()
        .find(|(known, _)| *known == extension)
        .unwrap_or_else(|| {
            fail(&format!(
                "{file} has no content type: add .{extension} to CONTENT_TYPES in build.rs"
            ))
        })
        .1
}

/// A gzip file without name and time in it, so that builds are reproducible.
fn pack(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    encoder.finish()
}

/// A module without the lines that are only comment. These become empty, so that a browser reports
/// the line numbers of the source. No string of the page spans several lines.
fn without_comments(file: &str, source: &str) -> String {
    let mut is_inside = false;
    let mut result = String::new();
    for line in source.lines() {
        let text = line.trim();
        let starts = text.starts_with("/*");
        let ends = text.ends_with("*/");
        if is_inside && text.contains("*/") && !ends {
            fail(&format!(
                "{file}: code follows the end of a comment: {text}"
            ));
        }
        let is_block = is_inside || (starts && (ends || !text.contains("*/")));
        is_inside = is_block && !ends;
        if !is_block && !text.starts_with("//") {
            result.push_str(line);
        }
        result.push('\n');
    }
    result
}

/// A style sheet without its comments. No string of the page's has their marks.
fn without_css_comments(source: &str) -> String {
    let mut parts = source.split("/*");
    let mut result = parts.next().unwrap_or_default().to_string();
    for part in parts {
        result.push_str(part.split_once("*/").map_or("", |(_, rest)| rest));
    }
    result
}

/// Replaces the two marks of index.html. The first page's modules become preload links, those that
/// early.js imports before the others, since it sends the first requests. The modules that another
/// page needs in addition become an attribute with the page's name, which early.js reads.
fn fill_in_modules(html: &str) -> String {
    let early = modules_needed_by(&["early"]);
    let first_page = modules_needed_by(&["early", "main", FIRST_PAGE]);
    let links: Vec<String> = early
        .iter()
        .chain(first_page.difference(&early))
        .filter(|name| !SCRIPTS.contains(&name.as_str()))
        .map(|name| format!("<link rel=\"modulepreload\" href=\"js/{name}.js\">"))
        .collect();

    let mut pages = Vec::new();
    list_files(Path::new("static/js/pages"), &mut pages)
        .unwrap_or_else(|error| fail(&format!("static/js/pages: {error}")));
    pages.sort();
    let attributes: Vec<String> = pages
        .iter()
        .map(|file| {
            file.trim_start_matches("static/js/")
                .trim_end_matches(".js")
        })
        .filter(|page| *page != FIRST_PAGE)
        .map(|page| {
            let more: Vec<String> = modules_needed_by(&[page])
                .difference(&first_page)
                .cloned()
                .collect();
            format!(
                "data-{}=\"{}\"",
                page.trim_start_matches("pages/"),
                more.join(" ")
            )
        })
        .collect();

    for mark in [PRELOAD_MARK, MODULES_MARK] {
        if html.matches(mark).count() != 1 {
            fail(&format!("static/index.html needs {mark} exactly once"));
        }
    }
    html.replace(PRELOAD_MARK, &links.join("\n"))
        .replace(MODULES_MARK, &attributes.join(" "))
}

/// The modules with these names and all that they import statically, as names below static/js.
fn modules_needed_by(names: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open: Vec<String> = names.iter().map(ToString::to_string).collect();
    while let Some(name) = open.pop() {
        let file = format!("static/js/{name}.js");
        let text = fs::read_to_string(&file)
            .unwrap_or_else(|error| fail(&format!("{file}, which a module imports: {error}")));
        if found.insert(name.clone()) {
            open.extend(imports(&text).map(|path| resolve(&name, path)));
        }
    }
    found
}

/// What a module's import statements name: the text between their quotes.
fn imports(text: &str) -> impl Iterator<Item = &str> {
    text.split(';')
        .map(|statement| {
            // The first statement follows the comment at the beginning of the file.
            statement
                .find("\nimport ")
                .map_or("", |start| &statement[start..])
        })
        .filter_map(|statement| statement.split('\'').nth(1))
}

/// `../data/time.js`, imported by `charts/chart`, is `data/time`.
fn resolve(importer: &str, path: &str) -> String {
    let mut parts: Vec<&str> = importer.split('/').collect();
    parts.pop();
    for part in path.trim_end_matches(".js").split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}
