//! The program against far ends that respond as a script says, in network namespaces. The scenarios
//! are in scenarios/, one file per behaviour; tests that need another network or inspect the
//! packets are below.

mod common;
mod reflector;

use std::collections::HashSet;
use std::net::IpAddr;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use common::namespace::{SOCKET_KINDS, SocketKind, in_namespace, ip, is_available};
use common::{TempDir, bin, run, sys};
use reflector::FarEnd;
use reflector::packet::Request;
use reflector::player::{Checked, check, check_with, config_text};
use reflector::scenario::Plan;

/// One test per scenario file, with its name.
macro_rules! scenarios {
    ($($name:ident)*) => {
        mod scenarios {
            /// The files that are run.
            pub const PLAYED: &[&str] = &[$(stringify!($name)),*];
            $(
                #[test]
                fn $name() {
                    if crate::is_available(concat!("scenarios::", stringify!($name))) {
                        let text = include_str!(concat!("scenarios/", stringify!($name), ".scenario"));
                        if let Err(report) = crate::reflector::player::play(stringify!($name), text) {
                            panic!("{report}");
                        }
                    }
                }
            )*
        }
    };
}

scenarios! {
    a_copy_after_the_timeout_is_a_duplicate_and_not_late
    a_truncated_payload_is_foreign
    a_duplicate_counts_once
    a_duplicate_does_not_make_up_for_a_lost_ping
    a_flood_of_duplicates_does_not_affect_the_next_ping
    a_flood_of_errors_does_not_affect_the_next_ping
    a_host_switched_off_and_on_again_loses_the_pings_between
    replies_before_a_host_became_unreachable_count
    a_late_reply_does_not_answer_the_next_ping
    a_ping_with_a_late_reply_is_lost
    a_late_reply_that_arrives_in_the_next_check_is_ignored
    a_late_reply_that_arrives_twice_is_late_once
    a_message_shorter_than_its_header_is_no_reply
    a_payload_longer_than_the_request_is_foreign
    a_payload_with_one_wrong_bit_is_foreign
    a_redirect_is_no_reason
    a_reply_before_its_request_does_not_count
    a_fragmented_reply_counts
    a_reply_with_a_code_other_than_zero_is_foreign
    a_reply_with_any_time_to_live_counts
    a_reply_with_ipv4_options_counts
    a_reply_with_ipv6_extension_headers_counts
    a_valid_reply_after_an_error_counts
    a_source_quench_is_ignored
    a_steady_delay_is_measured_for_every_ping
    a_reply_from_another_address_does_not_prevent_the_valid_one
    a_wrong_checksum_does_not_count
    a_wrong_identifier_belongs_to_another_program
    an_invalid_reply_does_not_prevent_the_valid_one
    a_wrong_sequence_number_is_foreign
    a_reply_a_millisecond_after_the_timeout_is_late
    a_reply_just_before_the_timeout_counts
    a_repeated_earlier_reply_is_a_duplicate_of_its_own_ping
    an_error_about_a_ping_never_sent_is_not_our_reason
    an_error_about_an_answered_ping_is_no_reason_for_a_lost_one
    an_error_about_another_identifier_is_not_our_reason
    an_error_after_the_right_reply_changes_nothing
    an_error_does_not_make_a_late_reply_count
    a_fragmented_error_is_a_reason
    an_error_of_unknown_type_is_no_reason_over_ipv4
    an_error_that_quotes_eight_bytes_is_a_reason
    an_error_that_quotes_less_than_a_header_is_no_reason
    an_error_that_quotes_part_of_the_payload_is_a_reason
    an_error_with_a_wrong_checksum_is_no_reason
    an_error_with_another_payload_is_not_our_reason
    an_odd_payload_is_checked_to_its_last_byte
    pings_to_an_unreachable_host_are_lost_with_the_reason
    the_reason_of_a_loss_names_the_router_that_reported_it
    a_reply_from_another_address_is_foreign
    replies_in_another_order_all_count
    an_error_during_the_next_send_loses_no_ping
    several_pending_errors_lose_no_ping
    every_ping_has_its_own_round_trip_time
    exactly_the_unanswered_pings_are_lost
    four_of_five_is_degraded
    fragments_of_an_oversized_packet_are_discarded
    ipv4_communication_prohibited_is_reported
    ipv4_fragmentation_needed_is_reported
    ipv4_host_precedence_violation_is_reported
    ipv4_host_prohibited_is_reported
    ipv4_host_unknown_is_reported
    ipv4_host_unreachable_for_the_service_is_reported
    ipv4_host_unreachable_is_reported
    ipv4_missing_option_is_reported
    ipv4_network_prohibited_is_reported
    ipv4_network_unknown_is_reported
    ipv4_network_unreachable_for_the_service_is_reported
    ipv4_network_unreachable_is_reported
    ipv4_parameter_problem_is_reported
    ipv4_port_unreachable_is_reported
    ipv4_precedence_cutoff_is_reported
    ipv4_protocol_unreachable_is_reported
    ipv4_reassembly_time_exceeded_never_reaches_programs
    ipv4_source_host_isolated_is_reported
    ipv4_source_route_failed_is_reported
    ipv4_time_to_live_exceeded_is_reported
    ipv6_address_unreachable_is_reported
    ipv6_beyond_scope_is_reported
    ipv6_communication_prohibited_is_reported
    ipv6_erroneous_header_is_reported
    ipv6_hop_limit_exceeded_is_reported
    ipv6_no_route_is_reported
    ipv6_packet_too_big_is_reported
    ipv6_port_unreachable_is_reported
    ipv6_reassembly_time_exceeded_is_reported
    ipv6_route_rejected_is_reported
    ipv6_source_address_policy_is_reported
    ipv6_unknown_next_header_is_reported
    ipv6_unknown_option_is_reported
    nineteen_of_twenty_is_up
    other_messages_from_the_host_are_ignored_over_ipv4
    other_messages_from_the_host_are_ignored_over_ipv6
    our_own_request_sent_back_is_no_reply
    replies_to_an_earlier_check_are_ignored
    silence_is_loss
    ten_thousand_foreign_identifiers_hide_no_reply
    ten_thousand_wrong_payloads_hide_no_reply
    the_faster_of_two_copies_is_the_round_trip_time
    the_largest_payload_over_ipv4_fits_one_packet
    the_reply_type_of_the_other_ip_version_is_no_reply_over_ipv4
    the_reply_type_of_the_other_ip_version_is_no_reply_over_ipv6
    the_payload_of_an_earlier_check_is_foreign_with_any_number
    the_payload_of_another_ping_is_foreign
    the_smallest_payload_works
    three_of_four_is_poor
}

