//! Finds the line of every value and whether it is quoted, which serde_yaml does not report. Scans
//! block style by its indentation; flow.rs scans flow style. Syntax that the scan does not
//! understand, or a result that contradicts the parsed tree, leaves lines unknown: a line may be
//! missing but is never wrong.

use super::scanner::{MAX_DEPTH, ScannedContent, ScannedKey, ScannedNode, Scanner};
use super::yaml::{Content, Node, ScalarStyle};

/// Adds lines and styles to the tree that was parsed from the same text.
pub(super) fn annotate(text: &str, root: &mut Node) {
    // Editors disagree on which of these characters end a line.
    let has_odd_break = text.contains(['\u{85}', '\u{2028}', '\u{2029}'])
        || text.replace("\r\n", "").contains('\r');
    if has_odd_break {
        return;
    }
    if let Some(scanned) = Scanner::new(text).document() {
        merge(root, scanned, Some(1));
    }
}

fn merge(node: &mut Node, scanned: ScannedNode, line: Option<usize>) {
    node.line = line;
    if let Some(tag) = scanned.tag {
        // The parser ignores unknown tags that begin with !!, but their values are not plain ones.
        if !matches!(
            tag.as_str(),
            "!" | "!!str" | "!!int" | "!!float" | "!!bool" | "!!null" | "!!map" | "!!seq"
        ) {
            node.content = Content::Tagged(tag);
            return;
        }
        // A tag decides what a plain scalar means, so its style does not matter.
        if matches!(scanned.content, ScannedContent::Scalar(_)) {
            return;
        }
    }
    match (&mut node.content, scanned.content) {
        (Content::List(items), ScannedContent::List(scanned)) if items.len() == scanned.len() => {
            for (item, (line, scanned)) in items.iter_mut().zip(scanned) {
                merge(item, scanned, Some(line));
            }
        }
        (Content::Mapping(entries), ScannedContent::Mapping(scanned))
            if entries.len() == scanned.len() =>
        {
            if entries
                .iter()
                .zip(&scanned)
                .any(|((name, _), (key, _))| !agrees(name, key))
            {
                return;
            }
            for ((name, value), (key, scanned)) in entries.iter_mut().zip(scanned) {
                name.line = Some(key.line);
                name.style = key.style;
                merge(value, scanned, Some(key.line));
            }
        }
        (Content::Text(text), ScannedContent::Scalar(ScalarStyle::Plain(plain)))
            if *text != plain => {}
        (Content::List(_) | Content::Mapping(_) | Content::Tagged(_), _) => {}
        (Content::Text(_), ScannedContent::Scalar(style)) => node.style = style,
        (_, ScannedContent::Scalar(ScalarStyle::Plain(plain))) => {
            node.style = ScalarStyle::Plain(plain)
        }
        _ => {}
    }
}

/// Whether a scanned key can be the parsed one.
fn agrees(name: &Node, key: &ScannedKey) -> bool {
    match (&name.content, &key.text) {
        (Content::Text(name), Some(scanned)) => name == scanned,
        (Content::List(_) | Content::Mapping(_), _) => false,
        _ => true,
    }
}

