//! The commands and their options, declared once for the parser, `--help` and the completions.

use std::path::PathBuf;

use argh::FromArgs;
use log::LevelFilter;

use super::instant;
use super::values::{ExportFormat, alert_kind, days, export_format, hours, port};
use crate::export::Format;
use crate::pure::model::AlertKind;
use crate::pure::time::UtcMillis;
use crate::report::{Format as ReportFormat, Period};

/// Logs whether the hosts you care about answer, keeps the results for years, and shows what was
/// down, since when and why.
#[derive(FromArgs, Debug)]
#[cfg_attr(test, derive(argh::ArgsInfo))]
pub struct Arguments {
    #[argh(subcommand)]
    pub command: Command,
}

/// The options that every command has.
#[derive(Clone, Debug)]
pub struct CommonOptions {
    pub config: Option<PathBuf>,
    pub strict: bool,
    verbose: bool,
    quiet: bool,
}

impl CommonOptions {
    /// The configured log level, unless `-v` or `-q` overrides it.
    pub fn level(&self, configured: LevelFilter) -> LevelFilter {
        match (self.verbose, self.quiet) {
            (true, _) => LevelFilter::Debug,
            (false, true) => LevelFilter::Error,
            (false, false) => configured,
        }
    }
}

/// An option or positional argument as it is declared below.
pub struct Declared {
    /// The field's name: the long option with `_` for `-`.
    field: &'static str,
    short: &'static [char],
    /// `option`, `switch` or `positional`.
    kind: &'static str,
}

impl Declared {
    /// Whether an argument as the user types it, `--long` or `-s`, is this option or switch.
    pub fn is_spelt(&self, argument: &str) -> bool {
        if self.kind == "positional" {
            return false;
        }
        match argument.strip_prefix("--") {
            Some(_) => self.long().as_deref() == Some(argument),
            None => argument
                .strip_prefix('-')
                .is_some_and(|short| self.short.iter().any(|letter| letter.to_string() == short)),
        }
    }

    /// The long option; `None` for a positional argument.
    pub fn long(&self) -> Option<String> {
        (self.kind != "positional").then(|| format!("--{}", self.field.replace('_', "-")))
    }

    pub fn takes_value(&self) -> bool {
        self.kind == "option"
    }
}

/// Adds the common options to every command, and makes the enum of all commands.
macro_rules! commands {
    ($($(#[doc = $about:tt])* #[argh(subcommand, name = $command:tt)] $name:ident { $($fields:tt)* })*) => {
        $(command! {
            $(#[doc = $about])* #[argh(subcommand, name = $command)] $name {
                $($fields)*
                /// configuration file (default: ./config.yaml, else
                /// /etc/ace-connection-logger/config.yaml)
                #[argh(option, short = 'c', arg_name = "path")]
                config: Option<PathBuf>,
                /// refuse a configuration with problems (exit status 78)
                #[argh(switch)]
                strict: bool,
                /// log more
                #[argh(switch, short = 'v')]
                verbose: bool,
                /// log only errors
                #[argh(switch, short = 'q')]
                quiet: bool,
            }
        })*

        #[derive(FromArgs, Debug)]
        #[cfg_attr(test, derive(argh::ArgsInfo))]
        #[argh(subcommand)]
        pub enum Command {
            $($name($name),)*
        }

        /// What each command declares.
        pub const DECLARED: &[&[Declared]] = &[$($name::DECLARED),*];
    };
}

/// Makes a command's struct. The parts of `#[argh(...)]` are in the order that is matched here.
macro_rules! command {
    ($(#[doc = $about:tt])* #[argh(subcommand, name = $command:tt)] $name:ident {
        $(
            $(#[doc = $help:tt])*
            #[argh(
                $kind:ident
                $(, short = $short:tt)?
                $(, arg_name = $arg_name:tt)?
                $(, default = $default:tt)?
                $(, from_str_fn($($function:tt)*))?
            )]
            $field:ident: $type:ident $(<$inner:ident>)?,
        )*
    }) => {
        $(#[doc = $about])*
        #[derive(FromArgs, Debug)]
        #[cfg_attr(test, derive(argh::ArgsInfo))]
        #[argh(subcommand, name = $command)]
        pub struct $name {
            $(
                $(#[doc = $help])*
                #[argh(
                    $kind
                    $(, short = $short)?
                    $(, arg_name = $arg_name)?
                    $(, default = $default)?
                    $(, from_str_fn($($function)*))?
                )]
                pub $field: $type $(<$inner>)?,
            )*
        }

        impl $name {
            const DECLARED: &'static [Declared] = &[$(Declared {
                field: stringify!($field),
                short: &[$($short)?],
                kind: stringify!($kind),
            }),*];

            pub fn common(&self) -> CommonOptions {
                CommonOptions {
                    config: self.config.clone(),
                    strict: self.strict,
                    verbose: self.verbose,
                    quiet: self.quiet,
                }
            }
        }
    };
}

