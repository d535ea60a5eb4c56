//! What is true at each instant: which parts of the line work, what the clocks show, and so whether
//! a ping would be answered. Instants are nanoseconds since the scenario began.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::clocks::Clocks;
use super::random::mix;
use super::scenario::{Fault, Place, Scenario, What};

pub const MS: i64 = 1_000_000;

/// 2025-01-01.
pub const BEGIN_MS: i64 = 1_735_689_600_000;

pub const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
pub const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
pub const PROVIDER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1));
pub const CORE: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 2));
pub const INTERFACE: &str = "eth0";

/// The address of this machine, of the router, of the provider and behind it, over IPv6.
pub const V6: [IpAddr; 4] = [v6(1, 2), v6(1, 1), v6(2, 1), v6(2, 2)];

const fn v6(network: u16, number: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, network, 0, 0, 0, 0, number))
}

/// The second address of host `n` is that of host `n + SECOND_ADDRESS`.
pub const SECOND_ADDRESS: usize = 8;

/// After a carrier is back the neighbours are asked for anew, and packets are lost meanwhile.
pub const MAX_SETTLE: i64 = 800 * MS;

/// What works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub has_no_carrier: bool,
    /// The carrier is back, and the neighbours are not known yet.
    pub is_settling: bool,
    /// For IPv4 and IPv6, as below.
    pub has_no_route: [bool; 2],
    pub is_router_off: bool,
    pub is_provider_off: [bool; 2],
    pub are_names_dead: bool,
    pub has_no_name: bool,
    /// Whether the name leads to the second address.
    pub is_renamed: bool,
    /// The machine sleeps.
    pub is_asleep: bool,
    /// One bit for each host that is off.
    pub off: u32,
    /// One bit for each host that answers late, wrongly or twice, or is said to be unreachable.
    pub late: u32,
    pub wrong: u32,
    pub twice: u32,
    pub unreachable: u32,
    /// Milliseconds.
    pub late_by: i64,
    /// Of a thousand packets.
    pub loss: u16,
}

impl State {
    /// Whether a ping to this place is answered rightly and in time, apart from random loss, if it
    /// can be sent.
    pub fn reaches(&self, place: Place, index: usize) -> bool {
        let odd = self.late | self.wrong | self.unreachable;
        odd & (1 << index) == 0 && self.delivers(place, index)
    }

    /// Whether a packet reaches this place.
    pub fn delivers(&self, place: Place, index: usize) -> bool {
        let is_near = !self.is_asleep && !self.has_no_carrier && !self.is_settling;
        let is_on = self.off & (1 << index) == 0;
        is_near
            && is_on
            && match place {
                Place::Near => true,
                Place::Gateway => !self.is_router_off,
                Place::Far | Place::Named | Place::Far6 => {
                    let version = place.version();
                    !self.is_router_off
                        && !self.is_provider_off[version]
                        && !self.has_no_route[version]
                }
            }
    }

    /// Whether this machine can send to the place.
    pub fn can_send(&self, place: Place) -> bool {
        let has_link = !self.has_no_carrier && !self.is_settling;
        let has_route = !place.is_beyond() || !self.has_no_route[place.version()];
        !self.is_asleep && has_link && has_route
    }

    /// Which address of a host is pinged, by the answers of the resolver.
    pub fn pinged(&self, place: Place, index: usize) -> usize {
        if place == Place::Named && self.is_renamed {
            index + SECOND_ADDRESS
        } else {
            index
        }
    }
}

impl Place {
    pub fn is_beyond(self) -> bool {
        matches!(self, Place::Far | Place::Named | Place::Far6)
    }

    /// 0 for IPv4, 1 for IPv6.
    pub fn version(self) -> usize {
        usize::from(self == Place::Far6)
    }
}

#[derive(Debug)]
pub struct World {
    pub seed: u64,
    pub hosts: Vec<Place>,
    states: Vec<(i64, State)>,
    pub clocks: Clocks,
    /// When the process is stopped by a signal.
    stopped: Vec<(i64, i64)>,
    /// Changes of the carrier: when the kernel reports them, and whether there is one.
    pub carrier: Vec<(i64, bool)>,
}