#[test]
#[ignore = "tests/proof runs it: it takes minutes, and the other programs must be installed"]
fn what_each_program_says_of_every_odd_reply() {
    if is_available("what_each_program_says_of_every_odd_reply") {
        let out = std::env::var_os("PROOF").expect("tests/proof names the file");
        std::fs::write(out, reflector::peers::table_of_all()).expect("it can be written");
    }
}

#[test]
fn every_scenario_file_is_played() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");
    let names = std::fs::read_dir(folder)
        .expect("it is here")
        .map(|entry| entry.expect("it can be read").file_name());
    let names: Vec<String> = names
        .map(|name| name.into_string().expect("the names are ASCII"))
        .collect();
    let mut files: Vec<&str> = names
        .iter()
        .filter_map(|name| name.strip_suffix(".scenario"))
        .collect();
    files.sort_unstable();
    let mut played = scenarios::PLAYED.to_vec();
    played.sort_unstable();
    assert_eq!(files, played);
}

const PLAN: Plan = Plan {
    pings: 3,
    every_ms: 30,
    timeout_ms: 200,
    payload: 56,
};

/// Two hosts, one of each IP version, with these additional keys.
fn both(keys: &str) -> Vec<String> {
    both_with(keys, keys)
}

fn both_with(v4_keys: &str, v6_keys: &str) -> Vec<String> {
    vec![
        format!("name: four, address: 10.9.0.2{v4_keys}"),
        format!("name: six, address: \"fd09::2\"{v6_keys}"),
    ]
}

