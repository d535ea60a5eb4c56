//! Recorded outages as they are shown: causes, what belongs together, what was not measured,
//! clocks that were set, and files of the version before.

use super::common::versions::{TO_SECOND_VERSION, WITHOUT_PUSH};
use super::*;
use ace_connection_logger::pure::address::IpVersion;
use ace_connection_logger::pure::cause::{Cause, NetworkPosition};
use ace_connection_logger::pure::incident::GroupingRules;
use ace_connection_logger::pure::link::Link;
use ace_connection_logger::pure::model::{
    EventId, HostId, Interruption, InterruptionKind, Probe, Thresholds,
};
use ace_connection_logger::pure::path::Path as Way;
use ace_connection_logger::pure::replies::Answer;
use ace_connection_logger::pure::run_clock::ClockStep;
use ace_connection_logger::pure::scene::{Observation, Scene};
use ace_connection_logger::store::{GroupedOutage, Reader, Record, incidents};

/// A time that a clock may show: 2023-11-14 22:13:20 UTC.
const START: i64 = 1_700_000_000_000;

pub fn at(seconds: i64) -> UtcMillis {
    UtcMillis(START + seconds * 1000)
}

/// A check of so many pings a second apart: r a reply, s silence; of a host beyond the gateway.
pub fn pings(host: &Arc<Host>, seconds: i64, letters: &str) -> CheckResult {
    let rtts: Vec<Option<u32>> = letters
        .chars()
        .map(|letter| (letter == 'r').then_some(1000))
        .collect();
    let resolved = host.address.ip();
    CheckResult {
        spacing_ms: 1000,
        position: Some(NetworkPosition::BeyondGateway),
        link: Some(Arc::new(Link {
            version: IpVersion::V4,
            interface: "eth0".into(),
            gateway: "192.0.2.254".parse().ok(),
        })),
        resolved,
        ..check(host, at(seconds).0, &rtts)
    }
}

/// As the writer does it; returns how many checks were moved.
pub fn set_clock(database: &mut Database, now: UtcMillis, step_ms: i64) -> usize {
    let step = ClockStep { now, step_ms };
    let corrections = database.run_clock.step(&step, Duration::ZERO);
    database.correct(&step, &corrections).expect("it writes")
}

pub fn reader(path: &Path) -> Reader {
    Reader::open(path).expect("it opens").expect("it is there")
}

/// Writes records, with the scene that they and the observations result in.
pub fn write_all(
    database: &mut Database,
    scene: &mut Scene,
    entries: Vec<Record>,
    facts: &[Observation],
    now: i64,
) {
    for entry in &entries {
        match entry {
            Record::Check(result) => scene.add_check(result),
            Record::Probe(probe) => scene.add_probe(probe),
            Record::Interruption(_) | Record::Unsent(_) | Record::Notice(_) => {}
        }
    }
    facts.iter().for_each(|fact| scene.add_observation(fact));
    database
        .write_records(&entries, scene, at(now), RunState::Running)
        .expect("it writes");
}

pub fn probe(host: &Arc<Host>, seconds: i64, is_answered: bool) -> Record {
    Record::Probe(Probe {
        host: Arc::clone(host),
        at: at(seconds),
        is_answered,
    })
}

fn grouped_outages(path: &Path, grouping: GroupingRules) -> Vec<GroupedOutage> {
    let reader = reader(path);
    let span = at(-3600)..at(86_400);
    let gaps = reader.gaps(&span).expect("gaps");
    reader
        .grouped_outages(&span, &grouping, &gaps)
        .expect("the outages are read")
}

#[test]
fn probes_move_the_start_and_end_of_an_outage() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let (mut database, mut scene) = (open(&path), Scene::default());
    let one = host("one", "192.0.2.1");
    write_all(
        &mut database,
        &mut scene,
        vec![pings(&one, 0, "rrs").into()],
        &[],
        5,
    );
    write_all(
        &mut database,
        &mut scene,
        vec![pings(&one, 60, "sss").into()],
        &[],
        65,
    );
    // In commits of their own, as they come.
    for second in 63..70 {
        write_all(
            &mut database,
            &mut scene,
            vec![probe(&one, second, false)],
            &[],
            second + 1,
        );
    }
    write_all(
        &mut database,
        &mut scene,
        vec![probe(&one, 70, true)],
        &[],
        71,
    );
    write_all(
        &mut database,
        &mut scene,
        vec![pings(&one, 120, "rrr").into()],
        &[],
        125,
    );
    let query = "select substr(earliest_start, 15), substr(start_time, 15), substr(end_time, 15), duration_seconds, checks_failed,
        checks_during_outage, packets_sent, packets_lost, recovery_success_rate from outage_events";
    assert_eq!(
        rows(&path, query),
        ["13:21.000|13:22.000|14:30.000|68|1|1|11|11|100.0"]
    );
    assert_eq!(
        number(&path, "select count(*) from ping_results"),
        3,
        "they are no rows"
    );
    assert_eq!(
        number(&path, "select sum(sent) from check_result"),
        9,
        "and in no sums"
    );
}

#[test]
fn probes_to_a_silent_host_without_an_outage_count_across_commits() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let rules = ace_connection_logger::pure::outage::OutageRules {
        down_after: 2,
        up_after: 1,
    };
    let one = host("one", "192.0.2.1");
    let mut scene = Scene::default();
    let mut write_one = |entry: Record, now: i64| {
        let mut database = open(&path);
        database.set_outage_rules(rules);
        write_all(&mut database, &mut scene, vec![entry], &[], now);
    };
    write_one(pings(&one, 0, "rr").into(), 5);
    write_one(pings(&one, 60, "ss").into(), 65);
    write_one(probe(&one, 63, false), 64);
    // A reply breaks the run: the next silent check is the first again. The silence began with the
    // probe before it.
    write_one(probe(&one, 64, true), 65);
    write_one(probe(&one, 65, false), 66);
    write_one(pings(&one, 120, "ss").into(), 125);
    assert_eq!(number(&path, "select count(*) from outage_events"), 0);
    write_one(probe(&one, 123, false), 124);
    write_one(pings(&one, 180, "ss").into(), 185);
    let query = "select substr(earliest_start, 15), substr(start_time, 15), checks_failed, packets_sent, packets_lost from outage_events";
    assert_eq!(
        rows(&path, query),
        ["14:24.000|14:25.000|2|6|6"],
        "two checks, and the pings before and between them"
    );
}

