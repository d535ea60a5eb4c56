//! Every way in which what is stored is read and written: the answers of the page, the report and
//! the export in each format, the newest results; and then the writer.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::sample::{Folder, check, hosts, now};
use crate::alerts::{self, Alert};
use crate::api::{Api, ApiConfig};
use crate::config::{self, Config};
use crate::export;
use crate::pure::incident::GroupingRules;
use crate::pure::model::{
    AlertKind, CheckResult, EventId, Interruption, InterruptionKind, LocalFault, Probe, Unsent,
};
use crate::pure::run_clock::{ClockStep, Correction, Why};
use crate::pure::scene::Scene;
use crate::pure::time::{DAY_MS, HOUR_MS, LATEST_MS, UtcMillis};
use crate::report::{self, Appendix, RawPings, ReportQuery, ReportSettings, gather};
use crate::status::HostStatuses;
use crate::store::{
    Checks, Database, Notice, NoticeResult, Reader, Record, RunState, SendFailure, StoreError,
};
use crate::web::{Body, Handler, Request};

/// The configuration of the sample's hosts and a third one.
pub fn configuration(database: &Path) -> Config {
    let text = "hosts: [{name: one, address: 192.0.2.1}, {name: two, address: two.example, source: 192.0.2.9},
        {name: new, address: 192.0.2.77}]
alerts: {command: [/bin/true]}";
    let mut config = config::parse(text.as_bytes(), "config.yaml").config;
    config.database.path = database.to_path_buf();
    config
}

/// Paths of the API, with what they are asked.
const REQUESTS: &[&str] = &[
    "/health",
    "/metrics",
    "/api/status",
    "/api/hosts",
    "/api/hosts/all",
    "/api/hosts/192.0.2.1/active-outage",
    "/api/ping-results?host_address=192.0.2.1&hours=0&limit=0",
    "/api/ping-results",
    "/api/ping-results/latest",
    "/api/statistics/192.0.2.1",
    "/api/statistics/two.example?hours=0",
    "/api/series?host_address=192.0.2.1",
    "/api/series?host_address=two.example&from=0&to=8796093022&points=50",
    "/api/series?host_address=one&points=5000",
    "/api/distribution?host_address=192.0.2.1&from=0",
    "/api/hours?host_address=192.0.2.1&offset_minutes=330",
    "/api/overview",
    "/api/overview?days=400",
    "/api/outages?limit=0",
    "/api/outages?host_address=192.0.2.1&days=2",
    "/api/outages/by-incident",
    "/api/outages/by-incident?host_address=one&cause=provider",
    "/api/outages/active",
    "/api/outages/statistics/192.0.2.1",
    "/api/incidents",
    "/api/gaps",
    "/api/gaps?host_address=192.0.2.1",
    "/api/report?format=json",
];

fn request(target: &str) -> Request {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name.to_owned(), value.to_owned())
    };
    Request {
        path: path.to_owned(),
        query: query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(pair)
            .collect(),
        if_none_match: None,
        accept: None,
        is_from_other_origin: false,
    }
}

