//! `report`: writes the evidence to standard output or a file.

use std::io::Write as _;

use super::arguments;
use super::exit::{CliError, CommandStatus};
use super::output::Output;
use super::progress::ProgressLine;
use super::recorded;
use super::startup::configure;
use crate::daemon::stop_on_signals;
use crate::report::{
    Appendix, Format, Period, RawPings, ReportError, ReportQuery, ReportSettings, gather,
};
use crate::stop::Stop;
use crate::store::Reader;
use crate::sys;

pub fn run(arguments: &arguments::Report) -> Result<CommandStatus, CliError> {
    let wall = sys::clocks().utc();
    let period = period(arguments)?;
    let span_at = |now| {
        period
            .span(now, sys::utc_offset_at)
            .map_err(|error| CliError::Usage(format!("report: the period: {error}")))
    };
    // A wrong period is reported before anything else is done.
    span_at(wall)?;
    let (config, _) = configure(&arguments.common())?;
    let path = &config.database.path;
    let reader = Reader::open(path)?.ok_or_else(|| recorded::nothing_recorded(path))?;
    let now = reader.present(wall)?;
    let span = span_at(now)?;
    let settings = ReportSettings::of(&config);
    let appendix = if arguments.raw {
        Appendix::RawPings
    } else {
        Appendix::Nothing
    };
    let only = arguments.host.as_deref();
    let query = ReportQuery {
        span,
        now,
        only,
        settings: &settings,
        offset_at: sys::utc_offset_at,
        appendix,
    };
    let mut progress = ProgressLine::new("report");
    let report = gather(&reader, &query, &mut |done, total| {
        progress.show(done, total)
    })
    .map_err(|error| match error {
        ReportError::Store(error) => CliError::Store(error),
        ReportError::UnknownHost { requested, known } => CliError::Usage(format!(
            "--host: {requested:?} was never recorded and is not configured; known are: {}",
            known.join(", ")
        )),
    })?;
    let format = arguments.format.unwrap_or(Format::Text);
    // So that a signal removes the unfinished file.
    let stop = arguments
        .output
        .as_ref()
        .map(|_| stop_on_signals())
        .transpose()?;
    let mut output = Output::open(arguments.output.as_deref())?;
    let text = report.format(format);
    output
        .write_all(text.before_pings.as_bytes())
        .map_err(|cause| output.write_error(cause))?;
    if appendix == Appendix::RawPings {
        let (mut raw, mut before) = (RawPings::of(&report), 0);
        while let Some(checks) = raw.next(&reader)? {
            let rows = report.format_pings(format, &checks, before);
            output
                .write_all(rows.as_bytes())
                .map_err(|cause| output.write_error(cause))?;
            before += checks.len() as u64;
            let (done, total) = raw.progress();
            progress.show(done, total);
            if stop.as_ref().is_some_and(Stop::is_raised) {
                return Err(CliError::Refused {
                    text: "report: interrupted".into(),
                    hint: "nothing is written".into(),
                });
            }
        }
    }
    output
        .write_all(text.after_pings.as_bytes())
        .map_err(|cause| output.write_error(cause))?;
    drop(progress);
    output.finish()?;
    Ok(CommandStatus::Success)
}

/// The period that the options name.
fn period(arguments: &arguments::Report) -> Result<Period, CliError> {
    let arguments::Report {
        days,
        month,
        from,
        to,
        ..
    } = arguments;
    match (days, month, from, to) {
        (None, None, None, None) => Ok(Period::Days(30)),
        (Some(period), None, None, None) | (None, Some(period), None, None) => Ok(period.clone()),
        (None, None, Some(from), to) => Ok(Period::Between(*from, *to)),
        (None, None, None, Some(_)) => {
            Err(CliError::Usage("--to: --from is missing; give both".into()))
        }
        _ => Err(CliError::Usage(
            "report: give one of --days, --month, or --from with --to".into(),
        )),
    }
}
