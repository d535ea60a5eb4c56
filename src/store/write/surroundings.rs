//! Records from the scene the cause of an outage with its evidence and the path of packets, and
//! the events that are not a host's: a link that is down, a name that does not resolve. In the
//! transaction that records the outages.

use super::notices::Notices;
use super::outages::{Changed, Outages};
use crate::pure::address::IpVersion;
use crate::pure::cause::{self, Cause};
use crate::pure::model::{EventId, EventKind, Host, HostId};
use crate::pure::outage::OutageChange;
use crate::pure::own_link::LinkDown;
use crate::pure::path::Path;
use crate::pure::phrase;
use crate::pure::scene::{NameFailure, Scene};
use crate::pure::time::UtcMillis;
use crate::pure::time::whole_seconds;
use crate::store::columns::{ReadRows, flag, text};
use crate::store::event::{COLUMNS, OutageEvent, read_event};
use crate::store::rows::source_column;
use rusqlite::{Connection, params};
use std::sync::Arc;

/// Paths stored with an event: the first and the newest.
const PATHS: usize = 5;

pub fn record(
    connection: &Connection,
    scene: &Scene,
    outages: &Outages<'_>,
    notices: &mut Notices<'_>,
    now: UtcMillis,
) -> rusqlite::Result<()> {
    judge_changed(connection, scene, outages, now, &mut notices.log_lines)?;
    record_links(connection, scene, notices, now)?;
    record_names(connection, scene, notices, now)
}

/// Judges every outage that changed, by the observations from its start to its end or now.
fn judge_changed(
    connection: &Connection,
    scene: &Scene,
    outages: &Outages<'_>,
    now: UtcMillis,
    log_lines: &mut Vec<String>,
) -> rusqlite::Result<()> {
    let mut judged = std::collections::HashSet::new();
    // The newest change of an event includes the earlier ones.
    for Changed {
        event_id,
        host,
        change,
        ..
    } in outages.changed.iter().rev()
    {
        if !judged.insert(*event_id) {
            continue;
        }
        let (outage, to) = match change {
            OutageChange::Began(outage) | OutageChange::Continues(outage) => {
                (outage, now.max(outage.start))
            }
            OutageChange::Ended(outage, end) => (outage, end.at),
        };
        let cause = judge(connection, scene, *event_id, host, outage.start, to)?;
        if let OutageChange::Ended(_, end) = change {
            let lasted = phrase::duration_of(end.duration_seconds);
            let cause = cause
                .map(|cause| format!("; cause: {}", cause.as_str()))
                .unwrap_or_default();
            log_lines.push(format!("{host}: an outage of {lasted} is over{cause}"));
        }
        if let Some(path) = scene
            .broken_path(host)
            .filter(|path| path.at >= outage.start && path.at <= to)
        {
            add_path(connection, *event_id, path)?;
        }
    }
    Ok(())
}

fn judge(
    connection: &Connection,
    scene: &Scene,
    event_id: EventId,
    host: &Host,
    from: UtcMillis,
    to: UtcMillis,
) -> rusqlite::Result<Option<Cause>> {
    // An unknown cause replaces a known one if the beginning of the outage was observed too: after
    // a restart nothing is known of it.
    const WRITE: &str = "update outage_events set cause = ?2, facts = ?3 where id = ?1 and (cause is not ?2 or facts is not ?3)
                            and (?2 <> 'unknown' or ?4 or coalesce(cause, 'unknown') = 'unknown')";
    let Some(evidence) = scene.evidence(host, from, to) else {
        return Ok(None);
    };
    let cause = cause::judge(&evidence);
    let facts = serde_json::to_string(&evidence).unwrap_or_default();
    connection.prepare_cached(WRITE)?.execute(params![
        event_id,
        cause.as_str(),
        facts,
        evidence.is_complete
    ])?;
    Ok(Some(cause))
}

fn add_path(connection: &Connection, event_id: EventId, path: &Path) -> rusqlite::Result<()> {
    const READ: &str = "select path from outage_events where id = ?1";
    const WRITE: &str = "update outage_events set path = ?2 where id = ?1";
    let known = connection
        .prepare_cached(READ)?
        .read_first([event_id], |row| text(row, 0))?
        .flatten();
    let mut paths: Vec<serde_json::Value> = known
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let Ok(new) = serde_json::to_value(path) else {
        return Ok(());
    };
    if paths.last().is_some_and(|last| last["at"] == new["at"]) {
        return Ok(());
    }
    paths.push(new);
    if paths.len() > PATHS {
        paths.remove(1);
    }
    let text = serde_json::to_string(&paths).unwrap_or_default();
    connection
        .prepare_cached(WRITE)?
        .execute(params![event_id, text])
        .map(|_| ())
}