/// Whatever was written together: a check and the probes after it may be in one commit or in several.
#[test]
fn probes_count_the_same_in_one_commit_and_in_several() {
    let one = host("one", "192.0.2.1");
    let cases: [(u16, Vec<Record>, Option<&str>, &str); 3] = [
        (
            2,
            vec![
                pings(&one, 0, "rr").into(),
                pings(&one, 60, "ss").into(),
                probe(&one, 63, true),
                probe(&one, 64, true),
                pings(&one, 120, "ss").into(),
            ],
            None,
            "the host answered between the silent checks",
        ),
        (
            1,
            vec![
                pings(&one, 0, "rss").into(),
                probe(&one, 4, false),
                probe(&one, 5, true),
                pings(&one, 60, "sss").into(),
            ],
            Some("13:25.000|14:20.000|3"),
            "the host answered after the last pings of the check were lost",
        ),
        (
            1,
            vec![
                pings(&one, 0, "rss").into(),
                probe(&one, 4, false),
                probe(&one, 400, false),
                pings(&one, 403, "sss").into(),
            ],
            Some("13:20.000|13:21.000|7"),
            "the host did not answer since",
        ),
    ];
    for (down_after, records, event, why) in cases {
        for split in 0..=records.len() {
            let folder = TempDir::new();
            let path = folder.path().join(FILE);
            let mut scene = Scene::default();
            let mut records = records.clone();
            let later = records.split_off(split);
            for (records, now) in [(records, 410), (later, 420)] {
                let mut database = open(&path);
                database.set_outage_rules(ace_connection_logger::pure::outage::OutageRules {
                    down_after,
                    up_after: 1,
                });
                write_all(&mut database, &mut scene, records, &[], now);
            }
            let query = "select substr(earliest_start, 15), substr(start_time, 15), packets_lost from outage_events";
            let expected: Vec<&str> = event.into_iter().collect();
            assert_eq!(
                rows(&path, query),
                expected,
                "{why}, {split} in the first commit"
            );
        }
    }
}

#[test]
fn the_cause_is_judged_with_its_evidence_when_an_outage_begins_and_when_it_ends() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let (mut database, mut scene) = (open(&path), Scene::default());
    let (one, two) = (host("one", "192.0.2.1"), host("two", "192.0.2.2"));
    let cause = |path: &Path| {
        rows(
            path,
            "select host_name, cause from outage_events order by id",
        )
    };
    write_all(
        &mut database,
        &mut scene,
        vec![pings(&one, 0, "rr").into(), pings(&two, 20, "rr").into()],
        &[],
        25,
    );
    write_all(
        &mut database,
        &mut scene,
        vec![pings(&one, 60, "ss").into()],
        &[],
        62,
    );
    assert_eq!(
        cause(&path),
        ["one|unknown"],
        "no other host has been pinged since"
    );
    let gateway = "192.0.2.254".parse().expect("an address");
    let way = Way {
        at: at(63),
        reached: false,
        hops: vec![
            Some(gateway),
            None,
            Some("198.51.100.1".parse().expect("an address")),
        ],
    };
    let facts = [
        Observation::Gateway {
            link: Arc::new(Link {
                version: IpVersion::V4,
                interface: "eth0".into(),
                gateway: Some(gateway),
            }),
            at: at(64),
            answer: Answer::Answered,
        },
        Observation::OtherHost {
            host: Arc::clone(&two),
            at: at(64),
            answer: Answer::Silent,
        },
        Observation::Path {
            host: Arc::clone(&one),
            path: way,
        },
    ];
    write_all(
        &mut database,
        &mut scene,
        vec![probe(&one, 66, false)],
        &facts,
        67,
    );
    assert_eq!(cause(&path), ["one|provider"]);
    let event = &grouped_outages(&path, GroupingRules::default())[0].event;
    let facts: serde_json::Value =
        serde_json::from_str(event.facts.as_deref().expect("facts")).expect("JSON");
    assert_eq!(
        (&facts["gateway"], &facts["beyond_silent"]),
        (&"answers".into(), &1.into())
    );
    assert_eq!(facts["path_reached"], "198.51.100.1");
    let path_told: serde_json::Value =
        serde_json::from_str(event.path.as_deref().expect("a path")).expect("JSON");
    assert_eq!(
        path_told[0]["hops"],
        serde_json::json!(["192.0.2.254", null, "198.51.100.1"])
    );
    // The other one failed too and comes back sooner: that proves nothing. A host that answers a
    // trace, but not its pings, has a path that is none of its outage.
    let later = vec![pings(&two, 80, "rr").into(), probe(&one, 90, false)];
    let reached = Observation::Path {
        host: Arc::clone(&one),
        path: Way {
            at: at(89),
            reached: true,
            hops: vec![Some(gateway), "192.0.2.1".parse().ok()],
        },
    };
    write_all(&mut database, &mut scene, later, &[reached], 91);
    assert_eq!(cause(&path), ["one|provider"]);
    let paths = "select path like '%true%' from outage_events";
    assert_eq!(rows(&path, paths), ["0"]);
    // After a restart the scene is empty, which does not replace a known cause.
    write_all(
        &mut database,
        &mut Scene::default(),
        vec![pings(&one, 120, "ss").into()],
        &[],
        125,
    );
    assert_eq!(cause(&path), ["one|provider"]);
}

