//! What a database holds, as points: to be compared with what the engine holds, value by value.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, Row};

use crate::engine::{Key, Points};

/// A row as a point.
type Point = (Key, BTreeMap<String, String>);

pub fn connect(path: &Path) -> Connection {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("it opens");
    connection
        .busy_timeout(std::time::Duration::from_secs(5))
        .expect("a timeout");
    connection
}

fn tags(row: &Row<'_>, labels: &[(&str, &str)]) -> BTreeMap<String, String> {
    let family: i64 = row.get("family").expect("a family");
    let text = |column: &str| row.get::<_, String>(column).expect("a text");
    let mut tags = BTreeMap::from([
        ("host".to_owned(), text("name")),
        ("address".to_owned(), text("address")),
        (
            "family".to_owned(),
            if family == 0 {
                "any".into()
            } else {
                family.to_string()
            },
        ),
    ]);
    tags.extend(
        labels
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string())),
    );
    tags
}

/// All checks and events, read by nothing of the program.
pub fn points(path: &Path, labels: &[(&str, &str)]) -> Points {
    const CHECKS: &str = "select name, address, family, checked_at, sent, received, min_us, avg_us, max_us,
            case when received = 0 then 'down' when received * 100000 >= sent * up_rate then 'up'
                 when received * 100000 >= sent * degraded_rate then 'degraded' else 'poor' end as state
       from check_result join host on id = host_id
      union all select name, address, family, checked_at, 0, 0, null, null, null, 'not_measured'
       from not_measured_check join host on id = host_id";
    const EVENTS: &str = "select h.name, h.address, h.family, e.id, event_type, cast(round((julianday(start_time) - 2440587.5) * 86400000) as integer) as start_ms,
            cast(round((julianday(end_time) - 2440587.5) * 86400000) as integer) as end_ms, cause, notes, planned
       from outage_events e join host h on h.id = e.host_id";
    let connection = connect(path);
    let check = |row: &Row<'_>| -> rusqlite::Result<Point> {
        let (at, sent, received): (i64, i64, i64) = (
            row.get("checked_at")?,
            row.get("sent")?,
            row.get("received")?,
        );
        let mut fields = BTreeMap::from([
            ("sent".to_owned(), format!("{sent}i")),
            ("lost".to_owned(), format!("{}i", sent - received)),
            (
                "state".to_owned(),
                format!("\"{}\"", row.get::<_, String>("state")?),
            ),
        ]);
        for name in ["min", "avg", "max"] {
            let us: Option<i64> = row.get(format!("{name}_us").as_str())?;
            fields.extend(us.map(|us| {
                let seconds = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
                (format!("rtt_{name}"), seconds)
            }));
        }
        Ok((
            ("ace_check".into(), tags(row, labels), at * 1_000_000),
            fields,
        ))
    };
    let event = |row: &Row<'_>| -> rusqlite::Result<Point> {
        let mut tags = tags(row, labels);
        tags.insert("type".into(), row.get("event_type")?);
        let (start, end): (i64, Option<i64>) = (row.get("start_ms")?, row.get("end_ms")?);
        let text = |column: &str| -> rusqlite::Result<String> {
            let text: Option<String> = row.get(column)?;
            Ok(format!("\"{}\"", text.unwrap_or_default()))
        };
        let mut fields = BTreeMap::from([
            ("id".to_owned(), format!("{}i", row.get::<_, i64>("id")?)),
            ("ongoing".to_owned(), end.is_none().to_string()),
            (
                "planned".to_owned(),
                row.get::<_, bool>("planned")?.to_string(),
            ),
            ("cause".to_owned(), text("cause")?),
            ("notes".to_owned(), text("notes")?),
        ]);
        if let Some(end) = end {
            let seconds = |ms: i64| format!("{}.{:03}", ms / 1000, ms % 1000);
            fields.insert("end_time".into(), seconds(end));
            fields.insert("duration".into(), seconds(end - start));
        }
        Ok((("ace_outage".into(), tags, start * 1_000_000), fields))
    };
    let read = |sql: &str, read: &dyn Fn(&Row<'_>) -> rusqlite::Result<Point>| {
        let mut statement = connection.prepare(sql).expect("SQL");
        let rows = statement.query_map([], |row| read(row)).expect("rows");
        rows.collect::<rusqlite::Result<Points>>()
            .expect("rows that can be read")
    };
    let mut points = read(CHECKS, &check);
    points.extend(read(EVENTS, &event));
    points
}

/// Fails with the first differences.
pub fn assert_same(engine: &Points, database: &Points) {
    let differ = |(key, fields): &(&Key, &BTreeMap<String, String>), others: &Points| {
        others.get(*key) != Some(*fields)
    };
    let missing: Vec<_> = database
        .iter()
        .filter(|point| differ(point, engine))
        .take(3)
        .collect();
    let unknown: Vec<_> = engine
        .iter()
        .filter(|point| differ(point, database))
        .take(3)
        .collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "only in the database: {missing:#?}\nonly in the engine: {unknown:#?}"
    );
}
