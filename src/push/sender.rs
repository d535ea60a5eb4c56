//! Sends one batch after another, oldest first, and tells the writer what the engine has
//! acknowledged. What is refused is searched by halving; what cannot be sent now is tried again.

use std::path::PathBuf;
use std::time::Duration;

use super::batch::{Acknowledged, Batch, MAX_SAMPLES, Sample, collect};
use super::line::Lines;
use super::remote_write::RemoteWrite;
use super::transport::{Answer, Bound, Words, name_of, send};
use crate::config::{PushConfig, PushFormat, PushWay};
use crate::pure::time::{HOUR_MS, Monotonic, UtcMillis};
use crate::stop::Stop;
use crate::store::{PushFailure, PushProgress, Reader, StoreError};
use crate::sys;

/// A part of a batch ends with the sample that makes it this long.
const MAX_BYTES: usize = 512 * 1024;
/// A check is eleven samples of remote write, of some 18 bytes each before they are compressed.
const MAX_REMOTE_WRITE: usize = 2500;
/// The time between two attempts, doubled after each failure.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const MAX_RETRY: Duration = Duration::from_secs(300);
const READ_RETRY: Duration = Duration::from_secs(10);
/// How often to look whether the writer has recorded that there is another engine.
const RECORDED_AFTER: Duration = Duration::from_millis(200);
/// After so many refused parts, and none that was accepted, the newest sample is tried: an engine
/// that refuses it too refuses everything.
const MAX_REFUSED_PARTS: usize = 64;
/// How often the log says how far it has come with much that was not sent.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

pub struct Sender<D> {
    config: PushConfig,
    database: PathBuf,
    /// Gives what was achieved to the writer; `false` when that does not accept it now.
    deliver: D,
    stop: Stop,
    /// The hash of the engine.
    engine: i64,
    /// When the writer was told of it.
    announced_at: Option<Monotonic>,
    acknowledged: Acknowledged,
    /// What the writer has not accepted yet.
    unreported: PushProgress,
    /// Why nothing can be sent, and since when; unknown before the database was read.
    failure: Option<Option<PushFailure>>,
    failures: u32,
    /// Whether the last attempt to read the database failed, which is logged once.
    cannot_read: bool,
    is_refusal_logged: bool,
    /// How much was sent since, and when the log last said so.
    sent: u64,
    logged_at: Option<Monotonic>,
}

/// What the engine has, as far as the database may not say it yet. A thread with other labels goes on
/// from it: else checks would be sent again with these.
#[derive(Clone, Debug, Default)]
pub struct PushHistory {
    /// The hash of the engine.
    engine: i64,
    acknowledged: Acknowledged,
    unreported: PushProgress,
}

/// How the sending of a batch ended.
enum End {
    /// All of it was sent or skipped.
    Complete,
    Failed(Words, Option<Duration>),
    Stopped,
}

impl<D: Fn(PushProgress) -> bool> Sender<D> {
    pub fn new(
        config: PushConfig,
        database: PathBuf,
        stop: Stop,
        history: PushHistory,
        deliver: D,
    ) -> Sender<D> {
        let engine = engine_of(&config);
        let history = match history.engine == engine {
            true => history,
            false => PushHistory::default(),
        };
        Sender {
            engine,
            announced_at: None,
            config,
            database,
            deliver,
            stop,
            acknowledged: history.acknowledged,
            unreported: history.unreported,
            failure: None,
            failures: 0,
            cannot_read: false,
            is_refusal_logged: false,
            sent: 0,
            logged_at: None,
        }
    }

    pub fn run(mut self) -> PushHistory {
        while !self.stop.is_raised() {
            let wait = self.step();
            self.report();
            self.stop.wait_until(sys::monotonic().after(wait));
        }
        PushHistory {
            engine: self.engine,
            acknowledged: self.acknowledged,
            unreported: self.unreported,
        }
    }