#[test]
fn a_later_verdict_may_say_that_the_cause_is_unknown() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let (mut database, mut scene) = (open(&path), Scene::default());
    let (one, two) = (host("one", "192.0.2.1"), host("two", "192.0.2.2"));
    let mut write = |entries: Vec<Record>, seconds: i64| {
        write_all(&mut database, &mut scene, entries, &[], seconds);
        rows(&path, "select cause from outage_events")
    };
    write(vec![pings(&one, 0, "rr").into()], 5);
    write(vec![pings(&two, 58, "rrr").into()], 59);
    let first = vec![pings(&one, 60, "ss").into(), pings(&two, 62, "rrr").into()];
    assert_eq!(write(first, 63), ["host"]);
    // Nothing is known of the other one since.
    assert_eq!(write(vec![probe(&one, 200, false)], 201), ["unknown"]);
}

#[test]
fn a_link_that_is_down_is_one_event_and_no_outage_of_a_host() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let (mut database, mut scene) = (open(&path), Scene::default());
    let hosts = [host("one", "192.0.2.1"), host("two", "192.0.2.2")];
    let blocked = |host: &Arc<Host>, seconds: i64| {
        let result = CheckResult::not_measured(
            Arc::clone(host),
            at(seconds),
            LocalFault::Link,
            "eth0 has no carrier".into(),
        );
        Record::Check(CheckResult {
            resolved: host.address.ip(),
            position: Some(NetworkPosition::BeyondGateway),
            ..result
        })
    };
    let both = |make: &dyn Fn(&Arc<Host>, i64) -> Record, seconds: i64| {
        vec![make(&hosts[0], seconds), make(&hosts[1], seconds + 1)]
    };
    write_all(
        &mut database,
        &mut scene,
        both(&|host, at| pings(host, at, "rr").into(), 0),
        &[],
        5,
    );
    let lost = [Observation::LinkLost {
        version: IpVersion::V4,
        at: at(125),
    }];
    write_all(&mut database, &mut scene, both(&blocked, 60), &lost, 65);
    // Killed and started again meanwhile.
    drop(database);
    let (mut database, mut scene) = (open(&path), Scene::default());
    write_all(&mut database, &mut scene, both(&blocked, 120), &lost, 125);
    let query = "select host_name, host_address, event_type, cause, notes, substr(start_time, 15), substr(end_time, 15) from outage_events";
    assert_eq!(
        rows(&path, query),
        ["link|IPv4|link_down|link|eth0 has no carrier|14:20.000|"]
    );
    let clear = [Observation::LinkRestored {
        version: IpVersion::V4,
        at: at(130),
    }];
    write_all(&mut database, &mut scene, Vec::new(), &clear, 131);
    assert_eq!(
        rows(&path, query),
        ["link|IPv4|link_down|link|eth0 has no carrier|14:20.000|15:30.000"]
    );
    write_all(
        &mut database,
        &mut scene,
        both(&|host, at| pings(host, at, "rr").into(), 180),
        &[],
        185,
    );
    assert_eq!(number(&path, "select count(*) from outage_events"), 1);
    let gaps = reader(&path).gaps(&(at(0)..at(200))).expect("gaps");
    assert_eq!(
        gaps.iter()
            .map(|gap| (gap.from, gap.to))
            .collect::<Vec<_>>(),
        [(at(60), at(130))]
    );
    assert!(gaps[0].reason.contains("eth0 has no carrier"), "{gaps:?}");
}

#[test]
fn a_host_without_a_route_while_others_are_measured_is_no_link_event() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let (mut database, mut scene) = (open(&path), Scene::default());
    let (one, two) = (host("one", "192.0.2.1"), host("two", "192.0.2.2"));
    let result = CheckResult::not_measured(
        Arc::clone(&one),
        at(60),
        LocalFault::Link,
        "source eth1: no such device".into(),
    );
    let blocked = CheckResult {
        resolved: one.address.ip(),
        ..result
    };
    write_all(
        &mut database,
        &mut scene,
        vec![blocked.into(), pings(&two, 61, "rr").into()],
        &[],
        65,
    );
    assert_eq!(number(&path, "select count(*) from outage_events"), 0);
}

#[test]
fn a_host_that_alone_could_not_be_pinged_has_a_gap_of_its_own() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open(&path);
    database.begin_run(at(0), true).expect("the ledger");
    let (one, two) = (host("one", "192.0.2.1"), host("two", "192.0.2.2"));
    let forbidden = |seconds| {
        let fault = LocalFault::Host;
        CheckResult::not_measured(Arc::clone(&one), at(seconds), fault, "a route".into())
    };
    let results = [
        pings(&one, 0, "r"),
        pings(&two, 1, "r"),
        forbidden(60),
        pings(&two, 61, "r"),
        forbidden(120),
        pings(&two, 121, "r"),
        pings(&one, 170, "r"),
        forbidden(230),
        pings(&two, 231, "r"),
    ];
    write(&mut database, &results, at(232).0);
    let gaps = reader(&path).gaps(&(at(0)..at(240))).expect("gaps");
    let spans: Vec<_> = gaps.iter().map(|gap| (gap.from, gap.to)).collect();
    assert_eq!(spans, [(at(60), at(170)), (at(230), at(240))]);
    let json = serde_json::to_value(&gaps[0]).expect("JSON");
    assert_eq!(
        (&json["host_name"], &json["host_address"], &json["reason"]),
        (
            &"one".into(),
            &"192.0.2.1".into(),
            &"one could not be pinged: a route".into()
        )
    );
}