impl World {
    pub fn new(scenario: &Scenario) -> World {
        let mut changes: Vec<(i64, usize, bool)> = Vec::new();
        for (index, fault) in scenario.faults.iter().enumerate() {
            changes.push((fault.from * MS, index, true));
            changes.push((fault.until * MS, index, false));
            if fault.what == What::Cable {
                let settle = settle_time(scenario.seed, fault);
                changes.push((fault.until * MS + settle, index, false));
            }
        }
        changes.sort_unstable();
        let mut active: Vec<usize> = Vec::new();
        let mut states = vec![(0, state_of(&scenario.hosts, [].iter()))];
        for (at, index, is_on) in changes {
            active.retain(|other| *other != index);
            if is_on {
                active.push(index);
            }
            let faults = active.iter().map(|index| &scenario.faults[*index]);
            let mut state = state_of(&scenario.hosts, faults);
            state.is_settling = !state.has_no_carrier
                && (scenario.faults.iter()).any(|fault| {
                    let settle = settle_time(scenario.seed, fault);
                    fault.what == What::Cable
                        && (fault.until * MS..fault.until * MS + settle).contains(&at)
                });
            match states.last_mut() {
                Some(last) if last.0 == at => last.1 = state,
                _ => states.push((at, state)),
            }
        }
        World {
            seed: scenario.seed,
            hosts: scenario.hosts.clone(),
            carrier: carrier_changes(scenario.seed, &states),
            states,
            clocks: Clocks::new(scenario),
            stopped: (scenario.faults.iter())
                .filter(|fault| fault.what == What::Stopped)
                .map(|fault| (fault.from * MS, fault.until * MS))
                .collect(),
        }
    }

    pub fn state_at(&self, at: i64) -> &State {
        let index = self.states.partition_point(|(from, _)| *from <= at);
        &self.states[index.saturating_sub(1)].1
    }

    /// Every span with one state, in order.
    pub fn spans(&self, end: i64) -> impl Iterator<Item = (i64, i64, &State)> {
        let ends = (self.states.iter().skip(1).map(|(at, _)| *at)).chain([end]);
        (self.states.iter().zip(ends)).map(|((from, state), until)| (*from, until, state))
    }

    /// When the process runs again, if it wants to at `at`.
    pub fn running_at(&self, at: i64) -> i64 {
        let index = self.stopped.partition_point(|(from, _)| *from <= at);
        match index.checked_sub(1).map(|index| self.stopped[index]) {
            Some((_, until)) if at < until => until,
            _ => at,
        }
    }

    pub fn address_of(&self, index: usize) -> IpAddr {
        let number = u8::try_from(index).expect("few hosts");
        match self.hosts[index] {
            Place::Gateway => GATEWAY,
            Place::Near => [192, 0, 2, 10 + number].into(),
            Place::Far | Place::Named => [198, 51, 100, 10 + number].into(),
            Place::Far6 => v6(3, 10 + u16::from(number)),
        }
    }

    /// Where the name leads, for the host with this index.
    pub fn address_of_name(&self, index: usize, at: i64) -> IpAddr {
        let pinged = self.state_at(at).pinged(Place::Named, index);
        [198, 51, 100, 10 + u8::try_from(pinged).expect("few hosts")].into()
    }

    /// Whose address it is: a host's, its second one, or the gateway's although it is not among the
    /// hosts.
    pub fn place_of(&self, ip: IpAddr) -> Option<(Place, usize)> {
        let known = (0..self.hosts.len()).find(|index| self.address_of(*index) == ip);
        let second = || {
            let named = self.hosts.iter().position(|place| *place == Place::Named)?;
            let index = named + SECOND_ADDRESS;
            let own = [198, 51, 100, 10 + u8::try_from(index).expect("few hosts")];
            (ip == IpAddr::from(own)).then_some((Place::Named, index))
        };
        (known.map(|index| (self.hosts[index], index)))
            .or_else(second)
            .or((ip == GATEWAY || ip == V6[1]).then_some((Place::Gateway, 31)))
    }

