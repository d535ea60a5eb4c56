//! The arguments of every command, as argh reads them, and what argh alone does not know:
//! `--option=value`, `-oVALUE`, `-h`, `-V` and `--version` everywhere.

use std::ffi::OsString;
use std::path::PathBuf;

use argh::FromArgs;
use log::LevelFilter;

use super::{CliError, when};
use crate::export::Format;
use crate::pure::model::AlertKind;
use crate::pure::time::UtcMillis;
use crate::report::{Format as ReportFormat, Period};

/// What the command line asks for.
#[derive(Debug)]
pub enum Parsed {
    /// Print this: help, or the version.
    Text(String),
    /// Run this.
    Command(Command),
}

/// Logs whether the hosts you care about answer, keeps it for years, and shows what was down, since
/// when and why.
#[derive(FromArgs, Debug)]
#[cfg_attr(test, derive(argh::ArgsInfo))]
pub(super) struct Arguments {
    #[argh(subcommand)]
    command: Command,
}

/// One command with its arguments.
#[derive(FromArgs, Debug)]
#[cfg_attr(test, derive(argh::ArgsInfo))]
#[argh(subcommand)]
pub enum Command {
    InitConfig(InitConfig),
    CheckConfig(CheckConfig),
    Monitor(Monitor),
    Dashboard(Dashboard),
    Check(Check),
    Status(Status),
    Cleanup(Cleanup),
    CleanupContinuous(CleanupContinuous),
    Outages(Outages),
    Export(Export),
    Import(Import),
    Backup(Backup),
    Report(Report),
    Doctor(Doctor),
    AlertTest(AlertTest),
}

