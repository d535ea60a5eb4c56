//! `ping_results` as the plain shell sees it while this program has the file open.

use super::*;

const MONDAY: i64 = 1_704_067_200_000; // 2024-01-01 00:00 UTC

fn insert(values: &str) -> String {
    format!(
        "insert into ping_results(host_name, host_address, timestamp, success_count, failure_count, success_rate, \
         min_latency, max_latency, avg_latency) values({values})"
    )
}

#[test]
fn ping_results_has_the_originals_columns_with_utc_times_and_null_without_replies() {
    let test =
        "view::ping_results_has_the_originals_columns_with_utc_times_and_null_without_replies";
    if !has_shell(test) {
        return;
    }
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open(&path);
    let one = host("one", "192.0.2.1");
    let checks = [
        check(&one, MONDAY + 7, &[Some(1500), None, Some(2500)]),
        check(&one, MONDAY + HOUR, &[None, None]),
    ];
    write(&mut database, &checks, MONDAY);
    let text = sql(
        &path,
        &[
            "-header",
            "-csv",
            "select * from ping_results order by timestamp",
        ],
    );
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some(
            "id,host_name,host_address,timestamp,success_count,failure_count,success_rate,min_latency,max_latency,avg_latency"
        )
    );
    let id = (1i64 << 43) | (MONDAY + 7);
    let first =
        format!("{id},one,192.0.2.1,\"2024-01-01 00:00:00.007\",2,1,66.6666666666667,1.5,2.5,2.0");
    assert_eq!(lines.next(), Some(first.as_str()));
    let id = (1i64 << 43) | (MONDAY + HOUR);
    let second = format!("{id},one,192.0.2.1,\"2024-01-01 01:00:00.000\",0,2,0.0,,,");
    assert_eq!(lines.next(), Some(second.as_str()));
    assert_eq!(lines.next(), None);
}

#[test]
fn timestamps_compare_with_sqlites_current_time() {
    let test = "view::timestamps_compare_with_sqlites_current_time";
    if !has_shell(test) {
        return;
    }
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open(&path);
    let now = ace_connection_logger::sys::clocks().utc().0;
    let one = host("one", "192.0.2.1");
    let checks = [10, 50, 70, 600].map(|minutes| check(&one, now - minutes * 60_000, &[Some(1)]));
    write(&mut database, &checks, now);
    let recent = sql(
        &path,
        &["select count(*) from ping_results where timestamp > datetime('now', '-1 hour')"],
    );
    assert_eq!(recent, "2\n");
    let by_unix = sql(
        &path,
        &[
            "select count(*) from ping_results where cast(strftime('%s', timestamp) as integer) > strftime('%s', 'now') - 3600",
        ],
    );
    assert_eq!(by_unix, "2\n");
}

#[test]
fn plain_sql_inserts_replaces_ignores_and_deletes_rows_with_stable_ids() {
    let test = "view::plain_sql_inserts_replaces_ignores_and_deletes_rows_with_stable_ids";
    if !has_shell(test) {
        return;
    }
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open(&path);
    let one = host("one", "192.0.2.1");
    write(&mut database, &[check(&one, MONDAY, &[None, None])], MONDAY);
    let all = "select id - (1 << 43) - 1704067200000, host_name, success_count, failure_count, min_latency, avg_latency, max_latency \
               from ping_results order by id";
    assert_eq!(sql(&path, &[all]), "0|one|0|2|||\n");
    sql(
        &path,
        &[&insert(
            "'one', '192.0.2.1', '2024-01-01 00:00:01.5', 5, 0, 100.0, 1.25, 3, 2.0625",
        )],
    );
    assert_eq!(
        sql(&path, &[all]),
        "0|one|0|2|||\n1500|one|5|0|1.25|2.063|3.0\n"
    );
    // The same moment again: an error, nothing, or the newer row.
    let again = insert("'one', '192.0.2.1', '2024-01-01 00:00:00', 1, 1, 50.0, 1, 1, 1");
    let refused = shell(&path, &[&again]);
    assert_ne!(refused.code, Some(0));
    assert!(refused.stderr.contains("UNIQUE"), "{}", refused.stderr);
    sql(&path, &[&again.replace("insert", "insert or ignore")]);
    assert_eq!(
        sql(&path, &[all]),
        "0|one|0|2|||\n1500|one|5|0|1.25|2.063|3.0\n"
    );
    sql(&path, &[&again.replace("insert", "insert or replace")]);
    assert_eq!(
        sql(&path, &[all]),
        "0|one|1|1|1.0|1.0|1.0\n1500|one|5|0|1.25|2.063|3.0\n"
    );
    sql(
        &path,
        &["delete from ping_results where timestamp < '2024-01-01 00:00:01'"],
    );
    assert_eq!(sql(&path, &[all]), "1500|one|5|0|1.25|2.063|3.0\n");
    assert_eq!(
        sql(&path, &["select id from host"]),
        "1\n",
        "neither statement replaced the host"
    );
    expect_whole(&path);
}

