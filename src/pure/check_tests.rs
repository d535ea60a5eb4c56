//! How a running check judges replies, clocks and errors.

use super::*;

const MS: i64 = 1_000_000;
/// The wall clock in nanoseconds when the monotonic clock is zero.
const EPOCH: i64 = 1_700_000_000_000 * MS;

fn settings(ping_count: u16) -> CheckSettings {
    CheckSettings {
        ping_count,
        spacing: Duration::from_millis(100),
        timeout: Duration::from_millis(250),
        payload_len: 56,
        linger: Duration::ZERO,
        read_mode: ReadMode::Deferred,
    }
}

fn at(ms: i64) -> Monotonic {
    Monotonic(ms * MS)
}

/// The clocks `ms` after zero, undisturbed.
fn clock(ms: i64) -> ClockSample {
    ClockSample {
        monotonic: at(ms),
        realtime_ns: EPOCH + ms * MS,
        boottime_ns: ms * MS,
    }
}

/// The clocks `ms` after zero, the wall clock set by `step` milliseconds.
fn stepped(ms: i64, step: i64) -> ClockSample {
    ClockSample {
        realtime_ns: EPOCH + (ms + step) * MS,
        ..clock(ms)
    }
}

fn run(ping_count: u16) -> CheckRun {
    CheckRun::new(settings(ping_count), IpVersion::V4, 77, 4711)
}

fn reply(sequence: u16) -> Vec<u8> {
    let mut bytes = vec![0; icmp::HEADER_LEN + 56];
    icmp::write_request(&mut bytes, IpVersion::V4, 77, sequence, 4711);
    bytes[0] = IpVersion::V4.reply_type();
    bytes
}

/// Delivers a valid reply with the timestamp `stamp`, read at `read`, both in milliseconds.
fn answer(run: &mut CheckRun, sequence: u16, stamp: i64, read: i64) {
    deliver(
        run,
        &reply(sequence),
        ReceiveTime {
            kernel_ns: Some(EPOCH + stamp * MS),
            read: clock(read),
        },
    );
}

fn deliver(run: &mut CheckRun, bytes: &[u8], arrival: ReceiveTime) {
    run.received(icmp::parse_echo(bytes), arrival);
}

fn replies(mut run: CheckRun, end: i64) -> Vec<Option<u32>> {
    let found = run.finish(&clock(end)).expect("measured");
    found
        .pings
        .iter()
        .map(|ping| {
            if let Outcome::Reply { rtt_us } = ping {
                Some(*rtt_us)
            } else {
                None
            }
        })
        .collect()
}

#[test]
fn pings_are_sent_a_spacing_apart_and_the_check_ends_with_the_last_answer() {
    let mut run = run(2);
    assert_eq!(run.next_action(at(0)), Action::Send(1));
    run.sent(clock(0));
    assert_eq!(run.next_action(at(0)), Action::SleepUntil(at(100)));
    answer(&mut run, 1, 10, 100);
    assert_eq!(run.next_action(at(100)), Action::Send(2));
    run.sent(clock(100));
    assert_eq!(run.next_action(at(100)), Action::ListenUntil(at(350)));
    answer(&mut run, 2, 130, 131);
    assert_eq!(run.next_action(at(131)), Action::Done);
    assert_eq!(replies(run, 131), [Some(10_000), Some(30_000)]);
}

#[test]
fn in_immediate_mode_replies_are_read_between_the_pings() {
    let mut run = CheckRun::new(
        CheckSettings {
            read_mode: ReadMode::Immediate,
            ..settings(2)
        },
        IpVersion::V4,
        77,
        4711,
    );
    run.sent(clock(0));
    assert_eq!(run.next_action(at(1)), Action::ListenUntil(at(100)));
    assert_eq!(run.outcome_so_far(0, at(1)), None);
    answer(&mut run, 1, 10, 10);
    assert_eq!(
        run.outcome_so_far(0, at(10)),
        Some(Outcome::Reply { rtt_us: 10_000 })
    );
    assert_eq!(run.outcome_so_far(1, at(10)), None);
}

#[test]
fn a_check_waits_for_every_lost_ping_until_its_own_deadline() {
    let mut run = run(2);
    run.sent(clock(0));
    run.sent(clock(100));
    answer(&mut run, 2, 110, 110);
    assert_eq!(run.next_action(at(110)), Action::ListenUntil(at(250)));
    assert_eq!(run.next_action(at(250)), Action::Done);
    assert_eq!(replies(run, 250), [None, Some(10_000)]);
}

