//! What is drawn of a host over time: the bars of its strip and the points of its chart.

use std::ops::Range;

use super::period::{local_days, local_hour};
use crate::pure::time::{HOUR_MS, UtcMillis};

/// The longest span that has a bar for every hour.
const MAX_HOURLY_MS: i64 = 72 * HOUR_MS;
/// On paper more bars cannot be distinguished: then each bar is a week.
const MAX_BARS: usize = 370;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BarSpans {
    /// One for each bar.
    pub spans: Vec<Range<UtcMillis>>,
    /// `hour`, `day` or `week`.
    pub unit: &'static str,
    /// A bar is degraded when at least this percentage of its checks was not up. An hour has few
    /// checks: a single one may already be more than one percent.
    pub degraded_percent: i64,
}

impl BarSpans {
    pub fn of(span: &Range<UtcMillis>, offset_at: fn(i64) -> i64) -> BarSpans {
        if span.end.0 - span.start.0 <= MAX_HOURLY_MS {
            let mut spans = Vec::new();
            let mut start = span.start;
            while start < span.end {
                let end = UtcMillis(local_hour(start, offset_at).0 + HOUR_MS).min(span.end);
                spans.push(start..end);
                start = end;
            }
            return BarSpans {
                spans,
                unit: "hour",
                degraded_percent: 5,
            };
        }
        let days = local_days(span, offset_at);
        let (spans, unit) = if days.len() <= MAX_BARS {
            (days, "day")
        } else {
            let weeks = days.chunks(7);
            let whole = |week: &[Range<UtcMillis>]| week[0].start..week[week.len() - 1].end;
            (weeks.map(whole).collect(), "week")
        };
        BarSpans {
            spans,
            unit,
            degraded_percent: 1,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bar {
    #[default]
    NotRecordedYet,
    /// More than half of it was not measured.
    NotMeasured,
    Up,
    Degraded,
    Poor,
    /// For how many seconds.
    Down(i64),
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ChartPoint {
    /// Its beginning in Unix milliseconds.
    pub at: i64,
    /// Its length in milliseconds.
    pub width: i64,
    /// The 5 %, 50 % and 95 % quantile of the replies.
    pub quantiles_us: Option<[u32; 3]>,
    /// Lost of sent pings, 0 to 1; `None` where none was sent.
    pub loss: Option<f64>,
}
