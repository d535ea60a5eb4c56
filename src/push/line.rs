//! The line protocol of InfluxDB, which VictoriaMetrics, Telegraf, QuestDB and Grafana Cloud read as
//! well: a line for each check and each event.

use std::fmt::Write;

use super::batch::{Batch, Sample};
use super::tags::{Tags, tags_of_event, tags_of_host, with_labels};
use crate::pure::cause::Cause;
use crate::pure::phrase::is_unprintable;
use crate::pure::time::UtcMillis;
use crate::store::{CheckToPush, EventToPush, HostToPush};

/// Writes lines of a batch.
pub struct Lines<'a> {
    labels: &'a [(String, String)],
    /// For each host, what its lines begin with, once it was needed.
    heads: Vec<Option<String>>,
}

impl<'a> Lines<'a> {
    pub fn new(batch: &Batch, labels: &'a [(String, String)]) -> Lines<'a> {
        Lines {
            labels,
            heads: vec![None; batch.hosts.len()],
        }
    }

    /// Adds the line of a sample. An event whose beginning cannot be read has none.
    pub fn add(&mut self, batch: &Batch, sample: &Sample, to: &mut String) {
        match sample {
            Sample::Event(event) => self.add_event(event, to),
            Sample::Check(index, check) => {
                let labels = self.labels;
                let host = batch.hosts.get(*index);
                if let (Some(host), Some(head)) = (host, self.heads.get_mut(*index)) {
                    *to += head.get_or_insert_with(|| head_of_checks(host, labels));
                    add_fields(check, to);
                }
            }
        }
    }

    fn add_event(&self, changed: &EventToPush, to: &mut String) {
        let event = &changed.event;
        let Some(start) = event.start_time else {
            return;
        };
        let mut tags = tags_of_event(changed);
        tags.push(("type", event.event_type.as_str().to_owned()));
        *to += &head("ace_outage", &tags, self.labels);
        let is_ongoing = event.end_time.is_none();
        let _ = write!(
            to,
            "id={}i,ongoing={is_ongoing},planned={}",
            event.id.0, event.planned
        );
        if let Some(end) = event.end_time {
            let _ = write!(
                to,
                ",end_time={},duration={}",
                seconds(end.0),
                seconds(end.0.saturating_sub(start.0))
            );
        }
        let cause = event.cause.map_or("", Cause::as_str);
        let notes = event.notes.as_deref().unwrap_or_default();
        let _ = write!(to, ",cause={},notes={}", quoted(cause), quoted(notes));
        add_time(start, to);
    }
}

fn head_of_checks(host: &HostToPush, labels: &[(String, String)]) -> String {
    head("ace_check", &tags_of_host(host), labels)
}

/// Measurement and tags, by name, which is what InfluxDB takes fastest.
fn head(measurement: &str, tags: &Tags, labels: &[(String, String)]) -> String {
    let mut all: Vec<(&str, &str)> = with_labels(tags, labels).collect();
    all.sort_unstable();
    let mut head = measurement.to_owned();
    for (name, value) in all {
        let value = escaped(value);
        // A tag without a value is not allowed.
        if !value.is_empty() {
            let _ = write!(head, ",{name}={value}");
        }
    }
    head + " "
}

/// The value of a tag. Engines disagree about what a backslash means there: it becomes a slash.
fn escaped(value: &str) -> String {
    let mut text = String::new();
    for character in value.chars() {
        match character {
            ',' | '=' | ' ' => text.extend(['\\', character]),
            '\\' => text.push('/'),
            other if is_unprintable(other) => text.push('_'),
            other => text.push(other),
        }
    }
    text
}

/// The value of a text field.
fn quoted(value: &str) -> String {
    let mut text = String::from('"');
    for character in value.chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            other if is_unprintable(other) => text.push(' '),
            other => text.push(other),
        }
    }
    text + "\""
}

/// Milliseconds as seconds, exactly.
fn seconds(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    let (whole, rest) = (ms.unsigned_abs() / 1000, ms.unsigned_abs() % 1000);
    format!("{sign}{whole}.{rest:03}")
}

fn add_fields(check: &CheckToPush, to: &mut String) {
    let lost = check.sent.saturating_sub(check.received);
    let _ = write!(to, "sent={}i,lost={lost}i", check.sent);
    for (name, us) in ["min", "avg", "max"].iter().zip(check.latencies) {
        if let Some(us) = us {
            let _ = write!(to, ",rtt_{name}={}.{:06}", us / 1_000_000, us % 1_000_000);
        }
    }
    let _ = write!(to, ",state=\"{}\"", check.state.as_str());
    add_time(check.at, to);
}

/// In nanoseconds, which engines expect unless they are told otherwise.
fn add_time(at: UtcMillis, to: &mut String) {
    let _ = writeln!(to, " {}", at.0.saturating_mul(1_000_000));
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
