//! When an interface had no carrier and when an own address was not there, as the kernel reported
//! it. Pings that waited for their reply then are not measured: they, or their replies, had no
//! link.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use crate::pure::time::{Monotonic, nanoseconds};

/// A change that the kernel reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkChange {
    Interface {
        index: u32,
        name: String,
        /// It is up and has a carrier.
        has_carrier: bool,
        /// How often it has lost or got its carrier; 0 where the system does not count.
        carrier_changes: u32,
    },
    InterfaceGone {
        index: u32,
        name: String,
    },
    /// An address of this machine.
    Address {
        ip: IpAddr,
        is_usable: bool,
    },
}

/// Whose link was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Lost {
    Interface(String),
    Address(IpAddr),
}

#[derive(Clone, Debug)]
struct Loss {
    of: Lost,
    from: Monotonic,
    /// `None` while it lasts.
    until: Option<Monotonic>,
}

/// A time without a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkLoss {
    pub from: Monotonic,
    /// `None` while it lasts.
    pub until: Option<Monotonic>,
    /// A part of a sentence.
    pub reason: String,
}

#[derive(Debug, Default)]
pub struct LinkHistory {
    interfaces: Vec<Interface>,
    /// In the order of their beginning.
    losses: VecDeque<Loss>,
}

#[derive(Debug)]
struct Interface {
    index: u32,
    name: String,
    carrier_changes: u32,
}

/// More than can be lost within a check.
const MAX_LOSSES: usize = 64;
/// The kernel reports a lost carrier up to a second late (net/core/link_watch.c), and a loss that is
/// over by then only by its count. Gigabit Ethernet itself notices it up to 0.75 s late
/// (IEEE 802.3, 40.4.6).
const REPORT_DELAY: Duration = Duration::from_secs(1);

impl LinkHistory {
    pub const fn new() -> LinkHistory {
        LinkHistory {
            interfaces: Vec::new(),
            losses: VecDeque::new(),
        }
    }

    pub fn add(&mut self, change: LinkChange, at: Monotonic) {
        match change {
            LinkChange::Interface {
                index,
                name,
                has_carrier,
                carrier_changes,
            } => self.add_interface(index, name, has_carrier, carrier_changes, at),
            LinkChange::InterfaceGone { index, name } => {
                self.interfaces.retain(|interface| interface.index != index);
                self.add_state(Lost::Interface(name), false, at);
            }
            LinkChange::Address { ip, is_usable } => {
                self.add_state(Lost::Address(ip), is_usable, at)
            }
        }
    }

    fn add_interface(
        &mut self,
        index: u32,
        name: String,
        has_carrier: bool,
        carrier_changes: u32,
        at: Monotonic,
    ) {
        let lost = || Lost::Interface(name.clone());
        let known = self
            .interfaces
            .iter_mut()
            .find(|interface| interface.index == index);
        if let Some(known) = known {
            // Twice: it was lost and is back.
            let is_coalesced = carrier_changes.wrapping_sub(known.carrier_changes) >= 2;
            known.carrier_changes = carrier_changes;
            known.name.clone_from(&name);
            if is_coalesced && has_carrier {
                self.add_state(lost(), false, at);
            }
        } else {
            self.interfaces.push(Interface {
                index,
                name: name.clone(),
                carrier_changes,
            });
        }
        self.add_state(lost(), has_carrier, at);
    }

    fn add_state(&mut self, of: Lost, is_there: bool, at: Monotonic) {
        let open = self
            .losses
            .iter_mut()
            .find(|loss| loss.until.is_none() && loss.of == of);
        match (open, is_there) {
            (Some(loss), true) => loss.until = Some(at),
            (None, false) => {
                if self.losses.len() == MAX_LOSSES {
                    self.losses.pop_front();
                }
                let from = Monotonic(at.0 - nanoseconds(REPORT_DELAY));
                self.losses.push_back(Loss {
                    of,
                    from,
                    until: None,
                });
            }
            _ => {}
        }
    }