#[test]
fn a_replaced_check_loses_its_note_and_an_ignored_insert_preserves_it() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open(&path);
    let one = host("one", "192.0.2.1");
    let noted = CheckResult {
        reason: Some("host unreachable".into()),
        ..check(&one, MONDAY, &[None])
    };
    write(&mut database, &[noted], MONDAY);
    let other = other_program(&path);
    let again = insert("'one', '192.0.2.1', '2024-01-01 00:00:00', 1, 0, 100.0, 1, 1, 1");
    other
        .execute(&again.replace("insert", "insert or ignore"), [])
        .expect("it is ignored");
    assert_eq!(number(&path, "select count(*) from check_note"), 1);
    other
        .execute(&again.replace("insert", "insert or replace"), [])
        .expect("it is replaced");
    assert_eq!(number(&path, "select count(*) from check_note"), 0);
}

#[test]
fn a_csv_file_is_imported_by_the_shell() {
    let test = "view::a_csv_file_is_imported_by_the_shell";
    if !has_shell(test) {
        return;
    }
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let _database = open(&path);
    let file = folder.write(
        "rows.csv",
        "1,\"my, host\",192.0.2.1,2024-01-01 00:00:00.250,5,0,100.0,1.5,2.5,2\n2,b,192.0.2.2,2024-01-01T00:00:01Z,0,5,0,,,\n",
    );
    sql(
        &path,
        &[
            ".mode csv",
            &format!(".import {} ping_results", file.display()),
        ],
    );
    let all = "select host_name, timestamp, success_count, failure_count, success_rate, min_latency, max_latency, avg_latency \
               from ping_results order by timestamp";
    assert_eq!(
        sql(&path, &[all]),
        "my, host|2024-01-01 00:00:00.250|5|0|100.0|1.5|2.5|2.0\nb|2024-01-01 00:00:01.000|0|5|0.0|||\n"
    );
}

#[test]
fn a_new_name_for_a_known_address_renames_the_host_and_an_empty_one_does_not() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let _database = open(&path);
    let other = other_program(&path);
    for (name, second) in [("'old'", 0), ("'new'", 1), ("null", 2), ("''", 3)] {
        let values =
            format!("{name}, '192.0.2.1', '2024-01-01 00:00:0{second}', 1, 0, 100, 1, 1, 1");
        other.execute(&insert(&values), []).expect("it is inserted");
    }
    assert_eq!(
        rows(&path, "select distinct host_name from ping_results"),
        ["new"]
    );
    other
        .execute(
            &insert("'', '192.0.2.9', '2024-01-01', 1, 0, 100, 1, 1, 1"),
            [],
        )
        .expect("it is inserted");
    assert_eq!(
        rows(
            &path,
            "select host_name from ping_results where host_address = '192.0.2.9'"
        ),
        ["192.0.2.9"]
    );
}

