//! A site whose checks are made up and whose rest is the program's own: configuration, database,
//! detector of outages, dashboard with `/metrics`, and push.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ace_connection_logger::config::{self, Config};
use ace_connection_logger::daemon::{start_push, store_settings};
use ace_connection_logger::dashboard::Dashboard;
use ace_connection_logger::pure::model::{CheckResult, Host};
use ace_connection_logger::pure::time::UtcMillis;
use ace_connection_logger::push::Push;
use ace_connection_logger::push::PushHistory;
use ace_connection_logger::store::{Database, Writer};
use serde_json::{Value, json};

use super::random::{Random, ReplyModel, check};

/// Of the dashboard, at an address of its own for each site.
const PORT: u16 = 8501;
/// How likely it is that an outage begins with a check: of one host once in two days of checks each
/// minute, of a line once in four.
const HOST_OUTAGE: f64 = 1.0 / 2880.0;
const LINE_OUTAGE: f64 = 1.0 / 5760.0;
/// Checks of an outage, beside the first one.
const MEAN_OUTAGE: f64 = 4.0;

pub struct Settings<'a> {
    pub hosts: usize,
    /// Between two checks of a host.
    pub interval: Duration,
    /// How long checks are collected before they are written and pushed.
    pub delay: Duration,
    /// The format and the address of an engine.
    pub push: Option<(&'a str, &'a str)>,
}

pub struct PlayedSite {
    name: String,
    pub address: SocketAddr,
    config: Config,
    hosts: Vec<PlayedHost>,
    line_outage: Outage,
    random: Random,
    writer: Writer,
    _dashboard: Dashboard,
    /// From the first check on, so that sites do not push at the same time.
    push: Option<Push>,
}

struct PlayedHost {
    host: Arc<Host>,
    model: ReplyModel,
    is_on_site: bool,
    outage: Outage,
}

/// How many checks an outage still takes.
#[derive(Default)]
struct Outage(f64);

impl Outage {
    /// Whether it is ongoing at the next check.
    fn next(&mut self, likelihood: f64, random: &mut Random) -> bool {
        self.0 -= 1.0;
        if self.0 < 0.0 && random.uniform() < likelihood {
            self.0 = random.exponential() * MEAN_OUTAGE;
        }
        self.0 >= 0.0
    }
}

impl PlayedSite {
    pub fn start(folder: &Path, number: usize, settings: &Settings<'_>) -> PlayedSite {
        let name = format!("site{number:05}");
        let [high, low] = u16::try_from(number).expect("below 30,000").to_be_bytes();
        let ip = Ipv4Addr::new(127, 10 + high, low, 1);
        let database = folder.join(format!("{name}.db"));
        let text = config_text(&name, ip, &database, settings);
        let loaded = config::parse(text.as_bytes(), "config.yaml");
        assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
        let config = loaded.config;
        let dashboard = Dashboard::start(&config).expect("the address is free");
        let opened = Database::open(&database, &mut |_, _| ()).expect("it opens");
        let writer = Writer::start(opened.database, store_settings(&config)).expect("it starts");
        dashboard.set_writer(writer.handle());
        let mut random = Random((number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let hosts = config.hosts.iter().enumerate();
        let hosts = hosts.map(|(index, host)| PlayedHost {
            host: Arc::clone(&host.host),
            model: model_of(index, &mut random),
            is_on_site: index == 0,
            outage: Outage::default(),
        });
        PlayedSite {
            hosts: hosts.collect(),
            address: SocketAddr::from((ip, PORT)),
            name,
            config,
            line_outage: Outage::default(),
            random,
            writer,
            _dashboard: dashboard,
            push: None,
        }
    }

    /// As in a file of Prometheus' `file_sd_configs`.
    pub fn target(&self) -> Value {
        json!({"targets": [self.address.to_string()], "labels": {"site": self.name}})
    }

    /// Checks all hosts.
    pub fn check(&mut self, at: UtcMillis) {
        let random = &mut self.random;
        let interval_ms = self.config.unlisted.interval.as_millis();
        let interval_ms = u32::try_from(interval_ms).expect("less than a month");
        let is_line_down = self.line_outage.next(LINE_OUTAGE, random);
        for host in &mut self.hosts {
            let is_down = host.outage.next(HOST_OUTAGE, random);
            let mut model = host.model;
            if is_down || (is_line_down && !host.is_on_site) {
                model.loss_rate = 1.0;
            }
            let check = CheckResult {
                interval_ms,
                ..check(&host.host, at, model, random)
            };
            assert!(self.writer.handle().record(check), "too many wait");
        }
        if self.push.is_none() {
            self.push = start_push(&self.config, &self.writer.handle(), PushHistory::default())
                .expect("a thread");
        }
    }
}

/// Pings have the defaults, unless checks are so frequent that they do not fit.
fn config_text(name: &str, ip: Ipv4Addr, database: &Path, settings: &Settings<'_>) -> String {
    let [seconds, delay] = [settings.interval, settings.delay].map(|time| time.as_secs_f64());
    let [_, first, second, _] = ip.octets();
    let host = |index| match index {
        0 => "{name: Router, address: 192.168.1.1, role: gateway}".to_owned(),
        1 => "{name: Cloudflare DNS, address: 1.1.1.1}".to_owned(),
        2 => "{name: Google DNS, address: 8.8.8.8}".to_owned(),
        _ => format!("{{name: '{name} host {index}', address: 10.{first}.{second}.{index}}}"),
    };
    let hosts: Vec<String> = (0..settings.hosts).map(host).collect();
    let push = settings.push.map(|(format, url)| {
        format!("push: {{url: '{url}', format: {format}, labels: {{site: {name}}}, batch_seconds: {delay}}}\n")
    });
    format!(
        "monitoring: {{interval_seconds: {seconds}, timeout_seconds: {}}}
hosts: [{}]
database: {{path: '{}', flush_seconds: {delay}}}
dashboard: {{host: {ip}, port: {PORT}}}
{}",
        (seconds / 2.0).min(2.0),
        hosts.join(", "),
        database.display(),
        push.unwrap_or_default(),
    )
}

/// A router, two servers of the Internet that are near, and hosts at any distance.
fn model_of(index: usize, random: &mut Random) -> ReplyModel {
    let (min_rtt_us, mean_excess_us, loss_rate) = match index {
        0 => (400.0, 150.0, 0.0002),
        1 | 2 => (8000.0 + 4000.0 * random.uniform(), 900.0, 0.001),
        _ => (3000.0 + 80_000.0 * random.uniform(), 1500.0, 0.003),
    };
    ReplyModel {
        min_rtt_us,
        mean_excess_us,
        loss_rate,
    }
}
