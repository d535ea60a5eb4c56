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
    /// Neither the gateway nor anything beyond it answered.
    Gateway,
    /// Packets got past this machine's network, and the hosts beyond were silent together.
    Provider,
    /// Names did not resolve while addresses answered.
    Dns,
    /// Other hosts answered over the same link and for as long.
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

/// Whether a gateway answered pings during an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reachability {
    Answers,
    /// It was pinged without any reply.
    Silent,
    /// It was not pinged.
    Unknown,
}

/// What the cause of one host's outage is judged by: what answered meanwhile over the host's link.
/// It is stored as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CauseEvidence {
    #[serde(skip)]
    pub position: NetworkPosition,
    /// Why this machine could not send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_fault: Option<String>,
    pub gateway_address: Option<IpAddr>,
    /// The interface that the pings to the host left by, which the gateway belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    pub gateway: Reachability,
    /// Whether it answered pings before the outage; `None` when it was not pinged then.
    #[serde(rename = "gateway_answered_before")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_gateway_reliable: Option<bool>,
    /// Number of other hosts beyond the gateway that answered for as long, and not as a part of the
    /// path.
    pub beyond_answering: usize,
    /// Number of other hosts that answered and lie on the path to the host, before the break.
    pub on_path_answering: usize,
    /// Number of other hosts beyond the gateway that failed too.
    pub beyond_silent: usize,
    /// Number of hosts on this machine's own networks that answered for as long.
    pub near_answering: usize,
    /// Number of those that failed too.
    pub near_silent: usize,
    /// The last router on the path to the host that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_reached: Option<IpAddr>,
    /// The distance of that router in hops; 0 when none answered. `None` when the path was not
    /// traced.
    #[serde(skip)]
    pub reach: Option<usize>,
    /// The same of any path over this link that was traced meanwhile.
    #[serde(skip)]
    pub link_reach: Option<usize>,
    /// The last router that answered on the path to another host over this link, where that was
    /// farther away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_reached: Option<IpAddr>,
    /// Whether packets got as far as they did before the outage.
    #[serde(rename = "path_is_whole")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_path_whole: Option<bool>,
    /// Whether the first router answered when the path was traced before the outage.
    #[serde(skip)]
    pub is_first_router_known: bool,
    /// Whether the time before the outage was observed too.
    #[serde(skip)]
    pub is_complete: bool,
}

/// Routers this near are those of the provider, not of the host's network.
const PROVIDERS_HOPS: usize = 3;

/// Judges the cause of an outage.
pub fn judge(evidence: &CauseEvidence) -> Cause {
    if evidence.link_fault.is_some() {
        return Cause::Link;
    }
    let others_answered = evidence.beyond_answering + evidence.on_path_answering > 0;
    match evidence.position {
        NetworkPosition::ThisMachine => Cause::Host,
        // A gateway that ignores pings but forwards them is not the cause.
        NetworkPosition::Gateway if others_answered => Cause::Host,
        NetworkPosition::Gateway if evidence.is_gateway_dead() == Some(true) => Cause::Gateway,
        NetworkPosition::Gateway => Cause::Unknown,
        NetworkPosition::OnLink
            if evidence.near_answering > 0
                || others_answered
                || evidence.gateway == Reachability::Answers =>
        {
            Cause::Host
        }
        NetworkPosition::OnLink if evidence.is_gateway_dead() == Some(true) => Cause::Gateway,
        NetworkPosition::OnLink => Cause::Unknown,
        NetworkPosition::BeyondGateway => judge_beyond(evidence),
    }
}

fn judge_beyond(evidence: &CauseEvidence) -> Cause {
    if evidence.beyond_answering > 0 {
        return Cause::Host;
    }
    let is_alone = evidence.beyond_silent == 0;
    match evidence.is_path_whole {
        // All routers up to its neighbour answer.
        Some(true) if is_alone && evidence.on_path_answering > 0 => return Cause::Host,
        Some(true) if is_alone || evidence.reach > Some(PROVIDERS_HOPS) => return Cause::Unknown,
        _ => {}
    }
    match (evidence.gateway_address, evidence.is_gateway_dead()) {
        (Some(_), Some(true)) => Cause::Gateway,
        (Some(_), None) => Cause::Unknown,
        // The other end of a link without a gateway address is the provider's.
        (None, _) if evidence.link_reach.is_none() => Cause::Unknown,
        _ if !is_alone => Cause::Provider,
        // Of a single host the path alone shows that it is not the host itself.
        _ if evidence.is_path_whole == Some(false) && evidence.reach <= Some(PROVIDERS_HOPS) => {
            Cause::Provider
        }
        _ => Cause::Unknown,
    }
}

