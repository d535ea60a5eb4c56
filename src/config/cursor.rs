//! A place in a YAML text that knows its line and column, and steps over the smallest things:
//! blanks, words, scalars.

/// Where the scanner of lines.rs and flow.rs stands.
pub(super) struct Cursor<'t> {
    pub text: &'t str,
    /// Bytes from the beginning.
    pub at: usize,
    /// Counted from 1.
    pub line: usize,
    /// Bytes from the beginning to that of the line.
    pub line_start: usize,
}

impl<'t> Cursor<'t> {
    pub fn new(text: &'t str) -> Self {
        Cursor {
            text,
            at: 0,
            line: 1,
            line_start: 0,
        }
    }

    /// What stands between quotes, as it was written.
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
                    // The character behind the backslash is stepped over, unless it ends the line.
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

    /// The rest of a plain scalar on this line.
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

    pub fn word(&mut self) -> &'t str {
        let rest = self.rest();
        let end = rest
            .find(|c: char| c.is_ascii_whitespace() || matches!(c, ',' | '[' | ']' | '{' | '}'))
            .unwrap_or(rest.len());
        let start = self.at;
        self.at += end;
        &self.text[start..start + end]
    }

    /// Over blanks, comments and line ends. `None` where a tab indents.
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
