//! What `/metrics` shows, gathered from the configuration, the database, the monitor in this process and
//! the system, so that nothing is read while it is written.

use std::collections::HashMap;

use crate::api::{Api, ApiConfig, ApiError, ReloadResult, present};
use crate::config::Role;
use crate::pure::address::IpVersion;
use crate::pure::cause::Cause;
use crate::pure::model::{EventKind, HostId, State};
use crate::pure::process::ProcessFigures;
use crate::pure::series::{host_labels, seconds};
use crate::pure::totals::HostTotals;
use crate::status::{self, HostStatus, HostStatuses};
use crate::store::{MonitorCounts, OutageEvent, Reader, database_sizes};
use crate::sys;

/// What is shown of a configured host.
pub(super) struct HostFigures {
    /// The labels that distinguish it from all others.
    pub(super) labels: String,
    pub(super) interval_seconds: f64,
    pub(super) checked_at_seconds: Option<f64>,
    /// `None` where the newest check is stale: nothing is known of the present then.
    pub(super) current: Option<CurrentFigures>,
    /// `None` where the monitor is not this process, and while it has not opened the database.
    pub(super) totals: Option<HostTotals>,
    /// Checks that were skipped since the process began; `None` where the monitor is not this process.
    pub(super) skipped: Option<u64>,
}

/// What the newest check says.
pub(super) struct CurrentFigures {
    pub(super) state: State,
    pub(super) success_ratio: Option<f64>,
    /// Minimum, mean and maximum.
    pub(super) rtt_seconds: [Option<f64>; 3],
    pub(super) outage: Option<OngoingOutage>,
    pub(super) name_resolves: Option<bool>,
}

pub(super) struct OngoingOutage {
    pub(super) cause: Cause,
    pub(super) began_at_seconds: Option<f64>,
}

/// What is shown beside the hosts.
pub(super) struct ProgramFigures {
    pub(super) is_running: bool,
    pub(super) lines: Vec<LineFigures>,
    pub(super) reload: ReloadResult,
    /// By `main` and `wal`.
    pub(super) file_bytes: Vec<(&'static str, u64)>,
    /// Without the totals of hosts. `None` where the monitor is not this process.
    pub(super) counts: Option<MonitorCounts>,
    pub(super) waiting_notices: Option<usize>,
    pub(super) process: Option<ProcessFigures>,
    pub(super) process_began_at_seconds: Option<f64>,
}

/// This machine's own line, over one version of IP.
pub(super) struct LineFigures {
    pub(super) version: IpVersion,
    pub(super) is_link_up: Option<bool>,
    pub(super) is_gateway_up: Option<bool>,
}

pub(super) struct Figures {
    pub(super) hosts: Vec<HostFigures>,
    pub(super) program: ProgramFigures,
}

/// What is read from the database.
struct Recorded {
    statuses: HostStatuses,
    is_running: bool,
    waiting_notices: Option<usize>,
}

impl Recorded {
    fn read(reader: &Reader, config: &ApiConfig) -> Result<Recorded, ApiError> {
        let now = present(reader)?;
        let mut statuses = HostStatuses::read(reader, config.flush, now)?;
        statuses.outages = reader.open_outages()?;
        let waiting = reader.waiting_notices()?;
        Ok(Recorded {
            statuses,
            is_running: status::is_monitor_running(reader, config.flush, now)?,
            waiting_notices: Some(waiting.map_or(0, |waiting| waiting.count)),
        })
    }
}

impl Figures {
    /// Where the monitor is this process they are shown although the database cannot be read.
    pub(super) fn gather(api: &Api) -> Result<Figures, ApiError> {
        let config = api.config();
        let mut counts = (api.counts)();
        let read = api
            .reader()
            .and_then(|reader| reader.in_one_state(|| Recorded::read(&reader, &config)));
        let recorded = match (read, &counts) {
            (Ok(recorded), _) => recorded,
            (Err(_), Some(_)) => Recorded {
                statuses: HostStatuses::empty(sys::clocks().utc()),
                is_running: true,
                waiting_notices: None,
            },
            (Err(error), None) => return Err(error),
        };
        let mut statuses = recorded.statuses.of_hosts(&config.hosts);
        statuses.retain(|status| status.config.is_some());
        let outages = outages_of_hosts(&recorded.statuses.outages);
        let hosts = statuses
            .iter()
            .map(|status| HostFigures::of(status, &outages, counts.as_mut()))
            .collect();
        let process = sys::process_figures();
        let is_running = recorded.is_running || counts.is_some();
        Ok(Figures {
            hosts,
            program: ProgramFigures {
                is_running,
                lines: lines(&statuses, &recorded.statuses.outages, is_running),
                reload: api.last_reload(),
                file_bytes: database_sizes(&config.database),
                counts,
                waiting_notices: recorded.waiting_notices,
                process,
                process_began_at_seconds: process.map(|process| api.process_began_at(&process)),
            },
        })
    }
}

/// The first ongoing outage of each host.
fn outages_of_hosts(events: &[OutageEvent]) -> HashMap<HostId, &OutageEvent> {
    let mut outages = HashMap::new();
    let of_hosts = events
        .iter()
        .filter(|event| event.event_type == EventKind::Outage);
    for event in of_hosts {
        if let Some(host_id) = event.host_id {
            outages.entry(host_id).or_insert(event);
        }
    }
    outages
}

/// Equal labels of two series would make Prometheus refuse all: hosts may differ in their source alone.
fn labels_of(status: &HostStatus<'_>) -> String {
    let host = status.config.map(|config| &config.host);
    let (family, source) = host.map_or((None, None), |host| (host.family, host.source.as_ref()));
    host_labels(status.name, status.address, family, source)
}

impl HostFigures {
    /// Takes its totals from `counts`.
    fn of<'a>(
        status: &HostStatus<'a>,
        outages: &HashMap<HostId, &OutageEvent>,
        counts: Option<&mut MonitorCounts>,
    ) -> HostFigures {
        let (totals, skipped) = match (counts, status.config) {
            (Some(counts), Some(config)) => {
                let identity = config.host.owned_identity();
                let totals = counts.totals.as_mut();
                (
                    totals.map(|totals| totals.remove(&identity).unwrap_or_default()),
                    Some(counts.skipped.get(&identity).copied().unwrap_or(0)),
                )
            }
            _ => (None, None),
        };
        let interval = status.config.map(|config| config.interval.as_secs_f64());
        let checked_at = status.latest.map(|latest| latest.check.checked_at);
        HostFigures {
            labels: labels_of(status),
            interval_seconds: interval.unwrap_or(0.0),
            checked_at_seconds: checked_at.map(|at| at.0 as f64 / 1000.0),
            current: CurrentFigures::of(status, outages),
            totals,
            skipped,
        }
    }
}