#[test]
fn a_check_that_is_flooded_with_other_messages_reads_them_between_its_pings() {
    let mut run = run(2);
    run.sent(clock(0));
    let arrival = ReceiveTime {
        kernel_ns: Some(EPOCH + 10 * MS),
        read: clock(10),
    };
    for _ in 0..MAX_UNEXPECTED_UNREAD {
        run.received(None, arrival);
    }
    assert_eq!(run.next_action(at(10)), Action::SleepUntil(at(100)));
    run.received(None, arrival);
    assert_eq!(run.next_action(at(10)), Action::ListenUntil(at(100)));
}

#[test]
fn after_the_process_was_stopped_the_remaining_pings_are_not_sent_all_at_once() {
    let mut run = run(3);
    run.sent(clock(0));
    // The process was stopped for five seconds.
    assert_eq!(run.next_action(at(5000)), Action::Send(2));
    run.sent(clock(5000));
    assert_eq!(run.next_action(at(5000)), Action::SleepUntil(at(5100)));
}

#[test]
fn a_reply_that_arrived_in_time_counts_however_late_it_is_read() {
    let mut run = run(1);
    run.sent(clock(0));
    answer(&mut run, 1, 20, 60_000);
    assert_eq!(replies(run, 60_000), [Some(20_000)]);
}

#[test]
fn a_reply_after_its_timeout_is_late_and_the_ping_lost() {
    let mut run = run(2);
    run.sent(clock(0));
    run.sent(clock(100));
    answer(&mut run, 1, 251, 251);
    answer(&mut run, 2, 349, 349);
    let found = run.finish(&clock(350)).expect("measured");
    assert_eq!(
        found.pings,
        [Outcome::TimedOut, Outcome::Reply { rtt_us: 249_000 }]
    );
    assert_eq!((found.late, found.duplicates, found.foreign), (1, 0, 0));
}

#[test]
fn a_second_valid_reply_is_a_duplicate_and_the_first_one_counts() {
    let mut run = run(1);
    run.sent(clock(0));
    answer(&mut run, 1, 10, 10);
    answer(&mut run, 1, 20, 20);
    assert_eq!(
        run.next_action(at(20)),
        Action::ListenUntil(at(120)),
        "more duplicates may arrive"
    );
    let found = run.finish(&clock(120)).expect("measured");
    assert_eq!(
        (found.pings, found.duplicates),
        (vec![Outcome::Reply { rtt_us: 10_000 }], 1)
    );
}

#[test]
fn foreign_messages_do_not_keep_a_check_open() {
    let mut run = run(1);
    run.sent(clock(0));
    answer(&mut run, 1, 10, 10);
    for ms in (20..240).step_by(10) {
        run.received_foreign(ReceiveTime {
            kernel_ns: None,
            read: clock(ms),
        });
        let until = (ms + 100).min(250);
        assert_eq!(run.next_action(at(ms)), Action::ListenUntil(at(until)));
    }
    assert_eq!(run.next_action(at(250)), Action::Done);
}

#[test]
fn a_message_that_differs_in_any_field_is_foreign() {
    let wrong = |change: fn(&mut Vec<u8>)| {
        let mut bytes = reply(1);
        change(&mut bytes);
        bytes
    };
    let messages = [
        ("type", wrong(|b| b[0] = 8)),
        ("code", wrong(|b| b[1] = 1)),
        ("identifier", wrong(|b| b[5] ^= 1)),
        ("sequence of another ping", wrong(|b| b[7] = 2)),
        ("sequence never sent", reply(3)),
        ("sequence zero", reply(0)),
        ("payload", wrong(|b| b[63] ^= 1)),
        ("cut", wrong(|b| b.truncate(63))),
        ("longer", wrong(|b| b.push(0))),
        ("shorter than its header", wrong(|b| b.truncate(7))),
    ];
    for (what, bytes) in messages {
        let mut run = run(2);
        run.sent(clock(0));
        run.sent(clock(100));
        deliver(
            &mut run,
            &bytes,
            ReceiveTime {
                kernel_ns: None,
                read: clock(110),
            },
        );
        let found = run.finish(&clock(400)).expect("measured");
        assert_eq!(
            (found.foreign, found.duplicates, found.late),
            (1, 0, 0),
            "{what}"
        );
        assert_eq!(found.pings, [Outcome::TimedOut; 2], "{what}");
    }
}

