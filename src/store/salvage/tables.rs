//! Which table a row belongs to, by its values alone: a damaged file may not say it.

use rusqlite::types::Value;

use super::cells::Row;

pub struct Table {
    pub name: &'static str,
    /// Separated by commas. A row that was written by an older version has fewer.
    pub columns: &'static str,
    /// A letter for each column, in capitals where it can be null: integer, text, blob, real, and
    /// `-` for the column that is the row's id, which is stored as null.
    kinds: &'static str,
    /// How many columns a row has at least.
    least: usize,
}

pub const CHECKS: &str = "check_result";

/// Those that cannot be made from others. Day sums are made from those of hours, and what is doubtful
/// or waits belongs to a monitor that ran then.
pub const TABLES: &[Table] = &[
    Table {
        name: CHECKS,
        columns: "host_id, checked_at, sent, received, min_us, avg_us, max_us, rtts",
        kinds: "iiiiIIIB",
        least: 8,
    },
    Table {
        name: "check_note",
        columns: "host_id, checked_at, late, duplicates, foreigners, reason, sent_after_ms",
        kinds: "iiiiiTT",
        least: 6,
    },
    Table {
        name: "not_measured_check",
        columns: "host_id, checked_at, reason",
        kinds: "iit",
        least: 3,
    },
    Table {
        name: "rollup",
        columns: "host_id, hour, none, to_20, to_40, to_60, to_80, to_95, to_100, full, not_measured, sent, received, \
                  rate_sum, rate_min, rate_max, min_us, max_us, sum_us, avg_sum_us, latency_checks, histogram, down, degraded",
        kinds: "iiiiiiiiiiiiiiIIIIiiibII",
        least: 22,
    },
    Table {
        name: "host_interval",
        columns: "host_id, since, interval_ms, by_hand",
        kinds: "iiii",
        least: 3,
    },
    Table {
        name: "former_name",
        columns: "host_id, name",
        kinds: "it",
        least: 2,
    },
    Table {
        name: "host",
        columns: "id, address, family, source, name, up_rate, degraded_rate, latency_limit_us, ping_spacing_ms, resolved_address",
        kinds: "-tiTtiiIIT",
        least: 5,
    },
    Table {
        name: "outage_events",
        columns: "id, host_name, host_address, event_type, start_time, end_time, duration_seconds, checks_failed, \
                  checks_during_outage, recovery_success_rate, notes, host_id, earliest_start, packets_sent, packets_lost, \
                  cause, facts, path, planned, answered_since, removed",
        kinds: "-ttttTIIIRTITIITTTiTi",
        least: 15,
    },
    Table {
        name: "monitor_run",
        columns: "id, started_at, alive_at, stopped_at, version, behind_ms, copied_at, doubt, boot_id, clock_offset_ms",
        kinds: "-iiItiITTI",
        least: 5,
    },
    Table {
        name: "interruption",
        columns: "id, started_at, ended_at, kind",
        kinds: "-iit",
        least: 4,
    },
    Table {
        name: "unsent",
        columns: "id, host_id, started_at, ended_at, reason",
        kinds: "-iiit",
        least: 5,
    },
    Table {
        name: "level_changes",
        columns: "host_id, kind, at, before, after, sureness",
        kinds: "itiiii",
        least: 6,
    },
    Table {
        name: "clock_step",
        columns: "id, at, step_ms, moved, run_id, why",
        kinds: "-iiiIT",
        least: 6,
    },
];

impl Table {
    fn has(&self, row: &Row) -> bool {
        let count = row.values.len();
        let has_id = self.kinds.starts_with('-');
        (self.least..=self.kinds.len()).contains(&count)
            && has_id == row.id.is_some()
            && self.kinds.chars().zip(&row.values).all(|(kind, value)| is_of(kind, value))
            // The rows of two tables differ only in what their texts say.
            && (self.name == "unsent") <= !has_version(row)
            && (self.name == "monitor_run") <= has_version(row)
    }

    /// The columns of a row of so many values.
    pub fn columns_of(&self, count: usize) -> String {
        self.columns
            .split(", ")
            .take(count)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

fn is_of(kind: char, value: &Value) -> bool {
    match (kind.to_ascii_lowercase(), value) {
        (_, Value::Null) => kind == '-' || kind.is_ascii_uppercase(),
        // A real number that is whole is stored as an integer.
        ('i' | 'r', Value::Integer(_))
        | ('r', Value::Real(_))
        | ('t', Value::Text(_))
        | ('b', Value::Blob(_)) => true,
        _ => false,
    }
}

/// Whether the fifth value is the version of a program, such as 0.1.0.
fn has_version(row: &Row) -> bool {
    matches!(row.values.get(4), Some(Value::Text(text))
        if text.contains('.') && text.starts_with(|first: char| first.is_ascii_digit()))
}

/// `None` for rows of indexes, and of tables that are made anew.
pub fn table_of(row: &Row) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.has(row))
}
