//! The JSON of the API, over real sockets, from a database with known contents.

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ace_connection_logger::api::{Api, ApiConfig};
use ace_connection_logger::config;
use ace_connection_logger::pure::time::parse_instant;
use ace_connection_logger::store::Database;
use ace_connection_logger::web::WebServer;
use common::TempDir;
use common::http::{Answer, get};
use rusqlite::Connection;
use serde_json::Value;

const HOSTS: &str = "[{name: A, address: 192.0.2.1}, {name: B, address: '2001:db8::1'}]";

/// A dashboard with its own database, at any free port.
struct Site {
    folder: TempDir,
    web: WebServer,
}

impl Site {
    /// `sql` fills the database; the hosts `a` and `b` are configured, checked every minute.
    fn new(sql: &str) -> Site {
        Site::with_hosts(HOSTS, sql)
    }

    /// As [`Site::new`], with these hosts as a list in YAML.
    fn with_hosts(hosts: &str, sql: &str) -> Site {
        let folder = TempDir::new();
        let path = folder.path().join("connection_logs.db");
        Database::open(&path, &mut |_, _| ()).expect("a new database");
        fill(&path, sql);
        Site::with_database(hosts, folder, path)
    }

    fn with_database(hosts: &str, folder: TempDir, path: PathBuf) -> Site {
        let text = format!("hosts: {hosts}\ndatabase: {{path: {}}}\n", path.display());
        let mut config = config::parse(text.as_bytes(), "config.yaml").config;
        config.dashboard.port = 0;
        let web = WebServer::start(
            &config.dashboard,
            Arc::new(Api::new(ApiConfig::of(&config), || ())),
        )
        .expect("a port is free");
        Site { folder, web }
    }

    fn get_with(&self, path: &str, headers: &str) -> Answer {
        get(self.web.addresses()[0], path, headers)
    }

    fn get(&self, path: &str) -> Answer {
        self.get_with(path, "")
    }

    fn json(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    }

    fn sql(&self, sql: &str) {
        fill(&self.folder.path().join("connection_logs.db"), sql);
    }
}

/// Runs these statements, for all of which `'now'` is one moment: SQLite reads the clock once a
/// statement, and outages that are to begin together would begin milliseconds apart.
fn fill(path: &Path, sql: &str) {
    let database = Connection::open(path).expect("the database");
    let now: String = database
        .query_row("select strftime('%Y-%m-%d %H:%M:%f', 'now')", [], |row| {
            row.get(0)
        })
        .expect("the time");
    database
        .execute_batch(&sql.replace("'now'", &format!("'{now}'")))
        .expect("plain SQL");
}

/// A check of A `minutes_ago`, with the numbers of answered and lost pings and the mean in
/// milliseconds.
fn check(minutes_ago: u32, answered: u32, lost: u32, avg: &str) -> String {
    format!(
        "insert into ping_results(host_name, host_address, timestamp, success_count, failure_count, min_latency, avg_latency, max_latency)
         values('A', '192.0.2.1', strftime('%Y-%m-%d %H:%M:%f', 'now', '-{minutes_ago} minutes'), {answered}, {lost}, {avg}, {avg}, {avg});"
    )
}

/// An outage of the host with `address`, in minutes before now.
fn outage(address: &str, from: f64, to: f64) -> String {
    let at = |minutes: f64| {
        format!(
            "strftime('%Y-%m-%d %H:%M:%f', 'now', '-{} seconds')",
            minutes * 60.0
        )
    };
    format!(
        "insert into outage_events(host_name, host_address, event_type, start_time, end_time)
         values('A', '{address}', 'outage', {}, {});",
        at(from),
        at(to)
    )
}

/// Rows that are inserted directly into `check_result` must mark their roll-ups as stale.
const STALE: &str = "insert into stale_rollup(host_id, hour) select distinct host_id, checked_at / 3600000 from check_result;";

fn three_checks() -> String {
    check(3, 5, 0, "10") + &check(2, 4, 1, "20") + &check(1, 0, 5, "null")
}

#[test]
fn rows_are_newest_first_and_have_the_fields_of_the_original() {
    let site = Site::new(&three_checks());
    let rows = site.json("/api/ping-results?host_address=192.0.2.1");
    let states: Vec<_> = rows
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| row["state"].clone())
        .collect();
    assert_eq!(states, ["down", "degraded", "up"]);
    let row = &rows[1];
    for (field, expected) in [
        ("success_count", 4.0),
        ("failure_count", 1.0),
        ("success_rate", 80.0),
        ("avg_latency", 20.0),
    ] {
        assert_eq!(row[field].as_f64(), Some(expected), "{field}: {row}");
    }
    assert_eq!(rows[0]["min_latency"], Value::Null);
    assert!(
        row["timestamp"]
            .as_str()
            .is_some_and(|at| at.len() == 24 && at.ends_with('Z')),
        "{row}"
    );
    assert_eq!(
        site.json("/api/ping-results?limit=1")
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    assert_eq!(
        site.json("/api/ping-results?limit=0&hours=0")
            .as_array()
            .map(Vec::len),
        Some(3)
    );
    assert_eq!(
        site.json("/api/ping-results?hours=0.025")
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

#[test]
fn many_rows_are_sent_in_chunks_and_each_row_once() {
    let mut sql = String::from("begin;");
    for n in 0..3000 {
        sql += &format!(
            "insert into check_result(host_id, checked_at, sent, received) values({}, {}, 5, 5);",
            n % 2 + 1,
            1_700_000_000_000i64 + n * 1000
        );
    }
    let hosts = "insert into host(address, name) values('192.0.2.1', 'A'), ('2001:db8::1', 'B');";
    let site = Site::new(&format!("{hosts}{sql}commit;"));
    let rows = site.json("/api/ping-results?hours=0&limit=0");
    let times: Vec<&str> = rows
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| row["timestamp"].as_str().expect("text"))
        .collect();
    assert_eq!(times.len(), 3000);
    assert!(
        times.is_sorted_by(|one, two| one > two),
        "newest first, each once"
    );
}

#[test]
fn the_newest_rows_have_a_tag_that_changes_with_a_result() {
    let site = Site::new(&three_checks());
    let first = site.get("/api/ping-results/latest");
    let row = &first.json()[0];
    assert_eq!(
        (&row["host_name"], &row["state"], &row["stale"]),
        (&"A".into(), &"down".into(), &false.into())
    );
    assert_eq!(
        first.json()[1]["timestamp"],
        Value::Null,
        "B has nothing yet"
    );
    let tag = first
        .head
        .lines()
        .find_map(|line| line.strip_prefix("ETag: "))
        .expect("a tag")
        .to_string();
    let again = site.get_with(
        "/api/ping-results/latest",
        &format!("If-None-Match: {tag}\r\n"),
    );
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    site.sql(&check(0, 5, 0, "7"));
    let news = site.get_with(
        "/api/ping-results/latest",
        &format!("If-None-Match: {tag}\r\n"),
    );
    assert_eq!(
        (news.status, news.json()[0]["state"].as_str()),
        (200, Some("up"))
    );
}

#[test]
fn the_newest_row_of_a_host_has_each_of_its_pings() {
    // 10.000 ms, lost, 10.004 ms.
    let site = Site::new(
        "insert into host(id, address, name) values(1, '192.0.2.1', 'A');
         insert into check_result(host_id, checked_at, sent, received, min_us, avg_us, max_us, rtts)
         values(1, 1700000000000, 3, 2, 10000, 10002, 10004, x'010005');",
    );
    let rows = site.json("/api/ping-results/latest");
    assert_eq!(
        (&rows[0]["sent"], &rows[0]["rtts_us"]),
        (&3.into(), &serde_json::json!([10_000, null, 10_004]))
    );
    assert_eq!(
        (&rows[1]["sent"], &rows[1]["rtts_us"]),
        (&Value::Null, &Value::Null),
        "B has nothing yet"
    );
}

#[test]
fn a_request_in_the_background_or_of_another_page_is_no_viewer() {
    let folder = TempDir::new();
    let path = folder.path().join("connection_logs.db");
    let text = format!("hosts: {HOSTS}\ndatabase: {{path: {}}}\n", path.display());
    let mut config = config::parse(text.as_bytes(), "config.yaml").config;
    config.dashboard.port = 0;
    let views = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&views);
    let on_viewed = move || {
        counted.fetch_add(1, Ordering::SeqCst);
    };
    let api = Api::new(ApiConfig::of(&config), on_viewed);
    let web = WebServer::start(&config.dashboard, Arc::new(api)).expect("a port is free");
    for (query, expected) in [
        ("", 1),
        ("?background=true", 1),
        ("?background=false", 2),
        ("?background=x", 2),
    ] {
        let path = format!("/api/ping-results/latest{query}");
        get(web.addresses()[0], &path, "");
        assert_eq!(views.load(Ordering::SeqCst), expected, "{query}");
    }
    for headers in [
        "Sec-Fetch-Site: cross-site\r\n",
        "Referer: http://evil.example/\r\n",
    ] {
        let answer = get(web.addresses()[0], "/api/ping-results/latest", headers);
        assert_eq!(answer.status, 200);
        assert_eq!(views.load(Ordering::SeqCst), 2, "{headers}");
    }
}