/// Ongoing events of a kind.
fn open_events_of(connection: &Connection, kind: EventKind) -> rusqlite::Result<Vec<OutageEvent>> {
    let open = format!(
        "select {COLUMNS} from outage_events where end_time is null and event_type = ?1 order by id"
    );
    connection
        .prepare_cached(&open)?
        .read_all([kind.as_str()], read_event)
}

fn begin(
    connection: &Connection,
    notices: &mut Notices<'_>,
    event: &NewEvent<'_>,
) -> rusqlite::Result<()> {
    const BEGIN: &str =
        "insert into outage_events(host_name, host_address, event_type, start_time, earliest_start, notes, cause, facts, host_id)
                         values(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let NewEvent {
        name,
        address,
        host_id,
        event_type,
        start,
        earliest,
        notes,
        cause,
        facts,
    } = event;
    notices
        .log_lines
        .push(format!("{event_type}, {name} {address}: {notes}"));
    let earliest = earliest
        .filter(|earliest| earliest <= start)
        .map(UtcMillis::sql_text);
    let values = params![
        name,
        address,
        event_type.as_str(),
        start.sql_text(),
        earliest,
        notes,
        cause.as_str(),
        facts,
        host_id
    ];
    connection.prepare_cached(BEGIN)?.execute(values)?;
    notices.began(EventId(connection.last_insert_rowid()));
    Ok(())
}

struct NewEvent<'a> {
    name: &'a str,
    address: &'a str,
    /// `None` for a link.
    host_id: Option<HostId>,
    event_type: EventKind,
    start: UtcMillis,
    earliest: Option<UtcMillis>,
    notes: &'a str,
    cause: Cause,
    facts: String,
}

fn end(
    connection: &Connection,
    notices: &mut Notices<'_>,
    event: &OutageEvent,
    at: UtcMillis,
) -> rusqlite::Result<()> {
    const END: &str = "update outage_events set end_time = ?2, duration_seconds = ?3 where id = ?1";
    let start = event.start_time.unwrap_or(at);
    let at = at.max(start);
    let lasted = whole_seconds(&(start..at));
    notices.log_lines.push(format!(
        "{}, {} {}: over after {}",
        event.event_type,
        event.host_name,
        event.host_address,
        phrase::duration_of(lasted)
    ));
    connection
        .prepare_cached(END)?
        .execute(params![event.id, at.sql_text(), lasted])?;
    notices.ended(event.id);
    Ok(())
}

/// `host_name` of events of this machine's own link; their `host_address` says for which
/// versions of IP.
const LINK: &str = "link";

fn address_of(versions: &[IpVersion]) -> String {
    let word = |version: &IpVersion| match version {
        IpVersion::V4 => "IPv4",
        IpVersion::V6 => "IPv6",
    };
    versions.iter().map(word).collect::<Vec<_>>().join(" and ")
}

fn versions_of(address: &str) -> Vec<IpVersion> {
    [(IpVersion::V4, "IPv4"), (IpVersion::V6, "IPv6")]
        .into_iter()
        .filter(|(_, word)| address.contains(word))
        .map(|(v, _)| v)
        .collect()
}

/// How much later than the first the second version of IP may be restored.
const LINK_SETTLES_MS: i64 = 5_000;

const WAS_RECORDED: &str = "select exists(select 1 from check_result where host_id in (select id from host where address = ?1))";

/// One event for all hosts to which nothing can be sent.
fn record_links(
    connection: &Connection,
    scene: &Scene,
    notices: &mut Notices<'_>,
    now: UtcMillis,
) -> rusqlite::Result<()> {
    const RENAME: &str = "update outage_events set host_address = ?2 where id = ?1";
    let open = open_events_of(connection, EventKind::LinkDown)?;
    let mut down = scene.own_links().down();
    for event in open {
        let known = versions_of(&event.host_address);
        let same = down
            .iter()
            .position(|link| link.versions.iter().any(|version| known.contains(version)));
        match same.map(|index| down.remove(index)) {
            Some(LinkDown { versions, .. })
                if known.iter().all(|version| versions.contains(version)) =>
            {
                if versions.len() > known.len() {
                    connection
                        .prepare_cached(RENAME)?
                        .execute(params![event.id, address_of(&versions)])?;
                }
            }
            // One of two versions is restored: the other gets an event of its own.
            Some(LinkDown {
                versions,
                reason,
                hosts,
                ..
            }) => {
                let back = known.iter().filter(|version| !versions.contains(version));
                let at = back
                    .filter_map(|version| scene.own_links().restored_at(*version))
                    .max()
                    .unwrap_or(now);
                // Both versions of one cable are restored shortly after each other.
                if (0..LINK_SETTLES_MS).contains(&(now.0 - at.0)) {
                    continue;
                }
                end(connection, notices, &event, at)?;
                begin_link(
                    connection,
                    notices,
                    &LinkDown {
                        versions,
                        since: at,
                        earliest: None,
                        reason,
                        hosts,
                    },
                )?;
            }
            None => {
                let cleared = known
                    .iter()
                    .filter_map(|version| scene.own_links().restored_at(*version))
                    .max();
                // After a restart that is unknown until something was sent.
                if let Some(at) = cleared.or_else(|| scene.own_links().first_sent_at(&known)) {
                    end(connection, notices, &event, at)?;
                }
            }
        }
    }
    down.iter()
        .try_for_each(|link| begin_link(connection, notices, link))
}