commands! {
    /// Write the commented default configuration.
    #[argh(subcommand, name = "init-config")]
    InitConfig {
        /// overwrite an existing file
        #[argh(switch)]
        force: bool,
    }

    /// Print every problem in the configuration; exit status 1 if there is one.
    #[argh(subcommand, name = "check-config")]
    CheckConfig {}

    /// Check every host at its interval, record the results and serve the dashboard, until SIGTERM
    /// or SIGINT. SIGHUP reads the configuration again.
    #[argh(subcommand, name = "monitor")]
    Monitor {
        /// do not serve the dashboard
        #[argh(switch)]
        no_dashboard: bool,
        /// address or name to listen on instead of dashboard.host
        #[argh(option, arg_name = "host")]
        host: Option<String>,
        /// TCP port to listen on instead of dashboard.port
        #[argh(option, short = 'p', arg_name = "port", from_str_fn(port))]
        port: Option<u16>,
    }

    /// Serve only the dashboard, from the same database.
    #[argh(subcommand, name = "dashboard")]
    Dashboard {
        /// address or name to listen on instead of dashboard.host
        #[argh(option, arg_name = "host")]
        host: Option<String>,
        /// TCP port to listen on instead of dashboard.port
        #[argh(option, short = 'p', arg_name = "port", from_str_fn(port))]
        port: Option<u16>,
    }

    /// Check all hosts once at the same time and record the results; exit status 1 if a host is down
    /// or not measured.
    #[argh(subcommand, name = "check")]
    Check {
        /// print JSON
        #[argh(switch)]
        json: bool,
        /// do not record the results
        #[argh(switch)]
        no_store: bool,
        /// names or addresses of configured hosts, or other IP addresses, which are checked but
        /// not recorded (default: all hosts)
        #[argh(positional, arg_name = "host")]
        hosts: Vec<String>,
    }

    /// Print the newest result of every host.
    #[argh(subcommand, name = "status")]
    Status {
        /// exit status 1 unless every configured host has a result from its last three intervals
        #[argh(switch)]
        fresh: bool,
        /// print JSON
        #[argh(switch)]
        json: bool,
    }

    /// Delete results older than the retention period, once.
    #[argh(subcommand, name = "cleanup")]
    Cleanup {
        /// print JSON
        #[argh(switch)]
        json: bool,
    }

    /// Delete results older than the retention period, now and at every interval.
    #[argh(subcommand, name = "cleanup-continuous")]
    CleanupContinuous {
        /// hours between two cleanups (default: 24)
        #[argh(option, short = 'i', arg_name = "hours", default = "24.0", from_str_fn(hours))]
        interval: f64,
    }

    /// List the outages, newest first, or add a note to one. Also called events.
    #[argh(subcommand, name = "outages")]
    Outages {
        /// only ongoing outages
        #[argh(switch)]
        active: bool,
        /// only outages of this host, by name or address
        #[argh(option, arg_name = "host")]
        host: Option<String>,
        /// only outages of the last so many days (default: all)
        #[argh(option, arg_name = "days", from_str_fn(days))]
        days: Option<f64>,
        /// maximum number of outages, 0 for all (default: 50)
        #[argh(option, arg_name = "limit", default = "50")]
        limit: usize,
        /// print JSON
        #[argh(switch)]
        json: bool,
        /// list each host of an incident below it, with the ID of its outage
        #[argh(switch)]
        each_host: bool,
        /// write the text as the note of the outage with this ID; an empty text ("") removes the note
        #[argh(option, arg_name = "id")]
        note: Option<i64>,
        /// mark the outage of --note as planned: it is listed separately and not counted
        #[argh(switch)]
        planned: bool,
        /// take back that the outage of --note was planned
        #[argh(switch)]
        not_planned: bool,
        /// with --note: the same for the outages of all hosts that began together with it
        #[argh(switch)]
        all_hosts: bool,
        /// the text of the note, in one or more words (after -- if a word begins with a dash)
        #[argh(positional, arg_name = "text")]
        text: Vec<String>,
    }

    /// Write the recorded checks, oldest first. Times are RFC 3339, YYYY-MM-DD[ HH:MM[:SS]] in
    /// local time, or Unix seconds.
    #[argh(subcommand, name = "export")]
    Export {
        /// only checks of this host, by name or address
        #[argh(option, arg_name = "host")]
        host: Option<String>,
        /// only checks at or after this time
        #[argh(option, arg_name = "time", from_str_fn(instant::parse))]
        from: Option<UtcMillis>,
        /// only checks before this time
        #[argh(option, arg_name = "time", from_str_fn(instant::parse))]
        to: Option<UtcMillis>,
        /// file format: csv (default; UTC, LF line ends), jsonl, openmetrics, or sqlite (a database
        /// for the Python original, in local time)
        #[argh(option, arg_name = "format", default = "ExportFormat::Text(Format::Csv)", from_str_fn(export_format))]
        format: ExportFormat,
        /// with openmetrics: the label job of every series, as in the configuration of Prometheus
        #[argh(option, arg_name = "name")]
        job: Option<String>,
        /// with openmetrics: the label instance of every series, such as monitor.example:8501
        #[argh(option, arg_name = "name")]
        instance: Option<String>,
        /// file to write, replaced at the end; must not exist with sqlite (default: standard output)
        #[argh(option, short = 'o', arg_name = "file")]
        output: Option<PathBuf>,
    }

    /// Import a database of the Python original, or another of this program.
    #[argh(subcommand, name = "import")]
    Import {
        /// database to import
        #[argh(positional)]
        file: PathBuf,
    }

    /// Write a consistent copy of the database, even while the monitor runs.
    #[argh(subcommand, name = "backup")]
    Backup {
        /// file to write, which must not exist
        #[argh(positional)]
        file: PathBuf,
    }

    /// Print what was down in a period, the cause of each outage and the evidence for it.
    #[argh(subcommand, name = "report")]
    Report {
        /// number of days, ending today (default: 30)
        #[argh(option, arg_name = "days", from_str_fn(Period::days))]
        days: Option<Period>,
        /// month, such as 2026-11
        #[argh(option, arg_name = "month", from_str_fn(Period::month))]
        month: Option<Period>,
        /// start: 2026-11-02 or "2026-11-02 14:03[:22]" (local time), RFC 3339 or Unix seconds
        #[argh(option, arg_name = "time", from_str_fn(instant::parse))]
        from: Option<UtcMillis>,
        /// end (default: now)
        #[argh(option, arg_name = "time", from_str_fn(instant::parse))]
        to: Option<UtcMillis>,
        /// name or address of one host (default: all)
        #[argh(option, arg_name = "host")]
        host: Option<String>,
        /// format of the report: text (default), html, csv or json
        #[argh(option, arg_name = "format", from_str_fn(ReportFormat::from_word))]
        format: Option<ReportFormat>,
        /// file to write instead of standard output
        #[argh(option, short = 'o', arg_name = "file")]
        output: Option<PathBuf>,
        /// append every ping of the period
        #[argh(switch)]
        raw: bool,
    }

    /// Check whether this machine can ping, resolve names, write and serve, and print cures; or
    /// read a damaged database.
    #[argh(subcommand, name = "doctor")]
    Doctor {
        /// write what is readable of this damaged database into a new one; it is not changed
        #[argh(option, arg_name = "file")]
        salvage: Option<PathBuf>,
        /// file that --salvage writes, which must not exist (default: FILE.salvaged)
        #[argh(option, short = 'o', arg_name = "file")]
        output: Option<PathBuf>,
        /// print JSON
        #[argh(switch)]
        json: bool,
    }

    /// Run alerts.command once with a test notice; exit status 1 unless it exits with 0.
    #[argh(subcommand, name = "alert-test")]
    AlertTest {
        /// kind of notice: down, up, degraded, incident, loss, database or digest (default: down)
        #[argh(option, arg_name = "kind", default = "AlertKind::Down", from_str_fn(alert_kind))]
        event: AlertKind,
    }
}