#[test]
fn the_newest_row_of_a_name_says_whether_it_resolves() {
    let sql = "insert into host(id, address, name, resolved_address) values
         (1, 'answers.test', 'A', '192.0.2.1'), (2, 'fails.test', 'F', '192.0.2.2'), (3, 'silent.test', 'S', '192.0.2.3'),
         (4, 'never.test', 'N', null), (5, 'old.test', 'O', '192.0.2.5'), (6, '192.0.2.6', 'no name', '192.0.2.6'),
         (7, 'unsent.test', 'U', '192.0.2.7');
         insert into check_result(host_id, checked_at, sent, received)
         select id, unixepoch() * 1000 - iif(id = 5, 900000, 1000), 5, iif(id = 3, 0, 5) from host where id not in (4, 7);
         insert into not_measured_check(host_id, checked_at, reason)
         select id, unixepoch() * 1000 - 1000, 'the reason' from host where id in (4, 7);"
        .to_string()
        + &event("dns", "F", "fails.test", "dns", 5, None)
        + &event("dns", "A", "answers.test", "dns", 50, Some(5));
    let hosts = "[{address: answers.test}, {address: fails.test}, {address: silent.test}, {address: never.test},
         {address: old.test}, {address: 192.0.2.6}, {address: unsent.test}, {address: new.test}, {address: gateway}]";
    let site = Site::with_hosts(hosts, &sql);
    let rows = site.json("/api/ping-results/latest");
    let of_rows: Vec<_> = rows
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| {
            let address = row["host_address"].as_str().expect("an address");
            (address, row["name_resolves"].as_bool())
        })
        .collect();
    assert_eq!(
        of_rows,
        [
            ("answers.test", Some(true)),
            ("fails.test", Some(false)),
            // No reply shows that its address is still the name's.
            ("silent.test", None),
            ("never.test", Some(false)),
            ("old.test", None),
            ("192.0.2.6", None),
            ("unsent.test", None),
            ("new.test", None),
            ("gateway", None),
        ]
    );
    let configured = site.json("/api/status");
    let names = configured["hosts"].as_array().expect("a list");
    let are_names: Vec<_> = names.iter().map(|host| host["is_name"].as_bool()).collect();
    let [name, no_name] = [Some(true), Some(false)];
    assert_eq!(
        are_names,
        [name, name, name, name, name, no_name, name, name, no_name]
    );
}

#[test]
fn statistics_match_hand_computed_ones_and_are_zero_for_unknown_hosts() {
    let site = Site::new(&(three_checks() + &outage("192.0.2.1", 1.0, 0.5)));
    let found = site.json("/api/statistics/192.0.2.1");
    for (field, expected) in [
        ("avg_success_rate", 60.0),
        ("min_success_rate", 0.0),
        ("max_success_rate", 100.0),
        ("overall_avg_latency", 15.0),
        ("overall_min_latency", 10.0),
        ("overall_max_latency", 20.0),
        ("total_checks", 3.0),
        ("lost", 6.0),
        ("loss_percent", 40.0),
        ("degraded_seconds", 60.0),
        ("poor_seconds", 0.0),
    ] {
        assert_eq!(found[field].as_f64(), Some(expected), "{field}: {found}");
    }
    // 6 of 15.
    for (end, expected) in [(0, 19.824), (1, 64.253)] {
        let found = found["loss_interval_percent"][end]
            .as_f64()
            .expect("a number");
        assert!((found - expected).abs() < 0.001, "{found}");
    }
    assert!(
        found["availability_percent"]
            .as_f64()
            .is_some_and(|share| (share - 100.0 * 150.0 / 180.0).abs() < 0.01),
        "{found}"
    );
    assert_eq!(
        site.json("/api/statistics/192.0.2.99?hours=0")["total_checks"],
        0
    );
}

#[test]
fn no_outage_disappears_in_a_long_range_and_gaps_are_null() {
    // One check per hour for a year; only one in the middle got no reply.
    let mut sql = String::from("insert into host(address, name) values('192.0.2.1', 'A'); begin;");
    let start = 472_222 * 3_600_000i64;
    for hour in 0..8760i64 {
        let received = if hour == 4000 { 0 } else { 5 };
        let at = start + hour * 3_600_000;
        sql += &format!(
            "insert into check_result(host_id, checked_at, sent, received) values(1, {at}, 5, {received});"
        );
        sql += &format!("insert into stale_rollup values(1, {});", at / 3_600_000);
    }
    let site = Site::new(&format!("{sql}commit;"));
    for points in [10, 100, 500, 5000] {
        let from = start / 1000 - 90 * 86_400;
        let to = start / 1000 + 8760 * 3600;
        let series = site.json(&format!(
            "/api/series?host_address=192.0.2.1&from={from}&to={to}&points={points}"
        ));
        let states = series["columns"]["state"].as_array().expect("a column");
        assert!(
            states.len() <= points,
            "{} buckets for {points}",
            states.len()
        );
        assert_eq!(
            states.iter().filter(|state| **state == "down").count(),
            1,
            "{points} points"
        );
        assert_eq!(states[0], Value::Null, "nothing was recorded before");
        let lost: i64 = series["columns"]["lost"]
            .as_array()
            .expect("a column")
            .iter()
            .filter_map(Value::as_i64)
            .sum();
        assert_eq!(lost, 5);
        for (name, column) in series["columns"].as_object().expect("columns") {
            assert_eq!(
                column.as_array().map(Vec::len),
                Some(states.len()),
                "{name}"
            );
        }
    }
}

#[test]
fn a_wrong_parameter_is_named_and_an_unknown_path_or_host_is_not_found() {
    let site = Site::new(&three_checks());
    for (path, status, part) in [
        ("/api/series", 400, "host_address"),
        ("/api/series?host_address=192.0.2.1&points=0", 400, "points"),
        (
            "/api/series?host_address=192.0.2.1&from=yesterday",
            400,
            "from",
        ),
        (
            "/api/series?host_address=192.0.2.1&from=20&to=10",
            400,
            "from",
        ),
        ("/api/ping-results?hours=-1", 400, "hours"),
        ("/api/ping-results?limit=many", 400, "limit"),
        ("/api/overview?offset_minutes=9999", 400, "offset_minutes"),
        ("/api/outages?active_only=perhaps", 400, "active_only"),
        ("/api/outages?cause=fate", 400, "cause"),
        ("/api/outages?from=20&to=10", 400, "from"),
        ("/api/outages?limit=-1", 400, "limit"),
        ("/api/outages?host_address=nobody", 404, "nobody"),
        ("/api/incidents?days=-1", 400, "days"),
        ("/api/gaps?to=soon", 400, "to"),
        ("/api/changes?limit=-1", 400, "limit"),
        ("/api/changes?from=20&to=10", 400, "from"),
        ("/api/changes?host_address=nobody", 404, "nobody"),
        ("/api/series?host_address=nobody", 404, "nobody"),
        ("/api/hosts/nobody/active-outage", 404, "nobody"),
        ("/api/frobnicate", 404, "/api/frobnicate"),
        ("/ping", 404, "set dashboard.base_path to /ping"),
        ("/ping/", 404, "set dashboard.base_path to /ping"),
        (
            "/a/ping/api/status",
            404,
            "set dashboard.base_path to /a/ping",
        ),
    ] {
        let answer = site.get(path);
        let detail = answer.json()["detail"]
            .as_str()
            .expect("a detail")
            .to_string();
        assert!(
            answer.status == status && detail.contains(part),
            "{path}: {} {detail}",
            answer.status
        );
    }
}

