//! The totals of hosts, from which the counters of `/metrics` are made: whatever ends the monitor, they
//! are what the rows have, and no retention lowers them.

use super::record::{at, pings, set_clock};
use super::*;
use ace_connection_logger::pure::totals::HostTotals;

const NOW: i64 = 1_704_067_200_000; // 2024-01-01 00:00 UTC

/// The totals that the next run begins with.
fn totals(path: &Path, host: &Arc<Host>, now: i64) -> HostTotals {
    let mut database = open(path);
    database.begin_run(UtcMillis(now), true).expect("a run");
    let totals = database.counts().totals.expect("they were read");
    let of_host = totals.get(&host.owned_identity());
    of_host.cloned().expect("the host is recorded")
}

/// Checks of all kinds, one a minute before [`NOW`], the last of them a minute ago.
fn checks(one: &Arc<Host>, minutes: i64) -> Vec<CheckResult> {
    let each = |minute: i64| {
        let at = NOW - minute * 60_000;
        let rtts: &[Option<u32>] = match minute % 5 {
            0 => &[None; 4],
            1 => &[Some(700), None, None, None],
            2 => &[Some(12_345), Some(13_001), Some(700_000), Some(6_000_000)],
            3 => return not_measured(one, at),
            _ => &[Some(30_000), Some(30_000), Some(30_000), Some(30_000), None],
        };
        CheckResult {
            late: 1,
            duplicates: 2,
            foreign: 3,
            ..check(one, at, rtts)
        }
    };
    (1..=minutes).rev().map(each).collect()
}

/// What these checks count.
fn counted(checks: &[CheckResult]) -> HostTotals {
    let mut totals = HostTotals::default();
    checks.iter().for_each(|check| totals.add_check(check));
    // Of what could not be measured no row has these.
    let measured = checks.iter().filter(|check| check.sent() > 0).count() as u64;
    (totals.late, totals.duplicates, totals.foreign) = (measured, 2 * measured, 3 * measured);
    totals
}

fn without_outages(totals: &HostTotals) -> HostTotals {
    HostTotals {
        outages: Default::default(),
        ..totals.clone()
    }
}

#[test]
fn after_a_stop_and_after_a_kill_the_totals_are_what_the_rows_have() {
    for run in [RunState::Stopped, RunState::Running] {
        let folder = TempDir::new();
        let path = folder.path().join(FILE);
        let one = host("one", "192.0.2.1");
        let all = checks(&one, 300);
        let mut written = 0;
        for part in [&all[..70], &all[70..71], &all[71..299], &all[299..]] {
            let mut database = open(&path);
            let now = part[0].checked_at;
            database.begin_run(now, true).expect("a run");
            for some in part.chunks(50) {
                database
                    .write(some, some[some.len() - 1].checked_at, run)
                    .expect("written");
            }
            drop(database);
            written += part.len();
            let expected = counted(&all[..written]);
            assert_eq!(
                without_outages(&totals(&path, &one, NOW)),
                expected,
                "{run:?} {written}"
            );
        }
        let outages = totals(&path, &one, NOW).outages;
        let recorded = "select count(*) from outage_events where end_time is not null";
        let sum: u64 = outages.iter().map(|outages| outages.count).sum();
        assert_eq!(sum, number(&path, recorded).unsigned_abs());
        assert!(sum > 10);
    }
}

#[test]
fn once_an_hour_the_totals_are_stored_in_the_commit_that_is_made_anyway() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    let mut database = open(&path);
    database.begin_run(UtcMillis(NOW), true).expect("a run");
    let until = "select coalesce(max(counted_until), 0) from host_total";
    for (minute, stored) in [
        (1, 1),
        (2, 1),
        (59, 1),
        (60, 60),
        (61, 60),
        (119, 60),
        (125, 125),
    ] {
        let at = NOW + minute * 60_000;
        write_once(&mut database, &[check(&one, at, &[Some(700)])], at);
        assert_eq!(number(&path, until), NOW + stored * 60_000, "{minute}");
    }
}

#[test]
fn the_retention_lowers_no_total() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    let all = checks(&one, 3 * 1440);
    let mut database = open(&path);
    database.begin_run(all[0].checked_at, true).expect("a run");
    write(&mut database, &all[..10], NOW);
    write(&mut database, &all[10..], NOW);
    let until = number(&path, "select counted_until from host_total");
    assert_eq!(until, all[9].checked_at.0, "the rest is not stored");
    // As the command cleanup does after a kill, without having begun a run.
    drop(database);
    let mut database = open(&path);
    prune_all(&mut database, NOW, [DAY, DAY * 2], 1000);
    drop(database);
    assert!(number(&path, "select count(*) from check_result") < 1440);
    assert_eq!(without_outages(&totals(&path, &one, NOW)), counted(&all));
    let mut database = open(&path);
    database.begin_run(UtcMillis(NOW), true).expect("a run");
    prune_all(&mut database, NOW, [Duration::ZERO; 2], 1000);
    drop(database);
    assert_eq!(number(&path, "select count(*) from check_result"), 0);
    assert_eq!(without_outages(&totals(&path, &one, NOW)), counted(&all));
}