#[test]
fn a_long_rest_of_a_check_that_could_not_be_made_is_a_gap_of_its_host() {
    for (link_back, expected) in [
        ("14:20.500", vec![(60_000, 120_000)]),
        ("14:25.000", vec![(60_000, 65_000), (65_000, 120_000)]),
        ("15:15.000", vec![(60_000, 115_000)]),
    ] {
        let folder = TempDir::new();
        let path = folder.path().join(FILE);
        let mut database = open(&path);
        database.begin_run(at(0), true).expect("the ledger");
        let one = host("one", "192.0.2.1");
        let fault = LocalFault::Link;
        let blocked =
            CheckResult::not_measured(Arc::clone(&one), at(60), fault, "no carrier".into());
        let results = [pings(&one, 0, "r"), blocked, pings(&one, 120, "r")];
        write(&mut database, &results, at(121).0);
        let event = format!(
            "insert into outage_events(host_name, host_address, event_type, start_time, end_time)
             values('link', 'IPv4', 'link_down', '2023-11-14 22:14:20.000', '2023-11-14 22:{link_back}')"
        );
        let connection = Connection::open(&path).expect("it opens");
        connection.execute(&event, []).expect("an event");
        let gaps = reader(&path).gaps(&(at(0)..at(121))).expect("gaps");
        let ms = |at_gap: UtcMillis| at_gap.0 - at(0).0;
        let spans: Vec<_> = gaps.iter().map(|gap| (ms(gap.from), ms(gap.to))).collect();
        assert_eq!(spans, expected, "{link_back}");
    }
}

#[test]
fn no_gap_of_another_time_or_another_host_takes_the_place_of_a_hosts_own() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open(&path);
    database.begin_run(at(0), true).expect("the ledger");
    let (one, two) = (host("one", "192.0.2.1"), host("two", "192.0.2.2"));
    let fault = LocalFault::Host;
    let forbidden = CheckResult::not_measured(Arc::clone(&one), at(60), fault, "a route".into());
    let results = [
        pings(&one, 0, "r"),
        pings(&two, 1, "r"),
        forbidden,
        pings(&one, 120, "r"),
        pings(&two, 350, "r"),
    ];
    write(&mut database, &results, at(350).0);
    // Before and after it the link was down, and the other host was silent and could not be pinged.
    let link =
        "insert into outage_events(host_name, host_address, event_type, start_time, end_time)
        values('link', 'IPv4', 'link_down', '2023-11-14 22:13:30.000', '2023-11-14 22:13:50.000'),
              ('link', 'IPv4', 'link_down', '2023-11-14 22:18:20.000', '2023-11-14 22:18:50.000')";
    let unsent = format!(
        "insert into unsent(started_at, ended_at, host_id, reason)
         select {}, {}, id, 'a route' from host where name = 'two'",
        at(40).0,
        at(200).0
    );
    let connection = Connection::open(&path).expect("it opens");
    connection
        .execute_batch(&format!("{link}; {unsent}"))
        .expect("plain SQL");
    let gaps = reader(&path).gaps(&(at(0)..at(350))).expect("gaps");
    let of_one: Vec<_> = (gaps.iter())
        .filter(|gap| gap.reason == "one could not be pinged: a route")
        .map(|gap| (gap.from, gap.to))
        .collect();
    assert_eq!(of_one, [(at(60), at(120))], "{gaps:?}");
}

#[test]
fn a_version_of_ip_that_never_worked_is_no_link_event() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let (four, six) = (host("four", "192.0.2.1"), host("six", "2001:db8::1"));
    let blocked = |seconds: i64| {
        let result = CheckResult::not_measured(
            Arc::clone(&six),
            at(seconds),
            LocalFault::Link,
            "cannot send to it".into(),
        );
        Record::Check(CheckResult {
            resolved: six.address.ip(),
            ..result
        })
    };
    let mut database = open(&path);
    let lost = [Observation::LinkLost {
        version: IpVersion::V6,
        at: at(125),
    }];
    write_all(
        &mut database,
        &mut Scene::default(),
        vec![blocked(0), pings(&four, 1, "rr").into()],
        &lost,
        5,
    );
    assert_eq!(number(&path, "select count(*) from outage_events"), 0);
    // Once it has been there it is missed, also by a monitor that has just been started.
    write_all(
        &mut database,
        &mut Scene::default(),
        vec![pings(&six, 60, "rr").into()],
        &[],
        65,
    );
    write_all(
        &mut database,
        &mut Scene::default(),
        vec![blocked(120)],
        &lost,
        125,
    );
    assert_eq!(
        rows(&path, "select host_address, event_type from outage_events"),
        ["IPv6|link_down"]
    );
}

#[test]
fn downtime_does_not_include_time_that_was_not_measured() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    let mut database = open(&path);
    database.begin_run(at(0), true).expect("the ledger");
    write(
        &mut database,
        &[
            pings(&one, 0, "r"),
            pings(&one, 60, "s"),
            pings(&one, 120, "s"),
        ],
        at(130).0,
    );
    drop(database);
    // It was killed, and started again.
    let mut database = open(&path);
    database.begin_run(at(1000), true).expect("the ledger");
    let slept = Interruption {
        kind: InterruptionKind::Asleep,
        from: at(1100),
        to: at(1300),
    };
    let narrower = Interruption {
        kind: InterruptionKind::Asleep,
        from: at(1150),
        to: at(1250),
    };
    let entries = [
        pings(&one, 1000, "s").into(),
        Record::Interruption(slept),
        Record::Interruption(narrower),
        pings(&one, 1400, "r").into(),
    ];
    database
        .write_records(&entries, &Scene::default(), at(1401), RunState::Stopped)
        .expect("it writes");
    let all = grouped_outages(&path, GroupingRules::default());
    assert_eq!(all.len(), 1);
    assert_eq!(
        all[0].event.duration_seconds,
        Some(1340),
        "from the first lost ping to the first reply"
    );
    assert_eq!(
        all[0].down_seconds,
        1340 - (1000 - 130) - 100,
        "less the time without a monitor and asleep"
    );
    let reasons: Vec<String> = reader(&path)
        .gaps(&(at(0)..at(2000)))
        .expect("gaps")
        .into_iter()
        .map(|gap| format!("{} {}", (gap.from.0 - START) / 1000, gap.reason))
        .collect();
    assert_eq!(
        reasons,
        [
            "130 the monitor ended without a clean stop: killed, or no power",
            "1150 this machine was asleep",
            "1401 the monitor was stopped"
        ]
    );
}