/// Changes the network by `prepare`, checks these hosts once against a far end that answers
/// everything, over both types of sockets, and passes the results and the requests in the order of
/// arrival to `judge`.
fn check_echoing(
    test: &str,
    plan: Plan,
    hosts: &[String],
    prepare: &str,
    judge: impl Fn(&Checked, &[Request]) + Sync,
) {
    if is_available(test) {
        check_echoing_here(plan, hosts, prepare, judge);
    }
}

/// The same, without testing whether namespaces are available.
fn check_echoing_here(
    plan: Plan,
    hosts: &[String],
    prepare: &str,
    judge: impl Fn(&Checked, &[Request]) + Sync,
) {
    for kind in SOCKET_KINDS {
        let folder = TempDir::new();
        let config = folder.write("config.yaml", &config_text(&plan, hosts));
        in_namespace(kind, |tun| {
            let far_end = FarEnd::echoing(tun);
            ip(prepare).unwrap_or_else(|error| panic!("{error}"));
            let checked = check(&config);
            eprintln!("{kind:?} socket: {checked:#?}\n{:#?}", far_end.seen().log);
            judge(&checked, &far_end.requests());
        });
    }
}

#[track_caller]
fn assert_up(host: &Value, plan: &Plan) {
    assert_eq!(
        (
            &host["state"],
            &host["sent"],
            &host["received"],
            &host["error"]
        ),
        (
            &"up".into(),
            &plan.pings.into(),
            &plan.pings.into(),
            &Value::Null
        )
    );
}

/// Asserts a fault of this machine: nothing sent, nothing lost, and a reason that contains one of
/// these texts.
#[track_caller]
fn assert_not_measured(host: &Value, any_of: &[&str]) {
    assert_eq!(
        (
            &host["state"],
            &host["sent"],
            &host["received"],
            &host["rtts_us"]
        ),
        (
            &"not_measured".into(),
            &0.into(),
            &0.into(),
            &Value::Array(Vec::new())
        )
    );
    let error = host["error"].as_str().unwrap_or_default().to_lowercase();
    assert!(
        any_of.iter().any(|word| error.contains(word)),
        "none of {any_of:?} is in {error:?}"
    );
}

fn to<'a>(requests: &'a [Request], address: &str) -> Vec<&'a Request> {
    let address: IpAddr = address.parse().expect("it is one");
    requests
        .iter()
        .filter(|request| request.destination == address)
        .collect()
}

#[test]
fn a_link_local_address_is_pinged_through_the_interface_in_its_scope() {
    let hosts = ["name: neighbour, address: \"fe80::2%tun0\"".to_string()];
    check_echoing(
        "a_link_local_address_is_pinged_through_the_interface_in_its_scope",
        PLAN,
        &hosts,
        "",
        |checked, requests| {
            assert_eq!(checked.finished.code, Some(0));
            assert_up(&checked.hosts[0], &PLAN);
            assert_eq!(checked.hosts[0]["host_address"], "fe80::2%tun0");
            assert_eq!(to(requests, "fe80::2").len(), PLAN.pings);
        },
    );
}

#[test]
fn a_link_local_address_whose_interface_does_not_exist_is_not_measured() {
    let hosts = ["name: neighbour, address: \"fe80::2%tun7\"".to_string()];
    check_echoing(
        "a_link_local_address_whose_interface_does_not_exist_is_not_measured",
        PLAN,
        &hosts,
        "",
        |checked, requests| {
            assert_eq!(checked.finished.code, Some(1));
            assert_not_measured(&checked.hosts[0], &["tun7", "interface", "device"]);
            assert!(requests.is_empty());
        },
    );
}

