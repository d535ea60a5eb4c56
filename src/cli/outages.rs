//! `outages`: what was down, newest first, and notes on it.

use super::arguments::Outages;
use super::exit::{CliError, CommandStatus};
use super::print::{align, cut, is_coloured, paint, print, print_json, printable};
use super::recorded;
use super::startup::{configure, open_database};
use crate::config::Config;
use crate::pure::cause::Cause;
use crate::pure::model::{EventId, State};
use crate::pure::phrase::duration_of;
use crate::pure::time::UtcMillis;
use crate::store::{DNS, GroupedOutage, INTERMITTENT, LINK_DOWN, Reader};
use crate::sys::{self, utc_offset_at};

pub fn run(arguments: &Outages) -> Result<CommandStatus, CliError> {
    let note = note(arguments)?;
    let (config, _) = configure(&arguments.common())?;
    let path = &config.database.path;
    let now = sys::clocks().utc();
    let reader = match Reader::open(path)? {
        Some(reader) => reader,
        None if note.is_some() => return Err(recorded::nothing_recorded(path)),
        None if arguments.json => return print_json(&[(); 0]).map(|()| CommandStatus::Success),
        None => {
            return print(&format!("nothing recorded yet in {}\n", path.display()))
                .map(|()| CommandStatus::Success);
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
        print_json(
            &shown
                .iter()
                .map(GroupedOutage::with_rfc3339_times)
                .collect::<Vec<_>>(),
        )?;
    } else {
        print(&text_of(&shown, all.as_deref().unwrap_or_default(), now))?;
    }
    Ok(CommandStatus::Success)
}

/// What is to be noted on an episode.
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
            "outages --planned: which? name it with --note ID".into(),
        )),
        None if text.is_some() => {
            let text = text.unwrap_or_default();
            Err(CliError::Usage(format!(
                "outages {text:?}: a note goes with --note ID, a host with --host HOST"
            )))
        }
        None => Ok(None),
        Some(id) if text.is_none() && !arguments.planned => Err(CliError::Usage(format!(
            "outages --note {id}: what is to be noted? write it behind, or --planned"
        ))),
        Some(id) => Ok(Some(Note {
            id: EventId(id),
            text,
            is_planned: arguments.planned,
        })),
    }
}

/// Writes it on the rows of the episode, and gives the episode as it is then.
fn write_note(
    config: &Config,
    reader: &Reader,
    note: &Note,
    now: UtcMillis,
) -> Result<GroupedOutage, CliError> {
    let find = || -> Result<Option<GroupedOutage>, CliError> {
        Ok(episodes(config, reader, UtcMillis(0), now)?
            .into_iter()
            .find(|episode| episode.members.contains(&note.id)))
    };
    let unknown = || CliError::Refused {
        text: format!(
            "outages --note {}: there is no outage with this id",
            note.id
        ),
        hint: "the ids are listed by: ace-connection-logger outages --limit 0".into(),
    };
    let episode = find()?.ok_or_else(unknown)?;
    open_database(config)?.annotate(&episode.members, note.text.as_deref(), note.is_planned)?;
    find()?.ok_or_else(unknown)
}

fn episodes(
    config: &Config,
    reader: &Reader,
    since: UtcMillis,
    now: UtcMillis,
) -> Result<Vec<GroupedOutage>, CliError> {
    let span = since..UtcMillis(now.0 + 1);
    let gaps = reader.gaps(&span)?;
    Ok(reader.episodes(&span, &config.grouping, &gaps)?)
}