    /// The round-trip time of a ping that is sent now, or `None` if it is lost. `number` tells the
    /// pings of one instant apart.
    pub fn round_trip(&self, place: Place, index: usize, at: i64, number: u64) -> Option<i64> {
        let state = self.state_at(at);
        if !state.reaches(place, index) {
            return None;
        }
        let chance = self.chance(at, number);
        let round_trip = base_time(place, index) + i64::from((chance & 0xfffff) as u32);
        if state.loss > 0 && place.is_beyond() && (chance >> 32) % 1000 < u64::from(state.loss) {
            return None;
        }
        (self.state_at(at + round_trip).reaches(place, index)).then_some(round_trip)
    }

    /// A number that belongs to a ping.
    pub fn chance(&self, at: i64, number: u64) -> u64 {
        mix(self.seed ^ at.unsigned_abs() ^ number.rotate_left(40))
    }
}

/// The shortest round trip.
pub fn base_time(place: Place, index: usize) -> i64 {
    if place.is_beyond() {
        8 * MS + 7 * MS * (index % SECOND_ADDRESS) as i64
    } else {
        300_000
    }
}

fn state_of<'f>(hosts: &[Place], faults: impl Iterator<Item = &'f Fault>) -> State {
    let named = hosts.iter().position(|place| *place == Place::Named);
    let mut state = State::default();
    let mut is_moved = false;
    for fault in faults {
        let version = |number: u8| usize::from(number == 6);
        match fault.what {
            What::Provider => state.is_provider_off = [true; 2],
            What::ProviderOf(number) => state.is_provider_off[version(number)] = true,
            What::Router => state.is_router_off = true,
            What::Host(index) => state.off |= 1 << index,
            What::Late(index, by) => {
                state.late |= 1 << index;
                state.late_by = state.late_by.max(by);
            }
            What::Wrong(index) => state.wrong |= 1 << index,
            What::Twice(index) => state.twice |= 1 << index,
            What::Unreachable(index) => state.unreachable |= 1 << index,
            What::Cable => state.has_no_carrier = true,
            What::Route => state.has_no_route = [true; 2],
            What::RouteOf(number) => state.has_no_route[version(number)] = true,
            What::Loss(permille) => state.loss = state.loss.max(permille),
            What::Names => state.are_names_dead = true,
            What::NoSuchName => state.has_no_name = true,
            What::Moved => (is_moved, state.is_renamed) = (true, true),
            What::Misled => state.is_renamed = true,
            What::Sleep => state.is_asleep = true,
            _ => {}
        }
    }
    if let Some(index) = named {
        let second = index + SECOND_ADDRESS;
        for odd in [
            &mut state.off,
            &mut state.late,
            &mut state.wrong,
            &mut state.unreachable,
        ] {
            *odd |= (*odd >> index & 1) << second;
        }
        state.off |= 1 << if is_moved { index } else { second };
    }
    state
}

fn settle_time(seed: u64, fault: &Fault) -> i64 {
    let chance = mix(seed ^ fault.until.unsigned_abs());
    i64::try_from(chance % MAX_SETTLE.unsigned_abs()).expect("it is small")
}

/// The kernel reports a lost carrier up to a second late (net/core/link_watch.c).
fn carrier_changes(seed: u64, states: &[(i64, State)]) -> Vec<(i64, bool)> {
    let mut changes: Vec<(i64, bool)> = Vec::new();
    let mut has_carrier = true;
    for (at, state) in states {
        if state.has_no_carrier == has_carrier {
            has_carrier = !state.has_no_carrier;
            let late =
                i64::try_from(mix(seed ^ at.unsigned_abs()) % 900).expect("it is small") * MS;
            let at = if has_carrier { *at } else { at + late };
            // A loss that is over before it is reported is only counted.
            match changes.last() {
                Some((before, false)) if has_carrier && *before >= at => {
                    changes.push((*before, true))
                }
                _ => changes.push((at, has_carrier)),
            }
        }
    }
    changes
}