#[test]
fn a_reply_with_any_single_byte_changed_answers_nothing() {
    let whole = reply(1);
    for position in (0..whole.len()).filter(|position| !(2..4).contains(position)) {
        for value in (0..=u8::MAX).filter(|value| *value != whole[position]) {
            let mut bytes = whole.clone();
            bytes[position] = value;
            let mut run = run(1);
            run.sent(clock(0));
            deliver(
                &mut run,
                &bytes,
                ReceiveTime {
                    kernel_ns: None,
                    read: clock(10),
                },
            );
            run.received_error(&bytes, host_unreachable());
            let found = run.finish(&clock(250)).expect("measured");
            // A reply whose type is changed to that of a request quotes our own ping.
            let is_quote = position == 0 && value == IpVersion::V4.request_type();
            let expected = if is_quote {
                Outcome::Unreachable(host_unreachable())
            } else {
                Outcome::TimedOut
            };
            assert_eq!(
                (found.pings, found.foreign),
                (vec![expected], 1),
                "byte {position} is {value}"
            );
        }
    }
}

fn host_unreachable() -> IcmpError {
    IcmpError {
        kind: 3,
        code: 1,
        version: IpVersion::V4,
        from: Some([10, 0, 0, 1].into()),
    }
}

fn request(sequence: u16) -> Vec<u8> {
    let mut bytes = reply(sequence);
    bytes[0] = IpVersion::V4.request_type();
    bytes
}

#[test]
fn an_error_is_the_reason_of_a_loss_and_a_valid_reply_still_counts() {
    let mut run = run(2);
    run.sent(clock(0));
    run.sent(clock(100));
    run.received_error(&request(1), host_unreachable());
    run.received_error(&request(2)[..8], host_unreachable());
    answer(&mut run, 2, 130, 130);
    assert_eq!(
        run.next_action(at(130)),
        Action::ListenUntil(at(250)),
        "an answer may still come"
    );
    let found = run.finish(&clock(250)).expect("measured");
    assert_eq!(
        found.pings,
        [
            Outcome::Unreachable(host_unreachable()),
            Outcome::Reply { rtt_us: 30_000 }
        ]
    );
    assert_eq!(
        found.reason.as_deref(),
        Some("host unreachable, says 10.0.0.1")
    );
}

#[test]
fn an_error_about_another_programs_ping_is_ignored() {
    let other = |change: fn(&mut Vec<u8>)| {
        let mut bytes = request(1);
        change(&mut bytes);
        bytes
    };
    for quote in [
        other(|b| b[5] ^= 1),
        other(|b| b[20] ^= 1),
        other(|b| b[7] = 9),
        other(|b| b[0] = 0),
        other(|b| b.truncate(7)),
    ] {
        let mut run = run(1);
        run.sent(clock(0));
        run.received_error(&quote, host_unreachable());
        let found = run.finish(&clock(250)).expect("measured");
        assert_eq!(
            (found.pings, found.reason, found.foreign),
            (vec![Outcome::TimedOut], None, 0)
        );
    }
}

#[test]
fn the_transmit_timestamp_is_used_where_there_is_one() {
    let mut run = run(1);
    run.sent(clock(0));
    run.transmitted(0, EPOCH + 4 * MS);
    run.transmitted(9, EPOCH);
    answer(&mut run, 1, 10, 10);
    assert_eq!(replies(run, 10), [Some(6000)]);
}

#[test]
fn a_round_trip_is_at_least_a_microsecond() {
    let mut run = run(1);
    run.sent(clock(0));
    answer(&mut run, 1, 0, 1);
    assert_eq!(replies(run, 1), [Some(1)]);
}

#[test]
fn a_clock_set_during_a_ping_does_not_change_its_round_trip_time() {
    // Set before the reply got its timestamp, and after it; forward and back; by years.
    for step in [
        -3_000_000_000_000,
        -3_600_000,
        -1000,
        1000,
        3_600_000,
        3_000_000_000_000,
    ] {
        for stamp_step in [0, step] {
            let mut run = run(1);
            run.sent(clock(0));
            let arrival = ReceiveTime {
                kernel_ns: Some(EPOCH + (20 + stamp_step) * MS),
                read: stepped(100, step),
            };
            deliver(&mut run, &reply(1), arrival);
            assert_eq!(
                replies(run, 100),
                [Some(20_000)],
                "step {step}, stamp {stamp_step}"
            );
        }
    }
}

#[test]
fn where_a_small_step_allows_two_times_the_ping_is_neither_sent_nor_lost() {
    let mut run = run(1);
    run.sent(clock(0));
    // 20 ms without the step, 50 ms with it: both fit the elapsed 100 ms.
    deliver(
        &mut run,
        &reply(1),
        ReceiveTime {
            kernel_ns: Some(EPOCH + 20 * MS),
            read: stepped(100, -30),
        },
    );
    let found = run.finish(&clock(100)).expect("measured");
    assert_eq!(found.pings, [Outcome::Untimed]);
    assert_eq!(
        found.reason.as_deref(),
        Some("a reply could not be timed: the clock was set")
    );
}

