//! On which line each value stands and whether it was quoted: serde_yaml's tree says neither. Reads
//! block style by its indentation; flow style is read in flow.rs. What it does not understand it
//! leaves unknown, and what does not agree with the parsed tree is thrown away, so that a line may
//! be missing and is never wrong.

use super::cursor::Cursor;
use super::raw::{Node, Value, Written};

/// Deeper nesting than this is left unknown; the parser itself stops at 128.
pub(super) const DEEPEST: usize = 100;

/// Adds lines and ways of writing to the tree that was parsed from the same text.
pub(super) fn annotate(text: &str, root: &mut Node) {
    // Other line breaks than these are counted differently by nearly every program.
    let has_odd_break = text.contains(['\u{85}', '\u{2028}', '\u{2029}'])
        || text.replace("\r\n", "").contains('\r');
    if has_odd_break {
        return;
    }
    let mut cursor = Cursor::new(text);
    if let Some(scanned) = cursor.document() {
        merge(root, scanned, Some(1));
    }
}

/// What the scanner saw of one value.
pub(super) struct Scanned {
    pub shape: Shape,
    pub tag: Option<String>,
}

pub(super) enum Shape {
    Unknown,
    Scalar(Written),
    List(Vec<(usize, Scanned)>),
    Section(Vec<(Key, Scanned)>),
}

pub(super) struct Key {
    pub line: usize,
    /// `None` when it has escapes, which only the parser understands.
    pub text: Option<String>,
    pub written: Written,
}

fn merge(node: &mut Node, scanned: Scanned, line: Option<usize>) {
    node.line = line;
    if let Some(tag) = scanned.tag {
        // The parser ignores foreign tags of the !! kind; a value that carries one is not what it
        // seems.
        if !matches!(
            tag.as_str(),
            "!" | "!!str" | "!!int" | "!!float" | "!!bool" | "!!null" | "!!map" | "!!seq"
        ) {
            node.value = Value::Tagged(tag);
            return;
        }
        // A tag settles what plain text means, so how it was written does not matter.
        if matches!(scanned.shape, Shape::Scalar(_)) {
            return;
        }
    }
    match (&mut node.value, scanned.shape) {
        (Value::List(items), Shape::List(seen)) if items.len() == seen.len() => {
            for (item, (line, scanned)) in items.iter_mut().zip(seen) {
                merge(item, scanned, Some(line));
            }
        }
        (Value::Section(entries), Shape::Section(seen)) if entries.len() == seen.len() => {
            if entries
                .iter()
                .zip(&seen)
                .any(|((name, _), (key, _))| !agrees(name, key))
            {
                return;
            }
            for ((name, value), (key, scanned)) in entries.iter_mut().zip(seen) {
                name.line = Some(key.line);
                name.written = key.written;
                merge(value, scanned, Some(key.line));
            }
        }
        (Value::Text(text), Shape::Scalar(Written::Plain(plain))) if *text != plain => {}
        (Value::List(_) | Value::Section(_) | Value::Tagged(_), _) => {}
        (Value::Text(_), Shape::Scalar(written)) => node.written = written,
        (_, Shape::Scalar(Written::Plain(plain))) => node.written = Written::Plain(plain),
        _ => {}
    }
}

fn agrees(name: &Node, key: &Key) -> bool {
    match (&name.value, &key.text) {
        (Value::Text(name), Some(seen)) => name == seen,
        (Value::List(_) | Value::Section(_), _) => false,
        _ => true,
    }
}

