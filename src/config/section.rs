//! A section of the file: finds its keys and reads their values as the keys are declared. Every
//! wrong key or value is reported in one message.

use std::borrow::Cow;
use std::collections::HashMap;

use super::key::{Key, Without};
use super::kind::{Format, List, Parse, describe, parse_word};
use super::nearest::nearest;
use super::problem::{ProblemKind, Problems, shorten};
use super::yaml::{Content, Node, ScalarStyle};

/// Has no keys when it is absent from the file or not a mapping.
pub(super) struct Section<'n> {
    path: String,
    pub line: Option<usize>,
    /// The names of the declared keys.
    known: &'n [&'static str],
    entries: HashMap<Cow<'n, str>, Entry<'n>>,
}

/// The last value of a key, and the lines of all of them.
struct Entry<'n> {
    node: &'n Node,
    lines: Vec<Option<usize>>,
}

impl<'n> Section<'n> {
    pub fn absent(path: &str, known: &'n [&'static str]) -> Self {
        Section {
            path: path.to_owned(),
            line: None,
            known,
            entries: HashMap::new(),
        }
    }

    /// Reads the keys of a node that should be a mapping. `otherwise` says what happens if it is
    /// not.
    pub fn open(
        problems: &mut Problems,
        node: &'n Node,
        path: &str,
        known: &'n [&'static str],
        otherwise: &str,
    ) -> Option<Section<'n>> {
        let Content::Mapping(entries) = &node.content else {
            let found = describe(node);
            let text = format!("{found} where a section with keys belongs; {otherwise}");
            problems.add(ProblemKind::Value, node.line, path.to_owned(), text);
            return None;
        };
        let mut section = Section {
            line: node.line,
            ..Section::absent(path, known)
        };
        let mut merged = Vec::new();
        for (name, value) in entries {
            if is_merge(name) {
                merged.push(value);
                continue;
            }
            let entry = section.entries.entry(key_text(name)).or_insert(Entry {
                node: value,
                lines: Vec::new(),
            });
            entry.node = value;
            entry.lines.push(name.line);
        }
        for value in merged {
            section.merge(problems, value);
        }
        section.check_keys(problems);
        Some(section)
    }

    /// The node of a key, if the key is there.
    pub fn get(&self, name: &str) -> Option<&'n Node> {
        debug_assert!(self.known.contains(&name), "{name} is not declared");
        self.entries.get(name).map(|entry| entry.node)
    }

    /// The path of a key for a message.
    pub fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// Reports a wrong value: `wrong` says what is wrong with it, `otherwise` what happens instead.
    pub fn report(&self, problems: &mut Problems, name: &str, wrong: &str, otherwise: &str) {
        let text = format!("{wrong}; {otherwise}");
        self.add(problems, ProblemKind::Value, name, text);
    }

    pub fn note(&self, problems: &mut Problems, name: &str, text: String) {
        self.add(problems, ProblemKind::Note, name, text);
    }

    /// Reports what is wrong with a file that a key names.
    pub fn add_of_file(&self, problems: &mut Problems, name: &str, text: String) {
        self.add(problems, ProblemKind::File, name, text);
    }

    fn add(&self, problems: &mut Problems, kind: ProblemKind, name: &str, text: String) {
        let line = self.get(name).map_or(self.line, |node| node.line);
        problems.add(kind, line, self.path_of(name), text);
    }

    /// The value of a key, or its default.
    pub fn value<K: Format, D: Copy + Into<K::Value>>(
        &self,
        problems: &mut Problems,
        key: &Key<K, D>,
    ) -> K::Value {
        self.value_or(problems, key, "default", key.default.into())
    }

    /// The value of a key, or another one; `origin` says in the message whose value that is.
    pub fn value_or<K: Format, D>(
        &self,
        problems: &mut Problems,
        key: &Key<K, D>,
        origin: &str,
        other: K::Value,
    ) -> K::Value {
        let otherwise = format!("{origin} {} used", key.kind.format(&other));
        self.own_value(problems, key, &otherwise).unwrap_or(other)
    }

    /// The value of a key that has no default value.
    pub fn optional<K: Parse>(
        &self,
        problems: &mut Problems,
        key: &Key<K, Without>,
    ) -> Option<K::Value> {
        self.own_value(problems, key, key.default.0)
    }

    /// The value of a key that has no default value, or another one of `origin`.
    pub fn optional_or<K: Format>(
        &self,
        problems: &mut Problems,
        key: &Key<K, Without>,
        origin: &str,
        other: Option<K::Value>,
    ) -> Option<K::Value> {
        match other {
            Some(other) => Some(self.value_or(problems, key, origin, other)),
            None => self.optional(problems, key),
        }
    }

    /// The value of a key; `None` if the key is absent or its value wrong. `otherwise` says in the
    /// message what is used then.
    pub fn own_value<K: Parse, D>(
        &self,
        problems: &mut Problems,
        key: &Key<K, D>,
        otherwise: &str,
    ) -> Option<K::Value> {
        let parsed = key.kind.parse(self.get(key.name)?);
        parsed
            .map_err(|wrong| self.report(problems, key.name, &wrong, otherwise))
            .ok()
    }

    /// The items of a list; `None` if the key is absent or its value no list.
    pub fn items<D>(
        &self,
        problems: &mut Problems,
        key: &Key<List, D>,
        otherwise: &str,
    ) -> Option<&'n [Node]> {
        let node = self.get(key.name)?;
        if let Content::List(items) = &node.content {
            return Some(items);
        }
        self.report(problems, key.name, &key.kind.wrong(node), otherwise);
        None
    }

    /// The items of a list as texts; `None` if the key is absent or anything in it is wrong.
    pub fn words<D>(
        &self,
        problems: &mut Problems,
        key: &Key<List, D>,
        otherwise: &str,
    ) -> Option<Vec<String>> {
        let mut words = Vec::new();
        for (index, item) in self.items(problems, key, otherwise)?.iter().enumerate() {
            match parse_word(item) {
                Ok(word) => words.push(word),
                Err(wrong) => {
                    self.report_item(problems, key.name, (index, item), &wrong, otherwise);
                    return None;
                }
            }
        }
        Some(words)
    }

    pub fn report_item(
        &self,
        problems: &mut Problems,
        name: &str,
        (index, item): (usize, &Node),
        wrong: &str,
        otherwise: &str,
    ) {
        let line = item.line.or_else(|| self.get(name)?.line);
        let path = self.path_of(&format!("{name}[{index}]"));
        let text = format!("{wrong}; {otherwise}");
        problems.add(ProblemKind::Value, line, path, text);
    }

    /// `<<: *other` and `<<: [*one, *other]`: adds the keys that are not there yet.
    fn merge(&mut self, problems: &mut Problems, value: &'n Node) {
        let sources = match &value.content {
            Content::List(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(value),
        };
        for source in sources {
            let Content::Mapping(entries) = &source.content else {
                let found = describe(source);
                let text = format!("{found} where a section to merge belongs; nothing merged");
                problems.add(ProblemKind::Value, value.line, self.path_of("<<"), text);
                continue;
            };
            // Of duplicate keys the last one counts here as well.
            let (merges, keys): (Vec<_>, Vec<_>) =
                entries.iter().rev().partition(|(name, _)| is_merge(name));
            for (name, value) in keys {
                self.entries.entry(key_text(name)).or_insert(Entry {
                    node: value,
                    lines: vec![None],
                });
            }
            // A section's own keys take precedence over those that it merges.
            for (_, value) in merges {
                self.merge(problems, value);
            }
        }
    }

    /// Reports unknown and duplicate keys.
    fn check_keys(&self, problems: &mut Problems) {
        let mut found = Vec::new();
        for (name, entry) in &self.entries {
            if !self.known.contains(&name.as_ref()) || entry.lines.len() > 1 {
                found.push((entry.lines.last().copied().flatten(), name, entry));
            }
        }
        // The hash map has no order; messages come in the order of the file.
        found.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        for (line, name, entry) in found {
            if !self.known.contains(&name.as_ref()) {
                let near = match problems.is_full() {
                    true => None,
                    false => nearest(name, self.known, problems.sections),
                };
                let hint = match near {
                    Some(known) => format!("did you mean {known}?"),
                    None => format!("known here: {}", self.known.join(", ")),
                };
                let text = format!("unknown key, {hint}; ignored");
                let key = self.path_of(&shorten(name));
                problems.add(ProblemKind::UnknownKey, line, key, text);
            }
            if entry.lines.len() > 1 {
                let key = self.path_of(&shorten(name));
                problems.add(ProblemKind::Value, line, key, describe_duplicates(entry));
            }
        }
    }
}

/// Whether a key is YAML's merge key.
fn is_merge(name: &Node) -> bool {
    name.style != ScalarStyle::Quoted && key_text(name) == "<<"
}

/// Lines that are named, without the last.
const MAX_NAMED: usize = 10;

fn describe_duplicates(entry: &Entry<'_>) -> String {
    let count = entry.lines.len();
    let lines: Vec<String> = entry.lines.iter().flatten().map(usize::to_string).collect();
    let place = match lines.split_last() {
        Some((last, rest)) if !rest.is_empty() => {
            let named = rest.get(..MAX_NAMED).unwrap_or(rest).join(", ");
            let others = if rest.len() > MAX_NAMED { ", ..." } else { "" };
            format!(", in lines {named}{others} and {last}")
        }
        _ => String::new(),
    };
    format!("given {count} times{place}; the last one counts")
}

fn key_text(name: &Node) -> Cow<'_, str> {
    match (&name.content, &name.style) {
        (Content::Text(text), _) | (_, ScalarStyle::Plain(text)) => Cow::Borrowed(text),
        _ => Cow::Owned(describe(name)),
    }
}
