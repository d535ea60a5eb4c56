//! Where checks cannot be read, by the b-tree of their table: an interior page has, between two pages
//! below it, the row that lies between theirs. So a page that cannot be read is known by its rows.

use std::ops::Range;

use rusqlite::types::Value;
use rusqlite::{Connection, params};

use super::cells::{self, Row};
use super::pages::Pages;
use super::tables::{CHECKS, table_of};
use crate::pure::model::HostId;
use crate::pure::time::{Hour, UtcMillis};
use crate::store::columns::ReadRows;

/// As SQLite has it (`BTCURSOR_MAX_DEPTH`).
const MAX_DEPTH: usize = 20;

/// Host and time of a check, in the order of the table.
type Key = (i64, i64);

/// Part of the table, without its ends; `None` where it has none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Span {
    after: Option<Key>,
    before: Option<Key>,
}

/// The root of the table of checks, if this is its row of the schema.
pub fn root_of_checks(row: &Row) -> Option<u32> {
    match &row.values[..] {
        [
            Value::Text(kind),
            Value::Text(name),
            _,
            Value::Integer(root),
            _,
        ] if kind == "table" && name == CHECKS => u32::try_from(*root).ok(),
        _ => None,
    }
}

/// The parts whose pages have not only right rows. Without a root all of the table is one.
pub fn unreadable_spans(pages: &Pages, root: Option<u32>) -> Vec<Span> {
    let mut found = Vec::new();
    visit(pages, root, Span::default(), 0, &mut found);
    found
}

fn visit(pages: &Pages, page: Option<u32>, span: Span, depth: usize, found: &mut Vec<Span>) {
    let read = page
        .filter(|_| depth < MAX_DEPTH)
        .and_then(|page| keys_and_children(pages, page, span));
    let Some((keys, children)) = read else {
        found.push(span);
        return;
    };
    let afters = std::iter::once(span.after).chain(keys.iter().copied().map(Some));
    let befores = keys
        .iter()
        .copied()
        .map(Some)
        .chain(std::iter::once(span.before));
    for (child, (after, before)) in children.into_iter().zip(afters.zip(befores)) {
        visit(pages, Some(child), Span { after, before }, depth + 1, found);
    }
}

/// `None` unless all rows of the page are checks within the span, in their order.
fn keys_and_children(pages: &Pages, page: u32, span: Span) -> Option<(Vec<Key>, Vec<u32>)> {
    let bytes = (1..=pages.count)
        .contains(&page)
        .then(|| pages.read(page))
        .flatten()?;
    let (rows, unreadable) = cells::rows(pages, page, &bytes)?;
    let keys: Vec<Key> = rows.iter().map(key).collect::<Option<_>>()?;
    let is_right = unreadable == 0
        && keys.is_sorted_by(|one, next| one < next)
        && keys.first() > span.after.as_ref()
        && span.before.is_none_or(|before| keys.last() < Some(&before));
    // Only a table without rows has a page without.
    let is_filled = !keys.is_empty() || span == Span::default();
    (is_right && is_filled).then(|| (keys, cells::children(&bytes)))
}

fn key(row: &Row) -> Option<Key> {
    let is_check = table_of(row).is_some_and(|table| table.name == CHECKS);
    match (&row.values[..], is_check) {
        ([Value::Integer(host), Value::Integer(at), ..], true) => Some((*host, *at)),
        _ => None,
    }
}

impl Span {
    /// What it is of this host; an end that lies with another host or that it has not is `ends`'.
    fn of_host(&self, host: i64, ends: &Range<i64>) -> Range<i64> {
        let start = match self.after {
            Some((after, at)) if after == host => at.saturating_add(1),
            Some((after, _)) if after > host => return 0..0,
            _ => ends.start,
        };
        let end = match self.before {
            Some((before, at)) if before == host => at,
            Some((before, _)) if before < host => return 0..0,
            _ => ends.end,
        };
        start..end
    }
}

/// What of these spans is this host's and lies in hours without sums, which would tell how many
/// checks are missing there. The file was last written at `written_at`.
pub fn uncounted(
    connection: &Connection,
    host_id: HostId,
    spans: &[Span],
    written_at: UtcMillis,
) -> rusqlite::Result<Vec<Range<UtcMillis>>> {
    const HOURS: &str =
        "select hour from rollup where host_id = ?1 and hour between ?2 and ?3 order by hour";
    if spans.is_empty() {
        return Ok(Vec::new());
    }
    let ends = without_any_sums(connection, written_at)?;
    let mut found = Vec::new();
    for span in spans {
        let span = span.of_host(host_id.0, &ends);
        if span.is_empty() {
            continue;
        }
        let (first, last) = (UtcMillis(span.start).hour(), UtcMillis(span.end - 1).hour());
        let summed: Vec<Hour> = connection
            .prepare_cached(HOURS)?
            .read_all(params![host_id, first, last], |row| row.get(0))?;
        let mut start = span.start;
        for hour in summed {
            push(&mut found, start..hour.start().0.min(span.end));
            start = hour.next().start().0;
        }
        push(&mut found, start..span.end);
    }
    Ok(found)
}

/// Joins what has only one check between, which is readable.
fn push(found: &mut Vec<Range<UtcMillis>>, span: Range<i64>) {
    if span.is_empty() {
        return;
    }
    match found.last_mut() {
        Some(last) if last.end.0 + 1 >= span.start => last.end = UtcMillis(span.end),
        _ => found.push(UtcMillis(span.start)..UtcMillis(span.end)),
    }
}

/// From the newest hour of which there are sums to the last write: sums are made in the order of time,
/// so before it a host without sums has no checks.
fn without_any_sums(
    connection: &Connection,
    written_at: UtcMillis,
) -> rusqlite::Result<Range<i64>> {
    const NEWEST: &str = "select max(hour) from rollup where hour <= ?1";
    let summed: Option<Hour> =
        connection.query_row(NEWEST, [written_at.hour()], |row| row.get(0))?;
    let start = summed.map_or(0, |hour| hour.next().start().0);
    Ok(start..written_at.0.saturating_add(1))
}
