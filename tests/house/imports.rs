//! The imports of src/ as the edges of a graph of files: every `use`, and every path that begins with
//! `crate` or `super`. A name that a mod.rs passes on belongs to the file that defines it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module by its path below the crate: `["store", "read"]`.
type Module = Vec<String>;

/// Every file of src/ by its module, and where its imports lead.
pub struct Imports {
    /// Paths below src/.
    files: BTreeMap<Module, PathBuf>,
    /// The names that a module passes on, with the path that each leads to; `*` for all of a module.
    passed_on: BTreeMap<Module, Vec<(String, Vec<String>)>>,
    /// The code of each module.
    texts: BTreeMap<Module, String>,
    edges: BTreeSet<(PathBuf, PathBuf)>,
}

impl Imports {
    /// Reads the files; `code` returns a file's text without comments and tests.
    pub fn read(src: &Path, code: impl Fn(&Path) -> String) -> Imports {
        let mut files = BTreeMap::new();
        collect(src, &Vec::new(), &mut files);
        let texts: BTreeMap<Module, String> = files
            .iter()
            .map(|(module, path)| (module.clone(), code(&src.join(path))))
            .collect();
        let mut passed_on = BTreeMap::new();
        for (module, text) in &texts {
            let names = uses(text)
                .into_iter()
                .filter(|(is_public, _)| *is_public)
                .flat_map(|(_, tree)| expand(&tree))
                .map(|(path, name)| (name, path))
                .collect();
            passed_on.insert(module.clone(), names);
        }
        let mut imports = Imports {
            files,
            passed_on,
            texts,
            edges: BTreeSet::new(),
        };
        let mut edges = BTreeSet::new();
        for (module, text) in &imports.texts {
            let from = &imports.files[module];
            let used = uses(text)
                .into_iter()
                .flat_map(|(_, tree)| expand(&tree))
                .map(|(path, _)| path)
                .chain(inline_paths(text));
            let targets: Vec<PathBuf> = used
                .filter_map(|path| imports.resolve(module, &path, 0))
                .map(|target| imports.files[&target].clone())
                .filter(|to| to != from)
                .collect();
            edges.extend(targets.into_iter().map(|to| (from.clone(), to)));
        }
        imports.edges = edges;
        imports
    }

    /// The edges between files, without those between a mod.rs and the files below its folder,
    /// which it declares.
    pub fn between_files(&self) -> impl Iterator<Item = (&Path, &Path)> {
        let is_entry = |entry: &Path, other: &Path| {
            entry.ends_with("mod.rs")
                && entry
                    .parent()
                    .is_some_and(|folder| other.starts_with(folder))
        };
        self.edges
            .iter()
            .map(|(from, to)| (from.as_path(), to.as_path()))
            .filter(move |(from, to)| !is_entry(from, to) && !is_entry(to, from))
    }

    /// The edges between the top-level modules.
    pub fn between_modules(&self) -> BTreeSet<(String, String)> {
        self.edges
            .iter()
            .map(|(from, to)| (top_level(from), top_level(to)))
            .filter(|(from, to)| from != to && from != "main")
            .collect()
    }

    /// The module whose file defines what `path` names, seen from a module; `None` for a path into
    /// another crate.
    fn resolve(&self, from: &Module, path: &[String], depth: usize) -> Option<Module> {
        assert!(depth < 10, "{path:?} of {from:?} leads in a circle");
        let mut rest = path;
        let mut at = match rest.first()?.as_str() {
            "crate" => Module::new(),
            "self" => from.clone(),
            "super" => from[..from.len().checked_sub(1)?].to_vec(),
            name => {
                let child = joined(from, name);
                self.files.get(&child)?;
                child
            }
        };
        rest = &rest[1..];
        while rest.first().is_some_and(|name| name == "super") {
            at.pop()?;
            rest = &rest[1..];
        }
        for (index, name) in rest.iter().enumerate() {
            let child = joined(&at, name);
            if self.files.contains_key(&child) {
                at = child;
                continue;
            }
            return self
                .passed_on_by(&at, name, &rest[index + 1..], depth)
                .or(Some(at));
        }
        Some(at)
    }

    fn passed_on_by(
        &self,
        module: &Module,
        name: &str,
        rest: &[String],
        depth: usize,
    ) -> Option<Module> {
        let is_own = self.texts[module].lines().any(|line| defines(line, name));
        let passed_on = self.passed_on.get(module).filter(|_| !is_own)?;
        let named = passed_on.iter().find(|(own, _)| own == name);
        let all = || {
            passed_on
                .iter()
                .find(|(own, path)| own == "*" && path[0] != "super")
        };
        let (own, path) = named.or_else(all)?;
        let mut path = path.clone();
        if own != "*" {
            path.extend_from_slice(rest);
        }
        self.resolve(module, &path, depth + 1)
    }
}

