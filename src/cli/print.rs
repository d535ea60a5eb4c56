//! Prints results to standard output and errors to standard error; colours only on a terminal.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::exit::CliError;
use crate::pure::json;
use crate::pure::model::State;
use crate::pure::phrase::is_unprintable;
pub use crate::pure::phrase::{cut, cut_middle, ms, pad, printable};

/// Prints a result. A closed standard output (`| head`) ends the command silently.
pub fn print(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(CliError::OutputClosed),
        Err(cause) => Err(CliError::File {
            operation: "writing to",
            path: "standard output".into(),
            cause,
        }),
    }
}

pub fn print_json(value: &impl Serialize) -> Result<(), CliError> {
    print(&format!("{}\n", without_commands(&json::indented(value))))
}

/// The same JSON, in which no text commands a terminal; serde_json escapes up to U+001F.
fn without_commands(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && is_unprintable(c) {
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    text
}

pub fn print_error(text: &str, hint: Option<&str>) {
    let mut message = format!("ace-connection-logger: {text}\n");
    if let Some(hint) = hint {
        for (index, line) in hint.lines().enumerate() {
            let _ = writeln!(
                message,
                "{}{line}",
                if index == 0 { "hint: " } else { "      " }
            );
        }
    }
    let _ = io::stderr().write_all(message.as_bytes());
}

pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Results are coloured on a terminal unless `NO_COLOR` is set (no-color.org).
pub fn is_coloured() -> bool {
    let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    is_terminal() && !is_refused && !is_dumb()
}

/// Whether the terminal has neither colours nor a movable cursor: term(7).
pub fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|name| name == "dumb")
}

/// Puts a text into the colour of a state. The text itself is the same without colour.
pub fn paint(text: &str, state: State, is_coloured: bool) -> String {
    let code = match state {
        State::Up => "32",
        State::Degraded => "33",
        State::Poor => "35",
        State::Down => "31;1",
        State::NotMeasured => "2",
    };
    if is_coloured {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_string()
    }
}

/// Rows as aligned columns, two spaces apart, without trailing spaces. `format_cell` gets the row,
/// the column and the padded cell, and may colour it: widths are measured before.
pub fn align(
    rows: &[Vec<String>],
    mut format_cell: impl FnMut(usize, usize, String) -> String,
) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.width())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let is_last = column + 1 == row.len();
            let padded = if is_last {
                cell.clone()
            } else {
                pad(cell, widths[column] + 2)
            };
            line += &format_cell(index, column, padded);
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_have_three_significant_digits() {
        assert_eq!(ms(19.0), "0.019 ms");
        assert_eq!(ms(1234.0), "1.23 ms");
        assert_eq!(ms(12_345.0), "12.3 ms");
        assert_eq!(ms(123_456.0), "123 ms");
    }

    #[test]
    fn columns_are_aligned_and_lines_have_no_trailing_spaces() {
        let rows = [
            vec!["a".to_string(), "b".into()],
            vec!["ccc".to_string(), String::new()],
        ];
        let text = align(&rows, |_, _, cell| cell);
        assert_eq!(text, "a    b\nccc\n");
    }

    #[test]
    fn wide_characters_keep_the_columns_aligned() {
        let rows = [
            vec!["東京".to_string(), "b".into()],
            vec!["Ærø".to_string(), "c".into()],
        ];
        assert_eq!(align(&rows, |_, _, cell| cell), "東京  b\nÆrø   c\n");
        assert_eq!(cut("東京東京東京", 9), "東京東...");
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abc...");
        assert_eq!(cut_middle("abcdefg", 7), "abcdefg");
        assert_eq!(cut_middle("abcdefgh", 7), "ab...gh");
        assert_eq!(cut_middle("東京都abcdef", 8), "東...def");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\nc"), "a\u{fffd}[2Jb\u{fffd}c");
    }
}
