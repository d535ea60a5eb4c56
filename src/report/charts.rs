//! The drawings of the page, as inline SVG: each host's strip of bars, and a chart of its latency
//! and losses. They are drawn for paper: what differs in colour differs in shape too.

use std::fmt::Write as _;

use super::figures::{HostFigures, Report};
use super::markup::{attribute, begin_section, element};
use super::timeline::{Bar, ChartPoint};
use super::wording::lost_pings;
use crate::pure::order::by_key;
use crate::pure::phrase::{count, ms};
use crate::pure::time::UtcMillis;

/// Width of every drawing in SVG units: a unit is a quarter of a millimetre on A4.
const WIDTH: f64 = 720.0;
const STRIP_HEIGHT: f64 = 30.0;
const LATENCY_HEIGHT: f64 = 84.0;
const LOSS_HEIGHT: f64 = 22.0;
/// With more hosts, charts are drawn for the hosts with the lowest availability.
const MAX_CHARTS: usize = 12;
/// An outage of four hours has the full height.
const FULL_MINUTES: f64 = 240.0;

pub(super) fn strips(out: &mut String, report: &Report) {
    if report
        .hosts
        .iter()
        .all(|host| host.bars.iter().all(|bar| *bar == Bar::NotRecordedYet))
    {
        return;
    }
    for host in &report.hosts {
        *out += "<figure>";
        element(out, "figcaption", &host.host_name);
        open(out, STRIP_HEIGHT + 12.0, &strip_name(report, host));
        let unit = WIDTH / host.bars.len().max(1) as f64;
        let gap = if unit > 4.0 { 1.5 } else { unit * 0.2 };
        for (class, _, is_it) in KINDS {
            let mut path = String::new();
            for (index, bar) in host.bars.iter().enumerate().filter(|(_, bar)| is_it(bar)) {
                let (x, height) = (index as f64 * unit, height_of(*bar) * STRIP_HEIGHT);
                let (width, y) = (unit - gap, STRIP_HEIGHT - height);
                // A frame for what was not measured: visible without colour.
                let _ = write!(path, "M{x:.1} {y:.1}h{width:.1}v{height:.1}h-{width:.1}z");
                if class == "n" && width > 4.0 {
                    let _ = write!(
                        path,
                        "M{:.1} {:.1}v{:.1}h{:.1}v-{:.1}z",
                        x + 1.2,
                        y + 1.2,
                        height - 2.4,
                        width - 2.4,
                        height - 2.4
                    );
                }
            }
            if !path.is_empty() {
                let _ = write!(out, "<path class={class} d=\"{path}\"/>");
            }
        }
        axis(out, report, STRIP_HEIGHT + 11.0);
        *out += "</svg></figure>\n";
    }
    let legend = format!(
        "One bar for each {}. The taller, the worse: green up, amber where {percent} % of the time or more was degraded or \
         worse, purple where {percent} % or more was poor, red an outage (the longer, the taller; full height from four hours on), a \
         grey frame where more than half was not measured.",
        report.bars.unit,
        percent = report.bars.degraded_percent
    );
    element(out, "figcaption", &legend);
}

/// The class of style.css for each kind of bar, and its words.
type Kind = (&'static str, &'static str, fn(&Bar) -> bool);
const KINDS: [Kind; 6] = [
    ("o", "before the first record", |bar| {
        *bar == Bar::NotRecordedYet
    }),
    ("n", "not measured", |bar| *bar == Bar::NotMeasured),
    ("u", "up", |bar| *bar == Bar::Up),
    ("w", "degraded", |bar| *bar == Bar::Degraded),
    ("p", "poor", |bar| *bar == Bar::Poor),
    ("d", "with an outage", |bar| matches!(bar, Bar::Down(_))),
];

/// For a screen reader: "Name server, 30 days: 1 not measured, 28 up, 1 with an outage".
fn strip_name(report: &Report, host: &HostFigures) -> String {
    let parts = KINDS.iter().filter_map(|(_, words, is_it)| {
        let number = host.bars.iter().filter(|bar| is_it(bar)).count();
        (number > 0).then(|| format!("{number} {words}"))
    });
    let parts: Vec<String> = parts.collect();
    let spans = count(host.bars.len(), report.bars.unit);
    format!("{}, {spans}: {}", host.host_name, parts.join(", "))
}

/// As a share of the full height.
fn height_of(bar: Bar) -> f64 {
    match bar {
        Bar::NotRecordedYet => 0.08,
        Bar::Up => 0.3,
        Bar::Degraded | Bar::Poor | Bar::NotMeasured => 0.54,
        Bar::Down(seconds) => {
            (0.66 + 0.34 * (seconds as f64 / 60.0).ln_1p() / FULL_MINUTES.ln_1p()).min(1.0)
        }
    }
}