/// The episodes that are shown, and all that were asked for.
fn select(
    arguments: &Outages,
    config: &Config,
    reader: &Reader,
    now: UtcMillis,
) -> Result<(Vec<GroupedOutage>, Vec<GroupedOutage>), CliError> {
    #[expect(clippy::cast_possible_truncation, reason = "at most 100000 days")]
    let since = arguments
        .days
        .map_or(0, |days| now.0 - (days * 86_400_000.0) as i64);
    let mut all = episodes(config, reader, UtcMillis(since.max(0)), now)?;
    if let Some(wanted) = &arguments.host {
        let hosts = recorded::hosts(reader, config, Some(wanted))?;
        let is_meant = |episode: &GroupedOutage| match episode.event.host_id {
            Some(id) => hosts.iter().any(|host| host.id == id),
            None => hosts
                .iter()
                .any(|host| host.address == episode.event.host_address),
        };
        all.retain(is_meant);
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

/// The episodes as a table, those that were planned as another, and what `all` of a host's come to.
fn text_of(shown: &[GroupedOutage], all: &[GroupedOutage], now: UtcMillis) -> String {
    if shown.is_empty() {
        return "no outages\n".into();
    }
    let (planned, counted): (Vec<&GroupedOutage>, Vec<&GroupedOutage>) =
        shown.iter().partition(|episode| episode.event.planned);
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

fn table(episodes: &[&GroupedOutage], now: UtcMillis) -> String {
    let mut rows = vec![
        [
            "STATE", "ID", "BEGAN", "ENDED", "LASTED", "HOST", "CAUSE", "LOST", "NOTES",
        ]
        .map(String::from)
        .to_vec(),
    ];
    rows.extend(episodes.iter().map(|episode| row(episode, now)));
    let is_coloured = is_coloured();
    align(&rows, |row, column, cell| {
        match row.checked_sub(1).map(|index| episodes[index]) {
            Some(episode) if column == 0 => paint(
                &cell,
                if episode.is_open() {
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

fn row(episode: &GroupedOutage, now: UtcMillis) -> Vec<String> {
    let event = &episode.event;
    let local = |at: UtcMillis| at.local_text(utc_offset_at(at.0.div_euclid(1000)));
    let lasted = episode.lasted_seconds(now);
    let mut duration = duration_of(lasted);
    if episode.down_seconds < lasted {
        // Between fragments the host answered; in one row nobody looked.
        let what = if episode.members.len() > 1 {
            "down"
        } else {
            "measured"
        };
        duration += &format!(" ({} {what})", duration_of(episode.down_seconds));
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
        if episode.is_open() { "running" } else { "over" }.into(),
        event.id.to_string(),
        local(episode.start()),
        episode.end().map_or("-".into(), local),
        duration,
        host_of(episode),
        words(episode),
        lost,
        cut(&printable(&notes), 80),
    ]
}

fn host_of(episode: &GroupedOutage) -> String {
    let event = &episode.event;
    let name = cut(&printable(&event.host_name), 32);
    if event.host_name == event.host_address {
        name
    } else {
        format!("{name} ({})", cut(&printable(&event.host_address), 40))
    }
}

/// Whose fault it was, in words.
fn words(episode: &GroupedOutage) -> String {
    let cause = match episode.cause() {
        Cause::Link => "link: nothing could be sent",
        Cause::Gateway => "gateway: it was silent",
        Cause::Provider => "provider: only the gateway answered",
        Cause::Dns => "dns: the name did not resolve",
        Cause::Host => "host: others answered",
        Cause::Unknown => "unknown",
    };
    match episode.members.len() {
        times if episode.event.event_type == INTERMITTENT => {
            format!("{cause}; intermittent, {times} times")
        }
        _ => cause.into(),
    }
}

/// What the outages of each host come to, those that were planned left out; nothing where there are
/// none. Counted is only what was seen.
fn summary(all: &[GroupedOutage]) -> Option<String> {
    let mut hosts: Vec<(String, Vec<i64>)> = Vec::new();
    for episode in all.iter().filter(|episode| !episode.event.planned) {
        let what = match episode.event.event_type.as_str() {
            LINK_DOWN => format!("link down: {}", printable(&episode.event.host_address)),
            DNS => format!("dns: {}", host_of(episode)),
            _ => host_of(episode),
        };
        match hosts.binary_search_by(|(known, _)| known.cmp(&what)) {
            Ok(index) => hosts[index].1.push(episode.down_seconds),
            Err(index) => hosts.insert(index, (what, vec![episode.down_seconds])),
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