impl CauseEvidence {
    /// Adds a path over this link that was traced meanwhile, of this host or another.
    pub fn add_path_over_link(&mut self, reach: usize, last: Option<IpAddr>) {
        if Some(reach) > self.reach.max(self.link_reach) {
            self.link_reached = last;
        }
        self.link_reach = self.link_reach.max(Some(reach));
    }

    /// Whether the gateway failed: neither its own replies nor those of routers and hosts beyond it
    /// arrived. `None` where that is not known.
    fn is_gateway_dead(&self) -> Option<bool> {
        let got_beyond = self.link_reach > Some(1) || self.on_path_answering > 0;
        if got_beyond || self.gateway == Reachability::Answers {
            return Some(false);
        }
        match (self.is_gateway_reliable, self.link_reach) {
            _ if self.gateway == Reachability::Unknown => None,
            (Some(true), _) => Some(true),
            // It reports packets that expire at it.
            (_, Some(1..)) => Some(false),
            (None, Some(0)) => Some(true),
            (Some(false), Some(0)) if self.is_first_router_known => Some(true),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Evidence in words: where the host lies, what its gateway did, and numbers of other hosts.
    ///
    /// `gateway+` answered, `gateway-` did not, `reliable` or `mute` before the outage;
    /// `none` has no address. `apart 1`, `passed 1`, `silent 1`: other hosts beyond the gateway that
    /// answered, answered on the path, failed too; `near+ 1`, `near- 1`. `reach 2`, `link 2`, `whole`,
    /// `cut`, `router` (the first one is known): traced paths.
    fn evidence(text: &str) -> CauseEvidence {
        let mut evidence = CauseEvidence {
            position: NetworkPosition::BeyondGateway,
            link_fault: None,
            gateway_address: Some(IpAddr::from([192, 168, 1, 1])),
            interface: None,
            gateway: Reachability::Unknown,
            is_gateway_reliable: None,
            beyond_answering: 0,
            on_path_answering: 0,
            beyond_silent: 0,
            near_answering: 0,
            near_silent: 0,
            path_reached: None,
            reach: None,
            link_reach: None,
            link_reached: None,
            is_path_whole: None,
            is_first_router_known: false,
            is_complete: true,
        };
        let mut words = text.split_whitespace();
        while let Some(word) = words.next() {
            let mut number = || words.next().and_then(|n| n.parse().ok()).expect("a number");
            match word {
                "this-machine" => evidence.position = NetworkPosition::ThisMachine,
                "the-gateway" => evidence.position = NetworkPosition::Gateway,
                "on-link" => evidence.position = NetworkPosition::OnLink,
                "fault" => evidence.link_fault = Some("eth0 has no carrier".into()),
                "none" => evidence.gateway_address = None,
                "gateway+" => evidence.gateway = Reachability::Answers,
                "gateway-" => evidence.gateway = Reachability::Silent,
                "reliable" => evidence.is_gateway_reliable = Some(true),
                "mute" => evidence.is_gateway_reliable = Some(false),
                "apart" => evidence.beyond_answering = number(),
                "passed" => evidence.on_path_answering = number(),
                "silent" => evidence.beyond_silent = number(),
                "near+" => evidence.near_answering = number(),
                "near-" => evidence.near_silent = number(),
                "reach" => {
                    evidence.reach = Some(number());
                    evidence.link_reach = evidence.reach;
                }
                "link" => evidence.link_reach = Some(number()),
                "whole" => evidence.is_path_whole = Some(true),
                "cut" => evidence.is_path_whole = Some(false),
                "router" => evidence.is_first_router_known = true,
                other => panic!("{other:?}"),
            }
        }
        evidence
    }

    fn check(cases: &[(&str, Cause)]) {
        for (text, cause) in cases {
            assert_eq!(judge(&evidence(text)), *cause, "{text}");
        }
    }

    #[test]
    fn the_hosts_that_answer_over_the_same_link_decide_the_cause() {
        check(&[
            ("fault gateway+", Cause::Link),
            ("gateway+ silent 2", Cause::Provider),
            ("gateway+ silent 2 reach 4", Cause::Provider),
            ("gateway+ silent 1 apart 1", Cause::Host),
            ("gateway- apart 1", Cause::Host),
            ("gateway- reliable silent 2", Cause::Gateway),
            ("reliable silent 2", Cause::Unknown),
            ("gateway- silent 2 reach 0", Cause::Gateway),
            ("", Cause::Unknown),
            ("near+ 1", Cause::Unknown),
        ]);
    }

    #[test]
    fn hosts_on_the_path_before_the_break_do_not_prove_that_the_line_is_fine() {
        check(&[
            ("gateway+ passed 1 silent 1", Cause::Provider),
            ("gateway+ passed 1 silent 1 reach 2 cut", Cause::Provider),
            ("gateway- mute passed 1 silent 1", Cause::Provider),
            ("gateway+ passed 1 reach 2 cut", Cause::Provider),
            ("gateway+ passed 1 reach 9 cut", Cause::Unknown),
            ("gateway+ passed 1", Cause::Unknown),
            ("gateway+ passed 1 reach 2 whole", Cause::Host),
        ]);
    }

    #[test]
    fn a_single_silent_host_is_never_the_providers_fault_while_its_neighbour_answers() {
        check(&[
            ("gateway+", Cause::Unknown),
            ("gateway+ reach 1", Cause::Unknown),
            ("gateway+ reach 1 whole", Cause::Unknown),
            ("gateway+ reach 7 whole", Cause::Unknown),
            ("gateway+ reach 1 cut", Cause::Provider),
            ("gateway+ reach 0 cut", Cause::Provider),
            ("gateway+ reach 7 cut", Cause::Unknown),
            // Two hosts of one distant network.
            ("gateway+ silent 1 reach 7 whole", Cause::Unknown),
            ("gateway+ silent 1 reach 3 whole", Cause::Provider),
            ("gateway+ silent 1 reach 1 whole", Cause::Provider),
        ]);
    }

    #[test]
    fn a_gateway_that_ignores_or_limits_pings_is_not_blamed_for_the_provider() {
        check(&[
            ("gateway- silent 1", Cause::Unknown),
            ("gateway- silent 1 reach 2", Cause::Provider),
            ("gateway- reliable silent 1 reach 2", Cause::Provider),
            ("gateway- mute silent 1", Cause::Unknown),
            ("gateway- mute silent 1 reach 1", Cause::Provider),
            ("gateway- silent 1 link 1", Cause::Provider),
            ("gateway- mute silent 1 reach 0", Cause::Unknown),
            ("gateway- mute silent 1 reach 0 router", Cause::Gateway),
            // One that answered all pings before also fails while it still reports expired packets.
            ("gateway- reliable silent 1 reach 1", Cause::Gateway),
            (
                "the-gateway gateway- reliable silent 1 link 1",
                Cause::Gateway,
            ),
            ("the-gateway gateway- mute silent 1 link 1", Cause::Unknown),
            (
                "the-gateway gateway- reliable silent 1 link 3",
                Cause::Unknown,
            ),
        ]);
    }

    #[test]
    fn without_a_gateway_address_the_path_shows_that_the_link_works() {
        check(&[
            ("none silent 1", Cause::Unknown),
            ("none silent 1 reach 1", Cause::Provider),
            ("none silent 1 reach 0", Cause::Provider),
            ("none", Cause::Unknown),
            ("none reach 1 whole", Cause::Unknown),
            ("none reach 1 cut", Cause::Provider),
            ("none silent 1 apart 1", Cause::Host),
        ]);
    }

    #[test]
    fn the_gateway_and_hosts_on_the_link_are_judged_by_their_position() {
        check(&[
            ("this-machine", Cause::Host),
            ("the-gateway gateway- reliable", Cause::Gateway),
            (
                "the-gateway gateway- reliable near+ 1 silent 1",
                Cause::Gateway,
            ),
            ("the-gateway gateway- reliable apart 1", Cause::Host),
            ("the-gateway gateway- mute passed 1", Cause::Host),
            ("on-link", Cause::Unknown),
            ("on-link gateway- reliable near- 1", Cause::Gateway),
            ("on-link gateway- near+ 1", Cause::Host),
            ("on-link gateway+", Cause::Host),
        ]);
    }

    #[test]
    fn of_the_paths_over_the_link_the_longest_counts_and_the_first_of_equal_ones() {
        let router = |number| Some(IpAddr::from([10, 0, 0, number]));
        let mut found = evidence("reach 2");
        for (reach, last, expected) in [
            (2, router(1), (Some(2), None)),
            (3, router(2), (Some(3), router(2))),
            (3, router(3), (Some(3), router(2))),
            (1, router(4), (Some(3), router(2))),
        ] {
            found.add_path_over_link(reach, last);
            assert_eq!((found.link_reach, found.link_reached), expected, "{last:?}");
        }
        // Longer than any over the link, yet not than that of the host itself.
        let mut found = evidence("reach 4 link 1");
        found.add_path_over_link(3, router(1));
        assert_eq!((found.link_reach, found.link_reached), (Some(3), None));
    }

    #[test]
    fn every_cause_is_parsed_from_its_text() {
        for cause in Cause::ALL {
            assert_eq!(Cause::from_word(cause.as_str()), Some(cause));
        }
        assert_eq!(Cause::from_word("Link"), None);
    }
}