#[test]
fn fragments_are_merged_and_planned_outages_are_not_merged_with_others() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let (one, two) = (host("one", "192.0.2.1"), host("two", "192.0.2.2"));
    let mut database = open(&path);
    let minutes = |host: &Arc<Host>, offset: i64, letters: &str| -> Vec<CheckResult> {
        (0..)
            .zip(letters.chars())
            .map(|(minute, letter)| pings(host, minute * 60 + offset, &letter.to_string()))
            .collect()
    };
    write(
        &mut database,
        &minutes(&one, 0, "rsrrrrrrrrrrrrrrrrrrsrsrsr"),
        at(3600).0,
    );
    write(&mut database, &minutes(&two, 30, "rssr"), at(3600).0);
    let wide = GroupingRules {
        merge: Duration::from_secs(61),
        ..GroupingRules::default()
    };
    let summaries = |grouping| -> Vec<String> {
        let one = |outage: &GroupedOutage| {
            format!(
                "{} {} {:?} {}",
                outage.event.host_name,
                outage.event.event_type,
                outage.members.len(),
                outage.down_seconds
            )
        };
        grouped_outages(&path, grouping).iter().map(one).collect()
    };
    assert_eq!(
        summaries(GroupingRules::default()),
        [
            "one intermittent 3 180",
            "two outage 1 120",
            "one outage 1 60"
        ]
    );
    assert_eq!(summaries(wide)[0], "one outage 3 180", "fragments");
    let together = incidents(&grouped_outages(&path, GroupingRules::default()));
    assert_eq!(together.len(), 1);
    assert_eq!(
        (together[0].hosts, together[0].host_names.join(" ")),
        (2, "one two".to_string())
    );
    let first = grouped_outages(&path, GroupingRules::default())
        .pop()
        .expect("three");
    assert_eq!(
        database
            .annotate(&first.members, Some("new router"), Some(true))
            .expect("it writes"),
        1
    );
    assert_eq!(
        database
            .annotate(&[EventId(999)], Some("x"), None)
            .expect("it writes"),
        0
    );
    let noted = grouped_outages(&path, GroupingRules::default())
        .pop()
        .expect("three");
    assert_eq!(
        (noted.event.notes.as_deref(), noted.event.planned),
        (Some("new router"), true)
    );
    assert_eq!(
        incidents(&grouped_outages(&path, GroupingRules::default())),
        [],
        "what was planned is of no incident"
    );
}

#[test]
fn a_clock_that_nothing_confirms_moves_a_young_run_when_it_is_set_back_and_forward() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let (one, two) = (host("one", "192.0.2.1"), host("two", "192.0.2.2"));
    let mut database = open(&path);
    database.begin_run(at(0), false).expect("the ledger");
    write(
        &mut database,
        &[
            pings(&one, 0, "r"),
            pings(&one, 60, "s"),
            pings(&two, 60, "r"),
            pings(&one, 120, "r"),
        ],
        at(125).0,
    );
    let times =
        "select host_id, (checked_at - 1700000000000) / 1000 from check_result order by 1, 2";
    let before = rows(&path, times);
    let set =
        |database: &mut Database, now: i64, step: i64| set_clock(database, at(now), step * 1000);
    assert_eq!(set(&mut database, 130 - 3600, -3600), 4);
    assert_eq!(
        number(
            &path,
            &format!(
                "select count(*) from check_result where checked_at > {}",
                at(130 - 3600).0
            )
        ),
        0
    );
    assert_eq!(
        rows(&path, times),
        ["1|-3600", "1|-3540", "1|-3480", "2|-3540"]
    );
    let event =
        "select substr(start_time, 12), substr(end_time, 12), duration_seconds from outage_events";
    assert_eq!(rows(&path, event), ["21:14:20.000|21:15:20.000|60"]);
    // It is set right again.
    assert_eq!(set(&mut database, 140, 3600), 4);
    assert_eq!(rows(&path, times), before);
    assert_eq!(
        rows(&path, event),
        ["22:14:20.000|22:15:20.000|60"],
        "22:13:20 is the second 0"
    );
    assert_eq!(
        rows(&path, "select step_ms, moved from clock_step"),
        ["-3600000|4", "3600000|4"]
    );
}

#[test]
fn a_clock_set_forward_makes_an_outage_no_longer_and_leaves_a_gap_before_it() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    let mut database = open(&path);
    database.begin_run(at(0), true).expect("the ledger");
    write(
        &mut database,
        &[pings(&one, 0, "r"), pings(&one, 60, "s")],
        at(65).0,
    );
    set_clock(&mut database, at(4070), 4_000_000);
    write(&mut database, &[pings(&one, 4120, "r")], at(4125).0);
    let [outage] = &grouped_outages(&path, GroupingRules::default())[..] else {
        panic!("one outage")
    };
    assert_eq!(
        (outage.event.duration_seconds, outage.down_seconds),
        (Some(60), 60)
    );
    let gaps = reader(&path).gaps(&(at(0)..at(4125))).expect("gaps");
    let [gap] = &gaps[..] else {
        panic!("one gap: {gaps:?}")
    };
    assert_eq!(
        (gap.from, gap.to, gap.reason.as_str()),
        (at(60), at(4060), "the clock was set forward over this time")
    );
    // A step forward that is undone leaves no gap.
    set_clock(&mut database, at(4130 - 4000), -4_000_000);
    assert_eq!(number(&path, "select count(*) from interruption"), 0);
    assert_eq!(
        rows(&path, "select duration_seconds from outage_events"),
        ["60"]
    );
}

