//! `outages`: lists outages, newest first, and writes notes on them.

use super::arguments::Outages;
use super::exit::{CliError, CommandStatus};
use super::print::{align, cut, is_coloured, paint, print, print_json, printable};
use super::recorded;
use super::startup::{configure, open_database};
use crate::config::Config;
use crate::pure::cause::Cause;
use crate::pure::model::{EventId, EventKind, State};
use crate::pure::phrase::duration_of;
use crate::pure::time::{DAY_MS, UtcMillis};
use crate::store::{GroupedOutage, Reader};
use crate::sys::{self, utc_offset_at};

pub fn run(arguments: &Outages) -> Result<CommandStatus, CliError> {
    let note = note(arguments)?;
    let (config, _) = configure(&arguments.common())?;
    let path = &config.database.path;
    let now = sys::clocks().utc();
    let reader = match Reader::open(path)? {
        Some(reader) => reader,
        None => {
            if arguments.json && note.is_none() {
                print_json(&[(); 0])?;
            }
            return Err(recorded::nothing_recorded(path));
        }
    };
    let (shown, all) = match note {
        Some(note) => (vec![write_note(&config, &reader, &note, now)?], None),
        None => {
            let (shown, all) = select(arguments, &config, &reader, now)?;
            (shown, Some(all))
        }
    };
    if arguments.json {
        print_json(&shown)?;
    } else {
        print(&text_of(&shown, all.as_deref().unwrap_or_default(), now))?;
    }
    Ok(CommandStatus::Success)
}

/// The note to write on an outage.
struct Note {
    id: EventId,
    text: Option<String>,
    is_planned: bool,
}

fn note(arguments: &Outages) -> Result<Option<Note>, CliError> {
    let text = arguments.text.join(" ");
    let text = Some(text.trim().to_string()).filter(|text| !text.is_empty());
    match arguments.note {
        None if arguments.planned => Err(CliError::Usage(
            "outages --planned: name the outage with --note ID".into(),
        )),
        None if text.is_some() => {
            let text = text.unwrap_or_default();
            Err(CliError::Usage(format!(
                "outages {text:?}: a note goes with --note ID, a host with --host HOST"
            )))
        }
        None => Ok(None),
        Some(id) if text.is_none() && !arguments.planned => Err(CliError::Usage(format!(
            "outages --note {id}: give the text of the note, or --planned"
        ))),
        Some(id) => Ok(Some(Note {
            id: EventId(id),
            text,
            is_planned: arguments.planned,
        })),
    }
}

/// Writes the note on all rows of the outage. Returns the outage with its note.
fn write_note(
    config: &Config,
    reader: &Reader,
    note: &Note,
    now: UtcMillis,
) -> Result<GroupedOutage, CliError> {
    let find = || -> Result<Option<GroupedOutage>, CliError> {
        Ok(outages_since(config, reader, UtcMillis(0), now)?
            .into_iter()
            .find(|outage| outage.members.contains(&note.id)))
    };
    let unknown = || CliError::Refused {
        text: format!(
            "outages --note {}: there is no outage with this id",
            note.id
        ),
        hint: "the ids are listed by: ace-connection-logger outages --limit 0".into(),
    };
    let outage = find()?.ok_or_else(unknown)?;
    open_database(config)?.annotate(&outage.members, note.text.as_deref(), note.is_planned)?;
    find()?.ok_or_else(unknown)
}

fn outages_since(
    config: &Config,
    reader: &Reader,
    since: UtcMillis,
    now: UtcMillis,
) -> Result<Vec<GroupedOutage>, CliError> {
    let span = since..UtcMillis(now.0 + 1);
    let gaps = reader.gaps(&span)?;
    Ok(reader.grouped_outages(&span, &config.grouping, &gaps)?)
}

/// The outages to show, and all that the options select: `--limit` cuts only the former.
fn select(
    arguments: &Outages,
    config: &Config,
    reader: &Reader,
    now: UtcMillis,
) -> Result<(Vec<GroupedOutage>, Vec<GroupedOutage>), CliError> {
    #[expect(clippy::cast_possible_truncation, reason = "at most 100000 days")]
    let since = arguments
        .days
        .map_or(0, |days| now.0 - (days * DAY_MS as f64) as i64);
    let mut all = outages_since(config, reader, UtcMillis(since.max(0)), now)?;
    if let Some(wanted) = &arguments.host {
        let hosts = recorded::hosts(reader, config, Some(wanted))?;
        let is_of_host = |outage: &GroupedOutage| match outage.event.host_id {
            Some(id) => hosts.iter().any(|host| host.id == id),
            None => hosts
                .iter()
                .any(|host| host.address == outage.event.host_address),
        };
        all.retain(is_of_host);
    }
    if arguments.active {
        all.retain(GroupedOutage::is_open);
    }
    let limit = if arguments.limit == 0 {
        all.len()
    } else {
        arguments.limit
    };
    Ok((all.iter().take(limit).cloned().collect(), all))
}