fn begin_link(
    connection: &Connection,
    notices: &mut Notices<'_>,
    link: &LinkDown,
) -> rusqlite::Result<()> {
    // A version of IP that never worked is not down: the user listed a host that this network
    // cannot reach.
    let mut was_there = link.earliest.is_some();
    for host in &link.hosts {
        let was_recorded = connection
            .prepare_cached(WAS_RECORDED)?
            .read_first([host.address.as_str()], |row| Ok(flag(row, 0)))?;
        was_there |= was_recorded == Some(true);
    }
    if !was_there {
        return Ok(());
    }
    begin(
        connection,
        notices,
        &NewEvent {
            name: LINK,
            address: &address_of(&link.versions),
            host_id: None,
            event_type: EventKind::LinkDown,
            start: link.since,
            earliest: link.earliest,
            notes: &link.reason,
            cause: Cause::Link,
            facts: serde_json::json!({ "link_fault": link.reason }).to_string(),
        },
    )
}

/// An event for each name that stopped resolving, whatever the number of its hosts.
fn record_names(
    connection: &Connection,
    scene: &Scene,
    notices: &mut Notices<'_>,
    now: UtcMillis,
) -> rusqlite::Result<()> {
    const RENAME: &str =
        "update outage_events set host_name = ?2, host_id = coalesce(?3, host_id) where id = ?1";
    let failing = scene.unresolved_names();
    let open = open_events_of(connection, EventKind::Dns)?;
    for event in &open {
        let of_event = failing
            .iter()
            .filter(|failure| is_name_of(event, &failure.host));
        if let Some(failure) = of_event.min_by_key(|failure| &failure.host.name) {
            // Of several hosts the first by name, not the one whose check was first.
            if failure.host.name < event.host_name {
                let host_id = recorded_id(connection, &failure.host)?;
                connection.prepare_cached(RENAME)?.execute(params![
                    event.id,
                    failure.host.name,
                    host_id
                ])?;
            }
            continue;
        }
        let since = event.start_time.unwrap_or(UtcMillis(0));
        if let Some(at) = scene.resolved_at_address(&event.host_address, since) {
            end(connection, notices, event, at.min(now))?;
        }
    }
    let mut begun: Vec<Arc<Host>> = Vec::new();
    for NameFailure {
        host,
        since,
        earliest,
        reason,
    } in failing
    {
        let has_same_name = |other: &Arc<Host>| {
            let address = other.address.as_str();
            address.eq_ignore_ascii_case(host.address.as_str())
        };
        if open.iter().any(|event| is_name_of(event, &host)) || begun.iter().any(has_same_name) {
            continue;
        }
        // A name that never resolved is an error in the configuration.
        let Some(host_id) = recorded_id(connection, &host)? else {
            continue;
        };
        begin(
            connection,
            notices,
            &NewEvent {
                name: &host.name,
                address: host.address.as_str(),
                host_id: Some(host_id),
                event_type: EventKind::Dns,
                start: since,
                earliest,
                notes: &reason,
                cause: Cause::Dns,
                facts: serde_json::json!({ "resolver": reason }).to_string(),
            },
        )?;
        begun.push(host);
    }
    Ok(())
}

fn is_name_of(event: &OutageEvent, host: &Host) -> bool {
    (event.host_address).eq_ignore_ascii_case(host.address.as_str())
}

/// The id of a host that was measured at least once.
fn recorded_id(connection: &Connection, host: &Host) -> rusqlite::Result<Option<HostId>> {
    const RECORDED: &str = "select id from host
         where address = ?1 and family = ?2 and coalesce(source, ?3) = ?3
           and exists(select 1 from check_result where host_id = id)";
    let values = params![
        host.address.as_str(),
        IpVersion::family_column(host.family),
        source_column(host.source.as_ref())
    ];
    connection
        .prepare_cached(RECORDED)?
        .read_first(values, |row| row.get(0))
}