/// The places of the hosts that have a chart.
pub(super) fn charted(hosts: &[HostFigures]) -> Vec<usize> {
    let mut charted: Vec<usize> = (0..hosts.len())
        .filter(|place| hosts[*place].sent > 0)
        .collect();
    if charted.len() > MAX_CHARTS {
        // The share of the measured time in which they were down, in millionths.
        by_key(&mut charted, |place| {
            let host = &hosts[*place];
            [
                -host.down_seconds * 1_000_000 / host.measured_seconds.max(1),
                0,
            ]
        });
        charted.truncate(MAX_CHARTS);
    }
    charted
}

pub(super) fn charts(out: &mut String, report: &Report) {
    let charted = charted(&report.hosts);
    if charted.is_empty() {
        return;
    }
    *out += "</section>";
    begin_section(out, "Latency and lost pings", false);
    let is_cut = report.hosts.iter().filter(|host| host.sent > 0).count() > charted.len();
    let which = if is_cut {
        " Shown are the hosts with the lowest availability."
    } else {
        ""
    };
    let what = "Line: median. Band: from the fastest 5 % of the replies to the slowest 5 %, on a logarithmic scale. Red: lost pings.";
    element(out, "p", &format!("{what}{which}"));
    for place in charted {
        chart(out, report, &report.hosts[place]);
    }
}

/// The losses as they were counted: the share of a point says little, since the point may be an hour
/// with an outage of some minutes.
fn chart_caption(host: &HostFigures) -> String {
    let of_band = || host.points.iter().filter_map(|point| point.quantiles_us);
    let fastest = of_band().map(|us| us[0]).min();
    let slowest = of_band().map(|us| us[2]).max();
    let lost = format!("{}: {}", host.host_name, lost_pings(host));
    match fastest.zip(slowest) {
        None => format!("{lost}, no ping was answered"),
        Some((low, high)) => {
            let [low, high] = [low, high].map(|us| ms(f64::from(us)));
            format!("{lost}, band from {low} to {high}")
        }
    }
}

/// A power of ten as milliseconds: `0.01 ms`, `10 ms`.
fn tick_text(us: u32) -> String {
    format!("{} ms", f64::from(us) / 1000.0)
}

fn chart(out: &mut String, report: &Report, host: &HostFigures) {
    let of_latency = || host.points.iter().filter_map(|point| point.quantiles_us);
    let low = of_latency().map(|us| us[0]).min().unwrap_or(1).max(1);
    let high = of_latency()
        .map(|us| us[2])
        .max()
        .unwrap_or(1)
        .max(low + low / 2 + 1);
    *out += "<figure>";
    let caption = chart_caption(host);
    element(out, "figcaption", &caption);
    let name = format!("Latency and lost pings of {caption}");
    open(out, LATENCY_HEIGHT + LOSS_HEIGHT + 16.0, &name);
    let (from, span) = (report.from.0 as f64, (report.to.0 - report.from.0) as f64);
    let x = |at: i64| ((at as f64 - from) / span * WIDTH).clamp(0.0, WIDTH);
    let (low_log, high_log) = (f64::from(low).ln(), f64::from(high).ln());
    let y = |us: u32| {
        2.0 + (LATENCY_HEIGHT - 4.0)
            * (1.0 - (f64::from(us.max(1)).ln() - low_log) / (high_log - low_log))
    };
    for power in 0..7 {
        let us = 10_u32.pow(power);
        if us > low && us < high {
            let _ = write!(out, "<path class=grid d=\"M0 {0:.1}H{WIDTH}\"/>", y(us));
            let _ = write!(
                out,
                "<text x=0 y={:.1}>{}</text>",
                y(us) - 2.0,
                tick_text(us)
            );
        }
    }
    // Gaps in the measurements are gaps in the line.
    for run in runs(&host.points) {
        let middle = |point: &ChartPoint| x(point.at + point.width / 2);
        let along = |quantile: usize| {
            run.iter().map(move |point| {
                (
                    middle(point),
                    y(point.quantiles_us.unwrap_or_default()[quantile]),
                )
            })
        };
        let line = |points: &mut dyn Iterator<Item = (f64, f64)>| {
            points.fold(String::new(), |mut path, (x, y)| {
                let _ = write!(
                    path,
                    "{}{x:.1} {y:.1}",
                    if path.is_empty() { "" } else { "L" }
                );
                path
            })
        };
        let band = format!("{}L{}", line(&mut along(2)), line(&mut along(0).rev()));
        let _ = write!(
            out,
            "<path class=band d=\"M{band}z\"/><path class=mid d=\"M{}\"/>",
            line(&mut along(1))
        );
    }
    let bottom = LATENCY_HEIGHT + LOSS_HEIGHT;
    let mut losses = String::new();
    for point in &host.points {
        let Some(loss) = point.loss.filter(|loss| *loss > 0.0) else {
            continue;
        };
        // The square root keeps one lost ping of a thousand visible.
        let height = (LOSS_HEIGHT * loss.sqrt()).max(1.5);
        let width = (x(point.at + point.width) - x(point.at)).max(0.8);
        let _ = write!(
            losses,
            "M{:.1} {:.1}h{width:.1}v{height:.1}h-{width:.1}z",
            x(point.at),
            bottom - height
        );
    }
    let _ = write!(
        out,
        "<path class=d d=\"{losses}\"/><path class=grid d=\"M0 {bottom}H{WIDTH}\"/>"
    );
    axis(out, report, bottom + 12.0);
    *out += "</svg></figure>\n";
}