#[test]
fn health_is_good_while_checks_are_recorded_and_bad_when_they_stop() {
    let site = Site::new(&check(1, 5, 0, "1"));
    let health = site.json("/health");
    assert_eq!(
        (&health["status"], &health["program"]),
        (&"healthy".into(), &"ace-connection-logger".into())
    );
    let site = Site::new(&check(4, 5, 0, "1"));
    let answer = site.get("/health");
    assert_eq!(answer.status, 503);
    assert!(
        answer.json()["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("three intervals")),
        "{}",
        answer.body
    );
    let folder = TempDir::new();
    let path = folder.path().join("missing.db");
    let site = Site::with_database(HOSTS, folder, path);
    assert_eq!(site.get("/health").status, 503);
    assert_eq!(
        site.get("/").status,
        200,
        "the page itself needs no database"
    );
    let rows = site.json("/api/ping-results/latest");
    assert_eq!(
        (
            &rows[0]["host_name"],
            &rows[0]["state"],
            &rows[1]["host_name"]
        ),
        (&"A".into(), &"not_measured".into(), &"B".into())
    );
}

#[test]
fn outages_are_listed_counted_and_found_by_host() {
    let event = |address: &str, start: &str, end: &str| {
        format!(
            "insert into outage_events(host_name, host_address, event_type, start_time, end_time, duration_seconds)
             values('A', '{address}', 'outage', '{start}', {end}, case when {end} is null then null else 60 end);"
        )
    };
    let site = Site::new(&format!(
        "{}{}{}",
        three_checks(),
        event(
            "192.0.2.1",
            "2026-01-01 10:00:00.000",
            "'2026-01-01 10:01:00.000'"
        ),
        event("192.0.2.1", "2026-01-02 10:00:00.000", "null")
    ));
    let all = site.json("/api/outages?host_address=192.0.2.1");
    assert_eq!(all.as_array().map(Vec::len), Some(2));
    assert_eq!(
        (&all[0]["start_time"], &all[0]["end_time"]),
        (&"2026-01-02T10:00:00.000Z".into(), &Value::Null)
    );
    assert_eq!(
        site.json("/api/outages/active").as_array().map(Vec::len),
        Some(1)
    );
    // An ongoing outage is in every range that ends now.
    assert_eq!(
        site.json("/api/outages?active_only=true&days=1")
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    assert_eq!(
        site.json("/api/hosts/192.0.2.1/active-outage")["id"],
        all[0]["id"]
    );
    assert_eq!(
        site.json("/api/hosts/2001%3Adb8%3A%3A1/active-outage"),
        Value::Null
    );
    // Columns that a file of the original lacks are null; values that the monitor writes are
    // present, times in RFC 3339.
    let added = |event: &Value| {
        ["earliest_start", "packets_sent", "packets_lost"].map(|field| event[field].clone())
    };
    assert_eq!(added(&all[0]), [Value::Null, Value::Null, Value::Null]);
    site.sql("update outage_events set earliest_start = '2026-01-02 09:59:00.500', packets_sent = 10, packets_lost = 9 where end_time is null");
    let expected = [
        "2026-01-02T09:59:00.500Z".into(),
        Value::from(10),
        Value::from(9),
    ];
    assert_eq!(added(&site.json("/api/outages")[0]), expected);
    assert_eq!(added(&site.json("/api/outages/active")[0]), expected);
    assert_eq!(
        added(&site.json("/api/hosts/192.0.2.1/active-outage")),
        expected
    );
    assert!(
        !all[0]
            .as_object()
            .expect("an event")
            .contains_key("host_id"),
        "it is internal"
    );
    let statistics = site.json("/api/outages/statistics/192.0.2.1");
    assert_eq!(
        (&statistics["total_outages"], &statistics["active_outages"]),
        (&2.into(), &1.into())
    );
    assert!(
        statistics["total_downtime_seconds"]
            .as_i64()
            .is_some_and(|seconds| seconds > 60),
        "the ongoing one counts"
    );
}

/// An event that began `minutes_ago` and lasted `minutes`; `None` for an ongoing one.
fn event(
    kind: &str,
    name: &str,
    address: &str,
    cause: &str,
    minutes_ago: i64,
    minutes: Option<i64>,
) -> String {
    let at = |ago: i64| format!("strftime('%Y-%m-%d %H:%M:%f', 'now', '-{ago} minutes')");
    let end = minutes.map_or("null".into(), |minutes| at(minutes_ago - minutes));
    let seconds = minutes.map_or("null".into(), |minutes| (minutes * 60).to_string());
    format!(
        "insert into outage_events(host_name, host_address, event_type, start_time, end_time, duration_seconds, cause)
         values('{name}', '{address}', '{kind}', {}, {end}, {seconds}, '{cause}');",
        at(minutes_ago)
    )
}

/// Host 1, which is checked at this interval.
fn host_a(interval_ms: i64, is_by_hand: bool) -> String {
    format!(
        "insert into host(id, address, family, name) values(1, '192.0.2.1', 0, 'A');
         insert into host_interval(host_id, since, interval_ms, by_hand) values(1, 0, {interval_ms}, {is_by_hand});"
    )
}

/// Answers of host 1, oldest last: so many checks, of which the newest is so many seconds ago.
fn checks_of_a(newest_ago: i64, every_seconds: i64, count: i64, received: &str) -> String {
    format!(
        "with recursive n(i) as (select 0 union all select i + 1 from n where i < {count} - 1)
         insert into check_result(host_id, checked_at, sent, received)
            select 1, (strftime('%s', 'now') - {newest_ago} - i * {every_seconds}) * 1000, 5, {received} from n;"
    )
}

/// Both hosts down for ten minutes, A three times within nine minutes with the cause host, a
/// planned outage, and a link that is down.
fn known_events() -> String {
    let of_a = |cause, ago, minutes| event("outage", "A", "192.0.2.1", cause, ago, minutes);
    [
        of_a("provider", 600, Some(10)),
        event("outage", "B", "2001:db8::1", "provider", 600, Some(10)),
        of_a("host", 300, Some(1)),
        of_a("host", 296, Some(1)),
        of_a("host", 292, Some(1)),
        of_a("host", 200, Some(60))
            + "update outage_events set planned = 1 where id = last_insert_rowid();",
        event("link_down", "link", "IPv4 and IPv6", "link", 20, None),
    ]
    .concat()
}

#[test]
fn outages_are_grouped_and_have_their_cause() {
    let site = Site::new(&(three_checks() + &known_events()));
    let all = site.json("/api/outages");
    let kinds: Vec<_> = all
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|event| event["event_type"].as_str())
        .collect();
    assert_eq!(
        kinds,
        ["link_down", "outage", "intermittent", "outage", "outage"]
    );
    let fields: Vec<&String> = all[2].as_object().expect("an event").keys().collect();
    assert_eq!(fields.len(), 21, "{fields:?}");
    for field in [
        "id",
        "notes",
        "earliest_start",
        "cause",
        "facts",
        "path",
        "planned",
        "down_seconds",
        "event_ids",
        "host_key",
    ] {
        assert!(
            fields.contains(&&field.to_string()),
            "{field} of {fields:?}"
        );
    }
    assert_eq!(
        (
            all[2]["event_ids"].as_array().map(Vec::len),
            &all[2]["down_seconds"]
        ),
        (Some(3), &180.into()),
        "{all}"
    );
    let count = |path: &str| site.json(path).as_array().map(Vec::len);
    assert_eq!(count("/api/outages?cause=provider"), Some(2));
    assert_eq!(
        count("/api/outages?cause=provider&host_address=192.0.2.1"),
        Some(1)
    );
    assert_eq!(count("/api/outages?limit=2"), Some(2));
    assert_eq!(
        count("/api/outages?host_address=IPv4%20and%20IPv6"),
        Some(1)
    );
    assert_eq!(
        count("/api/outages?host_address=IPv6"),
        Some(0),
        "an address of links, though none was down alone"
    );
    let ago = |minutes: i64| time::OffsetDateTime::now_utc().unix_timestamp() - minutes * 60;
    assert_eq!(
        count(&format!("/api/outages?from={}&to={}", ago(310), ago(250))),
        Some(1)
    );
    assert_eq!(
        site.json("/api/outages/active")[0]["event_type"],
        "link_down"
    );
    assert_eq!(
        site.json("/api/hosts/IPv4%20and%20IPv6/active-outage")["cause"],
        "link"
    );
    assert_eq!(site.json("/api/hosts/192.0.2.1/active-outage"), Value::Null);
}

#[test]
fn planned_outages_are_not_counted() {
    let site = Site::new(&(three_checks() + &known_events()));
    let statistics = site.json("/api/outages/statistics/192.0.2.1");
    // One of ten minutes, and three shown as one, nine minutes from first to last.
    for (field, expected) in [
        ("total_outages", 2),
        ("active_outages", 0),
        ("total_downtime_seconds", 780),
        ("max_duration_seconds", 600),
    ] {
        assert_eq!(
            statistics[field].as_i64(),
            Some(expected),
            "{field}: {statistics}"
        );
    }
    assert_eq!(statistics["avg_duration_seconds"].as_f64(), Some(570.0));
    assert_eq!(
        site.json("/api/outages/statistics/IPv4%20and%20IPv6")["active_outages"],
        1
    );
}

#[test]
fn changes_of_level_are_listed_newest_first_with_the_levels_of_their_kind() {
    let site = Site::new(&three_checks());
    site.sql(
        "insert into host(id, address, name) values(71, '198.51.100.1', 'one'), (72, '198.51.100.2', 'two');
         insert into level_changes values
            (71, 'latency', 1700000000000, 12000, 31000, 80), (72, 'loss', 1700000060000, 0, 20500, 99),
            (71, 'loss', 1700000120000, 20500, 0, 7), (71, 'other', 1700000180000, 1, 2, 3), (71, 'loss', 1700000240000, -1, 2, 3)",
    );
    let row = |[name, address, kind, at]: [&str; 4],
               us: [Option<u32>; 2],
               percent: [Option<f64>; 2],
               sureness: u8| {
        serde_json::json!({
            "host_name": name, "host_address": address, "host_key": address, "kind": kind, "at": at,
            "before_us": us[0], "after_us": us[1],
            "before_loss_percent": percent[0], "after_loss_percent": percent[1], "sureness": sureness,
        })
    };
    let slower = row(
        ["one", "198.51.100.1", "latency", "2023-11-14T22:13:20.000Z"],
        [Some(12_000), Some(31_000)],
        [None; 2],
        80,
    );
    let worse = row(
        ["two", "198.51.100.2", "loss", "2023-11-14T22:14:20.000Z"],
        [None; 2],
        [Some(0.0), Some(20.5)],
        99,
    );
    let better = row(
        ["one", "198.51.100.1", "loss", "2023-11-14T22:15:20.000Z"],
        [None; 2],
        [Some(20.5), Some(0.0)],
        7,
    );
    for (query, expected) in [
        ("", vec![&better, &worse, &slower]),
        ("?limit=2", vec![&better, &worse]),
        ("?limit=0", vec![&better, &worse, &slower]),
        ("?host_address=one", vec![&better, &slower]),
        ("?host_address=198.51.100.2", vec![&worse]),
        ("?from=1700000060&to=1700000120", vec![&worse]),
        ("?days=1", vec![]),
    ] {
        let found = site.json(&format!("/api/changes{query}"));
        assert_eq!(found, serde_json::json!(expected), "{query}");
    }
}

#[test]
fn hosts_that_failed_together_are_one_incident_and_a_link_down_is_a_gap() {
    let site = Site::new(&(three_checks() + &known_events()));
    let incidents = site.json("/api/incidents?days=1");
    assert_eq!(incidents.as_array().map(Vec::len), Some(1), "{incidents}");
    assert_eq!(
        (&incidents[0]["cause"], &incidents[0]["hosts"]),
        (&"provider".into(), &2.into())
    );
    assert_eq!(incidents[0]["host_names"], serde_json::json!(["A", "B"]));
    let gaps = site.json("/api/gaps");
    assert_eq!(gaps.as_array().map(Vec::len), Some(1), "{gaps}");
    assert!(
        gaps[0]["reason"]
            .as_str()
            .is_some_and(|reason| reason.starts_with("nothing could be sent")),
        "{gaps}"
    );
    assert!(
        gaps[0]["to"].as_str().is_some_and(|to| to.ends_with('Z')),
        "{gaps}"
    );
    site.sql("update outage_events set planned = 1");
    assert_eq!(
        site.json("/api/incidents?days=1"),
        serde_json::json!([]),
        "planned outages are no incident"
    );
}

#[test]
fn the_list_by_incident_counts_time_once_and_is_paged_through_the_whole_record() {
    // A year ago, and two hosts of which one was down for five minutes longer.
    let old = event("outage", "A", "192.0.2.1", "host", 525_600, Some(30));
    let longer = event("outage", "C", "192.0.2.9", "provider", 600, Some(15));
    let site = Site::new(&(old + &three_checks() + &known_events() + &longer));
    let list = |query: &str| site.json(&format!("/api/outages/by-incident?{query}"));
    let kinds = |list: &Value| -> Vec<(String, u64, usize)> {
        let entries = list["incidents"].as_array().expect("a list");
        let of = |entry: &Value| {
            (
                entry["outages"][0]["event_type"]
                    .as_str()
                    .expect("a word")
                    .into(),
                entry["hosts"].as_u64().expect("a number"),
                entry["outages"].as_array().expect("a list").len(),
            )
        };
        entries.iter().map(of).collect()
    };
    let whole = list("days=1");
    let kind = |kind: &str, hosts: u64, outages: usize| (kind.to_string(), hosts, outages);
    let all = [
        kind("link_down", 1, 1),
        kind("outage", 1, 1),
        kind("intermittent", 1, 1),
        kind("outage", 3, 3),
        kind("outage", 1, 1),
    ];
    assert_eq!(kinds(&whole), all);
    // Of the last day: one intermittent and one of three hosts; 15 minutes and three times one.
    for (field, expected) in [
        ("outages", 2),
        ("outages_of_hosts", 4),
        ("hosts", 3),
        ("down_seconds", 15 * 60 + 180),
    ] {
        assert_eq!(whole[field], expected, "{field}: {whole}");
    }
    // Beside them the link, which is down for so long that it is counted until now.
    assert_eq!(whole["links"]["events"], 1, "{whole}");
    assert_eq!(
        whole["names"],
        serde_json::json!({"events": 0, "seconds": 0})
    );
    let incident = &whole["incidents"][3];
    assert_eq!(
        (&incident["cause"], &incident["down_seconds"]),
        (&"provider".into(), &900.into())
    );
    assert_eq!(whole["older"], Value::Null);
    // In parts: the whole list, each entry once.
    let (mut parts, mut query) = (Vec::new(), "limit=2".to_string());
    loop {
        let part = list(&query);
        parts.extend(kinds(&part));
        match part["older"].as_str() {
            Some(older) => query = format!("limit=2&before={older}"),
            None => break,
        }
    }
    assert_eq!(parts, all);
    let of_b = list("host_address=2001:db8::1&days=1");
    assert_eq!(kinds(&of_b), [kind("outage", 3, 1)], "with two others");
    assert_eq!(of_b["down_seconds"], 600);
    assert_eq!(kinds(&list("cause=link")), [kind("link_down", 1, 1)]);
    assert_eq!(kinds(&list("active_only=true")), [kind("link_down", 1, 1)]);
    for (query, named) in [("before=x", "before: "), ("cause=x", "cause: ")] {
        let refused = site.get(&format!("/api/outages/by-incident?{query}"));
        assert_eq!(refused.status, 400);
        assert!(refused.body.contains(named), "{}", refused.body);
    }
}

#[test]
fn a_link_down_for_one_ip_version_is_no_gap_for_the_other() {
    let link = event("link_down", "link", "IPv6", "link", 20, None);
    let site = Site::new(
        &(three_checks() + &link + &event("outage", "A", "192.0.2.1", "host", 10, Some(5))),
    );
    assert_eq!(site.json("/api/gaps"), serde_json::json!([]));
    assert_eq!(site.json("/api/outages?cause=host")[0]["down_seconds"], 300);
    let site = Site::new(&link);
    assert_eq!(
        site.json("/api/gaps").as_array().map(Vec::len),
        Some(1),
        "nothing else was measured either"
    );
}

#[test]
fn the_overview_has_the_down_time_of_the_line_by_cause() {
    let line =
        Site::new(&(three_checks() + &known_events())).json("/api/overview?days=3")["line"].clone();
    let share = |cause: &str| {
        (
            line[cause]["down_seconds"].as_i64(),
            line[cause]["outages"].as_i64(),
        )
    };
    assert_eq!(
        share("provider"),
        (Some(600), Some(1)),
        "two hosts noticed one: {line}"
    );
    assert_eq!(share("host"), (Some(180), Some(1)), "{line}");
    assert!(
        share("link")
            .0
            .is_some_and(|seconds| (1200..1205).contains(&seconds)),
        "{line}"
    );
    assert_eq!(share("unknown"), (Some(0), Some(0)));
    let together = event("outage", "C", "192.0.2.9", "host", 300, Some(1));
    let line = Site::new(&(three_checks() + &known_events() + &together));
    let line = line.json("/api/overview?days=3")["line"].take();
    assert_eq!(
        (&line["host"]["down_seconds"], &line["host"]["outages"]),
        (&180.into(), &2.into()),
        "a minute of two hosts is one minute: {line}"
    );
    let line =
        Site::new(&(three_checks() + &known_events())).json("/api/overview?days=3")["line"].take();
    let days = line["days"].as_array().expect("days");
    assert!(
        days.len() == 3 && days.iter().any(|day| day == "L" || day == "P"),
        "{line}"
    );
    assert_eq!(
        (&line["last"]["host_name"], &line["last"]["cause"]),
        (&"A".into(), &"host".into()),
        "{line}"
    );
    // C went down with B and A, and was down for longest.
    let longer = event("outage", "C", "192.0.2.9", "provider", 600, Some(15));
    let two = event("outage", "B", "2001:db8::1", "provider", 600, Some(10))
        + &event("outage", "A", "192.0.2.1", "provider", 600, Some(10));
    let line =
        Site::new(&(three_checks() + &two + &longer)).json("/api/overview?days=3")["line"].take();
    let last = &line["last"];
    assert_eq!(
        (&last["host_name"], &last["hosts"]),
        (&"C".into(), &3.into())
    );
}

#[test]
fn questions_at_the_same_time_do_not_wait_for_each_others_connections() {
    let site = Site::new(&three_checks());
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for path in ["/api/overview", "/api/ping-results/latest", "/metrics"] {
                    for _ in 0..10 {
                        assert_eq!(site.get(path).status, 200, "{path}");
                    }
                }
            });
        }
    });
    // A question that needs a second connection while it holds one waits 10 s for it.
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn the_last_24_hours_have_no_time_that_has_not_been_yet() {
    // The first check, every hour, of a host that is down since its beginning a minute ago.
    let outage = "insert into outage_events(host_name, host_address, event_type, start_time, host_id)
            values('A', '192.0.2.1', 'outage', strftime('%Y-%m-%d %H:%M:%f', 'now', '-60 seconds'), 1);";
    let checks = checks_of_a(60, 3600, 1, "0");
    let site = Site::new(&(host_a(3_600_000, false) + &checks + outage + STALE));
    let overview = site.json("/api/overview?days=2");
    let last_day = &overview["hosts"][0]["last_day"];
    let seconds = |field: &str| last_day[field].as_i64().expect("a number");
    assert!(
        (60..70).contains(&seconds("measured_seconds")),
        "{overview}"
    );
    // Rounded in different ways.
    let up = seconds("measured_seconds") - seconds("down_seconds");
    assert!((0..=1).contains(&up), "{overview}");
}