    /// The losses since an instant that concern packets by an interface from an own address.
    pub fn losses(
        &self,
        interface: Option<&str>,
        own: IpAddr,
        since: Monotonic,
    ) -> impl Iterator<Item = LinkLoss> {
        self.losses
            .iter()
            .filter(move |loss| loss.until.is_none_or(|until| until >= since))
            .filter_map(move |loss| {
                let what = match &loss.of {
                    Lost::Interface(name) if Some(name.as_str()) == interface => {
                        format!("{name} had no carrier")
                    }
                    Lost::Address(ip) if *ip == own => {
                        format!("this machine did not have its address {ip}")
                    }
                    _ => return None,
                };
                Some(LinkLoss {
                    from: loss.from,
                    until: loss.until,
                    reason: what,
                })
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Monotonic {
        Monotonic(ms * 1_000_000)
    }

    fn interface(name: &str, has_carrier: bool, carrier_changes: u32) -> LinkChange {
        LinkChange::Interface {
            index: u32::from(name.as_bytes()[3]),
            name: name.into(),
            has_carrier,
            carrier_changes,
        }
    }

    const OWN: [u8; 4] = [10, 0, 0, 2];

    fn spans(history: &LinkHistory, since: i64) -> Vec<(i64, Option<i64>)> {
        let ms = |at: Monotonic| at.0 / 1_000_000;
        history
            .losses(Some("eth0"), OWN.into(), at(since))
            .map(|loss| (ms(loss.from), loss.until.map(ms)))
            .collect()
    }

    #[test]
    fn a_carrier_that_goes_and_comes_back_is_a_loss_of_that_interface_alone() {
        let mut history = LinkHistory::new();
        history.add(interface("eth0", true, 2), at(0));
        history.add(interface("eth1", true, 2), at(0));
        assert_eq!(spans(&history, 0), []);
        history.add(interface("eth0", false, 3), at(5000));
        history.add(interface("eth1", false, 3), at(5500));
        assert_eq!(spans(&history, 0), [(4000, None)]);
        history.add(interface("eth0", true, 4), at(8000));
        history.add(interface("eth0", true, 4), at(9000));
        assert_eq!(spans(&history, 8000), [(4000, Some(8000))]);
        assert_eq!(spans(&history, 8001), []);
    }

    #[test]
    fn a_loss_that_was_over_before_it_was_reported_is_known_by_its_count() {
        let mut history = LinkHistory::new();
        history.add(interface("eth0", true, 2), at(0));
        history.add(interface("eth0", true, 4), at(5000));
        assert_eq!(spans(&history, 0), [(4000, Some(5000))]);
        history.add(interface("eth0", false, 7), at(7000));
        assert_eq!(spans(&history, 6000), [(6000, None)]);
    }

    #[test]
    fn an_interface_without_a_carrier_from_the_start_is_lost_until_it_has_one() {
        let mut history = LinkHistory::new();
        history.add(interface("eth0", false, 1), at(0));
        assert_eq!(spans(&history, 60_000), [(-1000, None)]);
        history.add(interface("eth0", true, 2), at(70_000));
        assert_eq!(spans(&history, 60_000), [(-1000, Some(70_000))]);
    }

    #[test]
    fn an_interface_that_is_removed_is_lost_and_forgotten() {
        let mut history = LinkHistory::new();
        history.add(interface("eth0", true, 2), at(0));
        let gone = LinkChange::InterfaceGone {
            index: u32::from(b'0'),
            name: "eth0".into(),
        };
        history.add(gone, at(5000));
        assert_eq!(spans(&history, 0), [(4000, None)]);
        assert!(history.interfaces.is_empty());
        let again = LinkChange::Interface {
            index: 99,
            name: "eth0".into(),
            has_carrier: true,
            carrier_changes: 0,
        };
        history.add(again, at(9000));
        assert_eq!(spans(&history, 0), [(4000, Some(9000))]);
    }

    #[test]
    fn an_own_address_that_is_removed_or_not_yet_usable_is_a_loss() {
        let mut history = LinkHistory::new();
        let address = |ip: [u8; 4], is_usable| LinkChange::Address {
            ip: ip.into(),
            is_usable,
        };
        history.add(address([10, 0, 0, 9], false), at(4000));
        history.add(address(OWN, false), at(5000));
        history.add(address(OWN, true), at(6000));
        assert_eq!(spans(&history, 0), [(4000, Some(6000))]);
    }

    #[test]
    fn no_number_of_losses_fills_the_memory() {
        let mut history = LinkHistory::new();
        for n in 0..1000 {
            history.add(interface("eth0", n % 2 == 0, n), at(i64::from(n) * 1000));
        }
        assert_eq!(history.losses.len(), MAX_LOSSES);
        assert_eq!(spans(&history, 998_500), [(998_000, None)]);
    }
}