    /// Sends what there is. Returns how long to wait for the next.
    fn step(&mut self) -> Duration {
        let found = self.read();
        let batch = match found {
            Ok(Read::Batch(batch)) => batch,
            Ok(Read::OtherEngine) => return RECORDED_AFTER,
            Ok(Read::NoDatabase) => return self.config.batch,
            Err(error) => {
                if !self.cannot_read {
                    log::error!("push: {error}");
                }
                self.cannot_read = true;
                return READ_RETRY;
            }
        };
        self.cannot_read = false;
        if batch.samples.is_empty() {
            self.succeed();
            return self.config.batch;
        }
        match self.send_batch(&batch) {
            End::Complete => {
                self.succeed();
                self.log_progress(&batch);
                match batch.is_cut {
                    true => Duration::ZERO,
                    false => self.config.batch,
                }
            }
            End::Failed(words, wait) => self.fail(words, wait),
            End::Stopped => Duration::ZERO,
        }
    }

    /// Opened each time: the file may have been replaced.
    fn read(&mut self) -> Result<Read, StoreError> {
        let Some(reader) = Reader::open_current(&self.database)? else {
            return Ok(Read::NoDatabase);
        };
        let state = reader.push_state()?;
        if state.engine != self.engine {
            self.announce_engine();
            return Ok(Read::OtherEngine);
        }
        self.failure.get_or_insert(state.failure);
        self.acknowledged.begin(reader.database_id());
        collect(&reader, &self.acknowledged, MAX_SAMPLES).map(Read::Batch)
    }

    /// Has the writer record that another engine is sent to.
    fn announce_engine(&mut self) {
        let now = sys::monotonic();
        match self.announced_at {
            Some(at) if now.since(at) < READ_RETRY => return,
            Some(_) => {}
            None => {
                let name = name_of(&self.config.way);
                log::info!("push: {name} gets everything that is recorded");
            }
        }
        self.announced_at = Some(now);
        self.acknowledged = Acknowledged::default();
        self.unreported = PushProgress {
            engine: Some(self.engine),
            ..PushProgress::default()
        };
    }

    /// Tells the writer.
    fn report(&mut self) {
        if !self.unreported.is_empty() && (self.deliver)(self.unreported.clone()) {
            self.unreported = PushProgress::default();
        }
    }

    /// A part that is refused is halved until the refused samples are found. They are skipped once
    /// the engine has accepted another sample of the batch: one that accepts none is wrongly
    /// configured.
    fn send_batch(&mut self, batch: &Batch) -> End {
        let samples = &batch.samples;
        let (mut position, mut acknowledged) = (0, 0);
        // Events have times of their own: they are sent apart.
        let is_event = |sample: &&Sample| matches!(sample, Sample::Event(_));
        let mut ends = vec![samples.len(), samples.iter().take_while(is_event).count()];
        let mut parts = Parts::default();
        while let Some(end) = ends.last().copied() {
            if position >= end {
                ends.pop();
                continue;
            }
            let (body, len) = self.encode(batch, samples.get(position..end).unwrap_or_default());
            let reached = position.saturating_add(len);
            match self.send_part(&body, len) {
                Answer::Accepted => {
                    parts.accept(0, None);
                    position = reached;
                }
                Answer::Partly(dropped, words) => {
                    parts.accept(dropped, Some(words));
                    position = reached;
                }
                Answer::Refused(words) => {
                    if len > 1 {
                        parts.refused_parts = parts.refused_parts.saturating_add(1);
                        ends.push(position.saturating_add(len / 2));
                    } else {
                        parts.skip(words.clone());
                        position = reached;
                    }
                    if parts.is_hopeless() {
                        let newest = samples.last().map(std::slice::from_ref);
                        match self.try_one(batch, newest.unwrap_or_default()) {
                            Answer::Accepted => parts.accept(0, None),
                            Answer::Later(wait, words) => return End::Failed(words, wait),
                            Answer::Stopped => return End::Stopped,
                            _ => return End::Failed(refuses_everything(words), None),
                        }
                    }
                }
                Answer::TooOld(words, _) if len == 1 => {
                    parts.accept(1, Some(words));
                    position = reached;
                }
                Answer::TooOld(words, bound) => {
                    let half = len / 2;
                    let middle = position.saturating_add(half);
                    let newest = match bound {
                        Bound::AllSeries => samples.get(middle.saturating_sub(1)..middle),
                        Bound::OneSeries => None,
                    };
                    match newest.map(|newest| self.try_one(batch, newest)) {
                        // All before it are older.
                        Some(Answer::TooOld(_, Bound::AllSeries)) => {
                            parts.accept(half, Some(words));
                            position = middle;
                        }
                        _ => ends.push(middle),
                    }
                }
                Answer::Later(wait, words) => return End::Failed(words, wait),
                Answer::Misconfigured(words) => return End::Failed(words, None),
                Answer::Stopped => return End::Stopped,
            }
            if parts.is_accepted {
                let sent = samples.get(acknowledged..position).unwrap_or_default();
                self.acknowledge(batch, sent, parts.take_refused());
                acknowledged = position;
            }
        }
        match parts.skipped.pop() {
            Some(words) => End::Failed(refuses_everything(words), None),
            None => End::Complete,
        }
    }