#[test]
fn pings_leave_from_the_source_address_of_their_host() {
    let hosts = both_with(", source: 10.9.0.7", ", source: \"fd09::7\"");
    let prepare = "addr add 10.9.0.7/24 dev tun0\naddr add fd09::7/64 dev tun0 nodad";
    check_echoing(
        "pings_leave_from_the_source_address_of_their_host",
        PLAN,
        &hosts,
        prepare,
        |checked, requests| {
            assert_eq!(checked.finished.code, Some(0));
            for (host, (far, source)) in checked
                .hosts
                .iter()
                .zip([("10.9.0.2", "10.9.0.7"), ("fd09::2", "fd09::7")])
            {
                assert_up(host, &PLAN);
                let sources: Vec<String> = to(requests, far)
                    .iter()
                    .map(|request| request.source.to_string())
                    .collect();
                assert_eq!(sources, vec![source; PLAN.pings]);
            }
        },
    );
}

#[test]
fn pings_leave_through_the_source_interface_of_their_host() {
    let hosts = both(", source: tun0");
    check_echoing(
        "pings_leave_through_the_source_interface_of_their_host",
        PLAN,
        &hosts,
        "",
        |checked, requests| {
            assert_eq!(checked.finished.code, Some(0));
            for (host, far) in checked.hosts.iter().zip(["10.9.0.2", "fd09::2"]) {
                assert_up(host, &PLAN);
                assert_eq!(to(requests, far).len(), PLAN.pings);
            }
        },
    );
}

#[test]
fn a_source_address_that_is_not_ours_is_not_measured() {
    let hosts = both_with(", source: 10.9.0.77", ", source: \"fd09::77\"");
    check_echoing(
        "a_source_address_that_is_not_ours_is_not_measured",
        PLAN,
        &hosts,
        "",
        |checked, requests| {
            assert_eq!(checked.finished.code, Some(1));
            for host in &checked.hosts {
                assert_not_measured(host, &["address"]);
            }
            assert!(requests.is_empty());
        },
    );
}

#[test]
fn pings_leave_with_the_time_to_live_of_their_host() {
    let hosts = both(", time_to_live: 7");
    check_echoing(
        "pings_leave_with_the_time_to_live_of_their_host",
        PLAN,
        &hosts,
        "",
        |checked, requests| {
            assert_eq!(checked.hosts.len(), 2);
            assert_eq!(requests.len(), 2 * PLAN.pings);
            assert!(
                requests.iter().all(|request| request.time_to_live == 7),
                "{requests:?}"
            );
        },
    );
}

#[test]
fn pings_leave_with_the_configured_payload_and_are_numbered() {
    if !is_available("pings_leave_with_the_configured_payload_and_are_numbered") {
        return;
    }
    for payload in [16, 56, 333, 1400] {
        let plan = Plan { payload, ..PLAN };
        check_echoing_here(plan, &both(""), "", |checked, requests| {
            assert_eq!(checked.finished.code, Some(0));
            for far in ["10.9.0.2", "fd09::2"] {
                let requests = to(requests, far);
                assert_eq!(
                    requests
                        .iter()
                        .map(|request| request.payload.len())
                        .collect::<Vec<_>>(),
                    [payload; 3]
                );
                let numbers: HashSet<u16> =
                    requests.iter().map(|request| request.sequence).collect();
                assert_eq!(numbers.len(), PLAN.pings, "each has a number of its own");
            }
        });
    }
}

#[test]
fn pings_of_a_check_leave_at_their_spacing() {
    let plan = Plan {
        pings: 6,
        every_ms: 60,
        ..PLAN
    };
    check_echoing(
        "pings_of_a_check_leave_at_their_spacing",
        plan,
        &both(""),
        "",
        |_, requests| {
            for far in ["10.9.0.2", "fd09::2"] {
                let requests = to(requests, far);
                let first_to_last = requests[5].at.duration_since(requests[0].at);
                assert!(
                    (Duration::from_millis(295)..Duration::from_millis(400))
                        .contains(&first_to_last),
                    "{first_to_last:?}"
                );
                for pair in requests.windows(2) {
                    // Reading the first request may have taken longer.
                    let apart = pair[1].at.duration_since(pair[0].at);
                    assert!(apart > Duration::from_millis(40), "{apart:?}");
                }
            }
        },
    );
}

