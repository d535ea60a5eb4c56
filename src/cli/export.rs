//! `export`: the recorded checks, to a file or to standard output.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::ops::Range;
use std::path::Path;

use super::arguments::{Export, ExportFormat};
use super::output::{ProgressLine, print};
use super::{Failure, Verdict, configure, recorded};
use crate::export::{self, Broken, Format};
use crate::store::{KnownHost, Reader, partial_copy};
use crate::time::{LATEST_MS, UtcMillis};

pub fn run(arguments: &Export) -> Result<Verdict, Failure> {
    let span = span(arguments)?;
    let to = arguments.output.as_deref().filter(|path| *path != Path::new("-"));
    let work = match (arguments.format, to) {
        (ExportFormat::Text(format), to) => Work::Text(format, to),
        (ExportFormat::Original, Some(to)) => Work::Original(to),
        (ExportFormat::Original, None) => {
            return Err(Failure::Usage("export --format sqlite: a database goes to a file, name it with -o FILE".into()));
        }
    };
    let (config, _) = configure(&arguments.common())?;
    let path = &config.database.path;
    let reader = Reader::open(path)?.ok_or_else(|| recorded::nothing(path))?;
    let hosts = recorded::hosts(&reader, &config, arguments.host.as_deref())?;
    match work {
        Work::Text(format, to) => write(&reader, &hosts, &span, format, to)?,
        Work::Original(to) => write_original(&reader, &hosts, &span, to)?,
    }
    Ok(Verdict::Good)
}

/// What is to be written where.
enum Work<'a> {
    Text(Format, Option<&'a Path>),
    Original(&'a Path),
}

fn span(arguments: &Export) -> Result<Range<UtcMillis>, Failure> {
    let span = arguments.from.unwrap_or(UtcMillis(0))..arguments.to.unwrap_or(UtcMillis(LATEST_MS + 1));
    match span.is_empty() {
        true => Err(Failure::Usage("export: --to must lie behind --from".into())),
        false => Ok(span),
    }
}

fn write_original(reader: &Reader, hosts: &[KnownHost], span: &Range<UtcMillis>, to: &Path) -> Result<(), Failure> {
    let mut progress = Progress::new(reader, hosts, span, true)?;
    let (checks, outages) = reader.export_original(hosts, span, to, &mut |done| progress.show(done))?;
    drop(progress);
    print(&format!("{}: {checks} checks and {outages} outages written\n", to.display()))
}

fn write(
    reader: &Reader,
    hosts: &[KnownHost],
    span: &Range<UtcMillis>,
    format: Format,
    to: Option<&Path>,
) -> Result<(), Failure> {
    // On a terminal that shows the checks there is no line for anything else.
    let mut progress = Progress::new(reader, hosts, span, to.is_some() || !io::stdout().is_terminal())?;
    let checks = deliver(to, |out| export::write(reader, hosts, span, format, out, &mut |done| progress.show(done)))?;
    drop(progress);
    match to {
        Some(to) => print(&format!("{}: {checks} checks written\n", to.display())),
        None => Ok(()),
    }
}

/// Has something written to standard output, or to a file, which has its name only when it is whole.
fn deliver<T>(to: Option<&Path>, write: impl FnOnce(&mut dyn Write) -> Result<T, Broken>) -> Result<T, Failure> {
    let Some(to) = to else {
        let mut out = BufWriter::new(io::stdout().lock());
        return write(&mut out).and_then(|written| out.flush().map(|()| written).map_err(Broken::Output)).map_err(|broken| {
            match broken {
                Broken::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Failure::OutputClosed,
                broken => failure(broken, Path::new("standard output")),
            }
        });
    };
    // A link stays a link, and what is no file (/dev/null, a pipe) is written to and not replaced.
    let target = to.canonicalize().unwrap_or_else(|_| to.to_path_buf());
    let is_file = target.metadata().map_or(true, |meta| meta.is_file());
    let partial = if is_file { partial_copy(&target) } else { target.clone() };
    let finish = || -> Result<T, Broken> {
        let mut out = BufWriter::new(File::create(&partial)?);
        let written = write(&mut out)?;
        out.flush()?;
        if is_file {
            out.get_ref().sync_all()?;
            std::fs::rename(&partial, &target)?;
        }
        Ok(written)
    };
    finish().map_err(|broken| {
        if is_file {
            let _ = std::fs::remove_file(&partial);
        }
        failure(broken, to)
    })
}

fn failure(broken: Broken, to: &Path) -> Failure {
    match broken {
        Broken::Store(error) => Failure::Store(error),
        Broken::Output(cause) => Failure::File { operation: "writing to", path: to.to_path_buf(), cause },
    }
}

/// How far it is, where somebody sees it: the checks are counted only for that.
struct Progress {
    line: Option<ProgressLine>,
    total: u64,
}

impl Progress {
    fn new(reader: &Reader, hosts: &[KnownHost], span: &Range<UtcMillis>, is_wanted: bool) -> Result<Progress, Failure> {
        let line = (is_wanted && io::stderr().is_terminal()).then(|| ProgressLine::new("export"));
        let total = if line.is_some() { reader.count_checks(hosts, span)? } else { 0 };
        Ok(Progress { line, total })
    }

    fn show(&mut self, done: u64) {
        if let Some(line) = &mut self.line {
            line.show(done.min(self.total), self.total);
        }
    }
}
