//! Lines and styles in YAML's flow style, `[a, b]` and `{key: value}`.

use super::scanner::{MAX_DEPTH, ScannedContent, ScannedKey, ScannedNode, Scanner};
use super::yaml::ScalarStyle;

impl Scanner<'_> {
    /// A list or mapping in brackets, from the opening bracket to after the closing one.
    pub fn flow(&mut self, depth: usize) -> Option<ScannedContent> {
        if depth > MAX_DEPTH {
            return None;
        }
        let is_list = self.peek()? == '[';
        let end = if is_list { ']' } else { '}' };
        self.at += 1;
        let (mut items, mut entries) = (Vec::new(), Vec::new());
        loop {
            self.skip_to_token()?;
            if self.peek()? == end {
                self.at += 1;
                return Some(if is_list {
                    ScannedContent::List(items)
                } else {
                    ScannedContent::Mapping(entries)
                });
            }
            let line = self.line;
            if is_list {
                items.push((line, self.flow_value(depth)?));
            } else {
                entries.push((self.flow_key()?, self.flow_entry_value(depth)?));
            }
            self.skip_to_token()?;
            match self.peek()? {
                ',' => self.at += 1,
                other if other == end => {}
                _ => return None,
            }
        }
    }

    fn flow_key(&mut self) -> Option<ScannedKey> {
        match self.peek()? {
            '?' | '&' | '!' | '*' | '{' | '[' | ',' | ']' | ':' => None,
            _ => self.key_text(true),
        }
    }

    fn flow_entry_value(&mut self, depth: usize) -> Option<ScannedNode> {
        self.skip_to_token()?;
        if self.peek()? != ':' {
            return Some(ScannedNode {
                content: ScannedContent::empty(),
                tag: None,
            });
        }
        self.at += 1;
        self.skip_to_token()?;
        self.flow_value(depth)
    }

    fn flow_value(&mut self, depth: usize) -> Option<ScannedNode> {
        let mut tag = None;
        loop {
            match self.peek()? {
                '&' => {
                    self.word();
                }
                '!' => tag = Some(self.word().to_owned()),
                _ => break,
            }
            self.skip_to_token()?;
        }
        let content = match self.peek()? {
            '{' | '[' => self.flow(depth + 1)?,
            '*' => {
                self.word();
                ScannedContent::Unknown
            }
            '"' | '\'' => {
                self.quoted()?;
                ScannedContent::Scalar(ScalarStyle::Quoted)
            }
            '?' | ':' if self.rest()[1..].starts_with([' ', '\n', '\r']) => return None,
            ',' | '}' | ']' => ScannedContent::empty(),
            _ => ScannedContent::Scalar(ScalarStyle::Plain(self.plain(true).to_owned())),
        };
        Some(ScannedNode { content, tag })
    }
}
