//! What the scene concludes from checks, probes and observations.

use super::*;
use crate::pure::model::Outcome;

fn at(second: i64) -> UtcMillis {
    UtcMillis(second * 1000)
}

fn ip(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

fn link(interface: &str) -> Arc<Link> {
    Arc::new(Link {
        version: IpVersion::V4,
        interface: interface.into(),
        gateway: Some(ip(1)),
    })
}

/// Its last part of an address, its position and its interface.
fn place(name: &str) -> (u8, NetworkPosition, &'static str) {
    match name {
        "gate" => (1, NetworkPosition::Gateway, "eth0"),
        // The gateway of some other link, beyond that of this one.
        "second-gate" => (2, NetworkPosition::Gateway, "eth0"),
        "far" => (10, NetworkPosition::BeyondGateway, "eth0"),
        "other" => (20, NetworkPosition::BeyondGateway, "eth0"),
        "near" => (30, NetworkPosition::OnLink, "eth0"),
        "me" => (40, NetworkPosition::ThisMachine, "eth0"),
        "away" => (50, NetworkPosition::BeyondGateway, "eth1"),
        other => panic!("{other}"),
    }
}

/// A check with one ping a second: r answered, s lost.
fn check(name: &str, second: i64, pings: &str) -> CheckResult {
    let (last, position, interface) = place(name);
    let outcome = |letter| match letter {
        'r' => Outcome::Reply { rtt_us: 7 },
        _ => Outcome::TimedOut,
    };
    CheckResult {
        resolved: Some(ip(last)),
        pings: pings.chars().map(outcome).collect(),
        spacing_ms: 1000,
        interval_ms: 60_000,
        position: Some(position),
        link: Some(link(interface)),
        ..CheckResult::begin(Arc::new(Host::unlisted(name)), at(second))
    }
}

fn path(second: i64, hops: &[u8], reached: bool) -> Path {
    let hops = hops.iter().map(|last| (*last > 0).then(|| ip(*last)));
    Path {
        at: at(second),
        reached,
        hops: hops.collect(),
    }
}

/// The outage of `far` from 100 to 165, last answered at 42. Other hosts by their name: `+` is
/// pinged every five seconds and answers all the time, `-` until the outage begins.
fn outage(others: &str) -> Scene {
    let mut scene = Scene::default();
    for (second, pings) in [(40, "rrr"), (100, "sss"), (160, "sss")] {
        scene.add_check(&check("far", second, pings));
    }
    for word in others.split_whitespace() {
        let (name, conduct) = word.split_at(word.len() - 1);
        scene.add_check(&check(name, 30, "rrr"));
        for second in (35..=165).step_by(5) {
            scene.add_probe(&Probe {
                host: Arc::new(Host::unlisted(name)),
                at: at(second),
                is_answered: conduct == "+" || second < 100,
            });
        }
    }
    scene
}

fn trace(scene: &mut Scene, name: &str, path: Path) {
    let host = Arc::new(Host::unlisted(name));
    scene.add_observation(&Observation::Path { host, path });
}

/// A ping to the gateway of eth0.
fn ping_gateway(scene: &mut Scene, second: i64, is_answered: bool) {
    scene.add_observation(&Observation::Gateway {
        link: link("eth0"),
        at: at(second),
        answer: Answer::of(is_answered),
    });
}

fn evidence(scene: &Scene) -> CauseEvidence {
    let found = scene.evidence(&Host::unlisted("far"), at(100), at(165));
    found.expect("a known host")
}

#[test]
fn other_hosts_over_the_same_link_are_counted_by_their_position_and_conduct() {
    use Reachability::{Answers, Silent, Unknown};
    // The gateway; hosts beyond it that answered and failed too, and the same on the link.
    for (others, expected) in [
        ("", (Unknown, [0, 0, 0, 0])),
        ("gate+ other+ near+", (Answers, [1, 0, 1, 0])),
        ("gate- other- near-", (Silent, [0, 1, 0, 1])),
        ("second-gate+", (Unknown, [1, 0, 0, 0])),
        ("second-gate- other-", (Unknown, [0, 2, 0, 0])),
        ("away+ me+", (Unknown, [0, 0, 0, 0])),
        ("away- me-", (Unknown, [0, 0, 0, 0])),
    ] {
        let found = evidence(&outage(others));
        let counts = [
            found.beyond_answering,
            found.beyond_silent,
            found.near_answering,
            found.near_silent,
        ];
        assert_eq!((found.gateway, counts), expected, "{others}");
        assert_eq!(found.on_path_answering, 0, "{others}");
        assert_eq!(found.position, NetworkPosition::BeyondGateway);
        assert_eq!(found.gateway_address, Some(ip(1)));
        assert_eq!(found.interface.as_deref(), Some("eth0"));
        assert!(found.is_complete);
    }
}

#[test]
fn a_gateway_is_reliable_after_three_replies_in_a_row() {
    for (pings, is_reliable) in [("rrr", Some(true)), ("rsr", Some(false)), ("", None)] {
        let mut scene = outage("");
        for (second, letter) in (90..).zip(pings.chars()) {
            ping_gateway(&mut scene, second, letter == 'r');
        }
        assert_eq!(evidence(&scene).is_gateway_reliable, is_reliable, "{pings}");
    }
}

#[test]
fn what_was_pinged_from_the_begin_of_the_outage_on_only_is_incomplete() {
    let mut scene = Scene::default();
    scene.add_check(&check("far", 100, "sss"));
    assert!(!evidence(&scene).is_complete);
    let before = scene.evidence(&Host::unlisted("far"), at(101), at(165));
    assert!(before.is_some_and(|found| found.is_complete));
    assert_eq!(scene.last_silence(&Host::unlisted("far")), Some(at(102)));
    assert_eq!(
        scene.evidence(&Host::unlisted("other"), at(100), at(165)),
        None
    );
}

#[test]
fn the_paths_of_the_outage_are_compared_with_the_one_before_it() {
    let mut scene = outage("other+");
    trace(&mut scene, "far", path(50, &[1, 5, 6, 10], true));
    trace(&mut scene, "far", path(99, &[1, 5, 6], false));
    trace(&mut scene, "far", path(120, &[1, 5], false));
    trace(&mut scene, "far", path(130, &[1], false));
    trace(&mut scene, "far", path(166, &[1, 5, 6], false));
    let found = evidence(&scene);
    assert_eq!((found.reach, found.path_reached), (Some(2), Some(ip(5))));
    assert_eq!((found.link_reach, found.link_reached), (Some(2), None));
    assert_eq!(found.is_path_whole, Some(false));
    assert!(found.is_first_router_known);
    assert_eq!((found.beyond_answering, found.on_path_answering), (1, 0));
    // Another path over the link that got farther.
    trace(&mut scene, "other", path(121, &[1, 5, 20], true));
    let found = evidence(&scene);
    assert_eq!(
        (found.link_reach, found.link_reached),
        (Some(3), Some(ip(20)))
    );
    // It is next to the last router that the packets to the silent host pass.
    assert_eq!((found.beyond_answering, found.on_path_answering), (0, 1));
    let broken = scene.broken_path(&Host::unlisted("far"));
    assert_eq!(broken.map(|path| path.at), Some(at(166)));
}

#[test]
fn a_host_that_moves_to_another_link_has_no_known_path() {
    let mut scene = outage("");
    trace(&mut scene, "far", path(50, &[1, 5, 6, 10], true));
    trace(&mut scene, "far", path(120, &[1, 5], false));
    scene.add_check(&check("far", 161, "s"));
    assert_eq!(evidence(&scene).is_path_whole, Some(false), "the same link");
    let moved = CheckResult {
        link: Some(link("eth1")),
        ..check("far", 162, "s")
    };
    scene.add_check(&moved);
    let found = evidence(&scene);
    assert_eq!(
        (found.is_path_whole, found.is_first_router_known),
        (None, false)
    );
    assert_eq!(found.interface.as_deref(), Some("eth1"));
    // Where no link is known the last one stays.
    let unknown = CheckResult {
        link: None,
        ..check("far", 163, "s")
    };
    scene.add_check(&unknown);
    assert_eq!(evidence(&scene).interface.as_deref(), Some("eth1"));
}

#[test]
fn of_the_traces_of_an_outage_the_first_and_the_newest_are_kept() {
    let mut scene = outage("");
    let traces = |scene: &Scene| -> Vec<i64> {
        let record = &scene.hosts[&Host::unlisted("far")];
        record.traces.iter().map(|path| path.at.0 / 1000).collect()
    };
    for second in 101..=107 {
        trace(&mut scene, "far", path(second, &[1], false));
    }
    assert_eq!(traces(&scene), [101, 104, 105, 106, 107]);
    trace(&mut scene, "far", path(170, &[1, 10], true));
    assert_eq!(traces(&scene), [101, 105, 106, 107, 170]);
    trace(&mut scene, "far", path(200, &[1], false));
    assert_eq!(traces(&scene), [200]);
}

#[test]
fn a_path_with_lost_pings_does_not_replace_the_known_one() {
    let mut scene = outage("");
    for (hops, known) in [(&[1, 10][..], 2), (&[1, 0, 0, 10], 2), (&[1, 5, 10], 3)] {
        trace(&mut scene, "far", path(50, hops, true));
        let record = &scene.hosts[&Host::unlisted("far")];
        let healthy = record.healthy_path.as_ref().map(|path| path.hops.len());
        assert_eq!(healthy, Some(known), "{hops:?}");
    }
}

#[test]
fn evidence_from_since_the_first_that_failed_with_it_counts_where_none_is_later() {
    // Both failed some time after 42: the other one was found silent at 60.
    let mut scene = outage("");
    scene.add_check(&check("other", 38, "rrr"));
    for second in (60..=160).step_by(20) {
        scene.add_check(&check("other", second, "s"));
    }
    let add_gateway = |scene: &mut Scene, second| {
        scene.add_observation(&Observation::Gateway {
            link: link("eth0"),
            at: at(second),
            answer: Answer::Answered,
        });
    };
    add_gateway(&mut scene, 59);
    trace(&mut scene, "other", path(59, &[1, 5, 6], false));
    let found = evidence(&scene);
    assert_eq!(found.beyond_silent, 1);
    assert_eq!(
        (found.gateway, found.link_reach),
        (Reachability::Unknown, None)
    );
    add_gateway(&mut scene, 70);
    trace(&mut scene, "other", path(70, &[1, 5], false));
    let found = evidence(&scene);
    assert_eq!(
        (found.gateway, found.link_reach),
        (Reachability::Answers, Some(2))
    );
    // What is later counts alone.
    trace(&mut scene, "far", path(120, &[1], false));
    assert_eq!(evidence(&scene).link_reach, Some(1));
}

#[test]
fn what_answers_long_after_the_last_lost_ping_is_no_evidence() {
    for (second, expected) in [(131, Reachability::Answers), (133, Reachability::Unknown)] {
        let mut scene = Scene::default();
        scene.add_check(&check("far", 40, "rrr"));
        scene.add_check(&check("far", 100, "sss"));
        scene.add_observation(&Observation::Gateway {
            link: link("eth0"),
            at: at(second - 2),
            answer: Answer::Answered,
        });
        assert_eq!(evidence(&scene).gateway, expected, "{second}");
    }
}

#[test]
fn hosts_that_are_no_longer_checked_are_forgotten() {
    let mut scene = outage("other+");
    scene.retain_hosts(|host| host.name == "far");
    assert_eq!(evidence(&scene).beyond_answering, 0);
    scene.retain_hosts(|_| false);
    assert_eq!(
        scene.evidence(&Host::unlisted("far"), at(100), at(165)),
        None
    );
}

#[test]
fn a_link_is_lost_and_restored_as_observed() {
    let mut scene = outage("");
    let blocked = CheckResult {
        local_fault: Some(LocalFault::Link),
        ..check("far", 200, "")
    };
    scene.add_check(&blocked);
    let version = IpVersion::V4;
    assert_eq!(scene.own_links().count_down(), 0);
    scene.add_observation(&Observation::LinkLost {
        version,
        at: at(210),
    });
    assert_eq!(scene.own_links().count_down(), 1);
    scene.add_observation(&Observation::LinkRestored {
        version,
        at: at(220),
    });
    assert_eq!(scene.own_links().count_down(), 0);
    assert_eq!(scene.own_links().restored_at(version), Some(at(220)));
}

#[test]
fn an_observation_has_one_time_that_can_be_moved() {
    let host = Arc::new(Host::unlisted("far"));
    let version = IpVersion::V4;
    let answer = Answer::Answered;
    for mut observation in [
        Observation::Gateway {
            link: link("eth0"),
            at: at(1),
            answer,
        },
        Observation::OtherHost {
            host: Arc::clone(&host),
            at: at(1),
            answer,
        },
        Observation::LinkLost { version, at: at(1) },
        Observation::LinkRestored { version, at: at(1) },
        Observation::Path {
            host,
            path: path(1, &[1], false),
        },
    ] {
        assert_eq!(*observation.at_mut(), at(1));
        *observation.at_mut() = at(2);
        assert_eq!(*observation.at_mut(), at(2));
    }
}

#[test]
fn a_name_that_fails_while_its_host_answers_is_unresolved_until_it_resolves() {
    let failed = |second, pings| CheckResult {
        name_failure: Some("no such name".into()),
        ..check("far", second, pings)
    };
    let mut scene = Scene::default();
    scene.add_check(&check("far", 40, "rrr"));
    scene.add_check(&failed(100, "sss"));
    assert_eq!(scene.unresolved_names(), [], "nothing answered");
    scene.add_check(&failed(160, "srs"));
    scene.add_check(&failed(220, "rrr"));
    let found = NameFailure {
        host: Arc::new(Host::unlisted("far")),
        since: at(160),
        earliest: Some(at(40)),
        reason: "no such name".into(),
    };
    assert_eq!(scene.unresolved_names(), [found]);
    assert_eq!(scene.resolved_at_address("FAR", at(160)), Some(at(40)));
    scene.add_check(&check("far", 280, "sss"));
    scene.add_check(&check("far", 340, "rrr"));
    assert_eq!(scene.unresolved_names(), []);
    assert_eq!(scene.resolved_at_address("FAR", at(280)), Some(at(280)));
    assert_eq!(scene.resolved_at_address("FAR", at(281)), Some(at(340)));
    assert_eq!(scene.resolved_at_address("other", at(280)), None);
}

#[test]
fn a_name_that_never_resolved_is_unresolved_once_another_host_answers() {
    let failed = |second| CheckResult {
        local_fault: Some(LocalFault::Name),
        reason: Some("no such name".into()),
        ..check("far", second, "")
    };
    for (reply, is_unresolved) in [(98, false), (99, true)] {
        let mut scene = Scene::default();
        scene.add_check(&failed(100));
        // Its last ping is two seconds later.
        scene.add_check(&check("other", reply, "rrr"));
        scene.add_check(&failed(160));
        let since: Vec<UtcMillis> = scene
            .unresolved_names()
            .iter()
            .map(|name| name.since)
            .collect();
        assert_eq!(
            since,
            if is_unresolved { vec![at(100)] } else { vec![] },
            "{reply}"
        );
        assert_eq!(scene.resolved_at_address("far", at(0)), None);
        // The resolver answers, though the host cannot be sent to.
        let unsent = CheckResult {
            local_fault: Some(LocalFault::Host),
            ..check("far", 220, "")
        };
        scene.add_check(&unsent);
        assert_eq!(scene.unresolved_names(), []);
        assert_eq!(scene.resolved_at_address("far", at(0)), Some(at(220)));
    }
}

#[test]
fn a_reliable_gateway_that_answers_once_in_an_outage_did_not_answer() {
    for (before, expected) in [
        ("rrr", Reachability::Silent),
        ("rsr", Reachability::Answers),
    ] {
        let mut scene = outage("");
        let during = (105..160).step_by(5).map(|second| (second, 's'));
        let pings = (90..).zip(before.chars()).chain(during);
        for (second, letter) in pings.chain([(162, 'r')]) {
            ping_gateway(&mut scene, second, letter == 'r');
        }
        assert_eq!(evidence(&scene).gateway, expected, "{before}");
    }
}

#[test]
fn hosts_without_a_known_link_are_over_the_same_one() {
    let mut scene = Scene::default();
    let without_link = |name, second, pings| CheckResult {
        link: None,
        ..check(name, second, pings)
    };
    scene.add_check(&without_link("far", 40, "rrr"));
    scene.add_check(&without_link("far", 100, "sss"));
    for second in (90..=165).step_by(5) {
        scene.add_check(&without_link("other", second, "r"));
    }
    let found = evidence(&scene);
    assert_eq!((found.beyond_answering, found.interface), (1, None));
    scene.add_check(&check("far", 166, "s"));
    assert_eq!(evidence(&scene).beyond_answering, 0, "its link is known");
}

#[test]
fn the_last_reply_of_a_witness_may_be_its_interval_and_five_seconds_old() {
    for (last, answering) in [(232, 0), (233, 1)] {
        let mut scene = outage("");
        for second in [220, 280] {
            scene.add_check(&check("far", second, "sss"));
        }
        scene.add_check(&check("other", 30, "rrr"));
        for second in (40..last).step_by(5).chain([last]) {
            scene.add_probe(&Probe {
                host: Arc::new(Host::unlisted("other")),
                at: at(second),
                is_answered: true,
            });
        }
        let found = scene.evidence(&Host::unlisted("far"), at(100), at(300));
        let found = found.map(|found| found.beyond_answering);
        assert_eq!(found, Some(answering), "{last}");
    }
}