#[test]
fn metrics_are_in_base_units_and_names_are_escaped() {
    let site = Site::new(&(check(1, 4, 1, "20") + "update host set name = 'A \"quoted\"';"));
    let text = site.get("/metrics").body;
    assert!(
        text.contains(
            "ace_check_success_ratio{host=\"A\",address=\"192.0.2.1\",family=\"any\"} 0.8\n"
        ),
        "{text}"
    );
    assert!(
        text.contains(
            "ace_check_rtt_avg_seconds{host=\"A\",address=\"192.0.2.1\",family=\"any\"} 0.02\n"
        ),
        "{text}"
    );
    // A host that is not configured, and a configured one whose newest check is old.
    let site = Site::new(
        &(check(1000, 5, 0, "20") + &check(1, 5, 0, "20").replace("192.0.2.1", "198.51.100.9")),
    );
    let stale = site.get("/metrics").body;
    assert!(!stale.contains("198.51.100.9"), "{stale}");
    let of_host: Vec<&str> = stale
        .lines()
        .filter(|line| line.contains("address=\"192.0.2.1\""))
        .filter_map(|line| line.split_once('{').map(|(name, _)| name))
        .collect();
    assert_eq!(
        of_host,
        [
            "ace_host_stale",
            "ace_check_timestamp_seconds",
            "ace_check_interval_seconds"
        ],
        "{stale}"
    );
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        assert!(
            line.rsplit_once(' ')
                .is_some_and(|(_, value)| value.parse::<f64>().is_ok()),
            "{line}"
        );
    }
}

