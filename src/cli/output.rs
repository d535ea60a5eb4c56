//! Results to standard output, everything else to standard error; colour only where somebody sees
//! it.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::CliError;
use crate::pure::model::State;
pub use crate::pure::phrase::{cut, ms, pad, printable};

/// Prints a result. A reader that went away (`| head`) ends the command without a word.
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

/// Prints a value as JSON, indented.
pub fn print_json(value: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(value).expect("plain structs always have a JSON form");
    print(&format!("{text}\n"))
}

/// Prints an error, once.
pub fn complain(text: &str, hint: Option<&str>) {
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

/// Whether standard output is a terminal.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether results are coloured: on a terminal, unless `NO_COLOR` is set (no-color.org).
pub fn is_coloured() -> bool {
    is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A text in the colour of a state. The word stays the same with and without colour.
pub fn paint(text: &str, state: State, is_coloured: bool) -> String {
    let code = match state {
        State::Up => "32",
        State::Degraded => "33",
        State::Down => "31;1",
        State::NotMeasured => "2",
    };
    if is_coloured {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_string()
    }
}

/// Rows as aligned columns, two spaces apart, the last one not filled up. Widths are counted before
/// colour is put on, by `dress`, which gets the row, the column and the padded cell.
pub fn align(
    rows: &[Vec<String>],
    mut dress: impl FnMut(usize, usize, String) -> String,
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
            line += &dress(index, column, padded);
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// Progress of long work, on one line of a terminal; nowhere else.
pub struct ProgressLine {
    what: &'static str,
    is_shown: bool,
    shown_at: Option<Instant>,
}

impl ProgressLine {
    /// Shows nothing yet: short work shows nothing at all.
    pub fn new(what: &'static str) -> ProgressLine {
        ProgressLine {
            what,
            is_shown: io::stderr().is_terminal(),
            shown_at: None,
        }
    }

    /// `done` of `total` are done.
    pub fn show(&mut self, done: u64, total: u64) {
        let is_due = self
            .shown_at
            .is_none_or(|at| at.elapsed() > Duration::from_millis(200));
        if self.is_shown && is_due && total > 0 {
            self.shown_at = Some(Instant::now());
            let _ = write!(
                io::stderr(),
                "\r{}: {} % of {total}\x1b[K",
                self.what,
                done * 100 / total
            );
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if self.shown_at.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_have_three_figures_that_count() {
        assert_eq!(ms(19.0), "0.019 ms");
        assert_eq!(ms(1234.0), "1.23 ms");
        assert_eq!(ms(12_345.0), "12.3 ms");
        assert_eq!(ms(123_456.0), "123 ms");
    }

    #[test]
    fn columns_are_aligned_before_they_are_coloured_and_lines_have_no_trailing_blanks() {
        let rows = [
            vec!["a".to_string(), "b".into()],
            vec!["ccc".to_string(), String::new()],
        ];
        let text = align(&rows, |_, _, cell| cell);
        assert_eq!(text, "a    b\nccc\n");
    }

    #[test]
    fn a_script_with_wide_characters_keeps_the_columns_aligned() {
        let rows = [
            vec!["東京".to_string(), "b".into()],
            vec!["Ærø".to_string(), "c".into()],
        ];
        assert_eq!(align(&rows, |_, _, cell| cell), "東京  b\nÆrø   c\n");
        assert_eq!(cut("東京東京東京", 9), "東京東...");
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abc...");
    }

    #[test]
    fn what_a_file_says_cannot_command_a_terminal() {
        assert_eq!(printable("a\x1b[2Jb\nc"), "a\u{fffd}[2Jb\u{fffd}c");
    }
}