#[test]
fn a_clock_that_a_time_service_slews_has_no_step() {
    let mut run = run(1);
    run.sent(clock(0));
    // 500 ppm of 200 ms.
    let read = ClockSample {
        realtime_ns: EPOCH + 200 * MS + MS / 10,
        ..clock(200)
    };
    deliver(
        &mut run,
        &reply(1),
        ReceiveTime {
            kernel_ns: Some(EPOCH + 50 * MS),
            read,
        },
    );
    assert_eq!(replies(run, 200), [Some(50_000)]);
}

#[test]
fn without_a_timestamp_a_reply_is_timed_by_its_read_only_in_immediate_mode() {
    for (read_mode, expected) in [
        (ReadMode::Deferred, Outcome::Untimed),
        (ReadMode::Immediate, Outcome::Reply { rtt_us: 30_000 }),
    ] {
        let mut run = CheckRun::new(
            CheckSettings {
                read_mode,
                ..settings(1)
            },
            IpVersion::V4,
            77,
            4711,
        );
        run.sent(clock(0));
        deliver(
            &mut run,
            &reply(1),
            ReceiveTime {
                kernel_ns: None,
                read: clock(30),
            },
        );
        assert_eq!(run.finish(&clock(30)).expect("measured").pings, [expected]);
    }
}

#[test]
fn a_check_in_which_the_machine_slept_is_not_measured() {
    let mut run = run(1);
    run.sent(clock(0));
    let awake = ClockSample {
        realtime_ns: EPOCH + 7_200_250 * MS,
        boottime_ns: 7_200_250 * MS,
        ..clock(250)
    };
    assert_eq!(
        run.finish(&awake),
        Err("this machine slept for 2 h 0 min 0 s during the check".into())
    );
}

#[test]
fn a_ping_that_cannot_be_sent_gives_a_reason_and_no_reply_matches_it() {
    let mut run = run(2);
    run.send_failed(clock(0), 101);
    assert_eq!(run.next_action(at(0)), Action::SleepUntil(at(100)));
    run.sent(clock(100));
    answer(&mut run, 1, 110, 110);
    answer(&mut run, 2, 120, 120);
    assert_eq!(run.next_action(at(120)), Action::ListenUntil(at(220)));
    let found = run.finish(&clock(220)).expect("measured");
    assert_eq!(
        found.pings,
        [
            Outcome::SendFailed { errno: 101 },
            Outcome::Reply { rtt_us: 20_000 }
        ]
    );
    assert_eq!(found.foreign, 1);
    assert!(
        found
            .reason
            .is_some_and(|reason| reason.starts_with("1 ping not sent: Network "))
    );
}

#[test]
fn when_no_ping_can_be_sent_the_check_ends_without_waiting() {
    let mut run = run(1);
    run.send_failed(clock(0), 101);
    assert_eq!(run.next_action(at(0)), Action::Done);
    let found = run.finish(&clock(0)).expect("no sleep");
    assert!(
        found
            .reason
            .is_some_and(|reason| reason.starts_with("cannot send: Network "))
    );
}

/// A check of pings a second apart with a timeout of two seconds. `R` is answered, `L` lost, `F`
/// could not be sent; the same letters come back, with `x` for an excluded ping.
fn judged(version: IpVersion, pings: &str, prepare: impl Fn(&mut CheckRun)) -> String {
    let settings = CheckSettings {
        spacing: Duration::from_secs(1),
        timeout: Duration::from_secs(2),
        ..settings(u16::try_from(pings.len()).expect("short"))
    };
    let mut run = CheckRun::new(settings, version, 77, 4711);
    for (index, ping) in pings.bytes().enumerate() {
        let ms = i64::try_from(index).expect("short") * 1000;
        if ping == b'F' {
            run.send_failed(clock(ms), 101);
            continue;
        }
        run.sent(clock(ms));
        if ping == b'R' {
            let sequence = u16::try_from(index + 1).expect("short");
            let mut bytes = vec![0; icmp::HEADER_LEN + 56];
            icmp::write_request(&mut bytes, version, 77, sequence, 4711);
            bytes[0] = version.reply_type();
            let arrival = ReceiveTime {
                kernel_ns: Some(EPOCH + (ms + 10) * MS),
                read: clock(ms + 10),
            };
            deliver(&mut run, &bytes, arrival);
        }
    }
    prepare(&mut run);
    let found = run.finish(&clock(60_000)).expect("measured");
    let letter = |(ping, before): (&Outcome, char)| match ping {
        Outcome::Reply { .. } => 'R',
        Outcome::SendFailed { .. } if before == 'F' => 'F',
        Outcome::SendFailed { .. } => 'x',
        _ => 'L',
    };
    found.pings.iter().zip(pings.chars()).map(letter).collect()
}