/// The samples of `/metrics`: name with labels, and value.
fn samples(text: &str) -> Vec<(&str, &str)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit_once(' ')).collect()
}

#[test]
fn hosts_that_differ_only_in_their_source_have_series_of_their_own() {
    let hosts = "[{name: A, address: a.test}, {name: A, address: a.test, source: wg0},
        {name: A, address: a.test, family: 4}, {name: B, address: 192.0.2.2, source: wg0}]";
    let site = Site::with_hosts(hosts, "");
    let text = site.get("/metrics").body;
    let stale: Vec<&str> = samples(&text)
        .iter()
        .filter_map(|(series, _)| series.strip_prefix("ace_host_stale"))
        .collect();
    assert_eq!(
        stale,
        [
            "{host=\"A\",address=\"a.test\",family=\"any\"}",
            "{host=\"A\",address=\"a.test\",family=\"any\",source=\"wg0\"}",
            "{host=\"A\",address=\"a.test\",family=\"4\"}",
            "{host=\"B\",address=\"192.0.2.2\",family=\"any\",source=\"wg0\"}",
        ]
    );
}

#[test]
fn a_dashboard_without_the_monitor_shows_gauges_and_no_counter_of_the_monitor() {
    let ongoing = event("outage", "A", "192.0.2.1", "provider", 90, None)
        + "update outage_events set host_id = (select id from host where address = host_address);";
    let site = Site::new(&(three_checks() + &check(0, 0, 5, "null") + &ongoing));
    let text = site.get("/metrics").body;
    for (series, value) in [
        (
            "ace_host_state{host=\"A\",address=\"192.0.2.1\",family=\"any\",state=\"down\"}",
            "1",
        ),
        (
            "ace_host_state{host=\"A\",address=\"192.0.2.1\",family=\"any\",state=\"up\"}",
            "0",
        ),
        (
            "ace_outage_active{host=\"A\",address=\"192.0.2.1\",family=\"any\"}",
            "1",
        ),
        (
            "ace_outage_cause{host=\"A\",address=\"192.0.2.1\",family=\"any\",cause=\"provider\"}",
            "1",
        ),
        (
            "ace_check_interval_seconds{host=\"A\",address=\"192.0.2.1\",family=\"any\"}",
            "60",
        ),
        ("ace_link_up{ip_version=\"4\"}", "1"),
        ("ace_monitor_running", "0"),
        ("ace_config_last_reload_successful", "1"),
        ("ace_notices_waiting", "0"),
    ] {
        let found = samples(&text)
            .iter()
            .find(|(name, _)| *name == series)
            .map(|(_, value)| *value);
        assert_eq!(found, Some(value), "{series}: {text}");
    }
    let counters: Vec<&str> = text
        .lines()
        .filter(|line| line.ends_with(" counter") || line.ends_with(" histogram"))
        .collect();
    assert_eq!(counters, ["# TYPE process_cpu_seconds_total counter"]);
    for absent in [
        "ace_results_waiting",
        "ace_gateway_up",
        "ace_name_resolves",
        "ace_outage_active{host=\"B\"",
    ] {
        assert!(!text.contains(absent), "{absent}: {text}");
    }
    assert!(
        text.contains("ace_database_size_bytes{file=\"main\"} "),
        "{text}"
    );
}

#[test]
fn the_gateway_is_up_while_it_answers_and_the_link_is_down_while_its_event_is_ongoing() {
    let hosts = "[{name: A, address: 192.0.2.1, role: gateway}, {name: B, address: '2001:db8::1'}]";
    let link = event("link_down", "link", "IPv6", "link", 60, None);
    let run = "insert into monitor_run(started_at, alive_at, version)
        select (strftime('%s', 'now') - 600) * 1000, strftime('%s', 'now') * 1000, '1';";
    for (answered, up) in [(3, "1"), (0, "0")] {
        let sql =
            check(0, answered, 2, "20").replace("20", if answered > 0 { "20" } else { "null" });
        let text = Site::with_hosts(hosts, &(sql + &link + run))
            .get("/metrics")
            .body;
        let value = |series: &str| {
            let found = samples(&text).into_iter().find(|(name, _)| *name == series);
            found.map(|(_, value)| value)
        };
        assert_eq!(
            value("ace_gateway_up{ip_version=\"4\"}"),
            Some(up),
            "{text}"
        );
        assert_eq!(value("ace_gateway_up{ip_version=\"6\"}"), None);
        assert_eq!(value("ace_link_up{ip_version=\"4\"}"), Some("1"));
        assert_eq!(value("ace_link_up{ip_version=\"6\"}"), Some("0"), "{text}");
        assert_eq!(value("ace_monitor_running"), Some("1"));
    }
}

