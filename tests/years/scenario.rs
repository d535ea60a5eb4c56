//! What happens on a simulated line: its hosts, how they are checked, and every fault with its
//! beginning and end. A scenario is made from a seed, has a text, and shrinks to fewer faults.

use std::fmt;

use super::random::{Random, whole};

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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The provider forwards nothing; the gateway answers.
    Provider,
    /// The router is off.
    Router,
    /// Host number so-and-so answers nothing.
    Host(usize),
    /// No carrier.
    Cable,
    /// No route but to the own network.
    Route,
    /// So many of a thousand packets beyond the router are lost.
    Loss(u16),
    /// The resolver answers nothing (even) or fails (odd).
    Names,
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
    /// The wall clock is wrong by so many milliseconds.
    Clock(i64),
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
    /// A line for a time, by a seed.
    pub fn random(seed: u64, length: i64) -> Scenario {
        let mut random = Random::new(seed);
        let places = [Place::Far, Place::Far, Place::Near, Place::Named];
        let mut hosts = vec![Place::Far];
        if random.chance(60) {
            hosts.push(Place::Gateway);
        }
        if random.chance(50) {
            hosts.push(random.one_of(&places));
        }
        let interval = random.one_of(&[300, 600, 900, 1800, 1800, 1800, 3600, 3600]) * SECOND;
        let mut scenario = Scenario {
            seed,
            length,
            hosts,
            interval,
            ping_count: random.one_of(&[1, 2, 3, 5, 5]),
            spacing: random.one_of(&[200, 1000, 1000, 2000]),
            timeout: random.one_of(&[1000, 2000, 3000]),
            probes: random.one_of(&[1000, 1000, 1000, 2000, 0]),
            down_after: random.one_of(&[1, 1, 1, 2, 3]),
            up_after: random.one_of(&[1, 1, 1, 2]),
            flush: random.one_of(&[600, 4 * 3600, 6 * 3600, 12 * 3600]) * SECOND,
            faults: Vec::new(),
        };
        let count = random.between(30, 120) * length / YEAR + 1;
        for _ in 0..count {
            let from = random.between(MINUTE, length);
            scenario.add_faults(&mut random, from);
        }
        scenario.settle();
        scenario.hit_checks(&mut random);
        scenario.settle();
        scenario
    }

    /// Moves half of the faults to a check of a host: few would begin within one by chance.
    fn hit_checks(&mut self, random: &mut Random) {
        let hosts = self.hosts.len() as i64;
        let mut start = 0;
        for fault in &mut self.faults {
            if matches!(fault.what, What::Restart | What::Killed | What::PowerCut) {
                start = fault.until;
            } else if random.chance(50) && fault.from - start > 2 * self.interval {
                let host = random.between(0, hosts);
                let ticks = (fault.from - start) / self.interval;
                let tick = start + ticks * self.interval + self.interval * host / hosts;
                let from = tick + random.between(-2 * SECOND, 6 * SECOND);
                *fault = Fault {
                    from,
                    until: from + (fault.until - fault.from),
                    what: fault.what,
                };
            }
        }
    }

    fn add_faults(&mut self, random: &mut Random, from: i64) {
        let host = usize::try_from(random.between(0, self.hosts.len() as i64)).expect("an index");
        let what = match random.between(0, 100) {
            0..=19 => What::Provider,
            20..=34 => What::Router,
            35..=54 => What::Host(host),
            55..=64 => What::Cable,
            65..=69 => What::Route,
            70..=77 => What::Loss(random.one_of(&[50, 200, 500, 900])),
            78..=82 => What::Names,
            83..=86 => What::Restart,
            87..=89 => What::Killed,
            90..=91 => What::PowerCut,
            92..=94 => What::Sleep,
            95..=96 => What::Stopped,
            _ => What::Reload,
        };
        let length = match what {
            What::Restart | What::Killed => random.spread(SECOND, 10 * MINUTE),
            What::PowerCut => random.spread(30 * SECOND, 5 * HOUR),
            // A long silence is many probes, and tells no more than a short one.
            _ if random.chance(5) => random.spread(300, 6 * HOUR),
            _ => random.spread(300, 40 * MINUTE),
        };
        self.faults.push(Fault {
            from,
            until: from + length,
            what,
        });
        // Some faults come and go.
        if random.chance(15) && !what.is_of_monitor() {
            let mut at = from + length;
            for _ in 0..random.between(1, 12) {
                at += random.spread(200, 10 * MINUTE);
                let until = at + random.spread(200, 5 * MINUTE);
                self.faults.push(Fault {
                    from: at,
                    until,
                    what,
                });
                at = until;
            }
        }
    }

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
    }
}

