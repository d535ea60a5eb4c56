//! Whose fault an outage was: one pure function over one snapshot of what else answered meanwhile.
//! What a snapshot is made from is in scene.rs.

use std::net::IpAddr;

use serde::Serialize;

/// Whose fault an outage was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// This machine's own link: nothing can be sent.
    Link,
    /// The default gateway does not answer, and nothing beyond it.
    Gateway,
    /// The gateway answers, and nothing beyond it.
    Provider,
    /// Names do not resolve while addresses answer.
    Dns,
    /// Others answer.
    Host,
    /// Nobody can tell.
    Unknown,
}

impl Cause {
    /// All of them, what lies nearest to this machine first.
    pub const ALL: [Cause; 6] = [
        Cause::Link,
        Cause::Gateway,
        Cause::Provider,
        Cause::Dns,
        Cause::Host,
        Cause::Unknown,
    ];

    /// The word in JSON and SQL.
    pub fn word(self) -> &'static str {
        match self {
            Cause::Link => "link",
            Cause::Gateway => "gateway",
            Cause::Provider => "provider",
            Cause::Dns => "dns",
            Cause::Host => "host",
            Cause::Unknown => "unknown",
        }
    }

    /// The cause of that word.
    pub fn of_word(word: &str) -> Option<Cause> {
        Cause::ALL.into_iter().find(|cause| cause.word() == word)
    }
}

/// Where a host is, seen from this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is this machine.
    Here,
    /// On a network that this machine is on.
    Near,
    /// It is the default gateway.
    Gateway,
    /// Behind a gateway.
    Beyond,
}

/// What was seen of somebody during an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sign {
    /// A reply.
    Answers,
    /// Pings without any reply.
    Silent,
    /// Nobody looked.
    Unknown,
}

/// What was seen during an outage of one host: the facts that its cause rests on. All over the
/// host's version of IP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// Where the host is.
    #[serde(skip)]
    pub place: Place,
    /// Why nothing can be sent, where that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_fault: Option<String>,
    /// The default gateway's address, where one is known.
    pub gateway_address: Option<IpAddr>,
    /// What the default gateway did.
    pub gateway: Sign,
    /// Other hosts beyond the gateway that answered.
    pub beyond_answering: usize,
    /// Other hosts beyond the gateway that did not.
    pub beyond_silent: usize,
    /// Hosts on this machine's own networks that answered.
    pub near_answering: usize,
    /// Hosts on this machine's own networks that did not.
    pub near_silent: usize,
    /// The last machine on the way to the host that still answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_reached: Option<IpAddr>,
}

/// The cause of an outage by what was seen meanwhile.
pub fn judge(seen: &Snapshot) -> Cause {
    if seen.link_fault.is_some() {
        return Cause::Link;
    }
    match seen.place {
        Place::Here => Cause::Host,
        // A gateway that does not answer pings itself but lets them pass is no fault of the line.
        Place::Gateway if seen.beyond_answering > 0 => Cause::Host,
        Place::Gateway => Cause::Gateway,
        Place::Near
            if seen.near_answering + seen.beyond_answering > 0 || seen.gateway == Sign::Answers =>
        {
            Cause::Host
        }
        Place::Near if seen.gateway == Sign::Silent => Cause::Gateway,
        Place::Near => Cause::Unknown,
        Place::Beyond if seen.beyond_answering > 0 => Cause::Host,
        Place::Beyond => match seen.gateway {
            Sign::Silent => Cause::Gateway,
            Sign::Answers if seen.beyond_silent > 0 || !seen.path_leads_on() => Cause::Provider,
            // The only host that is asked, and others on the way to it answer: it may be the host.
            Sign::Answers => Cause::Unknown,
            // Where no gateway is known, a machine on the way that answers shows that the link is
            // whole.
            Sign::Unknown if seen.beyond_silent > 0 && seen.path_reached.is_some() => {
                Cause::Provider
            }
            Sign::Unknown => Cause::Unknown,
        },
    }
}