#[test]
fn an_outage_of_a_host_that_is_no_longer_checked_counts_until_its_last_silence() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let (one, two) = (host("one", "192.0.2.1"), host("two", "192.0.2.2"));
    let mut database = open(&path);
    let early = [pings(&one, 0, "r"), pings(&two, 0, "r")];
    write(&mut database, &early, at(5).0);
    let silent = |seconds| {
        [pings(&one, seconds, "s"), pings(&two, seconds, "s")].map(|result| CheckResult {
            interval_ms: 60_000,
            ..result
        })
    };
    write(&mut database, &silent(60), at(65).0);
    write(&mut database, &silent(120), at(125).0);
    // One host is removed from the configuration; the other has no further checks.
    let last_silence = Some(at(121));
    database
        .end_outages_of(&[(Arc::clone(&one), last_silence)])
        .expect("it writes");
    let events = rows(
        &path,
        "select host_name, duration_seconds, notes from outage_events order by id",
    );
    assert_eq!(
        events[0],
        "one|61|the host was removed from the configuration during the outage: its end is unknown"
    );
    assert!(events[1].starts_with("two|"), "{events:?}");
    let down: Vec<i64> = grouped_outages(&path, GroupingRules::default())
        .iter()
        .map(|outage| outage.down_seconds)
        .collect();
    assert_eq!(
        down,
        [120, 61],
        "until its last silence; the other until its last check, plus the interval it represents"
    );
}

#[test]
fn a_lossy_check_by_hand_beside_a_monitor_stands_for_its_pings_alone() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    let check = |seconds, text, interval_ms, is_by_hand| CheckResult {
        interval_ms,
        is_by_hand,
        is_beside_monitor: is_by_hand,
        ..pings(&one, seconds, text)
    };
    let mut monitor = open(&path);
    write(&mut monitor, &[check(0, "rr", 60_000, false)], at(5).0);
    let by_hand = [check(10, "rs", 4000, true), check(20, "rs", 4000, true)];
    write(&mut open(&path), &by_hand, at(25).0);
    write(&mut monitor, &[check(60, "rr", 60_000, false)], at(65).0);
    let since = |seconds: i64, ms: i64| at(seconds).0 + ms;
    assert_eq!(
        rows(
            &path,
            "select since, interval_ms, by_hand from host_interval order by since"
        ),
        [
            "0|60000|0".into(),
            format!("{}|4000|1", since(10, 0)),
            format!("{}|60000|0", since(10, 1)),
            format!("{}|4000|1", since(20, 0)),
            format!("{}|60000|0", since(20, 1)),
        ]
    );
}

#[test]
fn the_first_record_is_the_first_check_also_when_its_hour_is_rolled_up() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    let mut database = open(&path);
    write(&mut database, &[pings(&one, 0, "r")], at(5).0);
    write(&mut database, &[pings(&one, 7200, "r")], at(7205).0);
    assert!(number(&path, "select count(*) from rollup") > 0);
    let first = || {
        reader(&path)
            .first_recorded(&[HostId(1)])
            .expect("it reads")
    };
    assert_eq!(first(), Some(at(0)));
    other_program(&path)
        .execute("delete from check_result", [])
        .expect("it deletes");
    assert_eq!(
        first().map(|at| at.0),
        Some(at(0).0 / 3_600_000 * 3_600_000),
        "only the roll-up is left"
    );
}

#[test]
fn the_cause_of_an_intermittent_outage_is_the_one_with_the_longest_downtime() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    let mut database = open(&path);
    for minute in 0..4 {
        write(
            &mut database,
            &[
                pings(&one, minute * 120, "s"),
                pings(&one, minute * 120 + 60, "r"),
            ],
            at(minute * 120 + 65).0,
        );
    }
    let judged = "update outage_events set cause = iif(id < 4, 'host', 'provider'), facts = '{\"id\":' || id || '}'";
    other_program(&path).execute(judged, []).expect("it writes");
    let [outage] = &grouped_outages(&path, GroupingRules::default())[..] else {
        panic!("one outage")
    };
    assert_eq!(
        (outage.event.event_type.as_str(), outage.cause()),
        ("intermittent", Cause::Host)
    );
    assert_ne!(
        outage.event.facts.as_deref(),
        Some("{\"id\":4}"),
        "the facts are of that cause"
    );
    let parts = [Cause::Provider, Cause::Host, Cause::Unknown]
        .map(|cause| outage.part_of(cause).map_or(0, |part| part.spans.len()));
    assert_eq!(parts, [1, 3, 0]);
}

/// A record in which a host of each IP version answered, and then the link of both was down.
fn with_a_cable_pulled(path: &Path) -> (Database, Scene) {
    let (mut database, mut scene) = (open(path), Scene::default());
    let hosts = [host("one", "192.0.2.1"), host("six", "2001:db8::1")];
    let blocked = |host: &Arc<Host>| {
        let result = CheckResult::not_measured(
            Arc::clone(host),
            at(60),
            LocalFault::Link,
            "eth0 has no carrier".into(),
        );
        Record::Check(CheckResult {
            resolved: host.address.ip(),
            position: Some(NetworkPosition::BeyondGateway),
            ..result
        })
    };
    write_all(
        &mut database,
        &mut scene,
        hosts
            .iter()
            .map(|host| pings(host, 0, "r").into())
            .collect(),
        &[],
        5,
    );
    write_all(
        &mut database,
        &mut scene,
        hosts.iter().map(blocked).collect(),
        &IpVersion::ALL.map(|version| Observation::LinkLost {
            version,
            at: at(65),
        }),
        65,
    );
    (database, scene)
}

#[test]
fn both_versions_of_ip_restored_by_one_cable_end_one_event() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let (mut database, mut scene) = with_a_cable_pulled(&path);
    let clear = |version, seconds| {
        [Observation::LinkRestored {
            version,
            at: at(seconds),
        }]
    };
    write_all(
        &mut database,
        &mut scene,
        Vec::new(),
        &clear(IpVersion::V6, 70),
        71,
    );
    let query = "select host_address, substr(end_time, 15) from outage_events order by id";
    assert_eq!(rows(&path, query), ["IPv4 and IPv6|"]);
    write_all(
        &mut database,
        &mut scene,
        Vec::new(),
        &clear(IpVersion::V4, 72),
        73,
    );
    assert_eq!(rows(&path, query), ["IPv4 and IPv6|14:32.000"]);
}