/// The options that every command has.
#[derive(Clone, Debug)]
pub struct Common {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--strict`.
    pub strict: bool,
    verbose: bool,
    quiet: bool,
}

impl Common {
    /// What is worth a log line: what the configuration says, or what `-v` and `-q` say instead.
    pub fn level(&self, configured: LevelFilter) -> LevelFilter {
        match (self.verbose, self.quiet) {
            (true, _) => LevelFilter::Debug,
            (false, true) => LevelFilter::Error,
            (false, false) => configured,
        }
    }
}

/// A command's own arguments, and those that every command has.
macro_rules! commands {
    ($($(#[$about:meta])* $name:ident { $($(#[$what:meta])* $field:ident: $kind:ident $(<$inner:ident>)?,)* })*) => {$(
        #[derive(FromArgs, Debug)]
        #[cfg_attr(test, derive(argh::ArgsInfo))]
        $(#[$about])*
        pub struct $name {
            $($(#[$what])* pub $field: $kind $(<$inner>)?,)*
            /// the configuration file (default: ./config.yaml, else
            /// /etc/ace-connection-logger/config.yaml)
            #[argh(option, short = 'c', arg_name = "path")]
            config: Option<PathBuf>,
            /// refuse a configuration with problems (exit status 78)
            #[argh(switch)]
            strict: bool,
            /// log more
            #[argh(switch, short = 'v')]
            verbose: bool,
            /// log errors only
            #[argh(switch, short = 'q')]
            quiet: bool,
        }

        impl $name {
            /// The options that every command has.
            pub fn common(&self) -> Common {
                Common { config: self.config.clone(), strict: self.strict, verbose: self.verbose, quiet: self.quiet }
            }
        }
    )*};
}

commands! {
    /// Write the commented default configuration.
    #[argh(subcommand, name = "init-config")]
    InitConfig {
        /// overwrite an existing file
        #[argh(switch)]
        force: bool,
    }

    /// Print every problem of the configuration; exit status 1 if there is any.
    #[argh(subcommand, name = "check-config")]
    CheckConfig {}

    /// Check every host at its interval, record the results and serve the dashboard, until SIGTERM
    /// or SIGINT. SIGHUP reads the configuration again.
    #[argh(subcommand, name = "monitor")]
    Monitor {
        /// serve no dashboard
        #[argh(switch)]
        no_dashboard: bool,
        /// where the dashboard listens, an address or a name, in place of dashboard.host
        #[argh(option, arg_name = "host")]
        host: Option<String>,
        /// its TCP port, in place of dashboard.port
        #[argh(option, short = 'p', arg_name = "port", from_str_fn(port))]
        port: Option<u16>,
    }

    /// Serve the dashboard alone, from the same database.
    #[argh(subcommand, name = "dashboard")]
    Dashboard {
        /// where it listens, an address or a name, in place of dashboard.host
        #[argh(option, arg_name = "host")]
        host: Option<String>,
        /// its TCP port, in place of dashboard.port
        #[argh(option, short = 'p', arg_name = "port", from_str_fn(port))]
        port: Option<u16>,
    }

    /// Check the hosts once, side by side, and record the results; exit status 1 if a host is down
    /// or not measured.
    #[argh(subcommand, name = "check")]
    Check {
        /// print JSON
        #[argh(switch)]
        json: bool,
        /// do not record the results
        #[argh(switch)]
        no_store: bool,
        /// names or addresses of configured hosts, or any IP address, which is checked but not
        /// recorded (default: all hosts)
        #[argh(positional, arg_name = "host")]
        hosts: Vec<String>,
    }

    /// Print the newest result of every host.
    #[argh(subcommand, name = "status")]
    Status {
        /// exit status 1 unless every configured host has a result of its last three intervals, for
        /// a watchdog
        #[argh(switch)]
        fresh: bool,
        /// print JSON
        #[argh(switch)]
        json: bool,
    }

    /// Delete once what is older than the retention.
    #[argh(subcommand, name = "cleanup")]
    Cleanup {
        /// print JSON
        #[argh(switch)]
        json: bool,
    }

    /// Delete what is older than the retention, now and again.
    #[argh(subcommand, name = "cleanup-continuous")]
    CleanupContinuous {
        /// hours from one time to the next (default: 24)
        #[argh(option, arg_name = "hours", short = 'i', default = "24.0", from_str_fn(hours))]
        interval: f64,
    }

    /// List the outages, newest first, and note things on them. Also: events.
    #[argh(subcommand, name = "outages")]
    Outages {
        /// only those that go on
        #[argh(switch)]
        active: bool,
        /// only those of a host, by name or address
        #[argh(option, arg_name = "host")]
        host: Option<String>,
        /// only those of the last days (default: all)
        #[argh(option, arg_name = "days", from_str_fn(days))]
        days: Option<f64>,
        /// at most so many, 0 for all (default: 50)
        #[argh(option, arg_name = "limit", default = "50")]
        limit: usize,
        /// print JSON
        #[argh(switch)]
        json: bool,
        /// note the text on the outage with this id
        #[argh(option, arg_name = "id")]
        note: Option<i64>,
        /// it was planned, so it is listed apart and not counted (with --note)
        #[argh(switch)]
        planned: bool,
        /// what is noted with --note, in one or more words (behind -- where one begins with a dash)
        #[argh(positional, arg_name = "text")]
        text: Vec<String>,
    }

    /// Write the recorded checks, oldest first. Times are RFC 3339, YYYY-MM-DD[ HH:MM[:SS]] in
    /// local time, or Unix seconds.
    #[argh(subcommand, name = "export")]
    Export {
        /// only the checks of a host, by name or address
        #[argh(option, arg_name = "host")]
        host: Option<String>,
        /// only checks from this time on
        #[argh(option, arg_name = "time", from_str_fn(when::instant))]
        from: Option<UtcMillis>,
        /// only checks before this time
        #[argh(option, arg_name = "time", from_str_fn(when::instant))]
        to: Option<UtcMillis>,
        /// how they are written: csv (default; times in UTC, line ends of Unix), jsonl,
        /// openmetrics, or sqlite: a database that the Python original reads, in local time
        #[argh(option, arg_name = "format", default = "ExportFormat::Text(Format::Csv)", from_str_fn(export_format))]
        format: ExportFormat,
        /// write to a file, which is replaced when all is written (default: standard output); a
        /// database must not exist yet
        #[argh(option, short = 'o', arg_name = "file")]
        output: Option<PathBuf>,
    }

    /// Take over a database that the Python original wrote.
    #[argh(subcommand, name = "import")]
    Import {
        /// the original's database
        #[argh(positional)]
        file: PathBuf,
    }

    /// Write a consistent copy of the database, also while the monitor runs.
    #[argh(subcommand, name = "backup")]
    Backup {
        /// the copy; it must not exist yet
        #[argh(positional)]
        file: PathBuf,
    }

    /// Print what was down in a period, whose fault it was and how that is known.
    #[argh(subcommand, name = "report")]
    Report {
        /// today and the days before it (default: 30)
        #[argh(option, arg_name = "days", from_str_fn(period_of_days))]
        days: Option<Period>,
        /// a month, as 2026-11
        #[argh(option, arg_name = "month", from_str_fn(month))]
        month: Option<Period>,
        /// from when on: 2026-11-02 or "2026-11-02 14:03[:22]" (local time), RFC 3339 or Unix
        /// seconds
        #[argh(option, arg_name = "time", from_str_fn(when::instant))]
        from: Option<UtcMillis>,
        /// until when (default: now)
        #[argh(option, arg_name = "time", from_str_fn(when::instant))]
        to: Option<UtcMillis>,
        /// the name or address of one host (default: all)
        #[argh(option, arg_name = "host")]
        host: Option<String>,
        /// how it is written: text (default), html, csv or json
        #[argh(option, arg_name = "format", from_str_fn(format))]
        format: Option<ReportFormat>,
        /// write to this file instead of standard output
        #[argh(option, short = 'o', arg_name = "file")]
        output: Option<PathBuf>,
        /// add every ping of the period
        #[argh(switch)]
        raw: bool,
    }

    /// Run alerts.command once with a made-up event; exit status 1 unless it exits with 0.
    #[argh(subcommand, name = "alert-test")]
    AlertTest {
        /// what it is told: down, up, degraded or incident (default: down)
        #[argh(option, arg_name = "kind", default = "AlertKind::Down", from_str_fn(alert_kind))]
        event: AlertKind,
    }

    /// Say whether this machine can ping, resolve, write and serve, and what cures what it cannot.
    #[argh(subcommand, name = "doctor")]
    Doctor {
        /// print JSON
        #[argh(switch)]
        json: bool,
    }
}

fn hours(text: &str) -> Result<f64, String> {
    let hours: f64 = text
        .parse()
        .map_err(|_| format!("{text:?} is not a number of hours"))?;
    if (0.001..=8784.0).contains(&hours) {
        Ok(hours)
    } else {
        Err(format!("{text} is not between 0.001 and 8784 hours"))
    }
}

fn days(text: &str) -> Result<f64, String> {
    let days: f64 = text
        .parse()
        .map_err(|_| format!("{text:?} is not a number of days"))?;
    if days > 0.0 && days <= 100_000.0 {
        Ok(days)
    } else {
        Err(format!("{text} is not between 0 and 100000 days"))
    }
}

/// In what `export` writes.
#[derive(Clone, Copy, Debug)]
pub enum ExportFormat {
    /// Text, which can go anywhere.
    Text(Format),
    /// The original's database.
    Original,
}

fn export_format(text: &str) -> Result<ExportFormat, String> {
    match text {
        "csv" => Ok(ExportFormat::Text(Format::Csv)),
        "jsonl" => Ok(ExportFormat::Text(Format::JsonLines)),
        "openmetrics" => Ok(ExportFormat::Text(Format::OpenMetrics)),
        "sqlite" => Ok(ExportFormat::Original),
        _ => Err(format!(
            "{text:?} is none of csv, jsonl, openmetrics, sqlite"
        )),
    }
}

fn period_of_days(text: &str) -> Result<Period, String> {
    Period::days(text)
}

fn month(text: &str) -> Result<Period, String> {
    Period::month(text)
}

fn format(text: &str) -> Result<ReportFormat, String> {
    ReportFormat::from_word(text)
}

fn alert_kind(text: &str) -> Result<AlertKind, String> {
    AlertKind::from_word(text)
        .ok_or_else(|| format!("{text:?} is none of down, up, degraded, incident"))
}

fn port(text: &str) -> Result<u16, String> {
    text.parse()
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| format!("{text:?} is no port from 1 to 65535"))
}

/// Second names of commands, of which argh knows nothing, and the first ones.
pub(super) const SECOND_NAMES: &[(&str, &str)] = &[("events", "outages")];
/// Options that are followed by a value.
const VALUE_OPTIONS: &[&str] = &[
    "--config",
    "-c",
    "--interval",
    "-i",
    "--host",
    "--port",
    "-p",
    "--days",
    "--limit",
    "--note",
    "--month",
    "--from",
    "--to",
    "--format",
    "--output",
    "-o",
    "--event",
];
/// Short options without a value.
const SWITCHES: &[char] = &['v', 'q', 'h', 'V'];

/// Reads the arguments, the program's own name first among them.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Parsed, CliError> {
    let mut words = Vec::new();
    for word in arguments.skip(1) {
        let word = word
            .into_string()
            .map_err(|word| CliError::Usage(format!("argument {word:?}: it is not UTF-8")))?;
        words.push(word);
    }
    let mut words = normalise(words);
    if let Some(first) = words.first_mut()
        && let Some((_, name)) = SECOND_NAMES.iter().find(|(second, _)| second == first)
    {
        *first = (*name).into();
    }
    let options: Vec<&str> = options_of(&words).collect();
    if options.contains(&"--version") || options.contains(&"-V") {
        return Ok(Parsed::Text(format!(
            "ace-connection-logger {}\n",
            env!("CARGO_PKG_VERSION")
        )));
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match Arguments::from_args(&["ace-connection-logger"], &words) {
        Ok(arguments) => Ok(Parsed::Command(arguments.command)),
        Err(exit) if exit.status.is_ok() => {
            Ok(Parsed::Text(format!("{}\n", exit.output.trim_end())))
        }
        Err(exit) => Err(CliError::Usage(exit.output.trim_end().to_string())),
    }
}

/// The words before `--` that are no option's value.
fn options_of(words: &[String]) -> impl Iterator<Item = &str> {
    let mut is_value = false;
    words
        .iter()
        .map(String::as_str)
        .take_while(|word| *word != "--")
        .filter(move |word| {
            let was_value = is_value;
            is_value = !was_value && VALUE_OPTIONS.contains(word);
            !was_value
        })
}

/// Takes `--option=value` and `-oVALUE` apart, `-vq` into switches, and makes `-h` `--help`. What
/// stands behind `--`, or is an option's value, stays as it is.
fn normalise(words: Vec<String>) -> Vec<String> {
    let mut normal = Vec::with_capacity(words.len());
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if word == "--" {
            normal.push(word);
            normal.extend(words.by_ref());
        } else if VALUE_OPTIONS.contains(&word.as_str()) {
            normal.push(word);
            normal.extend(words.next());
        } else if let Some((option, value)) = word
            .split_once('=')
            .filter(|(option, _)| option.starts_with("--"))
        {
            normal.extend([option.to_string(), value.to_string()]);
        } else if word == "-h" {
            normal.push("--help".into());
        } else if word.starts_with('-') && !word.starts_with("--") && word.len() > 2 {
            normal.extend(split_short(&word));
        } else {
            normal.push(word);
        }
    }
    normal
}

fn split_short(word: &str) -> Vec<String> {
    let letters = &word[1..];
    let value_at = letters
        .char_indices()
        .find(|(_, letter)| VALUE_OPTIONS.contains(&format!("-{letter}").as_str()));
    let (switches, option) = match value_at {
        Some((at, letter)) => (
            &letters[..at],
            Some((letter, &letters[at + letter.len_utf8()..])),
        ),
        None => (letters, None),
    };
    if !switches.chars().all(|letter| SWITCHES.contains(&letter)) {
        return vec![word.to_string()];
    }
    let mut split: Vec<String> = switches
        .chars()
        .map(|letter| {
            if letter == 'h' {
                "--help".into()
            } else {
                format!("-{letter}")
            }
        })
        .collect();
    if let Some((letter, value)) = option {
        split.push(format!("-{letter}"));
        split.extend(
            (!value.is_empty()).then(|| value.strip_prefix('=').unwrap_or(value).to_string()),
        );
    }
    split
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        normalise(line.split(' ').map(String::from).collect())
    }

    #[test]
    fn options_and_their_values_may_be_written_together() {
        assert_eq!(
            words("check --config=a.yaml x"),
            ["check", "--config", "a.yaml", "x"]
        );
        assert_eq!(words("check -ca.yaml"), ["check", "-c", "a.yaml"]);
        assert_eq!(words("check -c=a.yaml"), ["check", "-c", "a.yaml"]);
        assert_eq!(
            words("check -vqca.yaml"),
            ["check", "-v", "-q", "-c", "a.yaml"]
        );
        assert_eq!(words("check --config=a=b"), ["check", "--config", "a=b"]);
        assert_eq!(
            words("check -vc a.yaml -h"),
            ["check", "-v", "-c", "a.yaml", "--help"]
        );
    }

    #[test]
    fn a_value_and_what_stands_behind_two_dashes_stays_as_it_is() {
        assert_eq!(words("check -c --version"), ["check", "-c", "--version"]);
        assert_eq!(words("check --config -vq"), ["check", "--config", "-vq"]);
        assert_eq!(words("check -- -h --a=b"), ["check", "--", "-h", "--a=b"]);
        assert_eq!(words("check -xyz"), ["check", "-xyz"]);
    }

    fn parse_line(line: &str) -> Result<Parsed, CliError> {
        parse(
            std::iter::once("program")
                .chain(line.split(' '))
                .map(OsString::from),
        )
    }

    #[test]
    fn help_and_version_work_everywhere_and_are_no_errors() {
        for line in ["--version", "-V", "status --version", "check -V"] {
            let Ok(Parsed::Text(text)) = parse_line(line) else {
                panic!("{line}")
            };
            assert_eq!(
                text,
                format!("ace-connection-logger {}\n", env!("CARGO_PKG_VERSION"))
            );
        }
        for line in ["--help", "-h", "help", "status -h", "check --help"] {
            assert!(
                matches!(parse_line(line), Ok(Parsed::Text(text)) if text.contains("Usage: ace-connection-logger")),
                "{line}"
            );
        }
    }

    #[test]
    fn what_is_no_command_or_option_is_a_usage_error() {
        for line in [
            "frobnicate",
            "status --nope",
            "cleanup-continuous --interval=0",
            "cleanup-continuous -i x",
            "import",
            "status extra",
            "dashboard --port=0",
            "report --days 0",
            "report --month 2026-13",
            "report --from yesterday",
            "report --format pdf",
            "monitor --port 65536",
            "alert-test --event=sideways",
        ] {
            assert!(
                matches!(parse_line(line), Err(CliError::Usage(_))),
                "{line}"
            );
        }
    }

    #[test]
    fn every_option_that_takes_a_value_is_known_to_be_one() {
        // argh names them in its help as `--option <value>`.
        for command in [
            "init-config",
            "check-config",
            "monitor",
            "dashboard",
            "check",
            "status",
            "cleanup",
            "cleanup-continuous",
            "outages",
            "export",
            "import",
            "backup",
            "report",
            "doctor",
            "alert-test",
        ] {
            let Ok(Parsed::Text(help)) = parse_line(&format!("{command} --help")) else {
                panic!("{command}")
            };
            let usage = help.split("\n\n").next().expect("a usage line");
            for part in usage.split('[').skip(1).filter(|part| {
                part.starts_with('-') && !part.starts_with("--]") && part.contains('<')
            }) {
                let option = part.split(' ').next().expect("an option");
                assert!(VALUE_OPTIONS.contains(&option), "{command} {option}");
            }
        }
    }
}