#[test]
fn times_with_a_t_a_z_or_an_offset_are_converted_to_utc() {
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let _database = open(&path);
    let other = other_program(&path);
    for (given, kept) in [
        ("2024-01-01T10:00:00", "2024-01-01 10:00:00.000"),
        ("2024-01-01 11:00:00Z", "2024-01-01 11:00:00.000"),
        (
            "2024-01-01T12:00:00.123456+02:00",
            "2024-01-01 10:00:00.123",
        ),
        ("2024-01-01 12:00:00.999-05:30", "2024-01-01 17:30:00.999"),
        ("2024-02-29", "2024-02-29 00:00:00.000"),
        ("1970-01-01 00:00:00", "1970-01-01 00:00:00.000"),
    ] {
        let values = format!("'one', '192.0.2.1', '{given}', 1, 0, 100, 1, 1, 1");
        other
            .execute(&insert(&values), [])
            .unwrap_or_else(|error| panic!("{given}: {error}"));
        assert_eq!(
            rows(&path, "select timestamp from ping_results"),
            [kept],
            "{given}"
        );
        other
            .execute("delete from ping_results", [])
            .expect("it is deleted");
    }
}

#[test]
fn invalid_values_are_rejected_with_the_reason_and_change_nothing() {
    let test = "view::invalid_values_are_rejected_with_the_reason_and_change_nothing";
    if !has_shell(test) {
        return;
    }
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    let mut database = open(&path);
    write(
        &mut database,
        &[check(&host("one", "192.0.2.1"), MONDAY, &[Some(7)])],
        MONDAY,
    );
    let before = sql(&path, &[".dump"]);
    let time = "timestamp must be text";
    let address = "host_address";
    let count = "must be whole numbers from 0";
    let latency = "latencies must be milliseconds";
    let at = "'2024-01-02 00:00:00'";
    let cases = [
        (
            "'x', '192.0.2.1', 'yesterday', 1, 0, 100, 1, 1, 1".to_string(),
            time,
        ),
        ("'x', '192.0.2.1', 'now', 1, 0, 100, 1, 1, 1".into(), time),
        ("'x', '192.0.2.1', '12:00', 1, 0, 100, 1, 1, 1".into(), time),
        (
            "'x', '192.0.2.1', '2460000.5', 1, 0, 100, 1, 1, 1".into(),
            time,
        ),
        (
            "'x', '192.0.2.1', 1704067200, 1, 0, 100, 1, 1, 1".into(),
            time,
        ),
        ("'x', '192.0.2.1', null, 1, 0, 100, 1, 1, 1".into(), time),
        (
            "'x', '192.0.2.1', '2024-02-30 00:00:00', 1, 0, 100, 1, 1, 1".into(),
            time,
        ),
        (
            "'x', '192.0.2.1', '2024-13-01 00:00:00', 1, 0, 100, 1, 1, 1".into(),
            time,
        ),
        (
            "'x', '192.0.2.1', '1969-12-31 23:59:59', 1, 0, 100, 1, 1, 1".into(),
            time,
        ),
        (
            "'x', '192.0.2.1', '9999-01-01 00:00:00', 1, 0, 100, 1, 1, 1".into(),
            time,
        ),
        (format!("'x', null, {at}, 1, 0, 100, 1, 1, 1"), address),
        (format!("'x', '  ', {at}, 1, 0, 100, 1, 1, 1"), address),
        (format!("'x', x'00ff', {at}, 1, 0, 100, 1, 1, 1"), address),
        (
            format!("x'00ff', '192.0.2.1', {at}, 1, 0, 100, 1, 1, 1"),
            address,
        ),
        (
            format!("'x', '192.0.2.1', {at}, 'many', 0, 100, 1, 1, 1"),
            count,
        ),
        (
            format!("'x', '192.0.2.1', {at}, '5x', 0, 100, 1, 1, 1"),
            count,
        ),
        (
            format!("'x', '192.0.2.1', {at}, '', 0, 100, 1, 1, 1"),
            count,
        ),
        (
            format!("'x', '192.0.2.1', {at}, 2.5, 0, 100, 1, 1, 1"),
            count,
        ),
        (
            format!("'x', '192.0.2.1', {at}, 1, null, 100, 1, 1, 1"),
            count,
        ),
        (
            format!("'x', '192.0.2.1', {at}, 1, -1, 100, 1, 1, 1"),
            count,
        ),
        (
            format!("'x', '192.0.2.1', {at}, 1, 9223372036854775807, 100, 1, 1, 1"),
            count,
        ),
        (
            format!("'x', '192.0.2.1', {at}, 1, 0, 100, -1, 1, 1"),
            latency,
        ),
        (
            format!("'x', '192.0.2.1', {at}, 1, 0, 100, 1, 'fast', 1"),
            latency,
        ),
        (
            format!("'x', '192.0.2.1', {at}, 1, 0, 100, 1, 1, 1e300"),
            latency,
        ),
        (
            format!("'x', '192.0.2.1', {at}, 1, 0, 100, x'', 1, 1"),
            latency,
        ),
    ];
    for (values, message) in cases {
        for verb in ["insert", "insert or replace", "insert or ignore"] {
            let refused = shell(&path, &[&insert(&values).replace("insert", verb)]);
            assert_ne!(refused.code, Some(0), "{verb} {values}");
            assert!(
                refused.stderr.contains("ping_results: ") && refused.stderr.contains(message),
                "{values}: {}",
                refused.stderr
            );
        }
    }
    assert_eq!(sql(&path, &[".dump"]), before);
}