/// Points without a gap between them.
fn runs(points: &[ChartPoint]) -> Vec<Vec<ChartPoint>> {
    let mut runs: Vec<Vec<ChartPoint>> = Vec::new();
    for point in points.iter().filter(|point| point.quantiles_us.is_some()) {
        let follows = |run: &&mut Vec<ChartPoint>| {
            run.last()
                .is_some_and(|last| point.at - last.at <= 2 * point.width)
        };
        match runs.last_mut().filter(follows) {
            Some(run) => run.push(*point),
            None => runs.push(vec![*point]),
        }
    }
    runs
}

/// `name`: for a screen reader.
fn open(out: &mut String, height: f64, name: &str) {
    let _ = write!(out, "<svg viewBox=\"0 0 {WIDTH} {height}\" role=img");
    attribute(out, "aria-label", name);
    *out += ">";
}

/// Labels below a drawing: local days, or local times where the bars are hours.
fn axis(out: &mut String, report: &Report, y: f64) {
    let spans = &report.bars.spans;
    let step = spans.len().div_ceil(8).max(1);
    let span = (report.to.0 - report.from.0) as f64;
    for bar in spans.iter().step_by(step) {
        let x = (bar.start.0 - report.from.0) as f64 / span * WIDTH;
        let offset = (report.method.zone.offset_at)(bar.start.0.div_euclid(1000));
        let text = UtcMillis(bar.start.0).local_text(offset);
        let label = if report.bars.unit == "hour" {
            text.get(5..16)
        } else {
            text.get(..10)
        };
        if x < WIDTH - 60.0 {
            let _ = write!(
                out,
                "<text x={x:.1} y={y}>{}</text>",
                label.unwrap_or_default()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(points: Vec<ChartPoint>) -> HostFigures {
        HostFigures {
            host_name: "Name server".into(),
            sent: 14_400,
            lost: 180,
            loss_percent: Some(1.25),
            points,
            ..HostFigures::default()
        }
    }

    #[test]
    fn of_many_hosts_those_with_the_lowest_availability_have_a_chart() {
        let of = |sent, down_seconds| HostFigures {
            sent,
            down_seconds,
            measured_seconds: 86_400,
            ..HostFigures::default()
        };
        let mut hosts: Vec<HostFigures> = (0..12).map(|place| of(5, place * 60)).collect();
        hosts.push(of(0, 0));
        assert_eq!(charted(&hosts), (0..12).collect::<Vec<_>>());
        hosts.push(of(5, 30));
        let worst_first = [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 13];
        assert_eq!(charted(&hosts), worst_first);
    }

    #[test]
    fn a_chart_says_what_was_lost_and_not_the_mean_of_an_hour_with_an_outage() {
        let point = |quantiles_us, loss| ChartPoint {
            quantiles_us,
            loss: Some(loss),
            ..ChartPoint::default()
        };
        let answered = point(Some([900, 12_000, 40_000]), 0.0);
        let outage = point(Some([1_000, 12_000, 90_000]), 0.6);
        let silent = point(None, 1.0);
        for (points, caption) in [
            (
                vec![answered, outage],
                "Name server: 180 of 14400 pings lost (1.25 %), band from 0.900 ms to 90.0 ms",
            ),
            (
                vec![silent],
                "Name server: 180 of 14400 pings lost (1.25 %), no ping was answered",
            ),
        ] {
            assert_eq!(chart_caption(&host(points)), caption);
        }
    }

    #[test]
    fn labels_of_the_latency_axis_are_numbers_as_people_write_them() {
        let labels = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000].map(tick_text);
        assert_eq!(
            labels.join(", "),
            "0.001 ms, 0.01 ms, 0.1 ms, 1 ms, 10 ms, 100 ms, 1000 ms"
        );
    }
}
