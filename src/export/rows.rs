//! CSV and JSON Lines: each check is a line.

use std::io::{self, Write};
use std::ops::Range;

use super::{ExportError, Written};
use crate::pure::csv::append_record;
use crate::pure::json;
use crate::pure::time::UtcMillis;
use crate::store::{CheckJson, Checks, JsonFields, Reader, RecordedCheck, RecordedHost};

/// The columns of `ping_results` without its ID, then the values that it has no columns for.
pub const CSV_HEADER: &str = "host_name,host_address,timestamp,success_count,failure_count,success_rate,min_latency,\
                              max_latency,avg_latency,state,rtts_us,late,duplicates,foreign,reason\n";

type WriteLine = fn(&RecordedCheck, &mut dyn Write) -> io::Result<()>;

pub fn write(
    reader: &Reader,
    hosts: &[RecordedHost],
    span: &Range<UtcMillis>,
    write_line: WriteLine,
    header: &str,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<Written, ExportError> {
    out.write_all(header.as_bytes())?;
    let mut checks = Checks::oldest_first(hosts.to_vec(), span);
    let mut done = 0;
    while let Some(check) = checks.next(reader)? {
        write_line(&check, out)?;
        done += 1;
        if done % 4096 == 0 {
            progress(done);
        }
    }
    Ok(Written {
        checks: done,
        unreadable: checks.unreadable(reader, span)?,
    })
}

/// Numbers have the fewest digits that parse to the same number; the round-trip times are a JSON
/// list.
pub fn csv(check: &RecordedCheck, out: &mut dyn Write) -> io::Result<()> {
    let [min, avg, max] = check
        .latencies_ms()
        .map(|ms| ms.map(|ms| ms.to_string()).unwrap_or_default());
    let rtts = check
        .rtts_us
        .as_ref()
        .map(serde_json::to_string)
        .transpose()?
        .unwrap_or_default();
    let cells = [
        check.name.as_str(),
        &check.address,
        &check.checked_at.sql_text(),
        &check.received.to_string(),
        &check.failure_count().to_string(),
        &check.success_rate().to_string(),
        &min,
        &max,
        &avg,
        check.state.as_str(),
        &rtts,
        &check.late.to_string(),
        &check.duplicates.to_string(),
        &check.foreign.to_string(),
        check.reason.as_deref().unwrap_or_default(),
    ];
    let mut line = String::new();
    append_record(&mut line, &cells, "\n");
    out.write_all(line.as_bytes())
}

pub fn json_line(check: &RecordedCheck, out: &mut dyn Write) -> io::Result<()> {
    let row = CheckJson {
        check,
        fields: JsonFields::Export,
    };
    json::write(&row, out)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::model::State;

    fn written(write_line: WriteLine, check: &RecordedCheck) -> String {
        let mut out = Vec::new();
        write_line(check, &mut out).expect("a Vec accepts every write");
        String::from_utf8(out).expect("text")
    }

    fn check() -> RecordedCheck {
        RecordedCheck {
            name: "a \"b\", c\nd".into(),
            address: "192.0.2.1".into(),
            checked_at: UtcMillis(1_762_086_896_007),
            sent: 3,
            received: 2,
            min_us: Some(1),
            avg_us: Some(1_000),
            max_us: Some(12_345),
            rtts_us: Some(vec![Some(1), None, Some(12_345)]),
            late: 1,
            duplicates: 0,
            foreign: 2,
            reason: None,
            state: State::Poor,
        }
    }

    #[test]
    fn a_line_of_csv_has_one_cell_per_column_and_quotes_where_needed() {
        assert_eq!(
            written(csv, &check()),
            "\"a \"\"b\"\", c\nd\",192.0.2.1,2025-11-02 12:34:56.007,2,1,66.66666666666667,0.001,12.345,1,poor,\
             \"[1,null,12345]\",1,0,2,\n"
        );
        let sums_only = RecordedCheck {
            name: "x\"".into(),
            rtts_us: None,
            min_us: None,
            avg_us: None,
            max_us: None,
            ..check()
        };
        let line = written(csv, &sums_only);
        assert_eq!(
            line,
            "\"x\"\"\",192.0.2.1,2025-11-02 12:34:56.007,2,1,66.66666666666667,,,,poor,,1,0,2,\n"
        );
        assert_eq!(line.matches(',').count(), CSV_HEADER.matches(',').count());
    }

    #[test]
    fn a_line_of_json_has_the_columns_of_the_csv() {
        let line = written(json_line, &check());
        let fields = CSV_HEADER.trim_end().split(',');
        let mut rest = line.as_str();
        for field in fields {
            rest = rest
                .split_once(&format!("\"{field}\":"))
                .unwrap_or_else(|| panic!("{field}: {line}"))
                .1;
        }
        assert!(
            line.contains(r#""timestamp":"2025-11-02T12:34:56.007Z""#)
                && line.contains(r#""rtts_us":[1,null,12345]"#),
            "{line}"
        );
        assert_eq!(line.matches('\n').count(), 1);
    }
}
