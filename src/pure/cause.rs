//! The cause of an outage: one function that judges which hosts and gateways answered meanwhile.
//! scene.rs collects that evidence.

use std::net::IpAddr;

use serde::Serialize;

/// The cause of an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// This machine could not send: no link, address or route.
    Link,
    /// Neither the default gateway nor anything beyond it answered.
    Gateway,
    /// The gateway answered, and nothing beyond it.
    Provider,
    /// Names did not resolve while addresses answered.
    Dns,
    /// Other hosts answered.
    Host,
    /// The evidence does not decide.
    Unknown,
}

impl Cause {
    /// In the order of their distance from this machine.
    pub const ALL: [Cause; 6] = [
        Cause::Link,
        Cause::Gateway,
        Cause::Provider,
        Cause::Dns,
        Cause::Host,
        Cause::Unknown,
    ];

    /// As written in JSON and SQL.
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

    pub fn from_word(word: &str) -> Option<Cause> {
        Cause::ALL.into_iter().find(|cause| cause.as_str() == word)
    }
}

/// Where a host lies in the network, seen from this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkPosition {
    ThisMachine,
    /// On a network that an interface of this machine belongs to.
    OnLink,
    /// The host is the default gateway.
    Gateway,
    BeyondGateway,
}

/// Whether the pings to a host or gateway were answered during the outage of another host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reachability {
    Answers,
    /// It was pinged without any reply.
    Silent,
    /// It was not pinged.
    Unknown,
}

/// What the cause of one host's outage is judged by: what answered meanwhile, over the host's
/// version of IP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CauseEvidence {
    #[serde(skip)]
    pub position: NetworkPosition,
    /// Why this machine could not send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_fault: Option<String>,
    pub gateway_address: Option<IpAddr>,
    pub gateway: Reachability,
    /// Number of other hosts beyond the gateway that answered.
    pub beyond_answering: usize,
    /// Number of other hosts beyond the gateway that were pinged without a reply.
    pub beyond_silent: usize,
    /// Number of hosts on this machine's own networks that answered.
    pub near_answering: usize,
    /// Number of those that were pinged without a reply.
    pub near_silent: usize,
    /// The last router on the path to the host that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_reached: Option<IpAddr>,
}

/// Judges the cause of an outage.
pub fn judge(evidence: &CauseEvidence) -> Cause {
    if evidence.link_fault.is_some() {
        return Cause::Link;
    }
    match evidence.position {
        NetworkPosition::ThisMachine => Cause::Host,
        // A gateway that ignores pings but forwards them is not the cause.
        NetworkPosition::Gateway if evidence.beyond_answering > 0 => Cause::Host,
        NetworkPosition::Gateway => Cause::Gateway,
        NetworkPosition::OnLink
            if evidence.near_answering + evidence.beyond_answering > 0
                || evidence.gateway == Reachability::Answers =>
        {
            Cause::Host
        }
        NetworkPosition::OnLink if evidence.gateway == Reachability::Silent => Cause::Gateway,
        NetworkPosition::OnLink => Cause::Unknown,
        NetworkPosition::BeyondGateway if evidence.beyond_answering > 0 => Cause::Host,
        NetworkPosition::BeyondGateway => match evidence.gateway {
            Reachability::Silent => Cause::Gateway,
            Reachability::Answers
                if evidence.beyond_silent > 0 || !evidence.path_passes_gateway() =>
            {
                Cause::Provider
            }
            // No other host beyond the gateway was pinged, and routers beyond it answered: the host
            // itself may be down.
            Reachability::Answers => Cause::Unknown,
            // Where no gateway is known, a router on the path that answers proves that the link
            // works.
            Reachability::Unknown
                if evidence.beyond_silent > 0 && evidence.path_reached.is_some() =>
            {
                Cause::Provider
            }
            Reachability::Unknown => Cause::Unknown,
        },
    }
}

impl CauseEvidence {
    /// Whether a router beyond the gateway answered on the path to the host.
    fn path_passes_gateway(&self) -> bool {
        self.path_reached.is_some() && self.path_reached != self.gateway_address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GATEWAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 1));
    const FAR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 1));

    fn no_evidence(position: NetworkPosition) -> CauseEvidence {
        CauseEvidence {
            position,
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
    fn the_hosts_that_answer_decide_the_cause() {
        let beyond = no_evidence(NetworkPosition::BeyondGateway);
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
            // Behind a gateway that forwards pings but answers none itself.
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
        for (evidence, cause) in cases {
            assert_eq!(judge(&evidence), cause, "{evidence:?}");
        }
    }

    #[test]
    fn with_a_single_host_the_path_decides_whether_the_provider_is_the_cause() {
        let alone = CauseEvidence {
            gateway: Reachability::Answers,
            ..no_evidence(NetworkPosition::BeyondGateway)
        };
        assert_eq!(
            judge(&alone),
            Cause::Provider,
            "every host beyond the gateway that was pinged is silent"
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
    fn the_gateway_and_hosts_on_the_link_are_judged_by_their_position() {
        assert_eq!(
            judge(&no_evidence(NetworkPosition::ThisMachine)),
            Cause::Host
        );
        let gateway = no_evidence(NetworkPosition::Gateway);
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
        let near = no_evidence(NetworkPosition::OnLink);
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
    fn every_cause_is_parsed_from_its_text() {
        for cause in Cause::ALL {
            assert_eq!(Cause::from_word(cause.as_str()), Some(cause));
        }
        assert_eq!(Cause::from_word("Link"), None);
    }
}
