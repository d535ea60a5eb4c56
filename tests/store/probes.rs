//! What the probes and checks of a silent host leave in the record.

use super::*;
use ace_connection_logger::pure::incident::GroupingRules;
use ace_connection_logger::pure::model::{Probe, Unsent};
use ace_connection_logger::pure::outage::OutageRules;
use ace_connection_logger::store::{Reader, Record};

#[test]
fn one_reply_in_a_long_outage_hides_no_silence_across_commits() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    let at = |seconds: i64| UtcMillis(1_700_000_000_000 + seconds * 1000);
    let checked = |seconds: i64, letters: &str| {
        let rtts: Vec<Option<u32>> = letters.chars().map(|c| (c == 'r').then_some(9)).collect();
        Record::Check(CheckResult {
            spacing_ms: 1000,
            ..check(&one, at(seconds).0, &rtts)
        })
    };
    let probe = |seconds: i64, is_answered| {
        Record::Probe(Probe {
            host: Arc::clone(&one),
            at: at(seconds),
            is_answered,
        })
    };
    // A reply to a probe, and one in a check; the last two are the end.
    let mut records = vec![checked(0, "rrrrr"), checked(60, "sssss"), probe(100, true)];
    records.extend((101..119).map(|second| probe(second, false)));
    records.push(checked(120, "sssrs"));
    records.extend((127..140).map(|second| probe(second, false)));
    records.extend([probe(140, true), probe(141, true), checked(180, "rrrrr")]);
    for record in &records {
        // Every commit reads the state anew.
        let mut database = open(&path);
        database
            .write_records(
                std::slice::from_ref(record),
                &Default::default(),
                at(200),
                RunState::Running,
            )
            .expect("it writes");
    }
    let query = "select substr(start_time, 15), substr(end_time, 15), checks_during_outage, packets_sent, packets_lost from outage_events";
    assert_eq!(
        rows(&path, query),
        ["14:20.000|15:40.000|2|42|40"],
        "one outage, from the first lost ping to the first of two replies"
    );
}

#[test]
fn checks_of_an_outage_that_probes_ended_count_for_no_other() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    let at = |seconds: i64| UtcMillis(1_700_000_000_000 + seconds * 1000);
    let checked = |seconds, reply| Record::Check(check(&one, at(seconds).0, &[reply; 2]));
    let probe = |seconds| {
        Record::Probe(Probe {
            host: Arc::clone(&one),
            at: at(seconds),
            is_answered: true,
        })
    };
    let records = [
        checked(0, Some(9)),
        checked(60, None),
        checked(120, None),
        checked(180, None),
        probe(200),
        probe(201),
        // One silent check is no outage by these rules.
        checked(240, None),
        checked(300, Some(9)),
    ];
    for record in &records {
        let mut database = open(&path);
        database.set_outage_rules(OutageRules {
            down_after: 3,
            up_after: 1,
        });
        database
            .write_records(
                std::slice::from_ref(record),
                &Default::default(),
                at(400),
                RunState::Running,
            )
            .expect("it writes");
    }
    let query = "select substr(start_time, 15), substr(end_time, 15) from outage_events";
    assert_eq!(rows(&path, query), ["14:20.000|16:40.000"]);
}

#[test]
fn a_check_that_was_held_up_is_read_back_with_the_times_of_its_pings() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    let mut database = open(&path);
    let held_up = |at: i64, rtts: &[Option<u32>], sent_after_ms: Vec<u32>| CheckResult {
        spacing_ms: 1000,
        sent_after_ms,
        ..check(&one, at, rtts)
    };
    // The last reply before the silence is dated by the pause before it.
    let replied = held_up(10_000, &[Some(5), Some(5), None], vec![0, 12_000, 13_000]);
    write(&mut database, &[replied], 30_000);
    write(
        &mut database,
        &[held_up(60_000, &[None; 3], Vec::new())],
        70_000,
    );
    let ended = held_up(120_000, &[None, Some(5), Some(5)], vec![0, 9_000, 10_000]);
    write(&mut database, &[ended], 140_000);
    let query = "select substr(earliest_start, 18), substr(start_time, 18), substr(end_time, 15) from outage_events";
    assert_eq!(rows(&path, query), ["22.000|23.000|02:09.000"]);
    assert_eq!(
        rows(&path, "select checked_at, sent_after_ms from check_note"),
        ["10000|0,12000,13000", "120000|0,9000,10000"]
    );
}

#[test]
fn time_in_which_nothing_could_be_sent_to_a_silent_host_is_no_downtime_of_it() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let hosts = [host("one", "192.0.2.1"), host("two", "192.0.2.2")];
    let at = |seconds: i64| UtcMillis(1_700_000_000_000 + seconds * 1000);
    let mut database = open(&path);
    database.begin_run(at(0), true).expect("the ledger");
    let unsent = |to: i64| {
        Record::Unsent(Unsent {
            host: Arc::clone(&hosts[0]),
            from: at(20),
            to: at(to),
            reason: "eth0 has no carrier".into(),
        })
    };
    let mut records = Vec::new();
    for host in &hosts {
        records.push(Record::Check(check(host, at(0).0, &[None; 2])));
        records.push(Record::Check(check(host, at(60).0, &[Some(5); 2])));
    }
    // Reported once at a check and again at its end.
    records.extend([unsent(25), unsent(30)]);
    database
        .write_records(&records, &Default::default(), at(61), RunState::Running)
        .expect("it writes");
    let reader = Reader::open(&path).expect("it opens").expect("it is there");
    let span = at(-5)..at(61);
    let gaps = reader.gaps(&span).expect("gaps");
    let texts: Vec<String> = gaps
        .iter()
        .map(|gap| {
            format!(
                "{} to {}: {}",
                gap.from.sql_text(),
                gap.to.sql_text(),
                gap.reason
            )
        })
        .collect();
    assert_eq!(
        texts,
        [
            "2023-11-14 22:13:40.000 to 2023-11-14 22:13:50.000: one could not be pinged: eth0 has no carrier"
        ]
    );
    let mut outages = reader
        .grouped_outages(&span, &GroupingRules::default(), &gaps)
        .expect("outages");
    outages.sort_by(|a, b| a.event.host_name.cmp(&b.event.host_name));
    let down: Vec<i64> = outages.iter().map(|outage| outage.down_seconds).collect();
    assert_eq!(down, [50, 60]);
}
