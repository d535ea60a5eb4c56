//! The text of a scenario: one line for each property and each fault.

use std::fmt;

use super::random::whole;
use super::scenario::{Fault, MINUTE, Place, Scenario, What};

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Provider => write!(f, "provider"),
            What::ProviderOf(version) => write!(f, "provider {version}"),
            What::Router => write!(f, "router"),
            What::Host(index) => write!(f, "host {index}"),
            What::Cable => write!(f, "cable"),
            What::Route => write!(f, "route"),
            What::RouteOf(version) => write!(f, "route {version}"),
            What::Loss(permille) => write!(f, "loss {permille}"),
            What::Names => write!(f, "names"),
            What::NoSuchName => write!(f, "no-such-name"),
            What::Moved => write!(f, "moved"),
            What::Misled => write!(f, "misled"),
            What::Late(index, ms) => write!(f, "late {index} {ms}"),
            What::Twice(index) => write!(f, "twice {index}"),
            What::Wrong(index) => write!(f, "wrong {index}"),
            What::Unreachable(index) => write!(f, "unreachable {index}"),
            What::Disk => write!(f, "disk"),
            What::Restart => write!(f, "restart"),
            What::Killed => write!(f, "killed"),
            What::PowerCut => write!(f, "power"),
            What::Sleep => write!(f, "sleep"),
            What::Stopped => write!(f, "stopped"),
            What::Clock(ms) => write!(f, "clock {ms}"),
            What::Unset => write!(f, "unset"),
            What::Slew(ppm) => write!(f, "slew {ppm}"),
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
                        "far6" => Place::Far6,
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
                    let what = What::read(what);
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

impl What {
    fn read(words: &[&str]) -> What {
        let index = |word: &str| word.parse::<usize>().expect("an index");
        let ms = |word: &str| word.parse::<i64>().expect("milliseconds");
        let version = |word: &str| word.parse::<u8>().expect("a version of IP");
        match words {
            ["provider"] => What::Provider,
            ["provider", number] => What::ProviderOf(version(number)),
            ["router"] => What::Router,
            ["host", number] => What::Host(index(number)),
            ["cable"] => What::Cable,
            ["route"] => What::Route,
            ["route", number] => What::RouteOf(version(number)),
            ["loss", permille] => What::Loss(permille.parse().expect("a number")),
            ["names"] => What::Names,
            ["no-such-name"] => What::NoSuchName,
            ["moved"] => What::Moved,
            ["misled"] => What::Misled,
            ["late", number, by] => What::Late(index(number), ms(by)),
            ["twice", number] => What::Twice(index(number)),
            ["wrong", number] => What::Wrong(index(number)),
            ["unreachable", number] => What::Unreachable(index(number)),
            ["disk"] => What::Disk,
            ["restart"] => What::Restart,
            ["killed"] => What::Killed,
            ["power"] => What::PowerCut,
            ["sleep"] => What::Sleep,
            ["stopped"] => What::Stopped,
            ["clock", by] => What::Clock(ms(by)),
            ["unset"] => What::Unset,
            ["slew", ppm] => What::Slew(ms(ppm)),
            ["reload"] => What::Reload,
            other => panic!("no fault: {other:?}"),
        }
    }
}
