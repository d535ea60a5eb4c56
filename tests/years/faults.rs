//! The faults of a scenario by a seed.

use super::random::{Random, mix};
use super::scenario::{DAY, Fault, HOUR, MINUTE, Place, SECOND, Scenario, What, YEAR};

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
        scenario.add_others(&mut Random::new(mix(seed)));
        scenario.settle();
        scenario.hit_checks(&mut random);
        scenario.settle();
        scenario
    }

    /// What is wrong beside the line itself: clocks, odd replies, IPv6, names, the disk.
    fn add_others(&mut self, random: &mut Random) {
        if random.chance(30) && self.hosts.len() < 3 {
            self.hosts.push(Place::Far6);
        }
        let boots: Vec<i64> = (self.faults.iter())
            .filter(|fault| fault.what == What::PowerCut)
            .map(|fault| fault.until)
            .chain([0])
            .collect();
        for from in boots {
            if random.chance(40) {
                // Without a battery-backed clock, or with one that is wrong.
                let what = if random.chance(60) {
                    What::Unset
                } else {
                    wrong_clock(random)
                };
                let until = from + random.spread(5 * SECOND, 3 * HOUR);
                self.faults.push(Fault { from, until, what });
            }
        }
        let count = random.between(10, 50) * self.length / YEAR + 1;
        for _ in 0..count {
            let from = random.between(MINUTE, self.length);
            self.add_other(random, from);
        }
    }

    fn add_other(&mut self, random: &mut Random, from: i64) {
        let host = usize::try_from(random.between(0, self.hosts.len() as i64)).expect("an index");
        let version = random.one_of(&[4, 6, 6]);
        let late = self.timeout + random.spread(100, 12 * SECOND);
        let what = match random.between(0, 100) {
            0..=14 => wrong_clock(random),
            15..=19 => What::Slew(random.between(-500, 501)),
            20..=29 => What::Late(host, late),
            30..=39 => What::Twice(host),
            40..=49 => What::Wrong(host),
            50..=59 => What::Unreachable(host),
            60..=66 => What::ProviderOf(version),
            67..=73 => What::RouteOf(version),
            74..=79 => What::Moved,
            80..=84 => What::Misled,
            85..=89 => What::NoSuchName,
            _ => What::Disk,
        };
        let length = match what {
            What::Slew(_) => random.spread(10 * MINUTE, 30 * HOUR),
            What::Clock(_) => random.spread(2 * SECOND, 3 * DAY),
            What::Disk => random.spread(10 * SECOND, 8 * HOUR),
            What::Moved | What::Misled | What::NoSuchName => random.spread(SECOND, DAY),
            _ if random.chance(5) => random.spread(300, 6 * HOUR),
            _ => random.spread(300, 40 * MINUTE),
        };
        let until = from + length;
        self.faults.push(Fault { from, until, what });
        // Some steps of the clock add up.
        if matches!(what, What::Clock(_)) && random.chance(30) {
            let from = random.between(from, until);
            let until = from + random.spread(2 * SECOND, DAY);
            let what = wrong_clock(random);
            self.faults.push(Fault { from, until, what });
        }
    }

    /// Moves half of the faults to a check of a host: few would begin within one by chance.
    fn hit_checks(&mut self, random: &mut Random) {
        let hosts = self.hosts.len() as i64;
        let mut start = 0;
        for fault in &mut self.faults {
            if fault.what.begins_run() {
                start = fault.until;
            } else if fault.what.is_of_clock() {
                // One that is wrong from the start stays so.
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
}

/// By seconds to days.
fn wrong_clock(random: &mut Random) -> What {
    let by = random.spread(3 * SECOND, 4 * DAY);
    What::Clock(if random.chance(50) { by } else { -by })
}
