//! What must never be recorded, whatever happens on a day: times that run backwards, what the
//! packets on the wire contradict, and a cause that its own facts or path contradict.

use ace_connection_logger::pure::cause::Cause;
use ace_connection_logger::pure::time::UtcMillis;
use ace_connection_logger::store::{GroupedOutage, Incident};
use serde_json::Value;

use super::actions::Action;
use super::line::Line;
use super::script::{Day, Expected};

pub fn find(
    day: &Day,
    line: &Line,
    end: UtcMillis,
    outages: &[GroupedOutage],
    incidents: &[Incident],
) -> Vec<String> {
    let mut wrong = impossible_records(line, end);
    wrong.extend(differences_from_the_wire(day, line));
    if !line.has_faked_clock && !is_lossy(day) {
        wrong.extend(outages.iter().filter_map(contradiction));
    }
    for incident in incidents {
        let mut of_hosts = outages
            .iter()
            .filter(|outage| incident.host_names.contains(&outage.event.name()));
        if !of_hosts.any(|outage| outage.event.cause == Some(incident.cause)) {
            wrong.push(format!(
                "an incident has a cause of none of its hosts: {incident:?}"
            ));
        }
    }
    wrong
}

/// A trace over a lossy line can reach a host that answers none of its own pings.
fn is_lossy(day: &Day) -> bool {
    (day.expected.iter()).any(|expected| matches!(expected, Expected::EveryOutage { .. }))
}

