//! `doctor --salvage`: what is readable of a damaged database, in a new one.

use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::cli::exit::{CliError, CommandStatus};
use crate::cli::print::{print, print_json, printable};
use crate::cli::progress::ProgressLine;
use crate::pure::phrase::count;
use crate::pure::time::UtcMillis;
use crate::store::{Salvage, SalvagedHost, salvage};
use crate::sys;

/// Spans that are named for each host.
const MAX_SPANS: usize = 10;

pub fn run(file: &Path, output: Option<&Path>, is_json: bool) -> Result<CommandStatus, CliError> {
    let to = output.map_or_else(|| salvaged_name(file), Path::to_path_buf);
    let mut progress = ProgressLine::new("salvage");
    let result = salvage(file, &to, &mut |done, total| progress.show(done, total))?;
    drop(progress);
    if is_json {
        print_json(&result)?;
    } else {
        print(&text_of(&result))?;
    }
    Ok(CommandStatus::success_if(result.is_whole()))
}

fn salvaged_name(file: &Path) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(".salvaged");
    PathBuf::from(name)
}

fn text_of(salvage: &Salvage) -> String {
    let rows = |table| salvage.tables.get(table).copied().unwrap_or(0);
    let to = salvage.file.display();
    let mut lines = vec![format!(
        "{to}: {} of {}, {} and {} written",
        count(rows("check_result"), "check"),
        count(salvage.hosts.len(), "host"),
        count(rows("outage_events"), "outage"),
        count(rows("rollup"), "hourly sum")
    )];
    let pages = count(salvage.pages, "page");
    for (number, what) in [
        (salvage.missing_pages, "are missing"),
        (salvage.damaged_pages, "could not be read"),
    ] {
        if number > 0 {
            lines.push(format!("{number} of {pages} {what}"));
        }
    }
    if salvage.damaged_rows > 0 {
        let rows = count(salvage.damaged_rows, "row");
        lines.push(format!("{rows} could not be read on other pages"));
    }
    if salvage.is_log_unreadable {
        lines.push("the write-ahead log could not be read".into());
    }
    lines.extend(salvage.hosts.iter().filter_map(lost_text));
    lines.extend(salvage.hosts.iter().filter_map(uncounted_text));
    if salvage.is_whole() {
        lines.push("everything could be read".into());
    }
    lines.push(format!(
        "to add it to the database in use: ace-connection-logger import {to}"
    ));
    lines.join("\n") + "\n"
}

fn lost_text(host: &SalvagedHost) -> Option<String> {
    (host.lost > 0).then(|| {
        format!(
            "{}: {} of {} are missing, of which only the hourly sums are left: {}",
            printable(&host.name),
            host.lost,
            count(host.checks + host.lost, "check"),
            spans_text(&host.lost_in)
        )
    })
}

fn uncounted_text(host: &SalvagedHost) -> Option<String> {
    (!host.uncounted_in.is_empty()).then(|| {
        format!(
            "{}: checks may be missing that no hourly sums count: {}",
            printable(&host.name),
            spans_text(&host.uncounted_in)
        )
    })
}

fn spans_text(spans: &[Range<UtcMillis>]) -> String {
    let local = |at: UtcMillis| {
        let text = at.local_text(sys::utc_offset_at(at.0.div_euclid(1000)));
        text.get(..16).unwrap_or(&text).to_string()
    };
    let named: Vec<String> = spans
        .iter()
        .take(MAX_SPANS)
        .map(|span| match span.start {
            UtcMillis(0) => format!("before {}", local(span.end)),
            start => format!("{} to {}", local(start), local(span.end)),
        })
        .collect();
    let more = match spans.len().saturating_sub(MAX_SPANS) {
        0 => String::new(),
        more => format!(" and {more} more spans"),
    };
    named.join(", ") + &more
}