#[test]
fn the_gateway_is_the_one_of_the_default_route() {
    let hosts = [
        "name: router, address: gateway".to_string(),
        "name: router over IPv6, address: gateway, family: 6".to_string(),
    ];
    let prepare = "route add default via 10.9.0.3\nroute add default via fd09::3";
    check_echoing(
        "the_gateway_is_the_one_of_the_default_route",
        PLAN,
        &hosts,
        prepare,
        |checked, requests| {
            assert_eq!(checked.finished.code, Some(0));
            for (host, gateway) in checked.hosts.iter().zip(["10.9.0.3", "fd09::3"]) {
                assert_up(host, &PLAN);
                assert_eq!(
                    (&host["host_address"], &host["resolved_address"]),
                    (&"gateway".into(), &gateway.into())
                );
                assert_eq!(to(requests, gateway).len(), PLAN.pings);
            }
        },
    );
}

#[test]
fn a_link_local_gateway_is_pinged_through_its_interface() {
    let hosts = ["name: router, address: gateway, family: 6".to_string()];
    let prepare = "route add default via fe80::3 dev tun0";
    check_echoing(
        "a_link_local_gateway_is_pinged_through_its_interface",
        PLAN,
        &hosts,
        prepare,
        |checked, requests| {
            assert_eq!(checked.finished.code, Some(0));
            assert_up(&checked.hosts[0], &PLAN);
            assert_eq!(to(requests, "fe80::3").len(), PLAN.pings);
        },
    );
}

#[test]
fn without_a_default_route_there_is_no_gateway_to_measure() {
    let hosts = ["name: router, address: gateway".to_string()];
    check_echoing(
        "without_a_default_route_there_is_no_gateway_to_measure",
        PLAN,
        &hosts,
        "",
        |checked, requests| {
            assert_eq!(checked.finished.code, Some(1));
            assert_not_measured(&checked.hosts[0], &["gateway", "default route"]);
            assert!(requests.is_empty());
        },
    );
}

#[test]
fn without_a_route_nothing_is_measured_and_nothing_lost() {
    let hosts = [
        "name: four, address: 192.0.2.1".to_string(),
        "name: six, address: \"2001:db8::1\"".to_string(),
    ];
    check_echoing(
        "without_a_route_nothing_is_measured_and_nothing_lost",
        PLAN,
        &hosts,
        "",
        |checked, requests| {
            assert_eq!(checked.finished.code, Some(1));
            assert_eq!(checked.hosts.len(), 2);
            for host in &checked.hosts {
                assert_not_measured(
                    host,
                    &["network is unreachable", "network unreachable", "no route"],
                );
            }
            assert!(requests.is_empty());
        },
    );
}

#[test]
fn a_route_that_refuses_is_not_measured() {
    // "unreachable" and "prohibit" routes are a refusal of this machine, as is a missing route.
    let hosts = both("");
    let prepare = "route add unreachable 10.9.0.2/32\nroute add prohibit fd09::2/128";
    check_echoing(
        "a_route_that_refuses_is_not_measured",
        PLAN,
        &hosts,
        prepare,
        |checked, requests| {
            assert_eq!(checked.finished.code, Some(1));
            for host in &checked.hosts {
                assert_not_measured(
                    host,
                    &["unreachable", "no route", "permission", "prohibited"],
                );
            }
            assert!(requests.is_empty());
        },
    );
}

#[test]
fn with_the_interface_down_nothing_is_measured_and_nothing_lost() {
    let prepare = "link set tun0 down";
    let test = "with_the_interface_down_nothing_is_measured_and_nothing_lost";
    check_echoing(test, PLAN, &both(""), prepare, |checked, requests| {
        assert_eq!(checked.finished.code, Some(1));
        assert_eq!(checked.hosts.len(), 2);
        for host in &checked.hosts {
            assert_not_measured(
                host,
                &["unreachable", "no route", "interface", "address", "down"],
            );
        }
        assert!(requests.is_empty());
    });
}

