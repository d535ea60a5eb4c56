//! Records of CSV (RFC 4180).

/// Appends a record with this line end. A cell that a spreadsheet would execute as a formula gets a
/// `'` before it: OWASP, CSV injection.
pub fn append_record(out: &mut String, cells: &[&str], line_end: &str) {
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r'])
            && !cell.parse::<f64>().is_ok_and(f64::is_finite);
        let is_quoted =
            cell.contains([',', '"', '\r', '\n']) || cell.starts_with(' ') || cell.ends_with(' ');
        let quote = if is_quoted { "\"" } else { "" };
        *out += quote;
        *out += if is_formula { "'" } else { "" };
        *out += &cell.replace('"', "\"\"");
        *out += quote;
    }
    *out += line_end;
}