#[test]
fn one_restored_version_of_ip_leaves_the_other_down() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let (mut database, mut scene) = with_a_cable_pulled(&path);
    write_all(
        &mut database,
        &mut scene,
        Vec::new(),
        &[Observation::LinkRestored {
            version: IpVersion::V6,
            at: at(70),
        }],
        90,
    );
    let query = "select host_address, substr(start_time, 15), substr(end_time, 15) from outage_events order by id";
    assert_eq!(
        rows(&path, query),
        ["IPv4 and IPv6|14:20.000|14:30.000", "IPv4|14:30.000|"]
    );
}

#[test]
fn checks_of_a_computer_that_starts_in_1970_are_moved_once_the_time_is_known() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    let mut database = open(&path);
    database
        .begin_run(UtcMillis(5_000), true)
        .expect("the ledger");
    let early = |seconds: i64, letters: &str| CheckResult {
        checked_at: UtcMillis(seconds * 1000),
        ..pings(&one, 0, letters)
    };
    write(&mut database, &[early(10, "r"), early(70, "s")], 75_000);
    assert_eq!(set_clock(&mut database, at(0), START - 90_000), 2);
    write(&mut database, &[pings(&one, 40, "r")], at(45).0);
    assert_eq!(
        rows(
            &path,
            "select (checked_at - 1700000000000) / 1000 from check_result"
        ),
        ["-80", "-20", "40"]
    );
    assert_eq!(
        rows(&path, "select duration_seconds from outage_events"),
        ["60"],
        "no month-long duration"
    );
    assert_eq!(
        number(&path, "select started_at - 1700000000000 from monitor_run"),
        -85_000
    );
}

#[test]
fn a_hosts_own_thresholds_apply_to_all_queries_and_are_fixed_in_roll_ups() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    let own = Thresholds {
        up_rate: 100_000,
        degraded_rate: 50_000,
        latency_limit_us: Some(900),
    };
    let mut database = open(&path);
    let judged = |seconds, letters| CheckResult {
        thresholds: own,
        ..pings(&one, seconds, letters)
    };
    // Slower than it may be, half answered, and a quarter.
    write(
        &mut database,
        &[judged(0, "rrrr"), judged(60, "rrss"), judged(120, "rsss")],
        at(130).0,
    );
    let sums = |now: i64| {
        reader(&path)
            .sums(&[HostId(1)], &(at(-3600)..at(now)))
            .expect("sums")
            .counts
    };
    let counts = sums(200);
    assert_eq!((counts.degraded, counts.poor, counts.checks()), (2, 1, 3));
    assert_eq!(
        reader(&path).latest_checks(at(200)).expect("checks")[0]
            .check
            .state,
        ace_connection_logger::pure::model::State::Poor
    );
    // Two hours later they are rolled up; thresholds that are changed then judge what comes.
    write(&mut database, &[judged(7200, "rrrr")], at(7201).0);
    assert_eq!(
        number(&path, "select sum(degraded) * 10 + sum(down) from rollup"),
        21
    );
    write(&mut database, &[pings(&one, 7260, "rrss")], at(7300).0);
    let counts = sums(7300);
    assert_eq!(
        (counts.degraded, counts.poor, counts.checks()),
        (2, 2, 5),
        "the newest hour by the new ones"
    );
}

#[test]
fn upgrading_a_file_of_the_previous_version_changes_no_result() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    let mut database = open(&path);
    let all: Vec<CheckResult> = (0..3000)
        .map(|minute| {
            pings(
                &one,
                minute * 60,
                if minute % 100 == 50 { "sss" } else { "rrr" },
            )
        })
        .collect();
    write(&mut database, &all, at(200_000).0);
    drop(database);
    let sums = || {
        reader(&path)
            .sums(&[HostId(1)], &(at(-3600)..at(200_000)))
            .expect("sums")
    };
    let before = (
        sums(),
        rows(
            &path,
            "select start_time, end_time from outage_events order by id",
        ),
    );
    assert!(number(&path, "select count(*) from rollup_day") >= 1);
    // As the first version had it.
    let first = "
        drop table doubt; drop table interruption; drop table clock_step; drop table notice; drop table notice_event;
        drop table host_interval; drop table watcher; drop table unsent; drop table loss; drop table damage;
        drop table host_total;
        drop trigger outage_event_gone; drop index outage_events_by_host_id;
        alter table check_note drop column sent_after_ms;
        alter table host drop column up_rate; alter table host drop column degraded_rate;
        alter table host drop column latency_limit_us; alter table host drop column ping_spacing_ms;
        alter table rollup drop column down; alter table rollup drop column degraded;
        alter table outage_events drop column cause; alter table outage_events drop column facts;
        alter table outage_events drop column path; alter table outage_events drop column planned;
        alter table outage_events drop column answered_since; alter table outage_events drop column removed;
        drop trigger host_renamed; drop table former_name;
        update rollup_day set counts = x'00', total = x'00';
        alter table monitor_run drop column behind_ms; alter table monitor_run drop column copied_at;
        alter table monitor_run drop column doubt; alter table monitor_run drop column boot_id;
        alter table monitor_run drop column clock_offset_ms;
        pragma user_version = 1";
    other_program(&path)
        .execute_batch(&format!("{WITHOUT_PUSH}{first}"))
        .expect("the first version");
    drop(open(&path));
    assert_eq!(number(&path, "pragma user_version"), 8);
    assert_eq!(
        (
            sums(),
            rows(
                &path,
                "select start_time, end_time from outage_events order by id"
            )
        ),
        before
    );
}

