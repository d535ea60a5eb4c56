//! Turns the bytes of a file into the tree of its only YAML document, with line numbers.

use super::address::parse_address;
use super::lines;
use super::problem::{ProblemKind, Problems, shorten};
use super::yaml::{self, Node, SyntaxError};

pub(super) fn read(problems: &mut Problems, bytes: &[u8]) -> Option<Node> {
    let text = decode(bytes)
        .map_err(|(line, wrong)| problems.reject_file(ProblemKind::Unreadable, line, &wrong))
        .ok()?;
    let mut node = yaml::parse(text)
        .map_err(|error| {
            let (line, wrong) = explain_syntax(text, &error);
            problems.reject_file(ProblemKind::Syntax, line, &wrong);
        })
        .ok()?;
    lines::annotate(text, &mut node);
    Some(node)
}

/// Text without its byte order mark; otherwise the line and what is wrong.
fn decode(bytes: &[u8]) -> Result<&str, (Option<usize>, String)> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let line_at = |at: usize| Some(1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count());
    if bytes.starts_with(b"\xff\xfe")
        || bytes.starts_with(b"\xfe\xff")
        || matches!(bytes, [0, b, ..] | [b, 0, ..] if *b != 0)
    {
        return Err((None, "is UTF-16, save it as UTF-8".into()));
    }
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        return Err((line_at(at), "has a NUL byte, which no text has".into()));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        (
            line_at(at),
            format!(
                "the byte 0x{:02x} is not UTF-8, save the file as UTF-8",
                bytes.get(at).copied().unwrap_or_default()
            ),
        )
    })
}

/// The line of a syntax error, and a text with its column and a hint for common mistakes.
fn explain_syntax(text: &str, error: &SyntaxError) -> (Option<usize>, String) {
    let Some((line, column)) = error.place else {
        return (None, format!("not YAML: {}", shorten_words(&error.text)));
    };
    let line_at = |line: usize| {
        line.checked_sub(1)
            .and_then(|index| text.lines().nth(index))
            .unwrap_or_default()
    };
    // The parser reports a tab on its own line or at the end of the line before.
    let has_tab = |line: &str| line[..line.len() - line.trim_start().len()].contains('\t');
    let value = line_at(line)
        .split_once(": ")
        .map_or("", |(_, value)| value.trim());
    let hint = if has_tab(line_at(line)) || has_tab(line_at(line + 1)) {
        ": a tab indents here, and YAML wants spaces"
    } else if value
        .strip_prefix('[')
        .and_then(|value| value.strip_suffix(']'))
        .is_some_and(|inner| parse_address(inner).is_ok())
    {
        ": an IPv6 address is written without brackets"
    } else if value == "::" {
        ": write \"::\" with quotes"
    } else {
        ""
    };
    let parser_text = error
        .text
        .replace(&format!(" at line {line} column {column}"), "");
    (
        Some(line),
        format!(
            "column {column}: not YAML{hint}: {}",
            shorten_words(&parser_text)
        ),
    )
}

/// Shortens long words: the parser's message may quote any part of the file.
fn shorten_words(text: &str) -> String {
    text.split(' ').map(shorten).collect::<Vec<_>>().join(" ")
}
