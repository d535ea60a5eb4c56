//! Prometheus remote write 1.0: samples of series as protobuf, compressed with snappy. Its four
//! message types are written by hand: what a library needs for them is larger than this file.

use std::collections::BTreeMap;

use super::batch::{Batch, Sample};
use super::tags::{Tags, tags_of_event, tags_of_host, with_labels};
use crate::pure::cause::Cause;
use crate::pure::model::{EventKind, State};
use crate::pure::series::{CHECK_SERIES, CheckFigures};
use crate::pure::time::UtcMillis;
use crate::pure::varint;
use crate::store::{CheckToPush, EventToPush};

/// Values of a series with their times.
type Values = Vec<(UtcMillis, f64)>;

/// The series of a host, in the order of [`CHECK_SERIES`] and [`State::ALL`].
#[derive(Clone, Default)]
struct HostSeries {
    checks: [Values; CHECK_SERIES.len()],
    /// 1 or 0, as in `/metrics`. All are written for each check: one that is left out would stay as it
    /// was.
    states: [Values; State::ALL.len()],
}

/// Collects the series of a request.
pub struct RemoteWrite<'a> {
    labels: &'a [(String, String)],
    hosts: Vec<HostSeries>,
    /// Those of events, by their name and labels.
    events: BTreeMap<(&'static str, Tags), Values>,
}

impl<'a> RemoteWrite<'a> {
    pub fn new(batch: &Batch, labels: &'a [(String, String)]) -> RemoteWrite<'a> {
        RemoteWrite {
            labels,
            hosts: vec![HostSeries::default(); batch.hosts.len()],
            events: BTreeMap::new(),
        }
    }

    pub fn add(&mut self, sample: &Sample) {
        match sample {
            Sample::Event(event) => self.add_event(event),
            Sample::Check(index, check) => {
                if let Some(series) = self.hosts.get_mut(*index) {
                    series.add(check);
                }
            }
        }
    }

    /// An event is 1 at its beginning and 0 at its end; its length stands at its end.
    fn add_event(&mut self, changed: &EventToPush) {
        let event = &changed.event;
        let Some(start) = event.start_time else {
            return;
        };
        let mut tags = tags_of_event(changed);
        if event.event_type != EventKind::Outage {
            tags.push(("type", event.event_type.as_str().to_owned()));
        }
        let mut with_cause = tags.clone();
        let cause = event.cause.unwrap_or(Cause::Unknown);
        with_cause.push(("cause", cause.as_str().to_owned()));
        let active = self.events.entry(("ace_outage_active", tags)).or_default();
        active.push((start, 1.0));
        if let Some(end) = event.end_time {
            active.push((end, 0.0));
            let length = end.0.saturating_sub(start.0) as f64 / 1000.0;
            let key = ("ace_outage_duration_seconds", with_cause);
            self.events.entry(key).or_default().push((end, length));
        }
    }

    /// The compressed message; empty if there is no sample.
    pub fn finish(self, batch: &Batch) -> Vec<u8> {
        let message = self.message(batch);
        if message.is_empty() {
            return message;
        }
        // It fails only for messages of more than 4 GB.
        let compressed = snap::raw::Encoder::new().compress_vec(&message);
        compressed.unwrap_or_default()
    }

    fn message(mut self, batch: &Batch) -> Vec<u8> {
        let mut request = Vec::new();
        let mut add = |name: &str, tags: &Tags, values: &mut Values| {
            if !values.is_empty() {
                values.sort_by_key(|(at, _)| *at);
                values.dedup_by_key(|(at, _)| *at);
                let series = time_series(name, tags, self.labels, values);
                add_bytes(&mut request, TIME_SERIES, &series);
            }
        };
        for (host, series) in batch.hosts.iter().zip(&mut self.hosts) {
            let tags = tags_of_host(host);
            for (check_series, values) in CHECK_SERIES.iter().zip(&mut series.checks) {
                add(check_series.name, &tags, values);
            }
            for (state, values) in State::ALL.iter().zip(&mut series.states) {
                let mut tags = tags.clone();
                tags.push(("state", state.as_str().to_owned()));
                add("ace_host_state", &tags, values);
            }
        }
        for ((name, tags), values) in &mut self.events {
            add(name, tags, values);
        }
        request
    }
}

impl HostSeries {
    fn add(&mut self, check: &CheckToPush) {
        let figures = CheckFigures {
            state: check.state,
            sent: check.sent,
            received: check.received,
            latencies: check.latencies,
        };
        for (series, values) in CHECK_SERIES.iter().zip(&mut self.checks) {
            values.extend((series.value)(&figures).map(|value| (check.at, value)));
        }
        for (state, values) in State::ALL.iter().zip(&mut self.states) {
            let is_state = f64::from(u8::from(check.state == *state));
            values.push((check.at, is_state));
        }
    }
}

// Field numbers of the messages, with how their values are encoded: as a varint, as eight bytes, or
// with their length before them.
const VARINT: u8 = 0;
const EIGHT_BYTES: u8 = 1;
const WITH_LENGTH: u8 = 2;
/// `WriteRequest.timeseries`
const TIME_SERIES: u8 = 1 << 3 | WITH_LENGTH;
/// `TimeSeries.labels`
const LABELS: u8 = 1 << 3 | WITH_LENGTH;
/// `TimeSeries.samples`
const SAMPLES: u8 = 2 << 3 | WITH_LENGTH;
/// `Label.name`
const NAME: u8 = 1 << 3 | WITH_LENGTH;
/// `Label.value`
const VALUE: u8 = 2 << 3 | WITH_LENGTH;
/// `Sample.value`
const NUMBER: u8 = 1 << 3 | EIGHT_BYTES;
/// `Sample.timestamp`, in milliseconds
const TIME: u8 = 2 << 3 | VARINT;

fn add_bytes(to: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    to.push(field);
    varint::write(to, bytes.len() as u64);
    to.extend_from_slice(bytes);
}

fn time_series(name: &str, tags: &Tags, labels: &[(String, String)], values: &Values) -> Vec<u8> {
    let all = with_labels(tags, labels).chain([("__name__", name)]);
    let mut all: Vec<(&str, &str)> = all.collect();
    // Required by the protocol.
    all.sort_unstable();
    let mut series = Vec::new();
    // A label without a value is one that is not there.
    for (name, value) in all.into_iter().filter(|(_, value)| !value.is_empty()) {
        let mut label = Vec::new();
        add_bytes(&mut label, NAME, name.as_bytes());
        add_bytes(&mut label, VALUE, value.as_bytes());
        add_bytes(&mut series, LABELS, &label);
    }
    for (at, value) in values {
        let mut sample = vec![NUMBER];
        sample.extend_from_slice(&value.to_le_bytes());
        sample.push(TIME);
        varint::write(&mut sample, at.0.cast_unsigned());
        add_bytes(&mut series, SAMPLES, &sample);
    }
    series
}

#[cfg(test)]
#[path = "remote_write_tests.rs"]
mod tests;