    /// What the engine says of a single sample.
    fn try_one(&self, batch: &Batch, sample: &[Sample]) -> Answer {
        let (body, len) = self.encode(batch, sample);
        self.send_part(&body, len)
    }

    /// The first samples as the engine gets them, and how many they are.
    fn encode(&self, batch: &Batch, samples: &[Sample]) -> (Vec<u8>, usize) {
        match self.config.format {
            PushFormat::Influx => {
                let mut lines = Lines::new(batch, &self.config.labels);
                let (mut text, mut len) = (String::new(), 0);
                for sample in samples {
                    if text.len() >= MAX_BYTES {
                        break;
                    }
                    lines.add(batch, sample, &mut text);
                    len += 1;
                }
                (text.into_bytes(), len)
            }
            PushFormat::RemoteWrite => {
                let mut series = RemoteWrite::new(batch, &self.config.labels);
                let part = samples.get(..MAX_REMOTE_WRITE).unwrap_or(samples);
                part.iter().for_each(|sample| series.add(sample));
                (series.finish(batch), part.len())
            }
        }
    }

    fn send_part(&self, body: &[u8], len: usize) -> Answer {
        if body.is_empty() {
            return Answer::Accepted;
        }
        send(&self.config, body, len, &self.stop)
    }

    /// These samples need not be sent again; some were refused.
    fn acknowledge(&mut self, batch: &Batch, samples: &[Sample], refused: (u64, Option<Words>)) {
        let mut progress = self.acknowledged.add(batch, samples);
        self.sent = self.sent.saturating_add(samples.len() as u64);
        let (refused, words) = refused;
        if let Some(words) = words {
            let name = name_of(&self.config.way);
            let said = format!("{}{}", words.text, after_colon(&words.output));
            let level = match self.is_refusal_logged {
                true => log::Level::Debug,
                false => log::Level::Warn,
            };
            log::log!(
                level,
                "push: {name} refuses {refused} of the checks and events for good, others are sent: {said}"
            );
            self.is_refusal_logged = true;
            progress.refused = refused;
            progress.refusal = Some(PushFailure {
                at: sys::clocks().utc(),
                text: words.text,
                output: words.output,
            });
        }
        self.unreported.add(progress);
    }

    fn succeed(&mut self) {
        self.failures = 0;
        if let Some(Some(failure)) = self.failure.replace(None) {
            let since = failure.at.rfc3339();
            let name = name_of(&self.config.way);
            log::info!("push: {name} accepts again what is sent; it had not since {since}");
            self.unreported.failure = Some(None);
        }
    }

    /// Returns how long to wait before the next attempt.
    fn fail(&mut self, words: Words, wait: Option<Duration>) -> Duration {
        let before = self.failure.take().flatten();
        let is_same =
            (before.as_ref()).is_some_and(|before| self.failures > 0 && before.text == words.text);
        if !is_same {
            log::error!(
                "push: {}: {}{}; what is recorded is kept and sent later",
                name_of(&self.config.way),
                words.text,
                after_colon(&words.output)
            );
        }
        let failure = PushFailure {
            at: before.map_or_else(|| sys::clocks().utc(), |before| before.at),
            text: words.text,
            output: words.output,
        };
        if !is_same {
            self.unreported.failure = Some(Some(failure.clone()));
        }
        self.failure = Some(Some(failure));
        let retry = backoff(self.failures);
        self.failures = self.failures.saturating_add(1);
        wait.map_or(retry, |wait| wait.clamp(FIRST_RETRY, MAX_RETRY))
    }