#[test]
fn openmetrics_is_sent_where_the_accept_header_asks_for_it() {
    let site = Site::new(&three_checks());
    for (headers, content_type) in [
        ("", "text/plain; version=0.0.4"),
        ("Accept: */*\r\n", "text/plain; version=0.0.4"),
        (
            "Accept: application/openmetrics-text;version=1.0.0\r\nAccept: text/plain;q=0.5\r\n",
            "application/openmetrics-text; version=1.0.0",
        ),
    ] {
        let answer = site.get_with("/metrics", headers);
        let head = format!("Content-Type: {content_type}; charset=utf-8\r\n");
        assert!(answer.head.contains(&head), "{headers:?}: {}", answer.head);
        let is_open = content_type.contains("openmetrics");
        assert_eq!(answer.body.ends_with("# EOF\n"), is_open, "{}", answer.body);
        assert_eq!(answer.body.contains("# TYPE ace_build info\n"), is_open);
    }
}

#[test]
fn days_and_hours_add_up_to_the_checks() {
    let site = Site::new(&(three_checks() + &outage("192.0.2.1", 1.0, 0.5)));
    let overview = site.json("/api/overview?days=2&offset_minutes=120");
    let host = &overview["hosts"][0];
    assert_eq!(host["days"]["state"].as_array().map(Vec::len), Some(2));
    let measured: f64 = host["days"]["measured_seconds"]
        .as_array()
        .expect("days")
        .iter()
        .filter_map(Value::as_f64)
        .sum();
    assert!(
        (measured - 180.0).abs() < 0.1,
        "three checks a minute apart: {host}"
    );
    // One check lost one ping, one lost all.
    for (column, expected) in [
        ("poor_percent", 33),
        ("not_up_percent", 66),
        ("down_seconds", 30),
    ] {
        let seconds: i64 = host["days"][column]
            .as_array()
            .expect("days")
            .iter()
            .filter_map(Value::as_i64)
            .sum();
        assert_eq!(seconds, expected, "{column}: {host}");
    }
    let last_day = &host["last_day"];
    assert_eq!(
        (&last_day["down_seconds"], &last_day["measured_seconds"]),
        (&30.into(), &180.into()),
        "{host}"
    );
    // In the first minute of an hour the check before may still stand for it.
    let is_first_minute = overview["now"].as_str().map(|now| &now[14..16]) == Some("00");
    assert_eq!(
        host["spark"]["t"].as_array().map(Vec::len),
        Some(if is_first_minute { 24 } else { 25 })
    );
    let hours = site.json("/api/hours?host_address=192.0.2.1");
    let checks: i64 = hours["columns"]["checks"]
        .as_array()
        .expect("hours")
        .iter()
        .filter_map(Value::as_i64)
        .sum();
    assert_eq!(checks, 3);
    let distribution = site.json("/api/distribution?host_address=192.0.2.1");
    let rates: Vec<i64> = distribution["rates"]
        .as_array()
        .expect("classes")
        .iter()
        .filter_map(|class| class["checks"].as_i64())
        .collect();
    assert_eq!(rates, [1, 0, 0, 0, 0, 1, 0, 1]);
}

#[test]
fn one_address_from_two_sources_is_two_hosts_in_every_answer() {
    let sql = "insert into host(id, address, source, name) values(1, '192.0.2.1', '', 'main'), (2, '192.0.2.1', 'wg0', 'tunnel');
        insert into check_result(host_id, checked_at, sent, received)
        select id, (strftime('%s', 'now') - 60) * 1000, 5, 5 * (id = 1) from host;
        insert into outage_events(host_name, host_address, event_type, start_time, host_id)
        values('tunnel', '192.0.2.1', 'outage', datetime('now', '-1 minute'), 2);"
        .to_string()
        + STALE;
    let hosts =
        "[{name: main, address: 192.0.2.1}, {name: tunnel, address: 192.0.2.1, source: wg0}]";
    let site = Site::with_hosts(hosts, &sql);
    let keys = ["192.0.2.1", "192.0.2.1 via wg0"];
    for path in ["/api/ping-results/latest", "/api/hosts", "/api/hosts/all"] {
        let rows = site.json(path);
        assert_eq!([&rows[0]["host_key"], &rows[1]["host_key"]], keys, "{path}");
    }
    let status = site.json("/api/status");
    assert_eq!(status["hosts"][0]["source"], Value::Null);
    assert_eq!(status["hosts"][1]["source"], "wg0");
    let successes = |text: &str| {
        let path = format!(
            "/api/ping-results?host_address={}",
            text.replace(' ', "%20")
        );
        let rows = site.json(&path);
        let rows = rows.as_array().expect("a list").iter();
        rows.map(|row| row["success_count"].as_i64().unwrap_or(-1))
            .collect::<Vec<_>>()
    };
    for (text, expected) in [
        ("192.0.2.1", 5),
        ("Main", 5),
        ("192.0.2.1 via wg0", 0),
        ("tunnel", 0),
    ] {
        assert_eq!(successes(text), [expected], "{text}");
    }
    let outages = |text: &str| {
        let path = format!("/api/outages?host_address={}", text.replace(' ', "%20"));
        site.json(&path).as_array().map(Vec::len)
    };
    assert_eq!(
        [keys[0], keys[1], "tunnel"].map(outages),
        [Some(0), Some(1), Some(1)]
    );
    assert_eq!(site.json("/api/outages")[0]["host_key"], keys[1]);
    let overview = site.json("/api/overview");
    let states = [0, 1].map(|index| overview["hosts"][index]["state"].clone());
    assert_eq!(states, ["up", "down"]);
}

#[test]
fn both_ip_versions_of_a_name_are_two_hosts_in_every_answer() {
    let row = |host: u8, minutes: u32, answered: u8| {
        format!(
            "insert into check_result(host_id, checked_at, sent, received) select {host}, (strftime('%s', 'now') - {minutes} * 60) * 1000, 5, {answered};"
        )
    };
    let sql = "insert into host(id, address, family, name) values(1, 'twin.test', 4, 'four'), (2, 'twin.test', 6, 'six');"
        .to_string()
        + &row(1, 1, 5)
        + &row(1, 2, 5)
        + &row(2, 1, 0)
        + &row(2, 2, 0)
        + STALE
        + &outage("twin.test", 3.0, 0.0)
        + "update outage_events set host_id = 2;";
    let hosts =
        "[{name: four, address: twin.test, family: 4}, {name: six, address: twin.test, family: 6}]";
    let site = Site::with_hosts(hosts, &sql);
    let keys = ["twin.test (IPv4)", "twin.test (IPv6)"];
    for path in ["/api/ping-results/latest", "/api/hosts", "/api/hosts/all"] {
        let rows = site.json(path);
        assert_eq!([&rows[0]["host_key"], &rows[1]["host_key"]], keys, "{path}");
    }
    let checks = |key: &str| {
        site.json(&format!(
            "/api/ping-results?host_address={}",
            key.replace(' ', "%20")
        ))
    };
    let successes = |key: &str| {
        checks(key)
            .as_array()
            .expect("a list")
            .iter()
            .map(|row| row["success_count"].as_i64())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (successes(keys[0]), successes(keys[1])),
        (vec![Some(5); 2], vec![Some(0); 2])
    );
    assert_eq!(successes("TWIN.test").len(), 4);
    let overview = site.json("/api/overview");
    let rates: Vec<_> = (0..2)
        .map(|index| overview["hosts"][index]["availability_percent"].as_f64())
        .collect();
    assert_eq!(rates, [Some(100.0), Some(0.0)]);
    assert_eq!(overview["hosts"][0]["host_address"], "twin.test");
    let lost = |key: &str| {
        site.json(&format!("/api/statistics/{}", key.replace(' ', "%20")))["lost"].as_i64()
    };
    assert_eq!(
        (lost(keys[0]), lost(keys[1]), lost("TWIN.test")),
        (Some(0), Some(10), Some(10))
    );
    let metrics = site.get("/metrics").body;
    for (name, family, up) in [("four", 4, 1), ("six", 6, 0)] {
        let sample = format!(
            "ace_host_up{{host=\"{name}\",address=\"twin.test\",family=\"{family}\"}} {up}\n"
        );
        assert!(metrics.contains(&sample), "{sample}: {metrics}");
    }
}