/// The circles among edges: sets of nodes each of which leads to all others.
pub fn circles<T: Ord + Clone>(edges: &[(T, T)]) -> Vec<Vec<T>> {
    let mut reachable: BTreeMap<T, BTreeSet<T>> = BTreeMap::new();
    for (from, to) in edges {
        reachable
            .entry(from.clone())
            .or_default()
            .insert(to.clone());
    }
    loop {
        let mut has_grown = false;
        for node in reachable.keys().cloned().collect::<Vec<_>>() {
            let further: BTreeSet<T> = reachable[&node]
                .iter()
                .filter_map(|next| reachable.get(next))
                .flatten()
                .cloned()
                .collect();
            let own = reachable.entry(node).or_default();
            let before = own.len();
            own.extend(further);
            has_grown |= own.len() > before;
        }
        if !has_grown {
            break;
        }
    }
    let leads_to = |from: &T, to: &T| reachable.get(from).is_some_and(|all| all.contains(to));
    let mut found: Vec<Vec<T>> = Vec::new();
    for node in reachable.keys().filter(|node| leads_to(node, node)) {
        if !found.iter().any(|circle| circle.contains(node)) {
            let members = reachable[node].iter().filter(|other| leads_to(other, node));
            found.push(members.cloned().collect());
        }
    }
    found
}

fn top_level(path: &Path) -> String {
    let first = path.components().next().expect("a path").as_os_str();
    let first = first.to_str().expect("text");
    first.trim_end_matches(".rs").to_owned()
}

fn joined(module: &Module, name: &str) -> Module {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

fn collect(src: &Path, module: &Module, files: &mut BTreeMap<Module, PathBuf>) {
    let folder = src.join(module.join("/"));
    for entry in fs::read_dir(&folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_str().expect("text");
        let below = path.strip_prefix(src).expect("below src").to_path_buf();
        if path.is_dir() {
            collect(src, &joined(module, name), files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let own = match name {
                "mod" | "lib" => module.clone(),
                // The two systems are one module: sys/mod.rs declares them with #[path].
                "linux" | "bsd" if module.last().is_some_and(|last| last == "sys") => {
                    joined(module, "system")
                }
                _ => joined(module, name),
            };
            if name != "bsd" {
                files.insert(own, below);
            }
        }
    }
}

/// Whether a line begins the definition of a name.
fn defines(line: &str, name: &str) -> bool {
    let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
    let kinds = ["struct", "enum", "fn", "const", "static", "trait", "type"];
    words.any(|word| kinds.contains(&word)) && words.next() == Some(name)
}

/// The trees of all `use` items, each with whether it is public.
fn uses(text: &str) -> Vec<(bool, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("use ") {
        let line = rest[..at].rsplit('\n').next().unwrap_or_default().trim();
        let is_item = line.is_empty() || line == "pub" || line.starts_with("pub(");
        rest = &rest[at + 4..];
        if is_item {
            let (tree, after) = rest.split_once(';').expect("a use item ends");
            found.push((!line.is_empty(), tree.split_whitespace().collect()));
            rest = after;
        }
    }
    found
}

/// The paths of a `use` tree without white space, each with the name that it brings in.
fn expand(tree: &str) -> Vec<(Vec<String>, String)> {
    let (stem, branches) = match tree.split_once('{') {
        Some((stem, branches)) => (stem, branches.trim_end_matches(',')),
        None => (tree, ""),
    };
    let mut path: Vec<String> = stem
        .split("::")
        .map(String::from)
        .filter(|s| !s.is_empty())
        .collect();
    if branches.is_empty() {
        // `a::bas c`, since the white space is gone: only the path matters.
        let name = path.last().cloned().unwrap_or_default();
        if name == "self" || name == "*" {
            path.pop();
        }
        return vec![(path, name)];
    }
    let inner = branches.strip_suffix('}').unwrap_or(branches);
    let (mut depth, mut parts, mut part) = (0, Vec::new(), String::new());
    for c in inner.chars() {
        match c {
            ',' if depth == 0 => parts.push(std::mem::take(&mut part)),
            _ => {
                depth += i32::from(c == '{') - i32::from(c == '}');
                part.push(c);
            }
        }
    }
    parts.push(part);
    parts
        .iter()
        .filter(|part| !part.is_empty())
        .flat_map(|part| expand(part))
        .map(|(inner, name)| (path.iter().cloned().chain(inner).collect(), name))
        .collect()
}

/// Paths in code that begin with `crate` or `super`.
fn inline_paths(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in text.match_indices(start) {
            let is_word =
                text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
            let path: String = text[at..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | ':'))
                .collect();
            // `uses` reads what follows `use crate::{`.
            if !is_word && !path.ends_with(":") {
                let path = path.split("::").filter(|part| !part.is_empty());
                found.push(path.map(String::from).collect());
            }
        }
    }
    found
}
