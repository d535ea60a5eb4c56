//! The pingers: one thread for each monitored host.

use std::collections::HashSet;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::error::DaemonError;
use crate::config::{Config, HostConfig};
use crate::net::{RepliesBeyond, ThisMachine};
use crate::pinger::{Pinger, PingerEvent, ProbeSettings};
use crate::pure::model::Host;
use crate::pure::phrase::count;
use crate::pure::time::Schedule;
use crate::stop::Stop;
use crate::store::{Record, WriterHandle};
use crate::sys;
use crate::witness::{OtherHost, WitnessHandle};

/// About 10 kB are used; the rest is only address space.
const STACK_BYTES: usize = 128 * 1024;

pub struct Pingers {
    running: Vec<RunningPinger>,
    settings: ProbeSettings,
    writer: WriterHandle,
    witness: WitnessHandle,
    beyond: Arc<RepliesBeyond>,
}

struct RunningPinger {
    config: Arc<HostConfig>,
    stop: Stop,
    thread: JoinHandle<()>,
}

impl Pingers {
    pub fn new(settings: ProbeSettings, writer: WriterHandle, witness: WitnessHandle) -> Pingers {
        Pingers {
            running: Vec::new(),
            settings,
            writer,
            witness,
            beyond: Arc::default(),
        }
    }

    /// Starts a pinger for each host. Their first checks are spread over the interval.
    pub fn start(&mut self, hosts: &[HostConfig]) -> Result<(), DaemonError> {
        let start = sys::monotonic();
        for (index, config) in hosts.iter().enumerate() {
            let failed = DaemonError::starting(format!("the thread of {}", config.host));
            let stop = Stop::new().map_err(&failed)?;
            let first = Schedule::first_check(start, config.interval, index, hosts.len());
            let schedule = Schedule::phased(start, config.interval, index, hosts.len());
            let config = Arc::new(config.clone());
            // Size: on the heap, so that only two pages of the thread's stack are touched.
            let beyond = Arc::clone(&self.beyond);
            let mut pinger = Box::new(Pinger::new(
                ThisMachine,
                Arc::clone(&config),
                self.settings,
                Some(beyond),
            ));
            let flag = stop.clone();
            let deliver = self.deliver_events_of(&config);
            let thread = thread::Builder::new()
                .name(format!("ping-{}", self.running.len()))
                .stack_size(STACK_BYTES)
                .spawn(move || pinger.run(first, schedule, &flag, deliver))
                .map_err(failed)?;
            self.running.push(RunningPinger {
                config,
                stop,
                thread,
            });
        }
        Ok(())
    }

    /// A function that passes on what a pinger reports, and logs when results begin and cease to be
    /// lost.
    fn deliver_events_of(&self, config: &HostConfig) -> impl FnMut(PingerEvent) + use<> {
        let (writer, witness) = (self.writer.clone(), self.witness.clone());
        let (host, mut lost) = (Arc::clone(&config.host), 0);
        move |event| match (deliver(&host, event, &writer, &witness), lost) {
            (true, 0) => {}
            (true, _) => {
                log::info!(
                    "{host}: the disk keeps up again; {} lost",
                    count(lost, "result")
                );
                lost = 0;
            }
            (false, _) => {
                if lost == 0 {
                    log::error!("{host}: the disk does not keep up: results are lost");
                }
                lost += 1;
            }
        }
    }

    /// Sends the list of all hosts to the writer and the witness.
    pub fn announce(&self, hosts: &[HostConfig]) {
        self.writer.set_hosts(
            hosts
                .iter()
                .map(|config| Arc::clone(&config.host))
                .collect(),
        );
        let other_host = |config: &HostConfig| OtherHost {
            host: Arc::clone(&config.host),
            source: config.host.source.clone(),
        };
        self.witness
            .set_hosts(hosts.iter().map(other_host).collect());
    }

    /// Changes to another configuration. Pingers of unchanged hosts continue undisturbed.
    pub fn apply(&mut self, new: &Config) {
        self.announce(&new.hosts);
        let has_same_settings = self.settings.fast_interval == new.fast_interval
            && self.settings.outages == new.outages;
        self.settings.fast_interval = new.fast_interval;
        self.settings.outages = new.outages;
        let (unchanged, ended): (Vec<RunningPinger>, Vec<RunningPinger>) =
            std::mem::take(&mut self.running)
                .into_iter()
                .partition(|pinger| has_same_settings && new.hosts.contains(&*pinger.config));
        let kept: HashSet<_> = unchanged
            .iter()
            .map(|pinger| Arc::clone(&pinger.config.host))
            .collect();
        let added: Vec<HostConfig> = new
            .hosts
            .iter()
            .filter(|config| !kept.contains(&config.host))
            .cloned()
            .collect();
        let counts = (unchanged.len(), added.len(), ended.len());
        self.running = unchanged;
        stop(ended);
        if let Err(error) = self.start(&added) {
            log::error!("{error}");
        }
        let (unchanged, added, ended) = counts;
        log::info!(
            "configuration reloaded; hosts: {unchanged} unchanged, {added} new or changed, {ended} ended"
        );
    }

    pub fn stop(self) {
        stop(self.running);
    }
}

/// `false` when the event is lost.
fn deliver(
    host: &Host,
    event: PingerEvent,
    writer: &WriterHandle,
    witness: &WitnessHandle,
) -> bool {
    match event {
        PingerEvent::Check(result) => writer.record(result),
        PingerEvent::Probe(probe) => writer.record(Record::Probe(probe)),
        PingerEvent::Interruption(interruption) => {
            writer.record(Record::Interruption(interruption))
        }
        PingerEvent::Unsent(unsent) => writer.record(Record::Unsent(unsent)),
        PingerEvent::Skipped(ticks) => {
            writer.note_skipped(host, ticks);
            true
        }
        PingerEvent::HostEvent(event) => {
            witness.host_event(event);
            true
        }
    }
}

/// Stops pingers together, so that this takes only as long as the slowest of them.
fn stop(pingers: Vec<RunningPinger>) {
    for pinger in &pingers {
        pinger.stop.raise();
    }
    for pinger in pingers {
        if pinger.thread.join().is_err() {
            log::error!("the thread of {} panicked", pinger.config.host);
        }
    }
}