impl CurrentFigures {
    fn of(
        status: &HostStatus<'_>,
        outages: &HashMap<HostId, &OutageEvent>,
    ) -> Option<CurrentFigures> {
        let latest = status.current()?;
        let check = &latest.check;
        let outage = outages.get(&latest.host_id).map(|event| OngoingOutage {
            cause: event.cause.unwrap_or(Cause::Unknown),
            began_at_seconds: event.start_time.map(|at| at.0 as f64 / 1000.0),
        });
        Some(CurrentFigures {
            state: check.state,
            success_ratio: latest.is_measured().then(|| check.success_rate() / 100.0),
            rtt_seconds: [check.min_us, check.avg_us, check.max_us].map(seconds),
            outage,
            name_resolves: status.name_resolves(),
        })
    }
}

/// The versions of IP of which something is known.
fn lines(
    statuses: &[HostStatus<'_>],
    events: &[OutageEvent],
    is_running: bool,
) -> Vec<LineFigures> {
    let lines = IpVersion::ALL.into_iter().map(|version| {
        let of_version = |status: &&HostStatus<'_>| version_of(status) == Some(version);
        let measured = statuses
            .iter()
            .filter(of_version)
            .filter_map(|status| Some((status, status.current()?)))
            .filter(|(_, latest)| latest.is_measured());
        let is_down = events.iter().any(|event| {
            let is_link = event.event_type == EventKind::LinkDown;
            is_link && event.host_address.contains(&version.to_string())
        });
        let is_link_up = if is_down && is_running {
            Some(false)
        } else {
            measured.clone().next().map(|_| true)
        };
        let is_gateway = |status: &HostStatus<'_>| {
            let config = status.config;
            config.is_some_and(|config| {
                config.role == Role::Gateway || config.host.address.is_gateway()
            })
        };
        let is_gateway_up = measured
            .filter(|(status, _)| is_gateway(status))
            .map(|(_, latest)| latest.check.state != State::Down)
            .reduce(|one, other| one || other);
        LineFigures {
            version,
            is_link_up,
            is_gateway_up,
        }
    });
    lines.collect()
}

/// The version of IP that a host is pinged over, where that is known.
fn version_of(status: &HostStatus<'_>) -> Option<IpVersion> {
    let host = &status.config?.host;
    let literal = host.address.ip().map(IpVersion::of);
    let pinged = || {
        // A link-local address has its interface behind it.
        let address = status.resolved()?.split('%').next()?;
        address.parse().ok().map(IpVersion::of)
    };
    host.family.or(literal).or_else(pinged)
}
