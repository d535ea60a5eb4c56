//! Writes a database of made-up history that ends now, or so many minutes ago, through the
//! program's own store: what the page is looked at with and what the speed of its answers is
//! measured on.
//!
//!     history FILE HOSTS DAYS [MINUTES_AGO]
//!
//! The first host is the gateway, then come the provider's and what lies beyond; their addresses
//! are 127.0.1.1 and the following, so that a monitor in a network of its own can go on with them.
#![allow(
    clippy::unwrap_used,
    reason = "what fails here ends the program, with its line"
)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people"
)]

mod chance;
mod events;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use ace_connection_logger::pure::model::{CheckResult, Host, LocalFault};
use ace_connection_logger::pure::time::UtcMillis;
use ace_connection_logger::store::{Database, RunStart};
use ace_connection_logger::sys;

use chance::{Chance, Manner, check};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 1440 * MINUTE_MS;

/// A time so many minutes before the end, and how many minutes it lasts.
#[derive(Clone, Copy)]
struct OutageSpan {
    minutes_ago: i64,
    minutes: i64,
}

impl OutageSpan {
    const fn new(days_ago: i64, at_minute: i64, minutes: i64) -> OutageSpan {
        OutageSpan {
            minutes_ago: days_ago * 1440 - at_minute,
            minutes,
        }
    }

    fn holds(&self, minutes_ago: i64) -> bool {
        (self.minutes_ago - self.minutes..self.minutes_ago).contains(&minutes_ago)
    }
}

/// Nobody answers but the gateway.
const PROVIDER_OUTAGES: &[OutageSpan] = &[
    OutageSpan::new(3, 400, 40),
    OutageSpan::new(11, 700, 4),
    OutageSpan::new(37, 1200, 125),
    OutageSpan::new(62, 90, 25),
];
/// The gateway is silent too.
const GATEWAY_OUTAGES: &[OutageSpan] = &[OutageSpan::new(18, 300, 12)];
/// One ping in eight is lost.
const LOSSY: &[OutageSpan] = &[
    OutageSpan::new(1, 500, 45),
    OutageSpan::new(9, 600, 360),
    OutageSpan::new(44, 30, 90),
];
/// There is no route to anywhere.
const UNPLUGGED: &[OutageSpan] = &[OutageSpan::new(30, 800, 95)];
/// The third host comes and goes.
const FLAPPING: &[OutageSpan] = &[
    OutageSpan::new(7, 600, 1),
    OutageSpan::new(7, 603, 2),
    OutageSpan::new(7, 607, 1),
];
/// The fourth is taken down for its upgrade.
const PLANNED: OutageSpan = OutageSpan::new(14, 180, 35);
/// This machine sleeps.
const SWITCHED_OFF: &[OutageSpan] = &[OutageSpan::new(20, 100, 430), OutageSpan::new(56, 0, 2100)];

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
    database.begin_run(UtcMillis(begin)).unwrap();
    for index in 0..hosts {
        let host = Arc::new(Host {
            name: name_of(index),
            address: address_of(index).as_str().into(),
            family: None,
        });
        for day in 0..days {
            let span = begin + day * DAY_MS..begin + (day + 1) * DAY_MS;
            let results = results(index, &host, &span, end.0);
            database
                .write(&results, UtcMillis(span.end), RunStart::GoesOn)
                .unwrap();
        }
    }
    // Roll-ups are made for a fraction of a second with each commit.
    for _ in 0..hosts * 2 {
        database.write(&[], end, RunStart::GoesOn).unwrap();
    }
    database.write(&[], end, RunStart::Ends).unwrap();
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

/// A host's checks in a span of milliseconds.
fn results(index: usize, host: &Arc<Host>, span: &Range<i64>, end: i64) -> Vec<CheckResult> {
    let mut chance = Chance(1 + index as u64 * 7919 + span.start as u64);
    let is_gateway = index == 0;
    let (least_us, spread_us) = if is_gateway {
        (380.0, 90.0)
    } else {
        (4_000.0 + 2_300.0 * (index % 17) as f64, 700.0)
    };
    // Every host but the gateway has an outage of its own, somewhen.
    let mut own = vec![OutageSpan::new(
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
        // The hosts are phased over the minute, and a thread wakes a little after its tick.
        let checked_at = UtcMillis(at + index as i64 * 977 % MINUTE_MS);
        let minutes_ago = (end - at) / MINUTE_MS;
        let is_in = |spells: &[OutageSpan]| spells.iter().any(|spell| spell.holds(minutes_ago));
        if is_in(SWITCHED_OFF) || checked_at.0 >= end {
            continue;
        }
        if is_in(UNPLUGGED) {
            results.push(CheckResult::not_measured(
                Arc::clone(host),
                checked_at,
                LocalFault::Other,
                "sending: no route to it".into(),
            ));
            continue;
        }
        let is_silent =
            is_in(GATEWAY_OUTAGES) || !is_gateway && (is_in(PROVIDER_OUTAGES) || is_in(&own));
        let hour = at.rem_euclid(DAY_MS) / (60 * MINUTE_MS);
        let weekday = (at / DAY_MS + 3) % 7;
        // In the evenings of working days the line is full.
        let is_full = !is_gateway && (18..22).contains(&hour) && weekday < 5;
        let lost = match () {
            () if is_silent => 1.0,
            () if !is_gateway && is_in(LOSSY) => 0.12,
            () if is_full => 0.008,
            () => 0.0004,
        };
        let spread_us = if is_full { spread_us * 5.0 } else { spread_us };
        results.push(check(
            host,
            checked_at,
            Manner {
                least_us,
                spread_us,
                lost,
            },
            &mut chance,
        ));
    }
    results
}
