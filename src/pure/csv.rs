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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_separated_and_quoted_and_formulas_made_text() {
        for (cells, record) in [
            (&["a", "", "b"][..], "a,,b"),
            (
                &["a,b", "a\"b", "a\nb", "a\rb"],
                "\"a,b\",\"a\"\"b\",\"a\nb\",\"a\rb\"",
            ),
            (&[" a", "a ", "a b"], "\" a\",\"a \",a b"),
            (&["=1", "+a", "@a", "\ta"], "'=1,'+a,'@a,'\ta"),
            (
                &["-a", "-1.5", "+2", "-inf", "1=2"],
                "'-a,-1.5,+2,'-inf,1=2",
            ),
            (&["=a,b"], "\"'=a,b\""),
            (&[], ""),
        ] {
            let mut out = "before;".to_string();
            append_record(&mut out, cells, "\r\n");
            assert_eq!(out, format!("before;{record}\r\n"));
        }
    }
}