#[test]
fn a_host_that_cannot_be_measured_does_not_prevent_others_from_being_measured() {
    let mut hosts = both("");
    hosts.push("name: nowhere, address: 192.0.2.1".to_string());
    let test = "a_host_that_cannot_be_measured_does_not_prevent_others_from_being_measured";
    check_echoing(test, PLAN, &hosts, "", |checked, _| {
        assert_eq!(checked.finished.code, Some(1));
        assert_up(&checked.hosts[0], &PLAN);
        assert_up(&checked.hosts[1], &PLAN);
        assert_not_measured(&checked.hosts[2], &["unreachable", "no route"]);
    });
}

#[test]
fn a_host_behind_a_router_is_pinged_like_a_neighbour() {
    let hosts = [
        "name: four, address: 10.10.7.7".to_string(),
        "name: six, address: \"fd10::7\"".to_string(),
    ];
    check_echoing(
        "a_host_behind_a_router_is_pinged_like_a_neighbour",
        PLAN,
        &hosts,
        "",
        |checked, requests| {
            assert_eq!(checked.finished.code, Some(0));
            for (host, far) in checked.hosts.iter().zip(["10.10.7.7", "fd10::7"]) {
                assert_up(host, &PLAN);
                assert_eq!(to(requests, far).len(), PLAN.pings);
            }
        },
    );
}

#[test]
fn this_machine_itself_can_be_a_host() {
    // The kernel itself answers within microseconds; the minimum that is recorded is one.
    let hosts = [
        "name: four, address: 127.0.0.1".to_string(),
        "name: six, address: \"::1\"".to_string(),
    ];
    check_echoing(
        "this_machine_itself_can_be_a_host",
        PLAN,
        &hosts,
        "",
        |checked, _| {
            assert_eq!(checked.finished.code, Some(0));
            for host in &checked.hosts {
                assert_up(host, &PLAN);
                assert!(host["min_us"].as_u64().is_some_and(|us| us >= 1), "{host}");
                // A raw socket receives its own requests, which are neither replies nor foreign.
                assert_eq!(
                    (&host["foreign"], &host["duplicates"], &host["late"]),
                    (&0.into(), &0.into(), &0.into())
                );
            }
        },
    );
}

#[test]
fn every_check_has_a_new_identifier_and_every_ping_a_different_payload() {
    if !is_available("every_check_has_a_new_identifier_and_every_ping_a_different_payload") {
        return;
    }
    for kind in SOCKET_KINDS {
        let folder = TempDir::new();
        let config = folder.write("config.yaml", &config_text(&PLAN, &both("")));
        in_namespace(kind, |tun| {
            let far_end = FarEnd::echoing(tun);
            let mut identifiers: Vec<HashSet<(IpAddr, u16)>> = Vec::new();
            for round in 1..=3 {
                let before = far_end.requests().len();
                assert_eq!(check(&config).finished.code, Some(0));
                let requests = far_end.requests();
                assert_eq!(requests.len(), round * 2 * PLAN.pings);
                identifiers.push(
                    requests[before..]
                        .iter()
                        .map(|request| (request.destination, request.identifier))
                        .collect(),
                );
            }
            for check in &identifiers {
                assert_eq!(
                    check.len(),
                    2,
                    "one identifier for each host and check: {identifiers:?}"
                );
            }
            // Three random numbers of sixteen bits are equal once in 4 x 10^9 runs.
            assert!(
                !(identifiers[0] == identifiers[1] && identifiers[1] == identifiers[2]),
                "{kind:?}: {identifiers:?}"
            );
            let requests = far_end.requests();
            let payloads: HashSet<&[u8]> = requests
                .iter()
                .map(|request| request.payload.as_slice())
                .collect();
            assert_eq!(payloads.len(), requests.len());
            // The payload must differ in more than a counter, also with the smallest size.
            let starts: HashSet<&[u8]> = requests
                .iter()
                .map(|request| &request.payload[..16])
                .collect();
            assert_eq!(starts.len(), requests.len());
        });
    }
}

