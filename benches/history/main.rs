//! Writes a database with synthetic history, which ends now or MINUTES_AGO, through the program's
//! own store. The tests of the page and the measurements use it.
//!
//!     history FILE HOSTS DAYS [MINUTES_AGO]
//!
//! The first host is the gateway, the second the provider's, the others are further away. Their
//! addresses begin at 127.0.1.1, so that a monitor can continue the history with them.
#![allow(clippy::unwrap_used, reason = "any failure ends the program")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the values are small and positive"
)]

mod events;
mod random;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use ace_connection_logger::pure::model::{CheckResult, Host, LocalFault};
use ace_connection_logger::pure::time::UtcMillis;
use ace_connection_logger::store::{Database, RunState};
use ace_connection_logger::sys;

use random::{Random, ReplyModel, check};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 1440 * MINUTE_MS;

#[derive(Clone, Copy)]
struct Period {
    /// When it begins, before the end of the history.
    minutes_ago: i64,
    minutes: i64,
}

impl Period {
    const fn new(days_ago: i64, at_minute: i64, minutes: i64) -> Period {
        Period {
            minutes_ago: days_ago * 1440 - at_minute,
            minutes,
        }
    }

    fn contains(&self, minutes_ago: i64) -> bool {
        (self.minutes_ago - self.minutes..self.minutes_ago).contains(&minutes_ago)
    }
}

/// Only the gateway answers.
const PROVIDER_OUTAGES: &[Period] = &[
    Period::new(3, 400, 40),
    Period::new(11, 700, 4),
    Period::new(37, 1200, 125),
    Period::new(62, 90, 25),
];
/// Not even the gateway answers.
const GATEWAY_OUTAGES: &[Period] = &[Period::new(18, 300, 12)];
/// One ping in eight is lost.
const LOSSY: &[Period] = &[
    Period::new(1, 500, 45),
    Period::new(9, 600, 360),
    Period::new(44, 30, 90),
];
/// The cable is unplugged: there is no route.
const UNPLUGGED: &[Period] = &[Period::new(30, 800, 95)];
/// The third host is down three times within minutes.
const FLAPPING: &[Period] = &[
    Period::new(7, 600, 1),
    Period::new(7, 603, 2),
    Period::new(7, 607, 1),
];
/// The fourth host is down for an upgrade.
const PLANNED: Period = Period::new(14, 180, 35);
/// The monitoring machine is asleep.
const SWITCHED_OFF: &[Period] = &[Period::new(20, 100, 430), Period::new(56, 0, 2100)];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (file, hosts, days, minutes_ago) = match &arguments[..] {
        [file, hosts, days] => (file, hosts, days, "0"),
        [file, hosts, days, minutes_ago] => (file, hosts, days, minutes_ago.as_str()),
        _ => {
            eprintln!("usage: history FILE HOSTS DAYS [MINUTES_AGO]");
            return;
        }
    };
    let (hosts, days, minutes_ago): (usize, i64, i64) = (
        hosts.parse().unwrap(),
        days.parse().unwrap(),
        minutes_ago.parse().unwrap(),
    );
    let mut database = Database::open(&PathBuf::from(file), &mut |_, _| ())
        .unwrap()
        .database;
    let end = UtcMillis((sys::clocks().utc().0 / MINUTE_MS - minutes_ago) * MINUTE_MS);
    let begin = end.0 - days * DAY_MS;
    database.begin_run(UtcMillis(begin), true).unwrap();
    for index in 0..hosts {
        let host = Arc::new(Host {
            name: name_of(index),
            address: address_of(index).as_str().into(),
            family: None,
            source: None,
        });
        for day in 0..days {
            let span = begin + day * DAY_MS..begin + (day + 1) * DAY_MS;
            let results = results(index, &host, &span, end.0);
            database
                .write(&results, UtcMillis(span.end), RunState::Running)
                .unwrap();
        }
    }
    // Each write rolls up for a fraction of a second only.
    for _ in 0..hosts * 2 {
        database.write(&[], end, RunState::Running).unwrap();
    }
    database.write(&[], end, RunState::Stopped).unwrap();
    database.checkpoint();
    drop(database);
    events::explain(&PathBuf::from(file), end);
}

fn address_of(index: usize) -> String {
    format!("127.0.{}.{}", index / 250 + 1, index % 250 + 1)
}

fn name_of(index: usize) -> String {
    match index {
        0 => "Local Gateway".into(),
        1 => "Provider".into(),
        2 => "Name server".into(),
        _ => format!("Host {index}"),
    }
}

/// The checks of one host between two times, both in milliseconds since 1970.
fn results(index: usize, host: &Arc<Host>, span: &Range<i64>, end: i64) -> Vec<CheckResult> {
    let mut random = Random(1 + index as u64 * 7919 + span.start as u64);
    let is_gateway = index == 0;
    let (min_rtt_us, mean_excess_us) = if is_gateway {
        (380.0, 90.0)
    } else {
        (4_000.0 + 2_300.0 * (index % 17) as f64, 700.0)
    };
    // Every host except the gateway has one more outage, at a time of its own.
    let mut own = vec![Period::new(
        5 + index as i64 * 13 % 80,
        60 + index as i64 * 101 % 1200,
        8 + index as i64 * 37 % 190,
    )];
    match index {
        2 => own.extend(FLAPPING),
        3 => own.push(PLANNED),
        _ => {}
    }
    let mut results = Vec::with_capacity(1440);
    for at in span.clone().step_by(MINUTE_MS as usize) {
        // The monitor spreads the hosts over the minute.
        let checked_at = UtcMillis(at + index as i64 * 977 % MINUTE_MS);
        let minutes_ago = (end - at) / MINUTE_MS;
        let is_in = |periods: &[Period]| periods.iter().any(|period| period.contains(minutes_ago));
        if is_in(SWITCHED_OFF) || checked_at.0 >= end {
            continue;
        }
        if is_in(UNPLUGGED) {
            results.push(CheckResult::not_measured(
                Arc::clone(host),
                checked_at,
                LocalFault::Other,
                "sending: cannot send to it".into(),
            ));
            continue;
        }
        let is_silent =
            is_in(GATEWAY_OUTAGES) || !is_gateway && (is_in(PROVIDER_OUTAGES) || is_in(&own));
        let hour = at.rem_euclid(DAY_MS) / (60 * MINUTE_MS);
        let weekday = (at / DAY_MS + 3) % 7;
        // On the evenings of working days the line is congested.
        let is_congested = !is_gateway && (18..22).contains(&hour) && weekday < 5;
        let loss_rate = match () {
            () if is_silent => 1.0,
            () if !is_gateway && is_in(LOSSY) => 0.12,
            () if is_congested => 0.008,
            () => 0.0004,
        };
        let mean_excess_us = if is_congested {
            mean_excess_us * 5.0
        } else {
            mean_excess_us
        };
        results.push(check(
            host,
            checked_at,
            ReplyModel {
                min_rtt_us,
                mean_excess_us,
                loss_rate,
            },
            &mut random,
        ));
    }
    results
}