impl What {
    /// Whether it is about the monitor or its machine, not about the network.
    pub fn is_of_monitor(self) -> bool {
        use What::*;
        matches!(
            self,
            Restart | Killed | PowerCut | Sleep | Stopped | Clock(_) | Reload
        )
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Provider => write!(f, "provider"),
            What::Router => write!(f, "router"),
            What::Host(index) => write!(f, "host {index}"),
            What::Cable => write!(f, "cable"),
            What::Route => write!(f, "route"),
            What::Loss(permille) => write!(f, "loss {permille}"),
            What::Names => write!(f, "names"),
            What::Restart => write!(f, "restart"),
            What::Killed => write!(f, "killed"),
            What::PowerCut => write!(f, "power"),
            What::Sleep => write!(f, "sleep"),
            What::Stopped => write!(f, "stopped"),
            What::Clock(ms) => write!(f, "clock {ms}"),
            What::Reload => write!(f, "reload"),
        }
    }
}

/// Its text, which [`Scenario::read`] reads.
impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |ms: i64| ms as f64 / 1000.0;
        let hosts: Vec<String> = (self.hosts.iter())
            .map(|place| format!("{place:?}").to_lowercase())
            .collect();
        writeln!(f, "seed {}", self.seed)?;
        writeln!(f, "hosts {}", hosts.join(" "))?;
        writeln!(f, "interval {}", seconds(self.interval))?;
        writeln!(
            f,
            "pings {} {} {}",
            self.ping_count,
            seconds(self.spacing),
            seconds(self.timeout)
        )?;
        writeln!(f, "probes {}", seconds(self.probes))?;
        writeln!(f, "rules {} {}", self.down_after, self.up_after)?;
        writeln!(f, "flush {}", seconds(self.flush))?;
        for fault in &self.faults {
            writeln!(
                f,
                "from {:.3} to {:.3} {}",
                seconds(fault.from),
                seconds(fault.until),
                fault.what
            )?;
        }
        writeln!(f, "end {}", seconds(self.length))
    }
}

impl Scenario {
    /// Reads the text of a scenario. Panics where it is none: the files are in this folder.
    pub fn read(text: &str) -> Scenario {
        let mut scenario = Scenario::random(0, MINUTE);
        scenario.faults.clear();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let ms = |index: usize| -> i64 {
                let seconds: f64 = words[index].parse().expect("seconds");
                whole(seconds * 1000.0)
            };
            let number = |index: usize| words[index].parse::<u16>().expect("a number");
            match words.as_slice() {
                [] => {}
                ["seed", seed] => scenario.seed = seed.parse().expect("a seed"),
                ["hosts", hosts @ ..] => {
                    let place = |word: &&str| match *word {
                        "gateway" => Place::Gateway,
                        "near" => Place::Near,
                        "named" => Place::Named,
                        _ => Place::Far,
                    };
                    scenario.hosts = hosts.iter().map(place).collect();
                }
                ["interval", _] => scenario.interval = ms(1),
                ["pings", ..] => {
                    (scenario.ping_count, scenario.spacing, scenario.timeout) =
                        (number(1), ms(2), ms(3))
                }
                ["probes", _] => scenario.probes = ms(1),
                ["rules", ..] => (scenario.down_after, scenario.up_after) = (number(1), number(2)),
                ["flush", _] => scenario.flush = ms(1),
                ["end", _] => scenario.length = ms(1),
                ["from", _, "to", _, what @ ..] => {
                    let what = match what {
                        ["provider"] => What::Provider,
                        ["router"] => What::Router,
                        ["host", index] => What::Host(index.parse().expect("an index")),
                        ["cable"] => What::Cable,
                        ["route"] => What::Route,
                        ["loss", permille] => What::Loss(permille.parse().expect("a number")),
                        ["names"] => What::Names,
                        ["restart"] => What::Restart,
                        ["killed"] => What::Killed,
                        ["power"] => What::PowerCut,
                        ["sleep"] => What::Sleep,
                        ["stopped"] => What::Stopped,
                        ["clock", by] => What::Clock(by.parse().expect("milliseconds")),
                        ["reload"] => What::Reload,
                        other => panic!("no fault: {other:?}"),
                    };
                    scenario.faults.push(Fault {
                        from: ms(1),
                        until: ms(3),
                        what,
                    });
                }
                other => panic!("no line of a scenario: {other:?}"),
            }
        }
        scenario
    }
}
