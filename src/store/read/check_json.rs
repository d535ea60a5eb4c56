//! A recorded check in JSON, as every interface of the program writes it.

use super::checks::RecordedCheck;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// The interface that a check is written for. Their fields have grown apart and are documented, so
/// they stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonFields {
    Api,
    Export,
    Report,
}

/// A check to be serialised. Latencies are in milliseconds, `_us` in microseconds, `success_rate`
/// is 0 to 100.
#[derive(Debug)]
pub struct CheckJson<'a> {
    pub check: &'a RecordedCheck,
    pub fields: JsonFields,
}

impl Serialize for CheckJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let CheckJson { check, fields } = self;
        let is_report = *fields == JsonFields::Report;
        let is_export = *fields == JsonFields::Export;
        let mut row = serializer.serialize_map(None)?;
        row.serialize_entry("host_name", &check.name)?;
        row.serialize_entry("host_address", &check.address)?;
        row.serialize_entry("timestamp", &check.checked_at)?;
        if !is_report {
            let [min, avg, max] = check.latencies_ms();
            row.serialize_entry("success_count", &check.received)?;
            row.serialize_entry("failure_count", &check.failure_count())?;
            row.serialize_entry("success_rate", &check.success_rate())?;
            row.serialize_entry("min_latency", &min)?;
            row.serialize_entry("max_latency", &max)?;
            row.serialize_entry("avg_latency", &avg)?;
        }
        row.serialize_entry("state", check.state.as_str())?;
        if !is_export {
            row.serialize_entry("sent", &check.sent)?;
        }
        if is_report {
            row.serialize_entry("received", &check.received)?;
        }
        row.serialize_entry("rtts_us", &check.rtts_us)?;
        if !is_report {
            row.serialize_entry("late", &check.late)?;
            row.serialize_entry("duplicates", &check.duplicates)?;
            row.serialize_entry("foreign", &check.foreign)?;
        }
        row.serialize_entry(if is_export { "reason" } else { "error" }, &check.reason)?;
        row.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::model::State;
    use crate::pure::time::UtcMillis;

    #[test]
    fn every_interface_has_its_own_fields_in_its_own_order() {
        let check = RecordedCheck {
            name: "a".into(),
            address: "192.0.2.1".into(),
            checked_at: UtcMillis(1_762_086_896_007),
            sent: 4,
            received: 3,
            min_us: Some(1),
            avg_us: Some(1_000),
            max_us: None,
            rtts_us: Some(vec![Some(1), None]),
            late: 5,
            duplicates: 6,
            foreign: 7,
            reason: Some("why".into()),
            state: State::Degraded,
        };
        let begin = r#"{"host_name":"a","host_address":"192.0.2.1","timestamp":"2025-11-02T12:34:56.007Z","#;
        let counts = r#""success_count":3,"failure_count":1,"success_rate":75.0,"min_latency":0.001,"max_latency":null,"avg_latency":1.0,"#;
        for (fields, rest) in [
            (
                JsonFields::Api,
                counts.to_string()
                    + r#""state":"degraded","sent":4,"rtts_us":[1,null],"late":5,"duplicates":6,"foreign":7,"error":"why"}"#,
            ),
            (
                JsonFields::Export,
                counts.to_string()
                    + r#""state":"degraded","rtts_us":[1,null],"late":5,"duplicates":6,"foreign":7,"reason":"why"}"#,
            ),
            (
                JsonFields::Report,
                r#""state":"degraded","sent":4,"received":3,"rtts_us":[1,null],"error":"why"}"#
                    .into(),
            ),
        ] {
            let row = CheckJson {
                check: &check,
                fields,
            };
            let text = serde_json::to_string(&row).expect("plain values have a JSON form");
            assert_eq!(text, begin.to_string() + &rest);
        }
    }
}