#[test]
fn hosts_checked_at_the_same_time_have_different_identifiers() {
    let hosts: Vec<String> = (2..12)
        .map(|n| format!("name: h{n}, address: 10.9.0.{n}"))
        .collect();
    let test = "hosts_checked_at_the_same_time_have_different_identifiers";
    check_echoing(test, PLAN, &hosts, "", |checked, requests| {
        assert_eq!(checked.finished.code, Some(0));
        let identifiers: HashSet<u16> = requests.iter().map(|request| request.identifier).collect();
        assert_eq!(identifiers.len(), hosts.len());
        for host in &checked.hosts {
            assert_up(host, &PLAN);
        }
    });
}

#[test]
fn a_name_is_pinged_over_the_configured_ip_version_of_its_host() {
    if !is_available("a_name_is_pinged_over_the_configured_ip_version_of_its_host") {
        return;
    }
    let hosts = [
        "name: four, address: far.test, family: 4".to_string(),
        "name: six, address: far.test, family: 6".to_string(),
        "name: any, address: either.test".to_string(),
        "name: only four, address: four.test, family: 6".to_string(),
    ];
    for kind in SOCKET_KINDS {
        let folder = TempDir::new();
        let config = folder.write("config.yaml", &config_text(&PLAN, &hosts));
        let names = folder.write(
            "hosts",
            "127.0.0.1 localhost\n10.9.0.2 far.test either.test\nfd09::2 far.test either.test\n10.9.0.2 four.test\n",
        );
        // Names are resolved by files alone, so that no name server is needed.
        let order = folder.write("nsswitch.conf", "hosts: files\n");
        in_namespace(kind, |tun| {
            sys::unshare_mounts()
                .expect("a process that may have its own network may also have its own mounts");
            for (from, to) in [(&names, "/etc/hosts"), (&order, "/etc/nsswitch.conf")] {
                // Private first, or the mount would be visible outside.
                let script = "mount --make-rprivate / && exec mount --bind \"$0\" \"$1\"";
                let mounted = run(Command::new("sh").args(["-c", script]).arg(from).arg(to));
                assert_eq!(mounted.code, Some(0), "{mounted:?}");
            }
            let far_end = FarEnd::echoing(tun);
            let checked = check(&config);
            assert_eq!(checked.finished.code, Some(1), "{checked:#?}");
            let [four, six, any, only_four] = checked.hosts.as_slice() else {
                panic!("{checked:#?}")
            };
            for (host, name) in [(four, "far.test"), (six, "far.test"), (any, "either.test")] {
                assert_up(host, &PLAN);
                assert_eq!(host["host_address"], name);
            }
            assert_eq!(
                (&four["resolved_address"], &six["resolved_address"]),
                (&"10.9.0.2".into(), &"fd09::2".into())
            );
            assert_not_measured(only_four, &["four.test", "ipv6", "address", "name"]);
            assert_eq!(far_end.requests().len(), 3 * PLAN.pings);
        });
    }
}

#[test]
fn a_dead_host_does_not_hold_up_the_others() {
    let test = "a_dead_host_does_not_hold_up_the_others";
    if !is_available(test) {
        return;
    }
    let plan = Plan {
        pings: 5,
        every_ms: 60,
        timeout_ms: 500,
        payload: 56,
    };
    let hosts: Vec<String> = (2..6)
        .map(|n| format!("name: h{n}, address: 10.9.0.{n}"))
        .collect();
    let dead: IpAddr = [10, 9, 0, 4].into();
    for kind in SOCKET_KINDS {
        let folder = TempDir::new();
        let config = folder.write("config.yaml", &config_text(&plan, &hosts));
        in_namespace(kind, |tun| {
            let far_end = FarEnd::echoing_except(tun, &[dead]);
            let checked = check(&config);
            assert_eq!(checked.finished.code, Some(1), "{checked:#?}");
            for (host, address) in checked
                .hosts
                .iter()
                .zip(["10.9.0.2", "10.9.0.3", "10.9.0.4", "10.9.0.5"])
            {
                let is_dead = address == "10.9.0.4";
                assert_eq!(
                    (&host["host_address"], &host["sent"]),
                    (&address.into(), &plan.pings.into())
                );
                assert_eq!(host["state"], if is_dead { "down" } else { "up" }, "{host}");
            }
            // Four pings apart and one timeout: no ping waits for the outcome of the one before.
            let shortest = Duration::from_millis(4 * plan.every_ms + plan.timeout_ms);
            assert!(
                checked.finished.took >= shortest,
                "{:?}",
                checked.finished.took
            );
            assert!(
                checked.finished.took < shortest + Duration::from_millis(1000),
                "{:?}",
                checked.finished.took
            );
            let requests = far_end.requests();
            let first = requests
                .iter()
                .map(|request| request.at)
                .min()
                .expect("there are some");
            for address in ["10.9.0.2", "10.9.0.3", "10.9.0.4", "10.9.0.5"] {
                let last = to(&requests, address).last().expect("all were pinged").at;
                let done = last.duration_since(first);
                assert!(
                    done < Duration::from_millis(4 * plan.every_ms + 400),
                    "{address} had its last ping after {done:?}"
                );
            }
        });
    }
}