impl Snapshot {
    /// Whether a machine beyond the gateway answered on the way to the host.
    fn path_leads_on(&self) -> bool {
        self.path_reached.is_some() && self.path_reached != self.gateway_address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GATEWAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 1));
    const FAR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 1));

    fn nothing(place: Place) -> Snapshot {
        Snapshot {
            place,
            link_fault: None,
            gateway_address: Some(GATEWAY),
            gateway: Sign::Unknown,
            beyond_answering: 0,
            beyond_silent: 0,
            near_answering: 0,
            near_silent: 0,
            path_reached: None,
        }
    }

    #[test]
    fn what_answers_meanwhile_says_where_it_broke() {
        let beyond = nothing(Place::Beyond);
        let cases = [
            (
                Snapshot {
                    link_fault: Some("eth0 has no carrier".into()),
                    gateway: Sign::Answers,
                    ..beyond.clone()
                },
                Cause::Link,
            ),
            (
                Snapshot {
                    gateway: Sign::Silent,
                    beyond_silent: 2,
                    ..beyond.clone()
                },
                Cause::Gateway,
            ),
            (
                Snapshot {
                    gateway: Sign::Answers,
                    beyond_silent: 2,
                    ..beyond.clone()
                },
                Cause::Provider,
            ),
            (
                Snapshot {
                    gateway: Sign::Answers,
                    beyond_silent: 2,
                    path_reached: Some(FAR),
                    ..beyond.clone()
                },
                Cause::Provider,
            ),
            (
                Snapshot {
                    gateway: Sign::Answers,
                    beyond_silent: 1,
                    beyond_answering: 1,
                    ..beyond.clone()
                },
                Cause::Host,
            ),
            // Pings through a gateway that answers none itself.
            (
                Snapshot {
                    gateway: Sign::Silent,
                    beyond_answering: 1,
                    ..beyond.clone()
                },
                Cause::Host,
            ),
            (beyond.clone(), Cause::Unknown),
            (
                Snapshot {
                    near_answering: 1,
                    ..beyond.clone()
                },
                Cause::Unknown,
            ),
        ];
        for (seen, cause) in cases {
            assert_eq!(judge(&seen), cause, "{seen:?}");
        }
    }

    #[test]
    fn with_a_single_host_the_path_says_whether_it_is_the_provider() {
        let alone = Snapshot {
            gateway: Sign::Answers,
            ..nothing(Place::Beyond)
        };
        assert_eq!(
            judge(&alone),
            Cause::Provider,
            "everything beyond is silent, as far as anybody asked"
        );
        assert_eq!(
            judge(&Snapshot {
                path_reached: Some(GATEWAY),
                ..alone.clone()
            }),
            Cause::Provider
        );
        assert_eq!(
            judge(&Snapshot {
                path_reached: Some(FAR),
                ..alone.clone()
            }),
            Cause::Unknown
        );
        let no_gateway = Snapshot {
            gateway_address: None,
            gateway: Sign::Unknown,
            beyond_silent: 1,
            ..alone
        };
        assert_eq!(judge(&no_gateway), Cause::Unknown);
        assert_eq!(
            judge(&Snapshot {
                path_reached: Some(FAR),
                ..no_gateway
            }),
            Cause::Provider
        );
    }

    #[test]
    fn the_gateway_itself_and_neighbours_are_judged_by_their_place() {
        assert_eq!(judge(&nothing(Place::Here)), Cause::Host);
        let gateway = nothing(Place::Gateway);
        assert_eq!(judge(&gateway), Cause::Gateway);
        assert_eq!(
            judge(&Snapshot {
                beyond_answering: 1,
                ..gateway.clone()
            }),
            Cause::Host
        );
        assert_eq!(
            judge(&Snapshot {
                near_answering: 1,
                beyond_silent: 1,
                ..gateway
            }),
            Cause::Gateway
        );
        let near = nothing(Place::Near);
        assert_eq!(judge(&near), Cause::Unknown);
        assert_eq!(
            judge(&Snapshot {
                gateway: Sign::Silent,
                near_silent: 1,
                ..near.clone()
            }),
            Cause::Gateway
        );
        assert_eq!(
            judge(&Snapshot {
                gateway: Sign::Silent,
                near_answering: 1,
                ..near.clone()
            }),
            Cause::Host
        );
        assert_eq!(
            judge(&Snapshot {
                gateway: Sign::Answers,
                ..near
            }),
            Cause::Host
        );
    }

    #[test]
    fn every_word_reads_back() {
        for cause in Cause::ALL {
            assert_eq!(Cause::of_word(cause.word()), Some(cause));
        }
        assert_eq!(Cause::of_word("Link"), None);
    }
}
