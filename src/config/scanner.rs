//! A position in a YAML text, with methods that step over blanks, words and scalars, and what the
//! scan finds. lines.rs scans block style with it, flow.rs flow style.
//!
//! A method returns `None` as soon as it meets something that it does not understand.

use super::yaml::ScalarStyle;

/// Values nested deeper than this have no line numbers; the parser itself allows 128 levels.
pub(super) const MAX_DEPTH: usize = 100;

pub(super) struct ScannedNode {
    pub content: ScannedContent,
    pub tag: Option<String>,
}

pub(super) enum ScannedContent {
    /// An alias, or a plain scalar of several lines.
    Unknown,
    Scalar(ScalarStyle),
    /// Items, each with its line.
    List(Vec<(usize, ScannedNode)>),
    Mapping(Vec<(ScannedKey, ScannedNode)>),
}

impl ScannedContent {
    /// A scalar that is left out, as after `key:`.
    pub fn empty() -> Self {
        ScannedContent::Scalar(ScalarStyle::Plain(String::new()))
    }
}

pub(super) struct ScannedKey {
    pub line: usize,
    /// `None` when it has escapes, which only the parser resolves.
    pub text: Option<String>,
    pub style: ScalarStyle,
}

pub(super) struct Scanner<'t> {
    pub text: &'t str,
    /// Byte offset in the text.
    pub at: usize,
    /// Counted from 1.
    pub line: usize,
    /// Byte offset of the beginning of the line.
    pub line_start: usize,
}

impl<'t> Scanner<'t> {
    pub fn new(text: &'t str) -> Self {
        Scanner {
            text,
            at: 0,
            line: 1,
            line_start: 0,
        }
    }

    /// The text between quotes, escapes unresolved.
    pub fn quoted(&mut self) -> Option<&'t str> {
        let quote = self.peek()?;
        self.at += 1;
        let start = self.at;
        let bytes = self.text.as_bytes();
        loop {
            let byte = *bytes.get(self.at)?;
            self.at += 1;
            match byte {
                b'\\' if quote == '"' => {
                    // Steps over the escaped character. A newline is counted by its own branch.
                    let is_newline = *bytes.get(self.at)? == b'\n';
                    self.at += usize::from(!is_newline);
                }
                b'\'' if quote == '\'' && bytes.get(self.at) == Some(&b'\'') => self.at += 1,
                b'\n' => {
                    self.line += 1;
                    self.line_start = self.at;
                }
                byte if char::from(byte) == quote => return self.text.get(start..self.at - 1),
                _ => {}
            }
        }
    }

    /// The part of a plain scalar that is on this line.
    pub fn plain(&mut self, in_flow: bool) -> &'t str {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let mut end = bytes.len();
        for (index, byte) in bytes.iter().enumerate() {
            let next = bytes.get(index + 1).copied().unwrap_or(b'\n');
            let is_colon = *byte == b':'
                && (next.is_ascii_whitespace()
                    || in_flow && matches!(next, b',' | b'[' | b']' | b'{' | b'}'));
            let is_comment = *byte == b'#' && index > 0 && matches!(bytes[index - 1], b' ' | b'\t');
            let is_flow_end = in_flow && matches!(byte, b',' | b'[' | b']' | b'{' | b'}');
            if *byte == b'\n' || is_colon || is_comment || is_flow_end {
                end = index;
                break;
            }
        }
        let plain = rest[..end].trim_end_matches([' ', '\t', '\r']);
        let start = self.at;
        self.at = start + plain.len();
        &self.text[start..start + plain.len()]
    }

    /// The text of a key, quoted or plain.
    pub fn key_text(&mut self, in_flow: bool) -> Option<ScannedKey> {
        let line = self.line;
        let (text, style) = if matches!(self.peek()?, '"' | '\'') {
            let raw = self.quoted()?;
            let has_no_escapes = !raw.contains(['\\', '\'', '\n']);
            (has_no_escapes.then(|| raw.to_owned()), ScalarStyle::Quoted)
        } else {
            let plain = self.plain(in_flow).to_owned();
            (Some(plain.clone()), ScalarStyle::Plain(plain))
        };
        Some(ScannedKey { line, text, style })
    }

    /// An anchor, an alias or a tag.
    pub fn word(&mut self) -> &'t str {
        let rest = self.rest();
        let end = rest
            .find(|c: char| c.is_ascii_whitespace() || matches!(c, ',' | '[' | ']' | '{' | '}'))
            .unwrap_or(rest.len());
        let start = self.at;
        self.at += end;
        &self.text[start..start + end]
    }

    /// Skips blanks, comments and line ends. `None` if a tab indents a line.
    pub fn skip_to_token(&mut self) -> Option<()> {
        let mut indents = self.at == self.line_start;
        let mut has_tab = false;
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b'\n') => {
                    self.at += 1;
                    self.line += 1;
                    self.line_start = self.at;
                    (indents, has_tab) = (true, false);
                }
                Some(b'\t') => {
                    self.at += 1;
                    has_tab |= indents;
                }
                Some(b' ' | b'\r') => self.at += 1,
                Some(b'#') => self.at += self.rest().find('\n').unwrap_or(self.rest().len()),
                other => return (other.is_none() || !has_tab).then_some(()),
            }
        }
    }

    pub fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    pub fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub fn column(&self) -> usize {
        self.at - self.line_start
    }

    pub fn at_dash(&self) -> bool {
        let rest = self.rest();
        rest.starts_with('-')
            && rest[1..]
                .chars()
                .next()
                .is_none_or(|c| c.is_ascii_whitespace())
    }

    pub fn at_marker(&self, marker: &str) -> bool {
        let rest = self.rest();
        self.column() == 0
            && rest.starts_with(marker)
            && rest[3..]
                .chars()
                .next()
                .is_none_or(|c| c.is_ascii_whitespace())
    }
}