#[test]
fn datagram_sockets_are_used_where_they_are_granted_and_raw_ones_elsewhere() {
    if !is_available("datagram_sockets_are_used_where_they_are_granted_and_raw_ones_elsewhere") {
        return;
    }
    for kind in SOCKET_KINDS {
        let folder = TempDir::new();
        let config = folder.write("config.yaml", &config_text(&PLAN, &both("")));
        in_namespace(kind, |tun| {
            let open: Arc<Mutex<HashSet<&str>>> = Arc::default();
            let far_end = FarEnd::start(tun, {
                let open = Arc::clone(&open);
                move |request, _| {
                    // The far end's thread lives in the same network, and the socket that sent is
                    // open during this read.
                    for table in ["icmp", "icmp6", "raw", "raw6"] {
                        let path = format!("/proc/thread-self/net/{table}");
                        let lines =
                            std::fs::read_to_string(path).map_or(0, |text| text.lines().count());
                        if lines > 1 {
                            open.lock()
                                .unwrap_or_else(PoisonError::into_inner)
                                .insert(table);
                        }
                    }
                    vec![request.reply().at_once()]
                }
            });
            assert_eq!(check(&config).finished.code, Some(0));
            assert_eq!(far_end.requests().len(), 2 * PLAN.pings);
            let expected = match kind {
                SocketKind::Datagram => ["icmp", "icmp6"],
                SocketKind::Raw => ["raw", "raw6"],
            };
            assert_eq!(
                *open.lock().unwrap_or_else(PoisonError::into_inner),
                HashSet::from(expected),
                "{kind:?}"
            );
        });
    }
}

#[test]
fn without_the_right_to_ping_the_exit_code_is_77() {
    if !is_available("without_the_right_to_ping_the_exit_code_is_77") {
        return;
    }
    let folder = TempDir::new();
    let config = folder.write("config.yaml", &config_text(&PLAN, &both("")));
    in_namespace(SocketKind::Raw, |tun| {
        let far_end = FarEnd::echoing(tun);
        sys::forbid_raw_sockets().expect("root may give up rights");
        let finished = run(Command::new(bin())
            .args(["check", "--json", "--no-store", "-c"])
            .arg(&config));
        assert_eq!(finished.code, Some(77), "{finished:#?}");
        assert!(
            finished.stderr.to_lowercase().contains("permi"),
            "{finished:#?}"
        );
        assert!(far_end.requests().is_empty());
    });
}

#[test]
fn datagram_sockets_need_no_privilege() {
    if !is_available("datagram_sockets_need_no_privilege") {
        return;
    }
    let folder = TempDir::new();
    let config = folder.write("config.yaml", &config_text(&PLAN, &both("")));
    in_namespace(SocketKind::Datagram, |tun| {
        let far_end = FarEnd::echoing(tun);
        sys::forbid_raw_sockets().expect("root may give up rights");
        let checked = check_with(Command::new(bin()), &config);
        assert_eq!(checked.finished.code, Some(0), "{checked:#?}");
        assert_eq!(far_end.requests().len(), 2 * PLAN.pings);
    });
}
