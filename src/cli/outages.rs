//! `outages`: lists outages, newest first, and writes notes on them.

use std::ops::Range;

use super::arguments::Outages;
use super::exit::{CliError, CommandStatus};
use super::outage_table::{self, OutageList};
use super::print::{print, print_json};
use super::recorded;
use super::startup::{configure, open_database};
use crate::config::Config;
use crate::pure::model::EventId;
use crate::pure::time::{DAY_MS, UtcMillis};
use crate::store::{Gap, GroupedOutage, Reader, by_incident};
use crate::sys;

pub fn run(arguments: &Outages) -> Result<CommandStatus, CliError> {
    let note = note(arguments)?;
    let (config, _) = configure(&arguments.common())?;
    let path = &config.database.path;
    let reader = match Reader::open(path)? {
        Some(reader) => reader,
        None => {
            if arguments.json && note.is_none() {
                print_json(&[(); 0])?;
            }
            return Err(recorded::nothing_recorded(path));
        }
    };
    let now = reader.present(sys::clocks().utc())?;
    if let Some(note) = note {
        let changed = write_note(&config, &reader, &note, now)?;
        if arguments.json {
            print_json(&changed.outages)?;
        } else {
            print(&outage_table::changed(&changed.outages, &changed.gaps, now))?;
        }
        return Ok(CommandStatus::Success);
    }
    let Found {
        outages,
        span,
        gaps,
    } = select(arguments, &config, &reader, now)?;
    let limit = if arguments.limit == 0 {
        outages.len()
    } else {
        arguments.limit
    };
    if arguments.json {
        print_json(&&outages[..limit.min(outages.len())])?;
    } else {
        let list = OutageList {
            outages: &outages,
            limit,
            is_each_host: arguments.each_host,
            span: &span,
            gaps: &gaps,
            now,
        };
        print(&list.text())?;
    }
    Ok(CommandStatus::Success)
}

/// What to change about an outage.
struct Note {
    id: EventId,
    /// An empty one removes the note.
    text: Option<String>,
    is_planned: Option<bool>,
    /// Also of those that began together with it.
    is_of_all_hosts: bool,
}

fn note(arguments: &Outages) -> Result<Option<Note>, CliError> {
    let usage = |text: String| Err(CliError::Usage(text));
    let text = arguments.text.join(" ");
    let text = text.trim();
    let is_removed = arguments.text.iter().all(String::is_empty) && !arguments.text.is_empty();
    let switches = [
        ("--planned", arguments.planned),
        ("--not-planned", arguments.not_planned),
        ("--all-hosts", arguments.all_hosts),
    ];
    let Some(id) = arguments.note else {
        return match switches.iter().find(|(_, is_given)| *is_given) {
            Some((switch, _)) => usage(format!("outages {switch}: name the outage with --note ID")),
            None if text.is_empty() => Ok(None),
            None => usage(format!(
                "outages {text:?}: a note goes with --note ID, a host with --host HOST"
            )),
        };
    };
    let is_planned = match (arguments.planned, arguments.not_planned) {
        (true, true) => {
            return usage(format!(
                "outages --note {id}: give either --planned or --not-planned"
            ));
        }
        (false, false) => None,
        (is_planned, _) => Some(is_planned),
    };
    let text = (is_removed || !text.is_empty()).then(|| text.to_string());
    if text.is_none() && is_planned.is_none() {
        return usage(format!(
            "outages --note {id}: give the text of the note, \"\" to remove it, --planned or --not-planned"
        ));
    }
    Ok(Some(Note {
        id: EventId(id),
        text,
        is_planned,
        is_of_all_hosts: arguments.all_hosts,
    }))
}

/// Changes all rows of the outage, or of all outages that began together with it. Returns them as
/// they are then, the newest first.
fn write_note(
    config: &Config,
    reader: &Reader,
    note: &Note,
    now: UtcMillis,
) -> Result<Found, CliError> {
    let all = outages_since(config, reader, UtcMillis(0), now)?.outages;
    let is_named = |outage: &GroupedOutage| outage.members.contains(&note.id);
    let together = by_incident(&all)
        .into_iter()
        .find(|together| together.iter().any(|outage| is_named(outage)));
    let Some(mut together) = together else {
        return Err(CliError::Refused {
            text: format!(
                "outages --note {}: there is no outage with this id",
                note.id
            ),
            hint: "the ids are listed by: ace-connection-logger outages --limit 0 --each-host"
                .into(),
        });
    };
    together.retain(|outage| note.is_of_all_hosts || is_named(outage));
    let mut database = open_database(config)?;
    for outage in &together {
        database.annotate(&outage.members, note.text.as_deref(), note.is_planned)?;
    }
    let mut changed = outages_since(config, reader, UtcMillis(0), now)?;
    changed
        .outages
        .retain(|outage| together.iter().any(|old| old.event.id == outage.event.id));
    Ok(changed)
}

/// The outages since an instant, newest first, and what they are counted by.
struct Found {
    outages: Vec<GroupedOutage>,
    span: Range<UtcMillis>,
    gaps: Vec<Gap>,
}

fn outages_since(
    config: &Config,
    reader: &Reader,
    since: UtcMillis,
    now: UtcMillis,
) -> Result<Found, CliError> {
    let span = since..UtcMillis(now.0 + 1);
    // Gaps before the span too: they shorten outages that began before it.
    let gaps = reader.gaps(&(UtcMillis(0)..span.end))?;
    Ok(Found {
        outages: reader.grouped_outages(&span, &config.grouping, &gaps)?,
        span,
        gaps,
    })
}

/// What the options select, without `--limit`.
fn select(
    arguments: &Outages,
    config: &Config,
    reader: &Reader,
    now: UtcMillis,
) -> Result<Found, CliError> {
    #[expect(clippy::cast_possible_truncation, reason = "at most 100000 days")]
    let since = arguments
        .days
        .map_or(0, |days| now.0 - (days * DAY_MS as f64) as i64);
    let mut found = outages_since(config, reader, UtcMillis(since.max(0)), now)?;
    if let Some(wanted) = &arguments.host {
        let hosts = recorded::hosts(reader, config, Some(wanted))?;
        let is_of_host = |outage: &GroupedOutage| match outage.event.host_id {
            Some(id) => hosts.iter().any(|host| host.id == id),
            None => hosts
                .iter()
                .any(|host| host.address == outage.event.host_address),
        };
        found.outages.retain(is_of_host);
    }
    if arguments.active {
        found.outages.retain(GroupedOutage::is_open);
    }
    Ok(found)
}
