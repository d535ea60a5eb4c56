//! When a host or gateway answered pings and when not: runs of replies and of silence in turn, and
//! what they say about the time of another host's outage.

use std::collections::VecDeque;

use crate::pure::time::UtcMillis;

/// What became of a ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Answered,
    Silent,
    /// This machine lost its link while the ping waited for its reply.
    LinkLost,
}

impl Answer {
    pub fn of(is_answered: bool) -> Answer {
        if is_answered {
            Answer::Answered
        } else {
            Answer::Silent
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Replies {
    runs: VecDeque<Run>,
    /// The first ping of all.
    since: Option<UtcMillis>,
    /// Whether the link was lost since the last ping of the newest run.
    is_interrupted: bool,
}

/// Either replies only or silence only.
#[derive(Clone, Debug)]
struct Run {
    is_answered: bool,
    /// In the order of time, at least one. A host that is checked every five minutes is pinged every
    /// second or two while another one is silent: distributed over all of a run of weeks, the pings of
    /// such a minute would count as none.
    stretches: Vec<Stretch>,
}

/// Pings each within [`DENSE_GAP_MS`] of the one before, or many older ones. They count as evenly
/// distributed from the first to the last.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    first: UtcMillis,
    last: UtcMillis,
    pings: u32,
}

/// Number of runs that are kept. An outage with more changes is judged by its newest part.
const MAX_RUNS: usize = 32;
/// Replies this close to the start or end of an outage may belong to the time before or after it,
/// since hosts are not pinged at the same instant.
const MARGIN_MS: i64 = 2_000;
/// Hosts that fail within this time fail together, as in incident.rs.
const TOGETHER_MS: i64 = 5_000;
/// The time before an outage in which losses count too.
const LOSSY_SPAN_MS: i64 = 60_000;
/// Replies between two silences for as long are not of the same outage's cause.
const DIVIDING_MS: i64 = 60_000;
/// While a host is silent, the others are pinged at least this often: every ten seconds, and the
/// time that a ping waits for its reply.
const DENSE_GAP_MS: i64 = 15_000;
/// A longer run counts its oldest ones as one.
const MAX_STRETCHES: usize = 4;
/// Fewer answered pings in a row may be chance while most are lost.
const MIN_RUN_PINGS: u32 = 3;

/// The outage of a host for which another host is a witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutageTime {
    /// The last reply before it.
    pub last_reply: Option<UtcMillis>,
    pub from: UtcMillis,
    /// Its end, or now.
    pub to: UtcMillis,
}

/// What another host did during an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// It answered when the outage began and for as long.
    Answered,
    /// It fell silent at the same time, or it loses most pings as well.
    FailedToo,
    /// It answered for a part of the time, or was silent since long before, or was not pinged.
    Unclear,
}

/// Answered and silent time of a host within a span, and the number of pings there.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    answered_ms: i64,
    silent_ms: i64,
    longest_silence_ms: i64,
    answered: u32,
    silent: u32,
}

impl Share {
    fn pings(&self) -> u32 {
        self.answered + self.silent
    }

    /// Whether at least this many percent of the time was answered; of the pings where they are too
    /// few to have a time between them.
    fn is_answered_for(&self, percent: i64) -> bool {
        let ms = self.answered_ms + self.silent_ms;
        if ms > 0 {
            self.answered_ms * 100 >= ms * percent
        } else {
            i64::from(self.answered) * 100 >= i64::from(self.pings()) * percent
        }
    }
}

impl Replies {
    pub fn add(&mut self, at: UtcMillis, answer: Answer) {
        if answer == Answer::LinkLost {
            self.is_interrupted = true;
            return;
        }
        self.since = Some(self.since.map_or(at, |since| since.min(at)));
        let is_answered = answer == Answer::Answered;
        // Replies before and after a loss of the link are two runs: the pings of a stretch count
        // as evenly distributed over its time.
        let is_new = std::mem::take(&mut self.is_interrupted) && is_answered;
        match self.runs.back_mut() {
            Some(run) if run.is_answered == is_answered && !is_new => {
                run.add(at);
            }
            _ => {
                if self.runs.len() == MAX_RUNS {
                    self.runs.pop_front();
                }
                self.runs.push_back(Run {
                    is_answered,
                    stretches: vec![Stretch::of(at)],
                });
            }
        }
    }