    /// Where much was not sent, the log says at first, now and then and at last how far it has come.
    fn log_progress(&mut self, batch: &Batch) {
        let now = sys::monotonic();
        let newest = batch.samples.iter().rev().find_map(|sample| match sample {
            Sample::Check(_, check) => Some(check.at),
            Sample::Event(_) => None,
        });
        let age_ms = newest.map_or(0, |newest: UtcMillis| {
            sys::clocks().utc().0.saturating_sub(newest.0)
        });
        let sent = format!("{} checks and events", self.sent);
        match self.logged_at {
            None if batch.is_cut && age_ms > HOUR_MS => self.logged_at = Some(now),
            Some(at) if batch.is_cut && now.since(at) < LOG_INTERVAL => return,
            Some(_) if batch.is_cut => self.logged_at = Some(now),
            Some(_) => {
                log::info!("push: the engine has everything now, {sent} were sent");
                self.logged_at = None;
                return;
            }
            None => return,
        }
        if let Some(newest) = newest {
            log::info!("push: sent up to {}, {sent} so far", newest.rfc3339());
        }
    }
}

/// What was found in the database.
enum Read {
    Batch(Batch),
    /// The marks are of another engine: the writer is told.
    OtherEngine,
    NoDatabase,
}

/// What is known of the parts of a batch that were sent.
#[derive(Default)]
struct Parts {
    is_accepted: bool,
    /// In a row.
    refused_parts: usize,
    /// Why single samples were refused, until the engine has accepted another.
    skipped: Vec<Words>,
    /// What it has dropped of accepted parts.
    dropped: usize,
    words: Option<Words>,
}

impl Parts {
    fn accept(&mut self, dropped: usize, words: Option<Words>) {
        self.is_accepted = true;
        self.refused_parts = 0;
        self.dropped = self.dropped.saturating_add(dropped);
        self.words = words.or(self.words.take());
    }

    /// Whether so much was refused, and nothing accepted, that the newest sample is to be tried.
    fn is_hopeless(&self) -> bool {
        !self.is_accepted && self.refused_parts >= MAX_REFUSED_PARTS
    }

    fn skip(&mut self, words: Words) {
        self.refused_parts = self.refused_parts.saturating_add(1);
        self.skipped.push(words);
    }

    /// How many were refused since this was last asked, and the last reason.
    fn take_refused(&mut self) -> (u64, Option<Words>) {
        let refused = std::mem::take(&mut self.dropped).saturating_add(self.skipped.len());
        let words = self.skipped.pop().or(self.words.take());
        self.skipped.clear();
        self.words = None;
        (refused as u64, words.filter(|_| refused > 0))
    }
}

fn refuses_everything(words: Words) -> Words {
    Words {
        text: format!("{}, for all that is sent", words.text),
        ..words
    }
}

fn after_colon(text: &str) -> String {
    match text.is_empty() {
        true => String::new(),
        false => format!(": {text}"),
    }
}

/// How long to wait after a failure. `failures` is the number of those before it.
fn backoff(failures: u32) -> Duration {
    FIRST_RETRY
        .saturating_mul(2u32.saturating_pow(failures))
        .min(MAX_RETRY)
}

/// A hash of what names the engine (FNV-1a): another one has nothing of what is recorded. Of a
/// command only the addresses count, if there are any, so that its other options may change.
fn engine_of(config: &PushConfig) -> i64 {
    let mut text = config.format.as_str().to_owned();
    match &config.way {
        PushWay::Url(url) => text += &format!(" http://{}{}", url.authority(), url.target),
        PushWay::Command(words) => {
            let addresses = || words.iter().filter(|word| word.contains("://"));
            let named: Vec<&String> = match addresses().next() {
                Some(_) => addresses().collect(),
                None => words.iter().collect(),
            };
            named.iter().for_each(|word| text += &format!(" {word}"));
        }
    }
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.cast_signed()
}