/// Every function gives `None` as soon as it meets something it does not understand.
impl Cursor<'_> {
    fn document(&mut self) -> Option<Scanned> {
        self.skip_to_token()?;
        if self.at_marker("---") {
            self.at += 3;
        }
        let scanned = self.value(0, false, 0)?;
        self.skip_to_token()?;
        (self.rest().is_empty() || self.at_marker("...")).then_some(scanned)
    }

    /// A value whose lines begin at column `least` or behind. Block lists may also begin one column
    /// before it when they are a key's value.
    fn value(&mut self, least: usize, is_of_key: bool, depth: usize) -> Option<Scanned> {
        if depth > DEEPEST {
            return None;
        }
        let started_on = self.line;
        let mut tag = None;
        loop {
            self.skip_to_token()?;
            let is_list_of_key = is_of_key && self.column() + 1 == least && self.at_dash();
            let is_outside = self.line != started_on && self.column() < least && !is_list_of_key;
            if self.rest().is_empty()
                || is_outside
                || (self.line != started_on && (self.at_marker("---") || self.at_marker("...")))
            {
                return Some(Scanned {
                    shape: Shape::Scalar(Written::Plain(String::new())),
                    tag,
                });
            }
            match self.peek()? {
                '&' => {
                    self.word();
                }
                '!' => tag = Some(self.word().to_owned()),
                _ => break,
            }
        }
        // A property before a key on the same line belongs to the key, not to the section: too fine
        // a point to follow.
        let column = self.column();
        let is_fresh_line = self.text[self.line_start..self.at]
            .bytes()
            .all(|byte| matches!(byte, b' ' | b'-'));
        let shape = match self.peek()? {
            '?' | '@' | '`' | '%' => return None,
            '*' => {
                self.word();
                Shape::Unknown
            }
            '|' | '>' => self.block_scalar(least),
            '-' if self.at_dash() => self.list(column, depth)?,
            '{' | '[' => self.flow(depth)?,
            _ => match self.key()? {
                Some(key) if is_fresh_line => self.section(column, key, depth)?,
                Some(_) => return None,
                None => self.scalar(least)?,
            },
        };
        Some(Scanned { shape, tag })
    }

    fn list(&mut self, column: usize, depth: usize) -> Option<Shape> {
        let mut items = Vec::new();
        loop {
            let line = self.line;
            self.at += 1;
            items.push((line, self.value(column + 1, false, depth + 1)?));
            self.skip_to_token()?;
            if self.ends_block(column) || !self.at_dash() {
                return Some(Shape::List(items));
            }
            if self.column() != column || self.line == line {
                return None;
            }
        }
    }

    fn section(&mut self, column: usize, first: Key, depth: usize) -> Option<Shape> {
        let mut entries = Vec::new();
        let mut key = first;
        loop {
            let line = key.line;
            entries.push((key, self.value(column + 1, true, depth + 1)?));
            self.skip_to_token()?;
            if self.ends_block(column) {
                return Some(Shape::Section(entries));
            }
            if self.column() != column
                || self.line == line
                || matches!(self.peek()?, '?' | '&' | '!' | '*' | '{' | '[')
            {
                return None;
            }
            key = self.key()??;
        }
    }

    fn ends_block(&self, column: usize) -> bool {
        self.rest().is_empty()
            || self.column() < column
            || self.at_marker("---")
            || self.at_marker("...")
    }

    /// A key with its colon, if one stands here; else the scanner stays where it is.
    fn key(&mut self) -> Option<Option<Key>> {
        let (start, line) = (self.at, self.line);
        let (text, written) = if matches!(self.peek()?, '"' | '\'') {
            let raw = self.quoted()?;
            let is_simple = !raw.contains(['\\', '\'', '\n']);
            (is_simple.then(|| raw.to_owned()), Written::Quoted)
        } else {
            let plain = self.plain(false);
            (Some(plain.to_owned()), Written::Plain(plain.to_owned()))
        };
        let rest = self.rest().trim_start_matches([' ', '\t']);
        let is_key = rest.starts_with(':')
            && rest[1..]
                .chars()
                .next()
                .is_none_or(|c| c.is_ascii_whitespace());
        if !is_key {
            // Only a quoted scalar can have moved to another line.
            if self.line != line {
                self.line_start = self.text[..start]
                    .rfind('\n')
                    .map_or(0, |newline| newline + 1);
                self.line = line;
            }
            self.at = start;
            return Some(None);
        }
        if self.line != line {
            return None;
        }
        self.at = self.text.len() - rest.len() + 1;
        Some(Some(Key {
            line,
            text,
            written,
        }))
    }

    /// A scalar that may go on over lines which begin at column `least` or behind.
    fn scalar(&mut self, least: usize) -> Option<Shape> {
        if matches!(self.peek()?, '"' | '\'') {
            self.quoted()?;
            return Some(Shape::Scalar(Written::Quoted));
        }
        let plain = self.plain(false).to_owned();
        let line = self.line;
        self.skip_to_token()?;
        let mut is_one_line = true;
        while self.line != line && !self.rest().is_empty() && self.column() >= least {
            if self.at_marker("---") || self.at_marker("...") {
                break;
            }
            is_one_line = false;
            let end = self.rest().find('\n').unwrap_or(self.rest().len());
            self.at += end;
            self.skip_to_token()?;
        }
        Some(if is_one_line {
            Shape::Scalar(Written::Plain(plain))
        } else {
            Shape::Unknown
        })
    }

    fn block_scalar(&mut self, least: usize) -> Shape {
        loop {
            let end = self.rest().find('\n').map(|newline| newline + 1);
            let Some(end) = end else {
                self.at = self.text.len();
                break;
            };
            self.at += end;
            self.line += 1;
            self.line_start = self.at;
            let line = self.rest().split('\n').next().unwrap_or_default();
            let indent = line.len() - line.trim_start_matches(' ').len();
            if !line.trim().is_empty() && indent < least {
                break;
            }
        }
        Shape::Scalar(Written::Quoted)
    }
}