    pub fn since(&self) -> Option<UtcMillis> {
        self.since
    }

    pub fn last_reply(&self) -> Option<UtcMillis> {
        let answered = self.runs.iter().rev().find(|run| run.is_answered);
        answered.map(|run| run.last())
    }

    pub fn last_silence(&self) -> Option<UtcMillis> {
        let silent = self.runs.iter().rev().find(|run| !run.is_answered);
        silent.map(|run| run.last())
    }

    /// The silence within an outage: from its beginning, or where replies for a minute or more divide it,
    /// from the first lost ping of the longest part, to the last.
    pub fn silence(&self, from: UtcMillis, to: UtcMillis) -> Option<(UtcMillis, UtcMillis)> {
        let silent = self.runs.iter().filter(|run| !run.is_answered);
        let within = silent.filter(|run| run.last() >= from && run.first() <= to);
        let mut parts: Vec<(UtcMillis, UtcMillis)> = Vec::new();
        for run in within {
            let (first, last) = (run.first(), run.last());
            match parts.last_mut() {
                None => parts.push((from, last)),
                Some(part) if first.0 - part.1.0 < DIVIDING_MS => part.1 = last,
                Some(_) => parts.push((first, last)),
            }
        }
        parts
            .into_iter()
            .max_by_key(|(first, last)| last.0 - first.0)
    }

    /// The last reply before an instant.
    pub fn last_reply_before(&self, at: UtcMillis) -> Option<UtcMillis> {
        let mut answered = self.runs.iter().rev().filter(|run| run.is_answered);
        let run = answered.find(|run| run.first() < at)?;
        Some(run.last().min(UtcMillis(at.0 - 1)))
    }

    /// The time between two runs is divided between them.
    fn share(&self, from: i64, to: i64) -> Share {
        let mut share = Share::default();
        let middle = |a: &Run, b: &Run| a.last().0 + (b.first().0 - a.last().0) / 2;
        for (index, run) in self.runs.iter().enumerate() {
            let before = index.checked_sub(1).and_then(|index| self.runs.get(index));
            let begin = before.map_or(run.first().0, |before| middle(before, run));
            let end = self
                .runs
                .get(index + 1)
                .map_or(run.last().0, |after| middle(run, after));
            let ms = (end.min(to) - begin.max(from)).max(0);
            let pings = run.pings_within(from, to);
            if run.is_answered {
                share.answered_ms += ms;
                share.answered += pings;
            } else {
                share.silent_ms += ms;
                share.silent += pings;
                share.longest_silence_ms = share.longest_silence_ms.max(ms);
            }
        }
        share
    }

    /// What this host did during the outage of another one. `max_age_ms` is how old its last reply
    /// may be at the end: it is pinged no more often.
    pub fn conduct(&self, outage: &OutageTime, max_age_ms: i64) -> Conduct {
        if self.is_lossy(outage, max_age_ms) {
            return Conduct::FailedToo;
        }
        let (from, to) = outage.without_margins();
        let share = self.share(from, to);
        let failed_with_it = self.failed_since(outage).is_some();
        // A host that fell silent too and came back much sooner was not hit by the rest.
        let is_long = outage.to.0 - outage.from.0 >= 2 * MARGIN_MS;
        let is_most = share.is_answered_for(if failed_with_it { 90 } else { 50 })
            && (is_long || !failed_with_it);
        match share.pings() {
            0 => Conduct::Unclear,
            _ if is_most && self.is_established(from, to, max_age_ms) => Conduct::Answered,
            _ if failed_with_it && !is_most => Conduct::FailedToo,
            _ => Conduct::Unclear,
        }
    }

    /// Whether its replies are more than single ones, and lasted until the end.
    fn is_established(&self, from: i64, to: i64, max_age_ms: i64) -> bool {
        self.runs.iter().any(|run| {
            run.is_answered
                && run.pings() >= MIN_RUN_PINGS
                && run.first().0 <= to
                && run.last().0 >= from.max(to - max_age_ms)
        })
    }

