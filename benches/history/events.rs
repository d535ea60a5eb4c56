//! Why what was down was down: the causes, facts and paths that a monitor would have written
//! meanwhile, and the events that are no host's own.

use std::path::Path;

use ace_connection_logger::pure::time::UtcMillis;
use rusqlite::{Connection, params};
use serde_json::json;

use super::{
    GATEWAY_OUTAGES, MINUTE_MS, OutageSpan, PLANNED, PROVIDER_OUTAGES, SWITCHED_OFF, UNPLUGGED,
    address_of,
};

const GATEWAY: &str = "192.168.1.1";

/// Explains the outages of a history that ends at `end`.
pub fn explain(file: &Path, end: UtcMillis) {
    let database = Connection::open(file).unwrap();
    database.execute_batch("begin").unwrap();
    let alone = json!({ "gateway_address": GATEWAY, "gateway": "answers", "beyond_answering": 2, "beyond_silent": 0,
        "near_answering": 0, "near_silent": 0 });
    database
        .execute(
            "update outage_events set cause = 'host', facts = ?1",
            [alone.to_string()],
        )
        .unwrap();
    for spell in PROVIDER_OUTAGES {
        let facts = json!({ "gateway_address": GATEWAY, "gateway": "answers", "beyond_answering": 0, "beyond_silent": 2,
            "near_answering": 1, "near_silent": 0, "path_reached": "100.64.0.1" });
        let traced = |minutes| UtcMillis(start(spell, end).0 + minutes * MINUTE_MS).rfc3339();
        let hops = json!([{ "at": traced(1), "reached": false, "hops": [GATEWAY, null, "100.64.0.1"] },
            { "at": traced(2), "reached": false, "hops": [GATEWAY] }]);
        judge(
            &database,
            spell,
            end,
            "provider",
            &facts.to_string(),
            Some(&hops.to_string()),
        );
    }
    for spell in GATEWAY_OUTAGES {
        let facts = json!({ "gateway_address": GATEWAY, "gateway": "silent", "beyond_answering": 0, "beyond_silent": 2,
            "near_answering": 0, "near_silent": 0 });
        judge(&database, spell, end, "gateway", &facts.to_string(), None);
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
    for spell in UNPLUGGED {
        begin(
            &database,
            spell,
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
    for spell in SWITCHED_OFF {
        let sleep = "insert into interruption(started_at, ended_at, kind) values(?1, ?2, 'asleep')";
        database
            .execute(sleep, params![start(spell, end).0, stop(spell, end).0])
            .unwrap();
    }
    let unresolved = OutageSpan::new(26, 1000, 17);
    begin(
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

fn start(spell: &OutageSpan, end: UtcMillis) -> UtcMillis {
    UtcMillis(end.0 - spell.minutes_ago * MINUTE_MS)
}

fn stop(spell: &OutageSpan, end: UtcMillis) -> UtcMillis {
    UtcMillis(start(spell, end).0 + spell.minutes * MINUTE_MS)
}

/// The outages that began within a spell have this cause.
fn judge(
    database: &Connection,
    spell: &OutageSpan,
    end: UtcMillis,
    cause: &str,
    facts: &str,
    path: Option<&str>,
) {
    let write = "update outage_events set cause = ?1, facts = ?2, path = ?3 where start_time between ?4 and ?5";
    let (from, to) = (start(spell, end).sql_text(), stop(spell, end).sql_text());
    database
        .execute(write, params![cause, facts, path, from, to])
        .unwrap();
}

/// An event that no host's silence made: its name, address, type, cause and notes.
fn begin(
    database: &Connection,
    spell: &OutageSpan,
    end: UtcMillis,
    [name, address, kind, cause, notes]: [&str; 5],
) {
    let write =
        "insert into outage_events(host_name, host_address, event_type, start_time, end_time, duration_seconds, cause, notes)
                 values(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let (from, to) = (start(spell, end).sql_text(), stop(spell, end).sql_text());
    database
        .execute(
            write,
            params![
                name,
                address,
                kind,
                from,
                to,
                spell.minutes * 60,
                cause,
                notes
            ],
        )
        .unwrap();
}
