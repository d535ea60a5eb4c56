//! The causes, facts and paths of the outages, and the events that concern no single host, which a
//! monitor would have recorded.

use std::path::Path;

use ace_connection_logger::pure::time::UtcMillis;
use rusqlite::{Connection, params};
use serde_json::json;

use super::{
    GATEWAY_OUTAGES, MINUTE_MS, PLANNED, PROVIDER_OUTAGES, Period, SWITCHED_OFF, UNPLUGGED,
    address_of,
};

const GATEWAY: &str = "192.168.1.1";

/// Adds them to a history that ends at `end`.
pub fn explain(file: &Path, end: UtcMillis) {
    let database = Connection::open(file).unwrap();
    database.execute_batch("begin").unwrap();
    let one_host = json!({ "gateway_address": GATEWAY, "gateway": "answers", "beyond_answering": 2, "beyond_silent": 0,
        "near_answering": 0, "near_silent": 0 });
    database
        .execute(
            "update outage_events set cause = 'host', facts = ?1",
            [one_host.to_string()],
        )
        .unwrap();
    for period in PROVIDER_OUTAGES {
        let facts = json!({ "gateway_address": GATEWAY, "gateway": "answers", "beyond_answering": 0, "beyond_silent": 2,
            "near_answering": 1, "near_silent": 0, "path_reached": "100.64.0.1" });
        let traced = |minutes| UtcMillis(start(period, end).0 + minutes * MINUTE_MS).rfc3339();
        let hops = json!([{ "at": traced(1), "reached": false, "hops": [GATEWAY, null, "100.64.0.1"] },
            { "at": traced(2), "reached": false, "hops": [GATEWAY] }]);
        set_cause(
            &database,
            period,
            end,
            "provider",
            &facts.to_string(),
            Some(&hops.to_string()),
        );
    }
    for period in GATEWAY_OUTAGES {
        let facts = json!({ "gateway_address": GATEWAY, "gateway": "silent", "beyond_answering": 0, "beyond_silent": 2,
            "near_answering": 0, "near_silent": 0 });
        set_cause(&database, period, end, "gateway", &facts.to_string(), None);
    }
    let planned = "update outage_events set planned = 1, notes = 'upgrade of the mail server'
                    where host_address = ?1 and start_time between ?2 and ?3";
    database
        .execute(
            planned,
            params![
                address_of(3),
                start(&PLANNED, end).sql_text(),
                stop(&PLANNED, end).sql_text()
            ],
        )
        .unwrap();
    for period in UNPLUGGED {
        add_event(
            &database,
            period,
            end,
            [
                "link",
                "IPv4 and IPv6",
                "link_down",
                "link",
                "eth0 has no carrier",
            ],
        );
    }
    for period in SWITCHED_OFF {
        let insert =
            "insert into interruption(started_at, ended_at, kind) values(?1, ?2, 'asleep')";
        database
            .execute(insert, params![start(period, end).0, stop(period, end).0])
            .unwrap();
    }
    let unresolved = Period::new(26, 1000, 17);
    add_event(
        &database,
        &unresolved,
        end,
        [
            "Host 3",
            &address_of(3),
            "dns",
            "dns",
            "temporary failure in name resolution",
        ],
    );
    database.execute_batch("commit").unwrap();
}

fn start(period: &Period, end: UtcMillis) -> UtcMillis {
    UtcMillis(end.0 - period.minutes_ago * MINUTE_MS)
}

fn stop(period: &Period, end: UtcMillis) -> UtcMillis {
    UtcMillis(start(period, end).0 + period.minutes * MINUTE_MS)
}

/// Sets the cause of the outages that began within a period.
fn set_cause(
    database: &Connection,
    period: &Period,
    end: UtcMillis,
    cause: &str,
    facts: &str,
    path: Option<&str>,
) {
    let update = "update outage_events set cause = ?1, facts = ?2, path = ?3 where start_time between ?4 and ?5";
    let (from, to) = (start(period, end).sql_text(), stop(period, end).sql_text());
    database
        .execute(update, params![cause, facts, path, from, to])
        .unwrap();
}

/// Adds an event.
fn add_event(
    database: &Connection,
    period: &Period,
    end: UtcMillis,
    [name, address, kind, cause, notes]: [&str; 5],
) {
    let insert =
        "insert into outage_events(host_name, host_address, event_type, start_time, end_time, duration_seconds, cause, notes)
                 values(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let (from, to) = (start(period, end).sql_text(), stop(period, end).sql_text());
    database
        .execute(
            insert,
            params![
                name,
                address,
                kind,
                from,
                to,
                period.minutes * 60,
                cause,
                notes
            ],
        )
        .unwrap();
}