    /// When its silence, during the outage or just before, began, if that may have been the same
    /// instant: the outage began at any time since the last reply.
    pub fn failed_since(&self, outage: &OutageTime) -> Option<UtcMillis> {
        let (from, to) = (outage.from.0 - MARGIN_MS, outage.without_margins().1);
        let silent = |run: &Run| !run.is_answered && run.first().0 <= to && run.last().0 >= from;
        let index = self.runs.iter().position(silent)?;
        let earliest = outage.last_reply.map_or(i64::MIN, |at| at.0 - TOGETHER_MS);
        let before = index.checked_sub(1).and_then(|index| self.runs.get(index));
        let first = self.runs[index].first();
        let is_together = first.0 >= earliest
            && before.is_none_or(|before| before.last().0 <= outage.from.0 + TOGETHER_MS);
        is_together.then_some(first)
    }

    /// Whether many of its pings are lost, again and again.
    fn is_lossy(&self, outage: &OutageTime, max_age_ms: i64) -> bool {
        let from = outage.from.0 - LOSSY_SPAN_MS.max(3 * max_age_ms);
        let within = |run: &&Run| run.last().0 >= from && run.first().0 <= outage.to.0;
        let (mut silences, mut silent, mut pings) = (0, 0, 0);
        for run in self.runs.iter().filter(within) {
            let count = u64::from(run.pings_within(from, outage.to.0));
            pings += count;
            if !run.is_answered {
                silences += 1;
                silent += count;
            }
        }
        silences >= 3 && silent * 10 >= pings * 3
    }

    /// Whether this gateway answered during an outage; `None` when it was not pinged. It forwards
    /// packets as long as it answers any pings: many routers limit their replies. `is_reliable` says
    /// that it answered all pings before; then it did not answer if it was silent for most of the
    /// time.
    pub fn answered(&self, outage: &OutageTime, is_reliable: bool) -> Option<bool> {
        let (from, to) = outage.without_margins();
        let share = self.share(from, to);
        let is_mostly_silent = share.longest_silence_ms * 4 >= (to - from) * 3;
        (share.pings() > 0).then_some(share.answered > 0 && !(is_reliable && is_mostly_silent))
    }

    /// The most answered pings in a row before an instant; `None` when it was not pinged then.
    pub fn longest_run_before(&self, at: UtcMillis) -> Option<u32> {
        let before = self.runs.iter().filter(|run| run.first() < at);
        let answered_before = |run: &Run| match run.is_answered {
            true => run.pings_within(i64::MIN, at.0 - 1),
            false => 0,
        };
        before.map(answered_before).max()
    }
}

impl Run {
    fn first(&self) -> UtcMillis {
        self.stretches[0].first
    }

    fn last(&self) -> UtcMillis {
        self.stretches[self.stretches.len() - 1].last
    }

    fn pings(&self) -> u32 {
        let pings = self.stretches.iter().map(|stretch| stretch.pings);
        pings.fold(0, u32::saturating_add)
    }

    fn add(&mut self, at: UtcMillis) {
        let ping = Stretch::of(at);
        match self.stretches.last_mut() {
            Some(newest) if at.0.saturating_sub(newest.last.0) <= DENSE_GAP_MS => {
                *newest = newest.and(ping);
            }
            _ => self.stretches.push(ping),
        }
        if self.stretches.len() > MAX_STRETCHES {
            let oldest = self.stretches.remove(0);
            self.stretches[0] = oldest.and(self.stretches[0]);
        }
    }

    fn pings_within(&self, from: i64, to: i64) -> u32 {
        let pings = self
            .stretches
            .iter()
            .map(|stretch| stretch.pings_within(from, to));
        pings.fold(0, u32::saturating_add)
    }
}

impl Stretch {
    fn of(at: UtcMillis) -> Stretch {
        Stretch {
            first: at,
            last: at,
            pings: 1,
        }
    }

    fn and(self, other: Stretch) -> Stretch {
        Stretch {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
            pings: self.pings.saturating_add(other.pings),
        }
    }

