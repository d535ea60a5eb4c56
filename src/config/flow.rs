//! Lines and ways of writing in flow style, `[a, b]` and `{key: value}`. Gives up by the rules of
//! lines.rs.

use super::cursor::Cursor;
use super::lines::{DEEPEST, Key, Scanned, Shape};
use super::raw::Written;

impl Cursor<'_> {
    /// A list or section in brackets, from its opening bracket to behind its closing one.
    pub fn flow(&mut self, depth: usize) -> Option<Shape> {
        if depth > DEEPEST {
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
                    Shape::List(items)
                } else {
                    Shape::Section(entries)
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

    fn flow_key(&mut self) -> Option<Key> {
        let line = self.line;
        match self.peek()? {
            '"' | '\'' => {
                let raw = self.quoted()?;
                let is_simple = !raw.contains(['\\', '\'', '\n']);
                Some(Key {
                    line,
                    text: is_simple.then(|| raw.to_owned()),
                    written: Written::Quoted,
                })
            }
            '?' | '&' | '!' | '*' | '{' | '[' | ',' | ']' | ':' => None,
            _ => {
                let plain = self.plain(true).to_owned();
                Some(Key {
                    line,
                    text: Some(plain.clone()),
                    written: Written::Plain(plain),
                })
            }
        }
    }

    fn flow_entry_value(&mut self, depth: usize) -> Option<Scanned> {
        self.skip_to_token()?;
        if self.peek()? != ':' {
            return Some(Scanned {
                shape: Shape::Scalar(Written::Plain(String::new())),
                tag: None,
            });
        }
        self.at += 1;
        self.skip_to_token()?;
        self.flow_value(depth)
    }

    fn flow_value(&mut self, depth: usize) -> Option<Scanned> {
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
        let shape = match self.peek()? {
            '{' | '[' => self.flow(depth + 1)?,
            '*' => {
                self.word();
                Shape::Unknown
            }
            '"' | '\'' => {
                self.quoted()?;
                Shape::Scalar(Written::Quoted)
            }
            '?' | ':' if self.rest()[1..].starts_with([' ', '\n', '\r']) => return None,
            ',' | '}' | ']' => Shape::Scalar(Written::Plain(String::new())),
            _ => Shape::Scalar(Written::Plain(self.plain(true).to_owned())),
        };
        Some(Scanned { shape, tag })
    }
}