impl Scanner<'_> {
    fn document(&mut self) -> Option<ScannedNode> {
        self.skip_to_token()?;
        if self.at_marker("---") {
            self.at += 3;
        }
        let scanned = self.value(0, false, 0)?;
        self.skip_to_token()?;
        (self.rest().is_empty() || self.at_marker("...")).then_some(scanned)
    }

    /// A value whose lines are indented by `min_column` or more. The block list of a key may begin
    /// one column before that.
    fn value(&mut self, min_column: usize, is_of_key: bool, depth: usize) -> Option<ScannedNode> {
        if depth > MAX_DEPTH {
            return None;
        }
        let started_on = self.line;
        let mut tag = None;
        loop {
            self.skip_to_token()?;
            let is_list_of_key = is_of_key && self.column() + 1 == min_column && self.at_dash();
            let is_outside =
                self.line != started_on && self.column() < min_column && !is_list_of_key;
            if self.rest().is_empty()
                || is_outside
                || (self.line != started_on && (self.at_marker("---") || self.at_marker("...")))
            {
                return Some(ScannedNode {
                    content: ScannedContent::empty(),
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
        // An anchor or tag before a key on the same line belongs to the key. That case is left
        // unknown.
        let column = self.column();
        let is_fresh_line = self.text[self.line_start..self.at]
            .bytes()
            .all(|byte| matches!(byte, b' ' | b'-'));
        let content = match self.peek()? {
            '?' | '@' | '`' | '%' => return None,
            '*' => {
                self.word();
                ScannedContent::Unknown
            }
            '|' | '>' => self.block_scalar(min_column),
            '-' if self.at_dash() => self.list(column, depth)?,
            '{' | '[' => self.flow(depth)?,
            _ => match self.key()? {
                Some(key) if is_fresh_line => self.mapping(column, key, depth)?,
                Some(_) => return None,
                None => self.scalar(min_column)?,
            },
        };
        Some(ScannedNode { content, tag })
    }

    fn list(&mut self, column: usize, depth: usize) -> Option<ScannedContent> {
        let mut items = Vec::new();
        loop {
            let line = self.line;
            self.at += 1;
            items.push((line, self.value(column + 1, false, depth + 1)?));
            self.skip_to_token()?;
            if self.ends_block(column) || !self.at_dash() {
                return Some(ScannedContent::List(items));
            }
            if self.column() != column || self.line == line {
                return None;
            }
        }
    }

    fn mapping(
        &mut self,
        column: usize,
        first: ScannedKey,
        depth: usize,
    ) -> Option<ScannedContent> {
        let mut entries = Vec::new();
        let mut key = first;
        loop {
            let line = key.line;
            entries.push((key, self.value(column + 1, true, depth + 1)?));
            self.skip_to_token()?;
            if self.ends_block(column) {
                return Some(ScannedContent::Mapping(entries));
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

    /// A key with its colon. `Some(None)` when there is none here; the scanner is then back where it
    /// was.
    fn key(&mut self) -> Option<Option<ScannedKey>> {
        let (start, line) = (self.at, self.line);
        let key = self.key_text(false)?;
        let rest = self.rest().trim_start_matches([' ', '\t']);
        let is_key = rest.starts_with(':')
            && rest[1..]
                .chars()
                .next()
                .is_none_or(|c| c.is_ascii_whitespace());
        if !is_key {
            // A quoted scalar may have ended on another line.
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
        Some(Some(key))
    }

    /// A scalar, which may continue on lines that are indented by `min_column` or more.
    fn scalar(&mut self, min_column: usize) -> Option<ScannedContent> {
        if matches!(self.peek()?, '"' | '\'') {
            self.quoted()?;
            return Some(ScannedContent::Scalar(ScalarStyle::Quoted));
        }
        let plain = self.plain(false).to_owned();
        let line = self.line;
        self.skip_to_token()?;
        let mut is_one_line = true;
        while self.line != line && !self.rest().is_empty() && self.column() >= min_column {
            if self.at_marker("---") || self.at_marker("...") {
                break;
            }
            is_one_line = false;
            let end = self.rest().find('\n').unwrap_or(self.rest().len());
            self.at += end;
            self.skip_to_token()?;
        }
        Some(if is_one_line {
            ScannedContent::Scalar(ScalarStyle::Plain(plain))
        } else {
            ScannedContent::Unknown
        })
    }

    fn block_scalar(&mut self, min_column: usize) -> ScannedContent {
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
            if !line.trim().is_empty() && indent < min_column {
                break;
            }
        }
        ScannedContent::Scalar(ScalarStyle::Quoted)
    }
}