#[test]
fn a_file_of_an_older_version_is_counted_from_its_sums_and_from_hours_without_sums() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    // Two days with sums, and the hour that goes on.
    let mut all = checks(&one, 2880);
    all.push(CheckResult {
        late: 1,
        duplicates: 2,
        foreign: 3,
        ..check(&one, NOW + 1, &[Some(1)])
    });
    write(&mut open(&path), &all, NOW + 60_000);
    assert_eq!(number(&path, "select count(*) from stale_rollup"), 1);
    assert!(number(&path, "select count(*) from rollup_day") > 0);
    assert_eq!(
        without_outages(&totals(&path, &one, NOW + 60_000)),
        counted(&all)
    );
    // Of what was deleted before, the sums are left, but not the discarded replies.
    drop(other_program(&path).execute_batch("delete from host_total"));
    prune_all(&mut open(&path), NOW + 60_000, [DAY, DAY * 9], 1000);
    drop(other_program(&path).execute_batch("delete from host_total; delete from check_note"));
    let expected = HostTotals {
        late: 0,
        duplicates: 0,
        foreign: 0,
        ..counted(&all)
    };
    assert_eq!(
        without_outages(&totals(&path, &one, NOW + 60_000)),
        expected
    );
}

#[test]
fn checks_whose_times_are_corrected_count_once_even_if_the_monitor_is_killed_then() {
    for step_ms in [1_800_000, -1_800_000, 60_000] {
        let folder = TempDir::new();
        let path = folder.path().join(FILE);
        let one = host("one", "192.0.2.1");
        let mut database = open(&path);
        database.begin_run(at(0), false).expect("a run");
        write_once(&mut database, &[pings(&one, 10, "rrs")], at(20).0);
        write_once(&mut database, &[pings(&one, 30, "rrs")], at(40).0);
        set_clock(&mut database, at(50).plus(step_ms), step_ms);
        let later = 60 + step_ms / 1000;
        write_once(&mut database, &[pings(&one, later, "rss")], at(later + 5).0);
        drop(database);
        let found = totals(&path, &one, at(later + 100).0);
        assert_eq!((found.sent, found.lost), (9, 4), "{step_ms}");
    }
}

#[test]
fn totals_that_cannot_be_read_are_counted_anew_and_end_nothing() {
    let one = host("one", "192.0.2.1");
    let all = checks(&one, 100);
    for damage in [
        "update host_total set totals = 'text'",
        "update host_total set totals = x'ff'",
        "update host_total set totals = null, counted_until = 'x'",
        "update host_total set counted_until = 'x'",
        "update host_total set counted_until = x'00'",
        "delete from host_total",
        "drop table host_total; create table host_total(host_id, counted_until, totals)",
    ] {
        let folder = TempDir::new();
        let path = folder.path().join(FILE);
        let mut database = open(&path);
        database.begin_run(all[0].checked_at, true).expect("a run");
        database
            .write(&all, UtcMillis(NOW), RunState::Stopped)
            .expect("written");
        drop(database);
        // The column has `not null`.
        let damage = damage.replace("totals = null, ", "");
        other_program(&path).execute_batch(&damage).expect(&damage);
        assert_eq!(
            without_outages(&totals(&path, &one, NOW)),
            counted(&all),
            "{damage}"
        );
    }
}

#[test]
fn what_is_not_safe_from_a_power_cut_yet_is_not_shown() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    let mut database = open(&path);
    database.begin_run(UtcMillis(NOW), true).expect("a run");
    write_once(&mut database, &[check(&one, NOW, &[Some(700)])], NOW);
    assert_eq!(database.counts().totals, Some(Default::default()));
    drop(database);
    assert_eq!(totals(&path, &one, NOW).sent, 1);
}

#[test]
fn an_outage_counts_when_it_ends_with_the_cause_that_it_has_then() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    let mut database = open(&path);
    database.begin_run(at(0), true).expect("a run");
    write_once(
        &mut database,
        &[pings(&one, 0, "rr"), pings(&one, 60, "ss")],
        at(61).0,
    );
    assert_eq!(
        totals(&path, &one, at(62).0).outages,
        HostTotals::default().outages
    );
    write_once(&mut database, &[pings(&one, 120, "rr")], at(121).0);
    let sql = "update outage_events set cause = 'provider', duration_seconds = 77;
        insert into outage_events(host_name, host_address, host_id, event_type, start_time, end_time, duration_seconds, cause)
        values('one', '192.0.2.1', 1, 'dns', '2023-01-01 00:00:00.000', '2023-01-01 00:00:09.000', 9, 'dns'),
              ('link', 'IPv4', null, 'link_down', '2023-01-01 00:00:00.000', '2023-01-01 00:00:09.000', 9, 'link'),
              ('one', '192.0.2.1', 1, 'outage', '2023-01-01 00:00:00.000', '2023-01-01 00:00:05.000', -5, 'odd'),
              ('one', '192.0.2.1', 1, 'outage', '2023-01-01 00:00:00.000', '2023-01-01 00:00:05.000', 'odd', null)";
    other_program(&path).execute_batch(sql).expect("SQL");
    let outages = totals(&path, &one, at(130).0).outages;
    let found: Vec<(u64, u64)> = outages.iter().map(|of| (of.count, of.seconds)).collect();
    assert_eq!(found, [(0, 0), (0, 0), (1, 77), (0, 0), (0, 0), (2, 0)]);
}

#[test]
fn an_outage_that_ends_because_its_host_is_removed_counts() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let one = host("one", "192.0.2.1");
    let mut database = open(&path);
    database.begin_run(at(0), true).expect("a run");
    let checks = [pings(&one, 0, "rr"), pings(&one, 60, "ss")];
    write_once(&mut database, &checks, at(61).0);
    let removed = [(Arc::clone(&one), None)];
    database.end_outages_of(&removed).expect("it is written");
    let stop = database.write(&[], at(62), RunState::Stopped);
    stop.expect("it is written");
    drop(database);
    let stored: Vec<u8> = other_program(&path)
        .query_row("select totals from host_total", [], |row| row.get(0))
        .expect("a row");
    let outages = HostTotals::decode(&stored).expect("totals").outages;
    assert_eq!(outages.iter().map(|of| of.count).sum::<u64>(), 1);
}
