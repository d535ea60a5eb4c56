//! Lines of the line protocol, character by character.

use super::super::sample;
use super::*;
use crate::pure::address::IpVersion;
use crate::pure::model::{EventKind, HostId, State};
use crate::store::{OutageEvent, PushMark, RecordedHost};

fn host(name: &str, address: &str) -> HostToPush {
    HostToPush {
        host: RecordedHost {
            id: HostId(1),
            name: name.into(),
            former_names: Vec::new(),
            address: address.into(),
            family: None,
            source: None,
        },
        mark: PushMark {
            until: -1,
            changes: 0,
        },
    }
}

fn check() -> CheckToPush {
    CheckToPush {
        at: UtcMillis(1_762_086_896_007),
        sent: 5,
        received: 4,
        latencies: [Some(1), Some(1_000), Some(12_345_678)],
        state: State::Degraded,
    }
}

fn event() -> OutageEvent {
    sample::event("a", UtcMillis(1_762_086_896_007))
}

fn line(host: HostToPush, labels: &[(&str, &str)], sample: Sample) -> String {
    let batch = Batch {
        hosts: vec![host],
        samples: Vec::new(),
        is_cut: false,
    };
    let labels: Vec<(String, String)> = labels
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    let mut text = String::new();
    Lines::new(&batch, &labels).add(&batch, &sample, &mut text);
    text
}

#[test]
fn a_check_is_a_line_with_its_exact_time_and_numbers() {
    let six = HostToPush {
        host: RecordedHost {
            family: Some(IpVersion::V6),
            source: Some("eth0".into()),
            ..host("a", "::1").host
        },
        ..host("a", "::1")
    };
    let not_measured = CheckToPush {
        sent: 0,
        received: 0,
        latencies: [None; 3],
        state: State::NotMeasured,
        ..check()
    };
    for (host, labels, check, expected) in [
        (
            host("a", "192.0.2.1"),
            vec![],
            check(),
            "ace_check,address=192.0.2.1,family=any,host=a sent=5i,lost=1i,rtt_min=0.000001,\
             rtt_avg=0.001000,rtt_max=12.345678,state=\"degraded\" 1762086896007000000\n",
        ),
        (
            six,
            vec![("site", "home"), ("a1", "x y")],
            not_measured,
            "ace_check,a1=x\\ y,address=::1,family=6,host=a,site=home,source=eth0 \
             sent=0i,lost=0i,state=\"not_measured\" 1762086896007000000\n",
        ),
    ] {
        assert_eq!(line(host, &labels, Sample::Check(0, check)), expected);
    }
}

#[test]
fn no_name_ends_a_tag_or_a_line() {
    for (name, expected) in [
        ("a b", "a\\ b"),
        ("a,b=c", "a\\,b\\=c"),
        ("a\\", "a/"),
        ("a\\,b", "a/\\,b"),
        (
            "a\nace_check,host=b sent=1i",
            "a_ace_check\\,host\\=b\\ sent\\=1i",
        ),
        ("\u{202e}\"x\"", "_\"x\""),
        ("münchen", "münchen"),
    ] {
        let line = line(host(name, "x"), &[], Sample::Check(0, check()));
        let head = format!("ace_check,address=x,family=any,host={expected} sent=");
        assert!(line.starts_with(&head), "{line}");
        assert_eq!(line.matches('\n').count(), 1, "{line}");
    }
    let unnamed = line(host("", "x"), &[], Sample::Check(0, check()));
    assert!(
        unnamed.starts_with("ace_check,address=x,family=any sent="),
        "{unnamed}"
    );
}

#[test]
fn an_event_is_a_line_at_its_beginning_with_what_is_known_of_it() {
    let ended = OutageEvent {
        end_time: Some(UtcMillis(1_762_086_898_010)),
        cause: Some(Cause::Provider),
        notes: Some("a \"b\" \\\nnew".into()),
        planned: true,
        event_type: EventKind::Dns,
        ..event()
    };
    let undated = OutageEvent {
        start_time: None,
        ..event()
    };
    for (event, expected) in [
        (
            event(),
            "ace_outage,address=192.0.2.1,family=4,host=a,site=s,type=outage \
             id=7i,ongoing=true,planned=false,cause=\"\",notes=\"\" 1762086896007000000\n",
        ),
        (
            ended,
            "ace_outage,address=192.0.2.1,family=4,host=a,site=s,type=dns \
             id=7i,ongoing=false,planned=true,end_time=1762086898.010,duration=2.003,\
             cause=\"provider\",notes=\"a \\\"b\\\" \\\\ new\" 1762086896007000000\n",
        ),
        (undated, ""),
    ] {
        let sample = Sample::Event(Box::new(EventToPush {
            change: 1,
            event,
            family: Some(IpVersion::V4),
            source: None,
        }));
        assert_eq!(line(host("a", "x"), &[("site", "s")], sample), expected);
    }
}

#[test]
fn seconds_have_three_digits_behind_the_point_also_before_zero() {
    for (ms, text) in [
        (1_762_086_898_010, "1762086898.010"),
        (7, "0.007"),
        (0, "0.000"),
        (-7, "-0.007"),
        (-1500, "-1.500"),
    ] {
        assert_eq!(seconds(ms), text);
    }
}
