//! What happens on a simulated line: its hosts, how they are checked, and every fault with its
//! beginning and end. A scenario is made from a seed, has a text, and shrinks to fewer faults.

pub const SECOND: i64 = 1_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;
pub const YEAR: i64 = 365 * DAY;

/// What a host is: it decides what its pings need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Gateway,
    /// On this machine's own network.
    Near,
    /// Beyond the provider.
    Far,
    /// The same, with a name.
    Named,
    /// Beyond the provider, over IPv6.
    Far6,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The provider forwards nothing; the gateway answers.
    Provider,
    /// The same for one version of IP.
    ProviderOf(u8),
    /// The router is off.
    Router,
    /// Host number so-and-so answers nothing.
    Host(usize),
    /// No carrier.
    Cable,
    /// No route but to the own network.
    Route,
    /// The same for one version of IP.
    RouteOf(u8),
    /// So many of a thousand packets beyond the router are lost.
    Loss(u16),
    /// The resolver does not answer.
    Names,
    /// The resolver says that there is no such name.
    NoSuchName,
    /// The host with a name has another address, to which its name leads.
    Moved,
    /// The name leads to an address at which nothing answers.
    Misled,
    /// Host number so-and-so answers so many milliseconds later.
    Late(usize, i64),
    /// It answers each ping twice.
    Twice(usize),
    /// It answers, but not what it was asked.
    Wrong(usize),
    /// A router says in its place that it is unreachable.
    Unreachable(usize),
    /// Nothing can be written to the database.
    Disk,
    /// The monitor is stopped with SIGTERM and started again.
    Restart,
    /// The monitor is killed and started again.
    Killed,
    /// The machine has no power, and boots again.
    PowerCut,
    /// The machine sleeps.
    Sleep,
    /// The process is stopped and continued.
    Stopped,
    /// The wall clock is wrong by so many milliseconds. Several such faults at once add up.
    Clock(i64),
    /// The wall clock was 1970 when this began.
    Unset,
    /// The wall clock runs so many millionths too fast for the first half of the time, and as many
    /// too slow for the second.
    Slew(i64),
    /// SIGHUP; the last host is removed, and added again at the end.
    Reload,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Milliseconds after the beginning of the scenario.
    pub from: i64,
    pub until: i64,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    pub seed: u64,
    pub length: i64,
    pub hosts: Vec<Place>,
    pub interval: i64,
    pub ping_count: u16,
    pub spacing: i64,
    pub timeout: i64,
    /// Between two probes; 0 sends none.
    pub probes: i64,
    pub down_after: u16,
    pub up_after: u16,
    pub flush: i64,
    pub faults: Vec<Fault>,
}

impl Scenario {
    /// Sorts the faults, and leaves out those that cannot follow each other.
    pub fn settle(&mut self) {
        let length = self.length;
        self.faults
            .retain(|fault| fault.until < length - MINUTE && fault.from < fault.until);
        self.faults.sort_by_key(|fault| fault.from);
        // The monitor cannot stop while it is stopped.
        let mut last = 0;
        self.faults.retain(|fault| {
            let is_possible = !fault.what.is_of_monitor() || fault.from > last + 10 * SECOND;
            if fault.what.is_of_monitor() && is_possible {
                last = fault.until;
            }
            is_possible
        });
        self.settle_disk();
        let all = self.faults.clone();
        self.faults
            .retain(|fault| !fault.what.is_of_clock() || is_settable(fault, &all));
    }

    /// Two faults of the disk are apart, and none lasts until a run begins: a run whose file cannot
    /// be opened waits for real seconds.
    fn settle_disk(&mut self) {
        let begins: Vec<(i64, i64)> = (self.faults.iter())
            .filter(|fault| fault.what.begins_run())
            .map(|fault| (fault.from, fault.until - 1))
            .collect();
        let mut last = 0;
        self.faults.retain_mut(|fault| {
            if fault.what != What::Disk {
                return true;
            }
            let began = |(from, _): &&(i64, i64)| (fault.from..fault.until).contains(from);
            if let Some((_, before)) = begins.iter().find(began) {
                fault.until = fault.until.min(*before);
            }
            let is_down = begins
                .iter()
                .any(|(from, before)| (*from..*before + 1).contains(&fault.from));
            let is_possible = !is_down && fault.from > last + MINUTE && fault.from < fault.until;
            if is_possible {
                last = fault.until;
            }
            is_possible
        });
    }
}

/// Whether the monitor can find the right times of what it records while the clock is wrong: the
/// documents promise it where the clock is set right within the same boot, and, if it became wrong
/// while the monitor ran, by the next.
fn is_settable(fault: &Fault, all: &[Fault]) -> bool {
    let others = || all.iter().filter(|other| *other != fault);
    let overlapping =
        || others().filter(|other| other.from < fault.until && other.until > fault.from);
    if let What::Slew(_) = fault.what {
        // They are as fast as a clock is slewed at most.
        return !overlapping().any(|other| matches!(other.what, What::Slew(_)));
    }
    let boots = || all.iter().filter(|other| other.what == What::PowerCut);
    let is_since_boot = fault.from == 0 || boots().any(|cut| cut.until == fault.from);
    let runs_anew = |other: &&Fault| matches!(other.what, What::Restart | What::Killed);
    overlapping().all(|cut| {
        cut.what != What::PowerCut
            || (fault.until <= cut.until
                && !is_since_boot
                && (matches!(fault.what, What::Clock(1..))
                    || !overlapping().any(|other| runs_anew(&other))))
    })
}

impl What {
    /// Whether it is about the monitor or its machine, not about the network.
    pub fn is_of_monitor(self) -> bool {
        use What::*;
        matches!(self, Restart | Killed | PowerCut | Sleep | Stopped | Reload)
    }

    pub fn begins_run(self) -> bool {
        matches!(self, What::Restart | What::Killed | What::PowerCut)
    }

    pub fn is_of_clock(self) -> bool {
        use What::*;
        matches!(self, Clock(_) | Unset | Slew(_))
    }
}