#[test]
fn latencies_are_recorded_in_order_and_only_with_a_reply() {
    let test = "view::latencies_are_recorded_in_order_and_only_with_a_reply";
    if !has_shell(test) {
        return;
    }
    let folder = TempDir::new();
    let path = folder.path().join(FILE);
    drop(open(&path));
    // Minimum, maximum and mean as they are inserted, and as they are recorded.
    let cases = [
        ("5, 9, 0, '9', '1', '5'", "1.0|9.0|5.0"),
        ("5, 5, 0, 1, 9, 20", "1.0|20.0|9.0"),
        ("5, 5, 0, 7, 7, 7", "7.0|7.0|7.0"),
        ("5, 5, 0, 9, 1, null", "1.0|9.0|"),
        ("5, 5, 0, 9, '', 1", "1.0||9.0"),
        ("5, 5, 0, null, 1, 9", "|9.0|1.0"),
        ("5, 5, 0, null, null, 9", "||9.0"),
        ("5, 5, 0, null, null, null", "||"),
        ("0, 5, 0, 1, 9, 5", "||"),
        ("'0', 5, 0, '1', '9', '5'", "||"),
    ];
    for (index, (values, recorded)) in cases.iter().enumerate() {
        let row = insert(&format!(
            "'one', '192.0.2.1', '2024-01-01 00:00:0{index}', {values}"
        ));
        let select = format!(
            "select min_latency, max_latency, avg_latency from ping_results
              where timestamp = '2024-01-01 00:00:0{index}.000'"
        );
        assert_eq!(
            sql(&path, &[&row, &select]).trim_end(),
            *recorded,
            "{values}"
        );
    }
}

#[test]
fn plain_sql_reads_and_writes_while_a_monitor_runs() {
    let test = "view::plain_sql_reads_and_writes_while_a_monitor_runs";
    if !has_shell(test) {
        return;
    }
    let folder = TempDir::new();
    configure(&folder, FILE, &["127.0.0.1"]);
    let path = folder.path().join(FILE);
    let mut monitor = Monitor::start(&folder);
    wait_for("a result", || {
        path.exists()
            && rows_of(&other_program(&path), "select 1 from ping_results")
                .is_ok_and(|r| !r.is_empty())
    });
    sql(
        &path,
        &[&insert(
            "'far', '192.0.2.1', '2024-01-01 00:00:00', 1, 0, 100, 1, 1, 1",
        )],
    );
    sql(
        &path,
        &["delete from ping_results where host_address = '127.0.0.1' and rowid in (select 0)"],
    );
    let mine = "select id from ping_results where host_address = '127.0.0.1' order by id limit 1";
    let first = sql(&path, &[mine]);
    sql(
        &path,
        &[&format!("delete from ping_results where id = {first}")],
    );
    assert_ne!(sql(&path, &[mine]), first);
    let count = || {
        number(
            &path,
            "select count(*) from ping_results where host_address = '127.0.0.1'",
        )
    };
    let before = count();
    wait_for("more results", || count() > before + 5);
    assert_eq!(monitor.stop(), Some(0), "{}", monitor.log());
    assert_eq!(
        number(
            &path,
            "select count(*) from ping_results where host_address = '192.0.2.1'"
        ),
        1
    );
    expect_whole(&path);
}