#[test]
fn roll_ups_of_the_second_version_tell_poor_hours_from_silent_ones() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    drop(open(&path));
    // An hour of ten checks in which the second version counted 5 as down: 2 without a reply and 3
    // with 2 of 5. Its day is packed as that version did, with the same counts as its total.
    let second = "
        insert into host(id, address, name, source) values(1, '192.0.2.1', 'one', null);
        insert into rollup(host_id, hour, none, to_20, to_40, to_60, to_80, to_95, to_100, full, not_measured, sent, received,
            rate_sum, rate_min, rate_max, sum_us, avg_sum_us, latency_checks, histogram, down, degraded)
        values(1, 490800, 2, 0, 3, 0, 0, 1, 0, 4, 0, 50, 30, 600000, 0, 100000, 0, 0, 0, x'', 5, 1);
        insert into rollup_day(host_id, day, counts, total, latencies) values(1, 20450,
            x'00' || x'02000300000100040501003214' || x'80B518' || x'A18D06' || x'01',
            x'02000300000100040501003214' || x'80B518' || x'A18D06' || x'01' || x'000000000000', x'000000000000');";
    other_program(&path)
        .execute_batch(&format!("{second}{TO_SECOND_VERSION}"))
        .expect("the second version");
    drop(open(&path));
    assert_eq!(number(&path, "pragma user_version"), 8);
    let hour = UtcMillis(490_800 * 3_600_000);
    let states = |path: &Path| {
        let counts = reader(path)
            .sums(&[HostId(1)], &(hour..UtcMillis(hour.0 + 24 * 3_600_000)))
            .expect("sums")
            .counts;
        [counts.down(), counts.poor, counts.degraded, counts.up()]
    };
    assert_eq!(states(&path), [2, 3, 1, 4], "from the day");
    let deleted = other_program(&path).execute("delete from rollup_day", []);
    assert_eq!(deleted, Ok(1));
    assert_eq!(states(&path), [2, 3, 1, 4], "from the hour");
}

#[test]
fn a_host_of_the_second_version_continues_with_the_source_that_it_is_checked_from() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let plain = host("one", "192.0.2.1");
    let mut database = open(&path);
    write(&mut database, &[pings(&plain, 0, "sss")], at(1).0);
    drop(database);
    // As the second version had it, with the id of an event of a name that does not resolve.
    let second = "
        insert into outage_events(host_name, host_address, event_type, start_time)
        values('one', '192.0.2.1', 'dns', '2026-01-01 00:00:00.000');
        update host set up_rate = 99000;";
    other_program(&path)
        .execute_batch(&format!("{second}{TO_SECOND_VERSION}"))
        .expect("the second version");
    drop(open(&path));
    let hosts = "select id, address, source, name, up_rate from host order by id";
    assert_eq!(rows(&path, hosts), ["1|192.0.2.1||one|99000"]);
    assert_eq!(
        number(&path, "select count(*) from host where source is null"),
        1
    );
    assert_eq!(
        number(
            &path,
            "select count(*) from outage_events where host_id = 1"
        ),
        2
    );
    let via = Arc::new(Host {
        source: Some("wg0".into()),
        ..(*plain).clone()
    });
    // The first that is checked continues the history, and the other begins one.
    let mut database = open(&path);
    write(
        &mut database,
        &[pings(&via, 60, "rrr"), pings(&plain, 61, "rrr")],
        at(62).0,
    );
    assert_eq!(
        rows(&path, "select id, source from host order by id"),
        ["1|wg0", "2|"]
    );
    assert_eq!(
        number(
            &path,
            "select count(*) from outage_events where end_time is not null"
        ),
        1
    );
    // Plain SQL enters a host without a source.
    other_program(&path)
        .execute_batch(
            "insert into ping_results(host_name, host_address, timestamp, success_count, failure_count)
             values('two', '192.0.2.2', '2026-01-01 00:00:00', 5, 0)",
        )
        .expect("the view");
    assert_eq!(
        number(&path, "select count(*) from host where source = ''"),
        2
    );
}

#[test]
fn one_address_over_two_lines_is_two_hosts_with_outages_of_their_own() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let plain = host("one", "192.0.2.1");
    let via = Arc::new(Host {
        name: "one by wg0".into(),
        source: Some("wg0".into()),
        ..(*plain).clone()
    });
    let mut database = open(&path);
    let all = [
        pings(&plain, 0, "rrr"),
        pings(&via, 0, "rrr"),
        pings(&plain, 60, "rrr"),
        pings(&via, 60, "sss"),
    ];
    write(&mut database, &all, at(61).0);
    let open_events = "select host_id, host_name from outage_events where end_time is null";
    assert_eq!(rows(&path, open_events), ["2|one by wg0"]);
    let ids = |text: &str| reader(&path).host_ids(text).expect("ids");
    assert_eq!(ids("192.0.2.1"), [HostId(1)]);
    assert_eq!(ids("192.0.2.1 via wg0"), [HostId(2)]);
    assert_eq!(ids("One by WG0"), [HostId(2)]);
    assert_eq!(ids("192.0.2.1 via wg1"), []);
    // Removed from the configuration, only its own outage ends.
    database
        .end_outages_of(&[(Arc::clone(&plain), None)])
        .expect("a write");
    assert_eq!(rows(&path, open_events).len(), 1);
    database
        .end_outages_of(&[(Arc::clone(&via), None)])
        .expect("a write");
    assert_eq!(rows(&path, open_events).len(), 0);
    // Their names distinguish them, else their sources.
    let namesake = Arc::new(Host {
        name: "one".into(),
        ..(*via).clone()
    });
    let names = |path| {
        let outages = grouped_outages(path, GroupingRules::default());
        let names = outages.iter().map(|outage| outage.event.name());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(&path), ["one by wg0"]);
    let later = [pings(&plain, 120, "rrr"), pings(&namesake, 120, "sss")];
    write(&mut database, &later, at(121).0);
    let renamed = "one via wg0 (was one by wg0)";
    assert_eq!(names(&path), ["one via wg0", renamed]);
}