#[test]
fn a_check_represents_the_interval_that_it_was_made_at() {
    // Ten minutes with a check every minute, then ten with one every twenty seconds.
    let sql = "insert into host(id, address, family, name) values(1, '192.0.2.1', 0, 'A');
        insert into host_interval(host_id, since, interval_ms) values(1, 0, 60000), (1, (strftime('%s', 'now') - 601) * 1000, 20000);
        with recursive n(i) as (select 1 union all select i + 1 from n where i < 10)
        insert into check_result(host_id, checked_at, sent, received) select 1, (strftime('%s', 'now') - 600 - i * 60) * 1000, 5, iif(i > 5, 5, 0) from n;
        with recursive n(i) as (select 1 union all select i + 1 from n where i < 30)
        insert into check_result(host_id, checked_at, sent, received) select 1, (strftime('%s', 'now') - i * 20) * 1000, 5, 5 from n;";
    let site = Site::new(&(sql.to_string() + STALE + &outage("192.0.2.1", 15.0, 10.0)));
    let statistics = site.json("/api/statistics/192.0.2.1");
    let near = |field: &str, expected: f64| {
        let value = statistics[field].as_f64().expect(field);
        assert!(
            (value - expected).abs() < 1.0,
            "{field}: {value}, not {expected}"
        );
    };
    near("down_seconds", 300.0);
    near("availability_percent", 75.0);
    near("coverage_percent", 100.0);
}

#[test]
fn days_are_those_of_the_viewers_zone_also_before_the_clocks_change() {
    // 2026-09-09 22:10 UTC is the 10th in Berlin, where the clocks change on the 25th of October at
    // 01:00 UTC.
    let check = |at: &str| {
        format!(
            "insert into ping_results(host_name, host_address, timestamp, success_count, failure_count) values('A', '192.0.2.1', '{at}', 0, 5);"
        )
    };
    let site = Site::new(&(check("2026-09-09 22:10:00") + &check("2026-11-09 23:10:00")));
    let overview =
        site.json("/api/overview?offset_minutes=60&changed_at=2026-10-25T01:00:00Z&earlier_offset_minutes=120&days=400");
    let first = ace_connection_logger::pure::time::parse_naive_ms(&format!(
        "{} 00:00:00",
        overview["first_day"].as_str().expect("a day")
    ))
    .expect("a date");
    let states = overview["hosts"][0]["days"]["state"]
        .as_array()
        .expect("days");
    let days: Vec<String> = (0..)
        .zip(states)
        .filter(|(_, state)| *state == "down")
        .map(|(day, _)| {
            ace_connection_logger::pure::time::UtcMillis(first + day * 86_400_000).sql_text()[..10]
                .to_string()
        })
        .collect();
    assert_eq!(days, ["2026-09-10", "2026-11-10"]);
}

/// An hour of checks, one a minute, of which the last quarter lost everything, and its roll-up
/// alone: the checks are deleted.
fn pruned_hour() -> String {
    "insert into host(id, address, family, name) values(1, '192.0.2.1', 0, 'A');
     insert into host_interval(host_id, since, interval_ms) values(1, 0, 60000);
     insert into rollup(host_id, hour, none, to_20, to_40, to_60, to_80, to_95, to_100, full, not_measured, sent, received,
        rate_sum, rate_min, rate_max, min_us, max_us, sum_us, avg_sum_us, latency_checks, histogram, down, degraded)
     values(1, 480000, 0, 0, 0, 0, 0, 15, 0, 45, 0, 300, 285, 5700000, 80000, 100000, 10, 10, 2850, 600, 60, x'', 0, 15);
     update pruning set pruned_before = 480024 * 3600000;"
        .into()
}

#[test]
fn a_span_that_cuts_hours_of_which_only_sums_are_left_has_their_share() {
    let site = Site::new(&pruned_hour());
    let hour = 480_000 * 3600;
    for (from, to, checks, sent, lost) in [
        (hour, hour + 3600, 60, 300, 15),
        (hour - 1800, hour + 1800, 30, 150, 8),
        // The two halves add up to the 15 lost pings of the hour.
        (hour + 1800, hour + 9000, 30, 150, 7),
        (hour + 900, hour + 1800, 15, 75, 4),
    ] {
        let statistics = site.json(&format!("/api/statistics/192.0.2.1?from={from}&to={to}"));
        assert_eq!(
            ["total_checks", "sent", "lost"].map(|field| statistics[field].as_i64()),
            [Some(checks), Some(sent), Some(lost)],
            "{from} to {to}: {statistics}"
        );
        assert_eq!(statistics["availability_percent"].as_f64(), Some(100.0));
    }
    let report = site.json(&format!(
        "/api/report?format=json&from={}&to={}",
        hour + 900,
        hour + 1800
    ));
    let host = &report["hosts"][0];
    assert_eq!(
        (&host["measured_seconds"], &host["coverage_percent"]),
        (&900.into(), &100.0.into()),
        "{host}"
    );
    assert_eq!(
        report["method"]["checks_since"], "2024-10-05T00:00:00.000Z",
        "{report}"
    );
}

#[test]
fn a_day_of_two_intervals_is_measured_and_its_loss_has_its_share_of_the_time() {
    // Yesterday checks every 10 s until 05:30, then every 5 minutes; 2 of 5 pings lost from 00:00 to
    // 00:08. In the first hour of the change as many of both are recorded as belong to it.
    let day = "strftime('%s', 'now', '-1 day', 'start of day') * 1000";
    let sql = format!(
        "insert into host(id, address, family, name) values(1, '192.0.2.1', 0, 'A');
         insert into host_interval(host_id, since, interval_ms) values(1, 0, 10000), (1, {day} + 19800000, 300000);
         with recursive n(at) as (select 0 union all select at + iif(at < 19800, 10, 300) from n where at < 86100)
         insert into check_result(host_id, checked_at, sent, received) select 1, {day} + at * 1000, 5, iif(at < 480, 3, 5) from n;"
    );
    let site = Site::new(&(sql + STALE));
    let days = &site.json("/api/overview?days=2")["hosts"][0]["days"];
    assert_eq!(days["measured_seconds"][0], 86_400, "{days}");
    assert_eq!(days["poor_percent"][0], 0, "8 minutes of a day: {days}");
}

#[test]
fn hours_and_days_of_zones_with_half_hours_begin_when_they_do() {
    // From half an hour before midnight in India to half an hour after it: one check of each
    // minute before it lost everything.
    let midnight = "(strftime('%s', 'now', '+330 minutes', 'start of day') - 330 * 60) * 1000";
    let sql = format!(
        "insert into host(id, address, family, name) values(1, '192.0.2.1', 0, 'A');
         insert into host_interval(host_id, since, interval_ms) values(1, 0, 60000);
         with recursive n(i) as (select -30 union all select i + 1 from n where i < 29)
         insert into check_result(host_id, checked_at, sent, received) select 1, {midnight} + i * 60000, 5, iif(i < 0, 3, 5) from n;"
    );
    let site = Site::new(&(sql + STALE));
    let overview = site.json("/api/overview?days=2&offset_minutes=330");
    let days = &overview["hosts"][0]["days"];
    assert_eq!(days["measured_seconds"][0], 1800, "{days}");
    assert_eq!(days["state"][0], "poor", "{days}");
    assert_ne!(days["state"][1], "poor", "{days}");
    let from = |minutes: i64| {
        let at = format!(
            "select strftime('%s', 'now', '+330 minutes', 'start of day') - 330 * 60 + {minutes} * 60"
        );
        let database =
            Connection::open(site.folder.path().join("connection_logs.db")).expect("the database");
        database
            .query_row(&at, [], |row| row.get::<_, i64>(0))
            .expect("a number")
    };
    let hours = site.json(&format!(
        "/api/hours?host_address=192.0.2.1&offset_minutes=330&from={}&to={}",
        from(-120),
        from(120)
    ));
    let columns = &hours["columns"];
    let measured: Vec<(i64, i64)> = (0..columns["t"].as_array().expect("hours").len())
        .map(|i| (columns["t"][i].as_i64(), columns["lost"][i].as_i64()))
        .map(|(t, lost)| (t.expect("a time") - from(0), lost.expect("a number")))
        .filter(|(t, _)| [-3600, 0].contains(t))
        .collect();
    assert_eq!(measured, [(-3600, 60), (0, 0)], "{columns}");
}

#[test]
fn the_changes_of_an_offset_are_lists_of_the_same_length() {
    let site = Site::new(&three_checks());
    site.json("/api/overview?offset_minutes=60&changed_at=1700000000,1690000000&earlier_offset_minutes=0,60");
    for wrong in [
        "changed_at=1700000000",
        "changed_at=1,2&earlier_offset_minutes=0",
        "changed_at=1&earlier_offset_minutes=901",
        "changed_at=never&earlier_offset_minutes=0",
    ] {
        let answer = site.get(&format!("/api/overview?{wrong}"));
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.body);
    }
}

