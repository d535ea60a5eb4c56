//! Messages of remote write, read back by what the protocol says.

use super::super::sample;
use super::*;
use crate::pure::address::IpVersion;
use crate::pure::model::HostId;
use crate::store::{HostToPush, OutageEvent, PushMark, RecordedHost};

/// Labels of a series, and its samples.
type Series = (Vec<(String, String)>, Vec<(f64, i64)>);

/// Reads the fields of a message: numbers of fields with their bytes or their number.
fn fields(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>, u64)> {
    let mut found = Vec::new();
    while let Some((key, rest)) = bytes.split_first() {
        bytes = rest;
        let (content, number) = match key & 7 {
            0 => (Vec::new(), varint::read(&mut bytes).expect("a number")),
            1 => {
                let (eight, rest) = bytes.split_at(8);
                bytes = rest;
                (eight.to_vec(), 0)
            }
            2 => {
                let len = varint::read(&mut bytes).expect("a length");
                let (content, rest) = bytes.split_at(usize::try_from(len).expect("small"));
                bytes = rest;
                (content.to_vec(), 0)
            }
            other => panic!("wire type {other}"),
        };
        found.push((key >> 3, content, number));
    }
    found
}

fn decode(message: &[u8]) -> Vec<Series> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    fields(message)
        .into_iter()
        .map(|(field, series, _)| {
            assert_eq!(field, 1);
            let (mut labels, mut samples) = (Vec::new(), Vec::new());
            for (field, content, _) in fields(&series) {
                let parts = fields(&content);
                let [first, second] = &parts[..] else {
                    panic!("{parts:?}");
                };
                assert_eq!((first.0, second.0), (1, 2));
                if field == 1 {
                    labels.push((text(&first.1), text(&second.1)));
                } else {
                    let value = f64::from_le_bytes(first.1[..].try_into().expect("eight bytes"));
                    samples.push((value, second.2.cast_signed()));
                }
            }
            assert!(labels.is_sorted(), "{labels:?}");
            (labels, samples)
        })
        .collect()
}

fn host() -> HostToPush {
    HostToPush {
        host: RecordedHost {
            id: HostId(1),
            name: "a \"b\"".into(),
            former_names: Vec::new(),
            address: "192.0.2.1".into(),
            family: Some(IpVersion::V4),
            source: None,
        },
        mark: PushMark {
            until: -1,
            changes: 0,
        },
    }
}

fn message(samples: &[Sample]) -> Vec<Series> {
    let batch = Batch {
        hosts: vec![host()],
        samples: Vec::new(),
        is_cut: false,
    };
    let labels = [("Site".to_owned(), "home".to_owned())];
    let mut request = RemoteWrite::new(&batch, &labels);
    samples.iter().for_each(|sample| request.add(sample));
    decode(&request.message(&batch))
}

fn named(name: &str, more: Option<(&str, &str)>) -> Vec<(String, String)> {
    let all = [
        ("Site", "home"),
        ("__name__", name),
        ("address", "192.0.2.1"),
        ("family", "4"),
        ("host", "a \"b\""),
    ];
    let mut all: Vec<(String, String)> = all
        .into_iter()
        .chain(more)
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    all.sort();
    all
}

#[test]
fn a_check_is_a_sample_of_each_series_and_of_every_state() {
    let at = UtcMillis(1_762_086_896_007);
    let check = CheckToPush {
        at,
        sent: 4,
        received: 3,
        latencies: [Some(1), Some(1_000), Some(12_345_678)],
        state: State::Poor,
    };
    let not_measured = CheckToPush {
        at: at.plus(1),
        sent: 0,
        received: 0,
        latencies: [None; 3],
        state: State::NotMeasured,
    };
    let series = message(&[Sample::Check(0, check), Sample::Check(0, not_measured)]);
    let (first, second) = (at.0, at.0 + 1);
    let mut expected = vec![
        (named("ace_check_success_ratio", None), vec![(0.75, first)]),
        (
            named("ace_check_rtt_min_seconds", None),
            vec![(0.000_001, first)],
        ),
        (
            named("ace_check_rtt_avg_seconds", None),
            vec![(0.001, first)],
        ),
        (
            named("ace_check_rtt_max_seconds", None),
            vec![(12.345_678, first)],
        ),
        (
            named("ace_check_sent_pings", None),
            vec![(4.0, first), (0.0, second)],
        ),
        (
            named("ace_check_received_pings", None),
            vec![(3.0, first), (0.0, second)],
        ),
    ];
    for (state, values) in [
        ("up", [0.0, 0.0]),
        ("degraded", [0.0, 0.0]),
        ("poor", [1.0, 0.0]),
        ("down", [0.0, 0.0]),
        ("not_measured", [0.0, 1.0]),
    ] {
        let labels = named("ace_host_state", Some(("state", state)));
        expected.push((labels, vec![(values[0], first), (values[1], second)]));
    }
    assert_eq!(series, expected);
    assert_eq!(message(&[]), []);
}

#[test]
fn an_event_is_1_at_its_beginning_and_0_at_its_end() {
    let start = UtcMillis(1_762_086_896_007);
    let event = |event_type, end_time, cause| {
        Sample::Event(Box::new(EventToPush {
            change: 1,
            event: OutageEvent {
                end_time,
                cause,
                event_type,
                ..sample::event("a \"b\"", start)
            },
            family: Some(IpVersion::V4),
            source: None,
        }))
    };
    let active = |more| named("ace_outage_active", more);
    let length = |cause| named("ace_outage_duration_seconds", Some(("cause", cause)));
    let end = start.plus(2_003);
    assert_eq!(
        message(&[event(EventKind::Outage, None, None)]),
        [(active(None), vec![(1.0, start.0)])]
    );
    assert_eq!(
        message(&[event(EventKind::Outage, Some(end), Some(Cause::Host))]),
        [
            (active(None), vec![(1.0, start.0), (0.0, end.0)]),
            (length("host"), vec![(2.003, end.0)]),
        ]
    );
    assert_eq!(
        message(&[event(EventKind::Dns, None, None)]),
        [(active(Some(("type", "dns"))), vec![(1.0, start.0)])]
    );
}