/// The status of a reply, whose body is read to its end.
pub fn answer(api: &Api, request: &Request) -> (u16, String) {
    let reply = api.handle(request);
    let body = match reply.body {
        Body::Whole(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Body::Written(write) => {
            let mut body = Vec::new();
            if let Err(error) = write(&mut body) {
                return (error.status, String::new());
            }
            String::from_utf8_lossy(&body).into_owned()
        }
        Body::Chunks(mut chunks) => {
            let mut body = Vec::new();
            while let Some(chunk) = (chunks.next)() {
                body.extend(chunk);
            }
            String::from_utf8_lossy(&body).into_owned()
        }
    };
    (reply.status, body)
}

/// Requests that were refused or answered with an error, and commands that failed.
pub type Failures = Vec<String>;

/// Runs every reader. What fails is returned: none may panic, whatever the file contains.
pub fn read_everything(path: &Path, scratch: &Folder) -> Failures {
    let config = configuration(path);
    let mut failures = Vec::new();
    let api = Api::new(ApiConfig::of(&config), || ());
    for target in REQUESTS {
        let (status, body) = answer(&api, &request(target));
        let is_stale = *target == "/health" && body.contains("three intervals");
        if status != 200 && !is_stale {
            failures.push(format!("{target}: {status} {body}"));
        }
    }
    drop(api);
    if let Err(error) = read_through_the_library(path, &config, scratch, &mut failures) {
        failures.push(error.to_string());
    }
    failures
}

fn read_through_the_library(
    path: &Path,
    config: &Config,
    scratch: &Folder,
    failures: &mut Failures,
) -> Result<(), StoreError> {
    let now = now();
    let Some(reader) = Reader::open(path)? else {
        return Ok(());
    };
    let statuses = HostStatuses::read(&reader, config.database.flush, now)?;
    drop(statuses.of_hosts(&config.hosts));
    reader.newest_run()?;
    reader.first_run()?;
    let notices = reader.notices(UtcMillis(0))?;
    word(&notices, &config.grouping, now);
    let queue = alerts::Queue::read(&reader, &config.alerts, &config.grouping, true, now)?;
    queue.map(|queue| queue.sentence(UtcMillis::rfc3339));
    let settings = ReportSettings::of(config);
    for span in [
        now.plus(-2 * DAY_MS)..now,
        UtcMillis(0)..now.plus(-30 * 60_000),
    ] {
        let query = ReportQuery {
            span,
            now,
            only: None,
            settings: &settings,
            offset_at: |_| 5 * 3600 + 1800,
            appendix: Appendix::RawPings,
        };
        match gather(&reader, &query, &mut |_, _| ()) {
            Ok(report) => format_all(&reader, &report)?,
            Err(error) => failures.push(format!("report: {error:?}")),
        }
    }
    let hosts = reader.hosts()?;
    let span = UtcMillis(0)..UtcMillis(LATEST_MS + 1);
    for format in [
        export::Format::Csv,
        export::Format::JsonLines,
        export::Format::OpenMetrics,
    ] {
        let written = export::write(
            &reader,
            &hosts,
            &span,
            format,
            &export::SeriesLabels::default(),
            &mut std::io::sink(),
            &mut |_| (),
        );
        failures.extend(written.err().map(|error| format!("export: {error}")));
    }
    reader.count_checks(&hosts, &span)?;
    let mut newest = Checks::new(hosts.clone(), &span, 30);
    while newest.next(&reader)?.is_some() {}
    let exported = scratch.file("exported.db");
    drop(std::fs::remove_file(&exported));
    reader.export_original(&hosts, &span, &exported, &mut |_| ())?;
    Ok(())
}

/// The alerts that notices make.
pub fn word(notices: &[Notice], rules: &GroupingRules, now: UtcMillis) {
    let planned = alerts::plan(notices, rules, now);
    let firsts = planned.iter().flat_map(|planned| &planned.singles);
    let all: Vec<&Alert> = planned
        .iter()
        .map(|planned| &planned.alert)
        .chain(firsts)
        .collect();
    let digest = alerts::digest(&all);
    for alert in all.into_iter().chain(&digest) {
        alerts::alert_text(alert, now, |_| 3600);
    }
}

fn format_all(reader: &Reader, report: &report::Report) -> Result<(), StoreError> {
    for format in report::Format::ALL {
        report.format(format);
        let mut pings = RawPings::of(report);
        while let Some(checks) = pings.next(reader)? {
            report.format_pings(format, &checks, 0);
        }
    }
    Ok(())
}

/// Starts a monitor's writer, writes records of each kind, changes the clock, deletes what is old,
/// and imports what [`read_everything`] exported. An error names the step.
pub fn write_everything(path: &Path, scratch: &Folder) -> Failures {
    let mut failures = Vec::new();
    let opened = Database::open(path, &mut |_, _| ());
    let mut database = match opened {
        Ok(opened) => opened.database,
        Err(error) => return vec![format!("opening: {error}")],
    };
    let mut step = |what: &str, result: Result<(), StoreError>| {
        failures.extend(result.err().map(|error| format!("{what}: {error}")));
    };
    let now = now();
    step("proven_time", database.proven_time(now).map(drop));
    step("begin_run", database.begin_run(now, true));
    database.set_alerts(AlertKind::ALL.into_iter().collect());
    let dated = database.run_clock.dated(now);
    step("write", write_records(&mut database, dated));
    database.viewed_at();
    let [one, two] = hosts();
    let removed = [(two, None), (one, Some(dated))];
    step("end_outages_of", database.end_outages_of(&removed));
    let ids = [1, 2, 3].map(EventId);
    step(
        "annotate",
        database
            .annotate(&ids, Some("a note"), Some(true))
            .map(drop),
    );
    for correction in corrections(dated) {
        let clock_step = ClockStep {
            now: dated,
            step_ms: 3_600_000,
        };
        step(
            "correct",
            database.correct(&clock_step, &[correction]).map(drop),
        );
    }
    let back = ClockStep {
        now: dated.plus(-5_000),
        step_ms: -7_200_000,
    };
    step("correct", database.correct(&back, &[]).map(drop));
    let ms = |ms: i64| Duration::from_millis(ms.unsigned_abs());
    for _ in 0..2 {
        let pruned = database.prune(dated, ms(30 * 60_000), ms(DAY_MS), 40);
        step("prune", pruned.map(drop));
    }
    let exported = scratch.file("exported.db");
    if exported.exists() {
        step(
            "import",
            database.import(&exported, &mut |_, _| ()).map(drop),
        );
    }
    step(
        "take_back_lead",
        database.take_back_lead(&ClockStep {
            now: dated.plus(-5_000),
            step_ms: -5_000,
        }),
    );
    step(
        "write again",
        write_records(&mut database, dated.plus(60_000)),
    );
    failures
}

fn write_records(database: &mut Database, now: UtcMillis) -> Result<(), StoreError> {
    let [one, two] = hosts();
    let mut scene = Scene::default();
    let lossy = check(
        &one,
        now.plus(-3_000),
        &[Some(1000), None, Some(2000), None],
    );
    let good = check(&one, now.plus(-1_000), &[Some(1000); 5]);
    let silent = check(&two, now.plus(-2_000), &[None; 5]);
    let why = "no route to host".to_owned();
    let none = CheckResult::not_measured(Arc::clone(&two), now.plus(-900), LocalFault::Host, why);
    let checks = [lossy, silent, none, good];
    checks.iter().for_each(|check| scene.add_check(check));
    let probe = |host: &Arc<_>, ms: i64, is_answered: bool| {
        Record::Probe(Probe {
            host: Arc::clone(host),
            at: now.plus(ms),
            is_answered,
        })
    };
    let span = (now.plus(-HOUR_MS), now.plus(-HOUR_MS + 5_000));
    let interruption = |kind| {
        Record::Interruption(Interruption {
            kind,
            from: span.0,
            to: span.1,
        })
    };
    let failure = SendFailure {
        end: "mail: exit status 1".into(),
        output: "no such user".into(),
    };
    let notice = |failure| {
        Record::Notice(NoticeResult {
            ids: vec![1, 2, 3],
            at: now,
            failure,
        })
    };
    let mut records: Vec<Record> = checks.into_iter().map(Record::Check).collect();
    records.extend(InterruptionKind::ALL.map(interruption));
    records.extend([
        probe(&two, -800, false),
        probe(&one, -700, false),
        probe(&one, -600, true),
        Record::Unsent(Unsent {
            host: two,
            from: span.0,
            to: span.1,
            reason: "no carrier".into(),
        }),
        notice(Some(failure)),
        notice(None),
    ]);
    database
        .write_records(&records, &scene, now, RunState::Running)
        .map(drop)
}

fn corrections(now: UtcMillis) -> [Correction; 4] {
    let recent = now.0 - 3 * HOUR_MS..=now.0 - 60_000;
    [
        Correction::Redate {
            times: recent,
            by_ms: 3_600_000,
            why: Why::SetBack,
        },
        Correction::TakeBack {
            from: now.plus(-2 * HOUR_MS),
            skipped_ms: HOUR_MS,
            by_ms: -3_600_000,
            until: now,
        },
        Correction::Redate {
            times: now.0 - 40 * HOUR_MS..=now.0,
            by_ms: -1_500,
            why: Why::Behind,
        },
        Correction::Skip {
            from: now.plus(-HOUR_MS),
            by_ms: 60_000,
        },
    ]
}
