//! `export`: writes the recorded checks to a file or to standard output.

use std::io::{self, IsTerminal};
use std::ops::Range;
use std::path::Path;

use super::arguments::Export;
use super::exit::{CliError, CommandStatus};
use super::output::Output;
use super::print::print;
use super::progress::ProgressLine;
use super::recorded;
use super::startup::configure;
use super::values::ExportFormat;
use crate::export::{self, ExportError, Format, SeriesLabels, Written};
use crate::pure::phrase::count;
use crate::pure::time::{LATEST_MS, UtcMillis};
use crate::store::{Reader, RecordedHost, StoreError, Unreadable};

pub fn run(arguments: &Export) -> Result<CommandStatus, CliError> {
    let span = span(arguments)?;
    let is_openmetrics = matches!(arguments.format, ExportFormat::Text(Format::OpenMetrics));
    let labels = labels(arguments);
    if let Some((name, _)) = labels.fixed.first().filter(|_| !is_openmetrics) {
        return Err(CliError::Usage(format!(
            "export --{name}: only --format openmetrics has labels"
        )));
    }
    let to = arguments
        .output
        .as_deref()
        .filter(|path| *path != Path::new("-"));
    let work = match (arguments.format, to) {
        (ExportFormat::Text(format), to) => Destination::Text(format, to),
        (ExportFormat::Original, Some(to)) => Destination::Original(to),
        (ExportFormat::Original, None) => {
            return Err(CliError::Usage(
                "export --format sqlite: a database needs a file, name it with -o FILE".into(),
            ));
        }
    };
    let (config, _) = configure(&arguments.common())?;
    let path = &config.database.path;
    let reader = Reader::open(path)?.ok_or_else(|| recorded::nothing_recorded(path))?;
    let hosts = recorded::hosts(&reader, &config, arguments.host.as_deref())?;
    let unreadable = match work {
        Destination::Text(format, to) => write(&reader, &hosts, &span, format, &labels, to)?,
        Destination::Original(to) => write_original(&reader, &hosts, &span, to)?,
    };
    match unreadable.first() {
        None => Ok(CommandStatus::Success),
        // What is readable has been written.
        Some(first) => Err(CliError::Store(StoreError::Short {
            path: path.clone(),
            what: match unreadable.len() - 1 {
                0 => first.to_string(),
                more => format!("{first}, and in {}", count(more, "other span")),
            },
        })),
    }
}

fn labels(arguments: &Export) -> SeriesLabels {
    let given = [("job", &arguments.job), ("instance", &arguments.instance)];
    let given = given.into_iter();
    SeriesLabels {
        fixed: given
            .filter_map(|(name, value)| Some((name, value.clone()?)))
            .collect(),
    }
}

/// A format and its destination: a database cannot go to standard output.
enum Destination<'a> {
    Text(Format, Option<&'a Path>),
    Original(&'a Path),
}

fn span(arguments: &Export) -> Result<Range<UtcMillis>, CliError> {
    let span =
        arguments.from.unwrap_or(UtcMillis(0))..arguments.to.unwrap_or(UtcMillis(LATEST_MS + 1));
    match span.is_empty() {
        true => Err(CliError::Usage(
            "export: --to must be later than --from".into(),
        )),
        false => Ok(span),
    }
}

fn write_original(
    reader: &Reader,
    hosts: &[RecordedHost],
    span: &Range<UtcMillis>,
    to: &Path,
) -> Result<Vec<Unreadable>, CliError> {
    let mut progress = Progress::new(reader, hosts, span, true)?;
    let (checks, outages, unreadable) =
        reader.export_original(hosts, span, to, &mut |done| progress.show(done))?;
    drop(progress);
    print(&format!(
        "{}: {} and {} written\n",
        to.display(),
        count(checks, "check"),
        count(outages, "outage")
    ))?;
    Ok(unreadable)
}

fn write(
    reader: &Reader,
    hosts: &[RecordedHost],
    span: &Range<UtcMillis>,
    format: Format,
    labels: &SeriesLabels,
    to: Option<&Path>,
) -> Result<Vec<Unreadable>, CliError> {
    // Without a progress line where the terminal shows the checks themselves.
    let mut progress = Progress::new(
        reader,
        hosts,
        span,
        to.is_some() || !io::stdout().is_terminal(),
    )?;
    let mut output = Output::open(to)?;
    let written = export::write(
        reader,
        hosts,
        span,
        format,
        labels,
        &mut output,
        &mut |done| progress.show(done),
    );
    let Written { checks, unreadable } = written.map_err(|error| match error {
        ExportError::Store(error) => CliError::Store(error),
        ExportError::Output(cause) => output.write_error(cause),
    })?;
    output.finish()?;
    drop(progress);
    if let Some(to) = to {
        let written = count(checks, "check");
        print(&format!("{}: {written} written\n", to.display()))?;
    }
    Ok(unreadable)
}

/// Counts the checks only where the progress is shown.
struct Progress {
    line: Option<ProgressLine>,
    total: u64,
}

impl Progress {
    fn new(
        reader: &Reader,
        hosts: &[RecordedHost],
        span: &Range<UtcMillis>,
        is_wanted: bool,
    ) -> Result<Progress, CliError> {
        let line = (is_wanted && io::stderr().is_terminal()).then(|| ProgressLine::new("export"));
        let total = if line.is_some() {
            reader.count_checks(hosts, span)?
        } else {
            0
        };
        Ok(Progress { line, total })
    }

    fn show(&mut self, done: u64) {
        if let Some(line) = &mut self.line {
            line.show(done.min(self.total), self.total);
        }
    }
}
