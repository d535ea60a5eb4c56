//! HTML elements. Every text is escaped here.

use crate::pure::phrase::printable;

/// A cell of up to this many bytes is not wrapped, so that a time stays on one line.
const MAX_UNWRAPPED: usize = 26;

/// A table row. It and its details are one `tbody`, which no page break separates.
pub(super) fn row(out: &mut String, cells: &[String], details: &[String]) {
    *out += "<tbody><tr>";
    for cell in cells {
        let is_long = cell.len() > MAX_UNWRAPPED;
        element(out, if is_long { "td class=long" } else { "td" }, cell);
    }
    *out += "</tr>";
    for detail in details.iter().filter(|detail| !detail.is_empty()) {
        *out += "<tr class=detail>";
        element(out, &format!("td colspan={}", cells.len()), detail);
        *out += "</tr>";
    }
    *out += "</tbody>\n";
}

/// `tag` may have attributes.
pub(super) fn element(out: &mut String, tag: &str, text: &str) {
    *out += "<";
    *out += tag;
    *out += ">";
    escape(out, text);
    *out += "</";
    *out += tag.split(' ').next().unwrap_or(tag);
    *out += ">";
}

/// A section is a landmark, so it has a name. One with a table, which may be wider than a screen, is
/// scrolled by keys once it has the focus.
pub(super) fn begin_section(out: &mut String, title: &str, has_table: bool) {
    *out += "<section";
    attribute(out, "aria-label", title);
    *out += if has_table { " tabindex=0>" } else { ">" };
    element(out, "h2", title);
}

/// ` name="text"`, within a tag.
pub(super) fn attribute(out: &mut String, name: &str, text: &str) {
    *out += " ";
    *out += name;
    *out += "=\"";
    escape(out, text);
    *out += "\"";
}

fn escape(out: &mut String, text: &str) {
    for character in printable(text).chars() {
        match character {
            '&' => *out += "&amp;",
            '<' => *out += "&lt;",
            '>' => *out += "&gt;",
            '"' => *out += "&quot;",
            '\'' => *out += "&#39;",
            other => out.push(other),
        }
    }
}