/// Why the cause, the facts and the path of an outage cannot all be right.
fn contradiction(outage: &GroupedOutage) -> Option<String> {
    let event = &outage.event;
    let cause = event.cause?;
    let parse = |text: &Option<String>| -> Value {
        let text = text.as_deref().unwrap_or("null");
        serde_json::from_str(text).expect("it is stored as JSON")
    };
    let (facts, paths) = (parse(&event.facts), parse(&event.path));
    let number = |name: &str| facts[name].as_u64().unwrap_or(0);
    let others = number("beyond_answering");
    let on_path = number("on_path_answering");
    let gateway_answered = facts["gateway"] == "answers";
    let gateway = facts["gateway_address"].as_str();
    let path = paths.as_array().and_then(|paths| paths.first());
    let hops: Vec<&str> = path
        .and_then(|path| path["hops"].as_array())
        .map(|hops| hops.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let on_link = facts["link_reached"].as_str();
    let mut reached = hops.iter().copied().chain(on_link);
    let got_past_gateway = reached.any(|hop| Some(hop) != gateway);
    let is_shown = |cause: Cause| match cause {
        Cause::Link => facts["link_fault"].is_string(),
        Cause::Dns => facts["resolver"].is_string(),
        Cause::Gateway => !gateway_answered && others + on_path == 0 && !got_past_gateway,
        // Something shows that packets left this machine's network, and nothing that they arrived.
        // The other end of a link without a gateway address is the provider's.
        Cause::Provider => {
            let has_left = gateway_answered || on_path > 0 || !hops.is_empty() || on_link.is_some();
            others == 0 && (has_left || (gateway.is_none() && path.is_some()))
        }
        Cause::Host => {
            others + on_path + number("near_answering") > 0 || gateway_answered || !hops.is_empty()
        }
        Cause::Unknown => others == 0,
    };
    let what = if !is_shown(cause) {
        "its facts"
    } else if path.is_some_and(|path| path["reached"] == true) {
        "a path that reached the host"
    } else if facts["path_reached"].as_str() != hops.last().copied()
        && cause != Cause::Dns
        // The facts of fragments are those of the first, and the path can be another's.
        && outage.members.len() == 1
    {
        "another router that the path reached"
    } else {
        return None;
    };
    Some(format!(
        "{}: the cause {} contradicts {what}: {facts}, path {paths}",
        event.host_name,
        cause.as_str()
    ))
}

/// What was recorded and contradicts the packets that the tap has seen.
fn differences_from_the_wire(day: &Day, line: &Line) -> Vec<String> {
    let database = rusqlite::Connection::open(line.database()).expect("the database");
    let counts = |sql: &str, address: &str| -> Vec<(i64, i64)> {
        let mut query = database.prepare(sql).expect("the tables");
        let rows = query.query_map([address], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.expect("a query")
            .collect::<Result<_, _>>()
            .expect("rows")
    };
    let mut wrong = Vec::new();
    // One reply between two silences does not end an outage.
    let single_replies = day
        .actions
        .iter()
        .filter(|(_, action)| matches!(action, Action::Run { script, .. } if script.contains("numgen inc mod 1000000")))
        .count();
    let mut addresses: Vec<String> = day
        .hosts
        .iter()
        .filter_map(|host| day.address_of(host).ok())
        .collect();
    addresses.sort();
    addresses.dedup();
    for address in addresses {
        let shares = |host: &&String| day.address_of(host).as_ref() == Ok(&address);
        let sharing = day.hosts.iter().filter(shares).count();
        // Only the program itself knows what a name or the word gateway leads to.
        let Ok(ip) = address.parse() else { continue };
        let seen = line.tap.seen(ip);
        let [(sent, received)] = counts(
            "select coalesce(sum(sent), 0), coalesce(sum(received), 0)
               from check_result join host on id = host_id where address = ?1",
            &address,
        )[..] else {
            unreachable!("sums are one row");
        };
        if sent > seen.requests.len() as i64 || received > seen.replies.len() as i64 {
            wrong.push(format!(
                "{address}: {sent} pings and {received} replies are recorded, {} and {} were on the wire",
                seen.requests.len(),
                seen.replies.len()
            ));
        }
        if line.has_faked_clock
            || is_lossy(day)
            || sharing > 1
            || day.config.iter().any(|line| line.contains("up_after"))
        {
            continue;
        }
        let outages = counts(
            "select cast(round((julianday(start_time) - 2440587.5) * 86400000) as integer),
                    cast(round((julianday(coalesce(end_time, 'now')) - 2440587.5) * 86400000) as integer)
               from outage_events where event_type = 'outage' and host_address = ?1",
            &address,
        );
        for (start, end) in outages {
            // Another host's outage makes the witness ping this one up to a probe earlier.
            #[allow(clippy::cast_possible_truncation)]
            let end = end - ((day.probe_interval() + 0.2) * 1000.0) as i64;
            let within = seen
                .replies
                .iter()
                .filter(|at| (start + 100..end).contains(at));
            if within.clone().count() > single_replies {
                let times: Vec<i64> = within.map(|at| at - line.began_ms).collect();
                wrong.push(format!(
                    "{address}: an outage from {} to {} ms, with replies on the wire at {times:?}",
                    start - line.began_ms,
                    end - line.began_ms
                ));
            }
        }
    }
    wrong
}

/// What must never be recorded on any day: times that run backwards, rows in the future, sums that
/// do not add up.
fn impossible_records(line: &Line, end: UtcMillis) -> Vec<String> {
    let database = rusqlite::Connection::open(line.database()).expect("the database");
    let count = |sql: &str| {
        database
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    };
    let future = end.sql_text();
    [
        (
            "an end before its start",
            "select count(*) from outage_events where end_time < start_time or duration_seconds < 0".to_string(),
        ),
        ("more lost than sent", "select count(*) from outage_events where packets_lost > packets_sent".into()),
        ("a start before the last reply", "select count(*) from outage_events where earliest_start > start_time".into()),
        ("a row in the future", format!("select count(*) from ping_results where timestamp > '{future}'")),
        (
            "an event in the future",
            format!("select count(*) from outage_events where start_time > '{future}' or end_time > '{future}'"),
        ),
        ("a duration longer than the day", "select count(*) from outage_events where duration_seconds > 600".into()),
    ]
    .into_iter()
    .filter(|(_, sql)| count(sql) > 0)
    .map(|(what, _)| what.to_string())
    .collect()
}
