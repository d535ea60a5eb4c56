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
    pub fn as_str(self) -> &'static str {
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
    pub fn from_word(word: &str) -> Option<Cause> {
        Cause::ALL.into_iter().find(|cause| cause.as_str() == word)
    }
}

/// Where a host is, seen from this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkPosition {
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
pub enum Reachability {
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
pub struct CauseEvidence {
    /// Where the host is.
    #[serde(skip)]
    pub place: NetworkPosition,
    /// Why nothing can be sent, where that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_fault: Option<String>,
    /// The default gateway's address, where one is known.
    pub gateway_address: Option<IpAddr>,
    /// What the default gateway did.
    pub gateway: Reachability,
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
pub fn judge(seen: &CauseEvidence) -> Cause {
    if seen.link_fault.is_some() {
        return Cause::Link;
    }
    match seen.place {
        NetworkPosition::Here => Cause::Host,
        // A gateway that does not answer pings itself but lets them pass is no fault of the line.
        NetworkPosition::Gateway if seen.beyond_answering > 0 => Cause::Host,
        NetworkPosition::Gateway => Cause::Gateway,
        NetworkPosition::Near
            if seen.near_answering + seen.beyond_answering > 0
                || seen.gateway == Reachability::Answers =>
        {
            Cause::Host
        }
        NetworkPosition::Near if seen.gateway == Reachability::Silent => Cause::Gateway,
        NetworkPosition::Near => Cause::Unknown,
        NetworkPosition::Beyond if seen.beyond_answering > 0 => Cause::Host,
        NetworkPosition::Beyond => match seen.gateway {
            Reachability::Silent => Cause::Gateway,
            Reachability::Answers if seen.beyond_silent > 0 || !seen.path_leads_on() => {
                Cause::Provider
            }
            // The only host that is asked, and others on the way to it answer: it may be the host.
            Reachability::Answers => Cause::Unknown,
            // Where no gateway is known, a machine on the way that answers shows that the link is
            // whole.
            Reachability::Unknown if seen.beyond_silent > 0 && seen.path_reached.is_some() => {
                Cause::Provider
            }
            Reachability::Unknown => Cause::Unknown,
        },
    }
}

impl CauseEvidence {
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

    fn nothing(place: NetworkPosition) -> CauseEvidence {
        CauseEvidence {
            place,
            link_fault: None,
            gateway_address: Some(GATEWAY),
            gateway: Reachability::Unknown,
            beyond_answering: 0,
            beyond_silent: 0,
            near_answering: 0,
            near_silent: 0,
            path_reached: None,
        }
    }

    #[test]
    fn what_answers_meanwhile_says_where_it_broke() {
        let beyond = nothing(NetworkPosition::Beyond);
        let cases = [
            (
                CauseEvidence {
                    link_fault: Some("eth0 has no carrier".into()),
                    gateway: Reachability::Answers,
                    ..beyond.clone()
                },
                Cause::Link,
            ),
            (
                CauseEvidence {
                    gateway: Reachability::Silent,
                    beyond_silent: 2,
                    ..beyond.clone()
                },
                Cause::Gateway,
            ),
            (
                CauseEvidence {
                    gateway: Reachability::Answers,
                    beyond_silent: 2,
                    ..beyond.clone()
                },
                Cause::Provider,
            ),
            (
                CauseEvidence {
                    gateway: Reachability::Answers,
                    beyond_silent: 2,
                    path_reached: Some(FAR),
                    ..beyond.clone()
                },
                Cause::Provider,
            ),
            (
                CauseEvidence {
                    gateway: Reachability::Answers,
                    beyond_silent: 1,
                    beyond_answering: 1,
                    ..beyond.clone()
                },
                Cause::Host,
            ),
            // Pings through a gateway that answers none itself.
            (
                CauseEvidence {
                    gateway: Reachability::Silent,
                    beyond_answering: 1,
                    ..beyond.clone()
                },
                Cause::Host,
            ),
            (beyond.clone(), Cause::Unknown),
            (
                CauseEvidence {
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
        let alone = CauseEvidence {
            gateway: Reachability::Answers,
            ..nothing(NetworkPosition::Beyond)
        };
        assert_eq!(
            judge(&alone),
            Cause::Provider,
            "everything beyond is silent, as far as anybody asked"
        );
        assert_eq!(
            judge(&CauseEvidence {
                path_reached: Some(GATEWAY),
                ..alone.clone()
            }),
            Cause::Provider
        );
        assert_eq!(
            judge(&CauseEvidence {
                path_reached: Some(FAR),
                ..alone.clone()
            }),
            Cause::Unknown
        );
        let no_gateway = CauseEvidence {
            gateway_address: None,
            gateway: Reachability::Unknown,
            beyond_silent: 1,
            ..alone
        };
        assert_eq!(judge(&no_gateway), Cause::Unknown);
        assert_eq!(
            judge(&CauseEvidence {
                path_reached: Some(FAR),
                ..no_gateway
            }),
            Cause::Provider
        );
    }

    #[test]
    fn the_gateway_itself_and_neighbours_are_judged_by_their_place() {
        assert_eq!(judge(&nothing(NetworkPosition::Here)), Cause::Host);
        let gateway = nothing(NetworkPosition::Gateway);
        assert_eq!(judge(&gateway), Cause::Gateway);
        assert_eq!(
            judge(&CauseEvidence {
                beyond_answering: 1,
                ..gateway.clone()
            }),
            Cause::Host
        );
        assert_eq!(
            judge(&CauseEvidence {
                near_answering: 1,
                beyond_silent: 1,
                ..gateway
            }),
            Cause::Gateway
        );
        let near = nothing(NetworkPosition::Near);
        assert_eq!(judge(&near), Cause::Unknown);
        assert_eq!(
            judge(&CauseEvidence {
                gateway: Reachability::Silent,
                near_silent: 1,
                ..near.clone()
            }),
            Cause::Gateway
        );
        assert_eq!(
            judge(&CauseEvidence {
                gateway: Reachability::Silent,
                near_answering: 1,
                ..near.clone()
            }),
            Cause::Host
        );
        assert_eq!(
            judge(&CauseEvidence {
                gateway: Reachability::Answers,
                ..near
            }),
            Cause::Host
        );
    }

    #[test]
    fn every_word_reads_back() {
        for cause in Cause::ALL {
            assert_eq!(Cause::from_word(cause.as_str()), Some(cause));
        }
        assert_eq!(Cause::from_word("Link"), None);
    }
}