#[test]
fn a_check_by_hand_stands_for_the_time_of_its_pings() {
    // By cron every five minutes for an hour; one got no reply.
    let outage = "insert into outage_events(host_name, host_address, event_type, start_time, end_time, duration_seconds, host_id)
            values('A', '192.0.2.1', 'outage', strftime('%Y-%m-%d %H:%M:%f', 'now', '-30 minutes'),
                   strftime('%Y-%m-%d %H:%M:%f', 'now', '-25 minutes'), 300, 1);";
    let checks = checks_of_a(300, 300, 12, "iif(i = 5, 0, 5)");
    let site = Site::new(&(host_a(5000, true) + &checks + outage + STALE));
    let statistics = site.json("/api/statistics/192.0.2.1");
    let number = |field: &str| statistics[field].as_f64().expect(field);
    assert_eq!(number("down_seconds"), 5.0, "{statistics}");
    assert!(
        (number("availability_percent") - 100.0 * 11.0 / 12.0).abs() < 0.01,
        "{statistics}"
    );
    assert!(
        (number("coverage_percent") - 100.0 * 60.0 / 3600.0).abs() < 0.1,
        "{statistics}"
    );
    // What lies between two checks by hand is not known, so no day has the outage's five minutes.
    let overview = site.json("/api/overview?days=2");
    let down = &overview["hosts"][0]["days"]["down_seconds"];
    let down = down.as_array().expect("a list").iter();
    assert_eq!(down.filter_map(Value::as_i64).sum::<i64>(), 5, "{overview}");
}

#[test]
fn a_planned_outage_is_not_grouped_with_those_that_follow() {
    let of_a = |ago, minutes| event("outage", "A", "192.0.2.1", "host", ago, minutes);
    let planned = of_a(60, Some(3)) + "update outage_events set planned = 1;";
    let sql =
        three_checks() + &planned + &of_a(56, Some(1)) + &of_a(54, Some(1)) + &of_a(52, Some(1));
    let site = Site::new(&sql);
    let list = site.json("/api/outages");
    let kinds: Vec<(&str, bool)> = list
        .as_array()
        .expect("a list")
        .iter()
        .map(|outage| {
            let kind = outage["event_type"].as_str().expect("a word");
            (kind, outage["planned"] == true)
        })
        .collect();
    assert_eq!(kinds, [("intermittent", false), ("outage", true)], "{list}");
    let sums = site.json("/api/outages/by-incident?days=1");
    assert_eq!(
        (&sums["outages"], &sums["down_seconds"]),
        (&1.into(), &180.into())
    );
}

#[test]
fn an_ongoing_intermittent_outage_says_since_when_the_host_is_down() {
    let of_a = |ago, minutes| event("outage", "A", "192.0.2.1", "host", ago, minutes);
    let sql =
        three_checks() + &of_a(9, Some(1)) + &of_a(7, Some(1)) + &of_a(5, Some(1)) + &of_a(2, None);
    let active = Site::new(&sql).json("/api/outages/active");
    let at = |field: &str| {
        let text = active[0][field].as_str().expect("a time");
        parse_instant(text).expect("RFC 3339").0
    };
    let later_ms = at("ongoing_since") - at("start_time");
    assert!((419_000..=421_000).contains(&later_ms), "{active}");
}

#[test]
fn of_an_imported_outage_only_what_was_measured_counts() {
    // The original saw it begin ten minutes before its last check, three hours ago. No run of this
    // program is recorded before the last minute.
    let sql = "insert into host(id, address, family, name) values(1, '192.0.2.1', 0, 'A');
        with recursive n(i) as (select 0 union all select i + 1 from n where i < 9)
        insert into check_result(host_id, checked_at, sent, received)
            select 1, (strftime('%s', 'now') - 10800 - i * 60) * 1000, 5, 0 from n;
        insert into outage_events(host_name, host_address, event_type, start_time)
            values('A', '192.0.2.1', 'outage', strftime('%Y-%m-%d %H:%M:%f', 'now', '-189 minutes'));";
    let site = Site::new(&(sql.to_string() + STALE));
    let sums = site.json("/api/outages/by-incident?days=1");
    assert_eq!((&sums["outages"], &sums["hosts"]), (&1.into(), &1.into()));
    let line = site.json("/api/overview?days=2")["line"]["unknown"]["down_seconds"].clone();
    for down in [&sums["down_seconds"], &line] {
        let is_ten_minutes = |down| (590..=610).contains(&down);
        assert!(down.as_i64().is_some_and(is_ten_minutes), "{down}");
    }
    let run = "insert into monitor_run(started_at, alive_at, version)
            values((strftime('%s', 'now') - 60) * 1000, strftime('%s', 'now') * 1000, '0');
        insert into check_result(host_id, checked_at, sent, received)
            values(1, (strftime('%s', 'now') - 30) * 1000, 5, 5);
        update outage_events set host_id = 1, end_time = strftime('%Y-%m-%d %H:%M:%f', 'now', '-30 seconds');";
    let site = Site::new(&(sql.to_string() + run + STALE));
    // The monitor's own half minute is known.
    let sums = site.json("/api/outages/by-incident?days=1");
    let seconds = sums["down_seconds"].as_i64().expect("a number");
    assert!((620..=640).contains(&seconds), "{sums}");
    let gaps = site.json("/api/gaps?hours=24");
    assert_eq!(gaps[0]["reason"], "the monitor had not run yet", "{gaps}");
}

#[test]
fn what_a_running_monitor_has_not_written_yet_is_not_missing() {
    // Checked every minute, the last time 100 s ago.
    let site = Site::new(&(host_a(60_000, false) + &checks_of_a(100, 60, 10, "5") + STALE));
    let shares = || {
        let statistics = site.json("/api/statistics/192.0.2.1")["coverage_percent"].clone();
        let overview = site.json("/api/overview?days=2")["hosts"][0]["coverage_percent"].clone();
        [statistics, overview].map(|share| share.as_f64().expect("a number"))
    };
    assert!(shares().iter().all(|share| *share < 95.0), "{:?}", shares());
    let file = site.folder.path().join("connection_logs.db-monitor");
    let lock = std::fs::File::create(file).expect("a file");
    lock.lock_shared().expect("a lock");
    assert!(shares().iter().all(|share| *share > 99.9), "{:?}", shares());
}

#[test]
fn after_a_kill_nothing_is_measured_from_the_last_record_on() {
    let sql = three_checks()
        + "insert into monitor_run(started_at, alive_at, version)
            values((strftime('%s', 'now') - 600) * 1000, (strftime('%s', 'now') - 50) * 1000, '0');";
    let site = Site::new(&sql);
    let gaps = || site.json("/api/gaps?hours=1").as_array().map(Vec::len);
    assert_eq!(gaps(), Some(0), "it may be running");
    // The lock's file without a lock.
    let file = site.folder.path().join("connection_logs.db-monitor");
    std::fs::write(file, "").expect("a file");
    assert_eq!(gaps(), Some(1));
}

#[test]
fn time_that_has_not_been_yet_is_not_missing() {
    let site = Site::new(&three_checks());
    let at = |seconds: i64| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.expect("after 1970").as_secs();
        i64::try_from(now).expect("before 2554") + seconds
    };
    let coverage = |from: i64, to: i64| {
        let span = format!("from={}&to={}", at(from), at(to));
        site.json(&format!("/api/statistics/192.0.2.1?{span}"))["coverage_percent"].clone()
    };
    // Three checks a minute apart, the last a minute ago.
    let until_tomorrow = coverage(-180, 86_400);
    assert!(
        until_tomorrow.as_f64().is_some_and(|share| share > 95.0),
        "{until_tomorrow}"
    );
    assert_eq!(coverage(3_600, 7_200), Value::Null);
}

#[test]
fn the_status_says_how_many_notices_wait_and_why_but_not_what_the_command_printed() {
    let site = Site::new("");
    assert!(site.json("/api/status")["notices"].is_null());
    site.sql(
        "insert into notice(made_at, kind, tries, failed_at, failure, output)
         values(1700000000000, 'down', 3, 1700000005000, 'sh: exit status: 3', 'a secret');
         insert into notice(made_at, kind) values(1700000001000, 'up');",
    );
    let answer = site.get("/api/status");
    assert!(!answer.body.contains("a secret"), "{}", answer.body);
    assert_eq!(
        answer.json()["notices"],
        serde_json::json!({
            "waiting": 2,
            "since": "2023-11-14T22:13:20.000Z",
            "reason": "no_command",
            "failure": null,
            "others_pass": false,
        })
    );
}