/// A table of the outages, another one of the planned ones, and the sums over `all` of each host.
fn text_of(shown: &[GroupedOutage], all: &[GroupedOutage], now: UtcMillis) -> String {
    if shown.is_empty() {
        return "no outages\n".into();
    }
    let (planned, counted): (Vec<&GroupedOutage>, Vec<&GroupedOutage>) =
        shown.iter().partition(|outage| outage.event.planned);
    let mut parts = Vec::new();
    if !counted.is_empty() {
        parts.push(table(&counted, now));
    }
    if !planned.is_empty() {
        parts.push(format!("planned, not counted:\n{}", table(&planned, now)));
    }
    if shown.len() < all.len() {
        parts.push(format!(
            "{} of {} shown; all of them with --limit 0\n",
            shown.len(),
            all.len()
        ));
    }
    parts.extend(summary(all));
    parts.join("\n")
}

fn table(outages: &[&GroupedOutage], now: UtcMillis) -> String {
    let mut rows = vec![
        [
            "STATE", "ID", "BEGAN", "ENDED", "LASTED", "HOST", "CAUSE", "LOST", "NOTES",
        ]
        .map(String::from)
        .to_vec(),
    ];
    rows.extend(outages.iter().map(|outage| row(outage, now)));
    let is_coloured = is_coloured();
    align(&rows, |row, column, cell| {
        match row.checked_sub(1).map(|index| outages[index]) {
            Some(outage) if column == 0 => paint(
                &cell,
                if outage.is_open() {
                    State::Down
                } else {
                    State::Up
                },
                is_coloured,
            ),
            _ => cell,
        }
    })
}

fn row(outage: &GroupedOutage, now: UtcMillis) -> Vec<String> {
    let event = &outage.event;
    let local = |at: UtcMillis| at.local_text(utc_offset_at(at.0.div_euclid(1000)));
    let lasted = outage.lasted_seconds(now);
    let mut duration = duration_of(lasted);
    if outage.down_seconds < lasted {
        // Between several rows the host answered; in a single row some time was not measured.
        let word = if outage.members.len() > 1 {
            "down"
        } else {
            "measured"
        };
        duration += &format!(" ({} {word})", duration_of(outage.down_seconds));
    }
    let lost = match (event.packets_lost, event.packets_sent) {
        (Some(lost), Some(sent)) => format!("{lost} of {sent}"),
        _ => "-".into(),
    };
    let notes = event
        .notes
        .as_deref()
        .unwrap_or_default()
        .lines()
        .collect::<Vec<_>>()
        .join("; ");
    vec![
        if outage.is_open() { "ongoing" } else { "ended" }.into(),
        event.id.to_string(),
        local(outage.start()),
        outage.end().map_or("-".into(), local),
        duration,
        host_of(outage),
        cause_text(outage),
        lost,
        cut(&printable(&notes), 80),
    ]
}

fn host_of(outage: &GroupedOutage) -> String {
    let event = &outage.event;
    let name = cut(&printable(&event.name()), 32);
    if event.host_name == event.host_address {
        name
    } else {
        format!("{name} ({})", cut(&printable(&event.host_address), 40))
    }
}

fn cause_text(outage: &GroupedOutage) -> String {
    let cause = match outage.cause() {
        Cause::Link => "link: nothing could be sent",
        Cause::Gateway => "gateway: it was silent",
        Cause::Provider if outage.event.only_gateway_answered() => {
            "provider: only the gateway answered"
        }
        Cause::Provider => "provider: lost on its side",
        Cause::Dns => "dns: the name did not resolve",
        Cause::Host => "host: others answered",
        Cause::Unknown => "unknown",
    };
    match outage.outages() {
        times if outage.event.event_type == EventKind::Intermittent => {
            format!("{cause}; intermittent, {times} times")
        }
        _ => cause.into(),
    }
}

/// Number and durations of each host's outages without the planned ones; `None` where there are
/// none. Only measured time counts.
fn summary(all: &[GroupedOutage]) -> Option<String> {
    let mut hosts: Vec<(String, Vec<i64>)> = Vec::new();
    for outage in all.iter().filter(|outage| !outage.event.planned) {
        let what = match outage.event.event_type {
            EventKind::LinkDown => format!("link down: {}", printable(&outage.event.host_address)),
            EventKind::Dns => format!("dns: {}", host_of(outage)),
            _ => host_of(outage),
        };
        match hosts.binary_search_by(|(known, _)| known.cmp(&what)) {
            Ok(index) => hosts[index].1.push(outage.down_seconds),
            Err(index) => hosts.insert(index, (what, vec![outage.down_seconds])),
        }
    }
    if hosts.is_empty() {
        return None;
    }
    let mut rows = vec![
        ["HOST", "OUTAGES", "AVERAGE", "LONGEST", "TOTAL"]
            .map(String::from)
            .to_vec(),
    ];
    rows.extend(hosts.iter().map(|(what, seconds)| {
        let total: i64 = seconds.iter().sum();
        let count = i64::try_from(seconds.len()).unwrap_or(i64::MAX);
        let longest = seconds.iter().max().copied().unwrap_or(0);
        vec![
            what.clone(),
            count.to_string(),
            duration_of(total / count),
            duration_of(longest),
            duration_of(total),
        ]
    }));
    Some(align(&rows, |_, _, cell| cell))
}