#[test]
fn lost_pings_around_one_that_could_not_be_sent_are_not_held_against_the_host() {
    for (version, pings, expected) in [
        (IpVersion::V4, "LFFFF", "xFFFF"),
        (IpVersion::V4, "RLFFF", "RxFFF"),
        (IpVersion::V4, "RLLLLF", "RLxxxF"),
        (IpVersion::V4, "RFLRR", "RFxRR"),
        (IpVersion::V4, "RFLLL", "RFxLL"),
        (IpVersion::V6, "RFLLLLL", "RFxxxLL"),
        (IpVersion::V4, "LLLLL", "LLLLL"),
        (IpVersion::V4, "RRFRR", "RRFRR"),
    ] {
        assert_eq!(
            judged(version, pings, |_| ()),
            expected,
            "{version} {pings}"
        );
    }
}

#[test]
fn a_ping_that_could_not_be_sent_while_the_link_was_gone_is_found_too() {
    let mut run = run(1);
    run.send_failed(clock(1000), 105);
    assert!(run.has_unanswered() && run.last_send_error().is_some() && !run.ends_unanswered());
    assert!(run.exclude(at(900), at(1100), 100));
    assert!(!run.exclude(at(2000), at(2100), 100));
    let pings = run.finish(&clock(1000)).expect("measured").pings;
    assert_eq!(pings, [Outcome::SendFailed { errno: 105 }]);
}

#[test]
fn lost_pings_that_waited_while_the_link_was_gone_are_excluded_and_no_others() {
    let excluding = |pings, from, until| {
        judged(IpVersion::V4, pings, |run| {
            run.exclude(at(from), at(until), 100);
        })
    };
    assert_eq!(excluding("RLLLR", 1500, 3500), "RxxxR");
    assert_eq!(excluding("RLLLLLL", 3500, 4500), "RLxxxLL");
    assert_eq!(excluding("LLLLL", 9000, 9500), "LLLLL");
    assert_eq!(excluding("RRRRR", 0, 9000), "RRRRR");
    let at_the_end = |pings| {
        judged(IpVersion::V4, pings, |run| {
            run.exclude_since_last_reply(100)
        })
    };
    assert_eq!(at_the_end("LRLLL"), "LRxxx");
    assert_eq!(at_the_end("LLLLL"), "xxxxx");
    assert_eq!(at_the_end("LLLLR"), "LLLLR");
}

#[test]
fn a_ping_that_was_too_big_for_the_path_is_not_lost_but_fragmented_the_next_time() {
    let error = |kind| IcmpError {
        kind,
        code: 0,
        version: IpVersion::V6,
        from: None,
    };
    let outcome = |payload_len, kind| {
        let settings = CheckSettings {
            payload_len,
            ..settings(1)
        };
        let mut run = CheckRun::new(settings, IpVersion::V6, 77, 4711);
        run.sent(clock(0));
        let mut quote = vec![0; icmp::HEADER_LEN + payload_len];
        icmp::write_request(&mut quote, IpVersion::V6, 77, 1, 4711);
        run.received_error(&quote, error(kind));
        run.exclude_too_big(90);
        run.finish(&clock(1000)).expect("measured").pings[0]
    };
    let unsent = Outcome::SendFailed { errno: 90 };
    assert_eq!(outcome(1233, 2), unsent);
    // The smallest MTU of IPv6 has room for this one.
    assert_eq!(outcome(1232, 2), Outcome::Unreachable(error(2)));
    assert_eq!(outcome(1233, 1), Outcome::Unreachable(error(1)));
}

#[test]
fn the_pings_of_a_check_that_was_held_up_have_their_own_times() {
    let sent_after_ms = |times: [i64; 3]| {
        let mut run = run(3);
        times.iter().for_each(|ms| run.sent(clock(*ms)));
        run.finish(&clock(times[2] + 300))
            .expect("measured")
            .sent_after_ms
    };
    assert_eq!(sent_after_ms([5, 105, 215]), [0_u32; 0]);
    assert_eq!(sent_after_ms([5, 9005, 9105]), [0, 9000, 9100]);
}
