//! The report as JSON: [`Report`] serialised. The raw pings are its last field, `checks`.

use super::figures::{Appendix, Report};
use crate::pure::json;
use crate::store::{CheckJson, JsonFields, RecordedCheck};

pub(super) fn report(report: &Report) -> String {
    let mut out = json::indented(report);
    match report.appendix {
        Appendix::Nothing => out.push('\n'),
        Appendix::RawPings => {
            out.truncate(out.len() - "\n}".len());
            out += ",\n  \"checks\": [";
        }
    }
    out
}

pub(super) fn end(has_pings: bool) -> &'static str {
    if has_pings { "\n  ]\n}\n" } else { "" }
}

pub(super) fn pings(out: &mut String, check: &RecordedCheck, is_first: bool) {
    *out += if is_first { "\n    " } else { ",\n    " };
    let row = CheckJson {
        check,
        fields: JsonFields::Report,
    };
    *out += &json::compact(&row);
}