    fn pings_within(&self, from: i64, to: i64) -> u32 {
        let overlap = self.last.0.min(to).saturating_sub(self.first.0.max(from));
        if overlap < 0 {
            return 0;
        }
        let has_end_within = self.first.0 >= from || self.last.0 <= to;
        let span = self.last.0.saturating_sub(self.first.0).max(1);
        // 128 bits: the pings of ten years at one a second, times the milliseconds.
        let share = i128::from(self.pings) * i128::from(overlap) / i128::from(span);
        u32::try_from(share)
            .unwrap_or(u32::MAX)
            .max(u32::from(has_end_within))
    }
}

impl OutageTime {
    /// Without its first and last moments.
    fn without_margins(&self) -> (i64, i64) {
        let margin = MARGIN_MS.min((self.to.0 - self.from.0).max(0) / 4);
        (self.from.0 + margin, self.to.0 - margin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds with an answered (`+`) or lost (`-`) ping, or the loss of this machine's link (`x`):
    /// `"-20+ -10x 1-"`.
    fn replies(text: &str) -> Replies {
        let mut replies = Replies::default();
        for ping in text.split_whitespace() {
            let (at, answer) = ping.split_at(ping.len() - 1);
            let answer = match answer {
                "+" => Answer::Answered,
                "-" => Answer::Silent,
                _ => Answer::LinkLost,
            };
            replies.add(second(at.parse().expect("a second")), answer);
        }
        replies
    }

    fn second(at: f64) -> UtcMillis {
        #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
        UtcMillis((at * 1000.0) as i64)
    }

    const OUTAGE: OutageTime = OutageTime {
        last_reply: Some(UtcMillis(-2_000)),
        from: UtcMillis(0),
        to: UtcMillis(20_000),
    };

    #[test]
    fn a_witness_answers_when_the_outage_begins_and_for_as_long() {
        for (pings, conduct, why) in [
            ("-4+ -2+ 0+ 5+ 10+ 15+ 20+", Conduct::Answered, "always"),
            (
                "-2+ 0+ 2.5+ 7+ 12+ 13- 14+ 17+",
                Conduct::Answered,
                "one lost",
            ),
            ("5+", Conduct::Unclear, "one ping"),
            ("-90+ -60+ -30+ 30+", Conduct::Unclear, "not pinged"),
            ("-4+ -2+ 0+ 3+", Conduct::Unclear, "no longer pinged"),
            ("-4+ -2+ 0- 1- 5- 10- 15- 19-", Conduct::FailedToo, "silent"),
            (
                "-4+ -2+ 1- 5- 11- 12+ 15+ 18+ 20+",
                Conduct::FailedToo,
                "back sooner",
            ),
            (
                "-2+ 0- 1+ 3+ 5+ 8+ 11+ 14+ 17+",
                Conduct::Answered,
                "one lost at the start",
            ),
            (
                "-40- -30- -20- -1- 5- 10- 15-",
                Conduct::Unclear,
                "silent since long before",
            ),
            (
                "-2+ 0+ 3+ 6+ 9+ 12+ 15- 16- 18-",
                Conduct::Answered,
                "failed much later",
            ),
            (
                "-2+ 0+ 3+ 6+ 8- 10- 13- 16- 18-",
                Conduct::Unclear,
                "failed later",
            ),
            (
                "-9+ -8- -7- -6- -5+ -4- -3- -2+ -1- 0- 5+ 10+",
                Conduct::FailedToo,
                "lossy",
            ),
        ] {
            assert_eq!(replies(pings).conduct(&OUTAGE, 10_000), conduct, "{why}");
        }
        let since_start = OutageTime {
            last_reply: None,
            ..OUTAGE
        };
        assert_eq!(
            replies("0- 5- 10- 15-").conduct(&since_start, 10_000),
            Conduct::FailedToo,
            "nothing is known of the time before"
        );
    }

    #[test]
    fn a_host_that_was_silent_before_a_short_outage_and_is_back_with_it_failed_too() {
        let short = OutageTime {
            last_reply: Some(second(-10.0)),
            from: second(0.0),
            to: second(1.0),
        };
        for (pings, conduct) in [
            ("-12+ -5- -3- -1- 0.2+ 0.7+ 1.2+", Conduct::FailedToo),
            ("-12+ -5- -3- 0.1- 0.6+ 1.1+ 1.6+", Conduct::FailedToo),
            ("0+ 0.2+ 0.4+ 0.6+ 0.8+ 1+", Conduct::Answered),
            ("-5- 0+ 0.2+ 0.4+ 0.6+ 0.8+ 1+", Conduct::Answered),
        ] {
            assert_eq!(replies(pings).conduct(&short, 10_000), conduct, "{pings}");
        }
    }

    #[test]
    fn replies_for_a_minute_divide_the_silence_of_an_outage() {
        for (pings, silence) in [
            ("-12+ 0- 100-", Some((0.0, 100.0))),
            ("-12+ 2- 100-", Some((0.0, 100.0))),
            ("-12+ 0- 100- 101+ 159+ 159.9- 170-", Some((0.0, 170.0))),
            ("-12+ 0- 100- 101+ 159+ 160- 170-", Some((0.0, 100.0))),
            ("-12+ 0- 100- 101+ 190+ 200- 301-", Some((200.0, 301.0))),
            ("-20- -12+ 0- 100- 401-", Some((0.0, 401.0))),
            ("-12+ 0- 100- 110+ 401-", Some((0.0, 100.0))),
            ("-12+ 1+ 401-", None),
        ] {
            let found = replies(pings).silence(second(0.0), second(400.0));
            let expected = silence.map(|(from, last)| (second(from), second(last)));
            assert_eq!(found, expected, "{pings}");
        }
    }

    fn from_to(from: f64, to: f64) -> OutageTime {
        OutageTime {
            last_reply: Some(second(from - 2.0)),
            from: second(from),
            to: second(to),
        }
    }

    #[test]
    fn the_first_and_last_pings_are_known_in_any_order_of_arrival() {
        let found = replies("3+ 1+ 5- 7+ 6-");
        assert_eq!(found.since(), Some(second(1.0)));
        assert_eq!(found.last_reply(), Some(second(7.0)));
        assert_eq!(found.last_silence(), Some(second(6.0)));
        let none = replies("");
        assert_eq!(
            (none.since(), none.last_reply(), none.last_silence()),
            (None, None, None)
        );
        for (before, last_reply) in [
            (1.0, None),
            (2.0, Some(1.999)),
            (4.0, Some(3.0)),
            (9.0, Some(7.0)),
        ] {
            let last = found.last_reply_before(second(before));
            assert_eq!(last, last_reply.map(second), "{before}");
        }
        let found = replies("1- 2+ 3+ 5- 6+ 7+ 8+");
        for (before, run) in [(1.0, None), (2.0, Some(0)), (5.0, Some(2)), (9.0, Some(3))] {
            assert_eq!(found.longest_run_before(second(before)), run, "{before}");
        }
    }

    #[test]
    fn of_a_run_that_goes_on_the_pings_before_an_instant_count() {
        assert_eq!(replies("1+ 3+ 5+").longest_run_before(second(5.0)), Some(2));
    }

    #[test]
    fn a_long_run_is_kept_in_four_stretches() {
        for (pings, stretches) in [(3, 3), (4, 4), (5, 4), (9, 4)] {
            let mut found = Replies::default();
            (0..pings).for_each(|ping| found.add(UtcMillis(ping * 60_000), Answer::Answered));
            assert_eq!(found.runs[0].stretches.len(), stretches, "{pings}");
        }
    }

    #[test]
    fn an_end_of_a_stretch_within_a_span_is_a_ping_there() {
        let stretch = Stretch {
            first: UtcMillis(0),
            last: UtcMillis(100),
            pings: 2,
        };
        for (from, to, pings) in [
            (-9, 0, 1),
            (-9, 1, 1),
            (99, 200, 1),
            (100, 200, 1),
            (40, 60, 0),
            (101, 200, 0),
            (0, 100, 2),
        ] {
            assert_eq!(stretch.pings_within(from, to), pings, "{from} to {to}");
        }
    }

    #[test]
    fn the_time_between_two_runs_is_divided_between_them() {
        let share = replies("1000+ 1002- 1010- 1014+").share(1_000_000, 1_014_000);
        assert_eq!((share.answered_ms, share.silent_ms), (3000, 11_000));
        assert_eq!((share.answered, share.silent), (2, 2));
        assert_eq!(share.longest_silence_ms, 11_000);
    }

    #[test]
    fn a_share_is_of_the_time_and_of_the_pings_where_there_is_no_time() {
        for (ms, pings, percent) in [
            ((60, 40), (0, 9), 60),
            ((0, 0), (1, 1), 50),
            ((0, 0), (3, 1), 75),
            ((0, 0), (0, 1), 0),
        ] {
            let share = Share {
                answered_ms: ms.0,
                silent_ms: ms.1,
                longest_silence_ms: 0,
                answered: pings.0,
                silent: pings.1,
            };
            assert!(share.is_answered_for(percent), "{share:?}");
            assert!(!share.is_answered_for(percent + 1), "{share:?}");
        }
    }

    #[test]
    fn a_host_is_lossy_with_three_silences_and_three_of_ten_pings_lost_in_the_minute_before() {
        let three = "-50- -45+ -40- -35+ -30- -25+ -20+ -15+ -10+ -5+";
        let more = format!("{three} 0+");
        for (pings, max_age_ms, is_lossy) in [
            (three, 10_000, true),
            (&more, 10_000, false),
            ("-50- -45+ -40- -35- -30- -25+", 10_000, false),
            ("-80- -75+ -70- -65+ -30- -20+", 10_000, false),
            ("-80- -75+ -70- -65+ -30- -20+", 30_000, true),
            ("21- 23+ 25- 27+ 29-", 10_000, false),
        ] {
            let found = replies(pings).is_lossy(&OUTAGE, max_age_ms);
            assert_eq!(found, is_lossy, "{pings}");
        }
    }

    #[test]
    fn the_margins_are_two_seconds_or_a_quarter_of_a_short_outage() {
        for (from, to, expected) in [
            (0.0, 20.0, (2000, 18_000)),
            (100.0, 104.0, (101_000, 103_000)),
            (100.0, 99.0, (100_000, 99_000)),
        ] {
            assert_eq!(from_to(from, to).without_margins(), expected, "{from} {to}");
        }
    }

    #[test]
    fn a_host_fails_with_an_outage_up_to_five_seconds_after_its_begin() {
        let outage = from_to(1000.0, 1020.0);
        for (pings, since) in [
            ("998+ 1003+ 1005+ 1007- 1012-", Some(1007.0)),
            ("998+ 1003+ 1006+ 1007- 1012-", None),
            ("993- 1001- 1012-", Some(993.0)),
            ("992- 1001- 1012-", None),
        ] {
            let found = replies(pings).failed_since(&outage);
            assert_eq!(found, since.map(second), "{pings}");
        }
    }

    #[test]
    fn of_a_host_that_failed_too_replies_in_a_few_seconds_prove_nothing() {
        let pings = "988+ 995- 997- 999- 1000.2+ 1000.7+ 1001.2+ 1001.7+ 1002.2+ 1002.7+ 1003.2+ 1003.7+ 1004.2+";
        for (to, conduct) in [
            (1001.0, Conduct::FailedToo),
            (1003.0, Conduct::FailedToo),
            (1004.0, Conduct::Answered),
        ] {
            let outage = OutageTime {
                last_reply: Some(second(990.0)),
                ..from_to(1000.0, to)
            };
            assert_eq!(replies(pings).conduct(&outage, 10_000), conduct, "{to}");
        }
    }

    #[test]
    fn a_reliable_gateway_that_is_silent_for_three_quarters_does_not_answer() {
        let outage = from_to(1000.0, 1020.0);
        let answered = |pings: &str| replies(pings).answered(&outage, true);
        assert_eq!(answered("1001+ 1003- 1013- 1015+ 1018+"), Some(false));
        assert_eq!(answered("1001+ 1003- 1013- 1014.99+ 1018+"), Some(true));
        assert_eq!(
            replies("998- 1005- 1010-").answered(&outage, false),
            Some(false)
        );
    }

    #[test]
    fn a_gateway_that_answers_any_ping_answers() {
        let answered = |pings, is_reliable| replies(pings).answered(&OUTAGE, is_reliable);
        assert_eq!(answered("-2+ 5- 10- 15-", true), Some(false));
        assert_eq!(
            answered("-2- 4- 5- 6+ 7- 8- 9- 10- 11+ 12-", false),
            Some(true)
        );
        assert_eq!(answered("-5+ 30+", true), None);
        assert_eq!(answered("-5+ 3- 5x 30+", true), Some(false));
        assert_eq!(answered("-60+ 5x 18+ 70+", true), Some(true));
        assert_eq!(answered("-3+ 0- 5- 10- 16- 17+ 20+", true), Some(false));
        assert_eq!(answered("-3+ 0- 5- 10- 16- 17+ 20+", false), Some(true));
        assert_eq!(answered("0+ 5+ 10+ 16+ 17+ 20-", true), Some(true));
    }

    /// Two pings every five minutes for four weeks, all answered, and then pings at one a second.
    fn four_weeks_and(seconds: std::ops::Range<i64>) -> Replies {
        let mut replies = Replies::default();
        let mut check = seconds.start - 4 * 7 * 86_400;
        while check < seconds.start {
            for at in [check, check + 1] {
                replies.add(UtcMillis(at * 1000), Answer::Answered);
            }
            check += 300;
        }
        for at in seconds {
            replies.add(UtcMillis(at * 1000), Answer::Answered);
        }
        replies
    }

    #[test]
    fn pings_in_a_short_outage_count_after_weeks_of_rare_checks() {
        for (seconds, conduct, gateway) in [
            (1..20, Conduct::Answered, Some(true)),
            // Not pinged between the checks: the last one was five minutes before.
            (0..0, Conduct::Unclear, None),
        ] {
            let replies = four_weeks_and(seconds.clone());
            assert_eq!(replies.conduct(&OUTAGE, 10_000), conduct, "{seconds:?}");
            assert_eq!(replies.answered(&OUTAGE, true), gateway, "{seconds:?}");
        }
        // A check after the outage does not change what was pinged within it.
        let mut replies = four_weeks_and(1..20);
        replies.add(second(200.0), Answer::Answered);
        assert_eq!(replies.conduct(&OUTAGE, 10_000), Conduct::Answered);
    }

    #[test]
    fn single_losses_after_weeks_of_replies_are_not_most_of_the_pings() {
        let mut replies = four_weeks_and(1..600);
        for (at, answer) in (600..1000).map(|at| (at, Answer::of(at % 100 != 0))) {
            replies.add(UtcMillis(at * 1000), answer);
        }
        let long = OutageTime {
            to: UtcMillis(1_000_000),
            ..OUTAGE
        };
        assert_eq!(replies.conduct(&long, 10_000), Conduct::Answered);
    }

    #[test]
    fn a_gateway_is_reliable_by_its_replies_before_the_outage_alone() {
        let replies = replies("-1+ 1+ 2+ 3+ 4+");
        assert_eq!(replies.longest_run_before(second(0.0)), Some(1));
        assert_eq!(replies.longest_run_before(second(3.5)), Some(4));
        assert_eq!(replies.longest_run_before(second(-1.0)), None);
    }

    #[test]
    fn pings_of_ten_years_at_one_a_second_are_counted_without_an_overflow() {
        let run = Stretch {
            first: UtcMillis(0),
            last: UtcMillis(315_360_000_000),
            pings: 315_360_000,
        };
        assert_eq!(run.pings_within(0, 315_360_000_000), 315_360_000);
        assert_eq!(run.pings_within(1_000, 11_000), 10);
        // Instants that only a damaged clock has.
        let mut replies = Replies::default();
        for at in [i64::MIN, 0, i64::MAX, i64::MIN] {
            replies.add(UtcMillis(at), Answer::Answered);
        }
        assert_eq!(replies.runs[0].pings_within(i64::MIN, i64::MAX), 4);
    }
}
