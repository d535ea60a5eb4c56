//! The path to a host: the routers that answered a trace, and what two paths say about each other.

use std::net::IpAddr;

use serde::Serialize;

use crate::pure::time::UtcMillis;

/// The routers on the path to a host that answered a ping with a limited time to live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Path {
    pub at: UtcMillis,
    /// Whether the host itself answered.
    pub reached: bool,
    /// The nearest first; `None` for one that did not answer. Ends with the last that did.
    pub hops: Vec<Option<IpAddr>>,
}

/// The distance in hops of the last machine that answered; 0 when none did.
pub fn reach(hops: &[Option<IpAddr>]) -> usize {
    let last = hops.iter().rposition(Option::is_some);
    last.map_or(0, |last| last + 1)
}

impl Path {
    pub fn reach(&self) -> usize {
        reach(&self.hops)
    }

    /// The last machine that answered.
    pub fn last(&self) -> Option<IpAddr> {
        self.hops.iter().rev().flatten().next().copied()
    }

    /// The distance of the host, where it answered.
    fn distance(&self) -> Option<usize> {
        self.reached.then_some(self.hops.len())
    }

    /// The router at a distance, from 1.
    fn hop(&self, distance: usize) -> Option<IpAddr> {
        *self.hops.get(distance.checked_sub(1)?)?
    }

    /// Whether this longer path differs from a known one only because pings were lost: no router
    /// answered where the host did.
    pub fn is_lossy_copy_of(&self, known: &Path) -> bool {
        let (Some(own), Some(distance)) = (self.distance(), known.distance()) else {
            return false;
        };
        own > distance && self.hops[distance - 1..own - 1].iter().all(Option::is_none)
    }

    /// Whether packets to a silent host get as far as they did while it answered: its last router
    /// that ever answers still does. `None` where that is not known.
    pub fn is_whole(&self, healthy: &Path) -> Option<bool> {
        let routers = healthy.distance()?.saturating_sub(1);
        let last = healthy.hops[..routers].iter().rposition(Option::is_some)?;
        Some(self.reach() > last)
    }
}

/// The paths to a host that are known.
#[derive(Clone, Copy, Debug, Default)]
pub struct KnownPaths<'a> {
    /// Traced while the host answered.
    pub healthy: Option<&'a Path>,
    /// Traced while it is silent.
    pub broken: Option<&'a Path>,
}

impl KnownPaths<'_> {
    /// Whether packets to this host pass another one, or the router next to it, before they are
    /// lost: its replies then prove nothing about the rest of the path. `other` is its address, and
    /// the path to it while it answers.
    pub fn pass(&self, other: IpAddr, to_other: Option<&Path>) -> bool {
        let routers = |path: &Path| path.hops.len() - usize::from(path.reached);
        let names_it = |path: &Path| path.hops[..routers(path)].contains(&Some(other));
        if [self.healthy, self.broken]
            .into_iter()
            .flatten()
            .any(names_it)
        {
            return true;
        }
        let Some((to_other, distance)) =
            to_other.and_then(|path| path.distance().map(|distance| (path, distance)))
        else {
            return false;
        };
        // A trace without any answer does not say where the break is.
        let reach = self.broken.map(Path::reach).filter(|reach| *reach > 0);
        let is_nearer = match (self.healthy.and_then(Path::distance), reach) {
            (Some(own), Some(reach)) => distance < own && distance <= reach + 1,
            (Some(own), None) => distance < own,
            (None, Some(reach)) => distance <= reach,
            (None, None) => false,
        };
        let own = self.healthy.filter(|path| path.reached).or(self.broken);
        let before = distance - 1;
        let shares_router = || {
            own.is_some_and(|own| {
                own.hop(before).is_some() && own.hop(before) == to_other.hop(before)
            })
        };
        is_nearer && (before == 0 || shares_router())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `"1 - 9"` are the last parts of addresses, and a router that does not answer.
    fn path(hops: &str, reached: bool) -> Path {
        let ip = |last: u8| IpAddr::from([192, 0, 2, last]);
        Path {
            at: UtcMillis(0),
            reached,
            hops: hops
                .split_whitespace()
                .map(|hop| hop.parse().ok().map(ip))
                .collect(),
        }
    }

    #[test]
    fn the_last_machine_that_answered_is_known_with_its_distance() {
        for (hops, reach, last) in [("1 - 3 -", 3, Some(3)), ("-", 0, None), ("", 0, None)] {
            let path = path(hops, false);
            let last = last.map(|last: u8| IpAddr::from([192, 0, 2, last]));
            assert_eq!((path.reach(), path.last()), (reach, last), "{hops}");
        }
    }

    #[test]
    fn a_path_is_whole_when_the_last_router_that_ever_answers_still_does() {
        for (healthy, broken, is_whole) in [
            ("1 2 3 9", "1 2 3", Some(true)),
            ("1 2 3 9", "1 - 3", Some(true)),
            ("1 2 - - 9", "1 2", Some(true)),
            ("1 2 3 9", "1 2", Some(false)),
            ("1 9", "1", Some(true)),
            ("1 9", "", Some(false)),
            ("- - 9", "", None),
        ] {
            let found = path(broken, false).is_whole(&path(healthy, true));
            assert_eq!(found, is_whole, "{healthy}, then {broken}");
        }
        assert_eq!(path("1", false).is_whole(&path("1 2", false)), None);
    }

    #[test]
    fn a_path_that_is_longer_because_pings_were_lost_is_no_other_path() {
        for (longer, known, is_copy) in [
            ("1 - - 9", "1 9", true),
            ("1 2 - 9", "1 9", false),
            ("1 9", "1 9", false),
            ("1 9", "1 - 9", false),
        ] {
            let found = path(longer, true).is_lossy_copy_of(&path(known, true));
            assert_eq!(found, is_copy, "{longer}, known {known}");
        }
    }

    #[test]
    fn a_host_on_the_path_or_next_to_a_router_before_the_break_is_passed() {
        for (healthy, broken, other, to_other, passes) in [
            ("1 2 3 9", "1 2", 2, "1 2", true),
            ("", "1 2", 2, "", true),
            // Another address of the provider's first router.
            ("1 2 3 9", "1 2", 7, "1 7", true),
            ("1 2 3 9", "-", 7, "1 7", true),
            ("", "1 2", 7, "1 7", true),
            // A router that answers pings alone.
            ("1 - 3 9", "1", 2, "1 2", true),
            // A neighbour of the silent host.
            ("1 9", "1", 8, "1 8", false),
            ("", "1", 8, "1 8", false),
            ("1 2 9", "1", 8, "1 2 8", false),
            ("1 2 9", "-", 8, "1 2 8", false),
            // Beyond the break, and on another branch.
            ("1 2 3 4 9", "1", 8, "1 2 8", false),
            ("1 2 3 4 9", "1 2 3", 8, "1 6 8", false),
            ("1 2 - - 9", "1 2", 8, "1 2 - 8", false),
            // Nothing is known of either.
            ("", "", 8, "", false),
            ("1 2 9", "1 2", 8, "", false),
        ] {
            let parse = |hops: &str, reached| (!hops.is_empty()).then(|| path(hops, reached));
            let (known, broken_path) = (parse(healthy, true), parse(broken, false));
            let paths = KnownPaths {
                healthy: known.as_ref(),
                broken: broken_path.as_ref(),
            };
            let other = IpAddr::from([192, 0, 2, other]);
            let found = paths.pass(other, parse(to_other, true).as_ref());
            assert_eq!(found, passes, "{healthy}, then {broken}; {to_other}");
        }
    }
}
